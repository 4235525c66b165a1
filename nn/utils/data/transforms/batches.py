"""Transforms of whole batches and their labels: examples mixed with others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.api.random import Generator, default_generator
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError

from .base import array_of, rectangles

__all__ = ["CutMix", "MixUp"]


class _Mixing:
    """Mixes every example of a batch, and its label, with another one."""

    needs_float = False

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None, generator: Generator | None = None) -> None:
        self.alpha, self.num_classes, self.generator = alpha, num_classes, generator
        if not (alpha > 0 and math.isfinite(alpha)):
            raise ArgumentError(f"{type(self).__name__}: alpha is positive, got {alpha!r}")

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        name = type(self).__name__
        images, labels = array_of(name, x), array_of(name, y)
        if self.needs_float and images.dtype.kind != "f":
            raise DtypeError(f"{name} needs images of floating-point numbers, got {images.dtype}; divide them by 255, say")
        if not labels.ndim or not images.ndim or len(images) != len(labels):
            raise ShapeError(f"{name}: x and y have the same length, got shapes {images.shape} and {labels.shape}")
        if labels.dtype.kind in "iu":
            n = self.num_classes
            if n is None or labels.ndim != 1 or (labels.size and not (labels.min() >= 0 and labels.max() < n)):
                raise ArgumentError(f"{name}: classes as labels are a vector and need num_classes, all below it, got {n!r}")
            labels = np.eye(n, dtype=images.dtype if images.dtype.kind == "f" else np.float32)[labels]
        random = (self.generator or default_generator).numpy
        share, other = random.beta(self.alpha, self.alpha), random.permutation(len(images))
        images, share = self._mix(images, images[other], share, random)
        mixed = images, _blend(labels, labels[other], share)
        return tuple(from_numpy(m) if isinstance(of, Tensor) else m for m, of in zip(mixed, (x, y), strict=True))  # type: ignore[return-value]

    def _mix(self, images: Any, others: Any, share: float, random: np.random.Generator) -> tuple[Any, float]:
        """The images with the others in them, and what share they kept."""
        raise NotImplementedError


def _blend(a: Any, b: Any, share: float) -> Any:
    return (a * share + b * (1 - share)).astype(a.dtype, copy=False)


class MixUp(_Mixing):
    """Mix every example of a batch, and its label, with another one: lam * a + (1 - lam) * b, lam drawn from Beta(alpha, alpha).

    Takes a batch x of floats and its labels y, classes of which there are `num_classes`, or rows of probabilities; returns
    the mixed x and rows of probabilities, which cross_entropy takes (torchvision.transforms.v2.MixUp).
    Source: Zhang et al., mixup: beyond empirical risk minimization, 2018.

    >>> import autograd
    >>> x, y = MixUp(num_classes=3)(autograd.rand(4, 1, 8, 8), autograd.tensor([0, 1, 2, 0]))
    >>> x.shape, y.shape, y.dtype
    ((4, 1, 8, 8), (4, 3), dtype('float32'))
    """

    needs_float = True

    def _mix(self, images: Any, others: Any, share: float, random: np.random.Generator) -> tuple[Any, float]:
        return _blend(images, others, share), share


class CutMix(_Mixing):
    """Paste a rectangle of another example of the batch, the same in all, into every one, and mix their labels as its area says.

    It takes the share 1 - lam of the image, lam drawn from Beta(alpha, alpha), but for what of it lies outside: its centre is
    anywhere. Takes a batch (N, C, H, W) and labels, and returns both, as MixUp does (torchvision.transforms.v2.CutMix).
    Source: Yun et al., CutMix: regularization strategy to train strong classifiers with localizable features, 2019.

    >>> import autograd
    >>> x, y = CutMix(num_classes=3)(autograd.rand(4, 1, 8, 8), autograd.tensor([0, 1, 2, 0]))
    >>> x.shape, bool((y.sum(1) - 1).abs().max() < 1e-6)
    ((4, 1, 8, 8), True)
    """

    def _mix(self, images: Any, others: Any, share: float, random: np.random.Generator) -> tuple[Any, float]:
        if images.ndim != 4:
            raise ShapeError(f"CutMix: images have shape (N, C, H, W), got {images.shape}")
        sides = np.array(images.shape[2:])
        middle, half = random.integers(sides), (sides * math.sqrt(1 - share) / 2).astype(np.int64)
        first, last = np.maximum(middle - half, 0), np.minimum(middle + half, sides)
        pasted = np.where(rectangles(images, first, last - first), others, images)
        return pasted, 1 - float(np.prod((last - first) / sides))
