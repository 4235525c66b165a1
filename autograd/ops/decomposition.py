"""Decompositions of matrices and what is made of them: inverses, determinants, eigen- and singular values, norms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from math import factorial
from string import ascii_lowercase
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import ArgumentError, NoGradientError
from .linalg import T

Gradients = list[Any]  # of several results, None for those that nobody used


# ---------------------------------------------------------------- what the rules are made of
def row(x: Array) -> Array:
    """A vector as a matrix of one row: times it, each column of a matrix is multiplied by a number."""
    return np.expand_dims(x, -2)


def eye(x: Array) -> Array:
    """The identity, as often as there are matrices in `x`, which are square."""
    return np.tril(np.triu(np.ones_like(x)))


def over(d: Array, near: Array) -> Array:
    """1 / d, but 0 where `near` says that d is as good as 0."""
    return np.logical_not(near) / (d + near)


def _near(d: Array, w: Array) -> Array:
    """Where `d` is 0 but for rounding, if it was computed from a matrix with eigen- or singular values `w`.

    LAPACK's are off by a few eps times the largest: of repeated ones, no two were seen to differ by more than 8.
    """
    top = np.max(np.abs(w), axis=-1, initial=0)
    return np.abs(d) <= 16 * float(np.finfo(d.dtype).eps) * np.expand_dims(top, tuple(range(top.ndim, d.ndim)))


def _defined(x: Array, hole: Array, why: str) -> Array:
    """`x`, a gradient that does not exist where `hole` is: there it may only be 0."""
    if np.any(np.logical_and(hole, x != 0)):
        raise NoGradientError(why)
    return x


@contextmanager
def _advice(text: str) -> Iterator[None]:
    """Say what to do when LAPACK fails."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(text) from error


def finite(op: str, x: Array) -> Array:
    """`x`, unless it holds a NaN or an inf, in which LAPACK might look for singular values or eigenvalues without end."""
    if not np.all(np.isfinite(x)):
        raise ArgumentError(f"{op}: a matrix holds a NaN or an inf")
    return x


# ---------------------------------------------------------------- inverses
def _inv(x: Array) -> Array:
    with _advice("a matrix is singular; pinv has an answer for those"):
        return np.linalg.inv(x)


def _solve(a: Array, b: Array) -> Array:
    with _advice("a matrix is singular; lstsq has an answer for those"):
        return np.linalg.solve(a, b)


def _pull_solve(g: Array, a: Array, out: Array, needs: tuple[bool, ...]) -> Gradients:
    d = solve(T(a), g)
    return [-d @ T(out) if needs[0] else None, d]


def _pinv(x: Array, atol: Any, rtol: Any) -> Array:
    u, s, vh = np.linalg.svd(finite("pinv", x), full_matrices=False)
    used = _above(s, atol, rtol)
    return T(vh) @ (np.expand_dims(used / (s + np.logical_not(used)), -1) * T(u))


def _pull_pinv(g: Array, x: Array, out: Array) -> Array:
    """Where the rank does not change. Source: Golub and Pereyra (1973), The differentiation of pseudo-inverses."""
    p = T(out)
    left, right = T(g) @ out @ p, p @ out @ T(g)
    return left - x @ (out @ left) + right - right @ out @ x - p @ g @ p


def _above(s: Array, atol: Any, rtol: Any) -> Array:
    """Which of some singular values, sorted, count as greater than 0; the tolerances are numbers, or columns of one for each matrix."""
    return s > np.maximum(rtol * s[..., :1], atol)


# ---------------------------------------------------------------- the exponential
_TERMS = [1 / factorial(n) for n in range(21)]  # of the series, up to x**20 / 20!


def _matrix_exp(x: Array, blocks: int) -> Array:
    """The series of x / 2**n, which is short, squared n times.

    `x` is made of so many times so many blocks, those below its diagonal 0 and those on it the same matrix, whose norm says
    what n is. So what stands above the diagonal, which is a gradient, comes out linear in what stands there.
    """
    size = x.shape[-1] // blocks
    norm = np.max(np.sum(np.abs(x[..., :size, :size]), axis=-2), axis=-1, initial=0)
    halvings = np.ceil(np.log2(np.maximum(np.where(np.isfinite(norm), norm, 1), 1)))
    x = x * np.astype(np.expand_dims(np.exp2(-halvings), (-2, -1)), x.dtype)
    powers = [eye(x), x, x @ x]
    powers += [powers[2] @ x, powers[2] @ powers[2]]
    out = _TERMS[20] * powers[0]
    for n in range(16, -1, -4):  # by powers of the fourth power: 7 products instead of 19
        out = out @ powers[4] + sum(_TERMS[n + i] * powers[i] for i in range(4))
    while np.any(halvings > 0):
        out, halvings = np.where(np.expand_dims(halvings > 0, (-2, -1)), out @ out, out), halvings - 1
    return out


def _pull_matrix_exp(g: Array, x: Array, blocks: int) -> Array:
    """The exponential of [[x.T, g], [0, x.T]] has the gradient where g stands.

    Source: Najfeld and Havel (1995), Derivatives of the matrix exponential and their computation.
    """
    n, t = x.shape[-1], T(x)
    pair = np.concatenate([np.concatenate([t, g], -1), np.concatenate([np.zeros_like(t), t], -1)], -2)
    return matrix_exp(pair, 2 * blocks)[..., :n, n:]


# ---------------------------------------------------------------- determinants
def _cofactor(x: Array, *hs: Array) -> Array:
    """The gradient of the determinant; given matrices `hs`, its derivative in the directions of all of these.

    The determinant is a polynomial: no derivative of it is singular, even if `x` is. By its singular values (U and V turn
    x into a diagonal matrix, which leaves determinants as they are, but for a sign), the derivative in m directions is

        sum over all ways to pick m rows of   the product of the other singular values
                                            * the sum over all permutations of those rows of  sign * h1[i, i'] * h2[j, j'] ...

    of which the gradient is what stands beside the last of the hs.
    """
    u, s, vh = np.linalg.svd(finite("det", x))
    one = eye(np.ones_like(x, shape=x.shape[-2:]))
    m = len(hs) + 1
    letters = ascii_lowercase[:m]
    picked = [np.reshape(one, (1,) * i + one.shape[:1] + (1,) * (m - 1 - i) + one.shape[1:]) for i in range(m)]
    times = sum(picked)  # how often each row is picked, for every way to pick m
    rest = np.where(times, 1, np.expand_dims(s, tuple(range(-m - 1, -1))))
    rest = np.prod(rest, axis=-1) * np.all(times <= 1, axis=-1)
    turned = [T(u) @ h @ T(vh) for h in hs]
    total = np.zeros_like(x)
    for order in permutations(range(m)):
        pairs = [letters[i] + letters[j] for i, j in enumerate(order)]
        own = len(set(pairs[-1])) == 1
        terms = [f"...{letters}", *("..." + p for p in pairs[:-1])]
        part = np.einsum(f"{','.join(terms)}->...{pairs[-1][own:]}", rest, *turned)
        total = total + float(np.linalg.det(np.eye(m)[list(order)])) * (row(part) * one if own else part)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vh))
    return np.expand_dims(sign, (-2, -1)) * (u @ total @ vh)


def _pull_cofactor(g: Array, x: Array, hs: tuple[Array, ...], needs: tuple[bool, ...]) -> Gradients:
    """One direction more; or, as it is linear in each of them and their order does not matter, another one."""
    own = [cofactor(x, *hs[:i], g, *hs[i + 1 :]) if needs[i + 1] else None for i in range(min(len(hs), len(needs) - 1))]
    return [cofactor(x, *hs, g) if needs[0] else None, *own]


def _pull_slogdet(g: Gradients, x: Array, out: tuple[Array, Array]) -> Array:
    if g[1] is None:  # the sign is constant
        return np.zeros_like(x)
    dead = np.expand_dims(out[0] == 0, (-2, -1))
    d = defined(np.expand_dims(g[1], (-2, -1)), dead, "slogdet of a singular matrix has no gradient, as its logarithm is -inf")
    return d * T(inv(np.where(dead, eye(x), x)))


# ---------------------------------------------------------------- decompositions
def _cholesky(x: Array) -> Array:
    with _advice("a matrix is not positive definite; if it almost is, add a little to its diagonal"):
        return np.linalg.cholesky(x)


def _pull_cholesky(g: Array, out: Array) -> Array:
    """Source: Murray (2016), Differentiation of the Cholesky decomposition."""
    inverse, d = inv(out), T(out) @ g
    d = T(inverse) @ (np.tril(d) + np.tril(d, -1)) @ inverse
    return 0.25 * (d + T(d))


def _qr(x: Array, mode: Any) -> Any:
    return tuple(np.linalg.qr(x, mode))


def _pull_qr(g: Gradients, x_shape: Any, out: tuple[Array, Array], mode: str) -> Array:
    """Source: Walter and Lehmann (2018), Algorithmic differentiation of linear algebra functions with applications."""
    q, r = out
    if q.shape[-1] > x_shape[-1]:
        raise NoGradientError(f"qr: mode 'complete' has no gradient for matrices {x_shape[-2:]}, higher than wide; use 'reduced'")
    dead = np.any(near(np.diagonal(r, 0, -2, -1), np.sum(np.abs(r), axis=-2)), axis=-1)
    dead = np.expand_dims(dead, (-2, -1))
    why = "qr of matrices whose columns depend on each other has no gradient"
    gq, gr = (np.zeros_like(v) if d is None else defined(d, dead, why) for d, v in zip(g, out, strict=True))
    m = r @ T(gr) - T(gq) @ q
    return T(solve(np.where(dead, eye(r), r), T(gq + q @ (np.tril(m) + T(np.tril(m, -1))))))


def _eigh(x: Array) -> Any:
    return tuple(np.linalg.eigh(finite("eigh", x)))


_TURNS = "{} that belong to repeated or almost repeated {} have no gradient: any rotation of them would do as well"


def _pull_eigh(g: Gradients, out: tuple[Array, Array]) -> Array:
    """The values move by how much x stretches their vectors, the vectors turn towards each other, and faster the closer their values.

    Source: Giles (2008), Collected matrix derivative results; symmetric, as x is.
    """
    (w, v), (gw, gv) = out, g
    if gv is None:
        return (v * row(gw)) @ T(v)
    gaps = row(w) - np.expand_dims(w, -1)
    close = near(gaps, w)
    gv = defined(gv, row(np.sum(close, axis=-2) > 1), "eigh: " + _TURNS.format("eigenvectors", "eigenvalues"))
    d = v @ (T(v) @ gv * over(gaps, close))
    d = (d if gw is None else d + v * row(gw)) @ T(v)
    return 0.5 * (d + T(d))


def _svd(x: Array, full: bool) -> Any:
    return tuple(np.linalg.svd(finite("svd", x), full_matrices=full))


def _pull_svd(g: Gradients, x_shape: Any, out: tuple[Array, Array, Array]) -> Array:
    """Source: Giles (2008), as for `eigh`, of which this is two; the gradient of a singular value at 0 is 0."""
    (u, s, vh), (gu, gs, gvh) = out, g
    k = s.shape[-1]
    u, v = u[..., :k], T(vh)[..., :k]
    stretch = 0 if gs is None else u * row(gs * (s != 0))
    if gu is None and gvh is None:
        return stretch @ T(v)
    why = "svd: " + _TURNS.format("singular vectors", "singular values (or to 0, if not square)")
    sums, gaps = row(s) + np.expand_dims(s, -1), row(s) - np.expand_dims(s, -1)
    close, zero = near(gaps, s), near(s, s)
    repeated = np.sum(close, axis=-2) > 1
    turns, across = [], []  # by how much each vector turns towards each other, and to where none of them points
    for d, w, n in (gu, u, x_shape[-2]), (None if gvh is None else T(gvh), v, x_shape[-1]):
        d = np.zeros_like(w) if d is None else d
        hole = np.logical_or(repeated, zero) if n > k else repeated
        if d.shape[-1] > k:
            hole = np.concatenate([hole, np.ones_like(hole, shape=(*hole.shape[:-1], d.shape[-1] - k))], -1)
        d = defined(d, row(hole), why)[..., :k]
        turns.append(T(w) @ d)
        across.append((d - w @ turns[-1]) * row(over(s, zero)) if n > k else None)
    both, other = turns[0] + turns[1], turns[0] - turns[1]
    d = (both - T(both)) * over(gaps, close) + (other - T(other)) * over(sums, near(sums, s))
    d = stretch + u @ (0.5 * d)
    d = d if across[0] is None else d + across[0]
    return d @ T(v) if across[1] is None else d @ T(v) + u @ T(across[1])


# fmt: off
near     = primitive(_near, "near",
            says="Where the differences d of eigenvalues or singular values are 0 but for rounding.")
defined: Any = primitive(_defined, "defined",  x=lambda g, hole, why: defined(g, hole, why), view=True,
            says="x, a gradient that does not exist where there is a hole: there it may only be 0.")
inv: Any = primitive(_inv, "inv",              x=lambda g, out: -T(out) @ g @ T(out),
            says="The inverse of the matrices x (torch.linalg.inv).")
solve: Any = primitive(_solve, "solve",        joint=_pull_solve,
            says="The solution X of the linear systems a @ X = b (torch.linalg.solve).")
pinv     = primitive(_pinv, "pinv",            x=_pull_pinv,
            says="The pseudoinverse of the matrices x (torch.linalg.pinv).")
matrix_exp: Any = primitive(_matrix_exp, "matrix_exp",  x=_pull_matrix_exp,
            says="The exponential series of the matrices x (torch.linalg.matrix_exp).")
mirror   = primitive(lambda x: np.tril(x) + T(np.tril(x, -1)), "mirror",  x=lambda g: g,
            says="The symmetric matrices that have the lower triangles of x.")  # as if x were symmetric already
det      = primitive(lambda x: np.linalg.det(x), "det",  x=lambda g, x: np.expand_dims(g, (-2, -1)) * cofactor(x),
            says="The determinant of the matrices x (torch.linalg.det).")
cofactor: Any = primitive(_cofactor, "cofactor",  joint=_pull_cofactor,
            says="The gradient of the determinant of x; given matrices hs, its derivative in the directions of all of these.")
slogdet: Any = primitive(lambda x: tuple(np.linalg.slogdet(x)), "slogdet",  x=_pull_slogdet,
            kink="refused where the determinant is 0, unless g is 0",
            says="The sign of the determinant of the matrices x, and the logarithm of its absolute value (torch.linalg.slogdet).")
cholesky = primitive(_cholesky, "cholesky",    x=_pull_cholesky,
            says="The lower triangle L with L @ L.T = x (torch.linalg.cholesky).")
qr: Any  = primitive(_qr, "qr",                x=_pull_qr,
            kink="refused where columns depend on each other, unless g is 0",
            says="The matrices x as orthogonal Q times upper triangular R (torch.linalg.qr).")
eigh: Any = primitive(_eigh, "eigh",           x=_pull_eigh,
            kink="that of eigenvectors is refused where eigenvalues repeat, unless it is 0; that of eigenvalues is right there",
            says="Eigenvalues, in ascending order, and eigenvectors of symmetric matrices x (torch.linalg.eigh).")
svd: Any = primitive(_svd, "svd",              x=_pull_svd,
            kink="that of singular vectors is refused where singular values repeat, unless it is 0; 0 for a singular value of 0",
            says="The singular value decomposition of the matrices x, as U, S and V.T (torch.linalg.svd).")
eigvalsh = primitive(lambda x: np.linalg.eigvalsh(finite("eigvalsh", x)), "eigvalsh",  x=lambda g, x: _pull_eigh([g, None], eigh(x)),
            says="The eigenvalues of symmetric matrices x, in ascending order (torch.linalg.eigvalsh).")
svdvals  = primitive(lambda x: np.linalg.svd(finite("svdvals", x), compute_uv=False), "svdvals",  x=lambda g, x, x_shape: _pull_svd([None, g, None], x_shape, svd(x, False)),
            kink="0 for a singular value of 0",
            says="The singular values of the matrices x, in descending order (torch.linalg.svdvals).")
# fmt: on
