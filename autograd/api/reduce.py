"""Reductions: sums, means and spreads, extremes and where they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine.accumulate import count, single
from ..engine.dtypes import get_default_dtype
from ..engine.tensor import Tensor
from ..errors import DtypeError, ShapeError
from ..ops.common import contiguous
from ..ops.elementwise import maximum, minimum, multiply
from ..ops.reduce import Axis, root
from .common import Dims, ValuesIndices, one_dim, some_dims
from .elementwise import astype


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: Tensor
    max: Tensor


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


def sum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over `dim` (one, several, or all); booleans and integers give int64 (torch.sum).

    Shape: `input.shape` without `dim`, or with length 1 there if `keepdim`.

    >>> import autograd
    >>> autograd.sum(autograd.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    input = input if dtype is None else astype(input, np.dtype(dtype))
    return ops.reduce.sum(input, _axes("sum", dim, input.ndim), keepdim)


def mean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim` (one, several, or all); refuses integers (torch.mean)."""
    input = input if dtype is None else astype(input, np.dtype(dtype))
    _need_float("mean", input)
    return ops.reduce.mean(input, _axes("mean", dim, input.ndim), keepdim)


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


def nansum(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over `dim` of what is not NaN (torch.nansum).

    >>> import autograd
    >>> autograd.nansum(autograd.tensor([1.0, autograd.nan, 2.0]))
    tensor(3.)
    """
    return contiguous(sum(np.where(np.isnan(input), 0, input), dim, keepdim, dtype=dtype))


@single
def nanmean(input: Any, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim` of what is not NaN; NaN if nothing is left; refuses integers (torch.nanmean)."""
    _need_float("nanmean", input)
    return contiguous(nansum(input, dim, keepdim, dtype=dtype) / sum(~np.isnan(input), dim, keepdim))


def count_nonzero(input: Any, dim: Dims = None) -> Any:
    """How many elements over `dim` are not 0 (torch.count_nonzero)."""
    return contiguous(sum(input != 0, dim))


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
    return spread


var = _spread("var", ops.reduce.var, "The variance over `dim`")
std = _spread("std", single(lambda x, *how: root(ops.reduce.var(x, *how))), "The standard deviation over `dim`")
var_mean = _spread(
    "var_mean", lambda x, *how: (ops.reduce.var(x, *how), ops.reduce.mean(x, *how[:2])), "The variance and the mean over `dim`"
)
std_mean = _spread(
    "std_mean",
    single(lambda x, *how: (root(ops.reduce.var(x, *how)), ops.reduce.mean(x, *how[:2]))),
    "The standard deviation and the mean over `dim`",
)


# ---------------------------------------------------------------- extremes, and where they are
def amax(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The largest value over `dim`; ties share the gradient equally (torch.amax)."""
    axis = _axes("amax", dim, input.ndim)
    _need_elements("amax", input, axis)
    return ops.reduce.amax(input, axis, keepdim)


def amin(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """The smallest value over `dim`; ties share the gradient equally (torch.amin)."""
    axis = _axes("amin", dim, input.ndim)
    _need_elements("amin", input, axis)
    return ops.reduce.amin(input, axis, keepdim)


def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """`amin` and `amax` over `dim`, or of all elements (torch.aminmax).

    >>> import autograd
    >>> autograd.aminmax(autograd.tensor([3, 1, 2]))
    MinMax(min=tensor(1), max=tensor(3))
    """
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def picked(input: Any, indices: Any, axis: int, keepdim: bool) -> ValuesIndices:
    """The elements at `indices`, which hold one position along `axis`: gradients go to just those."""
    found: list[Any] = [np.take_along_axis(input, indices, axis), indices]
    return ValuesIndices(*(found if keepdim else [np.squeeze(v, axis) for v in found]))


def _extreme(name: str, whole: Any, where: Any, between: Any) -> Any:
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


max = _extreme("max", lambda x: amax(x), ops.reduce.argmax, maximum)
min = _extreme("min", lambda x: amin(x), ops.reduce.argmin, minimum)
argmax, argmin = _where("argmax", ops.reduce.argmax), _where("argmin", ops.reduce.argmin)


def all(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Are all elements over `dim` true; uint8 gives uint8 (torch.all)?"""
    return _truth(ops.reduce.all(input, some_dims("all", dim, input.ndim), keepdim), input)


def any(input: Any, dim: Dims = None, keepdim: bool = False) -> Any:
    """Is any element over `dim` true; uint8 gives uint8 (torch.any)?"""
    return _truth(ops.reduce.any(input, some_dims("any", dim, input.ndim), keepdim), input)


def _truth(found: Any, input: Any) -> Any:
    return astype(found, np.uint8) if input.dtype == np.uint8 else found  # as PyTorch, to which bytes were booleans once


def logsumexp(input: Any, dim: Dims, keepdim: bool = False) -> Any:
    """log(sum(exp(input))) over `dim`, without overflow (torch.logsumexp)."""
    input = input if input.dtype.kind == "f" else astype(input, get_default_dtype())
    return ops.reduce.logsumexp(input, _axes("logsumexp", dim, input.ndim), keepdim)
