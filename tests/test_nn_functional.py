"""nn.functional: far out, one_hot, pad, and that it agrees with PyTorch where modules do not reach."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
import nn.functional as F
from autograd import float64, gradcheck, tensor
from autograd.errors import ArgumentError, DtypeError, UnsupportedError

RNG = np.random.default_rng(0)


def real(*shape):
    return tensor(RNG.uniform(-3, 3, shape), requires_grad=True)


def test_they_are_right_far_out():
    x = tensor([-800.0, -40.0, 0.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    out = F.softplus(x, threshold=1e9)
    out.sum().backward()
    assert_allclose(out.detach().numpy(), [0, np.exp(-40.0), np.log(2), 40, 800], rtol=1e-12)
    assert_allclose(x.grad.numpy(), [0, np.exp(-40.0), 0.5, 1, 1], rtol=1e-12)
    x = tensor([-800.0, -40.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    for target, expected in ((0.0, [0, np.exp(-40.0), 40, 800]), (1.0, [800, 40, np.exp(-40.0), 0])):
        assert_allclose(
            F.binary_cross_entropy_with_logits(x, autograd.full((4,), target, dtype=float64), reduction="none").detach().numpy(),
            expected,
            rtol=1e-12,
        )


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
