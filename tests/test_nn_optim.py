"""Optimizers: the published recurrences, PyTorch's numbers, groups, state, failing steps, and that rules are pure."""

import copy
import pickle
import sys
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from replay import record, replay

import autograd
import nn
from autograd import float32, float64, no_grad, ones, tensor, zeros
from autograd.engine.graph import ambient, write
from autograd.engine.tape import Tape
from autograd.errors import ArgumentError, DtypeError, InPlaceError, ShapeError, StateError, UnsupportedError
from nn import optim
from nn.optim import (
    ASGD,
    LAMB,
    SGD,
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
    optimizer,
    rules,
)
from nn.optim.options import Number

SHAPES = [(3, 4), (4,), ()]
MATRICES = [(3, 4), (5, 2), (3, 3)]  # all that Muon takes
STEPS = 12


# ---------------------------------------------------------------- the records: the published recurrences
RECURRENCES, CASES, OURS, LEARNS_AT = {}, {}, set(), {}


def published(kind, cases, *, pytorch=True, learns_at=0.05):
    """The record of an optimizer stands above what its paper says of a parameter p, its gradient g and its state s.

    cases: options to try, by name. pytorch: does it have this one? learns_at: a rate at which it learns xor in 200 steps.
    """

    def add(recurrence):
        RECURRENCES[kind], LEARNS_AT[kind] = recurrence, learns_at
        CASES.update({name: (kind, options) for name, options in cases.items()})
        OURS.update(() if pytorch else {kind})
        return recurrence

    return add


def pulled(p, g, weight_decay, maximize):
    return (-g if maximize else g) + weight_decay * p


@published(
    SGD,
    {
        "SGD": {"lr": 0.1},
        "SGD with momentum": {"lr": 0.1, "momentum": 0.9},
        "SGD with dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        "SGD with Nesterov momentum": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        "SGD with all": {"lr": 0.1, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.2, "maximize": True},
        "SGD that decays": {"weight_decay": 0.1, "maximize": True},
    },
    learns_at=0.5,
)
def sgd(p, g, s, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    if momentum:
        s["b"] = momentum * s["b"] + (1 - dampening) * g if "b" in s else g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - lr * g


@published(
    optim.SignSGD,
    {
        "SignSGD": {},
        "SignSGD with all": {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.2, "maximize": True},
    },
    pytorch=False,
    learns_at=0.02,
)
def signsgd(p, g, s, lr=1e-4, momentum=0.0, weight_decay=0.0, maximize=False):
    s["m"] = momentum * s.get("m", 0) + (1 - momentum) * (-g if maximize else g)
    return p - lr * (np.sign(s["m"]) + weight_decay * p)


@published(
    optim.SparseAdam,
    {
        "SparseAdam": {},
        "SparseAdam with all": {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "maximize": True},
    },
    pytorch=False,  # it has one, which takes sparse gradients alone: test_sparse_adam_moves_rows_as_pytorchs
)
def sparse_adam(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
    s["t"] = t = s.get("t", 0) + 1
    g = -g if maximize else g
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    return p - lr * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t) * s["m"] / (np.sqrt(s["v"]) + eps)


@published(
    Lion,
    {
        "Lion": {},
        "Lion with all": {"lr": 0.01, "betas": (0.5, 0.8), "weight_decay": 0.2, "maximize": True},
    },
    pytorch=False,
    learns_at=0.02,
)
def lion(p, g, s, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
    g, m = -g if maximize else g, s.get("m", 0)
    s["m"] = betas[1] * m + (1 - betas[1]) * g
    return p - lr * (np.sign(betas[0] * m + (1 - betas[0]) * g) + weight_decay * p)


@published(
    Adagrad,
    {
        "Adagrad": {},
        "Adagrad with all": {
            "lr": 0.1,
            "lr_decay": 0.2,
            "weight_decay": 0.1,
            "initial_accumulator_value": 0.5,
            "eps": 0.001,
            "maximize": True,
        },
    },
    learns_at=0.3,
)
def adagrad(p, g, s, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    s["t"] = s.get("t", 0) + 1
    s["sum"] = s.get("sum", initial_accumulator_value) + g**2
    return p - lr / (1 + (s["t"] - 1) * lr_decay) * g / (np.sqrt(s["sum"]) + eps)


@published(
    RMSprop,
    {
        "RMSprop": {},
        "RMSprop with momentum": {"lr": 0.1, "alpha": 0.9, "momentum": 0.5},
        "RMSprop, centered": {"centered": True, "eps": 0.001},
        "RMSprop with all": {"momentum": 0.9, "centered": True, "eps": 0.1, "weight_decay": 0.1, "maximize": True},
    },
)
def rmsprop(p, g, s, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    s["m"] = alpha * s.get("m", 0) + (1 - alpha) * g
    s["b"] = momentum * s.get("b", 0) + g / (np.sqrt(s["v"] - s["m"] ** 2 if centered else s["v"]) + eps)
    return p - lr * s["b"]


@published(
    Adadelta,
    {
        "Adadelta": {},
        "Adadelta with all": {"lr": 0.5, "rho": 0.8, "eps": 0.001, "weight_decay": 0.1, "maximize": True},
    },
    learns_at=20.0,
)
def adadelta(p, g, s, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    d = np.sqrt(s.get("u", 0) + eps) / np.sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0) + (1 - rho) * d**2
    return p - lr * d


@published(
    Rprop,
    {
        "Rprop": {},
        "Rprop with all": {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.05, 0.3), "maximize": True},
    },
)
def rprop(p, g, s, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), maximize=False):
    """Element by element, as it is written in words."""
    p, g = np.array(p), np.array(-g if maximize else g)
    before, sizes = s.setdefault("g", np.zeros(p.shape)), s.setdefault("sizes", np.full(p.shape, lr))
    for i in np.ndindex(p.shape):
        if before[i] * g[i] > 0:
            sizes[i] = min(sizes[i] * etas[1], step_sizes[1])
        elif before[i] * g[i] < 0:
            sizes[i] = max(sizes[i] * etas[0], step_sizes[0])
            g[i] = 0
        else:
            sizes[i] = min(max(sizes[i], step_sizes[0]), step_sizes[1])
        p[i] -= np.sign(g[i]) * sizes[i]
    before[...] = g
    return p


@published(
    ASGD,
    {
        "ASGD": {},
        "ASGD with all": {"lr": 0.1, "lambd": 0.2, "alpha": 0.5, "t0": 4, "weight_decay": 0.1, "maximize": True},
    },
    learns_at=0.5,
)
def asgd(p, g, s, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0.0, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    t = s["t"] = s.get("t", 0) + 1
    eta = lr if t == 1 else lr / (1 + lambd * lr * (t - 1)) ** alpha
    return p - eta * (g + lambd * p)


@published(
    Adam,
    {
        "Adam": {},
        "Adam with amsgrad": {"lr": 0.1, "betas": (0.5, 0.9), "eps": 0.001, "amsgrad": True},
        "Adam that decays": {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
        "Adam that decays apart": {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    },
)
def adam(
    p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False, decoupled_weight_decay=False
):
    b1, b2 = betas
    g = -g if maximize else g
    p, g = (p - lr * weight_decay * p, g) if decoupled_weight_decay else (p, g + weight_decay * p)
    s["t"] = s.get("t", 0) + 1
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    s["top"] = np.maximum(s.get("top", 0), s["v"])
    m, v = s["m"] / (1 - b1 ** s["t"]), (s["top"] if amsgrad else s["v"]) / (1 - b2 ** s["t"])
    return p - lr * m / (np.sqrt(v) + eps)


@published(
    AdamW,
    {
        "AdamW": {"lr": 0.1},
        "AdamW with all": {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5, "amsgrad": True, "maximize": True},
        "AdamW without decay": {"lr": 0.1, "weight_decay": 0},
    },
)
def adamw(p, g, s, weight_decay=1e-2, **options):
    return adam(p, g, s, weight_decay=weight_decay, decoupled_weight_decay=True, **options)


@published(
    Adamax,
    {
        "Adamax": {},
        "Adamax with all": {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.001, "weight_decay": 0.1, "maximize": True},
    },
)
def adamax(p, g, s, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, maximize=False):
    g = pulled(p, g, weight_decay, maximize)
    s["t"] = s.get("t", 0) + 1
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["u"] = np.maximum(betas[1] * s.get("u", 0), np.abs(g) + eps)
    return p - lr / (1 - betas[0] ** s["t"]) * s["m"] / s["u"]


@published(
    AdaBelief,
    {
        "AdaBelief": {},
        "AdaBelief with all": {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1, "amsgrad": True, "maximize": True},
        "AdaBelief that decays": {"weight_decay": 0.1, "decoupled_weight_decay": False, "eps": 0.001},
    },
    pytorch=False,
)
def adabelief(
    p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, decoupled_weight_decay=True, maximize=False
):
    b1, b2 = betas
    g = -g if maximize else g
    p, g = (p - lr * weight_decay * p, g) if decoupled_weight_decay else (p, g + weight_decay * p)
    s["t"] = s.get("t", 0) + 1
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["s"] = b2 * s.get("s", 0) + (1 - b2) * (g - s["m"]) ** 2 + eps
    s["top"] = np.maximum(s.get("top", 0), s["s"])
    m, v = s["m"] / (1 - b1 ** s["t"]), (s["top"] if amsgrad else s["s"]) / (1 - b2 ** s["t"])
    return p - lr * m / (np.sqrt(v) + eps)


@published(
    NAdam,
    {
        "NAdam": {},
        "NAdam that decays": {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.5, "maximize": True},
        "NAdam that decays apart": {"betas": (0.8, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True},
    },
)
def nadam(
    p,
    g,
    s,
    lr=2e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    momentum_decay=4e-3,
    decoupled_weight_decay=False,
    maximize=False,
):
    b1, b2 = betas
    g = -g if maximize else g
    p, g = (p - lr * weight_decay * p, g) if decoupled_weight_decay else (p, g + weight_decay * p)
    t = s["t"] = s.get("t", 0) + 1
    mu = [b1 * (1 - 0.96 ** (k * momentum_decay) / 2) for k in range(1, t + 2)]
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    ahead = mu[t] * s["m"] / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
    return p - lr * ahead / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


@published(
    RAdam,
    {
        "RAdam": {},
        "RAdam that decays": {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1, "maximize": True},
        "RAdam that decays apart": {"betas": (0.8, 0.95), "weight_decay": 0.1, "decoupled_weight_decay": True},
        "RAdam that never divides": {"betas": (0.9, 0.6)},
    },
)
def radam(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False, maximize=False):
    b1, b2 = betas
    g = -g if maximize else g
    p, g = (p - lr * weight_decay * p, g) if decoupled_weight_decay else (p, g + weight_decay * p)
    t = s["t"] = s.get("t", 0) + 1
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    m, most = s["m"] / (1 - b1**t), 2 / (1 - b2) - 1
    n = most - 2 * t * b2**t / (1 - b2**t)
    if n <= 5:
        return p - lr * m
    r = np.sqrt((n - 4) * (n - 2) * most / ((most - 4) * (most - 2) * n))
    return p - lr * r * m * np.sqrt(1 - b2**t) / (np.sqrt(s["v"]) + eps)


@published(
    LAMB,
    {
        "LAMB": {},
        "LAMB with all": {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.001, "weight_decay": 0.2, "maximize": True},
        "LAMB without decay": {"weight_decay": 0},
    },
    pytorch=False,
)
def lamb(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=1e-2, maximize=False):
    b1, b2 = betas
    g = -g if maximize else g
    s["t"] = s.get("t", 0) + 1
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    r = s["m"] / (1 - b1 ** s["t"]) / (np.sqrt(s["v"] / (1 - b2 ** s["t"])) + eps) + weight_decay * p
    return p - lr * np.linalg.norm(p.ravel()) / np.linalg.norm(r.ravel()) * r


@published(
    Muon,
    {
        "Muon": {},
        "Muon like AdamW": {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw", "nesterov": False, "weight_decay": 0},
        "Muon with all": {
            "momentum": 0.5,
            "ns_coefficients": (2, -1.5, 0.5),
            "ns_steps": 3,
            "eps": 0.001,
            "adjust_lr_fn": "original",
        },
    },
    learns_at=0.1,
)
def muon(
    p, g, s, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True, ns_coefficients=(3.4445, -4.775, 2.0315), eps=1e-7,
    ns_steps=5, adjust_lr_fn=None,
):  # fmt: skip
    """By its singular values: each step takes every one of them from y to a * y + b * y^3 + c * y^5."""
    a, b, c = ns_coefficients
    s["m"] = momentum * s.get("m", 0) + (1 - momentum) * g
    u, y, v = np.linalg.svd(momentum * s["m"] + (1 - momentum) * g if nesterov else s["m"], full_matrices=False)
    y = y / max(np.sqrt((y**2).sum()), eps)
    for _ in range(ns_steps):
        y = a * y + b * y**3 + c * y**5
    rows, columns = p.shape
    scale = 0.2 * max(rows, columns) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1, rows / columns) ** 0.5
    return p - lr * weight_decay * p - lr * scale * (u * y) @ v


each_case = pytest.mark.parametrize("case", CASES)
KINDS = list(dict.fromkeys(kind for kind, _ in CASES.values()))


def start(case, dtype=float64, seed=0):
    rng = np.random.default_rng(seed)
    shapes = MATRICES if CASES[case][0] is Muon else SHAPES
    values = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    gradients = [[np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes] for _ in range(STEPS)]
    return values, gradients


def make(case, values):
    kind, options = CASES[case]
    parameters = [nn.Parameter(tensor(v)) for v in values]
    return parameters, kind(parameters, **options)


def take(parameters, opt, gradients, make_tensor=tensor):
    """Steps with given gradients, but in every third step the last parameter has none."""
    for k, gs in enumerate(gradients):
        for p, g in zip(parameters, gs, strict=True):
            p.grad = make_tensor(g)
        if k % 3 == 1:
            parameters[-1].grad = None
        opt.step()


def test_every_optimizer_has_a_record():
    exported = [getattr(nn.optim, name) for name in nn.optim.__all__]
    kinds = {kind for kind in exported if isinstance(kind, type)} - {
        Optimizer,
        nn.optim.LBFGS,
        nn.optim.Adafactor,
    }  # which have files of their own
    missing = ", ".join(sorted(kind.__name__ for kind in kinds - set(KINDS)))
    assert not missing, f"{missing} has no record here: add its recurrence with @published(kind, cases)"


@each_case
def test_steps_are_those_of_the_published_recurrence(case):
    values, gradients = start(case)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients)
    kind, options = CASES[case]
    for i, (p, value) in enumerate(zip(parameters, values, strict=True)):
        state, begin = {}, value
        for k, gs in enumerate(gradients):
            if i < len(values) - 1 or k % 3 != 1:
                value = RECURRENCES[kind](value, gs[i], state, **options)
        assert_allclose(p.numpy(force=True), value, rtol=1e-11, atol=1e-13)
        assert not np.array_equal(begin, value)


def test_asgd_keeps_the_mean_of_its_path():
    p = nn.Parameter(tensor([1.0], dtype=float64))
    opt = ASGD([p], lr=0.1, t0=2)
    path = []
    for k in range(8):
        p.grad = tensor([np.sin(k)], dtype=float64)
        opt.step()
        path.append(p.item())
    assert opt.state[p]["ax"].item() == pytest.approx(np.mean(path[3:]), rel=1e-12)


def test_muon_makes_the_step_nearly_orthogonal():
    p = nn.Parameter(zeros(6, 4, dtype=float64))
    p.grad = tensor(np.random.default_rng(0).standard_normal((6, 4)))
    Muon([p], lr=1.0, weight_decay=0).step()
    singular = np.linalg.svd(p.numpy(force=True) / np.sqrt(6 / 4), compute_uv=False)
    assert np.all((singular > 0.6) & (singular < 1.3))


@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "maximize": True}])
def test_sparse_adam_moves_rows_as_pytorchs(torch, options):
    """Those that were looked up, now and then, and no others."""
    values = np.random.default_rng(0).standard_normal((6, 3))
    ours, theirs = nn.Embedding(6, 3, sparse=True).double(), torch.nn.Embedding(6, 3, sparse=True).double()
    ours.load_state_dict({"weight": values}), theirs.load_state_dict({"weight": torch.tensor(values)})
    opt, other = optim.SparseAdam(ours.parameters(), **options), torch.optim.SparseAdam(theirs.parameters(), **options)
    for rows in ([0, 2], [2, 3, 2], [5], [0, 1], [2]):
        opt.zero_grad(), other.zero_grad()
        ours(tensor(rows)).sin().sum().backward(), theirs(torch.tensor(rows)).sin().sum().backward()
        opt.step(), other.step()
        assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), rtol=1e-12)
    assert (ours.weight[4].detach().numpy() == values[4]).all()
    for name in ("exp_avg", "exp_avg_sq"):
        assert_allclose(opt.state[ours.weight][name].numpy(), other.state[theirs.weight][name].numpy(), rtol=1e-12)
    optim.SparseAdam(ours.parameters()).load_state_dict(
        {**other.state_dict(), "param_groups": [{**other.state_dict()["param_groups"][0], "params": [0]}]}
    )


def test_lamb_where_a_length_is_0():
    p, q = nn.Parameter(zeros(2)), nn.Parameter(ones(2))
    p.grad, q.grad = ones(2), zeros(2)
    LAMB([p, q], lr=0.1, weight_decay=0).step()
    assert_allclose(p.tolist(), [-0.1, -0.1], rtol=1e-5)
    assert q.tolist() == [1, 1]


# ---------------------------------------------------------------- PyTorch's
@pytest.fixture
def torch(torch, monkeypatch):
    """PyTorch, which keeps one number of a parameter in its default dtype, and iterates for Muon in bfloat16: here in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    yield torch
    torch.set_default_dtype(before)


each_of_pytorch = pytest.mark.parametrize("case", [case for case, (kind, _) in CASES.items() if kind not in OURS])


def make_theirs(torch, case, values):
    kind, options = CASES[case]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    return theirs, getattr(torch.optim, kind.__name__)(theirs, **options)


@each_of_pytorch
@pytest.mark.parametrize(("dtype", "rtol"), [(float64, 1e-12), (float32, 1e-6)], ids=["float64", "float32"])
def test_steps_are_those_of_pytorch(torch, case, dtype, rtol):
    values, gradients = start(case, dtype)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients)
    theirs, there = make_theirs(torch, case, values)
    take(theirs, there, gradients, torch.tensor)
    for ours, expected in zip(parameters, theirs, strict=True):
        assert_allclose(ours.numpy(force=True), expected.detach().numpy(), rtol=rtol, atol=rtol)
    state, expected = opt.state_dict(), there.state_dict()
    assert state["state"].keys() == expected["state"].keys()
    for i, values in expected["state"].items():
        assert state["state"][i].keys() == values.keys()
        for name, value in values.items():
            assert state["state"][i][name].shape == tuple(value.shape)
            assert_allclose(state["state"][i][name].numpy(), value.numpy(), rtol=rtol, atol=rtol)
    assert state["param_groups"] == expected["param_groups"]
    assert opt.defaults == there.defaults


@each_of_pytorch
def test_a_state_from_pytorch_loads_and_training_goes_on(torch, case):
    values, gradients = start(case)
    theirs, there = make_theirs(torch, case, values)
    take(theirs, there, gradients[:6], torch.tensor)
    parameters, opt = make(case, [p.detach().numpy().copy() for p in theirs])
    opt.load_state_dict(there.state_dict())
    take(theirs, there, gradients[6:], torch.tensor)
    take(parameters, opt, gradients[6:])
    for p, q in zip(parameters, theirs, strict=True):
        assert_allclose(p.numpy(force=True), q.detach().numpy(), rtol=1e-11, atol=1e-12)


@each_of_pytorch
def test_pytorch_loads_our_state_and_training_goes_on(torch, case):
    values, gradients = start(case)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:6])
    theirs, there = make_theirs(torch, case, [p.numpy(force=True).copy() for p in parameters])
    saved = opt.state_dict()
    saved["state"] = {i: {n: torch.tensor(v.numpy()) for n, v in s.items()} for i, s in saved["state"].items()}
    there.load_state_dict(saved)
    take(theirs, there, gradients[6:], torch.tensor)
    take(parameters, opt, gradients[6:])
    for p, q in zip(parameters, theirs, strict=True):
        assert_allclose(p.numpy(force=True), q.detach().numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OURS])
def test_arguments_and_their_order_are_those_of_pytorch(torch, kind):
    import inspect

    ours, theirs = (inspect.signature(k.__init__).parameters.values() for k in (kind, getattr(torch.optim, kind.__name__)))
    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]


# ---------------------------------------------------------------- memory and dtypes
@each_case
def test_parameters_and_state_keep_their_arrays_and_dtypes(case):
    values, gradients = start(case, float32)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:1])
    tensors = [*parameters, *(t for s in opt.state.values() for t in s.values())]
    arrays = [t.array for t in tensors]
    take(parameters, opt, gradients)
    opt.load_state_dict(copy.deepcopy(opt.state_dict()))
    take(parameters, opt, gradients)
    assert all(t.array is array for t, array in zip(tensors, arrays, strict=True))
    for s in opt.state.values():
        assert {name: t.dtype for name, t in s.items()} == {n: float64 if n in opt.rule.numbers else float32 for n in s}
    assert {p.dtype for p in parameters} == {np.dtype("float32")}
    assert all(p.requires_grad and p.is_leaf for p in parameters)


@each_case
@pytest.mark.parametrize("lay_out", [np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2]])
def test_blocks_do_not_show(case, lay_out, monkeypatch):
    rng = np.random.default_rng(0)
    value, gradient = rng.standard_normal((7, 5)), rng.standard_normal((7, 5))
    results = []
    for block in (8, 1000):
        monkeypatch.setattr(optimizer, "BLOCK", block)
        p = nn.Parameter(lay_out(value.copy()))
        kind, options = CASES[case]
        opt = kind([p], **options)
        for _ in range(3):
            p.grad = autograd.from_numpy(lay_out(gradient))
            opt.step()
        results.append([p.numpy(force=True), *(t.numpy() for t in opt.state[p].values())])
    for a, b in zip(*results, strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(results[0][0], value)


@each_case
def test_a_step_on_a_tape_is_the_same_step(case):
    values, gradients = start(case, float32)
    (parameters, opt), (taped, other) = make(case, values), make(case, values)
    take(parameters, opt, gradients)
    tape = Tape()
    with ambient(tape=tape):
        take(taped, other, gradients)
    for p, q in zip(parameters, taped, strict=True):
        assert_allclose(q.numpy(force=True), p.numpy(force=True), rtol=1e-6)
    rule = CASES[case][0].rule.name
    updates = len(SHAPES) * STEPS - STEPS // 3  # one entry per parameter that has a gradient
    assert [op.name for op, *_ in tape if op is not write] == [rule] * updates
    written = {id(args[0]) for op, args, _ in tape if op is write}
    assert written == {id(t.array) for t in (*taped, *(t for s in other.state.values() for t in s.values()))}


@each_case
def test_the_first_step_played_again_is_the_next_step(case):
    """What the first step is to do otherwise than those after it is not baked in."""
    values, gradients = start(case)
    (parameters, opt), (taped, other) = make(case, values), make(case, values)
    for k, gs in enumerate(gradients):
        opt.param_groups[0]["lr"] = other.param_groups[0]["lr"] = 0.1 / (k + 1)
        for p, q, g in zip(parameters, taped, gs, strict=True):
            p.grad = tensor(g)
            if k == 0:
                q.grad = tensor(g)
            else:
                write(q.grad.array, ..., g)
        opt.step()
        if k == 0:
            tape = record(other.step)
        else:
            other.sync()
            replay(tape)
    for p, q in zip(parameters, taped, strict=True):
        assert_allclose(q.numpy(force=True), p.numpy(force=True), rtol=1e-13)


def test_a_rule_is_pure_and_may_be_run_on_tensors():
    """What a compiler does that expands a rule into ops."""
    rng = np.random.default_rng(0)
    for case, (kind, options) in CASES.items():
        shape = (5, 3) if kind is Muon else (5,)
        p = nn.Parameter(tensor(rng.standard_normal(shape).astype(np.float32)))
        opt = kind([p], **options)
        arguments, first, numbers, buffers = opt._recipe(0)
        rule, names, held = opt.rule, [n for n in buffers if n], [n for n in numbers if n]
        arrays = [rng.uniform(0.5, 1, shape).astype(np.float32) for _ in ("gradient", *names)]
        arrays[0] -= np.float32(0.75)
        if "grad_avg" in names:  # a mean, whose square is below the mean square
            arrays[-1] *= np.float32(0.5)
        counts = [np.array(3.0 if name in ("step", "count") else 0.5) for name in held]
        assert first.keys() == {*names, *held}
        before = copy.deepcopy([p.array, counts, arrays])
        state = {name: array for name, array in zip((*held, *names), (*counts, *arrays[1:]), strict=True)}
        given = [state.get(name) for name in (*numbers, *buffers)]
        raw = [getattr(a, "array", a) for a in arguments]
        on_arrays = rule.fun(p.array, arrays[0], *raw, *given)
        on_tensors = rule.fun(p.detach(), tensor(arrays[0]), *arguments, *(g if g is None else tensor(g) for g in given))
        for k, (a, t) in enumerate(zip(on_arrays, on_tensors, strict=True)):
            if not 1 <= k <= len(counts):
                assert (a.dtype, t.dtype) == (float32, float32), case
            assert_allclose(a, t.numpy(), rtol=1e-5, atol=1e-6, err_msg=case)
        for a, b in zip((p.array, *counts, *arrays), (before[0], *before[1], *before[2]), strict=True):
            assert_array_equal(a, b)


def test_an_update_is_noticed_by_graphs_that_saved_the_parameter():
    p = nn.Parameter([1.0, 2.0])
    loss = (p * p).sum()
    p.grad = ones(2)
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified in place since"):
        loss.backward()


def test_overflow_is_silent_and_stops_nothing():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0])
    opt = Adam([p, q])
    p.grad, q.grad = tensor([1e30]), tensor([1.0])
    opt.step()
    assert opt.state[p]["exp_avg_sq"].item() == np.inf
    assert q.item() == pytest.approx(1 - 1e-3)


def test_overflow_stops_no_step_half_way_on_a_tape():
    """Nor where NumPy is told to raise: one parameter would be updated, and the others not."""
    q, p = nn.Parameter([1.0]), nn.Parameter([1.0])
    opt = Adam([q, p])
    q.grad, p.grad = tensor([1.0]), tensor([1e30])
    with np.errstate(all="raise"), ambient(tape=Tape()):
        opt.step()
    assert opt.state[p]["exp_avg_sq"].item() == np.inf
    assert q.item() == pytest.approx(1 - 1e-3)


# ---------------------------------------------------------------- learning


@pytest.mark.parametrize("kind", KINDS)
def test_they_learn(kind):
    autograd.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8, bias=kind is not Muon), nn.Tanh(), nn.Linear(8, 1, bias=kind is not Muon))
    x, y = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tensor([[0.0], [1.0], [1.0], [0.0]])
    if kind is Muon:
        x = autograd.cat([x, ones(4, 1)], 1)
        net[0] = nn.Linear(3, 8, bias=False)
    opt = kind(net.parameters(), lr=LEARNS_AT[kind])
    for _ in range(200):
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
        loss.backward()
        opt.step()
    assert ((net(x) > 0) == y.bool()).all()


def test_a_closure_computes_the_gradient_and_its_loss_is_returned():
    p = nn.Parameter([2.0])
    opt = SGD([p], lr=0.25)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with no_grad():  # the closure records all the same
        assert opt.step(closure).item() == 4
    assert p.item() == 1
    assert SGD([p]).step() is None


def test_options_may_be_changed_between_steps():
    p = nn.Parameter([1.0])
    opt = SGD([p], lr=1.0)
    for lr, expected in ((1.0, 0.0), (0.5, -0.5), (0.0, -0.5), (2, -2.5)):
        opt.param_groups[0]["lr"] = lr
        p.grad = ones(1)
        opt.step()
        assert p.item() == expected
    opt.param_groups[0]["lr"] = -1.0
    with pytest.raises(ArgumentError, match=r"SGD: lr must be 0 or more, got -1\.0"):
        opt.step()
    assert p.item() == -2.5
    adam = Adam([p], betas=(0.0, 0.0), lr=1.0)
    adam.param_groups[0]["betas"] = [0.5, 0.5]
    adam.step()
    assert adam.state[p]["exp_avg"].item() == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_how_pytorch_is_to_go_about_it_changes_nothing(kind):
    p, q = nn.Parameter(ones(2, 2)), nn.Parameter(ones(2, 2))
    opt, other = kind([p]), kind([q])
    other.param_groups[0].update({name: True for name in ("foreach", "fused", "capturable") if name in other.defaults})
    p.grad, q.grad = ones(2, 2), ones(2, 2)
    opt.step()
    other.step()
    assert p.tolist() == q.tolist()


def test_numbers_may_be_tensors_that_change():
    p = nn.Parameter([1.0])
    lr = tensor(1.0)
    opt = SGD([p], lr=lr)
    p.grad = ones(1)
    for value, expected in ((1.0, 0.0), (0.5, -0.5)):
        lr.fill_(value)
        opt.step()
        assert p.item() == expected
    assert opt.param_groups[0]["lr"] is lr
    with ambient(tape=Tape()):
        opt.step()
    assert p.item() == -1
    adam = Adam([p], lr=np.float32(0.5), betas=(tensor(0.5), 0.25))
    adam.step()
    assert adam.state[p]["exp_avg"].item() == 0.5
    assert [t.item() for t in adam._live[0]["betas"]] == [0.5, 0.25]


def test_dampening_that_is_switched_on_later_finds_no_first_step():
    p = nn.Parameter([0.0])
    opt = SGD([p], lr=1.0, momentum=0.5)
    p.grad = ones(1)
    opt.step()
    opt.param_groups[0]["dampening"] = 0.5
    opt.step()
    assert opt.state_dict()["state"][0].keys() == {"momentum_buffer"}
    assert opt.state[p]["momentum_buffer"].item() == 0.5 + 0.5


def test_new_numbers_reach_the_arrays_that_a_tape_reads():
    p = nn.Parameter([1.0])
    opt = Adam([p], lr=0.1)
    lr = opt._live[0]["lr"]
    array = lr.array
    tape = Tape()
    opt.param_groups[0].update(lr=0.01, betas=(0.5, 0.6))
    with ambient(tape=tape):
        opt.sync()
    assert tape == []
    assert lr.array is array
    assert (lr.item(), [b.item() for b in opt._live[0]["betas"]]) == (0.01, [0.5, 0.6])
    assert (lr.dtype, lr.shape) == (float64, ())


# ---------------------------------------------------------------- groups
def test_groups_have_options_of_their_own():
    a, b, c = (nn.Parameter([1.0]) for _ in range(3))
    opt = SGD([{"params": [a]}, {"params": b, "lr": 1.0, "name": "b"}], lr=0.5)
    opt.add_param_group({"params": iter([c]), "lr": 0.25})
    for p in (a, b, c):
        p.grad = ones(1)
    opt.step()
    assert [p.item() for p in (a, b, c)] == [0.5, 0, 0.75]
    assert [g["lr"] for g in opt.param_groups] == [0.5, 1.0, 0.25]
    assert opt.param_groups[1]["name"] == "b"
    opt.zero_grad()
    assert a.grad is b.grad is c.grad is None


def test_parameters_may_come_with_their_names():
    net = nn.Linear(2, 1)
    opt = SGD(net.named_parameters(), lr=0.5)
    assert opt.param_groups[0]["params"] == [net.weight, net.bias]
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    extra = nn.Parameter([1.0])
    opt.add_param_group({"params": [("extra", extra)]})
    saved = opt.state_dict()["param_groups"]
    assert [(g["params"], g["param_names"]) for g in saved] == [([0, 1], ["weight", "bias"]), ([2], ["extra"])]


def test_a_group_that_is_refused_is_not_added():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0])
    opt = SGD([p])
    for group in ({"params": [q, p]}, {"params": [q], "lr": -1}, {"params": [q * 2]}):
        with pytest.raises(ArgumentError):
            opt.add_param_group(group)
    assert len(opt.param_groups) == len(opt._live) == 1
    opt.add_param_group({"params": q})
    q.grad = ones(1)
    opt.step()
    assert q.item() < 1


# ---------------------------------------------------------------- hooks, and optimizers of one's own
def test_hooks_run_before_and_after_a_step():
    p = nn.Parameter([1.0])
    p.grad = ones(1)
    opt = SGD([p], lr=1.0)
    seen = []
    before = opt.register_step_pre_hook(lambda o, args, kwargs: seen.append((o is opt, args, kwargs, p.item())))
    after = opt.register_step_post_hook(lambda o, args, kwargs: seen.append((o is opt, args, kwargs, p.item())))
    opt.step(None)
    assert seen == [(True, (None,), {}, 1.0), (True, (None,), {}, 0.0)]
    before.remove()
    opt.step(closure=None)
    assert seen[2:] == [(True, (), {"closure": None}, -1.0)]
    after.remove()
    opt.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7,), {}))
    assert opt.step() == 7
    assert len(seen) == 3


class Signs(Optimizer):
    """One written as for PyTorch, with a step of its own."""

    def __init__(self, params, lr=0.5, betas=(1.5,)):
        super().__init__(params, dict(lr=lr, betas=betas))

    @no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["count"] = state.get("count", 0) + 1
                state.setdefault("rows", zeros(7)).add_(1)
                p.add_(p.grad.sign(), alpha=-group["lr"])


def test_an_optimizer_may_have_a_step_of_its_own():
    p = nn.Parameter([1.0, 2.0])
    opt = Signs([p])
    seen = []
    opt.register_step_post_hook(lambda *_: seen.append(1))
    p.grad = tensor([3.0, -4.0])
    opt.step()
    assert p.tolist() == [0.5, 2.5]
    assert seen == [1]
    other = Signs([nn.Parameter([1.0, 2.0])], lr=1.0)
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    (state,) = other.state.values()
    assert (state["count"], state["rows"].tolist(), other.param_groups[0]["lr"]) == (1, [1] * 7, 0.5)


def test_zero_grad_may_keep_the_arrays():
    p = nn.Parameter([1.0])
    p.grad = ones(1)
    array = p.grad.array
    SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.array is array
    assert p.grad.tolist() == [0]


def test_plain_tensors_can_be_optimized():
    x = tensor([3.0], requires_grad=True)
    opt = SGD([x], lr=0.1)
    (x * x).sum().backward()
    opt.step()
    assert x.item() == pytest.approx(2.4)


def test_parameters_without_a_gradient_are_left_alone():
    p = nn.Parameter([1.0])
    opt = Adam([p])
    opt.step()
    assert p.item() == 1
    assert opt.state_dict()["state"] == {}


leaf = nn.Parameter([1.0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([]), ArgumentError, "SGD: there are no parameters to optimize"),
        (lambda: SGD(nn.Linear(1, 1)), UnsupportedError, r"SGD: params is an iterable .* not a Linear; pass its parameters\(\)"),
        (lambda: Adam(leaf), UnsupportedError, "Adam: params is an iterable .* not a Parameter; pass a list"),
        (lambda: Adam({"params": [leaf]}), UnsupportedError, "Adam: params is an iterable .* not a dict"),
        (lambda: Adam(3), UnsupportedError, "Adam: params is an iterable .* not a int"),
        (lambda: SGD([("a", leaf, 1)]), UnsupportedError, "parameters are tensors, but number 0 is a tuple"),
        (lambda: SGD([leaf, nn.Linear(1, 1)]), UnsupportedError, "parameters are tensors, but number 1 is a Linear"),
        (lambda: SGD([{"params": {leaf}}]), UnsupportedError, "parameters of a group have an order, a set has none"),
        (lambda: SGD([("a", leaf), nn.Parameter([1.0])]), ArgumentError, "either all parameters of all groups have names, or none"),
        (lambda: SGD([{"params": [leaf]}, {"params": [("b", nn.Parameter([1.0]))]}]), ArgumentError, "have names, or none"),
        (lambda: SGD([leaf], lr=ones(2)), ArgumentError, r"SGD: lr must be a number or a tensor of one, got float32 \(2,\)"),
        (lambda: SGD([leaf], lr=tensor(-1.0)), ArgumentError, r"SGD: lr must be 0 or more, got -1\.0"),
        (lambda: SGD([leaf], differentiable=True), UnsupportedError, "SGD: differentiable must be False: a step writes in place"),
        (lambda: Lion([leaf], betas=(0.9, -0.1)), ArgumentError, "Lion: betas must be two numbers from 0 to below 1"),
        (lambda: Adagrad([leaf], lr_decay=-1), ArgumentError, "Adagrad: lr_decay must be 0 or more"),
        (lambda: Adagrad([leaf], initial_accumulator_value=-1), ArgumentError, "initial_accumulator_value must be 0 or more"),
        (lambda: RMSprop([leaf], alpha=-1), ArgumentError, "RMSprop: alpha must be 0 or more"),
        (lambda: Adadelta([leaf], rho=1.5), ArgumentError, r"Adadelta: rho must be from 0 to 1, got 1\.5"),
        (lambda: Rprop([leaf], etas=(1.5, 0.5)), ArgumentError, "Rprop: etas must be a number between 0 and 1 and one above 1"),
        (lambda: NAdam([leaf], momentum_decay=-1), ArgumentError, "NAdam: momentum_decay must be 0 or more"),
        (lambda: Muon([leaf]), ArgumentError, r"Muon: parameters must have 2 dims, got one of shape \(1,\); give it to AdamW"),
        (lambda: Muon([ones(2, 2)], ns_coefficients=(1, 2)), ArgumentError, r"ns_coefficients must be three numbers, got \(1, 2\)"),
        (lambda: Muon([ones(2, 2)], ns_steps=100), ArgumentError, "ns_steps must be from 0 to below 100"),
        (lambda: Muon([ones(2, 2)], adjust_lr_fn="none"), ArgumentError, "adjust_lr_fn must be None, 'original' or 'match_rms"),
        (lambda: SGD([leaf * 2]), ArgumentError, r"SGD: parameter 0, of shape \(1,\), is the result of an op"),
        (lambda: SGD([leaf, leaf]), ArgumentError, "SGD: parameter 1, .* is there twice"),
        (lambda: SGD([{"params": [leaf]}, {"params": [leaf]}]), ArgumentError, "is there twice"),
        (lambda: SGD([{"lr": 1}]), ArgumentError, "a group has its parameters under 'params'; this one has only lr"),
        (lambda: SGD([leaf], lr=-1), ArgumentError, "SGD: lr must be 0 or more, got -1"),
        (lambda: SGD([leaf], momentum=-1), ArgumentError, "SGD: momentum must be 0 or more"),
        (lambda: SGD([leaf], nesterov=True), ArgumentError, "SGD: nesterov must be False without momentum, or with dampening"),
        (lambda: SGD([leaf], momentum=1, dampening=1, nesterov=True), ArgumentError, "nesterov must be False"),
        (lambda: SGD([{"params": [leaf], "weight_decay": -1}]), ArgumentError, "weight_decay must be 0 or more"),
        (lambda: Adam([leaf], betas=(0.9, 1.0)), ArgumentError, r"two numbers from 0 to below 1, got \(0\.9, 1\.0\)"),
        (lambda: Adam([leaf], betas=(0.9,)), ArgumentError, "betas must be two numbers"),
        (lambda: AdamW([leaf], eps=-1), ArgumentError, "AdamW: eps must be 0 or more, got -1"),
        (lambda: AdamW([leaf], lr=float("nan")), ArgumentError, "AdamW: lr must be 0 or more, got nan"),
        (lambda: Optimizer([leaf], {}).step(), NotImplementedError, r"give its class a rule, or define Optimizer\.step"),
    ],
)  # fmt: skip
def test_bad_options_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------- a step that fails
def everything(parameters, opt):
    """Copies of all that a step may change, and the names of what is there."""
    tensors = [*parameters, *(t for s in opt.state.values() for t in s.values())]
    return [t.numpy(force=True).copy() for t in tensors], [list(s) for s in opt.state.values()]


@pytest.mark.parametrize("taped", [False, True], ids=["eager", "taped"])
@pytest.mark.parametrize("culprit", ["gradient", "state"])
@each_case
def test_a_step_that_fails_changes_nothing(case, culprit, taped):
    values, gradients = start(case)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:2])
    for p, g in zip(parameters, gradients[2], strict=True):
        p.grad = tensor(g)
    last = parameters[1]  # what is wrong is of a shape that NumPy would broadcast
    wrong = [name for name in opt.state[last] if name not in opt.rule.numbers]
    if culprit == "state" and wrong:
        opt.state[last][wrong[-1]] = zeros(1, dtype=float64)
    else:
        last.node.grad = zeros(1, dtype=float64)
    before, names = everything(parameters, opt)
    with (
        ambient(tape=Tape() if taped else None),
        pytest.raises(ShapeError, match=r"must have one shape: parameter \((4,|5, 2)\), .* \(1,\)"),
    ):
        opt.step()
    after, names_after = everything(parameters, opt)
    assert names == names_after
    for a, b in zip(after, before, strict=True):
        assert_array_equal(a, b)


def test_a_step_that_fails_in_numbers_changes_nothing_in_any_group():
    """The rate of ASGD, (1 + lambd * lr * t) ** -alpha, of a negative number is none."""
    ps = [nn.Parameter(ones(3)) for _ in range(3)]
    opt = ASGD([{"params": ps[:2]}, {"params": ps[2:], "lambd": -60.0}], lr=0.01)
    for step in range(2):
        for p in ps:
            p.grad = ones(3)
        before, names = everything(ps, opt)
        if step < 1:
            opt.step()
            continue
        with pytest.raises(TypeError, match="complex"):
            opt.step()
        after, names_after = everything(ps, opt)
        assert names == names_after
        for a, b in zip(after, before, strict=True):
            assert_array_equal(a, b)


@pytest.mark.parametrize("change", ["state", "array of state", "state cleared", "group", "gradient", "count", "layout"])
def test_what_is_exchanged_between_steps_is_seen(change):
    """Steps that are made by a plan and steps that look up everything are the same."""

    def trained(anew):
        rng = np.random.default_rng(0)
        ps = [nn.Parameter(rng.standard_normal(shape)) for shape in ((3, 2), (2,), (3, 2))]
        opt = Adam(ps[:2] if change == "group" else ps, lr=0.1)
        for step in range(6):
            for p in ps:
                p.grad = tensor(rng.standard_normal(p.shape))
            if step == 3 and change == "state":
                opt.state[ps[0]]["exp_avg"] = ones(3, 2, dtype=float64)
            if step == 3 and change == "array of state":
                opt.state[ps[0]]["exp_avg"].array = np.ones((3, 2))
            if step == 3 and change == "state cleared":
                opt.state.clear()
            if step == 3 and change == "group":
                opt.param_groups[0]["params"].append(ps[2])
            if step in (2, 3) and change == "gradient":
                ps[1].grad = None
            if step == 3 and change == "count":
                opt.state[ps[1]]["step"].fill_(1)
            if step == 3 and change == "layout":
                ps[0].grad = ps[0].grad.T.contiguous().T
            if anew:
                opt._plan = None
            opt.step()
        return everything(ps, opt)

    (planned, names), (anew, names_anew) = trained(False), trained(True)
    assert names == names_anew
    for a, b in zip(planned, anew, strict=True):
        assert_array_equal(a, b)


@each_case
def test_written_out_a_rule_is_the_same_to_the_last_bit(case, monkeypatch):
    """In float32, where another order of operations shows; with parameters that are gathered, cut into blocks, and whole."""
    monkeypatch.setattr(optimizer, "BLOCK", 16)
    values, gradients = start(case, float32)
    results = []
    for written_out in (True, False):
        if not written_out:
            monkeypatch.setattr(optimizer, "traced", lambda *_: None)
        parameters, opt = make(case, [v.copy() for v in values])
        take(parameters, opt, gradients)
        if written_out and opt.blocks:
            assert opt._plan is not None
        results.append(everything(parameters, opt)[0])
    for a, b in zip(*results, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("side", [3, 300])  # gathered, and not
def test_gradients_of_any_layout_serve_and_are_let_go_of(side):
    p = nn.Parameter(zeros(side, side))
    opt, plans = Adam([p]), []
    for _ in range(3):
        p.grad = ones(side, side).T
        gradient = weakref.ref(p.grad.array)
        opt.step()
        opt.zero_grad()
        assert gradient() is None
        plans.append(opt._plan)
    assert plans[0] is not None
    assert plans[0] is plans[1] is plans[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_step_that_fails_leaves_no_state(kind):
    p, q = (nn.Parameter(ones(2, 2)) for _ in range(2))
    opt = kind([p, q])
    p.grad = ones(2, 2)
    q.grad = ones(2, 2)
    q.node.grad = ones(1, 2)
    with pytest.raises(ShapeError, match=rf"{kind.__name__}: these must have one shape: parameter \(2, 2\), gradient \(1, 2\)"):
        opt.step()
    assert p.tolist() == q.tolist() == [[1, 1], [1, 1]]
    assert not opt.state


def test_a_parameter_in_read_only_memory_is_told_before_anything_changes():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0])
    q.array.flags.writeable = False
    p.grad, q.grad = ones(1), ones(1)
    with pytest.raises(InPlaceError, match=r"Adam: a parameter of shape \(1,\) lies in read-only memory"):
        Adam([p, q]).step()
    assert p.item() == 1


# ---------------------------------------------------------------- saving and loading
@each_case
def test_training_goes_on_from_a_saved_state(case):
    values, gradients = start(case)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:6])
    saved = pickle.loads(pickle.dumps(opt.state_dict()))
    twins, other = make(case, [p.numpy(force=True).copy() for p in parameters])
    other.load_state_dict(saved)
    take(parameters, opt, gradients[6:])
    take(twins, other, gradients[6:])
    for p, q in zip(parameters, twins, strict=True):
        assert_array_equal(p.numpy(force=True), q.numpy(force=True))


def test_state_dict_has_the_layout_of_pytorch():
    a, b, c = (nn.Parameter([1.0]) for _ in range(3))
    opt = SGD([{"params": [a, b]}, {"params": [c], "lr": 1.0}], lr=0.5, momentum=0.9)
    a.grad = c.grad = ones(1)
    opt.step()
    state = opt.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in state["param_groups"]] == [0.5, 1.0]
    assert list(state["state"]) == [0, 2]
    assert state["state"][2]["momentum_buffer"] is opt.state[c]["momentum_buffer"]


def test_options_are_loaded_too_and_reach_the_next_step():
    p = nn.Parameter([1.0])
    opt, other = SGD([p], lr=0.5), SGD([nn.Parameter([1.0])], lr=0.125)
    opt.load_state_dict(other.state_dict())
    p.grad = ones(1)
    opt.step()
    assert p.item() == 0.875


def test_state_that_is_not_given_begins_anew():
    p = nn.Parameter([1.0])
    opt = Adam([p], amsgrad=True)
    p.grad = ones(1)
    opt.step()
    array = opt.state[p]["max_exp_avg_sq"].array
    saved = opt.state_dict()
    saved["state"][0] = {"step": 5, "exp_avg": [0.5], "exp_avg_sq": np.array([0.25]), "other": None}
    opt.load_state_dict(saved)
    assert {name: t.item() for name, t in opt.state[p].items()} == {
        "step": 5, "exp_avg": 0.5, "exp_avg_sq": 0.25, "max_exp_avg_sq": 0,
    }  # fmt: skip
    assert opt.state[p]["max_exp_avg_sq"].array is array
    saved["param_groups"][0]["amsgrad"] = False
    opt.load_state_dict(saved)
    assert opt.state[p].keys() == {"step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_state_lets_all_begin_anew(kind):
    p, q = nn.Parameter(ones(2, 2)), nn.Parameter(ones(2, 2))
    opt, other = kind([p]), kind([q])
    p.grad = q.grad = tensor([[1.0, 2.0], [-1.0, 3.0]])
    opt.step()
    arrays = [t.array for t in opt.state[p].values()]
    opt.load_state_dict(other.state_dict())
    with no_grad():
        p.fill_(1)
    opt.step()
    other.step()
    assert p.tolist() == q.tolist()
    assert all(t.array is array for t, array in zip(opt.state[p].values(), arrays, strict=True))


def test_a_state_that_does_not_fit_is_told_and_changes_nothing():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0, 2.0])
    opt = Adam([p, q])
    p.grad, q.grad = ones(1), ones(2)
    opt.step()
    good = copy.deepcopy(opt.state_dict())
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["lr"] = 7.0
    bad["state"][0]["exp_avg"].fill_(9)
    bad["state"][1]["exp_avg_sq"] = zeros(3)
    with pytest.raises(StateError, match=r"load_state_dict of Adam: exp_avg_sq of parameter 1 \(2,\) has shape \(3,\)"):
        opt.load_state_dict(bad)
    with pytest.raises(ValueError, match=r"the groups hold \[2\] parameters, in the state_dict \[1\]"):
        opt.load_state_dict(Adam([p]).state_dict())
    with pytest.raises(StateError, match="a state_dict of an optimizer has 'state' and 'param_groups', not weight, bias"):
        opt.load_state_dict(nn.Linear(1, 1).state_dict())
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["lr"] = -1
    with pytest.raises(ArgumentError, match="lr must be 0 or more"):
        opt.load_state_dict(bad)
    assert opt.param_groups[0]["lr"] == 1e-3
    assert opt.state[p]["exp_avg"].item() == pytest.approx(0.1)


def test_optimizers_are_copied_with_their_model():
    net = nn.Linear(2, 1)
    opt = Adam(net.parameters())
    net(ones(1, 2)).sum().backward()
    opt.step()
    net2, opt2 = copy.deepcopy((net, opt))
    assert opt2.param_groups[0]["params"][0] is net2.weight
    net2(ones(1, 2)).sum().backward()
    before = net.weight.numpy(force=True).copy()
    opt2.step()
    assert opt2.state[net2.weight]["step"].item() == 2
    assert opt.state[net.weight]["step"].item() == 1
    third = pickle.loads(pickle.dumps(opt2))
    (p, _) = third.param_groups[0]["params"]
    p.grad = ones(1, 2)
    third.step()
    assert third.state[p]["step"].item() == 3
    assert_array_equal(net.weight.numpy(force=True), before)


def test_they_print_as_in_pytorch():
    groups = [{"params": [nn.Parameter([1.0])], "lr": 0.5}, {"params": [nn.Parameter([1.0])]}]
    assert repr(SGD(groups, momentum=0.9)) == "SGD (\n" + "\n".join(
        f"Parameter Group {i}\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n    lr: {lr}\n"
        f"    maximize: False\n    momentum: 0.9\n    nesterov: False\n    weight_decay: 0\n"
        for i, lr in enumerate((0.5, 0.001))
    ) + ")"  # fmt: skip


def test_the_rules_are_primitives_without_gradient():
    assert all(getattr(rules, kind.rule.name) is kind.rule and kind.rule.rules == {} for kind in KINDS)


def test_a_rule_that_asks_for_what_there_is_not_is_told():
    with pytest.raises(UnsupportedError, match="wrong: state comes last, first its Numbers, then its arrays, not mean, step"):

        @optimizer.rule
        def wrong(p, grad, mean=0.0, step: Number = 0.0):
            pass

    @optimizer.rule
    def asking(p, grad, rate: Number):
        return (p - grad * rate,)

    class Asking(Optimizer, rule=asking):
        @optimizer.declared
        def __init__(self, params, lr=1.0): ...

    p = nn.Parameter([1.0])
    with pytest.raises(UnsupportedError, match="Asking: asking asks for 'rate', which is no option; these are: lr"):
        Asking([p]).step()


def test_an_optimizer_is_a_rule_and_its_options():
    @optimizer.rule
    def heavy(p, grad, rate1: Number, rate2: Number, sum=("begin", "remember")):
        sum = None if sum is None else sum + grad
        return p - (grad if sum is None else sum) * (rate1 + rate2), sum

    class Heavy(Optimizer, rule=heavy):
        @optimizer.declared
        def __init__(self, params, rates=(0.25, 0.25), begin=1.0, remember=False): ...

    for remember, expected in ((False, [-0.5, -1.0]), (True, [-1.0, -2.5])):
        p = nn.Parameter([0.0])
        opt = Heavy([p], remember=remember)
        assert opt.defaults == {"rates": (0.25, 0.25), "begin": 1.0, "remember": remember}
        for value in expected:
            p.grad = ones(1)
            opt.step()
            assert p.item() == value
        assert ("sum" in opt.state[p]) is remember
    with pytest.raises(TypeError, match="unexpected keyword argument 'lr'"):
        Heavy([p], lr=1.0)


def test_state_that_changed_places_is_loaded_whole():
    p, q = nn.Parameter(zeros(3)), nn.Parameter(zeros(3))
    opt = Adam([p, q])
    p.grad, q.grad = ones(3), 2 * ones(3)
    opt.step()
    state = opt.state_dict()
    values = [{name: t.clone() for name, t in state["state"][i].items()} for i in (0, 1)]
    state["state"][0], state["state"][1] = state["state"][1], state["state"][0]
    arrays = [opt.state[t]["exp_avg"].array for t in (p, q)]
    opt.load_state_dict(state)
    for i, t in enumerate((p, q)):
        assert opt.state[t]["exp_avg"].array is arrays[i]
        for name, value in opt.state[t].items():
            assert value.tolist() == values[1 - i][name].tolist(), name


@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_refused(kind):
    for values in (tensor([[1, 2], [3, 4]]), tensor([[True, False]])):
        with pytest.raises(DtypeError, match=rf"{kind.__name__}: parameter 0 holds {values.dtype}.*use float\(\) first"):
            kind([values])
    frozen, p = nn.Parameter(tensor([[1, 2]]), requires_grad=False), nn.Parameter(ones(2, 2))
    opt = kind([frozen, p])  # as a module may have one among its parameters
    p.grad = ones(2, 2)
    opt.step()
    assert frozen.tolist() == [[1, 2]]
    before = p.tolist()
    frozen.grad = tensor([[1, 1]])
    with pytest.raises(DtypeError, match="a parameter holds int64"):
        opt.step()
    assert (frozen.tolist(), p.tolist()) == ([[1, 2]], before)


# ---------------------------------------------------------------- Ctrl-C
def interrupted(run, n):
    """Call `run` with a KeyboardInterrupt at the n-th line of the optimizers' own code; was there one?"""
    left = n

    def trace(frame, event, argument):
        nonlocal left
        if "/nn/optim/" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        if event == "line":
            left -= 1
            if not left:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_an_interruption_at_any_line_leaves_what_step_promises(kind, monkeypatch):
    monkeypatch.setattr(optimizer, "BLOCK", 4)
    options = {"momentum": 0.9} if kind is SGD else {}

    def fresh(seen):
        ps = [nn.Parameter(tensor([1.0] * size)) for size in (3, 6, 2)]
        opt = kind(ps, lr=0.5, **options)
        for step in range(seen):
            for p in ps:
                p.grad = (step + 1.0) * ones(p.shape)
            opt.step()
        return ps, opt

    def look(ps, opt):
        return [[p.tolist(), *(t.tolist() for t in opt.state.get(p, {}).values())] for p in ps]

    for first in (0, 1):  # whether there is state before
        before, after = look(*fresh(first)), look(*fresh(first + 1))
        n = 1
        while True:
            ps, opt = fresh(first)
            for p in ps:
                p.grad = (first + 1.0) * ones(p.shape)
            if not interrupted(opt.step, n):
                break
            found = look(ps, opt)
            done = next((i for i, f in enumerate(found) if f != after[i]), len(found))
            for f, b in zip(found[done + 1 :], before[done + 1 :], strict=True):
                assert f == b or (not first and f[0] == b[0] and not np.any([np.any(v) for v in f[1:]])), n
            opt.step()  # and goes on
            n += 1
        assert n > 60
        assert look(ps, opt) == after


def test_an_interruption_of_lbfgs_leaves_all_as_it_was():
    def start():
        p = nn.Parameter([-1.0, 2.0])
        opt = optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=3)

        def closure():
            opt.zero_grad()
            loss = (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2
            loss.backward()
            return loss

        return p, opt, lambda: opt.step(closure)

    p, opt, step = start()
    n = 1
    while interrupted(step, n):
        if opt.state:  # it came when all was done
            break
        assert p.tolist() == [-1.0, 2.0]
        n += 1
    assert n > 100
    assert opt.state[p]["n_iter"] >= 1
    assert p.tolist() != [-1.0, 2.0]


# ---------------------------------------------------------------- half
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("taped", [False, True])
def test_half_is_updated_in_single_precision(case, taped):
    """Each step is that of single precision from the same parameters, rounded once; state keeps the digits that half has not."""
    values, gradients = start(case, np.float16)
    half, opt = make(case, values)
    single, other = make(case, [v.astype(np.float32) for v in values])
    for gs in gradients[:4]:
        for p, q, g in zip(half, single, gs, strict=True):
            p.grad, q.grad = tensor(g), tensor(g.astype(np.float32))
            with no_grad():
                q.copy_(p)
        with ambient(tape=Tape() if taped else None):
            opt.step()
        other.step()
        for p, q in zip(half, single, strict=True):
            assert p.dtype == autograd.float16
            assert_allclose(p.detach().array, q.detach().half().array, rtol=1e-3, atol=1e-6)
            for name, s in opt.state[p].items():
                assert s.dtype == other.state[q][name].dtype
                assert_allclose(s.array, other.state[q][name].array, rtol=1e-5, atol=1e-7)


def test_what_half_cannot_hold_does_not_stop_a_step():
    """Squares of 300 overflow half, squares of 1e-4 underflow it: Adam moves by lr all the same."""
    p = nn.Parameter(zeros(2, dtype=autograd.float16))
    p.grad = tensor(np.array([300, 1e-4], np.float16))
    Adam([p], lr=0.5).step()
    assert_allclose(p.detach().array, [-0.5, -0.5], rtol=1e-3)


def test_clipped_half_moves():
    p = nn.Parameter(zeros(100_000, dtype=autograd.float16))
    p.grad = autograd.full((100_000,), 300.0, dtype=autograd.float16)
    norm = nn.utils.clip_grad_norm_(p, 1000.0)
    assert_allclose(norm.item(), 300 * 100_000**0.5, rtol=1e-6)
    assert_allclose(p.grad.array, 1000 / 100_000**0.5, rtol=1e-3)
    SGD([p], lr=1.0).step()
    assert (p < 0).all()
