"""Finding the one payment in fifty that is a fraud: why accuracy says nothing, and what the focal loss does and does not do.

    python demos/36_fraud.py [--quick] [--seed 0] [--out pictures]

Claim: to call no payment a fraud is right in 97 % of 30,000 unseen ones or more, and finds none. A network's average
precision is at least 80 % of what the true probabilities reach, logistic regression's at most 40 %. The focal loss changes
the network's average precision by at most 0.06; but the probabilities it leads to add up to more than twice as many frauds as
there are, those of the plain cross-entropy to the right number within a quarter.

The focal loss lets easy examples count for little, and was made for detectors of which thousands of boxes see only
background. Here it sorts no better than the plain loss: what it moves are the probabilities, and with them who is above a
threshold of 0.5. If a missed fraud costs more than a false alarm, move the threshold. That needs probabilities that are what
they say.
Source: Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, 2017; Saito and Rehmsmeier, The
precision-recall plot is more informative than the ROC plot, 2015.
"""

import nn
import nn.functional as F
from autograd import manual_seed, rand, randn
from nn import optim
from nn.metrics import PrecisionRecallCurve, average_precision, calibration_curve
from nn.train import fit, predict
from nn.utils.data import DataLoader, TensorDataset

from common import arguments, claim, panels, save

COLOURS = {"logistic regression": "#94a3b8", "cross-entropy": "#4f46e5", "focal loss": "#dc2626", "true probabilities": "black"}


def payments(n):
    """Eight numbers (n, 8) of each payment, whether it is a fraud, and how probable that was."""
    x = randn(n, 8)
    odd = (x[:, 3].abs() > 1.5).float()
    p = (1.5 * x[:, 0] + 2.5 * x[:, 1] * x[:, 2] + 3 * odd - 8).sigmoid()
    return x, (rand(n) < p).float(), p


def network():
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))


def trained(net, loss, lr, data, epochs):
    optimizer, batches = optim.AdamW(net.parameters(), lr=lr), DataLoader(data, 256, shuffle=True)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, epochs * len(batches))
    fit(net, loss, optimizer, batches, epochs, scheduler=schedule, schedule="step")
    return net


def draw(said, fraud, scores, path):
    figure, (left, middle, right) = panels(3, width=3.9, height=3.7)
    for name, p in said.items():
        curve = PrecisionRecallCurve()
        curve.update(p, fraud)
        precision, recall, _ = curve.compute()
        left.plot(recall.numpy(), precision.numpy(), color=COLOURS[name], label=f"{name}: {scores[name]:.2f}")
    left.axhline(fraud.float().mean().item(), color="black", linestyle=":", linewidth=1)
    left.set(
        title="the alarms, from the surest on", xlabel="share of the frauds found", ylabel="share of the alarms that are right"
    )
    left.legend(frameon=False, fontsize=8, title="average precision", loc="lower left", bbox_to_anchor=(0.02, 0.12))
    middle.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":")
    losses = {name: said[name] for name in ("cross-entropy", "focal loss")}
    for i, (name, p) in enumerate(losses.items()):
        happened, meant = calibration_curve(p, fraud, n_bins=8)
        middle.plot(meant.numpy(), happened.numpy(), color=COLOURS[name], marker="o", label=name)
        alarms, found = (p > 0.5).sum().item(), ((p > 0.5) & (fraud == 1)).sum().item()
        right.bar([i - 0.2, i + 0.2], [p.sum().item(), alarms], 0.4, color=[COLOURS[name], "#e2e8f0"])
        right.bar(i + 0.2, found, 0.4, color="#86efac")
        right.text(i + 0.2, alarms, f"{alarms} alarms,\n{found} right", ha="center", va="bottom", fontsize=7.5)
        right.text(i - 0.2, p.sum().item(), "expected", ha="center", va="bottom", fontsize=7.5)
    middle.set(title="do the probabilities hold?", xlabel="what it says", ylabel="how often it is a fraud")
    middle.legend(frameon=False)
    right.axhline(fraud.sum().item(), color="black", linestyle=":", linewidth=1)
    right.set(title=f"there are {fraud.sum().item():,} frauds", xticks=[0, 1], xticklabels=losses)
    right.margins(y=0.15)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    n, epochs = (20000, 16) if options.quick else (30000, 20)
    (x, fraud, _), (unseen, truth, p) = payments(n), payments(30000)
    data, truth = TensorDataset(x, fraud), truth.long()
    contest = {
        "logistic regression": (nn.Sequential(nn.Linear(8, 1), nn.Flatten(0)), F.binary_cross_entropy_with_logits, 0.05),
        "cross-entropy": (network(), F.binary_cross_entropy_with_logits, 5e-3),
        "focal loss": (network(), F.sigmoid_focal_loss, 5e-3),
    }
    said = {name: predict(trained(*how, data, epochs), unseen).sigmoid() for name, how in contest.items()}
    said["true probabilities"] = p
    scores = {name: average_precision(p, truth) for name, p in said.items()}
    expected = {name: (p.sum() / truth.sum()).item() for name, p in said.items()}
    for name, p in said.items():
        right = ((p > 0.5).long() == truth).float().mean().item()
        print(
            f"{name:20} average precision {scores[name]:.3f}, accuracy {right:.2%}, expects {expected[name]:.2f} times the frauds"
        )
    nobody = 1 - truth.float().mean().item()
    draw(said, truth, scores, options.out / "fraud.png")
    linear, plain, focal, best = scores.values()
    claim(
        nobody >= 0.97
        and linear <= 0.4 * best
        and plain >= (0.6 if options.quick else 0.8) * best
        and abs(focal - plain) <= (0.1 if options.quick else 0.06)
        and expected["focal loss"] > 2
        and abs(expected["cross-entropy"] - 1) <= 0.25,
        f"to suspect nobody is right in {nobody:.1%}; average precision {linear:.2f} by logistic regression, {plain:.2f} by a "
        f"network, {focal:.2f} with the focal loss, {best:.2f} at best; they expect {expected['cross-entropy']:.2f} and "
        f"{expected['focal loss']:.2f} times as many frauds as there are",
    )


if __name__ == "__main__":
    main()
