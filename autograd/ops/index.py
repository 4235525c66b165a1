"""Indexing ops: parts of a tensor by slices, positions and masks, and putting values there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..engine.accumulate import FEW, MANY, total, total_at
from ..engine.graph import Array, memory
from ..engine.inplace import see
from ..engine.primitive import primitive
from ..errors import InPlaceError
from .common import in_order

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
        if type(x) is np.ndarray and sides[0] == 1 and sides[1] >= ROW and LARGE <= x.size <= MANY * out.size:
            at = np.reshape(_positive(index[arrays[0]], shape[axis]), (-1,))
            _add_rows(np.reshape(out, (shape[axis], -1)), at, np.reshape(x, (at.size, -1)))
            return out
        before, after = (np.arange(n, like=out) for n in sides)
        at = np.reshape(_positive(index[arrays[0]], shape[axis]), (-1, 1))
        _at(np.add, out, [np.reshape(before, (-1, 1, 1)), at, after], (sides[0], shape[axis], sides[1]), x)
    else:
        many = x.dtype == np.float32 and x.size > MANY * out.size  # these are added in double precision, as by total_at
        sums, x = (np.astype(v, np.float64) if many else v for v in (out, x))
        np.add.at(sums, index, x)
        return np.astype(sums, out.dtype, copy=False)
    return out


ROW, LARGE = 8, 2**16  # from so many elements in a row, and in all, it pays to go through them as rows


def _add_rows(out: Array, at: Array, x: Array) -> None:
    """Put the rows of `x`, added where they come to the same place, into `out`, which is 0: the first of each place, to which
    the second is added, then the third, as long as there are some; no place comes twice at a time, so `take` and `add` serve.

    The order is that of np.add.at, which takes three times as long. The many that come to few places are a `total` each.
    """
    order = np.argsort(
        at.astype(np.uint16) if len(out) <= 2**16 else at, kind="stable"
    )  # 16 bits are sorted several times faster
    places = at[order]
    first = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    counts = np.diff(first, append=at.size)
    most = np.argsort(-counts, kind="stable")  # so that those with a next row are the first ones
    first, counts = first[most], counts[most]
    sums = x.take(order[first], 0)
    left = len(first)
    for turn in range(1, int(counts[0])):
        left = int(np.searchsorted(-counts, -turn))  # how many have more than `turn` rows
        if turn >= FEW or left < 4:
            break
        sums[:left] += x.take(order[first[:left] + turn], 0)
    else:
        left = 0
    for k in range(left):
        sums[k] = total(x.take(order[first[k] : first[k] + counts[k]], 0), (0,))
    out[places[first]] = sums


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
    taken = getindex(g, *index) if any(hasattr(i, "dtype") for i in index) else getslice(g, index)
    return _assigned(taken * last_written(g, *index) if any(map(_repeats, index)) else taken, v_shape)


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


def strided_places(size: Index, stride: Index, offset: int, like: Any) -> Array:
    """Which element of flat memory stands where, in an array of this size."""
    place = offset + np.zeros_like(like, shape=size, dtype=np.int64)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        place = place + np.reshape(step * np.arange(n, like=like), (n,) + (1,) * (len(size) - 1 - axis))
    return place


def _strided(x: Array, size: Index, stride: Index, offset: int) -> Array:
    places, flat = strided_places(size, stride, offset, x), np.reshape(x, (-1,))
    if type(x) is not np.ndarray or not x.flags.c_contiguous or not places.size:
        return flat[places]
    shared = np.unique(places).size < places.size  # then no element has a place of its own, to be written
    return as_strided(flat[offset:], size, [n * x.itemsize for n in stride], writeable=x.flags.writeable and not shared)


def _pull_strided(g: Array, x_shape: Index, size: Index, stride: Index, offset: int) -> Array:
    """Where windows overlap, an element gets the sum of what comes to all its places."""
    places = strided_places(size, stride, offset, getattr(g, "array", g))
    return np.reshape(unindex(np.reshape(g, (-1,)), (prod(x_shape),), np.reshape(places, (-1,))), x_shape)


def _scatter_extreme(x: Array, src: Array, index: Array, axis: int, largest: bool) -> Array:
    out = np.copy(x, order="C")
    index = _positive(index, x.shape[axis] if x.shape else 1)
    _at(np.maximum if largest else np.minimum, out, grid(index, axis), x.shape, src)
    return out


def _share(g: Array, x: Array, src: Array, out: Array, index: Array, axis: int) -> Array:
    """The gradient of each extreme over the number of elements that tie for it; a NaN ties with nothing."""
    tied = np.astype(x == out, out.dtype)
    tied = tied + ungather(np.astype(src == gather(out, index, axis), out.dtype), index, axis, np.shape(x))
    return g / (tied + (tied == 0))


# fmt: off
getslice   = primitive(_slice, "slice",            x=lambda g, x_shape, index: unslice(g, index, x_shape), view=True,
            says="The part of x at an index of numbers and slices (torch.Tensor.__getitem__).")
unslice: Any = primitive(_unslice, "unslice",   x=lambda g, index: getslice(g, index), moves=True,
            says="Zeros of a shape with x at an index of numbers and slices: the adjoint of slice (torch.slice_scatter).")
getindex   = primitive(in_order(_index), "index",  x=lambda g, x_shape, index: unindex(g, x_shape, *index), moves=True,
            says="The elements of x at an index with arrays in it (torch.Tensor.__getitem__).")
unindex: Any = primitive(_unindex, "unindex",   x=lambda g, index: getindex(g, *index),
            says="Zeros of a shape with x added at an index with arrays in it: the adjoint of index (torch.index_put).")
setitem: Any = primitive(in_order(_setitem), "setitem", x=lambda g, index: setitem(g, 0, *index), v=_pull_value, moves=True,
            says="A copy of x with v at an index (torch.index_put).")
last_written: Any = primitive(_last, "last_written",
            says="1 where an assignment to x[index] is the last to its element, 0 where a later one overwrites it.")
written: Any = primitive(_written, "written",   x=lambda g, path, order: written(g, 0, path, order), v=lambda g, v_shape, path: _assigned(see(g, path), v_shape), moves=True,
            says="A copy of x with v in the part that a path of views leads to (torch.Tensor.copy_).")
gather  = primitive(in_order(_gather), "gather", x=lambda g, x_shape, index, axis: ungather(g, index, axis, x_shape), moves=True,
            says="The elements of x at positions along an axis, one for each element of index (torch.gather).")
ungather: Any = primitive(_ungather, "ungather", x=lambda g, index, axis: gather(g, index, axis),
            says="Zeros of a shape with x added at positions along an axis: the adjoint of gather (torch.scatter_add).")
scatter_extreme = primitive(_scatter_extreme, "scatter_extreme",
                                                 x=lambda g, x, src, out, index, axis: _share(g, x, src, out, index, axis) * (x == out),
                                                 src=lambda g, x, src, out, index, axis: gather(_share(g, x, src, out, index, axis), index, axis) * (src == gather(out, index, axis)),
            kink="elements that tie for an extreme share equally",
            says="x with the extreme of each element and of those of src that fall on it (torch.scatter_reduce).")
strided    = primitive(_strided, "as_strided",     x=_pull_strided, view=True,
            says="The elements of x, in order in memory, from an offset on by strides (torch.as_strided).")
one_hot = primitive(lambda labels, n, dtype: np.astype(np.expand_dims(labels, -1) == np.arange(n, like=labels), dtype), "one_hot", moves=True,
            says="Rows of zeros with a 1 where the labels say (torch.nn.functional.one_hot).")
# fmt: on
