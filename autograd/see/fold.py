"""What makes a large graph one readable page: modules closed to one box each, and what is repeated drawn once."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable

import numpy as np

from ..engine.warn import OURS
from ..errors import ArgumentError
from .boxes import Box, Edge, common
from .record import Call, Value

PAGE = 60  # so many boxes are read one by one
_FOLDED = 30  # and so many at most are left where that does not do
_FEW = 3  # a layer of the library with more ops is one box
_PERIOD = 80  # what is repeated has at most so many boxes
_LEAST = 3  # and is there so often
_NONE = -1  # no repetition


def folded(boxes: list[Box], depth: int | None, expand: Iterable[str], fold: bool | None) -> list[Box]:
    """The boxes to be drawn. Without a `depth` modules are closed, from the innermost on, until all fit on a page."""
    opened = {expand} if isinstance(expand, str) else set(expand)
    calls = {c for b in boxes for c in b.modules}
    if unknown := opened - {c.name for c in calls} - {c.kind for c in calls}:
        names = ", ".join(sorted({c.name for c in calls if c.name})) or "none, as the forward pass was not watched"
        raise ArgumentError(f"draw: there is no module {min(unknown)!r} to expand; there are {names}")
    fold = len(boxes) > PAGE if fold is None else fold
    deepest = max((len(b.modules) for b in boxes), default=0)
    best = boxes
    for level in (depth,) if depth is not None else range(deepest, min(deepest, 1) - 1, -1):
        drawn = closed(boxes, level, opened, _layers(boxes) if depth is None else set())
        if fold and len(less := repeated(drawn)) <= 0.9 * len(drawn):  # or these are likenesses by chance
            drawn = less
        if level in (depth, deepest) or len(drawn) < len(best):
            best = drawn
        if len(best) <= (PAGE if len(boxes) <= PAGE else _FOLDED):
            break
    return best


def _layers(boxes: list[Box]) -> set[int]:
    """The calls of layers that come with the library, have none inside, and would be many boxes."""
    sizes = Counter(b.modules[-1] for b in boxes if not b.leaf and len(b.modules) > 1)
    ours = {type(c.module): sys.modules[type(c.module).__module__].__file__ or "" for c in sizes}
    return {
        c.number
        for c, n in sizes.items()
        if n > _FEW and ours[type(c.module)].startswith(OURS) and len(list(c.module.named_modules())) == 1
    }


# ---------------------------------------------------------------- modules
def closed(boxes: list[Box], depth: int, opened: set[str], layers: set[int]) -> list[Box]:
    """The boxes, but one for each module that is called at this depth, or is among `layers`, in place of what is in it."""
    of: dict[Box, Box] = {}  # what is drawn for each
    modules: dict[int, Box] = {}
    for box in boxes:
        for level, call in enumerate(box.modules):
            if (level >= depth or call.number in layers) and not _opens(call, opened):
                if (module := modules.get(call.number)) is None:
                    module = modules[call.number] = Box(f"module{len(modules) + 1}", "module", call.name or call.kind)
                    module.op, module.modules = call.kind, box.modules[:level]
                module.inside.append(box)
                module.output |= box.output
                of[box] = module
                break
        else:
            of[box] = copied(box)
    for box in boxes:
        own = of[box]
        edges = [Edge(of[e.source], e.value, e.dashed) for e in box.inputs if of[e.source] is not own]
        own.inputs += edges
        for edge in edges:  # what comes out of a module
            if edge.source.kind == "module" and edge.value is not None and edge.value not in edge.source.values:
                edge.source.values.append(edge.value)
    for module in modules.values():
        module.values = module.values or [v for b in module.inside if b.output for v in b.values] or module.inside[-1].values
        module.inputs = list({(e.source, id(e.value)): e for e in module.inputs}.values())
    return _leaves_first(list(dict.fromkeys(of.values())))


def _opens(call: Call, opened: set[str]) -> bool:
    """Is a module opened, as it was asked for or one in it was?"""
    return any(name in (call.name, call.kind) or not call.name or name.startswith(f"{call.name}.") for name in opened)


def copied(box: Box) -> Box:
    """The same box, without lines and inputs."""
    copy = object.__new__(Box)
    vars(copy).update(vars(box), rows={}, latex={}, inputs=[])
    return copy


def _leaves_first(drawn: list[Box]) -> list[Box]:
    """A module may come before a leaf that it uses: put each leaf before its first use."""
    placed: dict[Box, None] = {}
    for box in drawn:
        if not box.leaf:
            placed.update(dict.fromkeys(e.source for e in box.inputs if e.source.leaf))
            placed[box] = None
    return [*placed, *(b for b in drawn if b not in placed)]


# ---------------------------------------------------------------- repetitions
def repeated(boxes: list[Box]) -> list[Box]:
    """The boxes, but where some are repeated at least three times, those of the first time for all."""
    line = [b for b in boxes if not b.leaf]
    found = list(spans(line))
    if not found:
        return boxes
    stands: dict[Box, tuple[Box, int, int]] = {}  # for a box: the one drawn for it, in which span, at which repetition
    for number, (start, period, times) in enumerate(found):
        for i in range(period * times):
            stands[line[start + i]] = line[start + i % period], number, i // period
    users: dict[Box, list[tuple[Box, int]]] = {}
    for box in line:
        for place, edge in enumerate(box.inputs):
            if edge.source.leaf:
                users.setdefault(edge.source, []).append((box, place))
    for leaf, used in users.items():  # one that a single repetition uses is repeated as well, if all others use one there
        where = {stands[b][1:] if b in stands else None for b, _ in used}
        if len(where) == 1 and (here := where.pop()) is not None and not leaf.output:
            box, place = used[0]
            first, (start, period, times) = stands[box][0], found[here[0]]
            at = next(i for i in range(start, start + period) if line[i] is first)
            each = [line[at + k * period].inputs[place : place + 1] for k in range(times)]
            if all(edges and edges[0].source.leaf for edges in each) and each[0][0].source is not each[1][0].source:
                stands[leaf] = each[0][0].source, *here
    path = {number: _within(line, span) for number, span in enumerate(found)}
    repeats: dict[Box, list[Box]] = {}
    new: dict[Box, Box] = {}
    for box in boxes:
        first, number, _ = stands.get(box, (box, _NONE, 0))
        if first not in new:
            copy = new[first] = copied(first)
            for span in {stands[user][1] for user, _ in users.get(box, ()) if number == _NONE and user in stands}:
                copy.modules = copy.modules[: len(path[span])]  # what the first repetition alone uses comes from outside
            if number != _NONE:
                around, copy.times = path[number], found[number][2]
                again = Call(f"× {copy.times}", "", -1 - number, None)
                copy.modules = (*around, again, *copy.modules[len(around) :])
        if number != _NONE:
            repeats.setdefault(new[first], []).append(box)
            new[first].output |= box.output
    for box in boxes:
        first, number, turn = stands.get(box, (box, _NONE, 0))
        for edge in box.inputs:
            source, source_number, source_turn = stands.get(edge.source, (edge.source, _NONE, 0))
            within = number != _NONE and number == source_number
            later = within and source_turn < turn and not edge.source.leaf
            if turn == 0 or later or not (within or edge.source.leaf):  # or it is as in the first repetition
                new[first].inputs.append(Edge(new[source], edge.value, edge.dashed, later))
    for box in new.values():
        box.inputs, box.repeats = _once_each(box), repeats.get(box, [])
    return _leaves_first(list(new.values()))


def _once_each(box: Box) -> list[Edge]:
    """The edges of a box, those from what is repeated once for each way they go; two operands of one op stay two."""
    seen: dict[tuple[Box, bool], Value | None] = {}
    return [
        e
        for e in box.inputs
        if (e.source.times == 1 and box.times == 1) or seen.setdefault((e.source, e.later), e.value) is e.value
    ]


def _within(line: list[Box], span: tuple[int, int, int]) -> tuple[Call, ...]:
    start, period, times = span
    return common(b.modules for b in line[start : start + period * times])


def spans(line: list[Box]) -> Iterable[tuple[int, int, int]]:
    """Where something is repeated: from which box on, how many boxes, and how often."""
    codes: dict[object, int] = {}
    kinds = np.array([codes.setdefault(_kind(box), len(codes)) for box in line])
    runs = {}  # by period, and place: so many boxes from there on are followed by their like
    for period in range(1, min(_PERIOD, len(line) // _LEAST) + 1):
        same = kinds[:-period] == kinds[period:]
        ends = np.where(same, len(same), np.arange(len(same)))
        runs[period] = np.minimum.accumulate(ends[::-1])[::-1] - np.arange(len(same))
    at = 0
    while at < len(line):
        found = (0, 0, 0)
        for period, run in runs.items():
            times = int(run[at]) // period + 1 if at < len(run) else 1
            if times < _LEAST or times * period <= found[0] or (times - 1) * period < 4:
                continue
            least = _whole(line, at, period, times)
            if least >= _LEAST and least * period > found[0]:
                found = least * period, period, least
        if found[0]:
            yield at, found[1], found[2]
        at += found[0] or 1


def _whole(line: list[Box], at: int, period: int, times: int) -> int:
    """How many of these repetitions begin and end where modules do, if all are in one."""
    level = len(common(b.modules for b in line[at : at + period * times]))

    def inside(i: int) -> int | None:
        return line[i].modules[level].number if 0 <= i < len(line) and len(line[i].modules) > level else None

    if at and inside(at) is not None and inside(at) == inside(at - 1):
        return 0
    carried = set(line[at : at + period])  # what the first repetition leads to
    for n in range(times):
        end = at + (n + 1) * period
        if inside(end - 1) is not None and end < len(line) and inside(end) == inside(end - 1):
            return n
        for box in line[end - period : end] if n else ():
            if any(e.source in carried for e in box.inputs):
                carried.add(box)
        carried.difference_update(line[max(at, end - 2 * period) : end - period])
        if not carried:  # these are side by side, not one after the other
            return n
    return times


def _kind(box: Box) -> object:
    """What two boxes have in common if one repeats the other."""
    shapes = tuple(e.shape for e in box.inputs)
    path = tuple(re.sub(r"\d+", "#", f"{c.name} {c.kind}") for c in box.modules)
    return box.kind, box.op, shapes, path, len(box.inside), tuple(v.array is not None and v.array.shape for v in box.values)
