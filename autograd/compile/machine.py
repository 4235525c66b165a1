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
from .layout import VIEW, Call, Spot, found
from .program import careful
from .record import Program, lines_of
from .threads import BLAS, CREW, number

LARGE = 2**20  # bytes of a result whose memory is used again
SMALL = 2**8  # elements in a result that is copied sooner than its address is looked up


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
    """An argument of the program: which one, where its address goes, and the array whose address is there."""

    __slots__ = ("last", "place", "slot")

    def __init__(self, place: int, slot: int) -> None:
        self.place, self.slot, self.last = place, slot, None


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
        self.layout = layout = found(program, number(threads))
        self.source, self.threads = layout.source, layout.threads
        self.library = cc.load(layout.source)
        self.split = len(program.results)
        self.block = np.empty(layout.room + 128, np.uint8)
        self.start = -self.block.ctypes.data % 64
        self.arrays: list[Any] = [None] * len(layout.leaves)  # that C reads; of an argument the one of this call
        for k, (kind, *of) in enumerate(layout.leaves):
            if kind == "leaf":
                self.arrays[k] = program.leaves[of[0]].array
            elif kind == "constant":
                (self.arrays[k],) = of
        self.draws = []  # what is filled with random numbers, how, and of what
        for slot, shape, dtype, op, odd, args in layout.draws:
            self.draws.append((drawn := np.empty(shape, dtype), careful(op, odd), args))
            if slot is not None:
                self.arrays[slot] = drawn
        self.written = {id(memory(self.arrays[k])) for k in layout.written}
        self.laid = []  # arrays that do not lie as C reads them: copied before each step
        for k, array in enumerate(self.arrays):
            if array is not None and not array.flags.c_contiguous:
                if k in layout.written:
                    name = program.leaves[layout.leaves[k][1]].name
                    raise CompileError(f"{name} of shape {array.shape} is written to, but is not contiguous in memory")
                self.arrays[k] = buffer = np.ascontiguousarray(array)
                self.laid.append((array, buffer))
        self.inputs = [_Input(kind[1], k) for k, kind in enumerate(layout.leaves) if kind[0] == "input"]
        n = len(self.arrays)
        self.pointers = (ctypes.c_void_p * (n + len(layout.outputs) + 1))()
        for k, array in enumerate(self.arrays):
            if array is not None:
                self.pointers[k] = address(array)
        self.small: list[tuple[int, Callable[[], Any]]] = []  # which results are copied from where the program always puts them
        self.large: list[tuple[int, int, Any, Any, Any]] = []  # which have one of their own each time: its address goes where
        self.others: list[tuple[int, Any]] = []  # and which are copied from where they are
        self.homes: list[Any] = [None] * len(layout.outputs)  # of the small ones
        for k, (spot, shape, dtype) in enumerate(layout.outputs):
            if spot is None or spot != Spot("out", k):
                self.others.append((k, spot))
            elif prod(shape) <= SMALL:
                self.homes[k] = home = np.empty(shape, dtype)
                self.pointers[n + k] = address(home)
                self.small.append((k, home.copy))
            else:
                again = list[Any]() if prod(shape) * dtype.itemsize >= LARGE else None
                self.large.append((k, n + k, shape, dtype, again))
        self.results = self.homes
        self.address = ctypes.c_void_p(ctypes.addressof(self.pointers)), ctypes.c_void_p(self.block.ctypes.data + self.start)
        self.team = np.zeros(32, np.int64)  # team_t of threads.h: which loop is shared out, how far it is
        team = ctypes.c_void_p(self.team.ctypes.data)
        self.outside = functools.partial(self.library.was_outside_of, team) if self.threads > 1 else self.library.was_outside
        self.parts = [self._part(s) for s in layout.segments]
        self.before, self.between = (
            [self._laid_out(program.entries[n].args[0], args, line) for n, args, line in some]
            for some in (layout.before, layout.between)
        )
        cc.give_back()  # what recordings and the compiler's tables held
        self.stopped = 0  # which of the positions that C checks was outside of what it indexes

    def __call__(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        for given in self.inputs:
            if (a := arrays[given.place]) is not given.last:
                self._take(given, a)
        for source, buffer in self.laid:
            buffer[...] = source
        for array, draw, args in self.draws:
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
            n, line = self.layout.positions[k - 1]
            raise DimError(f"{line}: a position is not from {-n} to {n - 1}; no parameter was changed")
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
        self.arrays[given.slot] = held = a if laid else np.array(a, order="C")
        given.last = a if laid else None
        self.pointers[given.slot] = address(held)

    def _part(self, s: Any) -> Callable[[], Any]:
        """What runs a segment."""
        if isinstance(s, Call):
            return self._call(s)
        return self._look if s == "checks" else self._function(getattr(self.library, s))

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

        if not self.layout.blas or BLAS.asked() in ([], [1]):
            return run

        def alone() -> None:
            with BLAS:
                run()

        return alone

    def explain(self) -> tuple[list[tuple[str, str, str, str]], list[str]]:
        """Of each statement, once if it repeats: what runs it, how large it is, what it computes, for which lines; and its C."""
        return [(*row, lines_of(lines)) for *row, lines in self.layout.rows], self.layout.codes

    # ------------------------------------------------------------ what Python does in between
    def _stopped(self) -> int:
        if self.layout.positions and not self.stopped:
            self.stopped = self.outside()
        return self.stopped

    def _look(self) -> None:
        self._check(self.between)

    def _laid_out(self, check: Any, args: Any, line: Any) -> Any:
        """A check with the arrays that it looks at, where these are the same in each call."""
        return check, [(self.array(x) if self._stays(x) else None, x) for x in args], line

    def _stays(self, x: Any) -> bool:
        if not isinstance(x, Spot) or x.views:
            return False
        return (self.homes if x.base == "out" else self.arrays)[x.at] is not None if x.base in ("out", "leaf") else False

    def _check(self, checks: Any) -> None:
        for check, args, line in checks:
            try:
                check(*[self.array(v) if a is None else a for a, v in args])
            except Exception as error:
                error.add_note(f"in a compiled step, for {line}; no parameter was changed")
                raise

    def array(self, x: Any) -> Any:
        """The array that holds a value after its statement."""
        if not isinstance(x, Spot):
            return x
        base, at, shape, dtype, views = x
        if base == "arena":
            found = np.frombuffer(self.block.data, dtype, prod(shape), self.start + at).reshape(shape)
        else:
            found = at if base == "number" else (self.results if base == "out" else self.arrays)[at]
        for view, how in views:
            found = VIEW[view](found, how)
        return found

    def _call(self, call: Call) -> Callable[[], Any]:
        """What lets NumPy compute a value that has no C; of several results, the first that is wanted computes all."""
        fun, (spot, *_, args, k, several, results) = careful(call.op, call.odd), call

        def lift(x: Any) -> Any:
            return type(x)(map(lift, x)) if type(x) in (tuple, list) else self.array(x)

        def run() -> None:
            if self._stopped():
                return
            if k not in results:
                with np.errstate(all="ignore"):
                    made = fun(*map(lift, args))
                results.update(enumerate(made if several else [made]))
            self.array(spot)[...] = results.pop(k)

        return run
