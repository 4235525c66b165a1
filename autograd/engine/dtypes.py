"""The dtypes, the default among them, and PyTorch's rules for which dtype a mixture becomes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from ..errors import DtypeError, describe

DType = np.dtype[Any]

float16, float32, float64, int8, int16, int32, int64, uint8, bool = map(
    np.dtype, ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
)
half, float, double, short, int, long = float16, float32, float64, int16, int32, int64

_ALL = (float16, float32, float64, int8, int16, int32, int64, uint8, bool)
_OURS = {d: d for d in _ALL}  # one object for each: see `is`
_SCALARS = {builtins.bool: bool, builtins.int: int64}  # a Python float has the default dtype
REAL_SCALARS = (np.bool, np.integer, np.floating)  # NumPy's
NO_COMPLEX = "no complex numbers; compute with pairs of a real and an imaginary part, as autograd.fft does"
_default: ContextVar[DType] = ContextVar("default dtype", default=float32)
get_default_dtype = _default.get


def set_default_dtype(dtype: Any) -> None:
    """Set the dtype that Python floats become (torch.set_default_dtype), in this thread or task.

    >>> import autograd
    >>> autograd.get_default_dtype()
    dtype('float32')
    """
    if (dtype := as_dtype(dtype)).kind != "f":
        raise DtypeError(f"the default dtype must be a floating-point one, not {dtype}")
    _default.set(dtype)


def as_dtype(dtype: Any, found: Callable[[], str] = str) -> DType:
    """The dtype by any of its names; None is the default one. Raises DtypeError, saying what was `found`."""
    if dtype is None:
        return get_default_dtype()
    try:
        return _OURS[np.dtype(dtype).newbyteorder("=")]
    except (KeyError, TypeError):
        advice = f"; there are {NO_COMPLEX}" if "complex" in str(dtype) else ""
        raise DtypeError(f"tensors hold booleans, integers or floats, not {dtype}{found()}{advice}") from None


def promote_types(a: Any, b: Any) -> DType:
    """The smallest dtype that holds both (torch.promote_types): a float beats any integer, whatever its size.

    >>> promote_types("int64", "float16")
    dtype('float16')
    """
    a, b = np.dtype(a), np.dtype(b)
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)


def category(dtype: DType) -> Any:
    """How far up a dtype stands: booleans, integers, floats."""
    return {"b": 0, "i": 1, "u": 1, "f": 2}[dtype.kind]


def result_type(*values: Any) -> DType:
    """The dtype of an op on `values` (torch.result_type).

    Tensors with dimensions decide; 0-d tensors and, after them, Python scalars count only
    if they are of a higher category (bool, integer, float).

    >>> import autograd
    >>> result_type(autograd.zeros(3), autograd.tensor(1.0, dtype=autograd.float64), 2)
    dtype('float32')
    """
    ranks: list[DType | None] = [None, None, None]  # of tensors, 0-d tensors, Python scalars
    dtype: DType | None
    for v in values:
        if isinstance(v, np.generic) and v.dtype.kind != "c":
            v = v.item()
        if hasattr(v, "dtype"):
            rank, dtype = (0 if v.shape else 1), as_dtype(v.dtype)
        else:
            rank, dtype = 2, _SCALARS.get(type(v)) or get_default_dtype()
        was = ranks[rank]
        ranks[rank] = dtype if was is None else promote_types(was, dtype)
    found: DType | None = None
    for dtype in ranks:
        if dtype is not None and (found is None or category(dtype) > category(found)):
            found = dtype
    assert found is not None, "result_type needs at least one value"
    return found


def number(op: str, argument: str, value: Any) -> Any:
    """`value`, if it is a number or speaks NumPy's protocols. Raises DtypeError."""
    if isinstance(value, (builtins.int, builtins.float, np.generic)) or hasattr(value, "__array_ufunc__"):
        return value
    if isinstance(value, complex):
        raise DtypeError(f"{op}: {argument} is {value!r}, and there are {NO_COMPLEX}")
    raise DtypeError(f"{op}: {argument} must be a number, an array or a tensor, not {describe(value)}")


def promoted(args: list[Any], which: slice, result: DType | None = None) -> list[Any] | None:
    """`args` cast to the dtype that PyTorch would compute in, or None if they have it.

    Mixed dtypes are cast by np.astype, on Tensors an op like any other: graphs and tapes show it, and
    gradients are cast back. `result` is what NumPy made of `args`: where that is a float of integers,
    PyTorch's default float is meant; where it is an int8, which NumPy makes of booleans, int64 or what they
    are mixed with.
    """
    common = result_type(*args[which])
    if result is not None:
        if result.kind == "f":
            common = common if common.kind == "f" else get_default_dtype()
        elif result == int8 != common:
            common = int64 if common == bool else common
        else:
            return None
    arrays = [i for i in range(len(args))[which] if hasattr(args[i], "dtype")]
    wrong = {i for i in arrays if args[i].dtype != common and not isinstance(args[i], np.generic)}
    return [np.astype(a, common) if i in wrong else a for i, a in enumerate(args)] if wrong else None
