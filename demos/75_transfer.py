"""What a network has learnt of many shapes helps with new ones, of which there are only a few examples.

Claim: a network that was trained on six kinds of shapes learns four new kinds from 5 examples each, and names them in at least
30 in 100 more of some 400 pictures than the same network from scratch, both if all weights are tuned and if only the last layer
is: means over three draws of the examples.

Frozen features cannot be forgotten, and only 196 numbers are learnt; fine-tuning may change all, at a smaller rate. Features
serve new kinds if these are told by the same things as the old. That is not always so: from the digits 0 to 4 to the digits 5 to
9, starting anew was found to win.
Source: Yosinski, Clune, Bengio and Lipson, How transferable are features in deep neural networks, 2014.
"""

import copy

import nn
import nn.functional as F
from autograd import cat, manual_seed
from nn.datasets import make_shapes
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, claim, joined, learn, panels, save

OLD, NEW, SIZE = 6, 4, 32


def block(inputs, outputs):
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def network(classes):
    """Features, 48 for each picture, and a layer that names the kind by them."""
    body = nn.Sequential(
        *block(3, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), *block(32, 48), nn.MaxPool2d(2), *block(48, 48),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    return nn.Sequential(body, nn.Linear(48, classes))


def pictures(n):
    """Those of the old kinds, and of the new, with numbers from 0."""
    shapes = make_shapes(n, SIZE, noise=0.03)
    images, labels = shapes.images - shapes.images.mean((2, 3), keepdim=True), shapes.labels[:, 0]
    return (images[labels < OLD], labels[labels < OLD]), (images[labels >= OLD], labels[labels >= OLD] - OLD), shapes.kinds


def features_frozen(body, data, epochs):
    """A layer on the features as they are; since they stay, they are computed once."""
    head = learn(nn.Linear(48, NEW), F.cross_entropy, predict(body, data[0]), data[1], epochs, 0.05, 32)
    return nn.Sequential(body, head)


def fine_tuned(body, data, epochs):
    """First the layer alone, then everything, at a smaller rate."""
    net = copy.deepcopy(features_frozen(body, data, epochs))
    return learn(net, F.cross_entropy, *data, epochs, 2e-3, 32)


def draw(means, counts, images, labels, net, kinds, path):
    figure, axes = panels(7, 2, 1.65, 1.9)
    left = joined(axes[:3] + axes[7:10])
    for (name, shares), colour in zip(means.items(), ("#4f46e5", "#818cf8", "#94a3b8"), strict=True):
        left.plot(counts, shares, color=colour, marker="o", label=name)
    left.axhline(1 / NEW, color="#cbd5e1", linestyle="--", zorder=0)
    left.set(title="new kinds named rightly", xlabel="examples of each", ylim=(0, 1), xticks=counts)
    left.legend(frameon=False, loc="lower right")
    for ax, image, said, label in zip(axes[3:7] + axes[10:], images, predict(net, images).argmax(1), labels, strict=False):
        ax.imshow((image / 1.5 + 0.5).clip(0, 1).permute(1, 2, 0).numpy())
        ax.set_title(kinds[OLD + said.item()], color="#166534" if said == label else "#dc2626", fontsize=10)
        ax.axis("off")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs, draws = (800, 4, 1) if options.quick else (3000, 8, 3)
    old, _, kinds = pictures(n)
    net = learn(network(OLD), F.cross_entropy, *old, epochs, 1e-2, 32)
    print(f"trained on {len(old[0])} pictures of {', '.join(kinds[:OLD])}")
    body = net[0]
    _, test, _ = pictures(1000)
    counts = (2, 5) if options.quick else (2, 5, 10)
    ways = {
        "fine-tuned": lambda data: fine_tuned(body, data, 20),
        "frozen": lambda data: features_frozen(body, data, 60),
        "from scratch": lambda data: learn(network(NEW), F.cross_entropy, *data, 40, 5e-3, 32),
    }
    found = {name: {count: [] for count in counts} for name in ways}
    for _ in range(draws):
        _, (images, labels), _ = pictures(600)
        for count in counts:
            rows = cat([(labels == kind).nonzero()[:count, 0] for kind in range(NEW)])
            for name, way in ways.items():
                found[name][count].append(accuracy(predict(way((images[rows], labels[rows])), test[0]), test[1]))
    means = {name: [sum(shares) / draws for shares in of.values()] for name, of in found.items()}
    for name, shares in means.items():
        print(f"{name:24}", ", ".join(f"{share:.1%}" for share in shares), "by", counts, "examples")

    draw(means, counts, *test, ways["fine-tuned"]((images[rows], labels[rows])), kinds, options.out / "transfer.png")
    tuned, frozen, scratch = (shares[1] for shares in means.values())
    claim(
        min(tuned, frozen) >= scratch + (0.08 if options.quick else 0.3),
        f"by 5 examples of each new kind {tuned:.1%} are named rightly after fine-tuning, {frozen:.1%} by frozen features,"
        f" {scratch:.1%} from scratch",
    )


if __name__ == "__main__":
    main()
