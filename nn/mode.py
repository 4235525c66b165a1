"""Running a model in training or in evaluation, and leaving it in the mode that it was in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .module import Module


@contextmanager
def in_mode(model: Any, training: bool) -> Iterator[None]:
    """`model`, if it is a Module, in training or evaluation; at the end each module in it is again as it was.

    >>> import nn
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout().eval())
    >>> with in_mode(net, training=False):
    ...     net.training
    False
    >>> net.training, net[1].training
    (True, False)
    """
    before = [(module, module.training) for module in model.modules()] if isinstance(model, Module) else []
    try:
        if before:
            model.train(training)
        yield
    finally:
        for module, was in before:
            module.training = was
