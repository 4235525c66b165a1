"""Right, everywhere: at the edges of what arrays can be, every op does what it does in the middle, or says what is wrong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from samples import SAMPLES
from strategies import Source
from test_ops import Function, leaves, records, smooth, tensors

import autograd
from autograd.errors import AutogradError
from autograd.tensor import Tensor, wrap


# ---------------------------------------------------------------- many calls, made quickly
class Quick(Source):
    """Structure comes from one seed, numbers from another; every side is `side` long, if it may be."""

    def __init__(self, seed, numbers=0, dtype=np.float64, side=None):
        self.choices, self.rng = np.random.default_rng(seed), np.random.default_rng(numbers)
        self.dtype, self.arrays, self.side = np.dtype(dtype), 0, side

    def pick(self, *choices):
        return choices[self.choices.integers(len(choices))]

    def between(self, low, high):
        return int(self.choices.integers(low, high + 1))

    def length(self, least=0, most=3):
        return super().length(least, most) if self.side is None else max(least, self.side)

    def dims(self, ndim, least=0):
        chosen = self.choices.permutation(ndim)[: self.between(min(least, ndim), ndim)]
        return tuple(int(d) - ndim * self.pick(0, 1) for d in chosen)


def some_calls(sample, number, **options):
    return [sample.make(Quick(seed, **options)) for seed in range(number)]


def outcome(sample, call, order=1):
    """The results of a call, and their gradients; or the kind of error that it raises."""
    call, xs = tensors(call, sample.smooth)
    try:
        ys = leaves(call.run(sample.op))
        found = list(ys)
        ys = [y for y in ys if isinstance(y, Tensor) and y.requires_grad]
        for n in range(order if ys else 0):
            us = [wrap(np.asarray(np.cos(np.arange(y.array.size)).reshape(y.shape), y.dtype)) for y in ys]
            ys = autograd.grad(ys, xs, us, create_graph=n + 1 < order, materialize_grads=True)
            found += ys
            ys = [y for y in ys if y.requires_grad]
            if not ys:
                break
        return found
    except AutogradError as error:
        return type(error)


def assert_same(found, expected, **tolerance):
    if isinstance(expected, type) or isinstance(found, type):
        assert found is expected
        return
    for y, e in zip(found, expected, strict=True):
        assert getattr(y, "dtype", None) == getattr(e, "dtype", None)
        assert_allclose(getattr(y, "array", y), getattr(e, "array", e), **(tolerance or {"rtol": 1e-11, "atol": 1e-12}))


# ---------------------------------------------------------------- memory laid out in any way
LAYOUTS = {
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "transposed": lambda a: a.T.copy().T,
    "every other": lambda a: np.repeat(a, 2, -1)[..., ::2] if a.ndim else a,
    "read-only": lambda a: np.broadcast_to(a, a.shape),
}


@records()
def test_any_layout(sample):
    """What is not contiguous in memory gives the same values and gradients as a copy that is."""
    for call in some_calls(sample, 2):
        expected = outcome(sample, call.map(np.copy))
        for lay in LAYOUTS.values():
            assert_same(outcome(sample, call.map(lambda a, lay=lay: np.asarray(lay(a)))), expected)


@records()
def test_broadcast_inputs(sample):
    """So do arrays all of whose rows lie in the same memory."""
    for call in some_calls(sample, 2):
        flat = call.map(lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else a)
        with np.errstate(all="ignore"):
            assert_same(outcome(sample, flat), outcome(sample, flat.map(np.copy)))


# ---------------------------------------------------------------- dims of size 0 and 1, and none
@records()
@pytest.mark.parametrize("side", [0, 1])
def test_short_sides(sample, side):
    """To second order: nothing raises but errors of ours, and gradients have their shapes."""
    for call in some_calls(sample, 6, side=side):
        with np.errstate(all="ignore"):
            found = outcome(sample, call, order=2)
        if isinstance(found, type):
            continue
