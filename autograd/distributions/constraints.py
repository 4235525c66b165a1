"""Constraints: sets in which parameters and events of distributions lie, under torch.distributions.constraints' names."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from ..engine.primitive import as_array
from ..engine.tensor import Tensor, wrap
from ..errors import NoFormulaError

__all__ = [
    "Constraint", "boolean", "corr_cholesky", "dependent", "dependent_property", "greater_than", "greater_than_eq",
    "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
    "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite",
    "positive_integer", "real", "real_vector", "simplex", "square", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values, each an array of `event_dim` dims; `check` tells for each value whether it lies in it.

    >>> import autograd
    >>> positive.check(autograd.tensor([2.0, 0.0, autograd.nan])), simplex.event_dim
    (tensor([ True, False, False]), 1)
    """

    is_discrete = False
    event_dim = 0
    says = "valid"  # how an error goes on after "must be"

    def check(self, value: Tensor) -> Tensor:
        """For each value, whether it lies in the set."""
        raise NoFormulaError(f"{type(self).__name__} does not say which values lie in it: define check")

    def __repr__(self) -> str:
        return f"<constraint: {self.says}>"


class _Where(Constraint):
    """The values, or arrays of values, for which `test`, a function of arrays, holds."""

    def __init__(self, says: str, test: Callable[[Any], Any], event_dim: int = 0, is_discrete: bool = False) -> None:
        self.says, self.test, self.event_dim, self.is_discrete = says, test, event_dim, is_discrete

    def check(self, value: Tensor) -> Tensor:
        """For each value, whether it lies in the set."""
        return wrap(as_array(self.test(value.array)))


class interval(Constraint):
    """The numbers from `lower_bound` to `upper_bound`, both included; or without the ends, or the integers only."""

    ends = "[]"

    def __init__(self, lower_bound: Any = -inf, upper_bound: Any = inf, says: str = "") -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        between = f"{self.ends[0]}{_bound(lower_bound)}, {_bound(upper_bound)}{self.ends[1]}"
        self.says = says or f"{'an integer ' * self.is_discrete}in {between}"

    def check(self, value: Tensor) -> Tensor:
        """For each value, whether it lies between the bounds."""
        x, low, high = (getattr(v, "array", v) for v in (value, self.lower_bound, self.upper_bound))
        inside = (x >= low if self.ends[0] == "[" else x > low) & (x <= high if self.ends[1] == "]" else x < high)
        return wrap(as_array(inside & (x % 1 == 0) if self.is_discrete else inside))


def _bound(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else f"{value.item():g}" if value.array.size == 1 else "..."


class half_open_interval(interval):
    """The numbers from `lower_bound` up to and without `upper_bound`."""

    ends = "[)"


class integer_interval(interval):
    """The integers from `lower_bound` to `upper_bound`."""

    is_discrete = True


class greater_than(interval):
    """The numbers above `lower_bound`."""

    ends = "(]"


class greater_than_eq(interval):
    """The numbers from `lower_bound` on."""


class less_than(half_open_interval):
    """The numbers below `upper_bound`."""

    def __init__(self, upper_bound: Any) -> None:
        super().__init__(-inf, upper_bound)


class independent(Constraint):
    """`base_constraint` for arrays whose last `reinterpreted_batch_ndims` dims belong to one value: all elements lie in it."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete, self.says = base_constraint.is_discrete, base_constraint.says
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        """For each array, whether all that is in it lies in the set."""
        inside = self.base_constraint.check(value)
        return inside.all(tuple(range(-self.reinterpreted_batch_ndims, 0))) if self.reinterpreted_batch_ndims else inside


class _Dependent(Constraint):
    """What depends on other parameters, so that nothing can be said before they are known."""

    says = "what other parameters allow"

    def __init__(self, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        """The same, of another number of dims."""
        return _Dependent(is_discrete, event_dim)


class dependent_property(property, _Dependent):
    """A property whose value is a constraint that depends on the parameters; read at a class, it is one of this kind."""

    def __init__(self, function: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__(function)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, function: Any = None, **options: Any) -> dependent_property:
        """As a decorator that was given options."""
        return dependent_property(function, is_discrete=self.is_discrete, event_dim=self.event_dim, **options)


def is_dependent(constraint: Any) -> bool:
    """Can nothing be said of it before the parameters are known?"""
    return isinstance(constraint, _Dependent)


def _adds_up(x: Any) -> Any:
    return (x >= 0).all(-1) & (np.abs(x.sum(-1) - 1) < max(1e-6, 10 * np.finfo(x.dtype).eps))


def _lower(x: Any) -> Any:
    return (np.tril(x) == x).all((-2, -1))


def _symmetric(x: Any) -> Any:
    square = _is_square(x)
    return np.isclose(x, np.swapaxes(x, -1, -2), atol=1e-6).all((-2, -1)) if square.all() else square


def _is_square(x: Any) -> Any:
    return np.full(x.shape[:-2], x.shape[-2] == x.shape[-1])


def _definite(x: Any) -> Any:
    symmetric = _symmetric(x) & np.isfinite(x).all((-2, -1))
    return symmetric & (np.linalg.eigvalsh(x) > 0).all(-1) if symmetric.all() else symmetric


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


dependent = _Dependent()
real = _Where("a number, and not NaN", lambda x: x == x)
positive = greater_than(0.0, says="greater than 0")
nonnegative = greater_than_eq(0.0, says="0 or greater")
unit_interval = interval(0.0, 1.0)
boolean = _Where("0 or 1", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = integer_interval(0, inf, says="an integer, 0 or greater")
positive_integer = integer_interval(1, inf, says="an integer greater than 0")
real_vector = independent(real, 1)
one_hot = _Where("a 1 among zeros", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, True)
simplex = _Where("0 or greater and add up to 1", _adds_up, 1)
square = _Where("a square matrix", _is_square, 2)
symmetric = _Where("a symmetric matrix", _symmetric, 2)
positive_definite = _Where("a symmetric and positive-definite matrix", _definite, 2)
lower_triangular = _Where("a lower triangular matrix", _lower, 2)
lower_cholesky = _Where("a lower triangular matrix with a positive diagonal", lambda x: _lower(x) & (_diagonal(x) > 0).all(-1), 2)
corr_cholesky = _Where(
    "a lower triangular matrix with a positive diagonal and rows of norm 1",
    lambda x: _lower(x) & (_diagonal(x) > 0).all(-1) & (np.abs(np.square(x).sum(-1) - 1) < 1e-4).all(-1), 2,
)  # fmt: skip


class multinomial(Constraint):
    """Vectors of counts that are `upper_bound` together."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: int) -> None:
        self.upper_bound, self.says = upper_bound, f"counts that add up to {upper_bound}"

    def check(self, value: Tensor) -> Tensor:
        """For each vector, whether it holds such counts."""
        x = value.array
        return wrap(as_array(((x >= 0) & (x % 1 == 0)).all(-1) & (x.sum(-1) == self.upper_bound)))
