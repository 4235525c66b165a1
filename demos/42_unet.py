"""A U-Net colours each pixel by the kind of shape that it belongs to, trained by the overlap itself; and what its skips are for.

    python demos/42_unet.py [--quick] [--seed 0] [--out pictures]

Claim: on 200 pictures that it has never seen, of one or two disks and rings in noise, the Dice coefficient of what it marks and
what is there is at least 0.85 on average over the two kinds; without the skips it is at least 0.03 lower.

Most pixels show nothing, and a network that marks nothing at all is right in these: so the loss is the overlap. To tell a disk
from a ring one must see the middle and the edge; to mark it exactly, each pixel. The way down sees ever more of ever less
detail; the way up gets the detail back through the skips. With squares as a third kind it is a matter of luck whether so short a
training finds the corners: where it does not, all squares are taken for disks, or the other way round, and the mean of the three
is near 0.6, though every outline is right.
Source: Ronneberger, Fischer and Brox, U-Net, 2015; Milletari, Navab and Ahmadi, V-Net, 2016, for the loss.
"""

import itertools

import nn
import nn.functional as F
from autograd import cat, manual_seed
from nn import optim
from nn.datasets import make_shapes
from nn.metrics import Dice
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

WIDTHS = (8, 16, 32, 48)  # of the storeys, from the top down


def layers(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    """From pictures (n, 3, 32, 32) down to 4 x 4 and up again, to a score of nothing and of each kind for each pixel."""

    def __init__(self, kinds, skips=True):
        super().__init__()
        self.down = nn.ModuleList([layers(m, n) for m, n in itertools.pairwise((3, *WIDTHS))])
        self.up = nn.ModuleList([layers(m + n if skips else m, n) for m, n in itertools.pairwise(WIDTHS[::-1])])
        self.last = nn.Conv2d(WIDTHS[0], kinds + 1, 1)
        self.skips = skips

    def forward(self, x):
        seen = []
        for layer in self.down:
            x = layer(F.max_pool2d(x, 2) if seen else x)
            seen.append(x)
        for layer, before in zip(self.up, seen[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2)
            x = layer(cat([x, before], 1) if self.skips else x)
        return self.last(x)


def pictures(n, kinds):
    """Pictures less their mean colour, as they are, and for each pixel 0, or which kind of shape it shows, from 1."""
    made = make_shapes(n, 32, (1, 2), n_classes=kinds, turn=0.0)
    marked = (made.masks.long() * (made.labels + 1)[:, :, None, None]).sum(1)
    return made.images - made.images.mean((2, 3), keepdim=True), made.images, marked


def overlap(scores, marked):
    return F.dice_loss(scores.softmax(1), marked)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs, kinds = (240, 2, 2) if options.quick else (600, 4, 2)  # kinds: disks and rings; 3 has squares too
    (given, _, marked), (unseen, images, truth) = pictures(n, kinds), pictures(200, kinds)
    found, scores = {}, {}
    for name, net in (("U-Net", UNet(kinds)), ("without skips", UNet(kinds, skips=False))):
        optimizer, batches = optim.Adam(net.parameters(), lr=1e-2), DataLoader(TensorDataset(given, marked), 8, shuffle=True)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * len(batches))
        fit(net, overlap, optimizer, batches, epochs, scheduler=schedule, schedule="step", verbose=True)
        found[name] = predict(net, DataLoader(TensorDataset(unseen, truth), 50)).argmax(1)
        metric = Dice(average=None, num_classes=kinds + 1)
        metric.update(found[name], truth)
        each = metric.compute()[1:]
        scores[name] = each.mean().item()
        print(f"{name}: Dice {scores[name]:.3f},", [round(d, 3) for d in each.tolist()])

    figure, axes = panels(6, 4, 1.9, 1.95)
    rows = {"picture": images.permute(0, 2, 3, 1), "what is there": truth} | {
        f"{k}: {scores[k]:.2f}": v for k, v in found.items()
    }
    for row, (name, shown) in enumerate(rows.items()):
        for ax, picture in zip(axes[6 * row : 6 * row + 6], shown, strict=False):
            ax.imshow(picture.numpy(), cmap="viridis", vmin=0, vmax=kinds)
            ax.set(xticks=[], yticks=[])
        axes[6 * row].set_ylabel(name, fontsize=12)
    save(figure, options.out / "unet.png")
    with_skips, without = scores.values()
    claim(
        with_skips >= (0.5 if options.quick else 0.85) and (options.quick or without <= with_skips - 0.03),
        f"the Dice coefficient is {with_skips:.3f} on unseen pictures, without skips {without:.3f}",
    )


if __name__ == "__main__":
    main()
