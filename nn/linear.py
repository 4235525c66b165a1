"""Layers that multiply by weights: Linear and Bilinear."""

from __future__ import annotations

import math
from typing import Any

from autograd.api.creation import empty
from autograd.errors import DtypeError, ShapeError, describe

from . import functional as F
from .functional.checks import whole
from .functional.linear import affine
from .init import fan_in_uniform_, uniform_
from .module import Module, Parameter

__all__ = ["Bilinear", "Linear"]


class Linear(Module):
    """`input @ weight.T + bias` (torch.nn.Linear).

    `weight` is (out_features, in_features), `bias` (out_features,) or None; both begin uniform between
    -1 / sqrt(in_features) and its opposite.

    Shape: (..., in_features) gives (..., out_features). Raises ShapeError or DtypeError for another input.

    >>> import autograd
    >>> layer = Linear(3, 4)
    >>> layer(autograd.ones(2, 3)).shape
    (2, 4)
    >>> layer(autograd.ones(2, 5))
    Traceback (most recent call last):
        ...
    autograd.errors.ShapeError: Linear(3, 4) expects (..., 3), got (2, 5)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = whole("Linear", "in_features", in_features)
        self.out_features = whole("Linear", "out_features", out_features)
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        fan_in_uniform_(self.weight, self.bias)

    def forward(self, input: Any) -> Any:
        shape = getattr(input, "shape", None)
        if shape is None or shape[-1:] != (self.in_features,):
            found = describe(input) if shape is None else shape
            raise ShapeError(f"{self._short()} expects (..., {self.in_features}), got {found}")
        try:
            return affine(input, self.weight, self.bias)
        except DtypeError:
            kind = self.weight.dtype
            raise DtypeError(f"{self._short()} expects {kind}, as its weight is, got {input.dtype}; use to() on one") from None

    def _short(self) -> str:
        return f"Linear({self.in_features}, {self.out_features})"

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """`input1 @ weight[o] @ input2 + bias[o]` for each output o (torch.nn.Bilinear).

    `weight` is (out_features, in1_features, in2_features), `bias` (out_features,) or None; both begin uniform between
    -1 / sqrt(in1_features) and its opposite.

    Shape: (..., in1_features) and (..., in2_features) give (..., out_features). Raises ShapeError or DtypeError.

    >>> import autograd
    >>> Bilinear(3, 4, 5)(autograd.ones(2, 3), autograd.ones(2, 4)).shape
    (2, 5)
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in1_features = whole("Bilinear", "in1_features", in1_features)
        self.in2_features = whole("Bilinear", "in2_features", in2_features)
        self.out_features = whole("Bilinear", "out_features", out_features)
        self.weight = Parameter(empty(out_features, in1_features, in2_features, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(max(1, self.in1_features))
        for p in self.parameters():
            uniform_(p, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"
