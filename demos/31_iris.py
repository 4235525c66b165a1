"""Fisher's irises, each named by a network that has never seen it: leave-one-out, with 150 networks trained at once.

    python demos/31_iris.py [--quick] [--seed 0] [--out pictures]

Claim: each of the 150 flowers is left out once, and at least 140 are then named rightly; all 50 setosas are, and no other
flower is taken for one. The length of the sepal alone gets at most 120 right.

With so few flowers a test set of thirty would say little: one mistake more or less is 3 %. Here every flower is a test, and
none is seen by the network that names it. The networks have the same first weights and differ only in the flower that does
not count in their loss; their weights are stacked, so that `@` multiplies each by its own, and the 150 cost hardly more than
a few.
Needs scikit-learn, for the data: pip install 'chainrule[data]'.
Source: Fisher, The use of multiple measurements in taxonomic problems, 1936; Stone, Cross-validatory choice, 1974.
"""

import math

import nn
import nn.functional as F
from autograd import arange, eye, manual_seed, randn, zeros
from nn import optim
from nn.datasets import iris
from nn.metrics import confusion_matrix

from common import arguments, claim, panels, save


def leave_one_out(x, labels, hidden, steps):
    """For each example, the scores (n, 3) that it gets from a network that learnt from all others."""
    n, inputs = x.shape
    x = (x - x.mean(0)) / x.std(0)
    first = (randn(1, inputs, hidden) / math.sqrt(inputs)).expand(n, -1, -1).clone().requires_grad_()
    second = (randn(1, hidden, 3) / math.sqrt(hidden)).expand(n, -1, -1).clone().requires_grad_()
    biases = [zeros(n, 1, m, requires_grad=True) for m in (hidden, 3)]
    optimizer = optim.AdamW([first, second, *biases], lr=0.05, weight_decay=0.01)
    seen = 1 - eye(n)
    for _ in range(steps):
        optimizer.zero_grad()
        scores = ((x @ first + biases[0]).tanh() @ second + biases[1]).movedim(2, 1)  # (network, class, flower)
        losses = F.cross_entropy(scores, labels.expand(n, n), reduction="none")
        (losses * seen).sum().div(n - 1).backward()
        optimizer.step()
    return scores.detach()[arange(n), :, arange(n)]


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    table = iris()
    x, labels = table.tensors
    steps = 60 if options.quick else 150
    found, right = {}, {}
    for name, columns in (("sepal length alone", [0]), ("all four lengths", [0, 1, 2, 3])):
        scores = leave_one_out(x[:, columns], labels, 8, steps)
        found[name] = scores.argmax(1)
        right[name] = (found[name] == labels).sum().item()
        print(f"{name}: {right[name]} of 150 are named rightly")
    sure, guesses = scores.softmax(1).max(1)
    wrong = guesses != labels
    for i in wrong.nonzero()[:, 0].tolist():
        print(f"  a {table.classes[labels[i].item()]} taken for a {table.classes[guesses[i].item()]}, {sure[i].item():.0%} sure")
    matrix = confusion_matrix(guesses, labels, num_classes=3)

    figure, (left, middle, last) = panels(3, width=3.9, height=3.6)
    for i, (name, colour) in enumerate(zip(table.classes, ("#4f46e5", "#f59e0b", "#16a34a"), strict=True)):
        left.scatter(*x[labels == i][:, 2:].T.numpy(), s=22, color=colour, label=name, alpha=0.7)
        last.scatter(sure[labels == i].numpy(), arange(150)[labels == i].numpy(), s=14, color=colour, alpha=0.8)
    left.scatter(*x[wrong][:, 2:].T.numpy(), s=110, facecolor="none", edgecolor="#dc2626", linewidth=2, label="taken for another")
    left.set(title="petals, and the mistakes", xlabel="length in cm", ylabel="width in cm")
    left.legend(frameon=False, fontsize=9)
    nn.plot.confusion(matrix, middle, names=table.classes)
    middle.set_title(f"{right['all four lengths']} of 150, each unseen")
    last.scatter(sure[wrong].numpy(), arange(150)[wrong].numpy(), s=110, facecolor="none", edgecolor="#dc2626", linewidth=2)
    last.set(title="how sure each network is", xlabel="probability of what it says", ylabel="flower", xlim=(0.3, 1.03))
    save(figure, options.out / "iris.png")
    alone, together = right.values()
    claim(
        together >= 140 and alone <= 120 and matrix[0, 0] == 50 and matrix[1:, 0].sum() == 0,
        f"of 150 irises {together} are named rightly by networks that have never seen them, by the sepal's length alone {alone}",
    )


if __name__ == "__main__":
    main()
