"""Initial values for parameters, written in place: constants, and the distributions of Glorot and of He."""

from __future__ import annotations

import math

from autograd.errors import ArgumentError, ShapeError
from autograd.grad_mode import no_grad
from autograd.random import Generator
from autograd.tensor import Tensor

from .module import did_you_mean

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_GAINS |= {f"conv{kind}{n}d": 1.0 for kind in ("", "_transpose") for n in (1, 2, 3)}


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform between `a` and `b` (torch.nn.init.uniform_)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with the given mean and standard deviation (torch.nn.init.normal_)."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The value `val` everywhere (torch.nn.init.constant_)."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones (torch.nn.init.ones_)."""
    return constant_(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros (torch.nn.init.zeros_)."""
    return constant_(tensor, 0)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights so that a layer followed by `nonlinearity` keeps the spread of its input.

    `param` is the negative slope of 'leaky_relu', 0.01 if left out. PyTorch: torch.nn.init.calculate_gain.

    >>> round(calculate_gain("relu"), 4), calculate_gain("leaky_relu", 0) == calculate_gain("relu")
    (1.4142, True)
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ArgumentError(
            f"calculate_gain: there is no gain for {nonlinearity!r}{did_you_mean(nonlinearity, [*_GAINS, 'leaky_relu'])}"
        )
    return _GAINS[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output of a weight (out, in, ...) has, and how many outputs each input.

    The dims after the second are a convolution's window, in which every element is an input of its own.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"fan-in and fan-out need a weight of at least 2 dims, (out, in, ...), got shape {tensor.shape}")
    outputs, inputs, *window = tensor.shape
    return inputs * math.prod(window), outputs * math.prod(window)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform, with the variance 2 / (fan_in + fan_out) times `gain` squared (Glorot and Bengio 2010)."""
    bound = math.sqrt(3) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal, with the variance 2 / (fan_in + fan_out) times `gain` squared (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2 / max(1, sum(fans(tensor))))  # max: a weight without elements has no fans


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Uniform, with the variance gain(nonlinearity, a) squared / fan (He et al. 2015); `mode` says which fan.

    >>> import autograd, nn
    >>> weight = autograd.empty(100, 50)
    >>> nn.init.kaiming_uniform_(weight).abs().max() <= (6 / 50) ** 0.5
    tensor(True)
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Normal, with the variance gain(nonlinearity, a) squared / fan (He et al. 2015); `mode` says which fan."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"kaiming: mode is 'fan_in' or 'fan_out', got {mode!r}")
    fan = dict(zip(("fan_in", "fan_out"), fans(tensor), strict=True))[mode]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))


def fan_in_uniform_(weight: Tensor, bias: Tensor | None) -> None:
    """What linear layers and convolutions begin with in PyTorch: all uniform between -1 / sqrt(fan_in) and its opposite."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(max(1, fans(weight)[0]))
        uniform_(bias, -bound, bound)
