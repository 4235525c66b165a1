"""Losses: values, gradients, options and reductions, against formulas and PyTorch; and every kind of bad input."""

import itertools
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

import autograd
import nn
import nn.functional as F
from autograd import float32, float64, gradcheck, gradgradcheck, tensor
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError
from autograd.graph import ambient

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
def test_values_and_gradients_are_those_of_pytorch(case, reduction):
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
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
    with ambient(tape=[]):
        assert_allclose(loss(x, t).array, expected.array, rtol=1e-12)


@each_case
def test_they_print_and_go_round(case):
    loss = make(case)
    assert repr(loss) == f"{case[0]}()"
    again = make(case)
    again.load_state_dict(loss.state_dict())
    assert list(loss.state_dict()) == [k for k, v in case[1].items() if isinstance(v, np.ndarray)]


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "BCELoss", "BCEWithLogitsLoss", "NLLLoss", "CrossEntropyLoss"])
def test_an_unknown_reduction_is_told(name):
    with pytest.raises(ArgumentError, match=f"{name}: reduction is 'mean', 'sum' or 'none', got 'avg'"):
        getattr(nn, name)(reduction="avg")
    with pytest.raises(ArgumentError, match="mse_loss: reduction is 'mean', 'sum' or 'none', got 'avg'"):
        F.mse_loss(autograd.ones(2), autograd.ones(2), reduction="avg")


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
    (F.cross_entropy, (x23, tensor([-100, -100])), ArgumentError, "every label is -100, the ignore_index; no example is left"),
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
    (F.mse_loss, (tensor([1]), tensor([1])), DtypeError, "mse_loss needs a floating-point input, not int64"),
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
