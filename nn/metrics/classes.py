"""How many examples got the right class, and the scores of classes that follow from that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError

from .metric import Mean, Metric, array_of, as_function, check_labels, ratio, rows_of, whole

__all__ = [
    "F1", "Accuracy", "ConfusionMatrix", "Dice", "IoU", "Precision", "Recall", "TopKAccuracy", "accuracy", "confusion_matrix",
    "dice", "f1", "iou", "precision", "recall", "top_k_accuracy",
]  # fmt: skip

AVERAGES = ("binary", "macro", "micro", "weighted", None)


class _Classes(Metric):
    """What compares the classes that outputs stand for with the targets."""

    best: str | None = "max"

    def __init__(self, threshold: float | None = None, ignore_index: int | None = None) -> None:
        self.threshold, self.ignore_index = threshold, ignore_index
        self.reset()

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch. Raises ShapeError, DtypeError or ArgumentError."""
        op, out, labels = type(self).__name__, array_of(output), array_of(target)
        if out.shape != labels.shape:
            scores, labels = rows_of(op, out, labels)
            found = scores.argmax(1)
        elif out.dtype.kind == "f":
            found, labels = self._above(op, out).reshape(-1).astype(np.int64), whole(op, "target", labels).reshape(-1)
        else:
            found, labels = (whole(op, n, v).reshape(-1) for n, v in (("output", out), ("target", labels)))
        if self.ignore_index is not None:
            found, labels = (v[labels != self.ignore_index] for v in (found, labels))
        check_labels(op, "target", labels, None)
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
        scores, labels = rows_of("TopKAccuracy", output, target)
        if self.ignore_index is not None:
            scores, labels = (v[labels != self.ignore_index] for v in (scores, labels))
        check_labels("TopKAccuracy", "target", labels, scores.shape[1])
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
            check_labels("ConfusionMatrix", name, values, self.num_classes)
        n = max(len(self.counts), 1 + max(found.max(initial=-1), labels.max(initial=-1)))
        self.counts = np.pad(self.counts, (0, n - len(self.counts)))
        self.counts += np.bincount(labels * n + found, minlength=n * n).reshape(n, n)

    def compute(self) -> Tensor:
        """The matrix of all examples so far."""
        if self.normalize is None:
            return wrap(self.counts.copy())
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        whole = self.counts.sum(axis=axis, keepdims=True)
        return wrap(ratio(self.counts, np.broadcast_to(whole, self.counts.shape)))


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
            check_labels(op, name, values, classes)
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
            return float(ratio((scores * counts[2]).sum(), counts[2].sum())) if scores.size else math.nan
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
        return ratio(right, found)


class Recall(_PerClass):
    """Of the examples of a class, the share that were taken for it.

    >>> recall([1, 0, 0, 1], [1, 1, 0, 1])
    0.6666666666666666
    """

    name = "recall"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return ratio(right, there)


class F1(_PerClass):
    """The harmonic mean of precision and recall.

    >>> f1([1, 0, 0, 1], [1, 1, 0, 1])
    0.8
    """

    name = "f1"

    @staticmethod
    def _score(right: Any, found: Any, there: Any) -> Any:
        return ratio(2 * right, found + there)


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
        return ratio(right, found + there - right)


accuracy = as_function(Accuracy)
top_k_accuracy = as_function(TopKAccuracy)
confusion_matrix = as_function(ConfusionMatrix)
precision = as_function(Precision)
recall = as_function(Recall)
f1 = as_function(F1)
dice = as_function(Dice)
iou = as_function(IoU)
