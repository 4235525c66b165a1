"""Nested state, taken apart into named arrays and a description in JSON, and put together again.

In the description None, booleans, numbers and strings stand for themselves, and a list for a list. All else is an object
with one key that says what it is: {"dict": [[key, value], ...]}, {"tuple": [...]}, {"float": "nan"}, {"tensor": name}
and {"leaf": name}, which is a tensor that requires grad, {"array": name}, {"set": [...]}, {"counter": [[key, n], ...]},
{"complex": [real, imaginary]}, {"bytes": hexadecimal} and {"bytearray": hexadecimal}, {"dtype": name}.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..api.devices import CPU, put
from ..engine.tensor import Tensor
from ..errors import UnsupportedError, describe
from .parts import DEEPEST, OBJECT, SIMPLE, TENSOR, Arrays, Source, as_value

PLAIN_NAME = re.compile(r"(?!__)[\w.\-]{1,200}")  # such as other programs know; names that are made up have a space in them
SAVED = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
STEPS, NO_BRACKETS = bytes.maketrans(b"[{]}", b"\1\1\xff\xff"), bytes(set(range(256)) - set(b"[{]}"))


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

    def described(value: Any, path: tuple[Any, ...]) -> Any:
        if len(path) > DEEPEST:
            raise UnsupportedError("save: the state is nested too deeply, or holds itself; make it flatter")
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return {"leaf" if value.requires_grad and value.is_leaf else "tensor": name_of(put("save", value.array, CPU), path)}
        if type(value) in (np.ndarray, np.memmap):
            return {"array": name_of(value, path)}
        if isinstance(value, complex):
            return {"complex": [described(value.real, path), described(value.imag, path)]}
        if isinstance(value, (bytes, bytearray)):
            return {"bytearray" if isinstance(value, bytearray) else "bytes": value.hex()}
        if isinstance(value, np.dtype) and value.name in SAVED:
            return {"dtype": value.name}
        if isinstance(value, (Mapping, set)) and (odd := [k for k in value if not _is_key(k)]):
            what = "a key" if isinstance(value, Mapping) else "in it"
            raise UnsupportedError(
                f"save: {_where(path)} has {what} {describe(odd[0])}; use strings, numbers and tuples of these"
            )
        if isinstance(value, Mapping):
            kind = "counter" if isinstance(value, Counter) else "dict"
            return {kind: [[described(k, (*path, k)), described(v, (*path, k))] for k, v in value.items()]}
        if isinstance(value, set):  # which has another order each time
            return {"set": sorted((described(v, (*path, v)) for v in value), key=json.dumps)}
        if isinstance(value, (tuple, list)):
            parts = [described(v, (*path, i)) for i, v in enumerate(value)]
            return {"tuple": parts} if isinstance(value, tuple) else parts
        kind = type(value).__name__
        advice = "save its state_dict()" if hasattr(value, "state_dict") else _KEEP
        raise UnsupportedError(f"save: {_where(path)} is a {kind}, which would have to be executed to be loaded; {advice}")

    return described(state, ()), arrays


_KEEP = "save tensors, arrays of numbers, numbers, strings, bytes, None, and lists, tuples, sets and dicts of these"


def _is_key(key: Any, depth: int = 0) -> bool:
    if isinstance(key, tuple) and depth < DEEPEST:
        return all([_is_key(part, depth + 1) for part in key])
    return isinstance(key, SIMPLE)


def _where(path: tuple[Any, ...]) -> str:
    return f"the state at {''.join(f'[{describe(part)}]' for part in path[:10])}" if path else "the state"


def as_text(description: Any, arrays: Arrays) -> str | None:
    """The description in JSON; None if it says no more than the names of the arrays do."""
    if description == _of_a_flat_dict(arrays):
        return None
    return json.dumps(description, separators=(",", ":"), allow_nan=False)


def _of_a_flat_dict(arrays: Arrays) -> Any:
    return {"dict": [[name, {"tensor": name}] for name in arrays]}


def put_together(source: Source, text: bytes | None, arrays: Arrays) -> Any:
    """The state that `text` describes; without one, the arrays by name. Raises FileError if it leaves one out."""
    left = set(arrays)

    def value_of(part: Any) -> Any:
        if isinstance(part, list):
            return [value_of(p) for p in part]
        if not isinstance(part, dict):
            return part
        ((kind, content),) = part.items()
        if kind in ("dict", "counter"):
            made: Any = {} if kind == "dict" else Counter()
            for key, value in content:
                source.put(made, value_of(key), value_of(value))
            return made
        if kind == "set":
            made = set()
            for item in content:
                source.put(made, value_of(item))
            return made
        if kind == "tuple":
            return tuple([value_of(p) for p in content])
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "complex":
            real, imaginary = map(value_of, content)
            return complex(real, imaginary)
        if kind in ("bytes", "bytearray"):
            return (bytes if kind == "bytes" else bytearray).fromhex(content)
        if kind == "dtype" and content in SAVED:
            return np.dtype(content)
        if kind in ("array", "tensor", "leaf"):
            source.charge(TENSOR)
            left.discard(content)
            if kind == "array":
                return arrays[content]
            value = as_value(arrays[content])
            return value.requires_grad_() if kind == "leaf" else value
        raise source.error(f"its description of the state has a {str(kind)[:40]!r}", "a newer chainrule may read it")

    if text is None:
        description = _of_a_flat_dict(arrays)
    else:  # what it makes is charged before, by the characters with which everything in it begins
        source.charge(OBJECT * sum(text.count(sign) * cost for sign, cost in ((b"{", 6), (b"[", 2), (b",", 1), (b'"', 1))))
        description = parsed(source, text)
    value = value_of(description)
    if left:
        raise source.error(f"its description of the state leaves out {min(left)[:60]!r}")
    return value


def parsed(source: Source, text: bytes, **options: Any) -> Any:
    """What a text in JSON says. Raises FileError, before anything is made, if it is nested more deeply than a state can be."""
    bare = b"".join(text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])  # without its strings
    depths = np.cumsum(np.frombuffer(bare.translate(STEPS, NO_BRACKETS), np.int8), dtype=np.int64)
    if depths.max(initial=0) > 3 * DEEPEST + 3:  # a dict in a dict opens three brackets
        raise source.error("its description is nested too deeply")
    return json.loads(text, **options)
