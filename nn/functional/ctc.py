"""Connectionist temporal classification: the loss of an output whose labels have an order but no known places."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.elementwise import where
from autograd.engine.accumulate import single
from autograd.engine.batch import checked
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, DtypeError, ShapeError
from autograd.ops.elementwise import clip_min, logaddexp
from autograd.ops.index import gather, unslice

from .checks import need_float, need_tensors
from .loss import check_labels, check_reduction, reduced

_OP = "ctc_loss"


# ---------------------------------------------------------------- the table: all alignments with an output, step by step
def _ctc_states(targets: Array, lengths: Array, longest: int, blank: int) -> Array:
    """The labels of each sequence with a blank before, between and after them, and blanks to the end of the row."""
    flat = np.concatenate([np.reshape(targets, (-1,)), np.full_like(targets, blank, shape=(1,))])
    starts = np.arange(lengths.size, like=targets) * targets.shape[1] if targets.ndim == 2 else np.cumsum(lengths) - lengths
    turn = np.arange(longest, like=targets)
    states = np.full_like(targets, blank, shape=(lengths.size, 2 * longest + 1))
    states[:, 1::2] = flat[np.where(turn < lengths[:, None], starts[:, None] + turn, targets.size)]
    return states


def _ctc_step(a: Array, e: Array, skip: Array, live: Array) -> Array:
    """From the log-probabilities `a` of being in each state, all paths there together, to those after one more output, `e`.

    A path stays in its state, goes on by one or, where it may `skip` the blank between two labels, by two. Before the
    first state there are two columns for where it comes from. A sequence that is over, not `live`, stays as it is.
    """
    new = e + _ctc_sum(*_ctc_ways(a, skip))
    return np.where(live, np.concatenate([np.full_like(a[:, :2], -np.inf), new], 1), a)


def _ctc_ways(a: Array, skip: Array) -> tuple[Array, Array, Array]:
    return a[:, 2:], a[:, 1:-1], np.where(skip, a[:, :-2], -np.inf)


def _ctc_sum(stay: Array, go: Array, skip: Array) -> Array:
    return np.logaddexp(np.logaddexp(stay, go), skip)


def _pull_ctc_step(g: Array, a: Array, skip: Array, live: Array, a_shape: Any) -> list[Array]:
    """Each state shares its gradient among the ways into it, by their probabilities."""
    ways = _ctc_ways(a, skip)
    total = _ctc_sum(*ways)
    total = np.where(np.isinf(total), 0, total)  # no way leads there: its shares are exp(-inf)
    de, da = np.where(live, g[:, 2:], 0), np.where(live, 0, g)
    for way, place in zip(ways, (slice(2, None), slice(1, -1), slice(None, -2)), strict=True):
        da = da + unslice(de * np.exp(way - total), (slice(None), place), a_shape)
    return [da, de]


ctc_states = primitive(
    _ctc_states,
    "ctc_states",
    says="The labels of each sequence with a blank before, between and after them, and blanks to the end of the row.",
)
ctc_step = primitive(
    _ctc_step,
    "ctc_step",
    joint=_pull_ctc_step,
    says="From the log-probabilities a of being in each state to those after one more output, e (torch.nn.functional.ctc_loss).",
)


# ---------------------------------------------------------------- PyTorch's name
@single
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
    blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Minus the logarithm of the probability that an output reads as its labels (torch.nn.functional.ctc_loss).

    `log_probs` holds for every time step the log-probabilities of the classes, one of which is the `blank`. An output reads
    as what remains when first repeated classes are made one and then blanks are taken out; the loss counts all ways.
    Where there is none, as the labels are too many, it is infinite, and its gradient 0; `zero_infinity` makes it 0, too.
    The mean is over each sequence's loss divided by the number of its labels. Graves et al. 2006.

    Shape: `log_probs` (times, n, classes), `targets` (n, most labels), of which the rest is ignored, or all labels in a row;
    `input_lengths` and `target_lengths` n numbers each. Or of one sequence: (times, classes), (labels,) and a number each.
    Raises ShapeError, DtypeError, ArgumentError, and DimError for a label that is no class.

    >>> import autograd
    >>> log_probs = autograd.tensor([[0.4, 0.6], [0.3, 0.7]]).log()  # of the blank and of a, at two times
    >>> ctc_loss(log_probs, autograd.tensor([1]), 2, 1).exp()  # a reads as aa, a-, -a: 1 / (1 - 0.4 * 0.3)
    tensor(1.1364)
    """
    need_tensors(_OP, log_probs=log_probs, targets=targets)
    need_float(_OP, log_probs, "log_probs")
    check_reduction(_OP, reduction)
    if targets.dtype.kind not in "iu":
        raise DtypeError(f"{_OP}: labels are integers, not {targets.dtype} {targets.shape}; use long()")
    if log_probs.ndim == 2 and targets.ndim == 1:
        return ctc_loss(
            log_probs[:, None], targets[None], input_lengths, target_lengths, blank, reduction, zero_infinity
        ).reshape(())
    if log_probs.ndim != 3 or targets.ndim not in (1, 2) or not log_probs.shape[0]:
        expected = "(times, n, classes) with targets (n, labels) or (labels,), or (times, classes) with (labels,)"
        raise ShapeError(f"{_OP} needs log_probs {expected}; got {log_probs.shape} with {targets.shape}")
    times, n, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise ArgumentError(f"{_OP}: blank is one of the {classes} classes, 0 to {classes - 1}, got {blank!r}")
    input_lengths = _lengths("input_lengths", input_lengths, n, times)
    target_lengths = _lengths("target_lengths", target_lengths, n, targets.shape[-1])

    def look(labels: Any, lengths: Any) -> None:
        _check_targets(labels, lengths, n, classes, blank)

    checked(look, targets, target_lengths, of=lambda t: t.array)

    longest = targets.shape[1] if targets.ndim == 2 else max([0, *target_lengths.tolist()])
    states = ctc_states(targets, target_lengths, longest, blank)  # rolled around, the last blank precedes the first label
    skip = (states != blank) & (states != np.roll(states, 2, 1))
    outputs = gather(log_probs, np.broadcast_to(states, (times, *states.shape)), 2).unbind(0)
    live = (_count(times, log_probs)[:, None, None] < input_lengths[:, None]).unbind(0)
    start = np.full_like(log_probs.array, -np.inf, shape=(n, 2 * longest + 3))
    start[:, 1] = 0  # all paths come from there
    a = wrap(start)
    for e, on in zip(outputs, live, strict=True):
        a = ctc_step(a, e, skip, on)
    ends = gather(a, np.stack([2 * target_lengths + 1, 2 * target_lengths + 2], 1), 1)  # the last label and the blank after it
    total = logaddexp(ends[:, 0], ends[:, 1])
    losses = where(total == -np.inf, 0.0 if zero_infinity else np.inf, -total)
    return reduced(_OP, losses / clip_min(target_lengths, 1) if reduction == "mean" else losses, reduction, targets)


def _count(n: int, like: Any) -> Any:
    return wrap(np.arange(n, like=like.array))


def _lengths(name: str, lengths: Any, n: int, most: int) -> Any:
    """The lengths as a Tensor, if there are `n` of them and none is above `most`."""
    if not hasattr(lengths, "array"):
        lengths = wrap(np.asarray(lengths, np.int64 if not np.size(lengths) else None))
    if lengths.dtype.kind not in "iu":
        raise DtypeError(f"{_OP}: {name} are integers, not {lengths.dtype}")
    if lengths.ndim == 0 and n == 1:
        lengths = lengths[None]
    if lengths.shape != (n,):
        raise ShapeError(f"{_OP}: {name} are {n} numbers, one for each sequence, not of shape {lengths.shape}")

    def look(array: Any) -> None:
        if not np.all((array >= 0) & (array <= most)):
            raise ArgumentError(f"{_OP}: {name} are from 0 to {most}, got {array.tolist()}")

    checked(look, lengths)
    return lengths


def _check_targets(labels: Any, lengths: Any, n: int, classes: int, blank: int) -> None:
    """Is every label that counts a class, and none the blank?"""
    if labels.ndim == 2:
        if labels.shape[0] != n:
            raise ShapeError(f"{_OP}: targets {labels.shape} are for {labels.shape[0]} sequences, log_probs for {n}")
        padding = np.arange(labels.shape[1], like=labels) >= lengths[:, None]
    elif np.sum(lengths) == labels.shape[0]:
        padding = np.zeros_like(labels, dtype=bool)
    else:
        raise ShapeError(f"{_OP}: targets hold {labels.shape[0]} labels in a row, but target_lengths add up to {np.sum(lengths)}")
    good = (labels >= 0) & (labels < classes) & (labels != blank)
    check_labels(_OP, labels, good | padding, classes, f", without the blank, {blank}")
