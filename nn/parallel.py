"""Models on several devices, of which there is one, and in several processes (torch.nn.parallel)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd.distributed.group import Combining, Group, as_bytes, contiguous, described, get_world_size, is_initialized, world
from autograd.engine.accumulate import ACCUMULATED
from autograd.engine.grad_mode import is_grad_enabled, no_grad
from autograd.engine.hooks import AsSoonAsWhole
from autograd.engine.tensor import Tensor, wrap
from autograd.engine.warn import seen

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


# ---------------------------------------------------------------- one model in several processes
class _Bucket:
    """Gradients that travel together: a flat array with a place for each of some parameters, and how many ranks had one."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters, ends = parameters, np.cumsum([0, *(p.numel() for p in parameters)]).tolist()
        dtype = ACCUMULATED.get(parameters[0].dtype, parameters[0].dtype)
        self.flat, self.arrived = np.zeros(ends[-1] + len(parameters), dtype), set[int]()
        self.places = [self.flat[a:b].reshape(p.shape) for a, b, p in zip(ends, ends[1:], parameters, strict=False)]
        self.had = self.flat[ends[-1] :]
        self.begun: Combining | None = None

    def fill(self, i: int, *gradients: Any) -> None:
        """Put in the gradient of parameter `i`, and what was left on it before; None where there is none."""
        given = [g for g in gradients if g is not None]
        self.places[i][...] = sum((t.array for t in given[1:]), given[0].array) if given else 0
        self.had[i] = bool(given)
        self.arrived.add(i)

    def begin(self, group: Group) -> None:
        self.begun = Combining(group, self.flat, own=True)

    def result(self, i: int) -> Any:
        """The sum for parameter `i`; None if no process had a gradient for it."""
        return self.places[i] if self.had[i] else None


class DistributedDataParallel(DataParallel):
    """A model of which every process has a copy, and `.grad` the average over all (torch.nn.parallel.DistributedDataParallel).

    All begin with the parameters and buffers of rank 0. While a backward goes on, gradients that are whole are sent in buckets
    of `bucket_cap_mb` MB, those of the last layers first; when it is done, all have the same bits in `.grad`. A parameter that
    only some processes used counts as 0 in the others; one that none used keeps its `.grad`, so `find_unused_parameters` is
    always so. Before each forward while training the buffers are those of rank 0 (`broadcast_buffers`). Without
    `distributed.init_process_group()`, or in a group of one, it is the model itself. Li et al. 2020, PyTorch Distributed.

    Raises DistributedError if the models of the processes differ, by the name of what differs.

    >>> import autograd, nn
    >>> net = DistributedDataParallel(nn.Linear(2, 1, bias=False))
    >>> net(autograd.ones(3, 2)).shape, list(net.state_dict())
    ((3, 1), ['module.weight'])
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0, broadcast_buffers: bool = True,
        init_sync: bool = True, process_group: Group | None = None, bucket_cap_mb: float = 25.0,
        find_unused_parameters: bool = False, check_reduction: bool = False, gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(module)
        self.broadcast_buffers, self.require_backward_grad_sync = broadcast_buffers, True
        alone = get_world_size(process_group) == 1 or not is_initialized()
        self.process_group = None if alone else world("DistributedDataParallel", process_group)
        self._joining, self._by_all, self._steps, self._divisor = False, True, 0, 1
        self._open = False  # did this backward bring a gradient already?
        self._buckets: list[_Bucket] = []
        if self.process_group is None:
            return
        self._divisor = self.process_group.size
        _compare(self.process_group, module)
        if init_sync:
            _share(self.process_group, [*module.parameters(), *module.buffers()], 0)
        self._fill_buckets(bucket_cap_mb * 2**20)

    def _fill_buckets(self, limit: float) -> None:
        """In the order in which backward is likely to come to them, the last parameters first."""
        kinds: dict[Any, list[Tensor]] = {}
        full: list[list[Tensor]] = []
        wanted: list[Tensor] = [p for p in self.module.parameters() if p.requires_grad]
        for p in reversed(wanted):
            kinds.setdefault(p.dtype, []).append(p)
            if sum(q.array.nbytes for q in kinds[p.dtype]) >= limit:
                full.append(kinds.pop(p.dtype))
        self._buckets = [_Bucket(parameters) for parameters in (*full, *kinds.values())]
        for bucket in self._buckets:
            for i, p in enumerate(bucket.parameters):
                p.register_hook(AsSoonAsWhole(lambda g, b=bucket, i=i: self._arrive(b, i, g)))
                p.register_post_accumulate_grad_hook(lambda _, b=bucket, i=i: self._settle(b, i))

    # ------------------------------------------------------------ while backward goes on
    def _arrive(self, bucket: _Bucket, i: int, gradient: Tensor) -> None:
        if self.require_backward_grad_sync:
            seen("the average over processes")
            self._open = True
            bucket.fill(i, gradient, bucket.parameters[i].grad)
            self._send()

    def _send(self) -> None:
        """Send what is full, in the order that is the same in all processes; and let what was sent before go on."""
        group = self.process_group
        assert group is not None
        for bucket in self._buckets:
            if bucket.begun is not None:
                bucket.begun.is_done()
            elif len(bucket.arrived) == len(bucket.parameters):
                bucket.begin(group)
            else:
                return

    # ------------------------------------------------------------ when it is done
    def _settle(self, bucket: _Bucket, i: int) -> None:
        """Backward has added to the `.grad` of that parameter: let it be the average instead."""
        if not self.require_backward_grad_sync:
            return
        if self._open:  # it has been everywhere: what has not arrived is not to come
            self._open = False
            for b, k in self._finish():
                self._average(b, k)
        self._average(bucket, i)

    def _finish(self, out_of_batches: bool = False) -> list[tuple[_Bucket, int]]:
        """Send the rest, and wait for all; those that had no gradient here."""
        missing = [(b, i) for b in self._buckets for i in range(len(b.parameters)) if i not in b.arrived]
        for bucket, i in missing:
            bucket.fill(i, None if out_of_batches else bucket.parameters[i].grad)
        self._send()
        for bucket in self._buckets:
            assert bucket.begun is not None
            bucket.begun.wait()
            bucket.begun = None
            bucket.arrived.clear()
        return missing

    def _average(self, bucket: _Bucket, i: int) -> None:
        if (total := bucket.result(i)) is not None:
            p, average = bucket.parameters[i], total / self._divisor
            with no_grad():
                if p.grad is None:
                    p.grad = wrap(average.astype(p.dtype))
                else:
                    p.grad.copy_(wrap(average))

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Let backward only add to `.grad` here; the next one outside averages what has gathered."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    # ------------------------------------------------------------ forward, and batches that do not come out even
    def forward(self, *inputs: Any, **named: Any) -> Any:
        if self.process_group is not None and self.require_backward_grad_sync and is_grad_enabled() and self.training:
            self._open = False
            for bucket in self._buckets:  # whatever a backward that failed had begun
                bucket.arrived.clear()
            if self._joining:
                self._steps += 1
                self._present(1)
            elif self.broadcast_buffers:
                _share(self.process_group, list(self.module.buffers()), 0)
        return self.module(*inputs, **named)

    def _present(self, here: int) -> int:
        """How many processes have a batch; with the buffers of the first of these."""
        group = self.process_group
        assert group is not None
        present = group.all_gather(np.array(here))
        if (count := int(present.sum())) and self.broadcast_buffers:
            _share(group, list(self.module.buffers()), int(present.argmax()))
        self._divisor = count if count and not self._by_all else group.size
        return count

    @contextmanager
    def join(self, divide_by_initial_world_size: bool = True, enable: bool = True) -> Iterator[None]:
        """Let processes that run out of batches go along with the others, with gradients of 0, until all have.

        Afterwards all have the model of the one that had most. Gradients are divided by the number of all processes, or of
        those that still have batches. Inside, each forward is followed by a backward (torch's DistributedDataParallel.join).
        """
        group = self.process_group
        if group is None or not enable:
            yield
            return
        self._joining, self._steps, self._by_all = True, 0, divide_by_initial_world_size
        try:
            yield
            while self._present(0):
                self._finish(out_of_batches=True)
            steps = group.all_gather(np.array(self._steps))
            _share(group, [*self.module.parameters(), *self.module.buffers()], int(steps.argmax()))
        finally:
            self._joining, self._divisor = False, group.size


def _compare(group: Group, module: Module) -> None:
    """Raise DistributedError unless all processes have the same parameters and buffers."""
    named = [*module.named_parameters(), *module.named_buffers()]
    group.agree("DistributedDataParallel", f"a model of {len(named)} parameters and buffers")
    for name, t in named:
        group.agree("DistributedDataParallel", f"{name}, {described(t)}")


def _share(group: Group, tensors: Sequence[Tensor], place: int) -> None:
    """Give all processes the values that these have at that place."""
    if not tensors:
        return
    mine = [as_bytes(contiguous(t.array)) for t in tensors]
    theirs = np.split(group.broadcast(np.concatenate(mine), place), np.cumsum([len(b) for b in mine])[:-1])
    if group.rank != place:
        with no_grad():
            for t, b in zip(tensors, theirs, strict=True):
                t.copy_(wrap(b.view(t.dtype).reshape(t.shape)))
