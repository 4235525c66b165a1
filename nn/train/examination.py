"""The checks of the doctor: each reads the record of a few steps, and says what is wrong, where, how much, and what helps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from autograd.errors import DimError

from .record import OF_LOGITS, Record, Units

# What is said only of larger numbers than these, or of smaller ones. They lie far from what sound models show.
DEAD = 0.7  # the share of the units of a layer that are off for all examples; half of them often are, deep in a network
SATURATED = 0.5  # the share of results where the slope is small
EXAMPLES = 16  # of fewer, many units are off by chance
VANISHING = 1e-4  # a gradient beside the largest, each beside its weights
EXPLODING = 1e2  # a gradient beside its weights
LARGE_STEP, SMALL_STEP = 0.5, 1e-6  # a step beside the weights, or a gradient that ought to make one
SLOW = 1e4  # so many steps, to get as far as other rates come in the range test


class Finding(NamedTuple):
    """Something that is wrong: its name, where, what was seen, how bad it is as a number, and what to do."""

    problem: str
    where: str
    what: str
    value: float
    advice: str

    def __str__(self) -> str:
        return f"{self.problem}, {self.where}: {self.what}; {self.advice}"


Found = Iterator[tuple[str, str, float, str]]
CHECKS: dict[str, Callable[[Record], Found]] = {}


def check(function: Callable[[Record], Found]) -> Callable[[Record], Found]:
    """A check, under its name: it yields where, what, how much and what to do, if there is something to say."""
    CHECKS[function.__name__.replace("_", " ")] = function
    return function


def examine(record: Record) -> list[Finding]:
    """What all checks find in a record."""
    return [Finding(name, *found) for name, function in CHECKS.items() for found in function(record)]


# ---------------------------------------------------------------- the program
@check
def error(record: Record) -> Found:
    """The steps could not be taken."""
    if record.error is not None and _wrong_labels(record) is None:
        layer = getattr(record.error, "layer", None)
        where = "the loss" if layer is None or layer not in record.names else record.place(layer)
        yield where, str(record.error), 1.0, "the rest could not be looked at before this is put right"


@check
def labels_out_of_range(record: Record) -> Found:
    """Labels that are no classes."""
    if (wrong := _wrong_labels(record)) is not None:
        labels, classes, bad = wrong
        what = f"{int(bad.sum())} of {bad.size} labels are not among the {classes} classes, 0 to {classes - 1}"
        advice = "labels begin with 0, and the model has an output for each class"
        yield "the target", f"{what}: labels go from {labels.min()} to {labels.max()}", float(bad.mean()), advice


def _wrong_labels(record: Record) -> tuple[Any, int, Any] | None:
    labels = getattr(record.target, "array", record.target)
    outputs = [shape for shape in record.outputs if len(shape) > 1]
    if not isinstance(record.error, DimError) or getattr(labels, "dtype", np.dtype(float)).kind not in "iu" or not outputs:
        return None
    classes = outputs[0][1]
    bad = ((labels < 0) | (labels >= classes)) & (labels != -100)
    return (labels, classes, bad) if np.any(bad) else None


@check
def warning(record: Record) -> Found:
    """What the library warned of on the way."""
    for text in dict.fromkeys(record.warnings):
        yield "the program", text, 1.0, "do as it says; what is meant to be so can be said in a way that does not warn"


# ---------------------------------------------------------------- what is trained
@check
def not_registered(record: Record) -> Found:
    """Layers in a plain list, and parameters that are plain tensors."""
    for u in record.beside:
        if not all(map(record.optimized, u.leaves)):
            what = f"{u.what}, and so no optimizer that is made of parameters() has them"
            yield u.what.split(" ")[0], what, float(len(u.leaves)), u.advice


@check
def no_gradient(record: Record) -> Found:
    """Parameters that no gradient comes to."""
    if not record.gradients:
        return
    names = [name for name in record.parameters if name not in record.gradients]
    if names:
        idle = [n for n in names if record.owner(n) not in record.called]
        why = "their modules were never called" if len(idle) == len(names) else "the loss does not depend on them"
        advice = "use them in forward, with no detach() or item() on the way; freeze what is not to learn, requires_grad_(False)"
        what = f"{len(names)} of {len(record.parameters)} parameters have no gradient: {why}"
        yield some(names), what, len(names) / len(record.parameters), advice


@check
def not_optimized(record: Record) -> Found:
    """Parameters with a gradient that no optimizer has."""
    if record.optimizer is None:
        return
    names = [name for name, p in record.parameters.items() if name in record.gradients and not record.optimized(p)]
    if names:
        what = f"{len(names)} of {len(record.parameters)} parameters have gradients, but no optimizer has them"
        advice = "make the optimizer of model.parameters(), after all parts of the model are there; freeze what is not to learn"
        yield some(names), what, len(names) / len(record.parameters), advice


@check
def foreign_parameters(record: Record) -> Found:
    """Parameters of the optimizer that are none of the model's."""
    foreign = [p for p in record.outside if id(p) not in record.reached]
    if foreign and record.steps:
        total = len(record.outside) + sum(map(record.held, record.parameters.values()))
        what = f"{len(foreign)} of its {total} parameters are not the model's, and have no gradient"
        advice = "make it of the parameters of this very model, after that was made or loaded"
        yield "the optimizer", what, len(foreign) / total, advice


@check
def not_updated(record: Record) -> Found:
    """Parameters that stay as they are, to the bit, although they have a gradient."""
    names = [
        name for name, updates in record.updates.items()
        if not any(updates) and record.held(record.parameters[name])
        and max(record.gradients.get(name, [0])) > SMALL_STEP * record.scale(name)
    ]  # fmt: skip
    if names:
        what = f"{len(names)} of {len(record.parameters)} parameters have gradients, but no step changed them"
        advice = "is lr 0, or so small that a step is lost in rounding?"
        yield some(names), what, len(names) / len(record.parameters), advice


@check
def gradients_not_cleared(record: Record) -> Found:
    """A backward that adds to the gradients of the step before."""
    if record.kept:
        what = f"{len(record.kept)} parameters still had the gradient of the step before when backward added to it"
        advice = "call optimizer.zero_grad() in each step, before backward()"
        yield some(sorted(record.kept)), what, float(len(record.kept)), advice


# ---------------------------------------------------------------- training and evaluation
@check
def in_evaluation_mode(record: Record) -> Found:
    """Dropout or batch normalization in evaluation, while the model is trained."""
    if record.asleep:
        advice = "call model.train() before training; freeze the parameters of what is meant to stay so"
        yield some(sorted(record.asleep)), "in evaluation mode while the model was trained", float(len(record.asleep)), advice


@check
def in_training_mode(record: Record) -> Found:
    """The same in training, while it is evaluated."""
    if record.awake:
        what = "in training mode while the model ran without gradients, as in evaluation"
        yield some(sorted(record.awake)), what, float(len(record.awake)), "call model.eval() before, and model.train() after it"


@check
def random_in_evaluation(record: Record) -> Found:
    """Dropout that eval() does not switch off."""
    if record.drops:
        what = "drops at random even in evaluation mode"
        advice = "F.dropout(x, p, self.training), or an nn.Dropout that is made in __init__"
        yield some(sorted(record.drops)), what, float(len(record.drops)), advice


# ---------------------------------------------------------------- the loss
@check
def not_logits(record: Record) -> Found:
    """Softmax, sigmoid or relu before a loss that wants logits."""
    if record.scores is not None and record.scores.squashed:
        op = record.scores.op
        what = f"{op} was given what comes out of {record.scores.squashed}; it takes logits"
        yield record.scores.squashed.split(" at ")[1], what, 1.0, f"leave that out: {op} has {OF_LOGITS[op]} in it"


@check
def broadcast_labels(record: Record) -> Found:
    """An output that is compared with every label instead of its own."""
    if record.broadcast is not None:
        op, x, y, out = record.broadcast
        what = f"{op} of shapes {x} and {y} gave {out}, which compares every output with every target"
        advice = "squeeze the one or unsqueeze the other, or take a loss of nn.functional"
        yield "the loss", what, float(np.prod(out) / np.prod(x)), advice


@check
def initial_loss(record: Record) -> Found:
    """A first loss that is far worse than that of equal probabilities."""
    if (first := record.scores) is not None and not record.begun:
        chance = math.log(first.classes)
        if first.loss > 1.5 * chance + 0.5:
            guess = f"without knowing anything it is log({first.classes}) = {chance:.3g}"
            advice = "its outputs are too large: smaller first weights there, or inputs of mean 0 and variance 1"
            yield first.layer, f"{first.op} began at {first.loss:.3g}; {guess}", first.loss / chance, advice


# ---------------------------------------------------------------- numbers in the layers
@check
def not_finite(record: Record) -> Found:
    """The first NaN or Inf."""
    if record.anomaly is not None:
        where, what = record.anomaly
        advice = "others may come of it; a smaller lr, clipped gradients, or an eps where it divides or takes a log or root"
        yield where, what, math.inf, advice


@check
def dead_units(record: Record) -> Found:
    """Units of a ReLU that are 0 whatever comes in, and so never learn."""
    dead = _worst(record, ("relu", "hardtanh"), DEAD, lambda u: float(u.off.mean()))
    if dead:
        share, u = dead[0]
        gave = "0" if u.op == "relu" else "a limit"
        what = f"at {u.place} {u.off.sum()} of {u.off.size} units gave {gave} in all of {u.examples:,} cases"
        yield some(u.place for _, u in dead), what, share, "a smaller lr, another init or smaller biases, or nn.LeakyReLU"


@check
def saturated_units(record: Record) -> Found:
    """Sigmoids and tanhs that are where they are flat, so that hardly a gradient passes."""
    flat = _worst(record, ("sigmoid", "tanh"), SATURATED, lambda u: u.flat / u.size)
    if flat:
        share, u = flat[0]
        what = f"at {u.place} {share:.0%} of the results of {u.op} lie where it is flat"
        advice = "smaller first weights, inputs of mean 0 and variance 1, a normalization before it, or nn.ReLU"
        yield some(u.place for _, u in flat), what, share, advice


def _worst(record: Record, ops: tuple[str, ...], least: float, share: Callable[[Units], float]) -> list[tuple[float, Units]]:
    """Those activations among `ops` whose share is at least this, of enough examples, with it; the worst first."""
    shares = [(share(u), u) for u in record.units.values() if u.op in ops and u.examples >= EXAMPLES]
    return sorted((pair for pair in shares if pair[0] >= least), key=lambda pair: -pair[0])


@check
def vanishing_gradients(record: Record) -> Found:
    """Layers whose gradients are nothing beside those of others."""
    sizes = {name: g for name, g in relative(record).items() if math.isfinite(g)}
    if not sizes or not (largest := max(sizes.values())):
        return
    small = {name: g / largest for name, g in sizes.items() if g < VANISHING * largest and (g or record.steps > 1)}
    if small:
        worst, other = min(small, key=small.__getitem__), max(sizes, key=sizes.__getitem__)
        what = f"beside its weights the gradient of {worst} is {small[worst]:.1e} of the largest, that of {other}"
        advice = "nn.ReLU for sigmoid and tanh, a normalization, residual connections, or larger first weights"
        yield some(small), what, small[worst], advice


@check
def exploding_gradients(record: Record) -> Found:
    """Layers whose gradients are far larger than their weights."""
    large = {name: g for name, g in relative(record).items() if g > EXPLODING}
    if large:
        worst = max(large, key=large.__getitem__)
        what = f"the gradient of {worst} is {large[worst]:.1e} times as large as its weights"
        advice = "smaller first weights, a normalization, inputs and targets of variance 1, or clip_grad_norm_"
        yield some(large), what, large[worst], advice


def relative(record: Record) -> dict[str, float]:
    """The largest gradient of each matrix of weights, beside its scale."""
    gradients = ((name, record.gradients.get(name)) for name, p in record.parameters.items() if p.ndim > 1)
    return {name: max(gs) / record.scale(name) for name, gs in gradients if gs}


# ---------------------------------------------------------------- the learning rate
@check
def learning_rate_too_high(record: Record) -> Found:
    """Steps that make the loss of the same batch larger, or the weights others."""
    losses, rates = record.losses, record.rates
    if len(losses) > 1:
        rise = losses[-1] - losses[0]
        if not rise <= max(abs(losses[0]), 1e-3) and math.isfinite(losses[0]):
            what = f"in {len(losses) - 1} steps on one batch the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
            yield "the optimizer", what, rise / max(abs(losses[0]), 1e-3), f"a smaller lr{best(rates)}"
        return
    steps, trend = _steps(record), record.trend
    if trend and trend[-1] <= trend[0]:  # large steps may be good ones
        return
    if steps and (worst := max(steps, key=steps.__getitem__)) and steps[worst] > LARGE_STEP:
        what = f"a step changes {worst} by {steps[worst]:.2g} of its size"
        yield "the optimizer", what, steps[worst], "a smaller lr; about 0.001 is usual"


@check
def learning_rate_too_low(record: Record) -> Found:
    """Steps that would lead nowhere in any reasonable time."""
    rates, steps = record.rates, _steps(record)
    if rates is not None and record.falls:
        seen = (record.losses[0] - record.losses[-1]) / len(record.losses)
        fall, far = max(0.0, seen, float(np.mean(record.falls))), rates.losses[0] - min(rates.losses)
        if far > 0.05 * abs(rates.losses[0]) and fall * SLOW < far:
            could = f"with others it fell by {far:.2g} in {len(rates.lrs)} steps"
            what = f"a step with lr {rates.lr:.3g} lowers the loss of this batch by {fall:.1e}; {could}"
            yield "the optimizer", what, fall / far, f"a larger lr{best(rates)}"
    elif steps and 0 < max(steps.values()) < SMALL_STEP:
        what = f"a step changes no layer by more than {max(steps.values()):.1e} of its size"
        yield "the optimizer", what, max(steps.values()), "a larger lr; about 0.001 is usual"


def _steps(record: Record) -> dict[str, float]:
    """Of each matrix of weights: the middle of what steps change, beside its size."""
    matrices = {n: u for n, u in record.updates.items() if record.parameters[n].ndim > 1 and record.held(record.parameters[n])}
    return {name: float(np.median(updates)) for name, updates in matrices.items()}


def best(rates: Any) -> str:
    return "" if rates is None or rates.suggestion is None else f"; in a range test about {rates.suggestion:.1g} was good"


def some(names: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    names = list(dict.fromkeys(names))
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)
