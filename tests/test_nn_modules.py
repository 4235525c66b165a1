"""What holds for every module, driven by the records in modules.py."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from helpers import leaves
from modules import ELSEWHERE, LAYERS
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import Tensor, float32, float64, tensor
from autograd.errors import AutogradError

records = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.label)
in_pytorch = pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.pytorch], ids=lambda layer: layer.label)


def to_tensors(values, make):
    """Arrays as tensors of a library; tuples of them, and None, as they are."""
    if isinstance(values, (tuple, list)):
        return type(values)(to_tensors(v, make) for v in values)
    return None if values is None else make(values)


def present(result):
    """The tensors in a result that may be a tuple, of tuples, with None."""
    return [t for t in leaves(result) if t is not None]


def spread(module, seed=1):
    """All parameters and running statistics drawn anew, so that none is 0 or 1."""
    rng = np.random.default_rng(seed)
    state = {}
    for name, value in module.state_dict().items():
        shape, dtype = tuple(value.shape), str(value.dtype)
        state[name] = rng.uniform(0.2, 1.2, shape) * (1 if "running_var" in name else rng.choice([-1, 1], shape))
        if "int" in dtype:
            state[name] = np.array(3)
    return state


def ours(layer, dtype=float64, seed=0):
    module = layer.make(nn, dtype)
    module.load_state_dict(spread(module))
    inputs = to_tensors(
        layer.draw(seed=seed), lambda a: tensor(a.astype(dtype) if a.dtype.kind == "f" else a, requires_grad=a.dtype.kind == "f")
    )
    return module, inputs


def smooth(tensors):
    return [t for t in present(tensors) if t.dtype.kind == "f"]


def test_every_module_has_a_record():
    public = {n for n, m in vars(nn).items() if isinstance(m, type) and issubclass(m, nn.Module)}
    missing = sorted(public - {layer.name for layer in LAYERS} - ELSEWHERE)
    assert not missing, f"{', '.join(missing)}: add a record to tests/modules.py"


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.exact], ids=lambda layer: layer.label)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_inputs_and_parameters(layer, training):
    """Along random directions they are what finite differences say."""
    module, inputs = ours(layer)
    module.train(training)
    state = {k: v.clone() for k, v in module.state_dict().items()}
    tracked = [*smooth(inputs), *module.parameters()]
    at, rng = [t.detach().numpy().copy() for t in tracked], np.random.default_rng(0)

    def total(weights=None):
        autograd.manual_seed(0)
        outs = smooth(module(*inputs))
        weights = weights or [tensor(rng.uniform(-1, 1, out.shape)) for out in outs]
        return sum((out * w).sum() for out, w in zip(outs, weights, strict=True)), weights

    y, weights = total()
    gradients = autograd.grad(y, tracked, materialize_grads=True) if y.requires_grad else []
    for _ in range(2 if gradients else 0):
        along, slope = [rng.uniform(-1, 1, x.shape) for x in at], 0.0
        for step, factor in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            with autograd.no_grad():
                module.load_state_dict(state)
                for t, x, v in zip(tracked, at, along, strict=True):
                    t.copy_(tensor(x + 1e-4 * step * v))
                slope += factor * total(weights)[0].item() / 12e-4
        expected = sum(np.sum(g.numpy() * v) for g, v in zip(gradients, along, strict=True))
        assert_allclose(expected, slope, rtol=1e-7, atol=1e-8)


@records
def test_state_goes_round_and_copies_are_copies(layer):
    module, inputs = ours(layer)
    module.eval()
    other = layer.make(nn, float64).eval()
    assert other.load_state_dict(module.state_dict()) == ([], [])
    expected = present(module(*inputs))
    for copied in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(copied) == repr(module)
        for found, e in zip(present(copied(*inputs)), expected, strict=True):
            assert_array_equal(found.detach().numpy(), e.detach().numpy())
        assert not {id(p) for p in copied.parameters()} & {id(p) for p in module.parameters()}


@records
def test_float32_stays(layer):
    module, inputs = ours(layer, float32)
    outs = smooth(module(*inputs))
    assert {out.dtype for out in outs} == {np.dtype("float32")}
    tracked = [out for out in outs if out.requires_grad]
    if tracked:
        sum(out.sum() for out in tracked).backward()
    for t in [*smooth(inputs), *module.parameters()]:
        assert t.grad is None or t.grad.dtype == np.float32
    precise, exact = ours(layer)
    if not layer.random:
        for out, e in zip(outs, smooth(precise(*exact)), strict=True):
            assert_allclose(out.detach().numpy(), e.detach().numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.wrong], ids=lambda layer: layer.label)
def test_what_does_not_fit_is_refused_by_name(layer):
    module = layer.make(nn, float64)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(AutogradError) as found:
        module(*to_tensors(layer.draw(layer.wrong), tensor))
    name = type(found.value.layer).__name__
    assert str(found.value).startswith(name)
    assert name == layer.name or layer.name.startswith("Transformer")
    for k, v in module.state_dict().items():
        assert_array_equal(v.numpy(), before[k].numpy(), err_msg="a refused input changed the module")


# ---------------------------------------------------------------- PyTorch
@in_pytorch
@pytest.mark.parametrize("training", [True, False])
def test_like_pytorch(layer, torch, training):
    """The same names, shapes and repr; and with the same weights the same outputs, gradients and running statistics."""
    module, inputs = ours(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = layer.make(torch.nn, torch.float64)
    assert {k: v.shape for k, v in module.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert repr(module) == repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in module.state_dict().items()})
    arguments = to_tensors(layer.draw(), lambda a: torch.tensor(a, requires_grad=a.dtype.kind == "f"))
    module.train(training), theirs.train(training)
    if layer.random and training:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outs, expected = present(module(*inputs)), present(theirs(*arguments))
    total = wanted = 0
    for out, e in zip(outs, expected, strict=True):
        assert str(e.dtype) == f"torch.{out.dtype}"
        assert_allclose(out.detach().numpy(), e.detach().numpy(), rtol=1e-9, atol=1e-10)
        if e.requires_grad:
            weights = np.sin(1.0 + np.arange(out.array.size)).reshape(out.shape)
            total, wanted = total + (out * tensor(weights)).sum(), wanted + (e * torch.tensor(weights)).sum()
    if isinstance(total, Tensor):
        total.backward()
        wanted.backward()
    pairs = [*zip(present(inputs), present(arguments), strict=True), *zip(module.parameters(), theirs.parameters(), strict=True)]
    for t, e in pairs:
        if e.grad is not None:
            assert_allclose(t.grad.numpy(), e.grad.numpy(), rtol=layer.close, atol=1e-9)
    for name, b in theirs.named_buffers():
        assert_allclose(module.get_buffer(name).numpy(), b.numpy(), rtol=1e-10)


@in_pytorch
def test_a_file_of_pytorchs_loads(layer, torch, tmp_path):
    """torch.save(state_dict) there, nn.load here; and the other way round."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = layer.make(torch.nn, torch.float64)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    module = layer.make(nn, float64)
    assert module.load_state_dict(nn.load(tmp_path / "theirs.pt")) == ([], [])
    for name, value in theirs.state_dict().items():
        assert_array_equal(module.state_dict()[name].numpy(), value.numpy())
    nn.save(module.state_dict(), tmp_path / "ours.pt")
    back = torch.load(tmp_path / "ours.pt", weights_only=True)
    assert {k: v.tolist() for k, v in back.items()} == {k: v.tolist() for k, v in theirs.state_dict().items()}


@in_pytorch
def test_initial_values_have_pytorchs_distribution(layer, torch):
    """As far as mean and spread of many drawings tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = [
            [dict(layer.make(lib, t).named_parameters()) for _ in range(15)]
            for lib, t in ((nn, float64), (torch.nn, torch.float64))
        ]
    for name in drawn[0][0]:
        found, expected = (np.stack([p[name].detach().numpy() for p in ps]) for ps in drawn)
        error = 5 * max(expected.std(), 1e-12) / np.sqrt(expected.size)
        assert abs(found.mean() - expected.mean()) <= 2 * error, name
        assert abs(found.std() - expected.std()) <= 2 * error, name
        assert abs(np.abs(found).max() - np.abs(expected).max()) <= 0.5 * np.abs(expected).max() + 1e-12, name
