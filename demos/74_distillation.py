"""A small network learns from what a large one says, down to a digit that it has never been shown.

Claim: a student learns from a teacher's probabilities, without one label, and from pictures of nine digits only. It reads at
least 80 % of the tenth, which it has never seen, though it has less than a tenth of the teacher's weights: means over the
students who each miss another digit. A student who learns from labels of the same pictures reads none.

The teacher says of a 7 not only that it is a 7, but how much it is like a 1 or a 9. Its scores are divided by a temperature,
so that these small likenesses count. Where a digit is never shown, the student finds it unlikely, so a number, the same for all
pictures, is added to its score of that digit until it is said as often as in the training data.
Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015.
"""

import math

import nn
import nn.functional as F
from autograd import manual_seed
from nn.datasets import digits
from nn.metrics import accuracy
from nn.train import predict

from common import arguments, claim, learn, panels, save

TEMPERATURE = 5.0


def network(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


def soft(scores, wanted):
    """How far the student's softened probabilities are from the teacher's."""
    log_p, q = (scores / TEMPERATURE).log_softmax(1), (wanted / TEMPERATURE).softmax(1)
    return F.kl_div(log_p, q, reduction="batchmean") * TEMPERATURE**2


def with_bias(scores, digit, share):
    """The scores after raising those of a digit until it is the answer for this share of the pictures."""
    others = scores.clone()
    others[:, digit] = -math.inf
    lead = others.max(1).values - scores[:, digit]  # what it takes to make it the answer
    scores = scores.clone()
    scores[:, digit] += lead.sort().values[round(share * len(scores))].item()
    return scores


def draw(found, teacher, images, labels, path):
    figure, axes = panels(2, 1, 5.6, 3.5)
    for i, ((name, values), colour) in enumerate(zip(found.items(), ("#94a3b8", "#4f46e5"), strict=True)):
        axes[0].bar([d + 0.4 * i - 0.2 for d in values], list(values.values()), 0.4, color=colour, label=name)
    axes[0].set(
        title="share read of the digit that the student never saw", xlabel="which digit", ylim=(0, 1.25), yticks=[0, 0.5, 1]
    )
    axes[0].legend(frameon=False, loc="upper center", ncols=2)
    axes[0].set_xticks(list(values))
    chances = (predict(teacher, images) / TEMPERATURE).softmax(1)
    mean = [[chances[labels == i][:, j].mean().item() for j in range(10)] for i in range(10)]
    image = axes[1].imshow(mean, cmap="Purples", norm="log")
    axes[1].set(title="what the teacher says, softened", xlabel="said", ylabel="digit", xticks=range(10), yticks=range(10))
    figure.colorbar(image, ax=axes[1])
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    train_set, test_set = digits()
    (images, labels), (unseen, truth) = train_set.tensors, test_set.tensors
    epochs = 12 if options.quick else 30
    large = learn(network(256), F.cross_entropy, images, labels, epochs, 3e-3)
    said = predict(large, images)
    print(f"the teacher reads {accuracy(predict(large, unseen), truth):.1%} of the test digits")

    found = {"from labels": {}, "from the teacher": {}}
    whole = {name: [] for name in found}
    for missing in (3, 6) if options.quick else range(10):
        shown = labels != missing
        share = 1 - shown.float().mean().item()
        for (name, reads), wanted, loss in zip(found.items(), (labels, said), (F.cross_entropy, soft), strict=True):
            student = learn(network(32), loss, images[shown], wanted[shown], epochs, 3e-3)
            scores = predict(student, unseen)
            if loss is soft:
                scores = with_bias(scores, missing, share)
            reads[missing] = accuracy(scores[truth == missing], truth[truth == missing])
            whole[name].append(accuracy(scores, truth))
        print(
            f"never shown {missing}: " + ", ".join(f"{name} reads {reads[missing]:.0%} of them" for name, reads in found.items())
        )
    weights = [sum(p.numel() for p in net.parameters()) for net in (large, student)]
    draw(found, large, unseen, truth, options.out / "distillation.png")
    hard, easy = (sum(reads.values()) / len(reads) for reads in found.values())
    overall = sum(whole["from the teacher"]) / len(found["from labels"])
    claim(
        easy >= (0.7 if options.quick else 0.8) and hard <= 0.02 and weights[1] < weights[0] / 10,
        f"the student reads {easy:.0%} of the digit it never saw and {overall:.1%} of all, {hard:.0%} if it learnt from labels;"
        f" it has {weights[1]:,} weights, the teacher {weights[0]:,}",
    )


if __name__ == "__main__":
    main()
