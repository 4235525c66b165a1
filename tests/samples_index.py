"""The records of indexing, gathering, scattering, sorting and searching, which samples.py takes in."""

from itertools import combinations, combinations_with_replacement

import numpy as np
from samples import FUNCTIONS, Sample, added, along, assigned, at, basic, fancy, in_place, written
from strategies import BOOL, TIED, WHOLE, call

from autograd.api import index


# ---------------------------------------------------------------- how calls are drawn
def no_numbers(make):
    """An index with arrays has slices where it had integers, which PyTorch and NumPy place differently; see test_indexing.py."""

    def drawn(s, shape):
        found = make(s, shape)
        arrays = any(hasattr(i, "dtype") for i in found)
        return tuple(slice(i, i + 1 or None) if arrays and isinstance(i, int) else i for i in found)

    return drawn


def distinct(s, rows, length):
    """For each row some positions along a dim of this length, none of them twice."""
    k = s.between(0, length)
    return np.argsort(s.rng.random((*rows, length)), -1)[..., :k]


def put_once(s):
    """An array, a dim, distinct positions along it, and what to put there."""
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    rest = tuple(s.pick(n, 1) for d, n in enumerate(x.shape) if d != dim % x.ndim)
    positions = s._lay(np.moveaxis(distinct(s, rest, x.shape[dim]), -1, dim))
    return x, dim, positions


def scattered(s):
    x, dim, positions = put_once(s)
    return call(x, dim, positions, s.pick(s.array(positions.shape), s.number()))


def reduced(s):
    """Positions that repeat; of 1 and 2 integers, whose products do not overflow."""
    shape = s.shape(1, dims=(1, 3))
    dim = s.dim(len(shape))
    many = tuple(s.between(0, 5) if d == dim % len(shape) else s.pick(n, 1) for d, n in enumerate(shape))
    options = s.some({"include_self": [False, True]})
    how = s.pick("sum", "prod", "mean", "amax", "amin")
    return call(s.array(shape), dim, s.positions(many, shape[dim]), s.array(many), how, **options)


def by_slices(once, **options):
    """An array, a dim, positions along it, and slices to put there."""

    def make(s):
        x = s.array(s.shape(1, dims=(1, 3)))
        dim = s.dim(x.ndim)
        n = x.shape[dim]
        positions = s._lay(distinct(s, (), n)) if once else s.positions((s.pick(3, 1, 5, 0),), n)
        shape = list(x.shape)
        shape[dim] = len(positions)
        return call(x, dim, positions, s.array(tuple(shape)), **s.some(options))

    return make


def slices_reduced(s):
    c = by_slices(False)(s)
    return call(*c.args, s.pick("prod", "mean", "amax", "amin"), **s.some({"include_self": [False, True]}))


def filled_slices(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    return call(x, dim, s.positions((s.pick(2, 1, 0),), x.shape[dim]), s.pick(s.number(), s.array()))


def put(s):
    """An array, a tuple of tensors that index it, and values: distinct places, or, if they are added up, any."""
    x = s.array(s.shape(1, dims=(1, 3)))
    many = s.shape(dims=(0, 2))
    add = s.pick(False, True)
    masks = ((s.array(x.shape, BOOL),), (s.array(x.shape[:1], BOOL),))
    again = ((s.positions(many, x.shape[0], negative=True),), tuple(s.positions(s.stretchable(many), n) for n in x.shape))
    indices = s.pick(*masks, *(again if add else [(s._lay(distinct(s, (), x.shape[0])),)]))
    hit = x[indices].shape
    return call(x, indices, s.array(s.pick(hit, s.stretchable(hit))), *([True] if add else []))


def masked(s):
    shape = s.shape()
    x, mask = s.array(s.stretchable(shape)), s.array(shape, BOOL)
    return call(*s.pick((x, mask), (s.array(shape), s.array(s.stretchable(shape), BOOL))))


def mask_filled(s):
    c = masked(s)
    n = np.count_nonzero(np.broadcast_arrays(*c.args)[1])
    return call(*c.args, s.array(s.pick((n,), (n + 2,), (2, n))))


def in_sequence(s):
    """A sequence in order, or one for each row of what is sought in it."""
    v = s.array(s.shape(dims=(0, 3)), TIED)
    rows = v.shape[:-1] if v.ndim and 0 not in v.shape and s.pick(True, False) else ()
    x = np.sort(s.array((*rows, s.between(0, 5)), TIED), axis=-1)
    return call(
        x, s.pick(v, s.number()) if x.ndim == 1 else v, **s.pick({}, {"right": True}, {"side": "right"}, {"side": "left"})
    )


def in_any_order(s):
    x = s.array((4,))
    return call(x, s.array((3,)), sorter=np.argsort(x))


def members(s):
    x, y = s.array(s.shape(), WHOLE), s.array(s.shape(), WHOLE)
    return call(*s.pick((x, y), (x, 1), (1, y)), **s.some({"invert": [True]}))


# ---------------------------------------------------------------- references
def put_at(x, dim, positions, src):
    part = src if np.ndim(src) == 0 else src[tuple(map(slice, positions.shape))]
    return assigned(x, part, *along(positions, dim % x.ndim))


def reduce_at(x, dim, positions, src, how, include_self=True):
    """One list for each place."""
    f = {"sum": sum, "prod": np.prod, "mean": np.mean, "amax": max, "amin": min}[how]
    found = {i: [x[i]] if include_self else [] for i in np.ndindex(x.shape)}
    for i, j in zip(
        np.ndindex(positions.shape), zip(*(np.ravel(a) for a in along(positions, dim % x.ndim)), strict=True), strict=True
    ):
        found[tuple(map(int, j))].append(src[i])
    out = x.copy()
    for i, values in found.items():
        out[i] = np.floor(f(values)) if x.dtype.kind in "iu" and values else f(values) if values else x[i]
    return out


def at_slices(function, x, dim, positions, source, **options):
    return np.moveaxis(function(np.moveaxis(x, dim, 0), np.moveaxis(source, dim, 0), positions, **options), 0, dim)


def put_everywhere(x, indices, values, accumulate=False):
    return (added if accumulate else assigned)(x, values, *indices)


def fill_mask(x, mask, source):
    x, mask = (np.array(v) for v in np.broadcast_arrays(x, mask))
    x[mask] = source.ravel()[: np.count_nonzero(mask)]
    return x


def places(x, v, right=False, side="left", sorter=None):
    side = "right" if right else side
    if x.ndim == 1:
        return np.searchsorted(x, v, side, sorter)
    return np.reshape([np.searchsorted(x[i], v[i], side) for i in np.ndindex(v.shape[:-1])], v.shape)


def put_flat(s):
    """An array, positions in it, none of them twice, and as many values; or, to be added, any positions."""
    x = s.array(s.shape(1))
    if s.pick(True, False):
        many = s.shape()
        return call(x, s.positions(many, x.size, negative=True), s.array(many), True)
    at = s._lay(distinct(s, (), x.size))
    return call(x, at, s.array(at.shape))


def part(*choices):
    """An array, one of the parts that an index shows, and what to put there."""

    def make(s):
        x = s.array(s.shape(1, dims=(1, 3)))
        dim = s.dim(x.ndim)
        index = s.pick(*choices)
        seen = np.moveaxis(x, dim, 0)[slice(*index) if isinstance(index, tuple) else index]
        seen = np.moveaxis(seen, 0, dim) if isinstance(index, tuple) else seen
        return call(x, s.array(seen.shape), dim, *(index if isinstance(index, tuple) else (index,)))

    return make


def replace_part(x, src, dim, *index):
    return np.moveaxis(
        assigned(
            np.moveaxis(x, dim, 0),
            np.moveaxis(src, dim, 0) if len(index) > 1 else src,
            slice(*index) if len(index) > 1 else index[0],
        ),
        0,
        dim,
    )


def on_diagonal(s):
    x = s.array(s.shape(1, dims=(2, 3)))
    dims = s.rng.permutation(x.ndim)[:2].tolist()
    offset = s.between(-2, 2)
    return call(x, s.array(np.diagonal(x, offset, *dims).shape), offset, *dims)


def replace_diagonal(x, src, offset, dim1, dim2):
    out = x.copy()
    seen = np.moveaxis(out, (dim1, dim2), (0, 1))
    for i in range(src.shape[-1]):
        seen[i + max(-offset, 0), i + max(offset, 0)] = src[..., i]
    return out


def strided(s):
    """An array in order in memory, and sizes, strides and an offset that stay within it."""
    x = np.ascontiguousarray(s.array((s.between(6, 9),)))
    return call(
        x, *s.pick(((2, 3), (3, 1)), ((3, 2), (1, 1)), ((2, 2), (0, 2), 1), ((3,), (2,), 1), ((), (), 2), ((2, 0), (5, 9)))
    )


def strided_apart(s):
    x = np.ascontiguousarray(s.array((s.between(6, 9),)))
    size, *rest = s.pick(((2, 3), (3, 1)), ((3,), (2,), 1), ((), (), 2), ((2, 2), (1, 3), 1))
    return call(x, s.array(size), size, *rest)


def elements(size, stride, offset):
    return offset + np.tensordot(np.array(stride, int), np.indices(size), 1) if size else np.array(offset)


def replace_elements(x, src, size, stride, offset=0):
    return assigned(x, src, elements(size, stride, offset))


class InOrder:
    """`function` of a tensor with memory of its own, in order, as it demands; to be found as `function`."""

    def __init__(self, function):
        self.function, self.__name__ = function, function.__name__

    def __call__(self, x, *args, **kwargs):
        x = x.clone().contiguous() if hasattr(x, "clone") else x
        return self.function(x, *args, **kwargs)

    def __eq__(self, other):
        return other is self or other is self.function

    def __hash__(self):
        return hash(self.function)


# fmt: off
SAMPLES = [
    # ---- x[...] and x[...] = y
    Sample("getitem", lambda s: at(basic)(s) if s.pick(True, False) else at(no_numbers(fancy), 1, (1, 3))(s), lambda x, i: x[i], index.getitem),
    Sample("__setitem__", lambda s: written(s, no_numbers), lambda x, i, v: assigned(x, v, *i), in_place("__setitem__")),
    Sample("index_put", put, put_everywhere),
    Sample("masked_select", masked, lambda x, mask: (v := np.broadcast_arrays(x, mask))[0][v[1]]),
    Sample("masked_scatter", mask_filled, fill_mask),
    Sample("take", lambda s: call(x := s.array(s.shape(1)), s.positions(s.shape(), x.size, negative=True)), lambda x, i: x.ravel()[i]),
    Sample("torch.put", put_flat, lambda x, i, v, accumulate=False: (added if accumulate else assigned)(x.ravel(), v.ravel(), i.ravel()).reshape(x.shape), FUNCTIONS["put"]),
    Sample("combinations", lambda s: call(s.array((s.between(0, 4),)), s.between(0, 3), s.pick(False, True)),
           lambda x, r, again: np.array(list((combinations_with_replacement if again else combinations)(x, r)), x.dtype).reshape(-1, r) if r else x[:0]),
    Sample("unravel_index", lambda s: call(s.positions(s.shape(), 6), s.pick((2, 3), (6,), (3, 1, 2), [1, 6])), np.unravel_index, smooth=False),
    # ---- a part, and memory with other strides
    Sample("slice_scatter", part((0, 1, 1), (1, None, 1), (None, None, 2), (-1, 9, 1)), replace_part),
    Sample("select_scatter", part(0, -1), replace_part),
    Sample("diagonal_scatter", on_diagonal, replace_diagonal),
    Sample("as_strided", strided, lambda x, size, stride, offset=0: x[elements(size, stride, offset)], InOrder(FUNCTIONS["as_strided"])),
    Sample("as_strided_scatter", strided_apart, replace_elements, InOrder(FUNCTIONS["as_strided_scatter"])),
    # ---- along a dim
    Sample("scatter", scattered, put_at),
    Sample("scatter_reduce", reduced, reduce_at),
    Sample("scatter_extreme", lambda s: (c := by_slices(False)(s), call(x := c.args[0].ravel(), v := c.args[3].ravel(), s.positions(v.shape, x.size), 0, s.pick(True, False)))[1],
           lambda x, v, i, dim, largest: reduce_at(x, dim, i, v, "amax" if largest else "amin")),
    Sample("index_add", by_slices(False, alpha=[2, -0.5]), lambda x, dim, i, v, alpha=1: at_slices(lambda x, v, i: added(x, x.dtype.type(alpha) * v, i), x, dim, i, v)),
    Sample("index_copy", by_slices(True), lambda x, dim, i, v: at_slices(assigned, x, dim, i, v)),
    Sample("index_reduce", slices_reduced, lambda x, dim, i, v, how, include_self=True: reduce_at(x, dim, np.broadcast_to(i.reshape(-1, *(1,) * (x.ndim - 1 - dim % x.ndim)), v.shape), v, how, include_self),
           exempt={"PyTorch": "its own warns that it may change; test_indexing.py compares with it"}),
    Sample("index_fill", filled_slices, lambda x, dim, i, v: np.moveaxis(assigned(np.moveaxis(x, dim, 0), v, i), 0, dim)),
    # ---- order and places
    Sample("msort", lambda s: call(s.array(s.shape())), lambda x: np.sort(x, 0) if x.ndim else x),
    Sample("searchsorted", lambda s: s.pick(in_sequence, in_sequence, in_any_order)(s), places, smooth=False),
    Sample("bucketize", lambda s: call(s.pick(s.array(s.shape(), TIED), s.number()), np.sort(s.array((s.between(0, 5),), TIED)), **s.some({"right": [True]})),
           lambda v, x, right=False: np.searchsorted(x, v, "right" if right else "left"), smooth=False),
    Sample("isin", members, np.isin, smooth=False),
    Sample("argwhere", lambda s: call(s.array(s.shape(), TIED)), np.argwhere, smooth=False),
    Sample("nonzero", lambda s: call(s.array(s.shape(), TIED), **s.some({"as_tuple": [True, False]})), lambda x, as_tuple=False: np.nonzero(np.atleast_1d(x)) if as_tuple else np.argwhere(x), smooth=False),
    Sample("np.nonzero", lambda s: call(s.array(s.shape(dims=(1, 3)), TIED)), np.nonzero, np.nonzero, smooth=False),
    Sample("np.searchsorted", lambda s: call(np.sort(s.array((s.between(0, 5),), TIED)), s.array(s.shape(), TIED), s.pick("left", "right")), np.searchsorted, np.searchsorted, smooth=False),
]
# fmt: on
