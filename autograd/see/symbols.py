"""Rules as formulas: a rule run on symbols writes itself down."""

from __future__ import annotations

import builtins
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import BuiltinFunctionType, CellType, CodeType, FunctionType
from typing import Any, NamedTuple, Self

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
SIGNED, _POWER, ATOM = 7, 8, 9
_SPECIAL = {"inf": np.inf, "nan": np.nan}


class Symbol(NDArrayOperatorsMixin):
    """Stands for an array, a shape or an option of which nothing but the name is known; what is done to it, it writes down.

    It is made of text and of other symbols, each with how closely it has to bind there; `scope` holds what the text names.

    >>> x, y = Symbol("x"), Symbol("y")
    >>> np.cos(x - (y + 1)) ** 2 * -x.T
    cos(x - (y + 1))**2 * -x.T
    """

    inlines = False  # is what a rule calls, besides NumPy and primitives, worked out rather than written as a call?
    __hash__ = object.__hash__
    __iter__ = __contains__ = None  # or Python would ask for [0], [1], ... and never end

    def __init__(self, *parts: Any, binds: int = ATOM, scope: Mapping[str, Any] | None = None) -> None:
        self.parts, self.binds, self.scope = parts, binds, scope or {}
        self._length = sum(len(p) if isinstance(p, str) else p[0]._length for p in parts)  # of its text, but for parentheses

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs or method == "at":
            raise TypeError("nothing is written into a symbol")
        if method != "__call__":
            return self.call(f"{ufunc.__name__}.{method}", args, kwargs, {ufunc.__name__: ufunc})
        if ufunc in _PREFIX and not kwargs:
            return type(self)(_PREFIX[ufunc], (self, SIGNED), binds=SIGNED)
        if ufunc is np.power and not kwargs:
            return type(self)(*self.part(args[0], ATOM), "**", *self.part(args[1], SIGNED), binds=_POWER)
        if ufunc in _INFIX and not kwargs:
            sign, binds = _INFIX[ufunc]
            parts = *self.part(args[0], binds + (binds == 1)), f" {sign} ", *self.part(args[1], binds + 1)
            return type(self)(*parts, binds=binds)
        return self.__array_function__(ufunc, (), args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if getattr(function, "__module__", "") == "numpy.linalg":
            return self.call(f"linalg.{function.__name__}", args, kwargs, {"linalg": np.linalg})
        name = function.__name__.lstrip("_")  # SciPy's zeta is called _zeta
        return self.call(name, args, kwargs, {name: function})

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a symbol does not become an array")

    def __bool__(self) -> bool:
        raise TypeError("a symbol is neither true nor false")

    def __getattr__(self, name: str) -> Symbol:
        if name.startswith("_"):
            raise AttributeError(name)
        return type(self)((self, ATOM), f".{name}")

    def __getitem__(self, index: Any) -> Symbol:
        parts = [p for i in (index if isinstance(index, tuple) and index else (index,)) for p in (", ", *self.index(i))]
        return type(self)((self, ATOM), "[", *parts[1:], "]")

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        return self.call((self, ATOM), args, kwargs, {})

    def __repr__(self) -> str:
        return "".join(p if isinstance(p, str) else f"({p[0]!r})" if p[0].binds < p[1] else repr(p[0]) for p in self.parts)

    # ---- how values are written
    @classmethod
    def call(cls, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], scope: Mapping[str, Any]) -> Self:
        """What calling `function`, a name or a symbol, gives."""
        each = [("", a) for a in args] + [(f"{name}=", a) for name, a in kwargs.items()]
        parts = [p for i, (name, a) in enumerate(each) for p in (", " * (i > 0), name, *cls.part(a))]
        return cls(function, "(", *parts, ")", scope=scope)

    @classmethod
    def part(cls, value: Any, binds: int = 0) -> Iterator[Any]:
        """A value as it is written in a formula: text, and symbols with how closely they have to bind."""
        if isinstance(value, Symbol):
            yield value, binds
        elif isinstance(value, (tuple, list)):
            left, right = "()" if isinstance(value, tuple) else "[]"
            yield left
            for i, v in enumerate(value):
                yield ", " * (i > 0)
                yield from cls.part(v)
            yield "," * (isinstance(value, tuple) and len(value) == 1) + right
        elif value is None or value is ... or isinstance(value, (bool, str)):
            yield "..." if value is ... else repr(value)
        elif isinstance(value, (int, float, np.generic)):
            yield cls.number(value), binds
        elif isinstance(value, slice):
            yield from cls.part(cls.call("slice", (value.start, value.stop, value.step), {}, {}))
        elif isinstance(value, type) and issubclass(value, np.generic):
            yield cls(value.__name__, scope={value.__name__: value}), binds
        else:
            raise TypeError(f"{type(value).__name__} has no short name")

    @classmethod
    def number(cls, value: Any) -> Self:
        """A number, with all its digits."""
        if isinstance(value, np.generic):
            return cls.call(type(value).__name__, (value.item(),), {}, {type(value).__name__: type(value)})
        return cls(repr(value), binds=SIGNED if value < 0 else ATOM, scope=_SPECIAL if value - value != 0 else None)

    @classmethod
    def index(cls, value: Any) -> Iterator[Any]:
        """An index as it is written in brackets: slices with colons."""
        if not isinstance(value, slice):
            yield from cls.part(value)
            return
        for i, end in enumerate([value.start, value.stop] + [value.step] * (value.step is not None)):
            yield ":" * (i > 0)
            if end is not None:
                yield from cls.part(end)


def short(number: Any) -> str:
    """A number, with four digits of a float."""
    return f"{number:.4g}" if isinstance(number, float) else str(number)


class Brief(Symbol):
    """A symbol as pictures and help() show it: numbers have four digits, and steps that only change shapes leave no trace.

    Of the array for which it stands the shape and the dtype are known, so that what a rule asks of them has its answer.
    """

    inlines = True
    SHAPES = (np.reshape, np.expand_dims, np.squeeze, np.astype)

    def __init__(self, *parts: Any, like: Any = None, **options: Any) -> None:
        super().__init__(*parts, **options)
        if hasattr(like, "shape"):
            self.shape, self.dtype, self.ndim = like.shape, like.dtype, len(like.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if ufunc is np.power and not kwargs and isinstance(args[1], (int, float)) and args[1] == 1:
            return args[0]
        return super().__array_ufunc__(ufunc, method, *args, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in self.SHAPES:
            return args[0]
        if function is np.swapaxes and set(args[1:]) == {-1, -2}:
            return args[0].T
        return super().__array_function__(function, types, args, {n: v for n, v in kwargs.items() if n != "keepdims"})

    @classmethod
    def number(cls, value: Any) -> Brief:
        """A number, in short."""
        value = value.item() if isinstance(value, np.generic) else value
        return cls(short(value), binds=SIGNED if value < 0 else ATOM)


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
def on_symbols(function: FunctionType, kind: type[Symbol] = Symbol) -> Callable[..., Any]:
    """`function`, but what it calls besides NumPy, if given symbols of this kind, is written down as a call."""
    free = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    cells = [CellType(_stand_in(name, cell.cell_contents, kind)) for name, cell in free]
    known = vars(builtins) | function.__globals__
    scope = {n: _stand_in(n, known[n], kind) for n in _names(function.__code__) if n in known}
    copy = FunctionType(function.__code__, function.__globals__ | scope, function.__name__, function.__defaults__, tuple(cells))
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _names(code: CodeType) -> set[str]:
    """The global names in a function, and in those inside of it."""
    return {*code.co_names}.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))


def _stand_in(name: str, value: Any, kind: type[Symbol]) -> Any:
    called = isinstance(value, (FunctionType, BuiltinFunctionType)) or value in (range, tuple, list, sum, float, int)
    if kind.inlines and isinstance(value, FunctionType):
        name, called = getattr(value, "name", name), hasattr(value, "rules")
    if not called:
        return value

    def call(*args: Any, **kwargs: Any) -> Any:
        given = any(not isinstance(p, str) for a in (*args, *kwargs.values()) for p in kind.part(a))
        return kind.call(name, args, kwargs, {name: value}) if given else value(*args, **kwargs)

    return call


# ---------------------------------------------------------------- the formulas of an op
class Formula(NamedTuple):
    """One rule of a primitive as Python lines, the last of which say what the gradients are."""

    arguments: tuple[str, ...]  # which it is for
    saves: tuple[str, ...]  # what it keeps for backward
    lines: tuple[str, ...]
    origin: str  # "symbols": the rule wrote it; "source": the rule's own text; "program": the rule is too long to show
    scope: Mapping[str, Any]  # what the lines name besides what is saved and `g`

    def __str__(self) -> str:
        return "\n".join(self.lines)


def formulas(op: Any, kind: type[Symbol] = Symbol, called: Mapping[str, str] | None = None) -> list[Formula]:
    """The rules of a primitive, given by its name or itself, as formulas of `g`, the gradient of its result.

    They are written by symbols of this `kind`; `called` says what else to call the arguments.

    >>> for formula in formulas("divide"):
    ...     print(formula, "  saves", *formula.saves)
    dx = g / y   saves y
    dy = -g * (x / y) / y   saves x y
    """
    op = PRIMITIVES[op] if isinstance(op, str) else op
    return [_formula(op, argument, rule, kind, called or {}) for argument, rule in op.rules.items() if rule is not None]


def _formula(op: Any, argument: str, rule: Any, kind: type[Symbol], called: Mapping[str, str]) -> Formula:
    parameters = ["g", *list(inspect.signature(rule).parameters)[1:]]
    saves = tuple(p for p in parameters[1:] if p != "needs")
    arguments = (called.get(argument, argument).lstrip("*"),)
    target = "gradients" if argument == "joint" else f"d{arguments[0]}"
    try:
        found = on_symbols(rule, kind)(*(_given(op, p, kind, called) for p in parameters))
        if argument == "joint" and isinstance(found, (list, tuple)):
            gradients = {n.lstrip("*"): d for n, d in zip(op.names, found, strict=False) if d is not None}
            arguments = tuple(gradients)
            lines, scope = write([kind(*kind.part(d)) for d in gradients.values()], [f"d{n}" for n in arguments])
        else:
            lines, scope = write([kind(*kind.part(found))], [target])
        return Formula(arguments, saves, tuple(lines), "symbols", scope)
    except (TypeError, AttributeError, ValueError, IndexError):  # it looks at values, or loops over what only has a name
        if kind.inlines:
            return _formula(op, argument, rule, Symbol, called)
        body = _body(rule)
    text, origin = (f"{rule.__name__}({', '.join(parameters)})", "program") if body is None else (body, "source")
    scope = rule.__globals__ | inspect.getclosurevars(rule).nonlocals | {rule.__name__: rule}
    return Formula(arguments, saves, (f"{target} = {text}",), origin, scope)


def _given(op: Any, name: str, kind: type[Symbol], called: Mapping[str, str]) -> Any:
    """What a rule is run on where it asks for `name`: a variadic argument is a tuple, of symbols that nobody counted."""
    if name == "needs":
        return (True,) * (len(op.names) + 1)
    return (kind("*" + name),) if "*" + name in op.names else kind(called.get(name, name))


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
