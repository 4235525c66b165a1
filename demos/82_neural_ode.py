"""A neural ODE learns how an oscillator moves from short pieces of its path, and goes on far beyond what it has seen.

Claim: from noisy pieces of 2 seconds, a network learns the speed at every place so well that, over 10 seconds from starts that it
has never seen, it is off by at most a third as much as the best linear equation, learnt in the same way. The gradient by
the adjoint equation, which keeps no steps, is that through all steps of the solver, to 3 digits.

The network gives dx/dt; x(t) comes from a Runge-Kutta solver, and the gradient goes back through its steps, as through layers.
The adjoint method instead solves a second equation back in time for the gradient, and needs memory for one step only.
The true equation is van der Pol's: any start ends in the same loop, which no linear equation can do.
Source: Chen, Rubanova, Bettencourt and Duvenaud, Neural ordinary differential equations, 2018; van der Pol, 1926.
"""

import itertools

import nn
from autograd import func, linspace, manual_seed, no_grad, rand, randn_like, stack, zeros_like
from nn import optim

from common import arguments, claim, panels, save

STEP = 0.1


def van_der_pol(x):
    place, speed = x[..., 0], x[..., 1]
    return stack([speed, (1 - place**2) * speed - place], -1)


def runge_kutta(f, x, step=STEP):
    """Where x is a step later."""
    b = f(x + step / 2 * (a := f(x)))
    c = f(x + step / 2 * b)
    return x + step / 6 * (a + 2 * b + 2 * c + f(x + step * c))


def path(f, x, steps):
    """The places (steps + 1, n, 2) from x on."""
    return stack(list(itertools.accumulate(range(steps), lambda x, _: runge_kutta(f, x), initial=x)))


def train(f, seen, updates, lr):
    """Start at the first places, and be where the others are at their times."""
    optimizer = optim.Adam(f.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for _ in range(updates):
        optimizer.zero_grad()
        ((path(f, seen[0], len(seen) - 1) - seen) ** 2).mean().backward()
        optimizer.step()
        schedule.step()


def adjoint(f, start, end_of_loss, steps):
    """The gradients of a loss of the last place by the weights of f, from an equation that is solved back in time.

    It carries the place x, the gradient g by it, and those by the weights w: dx/dt = f, dg/dt = -g df/dx, dw/dt = -g df/dw.
    """
    weights = {name: p.detach() for name, p in f.named_parameters()}

    def speeds(x, g):
        v, pull = func.vjp(lambda w, x: func.functional_call(f, w, x), weights, x)
        by_weights, by_place = pull(g)
        return v, -by_place, {name: -grad for name, grad in by_weights.items()}

    with no_grad():
        x = path(f, start, steps)[-1]
        g = func.grad(end_of_loss)(x)
        total = {name: zeros_like(p) for name, p in weights.items()}
        for _ in range(steps):
            ks = [speeds(x, g)]
            for part in (0.5, 0.5, 1.0):
                ks.append(speeds(x - part * STEP * ks[-1][0], g - part * STEP * ks[-1][1]))
            for (dx, dg, dw), share in zip(ks, (1 / 6, 1 / 3, 1 / 3, 1 / 6), strict=True):
                x, g = x - STEP * share * dx, g - STEP * share * dg
                total = {name: total[name] - STEP * share * dw[name] for name in total}
    return total


def draw(seen, true, ours, straight, path):
    figure, axes = panels(3, 1, 3.9, 3.6)
    axes[0].plot(seen[:, :12, 0].numpy(), seen[:, :12, 1].numpy(), ".-", color="#94a3b8", markersize=3, linewidth=0.7)
    axes[0].set(title="seen: pieces of 2 seconds, with noise")
    for p, colour, width in ((true, "#cbd5e1", 4), (ours, "#4f46e5", 1)):
        axes[1].plot(p[:, :4, 0].numpy(), p[:, :4, 1].numpy(), color=colour, linewidth=width)
    axes[1].set(title="10 seconds from new starts")
    for p, colour, name in ((true, "#cbd5e1", "true"), (ours, "#4f46e5", "network"), (straight, "#dc2626", "linear equation")):
        axes[2].plot(linspace(0, 10, 101), p[:, 0, 0].numpy(), color=colour, linewidth=4 if p is true else 1.3, label=name)
    axes[2].set(title="the first of these, in time", xlabel="seconds", ylim=(-3.5, 5))
    axes[2].legend(frameon=False, ncols=3, fontsize=8, loc="upper center")
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    pieces, updates = (32, 200) if options.quick else (48, 800)
    truth = path(van_der_pol, 5 * rand(pieces, 2) - 2.5, 20)
    seen = truth + 0.05 * randn_like(truth)
    linear = nn.Linear(2, 2)
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    train(linear, seen, updates, 0.05)
    train(net, seen, updates, 0.02)

    start = 5 * rand(100, 2) - 2.5
    with no_grad():
        true, ours, straight = (path(f, start, 100) for f in (van_der_pol, net, linear))
    off = [(p - true).norm(dim=2).mean().item() for p in (ours, straight)]
    draw(seen, true, ours, straight, options.out / "neural_ode.png")

    net.double().zero_grad()
    x = start[:5].double()
    path(net, x, 20)[-1].norm().backward()
    back = adjoint(net, x, lambda end: end.norm(), 20)
    apart = max(((back[n] - p.grad).norm() / p.grad.norm()).item() for n, p in net.named_parameters())
    claim(
        off[0] <= off[1] * (0.7 if options.quick else 1 / 3) and apart < 1e-3,
        f"over 10 seconds the network is off by {off[0]:.2f} on average, the linear equation by {off[1]:.2f}; the gradients by"
        f" the adjoint equation and through the steps differ by {apart:.0e}",
    )


if __name__ == "__main__":
    main()
