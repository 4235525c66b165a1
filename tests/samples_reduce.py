"""The records of reductions, scans and statistics, which samples.py takes in."""

import numpy as np
from samples import Sample, numpys, variance
from strategies import POSITIVE, REAL, TIED, WHOLE, Domain, call, over

from autograd.api import statistics

KEEP = {"keepdim": [True, False]}
UNORDERED = {"dtypes": "among ties PyTorch promises no particular index"}
FLOATS = dict.fromkeys(("dtypes", "half"), "there are quantiles of float32 and float64 alone")
BYTES = {"dtypes": "sums of bytes overflow in PyTorch"}
SHARES = Domain(0.02, 0.98, (1 / 3, 0.5, 2 / 3), 0.02)  # of up to four elements: never right at one, where a quantile has a kink


# ---------------------------------------------------------------- how calls are drawn
def with_holes(make):
    """Calls of which the first array has a NaN here and there, never at its first element along a dim."""

    def holed(s):
        c = make(s)
        x = c.args[0]
        if x.dtype.kind == "f" and x.ndim:
            holes = (s.rng.random(x.shape) < 0.3) & np.all([i > 0 for i in np.indices(x.shape)], axis=0)
            return call(s._lay(np.where(holes, np.nan, x).astype(x.dtype)), *c.args[1:], **c.kwargs)
        return c

    return holed


def with_ends(s):
    x = s.array(s.shape(dims=(1, 3)))
    dim = s.dim(x.ndim)

    def end():
        return s.array(tuple(s.pick(1, 2) if d == dim % x.ndim else n for d, n in enumerate(x.shape)))

    return call(x, s.between(0, 3), dim, **s.some({"prepend": [end()], "append": [end()]}))


def curve(s):
    y = s.array(s.shape(dims=(1, 3)))
    dim = s.dim(y.ndim)
    points = s.pick(None, s.array(y.shape[dim : dim + 1 or None]), s.array(y.shape))
    return call(y, dim=dim, **s.some({"dx": [2, 0.5]})) if points is None else call(y, points, dim=dim)


def ranked(s):
    x = s.array(s.shape(1, dims=(0, 3)))
    dim = s.dim(x.ndim)
    return call(x, s.between(1, x.shape[dim] if x.ndim else 1), dim, **s.some(KEEP))


def share(s):
    x = s.array(s.shape(1))
    q = s.pick(s.number(SHARES) if s.dtype.kind == "f" else 0.4, s.array((s.between(1, 3),), SHARES))
    rounding = {"interpolation": ["linear", "lower", "higher", "nearest", "midpoint"]}
    chosen = {"dim": s.dim(x.ndim)} if x.ndim > 1 else s.pick({}, {"dim": 0})
    return call(x, q, **chosen, **s.some(KEEP | rounding))


def observations(s):
    x = s.array(s.pick((3,), (1, 3), (2, 4), (3, 3)))
    n = x.shape[-1]
    chosen = s.some({"fweights": [np.arange(1, n + 1)], "aweights": [s.array((n,), POSITIVE)], "correction": [0, 1]})
    return call(x, **chosen)


def repeated(domain):
    def make(s):
        x = s.array(s.shape(1, dims=(1, 3)), domain)
        return call(x, **s.some({"return_inverse": [True], "return_counts": [True], "dim": [s.dim(x.ndim)]}))

    return make


def counted(s):
    x = s.positions((s.length(1),), 4)
    return call(x, s.array(x.shape), s.pick(0, 6))


def binned(s):
    x = s.array(s.shape())  # one element lies in the middle: an odd number of bins, or rounding decides
    return call(x, s.pick(1, 3, 5), **s.pick({}, {"min": -1, "max": 1}))


def binned_between(s):
    x = s.array(s.shape(1))
    edges = np.array([0, 0.5, 1, 2.5], s.dtype)
    return s.pick(call(x, edges), call(x, s.pick(1, 3, 5), **s.pick({}, {"range": (-1.0, 1.5)}, {"density": True})))


# ---------------------------------------------------------------- references
def places(where, x, dim, *args, length=None):
    """What a function of one row finds there, a place or as many as there are elements, for each row of `x` along `dim`."""
    rows = np.moveaxis(x, dim, -1)
    found = np.zeros((*rows.shape[:-1], x.shape[dim] if length is None else length), int)
    for i in np.ndindex(rows.shape[:-1]):
        found[i] = where(rows[i], *args)
    return np.moveaxis(found, -1, dim)


def recurrence(x, a, axis):
    out = np.moveaxis(x.copy(), axis, 0)
    for t in range(1, x.shape[axis]):
        out[t] = out[t] + np.moveaxis(a, axis, 0)[t] * out[t - 1]
    return np.moveaxis(out, 0, axis)


def last_best(better):
    """Where the best so far is, in a row."""

    def row(values):
        best = [0] if len(values) else []
        for i in range(1, len(values)):
            best.append(i if better(values[i], values[best[-1]]) else best[-1])
        return best

    return lambda x, dim: places(row, np.reshape(x, x.shape or (1,)), dim).reshape(x.shape)


def with_places(where):
    """What stands at the places, and the places."""

    def reference(x, dim):
        found = where(x, dim)
        return (np.take_along_axis(x, found, dim) if x.ndim else x), found

    return reference


highest, lowest = last_best(lambda a, b: a >= b), last_best(lambda a, b: a <= b)


def picked(where):
    """A place in each row, and what stands there; `where` finds it."""

    def reference(x, *args, dim=-1, keepdim=False):
        rows = np.reshape(x, x.shape or (1,))
        found = places(where, rows, dim, *args, length=1)
        values = np.take_along_axis(rows, found, dim)
        if not x.ndim:
            return values[0], found[0]
        return (values, found) if keepdim else (np.squeeze(values, dim), np.squeeze(found, dim))

    return reference


def middle_place(row):
    return np.flatnonzero(np.isnan(row))[0] if np.isnan(row).any() else np.argsort(row)[(len(row) - 1) // 2]


def middle_number_place(row):
    return np.argsort(row)[(np.sum(~np.isnan(row)) - 1) // 2]


def frequent_place(row):
    return max(range(len(row)), key=lambda i: (np.sum(row == row[i]), -row[i], i))


def middle(whole, place):
    def reference(x, dim=None, keepdim=False):
        return whole(x, 0.5, method="lower") if dim is None else picked(place)(x, dim=dim, keepdim=keepdim)

    return reference


def share_below(function):
    def reference(x, q, dim=None, keepdim=False, interpolation="linear"):
        return function(x, q, axis=dim if x.ndim else None, method=interpolation, keepdims=keepdim)

    return reference


def distinct(x, return_inverse=False, return_counts=False, dim=None):
    chosen = [True, return_inverse, return_counts]
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    found = values, np.reshape(inverse, x.shape if dim is None else -1), counts
    return tuple(v for v, on in zip(found, chosen, strict=True) if on)


def distinct_neighbours(x, return_inverse=False, return_counts=False, dim=None):
    rows = x.reshape(-1, 1) if dim is None else np.moveaxis(x, dim, 0)
    group = np.cumsum([i > 0 and (row != rows[i - 1]).any() for i, row in enumerate(rows)])
    first = np.unique(group, return_index=True)[1]
    values = x.ravel()[first] if dim is None else np.take(x, first, dim)
    found = values, group.reshape(x.shape) if dim is None else group, np.unique(group, return_counts=True)[1]
    return tuple(v for v, on in zip(found, (True, return_inverse, return_counts), strict=True) if on)


def groups(rows, ordered):
    values, inverse, counts = (distinct if ordered else distinct_neighbours)(rows, True, True, 0)
    return np.array([np.flatnonzero(inverse == i)[0] for i in range(len(values))], int), inverse, counts


def sums_by_number(x, weights=None, minlength=0):
    out = np.zeros(max(minlength, np.max(x, initial=-1) + 1), int if weights is None else float)
    np.add.at(out, x, 1 if weights is None else weights)
    return out


def area(y, x=None, dx=1, dim=-1):
    return np.trapezoid(y, x, dx, dim)


def parabolas(y, x=None, dx=1, dim=-1):
    """Piece by piece: the integral of the parabola through three points, by its Lagrange polynomials."""
    x = dx * np.arange(y.shape[dim]) if x is None else x
    x = np.moveaxis(np.broadcast_to(x, y.shape), dim, -1) if x.ndim > 1 else np.broadcast_to(x, np.moveaxis(y, dim, -1).shape)
    y, n = np.moveaxis(y, dim, -1), y.shape[dim]
    pieces = [(i, i, i + 2) for i in range(0, n - 2, 2)] + [(n - 3, n - 2, n - 1)] * (
        n % 2 == 0
    )  # the first point, from where, to where

    def area(y, x):
        found = 0.0
        for first, start, end in pieces:
            for k in range(first, first + 3):
                others = [x[j] for j in range(first, first + 3) if j != k]
                whole = np.polynomial.Polynomial.fromroots(others).integ()
                found += y[k] * (whole(x[end]) - whole(x[start])) / np.prod(x[k] - others)
        return found

    if n < 3:
        return np.trapezoid(y, x)
    return np.array([area(y[i], x[i]) for i in np.ndindex(y.shape[:-1])]).reshape(y.shape[:-1])


def running_area(y, x=None, dx=1, dim=-1):
    """By the last of the areas up to each point."""
    whole = [area(np.take(y, range(n), dim), x if x is None else np.take(x, range(n), dim if x.ndim > 1 else 0), dx, dim)
             for n in range(2, y.shape[dim] + 1)]  # fmt: skip
    return np.stack(whole, dim) if whole else np.zeros([0 if d == dim % y.ndim else n for d, n in enumerate(y.shape)])


def covariance(x, correction=1, fweights=None, aweights=None):
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


# fmt: off
SAMPLES = [
    # ---- reductions
    Sample("nansum", with_holes(over(**KEEP)), numpys(np.nansum)),
    Sample("nanmean", with_holes(over(least=1, **KEEP)), numpys(np.nanmean)),
    Sample("count_nonzero", over(domain=TIED), numpys(np.count_nonzero), smooth=False),
    Sample("trace", lambda s: call(s.array(s.shape(dims=(2, 2)))), np.trace),
    Sample("var_mean", over(least=2, dims=(1, 3), correction=[0, 1, 0.5], **KEEP), lambda x, dim=None, keepdim=False, **k: (variance(x, dim, keepdim, **k), np.mean(x, dim, keepdims=keepdim))),
    Sample("std_mean", over(least=2, dims=(1, 3), unbiased=[True, False], **KEEP), lambda x, dim=None, keepdim=False, unbiased=True: (np.std(x, dim, ddof=unbiased, keepdims=keepdim), np.mean(x, dim, keepdims=keepdim))),
    Sample("aminmax", over("int none", least=1, **KEEP), lambda x, **k: (numpys(np.min)(x, **k), numpys(np.max)(x, **k))),
    # ---- scans
    Sample("recurrence", lambda s: call(x := s.array(s.shape(dims=(1, 3))), s.array(x.shape), s.between(0, x.ndim - 1)), recurrence),
    Sample("cumprod", over("int"), lambda x, dim: np.cumprod(x, dim).reshape(x.shape)),
    Sample("logcumsumexp", over("int"), lambda x, dim: np.log(np.cumsum(np.exp(x), dim)).reshape(x.shape)),
    Sample("argcummax", lambda s: call(x := s.array(s.shape(dims=(1, 3)), TIED), s.between(0, x.ndim - 1)), highest, smooth=False),
    Sample("argcummin", lambda s: call(x := s.array(s.shape(dims=(1, 3)), TIED), s.between(0, x.ndim - 1)), lowest, smooth=False),
    Sample("cummax", over("int"), with_places(highest)),
    Sample("cummin", over("int"), with_places(lowest)),
    Sample("diff", with_ends, lambda x, n, dim, **ends: np.diff(x, n, dim, **ends), exempt={"dtypes": "NumPy's of booleans with integers is of another dtype"}),
    Sample("trapezoid", curve, area, exempt=BYTES),
    Sample("simpson", curve, parabolas, exempt=BYTES | {"PyTorch": "PyTorch has none"}),
    Sample("cumulative_trapezoid", curve, running_area, exempt=BYTES),
    # ---- order statistics
    Sample("median", over("int none", least=1), middle(np.quantile, middle_place), exempt=UNORDERED),
    Sample("nanmedian", with_holes(over("int none", least=1)), middle(np.nanquantile, middle_number_place), exempt=UNORDERED),
    Sample("kthvalue", ranked, lambda x, k, dim=-1, keepdim=False: picked(lambda row, k: np.argsort(row)[k - 1])(x, k, dim=dim, keepdim=keepdim), exempt=UNORDERED),
    Sample("argmode", lambda s: call(x := s.array(s.shape(1, dims=(1, 3)), TIED), s.between(0, x.ndim - 1)), lambda x, axis: picked(frequent_place)(x, dim=axis, keepdim=True)[1], smooth=False),
    Sample("mode of integers", over("int", domain=WHOLE, least=1, **KEEP), picked(frequent_place), statistics.mode, smooth=False),
    Sample("mode", over("int", least=1, **KEEP), picked(frequent_place)),
    Sample("quantile", share, share_below(np.quantile), exempt=FLOATS),
    Sample("nanquantile", with_holes(share), share_below(np.nanquantile), exempt=FLOATS),
    # ---- covariances, distinct values, counts
    Sample("cov", observations, covariance),
    Sample("corrcoef", lambda s: call(s.array(s.pick((3,), (1, 3), (2, 4), (3, 5)))), np.corrcoef),
    Sample("unique integers", repeated(WHOLE), distinct, statistics.unique, smooth=False),
    Sample("unique", repeated(REAL), distinct),
    Sample("unique_consecutive integers", repeated(WHOLE), distinct_neighbours, statistics.unique_consecutive, smooth=False),
    Sample("unique_consecutive", repeated(REAL), distinct_neighbours),
    Sample("groups", lambda s: call(s.array(s.pick((4, 1), (5, 2), (0, 2)), TIED), s.pick(True, False)), groups, smooth=False),
    Sample("bincount without weights", lambda s: call(s.positions((s.length(),), 4), minlength=s.pick(0, 6)), sums_by_number, statistics.bincount, smooth=False),
    Sample("bincount", counted, sums_by_number, exempt={"half": "PyTorch adds such weights up in double precision"}),
    Sample("histc", binned, lambda x, bins, min=0, max=0: np.histogram(x, bins, None if min == max else (min, max))[0], smooth=False),
    Sample("histogram", binned_between, lambda x, bins, range=None, density=False: np.histogram(x, bins, range, density), smooth=False),
]
# fmt: on
