"""Transforms: right by finite differences and by each other, in any nesting, over trees, for closures; and what they refuse."""

import gc
import weakref
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import calls
from test_ops import Function as OpFunction
from test_ops import inner, records, smooth

import autograd
import nn
from autograd import ones, tensor, zeros
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, DtypeError, GraphError, NoGradientError, ShapeError, StateError, UnsupportedError
from autograd.transforms.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    value_and_grad,
    vjp,
    vmap,
)


def f64(*values, shape=None):
    array = np.array(values, np.float64)
    return wrap(array if shape is None else array.reshape(shape))


def draw(seed, *shape):
    return wrap(np.random.default_rng(seed).uniform(-1, 1, shape))


# ---------------------------------------------------------------- random functions
UNARY = [autograd.sin, autograd.tanh, autograd.square, lambda v: (v * 0.5).exp(), lambda v: 1 / (v * v + 2), lambda v: v.flip(0)]
BINARY = [lambda a, b: a * b, lambda a, b: a - 0.5 * b, lambda a, b: a @ b * a, lambda a, b: a / (b * b + 1.5)]
ENDS = [lambda v, w: v, lambda v, w: (v * w).sum(), lambda v, w: v.outer(w)[:2], lambda v, w: {"v": v, "w": (w.prod(),)}]


@st.composite
def programs(draw, ends=ENDS):
    """A smooth function of two vectors of three, made of a few ops that use what the ones before them made."""
    n = draw(st.integers(1, 4))
    steps = [
        (draw(st.sampled_from([*UNARY, *BINARY])), draw(st.integers(0, i + 1)), draw(st.integers(0, i + 1))) for i in range(n)
    ]
    end, last = draw(st.sampled_from(ends)), draw(st.integers(0, n + 1))

    def program(x, y):
        values = [x, y]
        for op, i, j in steps:
            values.append(op(values[i], values[j]) if op in BINARY else op(values[i]))
        return end(values[-1], values[last])

    return program


def numbers(tree):
    """All elements of all Tensors in a tree, as one vector."""
    return np.concatenate([np.ravel(t.array) for t in autograd.api.tree.tree_leaves(tree)])


def numerical(program, x, y, h=1e-4):
    """The Jacobian of all output elements by all input elements, by differences of fourth order."""
    point, columns = np.concatenate([x.array, y.array]), []

    def at(p):
        return numbers(program(wrap(p[:3]), wrap(p[3:])))

    for i in range(6):
        e = h * np.eye(6)[i]
        columns.append((at(point - 2 * e) - 8 * at(point - e) + 8 * at(point + e) - at(point + 2 * e)) / (12 * h))
    return np.stack(columns, 1)


def as_matrix(jacobian):
    """What jacrev returned for both arguments, as one row for each output element."""
    blocks = autograd.api.tree.tree_leaves(jacobian)
    return np.concatenate(
        [np.concatenate([b.array.reshape(-1, 3) for b in pair], 1) for pair in zip(blocks[::2], blocks[1::2], strict=True)]
    )


SMALL = st.integers(0, 2**32 - 1).map(lambda seed: (draw(seed, 3), draw(seed + 1, 3)))


@given(programs(), SMALL)
def test_jacobians_agree_with_each_other_and_with_differences(program, point):
    forward, reverse = as_matrix(jacfwd(program, (0, 1))(*point)), as_matrix(jacrev(program, (0, 1))(*point))
    assert_allclose(forward, reverse, rtol=1e-10, atol=1e-12)
    assert_allclose(forward, numerical(program, *point), rtol=1e-7, atol=1e-8)


@given(programs(), SMALL, SMALL)
def test_jvp_and_vjp_are_transposes(program, point, direction):
    out, derivative = jvp(program, point, direction)
    assert_array_equal(numbers(out), numbers(program(*point)))
    weights = autograd.api.tree.tree_map(lambda t: draw(5, *t.shape), out)
    gradient = vjp(program, *point)[1](weights)
    assert_allclose(numbers(weights) @ numbers(derivative), numbers(gradient) @ numbers(direction), rtol=1e-9, atol=1e-11)
    assert_allclose(numbers(linearize(program, *point)[1](*direction)), numbers(derivative))


@records(where=smooth)
@settings(max_examples=2)
@given(st.data())
def test_forward_mode_of_every_op(sample, data):
    """<u, J v> is <J^T u, v>."""
    f = OpFunction(sample, data.draw(calls(sample)))
    vs = [f.rng.uniform(-1, 1, x.shape) for x in f.xs]
    point, direction = (tuple(map(wrap, arrays)) for arrays in (f.xs, vs))
    _, derivatives = jvp(lambda *xs: tuple(f.results(f.call.map(wrap).put(xs))), point, direction)
    assert_allclose(inner(f.us, derivatives), inner(f.pull(f.xs, f.us)[0], vs), rtol=1e-9, atol=1e-9)


@records(where=smooth)
@settings(max_examples=2)
@given(st.data())
def test_forward_mode_of_every_op_to_second_order(sample, data):
    """Differentiated by backward, or forward once more, it is the second derivative that two backwards give."""
    f = OpFunction(sample, data.draw(calls(sample)))
    vs = [f.rng.uniform(-1, 1, x.shape) for x in f.xs]
    point, direction = (tuple(map(wrap, arrays)) for arrays in (f.xs, vs))

    def slope(*xs):
        return jvp(lambda *xs: tuple(f.results(f.call.map(wrap).put(xs))), xs, direction)[1]

    def weighted(*xs):
        return sum((np.sum(d * u) for d, u in zip(slope(*xs), f.us, strict=True)), start=wrap(np.zeros(())))

    expected = [d.array for d in f.second(vs)[: len(vs)]]
    for found, right in zip(grad(weighted, tuple(range(len(vs))))(*point), expected, strict=True):
        assert_allclose(found.array, right, rtol=1e-8, atol=1e-8)
    assert_allclose(inner(f.us, jvp(slope, point, direction)[1]), inner(expected, vs), rtol=1e-8, atol=1e-8)


@records(where=lambda sample: getattr(sample.op, "linear", False))
@settings(max_examples=5)
@given(st.data())
def test_an_op_marked_linear_is(sample, data):
    """Where forward mode applies it to a direction, transposing its rule gives the same."""
    f = OpFunction(sample, data.draw(calls(sample)))
    vs = tuple(wrap(f.rng.uniform(-1, 1, x.shape)) for x in f.xs)
    run = lambda *xs: tuple(f.results(f.call.map(wrap).put(xs)))  # noqa: E731
    itself = jvp(run, tuple(map(wrap, f.xs)), vs)[1]
    with mock.patch.object(sample.op, "linear", False):
        assert_allclose(numbers(itself), numbers(jvp(run, tuple(map(wrap, f.xs)), vs)[1]), rtol=1e-12, atol=1e-12)


@given(programs(ENDS[1:2]), SMALL, SMALL)
def test_hessians(program, point, direction):
    gradient = grad(program, (0, 1))
    (xx, xy), (yx, yy) = hessian(program, (0, 1))(*point)
    h = np.block([[xx.array, xy.array], [yx.array, yy.array]])
    assert_allclose(h, h.T, rtol=1e-9, atol=1e-10)
    assert_allclose(h, numerical(gradient, *point), rtol=1e-6, atol=1e-7)
    product = h @ numbers(direction)
    assert_allclose(numbers(hvp(program, point, direction)), product, rtol=1e-9, atol=1e-10)
    assert_allclose(numbers(jvp(gradient, point, direction)[1]), product, rtol=1e-9, atol=1e-10)
    assert_allclose(numbers(jacrev(gradient, (0, 1))(*point)), numbers(((xx, xy), (yx, yy))), rtol=1e-9, atol=1e-10)


# ---------------------------------------------------------------- nesting
DERIVATIVES = {
    "grad": grad,
    "jvp": lambda f: lambda x: jvp(f, (x,), (autograd.ones_like(x),))[1],
    "vjp": lambda f: lambda x: vjp(f, x)[1](autograd.ones_like(x))[0],
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "value_and_grad": lambda f: lambda x: value_and_grad(f)(x)[1],
    "vmap": lambda f: lambda x: vmap(grad(f))(x.reshape(1)).reshape(()),
}
pairs = pytest.mark.parametrize(
    ("outer", "inner"),
    [(a, b) for a in DERIVATIVES.values() for b in DERIVATIVES.values()],
    ids=lambda d: next(k for k, v in DERIVATIVES.items() if v is d),
)


@pairs
def test_perturbations_are_not_confused(outer, inner):
    x = f64(3)[0]
    assert outer(lambda x: x * inner(lambda y: x + y)(x))(x).item() == 1
    assert outer(lambda x: x * inner(lambda y: x + y)(f64(1)[0]))(x).item() == 1
    assert outer(lambda x: x * inner(lambda y: x * y**2)(x))(x).item() == pytest.approx(6 * 3**2)
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y**2 * z**3)(y))(x))(x).item() == pytest.approx(12 * 4 * 3**3)


@pairs
def test_second_derivatives(outer, inner):
    assert outer(inner(autograd.sin))(f64(0.5)[0]).item() == pytest.approx(-np.sin(0.5))


def test_third_and_fourth_order():
    assert grad(grad(grad(lambda x: x**4)))(tensor(2.0)).item() == 48
    assert jacfwd(hessian(lambda x: x.prod()))(tensor([2.0, 3.0, 5.0])).array.sum() == 6  # six orders of three factors
    assert hessian(hessian(lambda x: (x**4).sum()))(tensor([1.0, 1.0])).array.sum() == 48


def test_inner_gradient_through_outer_backward():
    """One step of descent inside a loss (MAML): the gradient with respect to the start and to what the closure uses."""
    w, a = tensor(2.0, requires_grad=True), tensor(3.0, requires_grad=True)
    step = w - 0.1 * grad(lambda v: a * v**2)(w)  # w (1 - 0.2 a)
    (step**2).backward()
    assert w.grad.item() == pytest.approx(2 * 2 * (1 - 0.6) ** 2)
    assert a.grad.item() == pytest.approx(2 * 2 * (1 - 0.6) * 2 * -0.2)


# ---------------------------------------------------------------- what goes out
def test_results_have_no_node_unless_something_outside_requires_grad():
    x, w = tensor([1.0, 2.0]), tensor(3.0, requires_grad=True)
    (value, aux), g = value_and_grad(lambda x: ((x**2).sum(), {"aux": x * 2}), has_aux=True)(x)
    assert not any(t.requires_grad for t in (value, aux["aux"], g, jacrev(autograd.sin)(x), jvp(autograd.sin, (x,), (x,))[1]))
    g, (value, aux) = grad_and_value(lambda x: ((x**2).sum() * w, x * 2), has_aux=True)(x)
    assert g.requires_grad
    assert value.requires_grad
    assert not aux.requires_grad
    g = grad(lambda x: (x**2).sum() + w)(x)  # the value depends on w, the gradient does not
    assert not g.requires_grad
    with autograd.no_grad():
        assert not grad(lambda w: w**2)(w).requires_grad
        assert grad(lambda w: w**2)(w).item() == 6
    assert w.grad is None


def test_weights_and_directions_are_differentiated_through():
    x, v, w = f64(1, 2), f64(3, 4).requires_grad_(), tensor(5.0, requires_grad=True)
    for f in (lambda v: vjp(lambda x: x**2 * w, x)[1](v)[0], lambda v: jvp(lambda x: x**2 * w, (x,), (v,))[1]):
        gv, gw = autograd.grad(f(v).sum(), (v, w))
        assert_allclose(gv.array, 5 * 2 * x.array)
        assert_allclose(gw.item(), (2 * x * v).sum().item())
        with autograd.no_grad():
            assert not f(v).requires_grad
    assert autograd.grad(vjp(lambda x: x**2, x)[1](v)[0].sum(), v)[0].tolist() == [2, 4]
    _, pullback = vjp(lambda x: x**2 * w, x)
    with autograd.no_grad():
        assert not pullback(v)[0].requires_grad
    assert not pullback(v, create_graph=False)[0].requires_grad


def test_aux_and_value_keep_a_whole_graph():
    """If one result reaches outside, nothing that the others share with it is freed."""
    x, w = tensor([1.0, 2.0]), tensor(3.0, requires_grad=True)
    _, aux = grad(lambda x: ((h := x.exp()).sum(), h * h * w), has_aux=True)(x)
    aux.sum().backward()
    assert w.grad.item() == pytest.approx(np.exp([2.0, 4.0]).sum())


def test_no_grad_inside_is_respected():
    def f(x):
        with autograd.no_grad():
            constant = x**2
        return x * constant

    assert grad(f)(tensor(3.0)).item() == 9


def test_nothing_is_left_behind():
    """Reference counting frees the graph of a call at once."""
    seen = []

    def f(x):
        y = x.exp()
        seen.append(weakref.ref(y.node))
        return (y * y).sum()

    gc.disable()
    try:
        for transform in (
            grad(f),
            hessian(f),
            jacfwd(f),
            jacrev(f),
            lambda x: jvp(f, (x,), (x,)),
            lambda x: vjp(f, x)[1](ones(())),
        ):
            transform(ones(2))
        assert len(seen) == 6
        assert all(ref() is None for ref in seen)
    finally:
        gc.enable()


def test_grads_of_leaves_are_left_alone():
    x = tensor([1.0, 2.0], requires_grad=True)
    grad(lambda x: (x**2).sum())(x)
    jacfwd(lambda y: y * x)(x)
    assert x.grad is None


# ---------------------------------------------------------------- trees and arguments
def test_trees():
    def f(w, x):
        return {"y": (w["a"] * x[0]).sum(), "z": [w["b"] @ x[1]]}

    w, x = {"a": f64(1, 2), "b": draw(1, 2, 3)}, (f64(3, 4), f64(1, 1, 2))
    _, pullback = vjp(f, w, x)
    gw, gx = pullback({"y": f64(2)[0], "z": [f64(1, 10)]})
    assert_allclose(gw["a"].array, [6, 8])
    assert_allclose(gw["b"].array, np.outer([1, 10], [1, 1, 2]))
    assert isinstance(gx, tuple)
    assert_allclose(gx[0].array, [2, 4])
    for jac in (jacrev(f), jacfwd(f)):
        found = jac(w, x)
        assert found["y"]["b"].shape == (2, 3)
        assert found["z"][0]["b"].shape == (2, 2, 3)
        assert_allclose(found["y"]["a"].array, [3, 4])
        assert_allclose(found["z"][0]["b"].array, np.einsum("ij,k->ijk", np.eye(2), [1, 1, 2]))
    _, derivative = jvp(f, (w, x), ({"a": f64(1, 1), "b": zeros(2, 3).double()}, (f64(0, 0), f64(0, 0, 1))))
    assert derivative["y"].item() == 7
    assert_allclose(derivative["z"][0].array, w["b"].array[:, 2])


def test_argnums_and_keywords():
    def f(x, y, *, power, scale=1.0):
        return (x * y**power).sum() * scale

    x, y = f64(1, 2), f64(3, 4)
    assert_allclose(grad(f)(x, y, power=2).array, [9, 16])
    assert_allclose(grad(f, argnums=-1)(x, y, power=2, scale=10.0).array, [60, 160])
    both = grad(f, argnums=(1, 0))(x, y, power=2)
    assert isinstance(both, tuple)
    assert_allclose([g.array for g in both], [[6, 16], [9, 16]])
    assert isinstance(grad(f, argnums=(0,))(x, y, power=2), tuple)
    (row,) = jacrev(lambda x, y: x * y, argnums=(1,))(x, y)
    assert_allclose(row.array, np.diag([1, 2]))


def test_aux():
    x = f64(1, 2)
    assert grad(lambda x: (x.sum(), "aux"), has_aux=True)(x)[1] == "aux"
    assert jacrev(lambda x: (x * 2, 7), has_aux=True)(x)[1] == 7
    assert jacfwd(lambda x: (x * 2, 7), has_aux=True)(x)[1] == 7
    assert vjp(lambda x: (x * 2, 7), x, has_aux=True)[2] == 7
    _, derivative, aux = jvp(lambda x: (x * 2, {"k": x}), (x,), (x,), has_aux=True)
    assert_array_equal(derivative.array, [2, 4])
    assert_array_equal(aux["k"].array, x.array)


def test_names_and_documentation_are_kept():
    def f(x):
        """What f does."""

    assert grad(f).__name__ == "f"
    assert vmap(f).__doc__ == "What f does."
    assert callable(grad(nn.Linear(1, 1)))  # a callable without a name


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype):
    x = wrap(np.ones(2, dtype))
    for d in (
        grad(lambda x: x.sin().sum())(x),
        jacfwd(autograd.sin)(x),
        jvp(autograd.sin, (x,), (x,))[1],
        hessian(lambda x: x.prod())(x),
    ):
        assert d.dtype == dtype


def test_what_does_not_depend_is_zero():
    x = f64(1, 2)
    for f in (lambda x: tensor([1.0, 2.0, 3.0]), lambda x: x.detach().repeat(2)[:3], lambda x: autograd.floor(x.sum()).expand(3)):
        assert_array_equal(jacrev(f)(x).array, np.zeros((3, 2)))
        assert_array_equal(jacfwd(f)(x).array, np.zeros((3, 2)))
        assert_array_equal(jvp(f, (x,), (x,))[1].array, np.zeros(3))
    assert_array_equal(grad(lambda x: tensor(1.0))(x).array, [0, 0])
    assert_array_equal(hvp(lambda x: x.sum(), (x,), (x,)).array, [0, 0])
    with pytest.raises(NoGradientError, match="jvp: the outputs do not depend on input 0"):
        jvp(lambda x: tensor(1.0), (x,), (x,), strict=True)


def test_empty_and_0d():
    empty = zeros(0, 2)
    assert grad(lambda x: x.sum())(empty).shape == (0, 2)
    for jac in (jacrev, jacfwd):
        assert jac(lambda x: x * 2)(empty).shape == (0, 2, 0, 2)
        assert jac(lambda x: x.sum())(empty).shape == (0, 2)
        assert jac(lambda x: x.expand(0, 3))(tensor(1.0)).shape == (0, 3)
        assert jac(autograd.sin)(tensor(0.0)).item() == 1


def test_integer_outputs_have_derivative_zero():
    _, derivative = jvp(lambda x: (x > 0, x.long()), (f64(1, 2),), (f64(1, 1),))
    assert [d.dtype for d in derivative] == [np.dtype(bool), np.dtype(np.int64)]
    assert not any(d.array.any() for d in derivative)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_derivatives_forward():
    """As backward: infinite where it is, zero where no change comes in or goes out, and no harm to the neighbours."""
    x = f64(0, 4)
    assert_array_equal(jvp(autograd.sqrt, (x,), (f64(1, 1),))[1].array, [np.inf, 0.25])
    assert_array_equal(jvp(autograd.sqrt, (x,), (f64(0, 1),))[1].array, [0, 0.25])
    assert_array_equal(jvp(lambda x: autograd.where(x > 0, x.sqrt(), 0.0), (x,), (f64(1, 1),))[1].array, [0, 0.25])
    both = jvp(lambda x: autograd.stack([(y := x.sqrt()), -y]), (x,), (f64(1, 1),))[1]
    assert_array_equal(both.array, [[np.inf, 0.25], [-np.inf, -0.25]])
    assert_array_equal(jacfwd(autograd.sqrt)(x).array, [[np.inf, 0], [0, 0.25]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_zero_gradient_can_be_differentiated():
    """Zeros that replace NaN hide nothing else: the gradient by an upstream gradient of 0 is the local derivative."""
    x, u = tensor([0.0, 4.0], requires_grad=True), zeros(2, requires_grad=True)
    (g,) = autograd.grad(x.sqrt(), x, u, create_graph=True)
    assert_array_equal(g.array, [0, 0])
    assert autograd.grad(g, u, ones(2))[0].array[1] == 0.25


# ---------------------------------------------------------------- arrays and floats
def kinds(tree):
    """The tree with the type of each leaf, and of an array its dtype."""
    return autograd.api.tree.tree_map(lambda v: v.dtype if isinstance(v, np.ndarray) else type(v), tree)


def as_tensors(tree):
    return autograd.api.tree.tree_map(lambda v: wrap(np.asarray(v)), tree)


def smooth_sum(w, x):
    return np.sum(np.tanh(w["a"] * x) * w["b"][0]) + w["b"][0] ** 3


def smooth_tree(w, x):
    return {"y": np.tanh(w["a"] * x) * w["b"][0], "z": (np.sum(x),)}


W, X = {"a": np.array([1.0, 2.0]), "b": [0.5]}, np.array([0.25, -0.5])
ON_ARRAYS = {
    "grad": (lambda w, x: grad(smooth_sum, (0, 1))(w, x), lambda f, a: (f, a)),
    "grad_and_value": (lambda w, x: grad_and_value(smooth_sum, 1)(w, x), lambda f, a: (a, float)),
    "value_and_grad": (lambda w, x: value_and_grad(smooth_sum)(w, x), lambda f, a: (float, f)),
    "jacrev": (lambda w, x: jacrev(smooth_tree, 1)(w, x), lambda f, a: {"y": a, "z": (a,)}),
    "jacfwd": (lambda w, x: jacfwd(smooth_tree, 1)(w, x), lambda f, a: {"y": a, "z": (a,)}),
    "hessian": (lambda w, x: hessian(smooth_sum, 1)(w, x), lambda f, a: a),
    "vjp": (lambda w, x: vjp(smooth_tree, w, x)[1]({"y": x, "z": (np.float64(2),)}), lambda f, a: (f, a)),
    "vjp's value": (lambda w, x: vjp(smooth_tree, w, x)[0], lambda f, a: {"y": a, "z": (float,)}),
    "jvp": (lambda w, x: jvp(smooth_tree, (w, x), (w, x)), lambda f, a: ({"y": a, "z": (float,)},) * 2),
    "linearize": (lambda w, x: linearize(smooth_tree, w, x)[1](w, x), lambda f, a: {"y": a, "z": (float,)}),
    "hvp": (lambda w, x: hvp(smooth_sum, (w, x), (w, x)), lambda f, a: (f, a)),
    "aux": (lambda w, x: grad(lambda x: (np.sum(x), {"x": x, "n": "name"}), has_aux=True)(x)[1], lambda f, a: {"x": a, "n": str}),
}


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_for_arrays_and_floats_come_arrays_and_floats(name):
    """With the very values that come for Tensors; each for its argument."""
    run, expected = ON_ARRAYS[name]
    found = run(W, X)
    assert kinds(found) == expected({"a": np.dtype(np.float64), "b": [float]}, np.dtype(np.float64))
    for a, b in zip(*map(autograd.api.tree.tree_leaves, (found, run(as_tensors(W), as_tensors(X)))), strict=True):
        assert_array_equal(a, b.array if isinstance(b, autograd.Tensor) else b)


def test_a_mixture_comes_back_as_it_was_given():
    gw, gx = grad(lambda w, x: np.sum(w * x), (0, 1))(f64(1, 2), np.array([3.0, 4.0], np.float32))
    assert isinstance(gw, autograd.Tensor)
    assert kinds(gx) == np.float32
    for argnums, kind in ((1, float), ((0, 1), autograd.Tensor)):  # only what is differentiated by counts
        assert isinstance(grad_and_value(lambda w, x: np.sum(w * x), argnums)(f64(1, 2), X)[1], kind)
    assert type(grad(lambda x: x * x)(np.float32(3))) is float


def test_what_has_a_graph_stays_a_tensor():
    """As an array it would lose its graph in silence."""
    w = f64(2)[0].requires_grad_()
    g = grad(lambda x: w * x)(3.0)
    (g * g).backward()
    assert w.grad.item() == 4
    assert grad(lambda x: grad(lambda y: x * y**2)(2.0))(3.0) == 4
    assert jvp(lambda x: grad(lambda y: x**2 * y)(1.0), (3.0,), (1.0,)) == (9, 6)
    with autograd.no_grad():
        assert grad(lambda x: w * x)(3.0) == 2


def test_arrays_that_come_back_are_nobody_elses():
    x = np.array([1.0, 2.0])
    g = grad(np.sum)(x)
    g += 1  # it was one number in memory, seen twice
    assert_array_equal(g, [2, 2])
    for f, derivative in ((np.exp, np.exp), (np.sin, np.cos)):  # one keeps its result for backward, one its argument
        out, pullback = vjp(f, x)
        expected = derivative(x)
        out += 1
        x += 1
        assert_array_equal(pullback(np.ones(2))[0], expected)
    same, slope = jvp(lambda x: x, (x,), (x,))
    assert not any(np.shares_memory(a, b) for a, b in ((same, x), (slope, x), (same, slope)))
    direction = f64(1, 2)
    assert not np.shares_memory(jvp(lambda x: x, (f64(3, 4),), (direction,))[1].array, direction.array)


def test_scipy_optimizes_by_these_gradients():
    optimize = pytest.importorskip("scipy.optimize")

    def residuals(x):
        return np.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])

    def rosenbrock(x):
        return np.sum(residuals(x) ** 2)

    start = np.zeros(4)
    for options in (
        dict(fun=rosenbrock, jac=grad(rosenbrock)),
        dict(fun=value_and_grad(rosenbrock), jac=True),
        dict(fun=rosenbrock, jac=grad(rosenbrock), hess=hessian(rosenbrock), method="Newton-CG", options={"xtol": 1e-10}),
        dict(fun=rosenbrock, jac=grad(rosenbrock), hessp=lambda x, v: hvp(rosenbrock, (x,), (v,)), method="trust-krylov"),
    ):
        assert_allclose(optimize.minimize(x0=start, **options).x, 1, atol=1e-4)
    assert_allclose(optimize.least_squares(residuals, start, jac=jacrev(residuals)).x, 1, atol=1e-6)
    assert_allclose(optimize.root(grad(rosenbrock), start + 0.9, jac=hessian(rosenbrock)).x, 1, atol=1e-6)


def test_programs_of_hips_autograd_run_after_changing_an_import():
    """As its README has them: a function of a float, its derivatives along a curve, and the training of a classifier."""
    import autograd.numpy.random as npr

    import autograd.numpy as np
    from autograd.func import elementwise_grad as egrad

    def tanh(x):
        return (1.0 - np.exp(-2 * x)) / (1.0 + np.exp(-(2 * x)))

    assert grad(tanh)(1.0) == pytest.approx((tanh(1.0001) - tanh(0.9999)) / 0.0002, rel=1e-6)
    x = np.linspace(-7, 7, 20)
    t = tanh(x)
    for f, right in ((egrad(tanh), 1 - t**2), (egrad(egrad(tanh)), -2 * t * (1 - t**2))):
        assert_allclose(f(x), right, rtol=1e-9, atol=1e-12)
    npr.seed(0)
    inputs, true = npr.randn(50, 3), np.array([2.0, -1.0, 0.5])
    targets = inputs @ true > 0

    def training_loss(weights):
        preds = 0.5 * (np.tanh(np.dot(inputs, weights) / 2.0) + 1)
        return -np.sum(np.log(preds * targets + (1 - preds) * (1 - targets)))

    weights, gradient = np.array([0.0, 0.0, 0.0]), grad(training_loss)
    first = training_loss(weights)
    for _ in range(100):
        weights -= gradient(weights) * 0.01
    assert type(weights) is np.ndarray
    assert training_loss(weights) < 0.5 * first
    spring = lambda x: np.array([x[1], -x[0], 2.0])  # noqa: E731
    assert_array_equal(jacrev(spring)(np.array([3.0, 5.0])), [[0, 1], [-1, 0], [0, 0]])
    assert np.array([1, 2], dtype=float).dtype == np.float64


def test_grad_of_a_function_says_where_that_is():
    for call in (lambda: autograd.grad(np.sin), lambda: autograd.grad(np.sin, 0), lambda: autograd.grad(ones(()))):
        with pytest.raises(ArgumentError, match=r"grad takes outputs and inputs, .* of a function is func\.grad"):
            call()


# ---------------------------------------------------------------- vmap
def looped(f, *args):
    return np.stack([f(*(wrap(a) for a in row)).array for row in zip(*(x.array for x in args), strict=True)])


@pytest.mark.parametrize(
    "f",
    [
        lambda x, y: x @ y,
        lambda x, y: autograd.outer(x, y),
        lambda x, y: grad(lambda x: (x * y).tanh().sum())(x),
        lambda x, y: jacfwd(lambda x: x * x * y)(x),
        lambda x, y: hessian(lambda x: (x**3 * y).sum())(x),
        lambda x, y: jvp(autograd.sin, (x,), (y,))[1],
        lambda x, y: x if x.sum() > 0 else -y,  # PyTorch cannot: the condition differs from slice to slice
        lambda x, y: vmap(lambda a, b: a * b)(x, y),
    ],
)
def test_vmap_is_a_loop(f):
    x, y = draw(1, 4, 3), draw(2, 4, 3)
    assert_array_equal(vmap(f)(x, y).array, looped(f, x, y))
    moved = vmap(f, in_dims=(1, -1), out_dims=-1)(x.T, y.T)
    assert_array_equal(np.moveaxis(moved.array, -1, 0), looped(f, x, y))


def test_vmap_over_trees():
    args = {"a": draw(1, 2, 3), "b": [draw(2, 3), f64(7)[0]]}
    out = vmap(
        lambda t, k, c: (t["a"] * t["b"][0] * t["b"][1] + k, {"s": t["a"].sum(), "c": c}),
        in_dims=({"a": 1, "b": [0, None]}, None, None),
        out_dims=(1, {"s": 0, "c": None}),
    )(args, 5, f64(1, 2))
    assert_allclose(out[0].array, args["a"].array * args["b"][0].array * 7 + 5)
    assert_allclose(out[1]["s"].array, args["a"].array.sum(0))
    assert_array_equal(out[1]["c"].array, [1, 2])


def test_vmap_differentiates_and_differentiates_inside():
    """Gradients for each example: with a loop inside of one backward, and one backward in each turn of the loop."""
    w, x = draw(1, 3), draw(2, 5, 3)
    loss = lambda w, x: (w @ x).tanh()  # noqa: E731
    each = vmap(grad(loss), in_dims=(None, 0))(w, x)
    assert_allclose(each.array, jacrev(lambda w: vmap(loss, in_dims=(None, 0))(w, x))(w).array, rtol=1e-12)
    assert_allclose(grad(lambda w: vmap(loss, in_dims=(None, 0))(w, x).sum())(w).array, each.array.sum(0), rtol=1e-12)
    w.requires_grad_()
    vmap(loss, in_dims=(None, 0))(w, x).sum().backward()
    assert_allclose(w.grad.array, each.array.sum(0), rtol=1e-12)


def test_vmap_of_nothing():
    out = vmap(lambda x: {"y": autograd.outer(x, x), "z": x.sum()}, out_dims={"y": 1, "z": 0})(zeros(0, 3))
    assert out["y"].shape == (3, 0, 3)
    assert out["z"].shape == (0,)


def test_vmap_randomness():
    def noisy(x):
        return x + autograd.rand(())

    with pytest.raises(GraphError, match="vmap: the function draws random numbers; pass randomness="):
        vmap(noisy)(zeros(3))
    autograd.manual_seed(0)
    different = vmap(noisy, randomness="different")(zeros(3)).tolist()
    assert len(set(different)) == 3
    autograd.manual_seed(0)
    assert vmap(noisy, randomness="same")(zeros(3)).tolist() == different[:1] * 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vmap(autograd.sin, randomness="no"), ArgumentError, "randomness is 'error', 'different' or 'same', got 'no'"),
        (
            lambda: vmap(autograd.sin, in_dims=2)(ones(2, 2)),
            ArgumentError,
            r"in_dims says dim 2 where the argument is float32 \(2, 2\)",
        ),
        (lambda: vmap(lambda x, n: x)(ones(2), 3), ArgumentError, "in_dims says dim 0 where the argument is 3; None leaves it"),
        (lambda: vmap(lambda x, y: x)(ones(2), ones(3)), ShapeError, r"one length, got the lengths \[2, 3\]"),
        (lambda: vmap(autograd.sin, in_dims=None)(ones(2)), ShapeError, "in_dims is None for all of them"),
        (lambda: vmap(autograd.sin, in_dims=(0, 0))(ones(2)), ArgumentError, "a tuple of 2, another has a tuple of 1"),
        (lambda: vmap(lambda x: 3)(ones(2)), ArgumentError, "vmap: the function returns Tensors, got 3"),
        (
            lambda: vmap(lambda x: x, out_dims=None)(f64(1, 2)),
            ArgumentError,
            "out_dims is None for a result that is not the same",
        ),
        (lambda: vmap(lambda x: x, out_dims=1)(ones(2)), IndexError, "dim 1 does not exist"),
    ],
)
def test_vmap_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: grad(lambda x: x)(ones(2)),
            ShapeError,
            r"grad: the function must return a float, 0-d, got float32 \(2,\); sum\(\) it",
        ),
        (lambda: grad(lambda x: x.sum() > 0)(ones(2)), ShapeError, r"0-d, got bool \(\)"),
        (
            lambda: grad(lambda x: 3)(ones(2)),
            UnsupportedError,
            "grad: the function returns Tensors, got 3, which depends on no argument; return all else as aux",
        ),
        (
            lambda: grad(lambda x: x)("2"),
            UnsupportedError,
            "grad: gradients are with respect to Tensors, arrays and floats, got '2'; argnums says which",
        ),
        (lambda: grad(lambda x: x)(2), DtypeError, r"only floating-point tensors have gradients, got 2; use float\(\)"),
        (
            lambda: grad(lambda x: x)(tensor(2)),
            DtypeError,
            r"only floating-point tensors have gradients, got int64 \(\); use float\(\)",
        ),
        (lambda: grad(lambda x: x, argnums=1)(ones(())), ArgumentError, "grad: argnums names argument 1, but 1 were given"),
        (
            lambda: jacrev(lambda x: x, has_aux=True)(ones(2)),
            UnsupportedError,
            r"jacrev: with has_aux the function returns \(output, aux\)",
        ),
        (
            lambda: jvp(autograd.sin, (ones(2),), (ones(3),)),
            ShapeError,
            r"jvp: what goes with a tensor is like it, float32 \(2,\); got float32 \(3,\)",
        ),
        (lambda: jvp(autograd.sin, (ones(2),), (ones(2), ones(2))), ArgumentError, "a tuple of 1, another has a tuple of 2"),
        (lambda: jvp(autograd.sin, ones(2), ones(2)), UnsupportedError, "primals are a tuple with one entry for each argument"),
        (lambda: vjp(autograd.sin, ones(2))[1](3.0), ShapeError, "vjp: what goes with a tensor is like it, float32"),
        (lambda: vjp(lambda x: (x, x), ones(2))[1](ones(2)), ArgumentError, "a tuple of 2, another has a Tensor"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_pullback_can_be_used_twice_unless_told_otherwise():
    _, pullback = vjp(autograd.exp, f64(1, 2))
    (first,) = pullback(f64(1, 0))
    assert_array_equal(first.array, pullback(f64(1, 0), retain_graph=False)[0].array)
    with pytest.raises(GraphError, match="freed"):
        pullback(f64(1, 0))


# ---------------------------------------------------------------- functional_call
class Tiny:
    """As much of a module as functional_call needs."""

    def __init__(self, children=(), **values):
        self._parameters, self._buffers, self.children = values, {"calls": zeros(())}, dict(children)

    def named_modules(self, remove_duplicate=True, prefix=""):
        yield prefix, self
        for name, child in self.children.items():
            yield from child.named_modules(remove_duplicate, f"{prefix}.{name}" if prefix else name)

    def __call__(self, x, offset=0):
        self._buffers["calls"] = self._buffers["calls"] + 1
        for child in self.children.values():
            x = child(x)
        return x * self._parameters["w"] + offset


def test_functional_call_replaces_and_puts_back():
    inner, outer = Tiny(w=f64(2)), Tiny(w=f64(3))
    outer.children["inner"] = inner
    new = {"w": f64(5), "inner.w": f64(7), "calls": zeros(())}
    assert functional_call(outer, new, f64(1), {"offset": 1}).item() == 36
    assert new["calls"].item() == 1  # the module rebound it
    assert outer(f64(1)).item() == 6
    assert functional_call(outer, ({"w": f64(5)}, {"inner.w": f64(7)}), (f64(1), 1)).item() == 36
    g = grad(lambda w: functional_call(outer, w, f64(1)).sum())({"inner.w": f64(7)})
    assert g["inner.w"].item() == 3
    assert outer._parameters["w"].item() == 3


def test_functional_call_puts_back_after_an_error():
    module = Tiny(w=f64(2))
    with pytest.raises(TypeError):
        functional_call(module, {"w": f64(5)}, (f64(1), 0, "one too many"))
    assert module._parameters["w"].item() == 2


def test_tied_weights():
    w = f64(2)
    outer = Tiny(w=w, children={"inner": Tiny(w=w)})
    assert functional_call(outer, {"w": f64(5)}, f64(1)).item() == 25
    assert functional_call(outer, {"w": f64(5)}, f64(1), tie_weights=False).item() == 10
    with pytest.raises(ArgumentError, match=r"are one tensor in the module, but two were given"):
        functional_call(outer, {"w": f64(5), "inner.w": f64(6)}, f64(1))


def test_functional_call_refuses_keys_that_do_not_fit():
    module = Tiny(w=f64(2))
    with pytest.raises(StateError, match="functional_call of Tiny: unexpected: v"):
        functional_call(module, {"v": f64(2)}, f64(1))
    with pytest.raises(StateError, match="unexpected: v; missing: calls"):
        functional_call(module, {"w": f64(2), "v": f64(2)}, f64(1), strict=True)
    with pytest.raises(ArgumentError, match="two of the dicts have a key in common"):
        functional_call(module, ({"w": f64(2)}, {"w": f64(2)}), f64(1))


def test_functional_call_of_a_network():
    """The gradient with respect to a dict of parameters is what backward leaves in them; and for each example by vmap."""
    autograd.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = autograd.randn(5, 3)
    loss = lambda w, x: (functional_call(net, w, x) ** 2).sum()  # noqa: E731
    weights = {name: p.detach() for name, p in net.named_parameters()}
    found = grad(loss)(weights, x)
    (net(x) ** 2).sum().backward()
    for name, p in net.named_parameters():
        assert_allclose(found[name].array, p.grad.array, rtol=1e-5, atol=1e-6)
    each = vmap(grad(loss), in_dims=(None, 0))(weights, x)
    assert_allclose(each["0.weight"].array.sum(0), found["0.weight"].array, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- what comes back, and in what structure
def total(*xs):
    return sum((x * x).sum() for x in xs)


CALLS = {  # of the transforms in `lib`, ours or torch.func, at two vectors
    "vjp of one": lambda lib, x, y: lib.vjp(total, x)[1](x[0] * 0),
    "vjp of two": lambda lib, x, y: lib.vjp(total, x, y)[1](x[0] * 0),
    "vjp of a dict": lambda lib, x, y: lib.vjp(lambda d: d["a"], {"a": x})[1](x),
    "vjp of a tuple": lambda lib, x, y: lib.vjp(lambda t: t[0] * t[1], (x, y))[1](x),
    "vjp to a list": lambda lib, x, y: lib.vjp(lambda x: [x, x * 2], x)[1]([x, x]),
    "vjp to a dict": lambda lib, x, y: lib.vjp(lambda x: {"a": x}, x)[1]({"a": x}),
    "vjp with aux": lambda lib, x, y: [lib.vjp(lambda x: (x, {"b": x}), x, has_aux=True)[i] for i in (0, 2)],
    "vjp with aux, pulled": lambda lib, x, y: lib.vjp(lambda x: (x, x), x, has_aux=True)[1](x),
    "jvp of one": lambda lib, x, y: lib.jvp(total, (x,), (x,)),
    "jvp to a list": lambda lib, x, y: lib.jvp(lambda x, y: [x, y], (x, y), (x, y)),
    "jvp with aux": lambda lib, x, y: lib.jvp(lambda x: (x, (x,)), (x,), (x,), has_aux=True),
    "grad": lambda lib, x, y: lib.grad(total)(x, y),
    "grad by (0,)": lambda lib, x, y: lib.grad(total, argnums=(0,))(x, y),
    "grad by (0, 1)": lambda lib, x, y: lib.grad(total, argnums=(0, 1))(x, y),
    "grad with aux": lambda lib, x, y: lib.grad(lambda x: (total(x), {"a": x}), has_aux=True)(x),
    "grad_and_value": lambda lib, x, y: lib.grad_and_value(total, argnums=(0, 1))(x, y),
    "grad_and_value with aux": lambda lib, x, y: lib.grad_and_value(lambda x: (total(x), x), has_aux=True)(x),
    "jacrev": lambda lib, x, y: lib.jacrev(lambda x, y: x * y)(x, y),
    "jacrev by (0,)": lambda lib, x, y: lib.jacrev(lambda x, y: x * y, argnums=(0,))(x, y),
    "jacrev to a tuple": lambda lib, x, y: lib.jacrev(lambda x: (x,))(x),
    "jacrev of a dict": lambda lib, x, y: lib.jacrev(lambda d: [d["a"]])({"a": x}),
    "jacrev with aux": lambda lib, x, y: lib.jacrev(lambda x: (x, x), has_aux=True)(x),
    "jacfwd by (0, 1)": lambda lib, x, y: lib.jacfwd(lambda x, y: (x, x * y), argnums=(0, 1))(x, y),
    "jacfwd with aux": lambda lib, x, y: lib.jacfwd(lambda x: (x, x), has_aux=True)(x),
    "hessian": lambda lib, x, y: lib.hessian(total)(x),
    "hessian by (0,)": lambda lib, x, y: lib.hessian(total, argnums=(0,))(x, y),
    "hessian by (0, 1)": lambda lib, x, y: lib.hessian(total, argnums=(0, 1))(x, y),
    "linearize": lambda lib, x, y: lib.linearize(lambda x: (x, [x * 2]), x)[1](x),
}


def test_vjp_of_one_argument_gives_a_tuple():
    ((g,), (d,)) = (vjp(f, f64(1, 2))[1](f64(1, 10)) for f in (autograd.square, lambda x: x * 3))
    assert (g.tolist(), d.tolist()) == ([2, 40], [3, 30])


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # PyTorch's own, of its parts
def test_what_comes_back_has_the_structure_that_it_has_in_torch(torch, name):
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    ours = CALLS[name](autograd.func, wrap(x), wrap(y))
    theirs = CALLS[name](torch.func, torch.tensor(x), torch.tensor(y))
    shapes = [autograd.api.tree.tree_map(lambda t: list(t.shape) and str(tuple(t.shape)), tree) for tree in (ours, theirs)]
    assert shapes[0] == shapes[1]
    autograd.api.tree.tree_map(lambda a, b: assert_allclose(a.array, b.numpy(), rtol=1e-12), ours, theirs)


# ---------------------------------------------------------------- PyTorch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, of its parts
def test_agrees_with_torch(torch):
    x, y, v = (np.random.default_rng(i).uniform(0.2, 1, 3) for i in range(3))
    for f in (lambda a, b: (a * b).sin() + a.prod(), lambda a, b: {"p": a @ b, "q": [a / b]}):
        for t, o in ((torch.func.jacrev, jacrev), (torch.func.jacfwd, jacfwd)):
            theirs = t(f, (0, 1))(torch.tensor(x), torch.tensor(y))
            ours = o(f, (0, 1))(wrap(x), wrap(y))
            assert autograd.api.tree.tree_map(lambda t: None, theirs) == autograd.api.tree.tree_map(lambda t: None, ours)
            autograd.api.tree.tree_map(lambda a, b: assert_allclose(a.numpy(), b.array, rtol=1e-12), theirs, ours)
    s = lambda a: (a**3).sum() * a[0]  # noqa: E731
    assert_allclose(hessian(s)(wrap(x)).array, torch.func.hessian(s)(torch.tensor(x)).numpy())
    assert_allclose(
        hvp(s, (wrap(x),), (wrap(v),)).array,
        torch.func.jvp(torch.func.grad(s), (torch.tensor(x),), (torch.tensor(v),))[1].numpy(),
    )
    f = lambda a, b: {"s": a * b, "t": (a.sum(),)}  # noqa: E731
    ours = vmap(f, in_dims=(1, None), out_dims={"s": 1, "t": 0})(wrap(np.outer(x, y)), wrap(x))
    theirs = torch.vmap(f, in_dims=(1, None), out_dims={"s": 1, "t": 0})(torch.tensor(np.outer(x, y)), torch.tensor(x))
    autograd.api.tree.tree_map(lambda a, b: assert_allclose(a.numpy(), b.array), theirs, ours)


# ---------------------------------------------------------------- several modules as one
def ensemble(n=3):
    autograd.manual_seed(0)
    return [nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Tanh()).eval() for _ in range(n)]


def test_stacked_modules_under_vmap_are_the_modules():
    models, x = ensemble(), autograd.randn(5, 3)
    params, buffers = autograd.func.stack_module_state(models)
    assert params["0.weight"].shape == (3, 2, 3)
    assert all(p.is_leaf and p.requires_grad for p in params.values())
    assert [*buffers] == [name for name, _ in models[0].named_buffers()]
    out = autograd.func.vmap(lambda p, b: autograd.func.functional_call(models[0], (p, b), x))(params, buffers)
    for found, model in zip(out, models, strict=True):
        assert_allclose(found.detach().numpy(), model(x).detach().numpy(), rtol=1e-6, atol=1e-7)
    out.sin().sum().backward()
    for i, model in enumerate(models):
        model(x).sin().sum().backward()
        for name, p in model.named_parameters():
            assert_allclose(params[name].grad[i].numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_stacked_modules_are_alike():
    frozen = ensemble(2)
    frozen[1].requires_grad_(False)
    for models, error, message in (
        ([], ArgumentError, "there are no models"),
        ([nn.Linear(2, 1), nn.Identity()], ArgumentError, "of one class and in one mode, got Linear in training, Identity"),
        ([nn.Linear(2, 1), nn.Linear(2, 1).eval()], ArgumentError, "Linear in training, Linear in evaluation"),
        ([nn.Linear(2, 1), nn.Linear(3, 1)], ShapeError, r"weight is the same in all models, got float32 \(1, 2\) that requires"),
        ([nn.Linear(2, 1), nn.Linear(2, 1, bias=False)], ArgumentError, "hold the same tensors"),
        (frozen, ShapeError, r"0.weight is the same in all models, got float32 \(2, 3\) that requires grad, float32 \(2, 3\)"),
    ):
        with pytest.raises(error, match=message):
            autograd.func.stack_module_state(models)
