"""Lazy layers: each is the ordinary one of its record from the first call on; and what may be done with them before."""

import copy
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from modules import LAYERS
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float64, tensor
from autograd.errors import AutogradError, ShapeError, StateError
from nn.lazy import __all__ as LAZY
from nn.parameter import is_lazy

ORDINARY = [layer for layer in LAYERS if f"Lazy{layer.name}" in LAZY]
records = pytest.mark.parametrize("layer", ORDINARY, ids=lambda layer: layer.label)


def lazy(layer, lib=nn):
    """The lazy layer of a record: without the first argument."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that lazy modules may change
        return getattr(lib, f"Lazy{layer.name}")(*layer.args[1:], **layer.kwargs)


def with_defaults(layer):
    """The record, its arguments complete: of one norm PyTorch's defaults are others when it is lazy."""
    off = {"affine": False, "track_running_stats": False}
    return replace(layer, kwargs=off | layer.kwargs) if "InstanceNorm" in layer.name else layer


def inputs(layer):
    return [tensor(a, requires_grad=True) for a in layer.draw()]


def same(found, expected):
    assert repr(found) == repr(expected)
    assert type(found) is type(expected)
    assert [*found.state_dict()] == [*expected.state_dict()]
    for t, e in zip(found.state_dict().values(), expected.state_dict().values(), strict=True):
        assert t.dtype == e.dtype
        assert_array_equal(t.numpy(), e.numpy())


def test_every_lazy_layer_has_a_record():
    assert {layer.name for layer in ORDINARY} == {name.removeprefix("Lazy") for name in LAZY}


@records
def test_the_first_call_makes_the_ordinary_layer(layer):
    """With the initial values that it draws, its output, its gradients and its running statistics."""
    late = lazy(with_defaults(layer)).double()
    handed_out = [*late.parameters(), *late.buffers()]
    autograd.manual_seed(1)
    out = late(*inputs(layer))
    autograd.manual_seed(1)
    ordinary = layer.make(nn, float64)
    x = inputs(layer)
    expected = ordinary(*x)
    same(late, ordinary)
    assert_array_equal(out.detach().numpy(), expected.detach().numpy())
    assert all(a is b for a, b in zip(handed_out, [*late.parameters(), *late.buffers()], strict=True))
    if out.requires_grad:
        out.sin().sum().backward(), expected.sin().sum().backward()
        for p, e in zip(late.parameters(), ordinary.parameters(), strict=True):
            assert_allclose(p.grad.numpy(), e.grad.numpy(), rtol=1e-12)


@records
def test_what_does_not_fit_changes_nothing(layer):
    late = lazy(layer).double()
    with pytest.raises(AutogradError, match=f"^Lazy{layer.name}"):
        late(tensor(3.0, dtype=float64))
    assert type(late) is getattr(nn, f"Lazy{layer.name}")
    assert all(is_lazy(t) for t in late.parameters())
    late(*inputs(layer))
    assert type(late) is getattr(nn, layer.name)


@records
def test_copies_and_state_before_and_after_the_first_call(layer):
    late = lazy(layer).double()
    copies = [copy.deepcopy(late), pickle.loads(pickle.dumps(late)), lazy(layer).double()]
    assert copies[2].load_state_dict(late.state_dict()) == ([], [])
    late(*inputs(layer))
    for other in copies:
        assert repr(other) != repr(late)
        other.load_state_dict(late.state_dict())
        other.eval()(*inputs(layer))
        same(other, late)
        assert not {id(p) for p in other.parameters()} & {id(p) for p in late.parameters()}


@records
def test_like_pytorch(layer, torch):
    theirs, late = lazy(layer, torch.nn).double(), lazy(layer).double()
    assert repr(late) == repr(theirs)
    assert [*late.state_dict()] == [*theirs.state_dict()]
    assert [is_lazy(p) for p in late.parameters()] == [torch.nn.parameter.is_lazy(p) for p in theirs.parameters()]
    x = layer.draw()
    late(*map(tensor, x)), theirs(*map(torch.tensor, x))
    if late.state_dict():  # where it has nothing to initialize PyTorch's goes on calling itself one of 0 features
        assert repr(late) == repr(theirs)
    assert {k: v.shape for k, v in late.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}


def test_an_optimizer_may_have_the_parameters_before():
    net = nn.Sequential(nn.LazyLinear(3), nn.Tanh(), nn.LazyLinear(1))
    opt = nn.optim.Adam(net.parameters(), lr=0.1)
    opt.step()
    net(autograd.ones(4, 2)).sum().backward()
    before = [p.clone() for p in net.parameters()]
    opt.step()
    assert all((p != b).any() for p, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize(
    "use",
    [
        lambda p: p.shape, lambda p: p + 1, lambda p: p.numel(), lambda p: nn.init.ones_(p), lambda p: np.exp(p),
        lambda p: nn.optim.Muon([p]), lambda p: nn.utils.parameters_to_vector([p]),
    ],
)  # fmt: skip
def test_what_needs_the_shape_says_what_to_do(use):
    with pytest.raises(StateError, match="has no shape yet, nor values; call the module once, on an example, or load"):
        use(nn.LazyLinear(3).weight)


def test_frozen_and_cast_before():
    late = nn.LazyLinear(3).to(float64)
    late.weight.requires_grad_(False)
    late(autograd.ones(2, 4, dtype=float64))
    assert (late.weight.dtype, late.weight.requires_grad, late.bias.requires_grad) == (float64, False, True)


def test_materialize_and_what_was_loaded():
    late = nn.LazyLinear(3, bias=False)
    late.weight.materialize((3, 5))
    assert type(late.weight) is nn.Parameter
    with pytest.raises(StateError, match=r"weight was loaded with shape \(3, 5\), but an input of shape \(2, 4\) needs \(3, 4\)"):
        late(autograd.ones(2, 4))
    assert late(autograd.ones(2, 5)).shape == (2, 3)
    with pytest.raises(StateError, match=r"weight \(expected \(3, 5\), got an <UninitializedParameter>\)"):
        late.load_state_dict(nn.LazyLinear(3, bias=False).state_dict())


def test_the_input_says_where_its_size_is():
    with pytest.raises(ShapeError, match=r"LazyConv2d.*in_channels is dim -3 of the first input, got \(4, 4\)"):
        nn.LazyConv2d(2, 3)(autograd.ones(4, 4))
