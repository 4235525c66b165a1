"""What a drawing is made of: a box for each op, parameter and constant, and what the boxes say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap as wrapped
from types import MappingProxyType
from typing import Any

import numpy as np

from ..engine.batch import whole
from ..engine.graph import Array, Node, memory
from .formula import SMALL, forward, in_latex, latex, nested, norm, rule_of
from .record import Backward, Call, Event, Recording, Value, Write
from .symbols import Brief, short
from .trace import stale

MOST = 4  # so many results of an op are told of
WIDTH = 40  # characters in a line of a box


class Box:
    """One op, leaf, constant or module: where it stands in the graph, and what is written in it."""

    def __init__(self, id: str, kind: str, name: str) -> None:
        self.id, self.kind = id, kind  # op, parameter, data or module
        self.name = name  # what the formulas of others call it
        self.title = name
        self.op = ""  # what it does
        self.event: Event | None = None
        self.values: list[Value] = []  # those of its results that something uses
        self.inputs: list[Edge] = []
        self.modules: tuple[Call, ...] = ()  # that were being called, from the outermost
        self.output = False
        self.rows: dict[str, list[str]] = {}  # lines under flags, type, value, grad, saved, rule
        self.latex: dict[str, str] = {}  # by line: how LaTeX writes it, if formulas are to be typeset
        self.inside: list[Box] = []  # of a module
        self.times, self.repeats = 1, list[Box]()  # how often it is there, and what it stands for

    @property
    def nodes(self) -> list[Node]:
        """Those of its ops in the graph."""
        return [b.event.node for b in (self.inside or [self]) if b.event is not None and b.event.node is not None]

    @property
    def parameters(self) -> list[Value]:
        """Those in a module."""
        return [v for b in self.inside if b.kind == "parameter" for v in b.values]

    @property
    def leaf(self) -> bool:
        """Is it a parameter or data?"""
        return self.kind in ("parameter", "data")


class Edge:
    """That a box uses a result of another."""

    def __init__(self, source: Box, value: Value | None, dashed: str = "", later: bool = False) -> None:
        self.source, self.value = source, value
        self.dashed = dashed  # why no gradient goes back along it, if none does
        self.later = later  # it leads to the next repetition

    @property
    def shape(self) -> str:
        """The shape of what is used, nothing for a number."""
        return str(shape) if (shape := shape_of(self.value)) else ""


def shape_of(value: Value | None) -> Any:
    """The shape of a value, also where only its node is left."""
    return getattr(value and (value.array if value.array is not None else value.node), "shape", None)


def _dtype_of(value: Value) -> Any:
    return getattr(value.array if value.array is not None else value.node, "dtype", "")


# ---------------------------------------------------------------- from ops to boxes
class Graph:
    """The boxes of all that leads to some values, and what there is to say about them.

    What a box says is worked out only when it is asked for, as most boxes of a large graph are never shown.
    """

    def __init__(
        self, tape: Recording, roots: Sequence[Value], given: Mapping[Value, str] = MappingProxyType({}),
        backwards: Sequence[Backward] = (),
    ) -> None:  # fmt: skip
        self.tape, self.roots = tape, roots
        self.given = dict(given)  # names that go before those of the recording
        self.all_parameters = not given
        self.latex = False  # are formulas to be typeset?
        self.backwards = backwards  # whose gradients are told; if there are none, the last that came to each value
        self.boxes: list[Box] = []  # oldest first; what only ops know of comes before its first use
        self.of: dict[Value, Box] = {}
        self.names: dict[Value, str] = {}
        self.written: dict[Value, Write] = {}
        events = _leading_to(roots)
        self.stale = {e.node for e in events if e.node is not None and stale(e.node)}
        for write in tape.events:
            if isinstance(write, Write) and write.node is None:
                self.written.update(dict.fromkeys(write.results, write))
        self.paths: Counter[Value] = Counter(v for e in events for v in e.tracked.values())
        self.counts: Counter[str] = Counter()
        used = {v for e in events for v in e.values}
        taken = {self.name(v) for e in events for v in (*e.values, *e.results)}
        for backward in tape.backwards:  # the gradients that these began with
            for _, g in backward.roots:
                if not self.name(g) and g.made is None:
                    self.given.setdefault(g, "seed")
        for event in events:
            self._op(event, used, taken)
        for root in roots:
            if root not in self.of:
                self._leaf(root, taken)
            self.of[root].output = True
        place_leaves(self.boxes, self.name)

    def _op(self, event: Event, used: set[Value], taken: set[str]) -> None:
        detached = {id(v) for v in event.detached.values()}
        inputs = []
        for value in event.values:
            if self.inline(value):
                self.names[value] = short(value.array.item())
                continue
            source = self.of.get(value) or self._leaf(value, taken)
            why, lost = "", event.node is None or (source.event is not None and source.event.node is None)
            if id(value) in detached or lost:
                why = "no_grad" if not event.grad and id(value) in detached else "constant" if lost else "detached"
            inputs.append(Edge(source, value, why))
        self.counts["op"] += 1
        values = [v for v in event.results if v in used or v in self.roots] or event.results
        named, several = [self.name(v) for v in values], len(event.results) > 1
        own = self._new("v", taken) if not all(named) else ""
        box = Box(f"op{self.counts['op']}", "op", own or ", ".join(named))
        for v in values:
            self.names[v] = self.name(v) or (f"{own}[{event.results.index(v)}]" if several and len(values) > 1 else own)
            self.of[v] = box
        box.event, box.values, box.inputs, box.modules, box.op = event, values, inputs, event.modules, event.name
        self.boxes.append(box)

    def _leaf(self, value: Value, taken: set[str]) -> Box:
        known = self.all_parameters or value.name or value in self.given
        kind = "parameter" if value.node is not None and known else "data"
        prefix = "leaf" if value.node is not None else "data"
        name = self.name(value) or self._new(prefix, taken)
        self.counts[f"#{prefix}"] += 1
        self.of[value] = box = Box(f"{prefix}{self.counts[f'#{prefix}']}", kind, name)
        self.names[value] = name
        box.values = [value]
        self.boxes.append(box)
        return box

    def inline(self, value: Value) -> bool:
        """Is it a number that nobody has a name for? It is written where it is used, and has no box."""
        known = value.array is not None and not np.shape(value.array) and hasattr(value.array, "item")
        return known and value.node is None and value not in self.of and not self.name(value) and value not in self.roots

    def gradient(self, value: Value) -> Array | None:
        """What came to a value in the backwards that are told of; or what its node keeps."""
        if found := [g for b in self.backwards if (g := b.gradient(value)) is not None]:
            return sum(found[1:], found[0])
        kept = None if value.node is None or value.node.grad is None else value.node.grad.array
        return kept if (g := self.tape.gradient(value)) is None else g

    def name(self, value: Value) -> str:
        """What the user calls it, if anything."""
        return self.given.get(value, value.name)

    def _new(self, prefix: str, taken: set[str]) -> str:
        while (name := f"{prefix}{self.counts.update([prefix]) or self.counts[prefix]}") in taken:
            pass
        return name

    # ------------------------------------------------------------ what a box says
    def call(self, box: Box) -> None:
        """Let the results of all repetitions be called as those of the first, which is drawn."""
        for other in box.repeats[1:]:
            for first, v in zip(box.repeats[0].values, other.values, strict=False):
                self.names[v] = self.names[first]

    def say(self, box: Box, show: set[str], latex: bool = False) -> None:
        """Fill in the lines of a box, and how LaTeX writes those that are formulas."""
        self.latex = latex
        box.latex = {box.name: in_latex(box.name)} if latex and box.name.isidentifier() and box.kind != "module" else {}
        self._say(box, show)
        if box.times > 1:  # what differs from one repetition to the other is not told, but how large its gradients are
            if box.kind == "module":
                box.title = f"{range_of(box.repeats[0].name, box.repeats[-1].name)} · {box.op}"
            norms = [n for r in box.repeats if (n := self.norm(r)) is not None]
            box.rows = {k: lines for k, lines in box.rows.items() if k in ("flags", "note", "type", "saved", "rule")}
            if norms and "grad" in show:
                box.rows["grad"] = [f"grad norm {short(norms[0])} ... {short(norms[-1])}"]
            if box.rows.get("saved") and (size := saved_bytes(n for r in box.repeats for n in r.nodes)):
                box.rows["saved"] = [f"saved {bytes_of(size)} in all"]

    def _say(self, box: Box, show: set[str]) -> None:
        if box.kind == "module":
            self._say_module(box, show)
            return
        event, rows, many = box.event, box.rows, len(box.values) > 1
        rows["flags"], kind = [], [box.op] * bool(box.op)
        if event is not None:
            called = self.called(event)
            rows["note"] = self.notes(event, box.values)
            box.title = f"{box.name} = {forward(event, called=called)}"
            if len(box.title) > WIDTH + 8:
                box.title = f"{box.name} = {event.name}({', '.join(str(called[v]) for v in event.values)})"
            if len(box.title) > WIDTH + 8:
                box.title = f"{box.name} = {event.name}(...)"
            if self.latex:
                box.latex[box.title] = f"{in_latex(box.name)} = {forward(event, latex, called)}"
        shown = box.values[:MOST]
        rows["type"] = self.types(box.values, show, kind)
        for v in shown:
            name, g = self.names[v], self.gradient(v)
            if "value" in show and _readable(v.array) and v.array.size <= SMALL:
                rows.setdefault("value", []).extend(equals(name if many else "", v.array))
            if "grad" in show and g is not None:
                rows.setdefault("grad", []).extend(gradient_lines(g, f"grad of {name}" if many else "grad"))
            rows["flags"] += [f"{what}{odd}" for what, a in (("", v.array), ("grad: ", g)) if (odd := odd_values(a))]
        if event is not None and event.node is not None:
            if "saved" in show and event.node.plan.keep:
                rows["saved"] = self.saved(event)
            if "rule" in show:
                rules = self.rules(event)
                rows["rule"] = list(rules)
                box.latex |= rules if self.latex else {}

    def types(self, values: list[Value], show: set[str], kind: list[str]) -> list[str]:
        """Dtypes and shapes, of several results by their names."""
        types = [(self.names[v], t) for v in values if (t := self.type(v, show))]
        if len(values) == 1 and kind + types:
            return [" · ".join([*kind, *(t for _, t in types)])]
        rest = len(types) - MOST
        return kind + [f"{name}: {t}" for name, t in types[:MOST]] + [f"and {rest:,} more"] * (rest > 0)

    def _say_module(self, box: Box, show: set[str]) -> None:
        """What a closed module says: how much is in it, what comes out, and how large its gradients are."""
        ops = [b for b in box.inside if not b.leaf]
        size = sum(v.array.size for v in box.parameters if v.array is not None)
        box.title = " · ".join(dict.fromkeys([box.name, box.op]))
        box.rows["type"] = self.types([*box.values, *box.values[:1]], show, [])[: len(box.values)]
        box.rows["value"] = [_count(len(ops), "op") + f", {_count(size, 'parameter')}" * bool(size)]
        if "grad" in show and (n := self.norm(box)) is not None:
            box.rows["grad"] = [f"grad norm {short(n)}"]
        if "saved" in show and (size := saved_bytes(box.nodes)):
            box.rows["saved"] = [f"saved {bytes_of(size)}"]
        odd = [b for b in ops if any(odd_values(a) for v in b.values for a in (v.array, self.gradient(v)))]
        box.rows["flags"] = [f"NaN or Inf in {_count(len(odd), 'op')}, first in {odd[0].op}"] if odd else []

    def norm(self, box: Box) -> float | None:
        """That of the gradients of a box: of the parameters in a module, or of what comes out."""
        found = [norm(g) for v in box.parameters or box.values if _readable(g := self.gradient(v))]
        return sum(n * n for n in found) ** 0.5 if found else None

    def type(self, value: Value, show: set[str]) -> str:
        """The dtype and the shape of a value."""
        dtype, shape = _dtype_of(value), shape_of(value)
        return " ".join([str(dtype)] * ("dtype" in show) + [str(shape)] * ("shape" in show and shape is not None)).strip()

    def notes(self, event: Event, values: list[Value]) -> list[str]:
        """What one has to know besides: is it written in place, does the graph end here?"""
        found = ["in place"] * (isinstance(event, Write) or event.name == "written" or any(v in self.written for v in values))
        return found + ["no gradient" + ", as under no_grad()" * (not event.grad)] * (event.node is None)

    def called(self, event: Event) -> dict[Value, Any]:
        """What formulas call values: by the user's names, of which the last parts do if they differ; numbers as they are."""
        names = {v: self.names[v] for v in event.values if v in self.names}
        brief = {v: name.rpartition(".")[2] if v.made is None else name for v, name in names.items()}
        called: dict[Value, Any] = dict(brief if len(set(brief.values())) == len(set(names.values())) else names)
        called |= {v: v.array.item() for v in names if self.inline(v)}
        return called | {v: self.names.get(v, "out") for v in event.results}

    def rules(self, event: Event) -> dict[str, str]:
        """The gradient rules of an op, in the user's names, and in LaTeX: each rule, run on symbols, says what it is.

        What the engine does to undo broadcasting is in the formula, and `+=` says that there are other paths.
        """
        node, called, lines = event.node, self.called(event), dict[str, str]()
        assert node is not None, "it is recorded"
        for argument, value in event.tracked.items():
            if "joint" in node.plan.wants or (found := rule_of(event, argument, called=called, g=node)) is None:
                continue  # a rule that is more than a formula: nothing is said about it
            of = str(called.get(value, argument))
            typeset = rule_of(event, argument, latex, called, node) or "" if self.latex else ""
            if axes := self._summed(event, argument, value):
                over = "" if len(axes) == len(node.shape) else str(axes[0] if len(axes) == 1 else axes)
                found = f"sum({found}{f', axis={over}' * bool(over)})"
                typeset = rf"\left({typeset}\right)" if len(typeset) > 1 else typeset
                typeset = rf"\textstyle\sum{f'_{{{over}}}' * bool(over)} {typeset}"
            sign, signed = ("+=", r"\mathrel{+}=") if self.paths[value] > 1 else ("=", "=")
            lines[f"d{of} {sign} {found}"] = f"d{in_latex(of)} {signed} {typeset}"
        return {text: typeset for text, typeset in lines.items() if len(text) <= WIDTH + 8}

    def _summed(self, event: Event, argument: str, value: Value) -> tuple[int, ...]:
        """Over which axes the engine sums what the rule returns, since the argument was broadcast along them."""
        for backward in self.tape.backwards:
            for one in backward.to(value):
                if one.event is event and one.argument == argument:
                    return one.summed
        ufunc = getattr(event.op, "fun", None)
        if not isinstance(ufunc, np.ufunc) or ufunc.signature is not None:
            return ()
        shape, like = event.node.shape, value.node.shape  # type: ignore[union-attr]
        lead = len(shape) - len(like)
        return (*range(lead), *(i + lead for i, n in enumerate(like) if n == 1 != shape[i + lead]))

    def saved(self, event: Event) -> list[str]:
        """Which arrays an op keeps for backward, with their shapes and bytes; also, if it is known, after they were freed."""
        node, called = event.node, self.called(event)
        assert node is not None, "it is recorded"
        arguments: dict[str, Any] = event.arguments | {"out": event.results[0]}
        values = {n: v for n in node.plan.keep if isinstance(v := arguments.get(n), Value)}
        names = {n: text if isinstance(text := called.get(v, n), str) else self.names[v] for n, v in values.items()}
        names = {n: names.get(n, n) for n in node.plan.keep}
        freed = [getattr(arguments.get(n), "array", None) for n in node.plan.keep]
        pairs = zip(node.plan.keep, freed if node.saved is None else node.saved, strict=True)
        arrays = {n: v for n, v in pairs if is_array(v)}
        if node.saved is None and (lost := [n for n in names if getattr(arguments.get(n), "array", ...) is None]):
            return [f"saved {', '.join(names[n] for n in lost)}: freed"]
        parts = list(dict.fromkeys(f"{names[n]} {v.shape}" for n, v in arrays.items()))
        size = bytes_in(arrays.values())
        parts += [bytes_of(size)] * bool(size) + ["modified in place since"] * (node in self.stale)
        return _joined("saved ", parts) if parts else []


def _leading_to(roots: Sequence[Value]) -> list[Event]:
    """The ops that these values were made by, as far back as there is a graph, oldest first."""
    found: dict[Event, bool] = {}  # is there a graph behind it?
    todo = list(roots)
    for value in todo:  # which grows meanwhile
        event = value.made
        if event is None or event in found or (value.node is not None and value.node.plan is None):
            continue
        found[event] = event.node is not None
        todo += event.values
    for event in (events := sorted(found, key=lambda e: e.number)):
        made = (found.get(v.made, False) if v.made is not None else False for v in event.values)
        found[event] |= any(v.node is not None for v in event.values) or any(made)
    return [e for e in events if found[e]]


def place_leaves(boxes: Iterable[Box], name: Callable[[Value], str]) -> None:
    """A leaf stands in the innermost module of all that use it; but data that the user has a name for comes from outside."""
    users: dict[Box, list[Box]] = {}
    for box in boxes:
        for edge in box.inputs:
            if edge.source.leaf and (edge.source.kind != "data" or not edge.value or not name(edge.value)):
                users.setdefault(edge.source, []).append(box)
    for leaf, found in users.items():
        leaf.modules = common(b.modules for b in found)


def common(paths: Iterable[tuple[Call, ...]]) -> tuple[Call, ...]:
    """The modules that all of these are in."""
    first, *others = [*paths]
    for path in others:
        same = sum(1 for _ in _while_equal(first, path))
        first = first[:same]
    return first


def _while_equal(first: Sequence[Call], second: Sequence[Call]) -> Iterable[Call]:
    for a, b in zip(first, second, strict=False):
        if a.number != b.number:
            return
        yield a


# ---------------------------------------------------------------- lines of text
def equals(name: str, array: Array) -> list[str]:
    """`name = value` on one line, a wide matrix on one for each row."""
    array = whole(array)  # of a batch, that of every sample
    values = array.tolist()
    lead = f"{name} = ".lstrip()
    if array.ndim == 2 and len(values) > 1 and len(nested(values)) > 0.6 * WIDTH:
        rows = [nested(row) for row in values]
        return [f"{lead}[{rows[0]},", *(f"{row}," for row in rows[1:-1]), f"{rows[-1]}]"]
    return wrapped(lead + nested(values), WIDTH, break_long_words=False) or [lead]


def gradient_lines(grad: Array, name: str) -> list[str]:
    """A gradient: its numbers if they are few, and its norm."""
    if not hasattr(grad, "tolist"):
        return [f"{name} is a {type(grad).__name__}"]
    if not grad.shape:
        return equals(name, grad)
    size = f"norm {short(norm(grad))}"
    *lines, last = equals(name, grad) if grad.size <= SMALL else [name]
    return [*lines, f"{last}, {size}"] if lines or len(last) > len(name) else [f"{name} {size}"]


def is_array(value: Any) -> bool:
    """NumPy's, or one of a library that speaks its protocols?"""
    return hasattr(value, "__array_ufunc__") and not isinstance(value, Brief)


def odd_values(array: Any) -> str:
    """How many elements are NaN or infinite, nothing if none is."""
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.kind != "f" or np.all(np.isfinite(array)):
        return ""
    counts = {"NaN": int(np.sum(np.isnan(array))), "Inf": int(np.sum(np.isinf(array)))}
    return ", ".join(f"{name} in {n:,} of {array.size:,}" if array.size > 1 else name for name, n in counts.items() if n)


def range_of(first: str, last: str) -> str:
    """Both names in one: `layers.0...11.norm`."""
    pairs = zip(re.split(r"(\d+)", first), re.split(r"(\d+)", last), strict=False)
    return "".join(a if a == b else f"{a}...{b}" for a, b in pairs)


def _readable(array: Any) -> bool:
    return isinstance(whole(array), (np.ndarray, np.generic))  # others may have no numbers to show


def _joined(lead: str, parts: list[str]) -> list[str]:
    lines = [lead + parts[0]]
    for part in parts[1:]:
        lines[-1] += ","
        if len(lines[-1]) + len(part) < WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def bytes_of(size: float) -> str:
    """So many bytes, in a unit that suits them."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def saved_bytes(nodes: Iterable[Node]) -> int:
    """How much memory these nodes keep for backward."""
    return bytes_in(a for n in nodes for v in n.saved or () for a in (v if isinstance(v, tuple) else (v,)) if is_array(a))


def bytes_in(arrays: Iterable[Array]) -> int:
    """How much memory these arrays look at, each piece counted once."""
    return sum(getattr(m, "nbytes", 0) for m in {id(m): m for m in map(memory, arrays)}.values())
