"""Datasets, the order in which to go through them, and DataLoader, which makes batches (torch.utils.data)."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from typing import Any

import numpy as np

from autograd.creation import as_tensor, tensor
from autograd.errors import ArgumentError, DimError, ShapeError, UnsupportedError
from autograd.ops.shape import stack
from autograd.random import Generator, randint, randperm
from autograd.tensor import Tensor

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "RandomSampler", "Sampler", "SequentialSampler", "Subset",
    "TensorDataset", "default_collate", "random_split",
]  # fmt: skip


# ---------------------------------------------------------------- datasets
class Dataset:
    """Examples by number: subclasses define `__getitem__`, and `__len__`. Two datasets add up to one after the other."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to get an example: define __getitem__")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Tensors of one length: example i is the tuple of their i-th elements (torch.utils.data.TensorDataset).

    >>> import autograd
    >>> TensorDataset(autograd.tensor([1.0, 2.0, 3.0]), autograd.tensor([0, 1, 0]))[1]
    (tensor(2.), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor):
                raise UnsupportedError(f"TensorDataset: argument {i} must be a tensor, not {type(t).__name__}; use as_tensor()")
        if not tensors or any(not t.ndim or t.shape[0] != tensors[0].shape[0] for t in tensors):
            raise ShapeError(f"TensorDataset needs tensors of one length, got shapes {', '.join(str(t.shape) for t in tensors)}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> Any:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset):
    """The examples of `dataset` at `indices` (torch.utils.data.Subset)."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Datasets one after the other (torch.utils.data.ConcatDataset)."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset needs at least one dataset")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise DimError(f"the dataset has {n} examples, there is none at {index}")
        which = bisect_right(self.cumulative_sizes, index % n)
        return self.datasets[which][index % n - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Cut `dataset` at random into subsets of these lengths, or of these shares of it, which then add up to 1.

    Examples left over when shares are rounded down go one each to the first subsets. PyTorch: torch.utils.data.random_split.

    >>> import autograd
    >>> data = TensorDataset(autograd.arange(10))
    >>> [len(part) for part in random_split(data, [0.75, 0.25])]
    [8, 2]
    """
    n = len(dataset)
    sizes = list(lengths)
    if math.isclose(sum(sizes), 1) and all(0 <= share <= 1 for share in sizes):
        sizes = [math.floor(n * share) for share in lengths]
        for i in range(n - int(sum(sizes))):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != n or any(size < 0 or size != int(size) for size in sizes):
        raise ArgumentError(f"random_split: {list(lengths)} are neither lengths that add up to {n} nor shares that add up to 1")
    order = iter(randperm(n, generator=generator).tolist())
    return [Subset(dataset, list(islice(order, int(size)))) for size in sizes]


# ---------------------------------------------------------------- samplers
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
        self.num_samples = len(data_source) if num_samples is None else num_samples
        if not isinstance(self.num_samples, int) or self.num_samples < 0:
            raise ArgumentError(f"RandomSampler: num_samples is a whole number, 0 or more, got {num_samples!r}")

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


# ---------------------------------------------------------------- batches
def default_collate(batch: Sequence[Any]) -> Any:
    """Make one batch of a list of examples: tensors and arrays are stacked, numbers become a tensor, and tuples, lists and
    dicts of these become lists and dicts of batches; all else stays as it is.

    >>> default_collate([(1, 0.5), (2, 1.5)])
    [tensor([1, 2]), tensor([0.5000, 1.5000], dtype=float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor) or (hasattr(first, "dtype") and hasattr(first, "shape")):
        try:
            return stack([as_tensor(example) for example in batch])
        except ShapeError as error:
            shapes = ", ".join(sorted({str(example.shape) for example in batch}))
            raise ShapeError(f"DataLoader: examples of shapes {shapes} do not stack to a batch; give a collate_fn") from error
    if isinstance(first, (bool, int, float)):
        return tensor(np.array(batch))
    if isinstance(first, Mapping):
        return {key: default_collate([example[key] for example in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(example) != len(first) for example in batch):
            raise ShapeError("DataLoader: the examples of a batch have different numbers of parts; give a collate_fn")
        parts = [default_collate(part) for part in zip(*batch, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    return batch


def _whole(dataset: Any, indices: list[int]) -> list[Any] | None:
    """The batch at `indices` by one indexing op per tensor; None if `dataset` makes its examples in a way of its own."""
    if isinstance(dataset, Subset) and type(dataset).__getitem__ is Subset.__getitem__:
        return _whole(dataset.dataset, [dataset.indices[i] for i in indices])
    if isinstance(dataset, TensorDataset) and type(dataset).__getitem__ is TensorDataset.__getitem__:
        places = np.array(list(map(operator.index, indices)), np.int64)
        return [t[places] for t in dataset.tensors]
    return None


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
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, *, generator: Generator | None = None,
    ) -> None:  # fmt: skip
        if num_workers != 0:
            raise UnsupportedError(
                f"DataLoader: num_workers is {num_workers!r}, but only this process loads examples so far; use 0"
            )
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader: a sampler says the order, so shuffle cannot be True too")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError("DataLoader: a batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ArgumentError("DataLoader: drop_last needs a batch_size")
        if sampler is None and batch_sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last, self.generator = dataset, batch_size, drop_last, generator
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            for index in self.sampler:
                yield self.dataset[index] if self.collate_fn is None else self.collate_fn(self.dataset[index])
        else:
            for indices in self.batch_sampler:
                yield self._batch(indices)

    def _batch(self, indices: list[int]) -> Any:
        if self.collate_fn is None and (batch := _whole(self.dataset, indices)) is not None:
            return batch
        several = getattr(self.dataset, "__getitems__", None)  # a dataset may get several examples in one go
        examples = [self.dataset[i] for i in indices] if several is None else several(indices)
        return (self.collate_fn or default_collate)(examples)

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
