"""Elementwise ops: arithmetic, comparison, exponentials, trigonometry, and choosing between values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import keep_zero, primitive
from . import numerics

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
astype     = primitive(np.astype,        x=lambda g: g,                       dtype=None,                            moves=True)
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
logit      = primitive(lambda x: np.log(x / (1 - x)), "logit",               x=lambda g, x: g / np.where((x < 0) | (x > 1), np.nan, x * (1 - x) + 0), singular=True, promote=slice(None))
erf         = primitive(numerics.erf, "erf",                                   x=lambda g, x: g * (2 / _SQRT_PI) * np.exp(-x * x),     singular=True, promote=slice(None))
erfc        = primitive(numerics.erfc, "erfc",                                 x=lambda g, x: g * (-2 / _SQRT_PI) * np.exp(-x * x),    singular=True, promote=slice(None))
erfinv      = primitive(numerics.erfinv, "erfinv",                             x=lambda g, out: g * (_SQRT_PI / 2) * np.exp(out * out), singular=True, promote=slice(None))
sinc: Any  = primitive(numerics.sinc, "sinc",                                 x=lambda g, x, n: g * sinc(x, n + 1), n=None,          singular=True, promote=slice(1))
iv: Any     = primitive(numerics.iv, "iv",                                    n=None, x=lambda g, n, x: g * (iv(abs(n - 1), x) + iv(n + 1, x)) / 2, singular=True, promote=slice(1, None))
log_ndtr    = primitive(numerics.log_ndtr, "log_ndtr",                        x=lambda g, x, out: g * np.exp(-x * x / 2 - out) / math.sqrt(2 * math.pi), singular=True, promote=slice(None))
lgamma      = primitive(numerics.lgamma, "lgamma",                             x=lambda g, x: g * polygamma(0, x),                    singular=True, promote=slice(None))
polygamma: Any = primitive(numerics.polygamma, "polygamma",                   n=None, x=lambda g, n, x: g * polygamma(n + 1, x),     singular=True, promote=slice(1, None))
xlogy      = primitive(lambda x, y: x * np.log(np.where((x == 0) & (y == y), 1, y)), "xlogy",
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
heaviside  = primitive(lambda x, values: np.where(x == 0, values, x > 0), "heaviside", x=lambda g: np.zeros_like(g), values=lambda g, x: g * (x == 0), promote=slice(None))
rint        = primitive(lambda x, decimals=0: np.round(x, decimals), "round", x=lambda g: np.zeros_like(g))

# ---- comparison and logic
eq, ne, lt, le, gt, ge = map(primitive, (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal))
logical_and, logical_or, logical_xor, logical_not = map(primitive, (np.logical_and, np.logical_or, np.logical_xor, np.logical_not))
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = map(primitive, (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert))
bitwise_left_shift, bitwise_right_shift = map(primitive, (np.left_shift, np.right_shift))
isfinite, isnan, isinf, signbit = map(primitive, (np.isfinite, np.isnan, np.isinf, np.signbit))
# fmt: on
