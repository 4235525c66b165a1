"""From a pure update rule to one function that works in place: the rule is run once on a tape, and its ops are written out.

Of a rule that computes `p - grad * lr` comes

    def scalars(s0): return (s0,), ()
    def update(a, t, s0): multiply(a[1], s0, out=t[0]); subtract(a[0], t[0], out=a[0])

where a are the parameter, its gradient and the arrays of state, and t memory for what is made on the way. What is computed
of numbers alone, in Python's, comes first, for all parameters, before anything is written. Each op is the rule's own, so the
results are the same to the last bit. A result goes over the old one as soon as that is read no more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from autograd.compile import IN_PLACE
from autograd.engine.graph import Array, ambient
from autograd.engine.tape import Tape
from autograd.engine.tensor import Tensor, wrap

LIVE = object()  # stands for an option or a number that may be another in each step
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
SIGNS |= {"equal": "==", "not_equal": "!=", "greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<="}


class Update:
    """An update rule as two functions; `temporaries` is how many arrays `update` is to be given for what it makes on its way."""

    scalars: Callable[..., tuple[tuple[Any, ...], tuple[float, ...]]]
    update: Callable[..., None]
    temporaries: int
    kernel: Callable[..., None] | None = None

    def compiled(self) -> Callable[..., None]:
        """`update`, by kernels, which are on."""
        self.kernel = self.kernel or IN_PLACE[0](self.update, self.temporaries)
        return self.kernel


@lru_cache(256)
def traced(
    rule: Callable[..., Any], options: tuple[Any, ...], numbers: tuple[Any, ...], buffers: tuple[Any, ...]
) -> Update | None:
    """`rule` with these options, numbers and arrays of state, LIVE or None for what there is not; None if it cannot be so."""
    arrays = [LIVE, LIVE, *buffers]
    scalars = [wrap(np.array(0.5)) if o is LIVE else o for o in (*options, *numbers)]
    p, grad, *state = [a and wrap(np.ones(2)) for a in arrays]
    given: list[Any] = [p, grad, *scalars, *state]
    try:
        with ambient(grad=False, tape=(tape := Tape())):
            out = rule(*given)
    except Exception:  # it needs real arrays; or what is wrong with it shows when it is run on these
        return None
    names: dict[int, str] = {}
    where = iter(range(len(given)))
    for t in given:  # arrays are a[0], a[1], ..., numbers s0, s1, ...
        if isinstance(t, Tensor) and t.ndim:
            names[id(t.array)] = f"a[{next(where)}]"
    made = {id(t.array) for t in given if isinstance(t, Tensor)} | {id(out) for _, _, out in tape}
    live = [t for t in given[2:] if isinstance(t, Tensor) and not t.ndim]
    names |= {id(t.array): f"s{k}" for k, t in enumerate(live)}
    if any(
        args[0].ndim for op, args, _ in list[Any](tape) if op.name == "astype"
    ):  # a cast, which might be another for other dtypes
        return None
    constants = [a for _, args, _ in tape for a in args if isinstance(a, np.ndarray) and id(a) not in made]
    if any(a.ndim for a in constants):
        return None
    names |= {id(a): repr(a.item()) for a in constants}
    new_numbers = [t for t in out[1 : 1 + len(numbers)] if t is not None]
    new_arrays = [t for t in (out[0], *out[1 + len(numbers) :]) if t is not None]
    if not all(isinstance(t, Tensor) for t in (*new_numbers, *new_arrays)):
        return None
    old = [t.array for t in (p, *state) if t is not None]
    goal = {id(t.array): id(a) for t, a in zip(new_arrays, old, strict=True)}  # where each result is to go
    if len(goal) < len(old) or any(result in names and result != place for result, place in goal.items()):
        return None
    return _written(tape, names, len(live), [t.array for t in new_numbers], goal)


def _written(tape: list[Any], names: dict[int, str], live: int, new_numbers: list[Array], goal: dict[int, int]) -> Update:
    """The two functions, from what a tape heard of, and the names of what was there before."""
    scope: dict[str, Any] = {}
    before = dict[str, str]()  # what is computed of numbers, and its name
    body, after, free, known, used = [], [], list[str](), set(names), dict[str, None]()
    last = {id(a): k for k, (_, args, _) in enumerate(tape) for a in args if hasattr(a, "shape")}  # when it is read last
    made = 0
    for k, (op, args, out) in enumerate(tape):
        values = [names[id(a)] if id(a) in names else repr(a) for a in args]
        key = id(out)
        scope[op.name] = op.fun
        if not out.ndim:
            sign = f" {SIGNS.get(op.name)} "
            code = sign.join(values) if op.name in SIGNS else f"{op.name}({', '.join(values)})"
            if op.name == "astype":  # to Python all numbers are alike
                code = values[0]
            elif op.name not in SIGNS or op.name == "power":  # which of a negative number may be complex: that is an error here
                code = f"float({code})"
            names[key] = before.setdefault(code, f"s{live + len(before)}")
            continue
        used |= dict.fromkeys(v for v in values if v[0] == "s")
        done = [id(a) for a in args if id(a) in names and id(a) not in known and id(a) not in goal and last[id(a)] == k]
        free += dict.fromkeys(names[a] for a in done if names[a][0] == "t")
        if not isinstance(op.fun, np.ufunc) or out.dtype != np.float64:  # a mask, or what can be given no place
            names[key] = f"v{k}"
            body.append(f"v{k} = {op.name}({', '.join(values)})")
        else:
            if key in goal and last.get(goal[key], -1) <= k:
                names[key] = names[goal[key]]
            elif free:
                names[key] = free.pop()
            else:
                names[key], made = f"t[{made}]", made + 1
            body.append(f"{op.name}({', '.join(values)}, out={names[key]})")
        if key in goal and names[key] != names[goal[key]]:
            after.append(f"{names[goal[key]]}[...] = {names[key]}")
    first = "".join(f"s{k}, " for k in range(live))
    taken = "".join(f"{name}, " for name in used)
    new = "".join(f"{names[id(a)]}, " for a in new_numbers)
    lines = [f"def scalars({first}):", *(f"{name} = {code}" for code, name in before.items()), f"return ({taken}), ({new})"]
    text = "\n    ".join(lines) + "\n" + "\n    ".join([f"def update(a, t, {taken}):", *body, *after, "return None"])
    exec(compile(text, "<an update rule>", "exec"), scope)
    update = Update()
    update.scalars, update.update, update.temporaries = scope["scalars"], scope["update"], made
    return update
