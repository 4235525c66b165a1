"""Linear algebra: products of matrices, vectors and, with einsum, of anything; and the norms of vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import inf, prod
from string import ascii_letters
from typing import Any

import numpy as np

from .. import ops
from ..engine.accumulate import single
from ..engine.graph import Array
from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops.common import contiguous
from ..ops.elementwise import absolute, choose, multiply, power, sign
from ..ops.linalg import same_dtype
from .common import Dims, one_dim, some_dims
from .elementwise import astype
from .reduce import amax, amin


def rows(x: Array) -> Array:
    """All dims but the last as one."""
    return x if x.ndim == 2 else np.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


# ---------------------------------------------------------------- PyTorch's names
def matmul(input: Any, other: Any) -> Any:
    """The product of matrices, of stacks of matrices, or of vectors, which are 1-d (torch.matmul).

    Shape: (..., n, k) and (..., k, m) give (..., n, m). Raises DtypeError for two dtypes.

    >>> import autograd
    >>> autograd.matmul(autograd.tensor([[1.0, 2.0], [3.0, 4.0]]), autograd.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    a, b = (x.ndim if hasattr(x, "ndim") else np.ndim(x) for x in (input, other))
    if a == 2 == b:
        return ops.linalg.matmul(input, other)
    if not a or not b:
        raise ShapeError(
            f"matmul needs at least one dim on both sides, got shapes {np.shape(input)} and {np.shape(other)}; use *"
        )
    if a == 1 or b == 1:
        op = ops.linalg.dot if a == b else ops.linalg.vecmat if a == 1 else ops.linalg.matvec
        return op(input, other)
    if b == 2:  # a stack times one matrix is one product of matrices
        return np.reshape(ops.linalg.matmul(rows(input), other), (*np.shape(input)[:-1], np.shape(other)[-1]))
    return ops.linalg.matmul(input, other)


def _product(name: str, dims: tuple[int, int], shapes: str) -> Any:
    def product(input: Any, other: Any) -> Any:
        if (input.ndim, other.ndim) != dims:
            raise ShapeError(f"{name} needs {dims[0]}-d and {dims[1]}-d tensors, got shapes {input.shape} and {other.shape}")
        if dims == (3, 3) and input.shape[0] != other.shape[0]:  # which matmul might broadcast
            raise ShapeError(f"{name} needs stacks of one length, got shapes {input.shape} and {other.shape}")
        return matmul(input, other)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = f"""`matmul` of exactly {shapes} (torch.{name})."""
    return product


mm, bmm = _product("mm", (2, 2), "two matrices"), _product("bmm", (3, 3), "two stacks of matrices")
mv, dot = _product("mv", (2, 1), "a matrix and a vector"), _product("dot", (1, 1), "two vectors")


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
            xs[i] = ops.shape.diagonal(xs[i], 0, a, b)
            term = term[:a] + term[a + 1 : b] + term[b + 1 :] + c
        terms[i] = term
    long = {c for term, x in zip(terms, xs, strict=True) for c, n in zip(term, x.shape, strict=True) if n != 1}
    for i, term in enumerate(terms):  # a length of 1 that is broadcast to that of another operand is no letter of its own
        if any(c in long and n == 1 for c, n in zip(term, xs[i].shape, strict=True)):
            kept = [(c, n) for c, n in zip(term, xs[i].shape, strict=True) if n != 1 or c not in long]
            terms[i], xs[i] = "".join(c for c, _ in kept), np.reshape(xs[i], tuple(n for _, n in kept))
    if len(xs) == 1 and set(result) <= set(terms[0]):  # of one operand it is a sum and another order, a view if nothing is summed
        term, x = terms[0], xs[0]
        if gone := tuple(i for i, c in enumerate(term) if c not in result):
            x, term = np.sum(x, axis=gone), "".join(c for c in term if c in result)
        return np.transpose(x, tuple(term.index(c) for c in result))
    return ops.linalg.einsum(f"{','.join(terms)}->{result}", *xs)


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


def vdot(input: Any, other: Any) -> Any:
    """The sum of the products of two vectors' elements (torch.vdot)."""
    return dot(input, other)


@single
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Any:
    """The sums of the products of elements along `dim`, the other dims broadcast (torch.linalg.vecdot)."""
    same_dtype("vecdot", x=x, y=y)
    product = multiply(x, y)
    return ops.reduce.sum(product, (one_dim("vecdot", dim, product.ndim),))


def inner(input: Any, other: Any) -> Any:
    """Sums of products over the last dim of both, for all other indices of both; a 0-d tensor multiplies (torch.inner).

    Shape: (*a, k) and (*b, k) give (*a, *b).
    """
    return tensordot(input, other, ([-1], [-1])) if input.ndim and other.ndim else multiply(input, other)


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sums of products over the last `dims` dims of `a` and the first of `b`, or over two lists of dims (torch.tensordot).

    Shape: that of `a` and then that of `b`, both without the dims summed over, which are of equal length or of length 1.

    >>> import autograd
    >>> autograd.tensordot(autograd.ones(2, 3, 4), autograd.ones(4, 3), ([2, 1], [0, 1]))
    tensor([12., 12.])
    """
    same_dtype("tensordot", a=a, b=b)
    if isinstance(dims, int):
        dims = range(a.ndim - dims, a.ndim), range(dims)
    left, right = (
        some_dims("tensordot", tuple(d) if hasattr(d, "__iter__") else d, x.ndim) for d, x in zip(dims, (a, b), strict=True)
    )
    for i, j in zip(left, right, strict=False):  # an element beside many is multiplied by their sum
        if a.shape[i] == 1 != b.shape[j]:
            b = np.sum(b, axis=j, keepdims=True)
        elif a.shape[i] != 1 == b.shape[j]:
            a = np.sum(a, axis=i, keepdims=True)
    if [a.shape[i] for i in left] != [b.shape[j] for j in right]:
        raise ShapeError(f"tensordot: dims {left} of a {a.shape} and {right} of b {b.shape} differ in length")
    one, two = list(ascii_letters[: a.ndim]), list(ascii_letters[a.ndim : a.ndim + b.ndim])
    for i, j in zip(left, right, strict=True):
        two[j] = one[i]
    result = [c for c in one + two if not (c in one and c in two)]
    return contiguous(ops.linalg.einsum("{},{}->{}".format(*map("".join, (one, two, result))), a, b))


def kron(input: Any, other: Any) -> Any:
    """Every element of `input` times all of `other`, laid out in blocks (torch.kron).

    Shape: the lengths of the two multiplied, dim by dim; missing dims count as 1, in front.
    """
    n = max(input.ndim, other.ndim)
    a, b = ((1,) * (n - x.ndim) + x.shape for x in (input, other))
    left = np.reshape(input, tuple(k for length in a for k in (length, 1)))
    right = np.reshape(other, tuple(k for length in b for k in (1, length)))
    return np.reshape(multiply(left, right), tuple(i * j for i, j in zip(a, b, strict=True)))


@single
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The cross products of 3-vectors along `dim`, the first of length 3 if not given; other dims broadcast (torch.cross)."""
    shape = max(input.shape, other.shape, key=len)
    if dim is None:
        dim = shape.index(3) if 3 in shape else -1
    axis = one_dim("cross", dim, len(shape)) - len(shape)  # from the end, where shapes are aligned
    if any(x.ndim < -axis or x.shape[axis] != 3 for x in (input, other)):
        raise ShapeError(f"cross needs length 3 along dim {dim}, got shapes {input.shape} and {other.shape}")
    a, b = np.roll(input, -1, axis) * np.roll(other, -2, axis), np.roll(input, -2, axis) * np.roll(other, -1, axis)
    return contiguous(a - b)


@single
def multi_dot(tensors: Sequence[Any]) -> Any:
    """The product of matrices in the order that takes the fewest steps; the first and the last may be vectors.

    PyTorch: torch.linalg.multi_dot. Source: Cormen et al., Introduction to Algorithms, matrix-chain multiplication.
    """
    xs = list(tensors)
    if len(xs) < 2 or any(x.ndim != 2 for x in xs[1:-1]) or not all(1 <= x.ndim <= 2 for x in xs):
        shapes = ", ".join(str(x.shape) for x in xs)
        raise ShapeError(
            f"multi_dot needs at least two matrices, of which the first and last may be vectors, got {shapes or 'none'}"
        )
    sizes = [1 if xs[0].ndim == 1 else xs[0].shape[0], *(x.shape[0] for x in xs[1:]), 1 if xs[-1].ndim == 1 else xs[-1].shape[1]]

    @cache
    def cost(i: int, j: int) -> tuple[int, int]:
        """How many multiplications the product of i to j takes, and after which factor to split it."""
        if i == j:
            return 0, i
        return min((cost(i, k)[0] + cost(k + 1, j)[0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))

    def product(i: int, j: int) -> Any:
        k = cost(i, j)[1]
        return xs[i] if i == j else matmul(product(i, k), product(k + 1, j))

    return product(0, len(xs) - 1)


def chain_matmul(*matrices: Any) -> Any:
    """As `linalg.multi_dot`, of matrices one by one (torch.chain_matmul)."""
    return multi_dot(matrices)


# ---------------------------------------------------------------- a product and something added
def _add_product(op: str, input: Any, product: Any, beta: float, alpha: float) -> Any:
    """`beta * input + alpha * product`; with beta 0, `input` is not looked at, as in PyTorch."""
    same_dtype(op, input=input, product=product)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    input = np.broadcast_to(input, product.shape)
    return (input if beta == 1 else input * beta) + product


@single
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * input + alpha * (mat1 @ mat2)` for matrices (torch.addmm)."""
    return _add_product("addmm", input, mm(mat1, mat2), beta, alpha)


@single
def addmv(input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * input + alpha * (mat @ vec)` for a matrix and a vector (torch.addmv)."""
    return _add_product("addmv", input, mv(mat, vec), beta, alpha)


@single
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * input + alpha * (batch1 @ batch2)` for stacks of matrices (torch.baddbmm)."""
    return _add_product("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@single
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * input + alpha * the sum of batch1[i] @ batch2[i]` (torch.addbmm)."""
    return _add_product("addbmm", input, astype(ops.reduce.sum(bmm(batch1, batch2), (0,)), batch1.dtype), beta, alpha)


@single
def addr(input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """`beta * input + alpha * outer(vec1, vec2)` for a matrix and two vectors (torch.addr)."""
    return _add_product("addr", input, outer(vec1, vec2), beta, alpha)


# ---------------------------------------------------------------- norms and distances
def vector_norm(input: Any, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The `ord`-norm over `dim` (one, several, or all), the elements taken as one vector (torch.linalg.vector_norm).

    (sum |x|^ord)^(1/ord); for inf and -inf the largest and smallest |x|, for 0 how many are not 0. The gradient at a zero
    vector is 0, as is that of an element that is 0; several largest (or smallest) share it. Refuses integers.

    >>> import autograd
    >>> x = autograd.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    >>> norms = autograd.linalg.vector_norm(x, dim=1)
    >>> norms.sum().backward(); norms.detach(), x.grad
    (tensor([5., 0.]), tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]]))
    """
    if isinstance(ord, bool) or not isinstance(ord, (int, float)):
        raise ArgumentError(f"vector_norm: ord is a number, got {ord!r}; matrix_norm takes 'fro' and 'nuc'")
    input = input if dtype is None else astype(input, np.dtype(dtype))
    if input.dtype.kind != "f":
        raise DtypeError(f"vector_norm needs a floating-point tensor, not {input.dtype}; use float() first")
    axis = some_dims("vector_norm", dim, input.ndim)
    if abs(ord) == inf:
        return (amax if ord > 0 else amin)(absolute(input), axis, keepdim)
    if ord == 0:
        return ops.reduce.sum(absolute(sign(input)), axis, keepdim)
    if ord < 0 and not prod(input.shape[a] for a in axis):
        raise ShapeError(f"the vector norm of order {ord} of no elements does not exist; the tensor has shape {input.shape}")
    return ops.reduce.sum(absolute(input), axis, keepdim) if ord == 1 else ops.linalg.vector_norm(input, ord, axis, keepdim)


@single
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The `p`-norm of `input - other`, which broadcast, taken as one vector (torch.dist); where that is 0, so is the gradient."""
    return vector_norm(input - other, p)


@single
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """With each slice along `dim` whose `p`-norm is greater than `maxnorm` made that long (torch.renorm).

    >>> import autograd
    >>> autograd.renorm(autograd.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    axis = one_dim("renorm", dim, input.ndim)
    if input.ndim < 2 or maxnorm < 0 or p <= 0:
        raise ArgumentError(
            f"renorm takes a tensor of 2 dims or more, got {input.ndim}, p above 0, got {p}, and maxnorm from 0, got {maxnorm}"
        )
    norms = vector_norm(input, p, tuple(d for d in range(input.ndim) if d != axis), True)
    return input * choose(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)  # 1e-7 is PyTorch's


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers 0 to `N` - 1 of each element of a vector, in falling order or `increasing`, as rows (torch.vander)."""
    if x.ndim != 1:
        raise ShapeError(f"vander needs a vector, got shape {x.shape}")
    powers = np.arange(x.shape[0] if N is None else N, like=getattr(x, "array", x))
    return power(np.expand_dims(x, 1), powers if increasing else powers[::-1])


@single
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = None) -> Any:
    """The `p`-norm distance of each row of `x1` from each row of `x2` (torch.cdist); of equal rows the gradient is 0.

    Shape: (..., n, k) and (..., m, k) give (..., n, m); n * m * k differences are in memory. `compute_mode`, with which
    PyTorch chooses between an exact and a faster way, is ignored: this is the exact one.
    """
    same_dtype("cdist", x1=x1, x2=x2)
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist needs (..., n, k) and (..., m, k), got shapes {x1.shape} and {x2.shape}")
    if p < 0:
        raise ArgumentError(f"cdist: p must not be negative, got {p}")
    return contiguous(vector_norm(np.expand_dims(x1, -2) - np.expand_dims(x2, -3), p if x1.shape[-1] else 2, -1))


# ---------------------------------------------------------------- NumPy's spellings
