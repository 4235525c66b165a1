"""What the engine knows of batches: a Tensor's array may hold a value for each sample of a vmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import BatchError
from .graph import Array, Node, mode


def whole(value: Any) -> Array:
    """All that a Tensor or an array holds, of every sample: for checks of what must be nowhere."""
    while hasattr(value, "array"):  # of a Tensor, and of a batch
        value = value.array
    return value


def checked(check: Callable[..., None], *values: Any, of: Callable[[Any], Array] = whole) -> None:
    """Let `check` look at all that they hold, to raise or warn of what makes no sense, and to change nothing.

    A tape may take note of it, so as to look again at what stands there when it is played. A check that
    goes by the shapes of one sample asks for the array `of` a value that one sample sees.
    """
    check(*map(of, values))
    if (note := getattr(mode().tape, "checked", None)) is not None:
        note(check, [getattr(v, "array", v) for v in values])


def one_for_all(found: dict[Node, Any]) -> None:
    """Raise if a gradient is one for each sample, but its node, with room for one, is older than vmap."""
    for node, g in found.items():
        if (
            type(g) is not np.ndarray
            and getattr(g, "began", getattr(getattr(g, "array", g), "began", -1)) > node.time
        ):
            raise BatchError(
                "vmap: backward() leaves a gradient for each sample on a tensor from outside; use func.grad"
            )
