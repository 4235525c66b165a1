"""What a model holds without being told of it: print, summary, optimizers and fit say so, once, and say nothing else."""

import warnings

import pytest

import autograd
import nn
from autograd import Tensor, tensor
from autograd.errors import ArgumentError
from nn import optim
from nn.unregistered import unregistered


class Net(nn.Module):
    """Holds a layer that is registered, and beside it what `make` makes of it."""

    def __init__(self, make):
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.held = make(self)

    def used(self):
        found, value = [], self.held
        for part in (
            value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, nn.ModuleList)) else [value]
        ):
            found += part if isinstance(part, list) else [part]
        return found

    def forward(self, x):
        x = self.first(x)
        for part in self.used():
            x = x + part if isinstance(part, Tensor) else part(x)
        return x


def leaf():
    return autograd.ones(2, requires_grad=True)


FORGOTTEN = {
    "a list of layers": (lambda net: [nn.Linear(2, 2), nn.ReLU()], "a list of modules", "nn.ModuleList"),
    "lists in a list": (lambda net: [[nn.Linear(2, 2)], [nn.Linear(2, 2)]], "a list of modules", "nn.ModuleList"),
    "a tuple": (lambda net: (nn.Linear(2, 2),), "a tuple of modules", "nn.ModuleList"),
    "a dict": (lambda net: {"a": nn.Linear(2, 2)}, "a dict of modules", "nn.ModuleDict"),
    "a list of parameters": (lambda net: [nn.Parameter([1.0, 2.0])], "a list of tensors", "nn.ParameterList"),
    "a dict of tensors": (lambda net: {"a": leaf()}, "a dict of tensors", "nn.ParameterDict"),
    "a tensor": (lambda net: leaf(), "a tensor that requires grad, but no parameter", "nn.Parameter"),
    "the one that is forgotten": (lambda net: [net.first, nn.Linear(2, 2)], "a list of modules", "nn.ModuleList"),
}
FINE = {
    "layers that are registered": lambda net: [net.first, net.first],
    "parameters that are registered": lambda net: [net.first.bias],
    "layers without parameters": lambda net: [nn.ReLU(), nn.Tanh()],
    "a frozen layer": lambda net: [nn.Linear(2, 2).requires_grad_(False)],
    "a constant": lambda net: autograd.ones(2),
    "a buffer": lambda net: nn.Buffer(autograd.ones(2)),
    "a list that is registered": lambda net: nn.ModuleList([nn.Linear(2, 2)]),
    "a parameter": lambda net: nn.Parameter([1.0, 2.0]),
}
forgotten = pytest.mark.parametrize("name", FORGOTTEN)
fine = pytest.mark.parametrize("name", FINE)


def steps(net, opt, n=3):
    for _ in range(n):
        opt.zero_grad()
        net(autograd.ones(3, 2)).sum().backward()
        opt.step()


@forgotten
def test_what_was_forgotten_is_told(name):
    make, what, advice = FORGOTTEN[name]
    net = Net(make)
    (u,) = unregistered(net)
    assert u.what.startswith(f"Net.held is {what}")
    assert u.advice == f"make it an {advice}"
    assert f"(!): {u.what}; {u.advice}" in repr(net)
    assert f"{u.what}; {u.advice}" in str(nn.summary(net, (3, 2)))
    opt = optim.SGD(nn.Sequential(net).parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="gradients come there, but no optimizer has it; make it an") as told:
        steps(net, opt)
    assert len(told) == 1


@fine
def test_what_is_fine_is_not_told(name):
    net = Net(FINE[name])
    assert unregistered(net) == []
    assert "(!)" not in repr(net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps(net, optim.SGD(net.parameters(), lr=0.1))


@pytest.mark.parametrize("how", ["without gradients", "another optimizer's", "the same optimizer's", "of a list"])
def test_what_is_hidden_on_purpose_is_not_told(how):
    net = Net(lambda net: [nn.Linear(2, 2)])
    if how == "without gradients":
        net.forward = lambda x: net.first(x) + net.held[0](x).detach()
    groups = net.parameters()
    if how == "the same optimizer's":
        groups = [{"params": net.parameters()}, {"params": net.held[0].parameters()}]
    others = [optim.SGD(net.held[0].parameters(), lr=0.1)] if how == "another optimizer's" else []
    opt = optim.SGD(list(groups) if how == "of a list" else groups, lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps(net, opt)
    assert len(others) < 2


def test_an_optimizer_of_nothing_says_what_was_forgotten():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 2)]

    with pytest.raises(
        ArgumentError, match=r"no parameters to optimize; Layers.layers is a list of modules.*: make it an nn.ModuleList"
    ):
        optim.Adam(Layers().parameters())
    with pytest.raises(ArgumentError, match=r"no parameters to optimize$"):
        optim.Adam(nn.ReLU().parameters())


# ---------------------------------------------------------------- in fit
def fitted(net, opt, loss=nn.functional.mse_loss, **options):
    data = [(autograd.ones(3, 2), autograd.zeros(3, 2))] * 2
    return nn.train.fit(net, loss, opt, data, verbose=False, **options)


def test_fit_tells_of_what_was_forgotten_whatever_the_optimizer_was_given():
    net = Net(lambda net: [nn.Linear(2, 2)])
    with pytest.warns(UserWarning, match=r"Net.held is a list of modules.* no optimizer has it") as told:
        fitted(net, optim.SGD(list(net.parameters()), lr=0.01), epochs=2)
    assert len(told) == 1


def test_fit_tells_of_an_optimizer_of_another_model():
    net, other = nn.Linear(2, 2), nn.Linear(2, 2)
    with pytest.warns(UserWarning, match="the optimizer has none of the parameters of Linear, which will not learn"):
        fitted(net, optim.SGD(other.parameters(), lr=0.1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(net, optim.SGD(net.parameters(), lr=0.1))
        fitted(net, optim.SGD([net.bias], lr=0.1))
        fitted(lambda x: net(x), optim.SGD(net.parameters(), lr=0.1))
        fitted(
            net.requires_grad_(False),
            optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1),
            lambda y, t: (y + net.bias * leaf()).sum(),
        )


def test_fit_ends_where_no_batch_has_a_finite_loss():
    net, losses = nn.Linear(2, 2), iter([1.0] + [float("nan")] * 9)
    opt = optim.SGD(net.parameters(), lr=0.0)
    with pytest.warns(UserWarning, match="the loss was nan in every batch of epoch 2, so training ends"):
        history = fitted(net, opt, lambda y, t: y.sum() * 0 + next(losses), epochs=9)
    assert history.epochs == 2
    assert history.stopped == "the loss was nan in every batch of epoch 2"


def test_fit_goes_on_where_some_batch_has():
    net, losses = nn.Linear(2, 2), iter([1.0, float("nan")] * 3)
    history = fitted(net, optim.SGD(net.parameters(), lr=0.0), lambda y, t: y.sum() * 0 + next(losses), epochs=3)
    assert history.epochs == 3
    assert history.stopped is None
