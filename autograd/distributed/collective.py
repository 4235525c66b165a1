"""What processes do together with Tensors, in place, and with any objects: torch.distributed's calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.grad_mode import no_grad
from ..engine.tensor import Tensor, wrap
from ..engine.warn import seen
from ..errors import ArgumentError, DistributedError, ShapeError, describe
from .group import Group, as_bytes, contiguous, described, mpi, world

__all__ = [
    "ReduceOp", "Work", "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all",
    "all_to_all_single", "broadcast", "broadcast_object_list", "gather", "gather_object", "irecv", "isend", "recv", "reduce",
    "reduce_scatter", "reduce_scatter_tensor", "scatter", "scatter_object_list", "send",
]  # fmt: skip


class ReduceOp:
    """How the tensors of several processes become one (torch.distributed.ReduceOp)."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR = "sum", "avg", "product", "min", "max", "band", "bor", "bxor"


class Work:
    """Something begun, to be waited for (torch.distributed.Work)."""

    def __init__(self, end: Callable[[], Any], is_done: Callable[[], bool] = lambda: False) -> None:
        self._end, self._is_done, self._ended = end, is_done, False

    def is_completed(self) -> bool:
        """Would `wait` return at once?"""
        return self._ended or self._is_done()

    def wait(self, timeout: Any = None) -> bool:
        """Wait, and put the result where it belongs. Raises DistributedError."""
        if not self._ended:
            self._end()
            self._ended = True
        return True


def _put(tensor: Tensor, array: Any) -> None:
    with no_grad():
        tensor.copy_(wrap(array))


def _array(what: str, tensor: Any) -> Any:
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{what} takes a Tensor, got {describe(tensor)}")
    seen(what)  # what comes back is no op of a tape
    return tensor.array


def _arrays(what: str, tensors: Any, group: Group, like: Any) -> list[Any]:
    """The arrays of one tensor for each member, each like that one."""
    arrays = [_array(what, t) for t in tensors or ()]
    if len(arrays) != group.size:
        raise ArgumentError(f"{what}: the list holds a tensor for each of the {group.size} members, got {len(arrays)}")
    for i, a in enumerate(arrays):
        if described(a) != described(like):
            raise ShapeError(f"{what}: tensor {i} of the list is {described(a)}, but the other one {described(like)}")
    return arrays


def _done(work: Work, async_op: bool) -> Work | None:
    if async_op:
        return work
    work.wait()
    return None


def _whose(what: str, group: Group, rank: int | None, place: int | None, default: int | None = None) -> int:
    """The place in the group that is meant by a rank among all processes, or by a place."""
    if place is not None:
        return place
    rank = default if rank is None else rank
    if rank is None:
        raise ArgumentError(f"{what} asks for the rank of the other one")
    return group.place(what, rank)


# ---------------------------------------------------------------- all of them
def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM, group: Group | None = None, async_op: bool = False) -> Work | None:
    """Let `tensor` be the sum (or what `op` says) of those of all members, the same bits everywhere.

    With `async_op` it is begun; the Work that is returned waits for it, and writes the result.
    """
    g = world("all_reduce", group)
    begun = g.start(_array("all_reduce", tensor), op)
    return _done(Work(lambda: _put(tensor, begun.wait()), begun.is_done), async_op)


def reduce(
    tensor: Tensor, dst: int | None = None, op: str = ReduceOp.SUM, group: Group | None = None, async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """`all_reduce` whose result only the process `dst` takes."""
    g = world("reduce", group)
    place = _whose("reduce", g, dst, group_dst, g.ranks[0])
    begun = g.start(_array("reduce", tensor), op)

    def end() -> None:
        out = begun.wait()
        if g.rank == place:
            _put(tensor, out)

    return _done(Work(end, begun.is_done), async_op)


def broadcast(
    tensor: Tensor, src: int | None = None, group: Group | None = None, async_op: bool = False, group_src: int | None = None
) -> Work | None:
    """Let `tensor` be that of the process `src`."""
    g = world("broadcast", group)
    _put(tensor, g.broadcast(_array("broadcast", tensor), _whose("broadcast", g, src, group_src, g.ranks[0])))
    return _done(Work(lambda: None), async_op)


def all_gather(tensor_list: Sequence[Tensor], tensor: Tensor, group: Group | None = None, async_op: bool = False) -> Work | None:
    """Let the tensors of the list be those of all members, in their order."""
    g, array = world("all_gather", group), _array("all_gather", tensor)
    _arrays("all_gather", tensor_list, g, array)
    for t, value in zip(tensor_list, g.all_gather(array), strict=True):
        _put(t, value)
    return _done(Work(lambda: None), async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Let `output_tensor` be those of all members, one after the other along dim 0, or along a new one."""
    g, array = world("all_gather_into_tensor", group), _array("all_gather_into_tensor", input_tensor)
    _put(output_tensor, _fitting("all_gather_into_tensor", g.all_gather(array), output_tensor))
    return _done(Work(lambda: None), async_op)


def _fitting(what: str, parts: Any, output: Tensor) -> Any:
    joined = parts.reshape(-1, *parts.shape[2:]) if parts.ndim > 1 else parts
    for form in (joined, parts):
        if form.shape == output.shape:
            return form
    raise ShapeError(f"{what}: the output is {joined.shape} or {parts.shape}, got {output.shape}")


def gather(
    tensor: Tensor, gather_list: Sequence[Tensor] | None = None, dst: int | None = None, group: Group | None = None,
    async_op: bool = False, group_dst: int | None = None,
) -> Work | None:  # fmt: skip
    """Let the tensors of the list, which only the process `dst` gives, be those of all members."""
    g, array = world("gather", group), _array("gather", tensor)
    place = _whose("gather", g, dst, group_dst, g.ranks[0])
    if g.rank == place:
        _arrays("gather", gather_list, g, array)
    found = g.gather(array, place)
    if found is not None and gather_list is not None:
        for t, value in zip(gather_list, found, strict=True):
            _put(t, value)
    return _done(Work(lambda: None), async_op)


def scatter(
    tensor: Tensor, scatter_list: Sequence[Tensor] | None = None, src: int | None = None, group: Group | None = None,
    async_op: bool = False, group_src: int | None = None,
) -> Work | None:  # fmt: skip
    """Let `tensor` be that of the list, which only the process `src` gives, at the place of this process."""
    g, array = world("scatter", group), _array("scatter", tensor)
    place = _whose("scatter", g, src, group_src, g.ranks[0])
    given = _arrays("scatter", scatter_list, g, array) if g.rank == place else None
    _put(tensor, g.scatter(given, array, place))
    return _done(Work(lambda: None), async_op)


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: str = ReduceOp.SUM, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Let `output` be the sum, over all members, of the tensor that stands at the place of this process in their lists."""
    g = world("reduce_scatter", group)
    given = _arrays("reduce_scatter", input_list, g, _array("reduce_scatter", output))
    _put(output, g.reduce_scatter(np.stack(given), op))
    return _done(Work(lambda: None), async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: str = ReduceOp.SUM, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """`reduce_scatter` of the equal parts of `input` along dim 0."""
    g, array = world("reduce_scatter_tensor", group), _array("reduce_scatter_tensor", input)
    if array.size != g.size * output.array.size:
        raise ShapeError(f"reduce_scatter_tensor: {input.shape} is not {g.size} times {output.shape}")
    _put(output, g.reduce_scatter(array.reshape(g.size, *output.shape), op))
    return _done(Work(lambda: None), async_op)


def all_to_all(
    output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Let tensor i of the first list be the one that member i has for this process in its second list."""
    g = world("all_to_all", group)
    like = _array("all_to_all", input_tensor_list[0]) if input_tensor_list else None
    given = _arrays("all_to_all", input_tensor_list, g, like)
    _arrays("all_to_all", output_tensor_list, g, like)
    for t, value in zip(output_tensor_list, g.all_to_all(np.stack(given)), strict=True):
        _put(t, value)
    return _done(Work(lambda: None), async_op)


def all_to_all_single(output: Tensor, input: Tensor, group: Group | None = None, async_op: bool = False) -> Work | None:
    """`all_to_all` of the equal parts of `input` along dim 0; torch's sizes of unequal parts are not here."""
    g, array = world("all_to_all_single", group), _array("all_to_all_single", input)
    if not array.ndim or array.shape[0] % g.size:
        raise ShapeError(f"all_to_all_single: dim 0 of {array.shape} cannot be divided by {g.size}")
    parts = array.reshape(g.size, array.shape[0] // g.size, *array.shape[1:])
    _put(output, g.all_to_all(parts).reshape(array.shape))
    return _done(Work(lambda: None), async_op)


# ---------------------------------------------------------------- one to another
def isend(tensor: Tensor, dst: int | None = None, group: Group | None = None, tag: int = 0, group_dst: int | None = None) -> Work:
    """Begin to send `tensor`; it must not be written before the Work was waited for."""
    g, array = world("send", group), contiguous(_array("send", tensor))
    place = _whose("send", g, dst, group_dst)
    if place == g.rank:
        raise ArgumentError(f"send: rank {g.ranks[place]} is this process itself")
    request = g.comm.Isend(as_bytes(array), place, tag)
    return Work(lambda: (array, g.wait(request, "send")), request.Test)


def send(tensor: Tensor, dst: int | None = None, group: Group | None = None, tag: int = 0, group_dst: int | None = None) -> None:
    """Send `tensor` to the process `dst`, which receives it."""
    isend(tensor, dst, group, tag, group_dst).wait()


def _receive(tensor: Tensor, src: int | None, group: Group | None, tag: int, group_src: int | None) -> tuple[Work, list[int]]:
    g, MPI = world("recv", group), mpi()
    array = _array("recv", tensor)
    anyone = src is None and group_src is None
    place = MPI.ANY_SOURCE if anyone else _whose("recv", g, src, group_src)
    out = np.empty(array.shape, array.dtype)
    request, sender = g.comm.Irecv(as_bytes(out), place, tag), list[int]()

    def end() -> None:
        try:
            status = g.wait(request, "recv")
            found, who = status.Get_count(MPI.BYTE), g.ranks[status.Get_source()]
        except MPI.Exception as error:
            if error.Get_error_class() != MPI.ERR_TRUNCATE:
                raise
            found, who = "more", "the sender" if anyone else g.ranks[place]
        if found != out.nbytes:
            raise DistributedError(f"recv: {found} bytes came from rank {who}, but {described(array)} takes {out.nbytes}")
        _put(tensor, out)
        sender.append(who)

    return Work(end), sender


def irecv(tensor: Tensor, src: int | None = None, group: Group | None = None, tag: int = 0, group_src: int | None = None) -> Work:
    """Begin to receive `tensor`, which is written when the Work is waited for."""
    return _receive(tensor, src, group, tag, group_src)[0]


def recv(tensor: Tensor, src: int | None = None, group: Group | None = None, tag: int = 0, group_src: int | None = None) -> int:
    """Let `tensor` be what the process `src` sends (None: any), and return who it was. Raises DistributedError."""
    work, sender = _receive(tensor, src, group, tag, group_src)
    work.wait()
    return sender[0]


# ---------------------------------------------------------------- objects
def all_gather_object(object_list: list[Any], obj: Any, group: Group | None = None) -> None:
    """Let the list be the objects of all members, in their order. They are pickled."""
    g = world("all_gather_object", group)
    g.agree("all_gather_object")
    object_list[:] = [obj] if g.size == 1 else g.comm.allgather(obj)


def gather_object(
    obj: Any, object_gather_list: list[Any] | None = None, dst: int | None = None, group: Group | None = None,
    group_dst: int | None = None,
) -> None:  # fmt: skip
    """Let the list, which only the process `dst` gives, be the objects of all members."""
    g = world("gather_object", group)
    place = _whose("gather_object", g, dst, group_dst, g.ranks[0])
    g.agree("gather_object", f"to rank {g.ranks[place]}")
    found = [obj] if g.size == 1 else g.comm.gather(obj, place)
    if found is not None and object_gather_list is not None:
        object_gather_list[:] = found


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Group | None = None, device: Any = None, group_src: int | None = None
) -> None:
    """Let the list be that of the process `src`."""
    g = world("broadcast_object_list", group)
    place = _whose("broadcast_object_list", g, src, group_src, g.ranks[0])
    g.agree("broadcast_object_list", f"from rank {g.ranks[place]}")
    object_list[:] = object_list if g.size == 1 else g.comm.bcast(object_list, place)


def scatter_object_list(
    scatter_object_output_list: list[Any], scatter_object_input_list: list[Any] | None = None, src: int | None = None,
    group: Group | None = None, group_src: int | None = None,
) -> None:  # fmt: skip
    """Let the first element of the list be the object for this process in the list that only the process `src` gives."""
    g = world("scatter_object_list", group)
    place = _whose("scatter_object_list", g, src, group_src, g.ranks[0])
    g.agree("scatter_object_list", f"from rank {g.ranks[place]}")
    given = scatter_object_input_list
    scatter_object_output_list[:1] = given[:1] if g.size == 1 and given else [g.comm.scatter(given, place)]
