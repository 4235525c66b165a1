"""What a module holds without being told of it: modules and tensors that would learn, but are in no `parameters()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from autograd.engine.tensor import Tensor

_OWN = {"_parameters", "_buffers", "_modules", "_hooks", "_not_saved", "_computed"}


class Unregistered(NamedTuple):
    """An attribute that holds such: what it is, what to make of it, and the leaves that would learn."""

    what: str
    advice: str
    leaves: list[Tensor]


def unregistered(module: Any, deep: bool = True) -> list[Unregistered]:
    """Attributes of `module`, or if `deep` of all modules in it, that hold leaves which require grad, but are not registered.

    Plain lists, tuples and dicts of modules or tensors, and plain tensors. What is registered elsewhere in `module` is not meant.
    """
    inside, found = list(module.modules()), []
    known, tensors = set(inside), {id(p) for p in module.parameters()}
    for owner in inside if deep else [module]:
        for name, value in vars(owner).items():
            if name in _OWN or not isinstance(value, (list, tuple, dict, Tensor)):
                continue
            parts = list(_parts(value))
            modules = [m for m in parts if not isinstance(m, Tensor) and m not in known]
            leaves = [t for t in parts if isinstance(t, Tensor)] + [p for m in modules for p in m.parameters()]
            leaves = [t for t in leaves if t.requires_grad and t.is_leaf and id(t) not in tensors]
            if leaves:
                what, advice = _described(value, modules)
                found.append(Unregistered(f"{type(owner).__name__}.{name} is {what}", advice, leaves))
    return found


def _parts(value: Any) -> Iterator[Any]:
    """The modules and tensors in nested lists, tuples and dicts."""
    if isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
    elif isinstance(value, Tensor) or hasattr(value, "named_modules"):
        yield value


def _described(value: Any, modules: list[Any]) -> tuple[str, str]:
    if isinstance(value, Tensor):
        return "a tensor that requires grad, but no parameter", "make it an nn.Parameter"
    kind, held = type(value).__name__, "Module" if modules else "Parameter"
    what = f"a {kind} of {'modules' if modules else 'tensors'}, which are not registered"
    return what, f"make it an nn.{held}{'Dict' if isinstance(value, dict) else 'List'}"
