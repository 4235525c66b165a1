"""Rules as formulas: a rule run on symbols writes itself down; `python -m autograd.see.symbols` prints docs/rules.md."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CellType, CodeType, FunctionType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..engine.tensor import PRIMITIVES

# How operators are written, and how closely they bind: a part that binds less than asked for is put into parentheses.
_INFIX = {
    np.equal: ("==", 1), np.not_equal: ("!=", 1), np.less: ("<", 1), np.less_equal: ("<=", 1), np.greater: (">", 1),
    np.greater_equal: (">=", 1), np.bitwise_or: ("|", 2), np.bitwise_xor: ("^", 3), np.bitwise_and: ("&", 4),
    np.add: ("+", 5), np.subtract: ("-", 5), np.multiply: ("*", 6), np.divide: ("/", 6), np.matmul: ("@", 6),
    np.floor_divide: ("//", 6), np.remainder: ("%", 6),
}  # fmt: skip
_PREFIX = {np.negative: "-", np.positive: "+", np.invert: "~"}
_SIGNED, _POWER, _ATOM = 7, 8, 9
_SPECIAL = {"inf": np.inf, "nan": np.nan}


class Symbol(NDArrayOperatorsMixin):
    """Stands for an array, a shape or an option of which nothing but the name is known; what is done to it, it writes down.

    It is made of text and of other symbols, each with how closely it has to bind there; `scope` holds what the text names.

    >>> x, y = Symbol("x"), Symbol("y")
    >>> np.cos(x - (y + 1)) ** 2 * -x.T
    cos(x - (y + 1))**2 * -x.T
    """

    __hash__ = object.__hash__
    __iter__ = __contains__ = None  # or Python would ask for [0], [1], ... and never end

    def __init__(self, *parts: Any, binds: int = _ATOM, scope: Mapping[str, Any] | None = None) -> None:
        self.parts, self.binds, self.scope = parts, binds, scope or {}

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs or method == "at":
            raise TypeError("nothing is written into a symbol")
        if method != "__call__":
            return _call(f"{ufunc.__name__}.{method}", args, kwargs, {ufunc.__name__: ufunc})
        if ufunc in _PREFIX and not kwargs:
            return Symbol(_PREFIX[ufunc], (self, _SIGNED), binds=_SIGNED)
        if ufunc is np.power and not kwargs:
            return Symbol(*_part(args[0], _ATOM), "**", *_part(args[1], _SIGNED), binds=_POWER)
        if ufunc in _INFIX and not kwargs:
            sign, binds = _INFIX[ufunc]
            return Symbol(*_part(args[0], binds + (binds == 1)), f" {sign} ", *_part(args[1], binds + 1), binds=binds)
        return self.__array_function__(ufunc, (), args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if getattr(function, "__module__", "") == "numpy.linalg":
            return _call(f"linalg.{function.__name__}", args, kwargs, {"linalg": np.linalg})
        return _call(function.__name__, args, kwargs, {function.__name__: function})

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a symbol does not become an array")

    def __bool__(self) -> bool:
        raise TypeError("a symbol is neither true nor false")

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("_"):
            raise AttributeError(name)
        return Symbol((self, _ATOM), f".{name}")

    def __getitem__(self, index: Any) -> Symbol:
        parts = [p for i in (index if isinstance(index, tuple) and index else (index,)) for p in (", ", *_index(i))]
        return Symbol((self, _ATOM), "[", *parts[1:], "]")

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        return _call((self, _ATOM), args, kwargs, {})

    def __repr__(self) -> str:
        return "".join(p if isinstance(p, str) else f"({p[0]!r})" if p[0].binds < p[1] else repr(p[0]) for p in self.parts)


def _call(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], scope: Mapping[str, Any]) -> Symbol:
    parts = [p for a in args for p in (", ", *_part(a))] + [p for k, a in kwargs.items() for p in (f", {k}=", *_part(a))]
    if parts:
        parts[0] = parts[0].removeprefix(", ")
    return Symbol(function, "(", *parts, ")", scope=scope)


def _part(value: Any, binds: int = 0) -> Iterator[Any]:
    """A value as it is written in a formula: text, and symbols with how closely they have to bind."""
    if isinstance(value, Symbol):
        yield value, binds
    elif isinstance(value, (tuple, list)):
        left, right = "()" if isinstance(value, tuple) else "[]"
        yield left
        for i, v in enumerate(value):
            yield ", " * (i > 0)
            yield from _part(v)
        yield "," * (isinstance(value, tuple) and len(value) == 1) + right
    elif isinstance(value, np.generic):
        kind = type(value).__name__
        yield Symbol(f"{kind}({value.item()!r})", scope={kind: type(value)}), binds
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Symbol(repr(value), binds=_SIGNED if value < 0 else _ATOM, scope=_SPECIAL if value - value != 0 else None), binds
    elif value is None or value is ... or isinstance(value, (bool, str)):
        yield "..." if value is ... else repr(value)
    elif isinstance(value, slice):
        yield from _part(_call("slice", (value.start, value.stop, value.step), {}, {}))
    elif isinstance(value, type) and issubclass(value, np.generic):
        yield Symbol(value.__name__, scope={value.__name__: value}), binds
    else:
        raise TypeError(f"{type(value).__name__} has no short name")


def _index(value: Any) -> Iterator[Any]:
    """An index as it is written in brackets: slices with colons."""
    if not isinstance(value, slice):
        yield from _part(value)
        return
    for i, end in enumerate([value.start, value.stop] + [value.step] * (value.step is not None)):
        yield ":" * (i > 0)
        if end is not None:
            yield from _part(end)


def write(symbols: Sequence[Symbol], names: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Python lines that give `names` to the values of `symbols`, and what they call; what is used often gets a name first."""
    uses = Counter[int]()
    scope: dict[str, Any] = {}
    lines: list[str] = []
    known: dict[int, str] = {}

    def visit(symbol: Symbol) -> None:
        uses[id(symbol)] += 1
        if uses[id(symbol)] > 1:
            return
        for name, value in symbol.scope.items():
            if scope.setdefault(name, value) is not value:
                raise TypeError(f"{name} means two things in one formula")
        for p in symbol.parts:
            if not isinstance(p, str):
                visit(p[0])

    def text(symbol: Symbol, binds: int = 0) -> str:
        if (name := known.get(id(symbol))) is not None:
            return name
        body = "".join(p if isinstance(p, str) else text(*p) for p in symbol.parts)
        if uses[id(symbol)] > 1 and len(body) > 16:
            known[id(symbol)] = name = f"t{len(lines) + 1}"
            lines.append(f"{name} = {body}")
            return name
        return f"({body})" if symbol.binds < binds else body

    for symbol in symbols:
        visit(symbol)
    results = [text(s) for s in symbols]
    return [*lines, *(f"{n} = {r}" for n, r in zip(names, results, strict=True))], scope


# ---------------------------------------------------------------- a rule run on symbols
def on_symbols(function: FunctionType) -> Callable[..., Any]:
    """`function`, but what it calls besides NumPy, if given symbols, is written down as a call."""
    cells = [CellType(_stand_in(n, c.cell_contents)) for n, c in zip(function.__code__.co_freevars, function.__closure__ or ())]  # noqa: B905 (as many)
    known = vars(builtins) | function.__globals__
    scope = {n: _stand_in(n, known[n]) for n in _names(function.__code__) if n in known}
    copy = FunctionType(function.__code__, function.__globals__ | scope, function.__name__, function.__defaults__, tuple(cells))
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _names(code: CodeType) -> set[str]:
    """The global names in a function, and in those inside of it."""
    return {*code.co_names}.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))


def _stand_in(name: str, value: Any) -> Any:
    plain = isinstance(value, (FunctionType, BuiltinFunctionType)) or value in (range, tuple, list, sum, float, int)
    if not plain:
        return value

    def call(*args: Any, **kwargs: Any) -> Any:
        given = any(not isinstance(p, str) for a in (*args, *kwargs.values()) for p in _part(a))
        return _call(name, args, kwargs, {name: value}) if given else value(*args, **kwargs)

    return call


# ---------------------------------------------------------------- the formulas of an op
@dataclass(frozen=True)
class Formula:
    """One rule of a primitive as Python lines, the last of which say what the gradients are."""

    arguments: tuple[str, ...]  # which it is for
    saves: tuple[str, ...]  # what it keeps for backward
    lines: tuple[str, ...]
    origin: str  # "symbols": the rule wrote it; "source": the rule's own text; "program": the rule is too long to show
    scope: Mapping[str, Any] = field(repr=False)  # what the lines name besides what is saved and `g`

    def __str__(self) -> str:
        return "\n".join(self.lines)


def formulas(op: Any) -> list[Formula]:
    """The rules of a primitive, given by its name or itself, as formulas of `g`, the gradient of its result.

    >>> for formula in formulas("divide"):
    ...     print(formula, "  saves", *formula.saves)
    dx = g / y   saves y
    dy = -g * (x / y) / y   saves x y
    """
    op = PRIMITIVES[op] if isinstance(op, str) else op
    return [_formula(op, argument, rule) for argument, rule in op.rules.items() if rule is not None]


def _formula(op: Any, argument: str, rule: Any) -> Formula:
    parameters = ["g", *list(inspect.signature(rule).parameters)[1:]]
    saves = tuple(p for p in parameters[1:] if p != "needs")
    arguments = (argument.lstrip("*"),)
    target = "gradients" if argument == "joint" else f"d{arguments[0]}"
    try:
        found = on_symbols(rule)(*(_given(op, p) for p in parameters))
        if argument == "joint" and isinstance(found, (list, tuple)):
            gradients = {n.lstrip("*"): d for n, d in zip(op.names, found, strict=False) if d is not None}
            arguments = tuple(gradients)
            lines, scope = write([Symbol(*_part(d)) for d in gradients.values()], [f"d{n}" for n in arguments])
        else:
            lines, scope = write([Symbol(*_part(found))], [target])
        return Formula(arguments, saves, tuple(lines), "symbols", scope)
    except (TypeError, AttributeError, ValueError, IndexError):  # it looks at values, or loops over what only has a name
        body = _body(rule)
    text, origin = (f"{rule.__name__}({', '.join(parameters)})", "program") if body is None else (body, "source")
    scope = rule.__globals__ | inspect.getclosurevars(rule).nonlocals | {rule.__name__: rule}
    return Formula(arguments, saves, (f"{target} = {text}",), origin, scope)


def _given(op: Any, name: str) -> Any:
    """What a rule is run on where it asks for `name`: a variadic argument is a tuple, of symbols that nobody counted."""
    if name == "needs":
        return (True,) * (len(op.names) + 1)
    return (Symbol("*" + name),) if "*" + name in op.names else Symbol(name)


def _body(rule: Any) -> str | None:
    """The source text of what a lambda returns."""
    if rule.__name__ != "<lambda>":
        return None
    try:
        lines = inspect.findsource(rule)[0]
    except OSError:
        return None
    spans = [p for p in rule.__code__.co_positions() if None not in p and (p[0], p[2]) != (p[1], p[3])]
    first, last = min((p[0], p[2]) for p in spans), max((p[1], p[3]) for p in spans)
    text = [line.encode() for line in lines[first[0] - 1 : last[0]]]
    text[-1] = text[-1][: last[1]]
    text[0] = text[0][first[1] :]
    return " ".join(b"".join(text).decode().split())


# ---------------------------------------------------------------- the page
# Where an op has a kink, a jump or a singularity, and what its gradient is there.
KINKS = {
    "power": "x**0 has derivative 0 in x, also at x = 0; the derivative in y is 0 where x is 0 and y is not negative",
    "absolute": "0 at x = 0",
    "remainder": "1 in x and -(x // y) in y, also where it jumps",
    "floor_divide": "0, also where it jumps",
    "relu": "0 at x = 0",
    "fmod": "1 in x and -trunc(x / y) in y, also where it jumps",
    "hypot": "0 where x = y = 0",
    "arctan2": "0 where x = y = 0",
    "copysign": "0 in x where x = 0; 0 in y, also where it jumps",
    "logit": "NaN outside [0, 1], as its value; infinite at 0 and 1",
    "xlogy": "0 where x = 0, unless y is positive, when it is log(y) in x",
    "logaddexp": "half to each where x and y are the same infinity",
    "logaddexp2": "half to each where x and y are the same infinity",
    "maximum": "half to each where x = y",
    "minimum": "half to each where x = y",
    "fmax": "where x = y it goes to x; to the one that is no NaN, and to x where both are",
    "fmin": "where x = y it goes to x; to the one that is no NaN, and to x where both are",
    "clip_min": "where x = min it goes to x",
    "clip_max": "where x = max it goes to x",
    "nan_to_num": "0 where x is NaN or infinite",
    "sign": "0, also where it jumps",
    "heaviside": "0 in x, also where it jumps; in values 1 where x = 0, else 0",
    "floor": "0, also where it jumps",
    "ceil": "0, also where it jumps",
    "trunc": "0, also where it jumps",
    "round": "0, also where it jumps",
    "amax": "ties share equally",
    "amin": "ties share equally",
    "logsumexp": "0 where all are -inf; those that are inf share equally",
    "logcumsumexp": "0 as long as all are -inf; to the first that is inf goes all",
    "median": "ties share equally",
    "scatter_extreme": "elements that tie for an extreme share equally",
    "root": "0 at x = 0, where the slope is infinite: what makes std of a constant have gradient 0",
    "vector_norm": "0 where x is 0, and where the norm is 0",
    "slogdet": "refused where the determinant is 0, unless g is 0",
    "qr": "refused where columns depend on each other, unless g is 0",
    "eigh": "that of eigenvectors is refused where eigenvalues repeat, unless it is 0; that of eigenvalues is right there",
    "svd": "that of singular vectors is refused where singular values repeat, unless it is 0; 0 for a singular value of 0",
    "svdvals": "0 for a singular value of 0",
    "hardtanh": "0 at x = low and at x = high",
    "hardswish": "0 at x = -3, 1 at x = 3",
    "window_max": "of tied elements the first in the window gets it",
}

_HEAD = """# The rules

Every primitive of `autograd`, by family, with its gradient rules. This page is generated by `python -m autograd.see.symbols`:
each rule was run on symbols, and what it wrote down is printed here, so the formulas cannot differ from the code. They are Python
and NumPy (without `np.`), and the tests evaluate every one of them against its rule.

How to read it:

- `g` is the gradient of the result, `dx` the gradient of the argument x as the rule returns it; the engine then undoes
  broadcasting and casts to the dtype of x. `out` is the result, `x_shape` the shape of x; for ops with several results `g` is a
  list, with None for results that nobody used. `t1`, ... are steps that are used more than once.
- *saves*: what the op keeps for backward if that gradient is wanted. It keeps nothing else.
- *singular*: the local derivative can be infinite or NaN; where `g` is 0 the engine makes the gradient 0 all the same.
- *at a kink*: which subgradient is taken where the derivative does not exist.
- A line marked *source* is the rule's own text, since it loops over what has only a name here; one marked *program* is a function
  with branches or loops, which is printed at the end, after a list of what the formulas call besides NumPy.
"""


def families() -> dict[str, list[Any]]:
    """The primitives that this package defines, by the name of the module where each stands."""
    found: dict[str, list[Any]] = {}
    last = __name__
    for op in PRIMITIVES.values():
        modules = [str(getattr(f, "__module__", "")) for f in (*op.rules.values(), op.fun)]
        module = next((m for m in modules if m.startswith("autograd.")), "")
        if not module and any(v is op for v in vars(sys.modules[last]).values()):
            module = last  # a function of NumPy without rules stands where its neighbours stand
        if module:
            found.setdefault(module, []).append(op)
            last = module
    return found


def page() -> str:
    """The text of docs/rules.md."""
    text = [_HEAD]
    called, programs = dict[Any, str](), dict[Any, str]()  # functions, and their names
    for module, ops in families().items():
        title, _, about = _sentence(sys.modules[module]).partition(": ")
        text += [f"\n## {title}\n", *([about[0].upper() + about[1:] + ".\n"] if about else [])]
        rules = {op: found for op in ops if (found := formulas(op))}
        if rules:
            text += ["```python", *(line for op, found in rules.items() for line in _entry(op, found)), "```"]
        if bare := [f"`{op.name}`" for op in ops if op not in rules]:
            text.append("\n" * bool(rules) + f"No gradient: {', '.join(bare)}.")
        for f in (f for found in rules.values() for f in found):
            (programs if f.origin == "program" else called).update(_called(f))
    text.append("\n## What the formulas call\n")
    for function, name in sorted(called.items(), key=lambda item: item[1]):
        what = f"the primitive `{function.name}`" if hasattr(function, "rules") else _sentence(function)
        text.append(f"- `{name}`: {what}.")
    text += ["\n## Rules that are programs\n", "```python"]
    text += ["\n\n".join(inspect.getsource(function).strip() for function in programs), "```"]
    return "\n".join(text) + "\n"


def _entry(op: Any, rules: list[Formula]) -> list[str]:
    """The lines of one primitive."""
    lines = [f"{op.name}({', '.join(op.names)})" + "  # singular" * op.singular]
    if op.name in KINKS:
        lines.append(f"    # at a kink: {KINKS[op.name]}")
    width = max(len(f.lines[-1]) for f in rules)
    for f in rules:
        mark = f"; {f.origin}" * (f.origin != "symbols")
        *first, last = f.lines
        lines += [f"    {line}" for line in first]
        lines.append(f"    {last:<{width}}  # saves {', '.join(f.saves) or 'nothing'}{mark}")
    return lines


def _called(formula: Formula) -> dict[Any, str]:
    """The functions besides NumPy's that a formula calls, and their names."""
    names = re.findall(r"(?<![\w.])(\w+)\(", "\n".join(formula.lines))
    return {f: n for n in names if isinstance(f := formula.scope.get(n), FunctionType) and f.__module__ != "numpy"}


def _sentence(thing: Any) -> str:
    """The first paragraph of a docstring."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()).rstrip(".")


if __name__ == "__main__":
    print(page(), end="")
