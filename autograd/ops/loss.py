"""Losses: each a single op, whose gradient is simpler than those of the steps it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.accumulate import total
from ..engine.graph import Array
from ..engine.primitive import primitive
from .elementwise import sigmoid
from .fused import softmax_
from .index import gather, ungather, unslice


def _cross_entropy(x: Array, labels: Array) -> Array:
    z = x - np.maximum.reduce(x, axis=1, keepdims=True)  # np.max takes a microsecond longer, which shows in small steps
    return np.log(total(np.exp(z), (1,))) - gather(z, labels[:, None], 1)[:, 0]


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
    return x * ((x > 0) - t) + np.log1p(np.exp(-np.abs(x)))


def _huber(x: Array, delta: float = 1.0) -> Array:
    size = np.abs(x)
    near = np.minimum(size, delta)
    return near * (size - 0.5 * near)


# ---------------------------------------------------------------- CTC: all alignments of labels with an output, step by step
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


# fmt: off
cross_entropy_   = primitive(_cross_entropy, "cross_entropy",
                                        x=lambda g, x, labels, x_shape: g[:, None] * softmax_(x, 1) - ungather(g[:, None], labels[:, None], 1, x_shape))
bce_             = primitive(_bce, "binary_cross_entropy",
                                        x=lambda g, x, t: g * (x - t) / np.maximum(x * (1 - x), 1e-12),
                                        t=lambda g, x: g * (_log1p(-x) - _log(x)),   singular=True, promote=slice(None))
bce_with_logits_ = primitive(_bce_with_logits, "binary_cross_entropy_with_logits",
                                        x=lambda g, x, t: g * (sigmoid(x) - t),
                                        t=lambda g, x: -g * x,                       singular=True, promote=slice(None))
huber_           = primitive(_huber, "huber", x=lambda g, x, delta: g * np.clip(x, -delta, delta), singular=True)
ctc_states_      = primitive(_ctc_states, "ctc_states")
ctc_step_        = primitive(_ctc_step, "ctc_step", joint=_pull_ctc_step)
# fmt: on
