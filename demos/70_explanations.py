"""Where a network looks: Grad-CAM and saliency, on pictures in which the right answer has a known place.

Claim: a network that was only told which kinds of shapes are in a picture, never where, points by Grad-CAM into the box of the
kind that it is asked for in at least 90 % of the questions, and puts at least 2.5 times the box's share of the picture there;
the box of the other shape gets at most 15 %. Saliency points there at least 8 in 100 times less often, and the same
Grad-CAM before training in less than half of the questions.

Each picture has two shapes, and one is asked for, so a map that only shows where something is would be right half the time.
Saliency, the gradient with respect to pixels, is finer and less sharp: edges of both shapes light up.
Source: Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks, 2013; Selvaraju et al., Grad-CAM, 2017; that a map
should change with the weights: Adebayo et al., Sanity checks for saliency maps, 2018.
"""

import copy

import nn
import nn.functional as F
from autograd import arange, grad, manual_seed, zeros
from nn.datasets import make_shapes

from common import arguments, claim, learn, panels, save

KINDS, SIZE = 6, 40


def block(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Network(nn.Module):
    """Pictures become maps of features (n, 48, 10, 10); the mean of each map goes into a score for each kind."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(3, 16), nn.MaxPool2d(2), block(16, 32), nn.MaxPool2d(2), block(32, 48), block(48, 48))
        self.head = nn.Linear(48, KINDS)

    def forward(self, images):
        return self.head(self.features(images).mean((2, 3)))


def grad_cam(net, images, kinds):
    """How much each place speaks for a kind: its features, weighed by the mean gradient of the score, where that is positive."""
    features = net.features(images)
    score = net.head(features.mean((2, 3)))[arange(len(kinds)), kinds].sum()
    (slope,) = grad(score, features)
    heat = (slope.mean((2, 3), keepdim=True) * features.detach()).sum(1, keepdim=True).relu()
    return F.interpolate(heat, size=(SIZE, SIZE), mode="bilinear")[:, 0]


def saliency(net, images, kinds):
    """How much each pixel would change the score of a kind."""
    images = images.clone().requires_grad_()
    (slope,) = grad(net(images)[arange(len(kinds)), kinds].sum(), images)
    return slope.abs().amax(1)


def inside(boxes):
    """Which pixels are in a box, (n, size, size)."""
    place = arange(SIZE) + 0.5
    x1, y1, x2, y2 = (boxes[:, i, None] for i in range(4))
    return (((place > y1) & (place < y2))[:, :, None] & ((place > x1) & (place < x2))[:, None]).float()


def judged(heat, asked, other):
    """How often the hottest place is in the box asked for, and what shares of the heat are in it and in the other."""
    hottest = heat.flatten(1).argmax(1)
    share = heat / heat.sum((1, 2), keepdim=True).clip(min=1e-12)
    hit = asked.flatten(1)[arange(len(heat)), hottest].mean().item()
    return hit, (share * asked).sum((1, 2)).mean().item(), (share * other * (1 - asked)).sum((1, 2)).mean().item()


def draw(shapes, which, maps, path):
    figure, axes = panels(6, 3, 1.9, 2.05)
    for column in range(6):
        image, kind = shapes.images[column].permute(1, 2, 0).numpy(), shapes.labels[column, which[column]]
        x1, y1, x2, y2 = shapes.boxes[column, which[column]].tolist()
        for ax, (name, heat) in zip(axes[column::6], {f"where is the {shapes.kinds[kind]}?": None, **maps}.items(), strict=True):
            ax.imshow(image if heat is None else image.mean(2), cmap="gray", vmin=0, vmax=1, extent=(0, SIZE, SIZE, 0))
            if heat is not None:
                ax.imshow(heat[column].numpy(), cmap="inferno", alpha=0.7, extent=(0, SIZE, SIZE, 0))
                ax.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color="#4ade80", linewidth=2)
            ax.set_title(name, fontsize=10)
            ax.axis("off")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs, least, times = (600, 4, 0.5, 2) if options.quick else (1500, 8, 0.9, 2.5)
    train, test = (make_shapes(m, SIZE, 2, n_classes=KINDS, noise=0.03) for m in (n, 400))
    given, unseen = (s.images - s.images.mean((2, 3), keepdim=True) for s in (train, test))
    there = zeros(n, KINDS).scatter(1, train.labels.clip(min=0), 1.0)  # a shape that is hidden is very rare
    net = Network()
    untrained = copy.deepcopy(net).eval()
    learn(net, F.binary_cross_entropy_with_logits, given, there, epochs, 1e-2, 32, verbose=True).eval()
    rows = ((test.labels >= 0).all(1) & (test.labels[:, 0] != test.labels[:, 1])).nonzero()[:, 0]
    test, unseen = type(test)(*(part[rows] for part in test)), unseen[rows]
    which = arange(len(rows)) % 2
    kinds = test.labels[arange(len(rows)), which]
    asked, other = (inside(test.boxes[arange(len(rows)), i]) for i in (which, 1 - which))
    maps = {"Grad-CAM": grad_cam(net, unseen, kinds), "saliency": saliency(net, unseen, kinds)}
    found = {name: judged(heat, asked, other) for name, heat in maps.items()}
    found["Grad-CAM before training"] = judged(grad_cam(untrained, unseen, kinds), asked, other)
    for name, (hit, share, wrong) in found.items():
        print(f"{name}: points into the box in {hit:.1%}, {share:.0%} of the heat is there, {wrong:.0%} in the other box")
    area = asked.mean().item()
    draw(test, which.tolist(), maps, options.out / "explanations.png")
    (hit, share, wrong), (fine, *_), (before, *_) = found.values()
    claim(
        hit >= max(least, fine + 0.08) and share >= times * area and wrong <= 0.15 and before < 0.5,
        f"Grad-CAM points into the box asked for in {hit:.1%}, with {share:.0%} of its heat there and {wrong:.0%} in the other;"
        f" saliency in {fine:.1%}, Grad-CAM before training in {before:.1%}; the box covers {area:.0%} of the picture",
    )


if __name__ == "__main__":
    main()
