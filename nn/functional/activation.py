"""Activations: elementwise functions between layers, and those that make scores into shares."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ArgumentError
from autograd.ops import elementwise
from autograd.ops.elementwise import erf, sigmoid, tanh, where
from autograd.ops.fused import log_softmax, softmax, softplus_

from .common import result

__all__ = ["elu", "gelu", "leaky_relu", "log_softmax", "logsigmoid", "relu", "sigmoid", "silu", "softmax", "softplus", "tanh"]


def relu(input: Any, inplace: bool = False) -> Any:
    """max(input, 0), with derivative 0 at 0 (torch.nn.functional.relu)."""
    return input.relu_() if inplace else elementwise.relu(input)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where it is positive, `negative_slope * input` elsewhere (torch.nn.functional.leaky_relu)."""
    return result(input, where(input > 0, input, input * negative_slope), inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where it is positive, `alpha * (exp(input) - 1)` elsewhere (Clevert et al. 2015; torch.nn.functional.elu)."""
    low = input <= 0
    below = elementwise.expm1(where(low, input, 0.0)) * alpha  # the exponential of a large input would overflow
    return result(input, where(low, below, input), inplace)


def silu(input: Any, inplace: bool = False) -> Any:
    """`input * sigmoid(input)`, also called swish (torch.nn.functional.silu)."""
    return result(input, input * sigmoid(input), inplace)


def gelu(input: Any, approximate: str = "none") -> Any:
    """`input` times the normal distribution function of it, or its 'tanh' approximation (torch.nn.functional.gelu).

    Hendrycks and Gimpel 2016.
    """
    if approximate == "none":
        return input * (erf(input * 0.5**0.5) + 1) * 0.5
    if approximate != "tanh":
        raise ArgumentError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return input * (tanh((input + input * input * input * 0.044715) * (2 / np.pi) ** 0.5) + 1) * 0.5


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta * input)) / beta, and `input` itself where beta * input > threshold (torch.nn.functional.softplus)."""
    scaled = input * beta
    return where(scaled > threshold, input, softplus_(scaled) / beta)


def logsigmoid(input: Any) -> Any:
    """log(sigmoid(input)), without underflow (torch.nn.functional.logsigmoid)."""
    return -softplus_(-input)
