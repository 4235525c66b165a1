"""detect_anomaly: the op and the user's line that made the first NaN or Inf; both lines of in-place and freed-graph errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakSet

import numpy as np

from ..engine.grad_mode import lasting
from ..engine.graph import Array, Node, _writes, ambient, memory, mode, write
from ..engine.warn import Line, users_line
from ..errors import AnomalyError, FreedGraphError, GraphError, InPlaceError, describe

_PLACES = 3  # so many of the offending elements are shown


# ---------------------------------------------------------------- what listens
class Watch:
    """What stands in the place of a tape, records nothing, looks at every result, and marks every node with its line."""

    def __init__(self, nan: bool, inf: bool, line: Line | None = None, nodes: WeakSet[Node] | None = None) -> None:
        self.nan, self.inf, self.line = nan, inf, line
        self.nodes = WeakSet[Node]() if nodes is None else nodes

    def __iter__(self) -> Iterator[Any]:  # as a tape it is empty
        return iter(())

    def append(self, entry: tuple[Any, list[Any], Any]) -> Line | None:
        """Hear of an op, its arguments and its result; or of a write, and say at which line it is."""
        op, args, out = entry
        if op is write:
            return users_line()
        for i, array in enumerate(out if isinstance(out, tuple) else (out,)):
            if (bad := self.odd(array)) is None:
                continue
            nan = bool(np.any(np.isnan(array[bad])))
            if not nan and not all(map(_finite, args)):
                continue  # an Inf is reported where it is made; that which was given may be meant, as -inf in a mask
            named = dict(zip(_names(op.names, len(args)), args, strict=True))
            result = f"result {i} of {op.name}" if isinstance(out, tuple) else op.name
            found = _found(array, bad, named if _elementwise(op) else {})
            advice = "; if an inf is meant here, pass check_inf=False" * (not nan)
            raise AnomalyError(f"{result} is {found}; its arguments were {_arguments(named)}; called at {users_line()}{advice}")
        return None

    def odd(self, array: Array) -> Array | None:
        """Where `array` holds what is looked for, or None if it does not."""
        if not (self.nan or self.inf) or getattr(array, "dtype", np.dtype(bool)).kind != "f" or np.all(np.isfinite(array)):
            return None
        bad = ~np.isfinite(array) if self.nan and self.inf else np.isnan(array) if self.nan else np.isinf(array)
        return bad if np.any(bad) else None

    def watch(self, node: Node) -> None:
        """Mark a node that was just made."""
        node.plan, node.__class__ = WatchedPlan(node.plan, self.line or users_line()), WatchedNode
        self.nodes.add(node)


class WatchedPlan:
    """A plan that knows the line of its node, and looks at the gradients that its rules return."""

    def __init__(self, plan: Any, line: Line) -> None:
        self.plan, self.line = plan, line
        self.swept: Line | None = None  # where the last backward that came here was called

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)

    def pull(self, g: Any, saved: Sequence[Any]) -> Sequence[Any]:
        """As the plan's own."""
        return self._pull(self.plan.pull, self.plan.tracked, g, saved)

    def partial(self, wanted: tuple[bool, ...]) -> Callable[..., Sequence[Any]]:
        """As the plan's own."""
        places = [i for i, w in zip(self.plan.tracked, wanted, strict=True) if w]
        return lambda g, saved: self._pull(self.plan.partial(wanted), places, g, saved)

    def _pull(self, pull: Any, places: list[int], g: Any, saved: Sequence[Any]) -> Sequence[Any]:
        self.swept = users_line()
        if not isinstance(watch := mode().tape, Watch):
            return pull(g, saved)
        # Steps inside of a rule may be NaN where g is 0, and are then put right; so they are marked, but not looked at.
        with ambient(tape=Watch(False, False, self.line._replace(within=self.plan.name), watch.nodes)):
            ds = pull(g, saved)
        for place, d in zip(places, ds, strict=True):
            array = getattr(d, "array", d)
            if (bad := watch.odd(array)) is not None:
                name, op = self.plan.name, self.plan.op
                named = {k: getattr(v, "array", v) for k, v in zip(("g", *self.plan.keep), (g, *saved), strict=True)}
                found = _found(array, bad, named if _elementwise(op) else {})
                raise AnomalyError(
                    f"the gradient of {name} with respect to {_names(op.names, place + 1)[place]} is {found}; "
                    f"it was made of {_arguments(named)}; {name} was called at {self.line}; backward at {self.swept}"
                )
        return ds


class WatchedNode(Node):
    """A node whose errors name the user's lines."""

    __slots__ = ()

    def check(self) -> None:
        """Raise unless the values saved for the rules are still there, and are what they were."""
        plan = self.plan
        try:
            super().check()
        except FreedGraphError as error:
            raise FreedGraphError(f"{error}; saved at {plan.line}; freed by the backward at {plan.swept}") from None
        except InPlaceError as error:
            writes = [w for a in _saved(self) if (w := _writes.get(id(a), (-1,)))[0] > self.time]
            lines = dict.fromkeys(str(w[2]) if len(w) > 2 else "a line that detect_anomaly did not see" for w in writes)
            raise InPlaceError(f"{error}; saved at {plan.line}; modified at {' and '.join(lines)}") from None


def _saved(node: Node) -> list[Array]:
    """The memory of every array that a node saved."""
    return [memory(a) for v in node.saved or () for a in (v if isinstance(v, tuple) else (v,)) if hasattr(a, "dtype")]


# ---------------------------------------------------------------- what an error says
def _finite(value: Any) -> bool:
    """Is there neither NaN nor Inf among the numbers in an argument?"""
    kind = getattr(value, "dtype", np.dtype(type(value)) if isinstance(value, float) else np.dtype(bool)).kind
    return kind != "f" or bool(np.all(np.isfinite(value)))


def _elementwise(op: Any) -> bool:
    return op.singular or (isinstance(op.fun, np.ufunc) and op.fun.signature is None)


def _names(names: list[str], count: int) -> list[str]:
    """A name for each of `count` arguments: those of a variadic `*xs` are `xs[0]`, `xs[1]`, ..."""
    last = len(names) - 1
    return [f"{names[last][1:]}[{i - last}]" if names[min(i, last)][0] == "*" else names[i] for i in range(count)]


def _found(array: Array, bad: Array, elements: dict[str, Any]) -> str:
    """Some of the offending values of `array`, with their indices and the `elements` that they were made of."""
    parts = []
    for index in map(tuple, np.argwhere(bad)[:_PLACES].tolist()):
        made_of = []
        for name, value in elements.items():
            with contextlib.suppress(ValueError):  # a saved array of another shape has no element here
                if np.ndim(value):
                    made_of.append(f"{name} = {np.broadcast_to(value, array.shape)[index]:.6g}")
        parts.append(f"{array[index]:.6g}" + f" at {list(index)}" * bool(index) + f" ({', '.join(made_of)})" * bool(made_of))
    more = int(bad.sum()) - len(parts)
    return ", ".join(parts) + f" and at {more} more of {array.size} places" * bool(more)


def _arguments(named: dict[str, Any]) -> str:
    """Shapes of the arrays, with the range of their numbers; the rest as it is."""
    return ", ".join(f"{name} {_argument(value)}" for name, value in named.items())


def _argument(value: Any) -> str:
    if isinstance(value, (tuple, list)) and any(hasattr(v, "dtype") for v in value):
        return f"({', '.join(map(_argument, value))})"
    value = getattr(value, "array", value)
    if not hasattr(value, "dtype"):
        return f"= {describe(value)}"
    if not value.shape:
        return f"{describe(value)} = {value:.6g}"
    text = describe(value)
    if value.dtype.kind == "f" and value.size:
        finite = value[np.isfinite(value)]
        if finite.size:
            text += f" from {finite.min():.6g} to {finite.max():.6g}"
        if finite.size < value.size:
            text += f" with {_found(value, ~np.isfinite(value), {})}"
    return text


# ---------------------------------------------------------------- what a user calls
class detect_anomaly(ambient):
    """Stop at the first NaN or Inf, forward or backward, in a with-block or in the function that this decorates.

    The AnomalyError names the op, its arguments' shapes, offending values with their indices, and the line of your program
    that called the op; for a gradient, the line of the op in the forward pass and that of backward. Errors about values
    modified in place and about freed graphs name both lines: where a value was saved, and where it was modified or freed.

    A NaN is always reported, unless `check_nan` is False. An Inf is reported where an op makes it out of finite numbers:
    one that was given, as the -inf that masks attention scores, passes, and so does what comes of it. Gradients must be
    finite. `check_inf=False` lets every Inf pass, for programs in which log(0) = -inf is meant, perhaps on the way to a finite
    result that a clamp makes of it. A NaN in the branch that a `where` does not take is one, although no gradient
    comes of it here: `set_detect_anomaly(False)` around such a line lets it pass. Every op is looked at, which takes time.
    PyTorch: torch.autograd.detect_anomaly, which checks for NaN in gradients.

    >>> import autograd
    >>> x = autograd.tensor([4.0, 0.0], requires_grad=True)
    >>> with autograd.detect_anomaly():  # doctest: +ELLIPSIS
    ...     y = x.sqrt()
    ...     y.sum().backward()
    Traceback (most recent call last):
    autograd.errors.AnomalyError: the gradient of sqrt with respect to x is inf at [1] (g = 1, out = 0); it was made of ...
    """

    def __init__(self, check_nan: bool = True, check_inf: bool = True) -> None:
        super().__init__(tape=Watch(check_nan, check_inf))

    def _recreate_cm(self) -> detect_anomaly:
        watch = self.changes["tape"]
        return detect_anomaly(watch.nan, watch.inf)

    def __enter__(self) -> None:
        _refuse_a_tape()
        super().__enter__()


class set_detect_anomaly(lasting):
    """Detect anomalies from here on, or not; in a with-block, until its end (torch.autograd.set_detect_anomaly).

    See `detect_anomaly` for what is detected.
    """

    def __init__(self, mode: bool, check_nan: bool = True, check_inf: bool = True) -> None:
        _refuse_a_tape()
        super().__init__(tape=Watch(check_nan, check_inf) if mode else None)


def _refuse_a_tape() -> None:
    if isinstance(mode().tape, list):
        raise GraphError("detect_anomaly cannot listen while a tape records; switch it on outside of what is recorded")
