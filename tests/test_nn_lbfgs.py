"""LBFGS: known minima, PyTorch's path to them, its line search, states, and what happens when the closure fails."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from autograd import float32, float64, ones, tensor
from autograd.engine.graph import ambient
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from nn.optim import LBFGS
from nn.optim.lbfgs import Point, strong_wolfe

rng = np.random.default_rng(0)
INPUTS = rng.standard_normal((40, 3))
LABELS = (INPUTS @ [1.0, -2.0, 0.5] + rng.standard_normal(40) > 0).astype(np.float64)


def rosenbrock(lib, p):
    x, y = p
    return ((1 - x) ** 2 + 100 * (y - x**2) ** 2).sum()


def logistic(lib, p):
    w, b = p
    z = (lib.tensor(INPUTS) * w).sum(1) + b
    loss = lib.log(1 + lib.exp(-z * lib.tensor(2 * LABELS - 1))).mean()
    return loss + 0.01 * (w * w).sum()


def quadratic(lib, p):
    (x,) = p
    return (lib.tensor(np.arange(1.0, 11.0)) * x * x).sum() / 2 - x.sum()


PROBLEMS = {
    "Rosenbrock": (rosenbrock, [np.array([-1.2, 0.5]), np.array([1.0, 2.0])]),
    "logistic regression": (logistic, [np.zeros(3), np.zeros(())]),
    "quadratic": (quadratic, [np.full(10, 2.0)]),
}
OPTIONS = {
    "search": {"line_search_fn": "strong_wolfe"},
    "search, all options": {
        "line_search_fn": "strong_wolfe", "lr": 0.7, "max_iter": 7, "max_eval": 12, "history_size": 3, "tolerance_grad": 1e-3,
    },
    "search once": {"line_search_fn": "strong_wolfe", "max_iter": 1},
    "plain": {"lr": 0.05},
    "plain, all options": {"lr": 0.02, "max_iter": 5, "max_eval": 4, "history_size": 2, "tolerance_change": 1e-4},
}  # fmt: skip
each_problem = pytest.mark.parametrize("problem", PROBLEMS)
each_option = pytest.mark.parametrize("options", OPTIONS)


class Ours:
    tensor, parameter, optim = staticmethod(tensor), staticmethod(lambda v: nn.Parameter(tensor(v))), nn.optim
    exp, log = staticmethod(lambda x: x.exp()), staticmethod(lambda x: x.log())


def run(lib, problem, options, calls, start=None, state=None):
    """The parameters and losses of some steps, and the optimizer."""
    function, values = PROBLEMS[problem]
    parameters = [lib.parameter(v) for v in (start or values)]
    opt = lib.optim.LBFGS(parameters, **(OPTIONS[options] if isinstance(options, str) else options))
    if state is not None:
        opt.load_state_dict(state)

    def closure():
        opt.zero_grad()
        loss = function(lib, parameters)
        loss.backward()
        return loss

    seen = []
    for _ in range(calls):
        loss = opt.step(closure).item()
        seen.append((loss, *(np.array(p.detach().numpy()) for p in parameters)))
    return seen, opt


def assert_same(ours, theirs, rtol):
    for mine, yours in zip(ours, theirs, strict=True):
        for a, b in zip(mine, yours, strict=True):
            assert_allclose(a, b, rtol=rtol, atol=rtol)


def plain(value):
    """What a state holds, as numbers and arrays."""
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return np.asarray(value.numpy() if hasattr(value, "numpy") else value)


def test_minima_are_found():
    to_the_end = {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-20, "tolerance_grad": 1e-9}
    seen, opt = run(Ours, "Rosenbrock", to_the_end, 4)
    assert_allclose(seen[-1][1:], np.ones((2, 2)), atol=1e-8)
    assert seen[0][0] == pytest.approx(
        sum((1 - x) ** 2 + 100 * (y - x**2) ** 2 for x, y in zip(*PROBLEMS["Rosenbrock"][1], strict=True))
    )
    seen, _ = run(Ours, "quadratic", to_the_end, 2)
    assert_allclose(seen[-1][1], 1 / np.arange(1.0, 11.0), atol=1e-8)
    assert 20 < opt.state_dict()["state"][0]["n_iter"] < 80


@pytest.fixture
def theirs(torch):
    class Theirs:
        tensor, optim, exp, log = torch.tensor, torch.optim, torch.exp, torch.log
        parameter = staticmethod(lambda v: torch.nn.Parameter(torch.tensor(v)))

    return Theirs


@each_problem
@each_option
def test_the_path_is_that_of_pytorch(theirs, problem, options):
    (mine, opt), (yours, there) = (run(lib, problem, options, 3) for lib in (Ours, theirs))
    assert_same(mine, yours, 1e-6)
    ours, known = opt.state_dict(), there.state_dict()
    assert ours["param_groups"] == known["param_groups"]
    ours, known = ours["state"][0], known["state"][0]
    assert ours.keys() == known.keys() - {"al"}  # which is where PyTorch computes, and nothing to keep
    assert (ours["n_iter"], ours["func_evals"]) == (known["n_iter"], known["func_evals"])
    assert len(ours["old_dirs"]) == len(known["old_dirs"])


@each_option
def test_states_go_both_ways(theirs, options):
    (first, there) = run(theirs, "logistic regression", options, 1)
    state = there.state_dict()
    (mine, opt), (yours, _) = (run(lib, "logistic regression", options, 2, first[-1][1:], state) for lib in (Ours, theirs))
    assert_same(mine, yours, 1e-7)
    ours = copy.deepcopy(opt.state_dict())
    converted = {
        name: [theirs.tensor(v.numpy()) if hasattr(v, "numpy") else v for v in value] if isinstance(value, list)
        else theirs.tensor(value.numpy()) if hasattr(value, "numpy") else value
        for name, value in ours["state"][0].items()
    }  # fmt: skip
    on, _ = run(Ours, "logistic regression", options, 2, mine[-1][1:], ours)
    known, _ = run(theirs, "logistic regression", options, 2, mine[-1][1:], {**ours, "state": {0: converted}})
    assert_same(on, known, 1e-7)


@each_problem
@each_option
def test_a_saved_state_goes_on_exactly(problem, options):
    whole, _ = run(Ours, problem, options, 4)
    part, opt = run(Ours, problem, options, 2)
    state = pickle.loads(pickle.dumps(opt.state_dict()))
    rest, _ = run(Ours, problem, options, 2, part[-1][1:], state)
    for a, b in zip(whole[2:], rest, strict=True):
        for x, y in zip(a, b, strict=True):
            assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [float32, float64])
def test_parameters_keep_their_arrays_and_dtypes(dtype):
    p, q = nn.Parameter(tensor([1.0, 2.0], dtype=dtype)), nn.Parameter(tensor([3.0], dtype=dtype))
    unused = nn.Parameter(tensor([5.0], dtype=dtype))
    arrays = p.array, q.array
    opt = LBFGS([p, unused, q], line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = ((p - 1) ** 2).sum() + ((q + 1) ** 2).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 17
    assert_allclose(p.tolist() + q.tolist(), [1, 1, -1], atol=1e-4)
    assert unused.tolist() == [5]
    assert p.array is arrays[0]
    assert q.array is arrays[1]
    assert p.dtype == dtype == opt.state[p]["d"].dtype


def test_at_a_minimum_nothing_moves():
    p = nn.Parameter([0.0])
    opt = LBFGS([p])
    p.grad = tensor([0.0])
    assert opt.step(lambda: 7.0) == 7
    assert (p.item(), opt.state[p]["func_evals"], opt.state[p]["n_iter"]) == (0, 1, 0)


@each_option
def test_a_closure_that_fails_changes_nothing(options):
    (_, opt) = run(Ours, "Rosenbrock", options, 1)
    parameters = opt.param_groups[0]["params"]
    before = [p.numpy(force=True).copy() for p in parameters], pickle.dumps(opt.state_dict())
    calls = []

    def closure():
        opt.zero_grad()
        loss = rosenbrock(Ours, parameters)
        loss.backward()
        calls.append(loss)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return loss

    with pytest.raises(KeyboardInterrupt):
        opt.step(closure)
    assert len(calls) == 2
    for p, value in zip(parameters, before[0], strict=True):
        assert_array_equal(p.numpy(force=True), value)
    assert pickle.dumps(opt.state_dict()) == before[1]


def test_loss_that_is_nan_stops_the_search():
    p = nn.Parameter(tensor([1.0], dtype=float64))
    opt = LBFGS([p], line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = (p.log() * p).sum()  # not below 0
        loss.backward()
        return loss

    for _ in range(3):
        opt.step(closure)
    assert p.item() == pytest.approx(np.exp(-1))


def test_a_rate_of_0_moves_nothing():
    p = nn.Parameter([1.0])
    opt = LBFGS([p], lr=0, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 1
    assert p.item() == 1


def slope_of(f, df):
    return lambda t: Point(t, f(t), df(t), np.array([df(t)]))


@pytest.mark.parametrize("t", [1e-3, 0.5, 3.0, 40.0])
def test_the_search_ends_where_the_loss_fell_and_the_slope_is_flat(t):
    look = slope_of(lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2)  # Moré and Thuente 1994, function 1
    begin = look(0.0)
    found, calls = strong_wolfe(look, t, begin, 1.0, 25)
    assert found.loss <= begin.loss + 1e-4 * found.t * begin.slope
    assert abs(found.slope) <= 0.9 * abs(begin.slope)
    assert calls <= 10


WAVES = {
    "a bowl": (lambda t: (t - 3) ** 4, lambda t: 4 * (t - 3) ** 3),
    "waves on a bowl": (lambda t: (t - 2) ** 2 - np.sin(7 * t), lambda t: 2 * (t - 2) - 7 * np.cos(7 * t)),
    "waves": (lambda t: np.cos(5 * t + 1) + np.sin(t), lambda t: -5 * np.sin(5 * t + 1) + np.cos(t)),
    "a cliff": (lambda t: -t + np.exp(20 * (t - 1)), lambda t: -1 + 20 * np.exp(20 * (t - 1))),
    "a crack": (
        lambda t: -np.exp(-500 * (t - 0.3) ** 2) - 0.01 * t,
        lambda t: 1000 * (t - 0.3) * np.exp(-500 * (t - 0.3) ** 2) - 0.01,
    ),
    "nearly flat at first": (
        lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4,
        lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3,
    ),
    "downhill for ever": (lambda t: -t, lambda t: -1.0 + 0 * t),
}


@pytest.mark.parametrize("waves", WAVES)
def test_the_search_is_that_of_pytorch(theirs, waves):
    from torch import tensor as theirs_tensor
    from torch.optim.lbfgs import _strong_wolfe

    f, df = WAVES[waves]
    look, d = slope_of(f, df), theirs_tensor([1.0], dtype=theirs.tensor(0.5).double().dtype)
    for t in (1e-3, 0.1, 0.29, 1.0, 1.7, 5.0):
        for most in (1, 3, 8, 25):
            begin, calls = look(0.0), []

            def ask(x, t, d, calls=calls):
                calls.append(float(t))
                return float(f(float(t))), d * float(df(float(t)))

            slope = d[0] * float(df(0.0))
            loss, _, at, count = _strong_wolfe(ask, None, t, d, float(f(0.0)), slope[None], slope, max_ls=most)
            found, looked = strong_wolfe(look, t, begin, 1.0, most)
            assert looked == count
            assert_allclose([found.t, found.loss], [float(at), loss], rtol=1e-9, atol=1e-12)


def test_a_search_that_may_not_look_again_returns_the_better_end():
    look = slope_of(lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1))
    assert strong_wolfe(look, 3.0, look(0.0), 1.0, 0)[0].t == 0
    assert strong_wolfe(look, 0.5, look(0.0), 1.0, 0) == (look(0.5), 1)


P = nn.Parameter([1.0])


@pytest.mark.parametrize(
    ("do", "error", "message"),
    [
        (lambda: LBFGS([P], lr=-1), ArgumentError, "LBFGS: lr must be 0 or more, got -1"),
        (lambda: LBFGS([P], history_size=0), ArgumentError, "LBFGS: history_size must be an integer of 1 or more, got 0"),
        (lambda: LBFGS([P], line_search_fn="wolfe"), ArgumentError, "line_search_fn must be None or 'strong_wolfe', got 'wolfe'"),
        (lambda: LBFGS([]), ArgumentError, "LBFGS: there are no parameters to optimize"),
        (lambda: LBFGS([{"params": [P]}, {"params": [nn.Parameter([1.0])]}]), ArgumentError, "LBFGS: there is only one group"),
        (lambda: LBFGS([P]).step(), UnsupportedError, r"LBFGS\.step: pass a closure"),
        (lambda: LBFGS([P]).load_state_dict({"state": {}}), StateError, "has 'state' and 'param_groups', not state"),
    ],
)  # fmt: skip
def test_misuse_is_told(do, error, message):
    with pytest.raises(error, match=message):
        do()


def test_it_cannot_be_captured_and_gradients_have_the_shape_of_their_parameters():
    p = nn.Parameter([1.0, 2.0])
    with ambient(tape=[]), pytest.raises(UnsupportedError, match="it cannot be captured on a tape"):
        LBFGS([p]).step(lambda: 1.0)
    p.grad = ones(2)
    p.node.grad = ones(1)
    with pytest.raises(ShapeError, match=r"LBFGS: these must have one shape: parameter \(2,\), gradient \(1,\)"):
        LBFGS([p]).step(lambda: 1.0)


def test_arguments_and_their_order_are_those_of_pytorch(theirs):
    import inspect

    ours, known = (inspect.signature(k.__init__).parameters.values() for k in (LBFGS, theirs.optim.LBFGS))
    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in known]
