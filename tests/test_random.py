"""Random numbers: the same from the same seed, and distributed as their names say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import autograd
from autograd import errors

DRAWS = {  # what draws 100,000 numbers: their mean, standard deviation, least and greatest value
    "rand": (lambda g: autograd.rand(100, 1000, generator=g), 0.5, 12**-0.5, 0, 1),
    "rand of float16": (lambda g: autograd.rand(100_000, dtype=autograd.float16, generator=g), 0.5, 12**-0.5, 0, 1 - 2**-11),
    "rand of float64": (lambda g: autograd.rand(100_000, dtype=autograd.float64, generator=g), 0.5, 12**-0.5, 0, 1),
    "randn": (lambda g: autograd.randn(100_000, generator=g), 0, 1, -6, 6),
    "normal": (lambda g: autograd.normal(3.0, 2.0, (100_000,), generator=g), 3, 2, -9, 15),
    "normal of tensors": (lambda g: autograd.normal(autograd.full((100_000,), 3.0), 2.0, generator=g), 3, 2, -9, 15),
    "randint": (lambda g: autograd.randint(2, 5, (100_000,), generator=g).double(), 3, (2 / 3) ** 0.5, 2, 4),
    "randint from 0": (lambda g: autograd.randint(2, size=(100_000,), generator=g).double(), 0.5, 0.5, 0, 1),
    "randperm": (lambda g: autograd.randperm(100_000, generator=g).double(), 49999.5, 100_000 / 12**0.5, 0, 99_999),
    "bernoulli": (lambda g: autograd.bernoulli(autograd.full((100_000,), 0.2), generator=g), 0.2, 0.4, 0, 1),
    "bernoulli of p": (lambda g: autograd.bernoulli(autograd.zeros(100_000), 0.2, generator=g), 0.2, 0.4, 0, 1),
    "multinomial": (lambda g: autograd.multinomial(autograd.tensor([2.0, 0.0, 6.0]), 100_000, True, generator=g).double(), 1.5, 0.75**0.5, 0, 2),
    "uniform_": (lambda g: autograd.zeros(100_000).uniform_(-1, 3, generator=g), 1, 4 / 12**0.5, -1, 3),
    "normal_": (lambda g: autograd.zeros(100_000).normal_(3, 2, generator=g), 3, 2, -9, 15),
    "exponential_": (lambda g: autograd.zeros(100_000).exponential_(0.5, generator=g), 2, 2, 0, 40),
    "log_normal_": (lambda g: autograd.zeros(100_000).log_normal_(0.0, 0.25, generator=g), np.exp(1 / 32), (np.exp(1 / 8) - np.exp(1 / 16)) ** 0.5, 0.2, 5),
    "geometric_": (lambda g: autograd.zeros(100_000).geometric_(0.3, generator=g), 1 / 0.3, 0.7**0.5 / 0.3, 1, 60),
    "geometric_ whole": (lambda g: autograd.zeros(100_000).long().geometric_(0.9, generator=g), 1 / 0.9, 0.1**0.5 / 0.9, 1, 12),
    "random_": (lambda g: autograd.zeros(100_000).random_(3, generator=g), 1, (2 / 3) ** 0.5, 0, 2),
    "random_ between": (lambda g: autograd.zeros(100_000).long().random_(-1, 2, generator=g), 0, (2 / 3) ** 0.5, -1, 1),
    "random_ bytes": (lambda g: autograd.zeros(100_000, dtype=autograd.uint8).random_(generator=g), 127.5, 256 / 12**0.5, 0, 255),
    "random_ whole floats": (lambda g: autograd.zeros(100_000).random_(generator=g), 2**23, 2**24 / 12**0.5, 0, 2**24),
    "bernoulli_ of probabilities": (lambda g: autograd.zeros(100_000).bernoulli_(autograd.full((100_000,), 0.2), generator=g), 0.2, 0.4, 0, 1),
    "bernoulli_": (lambda g: autograd.zeros(100_000).bernoulli_(0.2, generator=g), 0.2, 0.4, 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_distribution(name):
    """Within four standard errors, and nothing outside the bounds; the seed decides every number."""
    draw, mean, std, low, high = DRAWS[name]
    x = draw(autograd.Generator().manual_seed(7)).array.astype(np.float64)
    assert abs(x.mean() - mean) < 4 * std / x.size**0.5
    assert_allclose(x.std(), std, rtol=0.02)
    assert low <= x.min() <= x.max() <= high
    assert np.array_equal(x, draw(autograd.Generator().manual_seed(7)).array)
    assert not np.array_equal(x, draw(autograd.Generator().manual_seed(8)).array)


def test_whole_uniform_range():
    """The quarters of [0, 1) are hit equally often; neighbouring numbers do not hang together."""
    x = autograd.rand(100_000, generator=autograd.Generator().manual_seed(0)).array.astype(np.float64)
    assert_allclose(np.histogram(x, 4, (0, 1))[0], 25_000, rtol=0.03)
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.02


def test_the_default_generator_and_its_seed():
    draws = [autograd.randn, autograd.rand, autograd.randperm, lambda n: autograd.randint(9, (n,))]
    draws += [lambda n: autograd.bernoulli(autograd.full((n,), 0.5)), lambda n: autograd.normal(0.0, 1.0, (n,))]
    assert autograd.manual_seed(3) is autograd.default_generator
    first = [draw(20).tolist() for draw in draws]
    assert [draw(20).tolist() for draw in draws] != first
    autograd.manual_seed(3)
    assert [draw(20).tolist() for draw in draws] == first


def test_generator():
    a, b = autograd.Generator().manual_seed(1), autograd.Generator().manual_seed(1)
    autograd.randn(5, generator=a)
    state = a.get_state()
    next_numbers = autograd.randn(5, generator=a).tolist()
    autograd.randn(5)  # from another generator: no business of a's
    assert autograd.randn(10, generator=b).tolist()[5:] == next_numbers
    a.set_state(state)
    assert autograd.randn(5, generator=a).tolist() == next_numbers
    seed = a.seed()
    from_seed = autograd.rand(3, generator=a).tolist()
    assert a.seed() != seed
    assert autograd.rand(3, generator=a.manual_seed(seed)).tolist() == from_seed


def test_shapes_and_dtypes():
    x = autograd.ones(2, 3, dtype=autograd.float64)
    for y, dtype in (
        (autograd.rand(2, 3), "float32"), (autograd.rand((2, 3)), "float32"), (autograd.randn(size=(2, 3)), "float32"),
        (autograd.randint(5, (2, 3)), "int64"), (autograd.randint(0, 5, (2, 3), dtype=autograd.uint8), "uint8"), (autograd.rand_like(x), "float64"),
        (autograd.randn_like(x, dtype=autograd.float32), "float32"), (autograd.randint_like(x, 1, 5), "float64"),
        (autograd.normal(x, x), "float64"), (autograd.normal(0.0, x[0]).expand(2, 3), "float64"), (autograd.bernoulli(x), "float64"),
        (autograd.multinomial(x, 3), "int64"),
    ):  # fmt: skip
        assert (y.shape, y.dtype) == ((2, 3), dtype)
        assert not y.requires_grad
    assert autograd.randn(2, requires_grad=True).requires_grad
    assert autograd.randperm(4, dtype=autograd.int32).dtype == "int32"
    assert sorted(autograd.randperm(50).tolist()) == list(range(50))


def test_bernoulli_has_the_gradient_0_by_its_probabilities():
    p = autograd.full((2, 3), 0.5, requires_grad=True)
    drawn = [autograd.bernoulli(p), p.bernoulli(), autograd.zeros(2, 3).bernoulli_(p), autograd.zeros(4, 2, 3).bernoulli_(p)]
    for y in drawn:
        assert y.requires_grad
        p.grad = None
        (y * 3).sum().backward()
        assert p.grad.tolist() == [[0] * 3] * 2
    (y,) = autograd.grad((autograd.bernoulli(p) * p).sum(), p)  # straight through: what is drawn is a constant
    assert set(y.flatten().tolist()) <= {0, 1}


def test_bernoulli_has_it_in_pytorch(torch):
    p = torch.full((2, 3), 0.5, requires_grad=True)
    for y in (torch.bernoulli(p), torch.zeros(2, 3).bernoulli_(p)):
        (found,) = torch.autograd.grad((y * 3).sum(), p)
        assert found.tolist() == [[0] * 3] * 2


def test_any_integer_is_a_seed():
    for seed in (0, -1, 2**64 - 1, np.int64(3)):
        first, second = (autograd.rand(3, generator=autograd.Generator().manual_seed(seed)).tolist() for _ in range(2))
        assert first == second


def test_fills_have_pytorchs_names_for_their_bounds():
    assert autograd.zeros(2).uniform_(to=0).tolist() == [0, 0]
    assert autograd.zeros(2).random_(from_=2, to=3).tolist() == [2, 2]


def test_multinomial_without_replacement():
    """Draws each position once at most, and none that has no weight."""
    g = autograd.Generator().manual_seed(0)
    weights = autograd.tensor([[1.0, 2.0, 0.0, 3.0], [0.0, 1.0, 1.0, 1.0]])
    drawn = np.array([autograd.multinomial(weights, 3, generator=g).tolist() for _ in range(20)])
    assert (np.sort(drawn[:, 0]) == [0, 1, 3]).all()
    assert (np.sort(drawn[:, 1]) == [1, 2, 3]).all()


def test_multinomial_without_replacement_draws_one_after_the_other():
    """The chance of an ordered pair is that of the first times that of the second among those that are left."""
    w = np.array([1.0, 2.0, 3.0, 0.0])
    rows = autograd.tensor(np.tile(w, (60_000, 1)))
    drawn = autograd.multinomial(rows, 2, generator=autograd.Generator().manual_seed(0)).array
    for i, j in ((0, 1), (1, 0), (2, 1), (1, 2), (0, 2), (2, 0)):
        chance = w[i] / w.sum() * w[j] / (w.sum() - w[i])
        found = np.mean((drawn == [i, j]).all(1))
        assert abs(found - chance) < 4 * (chance * (1 - chance) / len(drawn)) ** 0.5
    assert drawn.max() == 2


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_of_many_rows_draws_from_each_its_own(replacement):
    """Row by row as NumPy would, and never what has no weight: also at the ends of rows, where what is summed up meets."""
    rng = np.random.default_rng(0)
    weights = rng.random((20_000, 6)) * (rng.random((20_000, 6)) < 0.5)
    weights[:, 3] += 0.1
    drawn = autograd.multinomial(autograd.tensor(weights), 1, replacement, generator=autograd.Generator().manual_seed(1))
    assert drawn.shape == (20_000, 1)
    assert (np.take_along_axis(weights, drawn.array, 1) > 0).all()
    chances = weights / weights.sum(1, keepdims=True)
    counts, spread = np.bincount(drawn.array.ravel(), minlength=6), (chances * (1 - chances)).sum(0) ** 0.5
    assert (np.abs(counts - chances.sum(0)) < 4 * spread).all()


def test_a_rounded_up_draw_stays_in_its_row():
    """Where a row begins at a large number, a uniform one close to 1 is rounded up to the next row's beginning."""

    class Almost:
        numpy = property(lambda self: self)
        random = staticmethod(lambda shape: np.full(shape, 1 - 2**-53))

    weights = autograd.tensor([[1.0, 2.0, 0.0]] * 5000)
    assert (autograd.multinomial(weights, 2, True, generator=Almost()) == 1).all()


def test_cauchy_has_the_quantiles_of_its_name():
    x = autograd.zeros(100_000).cauchy_(2.0, 3.0, generator=autograd.Generator().manual_seed(0)).array
    for share in (0.1, 0.25, 0.5, 0.9):
        at = 2 + 3 * np.tan(np.pi * (share - 0.5))
        assert abs(np.mean(x < at) - share) < 4 * (share * (1 - share) / x.size) ** 0.5


def test_a_generator_knows_its_seed():
    g = autograd.Generator()
    seed = g.seed()
    assert g.initial_seed() == seed
    first = autograd.rand(3, generator=g)
    assert (first == autograd.rand(3, generator=autograd.Generator().manual_seed(seed))).all()
    assert g.manual_seed(-1).initial_seed() == 2**64 - 1
    with autograd.random.fork_rng():
        assert autograd.random.seed() == autograd.initial_seed()


def test_what_is_drawn_in_a_fork_is_forgotten():
    autograd.manual_seed(3)
    with pytest.raises(ZeroDivisionError), autograd.random.fork_rng():
        raise ZeroDivisionError(autograd.rand(5))
    a = autograd.rand(3)
    with autograd.random.fork_rng(enabled=False):
        b = autograd.rand(3)
    autograd.manual_seed(3)
    assert (a == autograd.rand(3)).all()
    assert (b == autograd.rand(3)).all()


def test_gradients_flow_through_normal():
    mean = autograd.zeros(3, requires_grad=True)
    std = autograd.full((3,), 2.0, requires_grad=True)
    x = autograd.normal(mean, std, generator=autograd.Generator().manual_seed(0))
    x.sum().backward()
    assert mean.grad.tolist() == [1, 1, 1]
    assert_allclose(std.grad.array, x.detach().array / 2, rtol=1e-6)


REFUSED = {
    "randint: high must be greater than low, got 3 to 3": lambda: autograd.randint(3, 3, (2,)),
    "randint: the sizes of a tensor are integers, none negative, got (-2,)": lambda: autograd.randint(3, (-2,)),
    "rand: the sizes of a tensor are integers, none negative, got (-2,)": lambda: autograd.rand(-2),
    "randint: integers from 0 to 299 do not all fit into uint8": lambda: autograd.randint(300, (2,), dtype=autograd.uint8),
    "randperm: the sizes of a tensor are integers, none negative, got (-1,)": lambda: autograd.randperm(-1),
    "random_: high must be greater than low, got 0 to 0": lambda: autograd.zeros(2).random_(0),
    "uniform_: the numbers lie between from_ and to, got 3 to 2": lambda: autograd.zeros(2).uniform_(3, 2),
    "cauchy_: sigma is positive, got 0": lambda: autograd.zeros(2).cauchy_(0, 0),
    "cauchy_ makes floating-point numbers, not int64": lambda: autograd.zeros(2).long().cauchy_(),
    "geometric_: p lies between 0 and 1, got 1": lambda: autograd.zeros(2).geometric_(1),
    "log_normal_: standard deviations are not negative, got -1": lambda: autograd.zeros(2).log_normal_(0, -1),
    "uniform_ makes floating-point numbers, not int64": lambda: autograd.zeros(2).long().uniform_(),
    "normal_: standard deviations are not negative, got -1": lambda: autograd.zeros(2).normal_(0, -1),
    "exponential_: lambd is positive, got 0": lambda: autograd.zeros(2).exponential_(0),
    "exponential_ makes floating-point numbers, not int64": lambda: autograd.zeros(2).long().exponential_(),
    "bernoulli_: probabilities lie between 0 and 1, got 2 to 2": lambda: autograd.zeros(2).bernoulli_(2),
    "randn makes floating-point numbers, not int64": lambda: autograd.randn(2, dtype=autograd.int64),
    "normal: standard deviations are not negative, got -1.0": lambda: autograd.normal(autograd.zeros(2), -1.0),
    "bernoulli: probabilities lie between 0 and 1, got 0.0 to 2.0": lambda: autograd.bernoulli(autograd.tensor([0.0, 2.0])),
    "multinomial needs a vector or a matrix of weights, got shape ()": lambda: autograd.multinomial(autograd.tensor(1.0), 1),
    "multinomial: the weights of a row are finite": lambda: autograd.multinomial(autograd.tensor([1.0, -1.0]), 1),
    "multinomial: 2 cannot be drawn without replacement from 1": lambda: autograd.multinomial(autograd.tensor([1.0, 0.0]), 2),
    "this generator is a PCG64, not MT19937": lambda: autograd.Generator().set_state({"bit_generator": "MT19937"}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_drawn_is_said(message):
    with pytest.raises(errors.AutogradError) as caught:
        REFUSED[message]()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(2, 3), (-3, -2), (0, 1), (0.1, 0.7), (5, 5), (1000, 1001)])
def test_uniform_numbers_stay_below_their_end(dtype, low, high):
    """However the last numbers below it are rounded."""
    x = autograd.empty(300_000, dtype=dtype).uniform_(low, high, generator=autograd.Generator().manual_seed(0)).array
    first, end = np.asarray((low, high), dtype)
    assert (x >= first).all()
    assert (x < end).all() or low == high
    assert (x == end).all() or low != high


class Highest:
    """A generator of nothing but the number that is next to 1."""

    def random(self, sizes, dtype):
        return np.full(sizes, np.nextafter(dtype(1), dtype(0)), dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_number_next_to_the_end(dtype):
    generator = autograd.Generator()
    generator.numpy = Highest()
    for low, high in ((2, 3), (0, 1), (-1, 1), (2, 1000)):
        x = autograd.empty(2, dtype=dtype).uniform_(low, high, generator=generator).array
        assert (x == np.nextafter(np.asarray(high, dtype), np.asarray(low, dtype))).all() or (
            dtype != "float16" and (x < high).all()
        )
    assert (autograd.rand(3, dtype=dtype, generator=generator) < 1).all()
