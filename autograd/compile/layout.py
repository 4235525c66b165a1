"""The layout of a program: its C, and where everything lies, without the arrays of this process; kept on disk beside the library.

It is found by a digest of the recorded program and of all else that what comes of it depends on, so that a process that finds it
lowers nothing. A program of which not all can be said in that digest, as one with ops of the user's own, is lowered each time.
"""

from __future__ import annotations

import hashlib
import io
import marshal
import os
import pickle
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from ..api.random import Generator
from ..engine.dtypes import get_default_dtype
from ..engine.graph import write
from ..engine.tensor import PRIMITIVES
from ..engine.warn import OURS, Line
from . import cc
from .emit import Emitter
from .loops import Loops
from .lower import LOWER
from .memory import Memory
from .program import Value, Values
from .record import CHECK, Program, Ref
from .roll import plainer, runs
from .sums import gather

WORTH = 60_000  # ns of work that others would take over: with less, their coming takes longer
LARGEST = 2**24  # bytes of arrays that follow from constants: with more, a layout is not kept


class Spot(NamedTuple):
    """Where a value lies after its statement, and through which views it is seen there."""

    base: str  # "leaf" or "out": which one; "arena": how many bytes behind its beginning; "number": itself
    at: Any
    shape: Any = ()  # in the arena
    dtype: Any = None
    views: tuple[tuple[str, Any], ...] = ()

    def seen(self, view: str, how: Any) -> Spot:
        """A view of it."""
        return self._replace(views=(*self.views, (view, how)))


VIEW: dict[str, Callable[[Any, Any], Any]] = dict(
    reshape=lambda x, shape: x.reshape(shape),
    permute=lambda x, axes: x.transpose(axes),
    expand=lambda x, like: np.broadcast_to(np.asarray(x, like[1]), like[0]),
    slice=lambda x, index: x[index],
)


class Call(NamedTuple):
    """What NumPy computes between two functions of C: result `k` of several, or the only one of an op."""

    spot: Spot
    op: Any
    odd: bool  # is it to be called with care?
    args: Any  # in which Spots stand for values
    k: int
    several: bool
    made: dict[int, Any]  # results that wait for their calls


@dataclass(slots=True)
class Layout:
    """Plain data, but for ops, and the program's own generators."""

    source: str
    threads: int
    room: int  # bytes of the arena
    blas: bool  # is BLAS called?
    segments: list[Any]  # in order: names of C functions, Calls, or "checks"
    positions: list[tuple[int, Line]]  # that C checks: from how many, and the user's line
    leaves: list[tuple[Any, ...]]  # that C reads: ("input", place), ("leaf", Ref), ("constant", array) or ("random",)
    written: list[int]  # which of them are
    outputs: list[Any]  # of results, then of gradients: Spot, shape and dtype; no Spot where there is none
    draws: list[Any]  # before each step: into which leaf, None if nobody reads it, its shape and dtype; op, odd and args
    before: list[Any]  # checks of what is there before the step: which entry is one, Spots or arrays, the line
    between: list[Any]  # and of what is not
    rows: list[Any]  # of explain(): the user's lines stand last
    codes: list[str]


def found(program: Program, threads: int) -> Layout:
    """The layout of a program, from the cache on disk if it is there."""
    name = name_of(program, threads)
    if name is not None and (kept := cc.kept(name)) is not None:
        with suppress(Unsaid, pickle.UnpicklingError):  # an op that C did not replace is another by now
            return _Loading(io.BytesIO(kept), program).load()
    layout = made(program, threads)
    if name is not None and sum(leaf[1].nbytes for leaf in layout.leaves if leaf[0] == "constant") <= LARGEST:
        data = io.BytesIO()
        with suppress(Unsaid, pickle.PicklingError, AttributeError, TypeError):  # it holds what cannot be said
            _Saving(data, program).dump(layout)
            cc.keep(name, data.getvalue())
    return layout


# ---------------------------------------------------------------- lowering
def made(program: Program, threads: int) -> Layout:
    """The program, lowered."""
    values = Values(program, LOWER)
    gather(values)
    loops = Loops(values)
    places = Memory(loops)
    size = places.size
    emitter = Emitter(loops, places, threads)
    if threads > 1 and emitter.saved < WORTH:
        places.size, threads = size, 1
        emitter = Emitter(loops, places)
    source, where = emitter.source(), Where(emitter)
    refs = {id(leaf.array): ref for ref, leaf in program.leaves.items()}
    inputs = {v.id: place for place, v in values.inputs.items()}

    def leaf(v: Value) -> tuple[Any, ...]:
        if v.info[0] == "input":
            return "input", inputs[v.id]
        if v.info[0] == "random":
            return ("random",)
        return ("constant", v.array) if (ref := refs.get(id(v.array))) is None else ("leaf", ref)

    number = count()
    functions = {k: f"step{next(number)}" for k, s in enumerate(emitter.segments) if isinstance(s, list)}
    segments = [where.call(s) if isinstance(s, Value) else functions.get(k, s) for k, s in enumerate(emitter.segments) if s]
    numbers = {id(e): n for n, e in enumerate(program.entries)}
    checks = [(numbers[id(e)], [where.of(v) for v in args], e.line) for e, args in values.checks]
    first = len([*takewhile(lambda c: all(map(where.is_given, c[1])), values.checks)])  # for they look in the order of the step
    return Layout(
        source=source,
        threads=threads,
        room=places.size,
        blas=emitter.blas,
        segments=segments,
        positions=[(n, v.line) for n, v in emitter.checks],
        leaves=[leaf(v) for v in emitter.leaves],
        written=[where.slots[v.id] for v, _ in values.writes],
        outputs=[(where.of(v), v.shape, v.dtype) if isinstance(v, Value) else (None, (), None) for v in values.outputs],
        draws=[(where.slots.get(v.id), v.shape, v.dtype, op, odd, args) for v, op, odd, args in values.draws],
        before=checks[:first],
        between=checks[first:],
        **described(emitter, source),
    )


class Where:
    """Says where values lie, as Spots."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter, self.loops, self.slots = emitter, emitter.loops, emitter.slots

    def of(self, x: Any) -> Any:
        """Where a value lies after its statement; anything else as it is, with Spots for values in it."""
        if type(x) in (tuple, list):
            return type(x)(map(self.of, x))
        if not isinstance(x, Value):
            return x
        place, home = self.emitter.where.get(x.id), self.emitter.home(x)
        if place is not None and place[0] == "out":
            return Spot("out", place[1])
        if home.op == "leaf":
            return Spot("leaf", self.slots[home.id])
        if place is not None and place[0] == "part":
            return self.of(place[1]).seen("slice", _index(place[2])).seen("reshape", x.shape)
        if place is not None:
            return Spot("arena", place[1], x.shape, x.dtype)
        base = self.of(x.args[0]) if isinstance(x.args[0], Value) else Spot("number", x.args[0])
        if x.op == "reshape":
            return base.seen("reshape", x.shape)
        if x.op == "permute":
            return base.seen("permute", x.info[0])
        if x.op == "expand":
            return base.seen("expand", (x.shape, x.dtype))
        return base.seen("slice", _index(x.info[0]))

    def call(self, v: Value) -> Call:
        """A value that NumPy computes."""
        op, odd, args, made, k, several = v.fun
        return Call(self.of(v), op, odd, self.of(args), k, several, made)

    def is_given(self, v: Any) -> bool:
        """Is it there before the step, or a view of such?"""
        return not isinstance(v, Value) or self.loops.base(v).op == "leaf"


def _index(where: Any) -> Any:
    return (*(w if isinstance(w, int) else slice(w[0], None if w[1] < 0 else w[1], w[2]) for w in where), ...)


def described(emitter: Emitter, source: str) -> dict[str, Any]:
    """Of each statement, once if it repeats: what runs it, how large it is, what it computes, for which lines; and its C."""
    kernels = {name: text for text, name in re.findall(r"(?s)(// [^\n]*\n(?:KERNEL|STRAIGHT) void (\w+)\(.*?\n\}\n)", source)}
    rows, codes = [], []
    for g, lines in zip(emitter.loops.groups, emitter.lines, strict=True):
        shown = [v for v in g.items if v.id in emitter.where] or g.items
        kind = {"loop": "loop", "call": "NumPy", "matmul": "BLAS"}.get(g.kind, g.kind)
        size = "x".join(map(str, g.dims if g.kind == "loop" else shown[0].shape)) or "1"
        ops = " ".join(dict.fromkeys(v.info[0] if v.op == "call" else v.op for v in g.items))
        rows.append((kind, size, ops, tuple(sorted({v.line for v in g.items if v.line is not None}))))
        called = re.findall(r"\bkernel\w+", "\n".join(lines))
        codes.append("\n".join([*(kernels[name] for name in called), *(plainer(line.removeprefix("    ")) for line in lines)]))
    for run in reversed(runs(rows)):
        first, once, end = run.start, run.start + run.period, run.start + run.length // run.period * run.period
        times = (end - first) // run.period
        rows[first:end] = [(kind, f"{times} times {size}", *of) for kind, size, *of in rows[first:once]]
        codes[first:end] = codes[first:once]
    return {"rows": rows, "codes": codes}


# ---------------------------------------------------------------- the name in the cache
class Unsaid(Exception):
    """Something that is told from others by nothing that another process has."""


def _files(folder: str) -> list[tuple[str, int, int, int]]:
    """The library's files in a folder, and when they were changed last."""
    found: list[tuple[str, int, int, int]] = []
    for f in os.scandir(folder):
        if f.is_dir() and f.name != "__pycache__":
            found += _files(f.path)
        elif f.name.endswith((".py", ".h")):
            found.append((f.path, (s := f.stat()).st_size, s.st_mtime_ns, s.st_ctime_ns))
    return found


# As they are when this is imported: that is when a step is compiled first.
LIBRARY = sorted(_files(str(Path(__file__).parents[1])) + _files(str(Path(__file__).parents[2] / "nn")))
ROOMS = [sys.modules[f"{__package__}.{name}"] for name in "program lower sums roll loops memory emit layout".split()]
NUMBERS = {type(None), bool, int, float, complex, type(...)}  # and the like, which marshal tells from all others


def name_of(program: Program, threads: int) -> str | None:
    """Under which name the layout is kept; None if it is not, as the program has in it what cannot be said to another process.

    Numbers and texts among what lowering goes by are looked up in its modules, as whoever tries it out may change them.
    """
    set_to = [(k, x) for room in ROOMS for k, x in vars(room).items() if k.isupper() and isinstance(x, (int, float, str, tuple))]
    versions = sys.version, np.__version__, getattr(sys.modules.get("scipy"), "__version__", "")
    around = *cc.environment(), cc.blas_threads() is None, threads, str(get_default_dtype())
    try:
        all_of_it: Any = LIBRARY, set_to, versions, around, Said().program(program)
        said = marshal.dumps(all_of_it, 2)
    except (Unsaid, ValueError, RecursionError):
        return None
    return f"step_{hashlib.sha256(said).hexdigest()[:32]}.layout"


class Said:
    """A program in marshal's types, in terms that hold in other processes: equal ones are lowered to the same."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}  # of ops, generators and lines, by when they are met
        self.met: list[Any] = []

    def program(self, p: Program) -> Any:
        """All that lowering looks at."""
        for dtype in {dtype for e in p.entries for _, dtype in e.shapes}:
            self.dtype(np.dtype(dtype))
        leaves = [(*self.leaf(leaf), int(ref), p.memories[ref]) for ref, leaf in p.leaves.items()]
        made = [x for e in p.entries for r in e.outs for x in (int(r), *p.memories[r])]  # flat: it is quicker
        ends = [[int(r) if isinstance(r, Ref) else None for r in some] for some in (p.results, p.grads)]
        return leaves, [*map(self.entry, p.entries)], made, ends, self.met

    def leaf(self, leaf: Any) -> Any:
        a, content = leaf.array, b""
        if leaf.kind == "constant":
            content = hashlib.sha256(np.ascontiguousarray(a).data).digest()
        return leaf.kind, leaf.place, leaf.name, leaf.written, a.shape, self.dtype(a.dtype), content

    def entry(self, e: Any) -> Any:
        op, line, args, get = e.op, e.line, e.args, self.numbers.get
        if op is write:
            said: Any = "write"
        elif op is CHECK:  # that of the program at hand looks, whichever it is
            said, args = "check", e.args[1:]
        elif (said := get(id(op))) is None:
            said = self.number(id(op), self.op, op)
        if (n := get(line)) is None:
            n = self.number(line, tuple, line)
        return said, n, [int.__repr__(a) if type(a) is Ref else self.plain(a) for a in args], e.shapes, e.several

    def number(self, key: Any, say: Callable[[Any], Any], x: Any) -> int:
        """What is met again is said once: its number."""
        if (n := self.numbers.get(key)) is None:
            n = self.numbers[key] = len(self.met)
            self.met.append(None)
            self.met[n] = say(x)  # a function may close over itself
        return n

    def plain(self, x: Any) -> Any:
        """An argument. A bare text is the number of a value; whatever else is no number begins with a word for its type."""
        t: Any = type(x)
        if t in NUMBERS:
            return x
        if t is Ref:
            return int.__repr__(x)
        if t is str or t is bytes:
            return "text", x
        if t is tuple or t is list:
            return t.__name__, *map(self.plain, x)
        if t is slice:
            return "slice", self.plain(x.start), self.plain(x.stop), self.plain(x.step)
        if t is range:
            return "range", x.start, x.stop, x.step
        if isinstance(x, np.dtype):
            return "dtype", self.dtype(x)
        if isinstance(x, np.generic):
            return "number", self.dtype(x.dtype), x.tobytes()
        if isinstance(x, Generator):
            return "generator", self.number(id(x), lambda _: "generator", x)
        if isinstance(x, type) and getattr(np, name := x.__name__, None) is x:
            return "type", name
        return "function", self.number(id(x), self.function, x)

    @staticmethod
    def dtype(dtype: Any) -> str:
        if dtype.kind not in "biufc":
            raise Unsaid
        return str(dtype.str)

    def op(self, op: Any) -> Any:
        """A primitive, by all that a forward is: its name, which the table goes by, and its functions."""
        return op.name, self.plain(op.fun), self.plain(op.with_care)

    def function(self, f: Any) -> Any:
        """A function of NumPy's, by its name, or of the library's, by its code and what it closes over."""
        if not isinstance(f, FunctionType):
            name: str = getattr(f, "__name__", "")
            if getattr(np, name, None) is not f:
                raise Unsaid
            return name
        if hasattr(f, "with_care"):
            return self.op(f)
        if not f.__code__.co_filename.startswith(OURS):
            raise Unsaid
        held = [self.plain(cell.cell_contents) for cell in f.__closure__ or ()]
        return marshal.dumps(f.__code__, 2), self.plain(f.__defaults__), held, sorted((f.__kwdefaults__ or {}).items())


def said_of(op: Any) -> Any:
    """A primitive alone."""
    return (said := Said()).op(op), said.met


# ---------------------------------------------------------------- on disk
class _Saving(pickle.Pickler):
    """Ops by their names and what they are; generators by where in the program they stand."""

    def __init__(self, file: Any, program: Program) -> None:
        super().__init__(file, protocol=5)
        entries = enumerate(program.entries)
        self.places = {id(a): (n, k) for n, e in entries for k, a in enumerate(e.args) if isinstance(a, Generator)}

    def persistent_id(self, x: Any) -> Any:
        if hasattr(x, "with_care"):
            return x.name, said_of(x)
        return self.places.get(id(x))


class _Loading(pickle.Unpickler):
    """The other way round."""

    def __init__(self, file: Any, program: Program) -> None:
        super().__init__(file)
        self.program = program

    def persistent_load(self, place: Any) -> Any:
        what, k = place
        if isinstance(what, int):
            return self.program.entries[what].args[k]
        if what not in PRIMITIVES or said_of(PRIMITIVES[what]) != k:
            raise Unsaid
        return PRIMITIVES[what]
