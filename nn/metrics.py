"""How good outputs are: measures that are fed batch by batch, and the same as functions of one batch.

A metric is an object: `update(output, target)` takes in a batch, `compute()` says the value of all since `reset()`. What
it says is exact, however the examples were cut into batches. `accuracy(output, target)` is `Accuracy` of one batch, and
so on; the options of the class are those of the function. Values are Python floats, or Tensors where there are several.

Outputs and targets are Tensors or arrays. Where a metric is about classes, `target` holds their numbers, from 0, and
`output` is one of three: scores, floats with the classes in dim 1 as in PyTorch's losses, of which the largest counts;
probabilities of class 1, floats of the shape of target, which count as 1 above `threshold`; or labels, integers of the
shape of target. Targets that are `ignore_index` are left out.

Precision, Recall, F1, IoU and Dice give each class a score, and average these as scikit-learn does. `average` is "binary":
the score of class 1, where there are only 0 and 1; "micro": of all classes as if one; "macro": the mean over classes;
"weighted": that mean weighted by how often they are there; None: the scores themselves. The classes are all below
`num_classes`, or else those that occur, in outputs or targets. A score that would be 0 / 0 is 0.

>>> import autograd, nn
>>> metric = nn.metrics.Accuracy()
>>> metric.update(autograd.tensor([[0.1, 0.9], [0.8, 0.2]]), autograd.tensor([1, 1]))
>>> metric.update(autograd.tensor([[0.3, 0.7]]), autograd.tensor([1]))
>>> metric.compute(), nn.metrics.accuracy([0, 1, 1], [0, 1, 0])
(0.6666666666666666, 0.6666666666666666)
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from autograd.engine.accumulate import widened
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, DtypeError, ShapeError

__all__ = [
    "F1", "MAE", "MSE", "R2", "ROCAUC", "Accuracy", "ConfusionMatrix", "Dice", "IoU", "Mean", "Metric", "Perplexity",
    "Precision", "Recall", "TopKAccuracy", "accuracy", "confusion_matrix", "dice", "f1", "iou", "mae", "mse", "perplexity",
    "precision", "r2", "recall", "roc_auc", "top_k_accuracy",
]  # fmt: skip

AVERAGES = ("binary", "macro", "micro", "weighted", None)


class Metric:
    """The base of all metrics: a subclass defines `reset`, `update` and `compute`, and may have a name."""

    name = "metric"  # what it is called in a history
    best: str | None = None  # "max" or "min": which values are good ones

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to begin: define reset")

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to take in a batch: define update")

    def compute(self) -> Any:
        """The value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it has found: define compute")


def _function(kind: type[Metric]) -> Any:
    """A metric as a function of one batch."""

    def of(output: Any, target: Any, **options: Any) -> Any:
        metric = kind(**options)
        metric.update(output, target)
        return metric.compute()

    both = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("output", "target")]
    options = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(kind).parameters.values()]
    of.__name__ = of.__qualname__ = kind.name
    of.__signature__ = inspect.Signature([*both, *options])  # type: ignore[attr-defined]
    of.__doc__ = f"`{kind.__name__}` of one batch. {(kind.__doc__ or '').split('>>>')[0].rstrip()}"
    of.metric = kind  # type: ignore[attr-defined]  # for nn.train, which feeds it batch by batch
    return of


def _ratio(part: Any, whole: Any) -> Any:
    """part / whole, 0 where there is nothing to divide."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)


def _array(value: Any) -> Any:
    return widened(value.array if isinstance(value, Tensor) else np.asarray(value))


class Mean(Metric):
    """The mean of numbers, each counted `n` times: `update(value, n)`. NaN if there are none.

    >>> mean = Mean()
    >>> mean.update(1.0, 3)
    >>> mean.update(5.0)
    >>> mean.compute()
    2.0
    """

    name = "mean"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all numbers."""
        self.total, self.count = 0.0, 0.0

    def update(self, value: Any, n: Any = 1) -> None:
        """Count `value` n times."""
        self.total += float(value.item() if hasattr(value, "item") else value) * n
        self.count += n

    def compute(self) -> float:
        """The mean."""
        return self.total / self.count if self.count else math.nan


# ---------------------------------------------------------------- classes: how many are right
def _whole(op: str, name: str, values: Any) -> Any:
    """Labels as integers: floats will do if they are whole numbers, as the targets of binary losses are."""
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind != "f" or not np.array_equal(values, np.floor(values)):
        raise DtypeError(f"{op}: {name} holds the numbers of classes, got {values.dtype} {values.shape} with other values")
    return values.astype(np.int64)


def _scores(op: str, output: Any, target: Any) -> tuple[Any, Any]:
    """Scores as rows, one for each example with one for each class, and the labels."""
    scores, labels = _array(output), _array(target)
    axis = min(1, labels.ndim)
    if scores.ndim != labels.ndim + 1 or (*scores.shape[:axis], *scores.shape[axis + 1 :]) != labels.shape:
        what = "scores (N, C, ...) for target (N, ...)"
        raise ShapeError(f"{op} expects {what}, got output {scores.shape} and target {labels.shape}")
    if scores.shape[axis] < 2:
        raise ShapeError(f"{op}: output {scores.shape} has scores of one class only; if it is binary, squeeze dim {axis}")
    if np.isnan(scores).any():
        raise ArgumentError(f"{op}: output holds {np.isnan(scores).sum()} NaN, which have no place among other scores")
    return np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis]), _whole(op, "target", labels).reshape(-1)


def _check_labels(op: str, name: str, labels: Any, classes: int | None) -> None:
    if labels.size and (labels.min() < 0 or (classes is not None and labels.max() >= classes)):
        known = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise ArgumentError(f"{op}: the labels in {name} are {known}, got {labels.min()} to {labels.max()}; see ignore_index")


class _Classes(Metric):
    """What compares the classes that outputs stand for with the targets."""

    best: str | None = "max"

    def __init__(self, threshold: float | None = None, ignore_index: int | None = None) -> None:
        self.threshold, self.ignore_index = threshold, ignore_index
        self.reset()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch. Raises ShapeError, DtypeError or ArgumentError."""
        op, out, labels = type(self).__name__, _array(output), _array(target)
        if out.shape != labels.shape:
            scores, labels = _scores(op, out, labels)
            found = scores.argmax(1)
        elif out.dtype.kind == "f":
            found, labels = self._above(op, out).reshape(-1).astype(np.int64), _whole(op, "target", labels).reshape(-1)
        else:
            found, labels = (_whole(op, n, v).reshape(-1) for n, v in (("output", out), ("target", labels)))
        if self.ignore_index is not None:
            found, labels = (v[labels != self.ignore_index] for v in (found, labels))
        _check_labels(op, "target", labels, None)
        self._count(found, labels)

    def _above(self, op: str, values: Any) -> Any:
        """Which of them stand for class 1?"""
        if self.threshold is not None:
            return values > self.threshold
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            what = f"output, of the shape of target, holds {values.min():.4g} to {values.max():.4g}, which are no probabilities"
            raise ArgumentError(f"{op}: {what}; pass threshold=0.0 if they are logits, or integers if they are labels")
        return values > 0.5

    def _count(self, found: Any, labels: Any) -> None:
        raise NotImplementedError


class Accuracy(_Classes):
    """The share of examples whose class is right."""

    name = "accuracy"

    def reset(self) -> None:
        """Forget all batches."""
        self.mean = Mean()

    def _count(self, found: Any, labels: Any) -> None:
        self.mean.total += int(np.count_nonzero(found == labels))
        self.mean.count += labels.size

    def compute(self) -> float:
        """The share of all examples so far; NaN if there are none."""
        return self.mean.compute()


class TopKAccuracy(Metric):
    """The share of examples whose class is among the `k` with the highest scores. Of equal scores the first are higher.

    >>> scores = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
    >>> top_k_accuracy(scores, [1, 2], k=2), top_k_accuracy(scores, [1, 2], k=3)
    (0.5, 1.0)
    """

    name, best = "top_k_accuracy", "max"

    def __init__(self, k: int = 5, ignore_index: int | None = None) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ArgumentError(f"TopKAccuracy: k is a whole number, 1 or more, got {k!r}")
        self.k, self.ignore_index = k, ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.mean = Mean()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of scores. Raises ShapeError, DtypeError or ArgumentError."""
        scores, labels = _scores("TopKAccuracy", output, target)
        if self.ignore_index is not None:
            scores, labels = (v[labels != self.ignore_index] for v in (scores, labels))
        _check_labels("TopKAccuracy", "target", labels, scores.shape[1])
        own = scores[np.arange(len(labels)), labels][:, None]
        earlier = np.arange(scores.shape[1]) < labels[:, None]
        ahead = ((scores > own) | ((scores == own) & earlier)).sum(1)
        self.mean.total += int(np.count_nonzero(ahead < self.k))
        self.mean.count += labels.size

    def compute(self) -> float:
        """The share of all examples so far; NaN if there are none."""
        return self.mean.compute()


class ConfusionMatrix(_Classes):
    """How often class i, a row, was taken for class j, a column: a matrix of int64.

    There are `num_classes` of them, or as many as have been seen. With `normalize`, floats: each row is divided by its
    sum ("true"), each column by its own ("pred"), or each number by the sum of all ("all").

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 1, 1]])
    """

    name, best = "confusion_matrix", None

    def __init__(
        self, num_classes: int | None = None, normalize: str | None = None, threshold: float | None = None,
        ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        if normalize not in (None, "true", "pred", "all"):
            raise ArgumentError(f"ConfusionMatrix: normalize must be 'true', 'pred', 'all' or None, got {normalize!r}")
        self.num_classes, self.normalize = num_classes, normalize
        super().__init__(threshold, ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        n = self.num_classes or 0
        self.counts = np.zeros((n, n), np.int64)

    def _count(self, found: Any, labels: Any) -> None:
        for name, values in (("output", found), ("target", labels)):
            _check_labels("ConfusionMatrix", name, values, self.num_classes)
        n = max(len(self.counts), 1 + max(found.max(initial=-1), labels.max(initial=-1)))
        self.counts = np.pad(self.counts, (0, n - len(self.counts)))
        self.counts += np.bincount(labels * n + found, minlength=n * n).reshape(n, n)

    def compute(self) -> Tensor:
        """The matrix of all examples so far."""
        if self.normalize is None:
            return wrap(self.counts.copy())
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        whole = self.counts.sum(axis=axis, keepdims=True)
        return wrap(_ratio(self.counts, np.broadcast_to(whole, self.counts.shape)))


class _PerClass(_Classes):
    """A score of each class, by how often it was right, how often it was found, and how often it is there; averaged."""

    def __init__(
        self, average: str | None = "binary", num_classes: int | None = None, threshold: float | None = None,
        ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        if average not in AVERAGES:
            known = "'binary', 'macro', 'micro', 'weighted' or None"
            raise ArgumentError(f"{type(self).__name__}: average must be {known}, got {average!r}")
        self.average, self.num_classes = average, num_classes
        super().__init__(threshold, ignore_index)

    def reset(self) -> None:
        """Forget all batches."""
        self.counts = np.zeros((3, self.num_classes or 2), np.int64)  # of each class: right, found, there

    def _count(self, found: Any, labels: Any) -> None:
        op, classes = type(self).__name__, self.num_classes
        most = max(found.max(initial=0), labels.max(initial=0))
        if self.average == "binary" and most > 1:
            known = "average='macro', 'micro', 'weighted' or None"
            raise ArgumentError(f"{op}: average='binary' is for the classes 0 and 1, got class {most}; pass {known}")
        for name, values in (("output", found), ("target", labels)):
            _check_labels(op, name, values, classes)
        n = max(self.counts.shape[1], most + 1)
        counts = [np.bincount(v, minlength=n) for v in (labels[found == labels], found, labels)]
        self.counts = np.pad(self.counts, ((0, 0), (0, n - self.counts.shape[1]))) + counts

    def compute(self) -> Any:
        """The score, or with `average=None` those of the classes; NaN if there is nothing to average."""
        if self.average == "binary":
            return float(self._score(*self.counts)[1])
        counts = self.counts if self.num_classes else self.counts[:, (self.counts[1] + self.counts[2]) > 0]
        if self.average == "micro":
            return float(self._score(*counts.sum(1)))
        scores = self._score(*counts)
        if self.average is None:
            return wrap(scores)
        if self.average == "weighted":
            return float(_ratio((scores * counts[2]).sum(), counts[2].sum())) if scores.size else math.nan
        return float(scores.mean()) if scores.size else math.nan

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        raise NotImplementedError


class Precision(_PerClass):
    """Of the examples that were taken for a class, the share that are of it.

    >>> precision([1, 1, 0, 1], [1, 0, 0, 1]), precision([0, 2, 2], [0, 1, 2], average="macro")
    (0.6666666666666666, 0.5)
    """

    name = "precision"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return _ratio(right, found)


class Recall(_PerClass):
    """Of the examples of a class, the share that were taken for it.

    >>> recall([1, 0, 0, 1], [1, 1, 0, 1])
    0.6666666666666666
    """

    name = "recall"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return _ratio(right, there)


class F1(_PerClass):
    """The harmonic mean of precision and recall.

    >>> f1([1, 0, 0, 1], [1, 1, 0, 1])
    0.8
    """

    name = "f1"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return _ratio(2 * right, found + there)


class Dice(F1):
    """Twice the overlap of what was found and what is there, over the sizes of both: another name for F1, used of images.

    >>> dice([[0, 1], [1, 1]], [[0, 0], [1, 1]])
    0.8
    """

    name = "dice"


class IoU(_PerClass):
    """Intersection over union: the overlap of what was found and what is there, over what is either (the Jaccard index).

    >>> iou([[0, 1], [1, 1]], [[0, 0], [1, 1]])
    0.6666666666666666
    """

    name = "iou"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return _ratio(right, found + there - right)


# ---------------------------------------------------------------- classes: how well scores tell them apart
class ROCAUC(Metric):
    """The area under the receiver operating characteristic: how probably an example of a class scores higher than another.

    A tie counts as half. With scores of the shape of target, the classes are 0 and 1, and scores may be any numbers. With
    more classes, in dim 1 of output, each is compared with all the rest: scores are then compared between examples, and
    so are probabilities that add up to 1; of `logits` the softmax is taken first. `average` is "macro", "weighted" by how
    often the classes are there, or None. A class with no examples, or nothing else, has the area NaN, and is left out of
    averages. All scores are kept until `compute`. Fawcett 2006; scikit-learn's roc_auc_score with multi_class="ovr".

    >>> roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """

    name, best = "roc_auc", "max"

    def __init__(self, average: str | None = "macro", logits: bool = False) -> None:
        if average not in ("macro", "weighted", None):
            raise ArgumentError(f"ROCAUC: average must be 'macro', 'weighted' or None, got {average!r}")
        self.average, self.logits = average, logits
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.scores: list[Any] = []
        self.labels: list[Any] = []

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of scores. Raises ShapeError, DtypeError or ArgumentError."""
        scores, labels = _array(output), _array(target)
        if binary := scores.shape == labels.shape:
            scores, labels = scores.reshape(-1), _whole("ROCAUC", "target", labels).reshape(-1)
            if np.isnan(scores).any():
                raise ArgumentError(f"ROCAUC: output holds {np.isnan(scores).sum()} NaN, which have no place among other scores")
        else:
            scores, labels = _scores("ROCAUC", scores, labels)
            if self.logits:
                scores = np.exp(_log_softmax(scores))
            elif len(scores) and not np.allclose(scores.sum(1), 1, atol=1e-3):
                raise ArgumentError(
                    "ROCAUC: the scores of an example do not add up to 1; pass logits=True, or softmax(1) of them"
                )
        _check_labels("ROCAUC", "target", labels, 2 if binary else scores.shape[1])
        if self.scores and self.scores[0].shape[1:] != scores.shape[1:]:
            raise ShapeError(f"ROCAUC: there were scores {self.scores[0].shape} before, and now {scores.shape}; reset() first")
        self.scores.append(scores)
        self.labels.append(labels)

    def compute(self) -> Any:
        """The area, or with `average=None` that of each class."""
        if not self.scores:
            return math.nan
        scores, labels = np.concatenate(self.scores), np.concatenate(self.labels)
        if scores.ndim == 1:
            return _area(scores, labels == 1)
        areas = np.array([_area(column, labels == i) for i, column in enumerate(scores.T)])
        if self.average is None:
            return wrap(areas)
        known = ~np.isnan(areas)
        weights = np.bincount(labels, minlength=len(areas)) if self.average == "weighted" else np.ones(len(areas))
        return float(np.average(areas[known], weights=weights[known])) if known.any() else math.nan


def _area(scores: Any, positive: Any) -> float:
    """The share of pairs, one of them positive and one not, that are in order: by the sum of ranks (Mann and Whitney 1947)."""
    some, others = int(positive.sum()), int((~positive).sum())
    if not some or not others:
        return math.nan
    _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(ties) - (ties - 1) / 2  # the mean of those that share a score
    return float((ranks[place][positive].sum() - some * (some + 1) / 2) / (some * others))


def _log_softmax(scores: Any) -> Any:
    scores = scores.astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


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
        scores, labels = _scores("Perplexity", output, target)
        scores, labels = (v[labels != self.ignore_index] for v in (scores, labels))
        _check_labels("Perplexity", "target", labels, scores.shape[1])
        self.mean.total -= float(_log_softmax(scores)[np.arange(len(labels)), labels].sum())
        self.mean.count += labels.size

    def compute(self) -> float:
        """The perplexity of all examples so far; NaN if there are none."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.mean.compute()))


# ---------------------------------------------------------------- numbers
def _pair(op: str, output: Any, target: Any) -> tuple[Any, Any]:
    out, wanted = _array(output), _array(target)
    if out.shape != wanted.shape:
        what = "must have the same shape, as broadcasting would compare every element with many others; reshape one of them"
        raise ShapeError(f"{op}: output {out.shape} and target {wanted.shape} {what}")
    return out.astype(np.float64), wanted.astype(np.float64)


class MSE(Metric):
    """The mean of (output - target)**2 over all elements.

    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    name, best = "mse", "min"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.mean = Mean()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of numbers. Raises ShapeError."""
        out, wanted = _pair(type(self).__name__, output, target)
        self.mean.total += float(self._error(out - wanted).sum())
        self.mean.count += out.size

    def compute(self) -> float:
        """The mean over all batches so far; NaN if there are none."""
        return self.mean.compute()

    @staticmethod
    def _error(difference: Any) -> Any:
        return difference * difference


class MAE(MSE):
    """The mean of |output - target| over all elements.

    >>> mae([1.0, 2.0], [1.0, 4.0])
    1.0
    """

    name = "mae"

    @staticmethod
    def _error(difference: Any) -> Any:
        return np.abs(difference)


class R2(Metric):
    """The coefficient of determination: 1 - sum((output - target)**2) / sum((target - mean(target))**2).

    1 is perfect, 0 no better than the mean. Of several columns it is the mean of theirs. Where targets are all the same
    it is 1 if the outputs are right, else 0; with fewer than two examples it is NaN.

    >>> r2([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0])
    0.9486081370449679
    """

    name, best = "r2", "max"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self.count = 0
        self.mean: Any = 0.0  # these of each column
        self.spread: Any = 0.0
        self.error: Any = 0.0

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of numbers, (N,) or (N, ...). Raises ShapeError."""
        out, wanted = _pair("R2", output, target)
        if not out.ndim or (self.count and np.shape(self.mean) != (math.prod(out.shape[1:]),)):
            raise ShapeError(f"R2: batches are (N,) or (N, ...), with the same columns each time; got {out.shape}")
        n = len(out)
        if not n:
            return
        out, wanted = out.reshape(n, -1), wanted.reshape(n, -1)
        first = wanted[0]
        mean = first + (wanted - first).mean(0)  # of equal numbers it is that number, to the bit
        total = self.count + n  # two means and spreads make one: Chan, Golub and LeVeque 1979
        step = mean - (self.mean if self.count else mean)
        self.spread = self.spread + ((wanted - mean) ** 2).sum(0) + step * step * (self.count * n / total)
        self.mean, self.count = mean - step * (self.count / total), total
        self.error = self.error + ((out - wanted) ** 2).sum(0)

    def compute(self) -> float:
        """The coefficient for all examples so far."""
        if self.count < 2:
            return math.nan
        error, spread = np.asarray(self.error), np.asarray(self.spread)
        return float(np.where(spread == 0, error == 0, 1 - _ratio(error, spread)).mean())


# ---------------------------------------------------------------- as functions
accuracy = _function(Accuracy)
top_k_accuracy = _function(TopKAccuracy)
confusion_matrix = _function(ConfusionMatrix)
precision = _function(Precision)
recall = _function(Recall)
f1 = _function(F1)
dice = _function(Dice)
iou = _function(IoU)
roc_auc = _function(ROCAUC)
perplexity = _function(Perplexity)
mse = _function(MSE)
mae = _function(MAE)
r2 = _function(R2)
