"""Forward mode: directions carried forward through a recorded graph, op by op, with the rules that backward has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from inspect import Parameter
from math import prod
from typing import Any

import numpy as np

from ..api.join import stack
from ..engine.accumulate import ACCUMULATED, settled
from ..engine.dtypes import DType
from ..engine.graph import Array, Node, ambient, ancestors
from ..engine.tape import recording
from ..engine.tensor import Tensor, wrap
from ..engine.tensor import grad as gradients
from ..errors import NoGradientError
from .core import Call


# ---------------------------------------------------------------- through a graph
class Linear:
    """The derivative of a call as a linear function of the direction, by one pass forward through its graph.

    A pass costs about what a backward does. With `once` there will be only one, and values are let go as it goes by.
    """

    def __init__(self, call: Call, strict: str = "", once: bool = False) -> None:
        self.call, self.once = call, once
        starts = [t.node for t in call.inputs]
        ends = {t.node for t in call.outputs if t.node is not None}
        self.order = ancestors(ends, min((n.time for n in starts), default=0))
        if strict and (unused := [i for i, n in enumerate(starts) if n not in set(self.order)]):
            raise NoGradientError(f"{strict}: the outputs do not depend on input {unused[0]}, which strict=True refuses")
        self.uses = Counter(p for n in self.order for p in n.parents)
        self.uses.update(ends)  # what comes out is asked for once more
        self.items: dict[Node, dict[int, Node]] = {}  # of nodes with several results, those that somebody used
        for n in self.order:
            if n.plan is not None and n.plan.item is not None:
                self.items.setdefault(n.parents[0], {})[n.plan.item] = n

    def __call__(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """The derivative of each output along `directions`, of which there is one for each input."""
        create = self.call.creates(*directions)
        with ambient(grad=create), np.errstate(all="ignore"):
            found = self._pass(directions, create)
        return [self.call.release(t, create) for t in found]

    def _pass(self, directions: Sequence[Tensor], create: bool) -> list[Tensor]:
        attach: Attach = wrap if create else _apart if recording() else None
        known: dict[Node, Any] = {}
        for x, t in zip(self.call.inputs, directions, strict=True):
            known[x.node] = _fit(t if attach else t.array, x.shape, x.dtype)
        uses = self.uses.copy()
        for node in self.order:
            ts = [known.get(p) for p in node.parents]
            if node not in known and any(t is not None for t in ts):
                if node.plan.item is not None:
                    known[node] = ts[0][node.plan.item]
                else:
                    known[node] = _step(node, ts, self.items.get(node), attach, create)
            for p in node.parents:
                uses[p] -= 1
                if not uses[p]:
                    known.pop(p, None)
            if self.once and not create and node.plan is not None:
                node.saved = None
        found = []
        for y in self.call.outputs:
            d = None if y.node is None else known.get(y.node)
            d = np.zeros_like(y.array) if d is None else settled(d, y.dtype)
            found.append(d if isinstance(d, Tensor) else wrap(d))
        return found

    def blocks(self) -> list[list[Any]]:
        """For each output and input the derivatives of one by the other, shape (*output.shape, *input.shape).

        A column, the derivatives of all outputs by one element of an input, takes one pass.
        """
        inputs, outputs = self.call.inputs, self.call.outputs
        columns = []
        for i, x in enumerate(inputs):
            zeros = [wrap(np.zeros_like(z.array)) for z in inputs]
            passes = []
            for k in np.ndindex(x.shape):
                zeros[i] = wrap(np.zeros_like(x.array))
                zeros[i].array[k] = 1
                passes.append(self(zeros))
            columns.append(list(zip(*passes, strict=True)) or [()] * len(outputs))
        return [[_block(columns[i][o], y, x) for i, x in enumerate(inputs)] for o, y in enumerate(outputs)]


def _block(columns: Sequence[Tensor], y: Tensor, x: Tensor) -> Tensor:
    shape = (*y.shape, *x.shape)
    return stack(columns, -1).reshape(shape) if columns else wrap(np.zeros_like(y.array, shape=shape))


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
    with ambient(grad=True):
        if items is None:
            us = [g := _generic(node.shape, ACCUMULATED.get(node.dtype, node.dtype))]
        else:
            used = map(items.get, range(len(node.shape)))
            g = [None if n is None else _generic(n.shape, ACCUMULATED.get(n.dtype, n.dtype)) for n in used]
            us = [u for u in g if u is not None]
        ds = node.plan.partial(tuple(t is not None for t in ts))(g, saved)
    pairs = [(d, t) for d, t in zip(ds, (t for t in ts if t is not None), strict=True) if d is not None and d.requires_grad]
    found: Sequence[Any] = [None] * len(us)
    if pairs:
        seeds = [np.broadcast_to(t, d.shape) for d, t in pairs]
        found = gradients([d for d, _ in pairs], us, seeds, create_graph=create, allow_unused=True)
    found = [wrap(np.zeros_like(u.array)) if d is None else d for u, d in zip(us, found, strict=True)]
    if items is None:
        return found[0]
    rest = iter(found)
    return [None if u is None else next(rest) for u in g]


def _generic(shape: tuple[int, ...], dtype: DType) -> Tensor:
    """A leaf for the place of a gradient. It does not matter where a linear map is differentiated, except that "zero stays zero".

    A 0 would hide a derivative that is infinite. So no number is 0, and none come from simple sums of them.
    """
    n = prod(shape)
    numbers = _few(dtype)[:n] if n <= FEW else _numbers(n, dtype)
    return wrap(np.reshape(numbers, shape)).requires_grad_()


FEW = 2**12


def _numbers(n: int, dtype: DType) -> Array:
    return np.cos(np.arange(1, n + 1)).astype(dtype)


@cache
def _few(dtype: DType) -> Array:
    return _numbers(FEW, dtype)
