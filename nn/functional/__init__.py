"""The layers and losses without parameters of their own, as functions: what the modules of this package compute."""

from autograd.ops import resample, window
from autograd.ops.resample import *  # noqa: F403 (padding, interpolation: the names in its __all__)
from autograd.ops.shape import flatten
from autograd.ops.window import *  # noqa: F403 (convolution, pooling)

from . import activation, dense, dropouts, loss, sparse
from .activation import *  # noqa: F403
from .dense import *  # noqa: F403
from .dropouts import *  # noqa: F403
from .loss import *  # noqa: F403
from .sparse import *  # noqa: F403

__all__ = ["flatten"]
for _family in (resample, window, activation, dense, dropouts, loss, sparse):
    __all__ += _family.__all__
