"""The layers and losses without parameters of their own, as functions: what the modules of this package compute."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.errors import ArgumentError, DimError, DtypeError, ShapeError, UnsupportedError
from autograd.graph import Array, mode
from autograd.ops import elementwise, resample, shape, window
from autograd.ops.elementwise import erf, sigmoid, square, tanh, where
from autograd.ops.fused import cross_entropy_, linear_, log_softmax, softmax
from autograd.ops.index import gather_, one_hot_
from autograd.ops.resample import *  # noqa: F403 (padding, interpolation: the names in its __all__)
from autograd.ops.window import *  # noqa: F403 (convolution, pooling)
from autograd.primitive import primitive
from autograd.random import Generator, bernoulli_, default_generator
from autograd.tensor import Tensor

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "elu", "flatten", "gelu", "l1_loss",
    "leaky_relu", "linear", "log_softmax", "logsigmoid", "mse_loss", "nll_loss", "one_hot", "relu", "sigmoid", "silu",
    "softmax", "softplus", "tanh", *resample.__all__, *window.__all__,
]  # fmt: skip

flatten = shape.flatten


# ---------------------------------------------------------------- the table: three more primitives
def _bce(x: Array, t: Array) -> Array:
    return -(t * _log(x) + (1 - t) * _log1p(-x))


def _log(x: Array) -> Array:
    """log(x), but at least -100, so that no loss is infinite."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100)


def _log1p(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log1p(x), -100)


def _bce_with_logits(x: Array, t: Array) -> Array:
    return np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))


# fmt: off
softplus_ = primitive(lambda x: np.logaddexp(x, 0), "softplus", x=lambda g, x: g * sigmoid(x), promote=slice(None))
bce_ = primitive(_bce, "binary_cross_entropy", x=lambda g, x, t: g * (x - t) / np.maximum(x * (1 - x), 1e-12),
                                               t=lambda g, x: g * (_log1p(-x) - _log(x)), promote=slice(None))
bce_with_logits_ = primitive(_bce_with_logits, "binary_cross_entropy_with_logits", x=lambda g, x, t: g * (sigmoid(x) - t),
                                               t=lambda g, x: -g * x, promote=slice(None))
# fmt: on


# ---------------------------------------------------------------- layers
def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias` (torch.nn.functional.linear).

    Shape: (..., in), (out, in) and (out,) give (..., out).
    """
    return linear_(input, weight, bias)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Integers as rows of zeros with a 1 at that place; as many classes as needed by default (torch.nn.functional.one_hot).

    >>> import autograd
    >>> one_hot(autograd.tensor([0, 2]), num_classes=3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    _need_tensors("one_hot", tensor=tensor)
    if tensor.dtype.kind not in "iu":
        raise DtypeError(f"one_hot needs integers, not {tensor.dtype}; use long()")
    if not tensor.numel() and num_classes < 0:
        raise ArgumentError("one_hot: say num_classes for a tensor without elements")
    low, high = (int(tensor.array.min()), int(tensor.array.max())) if tensor.numel() else (0, -1)
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes:
        raise ArgumentError(f"one_hot: values are classes, 0 to {classes - 1}; got {low} to {high}")
    return one_hot_(tensor, classes, np.dtype(np.int64))


def dropout(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Any:
    """Zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p), so that the mean stays.

    Without `training`, the input itself. Srivastava et al. 2014; PyTorch: torch.nn.functional.dropout.
    """
    _check_probability(p)
    if not training or p == 0:
        return input
    kept = bernoulli_(generator or default_generator, 1 - p, input.shape, input.dtype)
    return _result(input, input * (kept * (0 if p == 1 else 1 / (1 - p))), inplace)


def _check_probability(p: Any) -> None:
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout: p is a probability, from 0 to 1, got {p!r}")


def _result(input: Any, out: Any, inplace: bool) -> Any:
    return input.copy_(out) if inplace else out


# ---------------------------------------------------------------- activations
def relu(input: Any, inplace: bool = False) -> Any:
    """max(input, 0), with derivative 0 at 0 (torch.nn.functional.relu)."""
    return input.relu_() if inplace else elementwise.relu(input)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where it is positive, `negative_slope * input` elsewhere (torch.nn.functional.leaky_relu)."""
    return _result(input, where(input > 0, input, input * negative_slope), inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """`input` where it is positive, `alpha * (exp(input) - 1)` elsewhere (Clevert et al. 2015; torch.nn.functional.elu)."""
    low = input <= 0
    below = elementwise.expm1(where(low, input, 0.0)) * alpha  # the exponential of a large input would overflow
    return _result(input, where(low, below, input), inplace)


def silu(input: Any, inplace: bool = False) -> Any:
    """`input * sigmoid(input)`, also called swish (torch.nn.functional.silu)."""
    return _result(input, input * sigmoid(input), inplace)


def gelu(input: Any, approximate: str = "none") -> Any:
    """`input` times the normal distribution function of it, or its 'tanh' approximation (torch.nn.functional.gelu).

    Hendrycks and Gimpel 2016.
    """
    if approximate == "none":
        return input * (erf(input * 0.5**0.5) + 1) * 0.5
    if approximate != "tanh":
        raise ArgumentError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return input * (tanh((input + input * input * input * 0.044715) * (2 / np.pi) ** 0.5) + 1) * 0.5


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta * input)) / beta, and `input` itself where beta * input > threshold (torch.nn.functional.softplus)."""
    scaled = input * beta
    return where(scaled > threshold, input, softplus_(scaled) / beta)


def logsigmoid(input: Any) -> Any:
    """log(sigmoid(input)), without underflow (torch.nn.functional.logsigmoid)."""
    return -softplus_(-input)


# ---------------------------------------------------------------- what losses share
# Checks look at `.array`: they only ever raise, so a program captured while they pass is the same without them.
def _need_tensors(op: str, **tensors: Any) -> None:
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise UnsupportedError(f"{op}: {name} must be a tensor, not {type(t).__name__}; make one with autograd.tensor()")


def _check_pair(op: str, input: Any, target: Any) -> None:
    _need_tensors(op, input=input, target=target)
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
    _need_tensors(op, **{name: weight})
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
    _need_tensors(op, input=input, target=target)
    if input.dtype.kind != "f":
        raise DtypeError(f"{op} needs a floating-point input, not {input.dtype}; use float()")
    at = min(1, input.ndim - 1)  # the dim of the classes
    if at < 0 or not input.shape[at]:
        raise ShapeError(f"{op} needs an input of shape (n, classes), got {input.shape}")
    classes, labels = input.shape[at], input.shape[:at] + input.shape[at + 1 :]
    if weight is not None:
        _need_tensors(op, weight=weight)
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
