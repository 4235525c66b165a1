"""Elementwise ops: arithmetic, comparison, exponentials, trigonometry, and choosing between values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.accumulate import single
from ..engine.dtypes import float64, result_type
from ..engine.graph import Array
from ..engine.primitive import as_array, keep_zero, primitive
from ..engine.tensor import NUMPY, Tensor, wrap
from ..errors import ArgumentError, DtypeError
from . import numerics
from .common import public

_LN2, _LN10, _SQRT_PI = math.log(2), math.log(10), math.sqrt(math.pi)  # Python numbers, which widen no float32

# `singular`: the local derivative can be infinite or, at NaN if nowhere else, NaN; where g is 0 the gradient is 0 all the same.
# A comparison has no rule: nothing differentiable comes out of it. A step has one: its derivative is 0.
# `y + (y == 0)` is y with zeros replaced by ones, in a form that leaves a Python number a Python number.


def masked(g: Array, mask: Array) -> Array:
    """`g` where `mask` holds, else 0, even if `g` is infinite there, as it is behind relu in sqrt(relu(x))."""
    if type(g) is np.ndarray and getattr(mask, "dtype", None) == np.bool:
        return keep_zero(mask, g * mask)  # np.where takes ten times as long, if the mask is at random
    return np.where(mask, g, 0)


# fmt: off

# ---- arithmetic
add         = primitive(np.add,          x=lambda g: g,                       y=lambda g: g)
subtract    = primitive(np.subtract,     x=lambda g: g,                       y=lambda g: -g)
multiply    = primitive(np.multiply,     x=lambda g, y: g * y,                y=lambda g, x: g * x,            singular=True)
divide      = primitive(np.divide,       x=lambda g, y: g / y,                y=lambda g, x, y: -g * (x / y) / y, singular=True)
negative    = primitive(np.negative,     x=lambda g: -g)
astype_     = primitive(np.astype,        x=lambda g: g,                       dtype=None,                            moves=True)
positive    = primitive(np.positive,     x=lambda g: g)
power       = primitive(lambda x, y: x**y, "power", promote=slice(None),  # the operator knows that x**2 is x * x, np.power does not
                                         x=lambda g, x, y: g * y * x ** (y - (y != 0)),
                                         y=lambda g, x, y, out: g * out * np.log(x + (x == 0) * (y >= 0)), singular=True)
square      = primitive(np.square,       x=lambda g, x: g * 2 * x,            singular=True)
reciprocal  = primitive(lambda x: 1 / x, "reciprocal", x=lambda g, out: -g * out * out, singular=True, promote=slice(None))
absolute    = primitive(np.absolute,     x=lambda g, x: g * np.sign(x),      singular=True)
remainder   = primitive(np.remainder,    x=lambda g: g,                       y=lambda g, x, y: -g * (x // y),     singular=True)
fmod        = primitive(np.fmod,         x=lambda g: g,                       y=lambda g, x, y: -g * np.trunc(x / y), singular=True)
floor_divide = primitive(np.floor_divide, x=lambda g: np.zeros_like(g),       y=lambda g: np.zeros_like(g))
hypot       = primitive(np.hypot,        x=lambda g, x, out: g * (x / (out + (out == 0))), y=lambda g, y, out: g * (y / (out + (out == 0))), singular=True)

def _turn(g: Array, x: Array, y: Array) -> Array:
    """`g` divided by the squared distance of (x, y) from the origin, twice by the distance, which overflows less; by 1 at the origin."""
    r = np.hypot(x, y)
    r = r + (r == 0)
    return g / r / r

# ---- exponentials and roots
exp         = primitive(np.exp,          x=lambda g, out: g * out,            singular=True)
exp2        = primitive(np.exp2,         x=lambda g, out: g * out * _LN2,     singular=True)
expm1       = primitive(np.expm1,        x=lambda g, out: g * (out + 1),      singular=True)
log         = primitive(np.log,          x=lambda g, x: g / x,                singular=True)
log2        = primitive(np.log2,         x=lambda g, x: g / (x * _LN2),       singular=True)
log10       = primitive(np.log10,        x=lambda g, x: g / (x * _LN10),      singular=True)
log1p       = primitive(np.log1p,        x=lambda g, x: g / (x + 1),          singular=True)
sqrt        = primitive(np.sqrt,         x=lambda g, out: g * 0.5 / out,      singular=True)
cbrt        = primitive(np.cbrt,         x=lambda g, out: g / (3 * out * out), singular=True)
rsqrt       = primitive(lambda x: 1 / np.sqrt(x), "rsqrt", x=lambda g, out: g * -0.5 * out * out * out, singular=True, promote=slice(None))

# ---- trigonometry
sin         = primitive(np.sin,          x=lambda g, x: g * np.cos(x),        singular=True)
cos         = primitive(np.cos,          x=lambda g, x: -g * np.sin(x),       singular=True)
tan         = primitive(np.tan,          x=lambda g, out: g * (1 + out * out), singular=True)
arcsin      = primitive(np.arcsin,       x=lambda g, x: g / np.sqrt(1 - x * x), singular=True)
arccos      = primitive(np.arccos,       x=lambda g, x: -g / np.sqrt(1 - x * x), singular=True)
arctan      = primitive(np.arctan,       x=lambda g, x: g / (1 + x * x),     singular=True)
arctan2     = primitive(np.arctan2,      x=lambda g, x, y: _turn(g * y, x, y),         y=lambda g, x, y: _turn(-g * x, x, y), singular=True)
sinh        = primitive(np.sinh,         x=lambda g, x: g * np.cosh(x),       singular=True)
cosh        = primitive(np.cosh,         x=lambda g, x: g * np.sinh(x),       singular=True)
tanh        = primitive(np.tanh,         x=lambda g, out: g * (1 - out * out), singular=True)
arcsinh     = primitive(np.arcsinh,      x=lambda g, x: g / np.hypot(x, 1),   singular=True)
arccosh     = primitive(np.arccosh,      x=lambda g, x: g / np.sqrt(x * x - 1), singular=True)
arctanh     = primitive(np.arctanh,      x=lambda g, x: g / (1 - x * x),      singular=True)

# ---- activations and special functions
def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # exp(-x) may be inf: 1 / inf is the right 0; booleans have no -x
        return 1 / (1 + np.exp(-1.0 * x))

sigmoid     = primitive(_sigmoid, "sigmoid",                                  x=lambda g, out: g * out * (1 - out), singular=True, promote=slice(None))
relu        = primitive(lambda x: np.maximum(x, 0), "relu",                   x=lambda g, out: masked(g, out > 0))
logit_      = primitive(lambda x: np.log(x / (1 - x)), "logit",               x=lambda g, x: g / np.where((x < 0) | (x > 1), np.nan, x * (1 - x) + 0), singular=True, promote=slice(None))
erf         = primitive(numerics.erf, "erf",                                   x=lambda g, x: g * (2 / _SQRT_PI) * np.exp(-x * x),     singular=True, promote=slice(None))
erfc        = primitive(numerics.erfc, "erfc",                                 x=lambda g, x: g * (-2 / _SQRT_PI) * np.exp(-x * x),    singular=True, promote=slice(None))
erfinv      = primitive(numerics.erfinv, "erfinv",                             x=lambda g, out: g * (_SQRT_PI / 2) * np.exp(out * out), singular=True, promote=slice(None))
sinc_: Any  = primitive(numerics.sinc, "sinc",                                 x=lambda g, x, n: g * sinc_(x, n + 1), n=None,          singular=True, promote=slice(1))
lgamma      = primitive(numerics.lgamma, "lgamma",                             x=lambda g, x: g * polygamma_(0, x),                    singular=True, promote=slice(None))
polygamma_: Any = primitive(numerics.polygamma, "polygamma",                   n=None, x=lambda g, n, x: g * polygamma_(n + 1, x),     singular=True, promote=slice(1, None))
xlogy_      = primitive(lambda x, y: x * np.log(np.where((x == 0) & (y == y), 1, y)), "xlogy",
                                         x=lambda g, x, y: g * np.log(np.where((x == 0) & (y <= 0), 1, y)),
                                         y=lambda g, x, y: g * x / np.where((x == 0) & (y == 0), 1, y), singular=True, promote=slice(None))

def _gap(x: Array, y: Array) -> Array:
    """`x - y`, but 0 between equal infinities."""
    return np.where((x == y) & np.isinf(x), 0, x - y)

logaddexp   = primitive(np.logaddexp,    x=lambda g, x, y: g * sigmoid(_gap(x, y)),        y=lambda g, x, y: g * sigmoid(_gap(y, x)),        singular=True)
logaddexp2  = primitive(np.logaddexp2,   x=lambda g, x, y: g * sigmoid(_gap(x, y) * _LN2), y=lambda g, x, y: g * sigmoid(_gap(y, x) * _LN2), singular=True)

# ---- choosing
maximum     = primitive(np.maximum,      x=lambda g, x, y: masked(g, x > y) + masked(g / 2, x == y),  y=lambda g, x, y: masked(g, x < y) + masked(g / 2, x == y))
minimum     = primitive(np.minimum,      x=lambda g, x, y: masked(g, x < y) + masked(g / 2, x == y),  y=lambda g, x, y: masked(g, x > y) + masked(g / 2, x == y))
fmax        = primitive(np.fmax,         x=lambda g, x, y: masked(g, (x >= y) | (y != y)),         y=lambda g, x, y: masked(g, ~((x >= y) | (y != y))))
fmin        = primitive(np.fmin,         x=lambda g, x, y: masked(g, (x <= y) | (y != y)),         y=lambda g, x, y: masked(g, ~((x <= y) | (y != y))))
clip_min    = primitive(lambda x, min: np.maximum(x, min), "clip_min",        x=lambda g, x, min: masked(g, x >= min), min=lambda g, x, min: masked(g, x < min), promote=slice(None))
clip_max    = primitive(lambda x, max: np.minimum(x, max), "clip_max",        x=lambda g, x, max: masked(g, x <= max), max=lambda g, x, max: masked(g, x > max), promote=slice(None))
choose      = primitive(np.where, c=None, x=lambda g, c: masked(g, c),        y=lambda g, c: masked(g, np.logical_not(c)), promote=slice(1, None))
fill        = primitive(lambda x, value: np.full_like(x, value), "fill",      x=lambda g: np.zeros_like(g),         value=lambda g: g)
nan_to_num  = primitive(lambda x, nan=None, posinf=None, neginf=None: np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf),
                        "nan_to_num",    x=lambda g, x: masked(g, np.isfinite(x)))
copysign    = primitive(np.copysign,     x=lambda g, x, out: g * (np.sign(x) * np.sign(out)), y=lambda g: np.zeros_like(g), singular=True)

# ---- steps: the derivative is 0 wherever there is one
sign        = primitive(np.sign,         x=lambda g: np.zeros_like(g))
floor       = primitive(np.floor,        x=lambda g: np.zeros_like(g))
ceil        = primitive(np.ceil,         x=lambda g: np.zeros_like(g))
trunc       = primitive(np.trunc,        x=lambda g: np.zeros_like(g))
heaviside_  = primitive(lambda x, values: np.where(x == 0, values, x > 0), "heaviside", x=lambda g: np.zeros_like(g), values=lambda g, x: g * (x == 0), promote=slice(None))
rint        = primitive(lambda x, decimals=0: np.round(x, decimals), "round", x=lambda g: np.zeros_like(g))

# ---- comparison and logic
eq, ne, lt, le, gt, ge = map(primitive, (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal))
logical_and, logical_or, logical_xor, logical_not = map(primitive, (np.logical_and, np.logical_or, np.logical_xor, np.logical_not))
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = map(primitive, (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert))
bitwise_left_shift, bitwise_right_shift = map(primitive, (np.left_shift, np.right_shift))
isfinite, isnan, isinf, signbit = map(primitive, (np.isfinite, np.isnan, np.isinf, np.signbit))
# fmt: on


# ---------------------------------------------------------------- PyTorch's names and options
NUMPY[np.reciprocal] = reciprocal
NUMPY[np.nan_to_num] = lambda x, copy=True, nan=0.0, posinf=None, neginf=None: nan_to_num(x, nan, posinf, neginf)


def _typed(*values: Any) -> list[Any]:
    """`values` with numbers as 0-d tensors of the dtype that the result has, for rules that make arrays of them."""
    common = result_type(*values)
    return [v if hasattr(v, "dtype") else wrap(np.asarray(v, common)) for v in values]


def _scaled(name: str, op: Any) -> Any:
    """`op(input, alpha * other)`: addition and subtraction as PyTorch has them."""

    def scaled(input: Any, other: Any, *, alpha: Any = 1) -> Any:
        if isinstance(alpha, float) and result_type(input, other).kind != "f":
            raise DtypeError(f"{name}: alpha must be an integer among integers, got {alpha}")
        return op(input, other if alpha == 1 else multiply(other, alpha))

    scaled.__name__ = scaled.__qualname__ = name
    scaled.__doc__ = f"""`{op.name}` of `input` and `alpha * other`, elementwise with broadcasting (torch.{name})."""
    return scaled


add_scaled, sub_scaled = _scaled("add", add), _scaled("sub", subtract)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`other - alpha * input` (torch.rsub)."""
    return sub_scaled(other, input, alpha=alpha)


@single
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value * tensor1 * tensor2` (torch.addcmul)."""
    return add_scaled(input, multiply(tensor1, tensor2), alpha=value)


@single
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value * tensor1 / tensor2` (torch.addcdiv)."""
    return add_scaled(input, divide(tensor1, tensor2), alpha=value)


@single
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """From `input` to `end`, a share `weight` of the way: exactly `input` at 0 and `end` at 1 (torch.lerp).

    >>> import autograd
    >>> autograd.lerp(autograd.tensor([0.0, 10.0]), autograd.tensor([4.0, 20.0]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    return add(multiply(input, 1 - weight), multiply(end, weight))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """`input / other`; `rounding_mode` 'floor' or 'trunc' rounds the quotient (torch.div)."""
    if rounding_mode is None:
        return divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError(f"div: rounding_mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
    if result_type(input, other).kind == "f":
        return trunc(divide(input, other))
    return floor_divide(subtract(input, fmod(input, other)), other)  # exact: a quotient of floats holds no large integer


@public(np.astype)
def astype(input: Any, dtype: Any) -> Any:
    """`input` in another dtype; integers and booleans have no gradient, so a cast to them leaves the graph."""
    dtype = np.dtype(dtype)
    return astype_(input.detach() if isinstance(input, Tensor) and dtype.kind != "f" else input, dtype)


@public(np.power)
def pow(input: Any, exponent: Any) -> Any:
    """`input ** exponent` (torch.pow). The derivative with respect to the exponent is 0 where `input` is 0.

    >>> import autograd
    >>> autograd.pow(autograd.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor) and not hasattr(input, "dtype"):
        input, exponent = _typed(input, exponent)  # its logarithm is to have the right dtype
    return power(input, exponent)


@public(np.float_power)
def float_power(input: Any, exponent: Any) -> Any:
    """`input ** exponent`, computed in float64 whatever the dtypes (torch.float_power)."""
    return pow(*(astype(v, float64) if hasattr(v, "dtype") else v for v in (input, exponent)))


@public(np.deg2rad, np.radians)
def deg2rad(input: Any) -> Any:
    """Degrees as radians (torch.deg2rad)."""
    return multiply(input, math.pi / 180)


@public(np.rad2deg, np.degrees)
def rad2deg(input: Any) -> Any:
    """Radians as degrees (torch.rad2deg)."""
    return multiply(input, 180 / math.pi)


def frac(input: Any) -> Any:
    """What is behind the decimal point, with the sign of `input` (torch.frac)."""
    return subtract(input, trunc(input))


def logit(input: Any, eps: float | None = None) -> Any:
    """The inverse of sigmoid, log(input / (1 - input)), of `input` limited to [eps, 1 - eps] if that is given (torch.logit)."""
    return logit_(input if eps is None else clamp(input, eps, 1 - eps))


@public(np.sinc)
def sinc(input: Any) -> Any:
    """sin(pi * input) / (pi * input), and 1 at 0, with exact derivatives of every order there too (torch.sinc)."""
    return sinc_(input)


def digamma(input: Any) -> Any:
    """The derivative of `lgamma`. Needs SciPy (torch.digamma)."""
    return polygamma_(0, input)


def polygamma(n: int, input: Any) -> Any:
    """The n-th derivative of `digamma`. Needs SciPy (torch.polygamma)."""
    if not hasattr(n, "__index__") or n < 0:
        raise ArgumentError(f"polygamma: n is an integer, not negative, got {n!r}")
    return polygamma_(n, input)


def xlogy(input: Any, other: Any) -> Any:
    """`input * log(other)`, and 0 where `input` is 0, unless `other` is NaN (torch.xlogy)."""
    return xlogy_(*_typed(input, other))


@public(np.heaviside)
def heaviside(input: Any, values: Any) -> Any:
    """0 where `input` is negative or NaN, 1 where it is positive, `values` where it is 0 (torch.heaviside)."""
    return heaviside_(*_typed(input, values))


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
