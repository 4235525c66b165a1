"""Devices: the CPU, and those whose arrays another library holds, which speaks NumPy's protocols, as CuPy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..engine.graph import Array
from ..errors import UnsupportedError


class device(str):
    """Where tensors are (torch.device); as a string, its name.

    >>> device("cpu")
    device(type='cpu')
    """

    __slots__ = ()

    def __new__(cls, type: str, index: int | None = None) -> device:
        return str.__new__(cls, type if index is None else f"{type}:{index}")

    @property
    def type(self) -> str:
        """The kind of device."""
        return str(self).partition(":")[0]

    @property
    def index(self) -> int | None:  # type: ignore[override]  # as PyTorch calls it; no place in a string
        """Which of this kind it is; None if that was not said."""
        number = str(self).partition(":")[2]
        return int(number) if number else None

    def __repr__(self) -> str:
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"


CPU = device("cpu")


# ---------------------------------------------------------------- whose arrays are where
class Library(NamedTuple):
    """How arrays of the host get to a kind of device, and back."""

    arrays: type  # of the arrays that are there
    bring: Callable[[Any, int], Array]  # from an ndarray, to the device of that number
    fetch: Callable[[Array], Any]  # to an ndarray
    number_of: Callable[[Array], int]  # on which of the devices an array is
    how_many: Callable[[], int]  # of them there are


def _cupy() -> Library:
    try:
        import cupy  # type: ignore[import-not-found]
    except ImportError as error:
        raise LookupError("for a GPU, pip install 'chainrule[cuda]'") from error
    if not cupy.is_available():
        raise LookupError("CuPy finds no GPU")

    def bring(array: Any, index: int) -> Array:
        with cupy.cuda.Device(index):
            return cupy.asarray(array)

    return Library(cupy.ndarray, bring, cupy.asnumpy, lambda array: int(array.device.id), cupy.cuda.runtime.getDeviceCount)


KNOWN: dict[str, Callable[[], Library]] = {"cuda": _cupy}  # what finds the library of a kind of device, or a LookupError why not
_found: dict[str, Library] = {}


def library(op: str, where: device) -> Library:
    """The library that holds the arrays of that device. Raises UnsupportedError."""
    if where.type not in _found:
        what, why = f"{op}: the only device here is 'cpu', not {str(where)!r}", ""
        try:
            _found[where.type] = KNOWN[where.type]()
        except LookupError as error:
            why = f"; {error.args[0]}" if where.type in KNOWN else ""
            raise UnsupportedError(what + why) from error
    return _found[where.type]


def is_available(kind: str) -> bool:
    """Can tensors be on that kind of device here?"""
    try:
        return bool(library("is_available", device(kind)))
    except UnsupportedError:
        return False


def device_count(kind: str) -> int:
    """How many of that kind there are."""
    return library("device_count", device(kind)).how_many() if is_available(kind) else 0


def device_of(array: Array) -> device:
    """Where an array is."""
    if type(array) is not np.ndarray:
        for kind, lib in _found.items():
            if isinstance(array, lib.arrays):
                return device(kind, lib.number_of(array))
    return CPU


def meant(op: str, where: Any, here: device) -> device:
    """The device that a user means, who is `here`. Raises UnsupportedError if it is not there."""
    wanted = here if where is None else device(str(where))
    if wanted.type == "cpu":
        return CPU
    library(op, wanted)
    if wanted.index is not None:
        return wanted
    return here if here.type == wanted.type else device(wanted.type, 0)


def put(op: str, array: Array, where: Any) -> Array:
    """`array` on that device; itself if it is there, or `where` is None. Raises UnsupportedError."""
    here = device_of(array)
    there = meant(op, where, here)
    if there == here:
        return array
    host = array if here == CPU else _found[here.type].fetch(array)
    return host if there == CPU else _found[there.type].bring(host, there.index or 0)


def beside(array: Array, like: Array) -> Array:
    """`array`, which was made on the host, where `like` is."""
    return array if type(like) is np.ndarray else put("beside", array, device_of(like))
