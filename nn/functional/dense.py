"""Functions that multiply by a matrix of weights."""

from __future__ import annotations

from typing import Any

from autograd.ops.fused import linear_

__all__ = ["linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias` (torch.nn.functional.linear).

    Shape: (..., in), (out, in) and (out,) give (..., out).
    """
    return linear_(input, weight, bias)
