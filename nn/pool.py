"""Pooling layers: the greatest element or the mean of each window."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .checks import per_dim
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
]  # fmt: skip


class _Pool(Module):
    """What pooling layers are, in `dims` dims: a function of this name, and the options that it was made with."""

    dims: int
    function: str
    shown: tuple[str, ...]  # the options in the repr

    def _apply(self, input: Any, **options: Any) -> Any:
        return getattr(F, f"{self.function}{self.dims}d")(input, **options)

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={getattr(self, k)}" for k in self.shown)


class _MaxPool(_Pool):
    function, shown = "max_pool", ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Any) -> Any:
        return self._apply(input, return_indices=self.return_indices, **{k: getattr(self, k) for k in self.shown})


class MaxPool1d(_MaxPool):
    """The greatest element of each window over one dim: see `MaxPool2d`."""

    dims = 1


class MaxPool2d(_MaxPool):
    """The greatest element of each window over two dims (torch.nn.MaxPool2d).

    `stride` is `kernel_size` if left out; padding never wins. With `return_indices` also where in the flattened image it is.

    Shape: (N, C, H, W) or (C, H, W), in which a size L becomes (L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1,
    rounded down, or up if `ceil_mode`. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> MaxPool2d(2)(autograd.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    dims = 2


class MaxPool3d(_MaxPool):
    """The greatest element of each window over three dims: see `MaxPool2d`."""

    dims = 3


class _AvgPool(_Pool):
    function, shown = "avg_pool", ("kernel_size", "stride", "padding")

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Any) -> Any:
        options = ("ceil_mode", "count_include_pad", "divisor_override")
        return self._apply(input, **{k: getattr(self, k) for k in (*self.shown, *options)})


class AvgPool1d(_AvgPool):
    """The mean of each window over one dim (torch.nn.AvgPool1d): see `AvgPool2d`."""

    dims = 1

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        for name in self.shown:
            setattr(self, name, per_dim("AvgPool1d", name, getattr(self, name), 1, 0))


class AvgPool2d(_AvgPool):
    """The mean of each window over two dims (torch.nn.AvgPool2d).

    `stride` is `kernel_size` if left out. Padding counts as zeros unless `count_include_pad` is False; `divisor_override`
    replaces the number of elements. Shape: as `MaxPool2d`. Raises ShapeError, ArgumentError or DtypeError.

    >>> import autograd
    >>> AvgPool2d(2)(autograd.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """

    dims = 2


class AvgPool3d(_AvgPool):
    """The mean of each window over three dims: see `AvgPool2d`."""

    dims = 3


class _AdaptiveAvgPool(_Pool):
    function, shown = "adaptive_avg_pool", ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        return self._apply(input, output_size=self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of `output_size` parts of one dim: see `AdaptiveAvgPool2d`."""

    dims = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of as many parts of images as `output_size` says, whatever size they have (torch.nn.AdaptiveAvgPool2d).

    Part i of m of a dim of length L goes from floor(i * L / m) to ceil((i + 1) * L / m). Shape: (N, C, H, W) or (C, H, W) gives
    (..., *output_size), where None leaves a size as it is. Raises ShapeError, ArgumentError or DtypeError.

    >>> import autograd
    >>> AdaptiveAvgPool2d(1)(autograd.ones(5, 8, 7, 9)).shape
    (5, 8, 1, 1)
    """

    dims = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of parts over three dims: see `AdaptiveAvgPool2d`."""

    dims = 3


class _AdaptiveMaxPool(_Pool):
    function, shown = "adaptive_max_pool", ("output_size",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Any) -> Any:
        return self._apply(input, output_size=self.output_size, return_indices=self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The greatest elements of the parts that `AdaptiveAvgPool1d` averages (torch.nn.AdaptiveMaxPool1d)."""

    dims = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The greatest elements of the parts that `AdaptiveAvgPool2d` averages (torch.nn.AdaptiveMaxPool2d).

    With `return_indices` also where in the flattened image they are.
    """

    dims = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The greatest elements of the parts that `AdaptiveAvgPool3d` averages (torch.nn.AdaptiveMaxPool3d)."""

    dims = 3
