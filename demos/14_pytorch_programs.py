"""A tutorial's PyTorch programs with only the imports changed: three networks, clipping, and two schedules.

Claim: SimpleNN 2-4-1, trained with Adam and the mean squared error, learns XOR in at least 8 of 10 seeds; the networks with batch
normalization and with dropout, trained by one loop with clipped gradients, StepLR or ReduceLROnPlateau, read at least 93 % of 360
digits that they have never seen.

This is a PyTorch program: under `import torch`, `from torch import nn, optim` and so on, the rest runs there as it stands.
"""

import autograd as torch
import nn
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save


class SimpleNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(2, 4)
        self.fc2 = nn.Linear(4, 1)

    def forward(self, x):
        return torch.sigmoid(self.fc2(torch.tanh(self.fc1(x))))


class NNWithBatchNorm(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))


class NNWithDropout(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))


def learn_xor(steps=500):
    """Whether SimpleNN answers all four cases rightly, and its losses."""
    x, y = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    model, criterion, losses = SimpleNN(), nn.MSELoss(), []
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return bool(((model(x) - y).abs() < 0.4).all()), losses


def train(model, loader, optimizer, scheduler=None, epochs=1):
    """The training loop, with torch.nn.utils.clip_grad_norm_; returns the loss of each batch."""
    model.train()
    criterion, losses = nn.CrossEntropyLoss(), []
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            losses.append(loss.item())
        if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(sum(losses[-len(loader) :]) / len(loader))
        elif scheduler:
            scheduler.step()
    return losses


@torch.no_grad()
def accuracy(model, images, labels):
    model.eval()
    return (model(images).argmax(1) == labels).float().mean().item()


def load():
    """The digits as rows of 64 numbers: to train with, and to test on."""
    parts = (part.tensors for part in digits())
    return [TensorDataset(torch.from_numpy(x.numpy()).flatten(1), torch.from_numpy(y.numpy())) for x, y in parts]


def main():
    options = arguments(__doc__)
    runs = []
    for seed in range(10):
        torch.manual_seed(10 * options.seed + seed)
        runs.append(learn_xor(300 if options.quick else 500))
    solved = sum(right for right, _ in runs)

    torch.manual_seed(options.seed)
    train_set, test_set = load()
    loader, found, curves = DataLoader(train_set, batch_size=64, shuffle=True), {}, {}
    for model, schedule in ((NNWithBatchNorm(), "StepLR"), (NNWithDropout(), "ReduceLROnPlateau")):
        optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        if schedule == "StepLR":
            scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
        else:
            scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        name = type(model).__name__
        curves[name] = train(model, loader, optimizer, scheduler, epochs=5 if options.quick else 15)
        found[name] = accuracy(model, *test_set.tensors)
        print(f"{name} with {schedule}: {found[name]:.2%}, learning rate {optimizer.param_groups[0]['lr']:g} at the end")

    figure, (left, right) = panels(2, width=4.5)
    for right_answer, losses in runs:
        left.plot(losses, color="C0" if right_answer else "C3", linewidth=0.8)
    left.set(title=f"SimpleNN and XOR: {solved} of 10", xlabel="step", ylabel="mean squared error")
    for name, losses in curves.items():
        right.semilogy(losses, linewidth=0.8, label=f"{name}: {found[name]:.1%}")
    right.set(title="digits", xlabel="step", ylabel="cross entropy")
    right.legend(frameon=False)
    save(figure, options.out / "pytorch_programs.png")
    scores = ", ".join(f"{name} reads {score:.1%} of the digits" for name, score in found.items())
    claim(solved >= 8 and min(found.values()) > 0.93, f"SimpleNN learns XOR in {solved} of 10 seeds, {scores}")


if __name__ == "__main__":
    main()
