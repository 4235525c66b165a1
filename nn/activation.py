"""Activations as modules; each calls the function of the same name in nn.functional, which documents it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd.api.creation import full
from autograd.errors import ArgumentError, ShapeError

from . import functional as F
from .init import constant_
from .module import Module, Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Activation(Module):
    """Calls `function` with its options, which are attributes, and prints them."""

    function: Callable[..., Any]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def forward(self, input: Any) -> Any:
        return type(self).function(input, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        options = {name: getattr(self, name) for name in self._options}
        return ", ".join(f"{name}={value!r}" for name, value in options.items() if name != "inplace" or value)


class _InPlace(_Activation):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)


# ---------------------------------------------------------------- with a bend at 0
class ReLU(_InPlace):
    """max(input, 0) (torch.nn.ReLU)."""

    function = staticmethod(F.relu)


class LeakyReLU(_Activation):
    """`input` where it is positive, `negative_slope * input` elsewhere (torch.nn.LeakyReLU)."""

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class PReLU(Module):
    """`LeakyReLU` whose slopes, the parameter `weight`, are learned: one, or one for each channel (torch.nn.PReLU)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), init, dtype=dtype))

    def reset_parameters(self) -> None:
        """Let all slopes be `init` again."""
        constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(_Activation):
    """`LeakyReLU` whose slopes are drawn between `lower` and `upper` in training; later their mean (torch.nn.RReLU)."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__(lower=lower, upper=upper, inplace=inplace)

    def forward(self, input: Any) -> Any:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class ELU(_Activation):
    """`input` where it is positive, `alpha * (exp(input) - 1)` elsewhere (torch.nn.ELU)."""

    function = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)


class CELU(_Activation):
    """`ELU` without a corner: `alpha * (exp(input / alpha) - 1)` for negatives (torch.nn.CELU)."""

    function = staticmethod(F.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)


class SELU(_InPlace):
    """`ELU` scaled so that layers of it keep mean 0 and variance 1 (torch.nn.SELU)."""

    function = staticmethod(F.selu)


# ---------------------------------------------------------------- straight pieces
class Hardtanh(_Activation):
    """`input` limited to [min_val, max_val] (torch.nn.Hardtanh)."""

    function = staticmethod(F.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if not min_val < max_val:
            raise ArgumentError(f"Hardtanh: min_val must be below max_val, got {min_val!r} and {max_val!r}")
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class ReLU6(_InPlace):
    """min(max(input, 0), 6) (torch.nn.ReLU6)."""

    function = staticmethod(F.relu6)


class _Quiet(_InPlace):
    def extra_repr(self) -> str:
        return ""  # as in PyTorch, also if it works in place


class Hardsigmoid(_Quiet):
    """relu6(input + 3) / 6 (torch.nn.Hardsigmoid)."""

    function = staticmethod(F.hardsigmoid)


class Hardswish(_Quiet):
    """input * relu6(input + 3) / 6 (torch.nn.Hardswish)."""

    function = staticmethod(F.hardswish)


class _Shrink(_Activation):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """`input` where it is above `lambd` or below -`lambd`, else 0 (torch.nn.Hardshrink)."""

    function = staticmethod(F.hardshrink)


class Softshrink(_Shrink):
    """`input` moved towards 0 by `lambd`, as far as 0 (torch.nn.Softshrink)."""

    function = staticmethod(F.softshrink)


class Threshold(_Activation):
    """`input` where it is above `threshold`, else `value` (torch.nn.Threshold)."""

    function = staticmethod(F.threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(threshold=threshold, value=value, inplace=inplace)


# ---------------------------------------------------------------- smooth
class Sigmoid(_Activation):
    """1 / (1 + exp(-input)) (torch.nn.Sigmoid)."""

    function = staticmethod(F.sigmoid)


class LogSigmoid(_Activation):
    """log(sigmoid(input)) (torch.nn.LogSigmoid)."""

    function = staticmethod(F.logsigmoid)


class Tanh(_Activation):
    """The hyperbolic tangent (torch.nn.Tanh)."""

    function = staticmethod(F.tanh)


class Tanhshrink(_Activation):
    """input - tanh(input) (torch.nn.Tanhshrink)."""

    function = staticmethod(F.tanhshrink)


class Softsign(_Activation):
    """input / (1 + |input|) (torch.nn.Softsign)."""

    function = staticmethod(F.softsign)


class Softplus(_Activation):
    """log(1 + exp(beta * input)) / beta, and `input` itself where beta * input > threshold (torch.nn.Softplus)."""

    function = staticmethod(F.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class SiLU(_InPlace):
    """`input * sigmoid(input)`, also called swish (torch.nn.SiLU)."""

    function = staticmethod(F.silu)


class Mish(_InPlace):
    """`input * tanh(softplus(input))` (torch.nn.Mish)."""

    function = staticmethod(F.mish)


class GELU(_Activation):
    """`input` times the normal distribution function of it, or its 'tanh' approximation (torch.nn.GELU)."""

    function = staticmethod(F.gelu)

    def __init__(self, approximate: str = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ArgumentError(f"GELU: approximate is 'none' or 'tanh', got {approximate!r}")
        super().__init__(approximate=approximate)


class GLU(_Activation):
    """The first half along `dim` times sigmoid of the second (torch.nn.GLU)."""

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


# ---------------------------------------------------------------- over a dim
class _OverADim(_Activation):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class Softmax(_OverADim):
    """exp(input) / sum(exp(input)) over `dim` (torch.nn.Softmax)."""

    function = staticmethod(F.softmax)


class Softmin(_OverADim):
    """`Softmax` of -input (torch.nn.Softmin)."""

    function = staticmethod(F.softmin)


class LogSoftmax(_OverADim):
    """The logarithm of softmax over `dim` (torch.nn.LogSoftmax)."""

    function = staticmethod(F.log_softmax)


class Softmax2d(Module):
    """`Softmax` over the channels of images, (N, C, H, W) or (C, H, W) (torch.nn.Softmax2d)."""

    def forward(self, input: Any) -> Any:
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d expects (N, C, H, W) or (C, H, W), got {input.shape}")
        return F.softmax(input, -3)
