"""Sliding windows and their adjoint: what convolution and pooling are made of, in any number of dims."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..api.common import one_dim
from ..api.reduce import max as max_along
from ..engine.accumulate import single, total
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import ArgumentError, ShapeError
from .index import getindex
from .linalg import T, same_dtype
from .resample import area, constant, need_float, per_dim, resample_

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "fold", "max_pool1d", "max_pool2d", "max_pool3d", "unfold",
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


def _unfold_dim(x: Array, axis: int, size: int, step: int) -> Array:
    alone = step >= size or x.shape[axis] < size + step  # or else windows share elements
    seen = sliding_window_view(x, size, axis=axis, writeable=alone)
    return seen[(*(slice(None),) * axis, slice(None, None, step))]


def _pull_unfold_dim(g: Array, axis: int, size: int, step: int, x_shape: Axis) -> Array:
    return np.moveaxis(fold_(np.moveaxis(g, axis, -1), ((size, step, 0, 1),), (x_shape[axis],)), -1, axis)


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
    out: Any = np.zeros_like(top, dtype=number)
    looking = np.ones_like(top, dtype=bool)
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
# conv_weight by w. Each one's rules are the other two. They are products of matrices with one row for each window, the
# channels last in memory. So results are channels last in memory too, which pooling and the next convolution like best.
def _last(x: Array) -> Array:
    """(images, channels, ...) with the channels last."""
    return np.transpose(x, (0, *range(2, x.ndim), 1))


def _second(x: Array) -> Array:
    """(images, ..., channels) with the channels second."""
    return np.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def _rows(x: Array, groups: int) -> Array:
    """(groups, positions in all images, channels)."""
    images, channels, *size = x.shape
    return np.swapaxes(np.reshape(_last(x), (images * prod(size), groups, channels // groups)), 0, 1)


def _section(x: Array, starts: Axis, sizes: Axis) -> Array:
    """The part of the last dims that begins at `starts`, zero where there is nothing."""
    n = len(sizes)
    spans = [(max(0, a), max(0, a, min(m, a + k))) for a, k, m in zip(starts, sizes, x.shape[-n:], strict=True)]
    part = x[(..., *(slice(low, high) for low, high in spans))]
    if part.shape[-n:] == sizes:
        return part
    out: Any = np.zeros_like(x, shape=(*x.shape[:-n], *sizes))
    out[(..., *(slice(low - a, high - a) for (low, high), a in zip(spans, starts, strict=True)))] = part
    return out


def _patches(x: Array, windows: Windows, count: Axis, groups: int) -> Array:
    """(groups, windows of all images, elements of a window), by one strided copy.

    Its runs are to be long: so where there are many channels they come last in memory, else the windows.
    """
    n, images, inner = len(windows), x.shape[0], x.shape[1] // groups
    spans = tuple((k - 1) * d + 1 for k, _, _, d in windows)
    sizes = tuple((m - 1) * s + span for (_, s, _, _), m, span in zip(windows, count, spans, strict=True))
    x = _section(x, tuple(-before for _, _, before, _ in windows), sizes)
    if inner >= 8:
        x = _last(x)
        x = _second(np.reshape(np.reshape(x, (-1,)), x.shape))  # a copy if they were not last
    x = sliding_window_view(x, spans, axis=tuple(range(2, n + 2)))
    x = x[(..., *(slice(None, None, s) for _, s, _, _ in windows), *(slice(None, None, d) for _, _, _, d in windows))]
    x = np.reshape(x, (images, groups, inner, *x.shape[2:]))
    at, place = range(3, n + 3), range(n + 3, 2 * n + 3)
    rows, elements = images * prod(count), prod(k for k, _, _, _ in windows) * inner
    if inner >= 8:
        return np.reshape(np.transpose(x, (1, 0, *at, *place, 2)), (groups, rows, elements))
    return T(np.reshape(np.transpose(x, (1, *place, 2, 0, *at)), (groups, elements, rows)))


def _batches(images: int, elements: int) -> Iterator[slice]:
    """Some images at a time, so that their patches stay in the cache."""
    step = max(1, 2**19 // max(1, elements))
    return (slice(i, i + step) for i in range(0, images, step))


def _product(x: Array, w: Array, b: Array | None, windows: Windows, count: Axis, groups: int) -> Array:
    images, (channels, inner), length = x.shape[0], w.shape[:2], prod(w.shape[2:])
    if inner == 1 and groups == channels:
        out = _each_alone(x, w, places(windows, x.shape[2:], count), count)
        return out if b is None else out + np.reshape(b, (channels, *(1,) * len(count)))
    kernel = np.swapaxes(np.reshape(w, (channels, inner, length)), 1, 2)
    kernel = T(np.reshape(kernel, (groups, channels // groups, length * inner)))
    out = np.empty_like(x, shape=(images, prod(count), groups, channels // groups), order="C")
    for part in _batches(images, prod(count) * groups * inner * length):
        rows = np.reshape(out[part], (-1, *out.shape[2:]))
        np.matmul(_patches(x[part], windows, count, groups), kernel, out=np.swapaxes(rows, 0, 1))
        if b is not None:
            rows += np.reshape(b, rows.shape[1:])
    return _second(np.reshape(out, (images, *count, channels)))


def _transposed_product(y: Array, w: Array, windows: Windows, size: Axis, groups: int) -> Array:
    images, (channels, inner), count = y.shape[0], w.shape[:2], y.shape[2:]
    found = places(windows, size, count)
    if inner == 1 and groups == channels:
        return _each_alone(y, w, [(seen, where) for where, seen in found], size)
    kernels = np.reshape(w, (groups, channels // groups, inner, len(found)))
    kernels = np.copy(np.transpose(kernels, (3, 0, 1, 2)), order="C")
    rows, out = _rows(y, groups), np.zeros_like(y, shape=(images, *size, groups * inner), order="C")
    for kernel, (where, seen) in zip(kernels, found, strict=True):
        part = np.reshape(np.swapaxes(rows @ kernel, 0, 1), (images, *count, groups * inner))
        out[(slice(None), *seen[1:])] += part[(slice(None), *where[1:])]
    return _second(out)


def _weight_product(y: Array, x: Array, windows: Windows, groups: int) -> Array:
    channels, inner, count, kernel = y.shape[1], x.shape[1] // groups, y.shape[2:], tuple(k for k, _, _, _ in windows)
    if inner == 1 and groups == channels:
        axes, found = (0, *range(2, x.ndim)), places(windows, x.shape[2:], count)
        return np.reshape(np.stack([total(y[where] * x[seen], axes) for where, seen in found], -1), (channels, 1, *kernel))
    out = np.zeros_like(x, shape=(groups, channels // groups, prod(kernel) * inner), order="C")
    for part in _batches(x.shape[0], prod(count) * groups * inner * prod(kernel)):
        out += T(_rows(y[part], groups)) @ _patches(x[part], windows, count, groups)
    return np.reshape(np.swapaxes(np.reshape(out, (channels, prod(kernel), inner)), 1, 2), (channels, inner, *kernel))


def _each_alone(x: Array, w: Array, pairs: list[tuple[Index, Index]], size: Axis) -> Array:
    """The product, or with `pairs` swapped the transposed one, where each channel is a group: matrices with one element."""
    kernels = np.moveaxis(np.reshape(w, (w.shape[0], *(1,) * len(size), -1)), -1, 0)
    out = np.zeros_like(x, shape=(*x.shape[:2], *size))
    for kernel, (to, of) in zip(kernels, pairs, strict=True):
        out[to] += x[of] * kernel
    return out


# fmt: off
windows_     = primitive(_windows, "windows",       x=lambda g, windows, x_shape: fold_(g, windows, x_shape[-len(windows):]))
unfold_dim_  = primitive(_unfold_dim, "unfold_dim", x=_pull_unfold_dim, view=True)
fold_: Any   = primitive(_fold, "fold",             x=lambda g, windows, x_shape: windows_(g, windows, x_shape[-len(windows):]))
window_sum_  = primitive(_window_sum, "window_sum", x=_pull_window_sum)
window_max_  = primitive(_window_max, "window_max", x=lambda g, x, out, windows, x_shape: put_(g, which_(x, out, windows), windows, x_shape[-len(windows):]))
which_: Any  = primitive(_which, "which")
pick_        = primitive(_pick, "pick",             x=lambda g, which, windows, x_shape: put_(g, which, windows, x_shape[-len(windows):]))
put_: Any    = primitive(_put, "put",               x=lambda g, which, windows: pick_(g, which, windows))
flat_index_  = primitive(_flat_index, "flat_index")
conv_        = primitive(_product, "conv",          x=lambda g, w, windows, groups, x_shape: conv_transpose_(g, w, windows, x_shape[2:], groups),
                                                    w=lambda g, x, windows, groups: conv_weight_(g, x, windows, groups),
                                                    b=lambda g: total(g, (0, *range(2, g.ndim))))
conv_transpose_: Any = primitive(_transposed_product, "conv_transpose",
                                                    y=lambda g, w, windows, groups, y_shape: conv_(g, w, None, windows, y_shape[2:], groups),
                                                    w=lambda g, y, windows, groups: conv_weight_(y, g, windows, groups))
conv_weight_: Any = primitive(_weight_product, "conv_weight",
                                                    y=lambda g, x, windows, groups, y_shape: conv_(x, g, None, windows, y_shape[2:], groups),
                                                    x=lambda g, y, windows, groups, x_shape: conv_transpose_(y, g, windows, x_shape[2:], groups))
# fmt: on


# ---------------------------------------------------------------- arguments
def _in_dims(function: Callable[..., Any]) -> Any:
    """`function`, which is told how many sizes images have and its own name, under PyTorch's three names."""

    def make(n: int) -> Any:
        op = f"{function.__name__[1:]}{n}d"

        @wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            return function(n, op, *args, **kwargs)

        signature = inspect.signature(function)
        named.__signature__ = signature.replace(parameters=list(signature.parameters.values())[2:])  # type: ignore[attr-defined]
        named.__name__ = named.__qualname__ = op
        named.__doc__ = (function.__doc__ or "").format(n=n, op=op)
        return named

    return map(make, (1, 2, 3))


def _batched(op: str, input: Any, n: int) -> Any:
    """`input` with a dim for the images, if it was one without."""
    if input.ndim not in (n + 1, n + 2):
        sizes = ("L", "H, W", "D, H, W")[n - 1]
        raise ShapeError(f"{op}: input must have shape (N, C, {sizes}) or (C, {sizes}), got {input.shape}")
    return input if input.ndim == n + 2 else np.expand_dims(input, 0)


def _like(input: Any, result: Any) -> Any:
    """`result` without the dim for the images, if `input` had none."""
    return result if result.ndim == input.ndim else np.squeeze(result, 0)


def _windows_over(
    op: str, size: Axis, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool = False
) -> tuple[Windows, Axis]:
    """The windows over images of this size, and how many there are."""
    n, count = len(size), []
    kernel, padding = per_dim(op, "kernel_size", kernel_size, n, 1), per_dim(op, "padding", padding, n, 0)
    stride = kernel if stride is None or stride in ((), []) else per_dim(op, "stride", stride, n, 1)
    dilation = per_dim(op, "dilation", dilation, n, 1)
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
def _check_weight(op: str, n: int, x: Any, weight: Any, bias: Any, groups: int, transposed: bool) -> None:
    if weight.ndim != n + 2 or 0 in (weight.shape[0], *weight.shape[2:]):
        raise ShapeError(f"{op}: weight must have {n + 2} dims, none of length 0, got shape {weight.shape}")
    if groups < 1 or weight.shape[0] % groups:
        raise ShapeError(f"{op}: groups={groups} do not divide the first dim of weight, which has shape {weight.shape}")
    makes, takes = weight.shape[0], weight.shape[1] * groups
    if transposed:
        makes, takes = takes, makes
    of = f"weight {weight.shape} with groups={groups}"
    if x.shape[1] != takes:
        raise ShapeError(f"{op}: {of} expects input with {takes} channels, got {x.shape[1]} in shape {x.shape}")
    if bias is not None and bias.shape != (makes,):
        raise ShapeError(f"{op}: {of} needs a bias of shape ({makes},), got {bias.shape}")
    same_dtype(op, input=x, weight=weight, **({} if bias is None else {"bias": bias}))


def _conv(
    n: int,
    op: str,
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Each window of `input` times each kernel in `weight`, summed, plus `bias` (torch.nn.functional.{op}).

    Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (O, C / groups, ...), bias (O,), result (N, O, ...).
    `padding` may be 'same' (with stride 1) or 'valid'. Raises ShapeError, ArgumentError or DtypeError.
    """
    x = _batched(op, input, n)
    _check_weight(op, n, x, weight, bias, groups, transposed=False)
    kernel, size = weight.shape[2:], x.shape[2:]
    if padding == "same":
        stride, dilation = per_dim(op, "stride", stride, n, 1), per_dim(op, "dilation", dilation, n, 1)
        if stride != (1,) * n:
            raise ArgumentError(f"{op}: padding='same' needs stride 1, got {stride}")
        before = ((k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True))
        windows, count = tuple(zip(kernel, stride, before, dilation, strict=True)), size
    elif isinstance(padding, str) and padding != "valid":
        raise ArgumentError(f"{op}: padding is a number, {n} of them, 'same' or 'valid', got {padding!r}")
    else:
        windows, count = _windows_over(op, size, kernel, stride, 0 if padding == "valid" else padding, dilation)
    return _like(input, conv_(x, weight, bias, windows, count, groups))


@single
def _conv_transpose(
    n: int, op: str, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    """The adjoint of conv{n}d: each element of `input` times each kernel, added up where kernels overlap.

    Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (C, O / groups, ...), bias (O,), result (N, O, ...), where
    a size m becomes (m - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. Raises ShapeError,
    ArgumentError or DtypeError (torch.nn.functional.{op}).
    """
    x = _batched(op, input, n)
    _check_weight(op, n, x, weight, bias, groups, transposed=True)
    stride, dilation = per_dim(op, "stride", stride, n, 1), per_dim(op, "dilation", dilation, n, 1)
    padding, extra = per_dim(op, "padding", padding, n, 0), per_dim(op, "output_padding", output_padding, n, 0)
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


conv1d, conv2d, conv3d = _in_dims(_conv)
conv_transpose1d, conv_transpose2d, conv_transpose3d = _in_dims(_conv_transpose)


# ---------------------------------------------------------------- pooling
def _check_padding(op: str, windows: Windows) -> None:
    if any(2 * p > (k - 1) * d + 1 for k, _, p, d in windows):
        kernel, _, padding, _ = zip(*windows, strict=True)
        raise ArgumentError(f"{op}: padding must be at most half the kernel, got padding {padding} for kernel_size {kernel}")


def _max_pool(
    n: int, op: str, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The greatest element of each window, and with `return_indices` where in the flattened image it is.

    Shapes: (N, C, ...) or (C, ...) with {n} sizes. The gradient goes to the first of several greatest. `stride` is
    `kernel_size` if None; padding never wins. Raises ShapeError or ArgumentError (torch.nn.functional.{op}).
    """
    x = _batched(op, input, n)
    windows, count = _windows_over(op, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    _check_padding(op, windows)
    out = window_max_(x, windows, count)
    if not return_indices:
        return _like(input, out)
    return _like(input, out), _like(input, flat_index_(which_(x, out, windows), windows, x.shape[2:]))


@single
def _avg_pool(
    n: int, op: str, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of each window; padding counts as zeros, unless `count_include_pad` is False.

    Shapes: (N, C, ...) or (C, ...) with {n} sizes. `divisor_override` replaces the number of elements. Raises ShapeError
    or ArgumentError (torch.nn.functional.{op}).
    """
    x = _batched(op, input, n)
    windows, count = _windows_over(op, x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    _check_padding(op, windows)
    need_float(op, x)
    if divisor_override == 0:
        raise ArgumentError(f"{op}: divisor_override must not be 0; leave it out to divide by the number of elements")
    out = window_sum_(x, windows, count)
    if divisor_override is not None:
        return _like(input, out / divisor_override)
    # What a window holds is counted as it is summed: over ones, which the padding has as well if that counts.
    rim = tuple(p if count_include_pad else 0 for _, _, p, _ in windows)
    size = tuple(m + 2 * r for m, r in zip(x.shape[2:], rim, strict=True))
    windows = tuple((k, s, p - r, d) for (k, s, p, d), r in zip(windows, rim, strict=True))
    if all(p == 0 and (m - 1) * s + k <= length for (k, s, p, _), m, length in zip(windows, count, size, strict=True)):
        return _like(input, out / prod(k for k, _, _, _ in windows))
    return _like(input, out / window_sum_(np.ones_like(getattr(x, "array", x), shape=(1, 1, *size)), windows, count))


def _output_size(op: str, x: Any, output_size: Any, n: int) -> Axis:
    """The sizes to pool to; None means as it is."""
    if 0 in x.shape[2:]:
        raise ShapeError(f"{op}: there is nothing to pool in an input of shape {x.shape}")
    if output_size is None or (isinstance(output_size, (tuple, list)) and len(output_size) == n):
        output_size = [m if w is None else w for w, m in zip(output_size or (None,) * n, x.shape[2:], strict=True)]
    return per_dim(op, "output_size", output_size, n, 0)


@single
def _adaptive_avg_pool(n: int, op: str, input: Any, output_size: Any) -> Any:
    """The means of as many parts as `output_size` says, which cover `input` and may share elements.

    Part i of m of a dim of length k goes from floor(i * k / m) to ceil((i + 1) * k / m). Shapes: (N, C, ...) or (C, ...)
    with {n} sizes; None in `output_size` leaves a size as it is. Raises ShapeError or ArgumentError
    (torch.nn.functional.{op}).
    """
    x = _batched(op, input, n)
    sizes = _output_size(op, x, output_size, n)
    need_float(op, x)
    if sizes == (1,) * n:
        return _like(input, np.mean(x, axis=tuple(range(2, 2 + n)), keepdims=True))
    for axis, m in enumerate(sizes, 2):
        x = resample_(x, axis, ("area", x.shape[axis], m))
    return _like(input, x)


def _adaptive_max_pool(n: int, op: str, input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The greatest elements of the parts that adaptive_avg_pool{n}d averages, as max_pool{n}d gives them.

    With `return_indices` also where in the flattened image they are. Raises ShapeError or ArgumentError
    (torch.nn.functional.{op}).
    """
    x = _batched(op, input, n)
    sizes = _output_size(op, x, output_size, n)
    flat: Any = 0  # (sizes, the longest part in each dim): where its elements are, the last again in shorter parts
    for i, (length, m) in enumerate(zip(x.shape[2:], sizes, strict=True)):
        held = np.stack([at for at, _ in area(length, m)], -1)
        flat = flat * length + np.reshape(held, (m, *(1,) * (n - 1), held.shape[1], *(1,) * (n - 1 - i)))
    flat = constant(np.reshape(flat, (prod(sizes), prod(flat.shape[n:]))), x, np.int64)
    rows = np.reshape(x, (*x.shape[:2], prod(x.shape[2:])))
    found = max_along(getindex(rows, slice(None), slice(None), flat), -1)
    values = _like(input, np.reshape(found.values, (*x.shape[:2], *sizes)))
    if not return_indices:
        return values
    indices = getindex(flat, constant(range(prod(sizes)), x, np.int64), found.indices)
    return values, _like(input, np.reshape(indices, (*x.shape[:2], *sizes)))


max_pool1d, max_pool2d, max_pool3d = _in_dims(_max_pool)
avg_pool1d, avg_pool2d, avg_pool3d = _in_dims(_avg_pool)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = _in_dims(_adaptive_avg_pool)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = _in_dims(_adaptive_max_pool)


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
    windows, count = _windows_over("unfold", x.shape[2:], kernel_size, stride, padding, dilation)
    columns = windows_(x, windows, count)
    columns = np.reshape(columns, (x.shape[0], x.shape[1] * columns.shape[2], prod(count)))
    return columns if input.ndim == 4 else np.squeeze(columns, 0)


def unfold_dim(input: Any, dimension: int, size: int, step: int) -> Any:
    """The windows of `size` elements along a dim, each `step` after the one before, as a last dim (torch.Tensor.unfold).

    A view. Raises ArgumentError or DimError.

    >>> import autograd
    >>> autograd.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    axis, x = one_dim("unfold", dimension, input.ndim), input if input.ndim else np.reshape(input, (1,))
    n = x.shape[axis]
    if not 0 <= size <= n or step < 1:
        raise ArgumentError(f"unfold: windows of size {size} and step {step} do not fit into dim {dimension} of length {n}")
    seen = unfold_dim_(x, axis, size, step)
    return seen if input.ndim else np.reshape(seen, (size,))


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The adjoint of `unfold`: columns put back where their windows lie, and added up where these overlap.

    Shapes: (N, C * elements, windows) gives (N, C, *output_size). Raises ShapeError or ArgumentError
    (torch.nn.functional.fold).
    """
    size = per_dim("fold", "output_size", output_size, 2, 1)
    if input.ndim not in (2, 3):
        raise ShapeError(f"fold: input must have shape (N, C * elements, windows) or (C * elements, windows), got {input.shape}")
    x = input if input.ndim == 3 else np.expand_dims(input, 0)
    windows, count = _windows_over("fold", size, kernel_size, stride, padding, dilation)
    elements = prod(k for k, _, _, _ in windows)
    if x.shape[1] % elements or x.shape[2] != prod(count):
        raise ShapeError(
            f"fold: with this kernel_size, stride, padding and dilation output_size {size} takes a multiple of {elements} rows "
            f"and {prod(count)} columns, got shape {input.shape}"
        )
    out = fold_(np.reshape(x, (x.shape[0], x.shape[1] // elements, elements, *count)), windows, size)
    return out if input.ndim == 3 else np.squeeze(out, 0)
