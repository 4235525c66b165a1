"""detect_anomaly finds the op and the line, says what it saw, and changes nothing else."""

import functools
import gc
import linecache
import re
import threading
import weakref

import numpy as np
import pytest
from helpers import leaves, vector
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from samples import SAMPLES
from strategies import calls

import autograd as ag
import nn
from autograd import detect_anomaly, enable_grad, grad, no_grad, set_detect_anomaly, tensor, where
from autograd.engine.graph import Node, ambient, mode
from autograd.engine.primitive import Plan
from autograd.engine.tape import Tape
from autograd.engine.tensor import Tensor
from autograd.errors import AnomalyError, FreedGraphError, GraphError, InPlaceError
from nn import optim

INF, NAN = float("inf"), float("nan")
leaf = functools.partial(vector, dtype=ag.float32)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of the very things that are looked for


def caught(kind, run, *options):
    """What an error of this kind says that `run` raises while anomalies are detected."""
    with pytest.raises(kind) as info, detect_anomaly(*options):
        run()
    return str(info.value)


def lines(message):
    """The lines of this file that a message names, by the comment that marks each."""
    numbers = re.findall(rf"{re.escape(__file__)}:(\d+)", message)
    return [linecache.getline(__file__, int(n)).partition("#")[2].strip() for n in numbers]


# ---------------------------------------------------------------- forward
def test_forward_names_op_values_shapes_and_line():
    def run():
        x = tensor([[1.0, 2.0], [-1.0, 3.0], [-4.0, 5.0]])
        y = x + 0
        y.log()  # here

    message = caught(AnomalyError, run)
    assert message.startswith("log is nan at [1, 0] (x = -1), nan at [2, 0] (x = -4); ")
    assert "its arguments were x float32 (3, 2) from -4 to 5; " in message
    assert lines(message) == ["here"]
    assert message.endswith(", `y.log()  # here`")


def test_many_places_are_counted():
    assert "nan at [2] (x = -1) and at 7 more of 10 places" in caught(AnomalyError, lambda: (-ag.ones(10)).sqrt())


def test_error_is_also_of_pytorchs_and_numpys_type():
    assert issubclass(AnomalyError, RuntimeError)
    assert issubclass(AnomalyError, FloatingPointError)


def test_broadcast_arguments_are_shown_where_they_met():
    message = caught(AnomalyError, lambda: tensor([[1.0], [0.0]]) / tensor([3.0, 0.0]))
    assert "inf at [0, 1] (x = 1, y = 0), nan at [1, 1] (x = 0, y = 0)" in message


def test_arguments_of_every_kind():
    message = caught(AnomalyError, lambda: ag.cat([tensor([1.0, NAN]), tensor([2.0])]))
    assert "were axis = 0, xs[0] float32 (2,) from 1 to 1 with nan at [1], xs[1] float32 (1,) from 2 to 2;" in message
    assert "arguments were x float32 () = -1;" in caught(AnomalyError, lambda: tensor(-1.0).log())
    assert "arguments were x float32 (1,) from 1e+30 to 1e+30, y = 1e+30;" in caught(AnomalyError, lambda: tensor([1e30]) * 1e30)
    assert caught(AnomalyError, lambda: tensor([NAN, 1.0]).split(1)).startswith("result 0 of split is nan at [0];")


def test_nan_that_was_given_is_reported_by_the_first_op_that_meets_it():
    assert caught(AnomalyError, lambda: tensor([1.0, NAN]) * 2).startswith("multiply is nan at [1] (x = nan); ")


def test_what_needs_no_gradient_is_looked_at_too():
    with no_grad():
        caught(AnomalyError, lambda: leaf(-1.0).log())


def test_masks_of_inf_pass_and_so_does_what_comes_of_them():
    scores, mask = leaf(1.0, 2.0, 3.0), tensor([True, False, False])
    with detect_anomaly():
        p = scores.masked_fill(mask, -INF).softmax(0)
        (p * tensor([1.0, 2.0, 3.0])).sum().backward()
    assert scores.grad.array[0] == 0


def test_options():
    def made():
        return tensor([0.0]).log()

    assert re.match(r"log is -inf at \[0\] \(x = 0\).*pass check_inf=False$", caught(AnomalyError, made))
    with detect_anomaly(check_inf=False):
        made()
    with detect_anomaly(check_nan=False):
        tensor([-1.0]).log()
    caught(AnomalyError, made, False)
    caught(AnomalyError, lambda: tensor([0.0, -1.0]).log(), True, False)


def test_integers_and_booleans_have_neither():
    with detect_anomaly():
        assert (tensor([NAN, 1.0]) == 1).tolist() == [False, True]
        assert (tensor([1, 2]) // 1).tolist() == [1, 2]
        assert ag.isnan(tensor([NAN])).all()


# ---------------------------------------------------------------- the user's line
def test_line_is_the_users_whatever_lies_between():
    @enable_grad()
    def decorated(x):
        return x.sqrt()  # decorated

    deep = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    for marked, run in {
        "function": lambda: np.log(-ag.ones(2)),  # function
        "decorated": lambda: decorated(tensor([-1.0])),
        "module": lambda: deep(tensor([[NAN]])),  # module
        "reduction": lambda: np.sum(tensor([NAN])),  # reduction
    }.items():
        assert lines(caught(AnomalyError, run)) == [marked]


# ---------------------------------------------------------------- backward
def test_backward_names_gradient_values_and_both_lines():
    def run():
        x = leaf(4.0, 0.0)
        y = x.sqrt()  # forward
        z = (y * tensor([1.0, 2.0])).sum()
        z.backward()  # backward

    message = caught(AnomalyError, run)
    assert message.startswith("the gradient of sqrt with respect to x is inf at [1] (g = 2, out = 0); ")
    assert "it was made of g float32 (2,) from 1 to 2, out float32 (2,) from 0 to 2; sqrt was called at " in message
    assert lines(message) == ["forward", "backward"]


def test_argument_is_named_whichever_gradients_are_wanted():
    def run(wanted):
        x, y = leaf(1.0), leaf(1e-30)
        grad((x / y), [x, y][wanted])

    assert "the gradient of divide with respect to y is -inf at [0]" in caught(AnomalyError, lambda: run(1), True)
    with detect_anomaly():
        run(0)


def test_gradients_in_a_list_are_named_by_their_place():
    def run():
        x, y = leaf(1.0), leaf(1e30)
        ag.cat([x, y]).backward(tensor([1.0, INF]))

    assert "the gradient of concatenate with respect to xs[1] is inf at [0]" in caught(AnomalyError, run)


def test_several_results():
    def run():
        a, b = leaf(4.0, 0.0).split(1)
        (a + b.sqrt()).backward()

    assert "the gradient of sqrt with respect to x is inf at [0]" in caught(AnomalyError, run)


def test_zero_stays_zero_unreported():
    """0 * inf inside of a rule is put right by the engine: no anomaly, to second order too."""
    x = leaf(0.0, 4.0)
    with detect_anomaly():
        (g,) = grad(where(x > 0, x.sqrt(), 0.0).sum(), x, create_graph=True)
        g.sum().backward()
    assert g.tolist() == [0, 0.25]
    assert x.grad.tolist() == [0, -1 / 32]


def test_second_order_names_the_op_in_whose_gradient_it_is():
    def run():
        x = leaf(1e-20)
        y = x.log()  # forward
        (g,) = grad(y, x, create_graph=True)
        g.backward()  # backward

    message = caught(AnomalyError, run)
    assert message.startswith("the gradient of divide with respect to y is -inf at [0]")
    assert re.search(r"divide was called at \S* \(in the gradient of log\)", message)
    assert lines(message) == ["forward", "backward"]


def test_accumulation_that_overflows():
    x = leaf(1.0)

    def run():
        for _ in range(2):
            (x * 2e38).backward()

    assert "add is inf at [0]" in caught(AnomalyError, run)


def test_graph_made_outside_is_not_watched_and_made_inside_not_checked_outside():
    x = leaf(0.0)
    y = x.sqrt()
    with detect_anomaly():
        y.backward()
        z = x.sqrt()
    z.backward()
    assert x.grad.tolist() == [INF]


# ---------------------------------------------------------------- errors with both lines
def test_modified_in_place_after_it_was_saved():
    def run(change):
        x = leaf(1.0, 2.0)
        y = (x * x).sum()  # saved
        with no_grad():
            change(x)
        y.backward()

    for change in (
        lambda x: x.add_(1),  # changed
        lambda x: x[:1].zero_(),  # changed
        lambda x: x.__setitem__(0, 5.0),  # changed
        lambda x: x.data.mul_(2),  # changed
    ):
        message = caught(InPlaceError, lambda: run(change))  # noqa: B023 (it is called here)
        assert re.search("; saved at .*; modified at ", message)
        assert lines(message) == ["saved", "changed"]

    def behind_the_back(x):
        x.array[0] = 7
        ag.touch(x.array)

    assert caught(InPlaceError, lambda: run(behind_the_back)).endswith("modified at a line that detect_anomaly did not see")


@pytest.mark.parametrize("write", [lambda y: y.add_(1), lambda y: y[:1].mul_(y[1:])])
def test_recorded_writes_are_named_too(write):
    def run():
        y = leaf(1.0, 2.0).exp()
        z = y * y  # saved
        write(y)  # changed
        z.sum().backward()

    message = caught(InPlaceError, run)
    assert "multiply: its gradient needs " in message
    assert lines(message)[0] == "saved"
    assert len(lines(message)) == 2


def test_freed_graph():
    def run():
        x = leaf(1.0, 2.0)
        y = x.exp()  # saved
        y.sum().backward()  # freed
        y.sum().backward()

    message = caught(FreedGraphError, run)
    assert "exp: the values it saved were freed" in message
    assert lines(message) == ["saved", "freed"]


def test_errors_are_as_ever_outside():
    x = leaf(1.0, 2.0)
    y = x.exp().sum()
    y.backward()
    with pytest.raises(FreedGraphError) as info:
        y.backward()
    assert __file__ not in str(info.value)


# ---------------------------------------------------------------- how it is switched
def test_decorator():
    @detect_anomaly(check_inf=False)
    def log(x):
        return x.log()

    assert log(tensor([0.0])).tolist() == [-INF]
    for _ in range(2):
        with pytest.raises(AnomalyError):
            log(tensor([-1.0]))
    assert mode().tape is None


def test_set_detect_anomaly():
    set_detect_anomaly(True)
    try:
        with pytest.raises(AnomalyError):
            tensor([0.0]).log()
        with set_detect_anomaly(False):
            assert tensor([-1.0, 0.0]).log()[1] == -INF
        with set_detect_anomaly(True, check_inf=False):
            tensor([0.0]).log()
        with pytest.raises(AnomalyError):
            tensor([0.0]).log()
    finally:
        set_detect_anomaly(False)
    tensor([-1.0]).log()
    with set_detect_anomaly(True), pytest.raises(AnomalyError):
        tensor([-1.0]).log()
    assert mode().tape is None


def test_other_threads_are_not_watched():
    found = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: found.append(tensor([-1.0]).log().isnan().item()))
        thread.start()
        thread.join()
    assert found == [True]


def test_a_tape_and_a_watch_do_not_go_together():
    with ambient(tape=Tape()):
        for switch in (lambda: detect_anomaly().__enter__(), lambda: set_detect_anomaly(True)):
            with pytest.raises(GraphError, match="while a tape records"):
                switch()


# ---------------------------------------------------------------- nothing else changes
def outcome(sample, call):
    """Values, and gradients of first and second order."""
    call = call.map(lambda a: ag.from_numpy(a.copy()).requires_grad_(a.dtype.kind == "f"))
    ys = [y for y in leaves(call.run(sample.op)) if isinstance(y, Tensor)]
    smooth = [y for y in ys if y.requires_grad]
    xs = call.inputs()
    if not smooth or not xs:
        return ys
    first = grad(smooth, xs, [ag.ones_like(y) for y in smooth], create_graph=True, materialize_grads=True)
    again = [g for g in first if g.requires_grad]
    second = grad(again, xs, [ag.ones_like(g) for g in again], materialize_grads=True) if again else ()
    return [*ys, *first, *second]


@pytest.mark.parametrize("sample", [s for s in SAMPLES if "anomaly" not in s.exempt], ids=lambda s: s.name)
@given(st.data())
def test_values_and_gradients_are_the_same(sample, data):
    """To the last bit, or else there was an anomaly."""
    call = data.draw(calls(sample))
    ag.manual_seed(0)
    plain = outcome(sample, call)
    ag.manual_seed(0)
    try:
        with detect_anomaly():
            watched = outcome(sample, call)
    except AnomalyError:
        assert not all(np.isfinite(v).all() for v in (*call.inputs(), *[y.array for y in plain]))
        return
    assert len(plain) == len(watched)
    for y, w in zip(plain, watched, strict=True):
        assert_array_equal(y.array, w.array, strict=True)


@pytest.mark.parametrize("optimizer", [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.AdamW(p, lr=0.01)])
def test_training_is_the_same(optimizer):
    def train(watch):
        ag.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        steps = optimizer(model.parameters())
        x, labels = ag.randn(20, 5), ag.randint(0, 3, (20,))
        with set_detect_anomaly(watch):
            for _ in range(5):
                steps.zero_grad()
                nn.functional.cross_entropy(model(x), labels).backward()
                steps.step()
        return [p.array for p in model.parameters()]

    for plain, watched in zip(train(False), train(True), strict=True):
        assert_array_equal(plain, watched, strict=True)


def test_arrays_hooks_and_pictures_work_as_ever():
    x = leaf(1.0, 2.0)
    y = x.exp()
    seen, plain = [], str(ag.draw(y))
    with detect_anomaly():
        y = x.exp()
        y.register_hook(lambda g: seen.append(g.tolist()))
        assert np.asarray(y.detach()).shape == (2,)
        assert ag.gradcheck(ag.tanh, leaf(0.5, dtype=ag.float64))
        assert str(ag.draw(y)) == plain
        y.sum().backward()
    assert seen == [[1, 1]]


def test_functions_of_ones_own_are_watched():
    class Bad(ag.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * INF

    def run():
        y = Bad.apply(leaf(1.0, 2.0))  # forward
        y.sum().backward()  # backward

    message = caught(AnomalyError, run)
    assert message.startswith("the gradient of Bad with respect to ")
    assert lines(message) == ["forward", "backward"]


def test_nothing_is_kept():
    """Graphs die with their last Tensor, and switched off there is no trace of a watch."""
    with detect_anomaly():
        x = leaf(1.0)
        y = x.exp()
        node = weakref.ref(y.node)
        gc.disable()
        try:
            del y
            assert node() is None
        finally:
            gc.enable()
    y = x.exp()
    assert (type(y.node), type(y.node.plan), mode().tape) == (Node, Plan, None)


def test_long_chains():
    x = y = leaf(1.0)
    with detect_anomaly():
        for _ in range(20_000):
            y = y + 1
        y.backward()
    assert x.grad.tolist() == [1]
