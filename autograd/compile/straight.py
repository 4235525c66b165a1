"""Straight Python that is written for what is done in each call: no loops over what is known, and objects by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Lines:
    """The body of a function that is being written, and the objects in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, x: Any) -> str:
        """How the text calls an object."""
        if x is None or x is True or x is False:
            return repr(x)
        if id(x) not in self._names:
            self._names[id(x)] = f"x{len(self.scope)}"
            self.scope[self._names[id(x)]] = x  # which keeps it, so that its id stays its own
        return self._names[id(x)]

    def add(self, line: str) -> None:
        """Add a line to the body."""
        self.lines.append(line)

    def function(self, *arguments: str, otherwise: str = "") -> Callable[..., Any]:
        """The function of these arguments; `otherwise` is what it returns if a line raises an error, where that is foreseen."""
        lines, head = self.lines, f"def straight({', '.join(arguments)}):"
        if otherwise:
            lines = ["try:", *(f"    {line}" for line in lines), "except Exception:", f"    return {otherwise}"]
        exec(compile("\n    ".join([head, *lines]), "<a compiled step>", "exec"), self.scope)
        function: Callable[..., Any] = self.scope["straight"]
        return function
