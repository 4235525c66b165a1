"""Pooling layers: the greatest element, the mean or the norm of each window; and the way back."""

from __future__ import annotations

from typing import Any

from autograd.errors import ArgumentError

from . import functional as F
from .function_module import _FunctionModule
from .functional.checks import per_dim

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d",
    "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _Pool(_FunctionModule):
    kernel_size: Any
    stride: Any

    def __post_init__(self) -> None:
        self.stride = self.kernel_size if self.stride is None else self.stride

    def _spread(self, n: int) -> None:
        """Each of the sizes as a tuple, as PyTorch shows them."""
        for name in ("kernel_size", "stride", "padding"):
            setattr(self, name, per_dim(type(self).__name__, name, getattr(self, name), n, 0))


# fmt: off
class _MaxPool(
    _Pool, options="kernel_size stride padding dilation return_indices ceil_mode",
    shown="kernel_size stride padding dilation ceil_mode",
): ...
class _AvgPool(
    _Pool, options="kernel_size stride padding ceil_mode count_include_pad divisor_override", shown="kernel_size stride padding"
): ...
class _LPPool(_FunctionModule, options="norm_type kernel_size stride ceil_mode"): ...
class _FractionalMaxPool(
    _FunctionModule, options="kernel_size output_size output_ratio return_indices _random_samples", shown=""
):
    def __post_init__(self) -> None:
        if (self.output_size is None) == (self.output_ratio is None):
            both = f"got {self.output_size!r} and {self.output_ratio!r}"
            raise ArgumentError(f"{type(self).__name__}: give one of output_size and output_ratio, {both}")

class _MaxUnpool(_Pool, options="kernel_size stride padding"):
    dims: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self._spread(self.dims)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        return super().forward(input, indices, output_size=output_size)

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
        self._spread(1)

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

# ---------------------------------------------------------------- norms
class LPPool1d(_LPPool, of=F.lp_pool1d): ...

class LPPool2d(_LPPool, of=F.lp_pool2d):
    """The `norm_type`-norm of each window, without absolute values: sum(input ** p) ** (1 / p) (torch.nn.LPPool2d).

    `stride` is `kernel_size` if left out. The gradient at 0 is 0. Shape: as `MaxPool2d` without padding. Raises ShapeError,
    ArgumentError or DtypeError.

    >>> import autograd
    >>> LPPool2d(2, (1, 2))(autograd.tensor([[[3.0, 4.0, 6.0, 8.0]]]))
    tensor([[[ 5., 10.]]])
    """

class LPPool3d(_LPPool, of=F.lp_pool3d): ...

# ---------------------------------------------------------------- the way back
class MaxUnpool1d(_MaxUnpool, of=F.max_unpool1d):
    dims = 1

class MaxUnpool2d(_MaxUnpool, of=F.max_unpool2d):
    """What `MaxPool2d` left, put back to the places that its indices say; zeros elsewhere (torch.nn.MaxUnpool2d).

    It is called with what a pool of `return_indices=True` returns, and `output_size` if several sizes make this one. Shape: a
    size L becomes (L - 1) * stride - 2 * padding + kernel_size. Raises ShapeError, ArgumentError, DimError or DtypeError.

    >>> import autograd, nn
    >>> out, indices = nn.MaxPool2d(2, return_indices=True)(autograd.tensor([[[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]]]))
    >>> MaxUnpool2d(2)(out, indices)
    tensor([[[0., 0., 0., 4.],
             [4., 0., 0., 0.]]])
    """

    dims = 2

class MaxUnpool3d(_MaxUnpool, of=F.max_unpool3d):
    dims = 3

# ---------------------------------------------------------------- of random windows
class FractionalMaxPool2d(_FractionalMaxPool, of=F.fractional_max_pool2d):
    """`MaxPool2d` by steps that are drawn, of two neighbouring lengths (Graham 2014; torch.nn.FractionalMaxPool2d).

    Give `output_size`, or `output_ratio`, what share of the input's size. Shape: (N, C, H, W) or (C, H, W) gives
    (..., *output_size). With `return_indices` also where in the flattened image. Raises ShapeError or ArgumentError.

    >>> import autograd
    >>> FractionalMaxPool2d(2, output_ratio=0.7)(autograd.ones(1, 3, 10, 20)).shape
    (1, 3, 7, 14)
    """

class FractionalMaxPool3d(_FractionalMaxPool, of=F.fractional_max_pool3d): ...
