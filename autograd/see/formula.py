"""The formulas of a recording: ops and their rules, run on symbols that bear the user's names, numbers, shapes or LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.batch import whole
from .record import Contribution, Event, Unknown, Value
from .symbols import ATOM, Brief, on_symbols, short

SMALL = 9  # arrays of up to so many elements are written out
Write = Callable[[str, Any], Brief]  # from what a value is called, and its array, to the symbol that stands for it


# ---------------------------------------------------------------- four ways to write a value
def names(name: str, array: Any) -> Brief:
    """By its name."""
    return Brief(name, like=array)


def numbers(name: str, array: Any) -> Brief:
    """By its number, if it is one."""
    if array is None or np.size(whole(array)) != 1:
        return Brief(name, like=array)
    number = np.asarray(whole(array)).item()
    return Brief(short(number), binds=4 if number < 0 else ATOM, like=array)  # so that it is `3 - (-2)`


def shapes(name: str, array: Any) -> Brief:
    """By its shape."""
    shape = np.shape(array)
    return Brief(f"({'×'.join(map(str, shape))})" if shape else "1", like=array)


_SIGNS = {np.not_equal: (r"\ne", 1), np.equal: ("=", 1), np.less_equal: (r"\le", 1), np.greater_equal: (r"\ge", 1)}
_WORDS = {name: rf"\{name}" for name in "log sin cos tan tanh sinh cosh arcsin arccos arctan max min".split()}
_WORDS |= dict(maximum=r"\max", minimum=r"\min", amax=r"\max", amin=r"\min", sum=r"\textstyle\sum")


class Latex(Brief):
    """A symbol that is written in LaTeX."""

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            parts = [list(self.part(a)) for a in args]
            if ufunc is np.divide:
                return type(self)(r"\frac{", *parts[0], "}{", *parts[1], "}")
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
    if re.fullmatch(r"[cv]\d+", name):
        return f"{name[0]}_{{{name[1:]}}}"
    return name if len(name) == 1 else rf"\mathrm{{{_escaped(name)}}}"


def latex(name: str, array: Any) -> Latex:
    """By its name, in LaTeX."""
    return Latex(in_latex(name), like=array)


def latex_numbers(name: str, array: Any) -> Latex:
    """By its number, in LaTeX."""
    number = numbers(name, array)
    return Latex(in_latex(name) if array is None or np.size(whole(array)) != 1 else repr(number), binds=number.binds, like=array)


# ---------------------------------------------------------------- what is run on them
def forward(event: Event, write: Write = names) -> str:
    """What an event computes: its function run on symbols, or its name with the arguments, if it is more than a formula."""
    kind, op = type(write("x", np.zeros(()))), event.op
    given = {n: _symbols(v, write) for n, v in event.arguments.items()}
    fun = getattr(op, "fun", None)
    if type(event).__name__ == "Op" and fun is not None:
        try:
            found = (on_symbols(fun, kind) if hasattr(fun, "__code__") else fun)(*given.values())
            text = repr(found)
            if isinstance(found, kind) and len(text) <= 60 and "axis" not in text and text not in map(repr, given.values()):
                return text
        except Exception:  # it is more than a formula
            pass
    shown = {n: s for n, s in given.items() if isinstance(event.arguments[n], (Value, Unknown))}
    said = {n: s for n, s in given.items() if n not in shown and not _dull(event, n)}
    try:
        return repr(kind.call(event.name, [*shown.values()], said, {}))
    except TypeError:  # an argument that has no short name
        return repr(kind.call(event.name, [*shown.values()], {}, {}))


def _dull(event: Event, name: str) -> bool:
    """Is an argument what it is by default, or does the shape of the result tell?"""
    value, array = event.arguments[name], event.results[0].array
    defaults = {p.name: p.default for p in getattr(event.op, "parameters", ())}
    if name == "axis":
        return array is not None and not array.shape
    return name in _DULL or value is None or callable(value) or defaults.get(name, ...) is value


_DULL = {"keepdims", "order", "path", "dtype", "windows", "groups", "out_shape", "shape"}


def rule(one: Contribution, write: Write = names) -> str | None:
    """The rule of a contribution as a formula of `g`, the gradient of its event; None if it is no formula."""
    event, plan = one.event, one.event.node.plan  # type: ignore[union-attr]
    wants = getattr(plan, "wants", {})
    place = event.places.index(one.argument)
    key = "joint" if "joint" in wants else plan.op.names[min(place, len(plan.op.names) - 1)]
    if key not in wants:
        return None
    kind = type(write("x", np.zeros(())))
    incoming = [None if g is None else write("g", g.array) for g in (one.g if isinstance(one.g, list) else [one.g])]
    try:
        given = [_wanted(event, w, write) for w in wants[key]]
        gs = incoming if len(incoming) > 1 else incoming[0]
        found = on_symbols(plan.op.rules[key], kind)(gs, *given)
        found = found[place] if key == "joint" else found
        text = repr(found if isinstance(found, kind) else kind(*kind.part(found)))
    except Exception:  # a rule that is more than a formula
        return None
    return text if len(text) <= (200 if kind is Latex else 90) else None


def _wanted(event: Event, want: str, write: Write) -> Any:
    """What a rule is run on where it asks for `want`."""
    if want == "needs":
        return (True,) * (len(event.places) + 1)
    if want in ("out", "out_shape"):
        value: Any = event.results[0] if len(event.results) == 1 else tuple(event.results)
    elif (name := want.removesuffix("_shape")) in event.arguments:
        value = event.arguments[name]
    else:  # a variadic one
        value = tuple(v for n, v in event.arguments.items() if n.startswith(f"{name}["))
    if want.endswith("_shape"):
        return tuple(np.shape(v.array) for v in value) if isinstance(value, tuple) else np.shape(getattr(value, "array", value))
    return _symbols(value, write)


def _symbols(value: Any, write: Write) -> Any:
    if isinstance(value, (tuple, list)):
        return type(value)(_symbols(v, write) for v in value)
    return write(value.symbol, value.array) if isinstance(value, (Value, Unknown)) else value


# ---------------------------------------------------------------- numbers
def nested(array: Any) -> str:
    """The numbers of a small array, in short; of a larger one its shape and norm."""
    if array is None:
        return "?"
    array = np.asarray(whole(array))
    if array.size > SMALL:
        return f"({'×'.join(map(str, array.shape))}, norm {short(norm(array))})"

    def text(values: Any) -> str:
        return f"[{', '.join(map(text, values))}]" if isinstance(values, list) else short(values)

    return text(array.tolist())


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
