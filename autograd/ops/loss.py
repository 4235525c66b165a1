"""Losses as single ops, whose gradients are simpler than those of the steps they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import Array
from ..primitive import primitive
from .elementwise import sigmoid
from .index import scatter_


def _cross_entropy(x: Array, labels: Array) -> Array:
    z = x - np.max(x, axis=1, keepdims=True)
    picked = np.take_along_axis(z, np.expand_dims(labels, 1), 1)
    return np.squeeze(np.log(np.sum(np.exp(z), axis=1, keepdims=True)) - picked, 1)


def _pull_cross_entropy(g: Array, x: Array, labels: Array, out: Array, x_shape: Any) -> Array:
    """softmax(x) less 1 at the label; log(sum(exp(x))) is what the loss and the label's score add up to."""
    labels = np.expand_dims(labels, 1)
    g = np.expand_dims(g, 1)
    p = np.exp(x - np.take_along_axis(x, labels, 1) - np.expand_dims(out, 1))
    return g * p - scatter_(g, labels, 1, x_shape)


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
cross_entropy_ = primitive(_cross_entropy, "cross_entropy", x=_pull_cross_entropy)
bce_ = primitive(_bce, "binary_cross_entropy", x=lambda g, x, t: g * (x - t) / np.maximum(x * (1 - x), 1e-12),
                                               t=lambda g, x: g * (_log1p(-x) - _log(x)), singular=True, promote=slice(None))
bce_with_logits_ = primitive(_bce_with_logits, "binary_cross_entropy_with_logits", x=lambda g, x, t: g * (sigmoid(x) - t),
                                               t=lambda g, x: -g * x, singular=True, promote=slice(None))
# fmt: on
