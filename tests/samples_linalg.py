"""The records of linear algebra, which samples.py takes in.

How matrices are drawn is up to here: well away from singular.
"""

from functools import partial
from itertools import permutations

import numpy as np
from samples import FUNCTIONS, Sample
from strategies import NONZERO, call, over, shaped

from autograd import linalg as public
from autograd.engine.primitive import PRIMITIVES

INTEGERS = {"dtypes": "PyTorch rounds the factors of integers, here they become floats"}
DEPRECATED = {"PyTorch": "its own warns that it will be removed"}
BEYOND = {"PyTorch": "its gradient is not 0 in the triangle that is not looked at"}
NO_HALF = {"dtype": "LAPACK has no float16; test_linalg.py checks float32"}


# ---------------------------------------------------------------- how calls are drawn
def spectral(s, *shape, values=None, symmetric=False):
    """Matrices with singular values (eigenvalues, if symmetric) that are well apart; in this order, if they are given."""
    *batch, n, m = shape
    k = min(n, m)
    u, v = (np.linalg.qr(s.rng.standard_normal((*batch, size, size)))[0][..., :k] for size in (n, m))
    if values is None:
        values = 1 + 0.6 * np.arange(k) + 0.2 * s.rng.random((*batch, 1, k))
    return s._lay(((u * values) @ np.swapaxes(u if symmetric else v, -1, -2)).astype(s.dtype))


def batch(s):
    return s.shape(dims=(0, 1), most=2)


def square(s, least=0):
    n = s.between(least, 3)
    return spectral(s, *batch(s), n, n)


def any_shape(s, least=0):
    return spectral(s, *batch(s), s.between(least, 4), s.between(least, 3))


def symmetric(s, positive=False):
    n = s.between(0, 3)
    signs = 1 if positive else (-1.0) ** np.arange(n)
    return spectral(s, *batch(s), n, n, values=signs * (1 + 0.6 * np.arange(n)), symmetric=True)


def of(draw, *rest, **options):
    """Calls with one drawn matrix, a choice of what may follow it, and some of the options."""
    return lambda s: call(draw(s), *([s.pick(*rest)] if rest else []), **s.some(options))


def system(s):
    a = spectral(s, *batch(s), *[s.between(1, 3)] * 2)
    n = a.shape[-1]
    return call(a, s.pick(s.array((n,)), s.array((n, 2)), s.array((*a.shape[:-2], n, 2)), s.array((2, *a.shape[:-2], n, 1))))


def triangular(s):
    a = square(s, 1)
    n, left = a.shape[-1], s.pick(True, False)
    diagonal = 2 * np.eye(n).astype(a.dtype)
    return call(
        a + diagonal,
        s.array((n, 2) if left else (2, n)),
        upper=s.pick(True, False),
        left=left,
        **s.some({"unitriangular": [True]}),
    )


def overdetermined(s):
    n, m = s.pick((3, 2), (4, 2), (4, 1))
    return call(spectral(s, n, m), s.pick(s.array((n,)), s.array((n, 2))))


def of_any_rank(s):
    """Square matrices of which some are singular, or have singular values that repeat."""
    n = s.between(0, 3)
    return spectral(s, *batch(s), n, n, values=np.array(s.pick([1, 2, 3], [2, 2, 1], [2, 1, 0], [1, 0, 0], [0, 0, 0]), float)[:n])


def ranked(s):
    """One tolerance for all matrices, or one for each."""
    x = of_any_rank(s)
    each = np.array(0.5 + np.arange(np.prod(x.shape[:-2], dtype=int)).reshape(x.shape[:-2]), x.dtype)
    return call(
        x,
        **s.some({"rtol": [0.3, each / 8], "hermitian": [True]}),
        **s.pick({}, {"tol": each}, {"tol": 1.5}),
    )


def directions(s):
    x = of_any_rank(s)
    return call(x, *(s.array(x.shape) for _ in range(s.between(0, 2))))


def chain(s):
    a, b, c, d = (s.between(0, 3) for _ in range(4))
    first, last = s.pick(((a, b), (c, d)), ((b,), (c, d)), ((a, b), (c,)), ((b,), (c,)))
    return call([s.array(first), s.array((b, c)), s.array(last)])


def contracted(s):
    forms = ("nk,km", 1), ("nkl,klm", 2), ("n,m", 0), ("nkl,lkm", ([1, 2], [1, 0])), ("kn,mk", ([0], [-1])), ("kn,mk", (0, 1))
    terms, dims = s.pick(*forms)
    return call(*s.spelled(terms), dims)


def crossed(s):
    return call(*s.spelled(s.pick("3,3", "n3,n3", "n3,13", "bn3,1n3")), -1)


def crossed_along(s):
    a, b = s.spelled(s.pick("n3,n3", "bn3,bn3"))
    return s.pick(
        call(a, b),
        call(np.moveaxis(a, -1, 0), b, axisa=0),
        call(a, np.moveaxis(b, -1, 0), axisb=0, axisc=0),
        call(*(np.moveaxis(x, -1, 0) for x in (a, b)), axis=0),
    )


def of_two(terms, **options):
    return lambda s: call(*s.spelled(terms), **s.some(options))


def added(spec, terms):
    """A matrix or what stretches to one, factors, beta and alpha; and what is to come out."""

    def make(s):
        sums, *factors = s.spelled(terms, 1)  # PyTorch's addmv of nothing and a number has no gradient
        return call(s.pick(sums, s.array(s.stretchable(sums.shape))), *factors, **s.some({"beta": [0.5, 2], "alpha": [-1.5]}))

    return make, lambda x, a, b, beta=1, alpha=1: beta * x + alpha * np.einsum(spec, a, b)


def matrix_of_nonzeros(s):
    return s.array((2, 3), NONZERO)


def points_apart(s):
    a, b = s.spelled(s.pick("nk,nk", "nk,k", "k,nk"), 1)
    if s.dtype.kind == "f":
        a, b = np.floor(a) + 0.3 + 0.4 * (a % 1), np.floor(b) + 0.2 * (b % 1)
    return call(a, b, **s.some({"p": [1.0, 1.5, 3.0]}))


def factored(s):
    """Right sides, and triangles with a diagonal away from 0."""
    upper, a = s.pick(True, False), square(s, 1)
    return call(s.array((a.shape[-1], 2)), a + 2 * np.eye(a.shape[-1], dtype=a.dtype), **({"upper": True} if upper else {}))


def normed(s):
    return s.pick(
        of(lambda s: s.array((3,), NONZERO), axis=[0, -1], **KEEP, **VECTOR_ORDS),
        of(lambda s: spectral(s, s.between(1, 3), s.between(1, 3)), axis=[(0, 1), (1, 0)], **KEEP, **MATRIX_ORDS),
    )(s)


def points(s):
    a, b = s.spelled(s.pick("nk,mk", "bnk,bmk", "bnk,mk"))
    if s.dtype.kind == "f":  # no closer than 0.1, as a root is steep near 0
        a, b = np.floor(a) + 0.3 + 0.4 * (a % 1), np.floor(b) + 0.2 * (b % 1)
    return call(a, b, **s.some({"p": [0.5, 1.0, 1.5, 3.0, np.inf, 0.0]}))


# ---------------------------------------------------------------- references, and what is unique about results that are not
class Seen:
    """`function`, of which the sample shows a part that is well defined; to be found among the ops it stands for `function`."""

    def __init__(self, function, show, symmetric):
        self.function, self.show, self.symmetric = function, show, symmetric
        self.__name__ = getattr(function, "__name__", "")

    def __call__(self, x, *args, **kwargs):
        square = getattr(x, "ndim", 0) > 1 and x.shape[-1] == x.shape[-2]
        if self.symmetric and square:  # a change of one element means a change of its mirror image too
            x = (x + np.matrix_transpose(x)) / 2
        out = self.function(x, *args, **kwargs)
        return self.show(out) if self.show else out

    def __eq__(self, other):
        return other is self or other is self.function

    def __hash__(self):
        return hash(self.function)


def signless_vectors(out):
    """Eigenvectors may be turned around: show their squares, and a matrix function with values of its own."""
    w, v = out
    return w, v * v, (v * np.cumsum(np.ones_like(w), -1)[..., None, :]) @ np.matrix_transpose(v)


def signless_singular_vectors(out):
    u, s, vh = out
    return s, u * u, vh * vh, (u * np.cumsum(np.ones_like(s), -1)[..., None, :]) @ vh


def cofactor(x, *hs):
    """The determinant is linear in each row: its derivative is the sum of what comes of replacing each row, one for each h."""
    out = np.zeros_like(x)
    for i, j in np.ndindex(x.shape[-2:]):
        unit = np.zeros_like(x)
        unit[..., i, j] = 1
        for rows in permutations(range(x.shape[-1]), len(hs) + 1):
            y = x.copy()
            for row, h in zip(rows, (*hs, unit), strict=True):
                y[..., row, :] = h[..., row, :]
            out[..., i, j] += np.linalg.det(y)
    return out


def power_norm(x, ord=2, dim=None, keepdim=False):
    axis = tuple(range(x.ndim)) if dim is None or not x.ndim else dim
    if abs(ord) == np.inf:
        extreme, initial = (np.max, 0) if ord > 0 else (np.min, np.inf)
        return extreme(np.abs(x), axis, keepdims=keepdim, initial=initial)
    if ord == 0:
        return np.sum(x != 0, axis, keepdims=keepdim)
    return np.sum(np.abs(x) ** ord, axis, keepdims=keepdim) ** (1 / ord)


def renormed(x, p, dim, most):
    axes = tuple(d for d in range(x.ndim) if d != dim % x.ndim)
    norms = np.sum(np.abs(x) ** p, axes, keepdims=True) ** (1 / p)
    return np.where(norms > most, x * most / (norms + 1e-7), x)


def of_half(x, upper):
    """The matrices that have this triangle as their Cholesky factor."""
    x = np.triu(x).mT if upper else np.tril(x)
    return x @ x.mT


def exponential(x):
    """The series, of a small part of x, to a power, in extended precision: each time that it is squared errors double."""
    dtype, x = x.dtype, x.astype(np.longdouble) / 2**10
    total, term = (np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape).copy() for _ in range(2))
    for n in range(1, 20):
        term = term @ x / n
        total += term
    return np.linalg.matrix_power(total, 2**10).astype(dtype)


def torchs_norm(x, p="fro", **options):
    return power_norm(x, 2 if p == "fro" else p, **options)


def distances(a, b, p=2.0):
    return power_norm(a[..., :, None, :] - b[..., None, :, :], p, -1)


def rank(x, tol=None, rtol=None, hermitian=False):
    """The number of singular values above the cut; before NumPy 2.2 its own knows no matrices without rows."""
    x = np.tril(x) + np.swapaxes(np.tril(x, -1), -1, -2) if hermitian else x
    s = np.linalg.svd(x, compute_uv=False)
    rtol = np.finfo(x.dtype).eps * max(x.shape[-2:]) * (tol is None) if rtol is None else rtol
    cut = np.maximum(np.max(s, -1, initial=0) * rtol, 0 if tol is None else tol)
    return np.sum(s > cut[..., None], -1)


def near(gaps, w):
    """Closer than 16 units in the last place of the largest."""
    return np.abs(gaps) <= 16 * np.finfo(w.dtype).eps * np.max(np.abs(w), -1, initial=0, keepdims=True)


def solve_triangle(a, b, upper, left=True, unitriangular=False):
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        a = a - a * np.eye(a.shape[-1]) + np.eye(a.shape[-1])
    return np.linalg.inv(a) @ b if left else b @ np.linalg.inv(a)


VECTOR_ORDS = {"ord": [0.5, 1, 1.5, 3, 4, np.inf, -np.inf, -1, 0]}
TORCH_ORDS = {"p": ["fro", 1, 3, np.inf]}
MATRIX_ORDS = {"ord": ["fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf]}
KEEP = {"keepdims": [True]}


def lapack(name, make, show=None, symmetric=False, smooth=True):
    """The record of a primitive by the function of np.linalg that it is made of, which knows no float16."""
    function = getattr(np.linalg, name)
    op = Seen(function, show, symmetric) if show or symmetric else function
    return Sample(name, make, op, op, smooth, NO_HALF)


def numpys(name, make, exempt=None):
    """The record of a function of np.linalg that is called otherwise here."""
    return Sample("np.linalg." + name, make, getattr(np.linalg, name), getattr(np.linalg, name), exempt=exempt or {})


# fmt: off
SAMPLES = [
    # ---- products
    Sample("vdot", shaped("k,k"), np.vdot),
    Sample("vecdot", shaped("k,k", "nk,k", "bnk,nk"), np.vecdot, public.vecdot),
    Sample("inner", shaped("k,k", "nk,k", "nk,mk", "bnk,mk", ",nk"), np.inner),
    Sample("tensordot", contracted, np.tensordot),
    Sample("kron", shaped("n,m", "nk,ml", "nk,m", "m,bnk", ",n"), np.kron),
    Sample("cross", crossed, np.cross),
    Sample("multi_dot", chain, np.linalg.multi_dot, np.linalg.multi_dot),
    Sample("addmm", *added("nk,km->nm", "nm,nk,km"), exempt=INTEGERS),
    Sample("addmv", *added("nk,k->n", "n,nk,k"), exempt=INTEGERS),
    Sample("addbmm", *added("bnk,bkm->nm", "nm,bnk,bkm"), exempt=INTEGERS),
    Sample("addr", *added("n,m->nm", "nm,n,m"), exempt=INTEGERS),
    Sample("chain_matmul", shaped("nk,km,ml"), lambda *xs: np.linalg.multi_dot(xs), exempt=DEPRECATED),
    Sample("vander", lambda s: call(s.array((s.between(1, 3),), NONZERO), **s.some({"N": [0, 2, 4], "increasing": [True]})), np.vander, exempt={"PyTorch": "its gradient raises, as it writes into what it saved"}),
    Sample("baddbmm", *added("bnk,bkm->bnm", "bnm,bnk,bkm"), exempt=INTEGERS),
    lapack("matrix_power", of(lambda s: square(s) / 3, -2, 1, 2, 5)),
    # ---- norms
    Sample("vector_norm", over(domain=NONZERO, least=1, keepdim=[True], **VECTOR_ORDS), power_norm, public.vector_norm),
    Sample("norm", over("int tuple none", NONZERO, 1, (0, 2), keepdim=[True], **TORCH_ORDS), torchs_norm),
    lapack("matrix_norm", of(lambda s: any_shape(s, 1), **KEEP, **MATRIX_ORDS)),
    Sample("cdist", points, distances),
    Sample("dist", points_apart, lambda a, b, p=2: power_norm(a - b, p), exempt={"dtypes": "PyTorch has none of integers"}),
    Sample("renorm", lambda s: call(s.array(s.shape(1, dims=(2, 3)), NONZERO), s.pick(1, 2, 3.0), s.pick(0, -1), s.pick(0.5, 1.0, 50.0)), renormed),
    lapack("cond", of(lambda s: square(s, 1), None, 2, -2, "fro", 1, -np.inf)),
    # ---- inverses
    lapack("inv", of(square)),
    lapack("solve", system),
    Sample("solve_triangular", triangular, solve_triangle, public.solve_triangular, exempt=NO_HALF),
    lapack("pinv", of(any_shape)),
    lapack("lstsq", overdetermined),
    Sample("cholesky_solve", factored, lambda b, half, upper=False: np.linalg.solve(of_half(half, upper), b), exempt=NO_HALF | BEYOND),
    Sample("cholesky_inverse", lambda s: (c := factored(s), call(c.args[1], **c.kwargs))[1], lambda half, upper=False: np.linalg.inv(of_half(half, upper)), exempt=NO_HALF | BEYOND),
    Sample("pinverse", of(any_shape), np.linalg.pinv, exempt=NO_HALF),
    # ---- the exponential
    Sample("torch.matrix_exp", of(square), exponential, public.matrix_exp, exempt=NO_HALF),
    Sample("matrix_exp", lambda s: call(square(s), 1), lambda x, blocks: exponential(x), PRIMITIVES["matrix_exp"], exempt=NO_HALF),
    # ---- determinants
    lapack("det", of(of_any_rank)),
    Sample("cofactor", directions, cofactor, exempt=NO_HALF),
    lapack("slogdet", of(square)),
    Sample("logdet", of(lambda s: symmetric(s, positive=True)), lambda x: np.log(np.linalg.det(x)), exempt=NO_HALF),
    # ---- decompositions
    lapack("cholesky", of(lambda s: symmetric(s, positive=True)), symmetric=True),
    lapack("qr", of(any_shape, "reduced", "r")),
    lapack("eigh", of(symmetric, "L", "U"), signless_vectors, symmetric=True),
    lapack("eigvalsh", of(symmetric, "L", "U"), symmetric=True),
    lapack("svd", of(any_shape, False), signless_singular_vectors),
    lapack("svdvals", of(any_shape)),
    Sample("matrix_rank", ranked, rank, np.linalg.matrix_rank, False, NO_HALF),
    Sample("mirror", of(symmetric), lambda x: x, Seen(PRIMITIVES["mirror"], None, True)),
    Sample("pinv of a triangle", of(symmetric), np.linalg.pinv, Seen(partial(public.pinv, hermitian=True), None, True), exempt=NO_HALF),
    Sample("near", lambda s: call(s.array((2, 3)) * np.asarray(1e-15, s.dtype), s.array((2, 3))), near, smooth=False),
    Sample("defined", lambda s: call(x := s.array(s.shape()), np.zeros(x.shape, bool), "no reason"), lambda x, hole, why: x),
    # ---- functions of PyTorch that are spelled differently
    Sample("torch.cholesky", of(lambda s: symmetric(s, positive=True)), np.linalg.cholesky, Seen(FUNCTIONS["cholesky"], None, True), exempt=NO_HALF),
    Sample("torch.qr", of(any_shape), np.linalg.qr, FUNCTIONS["qr"], exempt=NO_HALF | DEPRECATED),
    Sample("torch.svd", of(any_shape), lambda x: signless_singular_vectors(np.linalg.svd(x, False)), Seen(FUNCTIONS["svd"], lambda out: signless_singular_vectors((*out[:2], np.matrix_transpose(out[2]))), False), exempt=NO_HALF),
    Sample("torch.inverse", of(square), np.linalg.inv, public.inv, exempt=NO_HALF),
    Sample("torch.det", of(square), np.linalg.det, public.det, exempt=NO_HALF),
    Sample("torch.slogdet", of(square), np.linalg.slogdet, public.slogdet, exempt=NO_HALF),
    Sample("torch.matrix_power", of(lambda s: square(s) / 3, -1, 3), np.linalg.matrix_power, public.matrix_power, exempt=NO_HALF),
    # ---- functions of NumPy that are spelled differently
    Sample("np.vdot", shaped("k,k", "nk,nk"), np.vdot, np.vdot),
    Sample("np.vecdot", shaped("k,k", "nk,k", "bnk,nk"), np.vecdot, np.vecdot),
    Sample("np.tensordot", contracted, np.tensordot, np.tensordot),
    Sample("np.kron", shaped("nk,ml", "m,bnk"), np.kron, np.kron),
    Sample("np.cross", crossed_along, np.cross, np.cross),
    numpys("norm", normed, NO_HALF),
    numpys("vector_norm", of(matrix_of_nonzeros, axis=[0, (0, 1)], **KEEP, **VECTOR_ORDS)),
    numpys("vecdot", of_two("nk,nk", axis=[0, -1])),
    numpys("cross", of_two("n3,n3", axis=[-1, 1])),
    numpys("tensordot", shaped("nkl,klm")),
    numpys("matmul", shaped("nk,km", "bnk,km")),
    numpys("outer", shaped("n,m")),
    numpys("trace", of(any_shape, offset=[1, -1])),
    numpys("diagonal", of(any_shape, offset=[1, -1])),
    numpys("matrix_transpose", of(any_shape)),
]
# fmt: on
