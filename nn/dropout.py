"""Dropout, noise that keeps units from relying on one another, as modules made from the functions in nn.functional."""

from __future__ import annotations

from . import functional as F
from .function_module import _FunctionModule
from .functional.checks import need_probability

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(_FunctionModule):
    def __post_init__(self) -> None:
        need_probability(type(self).__name__, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout, of=F.dropout):
    """In training, zeros at random, each with probability `p`, and the rest larger by 1 / (1 - p); else the input itself.

    Srivastava et al. 2014; PyTorch: torch.nn.Dropout. The numbers come from the default generator: `autograd.manual_seed`.

    >>> import autograd
    >>> layer, x = Dropout(0.5), autograd.ones(1000)
    >>> 400 < (layer(x) == 2).sum() < 600, layer.eval()(x) is x
    (tensor(True), True)
    """


# fmt: off
class Dropout1d(_Dropout, of=F.dropout1d): ...
class Dropout2d(_Dropout, of=F.dropout2d): ...
class Dropout3d(_Dropout, of=F.dropout3d): ...
class AlphaDropout(_Dropout, of=F.alpha_dropout): ...
class FeatureAlphaDropout(_Dropout, of=F.feature_alpha_dropout): ...
