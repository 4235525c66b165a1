"""Losses: one number that says how far an output is from what it should be, or one for each part of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any

import numpy as np

from autograd.api import spelling
from autograd.api.elementwise import where
from autograd.api.fused import log_softmax
from autograd.engine import accumulate
from autograd.engine.accumulate import single, total
from autograd.engine.batch import checked, whole
from autograd.engine.graph import Array, mode
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import warn
from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError
from autograd.ops import elementwise
from autograd.ops.common import formula
from autograd.ops.elementwise import clip_min, exp, log, logaddexp, minimum, relu, sigmoid, sqrt, square
from autograd.ops.fused import largest, sum_product
from autograd.ops.index import gather, one_hot, ungather
from autograd.ops.join import sum_of

from .activation import log1pexp
from .checks import need_dtype_of, need_float, need_tensors
from .distance import pairwise_distance


# ---------------------------------------------------------------- the table: single ops, of simpler gradients than their steps
@formula
def _softmax_cross_entropy(x: Array, labels: Array) -> tuple[Array, Array]:
    z = x - np.maximum.reduce(x, axis=1, keepdims=True)  # np.max takes a microsecond longer, which shows in small steps
    shares = np.exp(z)
    sums = total(shares, (1,), True)
    return (np.log(sums) - gather(z, labels[:, None], 1))[:, 0], shares / sums


@_softmax_cross_entropy.on_arrays
def _(x: Any, labels: Any) -> Any:
    if x.ndim != 2 or x.shape[1] > 4096:
        return NotImplemented
    shares = x - largest(x, 1)
    right = shares[np.arange(len(x)), labels]
    np.exp(shares, out=shares)
    sums = shares.dot(np.ones(x.shape[1], x.dtype))
    shares /= sums[:, None]
    np.log(sums, out=sums)
    sums -= right
    return sums, shares


@formula
def _pull_softmax_cross_entropy(gs: Any, labels: Array, out: tuple[Array, Array], x_shape: Any) -> Array:
    g, g_shares = gs
    return sum_of(
        None if g is None else g[:, None] * out[1] - ungather(g[:, None], labels[:, None], 1, x_shape),
        None if g_shares is None else out[1] * (g_shares - sum_product(g_shares, out[1], (1,))),
    )


@_pull_softmax_cross_entropy.on_arrays
def _(gs: Any, labels: Any, out: Any, x_shape: Any) -> Any:
    g, g_shares = gs
    if len(x_shape) != 2 or g is None or g_shares is not None:
        return NotImplemented
    d = out[1] * g[:, None]
    d[np.arange(len(g)), labels] -= g
    return d


def _bce(x: Array, t: Array) -> Array:
    with np.errstate(divide="ignore"):
        return -(t * _log(x) + (1 - t) * _log1p(-x))


def _log(x: Array) -> Array:
    """log(x), but at least -100, so that no loss is infinite."""
    return np.maximum(np.log(x), -100)


def _log1p(x: Array) -> Array:
    return np.maximum(np.log1p(x), -100)


def _bce_with_logits(x: Array, t: Array) -> Array:
    return x * ((x > 0) - t) + np.log1p(np.exp(-np.abs(x)))


def _huber(x: Array, delta: float = 1.0) -> Array:
    size = np.abs(x)
    near = np.minimum(size, delta)
    return near * (size - 0.5 * near)


def _mean_square(x: Array, y: Array) -> Array:
    d = x - y
    return total(d * d, tuple(range(d.ndim))) / prod(d.shape)


# fmt: off
mean_square     = primitive(_mean_square, "mse_loss", singular=True, promote=slice(None),
    x=lambda g, x, y, x_shape: g * (2 / prod(x_shape)) * (x - y),
    y=lambda g, x, y, x_shape: g * (2 / prod(x_shape)) * (y - x),
            says="The mean of (x - y)**2 (torch.nn.functional.mse_loss).")
softmax_cross_entropy = primitive(_softmax_cross_entropy, "cross_entropy",
    x=_pull_softmax_cross_entropy,
            says="Minus the log-probability of each label in its row's softmax, and that (torch.nn.functional.cross_entropy).")
bce             = primitive(_bce, "binary_cross_entropy", singular=True, promote=slice(None),
    x=lambda g, x, t: g * (x - t) / np.maximum(x * (1 - x), 1e-12),
    t=lambda g, x: g * (_log1p(-x) - _log(x)),
            says="-(t * log(x) + (1 - t) * log(1 - x)), the logarithms at least -100 (torch.nn.functional.binary_cross_entropy).")
bce_with_logits = primitive(_bce_with_logits, "binary_cross_entropy_with_logits", singular=True, promote=slice(None),
    x=lambda g, x, t: g * (sigmoid(x) - t),
    t=lambda g, x: -g * x,
            says="The binary cross-entropy of sigmoid(x) and t (torch.nn.functional.binary_cross_entropy_with_logits).")
huber           = primitive(_huber, "huber", x=lambda g, x, delta: g * np.clip(x, -delta, delta), singular=True,
            says="x**2 / 2 where x is at most delta in size, from there on a straight line (torch.nn.functional.huber_loss).")
# fmt: on


# ---------------------------------------------------------------- what losses share
# Checks look at `whole(t)`: they only ever raise or warn, so a program captured while they pass is the same without them.
# They come before the work and are cheap; what was wrong is looked for only when something is.


def _check_alike(op: str, *, floats: bool = True, **tensors: Any) -> None:
    """Have the tensors one shape, and is the first of `floats`?"""
    need_tensors(op, **tensors)
    name, first = next(iter(tensors.items()))
    shape = first.shape
    for t in tensors.values():
        if t.shape != shape:
            *some, last = (f"{n} {t.shape}" for n, t in tensors.items())
            raise ShapeError(
                f"{op}: {', '.join(some)} and {last} must have the same shape, as broadcasting would compare "
                "every element with many others; reshape one of them"
            )
    if floats:
        need_float(op, first, name)


def _difference(op: str, input: Any, target: Any) -> Any:
    """input - target, of one shape, at least one of them of floats."""
    _check_alike(op, floats=False, input=input, target=target)
    difference = input - target
    need_float(op, difference, "input or target")
    return difference


def _check_broadcast(op: str, name: str, input: Any, weight: Any) -> None:
    need_tensors(op, **{name: weight})
    lead = input.ndim - weight.ndim
    if lead < 0 or any(w not in (1, n) for w, n in zip(weight.shape, input.shape[lead:], strict=True)):
        raise ShapeError(f"{op}: {name} {weight.shape} does not broadcast to the shape of input, {input.shape}")


def _check_signs(op: str, target: Any) -> None:
    """Is every label 1 or -1?"""

    def look(labels: Any) -> None:
        if not np.all(np.abs(labels) == 1):
            wrong = labels[np.abs(labels) != 1][0]
            raise ArgumentError(
                f"{op}: target holds labels, 1 or -1, got {wrong}; where they are 0 and 1, 2 * target - 1 will do"
            )

    checked(look, target)


def _check_probabilities(op: str, input: Any, advice: str) -> None:
    def look(found: Any) -> None:
        if found.size and not (_least(found) >= 0 and _largest(found) <= 1):
            what = f"input holds probabilities, from 0 to 1, got {np.min(found)} to {np.max(found)}"
            raise ArgumentError(f"{op}: {what}; {advice}")

    checked(look, input)


def _check_positive(op: str, name: str, value: float) -> None:
    if not value > 0:
        raise ArgumentError(f"{op}: {name} is a positive number, got {value!r}")


def check_reduction(op: str, reduction: Any, known: tuple[str, ...] = ("mean", "sum", "none")) -> None:
    if reduction not in known:
        *some, last = map(repr, known)
        raise ArgumentError(f"{op}: reduction is {', '.join(some)} or {last}, got {reduction!r}")


_listener: ContextVar[list[tuple[str, Any]] | None] = ContextVar("who asks what losses average over", default=None)


@contextmanager
def averages() -> Iterator[list[tuple[str, Any]]]:
    """Lists, for each loss that is reduced in the context, how, and for a mean what its sum was divided by.

    So means can be put together as if their batches had been one: weights of classes and labels that do not count make the
    divisor another number than that of the examples.
    """
    found: list[tuple[str, Any]] = []
    token = _listener.set(found)
    try:
        yield found
    finally:
        _listener.reset(token)


def reduced(
    op: str, losses: Any, reduction: str, target: Any, parts: Any = None, tell: bool = True, mean: Any = None
) -> Any:  # fmt: skip
    """The losses themselves, their sum, or their mean: the sum over `parts`, by default their number.

    Where an op computes the mean at once, `mean()` calls it, and `losses` is anything that has as many elements.
    """
    if reduction == "none":
        return losses
    if reduction != "mean":
        check_reduction(op, reduction)
    elif not losses.array.size:
        raise ShapeError(f"{op}: there is no mean over an empty batch; target has shape {target.shape}")
    if tell and (found := _listener.get()) is not None:
        found.append((reduction, losses.array.size if parts is None else parts))
    loss = losses.sum() if reduction == "sum" or parts is not None else losses.mean() if mean is None else mean()
    if reduction == "mean" and parts is not None:
        with np.errstate(divide="ignore", invalid="ignore"):  # of nothing the mean is NaN
            loss = loss / parts

    def look(found: Any, target: Any) -> None:
        number = found.item() if type(found) is np.ndarray and not found.ndim else found  # which is compared in no time
        odd = number != number
        if (np.any(odd) if found.ndim else odd) and np.any(unknown := np.isnan(target)):
            raise ArgumentError(f"{op}: target holds {np.sum(unknown)} NaN; leave out or fill in what is unknown")

    checked(look, loss, target)
    return loss


def _least(array: Any) -> Any:  # np.min takes twice as long
    return np.minimum.reduce(array, axis=None)


def _largest(array: Any) -> Any:
    return np.maximum.reduce(array, axis=None)


def _weighted_mean(op: str, losses: Any, target: Any, weight: Any, reduction: str) -> Any:
    """`losses`, each of which may have a weight, reduced."""
    if weight is None:
        return reduced(op, losses, reduction, target)
    _check_alike(op, input=losses, weight=weight)
    return reduced(op, losses * weight, reduction, target, weight.sum())


def _weighted(op: str, losses: Any, weight: Any) -> Any:
    """`losses * weight`, which must not make them more."""
    if weight is None:
        return losses
    _check_broadcast(op, "weight", losses, weight)
    return losses * weight


# ---------------------------------------------------------------- how far numbers are from others
@single
def mse_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """(input - target) squared, for two tensors of one shape (torch.nn.functional.mse_loss).

    A `weight` of that shape makes the mean a weighted one.

    >>> import autograd
    >>> mse_loss(autograd.tensor([1.0, 2.0]), autograd.tensor([1.0, 4.0]))
    tensor(2.)
    """
    if weight is not None or reduction != "mean":
        return _weighted_mean("mse_loss", square(_difference("mse_loss", input, target)), target, weight, reduction)
    _check_alike("mse_loss", floats=False, input=input, target=target)
    need_float("mse_loss", input if target.dtype.kind != "f" else target, "input or target")
    return reduced("mse_loss", input, reduction, target, mean=lambda: mean_square(input, target))


@single
def l1_loss(input: Any, target: Any, *, reduction: str = "mean", weight: Any = None) -> Tensor:
    """|input - target|, for two tensors of one shape; `weight` as for `mse_loss` (torch.nn.functional.l1_loss)."""
    _check_alike("l1_loss", floats=False, input=input, target=target)
    return _weighted_mean("l1_loss", elementwise.absolute(input - target), target, weight, reduction)


@single
def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """With d = |input - target|: d**2 / (2 * beta) below `beta`, from there on d - beta / 2 (torch.nn.functional.smooth_l1_loss).

    Girshick 2015. With `beta` 0 it is `l1_loss`.
    """
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    _check_positive("smooth_l1_loss", "beta", beta)
    return reduced("smooth_l1_loss", huber(_difference("smooth_l1_loss", input, target), beta) / beta, reduction, target)


@single
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """With d = |input - target|: d**2 / 2 below `delta`, from there on delta * (d - delta / 2) (torch.nn.functional.huber_loss).

    Huber 1964. A `weight` of the same shape multiplies each; the mean still divides by their number.

    >>> import autograd
    >>> huber_loss(autograd.tensor([0.0, 0.0]), autograd.tensor([1.0, 3.0]), reduction="none")
    tensor([0.5000, 2.5000])
    """
    _check_positive("huber_loss", "delta", delta)
    _check_alike("huber_loss", input=input, target=target)
    losses = huber(input - target, delta)
    if weight is not None:
        _check_alike("huber_loss", input=input, weight=weight)
        losses = losses * weight
    return reduced("huber_loss", losses, reduction, target)


@single
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, *, eps: float = 1e-08, reduction: str = "mean"
) -> Tensor:
    """Minus the log-probability of the counts `target`, but for a constant, if `input` is the logarithm of their rate.

    exp(input) - target * input; without `log_input`, `input` is the rate itself: input - target * log(input + eps).
    `full` adds the constant, log(target!), by Stirling's formula, where target > 1 (torch.nn.functional.poisson_nll_loss).
    """
    op = "poisson_nll_loss"
    _check_alike(op, floats=False, input=input, target=target)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        large = target > 1
        t = where(large, target if target.dtype.kind == "f" else target.to(losses.dtype), 1.0)
        losses = losses + where(large, t * log(t) - t + log(t * (2 * math.pi)) * 0.5, 0.0)
    return reduced(op, losses, reduction, target)


@single
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-06, reduction: str = "mean"
) -> Tensor:  # fmt: skip
    """(log(var) + (input - target)**2 / var) / 2: minus the log-probability of `target`, but for a constant.

    `input` is the mean, and `var` the variance: a number, or of the shape of `input`, where the last dim, or any one, may be
    1 long or (the last) left out. It counts as `eps` at least, which its gradient ignores. `full` adds the constant,
    log(2 * pi) / 2. Nix and Weigend 1994; PyTorch: torch.nn.functional.gaussian_nll_loss.
    """
    op = "gaussian_nll_loss"
    _check_positive(op, "eps", eps)
    difference = _difference(op, input, target)
    var = wrap(np.full_like(difference.array, var, shape=())) if isinstance(var, (int, float)) else _variances(op, input, var)

    def look(var: Any) -> None:
        if np.any(var < 0):
            raise ArgumentError(f"{op}: var holds variances, which are not negative, got {np.min(var)}")

    checked(look, var)
    var = var + (clip_min(var, eps) - var).detach()
    losses = (log(var) + square(difference) / var) * 0.5
    return reduced(op, losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction, target)


def _variances(op: str, input: Any, var: Any) -> Any:
    """`var` with as many dims as `input`."""
    need_tensors(op, var=var)
    if var.shape == input.shape:
        return var
    if var.shape == input.shape[:-1]:
        return var[..., None]
    if var.ndim != input.ndim or [v for v, n in zip(var.shape, input.shape, strict=True) if v != n] != [1]:
        raise ShapeError(f"{op}: var {var.shape} is not that of input, {input.shape}, with one dim 1 long or the last left out")
    return var


# ---------------------------------------------------------------- how far probabilities are from others
@single
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), the logarithms at least -100 (torch's of the same name).

    `input` holds probabilities; of logits take `binary_cross_entropy_with_logits`. Both have one shape, to which
    `weight` broadcasts.
    """
    op = "binary_cross_entropy"
    _check_alike(op, input=input, target=target)
    _check_probabilities(op, input, "for logits there is binary_cross_entropy_with_logits")
    return reduced(op, _weighted(op, bce(input, target), weight), reduction, target)


@single
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without overflow (torch.nn.functional.binary_cross_entropy_with_logits).

    `pos_weight`, which broadcasts to the shape of `input`, multiplies the part of the loss that `target` weighs.
    """
    op = "binary_cross_entropy_with_logits"
    _check_alike(op, input=input, target=target)
    if pos_weight is None:
        losses = bce_with_logits(input, target)
    else:
        _check_broadcast(op, "pos_weight", input, pos_weight)
        losses = (1 - target) * input + ((pos_weight - 1) * target + 1) * log1pexp(-input)
    return reduced(op, _weighted(op, losses, weight), reduction, target)


@single
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Tensor:
    """`binary_cross_entropy_with_logits`, averaged over the last dim, the classes.

    Shape: (..., classes) and (..., classes) give (...), if not reduced. PyTorch: torch.nn.functional.multilabel_soft_margin_loss.
    """
    op = "multilabel_soft_margin_loss"
    _check_alike(op, input=input, target=target)
    if not (input.ndim and input.shape[-1]):
        raise ShapeError(f"{op} needs an input of shape (..., classes), got {input.shape}")
    return reduced(op, _weighted(op, bce_with_logits(input, target), weight).mean(-1), reduction, target)


@single
def sigmoid_focal_loss(
    input: Any, target: Any, alpha: float | None = 0.25, gamma: float = 2.0, *, reduction: str = "mean"
) -> Tensor:  # fmt: skip
    """`binary_cross_entropy_with_logits`, times (1 - p)**gamma, where p is the probability of the right class.

    So the many examples that are right already count for little. `alpha` weighs class 1 and 1 - alpha class 0; None weighs
    nothing. Both have one shape; `target` holds 0 and 1. Lin et al. 2017; torchvision.ops.sigmoid_focal_loss, which does not
    reduce unless told to.

    >>> import autograd
    >>> sigmoid_focal_loss(autograd.tensor([4.0, 0.0]), autograd.tensor([1.0, 1.0]), alpha=None, reduction="none")
    tensor([5.8716e-06, 1.7329e-01])
    """
    op = "sigmoid_focal_loss"
    _check_alike(op, input=input, target=target)
    if not gamma >= 0:
        raise ArgumentError(f"{op}: gamma is 0 or more, got {gamma!r}")
    if alpha is not None and not alpha <= 1:
        raise ArgumentError(f"{op}: alpha is a share, from 0 to 1, or None, got {alpha!r}")
    wrong = sigmoid(input) * (1 - target) + sigmoid(-input) * target  # the probability of the other class, to all its digits
    losses = bce_with_logits(input, target) * wrong**gamma
    if alpha is not None and alpha >= 0:  # in torchvision it is -1 that weighs nothing
        losses = losses * (alpha * target + (1 - alpha) * (1 - target))
    return reduced(op, losses, reduction, target)


@single
def dice_loss(input: Any, target: Any, *, smooth: float = 1e-5, reduction: str = "mean") -> Tensor:
    """1 - 2 * |both| / (|input| + |target|): how little the regions of an image that are found and those there overlap.

    `input` holds probabilities (N, C, ...) of C classes, or with C = 1 of the one there is, `target` what is there: 0 and 1, or
    probabilities, in that shape, or the labels (N, ...), integers. |both| is the sum of their products over all but the
    first two dims, and the losses, not reduced, (N, C). `smooth` is added above and below, so that where nothing is found and
    nothing there the loss is 0. Milletari, Navab and Ahmadi 2016, in the form of Sudre et al. 2017; PyTorch has none.

    >>> import autograd
    >>> dice_loss(autograd.tensor([[[0.8, 0.6, 0.0]]]), autograd.tensor([[[1.0, 0.0, 0.0]]]))
    tensor(0.3333)
    """
    both, sizes = _overlaps("dice_loss", input, target, smooth)
    return reduced("dice_loss", 1 - (2 * both + smooth) / (sizes + smooth), reduction, target)


@single
def jaccard_loss(input: Any, target: Any, *, smooth: float = 1e-5, reduction: str = "mean") -> Tensor:
    """1 - |both| / |either|: `dice_loss` for the intersection over union, the Jaccard index; all else is as there.

    |either| is |input| + |target| - |both|. Rahman and Wang 2016; PyTorch has none.

    >>> import autograd
    >>> jaccard_loss(autograd.tensor([[[0.8, 0.6, 0.0]]]), autograd.tensor([[[1.0, 0.0, 0.0]]]))
    tensor(0.5000)
    """
    both, sizes = _overlaps("jaccard_loss", input, target, smooth)
    return reduced("jaccard_loss", 1 - (both + smooth) / (sizes - both + smooth), reduction, target)


def _overlaps(op: str, input: Any, target: Any, smooth: float) -> tuple[Any, Any]:
    """Of each example and class, how much of `input` and `target` is the same, and how much they are together."""
    need_tensors(op, input=input, target=target)
    need_float(op, input)
    if input.ndim < 3:
        raise ShapeError(f"{op} needs an input of shape (N, C, ...), got {input.shape}; with one class, input[:, None]")
    if not smooth >= 0:
        raise ArgumentError(f"{op}: smooth is 0 or more, got {smooth!r}")
    if target.dtype.kind in "iu" and target.shape == (input.shape[0], *input.shape[2:]):
        classes = input.shape[1]
        _check_all_labels(op, target, classes)
        target = np.moveaxis(one_hot(target, classes, input.dtype), -1, 1)
    _check_alike(op, input=input, target=target)
    _check_probabilities(op, input, "of logits take the sigmoid, or softmax(1)")
    axes = tuple(range(2, input.ndim))
    return (input * target).sum(axes), (input + target).sum(axes)


@single
def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target * (log(target) - input): how far the log-probabilities `input` are from the probabilities `target`.

    Kullback and Leibler 1951; PyTorch: torch.nn.functional.kl_div. The divergence is the sum over the last dim, so for a
    batch of distributions take `reduction="batchmean"`, the sum divided by the length of the first dim; the 'mean' is over
    all numbers. Where `target` is 0 so is the loss. With `log_target`, `target` holds logarithms as well.

    >>> import autograd
    >>> p, q = autograd.tensor([[0.5, 0.5, 0.0]]), autograd.tensor([[0.25, 0.25, 0.5]])
    >>> kl_div(q.log(), p, reduction="batchmean")
    tensor(0.6931)
    """
    op = "kl_div"
    check_reduction(op, reduction, ("mean", "sum", "none", "batchmean"))
    _check_alike(op, input=input, target=target)
    need_float(op, target, "target")
    p = exp(target) if log_target else target
    none = p == 0  # infinite logarithms do not count there, nor do their gradients
    log_p = where(none, 0.0, target) if log_target else log(where(none, 1.0, target))
    losses = p * (log_p - where(none, 0.0, input))
    if reduction != "batchmean":
        return reduced(op, losses, reduction, target)
    if not losses.array.size:
        raise ShapeError(f"{op}: there is no mean over an empty batch; target has shape {target.shape}")
    return reduced(op, losses, "mean", target, (input.shape or (1,))[0])


# ---------------------------------------------------------------- one right class
@single
def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Minus the log-probability in `input` of the right class: `cross_entropy` after `log_softmax` (torch's of the same name)."""
    _check_classes("nll_loss", input, target, weight)
    if input.ndim == 1:
        return nll_loss(input[None], target[None], weight, ignore_index=ignore_index, reduction=reduction).reshape(())
    return _over_labels("nll_loss", _picked, input, target, weight, ignore_index, reduction)[0]


def _picked(input: Any, labels: Any) -> Any:
    return -gather(input, labels[:, None], 1)[:, 0]


@single
def cross_entropy(
    input: Any, target: Any, weight: Any = None, *,
    ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Minus the logarithm of the probability, softmax(input), of the right class (torch.nn.functional.cross_entropy).

    `input` holds logits, (n, classes) or (n, classes, ...) or (classes,); `target` the labels, integers of that shape
    without the classes; or, in the shape of `input`, a probability for each class. Classes can be given a `weight` (the
    mean is then weighted too), labels equal to `ignore_index` do not count, and `label_smoothing` is the share of the
    target that is spread over all classes. Raises ShapeError, DtypeError, and DimError for a label that is no class;
    warns if softmax was applied to `input` already, at the first call from each line.

    >>> import autograd
    >>> cross_entropy(autograd.tensor([[0.0, 0.0], [0.0, 0.0]]), autograd.tensor([0, 1]))
    tensor(0.6931)
    """
    op = "cross_entropy"
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"{op}: label_smoothing is a share, from 0 to 1, got {label_smoothing!r}")
    _check_classes(op, input, target, weight, probabilities=True)
    caller: Any = sys._getframe(1)
    while caller.f_globals.get("__name__") in (__name__, spelling.__name__, accumulate.__name__):  # itself, and what wraps it
        caller = caller.f_back
    if (place := (id(caller.f_code), caller.f_lineno)) not in _callers:
        _callers[place] = caller.f_code
        if not caller.f_globals.get("__name__", "").startswith("nn."):  # a module looks for itself
            warn_of_probabilities(op, input)
    if input.ndim == 1:
        options: dict[str, Any] = dict(ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)
        return cross_entropy(input[None], target[None], weight, **options).reshape(())
    if target.dtype.kind == "f":
        return _over_probabilities(op, input, target, weight, reduction, label_smoothing)
    loss, spread = _over_labels(op, _cross_entropies, input, target, weight, ignore_index, reduction, label_smoothing > 0)
    return loss if spread is None else loss * (1 - label_smoothing) + spread * label_smoothing


def _cross_entropies(input: Any, labels: Any) -> Any:
    return softmax_cross_entropy(input, labels)[0]


_callers: dict[tuple[int, int], Any] = {}  # the lines that have called, and their code, which keeps its id for itself


def warn_of_probabilities(op: str, input: Any) -> bool:
    """Warn, naming the user's line, if all rows of `input` sum to one already, as softmax makes them. Was it looked at?"""
    if mode().tape is not None:
        return False
    scores, axis = whole(input), min(1, input.ndim - 1) - input.ndim
    if not scores.size or scores.shape[axis] == 1 or _least(scores) < 0:
        return True
    if _largest(np.abs(np.sum(scores, axis=axis) - 1)) <= np.finfo(scores.dtype).eps ** 0.5:
        what = "every row of input sums to one, as if softmax had been applied to it"
        advice = f"{op} takes logits and does that itself: leave it out, or take the logarithm and nll_loss"
        warn(f"{op}: {what}; {advice}")
    return True


def _check_classes(op: str, input: Any, target: Any, weight: Any, probabilities: bool = False) -> None:
    """Do scores for classes, labels (or, if they may be, `probabilities`) and weights fit together?"""
    need_tensors(op, input=input, target=target)
    need_float(op, input, "input")
    at = min(1, input.ndim - 1)  # the dim of the classes
    if at < 0 or not input.shape[at]:
        raise ShapeError(f"{op} needs an input of shape (n, classes), got {input.shape}")
    classes, labels = input.shape[at], input.shape[:at] + input.shape[at + 1 :]
    if weight is not None:
        need_tensors(op, weight=weight)
        if weight.shape != (classes,):
            raise ShapeError(f"{op}: weight has one number for each of {classes} classes, not shape {weight.shape}")
        need_dtype_of(op, "input", input, weight=weight)
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
    counts = _counted(op, input.shape[1], target, ignore_index, reduction)
    labels = target if counts is None else where(counts, target, 0)
    parts = weights = None if weight is None else weight[labels]
    if counts is not None:
        parts = counts if weights is None else weights * counts
    parts = None if parts is None else parts.sum()

    def over(losses: Any, tell: bool = True) -> Any:
        return reduced(op, losses if counts is None else where(counts, losses, 0.0), reduction, target, parts, tell)

    losses = each(input, labels)
    loss = over(losses if weights is None else losses * weights)
    return loss, over(-_weigh_classes(log_softmax(input, 1), weight).mean(1), False) if smooth else None


def _counted(op: str, classes: int, target: Any, ignore_index: int, reduction: str) -> Any:
    """Where a label is not `ignore_index`, or None for everywhere. Raises DimError for no class; warns of a mean of none."""

    def look(labels: Any) -> None:
        if labels.size and (_least(labels) < 0 or _largest(labels) >= classes):
            check_labels(op, labels, (labels >= 0) & (labels < classes) | (labels == ignore_index), classes)

    checked(look, target)
    labels = whole(target)
    if mode().tape is None and not 0 <= ignore_index < classes and not (labels.size and _least(labels) < 0):
        return None  # but a tape must not depend on which labels happen to be there
    counts = target != ignore_index
    if reduction == "mean" and mode().tape is None and labels.size and not np.any(whole(counts)):
        what = f"{op}: every label is {ignore_index}, the ignore_index, so there is nothing to average, and the mean is NaN"
        warn(what)
    return counts


def check_labels(op: str, labels: Any, good: Any, classes: int, but: str = "") -> None:
    """Raise DimError for the first label that is not good."""
    if not np.all(good):
        wrong = tuple(int(i[0]) for i in np.nonzero(~good))
        place = ", ".join(map(str, wrong))
        raise DimError(
            f"{op}: label {labels[wrong]} at position {place} is not one of the {classes} classes, 0 to {classes - 1}{but}"
        )


def _check_all_labels(op: str, target: Any, classes: int, least: int = 0, but: str = "") -> None:
    """Raise DimError for the first label that is no class."""
    checked(lambda labels: check_labels(op, labels, (labels >= least) & (labels < classes), classes, but), target)


def _over_probabilities(op: str, input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float) -> Any:
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[1]
    return reduced(op, -_weigh_classes(log_softmax(input, 1) * target, weight).sum(1), reduction, target)


def _weigh_classes(scores: Any, weight: Any) -> Any:
    return scores if weight is None else scores * weight.reshape(-1, *(1,) * (scores.ndim - 2))


# ---------------------------------------------------------------- margins: the right one is to win by so much
@single
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
) -> Tensor:  # fmt: skip
    """By how much each wrong class comes closer to the right one than `margin`, to the power of `p`, averaged over the classes.

    sum(max(0, margin - input[target] + input[i]) ** p for i != target) / classes, times the `weight` of the right class;
    `p` is 1 or 2. Shape: (n, classes) or (classes,), with labels (n,) or (). Crammer and Singer 2001; PyTorch:
    torch.nn.functional.multi_margin_loss.
    """
    op = "multi_margin_loss"
    if p not in (1, 2):
        raise ArgumentError(f"{op}: p is 1 or 2, got {p!r}")
    _check_classes(op, input, target, weight)
    classes = _check_rows(op, input)
    _check_all_labels(op, target, classes)
    short = relu(margin - gather(input, target[..., None], input.ndim - 1) + input)
    losses = where(one_hot(target, classes, np.dtype(bool)), 0.0, short if p == 1 else square(short)).sum(-1) / classes
    return reduced(op, losses if weight is None else losses * weight[target], reduction, target)


@single
def multilabel_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """By how much each wrong class comes closer than 1 to each of the right ones, averaged over the classes.

    sum(max(0, 1 - input[j] + input[i]) for j right and i not) / classes. A row of `target` lists the right classes; the
    first -1 ends the list. Shape: both (n, classes) or (classes,). PyTorch: torch.nn.functional.multilabel_margin_loss.
    """
    op = "multilabel_margin_loss"
    need_tensors(op, input=input, target=target)
    need_float(op, input, "input")
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{op}: labels are integers, not {target.dtype} {target.shape}; use long()")
    if input.shape != target.shape:
        raise ShapeError(f"{op}: input {input.shape} goes with lists of labels of the same shape, got {target.shape}")
    classes = _check_rows(op, input)
    _check_all_labels(op, target, classes, -1, ", nor -1")
    listed = (target < 0).cumsum(-1) == 0
    target = where(listed, target, 0)
    right = (one_hot(target, classes, np.dtype(bool)) & listed[..., None]).any(-2)
    short = relu(1 - gather(input, target, input.ndim - 1)[..., None] + input[..., None, :])
    losses = where(listed[..., None] & ~right[..., None, :], short, 0.0).sum((-2, -1)) / classes
    return reduced(op, losses, reduction, target)


def _check_rows(op: str, input: Any) -> int:
    """How many classes there are."""
    if input.ndim not in (1, 2) or not input.shape[-1]:
        raise ShapeError(f"{op} needs an input of shape (n, classes) or (classes,), got {input.shape}")
    return int(input.shape[-1])


@single
def soft_margin_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target * input)), for labels 1 and -1, without overflow (torch.nn.functional.soft_margin_loss)."""
    _check_alike("soft_margin_loss", input=input, target=target)
    return reduced("soft_margin_loss", log1pexp(-target * input), reduction, target)


@single
def log_cosh_loss(input: Any, target: Any, *, reduction: str = "mean") -> Tensor:
    """log(cosh(input - target)): about half the square where they are close, the distance less log(2) where they are far apart.

    Smooth everywhere, unlike `huber_loss`. PyTorch has none.

    >>> import autograd
    >>> log_cosh_loss(autograd.tensor([0.0, 100.0]), autograd.tensor([1.0, 0.0]), reduction="none")
    tensor([ 0.4338, 99.3069])
    """
    _check_alike("log_cosh_loss", input=input, target=target)
    away = input - target
    return reduced("log_cosh_loss", logaddexp(away, -away) - math.log(2), reduction, target)


@single
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """max(0, -target * (input1 - input2) + margin): the first is to be larger if `target` is 1, smaller if it is -1.

    All have one shape. PyTorch: torch.nn.functional.margin_ranking_loss.
    """
    op = "margin_ranking_loss"
    _check_alike(op, floats=False, input1=input1, input2=input2, target=target)
    return reduced(op, clip_min(-target * (input1 - input2) + 1.0 * margin, 0), reduction, target)


@single
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """`input`, a distance, where `target` is 1, and max(0, margin - input) where it is -1.

    Both have one shape. PyTorch: torch.nn.functional.hinge_embedding_loss.
    """
    op = "hinge_embedding_loss"
    _check_alike(op, floats=False, input=input, target=target)
    _check_signs(op, target)
    return reduced(op, where(target == 1, input, clip_min(margin - input, 0)), reduction, target)


# ---------------------------------------------------------------- how far embeddings are from others
@single
def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """1 - cos(input1, input2) where `target` is 1, and max(0, cos(input1, input2) - margin) where it is -1.

    Shape: (n, d), (n, d) and (n,); or (d,), (d,) and (). PyTorch: torch.nn.functional.cosine_embedding_loss.
    """
    op = "cosine_embedding_loss"
    _check_alike(op, floats=False, input1=input1, input2=input2)
    need_tensors(op, target=target)
    if input1.ndim not in (1, 2) or target.shape != input1.shape[:-1]:
        raise ShapeError(f"{op} needs inputs (n, d) with a target (n,), or (d,) with (); got {input1.shape} and {target.shape}")
    _check_signs(op, target)
    lengths = [sqrt(square(x).sum(-1) + 1e-12) for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / (lengths[0] * lengths[1])
    return reduced(op, where(target == 1, 1 - cosine, clip_min(cosine - margin, 0)), reduction, target)


@single
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-06, swap: bool = False, *,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, |anchor - positive| - |anchor - negative| + margin): the like is to be closer than the unlike, by a margin.

    The distance is the norm of order `p` of the difference, to which `eps` is added. `swap` takes the negative's distance
    from the positive instead, if that is smaller. Shape: three times (n, d) or (d,). Balntas et al. 2016; PyTorch:
    torch.nn.functional.triplet_margin_loss.
    """

    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(x, y, p, eps)

    return _triplet("triplet_margin_loss", distance, anchor, positive, negative, margin, swap, reduction)


@single
def triplet_margin_with_distance_loss(
    anchor: Any, positive: Any, negative: Any, *,
    distance_function: Callable[[Any, Any], Any] | None = None, margin: float = 1.0, swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """`triplet_margin_loss` with a distance of your own (torch.nn.functional.triplet_margin_with_distance_loss).

    >>> import autograd
    >>> a, p, n = autograd.tensor([[0.0], [0.0]]), autograd.tensor([[1.0], [1.0]]), autograd.tensor([[5.0], [1.5]])
    >>> distance = lambda x, y: (x - y).abs().sum(-1)
    >>> triplet_margin_with_distance_loss(a, p, n, distance_function=distance, reduction="none")
    tensor([0.0000, 0.5000])
    """
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplet("triplet_margin_with_distance_loss", distance, anchor, positive, negative, margin, swap, reduction)


def _triplet(op: str, distance: Any, anchor: Any, positive: Any, negative: Any, margin: float, swap: bool, reduction: str) -> Any:
    _check_positive(op, "margin", margin)
    _check_alike(op, floats=False, anchor=anchor, positive=positive, negative=negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(op, clip_min(near - far + margin, 0), reduction, negative)
