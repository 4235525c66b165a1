"""A graph as boxes in boxes, each of which is laid out by itself, so that a page can open and close one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from .boxes import Box, Edge, range_of
from .fold import copied, spans

_UNIT = 72.0  # of Graphviz's inches
_LETTER, _LINE = 6.3, 14.0  # so wide and high is a letter in a box
_LARGE = 200  # boxes: from there on a good layout at once


class Link(NamedTuple):
    """That a box uses another."""

    source: Box
    target: Box
    edge: Edge
    key: str  # of this use


class Group(Box):
    """A box that can be opened: a module that was called, or what is repeated."""

    def __init__(self, id: str, name: str, op: str) -> None:
        super().__init__(id, "module", name)
        self.op, self.children = op, list[Box]()
        self.repeats_parts = False  # is it `x 12`?


def grown(boxes: list[Box], links: list[Link], fold: bool) -> list[Group]:
    """The groups that boxes are in, by the modules of these: the first is all. With `fold`, what is repeated is a group, too."""
    groups = [Group("g0", "", "")]

    def new(name: str, op: str, box: Box, level: int) -> Group:
        group = Group(f"g{len(groups)}", name, op)
        group.modules = box.modules[:level]
        groups.append(group)
        return group

    todo = [(groups[0], boxes, links, 0)]  # the links that end in it
    for group, inside, within, level in todo:  # which grows
        parts: dict[int, tuple[Group, list[Box]]] = {}
        of: dict[Box, Box] = {}
        for box in inside:
            if len(box.modules) > level:
                call = box.modules[level]
                if call.number not in parts:
                    parts[call.number] = new(call.name or call.kind, call.kind, box, level), []
                parts[call.number][1].append(box)
                of[box] = parts[call.number][0]
            else:
                of[box] = box
        group.children, group.inside = list(dict.fromkeys(of.values())), inside
        mine: dict[Box, list[Link]] = {part: [] for part, _ in parts.values()}
        for link in within:
            mine.get(of[link.target], []).append(link)
        todo += [(part, some, mine[part], level + 1) for part, some in parts.values()]
        if fold:
            for part, some in parts.values():
                part.inside = some
            uses = {(of.get(a, a), of[b], id(edge.value)): edge for a, b, edge, _ in within}  # of values, once each
            _fold(group, [(a, b, edge) for (a, b, _), edge in uses.items() if a is not b], new)
    return groups


def _fold(group: Group, edges: list[tuple[Box, Box, Edge]], new: Callable[[str, str, Box, int], Group]) -> None:
    """Put what is repeated among the children of a group into one child, which holds the repetitions."""
    stand = {child: copied(child) for child in group.children}
    for child, copy in stand.items():
        copy.inside = [b for b in child.inside if not b.leaf]
    users: dict[Box, set[Box]] = {}
    for source, target, edge in edges:
        stand[target].inputs.append(Edge(stand.get(source, source), edge.value))
        users.setdefault(source, set()).add(target)
    line = [child for child in group.children if not child.leaf]
    for start, period, times in list(spans([stand[child] for child in line])):
        turns = [line[start + k * period : start + (k + 1) * period] for k in range(times)]
        first, last, level = turns[0][0], turns[-1][0], len(group.modules)
        name = range_of(first.name, last.name) if period == 1 else "repetitions"
        whole = new(name, f"× {times}", first, level)
        whole.repeats_parts = True
        at = group.children.index(first)
        for k, turn in enumerate(turns):
            own = [c for c in group.children if c.leaf and c in users and users[c] <= {*turn}]
            part = [*own, *turn]
            if len(part) > 1:
                one = new(f"{k + 1} of {times}", "", first, level)
                one.children, one.inside = part, [b for c in part for b in _boxes(c)]
                part = [one]
            whole.children += part
            gone = {*own, *turn}
            at -= sum(c in gone for c in group.children[:at])
            group.children = [c for c in group.children if c not in gone]
        whole.inside = [b for c in whole.children for b in _boxes(c)]
        group.children.insert(at, whole)


def _boxes(child: Box) -> list[Box]:
    return child.inside if isinstance(child, Group) else [child]


# ---------------------------------------------------------------- layout
class Plan(NamedTuple):
    """How a group looks inside, in points from its upper left corner."""

    width: float
    height: float
    nodes: list[tuple[str, float, float, float, float]]  # of children: middle, width and height
    ports: list[tuple[str, float, float]]  # where values come in (`<id`) and go out (`>id`)
    edges: list[tuple[str, str, str, list[float], list[str], str]]  # from, to, which value, points, its uses, why it is dashed


def plans(
    groups: list[Group], links: Iterable[Link], lines: Callable[[Box], list[str]], plain: Callable[[str], str]
) -> list[Plan]:
    """The layouts of all groups; `plain` is Graphviz, `lines` are what is written in a box."""
    parent = {child: group for group in groups for child in group.children}

    def path(box: Box) -> list[Box]:
        found = [box]
        while found[-1] in parent:
            found.append(parent[found[-1]])
        return found[::-1]

    Key = tuple[str, str, str, str, str]
    edges: dict[Box, dict[Key, list[str]]] = {group: {} for group in groups}
    for link in links:
        a, b, id = path(link.source), path(link.target), link.source.id
        same = next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x is not y)
        plainly = not isinstance(a[same], Group) and not isinstance(b[same], Group)
        steps = [(a[same - 1], a[same].id, b[same].id, link.key if plainly else "")]
        steps += [(group, f"<{id}", inner.id, "") for group, inner in zip(b[same:], b[same + 1 :], strict=False)]
        steps += [(group, inner.id, f">{id}", "") for group, inner in zip(a[same:], a[same + 1 :], strict=False)]
        for group, source, target, alone in steps:
            edges[group].setdefault((source, target, id, link.edge.dashed, alone), []).append(link.key)
    once = cache(plain)  # as many groups look alike
    return [_plan(group, edges[group], lines, once) for group in groups]


def _plan(group: Group, edges: dict[Any, list[str]], lines: Callable[[Box], list[str]], plain: Callable[[str], str]) -> Plan:
    ends = dict.fromkeys(end for source, target, *_ in edges for end in (source, target) if end[0] in "<>")
    names = {id: f"c{i}" for i, id in enumerate([*(c.id for c in group.children), *ends])}  # alike groups have like sources
    text = ['digraph{rankdir=LR nodesep=.22 ranksep=.4 node[shape=box fixedsize=true label=""] edge[arrowhead=none]']
    if len(group.children) > _LARGE:
        text.append("nslimit=.5 nslimit1=1 mclimit=.2")
    for child in group.children:
        said = lines(child)
        width, height = max(map(len, said)) * _LETTER + 20, len(said) * _LINE + 9
        text.append(f"{names[child.id]}[width={width / _UNIT:.3f} height={height / _UNIT:.3f}]")
    for sign, rank in (("<", "source"), (">", "sink")):
        if ports := [names[end] for end in ends if end[0] == sign]:
            text.append(f"{{rank={rank} {' '.join(f'{p}[width=.02 height=.02]' for p in ports)}}}")
    text += [f"{names[source]}->{names[target]}" for source, target, *_ in edges]
    found = [line.split() for line in plain("\n".join([*text, "}"])).splitlines()]
    wide, high = (float(n) * _UNIT for n in found[0][2:4])
    placed = {words[1]: [float(n) * _UNIT for n in words[2:6]] for words in found if words[0] == "node"}
    curves: dict[tuple[str, str], list[list[float]]] = {}
    for words in found:
        if words[0] == "edge":
            points = [round(float(n) * _UNIT, 1) for n in words[4 : 4 + 2 * int(words[3])]]
            points[1::2] = [round(high - y, 1) for y in points[1::2]]
            curves.setdefault((words[1], words[2]), []).append(points)
    at = {id: (round(placed[n][0], 1), round(high - placed[n][1], 1)) for id, n in names.items()}
    return Plan(
        round(wide, 1), round(high, 1),
        [(c.id, *at[c.id], round(placed[names[c.id]][2], 1), round(placed[names[c.id]][3], 1)) for c in group.children],
        [(end, *at[end]) for end in ends],
        [(s, t, v, curves[names[s], names[t]].pop(0), keys, dashed) for (s, t, v, dashed, _), keys in edges.items()],
    )  # fmt: skip
