"""Optimizers: what changes the parameters by their gradients (torch.optim)."""

from .optimizer import Optimizer
from .rules import SGD, Adam, AdamW

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
