"""A step recorded while it really runs, and what is left of the recording: a program that can be compared and run again."""

from __future__ import annotations

import linecache
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from ..api.random import Generator, default_generator
from ..engine.graph import Node, memory, write
from ..engine.tape import Tape
from ..engine.tensor import Tensor
from ..engine.warn import Line, users_line
from ..errors import CompileError
from .watch import PLAIN, told

CHECK: Any = "check"  # in an entry where an op would stand: a look at values, which may raise
SIZED_BY_VALUES = {"repeats", "argwhere", "groups", "bincount"}  # ops with results whose shape depends on values,
SIZED_BY_MASKS = {"index", "last_written"}  # or does if an argument is a mask


class Recording(Tape):
    """A tape that knows the user's lines; what stood where the step wrote first; and where values left for Python.

    Where all of it is known to be of one `line`, none is looked for.
    """

    def __init__(self, states: Collection[int] = (), line: Line | None = None) -> None:
        self.lines: list[Line] = []
        self._line = line
        self.left: list[tuple[str, Line]] = []
        self.before: dict[int, Any] = {}  # id of an array that no op here made: it, and its content before it was written
        self._made = set(states)  # or there before, by id
        self._others: dict[int, list[Any]] = {}  # of the id of an owner of memory: the arrays that look at it, which no op made

    def op(self, op: Any, args: list[Any], out: Any) -> None:
        self._meet(args)
        self.append((op, args, out))
        self.lines.append(self._line or users_line())
        self._made.update(map(id, out if isinstance(out, tuple) else (out,)))

    def _meet(self, args: Any) -> None:
        for a in arrays_in(args):
            if id(a) not in self._made:
                self._made.add(id(a))
                self._others.setdefault(id(memory(a)), []).append(a)

    def write(self, array: Any, index: Any, value: Any) -> Any:
        self._meet((array, value, index))
        for a in self._others.get(id(memory(array)), ()):
            if id(a) not in self.before:
                self.before[id(a)] = a, a.copy("K")
        self.append((write, [array, index, value], None))
        self.lines.append(self._line or users_line())
        return self.lines[-1]

    def checked(self, check: Callable[..., None], values: list[Any]) -> None:
        """Hear of a look at values that raises if they make no sense."""
        self.append((CHECK, [check, *values], None))
        self.lines.append(self._line or users_line())

    def seen(self, what: str) -> None:
        """Hear that Python sees a value: what it does next may depend on that."""
        self.left.append((what, users_line()))


def arrays_in(value: Any) -> Iterator[Any]:
    """All arrays in the arguments or the result of an entry."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from arrays_in(v)


class Ref(int):
    """A value of a program, by number."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"v{int(self)}"


class Leaf:
    """Where a value comes from that no op of the program makes: `input` k, `state` or a `constant`."""

    def __init__(self, kind: str, array: Any, place: int = 0, name: str = "") -> None:
        self.kind, self.array, self.place, self.name = kind, array, place, name
        self.written = False


class Entry:
    """One op of a program: its arguments, in which Refs stand for values, the Refs of its results, and the user's line."""

    __slots__ = ("args", "line", "op", "outs", "several", "shapes")

    def __init__(self, op: Any, args: list[Any], outs: list[Ref], shapes: list[Any], several: bool, line: Line) -> None:
        self.op, self.args, self.outs, self.shapes, self.several, self.line = op, args, outs, shapes, several, line

    name = property(lambda self: "write" if self.op is write else self.op if self.op is CHECK else self.op.name)

    def __str__(self) -> str:
        return f"{', '.join(map(repr, self.outs)) or '-'} = {self.name}({', '.join(map(repr, self.args))})  {self.shapes}"


class Program:
    """A recording without its arrays: entries over numbered values, the leaves, what is returned and what is left on leaves.

    Raises CompileError, with the line, for what cannot be run again with other values: `signature` is what two recordings of
    the same step have in common.
    """

    def __init__(
        self, tape: Recording, states: Mapping[int, tuple[Any, str]], generators: Collection[int],
        inputs: Sequence[Any], results: Sequence[Any], grads: Sequence[Any],
    ) -> None:  # fmt: skip
        self.line: Line | None = None
        if tape.left:
            what, self.line = tape.left[0]
            raise self.refuse(f"{what} shows Python a value, and what the step does may depend on it")
        self._tape, self._states, self._generators = tape, states, generators
        self.entries: list[Entry] = []
        self.leaves: dict[Ref, Leaf] = {}
        self.dtypes: dict[Ref, Any] = {}  # of what entries make
        self.memories: dict[Ref, tuple[int, bool]] = {}  # which memory a value looks at, by number, and whether at all of it
        self.count = 0
        self._refs: dict[int, Ref] = {}
        self._numbers: dict[int, int] = {}
        self._owners: dict[int, Any] = {}  # whose memory no unknown array may look at
        self._written: dict[int, Any] = {}  # id of an owner: it
        self.signature: list[Any] = []
        self.origins: list[Any] = []  # of each part of it
        for k, a in enumerate(inputs):
            if id(a) in self._refs:
                continue
            if id(a) in states:
                raise self.refuse(f"argument {k} is also what the step finds as {states[id(a)][1]}: it may be one of them only")
            self._refs[id(a)] = self._leaf("input", a, k)
            self._owners[id(memory(a))] = a
        owners = {id(memory(a)): a for a, _ in states.values()}
        self._owners |= owners
        for (op, args, out), self.line in zip(tape, tape.lines, strict=True):
            self._entry(op, args, out)
        self.line = None
        self.results = [self._end(r) for r in results]
        self.grads = [self._end(g) for g in grads]
        self.signature += [[told(r) if isinstance(r, PLAIN) else r for r in self.results], self.grads]
        for leaf in self.leaves.values():
            leaf.written = id(memory(leaf.array)) in self._written
            if leaf.kind == "constant" and leaf.written:
                leaf.array = tape.before[id(leaf.array)][1] if id(leaf.array) in tape.before else leaf.array
        self.writes_inputs = [leaf.place for leaf in self.leaves.values() if leaf.kind == "input" and leaf.written]
        self.writes_states = [owners[i] for i in self._written if i in owners]
        self.prune()
        del self._tape, self._states, self._generators, self._refs, self._owners, self._written, self._numbers

    def refuse(self, why: str) -> CompileError:
        """The error that says why, and where."""
        return CompileError(f"{self.line}: {why}" if self.line else why)

    # ------------------------------------------------------------ values
    def _new(self) -> Ref:
        self.count += 1
        return Ref(self.count - 1)

    def _leaf(self, kind: str, array: Any, place: int = 0, name: str = "") -> Ref:
        ref = self._new()
        self.leaves[ref] = Leaf(kind, array, place, name)
        self._place(ref, array)
        before = self._tape.before.get(id(array), (None, array))[1]
        mark: Any = place if kind == "input" else id(array) if kind == "state" else zlib.crc32(before.tobytes())
        self.signature.append((ref, kind, mark, array.shape, array.dtype.str))
        self.origins.append(self.leaves[ref])
        return ref

    def _place(self, ref: Ref, a: Any) -> None:
        owner = memory(a)
        number = self._numbers.setdefault(id(owner), len(self._numbers))
        self.memories[ref] = number, getattr(owner, "nbytes", -1) == a.nbytes and a.flags.c_contiguous

    def _ref(self, a: Any) -> Ref:
        """The number of the value that an array holds."""
        if (ref := self._refs.get(id(a))) is not None:
            return ref
        if type(a) is not np.ndarray:
            raise self.refuse(f"an array of {type(a).__module__}.{type(a).__name__}: only NumPy's own can be compiled")
        if id(a) in self._states:
            ref = self._leaf("state", a, name=self._states[id(a)][1])
        else:
            if ((owner := memory(a)) is not a and id(owner) in self._owners) or id(a) in self._owners:
                raise self.refuse(f"an array of shape {a.shape} looks at memory of another value, and no op made it so")
            ref = self._leaf("constant", a)
            self._owners[id(memory(a))] = a
        self._refs[id(a)] = ref
        return ref

    def _token(self, x: Any) -> Any:
        """An argument with Refs for arrays, and what two recordings compare of it."""
        if isinstance(x, np.ndarray):
            return (ref := self._ref(x)), ref
        if isinstance(x, PLAIN) and not isinstance(x, slice):
            return x, told(x)
        if isinstance(x, slice):
            parts = [self._token(v) for v in (x.start, x.stop, x.step)]
            return slice(*(p for p, _ in parts)), ("slice", *(t for _, t in parts))
        if isinstance(x, (tuple, list)):
            parts = [self._token(v) for v in x]
            return type(x)(p for p, _ in parts) if type(x) in (tuple, list) else tuple(p for p, _ in parts), (
                type(x),
                *(t for _, t in parts),
            )
        if isinstance(x, Tensor):
            return self._token(x.array)
        if isinstance(x, Generator) and x is not default_generator and id(x) not in self._generators:
            raise self.refuse("numbers are drawn from a Generator that is made in the step: make it once, outside")
        return x, _code(x) if type(x) is FunctionType and not hasattr(x, "fun") else id(x)

    # ------------------------------------------------------------ entries
    def _entry(self, op: Any, args: list[Any], out: Any) -> None:
        pairs = [self._token(a) for a in args]
        if op is write:
            owner = memory(args[0])
            self._written[id(owner)] = args[0]
        elif op is not CHECK:
            masks = op.name in SIZED_BY_MASKS and any(isinstance(a, np.ndarray) and a.dtype.kind == "b" for a in args[1:])
            if masks or op.name in SIZED_BY_VALUES:
                raise self.refuse(f"how large the result of {op.name} is depends on values: where(mask, x, 0) keeps the shape")
        outs, shapes = [], []
        for a in () if out is None else out if isinstance(out, tuple) else (out,):
            if type(a) is not np.ndarray:
                raise self.refuse(f"{op.name} makes an array of {type(a).__name__}: only NumPy's own can be compiled")
            self._refs[id(a)] = ref = self._new()
            self._owners[id(memory(a))] = a
            self.dtypes[ref] = a.dtype
            self._place(ref, a)
            outs.append(ref)
            shapes.append((a.shape, a.dtype.str))
        assert self.line is not None
        self.entries.append(Entry(op, [p for p, _ in pairs], outs, shapes, isinstance(out, tuple), self.line))
        self.signature.append((id(op), *(t for _, t in pairs), *outs, *shapes))
        self.origins.append(self.entries[-1])

    def _end(self, x: Any) -> Any:
        """What a result is: the Ref of its value, or a plain value."""
        return self._ref(x) if isinstance(x, np.ndarray) else x

    def prune(self) -> None:
        """Drop what neither a result, nor a write, nor a check, nor a random source depends on."""
        live = {r for r in (*self.results, *self.grads) if isinstance(r, Ref)}
        kept = []
        for e in reversed(self.entries):
            draws = any(isinstance(a, Generator) for a in e.args)
            if not e.outs or draws or not live.isdisjoint(e.outs):
                kept.append(e)
                live.update(refs_in(e.args))
        self.entries = kept[::-1]
        self.leaves = {r: leaf for r, leaf in self.leaves.items() if r in live}


def refs_in(value: Any) -> Iterator[Ref]:
    """All values among arguments."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from refs_in(v)
    elif isinstance(value, slice):
        yield from refs_in((value.start, value.stop, value.step))


def named(path: str) -> str:
    """The path to an array as a program would write it."""
    return ".".join(p for p in path.split(".") if p not in ("_parameters", "_buffers", "_modules", ""))


def lines_of(lines: Iterable[Line | None]) -> str:
    """The user's lines among these: the numbers, and the code of the first."""
    found = sorted({(line.number, line.file) for line in lines if line is not None})
    code = linecache.getline(found[0][1], found[0][0]).strip() if found else ""
    return f"{', '.join(dict.fromkeys(str(n) for n, _ in found))}: {code}" if found else ""


def _code(f: Any) -> Any:
    """What makes a function the same as another: its code, and what it closes over."""
    cells = [c.cell_contents for c in f.__closure__ or ()]
    return (f.__code__, *((_code(v) if type(v) is FunctionType else v if isinstance(v, PLAIN) else id(v)) for v in cells))


def spent(node: Node) -> bool:
    """Has a backward gone through the graph of a result, so that no other can?"""
    nodes, known = [node], {node}
    for n in nodes:
        if n.saved is None and n.plan is not None:
            return True
        for p in n.parents:
            if p not in known:
                known.add(p)
                nodes.append(p)
    return False
