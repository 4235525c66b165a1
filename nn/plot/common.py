"""What the pictures share: matplotlib when it is needed, one palette, panels of one look, and numbers that fit into them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, MissingError, UnsupportedError, describe

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")  # Okabe and Ito, 2008
MARKERS = "osD^vPX*"  # with the colours, for those who print in grey
GREY, FAINT = "#64748b", "#cbd5e1"


def pyplot_for(who: str) -> Any:
    """matplotlib.pyplot. Raises MissingError where there is no matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingError(f"{who} needs matplotlib; pip install 'chainrule[demo]'") from error
    return pyplot


def panels(who: str, n: int, ax: Any = None, size: tuple[float, float] = (4, 3), columns: int = 4) -> Any:
    """An array of `n` Axes: those given as `ax`, or new ones, each as large as `size` in inches, `columns` side by side."""
    pyplot = pyplot_for(who)
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) != n:
            raise ArgumentError(f"{who}: there are {n} panels to draw, and ax has {len(given)} Axes")
        if odd := [one for one in given if not hasattr(one, "imshow")]:
            raise UnsupportedError(f"{who}: ax is Axes of matplotlib, not {describe(odd[0])}")
        return given
    columns = max(1, min(columns, n))
    rows = -(-n // columns)
    shape = (size[0] * columns, size[1] * rows)
    _, axes = pyplot.subplots(rows, columns, figsize=shape, layout="constrained", squeeze=False)
    for spare in axes.flat[n:]:
        spare.set_visible(False)
    return axes.ravel()[:n]


def panel(who: str, ax: Any = None, size: tuple[float, float] = (5, 3.6)) -> Any:
    """One Axes: `ax`, or that of a new figure."""
    return panels(who, 1, ax, size)[0]


def figure_of(picture: Any) -> Any:
    """The figure of what a function of nn.plot returned: Axes, an array of them, or a Figure."""
    first = np.ravel(np.asarray(picture, dtype=object))[0]
    figure = first if hasattr(first, "savefig") else getattr(first, "figure", None)
    if figure is None:
        raise UnsupportedError(
            f"plot: a picture is a Figure or Axes, as the functions of nn.plot return, not {describe(picture)}"
        )
    return figure


def tidy(axis: Any, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Give a panel its texts, and take away the frame where there is no axis."""
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    axis.spines[["top", "right"]].set_visible(False)


def bare(axis: Any) -> None:
    """Take away ticks and frame: an image needs none."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def numbers(value: Any) -> Any:
    """An array, of a tensor or of what NumPy makes one of."""
    return value.detach().array if isinstance(value, Tensor) else np.asarray(value)


def short(value: float) -> str:
    """A number in at most five characters, with a true minus.

    >>> [short(v) for v in (0.0, 0.1234, -1.5, 12.3, 1234.5, 1e-5, -0.00012)]
    ['0', '0.12', '−1.5', '12', '1234', '1e−5', '−1e−4']
    """
    size = abs(value)
    if 0 < size < 0.005 or 9999.5 <= size < np.inf:
        text = f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    else:
        text = f"{value:.{2 if 0 < size < 0.995 else 1 if 0 < size < 9.95 else 0}f}"
    return text.replace("-", "−")


def diverging(name: str, negative: str, positive: str) -> Any:
    """A colour map through white, for what is negative or positive."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, [negative, "#ffffff", positive])
