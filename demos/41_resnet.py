"""A deep network with skips against the same one without: He's residual blocks, and why depth alone makes training worse.

    python demos/41_resnet.py [--quick] [--seed 0] [--out pictures]

Claim: after six epochs on handwritten digits, 34 layers with skips read at least 90 % of 360 that they have never seen; the
same 34 layers without skips, as many weights and the same normalization, stay at least 20 points below, on what they are
trained with too.

So it is no overfitting: 8 layers without skips, which could be made of the 34 by layers that pass on what they are given,
learn more than all 34 do. A block with a skip need not learn to pass things on: x + f(x) does that while f is still nothing.
Without, at the start, the gradient of the first layers is about a hundred times as large as that of the last, though every
layer is normalized.
Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2016; Yang et al., A mean field theory of batch
normalization, 2019.
"""

import nn
import nn.functional as F
from autograd import manual_seed
from nn import optim
from nn.datasets import digits
from nn.metrics import Accuracy
from nn.train import evaluate, fit
from nn.utils.data import DataLoader, Subset, TensorDataset

from common import arguments, claim, panels, save

CHANNELS = 8
COLOURS = ("#4f46e5", "#dc2626", "#f59e0b")


def convolution(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


class Block(nn.Module):
    """Two layers, and around them a way on which the input goes by, if there are skips."""

    def __init__(self, skip):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(CHANNELS, CHANNELS), nn.BatchNorm2d(CHANNELS), nn.ReLU(),
            convolution(CHANNELS, CHANNELS), nn.BatchNorm2d(CHANNELS),
        )  # fmt: skip
        self.skip = skip

    def forward(self, x):
        return F.relu(x + self.layers(x) if self.skip else self.layers(x))


def network(layers, skip):
    """A first convolution, blocks of two each, and a linear layer over the means of the channels."""
    blocks = [Block(skip) for _ in range((layers - 2) // 2)]
    first = [convolution(1, CHANNELS), nn.BatchNorm2d(CHANNELS), nn.ReLU()]
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 10))


def slopes(net, batch):
    """How large the gradient of each convolution is at the start, from the first to the last."""
    images, labels = batch
    F.cross_entropy(net(images), labels).backward()
    return [module.weight.grad.norm().item() for module in net.modules() if isinstance(module, nn.Conv2d)]


def main():
    options = arguments(__doc__)
    train, test = (TensorDataset(images[:, None], labels) for images, labels in (part.tensors for part in digits()))
    deep, epochs, batch = (20, 3, 32) if options.quick else (34, 6, 64)
    if options.quick:
        train = Subset(train, range(700))
    contest = {f"{deep} layers, skips": (deep, True), f"{deep} layers, none": (deep, False), "8 layers, none": (8, False)}
    figure, (left, right) = panels(2, width=5)
    given, found = {}, {}
    for colour, (name, (layers, skip)) in zip(COLOURS, contest.items(), strict=True):
        manual_seed(options.seed)
        net = network(layers, skip)
        sizes = slopes(net, next(iter(DataLoader(train, 256))))
        optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        batches = DataLoader(train, batch, shuffle=True)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, epochs * len(batches))
        history = fit(net, F.cross_entropy, optimizer, batches, epochs, metrics=[Accuracy()], scheduler=schedule, schedule="step")
        given[name] = history["accuracy"][-1]
        found[name] = evaluate(net, F.cross_entropy, DataLoader(test, 360), metrics=[Accuracy()])["accuracy"]
        print(f"{name:18} {given[name]:.1%} of the digits in training, {found[name]:.1%} of unseen ones", flush=True)
        left.plot(
            range(1, epochs + 1), history["accuracy"], color=colour, marker="o", linewidth=2, label=f"{name}: {found[name]:.0%}"
        )
        right.semilogy(range(1, layers), sizes, color=colour, linewidth=2, label=name)
    left.set(title="share of the training digits read rightly", xlabel="epoch", ylim=(0, 1.03))
    left.legend(frameon=False, title="and of unseen digits", loc="center right")
    right.set(title="size of the gradient before training", xlabel="layer")
    save(figure, options.out / "resnet.png")
    (skips, none, _), (seen_skips, seen_none, seen_few) = found.values(), given.values()
    claim(
        skips >= (0.5 if options.quick else 0.9)
        and none <= skips - 0.2
        and (options.quick or seen_none <= min(seen_skips, seen_few) - 0.2),
        f"{deep} layers with skips read {skips:.1%} of unseen digits, without {none:.1%}; of those in training "
        f"{seen_skips:.1%} and {seen_none:.1%}, and 8 layers {seen_few:.1%}",
    )


if __name__ == "__main__":
    main()
