"""The steps of recurrent networks, each as one op of several results, whose gradients share work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.ops.join import filled


def gate_scale(like: Array, *scales: float) -> Array:
    """For `gates`, an array like `like`: how much each of some gates in a row is scaled, 0.5 for sigmoid and 1 for tanh."""
    width = like.shape[-1] // len(scales)
    return np.concatenate([np.full_like(like, scale, shape=(width,)) for scale in scales])


def gates(z: Array, scale: Array) -> Array:
    """tanh where `scale` is 1, sigmoid where it is 0.5, which is a tanh as well: scale * tanh(scale * z) + 1 - scale."""
    return np.tanh(z * scale) * scale + (1 - scale)


def slope(a: Array, scale: Array) -> Array:
    """The derivative of `gates`, by its result: 1 - a * a for tanh, a * (1 - a) for sigmoid."""
    return scale * scale - (a - (1 - scale)) ** 2


def parts(a: Array, n: int) -> list[Array]:
    """n gates that stand in a row."""
    width = a.shape[-1] // n
    return [a[..., i * width : (i + 1) * width] for i in range(n)]


def _lstm_step(z: Array, c: Array, scale: Array) -> tuple[Array, ...]:
    a = gates(z, scale)
    i, f, g, o = parts(a, 4)
    new = f * c + i * g
    t = np.tanh(new)
    return o * t, new, a, t


def _pull_lstm_step(gs: Sequence[Array], c: Array, scale: Array, out: Sequence[Array], out_shape: Any) -> list[Any]:
    g_h, g_c, g_a, g_t = filled(gs, out_shape)
    _, _, a, t = out
    i, f, g, o = parts(a, 4)
    g_c = g_c + (g_h * o + g_t) * (1 - t * t)
    g_a = g_a + np.concatenate([g_c * g, g_c * c, g_c * i, g_h * t], -1)
    return [g_a * slope(a, scale), g_c * f]


def _gru_step(x: Array, y: Array, h: Array, scale: Array) -> tuple[Array, ...]:
    width = h.shape[-1]
    a = gates(x[..., : 2 * width] + y[..., : 2 * width], scale)
    r, z = parts(a, 2)
    n = np.tanh(x[..., 2 * width :] + r * y[..., 2 * width :])
    return n + z * (h - n), a, n


def _pull_gru_step(gs: Sequence[Array], y: Array, h: Array, scale: Array, out: Sequence[Array], out_shape: Any) -> list[Any]:
    g, g_a, g_n = filled(gs, out_shape)
    _, a, n = out
    r, z = parts(a, 2)
    g_n = (g_n + g * (1 - z)) * (1 - n * n)
    last = y[..., 2 * h.shape[-1] :]
    g_a = (g_a + np.concatenate([g_n * last, g * (h - n)], -1)) * slope(a, scale)
    return [np.concatenate([g_a, g_n], -1), np.concatenate([g_a, g_n * r], -1), g * z]


# fmt: off
lstm_step: Any = primitive(_lstm_step, "lstm_step", joint=_pull_lstm_step,
            says="One step of an LSTM from the sums z at its gates and its cell c: state, cell, gates (torch.nn.LSTMCell).")
gru_step: Any  = primitive(_gru_step, "gru_step",   joint=_pull_gru_step,
            says="One step of a GRU from the sums x and y at its gates and its hidden state h (torch.nn.GRUCell).")
# fmt: on
