"""A generator learns to draw by deceiving a critic: a GAN, and the Wasserstein GAN with a gradient penalty.

    python demos/46_gan.py [--quick] [--seed 0] [--out pictures]

Claim: trained on points around eight places, the WGAN-GP draws points at all eight, and at least 75 % of its points are near
one. What the GAN does with the same networks and as many steps is measured beside it: that differs from seed to seed.

The critic of the WGAN-GP is kept from steep slopes: its loss contains the gradient of its own output, and is differentiated
once more, a second derivative through the network.
Source: Goodfellow et al., Generative adversarial nets, 2014; Gulrajani et al., Improved training of Wasserstein GANs, 2017.
"""

import math

import nn
import nn.functional as F
from autograd import arange, grad, manual_seed, no_grad, rand, randint, randn, stack
from nn import optim

from common import arguments, claim, panels, save

PLACES = 2 * stack([(arange(8) * (math.pi / 4)).cos(), (arange(8) * (math.pi / 4)).sin()], 1)


def real(n):
    return PLACES[randint(0, 8, (n,))] + 0.1 * randn(n, 2)


def network(inputs, outputs, hidden=64):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def gan(critic, true, false):
    """The critic's loss: it shall say yes to the true points, no to the false."""
    return F.softplus(-critic(true)).mean() + F.softplus(critic(false)).mean()


def wgan_gp(critic, true, false):
    """The critic's loss: true points higher than false ones, and a slope of 1 between them."""
    share = rand(len(true), 1)
    between = (share * true + (1 - share) * false).requires_grad_()
    (slope,) = grad(critic(between).sum(), between, create_graph=True)
    return critic(false).mean() - critic(true).mean() + ((slope.norm(dim=1) - 1) ** 2).mean()


def train(loss, deceive, steps, batch=128):
    """`loss` is the critic's, `deceive` the generator's, of what the critic says of its points. Returns the points at times."""
    generator, critic = network(4, 2), network(2, 1)
    of_generator = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    of_critic = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    seen = []
    for step in range(steps + 1):
        if step in (steps // 16, steps // 4, steps):
            with no_grad():
                seen.append((step, generator(randn(1000, 4))))
        for _ in range(3):
            of_critic.zero_grad()
            with no_grad():
                false = generator(randn(batch, 4))
            loss(critic, real(batch), false).backward()
            of_critic.step()
        of_generator.zero_grad()
        deceive(critic(generator(randn(batch, 4)))).backward()
        of_generator.step()
    return seen


def quality(points):
    """At how many places there are at least 2 % of the points, and what share of the points is near a place."""
    distance, place = (points[:, None] - PLACES).norm(dim=2).min(1)
    near = distance < 0.5
    there = (place[near].bincount(minlength=8) >= 20).sum().item()
    return there, near.float().mean().item()


def draw(seen, path):
    figure, axes = panels(3, len(seen), 3.2, 3.3)
    for row, (name, times) in enumerate(seen.items()):
        for ax, (step, points) in zip(axes[3 * row :], times, strict=False):
            ax.scatter(*PLACES.T.numpy(), s=400, color="#e2e8f0")
            ax.scatter(*points.T.numpy(), s=3, color="#4f46e5", alpha=0.5)
            there, near = quality(points)
            ax.set(title=f"{name}, step {step}:\n{there} places, {near:.0%} near", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
            ax.set(xticks=[], yticks=[])
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    steps = 400 if options.quick else 3000
    seen = {
        "GAN": train(gan, lambda said: F.softplus(-said).mean(), steps),
        "WGAN-GP": train(wgan_gp, lambda said: -said.mean(), steps),
    }
    found = {name: quality(times[-1][1]) for name, times in seen.items()}
    draw(seen, options.out / "gan.png")
    (gan_there, gan_near), (there, near) = found.values()
    claim(
        there >= (6 if options.quick else 8) and near >= (0.5 if options.quick else 0.75),
        f"WGAN-GP: {there} of 8 places, {near:.0%} of the points near one; GAN: {gan_there} of 8, {gan_near:.0%}",
    )


if __name__ == "__main__":
    main()
