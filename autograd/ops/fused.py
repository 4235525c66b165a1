"""Fused ops: softmax, its logarithm and the sum of products, as single nodes whose gradients share work."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.accumulate import total, total_product
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import DimError, DtypeError
from .common import for_users, one_dim
from .elementwise import astype
from .shape import clone


# ---------------------------------------------------------------- the table
def largest(x: Array, axis: int) -> Array:
    """The largest along `axis`, which keeps the length 1; along rows in memory, argmax finds it in half the time."""
    if x.size < 10_000 or axis != x.ndim - 1:
        return np.maximum.reduce(x, axis=axis, keepdims=True)
    return np.take_along_axis(x, np.argmax(x, axis=axis, keepdims=True), axis)


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - largest(x, axis))
    return e / total(e, (axis,), True)


def _log_softmax(x: Array, axis: int) -> Array:
    z = x - largest(x, axis)
    return z - np.log(total(np.exp(z), (axis,), True))


# fmt: off
sum_product_: Any = primitive(total_product, "sum_product",  x=lambda g, y: g * y,  y=lambda g, x: g * x, singular=True)  # np.sum(x * y, axis, keepdims=True) in half the time
softmax_       = primitive(_softmax, "softmax",             x=lambda g, out, axis: out * (g - sum_product_(g, out, (axis,))), singular=True)
log_softmax_   = primitive(_log_softmax, "log_softmax",     x=lambda g, out, axis: g - np.exp(out) * total(g, (axis,), True), singular=True)
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
def _over_a_dim(name: str, op: Any, formula: str) -> Any:
    def over(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
        if dim is None:
            raise DimError(f"{name}: say over which dim")
        input = input if dtype is None else astype(input, np.dtype(dtype))
        if input.dtype.kind != "f":
            raise DtypeError(f"{name} needs a floating-point tensor, not {input.dtype}; use float() first")
        axis = one_dim(name, dim, input.ndim)
        if not input.ndim:
            return np.reshape(op(np.reshape(input, (1,)), 0), ())
        return op(input, axis) if input.shape[axis] else clone(input)

    over.__name__ = over.__qualname__ = name
    over.__doc__ = f"""{formula} over `dim`, without overflow (torch.{name}). Shape: that of `input`."""
    return for_users(over)


softmax = _over_a_dim("softmax", softmax_, "exp(input) / sum(exp(input))")
log_softmax = _over_a_dim("log_softmax", log_softmax_, "input - log(sum(exp(input)))")
