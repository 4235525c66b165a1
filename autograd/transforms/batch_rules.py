"""What NumPy's functions do to batches: the families, and the functions that belong to each.

A rule is called with the level and the arguments of the function, of which some are batches of that level, none of a later one.
What is in no family here runs sample by sample: right, but slow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..engine.accumulate import running_total, total, total_at
from ..errors import ShapeError
from .batch import METHODS, RULES, Apart, Batched, Level, Places, aligned, back, each, full, own, top

Rule = Callable[..., Any]


def family(rule: Callable[[Any], Rule], *functions: Any) -> None:
    """These functions have the rule that `rule` makes of each."""
    RULES.update((f, rule(f)) for f in functions)


def rule_of(*functions: Any) -> Callable[[Rule], Rule]:
    """Decorate the rule of these functions."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, rule))
        return rule

    return register


# ---------------------------------------------------------------- that take an axis
def shifted(axis: Any, ndim: int) -> Any:
    """Axes of one sample, of so many dims, as axes of all."""
    if isinstance(axis, (tuple, list, range)):
        return tuple(shifted(a, ndim) for a in axis)
    if not -max(ndim, 1) <= (axis := axis.__index__()) < max(ndim, 1):
        raise np.exceptions.AxisError(axis, ndim)
    return axis % max(ndim, 1) + 1


def along(function: Any, place: int, default: Any, flat: bool = False) -> Rule:
    """The rule of `function(x, ..., axis)`: it takes the next axis. None means all axes, or (`flat`) those of x made flat."""

    def rule(level: Level, x: Any, *args: Any, **kwargs: Any) -> Any:
        given = list(args)
        axis = given.pop(place - 1) if len(given) >= place > 0 else kwargs.pop("axis", default)
        if (data := own(level, x)) is None or top(given) is level:
            return each(function)(level, x, *given[: place - 1], axis=axis, **kwargs)
        if "where" in kwargs:
            kwargs["where"] = aligned(level, (x, kwargs["where"]))[1]
        if axis is None and flat:
            data, axis = np.reshape(data, (level.size, x.size)), 0
        axis = range(data.ndim - 1) if axis is None else axis
        if data.ndim == 1 and axis in (0, -1):  # a single number has one axis, to some functions
            found = function(np.expand_dims(data, 1), *given, axis=1, **kwargs)
            return back(level, np.reshape(found, data.shape) if hasattr(found, "dtype") else found)
        return back(level, function(data, *given, axis=shifted(axis, data.ndim - 1), **kwargs))

    return rule


def with_axis(function: Any, flat: bool = False) -> Rule:
    """`along`, for a function that says itself which of its arguments is `axis`, and what that is by default."""
    parameters = signature(function).parameters
    axis = parameters["axis"]
    return along(function, 0 if axis.kind is axis.KEYWORD_ONLY else list(parameters).index("axis"), axis.default, flat)


family(
    with_axis,
    np.prod, np.max, np.amax, np.min, np.amin, np.mean, np.any, np.all, np.count_nonzero, np.nansum, np.std, np.var,
    np.flip, np.diff, np.split, np.array_split, np.unstack, sliding_window_view,
    np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft,
)  # fmt: skip
family(partial(with_axis, flat=True), np.argmax, np.argmin, np.cumprod, np.sort, np.argsort, np.repeat)


def _sum(x: Any, axis: Any, keepdims: bool = False, **options: Any) -> Any:
    if options:
        return np.sum(x, axis, keepdims=keepdims, **options)
    return total(x, axis if isinstance(axis, tuple) else (axis,), keepdims)


def _cumsum(x: Any, axis: int, **options: Any) -> Any:
    return np.cumsum(x, axis, **options) if options else running_total(x, axis)


RULES |= {np.sum: along(_sum, 1, None), np.cumsum: along(_cumsum, 1, None, flat=True)}
METHODS["reduce"] = METHODS["accumulate"] = lambda function: along(function, 1, 0)


@rule_of(np.roll)
def _roll(level: Level, x: Any, shift: Any, axis: Any = None) -> Any:
    data = x.data if axis is not None else np.reshape(x.data, (level.size, x.size))
    return Batched(level, np.reshape(np.roll(data, shift, 1 if axis is None else shifted(axis, x.ndim)), x.data.shape))


# ---------------------------------------------------------------- that work on stacks, of numbers or of matrices
def stacked(function: Any) -> Rule:
    """The rule of a function that does not mind axes before those that it works on."""

    def rule(level: Level, x: Any, *args: Any, **kwargs: Any) -> Any:
        return (
            each(function)(level, x, *args, **kwargs)
            if top((args, kwargs)) is level
            else back(level, function(x.data, *args, **kwargs))
        )

    return rule


family(
    stacked,
    np.astype, np.copy, np.nan_to_num, np.round, np.sinc, np.real, np.imag, np.isneginf, np.isposinf, np.tril, np.triu,
    np.matrix_transpose, np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.linalg.qr, np.linalg.svd,
    np.linalg.svdvals, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.pinv, np.linalg.matrix_rank, np.linalg.matrix_power,
)  # fmt: skip


def elementwise(function: Any) -> Rule:
    """The rule of a function that broadcasts, as ufuncs do."""

    def rule(level: Level, *args: Any, **kwargs: Any) -> Any:
        names = [k for k, v in kwargs.items() if hasattr(v, "dtype") and hasattr(v, "ndim")]
        operands = aligned(level, (*args, *map(kwargs.get, names)))
        return back(level, function(*operands[: len(args)], **kwargs | dict(zip(names, operands[len(args) :], strict=True))))

    return rule


family(elementwise, np.where, np.clip, np.isclose)


def like(function: Any) -> Rule:
    """The rule of what makes an array like another."""

    def rule(level: Level, x: Any, *value: Any, shape: Any = None, **kwargs: Any) -> Any:
        shape = x.shape if shape is None else shape if isinstance(shape, (tuple, list)) else (shape,)
        if top((value, kwargs)) is level:  # to be filled with what differs by sample
            new = {"fill_value": None, "dtype": None} | dict(zip(("fill_value", "dtype"), value, strict=False)) | kwargs
            out = Batched(level, np.empty_like(getattr(x, "data", x), new["dtype"] or x.dtype, shape=(level.size, *shape)))
            out[...] = new["fill_value"]
            return out
        return Batched(level, function(x.data, *value, shape=(level.size, *shape), **kwargs))

    return rule


family(like, np.zeros_like, np.ones_like, np.full_like, np.empty_like)


# ---------------------------------------------------------------- that say what an array is
_ABOUT: dict[Any, Rule] = {
    np.shape: lambda level, x: x.shape,
    np.ndim: lambda level, x: x.ndim,
    np.size: lambda level, x, axis=None: x.size if axis is None else x.shape[axis],
    np.iscomplexobj: lambda level, x: x.dtype.kind == "c",
    np.result_type: lambda level, *xs: np.result_type(*(getattr(x, "dtype", x) for x in xs)),
}
RULES |= _ABOUT


@rule_of(np.array_equal)
def _array_equal(level: Level, x: Any, y: Any, equal_nan: bool = False) -> bool:
    return np.shape(x) == np.shape(y) and bool(np.all((x == y) | ((x != x) & (y != y) & equal_nan)))


# ---------------------------------------------------------------- that move elements
@rule_of(np.reshape)
def _reshape(level: Level, x: Any, shape: Any, order: str = "C", **kwargs: Any) -> Any:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if (known := -prod(shape)) > 0 and x.size % known == 0:
        shape = tuple(x.size // known if n == -1 else n for n in shape)
    if prod(shape) != x.size or order != "C":
        return back(level, each(np.reshape)(level, x, shape, order))
    return Batched(level, np.reshape(x.data, (level.size, *shape), **kwargs))


@rule_of(np.broadcast_to)
def _broadcast_to(level: Level, x: Any, shape: Any, subok: bool = False) -> Any:
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if x.ndim > len(shape):
        raise ShapeError(f"shape {x.shape} does not broadcast to {shape}")
    data = np.reshape(x.data, (level.size, *(1,) * (len(shape) - x.ndim), *x.shape))
    return Batched(level, np.broadcast_to(data, (level.size, *shape)))


@rule_of(np.transpose, np.permute_dims)
def _transpose(level: Level, x: Any, axes: Any = None) -> Any:
    axes = range(x.ndim)[::-1] if axes is None else axes
    if len(axes) != x.ndim:
        raise ShapeError(f"{x.ndim} axes are not put in order by {tuple(axes)}")
    return Batched(level, np.transpose(x.data, (0, *shifted(axes, x.ndim))))


@rule_of(np.squeeze)
def _squeeze(level: Level, x: Any, axis: Any = None) -> Any:
    axis = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axis
    return Batched(level, np.squeeze(x.data, shifted(axis, x.ndim)))


@rule_of(np.expand_dims)
def _expand_dims(level: Level, x: Any, axis: Any) -> Any:
    return Batched(level, np.expand_dims(x.data, shifted(axis, x.ndim + np.size(axis))))


def between(function: Any) -> Rule:
    """The rule of a function of an array and two of its axes, or lists of them."""

    def rule(level: Level, x: Any, first: Any, second: Any) -> Any:
        if not x.ndim and first not in ((), []):
            raise np.exceptions.AxisError(first, 0)
        return Batched(level, function(x.data, shifted(first, x.ndim), shifted(second, x.ndim)))

    return rule


family(between, np.swapaxes, np.moveaxis)


@rule_of(np.diagonal)
def _diagonal(level: Level, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return Batched(level, np.diagonal(x.data, offset, shifted(axis1, x.ndim), shifted(axis2, x.ndim)))


def joining(function: Any, more: int) -> Rule:
    """The rule of a function that makes one array of several, of so many more dims."""

    def rule(level: Level, arrays: Any, axis: Any = 0, **kwargs: Any) -> Any:
        datas = [full(level, a).data for a in arrays]
        return Batched(level, function(datas, axis=shifted(axis, datas[0].ndim - 1 + more), **kwargs))

    return rule


RULES |= {np.concatenate: joining(np.concatenate, 0), np.stack: joining(np.stack, 1)}


# ---------------------------------------------------------------- that pick elements
@rule_of(np.take)
def _take(level: Level, x: Any, indices: Any, axis: Any = None, **kwargs: Any) -> Any:
    x, axis = (np.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    if own(level, indices) is None:
        return Batched(level, np.take(x.data, indices, shifted(axis, x.ndim), **kwargs))
    return full(level, x)[(*(slice(None),) * (axis % x.ndim), indices)]


@rule_of(np.take_along_axis)
def _take_along_axis(level: Level, x: Any, indices: Any, axis: Any = -1) -> Any:
    x, axis = (np.reshape(x, (-1,)), 0) if axis is None else (x, axis)
    return Batched(level, np.take_along_axis(full(level, x).data, full(level, indices).data, shifted(axis, x.ndim)))


@rule_of(np.searchsorted)
def _searchsorted(level: Level, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if own(level, a) is not None or sorter is not None:
        return each(np.searchsorted)(level, a, v, side, sorter)
    return Batched(level, np.searchsorted(a, v.data, side))


@rule_of(np.isin)
def _isin(level: Level, element: Any, test: Any, **kwargs: Any) -> Any:
    return (
        each(np.isin)(level, element, test, **kwargs)
        if own(level, test) is not None
        else Batched(level, np.isin(element.data, test, **kwargs))
    )


@rule_of(np.copyto)
def _copyto(level: Level, out: Any, value: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if own(level, out) is None:
        raise Apart("vmap: np.copyto puts what differs by sample into an array that is the same for all")
    _, value, where = aligned(level, (out, value, where))
    np.copyto(out.data, value, casting, where)


def at(ufunc: Any) -> Rule:
    """The rule of `ufunc.at`."""

    def rule(level: Level, out: Any, index: Any, *values: Any) -> None:
        if (data := own(level, out)) is None:
            raise Apart(f"vmap: np.{ufunc.__name__}.at puts what differs by sample into an array that is the same for all")
        first = index[0] if isinstance(index, tuple) and len(index) == 1 else index
        if (
            ufunc is np.add
            and out.ndim == 1 == getattr(first, "ndim", 0)
            and data.flags.c_contiguous
            and first.dtype.kind in "iu"
        ):
            (n,) = out.shape
            places = full(level, first).data % max(1, n) + np.reshape(np.arange(level.size) * n, (level.size, 1))
            x = np.broadcast_to(aligned(level, (values[0], out))[0], places.shape)
            total_at(np.reshape(data, (-1,)), np.reshape(places, (-1,)), np.reshape(x, (-1,)))
            return
        places = Places(out, index)
        ufunc.at(data, places.index, *(places.given(level, v) for v in values))

    return rule


METHODS["at"] = lambda method: at(method.__self__)


# ---------------------------------------------------------------- products
@rule_of(np.matmul, np.linalg.matmul)
def _matmul(level: Level, x: Any, y: Any) -> Any:
    """Many matrices and one are one product; columns times rows need no product at all."""
    if np.ndim(x) == 1:
        return np.squeeze(np.matmul(np.expand_dims(x, 0), y), -2 if np.ndim(y) > 1 else 0)
    if np.ndim(y) == 1:
        return np.squeeze(np.matmul(x, np.expand_dims(y, 1)), -1)
    one, two = own(level, x), own(level, y)
    if two is None and y.ndim == 2:
        flat = np.matmul(np.reshape(one, (prod(one.shape[:-1]), one.shape[-1])), y)
        return Batched(level, np.reshape(flat, (*one.shape[:-1], y.shape[-1])))
    if one is None and x.ndim == 2 == y.ndim and x.shape[0] > 1:  # the columns of all side by side
        side = np.matmul(x, np.reshape(np.swapaxes(two, 0, 1), (y.shape[0], level.size * y.shape[1])))
        return Batched(level, np.swapaxes(np.reshape(side, (x.shape[0], level.size, y.shape[1])), 0, 1))
    if one is not None and two is not None and x.ndim == 2 == y.ndim and x.shape[1] == 1 == y.shape[0]:
        return Batched(level, np.einsum("nij,njk->nik", one, two))  # half the time of one * two
    return Batched(level, np.matmul(*aligned(level, (x, y))))


family(elementwise, np.vecdot, np.linalg.vecdot)


@rule_of(np.linalg.solve)
def _solve(level: Level, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.squeeze(np.linalg.solve(a, np.expand_dims(b, 1)), -1)
    return Batched(level, np.linalg.solve(*aligned(level, (a, b))))


@rule_of(np.einsum)
def _einsum(level: Level, spec: Any, *xs: Any, **kwargs: Any) -> Any:
    if not isinstance(spec, str) or "->" not in spec:
        return each(np.einsum)(level, spec, *xs, **kwargs)
    terms, result = spec.split("->")
    sample = next(c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba" if c not in spec)
    terms = ",".join(t if own(level, x) is None else sample + t for t, x in zip(terms.split(","), xs, strict=True))
    datas = [x if (data := own(level, x)) is None else data for x in xs]
    return Batched(level, np.einsum(f"{terms}->{sample}{result}", *datas, **kwargs))
