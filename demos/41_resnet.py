"""Why deep networks have skip connections: 41 convolutions in a row, with and without them.

    python demos/41_resnet.py [--quick] [--seed 0] [--out pictures]

Claim: of two networks with 41 convolutions, which begin with the same weights and see the same handwritten digits, the residual
one reads at least 70 % of those that it has never seen after five epochs, the other at most 50 %.

A residual block computes x + f(x): where f is of no use yet, what is known passes, and so does the gradient on its way back.
Without, each layer has to hand on everything by itself, and the gradient grows from block to block on its way back, a hundredfold
and more, though both networks have batch normalization.
Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2015.
"""

import copy
import math

import nn
import nn.functional as F
from autograd import manual_seed
from nn import optim
from nn.datasets import digits
from nn.metrics import Accuracy
from nn.train import fit
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save


class Block(nn.Module):
    """Two convolutions; what comes in is added to what they make of it, if there is a skip."""

    def __init__(self, width):
        super().__init__()
        self.skip = True
        self.conv1, self.norm1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(x + y if self.skip else y)


def network(blocks, width=8):
    """From pictures (n, 1, 8, 8) to scores of ten digits."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *(Block(width) for _ in range(blocks)),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * width, 10),
    )


def gradients(net, images, labels):
    """How large the gradient of each block's first convolution is at the start."""
    net = copy.deepcopy(net)
    F.cross_entropy(net(images), labels).backward()
    return [block.conv1.weight.grad.norm().item() for block in net if isinstance(block, Block)]


def draw(histories, sizes, path):
    figure, (left, middle, right) = panels(3)
    for (name, history), colour in zip(histories.items(), ("#4f46e5", "#dc2626"), strict=True):
        epochs = range(1, history.epochs + 1)
        left.plot(epochs, history["loss"], color=colour, marker=".", label=name)
        middle.plot(epochs, history["val_accuracy"], color=colour, marker=".", label=name)
        right.semilogy(range(1, len(sizes[name]) + 1), sizes[name], color=colour, marker=".", label=name)
    left.set(title="loss in training", xlabel="epoch", ylim=(0, None))
    middle.set(title="unseen digits read rightly", xlabel="epoch", ylim=(0, 1))
    right.set(title="gradient at the start, block by block", xlabel="block")
    for ax in (left, middle, right):
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(frameon=False)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    epochs = 1 if options.quick else 5
    train, test = (TensorDataset(part.tensors[0][:, None], part.tensors[1]) for part in digits())
    residual = network(blocks=20)
    plain = copy.deepcopy(residual)
    for block in plain:
        block.skip = False

    histories, sizes = {}, {}
    for name, net in (("with skips", residual), ("without", plain)):
        manual_seed(options.seed)  # the same batches
        sizes[name] = gradients(net, *train[:100])
        optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
        steps = epochs * math.ceil(len(train) / 64)
        histories[name] = fit(
            net, F.cross_entropy, optimizer, DataLoader(train, 64, shuffle=True), epochs, metrics=[Accuracy()], verbose=True,
            validation=DataLoader(test, 360), schedule="step", scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        )  # fmt: skip
    draw(histories, sizes, options.out / "resnet.png")
    skips, without = (history["val_accuracy"][-1] for history in histories.values())
    claim(
        skips >= (0.25 if options.quick else 0.7) and without <= 0.5,
        f"with 41 convolutions, {skips:.1%} of unseen digits are read rightly with skips, {without:.1%} without",
    )


if __name__ == "__main__":
    main()
