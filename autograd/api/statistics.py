"""Statistics: order statistics and quantiles, the most frequent value, covariances, distinct values, counts and histograms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine.accumulate import single
from ..engine.dtypes import get_default_dtype
from ..engine.tensor import Tensor
from ..errors import ArgumentError, DimError, DtypeError, NoGradientError, ShapeError
from ..ops.common import contiguous
from ..ops.statistics import _rank
from .common import ValuesIndices, one_dim
from .elementwise import astype, lerp
from .reduce import picked, sum


class Histogram(NamedTuple):
    """What `histogram` returns."""

    hist: Tensor
    bin_edges: Tensor


# ---------------------------------------------------------------- order statistics
def _need_length(op: str, input: Any, axis: int) -> int:
    """How many elements `input` has along `axis`, at least one."""
    n = input.shape[axis] if input.ndim else 1
    if not n:
        raise DimError(f"{op} of no elements does not exist; the tensor has shape {input.shape}")
    return int(n)


def _middle(name: str, skip_nan: bool, which: str) -> Any:
    def middle(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return ops.statistics.median(input, skip_nan) if 0 not in input.shape else sum(input) + np.nan
        axis = one_dim(name, dim, input.ndim)
        n = _need_length(name, input, axis)
        nans = sum(np.isnan(input), (axis,) if input.ndim else (), True)
        order = ops.reduce.argsort(input, axis)
        return picked(input, np.take_along_axis(order, _rank(nans, n, skip_nan), axis), axis, keepdim)

    middle.__name__ = middle.__qualname__ = name
    middle.__doc__ = f"""The median {which}, of all elements, or over `dim` with its indices (torch.{name}).

    Of an even number it is the lower of the two in the middle; `quantile(0.5)` is their mean. Over `dim` the gradient goes
    to the element at the returned index; of all elements, ties share it.

    >>> import autograd
    >>> autograd.{name}(autograd.tensor([[1.0, 5.0, 2.0], [7.0, 3.0, 9.0]]), dim=1).values
    tensor([2., 7.])
    """
    return middle


median, nanmedian = _middle("median", False, "(NaN if there is one)"), _middle("nanmedian", True, "of what is not NaN")


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The `k`-th smallest value along `dim`, counted from 1, and where it is; NaN counts as largest (torch.kthvalue)."""
    axis = one_dim("kthvalue", dim, input.ndim)
    n = _need_length("kthvalue", input, axis)
    if not 1 <= k <= n:
        raise ArgumentError(f"kthvalue: k must be from 1 to {n}, the length of dim {dim}, got {k}")
    order = ops.reduce.argsort(input, axis)
    return picked(input, contiguous(order[(*(slice(None),) * axis, slice(k - 1, k))]) if input.ndim else order, axis, keepdim)


def mode(input: Any, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent value along `dim`, the smallest if tied, and the last place where it is (torch.mode).

    >>> import autograd
    >>> autograd.mode(autograd.tensor([3, 1, 1, 3, 2])).values
    tensor(1)
    """
    axis = one_dim("mode", dim, input.ndim)
    _need_length("mode", input, axis)
    return picked(input, ops.statistics.argmode(input, axis), axis, keepdim)


ROUNDINGS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # between which two ranks a quantile lies
    "linear": (np.floor, np.ceil), "midpoint": (np.floor, np.ceil), "lower": (np.floor, np.floor), "higher": (np.ceil, np.ceil),
    "nearest": (np.round, np.round),
}  # fmt: skip


def _quantile(name: str, skip_nan: bool, which: str) -> Any:
    def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
        if interpolation not in ROUNDINGS:
            raise ArgumentError(f"{name}: interpolation is one of {', '.join(ROUNDINGS)}, got {interpolation!r}")
        if input.dtype not in (np.float32, np.float64):
            raise DtypeError(f"{name} needs a float32 or float64 tensor, not {input.dtype}; use float() first")
        if 0 in input.shape:
            raise ShapeError(f"{name} of no elements does not exist; the tensor has shape {input.shape}")
        several = _check_q(name, q, input.dtype)
        axis = 0 if dim is None else one_dim(name, dim, input.ndim)
        x = np.moveaxis(np.reshape(input, (-1,)) if dim is None or not input.ndim else input, axis, -1)
        last = x.ndim - 1
        n = x.shape[last]
        nans = sum(np.isnan(x), last, True)
        qs = np.reshape(q, (-1,)) if hasattr(q, "dtype") else np.full_like(x, q, shape=(1,))
        ranks = qs * astype(np.maximum(n - 1 - nans, 0), x.dtype) if skip_nan else np.where(nans > 0, n - 1, qs * (n - 1))
        below, above = (astype(f(ranks), np.int64) for f in ROUNDINGS[interpolation])
        order = ops.reduce.argsort(x, last)
        low, high = (np.take_along_axis(x, np.take_along_axis(order, r, last), last) for r in (below, above))
        share = {"linear": ranks - astype(below, x.dtype), "midpoint": 0.5}.get(interpolation)
        out = np.moveaxis(low if share is None else lerp(low, high, share), last, 0)
        if keepdim:
            out = np.reshape(out, (-1, *(1 if dim is None or i == axis else n for i, n in enumerate(input.shape))))
        return out if several else out[0]

    quantile.__name__ = quantile.__qualname__ = name
    quantile.__doc__ = f"""The value below which the share `q` {which} lies, over `dim` or of all (torch.{name}).

    Sorted, `input` has ranks 0 to n - 1; at q * (n - 1) between two of them, `interpolation` says what is taken: 'linear',
    'lower', 'higher', 'nearest' (halves to even), or 'midpoint'. The gradient goes to the one or two elements at these ranks.
    Shape: that of a reduction over `dim`; before it comes that of `q`, a number or a tensor of at most one dim.

    >>> import autograd
    >>> autograd.{name}(autograd.tensor([1.0, 4.0, 2.0, 3.0]), autograd.tensor([0.0, 0.5]))
    tensor([1.0000, 2.5000])
    """
    return quantile


def _check_q(op: str, q: Any, dtype: Any) -> bool:
    """Is `q` fit for quantiles of this dtype; does it hold several?"""
    several = getattr(q, "ndim", 0)
    if several > 1:
        raise ShapeError(f"{op}: q is a number or a tensor of at most one dim, got shape {q.shape}")
    if getattr(q, "dtype", dtype) != dtype:
        raise DtypeError(f"{op}: q must have the dtype of input, {dtype}, not {q.dtype}")
    values = getattr(q, "array", q)
    if not np.all((values >= 0) & (values <= 1)):
        raise ArgumentError(f"{op}: q must be from 0 to 1, got {values}")
    return several == 1


quantile = _quantile("quantile", False, "of the elements")
nanquantile = _quantile("nanquantile", True, "of the elements that are not NaN")


# ---------------------------------------------------------------- covariances
def _check_weights(name: str, weights: Any, kinds: str, n: int) -> None:
    if weights.dtype.kind not in kinds:
        raise DtypeError(f"cov: {name} must hold {'floats' if kinds == 'f' else 'integers'}, not {weights.dtype}")
    if weights.ndim > 1 or math.prod(weights.shape) != n:
        raise ShapeError(f"cov: {name} needs one weight for each of the {n} observations, got shape {weights.shape}")
    if np.any(getattr(weights, "array", weights) < 0):
        raise ArgumentError(f"cov: {name} must not be negative")


@single
def cov(input: Any, *, correction: float = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of variables, one in each row of `input`, by their observations, the columns (torch.cov).

    `fweights` says how often each observation was made, `aweights` how much it counts. One variable has a variance, 0-d.

    >>> import autograd
    >>> autograd.cov(autograd.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise ShapeError(f"cov needs at most two dims, got shape {input.shape}")
    if input.dtype.kind == "b":
        raise DtypeError("cov does not work on booleans; use float() first")
    x = input if input.dtype.kind == "f" else astype(input, get_default_dtype())
    x = x if x.ndim == 2 else np.reshape(x, (1, -1))
    n = x.shape[1]
    for name, weights, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if weights is not None:
            _check_weights(name, weights, kinds, n)
    w, size, less = None, n, correction
    if fweights is not None or aweights is not None:
        w = fweights if aweights is None else aweights if fweights is None else fweights * aweights
        size = sum(w)
        if not np.any(getattr(size, "array", size)):
            raise ArgumentError("cov: the weights sum to 0")
        less = correction if aweights is None else correction * sum(w * aweights) / size
    rest = size - less
    x = x - sum(x if w is None else x * w, 1, True) / size
    out = np.matmul(x, np.matrix_transpose(x if w is None else x * w)) / (rest * (rest > 0))
    return out if out.shape[0] != 1 else np.reshape(out, ())


@single
def corrcoef(input: Any) -> Any:
    """The correlations of variables, one in each row of `input`: their covariances over their deviations (torch.corrcoef).

    >>> import autograd
    >>> autograd.corrcoef(autograd.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise ShapeError(f"corrcoef needs at most two dims, got shape {input.shape}")
    c = cov(input)
    if not c.ndim:
        return c / c
    deviations = np.sqrt(np.diagonal(c))
    return np.clip(c / np.expand_dims(deviations, 1) / deviations, -1, 1)


# ---------------------------------------------------------------- distinct values
def _distinct(name: str, input: Any, dim: int | None, ordered: bool, inverse: bool, counts: bool) -> Any:
    if dim is None:
        x = np.reshape(input, (-1,))
        rows, axis = np.reshape(x, (-1, 1)), 0
    else:
        if not input.ndim:
            raise DimError(f"{name}: dim {dim} does not exist in a 0-d tensor; leave it out")
        x, axis = input, one_dim(name, dim, input.ndim)
        if not (size := math.prod(x.shape[:axis] + x.shape[axis + 1 :])):
            raise ShapeError(f"{name}: slices along dim {dim} of a tensor of shape {x.shape} have no elements to compare")
        rows = np.reshape(np.moveaxis(x, axis, 0), (x.shape[axis], size))
    first, group, sizes = ops.statistics.groups(rows, ordered)
    found = np.take(x, first, axis), np.reshape(group, input.shape if dim is None else (-1,)), sizes
    chosen = tuple(v for v, on in zip(found, (True, inverse, counts), strict=True) if on)
    return chosen if len(chosen) > 1 else chosen[0]


def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct elements, or slices along `dim`, in order; on request where each went and how many there are (torch.unique).

    With `return_inverse`, `unique[inverse]` is `input` again. They always come sorted; each NaN counts by itself. PyTorch has
    no gradient here: this one goes to the first of the equal elements.

    >>> import autograd
    >>> autograd.unique(autograd.tensor([3, 1, 3]), return_inverse=True, return_counts=True)
    (tensor([1, 3]), tensor([1, 0, 1]), tensor([1, 2]))
    """
    return _distinct("unique", input, dim, True, return_inverse, return_counts)


def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """As `unique`, but in the order found, and only neighbours are taken together (torch.unique_consecutive).

    >>> import autograd
    >>> autograd.unique_consecutive(autograd.tensor([3, 3, 1, 3]), return_counts=True)
    (tensor([3, 1, 3]), tensor([2, 1, 1]))
    """
    return _distinct("unique_consecutive", input, dim, False, return_inverse, return_counts)


# ---------------------------------------------------------------- counts
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, 2, ... is in `input`, or the sum of its `weights` (torch.bincount).

    Shape: input (n,), integers that are not negative; the result is one longer than the largest, at least `minlength`.
    Weighted it is float64, of float32 weights float32, and has a gradient with respect to them.

    >>> import autograd
    >>> autograd.bincount(autograd.tensor([0, 2, 2]), minlength=4)
    tensor([1, 0, 2, 0])
    """
    if input.dtype.kind not in "iu":
        raise DtypeError(f"bincount counts integers, not {input.dtype}")
    array = getattr(input, "array", input)
    if input.ndim != 1 or (array.size and np.min(array) < 0):
        found = f"shape {input.shape}" if input.ndim != 1 else f"{np.min(array)} among them"
        raise ShapeError(f"bincount needs one dim of integers that are not negative, got {found}")
    if weights is not None and weights.shape != input.shape:
        raise ShapeError(f"bincount: weights must have the shape of input, {input.shape}, got {weights.shape}")
    if minlength < 0:
        raise ArgumentError(f"bincount: minlength must not be negative, got {minlength}")
    return ops.statistics.bincount(input, weights, minlength)


def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements lie in each of `bins` equal bins from `min` to `max`; all others are left out (torch.histc).

    If `min` and `max` are the same, the bins go from the smallest element to the largest. Nothing differentiable comes out.

    >>> import autograd
    >>> autograd.histc(autograd.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    return _histogram_of("histc", input, bins, None if min == max else (min, max), None, False)[0]


def histogram(input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False) -> Histogram:
    """How many elements, or how much `weight`, lie in each bin, and where the bins end (torch.histogram).

    `bins` is a number of equal bins over `range`, by default from the smallest element to the largest, or a tensor of edges.
    The last bin holds its right edge too. `density` divides by the bins' widths and by the whole.

    >>> import autograd
    >>> autograd.histogram(autograd.tensor([1.0, 2.0, 1.0]), bins=2, range=(0.0, 3.0))
    Histogram(hist=tensor([2., 1.]), bin_edges=tensor([0.0000, 1.5000, 3.0000]))
    """
    return Histogram(*_histogram_of("histogram", input, bins, range, weight, density))


def _histogram_of(op: str, input: Any, bins: Any, span: Any, weight: Any, density: bool) -> tuple[Any, Any]:
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point tensor, not {input.dtype}; use float() first")
    if not hasattr(bins, "dtype") and bins < 1:
        raise ArgumentError(f"{op}: bins must be at least 1, got {bins}")
    if span is not None and not span[0] <= span[1]:
        raise ArgumentError(f"{op}: from {span[0]} to {span[1]} there is nothing; max must be larger than min")
    for name, other in (("bins", bins), ("weight", weight)):
        if getattr(other, "dtype", input.dtype) != input.dtype:
            raise DtypeError(f"{op}: {name} must have the dtype of input, {input.dtype}, not {other.dtype}")
    if weight is not None and weight.shape != input.shape:
        raise ShapeError(f"{op}: weight must have the shape of input, {input.shape}, got {weight.shape}")
    if getattr(weight, "requires_grad", False):
        raise NoGradientError(f"{op} has no gradient with respect to weight; detach() it first, or use bincount")
    found: tuple[Any, Any] = ops.statistics.histogram(input, bins, span, weight, density)
    return found
