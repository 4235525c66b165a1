"""A network that obeys an equation: heat in a bar, from its start and its ends alone; and how fast it spreads, from measurements.

Claim: told only the heat at the start and at the ends, and the equation in between, a network is within 3 % of the exact
solution at all later times (root mean square over the whole). From these and 30 noisy measurements another one finds the unknown
conductivity within 15 %, and has at most half the error of the same network that fits the measurements and knows no equation.

The loss is how far u_t - a u_xx is from 0 at random places, so it contains a second derivative of the network by its input, and
is then differentiated by the weights. In the second task a is learnt along with the weights, as one number more.
Source: Raissi, Perdikaris and Karniadakis, Physics-informed neural networks, 2019.
"""

import math

import nn
from autograd import cat, grad, linspace, manual_seed, meshgrid, no_grad, rand, randn, stack
from nn import optim

from common import arguments, claim, panels, save

A = 0.1  # the true conductivity


def exact(points):
    """The heat at (x, t), from 0 to 1 both: two waves, of which the shorter dies away nine times as fast."""
    x, t = points[:, 0], points[:, 1]
    return sum(
        height * (k * math.pi * x).sin() * (-A * (k * math.pi) ** 2 * t).exp() for k, height in ((1, 1.0), (3, 0.7))
    )  # fmt: skip


def network():
    return nn.Sequential(
        nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )


def residual(net, points, a):
    """u_t - a u_xx, which is 0 where the equation holds."""
    points = points.requires_grad_()
    (slope,) = grad(net(points).sum(), points, create_graph=True)
    (curvature,) = grad(slope[:, 0].sum(), points, create_graph=True)
    return slope[:, 1] - a * curvature[:, 0]


def train(known, steps, a=None, batch=200):
    """A network that has the `known` values at their points and, if there is an `a`, obeys the equation elsewhere."""
    net = network()
    points, values = known
    optimizer = optim.Adam([*net.parameters(), *([a] if isinstance(a, nn.Parameter) else [])], lr=5e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = 100 * ((net(points)[:, 0] - values) ** 2).mean()
        if a is not None:
            loss = loss + (residual(net, rand(batch, 2), a) ** 2).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        found.append(a.item() if isinstance(a, nn.Parameter) else a)
    return net, found


@no_grad()
def draw(grid, heats, measured, path_of_a, path):
    figure, axes = panels(5, 1, 2.4, 2.7)
    for ax, (name, heat) in zip(axes, heats.items(), strict=False):
        heat = heat(grid) if isinstance(heat, nn.Module) else heat
        image = ax.imshow(
            heat.reshape(60, 60).T.numpy(), origin="lower", extent=(0, 1, 0, 1), cmap="inferno", vmin=-0.1, vmax=1.2
        )
        ax.set(title=name, xlabel="place", xticks=[0, 1], yticks=[0, 1])
        if "measurements" in name or "these" in name:
            ax.scatter(*measured.T.numpy(), s=14, facecolor="none", edgecolor="white")
    axes[0].set_ylabel("time")
    figure.colorbar(image, ax=axes[:4], location="bottom", shrink=0.3, label="heat")
    axes[4].plot(path_of_a, color="#4f46e5")
    axes[4].axhline(A, color="#94a3b8", linestyle="--")
    axes[4].set(title="conductivity, as learnt", xlabel="step", ylim=(0, None))
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    steps = 600 if options.quick else 2500
    side = linspace(0, 1, 60)
    grid = stack([part.flatten() for part in meshgrid(side, side, indexing="ij")], 1)
    truth = exact(grid)

    def error(net):
        with no_grad():
            return ((net(grid)[:, 0] - truth).norm() / truth.norm()).item()

    x = linspace(0, 1, 40)
    edges = cat([stack([x, 0 * x], 1), stack([0 * x, x], 1), stack([0 * x + 1, x], 1)])
    solved, _ = train((edges, exact(edges)), steps, A)
    print(f"from the edges and the equation: {error(solved):.1%} off")

    measured = rand(30, 2)
    told = cat([edges, measured]), cat([exact(edges), exact(measured) + 0.03 * randn(30)])
    fitted, _ = train(told, steps)
    learnt = nn.Parameter(0.3)
    informed, path_of_a = train(told, steps, learnt)
    print(f"from 30 measurements: {error(fitted):.1%} off, with the equation {error(informed):.1%}; a is {learnt.item():.4f}")
    draw(grid, {"exact": truth, "edges and equation": solved, "edges and 30 measurements": fitted,
                "these and equation": informed}, measured, path_of_a, options.out / "physics.png")  # fmt: skip
    claim(
        error(solved) <= min(0.25 if options.quick else 0.03, 0.7 * error(fitted))
        and (options.quick or (error(informed) <= error(fitted) / 2 and abs(learnt.item() / A - 1) <= 0.15)),
        f"{error(solved):.1%} off the exact solution from the edges; from 30 measurements {error(informed):.1%} off with the"
        f" equation and {error(fitted):.1%} without, and a conductivity of {learnt.item():.4f}, where {A} is true",
    )


if __name__ == "__main__":
    main()
