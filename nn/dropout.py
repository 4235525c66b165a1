"""Dropout: noise that keeps units from relying on one another, in training only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd.errors import ArgumentError

from . import functional as F
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Module):
    function: Callable[..., Any]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"{type(self).__name__}: p is a probability, from 0 to 1, got {p!r}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Any) -> Any:
        return type(self).function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p); else the input itself.

    Srivastava et al. 2014; PyTorch: torch.nn.Dropout. The numbers come from the default generator: `autograd.manual_seed`.

    >>> import autograd
    >>> layer, x = Dropout(0.5), autograd.ones(1000)
    >>> 400 < (layer(x) == 2).sum() < 600, layer.eval()(x) is x
    (tensor(True), True)
    """

    function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """`Dropout` of whole channels, (N, C, L) or (C, L) (torch.nn.Dropout1d)."""

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """`Dropout` of whole channels, (N, C, H, W) (torch.nn.Dropout2d)."""

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """`Dropout` of whole channels, (N, C, D, H, W) or (C, D, H, W) (torch.nn.Dropout3d)."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout to go with SELU: mean and variance stay (torch.nn.AlphaDropout)."""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels, (N, C, ...) (torch.nn.FeatureAlphaDropout)."""

    function = staticmethod(F.feature_alpha_dropout)
