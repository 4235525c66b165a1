"""What the tests draw their inputs from: shapes and options by hypothesis, which shrinks them, and numbers in general position."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st


class Domain(NamedTuple):
    """Numbers between `low` and `high` that keep `margin` away from those in `avoid`, where a derivative jumps or blows up."""

    low: float
    high: float
    avoid: tuple = ()
    margin: float = 0.1
    kind: str = "f"  # f: floats, of which no two of a call are close; t: floats that tie; i: integers; b: booleans


REAL, POSITIVE, NONZERO, SHARE = Domain(-2, 2), Domain(0.3, 3), Domain(-2, 2, (0,), 0.3), Domain(0.1, 0.9)
TIED, WHOLE, BOOL = Domain(-2, 2, kind="t"), Domain(-3, 3, kind="i"), Domain(0, 1, kind="b")


# ---------------------------------------------------------------- a call
@dataclass
class Call:
    """What to call an op with. Float arrays, also those in lists, are the inputs; all else is an option."""

    args: tuple = ()
    kwargs: dict = field(default_factory=dict)

    def map(self, function):
        """With `function` applied to each array."""
        return Call(_map(function, self.args), _map(function, self.kwargs))

    def inputs(self):
        """The float arrays, in order."""
        found = []
        self.map(lambda a: found.append(a) if is_float(a) else None)
        return found

    def put(self, inputs):
        """With other inputs."""
        rest = iter(inputs)
        return self.map(lambda a: next(rest) if is_float(a) else a)

    def run(self, op):
        return op(*self.args, **self.kwargs)


def is_float(array):
    kind = getattr(array.dtype, "kind", None)
    return kind == "f" if kind else array.dtype.is_floating_point  # PyTorch's


def _map(function, value):
    if isinstance(value, dict):
        return {k: _map(function, v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_map(function, v) for v in value)
    return function(value) if hasattr(value, "dtype") and hasattr(value, "shape") else value


def call(*args, **kwargs):
    return Call(args, kwargs)


@st.composite
def calls(draw, sample, dtype=np.float64):
    """Calls of a record's op, the floats of `dtype`."""
    return sample.make(Source(draw, dtype))


# ---------------------------------------------------------------- what a call is made from
class Source:
    """Structure comes from hypothesis; numbers come from a generator that hypothesis seeds."""

    def __init__(self, draw, dtype=np.float64):
        self.draw, self.dtype, self.arrays = draw, np.dtype(dtype), 0
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def pick(self, *choices):
        return self.draw(st.sampled_from(choices))

    def some(self, options):
        """A choice for some of the options."""
        drawn = {name: self.pick(None, *choices) for name, choices in options.items()}
        return {name: choice for name, choice in drawn.items() if choice is not None}

    def between(self, low, high):
        return self.draw(st.integers(low, high))

    def length(self, least=0, most=3):
        """Of a dim: mostly 2 or 3, where ops show what they do."""
        return self.pick(*[n for n in (2, 3, 3, 2, 1, 0) if least <= n <= most])

    def shape(self, least=0, dims=(0, 3), most=3):
        ndim = self.pick(*[n for n in (2, 1, 3, 2, 0) if dims[0] <= n <= dims[1]])
        return tuple(self.length(least, most) for _ in range(ndim))

    def dim(self, ndim):
        """One of the dims, counted from either end; a 0-d array counts as having one."""
        return self.between(-max(ndim, 1), max(ndim, 1) - 1)

    def dims(self, ndim, least=0):
        """Some of the dims, counted from either end."""
        chosen = self.draw(st.lists(st.integers(0, ndim - 1), min_size=least, unique=True)) if ndim else []
        return tuple(d - ndim * self.pick(0, 1) for d in chosen)

    def stretchable(self, shape):
        """A shape that broadcasts to `shape`."""
        ones = self.pick(0, 0, *range(2 ** len(shape)))
        return tuple(1 if ones >> i & 1 else n for i, n in enumerate(shape))[self.pick(0, 0, *range(len(shape) + 1)) :]

    def array(self, shape=(), domain=REAL):
        """An array of numbers from `domain`, in one of the layouts that memory can have.

        Those of kind f lie near the points of a grid, each array's a little to the side of the others'.
        """
        low, high, avoid, margin, kind = domain
        if kind == "b":
            return self._lay(self.rng.random(shape) < 0.5)
        if kind in "it" or self.dtype.kind != "f":
            numbers = np.arange(np.ceil(low), high + 1)
        else:
            self.arrays += 1
            numbers = low + (high - low) / 257 * (np.arange(256) + 0.31 * self.arrays % 1 + 0.05 * self.rng.random(256))
        apart = numbers[np.all([np.abs(numbers - a) >= margin for a in (np.inf, *avoid)], axis=0)]
        numbers = apart if apart.size else numbers  # every integer is where floor jumps: as integers they do no harm
        array = self.rng.choice(numbers, shape, replace=numbers.size < max(100, np.prod(shape)))
        return self._lay(array.astype(np.int64 if kind == "i" and self.dtype.kind == "f" else self.dtype))

    def number(self, domain=REAL):
        return self.array((), domain).item()

    def positions(self, shape, length, negative=False):
        """An array of positions in a dim of this length."""
        return self._lay(self.rng.integers(-length if negative else 0, length, shape))

    def spelled(self, terms, least=0, domain=REAL):
        """Arrays whose dims are named by letters, as in einsum: "nk,km". A digit is a length."""
        sizes = {c: int(c) if c.isdigit() else self.length(least) for c in dict.fromkeys(terms) if c != ","}
        return [self.array(tuple(sizes[c] for c in term), domain) for term in terms.split(",")]

    def _lay(self, array):
        array = np.asarray(array)
        layout = self.pick("as it is", "Fortran", "backwards", "every other", "read-only") if array.size > 1 else ""
        if layout == "Fortran":
            return np.asfortranarray(array)
        if layout == "backwards":
            return np.flip(np.flip(array).copy())
        if layout == "every other":
            return np.repeat(array, 2, -1)[..., ::2]
        if layout == "read-only":
            array.flags.writeable = False
        return array


class Quick(Source):
    """The same calls each time, made quickly: structure comes from one seed, numbers from another; sides are `side` long, if they may be."""

    def __init__(self, seed, numbers=0, dtype=np.float64, side=None):
        self.choices, self.rng = np.random.default_rng(seed), np.random.default_rng(numbers)
        self.dtype, self.arrays, self.side = np.dtype(dtype), 0, side

    def pick(self, *choices):
        return choices[self.choices.integers(len(choices))]

    def between(self, low, high):
        return int(self.choices.integers(low, high + 1))

    def length(self, least=0, most=3):
        return super().length(least, most) if self.side is None else max(least, self.side)

    def dims(self, ndim, least=0):
        chosen = self.choices.permutation(ndim)[: self.between(min(least, ndim), ndim)]
        return tuple(int(d) - ndim * self.pick(0, 1) for d in chosen)


def some_calls(sample, number, **options):
    return [sample.make(Quick(seed, **options)) for seed in range(number)]


# ---------------------------------------------------------------- how records say what they want
def each(*domains, numbers=True, **options):
    """Arrays that broadcast together, one for each domain, perhaps one of several a number; and some of the options."""

    def make(s):
        shape = s.shape()
        arrays = [s.array(s.stretchable(shape) if i else shape, domain) for i, domain in enumerate(domains)]
        floats = [i for i, domain in enumerate(domains) if domain.kind in "ft"]
        if numbers and len(floats) > 1 and (i := s.pick(None, None, None, *floats)) is not None:
            arrays[i] = s.number(domains[i])
        return call(*arrays, **s.some(options))

    make.domains = domains
    return make


def over(dim="int tuple none", domain=REAL, least=0, dims=(0, 3), **options):
    """An array, `dim` in one of these forms, and some of the options. The array's sides are at least `least`."""

    def make(s):
        x = s.array(s.shape(least, dims), domain)
        chosen = {"int": lambda: {"dim": s.dim(x.ndim)}, "tuple": lambda: {"dim": s.dims(x.ndim, 1)}, "none": dict}
        return call(x, **chosen[s.pick(*dim.split())](), **s.some(options))

    return make


def shaped(*patterns, least=0, domain=REAL):
    """Arrays as one of the patterns spells their shapes: "nk,km"."""
    return lambda s: call(*s.spelled(s.pick(*patterns), least, domain))
