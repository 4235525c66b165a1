"""Ten clients who each know few digits learn to read all ten, and never show each other a picture: federated averaging.

Claim: after 25 rounds of federated averaging the common network reads at least 75 % of 360 test digits, though each client has
seen but one to four kinds; the networks that clients train alone read at most 35 %. If each client has all kinds, the mean
of networks that were trained apart from one common start reads at least 85 %; from starts of their own, at least 25 in 100
less.

In each round the clients start from the common weights, train on what they have, and send weights back; the mean of these,
weighted by how much each has seen, is the next start. It is odd that this works: the mean of two networks is in general no
network at all, as the last comparison shows. It works because all of them start from the same place.
Source: McMahan et al., Communication-efficient learning of deep networks from decentralized data, 2017.
"""

import copy

import nn
import nn.functional as F
from autograd import cat, manual_seed, no_grad, randperm
from nn import optim
from nn.datasets import digits
from nn.metrics import accuracy
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, bars, claim, panels, save

CLIENTS = 10


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def shares(data, mixed=False):
    """What each client has: the pictures sorted by label and cut in twenty, two pieces each; or if `mixed` any."""
    images, labels = data.tensors
    order = randperm(len(labels)) if mixed else labels.argsort(stable=True)
    pieces, hands = order.tensor_split(2 * CLIENTS), randperm(2 * CLIENTS).reshape(CLIENTS, 2).tolist()
    rows = [cat([pieces[a], pieces[b]]) for a, b in hands]
    return [TensorDataset(images[r], labels[r]) for r in rows]


def train(net, data, epochs=5):
    """What a client does."""
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    fit(net, F.cross_entropy, optimizer, DataLoader(data, 20, shuffle=True), epochs)
    return net


@no_grad()
def mean(nets, counts):
    """The network whose weights are the mean of theirs."""
    common = copy.deepcopy(nets[0])
    for name, value in common.state_dict().items():
        value.copy_(sum(net.state_dict()[name] * (n / sum(counts)) for net, n in zip(nets, counts, strict=True)))
    return common


def federated(common, clients, rounds, test):
    """The common network after each round, and how much of the test it reads."""
    images, labels = test.tensors
    found = [accuracy(predict(common, images), labels)]
    for _ in range(rounds):
        nets = [train(copy.deepcopy(common), data) for data in clients]
        common = mean(nets, [len(data) for data in clients])
        found.append(accuracy(predict(common, images), labels))
    return common, found


def draw(curves, ends, clients, path):
    figure, axes = panels(3, 1, 3.9, 3.4)
    counts = [clients[i].tensors[1].bincount(minlength=10).tolist() for i in range(CLIENTS)]
    axes[0].imshow(counts, cmap="Purples")
    axes[0].set(title="how many of each digit a client has", xlabel="digit", ylabel="client", xticks=range(10), yticks=range(10))
    for (name, found), colour in zip(curves.items(), ("#4f46e5", "#94a3b8"), strict=True):
        axes[1].plot(found, color=colour, label=name)
    axes[1].set(title="share of test digits read right", xlabel="round", ylim=(0, 1))
    axes[1].legend(frameon=False, fontsize=9)
    bars(axes[2], ends, ["#cbd5e1", "#4f46e5", "#94a3b8", "#dc2626"], title="who reads how much")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    data, test = digits()
    images, labels = test.tensors
    rounds, least = (8, 0.5) if options.quick else (25, 0.75)
    start, clients, mixed = network(), shares(data), shares(data, mixed=True)
    curves = {name: federated(start, c, rounds, test)[1] for name, c in (("few kinds each", clients), ("all kinds each", mixed))}
    for name, found in curves.items():
        print(f"{name:15}", " ".join(f"{share:.0%}" for share in found))
    alone = [accuracy(predict(train(copy.deepcopy(start), c, 25), images), labels) for c in clients]
    apart = {
        "one start": [train(copy.deepcopy(start), c, 25) for c in mixed], "own starts": [train(network(), c, 25) for c in mixed],
    }  # fmt: skip
    means = {name: accuracy(predict(mean(nets, [1] * CLIENTS), images), labels) for name, nets in apart.items()}
    few, lonely = curves["few kinds each"][-1], sum(alone) / CLIENTS
    ends = {
        "each alone": lonely,
        f"{rounds} rounds": few,
        "mean, one start": means["one start"],
        "mean, own starts": means["own starts"],
    }
    draw(curves, ends, clients, options.out / "federated.png")
    claim(
        few >= least and lonely <= 0.35 and means["one start"] >= max(0.85, means["own starts"] + 0.25),
        f"together they read {few:.1%} of the test digits, alone {lonely:.1%}; with all kinds, the mean of networks from one"
        f" start reads {means['one start']:.1%}, from starts of their own {means['own starts']:.1%}",
    )


if __name__ == "__main__":
    main()
