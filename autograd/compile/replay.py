"""A program as straight Python: the very functions of the table, one call a line, on NumPy's arrays, with no graph and no tape.

It needs no compiler, and computes what the recording did to the last bit.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from ..engine.graph import write
from ..engine.primitive import as_array
from .record import CHECK, Entry, Program, Ref, lines_of, refs_in

LARGE = 2**14  # bytes: from here on a result goes into the memory of an argument that nobody needs any more
LITERAL = (int, float, bool, str, type(None), type(...))


class Replay:
    """`source` is the Python of a program; a call with the arrays of its inputs runs it and returns results and gradients."""

    name = "replay"

    def __init__(self, program: Program) -> None:
        self.program, self.scope, self.names = program, {"array": as_array}, dict[Any, str]()
        self.first = [line for ref, leaf in program.leaves.items() if (line := self._leaf(ref, leaf))]
        self.reused = _reusable(program)
        self.last = _last_uses(program)
        self.ends: list[tuple[int, Entry]] = []  # up to which line of the source an entry reaches
        body: list[str] = []
        shown = None
        for k, e in enumerate(program.entries):
            if e.line != shown:
                body.append(f"# {e.line}")
                shown = e.line
            body.append(self._entry(k, e))
            if gone := [self._name(r) for r in self.last.get(k, ()) if r not in program.leaves]:
                body.append(f"del {', '.join(gone)}")
            self.ends.append((len(self.first) + len(body) + 1, e))
        ends = [f"({''.join(f'{self._text(x)}, ' for x in some)})" for some in (program.results, program.grads)]
        lines = ["def step(inputs):", *self.first, *body, f"return {', '.join(ends)}"]
        self.source = "\n    ".join(lines) + "\n"
        exec(compile(self.source, "<a compiled step>", "exec"), self.scope)
        self.step: Callable[..., Any] = self.scope["step"]

    def __call__(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        try:
            with np.errstate(all="ignore"):
                return self.step(inputs)
        except Exception as error:
            place = error.__traceback__ and error.__traceback__.tb_next
            for end, e in self.ends:
                if place is not None and end >= place.tb_lineno:
                    error.add_note(f"in {e.name}, in a compiled step, for {e.line}")
                    break
            raise

    def explain(self) -> tuple[list[tuple[str, str, str, str]], list[str]]:
        """Of the ops of each line: what runs them, the largest size, what they compute, the line; and their Python."""
        rows = []
        for line, some in groupby(self.program.entries, lambda e: e.line):
            entries = list(some)
            shapes = [shape for e in entries for shape, _ in e.shapes]
            size = "x".join(map(str, max(shapes, key=prod, default=()))) or "1"
            rows.append(("NumPy", size, " ".join(dict.fromkeys(e.name for e in entries)), lines_of([line])))
        codes = [text.replace("\n    ", "\n").strip() for text in re.split(r"\n    # .*", self.source)[1:]]
        return rows, codes

    # ------------------------------------------------------------ names
    def _leaf(self, ref: Ref, leaf: Any) -> str:
        """Make the value of a leaf known; what is to be said of it in each step."""
        if leaf.kind == "input":
            return f"{self._name(ref)} = inputs[{leaf.place}]"
        self.names[ref] = name = self._free(leaf.name if leaf.kind == "state" else f"k{int(ref)}")
        self.scope[name] = leaf.laid_out()
        if leaf.kind == "constant" and leaf.written:
            self.names[ref] = f"v{int(ref)}"
            return f"v{int(ref)} = {name}.copy('K')"
        return ""

    def _free(self, name: str) -> str:
        name = re.sub(r"\W+", "_", name).strip("_") or "f"
        name = name if name.isidentifier() else f"s_{name}"
        while name in self.scope or hasattr(builtins, name) or keyword.iskeyword(name) or name in ("step", "inputs"):
            name += "_"
        return name

    def _name(self, ref: Ref) -> str:
        return self.names.get(ref, f"v{int(ref)}")

    def _known(self, x: Any, name: str) -> str:
        """The name of an object that has no literal."""
        if id(x) not in self.names:
            self.names[id(x)] = name = self._free(name)
            self.scope[name] = x
        return self.names[id(x)]

    def _text(self, x: Any) -> str:
        if isinstance(x, Ref):
            return self._name(x)
        if type(x) is tuple:
            return f"({''.join(f'{self._text(v)}, ' for v in x)})"
        if type(x) is list:
            return f"[{', '.join(map(self._text, x))}]"
        if isinstance(x, slice) and list(refs_in(x)):
            return f"slice({self._text(x.start)}, {self._text(x.stop)}, {self._text(x.step)})"
        if type(x) in LITERAL and x == x and x not in (float("inf"), -float("inf")):
            return "..." if x is ... else repr(x)
        if isinstance(x, slice):
            return repr(x)
        return self._known(x, getattr(x, "__name__", None) or f"{type(x).__name__.lower()}_{len(self.scope)}")

    # ------------------------------------------------------------ lines
    def _entry(self, k: int, e: Entry) -> str:
        args = [self._text(a) for a in e.args]
        if e.op is write:
            return f"{args[0]}[{args[1]}] = {args[2]}"
        if e.op is CHECK:
            return f"{args[0]}({', '.join(args[1:])})"
        fun = e.op.fun
        odd = any(self._dtype(r).char not in "fd" for r in refs_in(e.args))
        if odd and e.op.with_care:
            care = e.op.with_care
            call = f"{self._known(care, care.__name__)}({self._known(fun, e.name)}, ({''.join(a + ', ' for a in args)}))"
        else:
            out = self._memory(k, e)
            call = f"{self._known(fun, e.name)}({', '.join([*args, out] if out else args)})"
        if not e.several:
            return f"{self._name(e.outs[0])} = {f'array({call})' if e.shapes[0][0] == () else call}"
        return f"{''.join(f'{self._name(o)}, ' for o in e.outs)}= array({call})"

    def _dtype(self, ref: Ref) -> Any:
        leaf = self.program.leaves.get(ref)
        return leaf.array.dtype if leaf else self.program.dtypes[ref]

    def _memory(self, k: int, e: Entry) -> str:
        """The argument that dies here and whose memory the result of a ufunc may have."""
        (shape, dtype), *more = e.shapes
        if not isinstance(e.op.fun, np.ufunc) or more or np.dtype(dtype).itemsize * np.prod(shape) < LARGE:
            return ""
        for r in self.last.get(k, ()):
            if r in self.reused and self.reused[r] == (shape, dtype):
                return f"out={self._name(r)}"
        return ""


def _last_uses(program: Program) -> dict[int, list[Ref]]:
    """Of each entry the values that are not needed after it."""
    last: dict[Ref, int] = {}
    kept = set(refs_in([*program.results, *program.grads]))
    for k, e in enumerate(program.entries):
        last.update(dict.fromkeys((*refs_in(e.args), *e.outs), k))
    found: dict[int, list[Ref]] = {}
    for r, k in last.items():
        if r not in kept:
            found.setdefault(k, []).append(r)
    return found


def _reusable(program: Program) -> dict[Ref, Any]:
    """The values in memory of their own at which no other looks: ufuncs made them, and only ufuncs and writes read them."""
    found: dict[Ref, Any] = {}
    for e in program.entries:
        elementwise = not (e.op is write or e.op is CHECK) and isinstance(e.op.fun, np.ufunc)
        if not elementwise:
            for r in refs_in(e.args[:1] if e.op is write else () if e.op is CHECK else e.args):
                found.pop(r, None)
        elif len(e.outs) == 1:
            found[e.outs[0]] = e.shapes[0]
    return found
