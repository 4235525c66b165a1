"""What is computed in another way where arrays are large, and gives what it gives for small ones: the records draw only such."""

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import autograd
import nn.functional as F
from autograd import from_numpy, tensor
from autograd.engine.primitive import PRIMITIVES
from autograd.ops import numerics as special

RNG = np.random.default_rng(0)
BEHIND = {  # what lies behind sets an infinite gradient where the mask does not hold: it goes nowhere
    "relu": lambda x: autograd.relu(x).sqrt(),
    "clamp below": lambda x: x.clamp(min=0).sqrt() - x.clamp(0, 1).sqrt(),
    "clamp above": lambda x: (1 - x.clamp(max=1)).sqrt(),
    "hardtanh": lambda x: (F.hardtanh(x) + 1).sqrt(),
    "maximum": lambda x: autograd.maximum(x, autograd.zeros_like(x)).sqrt(),
    "minimum": lambda x: (-autograd.minimum(x, autograd.zeros_like(x))).sqrt(),
    "fmax": lambda x: autograd.fmax(x, autograd.zeros_like(x)).sqrt(),
    "fmin": lambda x: (-autograd.fmin(x, autograd.zeros_like(x))).sqrt(),
    "where": lambda x: autograd.where(x > 0, x, autograd.zeros_like(x)).sqrt(),
    "other": lambda x: autograd.where(x > 0, autograd.zeros_like(x), -x).sqrt(),
    "nan_to_num": lambda x: autograd.nan_to_num(x / (x > 0), posinf=0.0, neginf=0.0).sqrt(),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("n", [3, 3000])
@pytest.mark.parametrize("name", BEHIND)
def test_an_infinite_gradient_does_not_pass_a_mask(name, n, create_graph):
    x = from_numpy(np.tile([-1.5, 0.25, 2.0], n // 3)).requires_grad_()
    y = BEHIND[name](x)
    (g,) = autograd.grad(y.sum(), x, create_graph=create_graph)
    xs = x.detach().numpy()
    h = 1e-6
    expected = (BEHIND[name](from_numpy(xs + h)).numpy() - BEHIND[name](from_numpy(xs - h)).numpy()) / (2 * h)
    assert_allclose(g.detach().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("f", [special.erf, special.erfc])
@pytest.mark.parametrize("shape", [(3, 40_000), (2**15,), (2**15 + 1,), (0, 3), ()])
def test_blocks_make_no_difference(f, shape):
    x = np.asarray(RNG.uniform(-5, 5, shape))
    assert f(x).shape == shape
    some = np.r_[0 : x.size : 997, max(x.size - 2, 0) : x.size]
    assert_array_equal(f(x).ravel()[some], [f(v) for v in x.ravel()[some]])


def test_special_functions_of_any_layout():
    x = RNG.uniform(-3, 3, (200, 300))
    assert_array_equal(special.erf(x.T[::-2]), special.erf(x).T[::-2])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", [F.softmax, F.log_softmax])
@pytest.mark.parametrize("dim", [0, 1])
def test_the_largest_of_long_rows(op, dim):
    """With NaN, infinities and ties among them."""
    x = RNG.normal(size=(400, 60)).astype(np.float32)
    x[0, 3], x[1], x[2, :5], x[3, 7], x[4, 5] = np.nan, 2, 9, np.inf, -np.inf
    found = op(from_numpy(x), dim).numpy()
    assert found.dtype == np.float32
    for part in range(0, x.shape[1 - dim], 10):
        few = (slice(None), slice(part, part + 10)) if dim == 0 else slice(part, part + 10)
        atol = 6e-7 if op is F.log_softmax else 0  # near 0 it is as exact as the sum of the shares: 5 units each way
        assert_allclose(found[few], op(from_numpy(x[few]), dim).numpy(), rtol=1e-6, atol=atol)


@pytest.mark.parametrize("n", [1, 2, 500])
def test_a_single_row_is_carried_as_several_are(n):
    x = RNG.uniform(-1.1, 1.1, n)
    x[n // 2] = 0
    one, two = (from_numpy(v).requires_grad_() for v in (x, np.stack([x, x])))
    first, second = one.cumprod(0), two.cumprod(1)
    g = from_numpy(RNG.normal(size=n))
    (d,) = autograd.grad(first, one, g)
    (ds,) = autograd.grad(second, two, autograd.stack([g, g]))
    assert_array_equal(ds.numpy(), np.stack([d.numpy()] * 2))


# ---------------------------------------------------------------- many arguments, many results
class Doubles(autograd.Function):
    @staticmethod
    def forward(ctx, *xs):
        ctx.save_for_backward(*xs)
        return tuple(x * 2 for x in xs)

    @staticmethod
    def backward(ctx, *gs):
        return tuple(g * 2 for g in gs)


def parts(n, every=1):
    return [tensor([float(i)], requires_grad=i % every == 0) for i in range(n)]


MANY = {  # in proportion these take a second or two; by the square of the number they would take minutes
    "stack": (40_000, parts, autograd.stack),
    "stack of tracked and untracked": (40_000, lambda n: parts(n, 3), autograd.stack),
    "cat": (40_000, parts, autograd.cat),
    "cat of several dtypes": (30_000, lambda n: [x.double() if i % 2 else x for i, x in enumerate(parts(n))], autograd.cat),
    "unbind, and back": (40_000, lambda n: autograd.ones(n, requires_grad=True), lambda x: autograd.stack(x.unbind())),
    "a Function": (8_000, parts, lambda xs: autograd.cat(Doubles.apply(*xs))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_many_arguments_and_results_take_time_in_proportion(name):
    n, make, op = MANY[name]
    made = make(n)
    start = time.thread_time()
    op(made).sum().backward()
    took = time.thread_time() - start
    assert took < 5


@pytest.mark.parametrize(
    "split", [lambda x: x.unbind(), lambda x: x.split(1), lambda x: x.chunk(50), lambda x: x.tensor_split(50)]
)
def test_the_gradients_of_many_results_are_collected_in_one_list(split):
    class Shapes(tuple):
        looked = 0

        def __len__(self):
            Shapes.looked += 1
            return super().__len__()

    x = autograd.ones(50, requires_grad=True)
    results = split(x)
    node = results[0].grad_fn.parents[0]
    node.shape = Shapes(node.shape)
    sum(r.sum() for r in results).backward()
    assert Shapes.looked == 1
    assert x.grad.tolist() == [1.0] * 50


def test_stacking_ever_longer_lists_remembers_nothing_of_them():
    known = len(PRIMITIVES["stack"].__globals__["plans"])
    xs = parts(60, 2)
    for n in range(1, 60):
        for start in range(2):
            out = autograd.stack(xs[start:][:n])
            expected = [float(i % 2 == 0) for i in range(start, 60)][:n]
            if any(expected):
                for x in xs:
                    x.grad = None
                out.sum().backward()
                assert [0.0 if x.grad is None else x.grad.item() for x in xs[start:][:n]] == expected
    assert len(PRIMITIVES["stack"].__globals__["plans"]) <= known + 1


def test_an_error_about_many_arguments_names_some_of_them():
    with pytest.raises(autograd.errors.ShapeError) as info:
        autograd.stack([autograd.ones(2)] * 5000 + [autograd.ones(3)])
    assert "and 4990 more" in str(info.value)
    assert len(str(info.value)) < 1000
