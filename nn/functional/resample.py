"""Weighted sums along a dim, of which padding by mirroring, interpolation and means of unequal parts are made."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from autograd.engine.accumulate import single
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError

from .checks import need_float, per_dim
from .common import constant

# ---------------------------------------------------------------- the table
# Padding by mirroring, interpolating and averaging unequal parts are products with a matrix of few elements other than 0.
# `how` says which, by the name of a function in _HOW, the lengths of the dim before and after, and that function's options.
Taps = list[tuple[Any, Any]]  # for each new element, indices of old ones and their weights; None for a weight of 1


def _reflect(n: int, m: int, before: int) -> Taps:
    period = max(1, 2 * n - 2)
    at = (np.arange(m) - before) % period
    return [(np.minimum(at, period - at), None)]


def _replicate(n: int, m: int, before: int) -> Taps:
    return [(np.clip(np.arange(m) - before, 0, n - 1), None)]


def _circular(n: int, m: int, before: int) -> Taps:
    return [((np.arange(m) - before) % n, None)]


def _nearest(n: int, m: int, scale: float | None, shift: float) -> Taps:
    ratio = np.float32(n / m if scale is None else 1 / scale)  # rounded as PyTorch rounds it, for the same steps
    return [(np.minimum((np.arange(m, dtype=np.float32) + np.float32(shift)) * ratio, n - 1).astype(np.int64), None)]


def _sources(n: int, m: int, scale: float | None, align_corners: bool) -> Any:
    """Where between the old elements the new ones lie."""
    if align_corners:
        return np.arange(m) * ((n - 1) / max(1, m - 1))
    return (np.arange(m) + 0.5) * (n / m if scale is None else 1 / scale) - 0.5


def _linear(n: int, m: int, scale: float | None, align_corners: bool) -> Taps:
    at = np.clip(_sources(n, m, scale, align_corners), 0, n - 1)
    low = np.floor(at).astype(np.int64)
    return [(low, 1 - (at - low)), (np.minimum(low + 1, n - 1), at - low)]


def _cubic(n: int, m: int, scale: float | None, align_corners: bool) -> Taps:
    at = _sources(n, m, scale, align_corners)
    low = np.floor(at).astype(np.int64)
    return [(np.clip(low + i, 0, n - 1), w) for i, w in zip((-1, 0, 1, 2), cubic_weights(at - low), strict=True)]


def _antialias(n: int, m: int, scale: float | None, align_corners: bool, cubic: bool) -> Taps:
    """Where the dim shrinks the kernel, a tent or Keys' with a = -0.5, is as much wider, so that each old element counts."""
    step = (n - 1) / max(1, m - 1) * (m > 1) if align_corners else n / m if scale is None else 1 / scale
    wide, centre = max(step, 1.0), step * (np.arange(m) + 0.5)
    reach = wide * (2 if cubic else 1)
    start = np.clip((centre - reach + 0.5).astype(np.int64), 0, n)
    stop = np.clip((centre + reach + 0.5).astype(np.int64), start, n)
    at = start + np.arange(max(1, np.max(stop - start, initial=1)))[:, None]
    t = np.abs((at - centre + 0.5) / wide)
    near, far = _keys(-0.5)
    weight = np.where(t < 1, near(t), np.where(t < 2, far(t), 0)) if cubic else np.maximum(1 - t, 0)
    weight = np.where(at < stop, weight, 0)
    return list(zip(np.minimum(at, n - 1), weight / np.sum(weight, 0), strict=True))


def cubic_weights(t: Any) -> list[Any]:
    """Of the two points before and the two after one that lies t after the second: Keys' kernel with a = -0.75.

    R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """

    near, far = _keys(-0.75)
    return [far(1 + t), near(t), near(1 - t), far(2 - t)]


def _keys(a: float) -> tuple[Any, Any]:
    """Keys' kernel as functions of the distance: up to 1, and from there to 2."""
    return lambda d: ((a + 2) * d - (a + 3)) * d * d + 1, lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def area(n: int, m: int) -> Taps:
    """The mean of each of m parts that cover the dim; neighbours share an element where m does not divide n."""
    start, stop = np.arange(m) * n // m, -(np.arange(1, m + 1) * -n // m)
    at = start + np.arange(np.max(stop - start, initial=1))[:, None]
    return list(zip(np.minimum(at, stop - 1), (at < stop) / (stop - start), strict=True))


_HOW: dict[str, Any] = dict(
    reflect=_reflect,
    replicate=_replicate,
    circular=_circular,
    nearest=_nearest,
    linear=_linear,
    cubic=_cubic,
    area=area,
    antialias=_antialias,
)


@lru_cache(200)
def _taps(how: tuple[Any, ...], back: bool) -> Taps:
    """The rows of the matrix, or with `back` its columns."""
    name, n, m, *options = how
    taps = _HOW[name](n, m, *options)
    if back:
        old = np.concatenate([np.arange(m)] * len(taps))
        new = np.concatenate([i for i, _ in taps])
        weight = np.concatenate([np.ones(m) if w is None else w for _, w in taps])
        old, new, weight = (v[weight != 0] for v in (old, new, weight))
        old, new, weight = (v[np.argsort(new, kind="stable")] for v in (old, new, weight))
        depth = np.arange(new.size) - np.searchsorted(new, new)  # how many of the same column came before
        indices, weights = np.zeros((np.max(depth, initial=0) + 1, n), np.int64), np.zeros((np.max(depth, initial=0) + 1, n))
        indices[depth, new], weights[depth, new] = old, weight
        taps = list(zip(indices, weights, strict=True))
    return taps


def _resample(x: Array, axis: int, how: tuple[Any, ...], back: bool = False) -> Array:
    if not x.shape[axis]:
        return np.zeros_like(x, shape=(*x.shape[:axis], how[1 if back else 2], *x.shape[axis + 1 :]))
    total: Any = None
    for index, weight in _taps(how, back):
        part = np.take(x, constant(index, x, np.int64), axis)
        if weight is not None:
            part *= np.reshape(constant(weight, x), (-1, *(1,) * (x.ndim - axis - 1)))
        total = part if total is None else total + part
    return total


# fmt: off
resample: Any = primitive(_resample, "resample", x=lambda g, axis, how, back: resample(g, axis, how, not back),
            says="x times a sparse matrix along an axis, given as how to pad or interpolate (torch.nn.functional.interpolate).")
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


@single
def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """`input` made larger or smaller, to `size` or by `scale_factor`, each a number or one for each dim.

    `mode` is 'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear' (for 1, 2, 3 dims), 'bicubic' (2 dims) or 'area'.
    With `antialias`, for 'bilinear' and 'bicubic', all elements count where the image shrinks, not only those near by.
    Shapes: (N, C, ...) with 1 to 3 sizes. Raises ShapeError or ArgumentError (torch.nn.functional.interpolate).

    >>> import autograd
    >>> interpolate(autograd.tensor([[[0.0, 1.0]]]), size=4, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    n = input.ndim - 2
    if n not in (1, 2, 3):
        raise ShapeError(f"interpolate: input must have shape (N, C, ...) with 1 to 3 sizes, got {input.shape}")
    if mode not in (*_LINEAR, "bicubic", "nearest", "nearest-exact", "area"):
        known = "'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic' or 'area'"
        raise ArgumentError(f"interpolate: mode is {known}, got {mode!r}")
    if (_LINEAR | {"bicubic": 2}).get(mode, n) != n:
        raise ShapeError(f"interpolate: mode {mode!r} is not for input of shape {input.shape}, which has {n} sizes to change")
    if align_corners is not None and mode not in (*_LINEAR, "bicubic"):
        raise ArgumentError(f"interpolate: align_corners is for the linear modes and 'bicubic'; leave it out for {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(f"interpolate: antialias is for 'bilinear' and 'bicubic'; leave it out for {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"interpolate: give one of size and scale_factor, got {size!r} and {scale_factor!r}")
    if recompute_scale_factor and size is not None:
        raise ArgumentError("interpolate: recompute_scale_factor is for scale_factor; leave it out when size is given")
    if not mode.startswith("nearest"):
        need_float(f"interpolate with mode {mode!r}", input, arrays=True)
    scales: list[Any] = [None] * n
    if size is None:
        scales = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
        if len(scales) != n:
            raise ArgumentError(f"interpolate: scale_factor must be a number or {n} of them, got {scale_factor!r}")
        size = tuple(int(m * s) for m, s in zip(input.shape[2:], scales, strict=True))
        scales = [None] * n if recompute_scale_factor else scales
    size = per_dim("interpolate", "size", size, n, 0)
    if 0 in size or 0 in input.shape[2:]:
        raise ShapeError(f"interpolate: sizes must not be 0, got input of shape {input.shape} and {size} to make of it")
    for axis, (m, scale) in enumerate(zip(size, scales, strict=True), 2):
        length = input.shape[axis]
        if (mode in _LINEAR and m == length) or (mode == "nearest" and n == 2 and m in (length, 2 * length)):
            scale = None  # PyTorch goes by the sizes here, whatever the factor
        if mode == "area":
            how: tuple[Any, ...] = ("area", length, m)
        elif mode.startswith("nearest"):
            how = ("nearest", length, m, scale, 0.5 if mode == "nearest-exact" else 0)
        elif antialias:
            how = ("antialias", length, m, scale, bool(align_corners), mode == "bicubic")
        else:
            how = ("cubic" if mode == "bicubic" else "linear", length, m, scale, bool(align_corners))
        input = resample(input, axis, how)
    return input
