"""Callbacks that write a run down for other programs while it goes on: lines of JSON, and TensorBoard's event files."""

from __future__ import annotations

import json
import math
import os
from typing import Any

from autograd.errors import MissingError

from ..module import Module
from .loop import Callback, Loop

__all__ = ["JSONLogger", "TensorBoard"]


class JSONLogger(Callback):
    """Writes a line of JSON for each epoch, as soon as it is finished: {"epoch": 1, "loss": 0.5, ...}.

    Also what a table has no place for, such as a matrix. NaN and infinite numbers, which JSON lacks, are null. A run that goes
    on with a history writes its earlier epochs first.

    >>> from nn.train import fit
    >>> logger = JSONLogger("run.jsonl")  # fit(net, loss, optimizer, batches, epochs=50, callbacks=[logger])
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
        with open(self.path, "a" if self.begun else "w", encoding="utf-8") as file:
            for i in range(h.epochs - 1 if self.begun else 0, h.epochs):
                line = {"epoch": i + 1} | {name: _finite(values[i]) for name, values in h.items()}
                file.write(json.dumps(line, default=str, allow_nan=False) + "\n")
        self.begun = True


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class TensorBoard(Callback):
    """Writes what is measured as event files that TensorBoard shows: `tensorboard --logdir runs`.

    Training and validation stand in one chart, as "loss/train" and "loss/validation"; "lr" too. With `histograms`, each
    parameter and its gradients, those of the epoch's last batch, are shown as distributions; `every` is how many epochs lie
    between two of them. The files are written by tensorboardX, which needs neither PyTorch nor TensorFlow: pip install
    'chainrule[tensorboard]'. `folder` is that of one run; beside others, as in "runs/wide", they are compared. Raises
    MissingError without tensorboardX.

    >>> from nn.train import fit
    >>> board = TensorBoard("runs/first")  # fit(net, loss, optimizer, batches, epochs=50, callbacks=[board])
    """

    last = True

    def __init__(self, folder: str | os.PathLike[str] = "runs", histograms: bool = False, every: int = 1) -> None:
        self.folder, self.histograms, self.every = os.fspath(folder), histograms, every

    def on_fit_begin(self, loop: Loop) -> None:
        """Open an event file."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingError("TensorBoard needs tensorboardX; pip install 'chainrule[tensorboard]'") from error
        self.writer = SummaryWriter(self.folder)

    def on_epoch_end(self, loop: Loop) -> None:
        """Write what was measured, each single number."""
        for name, value in loop.logs.items():
            if isinstance(value, (int, float)):
                chart = name.removeprefix("val_") + ("/validation" if name.startswith("val_") else "/train")
                self.writer.add_scalar("lr" if name == "lr" else chart, value, loop.epoch)
        if self.histograms and loop.epoch % self.every == 0 and isinstance(loop.model, Module):
            for name, p in loop.model.named_parameters():
                for what, values in ((name, p), (f"{name}.grad", p.grad)):
                    if values is not None:
                        self.writer.add_histogram(what, values.detach().numpy(), loop.epoch)
        self.writer.flush()

    def on_fit_end(self, loop: Loop, error: BaseException | None) -> None:
        """Close the event file."""
        self.writer.close()
