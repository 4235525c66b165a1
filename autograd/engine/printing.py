"""How a Tensor prints: as PyTorch prints it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

DIGITS, THRESHOLD, EDGE, WIDTH = 4, 1000, 3, 80


def _style(values: Any) -> tuple[Callable[[Any], str], int]:
    """How one element is written so that all of `values` line up, and how wide that is."""
    one: Callable[[Any], str] = str
    if values.dtype.kind == "f":
        values = values[np.isfinite(values) & (values != 0)].astype(
            np.float64
        )  # the others take the room they need
        size = np.abs(values)
        small, large = (size.min().item(), size.max().item()) if size.size else (1, 1)
        whole = np.all(size == np.floor(size))
        if large / small > 1000 or large > 1e8 or (small < 1e-4 and not whole):
            one = f"{{:.{DIGITS}e}}".format
        elif whole:
            one = lambda v: f"{v:.0f}" + "." * bool(np.isfinite(v))  # noqa: E731
        else:
            one = f"{{:.{DIGITS}f}}".format
    width = max((len(one(v)) for v in values.tolist()), default=1)
    return lambda v: one(v).rjust(width), width


def _rows(array: Any, cut: bool) -> list[Any]:
    """What to show along the first axis: all of it, or its two ends with None between them."""
    return [*array[:EDGE], None, *array[-EDGE:]] if cut and len(array) > 2 * EDGE else list(array)


def _corners(array: Any) -> Any:
    """What is shown of a large array, without the dots."""
    for axis, n in enumerate(array.shape):
        if n > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(n - EDGE, n)], axis)
    return array


def _block(array: Any, one: Callable[[Any], str], width: int, indent: int, cut: bool) -> str:
    """`array` as nested lists, whose lines are at most 80 wide."""
    if array.ndim == 0:
        return one(array.item())
    gap = "\n" * max(1, array.ndim - 1) + " " * (indent + 1)
    if array.ndim > 1:
        parts = [
            "..." if row is None else _block(row, one, width, indent + 1, cut) for row in _rows(array, cut)
        ]
        return f"[{(',' + gap).join(parts)}]"
    words = [" ..." if v is None else one(v.item()) for v in _rows(array, cut)]
    fit = max(1, (WIDTH - indent) // (width + 2))
    return f"[{(',' + gap).join(', '.join(words[i : i + fit]) for i in range(0, len(words), fit))}]"


def format_tensor(array: Any, grad_fn: Any, requires_grad: bool, default: Any, notes: list[str]) -> str:
    """The repr: `tensor([1., 2.], requires_grad=True)`; above 1000 elements, the ends of each axis."""
    text, notes = "tensor(", [*notes]
    if not isinstance(array, np.ndarray):
        text += repr(array)
    elif not array.size:
        text += "[]"
        notes += [f"size={array.shape}"] * (array.ndim != 1)
    else:
        cut = array.size > THRESHOLD
        text += _block(array, *_style((_corners(array) if cut else array).ravel()), len(text), cut)
    if array.dtype != default and (array.dtype not in (np.int64, np.bool_) or not array.size):
        notes.append(f"dtype={array.dtype}")
    if grad_fn is not None:
        notes.append(f"grad_fn={grad_fn!r}")
    elif requires_grad:
        notes.append("requires_grad=True")
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        new_line = used + len(note) + 2 > WIDTH
        text += (",\n       " if new_line else ", ") + note
        used = 7 + len(note) if new_line else used + 2 + len(note)
    return text + ")"
