"""Hooks of a module: functions of the user's that are called when its forward or its backward runs, or its state is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from autograd.engine.hooks import RemovableHandle
from autograd.engine.tensor import Tensor
from autograd.engine.warn import warn
from autograd.errors import ShapeError, describe
from autograd.transforms.custom import Function


class Hook(NamedTuple):
    """What to call, and when: at "forward pre", "forward", "backward pre" or "backward".

    Or at "state pre" and "state", before and after `state_dict`; "load pre" and "load", before and after `load_state_dict`.
    """

    when: str
    call: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


everywhere: dict[int, Hook] = {}  # those of all modules


def register(hooks: dict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Put `hook` behind the others, or before them. The handle that is returned takes it out again."""
    before = dict(hooks) if prepend else {}
    for key in before:
        del hooks[key]
    handle = RemovableHandle(hooks, hook)
    hooks.update(before)
    return handle


def tell(module: Any, when: str, *args: Any) -> list[Any]:
    """Call the hooks of `module` that are for this moment; what they return."""
    return [hook.call(module, *args) for hook in list(module._hooks.values()) if hook.when == when]


def forward(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward`, with the hooks of the module around it."""

    def at(when: str) -> list[Hook]:
        return [h for h in (*everywhere.values(), *module._hooks.values()) if h.when == when]

    for hook in at("forward pre"):
        if hook.with_kwargs:
            if (both := hook.call(module, args, kwargs)) is not None:
                args, kwargs = both
        elif (new := hook.call(module, args)) is not None:
            args = new if isinstance(new, tuple) else (new,)
    before, after = ([h.call for h in at(when)] for when in ("backward pre", "backward"))
    way_back = _WayBack(module, before, after) if before or after else None
    if way_back is not None:
        args = way_back.enter(args)
    try:
        out = module.forward(*args, **kwargs)
    except Exception:  # whatever it is: it goes on from here
        for hook in at("forward"):
            if hook.always_call:
                _call(hook, module, args, kwargs, None)
        raise
    for hook in at("forward"):
        new = _call(hook, module, args, kwargs, out)
        out = out if new is None else new
    return out if way_back is None else way_back.leave(out)


def _call(hook: Hook, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    return hook.call(module, args, kwargs, out) if hook.with_kwargs else hook.call(module, args, out)


class _Gate(Function):
    """Tensors as they are. On the way back all their gradients together go through a function, which may replace them."""

    @staticmethod
    def forward(ctx: Any, through: Callable[[tuple[Any, ...]], Sequence[Any]], *tensors: Any) -> Any:
        ctx.through = through
        ctx.set_materialize_grads(False)
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return None, *ctx.through(grads)


class _WayBack:
    """The backward of one call of a module: it passes a gate at the results, and then one at the arguments."""

    def __init__(self, module: Any, pre: list[Callable[..., Any]], hooks: list[Callable[..., Any]]) -> None:
        self.module, self.pre, self.hooks = module, pre, hooks
        self.grad_output: Any = None
        self.arguments = 0

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, behind a gate where the gradients of all that have one are shown to the hooks."""
        self.arguments = len(args)
        args, self.gated = _gated(self._at_arguments, args)
        return args

    def leave(self, out: Any) -> Any:
        """The results, behind a gate where their gradients are noted for the hooks."""
        results = out if isinstance(out, tuple) else (out,)
        if not any(isinstance(result, Tensor) for result in results):
            what = f"{type(self.module).__name__} returned {describe(out)}"
            advice = "its backward hooks are only called for a tensor or a tuple of them"
            warn(f"{what}: {advice}")
        outs, gated = _gated(self._at_results, results)
        return (outs if isinstance(out, tuple) else outs[0]) if gated else out

    def _at_results(self, grads: tuple[Any, ...]) -> Sequence[Any]:
        for hook in self.pre:
            grads = _replaced(self.module, hook(self.module, grads), grads)
        self.grad_output = grads
        if not self.gated:  # no gradient will come to the arguments
            self._at_arguments((None,) * self.arguments)
        return grads

    def _at_arguments(self, grads: tuple[Any, ...]) -> Sequence[Any]:
        for hook in self.hooks if self.grad_output is not None else ():  # None: it comes from a second derivative's inside
            grads = _replaced(self.module, hook(self.module, grads, self.grad_output), grads)
        self.grad_output = None
        return grads


def _gated(through: Callable[[tuple[Any, ...]], Sequence[Any]], values: tuple[Any, ...]) -> tuple[tuple[Any, ...], bool]:
    """`values`, those of them that need gradients behind a gate; and is there one? Others have the gradient None there."""
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places:
        return values, False

    def all_of_them(grads: tuple[Any, ...]) -> list[Any]:
        full: list[Any] = [None] * len(values)
        for i, g in zip(places, grads, strict=True):
            full[i] = g
        new = through(tuple(full))
        return [new[i] for i in places]

    found = list(values)
    for i, t in zip(places, _Gate.apply(all_of_them, *(values[i] for i in places)), strict=True):
        found[i] = t
    return tuple(found), True


def _replaced(module: Any, new: Any, grads: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a hook returned, if anything, in place of `grads`."""
    if new is None:
        return grads
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(grads):
        raise ShapeError(f"a backward hook of {type(module).__name__} returned {len(new)} gradients in place of {len(grads)}")
    return new
