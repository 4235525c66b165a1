"""Attention: averages of values, weighted by how well keys fit a query."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.api.elementwise import astype, where
from autograd.api.fused import softmax
from autograd.api.index import masked_fill
from autograd.engine.accumulate import single
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError
from autograd.ops.elementwise import logical_not
from autograd.ops.linalg import T, matmul

from .checks import need_dtype_of, need_float, need_probability
from .dropout import dropout


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(query @ key.mT * scale + mask) @ value; `scale` is 1 / sqrt(E) by default.

    A boolean `attn_mask` says which keys take part, a floating-point one is added; `is_causal` lets query i see keys 0 to i
    only. A query that sees no key gets zeros. `dropout_p` drops weights, always. With `enable_gqa`, groups of query heads
    (the dim -3) share a head of key and of value. Vaswani et al. 2017; PyTorch: the function of this name.

    Shape: query (..., L, E), key (..., S, E), value (..., S, Ev), mask broadcasting to (..., L, S) give (..., L, Ev).
    Raises ShapeError, DtypeError or ArgumentError.
    """
    out: Any = attend(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)[0]
    return out


@single
def attend(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False, need_weights: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """What scaled_dot_product_attention gives, and if they are needed the weights; those of a query that sees no key are 0."""
    op = "scaled_dot_product_attention"
    given = dict(query=query, key=key, value=value)
    for name, x in given.items():
        need_float(op, x)
        if x.ndim < 2:
            raise ShapeError(f"{op}: {name} needs at least 2 dims, got shape {x.shape}")
    need_dtype_of(op, "query", query, **given)
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        found = ", ".join(f"{name} {x.shape}" for name, x in given.items())
        raise ShapeError(f"{op} expects query (..., L, E), key (..., S, E) and value (..., S, Ev), got {found}")
    if is_causal and attn_mask is not None:
        raise ArgumentError(f"{op}: is_causal is a mask of its own; leave attn_mask out, or make one mask of both")
    need_probability(op, dropout_p)
    if enable_gqa:
        key, value = (_repeat_heads(op, x, query) for x in (key, value))
    scores = matmul(query * (max(query.shape[-1], 1) ** -0.5 if scale is None else scale), T(key))
    unseen = None
    if is_causal:
        scores = scores + _bias(np.tril(np.ones_like(scores, shape=scores.shape[-2:])) > 0, scores)
    elif attn_mask is not None:
        mask, unseen = _mask(op, attn_mask, scores)
        scores = scores + mask
    weights: Any = dropout(softmax(scores, -1), dropout_p)
    out = matmul(weights, value)
    if unseen is not None:
        out, weights = out * logical_not(unseen), weights * logical_not(unseen) if need_weights else None
    return out, weights if need_weights else None


def _bias(seen: Any, scores: Any) -> Any:
    """What to add to scores: 0 where `seen`, minus infinity elsewhere."""
    return masked_fill(np.zeros_like(scores, shape=seen.shape), logical_not(seen), -np.inf)


def _mask(op: str, mask: Any, scores: Any) -> tuple[Any, Any]:
    """What to add to scores, and which queries see no key: these are let see all, as softmax of nothing does not exist."""
    if mask.dtype.kind == "b":
        unseen = logical_not(np.any(mask, axis=-1, keepdims=True))
        bias = _bias(mask | unseen, scores)
    elif mask.dtype in (scores.dtype, np.float32):
        unseen = np.all(mask == -np.inf, axis=-1, keepdims=True)
        bias = astype(where(unseen, 0.0, mask), scores.dtype)
    else:
        raise DtypeError(f"{op}: attn_mask is boolean or, as query is, {scores.dtype}, not {mask.dtype}; use to()")
    try:
        fits = np.broadcast_shapes(mask.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{op}: attn_mask {mask.shape} does not broadcast to (..., L, S), {scores.shape}")
    return bias, unseen


def _repeat_heads(op: str, x: Any, query: Any) -> Any:
    """As many heads as the query has, each repeated for the neighbours that share it."""
    wanted, heads = (t.shape[-3] if t.ndim > 2 else 0 for t in (query, x))
    if not heads or wanted % heads:
        raise ShapeError(f"{op}: {wanted} heads of query cannot share {heads} heads evenly; got {query.shape} and {x.shape}")
    rest = x.shape[-2:]
    spread = np.broadcast_to(np.expand_dims(x, -3), (*x.shape[:-2], wanted // heads, *rest))
    return np.reshape(spread, (*x.shape[:-3], wanted, *rest))
