"""From a NumPy function and its gradient rules to a differentiable function of Tensors."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from functools import cache
from textwrap import indent
from typing import Any

import numpy as np

from .dtypes import DType, get_default_dtype, result_type
from .errors import NoGradientError, UnsupportedError, explain
from .graph import Array, Node, mode
from .tensor import NUMPY, Tensor, wrap

PRIMITIVES: dict[str, Any] = {}  # the table: every primitive by its name

# A primitive is a Python function written out for its arguments, as namedtuple and dataclass write theirs: a loop
# over `*args` would say the same and take half as long again. In braces stands what differs from op to op; for
# `multiply` the signature is `x, y`, and the arguments are this twice, with x, _x, 1 and with y, _y, 2.
_ARGUMENT = """\
if isinstance({x}, Tensor):
    _plain = False
    if (_node := {x}.node) is not None:
        _mask |= {bit}
        _parents.append(_node)
    {raw} = {x}.array
    if (_d := {raw}.dtype) is not _dtype:
        if _dtype is not None:
            _mixed = True
        elif _d.kind != "f":
            _odd = True
        _dtype = _d
elif not hasattr({x}, "dtype"):
    {raw} = {x}
elif isinstance({x}, generic):  # NumPy's scalars are as weak as Python's
    {raw} = {x}.item()
else:
    {raw}, _mixed = {x}, True
"""
_VARIADIC = """\
_{x}, _bit = [], {bit}
for _a in {x}:
{each}
    _{x}.append(_r)
    _bit += _bit
"""
_PRIMITIVE = """\
def op({signature}):
    _parents, _mask, _dtype, _mixed, _odd, _plain = [], 0, None, False, False, {plain}
{arguments}
    if _mixed and casts is not None and (_cast := promoted([{values}], casts)) is not None:
        return op(*_cast)
    try:
        _out = fun({raws})
    except (TypeError, ValueError, IndexError) as _error:
        raise explain(op.name, op.names, [{raws}], _error) from _error
    if _plain:  # called from a rule on plain arrays: stay plain
        return _out
    if type(_out) is not ndarray:
        _out = as_array(_out)
    if _odd and casts is not None and (_cast := promoted([{values}], casts, _out.dtype)) is not None:
        return op(*_cast)
    _recording, _tape = current_mode()
    if _tape is not None:
        _tape.append((op, [{raws}], _out))
    _node = None
    if _mask and _recording and differentiable:
        if (_plan := plans.get(_mask)) is None:
            _plan = plans[_mask] = Plan(op, _mask)
        _node = Node(_plan, _parents, _plan.save(_out, {raws}), _out.shape, _out.dtype)
    if type(_out) is Results:
        return items(_out, _node)
    _result = new(Tensor)
    _result.array, _result.node = _out, _node
    return _result
"""


class Plan:
    """A primitive's rules, specialised to the arguments (a bit mask) that need gradients.

    From the parameter names of the rules it writes two functions: `save` picks what to keep for backward, `pull`
    calls the rules with it. For `x * y` with only x tracked, whose rule is `lambda g, y: g * y`, they are

        save = lambda out, x, y: (y,)
        pull = lambda g, s: [x(g, s[0])]         # x is the rule for x
    """

    item: int | None = None  # which result, for a node that is one of several results

    def __init__(self, op: Any, mask: int) -> None:
        names, rules = op.names, op.rules
        self.name, self.op = op.name, op
        self.tracked = [i for i in range(mask.bit_length()) if mask >> i & 1]
        self.arguments = [names[min(i, len(names) - 1)] for i in self.tracked]  # a variadic argument comes last
        used = ["joint"] if "joint" in rules else self.arguments
        if missing := [n for n in used if rules.get(n) is None]:
            raise NoGradientError(f"{op.name} has no gradient rule for {', '.join(missing)}; detach() it first")
        source = {n.lstrip("*"): n.lstrip("*") for n in names} | {"out": "out"}
        source |= {n + "_shape": f"shape_of({n})" for n in source}
        self.wants = {n: list(inspect.signature(rules[n]).parameters)[1:] for n in used}
        self.keep = list(dict.fromkeys(w for ws in self.wants.values() for w in ws if w != "needs"))
        if odd := [w for w in self.keep if w not in source]:
            raise UnsupportedError(f"a rule of {op.name} asks for {odd[0]!r}; it may ask for {', '.join([*source, 'needs'])}")
        places = {n.lstrip("*"): i for i, n in enumerate(names)}
        self.places = [places.get(w) for w in self.keep]  # which argument each saved value is, if it is one
        self.save = self._compile(f"lambda {', '.join(['out', *names])}: ({''.join(source[w] + ', ' for w in self.keep)})")
        self.partial = cache(self._pull)
        self.pull = self._pull((True,) * len(self.tracked))

    def _compile(self, code: str) -> Any:
        return eval(compile(code, f"<rules of {self.name}>", "eval"), self.op.rules | {"shape_of": shape_of, "keep_zero": keep_zero})

    def _pull(self, wanted: tuple[bool, ...]) -> Callable[[Array, Sequence[Any]], Sequence[Array]]:
        """The function from the gradient of the result and the saved values to the gradients that are wanted."""
        on = [i for i, w in zip(self.tracked, wanted, strict=True) if w]
        feed = {w: f"s[{k}]" for k, w in enumerate(self.keep)}
        feed["needs"] = str(tuple(i in on for i in range(max(len(self.op.names), on[-1] + 1))))
        calls = {n: f"{n}({', '.join(['g', *(feed[w] for w in ws)])})" for n, ws in self.wants.items()}
        if "joint" in calls:
            return self._compile(f"lambda g, s: [ds[i] for ds in [{calls['joint']}] for i in {on}]")  # type: ignore[no-any-return]
        each = "keep_zero(g, {})" if self.op.singular else "{}"
        return self._compile(f"lambda g, s: [{', '.join(each.format(calls[self.op.names[i]]) for i in on)}]")  # type: ignore[no-any-return]

    def unpack(self, node: Node, attach: Any) -> list[Any]:
        """What `node` saved, as Tensors, each at the node that it is the value of."""
        parents = dict(zip(self.tracked, node.parents, strict=True))

        def tensors(value: Any, place: int | None) -> Any:
            if isinstance(value, Results):
                return items(value, node)
            if place is not None and type(value) is tuple and self.op.names[place][0] == "*":
                return tuple(tensors(v, place + i) for i, v in enumerate(value))
            if not hasattr(value, "dtype") or isinstance(value, np.dtype):
                return value
            return attach(value, node if place is None else parents.get(place))

        return [tensors(v, k) for v, k in zip(node.saved, self.places, strict=True)]


class Item:
    """The plan of a node that is one result of an op with several."""

    keep: tuple[str, ...] = ()

    def __init__(self, item: int) -> None:
        self.item, self.name = item, f"item_{item}"


_item = cache(Item)


def items(out: tuple[Array, ...], node: Node | None) -> tuple[Tensor, ...]:
    """The results of an op with several, as Tensors, each at a node of its own that leads to `node`."""
    if node is None:
        return tuple(map(wrap, out))
    return tuple(wrap(v, Node(_item(i), (node,), (), v.shape, v.dtype)) for i, v in enumerate(out))


class Results(tuple[Any, ...]):
    """The results of an op with several, where an array would be: its shape is their shapes."""

    dtype = np.dtype(object)

    @property
    def shape(self) -> Any:
        return shape_of(tuple(self))


def shape_of(value: Any) -> Any:
    """The shape of an array, the shapes of several."""
    return tuple(map(np.shape, value)) if type(value) in (tuple, list) else np.shape(value)


def as_array(out: Any) -> Any:
    """What a function returned, as an array: NumPy turns 0-d results into scalars."""
    if isinstance(out, tuple):
        return Results(map(as_array, out))
    return out if hasattr(out, "__array_function__") and not isinstance(out, np.generic) else np.asarray(out)


def keep_zero(g: Any, d: Any) -> Any:
    """The gradient `d` made of `g`, but 0 where `g` is 0 even if the local derivative is infinite or NaN there.

    A rule multiplies `g` by a local derivative, and 0 * inf is NaN. Only if a NaN is found are the zeros put in. The
    test costs little: a sum or a dot product is NaN if an element is (an infinite sum may be too: no harm is done).
    """
    if type(d) is np.ndarray:
        total = sum(d.ravel().tolist()) if d.size < 100 else np.vdot(d, d)
        return d if total == total else np.where(g == 0, 0, d)
    if isinstance(d, Tensor) and mode().tape is None:  # a tape must not depend on values, so there the zeros always go in
        total = np.vdot(d.array, d.array)
        return d if total == total else np.where(g == 0, 0, d)
    return np.where(g == 0, 0, d)


def primitive(fun: Callable[..., Any], name: str | None = None, /, **rules: Any) -> Any:
    """Make `fun`, a function of arrays, differentiable: a function of Tensors, or of plain arrays as before.

    `rules` maps the arguments of `fun`, in order, to gradient rules written in NumPy; None says "no gradient". The
    first parameter of a rule is the gradient of the result. The others say what it needs, by name: an argument, `out`
    (the result), `x_shape`, `out_shape`. Nothing else is kept for backward. Where gradients share work, one rule
    called `joint` returns them all, in order; it may ask for `needs`, which says which of them are wanted.

    A rule returns the gradient as it comes out of the textbook formula: broadcasting and dtype are undone by the engine.
    If `fun` returns a tuple, `g` is a list with None for results that nobody used.

    Three options stand among the rules. `singular=True`: elementwise, with a local derivative that can be infinite or
    NaN; where g is 0 the gradient is then 0 all the same. `promote`: which arguments PyTorch's promotion of dtypes
    applies to, as a slice (all, for a ufunc). `creates=True`: makes Tensors out of arguments that are none.

    >>> import numpy as np, autograd
    >>> cube = primitive(lambda x: x**3, "cube", x=lambda g, x: 3 * g * x**2)
    >>> x = autograd.tensor(2.0, requires_grad=True)
    >>> cube(x).backward(); x.grad
    tensor(12.)
    """
    ufunc = isinstance(fun, np.ufunc)
    singular, creates = rules.pop("singular", False), rules.pop("creates", False)
    promote = rules.pop("promote", slice(None) if ufunc else None)
    ours = inspect.isfunction(fun) and not fun.__module__.startswith("numpy")  # NumPy's argument names vary by version
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(fun).parameters if ours else {n: inspect.Parameter(n, either) for n in rules if n != "joint"}
    name, names = name or fun.__name__, ["*" * (p.kind is p.VAR_POSITIONAL) + n for n, p in parameters.items()]
    if odd := set(rules) - set(parameters) - {"joint"}:
        raise UnsupportedError(f"{name} has a rule for {odd.pop()!r}, but takes {', '.join(names)}")
    scope = dict(
        fun=fun, casts=promote, differentiable=bool(rules), plans={}, current_mode=mode, generic=np.generic, ndarray=np.ndarray,
        new=object.__new__, promoted=_promoted, explain=explain, as_array=as_array, items=items,
        Tensor=Tensor, Node=Node, Plan=Plan, Results=Results,
    )  # fmt: skip
    if taken := {n for n in parameters if n in scope or n in ("g", "s", "out", "needs") or n[0] == "_"}:
        raise UnsupportedError(f"an argument of {name} is called {taken.pop()!r}, which means something else in a primitive")
    op = _write(name, list(parameters.values()), not creates, scope)
    op.__name__ = op.__qualname__ = op.name = name
    op.fun, op.names, op.singular = fun, names, singular
    op.rules = {"*" + n if "*" + n in names else n: rule for n, rule in rules.items()}
    if not ours:
        NUMPY.setdefault(fun, op)
    PRIMITIVES[name] = op
    return op


def _write(name: str, parameters: list[inspect.Parameter], plain: bool, scope: dict[str, Any]) -> Any:
    """The function that `_PRIMITIVE` describes, for these parameters and in this scope."""
    arguments, signature, values, raws = "", [], [], []
    for i, p in enumerate(parameters):
        if p.kind is p.VAR_POSITIONAL:
            each = indent(_ARGUMENT.format(x="_a", raw="_r", bit="_bit"), "    ")
            arguments += _VARIADIC.format(x=p.name, bit=1 << i, each=each)
        else:
            arguments += _ARGUMENT.format(x=p.name, raw="_" + p.name, bit=1 << i)
        star = "*" * (p.kind is p.VAR_POSITIONAL)
        values.append(star + p.name)
        raws.append(star + "_" + p.name)
        signature.append(values[-1] + ("" if p.default is p.empty else f"=_default_{p.name}"))
        scope["_default_" + p.name] = p.default
    code = _PRIMITIVE.format(
        signature=", ".join(signature), plain=plain, values=", ".join(values), raws=", ".join(raws), arguments=indent(arguments, "    ")
    )
    file = f"<primitive {name}>"
    linecache.cache[file] = len(code), None, code.splitlines(True), file  # so that tracebacks show it
    exec(compile(code, file, "exec"), scope)
    return scope["op"]


def _promoted(args: list[Any], which: slice, result: DType | None = None) -> list[Any] | None:
    """`args` cast to the dtype that PyTorch would compute in, or None if they have it.

    Mixed dtypes are cast by an op like any other, so graphs and tapes show it and gradients are cast back. `result` is
    the dtype that NumPy computed without a cast; where it makes a float of integers, PyTorch makes its default float.
    """
    common = result_type(*args[which])
    if result is not None:
        if result.kind != "f":
            return None
        common = common if common.kind == "f" else get_default_dtype()
    wrong = [i for i in range(len(args))[which] if hasattr(args[i], "dtype") and args[i].dtype != common]
    wrong = [i for i in wrong if not isinstance(args[i], np.generic)]
    return [astype(a, common) if i in wrong else a for i, a in enumerate(args)] if wrong else None


astype = primitive(lambda x, dtype: np.astype(x, dtype), "astype", x=lambda g: g)
NUMPY[np.astype] = astype
