"""Ordinary calls of NumPy's differentiable functions, as they are written, and the page about them, docs/numpy.md."""

import re

import numpy as np

from autograd.api import numpy as interop
from autograd.engine.tensor import NUMPY

# What the letters stand for. Floats are in general position: no ties, no zeros, nothing near a kink.
_rng = np.random.default_rng(3)


def _spread(low, high, *shape):
    """Numbers that are apart from each other, in random order."""
    numbers = np.linspace(low, high, int(np.prod(shape)) + 1)[:-1] + (high - low) * 0.3 / np.prod(shape)
    return _rng.permutation(numbers).reshape(shape)


ARRAYS = {
    "x": _spread(-2, 2, 3, 4),
    "y": _spread(-1.9, 2.2, 3, 4),
    "p": _spread(0.3, 3, 3, 4),  # positive
    "q": _spread(0.4, 2.7, 3, 4),
    "u": _spread(-0.9, 0.9, 3, 4),  # between -1 and 1
    "n": np.where(np.arange(12).reshape(3, 4) % 5 == 2, np.nan, _spread(-2, 2, 3, 4)),  # not all a number
    "z": _spread(-2, 2, 2, 3, 4),
    "v": _spread(-2, 2, 5),
    "w": _spread(0.2, 1.5, 5),
    "s": np.array([-1.9, -1.2, 0.1, 0.6, 1.7]),  # sorted, and not evenly spaced
    "A": _spread(-1, 1, 3, 3) + 2 * np.eye(3),
    "B": _spread(-1, 1, 3, 3) - 2 * np.eye(3),
    "m": np.arange(12).reshape(3, 4) % 3 > 0,  # a mask
    "k": np.array([3, 0, 0, 1]),  # positions
}

CALLS = {
    "Ufuncs of one array": """
        np.negative(x)
        np.positive(x)
        np.absolute(x)
        np.fabs(x)
        np.sign(x)
        np.square(x)
        np.sqrt(p)
        np.cbrt(x)
        np.reciprocal(x)
        np.exp(x)
        np.exp2(x)
        np.expm1(x)
        np.log(p)
        np.log2(p)
        np.log10(p)
        np.log1p(p)
        np.sin(x)
        np.cos(x)
        np.tan(u)
        np.arcsin(u)
        np.arccos(u)
        np.arctan(x)
        np.sinh(x)
        np.cosh(x)
        np.tanh(x)
        np.arcsinh(x)
        np.arccosh(p + 1)
        np.arctanh(u)
        np.deg2rad(x)
        np.rad2deg(x)
        np.radians(x)
        np.degrees(x)
        np.floor(x)
        np.ceil(x)
        np.trunc(x)
        np.rint(x)
        np.modf(x)
        np.frexp(x)
        np.conjugate(x)
    """,
    "Ufuncs of two": """
        np.add(x, y)
        np.subtract(x, y)
        np.multiply(x, y)
        np.divide(x, y)
        np.floor_divide(x, y)
        np.power(p, y)
        np.float_power(p, 3)
        np.remainder(x, q)
        np.fmod(x, q)
        np.divmod(x, q)
        np.maximum(x, y)
        np.minimum(x, y)
        np.fmax(x, y)
        np.fmin(x, n)
        np.arctan2(x, y)
        np.hypot(x, y)
        np.logaddexp(x, y)
        np.logaddexp2(x, y)
        np.copysign(x, y)
        np.heaviside(x, y)
        np.ldexp(x, k)
        np.matmul(A, B)
        np.vecdot(x, y)
    """,
    "Ufuncs with keywords, and their methods": """
        np.exp(x, out=np.zeros_like(x))
        np.add(x, y, out=np.zeros_like(x))
        np.sqrt(x, where=x > 0, out=np.zeros_like(x))
        np.divide(x, y, where=m, out=np.zeros_like(x))
        np.multiply(x, y, dtype=np.float64)
        np.add.reduce(x)
        np.add.reduce(x, axis=(0, 1), keepdims=True)
        np.add.reduce(x, axis=1, where=m, initial=3.0)
        np.subtract.reduce(x)
        np.multiply.reduce(x, axis=1)
        np.maximum.reduce(x, axis=None)
        np.minimum.reduce(x, axis=1, initial=0.5)
        np.logaddexp.reduce(x, axis=1)
        np.hypot.reduce(x, axis=0)
        np.add.accumulate(x, axis=1)
        np.multiply.accumulate(x)
        np.maximum.accumulate(x, axis=1)
        np.minimum.accumulate(x)
        np.logaddexp.accumulate(x)
        np.add.outer(v, w)
        np.power.outer(w, v)
        np.arctan2.outer(v, x)
        np.add.reduceat(v, [0, 2, 3])
    """,
    "Reductions": """
        np.sum(x)
        np.sum(x, axis=0, keepdims=True)
        np.sum(x, where=m)
        np.sum(x, axis=1, initial=2.0)
        np.mean(x)
        np.mean(x, axis=1)
        np.mean(x, where=m)
        np.prod(x)
        np.prod(x, axis=(0, 1))
        np.max(x, axis=1)
        np.max(x, initial=-3.0, where=m)
        np.min(x)
        np.amax(x, axis=(0, 1), keepdims=True)
        np.amin(x, axis=0)
        np.std(x)
        np.std(x, axis=0, ddof=1)
        np.var(x, axis=1, keepdims=True)
        np.var(x, where=m)
        np.ptp(x, axis=0)
        np.median(x)
        np.median(x, axis=1)
        np.average(x, axis=0)
        np.average(x, weights=p)
        np.quantile(x, 0.3)
        np.quantile(x, [0.25, 0.6], axis=1)
        np.percentile(x, 40, axis=0, method="nearest")
        np.cumsum(x)
        np.cumsum(x, axis=1)
        np.cumprod(x, axis=0)
        np.cumulative_sum(x, axis=1)
        np.cumulative_prod(x, axis=1)
        np.trace(A)
        np.linalg.norm(x)
    """,
    "Reductions that leave out what is NaN": """
        np.nansum(n, axis=0)
        np.nanprod(n)
        np.nanmean(n, axis=1)
        np.nanmax(n)
        np.nanmin(n, axis=0)
        np.nanstd(n)
        np.nanvar(n, axis=1)
        np.nanmedian(n, axis=1)
        np.nanquantile(n, 0.3)
        np.nanpercentile(n, 60, axis=0)
        np.nancumsum(n, axis=1)
        np.nancumprod(n)
    """,
    "Shapes": """
        np.reshape(x, (4, 3))
        np.ravel(x)
        np.transpose(z, (2, 0, 1))
        np.matrix_transpose(z)
        np.swapaxes(z, 0, 2)
        np.moveaxis(z, 0, -1)
        np.rollaxis(z, 2)
        np.expand_dims(x, (0, 2))
        np.squeeze(z[:1])
        np.broadcast_to(v, (2, 5))
        np.broadcast_arrays(x[0], x)
        np.atleast_1d(x[0, 0])
        np.atleast_2d(v)
        np.atleast_3d(x)
        np.flip(x)
        np.fliplr(x)
        np.flipud(x)
        np.rot90(x)
        np.roll(x, 2)
        np.roll(x, (1, -1), axis=(0, 1))
        np.repeat(x, 2)
        np.repeat(x, [2, 0, 1], axis=0)
        np.tile(x, (2, 1))
        np.resize(x, (2, 7))
        np.copy(x)
        np.astype(x, np.float64)
        np.nan_to_num(n)
        np.real(x)
        np.pad(x, 1)
        np.pad(x, ((0, 1), (2, 0)), constant_values=3.0)
        np.pad(x, 2, mode="edge")
        np.pad(x, 2, mode="reflect")
        np.pad(x, 2, mode="wrap")
    """,
    "Joining and splitting": """
        np.concatenate([x, y], axis=1)
        np.concatenate([x, y], axis=None)
        np.stack([x, y], axis=1)
        np.vstack([x, y])
        np.hstack([x, y])
        np.dstack([x, y])
        np.column_stack([v, w])
        np.block([[A, B], [B, A]])
        np.append(x, y, axis=0)
        np.append(x, v)
        np.insert(x, 1, 5.0, axis=1)
        np.insert(v, 2, w)
        np.delete(x, [0, 2], axis=1)
        np.split(x, 2, axis=1)
        np.split(v, [1, 3])
        np.array_split(v, 3)
        np.hsplit(x, 2)
        np.vsplit(x, 3)
        np.dsplit(z, 2)
        np.unstack(x)
    """,
    "Diagonals and triangles": """
        np.diag(v)
        np.diag(A, 1)
        np.diagflat(v)
        np.diagonal(z, 0, 1, 2)
        np.tril(x)
        np.triu(x, 1)
        np.vander(v)
        np.vander(v, 3, increasing=True)
        np.meshgrid(v, w)
    """,
    "Indexing and selection": """
        np.where(m, x, y)
        np.take(x, k)
        np.take(x, k, axis=1)
        np.take_along_axis(x, k[None], axis=1)
        np.compress([True, False, True], x, axis=0)
        np.extract(m, x)
        np.select([x < 0, x < 1], [x, y * y], 3.0)
        np.choose(k % 2, [x, y])
        np.piecewise(x, [x < 0, x >= 1], [lambda t: t * t, np.exp, 2.0])
        np.clip(x, -1, 1)
        np.clip(x, None, y)
        np.sort(x, axis=0)
        np.partition(v, 2)
        np.unique(v)
        np.trim_zeros(v)
        np.apply_along_axis(np.cumsum, 1, x)
        np.apply_over_axes(np.sum, z, [0, 2])
        np.ediff1d(x)
        np.linspace(v, w, 4)
        np.linspace(0.5, v, 4, endpoint=False, axis=1)
    """,
    "Products": """
        np.dot(A, B)
        np.dot(x, v[:4])
        np.dot(y[:2, :3], z)
        np.vdot(x, y)
        np.inner(x, y)
        np.outer(v, w)
        np.tensordot(z, x, ([1, 2], [0, 1]))
        np.einsum("ij,kj->ik", x, y)
        np.einsum("ii", A)
        np.einsum(x, [0, 1], y, [0, 1], [0])
        np.kron(A, x)
        np.cross(A, B)
        np.convolve(v, w)
        np.convolve(v, w, "same")
        np.correlate(v, w)
        np.correlate(v, w[:3], "full")
    """,
    "Linear algebra": """
        np.linalg.norm(x, axis=1)
        np.linalg.norm(x, 1, axis=0)
        np.linalg.norm(A, "nuc")
        np.linalg.vector_norm(x)
        np.linalg.matrix_norm(A)
        np.linalg.det(A)
        np.linalg.slogdet(A)
        np.linalg.inv(A)
        np.linalg.pinv(x)
        np.linalg.solve(A, B)
        np.linalg.lstsq(x.T, w[:4])[0]
        np.linalg.cholesky(A @ A.T)
        np.linalg.qr(A)
        np.linalg.svd(x, full_matrices=False)[1]
        np.linalg.svdvals(x)
        np.linalg.eigh(A + A.T)
        np.linalg.eigvalsh(A + A.T)
        np.linalg.eig(A)
        np.linalg.matrix_power(A, 3)
        np.linalg.multi_dot([x, x.T, A])
        np.linalg.tensorsolve(A, v[:3])
        np.linalg.tensorinv(A, 1)
        np.linalg.cond(A)
        np.linalg.trace(z)
        np.linalg.diagonal(z)
        np.linalg.outer(v, w)
        np.linalg.tensordot(z, x, axes=([1, 2], [0, 1]))
        np.linalg.matrix_transpose(z)
        np.linalg.cross(A, B)
    """,
    "Statistics, polynomials and signals": """
        np.cov(x)
        np.cov(v, w)
        np.cov(x, rowvar=False, ddof=0)
        np.corrcoef(x)
        np.diff(x)
        np.diff(x, 2, axis=0)
        np.gradient(x)
        np.gradient(v, s)
        np.trapezoid(v, s)
        np.trapezoid(x, dx=0.5, axis=0)
        np.interp([-1.0, 0.3], s, v)
        np.interp(u, s, v)
        np.polyval(v, x)
        np.polyadd(v, w)
        np.polysub(v, w[:3])
        np.polymul(v, w)
        np.polyder(v)
        np.polyint(v, 2, [0.5, 2.0])
        np.polyfit(s, v, 2)
        np.roots(w)
        np.unwrap(3 * v)
        np.sinc(x)
        np.i0(x)
        np.bincount(k, weights=v[:4])
        np.fft.fft(v)
        np.fft.rfft(v)
    """,
}
CALLS = {family: [line.strip() for line in lines.strip().splitlines()] for family, lines in CALLS.items()}

COMPLEX = "the results are complex numbers"
REFUSED = {  # and why
    "np.frexp(x)": "a mantissa and an exponent jump together",
    "np.add.reduceat(v, [0, 2, 3])": "sum slices instead",
    "np.trim_zeros(v)": "the shape depends on values",
    "np.polymul(v, w)": "the shape depends on values; np.convolve does the same but for leading zeros",
    "np.linalg.eig(A)": COMPLEX,
    "np.roots(w)": COMPLEX,
    "np.fft.fft(v)": COMPLEX,
    "np.fft.rfft(v)": COMPLEX,
}


def function_of(text):
    """The function of NumPy that is called."""
    return eval(re.match(r"np\.[\w.]+", text)[0], {"np": np})


CALLED = {function_of(text) for family in CALLS.values() for text in family}


# ---------------------------------------------------------------- the page
_HEAD = """# NumPy's functions on Tensors

`np.f(t)` works on Tensors and differentiates, for {works} of these {all} ordinary calls of NumPy's differentiable functions. The others
raise `UnsupportedError`, which names the function. No call detaches silently. This page is generated by
`python -m tests.numpy_calls` from a list of calls, and the tests run each of them: on Tensors it gives what NumPy gives, its gradient is
that of finite differences, and float32 stays float32.

The letters are arrays of floats: `x`, `y`, `p`, `q` (both positive), `u` (between -1 and 1) and `n` (with NaNs) are (3, 4), `z` is
(2, 3, 4), `v`, `w` and `s` (sorted) are vectors, `A` and `B` square; `m` is a mask, `k` holds positions.

How a call comes to work:

- *op*: the function is in the table of ops ([rules.md](rules.md)), under NumPy's name.
- *ufunc*, *reduction*: by the rules for all ufuncs (`out`, `where`, `dtype`, `reduce`, `accumulate`, `outer`) and all reductions (`where`,
  `initial`, `dtype`, several axes, leaving out NaNs).
- *moves*: the function only moves elements, so it is run on their positions, and the elements follow.
- *composed*: of others, in `autograd/api/numpy.py`.

Functions that write into an array (`np.add.at`, `np.put`, `np.copyto`, ...) are refused, too: write `x[...] = y`.
"""


def how(text):
    """By what a call works."""
    function = function_of(text)
    op = NUMPY.get(function)
    if text in REFUSED:
        return "refused: " + REFUSED[text]
    if op.__qualname__.startswith("moves"):
        return "moves"
    if isinstance(getattr(function, "__self__", None), np.ufunc) or re.search(r"out=|np\.\w+\(.*(where|dtype)=", text):
        return "reduction" if function in interop.REDUCTIONS else "ufunc"
    if op.__module__ != interop.__name__:
        return "op"
    return "reduction" if function in interop.REDUCTIONS else "composed"


def page():
    """The text of docs/numpy.md."""
    lines = [_HEAD]
    calls = [text for family in CALLS.values() for text in family]
    for family, texts in CALLS.items():
        lines += [f"\n## {family}\n", "```python"]
        width = max(map(len, texts))
        lines += [f"{text:{width}}  # {how(text)}" for text in texts]
        lines.append("```")
    return "\n".join(lines).format(works=len(calls) - len(REFUSED), all=len(calls)) + "\n"


if __name__ == "__main__":
    print(page(), end="")
