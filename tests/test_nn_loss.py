"""Losses: values, gradients, options and reductions, against PyTorch; extreme and bad input; what a softmax too many is told.

Their formulas, derivatives of both orders and other arrays are tested from the records, in test_ops.py.
"""

import copy
import inspect
import itertools
import pickle
import re
import warnings

import numpy as np
import pytest
from helpers import warned
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import SAMPLES
from samples_loss import LOSS_SAMPLES
from strategies import calls, is_float

import autograd
import nn
import nn.functional as F
from autograd import float32, float64, gradcheck, gradgradcheck, tensor
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError
from nn.functional.loss import averages

RNG = np.random.default_rng(0)
N, C = 6, 4
LABELS = np.array([0, 3, 1, 1, 2, 0])
SOME_IGNORED = np.array([0, -100, 1, 1, -100, 0])
WEIGHT = np.array([0.5, 1.0, 2.0, 0.25])
PROBABILITIES = RNG.dirichlet(np.ones(C), N)
REDUCTIONS = ["mean", "sum", "none"]


def log_softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.log(e / e.sum(axis=axis, keepdims=True))


# name of the module, its options, input, target
CASES = [
    ("MSELoss", {}, RNG.standard_normal((N, 3)), RNG.standard_normal((N, 3))),
    ("MSELoss", {}, RNG.standard_normal(()), RNG.standard_normal(())),
    ("L1Loss", {}, RNG.standard_normal((N, 3)), RNG.standard_normal((N, 3))),
    ("BCELoss", {}, RNG.uniform(0.1, 0.9, (N, 3)), RNG.uniform(0, 1, (N, 3))),
    ("BCELoss", {"weight": WEIGHT[:3]}, RNG.uniform(0.1, 0.9, (N, 3)), RNG.integers(0, 2, (N, 3)) * 1.0),
    ("BCEWithLogitsLoss", {}, RNG.standard_normal((N, 3)), RNG.uniform(0, 1, (N, 3))),
    ("BCEWithLogitsLoss", {"weight": WEIGHT[:3]}, RNG.standard_normal((N, 3)), RNG.integers(0, 2, (N, 3)) * 1.0),
    ("BCEWithLogitsLoss", {"pos_weight": WEIGHT[:3]}, RNG.standard_normal((N, 3)), RNG.uniform(0, 1, (N, 3))),
    ("BCEWithLogitsLoss", {"weight": WEIGHT[:1], "pos_weight": WEIGHT}, RNG.standard_normal((N, C)), PROBABILITIES),
    ("BCEWithLogitsLoss", {"weight": RNG.uniform(1, 2, (N, 1))}, RNG.standard_normal((N, C)), PROBABILITIES),
    ("NLLLoss", {}, log_softmax(RNG.standard_normal((N, C))), LABELS),
    ("NLLLoss", {"weight": WEIGHT}, log_softmax(RNG.standard_normal((N, C))), SOME_IGNORED),
    ("NLLLoss", {"ignore_index": 1}, log_softmax(RNG.standard_normal((N, C))), LABELS),
    ("NLLLoss", {}, log_softmax(RNG.standard_normal(C), 0), np.array(2)),
    ("NLLLoss", {"weight": WEIGHT}, log_softmax(RNG.standard_normal((2, C, 3))), LABELS.reshape(2, 3)),
    *(
        ("CrossEntropyLoss", {**weight, **smoothing, **ignored}, RNG.standard_normal((N, C)), labels)
        for weight, smoothing, (ignored, labels) in itertools.product(
            ({}, {"weight": WEIGHT}),
            ({}, {"label_smoothing": 0.2}),
            (({}, LABELS), ({}, SOME_IGNORED), ({"ignore_index": 1}, LABELS)),
        )
    ),
    *(
        ("CrossEntropyLoss", {**weight, **smoothing}, RNG.standard_normal((N, C)), PROBABILITIES)
        for weight, smoothing in itertools.product(({}, {"weight": WEIGHT}), ({}, {"label_smoothing": 0.2}))
    ),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, RNG.standard_normal(C), np.array(2)),
    ("CrossEntropyLoss", {"weight": WEIGHT}, RNG.standard_normal(C), PROBABILITIES[0]),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, RNG.standard_normal((2, C, 3)), SOME_IGNORED.reshape(2, 3)),
    ("CrossEntropyLoss", {"weight": WEIGHT}, RNG.standard_normal((2, C, 3)), np.stack([PROBABILITIES[:3].T] * 2)),
    ("CrossEntropyLoss", {"label_smoothing": 1.0}, RNG.standard_normal((N, C)), LABELS),
]  # fmt: skip
each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]} {'+'.join(c[1])} {c[2].shape} {c[3].dtype}")
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)


def make(case, reduction="mean", library=nn, tensor=tensor):
    name, options, *_ = case
    return getattr(library, name)(
        **{k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}, reduction=reduction
    )


# ---------------------------------------------------------------- what holds for all
@each_reduction
@each_case
def test_values_and_gradients_are_those_of_pytorch(torch, case, reduction):
    *_, input, target = case
    ours, theirs = tensor(input, requires_grad=True), torch.tensor(input, requires_grad=True)
    loss, expected = (
        make(case, reduction)(ours, tensor(target)),
        make(case, reduction, torch.nn, torch.tensor)(theirs, torch.tensor(target)),
    )
    assert loss.shape == tuple(expected.shape)
    assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-15)
    loss.sum().backward()
    expected.sum().backward()
    assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-11, atol=1e-15)


@each_case
def test_derivatives_of_first_and_second_order(case):
    *_, input, target = case
    x, loss = tensor(input, requires_grad=True), make(case)
    assert gradcheck(lambda x: loss(x, tensor(target)), x)
    assert gradgradcheck(lambda x: loss(x, tensor(target)), x)


@pytest.mark.parametrize("case", [c for c in CASES if c[3].dtype.kind == "f"], ids=lambda c: f"{c[0]} {'+'.join(c[1])}")
def test_gradients_flow_to_targets_that_are_numbers(case):
    *_, input, target = case
    x, t = tensor(input, requires_grad=True), tensor(target, requires_grad=True)
    assert gradcheck(make(case), (x, t))


@each_reduction
@each_case
def test_float32_stays_float32(case, reduction):
    *_, input, target = case
    x, loss = tensor(input, dtype=float32, requires_grad=True), make(case, reduction).float()
    t = tensor(target) if target.dtype.kind == "i" else tensor(target, dtype=float32)
    out = loss(x, t)
    assert out.dtype == float32
    out.sum().backward()
    assert x.grad.dtype == float32
    assert_allclose(out.detach().numpy(), make(case, reduction)(tensor(input), tensor(target)).detach().numpy(), rtol=1e-4)


@each_case
def test_a_tape_sees_the_same_loss(case):
    *_, input, target = case
    loss, x, t = make(case), tensor(input), tensor(target)
    expected = loss(x, t)
    with ambient(tape=Tape()):
        assert_allclose(loss(x, t).array, expected.array, rtol=1e-12)


@each_case
def test_they_go_round(case):
    loss = make(case)
    again = make(case)
    again.load_state_dict(loss.state_dict())
    assert list(loss.state_dict()) == [k for k, v in case[1].items() if isinstance(v, np.ndarray)]
    *_, input, target = case
    for other in (again, copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other(tensor(input), tensor(target)).item() == loss(tensor(input), tensor(target)).item()


# ---------------------------------------------------------------- all of them, from the records
FUNCTIONS = [s for s in LOSS_SAMPLES if s.name.startswith("F.")]
MODULES = {  # the name of a record: that of the module made of its function
    s.name: name for s in FUNCTIONS for name in sorted(nn.loss.__all__) if getattr(nn, name)._function is s.op
}
NAMES = sorted({*MODULES.values()})
each_function = pytest.mark.parametrize("sample", FUNCTIONS, ids=lambda s: s.name)
each_name = pytest.mark.parametrize("name", NAMES)
PYTORCHS = [s for s in FUNCTIONS if "PyTorch" not in s.exempt]
each_of_pytorchs = pytest.mark.parametrize("sample", PYTORCHS, ids=lambda s: s.name)
each_name_of_pytorchs = pytest.mark.parametrize("name", sorted({MODULES[s.name] for s in PYTORCHS}))


def test_every_loss_is_a_module_of_its_function():
    """Each function has a record, as all of F have; here each module is found by its function."""
    assert {s.name for s in FUNCTIONS} == MODULES.keys()
    recorded = {s.op for s in SAMPLES}
    untested = [name for name in nn.loss.__all__ if name not in NAMES and getattr(nn, name)._function in recorded]
    assert not untested, f"{', '.join(untested)}: the record of its function belongs to tests/samples_loss.py"
    without = [name for name in nn.loss.__all__ if getattr(nn, name)._function not in map(F.__dict__.get, F.__all__)]
    assert not without, f"{', '.join(without)}: made of a function that is not in nn.functional"


def differentiable(torch, function, call):
    """PyTorch's result, and the inputs that it has a gradient for: some of its losses take targets as they are."""
    for inputs in (call.inputs(), call.inputs()[:1]):
        try:
            for x in call.inputs():
                x.requires_grad_(any(x is i for i in inputs))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on kl_div's mean
                out = call.run(function)
            torch.autograd.grad(out.sum(), inputs, retain_graph=True, materialize_grads=True)
        except RuntimeError as error:
            if not re.search("not implemented|not differentiable|does not support automatic differentiation", str(error)):
                raise
        else:
            return out, inputs
    raise AssertionError


@each_of_pytorchs
@given(st.data())
def test_like_torch(torch, sample, data):
    """The value, its shape and dtype, and the gradients; those of ctc_loss to logits, as PyTorch's assumes log_softmax there."""
    dtype = data.draw(st.sampled_from([np.float64, np.float64, np.float32]))
    name, tolerance = sample.op.__name__, {"rtol": 1e-10, "atol": 1e-12} if dtype == np.float64 else {"rtol": 2e-4, "atol": 1e-5}
    call = data.draw(calls(sample, dtype))
    left_out = ("multi_margin_loss", "multilabel_margin_loss")  # of nothing PyTorch returns what was in memory
    assume(call.args[0].size or name not in left_out)
    theirs = call.map(lambda a: torch.from_numpy(a.copy()))
    expected, inputs = differentiable(torch, scored(getattr(torch.nn.functional, name), name, "dim"), theirs)
    ours = call.map(lambda a: autograd.from_numpy(a.copy()).requires_grad_(is_float(a)))
    out = ours.run(scored(sample.op, name, "dim"))
    assert (out.shape, f"torch.{out.dtype}") == (tuple(expected.shape), str(expected.dtype))
    assert_allclose(out.array, expected.detach().numpy(), **tolerance)
    u = np.sin(1.0 + np.arange(out.array.size)).reshape(out.shape).astype(dtype)
    wanted = torch.autograd.grad(expected, inputs, torch.from_numpy(u), materialize_grads=True)
    found = autograd.grad(out, ours.inputs(), tensor(u), materialize_grads=True)
    for g, w in zip(found, wanted, strict=False):
        assert_allclose(g.array, w.numpy(), **tolerance)


def scored(function, name, dim):
    return (lambda x, *args, **options: function(x.log_softmax(2), *args, **options)) if name == "ctc_loss" else function


@each_function
@given(st.data())
def test_a_module_is_its_function(sample, data):
    call = data.draw(calls(sample, np.float32)).map(autograd.from_numpy)
    module = getattr(nn, MODULES[sample.name])
    many = len(inspect.signature(sample.op).parameters) - len(inspect.signature(module).parameters)
    names = [*inspect.signature(module).parameters]
    options = dict(zip(names, call.args[many:], strict=False)) | {k: v for k, v in call.kwargs.items() if k in names}
    rest = {k: v for k, v in call.kwargs.items() if k not in names}
    loss = module(**options)
    assert_array_equal(loss(*call.args[:many], **rest).array, call.run(sample.op).array)


def test_the_module_with_a_distance_of_its_own():
    a, p, n = (tensor(RNG.standard_normal((4, 3))) for _ in range(3))
    for options in ({}, {"margin": 0.5}, {"swap": True}, {"reduction": "none"}):
        assert_array_equal(
            nn.TripletMarginWithDistanceLoss(**options)(a, p, n).array, nn.TripletMarginLoss(**options)(a, p, n).array
        )
    far = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: 1 - F.cosine_similarity(x, y))
    expected = np.maximum(0, F.cosine_similarity(a, n).array - F.cosine_similarity(a, p).array + 1).mean()
    assert far(a, p, n).item() == pytest.approx(expected)


@each_name_of_pytorchs
def test_they_print_as_torchs(torch, name):
    assert repr(getattr(nn, name)()) == repr(getattr(torch.nn, name)())


@each_name_of_pytorchs
def test_arguments_are_torchs_but_for_those_that_are_no_more(torch, name):
    """In order, with the same defaults; what stands behind size_average or reduce there can only be given by name."""
    functions = [s.op.__name__ for s in FUNCTIONS if MODULES[s.name] == name]
    for ours, theirs in (
        (getattr(nn, name), getattr(torch.nn, name)),
        (getattr(F, functions[0]), getattr(torch.nn.functional, functions[0])),
    ):
        found, wanted = (inspect.signature(f).parameters.values() for f in (ours, theirs))
        wanted = [p for p in wanted if p.name not in ("size_average", "reduce")]
        assert [(p.name, p.default) for p in found] == [(p.name, p.default) for p in wanted]


@each_name
def test_an_unknown_reduction_is_told(name):
    with pytest.raises(ArgumentError, match=f"{name}: reduction is 'mean', 'sum'.* or '.*', got 'avg'"):
        getattr(nn, name)(reduction="avg")


@each_function
@given(st.data())
def test_an_unknown_reduction_is_told_by_functions(sample, data):
    call = data.draw(calls(sample)).map(tensor)
    call.kwargs["reduction"] = "avg"
    with pytest.raises(ArgumentError, match=f"{sample.op.__name__}: reduction is 'mean', 'sum'.* or '.*', got 'avg'"):
        call.run(sample.op)


# ---------------------------------------------------------------- formulas
def test_formulas():
    x, t = np.array([[1.0, -2.0], [0.5, 0.0]]), np.array([[0.0, -1.0], [0.5, 2.0]])
    assert F.mse_loss(tensor(x), tensor(t)).item() == pytest.approx(((x - t) ** 2).mean())
    assert F.l1_loss(tensor(x), tensor(t)).item() == pytest.approx(abs(x - t).mean())
    p = np.array([0.9, 0.2])
    expected = -(np.log(0.9) + np.log(0.8)) / 2
    assert F.binary_cross_entropy(tensor(p), tensor([1.0, 0.0])).item() == pytest.approx(expected)
    logits = np.log(p / (1 - p))
    assert F.binary_cross_entropy_with_logits(tensor(logits), tensor([1.0, 0.0])).item() == pytest.approx(expected)
    scores, labels = RNG.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    expected = -log_softmax(scores)[np.arange(5), labels].mean()
    assert F.cross_entropy(tensor(scores), tensor(labels)).item() == pytest.approx(expected)
    assert F.nll_loss(F.log_softmax(tensor(scores), 1), tensor(labels)).item() == pytest.approx(expected)


def test_large_logits_do_no_harm():
    x = tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = F.cross_entropy(x, tensor([0, 0]))
    loss.backward()
    assert loss.item() == 1e4
    assert x.grad.tolist() == [[0, 0], [-0.5, 0.5]]


def test_labels_of_any_integer_dtype():
    x = tensor(RNG.standard_normal((N, C)))
    expected = F.cross_entropy(x, tensor(LABELS)).item()
    for dtype in (np.uint8, np.int8, np.int16, np.int32):
        assert F.cross_entropy(x, tensor(LABELS.astype(dtype))).item() == expected
        assert F.cross_entropy(x, tensor(LABELS.astype(dtype)), label_smoothing=0.1).dtype == float64
        assert F.nll_loss(F.log_softmax(x, 1), tensor(LABELS.astype(dtype))).item() == pytest.approx(expected)


def test_binary_targets_may_be_integers_or_booleans():
    x, labels = tensor([0.2, 0.7]), [0, 1]
    for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        expected = loss(x, tensor([0.0, 1.0]))
        for t in (tensor(labels), tensor(labels).bool()):
            assert loss(x, t).item() == expected.item()
            assert loss(x, t).dtype == float32


def test_an_ignored_example_has_no_gradient_whatever_it_holds():
    x = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    F.cross_entropy(x, tensor([-100, 0])).backward()
    assert x.grad.numpy()[0].tolist() == [0, 0]
    assert x.grad.numpy()[1].any()


# ---------------------------------------------------------------- extreme numbers, and kinks
EDGE = np.array([0, -0.0, 0.5, 1, -1, 2, -2, 1e4, -1e4, np.inf, -np.inf])
SHARES, RATES, EITHER = np.array([0, 1e-30, 0.5, 1 - 1e-12, 1]), np.array([0, 1e-30, 0.5, 1.5, 1e4]), np.array([1, -1])
EXTREMES = [  # a loss, its options, what each argument may be
    ("l1_loss", {}, EDGE, EDGE), ("mse_loss", {}, EDGE, EDGE), ("smooth_l1_loss", {}, EDGE, EDGE), ("huber_loss", {"delta": 2}, EDGE, EDGE),
    ("poisson_nll_loss", {"full": True}, EDGE, RATES), ("poisson_nll_loss", {"log_input": False, "full": True}, RATES, RATES),
    ("gaussian_nll_loss", {}, EDGE, EDGE, RATES), ("gaussian_nll_loss", {"eps": 1.0}, EDGE, EDGE, RATES),
    ("kl_div", {}, EDGE, SHARES), ("kl_div", {"log_target": True}, EDGE, EDGE),
    ("binary_cross_entropy", {}, SHARES, SHARES), ("binary_cross_entropy_with_logits", {}, EDGE, SHARES),
    ("soft_margin_loss", {}, EDGE, EITHER), ("hinge_embedding_loss", {}, EDGE, EITHER),
    ("margin_ranking_loss", {}, EDGE, EDGE, EITHER), ("margin_ranking_loss", {"margin": 1}, EDGE, EDGE, EITHER),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinity minus infinity and the like
@pytest.mark.parametrize(("name", "options", "grid"), [(n, o, g) for n, o, *g in EXTREMES], ids=[e[0] for e in EXTREMES])
def test_at_extremes_and_kinks_like_torch_or_better(torch, name, options, grid):
    """Wherever PyTorch has a finite loss, or a finite gradient of input, it is ours; but where the loss is NaN is that of l1_loss."""
    args = [a.ravel() for a in np.meshgrid(*grid, indexing="ij")]
    theirs, ours = torch.tensor(args[0], requires_grad=True), tensor(args[0], requires_grad=True)
    expected = getattr(torch.nn.functional, name)(theirs, *map(torch.tensor, args[1:]), **options, reduction="none")
    out = getattr(F, name)(ours, *map(tensor, args[1:]), **options, reduction="none")
    value, wanted = expected.detach().numpy(), torch.autograd.grad(expected.sum(), theirs)[0].numpy()
    some = np.isfinite(value)
    assert some.sum() > some.size // 4
    assert_allclose(out.array[some], value[some], rtol=1e-12, atol=1e-20)
    some = np.isfinite(wanted) & ~np.isnan(value)
    (found,) = autograd.grad(out.sum(), ours)
    assert_allclose(found.array[some], wanted[some], rtol=1e-8)


def test_what_does_not_overflow():
    x = tensor([1e4, -1e4, float("inf")], requires_grad=True)
    for loss in (
        F.soft_margin_loss(x, tensor([-1, 1, 1]), reduction="none"),
        F.soft_margin_loss(x, tensor([-1.0, 1, 1]), reduction="none"),
    ):
        assert loss.tolist() == [1e4, 1e4, 0]
        assert autograd.grad(loss.sum(), x)[0].tolist() == [1, -1, 0]
    nothing = tensor([0.0, 0.5], requires_grad=True)
    loss = F.kl_div(tensor([float("-inf"), -1.0]), nothing, reduction="none")  # 0 * log 0 is 0
    assert_allclose(loss.detach().numpy(), [0, 0.5 * (np.log(0.5) + 1)], rtol=1e-6)
    assert np.isfinite(autograd.grad(loss.sum(), nothing)[0].numpy()).all()


def test_scores_of_minus_infinity_are_classes_that_cannot_be(torch):
    scores, labels = [[float("-inf"), 1.0, 2.0], [0.0, float("-inf"), 1.0]], [1, 1]
    ours, theirs = tensor(scores, requires_grad=True), torch.tensor(scores, requires_grad=True)
    out, expected = (
        F.cross_entropy(ours, tensor(labels), reduction="none"),
        torch.nn.functional.cross_entropy(theirs, torch.tensor(labels)),
    )
    assert out[1].item() == np.inf
    assert out[0].item() == pytest.approx(np.log1p(np.e))
    out.mean().backward()
    expected.backward()
    assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-6)


def test_a_variance_below_eps_counts_as_eps_and_learns_all_the_same():
    var = tensor([1e-9, 0.0], requires_grad=True)
    loss = F.gaussian_nll_loss(autograd.ones(2), autograd.zeros(2), var, eps=0.1)
    assert loss.item() == pytest.approx((np.log(0.1) + 10) / 2)
    loss.backward()
    assert_allclose(var.grad.numpy(), (10 - 100) / 4, rtol=1e-6)


# ---------------------------------------------------------------- a softmax too many
def shares(n=4):
    return F.softmax(tensor(RNG.standard_normal((n, 3))), 1)


def line_of(function):
    return inspect.getsourcelines(function)[1] + 1


def test_a_softmax_before_cross_entropy_is_told_once_at_the_users_line():
    loss, net = nn.CrossEntropyLoss(), nn.Sequential(nn.Linear(5, 3), nn.Softmax(1))

    def train():
        loss(net(autograd.ones(4, 5)), tensor([0, 1, 2, 0]))

    _, (found,) = warned(lambda: [train() for _ in range(3)])
    assert (found.filename, found.lineno) == (__file__, line_of(train))
    assert re.match(
        "CrossEntropyLoss: every row of input sums to one, as if softmax had been .* takes logits", str(found.message)
    )
    assert len(warned(lambda: nn.CrossEntropyLoss()(shares(), tensor([0, 1, 2, 0])))[1]) == 1  # another is told again


def test_a_softmax_before_the_function_is_told_once_for_each_line():
    def first():
        F.cross_entropy(shares(), tensor([0, 1, 2, 0]))

    def second():
        F.cross_entropy(input=shares(), target=shares(), reduction="sum")

    _, found = warned(lambda: [f() for f in (first, first, second, first, second)])
    assert [(w.filename, w.lineno) for w in found] == [(__file__, line_of(first)), (__file__, line_of(second))]
    assert str(found[0].message).startswith("cross_entropy: every row of input sums to one")


@pytest.mark.parametrize(
    ("input", "target"),
    [
        (shares() * 1.01, tensor([0, 1, 2, 0])),
        (F.log_softmax(shares(), 1), tensor([0, 1, 2, 0])),
        (autograd.cat([shares(), autograd.zeros(1, 3).double()]), tensor([0, 1, 2, 0, 0])),
        (tensor([[2.0, -1.0]]), tensor([0])),
        (autograd.ones(4, 1), tensor([0, 0, 0, 0])),
    ],
    ids=["nearly", "logarithms", "not all", "one is negative", "a single class"],
)
def test_other_rows_are_no_softmax(input, target):
    assert not warned(lambda: nn.CrossEntropyLoss()(input, target))[1]
    assert not warned(lambda: nn.NLLLoss()(input, target))[1]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows_of_every_shape_and_dtype_are_looked_at(shape, dtype):
    input = F.softmax(tensor(RNG.standard_normal(shape)), min(1, len(shape) - 1)).to(dtype)
    target = autograd.zeros(*shape[:1][: len(shape) - 1], *shape[2:], dtype=np.int64)
    assert len(warned(lambda: nn.CrossEntropyLoss()(input, target))[1]) == 1


def test_a_tape_looks_at_nothing_and_the_next_call_does():
    loss, x = nn.CrossEntropyLoss(), shares()
    with ambient(tape=Tape()) as _:
        assert not warned(lambda: loss(x, tensor([0, 1, 2, 0])))[1]
    assert len(warned(lambda: loss(x, tensor([0, 1, 2, 0])))[1]) == 1


# ---------------------------------------------------------------- ctc
def scores(*shape):
    return F.log_softmax(tensor(RNG.standard_normal(shape)), -1)


def test_ctc_of_more_labels_than_there_is_time_for():
    """Is infinite, its gradient 0, and the others' is not touched."""
    x = tensor(RNG.standard_normal((4, 2, 3)), requires_grad=True)
    args = tensor([[1, 1, 1], [1, 2, 1]]), [4, 4], [3, 3]  # labels that repeat need a blank between them
    loss = F.ctc_loss(F.log_softmax(x, 2), *args, reduction="none")
    assert loss[0].item() == np.inf
    loss.sum().backward()
    assert not x.grad.numpy()[:, 0].any()
    assert np.isfinite(x.grad.numpy()[:, 1]).all()
    assert F.ctc_loss(F.log_softmax(x, 2), *args).item() == np.inf
    finite = F.ctc_loss(F.log_softmax(x, 2), *args, reduction="none", zero_infinity=True)
    assert_allclose(finite.detach().numpy(), [0, loss[1].item()])
    assert F.ctc_loss(F.log_softmax(x, 2), *args, zero_infinity=True).item() == pytest.approx(loss[1].item() / 3 / 2)


def test_ctc_of_no_labels_is_that_of_blanks_alone():
    x = scores(3, 2, 4)
    for targets in (autograd.zeros(2, 0, dtype=np.int64), autograd.zeros(0, dtype=np.int64)):
        loss = F.ctc_loss(x, targets, [3, 2], [0, 0], blank=3, reduction="none")
        assert_allclose(loss.numpy(), [-x.numpy()[:, 0, 3].sum(), -x.numpy()[:2, 1, 3].sum()])


def test_ctc_takes_lengths_in_all_forms_and_one_sequence_alone():
    x, labels = scores(5, 1, 3), tensor([[1, 2, 2]])
    expected = F.ctc_loss(x, labels, [5], [2]).item()
    for lengths in (((5,), (2,)), (tensor([5]), tensor([2])), (np.array([5]), np.array([2])), (5, 2), (tensor(5), tensor(2))):
        assert F.ctc_loss(x, labels, *lengths).item() == expected
        alone = F.ctc_loss(x[:, 0], labels[0], *lengths)
        assert (alone.shape, alone.item()) == ((), expected)


def test_ctc_ignores_what_is_behind_the_ends():
    x = RNG.standard_normal((5, 2, 3))
    expected = F.ctc_loss(F.log_softmax(tensor(x), 2), tensor([[1, 2], [2, 2]]), [3, 5], [1, 2]).item()
    x[3:, 0] = np.nan
    input = tensor(x, requires_grad=True)
    loss = F.ctc_loss(F.log_softmax(input, 2), tensor([[1, -7], [2, 2]]), [3, 5], [1, 2])
    assert loss.item() == expected
    log_probs = scores(5, 2, 3).requires_grad_()
    (g,) = autograd.grad(F.ctc_loss(log_probs, tensor([[1, -7], [2, 2]]), [3, 5], [1, 2]), log_probs)
    assert not g.numpy()[3:, 0].any()


def test_ctc_of_classes_that_cannot_be():
    """Log-probabilities of minus infinity leave the paths that avoid them."""
    x = tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], dtype=float64, requires_grad=True)
    with np.errstate(divide="ignore"):
        loss = F.ctc_loss(x.log(), tensor([1]), 2, 1)
    assert loss.exp().item() == pytest.approx(2)  # -a and aa: 0.5 * 0.5 each
    (g,) = autograd.grad(loss, x)
    assert_allclose(g.numpy(), [[-1, -1, 0], [0, -2, 0]])


def test_ctc_of_long_sequences_does_not_underflow():
    x = tensor(20 * RNG.standard_normal((300, 1, 5)), requires_grad=True)
    loss = F.ctc_loss(F.log_softmax(x, 2), tensor(RNG.integers(1, 5, (1, 100))), [300], [100], reduction="sum")
    loss.backward()
    assert loss.item() > 500
    share = F.softmax(x.detach(), 2).numpy() - x.grad.numpy()  # the probability of each class at each time, given the labels
    assert_allclose(share.sum(2), 1)
    assert share.min() > -1e-12


@pytest.mark.parametrize("options", [{}, {"blank": 2}, {"reduction": "sum"}, {"zero_infinity": True}])
def test_ctc_to_second_order(options):
    targets = tensor((options.get("blank", 0) + np.array([[1, 1], [2, 1], [1, 2]])) % 3)

    def loss(x):
        return F.ctc_loss(F.log_softmax(x, 2), targets, [4, 3, 2], [2, 1, 0], **options)

    x = tensor(RNG.standard_normal((4, 3, 3)), requires_grad=True)
    assert gradcheck(loss, x)
    assert gradgradcheck(loss, x)


def test_ctc_on_a_tape():
    args = scores(4, 2, 3), tensor([[1, 2], [2, 1]]), tensor([4, 3]), tensor([2, 1])
    expected = F.ctc_loss(*args)
    with ambient(tape=Tape()):
        assert F.ctc_loss(*args).item() == expected.item()


# ---------------------------------------------------------------- bad input
x23, x63, x03 = autograd.zeros(2, 3), autograd.zeros(6, 3), autograd.zeros(0, 3)
none = autograd.zeros(0, dtype=np.int64)
BAD = [
    # broadcasting
    *(
        (f, (autograd.zeros(6, 1), autograd.zeros(6)), ShapeError, rf"{name}: input \(6, 1\) and target \(6,\) must")
        for name, f in [
            ("mse_loss", nn.MSELoss()), ("l1_loss", nn.L1Loss()), ("binary_cross_entropy", nn.BCELoss()),
            ("binary_cross_entropy_with_logits", nn.BCEWithLogitsLoss()),
        ]
    ),
    (nn.MSELoss(), (x23, tensor(0.0)), ShapeError, r"input \(2, 3\) and target \(\) must have the same shape"),
    # labels
    (F.cross_entropy, (x63, tensor([0, 1])), ShapeError, r"cross_entropy: input \(6, 3\) goes with labels of shape \(6,\), got"),
    (F.cross_entropy, (x23, tensor([[0], [1]])), ShapeError, r"goes with labels of shape \(2,\), got \(2, 1\)"),
    (F.cross_entropy, (autograd.zeros(3), tensor([0])), ShapeError, r"input \(3,\) goes with labels of shape \(\), got \(1,\)"),
    (F.nll_loss, (x63, tensor([0, 1])), ShapeError, r"nll_loss: input \(6, 3\) goes with labels of shape \(6,\), got \(2,\)"),
    (F.cross_entropy, (x23, tensor([0, 3])), DimError, "cross_entropy: label 3 at position 1 is not one of the 3 classes"),
    (F.cross_entropy, (x23, tensor([-1, 0])), DimError, "cross_entropy: label -1 at position 0 is not one of the 3 classes"),
    (F.nll_loss, (x23, tensor([0, 3])), DimError, "nll_loss: label 3 at position 1 is not one of the 3 classes"),
    (F.cross_entropy, (autograd.zeros(2, 3, 2), tensor([[0, 1], [2, 9]])), DimError, "label 9 at position 1, 1 is not one"),
    (F.cross_entropy, (x23, tensor([0.0, 1.0])), DtypeError, r"labels are integers \(or .*\), not float32 \(2,\); use long"),
    (F.cross_entropy, (x23, tensor([0.0, float("nan")])), DtypeError, "cross_entropy: labels are integers"),
    (F.cross_entropy, (x23, tensor([True, False])), DtypeError, "cross_entropy: labels are integers .* not bool"),
    (F.nll_loss, (x23, x23), DtypeError, r"nll_loss: labels are integers, not float32 \(2, 3\)"),
    # NaN in the target
    (F.mse_loss, (x23, x23 + float("nan")), ArgumentError, "mse_loss: target holds 6 NaN"),
    (F.l1_loss, (x23[0], tensor([0.0, float("nan"), 1.0])), ArgumentError, "l1_loss: target holds 1 NaN"),
    (F.binary_cross_entropy, (x23[0] + 0.5, tensor([0.0, float("nan"), 1.0])), ArgumentError, "entropy: target holds 1 NaN"),
    (nn.BCEWithLogitsLoss(), (x23[0], tensor([0.0, float("nan"), 1.0])), ArgumentError, "logits: target holds 1 NaN"),
    (F.cross_entropy, (x23, x23 + float("nan")), ArgumentError, "cross_entropy: target holds 6 NaN"),
    # nothing there
    *(
        (f, (autograd.zeros(0, 3), autograd.zeros(0, 3)), ShapeError, "there is no mean over an empty batch")
        for f in (nn.MSELoss(), nn.L1Loss(), nn.BCELoss(), nn.BCEWithLogitsLoss(), nn.CrossEntropyLoss())
    ),
    (F.cross_entropy, (x03, none), ShapeError, "cross_entropy: there is no mean over an"),
    (F.nll_loss, (x03, none), ShapeError, "nll_loss: there is no mean over an empty"),
    (F.cross_entropy, (autograd.zeros(2, 0), tensor([0, 0])), ShapeError, r"needs an input of shape \(n, classes\), got \(2,"),
    (F.cross_entropy, (tensor(1.0), tensor(0)), ShapeError, r"cross_entropy needs an input of shape \(n, classes\), got \(\)"),
    # dtypes and kinds
    (F.mse_loss, (tensor([1]), tensor([1])), DtypeError, "mse_loss needs a floating-point input or target, not int64"),
    (F.cross_entropy, (tensor([[1, 2]]), tensor([1])), DtypeError, "cross_entropy needs a floating-point input, not int64"),
    (F.mse_loss, (x23, np.zeros((2, 3))), UnsupportedError, "mse_loss: target must be a tensor, not ndarray"),
    (F.cross_entropy, ([[0.0, 1.0]], tensor([1])), UnsupportedError, "cross_entropy: input must be a tensor, not list"),
    (F.binary_cross_entropy, (tensor([0.5, 1.5]), tensor([0.0, 1.0])), ArgumentError, "from 0 to 1, got 0.5 to 1.5; for logits"),
    (F.binary_cross_entropy, (tensor([float("nan")]), tensor([0.0])), ArgumentError, "binary_cross_entropy: input holds probab"),
    # weights
    (nn.CrossEntropyLoss(autograd.ones(2)), (x23, tensor([0, 1])), ShapeError, r"for each of 3 classes, not shape \(2,\)"),
    (nn.NLLLoss(autograd.ones(3).double()), (x23, tensor([0, 1])), DtypeError, "weight is float64, but input is float32"),
    (nn.BCELoss(autograd.ones(2, 2, 3)), (x23, x23), ShapeError, r"weight \(2, 2, 3\) does not broadcast to .*, \(2, 3\)"),
    (nn.BCEWithLogitsLoss(pos_weight=autograd.ones(2)), (x23, x23), ShapeError, r"pos_weight \(2,\) does not broadcast to"),
    (lambda x, t: F.nll_loss(x, t, weight=[1, 2, 3]), (x23, tensor([0, 1])), UnsupportedError, "weight must be a tensor, not"),
    (lambda x, t: F.cross_entropy(x, t, label_smoothing=2), (x23, tensor([0, 1])), ArgumentError, "label_smoothing is a share"),
    # signs, margins, options
    (F.hinge_embedding_loss, (x23[0], tensor([1, 0, 1])), ArgumentError, "hinge_embedding_loss: target holds labels, 1 or -1, got 0;"),
    (F.cosine_embedding_loss, (x23, x23, tensor([1, 2])), ArgumentError, "cosine_embedding_loss: target holds labels, 1 or -1, got 2;"),
    (F.cosine_embedding_loss, (x23, x23, tensor([1])), ShapeError, r"\(n,\), or \(d,\) with \(\); got \(2, 3\) and \(1,\)"),
    (F.cosine_embedding_loss, (x23, x63, tensor([1, 1])), ShapeError, r"input1 \(2, 3\) and input2 \(6, 3\) must have the same"),
    (F.margin_ranking_loss, (x23, x23, tensor([1, 1])), ShapeError, r"input1 \(2, 3\), input2 \(2, 3\) and target \(2,\) must have"),
    (F.triplet_margin_loss, (x23, x23, x23[0]), ShapeError, r"anchor \(2, 3\), positive \(2, 3\) and negative \(3,\) must have"),
    (nn.TripletMarginLoss(margin=0), (x23, x23, x23), ArgumentError, "triplet_margin_loss: margin is a positive number, got 0"),
    (nn.TripletMarginWithDistanceLoss(margin=-1), (x23, x23, x23), ArgumentError, "distance_loss: margin is a positive number, got -1"),
    (nn.HuberLoss(delta=0), (x23, x23), ArgumentError, "huber_loss: delta is a positive number, got 0"),
    (nn.SmoothL1Loss(beta=-1), (x23, x23), ArgumentError, "smooth_l1_loss: beta is a positive number, got -1"),
    (nn.MultiMarginLoss(p=3), (x23, tensor([0, 1])), ArgumentError, "multi_margin_loss: p is 1 or 2, got 3"),
    (F.multi_margin_loss, (x23, tensor([0, 3])), DimError, "multi_margin_loss: label 3 at position 1 is not one of the 3 classes"),
    (F.multi_margin_loss, (autograd.zeros(2, 3, 4), autograd.zeros(2, 4).long()), ShapeError, r"\(n, classes\) or \(classes,\), got"),
    (F.multi_margin_loss, (x23, x23[:, 0]), DtypeError, r"multi_margin_loss: labels are integers, not float32 \(2,\)"),
    (F.multilabel_margin_loss, (x23, tensor([0, 1])), ShapeError, r"\(2, 3\) goes with lists of labels of the same shape, got \(2,\)"),
    (F.multilabel_margin_loss, (x23, tensor([[0, -1, 1], [0, 1, 5]])), DimError, "label 5 at position 1, 2 is .* 0 to 2, nor -1"),
    (F.multilabel_margin_loss, (x23, x23), DtypeError, r"multilabel_margin_loss: labels are integers, not float32 \(2, 3\)"),
    (F.multilabel_soft_margin_loss, (tensor(1.0), tensor(1.0)), ShapeError, r"needs an input of shape \(\.\.\., classes\), got \(\)"),
    (F.kl_div, (x23, tensor([[0, 1, 0], [1, 0, 0]])), DtypeError, "kl_div needs a floating-point target, not int64"),
    (F.gaussian_nll_loss, (x23, x23, x23 - 1), ArgumentError, "gaussian_nll_loss: var holds variances, .* not negative, got -1"),
    (F.gaussian_nll_loss, (x23, x23, -2.0), ArgumentError, "gaussian_nll_loss: var holds variances, .* not negative, got -2"),
    (F.gaussian_nll_loss, (x23, x23, x23[0]), ShapeError, r"gaussian_nll_loss: var \(3,\) is not that of input, \(2, 3\), with one dim"),
    (F.mse_loss, (x23, x23, x23), TypeError, "positional argument"),
    (lambda x, t: F.mse_loss(x, t, weight=autograd.ones(3)), (x23, x23), ShapeError, r"input \(2, 3\) and weight \(3,\) must have"),
    (lambda x, t: F.huber_loss(x, t, weight=autograd.ones(3)), (x23, x23), ShapeError, r"input \(2, 3\) and weight \(3,\) must have"),
    # nothing there, in the others
    *(
        (f, (x03, *args), ShapeError, f"{name}: there is no mean over an empty batch")
        for name, f, args in [
            ("smooth_l1_loss", nn.SmoothL1Loss(), (x03,)), ("huber_loss", nn.HuberLoss(), (x03,)), ("kl_div", nn.KLDivLoss(), (x03,)),
            ("kl_div", nn.KLDivLoss(reduction="batchmean"), (x03,)), ("poisson_nll_loss", nn.PoissonNLLLoss(), (x03,)),
            ("gaussian_nll_loss", nn.GaussianNLLLoss(), (x03, 1.0)), ("soft_margin_loss", nn.SoftMarginLoss(), (x03,)),
            ("hinge_embedding_loss", nn.HingeEmbeddingLoss(), (x03,)), ("multi_margin_loss", nn.MultiMarginLoss(), (none,)),
            ("multilabel_margin_loss", nn.MultiLabelMarginLoss(), (x03.long(),)), ("margin_ranking_loss", nn.MarginRankingLoss(), (x03, x03)),
            ("multilabel_soft_margin_loss", nn.MultiLabelSoftMarginLoss(), (x03,)),
            ("cosine_embedding_loss", nn.CosineEmbeddingLoss(), (x03, none)), ("triplet_margin_loss", nn.TripletMarginLoss(), (x03, x03)),
        ]
    ),
    # NaN in the target, in the others
    *(
        (f, (x23[0], tensor([0.0, float("nan"), 1.0])), ArgumentError, f"{name}: target holds 1 NaN")
        for name, f in [("huber_loss", nn.HuberLoss()), ("kl_div", nn.KLDivLoss(reduction="batchmean")), ("smooth_l1_loss", nn.SmoothL1Loss())]
    ),
    # ctc
    (F.ctc_loss, (x23, [1, 2], [2], [2]), UnsupportedError, "ctc_loss: targets must be a tensor, not list"),
    (F.ctc_loss, (x23.long(), tensor([1]), 2, 1), DtypeError, "ctc_loss needs a floating-point log_probs, not int64"),
    (F.ctc_loss, (x23, x23[0], 2, 1), DtypeError, r"ctc_loss: labels are integers, not float32 \(3,\)"),
    (F.ctc_loss, (x23, tensor([[1]]), 2, 1), ShapeError, r"ctc_loss needs log_probs \(times, n, classes\) .*; got \(2, 3\) with \(1, 1\)"),
    (F.ctc_loss, (x23[:, None], tensor([[1], [1]]), [2], [1]), ShapeError, r"targets \(2, 1\) are for 2 sequences, log_probs for 1"),
    (F.ctc_loss, (x23[:, None], tensor([1, 2]), [2], [1]), ShapeError, "targets hold 2 labels in a row, but target_lengths add up to 1"),
    (F.ctc_loss, (x23[:, None], tensor([[1, 2]]), [3], [1]), ArgumentError, r"ctc_loss: input_lengths are from 0 to 2, got \[3\]"),
    (F.ctc_loss, (x23[:, None], tensor([[1, 2]]), [2], [3]), ArgumentError, r"ctc_loss: target_lengths are from 0 to 2, got \[3\]"),
    (F.ctc_loss, (x23[:, None], tensor([[1, 2]]), [2, 2], [1]), ShapeError, r"input_lengths are 1 numbers, .*, not of shape \(2,\)"),
    (F.ctc_loss, (x23[:, None], tensor([[1, 2]]), [2.0], [1]), DtypeError, "ctc_loss: input_lengths are integers, not float64"),
    (F.ctc_loss, (x23[:, None], tensor([[1, 3]]), [2], [2]), DimError, "ctc_loss: label 3 at position 0, 1 is .* without the blank, 0"),
    (F.ctc_loss, (x23[:, None], tensor([[0, 1]]), [2], [2]), DimError, "ctc_loss: label 0 at position 0, 0 is .* without the blank, 0"),
    (F.ctc_loss, (x23, tensor([1]), 2, 1, 3), ArgumentError, "ctc_loss: blank is one of the 3 classes, 0 to 2, got 3"),
    (F.ctc_loss, (autograd.zeros(2, 0, 3), autograd.zeros(0, 1).long(), [], []), ShapeError, "ctc_loss: there is no mean over an empty"),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "args", "error", "message"), BAD, ids=[re.sub(r"\W+", " ", b[3])[:60] for b in BAD])
def test_bad_input_is_told(loss, args, error, message):
    with pytest.raises(error, match=message):
        loss(*args)


def test_what_is_nan_for_another_reason_stays_nan():
    assert np.isnan(F.mse_loss(tensor([float("nan")]), tensor([1.0])).item())


def test_single_losses_may_hold_nan_to_be_left_out_later():
    x, t = tensor([1.0, 2.0], requires_grad=True), tensor([float("nan"), 0.0])
    losses = F.mse_loss(x, t, reduction="none")
    autograd.where(t.isnan(), 0.0, losses).sum().backward()
    assert x.grad.tolist() == [0, 4]


def test_the_sum_over_an_empty_batch_is_0():
    assert F.mse_loss(autograd.zeros(0, 3), autograd.zeros(0, 3), reduction="sum").item() == 0
    assert F.cross_entropy(autograd.zeros(0, 3), autograd.zeros(0, dtype=np.int64), reduction="none").shape == (0,)


# ---------------------------------------------------------------- what does not count
ALL_IGNORED = [
    (F.cross_entropy, {}),
    (F.cross_entropy, {"label_smoothing": 0.1}),
    (F.nll_loss, {}),
    (F.cross_entropy, {"ignore_index": 1}),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "options"), ALL_IGNORED)
def test_a_batch_of_which_nothing_counts(loss, options, weighted):
    """Its sum is 0, each of its losses 0, and the mean over nothing NaN, which we say; its gradients are 0, as PyTorch's are."""
    target = tensor([options.get("ignore_index", -100)] * 2)
    weight = tensor([1.0, 2.0, 3.0]) if weighted else None
    for reduction, expected in (("sum", 0), ("none", [0, 0]), ("mean", None)):
        x = tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]], requires_grad=True)
        if reduction == "mean":
            with pytest.warns(
                UserWarning, match=r"every label is -?\d+, the ignore_index, so there is nothing to average, and the mean is NaN"
            ):
                found = loss(x, target, weight, reduction=reduction, **options)
            assert np.isnan(found.item())
        else:
            found = loss(x, target, weight, reduction=reduction, **options)
            assert found.tolist() == expected
        found.sum().backward()
        assert x.grad.tolist() == [[0] * 3] * 2


def test_one_example_that_does_not_count():
    x = tensor([1.0, 2.0], requires_grad=True)
    assert F.cross_entropy(x, tensor(-100), reduction="sum").item() == 0
    with pytest.warns(UserWarning, match="nothing to average"):
        F.cross_entropy(x, tensor(-100)).backward()
    assert x.grad.tolist() == [0, 0]


def test_losses_say_what_they_average_over():
    x, labels, weight = tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), tensor([2, -100, 0]), tensor([1.0, 2.0, 4.0])
    losses = {
        2.0: lambda: F.cross_entropy(x, labels), 5.0: lambda: F.cross_entropy(x, labels, weight, label_smoothing=0.1), 9.0: lambda: F.mse_loss(x, x * 2),
        4.0: lambda: F.nll_loss(x, labels[:1].expand(3), weight[[0, 0, 2]] / 3), 18.0: lambda: F.mse_loss(x, x * 2, weight=x * 0 + 2),
        3.0: lambda: F.kl_div(x, x.softmax(1), reduction="batchmean"), 1.0: lambda: nn.CrossEntropyLoss()(x[0], labels[0]),
    }  # fmt: skip
    for divisor, loss in losses.items():
        with averages() as found:
            loss()
        assert [(reduction, float(parts)) for reduction, parts in found] == [("mean", pytest.approx(divisor))]
    with averages() as found:
        F.mse_loss(x, x, reduction="sum")
        F.mse_loss(x, x, reduction="none")
    assert [reduction for reduction, _ in found] == ["sum"]
    F.mse_loss(x, x)
    assert len(found) == 1


# ---------------------------------------------------------------- regions and rare classes
def test_a_focal_loss_of_sure_outputs_has_gradients():
    for gamma in (0.0, 0.5, 1.0, 2.0):
        x = tensor([-200.0, -30.0, 0.0, 30.0, 200.0] * 2, requires_grad=True)
        t = tensor([0.0] * 5 + [1.0] * 5)
        loss = F.sigmoid_focal_loss(x, t, gamma=gamma, reduction="none")
        loss.sum().backward()
        assert np.isfinite(loss.detach().numpy()).all()
        assert np.isfinite(x.grad.numpy()).all()
        assert (np.sign(x.grad.numpy()) * (1 - 2 * t.numpy()) >= 0).all(), "up for class 0, down for class 1"


def test_a_focal_loss_without_focus_is_cross_entropy():
    x, t = tensor(RNG.standard_normal((N, 3))), tensor(RNG.integers(0, 2, (N, 3)) * 1.0)
    plain = F.binary_cross_entropy_with_logits(x, t)
    assert_allclose(F.sigmoid_focal_loss(x, t, None, 0.0).item(), plain.item())
    assert_allclose(F.sigmoid_focal_loss(x, t, 0.5, 0.0).item(), plain.item() / 2)
    assert F.sigmoid_focal_loss(x, t, -1).item() == F.sigmoid_focal_loss(x, t, None).item()


def test_regions_that_agree_and_regions_that_are_not_there():
    labels = tensor(RNG.integers(0, 3, (2, 5, 5)))
    masks = F.one_hot(labels, 3).permute(0, 3, 1, 2).double()
    for loss in (F.dice_loss, F.jaccard_loss):
        assert_allclose(loss(masks, labels, reduction="none").numpy(), 0, atol=1e-12)
        assert_allclose(loss(1 - masks, labels, smooth=0.0).item(), 1)
        nothing = autograd.zeros(1, 1, 4, requires_grad=True)
        assert loss(nothing, autograd.zeros(1, 1, 4)).item() == 0
        assert loss(masks, labels).item() == loss(masks, masks).item()
        assert loss(masks, masks > 0.5).item() == loss(masks, masks).item()


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ArgumentError, "sigmoid_focal_loss: gamma is 0 or more, got -1", lambda: F.sigmoid_focal_loss(tensor([0.0]), tensor([0.0]), gamma=-1)),
        (ArgumentError, "sigmoid_focal_loss: alpha is a share, from 0 to 1, or None, got 2", lambda: F.sigmoid_focal_loss(tensor([0.0]), tensor([0.0]), 2)),
        (ShapeError, r"dice_loss needs an input of shape \(N, C, ...\), got \(2, 3\)", lambda: F.dice_loss(autograd.ones(2, 3), autograd.ones(2, 3))),
        (ShapeError, "jaccard_loss: input .* and target .* must have the same shape", lambda: F.jaccard_loss(autograd.ones(2, 3, 4), autograd.ones(2, 4))),
        (ArgumentError, r"dice_loss: input holds probabilities.*of logits take the sigmoid, or softmax\(1\)", lambda: F.dice_loss(autograd.ones(2, 3, 4) * 2, autograd.ones(2, 3, 4))),
        (DimError, "label 3 at position 0, 0 is not one of the 3 classes", lambda: F.dice_loss(autograd.ones(1, 3, 1), tensor([[3]]))),
        (ArgumentError, "smooth is 0 or more, got -1", lambda: nn.JaccardLoss(smooth=-1)(autograd.ones(1, 3, 1), tensor([[2]]))),
        (DtypeError, "dice_loss needs a floating-point input, not int64", lambda: F.dice_loss(autograd.ones(1, 3, 1).long(), tensor([[2]]))),
    ],
)  # fmt: skip
def test_bad_regions_are_told(error, says, call):
    with pytest.raises(error, match=says):
        call()


# ---------------------------------------------------------------- AdaptiveLogSoftmaxWithLoss
def test_adaptive_log_softmax_is_one_distribution():
    """All classes have probabilities that add up to 1, of which those of the targets come out."""
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0)
    x, target = autograd.randn(9, 8), tensor([0, 2, 3, 6, 7, 11, 5, 1, 9])
    logs = layer.log_prob(x)
    assert_allclose(logs.exp().sum(1).detach().numpy(), 1, rtol=1e-5)
    output, loss = layer(x, target)
    assert_allclose(output.detach().numpy(), logs.gather(1, target.unsqueeze(1)).squeeze(1).detach().numpy(), rtol=1e-5)
    assert_allclose(loss.item(), -output.mean().item(), rtol=1e-6)
    assert layer.predict(x).tolist() == logs.argmax(1).tolist()
    assert_allclose(layer(x[0], target[0]).output.item(), output[0].item(), rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda layer, x: layer(x, tensor([12])), DimError, r"targets are integers from 0 to 11, got \[12\]"),
        (lambda layer, x: layer(x, tensor([-1])), DimError, r"targets are integers from 0 to 11, got \[-1\]"),
        (lambda layer, x: layer(x, tensor([0, 1])), ShapeError, r"a target for each example, \(1,\), got \(2,\)"),
        (lambda layer, x: layer.log_prob(x[:, :3]), ShapeError, r"expects \(N, 8\) or \(8,\), got \(1, 3\)"),
        (lambda layer, x: nn.AdaptiveLogSoftmaxWithLoss(8, 12, [7, 3]), ArgumentError, r"rising numbers .* n_classes=12, got \[7, 3\]"),
        (lambda layer, x: nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 12]), ArgumentError, r"between 0 and n_classes=12, got \[3, 12\]"),
    ],
)  # fmt: skip
def test_what_adaptive_log_softmax_refuses(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong(nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0), autograd.ones(1, 8))
