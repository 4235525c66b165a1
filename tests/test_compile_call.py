"""The call of a compiled step: nothing that it depends on escapes what is compared, and what is compared costs little."""

import collections
import functools
import gc
import re
import sys
import warnings
import weakref
from os import environ
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from test_compile import Training, batch, follow, needs_c

import autograd
import nn
import nn.functional as F
from autograd import Tensor
from autograd.compile import cc
from autograd.compile.watch import Watch
from autograd.engine.primitive import PRIMITIVES, primitive
from autograd.errors import ArgumentError

SCALE = 2.0
THIS = sys.modules[__name__]
HELD = SimpleNamespace(factor=1.0)


# ---------------------------------------------------------------- what the step holds may be changed from anywhere
def _reordered(t):
    modules = t.net._modules
    modules["2"], modules["1"] = modules.pop("1"), modules["2"]


def _another_rate(t):
    t.optimizer.param_groups[0] = t.optimizer.param_groups[0] | {"lr": 0.5}


def _some_parameters(t):
    group = t.optimizer.param_groups[0]
    group["params"] = group["params"][:2]
    t.net.zero_grad()  # what eager has left on the others would be added to


def _fewer(t):
    t.optimizer.param_groups[0]["params"].pop()
    t.net.zero_grad()


def _in_the_state(t):
    for state in t.optimizer.state.values():
        state["exp_avg"] = autograd.ones_like(state["exp_avg"])


def _own_array(t):
    t.net[4].weight.array = t.net[4].weight.array * 0.5


def _hook_in_the_node(t):
    t.net[4].weight.node.hooks = {0: lambda g: g * 0}


def _rate_in_a_tensor(t):
    t.rate = t.optimizer.param_groups[0]["lr"] = autograd.tensor(0.5)


def _stepping(t):
    def pre(optimizer, args, kwargs):
        t.net[0].weight.grad.mul_(0)

    t.optimizer.register_step_pre_hook(pre)


def _again(t, k):
    if k == 5:
        t.before = t.net[2]
        t.net[2] = nn.Tanh()
    if k == 9:
        t.net[2] = t.before


def _to_and_fro(t, k):
    t.net.train(k % 6 < 3)


def _tensor_as_rate(t, k):
    if k == 5:
        _rate_in_a_tensor(t)
    if k == 8:
        t.rate.fill_(0.01)


def _everywhere(t, k):
    if k == 5:
        t.handle = nn.module.register_module_forward_hook(lambda m, args, out: out * 2 if m is t.net[4] else None)
    if k == 9:
        t.handle.remove()


HIDDEN = dict(
    training=lambda t: t.net[1].__dict__.update(training=False), rate_of_dropout=lambda t: t.net[3].__dict__.update(p=0.7),
    no_bias=lambda t: t.net[4]._parameters.update(bias=None), deleted=lambda t: t.net.__delattr__("2"), order=_reordered,
    buffer=lambda t: t.net[1]._buffers.update(running_mean=autograd.ones(16)), array=_own_array, hook=_hook_in_the_node,
    frozen=lambda t: t.net[0].requires_grad_(False), method=lambda t: t.net[2].__dict__.update(forward=lambda x: x * 0.5),
    hook_of_module=lambda t: t.net[2]._hooks.update({0: nn.hooks.Hook("forward", lambda m, args, out: out * 2)}),
    betas=lambda t: t.optimizer.param_groups[0].update(betas=[0.5, 0.9]), group=_another_rate, parameters=_some_parameters,
    fewer=_fewer, state=_in_the_state, tensor=_rate_in_a_tensor,
    maximize=lambda t: t.optimizer.param_groups[0].update(maximize=True), stepping=_stepping,
    more=lambda t: t.optimizer.add_param_group({"params": [autograd.ones(2).requires_grad_()], "lr": 0.1}),
)  # fmt: skip
IN_TIME = dict(to_and_fro=_to_and_fro, again=_again, tensor_as_rate=_tensor_as_rate, everywhere=_everywhere)
ONLY_VALUES = ("group", "betas", "tensor")  # which a program reads anew


@pytest.mark.parametrize("case", [*HIDDEN, *IN_TIME])
def test_what_is_changed_past_all_methods_is_followed(case):
    change = IN_TIME.get(case) or (lambda t, k: HIDDEN[case](t) if k == 5 else None)
    compiled = follow("replay", change, calls=14)
    assert compiled.stats()["programs"] <= 2
    assert compiled.stats()["calls"]["recorded"] <= 6  # what was once so needs no other recording


@pytest.mark.parametrize("case", HIDDEN)
def test_no_watch_says_the_same_of_another_thing(case):
    """Quickly it says no more than what a walk finds."""
    t = Training()
    for k in range(2):
        t.step(*batch(k))
    watch = Watch(t.step)
    assert watch.same()
    HIDDEN[case](t)
    assert (Watch(t.step).facts != watch.facts) == (case not in ONLY_VALUES)
    assert [watch.same(), watch.same()] == [case in ONLY_VALUES] * 2


# ---------------------------------------------------------------- and what the user's code is
class Net(nn.Module):
    power = 1.0

    def __init__(self):
        super().__init__()
        self.layer, self.parts = nn.Linear(2, 2), [1.0, 2.0]

    def forward(self, x, by=1.0):
        return self.layer(x) * SCALE * HELD.factor * self.parts[1] * self._factor() * by

    def _factor(self):
        return self.power


def _forward(self, x, by=2.0):
    return self.layer(x) * by


def _set(owner, name, value):
    return lambda monkeypatch, net: monkeypatch.setattr(owner or net, name, value)


CODE = dict(
    the_global=_set(THIS, "SCALE", 3.0), of_another_type=_set(THIS, "SCALE", 2),
    negative=_set(THIS, "SCALE", -0.0), attribute=_set(HELD, "factor", 4.0), of_the_class=_set(Net, "power", 5.0),
    of_the_object=_set(None, "power", 6.0), method=_set(Net, "_factor", lambda self: 7.0), forward=_set(Net, "forward", _forward),
    code=_set(Net.forward, "__code__", _forward.__code__), default=_set(Net.forward, "__defaults__", (8.0,)),
    an_item=lambda monkeypatch, net: net.parts.__setitem__(1, 9.0), an_own_method=_set(None, "_factor", lambda: 0.5),
)  # fmt: skip


@pytest.mark.parametrize("case", CODE)
def test_code_that_is_changed_between_calls_is_followed(case, monkeypatch):
    net, x = Net(), autograd.ones(3, 2)

    def step(x):
        with autograd.no_grad():
            return net(x)

    compiled = autograd.compile(step, backend="replay")
    for _ in range(3):
        compiled(x)
    assert compiled.stats()["calls"]["compiled"] == 1
    CODE[case](monkeypatch, net)
    for _ in range(4):
        got, expected = compiled(x).array, step(x).array
        assert_array_equal(got, expected)
        assert_array_equal(np.signbit(got), np.signbit(expected))
    assert compiled.stats()["calls"]["compiled"] >= 3


class Slotted:
    __slots__ = ("__weakref__", "factor")

    def __init__(self):
        self.factor = 1.0

    @autograd.compile(backend="replay")
    def times(self, x):
        return x * self.factor


class Scaled(nn.LayerNorm):
    inner = SimpleNamespace(factor=1.0)

    @functools.cached_property
    def three(self):
        return 3.0 * SCALE


@functools.cache
def scaled(n):
    return n * SCALE


module, package = ModuleType("module"), ModuleType("package")
module.factor, package.module = 1.0, module
slotted, norm = Slotted(), Scaled(3)
SEEN = dict(
    slot=(lambda x: x * slotted.factor, lambda: setattr(slotted, "factor", 2.0)),
    no_slot=(lambda x: x * getattr(slotted, "factor", 7.0), lambda: delattr(slotted, "factor")),
    of_a_layer=(lambda x: norm(x).detach(), lambda: setattr(norm, "eps", 100.0)),
    an_object_of_the_class=(lambda x: x * norm.inner.factor, lambda: setattr(Scaled.inner, "factor", 2.0)),
    new_in_the_class=(lambda x: x * getattr(norm, "late", 1.0), lambda: setattr(Scaled, "late", 2.0)),
    computed_once=(lambda x: x * norm.three, lambda: norm.__dict__.update(three=5.0)),
    in_a_package=(lambda x: x * package.module.factor, lambda: setattr(module, "factor", 2.0)),
    behind_a_cache=(lambda x: x * scaled(2), lambda: (scaled.cache_clear(), setattr(THIS, "SCALE", 7.0))),
)  # fmt: skip


@pytest.mark.parametrize("case", SEEN)
def test_wherever_a_value_stands_a_new_one_is_seen(case, monkeypatch):
    monkeypatch.setattr(THIS, "SCALE", SCALE)
    step, change = SEEN[case]
    compiled, x = autograd.compile(step, backend="replay"), autograd.tensor([1.0, 2.0, 5.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            assert_array_equal(compiled(x).array, step(x).array)
        assert compiled.stats()["calls"]["compiled"] >= 2
        before = compiled(x).tolist()
        change()
        for _ in range(4):
            assert_array_equal(compiled(x).array, step(x).array)
    assert compiled(x).tolist() != before


def test_what_stands_still_is_walked_through_once():
    """Also where much can be seen: NumPy's functions and their like, the standard library, this file, slots and classes."""
    rng, plain = (
        np.random.default_rng,
        {name: value for name, value in vars(THIS).items() if isinstance(value, (type, ModuleType))},
    )

    def step(x):
        if x is None:
            return rng, plain, re.compile, autograd.ops, np.linalg.norm, collections.namedtuple, environ
        return norm(x * slotted.factor).detach()

    watch = Watch(step)
    assert [watch.same() for _ in range(3)] == [True] * 3
    assert len(watch.facts) > 100
    environ["CHAINRULE_TEST"] = "1"
    assert not watch.same()
    del environ["CHAINRULE_TEST"]
    assert watch.same()


def test_a_method_is_kept_under_its_own_name_or_takes_its_object():
    class Doubling:
        def _double(self, x):
            return x * 2

        double = autograd.compile(_double, backend="replay")

    one = Doubling()
    assert one.double is one.double
    assert one._double(x).tolist() == [2, 2, 2]
    here, there = Slotted(), Slotted()
    there.factor = 5.0
    for _ in range(4):
        assert (here.times(x).tolist(), there.times(x).tolist()) == ([1] * 3, [5] * 3)
    here.factor = 3.0
    assert (here.times(x).tolist(), there.times(x).tolist()) == ([3] * 3, [5] * 3)
    assert Slotted.times.stats()["calls"]["compiled"] == 5


def test_a_function_at_the_place_of_one_that_is_gone_is_another():
    """Facts go by ids, which stay with what was seen."""
    held = SimpleNamespace(act=None)

    def step(x):
        return held.act(x)

    compiled = autograd.compile(step, backend="replay")
    for k in range(1, 5):
        held.act = None
        gc.collect()
        held.act = eval(f"lambda x: x * {k}")
        for _ in range(4):
            assert compiled(autograd.ones(2)).tolist() == [k, k]


@pytest.mark.parametrize("backend", ["replay", "auto"])
def test_what_cannot_run_again_is_not_kept(backend):
    """A parameter that gets another array leaves nothing behind of the programs that used the one before."""
    w = autograd.ones(3).requires_grad_()
    optimizer = nn.optim.SGD([w], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = autograd.compile(step, backend=backend)
    gone = []
    for k in range(1, 4):
        w.data = autograd.ones(3) * k
        gone.append(weakref.ref(w.array))
        assert [round(compiled(x).item(), 4) for _ in range(5)] == [round(3 * k - 0.3 * i, 4) for i in range(5)]
    gc.collect()
    assert [known() is None for known in gone] == [True, True, False]
    assert compiled.stats()["calls"]["compiled"] == 9


def test_a_step_that_depends_on_ever_other_things_stays_eager():
    held = SimpleNamespace(factor=0.0)
    compiled = autograd.compile(lambda x: x * held.factor, backend="replay")

    def call(k):
        held.factor = k // 3 + 0.5
        return compiled(autograd.ones(2)).tolist() == [held.factor] * 2

    with pytest.warns(UserWarning, match="stays eager"):
        assert all([call(k) for k in range(250)])
    assert "another thing in each call: held.factor was" in " ".join(compiled.stats()["eager"])
    assert compiled.stats()["calls"]["eager"] > 150
    assert compiled.program is None  # nothing is kept of what will not run again


# ---------------------------------------------------------------- arguments
def twice(step, first, other, backend):
    """A step, compiled with some arguments, and what it gives of others, which must be what it gives uncompiled."""
    compiled = autograd.compile(step, backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            compiled(*first())
        assert compiled.stats()["calls"]["compiled"] == 1
        for _ in range(3):
            assert_array_equal(compiled(*other()), step(*other()))
            assert compiled(*other()).dtype == step(*other()).dtype
            assert_array_equal(np.signbit(compiled(*other())), np.signbit(step(*other())))
    return compiled


ones, twos = np.ones(3), np.full(3, 2.0)
x, y = autograd.ones(3), autograd.full((3,), 2.0)
box, other_box = SimpleNamespace(factor=1.0), SimpleNamespace(factor=2.0)


def total(x, y):
    return (autograd.as_tensor(x) - autograd.as_tensor(y) * 2).array


OTHER = dict(
    one_array_twice=(total, (ones, ones), (ones, twos)), two_arrays=(total, (ones, twos), (twos, twos)),
    one_tensor_twice=(total, (x, x), (x, y)), two_tensors=(total, (x, y), (y, y)), array_of_tensor=(total, (x, y), (x, x.array)),
    another_dtype=(total, (ones, twos), (ones, twos.astype(np.float32))), shape=(total, (x, y), (x, autograd.ones(2, 3))),
    strides=(total, (x, y), (x, autograd.ones(6)[::2])), tensor=(total, (ones, twos), (ones, y)),
    sign_of_zero=(lambda x, n: (x * n).array, (x, 0.0), (x, -0.0)), number=(lambda x, n: (x * n).array, (x, 2), (x, 2.0)),
    boolean=(lambda x, n: np.array(str(n)) if n is True else (x * n).array, (x, 1), (x, True)),
    longer=(lambda x, parts: sum(parts, x).array, (x, [x, y]), (x, [x, y, y])),
    kind=(lambda x, parts: sum(parts, x).array, (x, [x, y]), (x, (y, x))), missing=(lambda x, y=y: total(x, y), (x, x), (x,)),
    keys=(lambda x, parts: total(*parts.values()), (x, {"a": x, "b": y}), (x, {"b": y, "a": x})),
    box=(lambda x, box: (x * box.factor).array, (x, box), (x, other_box)),
)  # fmt: skip


@pytest.mark.parametrize("case", OTHER)
def test_arguments_of_another_kind_are_told_from_those_before(case):
    step, first, other = OTHER[case]
    if case == "boolean":
        step = lambda x, n: (x * (3 if n is True else n)).array  # noqa: E731
    twice(step, lambda: first, lambda: other, "auto" if case == "another_dtype" else "replay")  # only C minds the dtype


def test_arguments_by_name_are_told_apart():
    def step(x, *, a=1.0, b=1.0):
        return (x * a + b).array

    compiled = autograd.compile(step, backend="replay")
    for given in [{"a": 2.0}] * 3 + [{"b": 2.0}, {"a": 2.0, "b": 3.0}, {}, {"a": 2.0}]:
        assert_array_equal(compiled(x, **given), step(x, **given))


def test_an_object_that_is_given_is_looked_at_as_what_is_held():
    def step(x, box):
        return x * box.factor

    compiled = autograd.compile(step, backend="replay")
    given = SimpleNamespace(factor=1.0)
    for k in range(12):
        given.factor = 1.0 + k // 4
        assert compiled(x, given).tolist() == [given.factor] * 3
    assert compiled.stats()["calls"]["compiled"] == 6


def test_no_graph_ends_in_a_compiled_step():
    """A leaf may be given, and gets its gradient; the result of an op would lose the way back."""
    w = autograd.ones(3).requires_grad_()

    def step(x):
        (x * x).sum().backward()
        return x.detach()

    compiled = autograd.compile(step, backend="replay")
    for _ in range(4):
        w.grad = None
        compiled(w)
        assert w.grad.tolist() == [2, 2, 2]
    assert compiled.stats()["calls"]["compiled"] == 2
    w.grad = None
    compiled(w * 3)
    assert w.grad.tolist() == [18, 18, 18]
    shown = []
    w.grad = None
    w.register_hook(shown.append)
    compiled(w)
    assert len(shown) == 1


def test_read_only_memory_is_not_written():
    def step(x):
        x.mul_(2)
        return x.sum()

    for backend in ("replay", "auto"):
        compiled = autograd.compile(step, backend=backend)
        for _ in range(4):
            compiled(autograd.ones(3))
        assert compiled.stats()["calls"]["compiled"] == 2
        fixed = autograd.ones(3)
        fixed.array.flags.writeable = False
        with pytest.raises(autograd.errors.InPlaceError, match="read-only"):
            compiled(fixed)
        assert fixed.tolist() == [1, 1, 1]


# ---------------------------------------------------------------- results
def test_results_have_the_form_that_the_step_gives_them():
    from collections import namedtuple

    Pair = namedtuple("Pair", "one two")
    w = autograd.ones(2)

    def step(x, y):
        z = x + y
        return {"a": [z, (z * 2, 7, None)], 3: Pair(y, w), "raw": z.array, "none": ()}

    for backend in ("replay", "auto"):
        compiled = autograd.compile(step, backend=backend)
        for k in range(5):
            x, y = autograd.ones(2) * k, autograd.ones(2)
            found = compiled(x, y)
            (z, (twice, seven, none)), pair = found["a"], found[3]
            assert (z.tolist(), twice.tolist(), seven, none) == ([k + 1.0] * 2, [2 * k + 2.0] * 2, 7, None)
            assert (type(pair), id(pair.one), id(pair.two)) == (Pair, id(y), id(w))
            assert (type(found["raw"]), found["raw"].tolist()) == (np.ndarray, z.tolist())
            assert (found["none"], list(found)) == ((), ["a", 3, "raw", "none"])
        assert compiled.stats()["calls"]["compiled"] == 3


@pytest.mark.parametrize("backend", ["replay", "auto"])
def test_small_results_and_large_are_the_callers_own(backend):
    compiled = autograd.compile(lambda x: (x.sum(), x * 2, x), backend=backend)
    for n in (3, 5000):
        kept = [(k, *compiled(autograd.full((n,), float(k)))) for k in range(6)]
        for k, total, double, _ in kept:
            assert (total.item(), double.array[n - 1]) == (n * k, 2 * k)
        assert len({id(double.array) for *_, double, _ in kept}) == 6


@pytest.mark.parametrize("backend", ["replay", "auto"])
def test_an_argument_that_is_laid_out_otherwise_is_read_anew(backend):
    """Its content may be another in each call, wherever it lies."""
    memory = np.zeros((3, 4))
    x, y = autograd.as_tensor(memory.T), autograd.as_tensor(memory)
    compiled = autograd.compile(lambda x: x.sum(0), backend=backend)
    for given, dim in ((x, 1), (y, 0)):
        for k in range(5):
            memory[...] = k
            memory[1, 2] = 7 * k
            assert_array_equal(compiled(given).array, memory.sum(dim))


# ---------------------------------------------------------------- what a call notes
@pytest.mark.parametrize("backend", ["replay", "auto"])
def test_a_step_leaves_no_gradient_that_it_has_used_up(backend):
    step, optimizer = xor(backend)
    x, y = autograd.ones(4, 2), autograd.ones(4, 1)
    parameters = optimizer.param_groups[0]["params"]
    for _ in range(5):
        for p in parameters:
            p.grad = autograd.ones_like(p)
        step(x, y)
    assert [p.grad for p in parameters] == [None] * 4
    assert step.stats()["calls"]["compiled"] == 3


@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize("backend", ["replay", "auto"])
def test_a_graph_that_saved_what_a_compiled_step_writes_is_refused(backend, calls):
    """Also where the step was called before, and calls of which nobody took note lie between."""
    w, x = autograd.ones(3).requires_grad_(), autograd.ones(3)
    optimizer = nn.optim.SGD([w], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (w * x).sum()
        loss.backward()
        optimizer.step()
        return loss

    step = autograd.compile(step, backend=backend)
    for _ in range(3 + calls):
        step(x)
    loss, seen = (w * w).sum(), (w * 2).sum()
    for _ in range(1 + calls):
        step(x)
    seen.backward()  # it did not save w
    with pytest.raises(autograd.errors.InPlaceError, match="modified in place"):
        loss.backward()
    assert step.stats()["calls"]["compiled"] == 2 + 2 * calls
    (w * w).sum().backward()


def test_two_programs_of_one_step_each_note_what_they_write():
    one, two = (autograd.ones(n).requires_grad_() for n in (2, 3))

    @autograd.compile(backend="replay")
    def step(x):
        with autograd.no_grad():
            w = one if x.shape == (2,) else two
            w.add_(x)

    given = [autograd.ones(2), autograd.ones(3)]
    for _ in range(4):
        for x in given:
            step(x)
    losses = [(w * w).sum() for w in (one, two)]
    for x in given:
        step(x)
    for loss in losses:
        with pytest.raises(autograd.errors.InPlaceError):
            loss.backward()


# ---------------------------------------------------------------- what it costs
def xor(backend="auto"):
    net = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    optimizer = nn.optim.SGD(net.parameters(), lr=0.5)

    @autograd.compile(backend=backend)
    def step(x, y):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, optimizer


def counted(f):
    """How many functions `f()` calls, Python's and C's."""
    found = []
    sys.setprofile(lambda frame, event, what: found.append(event) if event in ("call", "c_call") else None)
    try:
        f()
    finally:
        sys.setprofile(None)
    return len(found) - 1  # setprofile itself


@needs_c
def test_a_call_of_a_compiled_step_calls_few_functions():
    """Calls are what it costs; and what is compared adds none."""
    step, optimizer = xor()
    x, y = autograd.ones(4, 2), autograd.ones(4, 1)
    for _ in range(4):
        step(x, y)
    few = counted(functools.partial(step, x, y))
    assert few <= 40
    assert counted(functools.partial(step, autograd.ones(4, 2), y)) <= few + 25  # another batch
    optimizer.param_groups[0]["lr"] = 0.1
    assert few < counted(functools.partial(step, x, y)) <= few + 200  # another rate: the optimizer looks at its options
    assert counted(functools.partial(step, x, y)) == few
    watch = step._watch
    assert counted(watch.same) <= 4


def test_several_threads_call_one_step_and_others():
    from concurrent.futures import ThreadPoolExecutor

    shared, _ = xor()
    own = [xor()[0] for _ in range(3)]
    x, y = autograd.rand(4, 2), autograd.rand(4, 1)
    for step in (shared, *own):
        for _ in range(3):
            step(x, y)

    def work(k):
        return [[step(x, y).item() for _ in range(200)] for step in (own[k], shared)]

    with ThreadPoolExecutor(3) as pool:
        found = [*pool.map(work, range(3))]
    assert all(losses == sorted(losses, reverse=True) for pair in found for losses in pair)
    assert shared.stats()["calls"] == {"compiled": 601, "recorded": 2, "eager": 0}
    assert len({value for _, losses in found for value in losses}) > 500  # each call was a step of its own


def test_methods_have_a_step_for_each_object():
    class Trainer:
        def __init__(self, rate):
            self.net, self.calls = nn.Linear(2, 1), 0
            self.optimizer = nn.optim.SGD(self.net.parameters(), lr=rate)

        @autograd.compile(backend="replay", strict=True)
        def step(self, x):
            self.optimizer.zero_grad()
            loss = (self.net(x) ** 2).mean()
            loss.backward()
            self.optimizer.step()
            return loss

    one, two = Trainer(0.1), Trainer(0.0)
    x = autograd.ones(4, 2)
    first = [t.step(x).item() for t in (one, two)]
    last = [[t.step(x).item() for _ in range(9)][-1] for t in (one, two)]
    assert last[0] < 0.1 * first[0]
    assert last[1] == first[1]
    assert [t.step.stats()["calls"]["compiled"] for t in (one, two)] == [8, 8]
    assert isinstance(Trainer.step(one, x) if callable(Trainer.step) else None, Tensor)  # as a plain function of the class


# ---------------------------------------------------------------- nn.train.fit
def _noisy(scheduler=None, **options):
    """A run of fit: what was measured, the parameters, and what a callback has seen of gradients."""

    def run(compile):
        autograd.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
        made = options.get("optimizer", lambda ps: nn.optim.AdamW(ps, lr=0.02))(net.parameters())
        data = nn.utils.data.TensorDataset(*batch(0, 44))
        loader = nn.utils.data.DataLoader(data, batch_size=8, shuffle=True)  # the last batch has 4
        seen = []
        given = {name: value for name, value in options.items() if name not in ("optimizer", "loss", "callbacks")}
        callbacks = [*options.get("callbacks", lambda seen: [])(seen)]
        history = nn.train.fit(
            net, options.get("loss", F.cross_entropy), made, loader, 6, callbacks=callbacks, verbose=False, compile=compile,
            scheduler=scheduler and scheduler(made), **given,
        )  # fmt: skip
        return history, [p.array for p in (*net.parameters(), *net.buffers())], seen

    return run


class Gradients(nn.train.Callback):
    def __init__(self, seen):
        self.seen = seen

    def on_batch_end(self, loop):
        self.seen.append(float(sum((p.grad**2).sum() for p in loop.parameters)))


class Limit(Gradients):
    def on_gradients(self, loop):
        self.seen.append(loop.step_loss)
        for p in loop.parameters:
            p.grad.clamp_(-0.01, 0.01)
        if loop.epoch == 4:
            loop.stop("enough")


def squared(output, target):
    return ((output - F.one_hot(target, 3)) ** 2).mean()


def step_lr(optimizer):
    return nn.optim.lr_scheduler.StepLR(optimizer, 2, 0.3)


FITS = dict(
    plainly=_noisy(), metrics=_noisy(metrics=[nn.metrics.accuracy], validation=[batch(1, 20)]), sum=_noisy(loss=nn.CrossEntropyLoss(reduction="sum")),
    schedule=_noisy(scheduler=step_lr), each_step=_noisy(scheduler=step_lr, schedule="step"), clipped=_noisy(clip_norm=0.5, clip_value=0.1),
    smoothed=_noisy(loss=nn.CrossEntropyLoss(label_smoothing=0.1, weight=autograd.tensor([1.0, 2.0, 3.0]))),
    accumulated=_noisy(loss=squared, accumulate=2), callback=_noisy(callbacks=lambda seen: [Gradients(seen)]),
    limited=_noisy(callbacks=lambda seen: [Limit(seen)]), ends=_noisy(callbacks=lambda seen: [nn.train.TerminateOnNaN(), Gradients(seen)]),
    momentum=_noisy(optimizer=lambda ps: nn.optim.SGD(ps, lr=0.05, momentum=0.9, nesterov=True)),
    search=_noisy(optimizer=lambda ps: nn.optim.LBFGS(ps, lr=0.1, max_iter=3)),
)  # fmt: skip


@pytest.mark.parametrize("case", FITS)
def test_fit_compiled_is_fit(case, monkeypatch):
    """Its history, what callbacks see, and the parameters: with batches of two sizes, dropout, and all that fit takes."""
    if case != "plainly":
        monkeypatch.setattr(cc, "compiler", lambda: None)  # NumPy plays it: a compiler takes long
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (one, expected, saw), (two, found, sees) = (FITS[case](compile) for compile in (False, True))
    assert one.keys() == two.keys()
    assert one.stopped == two.stopped
    for name in one:
        assert two[name] == pytest.approx(one[name], rel=1e-4), name
    assert sees == pytest.approx(saw, rel=1e-3)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_fit_says_once_what_it_cannot_compile():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x):
            return self.layer(x) * (2 if x.sum() > 0 else 1)

    net = Odd()
    optimizer = nn.optim.SGD(net.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="stays eager: .*bool shows Python a value") as told:
        history = nn.train.fit(net, F.cross_entropy, optimizer, [batch(k) for k in range(8)], 5, verbose=False, compile=True)
    assert len(told) == 1
    assert history["loss"][-1] < history["loss"][0]


def test_fit_compiles_once_for_each_kind_of_batch(monkeypatch):
    made = []
    compile = autograd.compile
    monkeypatch.setattr("nn.train.loop.compile", lambda step: made.append(compile(step, backend="replay")) or made[-1])
    FITS["metrics"](True)
    (step,) = made
    assert step.stats()["programs"] == 2
    assert step.stats()["calls"]["compiled"] > 25
    assert step.stats()["calls"]["recorded"] <= 6


# ---------------------------------------------------------------- what is told in each call
def _told(how):
    """What a step of two forward passes tells, in its order: arguments, what it finds, what it computes and what it writes."""
    autograd.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 3))
    optimizer = nn.optim.Adam(net.parameters(), lr=0.05)
    rows, names = [], []
    tell = autograd.compile.callback(lambda *values: rows.extend(values))
    name = autograd.compile.callback(lambda text, loss: names.append(f"{text} {loss.item():.4f}"))

    @how
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        tell(loss, net[0].weight)
        name("before", loss)
        loss.backward()
        tell(net[0].weight.grad)
        tell(x)  # which is there before the step, but is told when it is its turn
        optimizer.step()
        tell(x, net[0].weight, net[0].bias)
        again = F.cross_entropy(net(x), y)
        name("after", again)
        tell(again)
        return loss.detach()

    losses = [step(*batch(k)).item() for k in range(8)]
    return losses, rows, names, step


@pytest.mark.parametrize("backend", [pytest.param("c", marks=needs_c), "replay"])
def test_a_callback_is_told_the_same_in_the_same_order_in_each_call(backend):
    losses, rows, names, _ = _told(lambda step: step)
    found, others, texts, step = _told(autograd.compile(backend=backend, strict=True))
    assert step.stats()["calls"]["compiled"] >= 5
    np.testing.assert_allclose(found, losses, rtol=1e-4)
    assert len(others) == len(rows) == 8 * 8
    for a, b in zip(others, rows, strict=True):
        assert type(a) is Tensor
        assert a.shape == b.shape
        assert not a.requires_grad
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert [t.split()[0] for t in texts] == [t.split()[0] for t in names] == ["before", "after"] * 8


@pytest.mark.parametrize("backend", [pytest.param("c", marks=needs_c), "replay"])
def test_a_callback_that_fails_ends_the_step_before_anything_is_written(backend):
    w = autograd.ones(3, requires_grad=True)
    optimizer = nn.optim.SGD([w], lr=0.1)
    failing = SimpleNamespace(now=False)

    @autograd.compile.callback
    def look(loss):
        if failing.now:
            raise KeyError("full")

    @autograd.compile(backend=backend, strict=True)
    def step(x):
        optimizer.zero_grad()
        loss = ((x * w) ** 2).sum()
        look(loss)
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(4):
        step(autograd.ones(3))
    before, failing.now = w.detach().clone(), True
    with pytest.raises(KeyError, match="full"):
        step(autograd.ones(3))
    assert_array_equal(w.detach(), before)
    failing.now = False
    step(autograd.ones(3))
    assert step.stats()["calls"]["compiled"] == 4
    assert not (w == before).any()


def test_a_callback_of_a_class_knows_its_object():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        @autograd.compile.callback
        def look(self, x):
            seen.append((self, x.sum().item()))

        def forward(self, x):
            self.look(x)
            return self.layer(x)

    net, seen = Net(), []
    with autograd.no_grad():
        run = autograd.compile(lambda x: net(x), backend="replay", strict=True)
        for k in range(4):
            run(autograd.full((2, 6), float(k)))
    assert run.stats()["calls"]["compiled"] == 2
    assert seen == [(net, 12.0 * k) for k in range(4)]


def test_a_callback_is_made_of_a_function():
    with pytest.raises(ArgumentError, match=r"compile\.callback takes a function, not a str"):
        autograd.compile.callback("loss")


@pytest.mark.parametrize("backend", [pytest.param("c", marks=needs_c), "replay"])
def test_a_gradient_that_a_step_replaces_is_gone_while_it_runs(backend):
    """Or each call would need memory for both."""
    x = autograd.ones(4, requires_grad=True)
    before, alive = [], []
    look = autograd.compile.callback(lambda loss: alive.append(bool(before) and before[-1]() is not None))

    @autograd.compile(backend=backend, strict=True)
    def step():
        x.grad = None
        loss = (x**2).sum()
        look(loss)
        loss.backward()

    for _ in range(6):
        step()
        before.append(weakref.ref(x.grad.array))
    assert step.stats()["calls"]["compiled"] >= 3
    assert alive == [False] * 6
    assert_array_equal(x.grad, np.full(4, 2.0))


# ---------------------------------------------------------------- ops of the user's
@pytest.mark.parametrize("backend", [pytest.param("c", marks=needs_c), "replay"])
@pytest.mark.parametrize("fun", [np.sinh, lambda x: np.tanh(x) * 2, np.abs])
def test_an_op_of_the_users_is_none_of_the_librarys_of_that_name(fun, backend):
    """Neither in a compiled step, nor does it take the place of the library's."""
    librarys = PRIMITIVES["tanh"]
    mine = primitive(fun, "tanh", x=lambda g, x: g * 3, says="Another op.")
    assert PRIMITIVES["tanh"] is librarys
    x = autograd.from_numpy(np.linspace(-1, 1, 60).reshape(6, 10)).requires_grad_()
    step = autograd.compile(lambda: (mine(x).detach(), *autograd.grad(mine(x).sum(), x)), backend=backend, strict=True)
    for _ in range(4):
        value, slope = step()
    assert step.stats()["calls"]["compiled"] == 2
    np.testing.assert_allclose(value, fun(x.detach().array), rtol=1e-12)
    assert_array_equal(slope, np.full((6, 10), 3.0))
