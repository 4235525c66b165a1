"""Normalization: numbers moved and scaled to mean 0 and variance 1, over a batch, a layer, a group or an image."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from autograd import ops
from autograd.api.elementwise import astype
from autograd.engine.accumulate import count, single, total, widened
from autograd.engine.grad_mode import no_grad
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.engine.warn import seen
from autograd.errors import ArgumentError, ShapeError
from autograd.ops.common import formula
from autograd.ops.elementwise import rsqrt, square
from autograd.ops.fused import sum_product
from autograd.ops.join import filled
from autograd.transforms.checkpoint import recomputing

from .checks import need_dtype_of, need_float, need_tensors
from .padding import pad
from .pool import avg_pool2d

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table
def _rms(x: Array, axis: Axis, eps: float) -> tuple[Array, Array]:
    power = sum_product(x, x, axis) / count(x.shape, axis)
    return x * (1 / np.sqrt(power + eps)), power


def _pull_rms(g: Any, out: tuple[Array, Array], x_shape: Axis, axis: Axis, eps: float, out_shape: Any) -> Array:
    """With x = out / r: r times the part of g that is at right angles to out; and 2 x / n of the gradient of the mean square."""
    g, y, r = filled(g, out_shape), out[0], 1 / np.sqrt(out[1] + eps)
    along = g[1] * 2 / r - r * sum_product(g[0], y, axis)
    return r * g[0] + along / count(x_shape, axis) * y


rms: Any = primitive(
    _rms,
    "rms",
    x=_pull_rms,
    says="x over the root of its mean square along the axes, and the mean square (torch.nn.functional.rms_norm).",
)


@formula
def _layer_norm(x: Array, w: Array | None, b: Array | None, axis: Axis, eps: float) -> Array:
    out = _standard(x, axis, eps)[0]
    out = out if w is None else out * w
    return out if b is None else out + b


def _standard(x: Array, axis: Axis, eps: float) -> tuple[Array, Array]:
    """x with mean 0 and variance 1, and one over the root of the variance that it had."""
    n = count(x.shape, axis)
    x = x - total(x, axis, True) / n
    r = 1 / np.sqrt(sum_product(x, x, axis) / n + eps)
    return x * r, r


@formula
def _pull_layer_norm(
    g: Array, x: Array, w: Array | None, b: Array | None, axis: Axis, eps: float, needs: Sequence[bool]
) -> list[Any]:
    """With z = (x - mean) * r, the gradient of x is r times the part of that of z that is at right angles to 1 and to z."""
    z, r = _standard(x, axis, eps)
    n, others = count(x.shape, axis), tuple(range(x.ndim - len(axis)))
    g_z = g if w is None else g * w
    g_x = r * (g_z - total(g_z, axis, True) / n - z * (sum_product(g_z, z, axis) / n))
    return [g_x, total(g * z, others) if needs[1] else None, total(g, others) if needs[2] else None]


MOST = 2**15  # of elements at a time, which stay in the cache


@_layer_norm.on_arrays
def _(x: Any, w: Any, b: Any, axis: Axis, eps: float) -> Any:
    if (n := count(x.shape, axis)) > MOST // 8 or not x.size:
        return NotImplemented
    out = np.empty(x.shape, x.dtype)
    rows, made = np.reshape(x, (-1, n)), np.reshape(out, (-1, n))
    w, b = (None if p is None else np.reshape(p, (-1,)) for p in (w, b))
    for i in range(0, len(rows), MOST // n):
        z = made[i : i + MOST // n]
        _standard_rows(rows[i : i + MOST // n], eps, z)
        if w is not None:
            z *= w
        if b is not None:
            z += b
    return out


@_pull_layer_norm.on_arrays
def _(g: Any, x: Any, w: Any, b: Any, axis: Axis, eps: float, needs: Any) -> Any:
    if (n := count(x.shape, axis)) > MOST // 8 or not x.size:
        return NotImplemented
    g_x, step = np.empty(x.shape, x.dtype), MOST // n
    g_rows, rows, made = (np.reshape(v, (-1, n)) for v in (g, x, g_x))
    weight = np.ones(n, x.dtype) if w is None else np.reshape(w, (-1,))
    share = weight / n
    to_weight, to_bias, standard = [], [], np.empty((min(step, len(rows)), n), x.dtype)
    for i in range(0, len(rows), step):
        some, d = g_rows[i : i + step], made[i : i + step]
        z = standard[: len(d)]
        r = _standard_rows(rows[i : i + step], eps, z)
        np.multiply(some, z, out=d)
        if needs[1]:
            to_weight.append(total(d, (0,)))
        if needs[2]:
            to_bias.append(total(some, (0,)))
        z *= (d @ share)[:, None]  # sums along rows are products of matrices
        z += (some @ share)[:, None]
        np.multiply(some, weight, out=d)
        d -= z
        d *= r
    sums = [np.reshape(total(np.stack(v), (0,)), x.shape[x.ndim - len(axis) :]) if v else None for v in (to_weight, to_bias)]
    return [g_x, *sums]


def _standard_rows(x: Any, eps: float, out: Any) -> Any:
    """`_standard` of a few rows, into `out`; sums along rows are products of matrices, which are quick."""
    n = x.shape[1]
    np.subtract(x, (x @ np.full(n, 1 / n, x.dtype))[:, None], out=out)
    r = 1 / np.sqrt(np.einsum("ij,ij->i", out, out) / n + eps)[:, None]
    out *= r
    return r


standard: Any = primitive(
    _layer_norm,
    "layer_norm",
    joint=_pull_layer_norm,
    says="x with mean 0 and variance 1 over its last axes, times w, plus b (torch.nn.functional.layer_norm).",
)


# ---------------------------------------------------------------- what they share
def _standardized(x: Any, axis: tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """x with mean 0 and variance 1 over `axis`, and the mean and variance that it had, with length 1 there."""
    if not x.numel():
        return x, None, None
    mean = ops.reduce.mean(x, axis, True)
    out, variance = rms(x + -mean, axis, eps)
    return out, mean, variance


def _standardized_by_all(x: Any, axis: tuple[int, ...], eps: float, n: int, group: Any) -> tuple[Any, Any, Any]:
    """The same over what all processes of a group have, `n` numbers together."""
    mean = ops.communication.all_reduce(ops.reduce.sum(x, axis, True), group) / n
    x = x - mean
    variance = ops.communication.all_reduce(ops.reduce.sum(square(x), axis, True), group) / n
    return x * rsqrt(variance + eps), mean, variance


def _affine(x: Any, weight: Any, bias: Any, dtype: Any, shape: tuple[int, ...] | None = None) -> Any:
    """`x * weight + bias` in this dtype; either may be None, and is brought into `shape` first."""
    if weight is not None:
        x = x * (weight if shape is None else np.reshape(weight, shape))
    if bias is not None:
        x = x + (bias if shape is None else np.reshape(bias, shape))
    return x if x.dtype == dtype else astype(x, dtype)


def _check(op: str, input: Any, shape: Any, **parameters: Any) -> None:
    """Do the parameters, each of which may be None, have this shape, and the dtype of the input?"""
    for name, p in parameters.items():
        if p is None:
            continue
        need_tensors(op, **{name: p})
        if p.shape != shape:
            raise ShapeError(f"{op}: {name} must have shape {shape} for an input of shape {input.shape}, got {p.shape}")
        if (p.dtype, input.dtype) != (np.float32, np.float16):
            need_dtype_of(op, "input", input, **{name: p})


def _check_channels(op: str, input: Any, **parameters: Any) -> tuple[int, ...]:
    """Check what has a number for each channel. Returns the shape in which it broadcasts to the input."""
    need_float(op, input)
    if input.ndim < 2:
        raise ShapeError(f"{op}: input has the shape (N, C, ...), got {input.shape}")
    _check(op, input, input.shape[1:2], **parameters)
    return (-1, *(1,) * (input.ndim - 2))


# ---------------------------------------------------------------- over a batch, or an image of it
def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-05,
) -> Tensor:  # fmt: skip
    """(input - mean) / sqrt(var + eps) * weight + bias for each channel, the dim 1 (torch.nn.functional.batch_norm).

    In `training`, mean and variance are those of the batch; `running_mean` and `running_var`, if given, take them on in
    place with the share `momentum` (the variance then is the unbiased one). Otherwise they are used. Ioffe and Szegedy 2015.

    Shape: (N, C, ...). Raises ShapeError, DtypeError, or ArgumentError for missing statistics.
    """
    axis = (0, *range(2, input.ndim))
    return _tracked("batch_norm", None, axis, input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05,
) -> Tensor:  # fmt: skip
    """`batch_norm` for each image on its own (Ulyanov et al. 2016; torch.nn.functional.instance_norm).

    With `use_input_stats`, running statistics take on the averages over the batch; otherwise they are used.
    """
    axis = tuple(range(2, input.ndim))
    args = (running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
    return _tracked("instance_norm", None, axis, input, *args)


def sync_batch_norm(input: Any, *args: Any, group: Any) -> Tensor:
    """`batch_norm` over the batches of all processes of a group, one of `autograd.distributed`'s: what SyncBatchNorm does."""
    return _tracked("sync_batch_norm", group, (0, *range(2, input.ndim)), input, *args)


def _tracked(
    op: str, group: Any, axis: tuple[int, ...], input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any,
    training: bool, momentum: float, eps: float,
) -> Any:  # fmt: skip
    running = dict(running_mean=running_mean, running_var=running_var)
    shape = _check_channels(op, input, **running, weight=weight, bias=bias)
    missing = [name for name, t in running.items() if t is None]
    if len(missing) == 1 or (missing and not training):
        when = "as the other one is given" if training else "in evaluation"
        raise ArgumentError(f"{op} needs {' and '.join(missing)} {when}")
    x = widened(input)
    if not training:
        running_mean, running_var, weight, bias = map(widened, (running_mean, running_var, weight, bias))
        scale = rsqrt(running_var + eps)
        weight = scale if weight is None else weight * scale
        bias = running_mean * -weight if bias is None else bias - running_mean * weight
        return _affine(x, weight, bias, input.dtype, shape)
    n = count(input.shape, axis)
    if group is not None:
        seen("the number of all examples")
        n = int(group.all_reduce(np.array(n)))
    if n == 1:
        raise ShapeError(f"{op}: expected more than 1 value per channel when training, got an input of shape {input.shape}")
    x, mean, variance = _standardized(x, axis, eps) if group is None else _standardized_by_all(x, axis, eps, n, group)
    if mean is not None and not missing and not recomputing():
        with no_grad():
            for old, new in ((running_mean, mean), (running_var, variance * (n / (n - 1)))):
                old.copy_(widened(old) * (1 - momentum) + np.reshape(new.mean(0), old.shape) * momentum)
    return _affine(x, weight, bias, input.dtype, shape)


# ---------------------------------------------------------------- over a layer, or a group of channels
def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-05) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias over the last dims (Ba et al. 2016; torch.nn.functional.layer_norm).

    Shape: `normalized_shape` is that of the last dims of `input`, of `weight` and of `bias`.

    >>> import autograd
    >>> layer_norm(autograd.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    axis = _last_dims("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    if not input.numel():
        return _affine(widened(input), weight, bias, input.dtype)
    out = standard(*map(widened, (input, weight, bias)), axis, eps)
    return out if out.dtype == input.dtype else astype(out, input.dtype)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """input / sqrt(mean(input**2) + eps) * weight over the last dims (torch.nn.functional.rms_norm).

    Without `eps`, the precision of the dtype. Zhang and Sennrich 2019.
    """
    axis = _last_dims("rms_norm", input, normalized_shape, weight=weight)
    x = widened(input)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return _affine(rms(x, axis, eps)[0] if x.numel() else x, weight, None, input.dtype)


def _last_dims(op: str, input: Any, normalized_shape: Any, **parameters: Any) -> tuple[int, ...]:
    need_float(op, input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ShapeError(f"{op}: normalized_shape {shape} is that of the last dims of input, which has shape {input.shape}")
    _check(op, input, shape, **parameters)
    return tuple(range(input.ndim - len(shape), input.ndim))


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias over each of `num_groups` groups of channels of each image.

    Shape: (N, C, ...), weight and bias (C,). Wu and He 2018; PyTorch: torch.nn.functional.group_norm.
    """
    op = "group_norm"
    shape = _check_channels(op, input, weight=weight, bias=bias)
    images, channels = input.shape[:2]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"{op}: {channels} channels do not make {num_groups} groups of one size; input has shape {input.shape}")
    size = channels // num_groups * prod(input.shape[2:])
    if images * size == 1:
        raise ShapeError(f"{op}: expected more than 1 value per channel when training, got an input of shape {input.shape}")
    x = _standardized(np.reshape(widened(input), (images, num_groups, size)), (2,), eps)[0]
    return _affine(np.reshape(x, input.shape), weight, bias, input.dtype, shape)


@single
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha * mean)**beta, where the mean is that of squares over `size` neighbouring channels, zeros around.

    Shape: (N, C, L) or more dims. Krizhevsky et al. 2012; PyTorch: torch.nn.functional.local_response_norm.
    """
    need_float("local_response_norm", input)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm: input has the shape (N, C, L, ...), got {input.shape}")
    if not input.numel():
        return input
    squares = np.reshape(square(input), (input.shape[0], 1, input.shape[1], -1))
    means = avg_pool2d(pad(squares, (0, 0, size // 2, (size - 1) // 2)), (size, 1), stride=1)
    return input / (np.reshape(means, input.shape) * alpha + k) ** beta
