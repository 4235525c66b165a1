"""Tape: what records every op and every write, as they are done; those who just listen are subclasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graph import Array, Node, mode, write


class Tape(list[tuple[Callable[..., Any], list[Any], Any]]):
    """A list of (primitive, its arguments, its result); for a write, (write, [array, index, value], None).

    It records while it is `ambient(tape=...)`. To a tape a value is the array that holds it. So rules run on
    Tensors then, whose ops it hears of, and no Tensor can become a plain number or array, which on it would
    be a constant. A subclass that only listens says `records = False`, and overrides what it wants to hear
    of.
    """

    records = True

    def op(self, op: Any, args: list[Any], out: Any) -> None:
        """Hear of a primitive that was called, its arguments as arrays, and its result."""
        self.append((op, args, out))

    def node(self, node: Node) -> None:
        """Hear of a node that was made: of the op just heard of, or of a write."""

    def write(self, array: Array, index: Any, value: Any) -> Any:
        """Hear of a write before it is done. Returns where in the program that is, if errors shall say it."""
        self.append((write, [array, index, value], None))


def recording() -> bool:
    """Does a tape record here?"""
    tape = mode().tape
    return tape is not None and tape.records
