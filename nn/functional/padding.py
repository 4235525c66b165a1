"""Padding: something around an array."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError
from autograd.ops import index

from .resample import resample


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """With something around it: `pad` holds (before, after) for the last dim, then for the one before it, and so on.

    `mode` is 'constant' (`value`, or zeros), 'reflect' (mirrored at the border's elements), 'replicate' (the border again) or
    'circular' (from the other end). Negative numbers cut off. Raises ShapeError or ArgumentError (torch.nn.functional.pad).

    >>> import autograd
    >>> x = autograd.arange(3.0)
    >>> pad(x, (1, 2)), pad(x, (1, 2), mode="reflect")
    (tensor([0., 0., 1., 2., 0., 0.]), tensor([1., 0., 1., 2., 1., 0.]))
    """
    pairs = list(zip(pad[::2], pad[1::2], strict=False))[::-1]
    n = len(pairs)
    if len(pad) % 2 or n > input.ndim or not all(hasattr(v, "__index__") for v in pad):
        raise ShapeError(f"pad: {tuple(pad)} must be pairs of whole numbers, one for each of at most {input.ndim} dims")
    if any(min(a, 0) + min(b, 0) + m < 0 for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True)):
        raise ShapeError(f"pad: {tuple(pad)} cuts off more than there is in shape {input.shape}")
    if min(pad, default=0) < 0:
        cut = (slice(max(0, -a), m + min(0, b)) for (a, b), m in zip(pairs, input.shape[input.ndim - n :], strict=True))
        input, pairs = index.getslice(input, (..., *cut)), [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode == "constant":
        return surround(input, pairs, value or 0)
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError(f"pad: mode is 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if value is not None:
        raise ArgumentError(f"pad: mode {mode!r} takes its values from the input, so leave value={value!r} out")
    for axis, (a, b) in enumerate(pairs, input.ndim - n):
        m = input.shape[axis]
        if max(a, b) > {"reflect": m - 1, "replicate": inf if m else 0, "circular": m}[mode]:
            raise ShapeError(f"pad: {mode} cannot add {a} before and {b} after the {m} elements of dim {axis}")
        if a or b:
            input = resample(input, axis, (mode, m, m + a + b, a))
    return input


def surround(input: Any, pairs: list[tuple[int, int]], value: float) -> Any:
    sizes = input.shape[input.ndim - len(pairs) :]
    shape = tuple(m + a + b for m, (a, b) in zip(sizes, pairs, strict=True))
    inside = (..., *(slice(a, a + m) for m, (a, b) in zip(sizes, pairs, strict=True)))
    out = index.unslice(input, inside, (*input.shape[: input.ndim - len(pairs)], *shape))
    if not value:
        return out
    frame: Any = np.full_like(getattr(input, "array", input), value, shape=shape)
    frame[inside] = 0
    return out + frame
