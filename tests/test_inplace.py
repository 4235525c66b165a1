"""Writing in place: the gradient is that of the values the forward pass saw, or an error is raised; never silently wrong."""

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest
from helpers import in_thread
from helpers import vector as leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from samples import FUNCTIONS, SAMPLES
from strategies import calls

import autograd
from autograd import from_numpy, grad, no_grad, ones, set_grad_enabled, tensor, touch, zeros
from autograd.engine.graph import memory
from autograd.engine.inplace import lineage
from autograd.engine.primitive import Plan
from autograd.engine.tensor import wrap
from autograd.errors import ArgumentError, AutogradError, DtypeError, FreedGraphError, GraphError, InPlaceError, ShapeError
from nn import functional as F

f64 = autograd.float64


# ---------------------------------------------------------------- recorded: the tensor is given new values
def test_a_result_nobody_else_sees_may_be_changed_and_differentiates():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * 2
    same = y
    y += w
    y.mul_(x)
    assert y is same
    y.sum().backward()
    assert y.tolist() == [5, 16]
    assert x.grad.tolist() == [4 * 1 + 3, 4 * 2 + 4]
    assert w.grad.tolist() == [1, 2]


ARGUMENTS = {  # of in-place methods that take any
    "masked_fill": (tensor([True, False]), 9.0), "clamp": (0.3, 0.6), "clip": (0.3, 0.6), "cumsum": (0,), "cumprod": (0,),
    "scatter_add": (1, tensor([[1, 1]]), tensor([[5.0, 6.0]], dtype=f64)), "scatter": (1, tensor([[1]]), tensor([[5.0]], dtype=f64)),
    "scatter_reduce": (1, tensor([[1, 1]]), tensor([[5.0, 6.0]], dtype=f64), "mean"), "index_fill": (1, tensor([1]), 9.0),
    "masked_scatter": (tensor([True, False]), tensor([5.0], dtype=f64)), "index_put": ((tensor([0]), tensor([1])), tensor(9.0, dtype=f64)),
    "addbmm": (tensor([[[0.5]]], dtype=f64), tensor([[[0.7, 1.3]]], dtype=f64)), "addmm": (tensor([[0.5]], dtype=f64), tensor([[0.7, 1.3]], dtype=f64)),
    **dict.fromkeys(["index_add", "index_copy"], (1, tensor([1]), tensor([[5.0]], dtype=f64))),
    "index_reduce": (1, tensor([1]), tensor([[5.0]], dtype=f64), "amax"), "put": (tensor([1]), tensor([5.0], dtype=f64)),
    "addr": (tensor([0.5], dtype=f64), tensor([0.7, 1.3], dtype=f64)), "renorm": (2, 0, 0.5),
    "ldexp": (tensor([[0.5, 1.5]], dtype=f64),),
} | dict.fromkeys(
    """add sub subtract mul multiply div divide true_divide floor_divide remainder fmod pow float_power hypot copysign atan2 arctan2
    xlogy heaviside clamp_min clamp_max""".split(),
    (tensor([0.7, 1.3], dtype=f64),),
) | dict.fromkeys(["addcmul", "addcdiv", "lerp"], (tensor([0.7, 1.3], dtype=f64), tensor([0.2, 0.4], dtype=f64)))  # fmt: skip
ELSEWHERE = """eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor logical_not
    bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift gcd lcm nextafter acosh arccosh addmv baddbmm""".split()  # no gradient, or from 1 on, or in other dims


@pytest.mark.parametrize("name", [name for name in autograd.api.names.IN_PLACE if name not in ELSEWHERE])
def test_an_in_place_method_is_its_out_of_place_form(name):
    x, args = tensor([[0.25, 0.5]], dtype=f64, requires_grad=True), ARGUMENTS.get(name, ())
    expected = getattr(x * 1, name)(*args)
    y = x * 1
    assert getattr(y, name + "_")(*args) is y
    assert y.tolist() == expected.tolist()
    assert grad(y.sum(), x)[0].tolist() == grad(expected.sum(), x)[0].tolist()
    constant = x.detach().clone()
    array = constant.array
    getattr(constant, name + "_")(*args)
    assert constant.array is array
    assert constant.tolist() == expected.tolist()


def test_filling_and_copying():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * 1
    y.zero_()
    y += w
    assert grad(y.sum(), [x, w])[0].tolist() == [0, 0]
    z = x * 1
    z.copy_(w * w)
    assert grad(z.sum(), [x, w], allow_unused=True)[1].tolist() == [6, 8]
    b = zeros(2, 2, dtype=f64)
    b.copy_(w)  # broadcast
    assert grad((b * b).sum(), w)[0].tolist() == [12, 16]
    source = w * 2
    c = x * 1
    c.copy_(source)
    with no_grad():
        c.add_(100)
    assert source.tolist() == [6, 8]


def test_assignment_to_a_part():
    x, w = leaf(1, 2, 3), leaf(10)
    y = x * 2
    y[1:2] = w * w
    y[0] = 7.0
    (y * y).sum().backward()
    assert y.tolist() == [7, 100, 6]
    assert x.grad.tolist() == [0, 0, 2 * 6 * 2]
    assert w.grad.item() == 2 * 100 * 20


def test_assignment_in_every_form_of_index():
    for index in (0, -1, slice(1, None), [0, 2], tensor([2, 0]), tensor([True, False, True]), ..., None, (slice(None, None, 2),)):
        x = leaf(1, 2, 3)
        y, v = x * 1, tensor(5.0, dtype=f64, requires_grad=True)
        y[index] = v
        covered = np.zeros(3)
        covered[getattr(index, "array", index)] = 1
        gx, gv = grad((y * tensor([1.0, 10.0, 100.0], dtype=f64)).sum(), [x, v])
        assert gx.tolist() == ((1 - covered) * [1, 10, 100]).tolist()
        assert gv.item() == (covered * [1, 10, 100]).sum()


def test_of_several_values_for_one_place_the_last_has_the_gradient():
    v = leaf(5, 6, 7)
    y = zeros(2, dtype=f64)
    y[[0, 1, 0]] = v
    assert y.tolist() == [7, 6]
    assert grad((y * y).sum(), v)[0].tolist() == [0, 12, 14]


def test_a_buffer_filled_row_by_row():
    x = leaf(1, 2, 3)
    rows = zeros(3, 2, dtype=f64)
    for i in range(3):
        rows[i] = x[i] * (i + 1)
    assert grad((rows * rows).sum(), x)[0].tolist() == [4 * 1, 4 * 2 * 4, 4 * 3 * 9]


def test_a_constant_becomes_part_of_the_graph():
    b, x = ones(2, dtype=f64), leaf(3, 4)
    b.mul_(x)
    assert b.requires_grad
    assert not b.is_leaf
    assert grad((b * b).sum(), x)[0].tolist() == [6, 8]


FORGETFUL = [lambda y: y.sum(), lambda y: y + 1, lambda y: y * 3.0, lambda y: -y, lambda y: y.tanh(), lambda y: y[:1].clone()]


@pytest.mark.parametrize("function", FORGETFUL)
def test_ops_that_saved_nothing_of_it_do_not_mind(function):
    x = leaf(1, 2)
    y = x * 5.0
    first = function(y)
    y += 1
    expected = grad(function(x * 5.0).sum(), x)[0].tolist()
    assert grad(first.sum(), x)[0].tolist() == expected


# ---------------------------------------------------------------- recorded: what was saved
@pytest.mark.parametrize("function", [lambda y: y * y, lambda y: y.sin(), lambda y: y @ y, lambda y: (y / y).sum()])
def test_backward_raises_where_a_value_was_saved(function):
    x = leaf(1, 2)
    y = x * 2
    z = function(y)
    y.add_(1)
    assert y.tolist() == [3, 5]
    with pytest.raises(InPlaceError, match="modified in place since"):
        z.sum().backward()
    assert x.grad is None
    assert grad(y.sum(), x)[0].tolist() == [2, 2]  # what does not need the old values has its gradient


OWN_RESULTS = {  # what keeps its own result, for its rule
    "exp": lambda x: x.exp(),
    "sigmoid": lambda x: x.sigmoid(),
    "x / y": lambda x: 1 / x,
    "sqrt": lambda x: x.sqrt(),
    "max": lambda x: x[None].max(1).values,
    "softmax": lambda x: x.softmax(0),
    "normalize": lambda x: F.normalize(x, dim=0),
    "layer_norm": lambda x: F.layer_norm(x, (2,)),
    "batch_norm": lambda x: F.batch_norm(x[:, None], None, None, training=True),
    "max_pool": lambda x: F.max_pool1d(x[None], 1),
    "cumprod": lambda x: x.cumprod(0),
    "norm": lambda x: x.norm()[None],
}
CHANGES = [
    lambda y: y.add_(1),
    lambda y: y.__imul__(3),
    lambda y: F.relu(y, inplace=True),
    lambda y: y.__setitem__(0, 5.0),
    lambda y: y[:1].mul_(2),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("op", OWN_RESULTS.values(), ids=OWN_RESULTS)
def test_a_result_that_its_op_saved_may_be_written(op, change):
    def derivatives(between):
        x = leaf(1, 2)
        y = between(op(x))
        change(y)
        (first,) = grad((y * y).sum(), x, create_graph=True)
        return y.tolist(), first.tolist(), grad(first.sum(), x)[0].tolist()

    np.testing.assert_allclose(
        *[np.concatenate([np.ravel(v) for v in derivatives(f)]) for f in (lambda y: y, lambda y: y.clone())]
    )


def test_a_result_kept_for_its_op_is_as_it_was_made_although_it_is_written_twice():
    x = leaf(1, 2)
    y = x.exp()
    y.mul_(2)
    y.mul_(2)
    np.testing.assert_allclose(grad(y.sum(), x)[0].array, 4 * np.exp([1, 2]))
    z = x.exp()
    w = z * z  # this one saved it too, and nobody kept the values for it
    z.mul_(2)
    np.testing.assert_allclose(grad(z.sum(), x)[0].array, 2 * np.exp([1, 2]))
    with pytest.raises(InPlaceError, match="multiply"):
        w.sum().backward()


# ---------------------------------------------------------------- recorded: all who look at this memory see it
ALIASES = {
    "first": lambda y: y[:1],
    "whole": lambda y: y[...],
    "row": lambda y: y.reshape(1, 2),
    "view": lambda y: y.view(2, 1),
    "T": lambda y: y.T,
    "unsqueeze": lambda y: y.unsqueeze(0),
    "expand": lambda y: y.expand(3, 2),
    "split": lambda y: y.split(1)[1],
    "unbind": lambda y: y.unbind()[0],
    "narrow": lambda y: y.narrow(0, 1, 1),
    "diagonal": lambda y: y.expand(2, 2).diagonal(),
    "unfold": lambda y: y.unfold(0, 2, 1),
    "einsum": lambda y: autograd.einsum("i->i", y),
    "a view of a view": lambda y: y.reshape(2, 1)[1:].T,
}
DETACHED = {
    "detach": lambda y: y.detach(),
    "data": lambda y: y.data,
    "copy": lambda y: copy.copy(y),
    "array": lambda y: from_numpy(y.array),
    "numpy": lambda y: from_numpy(y.detach().numpy()[1:]),
}


@pytest.mark.parametrize("alias", ALIASES.values(), ids=ALIASES)
def test_views_follow_a_write_to_their_base(alias):
    x = leaf(1, 2)
    y = x * 2
    before = alias(y)
    y.mul_(x)
    after = alias(y)
    assert before.tolist() == after.tolist()
    for view in (before, after):
        fresh = alias(x * 2 * x)
        assert type(view) is autograd.Tensor or view.node is not None
        assert view.grad_fn.name() == fresh.grad_fn.name()
        (first,) = grad((view * view).sum(), x, create_graph=True)
        (expected,) = grad((fresh * fresh).sum(), x, create_graph=True)
        np.testing.assert_allclose(first.array, expected.array)
        assert grad(first.sum(), x, retain_graph=True)[0].tolist() == grad(expected.sum(), x)[0].tolist()


@pytest.mark.parametrize("alias", DETACHED.values(), ids=DETACHED)
def test_who_shares_memory_outside_the_graph_sees_the_values(alias):
    x = leaf(1, 2)
    y = x * 2
    other = alias(y)
    y.add_(1)
    assert other.tolist() == [3, 5][-other.numel() :]
    assert not other.requires_grad or other.is_leaf
    assert grad(y.sum(), x)[0].tolist() == [2, 2]


THROUGH = {  # a write through a view, and the same by hand
    "y[:, 0] += v": (lambda y, v: y[:, 0].__iadd__(v), lambda y, v: y + v[:, None] * tensor([1.0, 0.0, 0.0], dtype=f64)),
    "y[0].mul_": (lambda y, v: y[0].mul_(2), lambda y, v: y * tensor([[2.0], [1.0]], dtype=f64)),
    "copy_": (lambda y, v: y[1].copy_(v[0]), lambda y, v: autograd.stack([y[0], v[0].expand(3)])),
    "T[0] =": (lambda y, v: y.T.__setitem__(0, v), lambda y, v: autograd.cat([v[:, None], y[:, 1:]], 1)),
    "narrow": (lambda y, v: y.narrow(1, 1, 2).add_(v[:, None]), lambda y, v: y + v[:, None] * tensor([0.0, 1.0, 1.0], dtype=f64)),
    "view of a view": (lambda y, v: y.view(6)[2:].reshape(2, 2)[1].mul_(v), lambda y, v: autograd.cat([y.reshape(6)[:4], y.reshape(6)[4:] * v]).reshape(2, 3)),
    "mask": (lambda y, v: y[0].__setitem__(tensor([True, False, True]), v), lambda y, v: autograd.stack([autograd.stack([v[0], y[0, 1], v[1]]), y[1]])),
    "positions": (lambda y, v: y.T.__setitem__(([0, 2], [1, 1]), v), lambda y, v: autograd.stack([y[0], autograd.stack([v[0], y[1, 1], v[1]])])),
    "diagonal": (lambda y, v: y.diagonal().mul_(v), lambda y, v: y * autograd.cat([v.diag() + (1 - autograd.eye(2, dtype=f64)), ones(2, 1, dtype=f64)], 1)),
    "a constant": (lambda y, v: y[0].zero_(), lambda y, v: y * tensor([[0.0], [1.0]], dtype=f64)),
    "relu": (lambda y, v: F.relu(y[:, 1:] - 3, inplace=True), lambda y, v: y),
    "relu_": (lambda y, v: y[:, 1:].sub_(3).relu_(), lambda y, v: autograd.cat([y[:, :1], (y[:, 1:] - 3).relu()], 1)),
}  # fmt: skip


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(("write", "by_hand"), THROUGH.values(), ids=THROUGH)
def test_a_write_through_a_view_is_one_to_the_base(write, by_hand, tracked):
    x, v = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=f64, requires_grad=tracked), leaf(7, 8)
    y = x * 1 if tracked else x.clone()
    others = [y[0], y.T, y.reshape(6)[1:3]]
    write(y, v)
    expected = by_hand(x * 1, v)
    assert y.tolist() == expected.tolist()
    for other, e in zip([y, *others], [expected, expected[0], expected.T, expected.reshape(6)[1:3]], strict=True):
        assert other.tolist() == e.tolist()
        assert other.requires_grad == (y.requires_grad or tracked)
        if e.requires_grad and y.requires_grad:
            inputs = [x, v] if tracked else [v]
            first = grad((other**3).sum(), inputs, create_graph=True, materialize_grads=True)
            wanted = grad((e**3).sum(), inputs, create_graph=True, materialize_grads=True)
            assert [g.tolist() for g in first] == [g.tolist() for g in wanted]
            for g, h in zip(first, wanted, strict=True):
                if h.requires_grad:
                    second, third = (grad(k.sum(), inputs, retain_graph=True, materialize_grads=True) for k in (g, h))
                    assert [k.tolist() for k in second] == [k.tolist() for k in third]


@pytest.mark.parametrize("number", [1, np.int64(1), tensor(1), np.array(1)])
def test_numbers_of_any_kind_before_arrays_lead_to_the_memory_itself(number):
    y, x = zeros(2, 3, 2, dtype=f64), leaf(5, 6)
    y[number, :, [1, 0]] = x
    assert y.tolist() == [[[0, 0]] * 3, [[6, 5]] * 3]
    assert grad((y * y).sum(), x)[0].tolist() == [30, 36]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_a_part_is_found_again_whatever_order_the_base_has_in_memory(order):
    x = tensor(np.arange(1.0, 25).reshape(2, 3, 4), requires_grad=True)
    y, v = x.permute(order) * 1, leaf(5, 6)  # elementwise, so it lies in memory as its argument
    inverse = tuple(np.argsort(order).tolist())
    y.permute(inverse).view(24)[3:5].mul_(v)
    weights = np.arange(24.0)
    gx, gv = grad((y.permute(inverse).reshape(24) * wrap(weights)).sum(), [x, v])
    expected = weights.copy()
    expected[3:5] *= v.array
    assert gx.flatten().tolist() == expected.tolist()
    assert gv.tolist() == [3 * 4, 4 * 5]


def test_a_write_changes_memory_once_at_its_place():
    x = leaf(1, 2)
    y = x * 2
    array = y.array
    y[:1].add_(1)
    y.mul_(3)
    y[1] = 5.0
    assert y.array is array
    assert array.tolist() == [9, 5]


def test_many_views_written_in_turn_cost_what_few_do():
    x = leaf(1)
    out = zeros(300, dtype=f64)
    views = [out[i] for i in range(300)]
    nodes = autograd.engine.graph.tick()
    for view in views:
        view.add_(x[0])
    out.sum().backward()
    assert x.grad.tolist() == [300]
    assert autograd.engine.graph.tick() - nodes < 300 * 12  # views that nobody looks at make no nodes


def test_views_that_are_gone_are_forgotten():
    y = leaf(1, 2) * 2
    for _ in range(1000):
        y[:1]
    assert len(y._link) < 200
    for _ in range(300):
        view = y[:1]
        y.mul_(1.0)
    assert len(y._link) < 300
    assert view.requires_grad


def test_what_was_spoiled_already_is_not_saved_from_the_next_write():
    x = leaf(1, 2)
    y = x.exp()
    y.array[...] = 0
    touch(y.array)
    y.add_(1)
    with pytest.raises(InPlaceError, match="exp: its gradient needs out"):
        y.sum().backward()


def test_views_hear_of_writes_after_others_were_forgotten():
    x = leaf(1, 2)
    y = x * 2
    views = [y[:1] for _ in range(30)]
    for factor in (6, 18):
        for _ in range(300):
            y[1:]
        y.mul_(3)
        for view in (views[0], views[-1], y[:1]):
            assert grad(view.sum(), x, retain_graph=True)[0].tolist() == [factor, 0]


def test_a_graph_with_writes_through_views_is_freed_at_once():
    """Its nodes know the way to a part, but not the Tensor that it is a part of, which would lead back to them."""
    gc.collect()
    gc.disable()
    try:
        x = leaf(1, 2, 3)
        y = x * 2
        y[1:][0].mul_(x[0])
        y[:2] += x[1:]
        y[[0, 2]] = x[:2]
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_threads_may_view_one_tensor(run_threads):
    y = leaf(*range(8)) * 1

    def look():
        for i in range(3000):
            assert y[i % 8].item() == i % 8

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        run_threads(*[(look,)] * 4)
    finally:
        sys.setswitchinterval(switch)
    view = y[3:]
    y.mul_(2.0)
    assert view.tolist() == [6, 8, 10, 12, 14]


def test_a_view_of_a_class_of_its_own_keeps_it():
    from nn import Parameter

    base = ones(2, 3)
    parameter = Parameter(base, requires_grad=False)
    parameter.t_()
    held, *_ = lineage(parameter)
    held.mul_(leaf(2.0).float())
    assert type(parameter) is Parameter
    assert parameter.requires_grad
    assert parameter.tolist() == [[2, 2]] * 3


def test_an_outdated_view_is_copied_and_pickled_as_any_tensor():
    y = leaf(1, 2) * 2
    for use in (copy.copy, lambda t: pickle.loads(pickle.dumps(t)), lambda t: t.detach()):
        view = y[:1]
        y.add_(1)
        other = use(view)
        assert type(other) is autograd.Tensor
        assert other.tolist() == view.tolist()


# ---------------------------------------------------------------- out=
@pytest.mark.parametrize(
    "sample",
    [
        s
        for s in SAMPLES
        if s.op in [*FUNCTIONS.values(), *autograd.linalg.__dict__.values()] and not getattr(s.op, "show", None)  # not all of it
    ],
    ids=lambda s: s.name,
)
@given(data=st.data())
def test_out_takes_the_results(sample, data):
    call = data.draw(calls(sample)).map(lambda a: tensor(np.copy(a), requires_grad=sample.smooth and a.dtype.kind == "f"))
    expected = call.run(sample.op)
    several = isinstance(expected, tuple)
    if not all(isinstance(t, autograd.Tensor) for t in flat(expected)):
        return
    outs = [autograd.empty_like(t) for t in flat(expected)]
    memories = [t.array for t in outs]
    found = call.run(lambda *args, **kwargs: sample.op(*args, **kwargs, out=tuple(outs) if several else outs[0]))
    for t, memory_, e, f in zip(outs, memories, flat(expected), flat(found), strict=True):
        assert f is t
        assert t.array is memory_
        np.testing.assert_array_equal(t.array, e.array)
        assert t.requires_grad == e.requires_grad
        if e.requires_grad:
            weights = np.full(e.shape, 0.5, e.dtype)
            both = [grad(v, call.inputs(), weights, retain_graph=True, materialize_grads=True) for v in (t, e)]
            np.testing.assert_equal([g.tolist() for g in both[0]], [g.tolist() for g in both[1]])


def test_what_out_must_be():
    x = ones(2)
    empty = autograd.empty(0)
    assert autograd.exp(x, out=empty) is empty  # one of no elements takes any shape
    assert empty.tolist() == x.exp().tolist()
    row = zeros(2, 2)
    autograd.add(x, x, out=row[0])
    assert row.tolist() == [[2, 2], [0, 0]]
    values, indices = zeros(()), zeros((), dtype=autograd.int64)
    assert autograd.max(tensor([1.0, 3.0]), 0, out=(values, indices))[1] is indices
    assert (values.item(), indices.item()) == (3, 1)
    for out, error in (
        (zeros(3), ShapeError),
        (zeros(2, dtype=autograd.int64), DtypeError),
        (np.zeros(2), ArgumentError),
        ((x, x), ArgumentError),
    ):
        with pytest.raises(error, match="add"):
            autograd.add(x, x, out=out)
    with pytest.raises(InPlaceError, match="leaf"):
        autograd.exp(x, out=ones(2, requires_grad=True))


# ---------------------------------------------------------------- Function
class Doubled(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.mul_(2)
        return x

    @staticmethod
    def backward(ctx, g):
        return g * 2


def test_mark_dirty_lets_a_function_work_in_place():
    x = leaf(1, 2, 3)
    y = x * 1
    view, part = y[1:], y[:2]
    assert Doubled.apply(part) is part
    assert y.tolist() == [2, 4, 3]
    assert [grad(t.sum(), x, retain_graph=True)[0].tolist() for t in (y, view, part)] == [[2, 2, 1], [0, 2, 1], [2, 2, 0]]
    assert Doubled.apply(y) is y
    assert grad((y * y).sum(), x)[0].tolist() == [2 * 4 * 4 * 1, 2 * 4 * 4 * 2, 2 * 2 * 2 * 3]
    for t in (x, x[:1]):
        with pytest.raises(InPlaceError, match="Doubled"):
            Doubled.apply(t)
    assert x.tolist() == [1, 2, 3]
    with pytest.raises(GraphError, match="must return what it marked as dirty"):
        type("Forgetful", (Doubled,), {"forward": staticmethod(lambda ctx, x: (ctx.mark_dirty(x), x.clone())[1])}).apply(x * 1)


# ---------------------------------------------------------------- recorded: refused, before anything changes
def refused(t, match, *more):
    """Every way to write refuses, by this sentence, and nothing changes."""
    before, node = t.tolist(), t.node
    for change in (
        t.zero_,
        t.neg_,
        t.normal_,
        lambda: t.add_(1),
        lambda: t.copy_(zeros(t.shape)),
        lambda: t.__setitem__(..., 1.0),
        *more,
    ):
        with pytest.raises(InPlaceError, match=match):
            change()
    assert t.tolist() == before
    assert t.node is node


def test_refused_on_leaves_that_require_grad_and_their_views():
    x = leaf(1, 2)
    refused(x, r"a leaf that requires grad can only be modified in place under no_grad\(\)")
    assert x.is_leaf
    for view in (x[:1], x.view(1, 2), x.view(1, 2).T, x.detach().requires_grad_()[1:]):
        refused(view, r"a view of a leaf that requires grad can only be modified in place under no_grad\(\)")


def test_refused_on_one_of_several_views():
    y = tensor([[1.0, 2.0]], dtype=f64, requires_grad=True) * 2
    for part in (y.split(1, 1)[0], y.chunk(2, 1)[1], y.unbind()[0], next(iter(y)), y.split(1, 1)[0].T, y.tensor_split(2, 1)[0]):
        refused(part, r"several.*narrow\(\)")
    with no_grad():
        y.split(1, 1)[0].add_(1)
    assert y.tolist() == [[3, 4]]
    zeros(2, 2).unbind()[0].add_(1)  # nothing is recorded


def test_refused_on_views_made_under_no_grad_and_written_outside():
    x = leaf(1, 2, 3)
    y = x * 1
    with no_grad():
        view = y[:2]
        inner = view[:1]
    outer = view[1:]  # of a constant
    for v in (view, inner, outer):
        refused(v, r"made under no_grad\(\)")
    with no_grad():
        view.mul_(3)
    assert y.tolist() == [3, 6, 3]
    b = zeros(2, dtype=f64)
    with no_grad():
        view = b[:1]
    view.add_(1)  # nothing is recorded
    with pytest.raises(InPlaceError, match=r"made under no_grad\(\)"):
        view.mul_(x[:1])
    assert b.tolist() == [1, 0]


def test_refused_on_expanded_memory():
    x = leaf(1, 2)
    refused((x * 2).expand(3, 2), r"expanded.*clone\(\)")
    with no_grad(), pytest.raises(InPlaceError, match="expanded"):
        ones(1).expand(3).add_(1)


def test_a_refused_change_changes_nothing():
    x = leaf(1, 2)
    y = x * 2
    view = y[:1]
    node, array = y.node, y.array
    for change in (
        lambda: y.add_(ones(3, 2)),
        lambda: y.add_(ones(3)),
        lambda: y.copy_(ones(3)),
        lambda: y.__setitem__(slice(None), ones(3)),
    ):
        with pytest.raises(AutogradError):
            change()
    assert y.node is node
    assert y.array is array
    assert view.tolist() == [2]


# ---------------------------------------------------------------- not recorded: memory is written, and that is noticed
WRITES = {
    "no_grad": lambda x: x.add_(1),
    "setitem": lambda x: x.__setitem__(0, 9.0),
    "+=": lambda x: x.__iadd__(1),
    "zero_": lambda x: x.zero_(),
    "copy_": lambda x: x.copy_(zeros(2)),
    "normal_": lambda x: x.normal_(),
    "data": lambda x: x.data.mul_(2),
    "detach": lambda x: x.detach().sub_(1),
    "a view": lambda x: x.detach()[1:].zero_(),
    "a view of a view": lambda x: x.detach().reshape(2, 1).T[0, :1].fill_(3),
    "copy.copy": lambda x: copy.copy(x).zero_(),
    "out=": lambda x: np.multiply(x, 2, out=x),
    "touch": lambda x: (x.array.__setitem__(0, 5), touch(x.array)),
    "touch of a view": lambda x: (x.array.__setitem__(0, 5), touch(x.array[1:])),
    "another thread": lambda x: in_thread(lambda: x.detach().add_(1)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_value_that_was_saved_and_changed_raises(write, create_graph):
    x = leaf(1, 2)
    y = (x * x).sum()
    with no_grad():
        write(x)
    with pytest.raises(InPlaceError, match=r"multiply.*clone"):
        y.backward(create_graph=create_graph)
    assert x.grad is None
    (x * x).sum().backward()  # a new graph sees the new values
    assert x.grad.tolist() == (2 * x.array).tolist()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_value_that_was_not_saved_may_change(write):
    x = leaf(1, 2)
    y = (x * 3.0 + 1).sum()
    with no_grad():
        write(x)
    y.backward()
    assert x.grad.tolist() == [3, 3]


def test_results_that_were_saved_are_watched_too():
    x = leaf(1, 2)
    y = x.exp()
    y.detach().mul_(2)  # of which y knows nothing
    with pytest.raises(InPlaceError, match=r"exp.*out"):
        y.sum().backward()


def test_a_write_is_a_constant_change():
    x = leaf(1, 2)
    y = x * 3.0
    with no_grad():
        y.add_(100)
    z = y * y
    assert z.tolist() == [103**2, 106**2]
    z.sum().backward()
    assert x.grad.tolist() == [2 * 103 * 3, 2 * 106 * 3]


def test_views_see_writes_and_writes_through_views_are_seen():
    x = leaf(1, 2, 3, 4)
    y = x * 1.0
    v = y.reshape(2, 2)[1]
    saved = v * v
    with no_grad():
        y.mul_(10)
    assert v.tolist() == [30, 40]
    with pytest.raises(InPlaceError):
        saved.sum().backward()
    with no_grad():
        v.zero_()
    assert y.tolist() == [10, 20, 0, 0]


def test_a_write_before_the_value_is_saved_is_no_reason_to_raise():
    x = leaf(1, 2)
    with no_grad():
        x.mul_(2)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 8]


def test_a_write_to_one_part_of_memory_counts_for_all_of_it():
    base = ones(4, dtype=f64)
    a, b = base[:2], base[2:]
    x = leaf(3, 4)
    y = x * a
    b.zero_()
    with pytest.raises(InPlaceError, match="multiply"):  # more than need be, and never less
        y.sum().backward()


def test_a_constant_that_was_saved_is_watched():
    x, c = leaf(1, 2), ones(2, dtype=f64)
    y = (x * c).sum()
    c += 1  # recorded or not: c has no gradient
    with pytest.raises(InPlaceError, match="multiply"):
        y.backward()


def test_indices_and_masks_that_were_saved_are_watched():
    x, index, mask = leaf(1, 2), tensor([0, 1]), tensor([True, False])
    a, b, c = x[index].sum(), autograd.where(mask, x, 0.0).sum(), x.gather(0, index).sum()
    index.zero_()
    mask[0] = False
    for y in (a, b, c):
        with pytest.raises(InPlaceError):
            y.backward()


def test_numpy_memory_that_is_shared_is_watched_if_touched():
    data = np.array([1.0, 2.0])
    c, x = from_numpy(data), leaf(3, 4)
    y = (x * c).sum()
    data[0] = 100
    touch(data)
    with pytest.raises(InPlaceError):
        y.backward()


def test_memory_that_was_freed_is_forgotten():
    gc.collect()
    before = len(autograd.engine.graph._writes)
    many = [zeros(10).add_(1) for _ in range(100)]
    assert len(autograd.engine.graph._writes) == before + 100
    del many
    assert len(autograd.engine.graph._writes) == before


def test_new_memory_at_an_old_address_is_not_taken_for_written():
    for _ in range(50):
        scratch = zeros(64, dtype=f64)
        scratch.add_(1)
        del scratch
        x = leaf(*range(64))
        y = (x * x.detach().clone()).sum()
        y.backward()
        assert x.grad.tolist() == list(range(64))


def test_a_write_between_first_and_second_order_raises():
    x = leaf(1, 2)
    (first,) = grad((x**3).sum(), x, create_graph=True)
    with no_grad():
        x.add_(1)
    with pytest.raises(InPlaceError):
        first.sum().backward()


def test_a_gradient_that_is_part_of_a_graph_is_watched():
    x = leaf(1, 2)
    (x**2).sum().backward()
    w = leaf(3, 4)
    y = (w * x.grad).sum()
    (x * 5.0).sum().backward()  # accumulates into x.grad in place
    assert x.grad.tolist() == [7, 9]
    with pytest.raises(InPlaceError):
        y.backward()


def test_an_assigned_array_leaves_the_old_one_to_the_graph():
    x = leaf(1, 2)
    y = (x * x).sum()
    x.data = zeros(2, dtype=f64)
    x.data.add_(5)
    y.backward()
    assert x.grad.tolist() == [2, 4]


def test_read_only_memory_is_refused():
    data = np.ones(2)
    data.flags.writeable = False
    for x in (from_numpy(data), ones(1).expand(2)):
        for change in (lambda x=x: x.add_(1), lambda x=x: x.__setitem__(0, 2.0)):
            with pytest.raises(InPlaceError, match="clone"):
                change()


def test_a_step_by_hand_between_two_graphs():
    w, x = leaf(1, 2), tensor([3.0, 4.0], dtype=f64)
    for _ in range(3):
        loss = ((w * x) ** 2).sum()
        (g,) = grad(loss, w)
        expected = 2 * w.array * x.array**2
        np.testing.assert_allclose(g.array, expected, rtol=1e-12)
        with no_grad():
            w -= 0.01 * g
    assert w.is_leaf


def test_the_gradient_of_what_a_copy_replaced_is_0():
    x = leaf(1, 2)
    y = x * 3
    y.copy_(ones(2))
    assert y.requires_grad  # as in PyTorch
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


# ---------------------------------------------------------------- every op
@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.smooth], ids=lambda s: s.name)
@given(data=st.data())
def test_an_op_whose_input_or_result_was_overwritten_is_right_or_refuses(sample, data):
    """It saved what its rule reads, all of it, and is told when that changes."""
    drawn = data.draw(calls(sample))

    def forward():
        call = drawn.map(lambda a: wrap(np.copy(a)))
        inputs = [x.requires_grad_() for x in call.inputs()]
        results = call.run(sample.op)
        results = [y for y in flat(results) if isinstance(y, autograd.Tensor) and y.requires_grad]
        return inputs, results

    def pull(inputs, results):
        weights = [np.full(y.shape, 0.5, y.dtype) for y in results]
        return [g.tolist() for g in grad(results, inputs, weights, materialize_grads=True)]

    expected = pull(*forward())
    for k in range(sum(map(len, forward()))):
        inputs, results = forward()
        target = [*inputs, *results][k]
        if target.array.flags.writeable:
            target.array[...] = 3.25
            touch(target.array)
        try:
            found = pull(inputs, results)
        except InPlaceError:
            continue
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
@given(data=st.data())
def test_only_views_share_memory_with_an_argument(sample, data):
    """A write to any other result must not reach what it was made of, and a view must hear of writes to its base."""
    drawn = data.draw(calls(sample)).map(lambda a: wrap(np.copy(a)))
    for result in flat(drawn.run(sample.op)):
        for x in flat(drawn.inputs()):
            if isinstance(result, autograd.Tensor) and result.array.size and memory(result.array) is memory(x.array):
                assert result is x or lineage(result)[0] is lineage(x)[0]


def flat(value):
    return [v for part in value for v in flat(part)] if isinstance(value, (tuple, list)) else [value]


# ---------------------------------------------------------------- anything, in any order
N = 6  # elements of all leaves


class Family:
    """The jets that look at the same value and the same derivatives: a base and its views."""

    def __init__(self):
        self.members = []  # the base is the first, until it is given another array
        self.stays = None  # then something stays behind in its place: whether that requires grad,
        self.leaf = False  # and whether it is a leaf


class Jet:
    """What a tensor should be: its value and its first two derivatives by all leaves, in NumPy's memory.

    A view's are views of its base's, so a recorded write is an assignment to all three; one that is not, to the value alone.
    Derivatives have the leaves' axes in front, so that a view of each is a view of all.
    """

    def __init__(self, value, first=None, second=None, tracked=False, family=None, refused=False, around=None):
        self.value, self.tracked = value, tracked
        self._first = np.zeros((N, *value.shape)) if first is None else first
        self._second = np.zeros((N, N, *value.shape)) if first is None else second  # None where third ones would be needed
        self.family = Family() if family is None else family  # None: a constant among the views of a base
        self.family.members.append(self)
        self.around = self.family if around is None else around  # the base that it looks at all the same
        self.refused = refused  # must a recorded write through it be refused?

    @property
    def first(self):  # with the leaves' axes last, as formulas have them
        return np.moveaxis(self._first, 0, -1) if self.tracked else np.zeros((*self.value.shape, N))

    @property
    def second(self):
        if not self.tracked:
            return np.zeros((*self.value.shape, N, N))
        return None if self._second is None else np.moveaxis(self._second, (0, 1), (-2, -1))

    @classmethod
    def made(cls, value, first, second, tracked):
        second = None if second is None else np.moveaxis(second, (-2, -1), (0, 1)).copy()
        return cls(value, np.moveaxis(first, -1, 0).copy(), second, tracked)

    def linear(self, function):
        """A linear function of the elements: of the derivatives it is the same."""

        def each(a, axes):
            return function(a) if not axes else np.stack([each(a[..., i], axes - 1) for i in range(N)], -1)

        second = None if self.second is None else each(self.second, 2)
        return Jet.made(function(self.value), each(self.first, 1), second, self.tracked)

    def view(self, function, axes_function, recorded, refused=False):
        """Of the same memory: `axes_function` does to the last axes of an array what `function` does to all."""
        value = function(self.value)
        if not np.shares_memory(value, self.value):
            return self.linear(function)
        if not recorded or self.around is not self.family:
            return Jet(value, refused=True, around=self.around)
        second = None if self._second is None else axes_function(self._second, 2)
        return Jet(value, axes_function(self._first, 1), second, self.tracked, self.family, refused or self.refused)

    def become(self, result):
        """A recorded write: value and derivatives, wherever they are looked at."""
        self.value[...] = result.value
        self._first[...] = np.moveaxis(result.first, -1, 0)
        known = result.second is not None
        for member in self.family.members:
            member.tracked = True
            if not known:
                member._second = None
        if known and self._second is not None:
            self._second[...] = np.moveaxis(result.second, (-2, -1), (0, 1))

    def smooth(self, f, df, ddf):
        v, j, h = self.value, self.first, self.second
        d, dd = df(v)[..., None], ddf(v)[..., None, None]
        second = None if h is None else dd * j[..., None] * j[..., None, :] + d[..., None] * h
        return Jet.made(f(v), d * j, second, self.tracked)

    def plus(self, other, sign=1):
        known = self.second is not None and other.second is not None
        first = wide(self.first, other, 1) + sign * wide(other.first, self, 1)
        second = wide(self.second, other, 2) + sign * wide(other.second, self, 2) if known else None
        return Jet.made(self.value + sign * other.value, first, second, self.tracked or other.tracked)

    def times(self, other):
        a, b, j, k = self.value[..., None], other.value[..., None], self.first, other.first
        h = None
        if self.second is not None and other.second is not None:
            cross = j[..., None] * k[..., None, :]
            h = a[..., None] * other.second + b[..., None] * self.second + cross + np.swapaxes(cross, -1, -2)
        return Jet.made(self.value * other.value, a * k + b * j, h, self.tracked or other.tracked)


def wide(derivative, other, axes):
    """A derivative, broadcast against the elements of another jet."""
    shape = np.broadcast_shapes(derivative.shape[:-axes], other.value.shape)
    lead = (1,) * (len(shape) + axes - derivative.ndim)
    return np.broadcast_to(derivative.reshape(lead + derivative.shape), shape + (N,) * axes)


VIEWS = {  # of a tensor, or of the last axes of an array that has k axes in front of them
    "T": (lambda t: t.T, lambda a, k: a.transpose(*range(k), *range(a.ndim - 1, k - 1, -1))),
    "first": (lambda t: t[:1], lambda a, k: a[(slice(None),) * k + (slice(1),)]),
    "last": (lambda t: t[..., -1:], lambda a, k: a[..., -1:]),
    "every other": (lambda t: t[::2], lambda a, k: a[(slice(None),) * k + (slice(None, None, 2),)]),
    "flat": (lambda t: t.reshape(-1), lambda a, k: a.reshape(*a.shape[:k], -1)),
    "row": (lambda t: t[None], lambda a, k: np.expand_dims(a, k)),
    "column": (lambda t: t[:, None], lambda a, k: np.expand_dims(a, k + 1)),
    "whole": (lambda t: t[...], lambda a, k: a[...]),
    "swap": (lambda t: np.swapaxes(t, 0, -1), lambda a, k: np.swapaxes(a, k, -1)),
}
COPIES = {
    "sum": lambda t: np.sum(t, axis=0, keepdims=True),
    "cumsum": lambda t: np.cumsum(t, axis=0),
    "twice": lambda t: t[[0, 0]],
    "clone": np.copy,
    "flip": lambda t: np.flip(t, 0) if isinstance(t, autograd.Tensor) else np.flip(t, 0).copy(),
    "negative": lambda t: -t,
    "third": lambda t: t * 0.5,
    "beside": lambda t: np.concatenate([t, t]),
}
SMOOTH = {
    "sin": (np.sin, np.cos, lambda v: -np.sin(v)),
    "tanh": (np.tanh, lambda v: 1 - np.tanh(v) ** 2, lambda v: -2 * np.tanh(v) * (1 - np.tanh(v) ** 2)),
    "square": (np.square, lambda v: 2 * v, lambda v: np.full_like(v, 2)),
    "exp": (np.exp, np.exp, np.exp),
}
BINARY = {"add": Jet.plus, "sub": lambda a, b: Jet.plus(a, b, -1), "mul": Jet.times}
INDICES = [..., 0, slice(1), slice(1, None), slice(None, None, 2), (..., 0), (..., slice(1, None)), [0], [0, -1]]

which = st.integers(0, 99)
recorded = st.sampled_from([True, True, True, False])
retained = st.sampled_from([True, True, True, False])
number = st.sampled_from([-1.5, -1.0, 0.5, 2.0])


class Writes(RuleBasedStateMachine):
    """Tensors and what they should be, side by side, through any sequence of ops, writes and backwards."""

    outcomes = None  # counts how things went, if a test wants to know

    def __init__(self):
        super().__init__()
        self.leaves, self.pairs, start = [], [], 0
        for shape in ((2, 2), (2,)):
            values = np.linspace(-0.7, 0.9, N)[start : start + int(np.prod(shape))].reshape(shape)
            identity = np.eye(N)[start : start + values.size].reshape(*shape, N)
            jet = Jet.made(values.copy(), identity, np.zeros((*shape, N, N)), tracked=True)
            self.leaves.append((tensor(values, requires_grad=True), jet, slice(start, start + values.size)))
            self.pairs.append(self.leaves[-1][:2])
            start += values.size
        self.grads = [np.zeros(jet.value.shape) for _, jet, _ in self.leaves]
        self.arrays = []  # in the user's hands: NumPy's, and the model's

    # ------------------------------------------------------------ helpers
    def pick(self, k):
        return self.pairs[k % len(self.pairs)]

    def keep(self, made, jet):
        assert made.requires_grad == jet.tracked
        if np.abs(jet.value).max(initial=0) < 1e3 and jet.value.size <= 16 and jet.value.ndim <= 3:
            self.pairs.append((made, jet))
            if len(self.pairs) > 8:
                self.pairs.pop(len(self.leaves))

    def count(self, what):
        if Writes.outcomes is not None:
            Writes.outcomes[what] = Writes.outcomes.get(what, 0) + 1

    def under(self, on, jet):
        """The jet of a result: a constant, if it was not recorded."""
        return jet if on else Jet(jet.value)

    # ------------------------------------------------------------ ops
    @rule(k=which, name=st.sampled_from(sorted(VIEWS) + sorted(COPIES)), on=recorded)
    def take(self, k, name, on):
        t, jet = self.pick(k)
        function = VIEWS[name][0] if name in VIEWS else COPIES[name]
        if t.ndim == 0 or not t.numel() or (t.ndim < 2 and name == "column"):
            return
        if name == "flat" and not (t.array.flags.c_contiguous and jet.value.flags.c_contiguous and jet._first.flags.c_contiguous):
            return  # a view of the one might be a copy of the other
        with set_grad_enabled(on):
            made = function(t)
        self.keep(made, jet.view(*VIEWS[name], on) if name in VIEWS else self.under(on, jet.linear(function)))

    @rule(k=which, name=st.sampled_from(sorted(SMOOTH)), on=recorded)
    def curve(self, k, name, on):
        t, jet = self.pick(k)
        if name == "exp" and np.abs(jet.value).max(initial=0) > 5:
            return
        with set_grad_enabled(on):
            made = getattr(t, name)()
        self.keep(made, self.under(on, jet.smooth(*SMOOTH[name])))

    @rule(k=which, l=which, name=st.sampled_from(sorted(BINARY)), on=recorded)
    def combine(self, k, l, name, on):  # noqa: E741
        (t, jet), (u, other) = self.pick(k), self.pick(l)
        try:
            np.broadcast_shapes(t.shape, u.shape)
        except ValueError:
            return
        with set_grad_enabled(on):
            made = getattr(t, name)(u)
        self.keep(made, self.under(on, BINARY[name](jet, other)))

    @rule(k=which, on=recorded)
    def split(self, k, on):
        t, jet = self.pick(k)
        if t.ndim == 0 or len(t) < 2:
            return
        with set_grad_enabled(on):
            a, b = t.split([1, len(t) - 1])
        front = (slice(None),)
        self.keep(b, jet.view(lambda v: v[1:], lambda v, k: v[front * k + (slice(1, None),)], on, refused=True))
        self.keep(a, jet.view(lambda v: v[:1], lambda v, k: v[front * k + (slice(1),)], on, refused=True))

    # ------------------------------------------------------------ aliases
    @rule(k=which, how=st.sampled_from(["detach", "data", "numpy"]))
    def alias(self, k, how):
        t, jet = self.pick(k)
        made = {"detach": lambda: t.detach(), "data": lambda: t.data, "numpy": lambda: from_numpy(t.array)}[how]()
        self.keep(made, Jet(jet.value))

    @rule(k=which, by=number, hold=st.booleans())
    def write_to_the_array(self, k, by, hold):
        t, jet = self.pick(k)
        self.arrays = [(t.array, jet.value)] if hold or not self.arrays else self.arrays
        array, model = self.arrays[0]
        if array.flags.writeable:
            array += by
            model += by
            touch(array)
        self.arrays = self.arrays if hold else []

    @rule(k=which)
    def drop(self, k):
        if k % len(self.pairs) >= len(self.leaves):
            self.pairs.pop(k % len(self.pairs))

    @rule(k=which, l=which)
    def assign_data(self, k, l):  # noqa: E741
        (t, jet), (u, other) = self.pick(k), self.pick(l)
        if t.shape == u.shape:
            t.data = u.detach()
            if jet.family.members[0] is jet and jet.family.stays is None:
                jet.family.stays, jet.family.leaf = jet.tracked, jet.tracked and any(jet is mine for _, mine, _ in self.leaves)
            jet.family.members.remove(jet)
            jet.value, jet.family, jet.refused = other.value, Family(), False
            jet.around = jet.family
            jet.family.members.append(jet)
            jet._first, jet._second = jet._first.copy(), None if jet._second is None else jet._second.copy()

    @rule(k=st.integers(0, 1))
    def freeze(self, k):
        t, jet, _ = self.leaves[k]
        t.requires_grad_(not t.requires_grad)
        jet.tracked = not jet.tracked

    # ------------------------------------------------------------ writes
    def in_place(self, t, jet, result, write, on, change):
        """Do `change` to the tensor; then the model becomes `result`, or is told by `write` to change its value."""
        leaves = [mine for _, mine, _ in self.leaves if mine in jet.around.members]
        recorded = on and (result.tracked or any(m.tracked for m in jet.around.members) or bool(jet.around.stays))
        if recorded and leaves and not leaves[0].tracked:
            return  # a frozen leaf would be a leaf no longer
        before = t.array.copy()
        try:
            with set_grad_enabled(on):
                change()
        except InPlaceError:
            assert not t.array.flags.writeable or (recorded and (jet.refused or leaves or jet.around.leaf))
            assert t.array.tolist() == before.tolist()
            return self.count("refused")
        if recorded:
            self.count("recorded")
            assert not jet.refused
            assert not jet.around.leaf
            assert not any(t is leaf for leaf, _, _ in self.leaves)
            jet.around.stays = None if jet.around.stays is None else True
            jet.become(result)
        else:
            self.count("written")
            write()
        assert t.requires_grad == jet.tracked

    @rule(k=which, l=which, name=st.sampled_from(["add", "sub", "mul", "copy"]), on=st.booleans(), augmented=st.booleans())
    def change_by_tensor(self, k, l, name, on, augmented):  # noqa: E741
        (t, jet), (u, other) = self.pick(k), self.pick(l)
        try:
            if np.broadcast_shapes(t.shape, u.shape) != t.shape:
                return
        except ValueError:
            return
        copied = other.linear(lambda v: np.copy(np.broadcast_to(v, t.shape)))
        result = copied if name == "copy" else BINARY[name](jet, other)
        if np.abs(result.value).max(initial=0) > 1e3:
            return
        method = f"__i{name}__" if augmented and name != "copy" else name + "_"
        write = lambda: jet.value.__setitem__(..., result.value)  # noqa: E731
        self.in_place(t, jet, result, write, on, lambda: getattr(t, method)(u))

    @rule(k=which, by=number, name=st.sampled_from(["add", "mul", "fill", "zero", "sin", "tanh"]), on=st.booleans())
    def change_by_number(self, k, by, name, on):
        t, jet = self.pick(k)
        constant = Jet(np.array(by))
        if name in SMOOTH:
            result, args = jet.smooth(*SMOOTH[name]), ()
        elif name in BINARY:
            result, args = BINARY[name](jet, constant), (by,)
        else:
            value, args = (by, (by,)) if name == "fill" else (0.0, ())
            result = jet.linear(lambda v: np.zeros_like(v))
            result.value = np.full_like(jet.value, value)
        if np.abs(result.value).max(initial=0) > 1e3:
            return
        write = lambda: jet.value.__setitem__(..., result.value)  # noqa: E731
        self.in_place(t, jet, result, write, on, lambda: getattr(t, name + "_")(*args))

    @rule(k=which, l=which, index=st.sampled_from(INDICES), on=st.booleans())
    def assign_a_part(self, k, l, index, on):  # noqa: E741
        (t, jet), (u, other) = self.pick(k), self.pick(l)
        try:
            shape = np.zeros(t.shape)[index].shape
            if np.broadcast_shapes(shape, u.shape) != shape:
                return
        except (IndexError, ValueError):
            return

        def put(v, part):
            v = np.copy(v)
            v[index] = part
            return v

        parts = other.linear(lambda v: np.broadcast_to(v, shape))
        whole = jet.linear(lambda v: put(v, 0))
        spread = parts.linear(lambda v: put(np.zeros(t.shape), v))
        result = whole.plus(spread)
        result.value = put(jet.value, other.value)

        def write():
            jet.value[index] = np.copy(other.value)

        self.in_place(t, jet, result, write, on, lambda: t.__setitem__(index, u))

    # ------------------------------------------------------------ gradients
    def expected(self, jet, weight):
        return np.tensordot(weight, jet.first, weight.ndim)

    @rule(k=which, retain=retained, create_graph=st.booleans(), seed=st.integers(0, 3))
    def differentiate(self, k, retain, create_graph, seed):
        t, jet = self.pick(k)
        inputs = [x for x in self.leaves if x[0].requires_grad]
        if not jet.tracked or not inputs:
            return
        weight = np.round(np.sin(np.arange(jet.value.size) + seed) * 2, 1).reshape(jet.value.shape)
        try:
            found = grad(t, [x for x, _, _ in inputs], weight, retain or None, create_graph, allow_unused=True)
        except (InPlaceError, FreedGraphError) as error:
            return self.count(type(error).__name__)
        self.count("differentiated")
        for g, (x, _, where) in zip(found, inputs, strict=True):
            value = self.expected(jet, weight)[where].reshape(x.shape)
            second = None if jet.second is None else np.tensordot(weight, jet.second, weight.ndim)[where].reshape(*x.shape, N)
            if g is None:
                assert not value.any()
                continue
            np.testing.assert_allclose(g.array, value, rtol=1e-9, atol=1e-9)
            if create_graph and second is not None:
                if not g.requires_grad:
                    np.testing.assert_allclose(second, 0, atol=1e-12)
                made = g.clone()
                model = np.empty_like(made.array)
                model[...] = value
                self.keep(made, Jet.made(model, second, None, made.requires_grad))

    @rule(k=which, retain=retained, seed=st.integers(0, 3))
    def backward(self, k, retain, seed):
        t, jet = self.pick(k)
        if not jet.tracked:
            return
        weight = np.round(np.cos(np.arange(jet.value.size) + seed) * 2, 1).reshape(jet.value.shape)
        try:
            t.backward(weight, retain)
        except (InPlaceError, FreedGraphError) as error:
            return self.count(type(error).__name__)
        self.count("differentiated")
        for i, (x, _, where) in enumerate(self.leaves):
            if x.requires_grad:  # or it was frozen since: no gradient of it is wanted
                self.grads[i] = self.grads[i] + self.expected(jet, weight)[where].reshape(self.grads[i].shape)

    @invariant()
    def all_is_as_it_should_be(self):
        for t, jet in self.pairs:
            np.testing.assert_allclose(t.array, jet.value, rtol=1e-12, atol=1e-12)
        for (x, _, _), expected in zip(self.leaves, self.grads, strict=True):
            found = np.zeros(x.shape) if x.grad is None else x.grad.array
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)

    def teardown(self):
        """At the end every gradient is asked for, and is right or refused."""
        for k in range(len(self.pairs)):
            self.differentiate(k, True, False, 1)


def test_gradients_are_right_or_refused_whatever_was_written_when():
    examples = settings().max_examples * 10
    run_state_machine_as_test(Writes, settings=settings(max_examples=examples, stateful_step_count=40))


def steps(machine):
    """Runs into every outcome there is."""
    machine.combine(0, 0, "mul", True)
    machine.change_by_number(0, 2.0, "add", False)  # written
    machine.differentiate(2, True, False, 1)  # InPlaceError
    machine.take(0, "cumsum", True)
    machine.take(3, "last", True)
    machine.change_by_tensor(3, 1, "add", True, True)  # recorded
    machine.all_is_as_it_should_be()
    machine.differentiate(4, False, True, 1)  # differentiated: a view of what was written
    machine.alias(3, "detach")
    machine.change_by_number(0, 2.0, "mul", True)  # refused: a leaf


@pytest.mark.parametrize("broken", ["nothing", "Plan.check", "touch", "memory", "Family.outdate", "save_what_is_lost"])
def test_these_tests_would_notice(broken, monkeypatch):
    graph = autograd.engine.graph
    monkeypatch.setattr(Writes, "outcomes", {})
    if broken == "nothing":
        steps(Writes())
        assert set(Writes.outcomes) == {"written", "InPlaceError", "recorded", "differentiated", "refused"}
        return
    if broken == "Plan.check":
        monkeypatch.setattr(Plan, "check", lambda plan, node: None)
    elif broken == "Family.outdate":
        monkeypatch.setattr(sys.modules["autograd.engine.inplace"].Family, "outdate", lambda family: None)
    elif broken == "save_what_is_lost":
        monkeypatch.setattr(sys.modules["autograd.engine.inplace"], broken, lambda *args: None)
    else:
        monkeypatch.setattr(graph, broken, lambda array, *rest: array)
    machine = Writes()
    machine.alias(0, "detach")
    machine.take(2, "last", True)  # a view, to write through
    machine.combine(0, 0, "mul", True)
    machine.change_by_number(3, 2.0, "add", False)
    with pytest.raises((AssertionError, InPlaceError)):  # noqa: PT012 (whichever step it is that notices)
        machine.differentiate(4, True, False, 1)
        steps(Writes())
        machine.take(0, "negative", True)
        machine.change_by_number(5, 2.0, "sin", True)
        assert grad(machine.pairs[5][0].sum(), machine.leaves[0][0])
