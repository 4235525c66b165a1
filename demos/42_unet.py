"""A U-Net says of each pixel what it belongs to, and its skip connections draw the edges.

    python demos/42_unet.py [--quick] [--seed 0] [--out pictures]

Claim: on 200 pictures that it has never seen, with one to three shapes of four kinds, the mean Dice score over the kinds and what
is behind them is at least 0.8, and at least 0.05 above that of the same network without skips.

Going down, pictures become smaller and what is known of each place richer; going up, the finer pictures of the way down are put
beside, so that what is seen from afar meets where exactly it is. The loss is cross-entropy plus 1 - Dice.
Source: Ronneberger, Fischer and Brox, U-Net, 2015; Milletari, Navab and Ahmadi, V-Net, 2016 (the Dice loss).
"""

import math

import nn
import nn.functional as F
from autograd import cat, manual_seed, where, zeros_like
from nn import optim
from nn.datasets import make_shapes
from nn.metrics import Dice
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

KINDS = 4


def convolutions(inputs, outputs):
    """Twice a convolution that keeps the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """From pictures (n, 3, 24, 24) to scores (n, classes, 24, 24)."""

    def __init__(self, classes, skips=True, widths=(8, 16, 32, 32)):
        super().__init__()
        self.skips = skips
        self.down = nn.ModuleList(convolutions(i, o) for i, o in zip((3, *widths), widths, strict=False))
        self.up = nn.ModuleList(convolutions(i + o, o) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        passed = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            passed.append(x)
        for block, finer in zip(self.up, passed[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2)
            x = block(cat([x, finer if self.skips else zeros_like(finer)], dim=1))
        return self.head(x)


def data(n):
    """Pictures, and the class of each pixel: 0 behind the shapes, and from 1 the kinds."""
    shapes = make_shapes(n, size=24, objects=(1, 3), n_classes=KINDS, noise=0.03)
    classes = where(shapes.masks, shapes.labels[:, :, None, None] + 1, 0).sum(1)
    return TensorDataset(shapes.images - shapes.images.mean((2, 3), keepdim=True), classes)


def loss(scores, classes):
    return F.cross_entropy(scores, classes) + F.dice_loss(scores.softmax(1), classes, smooth=1.0)


def draw(images, rows, path):
    figure, axes = panels(8, 1 + len(rows), 1.4, 1.5)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, image in zip(axes, images, strict=False):
        ax.imshow((image / 2 + 0.5).clip(0, 1).permute(1, 2, 0).numpy())
    for i, (name, classes) in enumerate(rows.items(), 1):
        axes[8 * i].set_ylabel(name)
        for ax, picture in zip(axes[8 * i : 8 * i + 8], classes, strict=False):
            ax.imshow(picture.numpy(), cmap="Set1_r", vmin=0, vmax=8, interpolation="nearest")
    axes[0].set_ylabel("picture")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs = (300, 3) if options.quick else (800, 10)
    train, test = data(n), data(200)
    images, classes = test.tensors
    rows, found = {"truth": classes}, {}
    for name, skips in (("U-Net", True), ("without skips", False)):
        net = UNet(KINDS + 1, skips)
        optimizer = optim.AdamW(net.parameters(), lr=1e-2)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * math.ceil(n / 25))
        batches = DataLoader(train, 25, shuffle=True)
        fit(net, loss, optimizer, batches, epochs, scheduler=schedule, schedule="step", verbose=True)
        rows[name] = predict(net, DataLoader(test, 50)).argmax(1)
        score = Dice(num_classes=KINDS + 1, average="macro")
        score.update(rows[name], classes)
        found[name] = score.compute()
    draw(images, rows, options.out / "unet.png")
    unet, without = found.values()
    claim(
        unet >= (0.2 if options.quick else 0.8) and unet >= without + (0 if options.quick else 0.05),
        f"the mean Dice score on unseen pictures is {unet:.3f}, without skips {without:.3f}",
    )


if __name__ == "__main__":
    main()
