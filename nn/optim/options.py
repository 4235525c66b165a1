"""The options of optimizers and schedulers: what kinds there are, and one check of all that an `__init__` declares."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from operator import is_
from typing import Annotated, Any, NamedTuple

from autograd.errors import ArgumentError, describe


class KindError(ArgumentError, TypeError):
    """An option that is no such thing at all, for which PyTorch raises a TypeError."""


class Kind(NamedTuple):
    """What an option must be, how that is seen, and what it must be besides; the annotation of an argument says so."""

    what: str
    fits: Callable[[Any], Any]
    bounds: str = ""
    within: Callable[[Any], Any] = lambda value: True

    def check(self, name: str, value: Any) -> None:
        """Raise an ArgumentError unless `value` is one; a tensor of one element is the number in it."""
        value = plain(value)
        if not self.fits(value):
            some = " or a tensor of one" * hasattr(value, "shape")
            raise KindError(f"{name} must be {self.what}{some}, got {describe(value)}")
        if not self.within(value):
            raise ArgumentError(f"{name} must be {self.bounds}, got {describe(value)}")


def plain(value: Any) -> Any:
    """Tensors and arrays of one element as numbers, also those in a tuple or list."""
    if isinstance(value, (tuple, list)):
        found = tuple(map(plain, value))
        return value if isinstance(value, tuple) and all(map(is_, found, value)) else found
    return value.item() if hasattr(value, "shape") and math.prod(value.shape) == 1 else value


# ---------------------------------------------------------------- the kinds
def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are(count: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and len(value) == count and all(map(_number, value))


def _numbers(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and all(map(_number, map(plain, value)))


def _no_nan(value: Any) -> bool:
    return all(v == v for v in map(plain, value if isinstance(value, Iterable) else [value]))


def _one_of(*values: str | None) -> Kind:
    *some, last = map(repr, values)
    return Kind(f"{', '.join(some)} or {last}", lambda value: (value is None or isinstance(value, str)) and value in values)


def _or_none(kind: Kind) -> Kind:
    return Kind(
        f"{kind.what}, or None",
        lambda value: value is None or kind.fits(value),
        f"{kind.bounds}, or None",
        lambda value: value is None or kind.within(value),
    )


def _from(least: int) -> Kind:
    return Kind(what := f"an integer of {least} or more", _whole, what, lambda value: value >= least)


_POSITIVE = Kind("a number", _number, "above 0", lambda value: value > 0)
Number = Annotated[Any, Kind("a number", _number, "a number", _no_nan)]
NotNegative = Annotated[Any, Kind("a number", _number, "0 or more", lambda value: value >= 0)]
Positive = Annotated[Any, _POSITIVE]
OneOrMore = Annotated[Any, Kind("a number", _number, "1 or more", lambda value: value >= 1)]
NotPositive = Annotated[Any, Kind("a number", _number, "0 or less", lambda value: value <= 0)]
PositiveOrNone = Annotated[Any, _or_none(_POSITIVE)]
Share = Annotated[Any, Kind("a number", _number, "from 0 to 1", lambda value: 0 <= value <= 1)]
FirstShare = Annotated[Any, Kind("a number", _number, "above 0 and at most 1", lambda value: 0 < value <= 1)]
BelowOne = Annotated[Any, Kind("a number", _number, "below 1", lambda value: value < 1)]
FloatShare = Annotated[
    Any, Kind("a float from 0 to 1", lambda value: type(value) is float, "a float from 0 to 1", lambda value: 0 <= value <= 1)
]
Flag = Annotated[Any, Kind("True or False", lambda value: value is None or (isinstance(value, (int, float)) and value in (0, 1)))]
Epoch = Annotated[Any, _from(-1)]
Whole = Annotated[Any, _from(0)]
Count = Annotated[Any, _from(1)]
CountOrNone = Annotated[Any, _or_none(_from(1))]
WholeOrNone = Annotated[Any, _or_none(_from(0))]
FewSteps = Annotated[Any, Kind("an integer", _whole, "from 0 to below 100", lambda value: 0 <= value < 100)]
Betas = Annotated[
    Any,
    Kind("two numbers", _are(2), "two numbers from 0 to below 1", lambda value: all(0 <= beta < 1 for beta in value)),
]
Etas = Annotated[
    Any,
    Kind("two numbers", _are(2), "a number between 0 and 1 and one above 1", lambda value: 0 < value[0] < 1 < value[1]),
]
Pair = Annotated[Any, Kind("two numbers", _are(2), "two numbers", _no_nan)]
Epsilons = Annotated[
    Any,
    Kind(
        "two numbers, of which the first may be None",
        lambda value: isinstance(value, tuple) and len(value) == 2 and all(map(_number, (value[0] or 0, value[1]))),
        "two numbers of 0 or more, of which the first may be None",
        lambda value: (value[0] or 0) >= 0 and value[1] >= 0,
    ),
]
Triple = Annotated[Any, Kind("three numbers", _are(3), "three numbers", _no_nan)]
Numbers = Annotated[Any, Kind("a list of numbers", _numbers, "a list of numbers", _no_nan)]
PerGroup = Annotated[
    Any,
    Kind(
        per := "a number, or a list of one for each group",
        lambda value: _number(value) or (isinstance(value, tuple) and _numbers(value)),
        per,
        _no_nan,
    ),
]
Schedulers = Annotated[Any, Kind("a list of schedulers", lambda value: isinstance(value, tuple))]
FunctionOrNone = Annotated[Any, Kind("a function or None", lambda value: value is None or callable(value))]
Adjustment = Annotated[Any, _one_of(None, "original", "match_rms_adamw")]
LineSearch = Annotated[Any, _one_of(None, "strong_wolfe")]
CycleMode = Annotated[
    Any, Kind("'triangular', 'triangular2' or 'exp_range'", lambda value: isinstance(value, str))  # any, if there is a scale_fn
]
Anneal = Annotated[Any, _one_of("cos", "linear")]
Extreme = Annotated[Any, _one_of("min", "max")]
Threshold = Annotated[Any, _one_of("rel", "abs")]
ScaleMode = Annotated[Any, _one_of("cycle", "iterations")]


# ---------------------------------------------------------------- the check
def kinds_of(cls: type) -> dict[str, Kind]:
    """The kinds that the `__init__` of a class of ours declares; whatever others write in theirs means nothing here."""
    if "__init__" not in vars(cls) or not cls.__module__.startswith(f"{__package__}."):
        return {}
    hints = inspect.get_annotations(vars(cls)["__init__"], eval_str=True)
    return {name: kind for name, hint in hints.items() for kind in getattr(hint, "__metadata__", ())}


def check_options(cls: Any) -> None:
    """Let the `__init__` of a class check its arguments by their kinds, before it does anything."""
    if kinds := kinds_of(cls):
        init, signature = cls.__init__, inspect.signature(cls.__init__)

        @wraps(init)
        def checked(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                given = signature.bind(self, *args, **kwargs)
            except TypeError:
                return init(self, *args, **kwargs)  # which says by itself what is missing, or too much
            for name in kinds.keys() & given.arguments.keys():
                if isinstance(value := given.arguments[name], Iterator):  # it can be looked at once
                    value = given.arguments[name] = list(value)
                kinds[name].check(f"{type(self).__name__}: {name}", value)
            return init(*given.args, **given.kwargs)

        cls.__init__ = checked
