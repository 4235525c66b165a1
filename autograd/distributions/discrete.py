"""Discrete distributions: of yes and no, of counts, and of choices; all that take chances take them as `probs` or as `logits`."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from .. import ops
from ..api import random
from ..api.creation import arange, as_tensor, eye
from ..api.join import broadcast_shapes
from ..engine.tensor import Tensor
from ..errors import ArgumentError
from . import constraints
from .base import Distribution, as_tensors, away_from_0_and_1, exponentials, log_sigmoid, one_of


class _Chance(Distribution):
    """What has a chance, `probs`, or its `logits`, log(probs / (1 - probs)): whichever was not given is computed when asked for."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    @cached_property
    def probs(self) -> Any:
        """The chance."""
        return self.logits.sigmoid()

    @cached_property
    def logits(self) -> Any:
        """log(probs / (1 - probs)), finite."""
        p = away_from_0_and_1(self.probs)
        return p.log() - (-p).log1p()

    @property
    def _log_chances(self) -> tuple[Tensor, Tensor]:
        """The logarithms of the chance, and of its opposite."""
        return log_sigmoid(self.logits), log_sigmoid(-self.logits)


class Bernoulli(_Chance):
    """1 with the chance `probs`, else 0 (torch.distributions.Bernoulli).

    >>> import autograd
    >>> d = Bernoulli(autograd.tensor([0.2, 0.5]))
    >>> d.log_prob(1.0).exp(), d.mean, d.entropy()
    (tensor([0.2000, 0.5000]), tensor([0.2000, 0.5000]), tensor([0.5004, 0.6931]))
    """

    support = constraints.boolean
    has_enumerate_support = True
    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_of(self, probs=probs, logits=logits)
        self._take(validate_args, probs=probs, logits=logits)

    @property
    def mode(self) -> Tensor:
        return (self.probs >= 0.5).to(self._dtype).where(self.probs != 0.5, math.nan)

    def _draw(self, shape: Any) -> Tensor:
        return ops.random.bernoulli(random.default_generator, self.probs, tuple(shape), self._dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        yes, no = self._log_chances
        return value * yes + (1 - value) * no

    def entropy(self) -> Tensor:
        yes, no = self._log_chances
        return -(self.probs * yes + (1 - self.probs) * no)

    def _events(self) -> Tensor:
        return arange(2, dtype=self._dtype)


class Geometric(_Chance):
    """How often one fails before the first success, which has the chance `probs` (torch.distributions.Geometric).

    >>> d = Geometric(0.25)
    >>> d.mean, d.log_prob(0).exp()
    (tensor(3.), tensor(0.2500))
    """

    support = constraints.nonnegative_integer
    mean = property(lambda self: 1 / self.probs - 1)
    mode = property(lambda self: self.probs * 0)
    variance = property(lambda self: (1 / self.probs - 1) / self.probs)

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_of(self, probs=probs, logits=logits)
        self._take(validate_args, probs=probs, logits=logits)
        if self._validate_args and not (self.probs > 0).all():
            raise ArgumentError("Geometric: probs must be greater than 0, or there would be no success")

    def _draw(self, shape: Any) -> Tensor:
        return (-exponentials(shape, self._dtype) / (-away_from_0_and_1(self.probs)).log1p()).floor()

    def _log_prob(self, value: Tensor) -> Tensor:
        yes, no = self._log_chances
        return value * no + yes

    def entropy(self) -> Tensor:
        yes, no = self._log_chances
        return -(yes + no * (1 - self.probs) / self.probs)


class Binomial(_Chance):
    """How many of `total_count` tries succeed, each with the chance `probs` (torch.distributions.Binomial). Needs SciPy to compute.

    >>> d = Binomial(4, 0.5)
    >>> d.mean, d.variance, d.log_prob(2).exp()
    (tensor(2.), tensor(1.), tensor(0.3750))
    """

    arg_constraints = {"total_count": constraints.nonnegative_integer, **_Chance.arg_constraints}
    has_enumerate_support = True
    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: ((self.total_count + 1) * self.probs).floor().minimum(self.total_count))
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        one_of(self, probs=probs, logits=logits)
        self._take(validate_args, total_count=total_count, probs=probs, logits=logits)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        """Integers from 0 to `total_count`."""
        return constraints.integer_interval(0, self.total_count)

    def _draw(self, shape: Any) -> Tensor:
        return ops.random.binomial(random.default_generator, self.total_count, self.probs, tuple(shape), self._dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        (yes, no), n = self._log_chances, self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return ways + value * yes + (n - value) * no

    def entropy(self) -> Tensor:
        """As the sum over all counts."""
        log_prob = self._log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def _events(self) -> Tensor:
        n = self.total_count.detach().array
        if (n != n.flat[0]).any():
            raise ArgumentError("Binomial: enumerate_support needs one total_count for all of the batch")
        return arange(int(n.flat[0]) + 1, dtype=self._dtype)


class Poisson(Distribution):
    """How often something happens at a `rate`: rate**x * exp(-rate) / x! (torch.distributions.Poisson). Needs SciPy to compute.

    >>> d = Poisson(2.0)
    >>> d.log_prob(0), d.mode
    (tensor(-2.), tensor(2.))
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    mean = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())
    variance = property(lambda self: self.rate)

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self._take(validate_args, rate=rate)

    def _draw(self, shape: Any) -> Tensor:
        return ops.random.poisson(random.default_generator, self.rate, tuple(shape), self._dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        return value.xlogy(self.rate) - self.rate - (value + 1).lgamma()


# ---------------------------------------------------------------- choices
class Categorical(Distribution):
    """One of the positions 0 to n - 1, with the chances `probs`, here made to add up to 1 (torch.distributions.Categorical).

    `logits` are any numbers whose exponentials are in proportion to the chances; they are kept less their `logsumexp`.

    >>> import autograd
    >>> d = Categorical(logits=autograd.zeros(2, 4))
    >>> d.log_prob(autograd.tensor([0, 3])), d.entropy(), d.sample((5,)).shape
    (tensor([-1.3863, -1.3863]), tensor([1.3863, 1.3863]), (5, 2))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    mean = property(lambda self: self._missing)
    variance = property(lambda self: self._missing)
    mode = property(lambda self: self.probs.argmax(-1))
    param_shape = property(lambda self: vars(self)[self._parameters[0]].shape)

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_of(self, probs=probs, logits=logits)
        self._take(validate_args, **normalized(self, probs, logits))

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        """Integers from 0 to n - 1."""
        return constraints.integer_interval(0, self.param_shape[-1] - 1)

    @cached_property
    def probs(self) -> Any:
        """The chances."""
        return self.logits.exp()

    @cached_property
    def logits(self) -> Any:
        """The logarithms of the chances, finite."""
        return away_from_0_and_1(self.probs).log()

    @property
    def _missing(self) -> Tensor:
        """NaN: the mean of positions means nothing."""
        return self.logits[..., 0] * math.nan

    def _draw(self, shape: Any) -> Tensor:
        n = self.param_shape[-1]
        rows, draws = self.probs.reshape(-1, n), math.prod(shape) // max(math.prod(self.batch_shape), 1)
        return random.multinomial(rows, draws, True).T.reshape(tuple(shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        batch = broadcast_shapes(tuple(value.shape), self.batch_shape)
        return self.logits.expand((*batch, self.param_shape[-1])).gather(-1, value.long().expand(batch).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.probs * self.logits).sum(-1)

    def _events(self) -> Tensor:
        return arange(self.param_shape[-1])


def normalized(family: Any, probs: Any, logits: Any) -> dict[str, Any]:
    """`probs` so that they add up to 1, or `logits` so that their exponentials do."""
    ((name, t),) = as_tensors(**({"probs": probs} if logits is None else {"logits": logits})).items()
    if not t.ndim or not t.shape[-1]:
        raise ArgumentError(f"{type(family).__name__}: {name} needs a dim of choices, got shape {tuple(t.shape)}")
    return {name: t / t.sum(-1, True) if name == "probs" else t - t.logsumexp(-1, True)}


class _Choices(Distribution):
    """What is made of choices of a Categorical, and has its parameters."""

    arg_constraints = Categorical.arg_constraints
    param_shape = Categorical.param_shape
    probs, logits = Categorical.probs, Categorical.logits

    @property
    def _categorical(self) -> Categorical:
        return Categorical(**{name: vars(self)[name] for name in self._parameters}, validate_args=False)

    def _one_hot(self, choice: Tensor) -> Tensor:
        return eye(self.param_shape[-1], dtype=self._dtype)[choice]


class OneHotCategorical(_Choices):
    """As Categorical, with vectors of a 1 among zeros in place of positions (torch.distributions.OneHotCategorical).

    >>> import autograd
    >>> d = OneHotCategorical(autograd.tensor([0.25, 0.75]))
    >>> d.log_prob(autograd.tensor([0.0, 1.0])).exp(), d.mean, d.mode
    (tensor(0.7500), tensor([0.2500, 0.7500]), tensor([0., 1.]))
    """

    support = constraints.one_hot
    has_enumerate_support = True
    mean = property(lambda self: self.probs)
    mode = property(lambda self: self._one_hot(self.probs.argmax(-1)))
    variance = property(lambda self: self.probs * (1 - self.probs))

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        one_of(self, probs=probs, logits=logits)
        self._take(validate_args, **normalized(self, probs, logits))

    def _draw(self, shape: Any) -> Tensor:
        return self._one_hot(self._categorical._draw(shape[:-1]))

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._categorical._log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def _events(self) -> Tensor:
        return eye(self.param_shape[-1], dtype=self._dtype)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """As OneHotCategorical; the gradients of samples are taken to be those of `probs` (https://arxiv.org/abs/1308.3432).

    As torch.distributions.OneHotCategoricalStraightThrough.

    >>> import autograd
    >>> p = autograd.tensor([0.25, 0.75], requires_grad=True)
    >>> OneHotCategoricalStraightThrough(p).rsample().requires_grad
    True
    """

    has_rsample = True

    def _draw(self, shape: Any) -> Tensor:
        return super()._draw(shape).detach() + (self.probs - self.probs.detach())


class Multinomial(_Choices):
    """How often each choice is taken in `total_count` draws of a Categorical (torch.distributions.Multinomial). Needs SciPy to compute.

    >>> import autograd
    >>> d = Multinomial(4, autograd.tensor([0.25, 0.75]))
    >>> d.mean, d.variance, d.log_prob(autograd.tensor([1.0, 3.0])).exp()
    (tensor([1., 3.]), tensor([0.7500, 0.7500]), tensor(0.4219))
    """

    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int) or total_count < 0:
            raise ArgumentError(f"Multinomial: total_count must be one integer, 0 or greater, got {total_count!r}")
        one_of(self, probs=probs, logits=logits)
        self.total_count = total_count
        self._take(validate_args, **normalized(self, probs, logits))

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts that add up to `total_count`."""
        return constraints.multinomial(self.total_count)

    def _draw(self, shape: Any) -> Tensor:
        return self._one_hot(self._categorical._draw((self.total_count, *shape[:-1]))).sum(0)

    def _log_prob(self, value: Tensor) -> Tensor:
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + (value * self.logits.where(value > 0, 0)).sum(-1)

    def entropy(self) -> Tensor:
        """By the entropies of the counts of each choice, which are Binomial."""
        n = as_tensor(float(self.total_count), self._dtype)
        counts = Binomial(self.total_count, self.probs, validate_args=False)
        k = counts.enumerate_support(False)[1:]
        ways = (counts._log_prob(k).exp() * (k + 1).lgamma()).sum((0, -1))
        return self.total_count * self._categorical.entropy() - (n + 1).lgamma() + ways
