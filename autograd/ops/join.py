"""Joining and splitting: several tensors in one, one in several, and tensors brought to a common shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import moving as primitive  # all of these move elements, and compute nothing
from .common import in_order

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table
def _split(x: Array, ends: Axis, axis: int) -> tuple[Array, ...]:
    lead = (slice(None),) * axis
    return tuple(x[(*lead, slice(a, b))] for a, b in pairwise((0, *ends, x.shape[axis])))


def _unbind(x: Array, axis: int) -> tuple[Array, ...]:
    lead = (slice(None),) * axis
    return tuple(x[(*lead, i, ...)] for i in range(x.shape[axis]))


def filled(gs: Sequence[Any], shapes: Sequence[Axis]) -> list[Any]:
    """The gradients of several results, zeros for those that nobody used."""
    some = next(g for g in gs if g is not None)
    return [np.zeros_like(some, shape=shape) if g is None else g for g, shape in zip(gs, shapes, strict=True)]


def sum_of(*parts: Array | None) -> Array:
    """The sum of those that there are: where a result that nobody used has no share in a gradient, nothing is computed of it."""
    first, *others = [part for part in parts if part is not None]
    return sum(others, start=first)


def _pull_concatenate(g: Array, axis: int, xs_shape: list[Axis]) -> list[Any]:
    ends = np.cumsum([shape[axis] for shape in xs_shape])[:-1].tolist()
    return [None, *split(g, tuple(ends), axis)]


# fmt: off
concatenate = primitive(in_order(lambda axis, *xs: np.concatenate(xs, axis)), "concatenate",  joint=_pull_concatenate, promote=slice(1, None),
            says="The arrays xs, one after the other along an axis (torch.cat).")
stack       = primitive(in_order(lambda axis, *xs: np.stack(xs, axis)), "stack",              joint=lambda g, axis: [None, *unbind(g, axis)], promote=slice(1, None),
            says="The arrays xs along a new axis (torch.stack).")
split: Any  = primitive(_split, "split",                                            x=lambda g, axis, out_shape: np.concatenate(filled(g, out_shape), axis), view=True,
            says="Parts of x along an axis, given by where each ends (torch.tensor_split).")
unbind: Any = primitive(_unbind, "unbind",                                          x=lambda g, axis, out_shape: np.stack(filled(g, out_shape), axis), view=True,
            says="The slices of x along an axis, one by one (torch.unbind).")
# fmt: on
