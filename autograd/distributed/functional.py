"""Communication through which gradients flow: torch.distributed.nn.functional.

One law makes them all: backward, called by every process, finds the gradients of the sum of what the processes call it on. Each
op's rule is its adjoint: what was gathered is scattered, what was scattered is gathered, a sum goes to all who gave to it.
"""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..errors import ArgumentError, ShapeError
from ..ops import communication
from .collective import ReduceOp
from .group import Group, world

__all__ = ["all_gather", "all_reduce", "all_to_all_single", "broadcast", "reduce_scatter"]


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM, group: Group | None = None) -> Tensor:
    """The sum, or the average ("avg"), of the tensors of all members, on each of them; gradients are summed, too."""
    g = world("all_reduce", group)
    if op not in (ReduceOp.SUM, ReduceOp.AVG):
        raise ArgumentError(f"all_reduce: gradients flow through 'sum' and 'avg', not through {op!r}")
    total = communication.all_reduce(tensor, g)
    return total / g.size if op == ReduceOp.AVG else total


def all_gather(tensor: Tensor, group: Group | None = None) -> tuple[Tensor, ...]:
    """The tensors of all members, in their order."""
    return tuple(communication.all_gather(tensor, world("all_gather", group)).unbind(0))


def reduce_scatter(tensor: Tensor, group: Group | None = None) -> Tensor:
    """This process's part, along dim 0, of the sum of the tensors of all members. PyTorch's takes a list of the parts."""
    g = world("reduce_scatter", group)
    return communication.reduce_scatter(_parts("reduce_scatter", tensor, g), g)


def all_to_all_single(tensor: Tensor, group: Group | None = None) -> Tensor:
    """Part i along dim 0 goes to member i, whose part for this process takes its place."""
    g = world("all_to_all_single", group)
    return communication.all_to_all(_parts("all_to_all_single", tensor, g), g).reshape(tensor.shape)


def broadcast(tensor: Tensor, src: int, group: Group | None = None) -> Tensor:
    """The tensor of the process `src`, to which the gradients of all go."""
    g = world("broadcast", group)
    return communication.broadcast(tensor, g, g.place("broadcast", src))


def _parts(what: str, tensor: Tensor, group: Group) -> Any:
    if not tensor.ndim or tensor.shape[0] % group.size:
        raise ShapeError(f"{what}: dim 0 of {tensor.shape} cannot be divided by {group.size}")
    return tensor.reshape(group.size, tensor.shape[0] // group.size, *tensor.shape[1:])
