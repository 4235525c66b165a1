"""Sums that keep their digits: half is computed in single precision, and what is many is added in blocks.

The one place for both. Primitives run on half by `in_single`, and so do their rules (see Plan); gradients on
the way are in `ACCUMULATED`'s dtype, and are rounded where they are left. Every sum of floats is a `total`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache, wraps
from math import prod
from string import ascii_letters
from typing import Any, TypeVar, cast

import numpy as np

from .dtypes import DType, float16, float32

F = TypeVar("F", bound=Callable[..., Any])
ACCUMULATED: dict[DType, DType] = {
    float16: float32
}  # the dtype in which sums of a dtype are kept, if it is another
# An error of a few units in the last place, however many are added:
TERMS = 256  # so many at most are added by BLAS, which keeps several sums at a time
MANY = 64  # more than these are not added one after the other, but in slabs, and what comes of these again,
FEW, SLABS = 32, 16  # until so few are left


_add: Any = np.add.reduce


# ---------------------------------------------------------------- half in single precision
def widened(value: Any) -> Any:
    """`value` with the arrays of half in it in single precision."""
    if isinstance(value, (tuple, list)):
        return getattr(value, "_make", type(value))(map(widened, value))
    return np.astype(value, float32) if getattr(value, "dtype", None) == float16 else value


def rounded(value: Any) -> Any:
    """`value` with the arrays of single precision in it in half."""
    if isinstance(value, (tuple, list)):
        return getattr(value, "_make", type(value))(map(rounded, value))
    if getattr(value, "dtype", None) != float32:
        return value
    return value.astype(float16) if isinstance(value, np.generic) else np.astype(value, float16)


def settled(g: Any, dtype: DType) -> Any:
    """A gradient as it is left somewhere: an array of the dtype of what it is the gradient of."""
    g = np.asarray(g) if isinstance(g, np.generic) else g
    return g if g.dtype == dtype else np.astype(g, dtype)


def any_half(values: Iterable[Any]) -> bool:
    """Is there an array of half among them?"""
    return any(
        any_half(v) if isinstance(v, (tuple, list)) else getattr(v, "dtype", None) == float16 for v in values
    )


def _any_other(values: Iterable[Any]) -> bool:
    """Is there an array of other floats?"""
    return any(
        _any_other(v)
        if isinstance(v, (tuple, list))
        else hasattr(v, "dtype") and v.dtype.kind == "f" and v.dtype != float16
        for v in values
    )


def in_single(function: Callable[..., Any], args: Sequence[Any]) -> Any:
    """`function(*args)`, but if all floats are half, computed in single precision, and rounded once."""
    if not any_half(args) or _any_other(args):
        return function(*args)
    with np.errstate(over="ignore"):  # of rounding, as of any cast
        return rounded(function(*widened(tuple(args))))


def single(function: F) -> F:
    """Decorate a function of Tensors made of several ops: half alone is computed in single precision."""

    @wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        given = (*args, *kwargs.values())
        if not any_half(given) or _any_other(given):
            return function(*args, **kwargs)
        return rounded(function(*widened(args), **{name: widened(v) for name, v in kwargs.items()}))

    return cast(F, either)


# ---------------------------------------------------------------- sums in blocks
# NumPy adds pairwise along the axes that are densest in memory. Along all others it adds row after row, and
# what is added to a large sum loses its digits; short rows it adds one by one. So up to `TERMS` terms, in
# rows or in columns, are added as a product with ones, which BLAS does several times as fast. What is longer
# is cut: into blocks of so many rows, or along any other axis into a few slabs, which are added, elementwise.
def total(x: Any, axis: tuple[int, ...], keepdims: bool = False, few: int = MANY) -> Any:
    """np.sum(x, axis, keepdims=keepdims), whose error does not grow with the number of elements."""
    if type(x) is not np.ndarray:
        return np.sum(x, axis=axis, keepdims=keepdims)
    flags = x.flags
    if flags.c_contiguous and x.dtype.char in "fd" and (lies := _matrix(x.shape, axis)) is not None:
        rows, columns, across, shape, kept = lies
        matrix, shape = x.reshape(rows, columns), kept if keepdims else shape
        sums = matrix.dot(_ones(columns, x.dtype.char)) if across else _sum_of_rows(matrix)
        return sums if sums.shape == shape else sums.reshape(shape)
    if x.dtype.kind == "f" and count(x.shape, axis) > few and not (len(axis) == x.ndim and flags.forc):
        while count(x.shape, axes := _one_by_one(x, axis)) > few:
            longest, few = max(axes, key=x.shape.__getitem__), FEW
            slabs, rest = in_slabs(x, longest)
            x = _add(slabs, axis=longest)
            add_rest(x, rest, longest)
    return _add(x, axis=axis, keepdims=keepdims)


@lru_cache(4096)
def _matrix(shape: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    """An array, dense in memory, as a matrix of which rows or columns are added, if the axes are its first or
    its last: rows, columns, whether it goes across, and the shape of the sums without and with these axes."""
    across, n = axis[:1] != (0,), len(axis)
    first = len(shape) - n if across else 0
    if not 0 < n < len(shape) or sorted(axis) != list(range(first, first + n)) or 0 in shape:
        return None
    left = shape[:first] if across else shape[n:]
    rows, columns = (prod(left), count(shape, axis)) if across else (count(shape, axis), prod(left))
    if columns > TERMS if across else rows > TERMS and columns < 16:  # NumPy, or slabs, are as quick
        return None
    return rows, columns, across, left, tuple(1 if i in axis else m for i, m in enumerate(shape))


@cache
def _ones(n: int, char: str) -> Any:
    return np.ones(n, char)


def _sum_of_rows(x: Any) -> Any:
    while (n := len(x)) > TERMS:
        whole = n - n % TERMS
        sums = np.matmul(_ones(TERMS, x.dtype.char), x[:whole].reshape(-1, TERMS, x.shape[1]))
        if n > whole:
            sums[0] += _sum_of_rows(x[whole:])
        x = sums
    return _ones(n, x.dtype.char).dot(x)


def total_product(x: Any, y: Any, axis: tuple[int, ...]) -> Any:
    """total(x * y, axis, keepdims=True), in half the time."""
    if type(x) is not np.ndarray or count(x.shape, axis) <= MANY:
        return np.expand_dims(np.einsum(_product_spec(x.ndim, axis), x, y), axis)
    longest = max(axis, key=x.shape.__getitem__)
    (x, x_rest), (y, y_rest) = (in_slabs(v, longest) for v in np.broadcast_arrays(x, y))
    sums = np.einsum(_product_spec(x.ndim, (longest,)), x, y)
    add_rest(sums, x_rest * y_rest, longest)
    return total(sums, axis, True, FEW)


@cache
def _product_spec(ndim: int, axis: tuple[int, ...]) -> str:
    letters = ascii_letters[:ndim]
    return f"{letters},{letters}->{''.join(c for i, c in enumerate(letters) if i not in axis)}"


def running_total(x: Any, axis: int) -> Any:
    """np.cumsum(x, axis), of many in double precision and rounded once, as each is made of the one before."""
    if type(x) is np.ndarray and x.dtype == float32 and x.shape[axis] > MANY:
        return np.cumsum(x, axis=axis, dtype=np.float64).astype(float32)
    return np.cumsum(x, axis=axis)


def total_at(out: Any, positions: Any, x: Any) -> None:
    """np.add.at(out, positions, x), all flat; where many come to a place, in double precision, by blocks."""
    if type(x) is not np.ndarray or x.dtype.kind != "f" or not positions.size == x.size > MANY * out.size:
        np.add.at(out, positions, x)
        return
    sums, step = np.zeros(out.size), max(2**15, out.size)
    for i in range(0, x.size, step):
        sums += np.bincount(positions[i : i + step], x[i : i + step], out.size)
    out += sums.astype(out.dtype)


def count(shape: tuple[int, ...], axis: Iterable[int]) -> int:
    """How many elements a reduction over `axis` puts into one."""
    n = 1
    for a in axis:
        n *= shape[a]
    return n


def _one_by_one(x: np.ndarray[Any, Any], axis: tuple[int, ...]) -> list[int]:
    """Those of the axes along which NumPy adds one after the other."""
    left = [a for a in axis if x.shape[a] > 1]
    dense = None
    for stride, a in sorted((abs(s), a) for a, s in enumerate(x.strides) if s and x.shape[a] > 1):
        if a not in left or (dense is not None and stride != dense):
            break
        left.remove(a)
        dense = stride * x.shape[a]
    return left


def in_slabs(x: Any, axis: int) -> tuple[Any, Any]:
    """`x` with `axis` cut into at most SLABS slabs, the next axis in them; and the rest, if any."""
    n, lead = x.shape[axis], (slice(None),) * axis
    length = -(-n // SLABS)
    slabs = n // length
    cut = x[(*lead, slice(slabs * length))]
    return np.reshape(cut, (*x.shape[:axis], slabs, length, *x.shape[axis + 1 :])), x[
        (*lead, slice(slabs * length, None))
    ]


def add_rest(x: Any, rest: Any, axis: int) -> None:
    """Add `rest`, which is shorter along `axis`, to the beginning of `x`."""
    if rest.shape[axis]:
        x[(*(slice(None),) * axis, slice(rest.shape[axis]))] += rest
