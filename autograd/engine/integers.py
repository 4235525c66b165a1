"""Integers as PyTorch has them: wrapped around where a dtype does not hold them, and never divided by 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DivisionError, describe, explain
from .dtypes import result_type

# Where reckoning modulo 2**8 and the like is exact
RING = {"add", "subtract", "multiply", "bitwise_and", "bitwise_or", "bitwise_xor"}
DIVISIONS = (np.floor_divide, np.remainder, np.fmod)  # which of integers by 0 have no result


def wrapped_around(args: Sequence[Any]) -> list[Any]:
    """`args` with Python's integers as arrays of the dtype that the others have, modulo what it can hold.

    >>> wrapped_around([np.ones(2, np.uint8), 300])[1]
    array(44, dtype=uint8)
    """
    common = result_type(*args)

    def around(value: Any) -> Any:
        return np.array(int(value) % 2**64, np.uint64).astype(common)

    return [around(a) if isinstance(a, (int, np.integer)) else a for a in args]


def divided(division: Any, args: Sequence[Any]) -> Any:
    """`division(*args)`. Raises DivisionError for integers by 0, of which NumPy makes 0."""
    with np.errstate(divide="ignore"):
        out = division(*args)
    if out.dtype.kind in "iu" and out.size and not np.all(args[1]):
        what = f"{describe(args[0])} is divided by 0, of which no integer is the result"
        raise DivisionError(f"{division.__name__}: {what}; use / or float()")
    return out


def failed(op: Any, values: Sequence[Any], raws: Sequence[Any], error: Exception) -> Any:
    """What `op` gives all the same, of integers too large for a dtype; or else raise an error."""
    if isinstance(error, OverflowError) and op.name in RING:
        return op(*wrapped_around(values))
    raise explain(op.name, op.names, list(raws), error) from error
