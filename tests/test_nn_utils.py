"""nn.utils: clipping gradients by norm and by value, and parameters as one vector."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import autograd
import nn
from autograd import tensor
from autograd.errors import ArgumentError, ShapeError
from nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters

INF = float("inf")


def parameters(seed=0, dtype=np.float64):
    """Three with a gradient, one without."""
    rng = np.random.default_rng(seed)
    made = [nn.Parameter(tensor(rng.standard_normal(s).astype(dtype))) for s in ((3, 4), (4,), (2,), (1,))]
    for p in made[:-1]:
        p.grad = tensor(rng.standard_normal(p.shape).astype(dtype))
    return made


def gradients(ps):
    return np.concatenate([p.grad.numpy().ravel() for p in ps if p.grad is not None])


@pytest.mark.parametrize("p", [1, 2.0, 3, INF])
@pytest.mark.parametrize("limit", [0.1, 2.0, 100.0])
def test_the_norm_becomes_at_most_the_limit(p, limit):
    ps = parameters()
    before = gradients(ps)
    arrays = [q.grad.array for q in ps[:-1]]
    norm = clip_grad_norm_(ps, limit, norm_type=p)
    expected = np.linalg.norm(before, p)
    assert norm.shape == ()
    assert norm.item() == pytest.approx(expected)
    assert_allclose(gradients(ps), before * min(1, limit / expected), rtol=1e-5)
    assert all(q.grad.array is a for q, a in zip(ps, arrays, strict=False))
    assert not any(q.grad.requires_grad for q in ps[:-1])


@pytest.mark.parametrize("p", [1.0, 2.0, INF])
def test_it_is_what_pytorch_does(torch, p):
    ours = parameters(dtype=np.float32)
    theirs = [torch.nn.Parameter(torch.tensor(q.numpy(force=True))) for q in ours]
    for q, t in zip(ours[:-1], theirs, strict=False):
        t.grad = torch.tensor(q.grad.numpy().copy())
    norm, expected = clip_grad_norm_(ours, 1.0, p), torch.nn.utils.clip_grad_norm_(theirs, 1.0, p)
    assert norm.dtype == np.float32
    assert_allclose(norm.numpy(), expected.numpy(), rtol=1e-6)
    for q, t in zip(ours[:-1], theirs, strict=False):
        assert_allclose(q.grad.numpy(), t.grad.numpy(), rtol=1e-6)


def test_one_parameter_an_iterator_and_none_at_all():
    p = parameters()[0]
    clip_grad_norm_(p, 1.0)
    assert np.linalg.norm(p.grad.numpy()) == pytest.approx(1, rel=1e-5)
    clip_grad_norm_(iter([p]), 0.5)
    assert np.linalg.norm(p.grad.numpy()) == pytest.approx(0.5, rel=1e-5)
    assert clip_grad_norm_([], 1.0).item() == 0
    assert clip_grad_norm_([nn.Parameter([1.0])], 1.0).item() == 0


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_a_generator_that_is_used_up(clip):
    """Nothing would be clipped, and nobody would know."""
    generator = nn.Linear(2, 2).parameters()
    list(generator)
    with pytest.warns(UserWarning, match=f"{clip.__name__}: the generator of parameters is empty, so no gradient is clipped"):
        clip(generator, 1.0)


ORDERS = [0, 0.0, 1, -1, 0.5, 3, True, -2, float("inf"), -float("inf"), float("nan"), "inf", "2"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("zero", [False, True])
def test_any_order_of_norm_like_torch(torch, order, zero):
    gradients = [[3.0, 0.0 if zero else 2.0, -4.0], [1.0, 1.0]]
    ours, theirs = [nn.Parameter(g) for g in gradients], [torch.nn.Parameter(torch.tensor(g)) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = tensor(g), torch.tensor(g)
    norms = clip_grad_norm_(ours, 1.0, order), torch.nn.utils.clip_grad_norm_(theirs, 1.0, order)
    assert_allclose(norms[0].item(), norms[1].item(), rtol=1e-6)
    for p, q in zip(ours, theirs, strict=True):
        assert_allclose(p.grad.array, q.grad.numpy(), rtol=1e-5)


def test_an_order_0_norm_without_torch():
    """It counts the parameters whose gradient is not 0, as a norm of norms does."""
    p, q = parameters()[:2]
    assert clip_grad_norm_([p, q], 1.0, 0).item() == 2
    for odd in (None, "x"):
        with pytest.raises(ArgumentError, match="norm_type is a number, got"):
            clip_grad_norm_([p], 1.0, odd)


def test_gradients_that_are_not_finite():
    p = nn.Parameter([1.0, 2.0])
    p.grad = tensor([float("nan"), 1.0])
    with pytest.raises(ArgumentError, match="the norm of the gradients is nan; they are left as they are"):
        clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad.numpy()[1] == 1
    assert np.isnan(clip_grad_norm_(p, 1.0).item())
    assert np.isnan(p.grad.numpy()).all()


def test_values_are_limited():
    ps = parameters()
    before = gradients(ps)
    assert clip_grad_value_(ps, 0.5) is None
    assert_allclose(gradients(ps), before.clip(-0.5, 0.5))
    clip_grad_value_(ps[0], 0.1)
    assert np.abs(ps[0].grad.numpy()).max() <= 0.1


def test_utils_are_where_pytorch_has_them():
    assert nn.utils.data.DataLoader
    assert nn.utils.rnn.pad_sequence
    assert nn.utils.prune.l1_unstructured
    assert all(hasattr(nn.utils, name) for name in nn.utils.__all__)


def test_parameters_become_a_vector_and_back():
    ps = parameters()
    vector = parameters_to_vector(ps)
    assert_allclose(vector.detach().numpy(), np.concatenate([p.detach().numpy().ravel() for p in ps]))
    vector.sum().backward()
    others = parameters(seed=1)
    vector_to_parameters(vector.detach(), others)
    for p, q in zip(ps, others, strict=True):
        assert_allclose(p.detach().numpy(), q.detach().numpy())
        assert q.is_leaf
        assert q.requires_grad


def test_a_vector_of_the_wrong_length_changes_nothing():
    ps = parameters()
    before = parameters_to_vector(ps).detach().clone()
    with pytest.raises(ShapeError, match=r"19 elements make up the parameters; got a tensor of shape \(3,\)"):
        vector_to_parameters(tensor([1.0, 2.0, 3.0]), ps)
    assert_allclose(parameters_to_vector(ps).detach().numpy(), before.numpy())


@pytest.mark.parametrize("order", [2.0, 1, float("inf")])
def test_clipping_in_two_steps_is_clipping(order):
    one, two = (nn.Linear(3, 2), nn.Linear(3, 2))
    two.load_state_dict(one.state_dict())
    for net in (one, two):
        (net(autograd.ones(4, 3)) * 5).sum().backward()
    norm = nn.utils.get_total_norm([p.grad for p in two.parameters()], order)
    nn.utils.clip_grads_with_norm_(two.parameters(), 0.5, norm)
    assert nn.utils.clip_grad_norm_(one.parameters(), 0.5, order).item() == norm.item()
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        assert p.grad.tolist() == q.grad.tolist()
    assert nn.utils.get_total_norm(tensor([3.0, 4.0])).item() == 5
    with pytest.raises(ArgumentError, match="get_total_norm: norm_type is a number, got 'two'"):
        nn.utils.get_total_norm([], "two")
