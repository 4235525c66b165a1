"""Pooling layers: the greatest element or the mean of each window."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .function_module import _FunctionModule
from .functional.checks import per_dim

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
]  # fmt: skip


class _Pool(_FunctionModule):
    kernel_size: Any
    stride: Any

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride


# fmt: off
class _MaxPool(
    _Pool, options="kernel_size stride padding dilation return_indices ceil_mode",
    shown="kernel_size stride padding dilation ceil_mode",
): ...
class _AvgPool(
    _Pool, options="kernel_size stride padding ceil_mode count_include_pad divisor_override", shown="kernel_size stride padding"
): ...
class _AdaptiveAvgPool(_FunctionModule, options="output_size"): ...
class _AdaptiveMaxPool(_FunctionModule, options="output_size return_indices", shown="output_size"): ...

class MaxPool1d(_MaxPool, of=F.max_pool1d): ...

class MaxPool2d(_MaxPool, of=F.max_pool2d):
    """The greatest element of each window over two dims (torch.nn.MaxPool2d).

    `stride` is `kernel_size` if left out; padding never wins. With `return_indices` also where in the flattened image it is.

    Shape: (N, C, H, W) or (C, H, W), in which a size L becomes (L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1,
    rounded down, or up if `ceil_mode`. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> MaxPool2d(2)(autograd.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

class MaxPool3d(_MaxPool, of=F.max_pool3d): ...

class AvgPool1d(_AvgPool, of=F.avg_pool1d, options="kernel_size stride padding ceil_mode count_include_pad"):
    """The mean of each window over one dim (torch.nn.AvgPool1d): see `AvgPool2d`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("kernel_size", "stride", "padding"):  # shown as PyTorch shows them
            setattr(self, name, per_dim("AvgPool1d", name, getattr(self, name), 1, 0))

class AvgPool2d(_AvgPool, of=F.avg_pool2d):
    """The mean of each window over two dims (torch.nn.AvgPool2d).

    `stride` is `kernel_size` if left out. Padding counts as zeros unless `count_include_pad` is False; `divisor_override`
    replaces the number of elements. Shape: as `MaxPool2d`. Raises ShapeError, ArgumentError or DtypeError.

    >>> import autograd
    >>> AvgPool2d(2)(autograd.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """

class AvgPool3d(_AvgPool, of=F.avg_pool3d): ...

class AdaptiveAvgPool1d(_AdaptiveAvgPool, of=F.adaptive_avg_pool1d): ...

class AdaptiveAvgPool2d(_AdaptiveAvgPool, of=F.adaptive_avg_pool2d):
    """The means of as many parts of images as `output_size` says, whatever size they have (torch.nn.AdaptiveAvgPool2d).

    Part i of m of a dim of length L goes from floor(i * L / m) to ceil((i + 1) * L / m). Shape: (N, C, H, W) or (C, H, W) gives
    (..., *output_size), where None leaves a size as it is. Raises ShapeError, ArgumentError or DtypeError.

    >>> import autograd
    >>> AdaptiveAvgPool2d(1)(autograd.ones(5, 8, 7, 9)).shape
    (5, 8, 1, 1)
    """

class AdaptiveAvgPool3d(_AdaptiveAvgPool, of=F.adaptive_avg_pool3d): ...

class AdaptiveMaxPool1d(_AdaptiveMaxPool, of=F.adaptive_max_pool1d): ...
class AdaptiveMaxPool2d(_AdaptiveMaxPool, of=F.adaptive_max_pool2d): ...
class AdaptiveMaxPool3d(_AdaptiveMaxPool, of=F.adaptive_max_pool3d): ...
