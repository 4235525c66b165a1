"""The few ops that C is written of: values in single assignment, simplified as they are made, and what is written where.

A recorded op is lowered by the table in lower.py; one that is not there is what its forward does on Tensors; failing that,
NumPy computes it at its place. What is written in place is a new value of the whole. Where that cannot be said of a step, as
of one that reads through a view older than a write, CompileError is raised, and the step is played by NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ..api.random import Generator
from ..engine.graph import ambient, write
from ..engine.tensor import PRIMITIVES, wrap
from ..engine.warn import OURS
from ..errors import CompileError
from .record import CHECK, Entry, Leaf, Program, Recording, Ref, refs_in, uniform

SHORT, MANY, LANES = 16, 2**9, 64  # elements of a row that is short; rows that are many; elements that are added side by side
VIEWS = {"reshape", "permute", "expand", "slice"}  # an element of a view is an element of its argument
CHEAP = set(
    """
    add subtract multiply divide negative maximum minimum where relu astype square sqrt absolute sign floor ceil trunc equal wins
    keep_zero not_equal less less_equal greater greater_equal logical_and logical_or logical_not isnan isfinite isinf
    unslice onehot take""".split()
)  # as cheap to compute anew as to load
COSTLY = set("exp log log1p expm1 exp2 tanh sin cos erf erfc power sigmoid arctan".split())
REDUCE = {"sum", "amax", "amin"}


class Value:
    """One value: `op` of other values or numbers. `info` holds what is fixed: axes, slices, windows."""

    __slots__ = ("args", "array", "dtype", "fun", "id", "info", "line", "name", "op", "shape")

    def __init__(self, op: str, args: Any, info: Any, shape: Any, dtype: Any, id: int, line: Any) -> None:
        self.op, self.args, self.info, self.shape, self.dtype, self.id = op, args, info, tuple(shape), np.dtype(dtype), id
        self.line = line
        self.array: Any = None  # of a leaf: where it is read
        self.fun: Any = None  # of a call: what NumPy is to do
        self.name = ""

    size = property(lambda self: prod(self.shape))

    def __repr__(self) -> str:
        args = ", ".join(f"%{a.id}" if isinstance(a, Value) else repr(a) for a in self.args)
        info = f", {self.info}" if self.info != () else ""
        return f"%{self.id} = {self.op}({args}{info})  {self.dtype.name}{list(self.shape)}"


class Values:
    """`values` in order; `outputs`; `writes`: states and their new values; `draws` and `checks`, which come before or between."""

    def __init__(self, program: Program, table: Mapping[str, Callable[..., Any]]) -> None:
        self.table = table  # of lowering, by the names of primitives
        self.values: list[Value] = []
        self.known: dict[Any, Value] = {}
        self.constants: dict[Any, Value] = {}  # by what is in them
        self.places: dict[int, dict[Any, Value]] = {}  # of an assembled value
        self.clock = 0
        self.new: dict[int, tuple[Value, Any]] = {}  # id of a state's value: it, and what it is to become
        self.draws: list[tuple[Value, Any, bool, Any]] = []  # of which leaf; the op, if it is odd, arguments
        self.checks: list[tuple[Entry, list[Any]]] = []
        self.line: Any = None
        frame = Frame(self, program, {})
        self.inputs = {leaf.place: frame.env[ref][1] for ref, leaf in program.leaves.items() if leaf.kind == "input"}
        frame.run()
        self.outputs = [frame.out(r) for r in (*program.results, *program.grads)]
        self.writes = [(leaf, v) for leaf, v in self.new.values() if v is not leaf]
        self.prune()

    def prune(self) -> None:
        """Drop what no output, no write and no check depends on."""
        ends = [*self.outputs, *(v for pair in self.writes for v in pair), *(v for _, args in self.checks for v in args)]
        live, stack = set(), [v for v in ends if isinstance(v, Value)]
        while stack:
            v = stack.pop()
            if v.id not in live:
                live.add(v.id)
                stack += [a for a in v.args if isinstance(a, Value)]
        self.values = [v for v in self.values if v.id in live]

    def __str__(self) -> str:
        writes = [f"write %{leaf.id} <- %{v.id}" for leaf, v in self.writes]
        return "\n".join([*map(str, self.values), *writes, "return " + ", ".join(str(getattr(v, "id", v)) for v in self.outputs)])

    def refuse(self, why: str) -> CompileError:
        """The error that says why, and where."""
        return CompileError(f"{self.line}: {why}")

    # ------------------------------------------------------------ making values, without duplicates
    def make(self, op: str, args: Any, info: Any, shape: Any, dtype: Any) -> Value:
        """The value that is `op` of these, made once."""
        keys = tuple(a.id if isinstance(a, Value) else (type(a), a if a == a else "nan", str(a)) for a in args)
        key = op, keys, info, tuple(shape), np.dtype(dtype)
        if key not in self.known:
            self.known[key] = Value(op, tuple(args), info, shape, dtype, len(self.known), self.line)
            self.values.append(self.known[key])
        return self.known[key]

    def leaf(self, array: Any, kind: Any, name: str = "") -> Value:
        """A value that is in memory before the step."""
        v = self.make("leaf", (), (*kind, len(self.known)), array.shape, array.dtype)
        v.array, v.name = array, name
        return v

    def constant(self, array: Any) -> Any:
        """An array that is always the same: one of no dims is a number, one of equal numbers that number, repeated."""
        if array.ndim == 0:
            return array.item()
        if array.dtype.kind == "f" and uniform(array):
            return self.expand(array.flat[0].item(), array.shape, array.dtype)
        key = array.shape, array.dtype, array.tobytes()
        if key not in self.constants:  # equal ones are one
            self.constants[key] = self.leaf(np.ascontiguousarray(array), ("constant",))
        return self.constants[key]

    # ------------------------------------------------------------ the few ops, with what can be said at once
    def elementwise(self, op: str, *args: Any, dtype: Any, shape: Any = None) -> Value:
        """`op` of arguments that broadcast; layouts of images sink through it, so that loops run in the order of memory."""
        args = tuple(plain(a) for a in args)
        dtype = np.dtype(dtype)
        if shape is None:
            shape = np.broadcast_shapes(*(a.shape for a in args if isinstance(a, Value)))
        if (simpler := simplify(self, op, args, shape, dtype)) is not None:
            return simpler
        full = [a for a in args if isinstance(a, Value) and a.shape == shape and a.size > 1]
        layouts = {a.info[0] for a in full if a.op == "permute"}
        channels = (0, len(shape) - 1, *range(1, len(shape) - 1))  # from channels last, which others come to as well
        images = len(shape) > 3 and layouts == {channels}
        if len(layouts) == 1 and (images or all(a.op == "permute" for a in full)):
            (axes,) = layouts
            back = tuple(np.argsort(axes).tolist())
            aligned = [a if not isinstance(a, Value) or a.size == 1 else self.lead(a, len(shape)) for a in args]
            moved = [self.permute(a, back) if isinstance(a, Value) and a.size > 1 else a for a in aligned]
            return self.permute(self.elementwise(op, *moved, dtype=dtype, shape=tuple(shape[i] for i in back)), axes)
        return self.make(op, args, (), shape, dtype)

    def lead(self, v: Value, ndim: int) -> Value:
        """With ones in front of its shape."""
        return self.reshape(v, (1,) * (ndim - len(v.shape)) + v.shape)

    def cast(self, v: Any, dtype: Any) -> Any:
        """In another dtype."""
        return v if not isinstance(v, Value) or v.dtype == dtype else self.elementwise("astype", v, dtype=dtype)

    def reshape(self, v: Value, shape: Any) -> Value:
        """In another shape."""
        shape = tuple(shape)
        if v.shape == shape:
            return v
        if v.op == "reshape":
            return self.reshape(v.args[0], shape)
        if plain(v) is not v:
            return self.expand(plain(v), shape, v.dtype)
        return self.make("reshape", (v,), (), shape, v.dtype)

    def permute(self, v: Value, axes: Any) -> Value:
        """With its axes in another order."""
        axes = tuple(axes)
        if v.op == "permute":
            axes, v = tuple(v.info[0][i] for i in axes), v.args[0]
        if axes == tuple(range(len(axes))):
            return v
        shape = tuple(v.shape[i] for i in axes)
        if plain(v) is not v:
            return self.expand(plain(v), shape, v.dtype)
        if [i for i in axes if v.shape[i] != 1] == [i for i in range(len(axes)) if v.shape[i] != 1]:  # only ones move
            return self.reshape(v, shape)
        return self.make("permute", (v,), (axes,), shape, v.dtype)

    def expand(self, v: Any, shape: Any, dtype: Any) -> Value:
        """A value or a number, repeated to a larger shape."""
        v = plain(v) if isinstance(v, Value) and v.dtype == dtype else v
        if isinstance(v, Value) and v.shape == tuple(shape):
            return v
        return self.make("expand", (v,), (), shape, v.dtype if isinstance(v, Value) else dtype)

    def slice(self, v: Value, where: Any) -> Value:
        """`where` holds for each dim of v (start, stop, step), or a number, which drops the dim."""
        if all(w == (0, n, 1) for w, n in zip(where, v.shape, strict=True)):
            return v
        if plain(v) is not v:
            return self.expand(plain(v), lengths(where), v.dtype)
        if v.op == "assemble" and (part := self.parts_of(v).get(tuple(where))) is not None:
            return part
        if v.op == "permute" and not any(isinstance(w, int) for w in where):
            axes = v.info[0]
            inner: list[Any] = [None] * len(axes)
            for k, a in enumerate(axes):
                inner[a] = where[k]
            return self.permute(self.slice(v.args[0], tuple(inner)), axes)
        return self.make("slice", (v,), (tuple(where),), lengths(where), v.dtype)

    def parts_of(self, v: Value) -> dict[Any, Value]:
        """The parts of an assembled value by their places, where none lies over another."""
        if v.id not in self.places:
            apart = sum(a.size for a in v.args) <= v.size and len(set(v.info[0])) == len(v.args)
            self.places[v.id] = dict(zip(v.info[0], v.args, strict=True)) if apart else {}
        return self.places[v.id]

    def reduce(self, op: str, x: Value, axes: Any, keepdims: bool) -> Value:
        """The sum, or the largest or smallest, over `axes`."""
        axes = tuple(sorted(a % max(1, len(x.shape)) for a in axes)) if x.shape else ()
        kept = tuple(1 if k in axes else n for k, n in enumerate(x.shape))
        real = tuple(a for a in axes if x.shape[a] != 1)
        if not real:
            r = x
        elif x.op == "permute":
            order, inner = x.info[0], tuple(sorted(x.info[0][a] for a in real))
            shape = tuple(1 if k in inner else n for k, n in enumerate(x.args[0].shape))
            r = self.permute(self.make(op, (x.args[0],), (inner,), shape, x.dtype), order)
        elif op == "sum" and (many := together(x.shape, real)):
            last = real[-1]
            rows = self.reshape(x, (*x.shape[:last], x.shape[last] // many, many, *x.shape[last + 1 :]))
            shape = tuple(1 if k in real else n for k, n in enumerate(rows.shape))
            lanes = self.make(op, (rows,), (real,), shape, x.dtype)
            r = self.reshape(self.make(op, (lanes,), ((last + 1,),), (*shape[: last + 1], 1, *shape[last + 2 :]), x.dtype), kept)
        else:
            r = self.make(op, (x,), (real,), kept, x.dtype)
        return r if keepdims else self.reshape(r, tuple(n for k, n in enumerate(x.shape) if k not in axes))

    def matmul(self, a: Value, b: Value) -> Value:
        """The product of matrices, or of stacks of them."""
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return self.make("matmul", (a, b), (), (*batch, a.shape[-2], b.shape[-1]), a.dtype)

    def assemble(self, parts: Any, places: Any, shape: Any, dtype: Any) -> Value:
        """Parts, each written where its slices say; what no part covers is zero."""
        whole = not any(isinstance(w, int) for at in places for w in at)
        if whole and all(p.op == "permute" and p.info == parts[0].info for p in parts):
            axes = parts[0].info[0]
            back = tuple(np.argsort(axes).tolist())
            inner = [tuple(at[i] for i in back) for at in places]
            return self.permute(self.assemble([p.args[0] for p in parts], inner, tuple(shape[i] for i in back), dtype), axes)
        return self.make("assemble", parts, (tuple(map(tuple, places)),), shape, dtype)


class Frame:
    """The entries of a program, or of what an op's forward does on Tensors, turned into values one after the other."""

    def __init__(self, values: Values, program: Program, given: dict[int, Any], out: Any = None) -> None:
        self.p, self.program = values, program
        self.env: dict[Ref, tuple[int, Any]] = {}  # of a value of the program: when it was made or written, and what it is
        self.written: dict[int, int] = {}  # which memory: when it was last
        self.views: dict[Ref, tuple[Ref, Any]] = {}
        self.shapes: dict[Ref, Any] = {}
        for ref, leaf in program.leaves.items():
            self.shapes[ref] = leaf.array.shape, leaf.array.dtype
            self.env[ref] = 0, given[leaf.place] if given and leaf.kind == "input" else self.of_leaf(leaf)

    def of_leaf(self, leaf: Leaf) -> Any:
        """The value of what was there before."""
        if leaf.array.size == 0:
            raise self.p.refuse("an array without elements")
        if leaf.kind == "input" and leaf.written:
            raise self.p.refuse("an argument is written to")
        return self.p.constant(leaf.array) if leaf.kind == "constant" else self.p.leaf(leaf.array, (leaf.kind,), leaf.name)

    def run(self) -> None:
        """All entries."""
        for e in self.program.entries:
            self.p.line = e.line
            self.entry(e)

    def out(self, r: Any) -> Any:
        """What a result is."""
        if not isinstance(r, Ref):
            return None
        v = self.read(r)
        shape, dtype = self.shapes[r]
        return v if isinstance(v, Value) else self.p.expand(v, shape, dtype)

    def read(self, x: Any) -> Any:
        """A value, or a plain argument as it is."""
        if not isinstance(x, Ref):
            return x.item() if isinstance(x, np.generic) else x
        born, v = self.env[x]
        if self.written.get(self.program.memories[x][0], -1) > born:
            raise self.p.refuse("an array is read through a view that is older than a write to its memory")
        return v

    def entry(self, e: Entry) -> None:
        """One entry."""
        self.p.clock += 1
        if e.op is write:
            self.write(e.args[0], e.args[1], self.read(e.args[2]))
            return
        if e.op is CHECK:
            looked_at = [self.seen(a) if isinstance(a, Ref) else a for a in e.args[1:]]
            self.p.checks.append((e, looked_at))
            return
        for ref, (shape, dtype) in zip(e.outs, e.shapes, strict=True):
            self.shapes[ref] = shape, np.dtype(dtype)
            if prod(shape) == 0:
                raise self.p.refuse("an array without elements")
        args = [self.deep(a) for a in e.args]
        made: Any = None
        if any(isinstance(a, Generator) for a in args):
            made = self.drawn(e, args)
        elif not list(values_in(args)):
            made = self.folded(e)
        elif rule := self.p.table.get(meant(e.op)):
            made = rule(self.p, args, *self.kind(e))
        if made is None:
            made = self.traced(e, args)
        if e.op.name == "slice" and self.same_memory(e.outs[0], e.args[0]):
            self.views[e.outs[0]] = e.args[0], e.args[1]
        for ref, v in zip(e.outs, made if e.several else (made,), strict=True):
            self.env[ref] = self.p.clock, v

    def folded(self, e: Entry) -> Any:
        """What follows from numbers alone."""

        def lift(x: Any) -> Any:
            if isinstance(x, Ref):
                return np.asarray(self.read(x), self.shapes[x][1])
            return type(x)(map(lift, x)) if type(x) in (tuple, list) else x

        with np.errstate(all="ignore"):
            out = careful(e.op, self.odd(e))(*map(lift, e.args))
        made = [np.asarray(a) for a in (out if e.several else (out,))]
        found = [self.p.constant(a) for a in made]
        return tuple(found) if e.several else found[0]

    def seen(self, ref: Ref) -> Any:
        """A value for a check, which wants an array."""
        v = self.read(ref)
        return v if isinstance(v, Value) else np.asarray(v, self.shapes[ref][1])

    def deep(self, x: Any) -> Any:
        return type(x)(map(self.deep, x)) if type(x) in (tuple, list) else self.read(x)

    def kind(self, e: Entry) -> tuple[Any, Any]:
        """The shape and the dtype of what an entry makes, or those of each."""
        kinds = [self.shapes[r] for r in e.outs]
        return kinds[0] if not e.several else (tuple(s for s, _ in kinds), tuple(d for _, d in kinds))

    def same_memory(self, a: Any, b: Any) -> bool:
        places = self.program.memories
        return isinstance(b, Ref) and places[a][0] == places[b][0]

    def odd(self, e: Entry) -> bool:
        """Has it arguments of other dtypes than float32 and float64, with which the engine takes care?"""
        return any(self.shapes[r][1].char not in "fd" for r in refs_in(e.args))

    def drawn(self, e: Entry, args: list[Any]) -> Value:
        """NumPy draws the numbers before each step, in this order."""
        if list(values_in(args)) or e.several:
            raise self.p.refuse(f"{e.op.name} with parameters that are computed in the step")
        shape, dtype = self.kind(e)
        v = self.p.leaf(np.empty(shape, dtype), ("random", len(self.p.draws)))
        self.p.draws.append((v, e.op, self.odd(e), args))
        return v

    # ------------------------------------------------------------ an op that the table does not have
    def traced(self, e: Entry, args: list[Any]) -> Any:
        """It is what its forward does on Tensors; failing that, NumPy's at its place."""
        if not isinstance(e.op.fun, np.ufunc):
            try:
                one, two = (self.inner(e, args, seed) for seed in (0, 1))
                if one[0].signature == two[0].signature:
                    return self.lowered(e, *one)
            except Exception:  # whatever it is that made-up numbers, or Tensors, are no arguments for
                pass
        return self.called(e, args)

    def inner(self, e: Entry, args: list[Any], seed: int) -> Any:
        """The program of its forward, run on made-up numbers."""
        given: list[Any] = []
        arrays: list[Any] = []

        def lift(x: Any) -> Any:
            if isinstance(x, Value):
                if x not in given:
                    given.append(x)
                    like = np.random.default_rng(seed).uniform(0.2, 0.8, x.shape)
                    arrays.append(np.asarray(like if x.dtype.kind == "f" else like > 0.5 * seed, x.dtype))
                return wrap(arrays[given.index(x)])
            return type(x)(map(lift, x)) if type(x) in (tuple, list) else x

        lifted = [lift(a) for a in args]
        tape = Recording(inputs=arrays, line=e.line)
        with ambient(grad=False, tape=tape), np.errstate(all="ignore"):
            out = e.op.fun(*lifted)
        outs = out if isinstance(out, tuple) else (out,)
        return Program(tape, [getattr(t, "array", t) for t in outs], ()), given

    def lowered(self, e: Entry, program: Program, given: list[Any]) -> Any:
        line = self.p.line
        before = len(self.p.checks)
        frame = Frame(self.p, program, dict(enumerate(given)))
        for inner in program.entries:
            self.p.line = line
            frame.entry(inner)
        del self.p.checks[before:]
        made = []
        for r, ref in zip(program.results, e.outs, strict=True):
            shape, dtype = self.shapes[ref]
            v = frame.read(r) if isinstance(r, Ref) else r
            v = v if isinstance(v, Value) else self.p.expand(v, shape, dtype)
            v = self.p.expand(self.p.cast(v, dtype), shape, dtype)
            made.append(v)
        return tuple(made) if e.several else made[0]

    def called(self, e: Entry, args: list[Any]) -> Any:
        """No C for this op: NumPy computes it, between two C functions; the first of several results for all of them."""

        def lift(x: Any) -> Any:  # what was an array when it was recorded is one, though its number is known
            return type(x)(map(lift, x)) if type(x) in (tuple, list) else self.seen(x) if isinstance(x, Ref) else x

        places = list(map(lift, e.args))
        values = tuple(dict.fromkeys(values_in(args)))
        results: dict[int, Any] = {}
        number = len(self.p.known)
        made = []
        for k, ref in enumerate(e.outs):
            v = self.p.make("call", values, (e.op.name, number, k), *self.shapes[ref])
            v.fun = e.op, self.odd(e), places, results, k, e.several
            made.append(v)
        return tuple(made) if e.several else made[0]

    # ------------------------------------------------------------ writing
    def write(self, dst: Ref, index: Any, v: Any) -> None:
        """The new value of a whole array, or of a part of it that slices describe."""
        p, (shape, dtype) = self.p, self.shapes[dst]
        number, whole = self.program.memories[dst]
        if dst in self.views and index is ...:  # a slice of another: that one changes
            base, where = self.views[dst]
            v = p.cast(p.expand(v, shape, dtype), dtype)
            self.env[dst] = p.clock, v
            self.write(base, where, v)
            self.env[dst] = p.clock, v
            return
        old = self.read(dst)
        if index is not ...:
            if list(refs_in(index)) or (found := static_index(index, shape)) is None:
                raise p.refuse("a write to elements that are not a slice")
            where, part = found
            if any(not isinstance(w, int) and w[2] != 1 for w in where):
                raise p.refuse("a write to a slice with steps")
            v = p.reshape(p.cast(p.expand(v, part, dtype), dtype), lengths(where))
            mask = p.make("unslice", (p.expand(True, lengths(where), np.bool_),), (where,), shape, np.bool_)
            v = p.elementwise("where", mask, p.make("unslice", (v,), (where,), shape, dtype), old, dtype=dtype, shape=shape)
        v = p.cast(p.expand(v, shape, getattr(v, "dtype", dtype)), dtype)
        leaf = self.program.leaves.get(dst)
        states = {self.program.memories[r][0] for r, x in self.program.leaves.items() if x.kind != "constant"}
        if (leaf is None and number in states) or (not whole and leaf is None):
            raise p.refuse("a write through a view")
        self.written[number] = p.clock
        self.env[dst] = p.clock, v
        if leaf is not None and leaf.kind == "state":
            first = self.first(dst)
            p.new[first.id] = first, v

    def first(self, dst: Ref) -> Value:
        """The value that a state had when the step began."""
        leaf = self.program.leaves[dst]
        return next(v for v in self.p.values if v.op == "leaf" and v.array is leaf.array)


def meant(op: Any) -> str:
    """Under which name the table knows what an op computes; "" of a user's, though it be called as one of the library's."""
    if isinstance(op.fun, np.ufunc):
        return op.fun.__name__
    code = getattr(getattr(op.fun, "__wrapped__", op.fun), "__code__", None)
    ours = code.co_filename.startswith(OURS) if code is not None else PRIMITIVES[op.name] is op
    return str(op.name) if ours else ""


def careful(op: Any, odd: bool) -> Any:
    """The function of an op, as the engine calls it for arguments that are odd, or not."""
    care, fun = op.with_care, op.fun
    return (lambda *args: care(fun, args)) if odd and care else fun


def values_in(x: Any) -> Any:
    """All values among arguments."""
    if isinstance(x, Value):
        yield x
    elif isinstance(x, (tuple, list)):
        for v in x:
            yield from values_in(v)


def static_index(index: Any, shape: Sequence[int]) -> tuple[Any, Any] | None:
    """An index of slices and numbers as (start, stop, step) or a number for each dim, and the shape it gives; None for others."""
    index = index if isinstance(index, tuple) else (index,)
    if any(not (i is ... or i is None or isinstance(i, (slice, int, np.integer))) or isinstance(i, bool) for i in index):
        return None
    if ... not in index:
        index = (*index, ...)
    at = index.index(...)
    used = sum(i is not None and i is not ... for i in index)
    index = (*index[:at], *(slice(None),) * (len(shape) - used), *index[at + 1 :])
    where: list[Any] = []
    out, dims = [], iter(shape)
    for i in index:
        if i is None:
            out.append(1)
            continue
        n = next(dims)
        if isinstance(i, slice):
            where.append(i.indices(n))
            out.append(len(range(*where[-1])))
        else:
            where.append(int(i) % n)
    return tuple(where), tuple(out)


def lengths(where: Any) -> tuple[int, ...]:
    """The shape of what slices and numbers, one for each dim, see."""
    return tuple(len(range(*w)) for w in where if not isinstance(w, int))


def together(shape: Sequence[int], axes: Sequence[int]) -> int:
    """How many short rows to add side by side, where many are added: one after the other, each waits for the one before. Or 0."""
    last = axes[-1]
    row, rows = prod(shape[last + 1 :]), prod(shape[a] for a in axes)
    if not 1 < row < SHORT or rows < MANY or any(n != 1 and k not in axes for k, n in enumerate(shape[:last])):
        return 0
    return max((k for k in range(2, LANES // row + 1) if shape[last] % k == 0), default=0)


def plain(v: Any) -> Any:
    """A number that was only spread over a shape, as a number."""
    return v.args[0] if isinstance(v, Value) and v.op == "expand" and not isinstance(v.args[0], Value) else v


def is_zero_kept(op: str, args: Any) -> bool:
    """Is it `where((g == 0) & isnan(d), 0, d)`, as the engine writes where a rule may give 0 * inf?"""
    if (
        op != "where"
        or not isinstance(args[0], Value)
        or args[0].op != "logical_and"
        or isinstance(args[1], Value)
        or args[1] != 0
    ):
        return False
    equal, nan = args[0].args
    right = isinstance(equal, Value) and isinstance(nan, Value) and equal.op == "equal" and nan.op == "isnan"
    return right and not isinstance(equal.args[1], Value) and equal.args[1] == 0 and nan.args[0] is args[2]


def simplify(p: Values, op: str, args: Any, shape: Any, dtype: Any) -> Value | None:
    """What is simpler and the same to the bit: x * 1, x ** 2 and the like; None if nothing is."""

    def number(a: Any, value: Any) -> bool:
        return not isinstance(a, (Value, bool)) and bool(a == value)

    def same(a: Any) -> bool:
        return isinstance(a, Value) and a.shape == shape and a.dtype == dtype

    if op == "astype" and not isinstance(args[0], Value):
        return p.expand(np.asarray(args[0]).astype(dtype).item(), shape, dtype)
    if not any(isinstance(a, Value) for a in args) and (fun := getattr(np, op, None)):
        with np.errstate(all="ignore"):
            return p.expand(fun(*(np.asarray(a, None if dtype.kind == "b" else dtype) for a in args)).item(), shape, dtype)
    if op == "multiply":
        for a, b in (args, args[::-1]):
            if number(a, 1) and same(b):
                return b
    if op == "add":  # but for the sign of zero
        for a, b in (args, args[::-1]):
            if number(a, 0) and same(b):
                return b
    if op in ("subtract", "divide") and number(args[1], 0 if op == "subtract" else 1) and same(args[0]):
        return args[0]
    if op == "power" and not isinstance(args[1], Value):
        if number(args[1], 1) and same(args[0]):
            return args[0]
        if number(args[1], 2):
            return p.elementwise("multiply", args[0], args[0], dtype=dtype, shape=shape)
        if number(args[1], 3) or number(args[1], 4):
            square = p.elementwise("multiply", args[0], args[0], dtype=dtype, shape=shape)
            return p.elementwise("multiply", square, args[0] if number(args[1], 3) else square, dtype=dtype, shape=shape)
        if number(args[1], 0.5):  # as ** does it
            return p.elementwise("sqrt", args[0], dtype=dtype, shape=shape)
        if number(args[1], -1):
            return p.elementwise("divide", 1, args[0], dtype=dtype, shape=shape)
    if op == "where" and args[1] is args[2] and same(args[1]):
        return args[1]
    if op == "where" and not isinstance(args[0], Value) and same(args[1 if args[0] else 2]):
        return args[1 if args[0] else 2]
    if op == "logical_and" and any(a is False for a in args):
        return p.expand(False, shape, dtype)
    if is_zero_kept(op, args):
        g, d = args[0].args[0].args[0], args[2]
        if isinstance(g, Value) and g.dtype == dtype:
            return p.elementwise("keep_zero", g, d, dtype=dtype, shape=shape)
    return None
