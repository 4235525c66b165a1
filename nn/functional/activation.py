"""Activations: elementwise functions between layers, and those that make scores into shares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from autograd import ops
from autograd.api.common import one_dim
from autograd.api.elementwise import clamp, where
from autograd.api.fused import softmax
from autograd.api.linalg import vector_norm
from autograd.api.random import Generator, default_generator
from autograd.engine.accumulate import single
from autograd.engine.graph import Array
from autograd.engine.primitive import keep_zero, primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError
from autograd.ops.common import formula, in_blocks
from autograd.ops.elementwise import DENSITY, absolute, clip_max, expm1, masked, ndtr, sigmoid, tanh
from autograd.ops.elementwise import relu as _relu
from autograd.ops.index import ungather
from autograd.ops.join import split, sum_of
from autograd.ops.reduce import argmax

from .checks import need_dtype_of, need_float, need_tensors
from .common import elementwise


# ---------------------------------------------------------------- the table
def _log1pexp(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-1.0 * np.abs(x)))  # np.logaddexp takes ten times as long


GELU = (2 / np.pi) ** 0.5, 0.044715  # of the approximation by tanh


def _gelu_tanh(x: Array) -> Array:
    with np.errstate(over="ignore"):  # tanh of infinity is 1
        return (1 + np.tanh(GELU[0] * (x + GELU[1] * x * x * x))) * 0.5 * x


def _pull_gelu_tanh(g: Array, x: Array) -> Array:
    t = np.tanh(GELU[0] * (x + GELU[1] * x * x * x))
    d = (1 - t * t) * x * (0.5 * GELU[0])  # 0 where x is large: times x it stays 0, but 0 * (x * x) might be 0 * inf
    return g * ((1 + t) * 0.5 + d + d * x * x * (3 * GELU[1]))


def _gelu(x: Array) -> tuple[Array, Array]:
    share = ndtr(x)
    return x * share, share


@formula
def _pull_gelu(gs: Sequence[Any], x: Array, out: Sequence[Array]) -> Array:
    (g, g_share), density = gs, np.exp(x * x * -0.5) * DENSITY
    return sum_of(
        None if g is None else keep_zero(g, g * (x * density + out[1])),
        None if g_share is None else keep_zero(g_share, g_share * density),
    )


@_pull_gelu.on_arrays
def _(gs: Any, x: Any, out: Any) -> Any:
    if gs[0] is None or gs[1] is not None:
        return NotImplemented

    def of_block(g: Any, x: Any, share: Any) -> Any:
        d = x * x
        d *= -0.5
        np.exp(d, out=d)
        d *= DENSITY
        d *= x
        d += share
        d *= g
        return d

    return keep_zero(gs[0], in_blocks(of_block, gs[0], x, out[1]))


# fmt: off
gelu_exact: Any = primitive(_gelu, "gelu", x=_pull_gelu,
            says="x times the normal distribution function at x, and that (torch.nn.functional.gelu).")
log1pexp   = primitive(_log1pexp, "softplus", x=lambda g, x: g * sigmoid(x), singular=True, promote=slice(None),
            says="log(1 + exp(x)), a smooth relu (torch.nn.functional.softplus).")
gelu_tanh  = primitive(_gelu_tanh, "gelu_tanh", x=_pull_gelu_tanh, singular=True,
            says="x times an approximation by tanh of the normal distribution at x (torch.nn.functional.gelu).")
hard_tanh  = primitive(lambda x, low, high: np.clip(x, low, high), "hardtanh",
    x=lambda g, x, low, high: masked(g, (x > low) & (x < high)),
            kink="0 at x = low and at x = high",
            says="x, but at least low and at most high (torch.nn.functional.hardtanh).")
hard_swish = primitive(lambda x: np.clip(x + 3, 0, 6) * (1 / 6) * x, "hardswish",
    x=lambda g, x: g * (((x > -3) & (x < 3)) * (np.clip(x, -3, 3) / 3 + 0.5) + (x >= 3)), singular=True,
            kink="0 at x = -3, 1 at x = 3",
            says="x times clip(x + 3, 0, 6) / 6 (torch.nn.functional.hardswish).")
# fmt: on


# ---------------------------------------------------------------- with a bend at 0
# The positive part and something of the negative part: at 0 the derivative is that of the latter, as in PyTorch.
def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(input, 0), with derivative 0 at 0 (torch.nn.functional.relu)."""
    return input.relu_() if inplace else _relu(input)


def _leaky(x: Any, slope: Any) -> Any:
    return _relu(x) + clip_max(x, 0) * slope


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input` where it is positive, `negative_slope * input` elsewhere (torch.nn.functional.leaky_relu)."""
    return elementwise("leaky_relu", input, lambda x: _leaky(x, negative_slope), inplace)


@single
def prelu(input: Any, weight: Any) -> Tensor:
    """`leaky_relu` whose slope is learned: `weight` has one, or one for each channel, dim 1 (torch.nn.functional.prelu).

    He et al. 2015. Raises ShapeError or DtypeError for a weight that does not fit.
    """
    need_float("prelu", input)
    need_float("prelu", weight)
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or (weight.numel() != 1 and (weight.numel() != channels or not input.ndim)):
        raise ShapeError(f"prelu: weight has 1 slope or one for each of {channels} channels, not shape {weight.shape}")
    need_dtype_of("prelu", "input", input, weight=weight)
    return _leaky(input, np.reshape(weight, () if weight.numel() == 1 else (-1, *(1,) * (input.ndim - 2))))


def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False,
    *, generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """`leaky_relu` of slopes between `lower` and `upper`: drawn anew for each element in `training`, else their mean.

    Xu et al. 2015; PyTorch: torch.nn.functional.rrelu.
    """
    if not lower <= upper:
        raise ArgumentError(f"rrelu: lower is at most upper, got {lower!r} and {upper!r}")

    def rectified(x: Any) -> Any:
        source = generator or default_generator
        return _leaky(x, ops.random.uniform(source, lower, upper, x.shape, x.dtype).to(x) if training else (lower + upper) / 2)

    return elementwise("rrelu", input, rectified, inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` where it is positive, `alpha * (exp(input) - 1)` elsewhere (Clevert et al. 2015; torch.nn.functional.elu)."""
    return elementwise("elu", input, lambda x: _relu(x) + expm1(clip_max(x, 0)) * alpha, inplace)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`elu` without a corner: `alpha * (exp(input / alpha) - 1)` for negatives (Barron 2017; torch.nn.functional.celu)."""
    if not alpha:
        raise ArgumentError("celu divides by alpha, which cannot be 0")
    return elementwise("celu", input, lambda x: _relu(x) + expm1(clip_max(x, 0) / alpha) * alpha, inplace)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(input: Any, inplace: bool = False) -> Tensor:
    """`elu` scaled so that layers of it keep mean 0 and variance 1 (Klambauer et al. 2017; torch.nn.functional.selu)."""
    alpha, scale = SELU_ALPHA * SELU_SCALE, SELU_SCALE
    return elementwise("selu", input, lambda x: _relu(x) * scale + expm1(clip_max(x, 0)) * alpha, inplace)


# ---------------------------------------------------------------- straight pieces
def _bounds(op: str, input: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """`low` and `high`, cut off to integers where `input` holds such."""
    need_tensors(op, input=input)
    if input.dtype.kind not in "iu":
        return low, high
    if not all(map(np.isfinite, (low, high))) or (input.dtype.kind == "u" and min(low, high) < 0):
        raise DtypeError(f"{op}: {input.dtype} does not hold {low} and {high}; use float()")
    return int(low), int(high)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` limited to [min_val, max_val], with derivative 0 at both, unlike `clamp` (torch.nn.functional.hardtanh)."""
    if not min_val <= max_val:
        raise ArgumentError(f"hardtanh: min_val is at most max_val, got {min_val!r} and {max_val!r}")
    low, high = _bounds("hardtanh", input, min_val, max_val)
    return elementwise("hardtanh", input, lambda x: hard_tanh(x, low, high), inplace, integers=True)


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """min(max(input, 0), 6), with derivative 0 at 0 and at 6 (torch.nn.functional.relu6)."""
    return elementwise("relu6", input, lambda x: hard_tanh(x, 0, 6), inplace, integers=True)


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """relu6(input + 3) / 6 (torch.nn.functional.hardsigmoid)."""
    return elementwise("hardsigmoid", input, lambda x: hard_tanh(x + 3, 0, 6) / 6, inplace)


def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """input * relu6(input + 3) / 6 (Howard et al. 2019; torch.nn.functional.hardswish)."""
    return elementwise("hardswish", input, hard_swish, inplace)


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """`input` where it is above `lambd` or below -`lambd`, else 0 (torch.nn.functional.hardshrink)."""
    return elementwise("hardshrink", input, lambda x: x * (absolute(x) > lambd))


@single
def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """`input` moved towards 0 by `lambd`, as far as 0 (torch.nn.functional.softshrink)."""
    if not lambd >= 0:
        raise ArgumentError(f"softshrink: lambd is 0 or more, got {lambd!r}")
    return elementwise("softshrink", input, lambda x: x - clamp(x, -lambd, lambd))


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`input` where it is above `threshold`, else `value` (torch.nn.functional.threshold)."""
    bound, instead = _bounds("threshold", input, threshold, value)
    return elementwise("threshold", input, lambda x: where(x <= bound, instead, x), inplace, integers=True)


# ---------------------------------------------------------------- written into their input
def _written(function: Any) -> Callable[..., Any]:
    """The function that writes what `function` computes into its input: `relu_` of `relu`."""
    *taken, last = inspect.signature(function).parameters.values()
    taken = [a for a in (*taken, last) if a.name != "inplace"]

    @wraps(function)
    def written(input: Any, *args: Any, **options: Any) -> Tensor:
        return function(input, *args, inplace=True, **options)

    written.__name__ = written.__qualname__ = name = f"{function.__name__}_"
    written.__doc__ = f"`{function.__name__}`, written into `input`, which is returned (torch.nn.functional.{name})."
    written.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
    return written


relu_, leaky_relu_, rrelu_, elu_ = [_written(f) for f in (relu, leaky_relu, rrelu, elu)]
celu_, selu_, hardtanh_, threshold_ = [_written(f) for f in (celu, selu, hardtanh, threshold)]


# ---------------------------------------------------------------- smooth
def silu(input: Any, inplace: bool = False) -> Tensor:
    """`input * sigmoid(input)`, also called swish (torch.nn.functional.silu)."""
    return elementwise("silu", input, lambda x: x * sigmoid(x), inplace)


def mish(input: Any, inplace: bool = False) -> Tensor:
    """`input * tanh(softplus(input))` (Misra 2019; torch.nn.functional.mish)."""
    return elementwise("mish", input, lambda x: x * tanh(log1pexp(x)), inplace)


@single
def gelu(input: Any, approximate: str = "none") -> Tensor:
    """`input` times the normal distribution function of it, or its 'tanh' approximation (torch.nn.functional.gelu).

    Hendrycks and Gimpel 2016.
    """
    need_float("gelu", input)
    if approximate == "none":
        out: Tensor = gelu_exact(input)[0]
        return out
    if approximate != "tanh":
        raise ArgumentError(f"gelu: approximate is 'none' or 'tanh', got {approximate!r}")
    return gelu_tanh(input)


@single
def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * input)) / beta, and `input` itself where beta * input > threshold (torch.nn.functional.softplus)."""
    need_float("softplus", input)
    scaled = input * beta
    return where(scaled > threshold, input, log1pexp(scaled) / beta)


@single
def logsigmoid(input: Any) -> Tensor:
    """log(sigmoid(input)), without underflow (torch.nn.functional.logsigmoid)."""
    need_float("logsigmoid", input)
    return -log1pexp(-input)


@single
def softsign(input: Any) -> Tensor:
    """input / (1 + |input|) (torch.nn.functional.softsign)."""
    return input / (absolute(input) + 1)


@single
def tanhshrink(input: Any) -> Tensor:
    """input - tanh(input) (torch.nn.functional.tanhshrink)."""
    return input - tanh(input)


@single
def glu(input: Any, dim: int = -1) -> Tensor:
    """The first half along `dim` times sigmoid of the second (Dauphin et al. 2016; torch.nn.functional.glu).

    Raises ShapeError if the dim has no halves.
    """
    need_float("glu", input)
    axis = one_dim("glu", dim, input.ndim)
    if not input.ndim or input.shape[axis] % 2:
        raise ShapeError(f"glu halves dim {dim}, whose length must be even; input has shape {input.shape}")
    value, gate = split(input, (input.shape[axis] // 2,), axis)
    return value * sigmoid(gate)


# ---------------------------------------------------------------- over a dim
@single
def softmin(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """`softmax` of -input (torch.nn.functional.softmin)."""
    return softmax(-input, dim, dtype)


@single
def gumbel_softmax(
    logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1, *, generator: Generator | None = None
) -> Tensor:
    """Random shares: softmax((logits + noise) / tau), near to a one-hot draw from softmax(logits) where tau is small.

    `hard` makes it that one-hot vector, with the gradient of the shares. The noise is Gumbel's; `eps` has no effect,
    as in PyTorch. Jang et al. 2016, Maddison et al. 2016; PyTorch: torch.nn.functional.gumbel_softmax.
    """
    need_float("gumbel_softmax", logits)
    least = float(np.finfo(logits.dtype).tiny)  # of 0 the noise would be infinite
    drawn = ops.random.uniform(generator or default_generator, least, 1, logits.shape, logits.dtype).to(logits)
    noise = -np.log(-np.log(drawn))
    shares = softmax((logits + noise) / tau, dim)
    if not hard:
        return shares
    axis = one_dim("gumbel_softmax", dim, logits.ndim)
    most = argmax(shares, axis if logits.ndim else None, True)
    return (ungather(np.ones_like(shares, shape=most.shape), most, axis, shares.shape) - shares).detach() + shares


@single
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """`input` over its `p`-norm over `dim`, which counts as `eps` at least (torch.nn.functional.normalize).

    >>> import autograd
    >>> normalize(autograd.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / vector_norm(input, p, dim, True).clamp(min=eps)
