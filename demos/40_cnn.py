"""The convolutional network that tutorials train on CIFAR-10, on ten kinds of shapes, and what it looks for.

    python demos/40_cnn.py [--quick] [--seed 0] [--out pictures] [--data real]

Claim: of 1,000 generated pictures of 32 x 32 pixels that it has never seen, it names the shape in at least 90 %; the same
number of weights without convolution, one hidden layer over all pixels, stays at least 20 points below.

With `--data real` it reads CIFAR-10 itself, cifar-10-binary.tar.gz in the folder data, and claims 60 % of the test photographs.
Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009; LeCun et al., Gradient-based learning, 1998.
"""

import math

import nn
import nn.functional as F
from autograd import from_numpy, manual_seed
from nn import optim
from nn.datasets import CIFAR10, make_shapes
from nn.metrics import Accuracy
from nn.train import evaluate, fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save


def cnn():
    """Two convolutions, each with a pooling that halves the picture, then two dense layers: 167,562 weights."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3),  # 3 x 32 x 32 becomes 32 x 30 x 30
        nn.ReLU(),
        nn.MaxPool2d(2),  # 32 x 15 x 15
        nn.Conv2d(32, 64, 3),  # 64 x 13 x 13
        nn.ReLU(),
        nn.MaxPool2d(2),  # 64 x 6 x 6
        nn.Flatten(),  # 2304
        nn.Linear(2304, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def dense():
    """The same number of weights, but each of its 54 hidden units looks at all pixels at once."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 54), nn.ReLU(), nn.Linear(54, 10))


def standardized(images):
    """Each picture with mean 0 and deviation 1, whatever its light."""
    return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)


def shapes(n, kinds):
    made = make_shapes(n, n_classes=kinds)
    return TensorDataset(standardized(made.images), made.labels[:, 0]), made.kinds


def photographs(train):
    data = CIFAR10("data", train=train)
    images = from_numpy(data.data.transpose(0, 3, 1, 2).astype("float32") / 255)
    return TensorDataset(standardized(images), from_numpy(data.targets)), data.classes


def draw(net, histories, images, labels, kinds, path):
    figure, axes = panels(6, 2, 2.1, 2.4)
    for ax in axes[0:2] + axes[6:8]:
        ax.remove()
    left = figure.add_subplot(axes[0].get_gridspec()[:, :2])
    for (name, history), colour in zip(histories.items(), ("#4f46e5", "#94a3b8"), strict=True):
        left.plot(range(1, history.epochs + 1), history["val_accuracy"], color=colour, marker=".", label=f"{name}, test")
        left.plot(range(1, history.epochs + 1), history["accuracy"], color=colour, linestyle=":", label=f"{name}, training")
    left.set(title="share of pictures named rightly", xlabel="epoch", ylim=(0, 1))
    left.legend(frameon=False)
    left.spines[["top", "right"]].set_visible(False)
    for ax, image, scores, label in zip(axes[2:6] + axes[8:], images, predict(net, images).softmax(1), labels, strict=False):
        found = int(scores.argmax())
        ax.imshow((image / 5 + 0.5).clip(0, 1).permute(1, 2, 0).numpy())
        ax.set_title(f"{kinds[found]}, {float(scores[found]):.0%}", color="#166534" if found == label else "#dc2626", fontsize=10)
        ax.axis("off")
    save(figure, path)


def main():
    options = arguments(__doc__, data="generated, or real: CIFAR-10")
    manual_seed(options.seed)
    if options.data == "real":
        (train, kinds), (test, _) = photographs(True), photographs(False)
        epochs, wanted = (1, 0.4) if options.quick else (10, 0.6)
    else:
        n, classes, epochs, wanted = (600, 3, 5, 0.5) if options.quick else (4000, 10, 8, 0.9)
        (train, kinds), (test, _) = shapes(n, classes), shapes(1000, classes)

    histories, found, batch = {}, {}, 16 if options.quick else 64
    for name, net in (("convolutions", cnn()), ("dense", dense())):
        print(f"{name}: {sum(p.numel() for p in net.parameters()):,} weights")
        steps = epochs * math.ceil(len(train) / batch)
        optimizer = optim.Adam(net.parameters(), lr=2e-3)
        histories[name] = fit(
            net, F.cross_entropy, optimizer, DataLoader(train, batch, shuffle=True), epochs, verbose=True, metrics=[Accuracy()],
            validation=DataLoader(test, 500), schedule="step", scheduler=optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps),
        )  # fmt: skip
        found[name] = evaluate(net, F.cross_entropy, DataLoader(test, 500), metrics=[Accuracy()])["accuracy"]
        if name == "convolutions":
            model = net
    images, labels = test[:8]
    draw(model, histories, images, labels.tolist(), kinds, options.out / "cnn.png")
    claim(
        found["convolutions"] >= max(wanted, found["dense"] + (0.03 if options.quick else 0.2)),
        f"it names {found['convolutions']:.1%} of the test pictures rightly, a dense network {found['dense']:.1%}",
    )


if __name__ == "__main__":
    main()
