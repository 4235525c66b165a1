"""A step recorded while it really runs, and what is left of the recording: a program that can be compared and run again."""

from __future__ import annotations

import linecache
import weakref
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

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
LARGE = 2**10  # elements: a smaller constant is held as it is


class Ref(int):
    """A value of a program, by number."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"v{int(self)}"


class Leaf:
    """Where a value comes from that no op of the program makes: `input` k, `state` or a `constant`.

    Steps make arrays of zeros and forget them: of a large constant that is one number everywhere only that is held, spread over
    the shape.
    """

    def __init__(self, kind: str, array: Any, place: int = 0, name: str = "") -> None:
        self.kind, self.array, self.place, self.name = kind, array, place, name
        self.written = False
        self.strides: Any = None  # of a constant that is spread: how it lay
        if kind == "constant" and array.size >= LARGE and uniform(array):
            self.array, self.strides = np.broadcast_to(array.flat[:1].reshape(()), array.shape), array.strides

    def laid_out(self) -> Any:
        """The array as it lay when it was recorded: the order in which sums are rounded depends on that."""
        return self.array if self.strides is None else np.full_like(as_strided(self.array, strides=self.strides), self.array)


def uniform(a: Any) -> bool:
    """Are all elements the same number, to the sign of zero?"""
    if a.itemsize > 8 or a.dtype.kind not in "fiub":
        return False
    first, bits = a.flat[0], a.view(f"i{a.itemsize}")
    return bool(first == first and bits.min() == bits.max())


class Entry:
    """One op of a program: its arguments, in which Refs stand for values, the Refs of its results, and the user's line."""

    __slots__ = ("args", "line", "op", "outs", "several", "shapes")

    def __init__(self, op: Any, args: list[Any], outs: list[Ref], shapes: list[Any], several: bool, line: Line) -> None:
        self.op, self.args, self.outs, self.shapes, self.several, self.line = op, args, outs, shapes, several, line

    name = property(lambda self: "write" if self.op is write else self.op if self.op is CHECK else self.op.name)

    def __str__(self) -> str:
        return f"{', '.join(map(repr, self.outs)) or '-'} = {self.name}({', '.join(map(repr, self.args))})  {self.shapes}"


class Living:
    """What is known of arrays, each for as long as it lives: afterwards another one may have its id."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], Any], Any]] = {}

    def __setitem__(self, array: Any, what: Any) -> None:
        self._known[id(array)] = living(array), what

    def get(self, array: Any) -> Any:
        alive, what = self._known.get(id(array), UNKNOWN)
        return what if alive() is array else None


UNKNOWN = (lambda: None), None


def living(array: Any) -> Callable[[], Any]:
    """A function that returns the array while anybody else holds it, then None."""
    try:
        return weakref.ref(array)
    except TypeError:  # what owns memory may be anything, as NumPy's scalars, and is held if nothing else can be done
        return lambda: array


class Recording(Tape):
    """The entries of a step that runs, and the leaves that they begin with.

    It holds inputs, states that are used, and constants, but nothing that ops make: of that it knows the number while it lives.
    So a step needs no more memory than without it. What cannot be run again with other values is `refused`, with the line, and
    no more is recorded then. `states` are arrays, with their names, that are the same in other calls. Where all of it is known
    to be of one `line`, none is looked for.
    """

    def __init__(
        self, states: Iterable[tuple[Any, str]] = (), inputs: Sequence[Any] = (), generators: Collection[int] = (),
        line: Line | None = None,
    ) -> None:  # fmt: skip
        self.refused: CompileError | None = None
        self.entries: list[Entry] = []
        self.leaves: dict[Ref, Leaf] = {}
        self.dtypes: dict[Ref, Any] = {}  # of what entries make
        self.memories: dict[Ref, tuple[int, bool]] = {}  # which memory a value looks at, by number, and whether at all of it
        self.signature: list[Any] = []
        self.origins: list[Any] = []  # of each part of it
        self.written: dict[int, Any] = {}  # the number of memory: the state that lies there, if one does
        self._line, self._at, self._generators = line, line, generators
        self._refs, self._numbers = Living(), Living()  # of arrays: their values; of owners of memory: its number
        self._states, self._lie = Living(), Living()  # of arrays: the names of states; of owners: the last state there
        self._constants: dict[int, Leaf] = {}  # by the number of memory
        self._count = count()
        for a, name in states:
            self._states[a], self._lie[memory(a)] = name, living(a)
        for k, a in enumerate(inputs):
            if (name := self._states.get(a)) is not None:
                why = f"argument {k} is also what the step finds as {name}: it may be one of them only"
                self.refused = self.refused or self._refuse(why)
            elif self._refs.get(a) is None:
                self._leaf("input", a, k)

    # ------------------------------------------------------------ what a tape hears of
    def op(self, op: Any, args: list[Any], out: Any) -> None:
        self._hear(op, args, out)

    def write(self, array: Any, index: Any, value: Any) -> Any:
        return self._hear(write, [array, index, value], None)

    def checked(self, check: Callable[..., None], values: list[Any]) -> None:
        """Hear of a look at values that raises if they make no sense."""
        self._hear(CHECK, [check, *values], None)

    def seen(self, what: str) -> None:
        """Hear that Python sees a value: what it does next may depend on that."""
        self._at = users_line()
        why = f"{what} shows Python a value, and what the step does may depend on it: for a log there is compile.callback"
        self.refused = self.refused or self._refuse(why)

    def _hear(self, op: Any, args: list[Any], out: Any) -> Line:
        self._at = self._line or users_line()
        if self.refused is None:
            try:
                self._entry(op, args, out)
            except CompileError as error:
                self.refused = CompileError(*error.args)  # this one holds the step's frames, and so its arrays
        return self._at

    def ends(self, results: Sequence[Any]) -> list[Any]:
        """What the results are: Refs of their values, or plain values."""
        self._at = None
        return [self._ref(x) if isinstance(x, np.ndarray) else x for x in results]

    def _refuse(self, why: str) -> CompileError:
        """The error that says why, and where."""
        return CompileError(f"{self._at}: {why}" if self._at else why)

    # ------------------------------------------------------------ values
    def _new(self, a: Any) -> Ref:
        """The number of the value that an array holds from now on."""
        self._refs[a] = ref = Ref(len(self.memories))
        owner = memory(a)
        if (number := self._numbers.get(owner)) is None:
            number = self._numbers[owner] = next(self._count)
        self.memories[ref] = number, getattr(owner, "nbytes", -1) == a.nbytes and a.flags.c_contiguous
        return ref

    def _leaf(self, kind: str, a: Any, place: int = 0, name: str = "") -> Ref:
        ref = self._new(a)
        self.leaves[ref] = leaf = Leaf(kind, a, place, name)
        if kind == "constant":
            self._constants[self.memories[ref][0]] = leaf
        content = a if leaf.strides is None else a.flat[:1]
        mark = place if kind == "input" else id(a) if kind == "state" else zlib.crc32(np.ascontiguousarray(content).data)
        self.signature.append((ref, kind, mark, a.shape, a.dtype.str))
        self.origins.append(leaf)
        return ref

    def _ref(self, a: Any) -> Ref:
        """The number of the value that an array holds."""
        if (ref := self._refs.get(a)) is not None:
            return ref
        if type(a) is not np.ndarray:
            raise self._refuse(f"an array of {type(a).__module__}.{type(a).__name__}: only NumPy's own can be compiled")
        if (name := self._states.get(a)) is not None:
            return self._leaf("state", a, name=name)
        if self._numbers.get(owner := memory(a)) is not None or self._lie.get(owner) is not None:
            raise self._refuse(f"an array of shape {a.shape} looks at memory of another value, and no op made it so")
        return self._leaf("constant", a)

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
            raise self._refuse("numbers are drawn from a Generator that is made in the step: make it once, outside")
        return x, _code(x) if type(x) is FunctionType and not hasattr(x, "fun") else id(x)

    # ------------------------------------------------------------ entries
    def _entry(self, op: Any, args: list[Any], out: Any) -> None:
        pairs = [self._token(a) for a in args]
        if op is write:
            self._overwritten(args[0])
        elif op is not CHECK:
            masks = op.name in SIZED_BY_MASKS and any(isinstance(a, np.ndarray) and a.dtype.kind == "b" for a in args[1:])
            if masks or op.name in SIZED_BY_VALUES:
                raise self._refuse(f"how large the result of {op.name} is depends on values: where(mask, x, 0) keeps the shape")
        outs, shapes = [], []
        for a in () if out is None else out if isinstance(out, tuple) else (out,):
            if type(a) is not np.ndarray:
                raise self._refuse(f"{op.name} makes an array of {type(a).__name__}: only NumPy's own can be compiled")
            outs.append(ref := self._new(a))
            self.dtypes[ref] = a.dtype
            shapes.append((a.shape, a.dtype.str))
        assert self._at is not None
        self.entries.append(Entry(op, [p for p, _ in pairs], outs, shapes, isinstance(out, tuple), self._at))
        self.signature.append((id(op), *(t for _, t in pairs), *outs, *shapes))
        self.origins.append(self.entries[-1])

    def _overwritten(self, a: Any) -> None:
        """Note which memory is written, before it is: a constant that lies there is kept as it was."""
        number, _ = self.memories[self._ref(a)]
        if number not in self.written:
            state = self._lie.get(memory(a))
            self.written[number] = state and state()
            if (leaf := self._constants.get(number)) is not None and leaf.strides is None:
                leaf.array = leaf.array.copy("K")


class Program:
    """A recording that is finished: entries over numbered values, the leaves, what is returned and what is left on leaves.

    Raises CompileError, with the line, for what cannot be run again with other values: `signature` is what two recordings of
    the same step have in common.
    """

    def __init__(self, tape: Recording, results: Sequence[Any], grads: Sequence[Any]) -> None:
        if tape.refused is not None:
            raise tape.refused
        self.results, self.grads = tape.ends(results), tape.ends(grads)
        self.entries, self.leaves, self.dtypes, self.memories = tape.entries, tape.leaves, tape.dtypes, tape.memories
        self.signature, self.origins = tape.signature, tape.origins
        self.signature += [[told(r) if isinstance(r, PLAIN) else r for r in self.results], self.grads]
        for ref, leaf in self.leaves.items():
            leaf.written = self.memories[ref][0] in tape.written
        self.writes_inputs = [leaf.place for leaf in self.leaves.values() if leaf.kind == "input" and leaf.written]
        self.writes_states = [a for a in tape.written.values() if a is not None]
        self.prune()

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
