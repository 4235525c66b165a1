"""A recorded step holds no array that ops make: it takes no more memory, and an id that is free again is another array's."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import autograd
import nn
import nn.functional as F
from autograd import from_numpy
from autograd.compile import cc
from autograd.compile.record import Program, Recording
from autograd.compile.replay import Replay
from autograd.compile.step import Compiled
from autograd.engine.graph import ambient, memory, write
from autograd.engine.tensor import wrap
from autograd.errors import CompileError

MB = 2**20
RNG = np.random.default_rng(0)


# ---------------------------------------------------------------- memory
def peak(step, *args):
    """The MB that there are at most in a call, with those that it finds."""
    gc.collect()
    tracemalloc.reset_peak()
    step(*args)
    return tracemalloc.get_traced_memory()[1] / MB


@pytest.fixture
def traced():
    """Memory is counted."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def chain():
    """200 ops on 2 MB each, of which eager holds two beside the argument."""

    def step(x):
        with autograd.no_grad():
            for _ in range(100):
                x = (x * 0.5).tanh()
        return x.sum()

    return step, autograd.ones(2**19), 6


def mlp():
    """Activations of 2 MB in 24 layers, half of which are saved; what is watched takes 2 MB, too."""
    net = nn.Sequential(*[layer for _ in range(24) for layer in (nn.Linear(64, 64), nn.Tanh(), nn.Dropout(0.0))])
    optimizer = nn.optim.Adam(net.parameters())

    def step(x):
        optimizer.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, autograd.randn(8192, 64), 48


def optimizer():
    """Parameters, velocities and gradients of 24 MB each."""
    weights = [autograd.randn(2**17, requires_grad=True) for _ in range(48)]
    optimizer = nn.optim.SGD(weights, lr=0.1, momentum=0.9)

    def step(x):
        optimizer.zero_grad()
        loss = sum((w * x).sum() for w in weights)
        loss.backward()
        optimizer.step()
        return loss

    return step, autograd.randn(2**17), 72


def wide():
    """Parameters of 8 MB and as large gradients, which the step forgets first."""
    weights = [autograd.randn(2**16, requires_grad=True) for _ in range(32)]

    def step(x):
        for w in weights:
            w.grad = None
        loss = sum((w * x).sum() for w in weights)
        loss.backward()
        return loss

    return step, autograd.randn(2**16), 16


def zeros():
    """Arrays of zeros and ones of 2 MB, made without ops and forgotten, in several layouts."""

    def step(x):
        total = x.sum()
        for k in range(20):
            zero = autograd.zeros(512, 1024) if k % 2 else autograd.ones(1024, 512).T
            total = total + (zero * 2).sum() * x.sum()
        return total

    return step, autograd.ones(3), 4


@pytest.mark.parametrize("case", [chain, mlp, optimizer, wide, zeros], ids=lambda case: case.__name__)
def test_a_recorded_call_takes_the_memory_of_an_eager_one(case, traced, monkeypatch):
    def build(*args):
        raise CompileError("what is made of recordings takes memory of its own")

    monkeypatch.setattr(Compiled, "_build", build)
    step, x, least = case()
    step(x)  # what is imported, and what optimizers make
    eager = peak(step, x)
    compiled = autograd.compile(step)
    recorded = [peak(compiled, x)]
    with pytest.warns(UserWarning, match="memory of its own"):
        recorded.append(peak(compiled, x))
    assert compiled.stats()["calls"]["recorded"] == 2
    assert least < eager
    assert max(recorded) < 1.1 * eager + 0.5, "MB; the entries of the program take some"


def test_a_step_that_is_refused_holds_nothing_of_it():
    held = []

    def step(x):
        activations = x * 2
        held.append(weakref.ref(activations.array))
        activations.nonzero()
        activations.tolist()
        return x.sum()

    tape = Recording(inputs=[(x := np.ones(3))])
    gc.disable()
    try:
        with ambient(tape=tape):
            out = step(wrap(x))
        assert held[0]() is None
    finally:
        gc.enable()
    for _ in range(2):
        with pytest.raises(CompileError, match=r"test_compile_record\.py:.*nonzero.*depends on values"):
            Program(tape, [out.array], ())


def test_a_step_that_cannot_be_a_program_leaves_nothing_behind():
    w = autograd.randn(3, requires_grad=True)
    compiled = autograd.compile(lambda x: w * x)
    out = compiled(autograd.ones(3))
    held = weakref.ref(out.array)
    gc.disable()
    try:
        del out
        assert held() is None
    finally:
        gc.enable()
    with pytest.warns(UserWarning, match="what it returns requires grad"):
        compiled(autograd.ones(3))


# ---------------------------------------------------------------- ids
def played(fun, inputs, others, states=()):
    """`fun` recorded with `inputs`, and played with `others`: whether it is the same, and the program."""
    tape = Recording([(a, f"s{k}") for k, a in enumerate(states)], inputs)
    with ambient(grad=False, tape=tape), np.errstate(all="ignore"):
        out = fun(*map(wrap, inputs))
    program = Program(tape, [out.array], ())
    with ambient(grad=False), np.errstate(all="ignore"):
        expected = fun(*map(wrap, others))
    ((got,), _) = Replay(program)(others)
    assert_array_equal(got, expected.array)
    return program


@pytest.fixture(params=[True, False], ids=["gc", "no_gc"])
def collected(request):
    """With and without looking for garbage in cycles."""
    known = gc.isenabled(), gc.get_threshold()
    if request.param:
        gc.enable()
        gc.set_threshold(10)
    else:
        gc.disable()
    yield
    gc.set_threshold(*known[1])
    (gc.enable if known[0] else gc.disable)()


class Places:
    """The ids that arrays had, where other arrays are to come."""

    def __init__(self):
        self.left, self.hoard, self.landed = set(), [], []

    def note(self, a):
        self.left |= {id(a), id(memory(a))}

    def land(self, make, which=lambda a: a):
        """What `make` makes, as soon as its id is one of these: for that all other memory is taken away.

        Something else may live in all of these places now and then, but not often.
        """
        for _ in range(5_000):
            if id(which(a := make())) in self.left:
                break
            self.hoard.append(a)
        self.landed.append(id(which(a)) in self.left)
        assert len(self.landed) < 10 or 5 * sum(self.landed) > len(self.landed), "what is made comes to no place of another array"
        return a


def test_an_array_at_the_place_of_an_ops_result_is_no_result(collected):
    """Constants that are made without ops while results of the same size come and go."""
    places, numbers = Places(), [*RNG.standard_normal((60, 4))]

    def fun(x):
        total = x * 0.0
        for row in numbers:
            y = x * float(row[0])
            places.note(y.array)
            z = y.exp()
            del y
            constant = wrap(places.land(row.copy))
            total = total + constant * z
            del z, constant
        return total

    program = played(fun, [RNG.standard_normal(4)], [RNG.standard_normal(4)])
    assert sum(leaf.kind == "constant" for leaf in program.leaves.values()) == len(numbers)


def test_an_array_in_cycles_keeps_its_number_until_it_is_collected():
    places, numbers = Places(), [*RNG.standard_normal((60, 4))]

    def fun(x):
        total, kept = x * 1.0, []
        for k in range(60):
            y = x * float(k)
            places.note(y.array)
            cycle = [y]
            cycle.append(cycle)
            kept = [*kept[-2:], cycle]
            del y, cycle
            if collected := k % 10 == 9:
                gc.collect()
            constant = wrap(places.land(numbers[k].copy) if collected else numbers[k].copy())
            total = total + constant * kept[0][0]
        return total

    played(fun, [RNG.standard_normal(4)], [RNG.standard_normal(4)])


def test_memory_of_views_that_are_gone_is_anybodys(collected):
    """Where the owner of memory was, and views of it, others are, which may be written."""
    places, numbers = Places(), [*RNG.standard_normal((60, 4))]

    def fun(x):
        total = x * 1.0
        for k in range(60):
            y = (x * float(k)).reshape(2, 2).T
            places.note(y.array)
            write(y.array, (0, slice(None)), 1.0)
            z = y.reshape(4)[1:] * 2
            del y
            constant = wrap(places.land(lambda k=k: numbers[k].copy()[1:], memory))
            write(constant.array, slice(0, 2), z.array[:0].sum() + float(k))
            total = total + (constant * z).sum()
            del constant, z
        return total

    program = played(fun, [RNG.standard_normal(4)], [RNG.standard_normal(4)])
    assert all(leaf.written for leaf in program.leaves.values() if leaf.kind == "constant")


def test_what_was_written_and_is_gone_is_not_what_comes_to_its_place(collected):
    places, numbers = Places(), [*RNG.standard_normal((60, 4))]

    def fun(x):
        total = x * 1.0
        for k in range(60):
            y = x * float(k)
            places.note(y.array)
            write(y.array, ..., 1.0)
            del y
            constant = wrap(places.land(numbers[k].copy))
            total = total + constant * x
            del constant
        return total

    program = played(fun, [RNG.standard_normal(4)], [RNG.standard_normal(4)])
    assert not any(leaf.written for leaf in program.leaves.values())
    assert len({number for number, _ in program.memories.values()}) == len(program.memories), "each has memory of its own"


def test_what_comes_to_the_place_of_a_state_is_no_state(collected):
    """As where an old gradient was, which the step forgets."""
    states, places, numbers = [RNG.standard_normal(4) for _ in range(20)], Places(), [*RNG.standard_normal((10, 4))]
    for a in states:
        places.note(a)
    tape = Recording([(a, f"s{k}") for k, a in enumerate(states)], [(x := np.ones(4))])
    del a
    states.clear()
    constants = [places.land(numbers[k].copy) for k in range(10)]
    with ambient(grad=False, tape=tape):
        for a in constants:
            wrap(x) * wrap(a)
            write(a, ..., 0.0)
    program = Program(tape, [x], ())
    assert not any(leaf.kind == "state" for leaf in tape.leaves.values())
    assert not program.writes_states


def test_gradients_that_are_forgotten_and_one_that_is_read():
    """The old ones die while new ones are recorded; the one that is read may be exchanged."""
    w = [autograd.randn(5, requires_grad=True) for _ in range(8)]
    read = autograd.randn(5, requires_grad=True)

    def step(x):
        with autograd.no_grad():
            momentum = read.grad * 0.5
        for p in w:
            p.grad = None
        loss = sum((p * x * (k + 1)).sum() for k, p in enumerate(w)) + (momentum * x).sum()
        loss.backward()
        return loss

    compiled = autograd.compile(step, backend="replay")
    for k in range(9):
        if k in (0, 5):
            read.grad = autograd.randn(5)
        x = autograd.randn(5)
        expected = step(x), *(p.grad.clone() for p in w)
        found = compiled(x), *(p.grad for p in w)
        for a, b in zip(found, expected, strict=True):
            assert_array_equal(a.detach().numpy(), b.detach().numpy())
    assert compiled.stats()["calls"] == {"compiled": 5, "recorded": 4, "eager": 0}


def test_a_chain_of_short_lives_is_compiled_to_what_it_is(collected):
    """As a whole, through the front door: constants, views, writes and random numbers among 400 arrays of one size."""
    rows = [from_numpy(RNG.standard_normal(6)) for _ in range(4)]

    def step(x):
        total = x.clone()
        for k in range(60):
            y = (x * (k + 1)).sin() + autograd.tensor(np.arange(6.0) * k)
            v = y.reshape(2, 3)[1:]
            v += rows[k % 4].reshape(2, 3)[:1]
            total = total + y.flip(0) * autograd.tensor(np.cos(np.arange(6.0) + k))
        return total

    compiled = autograd.compile(step, strict=True)
    for _ in range(4):
        x = from_numpy(RNG.standard_normal(6))
        np.testing.assert_allclose(compiled(x).numpy(), step(x).numpy(), rtol=1e-12)
    assert compiled.stats()["calls"]["compiled"] == 2


# ---------------------------------------------------------------- constants
LAYOUTS = {
    "rows": lambda a: a.copy(),
    "columns": lambda a: np.asfortranarray(a),
    "strides": lambda a: np.repeat(a, 2, 1)[:, ::2],
    "back": lambda a: a[::-1].copy()[::-1],
    "spread": lambda a: np.broadcast_to(a[:1, :1], a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, np.inf, np.nan, 0, 7, True], ids=repr)
def test_a_constant_that_is_one_number_is_that(layout, value):
    a = LAYOUTS[layout](np.full((32, 40), value))

    def fun(x):
        return wrap(a) * x

    program = played(fun, [np.ones((32, 40))], [RNG.standard_normal((32, 40))])
    leaf = next(leaf for leaf in program.leaves.values() if leaf.kind == "constant" and leaf.array.shape == a.shape)
    assert (leaf.strides is None) == (value != value)
    again = leaf.laid_out()
    assert_array_equal(again, a)
    assert_array_equal(np.signbit(again), np.signbit(a))
    assert again.dtype == a.dtype
    if layout != "spread":
        assert np.argsort(np.abs(again.strides)).tolist() == np.argsort(np.abs(a.strides)).tolist()


def test_almost_one_number_is_not_one():
    for odd in (1.0, -0.0, np.nan):
        a = np.zeros((32, 40))
        a[1, 2] = odd
        program = played(lambda x, a=a: 1 / (wrap(a) * x), [np.ones((32, 40))], [RNG.standard_normal((32, 40))])
        assert next(leaf for leaf in program.leaves.values() if leaf.kind == "constant" and leaf.array.shape).strides is None


@pytest.mark.parametrize("first", [np.zeros(2048), np.arange(2048.0)], ids=["one_number", "several"])
def test_a_constant_that_is_written_begins_as_it_was(first):
    def fun(x):
        a = wrap(first.copy())
        b = wrap(a.array)[1:]
        y = a * x
        write(b.array, ..., 3.0)
        write(a.array, 0, 5.0)
        return y + a

    program = played(fun, [np.ones(2048)], [RNG.standard_normal(2048)])
    run, x = Replay(program), RNG.standard_normal(2048)
    results = [run([x])[0][0] for _ in range(3)]
    for r in results:
        assert_array_equal(r, fun(wrap(x)).array)


def test_constants_of_all_kinds_and_layouts_in_a_step():
    """One number or several, of floats, integers and booleans; compiled as C where there is a compiler."""
    shape, several = (32, 40), np.arange(32 * 40).reshape(32, 40) % 7

    def step(x):
        total = x
        for lay in LAYOUTS.values():
            for a in (np.full(shape, 3), several, np.full(shape, 0.5), several * 0.5):
                total = total + autograd.tensor(lay(a)) * x
            for mask in (np.ones(shape, bool), several > 3):
                total = total * autograd.where(from_numpy(lay(mask)), x, 2.0)
        begun = autograd.zeros(shape, dtype=x.dtype)
        begun[3:5] += x[3:5]
        return total + begun

    compiled = autograd.compile(step, strict=True)
    for _ in range(4):
        x = from_numpy(RNG.uniform(0.5, 1.5, shape))
        np.testing.assert_allclose(compiled(x).numpy(), step(x).numpy(), rtol=1e-12)
    assert compiled.stats()["calls"]["compiled"] == 2
    assert compiled.stats()["not in C"] == "" or cc.compiler() is None


def test_memory_may_belong_to_what_nothing_can_refer_to_weakly():
    a = np.frombuffer(np.float64(2.5))
    assert type(a.base) is np.float64
    played(lambda x: wrap(a) * x, [np.ones(3)], [RNG.standard_normal(3)])


# ---------------------------------------------------------------- gradients
@pytest.mark.parametrize("how", ["none", "another", "the_same"])
def test_what_becomes_of_a_gradient_that_nobody_else_holds(how):
    w = autograd.ones(3, requires_grad=True)

    def step(x):
        if how != "the_same":
            w.grad = None
        loss = (w * x).sum()
        if how == "another":
            loss.backward()
        return loss.detach()

    compiled = autograd.compile(step, backend="replay", strict=True)
    for k in range(5):
        w.grad = autograd.full((3,), 7.0)
        x = autograd.full((3,), float(k))
        assert compiled(x).item() == 3 * k
        assert {"none": w.grad is None}.get(how, w.grad is not None and (w.grad == (k if how == "another" else 7)).all())
    assert compiled.stats()["calls"]["compiled"] == 3


# ---------------------------------------------------------------- refusals
def test_what_looks_at_memory_of_a_living_result_is_refused():
    tape = Recording(inputs=[(x := np.ones(4))])
    with ambient(tape=tape):
        y = wrap(x) * 2
        y + wrap(y.array[:])  # a view that no op made
    with pytest.raises(CompileError, match=r"looks at memory of another value, and no op made it so"):
        Program(tape, [y.array], ())


def test_what_looks_at_memory_of_a_state_is_refused():
    tape = Recording([(state := np.ones(4), "w")])
    with ambient(tape=tape):
        y = wrap(state[1:]) * 2
    with pytest.raises(CompileError, match=r"looks at memory of another value, and no op made it so"):
        Program(tape, [y.array], ())


def test_the_first_reason_is_given_and_the_step_goes_on():
    net = nn.Linear(2, 2)

    def step(x):
        out = net(x)
        out.detach().nonzero()
        out.sum().item()
        F.relu(out)
        return out.detach() * 2

    compiled, given = autograd.compile(step), [autograd.randn(3, 2) for _ in range(3)]
    with pytest.warns(UserWarning, match=r"how large the result of argwhere is depends on values"):
        found = [compiled(x) for x in given]
    for x, out in zip(given, found, strict=True):
        assert_array_equal(out.numpy(), step(x).numpy())
    assert compiled.stats()["calls"] == {"compiled": 0, "recorded": 2, "eager": 1}
