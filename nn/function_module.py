"""What makes a module from a function of nn.functional: most activations, losses and layers without parameters are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter as Argument
from typing import Any, ClassVar

from .module import Module

_BUFFERS = ("weight", "pos_weight")  # options that are tensors
_OF_A_CALL = ("training", "generator", "out")  # arguments that are not options, whatever their default


class _FunctionModule(Module):
    """A module that computes a function: `class ReLU(_FunctionModule, of=F.relu): ...` is all there is to write.

    What the function cannot do without, its arguments that have no default, is what the module is called with. The others
    are its options: arguments when it is made, by the same defaults, and then attributes, `weight` and `pos_weight` as
    buffers; `training` is the mode that the module is in. The docstring is that of the function, if there is no other.

    options: the names of the options, where they are not these or not in this order; those after * are given by name only.
    shown: the names of those that the repr shows, where these are not all.

    Both go on to subclasses. What is to be checked or completed once the options are known stands in `__post_init__`.

    >>> import autograd
    >>> def ramp(input, low=0.0, high=1.0):
    ...     return input.clamp(low, high)
    >>> class Ramp(_FunctionModule, of=ramp): ...
    >>> Ramp(high=2.0), Ramp(high=2.0)(autograd.tensor([-1.0, 3.0]))
    (Ramp(low=0.0, high=2.0), tensor([0., 2.]))
    """

    _function: ClassVar[Callable[..., Any]]
    _takes: ClassVar[inspect.Signature]
    _inputs: ClassVar[list[str]]
    _passes: ClassVar[list[str]]
    _options: ClassVar[str | None] = None
    _shown: ClassVar[str | None] = None

    def __init_subclass__(
        cls, of: Callable[..., Any] | None = None, options: str | None = None, shown: str | None = None, **others: Any
    ) -> None:
        super().__init_subclass__(**others)
        cls._options = cls._options if options is None else options
        cls._shown = cls._shown if shown is None else shown
        if of is None:
            return
        given = inspect.signature(of).parameters
        taken = _options(given, cls._options)
        cls._function, cls._takes = staticmethod(of), inspect.Signature(taken)
        cls._inputs = [a.name for a in given.values() if a.default is a.empty and a.name not in cls._takes.parameters]
        cls._passes = [*cls._takes.parameters, *["training"] * ("training" in given)]
        cls.__doc__ = cls.__doc__ or _document(of, cls.__name__)
        if "__init__" not in vars(cls):
            cls.__init__ = _init_of(taken)  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            given = self._takes.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}; {_listed('option', self._takes.parameters)}") from None
        given.apply_defaults()
        super().__init__()
        for name, value in given.arguments.items():
            if name in _BUFFERS:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check or complete the options; for subclasses."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        if len(inputs) > len(self._inputs):
            raise TypeError(f"{type(self).__name__} is called with {len(inputs)} arguments; {_listed('input', self._inputs)}")
        return self._function(*inputs, **named, **{name: getattr(self, name) for name in self._passes})

    def extra_repr(self) -> str:
        names = self._takes.parameters if self._shown is None else self._shown.split()
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names if name != "inplace" or self.inplace)


def _options(given: Mapping[str, Argument], names: str | None) -> list[Argument]:
    """Of the arguments of a function the options of its module."""
    if names is None:
        return [a for a in given.values() if a.default is not a.empty and a.name not in _OF_A_CALL]
    anyhow, _, by_name = names.partition("*")
    positional = [given[name].replace(kind=Argument.POSITIONAL_OR_KEYWORD) for name in anyhow.split()]
    return positional + [given[name].replace(kind=Argument.KEYWORD_ONLY) for name in by_name.split()]


def _init_of(options: list[Argument]) -> Any:
    """The `__init__` of a class that has these options: the common one, but help() and editors see what it takes."""

    def __init__(self: _FunctionModule, *args: Any, **kwargs: Any) -> None:
        _FunctionModule.__init__(self, *args, **kwargs)

    own = Argument("self", Argument.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([own, *options])  # type: ignore[attr-defined]
    return __init__


def _listed(what: str, names: Iterable[str]) -> str:
    found = list(names)
    return f"its {what}{'s' * (len(found) > 1)}: {', '.join(found)}" if found else f"it has no {what}s"


def _document(function: Callable[..., Any], name: str) -> str:
    """The docstring of a function as that of the module called `name`; the example, which calls the function, stays there."""
    function = getattr(function, "func", function)  # of a partial
    text = inspect.cleandoc(function.__doc__ or "").partition(">>>")[0].rstrip()
    return text.replace(f"torch.nn.functional.{function.__name__}", f"torch.nn.{name}")
