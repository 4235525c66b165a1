"""Fused ops: what a network spends its time on, as single nodes whose gradients share work."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DimError, DtypeError, ShapeError
from ..graph import Array
from ..primitive import primitive
from .common import numpy_names, one_dim
from .elementwise import astype, sigmoid
from .linalg import T, rows, same_dtype
from .shape import clone


# ---------------------------------------------------------------- the table
def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(x: Array, axis: int) -> Array:
    z = x - np.max(x, axis=axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))


def _linear(x: Array, w: Array, b: Array | None = None) -> Array:
    if x.ndim < 1 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ShapeError(f"linear expects x (..., {w.shape[-1]}) for weight {w.shape}, got x {x.shape}")
    if not (x.dtype is w.dtype and (b is None or b.dtype is w.dtype)):
        same_dtype("linear", x=x, weight=w, **({} if b is None else {"bias": b}))
    out = np.matmul(rows(x), T(w))  # one product of matrices, whatever the batch axes
    if b is not None:
        out += b
    return out if x.ndim == 2 else np.reshape(out, (*x.shape[:-1], w.shape[0]))


def _pull_weight(g: Array, x: Array) -> Array:
    return T(rows(g)) @ rows(x)


# fmt: off
softmax_       = primitive(_softmax, "softmax",             x=lambda g, out, axis: out * (g - np.sum(g * out, axis=axis, keepdims=True)))
log_softmax_   = primitive(_log_softmax, "log_softmax",     x=lambda g, out, axis: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True))
linear_        = primitive(_linear, "linear",               x=lambda g, w, x_shape: np.reshape(rows(g) @ w, x_shape), w=_pull_weight, b=lambda g: g)
softplus_      = primitive(lambda x: np.logaddexp(x, 0), "softplus", x=lambda g, x: g * sigmoid(x), singular=True, promote=slice(None))
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
    return numpy_names(over)


softmax = _over_a_dim("softmax", softmax_, "exp(input) / sum(exp(input))")
log_softmax = _over_a_dim("log_softmax", log_softmax_, "input - log(sum(exp(input)))")
