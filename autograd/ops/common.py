"""What the families of the table share: elements in memory in their order, and formulas with a quicker way on plain arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import numpy as np

from ..engine.graph import Array

F = TypeVar("F", bound=Callable[..., Any])


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


BLOCK = 2**15  # so many numbers, and what is computed on the way, stay in the cache


def in_blocks(function: Callable[..., Array], *arrays: Array) -> Array:
    """`function`, which is elementwise and takes many steps, of arrays of one shape, block by block: several times faster if large.

    >>> in_blocks(lambda x, y: x * y + x, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([ 4., 10.])
    """
    flat = [np.reshape(a, (-1,)) for a in arrays]
    out = np.empty_like(flat[-1])
    for start in range(0, out.shape[0], BLOCK):
        block = slice(start, start + BLOCK)
        out[block] = function(*[a[block] for a in flat])
    return np.reshape(out, arrays[-1].shape)


class Formula(Protocol):
    """A function that may have another way on plain arrays."""

    def __call__(self, *args: Any) -> Any: ...
    def on_arrays(self, quick: F, /) -> F: ...


def formula(function: Callable[..., Any]) -> Formula:
    """`function`, a formula in NumPy; but what `on_arrays` gives it does the same on NumPy's own arrays, if their floats are of one dtype.

    So an op or a rule says what it computes where that is to be read: by Tensors (derivatives of derivatives, tapes), batches,
    symbols and other libraries' arrays. The way on arrays may write in place and look at memory. Where it cannot serve it
    returns NotImplemented. The tests compare the two on all calls of all records.

    >>> @formula
    ... def twice(x):
    ...     return x + x
    >>> @twice.on_arrays
    ... def _(x):
    ...     return np.multiply(x, 2)
    """

    @wraps(function)
    def either(*args: Any) -> Any:
        found = wrapped.quick(*args) if of_one_dtype(args) else NotImplemented
        return function(*args) if found is NotImplemented else found

    def on_arrays(quick: Any) -> Any:
        wrapped.quick = quick
        return quick

    wrapped: Any = either
    wrapped.on_arrays = on_arrays
    return wrapped


_PLAIN = {int, float, bool, str, type(None)}


def of_one_dtype(args: Any) -> bool:
    """Are all arrays among these, and in lists among them, NumPy's own, and their floats all single or all double?"""
    found = None
    for arg in args:
        for x in arg if isinstance(arg, (tuple, list)) else (arg,):
            if type(x) is np.ndarray:
                if (dtype := x.dtype).kind not in "iub" and found is not dtype:
                    if found not in (None, dtype) or dtype.char not in "fd":
                        return False
                    found = dtype
            elif type(x) not in _PLAIN and hasattr(x, "dtype"):
                return False
    return found is not None
