"""Reductions: sums, means and spreads, extremes and where they are."""

from __future__ import annotations

import builtins

import numpy as np

from ..engine.accumulate import count, total
from ..engine.graph import Array
from ..engine.primitive import primitive

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table
def keep(g: Array, axis: Axis, keepdims: bool) -> Array:
    """Put back, with length 1, the axes that a reduction removed; the first ones broadcasting puts back by itself."""
    return g if keepdims or builtins.max(axis, default=-1) < len(axis) else np.expand_dims(g, axis)


def broadcast_to(g: Array, shape: Axis) -> Array:
    """`g` repeated to a shape: of little a copy, which is made in a fraction of the time that a view takes."""
    if not isinstance(g, (np.ndarray, np.generic)) or count(shape, range(len(shape))) > 1000:
        return np.broadcast_to(g, shape)
    out = np.empty(shape, g.dtype)
    out[...] = g
    return out


def ties(x: Array, out: Array, axis: Axis | None, keepdims: bool) -> Array:
    """How much of each element went into the one that was picked: equal shares among the tied, as NaNs are too."""
    top = out if axis is None else keep(out, axis, keepdims)
    mask = np.astype((x == top) | np.isnan(x) & np.isnan(top), x.dtype)
    return mask / total(mask, tuple(range(x.ndim)) if axis is None else axis, True)


def _sum(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return total(x, axis, keepdims) if x.dtype.kind == "f" else np.sum(x, axis=axis, keepdims=keepdims, dtype=np.int64)


def _mean(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return total(x, axis, keepdims) / count(x.shape, axis)


def _var(x: Array, axis: Axis, keepdims: bool, correction: float) -> Array:
    away = x - _mean(x, axis, True)
    return total(away * away, axis, keepdims) / freedom(x.shape, axis, correction)


def _amax(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return np.max(x, axis=axis, keepdims=keepdims)


def _amin(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    return np.min(x, axis=axis, keepdims=keepdims)


def _logsumexp(x: Array, axis: Axis, keepdims: bool = False) -> Array:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)  # a row of -inf stays one
    sums = total(np.exp(x - top), axis, True)
    with np.errstate(divide="ignore"):
        out = np.log(sums) + top
    return out if keepdims else np.squeeze(out, axis)


def share(x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    """How much of exp(out) each exp(x) is: infinities share equally, and of nothing but -inf none has a share."""
    out = keep(out, axis, keepdims)
    if type(out) is np.ndarray and np.all(np.isfinite(out)):  # np.where takes longer than all else
        return np.exp(x - out)
    most = np.astype((x == out) & (out == np.inf), x.dtype)
    return np.where(np.isinf(out), most / np.maximum(total(most, axis, True), 1), np.exp(x - out))


def _argmax(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmax(x, axis=axis, keepdims=keepdims)


def _argmin(x: Array, axis: int | None, keepdims: bool) -> Array:
    return np.argmin(x, axis=axis, keepdims=keepdims)


def freedom(shape: tuple[int, ...], axis: Axis, correction: float) -> float:
    """What the squared deviations over `axis` are divided by."""
    return builtins.max(0, count(shape, axis) - correction)


# fmt: off
sum       = primitive(_sum, "sum",     x=lambda g, x_shape, axis, keepdims: broadcast_to(keep(g, axis, keepdims), x_shape), linear=True,
            says="The sum of x over the axes (torch.sum).")
mean      = primitive(_mean, "mean",   x=lambda g, x_shape, axis, keepdims: broadcast_to(keep(g / count(x_shape, axis), axis, keepdims), x_shape), linear=True,
            says="The mean of x over the axes (torch.mean).")
var       = primitive(_var, "var",     x=lambda g, x, x_shape, axis, keepdims, correction: keep(g * 2 / freedom(x_shape, axis, correction), axis, keepdims) * (x - mean(x, axis, True)),
            says="The mean squared distance of x from its mean over the axes, with correction taken from the count (torch.var).")
amax      = primitive(_amax, "amax",   x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * ties(x, out, axis, keepdims),
            kink="ties share equally",
            says="The greatest element of x over the axes (torch.amax).")
amin      = primitive(_amin, "amin",   x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * ties(x, out, axis, keepdims),
            kink="ties share equally",
            says="The smallest element of x over the axes (torch.amin).")
logsumexp = primitive(_logsumexp, "logsumexp", x=lambda g, x, out, axis, keepdims: keep(g, axis, keepdims) * share(x, out, axis, keepdims),
            kink="0 where all are -inf; those that are inf share equally",
            says="The logarithm of the sum of exp(x) over the axes, without overflow on the way (torch.logsumexp).")
root       = primitive(np.sqrt, "root", x=lambda g, out: g * 0.5 / (out + (out == 0)) * (out != 0), singular=True,
            kink="0 at x = 0, where the slope is infinite: what makes std of a constant have gradient 0",
            says="The square root of x, whose derivative at 0 is taken to be 0 (torch.std is made of it).")  # sqrt, with the subgradient 0 at 0
argmax    = primitive(_argmax, "argmax",
            says="Where along an axis the first greatest element of x is (torch.argmax).")
argmin    = primitive(_argmin, "argmin",
            says="Where along an axis the first smallest element of x is (torch.argmin).")
argsort   = primitive(lambda x, axis: np.reshape(np.argsort(x, axis=axis, kind="stable"), np.shape(x)), "argsort",
            says="The positions along an axis that put x in order; equal elements stay in theirs (torch.argsort).")  # NumPy makes 0-d arrays 1-d
all       = primitive(lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims), "all",
            says="Whether along the axes no element of x is 0 (torch.all).")
any       = primitive(lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims), "any",
            says="Whether along the axes some element of x is not 0 (torch.any).")
# fmt: on
