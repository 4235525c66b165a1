"""torch.autograd.functional's signatures: right by the transforms of func.py, shaped and strict as PyTorch's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import func, functional, ones, tensor
from autograd.api.tree import tree_leaves, tree_map
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, NoGradientError, ShapeError, UnsupportedError

X, Y, V, W = (wrap(np.random.default_rng(i).uniform(0.2, 1, 3)) for i in range(4))


def vector(x, y):
    return (x * y).tanh() + x.prod()


def two(x, y):
    return x / y, (x * y).sum()


def scalar(x, y):
    return (x**3 * y**2).sum() * x.sum()


def close(a, b):
    tree_map(lambda s, t: assert_allclose(s.array, t.array, rtol=1e-12), a, b)


# ---------------------------------------------------------------- values
def test_vjp_and_jvp():
    out, g = functional.vjp(vector, (X, Y), V)
    close((out, g), (vector(X, Y), func.vjp(vector, X, Y)[1](V)))
    close(functional.jvp(vector, (X, Y), (V, W)), func.jvp(vector, (X, Y), (V, W)))
    out, g = functional.vjp(lambda x: x * Y, X, V)
    close((out, g), (X * Y, V * Y))
    close(functional.jvp(lambda x: x * Y, X, V)[1], V * Y)
    out, g = functional.vjp(two, (X, Y), (V, W[0]))
    assert isinstance(out, tuple)
    assert isinstance(g, tuple)
    close(functional.vjp(lambda x: x.sum(), X)[1], ones(3).double())
    close(functional.jvp(lambda x: x * V, X[0])[1], V)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_jacobian(strategy):
    close(functional.jacobian(vector, (X, Y), strategy=strategy), func.jacrev(vector, (0, 1))(X, Y))
    close(functional.jacobian(two, (X, Y), strategy=strategy, vectorize=True), func.jacrev(two, (0, 1))(X, Y))
    close(functional.jacobian(lambda x: x * Y, X, strategy=strategy), wrap(np.diag(Y.array)))
    assert_array_equal(functional.jacobian(lambda x, y: x, (X, Y), strategy=strategy)[1].array, np.zeros((3, 3)))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_hessian(strategy):
    close(functional.hessian(scalar, (X, Y), outer_jacobian_strategy=strategy), func.hessian(scalar, (0, 1))(X, Y))
    close(functional.hessian(lambda x: x.prod().reshape(1), X), func.hessian(lambda x: x.prod())(X))
    assert_array_equal(functional.hessian(lambda x: x.sum(), X).array, np.zeros((3, 3)))


def test_products_with_the_hessian():
    expected = func.hvp(scalar, (X, Y), (V, W))
    for product in (functional.hvp, functional.vhp):
        out, found = product(scalar, (X, Y), (V, W))
        close((out, found), (scalar(X, Y), expected))
    out, found = functional.hvp(lambda x: (x**3).sum().reshape(1, 1), X, V)
    assert out.shape == (1, 1)
    close(found, 6 * X * V)


# ---------------------------------------------------------------- graphs
CALLS = {
    "vjp": lambda f, x, **options: functional.vjp(f, x, ones(()), **options),
    "jvp": lambda f, x, **options: functional.jvp(f, x, ones(3), **options),
    "vhp": lambda f, x, **options: functional.vhp(f, x, ones(3), **options),
    "hvp": lambda f, x, **options: functional.hvp(f, x, ones(3), **options),
    "jacobian": functional.jacobian,
    "hessian": functional.hessian,
}
each = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@each
def test_create_graph(call):
    x, w = tensor([1.0, 2.0, 3.0], requires_grad=True), tensor(2.0, requires_grad=True)
    cube = lambda x: (x**3).sum() * w  # noqa: E731
    assert not any(t.requires_grad for t in tree_leaves(call(cube, x)))
    with autograd.no_grad():  # as in PyTorch it is create_graph alone that counts
        found = call(cube, x, create_graph=True)
    assert all(t.requires_grad for t in tree_leaves(found))
    last = tree_leaves(found)[-1].sum()
    h = 1e-2
    gx, gw = autograd.grad(last, (x, w))
    value = lambda x, w: tree_leaves(call(lambda x: (x**3).sum() * w, x))[-1].sum()  # noqa: E731
    slope = [value(x.detach() + h * e, w.detach()) - value(x.detach() - h * e, w.detach()) for e in autograd.eye(3)]
    assert_allclose(gx.array, [s.item() / (2 * h) for s in slope], rtol=1e-2, atol=1e-2)
    assert_allclose(gw.item(), value(x.detach(), w.detach() / w.detach()).item(), rtol=1e-5)
    assert x.grad is w.grad is None


@each
def test_nothing_is_differentiable_if_nothing_requires_grad(call):
    found = call(lambda x: (x**3).sum(), ones(3), create_graph=True)
    assert not any(t.requires_grad for t in tree_leaves(found))


@each
def test_strict(call):
    constant = lambda x: tensor(1.0)  # noqa: E731
    assert not tree_leaves(call(constant, ones(3)))[-1].array.any()
    with pytest.raises(NoGradientError, match="the outputs do not depend on input 0, which strict=True refuses"):
        call(constant, ones(3), strict=True)


def test_strict_wants_a_second_derivative():
    assert functional.hessian(lambda x: (x**2).sum(), X, strict=True).shape == (3, 3)
    with pytest.raises(NoGradientError, match="hessian: the outputs do not depend on input 0"):
        functional.hessian(lambda x: x.sum(), X, strict=True)


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: functional.vjp(lambda x: x, X),
            ArgumentError,
            r"vjp: v may be left out for one element only; .* float64 \(3,\)",
        ),
        (lambda: functional.jvp(lambda x: x, X), ArgumentError, "jvp: v may be left out for one element only"),
        (lambda: functional.vjp(lambda x: x, X, ones(2)), ShapeError, r"is like it, float64 \(3,\); got float32 \(2,\)"),
        (lambda: functional.vjp(lambda x: x, X, (V, V)), ShapeError, r"is like it, float64 \(3,\); got \(tensor"),
        (lambda: functional.hvp(lambda x: x, X, V), ShapeError, r"hvp: the function must return one element, got float64 \(3,\)"),
        (lambda: functional.hessian(lambda x: 3, X), ShapeError, "hessian: the function must return one element, got 3"),
        (lambda: functional.jacobian(lambda x: x, [X]), UnsupportedError, r"jacobian: inputs is a Tensor or a tuple of Tensors"),
        (lambda: functional.jacobian(lambda x: x, X, strategy="sideways"), ArgumentError, "'forward-mode', got 'sideways'"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------- PyTorch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, of its parts
def test_agrees_with_torch(torch):
    theirs, t = torch.autograd.functional, lambda tree: tree_map(lambda x: torch.tensor(x.array), tree)
    calls = [
        ("vjp", vector, (X, Y), (V,)),
        ("vjp", two, (X, Y), ((V, W[0]),)),
        ("jvp", vector, (X, Y), ((V, W),)),
        ("jvp", lambda x: x * x, X, (V,)),
        ("hvp", scalar, (X, Y), ((V, W),)),
        ("vhp", lambda x: x.prod(), X, (V,)),
        ("vjp", lambda x: x.sin(), (X,), (V,)),
        ("vjp", lambda x: x.sin(), (X,), ((V,),)),
        ("vjp", lambda x: (x.sin(),), X, (V,)),
        ("jvp", lambda x: x * x, (X,), (V,)),
        ("hvp", lambda x: x.prod(), (X,), (V,)),
        ("vhp", lambda x: x.prod(), X, ((V,),)),
        ("jacobian", two, (X, Y), ()),
        ("jacobian", lambda x: x.sin(), X, ()),
        ("hessian", scalar, (X, Y), ()),
        ("hessian", lambda x: x.prod(), X, ()),
    ]
    for name, f, inputs, v in calls:
        ours = getattr(functional, name)(f, inputs, *v)
        reference = getattr(theirs, name)(f, t(inputs), *t(v))
        assert tree_map(lambda x: None, ours) == tree_map(lambda x: None, reference)
        tree_map(lambda a, b: assert_allclose(a.array, b.numpy(), rtol=1e-12, atol=1e-15), ours, reference)
