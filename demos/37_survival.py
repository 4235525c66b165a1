"""Survival times: the risks of a Cox model and of a network, learnt though many patients left the study before it was known.

    python demos/37_survival.py [--quick] [--seed 0] [--out pictures]

Claim: where the risk is linear, Cox's model finds all its true coefficients to within 0.15; where it is not, the model's
concordance on 2,000 unseen patients is at most 0.6, the network's within 0.03 of that of the true risks,
the best there can be.

Of two in five patients one knows only that they were alive when last seen. Leaving them out would tell the model that times
are short; the partial likelihood asks instead, at each death, who of those still under watch it was, and needs no clock for
that. Its loss is the cross-entropy of a softmax over those at risk. Concordance is the share of pairs of patients whose order
of deaths is known, and is the order of their risks: 0.5 is chance, and even the true risks stay far from 1, since death is a
matter of luck too.
Source: Cox, Regression models and life-tables, 1972; Harrell et al., Evaluating the yield of medical tests, 1982; Katzman et
al., DeepSurv, 2018.
"""

import numpy as np

import nn
from autograd import manual_seed, rand, randn, tensor
from nn import optim
from nn.train import predict

from common import arguments, claim, panels, save

TRUE = tensor([1.0, -0.7, 0.4, 0.0, 0.0])  # of the linear risk; two measurements say nothing


def linear(x):
    return x @ TRUE


def curved(x):
    """Both too much and too little of the first is a danger, and the second and third only matter together."""
    return 1.2 * x[:, 0] ** 2 - 1.2 + 1.2 * x[:, 1] * x[:, 2]


def study(n, risk):
    """Patients (n, 5), for how long each was seen, and whether it died then; its risk multiplies the danger of each day."""
    x = randn(n, 5)
    death, leaving = -rand(n).log() / risk(x).exp(), -2 * rand(n).log()
    return x, death.minimum(leaving), death <= leaving


def cox(risk, time, died):
    """The negative partial log-likelihood, the mean over deaths: which of those at risk was it?"""
    longest_first = time.argsort(descending=True)
    risk, died = risk[longest_first], died[longest_first]
    return (risk.logcumsumexp(0) - risk)[died].mean()


def concordance(risk, time, died):
    """Of the pairs of which one died while the other was still under watch, the share in which it had the higher risk."""
    known = (time[:, None] < time) & died[:, None]
    return (risk[:, None] > risk)[known].float().mean().item()


def train(net, data, steps, lr, decay=0.0):
    x, time, died = data
    optimizer = optim.AdamW(net.parameters(), lr=lr, weight_decay=decay)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        cox(net(x)[:, 0], time, died).backward()
        optimizer.step()
        schedule.step()
    return net


def survival(time, died):
    """Kaplan and Meier's curve: the share that is still alive after each time, of all, though some left."""
    order = time.argsort()
    at_risk = np.arange(len(order), 0, -1)
    return time[order], np.cumprod(1 - died[order] / at_risk)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, steps = (1000, 150) if options.quick else (3000, 300)
    cox_model = train(nn.Linear(5, 1, bias=False), study(n, linear), steps, 0.1)
    found = cox_model.weight.detach()[0]
    print("true coefficients", [round(v, 2) for v in TRUE.tolist()], "found", [round(v, 2) for v in found.tolist()])

    data, unseen = study(n, curved), study(2000, curved)
    print(f"{1 - data[2].float().mean().item():.0%} of the patients left before it was known")
    mlp = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    nets = {"Cox's model": train(nn.Linear(5, 1, bias=False), data, steps, 0.1), "network": train(mlp, data, steps, 0.01, 0.1)}
    x, time, died = unseen
    risks = {name: predict(net, x)[:, 0] for name, net in nets.items()} | {"truth": curved(x)}
    scores = {name: concordance(risk, time, died) for name, risk in risks.items()}

    figure, (left, middle, right) = panels(3, width=3.9, height=3.6)
    left.bar(np.arange(5) - 0.2, TRUE.numpy(), 0.4, color="#94a3b8", label="true")
    left.bar(np.arange(5) + 0.2, found.numpy(), 0.4, color="#4f46e5", label="found")
    left.set(title="a linear risk: coefficients", xlabel="measurement", xticks=range(5))
    left.legend(frameon=False)
    middle.scatter(risks["truth"].numpy()[:600], risks["network"].numpy()[:600], s=6, color="#4f46e5", alpha=0.6)
    middle.set(title="a curved risk: unseen patients", xlabel="true log risk", ylabel="log risk by the network")
    thirds = risks["network"].argsort().numpy()
    levels = (("low", "#16a34a"), ("middle", "#f59e0b"), ("high", "#dc2626"))
    for part, (name, colour) in zip(np.array_split(thirds, 3), levels, strict=True):
        right.step(*survival(time.numpy()[part], died.numpy()[part]), where="post", color=colour, linewidth=2, label=name)
    right.set(title="alive, by thirds of the network's risk", xlabel="years", xlim=(0, 3), ylim=(0, 1))
    right.legend(frameon=False, title="risk")
    save(figure, options.out / "survival.png")
    most_off, most_behind = (0.25, 0.07) if options.quick else (0.15, 0.03)
    off, plain, deep, best = (found - TRUE).abs().max().item(), *scores.values()
    claim(
        off <= most_off and plain <= 0.6 and deep >= best - most_behind,
        f"coefficients are found to within {off:.2f}; of a curved risk the concordance is {plain:.3f} by Cox's model, "
        f"{deep:.3f} by the network and {best:.3f} by the true risks",
    )


if __name__ == "__main__":
    main()
