"""Convolution, and its transpose: one trilinear form, whose three derivatives are each other's, in any number of dims."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd.engine.accumulate import single, total
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.errors import ArgumentError, ShapeError
from autograd.ops.linalg import T, same_dtype
from autograd.ops.window import Index, Windows, places

from .checks import per_dim
from .common import in_dims
from .window import Axis, batched, like, windows_over

# ---------------------------------------------------------------- the table
# One trilinear form, sum(y * conv(x, w)), differentiated by each of its three arguments: conv by y, conv_transpose by x,
# conv_weight by w. Each one's rules are the other two. They are products of matrices with one row for each window, the
# channels last in memory. So results are channels last in memory too, which pooling and the next convolution like best.
MOST = 2**18  # of elements of patches at a time


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


def _seen(x: Array, windows: Windows, count: Axis, groups: int) -> Array:
    """A view of all windows, (images, groups, channels of a group, *count, *sizes of a window).

    Many channels, 8 or more, come last in memory.
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
    return np.reshape(x, (images, groups, inner, *x.shape[2:]))


def _patches(seen: Array) -> Array:
    """(groups, windows of all images, elements of a window), by one strided copy.

    Its runs are to be long: so where there are many channels they come last in it, else the windows.
    """
    images, groups, inner, *sizes = seen.shape
    n = len(sizes) // 2
    at, place = range(3, n + 3), range(n + 3, 2 * n + 3)
    rows, elements = images * prod(sizes[:n]), prod(sizes[n:]) * inner
    if inner >= 8:
        return np.reshape(np.transpose(seen, (1, 0, *at, *place, 2)), (groups, rows, elements))
    return T(np.reshape(np.transpose(seen, (1, *place, 2, 0, *at)), (groups, elements, rows)))


def _batches(images: int, elements: int, most: int = MOST) -> Iterator[slice]:
    """Some images at a time, so that what is made of them stays in the cache."""
    step = max(1, most // max(1, elements))
    return (slice(i, i + step) for i in range(0, images, step))


def _convolution(x: Array, w: Array, b: Array | None, windows: Windows, count: Axis, groups: int) -> Array:
    images, (channels, inner), length = x.shape[0], w.shape[:2], prod(w.shape[2:])
    if inner == 1 and groups == channels:
        out = _each_alone(x, w, places(windows, x.shape[2:], count), count)
        return out if b is None else out + np.reshape(b, (channels, *(1,) * len(count)))
    kernel = np.swapaxes(np.reshape(w, (channels, inner, length)), 1, 2)
    kernel = T(np.reshape(kernel, (groups, channels // groups, length * inner)))
    out = np.empty_like(x, shape=(images, prod(count), groups, channels // groups), order="C")
    seen = _seen(x, windows, count, groups)
    row = None if b is None else np.reshape(np.broadcast_to(b, (count[-1], channels)), (-1,))  # long rows are added quicker
    for part in _batches(images, prod(count) * groups * inner * length):
        rows = np.reshape(out[part], (-1, *out.shape[2:]))
        np.matmul(_patches(seen[part]), kernel, out=np.swapaxes(rows, 0, 1))
        if row is not None:
            rows = np.reshape(rows, (-1, count[-1] * channels))
            rows += row
    return _second(np.reshape(out, (images, *count, channels)))


def _convolution_transpose(y: Array, w: Array, windows: Windows, size: Axis, groups: int) -> Array:
    images, (channels, inner), count = y.shape[0], w.shape[:2], y.shape[2:]
    found = places(windows, size, count)
    if inner == 1 and groups == channels:
        return _each_alone(y, w, [(seen, where) for where, seen in found], size)
    kernels = np.reshape(w, (groups, channels // groups, inner, len(found)))
    kernels = np.copy(np.transpose(kernels, (3, 0, 1, 2)), order="C")
    out = np.zeros_like(y, shape=(images, *size, groups * inner), order="C")
    for part in _batches(images, prod(count) * groups * inner, MOST // 4):
        rows = _rows(y[part], groups)
        made = np.empty_like(y, shape=(rows.shape[1], groups, inner), order="C")
        there = np.reshape(made, (rows.shape[1] // prod(count), *count, groups * inner))
        for kernel, (where, seen) in zip(kernels, found, strict=True):
            np.matmul(rows, kernel, out=np.swapaxes(made, 0, 1))
            out[(part, *seen[1:])] += there[(slice(None), *where[1:])]
    return _second(out)


def _convolution_weight(y: Array, x: Array, windows: Windows, groups: int) -> Array:
    channels, inner, count, kernel = y.shape[1], x.shape[1] // groups, y.shape[2:], tuple(k for k, _, _, _ in windows)
    if inner == 1 and groups == channels:
        axes, found = (0, *range(2, x.ndim)), places(windows, x.shape[2:], count)
        return np.reshape(np.stack([total(y[where] * x[seen], axes) for where, seen in found], -1), (channels, 1, *kernel))
    out = np.zeros_like(x, shape=(groups, prod(kernel) * inner, channels // groups), order="C")
    seen = _seen(x, windows, count, groups)
    for part in _batches(x.shape[0], prod(count) * groups * inner * prod(kernel)):
        out += T(_patches(seen[part])) @ _rows(y[part], groups)  # quicker than the other way round
    return np.reshape(np.swapaxes(np.reshape(T(out), (channels, prod(kernel), inner)), 1, 2), (channels, inner, *kernel))


def _each_alone(x: Array, w: Array, pairs: list[tuple[Index, Index]], size: Axis) -> Array:
    """The product, or with `pairs` swapped the transposed one, where each channel is a group: matrices with one element."""
    kernels = np.moveaxis(np.reshape(w, (w.shape[0], *(1,) * len(size), -1)), -1, 0)
    out = np.zeros_like(x, shape=(*x.shape[:2], *size))
    for kernel, (to, of) in zip(kernels, pairs, strict=True):
        out[to] += x[of] * kernel
    return out


# fmt: off
convolution: Any = primitive(_convolution, "conv",
    x=lambda g, w, windows, groups, x_shape: convolution_transpose(g, w, windows, x_shape[2:], groups),
    w=lambda g, x, windows, groups: convolution_weight(g, x, windows, groups),
    b=lambda g: total(g, (0, *range(2, g.ndim))),
            says="The kernels w times each window of x, plus b (torch.nn.functional.conv2d).")
convolution_transpose: Any = primitive(_convolution_transpose, "conv_transpose",
    y=lambda g, w, windows, groups, y_shape: convolution(g, w, None, windows, y_shape[2:], groups),
    w=lambda g, y, windows, groups: convolution_weight(y, g, windows, groups),
            says="The kernels w times each element of y, summed: conv's adjoint (torch.nn.functional.conv_transpose2d).")
convolution_weight: Any = primitive(_convolution_weight, "conv_weight",
    y=lambda g, x, windows, groups, y_shape: convolution(x, g, None, windows, y_shape[2:], groups),
    x=lambda g, y, windows, groups, x_shape: convolution_transpose(y, g, windows, x_shape[2:], groups),
            says="The gradient of the kernels of conv: the elements of y times the windows of x (torch.nn.grad.conv2d_weight).")
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
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


def _conv(n: int, op: str) -> Any:
    def convolve(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Any:
        """Each window of `input` times each kernel in `weight`, summed, plus `bias` (torch.nn.functional.{op}).

        Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (O, C / groups, ...), bias (O,), result (N, O, ...).
        `padding` may be 'same' (with stride 1) or 'valid'. Raises ShapeError, ArgumentError or DtypeError.
        """
        x = batched(op, input, n)
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
            windows, count = windows_over(op, size, kernel, stride, 0 if padding == "valid" else padding, dilation)
        return like(input, convolution(x, weight, bias, windows, count, groups))

    return convolve


def _conv_transpose(n: int, op: str) -> Any:
    @single
    def convolve(
        input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, dilation: Any = 1,
    ) -> Any:  # fmt: skip
        """The adjoint of conv{n}d: each element of `input` times each kernel, added up where kernels overlap.

        Shapes: input (N, C, ...) or (C, ...) with {n} sizes, weight (C, O / groups, ...), bias (O,), result (N, O, ...), where
        a size m becomes (m - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. Raises ShapeError,
        ArgumentError or DtypeError (torch.nn.functional.{op}).
        """
        x = batched(op, input, n)
        _check_weight(op, n, x, weight, bias, groups, transposed=True)
        stride, dilation = per_dim(op, "stride", stride, n, 1), per_dim(op, "dilation", dilation, n, 1)
        padding, extra = per_dim(op, "padding", padding, n, 0), per_dim(op, "output_padding", output_padding, n, 0)
        if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise ArgumentError(f"{op}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
        windows = tuple(zip(weight.shape[2:], stride, padding, dilation, strict=True))
        lengths = zip(x.shape[2:], windows, extra, strict=True)
        size = tuple((m - 1) * s - 2 * p + (k - 1) * d + 1 + e for m, (k, s, p, d), e in lengths)
        if min(size) < 1:
            raise ShapeError(f"{op}: an input of size {x.shape[2:]} would give {size}; use less padding than {padding}")
        out = convolution_transpose(x, weight, windows, size, groups)
        return like(input, out if bias is None else out + np.reshape(bias, (-1, *(1,) * n)))

    return convolve


conv1d, conv2d, conv3d = in_dims(_conv)
conv_transpose1d, conv_transpose2d, conv_transpose3d = in_dims(_conv_transpose)
