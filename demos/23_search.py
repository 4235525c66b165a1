"""Hyper-parameter search by grid, at random, by successive halving, and by a Gaussian process written on this engine.

Claim: with the effort of 25 trainings each, all four find a rate and a decay whose loss is at most 1.25 times the lowest that
any of them finds, where the median random choice loses more than twice the lowest; and the median of what the process
proposes is less than half of the median random choice.

The process (Snoek et al., 2012) believes that near choices have near losses; how near, it learns by gradients of its likelihood.
Halving (Jamieson and Talwalkar, 2016) trains many a little, and the better half on.
"""

import math

import numpy as np

import nn
import nn.functional as F
from autograd import eye, linalg, manual_seed, tensor
from autograd.distributions import MultivariateNormal, Normal
from nn import optim
from nn.datasets import digits
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

LOW, HIGH = np.array([-4.0, -5.0]), np.array([0.5, 0.0])  # log10 of the learning rate, and of the weight decay
BUDGET, EPOCHS = 25, 5


class Training:
    """A network that can be trained on, with one choice of rate and decay."""

    def __init__(self, choice, data):
        manual_seed(0)  # the same first weights for all: only the choice differs
        rate, decay = 10 ** (LOW + (HIGH - LOW) * choice)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.optimizer = optim.AdamW(self.net.parameters(), lr=float(rate), weight_decay=float(decay / rate))
        self.batches, self.held_out = data

    def go_on(self, epochs):
        """Train; the loss on what was held out, at most 10."""
        for _ in range(epochs):
            for images, labels in self.batches:
                self.optimizer.zero_grad()
                F.cross_entropy(self.net(images), labels).backward()
                self.optimizer.step()
        images, labels = self.held_out
        loss = F.cross_entropy(self.net(images), labels).item()
        return min(loss, 10.0) if math.isfinite(loss) else 10.0


def process(x, y, new, steps=60):
    """What a Gaussian process through (x, y) believes of new choices: the means, and the deviations."""
    log_scale, log_noise = tensor(np.log([0.3, 0.3])).requires_grad_(), tensor(-4.0).double().requires_grad_()
    optimizer, z = optim.Adam([log_scale, log_noise], lr=0.05), (y - y.mean()) / y.std()

    def alike(a, b):  # 1 if two choices are equal, falling with the distance, each axis in its own scale
        return (-0.5 * (((a[:, None] - b) / log_scale.exp()) ** 2).sum(-1)).exp()

    def seen():
        return MultivariateNormal(0 * z, alike(x, x) + (log_noise.exp() + 1e-6) * eye(len(z)).double())

    for _ in range(steps):
        optimizer.zero_grad()
        (-seen().log_prob(z)).backward()
        optimizer.step()
    root = seen().scale_tril.detach()
    half = linalg.solve(root, alike(x, new).detach())
    deviation = (1 - (half**2).sum(0)).clamp(1e-9).sqrt()
    return y.mean() + y.std() * (half.T @ linalg.solve(root, z)), y.std() * deviation


def expected_improvement(mean, deviation, best):
    gap, normal = (best - mean) / deviation, Normal(0.0, 1.0)
    return deviation * (gap * normal.cdf(gap) + normal.log_prob(gap).exp())


def bayesian(loss, draw, first=8):
    """Some choices at random, then always the one that promises the most; the logarithm tames the losses."""
    choices = list(draw(first))
    losses = [loss(c) for c in choices]
    while len(choices) < BUDGET:
        candidates = draw(400)
        mean, deviation = process(tensor(np.array(choices)), tensor(np.log(losses)), tensor(candidates))
        choices.append(candidates[expected_improvement(mean, deviation, math.log(min(losses))).argmax().item()])
        losses.append(loss(choices[-1]))
    return np.array(choices), losses


def halving(start, draw):
    """24 choices for an epoch, the best 12 for another, then 6 for 4 more, 3 for 8 more: fewer epochs than the others take."""
    choices = draw(24)
    running, losses = [start(c) for c in choices], np.zeros(24)
    alive = range(24)
    for keep, epochs in ((24, 1), (12, 1), (6, 4), (3, 8)):
        alive = sorted(alive, key=losses.__getitem__)[:keep]
        for i in alive:
            losses[i] = running[i].go_on(epochs)
    return choices, losses.tolist()


def main():
    options = arguments(__doc__)
    train_set, _ = digits()
    images, labels = train_set.tensors
    n = 200 if options.quick else 400
    data = list(DataLoader(TensorDataset(images[:n], labels[:n]), 32)), (images[1000:], labels[1000:])
    source = np.random.default_rng(options.seed)
    draw = lambda n: source.random((n, 2))  # noqa: E731
    start = lambda choice: Training(choice, data)  # noqa: E731
    loss = lambda choice: start(choice).go_on(EPOCHS)  # noqa: E731
    grid = np.stack(np.meshgrid(*2 * [np.linspace(0.1, 0.9, 5)]), -1).reshape(-1, 2)
    chosen = draw(BUDGET)
    found = {
        "grid": (grid, [loss(c) for c in grid]),
        "random": (chosen, [loss(c) for c in chosen]),
        "halving": halving(start, draw),
        "Bayesian": bayesian(loss, draw),
    }
    figure, axes = panels(4, width=3.2)
    for ax, (name, (choices, losses)) in zip(axes, found.items(), strict=True):
        rates, decays = (LOW + (HIGH - LOW) * choices).T
        ax.scatter(rates, decays, c=np.log(losses), cmap="viridis_r", vmin=-1, vmax=1, s=35)
        ax.set(title=f"{name}: loss {min(losses):.3f}", xlabel="log₁₀ learning rate", xlim=(-4.1, 0.6), ylim=(-5.1, 0.1))
        print(f"{name:9} best loss {min(losses):.4f}, median {np.median(losses):.4f}")
    axes[0].set_ylabel("log₁₀ weight decay")
    save(figure, options.out / "search.png")
    lowest = {name: min(losses) for name, (_, losses) in found.items()}
    ordinary, proposed = np.median(found["random"][1]), np.median(found["Bayesian"][1][8:])
    best = min(lowest.values())
    claim(
        max(lowest.values()) < 1.25 * best and ordinary > 2 * best and proposed < ordinary / 2,
        "lowest losses " + ", ".join(f"{low:.3f} ({name})" for name, low in lowest.items()) + f"; the median random choice "
        f"{ordinary:.3f}, the median proposal of the process {proposed:.3f}",
    )


if __name__ == "__main__":
    main()
