"""Elementwise ops: arithmetic, comparison, exponentials, trigonometry, and choosing between values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import keep_zero, primitive
from . import numerics
from .common import formula

_LN2, _LN10, _SQRT_PI = math.log(2), math.log(10), math.sqrt(math.pi)  # Python numbers, which widen no float32
DENSITY = 1 / math.sqrt(2 * math.pi)  # of the normal distribution at 0

# `singular`: the local derivative can be infinite or, at NaN if nowhere else, NaN; where g is 0 the gradient is 0 all the same.
# A comparison has no rule: nothing differentiable comes out of it. A step has one: its derivative is 0.
# `y + (y == 0)` is y with zeros replaced by ones, in a form that leaves a Python number a Python number.


def masked(g: Array, mask: Array) -> Array:
    """`g` where `mask` holds, else 0, even if `g` is infinite there, as it is behind relu in sqrt(relu(x))."""
    if type(g) is np.ndarray and getattr(mask, "dtype", None) == np.bool:
        return keep_zero(mask, g * mask)  # np.where takes ten times as long, if the mask is at random
    return np.where(mask, g, 0)


def raised(x: Any, y: Any) -> Any:
    """`x**y`. If `y` is a whole number, NumPy takes up to 400 times as long for what is negative as for its absolute value."""
    if type(x) is not np.ndarray or x.dtype.kind != "f" or type(y) not in (int, float) or -2 < y <= 2 or y % 1:
        return x**y  # the operator knows that x**2 is x * x, np.power does not
    if y in (3, 4):
        square = x * x
        return square * (x if y == 3 else square)
    size = np.abs(x) ** y
    return np.copysign(size, x) if y % 2 else size


# fmt: off

# ---- arithmetic
add         = primitive(np.add,          x=lambda g: g,                       y=lambda g: g,
            says="The sum x + y, elementwise (torch.add).")
subtract    = primitive(np.subtract,     x=lambda g: g,                       y=lambda g: -g,
            says="The difference x - y, elementwise (torch.sub).")
multiply    = primitive(np.multiply,     x=lambda g, y: g * y,                y=lambda g, x: g * x,            singular=True,
            says="The product x * y, elementwise (torch.mul).")
divide      = primitive(np.divide,       x=lambda g, y: g / y,                y=lambda g, x, y: -g * (x / y) / y, singular=True,
            says="The quotient x / y, elementwise, of integers too a float (torch.true_divide).")
negative    = primitive(np.negative,     x=lambda g: -g,
            says="Minus x (torch.neg).")
astype     = primitive(np.astype,        x=lambda g: g,                       dtype=None,                            moves=True,
            says="The elements of x in another dtype (torch.Tensor.to).")
positive    = primitive(np.positive,     x=lambda g: g,
            says="x as it is (torch.positive).")
power       = primitive(raised, "power", promote=slice(None),
                                         x=lambda g, x, y: g * y * raised(x, y - (y != 0)),
                                         y=lambda g, x, y, out: g * out * np.log(x + (x == 0) * (y >= 0)), singular=True,
            kink="x**0 has derivative 0 in x, also at x = 0; the derivative in y is 0 where x is 0 and y is not negative",
            says="The power x**y, elementwise (torch.pow).")
square      = primitive(np.square,       x=lambda g, x: g * 2 * x,            singular=True,
            says="The square x * x (torch.square).")
reciprocal  = primitive(lambda x: 1 / x, "reciprocal", x=lambda g, out: -g * out * out, singular=True, promote=slice(None),
            says="One over x (torch.reciprocal).")
absolute    = primitive(np.absolute,     x=lambda g, x: g * np.sign(x),      singular=True,
            kink="0 at x = 0",
            says="The absolute value of x (torch.abs).")
remainder   = primitive(np.remainder,    x=lambda g: g,                       y=lambda g, x, y: -g * (x // y),     singular=True,
            kink="1 in x and -(x // y) in y, also where it jumps",
            says="What is left of x after floor division by y, with the sign of y (torch.remainder).")
fmod        = primitive(np.fmod,         x=lambda g: g,                       y=lambda g, x, y: -g * np.trunc(x / y), singular=True,
            kink="1 in x and -trunc(x / y) in y, also where it jumps",
            says="What is left of x after division by y, rounded towards 0, with the sign of x (torch.fmod).")
floor_divide = primitive(np.floor_divide, x=lambda g: np.zeros_like(g),       y=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="The quotient x / y, rounded down (torch.floor_divide).")
hypot       = primitive(np.hypot,        x=lambda g, x, out: g * (x / (out + (out == 0))), y=lambda g, y, out: g * (y / (out + (out == 0))), singular=True,
            kink="0 where x = y = 0",
            says="The hypotenuse, sqrt(x**2 + y**2), without overflow on the way (torch.hypot).")

def _turn(g: Array, x: Array, y: Array) -> Array:
    """`g` divided by the squared distance of (x, y) from the origin, twice by the distance, which overflows less; by 1 at the origin."""
    r = np.hypot(x, y)
    r = r + (r == 0)
    return g / r / r

# ---- exponentials and roots
exp         = primitive(np.exp,          x=lambda g, out: g * out,            singular=True,
            says="The exponential, e to the power of x (torch.exp).")
exp2        = primitive(np.exp2,         x=lambda g, out: g * out * _LN2,     singular=True,
            says="2 to the power of x (torch.exp2).")
expm1       = primitive(np.expm1,        x=lambda g, out: g * (out + 1),      singular=True,
            says="exp(x) - 1, with all its digits where x is close to 0 (torch.expm1).")
log         = primitive(np.log,          x=lambda g, x: g / x,                singular=True,
            says="The natural logarithm of x (torch.log).")
log2        = primitive(np.log2,         x=lambda g, x: g / (x * _LN2),       singular=True,
            says="The logarithm of x to base 2 (torch.log2).")
log10       = primitive(np.log10,        x=lambda g, x: g / (x * _LN10),      singular=True,
            says="The logarithm of x to base 10 (torch.log10).")
log1p       = primitive(np.log1p,        x=lambda g, x: g / (x + 1),          singular=True,
            says="log(1 + x), with all its digits where x is close to 0 (torch.log1p).")
sqrt        = primitive(np.sqrt,         x=lambda g, out: g * 0.5 / out,      singular=True,
            says="The square root of x (torch.sqrt).")
cbrt        = primitive(np.cbrt,         x=lambda g, out: g / (3 * out * out), singular=True,
            says="The cube root of x (numpy.cbrt).")
rsqrt       = primitive(lambda x: 1 / np.sqrt(x), "rsqrt", x=lambda g, out: g * -0.5 * out * out * out, singular=True, promote=slice(None),
            says="One over the square root of x (torch.rsqrt).")

# ---- trigonometry
sin         = primitive(np.sin,          x=lambda g, x: g * np.cos(x),        singular=True,
            says="The sine of x, in radians (torch.sin).")
cos         = primitive(np.cos,          x=lambda g, x: -g * np.sin(x),       singular=True,
            says="The cosine of x, in radians (torch.cos).")
tan         = primitive(np.tan,          x=lambda g, out: g * (1 + out * out), singular=True,
            says="The tangent of x, in radians (torch.tan).")
arcsin      = primitive(np.arcsin,       x=lambda g, x: g / np.sqrt(1 - x * x), singular=True,
            says="The inverse sine of x, from -pi/2 to pi/2 (torch.asin).")
arccos      = primitive(np.arccos,       x=lambda g, x: -g / np.sqrt(1 - x * x), singular=True,
            says="The inverse cosine of x, from 0 to pi (torch.acos).")
arctan      = primitive(np.arctan,       x=lambda g, x: g / (1 + x * x),     singular=True,
            says="The inverse tangent of x, from -pi/2 to pi/2 (torch.atan).")
arctan2     = primitive(np.arctan2,      x=lambda g, x, y: _turn(g * y, x, y),         y=lambda g, x, y: _turn(-g * x, x, y), singular=True,
            kink="0 where x = y = 0",
            says="The angle, from -pi to pi, of the point whose height is x and whose distance to the right is y (torch.atan2).")
sinh        = primitive(np.sinh,         x=lambda g, x: g * np.cosh(x),       singular=True,
            says="The hyperbolic sine of x (torch.sinh).")
cosh        = primitive(np.cosh,         x=lambda g, x: g * np.sinh(x),       singular=True,
            says="The hyperbolic cosine of x (torch.cosh).")
tanh        = primitive(np.tanh,         x=lambda g, out: g * (1 - out * out), singular=True,
            says="The hyperbolic tangent of x, from -1 to 1 (torch.tanh).")
arcsinh     = primitive(np.arcsinh,      x=lambda g, x: g / np.hypot(x, 1),   singular=True,
            says="The inverse hyperbolic sine of x (torch.asinh).")
arccosh     = primitive(np.arccosh,      x=lambda g, x: g / np.sqrt(x * x - 1), singular=True,
            says="The inverse hyperbolic cosine of x, which is at least 1 (torch.acosh).")
arctanh     = primitive(np.arctanh,      x=lambda g, x: g / (1 - x * x),      singular=True,
            says="The inverse hyperbolic tangent of x, which is between -1 and 1 (torch.atanh).")

# ---- activations and special functions
def _gamma_density(a: Array, x: Array) -> Array:
    """The density at x of the gamma distribution of shape a."""
    return np.exp((a - 1) * np.log(x) - x - lgamma(a))

def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # exp(-x) may be inf: 1 / inf is the right 0; booleans have no -x
        return 1 / (1 + np.exp(-1.0 * x))

@formula
def _ndtr(x: Array) -> Array:
    return erfc(x * -math.sqrt(0.5)) * 0.5

@_ndtr.on_arrays
def _(x: Array) -> Any:
    return numerics.ndtr(x) if x.dtype == np.float32 else NotImplemented

sigmoid     = primitive(_sigmoid, "sigmoid",                                  x=lambda g, out: g * out * (1 - out), singular=True, promote=slice(None),
            says="The logistic function, 1 / (1 + exp(-x)), from 0 to 1 (torch.sigmoid).")
relu        = primitive(lambda x: np.maximum(x, 0), "relu",                   x=lambda g, out: masked(g, out > 0),
            kink="0 at x = 0",
            says="x where it is positive, else 0 (torch.relu).")
logit      = primitive(lambda x: np.log(x / (1 - x)), "logit",               x=lambda g, x: g / np.where((x < 0) | (x > 1), np.nan, x * (1 - x) + 0), singular=True, promote=slice(None),
            kink="NaN outside [0, 1], as its value; infinite at 0 and 1",
            says="The inverse of sigmoid, log(x / (1 - x)) (torch.logit).")
erf         = primitive(numerics.erf, "erf",                                   x=lambda g, x: g * (2 / _SQRT_PI) * np.exp(-x * x),     singular=True, promote=slice(None),
            says="The error function, 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x (torch.erf).")
erfc        = primitive(numerics.erfc, "erfc",                                 x=lambda g, x: g * (-2 / _SQRT_PI) * np.exp(-x * x),    singular=True, promote=slice(None),
            says="1 - erf(x), with all its digits where x is large (torch.erfc).")
ndtr        = primitive(_ndtr, "ndtr",                                         x=lambda g, x: g * DENSITY * np.exp(x * x * -0.5),    singular=True, promote=slice(None),
            says="The normal distribution function at x, with all its digits where x is far below 0 (torch.special.ndtr).")
erfinv      = primitive(numerics.erfinv, "erfinv",                             x=lambda g, out: g * (_SQRT_PI / 2) * np.exp(out * out), singular=True, promote=slice(None),
            says="The inverse of the error function, of x between -1 and 1 (torch.erfinv).")
sinc: Any  = primitive(numerics.sinc, "sinc",                                 x=lambda g, x, n: g * sinc(x, n + 1), n=None,          singular=True, promote=slice(1),
            says="The n-th derivative of sin(pi * x) / (pi * x), which is 1 at x = 0 (torch.sinc for n = 0).")
iv: Any     = primitive(numerics.iv, "iv",                                    n=None, x=lambda g, n, x: g * (iv(abs(n - 1), x) + iv(n + 1, x)) / 2, singular=True, promote=slice(1, None),
            says="The modified Bessel function of the first kind, of the integer order n, at x (torch.special.i0 for n = 0).")
erfcx: Any  = primitive(numerics.erfcx, "erfcx",                              x=lambda g, x, out: g * (2 * x * out - 2 / _SQRT_PI), singular=True, promote=slice(None),
            says="exp(x**2) * erfc(x), without overflow on the way (torch.special.erfcx).")
log_ndtr    = primitive(numerics.log_ndtr, "log_ndtr",                        x=lambda g, x: g * math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5)), singular=True, promote=slice(None),
            says="The logarithm of the normal distribution function, with all its digits where x is far below 0 (torch.special.log_ndtr).")
lgamma      = primitive(numerics.lgamma, "lgamma",                             x=lambda g, x: g * polygamma(0, x),                    singular=True, promote=slice(None),
            says="The logarithm of the absolute value of the gamma function (torch.lgamma).")
polygamma: Any = primitive(numerics.polygamma, "polygamma",                   n=None, x=lambda g, n, x: g * polygamma(n + 1, x),     singular=True, promote=slice(1, None),
            says="The n-th derivative of digamma, which is that of lgamma (torch.polygamma).")
gammainc    = primitive(numerics.gammainc, "gammainc",                         a=lambda g, a, x: g * gamma_slope(1, a, np.log(x)) * _gamma_density(a, x) * x, x=lambda g, a, x: g * _gamma_density(a, x), singular=True, promote=slice(None),
            says="The chance that a number of the gamma distribution of shape a is below x: the incomplete gamma function (torch.special.gammainc).")
gamma_slope: Any = primitive(numerics.gamma_slope, "gamma_slope",             n=None, a=lambda g, n, a, y: g * (gamma_slope(n + 1, a, y) - gamma_slope(n, a, y) * (y - polygamma(0, a))),
                                         y=lambda g, n, a, y: g * (numerics.bell(y, [polygamma(m, a) for m in range(n)]) - gamma_slope(n, a, y) * (a - np.exp(y))), singular=True, promote=slice(1, None),
            says="The n-th derivative by a of gammainc(a, exp(y)), over its derivative by y: minus how y moves with a while the chance stays.")
xlogy      = primitive(lambda x, y: x * np.log(np.where((x == 0) & (y == y), 1, y)), "xlogy",
                                         x=lambda g, x, y: g * np.log(np.where((x == 0) & (y <= 0), 1, y)),
                                         y=lambda g, x, y: g * x / np.where((x == 0) & (y == 0), 1, y), singular=True, promote=slice(None),
            kink="0 where x = 0, unless y is positive, when it is log(y) in x",
            says="x * log(y), and 0 where x is 0 (torch.xlogy).")

def _gap(x: Array, y: Array) -> Array:
    """`x - y`, but 0 between equal infinities."""
    return np.where((x == y) & np.isinf(x), 0, x - y)

logaddexp   = primitive(np.logaddexp,    x=lambda g, x, y: g * sigmoid(_gap(x, y)),        y=lambda g, x, y: g * sigmoid(_gap(y, x)),        singular=True,
            kink="half to each where x and y are the same infinity",
            says="log(exp(x) + exp(y)), without overflow on the way (torch.logaddexp).")
logaddexp2  = primitive(np.logaddexp2,   x=lambda g, x, y: g * sigmoid(_gap(x, y) * _LN2), y=lambda g, x, y: g * sigmoid(_gap(y, x) * _LN2), singular=True,
            kink="half to each where x and y are the same infinity",
            says="log2(2**x + 2**y), without overflow on the way (torch.logaddexp2).")

# ---- choosing
maximum     = primitive(np.maximum,      x=lambda g, x, y: masked(g, x > y) + masked(g / 2, x == y),  y=lambda g, x, y: masked(g, x < y) + masked(g / 2, x == y),
            kink="half to each where x = y",
            says="The greater of x and y, elementwise; NaN if one is NaN (torch.maximum).")
minimum     = primitive(np.minimum,      x=lambda g, x, y: masked(g, x < y) + masked(g / 2, x == y),  y=lambda g, x, y: masked(g, x > y) + masked(g / 2, x == y),
            kink="half to each where x = y",
            says="The smaller of x and y, elementwise; NaN if one is NaN (torch.minimum).")
fmax        = primitive(np.fmax,         x=lambda g, x, y: masked(g, (x >= y) | (y != y)),         y=lambda g, x, y: masked(g, ~((x >= y) | (y != y))),
            kink="where x = y it goes to x; to the one that is no NaN, and to x where both are",
            says="The greater of x and y, elementwise; the other if one is NaN (torch.fmax).")
fmin        = primitive(np.fmin,         x=lambda g, x, y: masked(g, (x <= y) | (y != y)),         y=lambda g, x, y: masked(g, ~((x <= y) | (y != y))),
            kink="where x = y it goes to x; to the one that is no NaN, and to x where both are",
            says="The smaller of x and y, elementwise; the other if one is NaN (torch.fmin).")
clip_min    = primitive(lambda x, min: np.maximum(x, min), "clip_min",        x=lambda g, x, min: masked(g, x >= min), min=lambda g, x, min: masked(g, x < min), promote=slice(None),
            kink="where x = min it goes to x",
            says="x, but at least min, elementwise (torch.clamp_min).")
clip_max    = primitive(lambda x, max: np.minimum(x, max), "clip_max",        x=lambda g, x, max: masked(g, x <= max), max=lambda g, x, max: masked(g, x > max), promote=slice(None),
            kink="where x = max it goes to x",
            says="x, but at most max, elementwise (torch.clamp_max).")
choose      = primitive(np.where, c=None, x=lambda g, c: masked(g, c),        y=lambda g, c: masked(g, np.logical_not(c)), promote=slice(1, None),
            says="x where the condition c holds, else y (torch.where).")
fill        = primitive(lambda x, value: np.full_like(x, value), "fill",      x=lambda g: np.zeros_like(g),         value=lambda g: g,
            says="One value in the shape and the dtype of x (torch.full_like).")
nan_to_num  = primitive(lambda x, nan=None, posinf=None, neginf=None: np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf),
                        "nan_to_num",    x=lambda g, x: masked(g, np.isfinite(x)),
            kink="0 where x is NaN or infinite",
            says="x with 0 in place of NaN and the dtype's greatest and least in place of infinities (torch.nan_to_num).")
copysign    = primitive(np.copysign,     x=lambda g, x, out: g * (np.sign(x) * np.sign(out)), y=lambda g: np.zeros_like(g), singular=True,
            kink="0 in x where x = 0; 0 in y, also where it jumps",
            says="The absolute value of x with the sign of y (torch.copysign).")

exponent    = primitive(lambda x: np.frexp(x)[1], "exponent",
            says="The exponent of 2 in x, of which the mantissa is the rest (torch.frexp).")
mantissa    = primitive(lambda x: np.frexp(x)[0], "mantissa", x=lambda g, x, out: g * ((out + (x == 0)) / (x + (x == 0))), singular=True,
            kink="at powers of 2, where it jumps, that of numbers just above in size",
            says="x without its exponent of 2: from 0.5 up to 1 in size, or 0 (torch.frexp).")

# ---- steps: the derivative is 0 wherever there is one
sign        = primitive(np.sign,         x=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="-1, 0 or 1, as x is negative, 0 or positive (torch.sign).")
floor       = primitive(np.floor,        x=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="x rounded down to an integer (torch.floor).")
ceil        = primitive(np.ceil,         x=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="x rounded up to an integer (torch.ceil).")
trunc       = primitive(np.trunc,        x=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="x rounded towards 0 to an integer (torch.trunc).")
heaviside  = primitive(lambda x, values: np.where(x == 0, values, x > 0), "heaviside", x=lambda g: np.zeros_like(g), values=lambda g, x: g * (x == 0), promote=slice(None),
            kink="0 in x, also where it jumps; in values 1 where x = 0, else 0",
            says="The step from 0 to 1, with values where x is 0 (torch.heaviside).")
rint        = primitive(lambda x, decimals=0: np.round(x, decimals), "round", x=lambda g: np.zeros_like(g),
            kink="0, also where it jumps",
            says="x rounded to so many decimals, halves to even (torch.round).")

# ---- integers, comparison and logic
gcd         = primitive(np.gcd,           says="The greatest common divisor of the integers x and y, elementwise (torch.gcd).")
lcm         = primitive(np.lcm,           says="The least common multiple of the integers x and y, elementwise (torch.lcm).")
nextafter   = primitive(np.nextafter,     says="The number next to x on the way to y that the dtype has (torch.nextafter).")
eq          = primitive(np.equal,         says="Where x equals y (torch.eq).")
ne          = primitive(np.not_equal,     says="Where x differs from y (torch.ne).")
lt          = primitive(np.less,          says="Where x is less than y (torch.lt).")
le          = primitive(np.less_equal,    says="Where x is at most y (torch.le).")
gt          = primitive(np.greater,       says="Where x is greater than y (torch.gt).")
ge          = primitive(np.greater_equal, says="Where x is at least y (torch.ge).")
logical_and = primitive(np.logical_and,   says="Where neither x nor y is 0 (torch.logical_and).")
logical_or  = primitive(np.logical_or,    says="Where x or y or both are not 0 (torch.logical_or).")
logical_xor = primitive(np.logical_xor,   says="Where one of x and y is 0 and the other is not (torch.logical_xor).")
logical_not = primitive(np.logical_not,   says="Where x is 0 (torch.logical_not).")
bitwise_and = primitive(np.bitwise_and,   says="The bits that are set in both x and y, integers or booleans (torch.bitwise_and).")
bitwise_or  = primitive(np.bitwise_or,    says="The bits that are set in x or y or both, integers or booleans (torch.bitwise_or).")
bitwise_xor = primitive(np.bitwise_xor,   says="The bits that are set in one of x and y only, integers or booleans (torch.bitwise_xor).")
bitwise_not = primitive(np.invert,        says="The bits that are not set in x, integers or booleans (torch.bitwise_not).")
bitwise_left_shift = primitive(np.left_shift,    says="x * 2**y, of integers: the bits of x moved y places up (torch.bitwise_left_shift).")
bitwise_right_shift = primitive(np.right_shift,   says="x // 2**y, of integers: the bits of x moved y places down (torch.bitwise_right_shift).")
isfinite    = primitive(np.isfinite,      says="Where x is neither infinite nor NaN (torch.isfinite).")
isnan       = primitive(np.isnan,         says="Where x is NaN (torch.isnan).")
isinf       = primitive(np.isinf,         says="Where x is infinite (torch.isinf).")
signbit     = primitive(np.signbit,       says="Where x is negative, -0.0 included (torch.signbit).")
# fmt: on
