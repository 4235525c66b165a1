"""Hooks: a handle takes one out again; and what a listener knows that an error should say."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from .graph import Array, mode

_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()` takes it out of the dict of hooks that it was put into."""

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self.hooks, self.id = hooks, _number()
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self.hooks.pop(self.id, None)


def who_saved(array: Array) -> str:
    """Which ops saved `array` for backward, as a clause for an error: debug.py knows, when it listens."""
    return str(getattr(mode().tape, "who_saved", lambda _: "")(array))
