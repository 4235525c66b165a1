"""Random programs: hypothesis writes short programs of ops that share values, and their gradients have to be right."""

from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies import Source
from test_ops import directions, inner, slope

import autograd
from autograd import Tensor

# What a line may compute of {a}, any value so far with at least so many dims, and {b}, one that broadcasts with it.
# What grows is tamed, so that differences stay accurate; what has kinks is left out.
LINES = {
    0: """{a}.sin() | {a} + {b} | {a} - {b} * 0.5 | ({a} * {b}).tanh() | {a} / (1 + {b} * {b}) | -{a} | ({a}.exp() + 1).log()
        | where({b} > 0, {a}, {a}.cos()) | {a}.expand(2, *{a}.shape) | {a}.unsqueeze(0) | {a}.clone() | grown_in_place({a})""",
    1: """{a}.sum(0) | {a}.mean(-1, keepdim=True) | {a}.softmax(-1) | {a}.logsumexp(0) | {a}.cumsum(0) * 0.5 | {a}.var(0, correction=0)
        | {a}.flatten() | {a}[::-1] | {a}[..., ::2] | {a}[0] | {a}[..., None, -1] | {a}[[0, -1, 0]] | {a}[{a}.detach() > -9]
        | {a}.roll(1, 0) | {a}.flip(-1) | cat([{a}, {a}[1:]]) | stack([{a}, {a}.sin()], -1) | overwritten({a}, {b}.mean())
        | {a}.unbind(0) | {a}.split(1) | {a}.chunk(2, -1)""",
    2: """{a}.mT | ({a} @ {a}.mT).tanh() | {a}.tril() | {a}.diagonal() | {a}.reshape(-1) | {a}.movedim(0, -1) | {a}.sum((0, -1))
        | einsum('i...,i...->...', {a}, {a}).sin() | einsum('ij...->j...', {a}).sin() | {a}.unbind(-1)""",
}
LINES = {ndim: [line.strip() for line in lines.split(" | ")] for ndim, lines in LINES.items()}
SHAPES = (), (1,), (3,), (2, 3), (2, 1), (1, 3), (2, 2), (2, 1, 3)


def overwritten(a, value):
    a = a.clone()
    a[0] = value
    return a


def grown_in_place(a):
    a = a * 1.0
    a += 0.5
    a.mul_(0.5)
    return a


NAMES = {f: getattr(autograd, f) for f in ("where", "cat", "stack", "einsum")}
NAMES |= {"overwritten": overwritten, "grown_in_place": grown_in_place}


@dataclass
class Program:
    """Lines of Python, each of which makes values; the inputs are v0, v1, ..."""

    inputs: list
    lines: list
    outputs: list

    def __post_init__(self):
        self.code = compile("\n".join(self.lines), "<program>", "exec")

    def values(self, inputs):
        found = {f"v{i}": x for i, x in enumerate(inputs)}
        exec(self.code, dict(NAMES), found)
        return found

    def loss(self, values):
        """A weighted sum of the outputs."""
        outputs = [values[name] for name in self.outputs]
        return sum((y * autograd.tensor(np.cos(np.arange(y.numel())).reshape(y.shape))).sum() for y in outputs)

    def start(self):
        """The inputs as leaves, and the loss."""
        inputs = [autograd.tensor(x, requires_grad=True) for x in self.inputs]
        return inputs, self.loss(self.values(inputs))


def fits(a, b):
    """Does b broadcast with a, to something small?"""
    try:
        return np.prod(np.broadcast_shapes(a.shape, b.shape)) < 40
    except ValueError:
        return False


@st.composite
def programs(draw):
    """Each line is run as it is drawn, so that the next one fits the shapes."""
    s = Source(draw)
    inputs = [s.array(s.pick(*SHAPES)) for _ in range(s.between(1, 3))]
    lines, values = [], {f"v{i}": autograd.tensor(x) for i, x in enumerate(inputs)}
    for _ in range(s.between(1, 8)):
        a = s.pick(*[name for name, v in values.items() if v.ndim < 4 and v.numel() < 40])
        b = s.pick(*[name for name, v in values.items() if fits(values[a], v)])
        line = s.pick(*chain(*(LINES[n] for n in LINES if n <= values[a].ndim))).format(a=a, b=b)
        result = eval(line, dict(NAMES), values)
        results = (result,) if isinstance(result, Tensor) else result
        names = [f"v{len(values) + i}" for i in range(len(results))]
        lines.append(f"{', '.join(names)}{',' * (results is result)} = {line}")
        values |= dict(zip(names, results, strict=True))
    return Program(inputs, lines, draw(st.lists(st.sampled_from([*values]), min_size=1, max_size=3, unique=True)))


more = settings(max_examples=10 * settings().max_examples)


@more
@given(programs())
def test_gradient_is_what_differences_say(program):
    """To first order, and to second: of the gradient's product with a vector."""
    xs, loss = program.start()
    gs = autograd.grad(loss, xs, create_graph=True, materialize_grads=True)
    rng = np.random.default_rng(0)
    us = [autograd.tensor(rng.uniform(-1, 1, x.shape)) for x in xs]
    product = sum((g * u).sum() for g, u in zip(gs, us, strict=True))
    seconds = autograd.grad(product, xs, materialize_grads=True) if product.requires_grad else [x * 0 for x in xs]

    def loss_at(arrays):
        return program.loss(program.values(map(autograd.tensor, arrays))).array

    def product_at(arrays):
        moved, loss = Program(arrays, program.lines, program.outputs).start()
        return inner(us, autograd.grad(loss, moved, materialize_grads=True))

    for vs in directions(rng, program.inputs):
        for found, f in ((gs, loss_at), (seconds, product_at)):
            assert_allclose(inner(found, vs), slope(f, program.inputs, vs), rtol=1e-7, atol=1e-7)


@more
@given(programs(), st.data())
def test_all_ways_to_the_gradient_agree(program, data):
    """backward(), grad(), with and without a graph of the gradient, for all inputs or some, or for values on the way."""
    xs, loss = program.start()
    expected = [g.array for g in autograd.grad(loss, xs, retain_graph=True, materialize_grads=True)]
    used = [g is not None for g in autograd.grad(loss, xs, retain_graph=True, allow_unused=True)]
    for some in chain.from_iterable(combinations(range(len(xs)), n) for n in range(1, len(xs))):
        for i, g in zip(some, autograd.grad(loss, [xs[i] for i in some], retain_graph=True, allow_unused=True), strict=True):
            assert (g is not None) == used[i]
            assert g is None or g.array.tolist() == expected[i].tolist()
    for g, e in zip(autograd.grad(loss, xs, create_graph=True, materialize_grads=True), expected, strict=True):
        assert_allclose(g.array, e, rtol=1e-12, atol=1e-14)
    for _ in range(2):
        loss.backward(retain_graph=True)
    for x, e, on in zip(xs, expected, used, strict=True):
        assert (x.grad is not None) == on
        assert_allclose(0 if x.grad is None else x.grad.array, 2 * e, rtol=1e-12, atol=1e-14)
        x.grad = None

    values = program.values(xs)
    loss = program.loss(values)
    name = data.draw(st.sampled_from([*values]))
    values[name].retain_grad()
    (g,) = autograd.grad(loss, values[name], retain_graph=True, allow_unused=True)
    loss.backward()
    assert (g is None) == (values[name].grad is None)
    assert g is None or g.array.tolist() == values[name].grad.array.tolist()
