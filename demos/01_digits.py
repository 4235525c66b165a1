"""Train a multilayer perceptron on real handwritten digits, look at its mistakes and at the graph of backprop.

    python demos/01_digits.py [--seed 0] [--epochs 40] [--out digits] [--quick]

Claim: at least 97 % of 360 digits that it has never seen, after about a second of training on one core.
Writes graph.svg (backprop for one batch), curves.png and predictions.png. The same seed gives the same bits.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: a second thread would only get in the way

import autograd
import nn
import nn.functional as F
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader

from common import claim

try:
    from matplotlib.figure import Figure
    from tqdm import tqdm
except ImportError as missing:
    sys.exit(f"this demo draws with {missing.name}: pip install 'chainrule[demo]', or run it with `python3 run.py demo`")

SHADES = " .:-=+*#%@"
RATE = 5e-3


def model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


@autograd.no_grad()
def evaluate(net: nn.Module, images: autograd.Tensor, labels: autograd.Tensor) -> tuple[float, float]:
    """Loss and accuracy, without dropout."""
    net.eval()
    scores = net(images)
    net.train()
    return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item()


def train(net: nn.Module, train_set, test_set, epochs: int) -> dict[str, list[float]]:
    """The usual loop: shuffle, forward, backward, step; a little noise makes each image a new one. Returns the curves."""
    optimizer = optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.05)
    curves: dict[str, list[float]] = {"train loss": [], "test loss": [], "train accuracy": [], "test accuracy": []}
    progress = tqdm(range(epochs), desc="training", unit="epoch", disable=None)
    for epoch in progress:
        optimizer.param_groups[0]["lr"] = RATE * (1 - epoch / epochs)
        for images, labels in DataLoader(train_set, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(images + 0.1 * autograd.randn_like(images)), labels).backward()
            optimizer.step()
        for name, data in (("train", train_set), ("test", test_set)):
            loss, accuracy = evaluate(net, *data.tensors)
            curves[f"{name} loss"].append(loss)
            curves[f"{name} accuracy"].append(accuracy)
        progress.set_postfix_str(f"test accuracy {curves['test accuracy'][-1]:.1%}")
    return curves


def as_text(image: autograd.Tensor) -> list[str]:
    """An image as rows of characters, darker for more ink."""
    return ["".join(2 * SHADES[min(int(ink * len(SHADES)), len(SHADES) - 1)] for ink in row) for row in image.tolist()]


def print_examples(images: autograd.Tensor, labels: autograd.Tensor, guesses: autograd.Tensor, how_many: int = 4) -> None:
    """A few digits side by side, with what they are and what they were taken for; mistakes first."""
    wrong_first = (guesses == labels).float().argsort()[:how_many]
    picked = [(as_text(images[i]), labels[i].item(), guesses[i].item()) for i in wrong_first.tolist()]
    for rows in zip(*(text for text, _, _ in picked), strict=True):
        print("   ".join(rows))
    print("   ".join(f"{f'a {label}, taken for {guess}':16}" for _, label, guess in picked))


def draw_curves(curves: dict[str, list[float]], path: pathlib.Path) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for name, colour in (("train", "#94a3b8"), ("test", "#4f46e5")):
            values = curves[f"{name} {what}"]
            axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=2, label=name)
        axes.set_title(what)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_yscale("log")
    figure.axes[1].set_ylim(min(0.85, *curves["test accuracy"]), 1.005)
    figure.savefig(path, dpi=130)


def draw_predictions(images, labels, guesses, sureness, path: pathlib.Path, rows: int = 6, columns: int = 12) -> None:
    """A page of digits with the predictions under them: all the wrong ones first, in red with what they really are."""
    order = (guesses == labels).float().argsort()[: rows * columns].tolist()
    figure = Figure(figsize=(columns * 0.95, rows * 1.25), layout="constrained")
    wrong = int((guesses != labels).sum().item())
    figure.suptitle(f"{wrong} of {len(labels)} test digits are taken for another (in red); the rest of the page is right")
    for axes, i in zip(figure.subplots(rows, columns).flat, order, strict=True):
        axes.imshow(images[i].numpy(), cmap="gray_r", vmin=0, vmax=1)
        axes.set_xticks([])
        axes.set_yticks([])
        label, guess = labels[i].item(), guesses[i].item()
        right = label == guess
        axes.set_xlabel(
            f"{guess}" if right else f"{guess}, is {label}\n{sureness[i].item():.0%} sure",
            color="#334155" if right else "#dc2626",
        )
        for spine in axes.spines.values():
            spine.set(color="#cbd5e1" if right else "#dc2626", linewidth=1 if right else 2.5)
    figure.savefig(path, dpi=130)


def draw_graph(net: nn.Module, data, path: pathlib.Path) -> None:
    """The graph of backprop for one batch, with the gradients that it left."""
    images, labels = (t[:64] for t in data.tensors)
    net.zero_grad()
    loss = F.cross_entropy(net(images), labels)
    loss.backward(retain_graph=True)
    autograd.draw(loss, params=net).render(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bits")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("digits"), help="the folder that the pictures go to")
    parser.add_argument("--quick", action="store_true", help="three epochs, and a claim of 90 %")
    options = parser.parse_args()
    autograd.manual_seed(options.seed)
    train_set, test_set = digits()
    net = model()
    print(net)
    start = time.perf_counter()
    curves = train(net, train_set, test_set, 3 if options.quick else options.epochs)
    seconds = time.perf_counter() - start
    accuracy = curves["test accuracy"][-1]
    print(f"test accuracy {accuracy:.2%} after {seconds:.1f} s of training")

    images, labels = test_set.tensors
    with autograd.no_grad():
        net.eval()
        sureness, guesses = net(images).softmax(1).max(1)
        net.train()
    print_examples(images, labels, guesses)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_graph(net, train_set, options.out / "graph.svg")
    draw_curves(curves, options.out / "curves.png")
    draw_predictions(images, labels, guesses, sureness, options.out / "predictions.png")
    for name in ("graph.svg", "curves.png", "predictions.png"):
        print(options.out.resolve() / name)
    claim(
        accuracy >= (0.90 if options.quick else 0.97),
        f"{accuracy:.2%} of {len(labels)} digits that it has never seen are read right",
    )


if __name__ == "__main__":
    main()
