"""A network learns an injustice from its data, even without being told who is who; two ways to measure it, and one against it.

Claim: in made-up records, half of the able applicants of group B were turned down. A network that is not told the group does
it again: of those who are able it turns down at least 12 in 100 more in B than in A. With a penalty on the difference between
groups, the gap is at most 5 in 100, and decisions agree with who is able, which the data never say, in at least 2 in 100 more.

Leaving the group out is not enough, as the neighbourhood gives it away. And by the labels at hand the fair network looks worse:
what is lost there is agreement with an injustice. Only here, where the truth was made up first, can one see that.
Source: Hardt, Price and Srebro, Equality of opportunity in supervised learning, 2016; Zafar et al., Fairness constraints, 2017;
Wick, Panda and Tristan, Unlocking fairness: a trade-off revisited, 2019.
"""

import nn
import nn.functional as F
from autograd import manual_seed, rand, randn, stack
from nn import optim
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, claim, panels, save


def records(n):
    """What an application says, (n, 4); which group it is of; who is able; and who was accepted, by people."""
    group = (rand(n) < 0.5).float()  # 1 is B
    skill = randn(n)
    neighbourhood = 2.0 * group + randn(n)
    x = stack([skill + 0.5 * randn(n), skill + 0.5 * randn(n), neighbourhood, randn(n)], 1)
    able = (skill + 0.2 * randn(n) > 0).float()
    accepted = able * (1 - group * (rand(n) < 0.5).float())
    return x, group, able, accepted


def gaps(accepted, group, able):
    """How much more often A is accepted than B: of all (demographic parity), and of the able (equal opportunity)."""
    rates = []
    for who in (group >= 0, able == 1):
        rates.append((accepted[who & (group == 0)].mean() - accepted[who & (group == 1)].mean()).item())
    return rates


def train(x, group, accepted, steps, penalty=0.0):
    """A network that learns to decide as people did, and pays for the covariance of its decisions with the group."""
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        scores = net(x)
        loss = F.binary_cross_entropy_with_logits(scores, accepted)
        if penalty:
            said = scores.sigmoid()
            difference = said[group == 0].mean() - said[group == 1].mean()
            loss = loss + penalty * difference**2
        loss.backward()
        optimizer.step()
    return net


def draw(decisions, group, able, x, curve, path):
    figure, axes = panels(3, 1, 3.9, 3.5)
    for who, name, colour in ((0, "A", "#94a3b8"), (1, "B", "#4f46e5")):
        shares = [said[(able == 1) & (group == who)].mean().item() for said in decisions.values()]
        bars = axes[0].bar([i + 0.38 * who - 0.19 for i in range(3)], shares, 0.36, color=colour, label=f"group {name}")
        axes[0].bar_label(bars, [f"{share:.0%}" for share in shares])
        axes[1].hist(x[group == who][:, 2].numpy(), 50, color=colour, alpha=0.6, density=True, label=f"group {name}")
    axes[0].set_xticks(range(3), decisions)
    axes[0].set(title="of the able, who is accepted", ylim=(0, 1.25), yticks=[0, 0.5, 1])
    axes[0].legend(frameon=False, ncols=2, loc="upper center")
    axes[1].set(title="the neighbourhood tells the group", xlabel="neighbourhood, a number", yticks=[])
    for i, (name, colour) in enumerate((("gap between groups, of the able", "#dc2626"), ("wrong about who is able", "#166534"),
                                        ("disagrees with the labels", "#94a3b8"))):  # fmt: skip
        values = [row[1] if i == 0 else 1 - row[1 + i] for row in curve]
        axes[2].plot(range(len(curve)), values, color=colour, marker="o", label=name)
    axes[2].set_xticks(range(len(curve)), [f"{row[0]:g}" for row in curve])
    axes[2].axhline(0, color="#cbd5e1", linewidth=1, zorder=0)
    axes[2].set(title="what the penalty changes", xlabel="penalty", ylim=(None, 0.5))
    axes[2].legend(frameon=False, fontsize=9)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, steps = (2000, 100) if options.quick else (6000, 300)
    x, group, _, accepted = records(n)
    unseen, groups, able, decided = records(20000)
    found, curve = {}, []
    for penalty in (0.0, 0.1, 0.3, 1.0, 3.0):
        said = (predict(train(x, group, accepted, steps, penalty), unseen) > 0).float()
        parity, opportunity = gaps(said, groups, able)
        curve.append((penalty, opportunity, accuracy(said.long(), able.long()), accuracy(said.long(), decided.long())))
        print(f"penalty {penalty:4}: gap of all {parity:+.1%}, of the able {opportunity:+.1%}; agrees with who is able"
              f" {curve[-1][2]:.1%}, with the labels {curve[-1][3]:.1%}")  # fmt: skip
        found[penalty] = said

    decisions = {"people": decided, "network": found[0.0], "with penalty": found[3.0]}
    draw(decisions, groups, able, unseen, curve, options.out / "fairness.png")
    plain, fair = curve[0], curve[-1]
    claim(
        plain[1] >= 0.12 and abs(fair[1]) <= 0.05 and fair[2] >= plain[2] + 0.02,
        f"of the able, B is accepted {plain[1]:.1%} less often than A, and {fair[1]:.1%} with the penalty; decisions agree with"
        f" who is able in {plain[2]:.1%} and {fair[2]:.1%}, with the labels in {plain[3]:.1%} and {fair[3]:.1%}",
    )


if __name__ == "__main__":
    main()
