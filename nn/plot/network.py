"""draw: a network as circles and lines, with the numbers that flow through it, forward and back, and through training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import as_tensor
from autograd.errors import ArgumentError, ShapeError, UnsupportedError, describe

from ..module import Module
from .common import FAINT, GREY, diverging, panel, pyplot_for, short
from .film import Film
from .flow import ARITHMETIC, Column, Gap, Pass, run

__all__ = ["Network", "draw"]

_SIGNED = {"value": ("value", "#D55E00", "#0072B2"), "grad": ("grad", "#762a83", "#1b7837")}  # negative, positive
_PITCH, _APART, _RADIUS = 0.56, 2.0, 0.23  # inches: from circle to circle, from column to column, and of a circle


def draw(
    model: Module, input: Any, target: Any = None, loss: Callable[..., Any] | None = None, *, most: int = 8,
    inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None,
) -> Network:  # fmt: skip
    """Draw `model` as a network of circles, with what flows through it when it is given one example.

    A circle is a unit, coloured by its activation, which stands in it; a line is a weight, blue and orange by its sign, thicker
    the larger it is. Feature maps of convolutions are small images, with grey lines for the norms of kernels. Of columns with
    more than `most` circles the first and the last are shown. `input` has a batch dimension of 1; a tuple is several of them.
    With `loss`, and a `target` if it takes one, the way back is known too: gradients in the circles, and on the lines. `inputs`
    and `outputs` are names for the circles at both ends.

    Layers are what multiplies by weights when the model runs: Linear, convolutions and what is written as `x @ w`.
    Branches stand above each other, and dotted lines show what goes on as it is to where it is added to another, multiplied by
    it or put beside it; what skips layers, as in a residual block, goes below them. The model runs in evaluation mode, and its
    gradients are left alone. Returns a Network, which saves pictures, films and pages, and
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
    given = [as_tensor(x).detach() for x in (input if isinstance(input, tuple) else (input,))]
    for x in given:
        if x.ndim < 2 or len(x) != 1:
            raise ShapeError(f"draw shows one example, of shape (1, ...), got {tuple(x.shape)}; pass input[:1]")
        if x.dtype.kind != "f":
            raise UnsupportedError(f"draw: input must be floating-point, got {x.dtype}; use float()")
    if target is not None and loss is None:
        raise ArgumentError("draw: a target is for a loss, and there is none; pass loss=, such as nn.functional.mse_loss")
    network = Network(model, given, target, loss, most, (inputs, outputs))
    network.record()
    now = network.passes[0]
    for what, names, ends in (("inputs", inputs, now.at(0)), ("outputs", outputs, now.at(now.deepest))):
        n = sum(len(now.columns[i].value) for i in ends)
        if names is not None and len(names) != n:
            raise ArgumentError(f"draw: there are {n} {what} and {len(names)} names for them")
    return network


class Network:
    """A drawn network: `draw` makes it. `passes` are the runs that it has taken down.

    `record` takes down another, and may stand among the callbacks of nn.train.fit; a film then shows how weights and
    activations change.
    """

    def __init__(
        self, model: Module, input: Sequence[Any], target: Any, loss: Callable[..., Any] | None, most: int, names: Sequence[Any]
    ) -> None:
        self.model, self.inputs, self.target, self.loss, self.most, self.names = model, input, target, loss, most, names
        self.passes: list[Pass] = []
        self.captions: list[str] = []

    def __repr__(self) -> str:
        now = self.passes[-1]
        sizes = " → ".join(" + ".join(str(len(now.columns[i].value)) for i in now.at(d)) for d in range(now.deepest + 1))
        return f"<Network: {sizes}, {len(self.passes)} pass{'es' * (len(self.passes) != 1)}>"

    # ------------------------------------------------------------ taking down
    def record(self, loop: Any = None) -> None:
        """Run the model as it is now, forward and back, and keep the numbers."""
        self.passes.append(run(self.model, self.inputs, self.target, self.loss))
        loss = self.passes[-1].loss
        when = f"epoch {loop.epoch}" if loop is not None else f"pass {len(self.passes)}" if len(self.passes) > 1 else "start"
        self.captions.append(when + ("" if loss is None else f": loss {loss:.4g}"))

    # ------------------------------------------------------------ drawing
    def plot(self, ax: Any = None, *, which: int = -1, gradients: bool = False) -> Any:
        """One pass, by default the last: its activations and weights, or the gradients of the loss by them. Returns the Axes."""
        now = self.passes[which]
        if gradients and now.loss is None:
            raise ArgumentError("plot: there are gradients only with a loss; pass loss= to draw")
        kind = "grad" if gradients else "value"
        title = "gradients of the loss" if gradients else "activations and weights"
        title += "" if now.loss is None else f": the loss is {now.loss:.4g}"
        return self._paint(ax, now, [kind] * len(now.columns), [kind] * len(now.gaps), title)

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
                kinds = ["value"] * len(now.columns), ["value"] * len(now.gaps)
                film.add(self._paint(None, now, *kinds, caption), caption)
            return film
        film, now = Film(fps, dpi), self.passes[-1]
        columns, gaps = ["empty"] * len(now.columns), ["empty"] * len(now.gaps)
        steps = range(1, now.deepest + 1)

        def shoot(title: str, kind: str, at: Sequence[int] = (), into: Sequence[int] = (), lit: Sequence[int] = ()) -> None:
            for i in at:
                columns[i] = kind
            for k in into:
                gaps[k] = kind
            film.add(self._paint(None, now, columns, gaps, title, lit), title)

        shoot("forward: the input", "value", now.at(0))
        for d in steps:  # two pictures for each layer: its lines light up, then the column that they lead to is filled
            into, layers = now.into(d), _layers(now, d)
            shoot(f"forward: times the weights of {layers}" if layers else "forward: on, as it is", "value", (), into, into)
            shoot(f"forward: what comes out of {layers or ', '.join(_titles(now, d))}", "value", now.at(d), (), into)
        if now.loss is None:
            return film
        shoot(f"the loss is {now.loss:.4g}", "value")
        shoot("backward: the gradient of the loss by the output", "grad", now.at(now.deepest))
        for d in reversed(steps):
            into, layers = now.into(d), _layers(now, d)
            shoot(
                f"backward: the gradients by the weights of {layers}" if layers else "backward: on, as it is",
                "grad",
                (),
                into,
                into,
            )
            by = f"the input of {layers}" if layers else ", ".join(_titles(now, d - 1))
            shoot(f"backward: the gradient by {by}", "grad", now.at(d - 1), (), into)
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

    def _paint(self, ax: Any, now: Pass, columns: list[str], gaps: list[str], title: str, lit: Sequence[int] = ()) -> Any:
        """Each column and gap as "value", "grad" or "empty"; the lines of the gaps `lit` stand out, by default those of all."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        kinds = [what for what in _SIGNED if what in (*columns, *gaps)]
        places, scale, apart, top, bottom, lanes = _layout(now, self.most)
        size = (apart * now.deepest + 2.6, scale * (top - bottom) + 2.2)
        text = min(1.0, apart / 1.5)
        axis = panel("draw", ax, size)
        for k, (gap, kind) in enumerate(zip(now.gaps, gaps, strict=True)):
            bright = k in lit or not lit
            if k in lanes:
                _paint_skip(axis, places[gap.here], places[gap.there], lanes[k], gap.op, kind != "empty", bright, text, scale)
            elif gap.layer:
                self._paint_gap(axis, gap, kind, places[gap.here], places[gap.there], bright, scale)
            else:
                _paint_join(axis, gap, places[gap.here], places[gap.there], kind != "empty", bright, text, scale)
        maps = {what: diverging(*colours).with_extremes(bad="black") for what, colours in _SIGNED.items()}
        for k, (column, kind) in enumerate(zip(now.columns, columns, strict=True)):
            values = getattr(column, kind, None)
            most = 1.0 if values is None else self._most(kind, k if values.ndim == 3 else None)
            _paint_column(axis, values, column, places[k], maps.get(kind), Normalize(-most, most), scale)
            n, *sides = column.value.shape
            what = f"{n} map{'s' * (n > 1)}, {sides[0]} × {sides[1]}" if sides else f"{n} unit{'s' * (n > 1)}"
            ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
            x, above = places[k].x, places[k].top + 0.1 / scale
            axis.text(x, above, f"{column.title}\n{what}", ha="center", va="bottom", fontsize=8.5 * text, bbox=ground)
        for names, ends, side, at in (
            (self.names[0], now.at(0), "right", -0.35),
            (self.names[1], now.at(now.deepest), "left", 0.35),
        ):
            left = list(names or ())
            for k in ends if left else ():
                for i, y in zip(places[k].shown, places[k].heights, strict=True):
                    axis.text(places[k].x + at, y, left[i], ha=side, va="center", fontsize=9 * scale)
                del left[: len(now.columns[k].value)]
        axis.set(xlim=(-1.3 / scale, (size[0] - 1.3) / scale), ylim=(bottom - 0.4 / scale, top + 0.9 / scale), aspect="equal")
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
            told += "\nimages: each column on a scale of its own; grey lines: norms of weights"
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

    def _paint_gap(self, axis: Any, gap: Gap, kind: str, here: Any, there: Any, lit: bool, scale: float) -> None:
        from matplotlib.collections import LineCollection

        values = {"value": gap.weight, "grad": gap.grad}.get(kind)
        segments = [((here.x, a), (there.x, b)) for b in there.heights for a in here.heights]
        if values is None:
            axis.add_collection(LineCollection(segments, colors=FAINT, linewidths=0.5 * scale, zorder=1))
            return
        chosen = values[np.ix_(there.shown, here.shown)].ravel()
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


def _layers(now: Pass, depth: int) -> str:
    """`layer 1`, or `layers 1 and 3`: those that lead to that depth; empty if none does."""
    numbers = [str(now.gaps[k].layer) for k in now.into(depth) if now.gaps[k].layer]
    return f"layer{'s' * (len(numbers) > 1)} {' and '.join(numbers)}" if numbers else ""


def _titles(now: Pass, depth: int) -> list[str]:
    return [now.columns[i].title for i in now.at(depth)]


# ---------------------------------------------------------------- where things stand
class Place(NamedTuple):
    """Of a column: which items are shown, at which heights, where the dots for the others stand, if any, and its ends."""

    x: float
    shown: Any
    heights: Any
    dots: float | None
    top: float
    bottom: float


class Layout(NamedTuple):
    """The places of columns, in units of which an inch has 1 / `scale`, and the heights of the skips below them, by gap."""

    places: list[Place]
    scale: float
    apart: float  # inches from column to column
    top: float
    bottom: float
    lanes: dict[int, float]


def _layout(now: Pass, most: int) -> Layout:
    """Columns stand as high as those that lead to them; those of one depth above each other.

    What goes on to a later depth than the next takes the straight way, if no column is there, or else a lane below all.
    """
    stacks = [now.at(d) for d in range(now.deepest + 1)]
    shown = [_shown(len(column.value), most) for column in now.columns]
    tall = [max(len(s[0]) + (s[2] is not None) - 1, 0) * _PITCH + 2 * _RADIUS for s in shown]
    scale = min(1.0, *((7.0 - 0.8 * (len(stack) - 1)) / sum(tall[i] for i in stack) for stack in stacks))
    half = [
        0.5 / scale if column.value.ndim == 3 and len(column.value) == 1 else height / 2
        for column, height in zip(now.columns, tall, strict=True)
    ]
    apart, between = min(_APART, 12 / max(now.deepest, 1)), 0.8 / scale
    middles: dict[int, float] = {}
    for stack in stacks:
        come = {i: [middles[gap.here] for gap in now.gaps if gap.there == i] or [0.0] for i in stack}
        wish = {i: sum(come[i]) / len(come[i]) for i in stack}
        stack.sort(key=lambda i: -wish[i])
        y = sum(wish.values()) / len(stack) + sum(half[i] for i in stack) + between * (len(stack) - 1) / 2
        for i in stack:
            middles[i] = y - half[i]
            y -= 2 * half[i] + between
    places = [
        Place(column.depth * apart / scale, s[0], middles[i] + s[1], None if s[2] is None else middles[i] + s[2],
              middles[i] + half[i], middles[i] - half[i])
        for i, (column, s) in enumerate(zip(now.columns, shown, strict=True))
    ]  # fmt: skip
    bottom = low = min(place.bottom for place in places) + _RADIUS
    lanes: dict[int, float] = {}
    ends: list[int] = []  # of each lane: the depth that it is taken to
    for k, gap in enumerate(now.gaps):
        begin, end = now.columns[gap.here].depth, now.columns[gap.there].depth
        if any(_between(places[gap.here], places[gap.there], place, 0.5 / scale) for place in places):
            lane = next((n for n, taken in enumerate(ends) if taken <= begin), len(ends))
            ends[lane : lane + 1] = [end]
            lanes[k] = low - _RADIUS - (0.25 + 0.3 * lane) / scale
            bottom = min(bottom, lanes[k])
    return Layout(places, scale, apart, max(place.top for place in places) - _RADIUS, bottom, lanes)


def _between(here: Place, there: Place, place: Place, title: float) -> bool:
    """Does a column stand on the straight way between two others?"""
    if not here.x < place.x < there.x:
        return False
    share = (place.x - here.x) / (there.x - here.x)
    top, bottom = ((1 - share) * a + share * b for a, b in ((here.top, there.top), (here.bottom, there.bottom)))
    return bottom < place.top + title and place.bottom < top


def _shown(n: int, most: int) -> tuple[Any, Any, float | None]:
    """Which items of a column are shown, their heights, and that of the dots for those left out, if any."""
    if n <= most:
        return np.arange(n), _PITCH * ((n - 1) / 2 - np.arange(n)), None
    head = most - most // 2
    shown = np.concatenate([np.arange(head), np.arange(n - most // 2, n)])
    slots = np.concatenate([np.arange(head), np.arange(head + 1, most + 1)])
    return shown, _PITCH * (most / 2 - slots), _PITCH * (most / 2 - head)


# ---------------------------------------------------------------- paint
_BROUGHT = {**ARITHMETIC, "concatenate": "side by side"}


def _paint_join(axis: Any, gap: Gap, here: Place, there: Place, reached: bool, lit: bool, text: float, scale: float) -> None:
    """What goes on as it is: a dotted line from each item to that which it comes to, or an arrow."""
    from matplotlib.collections import LineCollection

    colour, strong = GREY if reached else FAINT, 1.0 if lit else 0.5
    if gap.pairs is None:
        ends = [(p.x + sign * _RADIUS, (p.top + p.bottom) / 2) for p, sign in ((here, 1), (there, -1))]
        axis.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2 * scale}, zorder=2)
        heights = ends[0][1], ends[1][1]
    else:
        start, to = (dict(zip(p.shown.tolist(), p.heights.tolist(), strict=True)) for p in (here, there))
        pairs = [(start[i], to[j]) for j, i in zip(*(n.tolist() for n in gap.pairs), strict=True) if i in start and j in to]
        lines = [((here.x, a), (there.x, b)) for a, b in pairs]
        axis.add_collection(LineCollection(lines, colors=colour, linewidths=1.6 * scale, linestyles=":", alpha=strong, zorder=2))
        heights = pairs[0] if pairs else (here.top, there.top)
    _label(axis, (here.x + there.x) / 2, sum(heights) / 2, _BROUGHT.get(gap.op, gap.op), text)


def _label(axis: Any, x: float, y: float, what: str, text: float) -> None:
    """A word on a line."""
    if what:
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axis.text(x, y, what, ha="center", va="center", fontsize=8 * text, color=GREY, bbox=ground, zorder=3)


def _paint_skip(
    axis: Any, here: Place, there: Place, lane: float, op: str, reached: bool, lit: bool, text: float, scale: float
) -> None:
    """An arrow below the columns that are passed by."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Way

    colour, strong, bend = GREY if reached else FAINT, 1.0 if lit else 0.5, 0.15 / scale
    points = [
        (here.x, here.bottom), (here.x, lane + bend), (here.x, lane), (here.x + bend, lane),
        (there.x - bend, lane), (there.x, lane), (there.x, lane + bend), (there.x, there.bottom),
    ]  # fmt: skip
    codes = [Way.MOVETO, Way.LINETO, Way.CURVE3, Way.CURVE3, Way.LINETO, Way.CURVE3, Way.CURVE3, Way.LINETO]
    axis.add_patch(PathPatch(Way(points, codes), edgecolor=colour, alpha=strong, linewidth=2, fill=False, zorder=2))
    axis.plot(there.x, there.bottom - 0.07 / scale, "^", color=colour, alpha=strong, markersize=7, zorder=2)
    _label(axis, (here.x + there.x) / 2, lane, f"skip: {_BROUGHT.get(op, op)}" if op else "skip", text)


def _paint_column(axis: Any, values: Any, column: Column, place: Place, colours: Any, norm: Any, scale: float) -> None:
    from matplotlib.patches import Circle, Rectangle

    x, shown, heights, dots = place[:4]
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
