"""Writing in place, as PyTorch does it: one page of rules, and what follows from them for the graph.

MEMORY. A write changes memory once, at its place; whoever looks at this memory sees it: the Tensor, its base,
its views, `detach()`, `.data`, arrays of NumPy. The clock is stamped, so a node that saved what stood there
raises in backward.

VIEWS. Ops marked `view=True` return Tensors that may look at the memory of their argument; no other op does.
Such a view knows its base, the Tensor that is a view of nothing, and the path that leads from there to it:
steps, which are ops with their arguments.

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

from collections.abc import Callable, Sequence
from math import inf
from threading import RLock
from typing import Any
from weakref import ref

from numpy import ndarray

from ..errors import DtypeError, InPlaceError, ShapeError
from .dtypes import category
from .graph import Array, Node, ambient, memory, mode, tick, write
from .tensor import PRIMITIVES, Tensor, wrap

Step = tuple[Any, tuple[Any, ...], int | None]  # an op, its arguments after the first, which of its results
_sorting = RLock()  # held by the thread that takes from a family, to which others may add


# ---------------------------------------------------------------- what a view knows
def lineage(t: Tensor) -> tuple[Tensor, Sequence[Step], bool]:
    """The base that `t` is a view of, the steps from there to `t`, and whether gradients go along them.

    A Tensor that is a view of nothing is its own base. Of views of constants no steps are kept.
    """
    link = getattr(t, "_link", None)
    return link if type(link) is tuple else (t, (), True)


def see(x: Any, path: Sequence[Step]) -> Any:
    """What the steps show of `x`."""
    for op, args, item in path:
        x = op(x, *args) if item is None else op(x, *args)[item]
    return x


# ---------------------------------------------------------------- what a base knows
class Family(list[Any]):
    """The views of a base, held weakly; from place `fresh` on they are those whose nodes are right."""

    __slots__ = ("fresh", "limit")

    def __init__(self) -> None:
        self.fresh, self.limit = 0, 64

    def outdate(self) -> None:
        """The base has a new node: let every view make its own anew before it is used."""
        with _sorting:
            views, self.fresh = self[self.fresh : (end := len(self))], end
        for known in views:
            if type(view := known()) is Tensor:
                view.__class__ = Outdated
            elif view is not None and type(view) is not Outdated:  # of a class that must stay
                renew(view)

    def forget(self) -> None:
        """Drop the views that are gone, or have got other memory."""
        with _sorting:
            parts = self[: self.fresh], self[self.fresh : (end := len(self))]
            old, fresh = ({id(k): k for k in part if getattr(k(), "_link", None)}.values() for part in parts)
            self[:end] = [*old, *fresh]
            self.fresh, self.limit = len(old), 2 * len(self) + 64


def enlist(view: Tensor, base: Tensor) -> None:
    """`view`, whose node is right, is to hear of writes to `base`."""
    if (family := getattr(base, "_link", None)) is None:
        family = base._link = Family()
    family.append(ref(view))
    if len(family) > family.limit:  # which doubles, so this costs next to nothing a view
        family.forget()


class Outdated(Tensor):
    """A view whose base was written since its node was made: asked for it, it is a plain Tensor again.

    So looking at views that are up to date costs what looking at any Tensor costs.
    """

    __slots__ = ()

    @property
    def node(self) -> Node | None:  # type: ignore[override]
        self.__class__ = Tensor  # type: ignore[assignment]
        return renew(self)


Outdated.__name__, Outdated.__qualname__, Outdated.__module__ = "Tensor", "Tensor", Tensor.__module__


def renew(view: Tensor) -> Node | None:
    """Make the node of `view` anew, from that of its base."""
    base, path, _ = lineage(view)
    with ambient(grad=True):
        node = base.node and see(wrap(base.array, base.node), path).node
    follow(view, node)
    enlist(view, base)
    return node


def look(view: Any, at: Any, op: Any, args: Any, recorded: bool, item: int | None = None) -> None:
    """`view` was made of `at` by `op`, or several were: those that look at its memory are to know of it."""
    if not isinstance(at, Tensor):
        return
    if type(view) is tuple:
        for i, each in enumerate(view):
            look(each, at, op, args, recorded, i)
        return
    a, b = view.array, at.array
    near = type(a) is ndarray and ((owner := a.base) is b or (owner is not None and owner is b.base))
    if not near and memory(a) is not memory(b):
        return  # a copy, as reshape makes where it must
    link = getattr(at, "_link", None)
    base, path, live = link if type(link) is tuple else (at, (), True)
    view._link = base, (*path, (op, args, item)) if live else (), recorded and live
    if recorded and live:  # what is made under no_grad() is a constant, and stays one
        enlist(view, base)


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
    base, steps, live = lineage(t)
    recorded = mode().grad and (source or base.node or t.node) is not None
    alone = source is not None and source.time > start
    if recorded:
        refuse(t, base, steps, live, name)
    if alone or base.node is not None:
        save_what_is_lost(t.array, [n for n in (base.node, source) if n is not None], start)
    write(t.array, index, raw)
    if not recorded:
        return
    if scatter:
        source, alone = overwritten(t, source, scatter[0], raw, *scatter[1:]), True
    settle(base, source if alone and not steps else replaced(base, source, raw, (*steps, *path)))


def settle(base: Tensor, node: Node | None) -> None:
    """Give a base that was written its new node, of which all views will make theirs."""
    follow(base, node)
    if (family := getattr(base, "_link", None)) is not None:
        family.outdate()


def follow(t: Tensor, node: Node | None) -> None:
    """Give `t` another node. The gradient kept is that of the values it has now: retain_grad() goes along."""
    if (old := t.node) is not None and node is not None and old.retains and old.plan is not None:
        old.retains, node.retains, node.grad = False, True, old.grad
    t.node = node


def replaced(base: Tensor, source: Node | None, value: Any, path: Sequence[Step]) -> Node:
    """The node of `base`, after what the `path` shows of it got the values of `source` (None: constants)."""
    array = base.array
    strides = getattr(array, "strides", (0,) * array.ndim)
    order = sorted(range(array.ndim), key=lambda d: -abs(strides[d]))  # of the dims in memory
    old = base if path or source is None else wrap(array)  # nothing else is left of the old values
    return overwritten(old, source, PRIMITIVES["written"], value, path, order)


def overwritten(t: Tensor, source: Node | None, op: Any, *args: Any) -> Node:
    """The node of `op(t, *args)`, which is what the array of `t` holds now: no op is run."""
    plan = op.plans[(t.node is not None) + 2 * (source is not None)]
    parents = [n for n in (t.node, source) if n is not None]
    node = Node(plan, parents, plan.save(None, t.array, *args), t.array.shape, t.array.dtype)
    if (tape := mode().tape) is not None:
        tape.node(node)
    return node


# ---------------------------------------------------------------- what a write would spoil
def save_what_is_lost(place: Array, nodes: list[Node], since: float) -> None:
    """Copy what nodes hold of the memory of `place`, where that is all but certain to be wanted as it was.

    That is what the op that makes the new values saved (its node, and those behind it back to the time
    `since`), and what the op that made the old ones saved of its own result.
    """
    owner, copies = memory(place), dict[int, Array]()
    for node in nodes:  # which grows meanwhile
        if node.time > since:
            nodes += [p for p in node.parents if p.time > since and p not in nodes]
        elif node.plan is not None and node.plan.item is not None:  # one of several results
            nodes += node.parents
        if node.saved and (node.time > since or ("out" in node.plan.keep and not node.stale())):
            node.saved = tuple(_kept(v, owner, copies) for v in node.saved)


def _kept(value: Any, owner: Array, copies: dict[int, Array]) -> Any:
    """`value` with copies of all arrays in the memory of `owner`, by an op, of which a tape hears."""
    if isinstance(value, tuple):
        return type(value)(_kept(v, owner, copies) for v in value)
    if not hasattr(value, "dtype") or memory(value) is not owner:
        return value
    if id(value) not in copies:
        copies[id(value)] = wrap(value).clone().array
    return copies[id(value)]


# ---------------------------------------------------------------- what may not be written
def refuse(t: Tensor, base: Tensor, path: Sequence[Step], live: bool, name: str) -> None:
    """Raise if a write to `t`, of that lineage, which is to be recorded, must not be."""
    for which in (base, t):
        if which.node is not None and which.node.plan is None:
            what = "a leaf that requires grad" if which is t else "a view of a leaf that requires grad"
            raise InPlaceError(f"{name}: {what} can only be modified in place under no_grad()")
    if not live:
        what = "a view made under no_grad() cannot be modified in place where gradients are recorded"
        raise InPlaceError(f"{name}: {what}; do both inside, or both outside")
    for op, _, item in path:
        if item is not None:
            what = f"{name}: this is a view made by {op.name}, which gives several"
            advice = "use narrow() or an index, or clone() it first"
            raise InPlaceError(f"{what}, and these cannot be modified in place; {advice}")
