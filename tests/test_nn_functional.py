"""nn.functional: its own primitives to second order, one_hot, pad, and that it agrees with PyTorch where modules do not reach."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
import nn.functional as F
from autograd import float64, gradcheck, gradgradcheck, tensor
from autograd.errors import ArgumentError, DtypeError, UnsupportedError
from autograd.primitive import PRIMITIVES

RNG = np.random.default_rng(0)


def real(*shape):
    return tensor(RNG.uniform(-3, 3, shape), requires_grad=True)


def probability(*shape):
    return tensor(RNG.uniform(0.1, 0.9, shape), requires_grad=True)


OWN = {
    "softplus": (F.softplus_, lambda: (real(3, 4),), lambda x: np.log1p(np.exp(x))),
    "binary_cross_entropy": (
        F.bce_,
        lambda: (probability(3, 4), probability(3, 4)),
        lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x),
    ),
    "binary_cross_entropy_with_logits": (
        F.bce_with_logits_,
        lambda: (real(3, 4), probability(3, 4)),
        lambda x, t: np.log1p(np.exp(x)) - x * t,
    ),
}
own = pytest.mark.parametrize("name", OWN)


def test_every_primitive_made_here_is_tested_here():
    made_here = {n for n, op in PRIMITIVES.items() if op.fun.__module__ == "nn.functional"}
    assert made_here == set(OWN)


# ---------------------------------------------------------------- the primitives
@own
def test_values_are_those_of_the_formula(name):
    op, draw, formula = OWN[name]
    args = draw()
    assert_allclose(op(*args).detach().numpy(), formula(*(a.detach().numpy() for a in args)), rtol=1e-12)
    assert_allclose(op(*(a.detach().numpy() for a in args)), formula(*(a.detach().numpy() for a in args)), rtol=1e-12)


@own
def test_derivatives_of_first_and_second_order(name):
    op, draw, _ = OWN[name]
    assert gradcheck(op, draw())
    assert gradgradcheck(op, draw())


@own
def test_dtypes_stay_and_are_promoted(name):
    op, draw, _ = OWN[name]
    args = [a.detach().float().requires_grad_() for a in draw()]
    out = op(*args)
    assert out.dtype == np.float32
    out.sum().backward()
    assert {a.grad.dtype for a in args} == {np.dtype("float32")}
    mixed = [args[0].detach(), *(a.detach().double() for a in args[1:])]
    assert op(*mixed).dtype == (np.float64 if len(args) > 1 else np.float32)
    assert op(*(tensor([0, 1]) for _ in args)).dtype == np.float32


@own
def test_a_gradient_of_zero_stays_zero(name):
    op, draw, _ = OWN[name]
    for args in (draw(), [tensor([0.0, 1.0], requires_grad=True) for _ in draw()]):
        op(*args).backward(autograd.zeros_like(args[0]))
        assert all((a.grad.numpy() == 0).all() for a in args)


def test_they_are_right_far_out():
    x = tensor([-800.0, -40.0, 0.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    out = F.softplus_(x)
    out.sum().backward()
    assert_allclose(out.detach().numpy(), [0, np.exp(-40.0), np.log(2), 40, 800], rtol=1e-12)
    assert_allclose(x.grad.numpy(), [0, np.exp(-40.0), 0.5, 1, 1], rtol=1e-12)
    x = tensor([-800.0, -40.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    for target, expected in ((0.0, [0, np.exp(-40.0), 40, 800]), (1.0, [800, 40, np.exp(-40.0), 0])):
        assert_allclose(F.bce_with_logits_(x, autograd.full((4,), target, dtype=float64)).detach().numpy(), expected, rtol=1e-12)


def test_the_logarithms_of_binary_cross_entropy_end_at_minus_100():
    x, t = tensor([0.0, 0.0, 1.0, 1.0], requires_grad=True), tensor([0.0, 1.0, 0.0, 1.0])
    out = F.binary_cross_entropy(x, t, reduction="none")
    assert out.tolist() == [0, 100, 100, 0]
    out.sum().backward()
    assert_allclose(x.grad.numpy(), [0, -1e12, 1e12, 0])  # as in PyTorch


# ---------------------------------------------------------------- the other functions
def test_linear_is_the_product_and_the_bias():
    x, w, b = (RNG.standard_normal(s) for s in ((2, 5, 3), (4, 3), (4,)))
    assert_allclose(F.linear(tensor(x), tensor(w), tensor(b)).numpy(), x @ w.T + b)
    assert_allclose(F.linear(tensor(x), tensor(w)).numpy(), x @ w.T)


def test_one_hot():
    out = F.one_hot(tensor([[0, 2], [1, 0]]))
    assert out.dtype == np.int64
    assert_array_equal(out.numpy(), np.eye(3)[[[0, 2], [1, 0]]])
    assert F.one_hot(tensor([1]), num_classes=4).tolist() == [[0, 1, 0, 0]]
    assert F.one_hot(tensor(np.array([1], np.uint8)), 3).tolist() == [[0, 1, 0]]
    assert F.one_hot(autograd.zeros(0, dtype=autograd.int64), 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 3], 3, ArgumentError, "values are classes, 0 to 2; got 0 to 3"),
        ([-1, 1], -1, ArgumentError, "values are classes, 0 to 1; got -1 to 1"),
        ([0.0], -1, DtypeError, "one_hot needs integers, not float32"),
        ([], -1, DtypeError, "one_hot needs integers"),
    ],
)
def test_one_hot_says_what_is_no_class(labels, classes, error, message):
    with pytest.raises(error, match=message):
        F.one_hot(tensor(labels), classes)


def test_one_hot_of_nothing_needs_the_number_of_classes():
    with pytest.raises(ArgumentError, match="say num_classes"):
        F.one_hot(autograd.zeros(0, dtype=autograd.int64))
    with pytest.raises(UnsupportedError, match="tensor must be a tensor, not list"):
        F.one_hot([1])


def test_pad_and_flatten_are_there():
    assert F.pad(autograd.ones(1, 2), (1, 0, 0, 1)).tolist() == [[0, 1, 1], [0, 0, 0]]
    assert F.flatten(autograd.ones(2, 3, 4), 1).shape == (2, 12)


def test_logsigmoid_does_not_underflow():
    x = tensor([-800.0, 0.0, 800.0], dtype=float64, requires_grad=True)
    out = F.logsigmoid(x)
    out.sum().backward()
    assert_allclose(out.detach().numpy(), [-800, -np.log(2), 0])
    assert_allclose(x.grad.numpy(), [1, 0.5, 0])
    assert gradcheck(F.logsigmoid, real(4))


def test_gelu_names_its_forms():
    with pytest.raises(ArgumentError, match="gelu: approximate is 'none' or 'tanh', got 'x'"):
        F.gelu(autograd.ones(1), approximate="x")


def test_functions_without_a_module_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
    there = torch.nn.functional
    x = RNG.standard_normal((3, 4))
    for name, options in [
        ("logsigmoid", {}), ("relu", {}), ("silu", {}), ("tanh", {}), ("sigmoid", {}), ("elu", {"alpha": 2.0}),
        ("softmax", {"dim": 0}), ("log_softmax", {"dim": 0}), ("softplus", {"beta": 3, "threshold": 0.5}),
        ("pad", {"pad": (1, 2, 0, 1), "value": 3.0}),
    ]:  # fmt: skip
        ours, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, expected = getattr(F, name)(ours, **options), getattr(there, name)(theirs, **options)
        assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-15, err_msg=name)
        out.sum().backward()
        expected.sum().backward()
        assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12, atol=1e-15, err_msg=name)


def test_what_functional_lists_is_there():
    assert all(callable(getattr(F, name)) for name in F.__all__)
    assert nn.functional is F
