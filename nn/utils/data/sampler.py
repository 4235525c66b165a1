"""Samplers: the order in which to go through a dataset, and where its batches begin and end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from autograd.api.creation import as_tensor
from autograd.api.random import Generator, multinomial, randint, randperm
from autograd.distributed.group import get_rank, get_world_size
from autograd.errors import ArgumentError

__all__ = [
    "BatchSampler", "DistributedSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler",
    "WeightedRandomSampler",
]  # fmt: skip


def _count(sampler: str, num_samples: Any, least: int) -> int:
    if isinstance(num_samples, bool) or not isinstance(num_samples, int) or num_samples < least:
        raise ArgumentError(f"{sampler}: num_samples is a whole number, {least} or more, got {num_samples!r}")
    return num_samples


class Sampler:
    """Says in which order to go through a dataset: an iterable of its indices."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not say in which order: define __iter__")


class SequentialSampler(Sampler):
    """From the first example to the last."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """In random order, another one each time; or `num_samples` drawn, with `replacement` each from all examples."""

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self.num_samples = len(data_source) if num_samples is None else _count("RandomSampler", num_samples, 1)

    def __iter__(self) -> Iterator[int]:
        n, left = len(self.data_source), self.num_samples
        if n == 0:
            return
        if self.replacement:
            yield from randint(0, n, (left,), generator=self.generator).tolist()
            return
        while left > 0:  # once through the dataset, and again while more are asked for
            yield from randperm(n, generator=self.generator).tolist()[:left]
            left -= n

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order, another one each time (torch.utils.data.SubsetRandomSampler)."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[Any]:
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, index i as often as `weights[i]` says, which need not add up to 1; so rare classes can be
    shown as often as common ones (torch.utils.data.WeightedRandomSampler).

    >>> from autograd import Generator
    >>> list(WeightedRandomSampler([0.0, 3.0, 0.0], 4)), list(WeightedRandomSampler([0.0, 3.0, 0.0], 1, replacement=False))
    ([1, 1, 1, 1], [1])
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        self.weights = as_tensor(weights, dtype="float64")
        self.num_samples, self.replacement = _count("WeightedRandomSampler", num_samples, 1), replacement
        self.generator = generator
        if self.weights.ndim != 1:
            raise ArgumentError(f"WeightedRandomSampler: weights is a list of numbers, got shape {self.weights.shape}")

    def __iter__(self) -> Iterator[int]:
        return iter(multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices from another sampler; a last, shorter one unless `drop_last`."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ArgumentError(f"batch_size is a whole number, 1 or more, got {batch_size!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        n = len(self.sampler)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class DistributedSampler(Sampler):
    """The part of a dataset for one of several processes, another order in each epoch (torch.utils.data.DistributedSampler).

    Rank r takes every n-th index from the r-th on, of an order that is the same in all processes for the same `seed` and epoch:
    call `set_epoch(epoch)` before each. All get as many: some indices come twice, or with `drop_last` the last are left out.
    `num_replicas` and `rank` are those of the group of all processes unless given.

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True, seed: int = 0,
        drop_last: bool = False,
    ) -> None:  # fmt: skip
        self.num_replicas = _count("DistributedSampler", get_world_size() if num_replicas is None else num_replicas, 1)
        self.rank = get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ArgumentError(f"DistributedSampler: rank is one of 0 to {self.num_replicas - 1}, got {rank}")
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0

    def __iter__(self) -> Iterator[int]:
        n, total = len(self.dataset), len(self) * self.num_replicas
        order = randperm(n, generator=Generator().manual_seed(self.seed + self.epoch)).tolist() if self.shuffle else range(n)
        return islice(cycle(order), self.rank, total, self.num_replicas)

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.num_replicas if self.drop_last else -(-n // self.num_replicas)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of that epoch next."""
        self.epoch = epoch
