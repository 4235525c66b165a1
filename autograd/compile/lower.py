"""The table of lowering: what each primitive of the engine is among the few ops of a program.

A rule gets the values, the arguments, and the shape and dtype of the result (those of each, if there are several), and returns
a value; None says that it cannot, and then the op's forward is traced, as it also is for primitives that are not here: losses,
normalization, attention, cells of recurrent networks, the rules of optimizers.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..ops.window import places
from .program import Value, Values, lengths, static_index

LOWER: dict[str, Callable[..., Any]] = {}


def lower(*names: str) -> Callable[[Any], Any]:
    """Decorate the rule of ops of these names."""

    def register(rule: Any) -> Any:
        LOWER.update(dict.fromkeys(names, rule))
        return rule

    return register


# ---------------------------------------------------------------- elementwise: the name is that of the C table
ONE_BY_ONE = dict(sin="f", cos="f", arctan="fd")  # dtypes in which C computes them so, and NumPy in half the time
WIDE = 2**12  # elements, from which on NumPy is called for these
FLOATS = set("divide exp log log1p expm1 exp2 tanh sin cos arctan sqrt erf erfc sigmoid power".split())  # only of floats
NUMBERS = set("add subtract multiply negative maximum minimum square relu absolute sign".split())  # and of int64
ROUNDED = set("floor ceil trunc".split())
TESTS = set(
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_not isnan isfinite isinf".split()
)
ALIAS = dict(
    root="sqrt", clip_min="maximum", clip_max="minimum", bitwise_and="logical_and", bitwise_or="logical_or",
    bitwise_xor="not_equal", bitwise_not="logical_not", invert="logical_not",
)  # fmt: skip


def _elementwise(name: str) -> Any:
    op = ALIAS.get(name, name)

    def rule(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
        kinds = {a.dtype for a in args if isinstance(a, Value)}
        if any(k.kind == "f" and k.itemsize < 4 for k in kinds):
            return None
        if dtype.char in ONE_BY_ONE.get(op, "") and prod(shape) >= WIDE:
            return None
        if name[:7] == "bitwise" or name == "invert":
            if kinds != {np.dtype(bool)}:
                return None
        elif (op in FLOATS | ROUNDED and (dtype.kind != "f" or (op in ROUNDED and any(k.kind != "f" for k in kinds)))) or (
            op in NUMBERS and dtype.kind != "f" and dtype != np.int64
        ):
            return None
        if op in TESTS and len(kinds) > 1 and not all(k.kind == "f" for k in kinds):
            return None  # which numbers of both kinds are alike is NumPy's to say
        if op in TESTS and any(isinstance(a, float) and k.kind != "f" for a in args for k in kinds):
            return None
        return p.elementwise(op, *args, dtype=dtype, shape=shape)

    return rule


LOWER |= {name: _elementwise(name) for name in (*FLOATS, *NUMBERS, *ROUNDED, *TESTS, *ALIAS, "where")}


@lower("astype")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return p.cast(args[0], dtype)


@lower("reciprocal")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return p.elementwise("divide", 1, args[0], dtype=dtype, shape=shape) if dtype.kind == "f" else None


@lower("rsqrt")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    if dtype.kind != "f":
        return None
    return p.elementwise("divide", 1, p.elementwise("sqrt", args[0], dtype=dtype, shape=shape), dtype=dtype, shape=shape)


@lower("positive", "clone")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return args[0]


# ---------------------------------------------------------------- views
@lower("reshape")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return p.reshape(args[0], shape)


@lower("permute")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return p.permute(args[0], tuple(a % len(shape) for a in args[1]))


@lower("transpose")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    axes = list(range(len(shape)))
    a, b = (k % len(shape) for k in args[1:])
    axes[a], axes[b] = b, a
    return p.permute(args[0], axes)


@lower("expand")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return p.expand(args[0], shape, dtype)


@lower("slice")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    found = static_index(args[1], args[0].shape)
    return None if found is None else p.reshape(p.slice(args[0], found[0]), shape)


@lower("unslice")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, index, _ = args
    if (found := static_index(index, shape)) is None:
        return None
    where = found[0]
    x = p.reshape(p.expand(x, found[1], dtype), lengths(where))
    if any(not isinstance(w, int) and w[2] != 1 for w in where):
        return p.assemble([x], [where], shape, dtype)
    return p.make("unslice", (x,), (where,), shape, dtype)


@lower("flip")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, axis = args
    axes = {a % len(shape) for a in (range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,))}
    return p.slice(x, tuple((n - 1, -1, -1) if k in axes else (0, n, 1) for k, n in enumerate(x.shape)))


# ---------------------------------------------------------------- joining and splitting
@lower("split", "unbind")
def _(p: Values, args: Any, shapes: Any, dtype: Any) -> Any:
    x, axis = args[0], args[-1]
    whole = [(0, n, 1) for n in x.shape]
    if len(args) == 3:
        ends = (0, *args[1], x.shape[axis])
        parts: Any = [(a, b, 1) for a, b in pairwise(ends)]
    else:
        parts = range(x.shape[axis])
    return tuple(p.slice(x, (*whole[:axis], w, *whole[axis + 1 :])) for w in parts)


@lower("concatenate", "stack")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    axis, *xs = args
    if not all(isinstance(x, Value) for x in xs):
        return None
    axis, at, where = axis % len(shape), 0, []
    stacked = len(xs[0].shape) < len(shape)
    for x in xs:
        n = 1 if stacked else x.shape[axis]
        where.append(tuple((at if stacked else (at, at + n, 1)) if k == axis else (0, m, 1) for k, m in enumerate(shape)))
        at += n
    return p.assemble([p.cast(x, dtype) for x in xs], where, shape, dtype)


# ---------------------------------------------------------------- reductions and products
def _reduction(op: str) -> Any:
    def rule(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
        x, axes, keepdims = args[0], args[1], args[2]
        if axes is None:
            axes = tuple(range(len(x.shape)))
        axes = axes if isinstance(axes, tuple) else (axes,)
        if dtype.kind == "f" and dtype.itemsize < 4:
            return None
        if op != "sum" and x.dtype != dtype:  # all and any, of numbers
            x = p.elementwise("not_equal", x, 0, dtype=dtype, shape=x.shape)
        return p.reshape(p.reduce(op, p.cast(x, dtype), axes, keepdims), shape)

    return rule


LOWER |= {name: _reduction(name) for name in ("sum", "amax", "amin")}
LOWER |= dict(all=_reduction("amin"), any=_reduction("amax"))  # of booleans


@lower("sum_product")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, y, axes = args
    if dtype.kind != "f":
        return None
    return p.reduce("sum", p.elementwise("multiply", x, y, dtype=dtype), axes, True)


@lower("softmax")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, axis = args[0], (args[1],)
    e = p.elementwise("exp", p.elementwise("subtract", x, p.reduce("amax", x, axis, True), dtype=dtype), dtype=dtype)
    return p.elementwise("divide", e, p.reduce("sum", e, axis, True), dtype=dtype)


@lower("log_softmax")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, axis = args[0], (args[1],)
    z = p.elementwise("subtract", x, p.reduce("amax", x, axis, True), dtype=dtype)
    e = p.reduce("sum", p.elementwise("exp", z, dtype=dtype), axis, True)
    return p.elementwise("subtract", z, p.elementwise("log", e, dtype=dtype), dtype=dtype)


@lower("matmul")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    a, b = args
    if not (isinstance(a, Value) and isinstance(b, Value)) or dtype.kind != "f" or not a.dtype == b.dtype == dtype:
        return None
    return p.matmul(a, b) if len(a.shape) > 1 < len(b.shape) else None


@lower("linear")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, w, b = args
    if len(x.shape) < 1 or not x.dtype == w.dtype == dtype:
        return None
    rows = p.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
    y = p.matmul(rows, p.permute(w, (1, 0)))
    return p.reshape(y if b is None else p.elementwise("add", y, b, dtype=dtype), shape)


# ---------------------------------------------------------------- positions
def _taken(p: Values, x: Any, index: Any, shape: Any, dtype: Any) -> Any:
    axis = _one_axis(index)
    return None if axis is None else p.make("take", (x, index[axis]), (axis,), shape, dtype)


@lower("index")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return _taken(p, args[0], args[1:], shape, dtype)


@lower("embedding")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    return _taken(p, args[0], args[1:2], shape, dtype)


@lower("unindex")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    g, _, *index = args
    if _one_axis(index) != 0 or any(i is ... for i in index) or dtype not in (np.float32, np.float64):
        return None
    return p.make("addrows", (g, index[0]), (), shape, dtype)


def _one_axis(index: Any) -> int | None:
    """The dim that the one array of integers among full slices indexes."""
    arrays = [k for k, i in enumerate(index) if isinstance(i, Value)]
    if len(arrays) != 1 or index[arrays[0]].dtype not in (np.int64, np.int32):
        return None
    if any(not (isinstance(i, slice) and i == slice(None)) for k, i in enumerate(index) if k != arrays[0]):
        return None
    return arrays[0]


@lower("gather")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, index, axis = args
    if not x.shape or index.shape[axis] != 1 or index.dtype != np.int64:
        return None
    if any(n != m for k, (n, m) in enumerate(zip(x.shape, index.shape, strict=True)) if k != axis):
        return None
    return p.make("pick", (x, index), (axis,), shape, dtype)


@lower("ungather")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    g, index, axis, _ = args
    if not isinstance(g, Value) or not g.shape or index.shape[axis] != 1 or index.dtype != np.int64 or g.shape != index.shape:
        return None
    if any(n != m for k, (n, m) in enumerate(zip(shape, index.shape, strict=True)) if k != axis):
        return None
    return p.make("onehot", (g, index), (axis,), shape, dtype)


# ---------------------------------------------------------------- windows: a few slices; convolution: three functions in C
def _parts(x: Value, windows: Any, count: Any) -> Any:
    """For each place of a window, what the windows see there; None where some hang over the edge."""
    size = x.shape[-len(windows) :]
    found = places(windows, size, count)
    if any((w[1:] != tuple(slice(0, m) for m in count)) for w, _ in found):
        return None
    lead = [(0, n, 1) for n in x.shape[: -len(windows)]]
    return [(*lead, *(s.indices(n) for s, n in zip(seen[1:], size, strict=True))) for _, seen in found]


def _window(op: str) -> Any:
    def rule(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
        x, windows, count = args
        if dtype.kind != "f" or (where := _parts(x, windows, count)) is None:
            return None
        v = p.slice(x, where[0])
        for w in where[1:]:
            v = p.elementwise(op, v, p.slice(x, w), dtype=dtype)
        return v

    return rule


LOWER |= dict(window_max=_window("maximum"), window_sum=_window("add"))


@lower("which")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, top, windows = args
    if (where := _parts(x, windows, shape[-len(windows) :])) is None:
        return None
    v: Any = len(where) - 1
    for k in reversed(range(len(where) - 1)):
        part = p.slice(x, where[k])
        v = p.elementwise("where", p.elementwise("wins", part, top, dtype=bool), k, v, dtype=dtype, shape=shape)
    return v if isinstance(v, Value) else p.expand(v, shape, dtype)


@lower("put")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    g, which, windows, _ = args

    def part(k: int) -> Value:
        here = p.elementwise("equal", which, k, dtype=bool, shape=which.shape)
        return p.elementwise("multiply", g, p.cast(here, dtype), dtype=dtype)

    return _scatter(p, shape, dtype, windows, which.shape[-len(windows) :], part)


@lower("fold")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, windows, _ = args
    n = len(windows)
    axis = len(x.shape) - n - 1
    if x.op == "expand" and isinstance(x.args[0], Value) and p.lead(x.args[0], len(x.shape)).shape[axis] == 1:  # the same for all
        inner = p.lead(x.args[0], len(x.shape))
        inner = p.reshape(inner, (*inner.shape[:axis], *inner.shape[axis + 1 :]))
        inner = p.expand(inner, (*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype)
        return _scatter(p, shape, dtype, windows, x.shape[-n:], lambda k: inner)
    whole = [(0, m, 1) for m in x.shape]
    return _scatter(p, shape, dtype, windows, x.shape[-n:], lambda k: p.slice(x, (*whole[:axis], k, *whole[axis + 1 :])))


def _scatter(p: Values, shape: Any, dtype: Any, windows: Any, count: Any, part: Callable[[int], Value]) -> Any:
    """The parts, one for each place of a window, where the windows see it."""
    if not all(s >= k and d == 1 and b == 0 for k, s, b, d in windows):
        return None
    size = shape[-len(windows) :]
    lead = [(0, n, 1) for n in shape[: -len(windows)]]
    found = places(windows, size, count)
    if any((w[1:] != tuple(slice(0, m) for m in count)) for w, _ in found):
        return None
    where = [(*lead, *(s.indices(n) for s, n in zip(seen[1:], size, strict=True))) for _, seen in found]
    return p.assemble([part(k) for k in range(len(where))], where, shape, dtype)


LAST, SECOND = (0, 2, 3, 1), (0, 3, 1, 2)  # from (images, channels, height, width) to channels last, and back


def _images(windows: Any, groups: int, dtype: Any) -> bool:
    return len(windows) == 2 and groups == 1 and dtype == np.float32


@lower("conv")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    x, w, b, windows, _, groups = args
    if not _images(windows, groups, dtype):
        return None
    out = tuple(shape[i] for i in LAST)
    y = p.make("conv", (p.permute(x, LAST), p.permute(w, (2, 3, 1, 0))), (windows,), out, dtype)
    return p.permute(y if b is None else p.elementwise("add", y, b, dtype=dtype), SECOND)


@lower("conv_transpose")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    y, w, windows, _, groups = args
    if not _images(windows, groups, dtype):
        return None
    out = tuple(shape[i] for i in LAST)
    return p.permute(p.make("conv_input", (p.permute(y, LAST), p.permute(w, (0, 2, 3, 1))), (windows,), out, dtype), SECOND)


@lower("conv_weight")
def _(p: Values, args: Any, shape: Any, dtype: Any) -> Any:
    y, x, windows, groups = args
    if not _images(windows, groups, dtype):
        return None
    out = tuple(shape[i] for i in (0, 2, 3, 1))
    w = p.make("conv_weight", (p.permute(y, LAST), p.permute(x, LAST)), (windows,), out, dtype)
    return p.permute(w, (0, 3, 1, 2))
