"""DataLoader, which makes batches: here or in worker processes, with the same result, and from where it was interrupted."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice, repeat
from typing import Any

import numpy as np

from autograd.api.random import Generator, default_generator, drawing_from
from autograd.errors import ArgumentError, StateError

from .collate import default_collate, default_convert
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .workers import Workers

__all__ = ["DataLoader"]


def _generator_of(sampler: Any) -> Any:
    """The generator that a sampler, or the one inside it, was given; None if it draws from the default one or not at all."""
    while sampler is not None:
        if getattr(sampler, "generator", None) is not None:
            return sampler.generator
        sampler = getattr(sampler, "sampler", None)
    return None


def _whole(dataset: Any, indices: list[int]) -> list[Any] | None:
    """The batch at `indices` by one indexing op per tensor; None if `dataset` makes its examples in a way of its own."""
    if isinstance(dataset, Subset) and type(dataset).__getitem__ is Subset.__getitem__:
        return _whole(dataset.dataset, [dataset.indices[i] for i in indices])
    if isinstance(dataset, TensorDataset) and type(dataset).__getitem__ is TensorDataset.__getitem__:
        places = np.array(list(map(operator.index, indices)), np.int64)
        return [t[places] for t in dataset.tensors]
    return None


class _Fetch:
    """Makes the batches of a dataset, one a call: here, or as a copy of itself in a worker.

    What a dataset draws from the default generator depends on the epoch's seed and the batch's number only, and so neither
    on who makes the batch nor on which were made before.
    """

    def __init__(self, dataset: Any, batch_size: int | None, batched: bool, drop_last: bool, collate_fn: Any) -> None:
        self.dataset, self.batch_size, self.batched, self.drop_last = dataset, batch_size, batched, drop_last
        self.collate_fn: Any = collate_fn
        self.iterator: Iterator[Any] = iter(())

    def __call__(self, seed: int, number: int, indices: Any) -> list[Any]:
        """A list of one batch, or of none at the end of an IterableDataset."""
        if self.batched and indices is not None and self.collate_fn is None:
            batch = _whole(self.dataset, indices)
            if batch is not None:
                return [batch]
        with drawing_from(np.random.default_rng([seed, number + 1])):
            if indices is None:
                return self._next(number)
            if not self.batched:
                return [(self.collate_fn or default_convert)(self.dataset[indices])]
            several = getattr(self.dataset, "__getitems__", None)  # a dataset may get several examples in one go
            examples = [self.dataset[i] for i in indices] if several is None else several(indices)
            return [(self.collate_fn or default_collate)(examples)]

    def _next(self, number: int) -> list[Any]:
        if number == 0:
            self.iterator = iter(self.dataset)
        if self.batch_size is None:
            return [(self.collate_fn or default_convert)(example) for example in islice(self.iterator, 1)]
        examples = list(islice(self.iterator, self.batch_size))
        if not examples or (self.drop_last and len(examples) < self.batch_size):
            return []
        return [(self.collate_fn or default_collate)(examples)]


class DataLoader:
    """Goes through a dataset in batches (torch.utils.data.DataLoader).

    `shuffle` takes a new random order each time, from `generator` or the default one. A `sampler` gives another order, a
    `batch_sampler` the lists of indices themselves. `collate_fn` makes a batch of a list of examples; `default_collate` does
    if none is given. With `batch_size=None` there are no batches, only examples.

    >>> import autograd
    >>> data = TensorDataset(autograd.arange(5), autograd.arange(5) * 10)
    >>> for x, y in DataLoader(data, batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([ 0, 10])
    tensor([2, 3]) tensor([20, 30])
    tensor([4]) tensor([40])

    With `num_workers` above 0 so many processes load up to `prefetch_factor` batches each ahead of time, in the same order
    and with the same results as without them. They pay where examples take Python code to make; large batches take long to
    travel between processes. They start as `multiprocessing_context` says, or as Python's default has it: "fork" takes over
    the dataset as it is, "spawn" and "forkserver" pickle it and want a main module that can be imported. Each first calls
    `worker_init_fn` with its number. `timeout` is how many seconds to wait for a batch; `persistent_workers` stay for the
    next epoch. An IterableDataset is one stream, and one worker goes through it, whatever their number.

    An epoch draws one seed when it begins, with `iter`, from `generator` or the default one. All that the sampler and the
    dataset then draw from the default generator follows from it, and leaves that as it is, whatever thread goes through the
    batches. So random transforms too give the same batches in any number of workers, and `state_dict`, taken anywhere in an
    epoch, is enough to go on with the batches that are left. What a dataset draws from generators of its own, or from
    NumPy's and Python's global ones, is its own affair.

    `pin_memory`, `pin_memory_device` and `in_order` are there for programs written for PyTorch, and change nothing.
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
        pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        self._iterable = isinstance(dataset, IterableDataset)
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
            raise ArgumentError(f"DataLoader: num_workers is a whole number, 0 or more, got {num_workers!r}")
        if timeout < 0:
            raise ArgumentError(f"DataLoader: timeout is a number of seconds, or 0 for no limit, got {timeout!r}")
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ArgumentError(f"DataLoader: prefetch_factor is a whole number, 1 or more, got {prefetch_factor!r}")
        if not num_workers and (timeout or prefetch_factor is not None or persistent_workers):
            raise ArgumentError("DataLoader: timeout, prefetch_factor and persistent_workers need num_workers above 0")
        if self._iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ArgumentError("DataLoader: an IterableDataset says the order; leave out shuffle, sampler and batch_sampler")
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader: a sampler says the order, so shuffle cannot be True too")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("DataLoader: a batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ArgumentError("DataLoader: drop_last needs a batch_size")
        if sampler is None and batch_sampler is None:
            sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last, self.generator = dataset, batch_size, drop_last, generator
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.multiprocessing_context, self.persistent_workers = multiprocessing_context, persistent_workers
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.prefetch_factor = (prefetch_factor or 2) if num_workers else None
        self._order = sampler if batch_sampler is None else batch_sampler
        self._workers: Workers | None = None
        self._epoch: dict[str, Any] | None = None  # the one that was begun last, or is to be taken up
        self._resume = False

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Any]:
        return self._batches(self._begin())

    def _batches(self, epoch: dict[str, Any]) -> Iterator[Any]:
        seed, seen = epoch["seed"], epoch["position"]
        fetch = _Fetch(self.dataset, self.batch_size, self.batch_sampler is not None, self.drop_last, self.collate_fn)
        tasks = ((seed, number, indices) for number, indices in enumerate(self._indices(seed)))
        if not self._iterable:  # what was seen is not made again; a stream has to be gone through
            tasks, seen = islice(tasks, seen, None), 0  # type: ignore[assignment]
        results = self._in_workers(fetch, tasks, seed) if self.num_workers else (fetch(*task) for task in tasks)
        with closing(results):  # type: ignore[type-var]
            for number, made in enumerate(results):
                if not made:
                    break
                if number >= seen:
                    epoch["position"] += 1
                    yield made[0]
        if self._epoch is epoch:
            self._epoch = None

    def _indices(self, seed: int) -> Iterator[Any]:
        """What the sampler says; what it draws from the default generator comes from the epoch's seed."""
        if self._iterable:
            yield from repeat(None)
        source, end = np.random.default_rng(seed), object()
        with drawing_from(source):
            order = iter(self._order)
        while True:
            with drawing_from(source):
                indices = next(order, end)
            if indices is end:
                return
            yield indices

    def _in_workers(self, fetch: _Fetch, tasks: Any, seed: int) -> Iterator[Any]:
        count = 1 if self._iterable else self.num_workers
        options = self.multiprocessing_context, self.worker_init_fn, seed, self.timeout
        workers, self._workers = self._workers or Workers(fetch, count, *options), None
        keep = False
        try:
            yield from workers.run(tasks, count * (self.prefetch_factor or 1))
            keep = True
        except GeneratorExit:  # whoever wanted the batches went away
            keep = True
            raise
        finally:
            if keep and self.persistent_workers and self._workers is None:
                self._workers = workers
            else:
                workers.stop()

    # ------------------------------------------------------------ to go on from where it was interrupted
    def _begin(self) -> dict[str, Any]:
        own = _generator_of(self._order)
        if self._resume and self._epoch is not None:
            epoch, self._resume = self._epoch, False
            if own is not None:
                own.set_state(epoch["sampler"])
            return epoch
        source = self.generator or default_generator
        self._epoch = {"seed": int(source.numpy.integers(2**63)), "position": 0, "sampler": own and own.get_state()}
        return self._epoch

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on in the middle of an epoch: its seed, how many batches it gave, and the generators.

        The default generator is not among it: save `autograd.get_rng_state()` too. As torchdata's StatefulDataLoader.
        """
        own = _generator_of(self._order)
        return {
            "epoch": self._epoch and dict(self._epoch),
            "generator": self.generator and self.generator.get_state(),
            "sampler": own and own.get_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next loop over this loader give the batches that were left when `state_dict` was taken.

        Those seen are skipped without being made, but for those of an IterableDataset. Raises StateError.

        >>> import autograd
        >>> loader = DataLoader(TensorDataset(autograd.arange(8)), batch_size=2, shuffle=True)
        >>> batches = iter(loader)
        >>> seen, state = next(batches), loader.state_dict()
        >>> rest = [x.tolist() for (x,) in batches]
        >>> loader.load_state_dict(state)
        >>> [x.tolist() for (x,) in loader] == rest
        True
        """
        mine = {"generator": self.generator, "sampler": _generator_of(self._order)}
        if set(state_dict) != {"epoch", *mine} or any((state_dict[k] is None) != (g is None) for k, g in mine.items()):
            first, second = ("none" if g is None else "one" for g in mine.values())
            found = f"{first} for a generator, and {second} in its sampler"
            raise StateError(f"DataLoader: the state is not of a loader such as this, which has {found}")
        for name, generator in mine.items():
            if generator is not None:
                generator.set_state(state_dict[name])
        epoch = state_dict["epoch"]
        self._epoch, self._resume = epoch and dict(epoch), epoch is not None
