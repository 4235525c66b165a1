"""Linear algebra: products of matrices, vectors and, with einsum, of anything; and the norms of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.accumulate import total, total_product
from ..engine.graph import Array
from ..engine.primitive import primitive
from ..errors import DtypeError, ShapeError, describe
from .reduce import keep


# ---------------------------------------------------------------- the table
def T(x: Array) -> Array:
    """Every matrix transposed."""
    return x.T if type(x) is np.ndarray and x.ndim == 2 else np.swapaxes(x, -1, -2)


def product(x: Array, y: Array) -> Array:
    """x @ y of two matrices; `dot` of small ones takes half as long."""
    return x.dot(y) if type(x) is np.ndarray is type(y) else np.matmul(x, y)


def same_dtype(op: str, **args: Any) -> None:
    """Products take one dtype, as in PyTorch: a hidden cast of a whole matrix is a slow mistake."""
    if len({getattr(v, "dtype", None) for v in args.values()}) > 1:
        found = " and ".join(f"{n} is {getattr(v, 'dtype', type(v).__name__)}" for n, v in args.items())
        raise DtypeError(f"{op} needs one dtype, but {found}; convert one with to()")


def _matmul(x: Array, y: Array) -> Array:
    if x.dtype is not y.dtype:
        same_dtype("matmul", x=x, y=y)
    try:
        return np.matmul(x, y)
    except ValueError:  # which NumPy tells of in terms of its own
        k, m = x.shape[-1], y.shape[max(-2, -y.ndim)]
        if k == m:
            raise
        what = f"matmul does not work on x {describe(x)}, y {describe(y)}"
        raise ShapeError(f"{what}: the dims to be summed over have lengths {k} and {m}") from None


def _einsum(spec: str, *xs: Array) -> Array:
    a, _, b = spec.partition("->")[0].partition(",")
    if len(xs) == 2 and set(a) == set(b) and xs[0].ndim:  # no product of matrices: BLAS does not add this up
        result = spec.partition("->")[2]
        axis = tuple(i for i, c in enumerate(a) if c not in result)
        sums = np.squeeze(total_product(xs[0], np.transpose(xs[1], [b.index(c) for c in a]), axis), axis)
        return np.transpose(sums, [[c for c in a if c in result].index(c) for c in result])
    return np.einsum(spec, *xs, optimize=len(xs) > 2 or sum(x.size for x in xs) > 1000)


def _pull_einsum(
    g: Array, spec: str, xs: tuple[Array, ...], xs_shape: list[tuple[int, ...]], needs: tuple[bool, ...]
) -> list[Any]:
    """Swap an operand's letters with the result's; letters that only it has were summed, so they are spread again."""
    terms, result = spec.split("->")
    letters = terms.split(",")
    grads: list[Any] = [None]
    for i, own in enumerate(letters):
        if i + 1 >= len(needs) or not needs[i + 1]:
            grads.append(None)
            continue
        others = letters[:i] + letters[i + 1 :]
        kept = "".join(c for c in own if c in result or any(c in o for o in others))
        d = einsum(f"{','.join([result, *others])}->{kept}", g, *xs[:i], *xs[i + 1 :])
        sizes = dict(zip(kept, d.shape, strict=True))
        d = np.reshape(d, tuple(sizes.get(c, 1) for c in own))
        grads.append(np.broadcast_to(d, tuple(sizes.get(c, n) for c, n in zip(own, xs_shape[i], strict=True))))
    return grads


def _vector_norm(x: Array, p: float, axis: tuple[int, ...], keepdims: bool) -> Array:
    if p == 2:
        return np.sqrt(total(x * x, axis, keepdims))
    with np.errstate(divide="ignore"):  # for p < 0 one zero makes the sum infinite, and the norm 0
        return np.power(total(np.power(np.abs(x), p), axis, keepdims), 1 / p)


def _pull_vector_norm(g: Array, x: Array, out: Array, p: float, axis: tuple[int, ...], keepdims: bool) -> Array:
    """sign(x) (|x| / norm)^(p - 1); 0 where x is 0, or the norm. Of an even p it is a polynomial, to be right to any order."""
    g, out = keep(g, axis, keepdims), keep(out, axis, keepdims)
    g, out = g * (out != 0), out + (out == 0)
    if p > 0 and p % 2 == 0:
        return g * (x / out) ** (p - 1)
    return g * np.sign(x) * (np.abs(x) / out + (x == 0)) ** (p - 1)


# fmt: off
matmul = primitive(_matmul, "matmul",  x=lambda g, y: g @ T(y),    y=lambda g, x: T(x) @ g,  linear=True,
            says="The matrix product of x and y, of the last two axes (torch.matmul).")
matvec = primitive(_matmul, "matvec",  x=lambda g, y: np.expand_dims(g, -1) * y,   y=lambda g, x: np.squeeze(T(x) @ np.expand_dims(g, -1), -1),  linear=True,
            says="The matrices x times the vector y (torch.mv).")
vecmat = primitive(_matmul, "vecmat",  x=lambda g, y: np.squeeze(np.expand_dims(g, -2) @ T(y), -2),   y=lambda g, x: np.expand_dims(x, -1) * np.expand_dims(g, -2),
            says="The vector x times the matrices y (numpy.vecmat).")
dot = primitive(_matmul, "dot",  x=lambda g, y: g * y,    y=lambda g, x: g * x,
            says="The inner product of the vectors x and y (torch.dot).")
einsum = primitive(_einsum, "einsum",  joint=_pull_einsum,
            says="The sum of products of the arrays xs that a formula of letters describes (torch.einsum).")
vector_norm = primitive(_vector_norm, "vector_norm",  x=_pull_vector_norm,
            kink="0 where x is 0, and where the norm is 0",
            says="The p-norm of x over the axes (torch.linalg.vector_norm).")
# fmt: on
