"""What help() says of a primitive: its sentence, shapes, rules as they print themselves, its kink, an example that was run."""

from __future__ import annotations

import inspect
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AutogradError
from .symbols import Brief, formulas

# Values to show an op at: x and y.
_VALUES = (
    ("[-1.0, 0.5, 2.0]", "[2.0, 1.0, -1.0]"),
    ("[0.5, 1.0, 4.0]", "[2.0, 1.0, 3.0]"),
    ("[-0.5, 0.0, 0.5]", "[0.5, 0.0, -0.5]"),
    ("[1.0, autograd.nan, -autograd.inf]", "[1.0, 2.0, 3.0]"),
    ("[1.0, 0.0, 0.0]", "[1.0, 1.0, 0.0]"),
    ("[1.5, 2.0, 3.0]", "[1.0, 1.0, 1.0]"),
    ("[6, 5, 4]", "[3, 1, 2]"),
)


def docstrings() -> dict[str, str]:
    """What `describe` wrote of each public primitive, by the name under which it is public: `autograd.exp`.

    It is kept in a file, as to print the rules and to run the examples takes longer than all else at import.
    """
    text = Path(__file__).with_name("help.md").read_text(encoding="utf-8")
    return dict(part.rstrip().split("\n\n", 1) for part in text.split("\n## ")[1:])


def describe(op: Any, name: str) -> str:
    """The docstring of an elementwise primitive that users know by `name`, by the argument names of its signature."""
    operands = [p.name for p in inspect.signature(op).parameters.values() if p.default is p.empty]
    called = dict(zip(op.names, inspect.signature(op).parameters, strict=False))
    words = re.compile(rf"\b({'|'.join(called)})\b")
    says, kink = (words.sub(lambda m: called[m[0]], text or "") for text in (op.says, op.kink))
    targets = re.compile(f"^d({'|'.join(called.values())}) =")
    rules = [targets.sub(r"d \1 =", line) for f in formulas(op, Brief, called) for line in f.lines]
    shape = f"that of `{operands[0]}`" if len(operands) == 1 else "`" + "` and `".join(operands) + "`, broadcast"
    lines = [says, "", f"Shape: {shape}."]
    if rules:
        lines += ["", "Gradient, where `g` is that of the result `out`::", "", *(f"    {line}" for line in rules)]
    if kink:
        lines += ["", f"At a kink: {kink}."]
    return "\n".join([*lines, "", *example(name, len(operands), bool(rules))])


def example(name: str, operands: int, differentiable: bool) -> list[str]:
    """A session with `name`, as `autograd.exp`, that was run, as a doctest; of those that can be, the first that tells most."""
    sessions = []
    for values in _VALUES:
        names, floats = "xy"[:operands], differentiable and "." in values[0]
        lines = [f"{n} = autograd.tensor({v}{', requires_grad=True' * floats})" for n, v in zip(names, values, strict=False)]
        lines = [f"import {name.rpartition('.')[0]}", *lines, f"out = {name}({', '.join(names)}); out"]
        lines += [f"out.sum().backward(); {', '.join(f'{n}.grad' for n in names)}"] * floats
        try:
            sessions.append(session(lines))
        except (AutogradError, TypeError):  # not defined for floats, or for integers
            continue
    return max(sessions, key=lambda session: _tells(*(session[1][n].array for n in ["out", *names])))[0]


def session(lines: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Lines of Python as a doctest shows them, with what they print, and the variables that they leave."""
    shown, scope = [], dict[str, Any]()
    for line in lines:
        with redirect_stdout(StringIO()) as out, np.errstate(all="ignore"):
            exec(compile(line, "<example>", "single"), scope)
        shown += [f">>> {line}", *out.getvalue().splitlines()]
    return shown, scope


def _tells(out: Any, *args: Any) -> int:
    """How telling a result is: finite, not the same everywhere, none of the arguments again."""
    same = [np.array_equal(np.broadcast_to(a, out.shape), out) for a in (out.flat[0], *args)]
    return bool(np.all(np.isfinite(out))) * (1 + (not same[0]) + (not any(same)))
