"""The processes that load examples for a DataLoader ahead of time, and what each knows of itself."""

from __future__ import annotations

import os
import pickle
import random
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Thread, Timer
from typing import Any

import numpy as np

from autograd.errors import WorkerError

__all__ = ["WorkerInfo", "get_worker_info"]


@dataclass
class WorkerInfo:
    """What a worker knows of itself: its number, how many there are, its seed, and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None
_fetch: Callable[..., Any]
_prepare: Callable[[int], object] | None = None  # worker_init_fn, until it has run


def get_worker_info() -> WorkerInfo | None:
    """In a worker of a DataLoader: what it knows of itself; elsewhere None (torch.utils.data.get_worker_info)."""
    return _info


# ---------------------------------------------------------------- in a worker
def _start(fetch: Any, prepare: Any, seed: int, count: int, started: Any) -> None:
    global _info, _fetch, _prepare
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the one that waits for us says when to stop
    Thread(target=_end_with_parent, daemon=True).start()
    with started.get_lock():
        number = started.value
        started.value += 1
    _info, _fetch, _prepare = WorkerInfo(number, count, seed + number, fetch.dataset), fetch, prepare


def _end_with_parent() -> None:
    """A parent that is killed cannot say goodbye; its workers are not to outlive it."""
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(seed: int, number: int, indices: Any) -> Any:
    """Load one batch. Python's and NumPy's global generators, of which each worker has a copy, are seeded for each."""
    global _prepare
    try:
        if _prepare is not None and _info is not None:
            _prepare(_info.id)
            _prepare = None
        random.seed(f"{seed} {number}")
        np.random.seed(np.random.SeedSequence([seed, number + 1]).generate_state(4))
        return _fetch(seed, number, indices)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # it would not arrive, and take all else with it
            raise WorkerError(f"DataLoader: a worker raised {type(error).__name__}: {error}") from error
        raise


# ---------------------------------------------------------------- in the process that uses the batches
class _Context:
    """A context of multiprocessing that keeps the processes it makes: one that hangs, even while it starts, can be killed."""

    def __init__(self, context: Any) -> None:
        self.context, self.processes = context, list[Any]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    def Process(self, *args: Any, **kwargs: Any) -> Any:
        self.processes.append(self.context.Process(*args, **kwargs))
        return self.processes[-1]


class Workers:
    """`count` processes that call `fetch`: each holds a copy of it, so what they change in the dataset is theirs alone."""

    patience = 5.0  # for how many seconds, once all is to end, a worker may finish what it is at

    def __init__(self, fetch: Any, count: int, context: Any, prepare: Any, seed: int, timeout: float) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context)
        self.context, self.timeout = _Context(context), timeout or None
        told = fetch, prepare, seed, count, context.Value("i", 0)
        self.pool = ProcessPoolExecutor(count, self.context, _start, told)  # type: ignore[call-overload]  # it passes for a context

    def run(self, tasks: Iterable[tuple[Any, ...]], ahead: int) -> Iterator[Any]:
        """The results of `tasks`, in their order, up to `ahead` of them before they are asked for."""
        from concurrent.futures.process import BrokenProcessPool

        tasks = iter(tasks)
        pending: deque[Any] = deque()
        try:
            pending.extend(self.pool.submit(_work, *task) for task in islice(tasks, ahead))
            while pending:
                result = self._result(pending.popleft())
                pending.extend(self.pool.submit(_work, *task) for task in islice(tasks, 1))
                yield result
        except BrokenProcessPool as error:
            raise WorkerError("DataLoader: a worker died, as one does that crashes, is killed or runs out of memory") from error
        finally:
            for future in pending:
                future.cancel()

    def _result(self, future: Any) -> Any:
        try:
            return future.result(self.timeout)
        except TimeoutError:
            if future.done():  # it is the dataset's own
                raise
            self.stop(patience=0)
            raise WorkerError(f"DataLoader: no batch came within timeout={self.timeout} seconds") from None

    def stop(self, patience: float | None = None) -> None:
        """End all workers: they may finish what they are at, but after some seconds are killed."""
        timer = Timer(self.patience if patience is None else patience, self._kill)
        if self._alive():  # else at the end of a program, when no thread can be started
            timer.start()
        self.pool.shutdown(wait=True, cancel_futures=True)
        timer.cancel()

    def _alive(self) -> list[Any]:
        return [process for process in self.context.processes if process.pid is not None and process.exitcode is None]

    def _kill(self) -> None:
        for process in self._alive():
            process.kill()
