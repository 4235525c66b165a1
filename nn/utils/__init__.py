"""Helpers around training: clipping gradients, and parameters as one vector; the rest in modules, as in torch.nn.utils."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd.creation import zeros
from autograd.errors import ArgumentError, ShapeError
from autograd.grad_mode import no_grad
from autograd.ops.join import cat
from autograd.tensor import Tensor

from . import data, prune, rnn
from .reparametrize import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "data", "parameters_to_vector", "prune", "remove_spectral_norm", "remove_weight_norm",
    "rnn", "spectral_norm", "vector_to_parameters", "weight_norm",
]  # fmt: skip


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Any:
    """Scale the gradients of `parameters`, in place, so that their norm, as of one vector, is at most `max_norm`.

    Returns the norm they had. `norm_type` is a number, or infinity for the largest absolute value. A norm that is not
    finite makes all gradients NaN or 0, or with `error_if_nonfinite` raises ArgumentError and leaves them as they are.
    PyTorch: torch.nn.utils.clip_grad_norm_.

    >>> import autograd, nn
    >>> p = nn.Parameter([3.0, 4.0])
    >>> (p * p / 2).sum().backward()
    >>> nn.utils.clip_grad_norm_(p, 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = _gradients(parameters)
    if not grads:
        return zeros(())
    with no_grad():
        norm = _norm(grads, norm_type)
        if error_if_nonfinite and not norm.isfinite():
            raise ArgumentError(f"clip_grad_norm_: the norm of the gradients is {norm.item()}; they are left as they are")
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        for g in grads:
            g.mul_(scale)
    return norm


def _norm(grads: list[Any], p: float) -> Any:
    if p == float("inf"):
        largest = grads[0].abs().max()
        for g in grads[1:]:
            largest = largest.maximum(g.abs().max())
        return largest
    if p == 2:
        return sum((g * g).sum() for g in grads).sqrt()
    return sum((g.abs() ** p).sum() for g in grads) ** (1 / p)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients of `parameters`, in place, to between -clip_value and clip_value.

    PyTorch: torch.nn.utils.clip_grad_value_.
    """
    with no_grad():
        for g in _gradients(parameters):
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
