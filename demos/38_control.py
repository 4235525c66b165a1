"""Learning to control by differentiating the world: a network swings a pendulum up that its motor is too weak to lift.

    python demos/38_control.py [--quick] [--seed 0] [--out pictures]

Claim: of eight networks at least six learn to swing the pendulum up from hanging and to hold it there, in at least 95 of 100
tries. Of eight PID controllers, tuned by the same gradients through the same simulation, none does in more than 20; but set
near the top, the best of them holds it up in at least 95 of 100.

The motor has half the strength to hold the pendulum sideways: to get up it must swing to and fro. Nobody tells the network so:
its cost is how far from the top the pendulum is, and the gradient of that goes back through ten seconds of physics. Now and
then one settles on staying down, where each small change is for the worse: that is why there are eight.
Source: Nguyen and Widrow, Neural networks for self-learning control systems, 1990.
"""

import math

import nn
from autograd import arange, linspace, manual_seed, meshgrid, no_grad, rand, randn, stack, zeros
from nn import optim

from common import arguments, claim, panels, save

MOTOR = 0.5  # its torque; the pendulum's own is the sine of its angle from the top
MANY, STEPS, STEP = 8, 100, 0.1  # controllers; steps of so many seconds


class Networks(nn.Module):
    """Eight networks at once: their weights are stacked, and `@` multiplies each by its own."""

    def __init__(self):
        super().__init__()
        sizes = ((3, 16), (16, 16), (16, 1))
        self.weights = nn.ParameterList([nn.Parameter(randn(MANY, m, n) / math.sqrt(m)) for m, n in sizes])
        self.biases = nn.ParameterList([nn.Parameter(zeros(MANY, 1, n)) for _, n in sizes])

    def forward(self, angle, speed, memory):
        x = stack([angle.cos(), angle.sin(), speed], -1)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = (x @ weight + bias).tanh()
        return x[..., 0]


class PIDs(nn.Module):
    """Eight of them, each with three gains: of the error, of its integral, and of its derivative."""

    def __init__(self):
        super().__init__()
        self.gains = nn.Parameter(2 * rand(3, MANY, 1))

    def forward(self, angle, speed, memory):
        p, i, d = self.gains
        return -(p * angle.sin() + i * memory + d * speed).tanh()


def simulate(controllers, angle, speed, steps=STEPS):
    """The mean cost of each controller over all tries, (8,), and the angles and speeds of each moment, (steps, 8, tries)."""
    angle, speed, memory, angles, speeds = angle.expand(MANY, -1), speed.expand(MANY, -1), 0.0, [], []
    for _ in range(steps):
        memory = memory + STEP * angle.sin()
        torque = MOTOR * controllers(angle, speed, memory)
        speed = speed + STEP * (angle.sin() + torque - 0.1 * speed)
        angle = angle + STEP * speed
        angles.append(angle)
        speeds.append(speed)
    angles, speeds = stack(angles), stack(speeds)
    return (1 - angles.cos() + 0.05 * speeds**2).mean((0, 2)), angles, speeds


def train(controllers, iterations, lr):
    optimizer = optim.Adam(controllers.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        optimizer.zero_grad()
        around = (2 * rand(32) - 1) * (math.pi * (arange(32) % 2) + 0.3)  # half of the tries begin near the top, half anywhere
        cost, _, _ = simulate(controllers, around, 2 * rand(32) - 1)
        cost.sum().backward()
        for p in controllers.parameters():  # of each of the eight by itself: one that thrashes shall not slow the others
            p.grad /= (p.grad.flatten(1).norm(dim=1) / 0.3).clamp(1).reshape(-1, 1, 1) if len(p) == MANY else 1
        optimizer.step()
        schedule.step()
    return controllers


@no_grad()
def tries(controllers, around):
    """Of 100 starts near an angle, in how many each controller keeps it up to the end; and the courses."""
    _, angles, speeds = simulate(controllers, around + 0.4 * rand(100) - 0.2, 0.4 * rand(100) - 0.2, 3 * STEPS)
    return (angles[-30:].cos() > 0.95).all(0).sum(1).tolist(), angles, speeds


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    iterations, lr = (150, 0.03) if options.quick else (300, 0.02)
    networks, pids = train(Networks(), iterations, lr), train(PIDs(), iterations // 2, 0.1)
    (up, angles, speeds), (never, of_pid, _) = tries(networks, math.pi), tries(pids, math.pi)
    held, _, _ = tries(pids, 0.0)
    print("in 100 tries the networks get it up", up, "times, the PID controllers", never, "and hold it up", held)
    best, (figure, (left, right)) = up.index(max(up)), panels(2, width=5.5, height=4)
    for colour, courses in (("#94a3b8", of_pid[:, held.index(max(held))]), ("#4f46e5", angles[:, best])):
        left.plot(STEP * arange(3 * STEPS).numpy(), courses[:, :8].cos().numpy(), color=colour)
    left.set(title="eight tries: a network (blue), PID (grey)", xlabel="seconds", yticks=[-1, 1], yticklabels=["down", "up"])
    edges = (-5, 5, -2.6, 2.6)
    plane = meshgrid(linspace(*edges[:2], 80), linspace(*edges[2:], 60), indexing="xy")
    torque = networks(*(t.reshape(1, -1).expand(MANY, -1) for t in plane), None)[best].reshape(60, 80)
    right.imshow(torque.detach().numpy(), extent=edges, origin="lower", aspect="auto", cmap="PuOr", vmin=-1, vmax=1, alpha=0.7)
    way = angles[:, best, 0] - 2 * math.pi * (angles[-1, best, 0] / (2 * math.pi)).round()  # it ends at 0
    right.plot(way.numpy(), speeds[:, best, 0].numpy(), color="black", linewidth=1.5)
    right.set(title="one try, and what the motor does where", xlabel="angle from the top", ylabel="speed", xlim=edges[:2])
    save(figure, options.out / "control.png")
    good = sum(n >= 95 for n in up)
    claim(
        good >= (1 if options.quick else 6) and max(never) <= 20 and max(held) >= 95,
        f"of 8 networks {good} swing the pendulum up in at least 95 of 100 tries; the best PID controller does "
        f"in {max(never)}, and holds it up in {max(held)}",
    )


if __name__ == "__main__":
    main()
