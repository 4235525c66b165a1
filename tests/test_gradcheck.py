"""gradcheck: right rules pass, at smooth points and at kinks; wrong ones fail, and the message says where and by how much."""

import gc
import re
import warnings
import weakref

import numpy as np
import pytest
from helpers import leaf
from hypothesis import given
from hypothesis import strategies as st

import autograd
from autograd import gradcheck, gradgradcheck, primitive, tensor
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, AutogradError, GradcheckError, UnsupportedError

draws = np.random.default_rng(0)


def normal(*shape):
    return leaf(draws.normal(size=shape))


def fails(func, inputs, check=gradcheck, **options):
    """The message with which the check fails; it must also return False where it is asked not to raise."""
    assert check(func, inputs, raise_exception=False, **options) is False
    with pytest.raises(GradcheckError) as caught:
        check(func, inputs, **options)
    return str(caught.value)


# ---------------------------------------------------------------- right gradients
SMOOTH = {
    "a composition": (lambda x, y: autograd.tanh(x @ y).sum(0) / (1 + y.exp().sum()), (normal(3, 4), normal(4, 2))),
    "a scalar": (lambda x: x**3, (leaf(1.7),)),
    "several outputs": (lambda x: (x * 2, x.sin().sum(), x.unsqueeze(0)), (normal(3),)),
    "an op with several results": (lambda x: x.unbind(0), (normal(3, 2),)),
    "an unused result": (lambda x: x.split(2)[1] * 3, (normal(6),)),
    "an unused input": (lambda x, y: x.exp(), (normal(2), normal(3))),
    "an input that is the output": (lambda x: x, (normal(2),)),
    "the same input twice": (lambda x, y: x * y, (t := normal(3), t)),
    "nothing": (lambda x: x * 2, (leaf(np.zeros((0, 3))),)),
    "strong curvature": (lambda x: (x * 1e3).sin(), (normal(5),)),
    "large values": (lambda x: x * x, (leaf([1e4, -3e5]),)),
    "large inputs": (lambda x: x * 2, (leaf([1e8]),)),
    "small values": (lambda x: x * x, (leaf([1e-9, 0.0]),)),
    "a constant that a step multiplies": (lambda x: x.floor() + x, (leaf([0.5, 1.7]),)),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_right_gradients_pass(name):
    func, inputs = SMOOTH[name]
    assert gradcheck(func, inputs) is True


@pytest.mark.parametrize("name", [n for n in SMOOTH if n != "large values"])
def test_right_second_gradients_pass(name):
    func, inputs = SMOOTH[name]
    assert gradgradcheck(func, inputs) is True


def test_one_tensor_stands_for_a_tuple_and_other_arguments_are_passed_on():
    assert gradcheck(autograd.exp, normal(3))
    assert gradcheck(lambda x, dim, y: x.sum(dim) + y, [normal(2, 3), 1, tensor([1.0, 2.0], dtype=autograd.float64)])


def test_outputs_without_gradient_are_left_out():
    assert gradcheck(lambda x: x.max(dim=0), normal(4))  # the indices
    assert gradcheck(lambda x: (x * 2, x.detach() * 3, "a remark", None), normal(4))


def test_inputs_may_be_used_from_outside_the_arguments():
    """So are the parameters of a module: `gradcheck(lambda *_: model(x), tuple(model.parameters()))`."""
    w, x = normal(3), normal(3)
    assert gradcheck(lambda *_: (w * x).tanh(), (w,))
    wrong = primitive(lambda x: x * 2, "wrong_double", x=lambda g: g * 3)
    assert "input 0" in fails(lambda *_: wrong(w), (w,))


def test_results_of_ops_can_be_inputs():
    x = normal(3)
    y = x.exp()
    assert gradcheck(lambda y: y * y, y)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.array, np.exp(x.array))


def test_it_works_under_no_grad():
    x = normal(2)
    with autograd.no_grad():
        assert gradcheck(autograd.exp, x)
        assert not autograd.is_grad_enabled()


# ---------------------------------------------------------------- kinks
KINKS = {
    "relu": (autograd.relu, ([-1.0, 0.0, -0.0, 2.0],)),
    "abs": (autograd.abs, ([0.0, 1.0],)),
    "abs of a large slope": (lambda x: (1e6 * x).abs(), ([0.0, 1.0],)),
    "clamp": (lambda x: x.clamp(0, 1), ([0.0, 0.5, 1.0],)),
    "clamp between tensors": (autograd.clamp, ([1.0, 2.0, 0.0], [1.0, 1.0, 1.0], [3.0, 2.0, 2.0])),
    "maximum": (autograd.maximum, ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])),
    "max": (lambda x: x.max(), ([1.0, 3.0, 3.0, 3.0],)),
    "amax": (lambda x: x.amax(1), ([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]],)),
    "max along a dim": (lambda x: x.max(dim=1), ([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]],)),
    "min along a dim": (lambda x: x.min(dim=0).values, ([1.0, 1.0, 1.0],)),
    "two tied in sort": (lambda x: x.sort(), ([3.0, 1.0, 3.0],)),
    "a deviation of equal numbers": (lambda x: x.std(), ([2.0, 2.0, 2.0],)),
    "kinks that add up": (lambda x: x.relu().sum() - (2 * x).abs().sum(), ([0.0] * 6,)),
    "kinks of both signs": (lambda x, y: (x.relu() - (-y).relu()).sum(), ([0.0] * 4, [0.0] * 4)),
    "kinks of both signs in pairs": (lambda x, y: x.relu() - (-y).relu(), ([0.0] * 16, [0.0] * 16)),
    "a kink on a curve": (lambda x: (x * x - 1).relu() * x.exp(), ([1.0, -1.0],)),
}


@pytest.mark.parametrize("name", KINKS)
def test_the_documented_subgradients_pass_at_kinks(name):
    func, inputs = KINKS[name]
    assert gradcheck(func, tuple(map(leaf, inputs)))


@pytest.mark.parametrize("distance", [0, 1e-12, 1e-9, 1e-8, 2e-8, 1e-7, 1.3e-7, 5e-7, 1e-6, 1e-5])
@pytest.mark.parametrize("side", [-1, 1])
def test_kinks_near_the_point_are_seen_through(distance, side):
    assert gradcheck(autograd.relu, leaf([side * float(distance)]))
    assert gradcheck(lambda x: (x - 1).abs(), leaf([1.0 + side * distance]))


def test_a_dead_relu_layer_passes():
    """All zeros: every unit is at its kink, along every input."""
    x, w = tensor(draws.normal(size=(4, 3))), leaf(np.zeros((3, 5)))
    assert gradcheck(lambda w, v: (x @ w).relu() @ v, (w, normal(5, 2)))


def relu_with(slope):
    """relu whose gradient at 0 is `slope`."""
    return primitive(lambda x: np.maximum(x, 0), "relu_with", x=lambda g, x: g * np.where(x == 0, slope, x > 0))


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_any_slope_between_the_sides_is_right_at_a_kink(slope):
    assert gradcheck(relu_with(slope), leaf([0.0, 1.0]))


@pytest.mark.parametrize("slope", [-0.01, 1.01, 2.0, np.nan, np.inf])
def test_a_slope_outside_is_wrong_at_a_kink(slope):
    message = fails(relu_with(slope), leaf([1.0, 0.0]))
    assert "output 0 at [1] by input 0 at [1]" in message
    assert "kink" in message
    assert re.search(r"slopes of its two sides are 0 and 1(\.0*\d*)?$", message)


def test_the_gradients_at_a_tie_must_fit_together():
    """Each entry of (1, 1) is possible for the maximum of two equal numbers, but not both."""
    every = primitive(lambda x: np.max(x), "max_to_every", x=lambda g, x, out: g * (x == out))
    assert gradcheck(every, leaf([1.0, 2.0]))
    message = fails(every, leaf([2.0, 2.0]))
    assert "kink in 2 inputs at once (first in input 0 at [0])" in message
    assert "slope 2, and finite differences give 1" in message
    half = primitive(lambda x: np.max(x), "max_by_halves", x=lambda g, x, out: g * (x == out) / 2)
    assert gradcheck(half, leaf([1.0, 2.0, 2.0])) is True
    assert "slope 1.5, and finite differences give 1" in fails(half, leaf([2.0, 2.0, 2.0]))
    none = primitive(
        lambda x, y: np.maximum(x, y), "maximum_to_none", x=lambda g, x, y: g * (x > y), y=lambda g, x, y: g * (x < y)
    )
    assert "slope 0, and finite differences give 1" in fails(none, (leaf([1.0]), leaf([1.0])))


@pytest.mark.parametrize(("func", "at"), [(autograd.floor, 2.0), (autograd.sign, 0.0), (autograd.round, 0.5)])
def test_jumps_are_reported_as_such(func, at):
    assert gradcheck(func, leaf([at + 0.1]))
    message = fails(func, leaf([at + 0.1, at]))
    assert "at [1] by input 0 at [1] is 0 from backward" in message
    assert "there is a jump here" in message


def test_functions_that_end_here_are_reported_as_such():
    assert "not all finite" in fails(autograd.sqrt, leaf([0.0]))
    assert "not all finite" in fails(autograd.log, leaf([0.0]))


# ---------------------------------------------------------------- wrong gradients
def square(gradient):
    """x * x with this for a rule."""
    return primitive(lambda x: x * x, "wrong_square", x=gradient)


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, x: -2 * g * x,
        lambda g, x: 2 * g * x * 1.01,
        lambda g, x: g * x,
        lambda g, x: 2 * g * x + g,
        lambda g, x: 2 * g * x + 5e-3 * g,
        lambda g: np.zeros_like(g),
        lambda g, x: g * np.nan,
        lambda g, x: np.flip(2 * g * x),
    ],
    ids=["sign", "factor", "missing factor", "extra term", "small extra term", "zero", "nan", "order"],
)
def test_wrong_rules_fail(rule):
    x = leaf([0.3, -1.2, 2.0])
    fails(square(rule), x)
    assert gradcheck(square(lambda g, x: 2 * g * x), x)


@given(st.floats(-3, 3).filter(lambda v: abs(v) > 2e-5), st.floats(-2, 2))
def test_no_error_above_the_tolerance_passes(error, at):
    """At a smooth point, with curvature: what counts is the tolerance and nothing else."""
    slightly = primitive(lambda x: np.sin(x), "wrong_sine", x=lambda g, x: g * (np.cos(x) + error))
    assert gradcheck(slightly, leaf([at]), rtol=0, raise_exception=False) is False
    assert gradcheck(slightly, leaf([at]), rtol=0, atol=abs(error) + 1e-6)


def test_strong_curvature_is_no_kink():
    """A parabola so steep that the slopes of the two sides differ: a gradient between them is still wrong."""
    steep = primitive(lambda x: 1e7 * x * x, "steep", x=lambda g, x: g * (2e7 * x + 3.0))
    x = leaf([0.0])
    left, right = (-1e7 * 1e-12 / 1e-6, 1e7 * 1e-12 / 1e-6)
    assert left < 3 < right
    assert "is 3 from backward" in fails(steep, x)


def test_straight_lines_have_no_kinks():
    wrong = primitive(lambda x: x * 2, "wrong_line", x=lambda g: g * 3)
    for at in draws.normal(size=20):
        assert "kink" not in fails(wrong, leaf([at]))


def test_steps_too_small_to_see_anything_prove_nothing():
    """Next to 1e11 the smaller steps vanish in rounding: the function looks constant to them, but is not."""
    fails(primitive(lambda x: x * 10 + 1e11, "offset", x=lambda g: g * 0), leaf([0.1]), eps=1e-5)


@pytest.mark.parametrize("slope", [0.0, 1.0, 1e6, 4e6, 8e6, 32e6])
def test_the_slope_of_a_jump_is_no_gradient(slope):
    """Across a jump every step sees a slope, each another."""
    fails(primitive(lambda x: np.floor(x), "steep_floor", x=lambda g: g * slope), leaf([2.0]))


def test_fast_waves_are_no_kinks():
    """Where the steps do not resolve the function at all, the slopes they see are not mistaken for those of a kink."""
    for k in range(40):
        wave = primitive(lambda x: np.sin(1e8 * x), "fast_wave", x=lambda g, x: g * 0.5e8 * np.cos(1e8 * x))
        assert gradcheck(wave, leaf([0.1 * k + 0.05]), raise_exception=False) is False


def test_the_message_names_the_place_and_the_values():
    rule = lambda g, x: g * 2 * x * np.where(np.arange(6).reshape(2, 3) == 5, 1.5, 1)  # noqa: E731
    wrong = square(rule)
    message = fails(lambda a, x: (a.exp(), wrong(x)), (normal(2), leaf([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])))
    assert message.startswith("gradcheck: the derivative of output 1 at [1, 2] by input 1 at [1, 2] is 18 from backward, but 12")
    assert "the tolerance is 0.012" in message
    assert "\n" not in message
    message = fails(lambda x: wrong(x).sum(), leaf(np.full((2, 3), 4.0)))
    assert "the derivative of output 0 by input 0 at [1, 2] is 12 from backward, but 8" in message


def test_the_message_lists_the_worst_few_worst_first():
    message = fails(square(lambda g, x: g * 3 * x), leaf(np.arange(1.0, 9.0)))
    assert "of 8 wrong ones among 64" in message
    assert len(message.splitlines()) == 5
    off = [float(a) / float(n) for a, n in re.findall(r"is (\S+) from backward, but (\S+) from", message)]
    assert off == pytest.approx([1.5] * 5, rel=1e-6)
    message = fails(square(lambda g, x: 2 * g * x + np.where(g != 0, [0.1, 0.3, np.nan, 0.2], 0)), leaf([1.0, 1.0, 1.0, 1.0]))
    assert re.findall(r"by input 0 at \[(\d)\]", message) == ["2", "1", "3", "0"]


def test_a_forgotten_dependence_fails():
    """Nothing that comes out has a gradient, though it changes with the input."""
    assert "is 0 from backward, but 2 from finite differences" in fails(lambda x: x.detach() * 2, leaf([1.0]))


def test_gradients_must_be_linear_in_the_upstream_gradient():
    """The seeds 0 and 1 cannot tell g from g * g."""
    assert "not linear" in fails(primitive(lambda x: x * 2, "quadratic", x=lambda g: 2 * g * np.abs(g)), leaf([1.0]))
    constant = primitive(lambda x: x * 2, "constant", x=lambda g: 2 + 0 * g)
    assert "with zero upstream gradients input 0" in fails(constant, leaf([1.0]))


def test_results_that_share_a_rule_are_checked_together():
    def forward(x):
        return x * 2, x * 3

    def rule(g):
        return 2 * g[0] if g[1] is None else 3 * g[1] if g[0] is None else 2 * g[0] - 3 * g[1]

    assert "of all outputs together" in fails(primitive(forward, "both", x=rule), leaf([1.0, 2.0]))


def test_functions_that_are_not_deterministic_fail():
    noise = np.random.default_rng(1)
    assert "outputs that differ" in fails(lambda x: x + noise.normal(), leaf([1.0]))
    jitter = primitive(lambda x: x * 2, "jitter", x=lambda g: g * (2 + 1e-9 * noise.uniform()))
    assert "gradients that differ" in fails(jitter, leaf([1.0]))
    assert gradcheck(jitter, leaf([1.0]), nondet_tol=1e-6)


# ---------------------------------------------------------------- second order
def test_a_rule_that_detaches_fails_in_second_order_only():
    frozen = square(lambda g, x: g * 2 * getattr(x, "array", x))
    x = leaf([0.5, 1.0, 2.0])
    assert gradcheck(frozen, x)
    message = fails(frozen, x, gradgradcheck)
    assert message.startswith("gradgradcheck: the derivative of the gradient of input 0 at [")
    assert re.search(r"by input 0 at \[\d\] is 0 from backward", message)


def test_a_rule_that_loses_its_graph_fails_in_second_order():
    """One whose result is cut off altogether, beside another that is not."""
    cut = primitive(
        lambda x, y: x * y,
        "cut_product",
        x=lambda g, y: Tensor(g.array * y.array).to(g.dtype) if isinstance(g, Tensor) else g * y,
        y=lambda g, x: g * x,
    )
    assert gradcheck(cut, (normal(2), normal(2)))
    assert "the gradient of input 0" in fails(cut, (normal(2), normal(2)), gradgradcheck)


def test_a_wrong_second_derivative_fails():
    inner = primitive(lambda x: np.cos(x), "wrong_cosine", x=lambda g, x: g * np.sin(x))  # the sign
    outer = primitive(lambda x: np.sin(x), "sine_by_wrong_cosine", x=lambda g, x: g * inner(x))
    assert gradcheck(outer, leaf([0.7]))
    fails(outer, leaf([0.7]), gradgradcheck)


def test_upstream_gradients_can_be_given_and_are_named():
    assert gradgradcheck(autograd.exp, normal(2), leaf([2.0, 3.0]))
    assert gradgradcheck(lambda x: (x.exp(), x.sin()), normal(2), [tensor([2.0, 3.0], dtype=autograd.float64), None])
    assert gradgradcheck(autograd.exp, normal(2), gen_non_contig_grad_outputs=True)
    wrong = square(lambda g, x: g * 2 * x if isinstance(g, np.ndarray) else (g.detach() * 2 * x))
    assert "by grad_output 0" in fails(wrong, leaf([2.0]), gradgradcheck)
    with pytest.raises(ArgumentError, match="1 grad_outputs for 2 differentiable outputs"):
        gradgradcheck(lambda x: (x.exp(), x.sin()), normal(2), leaf([1.0, 1.0]))


def test_a_kink_is_a_jump_of_the_gradient():
    assert gradgradcheck(autograd.relu, leaf([-1.0, 1.0]))
    assert "there is a jump here" in fails(autograd.relu, leaf([0.0]), gradgradcheck)


# ---------------------------------------------------------------- manners
def test_inputs_are_left_as_they_were():
    base = draws.normal(size=(4, 6))
    base[0, 0] = np.nan
    arrays = [base[::2, ::-1], np.asfortranarray(draws.normal(size=(2, 6))), np.array(0.1)]
    tensors = [autograd.from_numpy(a).requires_grad_() for a in arrays]
    before = [a.tobytes() for a in arrays]
    held = [t.array for t in tensors]
    tensors[0].grad = autograd.ones_like(tensors[0])

    def func(x, y, z):
        assert x.array is not held[0]  # what it could write into is a copy
        return (x * y).sum() + z

    gradcheck(func, tuple(tensors), raise_exception=False)
    gradgradcheck(func, tuple(tensors), raise_exception=False)
    assert [a.tobytes() for a in arrays] == before
    assert all(t.array is a for t, a in zip(tensors, held, strict=True))
    assert all(t.requires_grad and t.is_leaf for t in tensors)
    np.testing.assert_array_equal(tensors[0].grad.array, 1)
    assert tensors[1].grad is None


def test_inputs_are_restored_when_func_raises():
    x = leaf([1.0, 2.0])
    held, calls = x.array, []

    def func(x):
        calls.append(1)
        if len(calls) > 3:
            raise ZeroDivisionError
        return x * 2

    with pytest.raises(ZeroDivisionError):
        gradcheck(func, x)
    assert x.array is held


def test_the_layout_of_inputs_is_kept():
    seen = []
    x = tensor(np.asfortranarray(np.ones((2, 3))))
    x = autograd.from_numpy(np.asfortranarray(np.ones((2, 3)))).requires_grad_()
    gradcheck(lambda x: seen.append(x.array.flags.f_contiguous) or x * 2, x)
    assert seen
    assert all(seen)
    stretched = autograd.from_numpy(np.broadcast_to(np.float64(2), (3,))).requires_grad_()
    assert gradcheck(lambda x: x * x, stretched)  # elements that share memory move one by one


def test_inputs_of_low_precision_are_warned_about():
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(UserWarning, match="input 1 is float32, too coarse.*double") as caught:
        gradcheck(lambda n, x: x * n, (2, x), raise_exception=False)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert gradcheck(lambda x: x * x, x, eps=1e-2, atol=1e-2)
        assert gradcheck(lambda x: x * 2, x, eps=1e-6)  # steps are as long as they are in float32


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(ArgumentError, match="no input requires grad"):
        gradcheck(autograd.exp, tensor([1.0]))
    with pytest.raises(ArgumentError, match="no floating-point tensor"):
        gradcheck(lambda x: x.argmax(), leaf([1.0]))
    with pytest.raises(ArgumentError, match=r"eps=1e-06 does not change input 0 at \[0\], which is 1e\+20"):
        gradcheck(autograd.exp, leaf([1e20]))
    with pytest.raises(ArgumentError, match="no output of func depends"):
        gradgradcheck(lambda x: x.detach(), leaf([1.0]))


def test_options_of_pytorch():
    x = leaf([1.0])
    assert gradcheck(autograd.exp, x, check_undefined_grad=False, check_grad_dtypes=True, fast_mode=True, check_forward_ad=False)
    assert gradgradcheck(autograd.exp, x, check_batched_grad=False, check_rev_over_rev=True)
    with pytest.raises(UnsupportedError, match="check_forward_ad=True"):
        gradcheck(autograd.exp, x, check_forward_ad=True)
    with pytest.raises(UnsupportedError, match="tolerance=1"):
        gradcheck(autograd.exp, x, tolerance=1)


def test_the_error_is_one_of_ours_and_a_runtime_error():
    assert issubclass(GradcheckError, AutogradError)
    assert issubclass(GradcheckError, RuntimeError)  # as torch.autograd.gradcheck.GradcheckError


def test_the_global_generator_is_not_moved():
    autograd.manual_seed(3)
    expected = autograd.rand(2).tolist()
    autograd.manual_seed(3)
    gradcheck(lambda x: x.max(), leaf([1.0, 1.0]))
    gradgradcheck(autograd.exp, leaf([1.0, 1.0]))
    assert autograd.rand(2).tolist() == expected


def test_nothing_is_kept_alive():
    x = leaf([1.0, 2.0])
    y = weakref.ref(x.node)
    gradcheck(autograd.exp, x)
    del x
    gc.collect()
    assert y() is None
