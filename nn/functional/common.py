"""What the families of functions share: results put in place, and checks that raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.engine.accumulate import in_single
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, UnsupportedError


def elementwise(name: str, input: Any, function: Callable[[Any], Any], inplace: bool = False, integers: bool = False) -> Any:
    """`function(input)`; if `inplace`, the input itself becomes that. Raises DtypeError but for floats (and `integers`)."""
    need_tensors(name, input=input)
    if not integers or input.dtype.kind not in "iu":
        need_float(name, input)
    if input.dtype == np.float16:
        steps, function = function, lambda x: in_single(steps, (x,))
    return input._take(name + "_", function) if inplace else function(input)


def need_float(op: str, input: Any) -> None:
    need_tensors(op, input=input)
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point input, not {input.dtype}; use float()")


def need_tensors(op: str, **tensors: Any) -> None:
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise UnsupportedError(f"{op}: {name} must be a tensor, not {type(t).__name__}; make one with autograd.tensor()")


def need_probability(op: str, p: Any) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{op}: p is a probability, from 0 to 1, got {p!r}")
