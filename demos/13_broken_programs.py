"""Six broken programs, as they are found in tutorials, each shown to fail, and repaired.

Claim: each broken program misses the goal of its task, the repaired one reaches it: six of six.
"""

import math

import nn
import nn.functional as F
from autograd import differentiable, gradcheck, manual_seed, ones, tensor
from nn import optim
from nn.datasets import make_blobs

from common import arguments, claim, panels, save

X, Y = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tensor([[0.0], [1.0], [1.0], [0.0]])


def descend(optimizer, loss, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def network():
    return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())


def largest_error(net):
    return (net(X) - Y).abs().max().item()


def tiny_weights(broken):
    """randn(m, n) * 0.01 and plain gradient descent: all units compute nearly 0, and no gradient gets past them."""
    net = network()
    for layer in (net[0], net[2]):
        nn.init.normal_(layer.weight, 0, 0.01 if broken else 1 / math.sqrt(layer.in_features))
        nn.init.zeros_(layer.bias)
    descend(optim.SGD(net.parameters(), lr=1.0), lambda: F.mse_loss(net(X), Y), 1000)
    return largest_error(net)


def broadcast_labels(broken):
    """(4, 1) minus (4,) is (4, 4): each answer is drawn to all four labels. F.mse_loss refuses that, a minus does not."""
    net, labels = network(), Y[:, 0] if broken else Y
    descend(optim.Adam(net.parameters(), lr=0.05), lambda: ((net(X) - labels) ** 2).mean(), 500)
    return largest_error(net)


def other_derivative(broken):
    """A ReLU whose backward is the sigmoid's: gradcheck sees it at once; returns how far the slope is off."""
    rule = (lambda g, out: g * out * (1 - out)) if broken else (lambda g, x: g * (x > 0))
    relu = differentiable(x=rule)(lambda x: x * (x > 0))
    x = tensor([-1.5, -0.5, 0.5, 2.0]).double().requires_grad_()
    print("  gradcheck says", gradcheck(relu, [x], raise_exception=False))
    relu(x).sum().backward()
    return (x.grad - (x > 0).double()).abs().max().item()


def forgetful_optimizer(broken):
    """Adam made anew in each step has no memory: each step goes by lr in every direction, and it never settles."""
    p = tensor([2.0, -1.0], requires_grad=True)
    for _ in range(300 if broken else 1):
        descend(optim.Adam([p], lr=0.15), lambda: (tensor([1.0, 10.0]) * p**2).sum(), 1 if broken else 300)
    return p.abs().max().item()


def wrong_axis(broken):
    """Softmax over the examples: the numbers of one example sum to anything, and alone each class has probability 1."""
    x, labels = make_blobs(200, centers=4, cluster_std=0.5)
    x = (x - x.mean(0)) / x.std(0)
    net, axis = nn.Linear(2, 4), 0 if broken else 1
    descend(optim.Adam(net.parameters(), lr=0.1), lambda: F.nll_loss(net(x).softmax(axis).log(), labels), 100)
    return (net(x).softmax(axis).sum(1) - 1).abs().max().item()


def one_name_for_two(broken):
    """`scheduler = A(...)`, `scheduler = B(...)`: A is never stepped. Returns how far the rate is from warm-up times decay."""
    optimizer = optim.SGD([ones(1, requires_grad=True)], lr=1.0)
    scheduler = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    if broken:
        scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    else:
        scheduler = optim.lr_scheduler.ChainedScheduler([scheduler, optim.lr_scheduler.StepLR(optimizer, 10, 0.5)])
    for _ in range(20):
        optimizer.step()
        scheduler.step()
    return abs(optimizer.param_groups[0]["lr"] - 0.25)


PROGRAMS = {  # each returns an error, which is to be below this
    tiny_weights: 0.2, broadcast_labels: 0.2, other_derivative: 1e-6, forgetful_optimizer: 0.02, wrong_axis: 1e-3,
    one_name_for_two: 1e-6,
}  # fmt: skip


def main():
    options, errors = arguments(__doc__), {}
    for program, goal in PROGRAMS.items():
        for broken in (True, False):
            manual_seed(options.seed)
            errors[program, broken] = program(broken)
        print(f"{program.__name__:20} goal {goal:g}, broken {errors[program, True]:.4f}, repaired {errors[program, False]:.2g}")

    figure, (ax,) = panels(1, width=7.5, height=3.6)
    for i, (broken, label) in enumerate(((True, "broken"), (False, "repaired"))):
        ratios = [max(errors[program, broken] / goal, 1e-3) for program, goal in PROGRAMS.items()]
        ax.barh([j + 0.2 - 0.4 * i for j in range(6)], ratios, 0.38, left=0, color=("C3", "C2")[i], label=label)
    ax.axvline(1, color="k", linewidth=1)
    ax.set(xscale="log", title="error, as a multiple of what is still right", xlim=(3e-4, None))
    ax.set_yticks(range(6), [program.__name__.replace("_", " ") for program in PROGRAMS])
    ax.legend(frameon=False)
    save(figure, options.out / "broken_programs.png")
    fail, work = (sum((errors[program, b] > goal) == b for program, goal in PROGRAMS.items()) for b in (True, False))
    claim(fail == work == 6, f"of the broken programs {fail} of 6 miss their goal, of the repaired ones {work} of 6 reach it")


if __name__ == "__main__":
    main()
