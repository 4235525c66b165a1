"""Callbacks: what is to happen in a training run besides training."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, shown
from autograd.files import save

from ..module import Module
from ..optim import lr_scheduler
from .loop import Callback, Loop

__all__ = ["CSVLogger", "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN"]


def value_of(callback: Any, loop: Loop) -> float:
    """What the callback monitors, as it is now."""
    who, name = type(callback).__name__, callback.monitor
    if name not in loop.logs:
        advice = "; pass validation= to fit" * (name.startswith("val_") and not any(n.startswith("val_") for n in loop.logs))
        raise ArgumentError(f"{who} monitors {name!r}, but there is only {', '.join(loop.logs)}{advice}")
    value = loop.logs[name]
    if not isinstance(value, (int, float)):
        raise ArgumentError(f"{who} monitors {name!r}, which is one number, but found {value!r}")
    return float(value)


class _Monitor(Callback):
    """A callback that looks whether something has become better than it ever was."""

    def __init__(self, monitor: str | None, mode: str | None, min_delta: float) -> None:
        if mode not in ("min", "max", None):
            raise ArgumentError(f"{type(self).__name__}: mode must be 'min', 'max' or None, got {mode!r}")
        if not min_delta >= 0:
            raise ArgumentError(f"{type(self).__name__}: min_delta must be 0 or more, got {min_delta!r}")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.best: float | None = None

    def on_fit_begin(self, loop: Loop) -> None:
        """Begin to look."""
        self.best = None
        if self.monitor is not None and self.mode is None:
            self.mode = loop.mode_of(type(self).__name__, self.monitor)

    def better(self, loop: Loop) -> bool:
        """Is it? NaN never is."""
        value, sign = value_of(self, loop), 1 if self.mode == "min" else -1
        if math.isnan(value) or (self.best is not None and not sign * value < sign * self.best - self.min_delta):
            return False
        self.best = value
        return True


class EarlyStopping(_Monitor):
    """Stops when what it monitors has not become better for `patience` epochs in a row.

    Better is lower (mode "min") or higher ("max") by more than `min_delta`; without a mode, losses are to fall, and a metric
    of nn.metrics says itself what is good. With `restore_best` the model has in the end its parameters and buffers from
    the best epoch, `best_epoch`, whether it was stopped or not, unless an exception ended the run. Prechelt 1998.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 10, min_delta: float = 0.0, mode: str | None = None,
        restore_best: bool = True,
    ) -> None:  # fmt: skip
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ArgumentError(f"EarlyStopping: patience is a whole number of epochs, 1 or more, got {patience!r}")
        super().__init__(monitor, mode, min_delta)
        self.patience, self.restore_best = patience, restore_best

    def on_fit_begin(self, loop: Loop) -> None:
        """Begin to count."""
        super().on_fit_begin(loop)
        if self.restore_best and not isinstance(loop.model, Module):
            raise ArgumentError(f"EarlyStopping: restore_best is for a Module, not a {type(loop.model).__name__}; pass False")
        self.waited, self.best_epoch, self.weights = 0, 0, dict[str, Tensor]()

    def on_epoch_end(self, loop: Loop) -> None:
        """Look whether it has become better."""
        if self.better(loop):
            self.waited, self.best_epoch = 0, loop.epoch
            if self.restore_best:
                self.weights = {name: t.detach().clone() for name, t in _weights(loop.model).items()}
            return
        self.waited += 1
        if self.waited >= self.patience:
            best = "it was a number" if self.best is None else f"{self.best:.6g} in epoch {self.best_epoch}"
            loop.stop(f"{self.monitor} has not become better since {best}")

    def on_fit_end(self, loop: Loop, error: BaseException | None) -> None:
        """Restore the best weights."""
        if error is None and self.weights:
            now = _weights(loop.model)
            with no_grad():
                for name, value in self.weights.items():
                    now[name].copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {name: getattr(self, name) for name in ("best", "waited", "best_epoch", "weights")}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        vars(self).update(state_dict)


def _weights(model: Any) -> dict[str, Tensor]:
    """All that a model has learned, by name: its parameters, and its buffers, saved ones or not."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


class ReduceLROnPlateau(Callback):
    """Lowers the learning rate when what it monitors gets no better: the scheduler of this name, told it after each epoch.

    `options` are those of nn.optim.lr_scheduler.ReduceLROnPlateau: factor, patience, threshold, cooldown, min_lr ...
    """

    def __init__(self, monitor: str = "val_loss", mode: str | None = None, **options: Any) -> None:
        self.monitor, self.mode, self.options = monitor, mode, options

    def on_fit_begin(self, loop: Loop) -> None:
        """Make the scheduler."""
        mode = self.mode or loop.mode_of("ReduceLROnPlateau", self.monitor)
        self.scheduler = lr_scheduler.ReduceLROnPlateau(loop.optimizer, mode, **self.options)

    def on_epoch_end(self, loop: Loop) -> None:
        """Tell the scheduler."""
        self.scheduler.step(value_of(self, loop))

    def state_dict(self) -> dict[str, Any]:
        """The state of the scheduler."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.scheduler.load_state_dict(state_dict)


class ModelCheckpoint(_Monitor):
    """Saves the run after each epoch; with `monitor`, when that is better than it ever was.

    `path` may have places for the epoch and what was measured, as in "epoch {epoch:03d}, {val_loss:.3f}.npz"; the suffix
    says how it is saved, as in `nn.save`. The file holds "model", "optimizer" and "scheduler", their state_dicts, and what
    else `fit` needs to go on from it, to the bit, with `resume=path`.
    """

    last = True

    def __init__(
        self, path: str | os.PathLike[str], monitor: str | None = None, mode: str | None = None, min_delta: float = 0.0
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.path = os.fspath(path)

    def on_epoch_end(self, loop: Loop) -> None:
        """Save, if it is time."""
        if self.monitor is None or self.better(loop):
            try:
                path = self.path.format(epoch=loop.epoch, **loop.logs)
            except (KeyError, IndexError, ValueError, TypeError) as error:
                known = ", ".join(["epoch", *loop.logs])
                raise ArgumentError(f"ModelCheckpoint: path {self.path!r} may have {{...}} for {known}; {error!r}") from error
            save(loop.state_dict(), path)

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.best = state_dict["best"]


class CSVLogger(Callback):
    """Writes the history as a table of comma-separated values: a line for each epoch, as soon as it is finished.

    A name that a spreadsheet would compute, such as "=1+1", gets an apostrophe before it; control characters are escaped.
    """

    last = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path

    def on_fit_begin(self, loop: Loop) -> None:
        """Begin a new file."""
        self.begun = False

    def on_epoch_end(self, loop: Loop) -> None:
        """Write a line; at first those of earlier epochs too. The file is open no longer than that."""
        h = loop.history
        with open(self.path, "a" if self.begun else "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            if not self.begun:
                table.writerow(["epoch", *map(_cell, h)])
            for i in range(h.epochs - 1 if self.begun else 0, h.epochs):
                table.writerow([i + 1, *(values[i] for values in h.values())])
        self.begun = True


def _cell(name: str) -> str:
    return "'" * name.startswith(("=", "+", "-", "@")) + shown(name, len(name))


class TerminateOnNaN(Callback):
    """Stops when the loss or a gradient is NaN or infinite, before that gets into the weights.

    The epoch counts as not finished.
    """

    def on_gradients(self, loop: Loop) -> None:
        """Look at the loss and all gradients."""
        where = f"in epoch {loop.epoch}, batch {loop.batch + 1}"
        if not math.isfinite(loop.step_loss):
            loop.stop(f"the loss is {loop.step_loss} {where}")
        elif not all(np.isfinite(p.grad.array).all() for p in loop.parameters if p.grad is not None):
            loop.stop(f"a gradient is not finite {where}")
