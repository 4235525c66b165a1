"""Modules made of modules: one after the other, in a list, or by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, Self

from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DimError, UnsupportedError

from .module import Module, Parameter, did_you_mean

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Held(Module):
    """What is held, by name: modules, unless a subclass says otherwise."""

    _what = "modules"

    @property
    def _held(self) -> dict[str, Any]:
        return self._modules

    def _hold(self, name: str, value: Any) -> None:
        self.add_module(name, value)

    def __len__(self) -> int:
        return len(self._held)


class _Parameters(_Held):
    """Mixed in: what is held are parameters. A Tensor becomes one, sharing its memory."""

    _what = "parameters"

    @property
    def _held(self) -> dict[str, Any]:
        return self._parameters

    def _hold(self, name: str, value: Any) -> None:
        plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
        self.register_parameter(name, Parameter(value) if plain else value)

    def _child_lines(self) -> list[str]:
        held = ((name, str(p.dtype), "x".join(map(str, p.shape))) for name, p in self._held.items())
        return [f"({name}): Parameter containing: [{dtype} of size {size}]" for name, dtype, size in held]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(f"{type(self).__name__} only holds parameters; it is not to be called")


class _Numbered(_Held):
    """Numbered from 0, with the interface of a list."""

    def _place(self, index: int, extra: int = 0) -> int:
        n = len(self) + extra
        if not isinstance(index, int):
            raise UnsupportedError(
                f"the {self._what} of a {type(self).__name__} are numbered, {index!r} is not one of the numbers"
            )
        if not -n <= index < n:
            raise DimError(f"{type(self).__name__} holds {len(self)} {self._what}; there is none at {index}")
        return index % n

    def _renumber(self, values: Iterable[Any]) -> None:
        values = list(values)
        self._held.clear()
        self.extend(values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._held.values())

    def __getitem__(self, index: Any) -> Any:
        """What is at `index`, or for a slice a container of the same kind that shares what is there."""
        if isinstance(index, slice):
            return self._like(list(self._held.items())[index])
        return list(self)[self._place(index)]

    def _like(self, items: list[tuple[str, Any]]) -> Any:
        return type(self)([value for _, value in items])  # type: ignore[call-arg]

    def __setitem__(self, index: int, value: Any) -> None:
        self._hold(list(self._held)[self._place(index)], value)

    def __delitem__(self, index: int | slice) -> None:
        values = list(self)
        del values[index if isinstance(index, slice) else self._place(index)]
        self._renumber(values)

    def append(self, value: Any) -> Self:
        """Add one at the end."""
        self._hold(str(len(self)), value)
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end."""
        for value in list(values):
            self.append(value)
        return self

    def insert(self, index: int, value: Any) -> Self:
        """Add one before that at `index`."""
        values = list(self)
        values.insert(self._place(index, extra=1) if index >= 0 else self._place(index), value)
        self._renumber(values)
        return self

    def pop(self, index: int = -1) -> Any:
        """Take out what is at `index`, and return it."""
        value = self[index]
        del self[index]
        return value

    def __add__(self, values: Iterable[Any]) -> Any:
        return self._like([(str(i), value) for i, value in enumerate([*self, *values])])

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)


class Sequential(_Numbered):
    """Modules that are called one after the other, each on what the one before it returned (torch.nn.Sequential).

    Made of modules, or of a dict that gives them names.

    >>> import autograd, nn
    >>> net = Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> net(autograd.ones(5, 4)).shape
    (5, 2)
    >>> net[:2]
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0] if len(args) == 1 and isinstance(args[0], Mapping) else {str(i): m for i, m in enumerate(args)}
        for name, module in named.items():
            self.add_module(name, module)

    def _like(self, items: list[tuple[str, Any]]) -> Any:
        return type(self)(dict(items))

    def __mul__(self, times: int) -> Any:
        """The same modules, which share their parameters, several times over."""
        return self._like([(str(i), module) for i, module in enumerate([*self] * self._times(times))])

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        modules = [*self]
        for _ in range(self._times(times) - 1):
            self.extend(modules)
        return self

    @staticmethod
    def _times(times: int) -> int:
        if not isinstance(times, int):
            raise UnsupportedError(f"a Sequential is repeated a whole number of times, not {times!r}")
        if times < 1:
            raise ArgumentError(f"a Sequential is repeated once or more, not {times} times")
        return times

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(_Numbered):
    """A list of modules, which a plain list would hide from the module that holds it (torch.nn.ModuleList)."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _child_lines(self) -> list[str]:
        lines, start = [], 0
        for text, same in groupby(map(repr, self)):  # layers that look the same are shown once
            n = len(list(same))
            lines.append(f"({start}): {text}" if n == 1 else f"({start}-{start + n - 1}): {n} x {text}")
            start += n
        return lines


class ParameterList(_Parameters, _Numbered):
    """A list of parameters, which a plain list would hide from the module that holds it (torch.nn.ParameterList).

    >>> import autograd
    >>> weights = ParameterList([autograd.zeros(2), autograd.zeros(3)])
    >>> list(weights.state_dict())
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())


class _Named(_Held):
    """By name, with the interface of a dict."""

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.update(items or {})

    def update(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace some."""
        for name, value in dict(items).items():
            self[name] = value

    def __getitem__(self, name: str) -> Any:
        if name not in self._held:
            raise KeyError(f"there is no {self._what[:-1]} {name!r}{did_you_mean(name, list(self))}")
        return self._held[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._hold(name, value)

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def pop(self, name: str) -> Any:
        """Take out one, and return it."""
        value = self[name]
        del self[name]
        return value

    def clear(self) -> None:
        """Take out all."""
        self._held.clear()

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._held.keys()

    def values(self) -> Iterable[Any]:
        """What is held."""
        return self._held.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and what is held under them."""
        return self._held.items()


class ModuleDict(_Named):
    """Modules by name, with the interface of a dict (torch.nn.ModuleDict)."""


class ParameterDict(_Parameters, _Named):
    """Parameters by name, with the interface of a dict (torch.nn.ParameterDict).

    A plain dict is taken in the order of its names; an OrderedDict, another ParameterDict and pairs in their own.

    >>> import autograd
    >>> ParameterDict({"scale": autograd.ones(2)}) | {"shift": autograd.zeros(3)}
    ParameterDict(
      (scale): Parameter containing: [float32 of size 2]
      (shift): Parameter containing: [float32 of size 3]
    )
    """

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._held)

    def __or__(self, others: Any) -> Self:
        both = self.copy()
        both.update(others)
        return both

    def __ror__(self, others: Any) -> Self:
        return type(self)(others) | self

    def __ior__(self, others: Any) -> Self:
        self.update(others)
        return self

    def update(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace some; those of a plain dict in the order of their names."""
        plain = isinstance(items, Mapping) and not isinstance(items, OrderedDict)
        super().update(sorted(dict(items).items(), key=itemgetter(0)) if plain else items)

    def copy(self) -> Self:
        """Another dict of the same parameters."""
        return type(self)(self._held.items())

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter `key`, or `default` if there is none."""
        return self._held.get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The parameter `key`; if there is none, `default` becomes it."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """Take out the last one, and return its name and it."""
        return self._held.popitem()

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> Self:
        """A dict with these names, each of the same value."""
        return type(self)([(key, default) for key in keys])
