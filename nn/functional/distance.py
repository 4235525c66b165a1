"""How far vectors are from each other, and how alike their directions are."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.common import one_dim
from autograd.api.linalg import vector_norm
from autograd.engine.accumulate import single
from autograd.engine.tensor import Tensor
from autograd.errors import ShapeError
from autograd.ops.index import getindex

from .checks import need_float
from .common import constant


@single
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-08) -> Tensor:
    """The cosine of the angle between vectors along `dim`; their lengths count as `eps` at least.

    Shape: x1 and x2 broadcast; `dim` of the result is summed over. PyTorch: torch.nn.functional.cosine_similarity.

    >>> import autograd
    >>> cosine_similarity(autograd.tensor([[3.0, 4.0]]), autograd.tensor([[1.0, 0.0]]))
    tensor([0.6000])
    """
    op = "cosine_similarity"
    need_float(op, x1)
    need_float(op, x2)
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ShapeError(f"{op}: x1 {x1.shape} and x2 {x2.shape} do not broadcast") from None
    axis = one_dim(op, dim, len(shape))
    x1, x2 = (np.broadcast_to(x, shape) for x in (x1, x2))
    lengths = [vector_norm(x, 2, axis).clamp(min=eps) for x in (x1, x2)]
    return (x1 * x2).sum(axis) / (lengths[0] * lengths[1])


@single
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-06, keepdim: bool = False) -> Tensor:
    """The `p`-norm over the last dim of x1 - x2 + eps (torch.nn.functional.pairwise_distance)."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


@single
def pdist(input: Any, p: float = 2.0) -> Tensor:
    """The `p`-norms of the differences of rows 0 and 1, 0 and 2, ... (torch.nn.functional.pdist).

    Shape: (n, m) gives (n * (n - 1) / 2,).
    """
    need_float("pdist", input)
    if input.ndim != 2:
        raise ShapeError(f"pdist needs a matrix, got shape {input.shape}")
    i, j = (constant(at, input, np.int64) for at in np.triu_indices(input.shape[0], 1))
    return vector_norm(getindex(input, i) - getindex(input, j), p, -1)
