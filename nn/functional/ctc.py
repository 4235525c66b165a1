"""Connectionist temporal classification: the loss of an output whose labels have an order but no known places."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.elementwise import where
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, DtypeError, ShapeError
from autograd.ops.elementwise import clip_min, logaddexp
from autograd.ops.index import gather
from autograd.ops.loss import ctc_states_, ctc_step_

from .common import need_tensors
from .loss import check_float, check_labels, check_reduction, reduced

__all__ = ["ctc_loss"]

_OP = "ctc_loss"


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any,
    blank: int = 0, reduction: str = "mean", zero_infinity: bool = False,
) -> Any:  # fmt: skip
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
    check_float(_OP, "log_probs", log_probs)
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
    _check_targets(targets.array, target_lengths.array, n, classes, blank)

    longest = targets.shape[1] if targets.ndim == 2 else max([0, *target_lengths.tolist()])
    states = ctc_states_(targets, target_lengths, longest, blank)  # rolled around, the last blank precedes the first label
    skip = (states != blank) & (states != np.roll(states, 2, 1))
    outputs = gather(log_probs, np.broadcast_to(states, (times, *states.shape)), 2).unbind(0)
    live = (_count(times, log_probs)[:, None, None] < input_lengths[:, None]).unbind(0)
    start = np.full_like(log_probs.array, -np.inf, shape=(n, 2 * longest + 3))
    start[:, 1] = 0  # all paths come from there
    a = wrap(start)
    for e, on in zip(outputs, live, strict=True):
        a = ctc_step_(a, e, skip, on)
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
    array = lengths.array
    if not np.all((array >= 0) & (array <= most)):
        raise ArgumentError(f"{_OP}: {name} are from 0 to {most}, got {array.tolist()}")
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
