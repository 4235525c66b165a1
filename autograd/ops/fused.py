"""Fused ops: what a network spends its time on, as single nodes whose gradients share work."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.common import one_dim
from ..api.elementwise import astype
from ..api.linalg import rows
from ..api.shape import clone
from ..engine.accumulate import count, total, total_product
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import DimError, DtypeError, ShapeError
from .elementwise import masked, sigmoid
from .index import unindex
from .join import filled
from .linalg import T, same_dtype

Axis = tuple[int, ...]


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


def _rms(x: Array, axis: Axis, eps: float) -> tuple[Array, Array]:
    power = sum_product_(x, x, axis) / count(x.shape, axis)
    return x * (1 / np.sqrt(power + eps)), power


def _pull_rms(g: Any, out: tuple[Array, Array], x_shape: Axis, axis: Axis, eps: float, out_shape: Any) -> Array:
    """With x = out / r: r times the part of g that is at right angles to out; and 2 x / n of the gradient of the mean square."""
    g, y, r = filled(g, out_shape), out[0], 1 / np.sqrt(out[1] + eps)
    along = g[1] * 2 / r - r * sum_product_(g[0], y, axis)
    return r * g[0] + along / count(x_shape, axis) * y


GELU = (2 / np.pi) ** 0.5, 0.044715  # of the approximation by tanh


def _gelu_tanh(x: Array) -> Array:
    with np.errstate(over="ignore"):  # tanh of infinity is 1
        return (1 + np.tanh(GELU[0] * (x + GELU[1] * x * x * x))) * 0.5 * x


def _pull_gelu_tanh(g: Array, x: Array) -> Array:
    t = np.tanh(GELU[0] * (x + GELU[1] * x * x * x))
    d = (1 - t * t) * x * (0.5 * GELU[0])  # 0 where x is large: times x it stays 0, but 0 * (x * x) might be 0 * inf
    return g * ((1 + t) * 0.5 + d + d * x * x * (3 * GELU[1]))


def _first_largest(x: Array, bags: Array, n: int) -> Array:
    """Which row has the largest value in a column, for each of `n` bags of rows; of several the first, of none row 0."""
    top = np.full_like(x, -np.inf, shape=(n, x.shape[1]))
    np.maximum.at(top, bags, x)
    row = np.expand_dims(np.arange(x.shape[0], like=x), 1)
    first = np.full_like(row, x.shape[0], shape=top.shape)
    np.minimum.at(first, bags, np.where((x == top[bags]) | (x != x), row, x.shape[0]))
    return first % max(x.shape[0], 1)


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-1.0 * np.abs(x)))  # np.logaddexp takes ten times as long


# fmt: off
sum_product_: Any = primitive(total_product, "sum_product",  x=lambda g, y: g * y,  y=lambda g, x: g * x, singular=True)  # np.sum(x * y, axis, keepdims=True) in half the time
softmax_       = primitive(_softmax, "softmax",             x=lambda g, out, axis: out * (g - sum_product_(g, out, (axis,))), singular=True)
log_softmax_   = primitive(_log_softmax, "log_softmax",     x=lambda g, out, axis: g - np.exp(out) * total(g, (axis,), True), singular=True)
linear_        = primitive(_linear, "linear",               x=lambda g, w, x_shape: np.reshape(rows(g) @ w, x_shape), w=_pull_weight, b=lambda g: g)
softplus_      = primitive(_softplus, "softplus", x=lambda g, x: g * sigmoid(x), singular=True, promote=slice(None))
rms_: Any      = primitive(_rms, "rms",                     x=_pull_rms)  # x over its root mean square, and the mean square
hardtanh_      = primitive(lambda x, low, high: np.clip(x, low, high), "hardtanh", x=lambda g, x, low, high: masked(g, (x > low) & (x < high)))
hardswish_     = primitive(lambda x: np.clip(x + 3, 0, 6) * (1 / 6) * x, "hardswish",
                                                            x=lambda g, x: g * (((x > -3) & (x < 3)) * (np.clip(x, -3, 3) / 3 + 0.5) + (x >= 3)), singular=True)
gelu_tanh_     = primitive(_gelu_tanh, "gelu_tanh",         x=_pull_gelu_tanh, singular=True)
embedding_     = primitive(lambda w, i, share: w[i], "embedding", moves=True, w=lambda g, w_shape, i, share: unindex(g * share, w_shape, i))  # share: of its gradient
first_largest_ = primitive(_first_largest, "first_largest")
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
    return over


softmax = _over_a_dim("softmax", softmax_, "exp(input) / sum(exp(input))")
log_softmax = _over_a_dim("log_softmax", log_softmax_, "input - log(sum(exp(input)))")
