"""The formulas of a recording: ops and their rules, run on symbols that bear the user's names, numbers, shapes or LaTeX."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np

from ..engine.batch import whole
from ..engine.graph import Node
from .record import Contribution, Event, Unknown, Value, Write
from .symbols import ATOM, Brief, on_symbols, short

SMALL = 9  # arrays of up to so many elements are written out
Style = Callable[[str, Any], Brief]  # from what a value is called, and its array, to the symbol that stands for it


# ---------------------------------------------------------------- four ways to write a value
def names(name: str, array: Any) -> Brief:
    """By its name."""
    return Brief(name, like=array)


def numbers(name: str, array: Any) -> Brief:
    """By its number, if it is one."""
    if not _single(array):
        return Brief(name, like=array)
    number = np.asarray(whole(array)).item()
    return Brief(short(number), binds=4 if number < 0 else ATOM, like=array)  # so that it is `3 - (-2)`


def shapes(name: str, array: Any) -> Brief:
    """By its shape."""
    shape = getattr(array, "shape", ())
    return Brief(f"({'×'.join(map(str, shape))})" if shape else "1", like=array)


def _single(array: Any) -> bool:
    return array is not None and not isinstance(array, Node) and np.size(whole(array)) == 1


_SIGNS = {np.not_equal: (r"\neq", 1), np.equal: ("=", 1), np.less_equal: (r"\leq", 1), np.greater_equal: (r"\geq", 1)}
_WORDS = {name: rf"\{name}" for name in "log sin cos tan tanh sinh cosh arcsin arccos arctan max min".split()}
_WORDS |= dict(maximum=r"\max", minimum=r"\min", amax=r"\max", amin=r"\min", sum=r"\textstyle\sum")


class Latex(Brief):
    """A symbol that is written in LaTeX."""

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            parts = [list(self.part(a)) for a in args]
            if ufunc is np.divide:
                return type(self)(r"\frac{", *parts[0], "}{", *parts[1], "}", binds=8)
            if ufunc is np.power and not (isinstance(args[1], (int, float)) and args[1] == 1):
                return type(self)(*self.part(args[0], ATOM), "^{", *parts[1], "}", binds=8)
            if ufunc is np.square:
                return type(self)(*self.part(args[0], ATOM), "^{2}", binds=8)
            if ufunc is np.exp:
                return type(self)("e^{", *parts[0], "}", binds=8)
            if ufunc is np.sqrt:
                return type(self)(r"\sqrt{", *parts[0], "}")
            if ufunc is np.absolute:
                return type(self)(r"\left|", *parts[0], r"\right|")
            if ufunc in _SIGNS:
                sign, binds = _SIGNS[ufunc]
                return type(self)(*self.part(args[0], binds + 1), f" {sign} ", *self.part(args[1], binds + 1), binds=binds)
            if ufunc in (np.multiply, np.matmul):
                sign = r" \cdot " if ufunc is np.multiply else r" \, "
                return type(self)(*self.part(args[0], 6), sign, *self.part(args[1], 7), binds=6)
        return super().__array_ufunc__(ufunc, method, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Its attributes, of which `T` is the transpose."""
        if name == "T":
            return type(self)((self, ATOM), r"^{\top}", binds=8)
        return super().__getattr__(name)

    @classmethod
    def call(cls, function: Any, args: Any, kwargs: Any, scope: Any) -> Any:
        """A function that has a sign in mathematics by that, others by their names."""
        if isinstance(function, str):
            function = _WORDS.get(function) or rf"\operatorname{{{_escaped(function)}}}"
        return super().call(function, args, kwargs, scope)

    def __repr__(self) -> str:
        parts = (p if isinstance(p, str) else rf"\left({p[0]!r}\right)" if p[0].binds < p[1] else repr(p[0]) for p in self.parts)
        return "".join(parts)


def _escaped(name: str) -> str:
    return re.sub(r"([_%$#&{}])", r"\\\1", name)


def in_latex(name: str) -> str:
    """A name as mathematics writes it: h_2 with an index, words upright."""
    word, _, index = name.rpartition("_")
    if word and index.isdigit():
        return f"{in_latex(word)}_{{{index}}}"
    if re.fullmatch(r"[a-zA-Z]\d+", name):
        return f"{name[0]}_{{{name[1:]}}}"
    return name if len(name) == 1 else rf"\mathrm{{{_escaped(name)}}}"


def latex(name: str, array: Any) -> Latex:
    """By its name, in LaTeX."""
    return Latex(in_latex(name), like=array)


def latex_numbers(name: str, array: Any) -> Latex:
    """By its number, in LaTeX."""
    number = numbers(name, array)
    return Latex(repr(number) if _single(array) else in_latex(name), binds=number.binds, like=array)


# ---------------------------------------------------------------- what is run on them
def forward(event: Event, write: Style = names, called: Mapping[Any, Any] = MappingProxyType({})) -> str:
    """What an event computes, as one would write it: `x @ w`, `mean(h, axis=1)`; an op that is arithmetic by its function.

    `called` says what to call values in place of their symbols: a name, or a number as it is.
    """
    kind = type(write("x", np.zeros(())))
    args = {n: _symbols(v, write, called) for n, v in event.arguments.items()}
    try:
        return repr(_applied(event, args, kind))
    except (TypeError, ValueError, AttributeError):  # an argument that has no short name
        return repr(kind.call(event.name, _operands(event, args, kind), {}, {}))


def _applied(event: Event, args: dict[str, Any], kind: type[Brief]) -> Any:
    """An op applied to symbols."""
    fun, values, name = getattr(event.op, "fun", None), list(args.values()), event.name
    if isinstance(event, Write):
        index = event.index[:-1] if isinstance(event.index, tuple) and event.index[-1:] == (...,) else event.index
        return _written(args["x"], index, args["value"])
    if isinstance(fun, np.ufunc):
        return fun(*values)
    if name in _OPERATORS:
        return _OPERATORS[name](*values)
    if name in ("slice", "index") and isinstance(args.get("index"), (tuple, int, slice)):
        return args["x"][args["index"]]
    if isinstance(fun, FunctionType):
        try:
            found = on_symbols(fun, kind)(*values)
            if isinstance(found, kind) and found.binds < ATOM and found._length <= 60:  # or it may be as long as 2**depth
                text = repr(found)
                if "axis" not in text and len(text) <= 60:
                    return found
        except Exception:  # it is more than a formula
            pass
    return kind.call(name, _operands(event, args, kind), {n: v for n, v in args.items() if _tells(event, n)}, {})


def _operands(event: Event, args: dict[str, Any], kind: type[Brief]) -> list[Any]:
    return [a for n, a in args.items() if isinstance(a, kind) and not isinstance(event.arguments[n], Unknown)]


def _tells(event: Event, name: str) -> bool:
    """Is an option worth to be shown? Not what is there by default or too long, nor what the shape of the result tells."""
    value = event.arguments[name]
    if value is None or name in _DULL or callable(value) or isinstance(value, (Value, Unknown)) or len(repr(value)) > 16:
        return False
    if name == "axis" and (x := event.arguments.get("x")) is not None:
        return bool(event.results[0].shape) and not (isinstance(value, tuple) and len(value) == len(_shape(x)))
    defaults = {p.name: p.default for p in getattr(event.op, "parameters", ())}
    return defaults.get(name, ...) is not value and value is not False


_DULL = {"count", "keepdims", "order", "path", "dtype", "windows", "groups", "out_shape", "shape", "scale"}
_OPERATORS = dict.fromkeys(("matmul", "matvec", "vecmat", "dot"), operator.matmul) | {"power": operator.pow}


def rule(one: Contribution, write: Style = names) -> str | None:
    """The rule of a contribution as a formula; see `rule_of`."""
    g = [one and one.array for one in one.g] if isinstance(one.g, list) else one.g.array
    return rule_of(one.event, one.argument, write, g=g)


def rule_of(
    event: Event, argument: str, write: Style = names, called: Mapping[Any, Any] = MappingProxyType({}), g: Any = None
) -> str | None:  # fmt: skip
    """The rule of an event for an argument as a formula of `g`, the gradient of its result; None if it is no formula.

    `g` is that gradient, or those of several results, as far as they are known.
    """
    if isinstance(event, Write):
        return _rule_of_write(event, argument, write("g", g))
    plan = event.node.plan  # type: ignore[union-attr]
    wants = getattr(plan, "wants", {})
    place = event.places.index(argument)
    key = "joint" if "joint" in wants else plan.op.names[min(place, len(plan.op.names) - 1)]
    if key not in wants:
        return None
    kind = type(write("x", np.zeros(())))
    several = len(event.results) > 1
    try:
        incoming = [one if one is None else write(f"g[{i}]", one) for i, one in enumerate(g)] if several else write("g", g)
        given = [_wanted(event, w, write, called) for w in wants[key]]
        found = on_symbols(plan.op.rules[key], kind)(incoming, *given)
        found = found[place] if key == "joint" else found
        text = repr(found if isinstance(found, kind) else kind(*kind.part(found)))
    except Exception:  # a rule that is more than a formula
        return None
    return text if len(text) <= (200 if kind is Latex else 90) else None


def _rule_of_write(event: Write, argument: str, g: Brief) -> str | None:
    """What was written over gets no gradient, what was written gets that of its place."""
    if event.index is ... or event.index == ():  # it went by a view, of which the event knows no more
        return None
    index = event.index[:-1] if isinstance(event.index, tuple) and event.index[-1:] == (...,) else event.index
    try:
        return repr(_written(g, index, 0) if argument == "x" else g[index])
    except TypeError:  # the index has no short name
        return None


def _written(x: Brief, index: Any, value: Any) -> Brief:
    """`x with x[index] = value`."""
    sign = r" \text{ with } " if isinstance(x, Latex) else " with "
    return type(x)(repr(x), sign, *x[index].parts, " = ", *x.part(value))


def _wanted(event: Event, want: str, write: Style, called: Mapping[Any, Any]) -> Any:
    """What a rule is run on where it asks for `want`."""
    if want == "needs":
        return (True,) * (len(event.places) + 1)
    if want in ("out", "out_shape"):
        value: Any = event.results[0] if len(event.results) == 1 else tuple(event.results)
    elif (name := want.removesuffix("_shape")) in event.arguments:
        value = event.arguments[name]
    elif not (value := tuple(v for n, v in event.arguments.items() if n.startswith(f"{name}["))):  # it is no variadic one
        raise LookupError(want)
    if want.endswith("_shape"):
        return tuple(map(_shape, value)) if isinstance(value, tuple) else _shape(value)
    return _symbols(value, write, called)


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, Value) else np.shape(getattr(value, "array", value))


def _symbols(value: Any, write: Style, called: Mapping[Any, Any]) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_symbols(v, write, called) for v in value)
    if not isinstance(value, (Value, Unknown)):
        return value
    name, like = called.get(value, value.symbol), value.array if value.array is not None else getattr(value, "node", None)
    return write(name, like) if isinstance(name, str) else name


# ---------------------------------------------------------------- numbers
def nested(values: Any) -> str:
    """Numbers, in lists or not, with few digits."""
    return f"[{', '.join(map(nested, values))}]" if isinstance(values, list) else short(values)


def in_short(array: Any) -> str:
    """The numbers of a small array, in short; of a larger one its shape and norm."""
    if array is None:
        return "?"
    array = np.asarray(whole(array))
    return nested(array.tolist()) if array.size <= SMALL else f"({'×'.join(map(str, array.shape))}, norm {short(norm(array))})"


def norm(array: Any) -> float:
    """The square root of the sum of squares."""
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(np.ravel(np.asarray(whole(array))).astype(np.float64)))


def matrix(array: Any) -> str:
    """A small array in LaTeX; of a larger one where it lies."""
    array = np.asarray(whole(array))
    if array.ndim > 2 or array.size > SMALL:
        size = r" \times ".join(map(str, array.shape))
        return rf"\text{{in }} \mathbb{{R}}^{{{size}}}"
    if not array.ndim:
        return short(array.item())
    rows = r" \\ ".join(" & ".join(map(short, row)) for row in np.atleast_2d(array).tolist())
    return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"
