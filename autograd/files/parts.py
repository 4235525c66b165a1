"""Bytes in and out of files: parts of one, read with care and on a budget, and one replaced as a whole or not at all."""

from __future__ import annotations

import mmap
import os
import platform
import shutil
import stat
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from ..api.creation import as_tensor
from ..engine.dtypes import as_dtype
from ..errors import ArgumentError, DtypeError, FileError, describe

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

Arrays = dict[str, Any]
SIMPLE = (type(None), bool, int, float, complex, str, bytes)
FREE, GROWS = 2**26, 100  # what a file may make: so many bytes, and so many times its size
DEEPEST = 200  # so deep may a state be nested: what recurses over it needs little stack, in any thread
OBJECT, TENSOR = 64, 1024  # bytes that an object takes, at least: an empty list and its place in another; and a tensor


# ---------------------------------------------------------------- dtypes
def _of_float8(raw: Any) -> Any:
    """e4m3fn: one bit for the sign, four for the exponent, three for the rest; no infinities, and one NaN."""
    bits = raw.astype(np.uint16)
    numbers = ((bits & 0x80) << 8 | (bits & 0x7F) << 7).view(np.float16).astype(np.float32) * 256
    return np.where(bits & 0x7F == 0x7F, np.copysign(np.float32(np.nan), numbers), numbers)


WIDENED: dict[str, tuple[int, Callable[[Any], Any]]] = {  # dtypes that NumPy lacks: bytes, and how they become float32
    "bfloat16": (2, lambda raw: (raw.astype(np.uint32) << 16).view(np.float32)),  # the upper half of one
    "float8_e4m3fn": (1, _of_float8),
    "float8_e5m2": (1, lambda raw: (raw.astype(np.uint16) << 8).view(np.float16).astype(np.float32)),  # of a float16
}


def width(kind: str) -> int:
    """How many bytes a number takes."""
    return WIDENED[kind][0] if kind in WIDENED else np.dtype(kind).itemsize


def typed(source: Source, raw: Any, kind: str, what: str, order: Literal["<", ">"] = "<") -> Any:
    """Bytes as a flat array, in this machine's order; a bool that is neither 0 nor 1 is refused."""
    if kind in WIDENED:
        if source.map_dtype is None:
            raise source.error(f"{what} is of {kind}, which NumPy lacks", "give map_dtype=float32, which holds it exactly")
        size, widen = WIDENED[kind]
        source.charge(raw.size // size * 8)
        with np.errstate(invalid="ignore"):  # some NaNs warn
            return widen(raw.view(f"{order}u{size}")).astype(source.map_dtype, copy=False)
    dtype = np.dtype(kind)
    if dtype == np.bool_ and raw.size and raw.max() > 1:
        raise source.error(f"{what} holds booleans that are neither 0 nor 1")
    raw = raw.view(dtype.newbyteorder(order) if dtype.byteorder == "=" else dtype)
    return np.require(raw.astype(dtype.newbyteorder("="), copy=False), requirements="A")


def as_value(array: Any) -> Any:
    """An array as a Tensor; those of dtypes that Tensors do not have stay arrays."""
    try:
        as_dtype(array.dtype)
    except DtypeError:
        return array
    return as_tensor(array)


# ---------------------------------------------------------------- reading
class Source:
    """A file whose parts are read as arrays; none is given memory before it is known to be there.

    What it describes has a budget, in bytes, which follows from what it holds: who makes something charges it before. With
    `mapped` the arrays are the file's own pages, fetched when they are looked at. Writing to them makes copies of these
    pages in memory and never reaches the file. Numbers that NumPy lacks become `map_dtype`, if that is given.
    """

    def __init__(self, file: BinaryIO, name: str, mapped: bool, map_dtype: Any = None) -> None:
        self.file, self.name, self.map_dtype = file, name, map_dtype
        self.size = file.seek(0, os.SEEK_END)
        self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped and self.size else None
        self.most = self.left = FREE + GROWS * self.size
        self.hashes = Counter[tuple[int, int]]()

    def error(self, what: str, advice: str = "it is damaged, or made to mislead; get it again from where it came") -> FileError:
        """The error to raise: what is wrong with this file, and what to do."""
        return FileError(f"{self.name} cannot be read: {what}; {advice}")

    def charge(self, count: int) -> None:
        """Say that `count` bytes are going to be made. Raises FileError if that is more than the file may make."""
        self.left -= count
        if self.left < 0:
            advice = "if you trust it, unpack it with another program and save it anew"
            raise self.error(f"it holds {self.size} bytes, but describes far more, as a bomb does", advice)

    def part(self, start: int, count: int) -> Any:
        """`count` bytes from `start` on. Raises FileError if the file ends before."""
        if not 0 <= start <= start + count <= self.size:
            raise self.error(f"it should hold {count} bytes at {start}, but ends at {self.size}")
        if self.memory is not None:
            return np.frombuffer(self.memory, np.uint8, count, start)
        self.charge(count)
        out = np.empty(count, np.uint8)
        self.file.seek(start)
        if self.file.readinto(out) != count:  # type: ignore[attr-defined]
            raise self.error(f"it became shorter than {self.size} bytes while it was read")
        return out

    def put(self, holder: Any, key: Any, *value: Any) -> None:
        """Put a key and its value into a dict, or the key into a set. Raises FileError for other keys than SIMPLE and tuples."""
        self._charge_key(key, 0)
        if not isinstance(key, (str, bytes)):  # others can be chosen to have one hash: then each is compared with all
            place = id(holder), hash(key)
            self.charge(OBJECT * (4 + self.hashes[place]))
            self.hashes[place] += 1
        if value:
            (holder[key],) = value
        else:
            holder.add(key)

    def _charge_key(self, key: Any, depth: int) -> None:
        """Charge what finding the hash of a key costs, which no tuple keeps."""
        size = len(key) if isinstance(key, (str, bytes, tuple)) else key.bit_length() // 8 if isinstance(key, int) else 0
        self.charge(OBJECT + size)
        if type(key) is tuple and depth < DEEPEST:
            for part in key:
                self._charge_key(part, depth + 1)
        elif type(key) not in SIMPLE:
            raise self.error(f"it has a {type(key).__name__} for a key, or in one", "use numbers, strings and tuples of these")


# ---------------------------------------------------------------- writing
def status(function: str, path: Any) -> os.stat_result | None:
    """What the system says about a path; None if nothing is there. Raises ArgumentError if it cannot be the name of a file."""
    try:
        return os.stat(os.fspath(path))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{function}: {describe(path)} cannot be the name of a file: {error}") from None


@contextmanager
def whole(file: Any) -> Iterator[BinaryIO]:
    """A file to write, whose content goes to `file`, which may be a pipe or anything with `write`, in one go at the end."""
    with tempfile.TemporaryFile() as content:
        yield content
        content.seek(0)
        shutil.copyfileobj(content, file)


@contextmanager
def replacing(path: str | os.PathLike[str], function: str = "save") -> Iterator[BinaryIO]:
    """A new file to write, which takes the place of the one at `path` at the end, in one step.

    Whatever happens before, and whenever it happens, the old file is there as it was. What is no regular file, such as a
    device or a pipe, is not replaced but written to. While it is unfinished nobody may read the new file who may not read
    the old one. A process that is killed leaves it behind, in the same folder, with a name that ends in .tmp; the next to
    write to `path` removes it.
    """
    there = status(function, path)
    if there and not stat.S_ISREG(there.st_mode):
        with open(path, "wb") as device, whole(device) as file:
            yield file
        return
    target = Path(os.fsdecode(os.path.realpath(path)))  # a link stays one
    _remove_unowned(target)
    file, unfinished = _unfinished(target, 0o600 if there else 0o666)
    try:
        with file:
            yield file
            file.flush()
            if there:
                if os.name == "posix":
                    with suppress(OSError):  # only some may give files away
                        os.fchown(file.fileno(), there.st_uid, there.st_gid)
                unfinished.chmod(stat.S_IMODE(there.st_mode))
            os.fsync(file.fileno())
            if fcntl:  # while it is open it is locked, so that nobody takes it for unowned
                unfinished.replace(target)
        if not fcntl:  # there, an open file cannot be renamed
            unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name is to survive a loss of power too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _prefix(target: Path) -> str:
    """How the names of unfinished files for `target` begin: with what says where, for this host knows only its own processes."""
    return f".{target.name[:40]}.{zlib.crc32(platform.node().encode('utf-8', 'replace')):08x}."


def _unfinished(target: Path, mode: int) -> tuple[BinaryIO, Path]:
    """A new file beside `target`, and its name. It is locked as long as it is open: the lock ends with the process."""
    while True:
        name = target.with_name(f"{_prefix(target)}{os.urandom(4).hex()}.tmp")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(name, flags, mode), "wb")
        if fcntl:
            with suppress(OSError):  # not every file system has locks; there, no file is taken for unowned
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(file.fileno()).st_nlink:  # another process removed it before it was locked
                file.close()
                continue
        return file, name


def _remove_unowned(target: Path) -> None:
    """Remove the unfinished files for `target` of processes that were killed: those that nobody has locked."""
    begin = _prefix(target)
    with suppress(OSError):
        for name in os.listdir(target.parent):
            if not (name.startswith(begin) and name.endswith(".tmp")):
                continue
            file = target.with_name(name)
            with suppress(OSError):
                if fcntl:
                    with file.open("rb") as unowned:
                        fcntl.flock(unowned, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        file.unlink()
                elif time.time() - file.stat().st_mtime > 60:  # one that is open cannot be removed on Windows
                    file.unlink()
