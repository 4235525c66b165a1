"""Activations as modules: each is made from the function of the same name in nn.functional, with its docstring."""

from __future__ import annotations

from typing import Any

from autograd.api.creation import full
from autograd.errors import ArgumentError, ShapeError

from . import functional as F
from .function_module import _FunctionModule
from .init import constant_
from .module import Module, Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Shrink(_FunctionModule):
    def extra_repr(self) -> str:
        return str(self.lambd)


# fmt: off
# ---------------------------------------------------------------- with a bend at 0
class ReLU(_FunctionModule, of=F.relu): ...
class LeakyReLU(_FunctionModule, of=F.leaky_relu): ...

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

class RReLU(_FunctionModule, of=F.rrelu): ...
class ELU(_FunctionModule, of=F.elu): ...
class CELU(_FunctionModule, of=F.celu): ...
class SELU(_FunctionModule, of=F.selu): ...

# ---------------------------------------------------------------- straight pieces
class ReLU6(_FunctionModule, of=F.relu6): ...
class Hardsigmoid(_FunctionModule, of=F.hardsigmoid, shown=""): ...  # as in PyTorch, also if it works in place
class Hardswish(_FunctionModule, of=F.hardswish, shown=""): ...
class Hardshrink(_Shrink, of=F.hardshrink): ...
class Softshrink(_Shrink, of=F.softshrink): ...
class Threshold(_FunctionModule, of=F.threshold, options="threshold value inplace"): ...

class Hardtanh(_FunctionModule, of=F.hardtanh):
    def __post_init__(self) -> None:
        if not self.min_val < self.max_val:
            raise ArgumentError(f"Hardtanh: min_val must be below max_val, got {self.min_val!r} and {self.max_val!r}")

# ---------------------------------------------------------------- smooth
class Sigmoid(_FunctionModule, of=F.sigmoid):
    """1 / (1 + exp(-input)) (torch.nn.Sigmoid)."""

class Tanh(_FunctionModule, of=F.tanh):
    """The hyperbolic tangent (torch.nn.Tanh)."""

class LogSigmoid(_FunctionModule, of=F.logsigmoid): ...
class Tanhshrink(_FunctionModule, of=F.tanhshrink): ...
class Softsign(_FunctionModule, of=F.softsign): ...
class Softplus(_FunctionModule, of=F.softplus): ...
class SiLU(_FunctionModule, of=F.silu): ...
class Mish(_FunctionModule, of=F.mish): ...

class GELU(_FunctionModule, of=F.gelu):
    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ArgumentError(f"GELU: approximate is 'none' or 'tanh', got {self.approximate!r}")

# ---------------------------------------------------------------- along a dim
class Softmax(_FunctionModule, of=F.softmax, options="dim"):
    """exp(input) / sum(exp(input)) over `dim`, without overflow (torch.nn.Softmax)."""

class LogSoftmax(_FunctionModule, of=F.log_softmax, options="dim"):
    """The logarithm of softmax over `dim`, without overflow (torch.nn.LogSoftmax)."""

class Softmin(_FunctionModule, of=F.softmin, options="dim"): ...
class GLU(_FunctionModule, of=F.glu): ...

class Softmax2d(Module):
    """`Softmax` over the channels of images, (N, C, H, W) or (C, H, W) (torch.nn.Softmax2d)."""

    def forward(self, input: Any) -> Any:
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d expects (N, C, H, W) or (C, H, W), got {input.shape}")
        return F.softmax(input, -3)
