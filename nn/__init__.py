"""Neural networks on top of chainrule's engine, with PyTorch's names: this file is the index of what there is.

>>> import autograd, nn
>>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
>>> opt = nn.optim.SGD(net.parameters(), lr=0.1)
>>> loss = nn.functional.mse_loss(net(autograd.ones(5, 2)), autograd.zeros(5, 1))
>>> loss.backward(); opt.step()
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

import autograd as _autograd

# PyPI has another package that is imported as `autograd`; the two cannot be installed together.
if not hasattr(_autograd, "Tensor") or not hasattr(_autograd, "primitive"):
    raise ImportError(
        f"nn needs the autograd of chainrule, but {_autograd.__file__} belongs to another package of that name; "
        "pip uninstall both, autograd and chainrule, then install chainrule again"
    )

from autograd.api.absent import asked as _asked
from autograd.files import load, save

from . import functional, init, optim, utils
from .activation import *
from .adaptive import *
from .attention import *
from .containers import *
from .conv import *
from .distance import *
from .dropout import *
from .lazy import *
from .linear import *
from .loss import *
from .module import *
from .norm import *
from .padding import *
from .parallel import DataParallel
from .pool import *
from .recurrent import *
from .shape import *
from .sparse import *
from .upsample import *

# ---------------------------------------------------------------- around nn: what PyTorch keeps in other packages
from .summary import summary

if _TYPE_CHECKING:
    from . import audio, datasets, metrics, onnx, ops, plot, train
    from .plot import draw
    from .train.doctor import doctor
else:
    _absent = _asked("torch.nn", globals())
    _AROUND = ("audio", "datasets", "metrics", "onnx", "ops", "plot", "train")  # imported when asked for
    _FUNCTIONS = {"draw": "plot", "doctor": "train.doctor"}  # and where these are

    def __getattr__(name: str) -> _Any:
        if name in _AROUND:
            return _import_module(f"{__name__}.{name}")
        if name in _FUNCTIONS:
            return getattr(_import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
        return _absent(name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_AROUND, *_FUNCTIONS})
