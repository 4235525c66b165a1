"""Special functions, under torch.special's names."""

from __future__ import annotations

from .api.absent import asked
from .api.elementwise import digamma, i0, logit, polygamma, round, sinc, xlogy
from .api.fused import log_softmax, softmax
from .api.reduce import logsumexp
from .api.spelling import publish
from .ops.elementwise import erf, erfc, erfcx, erfinv, exp2, expm1, log1p, log_ndtr
from .ops.elementwise import lgamma as gammaln
from .ops.elementwise import sigmoid as expit

psi = digamma

__all__ = [
    "digamma", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammaln", "i0", "log1p", "log_ndtr",
    "log_softmax", "logit", "logsumexp", "polygamma", "psi", "round", "sinc", "softmax", "xlogy",
]  # fmt: skip

globals().update(publish({name: globals()[name] for name in __all__}, __name__))

__getattr__ = asked("torch.special", globals())
