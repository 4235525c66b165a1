"""Bytes in and out of files: parts of one, read with care, and one replaced as a whole or not at all."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..creation import as_tensor
from ..dtypes import as_dtype
from ..errors import DtypeError, FileError

Arrays = dict[str, Any]


class Source:
    """A file whose parts are read as arrays; none is given memory before it is known to be there.

    With `mapped` the arrays are the file's own pages, fetched when they are looked at. Writing to them makes copies of
    these pages in memory and never reaches the file.
    """

    def __init__(self, file: BinaryIO, name: str, mapped: bool) -> None:
        self.file, self.name = file, name
        self.size = file.seek(0, os.SEEK_END)
        self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped and self.size else None

    def error(self, what: str, advice: str = "it is damaged, or made to mislead; get it again from where it came") -> FileError:
        """The error to raise: what is wrong with this file, and what to do."""
        return FileError(f"{self.name} cannot be read: {what}; {advice}")

    def part(self, start: int, count: int) -> Any:
        """`count` bytes from `start` on. Raises FileError if the file ends before."""
        if not 0 <= start <= start + count <= self.size:
            raise self.error(f"it should hold {count} bytes at {start}, but ends at {self.size}")
        if self.memory is not None:
            return np.frombuffer(self.memory, np.uint8, count, start)
        out = np.empty(count, np.uint8)
        self.file.seek(start)
        if self.file.readinto(out) != count:  # type: ignore[attr-defined]
            raise self.error(f"it became shorter than {self.size} bytes while it was read")
        return out


def typed(source: Source, raw: Any, dtype: Any, what: str) -> Any:
    """Bytes as a flat array of `dtype`, in this machine's order; a bool that is neither 0 nor 1 is refused."""
    dtype = np.dtype(dtype)
    if dtype == np.bool_ and raw.size and raw.max() > 1:
        raise source.error(f"{what} holds booleans that are neither 0 nor 1")
    return np.require(raw.view(dtype).astype(dtype.newbyteorder("="), copy=False), requirements="A")


def widened(raw: Any, order: str = "<") -> Any:
    """bfloat16 numbers, which are the upper halves of float32 ones, as float32."""
    return (raw.view(order + "u2").astype(np.uint32) << 16).view(np.float32)


def as_value(array: Any) -> Any:
    """An array as a Tensor; those of dtypes that Tensors do not have stay arrays."""
    try:
        as_dtype(array.dtype)
    except DtypeError:
        return array
    return as_tensor(array)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new file to write, which takes the place of the one at `path` at the end, in one step.

    Whatever happens before, and whenever it happens, the old file is there as it was. A process that is killed may leave
    its unfinished file behind, in the same folder, with a name that ends in .tmp.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    unfinished = target.with_name(f".{target.name[:100]}.{os.urandom(4).hex()}.tmp")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            unfinished.chmod(target.stat().st_mode & 0o7777)
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
