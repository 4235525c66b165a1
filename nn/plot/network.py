"""draw: a network as circles and lines, with the numbers that flow through it, forward and back, and through training."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import as_tensor
from autograd.engine.grad_mode import enable_grad
from autograd.engine.tensor import Tensor, grad
from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from ..conv import Conv1d, Conv2d
from ..linear import Linear
from ..mode import in_mode
from ..module import Module
from .common import FAINT, GREY, diverging, panel, pyplot_for, short
from .film import Film

__all__ = ["Network", "draw"]

_WEIGHTED = (Linear, Conv1d, Conv2d)
_SIGNED = {"value": ("value", "#D55E00", "#0072B2"), "grad": ("grad", "#762a83", "#1b7837")}  # negative, positive
_PITCH, _APART, _RADIUS = 0.56, 2.0, 0.23  # inches: from circle to circle, from column to column, and of a circle


class Column(NamedTuple):
    """What one weighted layer was given, or what the model returned: an item for each unit, (n,), or map, (n, height, width)."""

    title: str
    value: Any
    grad: Any  # of the loss, of the same shape, or None


class Gap(NamedTuple):
    """The lines between two columns, (to, from): weights, or where maps are joined the norm of each kernel, which has no sign."""

    weight: Any
    grad: Any
    signless: bool


class Pass(NamedTuple):
    """A run of the model: forward and, if there is a loss, back."""

    columns: list[Column]
    gaps: list[Gap]
    loss: float | None


def draw(
    model: Module, input: Any, target: Any = None, loss: Callable[..., Any] | None = None, *, most: int = 8,
    inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None,
) -> Network:  # fmt: skip
    """Draw `model` as a network of circles, with what flows through it when it is given one example.

    A circle is a unit, coloured by its activation, which stands in it; a line is a weight, blue and orange by its sign, thicker
    the larger it is. Feature maps of convolutions are small images, with grey lines for the norms of kernels. Of columns with
    more than `most` circles the first and the last are shown. `input` has a batch dimension of 1. With `loss`, and a `target`
    if it takes one, the way back is known too: gradients in the circles, and on the lines. `inputs` and `outputs` are names for
    the circles at both ends.

    The model is a chain of Linear, Conv1d and Conv2d layers with anything between them that keeps the units in their order. It
    runs in evaluation mode, and its gradients are left alone. Returns a Network, which saves pictures, films and pages, and
    takes down more passes as training goes on. Raises ArgumentError, ShapeError, UnsupportedError.

    >>> import autograd, nn
    >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> network = draw(net, autograd.tensor([[1.0, 2.0]]), autograd.tensor([[0.5]]), nn.MSELoss())
    >>> network
    <Network: 2 → 4 → 1, 1 pass>
    >>> network.render("net.png"), network.render("backprop.gif"), network.render("backprop.html")  # doctest: +SKIP
    """
    if not isinstance(model, Module):
        raise UnsupportedError(f"draw: model must be a Module, not {describe(model)}; autograd.draw draws graphs")
    if isinstance(most, bool) or not isinstance(most, int) or most < 2:
        raise ArgumentError(f"draw: most is a whole number of circles, 2 or more, got {most!r}")
    given = as_tensor(input).detach()
    if given.ndim < 2 or len(given) != 1:
        raise ShapeError(f"draw shows one example, of shape (1, ...), got {tuple(given.shape)}; pass input[:1]")
    if given.dtype.kind != "f":
        raise UnsupportedError(f"draw: input must be floating-point, got {given.dtype}; use float()")
    if target is not None and loss is None:
        raise ArgumentError("draw: a target is for a loss, and there is none; pass loss=, such as nn.functional.mse_loss")
    network = Network(model, given, target, loss, most, (inputs, outputs))
    network.record()
    for what, names, column in (("inputs", inputs, 0), ("outputs", outputs, -1)):
        n = len(network.passes[0].columns[column].value)
        if names is not None and len(names) != n:
            raise ArgumentError(f"draw: there are {n} {what} and {len(names)} names for them")
    return network


class Network:
    """A drawn network: `draw` makes it. `passes` are the runs that it has taken down.

    `record` takes down another, and may stand among the callbacks of nn.train.fit; a film then shows how weights and
    activations change.
    """

    def __init__(
        self, model: Module, input: Any, target: Any, loss: Callable[..., Any] | None, most: int, names: Sequence[Any]
    ) -> None:
        self.model, self.input, self.target, self.loss, self.most, self.names = model, input, target, loss, most, names
        self.passes: list[Pass] = []
        self.captions: list[str] = []

    def __repr__(self) -> str:
        sizes = " → ".join(str(len(column.value)) for column in self.passes[-1].columns)
        return f"<Network: {sizes}, {len(self.passes)} pass{'es' * (len(self.passes) != 1)}>"

    # ------------------------------------------------------------ taking down
    def record(self, loop: Any = None) -> None:
        """Run the model as it is now, forward and back, and keep the numbers."""
        calls: list[tuple[str, Module, Tensor]] = []
        titles, maps = ["input"], [_planes(tuple(self.input.shape[1:]), True)]
        names = {module: name for name, module in self.model.named_modules()}

        def before(module: Any, args: Any) -> None:
            if isinstance(module, _WEIGHTED):
                if any(t is args[0] for _, _, t in calls):
                    what = f"{calls[-1][0]} and {names[module]} are given the same tensor"
                    raise UnsupportedError(f"draw: {what}; it draws chains, in which each layer follows from the one before")
                calls.append((names[module], module, args[0]))
                titles.append(names[module])
                maps.append(())

        def after(module: Any, args: Any, out: Any) -> None:
            if calls:
                titles[-1] = f"{names[module]}: {type(module).__name__}" if names[module] else type(module).__name__
            if isinstance(out, Tensor) and out.ndim > 2:
                maps[-1] = _planes(tuple(out.shape[1:]), not calls)

        with ExitStack() as ends:
            for module in names:
                if not list(module.children()):
                    for handle in (module.register_forward_pre_hook(before), module.register_forward_hook(after)):
                        ends.callback(handle.remove)
            ends.enter_context(in_mode(self.model, training=False))
            ends.enter_context(enable_grad())
            x = self.input.clone().requires_grad_()
            out = self.model(x)
            if not calls:
                raise UnsupportedError(f"draw: {type(self.model).__name__} has called no Linear, Conv1d or Conv2d layer")
            if not isinstance(out, Tensor):
                raise UnsupportedError(f"draw: the model must return a tensor, not {describe(out)}")
            tensors = [t for _, _, t in calls] + [out]
            weights = [module.weight for _, module, _ in calls]
            value, found = None, [None] * (len(tensors) + len(weights))
            if self.loss is not None:
                value = self.loss(out) if self.target is None else self.loss(out, self.target)
                wanted = [t for t in (*tensors, *weights) if t.requires_grad]
                grads = dict(zip(map(id, wanted), grad(value, wanted, allow_unused=True), strict=True))
                found = [grads.get(id(t)) for t in (*tensors, *weights)]
        columns = [
            Column(title, *(_items(v, shape) for v in (t, g)))
            for title, shape, t, g in zip(titles, maps, tensors, found, strict=False)
        ]
        gaps = []
        for (name, module, _), g, (here, there) in zip(calls, found[len(tensors) :], pairwise(columns), strict=True):
            w = module.weight.detach().array
            if len(w) != len(there.value) or w[0].size % len(here.value) or getattr(module, "groups", 1) != 1:
                what = f"{name or type(module).__name__} leads from {len(here.value)} to {len(there.value)} by a weight {w.shape}"
                raise UnsupportedError(f"draw: {what}; it draws chains of Linear, Conv1d and Conv2d, whose units stay in order")
            n = len(here.value)
            gaps.append(Gap(_lines(w, n), None if g is None else _lines(g.array, n), w[0].size > n))
        loss = None if value is None else value.item()
        self.passes.append(Pass(columns, gaps, loss))
        when = f"epoch {loop.epoch}" if loop is not None else f"pass {len(self.passes)}" if len(self.passes) > 1 else "start"
        self.captions.append(when + ("" if loss is None else f": loss {loss:.4g}"))

    # ------------------------------------------------------------ drawing
    def plot(self, ax: Any = None, *, which: int = -1, gradients: bool = False) -> Any:
        """One pass, by default the last: its activations and weights, or the gradients of the loss by them. Returns the Axes."""
        now = self.passes[which]
        if gradients and now.loss is None:
            raise ArgumentError("plot: there are gradients only with a loss; pass loss= to draw")
        what = "grad" if gradients else "value"
        title = "gradients of the loss" if gradients else "activations and weights"
        title += "" if now.loss is None else f": the loss is {now.loss:.4g}"
        return self._paint(ax, now, [what] * len(now.columns), [what] * len(now.gaps), title)

    def film(self, what: str | None = None, *, fps: float = 1.5, dpi: int = 100) -> Film:
        """A Film of a "pass", the wave of activations forward and that of gradients back, or of "training": pass by pass.

        By default the second if there are several passes.
        """
        what = what or ("training" if len(self.passes) > 1 else "pass")
        if what not in ("pass", "training"):
            raise ArgumentError(f"film: what is 'pass' or 'training', got {what!r}")
        if what == "training":
            film = Film(3 * fps, dpi)
            for now, caption in zip(self.passes, self.captions, strict=True):
                n = len(now.gaps)
                film.add(self._paint(None, now, ["value"] * (n + 1), ["value"] * n, caption), caption)
            return film
        film, now = Film(fps, dpi), self.passes[-1]
        n = len(now.gaps)
        columns, gaps = ["empty"] * (n + 1), ["empty"] * n

        def shoot(title: str, lit: int | None = None) -> None:
            film.add(self._paint(None, now, columns, gaps, title, lit), title)

        columns[0] = "value"
        shoot("forward: the input")
        for k in range(n):  # two pictures for each layer: its lines light up, then the column that they lead to is filled
            gaps[k] = "value"
            shoot(f"forward: times the weights of layer {k + 1}", k)
            columns[k + 1] = "value"
            shoot(f"forward: what comes out of layer {k + 1}", k)
        if now.loss is None:
            return film
        shoot(f"the loss is {now.loss:.4g}")
        columns[n] = "grad"
        shoot("backward: the gradient of the loss by the output")
        for k in reversed(range(n)):
            gaps[k] = "grad"
            shoot(f"backward: the gradients by the weights of layer {k + 1}", k)
            columns[k] = "grad"
            shoot(f"backward: the gradient by the input of layer {k + 1}", k)
        return film

    def render(self, path: str | os.PathLike[str], *, gradients: bool = False) -> Path:
        """Write the last pass, as `.png`, `.svg` or `.pdf`, or a film of `film()`, as `.gif` or `.html`; return the path."""
        path = Path(path)
        if path.suffix.lower() in (".gif", ".html"):
            return self.film().render(path)
        if path.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise ArgumentError(f"render: path ends in .png, .svg, .pdf, .gif or .html, got {path.name!r}")
        figure = self.plot(gradients=gradients).figure
        figure.savefig(path, dpi=150)
        pyplot_for("draw").close(figure)
        return path

    def _repr_png_(self) -> bytes:
        """What notebooks show: the picture of the last pass."""
        film = Film()
        film.add(self.plot())
        return film.pictures[0]

    def _paint(self, ax: Any, now: Pass, columns: list[str], gaps: list[str], title: str, lit: int | None = None) -> Any:
        """Each column and gap as "value", "grad" or "empty"; the lines of the gap `lit` stand out."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        kinds = [what for what in _SIGNED if what in (*columns, *gaps)]
        places = [_places(len(column.value), self.most) for column in now.columns]
        top = max(float(y.max()) for _, y, _ in places)  # and as far below 0
        scale = min(1.0, 7.0 / (2 * top + 2 * _RADIUS))  # of circles: high columns have small ones
        apart = min(_APART, 12 / max(len(places) - 1, 1))
        size = (apart * (len(places) - 1) + 2.6, scale * 2 * top + 2.2)
        text = min(1.0, apart / 1.5)
        axis = panel("draw", ax, size)
        for k, (gap, kind) in enumerate(zip(now.gaps, gaps, strict=True)):
            self._paint_gap(axis, gap, kind, places[k], places[k + 1], k * apart / scale, apart / scale, lit in (None, k), scale)
        maps = {what: diverging(*colours).with_extremes(bad="black") for what, colours in _SIGNED.items()}
        for k, (column, kind) in enumerate(zip(now.columns, columns, strict=True)):
            values = getattr(column, kind, None)
            most = 1.0 if values is None else self._most(kind, k if values.ndim == 3 else None)
            _paint_column(axis, values, column, places[k], k * apart / scale, maps.get(kind), Normalize(-most, most), scale)
            n, *sides = column.value.shape
            what = f"{n} map{'s' * (n > 1)}, {sides[0]} × {sides[1]}" if sides else f"{n} unit{'s' * (n > 1)}"
            above = float(places[k][1].max()) + (0.33 if len(places[k][0]) > 1 or not sides else 0.6) / scale
            ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
            axis.text(
                k * apart / scale, above, f"{column.title}\n{what}", ha="center", va="bottom", fontsize=8.5 * text, bbox=ground
            )
            names = {0: self.names[0], len(places) - 1: self.names[1]}.get(k) or [""] * n
            for i, y in zip(*places[k][:2], strict=True):
                side, at = ("right", -0.35) if k == 0 else ("left", 0.35)
                axis.text(k * apart / scale + at, y, names[i], ha=side, va="center", fontsize=9 * scale)
        axis.set(xlim=(-1.3 / scale, (size[0] - 1.3) / scale), ylim=(-top - 0.4 / scale, top + 0.9 / scale), aspect="equal")
        axis.set_axis_off()
        axis.set_title(title, fontsize=12)
        for i, what in enumerate(kinds):
            most = self._most(what)
            inset = axis.inset_axes((0.3 if len(kinds) == 1 else 0.06 + 0.48 * i, -0.12 / size[1], 0.4, 0.09 / size[1]))
            bar_of, ticks = ScalarMappable(Normalize(-most, most), maps[what]), [-most, 0, most]
            bar = axis.figure.colorbar(bar_of, cax=inset, orientation="horizontal", ticks=ticks, format=lambda v, _: short(v))
            bar.set_label(self._legend(what, now), fontsize=8 * text)
            bar.ax.tick_params(labelsize=8 * text)
            bar.outline.set_visible(False)
        return axis

    def _legend(self, what: str, now: Pass) -> str:
        circles, lines = ("activation", "weight") if what == "value" else ("gradient of the loss", "gradient by the weight")
        widest = short(self._widest(what, signless=all(gap.signless for gap in now.gaps)))
        told = f"{circles}; lines: {lines}, the widest is {widest}"
        if any(gap.signless for gap in now.gaps):
            told += "\nimages: each column on a scale of its own; grey lines: norms of kernels"
        return told

    # One scale for all pictures of a film: the largest magnitude that there is in any pass.
    def _most(self, what: str, k: int | None = None) -> float:
        """Of the circles, or of the maps of a column."""
        columns = [column for now in self.passes for column in (now.columns if k is None else [now.columns[k]])]
        return _largest(getattr(column, what) for column in columns if k is not None or column.value.ndim == 1)

    def _widest(self, what: str, signless: bool) -> float:
        """Of the weights, or of the norms."""
        gaps = [gap for now in self.passes for gap in now.gaps if gap.signless == signless]
        return _largest(gap.weight if what == "value" else gap.grad for gap in gaps)

    def _paint_gap(
        self, axis: Any, gap: Gap, kind: str, here: Any, there: Any, x: float, apart: float, lit: bool, scale: float
    ) -> None:
        from matplotlib.collections import LineCollection

        (sources, y0, _), (targets, y1, _) = here, there
        values = {"value": gap.weight, "grad": gap.grad}.get(kind)
        segments = [((x, a), (x + apart, b)) for b in y1 for a in y0]
        if values is None:
            axis.add_collection(LineCollection(segments, colors=FAINT, linewidths=0.5 * scale, zorder=1))
            return
        chosen = values[np.ix_(targets, sources)].ravel()
        share = np.nan_to_num(np.abs(chosen) / self._widest(kind, gap.signless), nan=1.0, posinf=1.0)
        _, negative, positive = _SIGNED[kind]
        signs = np.select(
            [~np.isfinite(chosen), np.full(chosen.shape, gap.signless), chosen > 0], ["black", GREY, positive], negative
        )
        strength = np.clip(0.15 + 0.85 * share, 0, 1) * (1.0 if lit else 0.5) * min(1.0, (400 / len(share)) ** 0.5)
        widths = (0.4 + 3.2 * share) * scale
        axis.add_collection(LineCollection(segments, colors=list(signs), linewidths=widths, alpha=strength, zorder=1 + lit))


def _largest(arrays: Iterable[Any]) -> float:
    return max((float(np.abs(v[np.isfinite(v)]).max(initial=0)) for v in arrays if v is not None), default=0.0) or 1.0


def _planes(shape: tuple[int, ...], first: bool) -> tuple[int, ...]:
    """How many maps, and of which height and width: two numbers are at `first` those of one image, later maps of one row."""
    if len(shape) == 2:
        return (1, *shape) if first else (shape[0], 1, shape[1])
    return shape if len(shape) > 2 else ()


def _items(t: Any, planes: tuple[int, ...]) -> Any:
    """The numbers of one column: (n,) of units, or (n, height, width) of maps, also where these were flattened after all."""
    if t is None:
        return None
    array = t.detach().array[0].copy()
    if array.ndim == 1 and planes:
        if math.prod(planes) != array.size and array.size % planes[0] == 0:  # a function has pooled them
            side = math.isqrt(each := array.size // planes[0])
            planes = (planes[0], side, side) if side * side == each else (planes[0], 1, each)
        array = array.reshape(planes) if math.prod(planes) == array.size else array
    elif array.ndim == 2:
        array = array[:, None]
    return array.reshape(-1) if array[0].size == 1 else array  # maps of one place are units


def _lines(weight: Any, sources: int) -> Any:
    """A number for each pair of items, (to, from): the weight, or the norm of all that join two maps."""
    joined = weight.reshape(len(weight), sources, -1)
    return joined[:, :, 0].copy() if joined.shape[2] == 1 else np.sqrt((joined**2).sum(2))


def _places(n: int, most: int) -> tuple[Any, Any, float | None]:
    """Which items of a column are shown, their heights, and that of the dots for those left out, if any."""
    if n <= most:
        return np.arange(n), _PITCH * ((n - 1) / 2 - np.arange(n)), None
    head = most - most // 2
    shown = np.concatenate([np.arange(head), np.arange(n - most // 2, n)])
    slots = np.concatenate([np.arange(head), np.arange(head + 1, most + 1)])
    return shown, _PITCH * (most / 2 - slots), _PITCH * (most / 2 - head)


def _paint_column(axis: Any, values: Any, column: Column, place: Any, x: float, colours: Any, norm: Any, scale: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    shown, heights, dots = place
    frame: dict[str, Any] = {"edgecolor": GREY, "linewidth": 0.8 * scale, "zorder": 4}
    for i, y in zip(shown, heights, strict=True):
        if column.value.ndim == 3:
            side = 0.44 * _PITCH if len(shown) > 1 else 0.5 / scale
            wide = side if column.value.shape[1] > 1 or len(shown) == 1 else 3 * side
            if values is not None:
                box = (x - wide, x + wide, y - side, y + side)
                axis.imshow(values[i], cmap=colours, norm=norm, extent=box, zorder=3, aspect="auto", interpolation="nearest")
            inside = "white" if values is None else "none"
            axis.add_patch(Rectangle((x - wide, y - side), 2 * wide, 2 * side, facecolor=inside, **frame))
            continue
        fill = (1.0, 1.0, 1.0) if values is None else colours(norm(values[i]))
        axis.add_patch(Circle((x, y), _RADIUS, facecolor=fill, **frame))
        if values is not None and scale > 0.6:
            ink = "white" if 0.3 * fill[0] + 0.59 * fill[1] + 0.11 * fill[2] < 0.5 else "black"
            number = short(float(values[i]))
            axis.text(x, y, number, ha="center", va="center", fontsize=7.5 * scale, color=ink, zorder=5)
    if dots is not None:
        axis.text(x, dots, "⋮", ha="center", va="center", fontsize=14 * scale)
