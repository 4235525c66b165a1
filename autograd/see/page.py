"""The page: a recorded pass as one HTML file, in which one steps forward and backward through it."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.batch import whole
from ..engine.graph import Array
from ..errors import ArgumentError
from .derivation import term
from .differences import difference
from .formula import forward, in_short, norm, numbers
from .record import Backward, Call, Contribution, Event, Recording, Value, Write

_NUMBERS = 256  # arrays of up to so many elements are shown as numbers, larger ones by statistics
_STEPS, _FEWER = 300, 36  # but in a backward of more steps, of up to so many
_BINS = 24  # of their histograms
_READABLE = 60  # boxes: with more, modules are closed at first
_BOXES = 1500  # more are not laid out
_USES = 3  # a leaf that more ops use is drawn beside each
_SECONDS = 2.0  # for finite differences

Picture = Callable[[str], str]
Item = Event | Value  # what has a box of its own: an op with its results, or a leaf


def page(tape: Recording, picture: Picture, backward: int = -1, title: str = "") -> str:
    """The page of a recording, as text; `picture` makes SVG of DOT.

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
        self.own: dict[Any, Any] = {}  # by module: the nodes of its parameters, the ids of its buffers' arrays
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

    # ------------------------------------------------------------ pictures
    def views(self) -> list[dict[str, Any]]:
        """Pictures of the graph: all ops, and with modules closed, from the innermost to the outermost."""
        depth = max(len(e.modules) for e in self.events)
        levels: list[int | None] = [None, *range(depth - 1, -1, -1)]
        found: list[dict[str, Any]] = []
        for level in levels:
            closed = {e: e.modules[level] for e in self.events if level is not None and len(e.modules) > level}
            count = len({c.number for c in closed.values()}) + len(self.items) - len(closed)
            if count > _BOXES or (found and level is not None and len(set(closed.values())) == len(closed)):
                continue  # too many, or the same again
            name = "operations" if level is None else f"modules, depth {level + 1}"
            found.append({"name": name, "boxes": count, **self._view(closed)})
        if not found:
            what = f"html: {len(self.items):,} operations and leaves are more than a page can show ({_BOXES:,})"
            raise ArgumentError(f"{what}; watch a smaller part, or put parts into modules, which can be closed")
        return found

    def _view(self, closed: dict[Event, Any]) -> dict[str, Any]:
        """One picture, with some events inside of closed modules."""
        uses = Counter(v for e in self.events for v in dict.fromkeys(_values(e)) if v in self.items)
        boxes: dict[str, list[int]] = {}
        lines: list[str] = []
        clusters: dict[tuple[Any, ...], list[str]] = {}
        edges: dict[str, list[str]] = {}
        between: dict[tuple[str, str, str], str] = {}

        def box(id: str, item: Item, number: int) -> None:
            if id not in boxes:
                boxes[id] = [number]
                text = _node(id, item, self.formula(item) if isinstance(item, Event) else "")
                path = item.modules if isinstance(item, Event) and not closed else ()
                clusters.setdefault(path, []).append(text)

        def place(event: Event) -> str:
            call = closed.get(event)
            return f"m{call.number}" if call is not None else f"n{self.items[event]}"

        for event in self.events:
            id, call = place(event), closed.get(event)
            if call is None:
                box(id, event, self.items[event])
            else:
                boxes.setdefault(id, []).append(self.items[event])
            detached = {n for n, v in event.detached.items()}
            for name, argument in event.arguments.items():
                for value in _values_in(argument):
                    owner = self.owner.get(value)
                    if owner is not None:
                        source = place(owner)
                    elif value in self.items and call is not None and self._inside(value, call, uses[value]):
                        boxes[id].insert(0, self.items[value])  # so that the last op stays the last
                        continue
                    elif value in self.items:
                        source = f"n{self.items[value]}" + (f"_{id}" if uses[value] > _USES else "")
                        box(source, value, self.items[value])
                    else:
                        continue
                    if source == id:
                        continue
                    kind = "detached" if name in detached else "edge"
                    key = (source, id, kind if closed else f"{kind}{name}")
                    if key not in between:
                        between[key] = edge = f"e{len(between)}"
                        style = ", style=dashed" if kind == "detached" else ""
                        lines.append(f'{source} -> {id} [id={edge}, class="{kind}"{style}]')
                    edges.setdefault(between[key], []).append(f"{event.number}/{name}")
        members: dict[int, list[Event]] = {}
        for event, call in closed.items():
            members.setdefault(call.number, []).append(event)
        lines += [_module_node(f"m{n}", closed[inside[-1]], len(inside), inside[-1]) for n, inside in members.items()]
        source = _dot(clusters, lines)
        return {"svg": _svg(self.picture(source)), "nodes": boxes, "edges": edges}

    def _inside(self, value: Value, call: Call, uses: int) -> bool:
        """Is a leaf shown inside of a closed module: a parameter of it, or a constant that nothing else uses?"""
        if call.module not in self.own:
            self.own[call.module] = {p.node for p in call.module.parameters()}, {id(b.array) for b in call.module.buffers()}
        nodes, buffers = self.own[call.module]
        return value.node in nodes if value.node is not None else id(value.array) in buffers or (uses == 1 and not value.name)

    # ------------------------------------------------------------ the file
    def html(self) -> str:
        """The template, filled in."""
        views = self.views()
        first = next((i for i, v in enumerate(views) if v["boxes"] <= _READABLE), len(views) - 1)
        data = {
            "title": self.title, "of": self.of, "items": [self.item(i) for i in self.items], "steps": self.steps(),
            "arrays": self.arrays, "first": first,
            "views": [{k: v[k] for k in ("name", "nodes", "edges")} for v in views],
        }  # fmt: skip
        pictures = "".join(f'<div class="view" hidden>{v["svg"]}</div>' for v in views)
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
        filled = {"TITLE": escape(self.title), "PICTURES": pictures, "DATA": text}
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


# ---------------------------------------------------------------- DOT
def _dot(clusters: dict[tuple[Any, ...], list[str]], lines: list[str]) -> str:
    """The graph in DOT, ops inside of their modules."""
    inner: dict[Any, Any] = {}
    for path in clusters:
        for i in range(len(path) + 1):
            inner.setdefault(path[:i], {})
            if i:
                inner[path[: i - 1]][path[:i]] = None
    body: list[str] = []
    todo: list[Any] = [()]
    while todo:  # no recursion, whatever the depth
        path = todo.pop()
        if path is None:
            body.append("}")
            continue
        if path:
            call = path[-1]
            label = _quoted(f"{call.name}: {call.kind}" if call.name else call.kind)
            body.append(f'subgraph cluster_{call.number} {{ label={label} id=k{call.number} class="module"')
            todo.append(None)
        body += clusters.get(path, [])
        todo += list(inner.get(path, ()))[::-1]
    font = 'fontname="Helvetica,Arial,sans-serif"'
    head = f'rankdir=LR; bgcolor="transparent"; nodesep=0.25; ranksep=0.45; {font}; fontsize=12; labeljust=l; style=rounded;'
    style = f'node [{font} shape=box style="rounded,filled" fontsize=12 margin="0.2,0.05" height=0.3]; edge [arrowsize=0.7];'
    return "digraph pass {\n" + "\n".join([head, style, *body, *lines]) + "\n}"


def _node(id: str, item: Item, formula: str) -> str:
    values = [item] if isinstance(item, Value) else item.results
    symbol = ", ".join(v.symbol for v in values)
    value = in_short(values[0].array) if len(values) == 1 and values[0].array is not None and values[0].array.size == 1 else ""
    about = f"= {value}" if value else _size(values[0].shape) if len(values) == 1 else f"{len(values)} results"
    computed = [formula if len(formula) <= 28 else f"{item.name}(…)"] if isinstance(item, Event) else []
    texts = [symbol, *computed, about]
    tracked = isinstance(item, Event) or item.node is not None
    texts += ["‖grad‖ 0.000e+0"] * tracked  # room for the gradient
    style = {"param": "filled", "data": "filled", "op constant": '"rounded,filled,dashed"'}.get(_kind(item), '"rounded,filled"')
    return f'{id} [id={id} class="{_kind(item)}" style={style} label={_quoted(chr(10).join(texts))}]'


def _module_node(id: str, call: Any, count: int, last: Event) -> str:
    texts = [call.name or call.kind, f"{f'{call.kind}, ' if call.name else ''}{count} op{'s' * (count != 1)}"]
    texts += [_size(last.results[0].shape), "‖grad‖ 0.000e+0"]
    return f'{id} [id={id} class="op closed" label={_quoted(chr(10).join(texts))}]'


def _quoted(text: str) -> str:
    text = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _svg(svg: str) -> str:
    """What Graphviz drew, to stand inside of a page, where ids come several times: as data-id."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'^<svg width="[^"]*" height="[^"]*"', '<svg class="graph"', svg)
    svg = re.sub(r"<title>.*?</title>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="([^"]*)" class="', r'<g data-id="\1" class="', svg)
    return re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
