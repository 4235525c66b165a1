"""Probability distributions under torch.distributions' names: what they draw, how likely a value is, and how far apart two are.

>>> import autograd
>>> from autograd.distributions import Categorical, Normal, kl_divergence
>>> loc = autograd.tensor([0.0, 1.0], requires_grad=True)
>>> kl_divergence(Normal(loc, 1.0), Normal(0.0, 1.0)).sum().backward(); loc.grad
tensor([0., 1.])
>>> Categorical(probs=autograd.tensor([0.0, 1.0])).sample((3,))
tensor([1, 1, 1])
"""

from __future__ import annotations

from . import constraints, kl, transforms
from .base import Distribution
from .combined import Independent, MixtureSameFamily, TransformedDistribution
from .continuous import (
    Beta,
    Cauchy,
    Chi2,
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
from .discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
)
from .kl import kl_divergence, register_kl
from .transforms import *

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "Dirichlet", "Distribution", "Exponential", "Gamma",
    "Geometric", "Gumbel", "HalfNormal", "Independent", "Laplace", "LogNormal", "MixtureSameFamily", "Multinomial",
    "MultivariateNormal", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson", "StudentT",
    "TransformedDistribution", "Uniform", "constraints", "kl", "kl_divergence", "register_kl", "transforms",
    *transforms.__all__,
]  # fmt: skip
