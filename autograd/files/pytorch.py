"""PyTorch's .pt files, read without executing the pickle in them, and written so that torch.load(weights_only=True) reads them.

A pickle is a program for a machine with a stack. Here a machine runs it that knows only the instructions that make dicts,
lists, tuples, numbers and strings, and that calls only the few functions in `_calls`, which make tensors of bytes in the
same file. Whatever else a pickle asks for, it is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

import numpy as np

from ..dtypes import as_dtype
from ..errors import UnsupportedError
from ..tensor import Tensor, wrap
from .archive import Archive, add
from .parts import Arrays, Source, typed, widened

STORAGES = {
    "Half": "float16", "Float": "float32", "Double": "float64", "Char": "int8", "Short": "int16", "Int": "int32",
    "Long": "int64", "Byte": "uint8", "Bool": "bool", "BFloat16": "bfloat16",
}  # fmt: skip
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict,
}  # fmt: skip
LITERALS = "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT SHORT_BINUNICODE BINUNICODE BINUNICODE8".split()
SIMPLE = (type(None), bool, int, float, str)
UNTRUSTED = "nothing of it was executed; save a state_dict of tensors, numbers, strings, lists and dicts instead"


class Call(NamedTuple):
    """A function that a pickle may call."""

    function: Callable[..., Any]


class Kind(NamedTuple):
    """A dtype of storages, by name, as bfloat16 is none of NumPy's."""

    name: str


def read(archive: Archive, folder: str) -> Any:
    """The object that was saved: of `folder` in the archive, which holds data.pkl."""
    source = archive.source
    pickle = archive.read(f"{folder}data.pkl").tobytes()
    order = ">" if f"{folder}byteorder" in archive.entries and archive.read(f"{folder}byteorder").tobytes() == b"big" else "<"
    storages: dict[Any, Any] = {}

    def storage(pid: Any) -> Any:
        tag, kind, key, _, count = pid
        if tag != "storage" or type(kind) is not Kind or type(key) is not str or type(count) is not int:
            raise source.error("it refers to something that is no storage", UNTRUSTED)
        if (key, kind) not in storages:
            raw, what = archive.read(f"{folder}data/{key}"), f"storage {key[:60]!r}"
            if raw.size != count * (2 if kind.name == "bfloat16" else np.dtype(kind.name).itemsize):
                raise source.error(f"{what} is said to hold {count} numbers of {kind.name}, but has {raw.size} bytes")
            if kind.name == "bfloat16":
                storages[key, kind] = widened(raw, order)
            else:
                storages[key, kind] = typed(source, raw, order + np.dtype(kind.name).str[1:], what)
        return storages[key, kind]

    result = interpret(source, pickle, _calls(source), storage)
    check(source, result, {}, 100 * len(pickle))
    return result


def _calls(source: Source) -> dict[str, Any]:
    """What the globals mean that may be in a pickle."""

    def tensor(flat: Any, offset: int, size: Any, stride: Any, requires_grad: bool, hooks: Any, metadata: Any = None) -> Any:
        numbers = (offset, *size, *stride)
        if (
            type(flat) is not np.ndarray
            or len(size) != len(stride)
            or not all(type(n) is int and 0 <= n < 2**63 for n in numbers)
        ):
            raise source.error("a tensor in it is not made of a storage, sizes and strides")
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if prod(size) else offset - 1
        if last >= flat.size or prod(n for n in size if n) >= 2**60:
            raise source.error(f"a tensor of shape {str(size)[:60]} in it reaches outside its storage of {flat.size} numbers")
        if not prod(size):
            return wrap(np.empty(size, as_dtype(flat.dtype))).requires_grad_(bool(requires_grad))
        repeats = any(s == 0 < n - 1 for n, s in zip(size, stride, strict=True))  # as an expanded tensor does
        steps = [s * flat.itemsize for s in stride]
        view = np.lib.stride_tricks.as_strided(flat[offset:], size, steps, writeable=not repeats)
        return wrap(view.view(as_dtype(flat.dtype))).requires_grad_(bool(requires_grad))

    def parameter(data: Any, requires_grad: bool, hooks: Any) -> Any:
        return data.detach().requires_grad_(bool(requires_grad))

    def device(*parts: Any) -> str:
        if not all(type(part) in (str, int) for part in parts):
            raise source.error("a device in it is not a string and a number")
        return ":".join(map(str, parts))

    def dictionary(pairs: Any = ()) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in pairs:
            put(source, made, key, value)
        return made

    return {
        "collections OrderedDict": Call(dictionary),
        "torch._utils _rebuild_tensor_v2": Call(tensor),
        "torch._utils _rebuild_parameter": Call(parameter),
        "torch Size": Call(lambda sizes: tuple(sizes)),
        "torch device": Call(device),
        **{f"torch {name}Storage": Kind(kind) for name, kind in STORAGES.items()},
        **{f"torch {kind}": np.dtype(kind) for kind in STORAGES.values() if kind != "bfloat16"},
    }


def put(source: Source, target: Any, key: Any, value: Any) -> None:
    """Do `target[key] = value`, if the one is a dict and the other a number or a string."""
    if type(target) is not dict or type(key) not in SIMPLE:
        raise source.error(f"it puts something under a {type(key).__name__} into a {type(target).__name__}", UNTRUSTED)
    target[key] = value


def interpret(source: Source, pickle: bytes, known: dict[str, Any], storage: Callable[[Any], Any]) -> Any:
    """Run a pickle on the machine that knows little."""
    from pickletools import genops  # which takes a pickle to pieces, and runs none of it

    stack: list[Any] = []
    outer: list[list[Any]] = []  # the stacks below the marks
    memo: dict[int, Any] = {}
    arg: Any
    for instruction, arg, _ in genops(pickle):
        name = instruction.name
        if name in LITERALS:
            stack.append(arg)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name]())
        elif name == "MARK":
            outer.append(stack)
            stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            items, stack = stack, outer.pop()
            if name == "TUPLE":
                stack.append(tuple(items))
            elif name == "SETITEMS":
                for key, value in zip(items[::2], items[1::2], strict=True):
                    put(source, stack[-1], key, value)
            elif type(stack[-1]) is list:
                stack[-1].extend(items)
            else:
                raise source.error("it appends to what is no list", UNTRUSTED)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            items = [stack.pop() for _ in range(int(name[-1]))]
            stack.append(tuple(items[::-1]))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[arg] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[arg])
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            wanted = arg if name == "GLOBAL" else "{1} {0}".format(*map(_text, (stack.pop(), stack.pop())))
            if wanted not in known:
                raise source.error(f"its pickle asks for {str(wanted)[:80]!r}, which is no part of a state_dict", UNTRUSTED)
            stack.append(known[wanted])
        elif name == "BINPERSID":
            stack.append(storage(stack.pop()))
        elif name == "REDUCE":
            args, call = stack.pop(), stack.pop()
            if type(call) is not Call or type(args) is not tuple:
                raise source.error("its pickle calls what is no function of a state_dict", UNTRUSTED)
            stack.append(call.function(*args))
        elif name == "APPEND":
            value = stack.pop()
            if type(stack[-1]) is not list:
                raise source.error("it appends to what is no list", UNTRUSTED)
            stack[-1].append(value)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            put(source, stack[-1], key, value)
        elif name == "BUILD":  # the _metadata of a state_dict, which says the versions of modules
            stack.pop()
            if type(stack[-1]) is not dict:
                raise source.error("its pickle sets attributes of what is no dict", UNTRUSTED)
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise source.error(f"its pickle has the instruction {name}, which no state_dict needs", UNTRUSTED)
    (result,) = stack
    return result


def _text(value: Any) -> str:
    return value if type(value) is str else "?"


def check(source: Source, value: Any, sizes: dict[int, int], most: int) -> int:
    """How many values there are in `value`. Raises FileError for functions, for what holds itself, and for absurdly many."""
    if type(value) in SIMPLE or isinstance(value, (Tensor, np.dtype)):
        return 1
    if type(value) not in (dict, list, tuple):
        raise source.error(f"it holds a {type(value).__name__} among its values", UNTRUSTED)
    if id(value) not in sizes:
        sizes[id(value)] = 0
        parts = value.values() if type(value) is dict else value
        sizes[id(value)] = 1 + sum(check(source, part, sizes, most) for part in parts)
    if not 0 < sizes[id(value)] <= most:
        raise source.error("it holds itself, or the same again and again", UNTRUSTED)
    return sizes[id(value)]


# ---------------------------------------------------------------- writing
def write(file: BinaryIO, description: Any, arrays: Arrays) -> None:
    """Write a state that was taken apart; arrays become tensors."""
    keys = {name: (str(i), array) for i, (name, array) in enumerate(arrays.items())}
    pickle = b"\x80\2" + b"".join(_pickled(description, keys)) + b"."
    with ZipFile(file, "w") as zip:
        add(zip, file, "archive/data.pkl", pickle)
        add(zip, file, "archive/byteorder", b"little")
        for key, array in keys.values():
            content = np.ascontiguousarray(array.reshape(-1), array.dtype.newbyteorder("<"))
            add(zip, file, f"archive/data/{key}", content.view(np.uint8))
        add(zip, file, "archive/version", b"3\n")


def _pickled(part: Any, keys: dict[str, tuple[str, Any]]) -> Any:
    """The pickle of a described value, as pieces."""
    if part is None or isinstance(part, bool):
        yield {None: b"N", True: b"\x88", False: b"\x89"}[part]
    elif isinstance(part, int):
        yield _integer(part)
    elif isinstance(part, float):
        yield b"G" + struct.pack(">d", part)
    elif isinstance(part, str):
        text = part.encode("utf-8", "surrogatepass")
        yield b"X" + struct.pack("<I", len(text)) + text
    elif isinstance(part, list):
        yield b"]("
        for p in part:
            yield from _pickled(p, keys)
        yield b"e"
    else:
        ((kind, content),) = part.items()
        if kind == "dict":
            yield b"}("
            for pair in content:
                for p in pair:
                    yield from _pickled(p, keys)
            yield b"u"
        elif kind == "tuple":
            yield b"("
            for p in content:
                yield from _pickled(p, keys)
            yield b"t"
        elif kind == "float":
            yield from _pickled(float(content), keys)
        else:
            yield from _pickled_tensor(*keys[content], kind == "leaf")


def _integer(n: int) -> bytes:
    if -(2**31) <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return (b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data))) + data


def _pickled_tensor(key: str, array: Any, requires_grad: bool) -> Any:
    names = {np.dtype(kind): name for name, kind in STORAGES.items() if kind != "bfloat16"}
    kind = array.dtype.newbyteorder("=")
    if kind not in names:
        raise UnsupportedError(f"save: PyTorch's files have no {kind}; convert it, or save as .npz or .safetensors")
    strides = [prod(array.shape[i + 1 :]) for i in range(array.ndim)]
    yield b"ctorch._utils\n_rebuild_tensor_v2\n(("
    yield from _pickled("storage", {})
    yield f"ctorch\n{names[kind]}Storage\n".encode()
    for part in (key, "cpu", array.size):
        yield from _pickled(part, {})
    yield b"tQ"
    for part in (0, {"tuple": list(array.shape)}, {"tuple": strides}, requires_grad):
        yield from _pickled(part, {})
    yield b"ccollections\nOrderedDict\n)RtR"
