"""A detector that looks once: each cell of a grid says whether a shape's middle is in it, how large it is, and which kind.

    python demos/43_detector.py [--quick] [--seed 0] [--out pictures]

Claim: on 200 pictures that it has never seen, with one to three shapes of five kinds, the mean average precision at an IoU of
0.5 is at least 0.85.

A picture of 48 x 48 pixels goes through convolutions to a grid of 6 x 6 cells with 10 numbers each: is there a middle, where
in the cell, how wide and high, and a score for each kind. Of boxes that cover one another, the best stays.
Source: Redmon, Divvala, Girshick and Farhadi, You only look once, 2016.
"""

import math

import nn
import nn.functional as F
from autograd import arange, cat, manual_seed, meshgrid, stack, zeros
from nn import optim
from nn.datasets import make_shapes
from nn.metrics import MeanAveragePrecision
from nn.ops import batched_nms, box_convert
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

KINDS, SIZE, CELLS = 5, 48, 6
CELL = SIZE // CELLS


def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def detector():
    """From pictures (n, 3, 48, 48) to (n, 5 + kinds, 6, 6)."""
    return nn.Sequential(
        layer(3, 16), nn.MaxPool2d(2), layer(16, 32), nn.MaxPool2d(2), layer(32, 48), nn.MaxPool2d(2), layer(48, 64),
        nn.Conv2d(64, 5 + KINDS, 1),
    )  # fmt: skip


def grid_of(shapes):
    """What each cell should say: 1 if a middle is in it, where, how large, as shares of the cell and the picture; the kind."""
    grid = zeros(len(shapes.images), 6, CELLS, CELLS)
    image, which = (shapes.labels >= 0).nonzero(as_tuple=True)
    boxes = box_convert(shapes.boxes[image, which], "xyxy", "cxcywh")
    x, y = ((boxes[:, i] / CELL).long() for i in (0, 1))
    grid[image, 0, y, x] = 1.0
    grid[image, 1:3, y, x] = boxes[:, :2] / CELL - stack([x, y], 1)
    grid[image, 3:5, y, x] = boxes[:, 2:] / SIZE
    grid[image, 5, y, x] = shapes.labels[image, which].float()
    return grid


def loss(said, grid):
    """There or not, in every cell; box and kind only where there is something."""
    there = grid[:, 0] > 0
    right, found = (t.permute(0, 2, 3, 1)[there] for t in (grid, said))
    return (
        F.binary_cross_entropy_with_logits(said[:, 0], grid[:, 0])
        + 5 * F.mse_loss(found[:, 1:5].sigmoid(), right[:, 1:5])
        + 0.3 * F.cross_entropy(found[:, 5:], right[:, 5].long())
    )


def detections(said, least=0.05):
    """Of each picture the boxes, scores and kinds that are left after non-maximum suppression."""
    y, x = meshgrid(arange(CELLS), arange(CELLS), indexing="ij")
    middle = (said[:, 1:3].sigmoid() + stack([x, y])) * CELL
    boxes = box_convert(cat([middle, said[:, 3:5].sigmoid() * SIZE], 1).permute(0, 2, 3, 1).flatten(1, 2), "cxcywh", "xyxy")
    sure, kinds = said[:, 5:].softmax(1).flatten(2).max(1)
    scores = said[:, 0].sigmoid().flatten(1) * sure
    found = []
    for b, s, k in zip(boxes, scores, kinds, strict=True):
        b, s, k = (t[s > least] for t in (b, s, k))
        kept = batched_nms(b, s, k, 0.4)
        found.append({"boxes": b[kept], "scores": s[kept], "labels": k[kept]})
    return found


def draw(shapes, found, path):
    figure, axes = panels(6, 2, 2.2, 2.3)
    for ax, image, boxes in zip(axes, shapes.images, found, strict=False):
        ax.imshow(image.permute(1, 2, 0).numpy(), extent=(0, SIZE, SIZE, 0))
        ax.axis("off")
        for (x1, y1, x2, y2), score, kind in zip(*(boxes[k].tolist() for k in ("boxes", "scores", "labels")), strict=True):
            if score > 0.3:
                ax.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color="black", linewidth=3)
                ax.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color="white", linewidth=1.5)
                text = f"{shapes.kinds[kind]} {score:.0%}"
                ax.text(x1, y1 - 1, text, fontsize=8, color="white", bbox={"color": "black", "pad": 0.8})
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs = (400, 4) if options.quick else (1000, 8)
    train, test = (make_shapes(m, SIZE, (1, 3), n_classes=KINDS, noise=0.03) for m in (n, 200))
    given, unseen = (s.images - s.images.mean((2, 3), keepdim=True) for s in (train, test))

    net = detector()
    optimizer = optim.AdamW(net.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * math.ceil(n / 32))
    batches = DataLoader(TensorDataset(given, grid_of(train)), 32, shuffle=True)
    fit(net, loss, optimizer, batches, epochs, scheduler=schedule, schedule="step", verbose=True)
    found = detections(predict(net, DataLoader(TensorDataset(unseen, test.labels), 50)))
    precision = MeanAveragePrecision()
    precision.update(found, test.targets())
    score = precision.compute()
    draw(test, found, options.out / "detector.png")
    claim(
        score["map_50"] >= (0.3 if options.quick else 0.85),
        f"the mean average precision at IoU 0.5 is {score['map_50']:.3f}, over IoU from 0.5 to 0.95 {score['map']:.3f}",
    )


if __name__ == "__main__":
    main()
