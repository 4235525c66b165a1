"""A program as loaded C: its memory, the addresses it works on, and the call."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from math import prod
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
from .threads import BLAS, CREW, number

LARGE = 2**20  # bytes of a result whose memory is used again
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


class Machine:
    """`source` is the C of a program; a call with the arrays of its inputs runs it and returns results and gradients.

    At most `threads` run it; those beside the caller's are invited where they save so much that their coming pays.
    """

    name = "c"

    def __init__(self, program: Program, threads: int | str = "auto") -> None:
        self.values = values = Values(program, LOWER)
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
        self.inputs = [(place, slots[v.id], v) for place, v in values.inputs.items() if v.id in slots]
        self.last: dict[int, Any] = {}  # of an input: the array whose address the program has
        self.held: dict[int, Any] = {}
        self.written = {id(memory(leaf.array)) for leaf, _ in values.writes}
        n = len(self.leaves)
        self.pointers = (ctypes.c_void_p * (n + len(values.outputs) + 1))()
        for k, v in enumerate(self.leaves):
            if v.info[0] != "input":
                self.pointers[k] = v.array.ctypes.data
        where = self.emitter.where
        self.outs = []  # for each result: where its address goes, None if it is copied from where it is
        for k, out in enumerate(values.outputs):
            mine = isinstance(out, Value) and where.get(out.id) == ("out", k)
            self.outs.append((n + k, out.shape, out.dtype) if mine else None)
        self.lent: dict[int, list[Any]] = {o[0]: [] for o in self.outs if o and prod(o[1]) * o[2].itemsize >= LARGE}
        self.results: list[Any] = [None] * len(values.outputs)
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
        self.before = [c for c in values.checks if all(self._given(v) for v in c[1])]
        self.between = [c for c in values.checks if c not in self.before]
        cc.give_back()  # what recordings and the compiler's tables held
        self.stopped = 0  # which of the positions in the program was outside of what it indexes

    def __call__(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        for place, slot, v in self.inputs:
            if (a := arrays[place]) is not self.last.get(place):
                self.last[place] = a
                apart = a.flags.c_contiguous and id(memory(a)) not in self.written
                self.held[place] = v.array = held = a if apart else np.array(a, order="C")
                self.pointers[slot] = held.ctypes.data
                if not apart:
                    self.last[place] = None
        for source, buffer in self.laid:
            buffer[...] = source
        for array, draw, args in self.values.draws:
            array[...] = draw(*args)
        self._check(self.before)
        results = self.results
        for k, out in enumerate(self.outs):
            if out is not None:
                slot, shape, dtype = out
                results[k] = new = np.empty(shape, dtype) if slot not in self.lent else lent(shape, dtype, self.lent[slot])
                self.pointers[slot] = new.ctypes.data
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
            n, v = self.emitter.checks[k - 1]
            raise DimError(f"{v.line}: a position is not from {-n} to {n - 1}; no parameter was changed")
        for k, v in enumerate(self.values.outputs):
            if self.outs[k] is None:
                results[k] = None if v is None else np.array(self.array(v))
        self.results = [None] * len(results)
        return results[: self.split], results[self.split :]

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

        products = any(g.kind == "matmul" or g.kind.startswith("conv") for g in self.loops.groups)
        if not products or BLAS.asked() in ([], [1]):
            return run

        def alone() -> None:
            with BLAS:
                run()

        return alone

    def explain(self) -> list[tuple[str, str, str, str]]:
        """Of each statement: what runs it, over how many elements, what it computes, and for which lines."""
        rows = []
        for g in self.loops.groups:
            shown = [v for v in g.items if v.id in self.emitter.where] or g.items
            kind = {"loop": "loop", "call": "NumPy", "matmul": "BLAS"}.get(g.kind, g.kind)
            size = "x".join(map(str, g.dims if g.kind == "loop" else shown[0].shape)) or "1"
            ops = " ".join(dict.fromkeys(v.info[0] if v.op == "call" else v.op for v in g.items))
            rows.append((kind, size, ops, lines_of(v.line for v in g.items)))
        return rows

    # ------------------------------------------------------------ what Python does in between
    def _given(self, v: Any) -> bool:
        """Is it there before the step, or a view of such?"""
        return not isinstance(v, Value) or self.loops.base(v).op == "leaf"

    def _stopped(self) -> int:
        if self.emitter.checks and not self.stopped:
            self.stopped = self.outside()
        return self.stopped

    def _look(self) -> None:
        self._check(self.between)

    def _check(self, checks: Any) -> None:
        for check, args, line in checks:
            try:
                check(*(self.array(v) for v in args))
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
        if place is not None:
            return np.frombuffer(self.block.data, v.dtype, v.size, self.start + place[1]).reshape(v.shape)
        x = self.array(v.args[0])  # a view of one
        if v.op == "reshape":
            return x.reshape(v.shape)
        if v.op == "permute":
            return x.transpose(v.info[0])
        if v.op == "expand":
            return np.broadcast_to(np.asarray(x, v.dtype), v.shape)
        return x[(*(w if isinstance(w, int) else slice(w[0], None if w[1] < 0 else w[1], w[2]) for w in v.info[0]), ...)]

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
