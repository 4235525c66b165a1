"""Devices, of which there is one, the CPU."""

from __future__ import annotations

from typing import Any

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

    def __repr__(self) -> str:
        number = str(self).partition(":")[2]
        return f"device(type={self.type!r}{', index=' * bool(number)}{number})"


CPU = device("cpu")


def check_device(op: str, where: Any) -> None:
    """Raise UnsupportedError unless it is None or the CPU."""
    if where is not None and device(where).type != "cpu":
        raise UnsupportedError(f"{op}: the only device here is 'cpu', not {str(where)!r}")
