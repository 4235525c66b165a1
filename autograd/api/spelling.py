"""The form in which users call a function: by PyTorch's argument names or NumPy's, into `out`, with errors that name it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from ..engine import codegen
from ..engine.into import into
from ..errors import AutogradError, explain
from ..see.help import docstrings

_NUMPY_NAMES = {  # what NumPy, or here and there PyTorch, calls an argument, and what it is called here
    "axis": "dim", "keepdims": "keepdim", "axes": "dims", "reps": "dims", "a": "input", "x": "input",
    "a_min": "min", "a_max": "max",
    "mat2": "other", "vec": "other", "tensor": "other", "input": "A", "A": "input", "size": "shape",
    "split_size": "split_size_or_sections",
    "indices": "indices_or_sections", "sections": "indices_or_sections",
}  # fmt: skip


_PASSING = (
    "layout",
    "pin_memory",
    "memory_format",
)  # what PyTorch asks of memory, for functions that make tensors: there is one kind


@cache
def spelled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The form of a function that users call: it takes NumPy's argument names, `axis` and `keepdims`, beside PyTorch's.

    And what Python or NumPy raise inside it, as for a list where a tensor belongs, becomes an error of ours that names it.
    A primitive sees to that itself; its x and y are called input and other from here on.
    """
    if hasattr(function, "fun"):
        return codegen.spelled(function, x="input", y="other")
    if hasattr(function, "plain"):
        return function
    signature = inspect.signature(function)
    taken = signature.parameters
    names = {theirs: ours for theirs, ours in _NUMPY_NAMES.items() if ours in taken and theirs not in taken}
    passing = _PASSING if "device" in taken else ()

    @wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {names.get(k, k): v for k, v in kwargs.items() if k not in passing}
            if (out := kwargs.pop("out", None)) is not None:
                return into(out, either, *args, **kwargs)
        try:
            return function(*args, **kwargs)
        except AutogradError as error:  # clear already, but maybe by the name of an op that this one is made of
            if either.__name__ not in str(error):
                error.args = (f"{either.__name__}: {error}",)
            raise
        except (AttributeError, TypeError, ValueError, IndexError, KeyError, ArithmeticError) as error:
            try:
                given = signature.bind(*args, **kwargs).arguments
            except TypeError:  # a missing or unknown argument: Python says so, and names the function
                raise error from None
            raise explain(either.__name__, list(given), list(given.values()), error) from error

    either.plain = function  # type: ignore[attr-defined]
    return either


def publish(table: dict[str, Any], home: str = "autograd") -> dict[str, Any]:
    """`table`, its functions in the form in which users call them: see `spelled`.

    `home` is the module where users, and pickle, find them. Primitives get their docstrings.
    """
    texts = docstrings()
    for name, op in table.items():
        op.__doc__ = texts.get(f"{home}.{name}", op.__doc__)
    forms = {op: spelled(op) for op in table.values()}
    for name, op in table.items():
        if (form := forms[op]) is not op:
            form.__module__ = home
            form.__name__ = form.__qualname__ = name if op.__name__ == "<lambda>" else op.__name__
    table.update({name: forms[op] for name, op in table.items()})
    return table
