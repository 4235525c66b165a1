"""How a Tensor prints: as PyTorch prints it."""

from __future__ import annotations

from typing import Any

import numpy as np

PRECISION, THRESHOLD, EDGE, WIDTH = 4, 1000, 3, 80


def _formatter(shown: Any) -> Any:
    """The function that prints one element so that all of `shown` line up."""
    if shown.dtype.kind != "f":
        texts = [str(v) for v in shown.tolist()]
    else:
        finite = np.abs(shown[np.isfinite(shown) & (shown != 0)].astype(np.float64))
        small, large = (finite.min(), finite.max()) if finite.size else (1.0, 1.0)
        if np.all(finite == np.ceil(finite)):
            kind = "e" if large / small > 1000 or large > 1e8 else "."
        else:
            kind = "e" if large / small > 1000 or large > 1e8 or small < 1e-4 else "f"

        def one(v: float) -> str:
            if not np.isfinite(v):
                return str(float(v))
            return f"{v:.0f}." if kind == "." else f"{v:.{PRECISION}{kind}}"

        texts = [one(v) for v in shown.tolist()]
    width = max(map(len, texts), default=0)
    if shown.dtype.kind != "f":
        return lambda v: str(v).rjust(width)
    return lambda v: one(v).rjust(width)


def format_array(array: Any, indent: int = 7) -> str:
    """The values alone, aligned, edges only above 1000 elements."""
    edges = array
    if array.size > THRESHOLD:
        for axis, n in enumerate(array.shape):
            if n > 2 * EDGE:
                edges = np.concatenate([np.take(edges, range(EDGE), axis), np.take(edges, range(n - EDGE, n), axis)], axis)
    one = _formatter(edges.ravel())
    if array.ndim == 0:
        return str(one(array.item())).strip()
    with np.printoptions(threshold=THRESHOLD, edgeitems=EDGE):
        return np.array2string(
            array, max_line_width=WIDTH, separator=", ", prefix=" " * indent, formatter={"all": lambda v: one(v.item() if hasattr(v, "item") else v)}
        )  # fmt: skip


def format_tensor(array: Any, grad_fn: Any, requires_grad: bool, default: Any) -> str:
    """The whole repr: `tensor([1., 2.], dtype=float64, requires_grad=True)`."""
    if not isinstance(array, np.ndarray):
        values = repr(array)
    else:
        values = format_array(array) if array.size or array.ndim == 1 else f"[], size={array.shape}"
    parts = [values]
    if array.dtype not in (default, np.dtype("int64"), np.dtype("bool")) or (not array.size and array.dtype != default):
        parts.append(f"dtype={array.dtype}")
    if grad_fn is not None:
        parts.append(f"grad_fn={grad_fn!r}")
    elif requires_grad:
        parts.append("requires_grad=True")
    return f"tensor({', '.join(parts)})"
