"""The README's first example: its numbers, its picture, and the check of every gradient against finite differences.

    python demos/00_first_graph.py [--out docs]

Claim: the gradients of y = mean(tanh(x @ w + b)^2) agree with central differences. Writes first_graph.svg.
"""

from __future__ import annotations

import argparse
import pathlib

import autograd

from common import claim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs"), help="the folder that the picture goes to")
    parser.add_argument("--quick", action="store_true", help="it is quick already")
    parser.add_argument("--seed", type=int, default=0, help="there is no chance in it")
    options = parser.parse_args()

    x = autograd.tensor([[1.0, 2.0], [3.0, 4.0]])
    w = autograd.tensor([0.5, -0.25], requires_grad=True)
    b = autograd.tensor(0.1, requires_grad=True)
    with autograd.watch() as tape:
        y = ((x @ w + b).tanh() ** 2).mean()
        y.backward()
    print(y)
    print(w.grad, b.grad)

    agree = autograd.gradcheck(
        lambda w, b: ((x.double() @ w + b).tanh() ** 2).mean(), [v.detach().double().requires_grad_() for v in (w, b)]
    )
    options.out.mkdir(parents=True, exist_ok=True)
    print(autograd.draw(tape).render(options.out / "first_graph.svg"))
    claim(agree, f"finite differences agree with the gradients, {w.grad} of w and {b.grad.item():.4f} of b")


if __name__ == "__main__":
    main()
