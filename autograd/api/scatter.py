"""Gathering and scattering: elements and slices at positions along a dim, taken, put there, added, or reduced."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..engine.tensor import wrap
from ..errors import ArgumentError, DimError, DtypeError, ShapeError, describe
from ..ops.elementwise import choose, divide, floor_divide, maximum, multiply
from ..ops.index import grid
from .common import one_dim
from .index import check_index, check_like, check_scalar

Index = tuple[Any, ...]


# ---------------------------------------------------------------- what the arguments must be
# To all of these a 0-d tensor is a vector of one element, as in PyTorch; the result has the dims that it should have again.
def _vector(x: Any) -> Any:
    return x if x.ndim else np.reshape(x, (1,))


def _as(out: Any, like: Any) -> Any:
    return out if out.ndim == like.ndim else np.reshape(out, like.shape)


def _same_dims(op: str, input: Any, index: Any) -> None:
    if index.ndim != input.ndim:
        raise DimError(f"{op}: index has {index.ndim} dims, but input has {input.ndim}")


def _along(op: str, input: Any, dim: int, index: Any) -> tuple[Any, Any, int]:
    """`input`, `index` and the axis along which that holds positions; it is nowhere else longer than `input`."""
    axis, input = one_dim(op, dim, input.ndim), _vector(input)
    check_index(op, index, input.shape[axis])
    index = _vector(index)
    _same_dims(op, input, index)
    if any(m > n for d, (m, n) in enumerate(zip(index.shape, input.shape, strict=True)) if d != axis):
        raise ShapeError(f"{op}: index {index.shape} is longer than input {input.shape} in a dim other than {axis}")
    return input, index, axis


def _source(op: str, input: Any, index: Any, src: Any) -> Any:
    """As much of `src` as there are positions in `index`."""
    if not hasattr(src, "dtype"):
        raise DtypeError(f"{op}: src must be a tensor, not {describe(src)}")
    check_like(op, input, src=src)
    src = _vector(src)
    if src.shape == index.shape:
        return src
    if src.ndim != index.ndim or any(n < m for n, m in zip(src.shape, index.shape, strict=True)):
        raise ShapeError(f"{op}: src {src.shape} has no element for each position in index {index.shape}")
    return src[tuple(slice(n) for n in index.shape)]


# ---------------------------------------------------------------- positions along a dim, one for each element
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on (torch.gather).

    Shape: that of `index`, which has as many dims as `input` and is nowhere longer, except along `dim`.
    """
    return _as(ops.index.gather(*_along("gather", input, dim, index)), index)


def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """`input` with the elements of `src`, or a number, at the places `gather` would take them from (torch.scatter).

    Of several for one place the last stays, and has the gradient. `reduce` 'add' or 'multiply' takes them all.
    """
    src = value if src is None else src
    x, places, axis = _along("scatter", input, dim, index)
    if hasattr(src, "dtype"):
        src = _source("scatter", x, places, src)
    if reduce is None:
        return _as(ops.index.setitem(x, src, *grid(places, axis)), input)
    if reduce not in ("add", "multiply"):
        raise ArgumentError(f"scatter: reduce is 'add' or 'multiply', got {reduce!r}")
    if not hasattr(src, "dtype"):
        src = wrap(np.full_like(getattr(input, "array", input), src, shape=places.shape))
    return scatter_reduce(input, dim, index, src, "sum" if reduce == "add" else "prod")


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """`input` with the elements of `src` added at the places `gather` would take them from (torch.scatter_add)."""
    x, index, axis = _along("scatter_add", input, dim, index)
    return _as(x + ops.index.ungather(_source("scatter_add", x, index, src), index, axis, x.shape), input)


def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """The 'sum', 'prod', 'mean', 'amax' or 'amin' of what `scatter` puts at one place (torch.scatter_reduce).

    `include_self` counts what `input` has there as well; where nothing is put `input` stays. Ties for an extreme share
    the gradient equally.

    >>> import autograd
    >>> x, index = autograd.tensor([1.0, 2.0, 3.0]), autograd.tensor([0, 0, 1])
    >>> autograd.zeros(3).scatter_reduce(0, index, x, "mean", include_self=False)
    tensor([1.5000, 3.0000, 0.0000])
    """
    x, index, axis = _along("scatter_reduce", input, dim, index)
    return _as(_scatter_reduce(x, axis, index, _source("scatter_reduce", x, index, src), reduce, include_self), input)


def _scatter_reduce(input: Any, axis: int, index: Any, src: Any, reduce: str, include_self: bool) -> Any:
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(f"scatter_reduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', got {reduce!r}")
    if not include_self:
        neutral = {"sum": 0, "mean": 0, "prod": 1}.get(reduce)
        neutral = _limit(input.dtype, low=reduce == "amax") if neutral is None else neutral
        input = ops.index.setitem(input, neutral, *grid(index, axis))
    if reduce == "prod":
        return multiply(input, _products(input, index, axis, src))
    if reduce in ("amax", "amin"):
        return ops.index.scatter_extreme(input, src, index, axis, reduce == "amax")
    total = input + ops.index.ungather(src, index, axis, input.shape)
    if reduce == "sum":
        return total
    number = ops.index.ungather(np.ones_like(src), index, axis, input.shape)
    number = number + 1 if include_self else maximum(number, 1)
    return (divide if input.dtype.kind == "f" else floor_divide)(total, number)


def _limit(dtype: Any, low: bool) -> Any:
    """The least or the greatest number of a dtype."""
    if dtype.kind == "f":
        return -np.inf if low else np.inf
    return not low if dtype.kind == "b" else getattr(np.iinfo(dtype), "min" if low else "max")


def _products(input: Any, index: Any, axis: int, src: Any) -> Any:
    """The product of all that is put at each place of `input`, 1 where there is nothing.

    What is put at one place is brought together by sorting; then each element is multiplied by the one before it, by
    the one two before, four before, ..., as long as that is for the same place. So the last of each place has the
    product of all, by multiplications alone, whose gradients are right at any number of zeros, to any order.
    """
    places = np.arange(prod(input.shape), like=getattr(input, "array", input))
    to = np.reshape(ops.index.gather(wrap(np.reshape(places, input.shape)), index, axis), (-1,))
    order = ops.reduce.argsort(to, 0)
    to, x = ops.index.getindex(to, order), ops.index.getindex(np.reshape(src, (-1,)), order)
    step = 1
    while step < to.shape[0]:
        earlier = x[:-step]
        before = choose(to[step:] == to[:-step], earlier, np.ones_like(earlier))
        x, step = ops.join.concatenate(0, x[:step], multiply(before, x[step:])), 2 * step
    return np.reshape(ops.index.setitem(np.ones_like(np.reshape(input, (-1,))), x, to), input.shape)


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Elements of `input` at `indices` along `dim`, the other dims broadcast; without `dim`, of all (torch.take_along_dim)."""
    if dim is None:
        return ops.index.gather(np.reshape(input, (-1,)), np.reshape(indices, (-1,)), 0)
    axis = one_dim("take_along_dim", dim, input.ndim)
    _same_dims("take_along_dim", input, indices)
    rest = [v.shape[:axis] + v.shape[axis + 1 :] for v in (input, indices)]
    if rest[0] != rest[1]:
        both = np.broadcast_shapes(*rest)
        input, indices = (np.broadcast_to(v, (*both[:axis], v.shape[axis], *both[axis:])) for v in (input, indices))
    return ops.index.gather(input, indices, axis)


# ---------------------------------------------------------------- positions along a dim, one for each slice
def _slices(op: str, input: Any, dim: int, index: Any, least: int = 0) -> tuple[Any, Index]:
    """`input`, and the index of its slices along `dim` at the positions in `index`, a vector or a number."""
    axis, input = one_dim(op, dim, input.ndim), _vector(input)
    check_index(op, index, input.shape[axis], least * input.shape[axis])
    if index.ndim > 1:
        raise ShapeError(f"{op}: index must be a vector, got shape {index.shape}")
    return input, (*(slice(None),) * axis, np.reshape(index, (-1,)))


def _slices_of(op: str, input: Any, where: Index, source: Any) -> Any:
    """`source`, which meets the slices of `input` that `where` says."""
    check_like(op, input, source=source)
    axis, shape = len(where) - 1, list(input.shape)
    shape[axis] = where[-1].shape[0]
    source = _vector(source)
    if source.shape != tuple(shape):
        raise ShapeError(f"{op}: source must have shape {tuple(shape)}, that of the slices it meets, got {source.shape}")
    return source


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices of `input` along `dim` at the positions in `index`, a vector (torch.index_select)."""
    x, where = _slices("index_select", input, dim, index)
    return _as(ops.index.getindex(x, *where), input)


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """`input` with `alpha` times the slices of `source` added to those at the positions in `index` (torch.index_add)."""
    x, where = _slices("index_add", input, dim, index)
    source = _slices_of("index_add", x, where, source)
    if alpha != 1:
        source = multiply(source, input.dtype.type(alpha))  # which makes an integer of it among integers
    return _as(x + ops.index.unindex(source, x.shape, *where), input)


def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """`input` with the slices of `source` in the place of those at the positions in `index` (torch.index_copy)."""
    x, where = _slices("index_copy", input, dim, index)
    return _as(ops.index.setitem(x, _slices_of("index_copy", x, where, source), *where), input)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """`input` with `value` all over the slices at the positions in `index` (torch.index_fill)."""
    check_scalar("index_fill", value)
    x, where = _slices("index_fill", input, dim, index, least=-1)
    return _as(ops.index.setitem(x, value, *where), input)


def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """The 'prod', 'mean', 'amax' or 'amin' of the slices that `index_add` would add up (torch.index_reduce).

    >>> import autograd
    >>> autograd.zeros(2).index_reduce(0, autograd.tensor([1, 1]), autograd.tensor([3.0, 4.0]), "amax")
    tensor([0., 4.])
    """
    x, where = _slices("index_reduce", input, dim, index)
    source = _slices_of("index_reduce", x, where, source)
    axis = len(where) - 1
    places = np.broadcast_to(np.reshape(where[-1], (-1, *(1,) * (x.ndim - 1 - axis))), source.shape)
    return _as(_scatter_reduce(x, axis, places, source, reduce, include_self), input)
