"""Dropout: noise that keeps units from relying on one another, in training only."""

from __future__ import annotations

from typing import Any

from autograd.errors import ArgumentError

from . import functional as F
from .module import Module


class Dropout(Module):
    """In training, zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p); else the input itself.

    Srivastava et al. 2014; PyTorch: torch.nn.Dropout. The numbers come from the default generator: `autograd.manual_seed`.

    >>> import autograd
    >>> layer, x = Dropout(0.5), autograd.ones(1000)
    >>> 400 < (layer(x) == 2).sum() < 600, layer.eval()(x) is x
    (tensor(True), True)
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"Dropout: p is a probability, from 0 to 1, got {p!r}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Any:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
