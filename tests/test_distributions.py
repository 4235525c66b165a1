"""What holds for every distribution, driven by the records in families.py; transforms, constraints and divergences."""

import copy
import inspect
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from families import FAMILIES
from numpy.testing import assert_allclose

import autograd
from autograd import distributions, errors, gradcheck, tensor, vmap
from autograd.api.torch_paths import find
from autograd.distributions import Distribution, constraints, kl_divergence, register_kl, transforms
from autograd.distributions.kl import _TABLE

MANY = 20_000
LIKELY = 5  # so many standard errors: beyond is once in two million numbers


def families(*properties, where=lambda family: True):
    """Run a test for each record that does not say why it is exempt from one of these properties."""
    chosen = [f for f in FAMILIES if where(f) and f.exempt.keys().isdisjoint(properties)]
    return pytest.mark.parametrize("family", chosen, ids=lambda f: f.name)


def by_scipy(family):
    return family.scipy is not None


def drawn_again(family):
    return family.kind.has_rsample or family.make


def leaves(parameters):
    return {name: tensor(p, requires_grad=name != "total_count") for name, p in parameters.items()}


def ours(family, seed=0, dtype=np.float64):
    """A distribution of a record, its parameters as leaves, and as arrays."""
    arrays = family.draw(seed, dtype)
    given = leaves(arrays)
    return family.of(distributions, given), given, arrays


def log_prob(theirs, x):
    return (theirs.logpmf if hasattr(theirs, "logpmf") else theirs.logpdf)(x)


def variance(theirs):
    return theirs.var() if hasattr(theirs, "var") else np.diag(theirs.cov() if callable(theirs.cov) else theirs.cov)


def mean(theirs):
    return theirs.mean() if callable(theirs.mean) else theirs.mean


def formulas(d, x):
    """All that a distribution has formulas for, by name: what it is, at the values x or of the parameters alone."""
    found = {}
    for (
        name
    ) in "mean variance stddev mode probs logits scale_tril covariance_matrix precision_matrix entropy log_prob cdf icdf".split():
        try:
            value = getattr(d, name)
            found[name] = (
                value if not callable(value) else value(*[x.sigmoid() * 0.8 + 0.1 if name == "icdf" else x] * (name != "entropy"))
            )
        except (NotImplementedError, AttributeError):  # in PyTorch's case, NoneType has no attribute
            continue
    return found


def has(family, name):
    d, _, _ = ours(family)
    return name in formulas(d, d.sample())


def test_every_family_has_a_record():
    listed = [getattr(distributions, name) for name in distributions.__all__]
    kinds = {kind for kind in listed if inspect.isclass(kind) and issubclass(kind, Distribution)}
    assert {family.kind for family in FAMILIES} == kinds - {Distribution}
    given = {(family.kind, name) for family in FAMILIES for name in [*family.parameters, "total_count"]}
    assert {(kind, name) for kind in kinds for name in kind.arg_constraints} <= given


# ---------------------------------------------------------------- by SciPy
@families(where=by_scipy)
def test_log_prob(family):
    d, _, arrays = ours(family)
    x = d.sample((4,))
    found = d.log_prob(x).array
    assert found.shape == (4, *d.batch_shape)
    for index, theirs in family.each(arrays):
        assert_allclose(found[:, *index], [log_prob(theirs, row) for row in x.array[:, *index]], rtol=1e-10, atol=1e-12)


@families("moments", where=by_scipy)
def test_moments(family):
    d, _, arrays = ours(family)
    for index, theirs in family.each(arrays):
        assert_allclose(np.broadcast_to(d.mean.array, d.batch_shape + d.event_shape)[index], mean(theirs), rtol=1e-10, atol=1e-12)
        assert_allclose(d.variance.array[index], variance(theirs), rtol=1e-9)
        assert_allclose(d.stddev.array[index] ** 2, variance(theirs), rtol=1e-9)


@families("entropy", where=by_scipy)
def test_entropy(family):
    d, _, arrays = ours(family)
    for index, theirs in family.each(arrays):
        assert_allclose(d.entropy().array[index], theirs.entropy(), rtol=1e-6)  # SciPy integrates some
    assert_allclose(d.perplexity().array, np.exp(d.entropy().array))


@families(where=lambda family: by_scipy(family) and has(family, "cdf"))
def test_cdf(family):
    d, _, arrays = ours(family)
    x, u = d.sample((4,)), tensor(np.linspace(0.05, 0.95, 7).reshape(7, *[1] * len(d.batch_shape)))
    for index, theirs in family.each(arrays):
        assert_allclose(d.cdf(x).array[:, *index], theirs.cdf(x.array[:, *index]), rtol=1e-9)
    if has(family, "icdf"):
        again = d.icdf(u.expand(7, *d.batch_shape))
        assert_allclose(d.cdf(again).array, np.broadcast_to(u.array, again.shape), rtol=1e-9)


# ---------------------------------------------------------------- by differences
@families()
def test_gradients_of_log_prob(family):
    """By the parameters, and by the value where it is a number."""
    arrays = family.draw()
    x = family.of(distributions, leaves(arrays)).sample((2,))
    names = [name for name in arrays if name != "total_count"]
    fixed = {name: tensor(p) for name, p in arrays.items() if name not in names}
    moving = not family.of(distributions, leaves(arrays)).support.is_discrete and "Uniform" not in family.name

    def function(x, *given):
        d = family.of(distributions, fixed | {n: symmetric(n, g) for n, g in zip(names, given, strict=True)})
        return d.log_prob(x / x.sum(-1, keepdim=True) if d.support.says == constraints.simplex.says else x)

    inputs = [tensor(arrays[name], requires_grad=True) for name in names]
    assert gradcheck(function, [x.detach().requires_grad_(moving), *inputs], atol=1e-5)


def symmetric(name, given):
    return (given + given.mT) / 2 if name.endswith("matrix") else given.tril() if name == "scale_tril" else given


@families("entropy")
def test_gradients_of_the_entropy(family):
    arrays = family.draw()
    names = [name for name in arrays if name != "total_count"]
    fixed = {name: tensor(p) for name, p in arrays.items() if name not in names}

    def function(*given):
        return family.of(distributions, fixed | {n: symmetric(n, g) for n, g in zip(names, given, strict=True)}).entropy()

    assert gradcheck(function, [tensor(arrays[name], requires_grad=True) for name in names], atol=1e-5)


@families("reparametrized", "rank", where=lambda f: by_scipy(f) and has(f, "cdf") and drawn_again(f))
def test_a_number_moves_so_that_it_keeps_its_rank(family):
    """The derivative of rsample is that of SciPy's quantile, of the number's rank, by the parameters."""
    d, given, arrays = ours(family)
    if not d.has_rsample:
        pytest.skip("it has no rsample")
    x = d.rsample()
    grads = autograd.grad(x.sum(), list(given.values()), materialize_grads=True)
    for (name, p), g in zip(arrays.items(), grads, strict=True):
        expected = np.zeros(d.batch_shape)
        low, high = (dict(family.each(arrays | {name: p + step})) for step in (-1e-5, 1e-5))
        for index, theirs in family.each(arrays):
            u = theirs.cdf(x.detach().array[index])
            if not hasattr(theirs, "ppf"):
                pytest.skip("SciPy has no quantiles of it")
            expected[index] = (high[index].ppf(u) - low[index].ppf(u)) / 2e-5
        lead = tuple(range(expected.ndim - p.ndim))
        narrow = tuple(i for i, n in enumerate(p.shape, expected.ndim - p.ndim) if n == 1 and expected.shape[i] != 1)
        assert_allclose(np.squeeze(g.array), np.squeeze(expected.sum((*lead, *narrow))), rtol=1e-5, atol=1e-7)


# ---------------------------------------------------------------- by chance
@families("moments")
def test_samples_have_the_mean_and_the_variance(family):
    """Within 5 standard errors, and so for their squares if the fourth moment is finite."""
    d, _, _ = ours(family)
    x = d.sample((MANY,)).array
    off = x - d.mean.detach().array
    var = np.broadcast_to(d.variance.detach().array, off.shape[1:])
    assert (np.abs(off.mean(0)) <= LIKELY * np.sqrt(var / MANY)).all()
    if "fourth moment" not in family.exempt:
        squares = off**2
        assert (np.abs(squares.mean(0) - var) <= LIKELY * squares.std(0) / math.sqrt(MANY) + 1e-12).all()


@families(where=lambda family: by_scipy(family))
def test_samples_are_distributed_as_they_should_be(family):
    """Of numbers, the greatest distance of the distribution functions; of choices and counts, how often each comes."""
    d, _, arrays = ours(family)
    x = d.sample((MANY,)).array
    assert d.support.check(tensor(x)).all()
    for index, theirs in family.each(arrays):
        values = x[:, *index]
        if d.support.is_discrete:
            seen, counts = np.unique(values, axis=0, return_counts=True)
            p = np.exp([log_prob(theirs, v) for v in seen])
            assert (np.abs(counts / MANY - p) <= LIKELY * np.sqrt(p * (1 - p) / MANY) + 1 / MANY).all()
            assert p.sum() > 0.999
        elif hasattr(theirs, "cdf") and not d.event_shape:
            u = np.sort(theirs.cdf(values))
            assert np.abs(u - (np.arange(MANY) + 0.5) / MANY).max() < 2.8 / math.sqrt(MANY)  # once in three million


@families("reparametrized", "moments", where=drawn_again)
def test_rsample_has_the_gradient_of_the_mean_and_of_the_variance(family):
    """The mean of f over samples moves with the parameters as the mean of f does, for f(x) = x and, if that is finite, x**2."""
    d, given, _ = ours(family)
    if not d.has_rsample:
        pytest.skip("it has no rsample")
    size = len(d.batch_shape + d.event_shape)
    weight = tensor(np.random.default_rng(1).uniform(0.5, 1, d.batch_shape + d.event_shape))
    names = list(given.values())
    heavy = "fourth moment" in family.exempt
    for f, exact in ((lambda x: x, d.mean), (lambda x: x**2, d.variance + d.mean**2))[: 1 if heavy else 2]:
        expected = autograd.grad((exact * weight).sum(), names, retain_graph=True, materialize_grads=True)
        blocks = [
            autograd.grad((f(d.rsample((250,))) * weight).sum() / 250, names, retain_graph=True, materialize_grads=True)
            for _ in range(60)
        ]
        for e, found in zip(expected, zip(*blocks, strict=True), strict=True):
            found = np.array([g.array for g in found])
            error = found.std(0, ddof=1) / math.sqrt(len(found))
            assert (np.abs(found.mean(0) - e.array) <= 6 * error + 1e-10).all()  # of 60, one in a million is at 6
    assert size == weight.ndim


def test_gradients_of_gamma_numbers_are_pytorchs(torch):
    """For all shapes, and far into the tails."""
    rng = np.random.default_rng(0)
    a = np.exp(rng.uniform(-4, 6, 1000))
    y = np.log(rng.standard_gamma(a + 1)) - rng.standard_exponential(1000) / a
    keep = y > -200
    theirs = torch._standard_gamma_grad(torch.tensor(a[keep]), torch.tensor(np.exp(y[keep]))).numpy()
    found = -autograd.ops.elementwise.gamma_slope(1, a, y)[keep] * np.exp(y[keep])
    assert_allclose(found, theirs, rtol=2e-3)  # so far is PyTorch's, by approximations for single precision, from the integral


def test_small_concentrations_do_not_underflow():
    for dtype in (autograd.float32, autograd.float64):
        a = autograd.full((2000, 3), 0.01, dtype=dtype)
        x = distributions.Dirichlet(a).sample()
        assert x.isfinite().all()
        assert_allclose(x.sum(-1).array, 1, rtol=1e-5)
        assert abs(x.mean(0) - 1 / 3).max() < LIKELY * math.sqrt(2 / 9 / 2000)
        assert (distributions.Gamma(a, 1.0).sample() > 0).all()
        b = distributions.Beta(a, a).sample()
        assert ((b > 0) & (b < 1)).all()


# ---------------------------------------------------------------- like PyTorch's
@families()
def test_like_torch(torch, family):
    d, given, arrays = ours(family)
    theirs = {name: torch.tensor(p, requires_grad=name != "total_count") for name, p in arrays.items()}
    t = family.of(torch.distributions, theirs)
    assert (d.batch_shape, d.event_shape) == (tuple(t.batch_shape), tuple(t.event_shape))
    assert (d.has_rsample, d.has_enumerate_support) == (t.has_rsample, t.has_enumerate_support)
    assert (d.support.is_discrete, d.support.event_dim) == (t.support.is_discrete, t.support.event_dim)
    x = d.sample((3,))
    expected = formulas(t, torch.tensor(x.array))
    found = formulas(d, x)
    assert expected.keys() <= found.keys()
    for name, e in expected.items():
        rough = f"{name} like PyTorch" in family.exempt
        assert_allclose(found[name].array, e.detach().numpy(), rtol=1e-6 if rough else 1e-9, atol=1e-11, err_msg=name)
        if e.requires_grad and found[name].requires_grad and e.isfinite().all():
            for key in given.keys() - {"total_count"}:
                (g,) = autograd.grad(found[name].sum(), given[key], retain_graph=True, materialize_grads=True)
                try:
                    (w,) = torch.autograd.grad(e.sum(), theirs[key], retain_graph=True, materialize_grads=True)
                except NotImplementedError:  # of gammainc by its first argument
                    continue
                assert_allclose(*(symmetric(key, v).numpy() for v in (g, w)), rtol=1e-7, atol=1e-9, err_msg=f"{name} by {key}")
    if d.has_enumerate_support:
        for expand in (True, False):
            events = d.enumerate_support(expand)
            assert events.tolist() == t.enumerate_support(expand).tolist()
        assert_allclose(d.log_prob(d.enumerate_support()).exp().sum(0).array, 1)


def test_the_constructors_are_pytorchs(torch):
    for name in distributions.__all__:
        kind, theirs = getattr(distributions, name), getattr(torch.distributions, name, None)
        if not inspect.isclass(kind) or name == "TransformedDistribution":
            continue
        ours, wanted = (
            list(inspect.signature(k).parameters.items()) for k in (kind, theirs or getattr(torch.distributions.transforms, name))
        )
        assert [n for n, _ in ours] == [n for n, _ in wanted if n not in ("args", "kwargs")], name
        for (_, p), (_, w) in zip(ours, wanted, strict=False):
            assert (p.default is p.empty) == (w.default is w.empty), (name, p)


# ---------------------------------------------------------------- shapes and dtypes, copies and batches
@families()
def test_shapes(family):
    d, _, _ = ours(family)
    assert d.batch_shape
    shape = d.batch_shape + d.event_shape
    for size in ((), (4,), (2, 3), (0,)):
        assert d.sample(size).shape == size + shape
        assert d.log_prob(d.sample(size)).shape == size + d.batch_shape
    assert autograd.Size(shape).numel() == math.prod(shape)
    assert not d.sample().requires_grad
    if d.has_rsample:
        assert d.rsample((2,)).requires_grad
    else:
        with pytest.raises(errors.NoFormulaError, match="no gradient flows through its samples"):
            d.rsample()


@families()
def test_expand(family):
    d, given, _ = ours(family)
    x = d.sample()
    once, batch = formulas(d, x), (5, *d.batch_shape)
    wide = d.expand(batch)
    assert type(wide) is type(d)
    assert (wide.batch_shape, wide.event_shape) == (batch, d.event_shape)
    assert_allclose(wide.log_prob(x).array, np.broadcast_to(d.log_prob(x).array, batch))
    assert wide.sample((2,)).shape == (2, *batch, *d.event_shape)
    all_five = formulas(wide, x)
    assert once.keys() == all_five.keys()
    derived = once.keys() & d.arg_constraints.keys()
    assert {name: all_five[name].shape for name in derived} == {name: (5, *once[name].shape) for name in derived}
    for name, y in once.items():
        assert_allclose(all_five[name].array, np.broadcast_to(y.array, all_five[name].shape), rtol=1e-10)
        for p in [p for p in given.values() if p.requires_grad and y.requires_grad and all_five[name].shape[0] == 5]:
            g, five = (autograd.grad(z.sum(), p, retain_graph=True, materialize_grads=True)[0].array for z in (y, all_five[name]))
            assert_allclose(five, 5 * g, rtol=1e-9, atol=1e-10)


@families()
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(family, dtype):
    d, _, arrays = ours(family, dtype=np.dtype(dtype))
    x = d.sample((2,))
    found = formulas(d, x) | {"sample": x}
    assert {name: str(y.dtype) for name, y in found.items() if y.dtype.kind == "f"} == dict.fromkeys(
        found.keys() - whole(found), dtype
    )
    wide = {name: tensor(p.astype(np.float64)) for name, p in arrays.items()}
    exact = formulas(family.of(distributions, wide), x.double() if x.dtype.kind == "f" else x)
    for name, e in exact.items():
        assert_allclose(found[name].array, e.array, rtol=2e-3, atol=1e-3, err_msg=name)


def whole(found):
    return {name for name, y in found.items() if y.dtype.kind == "i"}


@families()
def test_copies(family):
    d = family.of(distributions, {name: tensor(p) for name, p in family.draw().items()})
    x = d.sample((2,))
    for again in (copy.copy(d), copy.deepcopy(d), pickle.loads(pickle.dumps(d))):
        assert type(again) is type(d)
        assert (again.log_prob(x) == d.log_prob(x)).all()
        assert repr(again) == repr(d)
        autograd.manual_seed(1)
        first = d.sample()
        autograd.manual_seed(1)
        assert (again.sample() == first).all()


@families()
def test_vmap(family):
    """Over parameters of one more dim, log_prob and samples are those of the batch."""
    arrays = {name: np.stack([family.draw(seed)[name] for seed in range(3)]) for name in family.parameters}
    singles = [family.of(distributions, {name: tensor(p[i]) for name, p in arrays.items()}) for i in range(3)]
    x = next(x for x in (singles[0].sample() for _ in range(100)) if all(d.support.check(x).all() for d in singles))
    found = vmap(lambda p: family.of(distributions, p).log_prob(x))({name: tensor(p) for name, p in arrays.items()})
    assert_allclose(found.array, np.stack([d.log_prob(x).array for d in singles]))
    drawn = vmap(lambda p: family.of(distributions, p).sample(), randomness="different")(
        {n: tensor(p) for n, p in arrays.items()}
    )
    assert drawn.shape == (3, *singles[0].sample().shape)


@families()
def test_the_seed_decides(family):
    d, _, _ = ours(family)
    autograd.manual_seed(3)
    first = d.sample((9,))
    assert not (d.sample((9,)) == first).all()
    autograd.manual_seed(3)
    assert (d.sample((9,)) == first).all()


# ---------------------------------------------------------------- what is refused
@families(where=lambda family: not family.make)
def test_parameters_out_of_their_constraints(family):
    arrays = family.draw()
    for name, p in arrays.items():
        bad = p.copy()
        bad[(-1,) * p.ndim] = np.nan
        if isinstance(family.kind.arg_constraints[name], type(constraints.dependent)):
            continue
        with pytest.raises(
            errors.ArgumentError,
            match=f"^(Log)?Normal: {name} must be .*nan"
            if "Log" in family.name
            else f"^{family.kind.__name__}: {name} must be .*nan",
        ):
            family.of(distributions, arrays | {name: bad})
        family.of(distributions, arrays | {name: bad}, validate_args=False)


@families()
def test_values_out_of_the_support(family):
    d, _, _ = ours(family)
    x = d.sample().double()
    for bad, message in ((x * np.nan, "value must be"), (autograd.zeros(7, 5, dtype=x.dtype), "a value of shape")):
        with pytest.raises(errors.AutogradError, match=message):
            d.log_prob(bad)
    below = x * 0 - 1.5
    if not d.support.check(below).any():
        with pytest.raises(errors.ArgumentError, match=f"{type(d).__name__}: value must be .*, got .*-1.5"):
            d.log_prob(below)
    if not family.make:
        family.of(distributions, family.draw(), validate_args=False)._valued(below)


REFUSED = {
    "Normal: scale must be greater than 0, got -1.0": lambda d: d.Normal(0.0, -1.0),
    "Normal: these do not broadcast together: loc (2,), scale (3,)": lambda d: d.Normal(autograd.zeros(2), autograd.ones(3)),
    "Uniform: low must be below high": lambda d: d.Uniform(2.0, 1.0),
    "Bernoulli takes one of probs, logits": lambda d: d.Bernoulli(),
    "Bernoulli takes one of probs, logits, and not more": lambda d: d.Bernoulli(0.5, 0.5),
    "Bernoulli: probs must be in [0, 1], got 1.5": lambda d: d.Bernoulli(1.5),
    "Bernoulli: value must be 0 or 1, got 0.5": lambda d: d.Bernoulli(0.5).log_prob(0.5),
    "Geometric: probs must be greater than 0": lambda d: d.Geometric(0.0),
    "Binomial: value must be an integer in [0, 3], got 4": lambda d: d.Binomial(3, 0.5).log_prob(4),
    "Binomial: enumerate_support needs one total_count": lambda d: d.Binomial(autograd.tensor([1, 2]), 0.5).entropy(),
    "Categorical: probs needs a dim of choices, got shape ()": lambda d: d.Categorical(autograd.tensor(1.0)),
    "Categorical: probs must be 0 or greater and add up to 1, got [-1.": lambda d: d.Categorical(autograd.tensor([-1.0, 2.0])),
    "Categorical: value must be an integer in [0, 1], got 2": lambda d: d.Categorical(autograd.ones(2)).log_prob(2),
    "Multinomial: total_count must be one integer": lambda d: d.Multinomial(1.5, autograd.ones(2)),
    "Multinomial: value must be counts that add up to 3": lambda d: d.Multinomial(3, autograd.ones(2)).log_prob(autograd.ones(2)),
    "Dirichlet: concentration needs 1 dims at least, got shape ()": lambda d: d.Dirichlet(1.0),
    "MultivariateNormal takes one of covariance_matrix": lambda d: d.MultivariateNormal(autograd.zeros(2)),
    "MultivariateNormal: loc has 2 elements, but scale_tril is 3 x 3": lambda d: d.MultivariateNormal(autograd.zeros(2), scale_tril=autograd.eye(3)),
    "MultivariateNormal: covariance_matrix must be a symmetric and positive-definite matrix, got [[1. 1. 1.]": lambda d: d.MultivariateNormal(autograd.zeros(2), autograd.ones(2, 3)),
    "MultivariateNormal: covariance_matrix must be a symmetric and positive-definite matrix": lambda d: d.MultivariateNormal(autograd.zeros(2), -autograd.eye(2)),
    "Independent: reinterpreted_batch_ndims is 1, but the batch has 0 dims": lambda d: d.Independent(d.Normal(0.0, 1.0), 1),
    "TransformedDistribution: transforms must be a Transform": lambda d: d.TransformedDistribution(d.Normal(0.0, 1.0), [abs]),
    "TransformedDistribution: the transforms take 1 dims": lambda d: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
    "MixtureSameFamily: components are the last dim of a batch": lambda d: d.MixtureSameFamily(d.Categorical(autograd.ones(2)), d.Normal(0.0, 1.0)),
    "Normal: icdf takes probabilities": lambda d: d.Normal(0.0, 1.0).icdf(2.0),
    "Poisson has no formula for entropy": lambda d: d.Poisson(1.0).entropy(),
    "Gamma has no formula for icdf": lambda d: d.Gamma(1.0, 1.0).icdf(0.5),
    "kl_divergence: there is no formula for Cauchy and Normal": lambda d: d.kl_divergence(d.Cauchy(0.0, 1.0), d.Normal(0.0, 1.0)),
    "TanhTransform: cache_size is 0 or 1": lambda d: d.TanhTransform(cache_size=2),
    "SoftmaxTransform does not say how the volume changes": lambda d: d.TransformedDistribution(d.Normal(autograd.zeros(2), 1.0), d.SoftmaxTransform()).log_prob(autograd.tensor([0.5, 0.5])),
    "Independent: value must be": lambda d: d.Independent(d.Exponential(autograd.ones(2)), 1).log_prob(-autograd.ones(2)),
    "register_kl takes two classes of distributions": lambda d: d.register_kl(int, d.Normal),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises(errors.AutogradError) as caught:
        REFUSED[message](distributions)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_checks_can_be_switched_off():
    Distribution.set_default_validate_args(False)
    try:
        assert distributions.Normal(0.0, -1.0).sample().isfinite()
    finally:
        Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="scale"):
        distributions.Normal(0.0, -1.0)
    with pytest.raises(NotImplementedError):
        distributions.Cauchy(0.0, 1.0).enumerate_support()


# ---------------------------------------------------------------- of one's own
class Coin(Distribution):
    """As one writes a distribution for PyTorch."""

    arg_constraints = {"bias": constraints.unit_interval}  # noqa: RUF012
    support = constraints.boolean

    def __init__(self, bias, validate_args=None):
        self.bias = bias
        super().__init__(bias.shape, validate_args=validate_args)

    def sample(self, sample_shape=()):
        return (autograd.rand(self._extended_shape(sample_shape)) < self.bias).float()

    def log_prob(self, value):
        self._validate_sample(value)
        return (value * self.bias + (1 - value) * (1 - self.bias)).log()


@register_kl(Coin, distributions.Bernoulli)
def coin(p, q):
    return kl_divergence(distributions.Bernoulli(p.bias), q)


def test_a_distribution_of_ones_own():
    d = Coin(tensor([0.25, 0.5]))
    assert d.sample((3,)).shape == (3, 2)
    assert_allclose(d.log_prob(autograd.ones(2)).exp().array, [0.25, 0.5])
    assert_allclose(kl_divergence(d, distributions.Bernoulli(tensor([0.25, 0.5]))).array, 0, atol=1e-7)
    for wrong in (lambda: Coin(tensor([2.0])), lambda: d.log_prob(autograd.zeros(2) + 0.5), lambda: d.expand((3, 2)), d.entropy):
        with pytest.raises((errors.ArgumentError, errors.NoFormulaError), match="Coin"):
            wrong()


# ---------------------------------------------------------------- divergences
def records(kind):
    """A record of each way to make a distribution of this class."""
    return next((f for f in FAMILIES if f.kind is kind), None)


PAIRS = [pair for pair in _TABLE if all(records(kind) for kind in pair)]


@pytest.mark.parametrize(("p", "q"), PAIRS, ids=lambda kind: kind.__name__)
def test_divergence(p, q):
    """It is 0 to itself, and what the mean of log(p / q) over samples of p is."""
    first, second = records(p), records(q)
    if p is q:
        same, _, _ = ours(first)
        assert_allclose(kl_divergence(same, same).array, 0, atol=1e-12)
    d, _, _ = ours(first)
    other, _, _ = ours(second, seed=7)
    found = kl_divergence(d, other).detach().array
    assert (found >= 0).all()
    if np.isinf(found).all():
        pytest.skip("everywhere infinite, for these parameters")
    if d.batch_shape != other.batch_shape:
        d = d.expand(np.broadcast_shapes(d.batch_shape, other.batch_shape))
    x = d.sample((MANY,))
    other = second.of(distributions, second.draw(7), validate_args=False) if not second.make else other
    with np.errstate(invalid="ignore"):
        terms = (d.log_prob(x) - other.log_prob(x)).detach().array
    finite = np.isfinite(found)
    within = LIKELY * terms[:, finite].std(0) / math.sqrt(MANY) + 1e-12
    assert (np.abs(terms[:, finite].mean(0) - found[finite]) <= within).all()


@pytest.mark.parametrize(("p", "q"), PAIRS, ids=lambda kind: kind.__name__)
def test_divergence_like_torch(torch, p, q):
    arrays = records(p).draw(0), records(q).draw(7)
    theirs = [r.of(torch.distributions, {k: torch.tensor(v, requires_grad=k != "total_count") for k, v in a.items()}) for r, a in zip(map(records, (p, q)), arrays, strict=True)]  # fmt: skip
    try:
        expected = torch.distributions.kl_divergence(*theirs)
    except NotImplementedError:
        pytest.skip("PyTorch has no formula")
    given = [leaves(a) for a in arrays]
    found = kl_divergence(*(r.of(distributions, g) for r, g in zip(map(records, (p, q)), given, strict=True)))
    assert_allclose(found.array, expected.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_divergences_for_which_there_is_no_formula():
    """In infinite cases it is infinite; of distributions that cannot be compared it says so."""
    d = distributions
    assert kl_divergence(d.Uniform(0.0, 2.0), d.Uniform(0.0, 1.0)) == math.inf
    assert kl_divergence(d.Categorical(tensor([0.5, 0.5])), d.Categorical(tensor([1.0, 0.0]))) == math.inf
    assert_allclose(
        kl_divergence(d.Categorical(tensor([1.0, 0.0])), d.Categorical(tensor([0.5, 0.5]))).array, math.log(2), rtol=1e-6
    )
    assert kl_divergence(d.Binomial(3, 0.5), d.Binomial(2, 0.5)) == math.inf
    normal = d.Normal(autograd.zeros(2), 1.0)
    for p, q in (
        (d.Binomial(2, 0.5), d.Binomial(3, 0.5)),
        (d.Multinomial(2, autograd.ones(2)), d.Multinomial(3, autograd.ones(2))),
        (d.Independent(normal, 1), d.Independent(normal, 0)),
        (d.TransformedDistribution(normal, d.ExpTransform()), d.TransformedDistribution(normal, d.TanhTransform())),
    ):
        with pytest.raises(NotImplementedError, match="there is no formula"):
            kl_divergence(p, q)


# ---------------------------------------------------------------- transforms
ARGUMENTS = {
    "AffineTransform": (1.5, -2.0), "PowerTransform": (2.0,),
    "IndependentTransform": lambda d: (d.ExpTransform(), 1),
    "ComposeTransform": lambda d: ([d.AffineTransform(0.5, 2.0), d.StickBreakingTransform()],),
}  # fmt: skip
TRANSFORMS = [name for name in transforms.__all__ if name not in ("Transform", "identity_transform")]


def transform(name, library):
    arguments = ARGUMENTS.get(name, ())
    return getattr(library, name)(*(arguments(library) if callable(arguments) else arguments))


def points(name):
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (4, 2, 3))
    return np.abs(x) if name == "PowerTransform" else x


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform(name):
    """The inverse leads back, and the volume grows as the determinant of the Jacobian says."""
    t, x = transform(name, distributions), tensor(points(name))
    y = t(x)
    assert t.codomain.check(y).all()
    assert y.shape == t.forward_shape(x.shape)
    assert x.shape == t.inverse_shape(y.shape)
    assert_allclose(t(t.inv(y)).array, y.array, rtol=1e-10, atol=1e-12)
    assert t.inv.inv is t or name == "ComposeTransform"
    if not t.bijective:
        with pytest.raises(errors.NoFormulaError, match="volume"):
            t.log_abs_det_jacobian(x, y)
        return
    assert_allclose(t.inv(y).array, x.array, rtol=1e-10)
    k = t.domain.event_dim
    assert t.log_abs_det_jacobian(x, y).shape == x.shape[: x.ndim - k]
    assert_allclose(t.inv.log_abs_det_jacobian(y, x).array, -t.log_abs_det_jacobian(x, y).array)
    event = x[(0,) * (x.ndim - k)]
    jacobian = autograd.functional.jacobian(t, event).reshape(-1, event.numel())[
        : event.numel()
    ]  # of a simplex, without the last
    expected = np.linalg.slogdet(jacobian.array)[1]
    assert_allclose(t.log_abs_det_jacobian(event, t(event)).array, expected, rtol=1e-9, atol=1e-12)
    if k == 0:
        assert (np.sign(np.diff(t(tensor(np.linspace(0.1, 1, 5))).array)) == np.array(t.sign)).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_like_torch(torch, name):
    theirs, t, x = transform(name, torch.distributions), transform(name, distributions), points(name)
    y, e = t(tensor(x)), theirs(torch.tensor(x))
    assert_allclose(y.array, e.numpy(), rtol=1e-10)
    sides = [(d.domain.event_dim, d.codomain.event_dim, d.bijective) for d in (t, theirs)]
    assert sides[0] == sides[1]
    if t.bijective:
        expected = theirs.log_abs_det_jacobian(torch.tensor(x), e).numpy()
        assert_allclose(t.log_abs_det_jacobian(tensor(x), y).array, expected, rtol=1e-8, atol=1e-12)


def test_a_cache_makes_the_inverse_exact():
    x = tensor([30.0])
    kept = transforms.TanhTransform(cache_size=1)
    assert kept.inv(kept(x)) is x
    d = distributions.TransformedDistribution(distributions.Normal(tensor([20.0]), 1.0), kept)
    assert d.log_prob(d.rsample()).isfinite().all()
    assert copy.deepcopy(kept) == kept
    assert kept.with_cache(0)._cache_size == 0


def test_transforms_are_equal_if_they_do_the_same():
    t = transforms
    assert t.AffineTransform(1.0, tensor([2.0])) == t.AffineTransform(1.0, tensor([2.0]))
    assert t.AffineTransform(1.0, 2.0) != t.AffineTransform(1.0, 3.0)
    assert t.ExpTransform() != t.TanhTransform()
    assert (
        repr(t.ComposeTransform([t.ExpTransform(), t.AffineTransform(0, 1)]))
        == "ComposeTransform(parts=[ExpTransform(), AffineTransform(loc=0, scale=1)])"
    )


# ---------------------------------------------------------------- constraints
GOOD_AND_BAD = {
    "real": (0.0, math.nan), "positive": (0.5, 0.0), "nonnegative": (0.0, -1.0), "unit_interval": (1.0, 1.5), "boolean": (1.0, 0.5),
    "nonnegative_integer": (0.0, 0.5), "positive_integer": (1.0, 0.0), "real_vector": ([0.0], [math.nan]),
    "one_hot": ([0.0, 1.0], [1.0, 1.0]), "simplex": ([0.25, 0.75], [0.5, 0.6]), "square": ([[1.0]], [[1.0, 2.0]]),
    "symmetric": ([[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [0.0, 1.0]]), "positive_definite": ([[2.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [2.0, 1.0]]),
    "lower_triangular": ([[1.0, 0.0], [2.0, -1.0]], [[1.0, 1.0], [0.0, 1.0]]), "lower_cholesky": ([[1.0, 0.0], [2.0, 1.0]], [[1.0, 0.0], [2.0, -1.0]]),
    "corr_cholesky": ([[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [1.0, 1.0]]),
    "interval": (2.0, 2.5), "half_open_interval": (0.0, 2.0), "integer_interval": (2.0, 0.5), "greater_than": (1.5, 1.0),
    "greater_than_eq": (1.0, 0.5), "less_than": (0.5, 1.0), "multinomial": ([1.0, 2.0], [1.0, 1.0]), "independent": ([1.0, 2.0], [1.0, 0.0]),
}  # fmt: skip
ARGUED = {
    **dict.fromkeys(("interval", "half_open_interval", "integer_interval"), (0, 2)), "multinomial": (3,),
    **dict.fromkeys(("greater_than", "greater_than_eq", "less_than"), (1,)), "independent": lambda c: (c.positive, 1),
}  # fmt: skip


def test_every_constraint_is_tried():
    assert GOOD_AND_BAD.keys() == set(constraints.__all__) - {"Constraint", "dependent", "dependent_property", "is_dependent"}


def constraint(name, library):
    arguments = ARGUED.get(name, ())
    return (
        getattr(library, name)(*(arguments(library) if callable(arguments) else arguments))
        if arguments
        else getattr(library, name)
    )


@pytest.mark.parametrize("name", GOOD_AND_BAD)
def test_constraint(name):
    good, bad = (constraint(name, constraints).check(tensor(value)) for value in GOOD_AND_BAD[name])
    assert (good.tolist(), bad.tolist()) == (True, False)


@pytest.mark.parametrize("name", GOOD_AND_BAD)
def test_constraint_like_torch(torch, name):
    ours, theirs = constraint(name, constraints), constraint(name, torch.distributions.constraints)
    for value in GOOD_AND_BAD[name][: 1 if name == "multinomial" else 2]:  # PyTorch's takes fewer counts, but not their number
        assert ours.check(tensor(value)).tolist() == theirs.check(torch.tensor(value)).tolist()
    assert (ours.is_discrete, ours.event_dim) == (theirs.is_discrete, theirs.event_dim)


# ---------------------------------------------------------------- where it is, and what it needs
def test_it_is_imported_when_asked_for():
    """By its name, or by PyTorch's."""
    code = "import autograd, sys; before = 'autograd.distributions' in sys.modules; print(before, autograd.distributions.Normal.__name__)"
    path = str(Path(autograd.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert (done.stdout, done.stderr) == ("False Normal\n", "")
    assert find("distributions") is autograd.distributions is distributions
    assert find("distributions.normal").Normal is distributions.Normal
    assert find("distributions.distribution").Distribution is Distribution


def test_drawing_needs_no_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    for family in FAMILIES:
        d, _, _ = ours(family)
        assert d.sample((2,)).shape == (2, *d.batch_shape, *d.event_shape)
    with pytest.raises(errors.MissingError, match="pip install"):
        distributions.Gamma(1.0, 1.0).log_prob(1.0)
