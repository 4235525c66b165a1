"""The records of shape ops, of joining and of splitting, which samples.py takes in."""

import numpy as np
from samples import Sample, undiagonal
from strategies import WHOLE, call, shaped

from autograd import Tensor
from autograd.transforms.batch import Level
from autograd.transforms.batching import enter_, leave_, spread_, total_

NO_INPUT = {"foreign": "no array goes in"}


# ---------------------------------------------------------------- how calls are drawn
def one(least=0, dims=(0, 3), **options):
    """An array with so many dims of such lengths, and some of the options."""
    return lambda s: call(s.array(s.shape(least, dims)), **s.some(options))


def unflattened(s):
    x = s.array(s.shape(dims=(1, 3)))
    dim = s.dim(x.ndim)
    n = x.shape[dim]
    return call(x, dim, s.pick((n,), (1, n), (n, 1, 1), [-1, 1], *[(-1, n), (n, -1)] * (n > 0)))


def like(shape_of):
    """An array, and another of whose shape it is to be."""
    return lambda s: (x := s.array(s.shape(1)), call(*shape_of(s, x)))[1]


def summable(s):
    x = s.array(s.shape())
    return call(x, s.stretchable(x.shape))


def windowed(s):
    x = s.array(s.shape())
    dim = s.dim(x.ndim)
    return call(x, dim, s.between(0, x.shape[dim] if x.ndim else 1), s.pick(1, 2, 3))


def part(s):
    x = s.array(s.shape(dims=(1, 3)))
    dim = s.dim(x.ndim)
    n = x.shape[dim]
    start = s.between(0, n)
    return call(x, dim, start - n * s.pick(0, start < n), s.between(0, n - start))


def chosen(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    return call(x, dim, s.dim(x.shape[dim]))


def turned(s):
    x = s.array(s.shape(dims=(2, 3)))
    dims = s.rng.permutation(x.ndim)[:2].tolist()
    return call(x, s.between(-5, 5), *s.pick([], [tuple(dims)], [[dims[0], dims[1] - x.ndim]]))


def embedded(s):
    x = s.array(s.shape(dims=(1, 2)))
    first, second = s.rng.permutation(x.ndim + 1)[:2].tolist()
    offset = s.between(-2, 2)
    return s.pick(call(x, offset), call(x, offset, first, second), call(x, offset=offset, dim1=first - x.ndim - 1, dim2=second))


def repeated(s):
    x = s.array(s.shape())
    dim = s.pick(None, s.dim(x.ndim)) if x.ndim else None
    n = x.size if dim is None else x.shape[dim]
    return call(x, s.pick(2, 0, 1, *[s.rng.integers(0, 3, size) for size in ((n,), (1,), ())]), dim=dim)


def vectors(s):
    return call(*[s.array(s.shape(dims=(0, 1))) for _ in range(s.between(1, 3))], indexing=s.pick("ij", "xy"))


def joined(along, least, *dims):
    """A list of arrays to join along a dim; their lengths there differ if they have more than `least` dims."""

    def make(s):
        if not (ndim := s.pick(*dims)):
            return call([s.array() for _ in range(s.between(1, 3))])
        axis, shape = min(ndim - 1, along), s.shape(dims=(ndim, ndim))
        lengths = [s.length() if ndim > least else shape[axis] for _ in range(s.between(1, 3))]
        return call([s.array((*shape[:axis], n, *shape[axis + 1 :])) for n in lengths])

    return make


def cut(least, axis=None):
    """An array of at least so many dims, and where to cut it along a dim, or along the `axis` that is drawn for it."""

    def make(s):
        x = s.array(s.shape(dims=(least, 3)))
        dim = s.dim(x.ndim) if axis is None else axis(x.ndim)
        n = x.shape[dim]
        ends = tuple(s.between(-4, 4) for _ in range(s.between(0, 3)))
        even = [k for k in (1, 2, 3) if n % k == 0]
        parts = s.pick(*([1, 2, 3, 4] if axis is None else even), ends, sorted(ends))
        return call(x, parts, **({} if axis else s.some({"dim": [dim]}) if dim in (0, -x.ndim) else {"dim": dim}))

    return make


# ---------------------------------------------------------------- references
def summed_to(x, shape):
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(i + lead for i, n in enumerate(shape) if n == 1))
    return np.sum(x, axis=axes).reshape(shape)


def narrowed(x, dim, start, length):
    start = start % x.shape[dim] if start < 0 else start
    return np.take(x, np.arange(start, start + length), dim)


def windows(x, dim, size, step):
    if not x.ndim:
        return x.reshape(1)[:size]
    starts = range(0, x.shape[dim] - size + 1, step)
    parts = [np.moveaxis(np.take(x, range(i, i + size), dim), dim, -1) for i in starts]
    return np.stack(parts, dim % x.ndim)


def embed(x, offset=0, dim1=-2, dim2=-1):
    first, second = dim1 % (x.ndim + 1), dim2 % (x.ndim + 1)
    shape = list(x.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, x.shape[-1] + abs(offset))
    return undiagonal(x, tuple(shape), offset, first, second)


def tensor_split(x, parts, dim=0):
    ends = [*parts] if isinstance(parts, (tuple, list)) else parts
    return np.array_split(x, ends, dim)


def diagonal_blocks(*xs):
    xs = [np.atleast_2d(x) for x in xs]
    return np.block([[x if i == j else np.zeros((x.shape[0], y.shape[1])) for j, y in enumerate(xs)] for i, x in enumerate(xs)])


def products(*xs):
    grid = np.stack([x.ravel() for x in np.meshgrid(*xs, indexing="ij")], -1)
    return grid[:, 0] if len(xs) == 1 else grid


def grids(*xs, indexing="ij"):
    return np.meshgrid(*xs, indexing=indexing)


def atleast(n):
    return Sample(
        f"atleast_{n}d", lambda s: call(*[s.array(s.shape()) for _ in range(s.between(1, 2))]), getattr(np, f"atleast_{n}d")
    )


def samples_along(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    return call(x, s.between(0, x.ndim - 1), s.between(0, x.ndim - 1))


def there_and_back(x, axis, to):
    """With the samples out of sight, and back in another place."""
    level = Level(x.shape[axis])
    return leave_(enter_(x, level, axis), level, to)


def each_times(w, x):
    """Each sample of w times x, which is the same for all."""
    level = Level(w.shape[0])
    return leave_(enter_(w, level, 0) * spread_(x, level), level, 0)


def summed(x, axis):
    level = Level(x.shape[axis])
    return total_(enter_(x, level, axis), level)


# fmt: off
SAMPLES = [
    # ---- another arrangement
    Sample("ravel", one(), np.ravel),
    Sample("unflatten", unflattened, lambda x, dim, sizes: x.reshape(*x.shape[:dim % x.ndim], *(x.shape[dim] // max(1, -np.prod(sizes)) if k == -1 else k for k in sizes), *x.shape[dim % x.ndim + 1:])),
    Sample("swapaxes", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.dim(x.ndim), s.dim(x.ndim)), np.swapaxes),
    Sample("adjoint", one(dims=(2, 3)), lambda x: np.swapaxes(x, -1, -2)),
    Sample("fliplr", one(dims=(2, 3))),
    Sample("flipud", one(dims=(1, 3))),
    Sample("rot90", turned),
    Sample("reshape_as", like(lambda s, x: (x, s.array(x.shape[::-1]))), lambda x, y: x.reshape(y.shape), Tensor.reshape_as),
    Sample("expand_as", like(lambda s, x: (s.array(s.stretchable(x.shape)), x)), lambda x, y: np.broadcast_to(x, y.shape), Tensor.expand_as),
    Sample("contiguous", one(), np.copy, Tensor.contiguous),
    Sample("unfold dim", windowed, windows, Tensor.unfold),
    Sample("unfold_dim", lambda s: (c := windowed(s), call(x := np.atleast_1d(c.args[0]), c.args[1] % x.ndim, *c.args[2:]))[1], windows),
    Sample("sum_to_size", summable, summed_to, Tensor.sum_to_size),
    Sample("repeat_interleave", repeated, lambda x, n, dim: np.repeat(x, n, dim)),
    Sample("repeats", lambda s: call(s.array((s.length(),), WHOLE) % 3), lambda n: np.repeat(np.arange(len(n)), n), smooth=False),
    # ---- parts
    Sample("narrow", part, narrowed),
    Sample("select", chosen, lambda x, dim, i: np.take(x, i, dim)),
    Sample("diag", lambda s: call(s.array(s.shape(dims=(1, 2))), **s.some({"diagonal": [1, -2]})), lambda x, diagonal=0: np.diag(x, diagonal)),
    Sample("diag_embed", embedded, embed),
    Sample("diagflat", lambda s: call(s.array(s.shape()), s.between(-1, 1)), np.diagflat),
    Sample("tril_indices", lambda s: call(s.between(0, 4), s.between(0, 4), **s.some({"offset": [1, -2]})), lambda n, m, offset=0: np.stack(np.tril_indices(n, offset, m)), smooth=False, exempt=NO_INPUT),
    Sample("triu_indices", lambda s: call(s.between(0, 4), s.between(0, 4), **s.some({"offset": [1, -2]})), lambda n, m, offset=0: np.stack(np.triu_indices(n, offset, m)), smooth=False, exempt=NO_INPUT),
    # ---- several in one
    Sample("hstack", joined(1, 0, 0, 1, 2, 3)),
    Sample("vstack", joined(0, 1, 0, 1, 2, 3)),
    Sample("dstack", joined(2, 2, 0, 1, 2, 3)),
    Sample("column_stack", lambda s: call([s.array((n,) if s.pick(True, False) else (n, s.length())) for n in [s.length()] for _ in range(s.between(1, 3))])),
    Sample("block_diag", lambda s: call(*[s.array(s.shape(1, dims=(0, 2))) for _ in range(s.between(1, 3))]), diagonal_blocks),
    Sample("cartesian_prod", lambda s: call(*[s.array((s.length(),)) for _ in range(s.between(1, 3))]), products),
    *map(atleast, (1, 2, 3)),
    # ---- a common shape
    Sample("broadcast_shapes", lambda s: call(shape := s.shape(), s.stretchable(shape), *s.pick([], [1])), np.broadcast_shapes, smooth=False, exempt=NO_INPUT),
    Sample("broadcast_tensors", lambda s: call(s.array(shape := s.shape()), s.array(s.stretchable(shape))), np.broadcast_arrays),
    Sample("meshgrid", vectors, grids),
    # ---- one in several
    Sample("split_with_sizes", lambda s: call(x := s.array(s.shape(dims=(1, 3))), [n := s.between(0, x.shape[0]), 0, x.shape[0] - n]), lambda x, sizes: np.split(x, np.cumsum(sizes)[:-1])),
    Sample("tensor_split", cut(1), tensor_split),
    Sample("hsplit", cut(1, lambda n: min(n - 1, 1)), np.hsplit),
    Sample("vsplit", cut(2, lambda n: 0), np.vsplit),
    Sample("dsplit", cut(3, lambda n: 2), np.dsplit),
    # ---- in and out of a batch
    Sample("enter_batch", samples_along, np.moveaxis, there_and_back),
    Sample("leave_batch", samples_along, np.moveaxis, there_and_back),
    Sample("spread_over_batch", shaped("3,n", "3,nm"), np.multiply.outer, each_times),
    Sample("total_over_batch", lambda s: call(x := s.array(s.shape(1, dims=(1, 3))), s.between(0, x.ndim - 1)), np.sum, summed),
]
# fmt: on
