"""summary: the layers of a model as a table, with shapes, parameters and multiply-adds, counted while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from html import escape
from math import prod
from typing import Any, NamedTuple

import numpy as np

from autograd.api.creation import as_tensor, zeros
from autograd.api.random import default_generator, drawing_from
from autograd.api.tree import tree_leaves
from autograd.engine.dtypes import get_default_dtype
from autograd.engine.graph import Array, ambient
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, UnsupportedError, describe, shown

from .calls import Calls
from .mode import in_mode
from .module import Module
from .table import as_html, as_text
from .unregistered import unregistered

__all__ = ["Summary", "summary"]


def summary(model: Module, input: Any, *, depth: int | None = None, dtype: Any = None) -> Summary:
    """The layers of `model` as a table: what each returned when `model(input)` was run once, and what it is made of.

    `input` is a tensor, a tuple of tensors, one for each argument, or a shape, or a tuple of shapes, which stand for
    zeros of `dtype`: by default that of the model's parameters. Modules deeper than `depth` are counted to those that
    hold them. The model runs in evaluation mode, and is left as it was, the state of the random generator too.

    Multiply-adds are those of products of matrices, einsum and convolution, wherever in a module they are called; what is
    done element by element, such as adding a bias, is not counted. Raises what the model raises.

    >>> import nn
    >>> print(summary(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), (16, 64)))
    layer         output shape  parameters  trainable  multiply-adds
    ────────────────────────────────────────────────────────────────
    Sequential    (16, 10)
    ├─ 0: Linear  (16, 32)           2,080  yes               32,768
    ├─ 1: ReLU    (16, 32)
    └─ 2: Linear  (16, 10)             330  yes                5,120
    ────────────────────────────────────────────────────────────────
    total                            2,410  all               37,888
    """
    if not isinstance(model, Module):
        raise UnsupportedError(f"summary: model must be a Module, not {type(model).__name__}")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise ArgumentError(f"summary: depth is a whole number, 0 or more, or None, got {depth!r}")
    calls = _Calls(model)
    calls.run(_inputs(model, input, dtype))
    return Summary(model, calls, depth)


def _inputs(model: Module, given: Any, dtype: Any) -> tuple[Any, ...]:
    """The arguments for the model: zeros in place of shapes."""
    if dtype is None:
        floats = (p.dtype for p in model.parameters() if p.dtype.kind == "f")
        dtype = next(floats, get_default_dtype())
    if _is_shape(given):
        return (zeros(tuple(given), dtype=dtype),)
    several = given if isinstance(given, (tuple, list)) else (given,)
    if all(map(_is_shape, several)):
        return tuple(zeros(tuple(shape), dtype=dtype) for shape in several)
    if odd := [v for v in several if not hasattr(v, "shape")]:
        what = "a tensor, a tuple of tensors, a shape or a tuple of shapes"
        raise ArgumentError(f"summary: input must be {what}, got {describe(odd[0])}")
    return tuple(map(as_tensor, several))


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in value)


# ---------------------------------------------------------------- the table of multiply-adds
def _einsum(spec: str, *xs: Array) -> int:
    """Two operands at a time, in the order that NumPy takes them; each letter of the two is a loop."""
    left, result = spec.split("->")
    letters = left.split(",")
    sizes = {c: n for term, x in zip(letters, xs, strict=True) for c, n in zip(term, x.shape, strict=True)}
    todo, total = list(map(set, letters)), 0
    for places in np.einsum_path(spec, *xs, optimize=len(xs) > 2)[0][1:]:
        both = set[str]().union(*(todo.pop(i) for i in sorted(places, reverse=True)))
        total += prod(sizes[c] for c in both) * (len(places) > 1)
        todo.append(both.intersection(set(result).union(*todo)))
    return total


# How many multiply-adds a primitive does, from its arguments; the result comes first.
MULTIPLY_ADDS: dict[str, Callable[..., int]] = {
    "matmul": lambda out, x, y: out.size * x.shape[-1],
    "matvec": lambda out, x, y: out.size * x.shape[-1],
    "vecmat": lambda out, x, y: out.size * x.shape[-1],
    "dot": lambda out, x, y: x.size,
    "einsum": lambda out, spec, *xs: _einsum(spec, *xs),
    "linear": lambda out, x, w, b: out.size * w.shape[1],
    "conv": lambda out, x, w, *rest: out.size * prod(w.shape[1:]),  # each result is a product with one kernel,
    "conv_transpose": lambda out, y, w, *rest: y.size * prod(w.shape[1:]),  # each input is multiplied by one,
    "conv_weight": lambda out, y, *rest: y.size * prod(out.shape[1:]),  # each output makes a gradient of one
    "attention": lambda out, q, k, v, *rest: out[1].size * (q.shape[-1] + v.shape[-1]),
    "rnn": lambda out, x, h, w, *rest: x.size * w.shape[1],
    "gru": lambda out, x, h, w, *rest: x.size * w.shape[1],
    "lstm": lambda out, x, h, c, w, p, *rest: x.size * w.shape[1] + (0 if p is None else out[0].size * p.shape[1]),
}


# ---------------------------------------------------------------- what happens in a run
class _Calls(Calls):
    """Listens to one run of a model: which modules were called, what they returned, and how much they multiplied."""

    def __init__(self, model: Module) -> None:
        super().__init__(model)
        self.shapes: dict[Module, Counter[str]] = {}  # what each module returned, and how often
        self.multiply_adds: Counter[Module] = Counter()  # of each, not counting the modules in it

    def run(self, args: tuple[Any, ...]) -> None:
        """Call the model once, and leave it as it was."""
        with (
            in_mode(self.model, training=False),
            ambient(grad=False),
            drawing_from(deepcopy(default_generator.source)),
            np.errstate(all="ignore"),
            self,
        ):
            self.model(*args)

    def left(self, module: Module, output: Any) -> None:
        """Note the shapes of what it returned."""
        shapes = [str(tuple(v.shape)) for v in tree_leaves(output) if hasattr(v, "shape")]
        self.shapes.setdefault(module, Counter())[", ".join(shapes)] += 1

    def op(self, op: Any, args: list[Any], out: Any) -> None:
        """Count what an op multiplies."""
        if count := MULTIPLY_ADDS.get(op.__name__):
            self.multiply_adds[self.running[-1]] += count(out, *args)


# ---------------------------------------------------------------- the table
class Row(NamedTuple):
    """A module: its place in the tree, what it returned, and what it itself holds and does, its parts not counted."""

    branch: str  # the lines of the tree before it
    name: str
    kind: str
    shapes: tuple[str, ...]  # of what it returned; several if they differed
    parameters: int
    trainable: int
    multiply_adds: int


class Summary:
    """What `summary` found: its str() is a table, and notebooks show one. The numbers of each column add up to the totals.

    `rows` are the modules, and `parameters`, `trainable` (of these), `multiply_adds` and `nbytes` (of parameters and
    buffers) the totals. A parameter that is in several modules is counted in the first.
    """

    def __init__(self, model: Module, calls: _Calls, depth: int | None = None) -> None:
        self._calls, self._depth = calls, depth
        self._first: dict[Tensor | Module, str] = {}  # where each parameter and module was met first
        self.notes = [f"{shown(u.what, 120)}; {u.advice}" for u in unregistered(model)]
        self.rows = self._visit(model, "", "", "", 0)
        self.parameters, self.trainable, self.multiply_adds = (sum(column) for column in list(zip(*self.rows, strict=True))[4:])
        self.nbytes = sum(t.array.nbytes for t in (*model.parameters(), *model.buffers()))

    def _visit(self, module: Module, path: str, lead: str, bend: str, level: int) -> list[Row]:
        """The rows of a module and those in it. `lead` is the line that goes on to its siblings, `bend` that to itself."""
        name, kind = shown(path.rpartition(".")[2]), shown(type(module).__name__)
        self._first[module] = path
        total = trainable = 0
        for key, p in module._parameters.items():
            place = f"{path}.{key}" if path else key
            if p is None:
                continue
            if p in self._first:
                self.notes.append(f"{shown(place)} is {shown(self._first[p])}, and counted there")
                continue
            self._first[p] = place
            total += p.array.size
            trainable += p.array.size * p.requires_grad
        returned = self._calls.shapes.get(module, Counter[str]())
        shapes = tuple(shape + (f" × {n}" if n > 1 else "") for shape, n in returned.items())
        row = Row(lead + bend, name, kind, shapes, total, trainable, self._calls.multiply_adds[module])
        below: list[Row] = []
        parts = [(key, part) for key, part in module._modules.items() if part is not None]
        lead += {"├─ ": "│  ", "└─ ": "   "}.get(bend, "")
        for i, (key, part) in enumerate(parts):
            place, turn = f"{path}.{key}" if path else key, "├─ " if i < len(parts) - 1 else "└─ "
            if part not in self._first:
                below += self._visit(part, place, lead, turn, level + 1)
            else:
                kind = f"{shown(type(part).__name__)}, the same as {shown(self._first[part])}"
                below.append(Row(lead + turn, shown(key), kind, (), 0, 0, 0))
        if level == self._depth:
            sums = (sum(column) for column in list(zip(row, *below, strict=True))[4:])
            return [Row(*row[:4], *sums)]
        return [row, *below]

    # ------------------------------------------------------------ as text
    HEADER = ("layer", "output shape", "parameters", "trainable", "multiply-adds")
    RIGHT = (False, False, True, False, True)  # which columns are numbers

    def _cells(self) -> list[tuple[str, ...]]:
        """The table as text, a row for each output shape."""
        cells = []
        for row in self.rows:
            numbers = (_number(row.parameters), _share(row.trainable, row.parameters, "yes", "no"), _number(row.multiply_adds))
            label = f"{row.name}: {row.kind}" if row.name else row.kind
            cells.append((row.branch + label, *(row.shapes[:1] or ("",)), *numbers))
            below = row.branch.replace("├─ ", "│  ").replace("└─ ", "   ")
            cells += [(below, shape, "", "", "") for shape in row.shapes[1:]]
        return cells

    def _totals(self) -> tuple[str, ...]:
        share = _share(self.trainable, self.parameters, "all", "none")
        return "total", "", f"{self.parameters:,}", share, f"{self.multiply_adds:,}"

    def __str__(self) -> str:
        return "\n".join([as_text(self.HEADER, self._cells(), self.RIGHT, self._totals()), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """What notebooks show: the same as a table of HTML."""
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return as_html(self.HEADER, self._cells(), self.RIGHT, self._totals(), monospace=2) + notes


def _number(n: int) -> str:
    return f"{n:,}" if n else ""


def _share(part: int, whole: int, every: str, none: str) -> str:
    """How much of `whole` it is: all of it, nothing, or how many."""
    return "" if not whole else every if part == whole else f"{part:,}" if part else none
