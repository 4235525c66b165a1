"""Decompositions of matrices and what is made of them: inverses, determinants, eigen- and singular values, norms."""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..engine.tensor import Tensor
from ..errors import ArgumentError, DtypeError, ShapeError, describe
from ..ops.decomposition import _above, eye
from ..ops.elementwise import fill
from ..ops.linalg import T, same_dtype
from .common import Dims, some_dims
from .elementwise import astype
from .linalg import vector_norm
from .reduce import amax, amin
from .shape import clone


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Tensor
    R: Tensor


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


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
    return ops.decomposition.inv(A)


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
    return ops.decomposition.solve(A, B) if left else T(ops.decomposition.solve(T(A), T(B)))


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
    return ops.decomposition.det(A)


def slogdet(A: Any) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its absolute value (torch.linalg.slogdet).

    Of a singular matrix they are 0 and -inf, and the latter has no gradient.
    """
    _matrices("slogdet", True, A=A)
    return SlogdetResult(*ops.decomposition.slogdet(A))


def logdet(A: Any) -> Any:
    """The logarithm of the determinant: NaN where that is negative, -inf, without a gradient, where it is 0 (torch.logdet)."""
    sign, logabsdet = slogdet(A)
    return np.where(sign < 0, np.nan, logabsdet)


def cholesky(A: Any, *, upper: bool = False) -> Any:
    """The lower-triangular L with A = L @ L.mT, or the upper U with A = U.mT @ U (torch.linalg.cholesky).

    Only that triangle of A is looked at; the gradient is that of a symmetric matrix. Raises ArgumentError if an A is not
    positive definite.
    """
    _matrices("cholesky", True, A=A)
    return T(ops.decomposition.cholesky(T(A))) if upper else ops.decomposition.cholesky(A)


def qr(A: Any, mode: str = "reduced") -> QRResult:
    """Q with orthonormal columns and R upper triangular, with A = Q @ R (torch.linalg.qr).

    Shape: A (..., n, m); with k = min(n, m), Q (..., n, k) and R (..., k, m) if `mode` is 'reduced'; (..., n, n) and
    (..., n, m), without gradients if n > m, if 'complete'; for 'r', R as in 'reduced' and Q empty. The first k columns
    of A must not depend on each other if there is to be a gradient.
    """
    _matrices("qr", A=A)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode is 'reduced', 'complete' or 'r', got {mode!r}")
    Q: Any
    R: Any
    n, m = A.shape[-2:]
    if n < m:  # the columns beyond the square part are along for the ride
        Q, square = ops.decomposition.qr(A[..., :n], "reduced")
        R = np.concatenate([square, T(Q) @ A[..., n:]], -1)
    else:
        Q, R = ops.decomposition.qr(A, "complete" if mode == "complete" else "reduced")
    Q = np.zeros_like(Q, shape=(0,)) if mode == "r" else Q
    return QRResult(Q, R)


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
    return SVDResult(*ops.decomposition.svd(A, full_matrices and A.shape[-1] != A.shape[-2]))


def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values, descending (torch.linalg.svdvals); their gradient is right where they are repeated, too.

    Shape: (..., n, m) gives (..., min(n, m)). `driver` is accepted and ignored, as in `svd`.
    """
    _matrices("svdvals", A=A)
    return ops.decomposition.svdvals(A)


class SVDResultV(NamedTuple):
    """What torch.svd returns, with V where torch.linalg.svd has its transpose."""

    U: Tensor
    S: Tensor
    V: Tensor


def first_cholesky(input: Any, upper: bool = False) -> Any:
    """As `linalg.cholesky`, with `upper` by position too (torch.cholesky)."""
    return cholesky(input, upper=upper)


def first_qr(input: Any, some: bool = True) -> QRResult:
    """As `linalg.qr`, of mode 'reduced', or 'complete' if not `some` (torch.qr)."""
    return qr(input, "reduced" if some else "complete")


def first_svd(input: Any, some: bool = True, compute_uv: bool = True) -> SVDResultV:
    """As `linalg.svd`, but with V, not its transpose; zeros for U and V if not `compute_uv` (torch.svd).

    Shape: (..., n, m); with k = min(n, m), U (..., n, k), S (..., k), V (..., m, k); U and V square if not `some`.
    """
    if compute_uv:
        U, S, Vh = svd(input, not some)
        return SVDResultV(U, S, T(Vh))
    none: Any = [np.zeros_like(input, shape=(*input.shape[:-2], side, side)) for side in input.shape[-2:]]
    return SVDResultV(none[0], svdvals(input), none[1])


for _first in (first_cholesky, first_qr, first_svd):
    _first.__name__ = _first.__qualname__ = _first.__name__.removeprefix("first_")


def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """The X with A X = B, by the triangle that `cholesky` made of A: L, or, if `upper`, its transpose (torch.cholesky_solve).

    >>> import autograd
    >>> A, B = autograd.tensor([[4.0, 2.0], [2.0, 3.0]]), autograd.tensor([[2.0], [5.0]])
    >>> autograd.cholesky_solve(B, autograd.linalg.cholesky(A))
    tensor([[-0.5000],
            [ 2.0000]])
    """
    _matrices("cholesky_solve", True, L=L)
    L = T(np.triu(L)) if upper else np.tril(L)
    return _solve_matrices("cholesky_solve", T(L), _solve_matrices("cholesky_solve", L, B, True), True)


def cholesky_inverse(L: Any, upper: bool = False) -> Any:
    """The inverse of A, by the triangle that `cholesky` made of it: L, or, if `upper`, its transpose (torch.cholesky_inverse)."""
    _matrices("cholesky_inverse", True, L=L)
    half = inv(np.triu(L) if upper else np.tril(L))
    return half @ T(half) if upper else T(half) @ half


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
    return EighResult(*ops.decomposition.eigh(_triangle("eigh", A, UPLO)))


def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices, ascending (torch.linalg.eigvalsh); the gradient is right for repeated ones."""
    return ops.decomposition.eigvalsh(_triangle("eigvalsh", A, UPLO))


# ---------------------------------------------------------------- least squares and rank
def lower(op: str, A: Any, hermitian: bool) -> Any:
    """The matrices themselves or, if they are said to be symmetric, what their lower triangles say."""
    _matrices(op, hermitian, A=A)
    return ops.decomposition.mirror(A) if hermitian else A


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
    A = lower("pinv", A, hermitian)
    return ops.decomposition.pinv(A, *_cutoff("pinv", A, atol, rtol))


def pinverse(input: Any, rcond: Any = 1e-15) -> Any:
    """As `linalg.pinv`: singular values up to `rcond` times the largest count as 0 (torch.pinverse)."""
    return pinv(input, rtol=rcond)


def matrix_rank(A: Any, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """How many singular values are above max(atol, rtol * the largest) (torch.linalg.matrix_rank); options are as for `pinv`."""
    A = lower("matrix_rank", A, hermitian)
    s = ops.decomposition.svdvals(A)
    return ops.reduce.sum(_above(s, *_cutoff("matrix_rank", A, tol if atol is None else atol, rtol)), (s.ndim - 1,))


def lstsq(A: Any, B: Any, rcond: float | None = None, *, driver: str | None = None) -> LstsqResult:
    """The X for which A X comes closest to B, and of several such the smallest (torch.linalg.lstsq).

    Shape: A (..., n, m); B (..., n, k), or vectors; the solution (..., m, k). As in PyTorch, the squared residuals come with
    any driver but 'gelsy', the default, and only if n > m and all ranks are full; the rank with any but 'gels'; the
    singular values, as constants, with 'gelsd' and 'gelss'; what does not come is empty. All drivers compute the same here.
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
    X, rank = pinv(A, rtol=rcond) @ B, matrix_rank(A, rtol=rcond)
    none: Any = np.zeros_like(A, shape=(0,))
    residuals = n > m and driver not in (None, "gelsy") and np.all(rank == m)
    return LstsqResult(
        np.squeeze(X, -1) if vector else X,
        ops.reduce.sum((A @ X - B) ** 2, (X.ndim - 2,)) if residuals else none,
        rank if driver != "gels" else astype(none, np.dtype(np.int64)),
        ops.decomposition.svdvals(A.detach() if isinstance(A, Tensor) else A) if driver in ("gelsd", "gelss") else none,
    )


# ---------------------------------------------------------------- powers, norms and condition
def matrix_power(A: Any, n: int) -> Any:
    """A @ A @ ... @ A, `n` times; for 0 the identity, for negative `n` of the inverse (torch.linalg.matrix_power)."""
    _matrices("matrix_power", True, A=A)
    if not isinstance(n, int):
        raise DtypeError(f"matrix_power: n must be an integer, got {n!r}")
    if n < 0:
        return matrix_power(inv(A), -n)
    if n < 2:
        return clone(A) if n else eye(A) + fill(A, 0)  # of which the gradient is 0
    half = matrix_power(A, n // 2)
    return half @ half @ A if n % 2 else half @ half


def matrix_exp(A: Any) -> Any:
    """The series I + A + A @ A / 2 + A @ A @ A / 6 + ... of square matrices (torch.linalg.matrix_exp).

    Source: scaling and squaring, Moler and Van Loan (2003), Nineteen dubious ways to compute the exponential of a matrix.

    >>> import autograd
    >>> autograd.matrix_exp(autograd.tensor([[0.0, 2.0], [0.0, 0.0]]))
    tensor([[1., 2.],
            [0., 1.]])
    """
    _matrices("matrix_exp", True, A=A)
    return ops.decomposition.matrix_exp(A, 1)


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
    out = ops.reduce.sum(parts, last) if ord == "nuc" else amax(parts, last) if ord > 0 else amin(parts, last)
    return np.expand_dims(out, tuple(sorted(axis))) if keepdim else out


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
        s = ops.decomposition.svdvals(A)
        if not s.shape[-1]:
            return ops.reduce.sum(s, (s.ndim - 1,))
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    _matrices("cond", True, A=A)
    dead = ops.decomposition.slogdet(A)[0] == 0
    safe = np.where(np.expand_dims(dead, (-2, -1)), eye(A), A)
    return np.where(dead, inf, matrix_norm(safe, p) * matrix_norm(ops.decomposition.inv(safe), p))


# ---------------------------------------------------------------- NumPy's spellings
