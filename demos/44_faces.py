"""Face verification: from threesomes of faces a network learns a space in which the pictures of a person are close.

    python demos/44_faces.py [--quick] [--seed 0] [--out pictures]

Claim: it tells two pictures of one person from pictures of two, all of people that it has never seen, with an area under the ROC
curve of at least 0.95; the distance between the pixels themselves reaches at most 0.85.

A person is ten numbers, from the width of the face to the slant of the brows; each picture of it is taken from another place, in
another light, with another mouth. Of a threesome, the second picture is of the person of the first, the third is not.
Source: Schroff, Kalenichenko and Philbin, FaceNet, 2015.
"""

import numpy as np

import nn
import nn.functional as F
from autograd import cat, manual_seed, tensor
from nn import optim
from nn.datasets import make_faces
from nn.metrics import ROCCurve, roc_auc
from nn.train import predict

from common import arguments, claim, panels, save

PICTURES = 8  # of each person


class Space(nn.Module):
    """From pictures to points on the sphere in 16 dimensions."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 36, 64), nn.ReLU(), nn.Linear(64, 16),
        )  # fmt: skip

    def forward(self, x):
        return F.normalize(self.layers(x))


def threesomes(n, people, rng):
    """Numbers of pictures: two of one person, and one of another."""
    one = rng.integers(0, people, n)
    other = (one + rng.integers(1, people, n)) % people
    first, second, third = rng.integers(0, PICTURES, (3, n))
    second = np.where(first == second, (second + 1) % PICTURES, second)
    return one * PICTURES + first, one * PICTURES + second, other * PICTURES + third


def draw(pictures, distances, path):
    figure, axes = panels(6, 3, 1.7, 1.8)
    for i, ax in enumerate(axes):
        if i % 6 < 4:
            ax.imshow(pictures[i // 6 * PICTURES + i % 6, 0].numpy(), cmap="gray", vmin=0, vmax=1)
            ax.axis("off")
            if i % 6 == 0:
                ax.set_title(f"person {i // 6 + 1}", fontsize=9, loc="left")
        else:
            ax.remove()
    right = figure.add_subplot(axes[0].get_gridspec()[:, 4:])
    for (name, (near, same)), colour in zip(distances.items(), ("#94a3b8", "#4f46e5"), strict=True):
        curve = ROCCurve()
        curve.update(near, same)
        false, true, _ = curve.compute()
        right.plot(false.numpy(), true.numpy(), color=colour, linewidth=2, label=f"{name}, {roc_auc(near, same):.3f}")
    right.set(title="two unseen pictures: the same?", xlabel="said yes, wrongly", ylabel="said yes, rightly")
    right.legend(frameon=False, title="area under the curve", loc="lower right")
    right.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def main():
    options = arguments(__doc__)
    manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    people, steps = (200, 150) if options.quick else (400, 500)
    pictures, unseen = (make_faces(n, PICTURES)[0].flatten(0, 1) for n in (people, 100))

    net = Space()
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    far = nn.TripletMarginLoss(margin=0.4)
    for step in range(steps):
        optimizer.zero_grad()
        loss = far(*(net(pictures[i]) for i in threesomes(64, people, rng)))
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}")

    anchor, same, other = threesomes(2000, 100, rng)
    truth = tensor([1] * 2000 + [0] * 2000)
    distances = {}
    for name, points in (("pixels", unseen.flatten(1)), ("learnt space", predict(net, unseen))):
        gaps = [(points[anchor] - points[i]).norm(dim=1) for i in (same, other)]
        distances[name] = -cat(gaps), truth
    draw(unseen, distances, options.out / "faces.png")
    pixels, learnt = (roc_auc(*pair) for pair in distances.values())
    claim(
        learnt >= (0.85 if options.quick else 0.95) and pixels <= 0.85,
        f"the area under the ROC curve is {learnt:.3f} in the learnt space, {pixels:.3f} by the pixels",
    )


if __name__ == "__main__":
    main()
