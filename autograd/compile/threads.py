"""How many threads run a compiled step, who they are, and how BLAS is kept from bringing more."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from queue import SimpleQueue
from typing import Any

from . import cc
from .emit import MOST


def number(threads: int | str) -> int:
    """How many threads `threads` are: itself, or if "auto" as many as there are cores for us and BLAS would use."""
    if threads == "auto":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        said = [os.environ.get(name, "").split(",")[0] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")]
        return max(1, min([cores, MOST, *(int(n) for n in said if n.strip().isdigit() and int(n)), *BLAS.asked()]))
    return int(threads)


class Blas:
    """NumPy's BLAS has one thread while compiled steps run, which divide its products themselves, and then as many as before."""

    def __init__(self) -> None:
        self.lock, self.steps, self.before = threading.Lock(), 0, 0

    def asked(self) -> list[int]:
        """How many threads it was told to use, if that can be known."""
        if (switch := cc.blas_threads()) is None:
            return []
        with self.lock:
            return [self.before if self.steps else switch[0]()]

    def __enter__(self) -> None:
        if (switch := cc.blas_threads()) is not None:
            with self.lock:
                self.steps += 1
                if self.steps == 1:
                    self.before = switch[0]()
                    if self.before > 1:
                        switch[1](1)

    def __exit__(self, *_: object) -> None:
        if (switch := cc.blas_threads()) is not None:
            with self.lock:
                self.steps -= 1
                if self.steps == 0 and self.before > 1:
                    switch[1](self.before)


class Crew:
    """Threads that help whichever step runs. A step goes on without those that are late, or help another."""

    def __init__(self) -> None:
        self.free: list[SimpleQueue[Any]] = []
        self.all: list[tuple[SimpleQueue[Any], threading.Thread]] = []
        self.gone = False

    def run(self, threads: int, f: Any, leaf: Any, arena: Any, team: Any, loop: int, held: Any) -> None:
        """Let f run here and in up to threads - 1 others, which hold `held` as long as they may need it."""
        helpers = []
        for me in range(1, threads):
            if (helper := self.helper()) is None:
                break
            helpers.append(helper)
            if helper.qsize() < LATE:
                helper.put((f, (leaf, arena, team, loop, me), held))
        try:
            f(leaf, arena, team, loop, 0)
        finally:
            self.free += helpers  # others may have them, even before they come out of this: all is done there

    def helper(self) -> SimpleQueue[Any] | None:
        """The work of one who is free, or new, or None if there can be no more."""
        with contextlib.suppress(IndexError):
            return self.free.pop()
        tasks: SimpleQueue[Any] = SimpleQueue()
        thread = threading.Thread(target=_help, args=(tasks,), name="compiled step", daemon=True)
        if self.gone:
            return None
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter ends
            return None
        self.all.append((tasks, thread))
        return tasks

    def end(self) -> None:
        """At exit all are sent away."""
        self.gone = True
        for tasks, _ in self.all:
            tasks.put(None)
        for _, thread in self.all:
            thread.join(1)


def _help(tasks: SimpleQueue[Any]) -> None:
    while (task := tasks.get()) is not None:
        f, args, _ = task
        f(*args)
        del task, f, args, _  # what it holds may be let go


def _after_fork() -> None:
    """A process that is forked has none of the threads, and nobody else uses BLAS in it."""
    if BLAS.steps and BLAS.before > 1 and (switch := cc.blas_threads()) is not None:
        switch[1](BLAS.before)
    BLAS.__init__()  # type: ignore[misc]
    CREW.__init__()  # type: ignore[misc]


LATE = 4  # a helper that has so much before it is not given more
BLAS, CREW = Blas(), Crew()
atexit.register(lambda: CREW.end())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
