"""Datasets: examples by number or one after the other, and how they are joined, cut and split."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

from autograd.api.random import Generator, randperm
from autograd.engine.tensor import Tensor
from autograd.errors import ArgumentError, DimError, ShapeError, UnsupportedError

__all__ = [
    "ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset", "random_split",
]  # fmt: skip


class Dataset:
    """Examples by number: subclasses define `__getitem__`, and `__len__`. Two datasets add up to one after the other."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to get an example: define __getitem__")

    def __add__(self, other: Any) -> Any:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Examples one after the other, as from a file: subclasses define `__iter__` (torch.utils.data.IterableDataset)."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not say what its examples are: define __iter__")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


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


class StackDataset(Dataset):
    """Datasets side by side: example i is the tuple of their i-th examples, or the dict, if they are given by name.

    PyTorch: torch.utils.data.StackDataset.

    >>> StackDataset(image=["a", "b"], label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.datasets: Any = kwargs or args
        sizes = [len(dataset) for dataset in (*args, *kwargs.values())]
        if (args and kwargs) or len(set(sizes)) != 1:
            raise ArgumentError(f"StackDataset needs datasets of one length, all by name or none, got lengths {sizes}")
        self._length = sizes[0]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        return self._length


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
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise UnsupportedError("ConcatDataset needs examples by number, which an IterableDataset lacks; use ChainDataset")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise DimError(f"the dataset has {n} examples, there is none at {index}")
        which = bisect_right(self.cumulative_sizes, index % n)
        return self.datasets[which][index % n - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """Iterable datasets one after the other (torch.utils.data.ChainDataset)."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(map(len, self.datasets))


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
