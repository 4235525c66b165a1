"""vmap: what it does at once is what a loop makes, for every record, to second order, and whatever it is nested with."""

import numpy as np
import pytest
from helpers import leaves
from samples import SAMPLES
from strategies import some_calls
from test_ops import records, smooth

import autograd
from autograd import func
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import AutogradError, BatchError
from autograd.func import grad, jacrev, vmap

SIZE = 3


# ---------------------------------------------------------------- every record
def looped(f, dims):
    """vmap by its definition."""

    def mapped(*args):
        parts = [f(*(a if d is None else a.select(d, i) for a, d in zip(args, dims, strict=True))) for i in range(SIZE)]
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


def compare(sample, order=0, nested=False, across=False, number=2):
    rng, looping = np.random.default_rng(0), set()
    for call, arrays, mask in cases(sample, number):
        if (order or across) and not any(a.dtype.kind == "f" for a in arrays):
            continue
        dims = [0 if m else None for m in mask]
        tensors = [wrap(variants(rng, a) if m else np.array(a)) for a, m in zip(arrays, mask, strict=True)]
        f = function(sample, call, order)
        batch, loop = vmap(f, tuple(dims), randomness="same", fallback="op"), looped(f, dims)
        if nested:
            outer = [None if m and i % 2 else 0 for i, m in enumerate(mask)]
            tensors = [t if d is None else wrap(np.stack([t.array, t.array[::-1] if m else t.array, t.array])) for t, d, m in zip(tensors, outer, mask, strict=True)]
            batch, loop = vmap(batch, tuple(outer), randomness="same", fallback="op"), looped(loop, outer)
        expected, found = outcome(loop, tensors, across), outcome(batch, tensors, across)
        if isinstance(found, BatchError):
            looping.add(str(found))
            continue
        if isinstance(expected, Exception) or isinstance(found, Exception):
            assert type(found) is type(expected), (mask, call, found, expected)
            continue
        for y, e in zip(found, expected, strict=True):
            assert (y.shape, y.dtype) == (e.shape, e.dtype), (mask, call)
            np.testing.assert_allclose(y.array, e.array, rtol=1e-6 if order < 2 else 1e-5, atol=1e-8, err_msg=f"{mask} {call}")
    return looping


@pytest.mark.filterwarnings("ignore")
@records("vmap")
def test_a_batch_is_what_the_loop_makes(sample):
    for order in (0, 1, 2) if sample.smooth else (0,):
        l=compare(sample, order)
        if l: print(sample.name, order, l)


@pytest.mark.filterwarnings("ignore")
@records("vmap")
def test_batches_nest_and_gradients_cross_their_borders(sample):
    compare(sample, nested=True)
    if sample.smooth:
        compare(sample, 1, nested=True)
        compare(sample, 1, across=True)
