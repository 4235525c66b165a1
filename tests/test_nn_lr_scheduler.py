"""Schedulers: their formulas, PyTorch's rates and momentums to the last bit but a few, states, resuming, and misuse."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

import nn
from autograd import ones, tensor
from autograd.errors import ArgumentError, StateError, UnsupportedError
from nn import optim
from nn.optim import lr_scheduler, swa_utils
from nn.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

STEPS = 50


class Halving:
    """A function of the epoch with a state."""

    def __init__(self, by=0.5):
        self.by = by

    def __call__(self, epoch):
        return self.by ** (epoch // 10)


class Ours:
    """What `make` in the table below takes things from, and PyTorch's of the same names."""

    optim, lr_scheduler, swa_utils = optim, lr_scheduler, swa_utils
    parameter = staticmethod(lambda: nn.Parameter([1.0]))


def of(name, *args, **kwargs):
    """A scheduler of one kind."""
    return lambda lib, opt: getattr(lib.lr_scheduler, name)(opt, *args, **kwargs)


def both(lib, opt):
    s = lib.lr_scheduler
    return s.SequentialLR(
        opt,
        [
            s.ChainedScheduler([s.LinearLR(opt, 0.1, total_iters=5), s.ExponentialLR(opt, 0.9)]),
            s.CosineAnnealingLR(opt, 10, 0.01),
            s.LinearLR(opt, 0.1, total_iters=5),
        ],
        [5, 20],
    )


OURS = {"InverseSqrt"}  # PyTorch has none of these: their formulas below are what they are compared with

# (optimizer, its options), how a scheduler is made of it
SGD, ADAM, PLAIN = ("SGD", {"momentum": 0.9}), ("Adam", {}), ("SGD", {})
CASES = {
    "StepLR": (PLAIN, of("StepLR", 7)),
    "StepLR, all options": (PLAIN, of("StepLR", step_size=3, gamma=0.7)),
    "MultiStepLR": (PLAIN, of("MultiStepLR", [30, 5, 12, 12])),
    "MultiStepLR, all options": (PLAIN, of("MultiStepLR", (3, 4), gamma=0.5)),
    "ConstantLR": (PLAIN, of("ConstantLR")),
    "ConstantLR, all options": (PLAIN, of("ConstantLR", factor=0.7, total_iters=12)),
    "LinearLR": (PLAIN, of("LinearLR")),
    "LinearLR, all options": (PLAIN, of("LinearLR", start_factor=0.9, end_factor=0.05, total_iters=30)),
    "ExponentialLR": (PLAIN, of("ExponentialLR", 0.93)),
    "PolynomialLR": (PLAIN, of("PolynomialLR")),
    "PolynomialLR, all options": (PLAIN, of("PolynomialLR", total_iters=40, power=1.7)),
    "InverseSqrt": (PLAIN, of("InverseSqrt", 8)),
    "CosineAnnealingLR": (PLAIN, of("CosineAnnealingLR", 20)),
    "CosineAnnealingLR, all options": (PLAIN, of("CosineAnnealingLR", T_max=7, eta_min=0.01)),
    "CosineAnnealingWarmRestarts": (PLAIN, of("CosineAnnealingWarmRestarts", 6)),
    "CosineAnnealingWarmRestarts, all options": (PLAIN, of("CosineAnnealingWarmRestarts", T_0=4, T_mult=2, eta_min=0.01)),
    "OneCycleLR": (SGD, of("OneCycleLR", 0.7, STEPS)),
    "OneCycleLR in three phases": (
        ADAM,
        of("OneCycleLR", [0.7, 0.2], epochs=10, steps_per_epoch=6, three_phase=True, pct_start=0.4),
    ),
    "OneCycleLR, all options": (
        SGD,
        of(
            "OneCycleLR",
            0.7,
            60,
            anneal_strategy="linear",
            base_momentum=0.6,
            max_momentum=[0.8, 0.7],
            div_factor=3,
            final_div_factor=9,
        ),
    ),
    "OneCycleLR without momentum": (PLAIN, of("OneCycleLR", 0.7, STEPS, cycle_momentum=False)),
    "CyclicLR": (SGD, of("CyclicLR", 0.01, 0.2, step_size_up=6)),
    "CyclicLR, triangular2": (ADAM, of("CyclicLR", [0.01, 0.02], [0.2, 0.1], 4, 7, mode="triangular2", base_momentum=0.5)),
    "CyclicLR, exp_range": (SGD, of("CyclicLR", 0.01, 0.2, 5, mode="exp_range", gamma=0.95)),
    "CyclicLR with a function": (PLAIN, of("CyclicLR", 0.01, 0.2, 5, scale_fn=lambda x: 1 / x, cycle_momentum=False)),
    "CyclicLR with a function of the step": (SGD, of("CyclicLR", 0.01, 0.2, 5, scale_fn=Halving(), scale_mode="iterations")),
    "LambdaLR": (PLAIN, of("LambdaLR", lambda epoch: 0.95**epoch)),
    "LambdaLR for each group": (PLAIN, of("LambdaLR", [Halving(), lambda epoch: 1 / (1 + epoch)])),
    "MultiplicativeLR": (PLAIN, of("MultiplicativeLR", lambda epoch: 0.95)),
    "MultiplicativeLR for each group": (PLAIN, of("MultiplicativeLR", [Halving(0.9), lambda epoch: 1 - 1 / (5 + epoch)])),
    "ChainedScheduler": (
        PLAIN,
        lambda lib, opt: lib.lr_scheduler.ChainedScheduler(
            [of("ConstantLR", 0.1, 4)(lib, opt), of("ExponentialLR", 0.9)(lib, opt), of("StepLR", 10)(lib, opt)]
        ),
    ),
    "SequentialLR": (
        PLAIN,
        lambda lib, opt: lib.lr_scheduler.SequentialLR(
            opt, [of("ConstantLR", 0.1, 2)(lib, opt), of("ExponentialLR", 0.9)(lib, opt), of("StepLR", 5)(lib, opt)], [2, 20]
        ),
    ),
    "SequentialLR of all sorts": (PLAIN, both),
    "SWALR": (PLAIN, lambda lib, opt: lib.swa_utils.SWALR(opt, 0.05)),
    "SWALR, all options": (
        PLAIN,
        lambda lib, opt: lib.swa_utils.SWALR(opt, [0.5, 0.05], anneal_epochs=20, anneal_strategy="linear"),
    ),
    "SWALR at once": (PLAIN, lambda lib, opt: lib.swa_utils.SWALR(opt, 0.05, anneal_epochs=0)),
}


def kind_of(case):
    return case.split(",")[0].split(" ")[0]


each_case = pytest.mark.parametrize("case", CASES)
each_of_pytorch = pytest.mark.parametrize("case", [case for case in CASES if kind_of(case) not in OURS])
CLOSED = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR, all options", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR"]


def make(lib, case):
    (kind, options), scheduler = CASES[case]
    groups = [{"params": [lib.parameter()]}, {"params": [lib.parameter()], "lr": 0.3}]
    opt = getattr(lib.optim, kind)(groups, lr=0.1, **options)
    with warnings.catch_warnings():
        if case == "SequentialLR of all sorts":  # PyTorch steps what is inside of others twice, and warns
            warnings.simplefilter("ignore")
        return opt, scheduler(lib, opt)


def rates(opt):
    """The rate and momentum of each group."""
    return [(float(g["lr"]), *map(float, g.get("betas", [g.get("momentum", 0)]))) for g in opt.param_groups]


def walk(opt, scheduler, steps=STEPS):
    """What they are before each of some steps, and after the last."""
    seen = [rates(opt)]
    for _ in range(steps):
        opt.step()
        scheduler.step()
        seen.append(rates(opt))
        assert scheduler.get_last_lr() == [g["lr"] for g in opt.param_groups]
    return seen


@pytest.fixture
def theirs(torch):
    class Theirs:
        optim, lr_scheduler, swa_utils = torch.optim, torch.optim.lr_scheduler, torch.optim.swa_utils
        parameter = staticmethod(lambda: torch.nn.Parameter(torch.ones(1)))

    return Theirs


# ---------------------------------------------------------------- the formulas
FORMULAS = {
    "StepLR": lambda k, lr: lr * 0.1 ** (k // 7),
    "MultiStepLR": lambda k, lr: lr * 0.1 ** sum(k >= m for m in (5, 12, 12, 30)),
    "ConstantLR": lambda k, lr: lr * (1 / 3 if k < 5 else 1),
    "LinearLR": lambda k, lr: lr * (1 / 3 + 2 / 3 * min(k, 5) / 5),
    "LinearLR, all options": lambda k, lr: lr * (0.9 - 0.85 * min(k, 30) / 30),
    "ExponentialLR": lambda k, lr: lr * 0.93**k,
    "PolynomialLR, all options": lambda k, lr: lr * (1 - min(k, 40) / 40) ** 1.7,
    "InverseSqrt": lambda k, lr: lr * min((k + 1) / 8, (8 / (k + 1)) ** 0.5),
    "CosineAnnealingLR, all options": lambda k, lr: 0.01 + (lr - 0.01) * (1 + math.cos(math.pi * k / 7)) / 2,
    "CosineAnnealingWarmRestarts": lambda k, lr: lr * (1 + math.cos(math.pi * (k % 6) / 6)) / 2,
    "CyclicLR": lambda k, lr: 0.01 + 0.19 * (1 - abs(k / 6 % 2 - 1)),
    "OneCycleLR": lambda k, lr: (
        0.7 - (0.7 - 0.028) * (1 + math.cos(math.pi * k / 14)) / 2
        if k <= 14
        else 0.028e-4 + (0.7 - 0.028e-4) * (1 + math.cos(math.pi * (k - 14) / 35)) / 2
    ),
    "LambdaLR": lambda k, lr: lr * 0.95**k,
    "MultiplicativeLR": lambda k, lr: lr * 0.95**k,
    "ChainedScheduler": lambda k, lr: lr * (0.1 if k < 4 else 1) * 0.9**k * 0.1 ** (k // 10),
    "SequentialLR": lambda k, lr: lr * (0.1 if k < 2 else 0.9 ** (k - 2) if k < 20 else 0.1 ** ((k - 20) // 5)),
    "SWALR": lambda k, lr: lr + (0.05 - lr) * (1 - math.cos(math.pi * min(k, 10) / 10)) / 2,
}


def test_what_is_resumed_or_jumped_to_follows_the_formula():
    """Of those that PyTorch has not, as of those that it has."""
    for case in OURS & set(FORMULAS):
        opt, scheduler = make(Ours, case)
        seen = walk(opt, scheduler, 30)
        opt, scheduler = make(Ours, case)
        walk(opt, scheduler, 11)
        (kind, options), _ = CASES[case]
        other = getattr(optim, kind)([{**g, "params": [nn.Parameter([1.0])]} for g in opt.param_groups], **options)
        args, kwargs = RESUMED[case]
        resumed = getattr(lr_scheduler, case)(other, *args, **kwargs, last_epoch=10)
        np.testing.assert_allclose(walk(other, resumed, 19), seen[11:], rtol=1e-12)
        with pytest.warns(UserWarning, match="deprecated in PyTorch"):
            resumed.step(20)
        np.testing.assert_allclose(rates(other), seen[20], rtol=1e-12)


@pytest.mark.parametrize("case", FORMULAS)
def test_rates_follow_the_formula(case):
    seen = walk(*make(Ours, case), 49)
    expected = [[FORMULAS[case](k, lr) for lr in (0.1, 0.3)] for k in range(50)]
    np.testing.assert_allclose([[lr for lr, *_ in groups] for groups in seen], expected, rtol=1e-9, atol=1e-12)


def test_momentum_goes_the_other_way():
    for case, low in (("CyclicLR", 0.8), ("OneCycleLR", 0.85)):
        seen = walk(*make(Ours, case), 40)
        lrs, momentums = (np.array([groups[0][i] for groups in seen]) for i in (0, 1))
        assert momentums.min() == pytest.approx(low)
        assert np.all(np.sign(np.diff(lrs)) == -np.sign(np.diff(momentums)))


# ---------------------------------------------------------------- PyTorch's
def plain(state):
    """A state_dict, so that those of both can be compared."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [plain(value) for value in state]
    return pytest.approx(state, rel=1e-12, abs=1e-300) if isinstance(state, float) else state


@each_of_pytorch
def test_rates_momentums_and_states_are_those_of_pytorch(theirs, case):
    (opt, scheduler), (there, expected) = make(Ours, case), make(theirs, case)
    np.testing.assert_allclose(walk(opt, scheduler), walk(there, expected), rtol=1e-12)
    assert scheduler.last_epoch == expected.last_epoch if hasattr(expected, "last_epoch") else True
    saved, known = scheduler.state_dict(), expected.state_dict()
    assert saved.keys() == known.keys()
    assert saved == plain(known)


@each_of_pytorch
def test_states_load_from_pytorch(theirs, case):
    (there, expected), (opt, scheduler) = make(theirs, case), make(Ours, case)
    walk(there, expected, 17)
    scheduler.load_state_dict(copy.deepcopy(expected.state_dict()))
    for group, known in zip(opt.param_groups, there.param_groups, strict=True):
        group.update({name: value for name, value in known.items() if name != "params"})
    np.testing.assert_allclose(walk(opt, scheduler, 20), walk(there, expected, 20), rtol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if not c.startswith(("Seq", "Chain")) and kind_of(c) not in OURS])
def test_resuming_at_an_epoch_is_as_in_pytorch(theirs, case):
    seen = []
    for lib in (Ours, theirs):
        opt, scheduler = make(lib, case)
        walk(opt, scheduler, 11)
        again = [{**g, "params": [lib.parameter()]} for g in opt.param_groups]
        (kind, options), _ = CASES[case]
        other = getattr(lib.optim, kind)(again, **options)
        args, kwargs = RESUMED[case]
        space = lib.swa_utils if case.startswith("SWALR") else lib.lr_scheduler
        resumed = getattr(space, kind_of(case))(other, *args, **kwargs, last_epoch=10)
        seen.append(walk(other, resumed, 20))
    np.testing.assert_allclose(*seen, rtol=1e-12)


def arguments_of(make_one):
    """The arguments that `of` was given, or that a scheduler is made with."""
    found = {}

    class Space:
        def __getattr__(self, name):
            return lambda opt, *args, **kwargs: found.update(made=(args, kwargs))

    make_one(type("Library", (), {"lr_scheduler": Space(), "swa_utils": Space()}), None)
    return found["made"]


RESUMED = {case: arguments_of(make_one) for case, (_, make_one) in CASES.items() if not case.startswith(("Seq", "Chain"))}


@pytest.mark.parametrize("case", [*CLOSED, "CosineAnnealingWarmRestarts, all options"])
def test_an_epoch_may_be_given_as_in_pytorch(theirs, case):
    seen = []
    for lib in (Ours, theirs):
        opt, scheduler = make(lib, case)
        opt.step()
        path = []
        for epoch in (3, 4, 9, 2, 28):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scheduler.step(epoch)
            path.append(rates(opt))
        seen.append(path)
    np.testing.assert_allclose(*seen, rtol=1e-12)


def test_epochs_may_be_fractions_for_warm_restarts(theirs):
    seen = []
    for lib in (Ours, theirs):
        opt, scheduler = make(lib, "CosineAnnealingWarmRestarts, all options")
        path = []
        for k in range(60):
            scheduler.step(k / 3)
            path.append(rates(opt))
        seen.append(path)
    np.testing.assert_allclose(*seen, rtol=1e-12)


PLATEAUS = [
    {},
    {"patience": 2, "factor": 0.5},
    {"mode": "max", "patience": 1},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.3, "patience": 0},
    {"threshold_mode": "abs", "threshold": 0.05, "patience": 3, "cooldown": 2},
    {"patience": 1, "cooldown": 3, "min_lr": 0.01},
    {"patience": 0, "min_lr": [0.001, 0.2], "eps": 0.01, "factor": 0.7},
]


@pytest.mark.parametrize("options", PLATEAUS)
def test_plateaus_are_found_as_in_pytorch(theirs, options):
    metrics = np.random.default_rng(0).uniform(0.5, 1, STEPS) * np.linspace(1, 0.5, STEPS)
    seen, states = [], []
    for lib in (Ours, theirs):
        opt = lib.optim.SGD([{"params": [lib.parameter()]}, {"params": [lib.parameter()], "lr": 0.3}], lr=0.1)
        scheduler = lib.lr_scheduler.ReduceLROnPlateau(opt, **options)
        path = []
        for m in metrics:
            scheduler.step(m)
            path.append([rates(opt), scheduler.get_last_lr() == [g["lr"] for g in opt.param_groups], scheduler.in_cooldown])
        seen.append(path)
        states.append(scheduler.state_dict())
    for ours, known in zip(*seen, strict=True):
        np.testing.assert_allclose(ours[0], known[0], rtol=1e-12)
        assert ours[1:] == known[1:]
    assert states[0] == plain(states[1])
    assert options == {} or seen[0][-1][0] != seen[0][0][0]


def test_arguments_and_their_order_are_those_of_pytorch(theirs):
    import inspect

    spaces = [(lr_scheduler, theirs.lr_scheduler), (swa_utils, theirs.swa_utils)]
    for ours, known in spaces:
        for name in set(ours.__all__) - OURS:
            mine, yours = (inspect.signature(getattr(lib, name)).parameters.values() for lib in (ours, known))
            assert [(p.name, p.kind, p.default) for p in mine] == [(p.name, p.kind, p.default) for p in yours], name
        assert set(ours.__all__) - OURS == set(known.__all__)


# ---------------------------------------------------------------- working together
@each_case
def test_a_saved_scheduler_goes_on_exactly(case):
    opt, scheduler = make(Ours, case)
    walk(opt, scheduler, 13)
    saved = pickle.loads(pickle.dumps((opt.state_dict(), scheduler.state_dict())))
    other, again = make(Ours, case)
    other.load_state_dict(saved[0])
    again.load_state_dict(saved[1])
    assert walk(other, again, 20) == walk(opt, scheduler, 20)


def test_factors_work_with_changes_made_by_hand():
    opt = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    scheduler = ExponentialLR(opt, 0.5)
    opt.step()
    opt.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert scheduler.get_last_lr() == [4.0]
    assert opt.param_groups[0]["initial_lr"] == 1.0


def test_steps_use_the_rate():
    p = nn.Parameter([0.0])
    p.grad = ones(1)
    opt = optim.SGD([p], lr=1.0)
    scheduler = StepLR(opt, 1, gamma=0.5)
    for _ in range(3):
        opt.step()
        scheduler.step()
    assert p.item() == -1.75


def test_rates_that_are_tensors_stay_the_same_tensors():
    lr = tensor(1.0)
    opt = optim.SGD([nn.Parameter([1.0])], lr=lr)
    scheduler = ExponentialLR(opt, 0.5)
    opt.step()
    first = scheduler.get_last_lr()[0]
    scheduler.step()
    assert opt.param_groups[0]["lr"] is lr
    assert (first.item(), lr.item(), scheduler.get_last_lr()[0].item()) == (1, 0.5, 0.5)
    assert scheduler.base_lrs[0].item() == 1
    plateau = ReduceLROnPlateau(opt, patience=0)
    for _ in range(2):
        plateau.step(tensor(1.0))
    assert lr.item() == pytest.approx(0.05)


def test_groups_that_come_later_have_the_least_rate_too():
    opt = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    one, each = ReduceLROnPlateau(opt, patience=0, min_lr=0.5), ReduceLROnPlateau(opt, patience=0, min_lr=[0.5])
    opt.add_param_group({"params": [nn.Parameter([1.0])]})
    one.step(1.0)
    one.step(1.0)
    assert [g["lr"] for g in opt.param_groups] == [0.5, 0.5]
    each.step(1.0)
    with pytest.raises(StateError, match="min_lr has 1 values for the 2 groups that the optimizer has by now"):
        each.step(1.0)


# ---------------------------------------------------------------- misuse
def test_a_scheduler_that_steps_first_warns_once():
    opt = optim.SGD([nn.Parameter([1.0])])
    scheduler = StepLR(opt, 1)
    with pytest.warns(UserWarning, match=r"StepLR: scheduler\.step\(\) was called before optimizer\.step\(\)"):
        scheduler.step()
    scheduler.step()
    opt.step()
    other = StepLR(opt, 1)
    opt.step()
    other.step()


def test_optimizers_with_a_step_of_their_own_are_seen_to_step():
    class Mine(optim.Optimizer):
        def step(self, closure=None):
            pass

    opt = Mine([nn.Parameter([1.0])], {"lr": 1.0})
    scheduler = StepLR(opt, 1)
    opt.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [0.1]


def test_get_lr_outside_of_a_step_warns():
    opt = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    for scheduler in (StepLR(opt, 1), CosineAnnealingLR(opt, 3), LambdaLR(opt, lambda epoch: 1)):
        opt.step()
        with pytest.warns(UserWarning, match=r"get_lr computes from the rates as they are now.*use get_last_lr\(\)"):
            scheduler.get_lr()
    with pytest.warns(UserWarning, match=r"StepLR: step\(epoch\) is deprecated"):
        StepLR(opt, 1).step(3)
    with pytest.warns(UserWarning, match=r"ReduceLROnPlateau: step\(epoch\) is deprecated"):
        ReduceLROnPlateau(opt).step(1.0, 3)


OPT = optim.SGD([nn.Parameter([1.0])], lr=1.0)


@pytest.mark.parametrize(
    ("make_one", "error", "message"),
    [
        (lambda: StepLR(OPT.param_groups, 1), UnsupportedError, "StepLR: pass an optimizer, not a list"),
        (lambda: StepLR(optim.SGD([nn.Parameter([1.0])]), 1, last_epoch=3), KeyError, "StepLR: there is no 'initial_lr' in group 0"),
        (lambda: LRScheduler(OPT), NotImplementedError, r"define LRScheduler\.get_lr"),
        (lambda: ConstantLR(OPT, 1.5), ArgumentError, r"ConstantLR: factor must be from 0 to 1, got 1\.5"),
        (lambda: LinearLR(OPT, 0), ArgumentError, "LinearLR: start_factor must be above 0 and at most 1, got 0"),
        (lambda: LinearLR(OPT, end_factor=-1), ArgumentError, "LinearLR: end_factor must be from 0 to 1, got -1"),
        (lambda: LambdaLR(OPT, [abs, abs]), ArgumentError, "LambdaLR: lr_lambda: there are 2 values for the 1 groups"),
        (lambda: MultiplicativeLR(OPT, 0.5), UnsupportedError, r"MultiplicativeLR: lr_lambda must be a function .* got 0\.5"),
        (lambda: CosineAnnealingWarmRestarts(OPT, 0), ArgumentError, "T_0 must be an integer of 1 or more, got 0"),
        (lambda: CosineAnnealingWarmRestarts(OPT, 1, 1.5), ArgumentError, r"T_mult must be an integer of 1 or more, got 1\.5"),
        (lambda: CosineAnnealingWarmRestarts(OPT, 1, eta_min="a"), ArgumentError, "eta_min must be a number, got 'a'"),
        (lambda: CosineAnnealingWarmRestarts(OPT, 1).step(-1), ArgumentError, "epoch must be 0 or more, got -1"),
        (lambda: CyclicLR(OPT, 0, 1, mode="up"), ArgumentError, "CyclicLR: mode must be 'triangular', .* got 'up'"),
        (lambda: CyclicLR(OPT, [0, 1], 1), ArgumentError, "CyclicLR: base_lr: there are 2 values for the 1 groups"),
        (lambda: CyclicLR(optim.Adagrad([nn.Parameter([1.0])]), 0, 1), ArgumentError, "Adagrad has neither momentum nor betas"),
        (lambda: OneCycleLR(OPT, 1), ArgumentError, "OneCycleLR: pass total_steps, or epochs and steps_per_epoch"),
        (lambda: OneCycleLR(OPT, 1, 0), ArgumentError, "total_steps must be an integer of 1 or more, or None, got 0"),
        (lambda: OneCycleLR(OPT, 1, epochs=2, steps_per_epoch=0.5), ArgumentError, "steps_per_epoch must be an integer"),
        (lambda: OneCycleLR(OPT, 1, 5, pct_start=2.0), ArgumentError, r"pct_start must be a float from 0 to 1, got 2\.0"),
        (lambda: OneCycleLR(OPT, 1, 5, anneal_strategy="up"), ArgumentError, "anneal_strategy must be 'cos' or 'linear', got 'up'"),
        (lambda: OneCycleLR(OPT, 1, 5, last_epoch=5), ArgumentError, "OneCycleLR: step 6 is beyond total_steps, 5"),
        (lambda: ReduceLROnPlateau(OPT, factor=1), ArgumentError, "factor must be below 1, got 1"),
        (lambda: ReduceLROnPlateau(OPT, "low"), ArgumentError, "mode must be 'min' or 'max', got 'low'"),
        (lambda: ReduceLROnPlateau(OPT, threshold_mode="x"), ArgumentError, "threshold_mode must be 'rel' or 'abs', got 'x'"),
        (lambda: ReduceLROnPlateau(OPT, min_lr=[0, 0]), ArgumentError, "min_lr: there are 2 values for the 1 groups"),
        (lambda: ChainedScheduler([]), ArgumentError, "ChainedScheduler: pass one scheduler at least"),
        (lambda: ChainedScheduler([3]), UnsupportedError, "ChainedScheduler: number 0 is a int, and no scheduler"),
        (lambda: ChainedScheduler([ReduceLROnPlateau(OPT)]), ArgumentError, "number 0 is a ReduceLROnPlateau, whose step needs"),
        (lambda: SequentialLR(OPT, [StepLR(OPT, 1)], [2]), ArgumentError, "got 1 schedulers and 1 milestones"),
        (lambda: SequentialLR(OPT, [StepLR(optim.SGD([nn.Parameter([1.0])]), 1)], []), ArgumentError, "number 0 is of another"),
        (
            lambda: SequentialLR(OPT, [StepLR(OPT, 1), ChainedScheduler([StepLR(OPT, 1)])], [2]),
            ArgumentError, "number 1 is a ChainedScheduler, which has no rate of its own",
        ),
        (lambda: swa_utils.SWALR(OPT, 0.1, anneal_strategy="up"), ArgumentError, "SWALR: anneal_strategy must be"),
        (lambda: swa_utils.SWALR(OPT, 0.1, anneal_epochs=-1), ArgumentError, "SWALR: anneal_epochs must be an integer of 0 or more"),
    ],
)  # fmt: skip
def test_bad_arguments_are_told(make_one, error, message):
    with pytest.raises(error, match=message):
        make_one()


def test_every_scheduler_is_among_the_cases():
    missing = set(lr_scheduler.__all__) - set(map(kind_of, CASES)) - {"ReduceLROnPlateau", "LRScheduler"}
    assert not missing, f"{', '.join(sorted(missing))} is not among the CASES, with a formula in FORMULAS: add it"
    alone = OURS - set(map(kind_of, FORMULAS))
    assert not alone, f"{', '.join(sorted(alone))} is in OURS, compared with nothing: add its formula to FORMULAS"
    assert isinstance(StepLR(OPT, 1), lr_scheduler._LRScheduler)
