"""Indexing ops: parts of a tensor by slices, positions and masks, and putting values there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..engine.accumulate import MANY, total_at
from ..engine.dtypes import result_type
from ..engine.graph import Array, memory, mode
from ..engine.inplace import Step, put, see, step_of
from ..engine.primitive import primitive
from ..engine.tensor import NUMPY, Tensor
from ..errors import AutogradError, DimError, DtypeError, InPlaceError, ShapeError, describe, explain
from .common import contiguous, for_users, in_order, one_dim
from .elementwise import astype, choose, maximum
from .join import broadcast_tensors
from .shape import broadcast_

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
    arrays = [i for i, v in enumerate(index) if _repeats(v)]
    if not arrays:
        out[index] = x
    elif len(arrays) == len(index) == len(shape):  # single elements
        _at(np.add, out, [_positive(i, n) for i, n in zip(index, shape, strict=True)], shape, x)
    elif len(arrays) == 1 and all(i is ... or (isinstance(i, slice) and i == slice(None)) for i in index if not _repeats(i)):
        axis = arrays[0] + (len(shape) - len(index) if ... in index[: arrays[0]] else 0)  # whole slices along one dim
        sides = prod(shape[:axis]), prod(shape[axis + 1 :])
        before, after = (np.arange(n, like=out) for n in sides)
        at = np.reshape(_positive(index[arrays[0]], shape[axis]), (-1, 1))
        _at(np.add, out, [np.reshape(before, (-1, 1, 1)), at, after], (sides[0], shape[axis], sides[1]), x)
    else:
        many = x.dtype == np.float32 and x.size > MANY * out.size  # these are added in double precision, as by total_at
        sums, x = (np.astype(v, np.float64) if many else v for v in (out, x))
        np.add.at(sums, index, x)
        return np.astype(sums, out.dtype, copy=False)
    return out


def _repeats(part: Any) -> bool:
    """Can this part of an index point at an element twice? A mask, a slice or a number cannot."""
    return hasattr(part, "dtype") and part.dtype.kind != "b"


def _positive(i: Array, n: int) -> Array:
    return i % n if i.size and np.min(i) < 0 else i


def _at(ufunc: np.ufunc, out: Array, index: Sequence[Array], shape: Index, x: Array) -> None:
    """`ufunc.at(out, index, x)` for positions in each dim: several times faster with those in the flat array."""
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    terms = [i * k if k != 1 else i for i, k in zip(index, strides, strict=True)]
    flat, *rest = sorted(terms, key=lambda term: term.size) or [np.zeros_like(out, dtype=np.int64)]
    for term in rest:  # from small to large: memory is taken once
        flat = flat + term
    (total_at if ufunc is np.add else ufunc.at)(np.reshape(out, (-1,)), np.reshape(flat, (-1,)), np.reshape(x, (-1,)))


def _in_order(index: Index, v: Any) -> tuple[Index, Any]:
    """`index` and `v` laid out in memory so that NumPy goes through them in order: of several values for one element the last stays."""
    if not any(map(_repeats, index)):
        return index, v
    lay = [
        a if not getattr(a, "shape", ()) or (hasattr(a, "flags") and a.flags.c_contiguous) else np.copy(a, "C")
        for a in (*index, v)
    ]
    return tuple(lay[:-1]), lay[-1]


def _setitem(x: Array, v: Array, *index: Any) -> Array:
    out = np.copy(x)
    index, v = _in_order(index, v)
    out[index] = v
    return out


def _pull_value(g: Array, v_shape: Index, index: Index) -> Array:
    """What was put at `index`, where it stayed."""
    taken = index_(g, *index) if any(hasattr(i, "dtype") for i in index) else slice_(g, index)
    return _assigned(taken * last_(g, *index) if any(map(_repeats, index)) else taken, v_shape)


def _assigned(part: Array, v_shape: Index) -> Array:
    """`part` with as many dims as the value that was assigned to it: ones in front of a shape are nothing to assignment."""
    return np.reshape(part, (1,) * (len(v_shape) - part.ndim) + part.shape) if len(v_shape) > part.ndim else part


def _written(x: Array, v: Array, path: Index, order: Index) -> Array:
    out = np.transpose(np.copy(np.transpose(x, order), "C"), sorted(range(len(order)), key=order.__getitem__))
    part = see(out, path)  # a view of it, as it was of what lies in this order
    if type(out) is np.ndarray and memory(part) is not memory(out):
        raise InPlaceError("written: a part of memory could not be found again in its gradient; clone() before this write")
    part[...] = v
    return out


def _last(x: Array, *index: Any) -> Array:
    """1 where an assignment to `x[index]` is the last to its element, 0 where a later one overwrites it."""
    order = np.zeros_like(x, dtype=np.int64)
    index, _ = _in_order(index, None)
    order[index] = turns = np.reshape(np.arange(order[index].size, like=order), order[index].shape)
    return np.astype(order[index] == turns, x.dtype)


def grid(index: Any, axis: int) -> Index:
    """The positions that `index`, an array of positions along `axis`, means in an array of as many dims."""
    if not index.ndim:  # the one element of a 0-d array has no position
        return ()
    like, n = getattr(index, "array", index), index.ndim
    mesh = [np.reshape(np.arange(k, like=like), (-1, *(1,) * (n - 1 - d))) for d, k in enumerate(index.shape)]
    mesh[axis] = index
    return tuple(mesh)


def _gather(x: Array, index: Array, axis: int) -> Array:
    return x[grid(index, axis)]


def _ungather(x: Array, index: Array, axis: int, shape: Index) -> Array:
    out = np.zeros_like(x, shape=shape, order="C")
    if x.size < 1000:  # few are added faster as they are
        np.add.at(out, grid(index, axis), x)
    else:
        _at(np.add, out, grid(_positive(index, shape[axis]), axis), shape, x)
    return out


def _scatter_extreme(x: Array, src: Array, index: Array, axis: int, largest: bool) -> Array:
    out = np.copy(x, order="C")
    index = _positive(index, x.shape[axis] if x.shape else 1)
    _at(np.maximum if largest else np.minimum, out, grid(index, axis), x.shape, src)
    return out


def _share(g: Array, x: Array, src: Array, out: Array, index: Array, axis: int) -> Array:
    """The gradient of each extreme over the number of elements that tie for it; a NaN ties with nothing."""
    tied = np.astype(x == out, out.dtype)
    tied = tied + ungather_(np.astype(src == gather_(out, index, axis), out.dtype), index, axis, np.shape(x))
    return g / (tied + (tied == 0))


# fmt: off
slice_   = primitive(_slice, "slice",            x=lambda g, x_shape, index: unslice_(g, index, x_shape), view=True)
unslice_: Any = primitive(_unslice, "unslice",   x=lambda g, index: slice_(g, index), moves=True)
index_   = primitive(in_order(_index), "index",  x=lambda g, x_shape, index: unindex_(g, x_shape, *index), moves=True)
unindex_: Any = primitive(_unindex, "unindex",   x=lambda g, index: index_(g, *index))
setitem_: Any = primitive(in_order(_setitem), "setitem", x=lambda g, index: setitem_(g, 0, *index), v=_pull_value, moves=True)
last_: Any = primitive(_last, "last_written")
written_: Any = primitive(_written, "written",   x=lambda g, path, order: written_(g, 0, path, order), v=lambda g, v_shape, path: _assigned(see(g, path), v_shape), moves=True)
gather_  = primitive(in_order(_gather), "gather", x=lambda g, x_shape, index, axis: ungather_(g, index, axis, x_shape), moves=True)
ungather_: Any = primitive(_ungather, "ungather", x=lambda g, index, axis: gather_(g, index, axis))
scatter_extreme_ = primitive(_scatter_extreme, "scatter_extreme",
                                                 x=lambda g, x, src, out, index, axis: _share(g, x, src, out, index, axis) * (x == out),
                                                 src=lambda g, x, src, out, index, axis: gather_(_share(g, x, src, out, index, axis), index, axis) * (src == gather_(out, index, axis)))
one_hot_ = primitive(lambda labels, n, dtype: np.astype(np.expand_dims(labels, -1) == np.arange(n, like=labels), dtype), "one_hot", moves=True)
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
        return slice_(input, parts)
    if (steps := _numbers_first(parts)) is not None:
        return index_(getitem(input, steps[0]), *steps[1])
    return index_(input, *parts)


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
            put(input, "x[...] = y", raw, value, path=(step_of(slice_, raw),))
        else:
            put(
                input,
                "x[...] = y",
                raw,
                value if v is getattr(value, "array", v) else np.copy(value, "C"),
                scatter=(setitem_, *raw),
            )
    except (IndexError, ValueError, TypeError) as error:
        if isinstance(error, AutogradError):
            raise
        raise explain("setitem", ["x", "v", "*index"], [input.array, v, *raw], error) from error


def _is_part(value: Any, input: Tensor, index: Index) -> bool:
    """Is `value` what `input[index]` gave, a view that hears of writes?"""
    step = getattr(value, "_link", None)
    if not isinstance(step, Step) or step.op is not slice_:
        return False
    if step.base is not input if step.parents is None else step.parents is not getattr(input, "_link", None):
        return False
    return step.args == (index,) and (step.recorded or not mode().grad)


# ---------------------------------------------------------------- what the arguments must be
def check_index(op: str, index: Any, length: int, least: int = 0) -> None:
    array = getattr(index, "array", index)
    if not hasattr(array, "dtype"):
        raise DtypeError(f"{op}: index must be a tensor, not {describe(index)}")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{op}: index must hold integers, not {array.dtype}")
    if array.size and not (np.min(array) >= least and np.max(array) < length):
        raise DimError(f"{op}: index holds {np.min(array)} to {np.max(array)}, but the dim has length {length}")


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
        return setitem_(input, values, *parts)
    met = index_(input.detach(), *parts).shape
    return input + unindex_(broadcast_(values, met), input.shape, *parts)


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
    return index_(input, mask)


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
    return contiguous(choose(mask, np.reshape(index_(np.reshape(source, (-1,)), turn), input.shape), input))


def take(input: Any, index: Any) -> Any:
    """The elements at these positions in the flattened tensor, in the shape of `index` (torch.take).

    >>> import autograd
    >>> autograd.tensor([[1, 2], [3, 4]]).take(autograd.tensor([0, -1]))
    tensor([1, 4])
    """
    size = prod(input.shape)
    check_index("take", index, size, -size)
    return index_(np.reshape(input, (-1,)), index)


# ---------------------------------------------------------------- NumPy's spellings
@for_users
def _take(input: Any, indices: Any, dim: int | None = None) -> Any:
    """np.take: the slices at any array of positions, of the flattened tensor without `dim`."""
    indices = indices if isinstance(indices, Tensor) else np.asarray(indices)
    if dim is None:
        return index_(np.reshape(input, (-1,)), indices)
    return index_(input, *(slice(None),) * one_dim("take", dim, input.ndim), indices)


NUMPY[np.take] = _take
