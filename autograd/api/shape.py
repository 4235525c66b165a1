"""Shape ops: the elements of one tensor in another arrangement; where NumPy gives a view, so do these."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..engine.dtypes import as_dtype
from ..engine.graph import memory
from ..engine.tensor import Tensor, wrap
from ..errors import ArgumentError, DimError, DtypeError, ShapeError
from ..ops.common import contiguous
from .common import Dims, one_dim, some_dims


# ---------------------------------------------------------------- PyTorch's names and options
def _sizes(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sizes of `x.reshape(2, 3)` and of `x.reshape((2, 3))`."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def reshape(input: Any, *sizes: Any, shape: Any = None) -> Any:
    """The same elements in `shape`; one size may be -1, and follows from the others (torch.reshape).

    >>> import autograd
    >>> autograd.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    return ops.shape.reshape(input, _sizes(sizes if shape is None else (shape,)))


def view(input: Any, *shape: Any) -> Any:
    """As `reshape`, of the same memory; raises ShapeError where that needs a copy. A dtype is refused (torch.Tensor.view)."""
    if len(shape) == 1 and not isinstance(shape[0], (tuple, list)) and not hasattr(shape[0], "__index__"):
        raise ArgumentError(f"view needs sizes, got {shape[0]!r}; use to() for another dtype")
    seen = ops.shape.reshape(input, _sizes(shape))
    if type(input.array) is np.ndarray and seen.array.size and memory(seen.array) is not memory(input.array):
        raise ShapeError(f"view: the elements of this tensor of shape {input.shape} lie in another order; use reshape()")
    return seen


def reshape_as(input: Any, other: Any) -> Any:
    """The same elements in the shape of `other` (torch.Tensor.reshape_as, view_as)."""
    return ops.shape.reshape(input, other.shape)


def ravel(input: Any) -> Any:
    """The elements in one dim (torch.ravel)."""
    return ops.shape.reshape(input, (-1,))


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dims from `start_dim` to `end_dim` as one (torch.flatten)."""
    first, last = (one_dim("flatten", d, input.ndim) for d in (start_dim, end_dim))
    if first > last:
        raise ArgumentError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape or (1,)
    return ops.shape.reshape(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """With `dim` as several dims of these sizes, one of which may be -1: what `flatten` undoes (torch.unflatten)."""
    axis = one_dim("unflatten", dim, input.ndim)
    sizes, n = list(sizes), (input.shape or (1,))[axis]
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = n // max(1, -prod(sizes))
    if not sizes or prod(sizes) != n:
        raise ShapeError(f"unflatten: dim {dim} has length {n}, which sizes {sizes} do not multiply to")
    return ops.shape.reshape(input, (*input.shape[:axis], *sizes, *input.shape[axis + 1 :]))


def squeeze(input: Any, dim: Dims = None) -> Any:
    """Without the dims of length 1, or those of them in `dim` (torch.squeeze)."""
    axis = some_dims("squeeze", dim, input.ndim)
    return ops.shape.reshape(input, tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in axis))


def unsqueeze(input: Any, dim: int) -> Any:
    """With a new dim of length 1 at `dim` (torch.unsqueeze)."""
    axis = one_dim("unsqueeze", dim, input.ndim + 1)
    return ops.shape.reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """With two dims swapped (torch.transpose)."""
    dims = one_dim("transpose", dim0, input.ndim), one_dim("transpose", dim1, input.ndim)
    return ops.shape.transpose(input, *dims) if input.ndim else input


def permute(input: Any, *axes: Any, dims: Dims = None) -> Any:
    """With the dims in the order `dims` (torch.permute)."""
    order = some_dims("permute", _sizes(axes) if dims is None else dims, input.ndim)
    if len(order) != input.ndim:
        raise ShapeError(f"permute: {len(order)} dims were given for a tensor of {input.ndim}")
    return ops.shape.permute(input, order)


def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """As `transpose` (torch.swapaxes)."""
    return transpose(input, axis0, axis1)


def t(input: Any) -> Any:
    """A matrix transposed; fewer dims stay as they are (torch.t)."""
    if input.ndim > 2:
        raise ShapeError(f"t needs at most 2 dims, got {input.ndim}; use mT or permute")
    return input if input.ndim < 2 else ops.shape.transpose(input, 0, 1)


def adjoint(input: Any) -> Any:
    """The last two dims swapped: each matrix of a batch transposed (torch.adjoint, Tensor.mT, Tensor.mH)."""
    if input.ndim == 1:
        raise ShapeError(f"mT needs a matrix or a batch of them, got shape {input.shape}; use unsqueeze to make it one")
    return ops.shape.transpose(input, -2, -1) if input.ndim else input


def H(input: Any) -> Any:
    """A matrix transposed (torch.Tensor.H)."""
    if input.ndim not in (0, 2):
        raise ShapeError(f"H needs a matrix, got shape {input.shape}; use mH for a batch of them")
    return t(input)


def movedim(input: Any, source: Dims, destination: Dims) -> Any:
    """With the dims `source` moved to the places `destination` (torch.movedim)."""
    a, b = (some_dims("movedim", d, input.ndim) for d in (source, destination))
    if len(a) != len(b):
        raise ArgumentError(f"movedim: {len(a)} dims cannot move to {len(b)} places")
    places = dict(zip(b, a, strict=True))
    rest = iter(d for d in range(input.ndim) if d not in a)
    return ops.shape.permute(input, tuple(places[d] if d in places else next(rest) for d in range(input.ndim)))


def expand(input: Any, *sizes: Any) -> Any:
    """With dims of length 1 repeated to `sizes`, -1 for as they are; no memory is used (torch.Tensor.expand)."""
    wanted = _sizes(sizes)
    new = len(wanted) - input.ndim
    if new < 0 or -1 in wanted[:new]:
        raise ShapeError(f"expand: sizes {wanted} do not fit shape {input.shape}; -1 keeps a length that there is")
    return ops.shape.expand(input, tuple(input.shape[i - new] if w == -1 else w for i, w in enumerate(wanted)))


def expand_as(input: Any, other: Any) -> Any:
    """With dims of length 1 repeated to the shape of `other` (torch.Tensor.expand_as)."""
    return ops.shape.expand(input, other.shape)


def broadcast_to(input: Any, shape: Any) -> Any:
    """With dims of length 1 repeated to `shape` (torch.broadcast_to)."""
    return ops.shape.expand(input, tuple(shape) if isinstance(shape, (tuple, list)) else (shape,))


def flip(input: Any, *axes: Any, dims: Dims = None, dim: Dims = None) -> Any:
    """With the elements along `dims` in reverse order (torch.flip); all dims if none is given (np.flip)."""
    given = _sizes(axes) if axes and axes[0] is not None else dim if dims is None else dims
    return ops.shape.flip(input, some_dims("flip", given, input.ndim))


def flipud(input: Any) -> Any:
    """Upside down: dim 0 reversed (torch.flipud)."""
    need_dims("flipud", input, 1)
    return ops.shape.flip(input, (0,))


def fliplr(input: Any) -> Any:
    """Left to right: dim 1 reversed (torch.fliplr)."""
    need_dims("fliplr", input, 2)
    return ops.shape.flip(input, (1,))


def rot90(input: Any, k: int = 1, dims: Dims = (0, 1)) -> Any:
    """Turned `k` times by 90 degrees, from the first of `dims` towards the second (torch.rot90).

    >>> import autograd
    >>> autograd.tensor([[1, 2], [3, 4]]).rot90()
    tensor([[2, 4],
            [1, 3]])
    """
    axis = some_dims("rot90", dims, input.ndim)
    if len(axis) != 2:
        raise ArgumentError(f"rot90 turns in the plane of two dims, got {dims!r}")
    if k % 2 == 0:
        return contiguous(ops.shape.flip(input, axis)) if k % 4 else ops.shape.clone(input, "C")
    return contiguous(ops.shape.transpose(ops.shape.flip(input, axis[1:] if k % 4 == 1 else axis[:1]), *axis))


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """With the elements moved by `shifts` along `dims`, those that fall off coming in again (torch.roll)."""
    shifts = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None:
        return ops.shape.reshape(ops.shape.roll(ops.shape.reshape(input, (-1,)), shifts, (0,)), input.shape)
    axis = tuple(one_dim("roll", d, input.ndim) for d in (dims if isinstance(dims, (tuple, list)) else (dims,)))
    if len(shifts) != len(axis):
        raise ArgumentError(f"roll: {len(shifts)} shifts were given for {len(axis)} dims")
    return ops.shape.roll(input, shifts, axis)


def repeat(input: Any, *sizes: Any) -> Any:
    """The whole tensor `sizes` times along each dim (torch.Tensor.repeat; np.tile)."""
    times = _sizes(sizes)
    if len(times) < input.ndim:
        raise ShapeError(f"repeat: {len(times)} numbers were given for a tensor of {input.ndim} dims")
    shape = (1,) * (len(times) - input.ndim) + input.shape
    pairs = [n for pair in zip(times, shape, strict=True) for n in pair]
    spread = ops.shape.expand(ops.shape.reshape(input, tuple(m for n in shape for m in (1, n))), tuple(pairs))
    return copied(ops.shape.reshape(spread, tuple(k * n for k, n in zip(times, shape, strict=True))), input)


def tile(input: Any, *sizes: Any, dims: Any = None) -> Any:
    """As `repeat`, with missing numbers taken as 1 (torch.tile)."""
    times = _sizes(sizes if dims is None else (dims,))
    return repeat(input, (1,) * (input.ndim - len(times)) + tuple(times))


def repeat_interleave(input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Any:
    """Each element `repeats` times in a row; with `dim` each slice, without it each of all (torch.repeat_interleave).

    `repeats` is a number, or a tensor of one for each slice. Of a tensor of numbers alone: position i as often as the
    i-th number says. Raises ShapeError, ArgumentError or DtypeError.

    >>> import autograd
    >>> autograd.tensor([5, 6]).repeat_interleave(autograd.tensor([2, 1]))
    tensor([5, 5, 6])
    """
    if repeats is None:
        return ops.shape.repeats(_counts(input))
    if dim is None or not input.ndim:
        input, dim = ops.shape.reshape(input, (-1,)), one_dim("repeat_interleave", dim or 0, 1)
    axis, counts = one_dim("repeat_interleave", dim, input.ndim), _counts(repeats)
    n = input.shape[axis]
    if counts.ndim > 1 or counts.shape not in ((), (1,), (n,)):
        raise ShapeError(f"repeat_interleave: repeats has shape {counts.shape}, but dim {axis} has length {n}")
    if isinstance(repeats, int):  # no positions are needed
        longer = ops.shape.expand(unsqueeze(input, axis + 1), (*input.shape[: axis + 1], repeats, *input.shape[axis + 1 :]))
        return copied(ops.shape.reshape(longer, (*input.shape[:axis], n * repeats, *input.shape[axis + 1 :])), input)
    return input[(*(slice(None),) * axis, ops.shape.repeats(ops.shape.expand(counts, (n,))))]


def _counts(repeats: Any) -> Tensor:
    counts = repeats if isinstance(repeats, Tensor) else wrap(np.asarray(repeats))
    if counts.dtype.kind not in "iu":
        raise DtypeError(f"repeat_interleave: repeats must be integers, not {counts.dtype}")
    if counts.array.size and np.min(counts.array) < 0:
        raise ArgumentError(f"repeat_interleave: repeats must not be negative, got {np.min(counts.array)}")
    return counts


def sum_to_size(input: Any, *size: Any) -> Any:
    """Summed over the dims that broadcasting `size` to this shape adds or stretches (torch.Tensor.sum_to_size)."""
    wanted = _sizes(size)
    if wanted and wanted == input.shape:  # of integers a sum would be int64
        return input
    lead = input.ndim - len(wanted)
    if lead < 0 or any(w not in (1, n) for w, n in zip(wanted, input.shape[lead:], strict=True)):
        raise ShapeError(f"sum_to_size: {wanted} does not broadcast to {input.shape}")
    stretched = [i + lead for i, w in enumerate(wanted) if w != input.shape[i + lead]]
    return ops.shape.reshape(ops.reduce.sum(input, (*range(lead), *stretched)), wanted)


# ---------------------------------------------------------------- parts
def need_dims(op: str, input: Any, least: int) -> None:
    if input.ndim < least:
        raise DimError(f"{op} needs a tensor of {least} dims or more, got shape {input.shape}")


def select(input: Any, dim: int, index: int) -> Any:
    """The slice at position `index` along `dim`, without that dim; a view (torch.select)."""
    need_dims("select", input, 1)
    axis = one_dim("select", dim, input.ndim)
    if not -input.shape[axis] <= index < input.shape[axis]:
        raise DimError(f"select: index {index} is out of range, dim {dim} has length {input.shape[axis]}")
    return input[(*(slice(None),) * axis, int(index))]


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """The `length` slices along `dim` that begin at `start`, which may be counted from the end; a view (torch.narrow)."""
    need_dims("narrow", input, 1)
    axis, first = one_dim("narrow", dim, input.ndim), int(start)
    n = input.shape[axis]
    if not -n <= first <= n:
        raise DimError(f"narrow: start {first} is out of range, dim {dim} has length {n}")
    first %= n + (first >= 0)
    if length < 0 or first + length > n:
        raise ArgumentError(f"narrow: {length} slices from {first} on do not exist, dim {dim} has length {n}")
    return input[(*(slice(None),) * axis, slice(first, first + length))]


def tril(input: Any, diagonal: int = 0, *, k: int | None = None) -> Any:
    """Zeros above the diagonal, or the `diagonal`-th above it (torch.tril)."""
    need_dims("tril", input, 2)
    return ops.shape.tril(input, diagonal if k is None else k)


def triu(input: Any, diagonal: int = 0, *, k: int | None = None) -> Any:
    """Zeros below the diagonal, or the `diagonal`-th above it (torch.triu)."""
    need_dims("triu", input, 2)
    return ops.shape.triu(input, diagonal if k is None else k)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal between two dims, as the last dim; a view (torch.diagonal)."""
    return ops.shape.diagonal(input, offset, *plane("diagonal", (dim1, dim2), input.ndim))


def plane(op: str, dims: tuple[int, int], ndim: int) -> tuple[int, int]:
    first, second = (one_dim(op, d, ndim) for d in dims)
    if first == second:
        raise DimError(f"{op}: the two dims are the same, {dims}")
    return first, second


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices of zeros with the last dim of `input` as their diagonals (torch.diag_embed); what `diagonal` undoes."""
    need_dims("diag_embed", input, 1)
    axes = plane("diag_embed", (dim1, dim2), input.ndim + 1)
    rest, side = list(input.shape[:-1]), input.shape[-1] + abs(offset)
    for axis in sorted(axes):
        rest.insert(axis, side)
    return ops.shape.undiagonal(input, tuple(rest), offset, *axes)


def diag(input: Any, diagonal: int = 0) -> Any:
    """The matrix with this vector as its diagonal, or the diagonal of this matrix (torch.diag)."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"diag needs a vector or a matrix, got shape {input.shape}; use diagonal or diag_embed")
    return diag_embed(input, diagonal) if input.ndim == 1 else clone(ops.shape.diagonal(input, diagonal, 0, 1))


def diagflat(input: Any, offset: int = 0) -> Any:
    """The matrix with all elements, flattened, as its diagonal (torch.diagflat)."""
    return diag_embed(ravel(input), offset)


def _triangle(op: str, indices: Any) -> Any:
    def triangle(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: Any = None) -> Tensor:
        if row < 0 or col < 0:
            raise ArgumentError(f"{op}: sizes must not be negative, got {row} and {col}")
        return wrap(np.astype(np.stack(indices(row, offset, col)), as_dtype(dtype)))

    triangle.__name__ = triangle.__qualname__ = op
    triangle.__doc__ = f"""Where the {op[:4]} of a `row` x `col` matrix is: rows above columns, a (2, n) tensor (torch.{op})."""
    return triangle


tril_indices, triu_indices = _triangle("tril_indices", np.tril_indices), _triangle("triu_indices", np.triu_indices)


# ---------------------------------------------------------------- memory
def clone(input: Any, *, memory_format: Any = None) -> Any:
    """A copy, through which gradients flow (torch.clone). Memory formats are accepted, and change nothing."""
    return ops.shape.clone(input, "K")


def copied(result: Any, input: Any) -> Any:
    """`result`, in memory of its own, in order."""
    a, b = getattr(result, "array", result), getattr(input, "array", input)
    return ops.shape.clone(result, "C") if memory(a) is memory(b) else contiguous(result)


def stride(input: Any, dim: int | None = None) -> Any:
    """How many elements of memory lie from one slice to the next along each dim, or one of them (torch.Tensor.stride)."""
    strides = tuple(s // input.dtype.itemsize for s in input.array.strides)
    return strides if dim is None else strides[one_dim("stride", dim, input.ndim)]


def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """The windows of `size` elements along a dim, each `step` after the one before, as a last dim (torch.Tensor.unfold).

    A view. Raises ArgumentError or DimError.

    >>> import autograd
    >>> autograd.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    axis, x = one_dim("unfold", dimension, input.ndim), input if input.ndim else np.reshape(input, (1,))
    n = x.shape[axis]
    if not 0 <= size <= n or step < 1:
        raise ArgumentError(f"unfold: windows of size {size} and step {step} do not fit into dim {dimension} of length {n}")
    seen = ops.window.unfold_dim(x, axis, size, step)
    return seen if input.ndim else np.reshape(seen, (size,))
