"""Steps of sequences as loops of C: they are the steps written out, whatever is recurrent, and their number costs nothing to compile."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import autograd
import nn
from autograd.compile import cc
from autograd.compile.roll import LEAST, NUMBER, plainer, rolled, runs

pytestmark = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler here")


@pytest.fixture(autouse=True)
def compiled_quickly(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CFLAGS", "-O0 -march=native")


# ---------------------------------------------------------------- what repeats
@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(2, 20))
def test_what_repeats_is_found_and_nothing_else(before, body, count):
    tokens = [*before, *body * count, "end"]
    found = list(runs(tokens))
    for start, period, length in found:
        assert length >= LEAST * period
        assert all(tokens[k] == tokens[k + period] for k in range(start, start + length - period))
    assert all(one.start + one.length <= two.start for one, two in pairwise(found))
    if count > 2 * LEAST:  # even if it begins within another
        assert any(run.length > LEAST * len(body) / 2 for run in found)


def plain(lines):
    return [plainer(line.split("  //")[0]) for line in lines]


def unrolled(lines):
    """The lines that loops stand for."""
    out, rest = [], list(lines)
    while rest:
        line = rest.pop(0)
        if match := re.match(r"( *)for \(long (t\d+) = 0; t\d+ < (\d+); t\d+\+\+\) \{", line):
            end = rest.index(match[1] + "}")
            body, rest = [inner[4:] for inner in rest[:end]], rest[end + 1 :]
            for k in range(int(match[3])):

                def value(m, name=match[2], k=k):
                    return re.sub(r"^\((\d+)\)$", r"\1", "(" + str(eval(m[0], {name: k})) + ")") if name in m[0] else m[0]

                out += unrolled([re.sub(r"\([^()]*\)", value, inner) for inner in body])
        else:
            out.append(line.split("  //")[0])
    return out


@given(st.data())
def test_a_loop_written_out_is_the_lines_that_it_stands_for(data):
    lines = []
    for _ in range(data.draw(st.integers(1, 3))):
        body = data.draw(
            st.lists(st.tuples(st.sampled_from("fgh"), st.integers(0, 99), st.integers(0, 9)), min_size=1, max_size=3)
        )
        for t in range(data.draw(st.integers(1, 30))):
            lines += [f"    {f}(x{a}, in + {a + s * t}, {a}, 1.5f);  // {f}{t}" for f, a, s in body]
        lines += data.draw(st.sampled_from([[], ["    stop(1);"]]))
    assert plain(unrolled(rolled(lines))) == plain(lines)


def test_loops_of_loops_and_turns():
    def lines(outer):
        for k in range(outer):
            yield f"    begin(a + {k});"
            yield from (f"    f(x + {100 * k + 4 * t}, y + {t % 2 * 8}, y + {8 - t % 2 * 8});" for t in range(40))

    assert len(rolled(list(lines(1)))) == 5
    assert len(rolled(list(lines(30)))) == 7
    assert plain(unrolled(rolled(list(lines(30))))) == plain(lines(30))
    assert NUMBER.findall("f(a12, 3, 4.5f, 0x1f, b[i0 * 7])") == ["3", "7"]


# ---------------------------------------------------------------- training, step by step
def trained(make, backend, calls=5):
    """Losses and weights after some steps of training; and the step, if it was compiled."""
    autograd.manual_seed(0)
    net, loss = make()
    optimizer = nn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step(k):
        optimizer.zero_grad()
        found = loss(k)
        found.backward()
        optimizer.step()
        return found

    compiled = autograd.compile(step, backend=backend, strict=True) if backend else step
    losses = [compiled(autograd.tensor(0.1 * k)).item() for k in range(calls)]
    return losses, [p.array for p in net.parameters()], compiled


def assert_rolled(make, loops=2):
    """Trained in C it is as trained by eager calls; and its C has loops."""
    losses, weights, _ = trained(make, "")
    found, got, compiled = trained(make, "c")
    assert compiled.stats()["backends"] == ["c"]
    assert_allclose(found, losses, rtol=1e-4)
    for g, w in zip(got, weights, strict=True):
        assert_allclose(g, w, rtol=1e-3, atol=2e-5)
    assert losses[0] != losses[-1]
    table = compiled.explain()
    assert re.search(r"\d+ times \d", table)
    assert len(table.rows) == len(table.codes) == table.html().count("<details>")
    assert compiled.source.count("for (long t0 = 0") >= loops
    return compiled.source


def layer(kind, steps, batch=3, width=5, hidden=7, **options):
    def make():
        net = getattr(nn, kind)(width, hidden, **options)
        x = autograd.randn(steps, batch, width)
        return net, lambda k: ((net(x + k)[0] - 0.5) ** 2).mean()

    return make


LAYERS = dict(
    lstm=("LSTM", {}), gru=("GRU", {}), rnn=("RNN", {}), relu=("RNN", dict(nonlinearity="relu", bias=False)), two_lstms=("LSTM", dict(num_layers=2)),
    both_ways=("GRU", dict(bidirectional=True)), projected=("LSTM", dict(proj_size=4, bias=False)), large=("LSTM", dict(hidden=40, batch=9)),
)  # fmt: skip


@pytest.mark.parametrize("case", LAYERS)
def test_layers_are_rolled_and_train_as_eager(case):
    kind, options = LAYERS[case]
    assert_rolled(layer(kind, 13, **options))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_how_many_steps_costs_no_c(kind):
    lengths = [len(trained(layer(kind, steps, batch=2, hidden=3), "c", 4)[2].source) for steps in (20, 45)]
    assert lengths[1] < lengths[0] * 1.03


def cells():
    """A loop over a cell, as one writes it."""
    cell, out = nn.LSTMCell(5, 6), nn.Linear(6, 2)
    x = autograd.randn(17, 3, 5)

    def loss(k):
        h = c = autograd.zeros(3, 6)
        total = 0
        for t in range(17):
            h, c = cell(x[t] + k, (h, c))
            total = total + (out(h) ** 2).mean()
        return total

    return nn.ModuleList([cell, out]), loss


class Own(nn.Module):
    """A recurrence by hand, through stacked states, with gradients for its inputs."""

    def __init__(self):
        super().__init__()
        self.into, self.again = nn.Linear(4, 6), nn.Parameter(autograd.randn(6, 6) * 0.3)

    def forward(self, x):
        x, h, found = self.into(x), autograd.zeros(x.shape[1], 6), []
        for t in range(x.shape[0]):
            gate = autograd.sigmoid(x[t] + h)
            h = gate * autograd.tanh(x[t] + h @ self.again) + (1 - gate) * h
            found.append(h)
        return autograd.stack(found, 1)


def own():
    net, x = Own(), autograd.randn(15, 3, 4)
    return net, lambda k: (net(x * (1 + k)) ** 2).mean()


@pytest.mark.parametrize("make", [cells, own], ids=["cells", "own"])
def test_loops_written_by_hand_are_rolled(make):
    assert_rolled(make)


def chain(ops, carried=1):
    """Alternating ops in a Python loop."""

    def make():
        w = nn.Parameter(autograd.tensor([0.5, 0.6, 0.7, 0.8]))
        c = autograd.tensor([0.019, 0.018, 0.017, 0.016])

        def loss(k):
            y = before = w + k
            for _ in range(ops // 4):
                y, before = autograd.tanh((y + c) * 1.01 - c / 2) + (before * 0.1 if carried > 1 else 0), y
            return (y * y).sum()

        return nn.ParameterList([w]), loss

    return make


def test_a_long_chain_is_a_loop_there_and_a_loop_back():
    short, long = (assert_rolled(chain(n)) for n in (100, 400))
    assert len(long) < 1.02 * len(short)
    assert_rolled(chain(400, carried=2))


def test_a_long_formula_is_cut():
    """One that needs no value twice, of more ops than Python may nest calls."""
    x = autograd.tensor([0.5, -2.0, 3.0])

    def step(x):
        for _ in range(2000):
            x = x * 0.999 + 0.001
        return x

    compiled = autograd.compile(step, backend="c", strict=True)
    for _ in range(3):
        got = compiled(x)
    assert_allclose(got.array, step(x).array, rtol=1e-5)
    assert "for (long t0 = 0" in compiled.source


@pytest.mark.parametrize("carried", [1, 2])
def test_values_in_turn_do_not_write_over_what_is_still_read(carried):
    """Each step reads the one before it, and the one before that, the other way round."""
    x = autograd.randn(4, 6)

    def step(x):
        before, y = x, x * 0.5
        for _ in range(30):
            y, before = (y.flip(0) + x + (before.flip(1) if carried > 1 else 0)).tanh(), y
        return y

    assert_same(step, x)


PIECES = dict(
    flat=lambda a, both: a.reshape(24) * autograd.arange(24.0), rows=lambda a, both: (a.reshape(2, 12) + 1).sum(0), turned=lambda a, both: a.T * 3,
    product=lambda a, both: a.T @ both, within=lambda a, both: autograd.cat([both, both[:1] + 1]), flipped=lambda a, both: a.flip(0, 1).exp(),
)  # fmt: skip


@pytest.mark.parametrize("case", PIECES)
def test_parts_that_lie_in_pieces_are_read_in_any_shape(case):
    """What is computed in the columns of a larger value, and read there."""

    def step(x, y):
        a = x.tanh()
        both = autograd.cat([a, y.exp(), y], 1)
        return [both, PIECES[case](a, both)]

    assert_same(step, autograd.randn(4, 6), autograd.randn(4, 3))


def assert_same(step, *inputs):
    """In C it is what it is."""
    compiled = autograd.compile(step, backend="c", strict=True)
    for _ in range(3):
        got = compiled(*inputs)
    for g, e in zip(*((x if isinstance(x, list) else [x]) for x in (got, step(*inputs))), strict=True):
        assert_allclose(g.array, e.array, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- products
@pytest.mark.parametrize("flags", ["-O1 -march=native", "-O1"], ids=["native", "plain"])
def test_products_of_all_shapes(flags, monkeypatch):
    """Of matrices as they are and transposed; one that is packed once for several, and one that is packed for itself."""
    monkeypatch.setenv("CHAINRULE_CFLAGS", flags)
    rng = np.random.default_rng(0)
    shapes = [(m, n, k) for m in (1, 7, 8, 9, 33) for n in (1, 31, 64, 150) for k in (20, 600)]
    shapes = [shapes[i] for i in rng.permutation(len(shapes))[:12]]
    arrays = [rng.standard_normal(s, np.float32) for m, n, k in shapes for s in ((m, k), (k, m), (k, n), (n, k))]

    def step(*xs):
        out = []
        for a, at, b, bt in zip(*[iter(xs)] * 4, strict=True):
            products = [x @ y for x in (a, at.T) for y in (b, bt.T)]
            more = [(x * s) @ b for s in (2.0, 3.0) for x in (a, at.T)]
            out += [*products, *more, a @ b + (a * 5.0) @ bt.T]
        return out

    compiled = autograd.compile(step, backend="c", strict=True)
    for _ in range(3):
        got = compiled(*map(autograd.tensor, arrays))
    assert compiled.source.split("EXPORT void step0")[1].count("    pack(") > 3
    for g, e in zip(got, step(*arrays), strict=True):
        assert_allclose(g.array, e, rtol=1e-4, atol=1e-4 * np.abs(e).max())
