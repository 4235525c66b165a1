"""Linear regression by batch, mini-batch and stochastic gradient descent, against the closed form.

Claim: after the same number of passes over the data, batch gradient descent is within 0.0001 of the weights of least squares,
and those of mini-batches and of single examples, whose gradients are noisy, within 0.05; a rate that falls calms the noise.
"""

import numpy as np

from autograd import from_numpy, manual_seed, randn, tensor, zeros
from nn import optim
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

TRUE = tensor([3.0, -2.0, 1.0])  # two slopes and a constant
WAYS = {"batch": (200, 0.4), "mini-batch of 20": (20, 0.1), "stochastic": (1, 0.01)}  # examples per step, learning rate


def data(n=200):
    """Points, with a column of ones for the constant, and what a line and some noise make of them."""
    x = randn(n, 3) * tensor([1.0, 0.6, 0.0]) + tensor([0.0, 0.0, 1.0])
    return x, x @ TRUE + 0.5 * randn(n)


def descend(x, y, size, lr, epochs):
    """The weights after each step; the rate of epoch t is lr / (1 + t / 5)."""
    w = zeros(3, requires_grad=True)
    optimizer = optim.SGD([w], lr=lr)
    falling = optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t / 5) if size < len(x) else 1.0)
    path = [w.tolist()]
    for _ in range(epochs):
        for rows, targets in DataLoader(TensorDataset(x, y), size, shuffle=True):
            optimizer.zero_grad()
            ((rows @ w - targets) ** 2).mean().backward()
            optimizer.step()
            path.append(w.tolist())
        falling.step()
    return np.array(path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    x, y = data()
    best = np.linalg.lstsq(x.numpy(), y.numpy())[0]
    print("least squares:", best.round(4))
    epochs = 40 if options.quick else 80
    paths = {name: descend(x, y, size, lr, epochs) for name, (size, lr) in WAYS.items()}
    far = {name: float(np.abs(path[-1] - best).max()) for name, path in paths.items()}

    figure, (left, right) = panels(2, width=5, height=4)
    a, b = np.meshgrid(np.linspace(-0.5, 4.5, 60), np.linspace(-3.2, 0.7, 60))
    lines = from_numpy(np.stack([a, b, np.full_like(a, best[2])], -1)) @ x.T.double()
    left.contour(a, b, ((lines - y) ** 2).mean(-1).numpy(), levels=12, colors="0.85")
    for name, path in paths.items():
        per_epoch = (len(path) - 1) // epochs
        left.plot(path[:, 0], path[:, 1], linewidth=1, label=name)
        right.semilogy(np.arange(len(path)) / per_epoch, np.abs(path - best).max(1), linewidth=1, label=name)
        print(f"{name:17}", path[-1].round(4), f"off by {far[name]:.5f}")
    left.plot(*best[:2], "k*", markersize=12)
    left.set(title="the paths to the least squares (star)", xlabel="first slope", ylabel="second slope")
    left.legend(frameon=False)
    right.set(title="distance to it", xlabel="passes over the data")
    save(figure, options.out / "linear_regression.png")
    claim(
        far["batch"] < 1e-4 and max(far.values()) < 0.05,
        f"off by {far['batch']:.6f} (batch), {far['mini-batch of 20']:.4f} (mini-batch), {far['stochastic']:.4f} (stochastic)",
    )


if __name__ == "__main__":
    main()
