"""Shape ops: the same elements in another arrangement, several tensors in one, one in several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..graph import Array
from ..primitive import primitive
from ..tensor import NUMPY
from .common import Dims, numpy_names, one_dim, public, some_dims

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table
def _split(x: Array, ends: Axis, axis: int) -> tuple[Array, ...]:
    lead = (slice(None),) * axis
    return tuple(x[(*lead, slice(a, b))] for a, b in zip((0, *ends), (*ends, x.shape[axis]), strict=True))


def _unbind(x: Array, axis: int) -> tuple[Array, ...]:
    lead = (slice(None),) * axis
    return tuple(x[(*lead, i, ...)] for i in range(x.shape[axis]))


def filled(gs: Sequence[Any], shapes: Sequence[Axis]) -> list[Any]:
    """The gradients of several results, zeros for those that nobody used."""
    some = next(g for g in gs if g is not None)
    return [np.zeros_like(some, shape=shape) if g is None else g for g, shape in zip(gs, shapes, strict=True)]


def _pull_concatenate(g: Array, axis: int, xs_shape: list[Axis]) -> list[Any]:
    ends = np.cumsum([shape[axis] for shape in xs_shape])[:-1].tolist()
    return [None, *split_(g, tuple(ends), axis)]


def _undiagonal(x: Array, shape: Axis, offset: int, axis1: int, axis2: int) -> Array:
    out = np.zeros_like(x, shape=shape)
    rest = tuple(n for i, n in enumerate(shape) if i not in (axis1, axis2))
    grid = list(np.ogrid[tuple(slice(n) for n in (*rest, x.shape[-1]))])
    step = grid.pop()
    index = [
        grid.pop(0) if i not in (axis1, axis2) else step + max(0, -offset if i == axis1 else offset) for i in range(len(shape))
    ]
    out[tuple(index)] = x
    return out


# fmt: off
reshape_     = primitive(lambda x, shape: np.reshape(x, shape), "reshape",               x=lambda g, x_shape: np.reshape(g, x_shape))
permute_     = primitive(lambda x, axes: np.transpose(x, axes), "permute",               x=lambda g, axes: np.transpose(g, tuple(np.argsort(axes).tolist())))
swapaxes_    = primitive(lambda x, a, b: np.swapaxes(x, a, b), "transpose",              x=lambda g, a, b: np.swapaxes(g, a, b))
broadcast_   = primitive(lambda x, shape: np.broadcast_to(x, shape), "expand",           x=lambda g: g)
concatenate_ = primitive(lambda axis, *xs: np.concatenate(xs, axis), "concatenate",      joint=_pull_concatenate, promote=slice(1, None))
stack_       = primitive(lambda axis, *xs: np.stack(xs, axis), "stack",                  joint=lambda g, axis: [None, *unbind_(g, axis)], promote=slice(1, None))
split_: Any = primitive(_split, "split",                                                x=lambda g, axis, out_shape: np.concatenate(filled(g, out_shape), axis))
unbind_: Any = primitive(_unbind, "unbind",                                              x=lambda g, axis, out_shape: np.stack(filled(g, out_shape), axis))
flip_        = primitive(lambda x, axis: np.flip(x, axis), "flip",                       x=lambda g, axis: np.flip(g, axis))
roll_        = primitive(lambda x, shift, axis: np.roll(x, shift, axis), "roll",         x=lambda g, shift, axis: np.roll(g, tuple(-s for s in shift), axis))
tril_        = primitive(lambda x, k: np.tril(x, k), "tril",                             x=lambda g, k: np.tril(g, k))
triu_        = primitive(lambda x, k: np.triu(x, k), "triu",                             x=lambda g, k: np.triu(g, k))
diagonal_    = primitive(lambda x, offset, axis1, axis2: np.diagonal(x, offset, axis1, axis2), "diagonal", x=lambda g, x_shape, offset, axis1, axis2: undiagonal_(g, x_shape, offset, axis1, axis2))
undiagonal_: Any = primitive(_undiagonal, "undiagonal",                                      x=lambda g, offset, axis1, axis2: diagonal_(g, offset, axis1, axis2))
clone        = primitive(lambda x: np.copy(x), "clone",                                  x=lambda g: g)
# fmt: on


# ---------------------------------------------------------------- PyTorch's names and options
def _sizes(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The sizes of `x.reshape(2, 3)` and of `x.reshape((2, 3))`."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


@public(np.reshape)
def reshape(input: Any, *sizes: Any, shape: Any = None) -> Any:
    """The same elements in `shape`; one size may be -1, and follows from the others (torch.reshape).

    >>> import autograd
    >>> autograd.arange(6).reshape(2, -1).shape
    (2, 3)
    """
    return reshape_(input, _sizes(sizes if shape is None else (shape,)))


def view(input: Any, *shape: Any) -> Any:
    """As `reshape`; or, given a dtype, the tensor in that dtype's reading of the same bytes is refused (torch.Tensor.view)."""
    if len(shape) == 1 and not isinstance(shape[0], (int, tuple, list)):
        raise ArgumentError(f"view needs sizes, got {shape[0]!r}; use to() for another dtype")
    return reshape_(input, _sizes(shape))


@public(np.ravel)
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dims from `start_dim` to `end_dim` as one (torch.flatten)."""
    first, last = (one_dim("flatten", d, input.ndim) for d in (start_dim, end_dim))
    if first > last:
        raise ArgumentError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    shape = input.shape or (1,)
    size = int(np.prod(shape[first : last + 1]))
    return reshape_(input, (*shape[:first], size, *shape[last + 1 :]))


@public(np.squeeze)
def squeeze(input: Any, dim: Dims = None) -> Any:
    """Without the dims of length 1, or those of them in `dim` (torch.squeeze)."""
    axis = some_dims("squeeze", dim, input.ndim)
    return reshape_(input, tuple(n for i, n in enumerate(input.shape) if n != 1 or i not in axis))


@public()
def unsqueeze(input: Any, dim: int) -> Any:
    """With a new dim of length 1 at `dim` (torch.unsqueeze)."""
    axis = one_dim("unsqueeze", dim, input.ndim + 1)
    return reshape_(input, (*input.shape[:axis], 1, *input.shape[axis:]))


@numpy_names
def _expand_dims(input: Any, dim: Dims) -> Any:
    shape = list(input.shape)
    for d in sorted(some_dims("expand_dims", dim, input.ndim + (1 if isinstance(dim, int) else len(dim or ())))):
        shape.insert(d, 1)
    return reshape_(input, tuple(shape))


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """With two dims swapped (torch.transpose)."""
    return swapaxes_(input, one_dim("transpose", dim0, input.ndim), one_dim("transpose", dim1, input.ndim))


@public(np.permute_dims)
def permute(input: Any, *axes: Any, dims: Dims = None) -> Any:
    """With the dims in the order `dims` (torch.permute)."""
    order = some_dims("permute", _sizes(axes) if dims is None else dims, input.ndim)
    if len(order) != input.ndim:
        raise ShapeError(f"permute: {len(order)} dims were given for a tensor of {input.ndim}")
    return permute_(input, order)


def t(input: Any) -> Any:
    """A matrix transposed; fewer dims stay as they are (torch.t)."""
    if input.ndim > 2:
        raise ShapeError(f"t needs at most 2 dims, got {input.ndim}; use mT or permute")
    return input if input.ndim < 2 else swapaxes_(input, 0, 1)


@numpy_names
def _transpose(input: Any, dims: Any = None) -> Any:
    """np.transpose: all dims reversed, or in the order given."""
    return permute(input, tuple(range(input.ndim))[::-1] if dims is None else tuple(dims))


@public()
def movedim(input: Any, source: Dims, destination: Dims) -> Any:
    """With the dims `source` moved to the places `destination` (torch.movedim)."""
    a, b = (some_dims("movedim", d, input.ndim) for d in (source, destination))
    if len(a) != len(b):
        raise ArgumentError(f"movedim: {len(a)} dims cannot move to {len(b)} places")
    places = dict(zip(b, a, strict=True))
    rest = iter(d for d in range(input.ndim) if d not in a)
    return permute_(input, tuple(places[d] if d in places else next(rest) for d in range(input.ndim)))


def expand(input: Any, *sizes: Any) -> Any:
    """With dims of length 1 repeated to `sizes`, -1 for as they are; no memory is used (torch.Tensor.expand)."""
    wanted = _sizes(sizes)
    own = (1,) * (len(wanted) - input.ndim) + input.shape
    return broadcast_(
        input, tuple(n if w == -1 else w for w, n in zip(wanted, own[-len(wanted) :] if wanted else (), strict=True))
    )


@public(np.broadcast_to)
def broadcast_to(input: Any, shape: Any) -> Any:
    """With dims of length 1 repeated to `shape` (torch.broadcast_to)."""
    return broadcast_(input, tuple(shape) if isinstance(shape, (tuple, list)) else (shape,))


@public(np.concatenate)
def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors one after the other along `dim`; as in PyTorch an empty vector may join anything (torch.cat)."""
    tensors = list(tensors)
    if not tensors:
        raise ArgumentError("cat needs at least one tensor")
    shape = next((np.shape(v) for v in tensors if np.shape(v) != (0,)), (0,))
    axis = one_dim("cat", dim, len(shape))
    empty = (*shape[:axis], 0, *shape[axis + 1 :])
    return concatenate_(axis, *(np.reshape(v, empty) if np.shape(v) == (0,) != empty else v for v in tensors))


@public(np.stack)
def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors, all of one shape, along a new dim (torch.stack)."""
    tensors = list(tensors)
    if not tensors:
        raise ArgumentError("stack needs at least one tensor")
    return stack_(one_dim("stack", dim, np.ndim(tensors[0]) + 1), *tensors)


@public()
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts along `dim` of one size, the last perhaps smaller, or of the sizes in a list (torch.split)."""
    axis = one_dim("split", dim, tensor.ndim)
    n, sizes = tensor.shape[axis], split_size_or_sections
    if isinstance(sizes, int):
        if sizes <= 0:
            raise ArgumentError(f"split: the size of a part must be positive, got {sizes}")
        return split_(tensor, tuple(range(sizes, n, sizes)), axis)
    if sum(sizes) != n:
        raise ShapeError(f"split: sizes {list(sizes)} add up to {sum(sizes)}, but dim {dim} has length {n}")
    return split_(tensor, tuple(np.cumsum(sizes)[:-1].tolist()), axis)


@public()
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` parts of one size along `dim`, the last perhaps smaller (torch.chunk)."""
    if chunks <= 0:
        raise ArgumentError(f"chunk: the number of chunks must be positive, got {chunks}")
    n = input.shape[one_dim("chunk", dim, input.ndim)]
    return split(input, -(-n // chunks) or [0] * chunks, dim)


@public(np.unstack)
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along `dim`, without it (torch.unbind)."""
    return unbind_(input, one_dim("unbind", dim, input.ndim))


@public(np.flip)
def flip(input: Any, *axes: Any, dims: Dims = None, dim: Dims = None) -> Any:
    """With the elements along `dims` in reverse order (torch.flip); all dims if none is given (np.flip)."""
    given = _sizes(axes) if axes and axes[0] is not None else dim if dims is None else dims
    return flip_(input, some_dims("flip", given, input.ndim))


@public()
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """With the elements moved by `shifts` along `dims`, those that fall off coming in again (torch.roll)."""
    shifts = tuple(shifts) if isinstance(shifts, (tuple, list)) else (shifts,)
    if dims is None:
        return reshape_(roll_(reshape_(input, (-1,)), shifts, (0,)), input.shape)
    axis = some_dims("roll", dims, input.ndim)
    if len(shifts) != len(axis):
        raise ArgumentError(f"roll: {len(shifts)} shifts were given for {len(axis)} dims")
    return roll_(input, shifts, axis)


def repeat(input: Any, *sizes: Any) -> Any:
    """The whole tensor `sizes` times along each dim (torch.Tensor.repeat; np.tile)."""
    times = _sizes(sizes)
    if len(times) < input.ndim:
        raise ShapeError(f"repeat: {len(times)} numbers were given for a tensor of {input.ndim} dims")
    shape = (1,) * (len(times) - input.ndim) + input.shape
    pairs = [n for pair in zip(times, shape, strict=True) for n in pair]
    spread = broadcast_(reshape_(input, tuple(m for n in shape for m in (1, n))), tuple(pairs))
    return reshape_(spread, tuple(k * n for k, n in zip(times, shape, strict=True)))


@public(np.tile)
def tile(input: Any, *dims: Any) -> Any:
    """As `repeat`, with missing numbers taken as 1 (torch.tile)."""
    times = _sizes(dims)
    return repeat(input, (1,) * (input.ndim - len(times)) + tuple(times))


@public(np.tril)
def tril(input: Any, diagonal: int = 0, *, k: int | None = None) -> Any:
    """Zeros above the diagonal, or the `diagonal`-th above it (torch.tril)."""
    return tril_(input, diagonal if k is None else k)


@public(np.triu)
def triu(input: Any, diagonal: int = 0, *, k: int | None = None) -> Any:
    """Zeros below the diagonal, or the `diagonal`-th above it (torch.triu)."""
    return triu_(input, diagonal if k is None else k)


@public()
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal between two dims, as the last dim (torch.diagonal)."""
    return diagonal_(input, offset, one_dim("diagonal", dim1, input.ndim), one_dim("diagonal", dim2, input.ndim))


# ---------------------------------------------------------------- NumPy's spellings
NUMPY |= {
    np.transpose: _transpose,
    np.matrix_transpose: lambda x: swapaxes_(x, -2, -1),
    np.swapaxes: lambda a, axis1, axis2: transpose(a, axis1, axis2),
    np.moveaxis: lambda a, source, destination: movedim(a, source, destination),
    np.expand_dims: _expand_dims,
    np.split: lambda ary, indices_or_sections, axis=0: split(
        ary,
        list(np.diff([0, *indices_or_sections, ary.shape[axis]]))
        if isinstance(indices_or_sections, (list, tuple))
        else ary.shape[axis] // indices_or_sections,
        axis,
    ),
    np.roll: lambda a, shift, axis=None: roll(a, shift, axis),
    np.diagonal: lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2),
    np.copy: clone,
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: int(np.prod(a.shape)) if axis is None else a.shape[axis],
}
