"""Sliding windows and their adjoint: what convolution, pooling, padding and resampling are made of, in any number of dims."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import inf, prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from ..graph import Array
from ..primitive import primitive
from ..tensor import Tensor, wrap
from .common import ValuesIndices
from .elementwise import choose, fill
from .index import index_, slice_, unslice_
from .linalg import T, same_dtype
from .reduce import max as max_along

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "affine_grid", "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold", "grid_sample", "interpolate",
    "max_pool1d", "max_pool2d", "max_pool3d", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold",
]  # fmt: skip

Axis = tuple[int, ...]
Index = tuple[Any, ...]
# How windows lie over the last dims of an array: for each of those dims their length, the stride from one window to the next,
# how far the first begins before the array, and the dilation, the distance between two places of a window.
Windows = tuple[tuple[int, int, int, int], ...]


# ---------------------------------------------------------------- where windows lie
@lru_cache(1000)
def places(windows: Windows, size: Axis, count: Axis) -> list[tuple[Index, Index]]:
    """For each place of a window: which of the `count` windows have it inside an array of `size`, and what they see there.

    Both are indices of slices. Everything below loops over places, of which there are few, and lets NumPy do the rest:
    whatever hangs over the edge is never touched, so padding needs no copy of the array.
    """
    dims = []
    for (length, stride, before, dilation), n, m in zip(windows, size, count, strict=True):
        dim = []
        for first in range(-before, length * dilation - before, dilation):  # what the first window sees
            low = max(0, -(first // stride))
            high = max(low, min(m, (n - 1 - first) // stride + 1))
            start = first + low * stride
            dim.append((slice(low, high), slice(start, start + (high - low) * stride, stride)))
        dims.append(dim)
    return [((..., *(w for w, _ in place)), (..., *(x for _, x in place))) for place in product(*dims)]


# ---------------------------------------------------------------- the table: windows and their sums
def _windows(x: Array, windows: Windows, count: Axis) -> Array:
    n = len(windows)
    found = places(windows, x.shape[-n:], count)
    out = np.zeros_like(x, shape=(*x.shape[:-n], len(found), *count))
    for i, (where, seen) in enumerate(found):
        out[(..., i, *where[1:])] = x[seen]
    return out


def _fold(x: Array, windows: Windows, size: Axis) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=(*x.shape[: -n - 1], *size))
    for i, (where, seen) in enumerate(places(windows, size, x.shape[-n:])):
        out[seen] += x[(..., i, *where[1:])]
    return out


def _window_sum(x: Array, windows: Windows, count: Axis) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=(*x.shape[:-n], *count))
    for where, seen in places(windows, x.shape[-n:], count):
        out[where] += x[seen]
    return out


def _pull_window_sum(g: Array, windows: Windows, x_shape: Axis) -> Array:
    """Each window hands its gradient to all of its places."""
    n = len(windows)
    shape = (*g.shape[:-n], prod(w[0] for w in windows), *g.shape[-n:])
    return fold_(np.broadcast_to(np.expand_dims(g, -n - 1), shape), windows, x_shape[-n:])


# ---------------------------------------------------------------- the table: the greatest of each window
def _window_max(x: Array, windows: Windows, count: Axis) -> Array:
    n = len(windows)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    out = np.full_like(x, lowest, shape=(*x.shape[:-n], *count))
    for where, seen in places(windows, x.shape[-n:], count):
        np.maximum(out[where], x[seen], out=out[where])
    return out


def _which(x: Array, top: Array, windows: Windows) -> Array:
    """The first place of each window where its greatest element, `top`, stands."""
    n = len(windows)
    found = places(windows, x.shape[-n:], top.shape[-n:])
    number = np.uint8 if len(found) <= 256 else np.int64  # small numbers are several times faster
    out, looking = np.zeros_like(top, dtype=number), np.ones_like(top, dtype=bool)
    has_nan = np.any(top != top)  # a NaN wins, but does not equal itself
    for i, (where, seen) in enumerate(found):
        hit = x[seen] == top[where]
        if has_nan:
            hit |= x[seen] != x[seen]
        hit &= looking[where]
        looking[where] ^= hit
        out[where] += hit * number(i)
    return out


def _pick(x: Array, which: Array, windows: Windows) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=which.shape)
    for i, (where, seen) in enumerate(places(windows, x.shape[-n:], which.shape[-n:])):
        out[where] += x[seen] * (which[where] == i)
    return out


def _put(x: Array, which: Array, windows: Windows, size: Axis) -> Array:
    n = len(windows)
    out = np.zeros_like(x, shape=(*x.shape[:-n], *size))
    for i, (where, seen) in enumerate(places(windows, size, which.shape[-n:])):
        out[seen] += x[where] * (which[where] == i)
    return out


def _flat_index(which: Array, windows: Windows, size: Axis) -> Array:
    """Where in the flattened array the place `which` of each window is."""
    out, later = np.zeros_like(which, dtype=np.int64), prod(w[0] for w in windows)
    for (length, stride, before, dilation), n, axis in zip(windows, size, range(-len(windows), 0), strict=True):
        later //= length
        begins = np.arange(which.shape[axis], like=which) * stride - before
        out = out * n + np.reshape(begins, (-1, *(1,) * (-axis - 1))) + np.astype(which, np.int64) // later % length * dilation
    return out


# ---------------------------------------------------------------- the table: convolution
# One trilinear form, sum(y * conv(x, w)), differentiated by each of its three arguments: conv by y, conv_transpose by x,
# conv_weight by w. Each one's rules are the other two. All are products of matrices with one row for each window, channels
# last in memory. So results are channels last in memory too, which pooling and the next convolution like best.
def _section(x: Array, starts: Axis, sizes: Axis) -> Array:
    """The part of the last dims that begins at `starts`, zero where there is nothing."""
    n = len(sizes)
    spans = [(max(0, a), max(0, a, min(m, a + k))) for a, k, m in zip(starts, sizes, x.shape[-n:], strict=True)]
    part = x[(..., *(slice(low, high) for low, high in spans))]
    if part.shape[-n:] == sizes:
        return part
    out = np.zeros_like(x, shape=(*x.shape[:-n], *sizes))
    out[(..., *(slice(low - a, high - a) for (low, high), a in zip(spans, starts, strict=True)))] = part
    return out


def _patches(x: Array, windows: Windows, count: Axis, groups: int) -> Array:
    """(groups, windows of all images, elements of a window): one strided copy, in the order that makes its runs longest."""
    n, (images, channels) = len(windows), x.shape[:2]
    spans = tuple((k - 1) * d + 1 for k, _, _, d in windows)
    sizes = tuple((m - 1) * s + span for (_, s, _, _), m, span in zip(windows, count, spans, strict=True))
    x = _section(x, tuple(-before for _, _, before, _ in windows), sizes)
    x = sliding_window_view(x, spans, axis=tuple(range(2, 2 + n)))
    x = x[(..., *(slice(None, None, s) for _, s, _, _ in windows), *(slice(None, None, d) for _, _, _, d in windows))]
    x = np.reshape(x, (images, groups, channels // groups, *x.shape[2:]))
    at, inside = tuple(range(3, 3 + n)), tuple(range(3 + n, 3 + 2 * n))
    rows, elements = images * prod(count), prod(w[0] for w in windows) * channels // groups
    if channels // groups < 8:
        return T(np.reshape(np.transpose(x, (1, *inside, 2, 0, *at)), (groups, elements, rows)))
    return np.reshape(np.transpose(x, (1, 0, *at, *inside, 2)), (groups, rows, elements))


def _batches(images: int, elements: int) -> Iterator[slice]:
    """Some images at a time, so that their patches stay in the cache."""
    step = max(1, 2**19 // max(1, elements))
    return (slice(i, i + step) for i in range(0, images, step))


def _rows(x: Array, groups: int) -> Array:
    """(groups, positions of all images, channels)."""
    images, channels, *size = x.shape
    return np.swapaxes(np.reshape(np.moveaxis(x, 1, -1), (images * prod(size), groups, channels // groups)), 0, 1)


def _conv(x: Array, w: Array, b: Array | None, windows: Windows, count: Axis, groups: int) -> Array:
    images, channels, inner, length = x.shape[0], w.shape[0], w.shape[1], prod(w.shape[2:])
    kernel = np.moveaxis(np.reshape(w, (groups, channels // groups, inner, length)), 2, 3)
    kernel = T(np.reshape(kernel, (groups, channels // groups, length * inner)))
    out = np.empty_like(x, shape=(images, prod(count), groups, channels // groups), order="C")
    for part in _batches(images, prod(count) * groups * inner * length):
        rows = np.reshape(out[part], (-1, *out.shape[2:]))
        np.matmul(_patches(x[part], windows, count, groups), kernel, out=np.swapaxes(rows, 0, 1))
        if b is not None:
            rows += np.reshape(b, rows.shape[1:])
    return np.moveaxis(np.reshape(out, (images, *count, channels)), -1, 1)


def _conv_transpose(y: Array, w: Array, windows: Windows, size: Axis, groups: int) -> Array:
    images, channels, count = y.shape[0], w.shape[0], y.shape[2:]
    kernels = np.reshape(w, (groups, channels // groups, w.shape[1], prod(w.shape[2:])))
    kernels = np.copy(np.moveaxis(kernels, -1, 0), order="C")
    rows = _rows(y, groups)
    out = np.moveaxis(np.zeros_like(y, shape=(images, *size, groups * w.shape[1]), order="C"), -1, 1)
    for kernel, (where, seen) in zip(kernels, places(windows, size, count), strict=True):
        part = np.reshape(np.swapaxes(rows @ kernel, 0, 1), (images, *count, out.shape[1]))
        out[seen] += np.moveaxis(part, -1, 1)[where]
    return out


def _conv_weight(y: Array, x: Array, windows: Windows, groups: int) -> Array:
    channels, inner, count, kernel = y.shape[1], x.shape[1] // groups, y.shape[2:], tuple(w[0] for w in windows)
    out = np.zeros_like(x, shape=(groups, channels // groups, prod(kernel) * inner), order="C")
    for part in _batches(x.shape[0], prod(count) * groups * inner * prod(kernel)):
        out += T(_rows(y[part], groups)) @ _patches(x[part], windows, count, groups)
    return np.reshape(np.moveaxis(np.reshape(out, (channels, prod(kernel), inner)), 2, 1), (channels, inner, *kernel))


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
    near = lambda d: (1.25 * d - 2.25) * d * d + 1  # noqa: E731 (d is at most 1)
    far = lambda d: ((-0.75 * d + 3.75) * d - 6) * d + 3  # noqa: E731 (d is 1 to 2)
    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _area(n: int, m: int) -> Taps:
    """The mean of each of m parts that cover the dim; neighbours share an element where m does not divide n."""
    start, stop = np.arange(m) * n // m, -(np.arange(1, m + 1) * -n // m)
    at = start + np.arange(np.max(stop - start, initial=0))[:, None]
    return list(zip(np.minimum(at, stop - 1), (at < stop) / (stop - start), strict=True))


_HOW = dict(
    reflect=_reflect, replicate=_replicate, circular=_circular, nearest=_nearest, linear=_linear, cubic=_cubic, area=_area
)  # fmt: skip


@lru_cache(200)
def _taps(how: tuple[Any, ...], back: bool) -> list[tuple[list[int], list[float] | None]]:
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
    return [(i.tolist(), None if w is None else w.tolist()) for i, w in taps]


def _resample(x: Array, axis: int, how: tuple[Any, ...], back: bool = False) -> Array:
    total: Any = None
    for index, weight in _taps(how, back):
        part = np.take(x, _constant(index, x, np.int64), axis)
        if weight is not None:
            part *= np.reshape(_constant(weight, x), (-1, *(1,) * (x.ndim - axis - 1)))
        total = part if total is None else total + part
    return total


def _constant(values: Any, x: Any, dtype: Any = None) -> Any:
    """Numbers as an array that lives where `x` does, of its dtype or another; a Tensor if `x` is one."""
    array = np.asarray(values, dtype or x.dtype, like=getattr(x, "array", x))
    return wrap(array) if isinstance(x, Tensor) else array


# fmt: off
windows_     = primitive(_windows, "windows",       x=lambda g, windows, x_shape: fold_(g, windows, x_shape[-len(windows):]))
fold_: Any   = primitive(_fold, "fold",             x=lambda g, windows, x_shape: windows_(g, windows, x_shape[-len(windows):]))
window_sum_  = primitive(_window_sum, "window_sum", x=_pull_window_sum)
window_max_  = primitive(_window_max, "window_max", x=lambda g, x, out, windows, x_shape: put_(g, which_(x, out, windows), windows, x_shape[-len(windows):]))
which_: Any  = primitive(_which, "which")
pick_        = primitive(_pick, "pick",             x=lambda g, which, windows, x_shape: put_(g, which, windows, x_shape[-len(windows):]))
put_: Any    = primitive(_put, "put",               x=lambda g, which, windows: pick_(g, which, windows))
flat_index_  = primitive(_flat_index, "flat_index")
conv_        = primitive(_conv, "conv",             x=lambda g, w, windows, groups, x_shape: conv_transpose_(g, w, windows, x_shape[2:], groups),
                                                    w=lambda g, x, windows, groups: conv_weight_(g, x, windows, groups),
                                                    b=lambda g: np.sum(g, axis=(0, *range(2, g.ndim))))
conv_transpose_: Any = primitive(_conv_transpose, "conv_transpose",
                                                    y=lambda g, w, windows, groups, y_shape: conv_(g, w, None, windows, y_shape[2:], groups),
                                                    w=lambda g, y, windows, groups: conv_weight_(y, g, windows, groups))
conv_weight_: Any = primitive(_conv_weight, "conv_weight",
                                                    y=lambda g, x, windows, groups, y_shape: conv_(x, g, None, windows, y_shape[2:], groups),
                                                    x=lambda g, y, windows, groups, x_shape: conv_transpose_(y, g, windows, x_shape[2:], groups))
resample_: Any = primitive(_resample, "resample",   x=lambda g, axis, how, back: resample_(g, axis, how, not back))
cell_        = primitive(lambda x, low, high: np.astype(np.fmin(np.fmax(np.floor(x), low), high), np.int64), "cell")
# fmt: on


# ---------------------------------------------------------------- arguments
def _per_dim(op: str, name: str, value: Any, n: int, least: int) -> Axis:
    """A number, or one for each of n dims, as a tuple."""
    values = (value,) * n if hasattr(value, "__index__") else tuple(value) if isinstance(value, (tuple, list)) else ()
    values = values * n if len(values) == 1 else values
    if len(values) != n or not all(hasattr(v, "__index__") for v in values):
        raise ArgumentError(f"{op}: {name} must be a whole number or {n} of them, got {value!r}")
    if any(v < least for v in values):
        raise ArgumentError(f"{op}: {name} must be at least {least}, got {value!r}")
    return tuple(int(v) for v in values)


def _batched(op: str, input: Any, n: int) -> Any:
    """`input` with a dim for the images, if it was one without."""
    if input.ndim not in (n + 1, n + 2):
        sizes = ", ".join(["L", "H, W", "D, H, W"][n - 1 : n])
        raise ShapeError(f"{op}: input must have shape (N, C, {sizes}) or (C, {sizes}), got {input.shape}")
    return input if input.ndim == n + 2 else np.expand_dims(input, 0)


def _like(input: Any, result: Any) -> Any:
    """`result` without the dim for the images, if `input` had none."""
    return result if result.ndim == input.ndim else np.squeeze(result, 0)


def _windows_over(
    op: str, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, n: int, ceil_mode: bool = False
) -> tuple[Windows, Axis]:
    """The windows over the last n dims of `input`, and how many there are."""
    kernel = _per_dim(op, "kernel_size", kernel_size, n, 1)
    stride = kernel if stride is None or stride in ((), []) else _per_dim(op, "stride", stride, n, 1)
    padding, dilation = _per_dim(op, "padding", padding, n, 0), _per_dim(op, "dilation", dilation, n, 1)
    size, count = input.shape[-n:], []
    for length, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        span, padded = (k - 1) * d + 1, length + 2 * p
        if span > padded:
            raise ShapeError(
                f"{op}: windows of kernel_size {kernel} and dilation {dilation} do not fit into an input of size {size} "
                f"with padding {padding}; use a smaller kernel or more padding"
            )
        m = (padded - span) // s + 1
        if ceil_mode and (padded - span) % s and m * s < length + p:  # one that hangs over the end, but begins inside
            m += 1
        count.append(m)
    return tuple(zip(kernel, stride, padding, dilation, strict=True)), tuple(count)


# ---------------------------------------------------------------- convolution
def _check_conv(op: str, input: Any, weight: Any, bias: Any, groups: int, n: int, channels: tuple[int, int]) -> None:
    """`channels` are those that the weight takes and makes."""
    if weight.ndim != n + 2:
        raise ShapeError(f"{op}: weight must have {n + 2} dims, got shape {weight.shape}")
    if groups < 1 or weight.shape[0] % groups or 0 in weight.shape[2:] or not weight.shape[0]:
        raise ShapeError(f"{op}: groups={groups} do not divide the first dim of weight, which has shape {weight.shape}")
    takes, makes = channels
    if input.shape[1] != takes:
        raise ShapeError(
            f"{op}: weight {weight.shape} with groups={groups} expects input with {takes} channels, got {input.shape[1]} "
            f"in shape {input.shape}"
        )
    if bias is not None and bias.shape != (makes,):
        raise ShapeError(f"{op}: weight {weight.shape} with groups={groups} needs a bias of shape ({makes},), got {bias.shape}")
    same_dtype(op, input=input, weight=weight, **({} if bias is None else {"bias": bias}))


def _make_conv(n: int) -> Any:
    op = f"conv{n}d"

    def conv(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        x = _batched(op, input, n)
        _check_conv(op, x, weight, bias, groups, n, (weight.shape[1] * groups, weight.shape[0]) if weight.ndim > 1 else (0, 0))
        kernel = weight.shape[2:]
        if padding == "same":
            if any(s != 1 for s in _per_dim(op, "stride", stride, n, 1)):
                raise ArgumentError(f"{op}: padding='same' needs stride 1, got {stride!r}")
            dilation = _per_dim(op, "dilation", dilation, n, 1)
            before = tuple((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
            windows, count = tuple(zip(kernel, (1,) * n, before, dilation, strict=True)), x.shape[2:]
        elif isinstance(padding, str) and padding != "valid":
            raise ArgumentError(f"{op}: padding is a number, {n} of them, 'same' or 'valid', got {padding!r}")
        else:
            windows, count = _windows_over(op, x, kernel, stride, 0 if padding == "valid" else padding, dilation, n)
        return _like(input, conv_(x, weight, bias, windows, count, groups))

    conv.__name__ = conv.__qualname__ = op
    conv.__doc__ = f"""Each window of `input` times each kernel in `weight`, summed, plus `bias` (torch.nn.functional.{op}).

    Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (O, C / groups, ...), bias (O,), result (N, O, ...).
    `padding` may be 'same' (with stride 1) or 'valid'. Raises ShapeError, ArgumentError or DtypeError.
    """
    return conv


def _make_conv_transpose(n: int) -> Any:
    op = f"conv_transpose{n}d"

    def conv_transpose(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, dilation: Any = 1,
    ) -> Any:  # fmt: skip
        x = _batched(op, input, n)
        _check_conv(op, x, weight, bias, groups, n, (weight.shape[0], weight.shape[1] * groups) if weight.ndim > 1 else (0, 0))
        stride, dilation = _per_dim(op, "stride", stride, n, 1), _per_dim(op, "dilation", dilation, n, 1)
        padding, extra = _per_dim(op, "padding", padding, n, 0), _per_dim(op, "output_padding", output_padding, n, 0)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise ArgumentError(f"{op}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
        windows = tuple(zip(weight.shape[2:], stride, padding, dilation, strict=True))
        size = tuple(
            (m - 1) * s - 2 * p + (k - 1) * d + 1 + e for m, (k, s, p, d), e in zip(x.shape[2:], windows, extra, strict=True)
        )
        if min(size) < 1:
            raise ShapeError(f"{op}: an input of size {x.shape[2:]} would give {size}; use less padding than {padding}")
        out = conv_transpose_(x, weight, windows, size, groups)
        return _like(input, out if bias is None else out + np.reshape(bias, (-1, *(1,) * n)))

    conv_transpose.__name__ = conv_transpose.__qualname__ = op
    conv_transpose.__doc__ = f"""The adjoint of conv{n}d: each element of `input` times each kernel, added up where kernels overlap.

    Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (C, O / groups, ...), bias (O,), result (N, O, ...), where
    a size m becomes (m - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. Raises ShapeError,
    ArgumentError or DtypeError (torch.nn.functional.{op}).
    """
    return conv_transpose


conv1d, conv2d, conv3d = map(_make_conv, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_make_conv_transpose, (1, 2, 3))


# ---------------------------------------------------------------- pooling
def _check_pooling(op: str, windows: Windows) -> None:
    if any(2 * p > (k - 1) * d + 1 for k, _, p, d in windows):
        kernel, _, padding, _ = zip(*windows, strict=True)
        raise ArgumentError(f"{op}: padding must be at most half the kernel, got padding {padding} for kernel_size {kernel}")


def _make_max_pool(n: int) -> Any:
    op = f"max_pool{n}d"

    def max_pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:  # fmt: skip
        x = _batched(op, input, n)
        windows, count = _windows_over(op, x, kernel_size, stride, padding, dilation, n, ceil_mode)
        _check_pooling(op, windows)
        out = window_max_(x, windows, count)
        if not return_indices:
            return _like(input, out)
        return _like(input, out), _like(input, flat_index_(which_(x, out, windows), windows, x.shape[2:]))

    max_pool.__name__ = max_pool.__qualname__ = op
    max_pool.__doc__ = f"""The greatest element of each window, and with `return_indices` where in the flattened image it is.

    Shapes: (N, C, ...) or (C, ...) with {n} sizes. The gradient goes to the first of several greatest. `stride` is
    `kernel_size` if None; padding never wins. Raises ShapeError or ArgumentError (torch.nn.functional.{op}).
    """
    return max_pool


def _make_avg_pool(n: int) -> Any:
    op = f"avg_pool{n}d"

    def avg_pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Any:  # fmt: skip
        x = _batched(op, input, n)
        windows, count = _windows_over(op, x, kernel_size, stride, padding, 1, n, ceil_mode)
        _check_pooling(op, windows)
        if divisor_override == 0:
            raise ArgumentError(f"{op}: divisor_override must not be 0; leave it out to divide by the number of elements")
        out = window_sum_(x, windows, count)
        if divisor_override is not None:
            return _like(input, out / divisor_override)
        # windows are counted as they are summed: over ones, for the padding too if that counts
        margins = [p if count_include_pad else 0 for _, _, p, _ in windows]
        size = tuple(m + 2 * p for m, p in zip(x.shape[2:], margins, strict=True))
        over = tuple((k, s, p - q, d) for (k, s, p, d), q in zip(windows, margins, strict=True))
        if all(p == 0 and (m - 1) * s + k <= length for (k, s, p, _), m, length in zip(over, count, size, strict=True)):
            return _like(input, out / prod(w[0] for w in windows))
        return _like(input, out / window_sum_(np.ones_like(getattr(x, "array", x), shape=(1, 1, *size)), over, count))

    avg_pool.__name__ = avg_pool.__qualname__ = op
    avg_pool.__doc__ = f"""The mean of each window; padding counts as zeros, unless `count_include_pad` is False.

    Shapes: (N, C, ...) or (C, ...) with {n} sizes. `divisor_override` replaces the number of elements. Raises ShapeError
    or ArgumentError (torch.nn.functional.{op}).
    """
    return avg_pool


def _output_size(op: str, x: Any, output_size: Any, n: int) -> Axis:
    """The sizes to pool to; None means as it is."""
    if 0 in x.shape[2:]:
        raise ShapeError(f"{op}: there is nothing to pool in an input of shape {x.shape}")
    if output_size is None or (isinstance(output_size, (tuple, list)) and len(output_size) == n):
        wanted = output_size or (None,) * n
        output_size = [m if w is None else w for w, m in zip(wanted, x.shape[2:], strict=True)]
    return _per_dim(op, "output_size", output_size, n, 0)


def _make_adaptive_avg_pool(n: int) -> Any:
    op = f"adaptive_avg_pool{n}d"

    def adaptive_avg_pool(input: Any, output_size: Any) -> Any:
        x = _batched(op, input, n)
        sizes = _output_size(op, x, output_size, n)
        if sizes == (1,) * n:
            return _like(input, np.mean(x, axis=tuple(range(2, 2 + n)), keepdims=True))
        for axis, m in enumerate(sizes, 2):
            x = resample_(x, axis, ("area", x.shape[axis], m))
        return _like(input, x)

    adaptive_avg_pool.__name__ = adaptive_avg_pool.__qualname__ = op
    adaptive_avg_pool.__doc__ = f"""The means of as many parts as `output_size` says, which cover `input` and may share elements.

    Part i of m of a dim of length n goes from floor(i * n / m) to ceil((i + 1) * n / m). Shapes: (N, C, ...) or (C, ...)
    with {n} sizes; None in `output_size` leaves a size as it is. Raises ShapeError or ArgumentError
    (torch.nn.functional.{op}).
    """
    return adaptive_avg_pool


def _make_adaptive_max_pool(n: int) -> Any:
    op = f"adaptive_max_pool{n}d"

    def adaptive_max_pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        x = _batched(op, input, n)
        sizes = _output_size(op, x, output_size, n)
        parts = []  # for each dim what its parts hold, the last element again where a part is shorter than others
        for i, (length, m) in enumerate(zip(x.shape[2:], sizes, strict=True)):
            held = np.stack([at for at, _ in _area(length, m)], -1) if m else np.zeros((0, 1), np.int64)
            parts.append(np.reshape(held, (*(1,) * i, m, *(1,) * (n - 1), held.shape[1], *(1,) * (n - 1 - i))))
        flat: Any = 0
        for length, held in zip(x.shape[2:], parts, strict=True):
            flat = flat * length + held
        flat = _constant(np.reshape(flat, (prod(sizes), -1)).tolist(), x, np.int64)
        rows = np.reshape(x, (*x.shape[:2], prod(x.shape[2:])))
        found: ValuesIndices = max_along(index_(rows, slice(None), slice(None), flat), -1)
        values = _like(input, np.reshape(found.values, (*x.shape[:2], *sizes)))
        if not return_indices:
            return values
        indices = index_(flat, _constant(range(prod(sizes)), x, np.int64), found.indices)
        return values, _like(input, np.reshape(indices, (*x.shape[:2], *sizes)))

    adaptive_max_pool.__name__ = adaptive_max_pool.__qualname__ = op
    adaptive_max_pool.__doc__ = f"""The greatest elements of the parts that adaptive_avg_pool{n}d averages, as max_pool{n}d gives them.

    With `return_indices` also where in the flattened image they are. Raises ShapeError or ArgumentError
    (torch.nn.functional.{op}).
    """
    return adaptive_max_pool


max_pool1d, max_pool2d, max_pool3d = map(_make_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_make_avg_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_make_adaptive_avg_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_make_adaptive_max_pool, (1, 2, 3))


# ---------------------------------------------------------------- windows as they are
def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The elements of each window as a column: (N, C, H, W) gives (N, C * elements, windows) (torch.nn.functional.unfold).

    >>> import autograd
    >>> x = autograd.arange(6.0).reshape(1, 1, 2, 3)
    >>> autograd.ops.window.unfold(x, (2, 2))
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    x = _batched("unfold", input, 2)
    windows, count = _windows_over("unfold", x, kernel_size, stride, padding, dilation, 2)
    columns = windows_(x, windows, count)
    out = np.reshape(columns, (x.shape[0], x.shape[1] * columns.shape[2], prod(count)))
    return out if input.ndim == 4 else np.squeeze(out, 0)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The adjoint of `unfold`: columns put back where their windows lie, and added up where these overlap.

    Shapes: (N, C * elements, windows) gives (N, C, *output_size). Raises ShapeError or ArgumentError
    (torch.nn.functional.fold).
    """
    size = _per_dim("fold", "output_size", output_size, 2, 1)
    if input.ndim not in (2, 3):
        raise ShapeError(f"fold: input must have shape (N, C * elements, windows) or (C * elements, windows), got {input.shape}")
    x = input if input.ndim == 3 else np.expand_dims(input, 0)
    windows, count = _windows_over("fold", np.empty((0, *size)), kernel_size, stride, padding, dilation, 2)
    elements = prod(w[0] for w in windows)
    if x.shape[1] % elements or x.shape[2] != prod(count):
        raise ShapeError(
            f"fold: with this kernel_size, stride, padding and dilation output_size {size} takes a multiple of {elements} rows "
            f"and {prod(count)} columns, got shape {input.shape}"
        )
    out = fold_(np.reshape(x, (x.shape[0], x.shape[1] // elements, elements, *count)), windows, size)
    return out if input.ndim == 3 else np.squeeze(out, 0)


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
    if len(pad) % 2 or n > input.ndim:
        raise ShapeError(f"pad: {tuple(pad)} must be pairs of numbers, one for each of at most {input.ndim} dims")
    if any(min(a, 0) + min(b, 0) + m < 0 for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True)):
        raise ShapeError(f"pad: {tuple(pad)} cuts off more than there is in shape {input.shape}")
    if min(pad, default=0) < 0:
        cut = (slice(max(0, -a), m + min(0, b)) for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True))
        input, pairs = slice_(input, (..., *cut)), [(max(a, 0), max(b, 0)) for a, b in pairs]
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
    out = unslice_(input, inside, (*input.shape[: input.ndim - len(pairs)], *shape))
    if not value:
        return out
    frame = np.full_like(getattr(input, "array", input), value, shape=shape)
    frame[inside] = 0
    return out + frame


_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


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
    scales: list[Any] = [None] * n
    if size is None:
        scales = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
        if len(scales) != n:
            raise ArgumentError(f"interpolate: scale_factor must be a number or {n} of them, got {scale_factor!r}")
        size = tuple(int(m * s) for m, s in zip(input.shape[2:], scales, strict=True))
        scales = [None] * n if recompute_scale_factor else scales
    size = _per_dim("interpolate", "size", size, n, 0)
    if 0 in size or 0 in input.shape[2:]:
        raise ShapeError(f"interpolate: sizes must not be 0, got input of shape {input.shape} and {size} to make of it")
    for axis, (m, scale) in enumerate(zip(size, scales, strict=True), 2):
        length = input.shape[axis]
        if mode == "area":
            how: tuple[Any, ...] = ("area", length, m)
        elif mode.startswith("nearest"):
            how = ("nearest", length, m, scale, 0.5 if mode == "nearest-exact" else 0)
        else:
            how = ("cubic" if mode == "bicubic" else "linear", length, m, scale, bool(align_corners))
        input = resample_(input, axis, how)
    return input


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
    if theta.dtype.kind != "f":
        raise DtypeError(f"affine_grid: theta must be floating-point, not {theta.dtype}; use float() first")
    axes = [np.ones(size[2:])]
    for i, m in enumerate(size[2:]):  # from -1 to 1: between the middles of the outer elements, or their far edges
        at = (np.arange(m) * 2 + 1 - m) / (max(1, m - 1) if align_corners else m)
        axes.insert(0, axes[-1] * np.reshape(at, (m, *(1,) * (n - 1 - i))))
    base = _constant(np.reshape(np.stack(axes, -1), (1, prod(size[2:]), n + 1)).tolist(), theta)
    return np.reshape(np.matmul(base, T(theta)), (size[0], *size[2:], n))


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
    if 0 in input.shape[1:]:
        raise ShapeError(f"grid_sample: there is nothing to sample in an input of shape {input.shape}")
    size, rim = input.shape[2:], int(padding_mode == "zeros")
    if rim:  # what lies outside is looked up in a rim of zeros
        input = _surround(input, [(1, 1)] * n, 0)

    def taps(at: Any, m: int) -> list[tuple[Any, Any]]:
        """The elements along a dim of length m that make the value at `at`, and their weights."""
        inside = (lambda v: v) if rim else (lambda v: _within(v, m, padding_mode, align_corners))
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
    images = np.reshape(_constant(range(input.shape[0]), input, np.int64), (-1, *(1,) * n))
    total: Any = None
    for corner in product(*dims):
        index, weight = images, 1
        for (at, w), m in zip(corner, size, strict=True):
            index, weight = index * (m + 2 * rim) + (at + rim), w * weight
        part = index_(rows, index) * np.expand_dims(weight, -1)
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
    (r,) = _per_dim("pixel_shuffle", "upscale_factor", upscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-3] % r**2:
        raise ShapeError(f"pixel_shuffle: input must have shape (..., a multiple of {r**2}, H, W), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c // r**2, r, r, h, w), (0, 3, 1, 4, 2), (*lead, c // r**2, h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W) (torch.nn.functional.pixel_unshuffle)."""
    (r,) = _per_dim("pixel_unshuffle", "downscale_factor", downscale_factor, 1, 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: input must have shape (..., C, multiples of {r}), got {input.shape}")
    *lead, c, h, w = input.shape
    return _rearranged(input, (*lead, c, h // r, r, w // r, r), (0, 2, 4, 1, 3), (*lead, c * r**2, h // r, w // r))


def _rearranged(input: Any, parts: Axis, order: Axis, shape: Axis) -> Any:
    """`input` as `parts`, the last five in another order, as `shape`."""
    lead = len(parts) - 5
    return np.reshape(np.transpose(np.reshape(input, parts), (*range(lead), *(lead + i for i in order))), shape)
