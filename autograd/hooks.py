"""Hooks: a handle takes one out again; and what a listener knows that an error should say."""

from __future__ import annotations

from itertools import count
from typing import Any, Self

from .graph import Array, mode

_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: `remove()`, or the end of a `with` block, takes it out of the dict it was put into."""

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


def others_see(array: Array) -> str:
    """Why `array` cannot be written, as a clause for an error. Which ops saved it debug.py knows, when it listens."""
    by = getattr(mode().tape, "who_saved", lambda _: "")(array)
    what = f"others see its memory (a view, an alias, a value saved for backward{by}) and would miss it"
    return what + "; use the form without _, as y[i] = y[i] + z for y[i] += z, or clone()"
