"""checkpoint: the same gradients from less memory, and never wrong ones when the second run differs from the first."""

import copy
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from replay import record, replay

import autograd
import nn
from autograd import Function, checkpoint, func, grad, no_grad, tensor, zeros
from autograd.engine.tensor import wrap
from autograd.errors import FreedGraphError, GraphError, InPlaceError
from autograd.transforms.checkpoint import recomputing

STEPS = {
    "linear": lambda h, w: h @ w,
    "tanh": lambda h, w: h.tanh(),
    "softmax": lambda h, w: h.softmax(-1) * 3,
    "square": lambda h, w: h * h,
    "split": lambda h, w: autograd.cat([h.split(1, 1)[1] * w[0, 0], h[:, 1:].exp()], 1)[:, :2],
    "dropout": lambda h, w: h * (autograd.rand_like(h) < 0.7) / 0.7,
    "mask": lambda h, w: h * masked(h),
    "checkpoint": lambda h, w: checkpoint(lambda a: (a @ w).sin(), h),
    "no_grad": lambda h, w: h + no_grad(lambda: h * 2)(),
}


def masked(h):
    """A mask that is written in place."""
    mask = zeros(*h.shape).double()
    mask[0] = 2
    mask[1:, 1] += 1
    return mask


def start():
    autograd.manual_seed(0)
    x, w = (wrap(np.random.default_rng(i).uniform(-0.5, 0.5, (2, 2))).requires_grad_() for i in range(2))
    return x, w


def gradients(run, order):
    """First or second derivatives by what is passed in and by what is closed over."""
    x, w = start()
    first = grad((run(x, w) ** 2).sum(), (x, w), create_graph=order == 2, allow_unused=True)
    if order == 1:
        return [g for g in first if g is not None]
    total = sum((g**2).sum() for g in first if g is not None)
    return [g for g in grad(total, (x, w), allow_unused=True) if g is not None] if total.requires_grad else []


# ---------------------------------------------------------------- right
@pytest.mark.parametrize("order", [1, 2])
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4))
def test_gradients_are_those_without(order, names):
    def plain(x, w):
        for name in names:
            x = STEPS[name](x, w)
        return x

    expected = gradients(plain, order)
    for run in (
        lambda x, w: checkpoint(plain, x, w),
        lambda x, w: checkpoint(lambda x: plain(x, w), x),  # w is closed over
        lambda x, w: checkpoint(lambda: plain(x, w)),
        lambda x, w: checkpoint(plain, x * 1, w=w * 1) + 0,
        lambda x, w: checkpoint(lambda x: checkpoint(plain, x * 1, w), x),
    ):
        found = gradients(run, order)
        for a, b in zip(found, expected, strict=True):
            assert_array_equal(a.array, b.array)


def test_arguments_and_results_of_every_kind():
    def run(tensors, power, *, scale):
        out = (tensors["x"] ** power * scale).exp()
        return {"out": [out, out.argmax()], "text": "text", "same": tensors["x"]}

    x = tensor([0.5, 1.0], requires_grad=True)
    found = checkpoint(run, {"x": x}, 2, scale=0.5)
    assert found["text"] == "text"
    assert found["same"] is x
    assert found["out"][1].item() == 1
    found["out"][0].sum().backward()
    assert_allclose(x.grad.array, x.array * np.exp(x.array**2 / 2))


def test_under_transforms():
    f = lambda x: (x.sin() * x).exp().sum()  # noqa: E731
    x = wrap(np.array([0.1, 0.2, 0.3]))
    for transform in (func.grad, func.hessian, func.jacfwd, lambda f: func.vmap(func.grad(f))):
        assert_array_equal(transform(lambda x: checkpoint(f, x))(x).array, transform(f)(x).array)


def test_with_a_function_of_your_own():
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            out = x.exp()
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = tensor([0.5, 1.0], requires_grad=True)
    checkpoint(lambda x: Exp.apply(x * 2), x).sum().backward()
    assert_allclose(x.grad.array, 2 * np.exp([1, 2]), rtol=1e-6)


def test_accumulates_into_leaves_and_runs_hooks():
    x, w = start()
    seen = []

    def run(x):
        h = x @ w
        h.register_hook(lambda g: seen.append(g.shape))
        return h.tanh()

    y = checkpoint(run, x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert len(seen) == 2
    expected = 2 * (1 - np.tanh(x.array @ w.array) ** 2)
    assert_allclose(x.grad.array, expected @ w.array.T)
    assert_allclose(w.grad.array, x.array.T @ expected)
    with pytest.raises(FreedGraphError):
        y.sum().backward()


def test_how_often_it_runs():
    runs = []

    def run(x):
        runs.append(autograd.is_grad_enabled())
        return x.exp() * x.sin()

    x = tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(run, x)
    assert runs == [True]
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert runs == [True, True]  # what was restored stays, for the second backward
    with no_grad():
        assert not checkpoint(run, x).requires_grad
    assert runs == [True, True, False]
    assert not checkpoint(run, x.detach()).requires_grad


def test_nested_checkpoints_run_when_their_turn_comes():
    runs = []

    def inner(x):
        runs.append("inner")
        return x.exp().sin()

    def outer(x):
        runs.append("outer")
        return checkpoint(inner, x.tanh()).cos()

    y = checkpoint(outer, tensor([1.0], requires_grad=True))
    runs.clear()
    y.sum().backward()
    assert runs == ["outer", "inner", "inner"]


def test_contexts():
    seen = []

    @contextmanager
    def note(name):
        seen.append(name)
        yield

    x = tensor([1.0], requires_grad=True)
    y = checkpoint(autograd.exp, x, use_reentrant=False, context_fn=lambda: (note("first"), note("again")))
    assert seen == ["first"]
    y.sum().backward()
    assert seen == ["first", "again"]


# ---------------------------------------------------------------- memory
@pytest.mark.usefixtures("_no_collector")
def test_nothing_that_was_computed_is_kept():
    arrays, node = [], None

    def run(x):
        nonlocal node
        h = x.exp()
        k = h * h.sin()
        arrays.extend(weakref.ref(t.array) for t in (h, k))
        node = weakref.ref(k.node)
        return k.tanh()

    x = tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(run, x)
    assert all(ref() is None for ref in arrays)
    assert node() is not None
    y.sum().backward(retain_graph=True)
    assert len(arrays) == 4
    assert any(ref() is not None for ref in arrays)
    y.sum().backward()
    assert all(ref() is None for ref in arrays)
    del y
    assert node() is None
    y = checkpoint(run, x)  # never swept
    del y
    assert node() is None


def test_a_result_can_be_changed_in_place():
    """As without a checkpoint: nobody else holds it."""
    x = tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x: x.sin() + x, x)
    y += x
    y.sum().backward()
    assert_allclose(x.grad.array, np.cos([1, 2]) + 2, rtol=1e-6)


# ---------------------------------------------------------------- randomness
def test_dropout_drops_the_same():
    def drop(x):
        return x * (autograd.rand(8) < 0.5)

    autograd.manual_seed(3)
    x = autograd.ones(8, requires_grad=True)
    y = checkpoint(drop, x)
    after = autograd.rand(1).item()
    y.sum().backward()
    assert_array_equal(x.grad.array, y.detach().array)
    later = autograd.rand(1).item()
    autograd.manual_seed(3)  # the second run has left no trace
    autograd.rand(8)
    assert [after, later] == [autograd.rand(1).item(), autograd.rand(1).item()]
    y = checkpoint(drop, x, preserve_rng_state=False)
    with pytest.raises(GraphError, match="checkpoint: run again for backward, the function had other values"):
        y.sum().backward()


# ---------------------------------------------------------------- never silently wrong
CHANGES = {
    "argument": lambda h, w: h.detach().add_(1),
    "closure": lambda h, w: w.detach()[0].mul_(-1),
    "rebound": lambda h, w: setattr(w, "data", w.data * 1.001),
}
RUNS = {
    "saved": lambda h, w: h @ w,
    "not saved": lambda h, w: (h + w).exp(),
    "nested": lambda h, w: checkpoint(lambda: (h @ w).sin()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_changes_in_between_are_caught(run, change):
    """Also those that do no harm without a checkpoint: the first run cannot be repeated any more."""
    x, w = start()
    h = x * 1
    y = checkpoint(lambda h: run(h, w), h)
    change(h, w)
    with pytest.raises((InPlaceError, GraphError), match=r"^checkpoint: .* (modified in place|had other values)"):
        y.sum().backward()


def test_a_change_that_shows_in_no_value_is_caught():
    """With weights of 0 the values are the same, but the gradient of the weights is not."""
    x, w = start()
    y = checkpoint(lambda: x @ (w * 0))
    with no_grad():
        x.add_(1)
    with pytest.raises(InPlaceError, match="checkpoint: matmul needs a value as the forward pass left it"):
        y.sum().backward()


def test_a_function_that_spoils_its_own_values_is_caught():
    """As it is without a checkpoint."""

    def run(x):
        h = x.exp()
        h.detach().mul_(2)
        return h.sin()

    for call in (run, lambda x: checkpoint(run, x)):
        with pytest.raises(InPlaceError, match="exp: its gradient needs out as the forward pass left it"):
            call(tensor([1.0, 2.0], requires_grad=True)).sum().backward()


def test_values_that_the_function_makes_in_place_are_right():
    """They are written anew in the second run; also where a checkpoint inside of it uses them."""

    def run(x):
        mask = masked(x)
        return x * mask + checkpoint(lambda x: x.sin() * mask, x)

    x, _ = start()
    checkpoint(run, x).sum().backward()
    assert_allclose(x.grad.array, (1 + np.cos(x.array)) * masked(x).array)


def test_changes_that_do_not_matter_are_not_held_against_it():
    x, w = start()
    h = x * 1
    y = checkpoint(lambda: h @ w)
    with no_grad():
        x.mul_(2)  # h was computed before
    y.sum().backward()
    assert_allclose(w.grad.array, np.outer(h.array.sum(0), [1, 1]))


def test_a_function_that_changes_its_ops_is_caught():
    runs = []

    def run(x):
        runs.append(0)
        return x.sin() * 1 if len(runs) == 1 else x.sin()

    for check in ("default", "none"):
        runs.clear()
        y = checkpoint(run, tensor([1.0], requires_grad=True), determinism_check=check)
        with pytest.raises(GraphError, match="the function had other ops; what it uses must not change"):
            y.sum().backward()


def test_a_check_can_be_left_out():
    """For functions whose values may differ from run to run."""
    values = iter([1.0, 2.0])
    x = tensor([3.0], requires_grad=True)
    checkpoint(lambda x: x * x * next(values), x, determinism_check="none").sum().backward()
    assert x.grad.item() == 12


def test_values_that_are_not_finite_are_compared_too():
    x = tensor([0.0, -1.0], requires_grad=True)
    with np.errstate(all="ignore"):
        checkpoint(lambda x: x.log() + 1, x).sum().backward()
    assert x.grad.array[0] == np.inf


def test_errors_of_the_second_run_are_shown():
    runs = []

    def run(x):
        runs.append(0)
        if len(runs) > 1:
            raise KeyError("no")
        return x.sin()

    state = autograd.default_generator.get_state()
    with pytest.raises(KeyError):
        checkpoint(run, tensor([1.0], requires_grad=True)).sum().backward()
    assert autograd.default_generator.get_state() == state


# ---------------------------------------------------------------- with the rest of the library
def test_on_a_tape():
    """A recorded step computes twice when it is played, as it did when it was recorded."""
    x, w = start()

    def step():
        y = checkpoint(lambda x: (x @ w).tanh() ** 2, x)
        (g,) = grad(y.sum(), w)
        with no_grad():
            w.sub_(0.1 * g)

    tape = record(step)
    played = w.array.copy()
    replay(tape)
    twice = w.array.copy()
    w.array[...] = played
    autograd.touch(w.array)
    step()
    assert_allclose(twice, w.array, rtol=1e-12)


def test_drawn_and_watched():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x: x.exp() * x, x).sum()
    assert "exp" in autograd.draw(y).source
    y.backward()
    with autograd.detect_anomaly():
        checkpoint(lambda x: x.exp() * x, x).sum().backward()
    assert_allclose(x.grad.array, 2 * np.exp(x.array) * (1 + x.array), rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("nested", [False, True])
def test_batch_norm_counts_its_statistics_once(momentum, nested):
    x = autograd.randn(6, 3, generator=autograd.Generator().manual_seed(0))
    found = []
    for run in (lambda f, t: f(t), checkpoint):
        norm, t = nn.BatchNorm1d(3, momentum=momentum), x.clone().requires_grad_()
        for _ in range(2):
            run(lambda t, norm=norm, run=run: run(norm, t) if nested else norm(t), t).pow(3).sum().backward()
        assert norm.num_batches_tracked.item() == 2
        found.append([norm.running_mean, norm.running_var, t.grad])
    for a, b in zip(*found, strict=True):
        assert_array_equal(a.array, b.array)
    assert not recomputing()


def test_what_remembers_that_it_was_called_can_ask():
    seen = []

    def run(t):
        seen.append(recomputing())
        return t.sin()

    checkpoint(run, tensor([1.0], requires_grad=True)).sum().backward()
    assert seen == [False, True]
    assert not recomputing()


def test_spectral_norm_takes_one_step():
    autograd.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Linear(4, 4))
    twin = copy.deepcopy(layer)
    x = autograd.randn(2, 4)
    checkpoint(layer, x).sum().backward()
    twin(x).sum().backward()
    for (name, a), (_, b) in zip(layer.state_dict().items(), twin.state_dict().items(), strict=True):
        assert_array_equal(a.array, b.array, err_msg=name)
    assert_allclose(layer.weight_orig.grad.array, twin.weight_orig.grad.array, rtol=1e-5)
