"""From a NumPy function and its gradient rules to a differentiable function of Tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import compress
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import FreedGraphError, InPlaceError, NoGradientError, UnsupportedError
from .accumulate import any_half, in_single, widened
from .codegen import unwritten
from .dtypes import REAL_SCALARS, number, promoted
from .failed import FAILURES, failed
from .graph import Array, Node, mode, tick
from .inplace import look
from .integers import DIVISIONS, divided
from .into import into
from .tape import recording
from .tensor import NUMPY, PRIMITIVES, Tensor, wrap

OUT = -1  # where the arguments are numbered from 0, the result


def primitive(
    fun: Callable[..., Any], name: str | None = None, /, *,
    singular: bool = False, promote: slice | None = None, creates: bool = False, moves: bool = False,
    view: bool = False, linear: bool = False, kink: str = "", says: str = "", **rules: Any,
) -> Any:  # fmt: skip
    """Make `fun`, a function of arrays, differentiable: a function of Tensors, or of plain arrays as before.

    `rules` maps the arguments of `fun`, in order, to gradient rules written in NumPy; None says "no
    gradient". The first parameter of a rule is the gradient of the result. The others say what it needs, by
    name: an argument, `out` (the result), `x_shape`, `out_shape`. Nothing else is kept for backward. Where
    gradients share work, one rule called `joint` returns them all, in order; it may ask for `needs`, which
    says which of them are wanted.

    A rule returns the gradient as it comes out of the textbook formula: broadcasting and dtype are undone by
    the engine. If `fun` returns a tuple, `g` is a list with None for results that nobody used. On tensors of
    half, `fun` and the rules are run in single precision and rounded once.

    Options. `singular`: elementwise (or along a dim, in the same shape), with a local derivative that can be
    infinite or NaN; where g is 0 the gradient is then 0 all the same. `promote`: which arguments PyTorch's
    promotion of dtypes applies to (all, for a ufunc). `creates`: makes Tensors out of arguments that are
    none. `moves`: moves elements or picks among them and computes nothing, so that half may stay as it is.
    `view`: does so in the memory of the first argument, if NumPy can; all others return memory of their own.
    `linear`: of an argument whose rule asks neither for it nor for the result it is a linear function, where
    arguments that this rule does not name stand at their defaults; so a change of it goes forward by `fun`.

    What is said about it: `says`, in one sentence, what the op computes; `kink`, in one more, where its
    derivative jumps and what is taken there. They are `op.says` and `op.kink`.

    >>> import numpy as np, autograd
    >>> cube = primitive(lambda x: x**3, "cube", x=lambda g, x: 3 * g * x**2, says="The third power of x.")
    >>> x = autograd.tensor(2.0, requires_grad=True)
    >>> cube(x).backward(); x.grad
    tensor(12.)
    """
    parameters = _parameters(fun, [n for n in rules if n != "joint"])
    names = ["*" * (p.kind is p.VAR_POSITIONAL) + p.name for p in parameters]
    known, name = {p.name for p in parameters}, name or fun.__name__
    if odd := rules.keys() - known - {"joint"}:
        raise UnsupportedError(f"{name} has a rule for {odd.pop()!r}, but takes {', '.join(names)}")
    elementwise = isinstance(fun, np.ufunc)
    casts = slice(None) if elementwise and promote is None else promote
    computes = not (moves or view or elementwise)  # a ufunc computes half in single precision by itself
    with_care = in_single if computes else divided if fun in DIVISIONS else None
    scope = ENGINE | dict(fun=fun, casts=casts, with_care=with_care, plans=(plans := Plans()))
    scope |= dict(plain=not creates, differentiable=bool(rules))
    if taken := {n for n in known if n in scope or n in ("g", "s", "op", "out", "needs") or n[0] == "_"}:
        what = f"an argument of {name} is called {taken.pop()!r}"
        raise UnsupportedError(f"{what}, which means something else in a primitive")
    op = unwritten(name, parameters, scope)
    op.fun, op.names, op.casts, op.singular, op.view = fun, names, casts, singular, view
    op.with_care, op.linear, op.kink, op.says = with_care, linear, kink, says
    op.plans, plans.op = plans, op
    op.rules = {"*" + n if "*" + n in names else n: rule for n, rule in rules.items()}
    if not _is_ours(fun):
        NUMPY.setdefault(fun, op)
    PRIMITIVES.setdefault(name, op)  # a user's takes the place of none of the library's
    return op


moving = partial(primitive, moves=True)


def _is_ours(fun: Any) -> bool:
    return inspect.isfunction(fun) and not fun.__module__.startswith("numpy")


def _parameters(fun: Any, ruled: list[str]) -> list[inspect.Parameter]:
    """The parameters of a primitive: those of `fun`; but what NumPy calls its arguments varies by version."""
    if _is_ours(fun):
        return list(inspect.signature(fun).parameters.values())
    names = ruled or ["x", "y"][: getattr(fun, "nin", 0)]
    return [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]


class Plans(dict[int, Any]):
    """A primitive's plans, by the mask of the arguments that need gradients, made when first asked for."""

    op: Any

    def __missing__(self, mask: int) -> Plan:
        return self.setdefault(mask, Plan(self.op, mask))


class Plan:
    """How gradients go back through a node: here by a primitive's rules; subclasses do it in other ways.

    The rules are specialised to a mask of the arguments that need gradients; a variadic one is one bit.

    From the parameter names of the rules it writes two functions: `save` picks what to keep for backward,
    `pull` calls the rules with it. For `x * y` with only x tracked, whose rule is `lambda g, y: g * y`:

        save = lambda out, x, y: (y,)
        pull = lambda g, s: [x(g, s[0])]         # x is the rule for x
    """

    keep: Sequence[str] = ()  # what rules call the values that a node saves
    tracked: Sequence[int]  # which of the op's arguments are at the node's parents
    item: int | None = None  # the node is one of several results: which

    def __init__(self, op: Any, mask: int) -> None:
        self.op, self.name, self.title = op, op.name, op.name.title().replace("_", "")
        names, rules, self.half, mask = op.names, op.rules, mask < 0, abs(mask)
        self.tracked = [i for i in range(mask.bit_length()) if mask >> i & 1]
        self.variadic = len(names) - (names[-1][0] == "*")  # where the arguments of a variadic one start
        used = ["joint"] if "joint" in rules else self.arguments
        if missing := ", ".join(n for n in used if rules.get(n) is None):
            raise NoGradientError(f"{op.name} has no gradient rule for {missing}; detach() it first")
        places = {n.lstrip("*"): i for i, n in enumerate(names)} | {"out": OUT}
        source = {n: n for n in places} | {f"{n}_shape": f"shape_of({n})" for n in places}
        self.wants = {n: list(inspect.signature(rules[n]).parameters)[1:] for n in used}
        self.keep = list(dict.fromkeys(w for ws in self.wants.values() for w in ws if w != "needs"))
        if odd := [w for w in self.keep if w not in source]:
            what = f"a rule of {op.name} asks for {odd[0]!r}"
            raise UnsupportedError(f"{what}; it may ask for {', '.join([*source, 'needs'])}")
        self.places: list[Any] = [places.get(w) for w in self.keep]  # which argument it is, if it is one
        saved = "".join(source[w] + ", " for w in self.keep)
        self.save = self._written(f"lambda {', '.join(['out', *names])}: ({saved})")
        feed = {w: f"s[{k}]" for k, w in enumerate(self.keep)} | {"needs": "needs"}
        self.calls = {n: f"{n}({', '.join(['g', *(feed[w] for w in ws)])})" for n, ws in self.wants.items()}
        picked = f"[ds[i] for ds in [{self.calls.get('joint')}] for i in on]"
        self.joint = "joint" in rules and self._written(f"lambda on, needs: lambda g, s: {picked}")
        self.pulls: dict[tuple[bool, ...], Any] = {}
        if self.variadic == len(names):  # or each call has its own, see `among`
            self.pull = self.partial((True,) * len(self.tracked))  # type: ignore[method-assign]

    @property
    def arguments(self) -> Sequence[str]:
        """The name of each argument that leads to a gradient."""
        return [self.op.names[min(i, self.variadic)] for i in self.tracked]

    def among(self, which: list[int]) -> Plan:
        """This plan, for one call with a variadic argument: these of its arguments lead to gradients."""
        if not which:
            return self
        plan = object.__new__(Plan)
        vars(plan).update(vars(self), tracked=[*self.tracked[:-1], *which], pulls={})
        return plan

    def _written(self, code: str) -> Any:
        scope = self.op.rules | {"shape_of": shape_of, "keep_zero": keep_zero}
        return eval(compile(code, f"<rules of {self.name}>", "eval"), scope)

    def pull(self, g: Array, saved: Sequence[Any]) -> Sequence[Array]:
        """The gradients of all tracked arguments, from that of the result and the saved values."""
        return self.partial((True,) * len(self.tracked))(g, saved)

    def partial(self, wanted: tuple[bool, ...]) -> Any:
        """As `pull`, but a function that computes only those that are wanted."""
        if (pull := self.pulls.get(wanted)) is not None:
            return pull
        on = list(compress(self.tracked, wanted))
        if self.joint:
            needs = map(set(on).__contains__, range(max(len(self.op.names), on[-1] + 1)))
            rules = self.joint(on, tuple(needs))
        else:
            each = "keep_zero(g, {})" if self.op.singular else "{}"
            calls = ", ".join(each.format(self.calls[self.op.names[i]]) for i in on)
            rules = self._written(f"lambda g, s: [{calls}]")
        self.pulls[wanted] = pull = (lambda g, s: rules(widened(g), widened(list(s)))) if self.half else rules
        return pull

    def unpack(self, node: Node, attach: Any) -> Sequence[Any]:
        """What `node` saved, as Tensors, each attached to the node that it is the value of."""
        owner: dict[Any, Node] = {OUT: node, **dict(zip(self.tracked, node.parents))}  # noqa: B905
        found = []
        for value, place in zip(node.saved, self.places):  # noqa: B905
            if type(value) is Results:
                value = items(value, node)
            elif hasattr(value, "dtype"):
                value = attach(value, owner.get(place))
            elif place == self.variadic and type(value) is tuple:
                each = enumerate(value, place)
                value = tuple(attach(v, owner.get(i)) if hasattr(v, "dtype") else v for i, v in each)
            found.append(value)
        return found

    def check(self, node: Node) -> None:
        """Raise unless the values that `node` saved are still there, and are what they were."""
        if node.saved is None:
            what = "the values it saved were freed by an earlier backward"
            advice = "pass retain_graph=True to that one to go through the graph again"
            raise FreedGraphError(f"{self.name}: {what}; {advice}")
        if stale := node.stale():
            what = f"{self.name}: its gradient needs {', '.join(stale)} as the forward pass left it"
            raise InPlaceError(f"{what}, but it was modified in place since; clone() it before that write")


def keep_zero(g: Any, d: Any) -> Any:
    """The gradient `d` made of `g`, but 0 where `g` is 0, even if the local derivative is infinite or NaN.

    A rule multiplies `g` by a local derivative, and 0 * inf is NaN. Only if a NaN is found are the zeros put
    in. The test costs little: a sum or a dot product is NaN if an element is (an infinite sum may be too: no
    harm is done). Zeros go in for NaN only: elsewhere `d` stays connected to `g`, for derivatives with
    respect to a `g` that is 0.
    """
    array = d if type(d) is ndarray or recording() else getattr(d, "array", d)
    if type(array) is ndarray:  # not foreign, not for a tape
        flat = array.ravel("K")  # as it lies in memory, or channels last would be copied
        array = sum(flat.tolist()) if flat.size < 20 else flat.dot(flat)
    if isinstance(array, (float, np.generic)) and array == array:
        return d
    return np.where((g == 0) & np.isnan(d), 0, d)


# ---------------------------------------------------------------- ops with several results
class Results(tuple[Any, ...]):
    """The results of an op with several, where an array would be: its shape is their shapes."""

    dtype = np.dtype(object)
    shape = property(lambda self: shape_of(tuple(self)))


class Item(Plan):
    """The plan of a node that is one result of an op with several."""

    def __init__(self, item: int, name: str, title: str) -> None:
        self.item, self.name, self.title = item, name, title


_item = cache(Item)


def items(out: tuple[Array, ...], node: Node | None) -> tuple[Tensor, ...]:
    """The results of an op with several, as Tensors, each at a node of its own that leads to `node`."""
    if node is None:
        return tuple(map(wrap, out))
    name, title = node.plan.name, node.plan.title
    nodes = (Node(_item(i, name, title), (node,), (), v.shape, v.dtype) for i, v in enumerate(out))
    return tuple(map(wrap, out, nodes))


def shape_of(value: Any) -> Any:
    """The shape of an array, the shapes of several."""
    return tuple(map(np.shape, value)) if type(value) in (tuple, list) else np.shape(value)


def as_array(out: Any) -> Any:
    """What a function returned, as an array: NumPy turns 0-d results into scalars."""
    if isinstance(out, tuple):
        return Results(map(as_array, out))
    return out if not isinstance(out, np.generic) and hasattr(out, "__array_function__") else np.asarray(out)


# What the code that is written out for a primitive knows besides its own
ENGINE = dict(
    any_half=any_half, as_array=as_array, current_mode=mode, failed=failed, generic=REAL_SCALARS, into=into,
    items=items, look=look, ndarray=ndarray, new=object.__new__, number=number, numbers=(float, int, bool),
    promoted=promoted, tick=tick, FAILURES=FAILURES, Node=Node, Results=Results, Tensor=Tensor,
)  # fmt: skip
