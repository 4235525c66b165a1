"""Losses for regression, what each makes of outliers, and one of our own.

Claim: where a fifth of the points are outliers, the slope of 2 by squares is off by more than 1.5, by Huber's loss by less than
half of that, by absolute errors by less than 0.5, and by a loss written here, the log of a Cauchy density, by less than 0.15.

A loss is any function of tensors that returns a number: no gradient is written for it.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import func, manual_seed, rand, randn, tensor
from nn import optim

from common import arguments, claim, panels, save


def cauchy(answers, targets, scale=0.5):
    """log(1 + (e / scale)^2): far away it grows like a logarithm, so that an outlier pulls less, the farther it is."""
    return (((answers - targets) / scale) ** 2).log1p().mean()


LOSSES = {"squares": F.mse_loss, "absolute": F.l1_loss, "Huber": F.huber_loss, "Cauchy, our own": cauchy}


def data(n=100):
    """A line of slope 2, with a little noise, and a fifth of the points at the right far below it."""
    x = rand(n, 1) * 4 - 2
    y = 2 * x + 0.3 * randn(n, 1)
    outliers = x[:, 0].argsort(descending=True)[: n // 5]
    y[outliers] = y[outliers] - 10
    return x, y


def fit(loss, x, y, steps=500):
    line = nn.Linear(1, 1)
    optimizer = optim.Adam(line.parameters(), lr=0.05)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(line(x), y).backward()
        optimizer.step()
        schedule.step()
    return line.weight.item(), line.bias.item()


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    x, y = data()
    errors = np.linspace(-4, 4, 201)
    figure, (left, middle, right) = panels(3)
    right.scatter(x.numpy(), y.numpy(), s=10, color="0.6")
    off = {}
    for name, loss in LOSSES.items():
        values = [loss(tensor([e]), tensor([0.0])).item() for e in errors]
        pull = [func.grad(lambda t, loss=loss: loss(t, tensor([0.0])))(tensor([e])).item() for e in errors]
        left.plot(errors, values, label=name)
        middle.plot(errors, pull)
        slope, constant = fit(loss, x, y)
        right.plot([-2, 2], [constant - 2 * slope, constant + 2 * slope])
        off[name] = abs(slope - 2)
        print(f"{name:16} slope {slope:.3f}, off by {off[name]:.3f}")
    left.set(title="loss of an error", ylim=(0, 6), xlabel="error")
    left.legend(frameon=False)
    middle.set(title="its derivative: how hard it pulls", ylim=(-3.5, 3.5), xlabel="error")
    right.set(title="the lines that they find")
    save(figure, options.out / "losses.png")
    claim(
        off["squares"] > 1.5 and off["Huber"] < off["squares"] / 2 and off["absolute"] < 0.5 and off["Cauchy, our own"] < 0.15,
        "the slope is off by " + ", ".join(f"{o:.2f} ({name})" for name, o in off.items()),
    )


if __name__ == "__main__":
    main()
