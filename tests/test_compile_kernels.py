"""Eager mode with kernels is eager mode: on every record and optimizer, in all layouts, at the edges of numbers, and in threads."""

import os
import threading
import warnings
from itertools import product

import numpy as np
import pytest
from helpers import leaves
from numpy.testing import assert_allclose, assert_array_equal
from samples import SAMPLES
from strategies import Quick

import autograd
import nn
import nn.functional as F
from autograd import Tensor, grad
from autograd.compile import IN_PLACE, cc, kernels
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.engine.tensor import PRIMITIVES, wrap

switch = autograd.compile.kernels
needs_compiler = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler")


@pytest.fixture
def at_once(monkeypatch):
    """Kernels are made at the first use, for arrays of any size."""
    monkeypatch.setattr(kernels, "USES", 1)
    monkeypatch.setattr(kernels, "FEW", (0, 0))
    monkeypatch.setattr(kernels, "LEAST", dict.fromkeys(kernels.LEAST, (0, 0)))
    kernels.replacements.cache_clear()
    with switch(background=False):
        yield
    kernels.replacements.cache_clear()


def made(name):
    """The kernels of a primitive, by the families that they serve; and why others are not there."""
    new = kernels.replacements(name)
    pulls = [pull for plan in new["plans"].values() for pull in plan.pulls.values()]
    quicks = [f.quick for f in (new["fun"], *pulls) if hasattr(f, "quick")]
    found = [k.family for quick in quicks for k in quick.known.values() if isinstance(k, kernels.Kernel)]
    return sorted(found), [why for quick in quicks for why in quick.why]


def both(function, *arrays):
    """What `function` of leaves returns and the gradients of these, without kernels and with them."""

    def run():
        autograd.manual_seed(0)
        xs = [wrap(a).requires_grad_(a.dtype.kind == "f") for a in arrays]
        out = function(*xs)
        smooth = [t for t in leaves(out) if isinstance(t, Tensor) and t.requires_grad]
        float_xs = [x for x in xs if x.requires_grad]
        gs = grad([(t * t).sum() for t in smooth], float_xs, materialize_grads=True) if smooth and float_xs else ()
        return [t.detach().array for t in (*[t for t in leaves(out) if isinstance(t, Tensor)], *gs)]

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with switch(False):
            expected = run()
        return expected, [run() for _ in range(2)][-1]


def check(function, *arrays, rtol=2e-4, atol=2e-5, message=""):
    for e, g in zip(*both(function, *arrays), strict=True):
        assert (g.shape, g.dtype) == (e.shape, e.dtype), message
        assert_allclose(g, e, rtol=rtol, atol=atol, err_msg=message)


# ---------------------------------------------------------------- every record
def called(sample, seed):
    """A call of a record: the function, and the arrays that it is given; None for half and where there is no derivative."""
    given, arrays = sample.make(Quick(seed, 0, np.float32)), []
    given.map(arrays.append)

    def call(*xs):
        rest = iter(xs)
        return given.map(lambda a: next(rest)).run(sample.op)

    return (call, arrays) if sample.smooth and all(a.dtype != np.float16 for a in arrays) else None


def chosen():
    """In continuous integration all records; here, as compiling takes its time, for each op the first that calls it."""
    if os.environ.get("CI"):
        return SAMPLES
    found, left = [], set(kernels.LEAST)
    for sample in SAMPLES:
        if left and (call := called(sample, 0)) is not None:
            with ambient(tape=(tape := Tape())), np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call[0](*map(wrap, call[1]))
            if names := {getattr(op, "name", "") for op, _, _ in tape} & left:
                found.append(sample)
                left -= names
    return found


@needs_compiler
@pytest.mark.parametrize("part", range(4))
def test_every_record_is_the_same_with_kernels(part, at_once):
    """Calls of two shapes; the second may be served by what was made for the first."""
    for sample, seed in product(chosen()[part::4], range(2)):
        if (call := called(sample, seed)) is not None:
            check(call[0], *call[1], message=sample.name)


# ---------------------------------------------------------------- what one kernel serves
def standing(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


SERVED = {
    "gelu": (F.gelu, [0]),
    "relu": (F.relu, [0]),
    "softmax": (lambda x: F.softmax(x, -1), [1]),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), [1]),
    "window_max": (lambda x: F.max_pool1d(x, 2), [1]),
}


@needs_compiler
@pytest.mark.parametrize("name", SERVED)
def test_one_kernel_serves_all_lengths(name, at_once):
    function, families = SERVED[name]
    for n in (4, 1, 9, 100):
        check(function, standing(n, 3, 6))
    assert (sorted({*made(name)[0]}), made(name)[1]) == (families, [])


@needs_compiler
@pytest.mark.parametrize(
    "function", [F.gelu, lambda x: F.softmax(x, 1), lambda x: x.var(1), lambda x: F.layer_norm(x, x.shape[1:])]
)
@pytest.mark.parametrize(
    "layout", [lambda a: a.T, lambda a: a[::-1], lambda a: a[:, ::2], lambda a: a[1:3], lambda a: np.broadcast_to(a[:1], a.shape)]
)
def test_arrays_lie_in_memory_as_they_like(function, layout, at_once):
    check(function, layout(standing(6, 8)))


@needs_compiler
def test_arguments_that_look_alike_get_what_is_their_own(at_once):
    """Of one shape, but another order in memory, or of bytes; and 0.0 and -0.0."""
    x = standing(6, 8)
    for a in (standing(8, 8), standing(8, 8).T, standing(9, 9)[:8, :8], standing(8, 8)):
        check(F.gelu, a)
        check(lambda x: F.softmax(x, 1), a)
    for a in (x, x.astype(">f4"), x):
        assert_allclose(PRIMITIVES["gelu"].__globals__["fun"](a), PRIMITIVES["gelu"].fun(x), rtol=1e-5, atol=1e-6)
    mask = wrap(np.zeros((6, 8), bool))
    for zero in (0.0, -0.0, 0.0, -0.0):
        assert (np.signbit(autograd.where(mask, wrap(x), zero).array) == np.signbit(zero)).all()


@needs_compiler
def test_a_result_lies_in_memory_as_its_argument(at_once):
    x = wrap(standing(2, 5, 4, 3).transpose(0, 3, 1, 2))
    assert F.gelu(x).array.strides == x.array.strides
    assert made("gelu")[0] == [0]


@needs_compiler
@pytest.mark.parametrize(("lead", "families", "error"), [(lambda a: a, [1, 1], 3e-6), (lambda a: a.T.copy().T, [2, 2], 1e-5)])
def test_long_sums_keep_their_digits(lead, families, error, at_once):
    """100,001 rows, which are off by 1e-4 if they are added one by one: 256 at a time; 2048 if they are the innermost loop."""
    x, w = wrap(lead(standing(100_001, 3))), wrap(np.float32([1, 2, 3])).requires_grad_()
    b = wrap(np.zeros(3, np.float32)).requires_grad_()
    for _ in range(2):
        w.grad = b.grad = None
        F.layer_norm(x, (3,), w, b).backward(autograd.full_like(x, 0.1))
    assert_allclose(b.grad.array, np.full(3, 100_001 * np.float64(np.float32(0.1))), rtol=error)
    assert made("layer_norm")[0] == families


@needs_compiler
def test_sums_of_short_rows_alone_are_left_to_numpy(at_once):
    """C would add them one after the other, and take ten times as long."""
    x = wrap(standing(100_000, 3))
    for _ in range(4):
        total = x.sum(0)
    assert made("sum")[0] == []
    assert_allclose(total.array, standing(100_000, 3).astype(float).sum(0), rtol=1e-5)


# ---------------------------------------------------------------- at the edges of numbers
ODD = np.float32([0, -0.0, 1, -1, 1e-30, 1e-45, 88, 89, -104, 1e20, np.inf, -np.inf, np.nan, 3])
UNARY = dict(
    tanh=autograd.tanh, sigmoid=autograd.sigmoid, relu=F.relu, sqrt=autograd.sqrt, square=autograd.square, absolute=autograd.abs,
    erf=autograd.erf, gelu=F.gelu, gelu_tanh=lambda x: F.gelu(x, approximate="tanh"), hardswish=F.hardswish, softplus=F.softplus,
    softmax=lambda x: F.softmax(x, 0), log_softmax=lambda x: F.log_softmax(x, 0), amax=lambda x: x.amax(0), power=lambda x: x**3,
)  # fmt: skip


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, np.float32) for name in UNARY), ("gelu", np.float64), ("softmax", np.float64)]
)
def test_infinities_and_nan_are_where_they_were(name, dtype, at_once):
    """Also behind a gradient that is 0, where the derivative is infinite or NaN."""
    x = ODD.astype(dtype)
    gs = [np.resize(np.array(some, dtype), x.shape if name[:4] != "amax" else ()) for some in ([1], [0], [0, 1, -2, np.inf])]

    def run():
        leaf = wrap(x.copy()).requires_grad_()
        out = UNARY[name](leaf)
        return [out.detach().array, *(grad(out, leaf, wrap(g), retain_graph=True)[0].array for g in gs)]

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with switch(False):
            expected = run()
        for g, e in zip(run(), expected, strict=True):
            assert_allclose(g, e, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-37)
            assert_array_equal(np.signbit(g)[e == e], np.signbit(e)[e == e])


@needs_compiler
def test_a_position_outside_is_an_error(at_once):
    """The same one, and what was read in its place is not returned."""
    x, inside, outside = wrap(standing(4, 3)), autograd.tensor([0, -4, 3]), autograd.tensor([0, -5, 3])
    with switch(False), pytest.raises(IndexError) as expected:
        x[outside]
    check(lambda x, i: x[i], x.array, inside.array)
    with pytest.raises(IndexError) as found:
        x[outside]
    assert str(found.value) == str(expected.value)
    assert made("index")[0]


# ---------------------------------------------------------------- what stays as it was
@needs_compiler
def test_derivatives_of_derivatives_are_the_rules(at_once):
    x = standing(3, 4).astype(np.float64)

    def curvature(x):
        (g,) = grad(F.gelu(F.layer_norm(x, (4,))).sum(), x, create_graph=True)
        return grad((g * g).sum(), x)[0]

    with switch(False):
        expected = curvature(wrap(x).requires_grad_()).array
    assert_allclose(curvature(wrap(x).requires_grad_()).array, expected, rtol=1e-12, atol=1e-12)


@needs_compiler
def test_half_batches_and_recorded_steps_are_as_they_were(at_once):
    half = wrap(standing(4, 4).astype(np.float16))
    batched = autograd.func.vmap(autograd.func.grad(lambda x: F.gelu(x).sum()))
    steps = []
    for on in (False, True):
        with switch(on):
            step = autograd.compile(lambda x: F.softmax(F.gelu(x), 1), backend="replay")
            found = [F.gelu(half), batched(wrap(standing(4, 4))), *(step(wrap(standing(4, 4))) for _ in range(3))]
            steps.append([t.array for t in found])
            assert step.stats()["calls"]["compiled"] == 1
    for one, two in zip(*steps, strict=True):
        assert_allclose(one, two, rtol=1e-6, atol=1e-7)


def test_off_is_off():
    """Nothing is left in the scope of a primitive; a `with` puts back what was before it."""
    scopes = {n: dict(PRIMITIVES[n].__globals__) for n in kernels.LEAST}
    with switch(), switch(False):
        assert not IN_PLACE
        for name, scope in scopes.items():
            assert all(PRIMITIVES[name].__globals__[n] is scope[n] for n in ("fun", "plans"))
    assert not kernels.Switch.on


def test_without_a_compiler_nothing_changes(monkeypatch):
    monkeypatch.setattr(cc, "compiler", lambda: None)
    fun = PRIMITIVES["gelu"].__globals__["fun"]
    with switch():
        assert PRIMITIVES["gelu"].__globals__["fun"] is fun
        assert not IN_PLACE
        assert F.gelu(autograd.ones(100, 100)).shape == (100, 100)


@needs_compiler
def test_what_the_compiler_refuses_stays_as_it_was(at_once, monkeypatch):
    def fails(source):
        raise autograd.errors.CompileError("no")

    monkeypatch.setattr(cc, "load", fails)
    check(F.gelu, standing(3, 4), rtol=0, atol=0)
    assert made("gelu") == ([], ["CompileError: no"] * 2)


# ---------------------------------------------------------------- in threads
@needs_compiler
def test_kernels_are_made_in_the_background():
    kernels.replacements.cache_clear()
    x = wrap(standing(64, 64))
    with switch(False):
        expected = F.gelu(x).array
    with switch():
        for _ in range(4):
            assert_allclose(F.gelu(x).array, expected, rtol=1e-5, atol=1e-6)
        done = threading.Event()
        kernels.WAITING.add(done.set)  # behind it
        assert done.wait(60)
        assert made("gelu")[0] == [0]
        assert_allclose(F.gelu(x).array, expected, rtol=1e-5, atol=1e-6)
    kernels.replacements.cache_clear()


@needs_compiler
def test_threads_do_not_share_memory(at_once):
    """One kernel, with memory for what it makes on its way, in several threads at once."""
    qs = [wrap(standing(2, 2, 64, 8, seed=k)) for k in range(4)]
    expected = [F.scaled_dot_product_attention(q, q, q).array for q in qs]
    assert made("attention")[0]
    wrong = []

    def run(k):
        for _ in range(50):
            if not np.array_equal(F.scaled_dot_product_attention(qs[k], qs[k], qs[k]).array, expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# ---------------------------------------------------------------- optimizers
OPTIMIZERS = {
    "Adam": dict(weight_decay=0.1, amsgrad=True), "AdamW": {}, "SGD": dict(momentum=0.9, nesterov=True, lr=0.1), "RMSprop": dict(centered=True),
    "Adagrad": {}, "Adadelta": {}, "Adamax": {}, "NAdam": {}, "RAdam": {}, "Lion": {}, "Rprop": {}, "ASGD": {},
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize(("name", "dtype"), [*((name, np.float32) for name in OPTIMIZERS), ("Adam", np.float64)])
def test_optimizers_go_the_same_way(name, dtype, at_once):
    """Parameters that are updated together, and one that is not, in steps of which the learning rate changes."""

    def trained():
        parameters = [nn.Parameter(wrap(standing(*s, seed=9).astype(dtype))) for s in ((3, 4), (5,), (200, 100))]
        optimizer = getattr(nn.optim, name)(parameters, **OPTIMIZERS[name])
        for k in range(4):
            for p in parameters:
                p.grad = wrap(standing(*p.shape, seed=k).astype(dtype))
            optimizer.param_groups[0]["lr"] = 0.1 / (k + 1)
            optimizer.step()
        program = optimizer._recipes[0][1]
        return [p.detach().array for p in parameters] + [t.array for s in optimizer.state.values() for t in s.values()], program

    with switch(False):
        expected, _ = trained()
    found, program = trained()
    assert program is None or program.kernel is not None
    for g, e in zip(found, expected, strict=True):
        assert_allclose(g, e, rtol=1e-4 if dtype == np.float32 else 1e-11, atol=1e-6 if dtype == np.float32 else 1e-12)


@needs_compiler
def test_a_gradient_is_left_as_it_is(at_once):
    p = nn.Parameter(wrap(standing(100)))
    optimizer, g = nn.optim.Adam([p], lr=0.1), standing(100, seed=1)
    for _ in range(3):
        p.grad = wrap(g)
        optimizer.step()
    assert_array_equal(g, standing(100, seed=1))
