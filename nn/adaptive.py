"""AdaptiveLogSoftmaxWithLoss: a softmax over very many classes, of which the rare ones are looked at only where they occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from autograd.api.fused import log_softmax
from autograd.api.join import cat
from autograd.errors import ArgumentError, DimError, ShapeError, describe

from .containers import ModuleList, Sequential
from .functional.checks import whole
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class ASMoutput(NamedTuple):
    """The log probability of each target, and their mean, negative: the loss."""

    output: Any
    loss: Any


class AdaptiveLogSoftmaxWithLoss(Module):
    """The log probabilities of targets among many classes, numbered from the most frequent on, and the loss that they make.

    The first classes, up to `cutoffs[0]`, and the clusters between cutoffs share a softmax, the `head`; each cluster has another
    of its own, in `tail`, through a layer `div_value` times narrower than that of the cluster before. Grave et al. 2017.
    PyTorch: torch.nn.AdaptiveLogSoftmaxWithLoss.

    Shape: (N, in_features) and integers (N,), or one example of each without N, give (output, loss): (N,) and (). Raises
    ShapeError, DimError or ArgumentError.

    >>> import autograd
    >>> layer = AdaptiveLogSoftmaxWithLoss(8, 1000, cutoffs=[10, 100])
    >>> output, loss = layer(autograd.ones(3, 8), autograd.tensor([2, 50, 999]))
    >>> output.shape, layer.log_prob(autograd.ones(3, 8)).shape
    ((3,), (3, 1000))
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0, head_bias: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        cutoffs, name = list(cutoffs), type(self).__name__
        if not cutoffs or sorted({0, *cutoffs, n_classes}) != [0, *cutoffs, n_classes]:
            raise ArgumentError(f"{name}: cutoffs are rising numbers between 0 and n_classes={n_classes}, got {cutoffs}")
        self.in_features, self.n_classes = whole(name, "in_features", in_features), whole(name, "n_classes", n_classes)
        self.cutoffs, self.div_value, self.head_bias = [*cutoffs, n_classes], div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, dtype=dtype)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(self._clusters(), 1):
            inner = int(in_features // div_value**i)
            parts = Linear(in_features, inner, bias=False, dtype=dtype), Linear(inner, high - low, bias=False, dtype=dtype)
            self.tail.append(Sequential(*parts))

    def _clusters(self) -> list[tuple[int, int]]:
        return list(zip(self.cutoffs, self.cutoffs[1:], strict=False))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input: Any, target: Any) -> ASMoutput:
        self._check(input)
        if target.shape != input.shape[:-1]:
            raise ShapeError(f"{type(self).__name__} expects a target for each example, {input.shape[:-1]}, got {target.shape}")
        if target.dtype.kind not in "iu" or ((target < 0) | (target >= self.n_classes)).any():
            what = f"targets are integers from 0 to {self.n_classes - 1}"
            raise DimError(f"{type(self).__name__}: {what}, got {describe(target) if target.numel() > 5 else target.tolist()}")
        x, classes = input.reshape(-1, self.in_features), target.reshape(-1).long()
        first = classes.clamp(max=self.shortlist_size)
        for i, (low, _) in enumerate(self._clusters()):
            first = first + ((classes >= low) * (i > 0)).long()
        out = log_softmax(self.head(x), 1).gather(1, first.unsqueeze(1)).squeeze(1)
        for (low, high), tail in zip(self._clusters(), self.tail, strict=True):
            rows = ((classes >= low) & (classes < high)).nonzero().squeeze(1)
            if rows.numel():
                inside = log_softmax(tail(x[rows]), 1).gather(1, (classes[rows] - low).unsqueeze(1)).squeeze(1)
                out = out.index_add(0, rows, inside)
        return ASMoutput(out.reshape(target.shape), -out.mean())

    def _check(self, input: Any) -> None:
        if input.ndim not in (1, 2) or input.shape[-1] != self.in_features:
            raise ShapeError(f"{type(self).__name__} expects (N, {self.in_features}) or ({self.in_features},), got {input.shape}")

    def log_prob(self, input: Any) -> Any:
        """The log probabilities of all classes: (N, in_features) gives (N, n_classes)."""
        self._check(input)
        head = log_softmax(self.head(input), -1)
        parts = [head[..., : self.shortlist_size]]
        for i, tail in enumerate(self.tail, self.shortlist_size):
            parts.append(head[..., i : i + 1] + log_softmax(tail(input), -1))
        return cat(parts, -1)

    def predict(self, input: Any) -> Any:
        """The most probable class of each example: (N, in_features) gives (N,)."""
        return self.log_prob(input).argmax(-1)
