"""The Kullback-Leibler divergence: a table of formulas by pairs of families."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..api.decomposition import solve_triangular
from ..engine.tensor import Tensor
from ..errors import ArgumentError, NoFormulaError
from .base import Distribution, sum_rightmost
from .combined import Independent, TransformedDistribution
from .continuous import (
    _EULER,
    _LOG_2PI,
    Beta,
    Cauchy,
    Dirichlet,
    Exponential,
    Gamma,
    Gumbel,
    HalfNormal,
    Laplace,
    LogNormal,
    MultivariateNormal,
    Normal,
    StudentT,
    Uniform,
)
from .discrete import Bernoulli, Binomial, Categorical, Geometric, Multinomial, OneHotCategorical, Poisson

_TABLE: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """A decorator: the function below is the divergence for these families and those made of them.

    Of several that fit, that for the nearest classes is taken (torch.distributions.register_kl).
    """
    if not (issubclass(type_p, Distribution) and issubclass(type_q, Distribution)):
        raise ArgumentError(f"register_kl takes two classes of distributions, got {type_p.__name__} and {type_q.__name__}")

    def register(function: Any) -> Any:
        _TABLE[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean, over events of `p`, of log(p / q), for each of the batch (torch.distributions.kl_divergence).

    Raises NoFormulaError, a NotImplementedError, where there is no formula; then estimate it by `p.log_prob(x) - q.log_prob(x)`.

    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0))
    tensor(0.4431)
    """
    fits = [pair for pair in _TABLE if isinstance(p, pair[0]) and isinstance(q, pair[1])]
    if not fits:
        raise NoFormulaError(f"kl_divergence: there is no formula for {type(p).__name__} and {type(q).__name__}; see register_kl")
    near = min(fits, key=lambda pair: type(p).__mro__.index(pair[0]) + type(q).__mro__.index(pair[1]))
    return _TABLE[near](p, q)


def _same(family: type) -> Callable[[Any], Any]:
    return register_kl(family, family)


# ---------------------------------------------------------------- of one family
@_same(Normal)
def _(p: Normal, q: Normal) -> Tensor:
    spread, away = (p.scale / q.scale) ** 2, ((p.loc - q.loc) / q.scale) ** 2
    return (spread + away - 1 - spread.log()) / 2


@_same(LogNormal)
def _(p: LogNormal, q: LogNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@_same(HalfNormal)
def _(p: HalfNormal, q: HalfNormal) -> Tensor:
    return kl_divergence(Normal(p.scale * 0, p.scale), Normal(q.scale * 0, q.scale))


@_same(Laplace)
def _(p: Laplace, q: Laplace) -> Tensor:
    ratio, away = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + away / q.scale + ratio * (-away / p.scale).exp() - 1


@_same(Cauchy)
def _(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log() - (4 * p.scale * q.scale).log()


@_same(Gumbel)
def _(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, away = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return -ratio.log() - away + ratio * _EULER + (away + (1 + ratio).lgamma()).exp() - (1 + _EULER)


@_same(Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    return ((q.high - q.low) / (p.high - p.low)).log().where((q.low <= p.low) & (p.high <= q.high), math.inf)


@_same(Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@_same(Gamma)
def _(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * a / p.rate


@_same(Beta)
def _(p: Beta, q: Beta) -> Tensor:
    return _shares([p.concentration1, p.concentration0], [q.concentration1, q.concentration0])


@_same(Dirichlet)
def _(p: Dirichlet, q: Dirichlet) -> Tensor:
    return _shares(p.concentration.unbind(-1), q.concentration.unbind(-1))


def _shares(p: Any, q: Any) -> Tensor:
    """For shares with these concentrations."""
    whole, other = sum(p[1:], p[0]), sum(q[1:], q[0])
    terms = [b.lgamma() - a.lgamma() + (a - b) * (a.digamma() - whole.digamma()) for a, b in zip(p, q, strict=True)]
    return whole.lgamma() - other.lgamma() + sum(terms[1:], terms[0])


@_same(MultivariateNormal)
def _(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    spread = solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    away = solve_triangular(q.scale_tril, (p.loc - q.loc).unsqueeze(-1), upper=False)
    squares = (spread**2).sum((-2, -1)) + (away**2).sum((-2, -1))
    return (squares - p.event_shape[0]) / 2 + q._half_log_det - p._half_log_det


@_same(Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    (yes, no), (other_yes, other_no) = p._log_chances, q._log_chances
    return p.probs * (yes - other_yes) + (1 - p.probs) * (no - other_no)


@_same(Geometric)
def _(p: Geometric, q: Geometric) -> Tensor:
    yes, no = q._log_chances
    return -p.entropy() - (1 - p.probs) / p.probs * no - yes


@_same(Binomial)
def _(p: Binomial, q: Binomial) -> Tensor:
    each = p.total_count * kl_divergence(Bernoulli(logits=p.logits), Bernoulli(logits=q.logits))
    if (p.total_count < q.total_count).any():
        raise NoFormulaError("kl_divergence: there is no formula for Binomial distributions, the second of more tries")
    return each.where(p.total_count == q.total_count, math.inf)


@_same(Poisson)
def _(p: Poisson, q: Poisson) -> Tensor:
    return p.rate.xlogy(p.rate / q.rate) - (p.rate - q.rate)


@_same(Categorical)
@_same(OneHotCategorical)
def _choice(p: Any, q: Any) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return terms.where(q.probs > 0, math.inf).where(p.probs > 0, 0).sum(-1)


@_same(Multinomial)
def _(p: Multinomial, q: Multinomial) -> Tensor:
    if p.total_count != q.total_count:
        raise NoFormulaError("kl_divergence: there is no formula for Multinomial distributions of different total_count")
    return p.total_count * _choice(p, q)


# ---------------------------------------------------------------- of others: minus the entropy, minus the mean of log(q)
def _and(q: type, *families: type) -> Callable[[Any], Any]:
    """Register the mean of -log(q) for these families."""

    def register(cross_entropy: Any) -> Any:
        for family in families:
            register_kl(family, q)(lambda p, q: cross_entropy(p, q) - p.entropy())
        return cross_entropy

    return register


@_and(Normal, Uniform, Exponential, Gamma, Beta, Laplace, Gumbel, HalfNormal, StudentT, LogNormal)
def _(p: Any, q: Normal) -> Tensor:
    return (p.variance + (p.mean - q.loc) ** 2) / (2 * q.scale**2) + q.scale.log() + _LOG_2PI / 2


@_and(Exponential, Gamma, Beta, HalfNormal, LogNormal)
def _(p: Any, q: Exponential) -> Tensor:
    return p.mean * q.rate - q.rate.log()


@_and(Gamma, Exponential)
def _(p: Exponential, q: Gamma) -> Tensor:
    a = q.concentration
    return q.rate / p.rate - (a - 1) * (-_EULER - p.rate.log()) - a * q.rate.log() + a.lgamma()


@_and(Laplace, Normal)
def _(p: Normal, q: Laplace) -> Tensor:
    away = (p.loc - q.loc) / (p.scale * math.sqrt(2))
    folded = p.scale * (math.sqrt(2 / math.pi) * (-(away**2)).exp() + math.sqrt(2) * away * away.erf())
    return folded / q.scale + (2 * q.scale).log()


@_and(Gumbel, Normal)
def _(p: Normal, q: Gumbel) -> Tensor:
    away = (q.loc - p.loc) / q.scale
    return -away + (away + (p.scale / q.scale) ** 2 / 2).exp() + q.scale.log()


# ---------------------------------------------------------------- made of others
@_same(Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NoFormulaError("kl_divergence: there is no formula for Independent distributions of different dims")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@_same(TransformedDistribution)
def _(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    """The same transforms change nothing."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NoFormulaError("kl_divergence: there is no formula for TransformedDistributions of different transforms")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), len(p.event_shape) - len(p.base_dist.event_shape))
