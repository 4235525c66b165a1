"""XOR by networks of the shapes 2-2-1, 2-3-2-1, 2-4-1 and 2-4-4-1, a hundred starts each, and why some get stuck.

Claim: of 100 starts, 2-4-1 and 2-4-4-1 learn XOR in at least 97, 2-3-2-1 in at least 80, and 2-2-1 in between 40 and 85; with up
to ten restarts 2-2-1 learns it in every group of ten. Where it is stuck, at least two of the four cases get nearly the same
answer between 0.3 and 0.8: the two hidden units have agreed on a line, and no single step improves it.

The hundred networks are trained at once: their weights are stacked, and `@` multiplies each by its own.
"""

import itertools
import math

import numpy as np

import nn
import nn.functional as F
from autograd import cartesian_prod, linspace, manual_seed, no_grad, randn, tensor, zeros
from nn import optim

from common import arguments, claim, panels, save

X = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = tensor([[0.0], [1.0], [1.0], [0.0]])
STARTS = 100


class Networks:
    """Many networks of one shape: tanh in the hidden layers, a sigmoid at the end."""

    def __init__(self, shape):
        sizes = list(itertools.pairwise(shape))
        self.weights = [(randn(STARTS, m, n) / math.sqrt(m)).requires_grad_() for m, n in sizes]
        self.biases = [zeros(STARTS, 1, n, requires_grad=True) for _, n in sizes]

    def __call__(self, x):
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = (x @ weight + bias).tanh()
        return (x @ self.weights[-1] + self.biases[-1]).sigmoid()


def train(nets, steps, watch=()):
    """Squared errors, gradient descent with momentum; the sum over networks leaves each its own gradient.

    Returns the errors of each network in each step; and at the steps to watch, what they answer in the plane, and their weights.
    """
    optimizer = optim.SGD([*nets.weights, *nets.biases], lr=1.0, momentum=0.9)
    side = linspace(-0.3, 1.3, 40)
    plane, errors, seen = cartesian_prod(side, side), [], []
    for step in range(steps):
        if step in watch:
            weights = [t.detach().clone() for pair in zip(nets.weights, nets.biases, strict=True) for t in pair]
            seen.append((nets(plane).detach().numpy().reshape(STARTS, 40, 40), weights))
        optimizer.zero_grad()
        error = ((nets(X) - Y) ** 2).mean((1, 2))
        error.sum().backward()
        optimizer.step()
        errors.append(error.tolist())
    return np.array(errors), seen


def drawn(shape, moments):
    """The network with its weights at each of the moments, as nn.draw sees it when it is asked for 1 xor 0."""
    layers = [part for m, n in itertools.pairwise(shape) for part in (nn.Linear(m, n), nn.Tanh())]
    model = nn.Sequential(*layers[:-1], nn.Sigmoid())
    network = nn.draw(model, X[2:3], Y[2:3], F.mse_loss, inputs=("1", "0"), outputs=("1?",))
    for weights in moments:
        with no_grad():
            for p, w in zip(model.parameters(), weights, strict=True):
                p.copy_(w.T.reshape(p.shape))
        network.record()
    return network


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    solved, answers, curves, watch = {}, {}, {}, (0, 30, 100, 999)
    for shape in ((2, 2, 1), (2, 3, 2, 1), (2, 4, 1), (2, 4, 4, 1)):
        name = "-".join(map(str, shape))
        nets = Networks(shape)
        curves[name], seen = train(nets, 1000, watch)
        answers[name] = nets(X).detach().numpy()[:, :, 0]
        solved[name] = (np.abs(answers[name] - Y.T.numpy()) < 0.4).all(1)
        print(f"{name:8} learns XOR in {solved[name].sum():3} of {STARTS} starts")
        if name == "2-3-2-1":
            moments, best = seen, solved[name].argmax()
    stuck = answers["2-2-1"][~solved["2-2-1"]]
    same = [min(abs(p - q) for i, p in enumerate(a) for q in a[:i] if 0.3 < p < 0.8) for a in stuck]

    figure, axes = panels(4, 3, width=3, height=2.8)
    for ax, (name, answer) in zip(axes, answers.items(), strict=False):
        ax.bar(["00", "01", "10", "11"], answer[solved[name].argmax()], color=["C0", "C1", "C1", "C0"])
        ax.set(title=f"{name}: {solved[name].sum()} of {STARTS}", ylim=(0, 1))
    for ax, step, (planes, _) in zip(axes[4:7], watch[1:], moments[1:], strict=True):
        ax.imshow(planes[best].T, origin="lower", extent=(-0.3, 1.3, -0.3, 1.3), cmap="coolwarm", vmin=0, vmax=1)
        ax.scatter(*X.T.numpy(), c=Y[:, 0].numpy(), cmap="coolwarm", edgecolor="k", s=50)
        ax.set(title=f"2-3-2-1 after {step + 1} steps", xticks=[0, 1], yticks=[0, 1])
    for lucky, colour in ((True, "C0"), (False, "C3")):
        axes[7].plot(curves["2-2-1"][:, solved["2-2-1"] == lucky][:, :12], color=colour, linewidth=0.8)
    axes[7].set(title="2-2-1: red ones get stuck", xlabel="step", ylabel="mean squared error")
    network, grid = drawn((2, 3, 2, 1), [[w[best] for w in weights] for _, weights in moments]), axes[0].get_gridspec()
    for ax in axes[8:]:
        ax.remove()
    for i, moment in enumerate((1, 3)):
        ax = network.plot(figure.add_subplot(grid[2, 2 * i : 2 * i + 2]), which=moment + 1)
        ax.set_title(f"2-3-2-1 after {watch[moment] + 1} steps: 1 xor 0?", fontsize=11)
    save(figure, options.out / "xor.png")
    counts = {name: int(s.sum()) for name, s in solved.items()}
    claim(
        min(counts["2-4-1"], counts["2-4-4-1"]) >= 97
        and counts["2-3-2-1"] >= 80
        and 40 <= counts["2-2-1"] <= 85
        and solved["2-2-1"].reshape(10, 10).any(1).all()
        and max(same) < 0.1,
        ", ".join(f"{name} learns XOR in {n}" for name, n in counts.items()) + f" of {STARTS} starts",
    )


if __name__ == "__main__":
    main()
