"""Distribution: parameters that are declared, checked and broadcast once, and what can be asked of every distribution."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Any

import numpy as np

from .. import ops
from ..api import random
from ..api.creation import Size, as_shape, as_tensor
from ..api.join import broadcast_shapes
from ..engine.dtypes import get_default_dtype, promote_types
from ..engine.grad_mode import enable_grad, no_grad
from ..engine.tensor import Tensor
from ..errors import ArgumentError, NoFormulaError, ShapeError
from .constraints import Constraint, is_dependent


class Distribution:
    """What all distributions have: `sample`, `log_prob` and so on, of batches (torch.distributions.Distribution).

    A batch of distributions has the shape `batch_shape`, one event of each `event_shape`; so `sample(sample_shape)` is of shape
    `sample_shape + batch_shape + event_shape`, and `log_prob` of that without `event_shape`.

    Values are checked: parameters by `arg_constraints`, events by `support`, unless `validate_args=False`. As in PyTorch, a
    subclass sets its parameters, calls `super().__init__(batch_shape, event_shape, validate_args)`, and defines `sample`,
    `rsample`, `log_prob`, `expand` and what else it has a formula for. Those here are shorter, see `Family`.

    >>> import autograd
    >>> from autograd.distributions import Normal
    >>> d = Normal(autograd.zeros(3), 1.0)
    >>> d.batch_shape, d.sample((2,)).shape, d.log_prob(0.0)
    (torch.Size([3]), (2, 3), tensor([-0.9189, -0.9189, -0.9189]))
    """

    arg_constraints: dict[str, Constraint] = {}  # noqa: RUF012 (PyTorch's form)
    support: Any = None
    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    _dtype = property(lambda self: get_default_dtype())  # of what is drawn and of densities

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and values are checked where nothing else is said; they are, unless Python runs with -O."""
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if isinstance(value := vars(self).get(name), Tensor) and not is_dependent(constraint):
                    self._check(name, value, constraint)

    def _check(self, name: str, value: Tensor, constraint: Constraint) -> None:
        """Raise ArgumentError, which names an example, if not all of `value` lies in the constraint."""
        inside = constraint.check(value.detach()).array
        if not inside.all():
            example = value.detach().array[tuple(np.argwhere(~inside)[0])] if inside.ndim <= value.ndim else value.array
            found = example.item() if example.ndim == 0 else np.array2string(example, precision=4, threshold=20).replace("\n", "")
            raise ArgumentError(f"{type(self).__name__}: {name} must be {constraint.says}, got {found}")

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ShapeError or ArgumentError if `value` cannot be an event of each distribution of the batch."""
        cut, shape = value.ndim - len(self._event_shape), tuple(value.shape)
        try:
            fits = cut >= 0 and shape[cut:] == self._event_shape and broadcast_shapes(shape[:cut], self._batch_shape) is not None
        except ShapeError:
            fits = False
        if not fits:
            what = f"{type(self).__name__}: a value of shape {shape} does not go with"
            raise ShapeError(f"{what} the batch_shape {self._batch_shape} and the event_shape {self._event_shape}")
        if self.support is not None:
            self._check("value", value, self.support)

    def _valued(self, value: Any) -> Tensor:
        """`value` as a Tensor of floats, checked."""
        value = value if isinstance(value, Tensor) else as_tensor(value)
        if self._validate_args:
            self._validate_sample(value)
        return value if value.dtype.kind == "f" else value.to(self._dtype)

    # ------------------------------------------------------------ shapes
    @property
    def batch_shape(self) -> Size:
        """The shape of the batch: how many distributions this is."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one event."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size(as_shape(type(self).__name__, (sample_shape,)) + self._batch_shape + self._event_shape)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distributions, for a greater batch."""
        raise NoFormulaError(f"{type(self).__name__} does not say how its batch grows: define {type(self).__name__}.expand")

    # ------------------------------------------------------------ drawing
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw `sample_shape` events of each distribution, out of any graph."""
        with no_grad():
            return self.rsample(sample_shape) if self.has_rsample else self._draw(self._extended_shape(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """As `sample`, as a differentiable function of the parameters: each number moves with them so that it keeps its rank."""
        if not self.has_rsample:
            raise NoFormulaError(f"{type(self).__name__}: no gradient flows through its samples; use sample() and log_prob()")
        return self._draw(self._extended_shape(sample_shape))

    def _draw(self, shape: Size) -> Tensor:
        raise self._none("sample")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All events that there are, along a new first dim, for all of the batch or, if not `expand`, to be broadcast with it."""
        if not self.has_enumerate_support:
            raise self._none("enumerate_support")
        events = self._events()
        events = events.reshape((-1,) + (1,) * len(self._batch_shape) + tuple(self._event_shape))
        return events.expand((-1, *self._batch_shape, *self._event_shape)) if expand else events

    def _events(self) -> Tensor:
        raise self._none("enumerate_support")

    # ------------------------------------------------------------ formulas
    def log_prob(self, value: Any) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`. Raises ArgumentError out of the support."""
        return self._log_prob(self._valued(value))

    def _log_prob(self, value: Tensor) -> Tensor:
        raise self._none("log_prob")

    def cdf(self, value: Any) -> Tensor:
        """The probability of a number that is at most `value`."""
        return self._cdf(self._valued(value))

    def _cdf(self, value: Tensor) -> Tensor:
        raise self._none("cdf")

    def icdf(self, value: Any) -> Tensor:
        """The number below which events are with the probability `value`: the inverse of `cdf`."""
        value = value if isinstance(value, Tensor) else as_tensor(value)
        if self._validate_args and not ((value >= 0) & (value <= 1)).all():
            raise ArgumentError(f"{type(self).__name__}: icdf takes probabilities, from 0 to 1")
        return self._icdf(value)

    def _icdf(self, value: Tensor) -> Tensor:
        raise self._none("icdf")

    def entropy(self) -> Tensor:
        """Minus the mean of `log_prob`, in nats."""
        raise self._none("entropy")

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return self.entropy().exp()

    @property
    def mean(self) -> Any:
        """The mean of the events."""
        raise self._none("mean")

    @property
    def variance(self) -> Any:
        """The variance of the events, elementwise."""
        raise self._none("variance")

    @property
    def stddev(self) -> Any:
        """The square root of the variance."""
        return self.variance.sqrt()

    @property
    def mode(self) -> Any:
        """The most likely event."""
        raise self._none("mode")

    def _none(self, what: str) -> NoFormulaError:
        return NoFormulaError(f"{type(self).__name__} has no formula for {what}")


# ---------------------------------------------------------------- parameters, declared
class parameter:
    """A parameter of a Family: which values it may have; its default, if it has one; or how it follows from others.

    Of those that are `derived` one is given, and the others are computed when first asked for: in the graph, even if that is
    by `sample`, and kept beside it.
    """

    def __init__(self, constraint: Constraint, default: Any = Parameter.empty, derived: Any = None) -> None:
        self.constraint, self.derived, self.default = constraint, derived, None if derived else default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, family: Any, owner: Any = None) -> Any:
        if family is None:
            return self
        with enable_grad():
            return vars(family).setdefault(self.name, self.derived(family))


class Family(Distribution):
    """Distributions that declare their parameters, which makes their constructors: class C(Family): scale = parameter(positive).

    What else they define are formulas, and `_draw(shape)`. They share how parameters become Tensors of one dtype, are broadcast
    to one batch and checked, how the batch grows, and how they look. A class that declares none takes those of its parent.

    >>> import inspect
    >>> from autograd.distributions import StudentT
    >>> inspect.signature(StudentT), StudentT(3.0)
    (<Signature (df, loc=0.0, scale=1.0, validate_args=None)>, StudentT(df: 3.0, loc: 0.0, scale: 1.0))
    """

    __signature__: Signature  # what help() and inspect show
    _declared: dict[str, parameter] = {}  # noqa: RUF012
    _parameters: tuple[str, ...] = ()  # the names of those that were given
    _dtype = property(lambda self: vars(self)[self._parameters[0]].dtype)

    def __init_subclass__(cls) -> None:
        if own := {name: p for name, p in vars(cls).items() if isinstance(p, parameter)}:
            takes = {name: p.default for name, p in own.items()} | {"validate_args": None}
            kind = Parameter.POSITIONAL_OR_KEYWORD
            cls._declared, cls.arg_constraints = own, {name: p.constraint for name, p in own.items()}
            cls.__signature__ = Signature([Parameter(name, kind, default=default) for name, default in takes.items()])

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            bound = self.__signature__.bind(*args, **options)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        bound.apply_defaults()
        given = {name: value for name, value in bound.arguments.items() if value is not None}
        validate_args = given.pop("validate_args", None)
        one_of = [name for name, p in self._declared.items() if p.derived]
        if one_of and sum(name in given for name in one_of) != 1:
            raise ArgumentError(f"{type(self).__name__} takes one of {', '.join(one_of)}, and not more")
        self._take(validate_args, **given)

    def _take(self, validate_args: bool | None, **given: Any) -> None:
        """Take these parameters as Tensors of one dtype, broadcast to one batch, and check them."""
        tensors = as_tensors(**given)
        dims = {name: self.arg_constraints[name].event_dim for name in tensors}
        for name, t in tensors.items():
            if t.ndim < dims[name]:
                raise ShapeError(f"{type(self).__name__}: {name} needs {dims[name]} dims at least, got shape {tuple(t.shape)}")
        try:
            batch = broadcast_shapes(*(t.shape[: t.ndim - dims[name]] for name, t in tensors.items()))
        except ShapeError:
            shapes = ", ".join(f"{name} {tuple(t.shape)}" for name, t in tensors.items())
            raise ShapeError(f"{type(self).__name__}: these do not broadcast together: {shapes}") from None
        events = {name: t.shape[t.ndim - dims[name] :] for name, t in tensors.items()}
        vars(self).update({name: expanded(t, batch + events[name]) for name, t in tensors.items()})
        self._parameters = tuple(tensors)
        event = (
            next(iter(events.values()))[-1:] if self.support.event_dim else ()
        )  # events are as long as parameters that are vectors
        Distribution.__init__(self, batch, event, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distributions, for a greater batch."""
        batch, old = as_shape("expand", (batch_shape,)), len(self._batch_shape)
        new = object.__new__(type(self)) if _instance is None else _instance
        derived = {name for name, p in self._declared.items() if p.derived}  # to be derived anew
        vars(new).update({name: v for name, v in vars(self).items() if name not in derived})
        vars(new).update({name: expanded(v, batch + v.shape[old:]) for name, v in self._given().items()})
        new._batch_shape = Size(batch)
        return new

    def _given(self) -> dict[str, Tensor]:
        return {name: vars(self)[name] for name in self._parameters}

    def __repr__(self) -> str:
        text = [f"{name}: {t.item() if t.ndim == 0 else tuple(t.shape)}" for name, t in self._given().items()]
        return f"{type(self).__name__}({', '.join(text)})"


# ---------------------------------------------------------------- what the families share
def as_tensors(**given: Any) -> dict[str, Tensor]:
    """These as Tensors of one dtype, of floats; numbers have none of their own."""
    tensors = {k: v if isinstance(v, Tensor) else as_tensor(v) for k, v in given.items()}
    kinds = [tensors[k].dtype for k, v in given.items() if hasattr(v, "dtype") and not isinstance(v, np.generic)]
    dtype = kinds[0] if kinds else get_default_dtype()
    for kind in kinds[1:]:
        dtype = promote_types(dtype, kind)
    dtype = dtype if dtype.kind == "f" else get_default_dtype()
    return {k: t if t.dtype == dtype else t.to(dtype) for k, t in tensors.items()}


def expanded(t: Tensor, shape: Any) -> Tensor:
    """`t` in this shape; itself, if it has it."""
    return t if tuple(t.shape) == tuple(shape) else t.expand(tuple(shape))


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dims."""
    return value.sum(tuple(range(-dims, 0))) if dims else value


def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)), with all its digits."""
    return -(-x).logaddexp(0)


def away_from_0_and_1(probs: Tensor) -> Tensor:
    """Probabilities of which the logits are finite."""
    return probs.clamp(eps := float(np.finfo(probs.dtype).eps), 1 - eps)


def inside_0_and_1(x: Tensor) -> Tensor:
    """`x`, in [0, 1], moved off the ends by as little as its dtype can."""
    return x.clamp(float(np.finfo(x.dtype).tiny), 1 - float(np.finfo(x.dtype).eps))


def normals(shape: Any, dtype: Any) -> Tensor:
    """Random numbers of the standard normal distribution."""
    return random.randn(tuple(shape), dtype=dtype)


def uniforms(shape: Any, dtype: Any) -> Tensor:
    """Random numbers, uniform in [0, 1)."""
    return random.rand(tuple(shape), dtype=dtype)


def exponentials(shape: Any, dtype: Any) -> Tensor:
    """Random numbers of the standard exponential distribution, none of them 0."""
    return ops.random.exponential(random.default_generator, 1.0, tuple(shape), dtype).clamp(min=float(np.finfo(dtype).tiny))


def log_gammas(concentration: Tensor, shape: Any) -> Tensor:
    """Logarithms of random numbers of the gamma distributions with this concentration."""
    return ops.random.log_gamma(random.default_generator, concentration, tuple(shape), concentration.dtype)
