"""What the families of the table share: elements in memory in their order."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np


def is_contiguous(input: Any) -> bool:
    """Do the elements lie in memory one after the other, in order (torch.Tensor.is_contiguous)?"""
    return bool(getattr(getattr(getattr(input, "array", input), "flags", None), "c_contiguous", True))


def contiguous(input: Any) -> Any:
    """This Tensor if its elements lie in memory in order, else a copy of it in which they do (torch.Tensor.contiguous)."""
    return input if is_contiguous(input) else np.copy(input, "C")


def in_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays, its result with the elements in order in memory, as PyTorch lays out what it does not compute elementwise."""

    @wraps(function)
    def ordered(*args: Any) -> Any:
        return contiguous(function(*args))

    return ordered
