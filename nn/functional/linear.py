"""Functions that multiply by weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.linalg import rows
from autograd.engine.accumulate import single
from autograd.engine.graph import Array
from autograd.engine.primitive import primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ShapeError
from autograd.ops.linalg import T, einsum, product, same_dtype

from .checks import need_dtype_of, need_float


# ---------------------------------------------------------------- the table
def _affine(x: Array, w: Array, b: Array | None = None) -> Array:
    if x.ndim < 1 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ShapeError(f"linear expects x (..., {w.shape[-1]}) for weight {w.shape}, got x {x.shape}")
    if not (x.dtype is w.dtype and (b is None or b.dtype is w.dtype)):
        same_dtype("linear", x=x, weight=w, **({} if b is None else {"bias": b}))
    out = product(rows(x), T(w))  # one product of matrices, whatever the batch axes
    if b is not None:
        out += b
    return out if x.ndim == 2 else np.reshape(out, (*x.shape[:-1], w.shape[0]))


def _pull_weight(g: Array, x: Array) -> Array:
    return T(rows(g)) @ rows(x)


def reshape(x: Array, shape: Any) -> Array:
    """`x` in a shape; np.reshape takes as long as a small product, if there is nothing to do."""
    return x if x.shape == shape else np.reshape(x, shape)


# fmt: off
affine = primitive(_affine, "linear", x=lambda g, w, x_shape: reshape(rows(g) @ w, x_shape), w=_pull_weight, b=lambda g: g,
            linear=True, says="x @ w.T + b (torch.nn.functional.linear).")
# fmt: on


# ---------------------------------------------------------------- PyTorch's names
def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """`input @ weight.T + bias` (torch.nn.functional.linear).

    Shape: (..., in), (out, in) and (out,) give (..., out).
    """
    return affine(input, weight, bias)


@single
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """`input1 @ weight[i] @ input2 + bias[i]` for each i (torch.nn.functional.bilinear).

    Shape: (..., in1), (..., in2), (out, in1, in2) and (out,) give (..., out). Raises ShapeError or DtypeError.
    """
    given = dict(input1=input1, input2=input2, weight=weight) | ({} if bias is None else {"bias": bias})
    for t in given.values():
        need_float("bilinear", t)
    need_dtype_of("bilinear", "weight", weight, **given)
    lead = input1.shape[:-1]
    wanted = [(*lead, *weight.shape[1:2]), (*lead, *weight.shape[2:]), weight.shape, weight.shape[:1]]
    if weight.ndim != 3 or [t.shape for t in given.values()] != wanted[: len(given)]:
        found = ", ".join(f"{name} {t.shape}" for name, t in given.items())
        raise ShapeError(f"bilinear expects (..., in1), (..., in2), (out, in1, in2) and (out,), got {found}")
    out: Any = einsum("ni,oij,nj->no", rows(input1), weight, rows(input2))
    out = np.reshape(out, (*lead, weight.shape[0]))
    return out if bias is None else out + bias
