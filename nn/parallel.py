"""Models on several devices, of which there is one: these call the model that they hold (torch.nn.parallel)."""

from __future__ import annotations

from typing import Any

from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """A model, `module`, as it is called: on one device there is nothing to divide (torch.nn.DataParallel).

    As in PyTorch the names of its parameters begin with `module`.

    >>> import autograd, nn
    >>> net = DataParallel(nn.Linear(2, 1, bias=False))
    >>> net(autograd.ones(3, 2)).shape, list(net.state_dict())
    ((3, 1), ['module.weight'])
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.module(*inputs, **named)


class DistributedDataParallel(DataParallel):
    """As DataParallel, in one process (torch.nn.parallel.DistributedDataParallel)."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0, **options: Any) -> None:
        super().__init__(module)
