"""Handwritten digits by an MLP and by a CNN, on digits where the MLP has seen them, and on the same digits somewhere else.

    python demos/30_mnist.py [--quick] [--seed 0] [--out pictures] [--data real]

Claim: trained on 1,437 digits in the middle of the paper, both read at least 93 % of 360 unseen ones in the middle; moved to
anywhere on the paper, the CNN still reads at least 80 % of them, the MLP at most 30 %.

The MLP has nearly five times the weights, but each belongs to one pixel: what it has learnt about a digit it knows only of
that place, and elsewhere it does little better than to guess. A convolution looks everywhere with the same weights, and the
maximum over the whole paper forgets where it was. What it still loses it owes to the pooling: of a digit moved by an odd
number of pixels it keeps others.
With `--data real` it reads MNIST itself from the folder data, where `nn.datasets.MNIST("data", download=True)` puts it, and
claims the same of its digits, moved by up to six pixels. 02_image_classifier reads the small digits better, and is a PyTorch
program.
Source: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, 1998.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import from_numpy, manual_seed
from nn import optim
from nn.datasets import MNIST, digits
from nn.metrics import Accuracy
from nn.train import evaluate, fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save


def mlp(size):
    return nn.Sequential(nn.Flatten(), nn.Linear(size * size, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


def cnn(size):
    """Two layers, a pooling that halves the paper, a third layer, and of each of its 48 maps the maximum."""
    return nn.Sequential(
        layer(1, 8), layer(8, 16), nn.MaxPool2d(2), layer(16, 48), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(48, 10)
    )


def moved(images, reach, rng):
    """Each image moved by up to `reach` pixels in both directions; what leaves the paper on one side comes in on the other."""
    moves = rng.integers(-reach, reach + 1, (len(images), 2))
    return from_numpy(np.stack([np.roll(image, move, (1, 2)) for image, move in zip(images.numpy(), moves, strict=True)]))


def load(real):
    """Training and test digits in the middle of a paper that is twice as wide (MNIST: a little), and how far they can move."""
    if real:
        parts = [MNIST("data", train=train) for train in (True, False)]
        parts = [(from_numpy(np.array(part.data, np.float32) / 255), part.targets) for part in parts]
    else:
        parts = [part.tensors for part in digits()]
    margin, reach = (2, 6) if real else (4, 4)
    return [(F.pad(images, (margin,) * 4)[:, None], labels) for images, labels in parts], reach


def main():
    options = arguments(__doc__, data="generated, or real: MNIST")
    manual_seed(options.seed)
    (given, unseen), reach = load(options.data == "real")
    if options.quick:
        given = [part[:700] for part in given]
    elsewhere = moved(unseen[0], reach, np.random.default_rng(options.seed))
    size, epochs = given[0].shape[-1], 4 if options.quick else 3 if options.data == "real" else 10
    tests = {"in the middle": unseen[0], "anywhere": elsewhere}
    found, guesses = {}, {}
    for name, net in (("MLP", mlp(size)), ("CNN", cnn(size))):
        optimizer, batches = optim.Adam(net.parameters(), lr=5e-3), DataLoader(TensorDataset(*given), 64, shuffle=True)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, epochs * len(batches))
        fit(net, F.cross_entropy, optimizer, batches, epochs, scheduler=schedule, schedule="step", verbose=True)
        for place, images in tests.items():
            test = DataLoader(TensorDataset(images, unseen[1]), 500)
            found[name, place] = evaluate(net, F.cross_entropy, test, metrics=[Accuracy()])["accuracy"]
        guesses[name] = predict(net, elsewhere[:16]).argmax(1).tolist()
        print(
            f"{name}: {sum(p.numel() for p in net.parameters()):,} weights,",
            {k[1]: round(v, 3) for k, v in found.items() if k[0] == name},
        )

    figure, axes = panels(8, 2, 1.4, 1.75)
    for i, (ax, image, label) in enumerate(zip(axes, elsewhere[:, 0], unseen[1].tolist(), strict=False)):
        ax.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        for name, at in (("MLP", 0.0), ("CNN", 0.55)):
            right = guesses[name][i] == label
            ax.text(
                at,
                1.06,
                f"{name} {guesses[name][i]}",
                transform=ax.transAxes,
                color="#166534" if right else "#dc2626",
                fontsize=11,
            )
    figure.suptitle(", ".join(f"{name} {place} {score:.0%}" for (name, place), score in found.items()))
    save(figure, options.out / "mnist.png")
    middle = min(found[name, "in the middle"] for name in guesses)
    claim(
        middle >= (0.8 if options.quick else 0.93)
        and found["CNN", "anywhere"] >= (0.55 if options.quick else 0.8)
        and found["MLP", "anywhere"] <= 0.3,
        ", ".join(f"{name} {score:.1%} {place}" for (name, place), score in found.items()) + " of the paper",
    )


if __name__ == "__main__":
    main()
