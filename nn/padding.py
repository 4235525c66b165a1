"""Layers that put something around their input."""

from __future__ import annotations

from typing import Any

from autograd.errors import ShapeError

from . import functional as F
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """What padding layers are, over the last `dims` dims: F.pad in a certain mode; and `what` that makes of the input."""

    dims: int
    what: str
    mode: str = "constant"
    value: float | None = None

    def __init_subclass__(cls, dims: int | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if dims is not None:
            cls.dims, cls.__doc__ = dims, f"""The input {cls.what}, over the last {dims} dims (torch.nn.{cls.__name__}).

            `padding` is a number, or how much before and after the last dim, then the one before it, and so on.
            Raises ShapeError.
            """  # fmt: skip

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = (padding,) * 2 * self.dims if hasattr(padding, "__index__") else tuple(padding)
        if len(self.padding) != 2 * self.dims:
            found = f"got {padding!r}"
            raise ShapeError(
                f"{type(self).__name__}: padding is a number or {2 * self.dims} (before and after each dim), {found}"
            )

    def forward(self, input: Any) -> Any:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ConstantPad(_Pad):
    what = "with `value` around it"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    what = "with zeros around it"


class _ReflectionPad(_Pad):
    mode, what = "reflect", "mirrored at the border"


class _ReplicationPad(_Pad):
    mode, what = "replicate", "with its border repeated"


class _CircularPad(_Pad):
    mode, what = "circular", "going on from its other end"


# fmt: off
class ConstantPad1d(_ConstantPad, dims=1): ...
class ConstantPad2d(_ConstantPad, dims=2): ...
class ConstantPad3d(_ConstantPad, dims=3): ...
class ZeroPad1d(_ZeroPad, dims=1): ...
class ZeroPad2d(_ZeroPad, dims=2): ...
class ZeroPad3d(_ZeroPad, dims=3): ...
class ReflectionPad1d(_ReflectionPad, dims=1): ...
class ReflectionPad2d(_ReflectionPad, dims=2): ...
class ReflectionPad3d(_ReflectionPad, dims=3): ...
class ReplicationPad1d(_ReplicationPad, dims=1): ...
class ReplicationPad2d(_ReplicationPad, dims=2): ...
class ReplicationPad3d(_ReplicationPad, dims=3): ...
class CircularPad1d(_CircularPad, dims=1): ...
class CircularPad2d(_CircularPad, dims=2): ...
class CircularPad3d(_CircularPad, dims=3): ...
