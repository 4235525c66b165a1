"""vmap: what it does at once is what a loop makes, for every record, to second order, and whatever it is nested with."""

import numpy as np
import pytest
from helpers import leaf, leaves, warned
from modules import LAYERS
from numpy.testing import assert_allclose
from strategies import some_calls
from test_nn_modules import ours
from test_nn_modules import smooth as floats
from test_ops import records, smooth

import autograd
import nn
import nn.functional as F
from autograd import checkpoint, detect_anomaly, draw, float64, rand, tensor, zeros
from autograd.engine.batch import whole
from autograd.engine.graph import ambient
from autograd.engine.tape import Tape
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import AnomalyError, ArgumentError, AutogradError, BatchError, GraphError, InPlaceError
from autograd.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

SIZE = 3
# Records some of whose calls run sample by sample: how much they give depends on values, NumPy does one after the other, or
# processes talk of one after the other.
LOOPING = set(
    """index unindex setitem last_written index_put masked_select repeats repeat_interleave groups argwhere nonzero np.nonzero
    unique_consecutive unique first_largest embedding_bag searchsorted np.searchsorted bucketize isin bincount histc histogram
    multinomial poisson binomial np.array_equiv F.fractional_max_pool fill_diagonal_ fill_ copy_ __setitem__
    all_reduce all_gather reduce_scatter all_to_all broadcast""".split()
) | {"unique integers", "unique_consecutive integers", "bincount without weights"}


# ---------------------------------------------------------------- every record
def looped(f, dims):
    """vmap by its definition."""

    def mapped(*args):
        n = next(a.shape[d] for a, d in zip(args, dims, strict=True) if d is not None)
        parts = [f(*(a if d is None else a.select(d, i) for a, d in zip(args, dims, strict=True))) for i in range(n)]
        return tuple(map(autograd.stack, zip(*parts, strict=True)))

    return mapped


def cases(sample, number):
    """Calls, their arrays, and for each of these whether it differs by sample: each alone, and all."""
    for call in some_calls(sample, number):
        arrays = []
        call.map(arrays.append)
        for mask in {(True,) * len(arrays), *(tuple(i == j for j in range(len(arrays))) for i in range(len(arrays)))}:
            if arrays:
                yield call, arrays, mask


def variants(rng, array):
    """The array, and others like it: of floats a little aside, or its elements in another order."""
    if array.dtype.kind == "f":
        near = 1e-3 * rng.uniform(-1, 1, (SIZE, *array.shape)).astype(array.dtype)
        return array + near
    return np.stack([np.reshape(rng.permutation(np.ravel(array)), array.shape) for _ in range(SIZE)])


def weights(y):
    return wrap(np.asarray(np.cos(np.arange(y.numel())).reshape(y.shape), y.dtype))


def function(sample, call, order):
    """The results of a call, or their gradients of first or second order, as a function of its arrays."""

    def values(*tensors):
        rest = iter(tensors)
        found = leaves(call.map(lambda _: next(rest)).run(sample.op))
        return tuple(t for t in found if isinstance(t, Tensor))

    def derived(f):
        def total(*ts):
            return sum((y * weights(y)).sin().sum() for y in f(*ts) if y.dtype.kind == "f")

        return lambda *ts: grad(total, tuple(i for i, t in enumerate(ts) if t.dtype.kind == "f"))(*ts)

    for _ in range(order):
        values = derived(values)
    return values


def outcome(f, tensors, across=False):
    """What f makes of the tensors, `across` with the gradients by them; or the error that it raises."""
    autograd.manual_seed(0)
    tensors = [t.detach().requires_grad_() if across and t.dtype.kind == "f" else t for t in tensors]
    try:
        with np.errstate(all="ignore"):
            ys = f(*tensors)
            if across and (some := [y for y in ys if y.requires_grad]):
                xs = [t for t in tensors if t.requires_grad]
                ys = (*ys, *autograd.grad(some, xs, [weights(y) for y in some], materialize_grads=True))
            return [y.detach() for y in ys]
    except AutogradError as error:
        return error


def compare(sample, order=0, across=False, nested=False, number=1):
    """Is vmap of a record's calls, or of their gradients, what the loop makes; and does it loop in those of LOOPING only?"""
    rng = np.random.default_rng(0)
    for call, arrays, mask in cases(sample, number):
        if (order or across) and not any(a.dtype.kind == "f" for a in arrays):
            continue
        dims = [0 if m else None for m in mask]
        tensors = [wrap(variants(rng, a) if m else np.array(a)) for a, m in zip(arrays, mask, strict=True)]
        f = function(sample, call, order)
        options = {"randomness": "same", "fallback": "loop" if sample.name in LOOPING else "error"}
        batch, loop = vmap(f, tuple(dims), **options), looped(f, dims)
        if nested:
            outer = [None if m and i % 2 else 0 for i, m in enumerate(mask)]
            rows = zip(tensors, outer, mask, strict=True)
            tensors = [t if d is None else wrap(np.stack([t.array, t.array[::-1] if m else t.array])) for t, d, m in rows]
            batch, loop = vmap(batch, tuple(outer), **options), looped(loop, outer)
        expected, found = outcome(loop, tensors, across), outcome(batch, tensors, across)
        if isinstance(expected, Exception) or isinstance(found, Exception):
            assert type(found) is type(expected), (mask, call, found, expected)
            continue
        for y, e in zip(found, expected, strict=True):
            assert (y.shape, y.dtype) == (e.shape, e.dtype), (mask, call)
            assert_allclose(y.array, e.array, rtol=1e-6, atol=1e-8, err_msg=f"{mask} {call}")


@pytest.mark.filterwarnings("ignore")
@records("vmap")
def test_a_batch_is_what_the_loop_makes(sample):
    """Values, and gradients that are taken inside, to second order."""
    compare(sample, number=2)
    if sample.smooth:
        compare(sample, 1, number=2)
        compare(sample, 2)


@pytest.mark.filterwarnings("ignore")
@records("vmap", where=smooth)
def test_batches_nest_and_gradients_cross_their_borders(sample):
    """Gradients through two vmaps of gradients taken inside, by what differs in either, and by what is the same for all."""
    compare(sample, 1, across=True, nested=True)


# ---------------------------------------------------------------- every module
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.label)
def test_gradients_by_sample_of_every_module(layer):
    """Of its parameters and inputs, by functional_call: each as if it had been alone."""
    module, inputs = ours(layer)
    module.eval()
    parameters = {n: p.detach() for n, p in module.named_parameters()}
    given = [i for i, x in enumerate(inputs) if isinstance(x, Tensor)]

    def loss(parameters, *some):
        args = [some[given.index(i)] if i in given else x for i, x in enumerate(inputs)]
        ys = floats(leaves(functional_call(module, parameters, tuple(args))))
        return sum(((y * weights(y)).sum() for y in ys), zeros((), dtype=float64))

    by = (0, *(1 + k for k, i in enumerate(given) if inputs[i].dtype.kind == "f"))
    xs = [inputs[i].detach() for i in given]
    many = [wrap(variants(np.random.default_rng(k), x.array)) for k, x in enumerate(xs)]
    found = vmap(grad(loss, by), (None, *(0 for _ in many)))(parameters, *many)
    for i in range(SIZE):
        expected = grad(loss, by)(parameters, *(m[i] for m in many))
        for name, g in expected[0].items():
            assert_allclose(found[0][name].array[i], g.array, rtol=1e-8, atol=1e-10, err_msg=name)
        for g, e in zip(found[1:], expected[1:], strict=True):
            assert_allclose(g.array[i], e.array, rtol=1e-8, atol=1e-10)


def test_an_ensemble_is_one_call():
    nets = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)) for _ in range(5)]
    stacked = {
        n: autograd.stack([dict(net.named_parameters())[n].detach() for net in nets]) for n, _ in nets[0].named_parameters()
    }
    x = autograd.randn(6, 3)
    found = vmap(lambda p, x: functional_call(nets[0], p, x), (0, None), fallback="error")(stacked, x)
    assert_allclose(found.array, [net(x).detach().array for net in nets], rtol=1e-6)


# ---------------------------------------------------------------- with other transforms
X, W = np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=3)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: grad(lambda x: ((x * w).tanh() ** 2).sum())(x),
        lambda x, w: hessian(lambda x: (x**3 * w).sum())(x),
        lambda x, w: jacrev(lambda x: (x * w).tanh())(x),
        lambda x, w: jacfwd(lambda x: (x * w).tanh())(x),
        lambda x, w: jvp(lambda x: (x * w).tanh(), (x,), (w,))[1],
        lambda x, w: vmap(lambda a: vmap(lambda b: a * b)(w))(x),
        lambda x, w: autograd.linalg.svd(autograd.outer(x, w) + autograd.eye(3))[1],
    ],
)
def test_it_nests_with_every_transform(f):
    """Inside and outside, to second order, by the batch and by what it closes over."""
    x, w = wrap(X), wrap(W)
    whole, loop = (lambda x, w: vmap(f, (0, None), fallback="error")(x, w)), (lambda x, w: autograd.stack([f(r, w) for r in x]))
    for transform in (lambda g: g, lambda g: jacrev(g, (0, 1)), lambda g: hessian(lambda x, w: g(x, w).sin().sum(), (0, 1))):
        for y, e in zip(leaves(transform(whole)(x, w)), leaves(transform(loop)(x, w)), strict=True):
            assert_allclose(y.array, e.array, rtol=1e-9, atol=1e-10)


def test_what_is_the_same_for_all_is_no_part_of_the_batch():
    """Also if it is made while vmap runs: the new node of a view is everybody's, and its other gradients count once."""
    w = leaf([1.0, 2.0, 3.0])
    b = w * 1
    v = b[:2]
    b.mul_(2)
    y = vmap(lambda x: (x * v).sum())(autograd.ones(5, 2)).sum() + (v * 10).sum()
    y.backward()
    assert w.grad.tolist() == [30, 30, 0]


def test_many_are_summed_with_all_their_digits():
    x = np.random.default_rng(0).uniform(0, 1, (2, 50_000, 2)).astype(np.float32)
    exact = x.astype(np.float64).sum(1)
    assert_allclose(vmap(lambda x: x.sum(0))(wrap(x)).array, exact, rtol=3e-7)
    w = autograd.ones(2, requires_grad=True)
    vmap(lambda x: x * w)(wrap(x.reshape(-1, 2))).sum().backward()
    assert_allclose(w.grad.array, exact.sum(0), rtol=3e-7)


# ---------------------------------------------------------------- arguments
def test_chunks_are_put_together():
    x, w = wrap(X), leaf(W)
    f = lambda x: {"a": (x * w).sum(), "b": (autograd.outer(x, w), w)}  # noqa: E731
    outs = {"a": 0, "b": (1, None)}
    for size in (1, 2, 5, 9):
        found = vmap(f, out_dims=outs, chunk_size=size)(x)
        assert_allclose(found["a"].detach().array, X @ W)
        assert_allclose(found["b"][0].detach().array, np.einsum("ni,j->inj", X, W))
        assert found["b"][1] is w
        assert_allclose(autograd.grad(found["a"].sum() + found["b"][0].sum(), w)[0].array, X.sum(0) + X.sum())
    with pytest.raises(ArgumentError, match="vmap: chunk_size is a positive number of slices, got 0"):
        vmap(f, chunk_size=0)


def test_arrays_in_arrays_out():
    found = vmap(lambda t: {"s": np.dot(t[0], t[1]), "o": np.outer(*t)})((X, X))
    assert {type(v) for v in found.values()} == {np.ndarray}
    assert_allclose(found["s"], (X * X).sum(1))
    assert found["s"].dtype == X.dtype
    assert isinstance(vmap(np.dot, (0, None))(X, tensor(W)), Tensor)


def test_randomness_in_nested_vmaps():
    def draw(outer, inner):
        return vmap(lambda x: vmap(lambda y: y + rand(()), randomness=inner)(x), randomness=outer)(zeros(2, 3)).array

    assert [len(np.unique(draw(*how))) for how in ("different different".split(), "same same".split())] == [6, 1]
    assert np.ptp(draw("different", "same"), 1).max() == 0 < np.ptp(draw("different", "same"), 0).min()
    assert np.ptp(draw("same", "different"), 0).max() == 0 < np.ptp(draw("same", "different"), 1).max()
    with pytest.raises(GraphError, match="draws random numbers"):
        draw("error", "different")


@pytest.mark.parametrize(
    "op",
    [
        lambda x, g: F.dropout(x), lambda x, g: autograd.randperm(9), lambda x, g: autograd.rand(2, 3, generator=g),
        lambda x, g: autograd.randint(0, 99, (9,)), lambda x, g: autograd.bernoulli(x * 0 + 0.5), lambda x, g: autograd.normal(x, x),
        lambda x, g: autograd.zeros(9).exponential_(), lambda x, g: autograd.multinomial(x, 9), lambda x, g: autograd.normal(0.0, x),
    ],
)  # fmt: skip
def test_every_draw_is_one_for_each_sample_or_the_same(op):
    x, generator = autograd.arange(1.0, 10).repeat(6, 1), autograd.Generator().manual_seed(0)
    for how, number in (("different", 6), ("same", 1)):
        assert len(np.unique(vmap(lambda x: op(x, generator), randomness=how)(x).array, axis=0)) == number


def test_what_draws_sample_by_sample_draws_anew_for_each():
    x = autograd.ones(20, 9)
    drawn = vmap(lambda x: autograd.multinomial(x, 9), randomness="different", fallback="op")(x).array
    assert len(np.unique(drawn, axis=0)) > 1


# ---------------------------------------------------------------- what cannot be done at once
def test_if_is_fine_where_samples_agree_and_loops_where_not():
    x = tensor([[1.0, 2.0], [3.0, -4.0]])
    f = lambda x: x * 2 if x.sum() > 0 else -x  # noqa: E731
    assert vmap(f, fallback="error")(x.abs()).tolist() == [[2, 4], [6, 8]]
    assert vmap(f)(x).tolist() == [[2, 4], [-3, 4]]
    for fallback in ("op", "error"):
        with pytest.raises(BatchError, match="vmap: `if`, or what tests like it, asks for one value where the samples differ"):
            vmap(f, fallback=fallback)(x)


def test_an_op_may_go_sample_by_sample_and_says_so():
    x, v = wrap(np.sort(X)), wrap(X)
    expected = [np.searchsorted(a, b) for a, b in zip(np.sort(X), X, strict=True)]
    assert_allclose(vmap(autograd.searchsorted, fallback="op")(x, v).array, expected)
    with pytest.raises(BatchError, match=r"vmap: np.searchsorted runs sample by sample, which fallback='error' refuses"):
        vmap(autograd.searchsorted, fallback="error")(x, v)
    with pytest.raises(ArgumentError, match="vmap: fallback is 'loop', 'op' or 'error', got 'never'"):
        vmap(autograd.searchsorted, fallback="never")


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x: x * x.sum().item(), "item"),
        (lambda x: x * float(x.sum()), "item"),
        (lambda x: tensor(x.tolist()), "tolist"),
        (lambda x: x[x > 0].sum(), "different shapes"),
        (lambda x: autograd.zeros(3).copy_(x), "plain array"),
        (lambda x: autograd.tensor(np.asarray(x.numpy())), "plain array"),
    ],
)
def test_the_whole_function_may_go_sample_by_sample(f, why):
    x = wrap(X)
    assert_allclose(vmap(f)(x).array, [f(row).array for row in x])
    with pytest.raises(BatchError, match=why):
        vmap(f, fallback="op")(x)


def test_a_fallback_draws_the_same_numbers():
    x, f = wrap(X), lambda x: x * rand(3) if x.sum() > rand(()) else x * 0 + rand(())
    autograd.manual_seed(0)
    found = vmap(f, randomness="same")(x)
    autograd.manual_seed(0)
    state = autograd.get_rng_state()
    for row, y in zip(x, found, strict=True):
        autograd.set_rng_state(state)
        assert_allclose(y.array, f(row).array)


def test_backward_inside_does_as_the_loop():
    w, v = tensor([1.0, 2.0], requires_grad=True), tensor([1.0, 1.0], requires_grad=True)
    v.grad = autograd.ones(2)

    def f(x):
        ((w + v) * x).sum().backward()
        return x

    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(BatchError, match=r"vmap: backward\(\) leaves a gradient for each sample on a tensor from outside"):
        vmap(f, fallback="op")(x)
    assert w.grad is None
    assert v.grad.tolist() == [1, 1]
    vmap(f)(x)
    assert (w.grad.tolist(), v.grad.tolist()) == ([4, 6], [5, 7])


def test_checkpoint_inside_and_gradients_from_outside():
    w = leaf(W)
    f = lambda x: checkpoint(lambda x: F.dropout((x * w).tanh()), x).sum()  # noqa: E731
    found = []
    for each in (lambda x: vmap(f, randomness="different")(x), lambda x: autograd.stack([f(row) for row in x])):
        autograd.manual_seed(0)
        found.append(autograd.grad(each(wrap(X)).sum(), w)[0].array)
    assert_allclose(*found)


def test_a_jacobian_may_run_again_what_draws():
    f, x = lambda x: checkpoint(lambda x: F.dropout(x.tanh()), x), wrap(X[0])
    autograd.manual_seed(0)
    kept = f(x).array != 0
    autograd.manual_seed(0)
    assert_allclose(jacrev(f)(x).array, np.diag(2 * kept / np.cosh(X[0]) ** 2))


def test_running_statistics_are_those_of_the_loop():
    layers = [nn.BatchNorm1d(3) for _ in range(2)]
    x = autograd.randn(4, 6, 3)
    vmap(layers[0])(x)
    for rows in x:
        layers[1](rows)
    for a, b in zip(layers[0].buffers(), layers[1].buffers(), strict=True):
        assert_allclose(a.array, b.array, rtol=1e-6)


# ---------------------------------------------------------------- checks of values do not make it loop
LABELS = tensor([[0, 1], [3, 2], [1, 1]])
SCORES = np.random.default_rng(2).normal(size=(3, 2, 4))


@pytest.mark.parametrize(
    ("f", "good", "bad", "error"),
    [
        (lambda t: F.cross_entropy(wrap(SCORES[0]), t), LABELS, LABELS * 2, "label 6 at position 1, 0 is not one of the 4 classes"),
        (lambda t: F.nll_loss(wrap(SCORES[0]), t), LABELS, LABELS * 2, "label 6"),
        (lambda t: F.multi_margin_loss(wrap(SCORES[0]), t), LABELS, LABELS * 2, "label 6"),
        (lambda t: F.one_hot(t, 4), LABELS, LABELS - 1, "values are classes, 0 to 3; got -1 to 2"),
        (lambda t: F.embedding(t, wrap(SCORES[0].T)), LABELS, LABELS * 2, "input holds 0 to 6"),
        (lambda t: F.binary_cross_entropy(t, t * 0), wrap(abs(np.tanh(SCORES))), wrap(SCORES), "input holds probabilities"),
        (lambda t: F.hinge_embedding_loss(t * 0.5, t), wrap(np.sign(SCORES)), wrap(SCORES), "target holds labels, 1 or -1"),
        (lambda t: F.gaussian_nll_loss(t, t, t), wrap(abs(SCORES)), wrap(SCORES), "var holds variances"),
        (lambda t: F.mse_loss(t * 0, t), wrap(SCORES), wrap(np.where(np.arange(4) == SCORES.argmax(-1)[..., None], np.nan, 0)), "NaN"),
        (lambda x: F.cross_entropy(x, LABELS[0]), wrap(SCORES), None, ""),
        (lambda x: F.cross_entropy(x, LABELS[0]), wrap(np.exp(SCORES[:1]) * [[[1.0]], [[0.1]]]), None, ""),  # not negative in some
    ],
)  # fmt: skip
def test_losses_look_at_all_samples_at_once(f, good, bad, error):
    assert vmap(f, fallback="error")(good).shape[0] == len(good)
    if error:
        with pytest.raises((AutogradError, IndexError), match=error):
            vmap(f, fallback="error")(bad)


def test_scores_that_are_probabilities_are_warned_of():
    x = F.softmax(wrap(SCORES), -1)
    _, warnings = warned(lambda: vmap(lambda x: F.cross_entropy(x, LABELS[0]), fallback="error")(x))
    assert "every row of input sums to one" in str(warnings[0].message)


# ---------------------------------------------------------------- indices
PARTS = {
    "all": lambda rng, n: slice(None),
    "some": lambda rng, n: slice(int(rng.integers(n)), None, 2),
    "number": lambda rng, n: int(rng.integers(-n, n)),
    "array": lambda rng, n: rng.integers(-n, n, 2),
    "rows": lambda rng, n: rng.integers(-n, n, (3, 1)),
    "mask": lambda rng, n: rng.random(n) < 0.6,
    "own array": lambda rng, n: rng.integers(-n, n, (SIZE, 2)),
    "own number": lambda rng, n: rng.integers(-n, n, SIZE),
    "own rows": lambda rng, n: rng.integers(-n, n, (SIZE, 2, 1)),
}


def parts_of_an_index(rng, shape):
    """One for each axis, perhaps with None between them, or ... for the last; and whether it differs by sample."""
    for n in shape:
        if rng.random() < 0.15:
            yield None, False
        if rng.random() < 0.15:
            yield ..., False
            return
        kind = rng.choice(list(PARTS))
        yield PARTS[kind](rng, n), kind.startswith("own")


def test_any_index_reads_and_writes_as_in_a_loop():
    rng, compared = np.random.default_rng(0), 0
    while compared < 150:
        shape = tuple(int(n) for n in rng.integers(2, 4, rng.integers(1, 4)))
        parts = list(parts_of_an_index(rng, shape))
        index, differs = [wrap(np.asarray(p)) if hasattr(p, "dtype") else p for p, _ in parts], [d for _, d in parts]
        x = rng.normal(size=(SIZE, *shape))

        def of_sample(i, index=index, differs=differs):
            return tuple(p[i] if d else p for p, d in zip(index, differs, strict=True))

        try:
            expected = np.stack([wrap(x[i])[of_sample(i)].array for i in range(SIZE)])
        except AutogradError:  # no such index
            continue
        value = rng.normal(size=(SIZE, *expected.shape[1:])[rng.integers(2) :])
        own = value.ndim == expected.ndim

        def write(x, v, *index):
            y = x * 1
            y[index] = v
            return y

        dims = [0 if d else None for d in differs]
        found = vmap(lambda x, *index: x[index], (0, *dims), fallback="error")(wrap(x), *index)
        np.testing.assert_array_equal(found.array, expected, err_msg=f"{shape} {parts}")
        found = vmap(write, (0, 0 if own else None, *dims))(wrap(x), wrap(value), *index)
        expected = [write(wrap(x[i]), wrap(value[i] if own else value), *of_sample(i)).array for i in range(SIZE)]
        np.testing.assert_array_equal(found.array, expected, err_msg=f"{shape} {parts}")
        compared += 1


# ---------------------------------------------------------------- writes in place
def test_writes_in_place_inside():
    """On what was made inside, by what differs and by what does not; gradients go through."""

    def f(x, w):
        y = x * 1
        y[0] = w[0] * x[1]
        y[1:].mul_(w[1:])
        y += x
        return y

    x, w = leaf(X), leaf(W)
    for g, e in zip(
        *(
            autograd.grad(ys.sin().sum(), (x, w))
            for ys in (vmap(f, (0, None), fallback="error")(x, w), autograd.stack([f(r, w) for r in x]))
        ),
        strict=True,
    ):
        assert_allclose(g.array, e.array, rtol=1e-12)


def test_a_result_can_be_written_to_and_has_memory_of_its_own():
    w, x = leaf(W), wrap(X.copy())
    found = []
    for each in (vmap, lambda f: lambda x: autograd.stack([f(r) for r in x])):
        y = each(lambda x: x.tanh() * w)(x)
        y[0].mul_(3.0)
        y.mul_(y.detach())
        found.append((y.detach().array, autograd.grad(y.sum(), w)[0].array))
    for a, b in zip(*found, strict=True):
        assert_allclose(a, b, rtol=1e-12)
    a, b = vmap(lambda x: (x, x))(x)
    a.add_(1)
    assert_allclose([x.array, b.array], [X, X])


def test_an_argument_is_a_view_that_a_recorded_write_must_not_change():
    x = autograd.ones(2, 2)
    vmap(lambda x: x.mul_(2), fallback="error")(x)
    assert x.tolist() == [[2, 2], [2, 2]]  # as PyTorch
    with pytest.raises(InPlaceError, match="a view made by vmap"):
        vmap(lambda x: x.mul_(2))(x.requires_grad_() * 1)


# ---------------------------------------------------------------- what escapes
@pytest.mark.parametrize(
    "use",
    [
        lambda t: t + 1, lambda t: t[0], lambda t: t.sum(), lambda t: t.sum().item(), lambda t: t.tolist(), lambda t: t.sum().backward(),
        lambda t: autograd.ones(3) * t, lambda t: vmap(lambda x: x * t)(autograd.ones(2)), lambda t: t.__setitem__(0, 1.0),
        lambda t: np.asarray(t.detach().numpy()), lambda t: bool(t[0] > 0), lambda t: t.copy_(autograd.ones(3)), lambda t: t**2,
    ],
)  # fmt: skip
def test_what_was_kept_of_a_batch_cannot_be_used_outside(use):
    kept, w = [], leaf(W)
    y = vmap(lambda x: (kept.append(x * w), (x * w).sum())[1])(wrap(X))
    with pytest.raises(GraphError, match=r"a value for each of 5 samples of a vmap that is over.*return it from the function"):
        use(kept[0])
    assert repr(kept[0]).startswith("tensor(<5 samples of a vmap that is over, each float64 (3,):")
    assert_allclose(autograd.grad(y.sum(), w)[0].array, X.sum(0))  # while its graph is as good as ever


def test_a_module_that_keeps_a_batch_says_so_when_it_is_used():
    class Remembers(nn.Module):
        last = 0.0

        def forward(self, x):
            found, self.last = x + self.last, x
            return found

    module = Remembers()
    vmap(module)(wrap(X))
    with pytest.raises(GraphError, match="a vmap that is over"):
        module(wrap(X))


# ---------------------------------------------------------------- who looks on
def test_a_batch_prints_what_it_is(capsys):
    vmap(lambda x: print(x, f"{x.sum()}") or x, fallback="error")(tensor([[1.0, 2.0], [3.0, 4.0]]))
    expected = "tensor(<2 samples of a vmap, each float32 (2,):\n[[1. 2.]\n [3. 4.]]>)"
    assert capsys.readouterr().out.startswith(expected)


def test_anomalies_are_found_in_any_sample():
    x = tensor([[1.0, 2.0], [0.0, 4.0]])
    with detect_anomaly():
        vmap(grad(lambda x: x.exp().sum()), fallback="error")(x)
        with pytest.raises(AnomalyError, match=r"log is -inf at \[1, 0\] \(x = 0\)"), np.errstate(divide="ignore"):
            vmap(autograd.log, fallback="error")(x)
        with pytest.raises(AnomalyError, match=r"sqrt with respect to x is inf at \[1, 0\]"):
            vmap(grad(lambda x: x.sqrt().sum()), fallback="error")(x)


def test_a_picture_shows_all_samples():
    w, sources = leaf(W), []

    def f(x):
        y = (x * w).sum()
        sources.append(draw(y, {"w": w, "x": x}, show="value saved rule grad shape").source)
        return y

    y = vmap(f, fallback="error")(tensor([[1.0, 2.0, 3.5], [4.0, 5.0, 6.0]], dtype=float64))
    assert "[[1, 2, 3.5], [4, 5, 6]]" in sources[0]
    assert "leave_batch" in draw(y.sum(), {"w": w}).source


def test_what_a_tape_recorded_can_be_run_again():
    with ambient(tape=Tape()):
        tape = autograd.engine.graph.mode().tape
        found = vmap(grad(lambda x: (x.tanh() ** 2).sum()))(wrap(X))
    assert_allclose(found.array, 2 * np.tanh(X) * (1 - np.tanh(X) ** 2))
    for op, args, out in tape:
        again = op.fun(*args)
        np.testing.assert_array_equal(whole(again), whole(out))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, when PyTorch's hessian is first called
@pytest.mark.parametrize(
    "f",
    [
        lambda func: func.grad(lambda x, w: ((x * w).sin() ** 2).sum()),
        lambda func: func.hessian(lambda x, w: (x**3 * w).sum()),
        lambda func: func.vmap(lambda a, b: (a - b) ** 2, in_dims=(None, 0), out_dims=-1, chunk_size=2),
    ],
)
def test_like_pytorch(torch, f):
    import torch.func

    found = vmap(f(autograd.func), in_dims=(-2, None), out_dims=-1)(wrap(X), wrap(W))
    expected = torch.func.vmap(f(torch.func), in_dims=(-2, None), out_dims=-1)(torch.tensor(X), torch.tensor(W))
    assert_allclose(found.array, expected.numpy(), rtol=1e-10)
