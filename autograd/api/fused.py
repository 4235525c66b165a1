"""Softmax and its logarithm over a dim."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..errors import DimError, DtypeError
from .common import one_dim
from .elementwise import astype
from .shape import clone


def _over_a_dim(name: str, op: Any, formula: str) -> Any:
    def over(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
        if dim is None:
            raise DimError(f"{name}: say over which dim")
        input = input if dtype is None else astype(input, np.dtype(dtype))
        if input.dtype.kind != "f":
            raise DtypeError(f"{name} needs a floating-point tensor, not {input.dtype}; use float() first")
        axis = one_dim(name, dim, input.ndim)
        if not input.ndim:
            return np.reshape(op(np.reshape(input, (1,)), 0), ())
        return op(input, axis) if input.shape[axis] else clone(input)

    over.__name__ = over.__qualname__ = name
    over.__doc__ = f"""{formula} over `dim`, without overflow (torch.{name}). Shape: that of `input`."""
    return over


softmax = _over_a_dim("softmax", ops.fused.softmax, "exp(input) / sum(exp(input))")
log_softmax = _over_a_dim("log_softmax", ops.fused.log_softmax, "input - log(sum(exp(input)))")
