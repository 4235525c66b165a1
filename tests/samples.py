"""The records: for each primitive and each public function, how to draw calls and what NumPy computes for them.

Adding an op to the table costs one record here. test_ops.py then checks its values, its derivatives of first and second
order, its dtypes, that its gradient is linear, foreign arrays, and PyTorch's answers where that has the same name.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from strategies import BOOL, NONZERO, POSITIVE, REAL, SHARE, TIED, WHOLE, Domain, call, each, over, shaped

import autograd
import nn
from autograd import Tensor
from autograd.api import names as methods
from autograd.api.random import Generator
from autograd.engine.primitive import PRIMITIVES

for package in (autograd, nn):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name != "autograd.as_torch":  # which would let torch mean autograd
            importlib.import_module(module.name)
PRIMITIVES = dict(PRIMITIVES)  # all that these made; tests and examples may add their own later
FUNCTIONS = methods.FUNCTIONS | methods.ONLY_FUNCTIONS


@dataclass(frozen=True)
class Sample:
    """How to test one op."""

    name: str
    make: Callable[..., Any]  # from a strategies.Source to a Call
    reference: Callable[..., Any] = None  # the same on ndarrays; NumPy's function of the op's name if left out
    op: Callable[..., Any] = None  # the function of this name, or else the primitive
    smooth: bool = True  # does it have derivatives? If not, no gradient comes out of it
    exempt: dict = field(default_factory=dict)  # a property that it lacks: why

    def __post_init__(self):
        op = self.op or FUNCTIONS.get(self.name) or PRIMITIVES[self.name]
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "reference", self.reference or getattr(np, op.__name__))

    @property
    def domains(self):
        """Those of the arguments, if each element of the result is made of one element of each; else None."""
        return getattr(self.make, "domains", None)

    @property
    def functions(self):
        """What it is a record of: its op, or what that says it stands for, as one does for the functions in 1, 2 and 3 dims."""
        return getattr(self.op, "stands_for", [self.op])


# ---------------------------------------------------------------- references
def numpys(function):
    """A function of NumPy, under PyTorch's argument names; a 0-d array has a dim 0 there, but no axis here."""
    names = {"dim": "axis", "keepdim": "keepdims", "dims": "axis"}

    def reference(x, *args, **kwargs):
        kwargs = {names.get(k, k): v for k, v in kwargs.items() if k == "keepdim" or type(x) is list or x.ndim}
        return function(x, *args, **kwargs)

    return reference


def with_indices(name):
    """The extreme along a dim and its index, or the extreme of all."""

    def reference(x, dim=None, keepdim=False):
        if dim is None:
            return getattr(np, name)(x)
        dim = dim if x.ndim else None
        return getattr(np, name)(x, dim, keepdims=keepdim), getattr(np, "arg" + name)(x, dim, keepdims=keepdim)

    return reference


def variance(x, dim=None, keepdim=False, correction=1):
    n = x.size / np.sum(x, dim, keepdims=True).size
    return np.sum((x - np.mean(x, dim, keepdims=True)) ** 2, dim, keepdims=keepdim) / (n - correction)


def quotient(x, y, rounding_mode=None):
    return {None: lambda q: q, "floor": np.floor, "trunc": np.trunc}[rounding_mode](x / y)


def log_sum_exp(x, dim, keepdim=False):
    return np.log(np.sum(np.exp(x), dim, keepdims=keepdim))


def soft_max(x, dim):
    return np.exp(x) / np.sum(np.exp(x), dim, keepdims=True)


def flattened(x, start_dim=0, end_dim=-1):
    first, last = start_dim % max(x.ndim, 1), end_dim % max(x.ndim, 1)
    return x.reshape(*x.shape[:first], int(np.prod(x.shape[first : last + 1])), *x.shape[last + 1 :])


def squeezed(x, dim=None):
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    return np.squeeze(x, tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def parts(x, sizes, dim=0):
    if isinstance(sizes, int):
        sizes = [min(sizes, x.shape[dim] - i) for i in range(0, x.shape[dim], sizes)] or [0]
    return np.split(x, np.cumsum(sizes)[:-1], dim)


def chunks(x, n, dim=0):
    if not x.shape[dim]:
        return [x] * n
    return parts(x, max(1, -(-x.shape[dim] // n)), dim)


def undiagonal(x, shape, offset, axis1, axis2):
    out = np.zeros(shape, x.dtype)
    np.einsum("...ii->...i", np.moveaxis(out, (axis1, axis2), (-2, -1))[..., max(-offset, 0) :, max(offset, 0) :][
        ..., : x.shape[-1], : x.shape[-1]])[...] = x  # fmt: skip
    return out


def in_order(x, dim=-1, descending=False):
    """Values and positions; ties keep their order."""
    if not x.ndim:
        return x, np.array(0)
    positions = np.argsort(-x if descending else x, dim, kind="stable")
    return np.take_along_axis(x, positions, dim), positions


def top(x, k, dim=-1, largest=True):
    return tuple(np.take(v, range(k), dim) for v in in_order(x, dim, largest))


def assigned(x, value, *position):
    out = x.copy()
    out[position] = value
    return out


def added(x, value, *position):
    """Where positions repeat, all are added, one after the other."""
    out, value = x.copy(), np.broadcast_to(value, x[position].shape)
    elements = np.arange(x.size).reshape(x.shape)[position]
    for element, v in zip(np.ravel(elements), np.ravel(value), strict=True):
        out.flat[element] += v
    return out


def last_written(x, *position):
    elements = np.arange(x.size).reshape(x.shape)[position]
    last = {element: turn for turn, element in enumerate(elements.flat)}
    return np.reshape([last[element] == turn for turn, element in enumerate(elements.flat)], elements.shape)


def along(positions, dim):
    """What `positions` along `dim` stand for in full: an index for every dim."""
    full = list(np.indices(positions.shape))
    if full:
        full[dim] = positions
    return tuple(full)


def linear(x, w, b=0.0):
    return np.einsum("...i,oi->...o", x, w) + b


def negative_log_likelihood(x, labels):
    return np.array([-np.log(soft_max(row, 0)[label]) for row, label in zip(x, labels, strict=True)], x.dtype).reshape(
        labels.shape
    )


# ---------------------------------------------------------------- how calls are drawn, beyond the words of strategies.py
def reshaped(s):
    x = s.array(s.shape(1))
    return call(x, s.pick(x.shape[::-1], (-1,), (1, *x.shape), (x.size, 1), (-1, *x.shape[1:]) if x.ndim else (1, 1)))


def dim_range(s):
    x = s.array(s.shape())
    first = s.dim(x.ndim)
    return call(x, start_dim=first, end_dim=s.between(first % max(x.ndim, 1), max(x.ndim, 1) - 1))


def dim_pair(s):
    x = s.array(s.shape(dims=(1, 3)))
    return call(x, s.dim(x.ndim), s.dim(x.ndim))


def reordered(s):
    x = s.array(s.shape())
    return call(x, tuple(d - x.ndim * s.pick(0, 1) for d in s.rng.permutation(x.ndim).tolist()))


def stretched(s):
    shape = s.shape()
    return call(s.array(s.stretchable(shape)), shape)


def times(s):
    x = s.array(s.shape())
    return call(x, tuple(s.length() for _ in range(x.ndim + s.pick(0, 1))))


def to_join(s):
    shape = s.shape(dims=(1, 3))
    axis = s.between(0, len(shape) - 1)
    lengths = [s.length() for _ in range(s.between(1, 3))]
    return call([s.array((*shape[:axis], n, *shape[axis + 1 :])) for n in lengths], dim=axis - len(shape) * s.pick(0, 1))


def to_stack(s):
    shape = s.shape(dims=(0, 2))
    return call([s.array(shape) for _ in range(s.between(1, 3))], dim=s.dim(len(shape) + 1))


def to_split(s):
    x = s.array(s.shape(dims=(1, 3)))
    dim = s.dim(x.ndim)
    cut = s.between(0, x.shape[dim])
    return call(x, s.pick(1, 2, [cut, x.shape[dim] - cut]), dim=dim)


def rolled(s):
    x = s.array(s.shape())
    dims = s.dims(x.ndim, 1)
    one = call(x, s.between(-4, 4), dims=s.dim(x.ndim)) if x.ndim else call(x, 2)
    return s.pick(call(x, s.between(-4, 4)), call(x, tuple(s.between(-4, 4) for _ in dims), dims=dims) if dims else one, one)


def diagonals(s):
    x = s.array(s.shape(dims=(2, 3)))
    first, second = s.rng.permutation(x.ndim)[:2].tolist()
    return call(x, s.between(-2, 2), first, second - x.ndim * s.pick(0, 1))


def diagonals_back(s):
    shape, offset = s.shape(2, dims=(2, 3)), s.between(-1, 1)
    first, second = s.rng.permutation(len(shape))[:2].tolist()
    return call(s.array(np.diagonal(np.zeros(shape), offset, first, second).shape), shape, offset, first, second)


SLICES = slice(None), slice(1, None), slice(None, None, -1), slice(0, 9, 2), slice(2, 0, -1), slice(1, 1)


def pieces(s, shape):
    """An integer or slice for every dim."""
    return [s.pick(*SLICES, *([s.dim(n)] if n else [])) for n in shape]


def basic(s, shape):
    """An index for `shape` of integers, slices, None and an ellipsis."""
    index = pieces(s, shape[: s.between(0, len(shape))])
    for extra in s.pick((), (None,), (...,), (None, ...)):
        index.insert(s.between(0, len(index)) if extra is None else len(index), extra)
    return tuple(index)


def fancy(s, shape):
    """An index for `shape` with at least one array or mask in it."""
    n, many = len(shape), s.shape(dims=(0, 2))
    middle = s.between(0, n - 1)
    forms = (
        lambda: [s.array(shape, BOOL)],
        lambda: [s.array(shape[:1], BOOL), *pieces(s, shape[1:])],
        lambda: [*pieces(s, shape[:middle]), s.positions(many, shape[middle])],
        lambda: [..., s.positions(many, shape[-1], negative=True)],
        lambda: [s.positions(s.stretchable(many), length) for length in shape],
        lambda: [s.positions(many, shape[0]), *pieces(s, shape[1:-1]), None, *[s.positions(many, shape[-1])] * (n > 1)],
    )
    return tuple(s.pick(*forms)())


def at(index, least=0, dims=(0, 3)):
    """An array and an index for it."""

    def make(s):
        x = s.array(s.shape(least, dims))
        return call(x, index(s, x.shape))

    return make


def sparse(index, least=0, dims=(0, 3), unpack=False):
    """What an index takes out of a shape, the index and the shape, to put it back."""

    def make(s):
        shape = s.shape(least, dims)
        i = index(s, shape)
        x = s.array(np.zeros(shape)[i].shape)
        return call(x, shape, *i) if unpack else call(x, i, shape)

    return make


def written(s, change=lambda make: make):
    """An array, an index for it, and what to put there."""
    x = s.array(s.shape(1, dims=(1, 3)))
    index = change(s.pick(basic, fancy))(s, x.shape)
    hit = x[index].shape
    return call(x, index, s.pick(s.array(hit), s.array(s.stretchable(hit)), s.number()))


def overwritten(s):
    """An array, what to put into a part of it, the step that shows this part, and an order of dims in memory."""
    x, index, v = written(s, lambda make: basic).args
    return call(x, v, ((PRIMITIVES["slice"], (index,), None),), tuple(s.rng.permutation(x.ndim).tolist()))


def positions_along(s, least=1):
    """An array, a dim and positions along it, as many dims."""
    shape = s.shape(least)
    dim = s.dim(len(shape))
    many = tuple(s.pick(n, n - 1, n) for n in shape)
    return s.array(shape), dim, s.positions(many, shape[dim] if shape else 1)


def scattered(s):
    x, dim, positions = positions_along(s)
    return call(x, dim, positions, s.array(positions.shape))


def slices_at(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    return call(x, dim, s.positions((s.pick(3, 1, 4, 0),), x.shape[dim]))


def same_shape_along(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    many = tuple(s.length() if d == dim % x.ndim else s.pick(1, n) for d, n in enumerate(x.shape))
    return call(x, s.positions(many, x.shape[dim]), dim=dim)


def with_k(s):
    x = s.array(s.shape(1, dims=(1, 3)))
    dim = s.dim(x.ndim)
    return call(x, s.between(0, x.shape[dim]), dim=dim, **s.some({"largest": [False]}))


EQUATIONS = """ij,jk->ik  ij,jk  ij->ji  ij->  ij->i  ii->  ii->i  ii  i,i  i,j->ij  i,i,i->i  ij,kj,ik->i  bij,bjk->bik  iij,j->ij
    ...i,...i->...  ...ij,jk->...ik  i...->...  a...,...b->b...a  ij,ij->  i,jk->k  iijj->ij  ,i->i  ij,i,j""".split()


def contraction(s):
    equation = s.pick(*EQUATIONS)
    return call(equation, *s.spelled(equation.split("->")[0].replace("...", s.pick("", "y", "yz"))))


def labelled(s):
    x = s.array(s.shape(1, dims=(2, 2)))
    return call(x, s.positions(x.shape[:1], x.shape[1]))


def bounds(s):
    low, high = Domain(-1, -0.2), Domain(0.2, 1)
    x, a, b = each(REAL, low, high)(s).args if s.pick(True, False) else (s.array(s.shape()), s.number(low), s.number(high))
    return call(x, **s.pick({"min": a}, {"max": b}, {"min": a, "max": b})) if isinstance(x, np.ndarray) else call(a, max=b, min=x)


def odd_ones(s):
    x = s.array(s.shape(), TIED)
    return call(s.rng.choice([1.0, np.inf, -np.inf, np.nan], x.shape).astype(s.dtype) if s.dtype.kind == "f" else x)


def pair(s):
    """Two arrays that are equal, or not."""
    x = s.array(s.shape())
    return call(x, s.pick(x, np.asarray(x + 1), s.array(x.shape), s.array(s.shape())))


def close_pair(s):
    x = s.array(s.shape())
    return call(x, np.asarray(x + s.rng.choice([0, 1e-9, 1e-6, 1], x.shape), x.dtype), **s.some({"rtol": [1e-3], "atol": [1e-2]}))


# ---------------------------------------------------------------- ops made into functions of their arguments alone
def in_place(name):
    """A method that works in place, as a function that does not."""

    def function(x, *args):
        x = x.clone()
        getattr(x, name)(*args)
        return x

    return function


def seeded(name):
    """A random primitive that draws the same numbers each time."""
    return lambda *args: PRIMITIVES[name](Generator().manual_seed(0), *args)


def random():
    return np.random.default_rng(0)


NO_JUMP = Domain(0.1, 0.9), Domain(-3, 3, (0,), 1)  # quotients away from integers
UNIT, HALVES, WHOLES = Domain(-0.9, 0.9), tuple(np.arange(-3.5, 4)), tuple(range(-3, 4))
HOST = {"foreign": "random numbers come from NumPy's generator, on the host"}
FIXED = {"keepdim": [True, False]}

# fmt: off
THERE = {"PyTorch": "it has to(); test_devices.py has devices"}
HOST_ONLY = {"foreign": "NumPy itself compares them, or finds positions"}
SAMPLES = [
    # ---- arithmetic
    Sample("add", each(REAL, REAL, alpha=[2, 0.5]), lambda x, y, alpha=1: x + alpha * y, exempt={"dtypes": "alpha makes integers of booleans"}),
    Sample("subtract", each(REAL, REAL, alpha=[2, 0.5]), lambda x, y, alpha=1: x - alpha * y),
    Sample("multiply", each(REAL, REAL)),
    Sample("true_divide", each(REAL, NONZERO)),
    Sample("div", each(*NO_JUMP, rounding_mode=["floor", "trunc"]), quotient),
    Sample("floor_divide", each(*NO_JUMP)),
    Sample("remainder", each(*NO_JUMP)),
    Sample("negative", each(REAL)),
    Sample("positive", each(REAL)),
    Sample("power", each(POSITIVE, REAL), np.power, op=FUNCTIONS["pow"], exempt={"dtypes": "NumPy raises an integer to no negative power, PyTorch makes 0 of it"}),
    Sample("square", each(REAL), exempt={"dtypes": "NumPy's of booleans is int8"}),
    Sample("reciprocal", each(NONZERO)),
    Sample("absolute", each(NONZERO)),
    # ---- exponentials, roots, trigonometry
    Sample("exp", each(REAL)),
    Sample("expm1", each(REAL)),
    Sample("log", each(POSITIVE)),
    Sample("log1p", each(Domain(-0.7, 2))),
    Sample("sqrt", each(POSITIVE)),
    Sample("root", each(POSITIVE), np.sqrt),
    Sample("rsqrt", each(POSITIVE), lambda x: x**-0.5),
    Sample("sin", each(REAL)),
    Sample("cos", each(REAL)),
    Sample("tan", each(Domain(-1.2, 1.2))),
    Sample("arcsin", each(UNIT)),
    Sample("arccos", each(UNIT)),
    Sample("arctan", each(REAL)),
    Sample("sinh", each(REAL)),
    Sample("cosh", each(REAL)),
    Sample("tanh", each(REAL)),
    Sample("sigmoid", each(Domain(-6, 6)), lambda x: np.exp(x) / (1 + np.exp(x))),
    Sample("relu", each(NONZERO), lambda x: x * (x > 0)),
    Sample("erf", each(Domain(-3, 3)), np.vectorize(math.erf, otypes=[float])),
    # ---- choosing, and steps
    Sample("maximum", each(REAL, REAL)),
    Sample("minimum", each(REAL, REAL)),
    Sample("clip_min", each(REAL, REAL), np.maximum),
    Sample("clip_max", each(REAL, REAL), np.minimum),
    Sample("clamp", bounds, np.clip),
    Sample("where", each(BOOL, REAL, REAL), np.where),
    Sample("masked_fill", lambda s: call(x := s.array(s.shape()), s.array(s.stretchable(x.shape), BOOL), s.pick(1.5, s.array())), lambda x, m, v: np.where(m, v, x)),
    Sample("fill", lambda s: call(x := s.array(s.shape()), s.pick(s.array(s.stretchable(x.shape)), s.array(), 1.5)), np.full_like),
    Sample("sign", each(NONZERO), exempt={"dtypes": "NumPy has none of booleans", "NaN": "PyTorch's sign of NaN is 0, NumPy's NaN"}),
    Sample("floor", each(Domain(-3, 3, WHOLES))),
    Sample("ceil", each(Domain(-3, 3, WHOLES))),
    Sample("trunc", each(Domain(-3, 3, WHOLES))),
    Sample("round", each(Domain(-3, 3, HALVES), decimals=[0, -1]), np.round),
    # ---- comparison and logic
    *[Sample(name, each(TIED, TIED), smooth=False) for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor")],
    *[Sample("bitwise_" + name, lambda s: each(*[s.pick(WHOLE, BOOL)] * 2)(s), smooth=False) for name in ("and", "or", "xor")],
    Sample("logical_not", each(TIED), smooth=False),
    Sample("bitwise_not", lambda s: each(s.pick(WHOLE, BOOL))(s), smooth=False),
    *[Sample(name, odd_ones, smooth=False) for name in ("isfinite", "isnan", "isinf")],
    Sample("isclose", close_pair, np.isclose, smooth=False),
    Sample("allclose", close_pair, np.allclose, smooth=False),
    Sample("equal", pair, np.array_equal, smooth=False),
    # ---- reductions
    Sample("sum", over(**FIXED), numpys(np.sum)),
    Sample("mean", over(least=1, **FIXED), numpys(np.mean)),
    Sample("prod", over("int none", **FIXED), numpys(np.prod)),
    Sample("var", over(least=2, dims=(1, 3), correction=[0, 1, 0.5], **FIXED), variance),
    Sample("std", over(least=2, dims=(1, 3), correction=[0, 1, 0.5], **FIXED), lambda *a, **k: np.sqrt(variance(*a, **k))),
    Sample("amax", over(least=1, **FIXED), numpys(np.max)),
    Sample("amin", over(least=1, **FIXED), numpys(np.min)),
    Sample("max", lambda s: over(s.pick("int", "none"), least=1)(s), with_indices("max")),
    Sample("min", lambda s: over(s.pick("int", "none"), least=1)(s), with_indices("min")),
    Sample("argmax", over("int none", least=1, domain=TIED), numpys(np.argmax), smooth=False),
    Sample("argmin", over("int none", least=1, domain=TIED), numpys(np.argmin), smooth=False),
    Sample("all", over(domain=TIED, **FIXED), numpys(np.all), smooth=False),
    Sample("any", over(domain=TIED, **FIXED), numpys(np.any), smooth=False),
    Sample("logsumexp", over("int tuple", least=1, **FIXED), log_sum_exp),
    Sample("cumsum", over("int"), lambda x, dim: np.cumsum(x, dim).reshape(x.shape)),
    Sample("softmax", over("int"), soft_max, exempt={"dtypes": "of integers PyTorch takes empty ones alone"}),
    Sample("log_softmax", over("int"), lambda x, dim: np.log(soft_max(x, dim)), exempt={"dtypes": "of integers PyTorch takes empty ones alone"}),
    # ---- shapes
    Sample("reshape", reshaped, np.reshape),
    Sample("view", lambda s: (c := reshaped(s), call(c.args[0].copy(), *c.args[1:]))[1], np.reshape, Tensor.view, exempt={"layout": "what would have to be copied is refused"}),
    Sample("flatten", dim_range, flattened),
    Sample("squeeze", over(), squeezed),
    Sample("unsqueeze", lambda s: call(x := s.array(s.shape()), s.dim(x.ndim + 1)), np.expand_dims),
    Sample("transpose", dim_pair, np.swapaxes),
    Sample("permute", reordered, np.transpose),
    Sample("movedim", dim_pair, np.moveaxis),
    Sample("t", shaped("", "n", "nk"), np.transpose),
    Sample("broadcast_to", stretched, np.broadcast_to),
    Sample("expand", stretched, np.broadcast_to, Tensor.expand),
    Sample("repeat", times, np.tile, Tensor.repeat),
    Sample("tile", lambda s: call(s.array(s.shape()), tuple(s.length() for _ in range(s.between(0, 3)))), np.tile),
    Sample("concatenate", to_join, numpys(np.concatenate)),
    Sample("stack", to_stack, numpys(np.stack)),
    Sample("split", to_split, parts),
    Sample("chunk", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.between(1, 4), dim=s.dim(x.ndim)), chunks),
    Sample("unbind", over("int", least=1, dims=(1, 3)), lambda x, dim: tuple(np.moveaxis(x, dim, 0))),
    Sample("flip", lambda s: call(x := s.array(s.shape()), s.dims(x.ndim)), np.flip),
    Sample("roll", rolled, numpys(np.roll)),
    Sample("tril", lambda s: call(s.array(s.shape(dims=(2, 3))), s.between(-3, 3)), np.tril),
    Sample("triu", lambda s: call(s.array(s.shape(dims=(2, 3))), s.between(-3, 3)), np.triu),
    Sample("diagonal", diagonals, np.diagonal),
    Sample("undiagonal", diagonals_back, undiagonal),
    Sample("clone", each(REAL), np.copy),
    Sample("transfer", lambda s: call(s.array(s.shape()), np.copy, np.copy), lambda x, there, back: x, exempt=THERE),
    # ---- indexing
    Sample("slice", at(basic), lambda x, i: x[i]),
    Sample("unslice", sparse(basic), lambda x, i, shape: assigned(np.zeros(shape), x, *i)),
    Sample("index", lambda s: (c := at(fancy, 1, (1, 3))(s), call(c.args[0], *c.args[1]))[1], lambda x, *i: x[i]),
    Sample("unindex", sparse(fancy, 1, (1, 3), unpack=True), lambda x, shape, *i: added(np.zeros(shape), x, *i)),
    Sample("setitem", lambda s: (c := written(s), call(c.args[0], c.args[2], *c.args[1]))[1], assigned),
    Sample("written", overwritten, lambda x, v, path, order: assigned(x, v, *path[0][1][0])),
    Sample("last_written", lambda s: (c := at(fancy, 1, (1, 3))(s), call(c.args[0], *c.args[1]))[1], last_written, smooth=False),
    Sample("gather", lambda s: call(*positions_along(s)), lambda x, dim, i: x[along(i, dim)]),
    Sample("ungather", lambda s: (c := scattered(s), call(c.args[3], c.args[2], c.args[1], c.args[0].shape))[1], lambda x, i, dim, shape: added(np.zeros(shape), x, *along(i, dim))),
    Sample("scatter_add", scattered, lambda x, dim, i, src: added(x, src, *along(i, dim))),
    Sample("index_select", slices_at, lambda x, dim, i: np.take(x, i, dim)),
    Sample("take_along_dim", same_shape_along, lambda x, i, dim: np.take_along_axis(x, i, dim)),
    Sample("sort", over("int none", descending=[True]), in_order),
    Sample("argsort", over("int none", domain=TIED, descending=[True]), lambda *a, **k: in_order(*a, **k)[1], smooth=False),
    Sample("topk", with_k, top),
    Sample("one_hot", lambda s: call(s.positions(s.shape(), 3), 3, s.dtype), lambda i, n, dtype: np.eye(n, dtype=dtype)[i], smooth=False),
    # ---- linear algebra and fused ops
    Sample("matmul", shaped("nk,km", "k,km", "nk,k", "k,k", "bnk,km", "bnk,bkm", "1nk,bkm", "cbnk,bkm", "nk,bkm", "bnk,k", "k,bkm"), np.matmul),
    Sample("matvec", shaped("nk,k", "bnk,k"), np.matmul),
    Sample("vecmat", shaped("k,kn", "k,bkn"), np.matmul),
    Sample("mm", shaped("nk,km"), np.matmul),
    Sample("bmm", shaped("bnk,bkm"), np.matmul),
    Sample("mv", shaped("nk,k"), np.matmul),
    Sample("dot", shaped("k,k"), np.dot),
    Sample("outer", shaped("n,m"), np.outer),
    Sample("einsum", contraction, np.einsum, exempt={"dtypes": "NumPy's of one operand is its sum, of integers int64"}),
    Sample("linear", shaped("nk,mk", "nk,mk,m", "k,mk,m", "bnk,mk,m"), linear),
    Sample("cross_entropy", labelled, lambda x, labels: (negative_log_likelihood(x, labels), soft_max(x, 1))),
    Sample("softplus", each(Domain(-6, 6)), lambda x: np.log1p(np.exp(x))),
    Sample("binary_cross_entropy", each(SHARE, SHARE, numbers=False), lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x)),
    Sample("binary_cross_entropy_with_logits", each(Domain(-6, 6), SHARE, numbers=False), lambda x, t: np.log1p(np.exp(x)) - x * t),
    # ---- dtypes and randomness
    Sample("astype", lambda s: call(s.array(s.shape()), s.dtype), np.astype, np.astype),
    Sample("normal", lambda s: call(s.array(shape := s.shape()), s.array(s.stretchable(shape), POSITIVE), shape, s.dtype),
           lambda mean, std, sizes, dtype: mean + std * random().standard_normal(sizes, dtype), seeded("normal"), exempt=HOST),
    Sample("uniform", lambda s: call(-1, 2, s.shape(), s.dtype), lambda low, high, sizes, dtype: low + (high - low) * random().random(sizes, dtype), seeded("uniform"), False, HOST),
    Sample("randint", lambda s: call(-3, 5, s.shape(), s.dtype), lambda low, high, sizes, dtype: random().integers(low, high, sizes), seeded("randint"), False, HOST),
    Sample("randperm", lambda s: call(s.between(0, 9), s.dtype), lambda n, dtype: random().permutation(n), seeded("randperm"), False, HOST),
    Sample("bernoulli", lambda s: call(s.array(shape := s.shape(), SHARE), shape, s.dtype), lambda p, sizes, dtype: random().random(sizes, np.float32) < p, seeded("bernoulli"), exempt=HOST),
    Sample("multinomial", lambda s: call(s.array((4,), POSITIVE), 3, True), lambda p, n, again: random().choice(p.size, n, again, p / p.sum()), seeded("multinomial"), False, HOST),
    # ---- in-place methods that are no function made in place
    Sample("fill_", lambda s: call(s.array(s.shape()), s.pick(1.5, s.array())), np.full_like, in_place("fill_")),
    Sample("zero_", each(REAL), np.zeros_like, in_place("zero_")),
    Sample("copy_", lambda s: call(x := s.array(s.shape()), s.array(s.stretchable(x.shape))), lambda x, y: np.broadcast_to(y, x.shape), in_place("copy_")),
    # ---- functions of NumPy that are spelled differently
    Sample("np.add", each(REAL, REAL), np.add, np.add),
    Sample("cbrt", each(NONZERO), np.cbrt),
    Sample("np.subtract", each(REAL, REAL), np.subtract, np.subtract),
    Sample("np.transpose", lambda s: call(x := s.array(s.shape()), s.pick(None, tuple(range(x.ndim))[::-1])), np.transpose, np.transpose),
    Sample("np.matrix_transpose", shaped("nk", "bnk"), np.matrix_transpose, np.matrix_transpose),
    Sample("np.swapaxes", dim_pair, np.swapaxes, np.swapaxes),
    Sample("np.moveaxis", dim_pair, np.moveaxis, np.moveaxis),
    Sample("np.expand_dims", lambda s: call(s.array(s.shape()), s.pick(0, -1, (0, -1), (0, 1))), np.expand_dims, np.expand_dims),
    Sample("np.split", lambda s: call(s.array((4, 2)), s.pick(2, 4, [1, 3], [0, 2]), s.pick(0, -2)), np.split, np.split),
    Sample("np.roll", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.between(-4, 4), s.pick(None, s.dim(x.ndim))), np.roll, np.roll),
    Sample("np.diagonal", lambda s: call(s.array(s.shape(dims=(2, 2))), s.between(-2, 2)), np.diagonal, np.diagonal),
    Sample("np.take", lambda s: (c := slices_at(s), call(c.args[0], c.args[2], c.args[1]))[1], np.take, np.take),
    Sample("np.take_along_axis", lambda s: (c := same_shape_along(s), call(*c.args, c.kwargs["dim"]))[1], np.take_along_axis, np.take_along_axis),
    Sample("np.sort", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.dim(x.ndim)), np.sort, np.sort),
    Sample("np.argsort", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.dim(x.ndim)), np.argsort, np.argsort, False),
    Sample("np.einsum", contraction, np.einsum, np.einsum),
    Sample("np.dot", shaped("nk,km", "k,k", "nk,k", ",nk", "n,"), np.dot, np.dot),
    Sample("np.zeros_like", each(REAL), np.zeros_like, np.zeros_like, False),
    Sample("np.ones_like", each(REAL), np.ones_like, np.ones_like, False),
    Sample("np.empty_like", lambda s: call(s.array((0, 2))), np.empty_like, np.empty_like, False),
    Sample("np.full_like", lambda s: call(s.array(s.shape()), 1.5), np.full_like, np.full_like, False),
    Sample("np.shape", each(REAL), np.shape, np.shape, False),
    Sample("np.ndim", each(REAL), np.ndim, np.ndim, False),
    Sample("np.size", each(REAL), np.size, np.size, False),
    Sample("np.array_equal", each(TIED, TIED), np.array_equal, np.array_equal, False, exempt=HOST_ONLY),
    Sample("np.array_equiv", each(TIED, TIED), np.array_equiv, np.array_equiv, False, exempt=HOST_ONLY),
]
# fmt: on

from samples_communication import SAMPLES as COMMUNICATION  # noqa: E402
from samples_elementwise import SAMPLES as ELEMENTWISE  # noqa: E402  # these need Sample from here
from samples_fourier import SAMPLES as FOURIER  # noqa: E402
from samples_index import SAMPLES as INDEX  # noqa: E402
from samples_linalg import SAMPLES as LINALG  # noqa: E402
from samples_loss import LOSS_SAMPLES  # noqa: E402
from samples_nn import SAMPLES as NN  # noqa: E402
from samples_recurrent import SAMPLES as RECURRENT  # noqa: E402
from samples_reduce import SAMPLES as REDUCE  # noqa: E402
from samples_shape import SAMPLES as SHAPE  # noqa: E402
from samples_window import WINDOW_SAMPLES  # noqa: E402

SAMPLES += [*ELEMENTWISE, *INDEX, *SHAPE, *LINALG, *LOSS_SAMPLES, *NN, *REDUCE, *RECURRENT, *WINDOW_SAMPLES, *FOURIER]
SAMPLES += COMMUNICATION
