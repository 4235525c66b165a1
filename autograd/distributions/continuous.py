"""Continuous distributions: of numbers, and of vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import ops
from ..api.creation import eye
from ..api.decomposition import cholesky, solve_triangular
from ..engine.tensor import Tensor
from ..errors import ArgumentError, ShapeError
from . import constraints
from .base import Family, exponentials, inside_0_and_1, log_gammas, normals, parameter, uniforms
from .combined import TransformedDistribution
from .transforms import ExpTransform

_EULER = 0.5772156649015329
_LOG_2PI = math.log(2 * math.pi)


# ---------------------------------------------------------------- by loc and scale
class _Standard(Family):
    """A standard distribution moved by `loc` and stretched by `scale`: a subclass has the formulas of z = (x - loc) / scale."""

    loc = parameter(constraints.real)
    scale = parameter(constraints.positive)
    support: Any = constraints.real
    has_rsample = True
    _variance: Any = 1.0  # of z, as the entropy
    _entropy: Any
    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale * self._variance**0.5)
    variance = property(lambda self: self.scale**2 * self._variance)

    def _noise(self, shape: Any) -> Tensor:
        raise self._none("sample")

    def _log_density(self, z: Tensor) -> Tensor:
        raise self._none("log_prob")

    def _chance(self, z: Tensor) -> Tensor:
        raise self._none("cdf")

    def _quantile(self, p: Tensor) -> Tensor:
        raise self._none("icdf")

    def _draw(self, shape: Any) -> Tensor:
        return self.loc + self.scale * self._noise(shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._log_density((value - self.loc) / self.scale) - self.scale.log()

    def _cdf(self, value: Tensor) -> Tensor:
        return self._chance((value - self.loc) / self.scale)

    def _icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * self._quantile(value)

    def entropy(self) -> Tensor:
        return self.scale.log() + self._entropy


class Normal(_Standard):
    """The bell curve around `loc`, as wide as `scale`: exp(-z**2 / 2) / (scale * sqrt(2 * pi)), where z = (x - loc) / scale.

    As torch.distributions.Normal.

    >>> import autograd
    >>> d = Normal(autograd.tensor([0.0, 2.0]), 1.0)
    >>> d.log_prob(1.0), d.cdf(0.0)
    (tensor([-1.4189, -1.4189]), tensor([0.5000, 0.0228]))
    """

    _entropy = (1 + _LOG_2PI) / 2

    def _noise(self, shape: Any) -> Tensor:
        return normals(shape, self._dtype)

    def _log_density(self, z: Tensor) -> Tensor:
        return -(z**2 + _LOG_2PI) / 2

    def _chance(self, z: Tensor) -> Tensor:
        return ops.elementwise.erfc(-z * math.sqrt(0.5)) / 2

    def _quantile(self, p: Tensor) -> Tensor:
        return (2 * p - 1).erfinv() * math.sqrt(2)


class LogNormal(TransformedDistribution):
    """The exponentials of numbers of Normal(loc, scale) (torch.distributions.LogNormal).

    >>> d = LogNormal(0.0, 1.0)
    >>> d.mean, d.mode, d.cdf(1.0)
    (tensor(1.6487), tensor(0.3679), tensor(0.5000))
    """

    arg_constraints = Normal.arg_constraints
    support = constraints.positive
    loc = property(lambda self: self.base_dist.loc)
    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: (self.loc + self.scale**2 / 2).exp())
    mode = property(lambda self: (self.loc - self.scale**2).exp())
    variance = property(lambda self: (self.scale**2).expm1() * self.mean**2)

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc

    def __repr__(self) -> str:
        return repr(self.base_dist).replace("Normal", "LogNormal", 1)


class HalfNormal(_Standard):
    """The absolute values of numbers of Normal(0, scale) (torch.distributions.HalfNormal).

    >>> d = HalfNormal(1.0)
    >>> d.mean, d.log_prob(0.0), d.cdf(1.0)
    (tensor(0.7979), tensor(-0.2258), tensor(0.6827))
    """

    loc = 0.0
    scale = parameter(constraints.positive)
    support = constraints.nonnegative
    _variance, _entropy = 1 - 2 / math.pi, (1 + math.log(math.pi / 2)) / 2
    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    mode = property(lambda self: self.scale * 0)

    def _noise(self, shape: Any) -> Tensor:
        return normals(shape, self._dtype).abs()

    def _log_density(self, z: Tensor) -> Tensor:
        return ((math.log(2 / math.pi) - z**2) / 2).where(z >= 0, -math.inf)

    def _chance(self, z: Tensor) -> Tensor:
        return (z.clamp(min=0) * math.sqrt(0.5)).erf()

    def _quantile(self, p: Tensor) -> Tensor:
        return p.erfinv() * math.sqrt(2)


class Laplace(_Standard):
    """Two exponential curves, back to back at `loc`: exp(-|x - loc| / scale) / (2 * scale) (torch.distributions.Laplace).

    >>> d = Laplace(0.0, 1.0)
    >>> d.log_prob(2.0), d.cdf(2.0), d.variance
    (tensor(-2.6931), tensor(0.9323), tensor(2.))
    """

    _variance, _entropy = 2.0, 1 + math.log(2)

    def _noise(self, shape: Any) -> Tensor:
        return exponentials(shape, self._dtype) - exponentials(shape, self._dtype)

    def _log_density(self, z: Tensor) -> Tensor:
        return -z.abs() - math.log(2)

    def _chance(self, z: Tensor) -> Tensor:
        return 0.5 - z.sign() * (-z.abs()).expm1() / 2

    def _quantile(self, p: Tensor) -> Tensor:
        return -(p - 0.5).sign() * (-2 * (p - 0.5).abs()).log1p()


class Cauchy(_Standard):
    """1 / (pi * scale * (1 + z**2)), z = (x - loc) / scale: tails so heavy that there is no mean (torch.distributions.Cauchy).

    >>> d = Cauchy(0.0, 1.0)
    >>> d.log_prob(0.0), d.cdf(1.0), d.mean, d.entropy()
    (tensor(-1.1447), tensor(0.7500), tensor(nan), tensor(2.5310))
    """

    _variance, _entropy = math.inf, math.log(4 * math.pi)
    mean = property(lambda self: self.loc * math.nan)

    def _noise(self, shape: Any) -> Tensor:
        return self._quantile(uniforms(shape, self._dtype))

    def _log_density(self, z: Tensor) -> Tensor:
        return -(z**2).log1p() - math.log(math.pi)

    def _chance(self, z: Tensor) -> Tensor:
        return z.arctan() / math.pi + 0.5

    def _quantile(self, p: Tensor) -> Tensor:
        return (math.pi * (p - 0.5)).tan()


class Gumbel(_Standard):
    """The greatest of many: exp(-z - exp(-z)) / scale, where z = (x - loc) / scale (torch.distributions.Gumbel).

    >>> d = Gumbel(0.0, 1.0)
    >>> d.mean, d.variance, d.cdf(0.0)
    (tensor(0.5772), tensor(1.6449), tensor(0.3679))
    """

    _variance, _entropy = math.pi**2 / 6, 1 + _EULER
    mean = property(lambda self: self.loc + self.scale * _EULER)

    def _noise(self, shape: Any) -> Tensor:
        return -exponentials(shape, self._dtype).log()

    def _log_density(self, z: Tensor) -> Tensor:
        return -z - (-z).exp()

    def _chance(self, z: Tensor) -> Tensor:
        return (-(-z).exp()).exp()

    def _quantile(self, p: Tensor) -> Tensor:
        return -(-p.log()).log()


class StudentT(_Standard):
    """A bell curve with heavy tails, the heavier the smaller `df`; Normal for infinite ones (torch.distributions.StudentT).

    Needs SciPy, but for drawing.

    >>> d = StudentT(5.0)
    >>> d.log_prob(0.0), d.variance, StudentT(1.0).mean
    (tensor(-0.9686), tensor(1.6667), tensor(nan))
    """

    df = parameter(constraints.positive)
    loc = parameter(constraints.real, 0.0)
    scale = parameter(constraints.positive, 1.0)
    mean = property(lambda self: self.loc.where(self.df > 1, math.nan))

    @property
    def _variance(self) -> Any:
        finite = self.df / (self.df - 2)
        return finite.where(self.df > 2, math.inf).where(self.df > 1, math.nan)

    def _noise(self, shape: Any) -> Tensor:
        chi2 = 2 * log_gammas(self.df / 2, shape).exp()
        return normals(shape, self._dtype) * (chi2 / self.df).rsqrt()

    @property
    def _weight(self) -> Tensor:
        return (self.df * math.pi).log() / 2 + (self.df / 2).lgamma() - (self.df / 2 + 0.5).lgamma()

    def _log_density(self, z: Tensor) -> Tensor:
        return -(self.df / 2 + 0.5) * (z**2 / self.df).log1p() - self._weight

    @property
    def _entropy(self) -> Any:
        half = self.df / 2
        return (half + 0.5) * ((half + 0.5).digamma() - half.digamma()) + self._weight


# ---------------------------------------------------------------- of positive numbers, or of those in an interval
class Uniform(Family):
    """All numbers from `low` to `high`, as likely (torch.distributions.Uniform).

    >>> d = Uniform(1.0, 3.0)
    >>> d.log_prob(2.0), d.mean, d.cdf(1.5)
    (tensor(-0.6931), tensor(2.), tensor(0.2500))
    """

    low = parameter(constraints.dependent)
    high = parameter(constraints.dependent)
    has_rsample = True
    mean = property(lambda self: (self.low + self.high) / 2)
    mode = property(lambda self: self.low * math.nan)
    stddev = property(lambda self: (self.high - self.low) / math.sqrt(12))
    variance = property(lambda self: (self.high - self.low) ** 2 / 12)

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        super()._take(validate_args, **given)
        if self._validate_args and not (self.low < self.high).all():
            raise ArgumentError(f"Uniform: low must be below high, got {self!r}")

    @constraints.dependent_property
    def support(self) -> Any:
        """From `low` to `high`."""
        return constraints.interval(self.low, self.high)

    def _draw(self, shape: Any) -> Tensor:
        return self.low + (self.high - self.low) * uniforms(shape, self._dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        return (-(self.high - self.low).log()).where((value >= self.low) & (value < self.high), -math.inf)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    def _cdf(self, value: Tensor) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def _icdf(self, value: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * value


class Exponential(Family):
    """How long one waits for what happens at a `rate`: rate * exp(-rate * x) (torch.distributions.Exponential).

    >>> d = Exponential(2.0)
    >>> d.mean, d.log_prob(0.0), d.cdf(1.0)
    (tensor(0.5000), tensor(0.6931), tensor(0.8647))
    """

    rate = parameter(constraints.positive)
    support = constraints.nonnegative
    has_rsample = True
    mean = property(lambda self: 1 / self.rate)
    mode = property(lambda self: self.rate * 0)
    stddev = property(lambda self: 1 / self.rate)
    variance = property(lambda self: self.rate**-2)

    def _draw(self, shape: Any) -> Tensor:
        return exponentials(shape, self._dtype) / self.rate

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * value

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    def _cdf(self, value: Tensor) -> Tensor:
        return -(-self.rate * value).expm1()

    def _icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate


class Gamma(Family):
    """x ** (concentration - 1) * exp(-rate * x), up to a factor (torch.distributions.Gamma).

    `rsample` moves each number so that its rank stays (implicit reparametrization, https://arxiv.org/abs/1805.08498).
    Needs SciPy, but for drawing.

    >>> d = Gamma(2.0, 1.0)
    >>> d.mean, d.mode, d.log_prob(1.0), d.cdf(2.0)
    (tensor(2.), tensor(1.), tensor(-1.), tensor(0.5940))
    """

    concentration = parameter(constraints.positive)
    rate = parameter(constraints.positive)
    support = constraints.nonnegative
    has_rsample = True
    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: (self.concentration - 1).clamp(min=0) / self.rate)
    variance = property(lambda self: self.concentration / self.rate**2)

    def _draw(self, shape: Any) -> Tensor:
        return (log_gammas(self.concentration, shape) - self.rate.log()).exp().clamp(min=float(np.finfo(self._dtype).tiny))

    def _log_prob(self, value: Tensor) -> Tensor:
        a, rate = self.concentration, self.rate
        return a.xlogy(rate) + (a - 1).xlogy(value) - rate * value - a.lgamma()

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()

    def _cdf(self, value: Tensor) -> Tensor:
        return ops.elementwise.gammainc(self.concentration, self.rate * value)


class Chi2(Gamma):
    """The sum of the squares of `df` standard normal numbers (torch.distributions.Chi2).

    >>> Chi2(3.0).mean, Chi2(3.0).variance
    (tensor(3.), tensor(6.))
    """

    df = parameter(constraints.positive)
    concentration = property(lambda self: self.df / 2)
    rate = property(lambda self: self.df * 0 + 0.5)


class Beta(Family):
    """x ** (concentration1 - 1) * (1 - x) ** (concentration0 - 1), up to a factor (torch.distributions.Beta).

    Needs SciPy, but for drawing.

    >>> d = Beta(2.0, 3.0)
    >>> d.mean, d.log_prob(0.5)
    (tensor(0.4000), tensor(0.4055))
    """

    concentration1 = parameter(constraints.positive)
    concentration0 = parameter(constraints.positive)
    support = constraints.unit_interval
    has_rsample = True
    _total = property(lambda self: self.concentration1 + self.concentration0)
    mean = property(lambda self: self.concentration1 / self._total)
    variance = property(lambda self: self.mean * (1 - self.mean) / (self._total + 1))

    @property
    def mode(self) -> Tensor:
        """Where both concentrations are below 1, the end of the greater."""
        a, b = self.concentration1, self.concentration0
        inside, other = (a - 1).clamp(min=0), (b - 1).clamp(min=0)
        return (inside / (inside + other)).where((a >= 1) | (b >= 1), (a >= b).to(a.dtype))

    def _draw(self, shape: Any) -> Tensor:
        return inside_0_and_1((log_gammas(self.concentration1, shape) - log_gammas(self.concentration0, shape)).sigmoid())

    def _log_prob(self, value: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        weight = a.lgamma() + b.lgamma() - self._total.lgamma()
        return (a - 1).xlogy(value) + (b - 1).xlogy(1 - value) - weight

    def entropy(self) -> Tensor:
        a, b, total = self.concentration1, self.concentration0, self._total
        weight = a.lgamma() + b.lgamma() - total.lgamma()
        return weight - (a - 1) * a.digamma() - (b - 1) * b.digamma() + (total - 2) * total.digamma()


# ---------------------------------------------------------------- of vectors
class Dirichlet(Family):
    """Vectors of shares, which add up to 1: the product of x ** (concentration - 1), up to a factor.

    As torch.distributions.Dirichlet. Needs SciPy, but for drawing.

    >>> import autograd
    >>> d = Dirichlet(autograd.tensor([1.0, 2.0, 1.0]))
    >>> d.mean, d.log_prob(autograd.tensor([0.25, 0.5, 0.25])), d.event_shape
    (tensor([0.2500, 0.5000, 0.2500]), tensor(1.0986), torch.Size([3]))
    """

    concentration = parameter(constraints.independent(constraints.positive, 1))
    support = constraints.simplex
    has_rsample = True
    _total = property(lambda self: self.concentration.sum(-1, True))
    mean = property(lambda self: self.concentration / self._total)
    variance = property(lambda self: self.mean * (1 - self.mean) / (self._total + 1))

    @property
    def mode(self) -> Tensor:
        """Where all concentrations are below 1, the corner of the greatest."""
        a = self.concentration
        inside = (a - 1).clamp(min=0)
        corner = (a.argmax(-1, keepdim=True) == eye(a.shape[-1]).argmax(-1)).to(a.dtype)
        return (inside / inside.sum(-1, True)).where((a >= 1).any(-1, True), corner)

    def _draw(self, shape: Any) -> Tensor:
        return log_gammas(self.concentration, shape).softmax(-1)

    def _log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        return (a - 1).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        a, total, k = self.concentration, self.concentration.sum(-1), self.event_shape[0]
        weight = a.lgamma().sum(-1) - total.lgamma()
        return weight + (total - k) * total.digamma() - ((a - 1) * a.digamma()).sum(-1)


class MultivariateNormal(Family):
    """The bell curve of vectors around `loc`, by one of covariance, its inverse, or its lower Cholesky factor.

    As torch.distributions.MultivariateNormal.

    >>> import autograd
    >>> d = MultivariateNormal(autograd.zeros(2), autograd.tensor([[2.0, 1.0], [1.0, 2.0]]))
    >>> d.log_prob(autograd.ones(2)), d.entropy()
    (tensor(-2.7205), tensor(3.3872))
    >>> d.scale_tril
    tensor([[1.4142, 0.0000],
            [0.7071, 1.2247]])
    """

    loc = parameter(constraints.real_vector)
    covariance_matrix = parameter(constraints.positive_definite, derived=lambda self: self.scale_tril @ self.scale_tril.mT)
    precision_matrix = parameter(constraints.positive_definite, derived=lambda self: self._precision())
    scale_tril = parameter(constraints.lower_cholesky, derived=lambda self: self._factor())
    support = constraints.real_vector
    has_rsample = True
    mean = property(lambda self: self.loc)
    mode = property(lambda self: self.loc)
    variance = property(lambda self: (self.scale_tril**2).sum(-1))

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        super()._take(validate_args, **given)
        name = self._parameters[1]
        if (shape := tuple(vars(self)[name].shape[-2:])) != 2 * self.event_shape:
            raise ShapeError(f"MultivariateNormal: loc has {self.event_shape[0]} elements, but {name} is {shape[0]} x {shape[1]}")

    def _factor(self) -> Any:
        if "covariance_matrix" in self._parameters:
            return cholesky(self.covariance_matrix)
        inverse = cholesky(self.precision_matrix.flip((-2, -1))).flip((-2, -1)).mT
        return solve_triangular(inverse, self._identity, upper=False)

    def _precision(self) -> Any:
        inverse = solve_triangular(self.scale_tril, self._identity, upper=False)
        return inverse.mT @ inverse

    _identity = property(lambda self: eye(self.event_shape[0], dtype=self._dtype))
    _half_log_det = property(lambda self: self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1))

    def _draw(self, shape: Any) -> Tensor:
        return self.loc + (self.scale_tril @ normals(shape, self._dtype).unsqueeze(-1)).squeeze(-1)

    def _log_prob(self, value: Tensor) -> Tensor:
        away = solve_triangular(self.scale_tril, (value - self.loc).unsqueeze(-1), upper=False).squeeze(-1)
        return -((away**2).sum(-1) + self.event_shape[0] * _LOG_2PI) / 2 - self._half_log_det

    def entropy(self) -> Tensor:
        return self._half_log_det + self.event_shape[0] * (1 + _LOG_2PI) / 2
