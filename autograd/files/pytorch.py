"""PyTorch's .pt files, read without executing the pickle in them, and written so that torch.load(weights_only=True) reads them.

A pickle is a program for a machine with a stack. Here a machine runs it that knows only the instructions that make dicts,
lists, tuples, numbers and strings, and that calls only the few functions in `_calls`, which make tensors of bytes in the
same file. Whatever else a pickle asks for, it is refused.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any, BinaryIO, Literal, NamedTuple
from zipfile import ZipFile

import numpy as np

from ..engine.tensor import Tensor
from ..errors import describe
from .archive import Archive, add
from .parts import DEEPEST, OBJECT, SIMPLE, TENSOR, WIDENED, Arrays, Source, as_value, typed, width

STORAGES = {
    "Half": "float16", "Float": "float32", "Double": "float64", "Char": "int8", "Short": "int16", "Int": "int32",
    "Long": "int64", "Byte": "uint8", "Bool": "bool", "BFloat16": "bfloat16",
}  # fmt: skip
UNTYPED = "uint16 uint32 uint64".split()  # these, and float8, have no storages of their own
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set,
}  # fmt: skip
LITERALS = "BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT".split()
TEXTS = "SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8".split()
PLAIN = (*SIMPLE, bytearray, Tensor, np.ndarray, np.dtype)  # the values that hold no others
UNTRUSTED = "nothing of it was executed; save a state_dict of tensors, numbers, strings, lists and dicts instead"


class Call(NamedTuple):
    """A function that a pickle may call."""

    function: Callable[..., Any]


class Kind(NamedTuple):
    """A dtype, of storages or one that NumPy lacks, by name; "" stands for bytes that may be numbers of any."""

    name: str


class Storage(NamedTuple):
    """The numbers in an entry of the archive."""

    key: str
    kind: Kind


def read(archive: Archive, folder: str) -> Any:
    """The object that was saved: of `folder` in the archive, which holds data.pkl."""
    source = archive.source
    pickle = archive.read(f"{folder}data.pkl").tobytes()
    order: Literal["<", ">"]
    order = ">" if f"{folder}byteorder" in archive.entries and archive.read(f"{folder}byteorder").tobytes() == b"big" else "<"
    known: dict[tuple[str, str], Any] = {}

    def storage(pid: Any) -> Storage:
        tag, kind, key, _, count = pid
        if tag != "storage" or type(kind) is not Kind or type(key) is not str or type(count) is not int:
            raise source.error("it refers to something that is no storage", UNTRUSTED)
        source.charge(len(key))
        if (entry := archive.entries.get(f"{folder}data/{key}")) is None:
            raise source.error(f"it has no entry for storage {key[:60]!r}")
        if entry.size != count * (width(kind.name) if kind.name else 1):
            what = f"{count} numbers of {kind.name or 'one byte'}"
            raise source.error(f"storage {key[:60]!r} is said to hold {what}, but has {entry.size} bytes")
        return Storage(key, kind)

    def numbers(key: str, kind: str) -> Any:
        if (key, kind) not in known:
            known[key, kind] = typed(source, archive.read(f"{folder}data/{key}"), kind, f"storage {key[:60]!r}", order)
        return known[key, kind]

    made: list[Any] = []
    kept: dict[int, tuple[int, int]] = {}
    try:
        result = interpret(source, pickle, _calls(source, numbers), storage, made)
        check(source, result, kept)
        return result
    except BaseException:
        kept.clear()
        raise
    finally:  # what is nested more deeply than the interpreter has the stack to free, in any thread, is taken to pieces
        for part in made:
            if id(part) not in kept:
                part.clear()


def _calls(source: Source, numbers: Callable[[str, str], Any]) -> dict[str, Any]:
    """What the globals mean that may be in a pickle."""

    def tensor(
        storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool, hooks: Any, metadata: Any = None, kind: Any = None
    ) -> Any:
        if not (
            type(storage) is Storage
            and type(size) is type(stride) is tuple
            and len(size) == len(stride) <= 64
            and all(type(n) is int and 0 <= n < 2**63 for n in (offset, *size, *stride))
            and type(requires_grad) is bool
        ):
            raise source.error("a tensor in it is not made of a storage, sizes and strides")
        if metadata is not None and metadata != {}:
            raise source.error("a tensor in it is marked as conjugate or negative", "resolve that before saving it")
        source.charge(TENSOR)
        kind = storage.kind if kind is None else Kind(kind.name)
        if storage.kind.name not in ("", kind.name) or not kind.name:
            raise source.error(f"a tensor in it is of {kind.name or 'no dtype'}, its storage of {storage.kind.name or 'none'}")
        flat = numbers(storage.key, kind.name)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if prod(size) else offset - 1
        if last >= flat.size or prod(n for n in size if n) >= 2**60:
            raise source.error(f"a tensor of shape {str(size)[:60]} in it reaches outside its storage of {flat.size} numbers")
        source.charge(max(0, prod(size) - flat.size) * flat.itemsize)  # of one that is expanded, what it will take in use
        repeats = any(s == 0 < n - 1 for n, s in zip(size, stride, strict=True))  # as an expanded tensor does
        if prod(size):
            steps = [s * flat.itemsize for s in stride]
            flat = np.lib.stride_tricks.as_strided(flat[offset:], size, steps, writeable=not repeats)
        value = as_value(flat if prod(size) else np.empty(size, flat.dtype))
        return value.requires_grad_() if requires_grad else value

    def tensor_of_dtype(
        storage: Any, offset: int, size: Any, stride: Any, requires_grad: bool, hooks: Any, dtype: Any, metadata: Any = None
    ) -> Any:
        if not isinstance(dtype, (np.dtype, Kind)):
            raise source.error("a tensor in it is of no dtype")
        return tensor(storage, offset, size, stride, requires_grad, hooks, metadata, dtype)

    def parameter(data: Any, requires_grad: bool, hooks: Any) -> Any:
        if type(data) is not Tensor or type(requires_grad) is not bool:
            raise source.error("a parameter in it is not made of a tensor")
        source.charge(TENSOR)
        return data.detach().requires_grad_(requires_grad)

    def device(kind: Any, *index: Any) -> str:
        parts = kind, *index
        if not (
            type(kind) is str
            and re.fullmatch(r"[a-z]{1,20}(:\d{1,5})?", kind[:30])
            and all(type(i) is int and 0 <= i < 2**16 for i in index)
        ):
            raise source.error("a device in it is not a name and a number")
        return ":".join(map(str, parts))

    def items(of: Any, *types: Any) -> Any:
        """A list or such, charged, as a copy is going to be made of it."""
        if type(of) not in types:
            raise source.error(f"it makes something of a {type(of).__name__} that is not made of one", UNTRUSTED)
        source.charge(OBJECT * len(of))
        return of

    def dictionary(pairs: Any = ()) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for pair in items(pairs, tuple, list):
            key, value = items(pair, tuple, list)
            source.put(made, key, value)
        return made

    def counter(counts: Any = None) -> Counter[Any]:
        made = Counter[Any]()
        for key, value in () if counts is None else items(counts, dict).items():
            source.put(made, key, value)
        return made

    def collection(parts: Any = ()) -> set[Any]:
        made = set[Any]()
        for part in items(parts, tuple, list):
            source.put(made, part)
        return made

    def encoded(text: Any, encoding: Any) -> bytes:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise source.error("bytes in it are not made of a string in latin1")
        source.charge(len(text))
        return text.encode("latin1")

    def complex_number(real: Any, imaginary: Any) -> complex:
        if not type(real) is type(imaginary) is float:
            raise source.error("a complex number in it is not made of two floats")
        return complex(real, imaginary)

    def array_of_bytes(content: Any = b"", *encoding: Any) -> bytearray:
        return bytearray(items(encoded(content, *encoding) if encoding else content, bytes))

    builtins: dict[str, Callable[..., Any]] = {
        "set": collection, "complex": complex_number, "bytearray": array_of_bytes, "bytes": lambda: b"",
    }  # fmt: skip
    return {
        "collections OrderedDict": Call(dictionary),
        "collections Counter": Call(counter),
        "torch._utils _rebuild_tensor_v2": Call(tensor),
        "torch._utils _rebuild_tensor_v3": Call(tensor_of_dtype),
        "torch._utils _rebuild_parameter": Call(parameter),
        "torch Size": Call(lambda sizes: tuple(items(sizes, tuple, list))),
        "torch device": Call(device),
        "_codecs encode": Call(encoded),
        **{f"{module} {name}": Call(builtins[name]) for module in ("builtins", "__builtin__") for name in builtins},
        "torch.storage UntypedStorage": Kind(""),
        **{f"torch {name}Storage": Kind(kind) for name, kind in STORAGES.items()},
        **{
            f"torch {kind}": Kind(kind) if kind in WIDENED else np.dtype(kind)
            for kind in (*STORAGES.values(), *UNTYPED, *WIDENED)
        },
    }


def interpret(source: Source, pickle: bytes, known: dict[str, Any], storage: Callable[[Any], Any], made: list[Any]) -> Any:
    """Run a pickle on the machine that knows little. All lists, dicts and sets that it makes are `made`, too."""
    from pickletools import genops  # which takes a pickle to pieces, and runs none of it

    stack: list[Any] = []
    outer: list[list[Any]] = []  # the stacks below the marks
    memo: dict[int, Any] = {}
    levels: dict[int, tuple[int, Any]] = {}  # how deep a tuple of tuples is, and itself, so that no other gets its id
    arg: Any

    def a_tuple(items: list[Any]) -> tuple[Any, ...]:
        found = tuple(items)
        if below := [levels[id(item)][0] if id(item) in levels else 1 for item in items if type(item) is tuple]:
            levels[id(found)] = max(below) + 1, found
            if max(below) >= DEEPEST:
                raise source.error("it is nested too deeply", UNTRUSTED)
        return found

    for instruction, arg, _ in genops(pickle):
        name = instruction.name
        source.charge(OBJECT)
        if name in LITERALS:
            stack.append(arg)
        elif name in TEXTS:
            source.charge(4 * len(arg))
            stack.append(arg)
        elif name in CONSTANTS:
            source.charge(3 * OBJECT if name == "EMPTY_SET" else 0)
            stack.append(CONSTANTS[name]())
            if name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET"):
                made.append(stack[-1])
        elif name == "MARK":
            outer.append(stack)
            stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS", "ADDITEMS"):
            items, stack = stack, outer.pop()
            if name == "TUPLE":
                stack.append(a_tuple(items))
            elif name == "SETITEMS":
                for key, value in zip(items[::2], items[1::2], strict=True):
                    put(source, stack[-1], key, value)
            elif name == "ADDITEMS":
                for item in items:
                    put(source, stack[-1], item)
            elif type(stack[-1]) is list:
                stack[-1].extend(items)
            else:
                raise source.error("it appends to what is no list", UNTRUSTED)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            items = [stack.pop() for _ in range(int(name[-1]))]
            stack.append(a_tuple(items[::-1]))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            source.charge(OBJECT)
            memo[len(memo) if name == "MEMOIZE" else arg] = stack[-1]
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
            if type(stack[-1]) in (dict, Counter, set):
                made.append(stack[-1])
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


def put(source: Source, target: Any, key: Any, *value: Any) -> None:
    """Do `target[key] = value`, or without a value `target.add(key)`."""
    if type(target) not in ((dict, Counter) if value else (set,)):
        raise source.error(f"it puts something under a {type(key).__name__} into a {type(target).__name__}", UNTRUSTED)
    source.put(target, key, *value)


def _text(value: Any) -> str:
    return value if type(value) is str else "?"


def check(source: Source, value: Any, known: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """How many values there are in `value`, and how many levels.

    Raises FileError for functions, for what holds itself, for absurdly many and for absurdly deep.
    """
    if isinstance(value, PLAIN):
        return 1, 0
    if type(value) not in (dict, Counter, set, list, tuple):
        raise source.error(f"it holds {describe(value)} among its values", UNTRUSTED)
    if id(value) not in known and depth <= DEEPEST:
        source.charge(OBJECT)
        known[id(value)] = 0, 0
        count, levels = 1, 1
        for part in value.values() if isinstance(value, dict) else value:
            more, below = check(source, part, known, depth + 1)
            count, levels = count + more, max(levels, below + 1)
        known[id(value)] = count, levels
    count, levels = known.get(id(value), (1, 1))
    if depth + levels > DEEPEST + 1:
        raise source.error("it is nested too deeply", UNTRUSTED)
    if not 0 < count * OBJECT <= source.most:
        raise source.error("it holds itself, or the same again and again", UNTRUSTED)
    return count, levels


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
        elif kind == "complex":
            yield from _called("__builtin__ complex", [float(p["float"]) if isinstance(p, dict) else p for p in content], keys)
        elif kind == "set":
            yield from _called("__builtin__ set", [content], keys)
        elif kind == "counter":
            yield from _called("collections Counter", [{"dict": content}], keys)
        elif kind == "bytes":
            yield from _called("_codecs encode", [bytes.fromhex(content).decode("latin1"), "latin1"], keys)
        elif kind == "bytearray":
            yield from _called("__builtin__ bytearray", [{"bytes": content}], keys)
        elif kind == "dtype":
            yield f"ctorch\n{content}\n".encode()
        else:
            yield from _pickled_tensor(*keys[content], kind == "leaf")


def _integer(n: int) -> bytes:
    if -(2**31) <= n < 2**31:
        return b"J" + struct.pack("<i", n)
    data = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return (b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data))) + data


def _called(function: str, args: list[Any], keys: dict[str, tuple[str, Any]]) -> Any:
    yield "c{}\n{}\n".format(*function.split()).encode()
    yield from _pickled({"tuple": args}, keys)
    yield b"R"


def _pickled_tensor(key: str, array: Any, requires_grad: bool) -> Any:
    kind = array.dtype.name
    name = {kind: f"torch\n{name}Storage" for name, kind in STORAGES.items()}.get(kind, "torch.storage\nUntypedStorage")
    strides = [prod(array.shape[i + 1 :]) for i in range(array.ndim)]
    yield f"ctorch._utils\n_rebuild_tensor_v{3 if kind in UNTYPED else 2}\n((".encode()
    yield from _pickled("storage", {})
    yield f"c{name}\n".encode()
    for part in (key, "cpu", array.nbytes if kind in UNTYPED else array.size):
        yield from _pickled(part, {})
    yield b"tQ"
    for part in (0, {"tuple": list(array.shape)}, {"tuple": strides}, requires_grad):
        yield from _pickled(part, {})
    yield b"ccollections\nOrderedDict\n)R"
    if kind in UNTYPED:
        yield from _pickled({"dtype": kind}, {})
    yield b"tR"
