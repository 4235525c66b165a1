"""Calls: a tape that listens to a model and knows which of its modules is running."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from autograd.engine.graph import ambient
from autograd.engine.tape import Tape

from .module import Module


class Calls(Tape):
    """Listens while it is entered, `with calls:`; a subclass says what it makes of the ops that it hears of.

    `running` are the modules whose forward runs, the innermost last; `left` hears of each that has returned.
    """

    records = False

    def __init__(self, model: Module) -> None:
        self.model = model
        self.running: list[Module] = []
        self.ends = ExitStack()

    def __enter__(self) -> Any:
        with ExitStack() as ends:
            for module in self.model.modules():
                ends.enter_context(module.register_forward_pre_hook(self.entered, prepend=True))
                ends.enter_context(module.register_forward_hook(self._left, always_call=True))
            ends.enter_context(ambient(tape=self))
            self.ends = ends.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.ends.close()

    def entered(self, module: Module, args: Any) -> None:
        """A module begins."""
        self.running.append(module)

    def _left(self, module: Module, args: Any, output: Any) -> None:
        self.running.pop()
        if output is not None:
            self.left(module, output)

    def left(self, module: Module, output: Any) -> None:
        """A module has returned `output`; of one that failed, or returned nothing, nothing is heard."""
