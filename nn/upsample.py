"""Upsample and its two old forms: images made larger or smaller."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .function_module import _FunctionModule

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(_FunctionModule, of=F.interpolate, options="size scale_factor mode align_corners recompute_scale_factor"):
    """Its input made larger or smaller, to `size` or by `scale_factor`: `F.interpolate` (torch.nn.Upsample).

    Shape: (N, C, ...) with one to three sizes. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> Upsample(scale_factor=2, mode="bilinear")(autograd.ones(1, 3, 4, 5)).shape
    (1, 3, 8, 10)
    """

    scale_factor: Any

    def __post_init__(self) -> None:
        factor = self.scale_factor
        several = isinstance(factor, (tuple, list))
        self.scale_factor = tuple(map(float, factor)) if several else factor and float(factor)

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
