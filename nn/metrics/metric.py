"""What all metrics are made of: their base, means, a metric as a function, and what is asked of outputs and labels."""

from __future__ import annotations

import inspect
import math
from copy import copy
from typing import Any

import numpy as np

from autograd.distributed.collective import all_gather_object
from autograd.distributed.group import get_world_size, is_initialized
from autograd.engine.accumulate import widened
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError

__all__ = ["Mean", "Metric"]


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

    def merge(self, other: Any) -> None:
        """Take in what another metric of the same kind and options has seen."""
        fresh = copy(self)
        fresh.reset()
        for name, start in vars(fresh).items():
            if not _same(start, theirs := vars(other)[name]):  # so it is no option
                setattr(self, name, _together(getattr(self, name), theirs))

    def synced(self, group: Any = None) -> Metric:
        """A metric that has seen the batches of all processes: all call `metric.synced().compute()`. See `distributed`."""
        result, everyone = copy(self), [self] * get_world_size(group)
        result.reset()
        if is_initialized():
            all_gather_object(everyone, self, group)
        for metric in everyone:
            result.merge(metric)
        return result


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Metric):
        return _same(vars(a), vars(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return np.array_equal(a, b)


def _together(a: Any, b: Any) -> Any:
    """Two states of a metric as one: numbers and arrays added, the smaller array with zeros around; lists joined."""
    if isinstance(a, Metric):
        both = copy(a)
        both.merge(b)
        return both
    if isinstance(a, dict):
        return a | {k: _together(a[k], v) if k in a else v for k, v in b.items()}
    if isinstance(a, np.ndarray):
        shape = np.maximum(a.shape, b.shape)
        a, b = (np.pad(v, [(0, n - m) for n, m in zip(shape, v.shape, strict=True)]) for v in (a, b))
    return a + b


def as_function(kind: type[Metric]) -> Any:
    """A metric as a function of one batch."""

    def of(output: Any, target: Any, **options: Any) -> Any:
        metric = kind(**options)
        metric.update(output, target)
        return metric.compute()

    both = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("output", "target")]
    options = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(kind).parameters.values()]
    of.__name__ = of.__qualname__ = kind.name
    of.__module__ = kind.__module__
    of.__signature__ = inspect.Signature([*both, *options])  # type: ignore[attr-defined]
    of.__doc__ = f"`{kind.__name__}` of one batch. {(kind.__doc__ or '').split('>>>')[0].rstrip()}"
    of.metric = kind  # type: ignore[attr-defined]  # for nn.train, which feeds it batch by batch
    return of


def ratio(part: Any, whole: Any) -> Any:
    """part / whole, 0 where there is nothing to divide."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) != 0)


def array_of(value: Any) -> Any:
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


# ---------------------------------------------------------------- outputs and labels
def whole(op: str, name: str, values: Any) -> Any:
    """Labels as integers: floats will do if they are whole numbers, as the targets of binary losses are."""
    if values.dtype.kind in "iub":
        return values.astype(np.int64)
    if values.dtype.kind != "f" or not np.array_equal(values, np.floor(values)):
        raise DtypeError(f"{op}: {name} holds the numbers of classes, got {values.dtype} {values.shape} with other values")
    return values.astype(np.int64)


def rows_of(op: str, output: Any, target: Any) -> tuple[Any, Any]:
    """Scores as rows, one for each example with one for each class, and the labels."""
    scores, labels = array_of(output), array_of(target)
    axis = min(1, labels.ndim)
    if scores.ndim != labels.ndim + 1 or (*scores.shape[:axis], *scores.shape[axis + 1 :]) != labels.shape:
        what = "scores (N, C, ...) for target (N, ...)"
        raise ShapeError(f"{op} expects {what}, got output {scores.shape} and target {labels.shape}")
    if scores.shape[axis] < 2:
        raise ShapeError(f"{op}: output {scores.shape} has scores of one class only; if it is binary, squeeze dim {axis}")
    if np.isnan(scores).any():
        raise ArgumentError(f"{op}: output holds {np.isnan(scores).sum()} NaN, which have no place among other scores")
    return np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis]), whole(op, "target", labels).reshape(-1)


def check_labels(op: str, name: str, labels: Any, classes: int | None) -> None:
    if labels.size and (labels.min() < 0 or (classes is not None and labels.max() >= classes)):
        known = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise ArgumentError(f"{op}: the labels in {name} are {known}, got {labels.min()} to {labels.max()}; see ignore_index")


def log_softmax(scores: Any) -> Any:
    scores = scores.astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))
