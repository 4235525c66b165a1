"""Metrics: scikit-learn's values, the same however the examples are cut into batches, ties, what is undefined, and bad input."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import autograd
from autograd import tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError
from nn import functional as F
from nn import metrics

SCORED = ["Precision", "Recall", "F1", "Dice", "IoU"]
AVERAGES = ["macro", "micro", "weighted", None]


def sk():
    return pytest.importorskip(
        "sklearn.metrics", reason="scikit-learn is no dependency; where it is installed, it is compared with"
    )


def theirs(name, *args, **options):
    """What scikit-learn says; it warns of what is undefined, metrics here do not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(sk(), name)(*args, **options)


THEIRS = {"Precision": "precision_score", "Recall": "recall_score", "F1": "f1_score", "Dice": "f1_score", "IoU": "jaccard_score"}


def values(result):
    return result.array if hasattr(result, "array") else result


def in_batches(metric, output, target, cuts):
    """The value of a metric that is fed the examples in parts, after it has been used for something else."""
    metric.update(output[:1], target[:1])
    metric.reset()
    for part in np.split(np.arange(len(target)), sorted(c % (len(target) + 1) for c in cuts)):
        metric.update(output[part], target[part])
    return metric.compute()


cuts = st.lists(st.integers(0, 30), max_size=3)


@st.composite
def labelled(draw, most=3):
    """Labels and guesses, of which many may be missing."""
    n = draw(st.integers(1, 30))
    label = st.lists(st.integers(0, most), min_size=n, max_size=n).map(np.array)
    return draw(label), draw(label)


@st.composite
def scored(draw, classes):
    """Scores with ties, rows that add up to 1, and labels."""
    n = draw(st.integers(1, 20))
    rows = draw(st.lists(st.lists(st.integers(1, 4), min_size=classes, max_size=classes), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    scores = np.array(rows, np.float64)
    return scores / scores.sum(1, keepdims=True), np.array(labels)


# ---------------------------------------------------------------- against scikit-learn
@pytest.mark.slow
@given(labelled(), cuts)
def test_accuracy_is_scikit_learns(pair, cuts):
    labels, found = pair
    assert in_batches(metrics.Accuracy(), found, labels, cuts) == theirs("accuracy_score", labels, found)


@pytest.mark.slow
@pytest.mark.parametrize("average", AVERAGES, ids=str)
@pytest.mark.parametrize("name", SCORED)
@given(pair=labelled(), cuts=cuts, classes=st.sampled_from([None, 5]))
def test_scores_of_classes_are_scikit_learns(name, average, pair, cuts, classes):
    labels, found = pair
    ours = in_batches(getattr(metrics, name)(average, num_classes=classes), found, labels, cuts)
    expected = theirs(THEIRS[name], labels, found, average=average, labels=None if classes is None else range(classes))
    assert_allclose(values(ours), expected, rtol=1e-12)
    assert isinstance(ours, autograd.Tensor if average is None else float)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORED)
@given(pair=labelled(1), cuts=cuts)
def test_binary_scores_are_scikit_learns(name, pair, cuts):
    labels, found = pair
    assert_allclose(in_batches(getattr(metrics, name)(), found, labels, cuts), theirs(THEIRS[name], labels, found), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
@given(pair=labelled(), cuts=cuts)
def test_the_confusion_matrix_is_scikit_learns(normalize, pair, cuts):
    labels, found = pair
    expected = theirs("confusion_matrix", labels, found, labels=range(4), normalize=normalize)
    for classes in (None, 4):
        ours = in_batches(metrics.ConfusionMatrix(classes, normalize), found, labels, cuts)
        assert_allclose(ours.array, expected[: len(ours), : len(ours)], rtol=1e-12)
        assert classes is None or ours.shape == (4, 4)


@pytest.mark.slow
@given(scored(2), cuts)
def test_the_area_is_scikit_learns(pair, cuts):
    scores, labels = pair
    expected = theirs("roc_auc_score", labels, scores[:, 1]) if len(set(labels)) == 2 else math.nan
    assert_allclose(in_batches(metrics.ROCAUC(), scores[:, 1], labels, cuts), expected, rtol=1e-12)
    assert_allclose(metrics.roc_auc(scores, labels), expected, rtol=1e-12)  # of two classes, each against the other


@pytest.mark.slow
@pytest.mark.parametrize("average", ["macro", "weighted", None], ids=str)
@given(pair=scored(3), cuts=cuts)
def test_areas_of_several_classes_are_scikit_learns(average, pair, cuts):
    scores, labels = pair
    scores, labels = np.concatenate([scores, np.eye(3) / 2 + 1 / 6]), np.concatenate([labels, [0, 1, 2]])  # it wants all of them
    ours = in_batches(metrics.ROCAUC(average), scores, labels, cuts)
    expected = theirs("roc_auc_score", labels, scores, multi_class="ovr", average=average)
    assert_allclose(values(ours), expected, rtol=1e-12)


@pytest.mark.slow
def test_areas_of_logits_are_those_of_their_softmax():
    rng = np.random.default_rng(0)
    logits, labels = 100 + rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    expected = theirs("roc_auc_score", labels, tensor(logits).softmax(1).array, multi_class="ovr")
    assert_allclose(metrics.roc_auc(logits, labels, logits=True), expected, rtol=1e-12)


@pytest.mark.slow
@given(scored(4), st.integers(1, 4), cuts)
def test_top_k_is_scikit_learns(pair, k, cuts):
    scores, labels = pair
    scores = scores - np.arange(4) * 1e-9  # it breaks ties the other way round
    expected = theirs("top_k_accuracy_score", labels, scores, k=k, labels=range(4))
    assert_allclose(in_batches(metrics.TopKAccuracy(k), scores, labels, cuts), expected, rtol=1e-12)


def quiet(p, labels):
    """scikit-learn's curve, whose recall without examples of class 1 is 1, where ours is NaN."""
    precision, recall, thresholds = theirs("precision_recall_curve", labels, p)
    return precision, recall if labels.any() else [*np.full(len(thresholds), math.nan), 0], thresholds


@pytest.mark.slow
@given(scored(2), cuts)
def test_curves_are_scikit_learns(pair, cuts):
    p, labels = pair[0][:, 1], pair[1]
    for kind, expected in (
        (metrics.ROCCurve, theirs("roc_curve", labels, p, drop_intermediate=False)),
        (metrics.PrecisionRecallCurve, quiet(p, labels)),
    ):
        for ours, line in zip(in_batches(kind(), p, labels, cuts), expected, strict=True):
            assert type(ours) is autograd.Tensor
            assert_allclose(ours.array, line, rtol=1e-12)


@pytest.mark.slow
@given(scored(2), cuts)
def test_the_area_is_that_under_the_curve(pair, cuts):
    p, labels = pair[0][:, 1], pair[1]
    fpr, tpr, _ = metrics.roc_curve(p, labels)
    assert_allclose(np.trapezoid(tpr.array, fpr.array), metrics.roc_auc(p, labels), rtol=1e-12)
    expected = theirs("average_precision_score", labels, p) if labels.any() else math.nan
    assert_allclose(in_batches(metrics.AveragePrecision(), p, labels, cuts), expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("average", ["macro", "weighted", None], ids=str)
@given(pair=scored(3), cuts=cuts)
def test_average_precisions_of_several_classes_are_scikit_learns(average, pair, cuts):
    scores, labels = pair
    scores, labels = np.concatenate([scores, np.eye(3) / 2 + 1 / 6]), np.concatenate([labels, [0, 1, 2]])  # all are there
    ours = in_batches(metrics.AveragePrecision(average), scores, labels, cuts)
    expected = theirs("average_precision_score", np.eye(3)[labels], scores, average=average)
    assert_allclose(values(ours), expected, rtol=1e-12)


@pytest.mark.slow
@given(scored(2), cuts, st.integers(1, 12))
def test_the_calibration_curve_is_scikit_learns(pair, cuts, n_bins):
    calibration = pytest.importorskip("sklearn.calibration", reason="where scikit-learn is installed, it is compared with")
    p, labels = pair[0][:, 1], np.append(pair[1][:-1], 1)
    for ours, expected in zip(
        in_batches(metrics.CalibrationCurve(n_bins), p, labels, cuts),
        calibration.calibration_curve(labels, p, n_bins=n_bins),
        strict=True,
    ):
        assert_allclose(ours.array, expected, rtol=1e-12)


@given(scored(3), cuts, st.integers(1, 12), st.sampled_from(["l1", "l2", "max"]))
def test_the_calibration_error_is_what_its_paper_says(pair, cuts, n_bins, norm):
    scores, labels = pair
    confidence, right = scores.max(1), scores.argmax(1) == labels
    away, share = [], []
    for m in range(1, n_bins + 1):  # (m - 1) / n_bins < p <= m / n_bins
        edges = np.linspace(0, 1, n_bins + 1)
        inside = (edges[m - 1] < confidence) & (confidence <= edges[m])
        if inside.any():
            away.append(abs(right[inside].mean() - confidence[inside].mean()))
            share.append(inside.mean())
    expected = {"l1": np.dot(share, away), "l2": np.sqrt(np.dot(share, np.square(away))), "max": max(away)}[norm]
    assert_allclose(in_batches(metrics.CalibrationError(n_bins, norm), scores, labels, cuts), expected, rtol=1e-9, atol=1e-15)


def test_probabilities_of_logits():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    for function in (metrics.calibration_error, metrics.average_precision):
        assert_allclose(function(x, labels, logits=True), function(tensor(x).softmax(1), labels), rtol=1e-12)
    one, there = x[:, 0] * 1000, labels == 0
    with np.errstate(over="ignore"):
        assert_allclose(
            metrics.calibration_error(one, there, logits=True), metrics.calibration_error(1 / (1 + np.exp(-one)), there)
        )
    assert metrics.calibration_error([0.0, 1.0], [0, 1]) == 0, "the ends belong to bins too"


numbers = st.floats(-1e3, 1e3).map(lambda v: round(v, 3))


@pytest.mark.slow
@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=2, max_size=20), cuts)
def test_errors_of_numbers_are_scikit_learns(rows, cuts):
    rows = np.array(rows)
    for output, target in ((rows[:, 0], rows[:, 1]), (rows[:, :2], rows[:, 2:])):
        assert_allclose(in_batches(metrics.MSE(), output, target, cuts), theirs("mean_squared_error", target, output), rtol=1e-9)
        assert_allclose(in_batches(metrics.MAE(), output, target, cuts), theirs("mean_absolute_error", target, output), rtol=1e-9)
        if np.ptp(target, 0).min() > 1e-2:
            assert_allclose(
                in_batches(metrics.R2(), output, target, cuts), theirs("r2_score", target, output), rtol=1e-7, atol=1e-7
            )


@pytest.mark.slow
def test_r2_where_targets_are_all_the_same():
    same = [0.1, 0.1, 0.1]
    for output, expected in ((same, 1.0), ([0.1, 0.1, 0.2], 0.0)):
        assert metrics.r2(output, same) == theirs("r2_score", [1, 1, 1], np.array(output) * 10) == expected
    assert in_batches(metrics.R2(), np.array(same), np.array(same), [1, 2]) == 1
    assert math.isnan(metrics.r2([1.0], [2.0]))


@pytest.mark.slow
def test_r2_of_numbers_far_from_zero():
    rng = np.random.default_rng(0)
    target = 1e8 + rng.normal(size=100)
    output = target + 0.1 * rng.normal(size=100)
    assert_allclose(in_batches(metrics.R2(), output, target, [7, 30]), theirs("r2_score", target, output), rtol=1e-6)


@pytest.mark.slow
def test_perplexity_is_exp_of_the_cross_entropy():
    autograd.manual_seed(0)
    logits, labels = autograd.randn(12, 5, 3, dtype=autograd.float64), autograd.randint(0, 5, (12, 3))
    labels[0] = -100
    expected = F.cross_entropy(logits, labels).exp().item()
    assert_allclose(in_batches(metrics.Perplexity(), logits.array, labels.array, [5, 6]), expected, rtol=1e-12)
    rows, flat = logits.permute(0, 2, 1).reshape(-1, 5)[3:], labels.reshape(-1)[3:]
    assert_allclose(expected, np.exp(theirs("log_loss", flat.array, rows.softmax(1).array, labels=range(5))), rtol=1e-12)
    assert metrics.perplexity(logits * 1e6, labels) == math.inf  # quietly


# ---------------------------------------------------------------- what outputs may be
def test_outputs_are_scores_probabilities_or_labels():
    labels = tensor([0, 1, 1, 0])
    assert metrics.accuracy(tensor([0.1, 0.9, 0.4, 0.5]), labels) == 0.75  # 0.5 is not above 0.5
    assert metrics.accuracy(tensor([-3.0, 2.0, 0.1, 0.3]), labels, threshold=0.0) == 0.75
    assert metrics.accuracy(tensor([[0.6, 0.4], [0.3, 0.7], [9.0, 1.0], [-1.0, -2.0]]), labels) == 0.75
    assert metrics.accuracy(tensor([0, 1, 0, 0]), labels) == 0.75
    assert metrics.accuracy(tensor([False, True, False, False]), labels) == 0.75
    assert metrics.accuracy(tensor([0, 1, 0, 0]), tensor([0.0, 1.0, 1.0, 0.0])) == 0.75  # targets as binary losses want them
    assert metrics.accuracy(tensor([[[0.1, 0.9]], [[0.9, 0.1]]]).permute(1, 0, 2)[0].T, tensor([1, 0])) == 1


def test_classes_are_in_dim_1():
    images = tensor(np.random.default_rng(0).normal(size=(2, 3, 4, 5)))
    found = images.argmax(1)
    assert metrics.accuracy(images, found) == 1
    assert_array_equal(metrics.iou(images, found, average=None).array, 1)
    assert metrics.top_k_accuracy(images, images.argmin(1), k=2) == 0
    assert metrics.top_k_accuracy(images, images.argmin(1), k=3) == 1
    assert metrics.accuracy(tensor([0.1, 0.8, 0.1]), tensor(1)) == 1  # one example, no batch


def test_of_equal_scores_the_first_is_the_highest():
    scores, labels = np.zeros((3, 3)), np.arange(3)
    for k in (1, 2, 3):
        assert metrics.top_k_accuracy(scores, labels, k=k) == k / 3
    assert metrics.top_k_accuracy(scores, labels, k=1) == metrics.accuracy(scores, labels)


def test_what_is_ignored_counts_nowhere():
    labels, found = np.array([0, 1, -1, 1, -1]), np.array([0, 1, 0, 0, 2])
    for name in ("accuracy", "precision", "recall", "f1", "iou", "dice"):
        function = getattr(metrics, name)
        assert function(found, labels, ignore_index=-1) == function(found[[0, 1, 3]], labels[[0, 1, 3]])
    assert_array_equal(metrics.confusion_matrix(found, labels, ignore_index=-1).array, [[1, 0], [1, 1]])
    assert metrics.top_k_accuracy(np.eye(3)[found], labels, k=1, ignore_index=-1) == 2 / 3


def test_nothing_yet_is_nan_without_a_warning():
    for name in (
        "Accuracy", "TopKAccuracy", "ROCAUC", "AveragePrecision", "CalibrationError", "Perplexity", "MSE", "MAE", "R2", "Mean",
        "WordErrorRate", "CharErrorRate",
    ):  # fmt: skip
        assert math.isnan(getattr(metrics, name)().compute())
    assert math.isnan(metrics.F1("macro").compute())
    assert math.isnan(metrics.F1("weighted").compute())
    assert metrics.Precision().compute() == 0  # as 0 / 0 is in any of its scores
    assert metrics.ConfusionMatrix().compute().shape == (0, 0)
    assert metrics.BLEUScore().compute() == 0
    assert all(map(math.isnan, metrics.MeanAveragePrecision().compute().values()))
    assert [line.shape for line in metrics.ROCCurve().compute()] == [(1,)] * 3
    assert [line.shape for line in metrics.PrecisionRecallCurve().compute()] == [(1,), (1,), (0,)]
    assert [line.shape for line in metrics.CalibrationCurve().compute()] == [(0,)] * 2


def test_a_class_that_does_not_occur_is_left_out_of_the_area():
    scores = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.2, 0.2]])
    areas = metrics.roc_auc(scores, [0, 1, 1], average=None).array
    assert_array_equal(np.isnan(areas), [False, False, True])
    assert metrics.roc_auc(scores, [0, 1, 1]) == areas[:2].mean()
    assert math.isnan(metrics.roc_auc([0.1, 0.2], [1, 1]))


def test_gradients_are_no_concern_of_metrics():
    output = autograd.tensor([1.0, 2.0], requires_grad=True)
    assert metrics.mse(output * 1, [1.0, 4.0]) == 2
    assert metrics.accuracy(output * 0.3, [0, 1]) == 1


# ---------------------------------------------------------------- as functions
@pytest.mark.parametrize("name", ["accuracy", "top_k_accuracy", "confusion_matrix", "precision", "recall", "f1", "dice", "iou",
                                  "roc_auc", "average_precision", "roc_curve", "precision_recall_curve", "calibration_curve",
                                  "calibration_error", "perplexity", "mse", "mae", "r2"])  # fmt: skip
def test_functions_are_their_metrics(name):
    function = getattr(metrics, name)
    assert function.__name__ == name == function.metric.name
    assert function.metric.__name__ in function.__doc__
    assert ">>>" not in function.__doc__
    metric = function.metric()
    assert isinstance(metric, metrics.Metric)
    assert metric.best == {"perplexity": "min", "mse": "min", "mae": "min", "calibration_error": "min"}.get(
        name, None if name.endswith(("matrix", "curve")) else "max"
    )
    output = [[0.1, 0.9], [0.8, 0.2]] if name in ("top_k_accuracy", "perplexity") else [0.0, 1.0]
    metric.update(output, [1, 0])
    one, other = function(output, [1, 0]), metric.compute()
    for a, b in zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]:
        assert_array_equal(values(a), values(b))


def test_every_metric_is_a_function_too():
    kinds = {kind for kind in map(metrics.__dict__.get, metrics.__all__) if isinstance(kind, type)} - {
        metrics.Metric,
        metrics.Mean,
    }
    functions = {f for f in map(metrics.__dict__.get, metrics.__all__) if not isinstance(f, type)}
    assert {f.metric for f in functions} == kinds
    assert all(getattr(metrics, kind.name).metric is kind for kind in kinds)


def test_a_metric_of_your_own_says_what_it_lacks():
    for call in ("reset", "compute"):
        with pytest.raises(NotImplementedError, match=call):
            getattr(metrics.Metric(), call)()
    with pytest.raises(NotImplementedError, match="update"):
        metrics.Metric().update(1, 1)


# ---------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ShapeError, r"Accuracy expects scores \(N, C, ...\).*output \(3,\) and target \(2,\)", lambda: metrics.accuracy([1, 2, 3], [1, 2])),
        (ShapeError, "one class only; if it is binary, squeeze dim 1", lambda: metrics.accuracy([[0.3], [0.7]], [0, 1])),
        (ArgumentError, "no probabilities; pass threshold=0.0", lambda: metrics.f1([-1.0, 2.0], [0, 1])),
        (ArgumentError, "no probabilities", lambda: metrics.f1([0.5, math.nan], [0, 1])),
        (DtypeError, "target holds the numbers of classes", lambda: metrics.accuracy([0, 1], [0.5, 1.0])),
        (DtypeError, "target holds the numbers of classes", lambda: metrics.accuracy([0, 1], ["a", "b"])),
        (ArgumentError, "0 or more, got -1 to 1; see ignore_index", lambda: metrics.accuracy([0, 1], [-1, 1])),
        (ArgumentError, "labels in output are 0 to 1, got 0 to 2", lambda: metrics.recall([0, 2], [0, 1], average="macro", num_classes=2)),
        (ArgumentError, "labels in target are 0 to 1", lambda: metrics.confusion_matrix([0, 1], [0, 2], num_classes=2)),
        (ArgumentError, "'binary' is for the classes 0 and 1, got class 2; pass average='macro'", lambda: metrics.precision([0, 1], [0, 2])),
        (ArgumentError, "average must be .* got 'mean'", lambda: metrics.Precision("mean")),
        (ArgumentError, "average must be .* got 'micro'", lambda: metrics.ROCAUC("micro")),
        (ArgumentError, "normalize must be .* got 'rows'", lambda: metrics.ConfusionMatrix(normalize="rows")),
        (ArgumentError, "k is a whole number, 1 or more, got 0", lambda: metrics.TopKAccuracy(0)),
        (ArgumentError, "output holds 1 NaN", lambda: metrics.top_k_accuracy([[0.1, math.nan]], [0])),
        (ArgumentError, "output holds 1 NaN", lambda: metrics.roc_auc([0.1, math.nan], [0, 1])),
        (ArgumentError, "labels in target are 0 to 1, got 0 to 2", lambda: metrics.roc_auc([0.1, 0.2], [0, 2])),
        (ArgumentError, r"do not add up to 1; pass logits=True", lambda: metrics.roc_auc([[1.0, 2.0]], [0])),
        (ArgumentError, "AveragePrecision: average must be .* got 'micro'", lambda: metrics.AveragePrecision("micro")),
        (ShapeError, r"ROCCurve: output has one score for each example, the shape of target, \(1,\), got \(1, 2\)", lambda: metrics.roc_curve([[0.5, 0.5]], [0])),
        (ArgumentError, "PrecisionRecallCurve: output holds 1 NaN", lambda: metrics.precision_recall_curve([math.nan], [0])),
        (ArgumentError, "CalibrationError: output holds 0.5 to 2, no probabilities; pass logits=True", lambda: metrics.calibration_error([0.5, 2.0], [0, 1])),
        (ArgumentError, "CalibrationCurve: n_bins is a whole number, 1 or more, got 0", lambda: metrics.CalibrationCurve(0)),
        (ArgumentError, "norm must be 'l1', 'l2' or 'max', got 'l3'", lambda: metrics.CalibrationError(norm="l3")),
        (ArgumentError, "labels in target are 0 to 1", lambda: metrics.calibration_curve([0.5], [2])),
        (ShapeError, r"MSE: output \(2,\) and target \(2, 1\) must have the same shape", lambda: metrics.mse([1, 2], [[1], [2]])),
        (ShapeError, r"R2: batches are \(N,\) or \(N, ...\)", lambda: metrics.r2(1.0, 1.0)),
    ],
)  # fmt: skip
def test_bad_input_is_refused(error, says, call):
    with pytest.raises(error, match=says):
        call()


def test_batches_that_do_not_go_together():
    area, r2 = metrics.ROCAUC(), metrics.R2()
    area.update([0.1, 0.2], [0, 1])
    with pytest.raises(ShapeError, match="reset"):
        area.update([[0.5, 0.5]], [1])
    r2.update([[1.0, 2.0]], [[1.0, 2.0]])
    with pytest.raises(ShapeError, match="same columns"):
        r2.update([1.0], [1.0])
