"""Decompositions of matrices and what is made of them: inverses, determinants, eigen- and singular values, norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from math import inf
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive
from ..engine.tensor import NUMPY
from ..errors import ArgumentError, DtypeError, NoGradientError, ShapeError, describe
from .common import Dims, public, some_dims
from .elementwise import astype
from .linalg import T, same_dtype, vector_norm
from .reduce import amax, amin, sum_
from .shape import clone

Gradients = list[Any]  # of several results, None for those that nobody used


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


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
    d = solve_(T(a), g)
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
    own = [cofactor_(x, *hs[:i], g, *hs[i + 1 :]) if needs[i + 1] else None for i in range(min(len(hs), len(needs) - 1))]
    return [cofactor_(x, *hs, g) if needs[0] else None, *own]


def _pull_slogdet(g: Gradients, x: Array, out: tuple[Array, Array]) -> Array:
    if g[1] is None:  # the sign is constant
        return np.zeros_like(x)
    dead = np.expand_dims(out[0] == 0, (-2, -1))
    d = defined_(np.expand_dims(g[1], (-2, -1)), dead, "slogdet of a singular matrix has no gradient, as its logarithm is -inf")
    return d * T(inv_(np.where(dead, eye(x), x)))


# ---------------------------------------------------------------- decompositions
def _cholesky(x: Array) -> Array:
    with _advice("a matrix is not positive definite; if it almost is, add a little to its diagonal"):
        return np.linalg.cholesky(x)


def _pull_cholesky(g: Array, out: Array) -> Array:
    """Source: Murray (2016), Differentiation of the Cholesky decomposition."""
    inverse, d = inv_(out), T(out) @ g
    d = T(inverse) @ (np.tril(d) + np.tril(d, -1)) @ inverse
    return 0.25 * (d + T(d))


def _qr(x: Array, mode: Any) -> Any:
    return tuple(np.linalg.qr(x, mode))


def _pull_qr(g: Gradients, x_shape: Any, out: tuple[Array, Array], mode: str) -> Array:
    """Source: Walter and Lehmann (2018), Algorithmic differentiation of linear algebra functions with applications."""
    q, r = out
    if q.shape[-1] > x_shape[-1]:
        raise NoGradientError(f"qr: mode 'complete' has no gradient for matrices {x_shape[-2:]}, higher than wide; use 'reduced'")
    dead = np.any(near_(np.diagonal(r, 0, -2, -1), np.sum(np.abs(r), axis=-2)), axis=-1)
    dead = np.expand_dims(dead, (-2, -1))
    why = "qr of matrices whose columns depend on each other has no gradient"
    gq, gr = (np.zeros_like(v) if d is None else defined_(d, dead, why) for d, v in zip(g, out, strict=True))
    m = r @ T(gr) - T(gq) @ q
    return T(solve_(np.where(dead, eye(r), r), T(gq + q @ (np.tril(m) + T(np.tril(m, -1))))))


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
    near = near_(gaps, w)
    gv = defined_(gv, row(np.sum(near, axis=-2) > 1), "eigh: " + _TURNS.format("eigenvectors", "eigenvalues"))
    d = v @ (T(v) @ gv * over(gaps, near))
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
    near, zero = near_(gaps, s), near_(s, s)
    repeated = np.sum(near, axis=-2) > 1
    turns, across = [], []  # by how much each vector turns towards each other, and to where none of them points
    for d, w, n in (gu, u, x_shape[-2]), (None if gvh is None else T(gvh), v, x_shape[-1]):
        d = np.zeros_like(w) if d is None else d
        hole = np.logical_or(repeated, zero) if n > k else repeated
        if d.shape[-1] > k:
            hole = np.concatenate([hole, np.ones_like(hole, shape=(*hole.shape[:-1], d.shape[-1] - k))], -1)
        d = defined_(d, row(hole), why)[..., :k]
        turns.append(T(w) @ d)
        across.append((d - w @ turns[-1]) * row(over(s, zero)) if n > k else None)
    both, other = turns[0] + turns[1], turns[0] - turns[1]
    d = (both - T(both)) * over(gaps, near) + (other - T(other)) * over(sums, near_(sums, s))
    d = stretch + u @ (0.5 * d)
    d = d if across[0] is None else d + across[0]
    return d @ T(v) if across[1] is None else d @ T(v) + u @ T(across[1])


# fmt: off
near_     = primitive(_near, "near")
defined_: Any = primitive(_defined, "defined",  x=lambda g, hole, why: defined_(g, hole, why), view=True)
inv_: Any = primitive(_inv, "inv",              x=lambda g, out: -T(out) @ g @ T(out))
solve_: Any = primitive(_solve, "solve",        joint=_pull_solve)
pinv_     = primitive(_pinv, "pinv",            x=_pull_pinv)
mirror_   = primitive(lambda x: np.tril(x) + T(np.tril(x, -1)), "mirror",  x=lambda g: g)  # as if x were symmetric already
det_      = primitive(lambda x: np.linalg.det(x), "det",  x=lambda g, x: np.expand_dims(g, (-2, -1)) * cofactor_(x))
cofactor_: Any = primitive(_cofactor, "cofactor",  joint=_pull_cofactor)
slogdet_: Any = primitive(lambda x: tuple(np.linalg.slogdet(x)), "slogdet",  x=_pull_slogdet)
cholesky_ = primitive(_cholesky, "cholesky",    x=_pull_cholesky)
qr_: Any  = primitive(_qr, "qr",                x=_pull_qr)
eigh_: Any = primitive(_eigh, "eigh",           x=_pull_eigh)
svd_: Any = primitive(_svd, "svd",              x=_pull_svd)
eigvalsh_ = primitive(lambda x: np.linalg.eigvalsh(finite("eigvalsh", x)), "eigvalsh",  x=lambda g, x: _pull_eigh([g, None], eigh_(x)))
svdvals_  = primitive(lambda x: np.linalg.svd(finite("svdvals", x), compute_uv=False), "svdvals",  x=lambda g, x, x_shape: _pull_svd([None, g, None], x_shape, svd_(x, False)))
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
def _matrices(op: str, square: bool = False, **args: Any) -> None:
    """Raise unless all of `args` are matrices, or stacks of them, of one dtype that LAPACK knows."""
    for name, x in args.items():
        if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
            want = "square matrices (..., n, n)" if square else "matrices (..., n, m)"
            raise ShapeError(f"{op} needs {want}, got {name} of shape {x.shape}")
        if x.dtype not in (np.float32, np.float64):
            raise DtypeError(f"{op} needs float32 or float64, got {name} {describe(x)}; use float() first")
    same_dtype(op, **args)


def _is_vector(A: Any, B: Any) -> bool:
    """Does `B`, the right side of a system of equations, hold vectors? PyTorch also takes as many as there are matrices."""
    return B.ndim == 1 or (A.ndim == B.ndim + 1 and A.shape[:-1] == B.shape)


def inv(A: Any) -> Any:
    """The inverse of square matrices (torch.linalg.inv). Raises ArgumentError if one is singular.

    >>> import autograd
    >>> autograd.linalg.inv(autograd.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    _matrices("inv", True, A=A)
    return inv_(A)


def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """The X with A X = B, or X A = B if not `left` (torch.linalg.solve). Raises ArgumentError if an A is singular.

    Shape: A (..., n, n); B (..., n, k), or vectors (n) or (..., n); X that of B, with the batches of A and B broadcast.

    >>> import autograd
    >>> autograd.linalg.solve(autograd.tensor([[2.0, 0.0], [0.0, 4.0]]), autograd.tensor([1.0, 2.0]))
    tensor([0.5000, 0.5000])
    """
    _matrices("solve", True, A=A)
    if left and _is_vector(A, B):
        return np.squeeze(_solve_matrices("solve", A, np.expand_dims(B, -1), left), -1)
    return _solve_matrices("solve", A, B, left)


def _solve_matrices(op: str, A: Any, B: Any, left: bool) -> Any:
    _matrices(op, A=A, B=B)
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise ShapeError(f"{op}: A {A.shape} and B {B.shape} do not fit together in {'A X' if left else 'X A'} = B")
    return solve_(A, B) if left else T(solve_(T(A), T(B)))


def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """The X with A X = B, where only the `upper` or lower triangle of A is looked at (torch.linalg.solve_triangular).

    If `unitriangular`, the diagonal is not looked at either, but taken to be 1.
    """
    _matrices("solve_triangular", True, A=A)
    half = (np.triu if upper else np.tril)(A, (1 if upper else -1) if unitriangular else 0)
    return _solve_matrices("solve_triangular", half + eye(A) if unitriangular else half, B, left)


def det(A: Any) -> Any:
    """The determinant of square matrices (torch.linalg.det). Its gradients, of any order, are right at singular ones too.

    The gradient takes a singular value decomposition, and its gradient room for n * n * n numbers; that of `slogdet`, an
    inverse, is several times faster.

    >>> import autograd
    >>> x = autograd.tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> autograd.linalg.det(x).backward(); x.grad.round(decimals=3)
    tensor([[ 4., -2.],
            [-2.,  1.]])
    """
    _matrices("det", True, A=A)
    return det_(A)


def slogdet(A: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its absolute value (torch.linalg.slogdet).

    Of a singular matrix they are 0 and -inf, and the latter has no gradient.
    """
    _matrices("slogdet", True, A=A)
    return SlogdetResult(*slogdet_(A))


def cholesky(A: Any, *, upper: bool = False) -> Any:
    """The lower-triangular L with A = L @ L.mT, or the upper U with A = U.mT @ U (torch.linalg.cholesky).

    Only that triangle of A is looked at; the gradient is that of a symmetric matrix. Raises ArgumentError if an A is not
    positive definite.
    """
    _matrices("cholesky", True, A=A)
    return T(cholesky_(T(A))) if upper else cholesky_(A)


def qr(A: Any, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and R upper triangular, with A = Q @ R (torch.linalg.qr).

    Shape: A (..., n, m); with k = min(n, m), Q (..., n, k) and R (..., k, m) if `mode` is 'reduced'; (..., n, n) and
    (..., n, m), without gradients if n > m, if 'complete'; for 'r', R as in 'reduced' and Q empty. The first k columns
    of A must not depend on each other if there is to be a gradient.
    """
    _matrices("qr", A=A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode is 'reduced', 'complete' or 'r', got {mode!r}")
    n, m = A.shape[-2:]
    if n < m:  # the columns beyond the square part are along for the ride
        Q, square = qr_(A[..., :n], "reduced")
        R = np.concatenate([square, T(Q) @ A[..., n:]], -1)
    else:
        Q, R = qr_(A, "complete" if mode == "complete" else "reduced")
    return QRResult(np.zeros_like(Q, shape=(0,)) if mode == "r" else Q, R)


def svd(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> SVDResult:
    """U, S and Vh with A = U @ diag(S) @ Vh: columns of U and rows of Vh orthonormal, S descending (torch.linalg.svd).

    `driver`, with which PyTorch chooses an algorithm on a GPU, is accepted and ignored.
    Shape: A (..., n, m); with k = min(n, m), U (..., n, k), S (..., k), Vh (..., k, m); if `full_matrices`, U (..., n, n)
    and Vh (..., m, m). The gradient of S exists always (a value at 0 gets 0). That of singular vectors exists only where their
    singular value is not repeated, and not for those that `full_matrices` adds: asking for it raises NoGradientError.

    >>> import autograd
    >>> autograd.linalg.svd(autograd.tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    _matrices("svd", A=A)
    return SVDResult(*svd_(A, full_matrices and A.shape[-1] != A.shape[-2]))


def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values, descending (torch.linalg.svdvals); their gradient is right where they are repeated, too.

    Shape: (..., n, m) gives (..., min(n, m)). `driver` is accepted and ignored, as in `svd`.
    """
    _matrices("svdvals", A=A)
    return svdvals_(A)


def _triangle(op: str, A: Any, UPLO: str) -> Any:
    """Matrices whose lower triangle is the one to look at."""
    _matrices(op, True, A=A)
    if UPLO not in ("L", "U"):
        raise ArgumentError(f"{op}: UPLO is 'L' or 'U', got {UPLO!r}")
    return A if UPLO == "L" else T(A)


def eigh(A: Any, UPLO: str = "L") -> EighResult:
    """The eigenvalues, ascending, and the eigenvectors, as columns, of symmetric matrices (torch.linalg.eigh).

    Only the lower (or upper, by `UPLO`) triangle is looked at; the gradient is that of a symmetric matrix. It exists for
    all eigenvalues, but only for eigenvectors whose eigenvalue is not repeated: asking for others raises NoGradientError.

    >>> import autograd
    >>> autograd.linalg.eigh(autograd.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    return EighResult(*eigh_(_triangle("eigh", A, UPLO)))


def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices, ascending (torch.linalg.eigvalsh); their gradient is right where they are repeated, too."""
    return eigvalsh_(_triangle("eigvalsh", A, UPLO))


# ---------------------------------------------------------------- least squares and rank
def _lower(op: str, A: Any, hermitian: bool) -> Any:
    """The matrices themselves or, if they are said to be symmetric, what their lower triangles say."""
    _matrices(op, hermitian, A=A)
    return mirror_(A) if hermitian else A


def _tolerance(op: str, A: Any, name: str, value: Any) -> Any:
    """A number, or a column of one for each matrix."""
    if value is None or isinstance(value, (int, float, np.number)):
        return None if value is None else float(value)
    if getattr(getattr(value, "dtype", None), "kind", "O") not in "fiu":
        raise ArgumentError(f"{op}: {name} must be a number, or a tensor of one for each matrix, got {describe(value)}")
    if value.shape not in ((), A.shape[:-2]):
        raise ShapeError(f"{op}: {name} {value.shape} must have one number for each matrix of A {A.shape}")
    return np.expand_dims(value, -1)


def _cutoff(op: str, A: Any, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """PyTorch's defaults for which singular values are 0: those below atol, or rtol times the largest."""
    atol, rtol = _tolerance(op, A, "atol", 0 if atol is None else atol), _tolerance(op, A, "rtol", rtol)
    if rtol is None:
        unset = atol <= 0
        rtol = (unset if isinstance(atol, float) else astype(unset, A.dtype)) * (max(A.shape[-2:]) * float(np.finfo(A.dtype).eps))
    return atol, rtol


def pinv(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """The pseudo-inverse: singular values above max(atol, rtol * the largest) are inverted, others 0 (torch.linalg.pinv).

    Shape: (..., n, m) gives (..., m, n). `atol` and `rtol` are numbers or hold one for each matrix, (...); `rtol` is
    eps * max(n, m) where neither is given. The gradient takes the rank as constant. Of `hermitian`, that is symmetric,
    matrices only the lower triangle is looked at.

    >>> import autograd
    >>> autograd.linalg.pinv(autograd.tensor([[2.0, 0.0], [0.0, 1e-9]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    A = _lower("pinv", A, hermitian)
    return pinv_(A, *_cutoff("pinv", A, atol, rtol))


def matrix_rank(A: Any, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """How many singular values are above max(atol, rtol * the largest) (torch.linalg.matrix_rank); options are as for `pinv`."""
    A = _lower("matrix_rank", A, hermitian)
    s = svdvals_(A)
    return sum_(_above(s, *_cutoff("matrix_rank", A, tol if atol is None else atol, rtol)), (s.ndim - 1,))


def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> LstsqResult:
    """The X for which A X comes closest to B, and of several such the smallest (torch.linalg.lstsq).

    Shape: A (..., n, m); B (..., n, k), or vectors; the solution (..., m, k). As in PyTorch, the squared residuals come with
    any driver but 'gelsy', the default, and only if n > m and all ranks are full; the rank with any but 'gels'; the
    singular values with 'gelsd' and 'gelss'; what does not come is empty. All drivers compute the same here.
    """
    _matrices("lstsq", A=A)
    if driver not in (None, "gelsy", "gels", "gelsd", "gelss"):
        raise ArgumentError(f"lstsq: driver is 'gelsy', 'gels', 'gelsd' or 'gelss', got {driver!r}")
    vector = _is_vector(A, B)
    B = np.expand_dims(B, -1) if vector else B
    _matrices("lstsq", A=A, B=B)
    n, m = A.shape[-2:]
    if B.shape[-2] != n:
        raise ShapeError(f"lstsq: A {A.shape} and B {B.shape} do not fit together in A X = B")
    X, rank, none = pinv(A, rtol=rcond) @ B, matrix_rank(A, rtol=rcond), np.zeros_like(A, shape=(0,))
    residuals = n > m and driver not in (None, "gelsy") and np.all(rank == m)
    return LstsqResult(
        np.squeeze(X, -1) if vector else X,
        sum_((A @ X - B) ** 2, (X.ndim - 2,)) if residuals else none,
        rank if driver != "gels" else astype(none, np.dtype(np.int64)),
        svdvals_(A) if driver in ("gelsd", "gelss") else none,
    )


# ---------------------------------------------------------------- powers, norms and condition
def matrix_power(A: Any, n: int) -> Any:
    """A @ A @ ... @ A, `n` times; the identity for 0, and for negative `n` the power of the inverse (torch.linalg.matrix_power)."""
    _matrices("matrix_power", True, A=A)
    if not isinstance(n, int):
        raise DtypeError(f"matrix_power: n must be an integer, got {n!r}")
    if n < 0:
        return matrix_power(inv(A), -n)
    if n < 2:
        return clone(A) if n else eye(A)
    half = matrix_power(A, n // 2)
    return half @ half @ A if n % 2 else half @ half


@public()
def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """A norm of the matrices in two dims (torch.linalg.matrix_norm).

    `ord` is 'fro' (the root of the sum of squares), 'nuc' (the sum of the singular values), 2 or -2 (the largest or
    smallest singular value), 1 or -1 (the largest or smallest sum of |x| over a column), inf or -inf (over a row).
    """
    A = A if dtype is None else astype(A, np.dtype(dtype))
    axis = some_dims("matrix_norm", dim, A.ndim)
    if len(axis) != 2 or dim is None:
        raise ArgumentError(f"matrix_norm: dim names two dims, got {dim!r}")
    if ord == "fro":
        return vector_norm(A, 2, axis, keepdim)
    x = np.moveaxis(A, axis, (-2, -1))
    if ord in ("nuc", 2, -2):
        parts = svdvals(x)
    elif ord in (1, -1, inf, -inf):
        parts = vector_norm(x, 1, -2 if abs(ord) == 1 else -1)
    else:
        raise ArgumentError(f"matrix_norm: ord is 'fro', 'nuc', 2, -2, 1, -1, inf or -inf, got {ord!r}")
    last = (parts.ndim - 1,)
    out = sum_(parts, last) if ord == "nuc" else amax(parts, last) if ord > 0 else amin(parts, last)
    return np.expand_dims(out, tuple(sorted(axis))) if keepdim else out


@public()
def norm(input: Any, ord: Any = None, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """`vector_norm` over one dim, `matrix_norm` over two; over all without `ord` and `dim` (torch.linalg.norm).

    With `ord` and without `dim` the tensor is one vector or one matrix. np.linalg.norm is this too.

    >>> import autograd
    >>> autograd.linalg.norm(autograd.tensor([[3.0, 0.0], [0.0, 4.0]])), autograd.linalg.norm(autograd.eye(2), "nuc")
    (tensor(5.), tensor(2.))
    """
    if dim is None and ord is None:
        return vector_norm(input, 2, None, keepdim, dtype=dtype)
    if dim is None and not 1 <= input.ndim <= 2:
        raise ShapeError(f"norm with ord and without dim needs a vector or a matrix, got shape {input.shape}; give dim")
    axis = some_dims("norm", dim, input.ndim)
    if len(axis) > 2 or (isinstance(ord, str) and len(axis) != 2):
        raise ArgumentError(f"norm: ord {ord!r} is no norm over dims {axis}")
    if len(axis) == 2:
        return matrix_norm(input, "fro" if ord is None else ord, axis, keepdim, dtype=dtype)
    return vector_norm(input, 2 if ord is None else ord, axis, keepdim, dtype=dtype)


@public()
def p_norm(input: Any, p: Any = "fro", dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The `p`-norm over `dim` (one, several, or all), the elements taken as one vector (torch.norm).

    'fro' is 2; 'nuc' alone is a norm of matrices, the sum of their singular values.
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


def cond(A: Any, p: Any = None) -> Any:
    """The condition number, norm(A, p) * norm(inv(A), p); inf for a singular matrix (torch.linalg.cond).

    With p None or 2, the largest singular value over the smallest, also for matrices that are not square; -2 the inverse.
    """
    if p in (None, 2, -2):
        _matrices("cond", A=A)
        s = svdvals_(A)
        if not s.shape[-1]:
            return sum_(s, (s.ndim - 1,))
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    _matrices("cond", True, A=A)
    dead = slogdet_(A)[0] == 0
    safe = np.where(np.expand_dims(dead, (-2, -1)), eye(A), A)
    return np.where(dead, inf, matrix_norm(safe, p) * matrix_norm(inv_(safe), p))


# ---------------------------------------------------------------- NumPy's spellings
def _numpy_solve(a: Any, b: Any) -> Any:
    return solve(a, b if b.ndim == 1 else np.expand_dims(b, tuple(range(a.ndim - b.ndim))))  # only one dim makes a vector


def _numpy_qr(a: Any, mode: str = "reduced") -> Any:
    found = qr(a, mode)
    return found.R if mode == "r" else found


_NUMPY: dict[Callable[..., Any], Callable[..., Any]] = {
    np.linalg.inv: lambda a: inv(a),
    np.linalg.solve: _numpy_solve,
    np.linalg.det: lambda a: det(a),
    np.linalg.slogdet: lambda a: slogdet(a),
    np.linalg.cholesky: cholesky,
    np.linalg.qr: _numpy_qr,
    np.linalg.svd: lambda a, full_matrices=True, compute_uv=True, hermitian=False: (
        svd(_lower("svd", a, hermitian), full_matrices) if compute_uv else svdvals(_lower("svd", a, hermitian))
    ),
    np.linalg.svdvals: svdvals,
    np.linalg.eigh: lambda a, UPLO="L": eigh(a, UPLO),
    np.linalg.eigvalsh: lambda a, UPLO="L": eigvalsh(a, UPLO),
    np.linalg.pinv: lambda a, rcond=None, hermitian=False, rtol=None: pinv(
        a, rtol=rcond if rtol is None else rtol, hermitian=hermitian
    ),
    np.linalg.lstsq: lambda a, b, rcond=None: tuple(lstsq(a, b, rcond, driver="gelsd")),
    np.linalg.matrix_power: lambda a, n: matrix_power(a, n),
    np.linalg.matrix_rank: lambda A, tol=None, hermitian=False, rtol=None: matrix_rank(A, tol, rtol=rtol, hermitian=hermitian),
    np.linalg.norm: norm,
    np.linalg.matrix_norm: lambda x, keepdims=False, ord="fro": matrix_norm(x, ord, (-2, -1), keepdims),
    np.linalg.cond: lambda x, p=None: cond(x, p),
    np.linalg.trace: lambda x, offset=0, dtype=None: np.sum(np.diagonal(x, offset, -2, -1), -1, dtype=dtype),
    np.linalg.diagonal: lambda x, offset=0: np.diagonal(x, offset, -2, -1),
    np.linalg.matrix_transpose: lambda x: T(x),
}
NUMPY |= _NUMPY
