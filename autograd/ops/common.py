"""What the families of ops share: dims, PyTorch's and NumPy's argument names, and results in pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from ..errors import DimError, DtypeError
from ..tensor import NUMPY

Dims = int | tuple[int, ...] | list[int] | None
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "axes": "dims", "a": "input", "x": "input", "a_min": "min", "a_max": "max"}


class ValuesIndices(NamedTuple):
    """What `max`, `min`, `sort` and `topk` along a dim return."""

    values: Any
    indices: Any


def numpy_names(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function with PyTorch's argument names take NumPy's too: `axis` for `dim`, `keepdims` for `keepdim`."""

    @wraps(function)
    def either(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {_NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
        return function(*args, **kwargs)

    return either


def public(*numpy: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that takes NumPy's argument names as well, and that these NumPy functions become on Tensors."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        function = numpy_names(function)
        NUMPY.update(dict.fromkeys(numpy, function))
        return function

    return register


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
