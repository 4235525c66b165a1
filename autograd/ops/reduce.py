"""Reductions: sums, means and spreads, extremes and where they are."""

from __future__ import annotations

import builtins
from typing import Any, NamedTuple

import numpy as np

from ..engine.accumulate import count, single, total
from ..engine.dtypes import get_default_dtype
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..engine.tensor import Tensor
from ..errors import DtypeError, ShapeError
from .common import Dims, ValuesIndices, contiguous, one_dim, public, some_dims
from .elementwise import astype, maximum, minimum, multiply

Axis = tuple[int, ...]


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: Any
    max: Any


# ---------------------------------------------------------------- the table
def keep(g: Array, axis: Axis, keepdims: bool) -> Array:
    """Put back, with length 1, the axes that a reduction removed; the first ones broadcasting puts back by itself."""
    return g if keepdims or builtins.max(axis, default=-1) < len(axis) else np.expand_dims(g, axis)


def ties(x: Array, out: Array, axis: Axis | None, keepdims: bool) -> Array:
    """How much of each element went into the one that was picked: equal shares among the tied, as NaNs are too."""
    top = out if axis is None else keep(out, axis, keepdims)
    mask = np.astype((x == top) | np.isnan(x) & np.isnan(top), x.dtype)
    return mask / total(mask, tuple(range(x.ndim)) if axis is None else axis, True)


def _sum(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return total(x, axis, keepdims) if x.dtype.kind == "f" else np.sum(x, axis=axis, keepdims=keepdims, dtype=np.int64)


def _mean(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return total(x, axis, keepdims) / count(x.shape, axis)


def _var(x: Array, axis: Axis, keepdims: bool, correction: float) -> Array:
    away = x - _mean(x, axis, True)
    return total(away * away, axis, keepdims) / freedom(x.shape, axis, correction)


def _amax(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return np.max(x, axis=axis, keepdims=keepdims)


def _amin(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return np.min(x, axis=axis, keepdims=keepdims)


def _logsumexp(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)  # a row of -inf stays one
    sums = total(np.exp(x - top), axis, True)
    with np.errstate(divide="ignore"):
        out = np.log(sums) + top
    return out if keepdims else np.squeeze(out, axis)


def share(x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    """How much of exp(out) each exp(x) is: infinities share equally, and of nothing but -inf none has a share."""
    out = keep(out, axis, keepdims)
    if type(out) is np.ndarray and np.all(np.isfinite(out)):  # np.where takes longer than all else
        return np.exp(x - out)
    most = np.astype((x == out) & (out == np.inf), x.dtype)
    return np.where(np.isinf(out), most / np.maximum(total(most, axis, True), 1), np.exp(x - out))


def _argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmax(x, axis=axis, keepdims=keepdims)


def _argmin(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmin(x, axis=axis, keepdims=keepdims)


def freedom(shape: tuple[int, ...], axis: Axis, correction: float) -> float:
    """What the squared deviations over `axis` are divided by."""
    return builtins.max(0, count(shape, axis) - correction)


# fmt: off
sum_       = primitive(_sum, "sum",     x=lambda g, x_shape, axis, keepdims: np.broadcast_to(keep(g, axis, keepdims), x_shape))
mean_      = primitive(_mean, "mean",   x=lambda g, x_shape, axis, keepdims: np.broadcast_to(keep(g / count(x_shape, axis), axis, keepdims), x_shape))
var_       = primitive(_var, "var",     x=lambda g, x, x_shape, axis, keepdims, correction: keep(g * 2 / freedom(x_shape, axis, correction), axis, keepdims) * (x - mean_(x, axis, True)))
amax_      = primitive(_amax, "amax",   x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * ties(x, out, axis, keepdims))
amin_      = primitive(_amin, "amin",   x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * ties(x, out, axis, keepdims))
logsumexp_ = primitive(_logsumexp, "logsumexp", x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * share(x, out, axis, keepdims))
root       = primitive(np.sqrt, "root", x=lambda g, out: g * 0.5 / (out + (out == 0)) * (out != 0), singular=True)  # sqrt, with the subgradient 0 at 0
argmax_    = primitive(_argmax, "argmax")
argmin_    = primitive(_argmin, "argmin")
argsort_   = primitive(lambda x, axis: np.reshape(np.argsort(x, axis=axis, kind="stable"), np.shape(x)), "argsort")  # NumPy makes 0-d arrays 1-d
all_       = primitive(lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims), "all")
any_       = primitive(lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims), "any")
# fmt: on


# ---------------------------------------------------------------- PyTorch's names and options
def _axes(op: str, dim: Dims, ndim: int) -> Axis:
    """`dim` as axes; none at all means all of them, as in PyTorch."""
    return some_dims(op, None if isinstance(dim, (tuple, list)) and not dim else dim, ndim)


def _need_elements(op: str, input: Any, axis: Axis) -> None:
    if not count(input.shape, axis):
        raise ShapeError(f"{op} of no elements does not exist; the tensor has shape {input.shape}")


def _need_float(op: str, input: Any) -> None:
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point tensor, not {input.dtype}; use float() first")


@public(np.sum)
def sum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over `dim` (one, several, or all); booleans and integers give int64 (torch.sum).

    Shape: `input.shape` without `dim`, or with length 1 there if `keepdim`.

    >>> import autograd
    >>> autograd.sum(autograd.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    input = input if dtype is None else astype(input, np.dtype(dtype))
    return sum_(input, _axes("sum", dim, input.ndim), keepdim)


@public(np.mean)
def mean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim` (one, several, or all); refuses integers (torch.mean)."""
    input = input if dtype is None else astype(input, np.dtype(dtype))
    _need_float("mean", input)
    return mean_(input, _axes("mean", dim, input.ndim), keepdim)


@public(np.prod)
@single
def prod(input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product over `dim`, or of all elements (torch.prod).

    A tournament: neighbours are multiplied until one is left. So the gradient is right at any number of zeros, to any
    order, by the rule for a product of two.

    >>> import autograd
    >>> x = autograd.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward(); x.grad
    tensor([0., 6., 0.])
    """
    input = astype(input, np.dtype(dtype or (input.dtype if input.dtype.kind == "f" else np.int64)))
    axis = 0 if dim is None else one_dim("prod", dim, input.ndim)
    shape = input.shape
    x: Any = np.reshape(input, (-1,)) if dim is None or not shape else input
    lead = (slice(None),) * axis
    if not x.shape[axis]:
        return sum(input, dim, keepdim) + 1
    while (n := x.shape[axis]) > 1:
        half = n // 2
        pairs = multiply(x[(*lead, slice(0, half))], x[(*lead, slice(half, 2 * half))])
        x = np.concatenate([pairs, x[(*lead, slice(2 * half, n))]], axis) if n % 2 else pairs
    if keepdim:
        return np.reshape(x, (1,) * len(shape)) if dim is None or not shape else x
    return x[(*lead, 0)]


@public(np.nansum)
def nansum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over `dim` of what is not NaN (torch.nansum).

    >>> import autograd
    >>> autograd.nansum(autograd.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    return contiguous(sum(np.where(np.isnan(input), 0, input), dim, keepdim, dtype=dtype))


@public(np.nanmean)
@single
def nanmean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim` of what is not NaN; NaN if nothing is left; refuses integers (torch.nanmean)."""
    _need_float("nanmean", input)
    return contiguous(nansum(input, dim, keepdim, dtype=dtype) / sum(~np.isnan(input), dim, keepdim))


@public(np.count_nonzero)
def count_nonzero(input: Any, dim: Dims = None) -> Any:
    """How many elements over `dim` are not 0 (torch.count_nonzero)."""
    return contiguous(sum(input != 0, dim))


@public()
def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix; integers give int64 (torch.trace)."""
    if input.ndim != 2:
        raise ShapeError(f"trace needs a matrix, got shape {input.shape}")
    return sum(np.diagonal(input))


# ---------------------------------------------------------------- spreads
def _spread(name: str, make: Any, about: str) -> Any:
    def spread(
        input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
    ) -> Any:
        _need_float(name, input)
        if isinstance(dim, bool):  # var(False) is PyTorch's short form of var(unbiased=False)
            dim, unbiased = None, dim
        less = 1 if correction is None else correction
        return make(input, _axes(name, dim, input.ndim), keepdim, less if unbiased is None else int(unbiased))

    spread.__name__ = spread.__qualname__ = name
    spread.__doc__ = f"""{about} (torch.{name}).

    The variance is the sum of the squared deviations over their number less `correction`, 1 if left out; `unbiased` says
    whether it is 1 or 0. The standard deviation is its root, and has the gradient 0 at a constant.
    """
    return public()(spread)


var = _spread("var", var_, "The variance over `dim`")
std = _spread("std", single(lambda x, *how: root(var_(x, *how))), "The standard deviation over `dim`")
var_mean = _spread("var_mean", lambda x, *how: (var_(x, *how), mean_(x, *how[:2])), "The variance and the mean over `dim`")
std_mean = _spread(
    "std_mean",
    single(lambda x, *how: (root(var_(x, *how)), mean_(x, *how[:2]))),
    "The standard deviation and the mean over `dim`",
)


# ---------------------------------------------------------------- extremes, and where they are
@public(np.max, np.amax)
def amax(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The largest value over `dim`; ties share the gradient equally (torch.amax)."""
    axis = _axes("amax", dim, input.ndim)
    _need_elements("amax", input, axis)
    return amax_(input, axis, keepdim)


@public(np.min, np.amin)
def amin(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The smallest value over `dim`; ties share the gradient equally (torch.amin)."""
    axis = _axes("amin", dim, input.ndim)
    _need_elements("amin", input, axis)
    return amin_(input, axis, keepdim)


@public()
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """`amin` and `amax` over `dim`, or of all elements (torch.aminmax).

    >>> import autograd
    >>> autograd.aminmax(autograd.tensor([3, 1, 2]))
    MinMax(min=tensor(1), max=tensor(3))
    """
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def picked(input: Any, indices: Any, axis: int, keepdim: bool) -> ValuesIndices:
    """The elements at `indices`, which hold one position along `axis`: gradients go to just those."""
    values = np.take_along_axis(input, indices, axis)
    return ValuesIndices(values, indices) if keepdim else ValuesIndices(*(np.squeeze(v, axis) for v in (values, indices)))


def _extreme(name: str, whole: Any, where: Any, between: Any) -> Any:
    @public()
    def extreme(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Tensor) or other is not None:
            return between(input, dim if other is None else other)
        if dim is None:
            return whole(input)
        axis = one_dim(name, dim, input.ndim)
        _need_elements(name, input, (axis,) if input.ndim else ())
        return picked(input, where(input, axis, True), axis, keepdim)

    extreme.__name__ = extreme.__qualname__ = name
    extreme.__doc__ = f"""The {name} of all elements; over `dim`, with its indices; or of two tensors, elementwise (torch.{name}).

    Over `dim` the gradient goes to the element at the returned index; of all elements, ties share it.

    >>> import autograd
    >>> autograd.{name}(autograd.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1).indices
    tensor([{"1, 0" if name == "max" else "0, 1"}])
    """
    return extreme


def _where(name: str, op: Any) -> Any:
    def where(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        axis = None if dim is None else one_dim(name, dim, input.ndim)
        _need_elements(name, input, tuple(range(input.ndim)) if axis is None or not input.ndim else (axis,))
        return op(input, axis, keepdim)

    where.__name__ = where.__qualname__ = name
    where.__doc__ = (
        f"""The index of the {name[3:]}imum over `dim`, or in the flattened tensor; the first if tied (torch.{name})."""
    )
    return where


max = _extreme("max", lambda x: amax(x), argmax_, maximum)
min = _extreme("min", lambda x: amin(x), argmin_, minimum)
argmax, argmin = public(np.argmax)(_where("argmax", argmax_)), public(np.argmin)(_where("argmin", argmin_))


@public(np.all)
def all(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Are all elements over `dim` true; uint8 gives uint8 (torch.all)?"""
    return _truth(all_(input, some_dims("all", dim, input.ndim), keepdim), input)


@public(np.any)
def any(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Is any element over `dim` true; uint8 gives uint8 (torch.any)?"""
    return _truth(any_(input, some_dims("any", dim, input.ndim), keepdim), input)


def _truth(found: Any, input: Any) -> Any:
    return astype(found, np.uint8) if input.dtype == np.uint8 else found  # as PyTorch, to which bytes were booleans once


@public()
def logsumexp(input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """log(sum(exp(input))) over `dim`, without overflow (torch.logsumexp)."""
    input = input if input.dtype.kind == "f" else astype(input, get_default_dtype())
    return logsumexp_(input, _axes("logsumexp", dim, input.ndim), keepdim)
