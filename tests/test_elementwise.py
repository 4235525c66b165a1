"""What the records cannot say of elementwise ops: extreme values, digits, derivatives of high order, and PyTorch's in-place forms."""

import builtins
import math
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import errors, tensor
from autograd.api import names as methods
from autograd.ops import elementwise
from autograd.ops import numerics as special

INF, NAN = np.inf, np.nan


def slopes(op, *points):
    """The gradients of an op at numbers, in double precision."""
    xs = [tensor(np.float64(p), requires_grad=True) for p in points]
    with np.errstate(all="ignore"):
        return [g.item() for g in autograd.grad(op(*xs), xs, materialize_grads=True)]


# ---------------------------------------------------------------- where others have NaN
LIMITS = [  # an op, where, and its gradients there
    (autograd.hypot, (0, 0), [0, 0]),
    (autograd.hypot, (1e200, 1e200), [0.5**0.5, 0.5**0.5]),
    (autograd.atan2, (0, 0), [0, 0]),
    (autograd.atan2, (1e200, 1e200), [0.5e-200, -0.5e-200]),
    (autograd.atan2, (3.0, 4.0), [4 / 25, -3 / 25]),
    (autograd.copysign, (INF, -1), [-1, 0]),
    (autograd.copysign, (2, -0.0), [-1, 0]),
    (autograd.xlogy, (0, 0), [0, 0]),
    (autograd.xlogy, (0, 2), [math.log(2), 0]),
    (autograd.xlogy, (0, INF), [INF, 0]),
    (autograd.xlogy, (1, 0), [-INF, INF]),
    *[(op, (x, x), [0.5, 0.5]) for op in (autograd.logaddexp, autograd.logaddexp2) for x in (INF, -INF, 1e4, 0)],
    *[(op, (x, y), [1, 0]) for op in (autograd.logaddexp, autograd.logaddexp2) for x, y in ((1e4, 1), (INF, 1), (1, -INF), (INF, -INF))],
    (autograd.lerp, (1, INF, 1), [0, 1, INF]),
    (autograd.asinh, (1e200,), [1e-200]),
    (autograd.logit, (2,), [NAN]),
    (autograd.logit, (-0.0,), [INF]),
    (autograd.erfc, (30,), [0]),
    (autograd.erfinv, (-1,), [INF]),
    (autograd.sinc, (0,), [0]),
    (autograd.sinc, (1e-9,), [-(np.pi**2) / 3 * 1e-9]),
    (autograd.lgamma, (1e4,), [9.210290371142850]),
    (autograd.lgamma, (0,), [-INF]),
    (autograd.digamma, (-1,), [INF]),
]  # fmt: skip


@pytest.mark.parametrize(("op", "points", "expected"), LIMITS)
def test_gradients_at_extreme_values(op, points, expected):
    assert_allclose(slopes(op, *points), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["hypot", "copysign", "logaddexp", "logaddexp2", "atan2", "lerp", "xlogy"])
def test_gradients_are_pytorchs_unless_those_are_nan(torch, name):
    values = [0, -0.0, 0.5, 1, -2.5, 1e4, -1e4, INF, -INF]
    for x in values:
        for y in values:
            points = (x, y, 0.25) if name == "lerp" else (x, y)
            theirs = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in points]
            expected = torch.autograd.grad(getattr(torch, name)(*theirs), theirs)
            for found, e in zip(slopes(getattr(autograd, name), *points), expected, strict=True):
                if not e.isnan():
                    assert_allclose(found, e.item(), rtol=1e-12, atol=1e-300, err_msg=f"{name}{points}")


def test_values_at_extreme_values():
    with np.errstate(all="ignore"):
        assert_array_equal(autograd.xlogy(tensor([0.0, 0.0, 0.0, 0.0]), tensor([0.0, -1.0, INF, NAN])).array, [0, 0, 0, NAN])
        assert_array_equal(autograd.heaviside(tensor([NAN, -1.0, 0.0, INF]), 0.5).array, [0, 0, 0.5, 1])
        assert_array_equal(autograd.erfc(tensor([-INF, INF, NAN, 0.0])).array, [2, 0, NAN, 1])
        assert_array_equal(autograd.logit(tensor([-1.0, 0.0, 1.0, 2.0])).array, [NAN, -INF, INF, NAN])
        assert_array_equal(autograd.logit(tensor([-1.0, 2.0]), eps=0.5).array, [0, 0])
    start, end = tensor([3.0, 0.1]), tensor([0.7, 1e8])
    assert_array_equal(autograd.lerp(start, end, 1.0).array, end.array)
    assert_array_equal(autograd.lerp(start, end, 0.0).array, start.array)
    assert_array_equal(autograd.nan_to_num(tensor([NAN, INF, -INF])).array, np.nan_to_num(np.array([NAN, INF, -INF], np.float32)))


# ---------------------------------------------------------------- digits, and derivatives of high order
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_erf_and_erfc_to_the_last_digits(dtype):
    """Within 6 units in the last place, as far as there are numbers; a difference from 1 could not do that."""
    x = np.concatenate([np.linspace(-6, 26 if dtype == np.float64 else 9, 3001), np.geomspace(1e-30, 1, 300)]).astype(dtype)
    for f, exact in ((special.erf, math.erf), (special.erfc, math.erfc)):
        found, expected = f(x), np.array([exact(v) for v in x.tolist()])
        assert found.dtype == dtype
        assert_allclose(found, expected, rtol=6 * np.finfo(dtype).eps)


def test_the_normal_distribution_to_the_last_digits():
    """Within 4 units in the last place, and as many as a rounding of x makes: in the tails that is x**2 / 2 of them."""
    x = np.concatenate([np.linspace(-13, 9, 3001), np.geomspace(1e-30, 1, 300), -np.geomspace(1e-30, 1, 300)]).astype(np.float32)
    found, expected = special.ndtr(x), np.array([math.erfc(-v / 2**0.5) / 2 for v in x.tolist()])
    assert found.dtype == np.float32
    assert np.all(np.abs(found - expected) <= np.finfo(np.float32).eps * expected * np.maximum(4, x * x / 2))
    edges = special.ndtr(np.array([-np.inf, -100, -0.0, 0, 100, np.inf, np.nan], np.float32))
    assert_array_equal(edges, np.array([0, 0, 0.5, 0.5, 1, 1, np.nan], np.float32))


def test_half_precision_is_computed_in_single():
    x = np.linspace(-3, 3, 101).astype(np.float16)
    for f, exact in ((special.erf, math.erf), (special.erfc, math.erfc)):
        expected = np.array([exact(v) for v in x.tolist()])
        assert_allclose(f(x), expected.astype(np.float16), rtol=1e-3)
        assert f(x).dtype == np.float16


def test_every_derivative_of_sinc():
    """At 0 they are those of its power series; elsewhere there is no cancellation, which a quotient would suffer from near 0."""
    x = tensor(np.array([0.0, 1e-9, 1e-3, 0.6, 0.64, 3.0]), requires_grad=True)
    t, w = np.polynomial.legendre.leggauss(40)
    t, w = (t + 1) / 2, w / 2
    y = autograd.sinc(x)
    for n in range(6):
        expected = ((np.pi * t) ** n * np.cos(np.pi * x.array[:, None] * t + n * np.pi / 2)) @ w
        assert_allclose(y.detach().array, expected, rtol=1e-12, atol=3e-16 * np.pi**n)
        (y,) = autograd.grad(y.sum(), x, create_graph=True)


def test_polygamma_is_the_derivative_of_the_one_before():
    """And begins with digamma, the derivative of lgamma: known values at 1, sums of inverse powers."""
    x = tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = autograd.lgamma(x)
    for n, at_1 in enumerate([-np.euler_gamma, np.pi**2 / 6, -2 * 1.2020569031595942, np.pi**4 / 15]):
        (y,) = autograd.grad(y.sum(), x, create_graph=True)
        step = (-1) ** n * math.factorial(n)
        assert_allclose(y.detach().array, [at_1, at_1 + step], rtol=1e-13)
        assert_allclose(autograd.polygamma(n, x).detach().array, y.detach().array, rtol=1e-14)
        assert_array_equal(x.polygamma(n).detach().array, autograd.polygamma(n, x).detach().array)


# ---------------------------------------------------------------- PyTorch's forms
def test_in_place_forms_are_pytorchs(torch):
    """Elementwise ops work in place exactly where PyTorch's do."""
    ops = set(map(id, vars(elementwise).values()))
    names = {name for name, op in methods.FUNCTIONS.items() if id(op) in ops and name not in ("masked_fill", "where")}
    assert {name for name in names if hasattr(torch.Tensor, name + "_")} == names & set(methods.IN_PLACE)
    assert not {name for name in names if not hasattr(torch, name)}


def test_operators_are_pytorchs(torch):
    stems = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
    theirs = {f"__{side}{stem}__" for stem in stems for side in ("", "r", "i") if hasattr(torch.Tensor, f"__{side}{stem}__")}
    assert not {name for name in theirs if not hasattr(autograd.Tensor, name)}


def test_shifts():
    x = tensor([1, 2, 3])
    assert (x << 2).tolist() == [4, 8, 12]
    assert (x >> 1).tolist() == [0, 1, 1]
    assert (1 << x).tolist() == [2, 4, 8]
    x <<= 1
    assert x.tolist() == [2, 4, 6]
    x >>= tensor([1, 1, 2])
    assert x.tolist() == [1, 2, 1]


def test_comparisons_in_place_keep_the_dtype():
    x = tensor([1.0, 2.0])
    assert x.gt_(1) is x
    assert (x.tolist(), x.dtype) == ([0, 1], autograd.float32)


@pytest.mark.parametrize("y", [3, 4, 3.0, 5, 10, 31, 1e6, -2, -3, -4.0, -9, 2, 1, -1, 2.5, INF, -INF, NAN])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_are_those_of_ieee(y, dtype):
    """Also of negative numbers, which go another way, and to the sign of zero; the derivative is the power before."""
    numbers = np.random.default_rng(0).standard_normal(3000) * 10.0 ** np.random.default_rng(1).integers(-30, 4, 3000)
    x = np.concatenate([numbers, [0.0, -0.0, INF, -INF, NAN, 1, -1, 1e30, -1e30]]).astype(dtype)
    with np.errstate(all="ignore"):
        t = autograd.from_numpy(x.copy()).requires_grad_()
        result = t**y
        got, expected = result.detach().array, np.float_power(x, y).astype(dtype)
        (slope,) = autograd.grad(result.sum(), t)
        steep = (y * np.float_power(x, y - 1)).astype(dtype)
    assert got.dtype == dtype
    ulps, small = 4 * np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
    assert_allclose(got, expected, rtol=ulps, atol=small)
    assert_array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(expected[~np.isnan(got)]))
    assert_allclose(slope.array, steep, rtol=2 * ulps, atol=abs(y) * small)


def test_float_power_is_double():
    x = tensor([2, 3], dtype=autograd.int32)
    for y in (x.float_power(2), autograd.float_power(2, x.float()), np.float_power(x, 0.5)):
        assert y.dtype == autograd.float64
    assert autograd.float_power(tensor([-8.0]), 2).tolist() == [64]


# ---------------------------------------------------------------- integers that do not fit
SMALL = tensor([200, 1], dtype=autograd.uint8)


def test_integers_wrap_around_where_that_is_exact():
    for y, values in (
        (SMALL + 300, [244, 45]), (300 + SMALL, [244, 45]), (SMALL - -1, [201, 2]), (SMALL * -1, [56, 255]), (SMALL & 300, [8, 0]),
        (autograd.add(SMALL, 200, alpha=2), [88, 145]), (autograd.sub(SMALL, SMALL, alpha=300), [104, 213]), (SMALL + 2**70, [200, 1]),
        (tensor(1, dtype=autograd.uint8) + 300, 45), (SMALL.clone().add_(300), [244, 45]), (autograd.rsub(SMALL, 300), [100, 43]),
        (tensor([100], dtype=autograd.int8) + 200, [44]),
    ):  # fmt: skip
        assert y.dtype in (autograd.uint8, autograd.int8)
        assert y.tolist() == values


REFUSED = {
    "floor_divide does not work on x uint8 (2,), y 300: Python integer 300 out of bounds for uint8; use a wider dtype": lambda: (
        SMALL // 300
    ),
    "clamp: clip_max does not work on x uint8 (2,), max 300": lambda: SMALL.clamp(max=300),
    "fill_: fill does not work on x uint8 (2,), value 300": lambda: SMALL.clone().fill_(300),
    "polygamma: n is an integer, not negative, got -1": lambda: autograd.polygamma(-1, tensor([1.0])),
    "polygamma: n is an integer, not negative, got 0.5": lambda: autograd.polygamma(0.5, tensor([1.0])),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_done_is_said(message):
    with pytest.raises(errors.AutogradError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)


def test_scipy_is_asked_for_by_name():
    """By those that need it, when they are called; erf and erfc are our own."""

    def without_scipy(name, *args, load=builtins.__import__):
        if name.startswith("scipy"):
            raise ImportError(name)
        return load(name, *args)

    x = tensor([0.5])
    with mock.patch.object(builtins, "__import__", without_scipy):
        for op in (autograd.lgamma, autograd.digamma, autograd.erfinv):
            with pytest.raises(
                errors.MissingError, match=r"is SciPy's, which is not installed; pip install 'chainrule\[scipy\]'"
            ):
                op(x)
        assert_allclose((autograd.erf(x) + autograd.erfc(x)).array, [1], rtol=1e-6)


# ---------------------------------------------------------------- integers divided by 0
DIVISIONS = {
    "//": lambda x, y: x // y, "%": lambda x, y: x % y, "floor_divide": autograd.floor_divide, "remainder": autograd.remainder,
    "fmod": autograd.fmod, "floor": lambda x, y: autograd.div(x, y, rounding_mode="floor"),
    "trunc": lambda x, y: autograd.div(x, y, rounding_mode="trunc"), "np.floor_divide": np.floor_divide, "np.mod": np.mod,
    **{name: lambda x, y, name=name: getattr(x.clone(), name)(y) for name in ("floor_divide_", "remainder_", "fmod_")},
}  # fmt: skip


@pytest.mark.parametrize("name", DIVISIONS)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_integers_are_not_divided_by_0(name, dtype):
    """An error of PyTorch's type, and of Python's; nothing has changed. Floats have infinities, and no elements no quotients."""
    divide, x = DIVISIONS[name], tensor([5, 7], dtype=dtype)
    for y in (0, tensor([0, 2], dtype=dtype), tensor(0, dtype=dtype)):
        for error in (RuntimeError, ZeroDivisionError, errors.DivisionError):
            with pytest.raises(error, match=f"{dtype} .* is divided by 0, of which no integer is the result; use / or float"):
                divide(x, y)
    assert x.tolist() == [5, 7]
    assert divide(x[:0], 0).shape == (0,)
    if not name.endswith("_"):
        with np.errstate(all="ignore"):
            assert not np.isfinite(divide(x.float(), y).array).any()


def test_numbers_are_not_divided_by_tensors_that_hold_0():
    for divide in (lambda y: 5 // y, lambda y: 5 % y):
        with pytest.raises(errors.DivisionError):
            divide(tensor([1, 0]))


def test_rounded_quotients_of_large_integers_are_exact():
    x, y = tensor([7, -7, 7, -7, 2**62 + 1, 255]), tensor([2, 2, -2, -2, 1, 4])
    assert autograd.div(x, y, rounding_mode="trunc").tolist() == [3, -3, -3, 3, 2**62 + 1, 63]
    assert autograd.div(tensor([255], dtype="uint8"), 2, rounding_mode="trunc").tolist() == [127]
