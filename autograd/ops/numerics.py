"""Special functions that NumPy lacks: erf and erfc as Chebyshev series, sinc as a power series; the others are SciPy's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import cheb2poly
from numpy.polynomial.polynomial import polyval

from ..engine.graph import Array
from ..errors import MissingError
from .common import in_blocks

# Chebyshev coefficients from 40-digit arithmetic: of erf(x) / x in 8 x^2 - 1 for |x| <= 1/2, and of (x + 1) exp(x^2) erfc(x),
# which falls from 1 to 0.56, in the variable (x - 3) / (x + 3) that maps 0 to -1 and infinity to 1. With each goes how many of
# them single precision can see. They fall so fast that nothing is lost by summing powers, which takes half the steps.
# fmt: off
_NEAR = 5, (
    1.083882205490613, -0.04367779108737525, 0.0008071118294133213, -1.191317951927046e-05, 1.440278733630302e-07,
    -1.467715582316901e-09, 1.2902439604484931e-11, -9.963857180158892e-14, 6.857505850501839e-16,
)
_FAR = 12, (
    0.7537126744747984, -0.2241538079990932, 0.03331141869936043, 0.004729202203160197, -0.004667584028574755,
    0.001505458991859158, -0.00026627940185075776, 1.4873372028813446e-05, 4.608056130651457e-06, -9.676802292406137e-07,
    -4.580496022125077e-08, 3.403835840664566e-08, -2.5183402321363754e-10, -1.1966477481246857e-09, 3.164433134105992e-11,
    4.632116431522466e-11, -8.079023772841502e-13, -1.962398338112284e-12, -3.400898553104142e-14, 8.654949127746541e-14,
    6.547147159229033e-15, -3.6838636129200996e-15, -6.061318726312009e-16, 1.3273121984901985e-16, 4.3939552352609764e-17,
)
# exp(x^2 / 2) times the tail of the normal distribution beyond x, from 0 to 15, as a quotient of two polynomials, the highest
# power first: within 7e-9. All numbers are positive, so single precision loses no digits in it.
_TAIL = (
    (0.39894655966605524, 3.9269188196914895, 17.671535507958655, 42.19629932169917, 48.028594253443735),
    (1.0, 9.843913294291228, 45.28213444688369, 115.8014819324506, 161.03518868838637, 96.05718790161939),
)
# fmt: on


def erf(x: Array) -> Array:
    """The error function 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x, within 4 units in the last place."""
    return _in_blocks(_erf, x)


def erfc(x: Array) -> Array:
    """1 - erf(x), without the cancellation for large x."""
    return _in_blocks(_erfc, x)


def ndtr(x: Array) -> Array:
    """The normal distribution function, of single precision; as exact as a rounding of `x` leaves it, in half the time of erfc."""
    return _in_blocks(_ndtr, x)


def _in_blocks(function: Callable[[Array], Array], x: Array) -> Array:
    return _like(x, in_blocks(function, _wide(x)))


def _erf(x: Array) -> Array:
    size = np.abs(x)
    small = size < 0.5
    return _near(x) * small + np.copysign(1 - _far(size), x) * ~small  # np.where takes ten times as long


def _erfc(x: Array) -> Array:
    side = np.sign(x)
    return (1 - side) + side * _far(np.abs(x))


def _ndtr(x: Array) -> Array:
    size = np.minimum(np.abs(x), 15)
    tail, below = (_horner(powers, size) for powers in _TAIL)
    tail /= below
    size *= size
    size *= -0.5
    tail *= np.exp(size)
    return np.abs((x > 0) - tail)


def _near(x: Array) -> Array:
    """erf of numbers from -1/2 to 1/2."""
    x = np.clip(x, -0.5, 0.5)
    return x * _series(_NEAR, 8 * x * x - 1)


def _far(x: Array) -> Array:
    """erfc of numbers from 0 on."""
    x = np.clip(x, 0, 30)  # beyond 28 it is 0 in every precision
    head = np.trunc(x * 16) / 16  # whose square is exact: exp would magnify the rounding of a large x * x
    return np.exp(-1.0 * head * head) * np.exp((head - x) * (head + x)) * _series(_FAR, (x - 3) / (x + 3)) / (x + 1)


def _series(coefficients: tuple[int, tuple[float, ...]], x: Array) -> Array:
    """The sum of a series, by as many terms as the precision of `x` can see."""
    single, terms = coefficients
    return _horner(_powers(terms if x.dtype == np.float64 else terms[:single]), x)


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    """A polynomial, the highest power first."""
    highest, second, *others = coefficients
    out = x + second if highest == 1 else x * highest + second
    for c in others:  # in place: no memory is taken
        out *= x
        out += c
    return out


@cache
def _powers(terms: tuple[float, ...]) -> list[float]:
    """A Chebyshev series as the coefficients of powers, the highest first."""
    powers: list[float] = cheb2poly(terms).tolist()
    return powers[::-1]


def _wide(x: Array) -> Array:
    """`x` in single precision at least."""
    return np.astype(x, np.result_type(x.dtype, np.float32), copy=False)


def _like(x: Array, result: Array) -> Array:
    """`result` in the precision of `x`."""
    return np.astype(result, x.dtype, copy=False) if x.dtype.kind == "f" else result


def sinc(x: Array, n: int = 0) -> Array:
    """The n-th derivative of sin(pi x) / (pi x), which is 1 at 0.

    With u = pi x and f = sin(u) / u, differentiating u f = sin(u) n times gives u f_n = sin_n(u) - n f_{n-1}. For small u that
    cancels; there the power series is summed.
    """
    u = np.pi * _wide(x)
    small = np.abs(u) < 2
    powers = range((n + 1) // 2, n // 2 + 14)
    terms = np.array([(-1) ** k / ((2 * k + 1) * math.factorial(2 * k - n)) for k in powers], u.dtype)
    near = polyval(np.minimum(u * u, 4), terms) * (u if n % 2 else 1)
    u = np.where(small, 2, u)
    sin, cos = np.sin(u), np.cos(u)
    far = sin / u
    for k in range(1, n + 1):
        far = ((sin, cos, -sin, -cos)[k % 4] - k * far) / u
    return _like(x, np.pi**n * np.where(small, near, far))


# ---------------------------------------------------------------- how the gamma distribution depends on its shape
# The logarithm y of a number of this distribution has the density q(y) = exp(a y - e^y) / gamma(a), its integral up to y is F. Each
# derivative of F by a is an integral of q times a polynomial in y - digamma(a). Divided by q(y) it has neither gamma nor underflow in
# it: e^y < 4 is where F's power series in e^y is short; elsewhere the smaller of the two tails is summed, by Gauss and Legendre, as
# far as it matters.
_TERMS, _NODES, _LEAST = 36, 32, 37.0  # exp(-37) is less than what double precision can see
_EDGE = math.log(4)


def gamma_slope(n: int, a: Array, y: Array) -> Array:
    """The n-th derivative, n > 0, by a of the chance that a number of the gamma distribution is below e^y, over that by y."""
    a, low, high = np.astype(a, np.float64), np.minimum(y, _EDGE, dtype=np.float64), np.maximum(y, _EDGE, dtype=np.float64)
    psi = [polygamma(m, a) for m in range(n)]
    x, term, later, series = np.exp(low), 1 / a, psi, 0.0
    for k in range(_TERMS):  # the same density, of a + k + 1
        later = [p + (-1) ** m * math.factorial(m) / (a + k) ** (m + 1) for m, p in enumerate(later)]
        series = series + term * bell(low, later)
        term = term * x / (a + k + 1)
    x, tail = np.exp(high), 0.0
    side = np.where(x < a, 1.0, -1.0)  # which tail: y - w with w > 0, or y + w
    falls = np.abs(a - x)  # the logarithm of q, at least by falls * w + x * w * w / 2, if side is 1 over 1 + w / 3
    lower = side > 0
    square, linear = (
        x + lower * falls * 2 / 3,
        2 * falls - lower * 2 * _LEAST / 3,
    )  # that it has fallen by _LEAST is a quadratic equation
    far = 4 * _LEAST / (linear + np.sqrt(linear * linear + 8 * _LEAST * square))
    for node, weight in zip(*_legendre(_NODES), strict=True):
        w = side * node * far
        tail = tail + weight * np.exp(-a * w - x * np.expm1(-w)) * bell(high - w, psi)
    return _like(y, np.where(np.less(y, _EDGE), series, side * far * tail))


def bell(y: Array, psi: list[Array]) -> Array:
    """The derivative of q(y) by a over q(y), of as many orders as derivatives of log(gamma) at a are given: a Bell polynomial."""
    cumulants, found = [y - psi[0], *[-p for p in psi[1:]]], [1.0]
    for n in range(len(psi)):
        found.append(sum(math.comb(n, k) * found[n - k] * cumulants[k] for k in range(n + 1)))
    return found[-1]


@cache
def _legendre(n: int) -> tuple[list[float], list[float]]:
    """Nodes and weights of the rule of Gauss and Legendre on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()


# ---------------------------------------------------------------- SciPy's
def _scipy(name: str, *args: Any) -> Array:
    try:
        from scipy import special
    except ImportError as error:
        raise MissingError(f"{name} is SciPy's, which is not installed; pip install 'chainrule[scipy]'") from error
    return _like(args[-1], getattr(special, name)(*args))


def erfinv(x: Array) -> Array:
    """The inverse of erf."""
    return _scipy("erfinv", x)


def lgamma(x: Array) -> Array:
    """The logarithm of the absolute value of the gamma function."""
    return _scipy("gammaln", x)


def polygamma(n: int, x: Array) -> Array:
    """The n-th derivative of digamma, which is that of lgamma: for n > 0 a Hurwitz zeta function."""
    return (-1) ** (n + 1) * math.factorial(n) * _scipy("zeta", n + 1, x) if n else _scipy("psi", x)


def gammainc(a: Array, x: Array) -> Array:
    """The regularized lower incomplete gamma function."""
    return _scipy("gammainc", a, x)


def iv(n: int, x: Array) -> Array:
    """The modified Bessel function of the first kind, of an integer order."""
    return _scipy("iv", n, x)


def erfcx(x: Array) -> Array:
    """exp(x**2) * erfc(x)."""
    return _scipy("erfcx", x)


def log_ndtr(x: Array) -> Array:
    """The logarithm of the normal distribution function."""
    return _scipy("log_ndtr", x)
