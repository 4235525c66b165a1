"""A small AutoML: ten architectures are drawn and tried, the best is trained on and tested.

Claim: of ten trials (max_trials=10), the one that reads most of the held-out digits reads at least 94 % of 360 test digits that
no choice saw, and more of them than the median trial.

What is chosen: how many layers, how wide, which activation, whether there is batch normalization, how much dropout, and the rate.
"""

import random

import numpy as np

import nn
from autograd import manual_seed
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

SPACE = {
    "layers": (1, 2, 3),
    "width": (8, 16, 32, 64),
    "activation": (nn.Sigmoid, nn.Tanh, nn.ReLU, nn.SiLU),
    "norm": (False, True),
    "dropout": (0.0, 0.2, 0.5),
    "rate": (0.0003, 0.001, 0.003, 0.01, 0.03),
}


def build(layers, width, activation, norm, dropout, **_):
    """A network of such an architecture; lazy layers find out their input sizes."""
    parts = [nn.Flatten()]
    for _ in range(layers):
        parts += [nn.LazyLinear(width), *([nn.LazyBatchNorm1d()] if norm else []), activation(), nn.Dropout(dropout)]
    return nn.Sequential(*parts, nn.LazyLinear(10))


def share(net, data):
    return nn.train.evaluate(net, nn.CrossEntropyLoss(), DataLoader(data, 500), metrics=[nn.metrics.accuracy])["accuracy"]


class AutoML:
    """Draws architectures, trains each a little, keeps what it found."""

    def __init__(self, max_trials, seed):
        self.max_trials, self.random = max_trials, random.Random(seed)
        self.trials = []  # (share of the held-out data, architecture, network)

    def train(self, net, rate, data, epochs):
        net(data[:2][0])  # the lazy layers see their first input
        batches = DataLoader(data, 64, shuffle=True)
        nn.train.fit(net, nn.CrossEntropyLoss(), optim.Adam(net.parameters(), lr=rate), batches, epochs)

    def search(self, data, held_out, epochs):
        for _ in range(self.max_trials):
            choice = {name: self.random.choice(options) for name, options in SPACE.items()}
            net = build(**choice)
            self.train(net, choice["rate"], data, epochs)
            self.trials.append((share(net, held_out), choice, net))
            text = ", ".join(f"{name} {getattr(c, '__name__', c)}" for name, c in choice.items())
            print(f"{len(self.trials):2}: {self.trials[-1][0]:.1%} of the held-out digits; {text}")
        return max(self.trials, key=lambda trial: trial[0])


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    train_set, test_set = digits()
    images, labels = train_set.tensors
    data, held_out = TensorDataset(images[:1000], labels[:1000]), TensorDataset(images[1000:], labels[1000:])
    auto = AutoML(max_trials=10, seed=options.seed)
    _, choice, net = auto.search(data, held_out, epochs=3 if options.quick else 8)
    tested = [share(net, test_set) for _, _, net in auto.trials]
    auto.train(net, choice["rate"] / 3, train_set, epochs=8)  # on all that is there to learn from
    final = share(net, test_set)

    figure, (ax,) = panels(1, width=6)
    order = np.argsort([-trial[0] for trial in auto.trials])
    ax.barh(np.arange(10) - 0.2, [auto.trials[i][0] for i in order], 0.38, label="held out, which it chose by")
    ax.barh(np.arange(10) + 0.2, [tested[i] for i in order], 0.38, label="test")
    names = [auto.trials[i][1] for i in order]
    ax.set_yticks(range(10), [f"{c['layers']} x {c['width']} {c['activation'].__name__}, rate {c['rate']:g}" for c in names])
    ax.invert_yaxis()
    ax.axvline(final, color="k", linestyle="--", linewidth=1, label=f"the best, trained on: {final:.1%}")
    ax.set(title="ten trials: share of digits read rightly")
    ax.legend(frameon=False, fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.4, -0.08))
    save(figure, options.out / "automl.png")
    median = float(np.median(tested))
    claim(
        final >= 0.94 and final > median, f"the best of ten reads {final:.1%} of the test digits, the median trial {median:.1%}"
    )


if __name__ == "__main__":
    main()
