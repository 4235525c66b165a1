"""The graph: one clock, the ambient mode, nodes, and the sweep back through them; it knows no Tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import count
from operator import attrgetter
from threading import RLock
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from ..errors import InPlaceError
from .accumulate import ACCUMULATED, settled, total
from .hooks import early, run_hooks
from .switch import Switch

Array = Any  # an ndarray, or another library's array that speaks NumPy's protocols


# ---------------------------------------------------------------- the ambient mode
class Mode(NamedTuple):
    """What holds for every op in this context: are graphs recorded, and does a tape listen?"""

    grad: bool = True
    tape: Any = None  # a Tape, see tape.py


_mode = ContextVar("mode", default=Mode())  # noqa: B039 (a tuple that holds no list)
mode = _mode.get


class ambient(Switch):
    """Change the mode for a with-block or for each call of a decorated function, in this thread or task only.

    One object may be entered by several threads and tasks, and again while it holds.
    """

    def __init__(self, **changes: Any) -> None:
        self.changes = changes
        self.tokens: list[Any] = []

    def _recreate_cm(self) -> ambient:  # each call of a decorated function enters a context of its own
        return ambient(**self.changes)

    def __enter__(self) -> None:
        self.tokens.append(_mode.set(Mode._make(map(self.changes.get, Mode._fields, mode()))))

    def __exit__(self, *exception: object) -> None:
        for token in self.tokens[::-1]:
            try:
                _mode.reset(token)
            except ValueError:  # it is another thread's or task's
                continue
            self.tokens.remove(token)
            return


# ---------------------------------------------------------------- one clock orders everything
# Nodes are numbered as they are made, so parents are always older: descending number is a reverse topological
# order. In-place writes take a number too, so "changed since it was saved" is a comparison. A write is
# remembered with the memory that it hit (the array that owns it), hence views and aliases are covered.
tick = count().__next__
_writes: dict[int, tuple[int, Any, Any]] = {}  # id of the owner: time of its last write, the owner, where
_latest = -1  # nodes made later have nothing to check
_stamping = RLock()  # or one thread might set that back behind another's


def memory(array: Array) -> Array:
    """The array that owns the memory `array` looks at."""
    owner = array
    while (array := getattr(array, "base", None)) is not None:
        if hasattr(array, "dtype"):  # NumPy puts helper objects between some views and their owner
            owner = array
    return owner


def touch(array: Array, where: Any = None) -> None:
    """Note that the memory of `array` was written. Call it after writing to `t.array` yourself."""
    touch_all((array,), where)


def touch_all(arrays: Iterable[Array], where: Any = None) -> None:
    """Note that the memory of all of them was written."""
    global _latest
    with _stamping:
        _latest = tick()
        for owner in map(memory, arrays):
            known = _writes.get(key := id(owner))
            forget = known[1] if known else ref(owner, partial(_writes.pop, key))
            _writes[key] = _latest, forget, where


def last_write(array: Array) -> tuple[int, Any, Any]:
    """The last write to the memory of `array`: when, to which array, and where, if a tape said so."""
    return _writes.get(id(memory(array)), (-1, None, None))


def write(array: Array, index: Any, value: Any) -> None:
    """Do `array[index] = value`: the one place where memory changes. The tape hears of it before."""
    check_writable(array)
    tape = mode().tape
    where = None if tape is None else tape.write(array, index, value)
    array[index] = value
    touch(array, where)


def check_writable(array: Array) -> None:
    """Raise unless each element of `array` has a place of its own that may be written."""
    what, strides = "", getattr(array, "strides", ())
    if not getattr(getattr(array, "flags", None), "writeable", True):
        what = "read-only memory"
    elif 0 in strides and array.size and 0 in [s for s, n in zip(strides, array.shape, strict=True) if n > 1]:
        what = "expanded memory, where one element stands for several,"
    if what:
        raise InPlaceError(f"{what} cannot be modified in place; clone() it first")


# ---------------------------------------------------------------- long chains are freed by a loop
# A node holds its parents, so freeing one may free all behind it. The interpreter would do that by recursion,
# on a stack that may be small, under a protection that differs from version to version. Here a dying node
# hands on what it holds instead, and the outermost of them lets go of these, one by one, to any depth.
_falling: list[Any] = []
_catchers: list[None] = []  # not empty while somebody empties the list above


def _let_go(falling: list[Any] = _falling, catchers: list[None] = _catchers) -> None:
    while falling and not catchers:  # again, if another thread added one just when this one had finished
        catchers.append(None)
        try:
            while falling:
                falling.pop()
        finally:
            catchers.pop()


class Node:
    """A recorded operation, or a leaf. Holds what backward needs, and never a forward Tensor."""

    __slots__ = ("__weakref__", *"dtype grad hooks parents plan retains saved shape time".split())
    parents: Sequence[Node]
    plan: Any  # how gradients go back through it, a Plan (see primitive.py); None for a leaf

    def __init__(self, plan: Any, parents: Sequence[Node], saved: Any, shape: Any, dtype: Any) -> None:
        self.time, self.plan, self.parents = tick(), plan, parents
        self.saved, self.shape, self.dtype = saved, shape, dtype
        self.grad: Any = None
        self.hooks: dict[int, Any] | None = None
        self.retains = plan is None  # does a backward leave its gradient here?

    def __del__(self, fall: Any = _falling.append, catchers: Any = _catchers, let_go: Any = _let_go) -> None:
        fall(self.parents)
        self.parents = ()
        if not catchers:
            let_go()

    def name(self) -> str:
        """The op's name as PyTorch writes it: `MultiplyBackward`, or `AccumulateGrad` for a leaf."""
        return "AccumulateGrad" if self.plan is None else f"{self.plan.title}Backward"

    @property
    def next_functions(self) -> tuple[tuple[Node, int], ...]:
        """The nodes that gradients go to from here, each with 0, the index of its only result."""
        return tuple((p, 0) for p in self.parents)

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    def stale(self) -> dict[str, Any]:
        """What was saved and has been modified since: the last write to it, by the name in rules."""
        values = zip(self.plan.keep, self.saved, strict=True)
        each = [(n, last_write(a)) for n, v in values for a in (v if isinstance(v, tuple) else (v,))]
        return {n: last for n, last in each if last[0] > self.time}


Grads = dict[Node, Array]


# ---------------------------------------------------------------- the sweep
def ancestors(roots: Iterable[Node], since: int = 0) -> list[Node]:
    """`roots` and every node they were made from, but none older than `since`; oldest first."""
    order = list(dict.fromkeys(roots))
    seen = set(order)
    for node in order:  # which grows meanwhile, mostly in falling order of time, so sorting it is quick
        for p in node.parents:
            if p not in seen and p.time >= since:
                seen.add(p)
                order.append(p)
    return sorted(order, key=attrgetter("time"))


def fit(g: Array, node: Node) -> Array:
    """Undo broadcasting and promotion: make what a rule returned look like what it is the gradient of.

    But that of half is in single precision on its way: it is rounded where it is left.
    """
    if g.shape != node.shape:
        lead = len(g.shape) - len(node.shape)
        stretched = [i + lead for i, n in enumerate(node.shape) if n == 1 != g.shape[i + lead]]
        g = total(g, (*range(lead), *stretched))
        g = g if g.shape == node.shape else np.reshape(g, node.shape)  # a view would be copied in the end
    dtype = ACCUMULATED.get(node.dtype, node.dtype)
    return g if g.dtype == dtype else np.astype(g, dtype)


def sweep(grads: Grads, targets: set[Node] | None, attach: Any, symbolic: bool, retain: bool) -> Grads:
    """Carry `grads`, the gradients of some nodes, back through the graph by the chain rule.

    Returns the gradients of `targets` (None: of all nodes that keep theirs), computing only what leads there.
    Nodes are visited newest first, so each has its whole gradient before it passes it on. `attach` makes a
    Tensor of an array and a node. When `symbolic`, rules run on Tensors, and what a node saved is attached to
    the node whose value it is.
    """
    order = early(ancestors(grads, min([n.time for n in targets or ()], default=0)))  # the older lead to none
    found: Grads = {}
    own: set[Node] = set()  # those whose gradient is an array made here, so that more can be added in place
    leads = None if targets is None else set(targets)
    is_target: Any = attrgetter("retains") if targets is None else targets.__contains__
    if leads is not None:
        leads.update(n for n in order if not leads.isdisjoint(n.parents))  # oldest first, so parents are in
    for node in reversed(order):
        if (g := grads.pop(node, None)) is None:
            continue
        if node.hooks:
            g = fit(run_hooks(node, settled(g, node.dtype), attach, symbolic), node)
        if is_target(node):
            found[node] = settled(g, node.dtype)
        plan, parents = node.plan, node.parents
        if not parents or (leads is not None and leads.isdisjoint(parents)):
            continue
        if plan.item is not None:  # one of several results, whose shapes are the shape of the parent
            (whole,) = parents
            if (parts := grads.get(whole)) is None:
                parts = grads[whole] = [None] * len(whole.shape)  # the gradient of a tuple has holes
            parts[plan.item] = g if parts[plan.item] is None else parts[plan.item] + g
            continue
        if (saved := node.saved) is None or _latest > node.time:
            plan.check(node)
        pull = plan.pull
        if leads is not None and not leads.issuperset(parents):
            pull = plan.partial(tuple(p in leads for p in parents))
            parents = [p for p in parents if p in leads]
        ds = pull(g, plan.unpack(node, attach) if symbolic else saved)
        for p, d in zip(parents, ds):  # noqa: B905 (it is slower)
            if d is not None:
                d = d if d.shape == p.shape and d.dtype is p.dtype else fit(d, p)
                if p in own and type(d) is np.ndarray and d.dtype == grads[p].dtype:
                    grads[p] += d
                elif p in grads:
                    grads[p] = grads[p] + d
                    own.add(p)
                else:
                    grads[p] = d
        if saved and not retain:
            node.saved = saved = None
    return found
