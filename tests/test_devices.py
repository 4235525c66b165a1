"""Devices beside the CPU: all that a model needs, on arrays of another library; and on CuPy's, where there is a GPU."""

import copy
import pickle

import foreign  # noqa: F401 (it makes the device known)
import numpy as np
import pytest
import test_nn_optim
from modules import LAYERS
from numpy.testing import assert_allclose
from test_nn_modules import ours, present, smooth

import autograd
import nn
import nn.functional as F
from autograd import errors, func, tensor
from autograd.api import devices
from nn.utils.data import DataLoader, TensorDataset

# "foreign" is of the arrays in foreign.py, which refuse to become ndarrays
WHERE = ["foreign", *["cuda"] * devices.is_available("cuda")]
OPTIMIZERS = test_nn_optim.CASES | {"LBFGS": (nn.optim.LBFGS, {}), "Adafactor": (nn.optim.Adafactor, {})}
each_device = pytest.mark.parametrize("where", WHERE)


def moved(values, where):
    """Tensors elsewhere, as leaves."""
    if isinstance(values, (tuple, list)):
        return type(values)(moved(v, where) for v in values)
    return None if values is None else values.detach().to(where).requires_grad_(values.requires_grad)


def host(t):
    return t.detach().cpu().numpy()


@each_device
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.label)
def test_every_module_does_the_same_elsewhere(layer, training, where):
    """Its outputs, gradients and buffers, the random numbers too."""
    seen = []
    for device in ("cpu", where):
        module, inputs = ours(layer)
        module.train(training).to(device)
        inputs = moved(inputs, device)
        autograd.manual_seed(0)
        outs = smooth(module(*inputs))
        assert {t.device.type for t in outs} <= {device}
        if loss := [out.sum() for out in outs if out.requires_grad]:
            sum(loss).backward()
        tracked = [*smooth(inputs), *module.parameters()]
        assert {t.grad.device.type for t in tracked if t.grad is not None} <= {device}
        seen.append([*map(host, outs), *map(host, module.buffers()), *(host(t.grad) for t in tracked if t.grad is not None)])
    assert len(seen[0]) == len(seen[1])
    for there, here in zip(*seen[::-1], strict=True):
        assert there.dtype == here.dtype
        assert_allclose(there, here, rtol=1e-8, atol=1e-10)


@each_device
@pytest.mark.parametrize("case", OPTIMIZERS)
def test_every_optimizer_does_the_same_elsewhere(case, where):
    kind, options = OPTIMIZERS[case]
    results = []
    for device in ("cpu", where):
        autograd.manual_seed(0)
        net = nn.Linear(3, 2, bias=kind.__name__ != "Muon").to(device)
        x, optimizer = autograd.randn(5, 3, device=device), kind(net.parameters(), **options)

        def closure(net=net, x=x, optimizer=optimizer):
            optimizer.zero_grad()
            loss = net(x).square().sum()
            loss.backward()
            return loss

        for _ in range(3):
            closure()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step(closure)
        assert all(p.device.type == device for p in net.parameters())
        results.append(np.concatenate([host(p).ravel() for p in net.parameters()]))
    assert_allclose(*results, rtol=2e-5, atol=1e-6)


@pytest.mark.skipif("cuda" not in WHERE, reason="CuPy, or a GPU, is not here: these tests ran on foreign arrays alone")
def test_they_ran_on_a_gpu_too():
    assert autograd.ones(2).cuda().device.type == "cuda"


@each_device
def test_what_is_made_is_where_it_should_be(where):
    x = autograd.ones(2, 3, device=where)
    made = [
        autograd.zeros(2, device=where), autograd.full((2,), 3.0, device=where), autograd.arange(3, device=where),
        autograd.eye(2, device=where), autograd.linspace(0, 1, 3, device=where), tensor([1.0], device=where),
        autograd.Tensor([1.0], device=where), autograd.as_tensor([1.0], device=where), autograd.rand(2, device=where),
        autograd.randint(3, (2,), device=where), autograd.randperm(3, device=where),
        autograd.zeros_like(x), autograd.full_like(x, 2.0), autograd.randn_like(x), x.new_zeros(2), x.new_tensor([1.0]),
        x.normal_(), x.uniform_(), x.copy_(autograd.ones(3)), x.clone(), x[x > 0], x.double(), x.to(x),
        copy.deepcopy(x), pickle.loads(pickle.dumps(x)), func.hessian(lambda t: (t**3).sum())(x[0]),
        autograd.vmap(lambda t: t.sum())(x),
    ]  # fmt: skip
    assert {t.device.type for t in made} == {where}
    autograd.manual_seed(3)
    here = autograd.randn(4)
    autograd.manual_seed(3)
    assert (autograd.randn(4, device=where).cpu() == here).all()
    assert x.device.index == 0
    assert repr(x[0]) == f"tensor([1., 1., 1.], device='{where}:0')"
    assert x.cpu().device == "cpu"
    assert x.to("cpu").tolist() == [[1, 1, 1]] * 2
    assert x.sum().item() == 6
    assert x.to(where) is x


@each_device
def test_gradients_go_back_to_where_the_values_came_from(where):
    x = tensor([1.0, 2.0], requires_grad=True)
    (x.to(where) ** 3).cpu().sum().backward(create_graph=True)
    assert x.grad.tolist() == [3, 12]
    (second,) = autograd.grad(x.grad.sum(), x)
    assert second.tolist() == [6, 12]


@each_device
def test_a_model_is_trained_saved_and_moved(where, tmp_path):
    results = []
    for device in ("cpu", where):
        autograd.manual_seed(0)
        first = nn.Linear(3, 8, bias=False)  # its gradient would be what rounding leaves of 0, of which Adam makes whole steps
        net = nn.Sequential(first, nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2)).to(device)
        assert net[1].num_batches_tracked.device.type == device
        loader = DataLoader(TensorDataset(autograd.randn(24, 3), autograd.randint(2, (24,))), 8, shuffle=True)
        optimizer = nn.optim.Adam(net.parameters(), lr=0.1)
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(x.to(device)), y.to(device)).backward()
            optimizer.step()
        nn.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
        state = nn.load(tmp_path / "state.pt")
        assert state["net"]["0.weight"].device == "cpu"
        other = copy.deepcopy(net)
        other.load_state_dict(state["net"])
        assert {p.device.type for p in other.parameters()} == {device}
        results.append(np.concatenate([host(p).ravel() for p in present(list(other.cpu().state_dict().values()))]))
    assert_allclose(*results, rtol=1e-5, atol=1e-6)


@each_device
def test_tensors_of_two_devices_do_not_meet(where):
    x = autograd.ones(3, device=where)
    for meet in (
        lambda: x + autograd.ones(3),
        lambda: x.reshape(1, 3) @ autograd.ones(3, 2),
        lambda: F.mse_loss(x, autograd.ones(3)),
    ):
        with pytest.raises(errors.UnsupportedError, match=r"all tensors must be on the same device, .*; use to\(\)"):
            meet()
    with pytest.raises(errors.UnsupportedError, match=r"numpy: this tensor is on .*:0; use t\.cpu\(\)\.numpy\(\)"):
        x.numpy()


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(errors.UnsupportedError, match=r"to: the only device here is 'cpu', not 'mps'$"):
        autograd.ones(2).to("mps")
    if not devices.is_available("cuda"):
        for call in (lambda: autograd.ones(2).cuda(), lambda: nn.Linear(2, 2).cuda(), lambda: autograd.ones(2, device="cuda")):
            with pytest.raises(errors.UnsupportedError, match="the only device here is 'cpu', not 'cuda'; "):
                call()
        assert not autograd.cuda.is_available()
        assert autograd.cuda.device_count() == 0
