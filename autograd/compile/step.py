"""A compiled step: real calls that are recorded until two are the same program, which runs in their place from then on."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from types import MethodType
from typing import Any

from ..api.tree import tree_leaves
from ..engine.dtypes import get_default_dtype
from ..engine.graph import Node, ambient, memory, mode, tick, touch_all
from ..engine.tensor import Tensor, wrap
from ..engine.warn import warn
from ..errors import CompileError
from .calls import building, kind_of, matching
from .machine import Machine, SharedMemory
from .record import Entry, Program, Recording, living, named, spent
from .replay import Replay
from .table import Explanation
from .watch import Unwatchable, Watch, change

TRIES = 5  # recordings of one kind of call, before it is left to be
KINDS = 8  # programs of one step
LARGE = 2**13  # elements in a result, on average: from here on eager is no slower than its ops played again
FAILURES = 12  # recordings in all that came to nothing


@dataclass(slots=True)
class Ready:
    """A program that can run in place of the step, and what is to be done around it in each call, laid out."""

    program: Program
    run: Any  # a Machine or a Replay
    match: Callable[[Any, Any], Any]  # of args and kwargs: the Tensors and arrays in them, and the arrays; or None
    build: Callable[[Sequence[Any], Sequence[Any]], Any]
    mode: tuple[bool, Any]  # the grad mode and the default dtype
    rebinds: int
    guards: list[tuple[Node, Any]]  # what stands on leaves as gradients when the step begins: none, or this very array
    spent: list[Node]  # where the step leaves no gradient
    left: list[tuple[int, Any, bool]]  # where it may: which of the gradients, on which node or that of which argument; or none
    touched: list[Any]  # memory that it writes
    time: int = -2  # what the clock showed when that was last noted


class Compiled:
    """What `autograd.compile` makes of a step: call it as the step. See there."""

    def __init__(self, fun: Callable[..., Any], backend: str, strict: bool, threads: int | str = "auto") -> None:
        functools.update_wrapper(self, fun)
        self.fun, self.backend, self.strict, self.threads = fun, backend, strict, threads
        self._name = getattr(fun, "__name__", "step")  # where an object keeps its own
        self._lock = threading.RLock()
        self.clear()

    def __set_name__(self, owner: Any, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        """As a method: each object has a step of its own, which it keeps; if it has no room for one, it is an argument."""
        if owner is None:
            return self
        if not hasattr(owner, "__dict__"):
            return MethodType(self, owner)
        own = owner.__dict__[self._name] = Compiled(self.fun.__get__(owner), self.backend, self.strict, self.threads)
        return own

    def __reduce__(self) -> Any:  # what was compiled stays here
        return Compiled, (self.fun, self.backend, self.strict, self.threads)

    def _fixed(self) -> tuple[Any, ...]:
        return (self.fun,)

    def _facts(self) -> tuple[Any, ...]:
        return ()

    _reads = _facts

    def clear(self) -> None:
        """Forget all programs, and begin anew."""
        self._ready: dict[Any, Ready] = {}
        self._at_hand: list[Ready] = []  # those for what the step sees now
        self._seen: dict[Any, list[Any]] = {}
        self._eager: dict[Any, str] = {}  # kinds of calls that cannot be compiled, and why
        self._off = ""  # why none is compiled any more
        self._watch: Watch | None = None
        self._last: tuple[Any, ...] = ()  # the facts of the one before
        self._settings: dict[Any, int] = {}  # what the step could see, by number
        self._watches: dict[int, Watch] = {}
        self._numbers = count()
        self._rebinds = Tensor.rebinds
        self._setting = -1
        self._failures = 0
        self._said: set[str] = set()
        self._counts = {"compiled": 0, "recorded": 0, "eager": 0}
        self._not_in_c = ""
        self._seconds = {"recording": 0.0, "compiling": 0.0}

    # ------------------------------------------------------------ a call
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        now = mode()
        if now.tape is not None or self._off:
            self._counts["eager"] += 1
            return self.fun(*args, **kwargs)
        with self._lock:
            if self._at_hand and self._watch.same():  # type: ignore[union-attr]
                for ready in self._at_hand:
                    if (given := ready.match(args, kwargs)) is not None and ready.mode == (now.grad, get_default_dtype()):
                        if ready.rebinds != Tensor.rebinds or (ready.guards and not _stand(ready.guards)):
                            break
                        leaves, arrays = given
                        return self._play(ready, leaves, arrays, args, kwargs)
            return self._slowly(now.grad, args, kwargs)

    def _slowly(self, grad: bool, args: Any, kwargs: Any) -> Any:
        """A call of which it is not known at a glance what is to be done."""
        leaves: list[Any] = []
        objects: list[Any] = []
        kind = None
        try:
            kind = kind_of((args, kwargs), leaves, objects)
            self._look(self.fun, *objects)
        except Unwatchable as error:
            self._off = "" if kind is None else str(error)  # arguments may be others the next time
            self._counts["eager"] += 1
            self._give_up(str(error))
            return self.fun(*args, **kwargs)
        key = self._setting, kind, grad, get_default_dtype()
        if (ready := self._ready.get(key)) is not None:
            if ready.rebinds == Tensor.rebinds and _stand(ready.guards):
                return self._play(ready, leaves, [getattr(t, "array", t) for t in leaves], args, kwargs)
            del self._ready[key]
            self._at_hand = [r for r in self._at_hand if r is not ready]
        if key in self._eager:
            self._counts["eager"] += 1
            return self.fun(*args, **kwargs)
        return self._learn(key, args, kwargs, leaves)

    def _look(self, *roots: Any) -> None:
        """See what the step depends on: as it was last, or as it was before, or anew."""
        now = self._watches.get(self._setting)
        if now is not None and now.holds(roots):
            return
        known = (k for k in [*self._watches][-KINDS:] if k != self._setting and self._watches[k].holds(roots))
        if (setting := next(known, None)) is None:
            if self._rebinds != Tensor.rebinds:  # no program will run again that was made before
                self._rebinds = Tensor.rebinds
                self._let_go()
            watch = Watch(*roots)
            setting = self._settings.setdefault(watch.facts, next(self._numbers))
            self._watches[setting] = watch  # it keeps what it saw: the ids in facts stay their own
        self._last = self._watch.facts if self._watch is not None else ()
        self._watch, self._setting = self._watches[setting], setting
        self._at_hand = [ready for key, ready in self._ready.items() if key[0] == setting]

    def _play(self, ready: Ready, leaves: Sequence[Any], arrays: Sequence[Any], args: Any, kwargs: Any) -> Any:
        self._counts["compiled"] += 1
        left = [(k, leaves[node].node if isinstance(node, int) else node, stays) for k, node, stays in ready.left]
        for _, node, _ in left:  # no step reads a gradient that it replaces: the new one may lie where it lay
            node.grad = None
        try:
            values, grads = ready.run(arrays)
        except SharedMemory:
            self._counts["compiled"] -= 1
            self._counts["eager"] += 1
            return self.fun(*args, **kwargs)
        if (now := tick()) != ready.time + 1:  # or else no node was made since, which could have saved what is written
            touch_all(ready.touched)
            now += 1
        ready.time = now
        if ready.program.writes_inputs:
            touch_all([arrays[k] for k in ready.program.writes_inputs])
        for node in ready.spent:
            node.grad = None
        for k, node, stays in left:
            node.grad = wrap(grads[k]) if stays else None
        return ready.build(values, leaves)

    # ------------------------------------------------------------ learning
    def _learn(self, key: Any, args: Any, kwargs: Any, leaves: Sequence[Any]) -> Any:
        """Run the step, and record it. If it is the same program as the time before, it is ready from now on."""
        start = time.perf_counter()
        watch = self._watch
        assert watch is not None
        nodes: dict[Node, Any] = {n: n for n in watch.leaves}
        nodes |= {t.node: k for k, t in enumerate(leaves) if isinstance(t, Tensor) and t.node is not None}
        before = {n: (living(n.grad), living(n.grad.array)) if n.grad is not None else None for n in nodes}
        tape, rebinds = Recording(self._states(nodes), [getattr(t, "array", t) for t in leaves], watch.generators), Tensor.rebinds
        with ambient(tape=tape):
            out = self.fun(*args, **kwargs)
        self._counts["recorded"] += 1
        self._seconds["recording"] += time.perf_counter() - start
        start = time.perf_counter()
        try:
            if Tensor.rebinds != rebinds:
                raise CompileError("a tensor is given another array in the step (data = ...): use copy_()")
            found = self._program(tape, nodes, before, leaves, out)
        except CompileError as error:
            found = error.with_traceback(None)  # which holds what the step returned, and its gradients
        del tape
        self._decide(key, found, out, leaves, (args, kwargs))
        self._seconds["compiling"] += time.perf_counter() - start
        return out

    def _states(self, nodes: Iterable[Node]) -> Iterator[tuple[Any, str]]:
        """The arrays that other calls find, too, with their names: what the watch sees, and gradients that are there already."""
        assert self._watch is not None
        paths, leaves = self._watch.arrays, self._watch.leaves
        for i, path in paths.items():
            yield self._watch.kept[i], named(path)
        for n in nodes:
            if n.grad is not None:
                yield n.grad.array, f"{named(paths[id(leaves[n].array)]) if n in leaves else 'an argument'}.grad"

    def _program(self, tape: Recording, nodes: Any, before: Any, leaves: Sequence[Any], out: Any) -> Any:
        """The program of a recording, with what becomes of gradients."""
        for k, t in enumerate(leaves):
            if isinstance(t, Tensor) and t.node is not None and t.node.plan is not None:
                raise CompileError(f"argument {k} is the result of ops that record a graph, which would end here: detach() it")
        results = tree_leaves(out)
        for t in results:
            if isinstance(t, Tensor) and t.node is not None and t.node.plan is not None and not spent(t.node):
                why = "what it returns requires grad: call backward() in the step, or return detach()"
                raise CompileError(f"{why}, or call the step under no_grad()")
        leave, grads = [], []
        for node, who in nodes.items():
            old, new = before[node], node.grad
            same = new is None if old is None else new is not None and new is old[0]()
            what = "as it is" if same else "none" if new is None else "new"
            leave.append((who, what))
            grads.append(new.array if what == "new" else None)
        program = Program(tape, [t.array if isinstance(t, Tensor) else t for t in results], grads)
        program.signature.append([(w if isinstance(w, int) else id(w), what) for w, what in leave])
        used = {id(leaf.array) for leaf in program.leaves.values()}
        guards: list[tuple[Node, Any]] = []
        for node, old in before.items():
            if old is None and node.grad is not None:
                guards.append((node, None))
            elif old is not None and (array := old[1]()) is not None and id(array) in used:
                guards.append((node, array))
        return program, leave, guards

    def _decide(self, key: Any, found: Any, out: Any, leaves: Sequence[Any], call: Any) -> None:
        seen = self._seen.setdefault(key, [])
        seen.append(found)
        if isinstance(found, CompileError):
            if len(seen) > 1 and isinstance(seen[-2], CompileError):
                self._refuse(key, str(found))
            return self._count_failure()
        if len(seen) > 1 and not isinstance(seen[-2], CompileError):
            why = difference(seen[-2][0], found[0])
            if not why:
                del self._seen[key]
                if len(self._ready) >= KINDS:
                    self._refuse(key, f"there are {KINDS} programs for other kinds of arguments already")
                    return None
                try:
                    self._ready[key] = ready = self._build(found, out, leaves, key, call)
                    self._at_hand.append(ready)
                except CompileError as error:
                    self._refuse(key, str(error))
                    return None
                self._failures = 0
                return None
            if len(seen) == TRIES:
                self._refuse(key, f"{TRIES} calls were not the same program: {why}")
                return None
        return self._count_failure()

    def _count_failure(self) -> None:
        """Each call may be of another kind than the one before, because the step itself changes what it depends on."""
        self._failures += 1
        if self._failures >= FAILURES:
            now = self._watch.facts if self._watch is not None else ()
            self._off = f"what it depends on is another thing in each call: {change(self._last, now)}"
            self._let_go()
            self._give_up(self._off)

    def _let_go(self) -> None:
        """Keep nothing of what the step saw: there may be large arrays."""
        for kept in (self._ready, self._at_hand, self._seen, self._settings, self._watches):
            kept.clear()

    def _refuse(self, key: Any, why: str) -> None:
        self._eager[key] = why
        self._seen.pop(key, None)
        self._give_up(why)

    def _give_up(self, why: str) -> None:
        message = f"compile: {getattr(self.fun, '__name__', 'the step')} stays eager: {why}"
        if self.strict:
            raise CompileError(message)
        if why not in self._said:
            self._said.add(why)
            warn(message)

    def _build(self, found: Any, out: Any, leaves: Sequence[Any], key: Any, call: Any) -> Ready:
        """Make the program run, on the backend that was chosen."""
        program, leave, guards = found
        written, watch = {id(a) for a in program.writes_states}, self._watch
        assert watch is not None
        for i, (node, what) in enumerate(leave):  # what the step itself has used up is not left over
            if what == "new" and isinstance(node, Node) and id(watch.leaves[node].array) in written:
                leave[i], program.grads[i] = (node, "none"), None
        program.prune()
        spent = [n for n, what in leave if what == "none" and isinstance(n, Node)]
        left = [(k, n, what == "new") for k, (n, what) in enumerate(leave) if what != "as it is" and n not in spent]
        match, build = matching(call[0], call[1], program.writes_inputs), building(out, leaves, watch.kept)
        touched = [*map(memory, program.writes_states)]
        return Ready(program, self._runner(program), match, build, key[2:], Tensor.rebinds, guards, spent, left, touched)

    def _runner(self, program: Program) -> Any:
        """What runs it: C where there is a compiler and it can be said in C, else NumPy."""
        if self.backend != "replay":
            try:
                return Machine(program, self.threads)
            except Exception as error:  # a fault of ours does not end a training
                if self.backend == "c":
                    raise
                self._not_in_c = str(error)
                if not isinstance(error, CompileError):
                    self._not_in_c = f"{type(error).__name__}: {error}"
                    warn(f"compile: a step could not be made C of, which is a fault of the library: {self._not_in_c}")
            elements = [prod(shape) for e in program.entries for shape, _ in e.shapes]
            if sum(elements) > LARGE * len(elements):
                raise CompileError(
                    f"its arrays are large, so that NumPy alone is no quicker, and it is not in C: {self._not_in_c}"
                )
        return Replay(program)

    # ------------------------------------------------------------ what there is to see
    @property
    def program(self) -> Program | None:
        """The program that was made last, None if there is none yet."""
        return next(reversed(self._ready.values())).program if self._ready else None

    @property
    def source(self) -> str:
        """The code that runs in place of the step, as it was made last; "" if there is none yet."""
        return next(reversed(self._ready.values())).run.source if self._ready else ""

    def stats(self) -> dict[str, Any]:
        """How many programs there are, how many calls ran how, the seconds it took to make them, and why others stay eager."""
        why = sorted({*self._eager.values(), *([self._off] if self._off else [])})
        found = {"programs": len(self._ready), "calls": dict(self._counts), "seconds": dict(self._seconds), "eager": why}
        return found | {"backends": [r.run.name for r in self._ready.values()], "not in C": self._not_in_c}

    def explain(self) -> str:
        """A table of what was compiled last: what runs each part, how large, which ops, which lines; or why nothing is.

        Notebooks show it as HTML, in which each row opens to its code; `explain().html(path)` writes that as a page.
        """
        if not self._ready:
            return "\n".join([f"{self!r}: calls are {self._counts}", *self.stats()["eager"]])
        run = next(reversed(self._ready.values())).run
        name = getattr(self.fun, "__name__", "the step")
        return Explanation(f"What runs in place of {name}, in {'C' if run.name == 'c' else 'NumPy'}", *run.explain())

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.fun, '__qualname__', self.fun)!s}: {len(self._ready)} programs>"


def _stand(guards: list[tuple[Node, Any]]) -> bool:
    """Do gradients stand where they did?"""
    grads = [(node.grad, array) for node, array in guards]
    return all([g is None if array is None else g is not None and g.array is array for g, array in grads])


def difference(one: Program, two: Program) -> str:
    """Where two programs differ; "" if they are the same."""
    if one.signature == two.signature:
        return ""
    for a, b, x in zip(one.signature, two.signature, two.origins, strict=False):
        if a != b and isinstance(x, Entry):
            return f"{x.line}: {x.name} is another op then, or has other arguments"
        if a != b and x.kind == "constant":
            return f"an array of shape {x.array.shape} that the step makes without ops holds other numbers each time"
        if a != b:
            return f"{x.name or 'an argument'} is used in one of them only"
    return "one of them does more, or returns another thing"
