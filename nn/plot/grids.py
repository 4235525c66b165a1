"""Arrays as images: batches, the filters and feature maps of convolutions, and what attention looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError

from ..conv import Conv1d, Conv2d
from ..mode import in_mode
from ..module import Module
from .common import bare, diverging, numbers, panels

__all__ = ["attention", "feature_maps", "filters", "images"]


def images(
    batch: Any, titles: Sequence[str] = (), ax: Any = None, *, columns: int = 8, scale: tuple[float, float] | None = None
) -> Any:
    """A batch of images side by side: (n, height, width) in grey, or (n, channels, height, width) with 1 or 3 channels.

    All share one scale, from `scale[0]`, black, to `scale[1]`, white: by default the least and the largest number in the batch.
    Returns an array of Axes. Raises ShapeError.

    >>> import nn
    >>> axes = images(nn.datasets.digits()[0].tensors[0][:4], ["a", "b", "c", "d"])
    >>> axes[1].get_title(), axes[1].get_images()[0].get_array().shape
    ('b', (8, 8))
    """
    values = numbers(batch)
    if values.ndim == 4 and values.shape[1] in (1, 3):
        values = values[:, 0] if values.shape[1] == 1 else np.moveaxis(values, 1, -1)
    elif values.ndim != 3:
        raise ShapeError(f"plot.images: batch must be (n, height, width) or (n, 1 or 3, height, width), got {values.shape}")
    if not values.size:
        raise ShapeError(f"plot.images: there is nothing to draw in a batch of shape {values.shape}")
    low, high = scale if scale is not None else (float(values.min()), float(values.max()))
    if values.ndim == 4:  # matplotlib shows colours from 0 to 1 as they are, and scales none
        values, low, high = np.clip((values - low) / ((high - low) or 1), 0, 1), 0, 1
    axes = panels("plot.images", len(values), ax, (1.1, 1.3 if len(titles) else 1.1), columns)
    for axis, value, title in zip(axes, values, [*titles, *[""] * (len(values) - len(titles))], strict=True):
        axis.imshow(value, cmap="gray", vmin=low, vmax=high)
        bare(axis)
        axis.set_title(title, fontsize=9)
    return axes


def filters(layer: Any, ax: Any = None, *, most: int = 8) -> Any:
    """The kernels of a convolution: a row for each of its outputs, a column for each channel that it looks at.

    `layer` is a Conv2d or its weight, (outputs, channels, height, width). Orange is negative, blue positive, on one scale. At
    most `most` rows and columns are drawn; the title says how many there are. Returns the Axes. Raises ShapeError.

    >>> import nn
    >>> filters(nn.Conv2d(1, 4, 3)).get_images()[0].get_array().shape  # 4 kernels of 3 x 3, eightfold, with gaps
    (102, 24)
    """
    weight = numbers(layer.weight if isinstance(layer, Module) else layer)
    if weight.ndim != 4:
        raise ShapeError(f"plot.filters: the weight of a Conv2d is (outputs, channels, height, width), got {weight.shape}")
    shown = weight[:most, :most]
    what = f"{len(weight)} filters of {weight.shape[1]} channel{'s' * (weight.shape[1] > 1)}"
    if shown.shape != weight.shape:
        what += f"\n(the first {shown.shape[0]} x {shown.shape[1]})"
    axis = _mosaic("plot.filters", shown, ax, what)
    axis.set(xlabel="channel", ylabel="filter")
    return axis


def feature_maps(model: Module, input: Any, ax: Any = None, *, layers: Sequence[str] | None = None, most: int = 8) -> Any:
    """What each convolution of `model` makes of one input, channel by channel: a panel for each layer, deeper ones to the right.

    `layers` names other modules whose results are shown instead, (1, channels, height, width). The input has a batch dimension
    of 1. Orange is negative, blue positive, on a scale for each panel. Returns an array of Axes. Raises ArgumentError,
    ShapeError.

    >>> import autograd, nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3))
    >>> [axis.get_title() for axis in feature_maps(net, autograd.randn(1, 1, 8, 8))]
    ['0: Conv2d\\n4 maps, 6 x 6', '2: Conv2d\\n6 maps, 4 x 4']
    """
    inside = dict(model.named_modules())
    if layers is None:
        layers = [name for name, module in inside.items() if isinstance(module, (Conv1d, Conv2d))]
    if not layers:
        raise ArgumentError(f"plot.feature_maps: {type(model).__name__} has no convolution; name the layers to look at")
    if odd := [name for name in layers if name not in inside]:
        raise ArgumentError(f"plot.feature_maps: the model has no module {odd[0]!r}; it has {', '.join(filter(None, inside))}")
    found: dict[str, Any] = {}

    def keep(name: str) -> Any:
        return lambda module, args, out: found.__setitem__(name, numbers(out).copy())

    handles = [inside[name].register_forward_hook(keep(name)) for name in layers]
    try:
        with in_mode(model, training=False), no_grad():
            model(input)
    finally:
        for handle in handles:
            handle.remove()
    if missing := [name for name in layers if name not in found]:
        raise ArgumentError(f"plot.feature_maps: {missing[0]!r} was not called")
    for name, maps in found.items():
        if maps.ndim != 4 or len(maps) != 1:
            what = "feature maps of one input are (1, channels, height, width)"
            raise ShapeError(f"plot.feature_maps: {what}, {name!r} gave {maps.shape}")
    axes = panels("plot.feature_maps", len(layers), ax, (2.2, 4.4))
    for axis, name in zip(axes, layers, strict=True):
        maps = found[name][0]
        shown = maps[:most]
        what = f"{name}: {type(inside[name]).__name__}\n{len(maps)} maps, {maps.shape[1]} x {maps.shape[2]}"
        if len(shown) < len(maps):
            what += f"\n(the first {len(shown)})"
        wide = 1 if len(shown) <= 4 else 2
        spare = -len(shown) % wide
        padded = np.concatenate([shown, np.full((spare, *shown.shape[1:]), np.nan)]) if spare else shown
        _mosaic("plot.feature_maps", padded.reshape(-1, wide, *maps.shape[1:]), axis, what)
    return axes


def _mosaic(who: str, tiles: Any, ax: Any, title: str) -> Any:
    """Tiles of shape (rows, columns, height, width) as one image with gaps, on one scale around 0."""
    zoom, gap = max(1, 24 // max(tiles.shape[2:])), 2
    tiles = np.kron(tiles, np.ones((1, 1, zoom, zoom)))  # so that gaps are thin beside small tiles
    rows, columns, height, width = tiles.shape
    image = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, j in np.ndindex(rows, columns):
        y, x = i * (height + gap), j * (width + gap)
        image[y : y + height, x : x + width] = tiles[i, j]
    most = float(np.nanmax(np.abs(tiles))) or 1.0
    tall = min(6.0, max(2.4, 0.55 * rows))
    axis = panels(who, 1, ax, (max(2.6, tall * image.shape[1] / image.shape[0] + 1.2), tall + 0.6))[0]
    drawn = axis.imshow(image, cmap=diverging("signed", "#D55E00", "#0072B2"), vmin=-most, vmax=most)
    bare(axis)
    axis.set_title(title, fontsize="medium")
    axis.set_facecolor("0.85")
    bar = axis.figure.colorbar(drawn, ax=axis, shrink=0.6, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    return axis


def attention(weights: Any, ax: Any = None, *, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None) -> Any:
    """Attention weights: how much each query, a row, looks at each key, a column; a panel for each head.

    `weights` is (queries, keys) or (heads, queries, keys), as nn.MultiheadAttention returns them for one example without its
    batch dimension, with `average_attn_weights=False` for each head. `queries` and `keys` are words to stand at the sides; `keys`
    are by default the queries, if there are as many. One scale, from 0, for all. Returns an array of Axes. Raises ShapeError.

    >>> axes = attention([[0.9, 0.1], [0.5, 0.5]], queries=["the", "cat"])
    >>> [label.get_text() for label in axes[0].get_xticklabels()]
    ['the', 'cat']
    """
    values = numbers(weights)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or not values.size:
        raise ShapeError(f"plot.attention: weights must be (queries, keys) or (heads, queries, keys), got {values.shape}")
    if keys is None and values.shape[1] == values.shape[2]:
        keys = queries
    for name, words, n in (("queries", queries, values.shape[1]), ("keys", keys, values.shape[2])):
        if words is not None and len(words) != n:
            raise ShapeError(f"plot.attention: there are {n} {name} and {len(words)} words for them")
    side = max(2.4, 0.32 * max(values.shape[1:]) + 1)
    axes = panels("plot.attention", len(values), ax, (side, side))
    for head, (axis, value) in enumerate(zip(axes, values, strict=True)):
        drawn = axis.imshow(value, cmap="viridis", vmin=0, vmax=float(values.max()))
        if keys is not None:
            axis.set_xticks(range(len(keys)), keys, rotation=60, ha="right", rotation_mode="anchor")
        if queries is not None:
            axis.set_yticks(range(len(queries)), queries)
        axis.set(xlabel="looks at (key)", ylabel="query")
        axis.spines[:].set_visible(False)
        if len(values) > 1:
            axis.set_title(f"head {head}")
    bar = axes[0].figure.colorbar(drawn, ax=list(axes), label="weight", shrink=0.8)
    bar.outline.set_visible(False)
    return axes
