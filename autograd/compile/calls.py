"""The arguments and the results of a step: what kind of call it is, and straight Python that knows that kind again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import combinations
from typing import Any

import numpy as np

from ..engine.tensor import Tensor, wrap
from .straight import Lines
from .watch import ELSEWHERE, PLAIN, Unwatchable, told

FEW = 8  # arrays, of which each is compared with each


def kind_of(value: Any, leaves: list[Any], objects: list[Any]) -> Any:
    """What kind of arguments these are, to be compared; Tensors and arrays go to `leaves`, other objects to `objects`."""
    if isinstance(value, (Tensor, np.ndarray)):
        array, node = getattr(value, "array", value), getattr(value, "node", None)
        alike = next((k for k, t in enumerate(leaves) if getattr(t, "array", t) is array), -1)
        leaves.append(value)
        if not isinstance(array, np.ndarray):
            raise Unwatchable(ELSEWHERE)
        graph = node is not None and (node.plan is not None, bool(node.hooks))
        return isinstance(value, Tensor), type(array), array.shape, array.dtype, graph, alike, array.flags.writeable
    if isinstance(value, dict):
        return dict, *((told(k), kind_of(v, leaves, objects)) for k, v in value.items())
    if isinstance(value, (tuple, list)):
        return type(value), *(kind_of(v, leaves, objects) for v in value)
    if isinstance(value, PLAIN):
        return told(value)
    objects.append(value)
    return id(value)


def matching(args: Any, kwargs: Any, written: Collection[int]) -> Callable[[Any, Any], Any]:
    """A function of `args` and `kwargs`: the leaves of a call of this kind, and their arrays; of any other call, None.

    It may also be None of one that is, in the end, of this kind: so it goes by the objects where it can. Whether memory may be
    written counts for the leaves that are `written`.
    """
    lines, leaves, arrays = Lines(), list[str](), list[Any]()
    name, add = lines.name, lines.add

    def look(text: str, x: Any) -> None:
        if isinstance(x, (Tensor, np.ndarray)):
            array: Any = getattr(x, "array", x)
            a, kind, dtype = f"a{len(arrays)}", name(type(array)), name(array.dtype)
            leaves.append(text)
            add(f"if type({text}) is not {name(type(x))}: return")
            add(f"{a} = {text}{'.array' if isinstance(x, Tensor) else ''}")
            add(f"if type({a}) is not {kind} or {a}.dtype is not {dtype} or {a}.shape != {array.shape}: return")
            if isinstance(x, Tensor):
                add(f"node = {text}.node")
                has = "node is None or node.plan is not None or bool(node.hooks) is not " + repr(bool(x.node and x.node.hooks))
                add(f"if {'node is not None' if x.node is None else has}: return")
            if len(arrays) in written:
                add(f"if {a}.flags.writeable is not {array.flags.writeable}: return")
            arrays.append(array)
        elif isinstance(x, (dict, tuple, list)):
            add(f"if type({text}) is not {name(type(x))} or len({text}) != {len(x)}: return")
            if isinstance(x, dict):
                add(f"if [*map({name(told)}, {text})] != {name([*map(told, x)])}: return")
            parts = [f"{text}_{k}" for k in range(len(x))]
            if parts:
                add(f"{', '.join(parts)}, = {text}{'.values()' if isinstance(x, dict) else ''}")
            for part, value in zip(parts, x.values() if isinstance(x, dict) else x, strict=True):
                look(part, value)
        elif isinstance(x, PLAIN):
            add(f"if {text} is not {name(x)} and {name(told)}({text}) != {name(told(x))}: return")
        else:
            add(f"if {text} is not {name(x)}: return")

    look("args", args)
    look("kwargs", kwargs)
    pairs = [(f"a{j} is{' not' * (one is two)} a{k}", one is two) for (j, one), (k, two) in combinations(enumerate(arrays), 2)]
    if len(arrays) > FEW and not any(alike for _, alike in pairs):
        add(f"if len({{*map(id, ({', '.join(f'a{k}' for k in range(len(arrays)))}))}}) != {len(arrays)}: return")
    elif pairs:
        add(f"if {' or '.join(text for text, _ in pairs)}: return")
    add(f"return {_tuple(leaves)}, {_tuple([f'a{k}' for k in range(len(arrays))])}")
    return lines.function("args", "kwargs", otherwise="None")


def building(out: Any, leaves: Collection[Any], kept: Collection[int]) -> Callable[[Any, Any], Any]:
    """A function of the values that a program returns and of the leaves of a call: they as the result `out` of a step.

    A leaf of that is one of the call's, or what was there before, by id in `kept`, or a new value.
    """
    lines, given = Lines(), {id(t): k for k, t in enumerate(leaves)}
    name, count = lines.name, iter(range(2**62))

    def made(x: Any) -> str:
        if isinstance(x, dict):
            return f"{{{', '.join(f'{name(k)}: {made(v)}' for k, v in x.items())}}}"
        if isinstance(x, (tuple, list)):
            parts = [made(v) for v in x]
            if type(x) in (tuple, list):
                return _tuple(parts) if type(x) is tuple else f"[{', '.join(parts)}]"
            return f"{name(type(x))}({', '.join(parts) if hasattr(x, '_fields') else _tuple(parts)})"
        k = next(count)
        if id(x) in given:
            return f"leaves[{given[id(x)]}]"
        if id(x) in kept or not isinstance(x, (Tensor, np.ndarray)):
            return name(x)
        return f"{name(wrap)}(values[{k}])" if isinstance(x, Tensor) else f"values[{k}]"

    lines.add(f"return {made(out)}")
    return lines.function("values", "leaves")


def _tuple(texts: list[str]) -> str:
    return f"({''.join(f'{text}, ' for text in texts)})"
