"""Where a compiled step keeps its values: in little memory, and never where one lies that is still read."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import autograd
import nn
import nn.functional as F
from autograd.compile import cc, memory
from autograd.compile.loops import Loops
from autograd.compile.lower import LOWER
from autograd.compile.memory import LINE, Memory, gap, padded
from autograd.compile.program import Values
from autograd.compile.sums import gather

pytestmark = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler here")
N = 64
BYTES = 4 * N * N


def squares(count):
    return [autograd.tensor(np.random.default_rng(k).standard_normal((N, N), np.float32) / N**0.5) for k in range(count)]


def places(step, *args):
    """Where the values of a step lie, after it was found to compute what eager does."""
    compiled = autograd.compile(step, backend="c", strict=True)
    for _ in range(3):
        found = compiled(*args)
    for a, b in zip(found, step(*args), strict=True):
        assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-5)
    return memory_of(compiled)


def memory_of(compiled):
    values = Values(compiled.program, LOWER)
    gather(values)
    return Memory(Loops(values))


def in_place(found):
    """The ops of what lies where another value of the step lay before."""
    return {v.op for v in found.loops.p.values if v.id in found.home}


# ---------------------------------------------------------------- where a value was read for the last time
def test_what_no_loop_can_share_is_computed_in_one_place():
    """Each needs the sum of the one before, so that there is a loop for each: all lie where the first did."""

    def step(x, w):
        x = x @ w
        for _ in range(6):
            x = (x / (1 + (x * x).sum())).tanh()
        return [x @ w]

    found = places(step, *squares(2))
    assert "tanh" in in_place(found)
    assert BYTES <= found.size < BYTES + 40 * LINE


REFUSED = {
    "another element": lambda x, w: x.exp() + x.T,
    "a row of it": lambda x, w: x.exp() * x[0],
    "a row that was picked": lambda x, w: x.exp() * x[autograd.arange(N).flip(0)],
    "a part of it": lambda x, w: (lambda p: autograd.cat([p, (x + 1).tanh()]).exp() * p[:1].repeat(2 * N, 1))((x - 1).tanh()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_stays_where_it_is_while_other_elements_of_it_are_read(case):
    def step(x, w):
        return [REFUSED[case](x @ w, w) @ w]

    assert "exp" not in in_place(places(step, *squares(2)))


def test_a_value_stays_where_it_is_until_a_later_run_over_its_row_has_read_it():
    def step(x, w):
        x = x @ w
        e = x.exp()
        return [e @ w, (x * e.sum(1, keepdim=True)).tanh() @ w]

    found = places(step, *squares(2))
    assert in_place(found) == {"tanh"}


def test_softmax_is_computed_in_the_place_of_its_argument():
    def step(x, w):
        return [(x @ w).softmax(1) @ w]

    found = places(step, *squares(2))
    assert in_place(found) == {"divide"}
    assert found.size < BYTES + 4 * LINE


def test_what_python_looks_at_is_not_written_over():
    """Labels that are computed are checked by NumPy, after all that comes before the first write."""

    def step(x, w):
        y = x @ w
        labels = (y[:, 0] > 0).long()
        return [F.cross_entropy((y * 2).exp() @ w, labels)]

    places(step, *squares(2))


def test_a_returned_sum_of_products_is_there_when_it_is_returned():
    """The first product lies where the sum will: where it is returned from, and not where values after it come to lie."""

    def step(a, b, c, d):
        z = a @ b + c @ d
        w = (a * z.sum().tanh()).exp()
        for m in (b, c, d):
            w = (w @ m).tanh()
        return [z, w]

    found = places(step, *squares(4))
    assert in_place(found) == {"matmul", "tanh"}
    assert sorted(v.op for v in found.loops.p.values if found.where.get(v.id) == ("out", 0)) == ["matmul", "matmul"]
    assert found.size == 2 * BYTES


def test_what_only_backward_reads_is_computed_there():
    """GELU keeps its argument and one function of it, and no derivative, for backward."""
    x, w = squares(2)
    w.requires_grad_()

    def step(x):
        return autograd.grad((F.gelu(x @ w) @ x).square().sum(), [w])

    found = places(step, x)
    group = {v.op: found.loops.group[v.id] for v in found.loops.p.values if v.id in found.loops.anchors}
    assert group["exp"] > group["erfc"]


STAYS = {
    "what it reads is read no more": lambda m, x, w: m.exp() * (w @ x),
    "another element of it is read": lambda m, x, w: m.exp().T * m + (w @ x),
    "it is less than what it reads": lambda m, x, w: (m + x * w).exp() * m + (w @ x),
}


@pytest.mark.parametrize("case", STAYS)
def test_what_is_read_later_is_computed_at_once_where(case):
    def step(x, w):
        return [STAYS[case](x @ w, x, w) @ w]

    found = places(step, *squares(2))
    assert [v.op for v in found.loops.groups[1].items] == ["exp"]


# ---------------------------------------------------------------- the arena
def arena(lives):
    """The Memory of values that live so long, of so many bytes."""
    values = [memory.Value("copy", (), (), (n,), np.uint8, k, None) for k, (_, _, n) in enumerate(lives)]
    made = Memory.__new__(Memory)
    made.loops, made.where, made.slots = SimpleNamespace(turn={}), {}, {}  # nothing repeats
    made.arena([(v, a, b) for v, (a, b, _) in zip(values, lives, strict=True)])
    spans = [(made.where[v.id][1], made.where[v.id][1] + v.size, a, b) for v, (a, b, _) in zip(values, lives, strict=True)]
    return made.size, spans


life = st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from([1, 64, 100, 500, 2000])).map(
    lambda t: (min(t[:2]), max(t[:2]), t[2])
)


@example([(0, 3, 64), (3, 5, 64), (4, 6, 64)], 0)
@example([(0, 3, 64), (3, 5, 64), (4, 6, 64)], 3)
@given(st.lists(life, max_size=40), st.sampled_from([0, 3, 500]))
def test_values_that_live_at_the_same_time_lie_apart(lives, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MOST", most)
        size, spans = arena(lives)
    for k, (begin, end, a, b) in enumerate(spans):
        assert begin % LINE == 0
        assert end <= size
        assert all(end <= o or e <= begin or b < c or d < a for o, e, c, d in spans[:k])


def test_a_value_takes_the_tightest_gap():
    assert gap(64, [(0, 64), (192, 256), (320, 384)]) == 256
    assert gap(128, [(0, 64), (192, 256), (320, 384)]) == 64
    assert gap(192, [(0, 64), (32, 256), (320, 384)]) == 384


def mlp():
    layers = [m for n in (48, 64, 64, 64) for m in (nn.LazyLinear(n), nn.Tanh())]
    return nn.Sequential(*layers, nn.LazyLinear(10)), (64, 32)


def cnn():
    net = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(576, 10)),
    )
    return net, (8, 3, 32, 32)


@pytest.mark.parametrize("made", [mlp, cnn])
def test_a_step_takes_no_more_memory_than_what_lives_at_its_widest_point(made, monkeypatch):
    autograd.manual_seed(0)
    net, shape = made()
    x, y = autograd.randn(*shape), autograd.randint(0, 10, shape[:1])
    net(x)
    optimizer = nn.optim.Adam(net.parameters(), lr=1e-3)

    @autograd.compile(backend="c", strict=True)
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(3):
        step(x, y)
    lives, inherited = [], Memory.inherited
    monkeypatch.setattr(Memory, "inherited", lambda self, some: lives.extend(some) or inherited(self, some))
    found = memory_of(step)
    width = [
        sum(padded(v.size * v.dtype.itemsize) for v, a, b in lives if a <= k <= b) for k in range(len(found.loops.groups) + 1)
    ]
    assert 0 < found.size <= max(width) < sum(padded(v.size * v.dtype.itemsize) for v, _, _ in lives)
