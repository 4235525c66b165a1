"""Parametrizations: what an attribute is computed from, when, and how it is assigned, saved, copied and removed; and those there are."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float64, no_grad, tensor
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from autograd.func import functional_call, grad
from nn.utils import parametrizations, parametrize
from nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


class Exp(nn.Module):
    """Positive numbers."""

    calls = 0

    def forward(self, x):
        Exp.calls += 1
        return x.exp()

    def right_inverse(self, y):
        return y.log()


class Sum(nn.Module):
    """Computed from two tensors."""

    def forward(self, x, y):
        return x + y

    def right_inverse(self, z):
        return z / 4, z * 3 / 4


def positive(n=3, k=3):
    layer = nn.Linear(k, n).double()
    with no_grad():
        layer.weight.abs_().add_(0.1)
    return layer


# ---------------------------------------------------------------- one
def test_an_attribute_is_computed_whenever_it_is_read():
    layer = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    original = layer.parametrizations.weight.original
    assert_array_equal(layer.weight.detach().numpy(), layer.weight.mT.detach().numpy())
    with no_grad():
        original.add_(1)
    assert_array_equal(layer.weight.detach().triu().numpy(), original.detach().triu().numpy())
    assert [n for n, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    assert "weight" in dir(layer) and hasattr(layer, "weight")  # noqa: PT018
    x = autograd.randn(2, 3)
    assert_allclose(layer(x).detach().numpy(), (x @ layer.weight.mT + layer.bias).detach().numpy(), rtol=1e-6)
    layer(x).sum().backward()
    assert original.grad is not None
    assert (original.grad.tril(-1) == 0).all()


def test_the_parameter_stays_the_same_object_and_the_attribute_its_values():
    layer = positive()
    weight, before = layer.weight, layer.weight.detach().clone()
    optimizer = nn.optim.SGD(layer.parameters(), lr=0.1)
    register_parametrization(layer, "weight", Exp())
    assert layer.parametrizations.weight.original is weight
    assert_allclose(layer.weight.detach().numpy(), before.numpy(), rtol=1e-12)
    layer(autograd.ones(2, 3, dtype=float64)).sum().backward()
    optimizer.step()
    assert not np.allclose(layer.weight.detach().numpy(), before.numpy())


def test_several_one_after_the_other():
    layer = positive()
    before = layer.weight.detach().clone()
    register_parametrization(register_parametrization(layer, "weight", Exp()), "weight", Symmetric())
    assert_allclose(layer.weight.detach().numpy(), Symmetric()(before).numpy(), rtol=1e-12)
    assert [type(m) for m in layer.parametrizations.weight] == [Exp, Symmetric]
    register_parametrization(layer, "bias", Sum())
    assert is_parametrized(layer, "bias")
    assert [n for n, _ in layer.named_parameters()] == [
        f"parametrizations.{n}" for n in ("weight.original", "bias.original0", "bias.original1")
    ]


def test_assigning():
    layer = register_parametrization(positive(), "weight", Exp())
    new = autograd.full((3, 3), 2.0, dtype=float64)
    layer.weight = new
    assert_allclose(layer.weight.detach().numpy(), new.numpy(), rtol=1e-12)
    layer.weight = nn.Parameter(new * 3)
    assert_allclose(layer.weight.detach().numpy(), 6, rtol=1e-12)
    assert "weight" not in layer._parameters
    with pytest.raises(ShapeError, match=r"right_inverse makes tensors of shapes \[\(2,\)\] from float64 \(2,\)"):
        layer.weight = tensor([1.0, 2.0], dtype=float64)
    register_parametrization(layer, "weight", Symmetric())
    with pytest.raises(UnsupportedError, match="Symmetric does not say what to compute a value from; define its right_inverse"):
        layer.weight = new
    register_parametrization(layer, "bias", Sum())
    layer.bias = tensor([4.0, 8.0, 12.0], dtype=float64)
    assert layer.parametrizations.bias.original0.tolist() == [1, 2, 3]


def test_cached():
    layer = register_parametrization(positive(), "weight", Exp())
    Exp.calls = 0
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
        layer.weight = first.detach() * 2
        assert_allclose(layer.weight.detach().numpy(), 2 * first.detach().numpy(), rtol=1e-12)
    assert Exp.calls == 2
    assert layer.weight is not layer.weight


def test_copies_and_state_go_round():
    layer = register_parametrization(positive(), "weight", Exp())
    other = register_parametrization(positive(), "weight", Exp())
    assert other.load_state_dict(layer.state_dict()) == ([], [])
    for copied in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_array_equal(copied.weight.detach().numpy(), layer.weight.detach().numpy())
        with no_grad():
            copied.parametrizations.weight.original.add_(1)
        assert (copied.weight > layer.weight).all()


@pytest.mark.parametrize("leave", [True, False])
def test_removing(leave):
    layer = positive()
    weight, before = layer.weight, layer.weight.detach().clone()
    register_parametrization(layer, "weight", Exp())
    assert remove_parametrizations(layer, "weight", leave) is layer
    assert layer.weight is weight
    assert_allclose(weight.detach().numpy(), before.numpy() if leave else np.log(before.numpy()), rtol=1e-12)
    assert not is_parametrized(layer)
    assert [n for n, _ in layer.named_parameters()] == ["bias", "weight"]
    with pytest.raises(StateError, match=r"Linear.weight has no parametrization"):
        remove_parametrizations(layer, "weight")


def test_removing_what_is_computed_from_several():
    layer = register_parametrization(positive(), "weight", Sum())
    before = layer.weight.detach().clone()
    with pytest.raises(ArgumentError, match="computed from 2 tensors"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)
    remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter)
    assert_allclose(layer.weight.detach().numpy(), before.numpy())


def test_buffers_too():
    layer = nn.BatchNorm1d(3)
    register_parametrization(layer, "running_var", Exp())
    assert_allclose(layer.running_var.numpy(), 1)
    assert "parametrizations.running_var.original" in dict(layer.named_buffers())
    remove_parametrizations(layer, "running_var")
    assert "running_var" in dict(layer.named_buffers())


class Half(nn.Module):
    def forward(self, x):
        return x[:1]


def test_what_is_refused_changes_nothing():
    layer = positive()
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    with pytest.raises(ArgumentError, match=r"what was computed is float64 \(1, 3\); pass unsafe=True"):
        register_parametrization(layer, "weight", Half())
    with pytest.raises(StateError, match="Linear has no parameter or buffer 'wieght'; did you mean 'weight'"):
        register_parametrization(layer, "wieght", Half())
    with pytest.raises(UnsupportedError, match="a parametrization is a Module"):
        register_parametrization(layer, "weight", lambda x: x)
    assert [*layer.state_dict()] == [*before]
    for k, v in layer.state_dict().items():
        assert_array_equal(v.numpy(), before[k].numpy())
    register_parametrization(layer, "weight", Half(), unsafe=True)
    assert layer.weight.shape == (1, 3)


def test_functional_call():
    layer = register_parametrization(positive(), "weight", Exp())
    x, params = autograd.ones(3, dtype=float64), {n: p.detach() for n, p in layer.named_parameters()}
    found = grad(lambda p: functional_call(layer, p, x).sum())(params)
    assert_allclose(found["parametrizations.weight.original"].numpy(), layer.weight.detach().numpy())


def test_like_pytorch(torch):
    """Names, values and gradients, of the same parametrizations written with both libraries' names."""

    def make(lib, utils, weight):
        class Symmetric(lib.Module):
            def forward(self, x):
                return x.triu() + x.triu(1).mT

        class Exp(lib.Module):
            def forward(self, x):
                return x.exp()

            def right_inverse(self, y):
                return y.log()

        layer = lib.Linear(3, 3).double()
        layer.load_state_dict({"weight": weight, "bias": weight[0]})
        utils.register_parametrization(layer, "weight", Symmetric())
        utils.register_parametrization(layer, "weight", Exp())
        utils.register_parametrization(layer, "bias", Exp())
        return layer

    array = np.random.default_rng(0).random((3, 3)) + 0.5
    ours = make(nn, parametrize, tensor(array))
    theirs = make(torch.nn, torch.nn.utils.parametrize, torch.tensor(array))
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    ours(tensor(array)).sum().backward(), theirs(torch.tensor(array)).sum().backward()
    for p, e in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_allclose(p.detach().numpy(), e.detach().numpy(), rtol=1e-12)
        assert_allclose(p.grad.numpy(), e.grad.numpy(), rtol=1e-10)
    parametrize.remove_parametrizations(ours, "weight"), torch.nn.utils.parametrize.remove_parametrizations(theirs, "weight")
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), rtol=1e-12)


# ---------------------------------------------------------------- those there are
MADE = {
    **{f"weight_norm of dim {dim}": ("weight_norm", {"dim": dim}) for dim in (0, 1, None)},
    "spectral_norm": ("spectral_norm", {"n_power_iterations": 2}),
    **{
        f"orthogonal by {by}{', trivialized' * base}": ("orthogonal", {"orthogonal_map": by, "use_trivialization": base})
        for by in ("matrix_exp", "cayley", "householder")
        for base in (True, False)
    },
}
LAYERS = {"square": ("Linear", (4, 4)), "wide": ("Linear", (5, 3)), "tall": ("Linear", (2, 4)), "conv": ("Conv2d", (2, 3, 2))}


@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize("name", MADE)
def test_each_like_pytorch(name, shape, torch):
    """With the same state the same weight and gradients, and the same state after training."""
    (function, options), (kind, sizes) = MADE[name], LAYERS[shape]
    ours = getattr(parametrizations, function)(getattr(nn, kind)(*sizes).double(), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = getattr(torch.nn, kind)(*sizes).double()
        size = tuple(made.weight.shape)  # which to read later is a step of the power method
        theirs = getattr(torch.nn.utils.parametrizations, function)(made, **options)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    rng = np.random.default_rng(0)
    if "trivialized" not in name or "householder" not in name:  # whose reflections are of a diagonal of 1 and -1
        for p, e in zip(ours.parameters(), theirs.parameters(), strict=True):
            change = np.tril(rng.normal(size=p.shape), -1) if "householder" in name and p.ndim > 1 else rng.normal(size=p.shape)
            with no_grad(), torch.no_grad():
                p.add_(tensor(change)), e.add_(torch.tensor(change))
    u = rng.normal(size=size)
    for training in (True, False):
        ours.train(training), theirs.train(training)
        w, e = ours.weight, theirs.weight
        assert_allclose(w.detach().numpy(), e.detach().numpy(), rtol=1e-9, atol=1e-10)
        ours.zero_grad(), theirs.zero_grad()
        (w * tensor(u)).sum().backward(), (e * torch.tensor(u)).sum().backward()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            if q.grad is not None:
                assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-8, atol=1e-9)
    for b, e in zip(ours.buffers(), theirs.buffers(), strict=True):
        assert_allclose(b.numpy(), e.numpy(), rtol=1e-9)


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("by", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
def test_orthogonal_weights_stay_so(shape, by, base):
    kind, sizes = LAYERS[shape]
    layer = parametrizations.orthogonal(getattr(nn, kind)(*sizes).double(), orthogonal_map=by, use_trivialization=base)
    optimizer = nn.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(5):
        w = layer.weight if layer.weight.shape[0] >= layer.weight.shape[1] else layer.weight.mT
        assert_allclose((w.mT @ w).detach().numpy(), np.eye(w.shape[1]), atol=1e-12)
        optimizer.zero_grad()
        ((layer(autograd.ones(1, sizes[0], dtype=float64)) - 2) ** 2).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("shape", ["square", "wide", "tall"])
@pytest.mark.parametrize("by", ["matrix_exp", "cayley", "householder"])
def test_an_orthogonal_weight_may_be_assigned(by, shape):
    kind, sizes = LAYERS[shape]
    layer = parametrizations.orthogonal(getattr(nn, kind)(*sizes).double(), orthogonal_map=by)
    wanted = nn.init.orthogonal_(autograd.empty(*layer.weight.shape, dtype=float64))
    layer.weight = wanted
    assert_allclose(layer.weight.detach().numpy(), wanted.numpy(), atol=1e-12)
    alone = getattr(nn, kind)(*sizes).double()
    parametrizations.orthogonal(alone, orthogonal_map="householder", use_trivialization=False)
    alone.weight = wanted
    assert_allclose(alone.weight.detach().numpy(), wanted.numpy(), atol=1e-12)
    parametrizations.orthogonal(other := nn.Linear(2, 2), orthogonal_map="cayley", use_trivialization=False)
    with pytest.raises(UnsupportedError, match="the map 'cayley' has no inverse here; with use_trivialization=True"):
        other.weight = autograd.eye(2)


def test_weight_norm_keeps_the_weight_and_loads_the_older_ones_state():
    layer, older = nn.Linear(4, 3), nn.utils.weight_norm(nn.Linear(4, 3))
    before = layer.weight.detach().clone()
    parametrizations.weight_norm(layer)
    assert_allclose(layer.weight.detach().numpy(), before.numpy(), rtol=1e-6)
    assert layer.load_state_dict(older.state_dict()) == ([], [])
    assert_allclose(layer.weight.detach().numpy(), older.weight.detach().numpy(), rtol=1e-6)
    pickle.loads(pickle.dumps(layer)).load_state_dict(older.state_dict())


def test_spectral_norm_is_followed_in_training_alone():
    layer = parametrizations.spectral_norm(nn.Conv2d(2, 3, 2).double(), n_power_iterations=50)
    layer.weight  # noqa: B018 (it is computed)
    assert_allclose(np.linalg.norm(layer.weight.detach().numpy().reshape(3, -1), 2), 1, rtol=1e-6)
    layer.eval()
    before = [b.clone() for b in layer.buffers()]
    layer.weight  # noqa: B018
    assert all((a == b).all() for a, b in zip(layer.buffers(), before, strict=True))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: parametrizations.orthogonal(nn.Linear(2, 2), "bias"), ShapeError, r"at least 2 dims, got shape \(2,\)"),
        (
            lambda: parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr"),
            ArgumentError,
            "orthogonal_map is .* got 'qr'",
        ),
        (lambda: parametrizations.orthogonal(nn.Linear(2, 2), "w"), StateError, "Linear has no parameter 'w'"),
        (lambda: parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0), ArgumentError, "1 or more, got 0"),
        (lambda: parametrizations.spectral_norm(nn.Linear(2, 2), "bias"), ShapeError, "at least 2 dims and an element"),
    ],
)
def test_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()
