"""Train a small convolutional network on real handwritten digits, look at its mistakes and at what its filters see.

    python demos/02_image_classifier.py [--seed 0] [--epochs 12] [--out classifier] [--quick]

Claim: at least 98 % of 360 digits that it has never seen, after less than a minute of training on one core.
Writes predictions.png and filters.png. The same seed gives the same bits.

This is a PyTorch program: under `import torch`, `from torch import nn, optim` and so on, the rest runs there as it stands.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: a second thread would only get in the way

import autograd as torch
import nn
import nn.functional as F
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader, TensorDataset

from common import claim

try:
    from matplotlib.figure import Figure
except ImportError as missing:
    sys.exit(
        f"this demo draws with {missing.name}: pip install 'chainrule[demo]', or `python3 run.py demo` and then .venv/bin/python"
    )


class Net(nn.Module):
    """Three convolutions, each normalized over the batch; two poolings, from 8 x 8 to 2 x 2; and one linear layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.features = nn.Sequential(
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 2 * 2, 10))

    def forward(self, x):
        return self.classifier(self.features(self.first(x)))


def train(model, loader, optimizer):
    """One epoch; returns the loss of each batch."""
    model.train()
    losses = []
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def evaluate(model, loader):
    """The probabilities of the ten classes for every image, and the share of images that are taken for what they are."""
    model.eval()
    probabilities, correct = [], 0
    for images, labels in loader:
        probabilities.append(F.softmax(model(images), dim=1))
        correct += (probabilities[-1].argmax(dim=1) == labels).sum().item()
    return torch.cat(probabilities), correct / len(loader.dataset)


def load():
    """The digits to train with and those to test on, as images of one channel."""
    parts = [[torch.from_numpy(t.numpy()) for t in part.tensors] for part in digits()]
    return [TensorDataset(images.unsqueeze(1), labels) for images, labels in parts]


def bare(axes, colour="#cbd5e1", width=1.0):
    """Take the ticks away; the frame stays."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=width)


def draw_predictions(images, labels, probabilities, path, rows=4, columns=8):
    """The digits that the network finds hardest: what it takes them for, in red where they are something else."""
    guesses = probabilities.argmax(dim=1)
    belief = probabilities[torch.arange(len(labels)), labels]  # in what the digit really is
    wrong = (guesses != labels).sum().item()
    figure = Figure(figsize=(columns * 1.15, rows * 1.4 + 0.4), layout="constrained")
    figure.suptitle(
        f"Taken for another: {wrong} of {len(labels)} test digits (red); the rest of the page shows the closest calls"
    )
    hardest = belief.argsort()[: rows * columns].tolist()
    for axes, i in zip(figure.subplots(rows, columns).flat, hardest, strict=True):
        label, guess = labels[i].item(), guesses[i].item()
        sure = f"{probabilities[i, guess].item():.0%}"
        axes.imshow(images[i, 0].numpy(), cmap="gray_r", vmin=0, vmax=1)
        if guess == label:
            bare(axes)
            axes.set_xlabel(f"{guess} ({sure})", color="#334155")
        else:
            bare(axes, "#dc2626", 2.5)
            axes.set_xlabel(f"{guess} ({sure}), is {label}", color="#dc2626")
    figure.savefig(path, dpi=130)


@torch.no_grad()
def draw_filters(model, image, path):
    """The 3 x 3 filters of the first layer, and under each what it makes of a digit."""
    filters, seen = model.first.weight, model.first(image.unsqueeze(0))[0]
    pairs = len(filters) // 2
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    figure.suptitle("The 16 filters of the first layer (blue: positive, red: negative), and what each answers to the digit")
    grid = figure.add_gridspec(4, pairs + 2)
    axes = figure.add_subplot(grid[1:3, :2])
    axes.imshow(image[0].numpy(), cmap="gray_r", vmin=0, vmax=1)
    axes.set_title("the digit")
    bare(axes)
    for i in range(len(filters)):
        for row, (name, values) in enumerate({"filter": filters[:, 0], "answer": seen}.items()):
            axes = figure.add_subplot(grid[i // pairs * 2 + row, i % pairs + 2])
            limit = values.abs().max().item()
            axes.imshow(values[i].numpy(), cmap="RdBu", vmin=-limit, vmax=limit)
            bare(axes)
            if i % pairs == 0:
                axes.set_ylabel(name)
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bits")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("classifier"), help="the folder that the pictures go to")
    parser.add_argument("--quick", action="store_true", help="two epochs, and a claim of 95 %")
    options = parser.parse_args()
    epochs = 2 if options.quick else options.epochs

    torch.manual_seed(options.seed)
    train_set, test_set = load()
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=180)
    model = Net()
    print(model)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")

    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    start = time.perf_counter()
    for epoch in range(1, epochs + 1):
        losses = train(model, train_loader, optimizer)
        scheduler.step()
        probabilities, accuracy = evaluate(model, test_loader)
        print(f"epoch {epoch:2}: loss {sum(losses) / len(losses):.4f}, test accuracy {accuracy:.2%}")
    seconds = time.perf_counter() - start
    print(f"test accuracy {accuracy:.2%} after {seconds:.1f} s of training")

    images, labels = test_set.tensors
    options.out.mkdir(parents=True, exist_ok=True)
    draw_predictions(images, labels, probabilities, options.out / "predictions.png")
    draw_filters(model, images[0], options.out / "filters.png")
    for name in ("predictions.png", "filters.png"):
        print(options.out.resolve() / name)
    holds = accuracy >= (0.95 if options.quick else 0.98) and seconds < 60
    claim(holds, f"{accuracy:.2%} of {len(labels)} digits that it has never seen are read right")


if __name__ == "__main__":
    main()
