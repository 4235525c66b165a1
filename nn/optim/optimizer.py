"""Optimizer: parameter groups, state, and the one driver that applies an update rule and writes back what it returns."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from functools import wraps
from operator import is_
from typing import Any, ParamSpec
from weakref import WeakValueDictionary

import numpy as np

from autograd.engine.accumulate import ACCUMULATED, widened
from autograd.engine.grad_mode import enable_grad
from autograd.engine.graph import ambient, mode, write
from autograd.engine.hooks import RemovableHandle
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import warn
from autograd.errors import ArgumentError, DtypeError, InPlaceError, ShapeError, StateError, UnsupportedError, describe

from ..containers import ParameterList
from ..module import Module, Parameter, apart, clear, loadable
from ..unregistered import Unregistered, unregistered
from .driver import Job, Plan
from .inplace import LIVE, Update, traced
from .options import Kind, Number, check_options, kinds_of, plain

# What a rule is given of a group: options; the first value of each state; the names of the state that is one number, and of the
# rest. All in order, with None for what there is not.
Recipe = tuple[list[Any], dict[str, float], list[str | None], list[str | None]]
Init = ParamSpec("Init")
BLOCK = 2**16  # how many elements to update at a time, so that what a rule makes on its way stays in the cache
COUNT = "count"  # the name of the state that is not saved
IGNORED = ("foreach", "fused", "capturable", "differentiable")  # how PyTorch is to go about it


_optimized: WeakValueDictionary[int, Tensor] = WeakValueDictionary()  # the parameters of all optimizers, by their id


# ---------------------------------------------------------------- what a subclass declares
def rule(fun: Callable[..., Any]) -> Any:
    """Make a primitive of an update rule, a pure function that says by its parameters what it needs.

    First the parameter to update, and its gradient. Then options of the optimizer by name; of several numbers, as in `betas`,
    one by one: beta1, beta2. Those annotated as Numbers may change from step to step, on a tape too; with the default None,
    they are None where they are 0, so that a term is left out. Last the state, which has defaults, first Numbers, of which
    each parameter has one, then arrays like the parameter. The default is the first value, or the name of the option that is;
    (0.0, "momentum") is 0.0 if there is momentum, and else the state is None. The state `count` is in no state_dict: it
    begins at 0, but at 1 beside state that is there already.

    The rule returns the new parameter and the new state, in order, None for what is None. It may take numbers for Python's,
    which have the dtype of what they meet: NumPy's 0-d float64 arrays, which a tape holds, would make float64 of everything.
    """
    needs = list(inspect.signature(fun, eval_str=True).parameters.values())
    options = [p for p in needs[2:] if p.default is p.empty or p.default is None]
    numbers = [p for p in needs[2:] if p not in options and p.annotation is Number]
    buffers = [p for p in needs[2:] if p not in options and p not in numbers]
    if needs[2:] != options + numbers + buffers:
        what = ", ".join(p.name for p in needs if p in numbers or p in buffers)
        raise UnsupportedError(f"{fun.__name__}: state comes last, first its Numbers, then its arrays, not {what}")
    scalars = range(2, len(needs) - len(buffers))

    @wraps(fun)
    def weakly(*args: Any) -> tuple[Any, ...]:
        weak = [float(a) if k in scalars and hasattr(a, "dtype") and not isinstance(a, Tensor) else a for k, a in enumerate(args)]
        return tuple([new for new in fun(*weak) if new is not None])

    op = primitive(weakly, fun.__name__, says=fun.__doc__ or "")
    op.update, op.options = fun, options
    op.numbers, op.buffers = ({p.name: p.default for p in state} for state in (numbers, buffers))
    return op


def declared(init: Callable[Init, None]) -> Callable[Init, None]:
    """Let an `__init__` that says its options, and does nothing, hand them on as the defaults of groups."""
    signature = inspect.signature(init)

    @wraps(init)
    def start(*args: Init.args, **kwargs: Init.kwargs) -> None:
        init(*args, **kwargs)  # Python says what is missing, or too much
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        (_, self), (_, params), *options = given.arguments.items()
        Optimizer.__init__(self, params, dict(options))

    return start


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the hooks of its optimizer before and after it; a scheduler learns that there was a step."""

    @wraps(step)
    def run(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if "_opt_called" in self.__dict__:
            self._opt_called = True
        for hook in list(self._step_pre_hooks.values()):
            args, kwargs = (args, kwargs) if (changed := hook(self, args, kwargs)) is None else changed
        out = step(self, *args, **kwargs)
        if self._beside:
            self._look_beside()
        for hook in list(self._step_post_hooks.values()):
            hook(self, args, kwargs)
        return out

    return run


class Optimizer:
    """The base of all optimizers (torch.optim.Optimizer).

    `params` holds parameters, (name, parameter) pairs, or dicts, each a group: its 'params', and options that differ from
    the defaults. The options of each group are in `param_groups`, where they may be changed:
    `opt.param_groups[0]["lr"] = 0.1`. A number may be given as a tensor of one element, whose value each step reads anew.

    A subclass has a rule, `class Lion(Optimizer, rule=lion)`: a pure function from a parameter, its gradient, options and
    state to the new parameter and state. It computes; the driver here writes. A step first looks whether all shapes fit, so
    one that fails changes nothing. On a tape, each parameter is one entry and its writes, and numbers that may change from
    step to step come in 0-d arrays that stay the same for life: before a tape is played again, `sync` brings new ones there.
    A subclass may define `step` instead, as one written for PyTorch does.

    `foreach`, `fused` and `capturable`, which say how PyTorch is to go about it, are accepted and change nothing.
    """

    rule: Any = None
    blocks = True  # may a rule be given a parameter in parts?
    kinds: Mapping[str, Kind] = {}  # what the options must be, as their annotations say
    _opt_called: bool  # was there a step since a scheduler was made?
    _beside: Sequence[Unregistered] = ()  # what the first step is to look at: it may have been forgotten

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._known: list[dict[str, Any]] = []  # of each group: the options, tensors as numbers, when a step last looked
        self._live: list[dict[str, Any]] = []  # the numbers among them, as 0-d Tensors
        self._recipes: list[tuple[Recipe, Update | None] | None] = []  # what the rule is given of them, and the rule written out
        # for that, to work in place; None if that is to be found anew
        self._plan: Plan | None = None  # how the last step was made
        self._step_pre_hooks: dict[int, Any] = {}
        self._step_post_hooks: dict[int, Any] = {}
        kind = type(self).__name__
        is_module = isinstance(params, Module) and not isinstance(params, ParameterList)
        if is_module or isinstance(params, (Tensor, Mapping)) or not isinstance(params, Iterable):
            what = "its parameters()" if is_module else "a list of tensors"
            raise UnsupportedError(
                f"{kind}: params is an iterable of tensors or groups, not a {type(params).__name__}; pass {what}"
            )
        beside = unregistered(params.module) if hasattr(params, "module") else []
        groups = list(params)
        if not groups:
            why = "".join(f"; {u.what}: {u.advice}" for u in beside)
            raise ArgumentError(f"{kind}: there are no parameters to optimize{why}")
        self._beside = beside
        for group in groups if isinstance(groups[0], Mapping) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, rule: Any = None) -> None:
        if rule is not None:
            cls.rule = staticmethod(rule)
        cls.kinds = {**cls.kinds, **kinds_of(cls)}
        check_options(cls)
        if "step" in vars(cls):
            cls.step = hooked(cls.step)  # type: ignore[method-assign]

    def check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError if an option of a group makes no sense."""
        self._check_kinds(group)
        if self.rule and group.get("differentiable"):
            why = "a step writes in place and gradients do not flow through it; write p - lr * g yourself where they should"
            raise UnsupportedError(f"{type(self).__name__}: differentiable must be False: {why}")

    def _check_kinds(self, options: Mapping[str, Any]) -> None:
        for name in self.kinds.keys() & options.keys():
            self.kinds[name].check(f"{type(self).__name__}: {name}", options[name])

    def _need(self, group: dict[str, Any], holds: bool, option: str, what: str) -> None:
        if not holds:
            raise ArgumentError(f"{type(self).__name__}: {option} must be {what}, got {group[option]!r}")

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Optimize more parameters, perhaps with options of their own."""
        kind, group = type(self).__name__, dict(param_group)
        if "params" not in group:
            raise ArgumentError(f"{kind}: a group has its parameters under 'params'; this one has only {', '.join(group)}")
        if isinstance(group["params"], (set, frozenset)):
            raise UnsupportedError(f"{kind}: the parameters of a group have an order, a set has none; pass a list")
        given = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        pairs = [p for p in given if isinstance(p, tuple) and len(p) == 2]
        named = "param_names" in self.param_groups[0] if self.param_groups else bool(pairs)
        if len(pairs) != named * len(given):
            raise ArgumentError(f"{kind}: either all parameters of all groups have names, or none")
        group["params"] = [p for _, p in pairs] or given
        if pairs:
            group["param_names"] = [name for name, _ in pairs]
        seen = {p for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(group["params"]):
            if not isinstance(p, Tensor):
                raise UnsupportedError(f"{kind}: parameters are tensors, but number {i} is a {type(p).__name__}")
            if not p.is_leaf:
                raise ArgumentError(
                    f"{kind}: parameter {i}, of shape {p.shape}, is the result of an op, and no leaf of the graph"
                )
            if p.dtype.kind != "f" and not isinstance(p, Parameter):  # one that is frozen may be there with the others
                raise DtypeError(f"{kind}: parameter {i} holds {describe(p)}, which small steps cannot change; use float() first")
            if p in seen:
                raise ArgumentError(f"{kind}: parameter {i}, of shape {p.shape}, is there twice")
            seen.add(p)
        _optimized.update((id(p), p) for p in group["params"])
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        known = self._options(group)
        self.check(group | known)
        self.param_groups.append(group)
        self._known.append(known)
        self._live.append({n: _tensors(v) for n, v in known.items() if _is_numbers(v)})
        self._recipes.append(None)

    def _options(self, group: dict[str, Any]) -> dict[str, Any]:
        """The options of a group as plain numbers, whether they are given so or as tensors."""
        return {name: plain(group[name]) for name in self.defaults if name not in IGNORED}

    def sync(self) -> None:
        """Bring the numbers in `param_groups` into the arrays that steps read; no tape hears of it.

        `step` does so itself. Before a captured step is played again, this lets it see, say, a new learning rate. A
        number that was 0 at the capture may have taken a term of the rule with it: that term stays away.
        """
        for i, (group, known) in enumerate(zip(self.param_groups, self._known, strict=True)):
            if not all(map(is_, map(group.get, known), known.values())):
                self._renew(i)

    def _renew(self, i: int) -> None:
        """Look what changed in group `i`: there may be an option that is another object, or a tensor."""
        known, new, live = self._known[i], self._options(self.param_groups[i]), self._live[i]
        self._check_kinds({name: value for name, value in new.items() if value is not known[name]})
        if changed := [name for name, value in new.items() if value != known[name]]:
            self.check(self.param_groups[i] | new)
            with ambient(tape=None):
                for name in changed:
                    for t, number in zip(_each(live.get(name, ())), _each(new[name]), strict=False):
                        write(t.array, ..., number)
            self._recipes[i] = None
        self._known[i] = new

    def _fixed(self) -> tuple[Any, ...]:
        """What a compiled step takes for granted, as long as all in it are the same objects."""
        groups = [group["params"] for group in self.param_groups]
        return *groups, self.state, self._live, self._step_pre_hooks, self._step_post_hooks

    def _facts(self) -> tuple[Any, ...]:
        """And as long as these are equal: options, but of numbers that rules read anew only whether they are 0."""
        self.sync()
        kinds, anew = zip(self._known, self._live, strict=True), type(self).step is Optimizer.step
        options = [(n, _zeros(v) if anew and n in live else v) for known, live in kinds for n, v in known.items()]
        return tuple([*options, *(id(group["params"]) for group in self.param_groups)])

    def _reads(self) -> list[tuple[Any, Any, Any]]:
        """Where that looks, and what was there: as long as it is, nobody need look again. A tensor is looked at each time."""
        groups = self.param_groups
        kept = [(groups, i, group) for i, group in enumerate(groups)] + [(g, "params", g["params"]) for g in groups]
        options = [(g, name, value) for g, known in zip(groups, self._known, strict=True) for name, value in known.items()]
        return [(vars(self), "param_groups", groups), *kept, *options]

    def _recipe(self, i: int) -> Recipe:
        """What the rule is given of group `i`."""
        kind, rule = type(self).__name__, self.rule
        if rule is None:
            raise NotImplementedError(f"{kind} does not say how it updates: give its class a rule, or define {kind}.step")
        known, live = _each_by_name(self._known[i]), _each_by_name(self._live[i])
        if odd := [p.name for p in rule.options if p.name not in known]:
            raise UnsupportedError(f"{kind}: {rule.name} asks for {odd[0]!r}, which is no option; these are: {', '.join(known)}")
        options = [(live if p.annotation is Number else known)[p.name] for p in rule.options]
        options = [None if p.default is None and not known[p.name] else o for p, o in zip(rule.options, options, strict=True)]
        first = {}
        for name, value in (rule.numbers | rule.buffers).items():
            value, *only_with = value if isinstance(value, tuple) else (value,)
            if all(known[option] for option in only_with):
                first[name] = known[value] if isinstance(value, str) else value
        numbers, buffers = ([name if name in first else None for name in names] for names in (rule.numbers, rule.buffers))
        return options, first, numbers, buffers

    def _written(self, i: int) -> tuple[Recipe, Update | None]:
        """The recipe of group `i`, and the rule for it written out to work in place, if it may be given parts of a parameter."""
        options, _, *state = recipe = self._recipe(i)
        program = None
        fixed = tuple(LIVE if isinstance(o, Tensor) else o for o in options)
        if self.blocks and all(isinstance(o, Hashable) for o in fixed):
            program = traced(self.rule.update, fixed, *(tuple([name and LIVE for name in names]) for names in state))
        self._recipes[i] = recipe, program
        return recipe, program

    @hooked
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return what `closure` returns, which may compute that gradient.

        If it raises an error, no parameter and no state has changed. What comes from outside, as the KeyboardInterrupt of
        Ctrl-C, may come while it writes. Then the parameters up to some one are as after the step, with their state, that
        one may be written in part, and those behind it are as before; the optimizer itself stays fit for further steps.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.sync()
        found = [self._recipes[i] or self._written(i) for i in range(len(self.param_groups))]
        parameters, programs = [p for group in self.param_groups for p in group["params"]], [program for _, program in found]
        taped, plan = mode().tape is not None, self._plan
        if taped or plan is None or not plan.holds(parameters, self.state, programs):
            jobs, begun = self._jobs(found)
            for p, made in begun:
                self.state[p].update(made)
            if taped:
                _record(self.rule, jobs)
                return loss
            self._plan = plan = Plan(jobs, parameters, programs, BLOCK if self.blocks else None)
            if not plan.lasts:
                self._plan = None
        plan.run(self.rule.update, [_numbers(recipe[0]) for recipe, _ in found])
        return loss

    def _jobs(self, found: Sequence[tuple[Recipe, Update | None]]) -> tuple[list[Job], list[Any]]:
        """What is to be done for each parameter that has a gradient, and state that begins; all is checked."""
        jobs: list[Job] = []
        begun: list[tuple[Tensor, dict[str, Tensor]]] = []
        kind = type(self).__name__
        for i, group in enumerate(self.param_groups):
            (options, first, numbers, buffers), program = found[i]
            if mode().tape is None:
                options = [float(o.array) if isinstance(o, Tensor) else o for o in options]
            for p in group["params"]:
                if (g := p.grad) is None:
                    continue
                state = self.state.get(p, {})
                if not first.keys() <= state.keys():
                    begun.append((p, self._begin(p, state, first)))
                    state = state | begun[-1][1]
                arrays = [p, g, *[name and state[name] for name in buffers]]
                if len({t.array.shape for t in arrays if t is not None}) > 1:
                    raise ShapeError(_misfit(kind, buffers, arrays))
                if p.array.dtype.kind != "f":
                    raise DtypeError(f"{kind}: a parameter holds {describe(p)}, which steps cannot change")
                if not getattr(getattr(p.array, "flags", None), "writeable", True):
                    raise InPlaceError(f"{kind}: a parameter of shape {p.shape} lies in read-only memory")
                jobs.append(Job(i, program, options, [name and state[name] for name in numbers], arrays))
        return jobs, begun

    def _look_beside(self) -> None:
        """Warn of what got gradients, but is no parameter of a module and no optimizer's: it was forgotten."""
        for u in self._beside:
            if any(t.grad is not None and _optimized.get(id(t)) is not t for t in u.leaves):
                warn(f"{type(self).__name__}: {u.what}: gradients come there, but no optimizer has it; {u.advice}")
        self._beside = ()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with `set_to_none=False` fill them with zeros."""
        for group in self.param_groups:
            clear(group["params"], set_to_none)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; if it returns a pair, that is what `step` is given."""
        return RemovableHandle(self._step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle(self._step_post_hooks, hook)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {
            "_recipes": [None] * len(self._recipes),
            "_plan": None,
            "_step_pre_hooks": {},
            "_step_post_hooks": {},
            "_beside": (),
        }

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
        unsaved = {COUNT} if self.rule else set()
        states = {numbers[p]: {n: s[n] for n in s if n not in unsaved} for p, s in self.state.items() if p in numbers and s}
        return {"state": states, "param_groups": groups}

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
        given = [self._loadable(i, p, state_dict["state"].get(i, {})) for i, p in zip(places, ours, strict=True)]
        if self.rule:  # what is given may be state of this very optimizer, at another place
            own_state = {(p, name): t for p in ours if p in self.state for name, t in self.state[p].items()}
            flat = apart({(p, name): t for p, s in zip(ours, given, strict=True) for name, t in s.items()}, own_state)
            given = [{name: flat[p, name] for name in s} for p, s in zip(ours, given, strict=True)]
        pairs = zip(self.param_groups, groups, strict=True)
        merged = [own | {n: deepcopy(v) for n, v in group.items() if n != "params"} for own, group in pairs]
        for group in merged:
            self.check(group | self._options(group))
        for own, group in zip(self.param_groups, merged, strict=True):
            own.update(group)
        self.sync()
        states = iter(given)
        for i, group in enumerate(self.param_groups):
            first = self._recipe(i)[1] if self.rule else {}
            for p in group["params"]:
                self._load(p, next(states), first)

    def _loadable(self, i: int, p: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        """The state given for parameter `i`, as Tensors. Raises StateError if its shapes do not fit."""
        if not self.rule:
            return deepcopy(dict(state))
        given = {name: loadable(value) for name, value in state.items() if value is not None}
        shapes = dict.fromkeys(self.rule.numbers, ()) | dict.fromkeys(self.rule.buffers, p.shape)
        for name, value in given.items():
            if value.shape != shapes.get(name, value.shape):
                what = f"{name} of parameter {i} {p.shape} has shape {value.shape}"
                raise StateError(f"load_state_dict of {type(self).__name__}: {what}")
        return given

    def _load(self, p: Tensor, given: dict[str, Any], first: dict[str, float]) -> None:
        """Make `given` the state of `p`. What is there already keeps its array; what is not given begins anew."""
        if not self.rule:
            self.state[p] = given
            return
        own = self.state[p]
        known = self.rule.numbers | self.rule.buffers
        own.update(self._begin(p, own, {name: 0.0 for name in given if name in known}))
        own.update({name: wrap(np.copy(t.array)) for name, t in given.items() if name not in known})
        for name, t in list(own.items()):
            if name in given:
                write(t.array, ..., given[name].array)
            elif name in first:
                write(t.array, ..., float(bool(given)) if name == COUNT else first[name])
            else:
                del own[name]

    def _begin(self, p: Tensor, state: dict[str, Any], first: dict[str, float]) -> dict[str, Tensor]:
        """The state that `p` has not yet, with its first values: numbers in float64, the rest like it, half in single."""
        values = {name: value for name, value in first.items() if name not in state}
        if COUNT in values:
            values[COUNT] = float(bool(state))
        number, dtype = self.rule.numbers, ACCUMULATED.get(p.dtype)
        return {n: wrap(np.array(v, np.float64) if n in number else np.full_like(p.array, v, dtype)) for n, v in values.items()}


def _each_by_name(options: dict[str, Any]) -> dict[str, Any]:
    """The options, and of several numbers each: of `betas` also beta1, beta2."""
    several = ((name[:-1], value) for name, value in options.items() if isinstance(value, tuple))
    return options | {f"{name}{k}": v for name, value in several for k, v in enumerate(value, 1)}


def _misfit(kind: str, names: list[str | None], tensors: list[Tensor | None]) -> str:
    named = zip(("parameter", "gradient", *names), tensors, strict=True)
    return f"{kind}: these must have one shape: {', '.join(f'{name} {t.shape}' for name, t in named if t is not None)}"


def _record(rule: Any, jobs: list[Job]) -> None:
    """Update through ops that the tape hears of."""
    with np.errstate(all="ignore"):  # as off the tape: an overflow stops no step half-way
        for job in jobs:
            p, grad, *buffers = job.tensors
            new = rule(*widened((p, grad)), *job.options, *job.numbers, *buffers)
            for old, value in zip((t for t in (p, *job.numbers, *buffers) if t is not None), new, strict=True):
                write(old.array, ..., value.array)


def _numbers(options: list[Any]) -> tuple[float, ...]:
    """Those of the options that may change from step to step."""
    return tuple([float(o.array) for o in options if isinstance(o, Tensor)])


def _is_numbers(value: Any) -> bool:
    """Is it a number, or several, that can change from step to step?"""
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in _each(value))


def _zeros(value: Any) -> Any:
    return tuple([v == 0 for v in value]) if isinstance(value, tuple) else value == 0


def _each(value: Any) -> Any:
    return value if isinstance(value, (tuple, list)) else (value,)


def _tensors(value: Any) -> Any:
    made = tuple(wrap(np.array(v, np.float64)) for v in _each(value))
    return made if isinstance(value, (tuple, list)) else made[0]
