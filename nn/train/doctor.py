"""doctor: a few steps of training, examined and undone; the learning-rate range test; and the callback that looks at fit."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from html import escape
from itertools import accumulate
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np

from autograd.api.random import default_generator
from autograd.engine.grad_mode import enable_grad, no_grad
from autograd.engine.graph import Node, ancestors, mode, write
from autograd.engine.tensor import Tensor
from autograd.engine.warn import warn
from autograd.errors import ArgumentError, AutogradError, GraphError, UnsupportedError, shown

from .. import plot
from ..mode import in_mode
from ..module import Module, clear
from ..parameter import is_lazy
from ..table import as_html
from ..unregistered import unregistered
from .examination import CHECKS, Finding, examine
from .loop import Callback, Loop
from .measure import one_number, split
from .record import Record

__all__ = ["Doctor", "Finding", "Rates", "Report", "lr_range_test"]


def doctor(
    model: Module, batch: Any, loss: Callable[[Any, Any], Any], optimizer: Any = None, *, steps: int = 5, range_test: bool = True
) -> Report:  # fmt: skip
    """Look for the usual mistakes in a model that is to be trained: take `steps` on one batch, examine them, undo them.

    `batch` and `loss` are as in nn.train.fit: inputs and, last, the target, and a function of output and target. With an
    `optimizer`, that is looked at too, and so is its learning rate, by `nn.train.lr_range_test` unless `range_test` is False.
    Without one, only the gradients of a single step are.

    What is looked for: parameters that have no gradient, are in no optimizer, or never change; layers in plain lists; an
    optimizer of another model; dropout and batch normalization in the wrong mode, and dropout that eval() does not end;
    softmax before cross-entropy, labels that are no classes or broadcast against the output, a first loss far above
    log(classes); dead and saturated units; gradients that vanish or explode; a learning rate far too high or low; NaN and
    Inf, and where they began. An error of this library on the way is a finding; others are raised.

    The model runs in the mode that it is in. In the end its parameters, buffers, gradients, modes and attributes, the
    optimizer and the random generators are as they were, to the bit, whatever happened; only lists and dicts of its own that a
    forward fills stay filled. The findings can be looked at one by one in the Report. Raises ArgumentError or UnsupportedError.

    >>> import autograd, nn
    >>> x = autograd.randn(64, 10)
    >>> net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1))
    >>> report = nn.doctor(net, (x, x[:, :3].argmax(1)), nn.CrossEntropyLoss(), nn.optim.Adam(net.parameters(), lr=0.01))
    >>> print(report)
    1 finding in 5 steps of Sequential
    <BLANKLINE>
    not logits, 3 (Softmax)
        cross_entropy was given what comes out of softmax at 3 (Softmax); it takes logits
        -> leave that out: cross_entropy has softmax in it
    >>> nn.doctor(net[:3], (x, x[:, :3].argmax(1)), nn.CrossEntropyLoss()).ok
    True
    """
    inputs, target, _ = split("doctor", batch)
    _check("doctor", model, *[optimizer] * (optimizer is not None))
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ArgumentError(f"doctor: steps is a whole number, 1 or more, got {steps!r}")
    with untouched(model, loss, optimizer) as leaves, warnings.catch_warnings(record=True) as told, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        run = _Steps(model, loss, optimizer, inputs, target, leaves)
        record = Record(model, run.optimizer, loss)
        record.target = target
        try:
            with record:
                for _ in range(steps if optimizer is not None else 1):
                    record.losses.append(run.step())
                with in_mode(model, training=False), no_grad():
                    model(*inputs)
        except AutogradError as error:
            record.error = error
        record.warnings = [str(w.message) for w in told]
    if record.error is None and optimizer is not None and range_test and _rate(optimizer) is not None:
        record.rates = lr_range_test(model, batch, loss, optimizer)
    return Report(record)


class Report:
    """What the doctor found: its str() is to be read, and notebooks show it.

    `findings` are those; each has `problem`, `where`, `what`, `value`, a number that says how bad it is, and `advice`. `ok`:
    is there none? `rates` is the range test, if there was one, whose `plot()` draws it.
    """

    def __init__(self, record: Record) -> None:
        self.findings = examine(record)
        self.rates: Rates | None = record.rates
        steps = max(record.steps, len(record.losses))
        self._title = f"{steps} step{'s' * (steps != 1)} of {shown(type(record.model).__name__)}"

    @property
    def ok(self) -> bool:
        """Was nothing found?"""
        return not self.findings

    def _heading(self) -> str:
        n = len(self.findings)
        return f"{n} finding{'s' * (n != 1)} in {self._title}" if n else f"nothing found in {self._title} by {len(CHECKS)} checks"

    def __str__(self) -> str:
        lines = [self._heading()]
        for f in self.findings:
            lines += ["", f"{f.problem}, {shown(f.where, 200)}"]
            for lead, text in (("    ", f.what), ("    -> ", f.advice)):
                lines += wrap(shown(text, 2000), 100, initial_indent=lead, subsequent_indent=" " * len(lead))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """What notebooks show: a table of HTML."""
        rows = [(f.problem, f.where, f.what, f.advice) for f in self.findings]
        table = as_html(("problem", "where", "what was seen", "what to do"), rows, (False,) * 4) if rows else ""
        return f"<div>{escape(self._heading())}</div>{table}"


# ---------------------------------------------------------------- the range test
class Rates(NamedTuple):
    """A range test: the loss before a step with `lrs[i]` is `losses[i]`, that after it the next; `lr` is the optimizer's own.

    `fastest` is the rate whose step brought the loss furthest below all before, `limit` the first that left it above what it was
    in the beginning, or None, and `suggestion` a rate to begin with: the first, but at most a tenth of the second.
    """

    lrs: list[float]
    losses: list[float]
    lr: float

    @property
    def fastest(self) -> float | None:
        """The rate with which the loss fell most."""
        falls = [least - after for least, after in zip(accumulate(self.losses, min), self.losses[1:], strict=False)]
        most = max(falls, default=0.0)
        return self.lrs[falls.index(most)] if most > 0 else None

    @property
    def limit(self) -> float | None:
        """The first rate, beyond that of the least loss, that was too high."""
        first, least = self.losses[0], self.losses.index(min(self.losses))
        beyond = zip(self.lrs[least:], self.losses[least + 1 :], strict=False)
        return next((lr for lr, after in beyond if not after <= first + 0.1 * abs(first)), None)

    @property
    def suggestion(self) -> float | None:
        """A rate to begin with."""
        return self.fastest if self.fastest is None or self.limit is None else min(self.fastest, self.limit / 10)

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss over the learning rate: where it fell fastest, what was too high, and the optimizer's own rate.

        Losses far above the first are cut off. Returns the Axes of matplotlib; raises MissingError without that.
        """
        return plot.lr_range(self, ax)


def lr_range_test(
    model: Module, batch: Any, loss: Callable[[Any, Any], Any], optimizer: Any, *,
    low: float = 1e-7, high: float = 100.0, steps: int = 46,
) -> Rates:  # fmt: skip
    """The loss of one batch while the learning rate grows from `low` to `high`, by the same factor in each of `steps`.

    It ends early when the loss is far above where it was. The rates of several groups keep their ratios. All is left as it
    was, as by `doctor`. Smith 2017, where it is over many batches.

    >>> import autograd, nn
    >>> x, net = autograd.randn(64, 4), nn.Linear(4, 1)
    >>> rates = lr_range_test(net, (x, x.sum(1, keepdim=True)), nn.MSELoss(), nn.optim.SGD(net.parameters(), lr=0.1))
    >>> 0.01 < rates.suggestion < 1 < rates.limit
    True
    """
    inputs, target, _ = split("lr_range_test", batch)
    _check("lr_range_test", model, optimizer)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise ArgumentError(f"lr_range_test: steps is a whole number, 2 or more, got {steps!r}")
    if not 0 < low < high < math.inf:
        raise ArgumentError(f"lr_range_test: low and high are rates, 0 < low < high, got {low!r} and {high!r}")
    if (own := _rate(optimizer)) is None:
        raise UnsupportedError(f"lr_range_test: {type(optimizer).__name__} has no groups with an 'lr'")
    lrs: list[float] = []
    losses: list[float] = []
    with untouched(model, loss, optimizer) as leaves, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what there is to say, the steps before have said
        run = _Steps(model, loss, optimizer, inputs, target, leaves)
        shares = [float(group["lr"]) / own if own else 1.0 for group in run.optimizer.param_groups]
        for lr in np.geomspace(low, high, steps).tolist():
            for group, share in zip(run.optimizer.param_groups, shares, strict=True):
                group["lr"] = lr * share
            losses.append(run.step())
            least = min(losses)
            if not losses[-1] - least <= 3 * max(abs(losses[0]), losses[0] - least):  # or NaN
                return Rates(lrs, losses, own)
            lrs.append(lr)
        with no_grad():
            losses.append(run.forward().item())
    return Rates(lrs, losses, own)


def _rate(optimizer: Any) -> float | None:
    """The learning rate of the first group."""
    groups = optimizer.param_groups
    return float(groups[0]["lr"]) if groups and all("lr" in group for group in groups) else None


# ---------------------------------------------------------------- steps that are undone
class _Steps:
    """Steps on one batch, by a copy of the optimizer that has the same parameters, and a state of its own."""

    def __init__(self, model: Module, loss: Any, optimizer: Any, inputs: Any, target: Any, leaves: dict[Node, Any]) -> None:
        self.model, self.loss, self.inputs, self.target, self.leaves = model, loss, inputs, target, leaves
        self.optimizer = optimizer
        if optimizer is not None:
            self.optimizer = deepcopy(optimizer, {id(p): p for group in optimizer.param_groups for p in group["params"]})

    def forward(self) -> Any:
        """The loss."""
        return one_number(self.loss(self.model(*self.inputs), self.target))

    def step(self) -> float:
        """One step, or without an optimizer only its gradients. The loss before it."""
        first: list[float] = []

        def closure() -> float:
            for m in (self.model, self.loss):
                if isinstance(m, Module):
                    clear(m.parameters(), True)
            if self.optimizer is not None:
                self.optimizer.zero_grad()
            loss = self.forward()
            for node in ancestors([loss.node]) if loss.requires_grad else ():
                if node.plan is None and node not in self.leaves:  # it may belong to another model, as in a GAN
                    self.leaves[node], node.grad = node.grad, None
            loss.backward()
            first.append(loss.item())
            return first[-1]

        if self.optimizer is None:
            closure()
        else:
            self.optimizer.step(closure)
        return first[0]


@contextmanager
def untouched(model: Any, loss: Any, optimizer: Any) -> Iterator[dict[Node, Any]]:
    """Whatever happens: in the end modules, tensors, gradients and random numbers are as they were, to the bit.

    It gives a dict, for leaves of others that a backward comes to: the gradients that they had, and are to have again.
    """
    modules = list(dict.fromkeys(m for top in (model, loss) if isinstance(top, Module) for m in top.modules()))
    attributes: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for m in modules:
        attributes += [(own, own.copy()) for own in (vars(m), m._parameters, m._buffers, m._modules)]
    tensors = [t for own, _ in attributes for t in own.values() if isinstance(t, Tensor)]
    tensors += [t for m in (model, loss) if isinstance(m, Module) for u in unregistered(m) for t in u.leaves]
    tensors += [p for group in getattr(optimizer, "param_groups", ()) for p in group["params"]]
    values = [(t, t.array.copy(), t.grad if t.is_leaf else None) for t in {id(t): t for t in tensors}.values()]
    drawn = random.getstate(), np.random.get_state(), default_generator.get_state()  # a model may draw from all of them
    leaves: dict[Node, Any] = {}
    try:
        for t, _, grad in values:
            if grad is not None:
                t.grad = None
        with enable_grad():
            yield leaves
    finally:
        for node, grad in leaves.items():
            node.grad = grad
        for own, before in attributes:
            own.clear()
            own.update(before)
        for t, array, grad in values:
            if t.array.tobytes() != array.tobytes():
                write(t.array, ..., array)
            if t.is_leaf and t.grad is not grad:
                t.grad = grad
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])
        default_generator.set_state(drawn[2])


def _check(who: str, model: Any, *optimizers: Any) -> None:
    if not isinstance(model, Module):
        raise UnsupportedError(f"{who}: model must be a Module, not {type(model).__name__}")
    if lazy := [name for name, p in model.named_parameters() if is_lazy(p)]:
        raise ArgumentError(f"{who}: {lazy[0]} has no size yet; run the model once on a batch before")
    if odd := [o for o in optimizers if not hasattr(o, "param_groups")]:
        raise UnsupportedError(f"{who}: optimizer is one of nn.optim, not {type(odd[0]).__name__}")
    tape = mode().tape
    if tape is not None and tape.records:
        raise GraphError(f"{who} cannot listen while a tape records; call it outside of what is recorded")


# ---------------------------------------------------------------- looking at training as it happens
class Doctor(Callback):
    """Looks at the first `steps` steps of each epoch of `fit`, and warns of what it finds, of each thing once.

    For a loop of your own it is a context: it looks at all steps in it, and says nothing until it is asked. There it also sees
    what `fit` never does: gradients that are not cleared, evaluation in training mode. `report` has all that was found in the
    last epoch or context. A NaN is noted, and does not stop anything. What is looked for is said in `nn.doctor`, which can
    see more: it has one batch, and can undo its steps.

    >>> import autograd, nn
    >>> net, x = nn.Linear(3, 1), autograd.randn(32, 3)
    >>> optimizer = nn.optim.SGD(net.parameters(), lr=0.1)
    >>> with nn.train.Doctor(net, optimizer) as doctor:
    ...     for _ in range(3):
    ...         nn.functional.mse_loss(net(x), x[:, :1]).backward()
    ...         optimizer.step()
    >>> [finding.problem for finding in doctor.report.findings]
    ['gradients not cleared']
    """

    def __init__(self, model: Any = None, optimizer: Any = None, *, steps: int = 5) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ArgumentError(f"Doctor: steps is a whole number, 1 or more, got {steps!r}")
        self.model, self.optimizer, self.steps = model, optimizer, steps
        self.record: Record | None = None
        self.listening = False
        self.told: set[tuple[str, str]] = set()

    @property
    def report(self) -> Report:
        """What was found."""
        if self.record is None:
            raise ArgumentError("Doctor: it has seen nothing yet")
        return Report(self.record)

    def __enter__(self) -> Doctor:
        self._begin(self.model, self.optimizer)
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def _begin(self, model: Any, optimizer: Any, loss: Any = None, begun: bool = False) -> None:
        self._end()
        _check("Doctor", model, *[optimizer] * (optimizer is not None))
        self.record = Record(model, optimizer, loss)
        self.record.begun = begun
        self.record.__enter__()
        self.listening = True

    def _end(self) -> None:
        if self.listening and self.record is not None:
            self.listening = False
            self.record.__exit__()

    def on_epoch_begin(self, loop: Loop) -> None:
        """Begin to listen."""
        self._begin(loop.model, loop.optimizer, loop.loss, loop.epoch > 1)

    def on_batch_end(self, loop: Loop) -> None:
        """End, after some steps, and say what was found."""
        if self.listening and self.record is not None:
            self.record.trend.append(loop.step_loss)
            if self.record.steps >= self.steps or loop.batch == loop.batches:  # before other callbacks run the model
                self._tell(loop)

    def on_epoch_end(self, loop: Loop) -> None:
        """End at the latest, in an epoch of fewer steps."""
        if self.listening:
            self._tell(loop)

    def on_fit_end(self, loop: Loop, error: BaseException | None) -> None:
        """End, whatever happened."""
        self._end()

    def _tell(self, loop: Loop) -> None:
        self._end()
        for finding in self.report.findings:
            if finding[:2] not in self.told:
                self.told.add(finding[:2])
                warn(f"Doctor: epoch {loop.epoch}: {finding}")
