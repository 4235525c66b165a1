"""Sums that keep their digits: half as in single precision, single precision as in double, forward, backward and to second order."""

import math

import numpy as np
import pytest
from helpers import leaves
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from test_everywhere import Quick
from test_ops import records, tensors

import autograd
import nn
import nn.functional as F
from autograd import float16, float32, float64, full, ones, tensor, zeros
from autograd.engine import accumulate
from autograd.engine.accumulate import total, total_at, total_product
from autograd.engine.tensor import Tensor, wrap

EPS = 2.0**-11  # what rounding to half may change


# ---------------------------------------------------------------- sums in slabs
@st.composite
def laid_out(draw):
    """An array of single precision with a long side, some of its axes, and its memory in any order."""
    shape = draw(
        st.sampled_from(
            [
                (5000,),
                (3000, 2),
                (2, 3000),
                (40, 3, 41),
                (3, 700, 4),
                (300, 1, 17),
                (0, 300),
                (16, 16, 16, 3),
                (70, 200),
                (1025, 20),
            ]
        )
    )
    x = np.random.default_rng(draw(st.integers(0, 99))).uniform(0.5, 1.5, shape).astype(np.float32)
    layout = draw(st.sampled_from(["C", "F", "every other", "backwards", "permuted", "repeated"]))
    if layout == "every other":
        x = np.repeat(x, 2, 0)[::2]
    elif layout == "backwards":
        x = x[::-1]
    elif layout == "permuted":
        order = draw(st.permutations(range(x.ndim)))
        x = np.transpose(np.copy(np.transpose(x, order), order="C"), np.argsort(order))
    elif layout == "repeated":
        x = np.broadcast_to(x[:1], shape) if shape[0] else x
    else:
        x = np.copy(x, order=layout)
    axis = draw(st.lists(st.integers(0, x.ndim - 1), unique=True).map(tuple))
    return x, axis


@given(laid_out(), st.booleans())
def test_sums_of_any_axes_and_layout(case, keepdims):
    x, axis = case
    for found, exact in (
        (total(x, axis, keepdims), np.sum(x, axis=axis, keepdims=keepdims, dtype=float64)),
        (total_product(x, x, axis), np.sum(np.square(x, dtype=float64), axis=axis, keepdims=True)),
    ):
        assert np.shape(found) == np.shape(exact)
        assert found.dtype == float32
        assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 255, 256, 257, 511, 512, 70_001])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_of_rows_and_of_columns_take_all_of_them(rows, keepdims):
    """Whole numbers, so that each that is left out, or there twice, shows."""
    x = np.random.default_rng(rows).integers(-9, 9, (rows, 4, 5)).astype(np.float32)
    for array, axis in ((x, (0,)), (x.T.copy(), (2,)), (x, (1, 2)), (x, (2,)), (x, (0, 1)), (x, (1,)), (x, (0, 2))):
        found = total(array, axis, keepdims)
        assert_array_equal(found, np.sum(array, axis=axis, keepdims=keepdims, dtype=np.float64))
        assert found.dtype == np.float32


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_stay_in_their_columns(special):
    x = np.ones((5000, 3), np.float32)
    x[4321, 1] = special
    assert_array_equal(total(x, (0,)), [5000, special, 5000])


@pytest.mark.parametrize("value", [0.1, 0.7, 1 / 3])
@pytest.mark.parametrize("n", [257, 4097, 100_001, 2_000_000])
def test_rounding_does_not_add_up(value, n):
    """Equal numbers are the hard case: each addition errs to the same side."""
    exact = float(np.float32(value)) * n
    assert_allclose(total(np.full((n, 2), value, np.float32), (0,)), exact, rtol=1e-6)


MILLION = np.random.default_rng(0).normal(3, 1, (1_000_000, 2)).astype(np.float32)
SINGLE = {  # sums that were off, by the function of an array whose first axis is long: of which array, and the right value
    "sum": (lambda x: x.sum(0), np.full((2_000_000, 2), 0.1, np.float32)),
    "sum of ones": (lambda x: x.sum(0), np.ones((17_000_000, 2), np.float32)),
    "mean": (lambda x: x.mean(0), MILLION), "var": (lambda x: x.var(0), MILLION), "std": (lambda x: x.std(0), MILLION),
    "nansum": (lambda x: x.nansum(0), MILLION), "norm": (lambda x: x.norm(dim=0), MILLION),
    "logsumexp": (lambda x: x.logsumexp(0), MILLION), "cumsum": (lambda x: x.cumsum(0)[-1], MILLION),
    "np.add.reduce": (lambda x: np.add.reduce(x, 0), MILLION), "einsum": (lambda x: autograd.einsum("ij,ij->j", x, x), MILLION),
    "vecdot": (lambda x: autograd.linalg.vecdot(x, x, dim=0), MILLION), "transposed": (lambda x: x.T.contiguous().sum(1), MILLION),
    "a view": (lambda x: x[::3, 1:].sum(0), MILLION), "softmax": (lambda x: 1 / x.softmax(0)[:1], MILLION),
    "log_softmax": (lambda x: x.log_softmax(0)[:1], MILLION), "matmul": (lambda x: x.T @ x, MILLION),
    "batch_norm": (lambda x: F.batch_norm(x, None, None, training=True)[:1], MILLION),
    "index_add": (lambda x: zeros(1, 2, dtype=x.dtype).index_add(0, zeros(len(x)).long(), x), MILLION),
}  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_single_precision_keeps_its_digits(name):
    call, x = SINGLE[name]
    exact = call(wrap(x.astype(np.float64)))
    found = call(wrap(x))
    assert found.dtype == float32
    assert_allclose(found.array, exact.array, rtol=1e-6, atol=1e-6)


def long_bias(library_dtype):
    b = zeros(2, dtype=library_dtype, requires_grad=True)
    (zeros(2_000_000, 2, dtype=library_dtype) + b).backward(full((2_000_000, 2), 0.1, dtype=library_dtype))
    return b.grad


def long_linear(dtype):
    layer = nn.Linear(1, 2).to(dtype)
    layer(zeros(2_000_000, 1, dtype=dtype)).backward(full((2_000_000, 2), 0.1, dtype=dtype))
    return layer.bias.grad


def long_conv(dtype):
    layer = nn.Conv2d(1, 2, 1).to(dtype)
    layer(zeros(40, 1, 100, 100, dtype=dtype)).backward(full((40, 2, 100, 100), 0.1, dtype=dtype))
    return layer.bias.grad


def long_rows(dtype):
    w = zeros(3, 2, dtype=dtype, requires_grad=True)
    F.embedding(zeros(1_000_000, dtype=autograd.int64), w).backward(full((1_000_000, 2), 0.1, dtype=dtype))
    return w.grad[0]


def long_index(dtype):
    w = zeros(3, 2, dtype=dtype, requires_grad=True)
    w[zeros(1_000_000, dtype=autograd.int64), 0].backward(full((1_000_000,), 0.1, dtype=dtype))
    return w.grad[0, :1]


@pytest.mark.parametrize("gradient", [long_bias, long_linear, long_conv, long_rows, long_index])
def test_gradients_of_what_was_broadcast_keep_their_digits(gradient):
    scale = 0.1 / np.float64(np.float32(0.1))
    assert_allclose(gradient(float32).array * scale, gradient(float64).array, rtol=1e-6)


def test_double_precision_is_added_up_alike():
    x = np.full((1_000_000, 2), 0.1)
    assert_allclose(total(x, (0,)), math.fsum(x[:, 0]), rtol=1e-15)


def test_flat_positions():
    positions = np.array([0, 2] * 3000)
    out = np.zeros(3, np.float32)
    total_at(out, positions, np.full(6000, 0.1, np.float32))
    assert_allclose(out, [300, 0, 300], rtol=1e-7)


# ---------------------------------------------------------------- half: every op
ROUNDED = dict(tanh=30, sigmoid=4, softmax=20, softmin=20, rsqrt=4, rms=8, cross_entropy=20)  # by their rounded result
ROUNDED |= dict(lstm_step=8, gru_step=8, lstm=8, gru=8)


def outcome(sample, call):
    """The results of a call, and their gradients."""
    call, xs = tensors(call, sample.smooth)
    ys = [y for y in leaves(call.run(sample.op)) if isinstance(y, Tensor)]
    us = [weights(y) for y in ys if y.requires_grad]
    gs = autograd.grad([y for y in ys if y.requires_grad], xs, us, materialize_grads=True) if us else []
    return [v for v in (*ys, *gs) if v.dtype.kind == "f"], len(ys)


@records("dtype", "half", where=lambda s: s.name not in ("gumbel_softmax", "rrelu in training"))  # which draw other numbers
def test_half_is_rounded_once(sample):
    """Values and gradients are those that double precision has of the same numbers, but for rounding."""
    for seed in range(4):
        call = sample.make(Quick(seed, dtype=np.float16))
        with np.errstate(all="ignore"):
            found, values = outcome(sample, call)
            exact, _ = outcome(sample, call.map(lambda a: a.astype(np.float64) if a.dtype.kind == "f" else a))
        for i, (y, e) in enumerate(zip(found, exact, strict=True)):
            assert y.dtype == float16
            units = 1.5 if i < values else ROUNDED.get(sample.name, 3)
            assert_allclose(
                y.array, e.array, rtol=units * EPS, atol=2.0**-23 + (i >= values) * EPS * np.max(np.abs(e.array), initial=0)
            )


# ---------------------------------------------------------------- half: long sums
LONG = {  # functions of an array (5000, 2) of numbers around 1, some of it enough for half to lose all or overflow
    "sum": lambda x: x.sum(0), "mean": lambda x: x.mean(0), "mean of all": lambda x: x.mean(), "var": lambda x: x.var(0),
    "std": lambda x: (x * 256).std(0), "nansum": lambda x: x.nansum(0), "nanmean": lambda x: x.nanmean(0),
    "norm": lambda x: (x * 256).norm(dim=0), "norm 3": lambda x: (x * 32).norm(3, 0), "norm 1": lambda x: x.norm(1, 0),
    "logsumexp": lambda x: x.logsumexp(0), "prod": lambda x: (x[:3] * 16).prod(0), "cumsum": lambda x: x.cumsum(0)[-1],
    "softmax": lambda x: x.softmax(0)[:4] * 1024, "log_softmax": lambda x: x.log_softmax(0)[:4],
    "matmul": lambda x: x.T @ x, "dot": lambda x: x[:, 0] @ x[:, 1], "einsum": lambda x: autograd.einsum("ij,ij->j", x, x),
    "vecdot": lambda x: autograd.linalg.vecdot(x, x, dim=0), "tensordot": lambda x: autograd.tensordot(x, x, ([0], [0])),
    "addmm": lambda x: autograd.addmm(x[:2], x.T, x), "linear": lambda x: F.linear(x.T, x.T), "trace": lambda x: (x @ x[:2].T)[:2].trace(),
    "normalize": lambda x: F.normalize(x * 256, dim=0)[:4] * 128, "mse_loss": lambda x: F.mse_loss(x * 64, -x * 64),
    "l1_loss": lambda x: F.l1_loss(x, -x, reduction="sum"), "cross_entropy": lambda x: F.cross_entropy(x.T, tensor([3, 7])),
    "layer_norm": lambda x: F.layer_norm(x.T * 256, (5000,))[:, :4], "batch_norm": lambda x: F.batch_norm(x * 256, None, None, training=True)[:4],
    "cosine": lambda x: F.cosine_similarity(x * 256, x.flip(0) * 128, 0), "distance": lambda x: F.pairwise_distance(x.T * 256, -x.T),
    "cdist": lambda x: autograd.cdist(x.T, -x.T), "cov": lambda x: x.T.cov(), "conv1d": lambda x: F.conv1d(x.T[None], x.T[None] * 0.125),
    "avg_pool": lambda x: F.avg_pool1d(x.T, 5000), "index_add": lambda x: zeros(2, 2, dtype=x.dtype).index_add(0, (x[:, 0] > 1).long(), x),
    "scatter_add": lambda x: zeros(1, 2, dtype=x.dtype).scatter_add(0, zeros(5000, 2).long(), x),
    "attention": lambda x: F.scaled_dot_product_attention(x[:3], x, x), "broadcast": lambda x: (x * x[0]).sum(1)[:4],
    "gather": lambda x: x[zeros(5000).long()].mean(0),
    "np.average": lambda x: np.average(x, 0, x), "trapezoid": lambda x: autograd.trapezoid(x, dim=0),
}  # fmt: skip


def weights(t):
    """Some numbers for each element, exact in half."""
    return wrap(np.asarray(np.round(8 * np.cos(np.arange(t.array.size))).reshape(t.shape) / 8, t.dtype))


@pytest.mark.parametrize("name", LONG)
def test_long_sums_of_half(name):
    """Values and gradients of two orders have the digits of half."""
    array, found, scale = np.random.default_rng(1).uniform(0.5, 1.5, (5000, 2)).astype(np.float16), [], 1.0
    for dtype in (np.float64, np.float16):
        x = wrap(array.astype(dtype)).requires_grad_()
        y = LONG[name](x)
        (g,) = autograd.grad(y, x, weights(y), create_graph=True)
        if dtype == np.float64:
            scale = 2.0 ** -np.round(np.log2(np.abs(g.array).max()))  # so that half holds the second order
        h = autograd.grad(g, x, weights(g) * scale, materialize_grads=True)[0] if g.requires_grad else g
        assert y.dtype == g.dtype == h.dtype == dtype
        found.append([t.array.astype(float) for t in (y, g, h)])
    for y, e in zip(*found, strict=True):
        assert_allclose(e, y, rtol=4 * EPS, atol=2.0**-23 + 4 * EPS * np.abs(y).max())


def test_half_as_it_is_in_the_examples():
    assert ones(5000, 2, dtype=float16).sum(0).tolist() == [5000, 5000]
    assert ones(100_000, dtype=float16).mean().item() == 1
    assert_allclose(F.softmax(zeros(5000, 2, dtype=float16), 0).array, 2e-4, rtol=EPS)
    layer = nn.Linear(3, 2).half()
    layer(ones(5000, 3, dtype=float16)).sum().backward()
    assert layer.bias.grad.tolist() == [5000, 5000]
    assert_allclose(F.normalize(full((2, 4), 300.0, dtype=float16)).array, 0.5)
    assert F.mse_loss(zeros(1000, dtype=float16), tensor([2000.0, *[0.0] * 999]).half()).item() == 4000


def test_a_weight_used_in_every_step_gets_all_of_its_gradient():
    """The parts of a gradient are added in single precision, whatever their number; hooks and leaves see half."""
    w, seen = ones(2, dtype=float16, requires_grad=True), []
    (w * 1).register_hook(seen.append)
    y = w * 1
    y.register_hook(seen.append)
    sum(y * 1.0 for _ in range(4000)).sum().backward()
    assert w.grad.tolist() == [4000, 4000]
    assert [g.dtype for g in (*seen, w.grad)] == [float16, float16]


def test_gradients_overflow_only_where_they_are_left():
    x = full((2,), 2.0, dtype=float16, requires_grad=True)
    ((x * 1000) * 0.001).backward(full((2,), 6e4, dtype=float16))
    assert_allclose(x.grad.array, 6e4, rtol=2e-3)
    x.grad = None
    (x * 1000).backward(full((2,), 6e4, dtype=float16))
    assert np.isinf(x.grad.array).all()


def test_a_function_of_ones_own_sees_half():
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            assert g.dtype == float16
            return g * ctx.saved_tensors[0] * 2

    x = ones(3, dtype=float16, requires_grad=True)
    (Square.apply(x) * 2).sum().backward()
    assert (x.grad.tolist(), x.grad.dtype) == ([4, 4, 4], float16)


def test_what_only_moves_is_not_widened(monkeypatch):
    """A row of a large table costs no copy of the table."""
    monkeypatch.setattr(accumulate, "widened", None)
    x = ones(4, 2, dtype=float16)
    for call in (lambda: x[tensor([1, 0])], lambda: x.T, lambda: x.reshape(2, 4), lambda: autograd.cat([x, x]), lambda: x.float(),
                 lambda: F.embedding(tensor([1]), x), lambda: x.clone(), lambda: x.gather(0, tensor([[1, 0]])), lambda: x * 2):  # fmt: skip
        call()
    assert np.shares_memory(x.T.array, x.array)
    with pytest.raises(TypeError):
        x.sum()


def test_other_dtypes_beside_half_are_refused_as_before():
    with pytest.raises(autograd.errors.DtypeError, match="matmul needs one dtype, but x is float16 and y is float32"):
        ones(2, 2, dtype=float16) @ ones(2, 2)
