"""Draw docs/architecture.svg, the rooms of the house and which of them import from which, from the imports of all files.

    python docs/architecture.py

A room is a folder of a package, and nn's files beside its folders; its sentence is the docstring of the folder. An arrow
says that a room imports from another. Left out are the indices of names, `errors`, which every room uses, and the arrows
that follow from others: who uses `ops` stands on `engine` too. Two heads: each room uses the other, by files that stand in order.
"""

import ast
import re
import sys
import textwrap
from pathlib import Path

import graphviz

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

from imports import PACKAGES, SOURCES, imports, place  # noqa: E402

from autograd.see.picture import Drawing  # noqa: E402

COLORS = {"nn": ("#dcfce7", "#15803d"), "autograd": ("#e0e7ff", "#4338ca")}  # of a room, and of its frame


def room_of(package, path):
    """The room that a file lives in, or None: an index of names, or the errors."""
    folder, *file = path.split("/")
    if file:
        return f"{package}/{folder}"
    return "nn" if package == "nn" and path != "__init__" else None


def package_of(room):
    return room.partition("/")[0]


def sentence(room):
    """What lives in a room, as its index says in its first line."""
    package, *folder = room.split("/")
    index = PACKAGES[package].joinpath(*folder, "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(index)).partition("\n")[0]


def uses():
    """For each room the rooms that it imports from."""
    found = {room: set() for room in map(room_of, *zip(*map(place, SOURCES), strict=True)) if room}
    for file in SOURCES:
        room = room_of(*place(file))
        if room:
            found[room] |= {room_of(*other) for other in imports(file)} - {room, None}
    return found


def arrows(used):
    """What is drawn: (room, other, whether the other uses this one too), for two rooms of one package.

    An arrow that a path through a room between says already is left out.
    """
    reached = {room: {*others} for room, others in used.items()}
    for between in used:
        for room in used:
            if between in reached[room]:
                reached[room] |= reached[between]

    def follows(room, other):
        return any(other in reached[c] and room not in reached[c] and c not in reached[other] for c in used[room] - {other})

    pairs = {(a, b) for a in used for b in used[a] if package_of(a) == package_of(b) and not follows(a, b)}
    return sorted((a, b, (b, a) in pairs) for a, b in pairs if a < b or (b, a) not in pairs)


def named(room):
    return f"{room}/*.py" if room in PACKAGES else room.partition("/")[2]


def source():
    """The picture in DOT."""
    used = uses()
    picture = graphviz.Digraph(
        "architecture",
        graph_attr={"fontname": "Helvetica", "nodesep": "0.5", "ranksep": "0.4", "bgcolor": "white"},
        node_attr={"shape": "record", "style": "filled,rounded", "fontname": "Helvetica", "fontsize": "14", "margin": "0.3,0.08"},
        edge_attr={"color": "#64748b", "penwidth": "1.5"},
    )
    for package, (fill, line) in COLORS.items():
        with picture.subgraph(name=f"cluster_{package}") as frame:
            below = {package_of(other) for room in used if package_of(room) == package for other in used[room]} - {package}
            label = ", on top of ".join([package, *below])
            frame.attr(label=label, fontsize="22", fontcolor=line, color=line, style="rounded", margin="16")
            for room in sorted(used):
                if package_of(room) == package:
                    text = "\\n".join(re.sub(r"[{}|<>]", r"\\\g<0>", line) for line in textwrap.wrap(sentence(room), 32))
                    frame.node(room, f"{{{named(room)}|{text}}}", fillcolor=fill, color=line)
    for room, other, mutual in arrows(used):
        picture.edge(room, other, dir="both" if mutual else "forward")
    return picture.source


if __name__ == "__main__":
    Drawing(source(), "the rooms of chainrule").render(HERE / "architecture.svg")
