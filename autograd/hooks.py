"""Hooks: a handle takes one out again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()` takes it out of the dict of hooks that it was put into."""

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self.hooks, self.id = hooks, _number()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self.hooks.pop(self.id, None)
