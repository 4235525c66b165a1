"""Optimizer: parameter groups, state, and the one driver that applies an update rule and writes back what it returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError
from autograd.grad_mode import enable_grad
from autograd.graph import Array, ambient, mode, write
from autograd.tensor import Tensor, wrap

from ..module import Module, clear, loadable

Recipe = tuple[Any, tuple[Any, ...], tuple[str, ...]]
Job = tuple[Any, tuple[Any, ...], Tensor | None, list[Tensor]]  # rule, options, step count, what the rule takes and updates
BLOCK = 2**16  # how many elements to update at a time, so that what a rule makes on its way stays in the cache


class Optimizer:
    """The base of all optimizers (torch.optim.Optimizer).

    `params` holds parameters, or dicts, each a group: its 'params', and options that differ from the defaults. The
    options of each group are in `param_groups`, where they may be changed: `opt.param_groups[0]["lr"] = 0.1`.

    A subclass says in `recipe` which rule updates a group: a pure function, made a primitive, from a parameter, its
    gradient, options and state to the new parameter and state. It computes; the driver here writes. A step first looks
    whether all shapes fit, so one that fails changes nothing. On a tape, each parameter is one entry and its writes, and
    numbers that may change from step to step come in 0-d arrays that stay the same for life: before a tape is played
    again, `sync` brings new ones there.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._live: list[dict[str, Any]] = []  # of each group: the numbers among its options, as 0-d Tensors
        self._known: list[dict[str, Any]] = []  # and as they were when they were last written there
        kind = type(self).__name__
        if isinstance(params, (Tensor, Module, Mapping)) or not isinstance(params, Iterable):
            what = "its parameters()" if isinstance(params, Module) else "a list of tensors"
            raise UnsupportedError(
                f"{kind}: params is an iterable of tensors or groups, not a {type(params).__name__}; pass {what}"
            )
        groups = list(params)
        if not groups:
            raise ArgumentError(f"{kind}: there are no parameters to optimize")
        for group in groups if isinstance(groups[0], Mapping) else [{"params": groups}]:
            self.add_param_group(group)

    def recipe(self, group: dict[str, Any], live: dict[str, Any]) -> Recipe:
        """The rule for a group, the options it takes after parameter and gradient, and the names of the state.

        The options that are numbers are taken from `live`, where they are 0-d Tensors; None stands for one that leaves a
        term out. State called 'step', which must come first, counts steps: the driver adds 1, the rule is given the new
        count (None if nobody counts), and the rest of the state after it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it updates: define {type(self).__name__}.recipe")

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError if an option of a group makes no sense."""

    def _need(self, group: dict[str, Any], holds: bool, option: str, what: str) -> None:
        if not holds:
            raise ArgumentError(f"{type(self).__name__}: {option} must be {what}, got {group[option]!r}")

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Optimize more parameters, perhaps with options of their own."""
        kind, group = type(self).__name__, dict(param_group)
        if "params" not in group:
            raise ArgumentError(f"{kind}: a group has its parameters under 'params'; this one has only {', '.join(group)}")
        group["params"] = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        seen = {p for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(group["params"]):
            if not isinstance(p, Tensor):
                raise UnsupportedError(f"{kind}: parameters are tensors, but number {i} is a {type(p).__name__}")
            if not p.is_leaf:
                raise ArgumentError(
                    f"{kind}: parameter {i}, of shape {p.shape}, is the result of an op, and no leaf of the graph"
                )
            if p in seen:
                raise ArgumentError(f"{kind}: parameter {i}, of shape {p.shape}, is there twice")
            seen.add(p)
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.check(group)
        self.param_groups.append(group)
        numbers = {n: v for n, v in group.items() if n in self.defaults and _is_numbers(v)}
        self._live.append({n: _tensors(v) for n, v in numbers.items()})
        self._known.append(numbers)

    def sync(self) -> None:
        """Bring the numbers in `param_groups` into the arrays that steps read; no tape hears of it.

        `step` does so itself. Before a captured step is played again, this lets it see, say, a new learning rate. A
        number that was 0 at the capture may have taken a term of the rule with it: that term stays away.
        """
        for group, live, known in zip(self.param_groups, self._live, self._known, strict=True):
            for name, value in known.items():
                if group[name] != value:
                    self.check(group)
                    known[name] = group[name]
                    with ambient(tape=None):
                        for t, number in zip(_each(live[name]), _each(group[name]), strict=True):
                            write(t.array, ..., number)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return what `closure` returns, which may compute that gradient.

        If it raises, no parameter and no state has changed.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.sync()
        taped = mode().tape is not None
        jobs: list[Job] = []
        for group, live in zip(self.param_groups, self._live, strict=True):
            rule, options, names = self.recipe(group, live)
            if not taped:
                options = tuple(getattr(o, "array", o) for o in options)
            for p in group["params"]:
                if (g := p.grad) is not None:
                    state = self._state_of(p, names)
                    count = state.pop(0) if names and names[0] == "step" else None
                    tensors = [p, g, *state]
                    if len({t.array.shape for t in tensors}) > 1:
                        raise ShapeError(_misfit(type(self).__name__, names, tensors))
                    jobs.append((rule, options, count, tensors))
        (_record if taped else _run)(jobs)
        return loss

    def _state_of(self, p: Tensor, names: tuple[str, ...]) -> list[Tensor]:
        """The state of a parameter. It begins as zeros: 'step' as a float64, the rest like the parameter."""
        state = self.state[p]
        for name in names:
            if name not in state:
                state[name] = wrap(np.zeros((), np.float64) if name == "step" else np.zeros_like(p.array))
        return [state[name] for name in names]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with `set_to_none=False` fill them with zeros."""
        for group in self.param_groups:
            clear(group["params"], set_to_none)

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {name}: {group[name]}" for name in sorted(group) if name != "params"), ""]
        return "\n".join([f"{type(self).__name__} (", *lines[:-1], ")"])

    # ------------------------------------------------------------ saving and loading
    def state_dict(self) -> dict[str, Any]:
        """State and options, with parameters as numbers, in the layout of torch.optim.

        'state' has for each number a dict of Tensors, which share memory with the optimizer's; 'param_groups' the
        options, with the numbers under 'params'.
        """
        numbers = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [group | {"params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[p]: dict(s) for p, s in self.state.items() if p in numbers and s}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options from `state_dict`, of this optimizer or PyTorch's, by copying.

        Raises StateError, and then changes nothing, if the groups or the shapes of the state do not fit.
        """
        kind = type(self).__name__
        if not {"state", "param_groups"} <= set(state_dict):
            found = ", ".join(map(str, state_dict))
            raise StateError(f"a state_dict of an optimizer has 'state' and 'param_groups', not {found}")
        groups = list(state_dict["param_groups"])
        sizes, own_sizes = ([len(group["params"]) for group in gs] for gs in (groups, self.param_groups))
        if sizes != own_sizes:
            raise StateError(f"load_state_dict of {kind}: the groups hold {own_sizes} parameters, in the state_dict {sizes}")
        places = [i for group in groups for i in group["params"]]
        ours = [p for group in self.param_groups for p in group["params"]]
        new: dict[Tensor, dict[str, Tensor]] = {}
        for i, p in zip(places, ours, strict=True):
            given = {n: loadable(v) for n, v in state_dict["state"].get(i, {}).items() if v is not None}
            for name, value in given.items():
                if value.shape != (() if name == "step" else p.shape):
                    raise StateError(f"load_state_dict of {kind}: {name} of parameter {i} {p.shape} has shape {value.shape}")
            new[p] = given
        pairs = zip(self.param_groups, groups, strict=True)
        merged = [own | {n: v for n, v in group.items() if n != "params"} for own, group in pairs]
        for group in merged:
            self.check(group)
        for own, group in zip(self.param_groups, merged, strict=True):
            own.update(group)
        for p in ours:
            self._load(p, new[p])

    def _load(self, p: Tensor, given: dict[str, Tensor]) -> None:
        """Make `given` the state of `p`. What is there already keeps its array; what is not given begins anew."""
        self._state_of(p, tuple(given))
        for name, t in self.state[p].items():
            write(t.array, ..., given[name].array if name in given else 0)


def _misfit(kind: str, names: tuple[str, ...], tensors: list[Tensor]) -> str:
    named = zip(("parameter", "gradient", *(n for n in names if n != "step")), tensors, strict=True)
    return f"{kind}: these must have one shape: {', '.join(f'{name} {t.shape}' for name, t in named)}"


def _run(jobs: list[Job]) -> None:
    """Update in place, block by block."""
    with np.errstate(all="ignore"):  # an overflow becomes an inf, as in PyTorch, and does not stop a step half-way
        for rule, options, step, tensors in jobs:
            count = None
            if step is not None:
                count = step.array + 1
                write(step.array, ..., count)
            for p, grad, *state in _blocks([t.array for t in tensors]):
                p_new, *state_new = rule.fun(p, grad, *options, count, *state)
                write(p, ..., p_new)
                for old, new in zip(state, state_new, strict=True):
                    write(old, ..., new)


def _blocks(arrays: list[Array]) -> Iterable[list[Array]]:
    """Arrays of one shape in parts that fit the cache; whole if they are small, or cannot be cut without a copy."""
    n = arrays[0].size
    if n <= BLOCK or not all(a.flags.c_contiguous for a in arrays):
        return (arrays,)
    flat = [a.reshape(-1) for a in arrays]
    return ([a[i : i + BLOCK] for a in flat] for i in range(0, n, BLOCK))


def _record(jobs: list[Job]) -> None:
    """Update through ops that the tape hears of."""
    changes: list[tuple[Tensor, Tensor]] = []
    for rule, options, step, (p, grad, *state) in jobs:
        count = None
        if step is not None:
            count = step + 1
            changes.append((step, count))
        changes += zip((p, *state), rule(p, grad, *options, count, *state), strict=True)
    for old, new in changes:
        write(old.array, ..., new.array)


def _is_numbers(value: Any) -> bool:
    """Is it a number, or several, that can change from step to step?"""
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in _each(value))


def _each(value: Any) -> Any:
    return value if isinstance(value, (tuple, list)) else (value,)


def _tensors(value: Any) -> Any:
    made = tuple(wrap(np.array(v, np.float64)) for v in _each(value))
    return made if isinstance(value, (tuple, list)) else made[0]
