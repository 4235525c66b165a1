"""The records of nn/functional/recurrent.py: the steps of recurrent networks, gate by gate."""

import numpy as np
from samples import Sample
from samples_nn import sigmoid
from strategies import call

from autograd.engine.tensor import wrap
from nn.functional import recurrent
from nn.functional.recurrent import gate_scale, gru_step, lstm_step


def lstm(z, c):
    i, f, g, o = np.split(z, 4, -1)
    a = np.concatenate([sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)], -1)
    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(new), new, a, np.tanh(new)


def gru(x, y, h):
    (xr, xz, xn), (yr, yz, yn) = np.split(x, 3, -1), np.split(y, 3, -1)
    r, z = sigmoid(xr + yr), sigmoid(xz + yz)
    n = np.tanh(xn + r * yn)
    return (1 - z) * n + z * h, np.concatenate([r, z], -1), n


def with_scale(step, which, *scales):
    """A step whose gates get their scales, which are no input: nobody differentiates by them."""
    return lambda *xs: step(*xs, wrap(gate_scale(xs[0].array[..., : which * xs[-1].shape[-1]], *scales)))


def lstm_call(s):
    lead, width = s.shape(dims=(0, 1)), s.length(1)
    return call(s.array((*lead, 4 * width)), s.array((*lead, width)))


def gru_call(s):
    lead, width = s.shape(dims=(0, 1)), s.length(1)
    return call(*(s.array((*lead, n * width)) for n in (3, 3, 1)))


# ---------------------------------------------------------------- whole sequences, one by one, as the textbook has them
def in_steps(sizes, back):
    """For each sequence, its rows in the order in which they are made."""
    starts = np.cumsum([0, *sizes])
    for j in range(max(sizes)):
        rows = [start + j for start, size in zip(starts, sizes, strict=False) if size > j]
        yield j, rows[:: -1 if back else 1]


def plain_sequences(x, h, w, nonlinearity, sizes, back):
    out, bend = np.zeros((len(x), h.shape[1]), h.dtype), {"tanh": np.tanh, "relu": lambda z: z * (z > 0)}[nonlinearity]
    for j, rows in in_steps(sizes, back):
        state = h[j]
        for row in rows:
            out[row] = state = bend(x[row] + w @ state)
    return out


def lstm_sequences(x, h, c, w, p, sizes, back):
    width = c.shape[1]
    states, cells, a = (np.zeros(shape, x.dtype) for shape in ((len(x), h.shape[1]), (len(x), width), (4, len(x), width)))
    for j, rows in in_steps(sizes, back):
        state, cell = h[j], c[j]
        for row in rows:
            state, cell, gates, _ = lstm(x[row] + w @ state, cell)
            states[row] = state = state if p is None else p @ state
            cells[row], a[:, row] = cell, np.split(gates, 4)
    return states, cells, a


def gru_sequences(x, h, w, b, sizes, back):
    width = h.shape[1]
    states, a = np.zeros((len(x), width), x.dtype), np.zeros((4, len(x), width), x.dtype)
    for j, rows in in_steps(sizes, back):
        state = h[j]
        for row in rows:
            y = w @ state + (0 if b is None else b)
            state, gates, n = gru(x[row], y, state)
            states[row], a[:, row] = state, [*np.split(gates, 2), n, y[2 * width :]]
    return states, a


def sequences(gates, *, cell=False, projected=False, bias=False, options=()):
    """Steps of one to three sequences, some shorter, in either direction."""

    def make(s):
        width, most = s.length(1), s.between(1, 3)
        sizes = tuple(sorted((s.between(1, most) for _ in range(s.between(1, 3))), reverse=True))
        sizes = s.pick(sizes, (most,) * len(sizes))
        shown = s.length(1) if projected else width
        shapes = [(sum(sizes), gates * width), (sizes[0], shown), *[(sizes[0], width)] * cell, (gates * width, shown)]
        more = [s.array((shown, width))] * projected + [s.pick(None, s.array((gates * width,)))] * bias
        if cell and not projected:
            more = [None]
        return call(*map(s.array, shapes), *more, *(s.pick(*o) for o in options), sizes, s.pick(False, True))

    return make


SAMPLES = [
    Sample("rnn", sequences(1, options=[("tanh",)]), plain_sequences),
    Sample("lstm", sequences(4, cell=True), lstm_sequences),
    Sample("lstm with a projection", sequences(4, cell=True, projected=True), lstm_sequences, recurrent.lstm),
    Sample("gru", sequences(3, bias=True), gru_sequences),
    Sample("lstm_step", lstm_call, lstm, with_scale(lstm_step, 4, 0.5, 0.5, 1, 0.5)),
    Sample("gru_step", gru_call, gru, with_scale(gru_step, 2, 0.5, 0.5)),
]
