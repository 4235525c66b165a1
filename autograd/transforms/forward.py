"""Forward mode: directions carried forward through a recorded graph, op by op, with the rules that backward has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

import numpy as np

from ..engine.accumulate import ACCUMULATED, settled
from ..engine.dtypes import DType
from ..engine.graph import Array, Node, ambient, ancestors
from ..engine.tape import recording
from ..engine.tensor import Tensor, wrap
from ..engine.tensor import grad as gradients
from ..errors import NoGradientError
from .core import Call, generic


# ---------------------------------------------------------------- through a graph
def along(call: Call, directions: Sequence[Tensor], strict: str = "") -> list[Tensor]:
    """The derivative of each output of a call along `directions`, one for each input: in one pass, which frees the graph.

    If `strict`, the name of the caller, is given, it is an error that the outputs do not depend on an input.
    """
    create = call.creates(*directions)
    attach: Attach = wrap if create else _apart if recording() else None
    starts = [x._need_node(call.name) for x in call.inputs]
    ends = {y.node for y in call.outputs if y.node is not None}
    order = ancestors(ends, min((n.time for n in starts), default=0))
    if strict and (unused := [i for i, n in enumerate(starts) if n not in order]):
        raise NoGradientError(f"{strict}: the outputs do not depend on input {unused[0]}, which strict=True refuses")
    uses = Counter(p for n in order for p in n.parents)
    uses.update(ends)  # what comes out is wanted once more
    items: dict[Node, dict[int, Node]] = {}  # of nodes with several results, those in use
    for n in order:
        if n.plan is not None and n.plan.item is not None:
            items.setdefault(n.parents[0], {})[n.plan.item] = n
    known: dict[Node, Any] = {}  # the directions, as far as the pass has come
    with ambient(grad=create), np.errstate(all="ignore"):
        for n, t in zip(starts, directions, strict=True):
            known[n] = _fit(t if attach else t.array, n.shape, n.dtype)
        for node in order:
            ts = [known.get(p) for p in node.parents]
            if node not in known and any(t is not None for t in ts):
                known[node] = _step(node, ts, items.get(node), attach, create)
            for p in node.parents:
                uses[p] -= 1
                if not uses[p]:
                    known.pop(p, None)
            if not create and node.plan is not None:
                node.saved = None
        ds = [None if y.node is None else known.get(y.node) for y in call.outputs]
        found = [
            np.zeros_like(y.array) if d is None else np.copy(settled(d, y.dtype))  # it may be a direction itself
            for d, y in zip(ds, call.outputs, strict=True)
        ]
        return call.release([d if isinstance(d, Tensor) else wrap(d) for d in found], create)


# ---------------------------------------------------------------- through one op
# A rule is a linear map from the gradient of the result to that of an argument. The derivative along a direction is the
# transposed map, from a direction of the argument to one of the result, and needs no rule of its own:
# - of a ufunc the map multiplies each element by a number, and is its own transposed;
# - an op marked `linear` does to a direction what it does to an argument;
# - for any other op the rule is run on a Tensor that stands for the gradient, and differentiated by that.
Attach = Callable[[Array, Any], Tensor] | None  # makes Tensors of arrays; None: all is computed on arrays


def _step(node: Node, ts: Sequence[Any], items: dict[int, Node] | None, attach: Attach, create: bool) -> Any:
    """The direction of the result of `node`, or those of its several results, from its parents', None where that is 0."""
    plan = node.plan
    if plan.item is not None:
        return ts[0][plan.item]
    plan.check(node)
    saved = plan.unpack(node, attach) if attach else node.saved
    fun = getattr(plan.op, "fun", None)
    alike = isinstance(fun, np.ufunc) and fun.signature is None
    found, left = [], list(ts)
    for i, t in enumerate(ts):
        if t is not None and alike:
            (d,) = plan.partial(tuple(k == i for k in range(len(ts))))(_fit(t, node.shape, node.dtype), saved)
        elif t is not None and (args := _arguments(plan, i, t, saved)):
            d = plan.op(*args)
        else:
            continue
        left[i] = None
        found.append(d)
    if any(t is not None for t in left):
        d = _transposed(node, left, items, saved if attach else plan.unpack(node, _apart), create)
        if items is not None:
            return [d if attach or d is None else d.array for d in d]
        found.append(d if attach else d.array)
    return _fit(sum(found[1:], found[0]), node.shape, node.dtype)


def _apart(array: Array, node: Node | None) -> Tensor:
    return wrap(array)


def _fit(d: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """A direction like what it is a direction of; but that of half is in single precision on its way."""
    d = d if d.shape == shape else np.broadcast_to(d, shape)
    dtype = ACCUMULATED.get(dtype, dtype)
    return d if d.dtype == dtype else np.astype(d, dtype)


def _arguments(plan: Any, i: int, t: Any, saved: Sequence[Any]) -> list[Any] | None:
    """`t` and the other arguments of an op that is linear in the i-th tracked one; None if it is not: see `primitive`."""
    if not getattr(plan.op, "linear", False) or plan.half:
        return None
    name = plan.arguments[i]
    if name in (wants := plan.wants[name]) or "out" in wants:
        return None
    asked = {n: v for n, v in zip(plan.keep, saved, strict=True) if n in wants}
    given: dict[str, Any] = {p.name: p.default for p in plan.op.parameters} | asked | {name: t}
    return None if any(v is Parameter.empty for v in given.values()) else [given[n] for n in plan.op.names]


def _transposed(node: Node, ts: Sequence[Any], items: dict[int, Node] | None, saved: Sequence[Any], create: bool) -> Any:
    """The rules of `node`, run on what stands for the gradient of the result (or of each in use), and differentiated by it."""
    used = [node] if items is None else [items.get(i) for i in range(len(node.shape))]
    with ambient(grad=True):
        first = next(t for t in ts if t is not None)
        like = getattr(first, "array", first)
        us = [None if n is None else generic(n.shape, ACCUMULATED.get(n.dtype, n.dtype), like) for n in used]
        ds = node.plan.partial(tuple(t is not None for t in ts))(us[0] if items is None else us, saved)
    pairs = [(d, t) for d, t in zip(ds, (t for t in ts if t is not None), strict=True) if d is not None and d.requires_grad]
    leaves = [u for u in us if u is not None]
    found: Any = [None] * len(leaves)
    if pairs:
        seeds = [np.broadcast_to(t if isinstance(t, Tensor) else wrap(t), d.shape) for d, t in pairs]
        found = gradients([d for d, _ in pairs], leaves, seeds, create_graph=create, allow_unused=True)
    rest = iter(wrap(np.zeros_like(u.array)) if d is None else d for u, d in zip(leaves, found, strict=True))
    each = [None if u is None else next(rest) for u in us]
    return each[0] if items is None else each
