"""watch: a recording knows every op, write and pull as the engine did them, by the user's names, and changes nothing."""

import gc
import subprocess
import sys
import time
import weakref
from functools import partial

import helpers
import numpy as np
import pytest
from samples import SAMPLES
from strategies import is_float, some_calls

import autograd
import nn
import nn.functional as F
from autograd import tensor
from autograd.errors import ArgumentError, GraphError
from autograd.see.record import Op, Write

leaf = partial(helpers.leaf, dtype=np.float32)


def numbers(values):
    return [float(v.array) for v in values]


# ---------------------------------------------------------------- what is heard
def watched(sample, call):
    """The leaves of a call, the recording of it and of a backward, and the gradients that were left; None if nothing needs one."""
    found = []

    def made(a):
        t = tensor(a, requires_grad=is_float(a)) if hasattr(a, "dtype") else a
        found.extend([t] if is_float(a) else [])
        return t

    call = call.map(made)
    with autograd.watch() as tape:
        out = call.run(sample.op)
        parts = [o for o in helpers.leaves(out) if getattr(o, "requires_grad", False)]
        if not parts:
            return None
        loss = sum((o * tensor(np.random.default_rng(0).normal(size=o.shape))).sum() for o in parts)
        loss.backward()
    return found, tape, loss


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.smooth], ids=lambda s: s.name)
def test_the_gradients_that_are_heard_are_those_that_backward_leaves(sample):
    """Put together from what each rule returned and what fit made of it."""
    for call in some_calls(sample, 3):
        if (heard := watched(sample, call)) is None:
            continue
        found, tape, _ = heard
        for t in found:
            if t.grad is not None:
                np.testing.assert_allclose(tape.gradient(t), t.grad.array, rtol=1e-12)
        assert all(one.fitted.shape == one.to.shape for one in tape.backwards[0].contributions)


def test_ops_come_in_order_with_arguments_by_name_results_and_lines():
    w, b = leaf(3.0), leaf(1.0)
    with autograd.watch() as tape:
        h = w * 2
        loss = (h + b).tanh()  # noqa: F841 (its name is what is looked at)
    multiply, add, tanh = tape.events
    assert [type(e) for e in tape.events] == [Op] * 3
    assert [e.name for e in tape.events] == ["multiply", "add", "tanh"]
    assert multiply.arguments == {"x": tape.value(w), "y": 2}
    assert add.arguments == {"x": tape.value("h"), "y": tape.value(b)}
    assert (tape.value(w).name, add.results[0].name, tanh.results[0].name) == ("w", "", "loss")
    assert tape.value(h).made is multiply
    assert numbers(tape.value(n) for n in ("w", "h", "loss")) == [3, 6, pytest.approx(np.tanh(7))]
    assert [e.line.number - multiply.line.number for e in tape.events] == [0, 1, 1]
    assert multiply.line.file == __file__


def test_names_of_several_values_are_numbered_and_none_is_the_gradient():
    g = leaf(1.0)
    with autograd.watch() as tape:
        for _ in range(3):
            g = g * 2
    assert [v.name for v in tape.values] == ["g", "g_2", "g_3", "g_4"]
    assert [v.symbol for v in tape.values] == ["g_1", "g_2", "g_3", "g_4"]  # in formulas g is what comes in


def test_given_names_and_parts_of_lists():
    a, parts = leaf(1.0), [leaf(2.0), leaf(3.0)]
    with autograd.watch({"slope": a}) as tape:
        _ = a * parts[0] * parts[1]
    assert [v.name for v in tape.values[:3]] == ["slope", "parts[0]", "parts[1]"]
    with pytest.raises(ArgumentError, match="'a' is no Tensor but int"):
        autograd.watch({"a": 3})


def test_modules_that_were_being_called():
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 1)))
    with autograd.watch() as tape:
        loss = net(autograd.ones(4, 2)).sum()
        net(autograd.ones(1, 2))
    first, tanh, last, total, *again = tape.events
    assert [repr(c) for c in last.modules] == ["Sequential", "Sequential 1", "Linear 1.1"]
    assert total.modules == ()
    assert loss is not None
    assert tanh.modules[1] is last.modules[1], "one call of it"
    assert again[1].modules[1].number != last.modules[1].number, "another call of it"
    assert [v.name for v in first.values[1:]] == ["0.weight", "0.bias"]
    assert {c.module for e in tape.events for c in e.modules} <= set(net.modules())


def test_contributions_come_with_what_was_there_before():
    w = leaf(3.0)
    with autograd.watch() as tape:
        h = w * w
        (2 * h + w).backward()
    (backward,) = tape.backwards
    added = backward.to(tape.value(w))
    assert [(c.event.name, c.argument) for c in added] == [("add", "y"), ("multiply", "x"), ("multiply", "y")]
    assert numbers(c.d for c in added) == [1, 6, 6]
    assert [None if c.total is None else float(c.total.array) for c in added] == [None, 1, 7]
    assert float(tape.gradient(h)) == 2
    assert numbers(p.g for p in backward.pulls) == [1, 1, 2]


def test_what_the_engine_does_to_a_gradient_is_told():
    b, half = leaf([1.0, 2.0]), helpers.leaf(np.float64(2))
    with autograd.watch() as tape:
        y = autograd.ones(4, 2) * half.float() + b
        y.sum().backward()
    add = tape.backwards[0].to(tape.value(b))
    assert [c.summed for c in add] == [(0,)]
    assert add[0].cast is None
    multiply = next(c for c in tape.backwards[0].contributions if c.event.name == "multiply")
    assert multiply.summed == (0, 1)
    assert multiply.fitted.shape == ()


def test_hooks_are_heard_of():
    w = leaf([1.0, 2.0])
    w.register_hook(lambda g: g * 10)
    with autograd.watch() as tape:
        h = w * 3
        h.register_hook(lambda g: g + 1)
        h.sum().backward()
    assert tape.gradient(h).tolist() == [2, 2]
    assert [p.hooked for p in tape.backwards[0].pulls] == [False, True]
    assert tape.gradient(w).tolist() == w.grad.tolist() == [60, 60]
    assert len(w.node.hooks) == 1, "nothing of ours stays"


def test_several_results_and_holes():
    x = leaf([1.0, 2.0, 3.0])
    with autograd.watch() as tape:
        a, _, c = x.unbind(0)
        (a * c).backward()
    unbind = tape.events[0]
    assert [v.name for v in unbind.results] == ["a", "", "c"]
    (pull,) = [p for p in tape.backwards[0].pulls if p.event is unbind]
    assert [None if g is None else float(g.array) for g in pull.g] == [3, None, 1]
    assert tape.gradient(x).tolist() == [3, 0, 1]


def test_what_cuts_a_gradient_off_is_told():
    w = leaf(2.0)
    with autograd.watch() as tape:
        a = w * 2
        b = a.detach() * a
        with autograd.no_grad():
            c = a * 3
        (b + c).backward()
    multiply = tape.value(b).made
    assert list(multiply.detached) == ["x"]
    assert list(multiply.tracked) == ["y"]
    assert not tape.value(c).made.grad
    assert list(tape.value(c).made.detached) == ["x"]


def test_second_derivatives():
    w = leaf(2.0)
    with autograd.watch() as tape:
        (d,) = autograd.grad(w**3, w, create_graph=True)
        d.backward()
    first, second = tape.backwards
    assert first.create_graph
    assert not second.create_graph
    assert {e.within.name for e in tape.events if e.within} == {"power"}
    assert float(first.gradient(tape.value(w))) == 12
    assert float(second.gradient(tape.value(w))) == 12
    assert tape.value(d).node is not None


def test_functions_of_ones_own():
    class Twice(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    w = leaf([1.0, 2.0])
    with autograd.watch() as tape:
        y = Twice.apply(w)
        (y * y).sum().backward()
    (twice,) = [e for e in tape.events if e.name == "Twice"]
    assert twice.tracked == {"x": tape.value(w)}
    assert twice.results == [tape.value(y)]
    assert tape.value(y).array is y.array
    assert tape.gradient(w).tolist() == w.grad.tolist() == [8, 16]


# ---------------------------------------------------------------- writes
def test_values_stay_what_they_were_when_they_are_overwritten():
    w = leaf([1.0, 2.0, 3.0])
    with autograd.watch() as tape:
        h = w * 2
        h.mul_(10)
        with autograd.no_grad():
            w.add_(100)
        w.grad = None
        h.sum().backward()
    old, new = (tape.value(n) for n in ("h", "h_2"))
    assert old.array.tolist() == [2, 4, 6]
    assert new.array.tolist() == [20, 40, 60]
    assert tape.value("w").array.tolist() == [1, 2, 3]
    assert tape.value(w).array.tolist() == [101, 102, 103]
    assert [e.arguments["x"].name for e in tape.events if isinstance(e, Write)] == ["h", "w"]
    assert new.made.name == "multiply", "a whole value takes the node of what was written"


def test_writes_through_views():
    w = leaf([1.0, 2.0, 3.0])
    with autograd.watch() as tape:
        h = w * 2
        h[1:].exp_()
        v = h.reshape(3, 1)
        v.sum().backward()
    (write,) = [e for e in tape.events if isinstance(e, Write)]
    assert write.arguments["x"].name == "h"
    assert write.results[0].name == "h_2"
    assert list(write.tracked) == ["x", "value"]
    assert tape.value(v).made.values == [tape.value(h)]
    np.testing.assert_allclose(tape.gradient(w), w.grad.array)


def test_gradients_that_are_added_to_stay_what_they_were():
    w = leaf(2.0)
    with autograd.watch() as tape:
        (w * 3).backward()
        (w * 5).backward()
    assert [float(b.gradient(tape.value(w))) for b in tape.backwards] == [3, 5]
    assert w.grad.item() == 8


# ---------------------------------------------------------------- it listens, and nothing else
def test_the_graph_is_the_same_with_and_without():
    def run():
        w = leaf([0.5, 2.0])
        y = (w.log() * w).sum()
        (d,) = autograd.grad(y, w, create_graph=True)
        d.sum().backward()
        order = autograd.engine.graph.ancestors([d.node])
        return [n.name() for n in order], w.grad.tolist()

    plain = run()
    with autograd.watch():
        assert run() == plain


def test_outside_of_the_block_nothing_is_heard():
    w = leaf(2.0)
    with autograd.watch() as tape:
        y = w * 3
    z = y * 2
    z.backward()
    assert len(tape.events) == 1
    assert not tape.backwards
    assert w.grad.item() == 6


@pytest.mark.usefixtures("_no_collector")
def test_a_graph_is_freed_when_its_recording_is():
    w = leaf([1.0])
    with autograd.watch() as tape:
        y = (w * 2).tanh()
        y.backward(leaf([1.0]).detach(), retain_graph=True)
    nodes = [weakref.ref(n) for n in autograd.engine.graph.ancestors([y.node]) if n.plan is not None]
    del y
    assert all(r() is not None for r in nodes), "the recording holds them"
    del tape
    assert not any(r() for r in nodes)


def test_when_the_recording_is_gone_the_graph_works_on():
    w = leaf(2.0)
    with autograd.watch():
        y = w * w
    gc.collect()
    y.backward()
    assert w.grad.item() == 4


def test_refusals():
    with autograd.watch() as tape:
        pass
    with pytest.raises(GraphError, match="watch\\(\\) makes another"):
        tape.__enter__()
    with autograd.engine.graph.ambient(tape=autograd.engine.tape.Tape()), pytest.raises(GraphError, match="while a tape records"):
        autograd.watch().__enter__()
    with autograd.watch() as tape:
        h = leaf(1.0) * 2
    with pytest.raises(ArgumentError, match="'hh' took no part in what was watched, which has h"):
        tape.value("hh")
    assert tape.gradient(h) is None


def test_a_failing_block_leaves_everything_as_it_was():
    tape = autograd.watch()

    def failing():
        with tape:
            return leaf(1.0) * 2 / int("no number")

    with pytest.raises(ValueError, match="no number"):
        failing()
    assert autograd.engine.graph.mode().tape is None
    assert len(tape.events) == 1


@pytest.mark.slow
def test_many_nodes_do_not_hang():
    """Nor does freeing them recurse: an interpreter's stack would not hold 50,000 links."""
    x = leaf(1.0)
    start = time.process_time()
    with autograd.watch() as tape:
        y = x
        for _ in range(25_000):
            y = y * 1.0001 + 0.0
        y.backward()
    assert len(tape.backwards[0].pulls) == 50_000
    assert time.process_time() - start < 60
    helpers.in_thread(lambda: tape.events.clear())


def test_watching_costs_no_import():
    code = "import sys, autograd, nn; assert not {'autograd.see.page', 'autograd.see.record'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_layer_with_running_statistics():
    norm = nn.BatchNorm1d(2)
    with autograd.watch() as tape:
        F.relu(norm(autograd.randn(4, 2))).sum().backward()
    writes = [e for e in tape.events if isinstance(e, Write)]
    assert {e.arguments["x"].name for e in writes} == {"running_mean", "running_var", "num_batches_tracked"}
    assert all(tape.gradient(p) is not None for p in norm.parameters())
