"""Writing in place, as PyTorch does it: one page of rules, and what follows from them for the graph.

MEMORY. A write changes memory once, at its place; whoever looks at this memory sees it: the Tensor, its base,
its views, `detach()`, `.data`, arrays of NumPy. The clock is stamped, so a node that saved what stood there
raises in backward.

VIEWS. Ops marked `view=True` return Tensors that may look at the memory of their argument; no other op does.
Such a view knows its base, the Tensor that is a view of nothing, and the steps that lead from there to it:
ops with their arguments.

THE GRAPH. Let `v` be a view that shows `b` through some steps, and let it be given the values of a node `n`.
Then

    b's node        becomes  written(b's node before, n, steps):  b, but what the steps show of it is n
    gradient of b   is       g, with zeros where the steps look:  written(g, 0, steps)
    gradient of n   is       what the steps show of g

which is made of primitives, so it has derivatives of any order. All views of `b`, `v` too, make their nodes
anew from b's when they are next looked at. A Tensor that is a view of nothing just takes the node `n`.
Nothing as large as `b` is computed. A gradient that `retain_grad` keeps is that of the last values; a hook
stays with the values that it was registered on.

WHAT WAS SAVED. In-place ops run out of place first; what they saved of this memory, and what the op that made
`b` saved of its result, can only be meant as it was: it is copied into these nodes before any write, and `y =
x.exp(); y.add_(1)` is right. (PyTorch does the first, and raises for the second.) Whatever else was saved and
written since raises in backward.

NOT RECORDED. Under no_grad(), or if nothing concerned requires grad, memory changes and nodes stay: to the
graph, the difference is a constant.

REFUSED, before anything changes: leaves that require grad, and their views (the parameter that an optimizer
holds would become a result); views made under no_grad() (were they meant as constants?); results of ops that
return several views, as unbind and split; memory that one element shares with another, as after expand(), and
read-only memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any
from weakref import ref

from numpy import ndarray

from ..errors import DtypeError, InPlaceError, ShapeError
from .dtypes import category
from .graph import Array, Linked, Node, ambient, check_writable, memory, mode, tick, write
from .tensor import PRIMITIVES, Tensor, wrap


# ---------------------------------------------------------------- what a view knows
class Step:
    """The last step on the way from a base to a view of it."""

    __slots__ = ("args", "base", "item", "op", "recorded")
    parents: Step | None = None  # the step before
    base: Tensor
    op: Any
    args: tuple[Any, ...]  # those after the first, which is what is looked at
    item: int | None  # which result, of an op with several
    recorded: bool  # or was it made under no_grad()?


class Further(Step):
    """A step that comes after another."""

    __slots__ = ("parents",)
    parents: Step
    __del__ = Linked.__del__  # there may be any number


def step_of(op: Any, *args: Any) -> Step:
    """What `op` with these arguments would show: for a write there."""
    step = _new(Step)
    step.op, step.args, step.item = op, args, None
    return step


def lineage(t: Tensor) -> tuple[Tensor, list[Step]]:
    """The base that `t` is a view of, or `t` itself, and the steps from there to `t`."""
    link = getattr(t, "_link", None)
    steps: list[Step] = []
    if not isinstance(link, Step):
        return t, steps
    step: Step | None = link
    while step is not None:
        steps.append(step)
        step = step.parents
    return link.base, steps[::-1]


def see(x: Any, path: Sequence[Step]) -> Any:
    """What the steps show of `x`."""
    for step in path:
        x = step.op(x, *step.args)
        x = x if step.item is None else x[step.item]
    return x


# ---------------------------------------------------------------- what a base knows
class Family:
    """The views of a base, held weakly: the `fresh`, whose nodes are right, and the `old`, whose are not."""

    __slots__ = ("fresh", "limit", "old")

    def __init__(self) -> None:
        self.fresh, self.old = deque[ref[Tensor]](), deque[ref[Tensor]]()
        self.limit = 64

    def outdate(self) -> None:
        """The base has a new node: let every view make its own anew before it is used."""
        for known in _taken(self.fresh):
            if (view := known()) is None:
                continue
            self.old.append(known)
            if type(view) is Tensor:
                view.__class__ = Outdated
            else:  # of a class that must stay
                renew(view)
        if len(self.old) > self.limit:
            self.forget()

    def forget(self) -> None:
        """Drop the views that are gone. Done whenever they doubled, it costs next to nothing a view."""
        for views, is_outdated in (self.fresh, False), (self.old, True):
            for known in _taken(views):
                if (view := known()) is not None and (type(view) is Outdated) == is_outdated:
                    views.append(known)
        self.limit = 2 * max(len(self.fresh), len(self.old)) + 64


def _taken(views: deque[ref[Tensor]]) -> Iterator[ref[Tensor]]:
    """Take out all that are there now, one by one: other threads may add some, or take some, meanwhile."""
    for _ in range(len(views)):
        try:
            yield views.popleft()
        except IndexError:
            return


def family_of(base: Tensor) -> Family:
    """The views of `base`."""
    if (family := getattr(base, "_link", None)) is None:
        family = base._link = Family()
    return family


class Outdated(Tensor):
    """A view whose base was written since its node was made: asked for it, it is a plain Tensor again.

    So looking at views that are up to date costs what looking at any Tensor costs.
    """

    __slots__ = ()

    @property
    def node(self) -> Node | None:
        self.__class__ = Tensor  # type: ignore[assignment]
        return renew(self)

    @node.setter
    def node(self, node: Node | None) -> None:
        self.__class__ = Tensor  # type: ignore[assignment]
        self.node = node


Outdated.__name__, Outdated.__qualname__, Outdated.__module__ = "Tensor", "Tensor", Tensor.__module__


def renew(view: Tensor) -> Node | None:
    """Make the node of `view` anew, from that of its base."""
    if not mode().grad:
        with ambient(grad=True):
            return renew(view)
    base, steps = lineage(view)
    node = None if base.node is None else see(wrap(base.array, base.node), steps).node
    follow(view, view.node, node)
    family_of(base).fresh.append(ref(view))
    return node


_new: Any = object.__new__


def look(view: Any, at: Tensor, op: Any, args: Any, recorded: bool, item: int | None = None) -> None:
    """`view` was made of `at` by `op`, or several were: those that look at its memory are to know of it."""
    if type(view) is tuple:
        for i, each in enumerate(view):
            look(each, at, op, args, recorded, i)
        return
    a, b = view.array, at.array
    near = type(a) is ndarray and ((owner := a.base) is b or (owner is not None and owner is b.base))
    if not near and memory(a) is not memory(b):
        return  # a copy, as reshape makes where it must
    link: Any = getattr(at, "_link", None) or family_of(at)
    family: Family = link
    if type(link) is Family:
        step = _new(Step)
        step.base = at
    else:
        step = _new(Further)
        step.parents, step.base, recorded = link, link.base, recorded and link.recorded
        family = family_of(step.base)
    step.op, step.args, step.item, step.recorded = op, args, item, recorded
    view._link = step
    if recorded:  # what is made under no_grad() is a constant, and stays one
        family.fresh.append(ref(view))
        if len(family.fresh) > family.limit:
            family.forget()


# ---------------------------------------------------------------- writing
def change(t: Tensor, name: str, op: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Let `t` hold the values of `op(t, *args, **kwargs)`: what every in-place method does."""
    start = tick()
    new = op(t, *args, **kwargs)
    if new is not t:
        put(t, name, ..., fitting(name, t, new), start=start)
    return t


def fitting(name: str, t: Tensor, new: Tensor) -> Tensor:
    """`new` in the dtype of `t`. Raises ShapeError or DtypeError if it cannot stand in its place."""
    what = "which does not fit in place into"
    if new.array.shape != t.array.shape:
        raise ShapeError(f"{name}: the result has shape {new.shape}, {what} {t.shape}")
    if new.array.dtype is t.array.dtype:
        return new
    if category(new.dtype) > category(t.dtype):
        raise DtypeError(f"{name}: the result is {new.dtype}, {what} {t.dtype}")
    return new.to(t.dtype)


def put(
    t: Tensor, name: str, index: Any, value: Any,
    path: Sequence[Step] = (), start: float = inf, scatter: Sequence[Any] = (),
) -> None:  # fmt: skip
    """Write `value` to `t.array[index]`, which is what the steps of `path` show of `t`.

    Nodes made since `start` were made for this value alone. `scatter` is for places that no steps can show:
    the primitive that has these elements replaced, and its arguments after the array and the value.
    """
    source, raw = (value.node, value.array) if isinstance(value, Tensor) else (None, value)
    base, steps = lineage(t)
    recorded = mode().grad and (source is not None or base.node is not None or t.node is not None)
    alone = source is not None and source.time > start
    if recorded:
        refuse(t, base, steps, name)
    if alone or base.node is not None:
        save_what_is_lost(t.array, base.node, source if alone else None, start)
    write(t.array, index, raw)
    if not recorded:
        return
    if scatter:
        source, alone = overwrite(scatter[0], t.node, source, t.array, raw, *scatter[1:]), True
    settle(base, source if alone and not steps else overwritten(base, (*steps, *path), source, raw))


def settle(base: Tensor, node: Node | None) -> None:
    """Give a base that was written its new node, of which all views will make theirs."""
    follow(base, base.node, node)
    if (family := getattr(base, "_link", None)) is not None:
        family.outdate()


def follow(t: Tensor, old: Node | None, node: Node | None) -> None:
    """Give `t` another node. The gradient kept is that of the values it has now: retain_grad() goes along."""
    if old is not None and node is not None and old.retains and old.plan is not None:
        old.retains, node.retains, node.grad = False, True, old.grad
    t.node = node


def overwritten(base: Tensor, path: Sequence[Step], source: Node | None, value: Any) -> Node:
    """The node of `base`, after what the `path` shows of it got the values of `source` (None: constants)."""
    array = base.array
    old = base.node if path or source is None else None  # nothing else is left of the old values
    strides = getattr(array, "strides", (0,) * array.ndim)
    order = sorted(range(array.ndim), key=lambda d: -abs(strides[d]))  # of the dims in memory
    return overwrite(PRIMITIVES["written"], old, source, array, value, path, order)


def overwrite(op: Any, old: Node | None, source: Node | None, array: Array, *args: Any) -> Node:
    """The node of `op(array, *args)`, which is what `array` holds now; no op is run."""
    plan = op.plans[(old is not None) + 2 * (source is not None)]
    parents, saved = [n for n in (old, source) if n is not None], plan.save(None, array, *args)
    node = Node(plan, parents, saved, array.shape, array.dtype)
    if (tape := mode().tape) is not None:
        tape.node(node)
    return node


# ---------------------------------------------------------------- what a write would spoil
def save_what_is_lost(place: Array, producer: Node | None, source: Node | None, since: float = inf) -> None:
    """Copy what nodes hold of the memory of `place`, where that is all but certain to be wanted as it was.

    That is what the op that makes the new values saved (all nodes from `source` back to the time `since`),
    and what the `producer` of the old ones saved of its own result.
    """
    owner = memory(place)
    copies: dict[int, Array] = {}

    def kept(value: Any) -> Any:
        if isinstance(value, tuple):
            return type(value)(map(kept, value))
        if not hasattr(value, "dtype") or memory(value) is not owner:
            return value
        if id(value) not in copies:
            copies[id(value)] = wrap(value).clone().array  # by an op, of which a tape hears
        return copies[id(value)]

    for node in (nodes := [] if source is None else [source]):  # which grows meanwhile
        if node.saved:
            node.saved = tuple(map(kept, node.saved))
        nodes += [p for p in node.parents if p.time > since and p not in nodes]
    if producer is not None and producer.plan is not None:
        if producer.plan.item is not None:  # one of several results
            (producer,) = producer.parents
        if producer.saved and "out" in (names := list(producer.plan.keep)) and not producer.stale():
            values = zip(names, producer.saved, strict=True)
            producer.saved = tuple(kept(v) if name == "out" else v for name, v in values)


# ---------------------------------------------------------------- what may not be written
def refuse(t: Tensor, base: Tensor, steps: Sequence[Step], name: str) -> None:
    """Raise if a write to `t`, a view of `base`, which is to be recorded, must not be."""
    for which in (base, t):
        if which.node is not None and which.node.plan is None:
            what = "a leaf that requires grad" if which is t else "a view of a leaf that requires grad"
            raise InPlaceError(f"{name}: {what} can only be modified in place under no_grad()")
    for step in steps:
        if not step.recorded:
            what = "a view made under no_grad() cannot be modified in place where gradients are recorded"
            raise InPlaceError(f"{name}: {what}; do both inside, or both outside")
        if step.item is not None:
            what = f"{name}: this is a view made by {step.op.name}, which gives several"
            advice = "use narrow() or an index, or clone() it first"
            raise InPlaceError(f"{what}, and these cannot be modified in place; {advice}")
    check_writable(t.array)
