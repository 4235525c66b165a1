"""The training loop: fit, evaluate and predict, and Loop, a run of `fit` as its callbacks see it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from autograd.api.creation import as_tensor
from autograd.api.join import cat
from autograd.api.random import default_generator
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError, describe
from autograd.files import load
from autograd.transforms.tree import tree_leaves, tree_map

from ..functional.loss import averages
from ..metrics import Mean, Metric
from ..mode import in_mode
from ..module import Module
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..utils import clip_grad_norm_, clip_grad_value_
from ..utils.data import Dataset
from .callbacks import Callback, History, Progress

__all__ = ["Loop", "evaluate", "fit", "predict"]

Metrics = Mapping[str, Any] | Sequence[Any] | None
Batch = tuple[Sequence[Any], Any, int]  # the inputs, the target, and how many examples they are


def fit(
    model: Callable[..., Any], loss: Callable[[Any, Any], Any], optimizer: Any, data: Iterable[Any], epochs: int = 1, *,
    validation: Iterable[Any] | None = None, metrics: Metrics = None, callbacks: Iterable[Any] = (), scheduler: Any = None,
    schedule: str = "epoch", accumulate: int = 1, clip_norm: float | None = None, clip_value: float | None = None,
    history: History | None = None, resume: str | os.PathLike[str] | None = None, verbose: bool | None = None,
) -> History:  # fmt: skip
    """Train `model` to make `loss(model(*inputs), target)` small over `data`; return what was measured in each epoch.

    `data`, and `validation`, are batches: a DataLoader, or anything else that can be gone through once in each epoch. A batch
    is a tuple or list of inputs and, last, the target; a lone tensor is both, as an autoencoder wants it. The loss is a mean,
    or with `reduction="sum"` a sum. Means count by what they are over, as if all batches were one: a loss of nn.functional says
    so itself, be it labels that are not ignored or weights of classes; any other is over as many examples as the target is long.

    metrics: of nn.metrics, or functions of output and target, whose means are taken; in a list, or by name.
    callbacks: of nn.train, or functions of the Loop, called after each epoch.
    scheduler: of nn.optim.lr_scheduler, told after each `schedule`: "epoch", or "step" of the optimizer.
    accumulate: how many batches make one step, as if they were one batch; at the end of an epoch, what is left.
    clip_norm, clip_value: limits for the gradients of a step, as in nn.utils.clip_grad_norm_ and clip_grad_value_.
    history: one to go on with: training ends when it has `epochs` epochs.
    resume: a file that ModelCheckpoint saved, to go on from: all is then as if the run had never been interrupted.
    verbose: False for silence, True for a line for each epoch; by default a bar, on a terminal with tqdm, or nothing.

    The history has "loss", each metric, the same with "val_" before, and "lr"; what concerns training is measured on the
    way, while the model changes and is in training mode. Whatever happens, the model is in the end in the mode it was in.
    Raises ArgumentError, UnsupportedError or ShapeError.
    """
    for name, value, least in (("epochs", epochs, 0), ("accumulate", accumulate, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ArgumentError(f"fit: {name} is a whole number, {least} or more, got {value!r}")
    for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if limit is not None and not limit > 0:
            raise ArgumentError(f"fit: {name} is a positive number or None, got {limit!r}")
    if schedule not in ("epoch", "step"):
        raise ArgumentError(f"fit: schedule must be 'epoch' or 'step', got {schedule!r}")
    loop = Loop(model, loss, optimizer, data, epochs, validation, metrics, callbacks, scheduler, history, verbose)
    loop.by_step, loop.accumulate, loop.clip_norm, loop.clip_value = schedule == "step", accumulate, clip_norm, clip_value
    loop.run(resume)
    return loop.history


def evaluate(
    model: Callable[..., Any], loss: Callable[[Any, Any], Any], data: Iterable[Any], *, metrics: Metrics = None
) -> dict[str, Any]:
    """The mean loss over all examples in `data`, and the metrics, by name; arguments as in `fit`.

    The model runs in evaluation mode, without recording a graph, and is left in the mode it was in.
    """
    return _evaluate(model, loss, _checked("evaluate", "data", data), _Meter(metrics))


def predict(model: Callable[..., Any], data: Any) -> Any:
    """The outputs of `model` for all of `data`, as if it were one batch; a target in a batch is not looked at.

    `data` is as in `fit`, or a tensor, which is one batch. Several outputs are put together each. The model runs in
    evaluation mode, without recording a graph, and is left in the mode it was in.
    """
    batches = [as_tensor(data)] if isinstance(data, (Tensor, np.ndarray)) else _checked("predict", "data", data)
    with in_mode(model, training=False), no_grad(), closing(_batches("predict", batches)) as batches:
        outputs = [model(*inputs) for inputs, _, _ in batches]
    if not outputs:
        raise ArgumentError("predict: data gave no batches")
    return tree_map(lambda *parts: cat(parts), *outputs)


# ---------------------------------------------------------------- batches
def _checked(who: str, name: str, data: Any) -> Any:
    if not isinstance(data, Iterable) or isinstance(data, (Dataset, Tensor, np.ndarray, tuple, Mapping, str)):
        advice = "pass a DataLoader of it" if isinstance(data, Dataset) else "pass DataLoader(TensorDataset(x, y), batch_size)"
        raise UnsupportedError(f"{who}: {name} gives batches, which a {type(data).__name__} does not; {advice}")
    return data


def _split(who: str, batch: Any) -> Batch:
    """The inputs and the target of a batch, and how many examples it has."""
    if isinstance(batch, (tuple, list)) and batch and not hasattr(batch, "_fields"):
        *inputs, target = batch
    elif isinstance(batch, (Tensor, np.ndarray, tuple)) and len(batch):  # a named tuple is one thing, as a PackedSequence
        inputs, target = [], batch
    else:
        advice = "give the DataLoader a collate_fn, or write the loop by hand"
        raise UnsupportedError(f"{who}: a batch is (*inputs, target) or a tensor, not {describe(batch)}; {advice}")
    return inputs or [target], target, _examples(target)


def _batches(who: str, data: Any) -> Generator[Batch, None, None]:
    """The batches in `data`. To be closed, so that workers that load them end with it, whatever happens."""
    for batch in data:
        yield _split(who, batch)


def _examples(target: Any) -> int:
    """How many examples have this target, which may have parts: its length."""
    return prod(next((np.shape(leaf) for leaf in tree_leaves(target)), ())[:1])


def _one_number(loss: Any) -> Any:
    if not isinstance(loss, Tensor) or loss.ndim:
        raise ShapeError(f"the loss of a batch is a tensor of one number, got {describe(loss)}; use reduction='mean'")
    return loss


def _length(data: Any) -> int | None:
    """How many batches there are, if that is known."""
    try:
        return len(data)
    except TypeError:
        return None


def _detached(output: Any) -> Any:
    return tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, output)


def _weighed(loss: Any, output: Any, target: Any, n: int) -> tuple[Any, float, bool]:
    """What `loss` gives, and what it counts for: what it is the mean over, or as a sum, which is said last, the examples."""
    with averages() as found:
        value = loss(output, target)
    options = getattr(loss, "keywords", {}) if isinstance(loss, partial) else vars(loss) if isinstance(loss, Module) else {}
    reduction, parts = found[0] if len(found) == 1 else (options.get("reduction"), n)
    return value, float(n if reduction == "sum" else parts), reduction == "sum"


class _Meter:
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
        value, weight, is_sum = _weighed(self.function, output, target, _examples(target))
        if weight:
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
    if not hasattr(value, "shape"):
        return value
    return value.item() if value.shape == () else value.tolist()


def _evaluate(model: Any, loss: Any, data: Any, meter: _Meter) -> dict[str, Any]:
    meter.reset()
    with in_mode(model, training=False), no_grad(), closing(_batches("evaluate", data)) as batches:
        for inputs, target, n in batches:
            output = model(*inputs)
            value, weight, is_sum = _weighed(loss, output, target, n)
            meter.update(output, target, _one_number(value).item(), weight, is_sum)
    if not meter.batches:
        raise ArgumentError("evaluate: data gave no examples; a list or a DataLoader can be gone through again, an iterator not")
    return meter.compute()


# ---------------------------------------------------------------- training
class _Stopped(Exception):
    """A callback has stopped the run before a step was taken."""


class Loop:
    """A run of `fit`, as callbacks see it; `Callback` says what it has."""

    by_step, accumulate = False, 1
    clip_norm: float | None = None
    clip_value: float | None = None

    def __init__(
        self, model: Any, loss: Any, optimizer: Any, data: Any, epochs: int, validation: Any, metrics: Metrics,
        callbacks: Iterable[Any], scheduler: Any, history: History | None, verbose: bool | None,
    ) -> None:  # fmt: skip
        self.model, self.loss, self.optimizer, self.scheduler = model, loss, optimizer, scheduler
        self.data, self.epochs = _checked("fit", "data", data), epochs
        self.validation = None if validation is None else _checked("fit", "validation", validation)
        self.meter = _Meter(metrics)
        self.history = History() if history is None else history
        self.callbacks = sorted([*map(_as_callback, callbacks), Progress(verbose)], key=lambda c: c.last)
        self.batches = _length(data)
        self.epoch, self.batch, self.step_loss = self.history.epochs, 0, 0.0
        self.logs: dict[str, Any] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained: the parameters that the optimizer has."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def stop(self, reason: str) -> None:
        """End the run, after what is being done, or in `on_gradients` before the step."""
        self.history.stopped = reason

    def mode_of(self, who: str, monitor: str) -> str:
        """Is it good if what is monitored is high, "max", or low, "min"? Raises ArgumentError if nobody says so."""
        name = monitor.removeprefix("val_")
        best = "min" if name == "loss" else getattr(self.meter.metrics.get(name), "best", None)
        if best is None:
            raise ArgumentError(f"{who}: is {monitor!r} to be high or low? pass mode='max' or mode='min'")
        return best

    def run(self, resume: Any = None) -> None:
        """Train."""
        self.history.stopped = None
        with in_mode(self.model, training=True), ExitStack() as ends:
            for callback in self.callbacks:
                callback.on_fit_begin(self)
                ends.push(lambda _, error, __, callback=callback: callback.on_fit_end(self, error))
            if resume is not None:
                self.load_state_dict(load(resume))
            while self.history.epochs < self.epochs and self.history.stopped is None:
                self._run_epoch()

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _run_epoch(self) -> None:
        self.epoch, self.batch, self.logs = self.history.epochs + 1, 0, {}
        self._tell("on_epoch_begin")
        if not self._train():
            return
        self.logs = self.meter.compute()
        if self.validation is not None:
            found = _evaluate(self.model, self.loss, self.validation, self.meter)
            self.logs |= {f"val_{name}": value for name, value in found.items()}
        self.logs["lr"] = float(self.optimizer.param_groups[0]["lr"])
        if not self.by_step:
            self._schedule()
        self.history.append(self.logs)
        self._tell("on_epoch_end")

    def _train(self) -> bool:
        """Go through the data once; False if a callback put an end to it."""
        if isinstance(self.model, Module):
            self.model.train()  # a callback may have left it otherwise
        self.meter.reset()
        with closing(_batches("fit", self.data)) as batches:
            while group := list(islice(batches, self.accumulate)):
                if not self._step(group):
                    return False
                self.batch += len(group)
                self.logs = {"loss": self.meter.loss.compute()}
                if self.by_step:
                    self._schedule()
                self._tell("on_batch_end")
                if self.history.stopped is not None:
                    return False
        if not self.batch:
            raise ArgumentError("fit: data gave no batches; a list or a DataLoader can be gone through again, an iterator not")
        return True

    def _step(self, group: list[Batch]) -> bool:
        """One step of the optimizer, for some batches as if they were one; False if a callback prevented it.

        What a mean counts for is known when it is there, and what all count for when the last is: until then it is taken
        to be as much, for each example, as it was in the first batch. Where that was wrong the gradients are scaled.
        """
        total, seen = sum(n for _, _, n in group), list[Any]()

        def closure() -> float:  # some optimizers call it several times: what counts for the history is the first
            self.optimizer.zero_grad()
            first, mean, whole, counted = not seen, 0.0, 0.0, 0.0
            for inputs, target, n in group:
                output = self.model(*inputs)
                loss, weight, is_sum = _weighed(self.loss, output, target, n)
                value = _one_number(loss).item()
                if first:
                    seen.append((_detached(output), target, value, weight, is_sum))
                if not weight and len(group) > 1:  # the mean over nothing
                    continue
                whole, counted = whole or weight * (total / n if n else 1), counted + weight
                share = 1 if is_sum or weight == whole else weight / whole
                (loss if share == 1 else loss * share).backward()
                mean += value * share
            if whole and not is_sum and abs(counted - whole) > 1e-12 * whole:
                mean *= whole / counted
                for p in self.parameters:
                    if p.grad is not None:
                        p.grad.mul_(whole / counted)
            if self.clip_norm is not None:
                clip_grad_norm_(self.parameters, self.clip_norm)
            if self.clip_value is not None:
                clip_grad_value_(self.parameters, self.clip_value)
            self.step_loss = mean
            self._tell("on_gradients")
            if self.history.stopped is not None:
                raise _Stopped
            return mean

        try:
            self.optimizer.step(closure)
        except _Stopped:
            return False
        with no_grad():
            for batch in seen:
                self.meter.update(*batch)
        return True

    def _schedule(self) -> None:
        """Tell the scheduler."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(self.logs.get("val_loss", self.logs["loss"]))
        elif self.scheduler is not None:
            self.scheduler.step()

    # ------------------------------------------------------------ saving and going on
    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on, as it is between epochs."""
        return {
            "model": self.model.state_dict() if isinstance(self.model, Module) else None,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "history": dict(self.history),
            "stopped": self.history.stopped,
            "callbacks": [callback.state_dict() for callback in self.callbacks],
            "data": self.data.state_dict() if hasattr(self.data, "state_dict") else None,
            "random": default_generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state. Raises StateError if it was that of another run."""
        if not isinstance(state, Mapping) or not self.state_dict().keys() <= state.keys():
            raise StateError("fit: resume is a file that ModelCheckpoint saved, this one holds something else")
        found, here = len(state["callbacks"]), len(self.callbacks)
        if found != here:
            raise StateError(f"fit: resume needs the same callbacks: that run had {found - 1} of them, this one has {here - 1}")
        if (state["scheduler"] is None) != (self.scheduler is None):
            raise StateError("fit: resume needs the same scheduler, or none if that run had none")
        if isinstance(self.model, Module):
            self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.history.clear()
        self.history.update(state["history"])
        self.history.stopped = state["stopped"]
        for callback, own in zip(self.callbacks, state["callbacks"], strict=True):
            callback.load_state_dict(own)
        if state["data"] is not None:
            self.data.load_state_dict(state["data"])
        default_generator.set_state(state["random"])


class _OfEpoch(Callback):
    """A function as a callback: called after each epoch."""

    def __init__(self, function: Callable[[Loop], Any]) -> None:
        self.function = function

    def on_epoch_end(self, loop: Loop) -> None:
        """Call it."""
        self.function(loop)


def _as_callback(given: Any) -> Callback:
    if isinstance(given, type) or not (isinstance(given, Callback) or callable(given)):
        raise UnsupportedError(f"fit: callbacks are Callbacks, or functions of the Loop, not {describe(given)}")
    return given if isinstance(given, Callback) else _OfEpoch(given)
