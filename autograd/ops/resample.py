"""Padding, interpolation and sampling at points: what makes new elements of few old ones, in any number of dims."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np

from ..api.shape import copied
from ..engine.accumulate import single
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..engine.tensor import Tensor, wrap
from ..errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from .elementwise import choose, fill
from .index import getindex, getslice, unslice
from .linalg import T, same_dtype

__all__ = ["affine_grid", "grid_sample", "interpolate", "pad", "pixel_shuffle", "pixel_unshuffle"]

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table: weighted sums along a dim
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
    return [(np.clip(low + i, 0, n - 1), w) for i, w in zip((-1, 0, 1, 2), _cubic_weights(at - low), strict=True)]


def _cubic_weights(t: Any) -> list[Any]:
    """Of the two points before and the two after one that lies t after the second: Keys' kernel with a = -0.75.

    R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """

    def near(d: Any) -> Any:
        return (1.25 * d - 2.25) * d * d + 1

    def far(d: Any) -> Any:
        return ((-0.75 * d + 3.75) * d - 6) * d + 3

    return [far(1 + t), near(t), near(1 - t), far(2 - t)]


def area(n: int, m: int) -> Taps:
    """The mean of each of m parts that cover the dim; neighbours share an element where m does not divide n."""
    start, stop = np.arange(m) * n // m, -(np.arange(1, m + 1) * -n // m)
    at = start + np.arange(np.max(stop - start, initial=1))[:, None]
    return list(zip(np.minimum(at, stop - 1), (at < stop) / (stop - start), strict=True))


_HOW: dict[str, Any] = dict(
    reflect=_reflect, replicate=_replicate, circular=_circular, nearest=_nearest, linear=_linear, cubic=_cubic, area=area
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


def constant(values: Any, x: Any, dtype: Any = None) -> Any:
    """Numbers as an array that lives where `x` does, of its dtype or another; a Tensor if `x` is one."""
    array = np.asarray(values, dtype or x.dtype, like=getattr(x, "array", x))
    return wrap(array) if isinstance(x, Tensor) else array


# fmt: off
resample_: Any = primitive(_resample, "resample",   x=lambda g, axis, how, back: resample_(g, axis, how, not back))
cell_          = primitive(lambda x, low, high: np.astype(np.fmin(np.fmax(np.floor(x), low), high), np.int64), "cell")
# fmt: on


# ---------------------------------------------------------------- arguments
def per_dim(op: str, name: str, value: Any, n: int, least: int) -> Axis:
    """A number, or one for each of n dims, as a tuple."""
    values = (value,) * n if hasattr(value, "__index__") else tuple(value) if isinstance(value, (tuple, list)) else ()
    values = values * n if len(values) == 1 else values
    if len(values) != n or not all(hasattr(v, "__index__") for v in values):
        raise ArgumentError(f"{op}: {name} must be a whole number or {n} of them, got {value!r}")
    if any(v < least for v in values):
        raise ArgumentError(f"{op}: {name} must be at least {least}, got {value!r}")
    return tuple(int(v) for v in values)


def need_float(op: str, input: Any) -> None:
    """Means and weighted sums of integers are none."""
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point tensor, not {input.dtype}; use float() first")


# ---------------------------------------------------------------- padding and resampling
def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """With something around it: `pad` holds (before, after) for the last dim, then for the one before it, and so on.

    `mode` is 'constant' (`value`, or zeros), 'reflect' (mirrored at the border's elements), 'replicate' (the border again) or
    'circular' (from the other end). Negative numbers cut off. Raises ShapeError or ArgumentError (torch.nn.functional.pad).

    >>> import autograd
    >>> x = autograd.arange(3.0)
    >>> pad(x, (1, 2)), pad(x, (1, 2), mode="reflect")
    (tensor([0., 0., 1., 2., 0., 0.]), tensor([1., 0., 1., 2., 1., 0.]))
    """
    pairs = list(zip(pad[::2], pad[1::2], strict=False))[::-1]
    n = len(pairs)
    if len(pad) % 2 or n > input.ndim or not all(hasattr(v, "__index__") for v in pad):
        raise ShapeError(f"pad: {tuple(pad)} must be pairs of whole numbers, one for each of at most {input.ndim} dims")
    if any(min(a, 0) + min(b, 0) + m < 0 for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True)):
        raise ShapeError(f"pad: {tuple(pad)} cuts off more than there is in shape {input.shape}")
    if min(pad, default=0) < 0:
        cut = (slice(max(0, -a), m + min(0, b)) for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True))
        input, pairs = getslice(input, (..., *cut)), [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode == "constant":
        return _surround(input, pairs, value or 0)
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError(f"pad: mode is 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if value is not None:
        raise ArgumentError(f"pad: mode {mode!r} takes its values from the input, so leave value={value!r} out")
    for axis, (a, b) in enumerate(pairs, input.ndim - n):
        m = input.shape[axis]
        if max(a, b) > {"reflect": m - 1, "replicate": inf if m else 0, "circular": m}[mode]:
            raise ShapeError(f"pad: {mode} cannot add {a} before and {b} after the {m} elements of dim {axis}")
        if a or b:
            input = resample_(input, axis, (mode, m, m + a + b, a))
    return input


def _surround(input: Any, pairs: list[tuple[int, int]], value: float) -> Any:
    sizes = input.shape[input.ndim - len(pairs) :]
    shape = tuple(m + a + b for m, (a, b) in zip(sizes, pairs, strict=True))
    inside = (..., *(slice(a, a + m) for m, (a, b) in zip(sizes, pairs, strict=True)))
    out = unslice(input, inside, (*input.shape[: input.ndim - len(pairs)], *shape))
    if not value:
        return out
    frame: Any = np.full_like(getattr(input, "array", input), value, shape=shape)
    frame[inside] = 0
    return out + frame


_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


@single
def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Any:  # fmt: skip
    """`input` made larger or smaller, to `size` or by `scale_factor`, each a number or one for each dim.

    `mode` is 'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear' (for 1, 2, 3 dims), 'bicubic' (2 dims) or 'area'.
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
    if antialias:
        raise UnsupportedError("interpolate: antialias is not supported; leave it out, or use mode='area' to make smaller")
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"interpolate: give one of size and scale_factor, got {size!r} and {scale_factor!r}")
    if recompute_scale_factor and size is not None:
        raise ArgumentError("interpolate: recompute_scale_factor is for scale_factor; leave it out when size is given")
    if not mode.startswith("nearest"):
        need_float(f"interpolate with mode {mode!r}", input)
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
        else:
            how = ("cubic" if mode == "bicubic" else "linear", length, m, scale, bool(align_corners))
        input = resample_(input, axis, how)
    return input


@single
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """Where in the input of `grid_sample` each element of its result comes from, under an affine map.

    Shapes: theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2); theta (N, 3, 4) and size (N, C, D, H, W) give
    (N, D, H, W, 3). Raises ShapeError or DtypeError (torch.nn.functional.affine_grid).
    """
    size, n = tuple(size), len(size) - 2
    if n not in (2, 3) or theta.shape != (size[0], n, n + 1):
        raise ShapeError(
            f"affine_grid: theta must have shape (N, 2, 3) for size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), "
            f"got {theta.shape} for {size}"
        )
    need_float("affine_grid", theta)
    axes = [np.ones(size[2:])]
    for i, m in enumerate(size[2:]):  # from -1 to 1: between the middles of the outer elements, or their far edges
        at = (np.arange(m) * 2 + 1 - m) / (max(1, m - 1) if align_corners else m)
        axes.insert(0, axes[-1] * np.reshape(at, (m, *(1,) * (n - 1 - i))))
    base = constant(np.reshape(np.stack(axes, -1), (1, prod(size[2:]), n + 1)), theta)
    return np.reshape(np.matmul(base, T(theta)), (size[0], *size[2:], n))


@single
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """The elements of `input` at the points in `grid`, whose last dim holds x, y (and z) from -1 to 1.

    `mode` is 'bilinear', 'nearest' or 'bicubic'; outside there are 'zeros', the 'border' or the 'reflection'. -1 and 1 are
    the middles of the outer elements if `align_corners`, else their far edges. Shapes: (N, C, H, W) and (N, H', W', 2) give
    (N, C, H', W'); so with a third dim. Raises ShapeError, ArgumentError or DtypeError (torch.nn.functional.grid_sample).
    """
    n = input.ndim - 2
    if n not in (2, 3) or grid.ndim != n + 2 or (grid.shape[0], grid.shape[-1]) != (input.shape[0], n):
        raise ShapeError(
            f"grid_sample: input (N, C, H, W) needs a grid (N, H', W', 2), input (N, C, D, H, W) a grid (N, D', H', W', 3), "
            f"got {input.shape} and {grid.shape}"
        )
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and n != 2):
        raise ArgumentError(f"grid_sample: mode is 'bilinear', 'nearest' or, for 2 dims, 'bicubic', got {mode!r} for {n} dims")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ArgumentError(f"grid_sample: padding_mode is 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    same_dtype("grid_sample", input=input, grid=grid)
    need_float("grid_sample", input)
    if 0 in input.shape[1:]:
        raise ShapeError(f"grid_sample: there is nothing to sample in an input of shape {input.shape}")
    size, rim = input.shape[2:], int(padding_mode == "zeros")
    if rim:  # what lies outside is looked up in a rim of zeros
        input = _surround(input, [(1, 1)] * n, 0)

    def taps(at: Any, m: int) -> list[tuple[Any, Any]]:
        """The elements along a dim of length m that make the value at `at`, and their weights."""
        inside: Any = (lambda v: v) if rim else (lambda v: _within(v, m, padding_mode, align_corners))
        if mode == "nearest":
            return [(cell_(np.round(inside(at)), -rim, m - 1 + rim), fill(at, 1.0))]
        at = at if mode == "bicubic" else inside(at)
        low = np.floor(at)
        if mode == "bilinear":
            near = [(0, 1 - (at - low)), (1, at - low)]
        else:
            near = list(zip((-1, 0, 1, 2), _cubic_weights(at - low), strict=True))
        return [(cell_(inside(low + i) if mode == "bicubic" else low + i, -rim, m - 1 + rim), w) for i, w in near]

    dims = []
    for i, m in enumerate(size):
        x = grid[..., n - 1 - i]
        dims.append(taps((x + 1) * ((m - 1) / 2) if align_corners else ((x + 1) * m - 1) / 2, m))
    rows = np.reshape(np.moveaxis(input, 1, -1), (-1, input.shape[1]))
    images = np.reshape(constant(range(input.shape[0]), input, np.int64), (-1, *(1,) * n))
    total: Any = None
    for corner in product(*dims):
        index, weight = images, 1
        for (at, w), m in zip(corner, size, strict=True):
            index, weight = index * (m + 2 * rim) + (at + rim), w * weight
        part = getindex(rows, index) * np.expand_dims(weight, -1)
        total = part if total is None else total + part
    return np.moveaxis(total, -1, 1)


def _within(at: Any, m: int, padding_mode: str, align_corners: bool | None) -> Any:
    """Coordinates outside moved to the border, or mirrored; at the border itself the derivative is 0, as PyTorch has it."""
    if padding_mode == "reflection":
        low, span = (0, max(1, m - 1)) if align_corners else (-0.5, m)
        at = low + span - abs((at - low) % (2 * span) - span)
    return choose((at > 0) & (at < m - 1), at, np.clip(at.detach() if hasattr(at, "detach") else at, 0, m - 1))


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """Channels as pixels: (..., C * r * r, H, W) gives (..., C, H * r, W * r) (torch.nn.functional.pixel_shuffle)."""
    (r,) = per_dim("pixel_shuffle", "upscale_factor", upscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-3] % r**2:
        raise ShapeError(f"pixel_shuffle: input must have shape (..., a multiple of {r**2}, H, W), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c // r**2, r, r, h, w), (0, 3, 1, 4, 2), (*lead, c // r**2, h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W) (torch.nn.functional.pixel_unshuffle)."""
    (r,) = per_dim("pixel_unshuffle", "downscale_factor", downscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: input must have shape (..., C, multiples of {r}), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c, h // r, r, w // r, r), (0, 2, 4, 1, 3), (*lead, c * r**2, h // r, w // r))


def _rearranged(input: Any, parts: Axis, order: Axis, shape: Axis) -> Any:
    """`input` as `parts`, the last five in another order, as `shape`."""
    lead = len(parts) - 5
    return copied(np.reshape(np.transpose(np.reshape(input, parts), (*range(lead), *(lead + i for i in order))), shape), input)
