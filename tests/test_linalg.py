"""Linear algebra beyond the records: PyTorch's answers, repeated values, singular matrices, and what has no gradient."""

import inspect
import itertools
import math
import re

import numpy as np
import pytest
import test_dtypes
from helpers import leaf
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples_linalg import NO_HALF, SAMPLES, exponential
from strategies import Call
from test_ops import Function, directions, inner, slope

import autograd
from autograd import errors, linalg
from autograd.api import decomposition
from autograd.engine.tape import Tape

inf = math.inf


def array(*shape, seed=0):
    """Numbers in general position."""
    return np.random.default_rng(seed).uniform(-2, 2, shape)


def rotation(n, seed=0):
    return np.linalg.qr(array(n, n, seed=seed))[0]


def with_values(*values, m=None, seed=0):
    """A matrix with these singular values."""
    n = len(values)
    return rotation(n, seed) @ np.diag(values) @ rotation(m or n, seed + 1)[:n]


def symmetric(*values, seed=0):
    """A symmetric matrix with these eigenvalues."""
    q = rotation(len(values), seed)
    a = (q * values) @ q.T
    return (a + a.T) / 2


def gradient(f, values):
    """The gradient of f, a function to a number, at `values`, as an array."""
    x = leaf(values)
    return autograd.grad(f(x), x)[0].array


class Plain:
    """A sample that is just an op."""

    def __init__(self, op):
        self.op = op


def check_derivatives(op, *args, **kwargs):
    """First and second order are what finite differences say."""
    f = Function(Plain(op), Call(args, kwargs))
    vs = [f.rng.uniform(-1, 1, x.shape) for x in f.xs]
    gs, seconds = f.pull(f.xs, f.us)[0], f.second(vs)
    for ws in directions(f.rng, f.xs):
        assert_allclose(inner(gs, ws), slope(lambda xs: inner(f.us, f(xs)), f.xs, ws), rtol=1e-7, atol=1e-7)
        expected = slope(lambda xs: inner(f.pull(xs, f.us)[0], vs), f.xs, ws)
        assert_allclose(inner(seconds[: len(ws)], ws), expected, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- PyTorch's answers
A, B, WIDE, HIGH = array(2, 3, 3), array(2, 3, 2, seed=1), array(2, 3, seed=2), array(4, 2, seed=3)
POSITIVE = symmetric(1.0, 2.0, 4.0)
CASES = {
    "inv": (lambda m, a: m.linalg.inv(a), A),
    "solve": (lambda m, a, b: m.linalg.solve(a, b), A, B),
    "solve a vector": (lambda m, a, b: m.linalg.solve(a, b), A[0], B[0, :, 0]),
    "solve vectors": (lambda m, a, b: m.linalg.solve(a, b), A, B[:, :, 0]),
    "solve for all": (lambda m, a, b: m.linalg.solve(a, b), A, B[0]),
    "solve from the right": (lambda m, a, b: m.linalg.solve(a, b, left=False), A, np.swapaxes(B, 1, 2).copy()),
    "solve_triangular": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True), A, B),
    "solve_triangular lower": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=False, unitriangular=True), A, B),
    "solve_triangular right": (lambda m, a, b: m.linalg.solve_triangular(a, b, upper=True, left=False), A[0], WIDE),
    "det": (lambda m, a: m.linalg.det(a), A),
    "slogdet": (lambda m, a: m.linalg.slogdet(a), A),
    "cholesky": (lambda m, a: m.linalg.cholesky(a), POSITIVE),
    "cholesky upper": (lambda m, a: m.linalg.cholesky(a, upper=True), POSITIVE),
    "cholesky of a product": (lambda m, a: m.linalg.cholesky(a @ a.mT), A),
    "qr": (lambda m, a: m.linalg.qr(a), A),
    "qr high": (lambda m, a: m.linalg.qr(a), HIGH),
    "qr wide": (lambda m, a: m.linalg.qr(a), WIDE),
    "qr complete": (lambda m, a: m.linalg.qr(a, mode="complete"), WIDE),
    "svdvals": (lambda m, a: m.linalg.svdvals(a), HIGH),
    "svd values": (lambda m, a: m.linalg.svd(a).S, A),
    "svd": (lambda m, a: _signless_svd(*m.linalg.svd(a, full_matrices=False)), A),
    "svd high": (lambda m, a: _signless_svd(*m.linalg.svd(a, full_matrices=False)), HIGH),
    "svd wide": (lambda m, a: _signless_svd(*m.linalg.svd(a, full_matrices=False)), WIDE),
    "eigvalsh": (lambda m, a: m.linalg.eigvalsh(a @ a.mT), A),
    "eigvalsh of a triangle": (lambda m, a: m.linalg.eigvalsh(a), A),
    "eigvalsh of the other": (lambda m, a: m.linalg.eigvalsh(a, UPLO="U"), A),
    "eigh": (lambda m, a: _signless_eigh(*m.linalg.eigh(a @ a.mT)), A),
    "eigh upper": (lambda m, a: _signless_eigh(*m.linalg.eigh(a @ a.mT, "U")), A),
    "pinv": (lambda m, a: m.linalg.pinv(a), HIGH),
    "pinv wide": (lambda m, a: m.linalg.pinv(a), WIDE),
    "pinv cut off": (lambda m, a: m.linalg.pinv(a, rtol=0.7), A),
    "lstsq": (lambda m, a, b: m.linalg.lstsq(a, b).solution, HIGH, array(4, 3, seed=4)),
    "lstsq a vector": (lambda m, a, b: m.linalg.lstsq(a, b).solution, HIGH, array(4, seed=4)),
    "lstsq wide": (lambda m, a, b: m.linalg.lstsq(a, b).solution, WIDE, array(2, 1, seed=4)),
    "matrix_power": (lambda m, a: m.linalg.matrix_power(a, 3), A),
    "matrix_power negative": (lambda m, a: m.linalg.matrix_power(a, -2), A),
    "multi_dot": (lambda m, *xs: m.linalg.multi_dot(xs), array(2), WIDE, A[0], B[0], array(2, seed=5)),
    "vecdot": (lambda m, a, b: m.linalg.vecdot(a, b, dim=0), A, A[:, ::-1].copy()),
    "cross": (lambda m, a, b: m.linalg.cross(a, b), A, A[:1]),
    "cross dim": (lambda m, a, b: m.linalg.cross(a, b, dim=1), B, B[:, :, :1]),
    **{f"cond {p}": (lambda m, a, p=p: m.linalg.cond(a, p), A) for p in (None, 2, -2)},
    **{f"norm {p}": (lambda m, a, p=p: m.linalg.norm(a, p), WIDE) for p in (None, 2, -2, "fro", "nuc", 1, -1, inf, -inf)},
    **{f"vector_norm {p}": (lambda m, a, p=p: m.linalg.vector_norm(a, p, 1), A) for p in (0.5, 1, 1.5, 2, 3, 4, -1, -inf, inf)},
    "matrix_norm": (lambda m, a: m.linalg.matrix_norm(a, "nuc", (0, 2), keepdim=True), A),
    "norm of a vector": (lambda m, a: m.linalg.norm(a, 3, 1, True), A),
    "norm of dims": (lambda m, a: m.linalg.norm(a, dim=(0, 2)), A),
    "norm of all": (lambda m, a: m.linalg.norm(a), A),
}  # fmt: skip


def _signless_svd(u, s, vh):
    return u * u, s, vh * vh, u @ vh


def _signless_eigh(w, v):
    return w, v * v, v[..., 1:] @ v[..., 1:].mT


def answers(m, f, xs):
    """Values, gradients, and gradients of the sum of the gradients' squares, as arrays, by the library m."""
    out = f(m, *xs)
    out = [y for y in (out if isinstance(out, tuple) else (out,)) if y.requires_grad]
    weights = [m.as_tensor(np.sin(1.0 + np.arange(math.prod(y.shape))).reshape(tuple(y.shape))) for y in out]
    total = sum((y * w.to(y.dtype)).sum() for y, w in zip(out, weights, strict=True))
    first = m.autograd.grad(total, xs, create_graph=True)
    squares = sum((g * g).sum() for g in first)
    second = m.autograd.grad(squares, xs, allow_unused=True) if squares.requires_grad else ()
    return [y.numpy(force=True) for y in (*out, *first, *(g for g in second if g is not None))]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_like_torch(name, dtype, torch):
    f, *arrays = CASES[name]
    arrays = [a.astype(dtype) for a in arrays]
    ours = answers(autograd, f, [leaf(a, dtype) for a in arrays])
    theirs = answers(torch, f, [torch.tensor(a, requires_grad=True) for a in arrays])
    tolerance = 1e-9 if dtype == "float64" else 2e-3
    for y, e in zip(ours[: len(theirs)], theirs, strict=True):
        assert y.dtype == e.dtype == dtype
        assert_allclose(y, e, rtol=tolerance, atol=tolerance * max(1, np.abs(e).max()))


def test_lstsq_returns_what_torchs_drivers_do(torch):
    for a, b in ((HIGH, array(4, 3)), (WIDE, array(2, 1)), (HIGH, array(4)), (np.stack([HIGH, HIGH]), array(2, 4))):
        for driver in (None, "gelsy", "gels", "gelsd", "gelss"):
            ours = linalg.lstsq(*map(autograd.tensor, (a, b)), driver=driver)
            theirs = torch.linalg.lstsq(*map(torch.tensor, (a, b)), driver=driver)
            for y, e in zip(ours, theirs, strict=True):
                assert_allclose(y.array, e.numpy(), rtol=1e-10, atol=1e-12)
                assert str(e.dtype) == f"torch.{y.dtype}"
            assert ours._fields == ("solution", "residuals", "rank", "singular_values")


def test_lstsq_carries_gradients_where_torchs_does(torch):
    for driver in ("gels", "gelsd"):
        grads = []
        for m in (autograd, torch):
            a, b = (m.tensor(v, requires_grad=True) for v in (HIGH, array(4, 3)))
            found = m.linalg.lstsq(a, b, driver=driver)
            assert [y.requires_grad for y in found] == [True, True, False, False]
            grads += m.autograd.grad(found.solution.sum() + (found.residuals**2).sum(), (a, b))
        for g, e in zip(grads[:2], grads[2:], strict=True):
            assert_allclose(g.array, e.numpy(), rtol=1e-9, atol=1e-11)


def test_a_power_of_0_keeps_its_graph():
    for n in (-2, 0, 1, 3):
        x = autograd.tensor(2 * np.eye(2) + 0.1, requires_grad=True)
        (g,) = autograd.grad(linalg.matrix_power(x, n).sum(), x)
        assert (g == 0).all() == (n == 0)


SERIES = {  # matrices that are hard for a series
    "of a large norm": array(4, 4) * 30,
    "of a small norm": array(3, 3) * 1e-9,
    "far from normal": np.array([[1.0, 1e6], [0.0, -1.0]]),
    "nilpotent": np.triu(array(5, 5), 1),
    "a stack of all sizes": array(3, 4, 4) * np.array([1e-3, 1.0, 50.0]).reshape(-1, 1, 1),
    "none": np.zeros((2, 0, 0)),
    "zero": np.zeros((2, 2)),
}


@pytest.mark.parametrize("name", SERIES)
def test_matrix_exp_is_the_series(name):
    """Summed up in extended precision; an error in x as small as rounding makes one of its norm times that in the exponential."""
    x = SERIES[name]
    expected = exponential(x.astype(np.longdouble)).astype(np.float64)
    norm = np.abs(x).sum(-2).max(initial=1)
    found = linalg.matrix_exp(autograd.tensor(x)).array
    assert_allclose(found, expected, rtol=0, atol=1e-15 * norm * np.abs(expected).max(initial=0))


@pytest.mark.parametrize("name", SERIES)
def test_the_gradient_of_matrix_exp_is_pytorchs(name, torch):
    x = SERIES[name]
    ours, theirs = autograd.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    weights = array(*x.shape, seed=1)
    linalg.matrix_exp(ours).backward(autograd.tensor(weights))
    torch.linalg.matrix_exp(theirs).backward(torch.tensor(weights))
    g = theirs.grad.numpy()
    assert_allclose(ours.grad.array, g, rtol=1e-9, atol=1e-12 * np.abs(g).max(initial=0))


def test_the_gradient_of_matrix_exp_does_not_depend_on_how_large_it_is():
    """What comes in stands beside the matrix, but has no say in how that is halved."""
    x = autograd.tensor(array(3, 3), requires_grad=True)
    g = autograd.tensor(array(3, 3, seed=1))
    small, large = (autograd.grad(linalg.matrix_exp(x), x, g * scale)[0] / scale for scale in (1.0, 2.0**60))
    assert (small == large).all()


def test_matrix_exp_of_what_is_not_finite_is_nan():
    with np.errstate(all="ignore"):
        assert linalg.matrix_exp(autograd.tensor([[np.nan, 0.0], [0.0, 1.0]])).isnan().any()
        assert linalg.matrix_exp(autograd.tensor([[np.inf, 0.0], [0.0, 1.0]])).isnan().any()


def test_logdet_where_there_is_none():
    with np.errstate(all="ignore"):
        assert autograd.logdet(autograd.tensor([[0.0, 1.0], [1.0, 0.0]])).isnan()
        assert autograd.logdet(autograd.ones(2, 2)).item() == -np.inf


def test_old_names_of_torch_itself(torch):
    a = HIGH
    for m in (autograd, torch):
        x = m.tensor(a)
        u, s, v = m.svd(x)
        assert_allclose(np.asarray(u @ m.diag(s) @ v.mT), a, rtol=1e-10)
        assert [tuple(t.shape) for t in m.svd(x, some=False)] == [(4, 4), (2,), (2, 2)]
        assert [t.abs().sum().item() > 0 for t in m.svd(x, compute_uv=False)] == [False, True, False]
        assert_allclose(np.asarray(m.pinverse(x)), np.linalg.pinv(a), rtol=1e-10)
    assert_allclose(autograd.cholesky(x := autograd.tensor(a.T @ a), True).array, np.linalg.cholesky(x.array).T, rtol=1e-10)
    assert [t.shape for t in autograd.qr(autograd.tensor(a), some=False)] == [(4, 4), (4, 2)]


def test_names_and_defaults_are_torchs(torch):
    """Every public function is one of torch.linalg, and takes its arguments under the same names."""
    for name in set(linalg.__all__) - {"LinAlgError", "matmul"}:
        function = getattr(linalg, name)
        ours = [p for p in inspect.signature(function).parameters if p != "tol"]
        text = (getattr(torch.linalg, name).__doc__ or "").strip().split("\n")[0]
        text = re.sub(r"=\([^)]*\)", "", text)
        theirs = [p.split("=")[0].strip() for p in text[text.index("(") + 1 : text.index(")")].split(",")]
        theirs = [p for p in theirs if p not in ("*", "out", "driver")]
        if name == "vector_norm":
            ours[0] = "x"  # it answers to that, too
        assert [p for p in ours if p != "driver"] == theirs, name


# ---------------------------------------------------------------- determinants of singular matrices
SINGULAR = {
    "rank 2 of 3": with_values(2.0, 1.0, 0.0),
    "rank 1 of 3": with_values(2.0, 0.0, 0.0),
    "zero": np.zeros((3, 3)),
    "identity": np.eye(3),
    "1x1": np.zeros((1, 1)),
    "zero 2x2": np.zeros((2, 2)),
    "a batch": np.stack([np.zeros((2, 2)), np.ones((2, 2)), np.eye(2), array(2, 2)]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_det_of_singular_matrices(name):
    check_derivatives(linalg.det, SINGULAR[name])


def test_gradient_of_det_is_the_cofactors():
    assert_allclose(gradient(linalg.det, [[1.0, 2.0], [2.0, 4.0]]), [[4, -2], [-2, 1]], atol=1e-14)
    assert_allclose(gradient(linalg.det, [[0.0]]), [[1]])


@pytest.mark.parametrize(
    "values", [np.zeros((3, 3)), with_values(1.0, 1.0, 0.0), array(3, 3)], ids=["zero", "singular", "regular"]
)
def test_third_derivatives_of_det_are_the_permutation_symbol(values):
    x = leaf(values)
    for i, j, k in itertools.product(range(3), repeat=3):
        d = linalg.det(x)
        for at in ((0, i), (1, j)):
            d = autograd.grad(d, x, create_graph=True)[0][at]
        third = autograd.grad(d, x, materialize_grads=True)[0].array if d.requires_grad else np.zeros((3, 3))
        assert_allclose(third[2, k], np.linalg.det(np.eye(3)[[i, j, k]]), atol=1e-12)


def test_det_of_large_matrices_keeps_its_accuracy():
    a = array(40, 40)
    expected = np.linalg.det(a) * np.linalg.inv(a).T
    assert_allclose(gradient(linalg.det, a), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_slogdet_of_a_singular_matrix():
    x = leaf([[1.0, 2.0], [2.0, 4.0]])
    sign, logabsdet = linalg.slogdet(x)
    assert (sign.item(), logabsdet.item()) == (0, -inf)
    with pytest.raises(errors.NoGradientError, match="slogdet of a singular matrix has no gradient"):
        logabsdet.backward()
    pair = leaf([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 4.0]]])
    autograd.where(linalg.slogdet(pair).sign != 0, linalg.slogdet(pair).logabsdet, 0.0).sum().backward()
    assert_allclose(pair.grad.array, [[[0, 0], [0, 0]], [[0.5, 0], [0, 0.25]]])
    assert_array_equal(gradient(lambda x: linalg.slogdet(x).sign, np.eye(2)), 0)


# ---------------------------------------------------------------- repeated eigen- and singular values
REPEATED = {
    "twice two": symmetric(3.0, 3.0, -1.0, -1.0, 2.0),
    "identity": np.eye(3),
    "zero": np.zeros((3, 3)),
    "almost": symmetric(1.0, 1.0 + 1e-15, 2.0),
}


@pytest.mark.parametrize("values", [linalg.eigvalsh, lambda a: linalg.eigh(a).eigenvalues], ids=["eigvalsh", "eigh"])
@pytest.mark.parametrize("name", REPEATED)
def test_eigenvalues_that_repeat(name, values):
    """The sum of the cubes of the eigenvalues is the trace of the cube, whose gradient is three times the square."""
    a = REPEATED[name]
    assert_allclose(gradient(lambda x: (values(x) ** 3).sum(), a), 3 * a @ a, atol=1e-12)
    x = leaf(a)
    (g,) = autograd.grad((values(x) ** 3).sum(), x, create_graph=True)
    assert_allclose(g.array, 3 * a @ a, atol=1e-12)


SHAPES = {"square": with_values(2.0, 2.0, 1.0), "wide": with_values(2.0, 2.0, 1.0, 1.0, m=6), "zero": np.zeros((2, 3))}


@pytest.mark.parametrize("values", [linalg.svdvals, lambda a: linalg.svd(a).S], ids=["svdvals", "svd"])
@pytest.mark.parametrize("name", SHAPES)
def test_singular_values_that_repeat(name, values):
    """The sum of their fourth powers is the trace of A A^T A A^T, whose gradient is 4 A A^T A."""
    a = SHAPES[name]
    assert_allclose(gradient(lambda x: (values(x) ** 4).sum(), a), 4 * a @ a.T @ a, atol=1e-12)


def test_matrix_norms_where_singular_values_repeat():
    for a in (with_values(2.0, 2.0, 1.0), np.eye(3), with_values(3.0, 3.0, 3.0)):
        u, _, vh = np.linalg.svd(a)
        assert_allclose(gradient(lambda x: linalg.matrix_norm(x, "nuc"), a), u @ vh, atol=1e-12)
        g = gradient(lambda x: linalg.matrix_norm(x, 2), a)  # any mixture of the u v^T of the largest is a subgradient
        assert_allclose([np.linalg.norm(g, "nuc"), np.sum(g * a)], [1, np.linalg.norm(a, 2)])
    for p in ("nuc", "fro", 2, -2, 1, -1, inf, -inf):
        assert_array_equal(gradient(lambda x, p=p: linalg.matrix_norm(x, p), np.zeros((2, 3))), 0)


def use_vectors(which):
    """A function of eigenvectors, or of singular vectors on one side."""
    return {
        "eigenvectors": lambda x: linalg.eigh(x).eigenvectors,
        "U": lambda x: linalg.svd(x, full_matrices=False).U,
        "Vh": lambda x: linalg.svd(x, full_matrices=False).Vh.mT,
    }[which]


@pytest.mark.parametrize("which", ["eigenvectors", "U", "Vh"])
@pytest.mark.parametrize("name", REPEATED)
def test_vectors_of_repeated_values_have_no_gradient(name, which):
    message = f"{'eigh: eigen' if which[0] == 'e' else 'svd: singular '}vectors .* have no gradient"
    for show in (lambda v: v[0, 1], lambda v: (v**2)[1].sum(), lambda v: (v @ v.mT)[0, 1]):
        x = leaf(REPEATED[name])
        y = show(use_vectors(which)(x))
        with pytest.raises(errors.NoGradientError, match=message):
            y.backward()


def test_a_function_of_a_matrix_is_refused_where_eigenvalues_repeat():
    """exp(A) has a gradient, but this way would silently give a wrong one."""
    x = leaf(np.eye(2))
    w, v = linalg.eigh(x)
    with pytest.raises(errors.NoGradientError, match="any rotation of them would do as well"):
        ((v * w.exp()) @ v.mT)[0, 1].backward()


def test_vectors_of_single_values_have_a_gradient_among_repeated_ones():
    a = symmetric(1.0, 1.0, 1.0, 3.0)
    u = np.linalg.eigh(a)[1][:, -1]
    projector = np.outer(u, u)
    c = array(4, 4)
    g = gradient(lambda x: ((v := linalg.eigh(x).eigenvectors[:, -1:]) @ v.mT * autograd.tensor(c)).sum(), a)
    rest = (np.eye(4) - projector) / 2  # 1 / (3 - 1), the inverse of the gap
    expected = rest @ (c + c.T) / 2 @ projector
    assert_allclose(g, expected + expected.T, atol=1e-12)
    b = with_values(3.0, 1.0, 1.0)
    top = gradient(lambda x: ((s := linalg.svd(x)).U[:, :1] @ s.Vh[:1] * autograd.tensor(c[:3, :3])).sum(), b)
    check_derivatives(lambda x: (s := linalg.svd(x)).U[:, :1] @ s.Vh[:1], with_values(3.0, 1.0, 0.5))
    near = with_values(3.0, 1.0 + 1e-6, 1.0 - 1e-6)
    assert_allclose(
        top, gradient(lambda x: ((s := linalg.svd(x)).U[:, :1] @ s.Vh[:1] * autograd.tensor(c[:3, :3])).sum(), near), atol=1e-5
    )


def test_one_of_a_batch_may_have_repeated_values_if_its_vectors_are_not_used():
    x = leaf(np.stack([np.eye(2), [[2.0, 1.0], [1.0, 3.0]]]))
    (g,) = autograd.grad(linalg.eigh(x).eigenvectors[1, 0, 0] ** 2, x)
    assert_array_equal(g.array[0], 0)
    assert np.abs(g.array[1]).max() > 0.01


def test_singular_vectors_at_zero():
    """Of a square matrix the vectors of a single 0 turn with it; of another, any direction outside would do."""
    check_derivatives(lambda x: (u := linalg.svd(x).U) * u, np.diag([2.0, 1.0, 0.0]) @ rotation(3))
    x = leaf(with_values(2.0, 0.0, m=3).T)
    with pytest.raises(errors.NoGradientError, match="to 0, if not square"):
        (linalg.svd(x, full_matrices=False).U[:, 1] ** 2)[0].backward()
    assert autograd.gradcheck(lambda x: linalg.svd(x, full_matrices=False).Vh ** 2, x)


@pytest.mark.parametrize("a", [WIDE, HIGH], ids=["wide", "high"])
def test_full_matrices(a):
    u, s, vh = linalg.svd(autograd.tensor(a))
    assert (u.shape, s.shape, vh.shape) == ((a.shape[0],) * 2, (2,), (a.shape[1],) * 2)
    assert_allclose(u.array[:, :2] * s.array @ vh.array[:2], a, atol=1e-12)
    check_derivatives(lambda x: ((r := linalg.svd(x)).U[:, :2] ** 2, r.S, r.Vh[:2] ** 2), a)
    x = leaf(a)
    extra = linalg.svd(x).U[:, 2:] if a is HIGH else linalg.svd(x).Vh[2:]
    with pytest.raises(errors.NoGradientError, match="have no gradient"):
        (extra**2)[0, 0].backward()


def test_qr_of_columns_that_depend_on_each_other():
    for a in ([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]], np.zeros((2, 2)), with_values(1.0, 0.0)):
        x = leaf(a)
        with pytest.raises(errors.NoGradientError, match="qr of matrices whose columns depend on each other has no gradient"):
            linalg.qr(x).Q.sum().backward()
    x = leaf(np.stack([np.zeros((2, 2)), array(2, 2)]))
    (g,) = autograd.grad(linalg.qr(x).R[1].sum(), x)
    assert_array_equal(g.array[0], 0)
    assert_allclose(g.array[1], gradient(lambda x: linalg.qr(x).R.sum(), array(2, 2)))


def test_modes_of_qr():
    x = leaf(HIGH)
    q, r = linalg.qr(x, mode="complete")
    assert (q.shape, r.shape) == ((4, 4), (4, 2))
    assert_allclose((q @ r).detach().array, HIGH, atol=1e-12)
    with pytest.raises(errors.NoGradientError, match="mode 'complete' has no gradient for matrices"):
        r.sum().backward()
    q, r = linalg.qr(x, mode="r")
    assert q.shape == (0,)
    assert_allclose(autograd.grad(r.sum(), x)[0].array, gradient(lambda x: linalg.qr(x).R.sum(), HIGH))
    check_derivatives(lambda x: linalg.qr(x, "complete"), WIDE)


# ---------------------------------------------------------------- norms
ORDS = 0, 0.5, 1, 1.5, 2, 3, 4, inf, -1, -2, -inf


@pytest.mark.parametrize("p", ORDS)
def test_the_norm_of_a_zero_vector_has_gradient_zero(p):
    x = leaf(np.zeros((2, 3)))
    y = linalg.vector_norm(x, p, dim=1)
    assert_array_equal(y.array, 0)
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    assert_array_equal(g.array, 0)
    if g.requires_grad:
        assert_array_equal(autograd.grad(g.sum(), x, materialize_grads=True)[0].array, 0)


@pytest.mark.parametrize("p", ORDS)
def test_elements_that_are_zero(p, torch):
    values = [[1.0, 0.0, -1.0], [0.0, 0.0, 3.0]]
    x, t = leaf(values), torch.tensor(values, dtype=torch.float64, requires_grad=True)
    y, e = linalg.vector_norm(x, p, dim=1), torch.linalg.vector_norm(t, p, dim=1)
    assert_allclose(y.detach().array, e.detach().numpy())
    (g,) = torch.autograd.grad(e.sum(), t, materialize_grads=True)
    assert_allclose(autograd.grad(y.sum(), x)[0].array, g.numpy(), atol=1e-15)


def test_second_derivative_of_even_norms_where_an_element_is_zero():
    """The norm of (x, 1) is 1 + x^2 / 2 near x = 0."""
    x = leaf([0.0, 1.0])
    (g,) = autograd.grad(linalg.vector_norm(x), x, create_graph=True)
    assert_array_equal(autograd.grad(g[0], x)[0].array, [1, 0])


def test_norms_of_nothing():
    empty = autograd.zeros(2, 0)
    for p in (0, 0.5, 1, 2, 3):
        assert linalg.vector_norm(empty, p, dim=1).tolist() == [0, 0]
    for p in (inf, -inf, -1):
        with pytest.raises(errors.ShapeError, match="of no elements does not exist"):
            linalg.vector_norm(empty, p, dim=1)
    assert linalg.norm(autograd.zeros(0, 3), "nuc").item() == linalg.norm(autograd.zeros(0, 3)).item() == 0
    assert linalg.cond(autograd.zeros(0, 0)).item() == 0


def test_torch_norm():
    x = leaf(WIDE)
    for p in ("fro", None, 2):
        assert_allclose(decomposition.p_norm(x, p).item(), np.linalg.norm(WIDE))
    assert_allclose(decomposition.p_norm(x, "nuc").item(), np.linalg.norm(WIDE, "nuc"))
    assert_allclose(decomposition.p_norm(x, 1).item(), np.abs(WIDE).sum())  # of all elements, not of a matrix
    assert decomposition.p_norm(x, 3, 0, True, dtype=autograd.float32).dtype == autograd.float32
    assert linalg.norm(autograd.ones(2, dtype=autograd.int64), dtype=autograd.float64).dtype == autograd.float64


def test_distances_of_points_that_coincide():
    for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, inf):
        a = leaf([[0.0, 0.0], [1.0, 1.0]])
        d = autograd.api.linalg.cdist(a, autograd.tensor(np.array([[0.0, 0.0]])), p)
        d[0, 0].backward()
        assert d[0, 0].item() == 0
        assert_array_equal(a.grad.array, 0)
    assert autograd.api.linalg.cdist(autograd.zeros(2, 0), autograd.zeros(3, 0), inf).tolist() == [[0] * 3] * 2


def test_condition_of_singular_matrices():
    x = autograd.tensor(np.stack([np.ones((2, 2)), np.eye(2)]))
    assert linalg.cond(x, "fro").tolist() == [inf, pytest.approx(2)]
    with np.errstate(divide="ignore"):
        assert linalg.cond(autograd.tensor([[1.0, 0.0], [0.0, 0.0]])).item() == inf


# ---------------------------------------------------------------- products
def test_a_sum_of_which_nothing_is_taken_is_not_looked_at():
    nan, one = autograd.tensor(np.nan), autograd.ones(2, 2)
    assert autograd.api.linalg.addmm(nan, one, one, beta=0).tolist() == [[2, 2], [2, 2]]
    with pytest.raises(errors.ShapeError):
        autograd.api.linalg.addmm(autograd.ones(3, 2), one, one)
    with pytest.raises(errors.DtypeError, match="addmm needs one dtype"):
        autograd.api.linalg.addmm(one.double(), one, one)


def test_multi_dot_takes_the_cheapest_order():
    """For 10 x 100, 100 x 5, 5 x 50 that is first the first two: 7,500 multiplications, not 75,000."""
    tape = Tape()
    with autograd.engine.graph.ambient(tape=tape):
        linalg.multi_dot([autograd.ones(10, 100), autograd.ones(100, 5), autograd.ones(5, 50)])
        linalg.multi_dot([autograd.ones(50, 5), autograd.ones(5, 100), autograd.ones(100, 10)])
    assert [out.shape for op, _, out in tape if op.__name__ == "matmul"] == [(10, 5), (10, 50), (5, 10), (50, 10)]


def test_cross_finds_the_first_dim_of_length_three():
    a, b = array(2, 3, 3), array(2, 3, 3, seed=1)
    found = autograd.api.linalg.cross(autograd.tensor(a), autograd.tensor(b))
    assert_allclose(found.array, np.cross(a, b, axis=1))


def test_matrix_power_zero():
    x = autograd.tensor(array(2, 3, 3))
    assert_array_equal(linalg.matrix_power(x, 0).array, np.broadcast_to(np.eye(3), (2, 3, 3)))
    assert linalg.matrix_power(x, 1).array is not x.array


# ---------------------------------------------------------------- rank
def test_rank_and_pseudo_inverse_cut_off_where_torch_does(torch):
    a = with_values(1.0, 1e-3, 1e-9, 1e-17)
    x, t = autograd.tensor(a), torch.tensor(a)
    assert linalg.matrix_rank(x).dtype == autograd.int64
    for options in (
        {},
        {"atol": 1e-5},
        {"rtol": 1e-2},
        {"atol": 0.1, "rtol": 1e-12},
        {"atol": 1e-12, "rtol": 0.1},
        {"tol": 1e-4},
    ):
        assert linalg.matrix_rank(x, **options).item() == torch.linalg.matrix_rank(t, **options).item()
        if "tol" not in options:
            assert_allclose(linalg.pinv(x, **options).array, torch.linalg.pinv(t, **options).numpy(), rtol=1e-5, atol=1e-5)
    assert linalg.matrix_rank(autograd.zeros(2, 0, 3)).tolist() == [0, 0]


@pytest.mark.parametrize(
    "options", [{"atol": [1.0, 2.0]}, {"rtol": [0.4, 0.6]}, {"atol": [0.0, 2.0]}, {"atol": [1, 2], "rtol": [0.9, 0.1]}]
)
@pytest.mark.parametrize("hermitian", [False, True])
def test_each_matrix_of_a_stack_may_have_a_tolerance(hermitian, options):
    x = leaf(np.stack([with_values(3.0, 1.5, 0.5), with_values(3.0, 1.5, 0.5)]))
    for function in (linalg.matrix_rank, linalg.pinv):
        together = function(x, hermitian=hermitian, **{k: autograd.tensor(v) for k, v in options.items()})
        for i in (0, 1):
            alone = function(x[i], hermitian=hermitian, **{k: v[i] for k, v in options.items()})
            assert_allclose(together[i].detach().array, alone.detach().array, rtol=1e-12)
            if alone.requires_grad:
                for y, z in ((together[i], alone), (alone, together[i])):
                    assert_allclose(
                        *(autograd.grad((u**2).sum(), x, retain_graph=True)[0].array for u in (y, z)), rtol=1e-9, atol=1e-12
                    )
    assert np.linalg.matrix_rank(x, tol=autograd.tensor([1.0, 2.0])).tolist() == [2, 1]


def test_tolerances_of_a_stack_like_torch(torch):
    a = np.stack([with_values(3.0, 1.5, 0.5)] * 2)
    for options in ({"atol": [1.0, 2.0]}, {"rtol": [0.4, 0.6]}, {"atol": [0.0, 2.0]}, {"atol": 1.0}, {"rtol": 0.4}):
        found = [
            [
                f(m.tensor(a), **{k: m.tensor(v) for k, v in options.items()}).numpy()
                for f in (m.linalg.matrix_rank, m.linalg.pinv)
            ]
            for m in (autograd, torch)
        ]
        for y, e in zip(*found, strict=True):
            assert_allclose(y, e, rtol=1e-9, atol=1e-12)


TRIANGLE = {  # which read the lower triangle, and how to call them
    "pinv": lambda m, a: m.linalg.pinv(a, hermitian=True),
    "pinv cut off": lambda m, a: m.linalg.pinv(a, rtol=0.5, hermitian=True),
    "matrix_rank": lambda m, a: m.linalg.matrix_rank(a, hermitian=True),
    "eigh": lambda m, a: m.linalg.eigh(a)[0],
    "eigvalsh": lambda m, a: m.linalg.eigvalsh(a),
    "cholesky": lambda m, a: m.linalg.cholesky(a),
}
NUMPYS_TRIANGLE = {
    "pinv": lambda a: np.linalg.pinv(a, hermitian=True),
    "matrix_rank": lambda a: np.linalg.matrix_rank(a, hermitian=True),
    "svd": lambda a: np.linalg.svd(a, hermitian=True)[1],
    "singular values": lambda a: np.linalg.svd(a, compute_uv=False, hermitian=True),
    "eigvalsh": np.linalg.eigvalsh,
    "cholesky": np.linalg.cholesky,
}
SYMMETRIC = with_values(3.0, 1.5, 0.5) @ with_values(3.0, 1.5, 0.5).T


def above_the_diagonal():
    """Symmetric but for what stands above the diagonal."""
    return np.where(np.triu(np.ones((3, 3)), 1) > 0, 9.0, SYMMETRIC)


@pytest.mark.parametrize("name", TRIANGLE)
def test_only_the_lower_triangle_is_read(name):
    """Values and gradients are those of the symmetric matrix."""
    found = []
    for array in (SYMMETRIC, above_the_diagonal()):
        x = leaf(array)
        y = TRIANGLE[name](autograd, x)
        found.append([y.detach().array] + [g.array for g in (autograd.grad((y**2).sum(), x) if y.requires_grad else ())])
    for y, e in zip(*found, strict=True):
        assert_allclose(y, e, rtol=1e-12)


@pytest.mark.parametrize("name", NUMPYS_TRIANGLE)
def test_only_the_lower_triangle_is_read_by_numpys_names(name):
    a = SYMMETRIC + np.triu(np.ones((3, 3)), 1)
    assert_allclose(NUMPYS_TRIANGLE[name](autograd.tensor(a)).array, NUMPYS_TRIANGLE[name](a), rtol=1e-9)


@pytest.mark.parametrize("name", TRIANGLE)
def test_the_lower_triangle_like_torch(name, torch):
    """Values of any matrix, and gradients of symmetric ones: of others, PyTorch's gradient of pinv is not that of what it read."""
    for array in (SYMMETRIC, SYMMETRIC + np.triu(np.ones((3, 3)), 1)):
        (x, y), (t, e) = (
            (z, TRIANGLE[name](m, z)) for m, z in ((autograd, leaf(array)), (torch, torch.tensor(array).requires_grad_()))
        )
        assert_allclose(y.detach().numpy(), e.detach().numpy(), rtol=1e-9)
        if e.requires_grad and array is SYMMETRIC:
            (y**2).sum().backward()
            (e**2).sum().backward()
            assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-7, atol=1e-12)


def test_pseudo_inverse_of_a_rank_that_stays():
    """Both factors change, the rank does not."""
    check_derivatives(lambda a, b: linalg.pinv(a @ b), HIGH, WIDE)
    check_derivatives(lambda a, b, c: linalg.lstsq(a @ b, c).solution, HIGH, WIDE, array(4))


# ---------------------------------------------------------------- sizes zero and one, dtypes
SQUARE = {
    "inv": linalg.inv,
    "solve": lambda a: linalg.solve(a, a),
    "solve_triangular": lambda a: linalg.solve_triangular(a, a, upper=True),
    "det": linalg.det,
    "slogdet": lambda a: linalg.slogdet(a).logabsdet,
    "cholesky": linalg.cholesky,
    "qr": linalg.qr,
    "svd": linalg.svd,
    "svdvals": linalg.svdvals,
    "eigh": linalg.eigh,
    "eigvalsh": linalg.eigvalsh,
    "pinv": linalg.pinv,
    "matrix_power": lambda a: linalg.matrix_power(a, 3),
    "norm": lambda a: linalg.norm(a, "nuc", (-2, -1)),
}


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 2, 2), (1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("name", SQUARE)
def test_small_matrices(name, shape):
    """Nothing, and single numbers: these are handled, and have second derivatives."""
    x = leaf(np.broadcast_to(np.eye(shape[-1]) * 2, shape))
    out = SQUARE[name](x)
    out = out if isinstance(out, tuple) else (out,)
    (g,) = autograd.grad(sum(y.sum() for y in out), x, create_graph=True)
    assert g.shape == shape
    slopes = {  # at 2, of 1 / x and the like
        "inv": -0.25, "solve": 0, "solve_triangular": 0, "det": 1, "slogdet": 0.5, "cholesky": 0.5 / 2**0.5, "qr": 1, "svd": 1,
        "svdvals": 1, "eigh": 1, "eigvalsh": 1, "pinv": -0.25, "matrix_power": 12, "norm": 1,
    }  # fmt: skip
    if shape[-1] == 1:
        assert_allclose(g.array, slopes[name], atol=1e-15)
    if g.requires_grad:
        assert autograd.grad(g.sum(), x, materialize_grads=True)[0].shape == shape


def test_matrices_without_rows_or_columns():
    for shape in ((0, 3), (3, 0), (2, 0, 3)):
        x = autograd.zeros(*shape, requires_grad=True)
        for f in (linalg.pinv, linalg.svdvals, linalg.qr, lambda a: linalg.svd(a, full_matrices=False)):
            out = f(x)
            total = sum(y.sum() for y in (out if isinstance(out, tuple) else (out,)))
            assert autograd.grad(total, x)[0].shape == shape


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.exempt is NO_HALF], ids=lambda s: s.name)
@given(st.data())
def test_float32_stays_float32(sample, data):
    """As test_dtypes.py checks for other ops, which know float16 too."""
    test_dtypes.keeps(sample, data, np.float32)


# ---------------------------------------------------------------- NumPy's functions
def test_numpys_results_have_numpys_names():
    x = autograd.tensor(A)
    for name in ("slogdet", "qr", "svd", "eigh"):
        ours, theirs = getattr(np.linalg, name)(x), getattr(np.linalg, name)(A)
        assert ours._fields == theirs._fields
        for y, e in zip(ours, theirs, strict=True):
            assert_allclose(y.array, e, atol=1e-12)
    assert_allclose(np.linalg.svd(x, compute_uv=False).array, np.linalg.svd(A, compute_uv=False))
    assert_allclose(np.linalg.qr(x, mode="r").array, np.linalg.qr(A, mode="r"))
    assert_allclose(np.linalg.cholesky(autograd.tensor(POSITIVE), upper=True).array, np.linalg.cholesky(POSITIVE, upper=True))
    assert_allclose(np.linalg.pinv(x, rcond=0.7).array, np.linalg.pinv(A, rcond=0.7))
    assert np.linalg.matrix_rank(x, tol=3.0).tolist() == np.linalg.matrix_rank(A, tol=3.0).tolist()
    square = A[:, :2, :2]
    assert_allclose(np.linalg.solve(autograd.tensor(square), x[0, :2, :2]).array, np.linalg.solve(square, A[0, :2, :2]))
    assert_allclose(np.linalg.norm(x, axis=-1, keepdims=True).array, np.linalg.norm(A, axis=-1, keepdims=True))


# ---------------------------------------------------------------- refusals
ONE, EYE = autograd.ones(2, 2), autograd.eye(2)
REFUSED = [
    (lambda: linalg.matrix_rank(ONE, atol=autograd.ones(2)), errors.ShapeError, r"matrix_rank: atol \(2,\) must have one number for each matrix"),
    (lambda: linalg.pinv(ONE, rtol=autograd.ones(2)), errors.ShapeError, r"pinv: rtol \(2,\) must have one number for each matrix"),
    (lambda: linalg.pinv(ONE, rtol="x"), errors.ArgumentError, "pinv: rtol must be a number, or a tensor of one for each matrix, got 'x'"),
    (lambda: linalg.pinv(autograd.ones(2, 3), hermitian=True), errors.ShapeError, "pinv needs square matrices"),
    (lambda: linalg.inv(ONE), errors.ArgumentError, r"inv does not work on x float32 \(2, 2\): a matrix is singular; pinv"),
    (lambda: linalg.solve(ONE, EYE), errors.ArgumentError, "a matrix is singular; lstsq has an answer"),
    (lambda: linalg.solve_triangular(EYE - 1, ONE, upper=True), errors.ArgumentError, "a matrix is singular"),
    (lambda: linalg.matrix_power(ONE, -1), errors.ArgumentError, "a matrix is singular"),
    (lambda: linalg.cholesky(-EYE), errors.ArgumentError, "not positive definite; if it almost is, add a little to its diagonal"),
    (lambda: linalg.svd(EYE * np.nan), errors.ArgumentError, "svd: a matrix holds a NaN or an inf"),
    (lambda: linalg.cond(EYE * np.inf), errors.ArgumentError, "svdvals: a matrix holds a NaN or an inf"),  # where LAPACK may hang
    (lambda: linalg.inv(autograd.ones(2, 3)), errors.ShapeError, r"inv needs square matrices .*, got A of shape \(2, 3\)"),
    (lambda: linalg.svd(autograd.ones(3)), errors.ShapeError, r"svd needs matrices \(\.\.\., n, m\), got A of shape \(3,\)"),
    (lambda: linalg.cond(autograd.ones(2, 3), "fro"), errors.ShapeError, "cond needs square matrices"),
    (lambda: linalg.solve(EYE, autograd.ones(3)), errors.ShapeError, r"A \(2, 2\) and B \(3, 1\) do not fit together in A X = B"),
    (lambda: linalg.solve(EYE, autograd.ones(2, 3), left=False), errors.ShapeError, "do not fit together in X A = B"),
    (lambda: linalg.solve(EYE, autograd.tensor(1.0)), errors.ShapeError, r"solve needs matrices .*, got B of shape \(\)"),
    (lambda: linalg.lstsq(EYE, autograd.ones(3, 1)), errors.ShapeError, "do not fit together in A X = B"),
    (lambda: linalg.multi_dot([EYE]), errors.ShapeError, "multi_dot needs at least two matrices"),
    (lambda: linalg.multi_dot([EYE, autograd.ones(2, 2, 2)]), errors.ShapeError, "multi_dot needs at least two matrices"),
    (lambda: linalg.inv(EYE.long()), errors.DtypeError, r"needs float32 or float64, got A int64 \(2, 2\); use float\(\) first"),
    (lambda: linalg.qr(EYE.half()), errors.DtypeError, "qr needs float32 or float64, got A float16"),
    (lambda: linalg.solve(EYE, EYE.double()), errors.DtypeError, "solve needs one dtype, but A is float32 and B is float64"),
    (lambda: linalg.vector_norm(EYE.long()), errors.DtypeError, "vector_norm needs a floating-point tensor, not int64"),
    (lambda: linalg.vector_norm(EYE, "fro"), errors.ArgumentError, "ord is a number, got 'fro'"),
    (lambda: linalg.matrix_norm(EYE, 3), errors.ArgumentError, "ord is 'fro', 'nuc', 2, .*, got 3"),
    (lambda: linalg.matrix_norm(EYE, dim=(0,)), errors.ArgumentError, r"dim names two dims, got \(0,\)"),
    (lambda: linalg.matrix_norm(EYE, dim=(0, 0)), errors.DimError, "names a dim twice"),
    (lambda: linalg.norm(autograd.ones(2, 2, 2), 2), errors.ShapeError, "without dim needs a vector or a matrix"),
    (lambda: linalg.norm(autograd.ones(2, 2, 2), "nuc", 0), errors.ArgumentError, r"ord 'nuc' is no norm over dims \(0,\)"),
    (lambda: linalg.vector_norm(EYE, dim=2), errors.DimError, "dim 2 does not exist in a tensor of 2 dims"),
    (lambda: linalg.qr(EYE, "raw"), errors.ArgumentError, "mode is 'reduced', 'complete' or 'r', got 'raw'"),
    (lambda: linalg.eigh(EYE, "l"), errors.ArgumentError, "UPLO is 'L' or 'U', got 'l'"),
    (lambda: linalg.lstsq(EYE, EYE, driver="best"), errors.ArgumentError, "driver is .*, got 'best'"),
    (lambda: linalg.matrix_exp(autograd.ones(2, 3)), errors.ShapeError, "matrix_exp needs square matrices"),
    (lambda: autograd.logdet(EYE.half()), errors.DtypeError, "logdet.* needs float32 or float64"),
    (lambda: autograd.cholesky_solve(autograd.ones(3, 1), EYE), errors.ShapeError, r"cholesky_solve: A \(2, 2\) and B \(3, 1\) do not fit"),
    (lambda: autograd.cholesky_inverse(autograd.ones(2, 3)), errors.ShapeError, "cholesky_inverse needs square matrices"),
    (lambda: autograd.addr(EYE, EYE, EYE), errors.ShapeError, "addr: outer needs two vectors"),
    (lambda: autograd.vander(EYE), errors.ShapeError, r"vander needs a vector, got shape \(2, 2\)"),
    (lambda: autograd.renorm(EYE, 0, 0, 1.0), errors.ArgumentError, "renorm takes .* p above 0, got 0"),
    (lambda: autograd.dist(EYE.long(), EYE.long()), errors.DtypeError, "dist: vector_norm needs a floating-point tensor"),
    (lambda: linalg.matrix_power(EYE, 0.5), errors.DtypeError, "n must be an integer, got 0.5"),
    (lambda: linalg.cross(EYE, EYE), errors.ShapeError, "cross needs length 3 along dim -1"),
    (lambda: linalg.vecdot(EYE, EYE.double()), errors.DtypeError, "vecdot needs one dtype"),
    (lambda: autograd.api.linalg.tensordot(EYE, autograd.ones(3), 1), errors.ShapeError, "tensordot: dims .* differ in length"),
    (lambda: autograd.api.linalg.cdist(EYE, autograd.ones(2, 3)), errors.ShapeError, r"cdist needs \(\.\.\., n, k\) and"),
    (lambda: autograd.api.linalg.cdist(EYE, EYE, -1), errors.ArgumentError, "p must not be negative, got -1"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of NaN
@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_refusals(case):
    wrong, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        wrong()


def test_what_a_singular_matrix_raises_has_torchs_name():
    with pytest.raises(linalg.LinAlgError):
        linalg.inv(ONE)


def test_the_gradient_of_no_gradient():
    """The refusal lasts: where a hole was multiplied by 0, the next order may not ask for it either."""
    x = leaf([0.0, 1.0])
    y = autograd.ops.decomposition.defined(x * x, np.array([True, False]), "there is none")
    assert autograd.grad(y[1], x, retain_graph=True)[0].tolist() == [0, 2]
    with pytest.raises(errors.NoGradientError, match="there is none"):
        y.sum().backward()


# ---------------------------------------------------------------- one element beside many
STRETCHED = {  # shapes, dims
    "b has more": ((3, 1), (4, 2), 1),
    "a has more": ((2, 4), (1, 5), 1),
    "lists of dims": ((1, 3), (4, 2), ([0], [0])),
    "one of two": ((2, 1, 3), (4, 3), ([1, 2], [0, 1])),
    "each of two": ((2, 1, 3), (4, 1, 5), ([1, 2], [0, 1])),
    "nothing": ((3, 1), (0, 2), 1),
}


@pytest.mark.parametrize("case", STRETCHED)
def test_tensordot_stretches_a_dim_of_length_1(case):
    *shapes, dims = STRETCHED[case]
    rng = np.random.default_rng(0)
    x, y = (autograd.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes)
    left, right = ([x.ndim - 1], [0]) if dims == 1 else dims
    full = [max(x.shape[i], y.shape[j]) if 0 not in (x.shape[i], y.shape[j]) else 0 for i, j in zip(left, right, strict=True)]
    one, two = list(x.shape), list(y.shape)
    for i, j, n in zip(left, right, full, strict=True):
        one[i] = two[j] = n
    out = autograd.tensordot(x, y, dims)
    assert_allclose(out.tolist(), np.tensordot(np.broadcast_to(x.array, one), np.broadcast_to(y.array, two), dims), atol=1e-12)
    assert autograd.gradcheck(lambda x, y: autograd.tensordot(x, y, dims), (x, y))


@pytest.mark.parametrize("case", STRETCHED)
def test_so_does_pytorchs(case, torch):
    *shapes, dims = STRETCHED[case]
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = [autograd.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    for lib, ts in ((autograd, ours), (torch, theirs)):
        lib.tensordot(*ts, dims=dims).pow(2).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        assert_allclose(mine.grad.tolist(), other.grad.tolist(), atol=1e-12)
