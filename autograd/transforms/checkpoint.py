"""checkpoint: a call that keeps nothing of what it computes, and is run again when backward needs it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from copy import deepcopy
from typing import Any

import numpy as np

from ..api.random import default_generator, drawing_from
from ..api.tree import tree_leaves
from ..engine.graph import Node, ambient, last_write, mode, tick
from ..engine.tensor import Tensor
from ..errors import GraphError, InPlaceError

_again: ContextVar[bool] = ContextVar("checkpoint runs something again", default=False)
recomputing = _again.get  # is this a second run? What remembers that it was called, as running statistics do, has done so


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True,
    determinism_check: str = "default", context_fn: Callable[[], Any] | None = None, **kwargs: Any,
) -> Any:  # fmt: skip
    """`function(*args, **kwargs)`, which is run again in backward instead of remembering what it computes.

    For time, this saves memory: of all that the function's ops would save for backward nothing is kept but its arguments
    and what else it uses. Gradients are the same, of any order, for everything that the function uses. The
    default generator starts from the same state again, so dropout drops the same elements (unless not
    `preserve_rng_state`), and batch norm counts its statistics once. A function that does not do the same when it is run
    again, be it since something it uses was changed in between, is an error, not a wrong gradient (unless
    `determinism_check` is "none").

    `context_fn` returns two context managers, for the two runs. `use_reentrant` is accepted and changes nothing: this
    works as PyTorch does with False. PyTorch: torch.utils.checkpoint.checkpoint.

    >>> import autograd
    >>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: x * x * x, x).sum().backward(); x.grad
    tensor([ 3., 12.])
    """
    first, again = context_fn() if context_fn else (nullcontext(), nullcontext())
    if not mode().grad:
        with first:
            return function(*args, **kwargs)
    state = default_generator.get_state() if preserve_rng_state else None
    segment = _Segment(lambda: function(*args, **kwargs), again, state, determinism_check != "none")
    with first:
        return segment.start()


class _Segment:
    """The nodes that a call made, and how to make again what they saved."""

    def __init__(self, run: Callable[[], Any], again: Any, state: Any, check: bool) -> None:
        self.run, self.again, self.state, self.check = run, again, state, check

    def start(self) -> Any:
        """Run for the first time, and forget what the nodes saved. They are held weakly, for they hold this."""
        out, nodes = _record(self.run)
        self.nodes, self.times = [weakref.ref(n) for n in nodes], [n.time for n in nodes]
        self.steps, self.sums = _steps(nodes), _sums(out) if self.check else []
        for k, node in enumerate(nodes):
            if node.saved:
                node.saved = _Later(self, k, len(node.saved))
        return out

    def restore(self) -> None:
        """Run again, and give each node what its twin saved."""
        start, source, token = tick(), deepcopy(default_generator.source), _again.set(True)
        if self.state is not None:
            source.bit_generator.state = self.state
        try:
            with drawing_from(source) if self.state is not None else nullcontext(), self.again:
                out, twins = _record(self.run)
        finally:
            _again.reset(token)
        if _steps(twins) != self.steps or (self.check and not _alike(_sums(out), self.sums)):
            what = "values" if _steps(twins) == self.steps else "ops"
            raise GraphError(f"checkpoint: run again for backward, the function had other {what}; what it uses must not change")
        for k, (node, twin) in enumerate(zip([r() for r in self.nodes], twins, strict=True)):
            if node is None or type(node.saved) is not _Later:
                continue
            if type(twin.saved) is _Later:  # of a checkpoint inside of this one, whose turn will come
                twin.saved.segment.nodes[twin.saved.place] = weakref.ref(node)
                node.saved = twin.saved
            else:
                twin.plan.check(twin)
                node.saved = tuple(_settled(node, v, self.times[k], start) for v in twin.saved)


class _Later(Sequence[Any]):
    """Stands for what a node saved, until one of the values is asked for."""

    def __init__(self, segment: _Segment, place: int, length: int) -> None:
        self.segment, self.place, self.length = segment, place, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: Any) -> Any:
        node = self.segment.nodes[self.place]()
        assert node is not None, "whoever asks has it from the node"
        if node.saved is self:
            self.segment.restore()
        return node.saved[i]


def _record(run: Callable[[], Any]) -> tuple[Any, list[Node]]:
    """What `run` returns, and the nodes that it made on the way there, oldest first."""
    start = tick()
    with ambient(grad=True):
        out = run()
    stack = [t.node for t in tree_leaves(out) if isinstance(t, Tensor) and t.node is not None and t.node.time > start]
    seen = set(stack)
    while stack:
        new = {p for p in stack.pop().parents if p.time > start} - seen
        seen |= new
        stack += new
    return out, sorted(seen, key=lambda n: n.time)


def _steps(nodes: list[Node]) -> list[Any]:
    return [(n.name(), n.shape, n.dtype) for n in nodes]


def _sums(out: Any) -> list[tuple[float, float, float]]:
    """For each result two sums over it, which changes would change, and how exact they are."""
    found = []
    for t in tree_leaves(out):
        if isinstance(t, Tensor):
            a, eps = np.astype(np.ravel(t.array), np.float64), np.finfo(t.dtype).eps if t.dtype.kind == "f" else 0
            with np.errstate(all="ignore"):
                found.append((float(np.sum(a)), float(a @ a), float(eps)))
    return found


def _alike(found: list[Any], expected: list[Any]) -> bool:
    """Are the sums equal, but for rounding?"""
    if found == expected:
        return True
    pairs = zip(found, expected, strict=True)
    return all(
        np.allclose((a, b), (c, d), 100 * eps, 100 * eps * abs(d) ** 0.5, equal_nan=True) for (a, b, _), (c, d, eps) in pairs
    )


def _settled(node: Node, value: Any, taken: int, start: int) -> Any:
    """A value that the function saved again, in a form that nobody has written to since `node` was made.

    A write between then and now means that it is not the value it was. A write by the function itself, as it ran again,
    is none of the node's business: a copy shows none.
    """
    if isinstance(value, tuple):
        return type(value)(_settled(node, v, taken, start) for v in value)
    written, *_ = last_write(value)
    if taken < written < start:
        raise InPlaceError(
            f"checkpoint: {node.plan.name} needs a value as the forward pass left it, but it was modified in place since; "
            "clone() it before that write"
        )
    return np.copy(value) if written > node.time else value
