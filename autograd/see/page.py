"""The page: a recorded pass as one HTML file, in which one steps forward and backward through it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.batch import whole
from ..engine.graph import Array
from ..errors import ArgumentError
from .boxes import Box, Edge, place_leaves
from .derivation import term
from .differences import difference
from .formula import forward, in_short, norm, numbers
from .layout import beside_each_use
from .nest import Group, Link, grown, plans
from .record import Backward, Contribution, Event, Recording, Value, Write

_NUMBERS = 256  # arrays of up to so many elements are shown as numbers, larger ones by statistics
_STEPS, _FEWER = 300, 36  # but in a backward of more steps, of up to so many
_BINS = 24  # of their histograms
_READABLE = 60  # boxes: with more, modules are closed at first, and repetitions are one box
_BOXES = 1500  # more beside each other are not laid out
_SECONDS = 2.0  # for finite differences

Picture = Callable[[str], str]  # from a graph in DOT to where Graphviz puts it, in its `plain` format
Item = Event | Value  # what has a box of its own: an op with its results, or a leaf


def page(tape: Recording, picture: Picture, backward: int = -1, title: str = "") -> str:
    """The page of a recording, as text; `picture` lays out graphs.

    Raises ArgumentError if nothing was computed in it, or more than can be laid out.
    """
    return _Page(tape, picture, backward, title).html()


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page; return its path, which ends in .html."""
    path = Path(path)
    path = path if path.suffix else path.with_name(path.name + ".html")
    path.write_text(text, encoding="utf-8")
    return path


def frame(text: str, height: int = 640) -> str:
    """A page inside of a notebook, from which it is kept apart."""
    return (
        f'<iframe srcdoc="{escape(text)}" sandbox="allow-scripts" title="the backward pass, step by step" '
        f'style="width:100%;height:{height}px;border:1px solid #8886;border-radius:8px"></iframe>'
    )


class _Page:
    """What a page says of one backward, or of the forward pass alone if there was none."""

    def __init__(self, tape: Recording, picture: Picture, backward: int, title: str) -> None:
        self.tape, self.picture = tape, picture
        self.backward: Backward | None = tape.backwards[backward] if tape.backwards else None
        self.events = self._relevant()
        if not self.events:
            raise ArgumentError("html: nothing was computed in what was watched, so there is nothing to show")
        self.roots = [r for r, _ in self.backward.roots] if self.backward else [self.events[-1].results[0]]
        self.of = self.roots[0].symbol if len(self.roots) == 1 else "L"
        self.title = title or f"{self.of}: " + ("the backward pass, step by step" if self.backward else "the forward pass")
        self.arrays: list[dict[str, Any]] = []
        self.known: dict[int, tuple[int, Any]] = {}  # by the id of an array, which is held
        self.items: dict[Item, int] = {}
        for event in self.events:
            for value in _values(event):
                if (made := value.made) is None or made not in self.events:
                    self.items.setdefault(value, len(self.items))
            self.items[event] = len(self.items)
        self.formulas: dict[Event, str] = {}
        self.terms = [term(c) for c in self.backward.contributions] if self.backward else []
        self.pulled = {p.event: p.contributions for p in self.backward.pulls} if self.backward else {}
        self.written = {e.results[0]: e for e in tape.events if isinstance(e, Write) and _in_place(e)}
        self.owner = {r: e for e in self.events if not _in_place(e) for r in e.results}

    def _relevant(self) -> list[Event]:
        """The events that lead to what backward started from, oldest first; those of a backward only if they are in its graph."""
        if self.backward is None:
            return [e for e in self.tape.events if e.backward is None and not _in_place(e)]
        todo = [made for root, _ in self.backward.roots if (made := root.made) is not None]
        seen = set(todo)
        for event in todo:  # which grows
            for value in _values(event):
                if (made := value.made) is not None and made not in seen:
                    seen.add(made)
                    todo.append(made)
        return sorted(seen, key=lambda e: e.number)

    # ------------------------------------------------------------ arrays
    def array(self, array: Any) -> int | None:
        """The number under which an array is in the page; None if nobody kept it."""
        if array is None:
            return None
        if id(array) not in self.known:
            self.known[id(array)] = len(self.arrays), array
            self.arrays.append(_shown(np.asarray(whole(array)), _NUMBERS if len(self.terms) <= _STEPS else _FEWER))
        return self.known[id(array)][0]

    # ------------------------------------------------------------ boxes
    def item(self, item: Item) -> dict[str, Any]:
        """What there is to say about a box."""
        values = [item] if isinstance(item, Value) else item.results
        symbols = [v.symbol for v in values]
        said: dict[str, Any] = {"symbol": ", ".join(symbols), "symbols": symbols, "kind": _kind(item)}
        said |= {"shape": ", ".join(_size(v.shape) for v in values), "values": [self.array(v.array) for v in values]}
        said["flags"] = self.flags(item, values)
        if isinstance(item, Event):
            terms = self._rules(item)
            said |= {
                "key": f"{item.number}/",
                "formula": self.formula(item),
                "op": item.name,
                "rules": terms,
                "line": _line(item),
            }
            said["module"] = " › ".join(f"{c.name or 'model'} ({c.kind})" for c in item.modules)
            said["notes"] = self._notes(item)
        else:
            said["formula"] = "parameter" if said["kind"] == "param" else "data, no gradient"
            said["check"] = self.checks.get(item)
        return said

    def formula(self, event: Event) -> str:
        """What an event computes, written once."""
        if event not in self.formulas:
            self.formulas[event] = forward(event)
        return self.formulas[event]

    def _rules(self, event: Event) -> list[str]:
        return [f"∂{self.of}/∂{t.to}: {t.formula}" for t in (self.terms[c.number] for c in self.pulled.get(event, ()))]

    def _notes(self, event: Event) -> list[str]:
        notes = [f"{v.symbol} is cut off here: no gradient goes back through it" for v in event.detached.values()]
        if not event.grad:
            notes.append("under no_grad(): not recorded")
        for write in filter(None, map(self.written.get, event.results)):
            notes.append(f"written in place: {write.arguments['x'].symbol} became {write.results[0].symbol}, {_line(write)}")
        if isinstance(event, Write):
            notes.append("a write in place")
        if event.within is not None:
            notes.append(f"computed by the backward of {event.within.name}")
        return notes

    def flags(self, item: Item, values: list[Value]) -> list[str]:
        """What is wrong with a box."""
        found = []
        for value in values:
            gradient = self.backward.gradient(value) if self.backward else None
            for what, array in ((value.symbol, value.array), (f"∂{self.of}/∂{value.symbol}", gradient)):
                if array is not None and np.asarray(whole(array)).dtype.kind == "f" and not np.all(np.isfinite(array)):
                    found.append(f"{what} holds {'NaN' if np.any(np.isnan(array)) else 'Inf'}")
        if isinstance(item, Event) and item.name == "relu" and values[0].array is not None:
            found += _dead(np.asarray(whole(values[0].array)))
        return found

    @property
    def checks(self) -> dict[Value, Any]:
        """What finite differences say of the gradients of leaves."""
        found: dict[Value, Any] | None = getattr(self, "_checks", None)
        if found is None:
            found, end = {}, time.monotonic() + _SECONDS
            for value in self.items:
                if self.backward is None or not isinstance(value, Value) or time.monotonic() > end:
                    continue
                if (d := difference(self.tape, self.backward, value)) is not None:
                    places = (
                        f"{len(d.places)} of {value.array.size} numbers" if len(d.places) < value.array.size else "every number"
                    )
                    words = "agree" if d.agrees else "do not agree"
                    said = f"finite differences {words} (tried at {places}, relative difference {d.worst:.0e})"
                    found[value] = [d.agrees, said]
            self._checks = found
        return found

    # ------------------------------------------------------------ steps
    def steps(self) -> list[dict[str, Any]]:
        """Each op, the start of backward, and each contribution."""
        found: list[dict[str, Any]] = [{"kind": "start", "say": self._start()}]
        for event in self.events:
            result = ", ".join(in_short(r.array) for r in event.results)
            sides = [self.formula(event), *([forward(event, numbers)] if _scalar(event) else []), result if result != "?" else ""]
            say = " = ".join([", ".join(r.symbol for r in event.results), *filter(None, dict.fromkeys(sides))])
            module = f" in {event.modules[-1]!r}" if event.modules else ""
            lead = f"Forward{module}: compute {', '.join(r.symbol for r in event.results)}"
            found.append({"kind": "forward", "item": self.items[event], "lead": lead, "say": say})
        if self.backward is None:
            return found
        for root, seed in self.backward.roots:
            if (start := self._box(root)) is not None:
                said = {"lead": "Backward starts here", "say": f"∂{self.of}/∂{root.symbol} = {in_short(seed.array)}"}
                found.append({"kind": "seed", "item": start, "total": self.array(seed.array), "part": _part(root), **said})
        formulas = list(dict.fromkeys(self.terms[c.number].formula for c in self.backward.contributions))
        for one in self.backward.contributions:
            if one.event in self.items and (to := self._box(one.to)) is not None:
                found.append(self._step(one, to, formulas))
        return found

    def _box(self, value: Value) -> int | None:
        return self.items.get(self.owner.get(value, value))

    def _start(self) -> str:
        return "Press → to compute step by step" + (", and then to go back" if self.backward else "") + "."

    def _step(self, one: Contribution, to: int, formulas: list[str]) -> dict[str, Any]:
        assert self.backward is not None, "it has contributions"
        t, parts = self.terms[one.number], self.backward.to(one.to)
        total = one.fitted if one.total is None else one.total.array + one.fitted
        which = f"∂{self.of}/∂{t.to}"
        say = f"{which} {'+=' if t.plus else '='} {t}"
        if t.plus:
            say += f"; that makes {in_short(total)}"
        if len(parts) > 1:
            say += f" (path {parts.index(one) + 1} of {len(parts)})"
        results = ", ".join(r.symbol for r in one.event.results)
        gs = one.g if isinstance(one.g, list) else [one.g]
        incoming = ", ".join("nothing" if g is None else in_short(g.array) for g in gs)
        lead = f"Back through {results} = {self.formula(one.event)}, where g = ∂{self.of}/∂{results} = {incoming}"
        step = {
            "kind": "back", "item": to, "from": self.items[one.event], "edge": f"{one.event.number}/{one.argument}",
            "lead": lead, "say": say, "which": which, "formula": t.formula, "fitted": t.fitted, "plus": t.plus,
            "added": self.array(one.fitted), "total": self.array(total), "before": one.total and self.array(one.total.array),
            "g": [None if g is None else self.array(g.array) for g in gs],
            "part": _part(one.to),
        }  # fmt: skip
        if one.fitted.size == 1 and np.all(np.isfinite(one.fitted)):
            step["quiz"] = {"number": float(np.ravel(one.fitted)[0])}
        elif len(formulas) > 2 and t.formula in formulas:
            i = formulas.index(t.formula)
            others = [f for f in formulas[i + 1 :] + formulas[:i] if f != t.formula][:2]
            turn = one.number % 3
            choices = [*others[:turn], t.formula, *others[turn:]]
            step["quiz"] = {"choices": choices, "right": choices.index(t.formula)}
        return step

    # ------------------------------------------------------------ the graph
    def graph(self) -> dict[str, Any]:
        """The boxes, the groups that they are in with their layouts, and which of these are open at first."""
        of: dict[Item, Box] = {}
        uses: dict[Edge, str] = {}
        for item, number in self.items.items():
            of[item] = box = Box(f"n{number}", _BOX[_kind(item)], "")
            box.values = [item] if isinstance(item, Value) else item.results
            if isinstance(item, Value):
                continue
            box.op, box.modules = item.name, item.modules
            for name, argument in item.arguments.items():
                for value in _values_in(argument):
                    if (source := of.get(self.owner.get(value, value))) is not None and source is not box:
                        edge = Edge(source, value, "detached" * (name in item.detached))
                        box.inputs.append(edge)
                        uses[edge] = f"{item.number}/{name}"
        place_leaves(of.values(), lambda value: value.name)
        drawn, edges = beside_each_use(list(of.values()))
        named = dict(drawn)
        links = [Link(named[source], named[target], edge, uses[edge]) for source, target, edge in edges]
        groups = grown(list(named.values()), links, fold=len(named) > _READABLE)
        if (most := max(len(g.children) for g in groups)) > _BOXES:
            what = f"html: {most:,} operations and leaves beside each other are more than a page can show ({_BOXES:,})"
            raise ArgumentError(f"{what}; watch a smaller part, or put parts into modules, which can be closed")
        every = list(self.items)
        lines = {id: self._lines(every[_number_of(id)]) for id in named} | {g.id: self._about(g) for g in groups}
        layouts = plans(groups, links, lambda box: lines[box.id], self.picture)
        shown, first = len(groups[0].children), [groups[0].id]
        for group in groups:  # outer ones come first
            inner = [c for c in group.children if isinstance(c, Group) and not c.repeats_parts]
            for part in inner if group.id in first else []:
                if shown + len(part.children) <= _READABLE:
                    first.append(part.id)
                    shown += len(part.children) - 1
        told = [
            {"id": g.id, "title": " · ".join(filter(None, dict.fromkeys((g.name, g.op)))), "lines": lines[g.id]}
            | {"repeated": g.repeats_parts, "items": [_number_of(b.id) for b in sorted(g.inside, key=_is_op)]}
            for g in groups
        ]
        return {
            "boxes": {id: {"item": _number_of(id), "lines": lines[id]} for id in named},
            "groups": [group | plan._asdict() for group, plan in zip(told, layouts, strict=True)],
            "open": first,
        }

    def _lines(self, item: Item) -> list[str]:
        """What is written in a box; the last line is for the gradient."""
        values = [item] if isinstance(item, Value) else item.results
        value = in_short(values[0].array) if len(values) == 1 and np.size(values[0].array) == 1 else ""
        size = _size(values[0].shape) if len(values) == 1 else f"{len(values)} results"
        about = f"= {value}" if value not in ("", "?") else size
        text = "" if isinstance(item, Value) else self.formula(item)
        computed = [] if isinstance(item, Value) else [text if len(text) <= 28 else f"{item.name}(…)"]
        tracked = isinstance(item, Event) or item.node is not None
        symbols = [v.symbol for v in values[:3]] + ["…"] * (len(values) > 3)
        return [", ".join(symbols), *computed, about, *["‖grad‖ 0.000e+0"] * tracked]

    def _about(self, group: Group) -> list[str]:
        """What is written in a group that is closed."""
        ops = _ops(group)
        said = ", ".join([*filter(None, [group.op if group.name != group.op else ""]), f"{len(ops)} op{'s' * (len(ops) != 1)}"])
        return [group.name, said, _size(ops[-1].values[0].shape), "‖grad‖ 0.000e+0"]

    # ------------------------------------------------------------ the file
    def html(self) -> str:
        """The template, filled in."""
        data = {
            "title": self.title, "of": self.of, "items": [self.item(i) for i in self.items], "steps": self.steps(),
            "arrays": self.arrays, **self.graph(),
        }  # fmt: skip
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
        filled = {"TITLE": escape(self.title), "DATA": text}
        return re.sub("@@([A-Z]+)@@", lambda m: filled[m[1]], template)


# ---------------------------------------------------------------- what a box says
def _values(event: Event) -> list[Value]:
    return [v for a in event.arguments.values() for v in _values_in(a)]


def _values_in(argument: Any) -> list[Value]:
    if isinstance(argument, (tuple, list)):
        return [v for a in argument for v in _values_in(a)]
    return [argument] if isinstance(argument, Value) else []


def _part(value: Value) -> int:
    """Which of several results it is."""
    return value.made.results.index(value) if value.made is not None else 0


def _in_place(event: Event) -> bool:
    """A write whose values are another op's result: that op's box says so."""
    return isinstance(event, Write) and event.results[0].made is not event


def _scalar(event: Event) -> bool:
    return all(v.array is not None and v.array.size == 1 for v in (*event.values, *event.results))


def _kind(item: Item) -> str:
    if isinstance(item, Event):
        return "write" if isinstance(item, Write) else "op" if item.grad else "op constant"
    return "data" if item.node is None else "param"


_BOX = {"param": "parameter", "data": "data"} | dict.fromkeys(("op", "op constant", "write"), "op")  # what the graph calls these


def _ops(group: Group) -> list[Box]:
    """Those in a group, oldest first, and none twice."""
    return list(filter(_is_op, group.inside))


def _is_op(box: Box) -> bool:
    return not box.leaf and "_" not in box.id


def _number_of(id: str) -> int:
    """The item of a box: n12, or n12_3 if it is drawn several times."""
    return int(id[1:].partition("_")[0])


def _line(event: Event) -> str:
    return f"{Path(event.line.file).name}:{str(event.line).removeprefix(event.line.file + ':')}" if event.line.file else ""


def _size(shape: Any) -> str:
    return "×".join(map(str, shape)) if shape else "one number"


def _dead(out: Array) -> list[str]:
    """Which units of a ReLU pass no gradient at all."""
    if out.ndim < 2:
        dead, of = int(np.sum(out <= 0)), out.size
        return [f"{dead} of {of} are 0 here: no gradient goes through these"] if dead else []
    unit = 1 if out.ndim > 2 else out.ndim - 1
    off = np.all(out <= 0, axis=tuple(d for d in range(out.ndim) if d != unit))
    return (
        [f"{int(off.sum())} of {off.size} units are 0 for the whole batch (dead): no gradient goes through"] if off.any() else []
    )


def _shown(array: Array, most: int) -> dict[str, Any]:
    """An array as the page has it: its numbers if they are few, and statistics."""
    said: dict[str, Any] = {"shape": _size(array.shape), "n": array.size, "text": in_short(array) if array.size == 1 else ""}
    columns = array.shape[-1] if array.ndim else 1
    if array.size <= most:
        said |= {"rows": [[_number(v) for v in row] for row in np.reshape(array, (-1, columns)).tolist()] if array.size else []}
    if array.size and array.dtype.kind in "fiub":
        flat = np.ravel(array).astype(np.float64)
        finite = flat[np.isfinite(flat)]
        ends = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        size = norm(array)
        said |= {
            "min": _number(ends[0]),
            "max": _number(ends[1]),
            "top": max(abs(ends[0]), abs(ends[1])),
            "zeros": int((flat == 0).sum()),
        }
        said |= {
            "mean": _number(float(finite.mean()) if finite.size else 0.0),
            "norm": _number(size),
            "odd": flat.size - finite.size,
        }
        said["rms"] = size / flat.size**0.5 if np.isfinite(size) else 0.0
        said["text"] = said["text"] or f"norm {said['norm']}"
        if array.size > most and finite.size:
            said["bins"] = np.histogram(finite, _BINS)[0].tolist()
    return said


def _number(value: Any) -> Any:
    """A number as it is shown: [text, value], the value for its colour."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.4g}"
