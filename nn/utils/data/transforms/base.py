"""What transforms are made of: one after the other, from a picture to a tensor, and the base of all others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.api.random import Generator, default_generator
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError

__all__ = ["Compose", "ToTensor", "Transform"]


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
        array = array_of("ToTensor", image)
        if array.ndim not in (2, 3):
            raise ShapeError(f"ToTensor: an image has shape (H, W) or (H, W, C), got {array.shape}")
        array = np.ascontiguousarray(np.moveaxis(np.atleast_3d(array), -1, 0))
        return from_numpy(array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array)


def array_of(name: str, x: Any) -> Any:
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
        name, array = type(self).__name__, array_of(type(self).__name__, x)
        if array.ndim not in (3, 4):
            raise ShapeError(f"{name}: images have shape (C, H, W) or (N, C, H, W), got {array.shape}")
        if self.needs_float and array.dtype.kind != "f":
            raise DtypeError(f"{name} needs images of floating-point numbers, got {array.dtype}; divide them by 255, say")
        result = self.transform(array.reshape(-1, *array.shape[-3:]))
        result = result.reshape(*array.shape[:-3], *result.shape[1:])
        return from_numpy(result) if isinstance(x, Tensor) else result

    def transform(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say what becomes of an image: define transform")


def pair_of(name: str, argument: str, value: Any, least: int) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= least for v in pair):
        raise ArgumentError(f"{name}: {argument} is a whole number, {least} or more, or two of them, got {value!r}")
    return pair


def probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p lies between 0 and 1, got {p!r}")
    return p


def span_of(name: str, argument: str, value: Any, middle: float = 0.0, least: float = -math.inf, most: float = math.inf) -> Any:
    """Between which numbers to draw: those given, or the number around `middle`, but within `least` and `most`."""
    single = isinstance(value, (int, float))
    pair = (max(middle - value, least), middle + value) if single else tuple(value)
    if len(pair) != 2 or not least <= pair[0] <= pair[1] <= most:
        limits = (
            f", from {least:g} to {most:g}" if math.isfinite(most) else f", {least:g} or more" if math.isfinite(least) else ""
        )
        what = f"{argument} is a number, not negative, or the two it lies between{limits}"
        raise ArgumentError(f"{name}: {what}, got {value!r}")
    return pair


def in_floats(x: Any, function: Callable[[Any], Any]) -> Any:
    """`function` of x in single precision, or double if x is; of integers the result is rounded, to what they can be."""
    result = function(x.astype(np.promote_types(x.dtype, np.float32) if x.dtype.kind == "f" else np.float32, copy=False))
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    return (np.rint(result) if x.dtype.kind == "b" else result).astype(x.dtype, copy=False)


def rectangles(x: Any, places: Sequence[Any], sizes: Sequence[Any]) -> Any:
    """Which pixels of each image lie in its rectangle, from its place on, one down and one across, for its size."""
    rows, columns = (
        (np.arange(length) >= np.reshape(at, (-1, 1))) & (np.arange(length) < np.reshape(at + size, (-1, 1)))
        for length, at, size in zip(x.shape[2:], places, sizes, strict=True)
    )
    return rows[:, None, :, None] & columns[:, None, None, :]
