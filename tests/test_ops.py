"""What holds for every op, driven by the records in samples.py."""

import numpy as np
import pytest
from foreign import Foreign
from helpers import leaves
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy_calls import CALLED
from samples import FUNCTIONS, PRIMITIVES, SAMPLES
from strategies import Call, Quick, call, calls

import autograd
import nn.functional as F
from autograd.api.names import ONLY_METHODS
from autograd.api.numpy import SAVING
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.engine.tensor import NUMPY, Tensor, wrap
from autograd.ops import common
from nn.optim import rules


def records(*properties, where=lambda sample: True):
    """Run a test for each record that does not say why it is exempt from one of these properties."""
    chosen = [s for s in SAMPLES if where(s) and s.exempt.keys().isdisjoint(properties)]
    return pytest.mark.parametrize("sample", chosen, ids=lambda s: s.name)


def smooth(sample):
    return sample.smooth


def tensors(call, requires_grad=False, kind=lambda a: a):
    """The call with a Tensor for each array, and the Tensors of floats among them."""
    call = call.map(lambda a: wrap(kind(a)))
    if requires_grad:
        for x in call.inputs():
            x.requires_grad_()
    return call, call.inputs()


def host(value):
    """The ndarray in a Tensor, also if it wraps a foreign array."""
    value = getattr(value, "array", value)
    return getattr(value, "host", value)


def directions(rng, arrays):
    """Directions to differentiate in: one at random for each array, others zero; all axes of small ones."""
    for i, x in enumerate(arrays):
        axes = np.eye(x.size).reshape(-1, *x.shape) if 0 < x.size <= 3 else rng.uniform(-1, 1, (1, *x.shape))
        for v in axes:
            yield [v if j == i else np.zeros(y.shape) for j, y in enumerate(arrays)]


def slope(f, xs, vs, h=1e-4):
    """The derivative of f at xs in the direction vs, by differences of fourth order."""
    f1, f2, f3, f4 = (f([x + k * h * v for x, v in zip(xs, vs, strict=True)]) for k in (-2, -1, 1, 2))
    return (f1 - 8 * f2 + 8 * f3 - f4) / (12 * h)


def inner(us, ys):
    return sum(np.sum(host(u) * host(y)) for u, y in zip(us, ys, strict=True))


class Function:
    """A call as a function of its inputs, and its gradient."""

    def __init__(self, sample, call, seed=0, kind=lambda a: a):
        self.op, self.call, self.kind = sample.op, call, kind
        self.xs, self.rng = call.inputs(), np.random.default_rng(seed)
        out = self.results(tensors(call)[0])
        self.us = [np.asarray(self.rng.uniform(-1, 1, y.shape), y.dtype) for y in out]

    def results(self, call):
        return [y for y in leaves(call.run(self.op)) if isinstance(y, Tensor) and y.dtype.kind == "f"]

    def constant(self, array):
        return wrap(self.kind(np.asarray(array)))

    def __call__(self, xs):
        return self.results(tensors(self.call.put(xs))[0])

    def pull(self, xs, us, create_graph=False):
        """The gradients of the results, weighted by us, as Tensors: at xs, which are returned as well."""
        call, xs = tensors(self.call.put(xs), True, self.kind)
        us = [u if isinstance(u, Tensor) else self.constant(u) for u in us]
        return autograd.grad(self.results(call), xs, us, create_graph=create_graph, materialize_grads=True), xs

    def second(self, vs):
        """The gradients of <gradients, vs> with respect to the inputs and to us."""
        us = [self.constant(u).requires_grad_() for u in self.us]
        gs, xs = self.pull(self.xs, us, create_graph=True)
        total = sum(np.sum(g * self.constant(v)) for g, v in zip(gs, vs, strict=True))
        if not total.requires_grad:
            return [wrap(np.zeros_like(x.array)) for x in [*xs, *us]]
        return autograd.grad(total, [*xs, *us], materialize_grads=True)


# ---------------------------------------------------------------- the records cover the table
def runs(op, sample):
    """Does one of this record's first calls, which are the same each time, run this primitive?"""
    for seed in range(100):
        tape = Tape()
        with np.errstate(all="ignore"), ambient(tape=tape):
            tensors(sample.make(Quick(seed)))[0].run(sample.op)
        if op in [op for op, args, out in tape]:
            return True
    return False


def test_every_primitive_has_a_record():
    """Of its name, whose op really runs it."""
    ops = {
        name: op for name, op in PRIMITIVES.items() if getattr(op.fun, "__module__", "") != rules.__name__
    }  # test_nn_optim.py has theirs
    records = {name: [s for s in SAMPLES if s.op is op or s.name == op.__name__] for name, op in ops.items()}
    missing = [name for name, op in ops.items() if not any(runs(op, sample) for sample in records[name])]
    assert not missing, f"{', '.join(missing)}: add a record that runs it to tests/samples_*.py"


def test_every_function_has_a_record():
    ops = {s.op for s in SAMPLES}
    assert len({s.name for s in SAMPLES}) == len(SAMPLES)
    specials = {name: getattr(autograd.special, name) for name in autograd.special.__all__}
    composed = {name: op for name, op in (FUNCTIONS | specials).items() if op not in PRIMITIVES.values()}
    missing = sorted(name for name, op in composed.items() if op not in ops)
    assert not missing, f"{', '.join(missing)}: add a record to tests/samples_*.py"
    seen = {*ops, *CALLED}
    left = {f: getattr(op, "__wrapped__", op) for f, op in NUMPY.items() if f not in seen and op not in seen and not is_method(f)}
    assert {f for f, op in left.items() if op not in seen} == set(SAVING)  # these write files, see test_interop.py


def is_method(function):
    """Is it np.add.reduce or the like? They follow rules for all ufuncs; calls of some are in numpy_calls.py."""
    return isinstance(getattr(function, "__self__", None), np.ufunc)


# ---------------------------------------------------------------- formulas that have a quicker way on plain arrays
@records("formulas", where=smooth)
def test_on_plain_arrays_comes_out_what_the_formula_says(sample, monkeypatch):
    """Values and gradients, where an op or a rule has another way on NumPy's own arrays."""
    used, plain = [], common.of_one_dtype
    for seed in range(12):
        f = Function(sample, sample.make(Quick(seed)))
        with monkeypatch.context() as patch, np.errstate(all="ignore"):
            patch.setattr(common, "of_one_dtype", lambda args: used.append(plain(args)) or used[-1])
            found = [*f(f.xs), *(f.pull(f.xs, f.us)[0] if f.us else ())]
            patch.setattr(common, "of_one_dtype", lambda args: False)
            expected = [*f(f.xs), *(f.pull(f.xs, f.us)[0] if f.us else ())]
        if not any(used):
            return
        for y, e in zip(found, expected, strict=True):
            assert_allclose(y.array, e.array, rtol=1e-9, atol=1e-12)


LARGE = {  # more than one block of each
    "softmax": (lambda x: F.softmax(x, -1), (300, 100)),
    "log_softmax": (lambda x: F.log_softmax(x, -1), (300, 100)),
    "cross_entropy": (lambda x: F.cross_entropy(x, autograd.arange(300) % 100), (300, 100)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (40,), w, b), (3000, 40), (40,), (40,)),
    "gelu": (F.gelu, (300, 301)),
    "attention": (F.scaled_dot_product_attention, (50, 3, 40, 8), (50, 3, 30, 8), (50, 3, 30, 6), (40, 30)),
    "max_pool2d": (lambda x: F.max_pool2d(x.permute(0, 3, 1, 2), 2), (10, 45, 45, 32)),
}


@pytest.mark.parametrize("name", LARGE)
def test_on_large_arrays_too(name, monkeypatch):
    op, *shapes = LARGE[name]
    rng = np.random.default_rng(0)
    xs = [wrap(rng.standard_normal(shape)).requires_grad_() for shape in shapes]
    u = wrap(rng.standard_normal(op(*xs).shape))
    found = op(*xs), *autograd.grad(op(*xs), xs, u)
    monkeypatch.setattr(common, "of_one_dtype", lambda args: False)
    for y, e in zip(found, (op(*xs), *autograd.grad(op(*xs), xs, u)), strict=True):
        assert_allclose(y.array, e.array, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- values
@pytest.mark.tour
@records()
@given(st.data())
def test_value(sample, data):
    """The value is what NumPy computes."""
    call = data.draw(calls(sample))
    with np.errstate(all="ignore"):
        expected = leaves(call.run(sample.reference))
    found = leaves(tensors(call)[0].run(sample.op))
    assert len(found) == len(expected)
    for y, e in zip(found, expected, strict=True):
        assert np.shape(y) == np.shape(e)
        assert_allclose(host(y), e, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- derivatives
@pytest.mark.tour
@records(where=smooth)
@given(st.data())
def test_first_order(sample, data):
    """The gradient is what finite differences say."""
    f = Function(sample, data.draw(calls(sample)))
    gs, _ = f.pull(f.xs, f.us)
    for vs in directions(f.rng, f.xs):
        assert_allclose(inner(gs, vs), slope(lambda xs: inner(f.us, f(xs)), f.xs, vs), rtol=1e-8, atol=1e-8)


@records(where=smooth)
@given(st.data())
def test_second_order(sample, data):
    """The gradient of the gradient is what finite differences of the gradient say; in the upstream gradient it is linear."""
    f = Function(sample, data.draw(calls(sample)))
    vs = [f.rng.uniform(-1, 1, x.shape) for x in f.xs]
    seconds = f.second(vs)
    for ws in directions(f.rng, f.xs):
        expected = slope(lambda xs: inner(f.pull(xs, f.us)[0], vs), f.xs, ws)
        assert_allclose(inner(seconds[: len(ws)], ws), expected, rtol=1e-7, atol=1e-7)
    ws = [f.rng.uniform(-1, 1, u.shape) for u in f.us]
    assert_allclose(inner(seconds[len(f.xs) :], ws), inner(f.pull(f.xs, ws)[0], vs), rtol=1e-10, atol=1e-10)


@records(where=smooth)
@given(st.data())
def test_gradient_is_linear(sample, data):
    """In the gradient that comes in; of exact zeros it makes exact zeros."""
    f = Function(sample, data.draw(calls(sample)))
    a, b = f.us, [f.rng.uniform(-1, 1, u.shape) for u in f.us]
    both, _ = f.pull(f.xs, [2 * u - 3 * w for u, w in zip(a, b, strict=True)])
    for g, first, second in zip(both, f.pull(f.xs, a)[0], f.pull(f.xs, b)[0], strict=True):
        assert_allclose(g.array, 2 * first.array - 3 * second.array, rtol=1e-11, atol=1e-11)
    for g in f.pull(f.xs, [np.zeros_like(u) for u in f.us])[0]:
        assert_array_equal(g.array, np.zeros(g.shape))


@records(where=lambda sample: not sample.smooth)
@given(st.data())
def test_no_gradient_from_what_has_none(sample, data):
    for y in leaves(tensors(data.draw(calls(sample)), True)[0].run(sample.op)):
        assert not getattr(y, "requires_grad", False)


# ---------------------------------------------------------------- where derivatives are singular, and at kinks
SPECIAL = np.array([0, -0.0, 0.5, 1, -1, 2, -2.5, 3, 1e3, -1e3, np.inf, -np.inf, np.nan])


def special_points(sample):
    """The op's arguments at all combinations of special values."""
    grid = np.meshgrid(*[SPECIAL] * len(sample.domains))
    return [np.ravel(x) > 0 if d.kind == "b" else np.ravel(x) for x, d in zip(grid, sample.domains, strict=True)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of divisions by zero and the like
@records(where=lambda sample: sample.smooth and sample.domains)
def test_zero_stays_zero(sample):
    """Where no gradient comes in none comes out, even where the derivative is infinite or NaN; to second order too."""
    f = Function(sample, call(*special_points(sample)))
    some = np.arange(f.us[0].size) % 2.0
    for us in [some], [np.zeros_like(some)]:
        for g in f.pull(f.xs, us)[0]:
            assert_array_equal(g.array[us[0] == 0], 0)
    f.us = [np.zeros_like(some)]
    for g in f.second([np.ones_like(x) for x in f.xs])[: len(f.xs)]:
        assert_array_equal(g.array, 0)


def test_zero_stays_zero_in_a_mask():
    """The branch not taken has no say, although sqrt's derivative at 0 is infinite and log's of -1 NaN."""
    x = autograd.tensor([0.0, -1.0, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        (autograd.where(x > 0, x.sqrt(), 0.0) + autograd.where(x > 0, x.log(), 0.0)).sum().backward()
    assert x.grad.tolist() == [0, 0, 0.5]


KINKS = {  # an op: points, and the subgradients there, as PyTorch documents them
    "abs": (autograd.abs, [0.0], [0.0]),
    "relu": (autograd.relu, [0.0], [0.0]),
    "sign": (autograd.sign, [0.0], [0.0]),
    "floor": (autograd.floor, [2.0], [0.0]),
    "round": (autograd.round, [2.5], [0.0]),
    "maximum": (lambda x: autograd.maximum(x, 2.0), [2.0, 3.0], [0.5, 1.0]),
    "minimum": (lambda x: autograd.minimum(x, 2.0), [2.0, 3.0], [0.5, 0.0]),
    "clamp": (lambda x: x.clamp(-1, 1), [-1.0, 1.0, 1.5], [1.0, 1.0, 0.0]),
    "max": (autograd.max, [3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    "min": (autograd.min, [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    "amax": (lambda x: x.amax(0), [3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    "amin": (lambda x: x.amin(0), [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    "max over a dim": (lambda x: x.max(0).values, [3.0, 1.0, 3.0], [1.0, 0.0, 0.0]),
    "min over a dim": (lambda x: x.min(0).values, [3.0, 1.0, 1.0], [0.0, 1.0, 0.0]),
    "sort": (lambda x: x.sort().values * autograd.tensor([1.0, 10.0, 100.0]), [2.0, 1.0, 2.0], [10.0, 1.0, 100.0]),
    "topk": (lambda x: x.topk(1).values, [2.0, 1.0, 2.0], [1.0, 0.0, 0.0]),
    "std": (autograd.std, [2.0, 2.0], [0.0, 0.0]),
    "prod": (autograd.prod, [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    "pow 0": (lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    "pow 2": (lambda x: x**2, [0.0, -1.0], [0.0, -2.0]),
}


@pytest.mark.parametrize("kink", KINKS)
def test_subgradient(kink):
    op, points, slopes = KINKS[kink]
    x = autograd.tensor(points, requires_grad=True)
    op(x).sum().backward()
    assert x.grad.tolist() == slopes


# ---------------------------------------------------------------- other arrays, other spellings, another library
@records("foreign")
@given(st.data())
def test_foreign_arrays(sample, data):
    """What holds of ndarrays holds of arrays that only speak NumPy's protocols, and none becomes an ndarray on the way."""
    call = data.draw(calls(sample))
    for y, e in zip(leaves(tensors(call, kind=Foreign)[0].run(sample.op)), leaves(tensors(call)[0].run(sample.op)), strict=True):
        assert isinstance(getattr(y, "array", None), Foreign) == isinstance(e, Tensor)
        assert_allclose(host(y), host(e), rtol=1e-13, atol=1e-15)  # BLAS adds in an order that depends on where arrays begin
    if sample.smooth:
        f, foreign = Function(sample, call), Function(sample, call, kind=Foreign)
        vs = [np.ones_like(x) for x in f.xs]
        for g, e in zip(
            [*foreign.pull(f.xs, f.us)[0], *foreign.second(vs)], [*f.pull(f.xs, f.us)[0], *f.second(vs)], strict=True
        ):
            assert isinstance(g.array, Foreign)
            assert_allclose(host(g), e.array, rtol=1e-12, atol=1e-14)


@records(where=lambda sample: any(op is sample.op for op in NUMPY.values()))
@given(st.data())
def test_numpys_own_functions(sample, data):
    """np.f of a Tensor is what np.f of its array is, and differentiates as the op that it stands for."""
    call = data.draw(calls(sample))
    names = {"dim": "axis", "keepdim": "keepdims", "min": "min", "max": "max"}

    def spelled(call):
        return Call(call.args, {names[k]: v for k, v in call.kwargs.items()})

    kept = Call(call.args, {k: v for k, v in call.kwargs.items() if k in names})
    taped, xs = tensors(kept, sample.smooth)
    for function in [f for f, op in NUMPY.items() if op is sample.op]:
        try:
            expected = leaves(spelled(kept).run(function))
        except ValueError:  # NumPy's own limits: squeezing what is longer than 1, a 0-d array having no axis
            assume(False)
        found = leaves(spelled(taped).run(function))
        for y, e in zip(found, expected, strict=True):
            assert isinstance(y, Tensor)
            assert_allclose(y.array, e, rtol=1e-12, atol=1e-14)
        for y, z in zip(found, leaves(taped.run(sample.op)), strict=True):
            if z.requires_grad:
                for g, e in zip(
                    *(autograd.grad(r.sum(), xs, retain_graph=True, materialize_grads=True) for r in (y, z)), strict=True
                ):
                    assert_array_equal(g.array, e.array)


def torchs(sample, torch):
    """PyTorch's function or method of the same name, if it has one, or that in its nn.functional of the record's name."""
    names = [name for name, op in FUNCTIONS.items() if op is sample.op and hasattr(torch, name)]
    methods = [name for name, op in ONLY_METHODS.items() if op is sample.op]
    specials = [name for name in autograd.special.__all__ if getattr(autograd.special, name) is sample.op]
    functional = sample.name.removeprefix("F.").split()[0]
    places = {torch: names, torch.Tensor: methods, torch.special: specials, torch.nn.functional: [functional]}
    found = [getattr(place, name) for place, theirs in places.items() for name in theirs if hasattr(place, name)]
    assert found, f"PyTorch has no {sample.name}: let its record say exempt={{'PyTorch': 'PyTorch has none'}}"
    return found[0]


def named_like_torchs(sample):
    return any(op is sample.op for op in (FUNCTIONS | ONLY_METHODS | vars(autograd.special)).values())


def like_torch(sample, torch, call, where=lambda *xs: ..., smooth=None, **tolerance):
    """Whether PyTorch takes a call: then values, dtypes and gradients are those it computes; the gradients only at `where(*xs)`."""
    smooth = sample.smooth if smooth is None else smooth
    theirs = call.map(lambda a: torch.from_numpy(a.copy()).requires_grad_(smooth and a.dtype.kind == "f"))
    try:
        expected = leaves(theirs.run(torchs(sample, torch)))
    except (TypeError, ValueError, RuntimeError, IndexError):  # it takes no negative steps, no number before a tensor, ...
        return False
    ours, xs = tensors(call, smooth)
    for y, e in zip(leaves(ours.run(sample.op)), expected, strict=True):
        if not isinstance(e, torch.Tensor):
            assert y == e
            continue
        assert str(e.dtype) == f"torch.{y.dtype}"
        assert_allclose(y.array, e.detach().numpy(), **tolerance)
        if e.requires_grad:
            u = np.sin(1.0 + np.arange(y.array.size)).reshape(y.shape).astype(y.dtype)
            try:
                es = torch.autograd.grad(e, theirs.inputs(), torch.from_numpy(u), retain_graph=True, materialize_grads=True)
            except RuntimeError as error:
                if "is not implemented" not in str(error):
                    raise
                continue
            gs = autograd.grad(y, xs, wrap(u), retain_graph=True, materialize_grads=True)
            for g, e in zip(gs, es, strict=True):
                assert_allclose(g.array[where(*xs)], e.detach().numpy()[where(*xs)], **tolerance)
    return True


@records("PyTorch", where=named_like_torchs)
@given(st.data())
def test_like_torch(sample, torch, data):
    assume(like_torch(sample, torch, data.draw(calls(sample)), rtol=1e-10, atol=1e-12))


@records("PyTorch", "dtype", "dtypes", where=named_like_torchs)
@given(st.data(), st.sampled_from("float32 float16 int64 uint8 bool int32".split()))
def test_every_dtype_like_torch(sample, torch, data, dtype):
    """The same dtype comes out as in PyTorch, and the same values, within a few units in the last place."""
    tolerance = {"float16": 4e-3, "float32": 1e-5}.get(dtype, 1e-6)  # of integers PyTorch may make float32
    with np.errstate(all="ignore"):
        call = data.draw(calls(sample, dtype))
        assume(like_torch(sample, torch, call, smooth=False, rtol=tolerance, atol=tolerance))


def no_nan(*xs):
    return ~np.any([np.isnan(x.array) for x in xs], axis=0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@records("PyTorch", "NaN", where=lambda sample: named_like_torchs(sample) and sample.domains)
def test_special_values_like_torch(sample, torch):
    """Infinite derivatives included; but what the derivative at NaN is nobody promises."""
    if not like_torch(sample, torch, call(*special_points(sample)), no_nan, rtol=1e-10):
        pytest.skip("PyTorch does not take these arguments")
