"""Several processes that train one model: torch.distributed's names over MPI.

A program is started by `python -m autograd.distributed.launch -n 4 train.py`, and each of its processes does the same on its
part of the data:

>>> import autograd
>>> from autograd import distributed
>>> distributed.init_process_group()
>>> t = autograd.tensor([1.0, 2.0]) * (distributed.get_rank() + 1)
>>> distributed.all_reduce(t)  # in this process alone, nothing is added
>>> t
tensor([1., 2.])
>>> distributed.destroy_process_group()

`nn.parallel.DistributedDataParallel` averages gradients; `distributed.functional` has communication that gradients flow through.
Processes need mpi4py and an MPI, `pip install 'chainrule[mpi]'`; one alone needs neither. The objects that are sent are pickled:
the processes of a job trust each other.
"""

from __future__ import annotations

from typing import Any

from ..errors import NoAttributeError
from . import collective, functional, group
from .collective import *
from .group import *
from .group import Group as ProcessGroup

__all__ = [*collective.__all__, *group.__all__, "ProcessGroup", "functional"]


def __getattr__(name: str) -> Any:
    raise NoAttributeError(f"module 'autograd.distributed' has no attribute {name!r}")
