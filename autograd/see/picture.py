"""What a drawing is made from and what it can be made into: the graph that is found, its caption, the files."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from weakref import ref

from ..engine.graph import Node, ancestors
from ..engine.tensor import Tensor
from ..errors import ArgumentError, NoGradientError, RenderError
from . import layout
from .boxes import Graph, bytes_of, saved_bytes
from .fold import PAGE, folded
from .layout import THEMES, Styles, canvas, dot, mermaid, text
from .record import Recording, Value, named
from .trace import complete, hear, recorded, tape_of
from .typeset import typeset

_MOST = 30_000  # of more nodes there is a summary at once


def drawn(
    tensors: Any, params: Any, wanted: set[str], watch: bool, direction: str, theme: str,
    depth: int | None, expand: str | Iterable[str], fold: bool | None, limit: int, formulas: str,
) -> Drawing:  # fmt: skip
    """See `draw`."""
    if direction not in ("TB", "LR"):
        raise ArgumentError(f"draw: direction is 'TB' (from top to bottom) or 'LR' (from left to right), got {direction!r}")
    if theme not in THEMES:
        raise ArgumentError(f"draw: theme is 'light' or 'dark', got {theme!r}")
    if formulas not in ("text", "latex"):
        raise ArgumentError(f"draw: formulas is 'text' or 'latex', got {formulas!r}")
    given, colours = named(params, "draw"), THEMES[theme]
    found: list[Any] = list(_ends(tensors)) if isinstance(tensors, Recording) else tensors_of(tensors)
    nodes = ancestors(t.node for t in found if t.node is not None)
    if len(nodes) > max(_MOST, limit):
        return _summary(nodes, _caption(nodes), colours)
    tape = tensors if isinstance(tensors, Recording) else tape_of(found, dict(given), "draw")
    before = len(tape.backwards)
    if watch and not isinstance(tensors, Recording):
        hear(tape, lambda: [t.backward(retain_graph=True) for t in found], "draw")
        complete(tape)
    caption = _caption(nodes, tape)
    names: dict[Value, str] = {}
    for name, t in given:
        if (value := tape.find(t)) is not None:
            names[value] = f"{names[value]}, {name}" if value in names else name or "''"
    roots = [t if isinstance(t, Value) else tape.value(t) for t in found]
    graph = Graph(tape, roots, names, tape.backwards[before:])
    shown = folded(graph.boxes, depth, expand, fold)
    if len(shown) > limit:
        return _summary(nodes, caption, colours)
    for box in shown:
        graph.call(box)
    for box in shown:
        graph.say(box, wanted, formulas == "latex")
    shapes, said = "shape" in wanted and len(shown) <= PAGE, [caption, *_legend(shown)]
    source, styles = dot(shown, said, direction, colours, shapes)
    drawing = Drawing(source, text(shown, caption), styles, mermaid(shown, direction, colours))
    if formulas == "latex":
        drawing.typeset = dot(shown, said, direction, colours, shapes, typeset)
    drawing.of = [ref(tensors)] if isinstance(tensors, Recording) else [ref(t) for t in tensors_of(tensors)]
    drawing.names = {name: ref(t) for name, t in given}
    return drawing


# ---------------------------------------------------------------- what is to be drawn
def _ends(tape: Recording) -> list[Value]:
    """What the last backward of a recording started from; before one, all results that nothing was made of."""
    if tape.backwards:
        return [value for value, _ in tape.backwards[-1].roots]
    used = {v for e in tape.events for v in e.values}
    if found := [v for e in tape.events for v in e.results if v.node is not None and v not in used]:
        return found
    raise NoGradientError("draw: nothing was watched that leads to a gradient, as nothing in it requires grad")


def tensors_of(tensors: Any) -> list[Any]:
    """A Tensor or several as a list."""
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if odd := [t for t in roots if not isinstance(t, Tensor)]:
        raise ArgumentError(f"draw: expected a Tensor, several, or what was watched; got {type(odd[0]).__name__}")
    return roots


# ---------------------------------------------------------------- what stands below it
def _caption(nodes: list[Node], tape: Recording | None = None) -> str:
    """The size of a graph, and where it stands."""
    ops = [n for n in nodes if n.plan is not None and n.plan.item is None]
    leaves = sum(n.plan is None for n in nodes)
    some = f"{len(ops):,} operation{'s' * (len(ops) != 1)}, {leaves:,} parameter{'s' * (leaves != 1)}"
    kept = f"{some}; {bytes_of(saved_bytes(ops))} kept for backward."
    if any(n.saved is None for n in ops):
        return f"{some}. Backward has run and freed what ops had kept for it."
    ran = any(n.grad is not None for n in nodes) or (tape is not None and tape.backwards)
    return f"{kept} Backward has {'' if ran else 'not '}run."


def _legend(boxes: Sequence[Any]) -> list[str]:
    """What the colours mean, as far as they are there."""
    kinds = {b.kind for b in boxes}
    parts = {
        "yellow: parameters": "parameter" in kinds, "grey: data": "data" in kinds, "blue: operations": "op" in kinds,
        "green: modules": "module" in kinds, "orange: gradients": any(b.rows.get("grad") for b in boxes),
    }  # fmt: skip
    rule = ["In a box, g is its own gradient."] * any(b.rows.get("rule") for b in boxes)
    return [" · ".join(name for name, there in parts.items() if there), *rule]


def _summary(order: list[Node], caption: str, theme: dict[str, Any]) -> Drawing:
    """A graph too large to draw: how many nodes of what kind, and how deep it is."""
    depth: dict[Node, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[p] for p in node.parents), default=-1)
    counts = Counter(n.plan.name for n in order if n.plan is not None and n.plan.item is None).most_common()
    shown = counts[:20] + [("others", sum(n for _, n in counts[20:]))] * (len(counts) > 20)
    caption += f" {max(depth.values()):,} operations deep; too large to draw one by one."
    picture = canvas([caption], "TB", theme)
    columns = ("".join(f"{op}\\l" for op, _ in shown), "".join(f"{n:,}\\r" for _, n in shown))
    fill, line = theme["summary"]
    picture.node("summary", "|".join(columns), id="summary", fillcolor=fill, color=line, **{"class": "summary"})
    lines = "<br/>".join(f"{n:,} {op}" for op, n in shown)
    said = "\n".join([caption, *(f"  {n:>11,} {op}" for op, n in shown)])
    return Drawing(str(picture.source), said, {}, f'flowchart TB\n  summary["{lines}"]\n')


# ---------------------------------------------------------------- what comes of it
class Drawing:
    """A drawn graph. It holds text only, so nothing of the graph lives longer for it; `html` looks for what was drawn."""

    of: Sequence[ref[Any]] = ()  # what was drawn: Tensors, or a recording
    names: Mapping[str, ref[Tensor]] = MappingProxyType({})
    typeset: tuple[str, Styles] | None = None  # the source with room for formulas, and these

    def __init__(self, source: str, text: str, styles: Styles | None = None, mermaid: str = "") -> None:
        self.source = source  # in DOT, Graphviz's language
        self.text = text
        self.mermaid = mermaid  # in the language of Mermaid, which GitHub shows as a picture
        self.styles = styles or {}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Drawing: {self.text.splitlines()[0]}>"

    def svg(self) -> str:
        """The picture as SVG. Raises RenderError where no Graphviz can be found."""
        return layout.svg(*(self.typeset or (self.source, self.styles)))

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to `path`, in the format that its suffix says (svg if it has none); return the path.

        `.svg`, `.png` and `.pdf`; `.dot` and `.gv` are the source, `.mmd` is Mermaid's, `.txt` the text. PNG is made of the SVG
        by resvg-py, which the extra `demo` has, PDF by typst (`pip install typst`); without them, and for all other
        formats, `dot` makes them, but in one colour of ink and one weight.
        """
        path = Path(path)
        path = path if path.suffix else path.with_name(path.name + ".svg")
        kind = path.suffix[1:].lower()
        texts = {"txt": self.text, "mmd": self.mermaid, "dot": self.source, "gv": self.source}
        content = texts[kind].encode() if kind in texts else self._picture(kind)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def html(self, path: str | os.PathLike[str], title: str = "") -> Path:
        """Write a page in which one steps through the pass and back, as that of `autograd.watch` does; return its path.

        A graph that was not recorded (`autograd.watch`) is told from what it saved, so some values and constants are unknown.
        Raises FreedGraphError after a backward that nobody recorded.
        """
        from .page import page, write_page  # here, as most programs make no page

        if not (drawn := [found for r in self.of if (found := r()) is not None]):
            raise ArgumentError("html: what was drawn is gone, or is a summary; keep the tensor, or draw less")
        names = {n: t for n, r in self.names.items() if (t := r()) is not None}
        whole = drawn[0] if isinstance(drawn[0], Recording) else drawn
        return write_page(path, page(recorded(whole, names, "html"), layout.places, title=title))

    def _picture(self, kind: str) -> bytes:
        if kind == "svg":
            return self.svg().encode()
        if kind in _FROM_SVG:
            package, make = _FROM_SVG[kind]
            if importlib.util.find_spec(package):
                return make(self.svg())
            if not shutil.which("dot"):
                name = package.replace("_", "-")
                raise RenderError(f"a drawing is made into {kind} by {name} (pip install {name}) or by `dot`; neither is there")
        return layout.layout(self.source.replace("{", "{\n\tdpi=192", 1), kind)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks show: the picture, or the text where there is no Graphviz."""
        picture = {"image/svg+xml": self.svg()} if shutil.which("dot") or layout.wasi() else {}
        return {"text/plain": self.text} | picture


def _png(svg: str) -> bytes:
    """A bitmap with two dots and more for each unit; where the system has no fonts, in those of matplotlib."""
    import resvg_py

    fonts, paper = importlib.util.find_spec("matplotlib"), re.search(r'<polygon fill="([^"]+)"', svg)
    folders = [os.path.join(os.path.dirname(fonts.origin), "mpl-data", "fonts", "ttf")] if fonts and fonts.origin else []
    look: dict[str, Any] = {"background": paper and paper[1], "font_dirs": folders, "sans_serif_family": "DejaVu Sans"}
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2, dpi=96.0, **look))


def _pdf(svg: str) -> bytes:
    import typst

    page = '#set page(width: auto, height: auto, margin: 0pt)\n#image(bytes(sys.inputs.svg), format: "svg")'
    return bytes(typst.compile(page.encode(), format="pdf", sys_inputs={"svg": svg}))


_FROM_SVG = {"png": ("resvg_py", _png), "pdf": ("typst", _pdf)}
