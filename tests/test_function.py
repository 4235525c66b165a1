"""Functions with a gradient of your own: PyTorch's Function by its interface, and primitives by decorated rules."""

import weakref

import numpy as np
import pytest
from helpers import vector as leaf
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import Function, differentiable, func, grad, gradcheck, gradgradcheck, no_grad, ones, tensor
from autograd.errors import AnomalyError, FreedGraphError, GraphError, InPlaceError, ShapeError, UnsupportedError
from autograd.transforms.custom import once_differentiable


class Product(Function):
    """x * y * scale: arguments saved, an argument that is no tensor."""

    @staticmethod
    def forward(ctx, x, y, scale=1):
        ctx.save_for_backward(x, y)
        ctx.scale = scale
        return x * y * scale

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        asked.append(ctx.needs_input_grad)
        return g * y * ctx.scale, g * x * ctx.scale, None


asked = []  # the needs_input_grad that Product.backward saw


class Exp(Function):
    """The result saved, in the newer form."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, g):
        (out,) = ctx.saved_tensors
        return g * out


class SinCos(Function):
    """Two results, each saved."""

    @staticmethod
    def forward(ctx, x):
        sin, cos = x.sin(), x.cos()
        ctx.save_for_backward(sin, None, cos)
        return sin, cos

    @staticmethod
    def backward(ctx, gs, gc):
        sin, nothing, cos = ctx.saved_tensors
        assert nothing is None
        return gs * cos - gc * sin


# ---------------------------------------------------------------- gradients
def test_gradients_of_first_and_second_order():
    x, y = leaf(1, 2, 3), leaf(-1, 0.5, 2)
    for f, args in (
        (lambda x, y: Product.apply(x, y, 3), (x, y)),
        (Exp.apply, (x,)),
        (SinCos.apply, (x,)),
        (lambda x: SinCos.apply(Exp.apply(Product.apply(x, x)))[0], (leaf(0.1, 0.2),)),
    ):
        assert gradcheck(f, args)
        assert gradgradcheck(f, args)


def test_works_under_every_transform():
    x = leaf(0.3, 0.4).detach()
    f = lambda x: SinCos.apply(Exp.apply(x))[1].sum()  # noqa: E731
    plain = lambda x: x.exp().cos().sum()  # noqa: E731
    for transform in (func.grad, func.hessian, func.jacfwd, lambda f: func.jacrev(func.jacrev(func.jacfwd(f)))):
        assert_allclose(transform(f)(x).array, transform(plain)(x).array, rtol=1e-12)
    assert_allclose(func.vmap(func.grad(f))(x).array, func.grad(plain)(x).array)


def test_what_a_call_looks_like():
    x = leaf(1, 2)
    y = Product.apply(x, tensor(2.0))
    assert y.requires_grad
    assert not y.is_leaf
    assert y.grad_fn.name() == "ProductBackward"
    assert y.grad_fn.parents == [x.node]
    assert [t.grad_fn.name() for t in SinCos.apply(x)] == ["SinCosBackward"] * 2
    with no_grad():
        assert not Product.apply(x, tensor(2.0)).requires_grad
    assert not Product.apply(x.detach(), tensor(2.0)).requires_grad


def test_the_same_tensor_twice():
    x = leaf(3)
    Product.apply(x, x).sum().backward()
    assert x.grad.item() == 6


def test_needs_input_grad():
    x, y = leaf(1), leaf(2)
    asked.clear()
    Product.apply(x, y).sum().backward()
    Product.apply(x, y.detach(), 5).sum().backward()
    grad(Product.apply(x, y).sum(), y)
    assert asked == [(True, True), (True, False, False), (False, True)]


def test_gradients_are_fitted():
    """Broadcasting is undone, and the dtype is the argument's."""
    x, y = tensor([1.0, 2.0], requires_grad=True), leaf(3)
    Product.apply(x, y).sum().backward()
    assert x.grad.dtype == np.float32
    assert_array_equal(y.grad.array, [3])
    assert_array_equal(x.grad.array, [3, 3])


# ---------------------------------------------------------------- several results
class Parts(Function):
    """Results of every kind."""

    @staticmethod
    def forward(ctx, x, materialize=True):
        ctx.set_materialize_grads(materialize)
        constant = x * 0 + 7
        ctx.mark_non_differentiable(constant)
        return x * 2, constant, x.argmax(), "text", x * 3

    @staticmethod
    def backward(ctx, *grads):
        given.append(grads)
        return sum(k * g for k, g in zip((2, 0, 0, 0, 3), grads, strict=True) if g is not None and k), None


given = []  # the gradients that Parts.backward saw


def test_results_of_every_kind():
    x = leaf(1, 5)
    given.clear()
    double, constant, place, text, triple = Parts.apply(x)
    assert [t.requires_grad for t in (double, constant, place, triple)] == [True, False, False, True]
    assert (place.item(), text) == (1, "text")
    triple.sum().backward(retain_graph=True)
    assert_array_equal(x.grad.array, [3, 3])
    (first, second, third, fourth, fifth) = given.pop()
    assert fourth is None
    for g, like in ((first, double), (second, constant), (third, place), (fifth, triple)):
        assert (g.shape, g.dtype) == (like.shape, like.dtype)
    assert not first.array.any()
    (double + triple).sum().backward()
    assert_array_equal(x.grad.array, [8, 8])


def test_gradients_need_not_be_materialized():
    x = leaf(1, 5)
    given.clear()
    Parts.apply(x, False)[0].sum().backward()
    assert [g is None for g in given.pop()] == [False, True, True, True, True]


def test_a_tuple_of_one_stays_one():
    class Single(Function):
        forward = staticmethod(lambda ctx, x: (x + 0,))
        backward = staticmethod(lambda ctx, g: (g,))

    out = Single.apply(x := leaf(1))
    assert isinstance(out, tuple)
    out[0].sum().backward()
    assert x.grad.item() == 1


def test_results_that_are_arguments_or_the_same_twice():
    class Through(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.mark_non_differentiable(kept)
            return x, y, y, kept

        backward = staticmethod(lambda ctx, a, b, c, d: (10 * a, b + 2 * c))

    kept = x = leaf(1)
    constant = tensor(2.0)
    assert Through.apply(x, constant)[1].requires_grad
    assert not constant.requires_grad
    kept, y = leaf(5), leaf(2) * 1
    a, b, c, d = Through.apply(x, y)
    assert not d.requires_grad
    assert a is not x
    assert x.is_leaf
    assert b is not c
    (a + b + c).sum().backward()
    assert x.grad.item() == 10
    assert grad((lambda t: t[1] + t[2])(Through.apply(x, y)).sum(), y)[0].item() == 3


# ---------------------------------------------------------------- saved values
def test_saved_values_are_freed_like_those_of_primitives():
    x = leaf(1, 2)
    y = Product.apply(x, x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    with pytest.raises(FreedGraphError, match="Product: the values it saved were freed by an earlier backward"):
        y.sum().backward()
    assert_array_equal(x.grad.array, [4, 8])


@pytest.mark.parametrize(("apply", "name"), [(lambda x: Product.apply(tensor(2.0), x), "y"), (SinCos.apply, "result 0")])
def test_in_place_writes_to_saved_values_are_caught(apply, name):
    x = leaf(1, 2) * 1
    out = apply(x)
    y = out[0] if isinstance(out, tuple) else out
    with no_grad():
        (x if name == "y" else y).mul_(2)
    with pytest.raises(
        InPlaceError, match=f"its gradient needs {name} as the forward pass left it, but it was modified in place"
    ):
        y.sum().backward()


def test_a_saved_result_is_kept_as_it_was():
    x = leaf(1, 2)
    y = Exp.apply(x)
    y.mul_(2)
    with no_grad():
        y.mul_(2)
    y.sum().backward()
    assert_array_equal(x.grad.array, 2 * np.exp(x.array))


def test_names_of_saved_values():
    class Many(Function):
        @staticmethod
        def forward(ctx, x, *ys):
            ctx.save_for_backward(x, ys[1], x * 1)
            return x + 0

        backward = staticmethod(lambda ctx, g: (g, None, None))

    node = Many.apply(leaf(1), leaf(2), leaf(3)).grad_fn
    assert node.plan.keep == ["x", "ys[1]", "a saved tensor"]
    assert node.plan.names == ["x", "*ys"]


@pytest.mark.usefixtures("_no_collector")
def test_memory_is_freed_at_once():
    """What was saved with backward, the rest with the last Tensor: by reference counting alone."""
    x = leaf(1, 2)
    h = x * 2
    array = weakref.ref(h.array)
    y = Product.apply(h, h)
    node = weakref.ref(y.node)
    del h
    assert array() is not None
    y.sum().backward()
    assert array() is None
    y = Exp.apply(y)
    del y
    assert node() is None
    y = Exp.apply(x)  # never swept; its result is saved
    node = weakref.ref(y.node)
    del y
    assert node() is None


def test_saved_tensors_outside_of_backward():
    contexts = []

    class Keeps(Function):
        @staticmethod
        def forward(ctx, x):
            contexts.append(ctx)
            ctx.save_for_backward(x)
            return x + 0

        @staticmethod
        def backward(ctx, g):
            return g

    Keeps.apply(leaf(1)).sum().backward()
    with pytest.raises(GraphError, match="Keeps: saved_tensors are there while backward runs"):
        contexts[0].saved_tensors  # noqa: B018


def test_a_saved_tensor_that_is_neither_argument_nor_result():
    """Its gradient is right; a second derivative through it would silently lack a term, so it is refused."""

    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(2 * x, x > 0)
            return x * x

        @staticmethod
        def backward(ctx, g):
            slope, _ = ctx.saved_tensors
            return g * slope

    x = leaf(3)
    (g,) = grad(Square.apply(x).sum(), x, create_graph=True)
    assert g.item() == 6
    with pytest.raises(GraphError, match=r"Square: .* goes through a saved tensor that is neither an argument nor a result"):
        g.sum().backward()
    w = leaf(5)  # a second derivative that goes elsewhere is fine
    (g,) = grad((Square.apply(x) * w).sum(), x, create_graph=True)
    assert grad(g.sum(), w)[0].item() == 6


def test_once_differentiable():
    class NumPySquare(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return autograd.from_numpy(g.numpy() * 2 * x.numpy())  # not recorded

    x, w = leaf(3), leaf(2)
    NumPySquare.apply(x).sum().backward()
    assert x.grad.item() == 6
    for upstream in (1.0, w):
        (g,) = grad((NumPySquare.apply(x) * upstream).sum(), x, create_graph=True)
        with pytest.raises(GraphError, match=r"NumPySquare.backward is once_differentiable, and this is a second derivative"):
            g.sum().backward()


def test_gradients_given_to_backward_cannot_be_written_into():
    """Others may have been given the same array."""

    class Careless(Function):
        forward = staticmethod(lambda ctx, x: x * 2)
        backward = staticmethod(lambda ctx, g: g.mul_(2))

    x = leaf(1)
    for create_graph in (False, True):
        for y in (Careless.apply(x), Careless.apply(x) + x, Careless.apply(x) * x + x):
            with pytest.raises(InPlaceError):
                y.sum().backward(create_graph=create_graph)


# ---------------------------------------------------------------- errors
def returning(*gradients):
    class Bad(Function):
        forward = staticmethod(lambda ctx, x, y: x * y)
        backward = staticmethod(lambda ctx, g: gradients if len(gradients) != 1 else gradients[0])

    return lambda: Bad.apply(leaf(1, 2), leaf(3, 4)).sum().backward()


def forward(function):
    return lambda: type("Bad", (Function,), {"forward": staticmethod(function), "backward": None}).apply(leaf(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (returning(ones(2)), GraphError, "Bad.backward returned 1 gradients for the 2 arguments of forward"),
        (returning(ones(2), ones(2), ones(2)), GraphError, "returned 3 gradients for the 2 arguments"),
        (returning(ones(2), 3.0), UnsupportedError, "Bad.backward returns Tensors or None, got 3.0 for argument 1"),
        (returning(ones(2), ones(3)), ShapeError, r"returned shape \(3,\) for argument 1, which has shape \(2,\)"),
        (returning(ones(()), ones(2)), ShapeError, r"returned shape \(\) for argument 0, which has shape \(2,\)"),
        (lambda: Function.apply(leaf(1)), NotImplementedError, "Function does not say how to go forward: define a static method"),
        (
            forward(lambda ctx, x: ctx.save_for_backward(3)),
            UnsupportedError,
            "save_for_backward takes Tensors, got 3; make it an",
        ),
        (forward(lambda ctx, x: ctx.mark_dirty(x)), InPlaceError, "Bad: a leaf that requires grad can only be modified in place"),
        (forward(lambda ctx, x: ctx.saved_tensors), GraphError, "saved_tensors are there while backward runs"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_gradients_more_than_asked_for():
    """None may follow, and None may stand for any gradient."""
    x = leaf(1, 2)
    for extra in ((ones(2), None), (ones(2), None, None), (None, ones(2), None)):
        returning(*extra)()

    class NoWay(Function):
        forward = staticmethod(lambda ctx, x: x * 2)
        backward = staticmethod(lambda ctx, g: None)

    (NoWay.apply(x) + x).sum().backward()
    assert_array_equal(x.grad.array, [1, 1])


# ---------------------------------------------------------------- with the rest of the library
def test_can_be_drawn_and_watched():
    x = leaf(1, 2)
    y = SinCos.apply(Product.apply(x, tensor(2.0)))[0].sum()
    assert "Product" in autograd.draw(y, params={"x": x}).source
    with pytest.raises(AnomalyError, match="multiply is nan"), autograd.detect_anomaly():
        Exp.apply(Product.apply(x, x) * float("nan"))
    with autograd.detect_anomaly():
        SinCos.apply(Product.apply(x, tensor(2.0)))[0].sum().backward()
        y = Product.apply(x * 1, tensor(2.0))
        y.sum().backward()
        with pytest.raises(FreedGraphError, match=r"^Product: .* saved at .*test_function\.py"):
            y.sum().backward()
    assert_allclose(x.grad.array, 2 * np.cos([2, 4]) + 2)


# ---------------------------------------------------------------- rules by decorator
def test_differentiable():
    @differentiable(x=lambda g, x, out: g * x / out, y=lambda g, y, out: g * y / out)
    def hypotenuse(x, y):
        """The long side."""
        return np.sqrt(x * x + y * y)

    assert hypotenuse.__doc__ == "The long side."
    assert hypotenuse.__name__ == hypotenuse.name == "hypotenuse"
    assert hypotenuse(3.0, 4.0) == 5
    args = leaf(1, 2, 3), leaf(4)
    assert gradcheck(hypotenuse, args)
    assert gradgradcheck(hypotenuse, args)
    assert_array_equal(func.jacfwd(hypotenuse)(*args).shape, (3, 3))
    assert hypotenuse(args[0], args[1]).grad_fn.name() == "HypotenuseBackward"


def test_differentiable_with_one_rule_for_all():
    @differentiable(joint=lambda g, x, y: (g * y, g * x))
    def times(x, y):
        return x * y

    assert gradgradcheck(times, (leaf(1, 2), leaf(3, 4)))


def test_differentiable_refuses_rules_for_what_is_no_argument():
    with pytest.raises(UnsupportedError, match="f has a rule for 'z', but takes x"):

        @differentiable(z=lambda g: g)
        def f(x):
            return x


# ---------------------------------------------------------------- PyTorch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own, of its parts
def test_agrees_with_torch(torch):
    """The same classes, on either library's Function."""
    results = []
    for lib, base, make in ((torch, torch.autograd.Function, torch.tensor), (autograd, Function, tensor)):
        product, exp, both = (type(c.__name__, (base,), dict(vars(c))) for c in (Product, Exp, SinCos))
        x, y = (make(v, dtype=lib.float64, requires_grad=True) for v in ([0.1, 0.2], [0.3, -0.4]))
        s, c = both.apply(exp.apply(product.apply(x, y, 2)))
        first = lib.autograd.grad((s * c).sum() + c.sum(), (x, y), create_graph=True)
        second = lib.autograd.grad(sum((g**2).sum() for g in first), (x, y))
        results.append([g.detach().numpy() for g in (*first, *second)])
    for ours, theirs in zip(*results, strict=True):
        assert_allclose(ours, theirs, rtol=1e-12)
