"""Optimizers: the published recurrences, PyTorch's numbers, groups, state, failing steps, and that rules are pure."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn
from autograd import float32, float64, no_grad, ones, tensor, zeros
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from autograd.graph import ambient, write
from nn.optim import SGD, Adam, AdamW, Optimizer, optimizer, rules

SHAPES = [(3, 4), (4,), ()]
STEPS = 12

CASES = {
    "SGD": (SGD, {"lr": 0.1}),
    "SGD with momentum": (SGD, {"lr": 0.1, "momentum": 0.9}),
    "SGD with dampening": (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "SGD with Nesterov momentum": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD with all": (SGD, {"lr": 0.1, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.2, "maximize": True}),
    "SGD that decays": (SGD, {"weight_decay": 0.1, "maximize": True}),
    "Adam": (Adam, {}),
    "Adam with amsgrad": (Adam, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "amsgrad": True}),
    "Adam that decays": (Adam, {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    "AdamW": (AdamW, {"lr": 0.1}),
    "AdamW with all": (AdamW, {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.5, "amsgrad": True, "maximize": True}),
    "AdamW without decay": (AdamW, {"lr": 0.1, "weight_decay": 0}),
}
each_case = pytest.mark.parametrize("case", CASES)


def start(dtype=float64, seed=0):
    rng = np.random.default_rng(seed)
    values = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES]
    gradients = [[np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES] for _ in range(STEPS)]
    return values, gradients


def make(case, values):
    kind, options = CASES[case]
    parameters = [nn.Parameter(tensor(v)) for v in values]
    return parameters, kind(parameters, **options)


def take(parameters, opt, gradients, make_tensor=tensor):
    """Steps with given gradients, but in every third step the last parameter has none."""
    for k, gs in enumerate(gradients):
        for p, g in zip(parameters, gs, strict=True):
            p.grad = make_tensor(g)
        if k % 3 == 1:
            parameters[-1].grad = None
        opt.step()


# ---------------------------------------------------------------- the published recurrences
def sgd(p, g, s, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    g = (-g if maximize else g) + weight_decay * p
    if momentum:
        s["b"] = momentum * s["b"] + (1 - dampening) * g if "b" in s else g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - lr * g


def adam(p, g, s, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False, decoupled=False):
    b1, b2 = betas
    g = -g if maximize else g
    p, g = (p - lr * weight_decay * p, g) if decoupled else (p, g + weight_decay * p)
    s["t"] = s.get("t", 0) + 1
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    s["top"] = np.maximum(s.get("top", 0), s["v"])
    m, v = s["m"] / (1 - b1 ** s["t"]), (s["top"] if amsgrad else s["v"]) / (1 - b2 ** s["t"])
    return p - lr * m / (np.sqrt(v) + eps)


def adamw(p, g, s, weight_decay=1e-2, **options):
    return adam(p, g, s, weight_decay=weight_decay, decoupled=True, **options)


@each_case
def test_steps_are_those_of_the_published_recurrence(case):
    values, gradients = start()
    parameters, opt = make(case, values)
    take(parameters, opt, gradients)
    kind, options = CASES[case]
    recurrence = {SGD: sgd, Adam: adam, AdamW: adamw}[kind]
    for i, (p, value) in enumerate(zip(parameters, values, strict=True)):
        state = {}
        for k, gs in enumerate(gradients):
            if i < len(values) - 1 or k % 3 != 1:
                value = recurrence(value, gs[i], state, **options)
        assert_allclose(p.numpy(force=True), value, rtol=1e-12, atol=1e-14)


@each_case
@pytest.mark.parametrize(("dtype", "rtol"), [(float64, 1e-12), (float32, 1e-6)], ids=["float64", "float32"])
def test_steps_are_those_of_pytorch(case, dtype, rtol):
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
    values, gradients = start(dtype)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients)
    kind, options = CASES[case]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    there = getattr(torch.optim, kind.__name__)(theirs, **options)
    take(theirs, there, gradients, torch.tensor)
    for ours, expected in zip(parameters, theirs, strict=True):
        assert_allclose(ours.numpy(force=True), expected.detach().numpy(), rtol=rtol, atol=rtol)
    state, expected = opt.state_dict(), there.state_dict()
    assert state["state"].keys() == expected["state"].keys()
    for i, values in expected["state"].items():
        assert set(values) <= set(state["state"][i])
        for name, value in values.items():
            assert_allclose(state["state"][i][name].numpy(), value.numpy(), rtol=rtol, atol=rtol)
    assert state["param_groups"][0].items() <= (expected["param_groups"][0] | {"params": [0, 1, 2]}).items()
    assert list(opt.defaults) == [name for name in there.defaults if name in opt.defaults]


# ---------------------------------------------------------------- memory and dtypes
@each_case
def test_parameters_and_state_keep_their_arrays_and_dtypes(case):
    values, gradients = start(float32)
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:1])
    tensors = [*parameters, *(t for s in opt.state.values() for t in s.values())]
    arrays = [t.array for t in tensors]
    take(parameters, opt, gradients)
    opt.load_state_dict(copy.deepcopy(opt.state_dict()))
    take(parameters, opt, gradients)
    assert all(t.array is array for t, array in zip(tensors, arrays, strict=True))
    for s in opt.state.values():
        assert {name: t.dtype for name, t in s.items()} == {n: float64 if n == "step" else float32 for n in s}
    assert {p.dtype for p in parameters} == {np.dtype("float32")}
    assert all(p.requires_grad and p.is_leaf for p in parameters)


@each_case
@pytest.mark.parametrize("lay_out", [np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 1)[:, ::2]])
def test_blocks_do_not_show(case, lay_out, monkeypatch):
    rng = np.random.default_rng(0)
    value, gradient = rng.standard_normal((7, 5)), rng.standard_normal((7, 5))
    results = []
    for block in (8, 1000):
        monkeypatch.setattr(optimizer, "BLOCK", block)
        p = nn.Parameter(lay_out(value.copy()))
        kind, options = CASES[case]
        opt = kind([p], **options)
        for _ in range(3):
            p.grad = autograd.from_numpy(lay_out(gradient))
            opt.step()
        results.append([p.numpy(force=True), *(t.numpy() for t in opt.state[p].values())])
    for a, b in zip(*results, strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(results[0][0], value)


@each_case
def test_a_step_on_a_tape_is_the_same_step(case):
    values, gradients = start(float32)
    (parameters, opt), (taped, other) = make(case, values), make(case, values)
    take(parameters, opt, gradients)
    tape = []
    with ambient(tape=tape):
        take(taped, other, gradients)
    for p, q in zip(parameters, taped, strict=True):
        assert_allclose(q.numpy(force=True), p.numpy(force=True), rtol=1e-6)
    names = [op.name for op, *_ in tape if op is not write]
    assert set(names) <= {"sgd", "adam", "add"}
    updates = len(SHAPES) * STEPS - STEPS // 3  # one entry per parameter that has a gradient
    assert len([name for name in names if name != "add"]) == updates
    written = {id(args[0]) for op, args, _ in tape if op is write}
    assert written == {id(t.array) for t in (*taped, *(t for s in other.state.values() for t in s.values()))}


def test_a_rule_is_pure_and_may_be_run_on_tensors():
    """What a compiler does that expands a rule into ops."""
    rng = np.random.default_rng(0)
    for case, (kind, options) in CASES.items():
        p = nn.Parameter(tensor(rng.standard_normal(5).astype(np.float32)))
        opt = kind([p], **options)
        rule, arguments, names = opt.recipe(opt.param_groups[0], opt._live[0])
        arrays = [rng.uniform(0.5, 1, 5).astype(np.float32) for name in ("gradient", *names) if name != "step"]
        count = np.array(3.0)
        copies = [p.array.copy(), *(a.copy() for a in arrays)]
        raw = [getattr(a, "array", a) for a in arguments]
        on_arrays = rule.fun(p.array, arrays[0], *raw, count, *arrays[1:])
        on_tensors = rule.fun(p.detach(), tensor(arrays[0]), *arguments, tensor(count), *map(tensor, arrays[1:]))
        for a, t in zip(on_arrays, on_tensors, strict=True):
            assert (a.dtype, t.dtype) == (float32, float32), case
            assert_allclose(a, t.numpy(), rtol=1e-5, atol=1e-6, err_msg=case)
        for a, b in zip((p.array, *arrays), copies, strict=True):
            assert_array_equal(a, b)


def test_an_update_is_noticed_by_graphs_that_saved_the_parameter():
    p = nn.Parameter([1.0, 2.0])
    loss = (p * p).sum()
    p.grad = ones(2)
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified in place since"):
        loss.backward()


def test_overflow_is_silent_and_stops_nothing():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0])
    opt = Adam([p, q])
    p.grad, q.grad = tensor([1e30]), tensor([1.0])
    opt.step()
    assert opt.state[p]["exp_avg_sq"].item() == np.inf
    assert q.item() == pytest.approx(1 - 1e-3)


# ---------------------------------------------------------------- learning
@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_they_learn(kind):
    autograd.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tensor([[0.0], [1.0], [1.0], [0.0]])
    opt = kind(net.parameters(), lr=0.5 if kind is SGD else 0.05)
    for _ in range(200):
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
        loss.backward()
        opt.step()
    assert ((net(x) > 0) == y.bool()).all()


def test_a_closure_computes_the_gradient_and_its_loss_is_returned():
    p = nn.Parameter([2.0])
    opt = SGD([p], lr=0.25)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with no_grad():  # the closure records all the same
        assert opt.step(closure).item() == 4
    assert p.item() == 1
    assert SGD([p]).step() is None


def test_options_may_be_changed_between_steps():
    p = nn.Parameter([1.0])
    opt = SGD([p], lr=1.0)
    for lr, expected in ((1.0, 0.0), (0.5, -0.5), (0.0, -0.5), (2, -2.5)):
        opt.param_groups[0]["lr"] = lr
        p.grad = ones(1)
        opt.step()
        assert p.item() == expected
    opt.param_groups[0]["lr"] = -1.0
    with pytest.raises(ArgumentError, match=r"SGD: lr must be 0 or more, got -1\.0"):
        opt.step()
    assert p.item() == -2.5
    adam = Adam([p], betas=(0.0, 0.0), lr=1.0)
    adam.param_groups[0]["betas"] = [0.5, 0.5]
    adam.step()
    assert adam.state[p]["exp_avg"].item() == 0.5


def test_new_numbers_reach_the_arrays_that_a_tape_reads():
    p = nn.Parameter([1.0])
    opt = Adam([p], lr=0.1)
    lr = opt._live[0]["lr"]
    array = lr.array
    tape = []
    opt.param_groups[0].update(lr=0.01, betas=(0.5, 0.6))
    with ambient(tape=tape):
        opt.sync()
    assert tape == []
    assert lr.array is array
    assert (lr.item(), [b.item() for b in opt._live[0]["betas"]]) == (0.01, [0.5, 0.6])
    assert (lr.dtype, lr.shape) == (float64, ())


# ---------------------------------------------------------------- groups
def test_groups_have_options_of_their_own():
    a, b, c = (nn.Parameter([1.0]) for _ in range(3))
    opt = SGD([{"params": [a]}, {"params": b, "lr": 1.0, "name": "b"}], lr=0.5)
    opt.add_param_group({"params": iter([c]), "lr": 0.25})
    for p in (a, b, c):
        p.grad = ones(1)
    opt.step()
    assert [p.item() for p in (a, b, c)] == [0.5, 0, 0.75]
    assert [g["lr"] for g in opt.param_groups] == [0.5, 1.0, 0.25]
    assert opt.param_groups[1]["name"] == "b"
    opt.zero_grad()
    assert a.grad is b.grad is c.grad is None


def test_zero_grad_may_keep_the_arrays():
    p = nn.Parameter([1.0])
    p.grad = ones(1)
    array = p.grad.array
    SGD([p]).zero_grad(set_to_none=False)
    assert p.grad.array is array
    assert p.grad.tolist() == [0]


def test_plain_tensors_can_be_optimized():
    x = tensor([3.0], requires_grad=True)
    opt = SGD([x], lr=0.1)
    (x * x).sum().backward()
    opt.step()
    assert x.item() == pytest.approx(2.4)


def test_parameters_without_a_gradient_are_left_alone():
    p = nn.Parameter([1.0])
    opt = Adam([p])
    opt.step()
    assert p.item() == 1
    assert opt.state_dict()["state"] == {}


leaf = nn.Parameter([1.0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([]), ArgumentError, "SGD: there are no parameters to optimize"),
        (lambda: SGD(nn.Linear(1, 1)), UnsupportedError, r"SGD: params is an iterable .* not a Linear; pass its parameters\(\)"),
        (lambda: Adam(leaf), UnsupportedError, "Adam: params is an iterable .* not a Parameter; pass a list"),
        (lambda: Adam({"params": [leaf]}), UnsupportedError, "Adam: params is an iterable .* not a dict"),
        (lambda: Adam(3), UnsupportedError, "Adam: params is an iterable .* not a int"),
        (lambda: SGD(nn.Linear(1, 1).named_parameters()), UnsupportedError, "parameters are tensors, but number 0 is a tuple"),
        (lambda: SGD([leaf * 2]), ArgumentError, r"SGD: parameter 0, of shape \(1,\), is the result of an op"),
        (lambda: SGD([leaf, leaf]), ArgumentError, "SGD: parameter 1, .* is there twice"),
        (lambda: SGD([{"params": [leaf]}, {"params": [leaf]}]), ArgumentError, "is there twice"),
        (lambda: SGD([{"lr": 1}]), ArgumentError, "a group has its parameters under 'params'; this one has only lr"),
        (lambda: SGD([leaf], lr=-1), ArgumentError, "SGD: lr must be 0 or more, got -1"),
        (lambda: SGD([leaf], momentum=-1), ArgumentError, "SGD: momentum must be 0 or more"),
        (lambda: SGD([leaf], nesterov=True), ArgumentError, "SGD: nesterov must be False without momentum, or with dampening"),
        (lambda: SGD([leaf], momentum=1, dampening=1, nesterov=True), ArgumentError, "nesterov must be False"),
        (lambda: SGD([{"params": [leaf], "weight_decay": -1}]), ArgumentError, "weight_decay must be 0 or more"),
        (lambda: Adam([leaf], betas=(0.9, 1.0)), ArgumentError, r"two numbers from 0 to below 1, got \(0\.9, 1\.0\)"),
        (lambda: Adam([leaf], betas=(0.9,)), ArgumentError, "betas must be two numbers"),
        (lambda: AdamW([leaf], eps=-1), ArgumentError, "AdamW: eps must be 0 or more, got -1"),
        (lambda: AdamW([leaf], lr=float("nan")), ArgumentError, "AdamW: lr must be 0 or more, got nan"),
        (lambda: Optimizer([leaf], {}).step(), NotImplementedError, r"define Optimizer\.recipe"),
    ],
)  # fmt: skip
def test_bad_options_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------- a step that fails
@pytest.mark.parametrize("taped", [False, True], ids=["eager", "taped"])
@pytest.mark.parametrize("culprit", ["gradient", "state"])
@each_case
def test_a_step_that_fails_changes_nothing(case, culprit, taped):
    values, gradients = start()
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:2])
    for p, g in zip(parameters, gradients[2], strict=True):
        p.grad = tensor(g)
    last = parameters[1]  # what is wrong is of shape (1,), which NumPy would broadcast
    wrong = [name for name in opt.state[last] if name != "step"]
    if culprit == "state" and wrong:
        opt.state[last][wrong[-1]] = zeros(1, dtype=float64)
    else:
        last.node.grad = zeros(1, dtype=float64)
    tensors = [*parameters, *(t for s in opt.state.values() for t in s.values())]
    before = [t.numpy(force=True).copy() for t in tensors]
    with (
        ambient(tape=[] if taped else None),
        pytest.raises(ShapeError, match=r"must have one shape: parameter \(4,\), .* \(1,\)"),
    ):
        opt.step()
    for t, value in zip(tensors, before, strict=True):
        assert_array_equal(t.numpy(force=True), value)


# ---------------------------------------------------------------- saving and loading
@each_case
def test_training_goes_on_from_a_saved_state(case):
    values, gradients = start()
    parameters, opt = make(case, values)
    take(parameters, opt, gradients[:6])
    saved = pickle.loads(pickle.dumps(opt.state_dict()))
    twins, other = make(case, [p.numpy(force=True).copy() for p in parameters])
    other.load_state_dict(saved)
    take(parameters, opt, gradients[6:])
    take(twins, other, gradients[6:])
    for p, q in zip(parameters, twins, strict=True):
        assert_array_equal(p.numpy(force=True), q.numpy(force=True))


@each_case
def test_a_state_from_pytorch_loads(case):
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
    values, gradients = start()
    kind, options = CASES[case]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    there = getattr(torch.optim, kind.__name__)(theirs, **options)
    take(theirs, there, gradients[:6], torch.tensor)
    parameters, opt = make(case, [p.detach().numpy().copy() for p in theirs])
    opt.load_state_dict(there.state_dict())
    if options.get("dampening"):  # PyTorch does not count SGD's steps: it knows by the buffer that one was made
        for s in opt.state.values():
            if s:
                opt._state_of(next(p for p in parameters if opt.state[p] is s), ("step",))[0].fill_(1)
    take(theirs, there, gradients[6:], torch.tensor)
    take(parameters, opt, gradients[6:])
    for p, q in zip(parameters, theirs, strict=True):
        assert_allclose(p.numpy(force=True), q.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_state_dict_has_the_layout_of_pytorch():
    a, b, c = (nn.Parameter([1.0]) for _ in range(3))
    opt = SGD([{"params": [a, b]}, {"params": [c], "lr": 1.0}], lr=0.5, momentum=0.9)
    a.grad = c.grad = ones(1)
    opt.step()
    state = opt.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in state["param_groups"]] == [0.5, 1.0]
    assert list(state["state"]) == [0, 2]
    assert state["state"][2]["momentum_buffer"] is opt.state[c]["momentum_buffer"]


def test_options_are_loaded_too_and_reach_the_next_step():
    p = nn.Parameter([1.0])
    opt, other = SGD([p], lr=0.5), SGD([nn.Parameter([1.0])], lr=0.125)
    opt.load_state_dict(other.state_dict())
    p.grad = ones(1)
    opt.step()
    assert p.item() == 0.875


def test_state_that_is_not_given_begins_anew():
    p = nn.Parameter([1.0])
    opt = Adam([p], amsgrad=True)
    p.grad = ones(1)
    opt.step()
    array = opt.state[p]["max_exp_avg_sq"].array
    saved = opt.state_dict()
    saved["state"][0] = {"step": 5, "exp_avg": [0.5], "exp_avg_sq": np.array([0.25]), "other": None}
    opt.load_state_dict(saved)
    assert {name: t.item() for name, t in opt.state[p].items()} == {
        "step": 5, "exp_avg": 0.5, "exp_avg_sq": 0.25, "max_exp_avg_sq": 0,
    }  # fmt: skip
    assert opt.state[p]["max_exp_avg_sq"].array is array


def test_a_state_that_does_not_fit_is_told_and_changes_nothing():
    p, q = nn.Parameter([1.0]), nn.Parameter([1.0, 2.0])
    opt = Adam([p, q])
    p.grad, q.grad = ones(1), ones(2)
    opt.step()
    good = copy.deepcopy(opt.state_dict())
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["lr"] = 7.0
    bad["state"][0]["exp_avg"].fill_(9)
    bad["state"][1]["exp_avg_sq"] = zeros(3)
    with pytest.raises(StateError, match=r"load_state_dict of Adam: exp_avg_sq of parameter 1 \(2,\) has shape \(3,\)"):
        opt.load_state_dict(bad)
    with pytest.raises(ValueError, match=r"the groups hold \[2\] parameters, in the state_dict \[1\]"):
        opt.load_state_dict(Adam([p]).state_dict())
    with pytest.raises(StateError, match="a state_dict of an optimizer has 'state' and 'param_groups', not weight, bias"):
        opt.load_state_dict(nn.Linear(1, 1).state_dict())
    bad = copy.deepcopy(good)
    bad["param_groups"][0]["lr"] = -1
    with pytest.raises(ArgumentError, match="lr must be 0 or more"):
        opt.load_state_dict(bad)
    assert opt.param_groups[0]["lr"] == 1e-3
    assert opt.state[p]["exp_avg"].item() == pytest.approx(0.1)


def test_optimizers_are_copied_with_their_model():
    net = nn.Linear(2, 1)
    opt = Adam(net.parameters())
    net(ones(1, 2)).sum().backward()
    opt.step()
    net2, opt2 = copy.deepcopy((net, opt))
    assert opt2.param_groups[0]["params"][0] is net2.weight
    net2(ones(1, 2)).sum().backward()
    before = net.weight.numpy(force=True).copy()
    opt2.step()
    assert opt2.state[net2.weight]["step"].item() == 2
    assert opt.state[net.weight]["step"].item() == 1
    assert_array_equal(net.weight.numpy(force=True), before)


def test_they_print_as_in_pytorch():
    text = repr(SGD([{"params": [nn.Parameter([1.0])], "lr": 0.5}, {"params": [nn.Parameter([1.0])]}], momentum=0.9))
    assert text == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.5\n    maximize: False\n    momentum: 0.9\n    nesterov: False\n"
        "    weight_decay: 0\n\nParameter Group 1\n    dampening: 0\n    lr: 0.001\n    maximize: False\n    momentum: 0.9\n"
        "    nesterov: False\n    weight_decay: 0\n)"
    )


def test_the_rules_are_primitives_without_gradient():
    assert rules.sgd.rules == rules.adam.rules == {}
    assert nn.optim.__all__ == ["SGD", "Adam", "AdamW", "Optimizer"]
