"""The records of nn/functional/recurrent.py: the steps of recurrent networks, gate by gate."""

import numpy as np
from samples import Sample
from samples_nn import sigmoid
from strategies import call

from autograd.engine.tensor import wrap
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


SAMPLES = [
    Sample("lstm_step", lstm_call, lstm, with_scale(lstm_step, 4, 0.5, 0.5, 1, 0.5)),
    Sample("gru_step", gru_call, gru, with_scale(gru_step, 2, 0.5, 0.5)),
]
