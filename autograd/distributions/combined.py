"""Distributions made of others: their batches taken together, their numbers transformed, and mixtures of them."""

from __future__ import annotations

from typing import Any

from ..api.creation import Size, as_shape
from ..engine.grad_mode import no_grad
from ..engine.tensor import Tensor
from ..errors import ArgumentError, ShapeError
from . import constraints
from .base import Distribution, expanded, sum_rightmost
from .transforms import ComposeTransform, Transform


class Independent(Distribution):
    """A distribution, the last `reinterpreted_batch_ndims` dims of whose batch make one event (torch.distributions.Independent).

    >>> import autograd
    >>> from autograd.distributions import Normal
    >>> d = Independent(Normal(autograd.zeros(2, 3), 1.0), 1)
    >>> d.batch_shape, d.event_shape, d.log_prob(autograd.zeros(2, 3))
    (torch.Size([2]), torch.Size([3]), tensor([-2.7568, -2.7568]))
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        if not 0 <= reinterpreted_batch_ndims <= len(batch):
            what = f"Independent: reinterpreted_batch_ndims is {reinterpreted_batch_ndims}"
            raise ArgumentError(f"{what}, but the batch has {len(batch)} dims, its shape is {tuple(batch)}")
        cut = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:cut], batch[cut:] + event, validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)
    _dtype = property(lambda self: self.base_dist._dtype)

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the distribution, for all elements of an event."""
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """As the distribution draws."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """As the distribution draws."""
        return self.base_dist.rsample(sample_shape)

    def _log_prob(self, value: Tensor) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """The sum of the entropies."""
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distributions, for a greater batch."""
        batch = as_shape("expand", (batch_shape,)) + self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand(batch), self.reinterpreted_batch_ndims, self._validate_args)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(Distribution):
    """What comes out of `transforms`, one after the other, for events of a distribution.

    As torch.distributions.TransformedDistribution.

    >>> import autograd
    >>> from autograd.distributions import Normal, TanhTransform
    >>> d = TransformedDistribution(Normal(0.0, 1.0), [TanhTransform()])
    >>> d.log_prob(0.0), d.cdf(0.0)
    (tensor(-0.9189), tensor(0.5000))
    """

    def __init__(self, base_distribution: Distribution, transforms: Any, validate_args: bool | None = None) -> None:
        self.transforms: list[Transform] = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ArgumentError(f"TransformedDistribution: transforms must be a Transform or a list of them, got {transforms!r}")
        whole, event_dim = ComposeTransform(self.transforms), len(base_distribution.event_shape)
        shape, takes = base_distribution.batch_shape + base_distribution.event_shape, whole.domain.event_dim
        if len(shape) < takes:
            raise ShapeError(f"TransformedDistribution: the transforms take {takes} dims, the distribution is of shape {shape}")
        out = whole.forward_shape(shape)
        grown = whole.inverse_shape(out)  # with what the transforms broadcast
        if grown != shape:
            base_distribution = base_distribution.expand(grown[: len(grown) - event_dim])
        if takes > event_dim:
            base_distribution = Independent(base_distribution, takes - event_dim)
        self.base_dist = base_distribution
        event_dim = max(whole.codomain.event_dim, event_dim + whole.codomain.event_dim - takes)
        super().__init__(out[: len(out) - event_dim], out[len(out) - event_dim :], validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    _dtype = property(lambda self: self.base_dist._dtype)

    @constraints.dependent_property
    def support(self) -> Any:
        """What the last transform makes."""
        if not self.transforms:
            return self.base_dist.support
        made = self.transforms[-1].codomain
        return constraints.independent(made, len(self.event_shape) - made.event_dim)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distributions, for a greater batch."""
        new = object.__new__(type(self)) if _instance is None else _instance
        shape = ComposeTransform(self.transforms).inverse_shape(as_shape("expand", (batch_shape,)) + self.event_shape)
        base = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        TransformedDistribution.__init__(new, base, self.transforms, self._validate_args)
        return new

    def _transformed(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the distribution, and transform."""
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the distribution, and transform, as a differentiable function of the parameters."""
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        event_dim: int = len(self.event_shape)
        total: Any = 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(value)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            total = total - sum_rightmost(transform.log_abs_det_jacobian(x, value), event_dim - transform.domain.event_dim)
            value = x
        return total + sum_rightmost(self.base_dist.log_prob(value), event_dim - len(self.base_dist.event_shape))

    def _falls(self, probability: Tensor) -> Tensor:
        """The probability, or one less it, if the transforms turn numbers round."""
        sign = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign * (probability - 0.5) + 0.5

    def _cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._falls(self.base_dist.cdf(value))

    def _icdf(self, value: Tensor) -> Tensor:
        return self._transformed(self.base_dist.icdf(self._falls(value)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.transforms})"


class MixtureSameFamily(Distribution):
    """The components are the last dim of a batch, of which a Categorical picks one (torch.distributions.MixtureSameFamily).

    >>> import autograd
    >>> from autograd.distributions import Categorical, Normal
    >>> d = MixtureSameFamily(Categorical(autograd.tensor([0.25, 0.75])), Normal(autograd.tensor([-1.0, 1.0]), 0.5))
    >>> d.mean, d.variance, d.cdf(0.0)
    (tensor(0.5000), tensor(1.), tensor(0.2614))
    """

    def __init__(
        self, mixture_distribution: Any, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        batch, picked = component_distribution.batch_shape, getattr(mixture_distribution, "probs", None)
        if picked is None or not batch or batch[-1] != picked.shape[-1]:
            what = f"MixtureSameFamily: components are the last dim of a batch, here of shape {tuple(batch)}"
            raise ArgumentError(f"{what}, and a Categorical has their weights, here {mixture_distribution}")
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)
        self.mixture_distribution.expand(batch[:-1])  # or an error that says why not

    mixture_distribution = property(lambda self: self._mixture_distribution, doc="With which weights components are picked.")
    component_distribution = property(lambda self: self._component_distribution, doc="The components.")
    _dtype = property(lambda self: self._component_distribution._dtype)

    @constraints.dependent_property
    def support(self) -> Any:
        """That of the components."""
        return self._component_distribution.support

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same mixtures, for a greater batch."""
        batch = as_shape("expand", (batch_shape,))
        component = self._component_distribution.expand((*batch, self._component_distribution.batch_shape[-1]))
        return MixtureSameFamily(self._mixture_distribution.expand(batch), component, self._validate_args)

    def _weighted(self, values: Tensor) -> Tensor:
        """The mean, over the components, of `values` of them."""
        weights = self._mixture_distribution.probs
        return (weights.reshape(*weights.shape, *(1,) * len(self.event_shape)) * values).sum(-1 - len(self.event_shape))

    @property
    def mean(self) -> Any:
        """The mean of the components' means."""
        return self._weighted(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        """The mean of the components' variances, and the variance of their means."""
        means = self._component_distribution.mean
        apart = means - self.mean.unsqueeze(-1 - len(self.event_shape))
        return self._weighted(self._component_distribution.variance + apart * apart)

    def _inside(self, value: Tensor) -> Tensor:
        return value.unsqueeze(-1 - len(self.event_shape))

    def _log_prob(self, value: Tensor) -> Tensor:
        return (self._component_distribution.log_prob(self._inside(value)) + self._mixture_distribution.logits).logsumexp(-1)

    def _cdf(self, value: Tensor) -> Tensor:
        return self._weighted(self._component_distribution.cdf(self._inside(value)))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw of all components, and pick."""
        with no_grad():
            drawn, size = self._component_distribution.sample(sample_shape), tuple(self.event_shape)
            picked = self._mixture_distribution.sample(sample_shape)
            batch = Size(as_shape("sample", (sample_shape,)) + self.batch_shape)
            picked = expanded(picked, batch).reshape(*batch, 1, *(1,) * len(size)).expand(*batch, 1, *size)
            return drawn.gather(len(batch), picked).squeeze(len(batch))

    def __repr__(self) -> str:
        return f"MixtureSameFamily({self._mixture_distribution}, {self._component_distribution})"
