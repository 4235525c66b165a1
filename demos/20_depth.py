"""Gradients that vanish or explode with depth, and the cures: activation, initialisation, normalization, skips, clipping.

Claim: on its way back through 50 layers the gradient shrinks below 1e-9 of what it was with sigmoids, and grows above 1e4 times
that with weights that are too large; with He's weights, batch normalization or skips it stays between 0.001 and 1000 times that.
At depth 10, the two broken networks read at most 15 % of the test digits, each of the cured at least 60 %.

Sources: Glorot and Bengio, 2010 (Xavier); He et al., 2015 (He) and 2016 (skips); Ioffe and Szegedy, 2015 (batch normalization).
"""

import math
from functools import partial

import nn
import nn.functional as F
from autograd import grad, manual_seed, sigmoid, tanh
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader

from common import arguments, claim, panels, save

WIDTH = 32
HE = math.sqrt(2)
SHARE_OF_ONE_CLASS = 0.1
WAYS = {  # activation, gain of the weights, options of Deep, the norm to which gradients are clipped
    "sigmoid": (sigmoid, 1.0, {}, None),
    "ReLU, large weights": (F.relu, 2 * HE, {}, None),
    "tanh, Xavier": (tanh, 1.0, {}, None),
    "ReLU, He": (F.relu, HE, {}, None),
    "sigmoid, batch norm": (sigmoid, 1.0, {"norm": True}, None),
    "sigmoid, skips": (sigmoid, 1.0, {"skips": True}, None),
    "large weights, clipped": (F.relu, 2 * HE, {}, 0.5),
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

    def hidden(self, x):
        for layer, norm in zip(self.layers, self.norms, strict=True):
            step = self.activation(norm(layer(x)))
            x = x + (step - 0.5) / math.sqrt(len(self.layers)) if self.skips else step
        return x

    def forward(self, x):
        return self.last(self.hidden(self.first(x.flatten(1))))


def gradient_ratio(net, images, labels):
    """The norm of the gradient where it leaves the hidden layers at the front, over that where it enters them."""
    front = net.first(images.flatten(1))
    back = net.hidden(front)
    left, entered = grad(F.cross_entropy(net.last(back), labels), [front, back])
    return (left.double().norm() / entered.double().norm()).item()


def accuracy_after(net, train_set, test_set, clip, epochs):
    """The share of the test digits that it reads after training by SGD with momentum."""
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.02, epochs * 23)
    for _ in range(epochs):
        for images, labels in DataLoader(train_set, 64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), clip or math.inf)
            if not clip and norm > 1e6:  # it has blown up, and the next step would overflow
                return SHARE_OF_ONE_CLASS
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
        deep = partial(Deep, activation=activation, gain=gain, **how)
        if not clip:  # clipping changes how far a step goes, and no ratio
            images, labels = train_set[:64]
            curve = [gradient_ratio(deep(depth), images, labels) for depth in depths]
            ratios[name] = curve[-1]
            left.semilogy(depths, curve, color=f"C{i}", marker="o", markersize=3, label=name)
        shares[name] = accuracy_after(deep(10), train_set, test_set, clip, 6 if options.quick else 20)
        print(f"{name:23} gradient {ratios.get(name, math.nan):8.1e} at depth 50, {shares[name]:.1%} of the digits at depth 10")
    left.set(title="how a gradient changes on its way back", xlabel="depth", ylim=(1e-20, 1e18))
    left.legend(frameon=False, fontsize=7)
    right.barh(list(shares)[::-1], list(shares.values())[::-1], color=[f"C{i}" for i in range(len(shares))][::-1])
    right.set(title="digits read rightly at depth 10", xlim=(0, 1))
    save(figure, options.out / "depth.png")
    cured = [name for name in WAYS if name not in BROKEN]
    steady = [ratios[name] for name in ("ReLU, He", "sigmoid, batch norm", "sigmoid, skips")]
    worst, best = min(shares[name] for name in cured), max(shares[name] for name in BROKEN)
    claim(
        ratios["sigmoid"] < 1e-9 and ratios["ReLU, large weights"] > 1e4 and all(1e-3 < r < 1e3 for r in steady)
        and best <= 0.15 and worst >= (0.3 if options.quick else 0.6),
        f"in 50 layers the gradient falls to {ratios['sigmoid']:.0e} (sigmoids) or grows to {ratios['ReLU, large weights']:.0e}; "
        f"at depth 10 the broken read {best:.1%} of the digits or less, the cured {worst:.1%} or more",
    )  # fmt: skip


if __name__ == "__main__":
    main()
