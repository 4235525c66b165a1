"""Indexing ops: parts of a tensor by slices, positions and masks, and putting values there."""

from __future__ import annotations

from itertools import combinations as choices
from itertools import combinations_with_replacement
from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..engine.batch import checked
from ..engine.dtypes import result_type
from ..engine.graph import mode
from ..engine.inplace import lineage
from ..engine.inplace import put as write
from ..engine.tensor import Tensor
from ..errors import ArgumentError, AutogradError, DimError, DtypeError, ShapeError, describe, explain
from ..ops.common import contiguous, is_contiguous
from ..ops.elementwise import choose, floor_divide, maximum, remainder
from ..ops.index import Index, _in_order
from .common import one_dim
from .elementwise import astype
from .join import broadcast_tensors
from .shape import need_dims, plane


# ---------------------------------------------------------------- x[...] and x[...] = y
def _parts(index: Any) -> tuple[Index, bool]:
    """`index` as a tuple, lists as arrays, and whether it holds only integers, slices, None and an ellipsis."""
    parts = []
    basic = True
    for i in index if type(index) is tuple else (index,):
        if isinstance(i, (list, tuple, range)):
            i = np.asarray(i, None if len(i) else np.int64)
        if hasattr(i, "dtype") or isinstance(i, bool):
            if getattr(i, "dtype", np.dtype(bool)).kind not in "iub":
                raise DtypeError(f"an index is made of integers or booleans, not {i.dtype}")
            if isinstance(i, Tensor) and i.dtype == np.uint8:
                raise DtypeError("an index of uint8 is a mask in PyTorch and positions in NumPy; say which by bool() or long()")
            basic = basic and isinstance(i, np.integer)
            i = int(i) if isinstance(i, np.integer) else i
        elif isinstance(i, (float, str)):
            raise DtypeError(f"an index is made of integers, slices, None, ... and tensors of them, not {i!r}")
        parts.append(i)
    return tuple(parts), basic


def _numbers_first(parts: Index) -> tuple[Index, Index] | None:
    """An index in two steps, the first without arrays, if it has both numbers and arrays with something between them.

    NumPy then counts a number among the arrays, and puts their dims first: x[0, :, [1, 2]] has shape (2, n). To PyTorch
    it is x[0][:, [1, 2]], of shape (n, 2), as if numbers were slices; and so it is here.
    """
    if len(parts) < 3:
        return None
    number = [hasattr(p, "__index__") and not getattr(p, "ndim", 0) and not _is_mask(p) for p in parts]
    array = [not is_number and (hasattr(p, "dtype") or _is_mask(p)) for p, is_number in zip(parts, number, strict=True)]
    if not any(number) or not any(array) or all(a or b for a, b in zip(number, array, strict=True)):
        return None
    first, second = [], []
    for p, is_number, is_array in zip(parts, number, array, strict=True):
        first += [slice(None)] * (getattr(p, "ndim", 0) if _is_mask(p) else 1) if is_array else [p]
        second += [] if is_number else [p] if is_array or p is ... else [slice(None)]
    return tuple(first), tuple(second)


def _is_mask(part: Any) -> bool:
    return isinstance(part, bool) or (hasattr(part, "dtype") and part.dtype.kind == "b")


def getitem(input: Any, index: Any) -> Any:
    """`input[index]`: integers, slices, None, ..., masks, and arrays of positions, as NumPy and PyTorch have them.

    Slices alone give a view. Steps may be negative, as in NumPy. Where the two differ, integers beside arrays with a
    slice between them, it is as in PyTorch: integers come first. Raises DimError, DtypeError or ShapeError.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward(); x.grad
    tensor([2., 0., 1.])
    """
    parts, basic = _parts(index)
    if basic:
        return ops.index.getslice(input, parts)
    if (steps := _numbers_first(parts)) is not None:
        return ops.index.getindex(getitem(input, steps[0]), *steps[1])
    return ops.index.getindex(input, *parts)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """`input[index] = value`, in place. Of several values for one element the last stays, and has the gradient."""
    parts, basic = _parts(index)
    if (steps := _numbers_first(parts)) is not None:
        first = tuple(p.__index__() if hasattr(p, "__index__") else p for p in steps[0])  # a view, of what is written
        return setitem(getitem(input, first), steps[1], value)
    if basic and _is_part(value, input, parts):
        return None  # y[i] += 1 is y[i] = y[i].__iadd__(1): it is there already
    if all(p is not ... for p in parts):
        parts = (*parts, ...)  # what is assigned to is an array then, also if it is one element
    raw, v = _in_order(tuple(getattr(i, "array", i) for i in parts), getattr(value, "array", value))

    try:
        if basic:
            write(input, "x[...] = y", raw, value, path=((ops.index.getslice, (raw,), None),))
        else:
            write(
                input,
                "x[...] = y",
                raw,
                value if v is getattr(value, "array", v) else np.copy(value, "C"),
                scatter=(ops.index.setitem, *raw),
            )
    except (IndexError, ValueError, TypeError) as error:
        if isinstance(error, AutogradError):
            raise
        raise explain("setitem", ["x", "v", "*index"], [input.array, v, *raw], error) from error


def _is_part(value: Any, input: Tensor, index: Index) -> bool:
    """Is `value` what `input[index]` gave, a view that hears of writes?"""
    base, path, recorded = lineage(value)
    if not path or path[-1][0] is not ops.index.getslice:
        return False
    of, steps, live = lineage(input)
    return base is of and live and path == (*steps, (path[-1][0], (index,), None)) and (recorded or not mode().grad)


# ---------------------------------------------------------------- what the arguments must be
def check_index(op: str, index: Any, length: int, least: int = 0) -> None:
    array = getattr(index, "array", index)
    if not hasattr(array, "dtype"):
        raise DtypeError(f"{op}: index must be a tensor, not {describe(index)}")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{op}: index must hold integers, not {array.dtype}")

    def look(array: Any) -> None:
        if array.size and not (np.min(array) >= least and np.max(array) < length):
            raise DimError(f"{op}: index holds {np.min(array)} to {np.max(array)}, but the dim has length {length}")

    checked(look, index)


def check_mask(op: str, mask: Any) -> None:
    if getattr(mask, "dtype", None) != np.dtype(bool):
        raise DtypeError(f"{op}: mask must hold booleans, not {getattr(mask, 'dtype', type(mask).__name__)}")


def check_like(op: str, input: Any, **values: Any) -> None:
    """What is put into a tensor has its dtype, as in PyTorch; a number is made to."""
    for name, value in values.items():
        if hasattr(value, "dtype") and value.dtype != input.dtype:
            raise DtypeError(f"{op}: {name} is {value.dtype}, but input is {input.dtype}; convert one with to()")


def check_scalar(op: str, value: Any) -> None:
    if np.ndim(value):
        raise ShapeError(f"{op}: value must be a number or a 0-d tensor, got shape {np.shape(value)}")


# ---------------------------------------------------------------- masks, and positions in several dims or the flat tensor
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """`input` after `input[indices] = values`, or `+=`, where repeated positions add up (torch.index_put).

    `indices` is a tuple of tensors: of positions, or masks. Raises DimError, DtypeError or ShapeError.
    """
    if odd := [i for i in indices if not hasattr(i, "dtype")]:
        raise DtypeError(f"index_put: indices are tensors of integers or booleans, got {describe(odd[0])}")
    parts, _ = _parts(tuple(indices))
    if np.ndim(values):
        check_like("index_put", input, values=values)
    if not accumulate:
        return ops.index.setitem(input, values, *parts)
    met = ops.index.getindex(input.detach(), *parts).shape
    return input + ops.index.unindex(ops.shape.expand(values, met), input.shape, *parts)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """`input` with `value`, made to be of its dtype, where `mask` holds (torch.masked_fill)."""
    check_mask("masked_fill", mask)
    check_scalar("masked_fill", value)
    if result_type(input, value) != input.dtype:
        value = astype(value if hasattr(value, "dtype") else np.asarray(value), input.dtype)
    return contiguous(choose(mask, value, input))


def masked_select(input: Any, mask: Any) -> Any:
    """The elements of `input` where `mask` holds, in one dim; the two broadcast (torch.masked_select)."""
    check_mask("masked_select", mask)
    input, mask = broadcast_tensors(input, mask)
    return ops.index.getindex(input, mask)


def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """`input` with the elements of `source`, in order, where `mask` holds (torch.masked_scatter).

    `mask` broadcasts with `input`; `source` has at least as many elements as places are to be filled.
    """
    check_mask("masked_scatter", mask)
    check_like("masked_scatter", input, source=source)
    input, mask = broadcast_tensors(input, mask)
    places, elements = np.sum(getattr(mask, "array", mask)), prod(source.shape)
    if places > elements:
        raise ShapeError(f"masked_scatter: mask has {places} places to fill, but source {source.shape} only {elements} elements")
    if not elements:
        return np.copy(input, "C")
    turn = maximum(np.cumsum(np.reshape(mask, (-1,)), axis=0) - 1, 0)
    return contiguous(choose(mask, np.reshape(ops.index.getindex(np.reshape(source, (-1,)), turn), input.shape), input))


def take(input: Any, index: Any) -> Any:
    """The elements at these positions in the flattened tensor, in the shape of `index` (torch.take).

    >>> import autograd
    >>> autograd.tensor([[1, 2], [3, 4]]).take(autograd.tensor([0, -1]))
    tensor([1, 4])
    """
    size = prod(input.shape)
    check_index("take", index, size, -size)
    return ops.index.getindex(np.reshape(input, (-1,)), index)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """`input` with the elements of `source` at these positions of the flattened tensor (torch.Tensor.put).

    Of several for one place the last stays, and has the gradient; `accumulate` adds all to what is there.

    >>> import autograd
    >>> autograd.zeros(2, 2).put(autograd.tensor([0, -1]), autograd.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    size = prod(input.shape)
    check_index("put", index, size, -size)
    check_like("put", input, source=source)
    if prod(source.shape) != prod(index.shape):
        raise ShapeError(f"put: source {source.shape} has not as many elements as index {index.shape}")
    flat, at, source = np.reshape(input, (-1,)), np.reshape(index, (-1,)), np.reshape(source, (-1,))
    out = flat + ops.index.unindex(source, flat.shape, at) if accumulate else ops.index.setitem(flat, source, at)
    return np.reshape(out, input.shape)


def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All ways to pick `r` elements of a vector, in order, as rows (torch.combinations).

    >>> import autograd
    >>> autograd.combinations(autograd.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise ShapeError(f"combinations needs a vector, got shape {input.shape}")
    if not hasattr(r, "__index__") or r < 0:
        raise ShapeError(f"combinations: r is an integer, not negative, got {r!r}")
    if not r:
        return input[:0]
    picks = list((combinations_with_replacement if with_replacement else choices)(range(input.shape[0]), r))
    return ops.index.getindex(input, np.reshape(np.array(picks, np.int64), (-1, r)))


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """Where in a tensor of this shape stands what is at `indices` of the flattened one, dim by dim (torch.unravel_index).

    >>> import autograd
    >>> autograd.unravel_index(autograd.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    check_index("unravel_index", indices, prod(shape), -prod(shape))
    found, rest = [], remainder(indices, max(prod(shape), 1))
    for n in shape[::-1]:
        found.append(remainder(rest, max(n, 1)))
        rest = floor_divide(rest, max(n, 1))
    return tuple(found[::-1])


# ---------------------------------------------------------------- a part, as a view shows it, and what it is replaced by
def _replaced(op: str, input: Any, src: Any, view: Any, *args: Any) -> Any:
    """`input` with `src` where `view(input, *args)` looks."""
    part = view(getattr(input, "array", input), *args)
    if src.shape != part.shape:
        raise ShapeError(f"{op}: src must have shape {part.shape}, that of the part it replaces, got {src.shape}")
    return ops.index.written(input, src, ((view, args, None),), tuple(range(input.ndim)))


def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:  # fmt: skip
    """`input` with `src` in the place of the slice `start:end:step` along `dim` (torch.slice_scatter).

    >>> import autograd
    >>> autograd.zeros(4).slice_scatter(autograd.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
    """
    need_dims("slice_scatter", input, 1)
    axis = one_dim("slice_scatter", dim, input.ndim)
    if step < 1:
        raise ArgumentError(f"slice_scatter: step is positive, got {step}")
    return _replaced("slice_scatter", input, src, ops.index.getslice, (*(slice(None),) * axis, slice(start, end, step)))


def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """`input` with `src` in the place of what stands at one position along `dim` (torch.select_scatter)."""
    need_dims("select_scatter", input, 1)
    axis = one_dim("select_scatter", dim, input.ndim)
    if not -input.shape[axis] <= index < input.shape[axis]:
        raise DimError(f"select_scatter: index {index} does not exist in dim {dim} of length {input.shape[axis]}")
    return _replaced("select_scatter", input, src, ops.index.getslice, (*(slice(None),) * axis, int(index)))


def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """`input` with `src` on a diagonal, in the shape that `diagonal` gives it (torch.diagonal_scatter)."""
    dims = plane("diagonal_scatter", (dim1, dim2), input.ndim)
    return _replaced("diagonal_scatter", input, src, ops.shape.diagonal, offset, *dims)


# ---------------------------------------------------------------- memory, read with other sizes and strides
def storage_offset(input: Tensor) -> int:
    """How many elements after the beginning of what it is a view of does it begin (torch.Tensor.storage_offset)?"""
    base = lineage(input)[0]
    if type(input.array) is not np.ndarray or type(base.array) is not np.ndarray:
        return 0
    return (input.array.ctypes.data - base.array.ctypes.data) // input.array.itemsize


def _strided(op: str, input: Any, size: Any, stride: Any, offset: int | None) -> tuple[Index, Index, int]:
    """Sizes, strides and the offset from where `input` begins. Raises unless all of it lies within `input`."""
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride) or any(n < 0 for n in (*size, *stride)):
        raise ShapeError(f"{op}: size {size} and stride {stride} are equally many numbers, none negative")
    if not is_contiguous(input):
        raise ShapeError(
            f"{op}: the elements of this tensor of shape {input.shape} lie in another order; call contiguous() first"
        )
    first = 0 if offset is None else offset - storage_offset(input)
    last = first + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and not 0 <= first <= last < prod(input.shape):
        raise ShapeError(f"{op}: elements {first} to {last} are meant, of a tensor that has {prod(input.shape)}")
    return size, stride, max(first, 0)


def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view of the same memory with these sizes and strides, in elements, which may overlap (torch.as_strided).

    `storage_offset` counts from the beginning of what `input` is a view of; left out, from that of `input`. The elements of
    `input` lie in memory in order, and nothing outside of it is seen: PyTorch takes more. Where windows overlap, gradients add
    up, and the view is read-only.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    >>> windows = x.as_strided((3, 2), (1, 1))
    >>> windows.sum().backward(); windows.detach(), x.grad
    (tensor([[1., 2.],
            [2., 3.],
            [3., 4.]]), tensor([1., 2., 2., 1.]))
    """
    return ops.index.strided(input, *_strided("as_strided", input, size, stride, storage_offset))


def as_strided_scatter(input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """`input` with `src` in the place of what `as_strided` shows, which must not overlap (torch.as_strided_scatter)."""
    where = _strided("as_strided_scatter", input, size, stride, storage_offset)
    if src.shape != where[0]:
        raise ShapeError(f"as_strided_scatter: src must have shape {where[0]}, got {src.shape}")
    return put(input, ops.index.strided_places(*where, getattr(input, "array", input)), src)
