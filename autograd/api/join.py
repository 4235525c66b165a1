"""Joining and splitting: several tensors in one, one in several, and tensors brought to a common shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..engine.tensor import Tensor, wrap
from ..engine.warn import seen
from ..errors import ArgumentError, DimError, ShapeError
from ..ops.join import Axis
from .common import one_dim
from .shape import flatten

Tensors = Sequence[Any]


# ---------------------------------------------------------------- several tensors in one
def _some(op: str, tensors: Tensors) -> list[Any]:
    found = list(tensors)
    if not found:
        raise ArgumentError(f"{op} needs at least one tensor")
    return found


def cat(tensors: Tensors, dim: int = 0) -> Any:
    """The tensors one after the other along `dim`; as in PyTorch an empty vector may join anything (torch.cat)."""
    tensors = _some("cat", tensors)
    shape = next((np.shape(v) for v in tensors if np.shape(v) != (0,)), (0,))
    axis = one_dim("cat", dim, len(shape))
    empty = (*shape[:axis], 0, *shape[axis + 1 :])
    return ops.join.concatenate(axis, *(np.reshape(v, empty) if np.shape(v) == (0,) != empty else v for v in tensors))


def stack(tensors: Tensors, dim: int = 0) -> Any:
    """The tensors, all of one shape, along a new dim (torch.stack)."""
    tensors = _some("stack", tensors)
    return ops.join.stack(one_dim("stack", dim, np.ndim(tensors[0]) + 1), *tensors)


def _atleast(n: int, shape: Callable[[Axis], Axis]) -> Callable[..., Any]:
    def atleast(*tensors: Any) -> Any:
        if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
            (x,) = tensors
            return x if x.ndim >= n else ops.shape.reshape(x, shape(x.shape))
        return tuple(map(atleast, tensors if len(tensors) > 1 else tensors[0]))

    atleast.__name__ = atleast.__qualname__ = f"atleast_{n}d"
    atleast.__doc__ = f"""The tensor with dims of length 1 added until it has {n}; of several, a tuple (torch.atleast_{n}d)."""
    return atleast


atleast_1d = _atleast(1, lambda shape: (1,))
atleast_2d = _atleast(2, lambda shape: (1,) * (2 - len(shape)) + shape)
atleast_3d = _atleast(3, lambda shape: (*(1,) * (2 - len(shape)), *shape, 1))


def hstack(tensors: Tensors) -> Any:
    """The tensors side by side: along dim 1, vectors along dim 0 (torch.hstack)."""
    tensors = atleast_1d(_some("hstack", tensors))
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors: Tensors) -> Any:
    """The tensors below each other: along dim 0, vectors being rows (torch.vstack, torch.row_stack)."""
    return cat(atleast_2d(_some("vstack", tensors)), 0)


def dstack(tensors: Tensors) -> Any:
    """The tensors one behind the other: along dim 2 (torch.dstack)."""
    return cat(atleast_3d(_some("dstack", tensors)), 2)


def column_stack(tensors: Tensors) -> Any:
    """The tensors side by side, vectors being columns (torch.column_stack)."""
    return hstack([x if x.ndim > 1 else ops.shape.reshape(x, (-1, 1)) for x in _some("column_stack", tensors)])


def block_diag(*tensors: Any) -> Any:
    """The matrices one after the other along the diagonal, zeros elsewhere; vectors are rows (torch.block_diag).

    >>> import autograd
    >>> autograd.block_diag(autograd.tensor([[1, 2]]), autograd.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    if odd := [x.shape for x in tensors if x.ndim > 2]:
        raise ShapeError(f"block_diag: tensors have at most 2 dims, got shape {odd[0]}")
    blocks = atleast_2d(list(tensors)) or (wrap(np.zeros((1, 0), np.float32)),)
    width, start, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        sides = (start, width - start - x.shape[1])
        left, right = (np.zeros_like(x, shape=(x.shape[0], n), dtype=bool) for n in sides)  # a bool promotes nothing
        rows.append(ops.join.concatenate(1, left, x, right))
        start += x.shape[1]
    return ops.join.concatenate(0, *rows)


# ---------------------------------------------------------------- tensors in a common shape
def broadcast_shapes(*shapes: Any) -> Axis:
    """The shape that tensors of these shapes broadcast to; a number stands for the shape of a vector (torch.broadcast_shapes)."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_shapes: {', '.join(map(str, shapes))} do not broadcast together") from None


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """The tensors with dims of length 1 repeated, so that all have one shape; no memory is used (torch.broadcast_tensors)."""
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(ops.shape.expand(x, shape) for x in tensors)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """For each vector a grid that it runs along, and is repeated in the other dims (torch.meshgrid).

    The i-th vector runs along dim i; with `indexing` 'xy' the first runs along dim 1 and the second along dim 0.

    >>> import autograd
    >>> autograd.meshgrid(autograd.tensor([1, 2]), autograd.tensor([3, 4, 5]))[0]
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    vectors = list(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors)
    if indexing not in ("ij", "xy"):
        raise ArgumentError(f"meshgrid: indexing is 'ij' or 'xy', got {indexing!r}")
    if odd := [x.shape for x in vectors if x.ndim > 1]:
        raise ShapeError(f"meshgrid: tensors have at most 1 dim, got shape {odd[0]}")
    n = len(_some("meshgrid", vectors))
    places = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else range(n)
    return broadcast_tensors(*(ops.shape.reshape(x, (-1, *(1,) * (n - 1 - i))) for x, i in zip(vectors, places, strict=True)))


def cartesian_prod(*tensors: Any) -> Any:
    """All ways to take one element from each vector, as rows; of one vector its elements (torch.cartesian_prod)."""
    if odd := [x.shape for x in tensors if x.ndim != 1]:
        raise ShapeError(f"cartesian_prod: tensors have 1 dim, got shape {odd[0]}")
    columns = [flatten(x) for x in meshgrid(*tensors)]
    return columns[0] if len(columns) == 1 else stack(columns, -1)


# ---------------------------------------------------------------- one in several
def _length(op: str, input: Any, dim: int, least: int = 1) -> tuple[int, int]:
    """The axis that `dim` is, and its length. Raises DimError if there are not `least` dims."""
    if input.ndim < least:
        raise DimError(f"{op} needs a tensor of {least} dims or more, got shape {input.shape}")
    axis = one_dim(op, dim, input.ndim)
    return axis, input.shape[axis]


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts along `dim` of one size, the last perhaps smaller, or of the sizes in a list (torch.split)."""
    axis, n = _length("split", tensor, dim)
    sizes = split_size_or_sections
    if not hasattr(sizes, "__index__"):
        return split_with_sizes(tensor, sizes, dim)
    if sizes < 0 or (sizes == 0 and n):
        raise ArgumentError(f"split: the size of a part must be positive, got {sizes}")
    return ops.join.split(tensor, tuple(range(int(sizes), n, int(sizes) or 1)), axis)


def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> tuple[Any, ...]:
    """Parts along `dim` of these sizes, which add up to its length (torch.split_with_sizes)."""
    axis, n = _length("split", input, dim)
    sizes = list(split_sizes)
    if min(sizes, default=0) < 0:
        raise ArgumentError(f"split_with_sizes: sizes must not be negative, got {sizes}")
    if sum(sizes) != n:
        raise ShapeError(f"split_with_sizes: sizes {sizes} add up to {sum(sizes)}, but dim {dim} has length {n}")
    return ops.join.split(input, tuple(np.cumsum(sizes)[:-1].tolist()), axis)


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` parts of one size along `dim`, the last perhaps smaller (torch.chunk)."""
    if chunks <= 0:
        raise ArgumentError(f"chunk: the number of chunks must be positive, got {chunks}")
    _, n = _length("chunk", input, dim)
    return split(input, -(-n // chunks) or [0] * chunks, dim)


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """As many parts along `dim` as a number says, of nearly one size; or parts that end where indices say (torch.tensor_split).

    Indices are those of slices: they may be negative, beyond the end, and in any order.
    """
    axis, n = _length("tensor_split", input, dim)
    if isinstance(indices_or_sections, Tensor):
        seen("tensor_split at a tensor")
    where = getattr(indices_or_sections, "array", indices_or_sections)
    if np.ndim(where) == 0:
        if (k := int(where)) <= 0:
            raise ArgumentError(f"tensor_split: the number of parts must be positive, got {k}")
        where = [n // k * i + min(i, n % k) for i in range(1, k)]
    ends = tuple(slice(int(end)).indices(n)[1] for end in where)
    if all(a <= b for a, b in pairwise(ends)):
        return ops.join.split(input, ends, axis)
    lead = (slice(None),) * axis
    return tuple(input[(*lead, slice(a, b))] for a, b in pairwise((0, *ends, n)))


def _even_split(op: str, least: int, dim: Callable[[int], int]) -> Callable[..., Any]:
    def even_split(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
        axis, n = _length(op, input, dim(input.ndim) if input.ndim >= least else 0, least)
        if isinstance(indices_or_sections, int) and indices_or_sections > 0 and n % indices_or_sections:
            raise ShapeError(f"{op}: dim {axis} of length {n} does not split into {indices_or_sections} parts of one size")
        return tensor_split(input, indices_or_sections, axis)

    even_split.__name__ = even_split.__qualname__ = op
    even_split.__doc__ = f"""As `tensor_split`, along the dim that `{op[0]}stack` joins; a number must divide it (torch.{op})."""
    return even_split


hsplit = _even_split("hsplit", 1, lambda ndim: min(ndim - 1, 1))
vsplit = _even_split("vsplit", 2, lambda ndim: 0)
dsplit = _even_split("dsplit", 3, lambda ndim: 2)


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along `dim`, without it (torch.unbind)."""
    return ops.join.unbind(input, _length("unbind", input, dim)[0])


# ---------------------------------------------------------------- NumPy's spellings
