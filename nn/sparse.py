"""Layers that look things up: rows of a table by their numbers."""

from __future__ import annotations

from typing import Any

from autograd.api.creation import empty
from autograd.engine.grad_mode import no_grad
from autograd.errors import ArgumentError, ShapeError

from . import functional as F
from .functional.checks import whole
from .init import normal_
from .module import Module, Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """A table of vectors, `weight`, normal at first; and options for looking them up."""

    weight: Any
    plain: dict[str, Any]  # the options in the repr, with the values that are not shown

    def _set_up(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None, norm_type: float,
        scale_grad_by_freq: bool, sparse: bool, weight: Any, dtype: Any, freeze: bool = False,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.num_embeddings = whole(name, "num_embeddings", num_embeddings)
        self.embedding_dim = whole(name, "embedding_dim", embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"{name}: padding_idx is one of the {num_embeddings} rows, got {padding_idx}")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        if weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype))
            self.reset_parameters()
            return
        if weight.shape != (num_embeddings, embedding_dim):
            raise ShapeError(f"{name}: the weight has shape {(num_embeddings, embedding_dim)}, got {weight.shape}")
        self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def extra_repr(self) -> str:
        shown = [f"{k}={getattr(self, k)!r}" for k, plain in self.plain.items() if getattr(self, k) != plain]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *shown])

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, **options: Any) -> Any:
        """A layer with these vectors, which stay as they are if `freeze`."""
        if embeddings.ndim != 2:
            raise ShapeError(f"{cls.__name__}: embeddings have shape (number, dim), got {embeddings.shape}")
        layer: Any = cls(*embeddings.shape, _weight=embeddings, **options)  # type: ignore[call-arg]
        layer.weight.requires_grad = not freeze
        return layer


class Embedding(_Table):
    """The row of `weight` for each number (torch.nn.Embedding).

    `weight` is (num_embeddings, embedding_dim), normal at first. The row `padding_idx` is zeros and gets no gradient; rows
    that are looked up and longer than `max_norm` are shortened, in place; `scale_grad_by_freq` divides the gradient of a row
    by how often it occurs. `sparse` changes nothing here: gradients are dense.

    Shape: integers of any shape give (*, embedding_dim). Raises DimError for a number that is no row, DtypeError.

    >>> import autograd
    >>> Embedding(10, 3, padding_idx=0)(autograd.tensor([[1, 2], [4, 0]])).shape
    (2, 2, 3)
    """

    plain = {"padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "sparse": False}  # noqa: RUF012

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Any = None,
        _freeze: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._set_up(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, dtype, _freeze
        )

    def forward(self, input: Any) -> Any:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the rows of `weight` for the numbers in each bag (torch.nn.EmbeddingBag).

    Shape: (bags, numbers) gives (bags, embedding_dim); or (numbers,) with `offsets`, where each bag begins. With mode 'sum'
    the rows may be weighted by `per_sample_weights`. Raises DimError, ShapeError, DtypeError, ArgumentError.

    >>> import autograd
    >>> EmbeddingBag(10, 3, mode="sum")(autograd.tensor([1, 2, 4, 5]), autograd.tensor([0, 3])).shape
    (2, 3)
    """

    plain = {"max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "mode": None, "padding_idx": None}  # noqa: RUF012

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Any = None,
        include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if mode not in ("sum", "mean", "max"):
            raise ArgumentError(f"EmbeddingBag: mode is 'sum', 'mean' or 'max', got {mode!r}")
        self.mode, self.include_last_offset = mode, include_last_offset
        self._set_up(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, dtype)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip
