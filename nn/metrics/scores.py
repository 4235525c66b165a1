"""How well scores tell classes apart, and whether probabilities mean what they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, ShapeError

from .metric import Mean, Metric, array_of, as_function, check_labels, log_softmax, rows_of, whole

__all__ = [
    "ROCAUC", "AveragePrecision", "CalibrationCurve", "CalibrationError", "Perplexity", "PrecisionRecallCurve", "ROCCurve",
    "average_precision", "calibration_curve", "calibration_error", "perplexity", "precision_recall_curve", "roc_auc", "roc_curve",
]  # fmt: skip


def _check_numbers(op: str, scores: Any) -> None:
    if np.isnan(scores).any():
        raise ArgumentError(f"{op}: output holds {np.isnan(scores).sum()} NaN, which have no place among other scores")


# ---------------------------------------------------------------- in which order scores put the examples
class _Ordered(Metric):
    """What depends on the order of all examples by their scores, which are kept until `compute`."""

    logits = False

    def reset(self) -> None:
        """Forget all batches."""
        self.scores: list[Any] = []
        self.labels: list[Any] = []

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of scores. Raises ShapeError, DtypeError or ArgumentError."""
        op, scores, labels = type(self).__name__, array_of(output), array_of(target)
        if binary := scores.shape == labels.shape:
            scores, labels = scores.reshape(-1), whole(op, "target", labels).reshape(-1)
            _check_numbers(op, scores)
        else:
            scores, labels = rows_of(op, scores, labels)
            if self.logits:
                scores = np.exp(log_softmax(scores))
            elif len(scores) and not np.allclose(scores.sum(1), 1, atol=1e-3):
                raise ArgumentError(f"{op}: the scores of an example do not add up to 1; pass logits=True, or softmax(1) of them")
        check_labels(op, "target", labels, 2 if binary else scores.shape[1])
        if self.scores and self.scores[0].shape[1:] != scores.shape[1:]:
            raise ShapeError(f"{op}: there were scores {self.scores[0].shape} before, and now {scores.shape}; reset() first")
        self.scores.append(scores)
        self.labels.append(labels)

    def _all(self) -> tuple[Any, Any]:
        """All scores and labels so far."""
        return tuple(np.concatenate(v) if v else np.zeros(0) for v in (self.scores, self.labels))  # type: ignore[return-value]


class _OneNumber(_Ordered):
    """A number that says how well the examples of a class are told from all others; of several classes, the mean of theirs."""

    best = "max"

    def __init__(self, average: str | None = "macro", logits: bool = False) -> None:
        if average not in ("macro", "weighted", None):
            raise ArgumentError(f"{type(self).__name__}: average must be 'macro', 'weighted' or None, got {average!r}")
        self.average, self.logits = average, logits
        self.reset()

    def compute(self) -> Any:
        """The number, or with `average=None` that of each class."""
        scores, labels = self._all()
        if scores.ndim == 1:
            return self._of(scores, labels == 1)
        each = np.array([self._of(column, labels == i) for i, column in enumerate(scores.T)])
        if self.average is None:
            return wrap(each)
        known = ~np.isnan(each)
        weights = np.bincount(labels, minlength=len(each)) if self.average == "weighted" else np.ones(len(each))
        return float(np.average(each[known], weights=weights[known])) if known.any() else math.nan

    @staticmethod
    def _of(scores: Any, positive: Any) -> float:
        raise NotImplementedError


class ROCAUC(_OneNumber):
    """The area under the receiver operating characteristic: how probably an example of a class scores higher than another.

    A tie counts as half. With scores of the shape of target, the classes are 0 and 1, and scores may be any numbers. With
    more classes, in dim 1 of output, each is compared with all the rest: scores are then compared between examples, and
    so are probabilities that add up to 1; of `logits` the softmax is taken first. `average` is "macro", "weighted" by how
    often the classes are there, or None. A class with no examples, or nothing else, has the area NaN, and is left out of
    averages. All scores are kept until `compute`. Fawcett 2006; scikit-learn's roc_auc_score with multi_class="ovr".

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """

    name = "roc_auc"

    @staticmethod
    def _of(scores: Any, positive: Any) -> float:
        """The share of pairs, one of them positive and one not, that are in order: by ranks (Mann and Whitney 1947)."""
        some, others = int(positive.sum()), int((~positive).sum())
        if not some or not others:
            return math.nan
        _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
        ranks = np.cumsum(ties) - (ties - 1) / 2  # the mean of those that share a score
        return float((ranks[place][positive].sum() - some * (some + 1) / 2) / (some * others))


class AveragePrecision(_OneNumber):
    """The mean of the precision at each example of a class, if all that score as high as it are taken for that class.

    It is the area under the curve of precision over recall, by steps, not trapezoids. Outputs, `average` and `logits` are
    as for ROCAUC; a class with no examples has NaN. All scores are kept until `compute`. Scikit-learn's
    average_precision_score.

    >>> average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.8333333333333333
    """

    name = "average_precision"

    @staticmethod
    def _of(scores: Any, positive: Any) -> float:
        _, right, wrong = _counts(scores, positive)
        return float((np.diff(right, prepend=0) * right / (right + wrong)).sum() / right[-1]) if positive.any() else math.nan


def _counts(scores: Any, positive: Any) -> tuple[Any, Any, Any]:
    """The distinct scores, the highest first, and how many examples that are positive, and others, have as much or more."""
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.flatnonzero(scores != np.append(scores[1:], math.nan))  # of those that share a score
    right = np.cumsum(positive)[last]
    return scores[last], right, last + 1 - right


class _Curve(_Ordered):
    """What follows for each threshold: of one class, as a picture has one line for each."""

    def __init__(self) -> None:
        self.reset()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of scores, of the shape of target. Raises ShapeError, DtypeError or ArgumentError."""
        scores, labels = array_of(output), array_of(target)
        if scores.shape != labels.shape:
            what = f"target, {labels.shape}, got {scores.shape}; of class i of several, pass output[:, i] and target == i"
            raise ShapeError(f"{type(self).__name__}: output has one score for each example, the shape of {what}")
        super().update(scores, labels)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three, as Tensors of float64."""
        scores, labels = self._all()
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
            return tuple(map(wrap, self._of(*_counts(scores, labels == 1))))  # type: ignore[return-value]

    @staticmethod
    def _of(thresholds: Any, right: Any, wrong: Any) -> tuple[Any, Any, Any]:
        raise NotImplementedError


class ROCCurve(_Curve):
    """The receiver operating characteristic: what share of others, and of examples of class 1, score at least a threshold.

    Three tensors: false positive rates, true positive rates, and the thresholds, the distinct scores from the highest, before
    which infinity stands, that none reaches. A share of no examples is NaN. Fawcett 2006; scikit-learn's roc_curve with
    drop_intermediate=False.

    >>> fpr, tpr, thresholds = roc_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> fpr.tolist(), tpr.tolist(), thresholds.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0], [inf, 0.8, 0.4, 0.35, 0.1])
    """

    name = "roc_curve"

    @staticmethod
    def _of(thresholds: Any, right: Any, wrong: Any) -> tuple[Any, Any, Any]:
        right, wrong = np.append(0, right), np.append(0, wrong)
        return wrong / wrong[-1], right / right[-1], np.append(math.inf, thresholds)


class PrecisionRecallCurve(_Curve):
    """Precision and recall of class 1 for each threshold, if all that score as much or more are taken for it.

    Three tensors: precisions and recalls, which end with 1 and 0, where nothing is taken, and the thresholds, the distinct
    scores from the lowest. With no examples of class 1 the recall is NaN. Scikit-learn's precision_recall_curve.

    >>> precision, recall, thresholds = precision_recall_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> precision, recall.tolist(), thresholds.tolist()
    (tensor([0.5000, 0.6667, 0.5000, 1.0000, 1.0000], dtype=float64), [1.0, 1.0, 0.5, 0.5, 0.0], [0.1, 0.35, 0.4, 0.8])
    """

    name = "precision_recall_curve"

    @staticmethod
    def _of(thresholds: Any, right: Any, wrong: Any) -> tuple[Any, Any, Any]:
        recall = right / right[-1:]
        return np.append((right / (right + wrong))[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1].copy()


# ---------------------------------------------------------------- whether probabilities mean what they say
class _Bins(Metric):
    """How often what is given the probability p happens: examples are counted in equal bins of p.

    Of scores of the shape of target, the probabilities of class 1, it is class 1 that happens; of those of several classes,
    in dim 1 of output, that the class with the largest is right, whose probability is the confidence. Of `logits` the
    softmax is taken first, or the sigmoid.
    """

    def __init__(self, n_bins: int, logits: bool) -> None:
        if isinstance(n_bins, bool) or not isinstance(n_bins, int) or n_bins < 1:
            raise ArgumentError(f"{type(self).__name__}: n_bins is a whole number, 1 or more, got {n_bins!r}")
        self.n_bins, self.logits = n_bins, logits
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.sums = np.zeros((3, self.n_bins))  # in each bin: examples, what happened, probabilities

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of probabilities. Raises ShapeError, DtypeError or ArgumentError."""
        op, p, labels = type(self).__name__, array_of(output), array_of(target)
        if p.shape == labels.shape:
            p, labels = p.reshape(-1).astype(np.float64), whole(op, "target", labels).reshape(-1)
            _check_numbers(op, p)
            check_labels(op, "target", labels, 2)
            p, happened = np.exp(-np.logaddexp(0, -p)) if self.logits else p, labels
        else:
            rows, labels = rows_of(op, p, labels)
            check_labels(op, "target", labels, rows.shape[1])
            p, happened = (np.exp(log_softmax(rows)) if self.logits else rows).max(1), rows.argmax(1) == labels
        if p.size and not (p.min() >= 0 and p.max() <= 1):
            raise ArgumentError(f"{op}: output holds {p.min():.4g} to {p.max():.4g}, no probabilities; pass logits=True")
        place = np.searchsorted(np.linspace(0, 1, self.n_bins + 1)[1:-1], p)
        self.sums += [np.bincount(place, weights, self.n_bins) for weights in (np.ones(len(p)), happened, p)]


class CalibrationCurve(_Bins):
    """How often it happens, and its mean probability, for each of `n_bins` equal bins of the probability that has examples.

    Outputs are probabilities: of class 1, of the shape of target, or of several classes in dim 1, the largest of which is
    the confidence that the class is right. Of `logits` the sigmoid or softmax is taken first. If the model is calibrated both
    tensors are alike. DeGroot and Fienberg 1983; scikit-learn's calibration_curve.

    >>> calibration_curve([0.1, 0.3, 0.35, 0.9, 0.95], [0, 0, 1, 1, 1], n_bins=2)
    (tensor([0.3333, 1.0000], dtype=float64), tensor([0.2500, 0.9250], dtype=float64))
    """

    name = "calibration_curve"

    def __init__(self, n_bins: int = 5, logits: bool = False) -> None:
        super().__init__(n_bins, logits)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Both, as Tensors of float64."""
        count, happened, p = self.sums[:, self.sums[0] > 0]
        return wrap(happened / count), wrap(p / count)


class CalibrationError(_Bins):
    """How far probabilities are from how often it happens: the expected calibration error, 0 at best.

    Examples are put into `n_bins` equal bins by their probability; in each the two differ by so much. `norm` is "l1", the
    mean over all examples, "l2", the root of the mean square, or "max", the largest. Outputs as for CalibrationCurve.
    Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017.

    >>> round(calibration_error([0.1, 0.3, 0.35, 0.9, 0.95], [0, 0, 1, 1, 1], n_bins=2), 4)
    0.08
    """

    name, best = "calibration_error", "min"

    def __init__(self, n_bins: int = 15, norm: str = "l1", logits: bool = False) -> None:
        if norm not in ("l1", "l2", "max"):
            raise ArgumentError(f"CalibrationError: norm must be 'l1', 'l2' or 'max', got {norm!r}")
        self.norm = norm
        super().__init__(n_bins, logits)

    def compute(self) -> float:
        """The error for all examples so far; NaN if there are none."""
        count, happened, p = self.sums[:, self.sums[0] > 0]
        if not count.size:
            return math.nan
        away, share = np.abs(happened - p) / count, count / count.sum()
        if self.norm == "max":
            return float(away.max())
        return float(share @ away if self.norm == "l1" else np.sqrt(share @ away**2))


class Perplexity(Metric):
    """exp of the mean cross-entropy: between how many classes, as if equally probable, the model wavers.

    Outputs are logits (N, C, ...), targets (N, ...). Jelinek et al. 1977.

    >>> perplexity([[0.0, 0.0, 0.0, 0.0]], [2])
    4.0
    """

    name, best = "perplexity", "min"

    def __init__(self, ignore_index: int = -100) -> None:
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.mean = Mean()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of logits. Raises ShapeError, DtypeError or ArgumentError."""
        scores, labels = rows_of("Perplexity", output, target)
        scores, labels = (v[labels != self.ignore_index] for v in (scores, labels))
        check_labels("Perplexity", "target", labels, scores.shape[1])
        self.mean.total -= float(log_softmax(scores)[np.arange(len(labels)), labels].sum())
        self.mean.count += labels.size

    def compute(self) -> float:
        """The perplexity of all examples so far; NaN if there are none."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.mean.compute()))


roc_auc = as_function(ROCAUC)
average_precision = as_function(AveragePrecision)
roc_curve = as_function(ROCCurve)
precision_recall_curve = as_function(PrecisionRecallCurve)
calibration_curve = as_function(CalibrationCurve)
calibration_error = as_function(CalibrationError)
perplexity = as_function(Perplexity)
