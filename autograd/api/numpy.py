"""NumPy's functions on Tensors, beyond those that are ops: by a few rules for whole kinds of them, or composed of others.

- What reduces takes NumPy's arguments (`where`, `initial`, `dtype`, several axes), and so do the methods of ufuncs:
  `np.add.reduce` is `np.sum`. Of any ufunc with two arguments `reduce` is a fold, `accumulate` a scan, `outer` broadcasting.
- `np.nansum` and its like are `np.sum` and its like `where` there is no NaN.
- What only moves elements, as `np.pad` and `np.insert` do, runs on their positions, and the elements follow: see `moves`.
- What NumPy and PyTorch mean the same by is one function of ours, called as NumPy's is: see `twin`. The rest is composed.
- Products of matrices take one dtype, as PyTorch's do; called by NumPy's names they take any: see `promoting`.

`out=` of any function, and `where=` and `dtype=` of ufuncs, are seen to in conversion.py. What is missing is refused by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import signature
from itertools import accumulate
from string import ascii_letters
from sys import maxsize
from typing import Any

import numpy as np

from .. import linalg as torch_linalg
from .. import ops
from ..engine.dtypes import as_dtype, promote_types
from ..engine.tensor import NUMPY, Tensor, wrap
from ..engine.warn import leave
from ..errors import ArgumentError, ShapeError, UnsupportedError
from ..ops.elementwise import choose, trunc
from ..ops.index import getindex
from ..ops.linalg import T
from . import creation, decomposition, join, linalg, reduce, scan, scatter, shape, sort, statistics
from .common import one_dim, some_dims
from .creation import from_numpy
from .elementwise import astype
from .names import FUNCTIONS, ONLY_FUNCTIONS
from .spelling import spelled
from .tree import tree_map

Function = Callable[..., Any]
REDUCTIONS: dict[Function, Function] = {}  # what reduces or runs, by the rules below


def numpy(*functions: Function) -> Callable[[Function], Function]:
    """Decorate what these functions of NumPy become on Tensors."""

    def register(function: Function) -> Function:
        NUMPY.update(dict.fromkeys(functions, function))
        return function

    return register


# ---------------------------------------------------------------- one function of ours, called as NumPy's is
NAMES = {  # what NumPy calls an argument, and what it may be called here
    "axis": "dim dims", "axes": "dims", "axis1": "dim1", "axis2": "dim2", "keepdims": "keepdim", "reps": "dims",
    "shift": "shifts", "a_min": "min", "a_max": "max", "k": "diagonal",
    "x": "input", "y": "other", "x2": "other y", "b": "other vec2", "v": "other",
}  # fmt: skip
CHANGE_NOTHING = {*"copy device kind stable subok".split()}  # here: results are new, sorting is stable, there is one device
C_FUNCTIONS = {  # which tell nobody what they take, in some versions
    np.concatenate: "arrays axis", np.inner: "a b", np.where: "condition x y", np.vecdot: "x1 x2 axis",
    np.bincount: "x weights minlength", np.empty_like: "prototype dtype order subok shape device",
}  # fmt: skip


PRODUCTS = (
    np.matmul, np.dot, np.vdot, np.inner, np.vecdot, np.outer, np.kron, np.tensordot, np.convolve, np.correlate, np.cross,
    np.linalg.matmul, np.linalg.vecdot, np.linalg.outer, np.linalg.tensordot, np.linalg.cross, np.linalg.solve, np.linalg.lstsq,
    np.linalg.tensorsolve,
)  # fmt: skip
COMPARING = np.array_equal, np.array_equiv
SAVING = np.save, np.savez, np.savez_compressed, np.savetxt


def twin(function: Function, op: Function) -> Function:
    """`op`, called as NumPy's `function` is; an argument that `op` has not is refused, unless it stands at its default."""

    @functools.cache
    def arguments() -> tuple[int, dict[str, str | None], dict[str, Any]]:
        """How many may stay in their places; for each of NumPy's what it is called in `op`; their defaults."""
        kinds = {n: p.kind for n, p in signature(op).parameters.items()}
        ours = [n for n, kind in kinds.items() if kind.name in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")]
        fixed = [n for n in ours if kinds[n].name == "POSITIONAL_OR_KEYWORD"]
        if not fixed:  # it takes any number of tensors
            return maxsize, {}, {}
        if function in C_FUNCTIONS:
            theirs = dict.fromkeys(C_FUNCTIONS[function].split())
        else:
            theirs = {n: p.default for n, p in signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD}
        names: dict[str, str | None] = {}
        for i, name in enumerate(theirs):
            known = [c for c in (name, *NAMES.get(name, "").split()) if c in ours and c not in names.values()]
            names[name] = ours[0] if i == 0 else known[0] if known else None
        straight = [a == b for a, b in zip(names.values(), fixed)]  # noqa: B905 (one may be longer)
        return [*straight, False].index(False), names, theirs

    @functools.wraps(op, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        straight, names, defaults = arguments()
        if kwargs or len(args) > straight:
            given = dict(zip(names, args)) | kwargs  # noqa: B905 (some may be left out)
            if len(args) > len(names) or not names.keys() >= given.keys():
                odd = [n for n in given if n not in names] or [f"a {len(args)}th argument"]
                raise TypeError(f"it takes {', '.join(names)}, not {odd[0]}")
            args = args[:straight]
            kwargs = {}
            for name, value in list(given.items())[len(args) :]:
                if (ours := names[name]) is not None:
                    kwargs[ours] = value
                elif name not in CHANGE_NOTHING and (type(value) is not type(defaults[name]) or value != defaults[name]):
                    raise TypeError(f"{name}={value!r} is not supported")
        return op(*args, **kwargs)

    return called


# ---------------------------------------------------------------- the same function, by NumPy's name
OURS = FUNCTIONS | ONLY_FUNCTIONS | {"astype": spelled(astype), "vecdot": torch_linalg.vecdot}
OURS |= {name: getattr(creation, name) for name in "full_like zeros_like ones_like empty_like".split()}
SAME = """
    all any argmax argmin argsort argwhere array_split=tensor_split astype atleast_1d atleast_2d atleast_3d bincount broadcast_to
    clip column_stack count_nonzero degrees=rad2deg deg2rad diag diagonal diff dsplit dstack empty_like
    flip fliplr flipud float_power full_like heaviside hsplit hstack i0 inner isin kron matmul moveaxis nan_to_num ones_like outer
    permute_dims=permute power=pow rad2deg radians=deg2rad ravel=flatten reciprocal reshape rint=round roll rot90 round sinc
    allclose isclose squeeze stack tensordot tile trapezoid tril triu unstack=unbind vecdot vsplit vstack where zeros_like
"""
IN_LINALG = """
    cholesky cond det eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank multi_dot norm slogdet svdvals vecdot
    vector_norm
"""


def _same(where: Any, names: str, ours: dict[str, Any]) -> None:
    for name in names.split():
        function, op = getattr(where, name.partition("=")[0]), ours[name.rpartition("=")[2]]
        NUMPY[function] = op if isinstance(function, np.ufunc) and function not in C_FUNCTIONS else twin(function, op)


_same(np, SAME, OURS)
_same(np.linalg, IN_LINALG, vars(torch_linalg))


def from_dlpack(x: Any) -> Tensor:
    """A Tensor that shares the memory of another library's array, handed over by DLPack (torch.from_dlpack)."""
    return from_numpy(np.from_dlpack(x))


def _flat(x: Any) -> Any:
    return np.reshape(x, (-1,))


def _still(x: Any) -> Any:
    """`x` as an array, to find what is piecewise constant in it; a tape, which knows no values, makes this an error."""
    return np.asarray(x.detach() if isinstance(x, Tensor) else x)


# ---------------------------------------------------------------- reductions, and the methods of ufuncs
def _mask(x: Any, where: Any) -> Any:
    return np.broadcast_to(where if isinstance(where, Tensor) else np.asarray(where, bool), x.shape)


def _prod(a: Any, axis: Any, keepdims: bool) -> Any:
    axes = some_dims("prod", axis, a.ndim)
    for i in axes:
        a = reduce.prod(a, i, True)
    return a if keepdims else np.squeeze(a, axes)


def _limit(sign: int) -> Function:
    """The largest number of a dtype, or the smallest."""

    def limit(dtype: Any) -> Any:
        return sign * np.inf if dtype.kind == "f" else getattr(np.iinfo(dtype), "max" if sign > 0 else "min")

    return limit


# ufunc: its reduction, its running form and its identity; the functions that are its reduction; that are its running form
KNOWN: dict[Any, tuple[Any, Any, Any, tuple[Function, ...], tuple[Function, ...]]] = {
    np.add: (reduce.sum, scan.cumsum, 0, (np.sum,), (np.cumsum, np.cumulative_sum)),
    np.multiply: (_prod, scan.cumprod, 1, (np.prod,), (np.cumprod, np.cumulative_prod)),
    np.maximum: (reduce.amax, lambda a, axis: scan.cummax(a, axis).values, _limit(-1), (np.max, np.amax), ()),
    np.minimum: (reduce.amin, lambda a, axis: scan.cummin(a, axis).values, _limit(1), (np.min, np.amin), ()),
    np.logaddexp: (reduce.logsumexp, scan.logcumsumexp, -np.inf, (), ()),
    np.logical_and: (reduce.all, None, True, (), ()),
    np.logical_or: (reduce.any, None, False, (), ()),
}


def _methods(ufunc: Any) -> None:
    """Register `reduce`, `accumulate` and `outer` of a ufunc with two arguments, and the functions that are the same."""
    op, name = NUMPY[ufunc], ufunc.__name__
    whole, running, identity, reductions, scans = KNOWN.get(ufunc, (None, None, None, (), ()))

    def fold(a: Any, axis: Any, keepdims: bool) -> Any:
        a, axis = (_flat(a), 0) if axis is None else (a, one_dim(f"{name}.reduce", axis, a.ndim))
        result = functools.reduce(op, np.unstack(a, axis=axis))
        return np.expand_dims(result, axis) if keepdims else result

    def reduction(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        a = a if dtype is None else astype(a, dtype)
        if where is not True:
            if identity is None:
                raise UnsupportedError(f"np.{name}.reduce with where does not work on Tensors, as it has no identity")
            a = choose(_mask(a, where), a, identity(a.dtype) if callable(identity) else identity)
        result = a if axis == () else (whole or fold)(a, axis, keepdims)
        return result if initial is None else op(initial, result)

    def over_rows(a: Any, axis: Any = 0, *args: Any, **kwargs: Any) -> Any:
        return reduction(a, axis, *args, **kwargs)

    def running_over_rows(a: Any, axis: int = 0, dtype: Any = None) -> Any:
        a, axis = a if dtype is None else astype(a, dtype), one_dim(f"{name}.accumulate", axis, a.ndim)
        return running(a, axis) if running else np.stack(list(accumulate(np.unstack(a, axis=axis), op)), axis)

    def running_over_all(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        return running_over_rows(_flat(a) if axis is None else a, axis or 0, dtype)

    def outer(a: Any, b: Any) -> Any:
        return op(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)

    NUMPY.update({ufunc.reduce: over_rows, ufunc.accumulate: running_over_rows, ufunc.outer: outer})
    REDUCTIONS.update(dict.fromkeys(reductions, reduction) | dict.fromkeys(scans, running_over_all))


for _ufunc in [f for f in NUMPY if isinstance(f, np.ufunc) and f.nin == 2 and f.nout == 1 and f.signature is None]:
    _methods(_ufunc)


def _mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Any = True) -> Any:
    if where is True:
        return reduce.mean(a, axis, keepdims, dtype=dtype)
    return np.sum(a, axis, dtype, keepdims=keepdims, where=where) / np.sum(_mask(a, where), axis, keepdims=keepdims)


def _var(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False, *, where: Any = True
) -> Any:
    a = a if dtype is None else astype(a, dtype)
    if where is True:
        return reduce.var(a, axis, keepdim=keepdims, correction=ddof)
    squares = (a - np.mean(a, axis, keepdims=True, where=where)) ** 2
    return np.sum(squares, axis, keepdims=keepdims, where=where) / (np.sum(_mask(a, where), axis, keepdims=keepdims) - ddof)


def _std(a: Any, *args: Any, **kwargs: Any) -> Any:
    return ops.reduce.root(np.var(a, *args, **kwargs))


def _without_nan(f: Function) -> Function:
    return lambda a, *args, **kwargs: f(a, *args, **kwargs, where=~np.isnan(a))


def _extreme_without_nan(f: Function) -> Function:
    def extreme(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, **kwargs: Any) -> Any:
        none = np.all(np.isnan(a), axis=axis, keepdims=keepdims)
        return np.where(none, np.nan, f(a, axis, keepdims=keepdims, where=~np.isnan(a), **kwargs))

    return extreme


def _running_without_nan(f: Function, fill: int) -> Function:
    return lambda a, *args, **kwargs: f(np.where(np.isnan(a), fill, a), *args, **kwargs)


def _quantile(op: Function, whole: float) -> Function:
    """`op`, one of our quantiles, with NumPy's arguments, `whole` being the q of the largest element."""

    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
    ) -> Any:
        leave("quantile", q)
        q, axes = wrap(np.asarray(_still(q) / whole, a.dtype)), some_dims("quantile", axis, a.ndim)
        rest = [i for i in range(a.ndim) if i not in axes]
        rows = np.reshape(np.transpose(a, (*rest, *axes)), (*(a.shape[i] for i in rest), -1))
        found = op(rows, q, -1, interpolation=method)
        return np.expand_dims(found, tuple(i + q.ndim for i in axes)) if keepdims else found

    return quantile


def _median(quantile: Function) -> Function:
    return lambda a, axis=None, out=None, overwrite_input=False, keepdims=False: quantile(a, 0.5, axis, keepdims=keepdims)


REDUCTIONS |= {
    np.mean: _mean, np.var: _var, np.std: _std,
    np.nansum: _without_nan(np.sum), np.nanprod: _without_nan(np.prod), np.nanmean: _without_nan(np.mean),
    np.nanvar: _without_nan(np.var), np.nanstd: _without_nan(np.std),
    np.nanmax: _extreme_without_nan(np.max), np.nanmin: _extreme_without_nan(np.min),
    np.nancumsum: _running_without_nan(np.cumsum, 0), np.nancumprod: _running_without_nan(np.cumprod, 1),
    np.quantile: _quantile(statistics.quantile, 1), np.nanquantile: _quantile(statistics.nanquantile, 1),
    np.percentile: _quantile(statistics.quantile, 100), np.nanpercentile: _quantile(statistics.nanquantile, 100),
    np.median: _median(np.quantile), np.nanmedian: _median(np.nanquantile),
}  # fmt: skip
NUMPY |= REDUCTIONS


# ---------------------------------------------------------------- what only moves elements
def moves(function: Function) -> Function:
    """`function`, which only moves, repeats and drops elements, as a function of Tensors.

    It is run not on the elements but on their positions, and the elements follow. The positions are imaginary numbers,
    those of the first Tensor's elements 1j, 2j, ...; so whatever is real in the result is a constant that was put in.
    Tensors of integers and booleans are arguments like any other: indices, masks, counts.
    """

    def move(*args: Any, **kwargs: Any) -> Any:
        elements: list[Any] = []
        dtypes: list[Any] = []

        def place(v: Any) -> Any:
            if getattr(v, "dtype", np.dtype(bool)).kind != "f":
                return np.asarray(v) if isinstance(v, Tensor) else v
            if not isinstance(v, Tensor):
                dtypes.extend([v.dtype] if v.ndim else [])
                return v + 0j
            first = 1 + sum(e.shape[0] for e in elements)
            elements.append(_flat(v))
            return 1j * np.arange(first, first + elements[-1].shape[0]).reshape(v.shape)

        def follow(p: Any) -> Any:
            if not elements:
                return wrap(p)
            if p.dtype.kind != "c":
                raise UnsupportedError(f"np.{function.__name__} cannot put a Tensor of floats among {p.dtype}")
            found = getindex(flat, p.imag.astype(np.int64))
            return found + p.real.astype(found.dtype) if p.real.any() else found

        args, kwargs = tree_map(place, (args, kwargs))
        places = function(*args, **kwargs)
        if elements:
            flat = np.concatenate([np.zeros_like(elements[0], shape=(1,)), *elements])
            flat = astype(flat, np.result_type(flat.dtype, *dtypes))
        return tree_map(follow, places)

    return move


@numpy(np.pad)
def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    """One dim after the other, which is cheaper than by `moves`."""
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise UnsupportedError(f"np.pad with mode {mode!r} does not work on Tensors, as it computes new elements")
    leave("pad", constant_values)
    widths, values = (np.broadcast_to(v, (array.ndim, 2)).tolist() for v in (pad_width, constant_values))
    for axis, (sides, fills) in enumerate(zip(widths, values, strict=True)):
        if mode != "constant":
            places: Any = np.pad(np.arange(array.shape[axis]), sides, mode)  # type: ignore[call-overload]
            array = getindex(array, *(slice(None),) * axis, places)
        elif any(sides):
            shapes = [(*array.shape[:axis], n, *array.shape[axis + 1 :]) for n in sides]
            before, after = (np.full_like(array, fill, shape=shape) for fill, shape in zip(fills, shapes, strict=True))
            array = np.concatenate([before, array, after], axis)
    return array


MOVING = "append block broadcast_arrays choose compress delete diagflat extract insert meshgrid resize rollaxis"
NUMPY |= {getattr(np, name): moves(getattr(np, name)) for name in MOVING.split()}


# ---------------------------------------------------------------- composed: what applies functions
@numpy(np.apply_along_axis)
def _apply_along_axis(func1d: Function, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    axis = one_dim("apply_along_axis", axis, arr.ndim)
    rest = arr.shape[:axis] + arr.shape[axis + 1 :]
    found = [func1d(row, *args, **kwargs) for row in np.reshape(np.moveaxis(arr, axis, -1), (-1, arr.shape[axis]))]
    if not found:
        raise ShapeError(f"apply_along_axis has nothing to apply the function to: the tensor has shape {arr.shape}")
    stacked = np.reshape(np.stack(found), (*rest, *np.shape(found[0])))
    new = range(stacked.ndim - len(rest))
    return np.moveaxis(stacked, tuple(len(rest) + i for i in new), tuple(axis + i for i in new))


@numpy(np.apply_over_axes)
def _apply_over_axes(func: Function, a: Any, axes: Any) -> Any:
    for axis in some_dims("apply_over_axes", axes, a.ndim):
        result = func(a, axis)
        a = result if result.ndim == a.ndim else np.expand_dims(result, axis)
    return a


@numpy(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kwargs: Any) -> Any:
    """As in NumPy each function sees only its own elements."""
    y = np.zeros_like(x)
    conditions = [condlist] if np.ndim(condlist[0]) == 0 and x.ndim else list(condlist)
    if len(funclist) == len(conditions) + 1:
        conditions.append(~functools.reduce(np.logical_or, conditions))
    for here, f in zip(conditions, funclist, strict=True):
        y[here] = f(x[here], *args, **kwargs) if callable(f) else f
    return y


# ---------------------------------------------------------------- composed: statistics
@numpy(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    weights = np.ones_like(a) if weights is None else weights
    if np.shape(weights) != a.shape:  # they are those along the axes
        axes = some_dims("average", axis, a.ndim)
        if np.shape(weights) != tuple(a.shape[i] for i in axes):
            raise ShapeError(f"average: weights have shape {np.shape(weights)}, a has {a.shape}, and axis is {axis}")
        weights = np.transpose(weights, tuple(np.argsort(axes).tolist()))
        weights = np.broadcast_to(np.expand_dims(weights, tuple(i for i in range(a.ndim) if i not in axes)), a.shape)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    mean = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def _variables(m: Any, y: Any, rowvar: bool) -> Any:
    """The variables of `m` and perhaps `y`, one in each row."""
    rows = [v if rowvar or np.ndim(v) < 2 else np.transpose(v) for v in (m, y) if v is not None]
    return rows[0] if y is None else np.vstack(rows)


@numpy(np.cov)
def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    correction = int(not bias) if ddof is None else ddof
    return statistics.cov(_variables(m, y, rowvar), correction=correction, fweights=fweights, aweights=aweights)


@numpy(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """Linear between the points; before the first and behind the last constant."""
    i = np.clip(np.searchsorted(_still(xp), _still(x), "right") - 1, 0, len(xp) - 2)
    x, xp, fp = (v if isinstance(v, Tensor) else from_numpy(np.asarray(v)) for v in (x, xp, fp))
    y = fp[i] + (np.clip(x, xp[0], xp[-1]) - xp[i]) / (xp[i + 1] - xp[i]) * (fp[i + 1] - fp[i])
    y = y if left is None else np.where(x < xp[0], left, y)
    return y if right is None else np.where(x > xp[-1], right, y)


# ---------------------------------------------------------------- composed: signals and polynomials
@numpy(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    a, v = (a, v) if len(a) >= len(v) else (v, a)
    n, m = len(a), len(v)
    modes = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}
    if mode not in modes:
        raise ArgumentError(f"convolve: mode is 'full', 'same' or 'valid', got {mode!r}")
    start, length = modes[mode]
    seen = ops.window.unfold(a, ((m, 1, m - 1 - start, 1),), (length,))  # (m, length): under v reversed
    return np.matmul(np.flip(v), seen)


def _slope(f: Any, h: Any, axis: int) -> Any:
    """The slopes between neighbours; at a point the mean of the two next to it, each weighted by the other's distance."""
    slope = np.diff(np.moveaxis(f, axis, -1)) / h
    left, right = (h[:-1], h[1:]) if np.ndim(h) else (1, 1)
    inside = (slope[..., :-1] * right + slope[..., 1:] * left) / (left + right)
    return np.moveaxis(np.concatenate([slope[..., :1], inside, slope[..., -1:]], -1), -1, axis)


@numpy(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    if edge_order != 1:
        raise UnsupportedError(f"np.gradient with edge_order {edge_order} does not work on Tensors; 1 does")
    axes = some_dims("gradient", axis, f.ndim)
    steps = varargs * len(axes) if len(varargs) == 1 else varargs or (1,) * len(axes)
    if len(steps) != len(axes):
        raise ShapeError(f"gradient: {len(steps)} distances were given for {len(axes)} dims")
    found = tuple(_slope(f, np.diff(h) if np.ndim(h) else h, i) for h, i in zip(steps, axes, strict=True))
    return found[0] if len(found) == 1 else found


def _aligned(op: Function) -> Function:
    """`op` on two polynomials, the shorter one filled up with zeros."""

    def both(a1: Any, a2: Any) -> Any:
        n = max(len(a1), len(a2))
        return op(*(np.pad(a, (n - len(a), 0)) for a in (a1, a2)))

    return both


@numpy(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    for c in np.broadcast_to(0.0 if k is None else k, (m,)):
        p = np.append(p / np.arange(len(p), 0, -1), c)
    return p


@numpy(np.linspace)
def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Each is a mean of both ends, weighted by their shares, so these are exact."""
    ends = start + stop
    share = np.linspace(0, 1, num, endpoint, dtype=ends.dtype if ends.dtype.kind == "f" else None)
    share = np.reshape(share, (-1,) + (1,) * ends.ndim)
    made = np.moveaxis(start * (1 - share) + stop * share, 0, axis)
    return made if dtype is None else astype(made, dtype)


@numpy(np.polyfit)
def _polyfit(x: Any, y: Any, deg: int) -> Any:
    powers = np.vander(x, deg + 1)
    scale = np.linalg.norm(powers, axis=0)
    return np.transpose(np.transpose(np.linalg.lstsq(powers / scale, y)[0]) / scale)


# ---------------------------------------------------------------- composed: shapes and places
@numpy(np.expand_dims)
def _expand_dims(a: Any, axis: Any) -> Any:
    lengths = list(a.shape)
    for d in sorted(some_dims("expand_dims", axis, a.ndim + (1 if isinstance(axis, int) else len(axis or ())))):
        lengths.insert(d, 1)
    return ops.shape.reshape(a, tuple(lengths))


@numpy(np.transpose)
def _transpose(a: Any, axes: Any = None) -> Any:
    return shape.permute(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


@numpy(np.take)
def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    indices = indices if isinstance(indices, Tensor) else np.asarray(indices)
    if axis is None:
        return getindex(_flat(a), indices)
    return getindex(a, *(slice(None),) * one_dim("take", axis, a.ndim), indices)


@numpy(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Any, ...]:
    n, parts = ary.shape[axis], indices_or_sections
    if isinstance(parts, int) and parts > 0 and n % parts:
        raise ShapeError(f"split: dim {axis} of length {n} does not split into {parts} parts of one size; use np.array_split")
    return join.tensor_split(ary, parts, axis)


# ---------------------------------------------------------------- composed: linear algebra
@numpy(np.cross)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    return np.moveaxis(linalg.cross(np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1), -1), -1, axisc)


@numpy(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    return decomposition.solve(
        a, b if b.ndim == 1 else np.expand_dims(b, tuple(range(a.ndim - b.ndim)))
    )  # only one dim makes a vector


@numpy(np.linalg.qr)
def _qr(a: Any, mode: str = "reduced") -> Any:
    found = decomposition.qr(a, mode)
    return found.R if mode == "r" else found


@numpy(np.linalg.svd)
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    a = decomposition.lower("svd", a, hermitian)
    return decomposition.svd(a, full_matrices) if compute_uv else decomposition.svdvals(a)


@numpy(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    a = a if axes is None else np.moveaxis(a, tuple(axes), tuple(range(a.ndim - len(axes), a.ndim)))
    rows = _flat(b)
    return np.reshape(np.linalg.solve(np.reshape(a, (rows.shape[0], -1)), rows), a.shape[np.ndim(b) :])


@numpy(np.linalg.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Any:
    rows = int(np.prod(a.shape[:ind]))
    return np.reshape(np.linalg.inv(np.reshape(a, (rows, -1))), a.shape[ind:] + a.shape[:ind])


@numpy(np.einsum)
def _einsum(*args: Any, optimize: Any = False) -> Any:
    if not isinstance(args[0], str):  # operands and lists of numbers in turn, perhaps one more for the result
        spelled = ["".join("..." if i is ... else ascii_letters[i] for i in numbers) for numbers in (*args[1::2], args[-1])]
        terms = ",".join(spelled[:-1]) + f"->{spelled[-1]}" * (len(args) % 2)
        args = (terms, *args[: len(args) // 2 * 2 : 2])
    return linalg.einsum(*args)


# ---------------------------------------------------------------- composed in a line
NUMPY |= {
    np.fabs: lambda x: np.absolute(x),
    np.real: lambda val: val,
    np.conjugate: lambda x: +x,
    np.modf: lambda x: (x - trunc(x), trunc(x)),
    np.divmod: lambda x, y: (np.floor_divide(x, y), np.remainder(x, y)),
    np.ldexp: lambda x1, x2: x1 * np.exp2(np.astype(x2, x1.dtype)),
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: int(np.prod(a.shape)) if axis is None else a.shape[axis],
    np.copy: lambda a, order="K", subok=False: ops.shape.clone(a, order),
    np.concatenate: lambda arrays, axis=0: join.cat([_flat(a) for a in arrays] if axis is None else arrays, axis or 0),
    np.swapaxes: lambda a, axis1, axis2: shape.transpose(a, axis1, axis2),
    np.matrix_transpose: lambda x: T(x),
    np.take_along_axis: lambda arr, indices, axis=-1: scatter.take_along_dim(arr, indices, axis),
    np.sort: lambda a, axis=-1, kind=None, order=None, stable=None: sort.sort(a, axis).values,
    np.nonzero: lambda a: sort.nonzero(a, as_tuple=True),
    np.searchsorted: lambda a, v, side="left", sorter=None: sort.searchsorted(
        *(x if isinstance(x, Tensor) else wrap(np.asarray(x)) for x in (a, v)), side=side, sorter=sorter),
    np.dot: lambda a, b: a * b if not (np.ndim(a) and np.ndim(b)) else np.tensordot(a, b, (-1, -2 if np.ndim(b) > 1 else -1)),
    np.vdot: lambda a, b: linalg.dot(_flat(a), _flat(b)),
    np.linalg.outer: lambda x1, x2: np.outer(x1, x2),
    np.linalg.tensordot: lambda x1, x2, axes=2: np.tensordot(x1, x2, axes),
    np.linalg.cross: lambda x1, x2, axis=-1: np.cross(x1, x2, axis=axis),
    np.linalg.trace: lambda x, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype),
    np.linalg.diagonal: lambda x, offset=0: np.diagonal(x, offset, -2, -1),
    np.linalg.matrix_transpose: lambda x: T(x),
    np.linalg.pinv: lambda a, rcond=None, hermitian=False, rtol=None: decomposition.pinv(
        a, rtol=rcond if rtol is None else rtol, hermitian=hermitian),
    np.linalg.lstsq: lambda a, b, rcond=None: (*decomposition.lstsq(a, b, rcond, driver="gelsd")[:3], decomposition.svdvals(a)),
    np.ptp: lambda a, axis=None, keepdims=False: np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims),
    np.trace: lambda a, offset=0, axis1=0, axis2=1, dtype=None: np.sum(np.diagonal(a, offset, axis1, axis2), -1, dtype),
    np.repeat: lambda a, repeats, axis=None: np.take(
        _flat(a) if axis is None else a, np.repeat(np.arange(np.size(a, axis)), _still(repeats)), axis or 0),
    np.select: lambda condlist, choicelist, default=0: functools.reduce(
        lambda rest, pair: np.where(pair[0], pair[1], rest), list(zip(condlist, choicelist, strict=True))[::-1], default),
    np.partition: lambda a, kth, axis=-1: np.take_along_axis(a, np.argpartition(_still(a), kth, axis), axis),
    np.unique: lambda ar, return_inverse=False, return_counts=False, axis=None: statistics.unique(
        ar, True, return_inverse, return_counts, axis),
    np.corrcoef: lambda x, y=None, rowvar=True: statistics.corrcoef(_variables(x, y, rowvar)),
    np.ediff1d: lambda ary, to_end=None, to_begin=None: np.concatenate(
        [_flat(v) for v in (to_begin, np.diff(_flat(ary)), to_end) if v is not None]),
    np.correlate: lambda a, v, mode="valid":
        np.convolve(a, np.flip(v), mode) if len(a) >= len(v) else np.flip(np.correlate(v, a, mode)),
    np.unwrap: lambda p, discont=None, axis=-1, *, period=2 * np.pi: p
        + (np.unwrap(_still(p), discont, axis, period=period) - _still(p)),
    np.vander: linalg.vander,
    np.polyval: lambda p, x: functools.reduce(lambda y, c: y * x + c, p, np.zeros_like(x)),
    np.polyadd: _aligned(np.add),
    np.polysub: _aligned(np.subtract),
    np.polyder: lambda p, m=1: p if not m else np.polyder(p[:-1] * np.arange(len(p) - 1, 0, -1), m - 1),
}  # fmt: skip


# ---------------------------------------------------------------- what asks for values, not for gradients
def _asks(function: Function) -> Function:
    """`function` of NumPy on the values of Tensors: nothing differentiable comes out of it."""

    def asked(*args: Any, **kwargs: Any) -> Any:
        found = function(*tree_map(_value, args), **tree_map(_value, kwargs))
        return wrap(np.asarray(found)) if isinstance(found, (np.ndarray, np.generic)) else found

    return asked


def _value(v: Any) -> Any:
    return v.array if isinstance(v, Tensor) else v


NUMPY |= {f: _asks(f) for f in (*COMPARING, *SAVING)}


# ---------------------------------------------------------------- products of two dtypes
def promoting(function: Function, operands: int = maxsize) -> Function:
    """`function`, the first `operands` of whose arrays are brought to one dtype first, which is that of np.add."""

    def called(*args: Any, **kwargs: Any) -> Any:
        given = [v for v in (*args, *kwargs.values()) if hasattr(v, "dtype")][:operands]
        dtypes = [as_dtype(v.dtype) for v in given]
        if len(set(dtypes)) < 2:
            return function(*args, **kwargs)
        dtype, chosen = functools.reduce(promote_types, dtypes), {id(v) for v in given}

        def cast(v: Any) -> Any:
            return np.astype(v, dtype) if id(v) in chosen else v

        return function(*map(cast, args), **{name: cast(v) for name, v in kwargs.items()})

    return functools.wraps(function, updated=())(called)


NUMPY |= {f: promoting(NUMPY[f], 2) for f in PRODUCTS} | {np.einsum: promoting(NUMPY[np.einsum])}
