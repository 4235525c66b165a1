"""flow: one run of a model as columns of units and what leads from one to the next, read from a recording of its ops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.engine.grad_mode import enable_grad
from autograd.engine.tensor import Tensor, grad
from autograd.errors import UnsupportedError
from autograd.see.record import Event, Recording, Value

from ..mode import in_mode
from ..module import Module


class Column(NamedTuple):
    """What a layer was given, what two branches brought to where they meet, or what the model returned.

    It has an item for each unit, (n,), or map, (n, height, width). `depth` is how many columns lie before it, on the longest way.
    """

    title: str
    value: Any
    grad: Any  # of the loss, of the same shape, or None
    depth: int


class Gap(NamedTuple):
    """What leads from one column, `here`, to another, `there`.

    The weights of the layer with this number, (to, from), or where maps are joined the norm of each kernel, which has no sign.
    Where there is no layer, 0, the column goes on as it is, item by item, the `pairs` (to, from), or as a whole; `op` says what
    happens where it meets another.
    """

    here: int
    there: int
    layer: int
    op: str
    weight: Any
    grad: Any
    signless: bool
    pairs: Any = None


class Pass(NamedTuple):
    """A run of the model: forward and, if there is a loss, back."""

    columns: list[Column]
    gaps: list[Gap]
    loss: float | None

    def at(self, depth: int) -> list[int]:
        """The columns of that depth."""
        return [i for i, column in enumerate(self.columns) if column.depth == depth]

    def into(self, depth: int) -> list[int]:
        """What leads to them."""
        return [k for k, gap in enumerate(self.gaps) if self.columns[gap.there].depth == depth]

    @property
    def deepest(self) -> int:
        """The depth of what the model returned."""
        return max(column.depth for column in self.columns)


def run(model: Module, inputs: Sequence[Tensor], target: Any, loss: Callable[..., Any] | None) -> Pass:
    """Run the model in evaluation mode, and back if there is a loss; nothing of it is changed. Raises UnsupportedError."""
    tape = Recording()
    xs = [x.clone().requires_grad_() for x in inputs]
    leaves = [*xs, *(p for p in model.parameters() if p.requires_grad)]
    with in_mode(model, training=False), enable_grad(), tape:
        out = model(*xs)
        if not isinstance(out, Tensor):
            raise UnsupportedError(f"draw: the model must return a tensor, not a {type(out).__name__}")
        if not out.requires_grad:
            raise UnsupportedError(f"draw: what {type(model).__name__} returned does not depend on its input")
        done, cost = len(tape.events), None
        if loss is not None:
            cost = loss(out) if target is None else loss(out, target)
            grad(cost, leaves, allow_unused=True)
    flow = _Flow(model, tape, [tape.find(x) for x in xs], tape.find(out), tape.events[:done])
    return Pass(flow.columns, flow.gaps, None if cost is None else cost.item())


# ---------------------------------------------------------------- layers
MAPS = "conv", "conv_transpose"
ARITHMETIC = {"add": "added", "subtract": "subtracted", "multiply": "multiplied", "divide": "divided"}


def _conv(w: Any, inputs: int, groups: int = 1) -> Any:
    """Kernels between all inputs and outputs: none, 0, between different groups."""
    whole = np.zeros((len(w), inputs, *w.shape[2:]), w.dtype)
    outs, ins = len(w) // groups, inputs // groups
    for k in range(groups):
        whole[k * outs : (k + 1) * outs, k * ins : (k + 1) * ins] = w[k * outs : (k + 1) * outs]
    return whole


# Of an op that is a layer if what it multiplies by is none of the model's: its weight as (to, from, ...), by its arguments.
_LAYERS: dict[str, Callable[[Any, int, dict[str, Any]], Any]] = {
    "linear": lambda w, inputs, options: w,
    "matmul": lambda w, inputs, options: w.T,
    "vecmat": lambda w, inputs, options: w.T,
    "matvec": lambda w, inputs, options: w,
    "conv": lambda w, inputs, options: _conv(w, inputs, options["groups"]),
    "conv_transpose": lambda w, inputs, options: np.swapaxes(_conv(w, w.shape[1] * options["groups"], options["groups"]), 0, 1),
}


def _layer_of(event: Event, known: dict[Value, Value]) -> tuple[Value, Value] | None:
    """What a layer multiplies, and its weight."""
    if event.name not in _LAYERS or len(values := event.values) < 2:
        return None
    x, w = values[:2] if event.name != "matvec" else values[1::-1]
    return (x, w) if x in known and w not in known and len(w.shape) > 1 else None


class _Flow:
    """Columns and gaps, from a recording.

    Each value that depends on the input has a source: the input, a layer's result, or where values of two sources meet. A
    column is what a layer is given, what is brought to where sources meet, and the result. What is done in between, element
    by element or however, with values of one source only, is not drawn.
    """

    def __init__(self, model: Module, tape: Recording, inputs: list[Any], out: Any, events: list[Event]) -> None:
        self.tape, self.inputs = tape, inputs
        self.source: dict[Value, Value] = {x: x for x in inputs}
        self.layers: dict[Value, tuple[Event, Value, Value]] = {}  # by result: the event, what it multiplies, the weight
        self.stops: dict[Value, None] = dict.fromkeys(inputs)
        for event in events:
            self._follow(event)
        if out not in self.source:
            raise UnsupportedError(f"draw: what {type(model).__name__} returned does not depend on its input")
        self._stop(out)
        if not self.layers:
            what = "it draws layers with weights, such as Linear and Conv2d"
            raise UnsupportedError(f"draw: {type(model).__name__} has multiplied its input by no weights; {what}")
        while lost := self._lost():  # units that were split, or mixed: the layer's own results are drawn, too
            self.stops[lost] = None
        lead = [self._plain(out)]
        for v in lead:  # which grows meanwhile
            lead += [here for here, _, _ in self._before(v) if here not in lead]
        order = sorted(lead, key=lambda v: inputs.index(v) - len(inputs) if v.made is None else v.made.number)
        edges = [(here, there, event, layer) for there in order for here, event, layer in self._before(there)]
        depth: dict[Value, int] = {}
        for v in order:
            depth[v] = max((depth[here] + 1 for here, there, _, _ in edges if there is v), default=0)
        self.columns = [Column(self._title(v), *self._items(v), depth[v]) for v in order]
        drawn = {layer for *_, layer in edges}
        self.numbers = {layer: n for n, layer in enumerate((v for v in self.layers if v in drawn), 1)}
        self.gaps = [self._gap(order, *edge) for edge in edges]

    def _follow(self, event: Event) -> None:
        given = list(dict.fromkeys(v for v in event.values if v in self.source))
        results = [v for v in event.results if v not in self.source]
        sources = {self.source[v] for v in given}
        if not given or not results:  # a whole tensor that is written has the product's value
            return
        if (found := _layer_of(event, self.source)) is not None:
            x, w = found
            if x.shape[0] != 1 if event.name in MAPS else math.prod(x.shape) not in w.shape:
                where = event.modules[-1].name or event.modules[-1].kind
                what = f"{where} multiplies a tensor of shape {tuple(x.shape)} by a weight {tuple(w.shape)}"
                raise UnsupportedError(f"draw: {what}; it draws layers of units or maps, not sequences of vectors")
            self._stop(x)
            self.layers[results[0]] = event, *found
        elif len(sources) > 1:
            for v in given:
                self._stop(v)
        one = next(iter(sources)) if len(sources) == 1 and found is None else None
        self.source.update((v, one or v) for v in results)

    def _given(self, v: Value) -> list[Value]:
        """What it was made of, of what depends on the input."""
        return [] if v.made is None else list(dict.fromkeys(x for x in v.made.values if x in self.source))

    def _plain(self, v: Value) -> Value:
        """The same units before they were given another shape, such as maps before they were flattened."""
        while v.made is not None and v.made.name == "reshape" and v not in self.stops:
            (v,) = self._given(v)
        return v

    def _stop(self, v: Value) -> None:
        self.stops[self._plain(v)] = None

    def _before(self, there: Value) -> list[tuple[Value, Event, Value | None]]:
        """The columns that come just before one, by which event each comes on, and the result of the layer between."""
        found: dict[tuple[Value, Value | None], Event] = {}
        todo: dict[Value, Any] = {there: there.made}  # with the event that follows, when it has another shape
        for v in (order := [there]):  # which grows meanwhile
            if v in self.layers:
                event, x, _ = self.layers[v]
                found.setdefault((self._plain(x), v), event)
                continue
            event = todo[v] if v.made is None or v.made.name == "reshape" else v.made
            for x in self._given(v):
                if x in self.stops:
                    found.setdefault((x, None), event)
                elif x not in todo:
                    todo[x] = event
                    order.append(x)
        return [(here, event, layer) for (here, layer), event in found.items()]

    def _lost(self) -> Value | None:
        """The result of a layer whose units are not those of the column that it leads to."""
        for there in self.stops:
            for _, _, layer in self._before(there):
                if layer is None or self._plain(layer) in self.stops:
                    continue
                if len(self._items(there)[0]) != len(self._items(layer)[0]):
                    return layer
        return None

    def _items(self, v: Value) -> tuple[Any, Any]:
        """The numbers of a column, and their gradients: (n,) of units, or (n, height, width) of maps."""
        shape = tuple(v.shape)[1:] if len(v.shape) > 1 and v.shape[0] == 1 else (math.prod(v.shape),)
        if len(shape) == 2:  # one image, or maps of one row
            rows = v not in self.inputs or any(e.name in MAPS and self._plain(x) is v for e, x, _ in self.layers.values())
            shape = (shape[0], 1, shape[1]) if rows else (1, *shape)
        if len(shape) < 2 or math.prod(shape[1:]) == 1:  # maps of one place are units
            shape = (math.prod(shape),)
        found = v.array, self.tape.gradient(v)
        return tuple(None if a is None else np.array(a).reshape(shape) for a in found)  # type: ignore[return-value]

    def _title(self, v: Value) -> str:
        """`input`, the layer of nn that made it, or the op; of several ops, as F.tanhshrink has, the layer that they follow."""
        if (event := v.made) is None:
            return "input"
        name, kind = "", event.name
        if event.modules:
            call = event.modules[-1]
            name = call.name
            if type(call.module).__module__.startswith("nn.") and not list(call.module.children()):
                return f"{name}: {call.kind}" if name else call.kind
        if kind in ARITHMETIC and (begun := self.source[v]) in self.layers:
            return f"after {self._title(begun)}"
        return f"{name}: {kind}" if name else kind

    def _gap(self, order: list[Value], here: Value, there: Value, event: Event, layer: Value | None) -> Gap:
        ends = order.index(here), order.index(there)
        if layer is None:
            meets = len({self.source[v] for v in event.values if v in self.source}) > 1
            return Gap(*ends, 0, event.name if meets else "", None, None, False, self._pairs(here, there, event))
        n = len(self.columns[ends[0]].value)
        w = self.layers[layer][2]
        weight, *slopes = (
            _LAYERS[event.name](np.asarray(a), n, event.arguments) for a in (w.array, self.tape.gradient(w)) if a is not None
        )
        slope = _norms(slopes[0], n) if slopes else None
        return Gap(*ends, self.numbers[layer], event.name, _norms(weight, n), slope, weight[0].size > n)

    def _pairs(self, here: Value, there: Value, event: Event) -> Any:
        """Which items of a column are brought to which of another, (to, from): to the same, or side by side with others'."""
        n, m, start = len(self._items(here)[0]), len(self._items(there)[0]), 0
        if event.name == "concatenate":
            parts = [self._plain(v) if v in self.source else v for v in event.values]
            sizes = [len(self._items(v)[0]) for v in parts]
            if sum(sizes) != m:
                return None
            start = sum(sizes[: parts.index(here)])
        elif n != m:
            return None
        return start + np.arange(n), np.arange(n)


def _norms(weight: Any, sources: int) -> Any:
    """A number for each pair of items, (to, from): the weight, or the norm of all that join two maps."""
    joined = weight.reshape(len(weight), sources, -1)
    return joined[:, :, 0].copy() if joined.shape[2] == 1 else np.sqrt((joined**2).sum(2))
