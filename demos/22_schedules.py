"""Learning-rate schedules: a constant rate against StepLR, ReduceLROnPlateau, cosine and one-cycle.

Claim: on average over three runs that fit ten cosines to noisy points of a wave, each schedule ends with at most half the
distance to the true wave that a constant rate ends with.

The noise of small batches keeps a large rate from settling: it has to fall. One-cycle is Smith, 2018; cosine is Loshchilov and
Hutter, 2017.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import arange, linspace, manual_seed, rand, randn
from nn import optim
from nn.optim import lr_scheduler
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

RATE, BATCH, NOISE = 0.2, 8, 0.5
SCHEDULES = {  # made for an optimizer that goes n steps in each of so many epochs
    "constant": lambda o, epochs, n: lr_scheduler.ConstantLR(o, factor=1.0),
    "StepLR": lambda o, epochs, n: lr_scheduler.StepLR(o, max(1, epochs // 4) * n, gamma=0.3),
    "ReduceLROnPlateau": lambda o, epochs, n: lr_scheduler.ReduceLROnPlateau(o, factor=0.3, patience=0),
    "cosine": lambda o, epochs, n: lr_scheduler.CosineAnnealingLR(o, epochs * n),
    "one-cycle": lambda o, epochs, n: lr_scheduler.OneCycleLR(o, RATE, epochs * n, cycle_momentum=False),
}


def train(make_schedule, train_set, epochs):
    """The layer, the loss of each batch, and the rate in each step."""
    net = nn.Linear(10, 1)
    optimizer = optim.SGD(net.parameters(), lr=RATE)
    loader = DataLoader(train_set, BATCH, shuffle=True)
    schedule = make_schedule(optimizer, epochs, len(loader))
    losses, rates = [], []
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            rates.append(optimizer.param_groups[0]["lr"])
            if not isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
                schedule.step()
        if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
            schedule.step(sum(losses[-len(loader) :]) / len(loader))  # it watches the loss, epoch by epoch
    return net, losses, rates


def cosines(x):
    """What the linear layer sees of each x: cos(x), cos(2 x), ... cos(10 x)."""
    return (x * arange(1, 11)).cos()


def wave(x):
    return (cosines(x) / arange(1, 11)).sum(-1, keepdim=True)


def main():
    options = arguments(__doc__)
    epochs, runs = (6, 3) if options.quick else (12, 3)
    figure, (left, middle, right) = panels(3, width=4.2)
    grid = linspace(-3, 3, 200).reshape(-1, 1)
    far = {}
    for name, make in SCHEDULES.items():
        errors = []
        for run in range(runs):
            manual_seed(10 * options.seed + run)
            x = rand(2000, 1) * 6.28 - 3.14
            net, losses, rates = train(make, TensorDataset(cosines(x), wave(x) + NOISE * randn(2000, 1)), epochs)
            answer = net(cosines(grid)).detach()
            errors.append(F.mse_loss(answer, wave(grid)).item())
        far[name] = sum(errors) / runs
        print(f"{name:18} squared distance to the true wave {far[name]:.4f}: {[round(e, 4) for e in errors]}")
        left.plot(np.arange(len(rates)) / len(rates) * epochs, rates, label=name)
        n = len(losses) // epochs
        middle.plot(np.arange(len(losses) - n + 1) / n + 1, np.convolve(losses, np.ones(n) / n, "valid"), linewidth=0.8)
        right.plot(grid.numpy(), answer.numpy(), linewidth=1)
    right.plot(grid.numpy(), wave(grid).numpy(), "k--", linewidth=1, label="true wave")
    left.set(title="learning rate", xlabel="epoch")
    left.legend(frameon=False, fontsize=8)
    middle.set(title="training loss, mean of an epoch", xlabel="epoch", ylim=(0.2, 0.35))
    right.set(title="what the last runs found", xlabel="x")
    right.legend(frameon=False, fontsize=8)
    save(figure, options.out / "schedules.png")
    constant = far.pop("constant")
    claim(
        max(far.values()) < constant / 2,
        f"squared distance to the wave {constant:.4f} at a constant rate, "
        + ", ".join(f"{distance:.4f} by {name}" for name, distance in far.items()),
    )


if __name__ == "__main__":
    main()
