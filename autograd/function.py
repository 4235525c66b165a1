"""Ops of your own, with their gradients (torch.autograd.function)."""

from .transforms.custom import Context, Function, differentiable, once_differentiable

__all__ = ["Context", "Function", "differentiable", "once_differentiable"]
