"""Averaged models: means of weights, moving averages, their buffers, states and the statistics of batch norm."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from replay import record, replay

import autograd
import nn
from autograd import no_grad, randn, tensor
from autograd.engine.graph import write
from autograd.errors import ArgumentError, ShapeError
from nn.optim import SGD, swa_utils
from nn.optim.swa_utils import (
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)

AVERAGES = {
    "by default": {},
    "SWA": {"avg_fn": get_swa_avg_fn()},
    "SWA of lists": {"multi_avg_fn": get_swa_multi_avg_fn()},
    "EMA": {"avg_fn": get_ema_avg_fn(0.9)},
    "EMA of lists": {"multi_avg_fn": get_ema_multi_avg_fn(0.9)},
    "EMA with buffers": {"multi_avg_fn": get_ema_multi_avg_fn(0.9), "use_buffers": True},
}


def network():
    autograd.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()


def path(net, steps=6):
    """The weights and buffers of `net` at some steps of a random walk, which it takes."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        for t in (*net.parameters(), *net.buffers()):
            if t.dtype.kind == "f":
                write(t.array, ..., t.array + rng.standard_normal(t.shape))
            else:
                write(t.array, ..., t.array + 4)
        yield [t.numpy(force=True).copy() for t in (*net.parameters(), *net.buffers())]


@pytest.mark.parametrize("how", AVERAGES)
def test_averages_are_what_they_say(how):
    net = network()
    mean = AveragedModel(net, **AVERAGES[how])
    seen = []
    for values in path(net):
        mean.update_parameters(net)
        seen.append(values)
    expected = seen[0]
    for n, values in enumerate(seen[1:], 1):
        weight = 0.1 if "EMA" in how else 1 / (n + 1)
        expected = [a + (v - a) * weight for a, v in zip(expected, values, strict=True)]
    parameters = len(list(net.parameters()))
    for k, (t, value) in enumerate(zip((*mean.module.parameters(), *mean.module.buffers()), expected, strict=True)):
        if k >= parameters and how != "EMA with buffers":
            value = seen[-1][k]
        if t.dtype.kind == "f":
            assert_allclose(t.numpy(force=True), value, rtol=1e-12)
    assert mean.n_averaged.item() == 6
    assert mean(randn(5, 3).double()).shape == (5, 2)
    assert all(p.requires_grad for p in mean.module.parameters())


@pytest.mark.parametrize("how", AVERAGES)
def test_averages_are_those_of_pytorch(torch, how):
    there = torch.optim.swa_utils
    names = {
        "by default": {},
        "SWA": {"avg_fn": there.get_swa_avg_fn()},
        "SWA of lists": {"multi_avg_fn": there.get_swa_multi_avg_fn()},
        "EMA": {"avg_fn": there.get_ema_avg_fn(0.9)},
        "EMA of lists": {"multi_avg_fn": there.get_ema_multi_avg_fn(0.9)},
        "EMA with buffers": {"multi_avg_fn": there.get_ema_multi_avg_fn(0.9), "use_buffers": True},
    }
    net = network()
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    ours, known = AveragedModel(net, **AVERAGES[how]), there.AveragedModel(theirs, **names[how])
    for values in path(net):
        with torch.no_grad():
            for t, value in zip((*theirs.parameters(), *theirs.buffers()), values, strict=True):
                t.copy_(torch.tensor(value))
        ours.update_parameters(net)
        known.update_parameters(theirs)
    mine, yours = ours.state_dict(), known.state_dict()
    assert list(mine) == list(yours)
    rtol = 1e-6 if how == "SWA of lists" else 1e-12  # PyTorch has its 1 / (n + 1) in float32
    for name, value in yours.items():
        assert_allclose(mine[name].numpy(force=True), value.numpy(), rtol=rtol, err_msg=name)


def test_the_mean_is_a_copy_with_a_state():
    net = nn.Linear(2, 1)
    mean = AveragedModel(net)
    with no_grad():
        net.weight.fill_(1.0)
    mean.update_parameters(net)
    with no_grad():
        net.weight.fill_(3.0)
    mean.update_parameters(net)
    assert mean.module.weight.tolist() == [[2, 2]]
    assert net.weight.tolist() == [[3, 3]]
    other = AveragedModel(net)
    other.load_state_dict(copy.deepcopy(mean.state_dict()))
    with no_grad():
        net.weight.fill_(5.0)
    other.update_parameters(net)
    assert other.module.weight.tolist() == [[3, 3]]


def test_after_the_first_an_update_may_be_captured():
    net, twin = nn.Linear(2, 1), nn.Linear(2, 1)
    mean, other = AveragedModel(net), AveragedModel(twin)
    tape = None
    for k in range(5):
        for n in (net, twin):
            write(n.weight.array, ..., k * k)
        mean.update_parameters(net)
        if k == 1:
            tape = record(lambda: other.update_parameters(twin))
        elif k == 0:
            other.update_parameters(twin)
        else:
            replay(tape)
    assert_allclose(other.module.weight.numpy(force=True), mean.module.weight.numpy(force=True))
    assert mean.module.weight.tolist() == [[6, 6]]
    assert other.n_averaged.item() == 5


def test_statistics_of_batch_norm_are_those_of_the_loader():
    net = network()
    batches = [(randn(8, 3).double(), None) for _ in range(4)]
    net.eval()
    net[1].momentum = 0.3
    swa_utils.update_bn(batches, net)
    assert not net.training
    assert net[1].momentum == 0.3
    hidden = [net[0](x).numpy(force=True) for x, _ in batches]
    assert_allclose(net[1].running_mean.numpy(), np.mean([h.mean(0) for h in hidden], 0), rtol=1e-10)
    assert_allclose(net[1].running_var.numpy(), np.mean([h.var(0, ddof=1) for h in hidden], 0), rtol=1e-10)
    update_bn(iter([]), nn.Linear(1, 1))
    with pytest.raises(RuntimeError):
        update_bn([tensor([1.0])], net)
    assert (net.training, net[1].momentum) == (False, 0.3)


def test_bad_arguments_are_told():
    with pytest.raises(ArgumentError, match="pass avg_fn or multi_avg_fn, not both"):
        AveragedModel(nn.Linear(1, 1), avg_fn=get_swa_avg_fn(), multi_avg_fn=get_swa_multi_avg_fn())
    with pytest.raises(ShapeError, match="are not like those it was made with"):
        AveragedModel(nn.Linear(1, 1)).update_parameters(nn.Linear(2, 1))
    for make in (get_ema_avg_fn, get_ema_multi_avg_fn):
        with pytest.raises(ArgumentError, match=r"decay must be from 0 to 1, got 1\.5"):
            make(1.5)


def test_a_run_with_swa():
    autograd.manual_seed(0)
    net = nn.Linear(2, 1)
    opt = SGD(net.parameters(), lr=0.1)
    scheduler = swa_utils.SWALR(opt, 0.02, anneal_epochs=5)
    mean = AveragedModel(net)
    x = randn(64, 2)
    y = x @ tensor([[1.0], [-2.0]]) + randn(64, 1) * 0.1
    for epoch in range(100):
        opt.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        opt.step()
        if epoch >= 50:
            mean.update_parameters(net)
            scheduler.step()
    assert_allclose(mean.module.weight.numpy(force=True), [[1, -2]], atol=0.1)
    assert opt.param_groups[0]["lr"] == pytest.approx(0.02)
