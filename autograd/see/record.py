"""watch: a recording of what a program computes, writes and sends backward, taken down as the engine does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from ..check.anomaly import Around, argument_names
from ..engine.graph import Array, Node, ambient, fit, memory, mode, sweep
from ..engine.inplace import Outdated
from ..engine.tape import Tape, recording
from ..engine.tensor import Tensor, grad
from ..engine.warn import OURS, Line, seen
from ..errors import ArgumentError, GraphError

_PARTS = 20  # of a list or dict, so many Tensors get a name


# ---------------------------------------------------------------- what is taken down
class Value:
    """An array as it was between two writes to it: a leaf, a result, a gradient. It is the array itself, no copy of it.

    Only when it is about to be overwritten the numbers are copied, so `array` always holds what was there at the time.
    """

    def __init__(self, array: Any, made: Event | None = None) -> None:
        self.array = array  # None: the result of a Function that nothing used
        self.name = ""  # what the user calls it: a variable, a parameter's full name; later values of one name have a number
        self.symbol = ""  # what it is called in formulas: its name, or v1, v2, ... for results and c1, c2, ... for constants
        self.node: Node | None = None  # where gradients to it go, None if there are none
        self._made = None if made is None else ref(made)  # weakly: the recording holds its events, in a list, not in a chain

    @property
    def made(self) -> Event | None:
        """The Op or Write that it is a result of; None for a leaf."""
        return None if self._made is None else self._made()

    @property
    def title(self) -> str:
        """What it is called where there is room: its name, or its symbol with its op, `v4 tanh`."""
        made = self.made
        return self.name or " ".join(part for part in (self.symbol, "" if made is None else made.name) if part)

    @property
    def shape(self) -> Any:
        """Its shape, which is known even where nobody kept the array."""
        return self.node.shape if self.array is None and self.node is not None else np.shape(self.array)

    def __repr__(self) -> str:
        return f"<Value {self.title} {self.shape}>"


class Unknown:
    """Stands for an argument that no node kept, in the recording of a graph that was made before."""

    symbol, array = "?", None

    def __repr__(self) -> str:
        return "?"


class Call(NamedTuple):
    """A module that was being called."""

    name: str  # its full name in the outermost one that was called, `` for that itself
    kind: str  # its class
    number: int  # which call: ops of one call of a module have the same
    module: Any

    def __repr__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class Event:
    """What an Op and a Write have in common: arguments became results, at a line of the user's program."""

    op: Any  # the primitive, or what stands for it
    name: str  # of that
    number: int  # its place in `tape.events`
    arguments: dict[str, Any]  # by the name that rules know it by, in order: a Value, or a constant as it is, or several
    places: list[str]  # these names, as the node's plan counts them
    results: list[Value]
    node: Node | None = None  # None if no graph was recorded
    line: Line
    modules: tuple[Call, ...]  # from the outermost to the innermost
    grad: bool  # were graphs being recorded? False under no_grad()
    within: Event | None = None  # the event in whose gradient it was done, with create_graph
    backward: Backward | None = None  # the backward in which it was done

    @property
    def values(self) -> list[Value]:
        """The arguments that are values."""
        return [v for v in self.arguments.values() if isinstance(v, Value)]

    @property
    def tracked(self) -> dict[str, Value]:
        """The arguments that gradients go back to."""
        return {} if self.node is None else {n: self.arguments[n] for n in (self.places[i] for i in self.node.plan.tracked)}

    @property
    def detached(self) -> dict[str, Value]:
        """The arguments through which a gradient could have gone on, but does not: detach(), no_grad(), an op without a rule."""
        tracked = self.tracked
        if self.node is None and any(r in self.values for r in self.results):  # what was written is at a node of its own
            return {}
        return {n: v for n, v in self.arguments.items() if n not in tracked and isinstance(v, Value) and v.node is not None}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}: {self.name}>"


class Op(Event):
    """A primitive that was called, or a Function."""


class Write(Event):
    """A write in place. `arguments` are `x`, the value that was there, and `value`; what is there after is the result.

    Its node, if it has one, is of the primitive `written`. A write of a whole Tensor, as `x.mul_(y)`, has none: x then is
    at the node of the product.
    """

    index: Any  # where, in `arguments["x"]`


class Contribution(NamedTuple):
    """What one rule adds to one gradient: a step of the chain rule."""

    event: Event  # whose rule it is
    argument: str  # for which argument
    g: Value | list[Value | None]  # what it was given: the gradient of the event's result, see Pull
    to: Value  # which that was
    d: Value  # what the rule returned
    total: Value | None  # the gradient of `to` that had come together before, None for the first
    number: int  # its place among the contributions of its backward

    @property
    def summed(self) -> tuple[int, ...]:
        """The axes of `d` that the engine sums over, since `to` was broadcast along them."""
        shape, like = np.shape(self.d.array), np.shape(self.to.array)
        lead = len(shape) - len(like)
        return (*range(lead), *(i + lead for i, n in enumerate(like) if n == 1 != shape[i + lead])) if shape != like else ()

    @property
    def fitted(self) -> Array:
        """`d` as the engine adds it: summed where there was broadcasting, in the dtype of what it is the gradient of."""
        assert self.to.node is not None, "gradients go to nodes"
        return np.asarray(fit(np.asarray(self.d.array), self.to.node))

    @property
    def cast(self) -> Any:
        """The dtype that the engine brings it to, if `d` had another."""
        return None if self.fitted.dtype == self.d.array.dtype else self.fitted.dtype


class Pull(NamedTuple):
    """A turn of the sweep: an event, the gradient that had come to it, and what its rules made of that."""

    event: Event
    g: Value | list[Value | None]  # as the rules got it, after hooks; of several results a list with holes
    contributions: list[Contribution]
    hooked: bool  # did hooks see it, who may have changed it?


class Backward:
    """One sweep back through the graph: of backward(), of grad(), or of what calls these."""

    def __init__(self, number: int, line: Line, create_graph: bool) -> None:
        self.number, self.line, self.create_graph = number, line, create_graph
        self.pulls: list[Pull] = []  # in the order of the sweep: newest first
        self.roots: list[tuple[Value, Value]] = []  # what it started from, with the gradients that were given
        self.gradients: dict[Value, Value] = {}  # of everything that it came to; see `gradient`
        self.contributions: list[Contribution] = []  # in order: those of the pulls
        self._to: dict[Value, list[Contribution]] = {}

    def to(self, value: Value) -> list[Contribution]:
        """What was added up to the gradient of `value`, in order."""
        return self._to.get(value, [])

    def gradient(self, value: Value) -> Array | None:
        """The gradient of `value` that came together in this backward, None if none came there."""
        found = self.gradients.get(value)
        return None if found is None else found.array

    def __repr__(self) -> str:
        return f"<Backward {self.number}: {len(self.pulls)} pulls>"


# ---------------------------------------------------------------- the recording
class Recording(Tape):
    """All that happens in a with-block, in order: see `watch`.

    `events` holds every Op and Write, `backwards` every Backward; their fields are described at these classes. `values` are
    all Values but gradients. `value(tensor)` is the Value that a Tensor, or a variable's name, stands for at the end, and
    `gradient(tensor)` the gradient that the last backward brought there, whether it is a leaf or not.

    Arrays are kept by reference and copied only before they are overwritten, so a recording costs what its intermediate
    values take. It holds nodes, and nodes do not hold it: when it goes, the graph is as if nobody had listened.
    """

    records = False

    def __init__(self, names: Any = None) -> None:
        self.events: list[Event] = []
        self.backwards: list[Backward] = []
        self._given = named(names, "watch")
        self._known: dict[int, Value] = {}  # by the id of the array that holds it now
        self._held: dict[int, list[tuple[Array, Value]]] = {}  # by the id of the owner of their memory
        self._at: dict[Node, Value] = {}  # by node
        self._modules: dict[int, tuple[Any, dict[int, str]]] = {}  # the outermost called, with the names of those inside
        self._parameters: dict[int, str] = {}  # by the id of the array
        self._calls: list[tuple[FrameType, Call]] = []  # those of the last op
        self._count = 0  # of calls
        self._pulling: list[Event] = []
        self._swept: FrameType | None = None
        self._users: list[FrameType] = []  # the user's frames at the last event
        self._files: dict[str, bool] = {}  # is it the user's?
        self._frame: FrameType | None = None  # of the with-block
        self._switch: ambient | None = None
        self._made = False
        self._ears: list[tuple[dict[int, Any], int]] = []

    # ------------------------------------------------------------ the block
    def __enter__(self) -> Recording:
        if recording() and not seen("watch"):
            raise GraphError("watch cannot listen while a tape records; use it outside of what is recorded")
        if self._made:
            raise GraphError("this recording has been made; watch() makes another")
        self._frame = _caller(sys._getframe(1))
        for name, t in self._given:
            self._value(t.array).name = name
            self._parameters[id(t.array)] = name
        self._switch, self._made = ambient(tape=self), True
        self._switch.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._switch is not None, "entered before"
        self._switch.__exit__(*exception)
        for hooks, key in self._ears:
            hooks.pop(key, None)
        if self._frame is not None:
            self._name([self._frame], containers=True)
        for root, _ in self._modules.values():
            self._name_parameters(root)
        self._number_names()
        self._frame = self._swept = self._switch = None
        self._calls, self._ears, self._users = [], [], []

    def __repr__(self) -> str:
        return f"<Recording: {len(self.events):,} events, {len(self.backwards)} backward>"

    # ------------------------------------------------------------ what it is asked
    @property
    def values(self) -> list[Value]:
        """Leaves and data, then all results, each in order; no gradients of a backward without create_graph."""
        used = dict.fromkeys(v for e in self.events for v in e.values)
        return [v for v in used if v.made is None] + [v for e in self.events for v in e.results]

    def find(self, tensor: Any) -> Value | None:
        """As `value`, but None if it did not take part."""
        if isinstance(tensor, str):
            return next((v for v in self.values if v.name == tensor), None)
        return self._known.get(id(tensor.array)) or self._at.get(tensor.node)

    def value(self, tensor: Any) -> Value:
        """The Value of a Tensor, or that of a name. Raises ArgumentError if it did not take part."""
        if (found := self.find(tensor)) is None:
            names = ", ".join(dict.fromkeys(v.name for v in self.values if v.name))
            what = repr(tensor) if isinstance(tensor, str) else "this tensor"
            raise ArgumentError(f"{what} took no part in what was watched, which has {names or 'no names'}")
        return found

    def gradient(self, tensor: Any) -> Array | None:
        """The gradient of a Tensor, a Value or a name in the last backward that came there; None if none did."""
        value = tensor if isinstance(tensor, Value) else self.value(tensor)
        return next((g for b in self.backwards[::-1] if (g := b.gradient(value)) is not None), None)

    # ------------------------------------------------------------ what the engine says
    def op(self, op: Any, args: list[Any], out: Any) -> None:
        """Take down a primitive that was called."""
        event = self._event(Op, op, op.name, argument_names(op.names, len(args)))
        event.arguments = {n: self._argument(a) for n, a in zip(event.places, args, strict=True)}
        self._name(self._users)
        event.results = [self._value(a, event) for a in (out if isinstance(out, tuple) else (out,))]

    def node(self, node: Node) -> None:
        """Take down the node of what was just heard of."""
        plan, event = node.plan, self.events[-1] if self.events else None
        if event is None or event.node is not None or event.op is not plan.op:
            written = isinstance(event, Write) and event.node is None and plan.op.fun is not None
            if not written:  # the node of a Function, which is no primitive
                called = variables(sys._getframe(1))
                args, outs = ([_array(v) for v in called.get(n, ())] for n in ("args", "outs"))
                event = self._event(Op, plan.op, plan.name, argument_names(list(plan.op.names), len(args)))
                event.arguments = {n: self._argument(a) for n, a in zip(event.places, args, strict=True)}
                event.results = [self._value(a, event) for a in outs]
        assert event is not None, "just made"
        if isinstance(event, Write):
            event.op, event.places = plan.op, ["x", "value"]
            self._written(event, node)
        for place, parent in zip(plan.tracked, node.parents, strict=True):
            event.arguments[event.places[place]] = self._behind(parent, event.arguments[event.places[place]])
        self._name(self._users)
        event.node = node
        if node.dtype != object and len(event.results) == 1:
            self._attach(event.results[0], node)
        elif node.dtype == object:
            self._at[node] = event.results[0]
        node.plan = Overheard(plan, self, event)

    def write(self, array: Array, index: Any, value: Any) -> Any:
        """Take down a write that is about to be done, and copy what it overwrites."""
        before = self._value(array)
        event = self._event(Write, None, "write", ["x", "value"])
        event.index, event.arguments = index, {"x": before, "value": self._argument(value)}
        self._name(self._users)
        copies: dict[int, Array] = {}
        event.lost = self._held.pop(id(memory(array)), [])
        for live, held in event.lost:
            self._known.pop(id(live), None)
            if held.array is live:
                copies.setdefault(id(live), np.copy(live))
                held.array = copies[id(live)]
        new = event.arguments["value"]
        whole = index is ... and isinstance(new, Value) and new.made is not None and np.shape(new.array) == array.shape
        event.results = [new] if whole and mode().grad else [Value(array, event)]
        self._hold(array, event.results[0])
        return event.line

    # ------------------------------------------------------------ events and values
    def _event(self, kind: Any, op: Any, name: str, places: list[str]) -> Any:
        event = kind()
        event.op, event.name, event.places, event.number = op, name, places, len(self.events)
        event.grad = mode().grad
        self._users = self._look_around(event)
        event.within = self._pulling[-1] if self._pulling else None
        self.events.append(event)
        return event

    def _value(self, array: Any, made: Event | None = None) -> Value:
        """The Value in an array: a new one if it was just `made`, or is met for the first time."""
        if made is None and (known := self._known.get(id(array))) is not None:
            return known
        value = Value(array, made)
        self._hold(array, value)
        if made is None:
            value.name = self._parameters.get(id(array), "")
        return value

    def _hold(self, array: Array, value: Value) -> None:
        self._known[id(array)] = value
        self._held.setdefault(id(memory(array)), []).append((array, value))

    def _argument(self, value: Any) -> Any:
        """An argument: arrays as Values, also those in a tuple; all else as it is."""
        if isinstance(value, (tuple, list)):
            return type(value)(map(self._argument, value)) if type(value) in (tuple, list) else value
        return self._value(value) if hasattr(value, "dtype") and hasattr(value, "shape") else value

    def _attach(self, value: Value, node: Node) -> None:
        value.node = node
        self._at[node] = value

    def _behind(self, node: Node, value: Any) -> Value:
        """The Value at a node, which is `value` unless that was met as if for the first time: then it is known by its node."""
        known = self._at.get(node)
        if known is None and node.plan is not None and node.plan.item is not None:
            whole = self._at.get(node.parents[0])
            known = whole and whole.made and whole.made.results[node.plan.item]  # type: ignore[assignment]
        fresh = value is None or (value.made is None and value.node is None)
        if known is not None and fresh and (known.made is not None or value is None):
            if value is not None and value is not known:
                known.array = value.array if known.array is None else known.array
                self._hold(value.array, known)
            value = known
        elif value is None:
            value = Value(None)
        self._attach(value, node)
        return value

    def _written(self, event: Any, node: Node) -> None:
        """A write got a node: that of the base, whose array is to be found."""
        for live, held in event.lost[::-1]:
            if held.node in node.parents[:1] or live.shape == node.shape:
                event.arguments["x"], event.results = held, [self._known.get(id(live)) or Value(live, event)]
                if event.results[0].made is not event:
                    event.results = [Value(live, event)]
                self._hold(live, event.results[0])
                return

    # ------------------------------------------------------------ where the program is
    def _look_around(self, event: Event) -> list[FrameType]:
        """Say where an event is: the user's line, the modules being called, the backward. Returns the user's frames."""
        frame, users, called = sys._getframe(3), [], []
        while frame is not None:
            code = frame.f_code
            if (ours := self._files.get(code.co_filename)) is None:
                ours = self._files[code.co_filename] = code.co_filename.startswith(OURS)
            if not ours:
                users.append(frame)
            elif code is _SWEEP:
                event.backward = self._backward(frame)
            elif code in _ENDS and event.backward is None and self.backwards:  # what it does to gradients that it leaves
                event.backward = self.backwards[-1]
            if code.co_name == "__call__" and hasattr(module := variables(frame).get("self"), "named_modules"):
                called.append((frame, module))
            if frame is self._frame or frame.f_back is None:
                break
            frame = frame.f_back
        user = users[0] if users else frame
        event.line = Line(user.f_code.co_filename, user.f_lineno)
        event.modules = self._called(called[::-1])
        return users[::-1]

    def _called(self, frames: list[tuple[FrameType, Any]]) -> tuple[Call, ...]:
        """The modules of these frames, the outermost first; frames that the last op had, too, are the same calls."""
        calls: list[tuple[FrameType, Call]] = []
        for i, (frame, module) in enumerate(frames):
            if i < len(self._calls) and self._calls[i][0] is frame:
                calls.append(self._calls[i])
                continue
            root = frames[0][1]
            if id(root) not in self._modules:
                self._modules[id(root)] = root, {id(m): n for n, m in root.named_modules()}
                self._name_parameters(root)
            names = self._modules[id(root)][1]
            if id(module) not in names:  # made since
                names.update({id(m): n for n, m in root.named_modules()})
            self._count += 1
            calls.append((frame, Call(names.get(id(module), ""), type(module).__name__, self._count, module)))
        self._calls = calls
        return tuple(call for _, call in calls)

    # ------------------------------------------------------------ what things are called
    def _name_parameters(self, root: Any) -> None:
        for name, p in (*root.named_parameters(), *root.named_buffers()):
            self._parameters.setdefault(id(p.array), name)
            if (known := self._known.get(id(p.array))) is not None and not known.name:
                known.name = name

    def _name(self, frames: list[FrameType], containers: bool = False) -> None:
        """Give values the names of the variables that hold them."""
        for frame in frames:
            for name, t in variables(frame).items():
                if isinstance(t, Tensor):
                    if (value := self._held_by(t)) is not None and not value.name and name[0] != "_":
                        value.name = name
                elif containers and type(t) in (list, tuple, dict) and name[0] != "_":
                    pairs = t.items() if isinstance(t, dict) else enumerate(t)
                    for key, part in list(pairs)[:_PARTS]:
                        known = self._held_by(part) if isinstance(part, Tensor) else None
                        if known is not None and not known.name:
                            known.name = f"{name}[{key!r}]"

    def _held_by(self, t: Tensor) -> Value | None:
        """The Value in a Tensor; what was known by its node alone is given its array."""
        if (value := self._known.get(id(t.array))) is None and not isinstance(t, Outdated) and t.node is not None:
            value = self._at.get(t.node)
            if value is not None and value.array is None:
                value.array = t.array
                self._hold(t.array, value)
        return value

    def _number_names(self) -> None:
        """Tell values of one name apart: h, h_2, h_3; and give symbols to those without: v1, v2, ... and c1, c2, ..."""
        values = self.values
        taken, seen = {v.name for v in values}, dict[tuple[bool, str], int]()
        for value in values:
            key = bool(value.name), (name := value.name or ("c" if value.made is None else "v"))
            while (n := seen.get(key, 0) + 1) and (text := name + f"_{n}" * (n > 1) if value.name else f"{name}{n}"):
                seen[key] = n
                if text == value.name or text not in taken:
                    break
            value.symbol = text if text != "g" else "g_1"  # in formulas g is the gradient that comes in
            value.name = text if value.name else ""

    # ------------------------------------------------------------ backward
    def _backward(self, frame: FrameType) -> Backward:
        """The Backward of a frame of the engine's sweep."""
        if frame is not self._swept:
            self._swept, user = frame, frame
            while user.f_back is not None and user.f_code.co_filename.startswith(OURS):
                user = user.f_back
            create = bool(variables(frame).get("symbolic"))
            self.backwards.append(Backward(len(self.backwards), Line(user.f_code.co_filename, user.f_lineno), create))
        return self.backwards[-1]

    def _hear(self, event: Event, wanted: tuple[bool, ...], g: Any, ds: Sequence[Any], frame: FrameType) -> None:
        """Take down a pull."""
        backward = self._backward(frame)
        node = event.node
        assert node is not None, "it was pulled"
        gs = [None if part is None else self._value(_array(part)) for part in (g if isinstance(g, list) else [g])]
        for result, part in zip(event.results, gs, strict=True):
            if part is not None:
                if not backward.to(result):
                    backward.roots.append((result, part))
                backward.gradients[result] = part
        incoming: Any = gs if isinstance(g, list) else gs[0]
        found: list[Contribution] = []
        for place, d in zip((i for i, w in zip(node.plan.tracked, wanted, strict=True) if w), ds, strict=True):
            if d is None:
                continue
            name = event.places[place]
            to = event.arguments[name]
            known, number = backward.gradients.get(to), len(backward.contributions)
            one = Contribution(event, name, incoming, to, self._value(_array(d)), known, number)
            found.append(one)
            backward.contributions.append(one)
            backward._to.setdefault(to, []).append(one)
            backward.gradients[to] = self._value(_plus(one))
            if to.node is not None and to.node.hooks and to.node.plan is None and len(backward._to[to]) == 1:
                self._listen(backward, to)
        backward.pulls.append(Pull(event, incoming, found, bool(node.hooks)))

    def _listen(self, backward: Backward, leaf: Value) -> None:
        """Hear what the hooks of a leaf make of its gradient, as the last of them."""
        hooks = leaf.node.hooks  # type: ignore[union-attr]

        def ear(g: Any) -> None:
            hooks.pop(id(ear), None)  # type: ignore[union-attr]
            backward.gradients[leaf] = Value(_array(g))

        hooks[id(ear)] = ear  # type: ignore[index]
        self._ears.append((hooks, id(ear)))  # type: ignore[arg-type]


class Overheard(Around):
    """The plan of a node that was made while a recording listened: it is told what comes in and goes out."""

    def __init__(self, plan: Any, tape: Recording, event: Event) -> None:
        super().__init__(plan)
        self.tape, self.event = ref(tape), ref(event)  # the recording holds the nodes

    def partial(self, wanted: tuple[bool, ...]) -> Callable[..., Sequence[Any]]:
        """As the plan's own, and heard, if the recording still listens."""
        pull, tape, event = self.plan.partial(wanted), self.tape(), self.event()
        if tape is None or event is None or mode().tape is not tape:
            return pull

        def heard(g: Any, saved: Sequence[Any]) -> Sequence[Any]:
            tape._pulling.append(event)
            try:
                ds = pull(g, saved)
            finally:
                tape._pulling.pop()
            tape._hear(event, wanted, g, ds, sys._getframe(1) if sys._getframe(1).f_code is _SWEEP else _sweeping())
            return ds

        return heard


_SWEEP, _ENDS = sweep.__code__, (Tensor.backward.__code__, grad.__code__)


def variables(frame: FrameType) -> dict[str, Any]:
    """The local variables of a frame. Nothing of them stays with it: before Python 3.13 a frame keeps what it was asked for."""
    found = dict(shown := frame.f_locals)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED:  # or else they are the variables themselves
        shown.clear()
    return found


def _sweeping() -> FrameType:
    frame = sys._getframe(2)
    while frame.f_code is not _SWEEP and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _caller(frame: FrameType) -> FrameType:
    """The frame of the user's with-block."""
    while frame.f_code.co_filename.startswith(OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _array(value: Any) -> Any:
    return getattr(value, "array", value)


def _plus(one: Contribution) -> Array:
    """The gradient after a contribution, as the engine adds it."""
    return one.fitted if one.total is None else one.total.array + one.fitted


def named(names: Any, what: str) -> list[tuple[str, Tensor]]:
    """Names and Tensors: of a dict, or of anything with named_parameters(), as a Module."""
    if names is None:
        return []
    if hasattr(names, "named_parameters"):
        return list(names.named_parameters())
    if not isinstance(names, Mapping):
        raise ArgumentError(f"{what}: names come as a dict of names and Tensors, or as a Module; got {type(names).__name__}")
    if odd := [(n, t) for n, t in names.items() if not isinstance(t, Tensor)]:
        raise ArgumentError(f"{what}: {odd[0][0]!r} is no Tensor but {type(odd[0][1]).__name__}")
    return [(str(n), t) for n, t in names.items()]
