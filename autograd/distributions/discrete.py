"""Discrete distributions: of yes and no, of counts, and of choices; all that take chances take them as `probs` or as `logits`."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..api import random
from ..api.creation import arange, as_tensor, eye
from ..api.join import broadcast_shapes
from ..engine.tensor import Tensor
from ..errors import ArgumentError
from . import constraints
from .base import Family, as_tensors, away_from_0_and_1, exponentials, log_sigmoid, parameter


class _Chance(Family):
    """What has a chance, by `probs`, or by its `logits`, log(probs / (1 - probs))."""

    probs = parameter(constraints.unit_interval, derived=lambda self: self.logits.sigmoid())
    logits = parameter(constraints.real, derived=lambda self: (p := away_from_0_and_1(self.probs)).log() - (-p).log1p())

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

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        super()._take(validate_args, **given)
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
    """How many of `total_count` tries succeed, each with the chance `probs` (torch.distributions.Binomial).

    Needs SciPy, but for drawing.

    >>> d = Binomial(4, 0.5)
    >>> d.mean, d.variance, d.log_prob(2).exp()
    (tensor(2.), tensor(1.), tensor(0.3750))
    """

    total_count = parameter(constraints.nonnegative_integer, 1)
    probs, logits = _Chance.probs, _Chance.logits
    has_enumerate_support = True
    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: ((self.total_count + 1) * self.probs).floor().minimum(self.total_count))
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

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


class Poisson(Family):
    """How often something happens at a `rate`: rate**x * exp(-rate) / x! (torch.distributions.Poisson).

    Needs SciPy, but for drawing.

    >>> d = Poisson(2.0)
    >>> d.log_prob(0), d.mode
    (tensor(-2.), tensor(2.))
    """

    rate = parameter(constraints.nonnegative)
    support = constraints.nonnegative_integer
    mean = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())
    variance = property(lambda self: self.rate)

    def _draw(self, shape: Any) -> Tensor:
        return ops.random.poisson(random.default_generator, self.rate, tuple(shape), self._dtype)

    def _log_prob(self, value: Tensor) -> Tensor:
        return value.xlogy(self.rate) - self.rate - (value + 1).lgamma()


# ---------------------------------------------------------------- choices
class _Choice(Family):
    """What chooses among n, with the chances `probs`, here made to add up to 1, or `logits`, here less their logsumexp."""

    probs = parameter(constraints.simplex, derived=lambda self: self.logits.exp())
    logits = parameter(constraints.real_vector, derived=lambda self: away_from_0_and_1(self.probs).log())
    param_shape = property(lambda self: self._given()[self._parameters[-1]].shape)

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        ((name, t),) = as_tensors(**given).items()
        if not t.ndim or not t.shape[-1]:
            raise ArgumentError(f"{type(self).__name__}: {name} needs a dim of choices, got shape {tuple(t.shape)}")
        super()._take(validate_args, **{name: t / t.sum(-1, True) if name == "probs" else t - t.logsumexp(-1, True)})

    def _positions(self, shape: Any) -> Tensor:
        """Choices, as positions: for each of the batch as many as there are in this shape."""
        draws = math.prod(shape) // max(math.prod(self.batch_shape), 1)
        return random.multinomial(self.probs.reshape(-1, self.param_shape[-1]), draws, True).T.reshape(tuple(shape))

    def _one_hot(self, position: Tensor) -> Tensor:
        return eye(self.param_shape[-1], dtype=self._dtype)[position]

    def _log_chance(self, position: Tensor) -> Tensor:
        batch = broadcast_shapes(tuple(position.shape), self.batch_shape)
        return self.logits.expand((*batch, self.param_shape[-1])).gather(-1, position.expand(batch).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.probs * self.logits).sum(-1)


class Categorical(_Choice):
    """One of the positions 0 to n - 1, by their chances, or by numbers whose exponentials are in proportion to them.

    `probs` are made to add up to 1, `logits` are kept less their `logsumexp` (torch.distributions.Categorical).

    >>> import autograd
    >>> d = Categorical(logits=autograd.zeros(2, 4))
    >>> d.log_prob(autograd.tensor([0, 3])), d.entropy(), d.sample((5,)).shape
    (tensor([-1.3863, -1.3863]), tensor([1.3863, 1.3863]), (5, 2))
    """

    has_enumerate_support = True
    mean = property(lambda self: self.logits[..., 0] * math.nan)  # of positions it means nothing
    variance = property(lambda self: self.logits[..., 0] * math.nan)
    mode = property(lambda self: self.probs.argmax(-1))

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        """Integers from 0 to n - 1."""
        return constraints.integer_interval(0, self.param_shape[-1] - 1)

    def _draw(self, shape: Any) -> Tensor:
        return self._positions(shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._log_chance(value.long())

    def _events(self) -> Tensor:
        return arange(self.param_shape[-1])


class OneHotCategorical(_Choice):
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

    def _draw(self, shape: Any) -> Tensor:
        return self._one_hot(self._positions(shape[:-1]))

    def _log_prob(self, value: Tensor) -> Tensor:
        return self._log_chance(value.argmax(-1))

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


class Multinomial(_Choice):
    """How often each choice is taken in `total_count` draws of a Categorical (torch.distributions.Multinomial).

    Needs SciPy, but for drawing. A value has to add up to `total_count`, also where PyTorch takes less.

    >>> import autograd
    >>> d = Multinomial(4, autograd.tensor([0.25, 0.75]))
    >>> d.mean, d.variance, d.log_prob(autograd.tensor([1.0, 3.0])).exp()
    (tensor([1., 3.]), tensor([0.7500, 0.7500]), tensor(0.4219))
    """

    total_count = parameter(constraints.nonnegative_integer, 1)
    probs, logits = _Choice.probs, _Choice.logits
    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        self.total_count = given.pop("total_count")
        if not isinstance(self.total_count, int) or self.total_count < 0:
            raise ArgumentError(f"Multinomial: total_count must be one integer, 0 or greater, got {self.total_count!r}")
        super()._take(validate_args, **given)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        """Counts that add up to `total_count`."""
        return constraints.multinomial(self.total_count)

    def _draw(self, shape: Any) -> Tensor:
        return self._one_hot(self._positions((self.total_count, *shape[:-1]))).sum(0)

    def _log_prob(self, value: Tensor) -> Tensor:
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + (value * self.logits.where(value > 0, 0)).sum(-1)

    def entropy(self) -> Tensor:
        """By the entropies of the counts of each choice, which are Binomial."""
        n = as_tensor(float(self.total_count), self._dtype)
        counts = Binomial(self.total_count, self.probs, validate_args=False)
        k = counts.enumerate_support(False)[1:]
        ways = (counts._log_prob(k).exp() * (k + 1).lgamma()).sum((0, -1))
        return self.total_count * super().entropy() - (n + 1).lgamma() + ways
