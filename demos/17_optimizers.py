"""Eight optimizers racing: down a narrow valley, and on handwritten digits.

Claim: in a valley a hundred times as steep as it is long, momentum gets a thousand times lower than SGD in 200 steps; on digits
each of the eight reads at least 90 % of 360 that it has never seen.

LAMB is You et al., 2019; AdaBelief is Zhuang et al., 2020. Each has its own learning rate: none suits all.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import manual_seed, tensor
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader

from common import arguments, claim, panels, save

RACERS = {  # how each is made for the valley, and for the digits
    "SGD": (lambda p: optim.SGD(p, 0.019), lambda p: optim.SGD(p, 0.3)),
    "momentum": (lambda p: optim.SGD(p, 0.019, 0.8), lambda p: optim.SGD(p, 0.05, 0.9)),
    "Adagrad": (lambda p: optim.Adagrad(p, 0.5), lambda p: optim.Adagrad(p, 0.05)),
    "RMSprop": (lambda p: optim.RMSprop(p, 0.02), lambda p: optim.RMSprop(p, 0.003)),
    "Adam": (lambda p: optim.Adam(p, 0.2), lambda p: optim.Adam(p, 0.01)),
    "AdamW": (lambda p: optim.AdamW(p, 0.2), lambda p: optim.AdamW(p, 0.01)),
    "LAMB": (lambda p: optim.LAMB(p, 0.05), lambda p: optim.LAMB(p, 0.02)),
    "AdaBelief": (lambda p: optim.AdaBelief(p, 0.2), lambda p: optim.AdaBelief(p, 0.01)),
}


def valley(p):
    """Gentle along the first axis, a hundred times as steep along the second; the minimum is 0, at the origin."""
    return (p**2 * tensor([0.5, 50.0])).sum()


def race_down(make, steps=200):
    """The points on the way, and the heights."""
    p = tensor([-4.0, 1.0], requires_grad=True)
    optimizer, points, heights = make([p]), [], []
    for _ in range(steps):
        optimizer.zero_grad()
        height = valley(p)
        height.backward()
        points.append(p.tolist())
        heights.append(height.item())
        optimizer.step()
    return np.array(points), heights


def race_on_digits(make, train_set, test_set, epochs):
    """The loss of each batch, and the share of the test digits that are read right."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer, losses = make(net.parameters()), []
    for _ in range(epochs):
        for images, labels in DataLoader(train_set, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    images, labels = test_set.tensors
    return losses, (net(images).argmax(1) == labels).float().mean().item()


def main():
    options = arguments(__doc__)
    train_set, test_set = digits()
    figure, (left, middle, right) = panels(3, width=4.6, height=3.8)
    a, b = np.meshgrid(np.linspace(-4.5, 1, 80), np.linspace(-1.2, 1.2, 80))
    left.contour(a, b, 0.5 * a**2 + 50 * b**2, levels=np.logspace(-1, 2, 10), colors="0.85")
    lowest, shares = {}, {}
    for i, (name, (downhill, reading)) in enumerate(RACERS.items()):
        points, heights = race_down(downhill)
        manual_seed(options.seed)  # the same first weights and batches for all
        losses, shares[name] = race_on_digits(reading, train_set, test_set, 5 if options.quick else 12)
        lowest[name] = heights[-1]
        print(f"{name:10} height {heights[-1]:.1e} in the valley, {shares[name]:.2%} of the digits")
        left.plot(*points.T, color=f"C{i}", linewidth=1, label=name)
        middle.semilogy(heights, color=f"C{i}", linewidth=1)
        right.semilogy(
            np.convolve(losses, np.ones(23) / 23, "valid"), color=f"C{i}", linewidth=1, label=f"{name} {shares[name]:.1%}"
        )
    left.set(title="the paths down the valley", xlim=(-4.5, 1), ylim=(-1.2, 1.2))
    left.legend(frameon=False, fontsize=7, ncols=2)
    middle.set(title="how low after how many steps", xlabel="step", ylim=(1e-12, 100))
    right.set(title="digits: loss, mean of an epoch", xlabel="step")
    right.legend(frameon=False, fontsize=7)
    save(figure, options.out / "optimizers.png")
    worst, best = min(shares, key=shares.get), max(shares, key=shares.get)
    claim(
        lowest["momentum"] < lowest["SGD"] / 1000 and shares[worst] >= (0.8 if options.quick else 0.9),
        f"momentum gets to {lowest['momentum']:.0e}, SGD to {lowest['SGD']:.0e}; "
        f"the eight read {shares[worst]:.1%} to {shares[best]:.1%} of the digits",
    )


if __name__ == "__main__":
    main()
