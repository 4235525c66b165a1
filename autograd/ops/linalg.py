"""Linear algebra: products of matrices, vectors and, with einsum, of anything."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..graph import Array
from ..primitive import primitive
from ..tensor import NUMPY
from .common import public
from .shape import diagonal_


# ---------------------------------------------------------------- the table
def T(x: Array) -> Array:
    """Every matrix transposed."""
    return np.swapaxes(x, -1, -2)


def same_dtype(op: str, **args: Any) -> None:
    """Products take one dtype, as in PyTorch: a hidden cast of a whole matrix is a slow mistake."""
    if len({getattr(v, "dtype", None) for v in args.values()}) > 1:
        found = " and ".join(f"{n} is {getattr(v, 'dtype', type(v).__name__)}" for n, v in args.items())
        raise DtypeError(f"{op} needs one dtype, but {found}; convert one with to()")


def _matmul(x: Array, y: Array) -> Array:
    if x.dtype is not y.dtype:
        same_dtype("matmul", x=x, y=y)
    return np.matmul(x, y)


def _einsum(spec: str, *xs: Array) -> Array:
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
        d = einsum_(f"{','.join([result, *others])}->{kept}", g, *xs[:i], *xs[i + 1 :])
        sizes = dict(zip(kept, d.shape, strict=True))
        d = np.reshape(d, tuple(sizes.get(c, 1) for c in own))
        grads.append(np.broadcast_to(d, tuple(sizes.get(c, n) for c, n in zip(own, xs_shape[i], strict=True))))
    return grads


# fmt: off
matmul_ = primitive(_matmul, "matmul",  x=lambda g, y: g @ T(y),    y=lambda g, x: T(x) @ g)
einsum_ = primitive(_einsum, "einsum",  joint=_pull_einsum)
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
@public(np.matmul)
def matmul(input: Any, other: Any) -> Any:
    """The product of matrices, of stacks of matrices, or of vectors, which are 1-d (torch.matmul).

    Shape: (..., n, k) and (..., k, m) give (..., n, m). Raises DtypeError for two dtypes.

    >>> import autograd
    >>> autograd.matmul(autograd.tensor([[1.0, 2.0], [3.0, 4.0]]), autograd.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    a, b = np.ndim(input), np.ndim(other)
    if a == 2 == b:
        return matmul_(input, other)
    if not a or not b:
        raise ShapeError(
            f"matmul needs at least one dim on both sides, got shapes {np.shape(input)} and {np.shape(other)}; use *"
        )
    if b == 1:
        return np.squeeze(matmul(input, np.expand_dims(other, 1)), -1)
    if a == 1:
        return np.squeeze(matmul(np.expand_dims(input, 0), other), -2)
    if b == 2:  # a stack times one matrix is one product of matrices
        shape = np.shape(input)
        return np.reshape(matmul_(np.reshape(input, (-1, shape[-1])), other), (*shape[:-1], np.shape(other)[-1]))
    return matmul_(input, other)


def _product(name: str, dims: tuple[int, int], shapes: str) -> Any:
    def product(input: Any, other: Any) -> Any:
        if (input.ndim, other.ndim) != dims:
            raise ShapeError(f"{name} needs {dims[0]}-d and {dims[1]}-d tensors, got shapes {input.shape} and {other.shape}")
        return matmul(input, other)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = f"""`matmul` of exactly {shapes} (torch.{name})."""
    return product


mm, bmm = _product("mm", (2, 2), "two matrices"), _product("bmm", (3, 3), "two stacks of matrices")
mv, dot = _product("mv", (2, 1), "a matrix and a vector"), _product("dot", (1, 1), "two vectors")


@public(np.outer)
def outer(input: Any, vec2: Any) -> Any:
    """Every product of an element of one vector with one of the other (torch.outer)."""
    if np.ndim(input) != 1 or np.ndim(vec2) != 1:
        raise ShapeError(f"outer needs two vectors, got shapes {np.shape(input)} and {np.shape(vec2)}")
    return np.expand_dims(input, 1) * vec2


def einsum(equation: str, *operands: Any) -> Any:
    """The sum of products that `equation` describes, in every form that NumPy knows (torch.einsum).

    >>> import autograd
    >>> x = autograd.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> autograd.einsum("ii->", x), autograd.einsum("...i,...i->...", x, x)
    (tensor(5.), tensor([ 5., 25.]))
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    terms, result = _spell_out(equation, operands)
    xs = list(operands)
    for i, term in enumerate(terms):  # a letter twice in one operand means its diagonal, which is last then
        while twice := [c for c, n in Counter(term).items() if n > 1]:
            c = twice[0]
            a, b = term.index(c), term.index(c, term.index(c) + 1)
            if xs[i].shape[a] != xs[i].shape[b]:
                raise ShapeError(f"einsum {equation!r}: {c!r} stands for lengths {xs[i].shape[a]} and {xs[i].shape[b]}")
            xs[i] = diagonal_(xs[i], 0, a, b)
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + c
        terms[i] = term
    return einsum_(f"{','.join(terms)}->{result}", *xs)


def _spell_out(equation: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """The letters of the operands and of the result, with those that `...` and a missing `->` stand for."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ArgumentError(f"einsum {equation!r} describes {len(terms)} operands, but {len(operands)} were given")
    spare = [c for c in "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in equation]
    dots = [x.ndim - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True)]
    for t, x, n in zip(terms, operands, dots, strict=True):
        if n < 0 or (n and "..." not in t):
            raise ShapeError(f"einsum {equation!r}: {t!r} does not fit an operand of shape {x.shape}")
    ellipsis = "".join(spare[: max(dots, default=0)])
    spelled = [t.replace("...", ellipsis[len(ellipsis) - n :]) for t, n in zip(terms, dots, strict=True)]
    if not arrow:
        right = ("..." if any("..." in t for t in terms) else "") + "".join(
            c for c, n in sorted(Counter(left.replace(".", "").replace(",", "")).items()) if n == 1
        )
    result = right.replace("...", ellipsis)
    if odd := [c for c in result if all(c not in t for t in spelled)]:
        raise ArgumentError(f"einsum {equation!r}: {odd[0]!r} is in the result but in no operand")
    return spelled, result


NUMPY |= {
    np.einsum: lambda equation, *operands, out=None, optimize=False: einsum(equation, *operands),
    np.dot: lambda a, b: a * b if not (np.ndim(a) and np.ndim(b)) else matmul(a, b),
}
