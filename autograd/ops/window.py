"""Sliding windows and their adjoint: what convolution and pooling are made of, in any number of dims."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..engine.graph import Array
from ..engine.primitive import primitive

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
    return np.moveaxis(fold(np.moveaxis(g, axis, -1), ((size, step, 0, 1),), (x_shape[axis],)), -1, axis)


# fmt: off
unfold     = primitive(_windows, "windows",       x=lambda g, windows, x_shape: fold(g, windows, x_shape[-len(windows):]),
            says="The places of all windows over the last axes of x, those of one window along a new axis (torch.nn.functional.unfold).")
unfold_dim  = primitive(_unfold_dim, "unfold_dim", x=_pull_unfold_dim, view=True,
            says="The windows along one axis of x, as a last axis (torch.Tensor.unfold).")
fold: Any   = primitive(_fold, "fold",             x=lambda g, windows, x_shape: unfold(g, windows, x_shape[-len(windows):]),
            says="Windows added up where they overlap: the adjoint of windows (torch.nn.functional.fold).")
# fmt: on
