"""Fused ops: softmax, its logarithm and the sum of products, as single nodes whose gradients share work."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.accumulate import total, total_product
from ..engine.graph import Array
from ..engine.primitive import primitive
from .common import formula


# ---------------------------------------------------------------- the table
def largest(x: Array, axis: int) -> Array:
    """The largest along `axis`, which keeps the length 1; along rows in memory, argmax finds it in half the time."""
    if x.size < 10_000 or axis != x.ndim - 1:
        return np.maximum.reduce(x, axis=axis, keepdims=True)
    return np.take_along_axis(x, np.argmax(x, axis=axis, keepdims=True), axis)


@formula
def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - largest(x, axis))
    return e / total(e, (axis,), True)


@_softmax.on_arrays
def _(x: Any, axis: int) -> Any:
    if axis != x.ndim - 1 or x.size < 10_000 or x.shape[axis] > 4096:
        return NotImplemented
    out = np.empty(x.shape, x.dtype)
    into_shares(*(np.reshape(v, (-1, x.shape[axis])) for v in (x, out)))
    return out


FAR = 2**-8  # where a row adds up to less than that, exp may have lost digits of shares that are numbers all the same


def into_shares(x: Any, out: Any) -> None:
    """softmax along the rows of `x`, into `out`; numbers are moved by the largest only if exp would lose some of them otherwise.

    A product of matrices adds up rows several times as fast as a sum.
    """
    ones = np.ones(x.shape[1], x.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.exp(x, out=out) @ ones
        if not (np.minimum.reduce(sums) > FAR and np.maximum.reduce(sums) < np.inf):
            sums = np.exp(np.subtract(x, largest(x, 1), out=out), out=out) @ ones
        out /= sums[:, None]


@formula
def _log_softmax(x: Array, axis: int) -> Array:
    z = x - largest(x, axis)
    return z - np.log(total(np.exp(z), (axis,), True))


@_log_softmax.on_arrays
def _(x: Any, axis: int) -> Any:
    if axis != x.ndim - 1 or x.size < 10_000 or x.shape[axis] > 4096:
        return NotImplemented
    z = np.subtract(x, largest(x, axis), order="C")
    rows = np.reshape(z, (-1, x.shape[axis]))
    rows -= np.log(np.exp(rows) @ np.ones(x.shape[axis], x.dtype))[:, None]
    return z


# fmt: off
sum_product: Any = primitive(total_product, "sum_product",  x=lambda g, y: g * y,  y=lambda g, x: g * x, singular=True,
            says="The sum of x * y over the axes, which stay with length 1.")  # np.sum(x * y, axis, keepdims=True) in half the time
softmax       = primitive(_softmax, "softmax",             x=lambda g, out, axis: out * (g - sum_product(g, out, (axis,))), singular=True,
            says="exp(x) over its sum along an axis: positive, with sum 1 (torch.softmax).")
log_softmax   = primitive(_log_softmax, "log_softmax",     x=lambda g, out, axis: g - np.exp(out) * total(g, (axis,), True), singular=True,
            says="The logarithm of softmax along an axis (torch.log_softmax).")
# fmt: on
