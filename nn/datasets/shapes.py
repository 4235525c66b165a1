"""Pictures of shapes, made up on the spot: what is in them, where, and which pixels are its, is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import from_numpy
from autograd.api.random import Generator, default_generator
from autograd.errors import ArgumentError

__all__ = ["Shapes", "make_shapes"]


def _star(x: Any, y: Any) -> Any:
    """A star of five points: its edge goes in straight lines between an outer and an inner radius."""
    angle = np.abs((np.arctan2(x, -y) + np.pi / 5) % (2 * np.pi / 5) - np.pi / 5)  # to the nearest point
    u, v = np.hypot(x, y) * (np.cos(angle), np.sin(angle))
    inner = 0.45 * np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
    return (1 - u) * inner[1] - v * (1 - inner[0]) > 0


KINDS: dict[
    str, Callable[[Any, Any], Any]
] = {  # name: which points are inside, of a square from -1 to 1, y downwards; its middle is (0, 0)
    "disk": lambda x, y: x**2 + y**2 < 0.8,
    "ring": lambda x, y: (x**2 + y**2 < 0.95) & (x**2 + y**2 > 0.3),
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.75,
    "frame": lambda x, y: abs(np.maximum(abs(x), abs(y)) - 0.6) < 0.2,
    "triangle": lambda x, y: (y < 0.7) & (1.8 * abs(x) < y + 0.95),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.27) & (np.maximum(abs(x), abs(y)) < 0.9),
    "star": _star,
    "bar": lambda x, y: (abs(x) < 0.95) & (abs(y) < 0.28),
    "half": lambda x, y: (x**2 + (y + 0.4) ** 2 < 0.9) & (y > -0.4),
    "moon": lambda x, y: (x**2 + y**2 < 0.9) & (x**2 + (y - 0.5) ** 2 > 0.5),
}


class Shapes(NamedTuple):
    """n pictures with up to k shapes: what `make_shapes` gives. Where a picture has fewer, its last labels are -1.

    images: float32 (n, 3, size, size), colours from 0 to 1.
    labels: int64 (n, k), which kind each shape is, by its place in `Shapes.kinds`.
    boxes: float32 (n, k, 4), the corners x1, y1, x2, y2 of the pixels that show the shape, as nn.ops takes them.
    masks: bool (n, k, size, size), which pixels these are.
    """

    images: Any
    labels: Any
    boxes: Any
    masks: Any

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds of shapes."""
        return tuple(KINDS)

    def targets(self) -> list[dict[str, Any]]:
        """The boxes and labels of each picture, without those that are not there: what nn.metrics.MeanAveragePrecision takes."""
        there = self.labels >= 0
        return [{"boxes": b[t], "labels": i[t]} for b, i, t in zip(self.boxes, self.labels, there, strict=True)]


def make_shapes(
    n_samples: int = 100, size: int = 32, objects: int | tuple[int, int] = 1, n_classes: int = 10, noise: float = 0.05,
    turn: float = 0.3, generator: Generator | None = None,
) -> Shapes:  # fmt: skip
    """Pictures of coloured shapes of ten kinds, for classification, detection and segmentation at once.

    objects: how many shapes a picture has, or the least and the most. They are put where they hide least of each other; what
    is hidden is not in the mask and the box, and a shape of which nothing shows does not count.
    n_classes: so many of the kinds, in random order; where all pictures have as many shapes, each kind comes equally often.
    noise: the deviation of the normal noise of each colour. turn: the largest angle by which shapes are turned, in radians.

    Size, place and colours are random and say nothing about the kind, but that a shape stands out from what is behind it. All
    randomness comes from `generator` or the default one. Raises ArgumentError.

    >>> shapes = make_shapes(20, objects=(1, 3))
    >>> [part.shape for part in shapes]
    [(20, 3, 32, 32), (20, 3), (20, 3, 4), (20, 3, 32, 32)]
    """
    least, most = (objects, objects) if isinstance(objects, int) else objects
    for name, value, low, high in (
        ("n_samples", n_samples, 1, None), ("size", size, 8, None), ("objects", least, 1, most), ("objects", most, 1, None),
        ("n_classes", n_classes, 1, len(KINDS)),
    ):  # fmt: skip
        if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
            limit = f"{low} or more" if high is None else f"from {low} to {high}"
            raise ArgumentError(f"make_shapes: {name} is a whole number, {limit}, got {value!r}")
    random = (generator or default_generator).numpy
    n, k = n_samples, most
    labels = random.permutation(np.arange(n * k) % n_classes).reshape(n, k)
    labels[np.arange(k) >= random.integers(least, most + 1, n)[:, None]] = -1
    radius = random.uniform(0.22, 0.38, (n, k)) * size / k**0.5
    middle = _places(radius, size, random)
    angle = random.uniform(-turn, turn, (n, k)) if turn else np.zeros((n, k))
    behind, colours = _colours(n, k, random)

    grid = (np.arange(2 * size) + 0.5) / 2  # each pixel is looked at in four points, so that edges are smooth
    cover = np.zeros((n, k, size, size), np.float32)
    for i, inside in enumerate(KINDS.values()):
        image, which = np.nonzero(labels == i)
        x, y = ((grid - m[:, None]) / radius[image, which, None] for m in middle[image, which].T)
        x, y = x[:, None, :], y[:, :, None]
        c, s = np.cos(angle[image, which, None, None]), np.sin(angle[image, which, None, None])
        points = inside(c * x + s * y, c * y - s * x)
        cover[image, which] = points.reshape(-1, size, 2, size, 2).mean((2, 4))
    images = np.broadcast_to(behind[..., None, None], (n, 3, size, size))
    masks = cover >= 0.5
    for i in range(k):
        here = cover[:, i, None]
        images = images * (1 - here) + colours[:, i, :, None, None] * here
        masks[:, :i] &= ~masks[:, i, None]
    images = np.clip(images + np.float32(noise) * random.standard_normal(images.shape, np.float32), 0, 1)
    return Shapes(*map(from_numpy, (images, *_seen(labels, masks))))


def _places(radius: Any, size: int, random: np.random.Generator) -> Any:
    """Middles (n, k, 2) of shapes inside the picture: one after the other takes, of 20 places, that farthest from the others."""
    n, k = radius.shape
    middle = np.empty((n, k, 2))
    for i in range(k):
        r = radius[:, i, None, None]
        tries = random.uniform(0, 1, (n, 20 if i else 1, 2)) * (size - 2 * r) + r
        gaps = np.linalg.norm(tries[:, :, None] - middle[:, None, :i], axis=-1) - radius[:, None, :i]
        best = gaps.min(2, initial=np.inf).argmax(1)
        middle[:, i] = tries[np.arange(n), best]
    return middle


def _colours(n: int, k: int, random: np.random.Generator) -> tuple[Any, Any]:
    """Colours behind, (n, 3), and of the shapes, (n, k, 3): of four tries that which stands out most from the one behind."""
    behind, tries = random.random((n, 3), np.float32), random.random((n, k, 4, 3), np.float32)
    best = np.linalg.norm(tries - behind[:, None, None], axis=-1).argmax(2)
    return behind, np.take_along_axis(tries, best[..., None, None], 2)[:, :, 0]


def _seen(labels: Any, masks: Any) -> tuple[Any, Any, Any]:
    """Labels, boxes and masks, those of shapes that show first."""
    labels = np.where(masks.any((2, 3)), labels, -1)
    order = np.argsort(labels < 0, 1, kind="stable")
    labels, masks = np.take_along_axis(labels, order, 1), np.take_along_axis(masks, order[..., None, None], 1)
    across, down = masks.any(2), masks.any(3)
    low, high = (
        np.stack([side.argmax(2) for side in sides], 2) for sides in ((across, down), (across[..., ::-1], down[..., ::-1]))
    )
    boxes = np.concatenate([low, masks.shape[-1] - high], 2).astype(np.float32)
    return labels, boxes * (labels >= 0)[..., None], masks
