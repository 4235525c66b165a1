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
from autograd import from_numpy, manual_seed, tensor
from nn import optim
from nn.metrics import ROCCurve, roc_auc
from nn.train import predict

from common import arguments, claim, panels, save

SIZE, PICTURES = 24, 8


def faces(people, rng):
    """Pictures (people, 8, 1, 24, 24) of people, each a row of ten numbers from -1 to 1."""
    n = (len(people), PICTURES, 1, 1)
    of = people.T[:, :, None, None, None]  # of[i] is the number i of all people
    side = np.linspace(-1, 1, SIZE)
    turned, scale = rng.normal(0, 0.06, n), rng.normal(1, 0.04, n)
    x0, y0 = side + rng.normal(0, 0.06, n), side[:, None] + rng.normal(0, 0.06, n)
    x, y = (x0 + turned * y0) / scale, (y0 - turned * x0) / scale

    def inside(level):  # of a shape whose inside is where `level` is negative: 1, and smoothly 0
        return 1 / (1 + np.exp(np.clip(20 * level, -50, 50)))

    picture = np.full((*n[:2], SIZE, SIZE), 0.3)
    skin, hair = 0.75 + 0.12 * of[2], 0.3 + 0.25 * of[3]
    parts = [  # each painted over those before: where, and how bright
        (np.hypot(x / (0.75 + 0.1 * of[0]), (y + 0.05) / 0.95) - 1, hair),
        (np.hypot(x / (0.6 + 0.1 * of[0]), (y - 0.1) / (0.75 + 0.06 * of[1])) - 1, skin),
        (np.maximum(y + 0.42 + 0.12 * of[4], abs(x) - 0.6), hair),  # a fringe
        (np.maximum(abs(x) - 0.04, abs(y - 0.1) - 0.1 - 0.05 * of[1]), skin - 0.25),  # the nose
    ]
    smile, apart = rng.normal(0, 0.3, n), 0.27 + 0.07 * of[5]
    eye, brow = np.hypot(abs(x) - apart, y + 0.1), y + 0.27 + 0.5 * of[7] * (abs(x) - apart)
    parts += [
        (eye - 0.1 - 0.035 * of[6], 0.05),
        (np.maximum(abs(brow) - 0.035, abs(abs(x) - apart) - 0.12), hair - 0.1),
        (np.maximum(abs(y - 0.5 - 0.06 * of[8] + smile * x**2) - 0.05, abs(x) - 0.25 - 0.1 * of[9]), 0.2),
    ]
    for level, brightness in parts:
        cover = inside(level)
        picture = picture * (1 - cover) + brightness * cover
    light = rng.normal(1, 0.15, n) + rng.normal(0, 0.2, n) * side + rng.normal(0, 0.2, n) * side[:, None]
    return (picture * light + rng.normal(0, 0.04, picture.shape)).astype(np.float32)[:, :, None]


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
    pictures = from_numpy(faces(rng.uniform(-1, 1, (people, 10)), rng)).flatten(0, 1)
    unseen = from_numpy(faces(rng.uniform(-1, 1, (100, 10)), rng)).flatten(0, 1)

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
        distances[name] = -from_numpy(np.concatenate(gaps)), truth
    draw(unseen, distances, options.out / "faces.png")
    pixels, learnt = (roc_auc(*pair) for pair in distances.values())
    claim(
        learnt >= (0.85 if options.quick else 0.95) and pixels <= 0.85,
        f"the area under the ROC curve is {learnt:.3f} in the learnt space, {pixels:.3f} by the pixels",
    )


if __name__ == "__main__":
    main()
