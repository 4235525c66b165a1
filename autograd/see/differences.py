"""The definition of a derivative, on a recording: its ops are run again, in double precision, with one number changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..engine.graph import Array
from .record import Backward, Event, Recording, Unknown, Value, Write

_STEP = 1e-5  # times the size of the number: the error of central differences is then about 1e-10
_ELEMENTS = 12  # of a larger array, so many are tried, evenly spread
_RUNS = 20_000  # ops that may be run for one value, or else nothing is compared


class Difference(NamedTuple):
    """What finite differences say of one gradient, beside what backward says."""

    value: Value
    places: list[int]  # of the elements that were tried, counted in the flattened array
    numeric: Array  # the differences
    found: Array  # the elements of the gradient

    @property
    def worst(self) -> float:
        """The largest difference between the two, relative to the larger of the gradient's largest number and 1e-3."""
        scale = max(float(np.max(np.abs(self.found), initial=0)), float(np.max(np.abs(self.numeric), initial=0)), 1e-3)
        return float(np.max(np.abs(self.numeric - self.found), initial=0)) / scale

    @property
    def agrees(self) -> bool:
        """Do they agree as far as the gradient's own precision goes, and some kinks nearby?"""
        return self.worst < (1e-3 if self.value.array.dtype.itemsize >= 4 else 3e-2)


def difference(tape: Recording, backward: Backward, value: Value) -> Difference | None:
    """Compare the gradient of `value` in a backward with differences of what it started from; None if nothing can be run.

    What detach() or no_grad() kept from it stays what it was, as to backward. Functions, random draws and writes into a part of
    memory are not run again.
    """
    gradient = backward.gradient(value)
    if gradient is None or value.array is None or value.array.dtype.kind != "f" or not value.array.size:
        return None
    events = _downstream(tape, backward, value)
    size = value.array.size
    places = sorted(set(np.linspace(0, size - 1, min(size, _ELEMENTS)).astype(int).tolist()))
    if events is None or 2 * len(places) * len(events) > _RUNS:
        return None
    base = np.asarray(value.array, np.float64)
    found = []
    try:
        with np.errstate(all="ignore"):
            if not np.isclose(_run(events, backward, value, base), _recorded(backward), 1e-3, 1e-4):
                return None  # it does not do the same when it is run again
            for place in places:
                h = _STEP * max(1.0, abs(float(base.flat[place])))
                ends = [_run(events, backward, value, _changed(base, place, sign * h)) for sign in (1, -1)]
                found.append((ends[0] - ends[1]) / (2 * h))
    except Exception:  # an op that does not run on plain arrays of doubles
        return None
    return Difference(value, places, np.array(found), np.ravel(np.asarray(gradient, np.float64))[places])


def _changed(array: Array, place: int, by: float) -> Array:
    array = array.copy()
    array.flat[place] += by
    return array


def _downstream(tape: Recording, backward: Backward, value: Value) -> list[Event] | None:
    """The events through which gradients went from the roots to `value`, oldest first; None if one cannot be run."""
    reached = {value}
    found = []
    for event in sorted({one.event for one in backward.contributions}, key=lambda e: e.number):
        if reached.isdisjoint(event.tracked.values()):
            continue
        draws = any(isinstance(getattr(a, "numpy", None), np.random.Generator) for a in event.arguments.values())
        if draws or isinstance(event, Write) or getattr(event.op, "fun", None) is None:
            return None
        found.append(event)
        reached.update(event.results)
    return found


def _run(events: list[Event], backward: Backward, value: Value, array: Array) -> float:
    """What backward started from, times the gradients that it was given, if `value` is `array`."""
    now: dict[Value, Array] = {value: array}

    def given(name: str, argument: Any, event: Event, now: dict[Value, Array]) -> Any:
        if isinstance(argument, (tuple, list)):
            return type(argument)(given(name, a, event, now) for a in argument)
        if isinstance(argument, Unknown):
            return 0.0
        if isinstance(argument, Value):
            followed = name in event.tracked and argument in now
            return now[argument] if followed else _double(argument.array)
        return np.float64 if isinstance(argument, np.dtype) and argument.kind == "f" else argument

    for event in events:
        out = event.op.fun(*(given(n, a, event, now) for n, a in event.arguments.items()))
        if any(isinstance(a, Unknown) for a in event.arguments.values()):  # no rule asks for it, so what it adds is a constant
            before = event.op.fun(*(given(n, a, event, {}) for n, a in event.arguments.items()))
            known = event.results[0].array
            out = out - before + (0 if known is None else known)
        now.update(zip(event.results, out if isinstance(out, tuple) else (out,), strict=True))
    return float(sum(np.sum(now[root] * np.asarray(seed.array, np.float64)) for root, seed in backward.roots if root in now))


def _recorded(backward: Backward) -> float:
    """The same, as it was."""
    return float(sum(np.sum(np.asarray(r.array, np.float64) * np.asarray(s.array, np.float64)) for r, s in backward.roots))


def _double(array: Array) -> Any:
    if array is None:  # nobody kept it, and no rule asks for it
        return 0.0
    return np.asarray(array, np.float64) if array.dtype.kind == "f" else array
