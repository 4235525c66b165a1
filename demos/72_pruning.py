"""Most weights of a network are not needed: pruned little by little while it learns on, it does without 49 of 50.

Claim: of the weights of a network that reads digits, 98 % are taken away, those nearest to zero, by the polynomial schedule,
while it learns on; it then reads at most 5 in 100 test digits less. Taken away at one stroke, the same number of weights
costs at least 50 in 100 more, and little by little, but at random, at least 15.

A pruned weight is kept at zero by a mask, so the optimizer cannot bring it back. The share that is gone after a part t of the
steps is 1 - (1 - t)^3 of the final one: fast at first, when there is much to spare, and slowly when there is not. What is odd:
pixels in the corners, which are always empty, keep connections. No gradient ever made those smaller.
Source: Han, Pool, Tran and Dally, Learning both weights and connections, 2015; Zhu and Gupta, To prune, or not to prune, 2017.
"""

import copy

import nn
import nn.functional as F
from autograd import manual_seed
from nn import optim
from nn.datasets import digits
from nn.metrics import accuracy
from nn.train import predict
from nn.utils import prune
from nn.utils.data import DataLoader

from common import arguments, bars, claim, panels, save

GOAL = 0.98


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))


def weights(net):
    return [(layer, "weight") for layer in net if isinstance(layer, nn.Linear)]


def gone(net):
    """Which share of the weights is zero."""
    values = [getattr(layer, name) for layer, name in weights(net)]
    return sum((value == 0).sum().item() for value in values) / sum(value.numel() for value in values)


def prune_to(net, share, method):
    """Prune on, all layers as one, until this share is gone."""
    left = 1 - gone(net)
    prune.global_unstructured(weights(net), method, amount=max(0.0, 1 - (1 - share) / left))


def train(net, data, epochs, lr=3e-3, method=None, times=20):
    """Learn for some epochs; with a method, prune `times` times in the first three quarters. Returns what was gone, by step."""
    optimizer = optim.Adam(net.parameters(), lr=lr)
    batches = DataLoader(data, 32, shuffle=True)
    steps, step, shares = epochs * len(batches), 0, []
    every = max(1, steps * 3 // 4 // times)
    for _ in range(epochs):
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
            step += 1
            if method and step % every == 0 and step <= every * times:
                t = step / (every * times)
                prune_to(net, GOAL * (1 - (1 - t) ** 3), method)
                shares.append((step, gone(net)))
    return shares


def draw(found, shares, net, path):
    figure, axes = panels(3, 1, 3.9, 3.4)
    axes[0].plot(*zip(*shares, strict=True), color="#4f46e5", drawstyle="steps-post")
    axes[0].set(title="share of weights that is gone", xlabel="step", ylim=(0, 1))
    bars(axes[1], found, ["#94a3b8", "#4f46e5", "#dc2626", "#f59e0b"], title="share of test digits read right")
    used = (net[1].weight != 0).sum(0).reshape(8, 8).numpy()
    image = axes[2].imshow(used, cmap="Purples", vmin=0)
    axes[2].set(title="connections that each pixel keeps", xticks=[], yticks=[])
    figure.colorbar(image, ax=axes[2], shrink=0.8)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    data, test = digits()
    images, labels = test.tensors
    dense = network()
    train(dense, data, 6 if options.quick else 20)

    nets = {"all weights": dense, "little by little": copy.deepcopy(dense), "at one stroke": copy.deepcopy(dense),
            "at random": copy.deepcopy(dense)}  # fmt: skip
    epochs = 6 if options.quick else 20
    shares = train(nets["little by little"], data, epochs, method=prune.L1Unstructured)
    train(nets["at random"], data, epochs, method=prune.RandomUnstructured)
    prune_to(nets["at one stroke"], GOAL, prune.L1Unstructured)
    found = {name: accuracy(predict(net, images), labels) for name, net in nets.items()}
    for name, net in nets.items():
        print(f"{name:17} {gone(net):.1%} of the weights are gone, {found[name]:.1%} of the digits are read right")
    draw(found, shares, nets["little by little"], options.out / "pruning.png")
    whole, slow, stroke, chance = found.values()
    slack = 0.12 if options.quick else 0.05
    claim(
        abs(gone(nets["little by little"]) - GOAL) < 0.001
        and slow >= whole - slack
        and stroke <= slow - 0.5
        and chance <= slow - 0.15,
        f"with all weights {whole:.1%} of the digits are read right, with a fiftieth of them {slow:.1%};"
        f" {stroke:.1%} if the rest is taken at one stroke, {chance:.1%} if at random",
    )


if __name__ == "__main__":
    main()
