"""What a classifier does: where it draws its boundaries, which classes it confuses, and what it says of single images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.api.creation import from_numpy
from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError

from ..mode import in_mode
from .common import GREY, MARKERS, PALETTE, numbers, panel, tidy
from .grids import images as draw_images

__all__ = ["boundary", "confusion", "predictions"]


def boundary(
    model: Any, x: Any, y: Any = None, ax: Any = None, *, threshold: float = 0.0, resolution: int = 200,
    names: Sequence[str] | None = None,
) -> Any:  # fmt: skip
    """The regions of the plane that `model` gives to each class, and the points `x`, (n, 2), in the colours of their classes `y`.

    The model gives scores of shape (n, classes), of which the largest wins, or one score a point, (n,) or (n, 1), which means
    class 1 above `threshold`: 0 for logits, 0.5 for probabilities. It runs in evaluation mode, on a grid of `resolution` points
    in each direction. `names` are those of the classes. Returns the Axes. Raises ArgumentError, ShapeError.

    >>> import nn
    >>> x, y = nn.datasets.make_moons(100, noise=0.1)
    >>> ax = boundary(nn.Linear(2, 2), x, y)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    points = numbers(x)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ShapeError(f"plot.boundary draws a plane: x must be (n, 2), got {points.shape}")
    classes = None if y is None else numbers(y).reshape(-1).astype(np.int64)
    if classes is not None and len(classes) != len(points):
        raise ShapeError(f"plot.boundary: there are {len(points)} points and {len(classes)} classes")
    low, high = points.min(0), points.max(0)
    margin = 0.1 * np.where(high > low, high - low, 1)
    sides = [np.linspace(a, b, resolution) for a, b in zip(low - margin, high + margin, strict=True)]
    grid = np.stack(np.meshgrid(*sides), -1)
    with in_mode(model, training=False), no_grad():
        scores = numbers(model(from_numpy(grid.reshape(-1, 2).astype(points.dtype))))
    scores = scores.reshape(resolution, resolution, -1)
    if scores.shape[2] == 1:
        leads = [threshold - scores[:, :, 0], scores[:, :, 0] - threshold]
    else:  # of each class before the best of the others
        leads = [scores[:, :, c] - np.delete(scores, c, 2).max(2) for c in range(scores.shape[2])]
    n = max(len(leads), 1 + (0 if classes is None else classes.max()))
    if n > len(PALETTE):
        raise ArgumentError(f"plot.boundary has colours for {len(PALETTE)} classes that one can tell apart, got {n}")
    if names is not None and len(names) < n:
        raise ArgumentError(f"plot.boundary: there are {n} classes and {len(names)} names")
    axis = panel("plot.boundary", ax, (5, 4))
    for lead, colour in zip(leads, PALETTE, strict=False):
        if np.nanmax(lead) > 0:
            axis.contourf(*sides, lead, levels=[0, 1.01 * np.nanmax(lead)], colors=[colour], alpha=0.22)
            if np.nanmin(lead) < 0:
                axis.contour(*sides, lead, levels=[0], colors=GREY, linewidths=1)
    for c in range(n) if classes is not None else ():
        style = {"color": PALETTE[c], "marker": MARKERS[c], "s": 26, "edgecolors": "white", "linewidths": 0.6}
        axis.scatter(*points[classes == c].T, label=names[c] if names is not None else f"class {c}", **style)
    tidy(axis, "", "$x_1$", "$x_2$")
    axis.set(xlim=sides[0][[0, -1]], ylim=sides[1][[0, -1]])
    if classes is not None:
        axis.legend(fontsize="small", loc="best", framealpha=0.9)
    return axis


def confusion(matrix: Any, ax: Any = None, *, names: Sequence[str] | None = None) -> Any:
    """A confusion matrix, as nn.metrics.confusion_matrix gives it: row i holds how often class i was taken for each class.

    Shades are shares of a row, so that rare classes can be seen; the numbers are those of the matrix. Returns the Axes.
    Raises ShapeError, ArgumentError.

    >>> import nn
    >>> ax = confusion(nn.metrics.confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2]), names=["ant", "bee", "cat"])
    >>> [text.get_text() for text in ax.texts]
    ['1', '0', '0', '0', '1', '0', '0', '1', '1']
    """
    counts = numbers(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"plot.confusion: matrix must be square, got {counts.shape}; see nn.metrics.confusion_matrix")
    n = len(counts)
    if names is not None and len(names) != n:
        raise ArgumentError(f"plot.confusion: there are {n} classes and {len(names)} names")
    sums = counts.sum(1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros(counts.shape), where=sums > 0)
    side = max(3.2, 0.42 * n + 1)
    axis = panel("plot.confusion", ax, (side + 0.6, side))
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(n, n):
        text = f"{counts[i, j]}" if counts.dtype.kind in "iu" else f"{counts[i, j]:.2f}"
        colour = "white" if shares[i, j] > 0.55 else "black" if counts[i, j] else "0.7"
        axis.text(j, i, text, ha="center", va="center", color=colour, fontsize=9 if n <= 12 else 6)
    labels = names if names is not None else [str(i) for i in range(n)]
    turned = 45 if max(map(len, labels)) > 3 else 0
    axis.set_xticks(range(n), labels, rotation=turned, ha="right" if turned else "center", rotation_mode="anchor")
    axis.set_yticks(range(n), labels)
    axis.set(xlabel="taken for", ylabel="class")
    axis.spines[:].set_visible(False)
    bar = axis.figure.colorbar(image, ax=axis, label="share of the class", shrink=0.8)
    bar.outline.set_visible(False)
    return axis


def predictions(
    images: Any, output: Any, target: Any = None, ax: Any = None, *, names: Sequence[str] | None = None, most: int = 24,
    columns: int = 8,
) -> Any:  # fmt: skip
    """Images with what a model takes them for: those that are wrong first, in a frame, with the true class.

    `images` is as `images` wants it, `output` holds scores of shape (n, classes), or classes, (n,); `target` the classes.
    At most `most` images are shown. Returns an array of Axes. Raises ShapeError.

    >>> import nn
    >>> pictures, labels = nn.datasets.digits()[1].tensors  # a 0, a 7, a 4 ...
    >>> axes = predictions(pictures[:3], [0, 0, 0], labels[:3])
    >>> [axis.get_title() for axis in axes]
    ['0, is 7', '0, is 4', '0']
    """
    scores, truth = numbers(output), None if target is None else numbers(target).reshape(-1)
    found = scores.argmax(1) if scores.ndim == 2 else scores.reshape(-1)
    n = len(numbers(images))
    if len(found) != n or (truth is not None and len(truth) != n):
        targets = "" if truth is None else f", {len(truth)} targets"
        raise ShapeError(f"plot.predictions: there are {n} images, {len(found)} outputs{targets}")
    order = np.arange(n) if truth is None else np.argsort(found == truth, kind="stable")
    order = order[:most]
    called = str if names is None else names.__getitem__
    real = found if truth is None else truth
    wrong = found[order] != real[order]
    titles = [
        f"{called(found[i])}, is {called(real[i])}" if bad else called(found[i]) for i, bad in zip(order, wrong, strict=True)
    ]
    axes = draw_images(numbers(images)[order], titles, ax, columns=columns)
    for axis, bad in zip(axes, wrong, strict=True):
        if bad:
            axis.spines[:].set(visible=True, color=PALETTE[1], linewidth=2.5)
            axis.title.set_color(PALETTE[1])
    if truth is not None and ax is None:
        right = int((found == truth).sum())
        what = f"{right} of {n} right ({right / n:.1%}); mistakes first: what it says, and what it is"
        axes[0].figure.suptitle(what, fontsize="medium")
    return axes
