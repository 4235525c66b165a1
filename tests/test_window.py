"""Convolution, pooling, padding and resampling; the records in samples_window.py test their values, orders and foreign arrays."""

import inspect
import warnings

import numpy as np
import pytest
from helpers import leaf
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples_window import WINDOW_SAMPLES
from strategies import calls

import autograd
import nn
import nn.functional as F
from autograd import tensor
from autograd.check.gradcheck import gradcheck, gradgradcheck
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError
from nn.functional import conv


def rand(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---------------------------------------------------------------- against PyTorch
PUBLIC = [s for s in WINDOW_SAMPLES if s.name.startswith("F.") and "torch" not in s.exempt]


def theirs(torch, name, call):
    """PyTorch's function, and its arguments: ours take the number of sizes first where PyTorch has several functions."""
    functions = torch.nn.functional
    if hasattr(functions, name):
        return getattr(functions, name), call
    n, *args = call.args
    return getattr(functions, f"{name}{n}d"), type(call)(tuple(args), call.kwargs)


@pytest.mark.parametrize("sample", PUBLIC, ids=lambda s: s.name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=str)
@given(data=st.data())
def test_like_torch(torch, sample, dtype, data):
    """Values, indices, shapes, dtypes and gradients."""
    call = data.draw(calls(sample, dtype))
    ours = call.map(lambda a: wrap(a).requires_grad_(a.dtype.kind == "f"))
    call = call.map(lambda a: torch.from_numpy(a.copy()).requires_grad_(a.dtype.kind == "f"))
    function, call = theirs(torch, sample.name.removeprefix("F."), call)
    found = ours.run(sample.op)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of slow paths and of changes long ago
        expected = call.run(function)
    pairs = list(zip(found, expected, strict=True)) if isinstance(expected, tuple) else [(found, expected)]
    tolerance = {"rtol": 1e-10, "atol": 1e-10} if dtype == np.float64 else {"rtol": 2e-4, "atol": 2e-5}
    for y, e in pairs:
        assert (y.shape, f"torch.{y.dtype}") == (tuple(e.shape), str(e.dtype))
        assert_allclose(y.array, e.detach().numpy(), **tolerance)
    if sample.name == "F.interpolate" and "scale_factor" in call.kwargs and not call.kwargs.get("recompute_scale_factor"):
        changes = np.divide(y.shape[2:], ours.inputs()[0].shape[2:])
        if np.any(np.isin(changes, (1, 2)) & (changes != call.kwargs["scale_factor"])):
            return  # PyTorch's result goes by the factor, but its gradient by the sizes: it is not the result's gradient
    u = np.sin(1 + np.arange(found[0].array.size if len(pairs) > 1 else found.array.size))
    y, e = pairs[0]
    u = u.reshape(y.shape).astype(dtype)
    wanted = torch.autograd.grad(e, call.inputs(), torch.from_numpy(u), materialize_grads=True)
    for x, g, w in zip(ours.inputs(), autograd.grad(y, ours.inputs(), wrap(u), materialize_grads=True), wanted, strict=True):
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
        assert_allclose(g.array, w.numpy(), **(tolerance if dtype == np.float64 else {"rtol": 2e-3, "atol": 2e-4}))


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_at_kinks_like_torch(torch, mode, padding_mode, align_corners):
    """On the elements themselves and on the border, where an identity map takes its points."""
    x, theta = rand(2, 3, 4, 5), np.array([[[1.0, 0, 0], [0, 1, 0]], [[2.0, 0, 0], [0, -1, 0]]])
    a, t = map(leaf, (x, theta))
    b, s = torch.tensor(x, requires_grad=True), torch.tensor(theta, requires_grad=True)
    y = F.grid_sample(a, F.affine_grid(t, (2, 3, 4, 5), align_corners), mode, padding_mode, align_corners)
    grid = torch.nn.functional.affine_grid(s, (2, 3, 4, 5), align_corners)
    e = torch.nn.functional.grid_sample(b, grid, mode, padding_mode, align_corners)
    if mode != "nearest" or align_corners:  # half way between two elements rounding decides which is nearest
        assert_allclose(y.array, e.detach().numpy(), atol=1e-12)
    if mode == "bilinear" and padding_mode != "reflection" and align_corners:
        u = rand(*y.shape, seed=1)
        gs = autograd.grad(y, [a, t], wrap(u))
        for g, w in zip(gs, torch.autograd.grad(e, [b, s], torch.from_numpy(u)), strict=True):
            assert_allclose(g.array, w.numpy(), atol=1e-9)


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_takes_the_elements_that_torch_takes(torch, mode, n):
    """Also where the last bit decides if a position is whole. There PyTorch's 1-d and 2-d forms differ: ours are as its 2-d."""
    x = np.arange(float(n)).reshape(1, 1, 1, n)
    factors = [f for f in (0.3, 0.7, 1.1, 1.3, 1 / 3, 5 / 3, 2.0, 3.7) if int(n * f)]
    for how in [{"size": (1, m)} for m in range(1, 60)] + [{"scale_factor": (1.0, f)} for f in factors]:
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), mode=mode, **how)
        assert_array_equal(F.interpolate(wrap(x), mode=mode, **how).array, expected.numpy(), err_msg=str(how))


# ---------------------------------------------------------------- one convolution, three primitives
def shifted(x, w, stride, groups):
    """A convolution of images with two sizes as a sum over the kernel's places: other than the primitive and the reference."""
    kh, kw = w.shape[2:]
    h, v = ((m - k) // stride + 1 for m, k in zip(x.shape[2:], (kh, kw), strict=True))
    out = 0
    for i, j in np.ndindex(kh, kw):
        seen = x[:, :, i : i + (h - 1) * stride + 1 : stride, j : j + (v - 1) * stride + 1 : stride]
        seen, part = seen.reshape(len(x), groups, -1, h, v), w[:, :, i, j].reshape(groups, -1, w.shape[1])
        out = out + np.einsum("ngchw,goc->ngohw", seen, part)
    return out.reshape(len(x), -1, h, v)


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (16, 1), (16, 2), (16, 16), (4, 2)])
@pytest.mark.parametrize("memory", ["channels first", "channels last"])
def test_convolution_of_many_images(channels, groups, memory):
    """So many that they are done in several parts, in either layout; and sum(y * conv(x, w)) has these derivatives."""
    x, w, b = rand(30, channels, 40, 30), rand(groups * 2, channels // groups, 3, 3), rand(groups * 2)
    if memory == "channels last":
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    assert sum(1 for _ in conv._batches(30, 38 * 28 * 9 * channels)) > 1
    xt, wt, bt = map(leaf, (x, w, b))
    out = F.conv2d(xt, wt, bt, groups=groups)
    assert_allclose(out.array, shifted(x, w, 1, groups) + b[:, None, None], rtol=1e-10, atol=1e-10)
    y = rand(*out.shape, seed=1)
    dx, dw, db = autograd.grad(out, [xt, wt, bt], wrap(y))
    vx, vw = rand(*x.shape, seed=2), rand(*w.shape, seed=3)
    assert_allclose(np.sum(dx.array * vx), np.sum(y * shifted(vx, w, 1, groups)), rtol=1e-9)
    assert_allclose(np.sum(dw.array * vw), np.sum(y * shifted(x, vw, 1, groups)), rtol=1e-9)
    assert_allclose(db.array, y.sum((0, 2, 3)), rtol=1e-9)


def test_conv_transpose_is_the_adjoint_of_conv():
    """sum(conv(x, w) * y) is sum(x * conv_transpose(y, w)), whatever stride, padding, dilation and groups are."""
    options = {"stride": (2, 3), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    x, w = rand(2, 4, 8, 7), rand(6, 2, 3, 2)
    forth = F.conv2d(wrap(x), wrap(w), **options)
    y = rand(*forth.shape, seed=1)
    back = F.conv_transpose2d(wrap(y), wrap(w), output_padding=(1, 1), **options)
    assert back.shape == x.shape
    assert_allclose(np.sum(forth.array * y), np.sum(back.array * x), rtol=1e-12)


SMALL = {  # what composes several primitives, to second order; each a function and the shapes of its arguments
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1, stride=2), (1, 2, 3, 4), (2, 2, 2, 3), (2,)),
    "conv2d groups": (lambda x, w: F.conv2d(x, w, groups=2, dilation=2, padding="same"), (2, 2, 3, 3), (2, 1, 2, 2)),
    "conv1d wide": (lambda x, w: F.conv1d(x, w), (1, 9, 3), (2, 9, 2)),
    "conv_transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1), (1, 2, 2, 2), (2, 1, 3, 3), (1,)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2, stride=1, padding=1) ** 2, (1, 1, 3, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2, padding=1, ceil_mode=True, count_include_pad=False) ** 3, (1, 1, 3, 4)),
    "adaptive_max_pool1d": (lambda x: F.adaptive_max_pool1d(x, 3) ** 2, (1, 2, 5)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, None)) ** 2, (1, 1, 3, 2)),
    "bicubic": (lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic") ** 2, (1, 1, 2, 3)),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect") ** 2, (1, 2, 3)),
    "grid_sample": (lambda x, g: F.grid_sample(x, g.tanh() * 1.3), (1, 2, 3, 2), (1, 2, 2, 2)),
}


@pytest.mark.parametrize("name", SMALL)
def test_second_order(name):
    function, *shapes = SMALL[name]
    inputs = [leaf(rand(*shape, seed=i + 1)) for i, shape in enumerate(shapes)]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


# ---------------------------------------------------------------- by hand
def test_a_convolution_by_hand():
    x, w = wrap(np.arange(6.0).reshape(1, 1, 2, 3)), wrap(np.array([[[[1.0, 10.0]]]]))
    assert F.conv2d(x, w).tolist() == [[[[10, 21], [43, 54]]]]
    assert F.conv2d(x, w, padding="same").tolist() == [[[[10, 21, 2], [43, 54, 5]]]]
    assert F.conv_transpose2d(x, w).tolist() == [[[[0, 1, 12, 20], [3, 34, 45, 50]]]]


def test_pools_by_hand():
    x = wrap(np.array([[[1.0, 5, 2, 4, 3]]]))
    values, indices = F.max_pool1d(x, 2, ceil_mode=True, return_indices=True)
    assert (values.tolist(), indices.tolist(), indices.dtype) == ([[[5, 4, 3]]], [[[1, 3, 4]]], np.int64)
    assert F.avg_pool1d(x, 2, padding=1).tolist() == [[[0.5, 3.5, 3.5]]]
    assert F.avg_pool1d(x, 2, padding=1, count_include_pad=False).tolist() == [[[1, 3.5, 3.5]]]
    assert F.avg_pool1d(x, 2, ceil_mode=True).tolist() == [[[3, 3, 3]]]
    assert F.adaptive_avg_pool1d(x, 2).tolist() == [[[8 / 3, 3]]]
    assert [t.tolist() for t in F.adaptive_max_pool1d(x, 2, return_indices=True)] == [[[[5, 4]]], [[[1, 3]]]]


def test_ties_go_to_the_first():
    x = leaf(np.zeros((1, 1, 3, 3)))
    values, indices = F.max_pool2d(x, 2, stride=1, return_indices=True)
    assert indices.tolist() == [[[[0, 1], [3, 4]]]]
    values.sum().backward()
    assert x.grad.tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]
    x.grad = None
    F.adaptive_max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]


def test_padding_never_wins_nor_gets_a_gradient():
    x = leaf(np.full((1, 1, 4), -np.inf))
    values, indices = F.max_pool1d(x, 3, stride=2, padding=1, return_indices=True)
    assert (values.tolist(), indices.tolist()) == ([[[-np.inf, -np.inf]]], [[[0, 1]]])
    values.backward(wrap(np.ones((1, 1, 2))))
    assert x.grad.tolist() == [[[1, 1, 0, 0]]]
    assert F.max_pool1d(wrap(np.full((1, 1, 4), -3)), 3, 1, 1).tolist() == [[[-3] * 4]]  # integers too


def test_nan_wins_where_it_is_and_stays_there():
    x = leaf([[[1.0, np.nan, 2, 0, 3, 1]]])
    values, indices = F.max_pool1d(x, 2, return_indices=True)
    assert_array_equal(values.array, [[[np.nan, 2, 3]]])
    assert indices.tolist() == [[[1, 2, 4]]]
    (g,) = autograd.grad(values, x, wrap(np.ones((1, 1, 3))))
    assert g.tolist() == [[[0, 1, 1, 0, 1, 0]]]
    assert np.isnan(F.interpolate(x, size=12, mode="linear").array).tolist() == [[[True] * 5 + [False] * 7]]  # PyTorch's too
    assert np.isnan(F.pad(x, (2, 2), mode="reflect").array).sum() == 2  # itself and its mirror image


def test_what_lies_outside_is_zero_whatever_is_inside():
    x, grid = wrap(np.full((1, 1, 2, 2), np.inf)), wrap(np.full((1, 1, 1, 2), 5.0))
    assert F.grid_sample(x, grid).tolist() == [[[[0]]]]
    assert F.grid_sample(x, wrap(np.full((1, 1, 1, 2), 1e30))).tolist() == [[[[0]]]]


def test_shuffles_are_inverse():
    x = rand(2, 8, 3, 2)
    y = F.pixel_shuffle(wrap(x), 2)
    assert y.shape == (2, 2, 6, 4)
    assert y.array[1, 1, 5, 2] == x[1, 4 + 2, 2, 1]
    assert_array_equal(F.pixel_unshuffle(y, 2).array, x)


def test_fold_of_unfold_counts_the_windows():
    x = rand(1, 2, 4, 4)
    columns = F.unfold(wrap(x), 3)
    assert columns.shape == (1, 18, 4)
    times = np.array([1, 2, 2, 1])
    assert_allclose(F.fold(columns, (4, 4), 3).array, x * times * times[:, None], rtol=1e-12)


# ---------------------------------------------------------------- small and empty
EMPTY = {
    "conv1d": lambda x: F.conv1d(x, wrap(rand(4, 3, 2)), wrap(rand(4))),
    "conv1d wide": lambda x: F.conv1d(F.pad(x, (0, 0, 3, 3)), wrap(rand(4, 9, 2))),
    "conv_transpose1d": lambda x: F.conv_transpose1d(x, wrap(rand(3, 4, 2)), wrap(rand(4)), stride=2),
    "max_pool1d": lambda x: F.max_pool1d(x, 2, return_indices=True)[0],
    "avg_pool1d": lambda x: F.avg_pool1d(x, 2, padding=1, count_include_pad=False),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 2),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x, 2),
    "pad": lambda x: F.pad(x, (1, 1), mode="circular"),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2, mode="linear"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_images(name):
    """Nothing comes out, in the shape of something, and the gradient is as empty."""
    some, x = EMPTY[name](wrap(rand(2, 3, 5))), leaf(np.zeros((0, 3, 5)))
    y = EMPTY[name](x)
    assert y.shape == (0, *some.shape[1:])
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_no_images_give_a_weight_gradient_of_zeros():
    w = leaf(rand(4, 3, 2))
    F.conv1d(wrap(np.zeros((0, 3, 5))), w).sum().backward()
    assert_array_equal(w.grad.array, np.zeros((4, 3, 2)))


def test_kernels_of_one_element_and_of_all():
    x, w = rand(2, 3, 4, 5), rand(6, 3, 1, 1)
    assert_allclose(F.conv2d(wrap(x), wrap(w)).array, np.einsum("ncij,oc->noij", x, w[:, :, 0, 0]), rtol=1e-12)
    w = rand(6, 3, 4, 5)
    assert_allclose(F.conv2d(wrap(x), wrap(w)).array[:, :, 0, 0], np.einsum("ncij,ocij->no", x, w), rtol=1e-12)
    assert_allclose(F.max_pool2d(wrap(x), (4, 5)).array, x.max((2, 3), keepdims=True))
    assert_allclose(F.avg_pool2d(wrap(x), (4, 5)).array, x.mean((2, 3), keepdims=True), rtol=1e-12)
    for pool in (F.max_pool2d, F.avg_pool2d):
        assert_array_equal(pool(wrap(x), 1).array, x)
    for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        assert_allclose(pool(wrap(x), None).array, x, rtol=1e-15)
        assert pool(wrap(x), (0, 2)).shape == (2, 3, 0, 2)


def test_images_of_one_element():
    x, one = wrap(np.full((1, 1, 1, 1), 3.0)), wrap(np.full((1, 1, 1, 1), 2.0))
    assert F.conv2d(x, one, padding=1).tolist() == [[[[0, 0, 0], [0, 6, 0], [0, 0, 0]]]]
    assert F.interpolate(x, size=(2, 1), mode="bicubic", align_corners=True).tolist() == [[[[3], [3]]]]
    assert F.pad(x, (1, 0), mode="replicate").tolist() == [[[[3, 3]]]]
    assert F.unfold(x, 1).tolist() == [[[3]]]
    assert F.grid_sample(x, wrap(np.zeros((1, 1, 1, 2))), align_corners=True).tolist() == [[[[3]]]]


def test_windows_of_many_places():
    """More than small integers can number."""
    x = rand(1, 1, 400)
    values, indices = F.max_pool1d(t := leaf(x), 390, stride=1, return_indices=True)
    for i in range(11):
        assert indices.array[0, 0, i] == i + np.argmax(x[0, 0, i : i + 390])
        assert values.array[0, 0, i] == x[0, 0, i : i + 390].max()
    (g,) = autograd.grad(values, t, wrap(np.ones(values.shape)))
    assert_array_equal(g.array[0, 0], np.bincount(indices.array[0, 0], minlength=400))


# ---------------------------------------------------------------- dtypes, plain arrays
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", EMPTY)
def test_dtype_is_kept(name, dtype):
    x = leaf(rand(2, 3, 5, dtype=dtype))
    if "conv" in name:
        make = {"conv1d": F.conv1d, "conv1d wide": F.conv1d, "conv_transpose1d": F.conv_transpose1d}[name]
        w = leaf(rand(3, 3, 2, dtype=dtype))
        y = make(x, w, leaf(rand(3, dtype=dtype)))
    else:
        y = EMPTY[name](x)
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == dtype
    wanted = y.array if "conv" not in name else None
    if wanted is not None:
        assert_allclose(wanted.astype(float), EMPTY[name](wrap(x.array.astype(float))).array, rtol=4e-3, atol=4e-3)


def test_plain_arrays_give_plain_arrays():
    x, w = rand(1, 1, 4, 4), rand(1, 1, 2, 2)
    for y in (F.conv2d(x, w), F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.unfold(x, 2), F.interpolate(x, size=3)):
        assert type(y) is np.ndarray


def test_padding_with_infinity():
    x = leaf([[1.0, 2.0]])
    y = F.pad(x, (1, 0), value=-np.inf)
    assert y.tolist() == [[-np.inf, 1, 2]]
    (y[:, 1:] * 3).sum().backward()
    assert x.grad.tolist() == [[3, 3]]


def test_integers_are_padded_and_moved():
    x = autograd.tensor([[[1, 2, 3]]])
    assert F.pad(x, (1, 1), mode="circular").tolist() == [[[3, 1, 2, 3, 1]]]
    assert F.pad(x, (1, 0), value=7).tolist() == [[[7, 1, 2, 3]]]
    assert F.interpolate(x, size=6).tolist() == [[[1, 1, 2, 2, 3, 3]]]


def test_results_are_channels_last_in_memory():
    """So that a chain of convolutions and pools copies long runs."""
    y = F.max_pool2d(F.conv2d(wrap(rand(2, 3, 8, 8)), wrap(rand(16, 3, 3, 3)), padding=1).relu(), 2)
    assert y.array.strides[1] == y.array.itemsize


# ---------------------------------------------------------------- refusals
def t(*shape):
    return wrap(np.zeros(shape, np.float32))


REFUSED = [
    (
        lambda: F.conv2d(t(1, 3, 5, 5), t(4, 2, 3, 3)),
        ShapeError,
        r"weight \(4, 2, 3, 3\) .* expects .* 2 channels, got 3",
    ),
    (lambda: F.conv2d(t(1, 4, 5, 5), t(3, 2, 3, 3), groups=2), ShapeError, r"conv2d: groups=2 do not divide .* \(3, 2, 3, 3\)"),
    (lambda: F.conv2d(t(1, 4, 5, 5), t(3, 2, 3, 3), groups=0), ShapeError, r"conv2d: groups=0 do not divide"),
    (
        lambda: F.conv2d(t(5, 5), t(3, 2, 3, 3)),
        ShapeError,
        r"conv2d: input .* \(N, C, H, W\) or \(C, H, W\), got \(5, 5\)",
    ),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3)), ShapeError, r"conv2d: weight must have 4 dims, .* got shape \(3, 2, 3\)"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), t(2)), ShapeError, r"needs a bias of shape \(3,\), got \(2,\)"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3).double()), DtypeError, "conv2d needs one dtype, but .* weight is float64"),
    (lambda: F.conv2d(t(1, 2, 5, 2), t(3, 2, 3, 3)), ShapeError, r"kernel_size \(3, 3\) .* do not fit .* size \(5, 2\)"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), stride=0), ArgumentError, "conv2d: stride must be at least 1, got 0"),
    (
        lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), dilation=(1, 0)),
        ArgumentError,
        r"dilation must be .* 1, got \(1, 0\)",
    ),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), padding=-1), ArgumentError, "padding must be at least 0, got -1"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), padding="full"), ArgumentError, "'same' or 'valid', got 'full'"),
    (lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), None, 2, "same"), ArgumentError, "padding='same' needs stride 1, got .2, 2."),
    (
        lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), None, (1, 1, 1)),
        ArgumentError,
        r"stride must be a whole number or 2 of them",
    ),
    (
        lambda: F.conv2d(t(1, 2, 5, 5), t(3, 2, 3, 3), None, 1.5),
        ArgumentError,
        "stride must be a whole number or 2 of them, got 1.5",
    ),
    (lambda: F.conv_transpose1d(t(1, 2, 5), t(3, 2, 3)), ShapeError, "conv_transpose1d: weight .* expects input with 3 channels"),
    (
        lambda: F.conv_transpose1d(t(1, 3, 5), t(3, 2, 3), output_padding=1),
        ArgumentError,
        r"output_padding \(1,\) must be",
    ),
    (lambda: F.conv_transpose1d(t(1, 3, 1), t(3, 2, 3), padding=2), ShapeError, r"would give \(-1,\); use less padding"),
    (lambda: F.max_pool2d(t(1, 2, 3, 3), 4), ShapeError, r"max_pool2d: windows of kernel_size \(4, 4\) .* do not fit"),
    (lambda: F.max_pool2d(t(1, 2, 3, 3), 2, padding=2), ArgumentError, r"at most half the kernel, got padding \(2, 2\)"),
    (lambda: F.max_pool2d(t(1, 2, 3, 3), 2, stride=0), ArgumentError, "max_pool2d: stride must be at least 1"),
    (lambda: F.avg_pool2d(t(1, 2, 3, 3), 2, divisor_override=0), ArgumentError, "divisor_override must not be 0"),
    (lambda: F.adaptive_avg_pool2d(t(1, 2, 3, 3), (1, 2, 3)), ArgumentError, "output_size must be a whole number or 2 of them"),
    (lambda: F.adaptive_max_pool1d(t(1, 2, 0), 1), ShapeError, r"nothing to pool in an input of shape \(1, 2, 0\)"),
    (lambda: F.unfold(t(1, 2, 3, 3), 4), ShapeError, "unfold: .* do not fit"),
    (lambda: F.fold(t(1, 5, 9), 4, 2), ShapeError, r"fold: .* a multiple of 4 rows and 9 columns, got shape \(1, 5, 9\)"),
    (lambda: F.fold(t(4), 4, 2), ShapeError, r"fold: input must have shape .*, got \(4,\)"),
    (lambda: F.pad(t(3), (1,)), ShapeError, r"pad: \(1,\) must be pairs"),
    (lambda: F.pad(t(3), (1, 1, 1, 1)), ShapeError, "pad: .* at most 1 dims"),
    (lambda: F.pad(t(3), (-2, -2)), ShapeError, r"cuts off more than there is in shape \(3,\)"),
    (lambda: F.pad(t(1, 3), (3, 0), "reflect"), ShapeError, "reflect cannot add 3 before and 0 after the 3 elements of dim 1"),
    (lambda: F.pad(t(1, 3), (0, 4), "circular"), ShapeError, "circular cannot add 0 before and 4 after"),
    (lambda: F.pad(t(1, 0), (0, 1), "replicate"), ShapeError, "replicate cannot add 0 before and 1 after the 0 elements"),
    (lambda: F.pad(t(1, 3), (1, 1), "mirror"), ArgumentError, "pad: mode is .*, got 'mirror'"),
    (lambda: F.pad(t(1, 3), (1, 1), "reflect", 1.0), ArgumentError, "leave value=1.0 out"),
    (lambda: F.interpolate(t(3, 3), 2), ShapeError, r"interpolate: input must have shape .*, got \(3, 3\)"),
    (lambda: F.interpolate(t(1, 1, 3)), ArgumentError, "one of size and scale_factor, got None and None"),
    (lambda: F.interpolate(t(1, 1, 3), 2, 2.0), ArgumentError, "one of size and scale_factor, got 2 and 2.0"),
    (lambda: F.interpolate(t(1, 1, 3), 2, mode="cubic"), ArgumentError, "interpolate: mode is .*, got 'cubic'"),
    (lambda: F.interpolate(t(1, 1, 3), 2, mode="bilinear"), ShapeError, "'bilinear' is not for input of shape"),
    (lambda: F.interpolate(t(1, 1, 3), 2, mode="area", align_corners=True), ArgumentError, "align_corners is for"),
    (
        lambda: F.interpolate(t(1, 1, 3), 2, mode="linear", antialias=True),
        ArgumentError,
        "antialias is for 'bilinear' and 'bicubic'",
    ),
    (lambda: F.lp_pool2d(t(1, 1, 3, 3), 0, 2), ArgumentError, "lp_pool2d: norm_type cannot be 0"),
    (lambda: F.max_unpool1d(t(1, 1, 3), t(1, 1, 2).long(), 2), ShapeError, "max_unpool1d: indices has the shape of input"),
    (lambda: F.max_unpool1d(t(1, 1, 3), t(1, 1, 3), 2), DtypeError, "max_unpool1d: indices are integers"),
    (lambda: F.max_unpool1d(t(1, 1, 2), t(1, 1, 2).long() + 9, 2), DimError, "places in an image of size \\(4,\\), from 0 to 3"),
    (lambda: F.max_unpool1d(t(1, 1, 2), t(1, 1, 2).long(), 2, output_size=(9,)), ArgumentError, "output_size must be 1 numbers"),
    (lambda: F.fractional_max_pool2d(t(1, 1, 3, 3), 2), ArgumentError, "give one of output_size and output_ratio"),
    (
        lambda: F.fractional_max_pool2d(t(1, 1, 3, 3), 2, output_ratio=1.5),
        ArgumentError,
        "output_ratio is a number between 0 and 1",
    ),
    (lambda: F.fractional_max_pool2d(t(1, 1, 3, 3), 2, 3), ShapeError, "3\\) windows of kernel_size \\(2, 2\\) do not fit"),
    (lambda: F.fractional_max_pool2d(t(1, 1, 3, 3), 2, 2, _random_samples=t(1, 2, 2)), ShapeError, "has shape \\(1, 1, 2\\)"),
    (lambda: F.interpolate(t(1, 1, 3), scale_factor=0.1), ShapeError, r"sizes must not be 0, got .* \(0,\)"),
    (lambda: F.interpolate(t(1, 1, 3), scale_factor=(1.0, 2.0)), ArgumentError, "scale_factor must be a number or 1 of them"),
    (lambda: F.interpolate(t(1, 1, 3), 2, recompute_scale_factor=True), ArgumentError, "recompute_scale_factor"),
    (lambda: F.affine_grid(t(1, 2, 2), (1, 1, 3, 3)), ShapeError, r"affine_grid: theta .* got \(1, 2, 2\) for \(1, 1, 3, 3\)"),
    (lambda: F.affine_grid(t(1, 2, 3).long(), (1, 1, 3, 3)), DtypeError, "affine_grid needs a floating-point theta, not int64"),
    (lambda: F.avg_pool2d(t(1, 2, 3, 3).long(), 2), DtypeError, "avg_pool2d needs a floating-point input, not int64"),
    (lambda: F.adaptive_avg_pool2d(t(1, 2, 3, 3).long(), 2), DtypeError, "adaptive_avg_pool2d needs a floating-point input"),
    (
        lambda: F.interpolate(t(1, 2, 3).long(), 2, mode="linear"),
        DtypeError,
        "interpolate with mode 'linear' needs",
    ),
    (lambda: F.pad(t(3), (0.5, 1)), ShapeError, r"pad: \(0.5, 1\) must be pairs of whole numbers"),
    (lambda: F.grid_sample(t(1, 1, 3, 3), t(2, 3, 3, 2)), ShapeError, r"grid_sample: .* got \(1, 1, 3, 3\) and \(2, 3, 3, 2\)"),
    (lambda: F.grid_sample(t(1, 1, 3, 3), t(1, 3, 3, 2), "linear"), ArgumentError, "grid_sample: mode is .*, got 'linear'"),
    (lambda: F.grid_sample(t(1, 1, 3, 3), t(1, 3, 3, 2), padding_mode="wrap"), ArgumentError, "padding_mode is .*, got 'wrap'"),
    (lambda: F.grid_sample(t(1, 1, 3, 3), t(1, 3, 3, 2).double()), DtypeError, "grid_sample needs one dtype"),
    (lambda: F.grid_sample(t(1, 1, 0, 3), t(1, 3, 3, 2)), ShapeError, "nothing to sample"),
    (lambda: F.pixel_shuffle(t(3, 2, 2), 2), ShapeError, r"pixel_shuffle: .* a multiple of 4, .* got \(3, 2, 2\)"),
    (lambda: F.pixel_unshuffle(t(3, 3, 2), 2), ShapeError, r"pixel_unshuffle: .* multiples of 2.* got \(3, 3, 2\)"),
    (lambda: F.pixel_shuffle(t(4, 2, 2), 0), ArgumentError, "upscale_factor must be at least 1, got 0"),
]


@pytest.mark.parametrize("i", range(len(REFUSED)))
def test_refused(i):
    function, error, message = REFUSED[i]
    with pytest.raises(error, match=message):
        function()


def test_every_name_is_there_and_documented():
    for name in F.__all__:
        assert getattr(F, name).__name__ == name
    homes = {"conv", "padding", "pool", "resample", "vision", "window"}
    here = [f for f in map(F.__dict__.get, F.__all__) if str(inspect.unwrap(f).__module__).rpartition(".")[2] in homes]
    assert len(here) == 35
    for function in here:
        assert f"torch.nn.functional.{function.__name__}" in function.__doc__


@pytest.mark.parametrize("n", [2, 3])
def test_fractional_pools_of_drawn_windows(n):
    """What is drawn decides, and each element of the result is one of its window, whose indices say which."""
    layer = getattr(nn, f"FractionalMaxPool{n}d")(2, output_ratio=0.6, return_indices=True)
    x = autograd.randn(2, 3, *(7, 8, 9)[:n])
    autograd.manual_seed(3)
    out, indices = layer(x)
    assert out.shape == (2, 3, *(4, 4, 5)[:n])
    assert_array_equal(out.flatten(2).numpy(), x.flatten(2).gather(2, indices.flatten(2)).numpy())
    seen = {tuple(layer(x)[1].flatten().tolist()) for _ in range(5)}
    assert len(seen) > 1
    autograd.manual_seed(3)
    assert_array_equal(layer(x)[1].numpy(), indices.numpy())


@pytest.mark.parametrize("n", [2, 3])
def test_fractional_pools_like_pytorch(n, torch):
    rng = np.random.default_rng(0)
    x, draws = rng.normal(size=(2, 3, *(7, 8, 9)[:n])), rng.random((2, 3, n))
    options = dict(kernel_size=(2, 3, 2)[:n], output_size=(4, 2, 5)[:n], return_indices=True)
    ours, theirs = tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, indices = getattr(nn, f"FractionalMaxPool{n}d")(**options, _random_samples=tensor(draws))(ours)
    wanted, places = getattr(torch.nn, f"FractionalMaxPool{n}d")(**options, _random_samples=torch.tensor(draws))(theirs)
    assert_array_equal(out.detach().numpy(), wanted.detach().numpy())
    assert_array_equal(indices.numpy(), places.numpy())
    out.sin().sum().backward(), wanted.sin().sum().backward()
    assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12)
