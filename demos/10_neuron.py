"""One neuron, its gradient found in three ways, and trained until it says 0.8.

Claim: the gradient by hand, by autograd and by differences is the same to 8 digits, and 0.8 is reached to 6 digits.

The neuron is sigmoid(w . x + b), with the weights 0.5, -0.2, 0.1 and the inputs 1, 2, 3. No chance is in it: all seeds agree.
"""

import autograd
from autograd import tensor
from nn import optim

from common import arguments, claim, panels, save

x = tensor([1.0, 2.0, 3.0]).double()
TARGET = 0.8


def neuron(w, b):
    return (w @ x + b).sigmoid()


def loss(w, b):
    return (neuron(w, b) - TARGET) ** 2


def by_hand(w, b):
    """The chain rule: the square's slope, times the sigmoid's, times what stands beside the weight."""
    y = neuron(w, b)
    slope = 2 * (y - TARGET) * y * (1 - y)
    return [*(slope * x).tolist(), slope.item()]


def by_autograd(w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    loss(w, b).backward()
    return [*w.grad.tolist(), b.grad.item()]


def by_differences(w, b, h=1e-5):
    """Each number a little up and a little down: the difference of the losses, over the distance."""
    nudges = autograd.eye(4).double() * h
    return [((loss(w + n[:3], b + n[3]) - loss(w - n[:3], b - n[3])) / (2 * h)).item() for n in nudges]


def train(w, b, steps=60, lr=0.5):
    """The outputs while it learns; the loss is quadratic in the output, and each step goes down it."""
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    optimizer, outputs = optim.SGD([w, b], lr=lr), []
    for _ in range(steps):
        outputs.append(neuron(w, b).item())
        optimizer.zero_grad()
        loss(w, b).backward()
        optimizer.step()
    return [*outputs, neuron(w, b).item()]


def main():
    options = arguments(__doc__)
    w, b = tensor([0.5, -0.2, 0.1]).double(), tensor(0.0).double()
    ways = {f.__name__.replace("_", " "): f(w, b) for f in (by_hand, by_autograd, by_differences)}
    for name, gradient in ways.items():
        print(f"{name:15}" + "  ".join(f"{g:+.10f}" for g in gradient))
    difference = max(abs(p - q) for g in ways.values() for p, q in zip(g, ways["by hand"], strict=True))
    outputs = train(w, b)

    figure, (left, right) = panels(2)
    for i, (name, gradient) in enumerate(ways.items()):
        left.bar([j + 0.27 * (i - 1) for j in range(4)], gradient, 0.25, label=name)
    left.set(title="one gradient, found in three ways", xticks=range(4), xticklabels=["w₁", "w₂", "w₃", "b"])
    left.legend(frameon=False)
    right.plot(outputs, linewidth=2)
    right.axhline(TARGET, color="0.6", linestyle="--")
    right.set(title="the output goes from 0.60 to 0.8", xlabel="step", ylim=(0.58, 0.82))
    save(figure, options.out / "neuron.png")
    claim(
        difference < 1e-8 and abs(outputs[-1] - TARGET) < 1e-6,
        f"the gradients differ by {difference:.0e} at most, and the output is {outputs[-1]:.6f} after {len(outputs) - 1} steps",
    )


if __name__ == "__main__":
    main()
