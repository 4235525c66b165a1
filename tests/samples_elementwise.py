"""The records of the elementwise ops beyond arithmetic, and of what fills in place, which samples.py takes in."""

import functools
import math

import numpy as np
from samples import HOST, NO_JUMP, SHARE, UNIT, WHOLES, Sample, in_place, odd_ones, random, seeded
from scipy import special
from strategies import NONZERO, POSITIVE, REAL, WHOLE, Domain, call, each

from autograd import special as public
from autograd.engine.primitive import PRIMITIVES
from autograd.ops import elementwise

BITS, SHIFT, BEYOND = Domain(0, 9, kind="i"), Domain(0, 3, kind="i"), Domain(1.1, 3)
BETWEEN_POWERS = Domain(-3, 3, (-2, -1, -0.5, 0, 0.5, 1, 2))
DISTANT = {
    "NaN": "PyTorch's gradient is NaN at points, of 0 or of infinity, where here it is the limit or 0; test_elementwise.py checks them"
}
WIDE = {"dtype": "float64 comes out, as of PyTorch's"}
ANY_INTEGERS = {"dtypes": "PyTorch refuses integers"}


def nth(make, orders):
    """A call with an order before the arrays."""
    return lambda s: call(s.pick(*orders), *make(s).args)


def scaled(*domains):
    """The calls of addcmul and addcdiv, where the arrays come first and `value` by name."""
    return lambda s: call(
        *[s.array(s.stretchable((2, 3)) if i else (2, 3), d) for i, d in enumerate(domains)], **s.some({"value": [2, 0.5]})
    )


def sinc(x, n=0):
    """By Gauss and Legendre: the integral from 0 to 1 of the n-th derivative of cos(pi t x)."""
    t, w = np.polynomial.legendre.leggauss(40)
    t, w = (t + 1) / 2, w / 2
    return np.sum(w * (np.pi * t) ** n * np.cos(np.pi * t * x[..., None] + n * np.pi / 2), -1)


@functools.partial(np.vectorize, otypes=[float])
def gamma_slope(n, a, y):
    """By Gauss and Legendre, on 60 panels from y down to where nothing is left: the integral that defines the distribution."""
    w, weight = np.polynomial.legendre.leggauss(20)
    panels, width = np.arange(60)[:, None], 0.7 / a
    t = y - width * (panels + (w + 1) / 2)
    away = t - special.psi(a)
    slope = away if n == 1 else away**2 - special.polygamma(1, a)
    return np.sum(width / 2 * weight * slope * np.exp(a * (t - y) - np.exp(t) + np.exp(y)))


def ranks(sizes):
    """Ranks of random numbers, from 0 to 1."""
    return (np.arange(np.prod(sizes, dtype=int)).reshape(sizes) * 0.61803 + 0.2) % 0.9 + 0.05


class Ranked:
    """A generator whose gamma numbers keep their ranks where their shape changes, so that differences see how they move."""

    numpy = property(lambda self: self)

    def standard_gamma(self, shape, sizes, dtype):
        return special.gammaincinv(np.broadcast_to(shape - 1, sizes), ranks(sizes)).astype(dtype)

    def standard_exponential(self, sizes, dtype):
        return np.zeros(sizes, dtype)


def whole_pairs(s):
    return call(*(s.array(s.stretchable((2, 3)), WHOLE) for _ in range(2)))


def with_diagonal(x, value, wrap=False):
    x = x.copy()
    np.fill_diagonal(x, value, wrap)
    return x


# fmt: off
SAMPLES = [
    # ---- arithmetic
    Sample("fmod", each(*NO_JUMP)),
    Sample("float_power", each(POSITIVE, REAL), exempt=WIDE),
    Sample("hypot", each(REAL, NONZERO), exempt=DISTANT),
    Sample("copysign", each(NONZERO, NONZERO), exempt=DISTANT),
    Sample("rsub", each(REAL, REAL, alpha=[2, 0.5]), lambda x, y, alpha=1: y - alpha * x),
    Sample("addcmul", scaled(REAL, REAL, REAL), lambda x, a, b, value=1: x + value * a * b, exempt={"dtypes": "a value of 0.5 makes integers of integers in PyTorch, floats here"}),
    Sample("addcdiv", scaled(REAL, REAL, NONZERO), lambda x, a, b, value=1: x + value * a / b),
    Sample("lerp", each(REAL, REAL, SHARE), lambda x, end, weight: x + weight * (end - x), exempt=DISTANT | ANY_INTEGERS),
    Sample("deg2rad", each(Domain(-200, 200))),
    Sample("rad2deg", each(REAL)),
    # ---- exponentials and trigonometry
    Sample("exp2", each(REAL)),
    Sample("log2", each(POSITIVE)),
    Sample("log10", each(POSITIVE)),
    Sample("logaddexp", each(REAL, REAL), exempt=DISTANT),
    Sample("logaddexp2", each(REAL, REAL), exempt=DISTANT),
    Sample("arctan2", each(NONZERO, REAL), exempt=DISTANT),
    Sample("arcsinh", each(REAL)),
    Sample("arccosh", each(BEYOND)),
    Sample("arctanh", each(UNIT)),
    # ---- special functions
    Sample("logit", each(SHARE, eps=[1e-3]), lambda x, eps=None: np.log(x / (1 - x)), exempt={"NaN": "at -0.0 PyTorch has one gradient for some numbers and another for many"}),
    Sample("erfc", each(Domain(-3, 6)), np.vectorize(math.erfc, otypes=[float])),
    Sample("erfinv", each(UNIT), special.erfinv),
    Sample("lgamma", each(Domain(-1.8, 3, (-1, 0))), special.gammaln, exempt={"NaN": "SciPy's of -inf is -inf, PyTorch's inf"}),
    # the domains of these two are where PyTorch's trigamma is right to 1e-10, and orders that do not use it
    Sample("digamma", each(Domain(-1.8, 0.25, (-1, 0), 0.2)), special.digamma, exempt={"NaN": "PyTorch's trigamma is a large number at its poles"}),
    Sample("polygamma", nth(each(POSITIVE), (2, 3)), special.polygamma),
    Sample("i0", each(REAL), np.i0),
    Sample("iv", nth(each(REAL), (0, 1, 2)), special.iv),
    Sample("erfcx", each(Domain(-3, 9)), special.erfcx),
    Sample("log_ndtr", each(Domain(-30, 6)), special.log_ndtr, exempt={"NaN": "PyTorch's gradient at -inf is NaN, here it is infinite"}),
    Sample("sinc", each(REAL), sinc, exempt={"NaN": "PyTorch's gradient near 0 is rounding error"}),
    Sample("sinc of an order", lambda s: call(s.array(s.shape()), s.between(0, 2)), sinc, elementwise.sinc),  # beyond, the textbook formula loses digits
    Sample("xlogy", each(REAL, POSITIVE), special.xlogy, exempt=DISTANT),
    Sample("gammainc", each(POSITIVE, Domain(0.2, 4), numbers=False), special.gammainc),
    Sample("gamma_slope", nth(each(Domain(0.2, 5), Domain(-3, 1), numbers=False), (1, 2)), gamma_slope),
    Sample("entr", each(POSITIVE), special.entr, public.entr, exempt=DISTANT),
    Sample("ndtr", each(Domain(-6, 6)), special.ndtr, exempt=DISTANT),
    Sample("ndtri", each(SHARE), special.ndtri, public.ndtri, exempt=DISTANT),
    Sample("xlog1py", each(NONZERO, Domain(-0.7, 2), numbers=False), special.xlog1py, public.xlog1py, exempt=DISTANT),
    # ---- choosing, and steps
    Sample("fmax", each(REAL, REAL)),
    Sample("fmin", each(REAL, REAL)),
    Sample("nan_to_num", each(REAL, nan=[1.5], posinf=[3.0], neginf=[-4.0]), lambda x, **k: np.nan_to_num(x, **k)),
    Sample("np.nan_to_num", each(REAL), np.nan_to_num, np.nan_to_num),
    Sample("heaviside", each(NONZERO, REAL)),
    Sample("frac", each(Domain(-3, 3, WHOLES)), lambda x: x - np.trunc(x), exempt=ANY_INTEGERS),
    Sample("frexp", lambda s: call(s.array(s.shape(), BETWEEN_POWERS)), np.frexp, exempt=ANY_INTEGERS),
    Sample("mantissa", each(BETWEEN_POWERS), lambda x: np.frexp(x)[0]),
    Sample("exponent", each(REAL), lambda x: np.frexp(x)[1], smooth=False),
    Sample("ldexp", each(REAL, Domain(-3, 3)), lambda x, y: x * 2.0**y, exempt=DISTANT),
    Sample("gcd", whole_pairs, smooth=False),
    Sample("lcm", whole_pairs, smooth=False),
    Sample("nextafter", each(REAL, REAL, numbers=False), smooth=False, exempt=ANY_INTEGERS),
    Sample("isposinf", odd_ones, lambda x: x == np.inf, smooth=False),
    Sample("isneginf", odd_ones, lambda x: x == -np.inf, smooth=False),
    Sample("signbit", odd_ones, smooth=False),
    *[Sample(f"bitwise_{name}_shift", lambda s: each(BITS, SHIFT)(s), getattr(np, f"{name}_shift"), smooth=False) for name in ("left", "right")],
    # ---- random numbers of distributions
    Sample("log_gamma", lambda s: call(s.array(shape := s.shape(), Domain(0.3, 4)), shape, s.dtype), lambda a, sizes, dtype: np.log(special.gammaincinv(a, ranks(sizes))), lambda *args: PRIMITIVES["log_gamma"](Ranked(), *args), exempt=HOST),
    Sample("poisson", lambda s: call(s.array(shape := s.shape(), POSITIVE), shape, s.dtype), lambda rate, sizes, dtype: random().poisson(rate, sizes), seeded("poisson"), False, HOST),
    Sample("binomial", lambda s: call(4, s.array(shape := s.shape(), SHARE), shape, s.dtype), lambda n, p, sizes, dtype: random().binomial(n, p, sizes), seeded("binomial"), False, HOST),
    # ---- what fills in place
    Sample("exponential", lambda s: call(2, s.shape(), s.dtype), lambda rate, sizes, dtype: random().standard_exponential(sizes, dtype) / rate, seeded("exponential"), False, HOST),
    Sample("fill_diagonal_", lambda s: call(s.array(s.pick((2, 3), (3, 2), (5, 2), (2, 2, 2), (0, 2))), 1.5, s.pick(True, False)), with_diagonal, in_place("fill_diagonal_")),
]
# fmt: on
