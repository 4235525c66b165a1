"""detect_anomaly: the op and the user's line that made the first NaN or Inf; both lines of in-place and freed-graph errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.batch import whole
from ..engine.grad_mode import lasting
from ..engine.graph import Array, Node, ambient, mode
from ..engine.primitive import Plan
from ..engine.tape import Tape, recording
from ..engine.warn import Line, seen, users_line
from ..errors import AnomalyError, FreedGraphError, GraphError, InPlaceError, describe

_PLACES = 3  # so many of the offending elements are shown


# ---------------------------------------------------------------- what listens
class Watch(Tape):
    """A tape that records nothing, looks at every result, and marks every node with the line that made it."""

    records = False

    def __init__(self, nan: bool, inf: bool, line: Line | None = None) -> None:
        self.nan, self.inf, self.line = nan, inf, line

    def op(self, op: Any, args: list[Any], out: Any) -> None:
        """Look at the result of an op."""
        for i, array in enumerate(map(whole, out if isinstance(out, tuple) else (out,))):
            if (bad := self.odd(array)) is None:
                continue
            nan = bool(np.any(np.isnan(array[bad])))
            if not nan and not all(map(_finite, args)):
                continue  # an Inf is reported where it is made; that which was given may be meant, as -inf in a mask
            named = dict(zip(argument_names(op.names, len(args)), map(whole, args), strict=True))
            result = f"result {i} of {op.name}" if isinstance(out, tuple) else op.name
            found = _found(array, bad, named if _elementwise(op) else {})
            advice = "; if an inf is meant here, pass check_inf=False" * (not nan)
            raise AnomalyError(f"{result} is {found}; its arguments were {_arguments(named)}; called at {users_line()}{advice}")

    def write(self, array: Array, index: Any, value: Any) -> Line:
        """Say at which line a write is."""
        return users_line()

    def node(self, node: Node) -> None:
        """Mark a node that was just made."""
        node.plan = WatchedPlan(node.plan, self.line or users_line())

    def odd(self, array: Array) -> Array | None:
        """Where `array` holds what is looked for, or None if it does not."""
        if not (self.nan or self.inf) or getattr(array, "dtype", np.dtype(bool)).kind != "f" or np.all(np.isfinite(array)):
            return None
        bad = ~np.isfinite(array) if self.nan and self.inf else np.isnan(array) if self.nan else np.isinf(array)
        return bad if np.any(bad) else None


class Around(Plan):
    """A plan in another, which does as that one does; its subclasses hear of it."""

    def __init__(self, plan: Any) -> None:
        self.plan = plan
        self.name, self.title, self.op, self.tracked, self.keep = plan.name, plan.title, plan.op, plan.tracked, plan.keep

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)

    def unpack(self, node: Node, attach: Any) -> Sequence[Any]:
        """As the plan's own."""
        return self.plan.unpack(node, attach)


class WatchedPlan(Around):
    """A plan that knows the line of its node, and looks at the gradients that its rules return."""

    def __init__(self, plan: Any, line: Line) -> None:
        super().__init__(plan)
        self.line = line
        self.swept: Line | None = None  # where the last backward that came here was called

    def check(self, node: Node) -> None:
        """As the plan's own, but errors name the user's lines."""
        try:
            self.plan.check(node)
        except FreedGraphError as error:
            raise FreedGraphError(f"{error}; saved at {self.line}; freed by the backward at {self.swept}") from None
        except InPlaceError as error:
            unseen = "a line that detect_anomaly did not see"
            lines = dict.fromkeys(str(where or unseen) for _, _, where in node.stale().values())
            raise InPlaceError(f"{error}; saved at {self.line}; modified at {' and '.join(lines)}") from None

    def partial(self, wanted: tuple[bool, ...]) -> Callable[..., Sequence[Any]]:
        """As the plan's own, but it looks at the gradients."""
        pull, places = self.plan.partial(wanted), [i for i, w in zip(self.tracked, wanted, strict=True) if w]

        def looked_at(g: Any, saved: Sequence[Any]) -> Sequence[Any]:
            self.swept = users_line()
            if not isinstance(watch := mode().tape, Watch):
                return pull(g, saved)
            # Steps inside of a rule may be NaN where g is 0, and are then put right; they are marked, but not looked at.
            with ambient(tape=Watch(False, False, self.line._replace(within=self.name))):
                ds = pull(g, saved)
            for place, d in zip(places, ds, strict=True):
                array = whole(d)
                if (bad := watch.odd(array)) is not None:
                    named = {k: whole(v) for k, v in zip(("g", *self.keep), (g, *saved), strict=True)}
                    found = _found(array, bad, named if _elementwise(self.op) else {})
                    argument = argument_names(self.op.names, place + 1)[place]
                    raise AnomalyError(
                        f"the gradient of {self.name} with respect to {argument} is {found}; "
                        f"it was made of {_arguments(named)}; {self.name} was called at {self.line}; backward at {self.swept}"
                    )
            return ds

        return looked_at


# ---------------------------------------------------------------- what an error says
def _finite(value: Any) -> bool:
    """Is there neither NaN nor Inf among the numbers in an argument?"""
    kind = getattr(value, "dtype", np.dtype(type(value)) if isinstance(value, float) else np.dtype(bool)).kind
    return kind != "f" or bool(np.all(np.isfinite(whole(value))))


def _elementwise(op: Any) -> bool:
    return op.singular or (isinstance(op.fun, np.ufunc) and op.fun.signature is None)


def argument_names(names: list[str], count: int) -> list[str]:
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
    value = whole(value)
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
    if recording() and not seen("detect_anomaly"):
        raise GraphError("detect_anomaly cannot listen while a tape records; switch it on outside of what is recorded")
