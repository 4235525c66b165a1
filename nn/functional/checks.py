"""Checks of arguments, which layers and functions share: each raises one sentence that says what was found."""

from __future__ import annotations

from typing import Any

from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError


# ---------------------------------------------------------------- tensors
def need_tensors(op: str, **tensors: Any) -> None:
    """Raise UnsupportedError for the first that is no Tensor."""
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise UnsupportedError(f"{op}: {name} must be a tensor, not {type(t).__name__}; make one with autograd.tensor()")


def need_float(op: str, input: Any, name: str = "input", arrays: bool = False) -> None:
    """Raise DtypeError for others than floats, of which alone there are means; UnsupportedError for no Tensor (nor array)."""
    if not isinstance(input, Tensor) and not (arrays and hasattr(input, "dtype")):
        need_tensors(op, **{name: input})
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point {name}, not {input.dtype}; use float()")


def need_dtype_of(op: str, like: str, model: Any, **tensors: Any) -> None:
    """Raise DtypeError for the first whose dtype is not that of `model`, an argument called `like`."""
    for name, t in tensors.items():
        if t.dtype != model.dtype:
            raise DtypeError(f"{op}: {name} is {t.dtype}, but {like} is {model.dtype}; use to() on one of them")


def need_dims(op: str, tensor: Any, *allowed: int) -> None:
    """Raise ShapeError for another number of dims."""
    if tensor.ndim not in allowed:
        raise ShapeError(f"{op} is for tensors of {' or '.join(map(str, allowed))} dims, got shape {tensor.shape}")


# ---------------------------------------------------------------- numbers
def need_probability(op: str, p: Any) -> None:
    """Raise ArgumentError for a number below 0 or above 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"{op}: p is a probability, from 0 to 1, got {p!r}")


def whole(layer: str, argument: str, value: Any) -> int:
    """`value`, if it is a whole number that can be a size. Raises ArgumentError."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
        raise ArgumentError(f"{layer}: {argument} is a whole number, 0 or more, got {value!r}")
    return int(value)


def per_dim(op: str, name: str, value: Any, n: int, least: int) -> tuple[int, ...]:
    """A whole number, or one for each of n dims, as a tuple. Raises ArgumentError.

    >>> per_dim("conv2d", "stride", 3, 2, least=1)
    (3, 3)
    """
    values = (value,) * n if hasattr(value, "__index__") else tuple(value) if isinstance(value, (tuple, list)) else ()
    values = values * n if len(values) == 1 else values
    if len(values) != n or not all(hasattr(v, "__index__") for v in values):
        raise ArgumentError(f"{op}: {name} must be a whole number or {n} of them, got {value!r}")
    if any(v < least for v in values):
        raise ArgumentError(f"{op}: {name} must be at least {least}, got {value!r}")
    return tuple(int(v) for v in values)
