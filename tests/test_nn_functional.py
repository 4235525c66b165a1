"""nn.functional: that it is PyTorch's, far out, at kinks and in what it refuses; and what is random or in place."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from replay import record, replay
from samples import SAMPLES as RECORDS
from samples_nn import SAMPLES
from strategies import call, calls
from test_ops import SPECIAL, like_torch

import autograd
import nn
import nn.functional as F
from autograd import Generator, float16, float32, float64, gradcheck, gradgradcheck, tensor
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError

RNG = np.random.default_rng(0)


def real(*shape, requires_grad=True, dtype=float64):
    return tensor(RNG.uniform(-3, 3, shape), requires_grad=requires_grad, dtype=dtype)


# ---------------------------------------------------------------- the records, against PyTorch
# The other records draw numbers, or are those of primitives.
PLAIN = [s for s in SAMPLES if s.op in {getattr(F, name) for name in F.__all__} and "torch" not in s.exempt]
COMPARED = pytest.mark.parametrize("sample", PLAIN, ids=lambda s: s.name)


@COMPARED
@given(st.data())
def test_values_and_gradients_are_those_of_pytorch(sample, torch, data):
    assume(
        like_torch(sample, torch, data.draw(calls(sample)), rtol=1e-7, atol=1e-9)
    )  # some of its constants are in single precision


@COMPARED
@given(st.data(), st.sampled_from(["float32", "float16"]))
def test_dtypes_stay_as_in_pytorch(sample, torch, data, dtype):
    tolerance = {"float16": 1e-2, "float32": 2e-5}[dtype]
    with np.errstate(all="ignore"):
        assume(like_torch(sample, torch, data.draw(calls(sample, dtype)), smooth=False, rtol=tolerance, atol=tolerance))


ELEMENTWISE = pytest.mark.parametrize("sample", [s for s in PLAIN if s.domains], ids=lambda s: s.name)
EDGES = np.array([*SPECIAL, 6, -3, 20.5, 1e4, -1e4])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@ELEMENTWISE
def test_far_out_and_at_kinks_they_are_those_of_pytorch(sample, torch):
    """The derivative at NaN is not compared; nor is gelu at infinity, which is NaN there in one of PyTorch's kernels."""
    points = EDGES[np.isfinite(EDGES)] if sample.name == "gelu" else EDGES
    for dtype, tolerance in ((float64, 1e-12), (float32, 1e-6)):
        assert like_torch(sample, torch, call(points.astype(dtype)), lambda x: ~np.isnan(x.array), rtol=1e-6, atol=tolerance)


@ELEMENTWISE
def test_large_numbers_do_no_harm(sample):
    """Neither in values nor in gradients of first and second order."""
    for dtype in (float64, float32):
        x = tensor([-1e4, -200.0, -20.0, 0.0, 20.0, 200.0, 1e4], dtype=dtype, requires_grad=True)
        out = sample.op(x)
        assert np.isfinite(out.detach().numpy()).all()
        (first,) = autograd.grad(out.sum(), x, create_graph=True)
        assert np.isfinite(first.detach().numpy()).all()
        if first.requires_grad:
            assert np.isfinite(autograd.grad(first.sum(), x)[0].numpy()).all()


def test_every_function_has_a_record():
    recorded = {function for s in RECORDS for function in s.functions}
    missing = [f"F.{name}" for name in F.__all__ if getattr(F, name) not in recorded]
    assert not missing, (
        f"{', '.join(missing)}: add a record to tests/samples_nn.py or its neighbours: how to draw calls, and what NumPy gives"
    )


def test_a_function_without_a_record_is_named(monkeypatch):
    monkeypatch.setattr(F, "swap_channels", lambda input, groups: input, raising=False)
    monkeypatch.setattr(F, "__all__", [*F.__all__, "swap_channels"])
    with pytest.raises(AssertionError, match=r"^F.swap_channels: add a record to tests/samples_nn.py"):
        test_every_function_has_a_record()


def test_what_functional_lists_is_there():
    found = {name for name, f in vars(F).items() if inspect.isfunction(f) and str(inspect.unwrap(f).__module__).startswith("nn.")}
    unlisted = sorted(found - {*F.__all__})
    assert not unlisted, f"{', '.join(unlisted)}: imported in nn/functional/__init__.py, so list them in its __all__"
    assert all(callable(getattr(F, name)) for name in F.__all__)
    assert nn.functional is F


# ---------------------------------------------------------------- in place
IN_PLACE = {name: {} for name in "relu relu6 leaky_relu elu celu selu silu mish hardtanh hardswish hardsigmoid rrelu".split()}
IN_PLACE |= {"threshold": {"threshold": 0.5, "value": 7.0}}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_the_input_becomes_the_result(name):
    function, x = getattr(F, name), real(20)
    h = x * 1
    out = function(h, **IN_PLACE[name], inplace=True)
    assert out is h
    (out * out).sum().backward()
    y = tensor(x.detach().numpy(), requires_grad=True)
    outside = function(y, **IN_PLACE[name])
    (outside * outside).sum().backward()
    assert_array_equal(out.detach().numpy(), outside.detach().numpy())
    assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-14)
    data = tensor(x.detach().numpy())
    array = data.array
    assert function(data, **IN_PLACE[name], inplace=True).array is array


# ---------------------------------------------------------------- refusals
def ints(*shape):
    return autograd.ones(*shape, dtype=autograd.int64)


def f32(*shape):
    return autograd.ones(*shape)


REFUSED = [
    (lambda: F.elu(ints(2)), DtypeError, "elu needs a floating-point input, not int64"),
    (lambda: F.gelu(f32(2) > 0), DtypeError, "gelu needs a floating-point input, not bool"),
    (lambda: F.mish([1.0]), UnsupportedError, "mish: input must be a tensor, not list"),
    (lambda: F.gelu(f32(1), approximate="x"), ArgumentError, "gelu: approximate is 'none' or 'tanh', got 'x'"),
    (lambda: F.celu(f32(1), 0.0), ArgumentError, "celu divides by alpha, which cannot be 0"),
    (lambda: F.rrelu(f32(1), 0.5, 0.1), ArgumentError, "rrelu: lower is at most upper, got 0.5 and 0.1"),
    (lambda: F.hardtanh(f32(1), 1.0, -1.0), ArgumentError, "hardtanh: min_val is at most max_val, got 1.0 and -1.0"),
    (lambda: F.softshrink(f32(1), -1), ArgumentError, "softshrink: lambd is 0 or more, got -1"),
    (lambda: F.glu(f32(2, 3)), ShapeError, r"glu halves dim -1, whose length must be even; input has shape \(2, 3\)"),
    (lambda: F.glu(f32()), ShapeError, "glu halves dim -1"),
    (lambda: F.prelu(f32(2, 3), f32(2)), ShapeError, r"prelu: weight has 1 slope or one for each of 3 channels, not shape \(2,\)"),
    (lambda: F.prelu(f32(2, 3), f32(1, 3)), ShapeError, "prelu: weight has 1 slope"),
    (lambda: F.prelu(f32(), f32(2)), ShapeError, "prelu: weight has 1 slope"),
    (lambda: F.prelu(f32(2, 3), f32(3).double()), DtypeError, "prelu: weight is float64, but input is float32"),
    (lambda: F.softmin(f32(2)), DimError, "softmax: say over which dim"),
    (lambda: F.normalize(f32(3)), DimError, "dim 1 does not exist"),
    (lambda: F.dropout(f32(2), 1.5), ArgumentError, "dropout: p is a probability, from 0 to 1, got 1.5"),
    (lambda: F.alpha_dropout(f32(2), -0.1), ArgumentError, "alpha_dropout: p is a probability"),
    (lambda: F.dropout1d(f32(2)), ShapeError, r"dropout1d: input has the shape \(N, C, ...\) .* got \(2,\)"),
    (lambda: F.dropout1d(f32(2, 2, 2, 2)), ShapeError, "dropout1d: input has the shape"),
    (lambda: F.bilinear(f32(2, 3), f32(2, 4), f32(5, 3, 3)), ShapeError, r"bilinear expects .* got input1 \(2, 3\), input2 \(2, 4\)"),
    (lambda: F.bilinear(f32(2, 3), f32(3, 4), f32(5, 3, 4)), ShapeError, "bilinear expects"),
    (lambda: F.bilinear(f32(3), f32(4), f32(5, 3, 4), f32(4)), ShapeError, r"bias \(4,\)"),
    (lambda: F.bilinear(f32(3), f32(4).double(), f32(5, 3, 4)), DtypeError, "bilinear: input2 is float64, but weight is float32"),
    # ---- normalizations
    (lambda: F.batch_norm(f32(1, 3), None, None, training=True), ShapeError, "batch_norm: expected more than 1 value per channel when training"),
    (lambda: F.batch_norm(f32(2, 3), None, None), ArgumentError, "batch_norm needs running_mean and running_var in evaluation"),
    (lambda: F.batch_norm(f32(2, 3), f32(3), None, training=True), ArgumentError, "batch_norm needs running_var as the other one is given"),
    (lambda: F.batch_norm(f32(2, 3), f32(2), f32(2)), ShapeError, r"batch_norm: running_mean must have shape \(3,\) for an input of shape \(2, 3\)"),
    (lambda: F.batch_norm(f32(2, 3), f32(3), f32(3), f32(2)), ShapeError, r"batch_norm: weight must have shape \(3,\)"),
    (lambda: F.batch_norm(f32(3), f32(3), f32(3)), ShapeError, r"batch_norm: input has the shape \(N, C, ...\), got \(3,\)"),
    (lambda: F.batch_norm(ints(2, 3), None, None, training=True), DtypeError, "batch_norm needs a floating-point input, not int64"),
    (lambda: F.batch_norm(f32(2, 3), f32(3), f32(3), f32(3).double()), DtypeError, "batch_norm: weight is float64, but input is float32"),
    (lambda: F.instance_norm(f32(2, 3, 1)), ShapeError, "instance_norm: expected more than 1 value per channel"),
    (lambda: F.instance_norm(f32(2, 3, 4), use_input_stats=False), ArgumentError, "instance_norm needs running_mean and running_var"),
    (lambda: F.layer_norm(f32(2, 3, 4), (3,)), ShapeError, r"layer_norm: normalized_shape \(3,\) is that of the last dims of input"),
    (lambda: F.layer_norm(f32(2, 3), ()), ShapeError, "layer_norm: normalized_shape"),
    (lambda: F.layer_norm(f32(2, 3), (3,), f32(2)), ShapeError, r"layer_norm: weight must have shape \(3,\)"),
    (lambda: F.rms_norm(ints(2, 3), (3,)), DtypeError, "rms_norm needs a floating-point input"),
    (lambda: F.group_norm(f32(2, 3), 2), ShapeError, "group_norm: 3 channels do not make 2 groups of one size"),
    (lambda: F.group_norm(f32(2, 4), 0), ShapeError, "group_norm: 4 channels do not make 0 groups"),
    (lambda: F.group_norm(f32(1, 2), 2), ShapeError, "group_norm: expected more than 1 value"),
    (lambda: F.local_response_norm(f32(2, 3), 2), ShapeError, r"local_response_norm: input has the shape \(N, C, L, ...\), got \(2, 3\)"),
    # ---- tables
    (lambda: F.one_hot(tensor([0, 3]), 3), ArgumentError, "values are classes, 0 to 2; got 0 to 3"),
    (lambda: F.one_hot(tensor([-1, 1])), ArgumentError, "values are classes, 0 to 1; got -1 to 1"),
    (lambda: F.one_hot(tensor([0.0])), DtypeError, "one_hot needs integers, not float32"),
    (lambda: F.one_hot(autograd.zeros(0, dtype=autograd.int64)), ArgumentError, "say num_classes"),
    (lambda: F.one_hot([1]), UnsupportedError, "tensor must be a tensor, not list"),
    (lambda: F.embedding(tensor([4]), f32(4, 3)), DimError, "embedding: input holds 4 to 4, but weight has rows 0 to 3"),
    (lambda: F.embedding(tensor([-1]), f32(4, 3)), DimError, "embedding: input holds -1 to -1"),
    (lambda: F.embedding(tensor([1.0]), f32(4, 3)), DtypeError, "embedding: input holds positions, integers, not float32"),
    (lambda: F.embedding(tensor([True]), f32(4, 3)), DtypeError, "embedding: input holds positions, integers, not bool"),
    (lambda: F.embedding(tensor([1]), f32(3)), ShapeError, r"embedding: weight is a matrix, of which to take rows; got shape \(3,\)"),
    (lambda: F.embedding(tensor([1]), f32(4, 3), padding_idx=4), DimError, "embedding: padding_idx 4 is no row"),
    (lambda: F.embedding_bag(tensor([1, 2]), f32(4, 3)), ArgumentError, "embedding_bag takes a matrix of bags, or a vector and the offsets"),
    (lambda: F.embedding_bag(tensor([[1, 2]]), f32(4, 3), tensor([0])), ArgumentError, "embedding_bag takes a matrix of bags"),
    (lambda: F.embedding_bag(tensor([1, 2]), f32(4, 3), tensor([1])), ArgumentError, r"offsets rise from 0 .* got \[1\]"),
    (lambda: F.embedding_bag(tensor([1, 2]), f32(4, 3), tensor([0, 3])), ArgumentError, "offsets rise from 0 to at most the length of input, 2"),
    (lambda: F.embedding_bag(tensor([1, 2, 3]), f32(4, 3), tensor([0, 2, 1])), ArgumentError, "offsets rise"),
    (lambda: F.embedding_bag(tensor([1, 2]), f32(4, 3), tensor([[0]])), DtypeError, "offsets are a vector of integers"),
    (lambda: F.embedding_bag(tensor([[1, 2]]), f32(4, 3), mode="x"), ArgumentError, "mode is 'sum', 'mean' or 'max', got 'x'"),
    (lambda: F.embedding_bag(tensor([[1]]), f32(4, 3), mode="max", scale_grad_by_freq=True), ArgumentError, "does not go with mode 'max'"),
    (lambda: F.embedding_bag(tensor([[1]]), f32(4, 3), per_sample_weights=f32(1, 1)), ArgumentError, "go with mode 'sum', not 'mean'"),
    (lambda: F.embedding_bag(tensor([[1]]), f32(4, 3), mode="sum", per_sample_weights=f32(1)), ShapeError, "have the shape of input"),
    (lambda: F.embedding_bag(tensor([[1]]), f32(4, 3), mode="sum", per_sample_weights=f32(1, 1).double()), DtypeError, "are float64"),
    # ---- attention
    (lambda: F.scaled_dot_product_attention(f32(4), f32(5, 4), f32(5, 4)), ShapeError, "query needs at least 2 dims"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 3), f32(5, 4)), ShapeError, r"expects query \(..., L, E\).* got query \(3, 4\), key \(5, 3\)"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(4, 4)), ShapeError, "expects query"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4).double(), f32(5, 4)), DtypeError, "key is float64, but query is float32"),
    (lambda: F.scaled_dot_product_attention(ints(3, 4), ints(5, 4), ints(5, 4)), DtypeError, "needs a floating-point input"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(5, 4), f32(3, 5), is_causal=True), ArgumentError, "is_causal is a mask of its own"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(5, 4), ints(3, 5)), DtypeError, "attn_mask is boolean or, as query is, float32, not int64"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(5, 4), f32(4, 5)), ShapeError, r"attn_mask \(4, 5\) does not broadcast to"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(5, 4), f32(7, 3, 5)), ShapeError, "does not broadcast"),
    (lambda: F.scaled_dot_product_attention(f32(3, 4), f32(5, 4), f32(5, 4), dropout_p=1.5), ArgumentError, "p is a probability"),
    (lambda: F.scaled_dot_product_attention(f32(6, 3, 4), f32(4, 5, 4), f32(4, 5, 4), enable_gqa=True), ShapeError, "6 heads of query cannot share 4 heads evenly"),
    # ---- distances
    (lambda: F.cosine_similarity(f32(3, 4), f32(3, 3)), ShapeError, r"x1 \(3, 4\) and x2 \(3, 3\) do not broadcast"),
    (lambda: F.cosine_similarity(ints(3), ints(3), dim=0), DtypeError, "cosine_similarity needs a floating-point input"),
    (lambda: F.cosine_similarity(f32(3), f32(3)), DimError, "cosine_similarity: dim 1 does not exist"),
    (lambda: F.pdist(f32(3)), ShapeError, r"pdist needs a matrix, got shape \(3,\)"),
]  # fmt: skip


@pytest.mark.parametrize("refused", range(len(REFUSED)))
def test_what_they_refuse_is_said_by_name(refused):
    function, error, message = REFUSED[refused]
    with pytest.raises(error, match=message):
        function()


# ---------------------------------------------------------------- activations
def test_softplus_and_logsigmoid_are_exact_far_out():
    x = tensor([-800.0, -40.0, 0.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    out = F.softplus(x, threshold=1e9)
    out.sum().backward()
    assert_allclose(out.detach().numpy(), [0, np.exp(-40.0), np.log(2), 40, 800], rtol=1e-12)
    assert_allclose(x.grad.numpy(), [0, np.exp(-40.0), 0.5, 1, 1], rtol=1e-12)
    out = F.logsigmoid(x)
    assert_allclose(out.detach().numpy(), [-800, -40, -np.log(2), -np.exp(-40.0), 0])
    assert_allclose(autograd.grad(out.sum(), x)[0].numpy(), [1, 1, 0.5, np.exp(-40.0), 0], atol=1e-300)


def test_binary_cross_entropy_is_right_far_out():
    x = tensor([-800.0, -40.0, 40.0, 800.0], dtype=float64, requires_grad=True)
    for target, expected in ((0.0, [0, np.exp(-40.0), 40, 800]), (1.0, [800, 40, np.exp(-40.0), 0])):
        losses = F.binary_cross_entropy_with_logits(x, autograd.full((4,), target, dtype=float64), reduction="none")
        assert_allclose(losses.detach().numpy(), expected, rtol=1e-12)
    x, t = tensor([0.0, 0.0, 1.0, 1.0], requires_grad=True), tensor([0.0, 1.0, 0.0, 1.0])
    out = F.binary_cross_entropy(x, t, reduction="none")
    assert out.tolist() == [0, 100, 100, 0]  # its logarithms end at -100
    out.sum().backward()
    assert_allclose(x.grad.numpy(), [0, -1e12, 1e12, 0])  # as in PyTorch


def test_rrelu_draws_slopes_in_training():
    x = autograd.full((1000,), -1.0, dtype=float64)
    out = -F.rrelu(x, 0.2, 0.6, training=True)
    assert 0.2 <= out.min() < 0.21
    assert 0.59 < out.max() <= 0.6
    assert_allclose(F.rrelu(x, 0.2, 0.6).numpy(), -0.4)


@pytest.mark.parametrize("shift", [-1000, -150, -100, -67, -60, -45, -44, -40, 0, 40, 48, 49, 60, 1000])
def test_softmax_keeps_its_digits_wherever_its_numbers_lie(shift):
    """Shares down to 1e-35, of numbers whose exp may overflow, vanish or have few digits left; and infinities in some rows."""
    x = np.random.default_rng(0).integers(-320, 321, (600, 33)) / 8.0  # from -40 to 40, exactly
    x[:, 0], x[:, 1] = 40, -40
    e = np.exp(x - x.max(1, keepdims=True))
    expected = e / e.sum(1, keepdims=True)
    np.testing.assert_allclose(F.softmax(autograd.tensor((x + shift).astype(np.float32)), 1).numpy(), expected, rtol=3e-6)
    some = (x + shift).astype(np.float32)
    some[0], some[1, 2:], some[2, 3] = -np.inf, -np.inf, np.inf
    with np.errstate(invalid="ignore"):
        shares = F.softmax(autograd.tensor(some), 1).numpy()
    np.testing.assert_allclose(shares[3:], expected[3:], rtol=3e-6)
    np.testing.assert_allclose(shares[1, :2], [1, np.exp(-80)], rtol=3e-6)


def test_gumbel_softmax_draws_as_softmax_does_and_hard_is_one_hot():
    logits = tensor(np.log([0.1, 0.6, 0.3]) + 5, requires_grad=True)
    generator = Generator().manual_seed(0)
    hard = F.gumbel_softmax(logits.expand(4000, 3), hard=True, generator=generator)
    assert_allclose(np.sort(hard.detach().numpy(), 1), np.tile([0, 0, 1], (4000, 1)), atol=1e-12)
    assert_allclose(hard.detach().numpy().mean(0), [0.1, 0.6, 0.3], atol=0.03)
    weights = autograd.arange(3, dtype=float64)
    soft = [F.gumbel_softmax(logits, 0.7, h, generator=generator.manual_seed(1)) for h in (True, False)]
    gradients = [autograd.grad((y * weights).sum(), logits)[0].numpy() for y in soft]
    assert_allclose(*gradients)  # that of the shares, whichever is returned
    assert F.gumbel_softmax(autograd.tensor(1.0), hard=True).item() == 1


def test_normalize_of_zeros_is_zero_and_has_a_gradient():
    x = autograd.zeros(1, 3, requires_grad=True, dtype=float64)
    out = F.normalize(x)
    out.sum().backward()
    assert_array_equal(out.detach().numpy(), np.zeros((1, 3)))
    assert_allclose(x.grad.numpy(), np.full((1, 3), 1e12))  # that of division by eps, as in PyTorch


# ---------------------------------------------------------------- dropouts
@pytest.mark.parametrize(
    ("name", "shape", "lead"),
    [("dropout1d", (200, 50, 3), 2), ("dropout1d", (5000, 3), 1), ("dropout2d", (200, 50, 2, 3), 2), ("dropout2d", (200, 50, 3), 2),
     ("dropout3d", (200, 50, 2, 1, 3), 2), ("dropout3d", (5000, 2, 2, 3), 1), ("feature_alpha_dropout", (200, 50, 3), 2)],
)  # fmt: skip
def test_channels_are_dropped_as_a_whole(name, shape, lead):
    p, x = 0.3, autograd.ones(shape, dtype=float64)
    out = getattr(F, name)(x, p, True).numpy().reshape(*shape[:lead], -1)
    assert (out == out[..., :1]).all()
    low, high = np.unique(out)
    assert_allclose((out == low).mean(), p, atol=0.02)
    if name != "feature_alpha_dropout":
        assert (low, high) == (0, 1 / (1 - p))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p):
    x = autograd.randn(200, 500, generator=Generator().manual_seed(0), dtype=float64)
    out = F.alpha_dropout(x, p, training=True, generator=Generator().manual_seed(1)).numpy()
    assert_allclose([out.mean(), out.var()], [0, 1], atol=0.03)


@pytest.mark.parametrize("name", [name for name in F.__all__ if "dropout" in name])
def test_without_training_nothing_is_dropped_and_with_p_1_all_is(name):
    x, drop = real(3, 2, 2), getattr(F, name)
    assert drop(x, 0.5, False) is x
    assert drop(x, 0.0, True) is x
    assert_array_equal(drop(x, 1.0, True).detach().numpy(), np.zeros((3, 2, 2)))
    h = x * 1
    assert drop(h, 0.5, True, True) is h
    h.sum().backward()


# ---------------------------------------------------------------- normalizations
def test_batch_norm_moves_its_running_statistics_as_pytorch_does(torch):
    for name, shape in (("batch_norm", (4, 3)), ("batch_norm", (4, 3, 5, 2)), ("instance_norm", (4, 3, 5))):
        x, mean, var = RNG.normal(1, 3, shape), RNG.normal(0, 1, 3), RNG.uniform(1, 2, 3)
        ours, theirs = [[lib(v.copy()) for v in (x, mean, var)] for lib in (tensor, torch.tensor)]
        arrays = [t.array for t in ours[1:]]
        for _ in range(2):
            args = dict(momentum=0.3, eps=1e-3) | ({"training": True} if name == "batch_norm" else {})
            out, expected = getattr(F, name)(*ours, **args), getattr(torch.nn.functional, name)(*theirs, **args)
            assert_allclose(out.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)
        for t, e, array in zip(ours[1:], theirs[1:], arrays, strict=True):
            assert t.array is array
            assert_allclose(t.numpy(), e.numpy(), rtol=1e-12)
        args = {"use_input_stats": False} if name == "instance_norm" else {}
        for t in (ours, theirs):
            t[0].requires_grad = True
        out, expected = getattr(F, name)(*ours, **args), getattr(torch.nn.functional, name)(*theirs, **args)
        (out * out).sum().backward()
        (expected * expected).sum().backward()
        assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10)
        assert_allclose(ours[0].grad.numpy(), theirs[0].grad.numpy(), rtol=1e-10)


def test_running_statistics_stand_outside_the_graph():
    x, mean, var = real(4, 3), autograd.zeros(3, dtype=float64), autograd.ones(3, dtype=float64)
    F.batch_norm(x, mean, var, training=True).sum().backward()
    assert not mean.requires_grad
    assert mean.is_leaf
    assert x.grad is not None


@pytest.mark.parametrize("dtype", [float16, float32, float64])
def test_a_constant_is_normalized_to_zero_with_a_finite_gradient(dtype):
    x = autograd.full((4, 6), 300.0, dtype=dtype, requires_grad=True)  # whose square is more than float16 holds
    outs = F.layer_norm(x, (6,)), F.batch_norm(x, None, None, training=True), F.group_norm(x, 2), F.instance_norm(x[None])
    for out in outs:
        (first,) = autograd.grad((out * autograd.arange(24).reshape(4, 6)).sum(), x, create_graph=True)
        assert out.dtype == first.dtype == dtype
        assert_array_equal(out.detach().numpy(), np.zeros(out.shape))
        assert np.isfinite(first.detach().numpy()).all()
        assert np.isfinite(autograd.grad((first.double() ** 2).sum(), x)[0].numpy()).all()
    assert_allclose(F.rms_norm(x, (6,)).detach().numpy(), np.ones((4, 6)), rtol=1e-3)
    assert_array_equal(F.rms_norm(x * 0, (6,)).detach().numpy(), np.zeros((4, 6)))


def test_half_precision_takes_parameters_in_single_precision():
    x = autograd.randn(4, 6).half()
    for out in (F.layer_norm(x, (6,), f32(6), f32(6)), F.rms_norm(x, (6,), f32(6)), F.group_norm(x, 2, f32(6)),
                F.batch_norm(x, f32(6), f32(6), f32(6), f32(6)), F.batch_norm(x, f32(6), f32(6), training=True)):  # fmt: skip
        assert out.dtype == float16


def test_nothing_is_normalized_to_nothing():
    w = f32(3).requires_grad_()
    mean = autograd.zeros(3)
    out = F.batch_norm(autograd.zeros(0, 3), mean, f32(3), w, training=True)
    out.sum().backward()
    assert (out.shape, w.grad.tolist(), mean.tolist()) == ((0, 3), [0, 0, 0], [0, 0, 0])
    assert F.layer_norm(autograd.zeros(2, 0), (0,)).shape == F.rms_norm(autograd.zeros(2, 0), (0,)).shape == (2, 0)
    assert F.group_norm(autograd.zeros(0, 4, 3), 2).shape == (0, 4, 3)
    assert F.instance_norm(autograd.zeros(2, 4, 0)).shape == (2, 4, 0)


# ---------------------------------------------------------------- tables
def test_one_hot():
    out = F.one_hot(tensor([[0, 2], [1, 0]]))
    assert out.dtype == np.int64
    assert_array_equal(out.numpy(), np.eye(3)[[[0, 2], [1, 0]]])
    assert F.one_hot(tensor([1]), num_classes=4).tolist() == [[0, 1, 0, 0]]
    assert F.one_hot(tensor(np.array([1], np.uint8)), 3).tolist() == [[0, 1, 0]]
    assert F.one_hot(autograd.zeros(0, dtype=autograd.int64), 3).shape == (0, 3)


TABLES = {  # calls that PyTorch answers too: of input and weight, with options
    "embedding, padding": (F.embedding, [[1, 2, 2], [0, 0, 3]], {"padding_idx": 2}),
    "embedding, padding from the end": (F.embedding, [[1, 2, 2], [0, 0, 3]], {"padding_idx": -1}),
    "embedding, by frequency": (F.embedding, [[1, 2, 2], [0, 0, 0]], {"scale_grad_by_freq": True, "padding_idx": 1}),
    "embedding, one": (F.embedding, 2, {}),
    "embedding, norm": (F.embedding, [1, 2, 2, 0], {"max_norm": 2.0}),
    "embedding, another norm": (F.embedding, [1, 2, 2, 0], {"max_norm": 2.0, "norm_type": 1.0}),
    **{
        f"embedding_bag, {name} {mode}": (F.embedding_bag, input, {"mode": mode, **options})
        for mode in ("sum", "mean", "max")
        for name, input, options in [
            ("rows", [[1, 2], [3, 3]], {}),
            ("rows with padding", [[1, 2], [2, 2]], {"padding_idx": 2}),
            ("offsets", [1, 2, 0, 3], {"offsets": [0, 2, 2]}),
            ("offsets with padding", [1, 2, 0, 3], {"offsets": [0, 2, 2], "padding_idx": -2}),
            ("offsets and an end", [1, 2, 0, 3], {"offsets": [0, 3, 4], "include_last_offset": True}),
            ("empty bags", [1, 2], {"offsets": [0, 0, 2, 2]}),
            ("nothing", [], {"offsets": [0, 0]}),
            ("norm", [1, 2, 2], {"offsets": [0, 1], "max_norm": 1.5}),
        ]
    },
    "embedding_bag, weighted": (
        F.embedding_bag,
        [[1, 2], [3, 3]],
        {"mode": "sum", "per_sample_weights": [[0.5, -1.0], [2.0, 3.0]]},
    ),
    "embedding_bag, by frequency": (
        F.embedding_bag,
        [1, 2, 2, 0],
        {"offsets": [0, 3], "mode": "mean", "scale_grad_by_freq": True},
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_give_what_pytorchs_give(case, torch):
    function, input, options = TABLES[case]
    table = np.random.default_rng(1).uniform(-2, 2, (4, 3))
    found = []
    for lib, there in ((autograd, False), (torch, True)):
        weight = lib.tensor(table.copy(), requires_grad=True)
        given = {
            k: lib.tensor(v, dtype=lib.float64 if k == "per_sample_weights" else lib.int64) if isinstance(v, list) else v
            for k, v in options.items()
        }
        call = getattr(torch.nn.functional, function.__name__) if there else function
        out = call(lib.tensor(input, dtype=lib.int64), weight, **given)
        (out * out).sum().backward()
        found.append([v.detach().numpy() for v in (out, weight, weight.grad)])
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(ours, theirs, rtol=1e-7)  # frequencies are in single precision there


def test_of_rows_that_tie_the_first_in_a_bag_gets_the_gradient():
    weight = autograd.ones(4, 2, requires_grad=True)
    F.embedding_bag(tensor([3, 1, 1, 0]), weight, tensor([0, 2]), mode="max").sum().backward()
    assert weight.grad.tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_the_gradient_of_an_embedding_has_gradients():
    weight, up = real(4, 3), real(2, 2, 3)
    positions = tensor([[0, 1], [1, 3]])
    assert gradgradcheck(lambda w: F.embedding(positions, w) ** 3, weight)
    (g,) = autograd.grad(F.embedding(positions, weight, padding_idx=1, scale_grad_by_freq=True), weight, up, create_graph=True)
    assert gradcheck(
        lambda up: autograd.grad(F.embedding(positions, weight, padding_idx=1), weight, up, create_graph=True)[0], up
    )
    assert g.detach().numpy()[1].tolist() == [0, 0, 0]


# ---------------------------------------------------------------- attention
def test_a_query_that_sees_nothing_gets_zeros_and_gives_no_gradient(torch):
    q, k, v = (RNG.normal(size=s) for s in ((2, 3, 4), (2, 5, 4), (2, 5, 6)))
    seen = np.ones((3, 5), bool)
    seen[1] = False
    for mask in (seen, np.where(seen, RNG.normal(size=(3, 5)), -np.inf)):
        found = []
        for lib, attend in (
            (autograd, F.scaled_dot_product_attention),
            (torch, torch.nn.functional.scaled_dot_product_attention),
        ):
            args = [lib.tensor(a, requires_grad=True) for a in (q, k, v)]
            m = lib.tensor(mask, requires_grad=mask.dtype != bool)
            out = attend(*args, attn_mask=m)
            out.sum().backward()
            found.append([out.detach().numpy(), *(t.grad.numpy() for t in ([*args, m] if m.requires_grad else args))])
        for ours, theirs in zip(*found, strict=True):
            assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
        assert_array_equal(found[0][0][:, 1], np.zeros((2, 6)))


def test_attention_over_nothing():
    attend = F.scaled_dot_product_attention
    assert attend(f32(2, 0, 4), f32(2, 5, 4), f32(2, 5, 6)).shape == (2, 0, 6)
    assert_array_equal(attend(f32(2, 3, 4), f32(2, 0, 4), f32(2, 0, 6)).numpy(), np.zeros((2, 3, 6)))
    assert_allclose(attend(f32(3, 0), f32(5, 0), f32(5, 2)).numpy(), np.ones((3, 2)), rtol=1e-6)


def test_attention_drops_weights():
    v = autograd.eye(1000, dtype=float64)
    weights = F.scaled_dot_product_attention(
        autograd.zeros(20, 1, dtype=float64), autograd.zeros(1000, 1, dtype=float64), v, dropout_p=0.25
    )
    assert_allclose(np.unique(weights.numpy()), [0, 1e-3 / 0.75])
    assert_allclose((weights.numpy() == 0).mean(), 0.25, atol=0.02)


# ---------------------------------------------------------------- distances
def test_vectors_that_are_zero_have_a_cosine_and_gradients():
    x, y = autograd.zeros(4, dtype=float64, requires_grad=True), autograd.ones(4, dtype=float64)
    out = F.cosine_similarity(x, y, dim=0, eps=0.5)
    out.backward()
    assert out.item() == 0
    assert_allclose(x.grad.numpy(), np.ones(4))
    x = real(3, 4)
    d = F.pdist(autograd.cat([x, x]))
    d.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


# ---------------------------------------------------------------- captured
def test_a_step_made_of_them_can_be_replayed():
    """With other numbers, masks, positions and offsets the tape computes what the step would, in place too."""

    def inputs(seed):
        rng = np.random.default_rng(seed)
        offsets = [[0, 2, 2, 9], [0, 0, 5, 12]][seed]
        return rng.normal(size=(4, 6, 5)), rng.integers(0, 7, (4, 5)), np.array(offsets), rng.random((5, 5)) < 0.4

    def make():
        given = [tensor(v) for v in inputs(0)]
        w = tensor(np.random.default_rng(2).normal(size=(7, 6)), requires_grad=True)
        mean, var = autograd.zeros(6, dtype=float64), autograd.ones(6, dtype=float64)

        def step():
            x, positions, offsets, mask = given
            w.grad = None
            h = F.embedding(positions, w, padding_idx=1, max_norm=1.5, scale_grad_by_freq=True).mT + x
            h = F.instance_norm(F.batch_norm(h, mean, var, training=True), mean, var).mT
            h = F.layer_norm(F.selu(F.scaled_dot_product_attention(h, F.gelu(h), F.gelu(h, "tanh"), mask)), (6,))
            h = F.group_norm(F.hardswish(h) + F.normalize(h, dim=-1) + F.softshrink(h) + F.rms_norm(h, (6,)), 1)
            bags = sum(F.embedding_bag(positions.reshape(-1), w, offsets, mode=m, padding_idx=3) for m in ("sum", "mean", "max"))
            ((h * autograd.arange(6)).sum() + (bags**2).sum() + F.pdist(w).sum()).backward()
            with autograd.no_grad():
                w.sub_(w.grad * 0.01)

        return step, given, (mean, var, w)

    (step, given, ours), (anew, given_anew, theirs) = make(), make()
    tape = record(step)
    record(anew)  # with a tape as well: on plain arrays some rules add up in another order
    for tensors in (given, given_anew):
        for t, v in zip(tensors, inputs(1), strict=True):
            t.array[...] = v
    replay(tape)
    record(anew)
    for t, e in zip(ours, theirs, strict=True):
        assert_array_equal(t.array, e.array)


def test_pad_and_flatten_are_there():
    assert F.pad(autograd.ones(1, 2), (1, 0, 0, 1)).tolist() == [[0, 1, 1], [0, 0, 0]]
    assert F.flatten(autograd.ones(2, 3, 4), 1).shape == (2, 12)


# ---------------------------------------------------------------- integers
INTEGERS = {  # what takes them, T making tensors: the result, and its dtype
    "F.relu6(T([-1, 3, 9]))": ([0, 3, 6], "int64"),
    "F.relu6(T([-1, 9]), inplace=True)": ([0, 6], "int64"),
    "F.hardtanh(T([-3, 0, 2]))": ([-1, 0, 1], "int64"),
    "F.hardtanh(T([-3, 2]).int(), -2.5, 1.5)": ([-2, 1], "int32"),
    "F.hardtanh(T([1, 9]).short(), 2, 5, inplace=True)": ([2, 5], "int16"),
    "F.threshold(T([-1, 2]), 0.5, 7.5)": ([7, 2], "int64"),
    "F.threshold(T([-1, 0, 2]), -0.5, 7)": ([7, 7, 2], "int64"),
    "F.threshold(T([-1, 2]), 0, 3, inplace=True)": ([3, 2], "int64"),
    "F.l1_loss(T([-1, 2]), T([3, 4]), reduction='none')": ([4, 2], "int64"),
    "F.l1_loss(T([-1, 2]), T([3, 4]), reduction='sum')": (6, "int64"),
    "F.l1_loss(T([-1, 2]), T([3.0, 4.0]))": (3, "float32"),
    "F.mse_loss(T([-1, 2]), T([3.0, 4.0]))": (10, "float32"),
    "F.smooth_l1_loss(T([-1, 2]), T([3.0, 4.0]))": (2.5, "float32"),
    "F.gaussian_nll_loss(T([-1, 2]), T([1.0, 1.0]), T([1.0, 1.0]))": (1.25, "float32"),
    "F.margin_ranking_loss(T([-1, 2]), T([3, 4]), T([1, -1]))": (2, "float32"),
    "F.margin_ranking_loss(T([-1, 2]), T([3, 4]), T([1, -1]), margin=2, reduction='none')": ([6, 0], "float32"),
    "F.margin_ranking_loss(T([-1, 2]), T([3, 4]), T([1, -1]), margin=0.5, reduction='sum')": (4.5, "float32"),
    "F.margin_ranking_loss(T([-1, 2]), T([3.0, 4.0]), T([1, -1]))": (2, "float32"),
    "F.poisson_nll_loss(T([0, 0]), T([1, 2]))": (1, "float32"),
    "F.cosine_embedding_loss(T([[0, 1]]), T([[0, 1]]), T([1]))": (0, "float32"),
    "F.triplet_margin_loss(T([[0, 1]]), T([[0, 1]]), T([[0, 1]]), reduction='sum')": (1, "float32"),
}


@pytest.mark.parametrize("call", INTEGERS)
def test_what_takes_integers(call):
    found = eval(call, {"F": F, "T": tensor})
    expected, dtype = INTEGERS[call]
    assert found.dtype == dtype
    assert_allclose(found.tolist(), expected, atol=1e-5)


@pytest.mark.parametrize("call", INTEGERS)
def test_what_takes_integers_in_pytorch(call, torch):
    found = eval(call, {"F": torch.nn.functional, "T": torch.tensor})
    expected, dtype = INTEGERS[call]
    assert found.dtype == getattr(torch, dtype)
    assert_allclose(found.tolist(), expected, atol=1e-5)


def test_hinge_embedding_loss_of_integers_keeps_a_margin_that_is_none():
    found = F.hinge_embedding_loss(tensor([-1, 0]), tensor([1, -1]), margin=1.5, reduction="none")
    assert found.tolist() == [-1, 1.5]  # where PyTorch's is cut off


def test_layers_take_integers_where_their_functions_do():
    assert nn.ReLU6()(tensor([-1, 9])).tolist() == [0, 6]
    assert nn.Hardtanh()(tensor([-3, 9])).tolist() == [-1, 1]
    assert nn.Threshold(0, 5)(tensor([-3, 9])).tolist() == [5, 9]
    assert nn.MarginRankingLoss()(tensor([1]), tensor([3]), tensor([1])).item() == 2


# ---------------------------------------------------------------- the order of embedding_bag of old
def test_embedding_bag_takes_the_old_order_with_a_warning():
    weight, bags = autograd.arange(12.0).reshape(4, 3).requires_grad_(), tensor([[0, 1], [2, 3]])
    with pytest.warns(UserWarning, match="embedding_bag takes input, the positions, before weight") as found:
        old = F.embedding_bag(weight, bags)
    assert [w.filename for w in found] == [__file__]
    assert old.tolist() == F.embedding_bag(bags, weight).tolist() == [[1.5, 2.5, 3.5], [7.5, 8.5, 9.5]]
    old.sum().backward()
    assert weight.grad.tolist() == [[0.5] * 3] * 4
    with pytest.raises(DtypeError, match="embedding: input holds positions, integers, not float32"):
        F.embedding(weight, bags)


def test_pytorchs_embedding_bag_does_too(torch):
    with pytest.warns(UserWarning, match="Argument order of nn.functional.embedding_bag was changed"):
        old = torch.nn.functional.embedding_bag(torch.arange(12.0).reshape(4, 3), torch.tensor([[0, 1], [2, 3]]))
    assert old.tolist() == [[1.5, 2.5, 3.5], [7.5, 8.5, 9.5]]
