"""Sorting and searching: elements in order, where they stand, and where others would stand among them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.tensor import Tensor
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops.common import contiguous
from .common import ValuesIndices, one_dim
from .elementwise import astype


# ---------------------------------------------------------------- order
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """The values in order along `dim`, and where each came from; ties stay in order (torch.sort)."""
    axis = one_dim("sort", dim, input.ndim)
    indices = argsort(input, axis, descending)
    return ValuesIndices(ops.index.gather(input, indices, axis), indices)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The positions that put `input` in order along `dim`; ties stay in order (torch.argsort)."""
    axis = one_dim("argsort", dim, input.ndim)
    if not descending or not input.ndim:
        return ops.reduce.argsort(input, axis)
    last = input.shape[axis] - 1
    return last - np.flip(ops.reduce.argsort(np.flip(input, axis), axis), axis)


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
    return ValuesIndices(ops.index.gather(input, indices, axis), indices)


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
        sorted_sequence = ops.index.gather(sorted_sequence, sorter, sorted_sequence.ndim - 1)
    if sorted_sequence.ndim != 1 and (not np.ndim(input) or input.shape[:-1] != sorted_sequence.shape[:-1]):
        found = f"{np.shape(input)} and {sorted_sequence.shape}"
        raise ShapeError(f"searchsorted: input and a sequence with other than 1 dim agree in all dims but the last, got {found}")
    places = ops.sort.searchsorted(sorted_sequence, input, "right" if right or side == "right" else "left")
    return astype(places, np.int32) if out_int32 else places


def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """Which bucket each value falls into: bucket i lies between boundaries i - 1 and i (torch.bucketize).

    A value on a boundary is in the bucket below it; in that above if `right`.
    """
    if boundaries.ndim != 1:
        raise ShapeError(f"bucketize: boundaries must be a vector, got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Which elements are among `test_elements`; with `invert`, which are not (torch.isin)."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise DtypeError(f"isin: one of the two must be a tensor, got {elements!r} and {test_elements!r}")
    return ops.sort.isin(elements, test_elements, invert)


def argwhere(input: Any) -> Any:
    """The positions of all elements that are not 0, a row of indices for each (torch.argwhere)."""
    return ops.sort.argwhere(input)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of all elements that are not 0: as rows, or a tensor for each dim if `as_tuple` (torch.nonzero).

    >>> import autograd
    >>> autograd.tensor([[0, 5], [7, 0]]).nonzero()
    tensor([[0, 1],
            [1, 0]])
    """
    return (
        ops.join.unbind(ops.sort.argwhere(input if input.ndim else ops.shape.reshape(input, (1,))), 1)
        if as_tuple
        else ops.sort.argwhere(input)
    )
