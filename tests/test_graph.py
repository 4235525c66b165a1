"""The graph: what it saves and frees, how gradients flow, accumulate and stop, hooks, modes, threads and depth."""

import asyncio
import contextlib
import gc
import inspect
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
from helpers import in_thread
from helpers import vector as leaf

import autograd
from autograd import (
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    ones,
    primitive,
    set_grad_enabled,
    tensor,
    zeros,
)
from autograd.engine.graph import Node
from autograd.engine.primitive import PRIMITIVES, Plan
from autograd.errors import FreedGraphError, NoGradientError, ShapeError


# ---------------------------------------------------------------- depth
@pytest.mark.slow
def test_a_chain_of_a_million_ops_differentiates_and_is_freed():
    x = tensor(2.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    first = weakref.ref(y.grad_fn.parents[0])
    y.backward(retain_graph=True)
    assert x.grad.item() == 1
    assert first() is not None
    del y  # the whole chain goes at once
    assert first() is None


def deep(n=5_000):
    y = ones(1, requires_grad=True)
    for _ in range(n):
        y = y.exp().log()
    return y


def dropped():
    deep()


def kept_in_a_list():
    graphs = [deep(), deep().sum()]
    graphs.clear()


def raised():
    with contextlib.suppress(ZeroDivisionError):
        y = deep()
        1 / 0 * y


def left_in_a_generator():
    def generate():
        y = deep()
        yield y.shape
        yield y

    next(generate())


def in_a_cycle():
    y = deep()
    y.register_hook([y].append)  # the node holds its hooks
    del y
    gc.collect()


def after_backward():
    y = deep()
    y.backward()


def views_of_views():
    y = ones(1, requires_grad=True) * 1
    for _ in range(10_000):
        y = y.view(1)


@pytest.mark.parametrize(
    "work", [dropped, kept_in_a_list, raised, left_in_a_generator, in_a_cycle, after_backward, views_of_views]
)
def test_deep_graphs_are_freed_in_threads_with_small_stacks(work):
    gc.collect()
    before = alive(Node)
    old = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
    finally:
        threading.stack_size(old)
    thread.join()
    gc.collect()
    assert alive(Node) == before


def alive(kind):
    return sum(type(o) is kind for o in gc.get_objects())


def test_deep_graphs_are_freed_when_the_interpreter_ends():
    program = """
import threading
import autograd
def work():
    global y
    y = autograd.ones(1, requires_grad=True)
    for _ in range(10_000):
        y = y.exp().log()
threading.stack_size(128 * 1024)
thread = threading.Thread(target=work); thread.start(); thread.join()
try:
    import resource
except ImportError:  # Windows
    pass
else:
    resource.setrlimit(resource.RLIMIT_STACK, (512 * 1024, resource.getrlimit(resource.RLIMIT_STACK)[1]))
keep = [y]
keep.append(keep)
print("done")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(autograd.__file__).parents[1]
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_graphs_that_threads_drop_at_once_are_all_freed():
    gc.collect()
    before = alive(Node)
    threads = [threading.Thread(target=lambda: [deep(2) for _ in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert alive(Node) == before


def test_a_graph_as_wide_as_deep_is_swept_once_per_node():
    x = leaf(1)
    y = x
    for _ in range(60):  # 2**60 paths
        y = (y + y) * 0.5
    y.sum().backward()
    assert x.grad.item() == 1


# ---------------------------------------------------------------- what an op saves
def trackable(op):
    """The arguments of a primitive that can need a gradient, alone and all together, as bit masks."""
    rules = [i for i, name in enumerate(op.names) if "joint" in op.rules or op.rules.get(name) is not None]
    return [*(1 << i for i in rules), sum(1 << i for i in rules)]


@pytest.mark.parametrize("name", [n for n, op in PRIMITIVES.items() if op.rules])
def test_each_op_saves_what_the_rules_it_may_need_name_and_nothing_else(name):
    op = PRIMITIVES[name]
    values = {n: np.full((2 + i, 3), i) for i, n in enumerate(["out", *op.names])}
    for mask in trackable(op):
        used = ["joint"] if "joint" in op.rules else [n for i, n in enumerate(op.names) if mask >> i & 1]
        wanted = {p for n in used for p in list(inspect.signature(op.rules[n]).parameters)[1:]} - {"needs"}
        plan = Plan(op, mask)
        assert set(plan.keep) == wanted
        assert len(plan.keep) == len(wanted)
        for kept, saved in zip(plan.keep, plan.save(*values.values()), strict=True):
            value = values.get(kept, values.get("*" + kept))
            if kept.endswith("_shape"):
                own = kept.removesuffix("_shape")
                variadic = "*" + own in values
                shape = values["*" + own if variadic else own].shape
                assert saved == ((shape,) if variadic else shape)
            elif "*" + kept in values:
                assert len(saved) == 1
                assert saved[0] is value
            else:
                assert saved is value


def test_a_product_saves_only_what_the_gradients_need():
    x, y = leaf(1, 2), leaf(3, 4)
    assert [id(v) for v in (x * y.detach()).grad_fn.saved] == [id(y.array)]
    assert [id(v) for v in (x.detach() * y).grad_fn.saved] == [id(x.array)]
    assert {id(v) for v in (x * y).grad_fn.saved} == {id(x.array), id(y.array)}
    assert (x * 3.0).grad_fn.saved == (3.0,)


def test_exp_saves_its_result_add_nothing_and_sum_a_shape():
    x = ones(2, 3, requires_grad=True)
    y = x.exp()
    assert len(y.grad_fn.saved) == 1
    assert y.grad_fn.saved[0] is y.array
    assert (x + 1).grad_fn.saved == ()
    assert set(x.sum(1).grad_fn.saved) == {(2, 3), (1,), False}
    assert not any(isinstance(v, np.ndarray) for v in x.mean().grad_fn.saved)


def test_nothing_is_recorded_where_nothing_requires_grad():
    x, y = ones(3), ones(3)
    assert (x * y).grad_fn is None
    assert (x * y).is_leaf
    assert (leaf(1) > 0).grad_fn is None  # a comparison has no derivative


# ---------------------------------------------------------------- when values die
@pytest.mark.usefixtures("_no_collector")
def test_values_nobody_saved_die_during_forward():
    x = leaf(1, 2)
    a = x + 1
    value = weakref.ref(a.array)
    b = a + 1
    del a
    assert value() is None
    assert b.requires_grad


@pytest.mark.usefixtures("_no_collector")
def test_saved_values_and_gradients_die_as_the_sweep_passes():
    x = leaf(0.1, 0.2)
    values, grads, seen = [], [], []

    def look(g):
        grads.append(weakref.ref(g.array))
        seen.append(([v() is not None for v in values], sum(g() is not None for g in grads)))

    h = x
    for _ in range(4):
        h = h.exp()
        values.append(weakref.ref(h.array))
        h.register_hook(look)
    loss = h.sum()
    del h
    loss.backward()
    for step, (alive, gradients) in zip([4, 3, 2, 1], seen, strict=True):  # at the gradient of step k,
        assert alive == [True] * step + [False] * (4 - step)  # the values after it are gone
        assert gradients == 1  # as are all gradients but the one that is shown
    assert not any(v() for v in values)
    assert loss.grad_fn is not None


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("how", ["forgotten", "backward", "retained", "create_graph", "hooked", "failed", "in place"])
def test_the_graph_dies_with_the_loss_and_without_the_collector(how):
    x = leaf(1, 2)
    a = x.exp()
    b, _ = (a * x).unbind()
    nodes = [weakref.ref(t.grad_fn) for t in (a, b)]
    arrays = [weakref.ref(a.array)]
    if how == "hooked":
        a.register_hook(lambda g: g * 2)
        a.retain_grad()
    if how == "in place":
        b = b.clone()  # a result of unbind is a view
        b += 1
    loss = b * b
    del a, b, _
    if how in ("backward", "hooked", "in place"):
        loss.backward()
    elif how == "retained":
        loss.backward(retain_graph=True)
    elif how == "create_graph":
        (first,) = grad(loss, x, create_graph=True)
        grad(first.sum(), x)
        del first
    elif how == "failed":
        x.detach().add_(1)
        with pytest.raises(autograd.errors.InPlaceError):
            loss.backward()
    del loss
    assert not any(ref() for ref in nodes + arrays)


@pytest.mark.usefixtures("_no_collector")
def test_a_leaf_dies_with_its_gradient():
    x = leaf(1, 2)
    (x * x).sum().backward()
    refs = [weakref.ref(x), weakref.ref(x.array), weakref.ref(x.node), weakref.ref(x.grad), weakref.ref(x.grad.array)]
    del x
    assert not any(ref() for ref in refs)


def test_memory_of_a_long_backward_stays_that_of_a_few_arrays():
    import tracemalloc

    x = ones(50_000, requires_grad=True)  # 200 kB
    y = x
    for _ in range(20):
        y = y + 1.0
    tracemalloc.start()
    y.sum().backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * x.array.nbytes


# ---------------------------------------------------------------- accumulation and use
def test_gradients_accumulate_until_they_are_reset():
    x = leaf(1, 2)
    for times in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2 * times, 4 * times]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_accumulation_is_in_place_so_that_aliases_of_the_gradient_see_it():
    x = leaf(1, 2)
    x.sum().backward()
    held = x.grad
    x.sum().backward()
    assert held is x.grad
    assert held.tolist() == [2, 2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(),
        lambda x: x.mean(),
        lambda x: x[0, 0],
        lambda x: x.T.sum(1)[0],
        lambda x: x.expand(2, 2, 3).sum(),
        lambda x: x.diagonal().sum(),
        lambda x: x.reshape(3, 2)[1].sum(),
    ],
)
def test_a_gradient_that_was_broadcast_can_be_written_to(function):
    x = ones(2, 3, requires_grad=True)
    function(x).backward()
    once = x.grad.clone()
    function(x).backward()
    x.grad.mul_(0.5)
    assert x.grad.tolist() == once.tolist()
    x.grad.zero_()
    assert x.grad.tolist() == zeros(2, 3).tolist()


def test_two_leaves_never_share_one_gradient():
    x, y = leaf(1, 2), leaf(3, 4)
    (x + y).sum().backward()
    x.grad.mul_(10)
    assert y.grad.tolist() == [1, 1]


def test_a_given_gradient_is_not_kept_as_the_leafs():
    x, g = leaf(1, 2), tensor([3.0, 4.0], dtype=autograd.float64)
    x.backward(g)
    x.backward(g)
    assert g.tolist() == [3, 4]
    assert x.grad.tolist() == [6, 8]


def test_an_assigned_gradient_is_accumulated_into():
    x = leaf(1, 2)
    g = ones(2, dtype=autograd.float64)
    x.grad = g
    x.sum().backward()
    assert x.grad is g
    assert g.tolist() == [2, 2]


def test_double_use_and_unused_branches():
    x, y = leaf(2), leaf(5)
    a = x * 3
    unused = a.exp() * y
    (a * a + a).sum().backward()
    assert x.grad.item() == 3 * (2 * 6 + 1)
    assert y.grad is None
    assert unused.requires_grad


def test_a_graph_can_be_used_again_if_retained():
    x = leaf(1)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 4
    with pytest.raises(FreedGraphError, match="retain_graph=True"):
        y.backward()


def test_an_op_that_saved_nothing_needs_no_retaining():
    x = leaf(1, 2)
    y = x + 1
    y.backward(ones(2, dtype=autograd.float64))
    y.backward(ones(2, dtype=autograd.float64))
    assert x.grad.tolist() == [2, 2]


def test_two_losses_over_one_freed_trunk():
    x = leaf(1)
    trunk = x.exp()
    a, b = trunk * 2, trunk + 3
    a.sum().backward()
    with pytest.raises(FreedGraphError, match="exp"):
        b.sum().backward()


def test_retain_grad():
    x = leaf(1, 2)
    y = x * 2
    z = y * 3
    y.retain_grad()
    y.retain_grad()
    x.retain_grad()  # leaves keep theirs anyway
    z.sum().backward(retain_graph=True)
    assert y.grad.tolist() == [3, 3]
    with pytest.warns(UserWarning, match="no leaf"):
        assert z.grad is None
    z.sum().backward()
    assert y.grad.tolist() == [6, 6]
    assert x.grad.tolist() == [12, 12]


def test_backward_with_inputs_leaves_all_other_gradients_alone():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * w
    y.sum().backward(inputs=[y, w])
    assert (x.grad, y.grad.tolist(), w.grad.tolist()) == (None, [1, 1], [1, 2])
    (x * w).sum().backward(inputs=x)
    assert x.grad.tolist() == [3, 4]
    assert w.grad.tolist() == [1, 2]


def test_backward_with_an_input_that_does_not_matter_leaves_it_without_a_gradient():
    x, w = leaf(1), leaf(2)
    (x * 2).sum().backward(inputs=[x, w])
    assert x.grad.item() == 2
    assert w.grad is None


# ---------------------------------------------------------------- several results
def test_unused_results_count_as_zero():
    x = leaf(1, 2, 3)
    _, b, _ = x.split(1)
    (b * b).sum().backward()
    assert x.grad.tolist() == [0, 4, 0]


def test_each_result_has_a_gradient_of_its_own():
    x = leaf(1, 2, 3, 4)
    a, b = x.split([1, 3])
    for part in (a, b):
        part.retain_grad()
    (a * 2 + b.sum() * 5 + a * b).sum().backward()
    assert a.grad.tolist() == [6 + 9]
    assert b.grad.tolist() == [16, 16, 16]
    assert x.grad.tolist() == [15, 16, 16, 16]


def test_slicing_into_parts_costs_one_concatenation_in_backward():
    x = ones(6, 2, requires_grad=True)
    parts = x.unbind(0)
    assert len({p.grad_fn.parents[0] for p in parts}) == 1
    sum(p * i for i, p in enumerate(parts)).sum().backward()
    assert x.grad.tolist() == [[i, i] for i in range(6)]


def test_results_outlive_each_other():
    x = leaf(1, 2)
    a, b = x.exp().unbind()
    del b
    a.backward()
    assert x.grad.tolist() == pytest.approx([np.exp(1), 0])


def test_results_in_higher_order():
    x = leaf(1, 2, 3)
    _, b, c = x.unbind()
    (first,) = grad(b * b * c, x, create_graph=True)
    assert first.tolist() == [0, 12, 4]
    (second,) = grad(first.sum(), x)
    assert second.tolist() == [0, 2 * 3 + 2 * 2, 2 * 2]


def test_results_whose_rule_needs_them_in_higher_order():
    def rule(g, out):
        return sum(h * factor * y for h, factor, y in zip(g, (1, 2), out, strict=True) if h is not None)

    powers = primitive(lambda x: (np.exp(x), np.exp(x + x)), "powers", x=rule)
    x = leaf(0.3)
    a, b = powers(x)
    (first,) = grad(a * b, x, create_graph=True)  # exp(3 x)
    (second,) = grad(first * a, x, create_graph=True)
    (third,) = grad(second * b, x)
    e = np.exp(0.3)
    found = [t.item() for t in (first, second, third)]
    assert found == pytest.approx([3 * e**3, 12 * e**4, 72 * e**6], rel=1e-12)


def test_several_arguments_in_higher_order():
    x, y = leaf(1, 2), leaf(3, 4)
    product = autograd.einsum("i,i,i->", x, y, x)
    (first,) = grad(product, x, create_graph=True)
    assert first.tolist() == [2 * 1 * 3, 2 * 2 * 4]
    assert grad(first.sum(), y)[0].tolist() == [2, 4]
    joined = autograd.cat([x, x * y])
    (first,) = grad((joined**2).sum(), x, create_graph=True)
    assert grad(first.sum(), y)[0].tolist() == [4 * 1 * 3, 4 * 2 * 4]


# ---------------------------------------------------------------- only what was asked for
@pytest.fixture
def probe():
    """A product that counts how often each of its rules is asked."""
    asked = []

    def rule(name):
        def pull(g, other):
            asked.append(name)
            return g * other

        return pull

    op = primitive(lambda x, y: x * y, "probe", x=lambda g, y: rule("x")(g, y), y=lambda g, x: rule("y")(g, x))
    op.asked = asked
    return op


def test_no_gradient_is_computed_that_nobody_asked_for(probe):
    x, w = leaf(1, 2), leaf(3, 4)
    probe(x, w).sum().backward(inputs=[w])
    assert probe.asked == ["y"]
    probe.asked.clear()
    probe(x.detach(), w).sum().backward()  # the first layer's input
    assert probe.asked == ["y"]
    probe.asked.clear()
    assert grad(probe(x, w).sum(), x)[0].tolist() == [3, 4]
    assert probe.asked == ["x"]


def test_grad_stops_at_its_inputs_and_skips_what_does_not_lead_there(probe):
    x, w = leaf(1, 2), leaf(3, 4)
    below = probe(x, w)
    beside = probe(w, w)
    (found,) = grad((below * 2 + beside).sum(), below, retain_graph=True)
    assert found.tolist() == [2, 2]
    assert probe.asked == []
    both = grad((below + beside).sum(), [below, w])
    assert both[0].tolist() == [1, 1]
    assert both[1].tolist() == [1 + 6, 2 + 8]
    assert sorted(probe.asked) == ["x", "y", "y"]


def test_a_joint_rule_is_told_which_gradients_are_wanted():
    seen = []

    def joint(g, needs):
        seen.append(needs)
        return g, g

    op = primitive(lambda x, y: x + y, "joint_probe", joint=joint)
    x, y = leaf(1), leaf(2)
    op(x, y).sum().backward()
    op(x, y.detach()).sum().backward()
    op(x, y).sum().backward(inputs=[y])
    assert seen == [(True, True), (True, False), (False, True)]
    assert (x.grad.item(), y.grad.item()) == (2, 2)


def test_hooks_on_nodes_that_lead_nowhere_are_not_called():
    x, w = leaf(1), leaf(2)
    a = w * 2
    a.register_hook(lambda g: pytest.fail("nobody asked for this"))
    assert grad((x * a).sum(), x)[0].item() == 4


# ---------------------------------------------------------------- grad()
def test_grad_returns_a_tuple_in_the_order_asked_and_touches_no_grad():
    x, y = leaf(2), leaf(3)
    found = grad((x * x * y).sum(), [y, x, y])
    assert isinstance(found, tuple)
    assert [g.item() for g in found] == [4, 12, 4]
    assert x.grad is y.grad is None
    assert not any(g.requires_grad for g in found)


def test_grad_of_several_outputs_weighted():
    x = leaf(1, 2)
    w = tensor([10.0, 100.0], dtype=autograd.float64)
    assert grad([x.sum(), x * x], x, [None, w])[0].tolist() == [1 + 20, 1 + 400]
    assert grad(x * x, x, w)[0].tolist() == [20, 400]
    y = x.sum()
    assert grad([y, y], x)[0].tolist() == [2, 2]


def test_grad_of_an_output_with_respect_to_itself():
    x = leaf(1, 2)
    y = x * 3
    assert grad(y, y, ones(2, dtype=autograd.float64))[0].tolist() == [1, 1]
    assert grad(x.sum(), x)[0].tolist() == [1, 1]


def test_grad_with_unused_inputs():
    x, y = leaf(1), leaf(1, 2)
    with pytest.raises(NoGradientError, match="input 1"):
        grad(x * 2, [x, y])
    assert grad(x * 2, [x, y], allow_unused=True)[1] is None
    assert grad(x * 2, [x, y], materialize_grads=True)[1].tolist() == [0, 0]


def test_the_weight_of_an_output_has_its_shape_and_takes_its_dtype():
    x = ones(2, requires_grad=True)
    (found,) = grad(x * 2, x, np.array([1, 2]))
    assert found.dtype == autograd.float32
    assert found.tolist() == [2, 4]
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        grad(x * 2, x, ones(3))


# ---------------------------------------------------------------- higher orders
def test_third_and_fourth_order():
    x = leaf(0.7)
    y = x.sin() * x**3
    values = [y.item()]
    for _ in range(4):
        (y,) = grad(y.sum(), x, create_graph=True)
        values.append(y.item())
    s, c, v = np.sin(0.7), np.cos(0.7), 0.7
    expected = [
        s * v**3,
        c * v**3 + 3 * s * v**2,
        -s * v**3 + 6 * c * v**2 + 6 * s * v,
        -c * v**3 - 9 * s * v**2 + 18 * c * v + 6 * s,
        s * v**3 - 12 * c * v**2 - 36 * s * v + 24 * c,
    ]
    assert values == pytest.approx(expected, rel=1e-12)


def test_create_graph_in_backward_makes_differentiable_gradients():
    x = leaf(3)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    x.grad = None
    first.sum().backward()
    assert x.grad.item() == 18
    assert not x.grad.requires_grad
    x.grad = None  # this also unties the knot of first -> graph -> x -> first


def test_create_graph_accumulates_out_of_place():
    x = leaf(3)
    (x**2).sum().backward(create_graph=True)
    first = x.grad
    (x**3).sum().backward(create_graph=True)
    assert first.item() == 6
    assert x.grad.item() == 6 + 27
    assert grad(x.grad.sum(), x)[0].item() == 2 + 18
    x.grad = None


def test_create_graph_retains_the_graph():
    x = leaf(2)
    y = x.exp().sum()
    (first,) = grad(y, x, create_graph=True)
    assert grad(y, x)[0].item() == first.item()


def test_gradients_without_create_graph_are_constants():
    x = leaf(2)
    (first,) = grad((x**3).sum(), x)
    with pytest.raises(NoGradientError, match="output 0"):
        first.backward()


def test_a_gradient_penalty_reaches_the_weights():
    w, x = leaf(2, 3), leaf(0.5, 0.25)
    (g,) = grad((w * x).tanh().sum(), x, create_graph=True)
    ((g * g).sum()).backward()

    def penalty(weights):
        return ((weights * (1 - np.tanh(weights * x.array) ** 2)) ** 2).sum()

    eps = 1e-6
    numeric = [(penalty(w.array + eps * e) - penalty(w.array - eps * e)) / (2 * eps) for e in np.eye(2)]
    assert w.grad.tolist() == pytest.approx(numeric, rel=1e-7)


# ---------------------------------------------------------------- hooks
def test_hooks_run_in_order_and_may_replace_the_gradient():
    x = leaf(1, 2)
    seen = []
    x.register_hook(lambda g: seen.append(("first", g.tolist())))
    x.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(("third", g.tolist())))
    (x * 3).sum().backward()
    assert seen == [("first", [3, 3]), ("third", [30, 30])]
    assert x.grad.tolist() == [30, 30]


def test_a_hook_on_a_non_leaf_changes_what_flows_on_and_what_is_retained():
    x = leaf(1, 2)
    y = x * 2
    y.register_hook(lambda g: g + 1)
    y.retain_grad()
    y.sum().backward()
    assert y.grad.tolist() == [2, 2]
    assert x.grad.tolist() == [4, 4]


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(1)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y * 3 + y * 4 + y).sum().backward()
    assert seen == [8]


def test_a_removed_hook_is_not_called():
    x = leaf(1)
    handle = x.register_hook(lambda g: g * 5)
    kept = x.register_hook(lambda g: g * 7)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.item() == 7
    kept.remove()
    x.sum().backward()
    assert x.grad.item() == 8


def test_a_hook_may_remove_itself_while_it_runs():
    x = leaf(1)
    seen = []
    handle = x.register_hook(lambda g: (seen.append(1), handle.remove())[1])
    for _ in range(2):
        x.sum().backward()
    assert seen == [1]


def test_hooks_run_in_grad_and_see_differentiable_gradients_with_create_graph():
    x = leaf(3)
    seen = []
    x.register_hook(lambda g: seen.append(g.requires_grad))
    x.register_hook(lambda g: g * x)
    (first,) = grad((x**2).sum(), x, create_graph=True)
    assert first.item() == 18
    assert grad(first.sum(), x, retain_graph=True)[0].item() == (4 * 3) * 3  # d(2 x**2)/dx = 4 x, and the hook again
    assert seen == [True, False]


def test_hooks_on_results_of_several():
    x = leaf(1, 2)
    a, b = x.unbind()
    a.register_hook(lambda g: g * 100)
    (a + b).backward()
    assert x.grad.tolist() == [100, 1]


@pytest.mark.parametrize(
    ("hook", "error"),
    [
        (lambda g: g[:1], ShapeError),
        (lambda g: g.sum(), ShapeError),
        (lambda g: g.float(), ShapeError),
        (lambda g: 3.0, ShapeError),
    ],
    ids=["short", "scalar", "dtype", "number"],
)
def test_a_hook_that_returns_something_else_is_refused(hook, error):
    x = leaf(1, 2)
    y = x * 2
    y.register_hook(hook)
    with pytest.raises(error, match="hook"):
        y.sum().backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_may_write_into_its_gradient_although_others_share_it(create_graph):
    x, y, z = leaf(1, 2), leaf(3, 4), leaf(5, 6)
    x.register_hook(lambda g: g.mul_(2))
    y.register_hook(lambda g: (g.mul_(10), None)[1])
    (x + y + z).sum().backward(create_graph=create_graph)
    assert [t.grad.tolist() for t in (x, y, z)] == [[2, 2], [10, 10], [1, 1]]


def test_a_hook_may_return_an_array():
    x = leaf(1, 2)
    x.register_hook(lambda g: np.array([7.0, 8.0]))
    x.sum().backward()
    assert x.grad.tolist() == [7, 8]


# ---------------------------------------------------------------- shapes and dtypes
def test_broadcasting_is_undone():
    x, y = ones(3, 1, requires_grad=True), ones(2, 1, 4, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.tolist() == [[8.0]] * 3
    assert y.grad.tolist() == [[[3.0] * 4]] * 2


def test_gradients_have_the_dtype_of_what_they_are_gradients_of():
    x = ones(2, requires_grad=True)
    y = ones(2, dtype=autograd.float64, requires_grad=True)
    z = ones(2, dtype=autograd.float16, requires_grad=True)
    (x * y * z).sum().backward()
    assert [t.grad.dtype for t in (x, y, z)] == [autograd.float32, autograd.float64, autograd.float16]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_no_elements_have_no_gradients_of_the_right_shape(shape):
    x = zeros(*shape, requires_grad=True)
    y = (x.exp() * 2 + x).reshape(-1)
    assert y.sum().item() == 0
    y.sum().backward()
    assert x.grad.shape == shape
    (x * ones(1, requires_grad=True)).backward(zeros(*shape))
    assert x.grad.shape == shape


def test_broadcasting_against_no_elements():
    x, y = zeros(0, 3, requires_grad=True), ones(3, requires_grad=True)
    (x * y).sum().backward()
    assert y.grad.tolist() == [0, 0, 0]


def test_a_0_d_leaf():
    x = tensor(3.0, requires_grad=True)
    (x * x).backward()
    assert x.grad.shape == ()
    assert x.grad.item() == 6


def test_backward_from_any_one_element():
    x = leaf(1, 2)
    (x[:1] * 3).reshape(1, 1, 1).backward()
    assert x.grad.tolist() == [3, 0]


def test_zero_stays_zero_where_the_derivative_is_infinite():
    x = leaf(0, 4)
    autograd.where(x > 0, x.sqrt(), 0.0).sum().backward()
    assert x.grad.tolist() == [0, 0.25]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("index", [[0, 0], [[1, 0], [0, 0]], (slice(None), [1, 1]), ([0, 1], [1, 1]), [True, False], -1, ...])
def test_the_layout_of_a_gradient_in_memory_does_not_matter(order, index):
    x = ones(2, 2, dtype=autograd.float64, requires_grad=True)
    y = x[index]
    weight = np.arange(1.0, 1 + y.numel()).reshape(y.shape)
    expected = np.zeros((2, 2))
    np.add.at(expected, index, weight)
    y.backward(np.array(weight, order=order))
    assert x.grad.tolist() == expected.tolist()


# ---------------------------------------------------------------- modes
MODES = [
    pytest.param(no_grad, False, id="no_grad()"),
    pytest.param(enable_grad, True, id="enable_grad()"),
    pytest.param(inference_mode, False, id="inference_mode()"),
    pytest.param(lambda: inference_mode(False), True, id="inference_mode(False)"),
    pytest.param(lambda: set_grad_enabled(False), False, id="set_grad_enabled(False)"),
    pytest.param(lambda: set_grad_enabled(True), True, id="set_grad_enabled(True)"),
]


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize(("make", "inside"), MODES)
def test_a_mode_holds_in_a_block_and_in_a_decorated_function(make, inside, outside):
    def probe(*args, **kwargs):
        """What it says."""
        return is_grad_enabled(), args, kwargs

    with set_grad_enabled(outside):
        with make():
            assert is_grad_enabled() is inside
            assert (leaf(1) * 2).requires_grad is inside
        assert is_grad_enabled() is outside
        decorated = make()(probe)
        assert is_grad_enabled() is outside
        assert decorated(1, a=2) == (inside, (1,), {"a": 2})
        assert is_grad_enabled() is outside
        assert (decorated.__name__, decorated.__doc__) == ("probe", "What it says.")
    assert is_grad_enabled() is True


@pytest.mark.parametrize(("decorator", "inside"), [(no_grad, False), (enable_grad, True), (inference_mode, False)])
def test_a_mode_decorates_without_parentheses_too(decorator, inside):
    @decorator
    def probe():
        return is_grad_enabled()

    with set_grad_enabled(not inside):
        assert probe() is inside
        assert is_grad_enabled() is not inside


@pytest.mark.parametrize(("make", "inside"), MODES)
def test_an_exception_leaves_the_mode_as_it_was(make, inside):
    @make()
    def failing():
        raise KeyError("on purpose")

    def block():
        with make():
            raise KeyError("on purpose")

    for run in (failing, block):
        with pytest.raises(KeyError, match="on purpose"):
            run()
        assert is_grad_enabled() is True


def test_modes_nest_and_reenter():
    off = no_grad()
    with off:
        with enable_grad():
            with off:
                assert not is_grad_enabled()
            assert is_grad_enabled()
            with off, off:
                assert not is_grad_enabled()
            assert is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_a_decorated_function_may_call_itself():
    @no_grad()
    def down(n):
        with enable_grad():
            inner = down(n - 1) if n else []
        return [*inner, is_grad_enabled()]

    assert down(3) == [False] * 4
    assert is_grad_enabled()


def test_set_grad_enabled_holds_from_where_it_is_called():
    set_grad_enabled(False)
    try:
        assert not is_grad_enabled()
        assert not (leaf(1) * 2).requires_grad
    finally:
        set_grad_enabled(True)
    assert is_grad_enabled()


def test_a_leaf_made_without_recording_still_requires_grad():
    with no_grad():
        x = leaf(1)
        y = x * 2
    assert x.requires_grad
    assert not y.requires_grad
    (x * y).sum().backward()
    assert x.grad.item() == 2


def test_backward_records_nothing_unless_asked_and_works_without_recording():
    x = leaf(2)
    y = (x * x).sum()
    seen = []
    x.register_hook(lambda g: seen.append(is_grad_enabled()))
    with no_grad():
        y.backward(retain_graph=True)
        y.backward(create_graph=True)
    assert seen == [False, True]
    assert x.grad.requires_grad
    x.grad = None


def test_a_generator_does_not_leak_the_mode_that_it_was_left_in():
    def values():
        with no_grad():
            yield is_grad_enabled()

    found = list(values())
    assert found == [False]
    assert is_grad_enabled()


# ---------------------------------------------------------------- threads and tasks
def test_no_grad_in_one_thread_does_not_touch_another():
    with no_grad():
        assert in_thread(is_grad_enabled) is True
        assert in_thread(lambda: (leaf(1) * 2).requires_grad) is True
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with no_grad():
            entered.set()
            leave.wait(10)
        return is_grad_enabled()

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    assert is_grad_enabled()
    assert (leaf(1) * 2).requires_grad
    leave.set()
    thread.join()


def test_one_mode_object_in_two_threads():
    off = no_grad()
    with off:
        assert in_thread(lambda: (is_grad_enabled(), off.__enter__(), is_grad_enabled(), off.__exit__())[::2]) == (True, False)
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_a_decorated_function_in_two_threads_at_once():
    inside, leave = threading.Barrier(2), threading.Barrier(2)

    @no_grad()
    def probe(late):
        inside.wait(10)
        if late:
            leave.wait(10)
        return is_grad_enabled()

    results = []
    threads = [threading.Thread(target=lambda late=late: results.append((probe(late), is_grad_enabled()))) for late in (0, 1)]
    for thread in threads:
        thread.start()
    threads[0].join()
    leave.wait(10)
    threads[1].join()
    assert results == [(False, True)] * 2


def test_no_grad_in_one_task_does_not_touch_another():
    async def inside(log, name, mode):
        with mode():
            for _ in range(3):
                log.append((name, is_grad_enabled()))
                await asyncio.sleep(0)

    async def main():
        log = []
        await asyncio.gather(inside(log, "off", no_grad), inside(log, "on", enable_grad), inside(log, "off", no_grad))
        return log

    log = asyncio.run(main())
    assert [name for name, _ in log] == ["off", "on", "off"] * 3
    assert all(on == (name == "on") for name, on in log)


def test_the_default_dtype_belongs_to_a_thread_too():
    def work():
        autograd.set_default_dtype(autograd.float64)
        return tensor(1.0).dtype

    assert in_thread(work) == autograd.float64
    assert tensor(1.0).dtype == autograd.float32


def test_backward_in_threads_on_graphs_of_their_own():
    results = {}

    def work(k):
        x = leaf(*range(1, 51))
        for _ in range(20):
            y = x
            for _ in range(20):
                y = (y * 1.5).tanh() + k * x
            x.grad = None
            y.sum().backward()
        results[k] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parallel = dict(results)
    for k in range(4):
        work(k)
    assert parallel == results


# ---------------------------------------------------------------- nodes, as one sees them
def test_grad_fn_has_a_name_and_leads_on():
    x, w = leaf(1), leaf(2)
    y = (x * w).sum()
    assert y.grad_fn.name() == "SumBackward"
    ((product, index),) = y.grad_fn.next_functions
    assert (product.name(), index) == ("MultiplyBackward", 0)
    assert [node.name() for node, _ in product.next_functions] == ["AccumulateGrad"] * 2
    assert repr(product) == "<MultiplyBackward>"
    assert x.grad_fn is None


def test_node_numbers_order_the_graph():
    x = leaf(1)
    y = (x * x + x.exp()).sum()
    todo = [y.grad_fn]
    while todo:
        node = todo.pop()
        assert all(parent.time < node.time for parent in node.parents)
        todo += node.parents
