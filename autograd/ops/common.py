"""What the families of ops share: dims, PyTorch's and NumPy's argument names, and results in pairs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, NamedTuple

import numpy as np

from ..engine.codegen import spelled
from ..engine.into import into
from ..engine.tensor import NUMPY
from ..errors import AutogradError, DimError, DtypeError, explain

Dims = int | tuple[int, ...] | list[int] | None
_NUMPY_NAMES = {  # what NumPy, or here and there PyTorch, calls an argument, and what it is called here
    "axis": "dim", "keepdims": "keepdim", "axes": "dims", "reps": "dims", "a": "input", "x": "input", "a_min": "min", "a_max": "max",
    "mat2": "other", "vec": "other", "tensor": "other", "input": "A", "A": "input", "size": "shape", "split_size": "split_size_or_sections",
    "indices": "indices_or_sections", "sections": "indices_or_sections",
}  # fmt: skip


class ValuesIndices(NamedTuple):
    """What `max`, `min`, `sort` and `topk` along a dim return."""

    values: Any
    indices: Any


@cache
def for_users(function: Callable[..., Any]) -> Callable[..., Any]:
    """The form of a function that users call: it takes NumPy's argument names, `axis` and `keepdims`, beside PyTorch's.

    And what Python or NumPy raise inside it, as for a list where a tensor belongs, becomes an error of ours that names it.
    A primitive sees to that itself; its x and y are called input and other from here on.
    """
    if hasattr(function, "fun"):
        return spelled(function, x="input", y="other")
    if hasattr(function, "plain"):
        return function
    signature = inspect.signature(function)
    taken = signature.parameters
    names = {theirs: ours for theirs, ours in _NUMPY_NAMES.items() if ours in taken and theirs not in taken}

    @wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {names.get(k, k): v for k, v in kwargs.items()}
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
    """`table`, its functions in the form in which users call them: see `for_users`. NumPy's that are the same follow.

    `home` is the module where users, and pickle, find them.
    """
    forms = {op: for_users(op) for op in table.values()}
    for name, op in table.items():
        if (form := forms[op]) is not op:
            form.__module__ = home
            form.__name__ = form.__qualname__ = name if op.__name__ == "<lambda>" else op.__name__
    table.update({name: forms[op] for name, op in table.items()})
    NUMPY.update({function: forms[op] for function, op in NUMPY.items() if op in forms})
    return table


def public(*numpy: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that takes NumPy's argument names as well, and that these NumPy functions become on Tensors."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        function = for_users(function)
        NUMPY.update(dict.fromkeys(numpy, function))
        return function

    return register


def is_contiguous(input: Any) -> bool:
    """Do the elements lie in memory one after the other, in order (torch.Tensor.is_contiguous)?"""
    return bool(getattr(getattr(getattr(input, "array", input), "flags", None), "c_contiguous", True))


def contiguous(input: Any) -> Any:
    """This Tensor if its elements lie in memory in order, else a copy of it in which they do (torch.Tensor.contiguous)."""
    return input if is_contiguous(input) else np.copy(input, "C")


def in_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of arrays, its result with the elements in order in memory, as PyTorch lays out what it does not compute elementwise."""

    @wraps(function)
    def ordered(*args: Any) -> Any:
        return contiguous(function(*args))

    return ordered


def one_dim(op: str, dim: Any, ndim: int) -> int:
    """`dim` counted from the front. Raises DimError if there is no such dim (a 0-d tensor counts as having one)."""
    try:
        index = dim.__index__()
    except AttributeError:
        raise DtypeError(f"{op}: dim must be an integer, got {dim!r}") from None
    if not -max(ndim, 1) <= index < max(ndim, 1):
        raise DimError(f"{op}: dim {dim} does not exist in a tensor of {ndim} dims; use {-max(ndim, 1)} to {max(ndim, 1) - 1}")
    return int(index % max(ndim, 1))


def some_dims(op: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    """`dim` as a tuple counted from the front; None means all of them."""
    if dim is None:
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        dim = (dim,)
    found = tuple(one_dim(op, d, ndim) for d in dim)
    if len(set(found)) != len(found):
        raise DimError(f"{op}: dim {tuple(dim)} names a dim twice")
    return found if ndim else ()
