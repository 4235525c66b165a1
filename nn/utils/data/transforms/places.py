"""Transforms of where things are in an image: mirrored, cut, padded, resized, turned and sheared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.api.random import Generator
from autograd.errors import ArgumentError, ShapeError

from ....functional.resample import interpolate
from ....functional.vision import affine_grid, grid_sample
from .base import Transform, in_floats, pair_of, probability, span_of

__all__ = [
    "CenterCrop", "Pad", "RandomAffine", "RandomCrop", "RandomHorizontalFlip", "RandomRotation", "RandomShift",
    "RandomVerticalFlip", "Resize",
]  # fmt: skip


class RandomHorizontalFlip(Transform):
    """Mirror an image left to right with probability `p` (torchvision.transforms.RandomHorizontalFlip)."""

    axis = -1

    def __init__(self, p: float = 0.5, generator: Generator | None = None) -> None:
        super().__init__(generator)
        self.p = probability(type(self).__name__, p)

    def transform(self, x: Any) -> Any:
        which = self.random.random(len(x)) < self.p
        x = x.copy()
        x[which] = np.flip(x[which], self.axis)
        return x


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirror an image top to bottom with probability `p` (torchvision.transforms.RandomVerticalFlip)."""

    axis = -2


class Resize(Transform):
    """Make images `size` pixels high and wide, or with one number their shorter side so long (torchvision.transforms.Resize).

    `interpolation` is "nearest", "nearest-exact", "bilinear", "bicubic" or "area", as in F.interpolate, `antialias` too. To
    make images much smaller, "area" takes all their pixels into account.

    >>> import autograd
    >>> Resize(4)(autograd.rand(3, 8, 12)).shape
    (3, 4, 6)
    """

    def __init__(self, size: int | Sequence[int], interpolation: str = "bilinear", antialias: bool = False) -> None:
        super().__init__()
        self.size, self.single = pair_of("Resize", "size", size, 1), isinstance(size, int)
        self.interpolation, self.antialias = interpolation, antialias
        known = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        if interpolation not in known:
            raise ArgumentError(f"Resize: interpolation is {', '.join(map(repr, known[:-1]))} or 'area', got {interpolation!r}")

    def transform(self, x: Any) -> Any:
        sides = x.shape[2:]
        size = tuple(self.size[0] * side // min(sides) for side in sides) if self.single else self.size

        def resized(x: Any) -> Any:
            return interpolate(x, size, mode=self.interpolation, antialias=self.antialias)

        return in_floats(x, resized)


class Pad(Transform):
    """Add `padding` pixels on each side, or (across, down), or (left, top, right, bottom) (torchvision.transforms.Pad).

    They are `fill`, or what `padding_mode` says: "constant", "edge", "reflect" or "symmetric".

    >>> import autograd
    >>> Pad((1, 0))(autograd.ones(1, 1, 2))
    tensor([[[0., 1., 1., 0.]]])
    """

    def __init__(self, padding: int | Sequence[int], fill: float = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        four = (
            tuple(padding)
            if isinstance(padding, (tuple, list)) and len(padding) == 4
            else pair_of("Pad", "padding", padding, 0) * 2
        )
        if not all(isinstance(v, int) and v >= 0 for v in four):
            raise ArgumentError(f"Pad: padding is a whole number, 0 or more, or two or four of them, got {padding!r}")
        self.padding, self.fill, self.padding_mode = four, fill, _padding_mode("Pad", padding_mode)

    def transform(self, x: Any) -> Any:
        return _padded(x, self.padding, self.fill, self.padding_mode)


def _padding_mode(name: str, mode: str) -> str:
    if mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ArgumentError(f"{name}: padding_mode is 'constant', 'edge', 'reflect' or 'symmetric', got {mode!r}")
    return mode


def _padded(x: Any, padding: Sequence[int], fill: float, mode: str) -> Any:
    left, top, right, bottom = padding
    value: Any = {"constant_values": fill} if mode == "constant" else {}
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode, **value)  # type: ignore[call-overload]


class CenterCrop(Transform):
    """Keep the middle `size` pixels (torchvision.transforms.CenterCrop)."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = pair_of("CenterCrop", "size", size, 1)

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
        self.size = None if size is None else pair_of(name, "size", size, 1)  # None: as large as it is
        self.padding = pair_of(name, "padding", padding or 0, 0)
        self.fill, self.padding_mode = fill, _padding_mode(name, padding_mode)

    def transform(self, x: Any) -> Any:
        size = self.size or x.shape[2:]
        if any(self.padding):
            x = _padded(x, self.padding * 2, self.fill, self.padding_mode)
        return _crop(type(self).__name__, x, size, lambda room: self.random.integers(room + 1, size=len(x)))


class RandomShift(RandomCrop):
    """Move an image by up to `max_shift` pixels each way, a number or one across and one down; what moves in is `fill`, or
    what `padding_mode` says. It is a RandomCrop of as many pixels as the image has, after padding it."""

    def __init__(
        self, max_shift: int | Sequence[int], fill: float = 0, padding_mode: str = "constant", generator: Generator | None = None
    ) -> None:
        super().__init__(None, pair_of("RandomShift", "max_shift", max_shift, 0), fill, padding_mode, generator)


def _crop(name: str, x: Any, size: Any, place: Callable[[int], Any]) -> Any:
    """`size` pixels of each image, from where `place` says, given how many are left over along a dim."""
    rooms = [length - s for length, s in zip(x.shape[2:], size, strict=True)]
    if min(rooms) < 0:
        raise ShapeError(f"{name}: {size[0]} x {size[1]} pixels cannot be cut from {x.shape[2]} x {x.shape[3]}; add padding")
    result = np.empty((*x.shape[:2], *size), x.dtype)
    for image, out, i, j in zip(x, result, *map(place, rooms), strict=True):
        out[...] = image[:, i : i + size[0], j : j + size[1]]
    return result


class RandomAffine(Transform):
    """Turn, move, scale and shear an image about its middle, by amounts drawn anew (torchvision.transforms.RandomAffine).

    degrees: it turns clockwise by an angle between -`degrees` and `degrees`, or the two numbers given.
    translate: it moves by up to these two shares of its width and height, either way, by whole pixels.
    scale: the two numbers between which lies by how much it grows.
    shear: an angle in degrees by which verticals lean, as `degrees`; of four numbers the last two are for horizontals.

    What comes in is `fill`. `interpolation` is "nearest", "bilinear" or "bicubic".

    >>> import autograd
    >>> RandomAffine((90, 90))(autograd.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[3., 1.],
             [4., 2.]]])
    """

    clockwise = 1  # or -1: which way a positive angle turns

    def __init__(
        self, degrees: float | Sequence[float], translate: Sequence[float] | None = None, scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None, interpolation: str = "nearest", fill: float = 0,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__(generator)
        name = type(self).__name__
        self.degrees = span_of(name, "degrees", degrees)
        self.translate = None if translate is None else tuple(span_of(name, "translate", (0, v), most=1)[1] for v in translate)
        self.scale = None if scale is None else span_of(name, "scale", scale, 1.0, 1e-6)
        self.shear = None if shear is None else _shears(name, shear)
        self.interpolation, self.fill = interpolation, fill
        if self.translate is not None and len(self.translate) != 2:
            raise ArgumentError(f"{name}: translate is two shares, across and down, got {translate!r}")
        if interpolation not in ("nearest", "bilinear", "bicubic"):
            raise ArgumentError(f"{name}: interpolation is 'nearest', 'bilinear' or 'bicubic', got {interpolation!r}")

    def transform(self, x: Any) -> Any:
        n, (h, w), random = len(x), x.shape[2:], self.random
        angle = np.deg2rad(random.uniform(self.degrees[0], self.degrees[1], n)) * self.clockwise
        forward = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])  # x to the right, y down
        moved: Any = np.zeros((2, n))
        if self.translate is not None:
            moved = np.rint([random.uniform(-share * m, share * m, n) for share, m in zip(self.translate, (w, h), strict=True)])
        if self.scale is not None:
            forward *= random.uniform(self.scale[0], self.scale[1], n)
        forward, sides = np.moveaxis(forward, -1, 0), np.array([w, h])
        if self.shear is not None:
            leans = [np.tan(np.deg2rad(random.uniform(low, high, n))) for low, high in self.shear]
            for (i, j), lean in zip(((1, 0), (0, 1)), leans[::-1], strict=True):
                step = np.tile(np.eye(2), (n, 1, 1))
                step[:, i, j] = -lean
                forward = forward @ step
        back = np.linalg.inv(forward)
        start = -back @ moved.T[..., None]
        theta = np.concatenate([back * sides, 2 * start], 2) / sides[:, None]  # where -1 to 1 is the image, however long

        def turned(x: Any) -> Any:
            grid = affine_grid(theta.astype(x.dtype), x.shape, align_corners=False)
            fill = x.dtype.type(self.fill)
            return grid_sample(x - fill, grid, self.interpolation, align_corners=False) + fill

        return in_floats(x, turned)


def _shears(name: str, shear: Any) -> tuple[Any, Any]:
    """The two spans of angles, for verticals and horizontals."""
    if isinstance(shear, (int, float)) or len(shear) == 2:
        return span_of(name, "shear", shear, least=-89, most=89), (0.0, 0.0)
    if len(shear) != 4:
        raise ArgumentError(f"{name}: shear is a number, or two or four, got {shear!r}")
    return span_of(name, "shear", shear[:2], least=-89, most=89), span_of(name, "shear", shear[2:], least=-89, most=89)


class RandomRotation(RandomAffine):
    """Turn an image about its middle, counter-clockwise, by an angle in degrees between -`degrees` and `degrees`, or the two
    numbers given. What turns in is `fill`. `interpolation` is as for RandomAffine (torchvision.transforms.RandomRotation).
    """

    clockwise = -1

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: str = "nearest",
        fill: float = 0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(degrees, interpolation=interpolation, fill=fill, generator=generator)
