"""The records of distributions: how to make each, with which parameters, and which of SciPy's it is."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import special, stats

from autograd import distributions
from autograd.distributions import constraints


@dataclass(frozen=True)
class Family:
    """How to test one distribution."""

    name: str  # of its class; after a space, what is special here
    parameters: dict  # the name of each: its constraint, and after a comma the shape of its batch
    scipy: Callable = None  # from the parameters of one distribution to SciPy's
    make: Callable = None  # from the library, torch.distributions or ours, and the parameters; its class if left out
    exempt: dict = field(default_factory=dict)  # a property that it lacks: why

    @property
    def kind(self):
        return getattr(distributions, self.name.split()[0])

    def draw(self, seed=0, dtype=np.float64):
        """Parameters in their constraints, as arrays that broadcast together."""
        rng = np.random.default_rng(seed)
        return {name: DRAWS[constraint](rng, shape).astype(dtype) for name, (constraint, shape) in self.parameters.items()}

    def of(self, library, parameters, **options):
        """The distribution, of a library, with these parameters."""
        if self.make:
            return self.make(library, **parameters)
        return getattr(library, self.kind.__name__)(**parameters, **options)

    def each(self, parameters):
        """For each distribution of the batch, where in the batch it is, and SciPy's."""
        dims = {name: self.dims(name) for name in parameters}
        batch = np.broadcast_shapes(*(p.shape[: p.ndim - dims[name]] for name, p in parameters.items()))
        whole = {name: np.broadcast_to(p, batch + p.shape[p.ndim - dims[name] :]) for name, p in parameters.items()}
        for index in np.ndindex(batch):
            yield index, self.scipy(**{name: p[index] for name, p in whole.items()})

    def dims(self, name):
        return self.parameters[name][0].event_dim


def matrix(rng, shape):
    m = rng.normal(size=(*shape, 3, 3))
    return m @ np.swapaxes(m, -1, -2) + np.eye(3)


# ---------------------------------------------------------------- how parameters are drawn
POSITIVES = constraints.independent(constraints.positive, 1)
WIDE, COUNTS, RANGE = constraints.interval(2.5, 6), constraints.integer_interval(1, 6), constraints.interval(2, 3)
DRAWS = {
    constraints.real: lambda rng, shape: rng.uniform(-1, 1, shape),
    constraints.positive: lambda rng, shape: rng.uniform(0.5, 2.5, shape),
    constraints.unit_interval: lambda rng, shape: rng.uniform(0.1, 0.8, shape),
    constraints.simplex: lambda rng, shape: rng.dirichlet([2, 2, 2], shape),
    constraints.real_vector: lambda rng, shape: rng.uniform(-1, 1, (*shape, 3)),
    constraints.positive_definite: matrix,
    constraints.lower_cholesky: lambda rng, shape: np.linalg.cholesky(matrix(rng, shape)),
    POSITIVES: lambda rng, shape: rng.uniform(0.5, 2.5, (*shape, 3)),
    COUNTS: lambda rng, shape: np.full(shape, 4.0),
    RANGE: lambda rng, shape: rng.uniform(2, 3, shape),
    WIDE: lambda rng, shape: rng.uniform(2.5, 6, shape),
}  # by constraint; the last two keep off where variances are infinite, or intervals empty
REAL, POSITIVE = (constraints.real, (2, 1)), (constraints.positive, (3,))
CHANCE, LOGIT = (constraints.unit_interval, (2, 3)), (constraints.real, (2, 3))
SIMPLEX, VECTOR = (constraints.simplex, (2,)), (constraints.real_vector, (2,))


def softmax(logits):
    return special.softmax(logits)


def lognormal(loc, scale):
    return stats.lognorm(scale, scale=math.exp(loc))


def mvn(covariance):
    return lambda loc, **matrix: stats.multivariate_normal(loc, covariance(*matrix.values()))


class Mixture:
    """A mixture of two normal distributions, by the definition."""

    def __init__(self, probs, loc, scale):
        self.probs, self.parts = probs, [stats.norm(*each) for each in zip(loc, scale, strict=True)]

    def _sum(self, values):
        return sum(p * value for p, value in zip(self.probs, values, strict=True))

    def logpdf(self, x):
        return np.log(self._sum([part.pdf(x) for part in self.parts]))

    def cdf(self, x):
        return self._sum([part.cdf(x) for part in self.parts])

    def mean(self):
        return self._sum([part.mean() for part in self.parts])

    def var(self):
        return self._sum([part.var() + (part.mean() - self.mean()) ** 2 for part in self.parts])


class Each:
    """Independent distributions as one, of vectors."""

    def __init__(self, *parts):
        self.parts = parts

    def logpdf(self, x):
        return sum(part.logpdf(v) for part, v in zip(self.parts, np.moveaxis(x, -1, 0), strict=True))

    def entropy(self):
        return sum(part.entropy() for part in self.parts)

    def mean(self):
        return [part.mean() for part in self.parts]

    def var(self):
        return [part.var() for part in self.parts]


NO_ENTROPY = {"entropy": "none in closed form"}
NO_MOMENTS = {"moments": "it has none"}
FLOAT32 = {"entropy like PyTorch": "PyTorch computes a term of it in float32"}

# fmt: off
FAMILIES = [
    Family("Normal", {"loc": REAL, "scale": POSITIVE}, stats.norm),
    Family("LogNormal", {"loc": REAL, "scale": (constraints.unit_interval, (3,))}, lognormal),
    Family("HalfNormal", {"scale": POSITIVE}, lambda scale: stats.halfnorm(scale=scale)),
    Family("Laplace", {"loc": REAL, "scale": POSITIVE}, stats.laplace),
    Family("Cauchy", {"loc": REAL, "scale": POSITIVE}, stats.cauchy, exempt=NO_MOMENTS),
    Family("Gumbel", {"loc": REAL, "scale": POSITIVE}, stats.gumbel_r),
    Family("StudentT", {"df": (WIDE, (2, 3)), "loc": REAL, "scale": POSITIVE}, stats.t, exempt={"fourth moment": "infinite for small df", "rank": "its path has a normal number in it as well"}),
    Family("Uniform", {"low": REAL, "high": (RANGE, (3,))}, lambda low, high: stats.uniform(low, high - low)),
    Family("Exponential", {"rate": POSITIVE}, lambda rate: stats.expon(scale=1 / rate)),
    Family("Gamma", {"concentration": (constraints.positive, (2, 1)), "rate": POSITIVE}, lambda concentration, rate: stats.gamma(concentration, scale=1 / rate)),
    Family("Chi2", {"df": POSITIVE}, stats.chi2),
    Family("Beta", {"concentration1": (constraints.positive, (2, 1)), "concentration0": POSITIVE}, lambda concentration1, concentration0: stats.beta(concentration1, concentration0), exempt={"rank": "its path has two gamma numbers in it"}),
    Family("Dirichlet", {"concentration": (POSITIVES, (2,))}, lambda concentration: stats.dirichlet(concentration)),
    Family("MultivariateNormal covariance", {"loc": VECTOR, "covariance_matrix": (constraints.positive_definite, (4, 1))}, mvn(lambda m: m)),
    Family("MultivariateNormal precision", {"loc": VECTOR, "precision_matrix": (constraints.positive_definite, ())}, mvn(np.linalg.inv)),
    Family("MultivariateNormal scale", {"loc": VECTOR, "scale_tril": (constraints.lower_cholesky, (2,))}, mvn(lambda m: m @ m.T)),
    Family("Bernoulli probs", {"probs": CHANCE}, lambda probs: stats.bernoulli(probs)),
    Family("Bernoulli logits", {"logits": LOGIT}, lambda logits: stats.bernoulli(special.expit(logits))),
    Family("Geometric probs", {"probs": CHANCE}, lambda probs: stats.geom(probs, loc=-1)),
    Family("Geometric logits", {"logits": LOGIT}, lambda logits: stats.geom(special.expit(logits), loc=-1)),
    Family("Binomial probs", {"total_count": (COUNTS, ()), "probs": CHANCE}, lambda total_count, probs: stats.binom(total_count, probs)),
    Family("Binomial logits", {"total_count": (COUNTS, (3,)), "logits": LOGIT}, lambda total_count, logits: stats.binom(total_count, special.expit(logits))),
    Family("Poisson", {"rate": POSITIVE}, lambda rate: stats.poisson(rate), exempt=NO_ENTROPY),
    Family("Categorical probs", {"probs": SIMPLEX}, lambda probs: stats.rv_discrete(values=(range(3), probs)), exempt=NO_MOMENTS),
    Family("Categorical logits", {"logits": VECTOR}, lambda logits: stats.rv_discrete(values=(range(3), softmax(logits))), exempt=NO_MOMENTS),
    Family("OneHotCategorical probs", {"probs": SIMPLEX}, lambda probs: stats.multinomial(1, probs)),
    Family("OneHotCategorical logits", {"logits": VECTOR}, lambda logits: stats.multinomial(1, softmax(logits))),
    Family("OneHotCategoricalStraightThrough probs", {"probs": SIMPLEX}, lambda probs: stats.multinomial(1, probs), exempt={"reparametrized": "its gradient is biased, on purpose"}),
    Family("OneHotCategoricalStraightThrough logits", {"logits": VECTOR}, lambda logits: stats.multinomial(1, softmax(logits)), exempt={"reparametrized": "as above"}),
    Family("Multinomial probs", {"probs": SIMPLEX}, lambda probs: stats.multinomial(4, probs), lambda d, probs: d.Multinomial(4, probs), FLOAT32),
    Family("Multinomial logits", {"logits": VECTOR}, lambda logits: stats.multinomial(4, softmax(logits)), lambda d, logits: d.Multinomial(4, logits=logits), FLOAT32),
    Family("Independent", {"loc": VECTOR, "scale": (POSITIVES, ())}, lambda loc, scale: Each(*map(stats.norm, loc, scale)), lambda d, loc, scale: d.Independent(d.Normal(loc, scale), 1)),
    Family("TransformedDistribution of vectors", {"loc": VECTOR, "scale": (POSITIVES, ())}, None,
           lambda d, loc, scale: d.TransformedDistribution(d.Normal(loc, scale), d.StickBreakingTransform()), exempt=NO_ENTROPY | NO_MOMENTS),
    Family("TransformedDistribution by exp", {"loc": REAL, "scale": (constraints.unit_interval, (3,))}, lognormal,
           lambda d, loc, scale: d.TransformedDistribution(d.Normal(loc * 0, 1.0), [d.AffineTransform(loc, scale), d.ExpTransform()]), exempt=NO_ENTROPY | NO_MOMENTS),
    Family("TransformedDistribution falling", {"loc": REAL, "scale": POSITIVE}, lambda loc, scale: stats.gumbel_l(loc, scale),
           lambda d, loc, scale: d.TransformedDistribution(d.Gumbel(-loc, scale), d.AffineTransform(0.0, -1.0)), exempt=NO_ENTROPY | NO_MOMENTS),
    Family("MixtureSameFamily", {"probs": SIMPLEX, "loc": VECTOR, "scale": (POSITIVES, ())}, Mixture,
           lambda d, probs, loc, scale: d.MixtureSameFamily(d.Categorical(probs), d.Normal(loc, scale)), exempt=NO_ENTROPY),
]
# fmt: on
