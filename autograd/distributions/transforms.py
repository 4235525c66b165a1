"""Transforms: smooth functions of random numbers, with inverses and volumes, under torch.distributions.transforms' names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..api.creation import arange, as_tensor
from ..api.join import broadcast_shapes, cat
from ..engine.tensor import Tensor
from ..errors import ArgumentError, NoFormulaError
from . import constraints
from .base import as_tensors, inside_0_and_1, log_sigmoid, sum_rightmost
from .constraints import Constraint

__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "IndependentTransform", "PowerTransform", "SigmoidTransform",
    "SoftmaxTransform", "SoftplusTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip


class Transform:
    """A function from `domain` to `codomain`, with the inverse `t.inv` (torch.distributions.transforms.Transform).

    A subclass defines `_call(x)`, `_inverse(y)` and `log_abs_det_jacobian(x, y)`, the logarithm of by how much the volume at x
    grows. With `cache_size=1` the last x is kept with its y, so that the inverse of what was just drawn is exact.

    >>> import autograd
    >>> t = ComposeTransform([AffineTransform(1.0, 2.0), ExpTransform()])
    >>> y = t(autograd.tensor(1.0)); y, t.inv(y), t.log_abs_det_jacobian(autograd.tensor(1.0), y)
    (tensor(20.0855), tensor(1.), tensor(3.6931))
    """

    bijective = True
    domain: Any = constraints.real
    codomain: Any = constraints.real
    _sign = 1

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ArgumentError(f"{type(self).__name__}: cache_size is 0 or 1, got {cache_size!r}")
        self._cache_size = cache_size
        self._last: Any = (None, None)

    @property
    def event_dim(self) -> int:
        """How many dims belong to one value, if that is the same before and after."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise NoFormulaError(f"{type(self).__name__}: values have other dims than before; use domain.event_dim")
        return int(self.domain.event_dim)

    @property
    def inv(self) -> Transform:
        """The inverse, as a transform."""
        return _Inverse(self)

    @property
    def sign(self) -> Any:
        """1 where it grows, -1 where it falls."""
        return self._sign

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform, with a cache of this size."""
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        Transform.__init__(new, cache_size)
        return new

    def __call__(self, x: Tensor) -> Tensor:
        """The function's value at x."""
        if self._cache_size and x is self._last[0]:
            return self._last[1]
        y = self._call(x)
        self._last = (x, y) if self._cache_size else (None, None)
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size and y is self._last[1]:
            return self._last[0]
        x = self._inverse(y)
        self._last = (x, y) if self._cache_size else (None, None)
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NoFormulaError(f"{type(self).__name__} does not say what it computes: define {type(self).__name__}._call")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NoFormulaError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of the absolute value of the determinant of dy / dx."""
        raise NoFormulaError(f"{type(self).__name__} does not say how the volume changes")

    def forward_shape(self, shape: Any) -> Any:
        """The shape of what comes out for an input of this shape."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of the input for which this shape comes out."""
        return shape

    def _settings(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in ("_cache_size", "_last")}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        mine, theirs = self._settings(), vars(other)
        return all(bool(np.all(np.equal(*(getattr(a, "array", a) for a in (v, theirs[k]))))) if _is_number(v) else v == theirs[k]
                   for k, v in mine.items())  # fmt: skip

    __hash__ = object.__hash__

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_last": (None, None)}

    def __repr__(self) -> str:
        shown = {k: v for k, v in self._settings().items() if k[0] != "_"}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in shown.items())})"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or hasattr(value, "dtype")


class _Inverse(Transform):
    """The inverse of a transform."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._inv = transform

    domain = property(lambda self: self._inv.codomain)
    codomain = property(lambda self: self._inv.domain)
    bijective = property(lambda self: self._inv.bijective)
    sign = property(lambda self: self._inv.sign)
    inv = property(lambda self: self._inv)

    def with_cache(self, cache_size: int = 1) -> Any:
        """The inverse of the transform with a cache of this size."""
        return self._inv.with_cache(cache_size).inv

    def __call__(self, x: Tensor) -> Tensor:
        """The value of the inverse at x."""
        return self._inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Minus that of the transform."""
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        """The shape of the transform's input."""
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of the transform's output."""
        return self._inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{self._inv}.inv"


# ---------------------------------------------------------------- elementwise
class ExpTransform(Transform):
    """y = exp(x)."""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """x."""
        return x


class SigmoidTransform(Transform):
    """y = 1 / (1 + exp(-x))."""

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return inside_0_and_1(x.sigmoid())

    def _inverse(self, y: Tensor) -> Tensor:
        y = inside_0_and_1(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(y * (1 - y))."""
        return log_sigmoid(x) + log_sigmoid(-x)


class TanhTransform(Transform):
    """y = tanh(x). A y that was rounded to 1 has no inverse: keep x by `cache_size=1`.

    >>> import autograd
    >>> x = autograd.tensor([20.0]); t = TanhTransform(cache_size=1)
    >>> t.inv(t(x)), t.log_abs_det_jacobian(x, t(x))
    (tensor([20.]), tensor([-38.6137]))
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.arctanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(1 - y**2), without the cancellation for large x."""
        return 2 * (math.log(2) - x + log_sigmoid(2 * x))


class SoftplusTransform(Transform):
    """y = log(1 + exp(x))."""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.logaddexp(0)

    def _inverse(self, y: Tensor) -> Tensor:
        return y + (-(-y).expm1()).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(sigmoid(x))."""
        return log_sigmoid(x)


class PowerTransform(Transform):
    """y = x ** exponent, of positive x."""

    domain = constraints.positive
    codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = as_tensors(exponent=exponent)["exponent"]

    @property
    def sign(self) -> Any:
        """That of the exponent."""
        return self.exponent.sign()

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(exponent * y / x)."""
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Any:
        """The shape, broadcast with that of the exponent."""
        return broadcast_shapes(shape, tuple(self.exponent.shape))

    inverse_shape = forward_shape


class AffineTransform(Transform):
    """y = loc + scale * x; with `event_dim` the last dims belong to one value."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    domain = codomain = property(lambda self: constraints.independent(constraints.real, self._event_dim))

    @property
    def sign(self) -> Any:
        """That of the scale."""
        return np.sign(self.scale)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(|scale|), of each element."""
        return sum_rightmost(as_tensor(self.scale, x.dtype).abs().log().expand(tuple(x.shape)), self._event_dim)

    def forward_shape(self, shape: Any) -> Any:
        """The shape, broadcast with those of loc and scale."""
        return broadcast_shapes(shape, np.shape(self.loc), np.shape(self.scale))

    inverse_shape = forward_shape


# ---------------------------------------------------------------- of vectors
class SoftmaxTransform(Transform):
    """y = softmax(x), of vectors. It forgets what is added to all of x, so there is no volume; StickBreakingTransform has one."""

    bijective = False
    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """From n numbers to n + 1 that add up to 1: each takes the sigmoid of x of what is left; x = 0 makes all alike.

    >>> import autograd
    >>> StickBreakingTransform()(autograd.zeros(3))
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _shifted(self, x: Tensor) -> Tensor:
        return x - arange(x.shape[-1], 0, -1, dtype=x.dtype).log()

    def _call(self, x: Tensor) -> Tensor:
        z = self._shifted(x).sigmoid()
        left = cat([z[..., :1] * 0 + 1, (1 - z).cumprod(-1)], -1)
        return cat([z * left[..., :-1], left[..., -1:]], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        left = y.flip(-1).cumsum(-1).flip(-1)[..., 1:]  # what was left behind each
        n = y.shape[-1] - 1
        return y[..., :-1].log() - left.log() + arange(n, 0, -1, dtype=y.dtype).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of log(1 - z) and log(y), where z are the shares of what is left."""
        return (log_sigmoid(-self._shifted(x)) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        """One number more."""
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Any) -> Any:
        """One number less."""
        return (*shape[:-1], shape[-1] - 1)


# ---------------------------------------------------------------- made of others
class IndependentTransform(Transform):
    """A transform, of whose values the next `reinterpreted_batch_ndims` dims belong together as well."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform.with_cache(cache_size), reinterpreted_batch_ndims

    domain = property(lambda self: constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims))
    codomain = property(lambda self: constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims))
    bijective = property(lambda self: self.base_transform.bijective)
    sign = property(lambda self: self.base_transform.sign)

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform._inv_call(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum over these dims of that of the transform."""
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        """As the transform says."""
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        """As the transform says."""
        return self.base_transform.inverse_shape(shape)


class ComposeTransform(Transform):
    """One transform after the other, `parts[0]` first."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)

    @property
    def domain(self) -> Constraint:
        """What the first takes, of as many dims as any of the parts needs."""
        if not self.parts:
            return constraints.real
        domain, event_dim = self.parts[0].domain, self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            event_dim = max(event_dim + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return constraints.independent(domain, event_dim - domain.event_dim) if event_dim > domain.event_dim else domain

    @property
    def codomain(self) -> Constraint:
        """What the last makes, of as many dims as follow from the parts."""
        if not self.parts:
            return constraints.real
        codomain, event_dim = self.parts[-1].codomain, self.parts[0].domain.event_dim
        for part in self.parts:
            event_dim = max(event_dim + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return constraints.independent(codomain, event_dim - codomain.event_dim) if event_dim > codomain.event_dim else codomain

    bijective = property(lambda self: all(part.bijective for part in self.parts))
    sign = property(lambda self: math.prod(part.sign for part in self.parts))
    inv = property(lambda self: ComposeTransform([part.inv for part in reversed(self.parts)]))

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same, the parts with a cache of this size too."""
        return ComposeTransform([part.with_cache(cache_size) for part in self.parts], cache_size)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of those of the parts, each of the same dims."""
        if not self.parts:
            return x * 0
        xs, terms, event_dim = [x], [], self.domain.event_dim
        for part in self.parts[:-1]:
            xs.append(part(xs[-1]))
        for part, before, after in zip(self.parts, xs, [*xs[1:], y], strict=True):
            terms.append(sum_rightmost(part.log_abs_det_jacobian(before, after), event_dim - part.domain.event_dim))
            event_dim += part.codomain.event_dim - part.domain.event_dim
        return sum(terms[1:], terms[0])

    def forward_shape(self, shape: Any) -> Any:
        """As the parts say, one after the other."""
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """As the parts say, the last first."""
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape


identity_transform = ComposeTransform([])
