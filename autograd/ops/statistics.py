"""Statistics: order statistics and quantiles, the most frequent value, covariances, distinct values, counts and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive
from .reduce import ties


# ---------------------------------------------------------------- the table
# Where values are picked, what finds the places has no gradient, and taking the values from there has one.
def _rank(nans: Any, n: int, skip_nan: bool) -> Any:
    """Where in `n` sorted values, of which the last `nans` are NaN, the median stands: the lower one of two."""
    if skip_nan:
        return np.maximum(n - nans - 1, 0) // 2
    return np.where(nans > 0, n - nans, (n - 1) // 2)


def _median(x: Array, skip_nan: bool) -> Array:
    return np.sort(x, axis=None)[_rank(np.sum(np.isnan(x)), x.size, skip_nan)]


def _argmode(x: Array, axis: int) -> Array:
    """Where the last of the most frequent values is; of values as frequent the smallest."""
    x = np.moveaxis(np.reshape(x, x.shape or (1,)), axis, -1)
    order = np.argsort(x, axis=-1, kind="stable")
    x, steps = np.take_along_axis(x, order, -1), np.arange(x.shape[-1], like=x)
    new = np.concatenate([np.zeros_like(x[..., :1], dtype=bool), x[..., 1:] != x[..., :-1]], -1)
    run = steps - np.maximum.accumulate(np.where(new, steps, 0), -1)  # how many before it are the same
    return np.moveaxis(np.take_along_axis(order, np.argmax(run, -1, keepdims=True), -1), -1, axis)


def _groups(x: Array, ordered: bool) -> tuple[Array, Array, Array]:
    """Of the rows of `x`: the first of each group of equal ones, in which group each is, and how many are in each."""
    n = x.shape[0]
    order = np.lexsort(np.transpose(x)[::-1]) if ordered else np.arange(n, like=x)
    rows = x[order]
    new = np.concatenate([np.ones_like(order[:1], dtype=bool), np.any(rows[1:] != rows[:-1], axis=1)])
    group = np.zeros_like(order)
    group[order] = running = np.cumsum(new) - 1
    return order[new], group, np.bincount(running)


def _bincount(x: Array, weights: Array | None, minlength: int) -> Array:
    out = np.bincount(x, weights, minlength)
    return np.astype(out, weights.dtype) if weights is not None and weights.dtype == np.float32 else out


def _histogram(x: Array, bins: Any, span: Any, weights: Array | None, density: bool) -> tuple[Array, Array]:
    hist, edges = np.histogram(x, bins, span, density, weights)
    return np.astype(hist, x.dtype), np.astype(edges, x.dtype)


# fmt: off
median    = primitive(_median, "median",       x=lambda g, x, out: g * ties(x, out, None, True),
            kink="ties share equally",
            says="The median of all elements of x, of two in the middle the lower (torch.median).")
argmode   = primitive(lambda x, axis: np.reshape(_argmode(x, axis), tuple(1 if i == axis else n for i, n in enumerate(x.shape))), "argmode",
            says="Where along an axis the last of the most frequent values of x is, the smallest of them (torch.mode).")
groups    = primitive(_groups, "groups",
            says="Of the rows of x: the first of each group of equal ones, the group of each, and the size of each (torch.unique).")
bincount  = primitive(_bincount, "bincount",   x=None, weights=lambda g, x: g[x], moves=True,
            says="How often each of 0, 1, ... is in x, or the sum of its weights (torch.bincount).")  # it adds up in double precision
histogram = primitive(_histogram, "histogram", moves=True,
            says="How many elements of x lie between edges, or the sum of their weights, and the edges (torch.histogram).")  # half is counted between edges in half, those it returns
# fmt: on
