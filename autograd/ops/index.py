"""Indexing ops: parts of a tensor by slices, indices and masks, putting values there, and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import result_type
from ..errors import ArgumentError, DimError, DtypeError, explain
from ..graph import Array, mode, write
from ..primitive import primitive
from ..tensor import NUMPY, Tensor
from .common import ValuesIndices, numpy_names, one_dim, public
from .elementwise import astype, choose
from .reduce import argsort_

Index = tuple[Any, ...]


# ---------------------------------------------------------------- the table
# Each way of taking has an adjoint way of putting, and each is the other's rule. Where positions repeat, putting adds.
def _slice(x: Array, index: Index) -> Array:
    return x[index if ... in index else (*index, ...)]  # with an ellipsis even a single element is a view, not a scalar


def _unslice(x: Array, index: Index, shape: Index) -> Array:
    out = np.zeros_like(x, shape=shape)
    out[index] = x
    return out


def _index(x: Array, *index: Any) -> Array:
    return x[index]


def _unindex(x: Array, shape: Index, *index: Any) -> Array:
    out = np.zeros_like(x, shape=shape, order="C")  # whose flat form is a view of it
    if all(not hasattr(i, "dtype") or i.dtype.kind == "b" for i in index):  # a mask takes each element once
        out[index] = x
    elif len(index) == 1 and len(shape) > 1:  # whole rows: adding to flat positions is several times faster
        rows, size = index[0] % shape[0], int(np.prod(shape[1:]))
        flat = np.reshape(rows, (-1, 1)) * size + np.arange(size, like=x)
        np.add.at(np.reshape(out, (-1,)), np.reshape(flat, (-1,)), np.reshape(x, (-1,)))
    else:
        np.add.at(out, index, x)
    return out


def _setitem(x: Array, v: Array, *index: Any) -> Array:
    out = np.copy(x)
    out[index] = v
    return out


def _last(x: Array, *index: Any) -> Array:
    """1 where an assignment to `x[index]` is the last to its element, 0 where a later one overwrites it."""
    order = np.zeros_like(x, dtype=np.int64)
    order[index] = turns = np.reshape(np.arange(order[index].size, like=x), order[index].shape)
    return np.astype(order[index] == turns, x.dtype)


def _grid(index: Array, axis: int) -> Index:
    """The positions that `index`, an array of positions along `axis`, means in an array of as many dims."""
    if not index.ndim:  # the one element of a 0-d array has no position
        return ()
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)]) if index.ndim > 1 else [None]
    grid[axis] = index
    return tuple(grid)


def _gather(x: Array, index: Array, axis: int) -> Array:
    return x[_grid(index, axis)]


def _scatter(x: Array, index: Array, axis: int, shape: Index) -> Array:
    out = np.zeros_like(x, shape=shape)
    np.add.at(out, _grid(index, axis), x)
    return out


# fmt: off
slice_   = primitive(_slice, "slice",       x=lambda g, x_shape, index: unslice_(g, index, x_shape))
unslice_: Any = primitive(_unslice, "unslice",   x=lambda g, index: slice_(g, index))
index_   = primitive(_index, "index",       x=lambda g, x_shape, index: unindex_(g, x_shape, *index))
unindex_: Any = primitive(_unindex, "unindex",   x=lambda g, index: index_(g, *index))
setitem_: Any = primitive(_setitem, "setitem",   x=lambda g, index: setitem_(g, 0, *index), v=lambda g, index: index_(g, *index) * last_(g, *index))
last_: Any = primitive(_last, "last_written")
gather_  = primitive(_gather, "gather",     x=lambda g, x_shape, index, axis: scatter_(g, index, axis, x_shape))
scatter_: Any = primitive(_scatter, "scatter",   x=lambda g, index, axis: gather_(g, index, axis))
one_hot_ = primitive(lambda labels, n, dtype: np.astype(np.expand_dims(labels, -1) == np.arange(n, like=labels), dtype), "one_hot")
# fmt: on


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
            basic = basic and isinstance(i, np.integer)
            i = int(i) if isinstance(i, np.integer) else i
        elif isinstance(i, (float, str)):
            raise DtypeError(f"an index is made of integers, slices, None, ... and tensors of them, not {i!r}")
        parts.append(i)
    return tuple(parts), basic


def getitem(input: Any, index: Any) -> Any:
    """`input[index]`, in every form that NumPy knows: integers, slices, None, ..., masks and arrays of positions.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward(); x.grad
    tensor([2., 0., 1.])
    """
    parts, basic = _parts(index)
    return slice_(input, parts) if basic else index_(input, *parts)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """`input[index] = value`, in place. Of several values for one element the last stays, and has the gradient."""
    parts, _ = _parts(index)
    tracked = input.node is not None or (isinstance(value, Tensor) and value.node is not None)
    if mode().grad and tracked:
        input._take("x[...] = y", setitem_, value, *parts)
        return
    raw = tuple(getattr(i, "array", i) for i in parts)
    try:
        write(input.array, raw, getattr(value, "array", value))
    except (IndexError, ValueError, TypeError) as error:
        raise explain("setitem", ["x", "v", "*index"], [input.array, getattr(value, "array", value), *raw], error) from error


# ---------------------------------------------------------------- PyTorch's names and options
def _check_index(op: str, index: Any, length: int) -> None:
    array = getattr(index, "array", index)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{op}: index must hold integers, not {array.dtype}")
    if array.size and not (np.min(array) >= 0 and np.max(array) < length):
        raise DimError(f"{op}: index holds {np.min(array)} to {np.max(array)}, but the dim has length {length}")


def gather(input: Any, dim: int, index: Any) -> Any:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on (torch.gather).

    Shape: that of `index`, which has as many dims as `input` and is nowhere longer, except along `dim`.
    """
    axis = one_dim("gather", dim, input.ndim)
    _same_dims("gather", input, index)
    _check_index("gather", index, input.shape[axis] if input.ndim else 1)
    return gather_(input, index, axis)


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """`input` with the elements of `src` added at the places `gather` would take them from (torch.scatter_add)."""
    axis = one_dim("scatter_add", dim, input.ndim)
    _same_dims("scatter_add", input, index)
    _check_index("scatter_add", index, input.shape[axis] if input.ndim else 1)
    part = src if src.shape == index.shape else src[tuple(slice(n) for n in index.shape)]
    return input + scatter_(part, index, axis, input.shape)


def _same_dims(op: str, input: Any, index: Any) -> None:
    if index.ndim != input.ndim:
        raise DimError(f"{op}: index has {index.ndim} dims, but input has {input.ndim}")


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices of `input` along `dim` at the positions in `index`, 1-d (torch.index_select)."""
    axis = one_dim("index_select", dim, input.ndim)
    _check_index("index_select", index, input.shape[axis])
    return index_(input, *(slice(None),) * axis, index)


@public()
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Elements of `input` at `indices` along `dim`, the other dims broadcast; without `dim`, of all (torch.take_along_dim)."""
    if dim is None:
        return gather_(np.reshape(input, (-1,)), np.reshape(indices, (-1,)), 0)
    axis = one_dim("take_along_dim", dim, input.ndim)
    _same_dims("take_along_dim", input, indices)
    rest = [v.shape[:axis] + v.shape[axis + 1 :] for v in (input, indices)]
    if rest[0] != rest[1]:
        both = np.broadcast_shapes(*rest)
        input, indices = (np.broadcast_to(v, (*both[:axis], v.shape[axis], *both[axis:])) for v in (input, indices))
    return gather_(input, indices, axis)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """`input` with `value`, made to be of its dtype, where `mask` holds (torch.masked_fill)."""
    if getattr(mask, "dtype", None) != np.dtype(bool):
        raise DtypeError(f"masked_fill: mask must hold booleans, not {getattr(mask, 'dtype', type(mask).__name__)}")
    if result_type(input, value) != input.dtype:
        value = astype(value if hasattr(value, "dtype") else np.asarray(value), input.dtype)
    return choose(mask, value, input)


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


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The `k` largest (or smallest) values along `dim` in order, and where they are (torch.topk)."""
    axis = one_dim("topk", dim, input.ndim)
    if not 0 <= k <= input.shape[axis]:
        raise ArgumentError(f"topk: k is {k}, but dim {dim} has length {input.shape[axis]}")
    indices = argsort(input, axis, descending=largest)[(*(slice(None),) * axis, slice(k))]
    return ValuesIndices(gather_(input, indices, axis), indices)


@numpy_names
def _take(input: Any, indices: Any, dim: int | None = None) -> Any:
    """np.take: the slices at any array of positions, of the flattened tensor without `dim`."""
    if dim is None:
        return index_(np.reshape(input, (-1,)), np.asarray(indices) if not isinstance(indices, Tensor) else indices)
    return index_(
        input,
        *(slice(None),) * one_dim("take", dim, input.ndim),
        np.asarray(indices) if not isinstance(indices, Tensor) else indices,
    )


NUMPY |= {
    np.take: _take,
    np.take_along_axis: lambda arr, indices, axis=-1: take_along_dim(arr, indices, axis),
    np.sort: lambda a, axis=-1, kind=None, order=None, stable=None: sort(a, axis).values,
    np.argsort: lambda a, axis=-1, kind=None, order=None, stable=None: argsort(a, axis),
}
