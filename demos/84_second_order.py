"""Newton's method with conjugate gradients, from products of the Hessian with vectors, against gradient descent.

Claim: to bring the gradient of a logistic regression on 569 tumours below 1e-10, Newton takes at most 15 steps, and gradient
descent, at its best constant rate, more than 100 times as many; counted in all gradients and Hessian-vector products, Newton
still needs less than a tenth. The Hessian itself is never made.

A product of the Hessian H with a vector v is the derivative of the gradient along v. `func.linearize` runs the gradient once and
keeps what its derivative needs; each product then costs about as much as one gradient. Conjugate gradients solve H s = -g
by such products alone. The best constant rate of gradient descent is 2 / (largest + smallest eigenvalue of H), which is
measured here with the same products, by the power method.
Source: Hestenes and Stiefel, Methods of conjugate gradients for solving linear systems, 1952; Pearlmutter, Fast exact
multiplication by the Hessian, 1994; Nocedal and Wright, Numerical optimization, chapter 7, 2006.
"""

import nn.functional as F
from autograd import cat, func, manual_seed, ones, randn, zeros
from nn.datasets import breast_cancer

from common import arguments, claim, panels, save

GOAL = 1e-10


def conjugate_gradients(product, b, tolerance):
    """x with product(x) = b, for a symmetric and positive product, and how many were needed."""
    x, r = zeros(len(b), dtype=b.dtype), b
    d, squared = r, r @ r
    for count in range(1, 10 * len(b)):  # noqa: B007 - it is returned
        along = product(d)
        step = squared / (d @ along)
        x, r = x + step * d, r - step * along
        before, squared = squared, r @ r
        if squared.sqrt() <= tolerance:
            break
        d = r + squared / before * d
    return x, count


def newton(loss, x):
    """Steps to the bottom of the parabola that has the value, slope and curvature of the loss, halved while they do not go down.

    Returns the end, and the norm of the gradient after each step, with how many gradients and products there were until then.
    """
    gradient, seen, cost = func.grad(loss), [], 0
    while True:
        slope, product = func.linearize(gradient, x)
        cost += 1
        seen.append((cost, slope.norm().item()))
        if seen[-1][1] < GOAL:
            return x, seen
        step, products = conjugate_gradients(product, -slope, min(0.1, slope.norm().item()) * slope.norm())
        cost += products
        while loss(x + step) > loss(x) + 1e-4 * (slope @ step) + 1e-14:  # the last for rounding, near the end
            step = step / 2
        x = x + step


def descent(loss, x, rate, most):
    gradient, seen = func.grad(loss), []
    for step in range(1, most + 1):
        slope = gradient(x)
        seen.append((step, slope.norm().item()))
        if seen[-1][1] < GOAL:
            break
        x = x - rate * slope
    return x, seen


def eigenvalues(product, n):
    """The largest of a symmetric positive product, and the smallest: that of largest - product is their difference."""
    found = []
    for shift in (0.0, None):
        v = randn(n, dtype="float64")
        for _ in range(300):
            v = product(v) if shift == 0.0 else found[0] * v - product(v)
            size = v.norm()
            v = v / size
        found.append(size.item() if shift == 0.0 else found[0] - size.item())
    return found


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    x, labels = breast_cancer().tensors
    x, labels = x.double(), labels.double()
    x = cat([(x - x.mean(0)) / x.std(0), ones(len(x), 1, dtype="float64")], 1)
    decay = 1e-2 if options.quick else 1e-4

    def loss(w):
        return F.binary_cross_entropy_with_logits(x @ w, labels) + decay / 2 * (w @ w)

    start = randn(x.shape[1], dtype="float64")
    best, fast = newton(loss, start)
    largest, smallest = eigenvalues(func.linearize(func.grad(loss), best)[1], len(start))
    end, slow = descent(loss, start, 2 / (largest + smallest), 50_000)
    print(f"the eigenvalues of the Hessian go from {smallest:.4f} to {largest:.2f}, a ratio of {largest / smallest:.0f}")
    apart = (best - end).abs().max().item()

    figure, axes = panels(2, 1, 5.5, 3.6)
    for ax, of_steps in zip(axes, (True, False), strict=True):
        for (name, seen), colour in zip({"gradient descent": slow, "Newton": fast}.items(), ("#94a3b8", "#4f46e5"), strict=True):
            across = range(1, len(seen) + 1) if of_steps else [cost for cost, _ in seen]
            ax.loglog(across, [size for _, size in seen], color=colour, marker="o" if seen is fast else None, label=name)
        ax.set(title="size of the gradient, by steps" if of_steps else "and by gradients and products", ylim=(1e-13, None))
        ax.axhline(GOAL, color="#cbd5e1", linewidth=1, zorder=0)
        ax.set_xlabel("steps" if of_steps else "gradients and Hessian-vector products")
    axes[1].legend(frameon=False, loc="lower left")
    save(figure, options.out / "second_order.png")
    claim(
        len(fast) <= 16 and slow[-1][1] < GOAL and apart < 2 * GOAL / smallest
        and len(slow) > (20 if options.quick else 100) * len(fast) and fast[-1][0] < len(slow) / (2 if options.quick else 10),
        f"Newton takes {len(fast) - 1} steps with {fast[-1][0]:,} gradients and products, gradient descent {len(slow) - 1:,}"
        " steps",
    )  # fmt: skip


if __name__ == "__main__":
    main()
