"""Built on writing: PyTorch's `out=`, and the methods that change a shape in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from ..errors import ArgumentError, InPlaceError, describe
from .graph import ambient, mode, tick
from .inplace import family_of, fitting, leave, lineage, put, refuse
from .tensor import Tensor, wrap


def into(out: Any, op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`op(*args, **kwargs)` in the Tensor `out`, or in several: PyTorch's `out=`. One of no elements takes on any shape."""
    start, name = tick(), op.__name__
    new = op(*args, **kwargs)
    outs, results = (out, new) if isinstance(new, tuple) else ((out,), (new,))
    if not isinstance(outs, (tuple, list)) or len(outs) != len(results) or not all(isinstance(t, Tensor) for t in outs):
        raise ArgumentError(f"{name}: out takes {len(results)} of Tensors, got {describe(out)}")
    for t, value in zip(outs, results, strict=True):
        if t.array.size == 0 != value.array.size:
            t.data = wrap(np.empty_like(value.array, t.dtype))
    fitted = [fitting(name, t, value) for t, value in zip(outs, results, strict=True)]
    for t, value in zip(outs, fitted, strict=True):
        put(t, name, ..., value, start=start)
    return out


def reshape_in_place(t: Tensor, name: str, op: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Let `t` look at its memory in another shape: it becomes a view of what it was, and its views stay that thing's."""
    base, steps = lineage(t)
    if mode().grad and base.node is not None:
        refuse(t, base, steps, name)
    with ambient(grad=True):  # or what was recorded would be lost
        new = op(t, *args, **kwargs)
    if t.node is not None and t.is_leaf and new.shape != t.shape:
        raise InPlaceError(f"{name}: a leaf that requires grad keeps its shape; use the form without _")
    if new.shape != t.shape or new.array.strides != t.array.strides:
        leave(t)
        t.array, t.node, t._resting = new.array, new.node, None
        if (step := getattr(new, "_link", None)) is not None:  # the view that `new` is
            t._link = step
            family_of(step.base).fresh.append(ref(t))
        Tensor.rebinds = tick()
    return t
