"""nn.init: bounds and spreads of the distributions, generators, gains, and bad input."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import Generator, empty, float64, tensor
from autograd.errors import ArgumentError, ShapeError
from nn import Parameter, init

OUT, IN = 200, 300
UNIFORM = {  # name: what to call it with, the bound
    "uniform": (lambda t, g: init.uniform_(t, -2.0, 2.0, generator=g), 2.0),
    "xavier": (lambda t, g: init.xavier_uniform_(t, gain=3.0, generator=g), 3 * math.sqrt(6 / (IN + OUT))),
    "kaiming": (lambda t, g: init.kaiming_uniform_(t, generator=g), math.sqrt(6 / IN)),
    "kaiming for Linear": (lambda t, g: init.kaiming_uniform_(t, a=math.sqrt(5), generator=g), 1 / math.sqrt(IN)),
    "kaiming out": (
        lambda t, g: init.kaiming_uniform_(t, mode="fan_out", nonlinearity="linear", generator=g),
        math.sqrt(3 / OUT),
    ),
}
NORMAL = {  # name: what to call it with, mean, standard deviation
    "normal": (lambda t, g: init.normal_(t, 1.0, 0.5, generator=g), 1, 0.5),
    "xavier": (lambda t, g: init.xavier_normal_(t, generator=g), 0, math.sqrt(2 / (IN + OUT))),
    "kaiming": (lambda t, g: init.kaiming_normal_(t, nonlinearity="relu", generator=g), 0, math.sqrt(2 / IN)),
    "kaiming out": (lambda t, g: init.kaiming_normal_(t, 0.2, "fan_out", generator=g), 0, math.sqrt(2 / 1.04 / OUT)),
}
ALL = {f"{kind} {name}": call for kind, table in (("uniform", UNIFORM), ("normal", NORMAL)) for name, (call, *_) in table.items()}


def drawn(call, seed=0):
    return call(empty(OUT, IN, dtype=float64), Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_ones_are_uniform_between_their_bounds(name):
    call, bound = UNIFORM[name]
    values = drawn(call)
    assert np.abs(values).max() <= bound
    assert_allclose(np.histogram(values, 10, (-bound, bound))[0] / values.size, 0.1, atol=0.01)


@pytest.mark.parametrize("name", NORMAL)
def test_normal_ones_are_normal(name):
    call, mean, std = NORMAL[name]
    z = (drawn(call).ravel() - mean) / std
    moments = [(z**k).mean() for k in (1, 2, 3, 4)]
    assert_allclose(moments, [0, 1, 0, 3], atol=0.15)


@pytest.mark.parametrize("name", ALL)
def test_a_generator_repeats_them_and_leaves_the_default_one_alone(name):
    before = autograd.default_generator.get_state()
    first = drawn(ALL[name])
    assert_array_equal(drawn(ALL[name]), first)
    assert not np.array_equal(drawn(ALL[name], seed=1), first)
    assert autograd.default_generator.get_state() == before


@pytest.mark.parametrize("name", ALL)
def test_they_write_into_a_parameter_and_return_it(name):
    p = Parameter(empty(5, 4))
    array = p.array
    assert ALL[name](p, None) is p
    assert p.array is array
    assert p.requires_grad
    assert p.is_leaf
    assert p.dtype == np.float32


def test_constants():
    p = Parameter(empty(2, 3))
    assert init.constant_(p, 2.5) is p
    assert p.tolist() == [[2.5] * 3] * 2
    assert init.ones_(p).tolist() == [[1] * 3] * 2
    assert init.zeros_(p).tolist() == [[0] * 3] * 2
    assert init.ones_(tensor([3, 4])).tolist() == [1, 1]


def test_windows_count_as_inputs():
    assert init.fans(empty(8, 3, 5, 2)) == (30, 80)
    values = init.kaiming_uniform_(empty(64, 3, 5, 5)).numpy()
    assert 0.95 * math.sqrt(6 / 75) < np.abs(values).max() <= math.sqrt(6 / 75)


def test_weights_without_elements_are_left_alone():
    for shape in ((0, 3), (3, 0)):
        assert init.kaiming_uniform_(empty(shape)).shape == shape
        assert init.xavier_normal_(empty(shape)).shape == shape


def test_gains_are_those_of_pytorch(torch):
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert_allclose(init.calculate_gain(name), torch.nn.init.calculate_gain(name))
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.calculate_gain("rleu"), ArgumentError, "there is no gain for 'rleu'; did you mean 'relu'"),
        (lambda: init.kaiming_normal_(empty(2, 2), nonlinearity="?"), ArgumentError, r"there is no gain for '\?'$"),
        (lambda: init.kaiming_uniform_(empty(2, 2), mode="fan"), ArgumentError, "mode is 'fan_in' or 'fan_out', got 'fan'"),
        (lambda: init.xavier_normal_(empty(2)), ShapeError, r"at least 2 dims, \(out, in, \.\.\.\), got shape \(2,\)"),
        (lambda: init.kaiming_normal_(tensor(1.0)), ShapeError, "need a weight of at least 2 dims"),
    ],
)  # fmt: skip
def test_bad_input_is_told(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------- patterns, orthogonal matrices, and by data
@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 0.5, 0, 3), (0, 0.02, -2, 2), (0, 1, 3, 4), (0, 1, -8, -0.5)]
)
def test_a_truncated_normal_has_the_distribution(mean, std, a, b):
    values = np.sort(init.trunc_normal_(empty(20000, dtype=float64), mean, std, a, b, Generator().manual_seed(0)).numpy())
    assert a <= values[0] <= values[-1] <= b

    def below(x):
        return np.array([0.5 * (1 + math.erf((v - mean) / std / math.sqrt(2))) for v in np.atleast_1d(x)])

    expected = (below(values) - below(a)) / (below(b) - below(a))
    assert np.abs(expected - np.linspace(0, 1, values.size)).max() < 1.95 / math.sqrt(values.size)  # Kolmogorov: 1 in 1000


def test_a_truncated_normal_without_values_is_refused():
    with pytest.raises(ArgumentError, match=r"next to no value of mean 0.0 and std 0.1 lies between 2.0 and 3.0"):
        init.trunc_normal_(empty(3), std=0.1, a=2.0, b=3.0)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 2, 3), (2, 3, 3, 3)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    matrix = init.orthogonal_(empty(*shape, dtype=float64), gain=2.0).numpy().reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_matrices_are_not_all_alike():
    signs = {float(np.sign(init.orthogonal_(empty(2, 2), generator=Generator().manual_seed(i)).numpy()[0, 0])) for i in range(20)}
    assert signs == {-1, 1}


def test_patterns():
    assert_array_equal(init.eye_(empty(2, 3)).numpy(), np.eye(2, 3))
    column_zeros = (init.sparse_(empty(10, 4), 0.25, 0.5).numpy() == 0).sum(0)
    assert column_zeros.tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize(("shape", "groups"), [((3, 3, 3), 1), ((4, 2, 3, 3), 2), ((6, 2, 5), 3), ((2, 4, 1, 3, 2), 1)])
def test_dirac_like_pytorch(torch, shape, groups):
    assert_array_equal(init.dirac_(empty(*shape), groups).numpy(), torch.nn.init.dirac_(torch.empty(*shape), groups).numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.eye_(empty(3)), ShapeError, r"eye_ is for tensors of 2 dims, got shape \(3,\)"),
        (lambda: init.dirac_(empty(3, 3)), ShapeError, "dirac_ is for tensors of 3 or 4 or 5 dims"),
        (lambda: init.dirac_(empty(3, 3, 3), 2), ArgumentError, "3 output channels cannot be divided into 2 groups"),
        (lambda: init.orthogonal_(empty(3)), ShapeError, "2 dims or more"),
        (lambda: init.sparse_(empty(3), 0.5), ShapeError, "sparse_ is for tensors of 2 dims"),
        (
            lambda: init.lsuv_(nn.Linear(2, 3), autograd.zeros(4, 2)),
            ArgumentError,
            "the output of Linear.* has standard deviation 0.0",
        ),
    ],
)
def test_what_cannot_be_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_lsuv_gives_every_layer_an_output_of_variance_1():
    autograd.manual_seed(0)
    net = nn.Sequential(*[m for _ in range(6) for m in (nn.Linear(30, 30), nn.ReLU())], nn.Linear(30, 5))
    x, found = autograd.randn(200, 30), []
    assert init.lsuv_(net, x, tolerance=0.02) is net
    for layer in net[::2]:
        layer.register_forward_hook(lambda m, args, out: found.append(float(out.std(correction=0))))
    with autograd.no_grad():
        net(x)
    assert len(found) == 7
    assert_allclose(found, 1, atol=0.02)
    assert [len(m._hooks) for m in net[1::2]] == [0] * 6
