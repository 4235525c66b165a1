"""Layers that put something around their input, and layers that change its size."""

from __future__ import annotations

from typing import Any

from autograd.errors import ShapeError

from . import functional as F
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "PixelShuffle",
    "PixelUnshuffle", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """What padding layers are, in `dims` dims: F.pad in a certain mode."""

    dims: int
    mode: str
    value: float | None = None

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


def _pads(kind: str, what: str, **attributes: Any) -> list[Any]:
    """The layer in one, two and three dims."""

    def make(n: int) -> Any:
        name = f"{kind}{n}d"
        doc = f"""{what}, over the last {n} dims (torch.nn.{name}).

        `padding` is a number, or how much before and after the last dim, then the one before it, and so on.
        Raises ShapeError.
        """
        base = _ConstantPad if kind == "ConstantPad" else _Pad
        return type(name, (base,), {"__doc__": doc, "__module__": __name__, "dims": n, **attributes})

    return [make(n) for n in (1, 2, 3)]


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


ConstantPad1d, ConstantPad2d, ConstantPad3d = _pads("ConstantPad", "Its input with `value` around it", mode="constant")
ZeroPad1d, ZeroPad2d, ZeroPad3d = _pads("ZeroPad", "Its input with zeros around it", mode="constant")
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _pads("ReflectionPad", "Its input mirrored at the border", mode="reflect")
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _pads("ReplicationPad", "Its input, the border repeated", mode="replicate")
CircularPad1d, CircularPad2d, CircularPad3d = _pads("CircularPad", "Its input, going on from the other end", mode="circular")


# ---------------------------------------------------------------- other sizes
class Upsample(Module):
    """Its input made larger or smaller, to `size` or by `scale_factor`: `F.interpolate` (torch.nn.Upsample).

    Shape: (N, C, ...) with one to three sizes. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> Upsample(scale_factor=2, mode="bilinear")(autograd.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners
        several = isinstance(scale_factor, (tuple, list))
        self.scale_factor = tuple(map(float, scale_factor)) if several else scale_factor and float(scale_factor)
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)

    def extra_repr(self) -> str:
        how = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{how}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Images made larger by repeating pixels (torch.nn.UpsamplingNearest2d)."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Images made larger by linear interpolation, corners on corners (torch.nn.UpsamplingBilinear2d)."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(Module):
    """Channels as pixels: (..., C * r * r, H, W) gives (..., C, H * r, W * r) (Shi et al. 2016; torch.nn.PixelShuffle).

    >>> import autograd
    >>> PixelShuffle(2)(autograd.ones(1, 12, 4, 4)).shape
    (1, 3, 8, 8)
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels as channels: (..., C, H * r, W * r) gives (..., C * r * r, H, W) (torch.nn.PixelUnshuffle)."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
