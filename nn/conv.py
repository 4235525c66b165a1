"""Convolution layers: weighted sums over sliding windows, and their transposes."""

from __future__ import annotations

from typing import Any

from autograd.api.creation import empty
from autograd.errors import ArgumentError

from . import functional as F
from .functional.checks import per_dim, whole
from .init import fan_in_uniform_
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PADDINGS = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class _Conv(Module):
    """What all convolution layers are, in `dims` dims."""

    dims: int
    weight: Any
    bias: Any
    padding: Any

    def _set_up(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int,
        bias: bool, padding_mode: str, dtype: Any, transposed: bool = False,
    ) -> None:  # fmt: skip
        name, n = type(self).__name__, self.dims
        self.in_channels = whole(name, "in_channels", in_channels)
        self.out_channels = whole(name, "out_channels", out_channels)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ArgumentError(f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        if padding_mode not in _PADDINGS:
            raise ArgumentError(f"{name}: padding_mode is {', '.join(map(repr, _PADDINGS))}, got {padding_mode!r}")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ArgumentError(f"{name}: padding is numbers, 'same' or 'valid', got {padding!r}")
        self.kernel_size = per_dim(name, "kernel_size", kernel_size, n, 1)
        self.stride = per_dim(name, "stride", stride, n, 1)
        self.dilation = per_dim(name, "dilation", dilation, n, 1)
        self.padding = padding if isinstance(padding, str) else per_dim(name, "padding", padding, n, 0)
        if padding == "same" and self.stride != (1,) * n:
            raise ArgumentError(f"{name}: padding='same' goes with stride 1 alone, got {self.stride}")
        self.groups, self.padding_mode = groups, padding_mode
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(empty(*channels, *self.kernel_size, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        fan_in_uniform_(self.weight, self.bias)

    def extra_repr(self) -> str:
        ones, zeros = (1,) * self.dims, (0,) * self.dims
        optional: dict[str, Any] = {"padding": zeros, "dilation": ones, "output_padding": zeros, "groups": 1}
        shown = [f"{k}={getattr(self, k)}" for k, plain in optional.items() if getattr(self, k, plain) != plain]
        shown += ["bias=False"] * (self.bias is None) + [f"padding_mode={self.padding_mode}"] * (self.padding_mode != "zeros")
        sizes = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return ", ".join([f"{self.in_channels}, {self.out_channels}", sizes, *shown])


class _Forward(_Conv):
    """Convolutions, from (N, in_channels, ...) to (N, out_channels, ...)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype)

    def forward(self, input: Any) -> Any:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._around(), _PADDINGS[self.padding_mode]), 0
        convolve = getattr(F, f"conv{self.dims}d")
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> list[int]:
        """How much to pad before and after each dim, the last dim first."""
        if self.padding == "valid":
            return [0] * 2 * self.dims
        if self.padding == "same":
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [side for t in reversed(total) for side in (t // 2, t - t // 2)]
        return [side for p in reversed(self.padding) for side in (p, p)]


class Conv1d(_Forward):
    """A convolution over one dim, as of sound or text: see `Conv2d`."""

    dims = 1


class Conv2d(_Forward):
    """A convolution over two dims, as of images: `output[o] = bias[o] + sum over c of correlation(weight[o, c], input[c])`.

    PyTorch: torch.nn.Conv2d.

    `weight` is (out_channels, in_channels / groups, *kernel_size), `bias` (out_channels,) or None; both begin uniform between
    -1 / sqrt(fan_in) and its opposite. `padding` is numbers, 'same' or 'valid'; `padding_mode` says with what: 'zeros',
    'reflect', 'replicate' or 'circular'. Input and output channels are divided into `groups`, each with weights of its own.

    Shape: (N, in_channels, ...) or (in_channels, ...) gives (N, out_channels, ...) or (out_channels, ...), where a size L
    becomes floor((L + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1). Raises ShapeError or DtypeError.

    >>> import autograd
    >>> layer = Conv2d(3, 8, kernel_size=3, padding=1, stride=2)
    >>> layer(autograd.ones(5, 3, 32, 32)).shape
    (5, 8, 16, 16)
    """

    dims = 2


class Conv3d(_Forward):
    """A convolution over three dims, as of video: see `Conv2d`."""

    dims = 3


class _Transposed(_Conv):
    """Transposed convolutions, from (N, in_channels, ...) to (N, out_channels, ...)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if padding_mode != "zeros":
            raise ArgumentError(f"{type(self).__name__}: padding_mode is 'zeros', there is no other here, got {padding_mode!r}")
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype, True)
        self.output_padding = per_dim(type(self).__name__, "output_padding", output_padding, self.dims, 0)

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """As the convolution transposed; `output_size` picks one of the sizes that the convolution would make this size of."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        convolve = getattr(F, f"conv_transpose{self.dims}d")
        return convolve(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _extra(self, input: Any, output_size: Any) -> tuple[int, ...]:
        """The output_padding that leads to `output_size`."""
        wanted = tuple(output_size)[-self.dims :]
        sizes = zip(input.shape[-self.dims :], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        least = [(m - 1) * s - 2 * p + d * (k - 1) + 1 for m, k, s, p, d in sizes]
        extra = tuple(w - n for w, n in zip(wanted, least, strict=True))
        if not all(0 <= e < max(s, d) for e, s, d in zip(extra, self.stride, self.dilation, strict=True)):
            raise ArgumentError(f"output_size {wanted} is not among the sizes from {tuple(least)} on that lead to this input")
        return extra


class ConvTranspose1d(_Transposed):
    """A transposed convolution over one dim: see `ConvTranspose2d`."""

    dims = 1


class ConvTranspose2d(_Transposed):
    """The transpose of a convolution, as a linear map: what its gradient does, as a layer (torch.nn.ConvTranspose2d).

    `weight` is (in_channels, out_channels / groups, *kernel_size). Each input element adds its multiple of the kernel to the
    output; `padding` is cut off on both sides of it, `output_padding` comes to one side.

    Shape: (N, in_channels, ...) or (in_channels, ...) gives (N, out_channels, ...) or (out_channels, ...), where a size L
    becomes (L - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1. Raises ShapeError or DtypeError.

    >>> import autograd
    >>> layer = ConvTranspose2d(8, 3, kernel_size=4, stride=2, padding=1)
    >>> layer(autograd.ones(5, 8, 16, 16)).shape
    (5, 3, 32, 32)
    """

    dims = 2


class ConvTranspose3d(_Transposed):
    """A transposed convolution over three dims: see `ConvTranspose2d`."""

    dims = 3
