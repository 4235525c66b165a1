"""Attention: averages of values, weighted by how well keys fit a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.api.elementwise import astype, where
from autograd.api.index import masked_fill
from autograd.engine.accumulate import single
from autograd.engine.graph import Array
from autograd.engine.primitive import keep_zero, primitive
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DtypeError, ShapeError
from autograd.ops.common import formula
from autograd.ops.elementwise import logical_not
from autograd.ops.fused import into_shares, softmax, sum_product
from autograd.ops.join import filled
from autograd.ops.linalg import T, matmul

from .checks import need_dtype_of, need_float, need_probability
from .dropout import dropout


# ---------------------------------------------------------------- the table
@formula
def _attention(q: Array, k: Array, v: Array, bias: Array | None, scale: float) -> tuple[Array, Array]:
    scores = np.matmul(q * scale, T(k))
    scores = scores if bias is None else scores + bias
    weights = softmax(scores, scores.ndim - 1) if scores.shape[-1] else scores
    return np.matmul(weights, v), weights


@formula
def _pull_attention(
    gs: Sequence[Any], q: Array, k: Array, v: Array, bias: Array | None, scale: float, out: Sequence[Array], out_shape: Any
) -> list[Any]:
    g, g_weights = filled(gs, out_shape)
    weights = out[1]
    g_weights = g_weights + np.matmul(g, T(v))
    d = keep_zero(g_weights, weights * (g_weights - sum_product(g_weights, weights, (g_weights.ndim - 1,))))
    return [np.matmul(d, k) * scale, np.matmul(T(d), q) * scale, np.matmul(T(weights), g), None if bias is None else d]


MOST = 2**16  # of scores at a time, which stay in the cache


def _some(weights: Array, *others: Array) -> list[slice]:
    """Which matrices to work on at a time, counted along the first axis; none if the others do not go with these one to one."""
    lead = weights.shape[:-2]
    if not lead or not weights.size or any(x.shape[:-2] != lead for x in others):
        return []
    step = max(1, MOST * lead[0] // weights.size)
    return [slice(i, i + step) for i in range(0, lead[0], step)]


@_attention.on_arrays
def _(q: Any, k: Any, v: Any, bias: Any, scale: float) -> Any:
    shape = (*q.shape[:-1], k.shape[-2])
    weights = np.empty(shape, q.dtype)
    if not (some := _some(weights, q, k, v)) or shape[-1] > 4096:
        return NotImplemented
    out, bias = np.empty_like(q, shape=(*q.shape[:-1], v.shape[-1])), None if bias is None else np.broadcast_to(bias, shape)
    spare = np.empty_like(weights[some[0]])
    for part in some:
        p = weights[part]
        scores = np.matmul(q[part] * scale, np.ascontiguousarray(T(k[part])), out=spare[: len(p)])  # transposed ones are slower
        if bias is not None:
            scores += bias[part]
        into_shares(*(np.reshape(v, (-1, shape[-1])) for v in (scores, p)))
        np.matmul(p, v[part], out=out[part])
    return out, weights


@_pull_attention.on_arrays
def _(gs: Any, q: Any, k: Any, v: Any, bias: Any, scale: float, out: Any, out_shape: Any) -> Any:
    (g, g_weights), weights = gs, out[1]
    if g is None or not (some := _some(weights, q, k, v)):
        return NotImplemented
    g_q, g_k, g_v = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    g_bias = None if bias is None else np.empty_like(weights)
    spare = np.empty_like(weights[some[0]])
    for part in some:
        p = weights[part]
        d = np.matmul(g[part], np.ascontiguousarray(T(v[part])), out=spare[: len(p)] if g_bias is None else g_bias[part])
        np.matmul(T(p), g[part], out=g_v[part])
        if g_weights is not None:
            d += g_weights[part]
        d -= np.einsum("...i,...i->...", d, p)[..., None]
        d *= p
        if np.isnan(np.vdot(d, d)):
            return NotImplemented
        g_q[part] = np.matmul(d, k[part]) * scale
        np.matmul(T(d), q[part] * scale, out=g_k[part])
    return [g_q, g_k, g_v, g_bias]


attention: Any = primitive(
    _attention,
    "attention",
    joint=_pull_attention,
    says="softmax(q @ k.mT * scale + bias) @ v, and the softmax (torch.nn.functional.scaled_dot_product_attention).",
)


# ---------------------------------------------------------------- PyTorch's names
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
    scale = float(max(query.shape[-1], 1) ** -0.5 if scale is None else scale)
    bias = unseen = None
    if is_causal:
        bias = _bias(np.tril(np.ones_like(query, shape=(query.shape[-2], key.shape[-2]))) > 0, query)
    elif attn_mask is not None:
        shape = (*np.broadcast_shapes(query.shape[:-2], key.shape[:-2]), query.shape[-2], key.shape[-2])
        bias, unseen = _mask(op, attn_mask, shape, query)
    out, weights = attention(query, key, value, bias, scale)
    if dropout_p:
        weights = dropout(weights, dropout_p)
        out = matmul(weights, value)
    if unseen is not None:
        out, weights = out * logical_not(unseen), weights * logical_not(unseen) if need_weights else None
    return out, weights if need_weights else None


def _bias(seen: Any, like: Any) -> Any:
    """What to add to scores: 0 where `seen`, minus infinity elsewhere."""
    return masked_fill(np.zeros_like(like, shape=seen.shape), logical_not(seen), -np.inf)


def _mask(op: str, mask: Any, scores: tuple[int, ...], like: Any) -> tuple[Any, Any]:
    """What to add to scores, and which queries see no key: these are let see all, as softmax of nothing does not exist."""
    if mask.dtype.kind == "b":
        unseen = logical_not(np.any(mask, axis=-1, keepdims=True))
        bias = _bias(mask | unseen, like)
    elif mask.dtype in (like.dtype, np.float32):
        unseen = np.all(mask == -np.inf, axis=-1, keepdims=True)
        bias = astype(where(unseen, 0.0, mask), like.dtype)
    else:
        raise DtypeError(f"{op}: attn_mask is boolean or, as query is, {like.dtype}, not {mask.dtype}; use to()")
    try:
        fits = np.broadcast_shapes(mask.shape, scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{op}: attn_mask {mask.shape} does not broadcast to (..., L, S), {scores}")
    return bias, unseen


def _repeat_heads(op: str, x: Any, query: Any) -> Any:
    """As many heads as the query has, each repeated for the neighbours that share it."""
    wanted, heads = (t.shape[-3] if t.ndim > 2 else 0 for t in (query, x))
    if not heads or wanted % heads:
        raise ShapeError(f"{op}: {wanted} heads of query cannot share {heads} heads evenly; got {query.shape} and {x.shape}")
    rest = x.shape[-2:]
    spread = np.broadcast_to(np.expand_dims(x, -3), (*x.shape[:-2], wanted // heads, *rest))
    return np.reshape(spread, (*x.shape[:-3], wanted, *rest))
