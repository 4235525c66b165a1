"""Trees of Tensors: nested tuples, lists and dicts, as functions take and return them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError


def tree_map(fun: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """`tree` with `fun(leaf, *branches)` for each leaf, where `branches` stand at the leaf's place in the other trees.

    Tuples (named ones too), lists and dicts are inner nodes, all else are leaves. The others may reach deeper than
    `tree`, but must not differ as far as it reaches: that raises ArgumentError.

    >>> tree_map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"x": 10, "y": (20, 30)})
    {'x': 11, 'y': (22, 33)}
    """
    if isinstance(tree, dict):
        if odd := [o for o in others if not isinstance(o, dict) or o.keys() != tree.keys()]:
            raise ArgumentError(f"where one argument has a dict with the keys {list(tree)}, another has {_kind(odd[0])}")
        return {k: tree_map(fun, v, *(o[k] for o in others)) for k, v in tree.items()}
    if isinstance(tree, (tuple, list)):
        if odd := [o for o in others if not isinstance(o, (tuple, list)) or len(o) != len(tree)]:
            raise ArgumentError(f"where one argument has {_kind(tree)}, another has {_kind(odd[0])}")
        parts = [tree_map(fun, *branches) for branches in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return fun(tree, *others)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"one with {list(value)}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (tuple, list)) else "")


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of `tree`, in order."""
    found: list[Any] = []
    tree_map(found.append, tree)
    return found


def tree_build(tree: Any, leaves: Sequence[Any]) -> Any:
    """`tree` with other leaves, which may themselves be trees."""
    rest = iter(leaves)
    return tree_map(lambda _: next(rest), tree)
