"""From a NumPy function and its rules to a differentiable function: what `primitive` makes, and what it refuses."""

import inspect
import linecache
import subprocess
import sys
import threading
import traceback
import tracemalloc
from unittest import mock

import numpy as np
import pytest
from foreign import Foreign
from helpers import vector as leaf

import autograd
from autograd import Tensor, grad, no_grad, ones, primitive, tensor
from autograd.engine import codegen
from autograd.engine.primitive import PRIMITIVES, keep_zero
from autograd.engine.tensor import NUMPY, wrap
from autograd.errors import AutogradError, DtypeError, NoGradientError, ShapeError, UnsupportedError

f64 = autograd.float64
NAN = np.float64("nan")


@pytest.fixture(autouse=True)
def _tables_stay_as_they_were():
    with mock.patch.dict(PRIMITIVES), mock.patch.dict(NUMPY):
        yield


# ---------------------------------------------------------------- what it makes
def test_an_op_of_ones_own_differentiates_to_any_order():
    softplus = primitive(lambda x: np.logaddexp(x, 0), "softplus", x=lambda g, x: g / (1 + np.exp(-x)))
    x = leaf(-1, 0.5)
    y = softplus(x)
    s = 1 / (1 + np.exp([1.0, -0.5]))
    np.testing.assert_allclose(y.array, np.log1p(np.exp([-1.0, 0.5])))
    (first,) = grad(y.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x, create_graph=True)
    (third,) = grad(second.sum(), x)
    np.testing.assert_allclose(first.array, s)
    np.testing.assert_allclose(second.array, s * (1 - s))
    np.testing.assert_allclose(third.array, s * (1 - s) * (1 - 2 * s))


def test_it_has_a_name_and_a_place_in_the_table():
    op = primitive(lambda x: x + 1, "one_more", x=lambda g: g)
    assert (op.name, op.__name__, op.names) == ("one_more", "one_more", ["x"])
    assert PRIMITIVES["one_more"] is op
    assert op(leaf(1)).grad_fn.name() == "OneMoreBackward"

    def twice(x):
        return x + x

    assert primitive(twice, x=lambda g: g + g).name == "twice"


def test_on_plain_arrays_it_is_the_function_itself():
    op = primitive(lambda x, y: x * y, "product", x=lambda g, y: g * y, y=lambda g, x: g * x)
    x = np.arange(3.0)
    assert type(op(x, 2.0)) is np.ndarray
    assert op(2, 3) == 6
    assert type(op(2, 3)) is int
    assert type(op(Foreign(x), Foreign(x))) is Foreign


def test_creates_makes_tensors_of_no_tensor():
    op = primitive(lambda n: np.full(n, 7.0), "sevens", creates=True)
    assert type(op(3)) is Tensor
    assert op(2).tolist() == [7, 7]


def test_a_primitive_of_a_numpy_function_is_what_that_becomes_on_tensors(monkeypatch):
    monkeypatch.delitem(NUMPY, np.hypot)  # or it would stay what it is
    op = primitive(np.hypot, x=lambda g, x, out: g * x / out, y=lambda g, y, out: g * y / out, singular=True)
    x, y = leaf(3), leaf(4)
    np.hypot(x, y).backward()
    assert (x.grad.item(), y.grad.item()) == pytest.approx((0.6, 0.8))
    assert op.name == "hypot"
    assert NUMPY[np.hypot] is op


def test_arguments_by_name_and_defaults():
    op = primitive(
        lambda x, power=2, scale=1.0: scale * x**power,
        "scaled",
        x=lambda g, x, power, scale: g * scale * power * x ** (power - 1),
    )
    x = leaf(3)
    assert op(x).item() == 9
    assert op(x, scale=10.0, power=3).item() == 270
    assert grad(op(x, scale=10.0), x)[0].item() == 60
    with pytest.raises(TypeError, match=r"scaled|op"):
        op(x, exponent=2)
    with pytest.raises(TypeError):
        op()


def test_variadic_arguments():
    op = primitive(lambda axis, *xs: np.stack(xs, axis), "piled", joint=lambda g, axis: [None, *np.moveaxis(g, axis, 0)])
    x, y = leaf(1, 2), leaf(3, 4)
    out = op(1, x, y.detach(), x)
    assert out.tolist() == [[1, 3, 1], [2, 4, 2]]
    (found,) = grad(out, x, np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]]))
    assert found.tolist() == [101, 202]


def test_several_results_and_those_that_nobody_used():
    seen = []

    def rule(g, x):
        seen.append([h is None for h in g])
        low, high = (np.zeros_like(x) if h is None else h for h in g)
        return low * 2 + high * 2 * x

    op = primitive(lambda x: (2 * x, x * x), "line_and_square", x=rule)
    x = leaf(3)
    line, square = op(x)
    assert [type(part) for part in op(x)] == [Tensor, Tensor]
    assert grad(line, x, retain_graph=True)[0].item() == 2
    assert grad(square, x, retain_graph=True)[0].item() == 6
    assert grad([line, square], x)[0].item() == 8
    assert seen == [[False, True], [True, False], [False, False]]


def test_a_joint_rule_may_compute_only_what_is_wanted():
    def joint(g, x, y, needs):
        return g * y if needs[0] else None, g * x if needs[1] else None

    op = primitive(lambda x, y: x * y, "joined", joint=joint)
    x, y = leaf(2), leaf(5)
    assert [g.item() for g in grad(op(x, y), [x, y])] == [5, 2]
    assert grad(op(x, y), y)[0].item() == 2


# ---------------------------------------------------------------- what a rule is given, and what it need not do
def test_a_rule_may_ask_for_arguments_the_result_and_shapes():
    given = {}

    def rule(g, x, out, x_shape, y_shape, out_shape, y):
        given.update(x=x, out=out, x_shape=x_shape, y_shape=y_shape, out_shape=out_shape, y=y)
        return g * y

    op = primitive(lambda x, y: x * y, "asking", x=rule, y=None)
    x, y = leaf(1, 2), np.array([[3.0], [4.0]])
    out = op(x, y)
    out.sum().backward()
    assert given["x"] is x.array
    assert given["out"] is out.array
    assert given["y"] is y
    assert (given["x_shape"], given["y_shape"], given["out_shape"]) == ((2,), (2, 1), (2, 2))


def test_broadcasting_and_dtypes_are_undone_outside_the_rule():
    op = primitive(lambda x, y: x * y, "product", x=lambda g, y: g * y, y=lambda g, x: g * x, promote=slice(None))
    x, y = ones(3, 1, requires_grad=True), ones(1, 4, dtype=f64, requires_grad=True)
    op(x, y).sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (autograd.float32, [[4.0]] * 3)
    assert (y.grad.dtype, y.grad.tolist()) == (f64, [[3.0] * 4])


def test_promote_says_which_arguments_meet_as_in_pytorch():
    seen = []

    def choose(c, x, y):
        seen.append([getattr(a, "dtype", type(a)) for a in (c, x, y)])
        return np.where(c, x, y)

    op = primitive(choose, c=None, x=lambda g, c: np.where(c, g, 0), y=lambda g, c: np.where(c, 0, g), promote=slice(1, None))
    assert op(tensor([1, 0]), ones(2), tensor([2.0, 3.0], dtype=f64)).dtype == f64
    assert op(tensor([1, 0]), ones(2), np.float64(2.5)).dtype == autograd.float32
    assert seen == [[np.int64, np.float64, np.float64], [np.int64, np.float32, float]]


def test_python_numbers_stay_python_numbers():
    seen = []

    def rule(g, y):
        seen.append(type(y))
        return g * y

    op = primitive(lambda x, y: x * y, "product", x=rule, promote=slice(None))
    x = ones(2, requires_grad=True)
    for number in (2, 2.5, True, np.float64(2.5), np.int32(3)):
        y = op(x, number)
        assert y.dtype == autograd.float32
        y.sum().backward()
    assert seen == [int, float, bool, float, int]


def test_an_argument_that_is_promoted_must_be_a_number_or_an_array_and_others_may_be_anything():
    op = primitive(lambda x, how: x if how == "as it is" else -x, "either", x=lambda g, how: g if how == "as it is" else -g)
    assert grad(op(leaf(1), "as it is"), leaf(1), allow_unused=True) == (None,)
    x = leaf(1)
    assert grad(op(x, None), x)[0].item() == -1
    with pytest.raises(DtypeError, match="multiply: y"):
        autograd.mul(x, None)


def test_zero_stays_zero_only_where_a_rule_is_singular():
    def make(**options):
        return primitive(lambda x: np.sqrt(x), "root_of", x=lambda g, out: g * 0.5 / out, **options)

    x = leaf(0, 4)
    weight = np.array([0.0, 1.0])
    assert grad(make(singular=True)(x), x, weight)[0].tolist() == [0, 0.25]
    assert np.isnan(grad(make()(x), x, weight)[0].tolist()).tolist() == [True, False]


def test_keep_zero_pays_only_when_there_is_a_nan():
    g = np.array([0.0, 1.0, 2.0])
    for good in (np.array([1.0, 2.0, 3.0]), np.ones(500)):
        assert keep_zero(g, good) is good
    bad = np.array([np.nan, np.nan, np.inf])
    found = keep_zero(g, bad)
    assert found[0] == 0
    assert np.isnan(found[1])
    assert found[2] == np.inf
    tensors = keep_zero(wrap(g), wrap(bad))
    assert isinstance(tensors, Tensor)
    assert tensors.tolist()[0] == 0


def test_keep_zero_copies_nothing_that_lies_in_another_order():
    g = np.ones((8, 32, 16, 16), np.float32)
    for good in (g, np.ascontiguousarray(g.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), g.T):
        tracemalloc.start()
        try:
            assert keep_zero(g, good) is good
            assert tracemalloc.get_traced_memory()[1] < good.nbytes / 10
        finally:
            tracemalloc.stop()


# ---------------------------------------------------------------- when nothing is recorded
def test_nothing_is_saved_without_a_reason():
    op = primitive(np.negative, "opposite", x=lambda g: -g)
    assert op(ones(2)).node is None
    with no_grad():
        assert op(leaf(1)).node is None


def test_an_op_without_rules_gives_constants():
    op = primitive(lambda x: np.argmax(x), "where_is_it")
    assert not op(leaf(1, 3, 2)).requires_grad
    assert op(leaf(1, 3, 2)).item() == 1


def test_none_says_that_there_is_no_gradient():
    op = primitive(lambda x, y: x * y, "half", x=lambda g, y: g * y, y=None)
    x = leaf(2)
    assert grad(op(x, leaf(3).detach()), x)[0].item() == 3
    with pytest.raises(NoGradientError, match=r"half has no gradient rule for y; detach\(\)"):
        op(x, leaf(3))


# ---------------------------------------------------------------- what it refuses
def test_rules_for_arguments_that_are_not_there():
    with pytest.raises(UnsupportedError, match="odd has a rule for 'y', but takes x"):
        primitive(lambda x: x, "odd", y=lambda g: g)


def test_names_that_mean_something_else():
    for function in (lambda g: g, lambda out: out, lambda needs: needs, lambda _x: _x, lambda Tensor: Tensor):
        with pytest.raises(UnsupportedError, match="means something else"):
            primitive(function, "odd")


def test_a_rule_that_asks_for_what_there_is_not():
    op = primitive(lambda x: x, "odd", x=lambda g, z: g)
    with pytest.raises(UnsupportedError, match="a rule of odd asks for 'z'; it may ask for x, out, x_shape, out_shape, needs"):
        op(leaf(1))


def test_an_error_inside_names_the_op_its_arguments_and_the_cause():
    op = primitive(lambda x, shape: np.reshape(x, shape), "shaped", x=lambda g, x_shape: np.reshape(g, x_shape))
    with pytest.raises(ShapeError, match=r"shaped does not work on x float64 \(3,\), shape \(2, 2\): cannot reshape") as caught:
        op(leaf(1, 2, 3), (2, 2))
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_bug_inside_is_raised_as_it_is_and_blames_nobody():
    def bug(x):
        return x.no_such_thing

    def wrong_call(x):
        return bug(x, x)

    for function, kind in (bug, AttributeError), (wrong_call, TypeError):
        with pytest.raises(kind) as caught:
            primitive(function, "buggy")(leaf(1))
        assert not isinstance(caught.value, AutogradError)
    with pytest.raises(DtypeError, match="buggy: x must be a tensor, not 'a'"):
        primitive(bug, "buggy", creates=True)("a")
    NUMPY[np.flip] = lambda x: wrong_call(x)
    with pytest.raises(TypeError, match=r"bug\(\) takes 1 positional"):
        np.flip(leaf(1))
    with pytest.raises(UnsupportedError, match=r"np.flip does not work like this .* 'axis'"):
        np.flip(leaf(1), axis=1)


def test_what_is_said_about_an_op_is_kept():
    op = primitive(np.abs, "size", x=lambda g, x: g * np.sign(x), says="The distance from 0.", kink="at 0, where it is 0")
    assert (op.says, op.kink) == ("The distance from 0.", "at 0, where it is 0")
    assert op(leaf(-2)).item() == 2


# ---------------------------------------------------------------- the code that is written out
def test_the_code_of_an_op_can_be_read_and_tracebacks_show_it():
    assert "def op(input, other, *, out=None):" in codegen.source("multiply")
    try:
        autograd.mul(ones(2), ones(3))
    except ShapeError as error:
        text = "".join(traceback.format_exception(error))
    assert "_out = fun(input_, other_)" in text


def test_defaults_are_not_spelled_into_the_code():
    op = primitive(lambda x, how=NAN, more=(): x, "with_defaults", x=lambda g: g)
    assert op(leaf(1)).item() == 1


def unwritten():
    """A primitive that was never called, and its source."""
    op = primitive(lambda x, y, how=NAN: x * y, "late", x=lambda g, y: g * y, y=lambda g, x: g * x)
    return op, codegen.source("late")


def test_a_primitive_is_written_out_when_it_is_first_called_and_stays_the_same_object():
    op, source = unwritten()
    before, code = inspect.signature(op), op.__code__
    assert str(before).startswith("(x, y, how=")
    assert "def op(x, y, how=_default_how, *, out=None):" in source
    assert linecache.getlines("<primitive late>") != source.splitlines(True)
    table = {"late": op}
    assert op(leaf(2), y=3).item() == 6
    assert linecache.getlines("<primitive late>") == source.splitlines(True)
    assert op.__code__ is not code
    assert op.__code__.co_filename == "<primitive late>"
    assert inspect.signature(op) == before
    assert table["late"](leaf(2), 4).item() == 8
    written = op.__code__
    op(leaf(1), 1)
    assert op.__code__ is written, "once is enough"


def test_the_first_call_may_be_a_wrong_one():
    op, _ = unwritten()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
        op(leaf(1))
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        op(leaf(1), z=1)


def test_threads_may_call_it_first_together():
    for _ in range(20):
        op, _ = unwritten()
        barrier, found = threading.Barrier(4), []

        def call(op=op, barrier=barrier, found=found):
            barrier.wait()
            found.append(op(leaf(2), 3).item())

        threads = [threading.Thread(target=call) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert found == [6] * 4


def test_users_may_call_arguments_by_other_names_than_rules_do():
    op, _ = unwritten()
    assert op(leaf(2), 3).item() == 6
    codegen.spelled(op, x="input", y="other")
    x = leaf(2)
    assert list(inspect.signature(op).parameters) == ["input", "other", "how", "out"]
    assert "def op(input, other, how=_default_how, *, out=None):" in codegen.source("late")
    out = op(other=5, input=x)
    assert op.__code__.co_varnames[:2] == ("input", "other")
    assert grad(out, x)[0].item() == 5
    with pytest.raises(TypeError, match="unexpected keyword argument 'x'"):
        op(x=x, y=2)
    assert op.names == ["x", "y", "how"]


def test_importing_writes_out_nothing():
    code = "import autograd, nn, linecache; print(sum(name.startswith('<primitive') for name in linecache.cache))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20
