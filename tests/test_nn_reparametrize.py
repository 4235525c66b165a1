"""nn.utils.weight_norm, spectral_norm and prune: what is registered, computed, learned and taken off again; like PyTorch's."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float64, tensor
from autograd.errors import ArgumentError, ShapeError, StateError
from nn.utils import prune, remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

RNG = np.random.default_rng(0)
W = RNG.standard_normal((6, 8))


def layer():
    made = nn.Linear(8, 6, dtype=float64)
    made.load_state_dict({"weight": W, "bias": np.linspace(-1, 1, 6)})
    return made


@pytest.fixture(scope="module")
def torch(torch):
    """PyTorch, which does not import this of its own accord."""
    import torch.nn.utils.prune

    return torch


# ---------------------------------------------------------------- weight_norm
def test_weights_of_recurrent_layers_are_recomputed_too():
    plain, x = nn.LSTM(3, 4, bidirectional=True, dtype=float64), tensor(RNG.standard_normal((5, 2, 3)))
    expected = plain(x)[0].detach().numpy()
    assert [len(weights) for weights in plain.all_weights] == [4, 4]
    normed = weight_norm(plain, "weight_hh_l0")
    assert_allclose(normed(x)[0].detach().numpy(), expected, rtol=1e-12)
    normed(x)[0].sum().backward()
    assert normed.weight_hh_l0_g.grad.shape == (16, 1)
    pruned = prune.l1_unstructured(nn.GRU(3, 4, dtype=float64), "weight_ih_l0", 0.5)
    assert pruned(x)[0].shape == (5, 2, 4)


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_changes_nothing_at_first_and_learns_length_and_direction(dim):
    plain, normed, x = layer(), weight_norm(layer(), dim=dim), tensor(RNG.standard_normal((5, 8)))
    assert sorted(normed.state_dict()) == ["bias", "weight_g", "weight_v"]
    assert_allclose(normed(x).detach().numpy(), plain(x).detach().numpy(), rtol=1e-12)
    parts = [normed.weight_g, normed.weight_v]

    def by_hand(g, v):
        return (x @ (g * v / autograd.norm(v, dim=None if dim is None else 1 - dim, keepdim=dim is not None)).T).sum()

    expected = autograd.func.grad(by_hand, (0, 1))(*(p.detach() for p in parts))
    normed(x).sum().backward()
    for p, e in zip(parts, expected, strict=True):
        assert_allclose(p.grad.numpy(), e.numpy(), rtol=1e-10, atol=1e-12)


def test_weight_norm_follows_its_parts_and_comes_off():
    normed = weight_norm(layer())
    with autograd.no_grad():
        normed.weight_g.mul_(2)
    normed(autograd.ones(1, 8, dtype=float64))
    assert_allclose(normed.weight.detach().numpy(), 2 * W)
    assert remove_weight_norm(normed) is normed
    assert sorted(normed.state_dict()) == ["bias", "weight"]
    assert isinstance(normed.weight, nn.Parameter)
    assert_allclose(normed.weight.detach().numpy(), 2 * W)
    assert not normed._hooks
    with pytest.raises(StateError, match=r"remove_weight_norm: Linear.weight has no weight_norm"):
        remove_weight_norm(normed)


def test_a_parameter_that_is_not_there_is_named():
    with pytest.raises(StateError, match="weight_norm: Linear has no parameter 'wieght'; it has weight, bias"):
        weight_norm(layer(), "wieght")


# ---------------------------------------------------------------- spectral_norm
def test_spectral_norm_makes_the_largest_singular_value_1():
    normed = spectral_norm(layer(), n_power_iterations=30)
    normed(autograd.ones(1, 8, dtype=float64))
    assert_allclose(np.linalg.svd(normed.weight.detach().numpy())[1][0], 1, rtol=1e-9)
    assert_allclose(normed.weight.detach().numpy(), W / np.linalg.svd(W)[1][0], rtol=1e-9)
    assert remove_spectral_norm(normed) is normed
    assert_allclose(normed.weight.detach().numpy(), W / np.linalg.svd(W)[1][0], rtol=1e-9)


def test_in_evaluation_the_singular_vectors_stay():
    normed = spectral_norm(layer()).eval()
    before = normed.weight_u.clone()
    normed(autograd.ones(1, 8, dtype=float64))
    assert_array_equal(normed.weight_u.numpy(), before.numpy())
    normed.train()(autograd.ones(1, 8, dtype=float64))
    assert not np.array_equal(normed.weight_u.numpy(), before.numpy())


def test_two_forwards_before_one_backward():
    """The second changes the singular vectors that the first one's gradient needs: it has its own."""
    normed, x = spectral_norm(layer()), tensor(RNG.standard_normal((3, 8)))
    (normed(x).sum() + normed(x * 2).sum()).backward()
    assert np.isfinite(normed.weight_orig.grad.numpy()).all()


@pytest.mark.parametrize("dim", [0, 1])
def test_spectral_norm_like_pytorch(torch, dim):
    ours, theirs = spectral_norm(layer(), dim=dim), torch.nn.utils.spectral_norm(torch.nn.Linear(8, 6).double(), dim=dim)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    x = RNG.standard_normal((5, 8))
    for _ in range(3):
        out, expected = ours(tensor(x)), theirs(torch.tensor(x))
        assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10)
        (out**2).sum().backward()
        (expected**2).sum().backward()
        assert_allclose(ours.weight_orig.grad.numpy(), theirs.weight_orig.grad.numpy(), rtol=1e-9)
        assert_allclose(ours.weight_u.numpy(), theirs.weight_u.numpy(), rtol=1e-10)


def test_spectral_norm_refuses():
    with pytest.raises(ArgumentError, match="n_power_iterations is 1 or more, got 0"):
        spectral_norm(layer(), n_power_iterations=0)
    with pytest.raises(ShapeError, match=r"at least 2 dims and an element, got shape \(6,\)"):
        spectral_norm(layer(), "bias")


# ---------------------------------------------------------------- pruning
PRUNINGS = {
    "l1": lambda p, m: p.l1_unstructured(m, "weight", 0.3),
    "a number": lambda p, m: p.l1_unstructured(m, "weight", 7),
    "twice": lambda p, m: (p.l1_unstructured(m, "weight", 0.3), p.l1_unstructured(m, "weight", 7)),
    "elements, then rows": lambda p, m: (p.l1_unstructured(m, "weight", 0.3), p.ln_structured(m, "weight", 0.5, 2, 0)),
    "columns": lambda p, m: (p.ln_structured(m, "weight", 0.5, 2, 1), p.ln_structured(m, "weight", 2, float("inf"), -1)),
    "removed": lambda p, m: (p.ln_structured(m, "weight", 0.5, 1, 1), p.remove(m, "weight")),
    "global": lambda p, m: p.global_unstructured([(m, "weight"), (m, "bias")], p.L1Unstructured, amount=0.4),
    "global twice": lambda p, m: [PRUNINGS["global"](p, m) for _ in range(2)],
    "identity": lambda p, m: p.identity(m, "weight"),
}


@pytest.mark.parametrize("how", PRUNINGS)
def test_pruning_like_pytorch(torch, how):
    ours, theirs = layer(), torch.nn.Linear(8, 6).double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    PRUNINGS[how](prune, ours)
    PRUNINGS[how](torch.nn.utils.prune, theirs)
    found, expected = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(expected)
    for name in found:
        assert_array_equal(found[name].numpy(), expected[name].numpy())
    assert prune.is_pruned(ours) == torch.nn.utils.prune.is_pruned(theirs)


def test_the_smallest_go():
    pruned = prune.l1_unstructured(layer(), "weight", 12)
    kept = pruned.weight_mask.numpy() == 1
    assert kept.sum() == W.size - 12
    assert np.abs(W[~kept]).max() < np.abs(W[kept]).min()
    assert_array_equal(pruned.weight.detach().numpy(), W * kept)


def test_what_is_pruned_does_not_learn():
    pruned = prune.l1_unstructured(layer(), "weight", 0.5)
    optimizer = nn.optim.SGD(pruned.parameters(), lr=0.1)
    pruned(autograd.ones(3, 8, dtype=float64)).sum().backward()
    optimizer.step()
    pruned(autograd.ones(1, 8, dtype=float64))
    gone = pruned.weight_mask.numpy() == 0
    assert (pruned.weight.detach().numpy()[gone] == 0).all()
    assert_array_equal(pruned.weight_orig.detach().numpy()[gone], W[gone])
    assert (pruned.weight_orig.detach().numpy()[~gone] != W[~gone]).all()


@pytest.mark.parametrize(("put", "off"), [
    (lambda net: prune.l1_unstructured(net, "weight", 0.5), lambda net: prune.remove(net, "weight")),
    (spectral_norm, remove_spectral_norm),
], ids=["prune", "spectral_norm"])  # fmt: skip
def test_an_optimizer_made_before_goes_on_training(put, off):
    """The weight is the same Parameter when it has become weight_orig, frozen or not, and when it is the weight again."""
    net = layer()
    weight, optimizer = net.weight, nn.optim.SGD(net.parameters(), lr=0.1)
    frozen = put(layer().requires_grad_(False))
    assert not frozen.weight_orig.requires_grad
    put(net)
    assert net.weight_orig is weight
    net(autograd.ones(3, 8, dtype=float64)).sum().backward()
    optimizer.step()
    assert (weight.detach().numpy() != W).any()
    net.eval()
    before = net(autograd.ones(1, 8, dtype=float64)).detach().numpy()
    off(net)
    assert net.weight is weight
    assert_allclose(net(autograd.ones(1, 8, dtype=float64)).detach().numpy(), before, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_random_pruning(seed):
    autograd.manual_seed(seed)
    elements = prune.random_unstructured(layer(), "weight", 0.25).weight_mask.numpy()
    assert elements.sum() == W.size * 3 // 4
    rows = prune.random_structured(layer(), "weight", 2, dim=0).weight_mask.numpy()
    assert sorted(rows.sum(1).tolist()) == [0, 0, 8, 8, 8, 8]


def test_a_method_of_ones_own():
    class EveryOther(prune.BasePruningMethod):
        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask[::2] = 0
            return mask

    pruned = EveryOther.apply(EveryOther.apply(layer(), "bias"), "bias")
    assert pruned.bias_mask.tolist() == [0, 0, 0, 1, 0, 0]


def test_importance_can_be_something_else():
    scores = tensor(np.arange(48.0).reshape(6, 8))
    pruned = prune.l1_unstructured(layer(), "weight", 8, importance_scores=scores)
    assert (pruned.weight_mask.numpy()[0] == 0).all()
    with pytest.raises(ShapeError, match=r"of the shape of weight, \(6, 8\); got \(3,\)"):
        prune.l1_unstructured(layer(), "weight", 8, importance_scores=autograd.ones(3))


def test_pruning_refuses_and_changes_nothing():
    plain = layer()
    for amount, message in ((1.5, "got 1.5"), (-1, "got -1"), (True, "got True"), (49, "49 were to be pruned, but 48 are left")):
        with pytest.raises(ArgumentError, match=message):
            prune.l1_unstructured(plain, "weight", amount)
    with pytest.raises(ShapeError, match="custom_from_mask: the mask has shape"):
        prune.custom_from_mask(plain, "weight", autograd.ones(2))
    with pytest.raises(StateError, match=r"Linear.weight was not pruned"):
        prune.remove(plain, "weight")
    with pytest.raises(ArgumentError, match="global_unstructured prunes some parameters by an unstructured method"):
        prune.global_unstructured([(plain, "weight")], prune.LnStructured, amount=0.5, n=1)
    assert list(plain.state_dict()) == ["weight", "bias"]
    assert not prune.is_pruned(plain)


@pytest.mark.parametrize("change", [weight_norm, spectral_norm, lambda m: prune.l1_unstructured(m, "weight", 0.5)])
def test_copies_and_pickles_work_alike(change):
    changed, x = change(layer()).eval(), tensor(RNG.standard_normal((2, 8)))
    with autograd.no_grad():
        expected = changed(x).numpy()
        for copied in (copy.deepcopy(changed), pickle.loads(pickle.dumps(changed))):
            assert_array_equal(copied(x).numpy(), expected)
            first = next(iter(copied.parameters()))
            first.mul_(3)
        assert_array_equal(changed(x).numpy(), expected)


# ---------------------------------------------------------------- copies
def masked(module):
    return prune.l1_unstructured(module, "weight", 0.5)


@pytest.mark.parametrize("way", [copy.deepcopy, copy.copy, lambda module: pickle.loads(pickle.dumps(module))])
@pytest.mark.parametrize(
    "how", [weight_norm, spectral_norm, masked, lambda module: masked(weight_norm(module, "bias", dim=None))]
)
def test_a_module_can_be_copied_after_a_forward_pass(how, way):
    net = nn.Sequential(how(layer()), nn.Tanh())
    x = tensor(RNG.standard_normal((5, 8)))
    net(x).sum().backward()
    net[0].train(False)
    expected, node = net(x).tolist(), net[0].weight.node
    twin = way(net)
    assert net[0].weight.node is node, "the original stays as it is"
    assert twin[0].weight.tolist() == net[0].weight.tolist()
    assert twin.state_dict().keys() == net.state_dict().keys()
    assert twin(x).tolist() == expected
    if way is copy.copy:
        return
    twin(x).sum().backward()
    for p in twin.parameters():
        with autograd.no_grad():
            p.add_(1.0)
    assert twin(x).tolist() != expected
    assert net(x).tolist() == expected
    assert all(p.grad is not None for p in twin.parameters())
    again = way(twin)  # a copy of a copy, after its own forward
    assert again(x).tolist() == twin(x).tolist()
    if how in (weight_norm, spectral_norm):
        remove = {weight_norm: remove_weight_norm, spectral_norm: remove_spectral_norm}[how]
        assert sorted(remove(again[0]).state_dict()) == ["bias", "weight"]
