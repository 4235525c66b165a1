"""Into a batch and out of it: a function run once for all samples, and gradients that cross the border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nextafter
from operator import attrgetter
from typing import Any

import numpy as np

from ..api.common import one_dim
from ..api.random import levels
from ..engine.accumulate import total
from ..engine.graph import Array, Node, memory, mode
from ..engine.inplace import look
from ..engine.primitive import moving, primitive
from ..engine.tape import recording
from ..engine.tensor import Tensor, _alone, wrap
from ..errors import ArgumentError, BatchError
from . import batch_rules  # noqa: F401 (what NumPy's functions do to batches)
from .batch import Level, put_inside, sealed, taken_out


# ---------------------------------------------------------------- the ops at the border
def _enter(x: Array, level: Level, axis: int) -> Array:
    return put_inside(level, np.moveaxis(x, axis, 0))


def _leave(x: Array, level: Level, axis: int) -> Array:
    if (data := taken_out(level, x)) is None:
        return np.copy(np.broadcast_to(np.expand_dims(x, axis), (*x.shape[:axis], level.size, *x.shape[axis:])))
    data = np.moveaxis(data, 0, axis)
    return data if getattr(getattr(data, "flags", None), "writeable", True) else np.copy(data)


def _total(x: Array, level: Level) -> Array:
    data = taken_out(level, x)
    return total(np.broadcast_to(x, (level.size, *x.shape)) if data is None else data, (0,))


# fmt: off
enter_: Any  = moving(_enter, "enter_batch", view=True, linear=True,  x=lambda g, level, axis: leave_(g, level, axis),
             says="A batch, whose samples lie along this axis of x.")
leave_: Any  = moving(_leave, "leave_batch", view=True, linear=True,  x=lambda g, level, axis: enter_(g, level, axis),
             says="The samples of a batch along this axis; repeated where they are all the same.")
spread_: Any = moving(lambda x, level: x + 0, "spread_over_batch", linear=True, x=lambda g, level: total_(g, level),
             says="x, which is the same for all samples, where a batch begins to use it.")
total_: Any  = primitive(_total, "total_over_batch", linear=True,   x=lambda g, level: spread_(g, level),
             says="The sum over all samples of a batch.")
# fmt: on


# ---------------------------------------------------------------- running a function for all samples
def at_once(
    function: Callable[..., Any], tensors: Sequence[Any], axes: Sequence[int | None], randomness: str, fallback: str
) -> tuple[Any, Callable[[Tensor, int | None], Tensor]]:  # fmt: skip
    """What `function` makes of `tensors`, of which the samples lie along `axes`, and how to bring a result out.

    It runs once. A result is brought out with its samples along an axis; along None, if they are the same.
    """
    held = {id(memory(t.array)) for t in tensors if isinstance(t, Tensor)}  # results have memory of their own
    n = next(t.shape[a] for t, a in zip(tensors, axes, strict=True) if a is not None)
    level = Level(n, randomness, fallback)
    token = levels.set((*levels.get(), level))
    try:
        out = function(*(t if a is None else _entered(t, level, a % t.ndim) for t, a in zip(tensors, axes, strict=True)))
    finally:
        levels.reset(token)
        level.open = recording()  # what is on a tape runs again
    known, between = dict[Node, bool](), dict[Node, Node]()

    def leave(t: Tensor, axis: int | None) -> Tensor:
        data = taken_out(level, t.array)
        if axis is None and data is None:
            return t
        if axis is None and (not n or not np.array_equal(data, np.broadcast_to(data[:1], data.shape), equal_nan=True)):
            raise ArgumentError("vmap: out_dims is None for a result that is not the same for all slices")
        found = leave_(wrap(sealed(level, t.array), t.node), level.seal, one_dim("vmap: out_dims", axis or 0, t.ndim + 1))
        if found.node is not None:
            _cross(found.node, level, known, between)
        return _alone(found[0] if axis is None else found, held)

    return out, leave


def _entered(t: Tensor, level: Level, axis: int) -> Any:
    """The batch of which the samples are in `t`. As all slices, it is a view that a recorded write must not change."""
    (inside,) = slices = _slices(t, level, axis)
    look(slices, t, _slices, (level, axis), mode().grad)
    return inside


def _slices(t: Tensor, level: Level, axis: int) -> Any:
    return (enter_(t, level, axis),)


_slices.name = "vmap"  # type: ignore[attr-defined]


def _cross(node: Node, level: Level, known: dict[Node, bool], between: dict[Node, Node]) -> None:
    """Let the gradients that leave the batch behind `node` be summed over the samples, and seal what was kept in there.

    Inside are the nodes whose gradient differs by sample: those that kept something that does, and all that were made of them.
    Where one outside is the parent of one inside, a node is put `between`. What is older than the batch is outside; so is
    what was made meanwhile and is the same for all, as the new node of a view that others use as well.
    """
    found, stack = [], [node]
    while stack:
        child = stack.pop()
        if child in known or child.time < level.time:
            continue
        if type(child.saved) is not tuple:
            raise BatchError(f"vmap: {child.plan.name} saves what checkpoint would make again when vmap is over")
        kept, op = sealed(level, child.saved), getattr(child.plan, "op", None)
        border = op in (enter_, leave_) and kept[0] is level.seal
        known[child], child.saved = border or kept is not child.saved or not child.parents, kept
        if not (border and op is enter_):
            found.append(child)
            stack += child.parents
    for child in sorted(found, key=attrgetter("time")):
        if known[child] or any(map(known.get, child.parents)):
            known[child], child.parents = True, [p if known.get(p) else _spread(p, level, between) for p in child.parents]


def _spread(node: Node, level: Level, between: dict[Node, Node]) -> Node:
    """The node through which gradients go to `node`, which is outside."""
    if node not in between:
        between[node] = Node(spread_.plans[1], (node,), (level.seal,), node.shape, node.dtype)
        between[node].time = nextafter(node.time, inf)  # type: ignore[assignment]
    return between[node]
