"""Attention and the Transformer: layers in which every position looks at all others and takes what it finds alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from autograd.api.creation import empty, full, zeros
from autograd.api.elementwise import where
from autograd.api.join import cat
from autograd.api.shape import triu
from autograd.errors import ArgumentError, DtypeError, ShapeError, describe

from . import functional as F
from .containers import ModuleList
from .dropout import Dropout
from .functional.attention import attend
from .functional.checks import whole
from .init import xavier_normal_, xavier_uniform_, zeros_
from .linear import Linear
from .module import Module, Parameter
from .norm import LayerNorm

__all__ = [
    "MultiheadAttention", "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer",
]  # fmt: skip

INF = float("inf")


class MultiheadAttention(Module):
    """softmax(q @ k.T / sqrt(d)) @ v in each of `num_heads` heads, d wide, side by side; then a linear layer.

    q, k and v are linear in `query`, `key` and `value`: by the three parts of `in_proj_weight`, or, if `kdim` or `vdim`
    differ from `embed_dim`, by weights of their own. Returns the output and, if `need_weights`, the shares (averaged over
    the heads, or not), else None.

    Shape: query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim), or (N, L, ...) if `batch_first`, or (L, ...); output as
    the query; shares (N, L, S). `attn_mask` is (L, S) or (N * num_heads, L, S), `key_padding_mask` (N, S): booleans, True
    for what is not to be looked at, or numbers to add to the scores. A query that may look at nothing has shares of 0. Raises
    ShapeError, DtypeError or ArgumentError.

    Vaswani et al. 2017; PyTorch: torch.nn.MultiheadAttention.

    >>> import autograd
    >>> x = autograd.ones(2, 5, 8)
    >>> out, shares = MultiheadAttention(8, num_heads=2, batch_first=True)(x, x, x)
    >>> out.shape, shares.shape
    ((2, 5, 8), (2, 5, 5))
    """

    in_proj_weight: Any
    in_proj_bias: Any

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embed_dim = whole("MultiheadAttention", "embed_dim", embed_dim)
        if num_heads < 1 or embed_dim % num_heads:
            raise ArgumentError(f"MultiheadAttention: embed_dim={embed_dim} cannot be divided among num_heads={num_heads}")
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.num_heads, self.head_dim, self.dropout = num_heads, embed_dim // num_heads, dropout
        self.add_zero_attn, self.batch_first = add_zero_attn, batch_first
        alike = self.kdim == self.vdim == embed_dim
        sizes = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        for name, size in sizes.items():
            self.register_parameter(name, None if alike else Parameter(empty(embed_dim, size, dtype=dtype)))
        self.register_parameter("in_proj_weight", Parameter(empty(3 * embed_dim, embed_dim, dtype=dtype)) if alike else None)
        self.register_parameter("in_proj_bias", Parameter(empty(3 * embed_dim, dtype=dtype)) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, dtype=dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, Parameter(empty(1, 1, embed_dim, dtype=dtype)) if add_bias_kv else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name, p in self._parameters.items():
            if p is not None:
                fill: Any = zeros_ if name == "in_proj_bias" else xavier_normal_ if name.startswith("bias") else xavier_uniform_
                fill(p)
        if self.out_proj.bias is not None:
            zeros_(self.out_proj.bias)

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The output and the shares; `is_causal` only says that `attn_mask` is the causal one."""
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise ArgumentError(
                "is_causal says that attn_mask is the causal one: give it, as generate_square_subsequent_mask does"
            )
        batched = query.ndim == 3
        q, k, v = self._projected(query, key, value)
        q, k, v = (t.transpose(0, 1) if batched and not self.batch_first else t if batched else t.unsqueeze(0) for t in (q, k, v))
        n, length, _ = q.shape
        extra = 0
        if self.bias_k is not None:
            k, v = (cat([t, b.expand(n, 1, -1)], 1) for t, b in ((k, self.bias_k), (v, self.bias_v)))
            extra += 1
        if self.add_zero_attn:
            k, v = (cat([t, zeros(n, 1, self.embed_dim, dtype=t.dtype, device=t.device)], 1) for t in (k, v))
            extra += 1
        mask = self._mask(n, length, k.shape[1], extra, attn_mask, key_padding_mask, q.dtype)
        q, k, v = (t.reshape(n, t.shape[1], self.num_heads, self.head_dim).transpose(1, 2) for t in (q, k, v))
        p = self.dropout if self.training else 0.0
        out, shares = attend(q, k, v, mask, p, need_weights=need_weights)
        out = self.out_proj(out.transpose(1, 2).reshape(n, length, self.embed_dim))
        if shares is not None and average_attn_weights:
            shares = shares.mean(1)
        if not batched:
            return out.squeeze(0), None if shares is None else shares.squeeze(0)
        return out if self.batch_first else out.transpose(0, 1), shares

    def _check(self, query: Any, key: Any, value: Any) -> None:
        at = 0 if self.batch_first else 1
        for name, t, size in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            shape: Any = getattr(t, "shape", None)
            fits = shape is not None and len(shape) == query.ndim and len(shape) in (2, 3) and shape[-1] == size
            if not fits or (len(shape) == 3 and shape[at] != query.shape[at]):
                expected = f"({'N, L' if self.batch_first else 'L, N'}, {size}) or (L, {size})"
                found = describe(t) if shape is None else shape
                raise ShapeError(f"{self._short()} expects {name} of shape {expected}, like the others, got {found}")
        if key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(f"{self._short()} expects as many values as keys, got {key.shape} and {value.shape}")

    def _short(self) -> str:
        return f"MultiheadAttention({self.embed_dim}, {self.num_heads})"

    def _projected(self, query: Any, key: Any, value: Any) -> Any:
        """q, k and v, with as few products as there are different inputs."""
        w, b, e = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if w is not None and query is key is value:
            return F.linear(query, w, b).chunk(3, -1)
        if w is not None and key is value:
            (wq, wkv), (bq, bkv) = w.split([e, 2 * e]), (None, None) if b is None else b.split([e, 2 * e])
            return F.linear(query, wq, bq), *F.linear(key, wkv, bkv).chunk(2, -1)
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight) if w is None else w.chunk(3)
        biases = (None, None, None) if b is None else b.chunk(3)
        return tuple(map(F.linear, (query, key, value), weights, biases))

    def _mask(self, n: int, length: int, keys: int, extra: int, attn_mask: Any, key_padding_mask: Any, dtype: Any) -> Any:
        """Both masks as numbers to add to the scores, of shape (n or 1, heads or 1, length or 1, keys); None if there is none.

        The keys that this layer adds itself, the last `extra`, can always be looked at.
        """
        mask, given = None, keys - extra
        heads = (n * self.num_heads, length, given)
        for name, m, shapes in (("attn_mask", attn_mask, [(length, given), heads]), ("key_padding_mask", key_padding_mask, None)):
            if m is None:
                continue
            shapes = shapes or [(n, given), (given,)]
            if m.shape not in shapes:
                expected = " or ".join(map(str, shapes))
                raise ShapeError(f"{self._short()} expects {name} of shape {expected}, got {m.shape}")
            if m.dtype.kind not in "bf":
                raise DtypeError(f"{self._short()} expects {name} of booleans or floats, not {m.dtype}; use bool()")
            m = (where(m, -INF, 0.0) if m.dtype.kind == "b" else m).to(dtype)
            if name == "key_padding_mask":
                m = m.reshape(-1, 1, 1, given)
            else:
                m = m.reshape(-1, self.num_heads if m.ndim == 3 else 1, length, given)
            mask = m if mask is None else mask + m
        return mask if mask is None or not extra else F.pad(mask, (0, extra))


# ---------------------------------------------------------------- the Transformer
def _activation(activation: Any) -> Callable[[Any], Any]:
    if callable(activation):
        return activation
    known: dict[str, Any] = {"relu": F.relu, "gelu": F.gelu}
    if activation not in known:
        raise ArgumentError(f"activation is 'relu', 'gelu' or a function, got {activation!r}")
    return known[activation]


class _TransformerLayer(Module):
    """Blocks, one for each attention and one of two linear layers: each is added to its input, with a norm after or before it."""

    attentions: tuple[str, ...]
    self_attn: Any
    multihead_attn: Any

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = F.relu,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        blocks = range(1, len(self.attentions) + 2)
        for name in self.attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias=bias, batch_first=batch_first, dtype=dtype))
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, dtype=dtype)
        for i in blocks:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for i in blocks:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.norm_first, self.activation = norm_first, _activation(activation)

    def _through(self, x: Any, *attend: Callable[[Any], Any]) -> Any:
        """`x` through the attentions and the linear layers, each block added to what it was given."""
        for i, block in enumerate((*attend, self._feed_forward), 1):
            norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
            x = x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))
        return x

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention, then two linear layers, each added to its input and normalized (torch.nn.TransformerEncoderLayer).

    x = norm1(x + attention(x)); x = norm2(x + linear2(activation(linear1(x)))). With `norm_first` the norms come before:
    x = x + attention(norm1(x)), and so on. `dropout` in all of them.

    Shape: (L, N, d_model), or (N, L, d_model) if `batch_first`, or (L, d_model), as it is. Vaswani et al. 2017.

    >>> import autograd
    >>> TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)(autograd.ones(2, 5, 8)).shape
    (2, 5, 8)
    """

    attentions = ("self_attn",)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """The output; the masks are those of the attention."""
        return self._through(src, lambda x: self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, True, is_causal)[0])


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to what an encoder made, then two linear layers (torch.nn.TransformerDecoderLayer).

    Each is added to its input and normalized, as in `TransformerEncoderLayer`. Shape: `tgt` as there, `memory` with a length
    of its own; the output is like `tgt`. Vaswani et al. 2017.

    >>> import autograd
    >>> layer = TransformerDecoderLayer(8, nhead=2, dim_feedforward=16, batch_first=True)
    >>> layer(autograd.ones(2, 5, 8), autograd.ones(2, 7, 8)).shape
    (2, 5, 8)
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The output; the masks are those of the two attentions."""
        own = (tgt_key_padding_mask, False, tgt_mask, True, tgt_is_causal)
        others = (memory_key_padding_mask, False, memory_mask, True, memory_is_causal)
        return self._through(
            tgt, lambda x: self.self_attn(x, x, x, *own)[0], lambda x: self.multihead_attn(x, memory, memory, *others)[0]
        )


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer, one after the other, and a norm (torch.nn.TransformerEncoder).

    `enable_nested_tensor` and `mask_check` are accepted and change nothing.
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None) -> Any:
        """The output of the last layer, normalized."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer, one after the other, and a norm (torch.nn.TransformerDecoder)."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """The output of the last layer, normalized."""
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder that reads one sequence, and a decoder that writes another (Vaswani et al. 2017; torch.nn.Transformer).

    Shape: src (S, N, d_model), tgt (T, N, d_model), or (N, S, d_model) and so on if `batch_first`; the output is like tgt.

    >>> import autograd
    >>> model = Transformer(8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> mask = Transformer.generate_square_subsequent_mask(4)
    >>> model(autograd.ones(6, 2, 8), autograd.ones(4, 2, 8), tgt_mask=mask).shape
    (4, 2, 8)
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = F.relu, custom_encoder: Any = None,
        custom_decoder: Any = None, layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = (
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(TransformerEncoderLayer(*sizes), num_encoder_layers, norm())
        self.decoder = custom_decoder or TransformerDecoder(TransformerDecoderLayer(*sizes), num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.ndim > 1:
                xavier_uniform_(p)

    def forward(
        self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None, memory_mask: Any = None,
        src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """What the decoder makes of `tgt` and of what the encoder made of `src`."""
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
        """The causal mask: (sz, sz), minus infinity where a position would look at a later one, else 0."""
        return triu(full((sz, sz), -INF, dtype=dtype), diagonal=1)
