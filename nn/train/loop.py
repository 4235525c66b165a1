"""The training loop: fit, and Loop, a run of it as its callbacks see it, with what it is made of: History and Callback."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from html import escape
from importlib import import_module
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple

from autograd.api.random import default_generator
from autograd.api.tree import tree_map
from autograd.compile import compile
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.engine.warn import warn
from autograd.errors import ArgumentError, StateError, UnsupportedError, describe, shown
from autograd.files import load

from .. import plot
from ..mode import in_mode
from ..module import Module
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..optim.optimizer import Optimizer
from ..table import as_html, as_text
from ..unregistered import unregistered
from ..utils import clip_grad_norm_, clip_grad_value_
from .measure import Batch, Meter, Metrics, batches_of, checked, evaluated, one_number, weighed

__all__ = ["Callback", "History", "Loop", "fit"]


def fit(
    model: Callable[..., Any], loss: Callable[[Any, Any], Any], optimizer: Any, data: Iterable[Any], epochs: int = 1, *,
    validation: Iterable[Any] | None = None, metrics: Metrics = None, callbacks: Iterable[Any] = (), scheduler: Any = None,
    schedule: str = "epoch", accumulate: int = 1, clip_norm: float | None = None, clip_value: float | None = None,
    compile: bool = False, history: History | None = None, resume: str | os.PathLike[str] | None = None,
    verbose: bool | None = None,
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
    compile: let each step run as one program, as autograd.compile does; what cannot be compiled stays eager, with a warning.
    history: one to go on with: training ends when it has `epochs` epochs.
    resume: a file that ModelCheckpoint saved, to go on from: all is then as if the run had never been interrupted.
    verbose: False for silence, True for a line for each epoch; by default, on a terminal or in a notebook, a bar, with tqdm.

    The history has "loss", each metric, the same with "val_" before, and "lr"; what concerns training is measured on the
    way, while the model changes and is in training mode. Whatever happens, the model is in the end in the mode it was in.
    An epoch in which no batch had a finite loss is the last; an optimizer of another model is told by a warning. A callback
    that hears `on_gradients` takes the update out of the compiled program.
    Raises ArgumentError, UnsupportedError or ShapeError.
    """
    for name, value, least in (("epochs", epochs, 0), ("accumulate", accumulate, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ArgumentError(f"fit: {name} is a whole number, {least} or more, got {value!r}")
    for name, limit in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if limit is not None and not limit > 0:
            raise ArgumentError(f"fit: {name} is a positive number or None, got {limit!r}")
    if not isinstance(compile, bool):
        raise ArgumentError(f"fit: compile is True or False, got {compile!r}")
    if schedule not in ("epoch", "step"):
        raise ArgumentError(f"fit: schedule must be 'epoch' or 'step', got {schedule!r}")
    loop = Loop(model, loss, optimizer, data, epochs, validation, metrics, callbacks, scheduler, history, verbose)
    loop.by_step, loop.accumulate, loop.clip_norm, loop.clip_value = schedule == "step", accumulate, clip_norm, clip_value
    loop.compile = compile
    loop.run(resume)
    return loop.history


class History(dict[str, list[Any]]):
    """What was measured: a list by name, such as `history["val_loss"]`, with a value for each epoch that was finished.

    `stopped` says why the run ended before its last epoch, None if it did not. `epochs` is how many there are. Its str()
    is a table, and notebooks show one; `plot()` draws it.

    >>> print(History(loss=[0.6931, 0.25], accuracy=[0.5, 1.0]))
    epoch    loss  accuracy
    ───────────────────────
        1  0.6931       0.5
        2    0.25         1
    """

    stopped: str | None = None
    MOST = 40  # epochs that a table shows; of more, those in the middle are left out

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(next(iter(self.values()), ()))

    def append(self, logs: Mapping[str, Any]) -> None:
        """Add an epoch."""
        if self and self.keys() != logs.keys():
            raise ArgumentError(f"this history has {', '.join(self)}, now {', '.join(logs)} are measured; begin a new one")
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves, as nn.plot.history does: needs matplotlib."""
        return plot.history(self, ax)

    def _table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[bool, ...]]:
        """The names, what was measured in each epoch, and where that stands."""
        names = ("epoch", *(shown(name) for name in self))
        rows = [(str(i), *map(_cell, values)) for i, values in enumerate(zip(*self.values(), strict=True), 1)]
        if len(rows) > self.MOST:
            rows[self.MOST // 2 : -(self.MOST // 2)] = [("…",) * len(names)]
        return names, rows, (True,) * len(names)

    def __str__(self) -> str:
        return "\n".join([as_text(*self._table()), *([f"stopped: {self.stopped}"] if self.stopped else [])])

    def _repr_html_(self) -> str:
        """What notebooks show: the same as a table of HTML."""
        return as_html(*self._table()) + (f"<div>stopped: {escape(self.stopped)}</div>" if self.stopped else "")


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shown(str(value))


class Callback:
    """The base of callbacks: a subclass defines the events that it wants to hear of, each a method of the `loop`.

    The loop has `model`, `optimizer`, `scheduler` and `history`; `epoch`, from 1, and `epochs`; `batch`, how many batches of
    this epoch are done, and `batches`, how many there are, or None; `logs`, what was measured in this epoch, by name; and
    `stop(reason)`, which ends the run. A plain function may stand in place of a callback: it is called after each epoch.
    """

    last = False  # is it to hear of events after the others, to see what these have done?

    def on_fit_begin(self, loop: Loop) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, loop: Loop) -> None:
        """Before an epoch."""

    def on_gradients(self, loop: Loop) -> None:
        """When the gradients of `loop.step_loss` are known, before the optimizer takes its step; stop() prevents that."""

    def on_batch_end(self, loop: Loop) -> None:
        """After a step of the optimizer; `logs` has the mean loss so far."""

    def on_epoch_end(self, loop: Loop) -> None:
        """After an epoch and its validation; `logs` has all that was measured."""

    def on_fit_end(self, loop: Loop, error: BaseException | None) -> None:
        """In the end, whatever happened: `error` is what ended the run, None if it came to its end."""

    def state_dict(self) -> dict[str, Any]:
        """What it has to know to go on after a restart: saved by ModelCheckpoint."""
        return {}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved state."""


class Progress(Callback):
    """Shows how far training is: on a terminal or in a notebook, with tqdm, a bar for each epoch; else a line, or nothing."""

    last = True
    bar_format = "{desc} |{bar:16}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"

    def __init__(self, verbose: bool | None) -> None:
        self.verbose, self.bar, self.tqdm = verbose, None, None

    def on_fit_begin(self, loop: Loop) -> None:
        """Look for tqdm, if there is somebody to see it."""
        notebook = _in_notebook()
        if self.verbose is not False and (notebook or (sys.stdout is not None and sys.stdout.isatty())):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # tqdm's, of a notebook without widgets, where the bar is of text
                    self.tqdm = import_module("tqdm.auto" if notebook else "tqdm").tqdm
            except ImportError:
                self.verbose = self.verbose or notebook  # in lines, then
                return
            self.bar_format = self.bar_format.replace(":16", "" if notebook else ":16")  # there it is as wide as the page

    def on_epoch_begin(self, loop: Loop) -> None:
        """Begin a bar."""
        if self.tqdm is not None:
            name = f"epoch {loop.epoch:{len(str(loop.epochs))}}/{loop.epochs}"
            self.bar = self.tqdm(desc=name, total=loop.batches, bar_format=self.bar_format, file=sys.stdout, dynamic_ncols=True)

    def on_batch_end(self, loop: Loop) -> None:
        """Move the bar on."""
        if self.bar is not None:
            self.bar.set_postfix_str(_as_text(loop.logs), refresh=False)
            self.bar.update(loop.batch - self.bar.n)

    def on_epoch_end(self, loop: Loop) -> None:
        """Say what was measured."""
        if self.bar is not None:
            self.bar.set_postfix_str(_as_text(loop.logs))
            self._close()
        elif self.verbose:
            print(f"epoch {loop.epoch}/{loop.epochs}: {_as_text(loop.logs)}", flush=True)

    def on_fit_end(self, loop: Loop, error: BaseException | None) -> None:
        """Leave the terminal in order, and say why training has stopped."""
        self._close()
        if loop.history.stopped and (self.verbose or self.tqdm is not None):
            print(f"stopped: {loop.history.stopped}", flush=True)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return "IPKernelApp" in getattr(shell, "config", ())


def _as_text(logs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in logs.items() if isinstance(value, float))


# ---------------------------------------------------------------- training
class _Stopped(Exception):
    """A callback has stopped the run before a step was taken."""


class Of(NamedTuple):
    """What is measured of a batch in a step: its loss, what that counts for, and its share in the loss of the step, if any."""

    output: Any
    loss: Any
    weight: Any
    is_sum: bool
    share: float | None


def _gradients(
    model: Any, loss: Any, parameters: list[Tensor], limits: tuple[float | None, float | None], metrics: bool, group: list[Batch]
) -> tuple[list[Of], float]:
    """Leave the gradients of some batches on the parameters, as if they were one; what they give, and a factor of all losses.

    What a mean counts for is known when it is there, and what all count for when the last is: until then it is taken
    to be as much, for each example, as it was in the first batch. Where that was wrong the gradients are scaled.
    """
    found, total, whole, counted, scale = list[Of](), sum(n for _, _, n in group), 0.0, 0.0, 1.0
    for inputs, target, n in group:
        output = model(*inputs)
        value, weight, is_sum = weighed(loss, output, target, n)
        share: float | None = 1.0
        if len(group) > 1:
            weight = float(weight)
            whole, counted = whole or weight * (total / n if n else 1), counted + weight
            share = None if not weight else 1.0 if is_sum or weight == whole else weight / whole  # the mean over nothing has none
        if share is not None:
            (one_number(value) if share == 1 else one_number(value) * share).backward()
        found.append(Of(detached(output) if metrics else None, one_number(value).detach(), weight, is_sum, share))
    if whole and not found[-1].is_sum and abs(counted - whole) > 1e-12 * whole:
        scale = whole / counted
        for p in parameters:
            if p.grad is not None:
                p.grad.mul_(scale)
    norm, limit = limits
    if norm is not None:
        clip_grad_norm_(parameters, norm)
    if limit is not None:
        clip_grad_value_(parameters, limit)
    return found, scale


def _updated(model: Any, loss: Any, optimizer: Any, limits: Any, metrics: bool, wanted: bool, group: list[Batch]) -> Any:
    """And make the step; the same, and the gradients, which a compiled step uses up, if they are wanted."""
    optimizer.zero_grad()
    found = _gradients(model, loss, parameters := _parameters(optimizer), limits, metrics, group)
    optimizer.step()
    return found, [p.grad for p in parameters] if wanted else []


def _parameters(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


class Loop:
    """A run of `fit`, as callbacks see it; `Callback` says what it has."""

    by_step, accumulate, compile = False, 1, False
    finite = False  # was the loss of a batch of this epoch?
    clip_norm: float | None = None
    clip_value: float | None = None
    _whole = False  # is the update of the parameters part of what is computed in each step?
    _work: Any  # that
    _trained: list[int] | None = None  # the ids of what is trained by it

    def __init__(
        self, model: Any, loss: Any, optimizer: Any, data: Any, epochs: int, validation: Any, metrics: Metrics,
        callbacks: Iterable[Any], scheduler: Any, history: History | None, verbose: bool | None,
    ) -> None:  # fmt: skip
        self.model, self.loss, self.optimizer, self.scheduler = model, loss, optimizer, scheduler
        self.data, self.epochs = checked("fit", "data", data), epochs
        self.validation = None if validation is None else checked("fit", "validation", validation)
        self.meter = Meter(metrics)
        self.history = History() if history is None else history
        self.callbacks = sorted([*map(_as_callback, callbacks), Progress(verbose)], key=lambda c: c.last)
        self.batches = _length(data)
        self.epoch, self.batch, self.step_loss = self.history.epochs, 0, 0.0
        self.logs: dict[str, Any] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained: the parameters that the optimizer has."""
        return _parameters(self.optimizer)

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
            self._look_at_the_optimizer()
            if resume is not None:
                self.load_state_dict(load(resume))
            while self.history.epochs < self.epochs and self.history.stopped is None:
                self._run_epoch()

    def _look_at_the_optimizer(self) -> None:
        """Warn if it trains another model; and let its first step look for what of this one was forgotten."""
        modules = [m for m in (self.model, self.loss) if isinstance(m, Module)]
        beside = [u for m in modules for u in unregistered(m)]
        learning = [p for m in modules for p in m.parameters() if p.requires_grad] + [t for u in beside for t in u.leaves]
        if learning and isinstance(self.model, Module) and not {*learning} & {*self.parameters}:
            what = f"the optimizer has none of the parameters of {type(self.model).__name__}, which will not learn"
            warn(f"fit: {what}; make it of model.parameters()")
        elif isinstance(self.optimizer, Optimizer):
            self.optimizer._beside = beside

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _run_epoch(self) -> None:
        self.epoch, self.batch, self.logs = self.history.epochs + 1, 0, {}
        self._tell("on_epoch_begin")
        self.finite = False
        if not self._train():
            return
        self.logs = self.meter.compute()
        if self.validation is not None:
            found = evaluated(self.model, self.loss, self.validation, self.meter)
            self.logs |= {f"val_{name}": value for name, value in found.items()}
        self.logs["lr"] = float(self.optimizer.param_groups[0]["lr"])
        if not self.by_step:
            self._schedule()
        self.history.append(self.logs)
        self._tell("on_epoch_end")
        if not self.finite and self.history.stopped is None:
            self.stop(f"the loss was {self.step_loss} in every batch of epoch {self.epoch}")
            warn(f"fit: {self.history.stopped}, so training ends; a smaller lr, clip_norm, or TerminateOnNaN may help")

    def _train(self) -> bool:
        """Go through the data once; False if a callback put an end to it."""
        if isinstance(self.model, Module):
            self.model.train()  # a callback may have left it otherwise
        self.meter.reset()
        with closing(batches_of("fit", self.data)) as batches:
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
        """One step of the optimizer, for some batches as if they were one; False if a callback prevented it."""
        seen: list[Of] = []

        def closure() -> float:  # some optimizers call it several times: what counts for the history is the first
            self.optimizer.zero_grad()
            return self._measured(self._work(group), seen)

        if self._trained != [*map(id, parameters := self.parameters)]:  # at the beginning, or after a callback
            self._lay_out(parameters)
        if self._whole:
            found, grads = self._work(group)
            self._measured(found, seen)
            for p, grad in zip(parameters, grads, strict=False):
                p.grad = grad
        else:
            try:
                self.optimizer.step(closure)
            except _Stopped:
                return False
        with no_grad():
            for of, (_, target, _) in zip(seen, group, strict=True):
                self.meter.update(of.output, target, of.loss, of.weight, of.is_sum)
        return True

    def _measured(self, found: tuple[list[Of], float], seen: list[Of]) -> float:
        """The loss of a step, when its gradients are known."""
        ofs = [of._replace(loss=of.loss.item(), weight=float(of.weight)) for of in found[0]]
        mean = sum([of.loss * of.share for of in ofs if of.share is not None]) * found[1]
        seen.extend(ofs[len(seen) :])
        self.step_loss, self.finite = mean, self.finite or isfinite(mean)
        if not self._whole:
            self._tell("on_gradients")
            if self.history.stopped is not None:
                raise _Stopped
        return mean

    def _lay_out(self, parameters: list[Tensor]) -> None:
        """Say what is computed in each step, and whether the update is part of it: not if somebody looks at gradients before."""
        self._trained = [*map(id, parameters)]
        hears = [c for c in self.callbacks if getattr(c.on_gradients, "__func__", None) is not Callback.on_gradients]
        self._whole = self.compile and not hears and getattr(type(self.optimizer), "step", None) is Optimizer.step
        options = (self.clip_norm, self.clip_value), bool(self.meter.metrics)
        if self._whole:
            self._work = partial(_updated, self.model, self.loss, self.optimizer, *options, len(self.callbacks) > 1)
        else:
            self._work = partial(_gradients, self.model, self.loss, parameters, *options)
        if self.compile:
            self._work = compile(self._work)

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


def _length(data: Any) -> int | None:
    """How many batches there are, if that is known."""
    try:
        return len(data)
    except TypeError:
        return None


def detached(output: Any) -> Any:
    return tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, output)


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
