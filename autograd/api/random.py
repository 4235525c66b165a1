"""Random numbers: Generator over NumPy's, the default one and its seed, and the distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import ops
from ..engine.batch import checked
from ..engine.dtypes import DType, as_dtype, int64
from ..engine.warn import leave, seen
from ..errors import ArgumentError, DtypeError, ShapeError
from .creation import as_shape, leaf
from .devices import CPU, device_of, meant
from .elementwise import astype
from .spelling import publish


class Generator:
    """A source of random numbers with a state of its own, over numpy.random.Generator (torch.Generator).

    >>> g = Generator().manual_seed(0)
    >>> a, g = randn(2, generator=g), g.manual_seed(0)
    >>> (a == randn(2, generator=g)).all().item()
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        self.device = meant("Generator", device, CPU)  # it draws on the host, the same numbers for all devices
        self.seed()

    @property
    def numpy(self) -> Any:
        """What ops draw from: the `source`, or in a vmap what draws for all samples."""
        drawn = self.source
        for level in levels.get():
            drawn = level.draws(drawn, self is default_generator)
        return drawn

    @numpy.setter
    def numpy(self, source: np.random.Generator) -> None:
        self.source = source

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`; the same seed gives the same numbers."""
        seen("manual_seed")
        self._seed = int(seed) % 2**64
        self.source = np.random.default_rng(self._seed)
        return self

    def initial_seed(self) -> int:
        """The seed that it last started from."""
        return self._seed

    def seed(self) -> int:
        """Start again from a seed taken from the system, and return it."""
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self.manual_seed(seed)
        return seed

    def get_state(self) -> dict[str, Any]:
        """All that the next numbers depend on; `set_state` takes it back."""
        seen("get_state")
        return dict(self.source.bit_generator.state)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        seen("set_state")
        if type(self.source.bit_generator).__name__ != state["bit_generator"]:
            raise ArgumentError(f"this generator is a {type(self.source.bit_generator).__name__}, not {state['bit_generator']}")
        self.source.bit_generator.state = state


class _Default(Generator):
    """The generator of all threads; where `drawing_from` holds, another source stands in its place."""

    @property
    def source(self) -> np.random.Generator:
        """NumPy's generator."""
        return _instead.get() or self._own

    @source.setter
    def source(self, source: np.random.Generator) -> None:
        if _instead.get() is None:
            self._own = source
        else:
            _instead.set(source)


levels: ContextVar[tuple[Any, ...]] = ContextVar("the runs of vmap around, each of which says what is drawn in it", default=())
_instead: ContextVar[np.random.Generator | None] = ContextVar("what the default generator draws from", default=None)
default_generator = _Default()


@contextmanager
def drawing_from(source: np.random.Generator) -> Iterator[None]:
    """Let the default generator draw from `source`, in this thread or task only, and then go on as if nothing had been."""
    token = _instead.set(source)
    try:
        yield
    finally:
        _instead.reset(token)


def manual_seed(seed: int) -> Generator:
    """Seed the generator that is used where none is given (torch.manual_seed)."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start that generator from a seed taken from the system, and return it (torch.seed)."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that it last started from (torch.initial_seed).

    >>> _ = manual_seed(3)
    >>> initial_seed()
    3
    """
    return default_generator.initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the generator that is used where none is given, which can be saved (torch.get_rng_state)."""
    return default_generator.get_state()


def set_rng_state(new_state: dict[str, Any]) -> None:
    """Let that generator go on from where `get_rng_state` was called (torch.set_rng_state)."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cpu") -> Iterator[None]:
    """Let that generator go on after the block as if nothing had been drawn in it (torch.random.fork_rng).

    >>> _ = manual_seed(0)
    >>> with fork_rng():
    ...     a = rand(2)
    >>> (a == rand(2)).all().item()
    True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


# ---------------------------------------------------------------- PyTorch's names
def _float(op: str, dtype: Any) -> DType:
    dtype = as_dtype(dtype)
    if dtype.kind != "f":
        raise DtypeError(f"{op} makes floating-point numbers, not {dtype}")
    return dtype


def rand(
    *sizes: Any, size: Any = None, generator: Generator | None = None,
    dtype: Any = None, requires_grad: bool = False, device: Any = None,
) -> Any:  # fmt: skip
    """Uniform in [0, 1) (torch.rand)."""
    drawn = ops.random.uniform(generator or default_generator, 0, 1, as_shape("rand", sizes, size), _float("rand", dtype))
    return leaf("rand", drawn, requires_grad, device)


def randn(
    *sizes: Any, size: Any = None, generator: Generator | None = None,
    dtype: Any = None, requires_grad: bool = False, device: Any = None,
) -> Any:  # fmt: skip
    """Normal with mean 0 and standard deviation 1 (torch.randn)."""
    drawn = ops.random.normal(generator or default_generator, 0, 1, as_shape("randn", sizes, size), _float("randn", dtype))
    return leaf("randn", drawn, requires_grad, device)


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    dtype: Any = None, requires_grad: bool = False, device: Any = None,
) -> Any:  # fmt: skip
    """Integers from `low` (0 if left out) to `high` - 1, all as likely (torch.randint)."""
    if high is None or isinstance(high, (tuple, list)):
        low, high, size = 0, low, size if high is None else high
    drawn = _some_integers("randint", generator or default_generator, low, high, as_shape("randint", (size,)), dtype)
    return leaf("randint", drawn, requires_grad, device)


def _some_integers(op: str, source: Generator, low: int, high: int, sizes: tuple[int, ...], dtype: Any) -> Any:
    if low >= high:
        raise ArgumentError(f"{op}: high must be greater than low, got {low} to {high}")
    kind = as_dtype(int64 if dtype is None else dtype)
    if kind.kind in "iu" and (low < np.iinfo(kind).min or high - 1 > np.iinfo(kind).max):
        raise DtypeError(f"{op}: integers from {low} to {high - 1} do not all fit into {kind}")
    return ops.random.randint(source, low, high, sizes, kind)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False, device: Any = None
) -> Any:
    """The integers from 0 to n - 1 in random order (torch.randperm)."""
    (n,) = as_shape("randperm", (n,))
    drawn = ops.random.randperm(generator or default_generator, n, as_dtype(int64 if dtype is None else dtype))
    return leaf("randperm", drawn, requires_grad, device)


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
    requires_grad: bool = False, device: Any = None,
) -> Any:  # fmt: skip
    """Normal with the given means and standard deviations, through which gradients flow (torch.normal)."""
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else as_shape("normal", (size,))
    _check_spread("normal", std)
    kind = dtype or getattr(mean, "dtype", None) or getattr(std, "dtype", None)
    drawn = ops.random.normal(generator or default_generator, mean, std, shape, _float("normal", kind))
    return leaf("normal", drawn, requires_grad, device) if size is not None else drawn


def _check_spread(op: str, std: Any) -> None:
    def look(spread: Any) -> None:
        if not np.all(spread >= 0):
            raise ArgumentError(f"{op}: standard deviations are not negative, got {np.min(spread)}")

    checked(look, std)


def bernoulli(input: Any, p: float | None = None, *, generator: Generator | None = None) -> Any:
    """1 with the probability in `input` (or `p` everywhere), else 0 (torch.bernoulli)."""
    chance = input if p is None else p
    _check_probabilities("bernoulli", chance)
    return ops.random.bernoulli(generator or default_generator, chance, input.shape, input.dtype)


def _check_probabilities(op: str, p: Any) -> None:
    def look(array: Any) -> None:
        if np.size(array) and not (np.min(array) >= 0 and np.max(array) <= 1):
            raise ArgumentError(f"{op}: probabilities lie between 0 and 1, got {np.min(array)} to {np.max(array)}")

    checked(look, p)


def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Any:
    """`num_samples` positions drawn from each row with the weights in it (torch.multinomial)."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"multinomial needs a vector or a matrix of weights, got shape {input.shape}")

    def look(array: Any) -> None:
        if not (array >= 0).all() or not (array.sum(-1) > 0).all() or not np.isfinite(array).all():
            raise ArgumentError("multinomial: the weights of a row are finite, not negative, and not all zero")
        if not replacement and num_samples > (least := (array > 0).sum(-1).min()):
            raise ArgumentError(f"multinomial: {num_samples} cannot be drawn without replacement from {least}")

    checked(look, input)
    return ops.random.multinomial(generator or default_generator, input, num_samples, replacement)


def rand_like(
    input: Any, *, dtype: Any = None, generator: Generator | None = None, requires_grad: bool = False, device: Any = None
) -> Any:
    """As `rand`, with the shape and dtype of `input` (torch.rand_like)."""
    device = device or device_of(input.array)
    return rand(input.shape, dtype=dtype or input.dtype, generator=generator, requires_grad=requires_grad, device=device)


def randn_like(
    input: Any, *, dtype: Any = None, generator: Generator | None = None, requires_grad: bool = False, device: Any = None
) -> Any:
    """As `randn`, with the shape and dtype of `input` (torch.randn_like)."""
    device = device or device_of(input.array)
    return randn(input.shape, dtype=dtype or input.dtype, generator=generator, requires_grad=requires_grad, device=device)


def randint_like(
    input: Any, low: int, high: int | None = None, *, dtype: Any = None, generator: Generator | None = None,
    requires_grad: bool = False, device: Any = None,
) -> Any:  # fmt: skip
    """As `randint`, with the shape and dtype of `input` (torch.randint_like)."""
    low, high = (0, low) if high is None else (low, high)
    options = {"dtype": dtype or input.dtype, "generator": generator, "requires_grad": requires_grad}
    return randint(low, high, input.shape, **options, device=device or device_of(input.array))


# ---------------------------------------------------------------- what methods fill a tensor x with, in place
def _fill_uniform(x: Any, source: Generator, from_: float = 0, to: float = 1) -> Any:
    """Fill with numbers uniform in [from_, to), in place (torch.Tensor.uniform_)."""
    leave("uniform_", from_, to)
    if not from_ <= to:
        raise ArgumentError(f"uniform_: the numbers lie between from_ and to, got {from_} to {to}")
    return ops.random.uniform(source, from_, to, x.shape, _float("uniform_", x.dtype))


def _fill_normal(x: Any, source: Generator, mean: float = 0, std: float = 1) -> Any:
    """Fill with normal numbers, in place (torch.Tensor.normal_)."""
    _check_spread("normal_", std)
    return ops.random.normal(source, mean, std, x.shape, _float("normal_", x.dtype))


def _fill_exponential(x: Any, source: Generator, lambd: float = 1) -> Any:
    """Fill with exponentially distributed numbers of mean 1 / lambd, in place (torch.Tensor.exponential_)."""
    leave("exponential_", lambd)
    if not lambd > 0:
        raise ArgumentError(f"exponential_: lambd is positive, got {lambd}")
    return ops.random.exponential(source, lambd, x.shape, _float("exponential_", x.dtype))


def _fill_cauchy(x: Any, source: Generator, median: float = 0, sigma: float = 1) -> Any:
    """Fill with Cauchy distributed numbers, in place (torch.Tensor.cauchy_)."""
    leave("cauchy_", median, sigma)
    if not sigma > 0:
        raise ArgumentError(f"cauchy_: sigma is positive, got {sigma}")
    return np.tan(np.pi * ops.random.uniform(source, -0.5, 0.5, x.shape, _float("cauchy_", x.dtype))) * sigma + median


def _fill_log_normal(x: Any, source: Generator, mean: float = 1, std: float = 2) -> Any:
    """Fill with numbers whose logarithms are normal, with this mean and spread, in place (torch.Tensor.log_normal_)."""
    _check_spread("log_normal_", std)
    return np.exp(ops.random.normal(source, mean, std, x.shape, _float("log_normal_", x.dtype)))


def _fill_geometric(x: Any, source: Generator, p: float) -> Any:
    """Fill with how many tries it takes until one succeeds that does with probability p, in place (torch.Tensor.geometric_)."""
    leave("geometric_", p)
    if not 0 < p < 1:
        raise ArgumentError(f"geometric_: p lies between 0 and 1, got {p}")
    waits = ops.random.exponential(source, -math.log1p(-p), x.shape, np.dtype(np.float64))
    return astype(np.maximum(np.ceil(waits), 1), x.dtype)


def _fill_bernoulli(x: Any, source: Generator, p: Any = 0.5) -> Any:
    """Fill with ones, each with probability p, and zeros, in place (torch.Tensor.bernoulli_)."""
    _check_probabilities("bernoulli_", p)
    return ops.random.bernoulli(source, p, x.shape, x.dtype)


def _fill_random(x: Any, source: Generator, from_: int | None = None, to: int | None = None) -> Any:
    """Fill with integers from `from_` to `to` - 1; with one number, below it; with none, all that the dtype holds exactly.

    In place (torch.Tensor.random_).
    """
    if to is None:
        most = 2 ** (np.finfo(x.dtype).nmant + 1) if x.dtype.kind == "f" else 1 if x.dtype.kind == "b" else np.iinfo(x.dtype).max
        from_, to = 0, int(most) + 1 if from_ is None else from_
    return _some_integers("random_", source, from_ or 0, to, x.shape, x.dtype)


FILLS: dict[str, Callable[..., Any]] = {
    "uniform_": _fill_uniform, "normal_": _fill_normal, "exponential_": _fill_exponential, "bernoulli_": _fill_bernoulli,
    "cauchy_": _fill_cauchy, "log_normal_": _fill_log_normal, "geometric_": _fill_geometric, "random_": _fill_random,
}  # fmt: skip

globals().update(publish({f.__name__: f for f in (
    rand, randn, randint, randperm, normal, bernoulli, multinomial, rand_like, randn_like, randint_like,
)}))  # fmt: skip
