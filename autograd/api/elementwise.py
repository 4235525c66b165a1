"""Elementwise ops: arithmetic, comparison, exponentials, trigonometry, and choosing between values."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine.accumulate import single
from ..engine.dtypes import as_dtype, float64, number, result_type
from ..engine.primitive import as_array
from ..engine.tensor import Tensor, wrap
from ..engine.warn import seen
from ..errors import ArgumentError, DtypeError
from ..ops.elementwise import (
    choose,
    clip_max,
    clip_min,
    divide,
    floor_divide,
    fmod,
    iv,
    multiply,
    power,
    rint,
    trunc,
)


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


add, subtract = _scaled("add", ops.elementwise.add), _scaled("sub", ops.elementwise.subtract)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """`other - alpha * input` (torch.rsub)."""
    return subtract(other, input, alpha=alpha)


@single
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value * tensor1 * tensor2` (torch.addcmul)."""
    return add(input, multiply(tensor1, tensor2), alpha=value)


@single
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """`input + value * tensor1 / tensor2` (torch.addcdiv)."""
    return add(input, divide(tensor1, tensor2), alpha=value)


@single
def lerp(input: Any, end: Any, weight: Any) -> Any:
    """From `input` to `end`, a share `weight` of the way: exactly `input` at 0 and `end` at 1 (torch.lerp).

    >>> import autograd
    >>> autograd.lerp(autograd.tensor([0.0, 10.0]), autograd.tensor([4.0, 20.0]), 0.25)
    tensor([ 1.0000, 12.5000])
    """
    return ops.elementwise.add(multiply(input, 1 - weight), multiply(end, weight))


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


def astype(input: Any, dtype: Any) -> Any:
    """`input` in another dtype; integers and booleans have no gradient, so a cast to them leaves the graph."""
    dtype = as_dtype(dtype)
    return ops.elementwise.astype(input.detach() if isinstance(input, Tensor) and dtype.kind != "f" else input, dtype)


def pow(input: Any, exponent: Any) -> Any:
    """`input ** exponent` (torch.pow). The derivative with respect to the exponent is 0 where `input` is 0.

    >>> import autograd
    >>> autograd.pow(autograd.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor) and not hasattr(input, "dtype"):
        input, exponent = _typed(number("pow", "input", input), exponent)  # its logarithm is to have the right dtype
    return power(input, exponent)


def float_power(input: Any, exponent: Any) -> Any:
    """`input ** exponent`, computed in float64 whatever the dtypes (torch.float_power)."""
    return pow(*(astype(v, float64) if hasattr(v, "dtype") else v for v in (input, exponent)))


def deg2rad(input: Any) -> Any:
    """Degrees as radians (torch.deg2rad)."""
    return multiply(input, math.pi / 180)


def rad2deg(input: Any) -> Any:
    """Radians as degrees (torch.rad2deg)."""
    return multiply(input, 180 / math.pi)


def frac(input: Any) -> Any:
    """What is behind the decimal point, with the sign of `input` (torch.frac)."""
    return subtract(input, trunc(input))


class Frexp(NamedTuple):
    """What `frexp` returns."""

    mantissa: Tensor
    exponent: Tensor


def frexp(input: Any) -> Frexp:
    """`input` as mantissa * 2**exponent, the mantissa from 0.5 up to 1, or 0, the exponent int32 (torch.frexp).

    >>> import autograd
    >>> autograd.frexp(autograd.tensor([3.0, -0.25]))
    Frexp(mantissa=tensor([ 0.7500, -0.5000]), exponent=tensor([ 2, -1], dtype=int32))
    """
    if input.dtype.kind != "f":
        raise DtypeError(f"frexp needs a floating-point tensor, not {input.dtype}; use float() first")
    return Frexp(ops.elementwise.mantissa(input), ops.elementwise.exponent(input))


def ldexp(input: Any, other: Any) -> Any:
    """`input * 2**other`; the inverse of `frexp` (torch.ldexp)."""
    return multiply(input, pow(2.0, other))


def isposinf(input: Any) -> Any:
    """Where `input` is +inf (torch.isposinf)."""
    return ops.elementwise.eq(input, math.inf)


def isneginf(input: Any) -> Any:
    """Where `input` is -inf (torch.isneginf)."""
    return ops.elementwise.eq(input, -math.inf)


def logit(input: Any, eps: float | None = None) -> Any:
    """The inverse of sigmoid, log(input / (1 - input)), of `input` limited to [eps, 1 - eps] if that is given (torch.logit)."""
    return ops.elementwise.logit(input if eps is None else clamp(input, eps, 1 - eps))


def sinc(input: Any) -> Any:
    """sin(pi * input) / (pi * input), and 1 at 0, with exact derivatives of every order there too (torch.sinc)."""
    return ops.elementwise.sinc(input)


def digamma(input: Any) -> Any:
    """The derivative of `lgamma`. Needs SciPy (torch.digamma)."""
    return ops.elementwise.polygamma(0, input)


def polygamma(n: int, input: Any) -> Any:
    """The n-th derivative of `digamma`. Needs SciPy (torch.polygamma)."""
    if not hasattr(n, "__index__") or n < 0:
        raise ArgumentError(f"polygamma: n is an integer, not negative, got {n!r}")
    return ops.elementwise.polygamma(n, input)


def i0(input: Any) -> Any:
    """The modified Bessel function of the first kind and order 0; its derivative is that of order 1. Needs SciPy (torch.i0).

    >>> import autograd
    >>> autograd.i0(autograd.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return iv(0, input)


def xlogy(input: Any, other: Any) -> Any:
    """`input * log(other)`, and 0 where `input` is 0, unless `other` is NaN (torch.xlogy)."""
    return ops.elementwise.xlogy(*_typed(input, other))


def heaviside(input: Any, values: Any) -> Any:
    """0 where `input` is negative or NaN, 1 where it is positive, `values` where it is 0 (torch.heaviside)."""
    return ops.elementwise.heaviside(*_typed(input, values))


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` holds, else `other` (torch.where). With the condition alone: the indices where it holds.

    The branch that is not taken gets gradient 0, whatever it would have been.

    >>> import autograd
    >>> x = autograd.tensor([0.0, 4.0], requires_grad=True)
    >>> autograd.where(x > 0, x.sqrt(), 0.0).sum().backward(); x.grad
    tensor([0.0000, 0.2500])
    """
    if input is None and other is None:
        seen("where without values")
        found = np.nonzero(getattr(condition, "array", condition))
        return tuple(wrap(i) for i in found) if isinstance(condition, Tensor) else found
    if not isinstance(input, Tensor) and not isinstance(other, Tensor) and isinstance(condition, Tensor):
        both = result_type(input, other)  # two plain numbers get PyTorch's dtype for such, not NumPy's
        input, other = np.asarray(input, both), np.asarray(other, both)
    return choose(condition, input, other)


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


def round(input: Any, decimals: int = 0) -> Any:
    """To the nearest integer (or decimal), halves to even; the derivative is 0 (torch.round)."""
    return rint(input, decimals)


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where |input - other| <= atol + rtol * |other| (torch.isclose)."""
    seen("isclose")
    a, b = (getattr(v, "array", v) for v in (input, other))
    return wrap(as_array(np.isclose(a, b, rtol, atol, equal_nan)))


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Is |input - other| <= atol + rtol * |other| everywhere (torch.allclose)?"""
    return bool(np.all(isclose(input, other, rtol, atol, equal_nan).array))


def equal(input: Any, other: Any) -> bool:
    """Have the two the same shape and elements (torch.equal)?"""
    seen("equal")
    return bool(np.array_equal(input.array, other.array))
