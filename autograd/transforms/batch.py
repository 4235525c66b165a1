"""Batched: an array that holds a value for each sample, and is one sample to the code that runs on it; vmap runs on it.

It has the shape of one sample, to everybody who asks; its `data` holds all, the samples along the first axis. It speaks
NumPy's protocols: what is written in NumPy, and that is every op and every gradient rule, runs on it unchanged. What a
function of NumPy does to it is said once for each function, in `batch_rules.py`; what has no rule there runs sample by sample.

Where NumPy cannot ask, as in `plain[batched]`, and where code asks what a value is and the samples differ, as in `if x > 0`,
it raises `Apart`: the op is then tried with every array as a batch, and after that sample by sample. If it was no op that
asked, the error comes to vmap, which runs the whole function in a loop.

Batches nest. Each has a level, the run of vmap that it belongs to; the latest level is outermost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial, partialmethod
from math import prod
from operator import is_
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..api.random import levels
from ..engine.graph import Array, tick
from ..engine.tensor import Tensor, wrap
from ..errors import BatchError, GraphError, name_in_numpy

RULES: dict[Any, Callable[..., Any]] = {}  # function of NumPy -> what it does to batches, given the level and its arguments
METHODS: dict[str, Callable[..., Any]] = {}  # "reduce" -> from that method of a ufunc to such a rule


class Level:
    """A run of vmap: when it began, for how many samples, what it was told; and whether it still runs."""

    def __init__(self, size: int, randomness: str = "error", fallback: str = "loop", time: int | None = None) -> None:
        self.size, self.randomness, self.fallback = size, randomness, fallback
        self.time, self.open = tick() if time is None else time, True

    @cached_property
    def seal(self) -> Level:
        """What stands in its place in a graph that outlives it."""
        return Level(self.size, self.randomness, self.fallback, self.time)

    def __repr__(self) -> str:
        return f"vmap of {self.size}"

    def draws(self, source: Any, is_default: bool) -> Any:
        """What stands for NumPy's generator `source` while this runs."""
        return Draws(self, source, is_default)

    def looping(self, what: str) -> None:
        """Raise if nothing is to run sample by sample."""
        if self.fallback == "error":
            raise BatchError(f"vmap: {what} runs sample by sample, which fallback='error' refuses")


class Batched(NDArrayOperatorsMixin):
    """One value for each sample, along the first axis of `data`; an array of the shape of one sample."""

    __slots__ = ("__weakref__", "data", "level")
    shape = property(lambda self: self.data.shape[1:])
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: self.data.ndim - 1)
    size = property(lambda self: prod(self.data.shape[1:]))
    T = property(lambda self: np.transpose(self))
    base = property(lambda self: self.data)  # so that writes are seen through views
    flags = property(lambda self: self.data.flags)
    strides = property(lambda self: self.data.strides[1:])
    array = property(lambda self: self.data)  # see engine/batch.py
    began = property(lambda self: self.level.time)

    def __init__(self, level: Level, data: Array) -> None:
        self.level, self.data = level, data

    def check(self) -> None:
        """Raise unless its vmap still runs."""
        if not self.level.open:
            what = f"this tensor holds a value for each of {self.level.size} samples of a vmap that is over"
            raise GraphError(f"{what}: it was kept in a list, an attribute or the like; return it from the function instead")

    # ------------------------------------------------------------ what one value must be for
    def _one(self, what: str) -> Any:
        """The value, if all samples have the same."""
        self.check()
        if self.data.shape[0]:
            first = self.data[0]
            if bool(np.all((self.data == first) | ((self.data != self.data) & (first != first)))):
                return first
        raise Apart(f"vmap: {what} asks for one value where the samples differ")

    def __bool__(self) -> bool:
        return bool(Batched(self.level, self.data != 0)._one("`if`, or what tests like it,"))

    def item(self) -> Any:
        return self._one("item()").item()

    def tolist(self) -> Any:
        return self._one("tolist()").tolist()

    def __float__(self) -> float:
        return float(self._one("float()"))

    def __int__(self) -> int:
        return int(self._one("int()"))

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError("only a single integer is an index")
        return int(self._one("an index"))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self.check()
        raise Apart("vmap: a plain array is asked for, or written to, where each sample has one of its own")

    def __repr__(self) -> str:
        over = " that is over" * (not self.level.open)
        return f"<{self.data.shape[0]} samples of a vmap{over}, each {self.dtype} {self.shape}:\n{self.data}>"

    # ------------------------------------------------------------ the methods of arrays that code outside the ops calls
    any, all, min, max, sum, copy, astype = (
        partialmethod(lambda self, function, *args, **kwargs: function(self, *args, **kwargs), function)
        for function in (np.any, np.all, np.min, np.max, np.sum, np.copy, np.astype)
    )

    def reshape(self, *shape: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Any:
        return np.reshape(self, (-1,))

    def __pow__(self, other: Any) -> Any:  # ndarrays know x**2 from power(x, 2)
        self.check()
        return Batched(self.level, self.data**other) if isinstance(other, (int, float)) else np.power(self, other)

    # ------------------------------------------------------------ NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = (), **kwargs: Any) -> Any:
        self.check()
        level = latest((args, out, kwargs))
        if any(not isinstance(o, Batched) or o.level is not level for o in out):
            raise Apart(f"vmap: np.{ufunc.__name__} puts what differs by sample into an array that is the same for all")
        if method == "__call__" and ufunc.signature is None:
            operands = aligned(level, (*args, *(kwargs[k] for k in ("where",) if k in kwargs)))
            kwargs |= {"where": operands.pop()} if "where" in kwargs else {}
            if not out:
                return back(level, ufunc(*operands, **kwargs))
            ufunc(*operands, out=tuple(o.data for o in out), **kwargs)
            return out[0]
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        rule = METHODS[method](function) if method in METHODS else RULES.get(function) or each(function)
        found = rule(level, *args, **kwargs)
        if out:
            out[0].data[...] = found.data
        return out[0] if out else found

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        self.check()
        if (level := top((args, kwargs))) is None:  # np.arange(n, like=self)
            return function(*args, **kwargs)
        return (RULES.get(function) or each(function))(level, *args, **kwargs)

    # ------------------------------------------------------------ indexing
    def __getitem__(self, index: Any) -> Any:
        self.check()
        if (level := latest((self, index))) is not self.level:
            return full(level, self)[index]
        places = Places(self, index)
        return Batched(level, places.seen(self.data[places.index]))

    def __setitem__(self, index: Any, value: Any) -> None:
        self.check()
        if (level := latest((self, index, value))) is not self.level:
            raise Apart("vmap: what differs by sample is written into an array that is the same for all")
        if isinstance(index, Batched) and index.dtype.kind == "b" and index.shape == self.shape and np.ndim(value) == 0:
            np.copyto(self.data, aligned(level, (value, self))[0], where=index.data)
            return
        places = Places(self, index)
        self.data[places.index] = places.given(level, value)


# ---------------------------------------------------------------- levels
def top(tree: Any) -> Level | None:
    """The latest level of the batches in a tree."""
    if isinstance(tree, Batched):
        return tree.level
    if isinstance(tree, Tensor):
        return top(tree.array)
    found = None
    if isinstance(tree, (tuple, list, dict)):
        for branch in tree.values() if isinstance(tree, dict) else tree:
            if (level := top(branch)) is not None and (found is None or level.time > found.time):
                found = level
    return found


def latest(tree: Any) -> Level:
    """The latest level of the batches in a tree in which there is one."""
    level = top(tree)
    assert level is not None
    return level


def own(level: Level, x: Any) -> Any:
    """The data of a batch of this level, None if `x` is the same for all its samples."""
    return x.data if isinstance(x, Batched) and x.level is level else None


def back(level: Level, found: Any) -> Any:
    """What a function made of data, as batches."""
    if isinstance(found, (tuple, list)):
        return _same_kind(found, [back(level, f) for f in found])
    return Batched(level, found)


def full(level: Level, x: Any) -> Any:
    """`x` as a batch, repeated if it is the same for all; no memory is used."""
    if isinstance(x, Batched) and x.level is level:
        return x
    return Batched(level, np.broadcast_to(x, (level.size, *(x.shape if hasattr(x, "shape") else np.shape(x)))))


def aligned(level: Level, args: Any) -> list[Any]:
    """The data of `args`, so that they broadcast: with axes of length 1 behind the first where there are too few."""
    ndim = max([a.ndim for a in args if hasattr(a, "dtype")], default=0)
    found = []
    for a in args:
        if (data := own(level, a)) is not None:
            a = data if data.ndim > ndim else np.reshape(data, (level.size, *(1,) * (ndim + 1 - data.ndim), *data.shape[1:]))
        found.append(a)
    return found


def put_inside(level: Level, data: Array) -> Any:
    """A batch of this level whose samples are along the first axis of `data`, inside of the later levels of that."""
    if isinstance(data, Batched) and data.level.time > level.time:
        return Batched(data.level, put_inside(level, np.swapaxes(data.data, 0, 1)))
    return Batched(level, data)


def taken_out(level: Level, x: Any) -> Any:
    """The values for the samples of this level, along the first axis; None if `x` is the same for all."""
    if not isinstance(x, Batched) or x.level.time < level.time:
        return None
    if x.level is level:
        return x.data
    data = taken_out(level, x.data)  # samples, those of the later level, the rest
    return None if data is None else Batched(x.level, np.swapaxes(data, 0, 1))


def sealed(level: Level, value: Any) -> Any:
    """`value` as a graph keeps it that outlives the vmap; itself, if it has nothing of this level."""
    if value is level:
        return level.seal
    if isinstance(value, Batched):
        data = sealed(level, value.data)
        mine = value.level is level
        return Batched(level.seal if mine else value.level, data) if mine or data is not value.data else value
    if isinstance(value, (tuple, list)):
        parts = [sealed(level, v) for v in value]
        return value if all(map(is_, parts, value)) else _same_kind(value, parts)
    return value


def _same_kind(like: Any, parts: list[Any]) -> Any:
    return getattr(like, "_make", type(like))(parts)


# ---------------------------------------------------------------- sample by sample
class Apart(BatchError):
    """What the samples of a batch cannot do together, but perhaps one by one."""

    def again(self, op: Any, values: list[Any]) -> Any:
        """What `op`, which raised this, makes of its arguments: with every array as a batch, or else sample by sample."""
        arrays: list[Any] = []
        _each_array(arrays.append, values)
        around = {level for x in arrays for level in _levels(x)}
        if not around:
            raise self
        for level in sorted(around, key=lambda level: -level.time):
            if any(level not in _levels(x) for x in arrays):
                return op(*_each_array(partial(_spread, level), values))
        apart = FunctionType(op.__code__, op.__globals__ | {"fun": one_by_one(op.fun, op.name)}, op.name, op.__defaults__)
        apart.__kwdefaults__ = op.__kwdefaults__
        try:
            return apart(*values)
        except Apart as error:
            raise BatchError(str(error)) from error


def _levels(x: Any) -> list[Level]:
    """The levels of a batch, the latest first."""
    return [x.level, *_levels(x.data)] if isinstance(x, Batched) else []


def _spread(level: Level, x: Any) -> Any:
    """`full`, also inside of later levels."""
    return Batched(x.level, _spread(level, x.data)) if isinstance(x, Batched) and x.level.time > level.time else full(level, x)


def _each_array(f: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return wrap(f(tree.array), tree.node)
    if type(tree) in (list, tuple):
        return type(tree)(_each_array(f, t) for t in tree)
    return f(tree) if hasattr(tree, "dtype") and hasattr(tree, "ndim") and not isinstance(tree, np.generic) else tree


def one_by_one(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` for each sample at each level."""

    def attempt(*args: Any) -> Any:
        try:
            return function(*args)
        except Apart as error:
            if (level := top(args)) is None:
                raise BatchError(str(error)) from error
            return each(attempt, name)(level, *args)

    return lambda *args: each(attempt, name)(latest(args), *args)


def each(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """The rule of a function that has none: it is called for each sample."""

    def loop(level: Level, *args: Any, **kwargs: Any) -> Any:
        level.looping(name or f"np.{name_in_numpy(function)}")
        with alone(level, args):
            found = [function(*pick(level, args, i), **pick(level, kwargs, i)) for i in range(max(level.size, 1))]
        return join(level, found)

    return loop


def pick(level: Level, tree: Any, i: int) -> Any:
    """Sample `i`; where there is none, one of zeros, to see what comes out."""
    if isinstance(tree, Batched):
        data = own(level, tree)
        return tree if data is None else data[i, ...] if level.size else np.zeros_like(data, shape=tree.shape)
    if isinstance(tree, (tuple, list)):
        return _same_kind(tree, [pick(level, t, i) for t in tree])
    return {k: pick(level, v, i) for k, v in tree.items()} if isinstance(tree, dict) else tree


def join(level: Level, found: list[Any]) -> Any:
    """The results for all samples as one."""
    first = found[0]
    if isinstance(first, (tuple, list)):
        return _same_kind(first, [join(level, list(parts)) for parts in zip(*found, strict=True)])
    if not hasattr(first, "dtype"):
        if any(f != first for f in found):
            raise BatchError(f"vmap: one number is asked for, where the samples have {found}")
        return first
    if len({f.shape for f in found}) > 1:
        raise BatchError("vmap: the samples have results of different shapes")
    return Batched(level, np.stack(found)[: level.size])


# ---------------------------------------------------------------- random numbers
_SIZES = {"standard_normal": 0, "random": 0, "standard_exponential": 0, "integers": 2}  # which argument says how many


class Draws:
    """NumPy's generator `source` as ops see it in a vmap: what they draw is for each sample, or the same for all."""

    def __init__(self, level: Level, source: Any, is_default: bool) -> None:
        self.level, self.source, self.is_default, self.bit_generator = level, source, is_default, source.bit_generator

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.source, name)
        if self.level.randomness == "error" and self.is_default:
            raise GraphError("vmap: the function draws random numbers; pass randomness='different' or 'same'")
        return method if self.level.randomness == "same" else partial(self._for_each, method, _SIZES.get(name))

    def _for_each(self, method: Any, place: int | None, *args: Any) -> Any:
        if place is None:
            return Batched(self.level, np.stack([method(*args) for _ in range(self.level.size)]))
        return Batched(self.level, method(*args[:place], (self.level.size, *args[place]), *args[place + 1 :]))


@contextmanager
def alone(level: Level, args: Any) -> Iterator[None]:
    """While an op with these arguments runs for one sample after the other: each draws its own numbers."""
    around = levels.get()
    if level in around and level.randomness == "same" and any(hasattr(a, "get_state") for a in args):
        raise BatchError("vmap: an op that runs sample by sample draws other numbers for each, and randomness is 'same'")
    token = levels.set(tuple(other for other in around if other is not level))
    try:
        yield
    finally:
        levels.reset(token)


# ---------------------------------------------------------------- places
class Places:
    """An index into one sample as one into the data of all.

    NumPy puts the `k` axes that the arrays of an index make where these stand, if they stand together, and first if not. With
    the samples in front that is elsewhere: `to` axes further, or (-1) in front of the samples.
    """

    def __init__(self, x: Batched, index: Any) -> None:
        parts = [np.asarray(p) if isinstance(p, list) else p for p in (index if isinstance(index, tuple) else (index,))]
        rest = x.ndim - sum(_axes(p) for p in parts)  # axes that no part is for: where ... stands, or behind
        self.own = [p for p in parts if own(x.level, p) is not None]
        if any(p.dtype.kind == "b" for p in self.own):
            raise Apart("vmap: a mask that differs by sample picks more elements of one than of another")
        if self.own:  # a mask that does not is the positions where it holds
            if any(_is_mask(p) and not _axes(p) for p in parts):
                raise Apart("vmap: a single boolean is among positions that differ by sample")
            parts = [q for p in parts for q in (np.nonzero(p) if _is_mask(p) else (p,))]
        places = [i for i, p in enumerate(parts) if _is_array(p)]
        self.k = max((1 if _is_mask(p) else getattr(p, "ndim", 0) for p in map(parts.__getitem__, places)), default=0)
        together = places == list(range(places[0], places[-1] + 1)) if places else True
        self.ndim = rest + sum(p is None or isinstance(p, slice) for p in parts) + self.k
        self.to, self.index = 0 if together else -1, (slice(None), *parts)
        if self.own:
            n, k = x.level.size, self.k
            self.to = sum(rest if p is ... else 1 for p in parts[: places[0]]) if together and k else 0
            behind = [p if (d := own(x.level, p)) is None else np.reshape(d, (n, *(1,) * (k - p.ndim), *p.shape)) for p in parts]
            self.index = (np.reshape(np.arange(n), (n, *(1,) * k)), *behind)

    def seen(self, found: Any) -> Any:
        """What was found there, with the axes as one sample has them, the samples first."""
        if self.to < 0:
            return np.moveaxis(found, self.k, 0)
        return np.moveaxis(found, range(1, 1 + self.k), range(1 + self.to, 1 + self.to + self.k)) if self.to else found

    def given(self, level: Level, value: Any) -> Any:
        """A value for one sample as what is to be put there."""
        if (data := own(level, value)) is None and not (self.to and np.ndim(value)):
            return value
        data = full(level, value).data if data is None else data
        data = np.reshape(
            data, (level.size, *(1,) * (self.ndim + 1 - data.ndim), *data.shape[1 + max(0, data.ndim - 1 - self.ndim) :])
        )
        if self.to < 0:
            return np.moveaxis(data, 0, self.k) if self.ndim else data
        return np.moveaxis(data, range(1 + self.to, 1 + self.to + self.k), range(1, 1 + self.k)) if self.to else data


def _is_mask(part: Any) -> bool:
    return getattr(getattr(part, "dtype", None), "kind", "b" if isinstance(part, bool) else "") == "b"


def _is_array(part: Any) -> bool:
    return hasattr(part, "dtype") or isinstance(part, bool) or (hasattr(part, "__index__") and not isinstance(part, slice))


def _axes(part: Any) -> int:
    """For how many axes of an array this part of an index is."""
    return getattr(part, "ndim", 0) if _is_mask(part) else int(part is not None and part is not ...)
