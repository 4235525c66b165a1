"""Neural networks on top of chainrule's engine, with PyTorch's names: this file is the index of what there is.

>>> import autograd, nn
>>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
>>> opt = nn.optim.SGD(net.parameters(), lr=0.1)
>>> loss = nn.functional.mse_loss(net(autograd.ones(5, 2)), autograd.zeros(5, 1))
>>> loss.backward(); opt.step()
"""

import autograd as _autograd

# PyPI has another package that is imported as `autograd`; the two cannot be installed together.
if not hasattr(_autograd, "Tensor") or not hasattr(_autograd, "primitive"):
    raise ImportError(
        f"nn needs the autograd of chainrule, but {_autograd.__file__} belongs to another package of that name; "
        "pip uninstall both, autograd and chainrule, then install chainrule again"
    )

from . import datasets, functional, init, optim, utils
from .activation import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import ModuleDict, ModuleList, Sequential
from .dropout import Dropout
from .linear import Flatten, Identity, Linear, Unflatten
from .loss import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from .module import Module, Parameter

__all__ = [
    "ELU",
    "GELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Unflatten",
    "datasets",
    "functional",
    "init",
    "optim",
    "utils",
]
