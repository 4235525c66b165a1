"""Helpers around training: clipping gradients, and parameters as one vector; the rest in modules, as in torch.nn.utils."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from autograd.api.creation import zeros
from autograd.api.join import cat, stack
from autograd.api.linalg import vector_norm
from autograd.engine.accumulate import widened
from autograd.engine.dtypes import float16
from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.engine.warn import warn
from autograd.errors import ArgumentError, ShapeError

from . import data, prune, rnn
from .reparametrize import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "data", "get_total_norm", "parameters_to_vector",
    "parametrizations", "parametrize", "prune", "remove_spectral_norm", "remove_weight_norm", "rnn", "spectral_norm",
    "vector_to_parameters", "weight_norm",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Parametrizations, which are imported when asked for."""
    if name in ("parametrizations", "parametrize"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _gradients(op: str, parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not given and isinstance(parameters, Iterator):
        warn(f"{op}: the generator of parameters is empty, so no gradient is clipped; it can be gone through only once")
    return [p.grad for p in given if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """The norm of all `tensors` as one vector, of half in single precision (torch.nn.utils.get_total_norm).

    `norm_type` and `error_if_nonfinite` are those of `clip_grad_norm_`.

    >>> import autograd
    >>> get_total_norm([autograd.tensor([3.0]), autograd.tensor([4.0])])
    tensor(5.)
    """
    return _norm("get_total_norm", [tensors] if isinstance(tensors, Tensor) else list(tensors), norm_type, error_if_nonfinite)


def _norm(op: str, tensors: list[Tensor], norm_type: float, error_if_nonfinite: bool) -> Any:
    try:
        order = float(norm_type)
    except (TypeError, ValueError):
        raise ArgumentError(f"{op}: norm_type is a number, got {norm_type!r}") from None
    if not tensors:
        return zeros(())
    norm = vector_norm(stack([vector_norm(widened(t), order) for t in tensors]), order)
    if error_if_nonfinite and not norm.isfinite():
        raise ArgumentError(f"{op}: the norm of the gradients is {norm.item()}; they are left as they are")
    return norm


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Any, foreach: bool | None = None
) -> None:
    """Scale the gradients of `parameters`, in place, as `clip_grad_norm_` does where their norm is `total_norm`.

    PyTorch: torch.nn.utils.clip_grads_with_norm_.
    """
    with no_grad():
        _scale(_gradients("clip_grads_with_norm_", parameters), max_norm, total_norm)


def _scale(grads: list[Any], max_norm: float, norm: Any) -> None:
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.copy_(widened(g) * scale) if g.dtype == float16 else g.mul_(scale)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Any:
    """Scale the gradients of `parameters`, in place, so that their norm, as of one vector, is at most `max_norm`.

    Returns the norm they had, of half in single precision. `norm_type` is any order of `vector_norm`: infinity for the
    largest absolute value; as in PyTorch the norm is that of the norms of all, which for 0 counts those that are not 0. A norm
    that is not finite makes all gradients NaN or 0, or with `error_if_nonfinite` raises ArgumentError and leaves them as they
    are. Warns if a generator of parameters has none (left). PyTorch: torch.nn.utils.clip_grad_norm_.

    >>> import autograd, nn
    >>> p = nn.Parameter([3.0, 4.0])
    >>> (p * p / 2).sum().backward()
    >>> nn.utils.clip_grad_norm_(p, 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = _gradients("clip_grad_norm_", parameters)
    with no_grad():
        norm = _norm("clip_grad_norm_", grads, norm_type, error_if_nonfinite)
        _scale(grads, max_norm, norm)
    return norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients of `parameters`, in place, to between -clip_value and clip_value.

    PyTorch: torch.nn.utils.clip_grad_value_.
    """
    with no_grad():
        for g in _gradients("clip_grad_value_", parameters):
            g.clamp_(-clip_value, clip_value)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Any:
    """All elements of `parameters`, one after the other, as one vector (torch.nn.utils.parameters_to_vector).

    >>> import nn
    >>> parameters_to_vector(nn.Linear(3, 4).parameters()).shape
    (16,)
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into `parameters`, in place (torch.nn.utils.vector_to_parameters).

    Raises ShapeError, and changes nothing, if there are more or fewer.
    """
    parameters = list(parameters)
    sizes = [p.numel() for p in parameters]
    if vec.shape != (sum(sizes),):
        raise ShapeError(f"vector_to_parameters: {sum(sizes)} elements make up the parameters; got a tensor of shape {vec.shape}")
    with no_grad():
        for p, part in zip(parameters, vec.split(sizes), strict=True):
            p.copy_(part.reshape(p.shape))
