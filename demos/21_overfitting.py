"""A network that learns its examples by heart, and five cures: dropout, L2, L1, early stopping, augmentation.

Claim: on average over five networks, each cure at least halves the loss on points that the network has never seen, and none of
them costs accuracy.

It learns from sixty noisy points of two moons, and one label in ten is wrong. The loss counts how sure a mistake is made.
"""

import copy

import nn
import nn.functional as F
from autograd import cartesian_prod, linspace, manual_seed, no_grad, rand, randn_like
from nn import optim
from nn.datasets import make_moons

from common import arguments, claim, panels, save

CURES = {  # what `train` is told
    "none": {},
    "dropout": {"dropout": 0.5},
    "L2": {"l2": 0.01},
    "L1": {"l1": 0.001},
    "early stopping": {"stop_early": True},
    "augmentation": {"jitter": 0.3},
}


def data(n):
    x, labels = make_moons(n, noise=0.25)
    return x, (labels + (rand(n) < 0.1).long()) % 2


@no_grad()
def loss_and_accuracy(net, x, labels):
    net.eval()
    scores = net(x)
    net.train()
    return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item()


def train(x, labels, held_out, steps, dropout=0.0, l2=0.0, l1=0.0, jitter=0.0, stop_early=False):
    """A network of two hidden layers after `steps` steps, or as it was when it did best on what was held out."""
    net = nn.Sequential(
        nn.Linear(2, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 2)
    )
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    weights = [p for p in net.parameters() if p.ndim == 2]
    best, losses = copy.deepcopy(net), []
    for step in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x + jitter * randn_like(x) if jitter else x), labels)
        if l1 or l2:
            loss = loss + sum(l1 * w.abs().sum() + l2 * (w**2).sum() for w in weights)
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            losses.append(loss_and_accuracy(net, *held_out)[0])
            if losses[-1] <= min(losses):
                best = copy.deepcopy(net)
    return best if stop_early else net


def main():
    options = arguments(__doc__)
    runs, steps = (3, 300) if options.quick else (5, 500)
    side = linspace(-2.5, 2.5, 60)
    plane = cartesian_prod(side, side) + linspace(0.5, 0.25, 2)
    figure, axes = panels(3, 2, width=3.3, height=3)
    losses, shares = {}, {}
    for ax, (name, cure) in zip(axes, CURES.items(), strict=True):
        found = []
        for run in range(runs):
            manual_seed(10 * options.seed + run)  # the same points for all cures
            x, labels = data(60)
            held_out, test = data(60), data(2000)
            net = train(x, labels, held_out, steps, **cure)
            found.append(loss_and_accuracy(net, *test))
        losses[name], shares[name] = (sum(values) / runs for values in zip(*found, strict=True))
        print(f"{name:15} loss {losses[name]:.3f}, accuracy {shares[name]:.1%}")
        net.eval()
        answer = net(plane).softmax(1)[:, 1].reshape(60, 60).detach().numpy()
        ax.imshow(answer.T, origin="lower", extent=(-2, 3, -2.25, 2.75), cmap="coolwarm", vmin=0, vmax=1, alpha=0.8)
        ax.scatter(*x.T.numpy(), c=labels.numpy(), cmap="coolwarm", edgecolor="k", linewidth=0.5, s=18)
        ax.set(title=f"{name}: loss {losses[name]:.2f}, {shares[name]:.0%}", xticks=[], yticks=[])
    save(figure, options.out / "overfitting.png")
    nothing, cured = losses["none"], {name: loss for name, loss in losses.items() if name != "none"}
    claim(
        max(cured.values()) < nothing / 2 and min(shares.values()) >= shares["none"] - 0.005,
        f"loss {nothing:.2f} with no cure, " + ", ".join(f"{loss:.2f} with {name}" for name, loss in cured.items()),
    )


if __name__ == "__main__":
    main()
