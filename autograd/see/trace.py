"""Recordings of graphs that nobody watched: what their nodes remember, and a backward that is listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..check.anomaly import argument_names
from ..engine.graph import Node, ambient, ancestors, last_write
from ..engine.primitive import OUT
from ..engine.tensor import Tensor, grad
from ..engine.warn import Line, users_frame
from ..errors import FreedGraphError, InPlaceError, NoGradientError
from .record import Op, Overheard, Recording, Unknown, Value, variables


def recorded(tensors: Any, names: Any, what: str) -> Recording:
    """The recording that a Tensor, or several, took part in, with a backward; if none did, one made of their graph.

    Raises NoGradientError if there is no graph or only a leaf, and FreedGraphError if what it saved is gone.
    """
    if isinstance(tensors, Recording):
        return tensors
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    nodes = [t.node for t in roots if t.node is not None]
    tape = tape_of(roots, names, what)
    if any(r in tape._at and tape._at[r] in b.gradients for b in tape.backwards for r in nodes):
        return tape
    if not any(e.node is not None for e in tape.events):
        raise NoGradientError(f"{what}: this tensor is a leaf, which nothing was computed for")
    complete(tape)
    ends = [n for n in ancestors(nodes) if n.plan is None]
    hear(tape, lambda: _sweep(roots, ends), what)
    return tape


def tape_of(roots: Sequence[Tensor], names: Any, what: str) -> Recording:
    """The recording that all these were made in, if it is still there; or what their graph remembers."""
    nodes = [t.node for t in roots if t.node is not None]
    if not nodes:
        raise NoGradientError(f"{what}: no graph leads to this tensor, as nothing it was made of requires grad")
    heard = {id(tape): tape for n in nodes if (tape := _listener(n)) is not None}
    tape = heard.popitem()[1] if len(heard) == 1 else None
    return tape if tape is not None and all(tape.find(t) for t in roots) else _remembered(roots, nodes, names)


def hear(tape: Recording, sweep: Callable[[], Any], what: str) -> None:
    """Let a recording hear a backward through its graph; the graph stays as it is."""
    events = [e for e in tape.events if e.node is not None]
    plans = [e.node.plan for e in events]  # type: ignore[union-attr]
    try:
        for event, plan in zip(events, plans, strict=True):
            if not isinstance(plan, Overheard) or plan.tape() is not tape:
                event.node.plan = Overheard(plan, tape, event)  # type: ignore[union-attr]
        with ambient(tape=tape), np.errstate(all="ignore"):
            sweep()
    except FreedGraphError as error:
        advice = "ask before backward(), or record both in `with autograd.watch():`"
        raise FreedGraphError(f"{what}: what the graph saved was freed by backward; {advice}") from error
    finally:
        for event, plan in zip(events, plans, strict=True):
            event.node.plan = plan  # type: ignore[union-attr]


def _sweep(roots: list[Tensor], ends: list[Node]) -> None:
    stand_ins = []
    for node in ends:  # the sweep asks for Tensors, nodes do not know theirs
        t = object.__new__(Tensor)
        t.array, t.node = np.zeros(node.shape, node.dtype), node
        stand_ins.append(t)
    found = [t for t in roots if t.node is not None]
    grad(found, stand_ins, [np.ones_like(t.array) for t in found], retain_graph=True, allow_unused=True)


def _listener(node: Node) -> Recording | None:
    plan = node.plan if node.plan is None or node.plan.item is None else node.parents[0].plan
    return plan.tape() if isinstance(plan, Overheard) else None


def stale(node: Node) -> bool:
    """Was something that the node saved modified in place since?"""
    try:
        if node.saved:
            node.plan.check(node)
    except InPlaceError:
        return True
    return False


def _remembered(roots: Sequence[Tensor], nodes: Sequence[Node], names: Any) -> Recording:
    """What can be told of a graph that nobody watched: ops, and of their arguments what they saved."""
    tape = Recording(names)
    at: dict[Node, list[Value]] = {}
    for node in ancestors(nodes):
        plan = node.plan
        if plan is not None and plan.item is not None:
            at[node] = [at[node.parents[0]][plan.item]]
            tape._attach(at[node][0], node)
            continue
        if plan is None:
            value = Value(None)
            at[node] = [value]
            tape._attach(value, node)
            continue
        event = Op()
        last = max([*plan.tracked, *(p for p in getattr(plan, "places", ()) if isinstance(p, int))], default=0)
        event.op, event.name, event.number = plan.op, plan.name, len(tape.events)
        event.places = argument_names(list(plan.op.names), max(last + 1, len([n for n in plan.op.names if n[0] != "*"])))
        event.arguments = {n: Unknown() for n in event.places}
        event.node, event.grad, event.modules, event.line = node, True, (), Line("", 0)
        event.results = [Value(None, event) for _ in (node.shape if node.dtype == object else (0,))]
        for place, parent in zip(plan.tracked, node.parents, strict=True):
            event.arguments[event.places[place]] = at[parent][0]
        kept = () if stale(node) else node.saved or ()
        for place, saved in zip(getattr(plan, "places", ()), kept, strict=False):
            if place == OUT:
                for result, array in zip(event.results, saved if isinstance(saved, tuple) else (saved,), strict=True):
                    result.array = array
            elif place is not None:
                _fill(tape, event, place, saved)
        tape.events.append(event)
        at[node] = event.results
        if node.dtype != object:
            tape._attach(event.results[0], node)
    for t in roots:
        if t.node is not None:
            at[t.node][0].array = t.array
    for event in tape.events:  # type: ignore[assignment]
        for r in event.results:
            if r.array is not None:
                tape._hold(r.array, r)
    _recognize(tape, at)
    tape._number_names()
    return tape


def _fill(tape: Recording, event: Op, place: int, saved: Any) -> None:
    """What a node saved of an argument: a value that is known already gets its array, others are constants."""
    several = isinstance(saved, tuple) and event.op.names[-1][0] == "*" and place >= len(event.op.names) - 1
    for i, part in enumerate(saved if several else (saved,)):
        name = event.places[place + i] if place + i < len(event.places) else f"{event.op.names[-1][1:]}[{i}]"
        known = event.arguments.get(name)
        if isinstance(known, Value):
            known.array = part if known.array is None else known.array
        else:
            event.arguments[name] = tape._argument(part)


def _recognize(tape: Recording, at: dict[Node, list[Value]]) -> None:
    """Arrays and names of the values whose Tensors the user's variables hold."""
    found, frame = list(tape._given), users_frame()
    while frame is not None:
        held = variables(frame)
        modules = [m for m in held.values() if hasattr(m, "named_parameters") and not isinstance(m, type)]
        found += [pair for m in modules for pair in m.named_parameters()]
        found += [(n, t) for n, t in held.items() if isinstance(t, Tensor) and n[0] != "_" and n.isidentifier()]
        frame = frame.f_back if frame.f_code.co_name != "<module>" else None  # type: ignore[assignment]
    for name, t in found:
        if t.node in at:
            value = at[t.node][0]
            value.array, value.name = t.array if value.array is None else value.array, value.name or name
        elif (constant := tape._known.get(id(t.array))) is not None and not constant.name:
            constant.name = name


def complete(tape: Recording) -> None:
    """Compute the results that nobody kept, of ops all of whose arguments are known, and as they were."""
    for event in tape.events:
        node, fun = event.node, getattr(event.op, "fun", None)
        if node is None or fun is None or event.results[0].array is not None or event.name == "written":
            continue
        arguments = [a.array if isinstance(a, (Value, Unknown)) else a for a in event.arguments.values()]
        if any(a is None and isinstance(v, (Value, Unknown)) for a, v in zip(arguments, event.arguments.values(), strict=True)):
            continue
        if any(isinstance(a, np.ndarray) and last_write(a)[0] > node.time for a in arguments):
            continue
        try:
            with np.errstate(all="ignore"):
                out = fun(*arguments)
        except Exception:  # whatever it needs that is not known: the value stays unknown
            continue
        for result, array in zip(event.results, out if isinstance(out, tuple) else (out,), strict=True):
            result.array = np.asarray(array)
