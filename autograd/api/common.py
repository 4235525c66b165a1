"""What the families share: dims as PyTorch counts them, and results in pairs."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..engine.tensor import Tensor
from ..errors import DimError, DtypeError

Dims = int | tuple[int, ...] | list[int] | None


class ValuesIndices(NamedTuple):
    """What `max`, `min`, `sort` and `topk` along a dim return."""

    values: Tensor
    indices: Tensor


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
