"""A program as loaded C: its memory, the addresses it works on, and the call."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from ..engine.graph import memory
from ..errors import CompileError, DimError
from . import cc
from .emit import Emitter
from .loops import Loops
from .lower import LOWER
from .memory import Memory
from .program import Value, Values
from .record import Program, lines_of
from .roll import plainer, runs
from .sums import gather
from .threads import BLAS, CREW, number

LARGE = 2**20  # bytes of a result whose memory is used again
SMALL = 2**8  # elements in a result that is copied sooner than its address is looked up
WORTH = 60_000  # ns of work that others would take over: with less, their coming takes longer


class Loan:
    """Memory of a result that goes back when no array looks at it any more: pages of new memory may cost more than a step."""

    def __init__(self, block: Any, back: list[Any]) -> None:
        self.block, self.back, self.__array_interface__ = block, back, block.__array_interface__

    def __del__(self) -> None:
        if len(self.back) < 2:
            self.back.append(self.block)


def lent(shape: Any, dtype: Any, free: list[Any]) -> Any:
    """An empty array in memory of `free`, or in new memory that comes there later."""
    return np.asarray(Loan(free.pop() if free else np.empty(shape, dtype), free))


class _Input:
    """An argument of the program: which one, where its address goes, the value, and the array whose address is there."""

    __slots__ = ("last", "place", "slot", "value")

    def __init__(self, place: int, slot: int, value: Value) -> None:
        self.place, self.slot, self.value, self.last = place, slot, value, None


def address(array: Any) -> int:
    """Where an array begins in memory, found in a third of the time that `array.ctypes.data` takes."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # it is read-only, or has no elements
        return int(array.ctypes.data)


class SharedMemory(Exception):
    """An argument lies in memory that the program writes to, which it was not made for; nothing was done yet."""


class Machine:
    """`source` is the C of a program; a call with the arrays of its inputs runs it and returns results and gradients.

    At most `threads` run it; those beside the caller's are invited where they save so much that their coming pays.
    """

    name = "c"

    def __init__(self, program: Program, threads: int | str = "auto") -> None:
        self.values = values = Values(program, LOWER)
        gather(values)
        self.loops = Loops(values)
        places = Memory(self.loops)
        self.threads, size = number(threads), places.size
        self.emitter = Emitter(self.loops, places, self.threads)
        if self.threads > 1 and self.emitter.saved < WORTH:
            places.size, self.threads = size, 1
            self.emitter = Emitter(self.loops, places)
        self.source = self.emitter.source()
        self.library = cc.load(self.source)
        for made in (values.known, self.loops.reads, self.loops.last_read, self.emitter.texts, self.emitter.kernels):
            made.clear()  # what nobody asks for any more
        self.split = len(program.results)
        self.block = np.empty(places.size + 128, np.uint8)
        self.start = -self.block.ctypes.data % 64
        self.leaves = self.emitter.leaves
        self.laid = []  # arrays that do not lie as C reads them: copied before each step
        for v in self.leaves:
            if v.info[0] != "input" and not v.array.flags.c_contiguous:
                if any(leaf is v for leaf, _ in values.writes):
                    raise CompileError(f"{v.name} of shape {v.shape} is written to, but is not contiguous in memory")
                self.laid.append((v.array, buffer := np.ascontiguousarray(v.array)))
                v.array = buffer
        slots = {v.id: k for k, v in enumerate(self.leaves)}
        self.inputs = [_Input(place, slots[v.id], v) for place, v in values.inputs.items() if v.id in slots]
        self.written = {id(memory(leaf.array)) for leaf, _ in values.writes}
        n = len(self.leaves)
        self.pointers = (ctypes.c_void_p * (n + len(values.outputs) + 1))()
        for k, v in enumerate(self.leaves):
            if v.info[0] != "input":
                self.pointers[k] = address(v.array)
        where = self.emitter.where
        self.small: list[tuple[int, Callable[[], Any]]] = []  # which results are copied from where the program always puts them
        self.large: list[tuple[int, int, Any, Any, Any]] = []  # which have one of their own each time: its address goes where
        self.others: list[tuple[int, Any]] = []  # and which are copied from where they are
        self.homes: list[Any] = [None] * len(values.outputs)  # of the small ones
        for k, out in enumerate(values.outputs):
            if not (isinstance(out, Value) and where.get(out.id) == ("out", k)):
                self.others.append((k, out))
            elif out.size <= SMALL:
                self.homes[k] = home = np.empty(out.shape, out.dtype)
                self.pointers[n + k] = address(home)
                self.small.append((k, home.copy))
            else:
                again = list[Any]() if out.size * out.dtype.itemsize >= LARGE else None
                self.large.append((k, n + k, out.shape, out.dtype, again))
        self.results = self.homes
        self.address = ctypes.c_void_p(ctypes.addressof(self.pointers)), ctypes.c_void_p(self.block.ctypes.data + self.start)
        self.team = np.zeros(32, np.int64)  # team_t of threads.h: which loop is shared out, how far it is
        team = ctypes.c_void_p(self.team.ctypes.data)
        self.outside = functools.partial(self.library.was_outside_of, team) if self.threads > 1 else self.library.was_outside
        self.parts: list[Callable[[], Any]] = []
        k = 0
        for s in self.emitter.segments:
            if isinstance(s, list):
                if s:
                    self.parts.append(self._function(getattr(self.library, f"step{k}")))
                k += 1
            else:
                self.parts.append(self._look if s == "checks" else self._call(s))
        before = [*takewhile(lambda c: all(map(self._given, c[1])), values.checks)]
        self.between = [self._laid_out(*c) for c in values.checks[len(before) :]]
        self.before = [self._laid_out(*c) for c in before]
        cc.give_back()  # what recordings and the compiler's tables held
        self.positions = self.emitter.checks
        self.stopped = 0  # which of them was outside of what it indexes

    def __call__(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        for given in self.inputs:
            if (a := arrays[given.place]) is not given.last:
                self._take(given, a)
        for source, buffer in self.laid:
            buffer[...] = source
        for array, draw, args in self.values.draws:
            array[...] = draw(*args)
        if self.before:
            self._check(self.before)
        results = self.results = self.homes.copy()
        for k, slot, shape, dtype, again in self.large:
            results[k] = new = np.empty(shape, dtype) if again is None else lent(shape, dtype, again)
            self.pointers[slot] = address(new)
        try:
            for part in self.parts:
                part()
                if self.stopped:
                    break
        except Exception:
            self._stopped()  # or the next call would hear of it
            self.stopped = 0
            raise
        if self._stopped():
            k, self.stopped = self.stopped, 0
            n, v = self.positions[k - 1]
            raise DimError(f"{v.line}: a position is not from {-n} to {n - 1}; no parameter was changed")
        for k, other in self.others:
            results[k] = None if other is None else np.array(self.array(other))
        for k, copy in self.small:
            results[k] = copy()
        self.results = self.homes  # the others are the caller's
        return (results, ()) if self.split == len(results) else (results[: self.split], results[self.split :])

    def _take(self, given: _Input, a: Any) -> None:
        """Let the program read an argument: where it is; or a copy, if it is laid out otherwise."""
        if id(memory(a)) in self.written:
            raise SharedMemory
        laid = a.flags.c_contiguous
        given.value.array = held = a if laid else np.array(a, order="C")
        given.last = a if laid else None
        self.pointers[given.slot] = address(held)

    def _function(self, f: Any) -> Callable[[], Any]:
        f.restype = None
        leaf, arena = self.address
        if self.threads == 1:
            f.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
            run: Callable[[], Any] = functools.partial(f, leaf, arena)
        else:
            f.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_long]
            team = ctypes.c_void_p(self.team.ctypes.data)

            def run() -> None:
                CREW.run(self.threads, f, leaf, arena, team, int(self.team[0]) >> 16, self)

        if not self.emitter.blas or BLAS.asked() in ([], [1]):
            return run

        def alone() -> None:
            with BLAS:
                run()

        return alone

    def explain(self) -> tuple[list[tuple[str, str, str, str]], list[str]]:
        """Of each statement, once if it repeats: what runs it, how large it is, what it computes, for which lines; and its C."""
        kernels = {
            name: text for text, name in re.findall(r"(?s)(// [^\n]*\n(?:KERNEL|STRAIGHT) void (\w+)\(.*?\n\}\n)", self.source)
        }
        rows, codes = [], []
        for g, lines in zip(self.loops.groups, self.emitter.lines, strict=True):
            shown = [v for v in g.items if v.id in self.emitter.where] or g.items
            kind = {"loop": "loop", "call": "NumPy", "matmul": "BLAS"}.get(g.kind, g.kind)
            size = "x".join(map(str, g.dims if g.kind == "loop" else shown[0].shape)) or "1"
            ops = " ".join(dict.fromkeys(v.info[0] if v.op == "call" else v.op for v in g.items))
            rows.append((kind, size, ops, lines_of(v.line for v in g.items)))
            called = re.findall(r"\bkernel\w+", "\n".join(lines))
            codes.append(
                "\n".join([*(kernels[name] for name in called), *(plainer(line.removeprefix("    ")) for line in lines)])
            )
        for run in reversed(runs(rows)):
            first, once, end = run.start, run.start + run.period, run.start + run.length // run.period * run.period
            times = (end - first) // run.period
            rows[first:end] = [(kind, f"{times} times {size}", *of) for kind, size, *of in rows[first:once]]
            codes[first:end] = codes[first:once]
        return rows, codes

    # ------------------------------------------------------------ what Python does in between
    def _given(self, v: Any) -> bool:
        """Is it there before the step, or a view of such?"""
        return not isinstance(v, Value) or self.loops.base(v).op == "leaf"

    def _stopped(self) -> int:
        if self.positions and not self.stopped:
            self.stopped = self.outside()
        return self.stopped

    def _look(self) -> None:
        self._check(self.between)

    def _laid_out(self, check: Any, args: Any, line: Any) -> Any:
        """A check with the arrays that it looks at, where these are the same in each call."""
        return check, [(self.array(v) if self._stays(v) else None, v) for v in args], line

    def _stays(self, v: Any) -> bool:
        if not isinstance(v, Value):
            return False
        place, home = self.emitter.where.get(v.id), self.emitter.home(v)
        if place is not None and place[0] == "out":
            return self.homes[place[1]] is not None
        return bool(home.op == "leaf" and home.info[0] != "input")

    def _check(self, checks: Any) -> None:
        for check, args, line in checks:
            try:
                check(*[self.array(v) if a is None else a for a, v in args])
            except Exception as error:
                error.add_note(f"in a compiled step, for {line}; no parameter was changed")
                raise

    def array(self, v: Any) -> Any:
        """The array that holds a value after its statement."""
        if not isinstance(v, Value):
            return v
        place = self.emitter.where.get(v.id)
        if place is not None and place[0] == "out":
            return self.results[place[1]]
        home = self.emitter.home(v)
        if home.op == "leaf":
            return home.array
        if place is not None and place[0] == "part":
            return self.array(place[1])[_index(place[2])].reshape(v.shape)
        if place is not None:
            return np.frombuffer(self.block.data, v.dtype, v.size, self.start + place[1]).reshape(v.shape)
        x = self.array(v.args[0])  # a view of one
        if v.op == "reshape":
            return x.reshape(v.shape)
        if v.op == "permute":
            return x.transpose(v.info[0])
        if v.op == "expand":
            return np.broadcast_to(np.asarray(x, v.dtype), v.shape)
        return x[_index(v.info[0])]

    def _call(self, v: Value) -> Callable[[], Any]:
        """What lets NumPy compute a value that has no C; of several results, the first that is wanted computes all."""
        fun, places, results, k, several = v.fun

        def lift(x: Any) -> Any:
            return type(x)(map(lift, x)) if type(x) in (tuple, list) else self.array(x)

        def call() -> None:
            if self._stopped():
                return
            if k not in results:
                with np.errstate(all="ignore"):
                    made = fun(*map(lift, places))
                results.update(enumerate(made if several else [made]))
            self.array(v)[...] = results.pop(k)

        return call


def _index(where: Any) -> Any:
    return (*(w if isinstance(w, int) else slice(w[0], None if w[1] < 0 else w[1], w[2]) for w in where), ...)
