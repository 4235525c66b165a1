"""Gradients that vanish or explode with depth, and the cures: activation, initialisation, normalization, skips, clipping.

Claim: in a network of 50 layers the first layer's gradient is less than 1e-9 of the last's with sigmoids, and more than 1e6 times
the last's with weights that are too large; with He's weights, batch normalization or skips it is between 0.001 and 1000 times the last's.
At depth 20, the two broken networks read less than half of the test digits, each of the cured at least 80 %.

Sources: Glorot and Bengio, 2010 (Xavier); He et al., 2015 (He) and 2016 (skips); Ioffe and Szegedy, 2015 (batch normalization).
"""

import math

import nn
import nn.functional as F
from autograd import manual_seed, sigmoid, tanh
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader

from common import arguments, claim, panels, save

WIDTH = 32
HE = math.sqrt(2)
WAYS = {  # activation, gain of the weights, options of Deep, the norm to which gradients are clipped
    "sigmoid": (sigmoid, 1.0, {}, None),
    "ReLU, large weights": (F.relu, 1.6 * HE, {}, None),
    "tanh, Xavier": (tanh, 1.0, {}, None),
    "ReLU, He": (F.relu, HE, {}, None),
    "sigmoid, batch norm": (sigmoid, 1.0, {"norm": True}, None),
    "sigmoid, skips": (sigmoid, 1.0, {"skips": True}, None),
    "large weights, clipped": (F.relu, 1.6 * HE, {}, 0.5),
}
BROKEN = ("sigmoid", "ReLU, large weights")


class Deep(nn.Module):
    """`depth` layers of one width between the first and the last."""

    def __init__(self, depth, activation, gain, norm=False, skips=False):
        super().__init__()
        self.activation, self.skips = activation, skips
        self.first, self.last = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 10)
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) if norm else nn.Identity() for _ in range(depth))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=gain / math.sqrt(WIDTH))
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        x = self.first(x.flatten(1))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            step = self.activation(norm(layer(x)))
            x = x + (step - 0.5) / math.sqrt(len(self.layers)) if self.skips else step
        return self.last(x)


def gradient_ratio(net, images, labels):
    """The norm of the first hidden layer's gradient, over that of the last one's."""
    F.cross_entropy(net(images), labels).backward()
    first, last = (net.layers[i].weight.grad.double().norm().item() for i in (0, -1))
    return first / last


def accuracy_after(net, train_set, test_set, clip, epochs):
    """The share of the test digits that it reads after training by SGD with momentum."""
    optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.05, epochs * 23)
    for _ in range(epochs):
        for images, labels in DataLoader(train_set, 64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            if clip:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
            schedule.step()
    net.eval()
    images, labels = test_set.tensors
    return (net(images).argmax(1) == labels).float().mean().item()


def main():
    options = arguments(__doc__)
    train_set, test_set = digits()
    depths = (2, 5, 10, 20, 35, 50)
    figure, (left, right) = panels(2, width=5)
    ratios, shares = {}, {}
    for i, (name, (activation, gain, how, clip)) in enumerate(WAYS.items()):
        manual_seed(options.seed)
        if not clip:  # clipping changes how far a step goes, and no ratio
            images, labels = train_set[:64]
            curve = [gradient_ratio(Deep(depth, activation, gain, **how), images, labels) for depth in depths]
            ratios[name] = curve[-1]
            left.semilogy(depths, curve, color=f"C{i}", marker="o", markersize=3, label=name)
        shares[name] = accuracy_after(Deep(20, activation, gain, **how), train_set, test_set, clip, 10 if options.quick else 20)
        print(
            f"{name:23} gradient ratio {ratios.get(name, math.nan):8.1e} at depth 50, {shares[name]:.1%} of the digits at depth 20"
        )
    left.set(title="first layer's gradient, over the last's", xlabel="depth", ylim=(1e-20, 1e14))
    left.legend(frameon=False, fontsize=7)
    right.barh(list(shares)[::-1], list(shares.values())[::-1], color=[f"C{i}" for i in range(len(shares))][::-1])
    right.set(title="digits read rightly at depth 20", xlim=(0, 1))
    save(figure, options.out / "depth.png")
    cured = [name for name in WAYS if name not in BROKEN]
    steady = [ratios[name] for name in ("ReLU, He", "sigmoid, batch norm", "sigmoid, skips")]
    worst, best = min(shares[name] for name in cured), max(shares[name] for name in BROKEN)
    claim(
        ratios["sigmoid"] < 1e-9 and ratios["ReLU, large weights"] > 1e6 and all(1e-3 < r < 1e3 for r in steady)
        and best < 0.5 and worst >= 0.8,
        f"at depth 50 the gradient shrinks to {ratios['sigmoid']:.0e} with sigmoids, and grows to {ratios['ReLU, large weights']:.0e}; "
        f"at depth 20 the broken read {best:.1%} of the digits at most, the cured {worst:.1%} at least",
    )  # fmt: skip


if __name__ == "__main__":
    main()
