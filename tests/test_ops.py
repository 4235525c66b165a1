"""What holds for every op, driven by the records in samples.py."""

import numpy as np
import pytest
from foreign import Foreign
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from samples import FUNCTIONS, PRIMITIVES, SAMPLES
from strategies import calls

import autograd
from autograd.graph import ambient
from autograd.methods import ONLY_METHODS
from autograd.tensor import NUMPY, Tensor, wrap


def records(property="", where=lambda sample: True):
    """Run a test for each record that does not say why it is exempt from this property."""
    chosen = [s for s in SAMPLES if where(s) and property not in s.exempt]
    return pytest.mark.parametrize("sample", chosen, ids=lambda s: s.name)


def smooth(sample):
    return sample.smooth


def tensors(call, requires_grad=False, kind=lambda a: a):
    """The call with a Tensor for each array, and the Tensors of floats among them."""
    call = call.map(lambda a: wrap(kind(a)))
    if requires_grad:
        for x in call.inputs():
            x.requires_grad_()
    return call, call.inputs()


def leaves(result):
    """The results of an op that may have several."""
    return [r for part in result for r in leaves(part)] if isinstance(result, (tuple, list)) else [result]


def host(value):
    """The ndarray in a Tensor, also if it wraps a foreign array."""
    value = getattr(value, "array", value)
    return getattr(value, "host", value)


def directions(rng, arrays):
    """Directions to differentiate in: one at random for each array, others zero; all axes of small ones."""
    for i, x in enumerate(arrays):
        axes = np.eye(x.size).reshape(-1, *x.shape) if 0 < x.size <= 3 else rng.uniform(-1, 1, (1, *x.shape))
        for v in axes:
            yield [v if j == i else np.zeros(y.shape) for j, y in enumerate(arrays)]


def slope(f, xs, vs, h=1e-4):
    """The derivative of f at xs in the direction vs, by differences of fourth order."""
    f1, f2, f3, f4 = (f([x + k * h * v for x, v in zip(xs, vs, strict=True)]) for k in (-2, -1, 1, 2))
    return (f1 - 8 * f2 + 8 * f3 - f4) / (12 * h)


def inner(us, ys):
    return sum(np.sum(host(u) * host(y)) for u, y in zip(us, ys, strict=True))


class Function:
    """A call as a function of its inputs, and its gradient."""

    def __init__(self, sample, call, seed=0, kind=lambda a: a):
        self.op, self.call, self.kind = sample.op, call, kind
        self.xs, self.rng = call.inputs(), np.random.default_rng(seed)
        out = self.results(tensors(call)[0])
        self.us = [self.rng.uniform(-1, 1, y.shape).astype(y.dtype) for y in out]

    def results(self, call):
        return [y for y in leaves(call.run(self.op)) if isinstance(y, Tensor) and y.dtype.kind == "f"]

    def __call__(self, xs):
        return self.results(tensors(self.call.put(xs))[0])

    def pull(self, xs, us, create_graph=False):
        """The gradients of the results, weighted by us, as Tensors: at xs, which are returned as well."""
        call, xs = tensors(self.call.put(xs), True, self.kind)
        us = [u if isinstance(u, Tensor) else wrap(self.kind(u)) for u in us]
        return autograd.grad(self.results(call), xs, us, create_graph=create_graph, materialize_grads=True), xs

    def second(self, vs):
        """The gradients of <gradients, vs> with respect to the inputs and to us."""
        us = [wrap(self.kind(u)).requires_grad_() for u in self.us]
        gs, xs = self.pull(self.xs, us, create_graph=True)
        total = sum(np.sum(g * wrap(self.kind(v))) for g, v in zip(gs, vs, strict=True))
        if not total.requires_grad:
            return [wrap(np.zeros_like(x.array)) for x in [*xs, *us]]
        return autograd.grad(total, [*xs, *us], materialize_grads=True)


# ---------------------------------------------------------------- the records cover the table
def test_every_primitive_has_a_record():
    """Of its name, whose op really runs it."""
    ran = set()
    for sample in SAMPLES:
        tape = []

        @given(calls(sample))
        def run(call, sample=sample, tape=tape):
            with ambient(tape=tape):
                tensors(call)[0].run(sample.op)

        run()
        ran |= {entry[0] for entry in tape if sample.name == getattr(entry[0], "name", "") or entry[0] is sample.op}
    assert {name for name, op in PRIMITIVES.items() if op not in ran} == set()


def test_every_function_has_a_record():
    ops = {s.op for s in SAMPLES}
    assert {name for name, op in FUNCTIONS.items() if op not in ops} == set()
    assert {f.__name__ for f, op in NUMPY.items() if op not in ops and f not in ops} == set()


# ---------------------------------------------------------------- values
@records()
@given(st.data())
def test_value(sample, data):
    """The value is what NumPy computes."""
    call = data.draw(calls(sample))
    with np.errstate(all="ignore"):
        expected = leaves(call.run(sample.reference))
    found = leaves(tensors(call)[0].run(sample.op))
    assert len(found) == len(expected)
    for y, e in zip(found, expected, strict=True):
        assert np.shape(y) == np.shape(e)
        assert_allclose(host(y), e, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- derivatives
@records(where=smooth)
@given(st.data())
def test_first_order(sample, data):
    """The gradient is what finite differences say."""
    f = Function(sample, data.draw(calls(sample)))
    gs, _ = f.pull(f.xs, f.us)
    for vs in directions(f.rng, f.xs):
        assert_allclose(inner(gs, vs), slope(lambda xs: inner(f.us, f(xs)), f.xs, vs), rtol=1e-8, atol=1e-8)


@records(where=smooth)
@given(st.data())
def test_second_order(sample, data):
    """The gradient of the gradient is what finite differences of the gradient say; in the upstream gradient it is linear."""
    f = Function(sample, data.draw(calls(sample)))
    vs = [f.rng.uniform(-1, 1, x.shape) for x in f.xs]
    seconds = f.second(vs)
    for ws in directions(f.rng, f.xs):
        expected = slope(lambda xs: inner(f.pull(xs, f.us)[0], vs), f.xs, ws)
        assert_allclose(inner(seconds[: len(ws)], ws), expected, rtol=1e-7, atol=1e-7)
    ws = [f.rng.uniform(-1, 1, u.shape) for u in f.us]
    assert_allclose(inner(seconds[len(f.xs) :], ws), inner(f.pull(f.xs, ws)[0], vs), rtol=1e-10, atol=1e-10)


@records(where=smooth)
@given(st.data())
def test_gradient_is_linear(sample, data):
    """In the gradient that comes in; of exact zeros it makes exact zeros."""
    f = Function(sample, data.draw(calls(sample)))
    a, b = f.us, [f.rng.uniform(-1, 1, u.shape) for u in f.us]
    both, _ = f.pull(f.xs, [2 * u - 3 * w for u, w in zip(a, b, strict=True)])
    for g, first, second in zip(both, f.pull(f.xs, a)[0], f.pull(f.xs, b)[0], strict=True):
        assert_allclose(g.array, 2 * first.array - 3 * second.array, rtol=1e-11, atol=1e-11)
    for g in f.pull(f.xs, [np.zeros_like(u) for u in f.us])[0]:
        assert_array_equal(g.array, np.zeros(g.shape))


@records(where=lambda sample: not sample.smooth)
@given(st.data())
def test_no_gradient_from_what_has_none(sample, data):
    for y in leaves(tensors(data.draw(calls(sample)), True)[0].run(sample.op)):
        assert not getattr(y, "requires_grad", False)
