"""Optimizers: what changes the parameters by their gradients (torch.optim)."""

from autograd.api.absent import asked

from . import lr_scheduler, swa_utils
from .adafactor import Adafactor
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .rules import (
    ASGD,
    LAMB,
    SGD,
    AdaBelief,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    SignSGD,
    SparseAdam,
)

__all__ = [
    "ASGD",
    "LAMB",
    "LBFGS",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SignSGD",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]

__getattr__ = asked("torch.optim", globals())
