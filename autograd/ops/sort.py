"""Sorting and searching: elements in order, where they stand, and where others would stand among them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive
from ..engine.tensor import NUMPY, Tensor, wrap
from ..errors import ArgumentError, DtypeError, ShapeError
from .common import ValuesIndices, contiguous, one_dim, public
from .elementwise import astype
from .index import gather_
from .join import unbind_
from .reduce import argsort_
from .shape import reshape_


# ---------------------------------------------------------------- the table
def _searchsorted(x: Array, v: Array, side: Any) -> Array:
    if x.ndim == 1:
        return np.searchsorted(x, v, side)
    n = prod(v.shape[:-1])
    rows = zip(np.reshape(x, (n, x.shape[-1])), np.reshape(v, (n, v.shape[-1])), strict=True)
    found = [np.searchsorted(a, b, side) for a, b in rows]
    return np.reshape(np.stack(found), v.shape) if found else np.zeros_like(v, dtype=np.int64)


# fmt: off
argwhere_     = primitive(lambda x: np.argwhere(x), "argwhere")
searchsorted_ = primitive(_searchsorted, "searchsorted")
isin_         = primitive(lambda x, y, invert: np.isin(x, y, invert=invert), "isin")
# fmt: on


# ---------------------------------------------------------------- order
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """The values in order along `dim`, and where each came from; ties stay in order (torch.sort)."""
    axis = one_dim("sort", dim, input.ndim)
    indices = argsort(input, axis, descending)
    return ValuesIndices(gather_(input, indices, axis), indices)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The positions that put `input` in order along `dim`; ties stay in order (torch.argsort)."""
    axis = one_dim("argsort", dim, input.ndim)
    if not descending or not input.ndim:
        return argsort_(input, axis)
    last = input.shape[axis] - 1
    return last - np.flip(argsort_(np.flip(input, axis), axis), axis)


def msort(input: Any) -> Any:
    """The values in order along dim 0 (torch.msort)."""
    return sort(input, 0).values


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The `k` largest (or smallest) values along `dim` in order, and where they are (torch.topk)."""
    axis, n = one_dim("topk", dim, input.ndim), (input.shape or (1,))[dim]
    if not 0 <= k <= n:
        raise ArgumentError(f"topk: k is {k}, but dim {dim} has length {n}")
    indices = argsort(input, axis, descending=largest)
    indices = contiguous(indices[(*(slice(None),) * axis, slice(k))]) if input.ndim else indices
    return ValuesIndices(gather_(input, indices, axis), indices)


# ---------------------------------------------------------------- places
def searchsorted(
    sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Any = None
) -> Any:
    """Where in `sorted_sequence`, in order along its last dim, each of `input` would be inserted (torch.searchsorted).

    Before its equals; after them if `right` or `side` is 'right'. The sequence is a vector, or has the shape of `input`
    but for the last dim. `sorter` is the argsort of a sequence that is not in order. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> autograd.searchsorted(autograd.tensor([1, 3, 5]), autograd.tensor([0, 3, 9]))
    tensor([0, 1, 3])
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(f"searchsorted: side is 'left' or 'right', the latter if right=True, got {side!r} and right={right}")
    if sorter is not None:
        sorted_sequence = gather_(sorted_sequence, sorter, sorted_sequence.ndim - 1)
    if sorted_sequence.ndim != 1 and (not np.ndim(input) or input.shape[:-1] != sorted_sequence.shape[:-1]):
        found = f"{np.shape(input)} and {sorted_sequence.shape}"
        raise ShapeError(f"searchsorted: input and a sequence with other than 1 dim agree in all dims but the last, got {found}")
    places = searchsorted_(sorted_sequence, input, "right" if right or side == "right" else "left")
    return astype(places, np.int32) if out_int32 else places


def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Which bucket each value falls into: bucket i lies between boundaries i - 1 and i (torch.bucketize).

    A value on a boundary is in the bucket below it; in that above if `right`.
    """
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries must be a vector, got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@public(np.isin)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Which elements are among `test_elements`; with `invert`, which are not (torch.isin)."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise DtypeError(f"isin: one of the two must be a tensor, got {elements!r} and {test_elements!r}")
    return isin_(elements, test_elements, invert)


@public(np.argwhere)
def argwhere(input: Any) -> Any:
    """The positions of all elements that are not 0, a row of indices for each (torch.argwhere)."""
    return argwhere_(input)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of all elements that are not 0: as rows, or a tensor for each dim if `as_tuple` (torch.nonzero).

    >>> import autograd
    >>> autograd.tensor([[0, 5], [7, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
    """
    return unbind_(argwhere_(input if input.ndim else reshape_(input, (1,))), 1) if as_tuple else argwhere_(input)


# ---------------------------------------------------------------- NumPy's spellings
NUMPY |= {
    np.sort: lambda a, axis=-1, kind=None, order=None, stable=None: sort(a, axis).values,
    np.argsort: lambda a, axis=-1, kind=None, order=None, stable=None: argsort(a, axis),
    np.nonzero: lambda a: nonzero(a, as_tuple=True),
    np.searchsorted: lambda a, v, side="left", sorter=None: searchsorted(
        *(x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in (a, v)), side=side, sorter=sorter
    ),
}
