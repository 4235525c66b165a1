"""Transforms of images, to normalize and to augment them: on one, (C, H, W), or on a batch, (N, C, H, W), tensor or array.

They leave the dtype as it is, and give a tensor for a tensor and an array for an array. Random ones draw anew for each image
of a batch, from `generator` or the default one, so a whole batch is augmented in one call in the training loop; in a dataset
they work on its examples. Names and arguments are torchvision's where it has them.

>>> import autograd
>>> augment = Compose([RandomHorizontalFlip(), RandomShift(2), Normalize((0.5,), (0.25,))])
>>> augment(autograd.rand(16, 1, 8, 8)).shape
(16, 1, 8, 8)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.api.random import Generator, default_generator
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError

from ...functional.vision import affine_grid, grid_sample

__all__ = [
    "CenterCrop", "Compose", "Cutout", "GaussianNoise", "MixUp", "Normalize", "RandomCrop", "RandomHorizontalFlip",
    "RandomRotation", "RandomShift", "RandomVerticalFlip", "ToTensor", "Transform",
]  # fmt: skip


class Compose:
    """One transform after the other (torchvision.transforms.Compose)."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


class ToTensor:
    """An image array (H, W) or (H, W, C) as a float32 tensor (C, H, W), bytes from 0 to 1 (torchvision.transforms.ToTensor).

    >>> import numpy as np
    >>> ToTensor()(np.full((2, 2, 3), 51, np.uint8))[0]
    tensor([[0.2000, 0.2000],
            [0.2000, 0.2000]])
    """

    def __call__(self, image: Any) -> Tensor:
        array = _array("ToTensor", image)
        if array.ndim not in (2, 3):
            raise ShapeError(f"ToTensor: an image has shape (H, W) or (H, W, C), got {array.shape}")
        array = np.ascontiguousarray(np.moveaxis(np.atleast_3d(array), -1, 0))
        return from_numpy(array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array)


def _array(name: str, x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.numpy()
    if not isinstance(x, np.ndarray):
        raise UnsupportedError(f"{name} works on tensors and arrays, got {type(x).__name__}; np.asarray() makes one")
    return x


class Transform:
    """From images to images: subclasses say in `transform` what becomes of an array (N, C, H, W), drawing from `self.random`."""

    needs_float = False

    def __init__(self, generator: Generator | None = None) -> None:
        self.generator = generator

    @property
    def random(self) -> np.random.Generator:
        return (self.generator or default_generator).numpy

    def __call__(self, x: Any) -> Any:
        name, array = type(self).__name__, _array(type(self).__name__, x)
        if array.ndim not in (3, 4):
            raise ShapeError(f"{name}: images have shape (C, H, W) or (N, C, H, W), got {array.shape}")
        if self.needs_float and array.dtype.kind != "f":
            raise DtypeError(f"{name} needs images of floating-point numbers, got {array.dtype}; divide them by 255, say")
        result = self.transform(array.reshape(-1, *array.shape[-3:]))
        result = result.reshape(*array.shape[:-3], *result.shape[1:])
        return from_numpy(result) if isinstance(x, Tensor) else result

    def transform(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say what becomes of an image: define transform")


def _pair(name: str, argument: str, value: Any, least: int) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= least for v in pair):
        raise ArgumentError(f"{name}: {argument} is a whole number, {least} or more, or two of them, got {value!r}")
    return pair


def _probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p lies between 0 and 1, got {p!r}")
    return p


# ---------------------------------------------------------------- values
class Normalize(Transform):
    """(x - mean) / std, with a mean and a standard deviation for each channel (torchvision.transforms.Normalize)."""

    needs_float = True

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        if not np.all(np.asarray(std) > 0):
            raise ArgumentError(f"Normalize: standard deviations are positive, got {std!r}")

    def transform(self, x: Any) -> Any:
        mean, std = (np.asarray(v, x.dtype).reshape(-1, 1, 1) for v in (self.mean, self.std))
        if any(len(v) not in (1, x.shape[1]) for v in (mean, std)):
            raise ShapeError(f"Normalize: {len(mean)} means and {len(std)} deviations do not fit {x.shape[1]} channels")
        return (x - mean) / std


class GaussianNoise(Transform):
    """Add normal noise to every element, then limit it to between 0 and 1 if `clip` (torchvision.transforms.v2.GaussianNoise)."""

    needs_float = True

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.mean, self.sigma, self.clip = mean, sigma, clip
        if sigma < 0:
            raise ArgumentError(f"GaussianNoise: sigma is not negative, got {sigma!r}")

    def transform(self, x: Any) -> Any:
        noise: Any = self.random.standard_normal(x.shape, np.float64 if x.dtype == np.float64 else np.float32)
        x = x + (noise * self.sigma + self.mean).astype(x.dtype)
        return x.clip(0, 1) if self.clip else x


class Cutout(Transform):
    """Set a square of `size` pixels to `fill`; its centre is anywhere in the image, so part of it may lie outside.

    Source: DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017.
    """

    def __init__(self, size: int | Sequence[int], fill: float = 0, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.size, self.fill = _pair("Cutout", "size", size, 0), fill

    def transform(self, x: Any) -> Any:
        inside = []
        for length, size in zip(x.shape[2:], self.size, strict=True):
            at = np.arange(length) - self.random.integers(length, size=(len(x), 1)) + size // 2
            inside.append((at >= 0) & (at < size))
        rows, columns = inside
        return np.where(rows[:, None, :, None] & columns[:, None, None, :], x.dtype.type(self.fill), x)


# ---------------------------------------------------------------- places
class RandomHorizontalFlip(Transform):
    """Mirror an image left to right with probability `p` (torchvision.transforms.RandomHorizontalFlip)."""

    axis = -1

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.p = _probability(type(self).__name__, p)

    def transform(self, x: Any) -> Any:
        which = self.random.random(len(x)) < self.p
        x = x.copy()
        x[which] = np.flip(x[which], self.axis)
        return x


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirror an image top to bottom with probability `p` (torchvision.transforms.RandomVerticalFlip)."""

    axis = -2


class CenterCrop(Transform):
    """Keep the middle `size` pixels (torchvision.transforms.CenterCrop)."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = _pair("CenterCrop", "size", size, 1)

    def transform(self, x: Any) -> Any:
        return _crop(type(self).__name__, x, self.size, lambda room: np.full(len(x), round(room / 2)))


class RandomCrop(Transform):
    """Keep `size` pixels from a random place, after `padding` pixels of `fill` were added on each side, or what
    `padding_mode` says: "constant", "edge", "reflect" or "symmetric" (torchvision.transforms.RandomCrop)."""

    def __init__(
        self, size: int | Sequence[int] | None, padding: int | Sequence[int] | None = None, fill: float = 0,
        padding_mode: str = "constant", generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__(generator)
        name = type(self).__name__
        self.size = None if size is None else _pair(name, "size", size, 1)  # None: as large as it is
        self.padding = _pair(name, "padding", padding or 0, 0)
        self.fill, self.padding_mode = fill, padding_mode
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ArgumentError(f"{name}: padding_mode is 'constant', 'edge', 'reflect' or 'symmetric', got {padding_mode!r}")

    def transform(self, x: Any) -> Any:
        size = self.size or x.shape[2:]
        if any(self.padding):
            across, down = self.padding
            value = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
            x = np.pad(x, ((0, 0), (0, 0), (down, down), (across, across)), self.padding_mode, **value)  # type: ignore[call-overload]
        return _crop(type(self).__name__, x, size, lambda room: self.random.integers(room + 1, size=len(x)))


class RandomShift(RandomCrop):
    """Move an image by up to `max_shift` pixels each way, a number or one across and one down; what moves in is `fill`, or
    what `padding_mode` says. It is a RandomCrop of as many pixels as the image has, after padding it."""

    def __init__(
        self, max_shift: int | Sequence[int], fill: float = 0, padding_mode: str = "constant", generator: Generator | None = None
    ) -> None:
        super().__init__(None, _pair("RandomShift", "max_shift", max_shift, 0), fill, padding_mode, generator)


def _crop(name: str, x: Any, size: Any, place: Callable[[int], Any]) -> Any:
    """`size` pixels of each image, from where `place` says, given how many are left over along a dim."""
    rooms = [length - s for length, s in zip(x.shape[2:], size, strict=True)]
    if min(rooms) < 0:
        raise ShapeError(f"{name}: {size[0]} x {size[1]} pixels cannot be cut from {x.shape[2]} x {x.shape[3]}; add padding")
    result = np.empty((*x.shape[:2], *size), x.dtype)
    for image, out, i, j in zip(x, result, *map(place, rooms), strict=True):
        out[...] = image[:, i : i + size[0], j : j + size[1]]
    return result


class RandomRotation(Transform):
    """Turn an image about its middle, counter-clockwise, by an angle in degrees between -`degrees` and `degrees`, or the two
    numbers given. What turns in is `fill`. `interpolation` is "nearest" or "bilinear" (torchvision.transforms.RandomRotation).
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: str = "nearest",
        fill: float = 0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(generator)
        self.degrees: Any = (-degrees, degrees) if isinstance(degrees, (int, float)) else tuple(degrees)
        self.interpolation, self.fill = interpolation, fill
        if len(self.degrees) != 2 or self.degrees[0] > self.degrees[1]:
            raise ArgumentError(f"RandomRotation: degrees is a number, not negative, or the two it lies between, got {degrees!r}")
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"RandomRotation: interpolation is 'nearest' or 'bilinear', got {interpolation!r}")

    def transform(self, x: Any) -> Any:
        angle, (h, w) = np.deg2rad(self.random.uniform(self.degrees[0], self.degrees[1], len(x))), x.shape[2:]
        cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(len(x))
        theta = np.array([[cos, -sin * (h / w), zero], [sin * (w / h), cos, zero]])  # x and y go from -1 to 1, however long
        dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float32)
        grid = affine_grid(np.moveaxis(theta, -1, 0).astype(dtype), x.shape, align_corners=False)
        turned: Any = grid_sample(x.astype(dtype) - dtype.type(self.fill), grid, self.interpolation, align_corners=False)
        turned = turned + dtype.type(self.fill)
        return (np.rint(turned) if x.dtype.kind in "iub" else turned).astype(x.dtype)


# ---------------------------------------------------------------- batches with their labels
class MixUp:
    """Mix every example of a batch, and its label, with another one: lam * a + (1 - lam) * b, lam drawn from Beta(alpha, alpha).

    Takes a batch x of floats and its labels y, classes of which there are `num_classes`, or rows of probabilities; returns
    the mixed x and rows of probabilities, which cross_entropy takes (torchvision.transforms.v2.MixUp).
    Source: Zhang et al., mixup: beyond empirical risk minimization, 2018.

    >>> import autograd
    >>> x, y = MixUp(num_classes=3)(autograd.rand(4, 1, 8, 8), autograd.tensor([0, 1, 2, 0]))
    >>> x.shape, y.shape, y.dtype
    ((4, 1, 8, 8), (4, 3), dtype('float32'))
    """

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None, generator: Generator | None = None) -> None:
        self.alpha, self.num_classes, self.generator = alpha, num_classes, generator
        if not (alpha > 0 and math.isfinite(alpha)):
            raise ArgumentError(f"MixUp: alpha is positive, got {alpha!r}")

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        images, labels = _array("MixUp", x), _array("MixUp", y)
        if images.dtype.kind != "f":
            raise DtypeError(f"MixUp needs images of floating-point numbers, got {images.dtype}; divide them by 255, say")
        if not labels.ndim or not images.ndim or len(images) != len(labels):
            raise ShapeError(f"MixUp: x and y have the same length, got shapes {images.shape} and {labels.shape}")
        if labels.dtype.kind in "iu":
            n = self.num_classes
            if n is None or labels.ndim != 1 or (labels.size and not (labels.min() >= 0 and labels.max() < n)):
                raise ArgumentError(f"MixUp: classes as labels are a vector and need num_classes, all below it, got {n!r}")
            labels = np.eye(n, dtype=images.dtype)[labels]
        random = (self.generator or default_generator).numpy
        share, other = random.beta(self.alpha, self.alpha), random.permutation(len(images))
        mixed = [(v * share + v[other] * (1 - share)).astype(v.dtype, copy=False) for v in (images, labels)]
        return tuple(from_numpy(m) if isinstance(of, Tensor) else m for m, of in zip(mixed, (x, y), strict=True))  # type: ignore[return-value]
