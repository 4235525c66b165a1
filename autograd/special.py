"""Special functions, under torch.special's names."""

from __future__ import annotations

from math import inf, nan, sqrt
from typing import Any

from .api.absent import asked
from .api.elementwise import digamma, i0, logit, polygamma, round, sinc, where, xlogy
from .api.fused import log_softmax, softmax
from .api.reduce import logsumexp
from .api.spelling import publish
from .ops.elementwise import erf, erfc, erfcx, erfinv, exp2, expm1, isnan, log1p, log_ndtr, ndtr
from .ops.elementwise import lgamma as gammaln
from .ops.elementwise import sigmoid as expit

psi = digamma


def entr(input: Any) -> Any:
    """-input * log(input): 0 at 0, and -inf below (torch.special.entr)."""
    return where(input >= 0, -xlogy(input, input), -inf)


def ndtri(input: Any) -> Any:
    """The inverse of `ndtr`, of shares between 0 and 1 (torch.special.ndtri)."""
    return sqrt(2) * erfinv(2 * input - 1)


def xlog1py(input: Any, other: Any) -> Any:
    """`input * log1p(other)`, and 0 where `input` is 0, unless `other` is NaN (torch.special.xlog1py)."""
    return where(input == 0, where(isnan(other), nan, 0 * input), input * log1p(other))


__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "log1p", "log_ndtr",
    "log_softmax", "logit", "logsumexp", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy",
]  # fmt: skip

globals().update(publish({name: globals()[name] for name in __all__}, __name__))

__getattr__ = asked("torch.special", globals())
