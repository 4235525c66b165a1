"""Built on writing: PyTorch's `out=`, and giving a Tensor another array, or another shape, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError, InPlaceError, describe
from .graph import ambient, mode, tick
from .inplace import enlist, fitting, lineage, put, refuse
from .tensor import Tensor, wrap


def into(out: Any, op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`op(*args, **kwargs)` in the Tensor `out`, or in several; an empty one takes on any shape."""
    start, name = tick(), op.__name__
    new = op(*args, **kwargs)
    outs, results = (out, new) if isinstance(new, tuple) else ((out,), (new,))
    are_tensors = isinstance(outs, (tuple, list)) and all(isinstance(t, Tensor) for t in outs)
    if not are_tensors or len(outs) != len(results):
        raise ArgumentError(f"{name}: out takes {len(results)} of Tensors, got {describe(out)}")
    for t, value in zip(outs, results, strict=True):
        if t.array.size == 0 != value.array.size:
            t.data = wrap(np.empty_like(value.array, t.dtype))
    fitted = [fitting(name, t, value) for t, value in zip(outs, results, strict=True)]
    for t, value in zip(outs, fitted, strict=True):
        put(t, name, ..., value, start=start)
    return out


def leave(t: Tensor) -> None:
    """`t` will look at another array: its views get another base, and it is a view of nothing."""
    if (link := getattr(t, "_link", None)) is None:
        return
    t.node = t.node  # if that was to be made anew, now is the time
    base, _, live = lineage(t)
    t._link = None
    if base is not t:
        if live:
            base._link.forget()
        return
    stays = wrap(t.array, t.node)
    stays._link = link
    for view in [known() for known in link]:
        if view is not None:
            view._link = stays, *view._link[1:]


def reshape_in_place(t: Tensor, name: str, op: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """Let `t` look at its memory in another shape: it becomes a view of what it was; so do its views."""
    if mode().grad and lineage(t)[0].node is not None:
        refuse(t, *lineage(t), name)
    with ambient(grad=True):  # or what was recorded would be lost
        new = op(t, *args, **kwargs)
    if t.node is not None and t.is_leaf and new.shape != t.shape:
        raise InPlaceError(f"{name}: a leaf that requires grad keeps its shape; use the form without _")
    if new.shape != t.shape or new.array.strides != t.array.strides:
        leave(t)
        t.array, t.node, t._resting = new.array, new.node, None
        if (link := getattr(new, "_link", None)) is not None:  # the view that `new` is
            t._link = base, _, live = link
            if live:
                enlist(t, base)
        Tensor.rebinds = tick()
    return t
