"""Functions that put zeros in at random."""

from __future__ import annotations

from typing import Any

from autograd.errors import ArgumentError
from autograd.random import Generator, bernoulli_, default_generator

from .common import result

__all__ = ["dropout"]


def dropout(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Any:
    """Zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p), so that the mean stays.

    Without `training`, the input itself. Srivastava et al. 2014; PyTorch: torch.nn.functional.dropout.
    """
    _check_probability(p)
    if not training or p == 0:
        return input
    kept = bernoulli_(generator or default_generator, 1 - p, input.shape, input.dtype)
    return result(input, input * (kept * (0 if p == 1 else 1 / (1 - p))), inplace)


def _check_probability(p: Any) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is a probability, from 0 to 1, got {p!r}")
