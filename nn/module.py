"""Module: what holds parameters, buffers and other modules by name, and finds, saves and loads them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from autograd.api.names import destination
from autograd.engine.grad_mode import no_grad
from autograd.engine.graph import memory
from autograd.engine.hooks import RemovableHandle
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, AutogradError, DtypeError, NoAttributeError, StateError, UnsupportedError, describe

from . import hooks
from .hooks import Hook
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter, is_lazy
from .unregistered import unregistered

__all__ = ["Buffer", "Module", "Parameter", "UninitializedBuffer", "UninitializedParameter"]

EXTRA = "_extra_state"  # the key of what is saved of a module besides its tensors
_REGISTRIES = {"_parameters": "parameter", "_buffers": "buffer", "_modules": "module"}


class Misspelt(NoAttributeError):
    """Says which attribute there is instead. It looks for that when the message is read, which hasattr() never does."""

    def __str__(self) -> str:
        owner, name = self.args
        return f"{type(owner).__name__} has no attribute {name!r}{did_you_mean(name, dir(owner))}"


def not_initialized(owner: Any) -> NoAttributeError:
    """The error for a module that is used before `super().__init__()`."""
    kind = type(owner).__name__
    return NoAttributeError(f"{kind}.__init__ must call super().__init__() first: without it a module cannot hold anything")


def did_you_mean(name: str, names: Any) -> str:
    """`; did you mean 'weight'?`, or nothing if no name is close."""
    from difflib import get_close_matches  # only needed when something went wrong

    found = get_close_matches(name, [n for n in names if not n.startswith("__")], 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def loadable(value: Any) -> Tensor:
    """What a state_dict holds, as a Tensor: ours, NumPy's arrays, PyTorch's tensors, numbers."""
    return value if isinstance(value, Tensor) else wrap(np.asarray(value))


def apart(given: Mapping[Any, Tensor], written: Mapping[Any, Tensor]) -> dict[Any, Tensor]:
    """`given`, with copies of those that look at memory of another key of what is about to be `written`."""
    hit = {id(memory(t.array)) for t in written.values()}
    return {
        key: t.detach().clone() if id(memory(t.array)) in hit and not (key in written and t.array is written[key].array) else t
        for key, t in given.items()
    }


def name_the_layer(error: Any, module: Module) -> None:
    """Begin the message of `error` with the innermost module that it went through."""
    if hasattr(error, "layer"):
        return
    error.layer, kind = module, type(module).__name__
    if len(error.args) == 1 and not str(error.args[0]).startswith(kind):
        error.args = (f"{kind}({module.extra_repr()}): {error.args[0]}",)


class _Found(Iterator[Any]):
    """An iterator that knows the module whose parameters it gives: an optimizer looks there for what was forgotten."""

    def __init__(self, module: Any, values: Iterator[Any]) -> None:
        self.module, self.values = module, values

    def __iter__(self) -> Iterator[Any]:
        return self.values

    def __next__(self) -> Any:
        return next(self.values)


class Keys(NamedTuple):
    """What `load_state_dict` returns: the keys it did not find, and those it had no use for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        some = f"missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys}"
        return f"Keys({some})" if any(self) else "<All keys matched successfully>"


class Module:
    """The base of all layers and networks (torch.nn.Module).

    A subclass makes its parts in `__init__`, after `super().__init__()`, and says in `forward` what it computes. Every
    Parameter and Module assigned to an attribute is registered under that name; all else is an ordinary attribute.

    >>> import autograd, nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = nn.Linear(2, 3)
    ...         self.scale = nn.Parameter(autograd.ones(3))
    ...
    ...     def forward(self, x):
    ...         return self.fc(x) * self.scale
    >>> net = Net()
    >>> net(autograd.ones(5, 2)).shape
    (5, 3)
    >>> [(name, p.shape) for name, p in net.named_parameters()]
    [('scale', (3,)), ('fc.weight', (3, 2)), ('fc.bias', (3,))]
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _hooks: dict[int, Hook]
    _computed: dict[str, Any]  # of attributes that are computed when they are read: how, where there are such

    def __init__(self) -> None:
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _not_saved=set(), _hooks={})

    def _fixed(self) -> tuple[Any, ...]:
        """What a compiled step looks after, besides all attributes."""
        return (hooks.everywhere,)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes: every subclass defines it."""
        kind = type(self).__name__
        own = [name for base in type(self).__mro__[:-2] for name in vars(base)]
        raise NotImplementedError(f"{kind} does not say what it computes: define {kind}.forward{did_you_mean('forward', own)}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            hooked = self._hooks or hooks.everywhere
            return hooks.forward(self, args, kwargs) if hooked else self.forward(*args, **kwargs)
        except AutogradError as error:
            name_the_layer(error, self)
            raise

    # ------------------------------------------------------------ attributes
    def __getattr__(self, name: str) -> Any:  # called only when the ordinary way found nothing
        for registry in _REGISTRIES:
            values = self.__dict__.get(registry)
            if values is None:
                raise not_initialized(self)
            if name in values:
                return values[name]
        if name in self.__dict__.get("_computed", ()):
            return self._computed[name]()
        if hasattr(type(self), name):  # a property that failed: show its own error
            return object.__getattribute__(self, name)
        raise Misspelt(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        registry = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else None
        registry = "_buffers" if registry is None and isinstance(value, Buffer) else registry
        if name in own.get("_computed", ()):
            own["_computed"][name].assign(value)
            return
        if registry is None:
            registry = next((r for r in _REGISTRIES if name in own.get(r, ())), None)
            if registry is None:
                object.__setattr__(self, name, value)
                return
            if value is not None and not (registry == "_buffers" and isinstance(value, Tensor)):
                kind = _REGISTRIES[registry]
                raise UnsupportedError(
                    f"{type(self).__name__}.{name} is a {kind} and stays one: assign a {kind.title()} or None, "
                    f"not {type(value).__name__}; to change values, use copy_() under no_grad()"
                )
        elif registry not in own:
            raise not_initialized(self)
        for place in (own, *(own[r] for r in _REGISTRIES if r != registry)):
            place.pop(name, None)
        own[registry][name] = value
        if isinstance(value, Buffer):
            (own["_not_saved"].discard if value.persistent else own["_not_saved"].add)(name)

    def __delattr__(self, name: str) -> None:
        for registry in _REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                del self.__dict__[registry][name]
                self.__dict__["_not_saved"].discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        kept = (*_REGISTRIES, "_computed")
        return sorted({*object.__dir__(self), *(name for r in kept for name in self.__dict__.get(r, ()))})

    def _register(self, registry: str, name: str, value: Any, kind: type) -> None:
        what, own = _REGISTRIES[registry], self.__dict__
        if registry not in own:
            raise not_initialized(self)
        if not isinstance(name, str):
            raise UnsupportedError(f"a {what} has a name, a string, not {name!r}")
        if not name or "." in name:
            raise ArgumentError(f"a {what} cannot be called {name!r}: a name is not empty and holds no dot")
        if name not in own[registry] and hasattr(self, name):
            raise ArgumentError(f"{type(self).__name__} has an attribute {name!r} already: give the {what} another name")
        if value is not None and not isinstance(value, kind):
            raise UnsupportedError(f"{what} {name!r} must be a {kind.__name__} or None, not {type(value).__name__}")
        own[registry][name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None keeps the place for one."""
        self._register("_parameters", name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state but is not trained; in `state_dict` unless not `persistent`."""
        self._register("_buffers", name, tensor, Tensor)
        (self._not_saved.discard if persistent else self._not_saved.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under `name`."""
        self._register("_modules", name, module, Module)

    register_module = add_module

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a file holds: results that a hook computes anew before each forward, as values outside the graph."""
        state = vars(self).copy()
        for hook in state.get("_hooks", {}).values():
            if (name := getattr(hook.call, "recomputes", None)) in state:
                state[name] = state[name].detach()
        return state

    # ------------------------------------------------------------ hooks
    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns, if anything, replaces the arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, and returns both. `handle.remove()` takes the hook out.
        """
        return hooks.register(self._hooks, Hook("forward pre", hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after each forward; what it returns, if anything, replaces the output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`. With `always_call` it is called, with None for the
        output, even where the forward raises.
        """
        return hooks.register(self._hooks, Hook("forward", hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` in each backward through this module.

        `grad_output` has the gradient of each result, `grad_input` of each positional argument: tuples, with None for what
        has none. What the hook returns, if anything, replaces `grad_input`.

        >>> import autograd, nn
        >>> layer, x = nn.Linear(2, 3), autograd.ones(4, 2, requires_grad=True)
        >>> handle = layer.register_full_backward_hook(lambda module, gi, go: print(gi[0].shape, go[0].shape))
        >>> layer(x).sum().backward()
        (4, 2) (4, 3)
        """
        return hooks.register(self._hooks, Hook("backward", hook), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before each backward through this module; what it returns replaces that."""
        return hooks.register(self._hooks, Hook("backward pre", hook), prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` takes what is in this module."""
        return hooks.register(self._hooks, Hook("state pre", hook))

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after that, and after those inside; it may change the dict."""
        return hooks.register(self._hooks, Hook("state", hook))

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before anything is loaded: it may change, in place, the copy of the dict that it is given.

        It is `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`; what it adds
        to the last makes `load_state_dict` raise.

        >>> import nn
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> def renamed(module, state_dict, prefix, *_):
        ...     state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
        >>> handle = layer.register_load_state_dict_pre_hook(renamed)
        >>> layer.load_state_dict({"kernel": np.ones((1, 2))})
        <All keys matched successfully>
        """
        return hooks.register(self._hooks, Hook("load pre", hook))

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., None], with_module: bool = False) -> RemovableHandle:
        return self.register_load_state_dict_pre_hook(hook if with_module else lambda _, *args: hook(*args))

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, keys)` after values are loaded; what it takes out of the lists of keys is no error."""
        return hooks.register(self._hooks, Hook("load", hook))

    # ------------------------------------------------------------ what is in it
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly in this one, each once, by name."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly in this one, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all in it, parents first, by path ('' for this one, then 'fc', 'body.0', ...)."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all in it, each once."""
        return (module for _, module in self.named_modules())

    def _named(self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        whole = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in whole if recurse else [(prefix, self)]:
            for name, value in getattr(module, registry).items():
                if value is not None and not (remove_duplicate and value in seen):
                    seen.add(value)
                    yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters by path; a shared one once, under its first path."""
        return _Found(self, self._named("_parameters", prefix, recurse, remove_duplicate))

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, a shared one once: what an optimizer takes."""
        return _Found(self, (p for _, p in self._named("_parameters", "", recurse, True)))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers by path."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def _get(self, target: str, kind: type) -> Any:
        found: Any = self
        for name in target.split(".") if target else ():
            found = getattr(found, name)
        if not isinstance(found, kind):
            raise Misspelt(self, target)
        return found

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as 'body.0'. Raises AttributeError if there is none."""
        return self._get(target, Module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as 'body.0.weight'. Raises AttributeError if there is none."""
        return self._get(target, Parameter)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path. Raises AttributeError if there is none."""
        *path, name = target.split(".")
        owner = self.get_submodule(".".join(path))
        if owner._buffers.get(name) is None:
            raise Misspelt(self, target)
        return owner._buffers[name]  # type: ignore[return-value]

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a path such as 'body.0'; with `strict` only where there is one. Raises AttributeError or ArgumentError.

        >>> import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
        >>> net.set_submodule("1.0", nn.Tanh())
        >>> net[1]
        Sequential(
          (0): Tanh()
        )
        """
        *path, name = target.split(".")
        owner = self.get_submodule(".".join(path))
        if not name:
            raise ArgumentError(f"set_submodule: a path says where to put the module, got {target!r}")
        if not isinstance(module, Module):
            raise ArgumentError(f"set_submodule puts a Module at {target!r}, not {type(module).__name__}")
        if strict or name in owner._parameters or name in owner._buffers:
            owner.get_submodule(name)
        setattr(owner, name, module)

    # ------------------------------------------------------------ saving and loading
    def state_dict(
        self, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by path, outside the graph and sharing memory (the Parameters if `keep_vars`).

        A shared parameter is there under each of its paths. Keys begin with `prefix`. `destination` is added to, if given.
        What a module's `get_extra_state` returns, if that is defined, is there as '_extra_state'.
        """
        found: dict[str, Any] = {} if destination is None else destination
        inside = list(self._prefixed(prefix))
        for path, module in inside:
            hooks.tell(module, "state pre", path, keep_vars)
            for name, value in module._state():
                found[path + name] = value if keep_vars else value.detach()
            if type(module).get_extra_state is not Module.get_extra_state:
                found[path + EXTRA] = module.get_extra_state()
        for path, module in reversed(inside):
            for new in hooks.tell(module, "state", found, path, {}):
                found = found if new is None else new
        return found

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """What is saved of this module alone, by name."""
        for name, value in (*self._parameters.items(), *self._buffers.items()):
            if value is not None and name not in self._not_saved:
                yield name, value

    def _prefixed(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all in it, a shared one each time, by what the keys of its state begin with."""
        for path, module in self.named_modules(remove_duplicate=False):
            yield f"{prefix}{path}." if path else prefix, module

    def get_extra_state(self) -> Any:
        """What `state_dict` is to hold besides tensors: a subclass defines this and `set_extra_state`."""
        raise NotImplementedError(f"{type(self).__name__} has no state besides its tensors: define get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Take over what `get_extra_state` had returned."""
        raise NotImplementedError(f"{type(self).__name__} does not say what to do with it: define set_extra_state")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Write the values of `state_dict` (Tensors or arrays) into this module's parameters and buffers.

        Raises StateError naming every missing, unexpected and misshapen key, and then nothing is loaded. Without
        `strict`, missing and unexpected keys are returned instead. With `assign` the memory of the values is taken over,
        and their dtype with it, instead of being copied. PyTorch: torch.nn.Module.load_state_dict.

        >>> import nn
        >>> nn.Linear(3, 4).load_state_dict({"weight": np.ones((3, 4)), "scale": np.ones(4)})
        Traceback (most recent call last):
            ...
        autograd.errors.StateError: load_state_dict of Linear: nothing was loaded; missing: bias; unexpected: scale; misshapen: weight (expected (4, 3), got (3, 4))
        """  # noqa: E501
        inside, state_dict, keys, told = list(self._prefixed()), dict(state_dict), Keys([], []), list[str]()
        for prefix, module in inside:
            hooks.tell(module, "load pre", state_dict, prefix, {}, strict, *keys, told)
        own = {prefix + name: value for prefix, module in inside for name, value in module._state()}
        extra = {p + EXTRA: m for p, m in inside if type(m).set_extra_state is not Module.set_extra_state}
        keys.missing_keys.extend(k for k in (*own, *extra) if k not in state_dict)
        keys.unexpected_keys.extend(k for k in state_dict if k not in own and k not in extra)
        known = {key: value for key, value in own.items() if not is_lazy(value)}
        both = {k: (own[k], loadable(v)) for k, v in state_dict.items() if k in own and not (is_lazy(v) and is_lazy(own[k]))}
        wrong = [f"{k} (expected {_shape(old)}, got {_shape(new)})" for k, (old, new) in both.items() if not _takes(old, new)]
        after = any(hook.when == "load" for _, module in inside for hook in module._hooks.values())  # may forgive
        problems = {"missing": keys.missing_keys, "unexpected": keys.unexpected_keys} if strict else {}
        fatal = {"misshapen": wrong, "told by hooks": told} | (problems if not after else {})
        _refuse(self, "nothing was loaded", problems | fatal if any(fatal.values()) else {})
        with no_grad():
            for key, value in apart({key: new for key, (_, new) in both.items()}, known).items():
                old = own[key]
                if is_lazy(old):
                    old.materialize(value.shape)
                if assign:
                    recast(old, value)
                else:
                    old.copy_(value)
        for key in extra.keys() & state_dict.keys():
            extra[key].set_extra_state(state_dict[key])
        for _, module in reversed(inside):
            hooks.tell(module, "load", keys)
        _refuse(self, "all that fits was loaded", problems)
        return keys

    # ------------------------------------------------------------ changing all of it
    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module in this one, children first, and then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training, where for example Dropout drops, or with False to evaluation."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"train: mode is True or False, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation: the same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let gradients flow to all parameters, or, to freeze the module, to none."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with `set_to_none=False` fill them with zeros."""
        clear(self.parameters(), set_to_none)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Parameters and buffers, and gradients, on another device; those of floating-point numbers in another dtype.

        As `Tensor.to`. The parameters stay the same objects; an optimizer that was made before has its state as they were.
        """
        dtype, device = destination(*args, **kwargs)
        if dtype is not None and dtype.kind != "f":
            raise DtypeError(f"the parameters of {type(self).__name__} stay floating-point numbers, they cannot be {dtype}")
        held = [*self.parameters(), *self.buffers()]
        moved = [t.detach().to(dtype=dtype if t.dtype.kind == "f" else None, device=device) for t in held]
        for t, new in zip(held, moved, strict=True):
            if new.dtype != t.dtype or new.device != t.device:
                recast(t, new)
        return self

    def float(self) -> Self:
        """In float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """In float64."""
        return self.to(np.float64)

    def half(self) -> Self:
        """In float16."""
        return self.to(np.float16)

    def type(self, dst_type: Any) -> Self:
        """In another dtype."""
        return self.to(dst_type)

    def cpu(self) -> Self:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """On a GPU, the first one or that of this number (torch.nn.Module.cuda)."""
        return self.to(f"cuda:{device}" if isinstance(device, int) else device or "cuda")

    # ------------------------------------------------------------ how it looks
    def extra_repr(self) -> str:
        """What stands in the parentheses of the repr: the arguments a layer was made with."""
        return ""

    def _child_lines(self) -> list[str]:
        beside = [f"(!): {u.what}; {u.advice}" for u in unregistered(self, deep=False)]
        return [*(f"({name}): {module!r}" for name, module in self._modules.items()), *beside]

    def __repr__(self) -> str:
        kind, extra, children = type(self).__name__, self.extra_repr(), self._child_lines()
        if not children and "\n" not in extra:
            return f"{kind}({extra})"
        body = "\n".join([extra] * bool(extra) + children).replace("\n", "\n  ")
        return f"{kind}(\n  {body}\n)"


def _takes(old: Tensor, new: Tensor) -> bool:
    """Can `old` be given the values of `new`?"""
    return not is_lazy(new) and new.dtype.kind in "fiub" and (is_lazy(old) or new.shape == old.shape)


def _shape(t: Tensor) -> Any:
    return f"an {t!r}" if is_lazy(t) else t.shape if t.dtype.kind in "fiub" else describe(t)


def _refuse(module: Module, what: str, problems: dict[str, list[str]]) -> None:
    """Raise StateError if there are any."""
    if any(problems.values()):
        found = "; ".join(f"{why}: {', '.join(names)}" for why, names in problems.items() if names)
        raise StateError(f"load_state_dict of {type(module).__name__}: {what}; {found}")


def recast(t: Tensor, new: Tensor) -> None:
    """Give the leaf `t` the array of `new`, of any dtype. It keeps its node: hooks, and graphs made before, stay right."""
    if is_lazy(t):
        t.recast(new.dtype)
        return
    requires_grad, grad = t.requires_grad, t.grad
    t.requires_grad = False  # while no graph can be made from it, a leaf may be given other data
    t.data = new
    if new.dtype.kind != "f":
        return
    t.requires_grad = True
    t.node.dtype = new.dtype  # type: ignore[union-attr]
    t.grad = None if grad is None else grad.detach().to(new)
    t.requires_grad = requires_grad


def clear(parameters: Any, set_to_none: bool) -> None:
    """Forget the gradients of `parameters`, or fill them with zeros."""
    for p in parameters:
        if p.grad is not None:
            if set_to_none:
                p.grad = None
            else:
                with no_grad():
                    p.grad.detach_().zero_()


# ---------------------------------------------------------------- hooks of all modules
def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before each forward of any module (torch.nn.modules.module.register_module_forward_pre_hook)."""
    return hooks.register(hooks.everywhere, Hook("forward pre", hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after each forward of any module, before its own hooks.

    The options are those of `Module.register_forward_hook` (torch.nn.modules.module.register_module_forward_hook).
    """
    return hooks.register(hooks.everywhere, Hook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before each backward of any module: see `Module.register_full_backward_pre_hook`."""
    return hooks.register(hooks.everywhere, Hook("backward pre", hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` in each backward of any module: see `Module.register_full_backward_hook`."""
    return hooks.register(hooks.everywhere, Hook("backward", hook))
