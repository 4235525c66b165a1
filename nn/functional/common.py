"""What the families of functions share: results put in place, and checks that raise."""

from __future__ import annotations

from typing import Any

from autograd.errors import UnsupportedError
from autograd.tensor import Tensor


def result(input: Any, out: Any, inplace: bool) -> Any:
    """`out`; put into `input` if it is to be done in place."""
    return input.copy_(out) if inplace else out


def need_tensors(op: str, **tensors: Any) -> None:
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise UnsupportedError(f"{op}: {name} must be a tensor, not {type(t).__name__}; make one with autograd.tensor()")
