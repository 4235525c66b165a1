"""Module and Parameter: what is registered, found, saved, loaded, hooked and printed, and what mistakes are told."""

import copy
import importlib
import inspect
import os
import pickle
import pkgutil
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import autograd
import nn
from autograd import Tensor, float32, float64, no_grad, ones, tensor, zeros
from autograd.errors import ArgumentError, DtypeError, NoAttributeError, StateError, UnsupportedError
from nn.function_module import _FunctionModule


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.scale = nn.Parameter(ones(3))
        self.register_buffer("seen", zeros(1))
        self.register_buffer("scratch", zeros(2), persistent=False)
        self.register_parameter("shift", None)
        self.kind = "plain"

    def forward(self, x):
        return self.fc(x) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.second = Block()
        self.head = nn.Linear(3, 2)

    def forward(self, x, twice=False):
        x = self.second(self.first(x))
        return self.head(x) * 2 if twice else self.head(x)


PARAMETERS = [
    f"{block}.{name}" for block in ("first", "second") for name in ("scale", "fc.weight", "fc.bias")
] + ["head.weight", "head.bias"]  # fmt: skip
STATE = [
    f"{block}.{name}" for block in ("first", "second") for name in ("scale", "seen", "fc.weight", "fc.bias")
] + ["head.weight", "head.bias"]  # fmt: skip


@pytest.fixture
def net():
    autograd.manual_seed(0)
    return Net()


# ---------------------------------------------------------------- Parameter
def test_a_parameter_is_a_leaf_that_requires_grad():
    p = nn.Parameter([1.0, 2.0])
    assert isinstance(p, Tensor)
    assert p.requires_grad
    assert p.is_leaf
    assert p.dtype == float32
    (p * p).sum().backward()
    assert p.grad.tolist() == [2, 4]
    assert type(p * 2) is type(p.detach()) is type(p.data) is Tensor
    assert not nn.Parameter(ones(2), requires_grad=False).requires_grad
    assert nn.Parameter().shape == nn.Parameter(None).shape == (0,)
    assert (nn.Parameter(3).item(), nn.Parameter(np.float64(3)).dtype) == (3, float64)


def test_a_parameter_shares_memory_with_the_tensor_or_array_it_is_made_of():
    t, a = ones(2), np.ones(2)
    assert nn.Parameter(t).array is t.array
    assert nn.Parameter(a).array is a
    assert nn.Parameter(a).dtype == float64
    x = ones(2, requires_grad=True) * 2
    assert nn.Parameter(x).grad_fn is None


def test_a_parameter_prints_as_in_pytorch():
    assert repr(nn.Parameter(ones(2))) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert repr(nn.Parameter(ones(1), False)) == "Parameter containing:\ntensor([1.])"


def test_integers_cannot_be_parameters_that_require_grad():
    with pytest.raises(DtypeError, match="only floating-point tensors can require gradients, not int64"):
        nn.Parameter(tensor([1, 2]))
    assert nn.Parameter(tensor([1, 2]), requires_grad=False).dtype == np.int64


# ---------------------------------------------------------------- what is in a module
def test_everything_has_its_path(net):
    assert [name for name, _ in net.named_parameters()] == PARAMETERS
    assert list(net.parameters()) == [p for _, p in net.named_parameters()]
    assert [n for n, _ in net.named_buffers()] == ["first.seen", "first.scratch", "second.seen", "second.scratch"]
    assert len(list(net.buffers())) == 4
    assert [n for n, _ in net.named_children()] == ["first", "second", "head"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "first.fc", "second", "second.fc", "head"]
    assert next(iter(net.modules())) is net
    assert list(net.children()) == [net.first, net.second, net.head]
    assert [n for n, _ in net.first.named_parameters(prefix="x", recurse=False)] == ["x.scale"]
    assert [n for n, _ in net.head.named_parameters("net.head")] == ["net.head.weight", "net.head.bias"]
    assert list(net.state_dict()) == STATE


def test_paths_are_those_of_pytorch(net, torch):
    class TorchBlock(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(3, 3)
            self.scale = torch.nn.Parameter(torch.ones(3))
            self.register_buffer("seen", torch.zeros(1))
            self.register_buffer("scratch", torch.zeros(2), persistent=False)
            self.register_parameter("shift", None)

    class TorchNet(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = TorchBlock(), TorchBlock()
            self.head = torch.nn.Linear(3, 2)

    theirs = TorchNet()
    theirs.second.fc = theirs.first.fc  # shared
    net.second.fc = net.first.fc
    for method in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(net, method)()] == [n for n, _ in getattr(theirs, method)()]
    for method in ("named_parameters", "named_modules"):
        options = {"prefix": "p", "remove_duplicate": False}
        assert [n for n, _ in getattr(net, method)(**options)] == [n for n, _ in getattr(theirs, method)(**options)]
    assert list(net.state_dict(prefix="p.")) == list(theirs.state_dict(prefix="p."))
    assert repr(net).replace("Net", "TorchNet").replace("Block", "TorchBlock") == repr(theirs)


def test_what_is_shared_is_counted_once(net):
    net.head.extra = net.first.scale
    net.third = net.second
    names = [name for name, _ in net.named_parameters()]
    assert names == PARAMETERS
    assert "third.scale" in [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert {"head.extra", "third.fc.weight"} <= set(net.state_dict())
    assert list(net.children()).count(net.second) == 1


def test_parts_are_got_by_path(net):
    assert net.get_submodule("first.fc") is net.first.fc
    assert net.get_submodule("") is net
    assert net.get_parameter("first.fc.weight") is net.first.fc.weight
    assert net.get_buffer("second.seen") is net.second.seen
    with pytest.raises(AttributeError, match="Block has no attribute 'fcc'; did you mean 'fc'"):
        net.get_submodule("first.fcc")
    for get, path in [(net.get_submodule, "first.scale"), (net.get_parameter, "first.seen"), (net.get_buffer, "first")]:
        with pytest.raises(AttributeError, match=f"Net has no attribute '{path}'"):
            get(path)
    with pytest.raises(AttributeError, match=r"Net has no attribute 'first\.scale'"):
        net.get_buffer("first.scale")  # a tensor, and no buffer


def test_parts_are_put_by_path(net):
    net.set_submodule("first.fc", nn.Identity())
    net.set_submodule("extra", nn.ReLU())
    assert (repr(net.first.fc), repr(net.extra)) == ("Identity()", "ReLU()")
    with pytest.raises(AttributeError, match="Block has no attribute 'fcc'"):
        net.set_submodule("first.fcc", nn.ReLU(), strict=True)
    with pytest.raises(AttributeError, match="Block has no attribute 'scale'"):
        net.set_submodule("first.scale", nn.ReLU())
    with pytest.raises(ArgumentError, match="a path says where to put the module, got ''"):
        net.set_submodule("", nn.ReLU())
    with pytest.raises(ArgumentError, match="set_submodule puts a Module at 'extra', not int"):
        net.set_submodule("extra", 3)
    assert isinstance(net.first.scale, nn.Parameter)


def test_a_state_is_added_to_what_is_there_and_says_that_all_keys_matched(net):
    states = {"epoch": 3}
    assert nn.Linear(2, 2).state_dict(destination=states, prefix="head.") is states
    assert list(states) == ["epoch", "head.weight", "head.bias"]
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    assert repr(net.load_state_dict(net.state_dict() | {"x": ones(1)}, strict=False)) == (
        "Keys(missing_keys=[], unexpected_keys=['x'])"
    )


# ---------------------------------------------------------------- attributes
def test_assignment_registers_and_replaces(net):
    net.first.scale = nn.Parameter(zeros(3))
    net.first.seen = ones(1)
    net.first.fc = nn.Identity()
    net.first.shift = nn.Parameter(ones(1))
    net.first.kind = nn.Parameter(ones(2))  # was an ordinary attribute
    assert [n for n, _ in net.first.named_parameters()] == ["scale", "shift", "kind"]
    assert net.first.state_dict()["seen"].tolist() == [1]
    net.first.kind = nn.ReLU()  # from one registry to another
    assert "kind" not in dict(net.first.named_parameters())
    assert "kind" in dict(net.first.named_children())
    net.first.scale = None
    assert net.first.scale is None
    assert "scale" not in net.first.state_dict()
    net.first.scale = nn.Parameter(ones(3))
    assert "scale" in net.first.state_dict()


def test_ordinary_attributes_stay_ordinary(net):
    net.note, net.tensors = "x", [ones(2)]
    net.plain = ones(2)
    assert net.note == "x"
    assert list(net.state_dict()) == STATE
    del net.note
    assert not hasattr(net, "note")


def test_deletion_takes_a_part_out(net):
    for name, gone in [("scale", "scale"), ("seen", "seen"), ("fc", "fc.weight"), ("scratch", None)]:
        delattr(net.first, name)
        assert not hasattr(net.first, name)
        assert gone not in net.first.state_dict()
    with pytest.raises(AttributeError):
        del net.first.scale
    net.first.register_buffer("scratch", ones(1))  # that the old one was not persistent is forgotten
    assert "scratch" in net.first.state_dict()


def test_dir_lists_the_parts(net):
    assert {"scale", "seen", "fc", "forward", "kind"} <= set(dir(net.first))


def test_a_misspelt_attribute_is_told_what_there_is(net):
    with pytest.raises(NoAttributeError, match=r"^Linear has no attribute 'wieght'; did you mean 'weight'\?$"):
        _ = net.head.wieght
    with pytest.raises(AttributeError, match=r"^Net has no attribute 'xyzzy'$"):
        _ = net.xyzzy
    assert getattr(net, "xyzzy", 7) == 7


def test_a_property_that_fails_shows_its_own_error():
    class Odd(nn.Module):
        @property
        def width(self):
            return self.lenght

        length = 3

    with pytest.raises(AttributeError, match="Odd has no attribute 'lenght'; did you mean 'length'"):
        _ = Odd().width


class Forgetful(nn.Module):
    def __init__(self, what):
        self.part = what


@pytest.mark.parametrize("what", [nn.ReLU(), nn.Parameter(ones(1))], ids=["module", "parameter"])
def test_a_forgotten_super_init_is_told_at_the_first_part(what):
    with pytest.raises(AttributeError, match=r"Forgetful.__init__ must call super\(\).__init__\(\) first"):
        Forgetful(what)


def test_a_forgotten_super_init_is_told_when_there_is_no_part():
    module = Forgetful(3)
    for use in (lambda: module(1), lambda: list(module.parameters()), lambda: repr(module), lambda: module.state_dict()):
        with pytest.raises(AttributeError, match=r"must call super\(\).__init__\(\) first"):
            use()
    for register in (module.register_buffer, module.register_parameter, module.add_module):
        with pytest.raises(AttributeError, match=r"must call super\(\).__init__\(\) first"):
            register("x", None)


@pytest.mark.parametrize(("name", "kind"), [("scale", "parameter"), ("fc", "module"), ("seen", "buffer")])
def test_a_part_is_not_overwritten_by_something_else(net, name, kind):
    with pytest.raises(TypeError, match=rf"Block\.{name} is a {kind} and stays one: assign .* or None, not list; .*copy_"):
        setattr(net.first, name, [1.0])


def test_an_update_that_would_lose_the_parameter_is_refused(net):
    with pytest.raises(UnsupportedError, match=r"Linear\.weight is a parameter and stays one"):
        net.head.weight = net.head.weight - 0.1


@pytest.mark.parametrize(
    ("register", "args", "error", "message"),
    [
        ("register_buffer", ("fc", None), ArgumentError, "Block has an attribute 'fc' already"),
        ("register_parameter", ("kind", None), ArgumentError, "Block has an attribute 'kind' already"),
        ("add_module", ("forward", nn.ReLU()), ArgumentError, "Block has an attribute 'forward' already"),
        ("add_module", ("a.b", nn.ReLU()), ArgumentError, "a module cannot be called 'a.b'"),
        ("register_module", ("", nn.ReLU()), ArgumentError, "a module cannot be called ''"),
        ("register_buffer", (3, ones(1)), UnsupportedError, "a buffer has a name, a string, not 3"),
        ("register_buffer", ("b", [1.0]), UnsupportedError, "buffer 'b' must be a Tensor or None, not list"),
        ("register_parameter", ("p", ones(1)), UnsupportedError, "parameter 'p' must be a Parameter or None, not Tensor"),
        ("add_module", ("m", "ReLU"), UnsupportedError, "module 'm' must be a Module or None, not str"),
    ],
)
def test_registering_checks_names_and_kinds(net, register, args, error, message):
    with pytest.raises(error, match=message):
        getattr(net.first, register)(*args)


# ---------------------------------------------------------------- calling
def test_a_call_passes_everything_to_forward(net):
    x = ones(4, 3)
    assert_array_equal(net(x, twice=True).detach().numpy(), 2 * net(x).detach().numpy())


def test_a_missing_forward_is_told_with_what_was_meant():
    class Typo(nn.Module):
        def foward(self, x):
            return x

    with pytest.raises(NotImplementedError, match=r"define Typo\.forward; did you mean 'foward'\?"):
        Typo()(1)
    with pytest.raises(NotImplementedError, match=r"define Module\.forward$"):
        nn.Module()(1)


def test_forward_pre_hooks_see_and_replace_arguments(net):
    seen = []
    first = net.head.register_forward_pre_hook(lambda module, args: seen.append((module, args)))
    second = net.head.register_forward_pre_hook(lambda module, args: args[0] * 0)
    third = net.head.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    assert_array_equal(net.head(ones(1, 3)).detach().numpy(), net.head.forward(ones(1, 3)).detach().numpy())
    assert seen[0][0] is net.head
    assert seen[0][1][0].tolist() == [[1, 1, 1]]
    for handle in (first, second, third):
        handle.remove()
        handle.remove()
    net.head(ones(1, 3))
    assert len(seen) == 1


def test_forward_hooks_see_and_replace_the_output(net):
    outputs = {}
    for name, module in net.named_modules():
        module.register_forward_hook(lambda module, args, out, name=name: outputs.__setitem__(name, (args, out)))
    out = net(ones(4, 3))
    assert list(outputs) == ["first.fc", "first", "second.fc", "second", "head", ""]
    assert outputs[""][1] is out
    assert outputs["head"][0][0] is outputs["second"][1]
    handle = net.head.register_forward_hook(lambda module, args, out: out * 0)
    assert net(ones(4, 3)).detach().numpy().sum() == 0
    handle.remove()
    assert net(ones(4, 3)).detach().numpy().sum() != 0


def test_a_hook_may_remove_itself(net):
    calls = []

    def once(module, args, out):
        calls.append(1)
        handle.remove()

    handle = net.register_forward_hook(once)
    net(ones(1, 3)), net(ones(1, 3))
    assert calls == [1]


# ---------------------------------------------------------------- state
def test_state_is_outside_the_graph_and_shares_memory(net):
    state = net.state_dict()
    assert not any(t.requires_grad for t in state.values())
    assert state["head.weight"].array is net.head.weight.array
    assert net.state_dict(keep_vars=True)["head.weight"] is net.head.weight
    assert set(net.state_dict(prefix="net.")) == {"net." + key for key in STATE}


def test_loading_writes_into_the_arrays_that_are_there(net):
    other = Net()
    arrays = {name: p.array for name, p in net.named_parameters()}
    rebinds = Tensor.rebinds
    missing, unexpected = net.load_state_dict(other.state_dict())
    assert (missing, unexpected) == ([], [])
    assert Tensor.rebinds == rebinds
    for name, p in net.named_parameters():
        assert p.array is arrays[name]
        assert p.requires_grad
        assert p.is_leaf
        assert_array_equal(p.numpy(force=True), other.get_parameter(name).numpy(force=True))


def test_arrays_of_any_kind_load_and_take_the_parameters_dtype(net):
    state = {key: value.numpy().astype(np.float64) + 1 for key, value in net.state_dict().items()}
    before = net.head.weight.numpy(force=True).copy()
    net.load_state_dict(state)
    assert net.head.weight.dtype == float32
    np.testing.assert_allclose(net.head.weight.numpy(force=True), before + 1, rtol=1e-6)
    net.head.load_state_dict({"weight": [[1, 2, 3], [4, 5, 6]], "bias": (0, 1)})
    assert net.head.weight.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_state_from_pytorch_loads(torch):
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    ours = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_loaded(net):
    state = {key: value.clone() + 1 for key, value in net.state_dict().items()}
    del state["first.scale"], state["second.fc.bias"]
    state["frist.scale"], state["third.x"] = ones(3), ones(1)
    state["head.weight"], state["first.seen"] = ones(3, 2), tensor(1.0)
    state["second.scale"] = np.array(["a", "b", "c"])
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(StateError) as caught:
        net.load_state_dict(state)
    assert str(caught.value) == (
        "load_state_dict of Net: nothing was loaded; missing: first.scale, second.fc.bias; unexpected: frist.scale, third.x; "
        "misshapen: first.seen (expected (1,), got ()), second.scale (expected (3,), got <U1 (3,)), "
        "head.weight (expected (2, 3), got (3, 2))"
    )
    assert isinstance(caught.value, RuntimeError)
    for key, value in net.state_dict().items():
        assert_array_equal(value.numpy(), before[key].numpy())


def test_without_strict_only_shapes_count(net):
    keys = net.load_state_dict({"head.bias": zeros(2), "tail.bias": zeros(2)}, strict=False)
    assert keys.missing_keys == [key for key in STATE if key != "head.bias"]
    assert keys.unexpected_keys == ["tail.bias"]
    assert net.head.bias.tolist() == [0, 0]
    with pytest.raises(StateError, match=r"nothing was loaded; misshapen: head.bias \(expected \(2,\), got \(3,\)\)$"):
        net.load_state_dict({"head.weight": zeros(2, 3), "head.bias": zeros(3)}, strict=False)
    assert net.head.weight.numpy(force=True).any()


def test_a_graph_made_before_loading_does_not_go_on_as_if_nothing_happened(net):
    loss = net(ones(4, 3)).sum()
    net.load_state_dict({key: value.clone() for key, value in net.state_dict().items()})
    with pytest.raises(RuntimeError, match="modified in place since"):
        loss.backward()


# ---------------------------------------------------------------- changing all of it
def test_training_and_evaluation(net):
    assert net.training
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.first.train()
    assert net.first.fc.training
    assert not net.second.training
    with pytest.raises(ArgumentError, match="train: mode is True or False, got 1"):
        net.train(1)


def test_a_child_may_refuse_to_train(net):
    class Frozen(nn.Module):
        def train(self, mode=True):
            return super().train(False)

    net.frozen = Frozen()
    net.train()
    assert net.training
    assert not net.frozen.training


def test_freezing(net):
    assert net.requires_grad_(False) is net
    assert not any(p.requires_grad for p in net.parameters())
    assert not net(ones(1, 3)).requires_grad
    net.head.requires_grad_()
    net(ones(1, 3)).sum().backward()
    assert net.head.weight.grad is not None
    assert net.first.scale.grad is None


def test_gradients_are_forgotten_or_zeroed(net):
    net(ones(4, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad.numpy().sum() == 0 for p in net.parameters())
    (net(ones(4, 3)) ** 2).sum().backward(create_graph=True)
    net.zero_grad(set_to_none=False)
    assert not any(p.grad.requires_grad for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_apply_goes_through_children_first(net):
    order = []
    assert net.apply(lambda m: order.append(type(m).__name__)) is net
    assert order == ["Linear", "Block", "Linear", "Block", "Linear", "Net"]


def test_to_another_dtype_and_back(net):
    net.first.register_buffer("count", tensor([1, 2]))
    parameters = list(net.parameters())
    net(ones(4, 3)).sum().backward()
    before = Tensor.rebinds
    assert net.double() is net
    assert Tensor.rebinds > before  # so that whoever holds arrays looks again
    assert list(net.parameters()) == parameters
    assert {p.dtype for p in parameters} | {p.grad.dtype for p in parameters} == {np.dtype("float64")}
    assert (net.first.seen.dtype, net.first.count.dtype) == (float64, np.int64)
    net.zero_grad()
    net(ones(4, 3, dtype=float64)).sum().backward()
    assert {p.grad.dtype for p in parameters} == {np.dtype("float64")}
    for change, dtype in [
        (net.half, "float16"),
        (net.float, "float32"),
        (lambda: net.to(float64), "float64"),
        (lambda: net.to(dtype=float32), "float32"),
        (lambda: net.to("cpu"), "float32"),
        (net.cpu, "float32"),
        (lambda: net.to(ones(1, dtype=float64)), "float64"),
    ]:
        assert change() is net
        assert {p.dtype for p in parameters} == {np.dtype(dtype)}


def test_to_the_same_dtype_changes_nothing(net):
    array, before = net.head.weight.array, Tensor.rebinds
    net.float()
    assert net.head.weight.array is array
    assert Tensor.rebinds == before


def test_frozen_parameters_stay_frozen_in_another_dtype_and_thaw_right(net):
    net.head.requires_grad_(False).double()
    assert not net.head.weight.requires_grad
    net.head.requires_grad_()
    net.head(ones(1, 3, dtype=float64)).sum().backward()
    assert net.head.weight.grad.dtype == float64


def test_hooks_and_graphs_outlast_a_change_of_dtype(net):
    seen = []
    net.head.weight.register_hook(lambda g: seen.append(g.dtype))
    loss = net.head.weight.sum() * 2
    net.double()
    loss.backward()
    assert len(seen) == 1
    assert net.head.weight.grad.dtype == float64
    assert net.head.weight.grad.numpy().tolist() == [[2, 2, 2], [2, 2, 2]]


def test_a_module_cannot_go_where_there_is_no_device_or_no_gradient(net):
    with pytest.raises(UnsupportedError, match="the only device here is 'cpu', not 'cuda'"):
        net.to("cuda")
    with pytest.raises(DtypeError, match="the parameters of Net stay floating-point numbers, they cannot be int64"):
        net.to(np.int64)
    assert net.head.weight.dtype == float32


# ---------------------------------------------------------------- copies
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies_are_whole_and_independent(net, duplicate):
    net.second.fc.weight = net.first.fc.weight  # shared
    net.first.requires_grad_(False).eval()
    twin = duplicate(net)
    assert list(twin.state_dict()) == list(net.state_dict())
    assert twin.second.fc.weight is twin.first.fc.weight
    assert not twin.first.scale.requires_grad
    assert twin.second.scale.requires_grad
    assert (twin.training, twin.first.training) == (True, False)
    assert "first.scratch" not in twin.state_dict()
    with no_grad():
        twin.head.bias.add_(1)
    assert not np.array_equal(twin.head.bias.numpy(force=True), net.head.bias.numpy(force=True))
    twin(ones(1, 3)).sum().backward()
    assert net.head.bias.grad is None


# ---------------------------------------------------------------- how it looks
def test_repr_is_indented_and_has_what_extra_repr_says():
    class Noted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 1))
            self.none = None
            self.add_module("nothing", None)

        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Noted()) == (
        "Noted(\n  a=1\n  b=2\n  (inner): Sequential(\n    (0): Linear(in_features=2, out_features=1, bias=True)\n  )\n"
        "  (nothing): None\n)"
    )
    assert repr(nn.Module()) == "Module()"


def test_the_index_of_nn_is_complete():
    """Every layer that a file of nn defines can be had from nn itself."""
    files = [importlib.import_module(f"nn.{name}") for _, name, package in pkgutil.iter_modules(nn.__path__) if not package]
    layers = {
        c
        for file in files
        for name, c in vars(file).items()
        if isinstance(c, type) and issubclass(c, nn.Module) and name[0] != "_"
    }
    layers.remove(nn.parallel.DistributedDataParallel)  # which PyTorch has there alone
    layers -= {c for c in layers if c.__module__ == "nn.audio"}  # which torchaudio has
    assert {c.__name__ for c in layers if getattr(nn, c.__name__, None) is not c} == set()
    assert len(layers) > 100


def test_a_foreign_autograd_is_named(tmp_path):
    foreign = tmp_path / "autograd" / "__init__.py"
    foreign.parent.mkdir()
    foreign.write_text("def grad(f): ...")
    path = os.pathsep.join([str(tmp_path), str(Path(nn.__file__).parents[1])])
    command, environment = [sys.executable, "-c", "import nn"], {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert f"ImportError: nn needs the autograd of chainrule, but {foreign} belongs to another package" in run.stderr
    assert "pip uninstall" in run.stderr


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("keep_vars", [False, True])
def test_values_that_changed_places_are_loaded_whole(keep_vars, assign):
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    state = net.state_dict(keep_vars=keep_vars)
    first, second = net[0].weight.tolist(), net[1].weight.tolist()
    state["0.weight"], state["1.weight"] = state["1.weight"], state["0.weight"]
    net.load_state_dict(state, assign=assign)
    assert (net[0].weight.tolist(), net[1].weight.tolist()) == (second, first)
    array = net[0].weight.array
    net.load_state_dict(net.state_dict(), assign=assign)
    assert net[0].weight.array is array


# ---------------------------------------------------------------- modules made from functions
def scaled(input, factor, weight=None, *, shift=0.0, training=False, generator=None):
    """input * factor + shift (torch.nn.functional.scaled).

    >>> scaled(ones(2), 3)
    """
    return input * factor * (1 if weight is None else weight) + shift + 100 * training


class Scaled(_FunctionModule, of=scaled, options="factor weight * shift"):
    def __post_init__(self):
        if self.factor == 0:
            raise ArgumentError("Scaled: factor is not 0")


class Shifted(_FunctionModule, of=partial(scaled, factor=1.0)):
    pass


def test_options_are_those_that_have_a_default_or_are_named():
    assert str(inspect.signature(Scaled)) == "(factor, weight=None, *, shift=0.0)"
    assert str(inspect.signature(Shifted)) == "(*, factor=1.0, weight=None, shift=0.0)"
    assert (repr(Scaled(2.0)), Scaled(2.0, shift=3.0).shift) == ("Scaled(factor=2.0, weight=None, shift=0.0)", 3.0)


def test_a_module_of_a_function_computes_it_in_the_mode_it_is_in():
    layer = Scaled(2.0, tensor([1.0, 3.0]), shift=0.5)
    assert layer.eval()(ones(2)).tolist() == [2.5, 6.5] == layer(input=ones(2)).tolist()
    assert layer.train()(ones(2)).tolist() == [102.5, 106.5]
    layer.shift = 1.5
    assert copy.deepcopy(layer).eval()(ones(2)).tolist() == [3.5, 7.5]


def test_weights_among_the_options_are_buffers():
    layer = Scaled(2.0, tensor([1.0, 3.0]))
    assert layer.state_dict().keys() == {"weight"}
    assert (layer.double().weight.dtype, Scaled(2.0).state_dict()) == (float64, {})
    with pytest.raises(UnsupportedError, match="buffer 'weight' must be a Tensor or None, not list"):
        Scaled(2.0, [1.0, 3.0])


def test_a_module_of_a_function_has_its_docstring_without_the_example():
    assert Scaled.__doc__ == "input * factor + shift (torch.nn.Scaled)."
    assert nn.Sigmoid.__doc__ == "1 / (1 + exp(-input)) (torch.nn.Sigmoid)."


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Scaled(), TypeError, "Scaled: missing a required argument: 'factor'; its options: factor, weight, shift"),
        (lambda: Scaled(1, None, 2), TypeError, "Scaled: too many positional arguments; its options: factor, weight, shift"),
        (lambda: nn.ReLU(place=True), TypeError, "ReLU: got an unexpected keyword argument 'place'; its option: inplace"),
        (lambda: nn.Tanh(3), TypeError, "Tanh: too many positional arguments; it has no options"),
        (lambda: Scaled(0), ArgumentError, "Scaled: factor is not 0"),
        (lambda: nn.ReLU()(ones(2), ones(2)), TypeError, "ReLU is called with 2 arguments; its input: input"),
        (lambda: nn.L1Loss()(*[ones(2)] * 3), TypeError, "L1Loss is called with 3 arguments; its inputs: input, target"),
    ],
)
def test_what_a_module_of_a_function_does_not_take_is_told(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_subclasses_may_have_arguments_of_their_own():
    class Half(nn.Dropout):
        def __init__(self, name):
            super().__init__(0.5)
            self.name = name

    class Doubled(_FunctionModule, of=scaled, options="factor"):
        def __init__(self):
            super().__init__(2)

    assert (str(inspect.signature(Half)), Half("a").p, Half("a").eval()(1.0)) == ("(name)", 0.5, 1.0)
    assert Doubled().eval()(1.0) == 2.0
    with pytest.raises(ArgumentError, match="Dropout: p is a probability"):
        nn.Dropout(2.0)


# ---------------------------------------------------------------- buffers, and other state
def test_a_buffer_is_registered_when_it_is_assigned():
    module = nn.Module()
    module.mean, module.seen = nn.Buffer(autograd.ones(2)), nn.Buffer([1.0], persistent=False)
    assert [name for name, _ in module.named_buffers()] == ["mean", "seen"]
    assert [*module.state_dict()] == ["mean"]
    assert not any(module.parameters())
    module.seen = nn.Buffer([2.0])
    assert [*module.state_dict()] == ["mean", "seen"]
    module.mean = nn.Buffer([3.0], persistent=False)
    assert [*module.state_dict()] == ["seen"]
    assert copy.deepcopy(module).state_dict().keys() == {"seen"}
    array = np.zeros(3)
    assert nn.Buffer(array).array is array
    with pytest.raises(NoAttributeError, match=r"must call super\(\).__init__\(\) first"):
        object.__new__(nn.Module).mean = nn.Buffer([1.0])


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.count = nn.Parameter([1.0]), 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_state_that_is_no_tensor():
    net, other = nn.Sequential(Counter(), nn.Linear(1, 1)), nn.Sequential(Counter(), nn.Linear(1, 1))
    net[0].count = 3
    state = net.state_dict()
    assert state["0._extra_state"] == {"count": 3}
    assert other.load_state_dict(state) == ([], [])
    assert other[0].count == 3
    del state["0._extra_state"]
    with pytest.raises(StateError, match=r"missing: 0\._extra_state"):
        other.load_state_dict(state)
    with pytest.raises(NotImplementedError, match="Linear has no state besides its tensors"):
        nn.Linear(1, 1).get_extra_state()
