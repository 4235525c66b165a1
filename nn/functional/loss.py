"""Losses: one number that says how far an output is from what it should be, or one for each part of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError
from autograd.graph import mode
from autograd.ops import elementwise
from autograd.ops.elementwise import square, where
from autograd.ops.fused import log_softmax, softplus_
from autograd.ops.index import gather_
from autograd.ops.loss import bce_, bce_with_logits_, cross_entropy_

from .common import need_tensors

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "mse_loss",
    "nll_loss",
]


# ---------------------------------------------------------------- what losses share
# Checks look at `.array`: they only ever raise, so a program captured while they pass is the same without them.


def _check_pair(op: str, input: Any, target: Any) -> None:
    need_tensors(op, input=input, target=target)
    if input.shape != target.shape:
        raise ShapeError(
            f"{op}: input {input.shape} and target {target.shape} must have the same shape, as broadcasting would compare "
            "every element with many others; reshape one of them"
        )
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point input, not {input.dtype}; use float()")


def _weighted(op: str, name: str, losses: Any, weight: Any) -> Any:
    """`losses * weight`, which must not make them more."""
    if weight is None:
        return losses
    _check_broadcast(op, name, losses, weight)
    return losses * weight


def _check_broadcast(op: str, name: str, input: Any, weight: Any) -> None:
    need_tensors(op, **{name: weight})
    lead = input.ndim - weight.ndim
    if lead < 0 or any(w not in (1, n) for w, n in zip(weight.shape, input.shape[lead:], strict=True)):
        raise ShapeError(f"{op}: {name} {weight.shape} does not broadcast to the shape of input, {input.shape}")


def _reduced(op: str, losses: Any, reduction: str, target: Any, parts: Any = None) -> Any:
    """The losses themselves, their sum, or their mean: the sum over `parts`, by default their number."""
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ArgumentError(f"{op}: reduction is 'mean', 'sum' or 'none', got {reduction!r}")
    if reduction == "mean" and not losses.numel():
        raise ShapeError(f"{op}: there is no mean over an empty batch; target has shape {target.shape}")
    loss = losses.sum() if reduction == "sum" or parts is not None else losses.mean()
    if reduction == "mean" and parts is not None:
        loss = loss / parts
    if loss.array != loss.array and np.isnan(target.array).any():
        raise ArgumentError(f"{op}: target holds {int(np.isnan(target.array).sum())} NaN; leave out or fill in what is unknown")
    return loss


# ---------------------------------------------------------------- losses
def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """(input - target) squared, for two tensors of one shape (torch.nn.functional.mse_loss).

    >>> import autograd
    >>> mse_loss(autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 4.0]))
    tensor(2.)
    """
    _check_pair("mse_loss", input, target)
    return _reduced("mse_loss", square(input - target), reduction, target)


def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """|input - target|, for two tensors of one shape (torch.nn.functional.l1_loss)."""
    _check_pair("l1_loss", input, target)
    return _reduced("l1_loss", elementwise.absolute(input - target), reduction, target)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """-(target * log(input) + (1 - target) * log(1 - input)), the logarithms at least -100 (torch's of the same name).

    `input` holds probabilities; of logits take `binary_cross_entropy_with_logits`. Both have one shape, to which
    `weight` broadcasts.
    """
    op = "binary_cross_entropy"
    _check_pair(op, input, target)
    found = input.array
    if found.size and not (found.min() >= 0 and found.max() <= 1):
        raise ArgumentError(
            f"{op}: input holds probabilities, from 0 to 1, got {found.min()} to {found.max()}; "
            "for logits there is binary_cross_entropy_with_logits"
        )
    return _reduced(op, _weighted(op, "weight", bce_(input, target), weight), reduction, target)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """`binary_cross_entropy` of sigmoid(input), without overflow (torch.nn.functional.binary_cross_entropy_with_logits).

    `pos_weight`, which broadcasts to the shape of `input`, multiplies the part of the loss that `target` weighs.
    """
    op = "binary_cross_entropy_with_logits"
    _check_pair(op, input, target)
    if pos_weight is None:
        losses = bce_with_logits_(input, target)
    else:
        _check_broadcast(op, "pos_weight", input, pos_weight)
        losses = (1 - target) * input + ((pos_weight - 1) * target + 1) * softplus_(-input)
    return _reduced(op, _weighted(op, "weight", losses, weight), reduction, target)


def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """Minus the log-probability in `input` of the right class: `cross_entropy` after `log_softmax` (torch's of the same name)."""
    _check_classes("nll_loss", input, target, weight)
    if input.ndim == 1:
        return nll_loss(input[None], target[None], weight, ignore_index=ignore_index, reduction=reduction).reshape(())
    return _over_labels("nll_loss", _picked, input, target, weight, ignore_index, reduction)[0]


def _picked(input: Any, labels: Any) -> Any:
    return -np.squeeze(gather_(input, np.expand_dims(labels, 1), 1), 1)


def cross_entropy(
    input: Any, target: Any, weight: Any = None, *,
    ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """Minus the logarithm of the probability, softmax(input), of the right class (torch.nn.functional.cross_entropy).

    `input` holds logits, (n, classes) or (n, classes, ...) or (classes,); `target` the labels, integers of that shape
    without the classes; or, in the shape of `input`, a probability for each class. Classes can be given a `weight` (the
    mean is then weighted too), labels equal to `ignore_index` do not count, and `label_smoothing` is the share of the
    target that is spread over all classes. Raises ShapeError, DtypeError, and DimError for a label that is no class.

    >>> import autograd
    >>> cross_entropy(autograd.tensor([[0.0, 0.0], [0.0, 0.0]]), autograd.tensor([0, 1]))
    tensor(0.6931)
    """
    op = "cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"{op}: label_smoothing is a share, from 0 to 1, got {label_smoothing!r}")
    _check_classes(op, input, target, weight, probabilities=True)
    if input.ndim == 1:
        options: dict[str, Any] = dict(ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        return cross_entropy(input[None], target[None], weight, **options).reshape(())
    if target.dtype.kind == "f":
        return _over_probabilities(op, input, target, weight, reduction, label_smoothing)
    loss, spread = _over_labels(op, cross_entropy_, input, target, weight, ignore_index, reduction, label_smoothing > 0)
    return loss if spread is None else loss * (1 - label_smoothing) + spread * label_smoothing


def _check_classes(op: str, input: Any, target: Any, weight: Any, probabilities: bool = False) -> None:
    """Do scores for classes, labels (or, if they may be, `probabilities`) and weights fit together?"""
    need_tensors(op, input=input, target=target)
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point input, not {input.dtype}; use float()")
    at = min(1, input.ndim - 1)  # the dim of the classes
    if at < 0 or not input.shape[at]:
        raise ShapeError(f"{op} needs an input of shape (n, classes), got {input.shape}")
    classes, labels = input.shape[at], input.shape[:at] + input.shape[at + 1 :]
    if weight is not None:
        need_tensors(op, weight=weight)
        if weight.shape != (classes,):
            raise ShapeError(f"{op}: weight has one number for each of {classes} classes, not shape {weight.shape}")
        if weight.dtype != input.dtype:
            raise DtypeError(f"{op}: weight is {weight.dtype}, but input is {input.dtype}; use to() on one of them")
    if probabilities and target.dtype.kind == "f" and target.shape == input.shape:
        return
    if target.dtype.kind not in "iu":
        hint = f" (or probabilities, of the shape of input, {input.shape})" if probabilities else ""
        raise DtypeError(f"{op}: labels are integers{hint}, not {target.dtype} {target.shape}; use long()")
    if target.shape != labels:
        raise ShapeError(f"{op}: input {input.shape} goes with labels of shape {labels}, got {target.shape}")


def _over_labels(
    op: str, each: Any, input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smooth: bool = False
) -> tuple[Any, Any]:
    """The loss `each(input, labels)`; and, to `smooth`, what it is on average if every class is taken for the right one."""
    counts = _counted(op, input.shape[1], target, ignore_index)
    labels = target if counts is None else where(counts, target, 0)
    parts = weights = None if weight is None else weight[labels]
    if counts is not None:
        parts = counts if weights is None else weights * counts
    parts = None if parts is None else parts.sum()

    def reduced(losses: Any) -> Any:
        return _reduced(op, losses if counts is None else where(counts, losses, 0.0), reduction, target, parts)

    losses = each(input, labels)
    loss = reduced(losses if weights is None else losses * weights)
    return loss, reduced(-_weigh_classes(log_softmax(input, 1), weight).mean(1)) if smooth else None


def _counted(op: str, classes: int, target: Any, ignore_index: int) -> Any:
    """Where a label is not `ignore_index`, or None for everywhere. Raises DimError if one is not a class."""
    labels = target.array
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = np.argwhere(((labels < 0) | (labels >= classes)) & (labels != ignore_index)).tolist()
        if wrong:
            place = ", ".join(map(str, wrong[0]))
            label = labels[tuple(wrong[0])]
            raise DimError(f"{op}: label {label} at position {place} is not one of the {classes} classes, 0 to {classes - 1}")
    elif mode().tape is None and not 0 <= ignore_index < classes:
        return None  # but a tape must not depend on which labels happen to be there
    counts = target != ignore_index
    if labels.size and not counts.array.any():
        raise ArgumentError(f"{op}: every label is {ignore_index}, the ignore_index; no example is left to learn from")
    return counts


def _over_probabilities(op: str, input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float) -> Any:
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[1]
    return _reduced(op, -_weigh_classes(log_softmax(input, 1) * target, weight).sum(1), reduction, target)


def _weigh_classes(scores: Any, weight: Any) -> Any:
    return scores if weight is None else scores * weight.reshape(-1, *(1,) * (scores.ndim - 2))
