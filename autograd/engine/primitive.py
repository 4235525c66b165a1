"""From a NumPy function and its gradient rules to a differentiable function of Tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import compress
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import NoGradientError, UnsupportedError, explain
from .accumulate import widened
from .codegen import write_out
from .conversion import NUMPY, PRIMITIVES
from .dtypes import promoted
from .graph import Array, Node, mode, tick
from .inplace import into, look
from .tensor import Tensor, wrap

OUT = -1  # where the arguments are numbered from 0, the result


def primitive(fun: Callable[..., Any], name: str | None = None, /, **rules: Any) -> Any:
    """Make `fun`, a function of arrays, differentiable: a function of Tensors, or of plain arrays as before.

    `rules` maps the arguments of `fun`, in order, to gradient rules written in NumPy; None says "no gradient". The
    first parameter of a rule is the gradient of the result. The others say what it needs, by name: an argument, `out`
    (the result), `x_shape`, `out_shape`. Nothing else is kept for backward. Where gradients share work, one rule
    called `joint` returns them all, in order; it may ask for `needs`, which says which of them are wanted.

    A rule returns the gradient as it comes out of the textbook formula: broadcasting and dtype are undone by the engine.
    If `fun` returns a tuple, `g` is a list with None for results that nobody used.

    On tensors of half, `fun` and the rules are run in single precision and rounded once.

    Seven options stand among the rules. `singular=True`: elementwise (or along a dim, in the same shape), with a local
    derivative that can be infinite or NaN; where g is 0 the gradient is then 0 all the same. `promote`: which arguments
    PyTorch's promotion of dtypes applies to, as a slice (all, for a ufunc). `creates=True`: makes Tensors out of arguments
    that are none. `moves=True`: moves elements or picks among them and computes nothing, so that half may stay as it is.
    `view=True`: does so in the memory of the first argument, if NumPy can; all others return memory of their own.
    `says`: one sentence, what it computes. `kink`: what the gradient is where the derivative does not exist.

    >>> import numpy as np, autograd
    >>> cube = primitive(lambda x: x**3, "cube", x=lambda g, x: 3 * g * x**2)
    >>> x = autograd.tensor(2.0, requires_grad=True)
    >>> cube(x).backward(); x.grad
    tensor(12.)
    """
    singular, creates, view = rules.pop("singular", False), rules.pop("creates", False), rules.pop("view", False)
    moves = rules.pop("moves", False) or view or isinstance(fun, np.ufunc)  # which computes half so itself
    promote = rules.pop("promote", slice(None) if isinstance(fun, np.ufunc) else None)
    kink, says = rules.pop("kink", None), rules.pop("says", None)
    ours = inspect.isfunction(fun) and not fun.__module__.startswith("numpy")  # NumPy's argument names vary by version
    given = [n for n in rules if n != "joint"] or ["x", "y"][: getattr(fun, "nin", 0)]
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(fun).parameters if ours else {n: inspect.Parameter(n, either) for n in given}
    name, names = name or fun.__name__, ["*" * (p.kind is p.VAR_POSITIONAL) + n for n, p in parameters.items()]
    if odd := set(rules) - set(parameters) - {"joint"}:
        raise UnsupportedError(f"{name} has a rule for {odd.pop()!r}, but takes {', '.join(names)}")
    scope = dict(
        fun=fun, casts=promote, computes=not moves, differentiable=bool(rules), plans=(plans := Plans()), current_mode=mode,
        tick=tick, generic=np.generic, ndarray=ndarray, new=object.__new__, promoted=promoted, explain=explain,
        as_array=as_array, items=items, into=into, look=look, Tensor=Tensor, Node=Node, Among=Among, Results=Results,
    )  # fmt: skip
    if taken := {n for n in parameters if n in scope or n in ("g", "s", "out", "needs") or n[0] == "_"}:
        raise UnsupportedError(f"an argument of {name} is called {taken.pop()!r}, which means something else in a primitive")
    op = write_out(name, list(parameters.values()), not creates, view, scope)
    op.__name__ = op.__qualname__ = op.name = name
    op.fun, op.names, op.singular, op.kink, op.says = fun, names, singular, kink, says
    op.plans, plans.op = plans, op
    op.rules = {"*" + n if "*" + n in names else n: rule for n, rule in rules.items()}
    if not ours:
        NUMPY.setdefault(fun, op)
    PRIMITIVES[name] = op
    return op


moving = partial(primitive, moves=True)


class Plans(dict[int, Any]):
    """The plans of a primitive, by the mask of the arguments that need gradients; each is made when it is first asked for."""

    op: Any

    def __missing__(self, mask: int) -> Plan:
        plan = self[mask] = Plan(self.op, mask)
        return plan


class Plan:
    """A primitive's rules, specialised to the arguments (a bit mask) that need gradients; a variadic one counts as one.

    From the parameter names of the rules it writes two functions: `save` picks what to keep for backward, `pull`
    calls the rules with it. For `x * y` with only x tracked, whose rule is `lambda g, y: g * y`, they are

        save = lambda out, x, y: (y,)
        pull = lambda g, s: [x(g, s[0])]         # x is the rule for x
    """

    item: int | None = None  # which result, for a node that is one of several results

    def __init__(self, op: Any, mask: int) -> None:
        names, rules, self.half, mask = op.names, op.rules, mask < 0, abs(mask)
        self.name, self.op = op.name, op
        self.tracked = [i for i in range(mask.bit_length()) if mask >> i & 1]
        self.arguments = [names[i] for i in self.tracked]
        used = ["joint"] if "joint" in rules else self.arguments
        if missing := [n for n in used if rules.get(n) is None]:
            raise NoGradientError(f"{op.name} has no gradient rule for {', '.join(missing)}; detach() it first")
        source = {n.lstrip("*"): n.lstrip("*") for n in names} | {"out": "out"}
        source |= {n + "_shape": f"shape_of({n})" for n in source}
        self.wants = {n: list(inspect.signature(rules[n]).parameters)[1:] for n in used}
        self.keep = list(dict.fromkeys(w for ws in self.wants.values() for w in ws if w != "needs"))
        if odd := [w for w in self.keep if w not in source]:
            raise UnsupportedError(f"a rule of {op.name} asks for {odd[0]!r}; it may ask for {', '.join([*source, 'needs'])}")
        places = {n.lstrip("*"): i for i, n in enumerate(names)} | {"out": OUT}
        self.places = [places.get(w) for w in self.keep]  # which argument each saved value is, if it is one
        self.variadic = len(names) - (names[-1][0] == "*")  # where the arguments of a variadic one start
        self.save = self._compile(f"lambda {', '.join(['out', *names])}: ({''.join(source[w] + ', ' for w in self.keep)})")
        feed = {w: f"s[{k}]" for k, w in enumerate(self.keep)} | {"needs": "needs"}
        self.calls = {n: f"{n}({', '.join(['g', *(feed[w] for w in ws)])})" for n, ws in self.wants.items()}
        joint = "lambda on, needs: lambda g, s: [ds[i] for ds in [{}] for i in on]"
        self.joint: Any = "joint" in self.calls and self._compile(joint.format(self.calls["joint"]))
        self.partial = cache(self._pull)
        self.pull = self._pull((True,) * len(self.tracked))

    def _compile(self, code: str) -> Any:
        return eval(
            compile(code, f"<rules of {self.name}>", "eval"), self.op.rules | {"shape_of": shape_of, "keep_zero": keep_zero}
        )

    def _pull(self, wanted: tuple[bool, ...]) -> Callable[[Array, Sequence[Any]], Sequence[Array]]:
        """The function from the gradient of the result and the saved values to the gradients that are wanted."""
        on = list(compress(self.tracked, wanted))
        if self.joint:
            return self.pull_joint(on)
        each = "keep_zero(g, {})" if self.op.singular else "{}"
        return self._widely(self._compile(f"lambda g, s: [{', '.join(each.format(self.calls[self.op.names[i]]) for i in on)}]"))

    def pull_joint(self, on: Sequence[int]) -> Any:
        """As `_pull`, where one rule computes all gradients."""
        wanted = set(on)
        return self._widely(self.joint(on, tuple([i in wanted for i in range(max(len(self.op.names), on[-1] + 1))])))

    def _widely(self, rules: Any) -> Any:
        """These rules, of half run in single precision."""
        return (lambda g, s: rules(widened(g), widened(list(s)))) if self.half else rules

    def unpack(self, node: Node, attach: Any) -> list[Any]:
        """What `node` saved, as Tensors, each at the node that it is the value of."""
        owner = dict(zip(self.tracked, node.parents))  # noqa: B905 (it is slower)
        owner[OUT] = node

        def tensors(value: Any, place: Any) -> Any:
            if hasattr(value, "dtype"):
                return attach(value, owner.get(place)) if type(value) is not Results else items(value, node)
            if place == self.variadic and type(value) is tuple:
                return tuple(attach(v, owner.get(place + i)) if hasattr(v, "dtype") else v for i, v in enumerate(value))
            return value

        return [tensors(v, k) for v, k in zip(node.saved, self.places)]  # noqa: B905 (it is slower)


class Among:
    """The plan of one call with a variadic argument: what `plan` is for that as a whole, and `which` lead to gradients."""

    item: int | None = None
    unpack = Plan.unpack

    def __init__(self, plan: Plan, which: list[int]) -> None:
        self.plan, self.tracked = plan, plan.tracked[:-1] + which

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)

    @property
    def arguments(self) -> list[str]:
        """The name of each argument that leads to a gradient."""
        return [self.plan.op.names[min(i, self.plan.variadic)] for i in self.tracked]

    def pull(self, g: Array, s: Sequence[Any]) -> Sequence[Array]:
        """As the plan's own."""
        return self.plan.pull_joint(self.tracked)(g, s)

    def partial(self, wanted: tuple[bool, ...]) -> Any:
        """As the plan's own."""
        return self.plan.pull_joint(list(compress(self.tracked, wanted)))


def keep_zero(g: Any, d: Any) -> Any:
    """The gradient `d` made of `g`, but 0 where `g` is 0 even if the local derivative is infinite or NaN there.

    A rule multiplies `g` by a local derivative, and 0 * inf is NaN. Only if a NaN is found are the zeros put in. The
    test costs little: a sum or a dot product is NaN if an element is (an infinite sum may be too: no harm is done).
    Zeros go in for NaN only: elsewhere `d` stays connected to `g`, for derivatives with respect to a `g` that is 0.
    """
    array = d if type(d) is ndarray or mode().tape is not None else getattr(d, "array", d)
    if (kind := type(array)) is ndarray or issubclass(kind, np.generic):  # or it is foreign, or on a tape, which knows no values
        total = sum(array.ravel().tolist()) if array.size < 100 else np.vdot(array, array)
        if total == total:
            return d
    return np.where((g == 0) & np.isnan(d), 0, d)


# ---------------------------------------------------------------- ops with several results
class Results(tuple[Any, ...]):
    """The results of an op with several, where an array would be: its shape is their shapes."""

    dtype = np.dtype(object)
    shape = property(lambda self: shape_of(tuple(self)))


class Item:
    """The plan of a node that is one result of an op with several."""

    def __init__(self, item: int, name: str) -> None:
        self.item, self.name, self.keep = item, name, ()


_item = cache(Item)


def items(out: tuple[Array, ...], node: Node | None) -> tuple[Tensor, ...]:
    """The results of an op with several, as Tensors, each at a node of its own that leads to `node`."""
    nodes = (node and Node(_item(i, node.plan.name), (node,), (), v.shape, v.dtype) for i, v in enumerate(out))
    return tuple(map(wrap, out, nodes))


def shape_of(value: Any) -> Any:
    """The shape of an array, the shapes of several."""
    return tuple(map(np.shape, value)) if type(value) in (tuple, list) else np.shape(value)


def as_array(out: Any) -> Any:
    """What a function returned, as an array: NumPy turns 0-d results into scalars."""
    if isinstance(out, tuple):
        return Results(map(as_array, out))
    return out if hasattr(out, "__array_function__") and not isinstance(out, np.generic) else np.asarray(out)
