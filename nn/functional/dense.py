"""Functions that multiply by weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.linalg import rows
from autograd.engine.accumulate import single
from autograd.errors import DtypeError, ShapeError
from autograd.ops.fused import linear_
from autograd.ops.linalg import einsum

from .common import need_float

__all__ = ["bilinear", "linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """`input @ weight.T + bias` (torch.nn.functional.linear).

    Shape: (..., in), (out, in) and (out,) give (..., out).
    """
    return linear_(input, weight, bias)


@single
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """`input1 @ weight[i] @ input2 + bias[i]` for each i (torch.nn.functional.bilinear).

    Shape: (..., in1), (..., in2), (out, in1, in2) and (out,) give (..., out). Raises ShapeError or DtypeError.
    """
    given = dict(input1=input1, input2=input2, weight=weight) | ({} if bias is None else {"bias": bias})
    for name, t in given.items():
        need_float("bilinear", t)
        if t.dtype != weight.dtype:
            raise DtypeError(f"bilinear: {name} is {t.dtype}, but weight is {weight.dtype}; use to() on one of them")
    lead = input1.shape[:-1]
    wanted = [(*lead, *weight.shape[1:2]), (*lead, *weight.shape[2:]), weight.shape, weight.shape[:1]]
    if weight.ndim != 3 or [t.shape for t in given.values()] != wanted[: len(given)]:
        found = ", ".join(f"{name} {t.shape}" for name, t in given.items())
        raise ShapeError(f"bilinear expects (..., in1), (..., in2), (out, in1, in2) and (out,), got {found}")
    out = einsum("ni,oij,nj->no", rows(input1), weight, rows(input2))
    out = np.reshape(out, (*lead, weight.shape[0]))
    return out if bias is None else out + bias
