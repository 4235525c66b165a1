"""Learning to balance a pole from nothing but how long it stood: REINFORCE with a baseline, and an actor with a critic.

Claim: a pole on a cart, which falls after about 20 steps if it is pushed at random, stands for at least 150 of 200 steps after
either method, mean of three runs, and in none of these for less than 100.

The network gives the odds of pushing to the right. Nobody knows the right push, so there is no loss to differentiate; but the
gradient of the log probability of what was done, times how much better it went than expected, is on average the gradient of
what comes of it. REINFORCE waits until a pole has fallen; what it expects is a second network's guess, the baseline. The actor
does not wait: after 128 steps its critic, the same second network, says what is still to come.
Source: Barto, Sutton and Anderson, Neuronlike adaptive elements, 1983 (the pole); Williams, Simple statistical gradient-following
algorithms, 1992; Mnih et al., Asynchronous methods for deep reinforcement learning, 2016.
"""

import numpy as np

import nn
from autograd import manual_seed, no_grad, tensor
from autograd.distributions import Bernoulli
from nn import optim

from common import arguments, claim, panels, save

LONGEST, DISCOUNT = 200, 0.99


def moved(state, right):
    """Poles, each by place, speed, angle and spin, 0.02 s later, pushed by 10 N; and which are down or off the track."""
    _, speed, angle, spin = state.T
    sin, cos = np.sin(angle), np.cos(angle)
    push = (np.where(right, 10.0, -10.0) + 0.05 * spin**2 * sin) / 1.1
    turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    state = state + 0.02 * np.stack([speed, push - 0.05 * turn * cos / 1.1, spin, turn], 1)
    return state, (abs(state[:, 0]) > 2.4) | (abs(state[:, 2]) > 0.21)


def network():
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1), nn.Flatten(0))


@no_grad()
def says(net, state):
    return net(tensor(state).float()).numpy()


def train(rng, steps, at_once, waits, n=8):
    """Watch n poles for `at_once` steps, learn from that, and so on, until `steps` have been seen.

    If it waits, it learns only from pushes of which it knows what came; else the critic's guess stands for what it has not seen.
    Returns the actor, and how long poles stood, by steps.
    """
    actor, critic = network(), network()
    optimizer = optim.Adam([*actor.parameters(), *critic.parameters()], lr=1e-2)
    schedule = optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, steps // (n * at_once))
    state, ages, ends, curve = rng.uniform(-0.05, 0.05, (n, 4)), np.zeros(n), [], []
    for seen in range(n * at_once, steps + 1, n * at_once):
        if waits:
            state, ages = rng.uniform(-0.05, 0.05, (n, 4)), np.zeros(n)
        story = []
        for _ in range(at_once):
            push = rng.random(n) < 1 / (1 + np.exp(-says(actor, state)))
            after, down = moved(state, push)
            over = down | (ages == LONGEST - 1)
            story.append((state, push, over, np.where(down | waits, 0.0, says(critic, after))))
            ends += (ages[over] + 1).tolist()
            state = np.where(over[:, None], rng.uniform(-0.05, 0.05, (n, 4)), after)
            ages = np.where(over, 0, ages + 1)
        states, pushes, over, worth = map(np.array, zip(*story, strict=True))
        rest, came = np.full(n, np.nan) if waits else says(critic, state), np.empty(over.shape)
        for t in reversed(range(at_once)):
            came[t] = rest = 1 + DISCOUNT * np.where(over[t], worth[t], rest)
        states, pushes, came = (tensor(part[~np.isnan(came)]).float() for part in (states, pushes, came))
        guess, odds = critic(states), Bernoulli(logits=actor(states))
        better = (came - guess).detach()
        gain = (odds.log_prob(pushes) * (better - better.mean()) / (better.std() + 1e-6)).mean()
        optimizer.zero_grad()
        (nn.SmoothL1Loss()(guess, came) - gain - 0.01 * odds.entropy().mean()).backward()
        nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        curve.append((seen, np.mean(ends[-40:] or [0])))
    return actor, curve


def stands(actor, rng, n=100):
    """How long n poles stand on average, of 200 steps, if the likelier push is made."""
    state, ages, up = rng.uniform(-0.05, 0.05, (n, 4)), 0, np.ones(n, bool)
    for _ in range(LONGEST):
        state, down = moved(state, says(actor, state) > 0)
        ages, up = ages + up, up & ~down
    return ages.mean()


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    learners, steps, mean, least = (1, 60_000, 80, 80) if options.quick else (3, 150_000, 150, 100)
    figure, (left, right) = panels(1, 2, 7, 2.6)
    stood = {}
    for name, at_once, waits, colour in (("REINFORCE", LONGEST, True, "#94a3b8"), ("actor-critic", 128, False, "#4f46e5")):
        runs = [train(rng, steps, at_once, waits) for _ in range(learners)]
        stood[name] = [stands(actor, rng) for actor, _ in runs]
        for i, (_, curve) in enumerate(runs):
            left.plot(*zip(*curve, strict=True), color=colour, label=None if i else name)
    left.set(title="steps that the last forty poles stood", xlabel="steps seen", ylim=(0, LONGEST))
    left.legend(frameon=False)
    state, best = np.array([[0.0, 0.0, 0.15, 0.0]]), runs[int(np.argmax(stood[name]))][0]
    for i in range(100):
        if i % 10 == 0:
            x, angle = 0.1 * i + state[0, 0], state[0, 2]
            right.plot([x - 0.2, x + 0.2, x, x + np.sin(angle)], [0, 0, 0, np.cos(angle)], color="#4f46e5", linewidth=3)
        state, _ = moved(state, says(best, state) > 0)
    right.set(title="caught by the actor: every 0.2 seconds", aspect="equal", ylim=(-0.3, 1.5), xticks=[], yticks=[])
    save(figure, options.out / "cartpole.png")
    claim(
        min(map(np.mean, stood.values())) >= mean and min(map(min, stood.values())) >= least,
        ", ".join(f"after {name} a pole stands for {np.mean(values):.0f} of 200 steps" for name, values in stood.items()),
    )


if __name__ == "__main__":
    main()
