"""Training that keeps no secret of a single example: differentially private SGD, with a gradient for each example.

Claim: a tenth of the training labels is wrong. An ordinary network learns at least 85 % of these by heart, so whoever has it can
tell that they were there. The private one learns at most 10 % of them, and reads at least 85 % of the test digits, with an
epsilon of less than 4 at a delta of 0.0005.

Each example's gradient is cut to length 1 before they are added up, and noise is added of twice that length: what one example
can change drowns in it. `func.vmap` of `func.grad` makes all gradients at once. The smaller epsilon, the less the odds can change
by which anybody tells whether an example was there. It is accounted by Renyi divergences of the subsampled Gaussian; for that,
each example is in a batch by a toss of its own coin.
Source: Abadi et al., Deep learning with differential privacy, 2016; Mironov, Talwar and Zhang, Renyi differential privacy of the
sampled Gaussian mechanism, 2019; Canonne, Kamath and Steinke, The discrete Gaussian for differential privacy, 2020.
"""

import math

import nn
import nn.functional as F
from autograd import func, manual_seed, rand, randint, randn_like, tensor
from nn import optim
from nn.datasets import digits
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, claim, panels, save

LENGTH, DELTA = 1.0, 5e-4


def epsilon(noise, share, steps, delta=DELTA):
    """What `steps` releases cost in all, each of a sum over a random `share` of the examples, with noise of so many lengths.

    The divergence of order a of one is log(sum of C(a, k) (1 - share)^(a - k) share^k e^((k^2 - k) / 2 noise^2)) / (a - 1).
    """
    log, best = math.log, math.inf
    for a in range(2, 200):
        terms = [
            log(math.comb(a, k)) + k * log(share) + (a - k) * log(1 - share) + (k * k - k) / noise**2 / 2
            for k in range(a + 1)
        ]  # fmt: skip
        divergence = tensor(terms, dtype="float64").logsumexp(0).item() / (a - 1)
        best = min(best, steps * divergence + log(1 - 1 / a) - log(delta * a) / (a - 1))
    return best


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def per_example_gradients(net, images, labels):
    """A dict of gradients by name, each with the examples in front."""

    def loss(weights, image, label):
        return F.cross_entropy(func.functional_call(net, weights, image[None]), label[None])

    weights = {name: p.detach() for name, p in net.named_parameters()}
    return func.vmap(func.grad(loss), in_dims=(None, 0, 0))(weights, images, labels)


def train(net, images, labels, steps, share=0.1, noise=None, lr=0.005):
    """Steps of Adam on batches into which each example comes by chance; private if there is noise."""
    optimizer = optim.Adam(net.parameters(), lr=lr)
    for _ in range(steps):
        batch = rand(len(images)) < share
        optimizer.zero_grad()
        if noise is None:
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
        else:
            gradients = per_example_gradients(net, images[batch], labels[batch])
            lengths = sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt()
            cut = (LENGTH / lengths).clip(max=1.0)
            for name, p in net.named_parameters():
                total = (gradients[name].movedim(0, -1) * cut).sum(-1)
                p.grad = (total + noise * LENGTH * randn_like(total)) / (share * len(images))
        optimizer.step()
    return net


def draw(found, costs, path):
    figure, axes = panels(2, 1, 5.4, 3.4)
    for i, ((name, values), colour) in enumerate(zip(found.items(), ("#94a3b8", "#4f46e5"), strict=True)):
        bars = axes[0].bar([x + 0.36 * i - 0.18 for x in (0, 1)], values, 0.34, color=colour, label=name)
        axes[0].bar_label(bars, [f"{value:.0%}" for value in values])
    axes[0].set_xticks([0, 1], ["test digits read right", "wrong labels learnt by heart"])
    axes[0].set(title="what they know", ylim=(0, 1.3), yticks=[0, 0.5, 1])
    axes[0].legend(frameon=False, ncols=2, loc="upper center")
    axes[1].plot(*zip(*costs, strict=True), color="#4f46e5")
    axes[1].set(title="what the private one has given away: epsilon", xlabel="step", ylim=(0, None), xlim=(0, None))
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    train_set, test_set = digits()
    (images, truth), (unseen, answers) = train_set.tensors, test_set.tensors
    wrong = rand(len(truth)) < 0.1
    labels = (truth + wrong.long() * randint(1, 10, (len(truth),))) % 10
    (steps, most, least), noise, share = (100, 0.4, 0.7) if options.quick else (300, 0.85, 0.85), 2.0, 0.1

    net = network()
    F.cross_entropy(net(images[:50]), labels[:50]).backward()  # the mean of all gradients is that of the mean
    each = per_example_gradients(net, images[:50], labels[:50])
    apart = max((each[name].mean(0) - p.grad).abs().max().item() for name, p in net.named_parameters())
    found = {}
    for name, more in (("ordinary", (1000 if options.quick else 1800,)), ("private", (steps, share, noise))):
        net = train(network(), images, labels, *more)
        found[name] = accuracy(predict(net, unseen), answers), accuracy(predict(net, images[wrong]), labels[wrong])
    costs = [(step, epsilon(noise, share, step)) for step in range(steps // 20, steps + 1, steps // 20)]
    draw(found, costs, options.out / "privacy.png")
    (right, learnt), (private_right, private_learnt) = found.values()
    claim(
        learnt >= most and private_learnt <= 0.1 and private_right >= least and costs[-1][1] < 4 and apart < 1e-6,
        f"with epsilon {costs[-1][1]:.2f} the private network reads {private_right:.1%} of the test digits and knows"
        f" {private_learnt:.1%} of the wrong labels; the ordinary one {right:.1%} and {learnt:.1%}",
    )


if __name__ == "__main__":
    main()
