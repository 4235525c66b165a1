"""Shape ops: the elements of one tensor in another arrangement; where NumPy gives a view, so do these."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import moving as primitive  # all of these move elements, and compute nothing
from .common import in_order

Axis = tuple[int, ...]


# ---------------------------------------------------------------- the table
def _diagonal(x: Array, offset: int, axis1: int, axis2: int) -> Array:
    """As np.diagonal, but a view that can be written to."""
    x = np.moveaxis(x, (axis1, axis2), (-2, -1))[..., max(-offset, 0) :, max(offset, 0) :]
    n = min(x.shape[-2:])
    return np.einsum("...ii->...i", x[..., :n, :n])


def _undiagonal(x: Array, shape: Axis, offset: int, axis1: int, axis2: int) -> Array:
    out = np.zeros_like(x, shape=shape)
    rest = tuple(n for i, n in enumerate(shape) if i not in (axis1, axis2))
    grid = list(np.ogrid[tuple(slice(n) for n in (*rest, x.shape[-1]))])
    step = grid.pop()
    index = [
        grid.pop(0) if i not in (axis1, axis2) else step + max(0, -offset if i == axis1 else offset) for i in range(len(shape))
    ]
    out[tuple(index)] = x
    return out


def _broadcast(x: Array, shape: Axis) -> Array:
    out = np.broadcast_to(x, shape)
    if type(out) is np.ndarray and x.flags.writeable:
        out.flags.writeable = True  # there may be views of it in which no element stands for several
    return out


# fmt: off
reshape     = primitive(lambda x, shape: np.reshape(x, shape), "reshape",               x=lambda g, x_shape: np.reshape(g, x_shape), view=True,
            says="The elements of x, in order, in another shape (torch.reshape).")
permute     = primitive(lambda x, axes: np.transpose(x, axes), "permute",               x=lambda g, axes: np.transpose(g, tuple(np.argsort(axes).tolist())), view=True,
            says="x with its axes in another order (torch.permute).")
transpose    = primitive(lambda x, a, b: np.swapaxes(x, a, b), "transpose",              x=lambda g, a, b: np.swapaxes(g, a, b), view=True,
            says="x with two of its axes exchanged (torch.transpose).")
expand   = primitive(_broadcast, "expand",           x=lambda g: g, view=True,
            says="x repeated to a larger shape without being copied (torch.broadcast_to).")
flip        = primitive(lambda x, axis: np.copy(np.flip(x, axis)), "flip",              x=lambda g, axis: np.flip(g, axis),
            says="x in reverse order along the axes (torch.flip).")
roll        = primitive(lambda x, shift, axis: np.roll(x, shift, axis), "roll",         x=lambda g, shift, axis: np.roll(g, tuple(-s for s in shift), axis),
            says="x moved along the axes; what leaves at one end comes in at the other (torch.roll).")
tril        = primitive(in_order(lambda x, k: np.tril(x, k)), "tril",                             x=lambda g, k: np.tril(g, k),
            says="The part of the matrices x on and below a diagonal, 0 elsewhere (torch.tril).")
triu        = primitive(in_order(lambda x, k: np.triu(x, k)), "triu",                             x=lambda g, k: np.triu(g, k),
            says="The part of the matrices x on and above a diagonal, 0 elsewhere (torch.triu).")
diagonal    = primitive(_diagonal, "diagonal",                                         x=lambda g, x_shape, offset, axis1, axis2: undiagonal(g, x_shape, offset, axis1, axis2), view=True,
            says="A diagonal of x through two of its axes (torch.diagonal).")
undiagonal: Any = primitive(_undiagonal, "undiagonal",                                      x=lambda g, offset, axis1, axis2: diagonal(g, offset, axis1, axis2),
            says="Zeros of a shape with x on a diagonal: the adjoint of diagonal (torch.diag_embed).")
clone       = primitive(lambda x, order: np.copy(x, order), "clone",                    x=lambda g: g,
            says="A copy of x (torch.clone).")
transfer: Any = primitive(lambda x, there, back: there(x), "transfer",                  x=lambda g, there, back: transfer(g, back, there), linear=True,
            says="A copy of x on another device, where `there` brings it (torch.Tensor.to).")
repeats     = primitive(lambda counts: np.repeat(np.arange(counts.shape[0], like=counts), counts), "repeats",
            says="The positions 0, 1, ..., each as often as counts says (torch.repeat_interleave).")
# fmt: on
