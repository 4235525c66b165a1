"""Hooks: a handle takes one out of where it was put; those on a node are shown its gradient."""

from __future__ import annotations

from itertools import count
from typing import Any, Self
from weakref import ref

import numpy as np

from ..errors import ShapeError, describe

_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()`, or the end of a `with` block, takes it out again."""

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.hooks, self.id = hooks, _number()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def run_hooks(node: Any, g: Any, attach: Any, symbolic: bool) -> Any:
    """Show a gradient to its node's hooks, each of which may replace it, or write into it: it sees a copy."""
    for hook in list(node.hooks.values()):
        shown = np.copy(g) if symbolic else attach(np.copy(g), None)
        new = shown if (new := hook(shown)) is None else new
        if describe(new) != describe(node):
            raise ShapeError(f"a hook on {node!r} returned {describe(new)}; the gradient is {describe(node)}")
        g = new if symbolic else getattr(new, "array", new)
    return g if symbolic else np.copy(g)  # a hook may hold what it saw or returned


class AfterGrad:
    """Among the hooks of a leaf's node: what is called with the leaf when backward has added to its gradient.

    It holds the leaf weakly: nodes know no Tensors. Where the others see the gradient it does nothing.
    """

    def __init__(self, call: Any, leaf: Any) -> None:
        self.call, self.leaf = call, ref(leaf)

    def __call__(self, gradient: Any) -> None:
        pass


class AsSoonAsWhole:
    """Among the hooks of a leaf's node: it wants the gradient as soon as that is whole."""

    alive = 0

    def __init__(self, call: Any) -> None:
        self.call = call
        AsSoonAsWhole.alive += 1

    def __del__(self) -> None:
        AsSoonAsWhole.alive -= 1

    def __call__(self, gradient: Any) -> None:
        self.call(gradient)


def early(order: list[Any]) -> list[Any]:
    """Nodes, oldest first, with the leaves that are waited for just before the oldest node that uses them."""
    if not AsSoonAsWhole.alive:
        return order
    leaves = [n for n in order if n.plan is None and n.hooks]
    waited = {n for n in leaves if any(type(h) is AsSoonAsWhole for h in n.hooks.values())}
    moved = []
    for node in order:
        if node not in waited:
            for p in node.parents:
                if p in waited:
                    waited.discard(p)
                    moved.append(p)
            moved.append(node)
    return [*waited, *moved]


def tell_after_grad(node: Any) -> None:
    """A backward has added to the gradient at `node`."""
    for hook in list((node.hooks or {}).values()):
        if isinstance(hook, AfterGrad) and (leaf := hook.leaf()) is not None:
            hook.call(leaf)
