"""Initial values for parameters, written in place: constants, patterns, the distributions of Glorot and He, and by data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.api.random import Generator, default_generator
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, ShapeError

from .functional.checks import need_dims
from .module import Module, did_you_mean

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


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """Normal, but only values between `a` and `b` (torch.nn.init.trunc_normal_).

    Raises ArgumentError if next to nothing of the distribution, less than what lies 9 `std` off, is there.
    """
    draw = (generator or default_generator).numpy.uniform
    low, high = max(a, mean - 9 * std), min(b, mean + 9 * std)
    if not low < high:
        raise ArgumentError(f"trunc_normal_: next to no value of mean {mean} and std {std} lies between {a} and {b}")
    peak = (min(max(mean, low), high) - mean) ** 2
    values = np.empty(tensor.numel())
    left = np.arange(values.size)
    while left.size:  # draw uniform values, and keep each with a probability that follows the density
        values[left] = draw(low, high, left.size)
        kept = draw(size=left.size) < np.exp((peak - (values[left] - mean) ** 2) / (2 * std**2))
        left = left[~kept]
    return _put(tensor, values)


def _put(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        return tensor.copy_(wrap(np.reshape(values, tensor.shape).astype(tensor.dtype)))


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix (torch.nn.init.eye_)."""
    need_dims("eye_", tensor, 2)
    return _put(tensor, np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Kernels of a convolution that passes on as many channels as it can, in each of the `groups` (torch.nn.init.dirac_)."""
    need_dims("dirac_", tensor, 3, 4, 5)
    outputs, inputs, *window = tensor.shape
    if outputs % groups:
        raise ArgumentError(f"dirac_: {outputs} output channels cannot be divided into {groups} groups")
    values = np.zeros(tensor.shape)
    per_group = outputs // groups
    for i in range(min(per_group, inputs)):
        values[(slice(i, None, per_group), i, *(n // 2 for n in window))] = 1
    return _put(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A random orthogonal matrix times `gain`: its rows, or its columns if there are fewer, are orthonormal.

    Of more than 2 dims all but the first count as one. Saxe et al. 2013; PyTorch: torch.nn.init.orthogonal_.
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ is for tensors of 2 dims or more, got shape {tensor.shape}")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    draw = (generator or default_generator).numpy.standard_normal
    q, r = np.linalg.qr(draw((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diagonal(r))  # which makes all orthogonal matrices equally likely (Mezzadri 2007)
    return _put(tensor, gain * (q if rows >= columns else q.T))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal with mean 0, and in each column the share `sparsity` of zeros (Martens 2010; torch.nn.init.sparse_)."""
    need_dims("sparse_", tensor, 2)
    draw = (generator or default_generator).numpy
    values = draw.standard_normal(tensor.shape) * std
    zeros = math.ceil(sparsity * tensor.shape[0])
    for column in values.T:
        column[draw.permutation(column.size)[:zeros]] = 0
    return _put(tensor, values)


def lsuv_(model: Module, *inputs: Any, tolerance: float = 0.05, max_steps: int = 10) -> Module:
    """Scale the weights of each layer until its output for `inputs` has variance 1 (Mishkin and Matas 2015).

    Layers are those modules with a `weight` of at least 2 dims that run in `model(*inputs)`, in the order in which they run.
    A weight begins orthogonal, a bias 0. Each is scaled at most `max_steps` times, until the standard deviation is within
    `tolerance` of 1. Returns the model. Raises ArgumentError if the output of a layer is constant, or not finite.

    >>> import autograd, nn
    >>> x = autograd.randn(64, 10, generator=autograd.Generator().manual_seed(0))
    >>> net = nn.init.lsuv_(nn.Sequential(nn.Linear(10, 50), nn.Tanh(), nn.Linear(50, 20)), x)
    >>> abs(net(x).std() - 1) < 0.05
    tensor(True)
    """
    spread: dict[Module, float] = {}

    def measure(layer: Module, args: Any, out: Any) -> None:
        spread[layer] = float(out.detach().std(correction=0))

    layers = [m for m in model.modules() if getattr(m._parameters.get("weight"), "ndim", 0) >= 2]
    handles = [layer.register_forward_hook(measure) for layer in layers]
    try:
        with no_grad():
            model(*inputs)
            for layer in list(spread):
                orthogonal_(layer.weight)
                if isinstance(layer._parameters.get("bias"), Tensor):
                    zeros_(layer.bias)
                for _ in range(max_steps):
                    model(*inputs)
                    if not 0 < spread[layer] < math.inf:
                        raise ArgumentError(f"lsuv_: the output of {layer!r} has standard deviation {spread[layer]}")
                    if abs(spread[layer] - 1) <= tolerance:
                        break
                    layer.weight.div_(spread[layer])
    finally:
        for handle in handles:
            handle.remove()
    return model


def fan_in_uniform_(weight: Tensor, bias: Tensor | None) -> None:
    """What linear layers and convolutions begin with in PyTorch: all uniform between -1 / sqrt(fan_in) and its opposite."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(max(1, fans(weight)[0]))
        uniform_(bias, -bound, bound)
