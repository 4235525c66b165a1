"""Hooks of modules: what backward hooks see and may replace, in which order hooks run, and that they can be taken out."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import tensor
from autograd.errors import ShapeError, StateError


class Both(nn.Module):
    """Two results of two arguments, and a number that is no tensor."""

    def forward(self, x, y, k=2):
        return x * y, x + k * y


@pytest.fixture
def xy():
    return tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 5.0], requires_grad=True)


def test_backward_hooks_see_the_gradients_of_arguments_and_results(xy):
    seen, module, (x, y) = [], Both(), xy
    module.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    product, _ = module(x * 1, y * 1, 3)
    (product * tensor([1.0, 10.0])).sum().backward()
    ((m, grad_input, grad_output),) = seen
    assert m is module
    assert [g if g is None else g.tolist() for g in grad_input] == [[3, 50], [1, 20], None]
    assert [g if g is None else g.tolist() for g in grad_output] == [[1, 10], None]
    assert x.grad.tolist() == [3, 50]


def test_what_a_backward_hook_returns_goes_on_instead(xy):
    module, (x, y) = Both(), xy
    handle = module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 0 + 7, None))
    module(x, y)[0].sum().backward()
    assert x.grad.tolist() == [7, 7]
    assert y.grad is None
    handle.remove()
    module(x, y)[0].sum().backward()
    assert x.grad.tolist() == [10, 12]


def test_a_pre_hook_replaces_the_gradients_of_the_results():
    seen, module = [], nn.Linear(2, 1, bias=False)
    module.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    module(autograd.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[10]])], "with no gradient for the argument, the hook is called as the backward arrives"
    assert module.weight.grad.tolist() == [[10, 10]]


def test_backward_hooks_can_be_differentiated_through():
    module = nn.Tanh()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
    x = tensor([0.3], requires_grad=True)
    (first,) = autograd.grad(module(x).sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x)
    t = np.tanh(0.3)
    assert_allclose(first.item(), 2 * (1 - t * t), rtol=1e-6)
    assert_allclose(second.item(), 2 * -2 * t * (1 - t * t), rtol=1e-6)  # PyTorch's, too: what comes from inside passes no hook


def test_each_call_has_its_own_way_back():
    seen, module = [], nn.Identity()
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].item(), go[0].item())))
    x = tensor(2.0, requires_grad=True)
    (module(module(x) * 3) * 5).backward()
    assert seen == [(5, 5), (15, 15)]
    assert x.grad.item() == 15


def test_a_hook_that_returns_too_few_gradients_is_told(xy):
    module = Both()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0],))
    with pytest.raises(ShapeError, match="a backward hook of Both returned 1 gradients in place of 2"):
        module(*xy)[0].sum().backward()


def test_hooks_see_keyword_arguments_if_they_ask(xy):
    module, seen, (x, y) = Both(), [], xy
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs | {"k": 5}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(x, y, k=1)[1].tolist() == [16, 27]
    assert seen == [{"k": 5}]


def test_a_hook_can_be_put_before_the_others():
    module, order = nn.Identity(), []
    handles = [
        module.register_forward_pre_hook(lambda m, args: order.append("b")),
        module.register_forward_pre_hook(lambda m, args: order.append("a"), prepend=True),
        module.register_forward_hook(lambda m, args, out: order.append("d")),
        module.register_forward_hook(lambda m, args, out: order.append("c"), prepend=True),
    ]
    module(tensor(1.0))
    assert order == ["a", "b", "c", "d"]
    for handle in handles:
        handle.remove()
    module(tensor(1.0))
    assert order == ["a", "b", "c", "d"]


def test_a_hook_is_there_for_a_with_block():
    layer, calls = nn.Linear(2, 2), []
    with layer.register_forward_hook(lambda *args: calls.append(1)):
        layer(autograd.ones(1, 2))
    layer(autograd.ones(1, 2))
    assert calls == [1]


def test_a_hook_may_be_called_where_the_forward_raises():
    layer, calls = nn.Linear(2, 2), []
    layer.register_forward_hook(lambda module, args, out: calls.append("only after"))
    layer.register_forward_hook(lambda module, args, out: calls.append(out), always_call=True)
    with pytest.raises(ShapeError, match="Linear"):
        layer(autograd.ones(1, 3))
    assert calls == [None]
    out = layer(autograd.ones(1, 2))
    assert len(calls) == 3
    assert calls[2] is out


def test_a_backward_hook_that_cannot_be_called_is_told():
    class Named(nn.Module):
        def forward(self, x):
            return {"twice": x * 2}

    layer, x = Named(), autograd.ones(2, requires_grad=True)
    layer.register_full_backward_hook(lambda *args: None)
    with pytest.warns(UserWarning, match="Named returned .*: its backward hooks are only called for a tensor or a tuple") as told:
        out = layer(x)
    assert told[0].filename == __file__
    out["twice"].sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_like_pytorch(torch):
    weights = [np.sin(np.arange(n) + 1.0).reshape(s) for n, s in ((6, (3, 2)), (3, (3,)), (3, (1, 3)), (1, (1,)))]

    def program(torch, nn):
        net, log = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double(), []

        def numbers(gradients):
            return [None if g is None else g.detach().numpy().tolist() for g in gradients]

        with torch.no_grad():
            for p, w in zip(net.parameters(), weights, strict=True):
                p.copy_(torch.tensor(w))
        net[1].register_full_backward_hook(lambda m, gi, go: log.append(("after", numbers(gi), numbers(go))))
        net[1].register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        net[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
        net[2].register_full_backward_hook(lambda m, gi, go: log.append(("last", numbers(gi), numbers(go))))
        net(torch.tensor([[0.1, 0.2], [0.3, -0.4]], dtype=torch.float64)).sum().backward()
        return log, numbers(p.grad for p in net.parameters())

    (ours, gradients), (theirs, expected) = program(autograd, nn), program(torch, torch.nn)
    assert [name for name, *_ in ours] == [name for name, *_ in theirs]
    for (_, *a), (_, *b) in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            assert_allclose(np.array(x), np.array(y), rtol=1e-12)
    for x, y in zip(gradients, expected, strict=True):
        assert_allclose(x, y, rtol=1e-12)


# ---------------------------------------------------------------- around state_dict and load_state_dict
def two_layers(lib=nn):
    return lib.Sequential(lib.Linear(2, 3), lib.Linear(3, 1, bias=False))


def told_of_state(net):
    """What the hooks of a net and its layers hear while its state is taken and loaded."""
    heard = []
    for name, module in net.named_modules():
        module.register_state_dict_pre_hook(lambda m, prefix, keep, name=name: heard.append((name, "before", prefix, keep)))
        module.register_state_dict_post_hook(lambda m, d, prefix, meta, name=name: heard.append((name, "after", prefix, [*d])))
        module.register_load_state_dict_pre_hook(lambda m, d, p, *_, name=name: heard.append((name, "to load", p)))
        module.register_load_state_dict_post_hook(lambda m, keys, name=name: heard.append((name, "loaded", *map(tuple, keys))))
    net.load_state_dict(net.state_dict())
    return heard


def test_hooks_hear_of_state():
    heard = told_of_state(two_layers())
    keys = ["0.weight", "0.bias", "1.weight"]
    assert [h for h in heard if h[1] == "before"] == [(n, "before", f"{n}." if n else "", False) for n in ("", "0", "1")]
    assert ("", "after", "", keys) in heard
    assert heard.index(("", "after", "", keys)) > max(i for i, h in enumerate(heard) if h[1] == "after" and h[0])
    assert [h for h in heard if h[1] == "to load"] == [("", "to load", ""), ("0", "to load", "0."), ("1", "to load", "1.")]
    assert heard[-1] == ("", "loaded", (), ())


def test_hooks_hear_what_pytorchs_hear(torch):
    """But that all of a state is taken before the first hook after it is called, which PyTorch calls module by module."""
    found, expected = told_of_state(two_layers()), told_of_state(two_layers(torch.nn))
    assert sorted(str(h) for h in found if h[1] != "after") == sorted(str(h) for h in expected if h[1] != "after")
    assert ("", "after", "", ["0.weight", "0.bias", "1.weight"]) in expected


def test_a_hook_may_rename_what_is_loaded_and_saved():
    net = two_layers()
    old = {f"net.{key}": value + 1 for key, value in net.state_dict().items()}

    def renamed(module, state, prefix, *_):
        for key in [k for k in state if k.startswith("net.")]:
            state[key.removeprefix("net.")] = state.pop(key)

    handle = net.register_load_state_dict_pre_hook(renamed)
    assert net.load_state_dict(old) == ([], [])
    assert [*old] == ["net.0.weight", "net.0.bias", "net.1.weight"], "the dict that was given is as it was"
    assert_array_equal(net[1].weight.detach().numpy(), old["net.1.weight"].numpy())
    handle.remove()
    with pytest.raises(StateError, match=r"nothing was loaded; missing: 0.weight"):
        net.load_state_dict(old)
    net._register_state_dict_hook(lambda m, state, prefix, meta: {f"net.{key}": value for key, value in state.items()})
    assert [*net.state_dict()] == [*old]


def test_a_hook_may_forbid_and_forgive():
    net = two_layers()
    handle = net._register_load_state_dict_pre_hook(lambda state, prefix, *rest: rest[-1].append("no"))
    with pytest.raises(StateError, match="nothing was loaded; told by hooks: no"):
        net.load_state_dict(net.state_dict())
    handle.remove()
    part = {"0.weight": net[0].weight + 1, "1.weight": net[1].weight}
    handle = net.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    assert net.load_state_dict(part) == ([], [])
    handle.remove()
    net[0].register_load_state_dict_post_hook(lambda module, keys: None)
    with pytest.raises(StateError, match=r"all that fits was loaded; missing: 0.bias"):
        net.load_state_dict(part)


# ---------------------------------------------------------------- of all modules
def told_everywhere(lib, make):
    """What hooks of all modules hear of one forward and backward."""
    home, heard = importlib.import_module(f"{lib.__name__}.module" if lib is nn else "torch.nn.modules.module"), []
    register = {
        "forward_pre": lambda m, args: heard.append(("pre", type(m).__name__)),
        "forward": lambda m, args, out: heard.append(("forward", type(m).__name__)),
        "full_backward_pre": lambda m, g: heard.append(("back", type(m).__name__)),
        "full_backward": lambda m, gi, go: heard.append(("backward", type(m).__name__)),
    }
    handles = [getattr(home, f"register_module_{name}_hook")(hook) for name, hook in register.items()]
    try:
        two_layers(lib)(make([[1.0, 2.0]], requires_grad=True)).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    count = len(heard)
    two_layers(lib)(make([[1.0, 2.0]]))
    assert len(heard) == count, "they are out"
    return heard


def test_hooks_of_all_modules(torch):
    heard = told_everywhere(nn, autograd.tensor)
    assert heard == told_everywhere(torch.nn, torch.tensor)
    assert len(heard) == 12
