"""Attributes of modules that are computed from other tensors whenever they are read: parametrizations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from autograd.engine.grad_mode import no_grad
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, ShapeError, StateError, UnsupportedError, describe

from ..containers import ModuleDict, ModuleList
from ..module import Module, Parameter, did_you_mean, recast

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "type_before_parametrizations",
]  # fmt: skip

_known: ContextVar[dict[Any, Any] | None] = ContextVar("parametrizations that were computed", default=None)


@contextmanager
def cached() -> Iterator[None]:
    """While this holds, each parametrized attribute is computed once, when it is first read.

    For what reads one several times, as a recurrent network does (torch.nn.utils.parametrize.cached).
    """
    token = _known.set({}) if _known.get() is None else None
    try:
        yield
    finally:
        if token is not None:
            _known.reset(token)


class ParametrizationList(ModuleList):
    """What computes one attribute: modules, the first called with `original`, each next with what came out of the one before.

    `original` is the parameter or buffer that the attribute was, with what the `right_inverse` of the modules, if they have
    one, makes of its values; if that is several tensors, they are `original0`, `original1` and so on.
    """

    def __init__(self, modules: Iterable[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe, value = unsafe, original.detach()
        with no_grad():
            found = self._back(value)
            self.is_tensor = isinstance(found, Tensor)
            parts = [found] if self.is_tensor else list(found)
            if not all(isinstance(t, Tensor) for t in parts):
                raise ArgumentError(f"parametrization: right_inverse returns a tensor or several, not {describe(found)}")
            need_like("the attribute", value, self._compute(parts), unsafe)
        self._names = ("original",) if self.is_tensor else tuple(f"original{i}" for i in range(len(parts)))
        if self.is_tensor:
            if found is not value:  # the tensor stays the same object, which optimizers may have
                original.grad = None
                recast(original, found.clone())
            parts = [original]
        for name, t in zip(self._names, parts, strict=True):
            if isinstance(original, Parameter):
                self.register_parameter(name, t if t is original else Parameter(t.clone(), original.requires_grad))
            else:
                self.register_buffer(name, t)

    def _back(self, value: Any, strict: bool = False) -> Any:
        """What to compute `value` from: the right inverses, the last first; `strict` if each must have one."""
        for module in reversed(list(self)):
            back = getattr(module, "right_inverse", None)
            try:
                if back is None:
                    raise NotImplementedError("define its right_inverse, or write into original")
                value = back(value)
            except NotImplementedError as error:  # whose value is then what it is computed from
                if strict:
                    what = f"{type(module).__name__} does not say what to compute a value from"
                    raise UnsupportedError(f"parametrization: {what}; {error}") from None
        return value

    def _compute(self, parts: Iterable[Any]) -> Any:
        first, *others = self
        value = first(*parts)
        for module in others:
            value = module(value)
        return value

    def right_inverse(self, value: Any) -> None:
        """Let the attribute be `value`, or what of the values that it can have is nearest to that in the eyes of the modules."""
        with no_grad():
            found = self._back(value, strict=True)
            new, old = [found] if self.is_tensor else list(found), [getattr(self, name) for name in self._names]
            if [t.shape for t in new] != [t.shape for t in old]:
                shapes = f"{[t.shape for t in new]} from {describe(value)}, where {[t.shape for t in old]} are registered"
                raise ShapeError(f"parametrization: right_inverse makes tensors of shapes {shapes}")
            for t, values in zip(old, new, strict=True):
                t.copy_(values)
        (_known.get() or {}).pop(self, None)

    assign = right_inverse  # what Module calls

    def forward(self) -> Any:
        """The value of the attribute, computed now, or earlier while `cached()` holds."""
        known = _known.get()
        if known is not None and self in known:
            return known[self]
        value = self._compute(getattr(self, name) for name in self._names)
        if known is not None:
            known[self] = value
        return value


def need_like(name: str, old: Any, new: Any, unsafe: bool) -> None:
    """Raise ArgumentError unless what is computed is a tensor like the one in whose place it comes."""
    if not isinstance(new, Tensor):
        raise ArgumentError(f"parametrization: {name} is to be a tensor, what was computed is {describe(new)}")
    if not unsafe and (new.shape, new.dtype) != (old.shape, old.dtype):
        what = f"{name} is {describe(old)}, but what was computed is {describe(new)}"
        raise ArgumentError(f"parametrization: {what}; pass unsafe=True if that is meant")


def register_parametrization(module: Any, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Any:
    """Let `module.<tensor_name>` be what `parametrization` makes of it, computed anew each time it is read.

    The parameter, or buffer, moves to `module.parametrizations.<tensor_name>.original`. If the parametrization has a
    `right_inverse`, that says what its values are to begin with, so that the attribute keeps its own, and the attribute may be
    assigned. Another one may be registered behind. What is computed has the shape and dtype of what was there, unless `unsafe`.
    Returns the module. Raises ArgumentError, StateError or UnsupportedError, and then nothing is changed
    (torch.nn.utils.parametrize.register_parametrization).

    >>> import autograd, nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).mT
    >>> layer = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.mT).all()), sorted(layer.state_dict())
    (True, ['bias', 'parametrizations.weight.original'])
    """
    if not isinstance(parametrization, Module):
        raise UnsupportedError(f"register_parametrization: a parametrization is a Module, not {describe(parametrization)}")
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        with no_grad():
            value = held()
            need_like(tensor_name, value, parametrization(value), unsafe)
        held.append(parametrization)
        held.unsafe |= unsafe
        return module
    registry = next((r for r in (module._parameters, module._buffers) if r.get(tensor_name) is not None), None)
    if registry is None:
        names = [n for r in (module._parameters, module._buffers) for n, t in r.items() if t is not None]
        what = f"{type(module).__name__} has no parameter or buffer {tensor_name!r}{did_you_mean(tensor_name, names)}"
        raise StateError(f"register_parametrization: {what}")
    made = ParametrizationList([parametrization], registry[tensor_name], unsafe)
    del registry[tensor_name]
    if "parametrizations" not in module._modules:
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = made
    module.__dict__.setdefault("_computed", {})[tensor_name] = made
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Is the attribute of this name computed by parametrizations; or, without a name, any (torch.nn.utils.parametrize)?"""
    computed = module.__dict__.get("_computed", {})
    return bool(computed) if tensor_name is None else tensor_name in computed


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make an attribute a parameter, or buffer, again: with its values now, or with those it is computed from.

    The second, not `leave_parametrized`, is for those that are computed from one tensor. Returns the module. Raises StateError
    or ArgumentError (torch.nn.utils.parametrize.remove_parametrizations).
    """
    if not is_parametrized(module, tensor_name):
        raise StateError(f"remove_parametrizations: {type(module).__name__}.{tensor_name} has no parametrization")
    held = module.parametrizations[tensor_name]
    if not held.is_tensor and not leave_parametrized:
        what = f"{tensor_name} is computed from {len(held._names)} tensors, none of which can stand in its place"
        raise ArgumentError(f"remove_parametrizations: {what}; pass leave_parametrized=True")
    with no_grad():
        value = held._compute(getattr(held, name) for name in held._names)
    original = getattr(held, held._names[0])
    if not held.is_tensor:
        original = Parameter(value.clone(), original.requires_grad) if isinstance(original, Parameter) else value.clone()
    elif leave_parametrized:
        original.grad = None
        recast(original, value.clone())
    del module._computed[tensor_name], module.parametrizations[tensor_name]
    if not module._computed:
        del module._modules["parametrizations"]
    put = module.register_parameter if isinstance(original, Parameter) else module.register_buffer
    put(tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """Its class, which parametrizations leave as it is here (torch.nn.utils.parametrize.type_before_parametrizations)."""
    return type(module)
