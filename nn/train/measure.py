"""Going through batches: evaluate and predict, and what is measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from math import prod
from typing import Any

import numpy as np

from autograd.api.creation import as_tensor
from autograd.api.join import cat
from autograd.api.tree import tree_leaves, tree_map
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from ..functional.loss import averages
from ..metrics import Mean, Metric
from ..mode import in_mode
from ..module import Module
from ..utils.data import Dataset

__all__ = ["evaluate", "predict"]

Metrics = Mapping[str, Any] | Sequence[Any] | None
Batch = tuple[Sequence[Any], Any, int]  # the inputs, the target, and how many examples they are


def evaluate(
    model: Callable[..., Any], loss: Callable[[Any, Any], Any], data: Iterable[Any], *, metrics: Metrics = None
) -> dict[str, Any]:
    """The mean loss over all examples in `data`, and the metrics, by name; arguments as in `fit`.

    The model runs in evaluation mode, without recording a graph, and is left in the mode it was in.
    """
    return evaluated(model, loss, checked("evaluate", "data", data), Meter(metrics))


def predict(model: Callable[..., Any], data: Any) -> Any:
    """The outputs of `model` for all of `data`, as if it were one batch; a target in a batch is not looked at.

    `data` is as in `fit`, or a tensor, which is one batch. Several outputs are put together each. The model runs in
    evaluation mode, without recording a graph, and is left in the mode it was in.
    """
    batches = [as_tensor(data)] if isinstance(data, (Tensor, np.ndarray)) else checked("predict", "data", data)
    with in_mode(model, training=False), no_grad(), closing(batches_of("predict", batches)) as batches:
        outputs = [model(*inputs) for inputs, _, _ in batches]
    if not outputs:
        raise ArgumentError("predict: data gave no batches")
    return tree_map(lambda *parts: cat(parts), *outputs)


# ---------------------------------------------------------------- batches
def checked(who: str, name: str, data: Any) -> Any:
    if not isinstance(data, Iterable) or isinstance(data, (Dataset, Tensor, np.ndarray, tuple, Mapping, str)):
        advice = "pass a DataLoader of it" if isinstance(data, Dataset) else "pass DataLoader(TensorDataset(x, y), batch_size)"
        raise UnsupportedError(f"{who}: {name} gives batches, which a {type(data).__name__} does not; {advice}")
    return data


def split(who: str, batch: Any) -> Batch:
    """The inputs and the target of a batch, and how many examples it has."""
    if isinstance(batch, (tuple, list)) and batch and not hasattr(batch, "_fields"):
        *inputs, target = batch
    elif isinstance(batch, (Tensor, np.ndarray, tuple)) and len(batch):  # a named tuple is one thing, as a PackedSequence
        inputs, target = [], batch
    else:
        advice = "give the DataLoader a collate_fn, or write the loop by hand"
        raise UnsupportedError(f"{who}: a batch is (*inputs, target) or a tensor, not {describe(batch)}; {advice}")
    return inputs or [target], target, _examples(target)


def batches_of(who: str, data: Any) -> Generator[Batch, None, None]:
    """The batches in `data`. To be closed, so that workers that load them end with it, whatever happens."""
    for batch in data:
        yield split(who, batch)


def _examples(target: Any) -> int:
    """How many examples have this target, which may have parts: its length."""
    return prod(next((np.shape(leaf) for leaf in tree_leaves(target)), ())[:1])


def one_number(loss: Any) -> Any:
    if not isinstance(loss, Tensor) or loss.ndim:
        raise ShapeError(f"the loss of a batch is a tensor of one number, got {describe(loss)}; use reduction='mean'")
    return loss


def weighed(loss: Any, output: Any, target: Any, n: int) -> tuple[Any, Any, bool]:
    """What `loss` gives, and what it counts for: what it is the mean over, or as a sum, which is said last, the examples.

    What it counts for is a number, or a Tensor of one.
    """
    with averages() as found:
        value = loss(output, target)
    options = getattr(loss, "keywords", {}) if isinstance(loss, partial) else vars(loss) if isinstance(loss, Module) else {}
    reduction, parts = found[0] if len(found) == 1 else (options.get("reduction"), n)
    return value, n if reduction == "sum" else parts, reduction == "sum"


class Meter:
    """The mean loss and the metrics over the batches of an epoch."""

    def __init__(self, metrics: Metrics) -> None:
        self.loss, self.metrics, self.batches = Mean(), _named(metrics), 0

    def reset(self) -> None:
        self.batches = 0
        for metric in (self.loss, *self.metrics.values()):
            metric.reset()

    def update(self, output: Any, target: Any, loss: float, weight: float, is_sum: bool) -> None:
        self.batches += 1
        if weight:  # the mean over nothing is NaN, and counts for nothing
            self.loss.update(loss / weight if is_sum else loss, weight)
        for metric in self.metrics.values():
            metric.update(output, target)

    def compute(self) -> dict[str, Any]:
        found = {"loss": self.loss.compute()} | {name: metric.compute() for name, metric in self.metrics.items()}
        return {name: _plain(value) for name, value in found.items()}


class _OfFunction(Metric):
    """The mean of a function of output and target, over the examples."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function, self.mean = function, Mean()
        self.name = getattr(function, "__name__", type(function).__name__)

    def reset(self) -> None:
        self.mean.reset()

    def update(self, output: Any, target: Any) -> None:
        value, parts, is_sum = weighed(self.function, output, target, _examples(target))
        if weight := float(parts):
            self.mean.update(float(value) / weight if is_sum else value, weight)

    def compute(self) -> float:
        return self.mean.compute()


def _named(metrics: Metrics) -> dict[str, Metric]:
    """Metrics by name, each an object that is fed batch by batch."""
    found: dict[str, Metric] = {}
    for name, given in metrics.items() if isinstance(metrics, Mapping) else [(None, m) for m in metrics or ()]:
        metric = getattr(given, "metric", given)  # a function of nn.metrics knows what it is a function of
        if isinstance(metric, type) and issubclass(metric, Metric):
            metric = metric()
        if not isinstance(metric, Metric):
            if not callable(metric):
                raise UnsupportedError(f"metrics are those of nn.metrics, or functions of output and target, not {metric!r}")
            metric = _OfFunction(metric)
        name = name or metric.name
        if name in found or name in ("loss", "lr"):
            raise ArgumentError(f"there are two measures called {name!r}; pass a dict that gives each a name")
        found[name] = metric
    return found


def _plain(value: Any) -> Any:
    """A number, or several, as a history keeps them."""
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if not hasattr(value, "shape"):
        return value
    return value.item() if value.shape == () else value.tolist()


def evaluated(model: Any, loss: Any, data: Any, meter: Meter) -> dict[str, Any]:
    meter.reset()
    with in_mode(model, training=False), no_grad(), closing(batches_of("evaluate", data)) as batches:
        for inputs, target, n in batches:
            output = model(*inputs)
            value, parts, is_sum = weighed(loss, output, target, n)
            meter.update(output, target, one_number(value).item(), float(parts), is_sum)
    if not meter.batches:
        raise ArgumentError("evaluate: data gave no examples; a list or a DataLoader can be gone through again, an iterator not")
    return meter.compute()
