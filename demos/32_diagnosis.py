"""What the probabilities of a diagnosis are worth, and where to put the threshold if a missed tumour is dear.

    python demos/32_diagnosis.py [--quick] [--seed 0] [--out pictures]

Claim: over four cross-validations of 569 tumours, the area under the ROC curve is at least 0.98; one number fitted on
held-out tumours, the temperature, takes at least a third off the log loss of unseen ones, though it changes no diagnosis. If
to miss a tumour costs fifty false alarms, the threshold 1/51, which follows from that, costs at most 60 % of what 0.5 costs.

A network that was trained until it makes no mistake is right in 97 of 100, but it is sure in 99 of 100: its logits have grown
without limit. Divided by the temperature they say what they know. Then the threshold is no longer a matter of taste: raise
the alarm where p times the cost of a miss is more than 1 - p times that of an alarm.
Needs scikit-learn, for the data: pip install 'chainrule[data]'.
Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017; Elkan, The foundations of
cost-sensitive learning, 2001; Wolberg, Mangasarian, Street and Street, 1993, for the data.
"""

import nn
import nn.functional as F
from autograd import cat, manual_seed, randperm, zeros
from nn import optim
from nn.datasets import breast_cancer
from nn.metrics import calibration_curve, roc_auc
from nn.train import predict

from common import arguments, claim, panels, save

MISS, ALARM = 50, 1  # what these cost


def train(x, malignant, steps):
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(x), malignant).backward()
        optimizer.step()
    return net


def temperature(logits, malignant):
    """What the logits are best divided by."""
    log = zeros(1, requires_grad=True)
    optimizer = optim.LBFGS([log], line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(logits / log.exp(), malignant)
        value.backward()
        return value

    optimizer.step(loss)
    return log.exp().detach()


def cross_validated(x, malignant, steps, folds=5):
    """Logits of each tumour by a network that has not seen it, as they are and divided by the temperature, and what it was."""
    parts, raw, held_out = randperm(len(x)).chunk(folds), [], []
    for i in range(folds):  # trained on all but two parts: one to test on, and the next, to find the temperature by
        rest = cat([part for j, part in enumerate(parts) if j not in (i, (i + 1) % folds)])
        z = (x - x[rest].mean(0)) / x[rest].std(0)
        logits = predict(train(z[rest], malignant[rest], steps), z)
        raw.append(logits[parts[i]])
        held_out.append(logits[parts[(i + 1) % folds]])
    tempered = []
    for i in range(folds):  # by what all networks said of held-out tumours, but for those of this part
        others = [j for j in range(folds) if (j + 1) % folds != i]
        truth = cat([malignant[parts[(j + 1) % folds]] for j in others])
        tempered.append(raw[i] / temperature(cat([held_out[j] for j in others]), truth))
    return cat(raw), cat(tempered), malignant[cat(parts)]


def cost(p, truth, threshold):
    """Misses, alarms, and what they cost together for each tumour."""
    misses, alarms = (((p < threshold) & (truth == 1)).sum().item(), ((p >= threshold) & (truth == 0)).sum().item())
    return misses, alarms, (MISS * misses + ALARM * alarms) / len(truth)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    x, benign = breast_cancer().tensors
    runs = [cross_validated(x, 1.0 - benign, 150 if options.quick else 300) for _ in range(1 if options.quick else 4)]
    raw, tempered, truth = map(cat, zip(*runs, strict=True))
    said = {"as trained": raw, "tempered": tempered}
    losses = {name: F.binary_cross_entropy_with_logits(logits, truth).item() for name, logits in said.items()}
    area, p = roc_auc(raw, truth.long()), tempered.sigmoid()
    least = ALARM / (ALARM + MISS)
    costs = {threshold: cost(p, truth, threshold) for threshold in (0.5, least)}
    for threshold, (misses, alarms, each) in costs.items():
        print(f"threshold {threshold:.2f}: {misses} of {int(truth.sum())} missed, {alarms} false alarms, cost {each:.3f}")

    figure, (left, middle, right) = panels(3, width=3.9, height=3.6)
    left.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=1)
    for (name, logits), colour in zip(said.items(), ("#dc2626", "#4f46e5"), strict=True):
        happened, meant = calibration_curve(logits.sigmoid(), truth.long(), n_bins=8)
        left.plot(meant.numpy(), happened.numpy(), color=colour, marker="o", label=f"{name}: log loss {losses[name]:.3f}")
    left.set(title="does it happen as often as it says?", xlabel="probability it gives", ylabel="share that is malignant")
    left.legend(frameon=False, loc="upper left", fontsize=9)
    for which, name, colour in ((0, "benign", "#16a34a"), (1, "malignant", "#dc2626")):
        middle.hist(tempered[truth == which].clip(-12, 12).numpy(), bins=40, color=colour, alpha=0.6, label=name)
    middle.axvline(0, color="black", linewidth=1)
    middle.axvline(-3.912, color="#4f46e5", linewidth=2, linestyle="--", label="threshold 1/51")
    middle.set(title="unseen tumours", xlabel="log odds", yscale="log", ylabel="how many")
    middle.legend(frameon=False, fontsize=9)
    thresholds = [i / 200 for i in range(1, 200)]
    right.plot(thresholds, [cost(p, truth, t)[2] for t in thresholds], color="#4f46e5", linewidth=2)
    right.axvline(least, color="#4f46e5", linestyle="--", linewidth=2)
    right.set(title="cost, if a miss is fifty alarms", xlabel="threshold", ylabel="cost of a tumour", ylim=(0, None))
    save(figure, options.out / "diagnosis.png")
    saved, cheaper = losses["tempered"] / losses["as trained"], costs[least][2] / costs[0.5][2]
    least_area, most_loss, most_cost = (0.97, 0.85, 0.8) if options.quick else (0.98, 0.67, 0.6)
    claim(
        area >= least_area and saved <= most_loss and cheaper <= most_cost,
        f"the area under the curve is {area:.3f}; the temperature leaves {saved:.0%} of the log loss, "
        f"and the threshold 1/51 costs {cheaper:.0%} of what 0.5 costs",
    )


if __name__ == "__main__":
    main()
