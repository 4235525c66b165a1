"""Sliding windows and their adjoint: what convolution and pooling are made of, in any number of dims."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import ArgumentError
from .common import one_dim

Axis = tuple[int, ...]
Index = tuple[Any, ...]
# How windows lie over the last dims of an array: for each of those dims their length, the stride from one window to the next,
# how far the first begins before the array, and the dilation, the distance between two places of a window.
Windows = tuple[tuple[int, int, int, int], ...]


# ---------------------------------------------------------------- where windows lie
@lru_cache(1000)
def places(windows: Windows, size: Axis, count: Axis) -> list[tuple[Index, Index]]:
    """For each place of a window: which of the `count` windows have it inside an array of `size`, and what they see there.

    Both are indices of slices. Who works on windows loops over places, of which there are few, and lets NumPy do the rest:
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


# ---------------------------------------------------------------- the table
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


def _unfold_dim(x: Array, axis: int, size: int, step: int) -> Array:
    alone = step >= size or x.shape[axis] < size + step  # or else windows share elements
    seen = sliding_window_view(x, size, axis=axis, writeable=alone)
    return seen[(*(slice(None),) * axis, slice(None, None, step))]


def _pull_unfold_dim(g: Array, axis: int, size: int, step: int, x_shape: Axis) -> Array:
    return np.moveaxis(fold_(np.moveaxis(g, axis, -1), ((size, step, 0, 1),), (x_shape[axis],)), -1, axis)


# fmt: off
windows_     = primitive(_windows, "windows",       x=lambda g, windows, x_shape: fold_(g, windows, x_shape[-len(windows):]))
unfold_dim_  = primitive(_unfold_dim, "unfold_dim", x=_pull_unfold_dim, view=True)
fold_: Any   = primitive(_fold, "fold",             x=lambda g, windows, x_shape: windows_(g, windows, x_shape[-len(windows):]))
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
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
