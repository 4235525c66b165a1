"""Elementwise ops: arithmetic, comparison, exponentials, trigonometry, and choosing between values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import result_type
from ..errors import ArgumentError
from ..graph import Array
from ..primitive import as_array, primitive
from ..special import erf as _erf
from ..tensor import NUMPY, Tensor, wrap
from .common import public

# `singular`: the local derivative can be infinite or, at NaN if nowhere else, NaN; where g is 0 the gradient is 0 all the same.
# A comparison has no rule: nothing differentiable comes out of it. A step has one: its derivative is 0.
# `y + (y == 0)` is y with zeros replaced by ones, in a form that leaves a Python number a Python number.
# fmt: off

# ---- arithmetic
add         = primitive(np.add,          x=lambda g: g,                       y=lambda g: g)
subtract    = primitive(np.subtract,     x=lambda g: g,                       y=lambda g: -g)
multiply    = primitive(np.multiply,     x=lambda g, y: g * y,                y=lambda g, x: g * x,            singular=True)
divide      = primitive(np.divide,       x=lambda g, y: g / y,                y=lambda g, y, out: -g * out / y, singular=True)
negative    = primitive(np.negative,     x=lambda g: -g)
astype_     = primitive(np.astype,        x=lambda g: g,                       dtype=None)
positive    = primitive(np.positive,     x=lambda g: g)
power       = primitive(lambda x, y: x**y, "power", promote=slice(None),  # the operator knows that x**2 is x * x, np.power does not
                                         x=lambda g, x, y: g * y * x ** (y - (y != 0)),
                                         y=lambda g, x, y, out: g * out * np.log(x + (x == 0) * (y >= 0)), singular=True)
square      = primitive(np.square,       x=lambda g, x: g * 2 * x,            singular=True)
reciprocal  = primitive(lambda x: 1 / x, "reciprocal", x=lambda g, out: -g * out * out, singular=True, promote=slice(None))
absolute    = primitive(np.absolute,     x=lambda g, x: g * np.sign(x),      singular=True)
remainder   = primitive(np.remainder,    x=lambda g: g,                       y=lambda g, x, y: -g * (x // y),     singular=True)
floor_divide = primitive(np.floor_divide, x=lambda g: np.zeros_like(g),       y=lambda g: np.zeros_like(g))

# ---- exponentials and roots
exp         = primitive(np.exp,          x=lambda g, out: g * out,            singular=True)
expm1       = primitive(np.expm1,        x=lambda g, out: g * (out + 1),      singular=True)
log         = primitive(np.log,          x=lambda g, x: g / x,                singular=True)
log1p       = primitive(np.log1p,        x=lambda g, x: g / (x + 1),          singular=True)
sqrt        = primitive(np.sqrt,         x=lambda g, out: g * 0.5 / out,      singular=True)
rsqrt       = primitive(lambda x: 1 / np.sqrt(x), "rsqrt", x=lambda g, out: g * -0.5 * out * out * out, singular=True, promote=slice(None))

# ---- trigonometry
sin         = primitive(np.sin,          x=lambda g, x: g * np.cos(x),        singular=True)
cos         = primitive(np.cos,          x=lambda g, x: -g * np.sin(x),       singular=True)
tan         = primitive(np.tan,          x=lambda g, out: g * (1 + out * out), singular=True)
arcsin      = primitive(np.arcsin,       x=lambda g, x: g / np.sqrt(1 - x * x), singular=True)
arccos      = primitive(np.arccos,       x=lambda g, x: -g / np.sqrt(1 - x * x), singular=True)
arctan      = primitive(np.arctan,       x=lambda g, x: g / (1 + x * x),     singular=True)
sinh        = primitive(np.sinh,         x=lambda g, x: g * np.cosh(x),       singular=True)
cosh        = primitive(np.cosh,         x=lambda g, x: g * np.sinh(x),       singular=True)
tanh        = primitive(np.tanh,         x=lambda g, out: g * (1 - out * out), singular=True)

# ---- activations and special functions
def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # exp(-x) may be inf: 1 / inf is the right 0; booleans have no -x
        return 1 / (1 + np.exp(-1.0 * x))

sigmoid     = primitive(_sigmoid, "sigmoid",                                  x=lambda g, out: g * out * (1 - out), singular=True, promote=slice(None))
relu        = primitive(lambda x: np.maximum(x, 0), "relu",                   x=lambda g, out: g * (out > 0))
erf         = primitive(_erf, "erf", x=lambda g, x: g * (2 / np.pi**0.5) * np.exp(-x * x), singular=True, promote=slice(None))

# ---- choosing
maximum     = primitive(np.maximum,      x=lambda g, x, y: g * (x > y) + g * (x == y) * 0.5,  y=lambda g, x, y: g * (x < y) + g * (x == y) * 0.5)
minimum     = primitive(np.minimum,      x=lambda g, x, y: g * (x < y) + g * (x == y) * 0.5,  y=lambda g, x, y: g * (x > y) + g * (x == y) * 0.5)
clip_min    = primitive(lambda x, low: np.maximum(x, low), "clip_min",        x=lambda g, x, low: g * (x >= low),   low=lambda g, x, low: g * (x < low),    promote=slice(None))
clip_max    = primitive(lambda x, high: np.minimum(x, high), "clip_max",      x=lambda g, x, high: g * (x <= high), high=lambda g, x, high: g * (x > high), promote=slice(None))
choose      = primitive(np.where, c=None, x=lambda g, c: np.where(c, g, 0),   y=lambda g, c: np.where(c, 0, g),      promote=slice(1, None))
fill        = primitive(lambda x, value: np.full_like(x, value), "fill",      x=lambda g: np.zeros_like(g),         value=lambda g: g)

# ---- steps: the derivative is 0 wherever there is one
sign        = primitive(np.sign,         x=lambda g: np.zeros_like(g))
floor       = primitive(np.floor,        x=lambda g: np.zeros_like(g))
ceil        = primitive(np.ceil,         x=lambda g: np.zeros_like(g))
trunc       = primitive(np.trunc,        x=lambda g: np.zeros_like(g))
rint        = primitive(lambda x, decimals=0: np.round(x, decimals), "round", x=lambda g: np.zeros_like(g))

# ---- comparison and logic
eq, ne, lt, le, gt, ge = map(primitive, (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal))
logical_and, logical_or, logical_xor, logical_not = map(primitive, (np.logical_and, np.logical_or, np.logical_xor, np.logical_not))
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = map(primitive, (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert))
isfinite, isnan, isinf = map(primitive, (np.isfinite, np.isnan, np.isinf))
# fmt: on


# ---------------------------------------------------------------- PyTorch's names and options
NUMPY[np.reciprocal] = reciprocal


def _scaled(name: str, op: Any) -> Any:
    """`op(input, alpha * other)`: addition and subtraction as PyTorch has them."""

    def scaled(input: Any, other: Any, *, alpha: Any = 1) -> Any:
        return op(input, other if alpha == 1 else multiply(other, alpha))

    scaled.__name__ = scaled.__qualname__ = name
    scaled.__doc__ = f"""`{op.name}` of `input` and `alpha * other`, elementwise with broadcasting (torch.{name})."""
    return scaled


add_scaled, sub_scaled = _scaled("add", add), _scaled("sub", subtract)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`input / other`; `rounding_mode` 'floor' or 'trunc' rounds the quotient (torch.div)."""
    if rounding_mode is None:
        return divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError(f"div: rounding_mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
    quotient = trunc(divide(input, other))
    integers = all(getattr(v, "dtype", np.dtype(type(v))).kind in "iub" for v in (input, other))
    return astype(quotient, result_type(input, other)) if integers else quotient


@public(np.astype)
def astype(input: Any, dtype: Any) -> Any:
    """`input` in another dtype; integers and booleans have no gradient, so a cast to them leaves the graph."""
    dtype = np.dtype(dtype)
    return astype_(input.detach() if isinstance(input, Tensor) and dtype.kind != "f" else input, dtype)


@public(np.power, np.float_power)
def pow(input: Any, exponent: Any) -> Any:
    """`input ** exponent` (torch.pow). The derivative with respect to the exponent is 0 where `input` is 0.

    >>> import autograd
    >>> autograd.pow(autograd.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor) and not hasattr(input, "dtype"):
        input = wrap(np.asarray(input, result_type(input, exponent)))  # its logarithm is to have the right dtype
    return power(input, exponent)


@public(np.where)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` holds, else `other` (torch.where). With the condition alone: the indices where it holds.

    The branch that is not taken gets gradient 0, whatever it would have been.

    >>> import autograd
    >>> x = autograd.tensor([0.0, 4.0], requires_grad=True)
    >>> autograd.where(x > 0, x.sqrt(), 0.0).sum().backward(); x.grad
    tensor([0.0000, 0.2500])
    """
    if input is None and other is None:
        found = np.nonzero(getattr(condition, "array", condition))
        return tuple(wrap(i) for i in found) if isinstance(condition, Tensor) else found
    if not isinstance(input, Tensor) and not isinstance(other, Tensor) and isinstance(condition, Tensor):
        both = result_type(input, other)  # two plain numbers get PyTorch's dtype for such, not NumPy's
        input, other = np.asarray(input, both), np.asarray(other, both)
    return choose(condition, input, other)


@public(np.clip)
def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """`input` limited to [min, max], either of which may be missing or a tensor (torch.clamp).

    The derivative is 1 inside and at the limits, 0 outside.

    >>> import autograd
    >>> autograd.clamp(autograd.tensor([-2.0, 0.5, 2.0]), -1, 1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise ArgumentError("clamp: give min, max or both")
    if min is not None:
        input = clip_min(input, min)
    return input if max is None else clip_max(input, max)


@public(np.round, np.rint)
def round(input: Any, decimals: int = 0) -> Any:
    """To the nearest integer (or decimal), halves to even; the derivative is 0 (torch.round)."""
    return rint(input, decimals)


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where |input - other| <= atol + rtol * |other| (torch.isclose)."""
    a, b = (getattr(v, "array", v) for v in (input, other))
    return wrap(as_array(np.isclose(a, b, rtol, atol, equal_nan)))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Is |input - other| <= atol + rtol * |other| everywhere (torch.allclose)?"""
    return bool(np.all(isclose(input, other, rtol, atol, equal_nan).array))


def equal(input: Any, other: Any) -> bool:
    """Have the two the same shape and elements (torch.equal)?"""
    return bool(np.array_equal(input.array, other.array))
