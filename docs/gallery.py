"""Makes one of each picture that nn.draw and nn.plot can draw, from networks that it trains on the spot.

    python docs/gallery.py [--out gallery] [--only NAME ...] [--quick]

Prints the size of each file and the seconds that it took. The same seed gives the same numbers.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import time
from itertools import pairwise

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the matrices are small: a second thread would only get in the way
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import autograd
import nn
from nn import optim, plot
from nn.datasets import digits, make_moons, make_xor
from nn.optim import lr_scheduler
from nn.train import fit, lr_range_test, predict
from nn.utils.data import DataLoader, TensorDataset

QUICK = False


def mlp(*sizes, act=nn.Tanh):
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), act())]
    return nn.Sequential(*layers[:-1])


def moons(epochs=60, callbacks=(), width=8):
    """A small classifier of two half circles, trained; the data, the model and its history."""
    x, y = make_moons(200, noise=0.15)
    held_out = make_moons(200, noise=0.15)
    net = mlp(2, width, width, 2)
    called = [callback(net, x, y) for callback in callbacks]
    history = fit(
        net, nn.CrossEntropyLoss(), optim.Adam(net.parameters(), lr=0.03), DataLoader(TensorDataset(x, y), 32, shuffle=True),
        4 if QUICK else epochs, validation=[held_out], metrics=[nn.metrics.accuracy], callbacks=called,
    )  # fmt: skip
    return x, y, net, history


def convolutional():
    """A small convolutional network, trained on the digits."""
    train, test = digits()
    images = nn.Sequential(
        nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    batches = DataLoader(train, 64, shuffle=True)
    fit(images, nn.CrossEntropyLoss(), optim.Adam(images.parameters(), lr=5e-3), batches, 1 if QUICK else 8)
    return images, *test.tensors


def ravine(x, y):
    """Rosenbrock's function, steep across and nearly flat along its valley; the least value is at (1, 1)."""
    return (1 - x) ** 2 + 10 * (y - x**2) ** 2


# ---------------------------------------------------------------- the pictures, by the names of their files
def _network(out):
    net = mlp(2, 4, 3, 2)
    point = autograd.tensor([[1.0, -0.5]])
    loss = nn.CrossEntropyLoss()
    network = nn.draw(net, point, autograd.tensor([1]), loss, inputs=["$x_1$", "$x_2$"], outputs=["cat", "dog"])
    network.render(out / "network.png")
    network.render(out / "network.svg")
    network.render(out / "network_gradients.png", gradients=True)
    network.render(out / "backprop.gif")
    network.render(out / "backprop.html")


def _network_training(out):
    x, y = make_xor(200, noise=0.1)
    net = mlp(2, 6, 4, 2)
    network = nn.draw(net, x[:1], y[:1], nn.CrossEntropyLoss())
    batches = DataLoader(TensorDataset(x, y), 32, shuffle=True)
    fit(net, nn.CrossEntropyLoss(), optim.Adam(net.parameters(), 0.03), batches, 3 if QUICK else 30, callbacks=[network.record])
    network.render(out / "training.gif")


def _network_large(out):
    train, _ = digits()
    images, labels = train.tensors
    net = nn.Sequential(nn.Flatten(), *mlp(64, 128, 64, 10, act=nn.ReLU))
    network = nn.draw(net, images[:1], labels[:1], nn.CrossEntropyLoss(), outputs=[str(i) for i in range(10)], most=10)
    network.render(out / "network_large.png")
    nn.draw(net, images[:1], most=200).render(out / "network_huge.png")


class Residual(nn.Module):
    """A block whose input is added to what it makes of it."""

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.outer, self.head = (nn.Linear(*n) for n in ((2, 4), (4, 4), (4, 4), (4, 2)))
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.first(x))
        return self.head(x + self.outer(self.act(self.inner(x))))


def _network_branches(out):
    nn.draw(Residual(), autograd.tensor([[1.0, -0.5]]), outputs=["cat", "dog"]).render(out / "network_branches.png")


def _network_convolutional(out):
    net, images, labels = convolutional()
    network = nn.draw(net, images[:1], labels[:1], nn.CrossEntropyLoss(), outputs=[str(i) for i in range(10)], most=10)
    network.render(out / "network_convolutional.png")
    save(plot.feature_maps(net, images[:1]), out / "feature_maps.png")
    save(plot.filters(net[4]), out / "filters.png")
    output = predict(net, images)
    save(plot.predictions(images, output, labels), out / "predictions.png")
    save(plot.confusion(nn.metrics.confusion_matrix(output, labels)), out / "confusion.png")
    save(plot.images(images[:16], [str(label) for label in labels[:16].tolist()]), out / "images.png")


def _training(out):
    film = plot.Film()
    layers = []

    def frame(net, x, y):
        def shoot(loop):
            if loop.epoch % 3 == 1:
                axis = plot.boundary(net, x, y)
                axis.set_title(f"epoch {loop.epoch}")
                film.add(axis, f"epoch {loop.epoch}: loss {loop.logs['loss']:.3f}")

        return shoot

    def watch(net, x, y):
        layers.append(plot.Layers(net))
        return layers[0].record

    x, y, net, history = moons(callbacks=[frame, watch])
    save(plot.history(history), out / "history.png")
    save(plot.boundary(net, x, y), out / "boundary.png")
    film.render(out / "boundary.gif")
    film.render(out / "boundary.html")
    save(layers[0].histograms("weight"), out / "weights.png")
    save(layers[0].histograms("gradient"), out / "gradients.png")


def _gradient_flow(out):
    """The same deep network of sigmoids and of ReLUs: the gradients of the first vanish on the way back."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axis, act in zip(axes, (nn.Sigmoid, nn.ReLU), strict=True):
        autograd.manual_seed(0)
        net = mlp(2, *[16] * 6, 2, act=act)
        x, y = make_moons(200, noise=0.15)
        nn.functional.cross_entropy(net(x), y).backward()
        plot.gradient_flow(net, axis)
        axis.set_title(act.__name__, pad=24)
    lowest = min(axis.get_ylim()[0] for axis in axes)
    for axis in axes:
        axis.set_ylim(lowest, 1)
    save(figure, out / "gradient_flow.png")


def _activations(out):
    save(plot.activation("gelu"), out / "activation.png")
    save(plot.activations(["relu", "sigmoid", "tanh", "gelu"]), out / "activations.png")
    save(plot.activations(), out / "activations_gallery.png")


def _schedules(out):
    make = {
        "StepLR": lambda o: lr_scheduler.StepLR(o, 30, gamma=0.3),
        "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 100),
        "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=101),
        "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.97),
    }
    save(plot.schedules(make, 100), out / "schedules.png")


def _rates(out):
    x, y = (t for t in make_moons(200, noise=0.15))
    model = mlp(2, 8, 2)
    rates = lr_range_test(model, (x, y), nn.functional.cross_entropy, optim.SGD(model.parameters(), lr=0.1))
    save(plot.lr_range(rates), out / "rates.png")


def _surface(out):
    paths = plot.descend(ravine, (-1.5, 1.8), {
        "SGD": lambda p: optim.SGD(p, lr=0.008),
        "momentum": lambda p: optim.SGD(p, lr=0.008, momentum=0.9),
        "RMSprop": lambda p: optim.RMSprop(p, lr=0.03),
        "Adam": lambda p: optim.Adam(p, lr=0.1),
    }, steps=120)  # fmt: skip
    sides = {"x": (-2.0, 2.0), "y": (-1.0, 3.0), "minima": [(1, 1)]}
    save(plot.surface(ravine, paths, **sides), out / "surface.png")
    film = plot.Film(fps=8)
    for step in range(0, 121, 30 if QUICK else 4):
        axis = plot.surface(ravine, paths, until=step, **sides)
        axis.set_title(f"step {step}")
        film.add(axis, f"step {step}")
    film.render(out / "surface.gif")


def _attention(out):
    words = "the cat sat on the mat".split()
    layer = nn.MultiheadAttention(16, 2, batch_first=True)
    x = autograd.randn(1, len(words), 16)
    _, weights = layer(3 * x, 3 * x, x, average_attn_weights=False)
    save(plot.attention(weights[0], queries=words), out / "attention.png")


def save(picture, path):
    """Write a picture, and close its figure."""
    from matplotlib import pyplot

    figure = plot.common.figure_of(picture)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


PICTURES = {
    "network": _network, "network_training": _network_training, "network_large": _network_large,
    "network_branches": _network_branches,
    "network_convolutional": _network_convolutional, "training": _training, "gradient_flow": _gradient_flow,
    "activations": _activations, "schedules": _schedules, "rates": _rates, "surface": _surface, "attention": _attention,
}  # fmt: skip


def main() -> None:
    global QUICK
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gallery"), help="the folder that the pictures go to")
    parser.add_argument("--only", nargs="*", choices=PICTURES, help="make only these")
    parser.add_argument("--quick", action="store_true", help="train for a few epochs only")
    options = parser.parse_args()
    QUICK = options.quick
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only or PICTURES:
        before = {path: path.stat().st_mtime_ns for path in options.out.iterdir()}
        autograd.manual_seed(0)
        start = time.perf_counter()
        PICTURES[name](options.out)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
        for path in sorted(options.out.iterdir()):
            if path.stat().st_mtime_ns != before.get(path):
                print(f"  {path}  {path.stat().st_size / 1024:.0f} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
