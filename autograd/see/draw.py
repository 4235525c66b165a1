"""draw: the graph of backprop as a picture and as text: what was computed, from what, what is kept, and the gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .picture import Drawing

SHOW = ("shape", "dtype", "value", "grad", "saved", "rule")


def draw(
    tensors: Any, params: Any = None, show: str | Iterable[str] = SHOW, *, watch: bool = False, direction: str = "TB",
    theme: str = "light", depth: int | None = None, expand: str | Iterable[str] = (), fold: bool | None = None, limit: int = 2000,
    formulas: str = "text",
) -> Drawing:  # fmt: skip
    """Draw the graph that leads to `tensors`: a Tensor or several, or all that a recording heard (`autograd.watch`).

    A box is what an op returns: its name, how it was computed, its shape, value and gradient, what the op keeps for backward, and
    the rule by which its gradient `g` goes on. Graphs keep only what backward needs, so draw what was watched to see each
    value and gradient; or pass `watch=True`, which runs backward first, and keeps what it finds. Constants are shown where
    they are known; dashed boxes and edges are those that no gradient goes through.

    Tensors are called by your variables, parameters by their full names; `params` gives others: a dict, or anything with
    `named_parameters()`, as a Module. `show` chooses among shape, dtype, value (of small Tensors), grad (with its norm), saved
    (with its bytes) and rule. `direction`: `TB` from top to bottom, or `LR`. `theme`: `light` or `dark`. `formulas`: `text`, or
    `latex`, in which the picture has them as books do (set by matplotlib; DOT, Mermaid and text have no such signs).

    A graph of more than 60 boxes is folded until it fits on a page: modules that were called in a watched forward pass
    are closed, from the innermost on, and what is repeated is drawn once, `× 12`. Layers of the library that are many ops are one
    box. `depth` says how deep modules are open (0: the model is one box), `expand` which of them are, by name or class; `fold`
    whether repetitions are drawn once. What then still has more than `limit` boxes is told in a summary.

    Returns a Drawing, which notebooks display. Raises NoGradientError if nothing was recorded.

    >>> import autograd
    >>> w, b = (autograd.tensor(v, requires_grad=True) for v in (3.0, 1.0))
    >>> with autograd.watch() as tape:
    ...     y = 2 * w + b
    ...     y.backward()
    >>> print(autograd.draw(tape))
    2 operations, 2 parameters. Backward has run and freed what ops had kept for it.
      w           float32 (); = 3; grad = 2
      v1 = 2 * w  multiply · float32 (); = 6; grad = 1; dw = g * 2
      b           float32 (); = 1; grad = 1
      y = v1 + b  add · float32 (); = 7; grad = 1; dv1 = g; db = g
    """
    from .picture import drawn  # here, as most programs never draw

    wanted = set(show.replace(",", " ").split() if isinstance(show, str) else show)
    if unknown := wanted - set(SHOW):
        raise ArgumentError(f"draw: show chooses among {', '.join(SHOW)}, got {min(unknown)!r}")
    return drawn(tensors, params, wanted, watch, direction, theme, depth, expand, fold, limit, formulas)
