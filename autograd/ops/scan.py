"""Scans: running sums, products and extremes, and differences and the integrals that undo them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.accumulate import running_total
from ..engine.graph import Array
from ..engine.primitive import primitive

# ---------------------------------------------------------------- the table
# A running reduction makes each result of the one before. So what its gradient carries backward is the recurrence
# c[t] = g[t] + a[t + 1] * c[t + 1], where a is the derivative of a result in the one before: 1 for a sum, x for a product, a
# share between 0 and 1 for logsumexp. Nothing is divided by: zeros in a product, and any number of them, are nothing special.


def before(x: Array, axis: int, first: float) -> Array:
    """`x` one step later along `axis`, `first` coming first."""
    lead = (slice(None),) * axis
    return np.concatenate([np.full_like(x[(*lead, slice(1))], first), x[(*lead, slice(-1))]], axis)


def carried(g: Array, a: Array, axis: int) -> Array:
    """c[t] = g[t] + a[t + 1] * c[t + 1] along `axis`: what gradients a recurrence with the coefficients `a` carries back."""
    return np.flip(recurrence(np.flip(g, axis), np.roll(np.flip(a, axis), 1, axis), axis), axis)


def _recurrence(x: Array, a: Array, axis: int) -> Array:
    """h[t] = x[t] + a[t] * h[t - 1] along `axis`, and h[0] = x[0]."""
    if 0 < x.size == x.shape[axis] and isinstance(x, np.ndarray):  # of a single row, Python's numbers are several times faster
        h, steps = 0.0, zip(x.ravel().tolist(), [0.0, *a.ravel().tolist()[1:]], strict=True)
        return np.reshape(np.asarray([h := v + f * h for v, f in steps], x.dtype), x.shape)
    out: Array = np.copy(x)
    lead = (slice(None),) * axis
    for t in range(1, x.shape[axis]):
        out[(*lead, t)] += a[(*lead, t)] * out[(*lead, t - 1)]
    return out


def _pull_recurrence(g: Array, a: Array, out: Array, axis: int) -> list[Array]:
    back = carried(g, a, axis)
    return [back, back * before(out, axis, 0)]


def _pull_logcumsumexp(g: Array, x: Array, out: Array, axis: int) -> Array:
    last = before(out, axis, -np.inf)
    share = np.where(last == out, 1, np.exp(last - out))  # of all before; infinities have no difference
    own = np.where(np.isinf(out), 1, np.exp(x - np.where(np.isinf(out), 0, out)))
    return carried(g, share, axis) * np.where(np.isinf(out) & (last == out), 0, own)  # the first infinity has it all


def _argcum(extreme: Any) -> Any:
    def where(x: Array, axis: int) -> Array:
        best = extreme(x, axis)
        steps = np.reshape(np.arange(x.shape[axis], like=best), (-1,) + (1,) * (x.ndim - axis - 1))
        return np.maximum.accumulate(np.where((x == best) | np.isnan(x), steps, 0), axis)

    return where


# fmt: off
recurrence: Any = primitive(_recurrence, "recurrence",  joint=_pull_recurrence,
            says="h[t] = x[t] + a[t] * h[t - 1] along an axis, from h[0] = x[0].")
cumsum: Any  = primitive(running_total, "cumsum",                                           x=lambda g, axis: np.flip(cumsum(np.flip(g, axis), axis), axis),
            says="The running sum of x along an axis (torch.cumsum).")
cumprod      = primitive(lambda x, axis: np.cumprod(x, axis=axis), "cumprod",                 x=lambda g, x, out, axis: carried(g, x, axis) * before(out, axis, 1),
            says="The running product of x along an axis (torch.cumprod).")
logcumsumexp = primitive(lambda x, axis: np.logaddexp.accumulate(x, axis), "logcumsumexp",    x=_pull_logcumsumexp,
            kink="0 as long as all are -inf; to the first that is inf goes all",
            says="The logarithm of the running sum of exp(x) along an axis (torch.logcumsumexp).")
argcummax    = primitive(_argcum(lambda x, axis: np.maximum.accumulate(x, axis)), "argcummax",
            says="Where the greatest element of x so far along an axis is, the last of equal ones (torch.cummax).")
argcummin    = primitive(_argcum(lambda x, axis: np.minimum.accumulate(x, axis)), "argcummin",
            says="Where the smallest element of x so far along an axis is, the last of equal ones (torch.cummin).")
# fmt: on
