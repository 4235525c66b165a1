"""The layers and losses without parameters of their own, as functions: what the modules of this package compute."""

from autograd.engine.accumulate import single
from autograd.ops import resample, window
from autograd.api.spelling import publish
from autograd.ops.resample import *
from autograd.api.shape import flatten
from autograd.ops.window import *

from . import activation, attention, ctc, dense, distance, dropouts, loss, normalization, sparse
from .activation import *
from .attention import *
from .ctc import *
from .dense import *
from .distance import *
from .dropouts import *
from .loss import *
from .normalization import *
from .sparse import *

__all__ = ["flatten"]
for _family in (resample, window, activation, attention, ctc, dense, distance, dropouts, loss, normalization, sparse):
    __all__ += _family.__all__
    if _family in (ctc, distance, loss):  # which are made of many steps each
        globals().update({name: single(getattr(_family, name)) for name in _family.__all__})
globals().update(publish({name: globals()[name] for name in __all__}, __name__))
