"""Nested state, taken apart into named arrays and a description in JSON, and put together again.

In the description None, booleans, numbers and strings stand for themselves, and a list for a list. All else is an object
with one key that says what it is: {"dict": [[key, value], ...]}, {"tuple": [...]}, {"float": "nan"}, {"tensor": name}
and {"leaf": name}, which is a tensor that requires grad, {"array": name}.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..tensor import Tensor
from .parts import Arrays, Source, as_value

PLAIN_NAME = re.compile(r"(?!__)[\w.\-]+")  # such as other programs know; names that are made up have a space in them
SAVED = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()


def take_apart(state: Any) -> tuple[Any, Arrays]:
    """The description of `state` and its arrays, those in the same place in memory once.

    Raises UnsupportedError, which says where, for what cannot be saved.
    """
    arrays: Arrays = {}
    places: dict[Any, str] = {}

    def name_of(array: Any, path: tuple[Any, ...]) -> str:
        if not isinstance(array, np.ndarray) or array.dtype.name not in SAVED:
            raise UnsupportedError(f"save: {_where(path)} holds {array.dtype} in a {type(array).__name__}; {_KEEP}")
        place = array.__array_interface__["data"], array.shape, array.strides, array.dtype
        if place not in places:
            name = ".".join(map(str, path))
            if not PLAIN_NAME.fullmatch(name) or name in arrays:
                name = f"array {len(arrays)}"
            places[place], arrays[name] = name, array
        return places[place]

    def describe(value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return {"leaf" if value.requires_grad and value.is_leaf else "tensor": name_of(value.array, path)}
        if type(value) in (np.ndarray, np.memmap):
            return {"array": name_of(value, path)}
        if isinstance(value, Mapping):
            if odd := [k for k in value if not isinstance(k, (str, int, float, type(None)))]:
                raise UnsupportedError(f"save: {_where(path)} has a key {odd[0]!r}; use strings and numbers")
            return {"dict": [[describe(k, (*path, k)), describe(v, (*path, k))] for k, v in value.items()]}
        if isinstance(value, (tuple, list)):
            parts = [describe(v, (*path, i)) for i, v in enumerate(value)]
            return {"tuple": parts} if isinstance(value, tuple) else parts
        kind = type(value).__name__
        advice = "save its state_dict()" if hasattr(value, "state_dict") else _KEEP
        raise UnsupportedError(f"save: {_where(path)} is a {kind}, which would have to be executed to be loaded; {advice}")

    try:
        return describe(state, ()), arrays
    except RecursionError:
        raise UnsupportedError("save: the state is nested too deeply, or holds itself; make it flatter") from None


_KEEP = "save tensors, arrays of numbers, numbers, strings, None, and lists, tuples and dicts of these"


def _where(path: tuple[Any, ...]) -> str:
    return f"the state at {''.join(f'[{part!r}]' for part in path)}" if path else "the state"


def as_text(description: Any, arrays: Arrays) -> str | None:
    """The description in JSON; None if it says no more than the names of the arrays do."""
    if description == _of_a_flat_dict(arrays):
        return None
    return json.dumps(description, separators=(",", ":"), allow_nan=False)


def _of_a_flat_dict(arrays: Arrays) -> Any:
    return {"dict": [[name, {"tensor": name}] for name in arrays]}


def put_together(source: Source, text: Any, arrays: Arrays) -> Any:
    """The state that `text` describes; without one, the arrays by name."""

    def value_of(part: Any) -> Any:
        if isinstance(part, list):
            return [value_of(p) for p in part]
        if not isinstance(part, dict):
            return part
        ((kind, content),) = part.items()
        if kind == "dict":
            return {value_of(key): value_of(value) for key, value in content}
        if kind == "tuple":
            return tuple([value_of(p) for p in content])
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "array":
            return arrays[content]
        if kind in ("tensor", "leaf"):
            value = as_value(arrays[content])
            return value.requires_grad_() if kind == "leaf" else value
        raise source.error(f"its description of the state has a {str(kind)[:40]!r}", "a newer chainrule may read it")

    return value_of(_of_a_flat_dict(arrays) if text is None else json.loads(text))
