"""Options of optimizers and schedulers: every option of every one of them, given what it cannot be."""

import copy
import inspect

import numpy as np
import pytest

import nn
from autograd import errors, ones, tensor
from nn import optim
from nn.optim import lr_scheduler, options, swa_utils
from nn.optim.options import Kind, kinds_of

OPTIMIZERS = [
    cls
    for cls in vars(optim).values()
    if isinstance(cls, type) and issubclass(cls, optim.Optimizer) and cls is not optim.Optimizer
]
SCHEDULERS = [*(getattr(lr_scheduler, name) for name in lr_scheduler.__all__), swa_utils.SWALR]
REQUIRED = {  # what a scheduler cannot be made without
    "StepLR": {"step_size": 3}, "MultiStepLR": {"milestones": [2, 3]}, "ExponentialLR": {"gamma": 0.5},
    "CosineAnnealingLR": {"T_max": 5}, "CosineAnnealingWarmRestarts": {"T_0": 5}, "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 9}, "LambdaLR": {"lr_lambda": abs}, "MultiplicativeLR": {"lr_lambda": abs},
    "SWALR": {"swa_lr": 0.1}, "SequentialLR": {"milestones": []},
}  # fmt: skip
ANYTHING = {"self", "params", "optimizer", "foreach", "fused", "capturable", "differentiable"}  # others check these, or nobody
WRONG = [
    "0.1",
    "",
    b"1",
    1j,
    object(),
    {"a": 1},
    [[]],
    [None],
    ("x", "y"),
    [1.0, object()],
    ones(2, 2),
    float("nan"),
]


def parameters():
    return [nn.Parameter(ones(2, 2))]


def make(cls, **changes):
    """One of a class, with other options."""
    if issubclass(cls, optim.Optimizer):
        return cls(parameters(), **changes)
    optimizer = optim.SGD(parameters(), lr=0.5, momentum=0.9)
    given = REQUIRED.get(cls.__name__, {}) | changes
    if cls is lr_scheduler.LRScheduler:

        class Constant(cls):
            def get_lr(self):
                return self.base_lrs

        return Constant(optimizer, **given)
    if cls in (lr_scheduler.ChainedScheduler, lr_scheduler.SequentialLR):
        given = {"schedulers": [lr_scheduler.ConstantLR(optimizer)]} | given
    return cls(**given) if cls is lr_scheduler.ChainedScheduler else cls(optimizer, **given)


EVERY = [
    pytest.param(cls, name, id=f"{cls.__name__}, {name}")
    for cls in (*OPTIMIZERS, *SCHEDULERS)
    for name in inspect.signature(cls.__init__).parameters
    if name not in ANYTHING
]
each_option = pytest.mark.parametrize(("cls", "name"), EVERY)


def test_there_are_many():
    assert len(OPTIMIZERS) >= 16
    assert len(SCHEDULERS) == 18
    assert len(EVERY) > 150


@each_option
def test_every_option_declares_its_kind(cls, name):
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    assert isinstance(kinds_of(owner).get(name), Kind) or (owner.__name__, name) in {
        ("LambdaLR", "lr_lambda"),
        ("CyclicLR", "mode"),
    }


@each_option
def test_what_an_option_cannot_be_is_refused_in_one_sentence(cls, name):
    make(cls)
    for value in WRONG:
        with pytest.raises(errors.AutogradError) as info:
            make(cls, **{name: value})
        message = str(info.value)
        assert name.rstrip("s") in message
        assert "\n" not in message
        assert message.startswith(f"{'Constant' if cls is lr_scheduler.LRScheduler else cls.__name__}: ")


@each_option
def test_none_is_refused_unless_it_means_something(cls, name):
    default = inspect.signature(cls.__init__).parameters[name].default
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    kind = kinds_of(owner).get(name)
    if default is None or (kind is not None and kind.fits(None)):
        make(cls, **({} if name == "total_steps" else {name: None}))
        return
    with pytest.raises(errors.AutogradError, match=name):
        make(cls, **{name: None})


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda: optim.SGD(parameters(), lr="0.1"), "SGD: lr must be a number, got '0.1'"),
        (lambda: optim.SGD(parameters(), lr=None), "SGD: lr must be a number, got None"),
        (lambda: optim.SGD(parameters(), momentum=True), "SGD: momentum must be a number, got True"),
        (lambda: optim.SGD(parameters(), dampening="x"), "SGD: dampening must be a number, got 'x'"),
        (lambda: optim.SGD(parameters(), lr=float("nan")), "SGD: lr must be 0 or more, got nan"),
        (lambda: optim.Adam(parameters(), betas=0.9), r"Adam: betas must be two numbers, got 0\.9"),
        (lambda: optim.Adam(parameters(), betas=(0.9, 0.9, 0.9)), "Adam: betas must be two numbers, got"),
        (lambda: optim.Adam(parameters(), amsgrad="yes"), "Adam: amsgrad must be True or False, got 'yes'"),
        (lambda: optim.LBFGS(parameters(), max_iter="many"), "LBFGS: max_iter must be an integer of 0 or more, got 'many'"),
        (lambda: make(lr_scheduler.StepLR, step_size=0), "StepLR: step_size must be above 0, got 0"),
        (lambda: make(lr_scheduler.CosineAnnealingLR, T_max=0), "CosineAnnealingLR: T_max must be above 0, got 0"),
        (lambda: make(lr_scheduler.MultiStepLR, milestones=3), "MultiStepLR: milestones must be a list of numbers, got 3"),
        (lambda: make(lr_scheduler.CyclicLR, step_size_up=0), "CyclicLR: step_size_up must be above 0, got 0"),
    ],
)
def test_what_the_sentence_says(do, message):
    with pytest.raises(errors.ArgumentError, match=f"^{message}") as info:
        do()
    assert isinstance(info.value, TypeError) or "must be 0 or more" in message or "above 0" in message


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_groups_and_states_and_later_changes_are_checked_as_well(cls):
    opt = make(cls)
    (p,) = opt.param_groups[0]["params"]
    p.grad = ones(2, 2)
    before, group = p.tolist(), dict(opt.param_groups[0])
    saved = opt.state_dict()
    for name, kind in cls.kinds.items():
        if name not in opt.defaults:
            continue
        with pytest.raises(errors.AutogradError, match=name):
            cls([{"params": parameters(), name: "x"}])
        broken = copy.deepcopy(saved)
        broken["param_groups"][0][name] = "x"
        with pytest.raises(errors.AutogradError, match=name):
            opt.load_state_dict(broken)
        assert opt.param_groups[0] == group
        opt.param_groups[0][name] = "x"
        with pytest.raises(errors.AutogradError, match=name):
            opt.step(lambda: tensor(1.0))
        opt.param_groups[0][name] = group[name]
        assert p.tolist() == before
        assert isinstance(kind, Kind)
    opt.step(lambda: tensor(1.0, requires_grad=True))


@pytest.mark.parametrize("value", [tensor(0.25), tensor([0.25]), np.float32(0.25), np.array(0.25), 0.25])
@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_number_may_be_a_tensor_or_an_array_of_one(cls, value):
    opt = make(cls, lr=value)
    assert opt.param_groups[0]["lr"] is value
    opt.param_groups[0]["params"][0].grad = ones(2, 2)
    opt.step(lambda: tensor(1.0, requires_grad=True))


def test_what_is_like_the_kind_is_taken():
    s = make(lr_scheduler.MultiStepLR, milestones=iter([np.int64(2), 3]))
    assert sorted(s.milestones.elements()) == [2, 3]
    make(lr_scheduler.MultiStepLR, milestones=range(3))
    make(lr_scheduler.CosineAnnealingLR, T_max=2.5, eta_min=tensor(0.1))
    make(lr_scheduler.OneCycleLR, total_steps=np.int64(5), max_lr=[0.1])
    make(lr_scheduler.CyclicLR, base_lr=tensor(0.1), max_lr=(1.0,), step_size_up=2.0, cycle_momentum=0)
    optim.Adam(parameters(), betas=[0.5, tensor(0.25)], amsgrad=1, maximize=None)


def test_a_wrong_call_is_told_by_python_itself_and_signatures_stay():
    with pytest.raises(TypeError, match="step_size"):
        lr_scheduler.StepLR(optim.SGD(parameters()))
    with pytest.raises(TypeError, match="unexpected keyword argument 'momentun'"):
        optim.SGD(parameters(), momentun=0.9)
    assert list(inspect.signature(optim.SGD).parameters)[:3] == ["params", "lr", "momentum"]


def test_annotations_of_others_mean_nothing():
    class Mine(optim.SGD):
        def __init__(self, params, lr: "NoSuchName" = 0.1, own: "NotNegative" = -1):  # noqa: F821
            super().__init__(params, lr)
            self.own = own

    assert Mine(parameters()).own == -1
    assert Mine.kinds == optim.SGD.kinds
    with pytest.raises(errors.ArgumentError, match="Mine: lr must be a number, got 'x'"):
        Mine(parameters(), "x")
    assert options.kinds_of(Mine) == {}
