"""What processes do together: each rule is the adjoint, so gradients are those of the sum of all processes' results."""

from __future__ import annotations

from typing import Any

from ..engine.graph import Array
from ..engine.primitive import primitive

# A group is one of autograd.distributed's; here it is known only by what it does with arrays. All its members must call the same
# in the same order, in backward too, which then goes through their graphs side by side.


def _broadcast(x: Array, group: Any, place: int) -> Array:
    return group.broadcast(x, place)


# ---------------------------------------------------------------- the table
# fmt: off
all_reduce: Any     = primitive(lambda x, group: group.all_reduce(x), "all_reduce",          x=lambda g, group: all_reduce(g, group), linear=True,
            says="The sum of the arrays x of all processes of a group, on each of them (torch.distributed.nn.functional.all_reduce).")
all_gather: Any     = primitive(lambda x, group: group.all_gather(x), "all_gather",          x=lambda g, group: reduce_scatter(g, group), linear=True,
            says="The arrays x of all processes of a group along a new first axis, on each of them.")
reduce_scatter: Any = primitive(lambda x, group: group.reduce_scatter(x), "reduce_scatter",  x=lambda g, group: all_gather(g, group), linear=True,
            says="Of the sum of the arrays x of all processes of a group, whose first axis is as long as the group, this process's part.")
all_to_all: Any     = primitive(lambda x, group: group.all_to_all(x), "all_to_all",          x=lambda g, group: all_to_all(g, group), linear=True,
            says="What the arrays x of all processes of a group hold at this one's place along their first axis.")
broadcast: Any      = primitive(_broadcast, "broadcast",                                     x=lambda g, group, place: all_reduce(g, group) * group.share_at(place), linear=True,
            says="The array x of one process of a group, on each of them.")
# fmt: on
