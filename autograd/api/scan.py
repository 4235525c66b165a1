"""Scans: running sums, products and extremes, and differences and the integrals that undo them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.accumulate import single
from ..engine.dtypes import get_default_dtype
from ..errors import ArgumentError, DimError, DtypeError, ShapeError
from ..ops.common import contiguous
from .common import ValuesIndices, one_dim
from .elementwise import astype
from .reduce import sum as total


# ---------------------------------------------------------------- PyTorch's names and options
def _scan(op: Any, input: Any, dim: int) -> Any:
    """The primitive `op` along `dim`; a 0-d tensor is a row of one."""
    axis = one_dim(op.name.removeprefix("arg"), dim, input.ndim)
    return op(input, axis) if input.ndim else np.reshape(op(np.reshape(input, (1,)), 0), ())


def _summed(input: Any, dtype: Any) -> Any:
    """`input` in the dtype of its running sums and products: booleans and integers give int64."""
    return astype(input, np.dtype(dtype or (input.dtype if input.dtype.kind == "f" else np.int64)))


def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The running sum along `dim` (torch.cumsum)."""
    return _scan(ops.scan.cumsum, _summed(input, dtype), dim)


def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The running product along `dim` (torch.cumprod). Its gradient is right at any number of zeros, to any order.

    >>> import autograd
    >>> x = autograd.tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.cumprod(0).sum().backward(); x.grad
    tensor([1., 8., 0.])
    """
    return _scan(ops.scan.cumprod, _summed(input, dtype), dim)


def logcumsumexp(input: Any, dim: int) -> Any:
    """log(cumsum(exp(input))) along `dim`, without overflow (torch.logcumsumexp)."""
    if input.dtype.kind != "f":
        raise DtypeError(f"logcumsumexp needs a floating-point tensor, not {input.dtype}; use float() first")
    return _scan(ops.scan.logcumsumexp, input, dim)


def _running(name: str, where: Any, word: str) -> Any:
    def running(input: Any, dim: int) -> ValuesIndices:
        indices = _scan(where, input, dim)
        values: Any = np.take_along_axis(input, indices, one_dim(name, dim, input.ndim))
        return ValuesIndices(values, indices)

    running.__name__ = running.__qualname__ = name
    running.__doc__ = f"""The {word} so far along `dim`, and where it is: the last place if tied (torch.{name}).

    A NaN stays. The gradient goes to the elements at the returned indices.

    >>> import autograd
    >>> autograd.{name}(autograd.tensor([2, 1, 2, 3, 1]), dim=0).indices
    tensor([{"0, 0, 2, 3, 3" if name == "cummax" else "0, 1, 1, 1, 4"}])
    """
    return running


cummax, cummin = _running("cummax", ops.scan.argcummax, "largest"), _running("cummin", ops.scan.argcummin, "smallest")


# ---------------------------------------------------------------- differences and integrals
def _need_dims(op: str, input: Any) -> None:
    if not input.ndim:
        raise DimError(f"{op} needs a tensor with dims, got a 0-d one; there are no neighbours in it")


def _neighbours(op: str, input: Any, dim: int) -> tuple[Any, Any]:
    """All but the last and all but the first along `dim`."""
    lead = (slice(None),) * one_dim(op, dim, input.ndim)
    return input[(*lead, slice(-1))], input[(*lead, slice(1, None))]


def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Each element less the one before, `n` times over, along `dim`; of booleans, whether they differ (torch.diff).

    `prepend` and `append`, tensors of the same dims, are joined on first; n = 0 gives `input` back as it is.

    >>> import autograd
    >>> autograd.diff(autograd.tensor([1, 4, 9, 16])), autograd.diff(autograd.tensor([1, 4, 9, 16]), n=2)
    (tensor([3, 5, 7]), tensor([2, 2]))
    """
    _need_dims("diff", input)
    if n < 0:
        raise ArgumentError(f"diff: n must not be negative, got {n}")
    parts = [v for v in (prepend, input, append) if v is not None]
    if any(v.ndim != input.ndim for v in parts):
        raise ShapeError(f"diff: prepend and append have as many dims as input, {input.ndim}; got {[v.shape for v in parts]}")
    x = np.concatenate(parts, one_dim("diff", dim, input.ndim)) if len(parts) > 1 else input
    if not n:
        return np.copy(input)
    for _ in range(n):
        a, b = _neighbours("diff", x, dim)
        x = b != a if x.dtype.kind == "b" else b - a
    return x


def _trapezoids(op: str, y: Any, x: Any, dx: Any, dim: int) -> Any:
    """The areas under the lines between neighbours."""
    _need_dims(op, y)
    if any(v is not None and getattr(v, "dtype", None) == np.dtype(bool) for v in (x, y)):
        raise DtypeError(f"{op} does not work on booleans; use float() first")
    if x is not None and dx is not None:
        raise ArgumentError(f"{op}: give x, the sample points, or dx, the distance between them, not both")
    a, b = _neighbours(op, y, dim)
    heights = a / 2 + b / 2  # so bytes do not overflow
    if x is None:
        return heights if dx is None else heights * dx
    return heights * _widths(op, y, x, one_dim(op, dim, y.ndim))


def _widths(op: str, y: Any, x: Any, axis: int) -> Any:
    """The distances between neighbouring points `x` of `y`."""
    if x.ndim == 1:
        if x.shape[0] != y.shape[axis]:
            raise ShapeError(f"{op}: x holds {x.shape[0]} points, but y has {y.shape[axis]} along dim {axis}")
        x = np.reshape(x, (-1,) + (1,) * (y.ndim - axis - 1))
    return diff(x, 1, axis - y.ndim)


@single
def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The integral of `y` along `dim` by the trapezoidal rule, at the points `x`, or `dx` apart, or 1 (torch.trapezoid).

    Shape: `y.shape` without `dim`; `x` has one dim, or dims that broadcast with those of `y`.

    >>> import autograd
    >>> autograd.trapezoid(autograd.tensor([1.0, 2.0, 4.0]), autograd.tensor([0.0, 1.0, 3.0]))
    tensor(7.5000)
    """
    return total(_trapezoids("trapezoid", y, x, dx, dim), dim)


@single
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The running integral of `y` along `dim`, which gets shorter by one (torch.cumulative_trapezoid); see `trapezoid`."""
    return contiguous(cumsum(_trapezoids("cumulative_trapezoid", y, x, dx, dim), dim))


@single
def simpson(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """The integral of `y` along `dim` by Simpson's rule, of parabolas through three neighbours each (scipy.integrate.simpson).

    At the points `x`, or `dx` apart. If the number of intervals is odd, the last one lies under the parabola of the last three.
    Shape: `y.shape` without `dim`; `x` has one dim, or dims that broadcast with those of `y`. Source: Cartwright (2017),
    Simpson's rule cumulative integration with MS Excel and irregularly-spaced data. PyTorch has none.

    >>> import autograd
    >>> t = autograd.arange(0, 5).double()
    >>> autograd.simpson(t**2)  # 4**3 / 3
    tensor(21.3333, dtype=float64)
    """
    _need_dims("simpson", y)
    y = y if y.dtype.kind == "f" else astype(y, get_default_dtype())
    axis, n = one_dim("simpson", dim, y.ndim), y.shape[dim]
    if n < 3:
        return trapezoid(y, x, dim=dim) if x is not None else trapezoid(y, dx=dx, dim=dim)
    widths = _widths("simpson", y, x, axis) if x is not None else np.full_like(_neighbours("simpson", y, dim)[0], dx)

    rest = (slice(None),) * (y.ndim - 1 - axis)

    def at(values: Any, first: int, last: int | None = None) -> Any:
        return values[(..., slice(first, last, 2), *rest)]

    a, b = at(widths, 0, n - 2), at(widths, 1, n - 1)  # of the pairs of intervals
    both = a + b
    parabolas = both / 6 * ((2 - b / a) * at(y, 0, n - 2) + both * both / (a * b) * at(y, 1, n - 1) + (2 - a / b) * at(y, 2))
    area = total(parabolas, dim)
    if n % 2:
        return area
    a, b = (widths[(..., i, *rest)] for i in (-2, -1))  # one interval is left, the last
    y0, y1, y2 = (y[(..., i, *rest)] for i in (-3, -2, -1))
    return area + b * (2 * b + 3 * a) / (6 * (a + b)) * y2 + b * (b + 3 * a) / (6 * a) * y1 - b**3 / (6 * a * (a + b)) * y0
