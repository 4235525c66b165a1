"""A compiled step is the step: on every record with its gradients, on models, and where what it depends on changes."""

import linecache
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import foreign  # noqa: F401 (it makes its device known)
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
from autograd.compile import cc, layout
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.engine.tensor import wrap

C = "c" if cc.compiler() else "replay"  # without a compiler everything here is played by NumPy
needs_c = pytest.mark.skipif(cc.compiler() is None, reason="there is no C compiler here")


# ---------------------------------------------------------------- every record
def step_of(sample, call, order=2):
    """The record's op on other arrays than those of the call, and its first and perhaps second derivatives, as one step."""
    op = sample.op

    def step(*arrays):
        rest = iter(arrays)
        outs = [o for o in leaves(call.map(lambda a: next(rest)).run(op)) if isinstance(o, Tensor)]
        xs = [x for x in arrays if x.requires_grad]
        smooth = [o for o in outs if o.requires_grad]
        if not smooth or not xs:
            return [o.detach() for o in outs]
        first = grad([(o * o).sum() for o in smooth], xs, create_graph=order > 1, materialize_grads=True)
        again = [g for g in first if g.requires_grad]
        second = grad([(g * g).sum() for g in again], xs, materialize_grads=True) if again else ()
        return [o.detach() for o in (*outs, *first, *second)]

    return step


def arrays_of(call, smooth):
    found = []
    call.map(lambda a: found.append(wrap(np.array(a)).requires_grad_(smooth and a.dtype.kind == "f")))
    return found


def kind(call):
    return [(t.shape, t.dtype) for t in arrays_of(call, False)], str(call.map(lambda a: None))


def run(step, arrays):
    autograd.manual_seed(0)
    return [t.array for t in step(*arrays)]


def check(sample, seed):
    """Recorded with some numbers, then run with others: are these the results?"""
    one, two = (sample.make(Quick(seed, numbers, np.float32)) for numbers in (0, 1))
    if kind(one) != kind(two):
        return "has no two calls of one kind"
    step = step_of(sample, one)
    compiled = autograd.compile(step, backend="replay")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(2):
            run(compiled, arrays_of(one, sample.smooth))
        got = run(compiled, arrays_of(two, sample.smooth))
        expected = run(step, arrays_of(two, sample.smooth))
        with ambient(tape=Tape()):
            recorded = run(step, arrays_of(two, sample.smooth))
    stats = compiled.stats()
    if not stats["calls"]["compiled"]:
        return f"stays eager: {stats['eager'] or stats}"
    for g, e, r in zip(got, expected, recorded, strict=True):
        assert (g.shape, g.dtype) == (e.shape, e.dtype)
        assert_array_equal(g, r)
        assert_allclose(g, e, rtol=1e-3, atol=1e-4)
    return "is compiled"


# Records of what stays eager, and why. Those of random numbers make a Generator in the step; models below draw from one outside.
RANDOM = """normal uniform randint randperm bernoulli multinomial log_gamma poisson binomial exponential gumbel_softmax dropout
    dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"""
EAGER = {
    "shows Python a value": "isclose allclose equal lstsq F.max_unpool",
    "depends on values": "index unindex masked_select repeat_interleave repeats last_written nonzero np.nonzero argwhere unique groups bincount",
    "only NumPy's own": "enter_batch leave_batch spread_over_batch total_over_batch",
    "manual_seed|recorded": RANDOM,
}
WHY = {name: why for why, names in EAGER.items() for name in names.split()}
WHY |= {
    "F.ctc_loss in a row": "shows Python a value",
    "rrelu in training": "manual_seed",
    "bincount without weights": "depends on",
}
WHY |= dict.fromkeys(["unique integers", "unique_consecutive", "unique_consecutive integers"], "depends on values")
NOT_IN_C = {
    "as_strided_scatter",
    "__setitem__",
    "np.empty_like",
}  # but played by NumPy: writes through views, arrays without elements


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_every_record_is_the_same_when_it_is_played_again(sample):
    """With other numbers than it was recorded with it is to the last bit what it is on a tape; or it says why it stays eager."""
    found = next((r for seed in range(6) if "no two" not in (r := check(sample, seed))), "has no two calls of one kind")
    assert re.search(WHY.get(sample.name, "is compiled" if sample.name != "clamp" else "no two"), found)


# ---------------------------------------------------------------- every record in C, some in one program
def arrays_in(value):
    """All arrays in the arguments or the result of what a tape heard of."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from arrays_in(v)


def calls_in_c(sample):
    """Two calls of one kind, with other numbers, and no array without elements, for which there is no C; None if there are none."""
    for seed in range(12):
        one, two = (sample.make(Quick(seed, numbers, np.float32)) for numbers in (0, 1))
        if kind(one) == kind(two):
            with np.errstate(all="ignore"), ambient(tape=(tape := Tape())):
                step_of(sample, one, 1)(*arrays_of(one, sample.smooth))
            arrays = [a for _, args, out in tape for a in arrays_in((args, out))]
            if all(a.size and a.dtype != np.float16 for a in arrays):
                return one, two
    return None


TOGETHER = 16
STEP = TOGETHER * (1 if os.environ.get("CI") else 3)  # here a third of them, in continuous integration all


@pytest.mark.slow
@pytest.mark.parametrize(
    "samples", [SAMPLES[k : k + TOGETHER] for k in range(0, len(SAMPLES), STEP)], ids=lambda some: some[0].name
)
def test_every_record_in_c(samples):
    """Several records as one step: what comes out of C is what comes out of eager."""
    chosen = [(s, *calls) for s in samples if s.name not in {*WHY, *NOT_IN_C} and (calls := calls_in_c(s)) is not None]
    steps = [step_of(s, one, 1) for s, one, _ in chosen]
    ends = np.cumsum([0, *(len(arrays_of(one, False)) for _, one, _ in chosen)])

    def step(*arrays):
        return [out for f, a, b in zip(steps, ends[:-1], ends[1:], strict=True) for out in f(*arrays[a:b])]

    compiled = autograd.compile(step, backend=C, strict=True)
    given = [[t for s, *calls in chosen for t in arrays_of(calls[k], s.smooth)] for k in (0, 0, 1, 1)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        *_, got, expected = [run(f, arrays) for f, arrays in zip([compiled, compiled, compiled, step], given, strict=True)]
    assert compiled.stats()["backends"] == [C]
    names = [s.name for (s, *_), f, a, b in zip(chosen, steps, ends[:-1], ends[1:], strict=True) for _ in f(*given[0][a:b])]
    for name, g, e in zip(names, got, expected, strict=True):
        assert (g.shape, g.dtype) == (e.shape, e.dtype), name
        assert_allclose(g, e, rtol=2e-4, atol=2e-5, err_msg=name)


def with_one_number(sample, value=0.75):
    """The record's op where all arrays of floats but the first are one number everywhere, made in the step; None if it cannot."""
    if sample.name in {*WHY, *NOT_IN_C, "which"} or (calls := calls_in_c(sample)) is None:  # which: where what it is given is
        return None
    base = arrays_of(calls[0], sample.smooth)
    whole = step_of(sample, calls[0], 1)
    if sum(t.dtype.kind == "f" for t in base) < 2:
        return None

    def step(x):
        rest = [autograd.full(t.shape, value, dtype=t.dtype) if t.dtype.kind == "f" else t for t in base[1:]]
        return whole((base[0] + x).detach().requires_grad_(base[0].requires_grad), *rest)

    try:
        step(autograd.zeros(()))
    except (autograd.errors.AutogradError, ArithmeticError):  # it is no argument for that op
        return None
    return step


@pytest.mark.slow
@pytest.mark.parametrize(
    "samples", [SAMPLES[k : k + 32] for k in range(0, len(SAMPLES), 2 * STEP)], ids=lambda some: some[0].name
)
def test_what_follows_from_one_number_is_computed_ahead(samples):
    """Numbers of which all is known are folded, and NumPy gets arrays where it got arrays."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        steps = [step for s in samples if (step := with_one_number(s)) is not None]
        whole = lambda x: [out for step in steps for out in step(x)]  # noqa: E731
        compiled, x = autograd.compile(whole, backend=C, strict=True), autograd.zeros(())
        *_, got, expected = [run(f, [x]) for f in (compiled, compiled, compiled, whole)]
    for g, e in zip(got, expected, strict=True):
        assert (g.shape, g.dtype) == (e.shape, e.dtype)
        assert_allclose(g, e, rtol=2e-3, atol=2e-4)


# ---------------------------------------------------------------- what may change, and what may go wrong
class Training:
    """A small network and its step, and what a test may do to it between calls."""

    def __init__(self, make=None, optimizer=None):
        autograd.manual_seed(0)
        self.net = (
            make()
            if make
            else nn.Sequential(nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
        )
        self.optimizer = (optimizer or (lambda ps: nn.optim.AdamW(ps, lr=0.01)))(self.net.parameters())
        net, optimizer = self.net, self.optimizer

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            return loss

        self.step = step


def batch(k, n=8):
    rng = np.random.default_rng(k)
    x = rng.standard_normal((n, 6)).astype(np.float32)
    return autograd.tensor(x), autograd.tensor(x[:, :3].argmax(1))


def follow(backend, change=lambda t, k: None, batches=batch, calls=12, strict=True, **options):
    """The losses and the parameters of a compiled step, which are those of eager, whatever `change` does before each call."""
    one, two = Training(**options), Training(**options)
    compiled = autograd.compile(two.step, backend=backend, strict=strict)
    for k in range(calls):
        change(one, k)
        change(two, k)
        autograd.manual_seed(k)
        expected = one.step(*batches(k))
        autograd.manual_seed(k)
        got = compiled(*batches(k))
        assert got.item() == pytest.approx(expected.item(), rel=1e-4)
    for p, q in zip(one.net.state_dict().values(), two.net.state_dict().values(), strict=True):
        assert_allclose(q.array, p.array, rtol=1e-3, atol=2e-5)
    assert compiled.stats()["calls"]["compiled"] >= 3
    return compiled


def _rate(t, k):
    t.optimizer.param_groups[0]["lr"] = 0.01 / (1 + k % 5)


def _schedule(t, k):
    if not hasattr(t, "scheduler"):
        t.scheduler = nn.optim.lr_scheduler.ExponentialLR(t.optimizer, 0.9)
    if k:
        t.scheduler.step()


def _at(when):
    return lambda change: lambda t, k: change(t) if k == when else None


@_at(6)
def _load(t):
    t.net.load_state_dict({n: autograd.ones_like(v) for n, v in t.net.state_dict().items()})


@_at(6)
def _rebind(t):
    p = t.net[0].weight
    p.data = p.data * 0.5


@_at(5)
def _decay(t):
    t.optimizer.param_groups[0]["weight_decay"] = 0.0


@_at(5)
def _evaluate(t):
    t.net.eval()


@_at(5)
def _freeze(t):
    t.net[0].weight.requires_grad = False


@_at(5)
def _hook(t):
    t.net[4].weight.register_hook(lambda g: g * 0)


@_at(5)
def _forward_hook(t):
    t.net[2].register_forward_hook(lambda module, args, out: out * 2)


@_at(5)
def _layer(t):
    t.net[2] = nn.Tanh()


@_at(5)
def _rate_of_dropout(t):
    t.net[3].p = 0.7


@_at(5)
def _left_over(t):
    F.cross_entropy(t.net(batch(0)[0]), batch(0)[1]).backward()


def _nan(k):
    x, y = batch(k)
    return (x if k < 9 else x * np.nan), y


CHANGES = dict(
    rate=_rate, schedule=_schedule, load=_load, rebind=_rebind, decay=_decay, evaluate=_evaluate, freeze=_freeze, hook=_hook,
    forward_hook=_forward_hook, layer=_layer, dropout=_rate_of_dropout, left_over=_left_over, nothing=lambda t, k: None,
)  # fmt: skip


@pytest.fixture(params=dict.fromkeys(["replay", C]))
def backend(request):
    return request.param


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_calls_is_followed(change, backend):
    compiled = follow(backend, CHANGES[change])
    assert compiled.stats()["programs"] <= 2


def test_ragged_batches_have_programs_of_their_own(backend):
    compiled = follow(backend, batches=lambda k: batch(k, 8 if k % 4 else 5), calls=20)
    assert compiled.stats()["programs"] == 2


def test_nan_in_the_data_is_nan_in_the_parameters(backend):
    one = Training(lambda: nn.Linear(6, 3))
    compiled = autograd.compile(one.step, backend=backend)
    for k in range(12):
        loss = compiled(*_nan(k))
    assert np.isnan(loss.item())
    assert np.isnan(one.net.weight.array).all()


@pytest.mark.parametrize(
    "make",
    [nn.optim.SGD, nn.optim.RMSprop, nn.optim.NAdam, nn.optim.Lion, nn.optim.Muon, nn.optim.Rprop],
    ids=lambda o: o.__name__,
)
def test_optimizers(make, backend):
    follow(
        backend,
        optimizer=lambda ps: make(ps, lr=0.01),
        make=lambda: nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh(), nn.Linear(5, 3, bias=False)),
    )


def test_a_label_that_is_no_class_is_refused_before_anything_is_written(backend):
    t = Training(lambda: nn.Linear(6, 3))
    compiled = autograd.compile(t.step, backend=backend)
    for k in range(5):
        compiled(*batch(k))
    before = t.net.weight.array.copy()
    for wrong in (3, -1):
        with pytest.raises(IndexError, match="label"):
            compiled(batch(0)[0], autograd.full((8,), wrong))
    assert_array_equal(t.net.weight.array, before)
    assert compiled.stats()["calls"]["compiled"] >= 3


# ---------------------------------------------------------------- what stays eager, with the reason
def simple(body):
    """The results of a step that a test writes, eager and compiled, for arguments that change; and why it was not compiled."""
    found = []
    for compiling in (False, True):
        w, state = autograd.ones(2, 2).requires_grad_(), {"n": 0, "list": []}

        def step(x, w=w, state=state):
            w.grad = None
            return body(w, x, state)

        if compiling:
            step = autograd.compile(step, backend="replay")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append([float(step(autograd.ones(2, 2) * (k + 1)).detach()) for k in range(16)])
    assert found[1] == pytest.approx(found[0])
    return " ".join(step.stats()["eager"])


def _counting(w, x, s):
    s["n"] += 1
    return (w * x).sum().detach() * float(s["n"])


def _branch(w, x, s):
    loss = (w * x).sum().detach()
    return loss * 100 if loss > 40 else loss


def _item(w, x, s):
    loss = (w * x).sum().detach()
    return loss * (1 / loss.item())


def _log(w, x, s):
    loss = (w * x).sum().detach()
    s["list"].append(1)
    return loss


def _raw(w, x, s):
    return (w * autograd.tensor(np.random.default_rng(int(x.array.sum())).random((2, 2)).astype(np.float32))).sum().detach()


def _graph(w, x, s):
    return (w * x).sum()


def _mask(w, x, s):
    return (w * x)[x > 3].sum().detach()


def _data(w, x, s):
    w.data = w.data + x
    return w.sum().detach()


def _generator(w, x, s):
    return autograd.rand(2, 2, generator=autograd.Generator().manual_seed(1)).sum() + x.sum()


def _numpy(w, x, s):
    return autograd.tensor(x.numpy() * 2).sum()


def _format(w, x, s):
    s["text"] = f"{x.sum():.3f}"
    return x.sum()


def _any(w, x, s):
    return x.sum() if (x > 20).any() else x.mean()


def _watched(w, x, s):
    with autograd.watch():
        return x.sum()


def _anomaly(w, x, s):
    with autograd.detect_anomaly():
        return x.sum()


def _close(w, x, s):
    return autograd.isclose(x, autograd.ones(2, 2) * 7).float().sum()


STAY = dict(
    counting=(_counting, r"n was \d+, then"), branch=(_branch, "bool shows Python a value"), item=(_item, "item"), log=(_log, "list"),
    raw=(_raw, "other numbers each time"), graph=(_graph, "still|requires grad"), mask=(_mask, "depends on values"),
    data=(_data, "another"), generator=(_generator, "manual_seed"), numpy=(_numpy, "numpy"), text=(_format, "item|text"),
    any=(_any, "bool"), close=(_close, "isclose"), watched=(_watched, "watch"), anomaly=(_anomaly, "detect_anomaly"),
)  # fmt: skip


@pytest.mark.parametrize("case", STAY)
def test_what_cannot_be_a_program_stays_eager_and_says_why(case):
    body, why = STAY[case]
    assert re.search(why, simple(body))


def test_strict_raises_where_a_step_cannot_be_compiled():
    @autograd.compile(strict=True)
    def step(x):
        return x * x.sum().item()

    step(autograd.ones(2))
    with pytest.raises(autograd.errors.CompileError, match=r"test_compile.py:\d+, .*item"):
        step(autograd.ones(2))


@pytest.mark.parametrize("held", [True, False], ids=["held", "given"])
def test_arrays_of_another_library_stay_eager(held):
    """Whether the step holds them, or they are its arguments."""
    layer, x = nn.Linear(3, 2), autograd.ones(4, 3).to("foreign")
    expected = layer(x.cpu()).sum().item()
    layer.to("foreign")
    step = autograd.compile((lambda: layer(x).sum().detach()) if held else (lambda x: x.sum()))
    with pytest.warns(UserWarning, match="stays eager: it works on arrays of another library, as on a GPU"):
        found = [step() if held else step(x) for _ in range(3)]
    assert {t.device.type for t in found} == {"foreign"}
    assert_allclose([t.item() for t in found], expected if held else 12.0, rtol=1e-6)
    assert step.stats()["calls"] == {"compiled": 0, "recorded": 0, "eager": 3}


def test_a_backend_that_there_is_not_is_named():
    with pytest.raises(autograd.errors.ArgumentError, match=r"compile: backend is 'auto', 'c', 'replay' or 'eager', got 'C'"):
        autograd.compile(lambda x: x, backend="C")


def test_a_warning_says_once_why_a_step_stays_eager():
    step = autograd.compile(lambda x: x * x.sum().item())
    step(autograd.ones(2))
    with pytest.warns(UserWarning, match="stays eager"):
        step(autograd.ones(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(autograd.ones(2))


# ---------------------------------------------------------------- how it is called
def test_methods_functions_and_modules():
    class Doubling:
        factor = 2.0

        @autograd.compile
        def step(self, x, *, by=1.0, parts=()):
            return {"out": x * self.factor * by, "parts": [p + 1 for p in parts]}

    one, two = Doubling(), Doubling()
    for k in range(6):
        x = autograd.ones(3) * k
        for each in (one, two):
            out = each.step(x, parts=(x, x * 2), by=3.0)
            assert_array_equal(out["out"].array, 6 * x.array)
            assert_array_equal(out["parts"][1].array, 2 * x.array + 1)
    assert one.step.stats()["calls"]["compiled"] > 0
    assert one.step is not two.step
    two.factor = 10.0
    assert two.step(x)["out"].tolist() == [50, 50, 50]
    Doubling.factor = 1.0
    assert one.step(x)["out"].tolist() == [5, 5, 5]
    layer = nn.Linear(2, 2)
    assert autograd.compile(layer, mode="max-autotune", fullgraph=True, dynamic=False, backend="inductor") is layer


def test_arrays_plain_values_and_globals_are_part_of_what_it_is():
    scale = 2.0

    @autograd.compile(backend="replay")
    def step(x, n, how):
        y = autograd.as_tensor(x) * n * scale
        return y.sum() if how == "sum" else y.mean()

    def expected(x, n, how):
        return getattr(np, how)(x * n * scale)

    for k in range(12):
        for how in ("sum", "mean"):
            x = np.arange(3.0) + k
            assert step(x, 2, how).item() == expected(x, 2, how)
            assert step(x, 5, how).item() == expected(x, 5, how)
        if k == 7:
            scale = 3.0
    assert step.stats()["calls"]["compiled"] > 10


def test_gradients_stay_where_the_step_does_not_use_them_up():
    net = nn.Linear(6, 3)
    optimizer = nn.optim.SGD(net.parameters(), lr=0.1)

    @autograd.compile(backend="replay")
    def gradients(x, y):
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        return loss

    for k in range(8):
        x, y = batch(k)
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        expected = net.weight.grad.array.copy()
        optimizer.zero_grad()
        gradients(x, y)
        assert_allclose(net.weight.grad.array, expected, rtol=1e-5)
        optimizer.step()
    assert gradients.stats()["calls"]["compiled"] > 3
    optimizer.zero_grad()
    for n in range(1, 6):  # and accumulate, where nobody clears them
        gradients(x, y)
        assert_allclose(net.weight.grad.array, n * net.weight.grad.array / n)
    one = net.weight.grad.array.copy()
    optimizer.zero_grad()
    gradients(x, y)
    assert_allclose(one, 5 * net.weight.grad.array, rtol=1e-5)


def test_several_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    def train(seed):
        w = autograd.ones(4, 4).requires_grad_()
        optimizer = nn.optim.Adam([w], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = ((w @ x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = autograd.compile(step) if seed >= 0 else step
        return [step(autograd.ones(4, 4) * (k % 3)).item() for k in range(30)]

    expected = train(-1)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(train, range(8)):
            assert got == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------- C
ODD = [
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    1e-39,
    -1e-39,
    1e-30,
    3e38,
    -3e38,
    88.7,
    88.8,
    -87.4,
    -95.0,
    -103.9,
    -104.5,
    0.625,
    10.0,
    -10.0,
]
UNARY = "exp log log1p expm1 exp2 tanh sigmoid erf erfc sqrt relu abs sign floor ceil trunc sin cos atan square neg isnan isfinite isinf"


@pytest.mark.parametrize("name", ["exp", "exp2", "expm1", "log", "log1p", "tanh", "power"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vector_mathematics_keeps_its_digits(name, dtype):
    """To a few units in the last place, over all magnitudes, beside numbers of twice the digits, or of what more there are."""
    wider = np.float64 if dtype == np.float32 else np.longdouble
    if np.finfo(wider).nmant <= np.finfo(dtype).nmant:
        pytest.skip("long doubles have no more digits here")
    rng, info = np.random.default_rng(0), np.finfo(dtype)
    x = np.concatenate([rng.standard_normal(20_000), rng.uniform(-1.02, 1.02, 20_000) * np.log(float(info.max)), ODD])
    x = np.concatenate([x, 10.0 ** rng.uniform(np.log10(info.smallest_subnormal), np.log10(info.max), 20_000)]).astype(dtype)
    y = rng.permutation(np.concatenate([rng.integers(-9, 10, x.size // 2), rng.uniform(-3, 3, x.size - x.size // 2)])).astype(
        dtype
    )
    args = (x, y) if name == "power" else (x,)
    compiled = autograd.compile(
        lambda *args: getattr(autograd, "pow" if name == "power" else name)(*args), backend=C, strict=True
    )
    with np.errstate(all="ignore"):
        for _ in range(3):
            got = compiled(*map(autograd.from_numpy, args)).array
        exact = getattr(np, name)(*(a.astype(wider) for a in args))
        expected = exact.astype(dtype)
    assert compiled.stats()["calls"]["compiled"] == 1
    finite = np.isfinite(expected) & np.isfinite(got)
    assert_array_equal(got[~finite], expected[~finite])
    assert_array_equal(np.signbit(got), np.signbit(expected) & ~np.isnan(expected) | np.signbit(got) & np.isnan(expected))
    off = np.abs(got[finite].astype(wider) - exact[finite]) / np.spacing(np.abs(expected[finite]))
    assert off.max() <= (3 if C == "c" else 4)  # NumPy's own may be off by more


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_c_is_right_for_odd_numbers(dtype):
    """NaN, infinities, zeros with a sign, and numbers below the least normal one; and many others."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal(500) * 10.0 ** rng.integers(-6, 2, 500)
    x = np.concatenate([ODD, wide]).astype(dtype)
    y = rng.permutation(x)

    def step(x, y):
        outs = [getattr(x, name)() for name in UNARY.split()]
        outs += [
            autograd.maximum(x, y),
            autograd.minimum(x, y),
            x / y,
            x * y,
            x - y,
            autograd.where(x > y, x, y),
            x < y,
            x.pow(2),
            x.pow(3),
            x**0.5,
        ]
        rows, finite = x[:520].reshape(20, 26), y.nan_to_num(0.0, 1.0, -1.0).clamp(-60, 60)[:520].reshape(20, 26)
        outs += [
            rows.amax(1),
            rows.amin(1),
            rows.amax(0),
            rows.amin(),
            finite.softmax(1),
            finite.log_softmax(0) - 1,  # what is near 0 itself is as exact as the sum of the shares, which is near 1
            rows.sum(1),
            finite.sum(),
            finite.mean(0),
        ]
        return outs

    compiled = autograd.compile(step, backend=C, strict=True)
    with np.errstate(all="ignore"):
        for _ in range(3):
            got = compiled(autograd.tensor(x), autograd.tensor(y))
        expected = step(autograd.tensor(x), autograd.tensor(y))
    assert compiled.stats()["calls"]["compiled"] == 1
    for k, (g, e) in enumerate(zip(got, expected, strict=True)):
        name = dict(enumerate(UNARY.split())).get(k, str(k))
        assert_allclose(
            g.array,
            e.array,
            rtol=3e-6 if dtype == np.float32 else 1e-12,
            atol=0 if name in ("exp", "erfc") else 1e-37,
            err_msg=name,
        )
        if g.dtype.kind == "f" and k < len(UNARY.split()):
            ok = ~np.isnan(e.array)
            assert_array_equal(np.signbit(g.array)[ok], np.signbit(e.array)[ok], err_msg=name)


@pytest.mark.parametrize("name", [*UNARY.split(), "double", "long", "bool", "half"])
def test_arrays_of_one_number_are_a_number(name, backend):
    """What is computed of them is computed when the step is compiled."""

    def step(x):
        return [getattr(autograd.full((2, 3), value), name)() * x for value in (0.5, -2.5, 3.0)]

    compiled, x = autograd.compile(step, backend=backend, strict=name != "half"), autograd.randn(2, 3)  # half is not in C
    with np.errstate(all="ignore"):
        for _ in range(4):
            for found, expected in zip(compiled(x), step(x), strict=True):
                assert found.dtype == expected.dtype
                assert_allclose(found.array, expected.array, rtol=1e-6)


@needs_c
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("shape", "dim"), [((300_000, 2), 0), ((300, 700, 3), (0, 1)), ((5, 40_000, 3), 1), ((3, 300, 200, 4), (1, 2))]
)
def test_many_rows_add_up_in_c(shape, dim, threads):
    """One after the other, as they come, they would lose three digits."""
    x = autograd.from_numpy(np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32))
    compiled = autograd.compile(lambda x: (x * x).sum(dim), backend="c", strict=True, threads=threads)
    for _ in range(3):
        found = compiled(x)
    assert compiled.stats()["calls"]["compiled"] == 1
    assert_allclose(found.array, np.sum(np.square(x.array, dtype=np.float64), axis=dim), rtol=1.5e-6)


def test_checks_look_at_parts_of_what_is_there_before():
    text = autograd.tensor(np.random.default_rng(0).integers(0, 5, (16, 9)))
    scores = autograd.randn(16, 8, 5).requires_grad_()
    optimizer = nn.optim.SGD([scores], lr=0.1)

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy((scores * 2).reshape(-1, 5), text[:, 1:].reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    compiled = autograd.compile(step, backend=C, strict=True)
    losses = [compiled().item() for _ in range(6)]
    assert losses == sorted(losses, reverse=True)
    assert compiled.stats()["calls"]["compiled"] == 4
    text[3, 4] = -7
    with pytest.raises(IndexError, match="label -7"):
        compiled()


def sums(x):
    return x.sum(), (x * x).mean()


def test_sums_of_many_keep_their_digits():
    x = autograd.tensor(np.random.default_rng(0).random(1_000_000, np.float32))
    compiled = autograd.compile(sums, backend=C)
    for _ in range(3):
        got = compiled(x)
    exact = x.array.astype(np.float64)
    assert [t.item() for t in got] == pytest.approx([exact.sum(), (exact**2).mean()], rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((4096, 3), 0), ((1000, 7), 0), ((1021, 2), 0), ((8, 16, 24, 5), (0, 1, 2)), ((1, 640, 2), 1), ((8, 600, 4), 1)],
)
def test_sums_of_many_short_rows(shape, axes):
    """Rows are added side by side, as many as divide them, if none, one by one; what else is made of the same values stays right."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    row = np.linspace(0.5, 1.5, shape[-1], dtype=np.float32)
    compiled = autograd.compile(
        lambda x, row: ((x * row).sum(axes), (x * row).sum(axes, keepdim=True), x * row), backend=C, strict=True
    )
    for _ in range(3):
        got = compiled(autograd.tensor(x), autograd.tensor(row))
    exact = (x * row).astype(float).sum(axes)
    tolerance = 1e-5 * np.abs(x * row).astype(float).sum(axes).max()
    for t in got[:2]:
        np.testing.assert_allclose(t.array.reshape(exact.shape), exact, atol=tolerance)
    assert got[1].shape == (x.sum(axes, keepdims=True)).shape
    assert_array_equal(got[2].array, x * row)


def test_positions_count_from_the_end_and_others_are_refused():
    table = autograd.tensor(np.arange(12.0).reshape(6, 2))

    def step(i):
        return table[i] * 2

    compiled = autograd.compile(step, backend=C)
    for k in range(5):
        i = autograd.tensor([k, -1, -6])
        assert_array_equal(compiled(i).array, table.array[i.array] * 2)
    with pytest.raises(IndexError, match="a position is not from -6 to 5" if C == "c" else "index 6 is out of bounds"):
        compiled(autograd.tensor([6, 0, 0]))
    assert_array_equal(compiled(autograd.tensor([5, 0, 0])).array, table.array[[5, 0, 0]] * 2)


def test_results_are_the_callers_own():
    """What a step returns stays as it is, whatever comes after."""
    w = autograd.ones(2000).requires_grad_()

    @autograd.compile(backend=C)
    def step(x):
        with autograd.no_grad():
            old = w.clone()
            w.add_(x)
            return old, w * 1.0, old

    kept = [step(autograd.full((2000,), float(k))) for k in range(8)]
    for k, (old, new, again) in enumerate(kept):
        assert old.array[7] == again.array[7] == 1 + sum(range(k))
        assert new.array[7] == 1 + sum(range(k + 1))


def test_an_argument_in_memory_that_the_step_writes_sees_it(backend):
    """As in eager: that call is eager, as the program was made for arguments apart from what it writes."""
    w = autograd.ones(4)

    @autograd.compile(backend=backend)
    def step(x):
        w.mul_(2)
        return (x + w).sum()

    for _ in range(4):
        step(autograd.ones(4))
    assert w.tolist() == [16.0] * 4
    assert step(wrap(w.array.view())).item() == (32 + 32) * 4
    assert step(wrap(w.array[::-1])).item() == (64 + 64) * 4
    assert step(autograd.ones(4)).item() == (1 + 128) * 4


@needs_c
def test_a_state_that_is_written_and_never_read():
    w, x = autograd.ones(3), autograd.arange(3.0)

    @autograd.compile(backend="c", strict=True)
    def step(x):
        with autograd.no_grad():
            w.copy_(x * 2)
        return x + 1

    for k in range(4):
        assert step(x + k).tolist() == [k + 1, k + 2, k + 3]
        assert w.tolist() == [2 * k, 2 * k + 2, 2 * k + 4]


@needs_c
def test_transposed_matrices_beside_others():
    """Of three dims, where channels last is its own way back."""

    def step(x, y):
        return x.mT * 2 + y

    compiled, x, y = autograd.compile(step, backend="c", strict=True), autograd.rand(2, 3, 4), autograd.rand(2, 4, 3)
    for _ in range(4):
        assert_array_equal(compiled(x, y).array, step(x, y).array)


def in_a_process(code, **environment):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


TRAIN = """
import autograd, nn
autograd.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
optimizer = nn.optim.Adam(net.parameters())
def step(x):
    optimizer.zero_grad()
    loss = (net(x) ** 2).mean()
    loss.backward()
    optimizer.step()
    return loss
step = autograd.compile(step)
x = autograd.randn(8, 3)
for _ in range(6):
    loss = step(x)
print(*step.stats()["backends"], f"{loss.item():.5f}", step.stats()["not in C"])
"""


@pytest.mark.slow
def test_without_a_compiler_these_tests_pass(tmp_path):
    """What is followed, optimizers and checks, each by replay alone."""
    some = "changes_between or optimizers or refused or callers_own or threads or explain"
    job = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", f"({some}) and not without"]
    quiet = os.environ | dict(PATH="", CC="", CHAINRULE_CACHE=str(tmp_path))
    done = subprocess.run(job, capture_output=True, text=True, env=quiet, check=False)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 25


def test_without_a_compiler_numpy_plays_the_step(tmp_path):
    ours = in_a_process(TRAIN, CHAINRULE_CACHE=str(tmp_path))
    alone = in_a_process(TRAIN, PATH="", CC="", CHAINRULE_CACHE=str(tmp_path / "other"))
    assert ours.split()[1] == alone.split()[1]
    assert alone.split()[0] in ("replay", "c")  # ziglang may be there
    if "replay" in alone:
        assert "no C compiler" in alone


@needs_c
def test_what_was_compiled_is_kept_on_disk_for_the_next_process(tmp_path):
    before = in_a_process(TRAIN, CHAINRULE_CACHE=str(tmp_path))
    (made,) = tmp_path.glob("step_*.so")
    when = made.stat().st_mtime_ns
    assert in_a_process(TRAIN, CHAINRULE_CACHE=str(tmp_path)) == before
    assert [p.stat().st_mtime_ns for p in tmp_path.glob("step_*.so")] == [when]
    code = "import autograd; autograd.compile.clear_cache()"
    in_a_process(code, CHAINRULE_CACHE=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_cache_that_cannot_be_written_is_said_once_and_replaced(tmp_path):
    (tmp_path / "file").write_text("in the way")
    out = in_a_process(
        "import warnings; warnings.simplefilter('always')" + TRAIN, CHAINRULE_CACHE=str(tmp_path / "file" / "cache")
    )
    assert out.split()[0] in ("c", "replay")


class Reading(nn.Module):
    """A small transformer."""

    def __init__(self):
        super().__init__()
        self.embed, self.layer, self.out = (
            nn.Embedding(5, 8),
            nn.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True),
            nn.Linear(8, 3),
        )

    def forward(self, x):
        return self.out(self.layer(self.embed((x > 0).long())).mean(1))


@needs_c
@pytest.mark.slow
@pytest.mark.parametrize("target", ["x86_64-windows-gnu", "aarch64-macos", "aarch64-linux-gnu"])
def test_c_compiles_for_other_machines(target, tmp_path):
    """XOR's C, that of an MLP with all its trimmings, and a transformer's, by zig, which has the headers of all systems."""
    pytest.importorskip("ziglang", reason="compiles for other systems, which takes pip install ziglang")
    sources = [what_comes_out()[0].source]
    for make in (None, Reading):
        compiled = autograd.compile(Training(make).step, backend=C, strict=True)
        for k in range(3):
            compiled(*batch(k))
        sources.append(compiled.source)
    for source in sources:
        (tmp_path / "step.c").write_text(f"#define EXPORT\n#define INT int64_t\n{source}", encoding="utf-8")
        job = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-O1", *cc.SAFE, "-shared", "step.c", "-o", "out", "-lm"]
        done = subprocess.run(job, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out").stat().st_size > 1000


@needs_c
def test_a_fault_of_the_compiler_does_not_end_a_training(monkeypatch):
    """NumPy plays the step, and a warning names what went wrong; who asks for C is told."""

    def at_fault(*args):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(layout, "Emitter", at_fault)
    double = lambda x: x * 2  # noqa: E731
    compiled, x = autograd.compile(double), autograd.ones(3)
    compiled(x)
    with pytest.warns(UserWarning, match="fault of the library: ZeroDivisionError: of ours"):
        compiled(x)
    assert_array_equal(compiled(x).array, [2, 2, 2])
    assert compiled.stats()["backends"] == ["replay"]
    compiled = autograd.compile(double, backend="c")
    compiled(x)
    with pytest.raises(ZeroDivisionError, match="of ours"):
        compiled(x)


def test_explain_and_source_show_what_runs():
    for backend, shown in {"replay": "NumPy", C: "loop" if C == "c" else "NumPy"}.items():
        t = Training(lambda: nn.Linear(6, 3))
        compiled = autograd.compile(t.step, backend=backend)
        assert "0 programs" in compiled.explain()
        for k in range(4):
            compiled(*batch(k))
        assert shown in compiled.explain()
        assert "F.cross_entropy(net(x), y)" in compiled.explain()
        assert "net_weight" in compiled.source


def test_explain_is_html_in_notebooks_with_the_code_of_each_row(backend, tmp_path):
    """Each statement is a row, beneath which stands that part of the source; the text is that of print."""
    t = Training()
    compiled = autograd.compile(t.step, backend=backend)
    for k in range(4):
        compiled(*batch(k))
    table = compiled.explain()
    page = table.html(tmp_path / "page.html")
    assert page == table._repr_html_()
    assert page in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(table.codes) == len(table.rows) == page.count("<details>") == len(table.splitlines()) - 1
    assert all(line.strip() in compiled.source for code in table.codes for line in code.splitlines() if line[:2] != "//")
    assert all(table.codes)
    assert not re.search(r"https?:|<script|[^-]<[a-z]+ src", page)
    assert re.search("i0 &lt; 8" if backend == "c" else "optimizer.step", page)


@needs_c
def test_many_single_numbers_are_functions_of_limited_length():
    """A long run of them is cut, and what later parts read is in memory: values and gradients are those of eager."""
    xs = [autograd.tensor(0.3 + 0.01 * k).requires_grad_() for k in range(10)]
    picks = np.random.default_rng(0).integers(0, np.arange(10, 110)[:, None], (100, 2))

    def step():
        values = list(xs)
        for i, j in picks:
            values.append((values[i] * values[j] + values[i]).tanh())
        loss = autograd.stack(values).sum()
        return loss.detach(), *autograd.grad(loss, xs)

    compiled = autograd.compile(step, backend=C, strict=True)
    for _ in range(3):
        got = compiled()
    assert_allclose([g.item() for g in got], [e.item() for e in step()], rtol=1e-5)
    functions = re.findall(r"^STRAIGHT void .*?^}", compiled.source, re.MULTILINE | re.DOTALL)
    assert len(functions) > 3
    assert max(f.count("\n") for f in functions) < 1000


# ---------------------------------------------------------------- the page that shows it
README = Path(autograd.__file__).parent / "compile" / "README.md"


def what_comes_out():
    """What the README shows below its program: the table, and the C without what every step begins with."""
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    linecache.cache["xor.py"] = len(code), None, code.splitlines(True), "xor.py"
    exec(compile(code, "xor.py", "exec"), names)
    step = names["step"]
    source = step.source[step.source.index("// xor.py") :].replace("KERNEL ", "")
    return step, f"```text\n{step.explain()}\n```\n\n```c\n{source.rstrip()}\n```\n"


@needs_c
def test_the_readme_shows_what_comes_out():
    step, text = what_comes_out()
    assert step.stats()["calls"]["compiled"] == 8
    shown = README.read_text(encoding="utf-8").split("<!-- what comes out -->\n")[1].split("<!-- end -->")[0]
    assert shown == text, "python tests/test_compile.py writes it anew"


if __name__ == "__main__":
    before, rest = README.read_text(encoding="utf-8").split("<!-- what comes out -->\n")
    README.write_text(
        f"{before}<!-- what comes out -->\n{what_comes_out()[1]}<!-- end -->{rest.split('<!-- end -->')[1]}", encoding="utf-8"
    )
