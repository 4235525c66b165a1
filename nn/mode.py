"""Running a model in training or in evaluation, and leaving it in the mode that it was in."""

from __future__ import annotations

from typing import Any

from autograd.engine.switch import Switch

from .module import Module


class in_mode(Switch):
    """`model`, if it is a Module, in training or evaluation; at the end each module in it is again as it was.

    >>> import nn
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout().eval())
    >>> with in_mode(net, training=False):
    ...     net.training
    False
    >>> net.training, net[1].training
    (True, False)
    """

    def __init__(self, model: Any, training: bool) -> None:
        self.model, self.training = model, training
        self.before: list[list[tuple[Module, bool]]] = []

    def _recreate_cm(self) -> in_mode:
        return in_mode(self.model, self.training)

    def __enter__(self) -> None:
        modules = self.model.modules() if isinstance(self.model, Module) else ()
        self.before.append([(module, module.training) for module in modules])
        try:
            if modules:
                self.model.train(self.training)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        for module, was in self.before.pop():
            module.training = was
