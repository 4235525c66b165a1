"""Adafactor: the published steps, PyTorch's, its state, and that a step which fails changes nothing."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float16, float32, float64, tensor
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from nn.optim import Adafactor

SHAPES = [(3, 4), (2, 3, 5), (4,), ()]
CASES = [
    {},
    {"lr": 0.3, "beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 1.2, "weight_decay": 0.2, "maximize": True},
    {"lr": 0.05, "eps": (None, 1.0), "weight_decay": 0.1},
]
each_case = pytest.mark.parametrize("options", CASES, ids=["plain", "all", "short"])


def start(dtype=float64):
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES]
    return values, [[np.asarray(rng.standard_normal(shape) * (1 + k)).astype(dtype) for shape in SHAPES] for k in range(8)]


def take(parameters, opt, gradients, make=tensor):
    """Steps with given gradients, but in every third the last parameter has none."""
    for k, gs in enumerate(gradients):
        for p, g in zip(parameters, gs, strict=True):
            p.grad = make(g)
        if k % 3 == 1:
            parameters[-1].grad = None
        opt.step()


def published(p, gradients, lr=0.01, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, maximize=False):
    """Algorithms 4 and 5 of the paper, one element after the other; with PyTorch's decay and its least v."""
    least = np.finfo(p.dtype).eps if eps[0] is None else eps[0]
    row = column = v = 0
    for t, g in enumerate(gradients, 1):
        g, share = (-g if maximize else g), t**beta2_decay
        if p.ndim > 1:
            row = (1 - share) * row + share * (g**2).mean(-1, keepdims=True)
            column = (1 - share) * column + share * (g**2).mean(-2, keepdims=True)
            estimate = np.einsum("...nk,...km->...nm", row, column) / np.maximum(row.mean(-2, keepdims=True), least)
        else:
            estimate = v = (1 - share) * v + share * g**2
        u = g / np.sqrt(np.maximum(estimate, least**2))
        u = u / max(1, np.sqrt(np.mean(u**2)) / d)
        p = p - lr * weight_decay * p - max(eps[1], np.sqrt(np.mean(p**2))) * min(lr, t**-0.5) * u
    return p


@each_case
def test_steps_are_the_published_ones(options):
    values, gradients = start()
    parameters = [nn.Parameter(tensor(v)) for v in values]
    take(parameters, Adafactor(parameters, **options), gradients)
    for i, (p, value) in enumerate(zip(parameters, values, strict=True)):
        seen = [gs[i] for k, gs in enumerate(gradients) if i < len(values) - 1 or k % 3 != 1]
        assert_allclose(p.numpy(force=True), published(value, seen, **options), rtol=1e-10)


@each_case
@pytest.mark.parametrize("dtype", [float64, float32])
def test_like_pytorch(options, dtype, torch):
    """The steps, the state, and steps that go on from the other's state."""
    values, gradients = start(dtype)
    parameters, theirs = [nn.Parameter(tensor(v)) for v in values], [torch.nn.Parameter(torch.tensor(v)) for v in values]
    opt, other = Adafactor(parameters, **options), torch.optim.Adafactor(theirs, foreach=False, **options)
    take(parameters, opt, gradients), take(theirs, other, gradients, torch.tensor)
    close = {"rtol": 1e-9 if dtype == float64 else 2e-4, "atol": 1e-9 if dtype == float64 else 1e-6}
    for p, e in zip(parameters, theirs, strict=True):
        assert_allclose(p.detach().numpy(), e.detach().numpy(), **close)
        assert [*opt.state[p]] == [*other.state[e]]
        for name, value in other.state[e].items():
            assert_allclose(opt.state[p][name].numpy(), value.numpy(), **close)
    opt.load_state_dict(other.state_dict())
    take(parameters, opt, gradients[:2]), take(theirs, other, gradients[:2], torch.tensor)
    for p, e in zip(parameters, theirs, strict=True):
        assert_allclose(p.detach().numpy(), e.detach().numpy(), **close)


def test_it_goes_on_from_its_state():
    values, gradients = start()
    parameters, others = ([nn.Parameter(tensor(v.copy())) for v in values] for _ in range(2))
    opt, other = Adafactor(parameters), Adafactor(others)
    take(parameters, opt, gradients), take(others, other, gradients[:4])
    again = Adafactor(others)
    again.load_state_dict(copy.deepcopy(other.state_dict()))
    for k, gs in enumerate(gradients[4:], 4):
        for p, g in zip(others, gs, strict=True):
            p.grad = tensor(g)
        others[-1].grad = None if k % 3 == 1 else others[-1].grad
        again.step()
    for p, q in zip(parameters, others, strict=True):
        assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


def test_half_is_updated_in_single_precision():
    p = nn.Parameter(tensor(np.ones((2, 2)), dtype=float16))
    p.grad = autograd.ones(2, 2, dtype=float16)
    opt = Adafactor([p], lr=0.1)
    opt.step()
    assert (p.dtype, opt.state[p]["row_var"].dtype) == (float16, float32)
    assert (p < 1).all()


def test_what_fails_changes_nothing():
    p, q = nn.Parameter([1.0, 2.0]), nn.Parameter([[1.0], [2.0]])
    opt = Adafactor([p, q])
    p.grad, q.grad = autograd.ones(2), autograd.ones(2, 1)
    q.data = autograd.ones(2, 1)
    q.node.grad = autograd.ones(3, 1)
    with pytest.raises(ShapeError, match=r"parameter \(2, 1\), gradient \(3, 1\)"):
        opt.step()
    assert_array_equal(p.detach().numpy(), [1, 2])
    assert not opt.state.get(p)
    with pytest.raises(StateError, match=r"the state of parameter 0 \(2,\) cannot be step \(\), row_var"):
        opt.load_state_dict(
            {"state": {0: {"step": np.array(1.0), "row_var": np.ones((2, 1))}}, "param_groups": opt.state_dict()["param_groups"]}
        )
    with pytest.raises(UnsupportedError, match="cannot be captured on a tape"), ambient(tape=Tape()):
        opt.step()
    for wrong, message in (
        ({"eps": (1e-3, -1)}, "eps must be two numbers of 0 or more"),
        ({"eps": 1e-3}, "eps must be two numbers, of which the first may be None"),
        ({"beta2_decay": 0.8}, "beta2_decay must be 0 or less"),
        ({"d": 0.5}, "d must be 1 or more"),
    ):
        with pytest.raises(ArgumentError, match=f"Adafactor: {message}"):
            Adafactor([p], **wrong)


def test_it_learns():
    autograd.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), tensor([[0.0], [1], [1], [0]])
    opt = Adafactor(net.parameters(), lr=0.1)
    for _ in range(300):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        opt.step()
    assert loss.item() < 0.01
