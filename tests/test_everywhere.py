"""Right, everywhere: at the edges of what arrays can be, every op does what it does in the middle, or says what is wrong."""

import numpy as np
import pytest
from helpers import leaves
from numpy.testing import assert_allclose, assert_array_equal
from samples import FUNCTIONS
from strategies import Call, Quick, some_calls
from test_ops import Function, inner, like_torch, records, smooth, special_points, tensors

import autograd
import nn.functional as F
from autograd import errors, func
from autograd.api import names as methods
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import AutogradError


def outcome(sample, call, order=1):
    """The results of a call, and their gradients; or the kind of error that it raises."""
    call, xs = tensors(call, sample.smooth)
    try:
        ys = leaves(call.run(sample.op))
        found = list(ys)
        ys = [y for y in ys if isinstance(y, Tensor) and y.requires_grad]
        for n in range(order if ys else 0):
            us = [wrap(np.asarray(np.cos(np.arange(y.array.size)).reshape(y.shape), y.dtype)) for y in ys]
            ys = autograd.grad(ys, xs, us, create_graph=n + 1 < order, materialize_grads=True)
            found += ys
            ys = [y for y in ys if y.requires_grad]
            if not ys:
                break
        return found
    except AutogradError as error:
        return type(error)


def assert_same(found, expected, **tolerance):
    if isinstance(expected, type) or isinstance(found, type):
        assert found is expected
        return
    for y, e in zip(found, expected, strict=True):
        assert getattr(y, "dtype", None) == getattr(e, "dtype", None)
        assert_allclose(getattr(y, "array", y), getattr(e, "array", e), **(tolerance or {"rtol": 1e-11, "atol": 1e-12}))


PUBLIC = {
    op for table in (FUNCTIONS, methods.ONLY_METHODS, vars(autograd.linalg), vars(F)) for op in table.values() if callable(op)
}


def public(sample):
    """Is it what users call, and not only what rules do?"""
    return sample.op in PUBLIC


# ---------------------------------------------------------------- memory laid out in any way
LAYOUTS = {
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "transposed": lambda a: a.T.copy().T,
    "every other": lambda a: np.repeat(a, 2, -1)[..., ::2] if a.ndim else a,
    "read-only": lambda a: np.broadcast_to(a, a.shape),
}


@records("layout")
def test_any_layout(sample):
    """What is not contiguous in memory gives the same values and gradients as a copy that is."""
    for call in some_calls(sample, 2):
        expected = outcome(sample, call.map(np.copy))
        assert type(expected) is list, f"a call of the record is refused: {expected}"
        for lay in LAYOUTS.values():
            assert_same(outcome(sample, call.map(lambda a, lay=lay: np.asarray(lay(a)))), expected)


@records()
def test_broadcast_inputs(sample):
    """So do arrays all of whose rows lie in the same memory."""
    for call in some_calls(sample, 2):
        flat = call.map(lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else a)
        with np.errstate(all="ignore"):
            assert_same(outcome(sample, flat), outcome(sample, flat.map(np.copy)))


# ---------------------------------------------------------------- dims of size 0 and 1
def finite(values):
    return all(np.isfinite(v.array).all() for v in values if isinstance(v, Tensor))


@records()
@pytest.mark.parametrize("side", [0, 1])
def test_short_sides(sample, side):
    """Where every side is as short as the record lets it be: NumPy's values, and finite gradients to second order."""
    for call in some_calls(sample, 3, side=side):
        with np.errstate(all="ignore"):
            assert finite(outcome(sample, call, order=2))
            expected = leaves(call.run(sample.reference))
        for y, e in zip(leaves(tensors(call)[0].run(sample.op)), expected, strict=True):
            assert np.shape(y) == np.shape(e)
            assert_allclose(getattr(y, "array", y), e, rtol=1e-12, atol=1e-14)


def cuts(call):
    """The call with one of its arrays, or all of them, cut to length 0 or 1 in one dim."""
    arrays = call_arrays(call)
    for size in (0, 1):
        for dim in range(max((a.ndim for a in arrays), default=0)):
            cut = [np.take(a, range(min(size, a.shape[dim])), dim) if a.ndim > dim else a for a in arrays]
            for chosen in (range(len(arrays)), *([i] for i in range(len(arrays)))):
                new = iter([cut[i] if i in chosen else a for i, a in enumerate(arrays)])
                yield call.map(lambda a, new=new: next(new))


def call_arrays(call):
    found = []
    call.map(found.append)
    return found


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of means of nothing and the like
@records(where=public)
def test_inputs_cut_short(sample):
    """Where lengths fit no longer, or the record knows better than to ask: an answer, or an error of ours; never NumPy's."""
    for call in some_calls(sample, 1):
        for cut in cuts(call):
            if not isinstance(values := outcome(sample, cut, order=0), type):
                found = outcome(sample, cut, order=2)
                assert isinstance(found, list), (found, [getattr(v, "shape", v) for v in values])


# ---------------------------------------------------------------- derivatives in both directions, and many at once
@records(where=smooth)
def test_forward_and_backward_are_transposes(sample):
    """<u, J v> = <J' u, v>."""
    for call in some_calls(sample, 2):
        f = Function(sample, call)
        us, vs = [f.constant(u) for u in f.us], [wrap(f.rng.uniform(-1, 1, x.shape)) for x in f.xs]
        xs = tuple(map(wrap, f.xs))
        with np.errstate(all="ignore"):
            _, forward = func.jvp(lambda *xs: tuple(f.results(call.put(xs).map(wrapped))), xs, tuple(vs))  # noqa: B023
            _, pull = func.vjp(lambda *xs: tuple(f.results(call.put(xs).map(wrapped))), *xs)  # noqa: B023
            back = pull(tuple(us))
        assert_allclose(inner(us, forward), inner(back, vs), rtol=1e-9, atol=1e-10)


def wrapped(array):
    return array if isinstance(array, Tensor) else wrap(array)


def one_gradient(ys, xs):
    return autograd.grad(sum(y.sum() for y in ys if y.requires_grad), xs, materialize_grads=True)


# ---------------------------------------------------------------- law 3: what a mask leaves out has no say
def derivatives(sample, points, mask=None):
    """The op at `points`, but 0 where not `mask`; and its gradients of first and second order."""
    call, xs = tensors(Call(tuple(points)), True)
    y = call.run(sample.op)
    found = [y if mask is None else autograd.where(mask, y, 0.0)]
    for _ in range(2):
        total = sum(
            ((v * wrap(np.cos(1.0 + np.arange(v.array.size)))).sum() for v in found[-len(xs) :] if v.requires_grad),
            wrap(np.zeros(())),
        )
        found += (
            autograd.grad(total, xs, create_graph=True, materialize_grads=True)
            if total.requires_grad
            else [wrap(np.zeros(x.shape)) for x in xs]
        )
    return [np.broadcast_to(v.detach().array, points[0].shape) for v in found]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@records(where=lambda sample: sample.smooth and sample.domains)
def test_a_mask_hides_every_singularity(sample):
    """Where an op or a derivative is not finite, and is not taken, gradients are 0 to second order; elsewhere they are as ever."""
    points = special_points(sample)
    free = derivatives(sample, points)
    good = np.all(np.isfinite(free), axis=0)
    for masked, plain in zip(derivatives(sample, points, good), free, strict=True):
        assert_array_equal(masked[~good], 0)
        assert_allclose(masked[good], plain[good], rtol=1e-12)


def test_sqrt_where_it_is_not_taken():
    """The five large libraries all give NaN here."""
    x = autograd.tensor([1.0, 4.0, -4.0], requires_grad=True)
    with np.errstate(invalid="ignore"):
        autograd.where(x >= 0, x, (-x).sqrt()).sum().backward()
    assert x.grad.tolist() == [1, 1, -0.25]


@pytest.mark.parametrize("op", [autograd.softmax, autograd.log_softmax, autograd.logsumexp])
def test_rows_that_are_masked_whole(op):
    """A row of minus infinities has no shares, and no say if they are not taken."""
    x = autograd.tensor([[1.0, 2.0], [-np.inf, -np.inf]], requires_grad=True)
    taken = autograd.tensor([True, False]) if op is autograd.logsumexp else autograd.tensor([[True], [False]])
    with np.errstate(invalid="ignore"):
        y = autograd.where(taken, op(x, 1), 0.0)
        (g,) = autograd.grad((y * y).sum(), x, create_graph=True)
        (h,) = autograd.grad((g * g).sum(), x)
    assert finite([y.detach(), g.detach(), h])
    assert g[1].tolist() == h[1].tolist() == [0, 0]
    assert (g[0].detach() != 0).all()


# ---------------------------------------------------------------- where numbers are large, or there are none left
big = 1e4
LIMITS = {  # a function of a row: points, its values there, and its gradient weighted by 1, 2, 3, ...: the exact limits
    "sigmoid": (autograd.sigmoid, [big, -big, np.inf, -np.inf], [1, 0, 1, 0], [0, 0, 0, 0]),
    "softplus": (F.softplus, [big, -big, np.inf, -np.inf], [big, 0, np.inf, 0], [1, 0, 3, 0]),
    "logsigmoid": (F.logsigmoid, [big, -big, np.inf, -np.inf], [0, -big, 0, -np.inf], [0, 2, 0, 4]),
    "softmax": (lambda x: x.softmax(0), [big, 0, -big], [1, 0, 0], [0, 0, 0]),
    "softmax, tied": (lambda x: x.softmax(0), [big, big, 0], [0.5, 0.5, 0], [-0.25, 0.25, 0]),
    "softmax, masked": (lambda x: x.softmax(0), [-np.inf, 0, 0], [0, 0.5, 0.5], [0, -0.25, 0.25]),
    "log_softmax": (lambda x: x.log_softmax(0), [big, 0, -big], [0, -big, -2 * big], [-5, 2, 3]),
    "log_softmax, masked": (lambda x: x.log_softmax(0), [-np.inf, 0], [-np.inf, 0], [1, -1]),
    "logsumexp": (lambda x: x.logsumexp(0), [big, 0, -big], big, [1, 0, 0]),
    "logsumexp, masked": (lambda x: x.logsumexp(0), [-np.inf, 0], 0, [0, 1]),
    "logsumexp of nothing": (lambda x: x.logsumexp(0), [-np.inf, -np.inf], -np.inf, [0, 0]),
    "logaddexp": (lambda x: autograd.logaddexp(x, -x), [big, -big, np.inf, -np.inf], [big, big, np.inf, np.inf], [1, -2, 3, -4]),
    "logcumsumexp": (lambda x: x.logcumsumexp(0), [-np.inf, big, 0], [-np.inf, big, big], [0, 5, 0]),
    "cross_entropy, right": (lambda x: F.cross_entropy(x, autograd.tensor(0)), [big, -big], 0, [0, 0]),
    "cross_entropy, wrong": (lambda x: F.cross_entropy(x, autograd.tensor(1)), [big, -big], 2 * big, [1, -1]),
    "cross_entropy, impossible": (lambda x: F.cross_entropy(x, autograd.tensor(0)), [-np.inf, 0], np.inf, [-1, 1]),
    "cross_entropy, certain": (lambda x: F.cross_entropy(x, autograd.tensor(1)), [-np.inf, 0], 0, [0, 0]),
    "bce of 0": (lambda x: F.binary_cross_entropy_with_logits(x, x.detach() * 0, reduction="none"), [big, -big], [big, 0], [1, 0]),
    "bce of 1": (lambda x: F.binary_cross_entropy_with_logits(x, x.detach() * 0 + 1, reduction="none"), [big, -big], [0, big], [0, -2]),
    "bce, impossible": (lambda x: F.binary_cross_entropy_with_logits(x, autograd.tensor([0.0, 1.0]), reduction="none"), [np.inf, -np.inf], [np.inf, np.inf], [1, -2]),
    "tanh": (autograd.tanh, [big, -big, np.inf, -np.inf], [1, -1, 1, -1], [0, 0, 0, 0]),
    "elu": (F.elu, [big, -big, np.inf, -np.inf], [big, -1, np.inf, -1], [1, 0, 3, 0]),
    "gelu": (F.gelu, [big, -big], [big, 0], [1, 0]),
    "silu": (F.silu, [big, -big], [big, 0], [1, 0]),
    "mish": (F.mish, [big, -big], [big, 0], [1, 0]),
    "erf": (autograd.erf, [big, -big, np.inf, -np.inf], [1, -1, 1, -1], [0, 0, 0, 0]),
    "norm": (lambda x: x.norm(), [0.0, 0.0], 0, [0, 0]),
    "std": (lambda x: x.std(), [3.0, 3.0, 3.0], 0, [0, 0, 0]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("limit", LIMITS)
def test_limits(limit):
    """Exact to rounding, and finite to second order."""
    op, points, values, slopes = LIMITS[limit]
    x = autograd.tensor(points, requires_grad=True)
    y = op(x)
    (g,) = autograd.grad(y, x, wrap(1 + np.reshape(np.arange(y.numel(), dtype=np.float32), y.shape)), create_graph=True)
    assert_allclose(y.detach().array, values, rtol=1e-6)
    assert_allclose(g.detach().array, slopes, atol=1e-7)
    if g.requires_grad:
        assert finite(autograd.grad(g, x, autograd.ones_like(g), materialize_grads=True))


NORMS = [0, 0.5, 1, 1.5, 2, 3, 4, np.inf]


@pytest.mark.parametrize("p", NORMS)
def test_the_norm_of_a_zero_vector(p):
    """Has the gradient 0, in rows that are zero and to second order; as has the distance of equal points."""
    x = autograd.tensor([[0.0, 0.0], [3.0, -4.0]], requires_grad=True)
    for norms in (x.norm(p, 1), autograd.linalg.vector_norm(x, p, 1), autograd.cdist(x[:1], x[:1].detach(), p)[0]):
        (g,) = autograd.grad(norms.sum(), x, create_graph=True)
        assert norms[0].item() == 0
        assert g[0].tolist() == [0, 0]
        assert finite(autograd.grad(g.sum(), x, materialize_grads=True) if g.requires_grad else [])


@pytest.mark.parametrize(("points", "first", "second"), [
    ([2.0, 3.0, 4.0], [12, 8, 6], [7, 6, 5]),
    ([2.0, 0.0, 4.0], [0, 8, 0], [4, 6, 2]),
    ([2.0, 0.0, 0.0], [0, 0, 0], [0, 2, 2]),
    ([0.0, 0.0, 0.0], [0, 0, 0], [0, 0, 0]),
])  # fmt: skip
def test_prod_with_zeros(points, first, second):
    """However many: the gradient of xyz is (yz, xz, xy), that of the sum of these (y + z, x + z, x + y)."""
    for op in (autograd.prod, lambda x: x.prod(0), lambda x: x.cumprod(0)[-1], lambda x: np.multiply.reduce(x)):
        x = autograd.tensor(points, requires_grad=True)
        (g,) = autograd.grad(op(x), x, create_graph=True)
        assert g.tolist() == first
        assert autograd.grad(g.sum(), x)[0].tolist() == second


# ---------------------------------------------------------------- law 4: ties
TIES = {  # an op: a row with ties, and the gradient weighted by 1, 2, 3, ...
    "max": (autograd.max, [1, 3, 3], [0, 0.5, 0.5]),
    "min": (autograd.min, [1, 1, 3], [0.5, 0.5, 0]),
    "amax": (lambda x: x.amax(0), [3, 3, 3], [1 / 3, 1 / 3, 1 / 3]),
    "amin": (lambda x: x.amin(0), [1, 1, 3], [0.5, 0.5, 0]),
    "aminmax": (lambda x: sum(x.aminmax(dim=0)), [1, 1, 3], [0.5, 0.5, 1]),
    "max of a dim": (lambda x: x.max(0).values, [1, 3, 3], [0, 1, 0]),
    "min of a dim": (lambda x: x.min(0).values, [1, 1, 3], [1, 0, 0]),
    "maximum": (lambda x: x.maximum(x.detach() * 0 + 2), [1, 2, 3], [0, 1, 3]),
    "minimum": (lambda x: x.minimum(x.detach() * 0 + 2), [1, 2, 3], [1, 1, 0]),
    "fmax": (lambda x: x.fmax(x.detach() * 0 + 2), [1, 2, 3], [0, 2, 3]),
    "fmin": (lambda x: x.fmin(x.detach() * 0 + 2), [1, 2, 3], [1, 2, 0]),
    "sort": (lambda x: x.sort(stable=True).values, [2, 1, 2], [2, 1, 3]),
    "sort, descending": (lambda x: x.sort(descending=True, stable=True).values, [2, 1, 2], [1, 3, 2]),
    "topk": (lambda x: x.topk(1).values, [2, 1, 2], [1, 0, 0]),
    "median": (autograd.median, [2, 2, 1], [0.5, 0.5, 0]),
    "median of a dim": (lambda x: x.median(0).values, [1, 5, 2], [0, 0, 1]),
    "cummax": (lambda x: x.cummax(0).values, [2, 2, 1], [1, 5, 0]),
    "cummin": (lambda x: x.cummin(0).values, [1, 1, 2], [1, 5, 0]),
    "mode": (lambda x: x.mode(0).values, [2, 2, 1], [0, 1, 0]),
    "norm inf": (lambda x: x.norm(np.inf), [3, -3, 1], [0.5, -0.5, 0]),
    "scatter_reduce": (lambda x: (x[:1] * 0 - 9).scatter_reduce(0, x.detach().long() * 0, x, "amax"), [2, 2, 1], [0.5, 0.5, 0]),
    "max_pool1d": (lambda x: F.max_pool1d(x[None], 3)[0], [2, 2, 1], [1, 0, 0]),
    "hardtanh": (F.hardtanh, [-1, 0, 1], [0, 2, 0]),
    "relu6": (F.relu6, [0, 6, 7], [0, 0, 0]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.5), [-1, 0, 1], [0.5, 1, 3]),
    "clamp": (lambda x: x.clamp(-1, 1), [-1, 0, 1], [1, 2, 3]),
    "abs": (autograd.abs, [-1, 0, 1], [-1, 0, 3]),
    "l1_loss": (lambda x: F.l1_loss(x, x.detach() * 0, reduction="none"), [-1, 0, 1], [-1, 0, 3]),
    "huber_loss": (lambda x: F.huber_loss(x, x.detach() * 0, reduction="none"), [-1, 0, 1], [-1, 0, 3]),
    "softshrink": (F.softshrink, [-0.5, 0, 0.5], [0, 0, 0]),
    "hardshrink": (F.hardshrink, [-0.5, 0, 0.5], [0, 0, 0]),
    "threshold": (lambda x: F.threshold(x, 0, 5), [-1, 0, 1], [0, 0, 3]),
    "hinge": (lambda x: F.hinge_embedding_loss(x, x.detach() * 0 - 1, reduction="none"), [0, 1, 2], [-1, -2, 0]),
}  # fmt: skip


@pytest.mark.parametrize("tie", TIES)
def test_ties(tie):
    op, points, slopes = TIES[tie]
    x = autograd.tensor([float(p) for p in points], requires_grad=True)
    y = op(x)
    (g,) = autograd.grad(y, x, wrap(1 + np.reshape(np.arange(y.numel(), dtype=np.float32), y.shape)))
    assert_allclose(g.array, slopes, rtol=1e-6)


POINTS = np.array([-6, -3, -2, -1, -0.5, -0.0, 0, 0.5, 1, 1.5, 2, 2.5, 3, 6, 20])


@pytest.mark.filterwarnings("ignore")
@records("NaN", where=lambda sample: sample.smooth and sample.domains and public(sample))
def test_subgradients_like_torch(torch, sample):
    """At every combination of the points where something bends, jumps, or ties."""
    grid = [np.ravel(x) for x in np.meshgrid(*[POINTS] * len(sample.domains))]
    call = Call(tuple(x > 0 if d.kind == "b" else x for x, d in zip(grid, sample.domains, strict=True)))
    assert like_torch(sample, torch, call, rtol=1e-6, atol=1e-7)


# ---------------------------------------------------------------- indices that repeat or count from the end
def test_positions_that_repeat_or_are_negative():
    """Read, their gradients add up; written, the last value stays, and has the gradient; of -1 and 2 in three, too."""
    x = autograd.tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = autograd.tensor([5.0, 6.0, 7.0], requires_grad=True)
    i, last = autograd.tensor([2, -1, 0]), autograd.tensor([10.0, 100.0, 1000.0])
    assert autograd.grad((x[i] * last).sum(), x)[0].tolist() == [1000, 0, 110]
    assert autograd.grad((x.take(i) * last).sum(), x)[0].tolist() == [1000, 0, 110]
    for positions, write in (
        (i, lambda y: y.__setitem__(i, v)),
        (i, lambda y: y.index_put_((i,), v)),
        (i % 3, lambda y: y.scatter_(0, i % 3, v)),
    ):
        y = x * 1
        write(y)
        assert y.tolist() == [7, 2, 6], positions
        assert [g.tolist() for g in autograd.grad((y * last).sum(), [x, v])] == [[0, 100, 0], [0, 1000, 10]]
    for add in (
        lambda y: y.index_put((i,), v, accumulate=True),
        lambda y: y.index_add(0, i % 3, v),
        lambda y: y.scatter_add(0, i % 3, v),
    ):
        y = add(x)
        assert y.tolist() == [8, 2, 14]
        assert [g.tolist() for g in autograd.grad((y * last).sum(), [x, v])] == [[10, 100, 1000], [1000, 1000, 10]]


# ---------------------------------------------------------------- half precision, integers and booleans
@records("dtype", "half", where=smooth)
def test_half_precision_is_finite(sample):
    """And so are its gradients, wherever those of float64 are of its size."""
    for calls in zip(*(some_calls(sample, 2, dtype=dtype) for dtype in (np.float64, np.float16)), strict=True):
        with np.errstate(all="ignore"):
            exact, half = (outcome(sample, call) for call in calls)
        assert len(half) == len(exact)
        for y, e in zip(half, exact, strict=True):
            if isinstance(y, Tensor) and y.dtype.kind == "f":
                assert y.dtype == np.float16
                assert np.isfinite(y.array[np.abs(e.array) < 1e3]).all()


@records(where=public)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_integers_and_booleans(sample, dtype):
    """An answer of a dtype that tensors have, out of no graph; or an error of ours."""
    for call in some_calls(sample, 2, dtype=dtype):
        with np.errstate(all="ignore"):
            found = outcome(sample, call, order=0)
        if isinstance(found, list):
            assert all(y.dtype in DTYPES for y in found if isinstance(y, Tensor))
            assert call.inputs() or not any(y.requires_grad for y in found if isinstance(y, Tensor))


DTYPES = [
    autograd.bool,
    autograd.uint8,
    autograd.int8,
    autograd.int32,
    autograd.int64,
    autograd.float16,
    autograd.float32,
    autograd.float64,
]


# ---------------------------------------------------------------- wrong arguments
class Thing:
    """What is no argument for anything."""

    def __repr__(self):
        return "a thing"


def wrong(value):
    """What a user may give by mistake where `value` belongs: it might even do."""
    if hasattr(value, "dtype"):
        longer = np.concatenate([value, value], -1) if value.ndim else np.stack([value, value])
        other = value > 0 if value.dtype.kind == "f" else value.astype(float)
        return [
            "abc",
            None,
            [1.0, 2.0],
            {},
            Thing(),
            3.5,
            value[None],
            longer,
            other,
            *([value + 99, value - 99] if value.dtype.kind == "i" else []),
        ]
    if isinstance(value, tuple):
        return ["abc", None, Thing(), *((v,) * len(value) for v in (99, -5, "a", 1.5)), (*value, 1), value[:-1]]
    return ["abc", None, Thing(), [1.5], 99, -99, 1.5]


def replaced(values, i, new):
    """A call's arguments with another in the place of number `i`, those in lists counted."""
    count = iter(range(1000))

    def walk(value):
        if isinstance(value, dict):
            return {k: walk(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)) and any(hasattr(v, "dtype") for v in value):
            return type(value)(map(walk, value))
        return new(value) if next(count) == i else value

    return Call(tuple(map(walk, values.args)), walk(values.kwargs)), next(count)


@pytest.mark.filterwarnings("ignore")
@records(where=public)
def test_wrong_arguments_are_named(sample):
    """Whatever stands in the place of an argument: an answer, or an error of ours, which names the op."""
    names = {
        name
        for table in (FUNCTIONS, methods.ONLY_METHODS, vars(autograd.linalg), vars(F))
        for name, op in table.items()
        if op is sample.op
    }
    for call in some_calls(sample, 1):
        given = []
        for i in range(replaced(call, -1, None)[1]):
            replaced(call, i, given.append)
            for value in wrong(given[-1]):
                broken = replaced(call, i, lambda _, value=value: value)[0].map(lambda a: wrap(np.array(a)))
                said = refusal(broken, sample.op)
                assert said is None or any(name in said for name in {*names, sample.op.__name__}), said


def refusal(call, op):
    """What an error of ours says, if the call raises one."""
    try:
        call.run(op)
    except AutogradError as error:
        return str(error)


@pytest.mark.parametrize("operation", [
    lambda x: x + "a", lambda x: x * None, lambda x: [1] - x, lambda x: x @ "a", lambda x: x @ autograd.ones(7), lambda x: x ** "a",
    lambda x: x["a"], lambda x: x[1.5], lambda x: x[7], lambda x: x[0, 0, 0], lambda x: x[autograd.tensor([9])], lambda x: x[autograd.tensor([0.5])],
    lambda x: x.__setitem__(7, 0.0), lambda x: x.__setitem__(0, autograd.ones(5)), lambda x: x.__setitem__("a", 0.0), lambda x: x.__setitem__(0, "a"),
    lambda x: x < "a", lambda x: x & "a", lambda x: ~x, lambda x: x.add_("a"), lambda x: x.add_(autograd.ones(5)), lambda x: -autograd.tensor([True]),
    lambda x: np.sum(x, axis=7), lambda x: np.add(x, "a"), lambda x: np.concatenate([x, "a"]), lambda x: np.reshape(x, (5, 5)),
    lambda x: np.take(x, [9], 0), lambda x: np.stack([x, x], 9), lambda x: np.matmul(x, np.ones(7)), lambda x: np.linalg.inv(x), lambda x: np.pad(x, "a"),
])  # fmt: skip
def test_operators_and_numpys_functions_refuse(operation):
    with pytest.raises(AutogradError):
        operation(autograd.ones(2, 3))


# ---------------------------------------------------------------- anomalies
ANOMALIES = {  # what makes a NaN, or an infinity, forward or backward; of several results, at random, over a dim
    "slogdet": lambda x: autograd.linalg.slogdet(x * 0).logabsdet,
    "divide": lambda x: x / (x - x),
    "log": lambda x: autograd.where(x > 5, 0.0, (x - 1).log()),
    "exponential": lambda x: x.detach().exponential_(1e-45),
    "sqrt": lambda x: (x * 0).sqrt().sum().backward(),
    "vector_norm": lambda x: (x * 1e30).norm(4),
    "std": lambda x: x[0, :1].std(),
    "logcumsumexp": lambda x: (x * np.nan).logcumsumexp(0),
    "split": lambda x: autograd.split(x.detach() * np.inf - x.detach() * np.inf, 1)[0],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ANOMALIES)
def test_anomalies_name_the_line(name):
    """The user's, in whatever op the NaN or infinity came up."""
    x = autograd.ones(2, 2, requires_grad=True)
    with autograd.detect_anomaly(), pytest.raises(errors.AnomalyError) as caught:
        ANOMALIES[name](x)
    assert f"{__file__}:{ANOMALIES[name].__code__.co_firstlineno}" in str(caught.value)


# ---------------------------------------------------------------- found by the tests above, with other seeds
@pytest.mark.parametrize(("equation", "shapes"), [
    ("ij,jk->ik", [(2, 1), (3, 4)]), ("bij,bjk->bik", [(1, 2, 3), (4, 3, 2)]), ("bij,bjk->bik", [(2, 0, 1), (2, 0, 3)]),
    ("...i,...i->...", [(1, 3), (4, 1)]), ("i,i->", [(1,), (3,)]), ("ij,j->i", [(2, 1), (0,)]),
])  # fmt: skip
def test_einsum_broadcasts_lengths_of_one(equation, shapes):
    """The value and the gradients are those of the operands stretched beforehand."""
    rng = np.random.default_rng(0)
    xs = [autograd.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]
    terms = equation.split("->")[0].replace("...", "z").split(",")
    lengths = {c: n for term, x in zip(terms, xs, strict=True) for c, n in zip(term, x.shape, strict=True) if n != 1}
    stretched = [x.expand([lengths.get(c, 1) for c in term]) for term, x in zip(terms, xs, strict=True)]
    found, expected = autograd.einsum(equation, *xs), autograd.einsum(equation, *stretched)
    assert_same([found.detach(), *one_gradient([found], xs)], [expected.detach(), *one_gradient([expected], xs)])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(40))
def test_the_last_value_stays(seed, layout):
    """Of several that are written to one element, however index and values lie in memory; and it has the gradient."""
    s, lay = Quick(seed), lambda a: np.asarray(LAYOUTS[layout](np.asarray(a)))
    shape, many = tuple(s.rng.integers(1, 3, 3)), (3, 4)
    index = tuple(
        lay(s.rng.integers(0, n, s.stretchable(many)) if s.pick(True, True, False) else np.array(s.rng.integers(n)))
        for n in shape
    )
    index = index[: s.between(1, 3)]
    hit = np.zeros(shape)[index].shape
    x, v = lay(s.rng.normal(size=shape)), lay(s.rng.normal(size=s.stretchable(hit)))
    expected, last = x.copy(), np.full(shape, -1)
    positions, values = np.arange(x.size).reshape(shape)[index], np.broadcast_to(v, hit)
    for turn, (position, value) in enumerate(zip(positions.flat, values.flat, strict=True)):
        expected.flat[position], last.flat[position] = value, turn
    stays = np.isin(np.arange(values.size), last).reshape(hit)
    tensor, t = wrap(v).requires_grad_(), tuple(map(wrap, index))
    written, recorded = wrap(x.copy()), wrap(x.copy())
    written[t] = wrap(v)
    recorded[t] = tensor
    assert_array_equal(written.array, expected)
    assert_array_equal(recorded.detach().array, expected)
    stretched = wrap(v).requires_grad_()
    (stretched.expand(hit) * wrap(stays)).sum().backward()
    assert_allclose(autograd.grad(recorded.sum(), tensor)[0].array, stretched.grad.array)
