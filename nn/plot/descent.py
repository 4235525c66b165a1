"""A loss of two numbers as a landscape, and the ways that optimizers take through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError

from ..parameter import Parameter
from .common import MARKERS, PALETTE, numbers, panel, tidy

__all__ = ["descend", "surface"]


def descend(
    function: Callable[[Any, Any], Any], start: Sequence[float], optimizers: Mapping[str, Callable[[Any], Any]], steps: int = 100
) -> dict[str, Any]:
    """The points at which optimizers are, step by step, when they make `function(x, y)` small from `start`.

    `optimizers` makes each, by name, of a list of the one parameter there is, of shape (2,). Returns an array of shape
    (steps + 1, 2) for each, which `surface` draws. Raises ArgumentError.

    >>> import nn
    >>> paths = descend(lambda x, y: x**2 + y**2, (1, 2), {"SGD": lambda p: nn.optim.SGD(p, lr=0.25)}, steps=2)
    >>> paths["SGD"].tolist()
    [[1.0, 2.0], [0.5, 1.0], [0.25, 0.5]]
    """
    if len(start) != 2:
        raise ArgumentError(f"plot.descend: start is a point (x, y), got {start!r}")
    paths: dict[str, Any] = {}
    for name, make in optimizers.items():
        p = Parameter(from_numpy(np.array(start, np.float64)))
        optimizer, found = make([p]), [numbers(p).copy()]

        def closure(p: Any = p, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = function(p[0], p[1])
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)
            found.append(numbers(p).copy())
        paths[name] = np.array(found)
    return paths


def surface(
    function: Callable[[Any, Any], Any], paths: Mapping[str, Any], ax: Any = None, *, until: int | None = None,
    x: tuple[float, float] | None = None, y: tuple[float, float] | None = None, minima: Sequence[tuple[float, float]] = (),
) -> Any:  # fmt: skip
    """The level lines of `function(x, y)`, evenly spaced in the logarithm of its height, and paths over them, as of `descend`.

    `x` and `y` are the sides of the picture; by default they hold all paths. A ring is where all begin, a mark where each is
    after `until` steps, by default in the end; `minima` get a star. The function takes tensors, element by element. What leaves
    the picture is cut off. Returns the Axes. Raises ShapeError.

    >>> import nn
    >>> bowl = lambda x, y: x**2 + 4 * y**2
    >>> paths = descend(bowl, (1, 1), {"SGD": lambda p: nn.optim.SGD(p, lr=0.1), "Adam": lambda p: nn.optim.Adam(p, lr=0.1)})
    >>> ax = surface(bowl, paths, minima=[(0, 0)])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['SGD', 'Adam', 'minimum']
    """
    tracks = {name: numbers(path) for name, path in paths.items()}
    if odd := [name for name, path in tracks.items() if path.ndim != 2 or path.shape[1] != 2 or not len(path)]:
        raise ShapeError(f"plot.surface: the path {odd[0]!r} must be (steps + 1, 2), got {tracks[odd[0]].shape}")
    if not tracks and (x is None or y is None):
        raise ArgumentError("plot.surface: without paths, pass the sides x=(low, high) and y=(low, high)")
    points = np.concatenate([*tracks.values(), np.reshape(np.array(minima, float), (-1, 2))])
    points = points[np.isfinite(points).all(1)]
    sides = [_side(points[:, i]) if given is None else given for i, given in enumerate((x, y))]
    grid = np.meshgrid(*(np.linspace(*side, 240) for side in sides))
    with no_grad():
        heights = numbers(function(*map(from_numpy, grid)))
    if heights.shape != grid[0].shape:
        raise ShapeError(
            f"plot.surface: function of tensors of shape {grid[0].shape} gave {heights.shape}; it is to go element by element"
        )
    axis = panel("plot.surface", ax, (5.6, 4.4))
    above = heights - np.nanmin(heights)
    top = float(np.nanmax(above)) or 1.0
    levels = np.geomspace(top * 1e-4, top, 16)
    axis.contourf(*grid, above, levels=[0, *levels], cmap="Greys", norm=_by_rank(levels), alpha=0.55)
    axis.contour(*grid, above, levels=levels, colors="white", linewidths=0.6)
    for (name, path), colour, marker in zip(tracks.items(), PALETTE * len(tracks), MARKERS * len(tracks), strict=False):
        shown = path[: None if until is None else until + 1]
        axis.plot(*shown.T, "-", color=colour, linewidth=1.8)
        axis.plot(*shown[-1:].T, marker, color=colour, markersize=9, markeredgecolor="white", label=name, linestyle="")
        axis.plot(*path[0], "o", markersize=9, markerfacecolor="none", markeredgecolor="black", zorder=5)
    for i, point in enumerate(minima):
        axis.plot(
            *point,
            "*",
            color="black",
            markersize=20,
            markeredgecolor="white",
            label="_" * bool(i) + "minimum",
            linestyle="",
            zorder=1.9,
        )
    tidy(axis, "", "$x$", "$y$")
    axis.set(xlim=sides[0], ylim=sides[1])
    axis.legend(fontsize="small", framealpha=0.9)
    return axis


def _side(values: Any) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.15 * ((high - low) or 1.0)
    return low - margin, high + margin


def _by_rank(levels: Any) -> Any:
    from matplotlib.colors import BoundaryNorm

    return BoundaryNorm([0, *levels], 256)
