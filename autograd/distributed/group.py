"""Groups of processes that work together: who is in one, who I am in it, and how arrays go between its members, by MPI."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zlib import crc32

import numpy as np

from ..engine.accumulate import ACCUMULATED
from ..errors import ArgumentError, DistributedError, DtypeError, MissingError

__all__ = [
    "Group", "barrier", "destroy_process_group", "get_backend", "get_global_rank", "get_group_rank", "get_process_group_ranks",
    "get_rank", "get_world_size", "init_process_group", "is_available", "is_initialized", "is_mpi_available", "new_group",
]  # fmt: skip

TIMEOUT = timedelta(minutes=30)
# MPI's word for each way to combine: of numbers, and of truths
OPS = {
    "sum": ("SUM", "LOR"), "avg": ("SUM", ""), "product": ("PROD", "LAND"), "min": ("MIN", "LAND"), "max": ("MAX", "LOR"),
    "band": ("BAND", "LAND"), "bor": ("BOR", "LOR"), "bxor": ("BXOR", "LXOR"),
}  # fmt: skip


def mpi() -> Any:
    """mpi4py's MPI, imported when it is first needed. Raises MissingError."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise MissingError("distributed: processes talk by mpi4py and an MPI: pip install 'chainrule[mpi]'") from error
    return MPI


# ---------------------------------------------------------------- a group
class Group:
    """Processes that do the same calls in the same order (torch.distributed.ProcessGroup).

    `ranks` are the numbers that its members have among all processes, `rank` is the place of this process among them, -1 if it
    is none of them. Its methods take and return plain arrays; each first makes sure that all members call the same with arrays
    of the same shape and dtype. A group of one needs no MPI.
    """

    def __init__(self, ranks: Sequence[int] = (0,), comm: Any = None, timeout: timedelta = TIMEOUT) -> None:
        self.ranks, self.comm, self.timeout = list(ranks), comm, timeout
        self.size = len(self.ranks)
        self.rank = comm.Get_rank() if comm is not None else 0 if self.size == 1 else -1

    def __repr__(self) -> str:
        return f"<Group of the ranks {', '.join(map(str, self.ranks))}>"

    def place(self, what: str, rank: int) -> int:
        """The place in this group of that rank among all processes. Raises ArgumentError."""
        if rank not in self.ranks:
            raise ArgumentError(f"{what}: rank {rank} is not in this group, whose ranks are {self.ranks}")
        return self.ranks.index(rank)

    def share_at(self, place: int) -> float:
        """1 in the process at that place, 0 in the others."""
        return float(self.rank == place)

    # ------------------------------------------------------------ waiting, and agreeing
    def wait(self, request: Any, what: str) -> Any:
        """Wait until that is done. Raises DistributedError if it takes longer than the group's timeout."""
        end, status = time.monotonic() + self.timeout.total_seconds(), mpi().Status()
        while not request.Test(status):
            if time.monotonic() > end:
                raise DistributedError(f"{what}: waited {self.timeout} for the others of {self!r}; did they end, or fail?")
            time.sleep(0)
        return status

    def agree(self, call: str, about: str = "") -> None:
        """Make sure that all members make this call, about the same: or each raises DistributedError, and says who differs."""
        if self.size == 1:
            return
        digest = crc32(f"{call}: {about}".encode())
        mine, largest = np.array([digest, -digest]), np.empty(2, np.int64)
        self.wait(self.comm.Iallreduce(mine, largest, mpi().MAX), call)
        if largest[0] == -largest[1]:
            return
        said = dict[str, list[int]]()
        for rank, (theirs, theirs_about) in zip(self.ranks, self.comm.allgather((call, about)), strict=True):
            said.setdefault(" of ".join(filter(None, (theirs, theirs_about))), []).append(rank)
        who = "; ".join(f"rank{'s' * (len(r) > 1)} {', '.join(map(str, r))}: {what}" for what, r in said.items())
        raise DistributedError(f"{call}: all ranks must call the same with like tensors, but {who}")

    # ------------------------------------------------------------ arrays
    def start(self, array: Any, op: str = "sum") -> Combining:
        """Begin to combine the arrays of all members, element by element; its `wait` has what came of it, the same on all."""
        check_combines(op, array.dtype)
        self.agree("all_reduce", f"{described(array)} by {op}")
        return Combining(self, array, op)

    def all_reduce(self, array: Any, op: str = "sum") -> Any:
        """The arrays of all members combined, element by element: the same bits on all of them."""
        return self.start(array, op).wait()

    def all_gather(self, array: Any) -> Any:
        """The arrays of all members along a new first axis."""
        self.agree("all_gather", described(array))
        array = contiguous(array)
        if self.size == 1:
            return array[None].copy()
        out = np.empty((self.size, *array.shape), array.dtype)
        self.wait(self.comm.Iallgather(as_bytes(array), as_bytes(out)), "all_gather")
        return out

    def reduce_scatter(self, array: Any, op: str = "sum") -> Any:
        """Of the combined arrays, whose first axis is as long as the group, the part at the place of this process."""
        check_combines(op, array.dtype)
        self.agree("reduce_scatter", f"{described(array)} by {op}")
        if self.size == 1:
            return combined(array, 1, op)[0].copy()
        wide = contiguous(array, ACCUMULATED.get(array.dtype, array.dtype))
        out = np.empty(wide.shape[1:], wide.dtype)
        request = self.comm.Ireduce_scatter_block(wide, out, operation(op, array.dtype))
        self.wait(request, "reduce_scatter")
        return combined(out, self.size, op).astype(array.dtype, copy=False)

    def all_to_all(self, array: Any) -> Any:
        """What stands at my place in the arrays of all members, in their order: a transposition."""
        self.agree("all_to_all", described(array))
        array = contiguous(array)
        if self.size == 1:
            return array.copy()
        out = np.empty_like(array)
        self.wait(self.comm.Ialltoall(as_bytes(array), as_bytes(out)), "all_to_all")
        return out

    def gather(self, array: Any, place: int) -> Any:
        """For the member at `place` the arrays of all along a new first axis; None for the others."""
        self.agree("gather", f"{described(array)} to rank {self.ranks[place]}")
        array = contiguous(array)
        if self.size == 1:
            return array[None].copy()
        out = np.empty((self.size, *array.shape), array.dtype) if self.rank == place else None
        self.wait(self.comm.Igather(as_bytes(array), None if out is None else as_bytes(out), place), "gather")
        return out

    def scatter(self, arrays: Any, like: Any, place: int) -> Any:
        """My part of the arrays that the member at `place` gives; each is `like` this one."""
        self.agree("scatter", f"{described(like)} from rank {self.ranks[place]}")
        if self.size == 1:
            return arrays[0].copy()
        given = as_bytes(contiguous(np.stack(arrays))) if self.rank == place else None
        out = np.empty(like.shape, like.dtype)
        self.wait(self.comm.Iscatter(given, as_bytes(out), place), "scatter")
        return out

    def broadcast(self, array: Any, place: int) -> Any:
        """The array of the member at `place`."""
        self.agree("broadcast", f"{described(array)} from rank {self.ranks[place]}")
        out = np.array(array, order="C")
        if self.size > 1:
            self.wait(self.comm.Ibcast(as_bytes(out), place), "broadcast")
        return out


class Combining:
    """What becomes of the arrays of a group: begun, and to be waited for. Half is combined in single precision.

    It is done in an array of its own, or in `array` itself, if that is its `own`.
    """

    def __init__(self, group: Group, array: Any, op: str = "sum", own: bool = False) -> None:
        self.group, self.op, self.dtype = group, op, array.dtype
        self.out = array if own else np.array(array, ACCUMULATED.get(array.dtype, array.dtype), order="C")
        self.request = None
        if group.size > 1:
            self.request = group.comm.Iallreduce(mpi().IN_PLACE, self.out, operation(op, array.dtype))

    def is_done(self) -> bool:
        """Is it done? Asking also lets it go on."""
        return self.request is None or self.request.Test()

    def wait(self) -> Any:
        """The combined array."""
        if self.request is not None:
            self.group.wait(self.request, "all_reduce")
        return combined(self.out, self.group.size, self.op).astype(self.dtype, copy=False)


def check_combines(op: str, dtype: Any) -> None:
    """Raise ArgumentError or DtypeError unless arrays of this dtype can be combined so."""
    if op not in OPS:
        raise ArgumentError(f"op is one of {', '.join(map(repr, OPS))}, as in distributed.ReduceOp, got {op!r}")
    if dtype.kind not in "fiub" or (dtype.kind == "f" and op[0] == "b") or (dtype.kind != "f" and op == "avg"):
        raise DtypeError(f"{op!r} does not combine {dtype}")


def operation(op: str, dtype: Any) -> Any:
    return getattr(mpi(), OPS[op][dtype.kind == "b"])


def combined(total: Any, size: int, op: str) -> Any:
    return (total / size).astype(total.dtype, copy=False) if op == "avg" else total


def contiguous(array: Any, dtype: Any = None) -> Any:
    return np.ascontiguousarray(array, dtype).reshape(array.shape)  # which makes 0-d arrays 1-d


def as_bytes(array: Any) -> Any:
    """The memory of `array`, for what only moves it: MPI knows no half."""
    return array.reshape(-1).view(np.uint8)


def described(array: Any) -> str:
    return f"{array.dtype} {array.shape}"


# ---------------------------------------------------------------- all processes
_world: Group | None = None


def is_available() -> bool:
    """Can processes talk here? They can: by MPI, once it is installed (torch.distributed.is_available)."""
    return True


def is_mpi_available() -> bool:
    """Is mpi4py installed, with an MPI to load?"""
    try:
        mpi()
    except (MissingError, RuntimeError):
        return False
    return True


def is_initialized() -> bool:
    """Was `init_process_group` called?"""
    return _world is not None


def init_process_group(
    backend: str | None = None, init_method: str | None = None, timeout: timedelta | None = None, world_size: int = -1,
    rank: int = -1, store: Any = None, group_name: str = "", pg_options: Any = None, device_id: Any = None,
) -> None:  # fmt: skip
    """Let this process talk to those that were started with it (torch.distributed.init_process_group).

    They are started by `python -m autograd.distributed.launch -n 4 train.py`, or by `mpiexec` or `srun`, which also say who is
    who; so `init_method` and `store` are not asked. `backend` is "mpi", whose place "gloo" takes in programs written for it.
    A call that the other processes do not make within `timeout` (30 minutes) is an error. Raises ArgumentError, MissingError.
    """
    global _world
    if backend not in (None, "mpi", "gloo", "cpu:gloo", "cpu:mpi"):
        raise ArgumentError(f"init_process_group: the backend is 'mpi' (or 'gloo', which means it here), got {backend!r}")
    if _world is not None:
        raise ArgumentError("init_process_group was called before; call destroy_process_group() first")
    alone = started_as() is None and not is_mpi_available()
    comm = None if alone else mpi().COMM_WORLD.Dup()
    size, place = (1, 0) if comm is None else (comm.Get_size(), comm.Get_rank())
    for name, asked, found in (("world_size", world_size, size), ("rank", rank, place)):
        if asked not in (-1, found):
            how = "start the program by `python -m autograd.distributed.launch -n N program.py`"
            raise ArgumentError(f"init_process_group: {name}={asked}, but MPI says {found}; {how}")
    _world = Group(range(size), comm if size > 1 else None, timeout or TIMEOUT)


def destroy_process_group(group: Group | None = None) -> None:
    """End what `init_process_group` or `new_group` began."""
    global _world
    ended = world("destroy_process_group") if group is None else group
    if ended.comm is not None:
        ended.comm.Free()
        ended.comm = None
    if ended is _world:
        _world = None


def world(what: str, group: Group | None = None) -> Group:
    """That group, or that of all processes. Raises DistributedError if there is none, or this process is not in it."""
    if group is None and _world is None:
        raise DistributedError(f"{what}: call distributed.init_process_group() first")
    found = _world if group is None else group
    assert found is not None
    if found.rank < 0:
        raise DistributedError(f"{what}: this process is not in the group of the ranks {found.ranks}")
    return found


def new_group(
    ranks: Sequence[int] | None = None, timeout: timedelta | None = None, backend: str | None = None, pg_options: Any = None,
    use_local_synchronization: bool = False, group_desc: str | None = None, device_id: Any = None,
) -> Group:  # fmt: skip
    """The group of these `ranks` (None: of all). All processes must call it, also those that are not in it."""
    whole = world("new_group")
    ranks = whole.ranks if ranks is None else sorted(ranks)
    if not ranks or len(set(ranks)) < len(ranks) or not set(ranks) <= set(whole.ranks):
        raise ArgumentError(f"new_group: ranks are some of 0 to {whole.size - 1}, each once, got {ranks}")
    whole.agree("new_group", f"ranks {ranks}")
    comm = None
    if whole.comm is not None:
        MPI = mpi()
        comm = whole.comm.Split(0 if whole.rank in ranks else MPI.UNDEFINED, whole.rank)
        comm = None if comm == MPI.COMM_NULL else comm
    group = Group(ranks, comm, timeout or whole.timeout)
    group.rank = ranks.index(whole.rank) if whole.rank in ranks else -1
    return group


def started_as() -> int | None:
    """The rank that this process was given by what started it; None if it was started on its own."""
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"):
        if name in os.environ:
            return int(os.environ[name])
    return None


# ---------------------------------------------------------------- who is who
def get_rank(group: Group | None = None) -> int:
    """The place of this process in the group, -1 if it is not in it; 0 where there are no groups."""
    return (_world.rank if _world else 0) if group is None else group.rank


def get_world_size(group: Group | None = None) -> int:
    """How many processes are in the group, -1 if this one is not; 1 where there are no groups."""
    if group is None:
        return _world.size if _world else 1
    return group.size if group.rank >= 0 else -1


def get_backend(group: Group | None = None) -> str:
    """How processes talk: "mpi"."""
    world("get_backend", group)
    return "mpi"


def get_process_group_ranks(group: Group | None = None) -> list[int]:
    """The ranks, among all processes, of the members of the group."""
    return list(world("get_process_group_ranks", group).ranks)


def get_group_rank(group: Group, global_rank: int) -> int:
    """The place in the group of that rank among all processes."""
    return group.place("get_group_rank", global_rank)


def get_global_rank(group: Group, group_rank: int) -> int:
    """The rank among all processes of that place in the group."""
    return group.ranks[group_rank]


def barrier(group: Group | None = None, async_op: bool = False, device_ids: Any = None) -> None:
    """Wait until all members have come here."""
    world("barrier", group).agree("barrier")
