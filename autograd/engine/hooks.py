"""Hooks: a handle takes one out of where it was put."""

from __future__ import annotations

from itertools import count
from typing import Any, Self

_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()`, or the end of a `with` block, takes it out again."""

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self.hooks, self.id = hooks, _number()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
