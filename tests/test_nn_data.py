"""Datasets, samplers, batches and the digits: order, sizes, seeds, collation, speed of whole batches, and bad input."""

from collections import Counter, namedtuple
from itertools import chain

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import autograd
from autograd import Generator, Tensor, arange, float64, tensor
from autograd.errors import ArgumentError, DimError, ShapeError, UnsupportedError
from nn.datasets import digits
from nn.utils import data
from nn.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)  # fmt: skip


class Squares(Dataset):
    """Examples made one by one."""

    def __init__(self, n):
        self.n, self.asked = n, []

    def __getitem__(self, i):
        self.asked.append(i)
        return tensor([float(i)]), i * i

    def __len__(self):
        return self.n


def pairs(n):
    return TensorDataset(arange(n), arange(n) * 10)


def firsts(loader):
    return [batch[0].tolist() for batch in loader]


# ---------------------------------------------------------------- datasets
def test_tensor_dataset():
    d = pairs(4)
    assert len(d) == 4
    assert [t.item() for t in d[2]] == [2, 20]
    assert [t.tolist() for t in d[1:3]] == [[1, 2], [10, 20]]
    assert [t.tolist() for t in d[[3, 0]]] == [[3, 0], [30, 0]]
    with pytest.raises(IndexError):
        d[4]


def test_subset_concat_and_sum():
    d = pairs(6)
    part = Subset(d, [5, 3, 1])
    assert len(part) == 3
    assert part[0][0].item() == 5
    assert [t.tolist() for t in part[[0, 2]]] == [[5, 1], [50, 10]]
    assert Subset(part, [1])[0][0].item() == 3
    both = part + d
    assert type(both) is ConcatDataset
    assert len(both) == 9
    assert [both[i][0].item() for i in (0, 2, 3, 8, -1, -9)] == [5, 1, 0, 5, 5, 5]
    assert [i.item() for i, _ in map(ConcatDataset([part, d, d]).__getitem__, range(15))] == [5, 3, 1, *range(6), *range(6)]
    for index in (9, -10):
        with pytest.raises(DimError, match=f"the dataset has 9 examples, there is none at {index}"):
            both[index]


def test_random_split_has_every_example_once():
    d = pairs(10)
    parts = random_split(d, [7, 0, 3], generator=Generator().manual_seed(0))
    assert [len(p) for p in parts] == [7, 0, 3]
    assert sorted(i for p in parts for i in p.indices) == list(range(10))
    again = random_split(d, [7, 0, 3], generator=Generator().manual_seed(0))
    assert [p.indices for p in parts] == [p.indices for p in again]
    assert parts[0].indices != sorted(parts[0].indices)


@pytest.mark.parametrize(
    ("n", "shares", "sizes"), [(10, [0.5, 0.5], [5, 5]), (10, [0.35, 0.35, 0.3], [4, 3, 3]), (1, [1 / 3] * 3, [1, 0, 0])]
)
def test_random_split_by_shares(n, shares, sizes):
    assert [len(p) for p in random_split(pairs(n), shares)] == sizes


@pytest.mark.parametrize("lengths", [[5, 6], [0.5, 0.4], [11, -1], [5.5, 4.5]])
def test_random_split_says_what_does_not_add_up(lengths):
    with pytest.raises(ArgumentError, match=r"are neither lengths that add up to 10 nor shares that add up to 1"):
        random_split(pairs(10), lengths)


def test_one_share_is_not_one_example():
    assert [len(p) for p in random_split(pairs(1), [1])] == [1]
    assert [len(p) for p in random_split(pairs(5), [1.0])] == [5]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: TensorDataset(arange(3), arange(4)), ShapeError, r"tensors of one length, got shapes \(3,\), \(4,\)"),
        (lambda: TensorDataset(), ShapeError, "TensorDataset needs tensors of one length"),
        (lambda: TensorDataset(tensor(1.0)), ShapeError, r"of one length, got shapes \(\)"),
        (lambda: TensorDataset(arange(3), np.arange(3)), UnsupportedError, "argument 1 must be a tensor, not ndarray"),
        (lambda: ConcatDataset([]), ArgumentError, "at least one dataset"),
        (lambda: Dataset()[0], NotImplementedError, "define __getitem__"),
        (lambda: iter(Sampler()), NotImplementedError, "define __iter__"),
    ],
)  # fmt: skip
def test_bad_datasets_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------- samplers
def test_samplers():
    assert list(SequentialSampler(range(4))) == [0, 1, 2, 3]
    order = list(RandomSampler(range(50), generator=Generator().manual_seed(0)))
    assert sorted(order) == list(range(50))
    assert order != list(range(50))
    assert all(type(i) is int for i in order)
    sampler = RandomSampler(range(50), generator=Generator().manual_seed(0))
    assert list(sampler) == order
    assert list(sampler) != order
    assert list(RandomSampler([])) == []
    assert len(RandomSampler(range(5))) == len(SequentialSampler(range(5))) == 5


def test_random_sampler_draws_as_many_as_asked():
    assert len(list(RandomSampler(range(4), num_samples=2))) == 2
    counts = Counter(RandomSampler(range(4), num_samples=10))
    assert sorted(counts.values()) == [2, 2, 3, 3]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=1000, generator=Generator().manual_seed(0)))
    assert len(drawn) == 1000
    assert all(150 < count < 350 for count in Counter(drawn).values())


def test_batch_sampler():
    assert list(BatchSampler(range(7), 3, False)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(BatchSampler(range(7), 3, True)) == [[0, 1, 2], [3, 4, 5]]
    assert [len(BatchSampler(range(n), 3, drop)) for n in (6, 7) for drop in (False, True)] == [2, 2, 3, 2]


# ---------------------------------------------------------------- batches
def test_batches_in_order():
    loader = DataLoader(pairs(5), batch_size=2)
    assert firsts(loader) == [[0, 1], [2, 3], [4]] == firsts(loader)
    assert type(next(iter(loader))) is list
    assert len(loader) == 3
    assert firsts(DataLoader(pairs(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert len(DataLoader(pairs(5), batch_size=2, drop_last=True)) == 2
    assert firsts(DataLoader(pairs(2))) == [[0], [1]]
    assert firsts(DataLoader(pairs(0), batch_size=2)) == []


def test_shuffled_batches_are_new_each_time_and_repeatable():
    def epochs():
        loader = DataLoader(pairs(20), batch_size=6, shuffle=True, generator=Generator().manual_seed(1))
        return firsts(loader), firsts(loader)

    first, second = epochs()
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(20))
    assert first != second
    assert epochs() == (first, second)
    autograd.manual_seed(3)
    default = firsts(DataLoader(pairs(20), shuffle=True))
    autograd.manual_seed(3)
    assert firsts(DataLoader(pairs(20), shuffle=True)) == default


def test_examples_stay_together():
    for x, y in DataLoader(pairs(20), batch_size=3, shuffle=True):
        assert_array_equal(y.numpy(), x.numpy() * 10)


def test_a_batch_does_not_share_memory_with_the_dataset():
    d = pairs(4)
    for x, _ in DataLoader(d, batch_size=2):
        x.zero_()
    assert d.tensors[0].tolist() == [0, 1, 2, 3]


def test_samplers_and_batch_samplers_may_be_given():
    assert firsts(DataLoader(pairs(5), batch_size=2, sampler=[4, 0, 2])) == [[4, 0], [2]]
    assert len(DataLoader(pairs(5), batch_size=2, sampler=[4, 0, 2])) == 2
    loader = DataLoader(pairs(5), batch_sampler=[[1], [4, 3, 2]])
    assert firsts(loader) == [[1], [4, 3, 2]]
    assert len(loader) == 2
    order = arange(5).flip(0)
    assert firsts(DataLoader(Subset(pairs(5), order), batch_size=5)) == [[4, 3, 2, 1, 0]]


def test_without_batches():
    loader = DataLoader(pairs(3), batch_size=None)
    assert [x.item() for x, _ in loader] == [0, 1, 2]
    assert len(loader) == 3
    assert list(DataLoader(Squares(3), batch_size=None, collate_fn=lambda e: e[1])) == [0, 1, 4]


def test_examples_made_one_by_one_are_collated():
    d = Squares(5)
    batches = list(DataLoader(d, batch_size=3))
    assert d.asked == [0, 1, 2, 3, 4]
    assert [b[0].tolist() for b in batches] == [[[0], [1], [2]], [[3], [4]]]
    assert [b[1].tolist() for b in batches] == [[0, 1, 4], [9, 16]]


def test_a_dataset_may_get_several_examples_at_once():
    class Many(Squares):
        def __getitems__(self, indices):
            self.asked.append(tuple(indices))
            return [(i, i) for i in indices]

    d = Many(5)
    assert firsts(DataLoader(d, batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert d.asked == [(0, 1), (2, 3), (4,)]


def test_collate_fn_gets_the_examples():
    batches = list(DataLoader(pairs(3), batch_size=2, collate_fn=lambda examples: [(int(x), int(y)) for x, y in examples]))
    assert batches == [[(0, 0), (1, 10)], [(2, 20)]]


@pytest.mark.parametrize("nested", [False, True])
def test_tensors_are_indexed_once_a_batch(nested, monkeypatch):
    d = pairs(6)
    d = Subset(Subset(d, [5, 4, 3, 2]), [0, 2, 1]) if nested else d
    monkeypatch.setattr(TensorDataset, "__len__", lambda self: 6)
    count = []
    monkeypatch.setattr(Tensor, "__getitem__", lambda self, i, get=Tensor.__getitem__: (count.append(1), get(self, i))[1])
    batches = firsts(DataLoader(d, batch_size=3))
    assert batches == ([[5, 3, 4]] if nested else [[0, 1, 2], [3, 4, 5]])
    assert len(count) == 2 * len(batches)


def test_a_dataset_that_changes_its_examples_is_asked_for_each():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            return tuple(2 * t for t in super().__getitem__(i))

    class Shifted(Subset):
        def __getitem__(self, i):
            return tuple(t + 1 for t in super().__getitem__(i))

    d = Doubled(arange(4))
    assert firsts(DataLoader(d, batch_size=4)) == [[0, 2, 4, 6]]
    assert firsts(DataLoader(Subset(d, [3, 1]), batch_size=2)) == [[6, 2]]
    assert firsts(DataLoader(Shifted(pairs(4), [3, 1]), batch_size=2)) == [[4, 2]]


Point = namedtuple("Point", "x y")


def test_default_collate():
    both = default_collate([(1, 2.0, True, "a"), (3, 4.0, False, "b")])
    assert type(both) is list
    assert [t.tolist() for t in both[:3]] == [[1, 3], [2, 4], [True, False]]
    assert [t.dtype for t in both[:3]] == [np.dtype("int64"), float64, np.dtype("bool")]
    assert both[3] == ("a", "b")
    stacked = default_collate([np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)])
    assert (stacked.shape, stacked.dtype) == ((2, 2, 3), np.float32)
    assert default_collate([np.float32(1), np.float32(2)]).dtype == np.float32
    named = default_collate([Point(1, [2]), Point(3, [4])])
    assert type(named) is Point
    assert named.x.tolist() == [1, 3]
    assert named.y[0].tolist() == [2, 4]
    assert default_collate([{"a": 1}, {"a": 2}])["a"].tolist() == [1, 2]


def test_default_collate_is_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is no dependency; where it is installed, it is compared with")
    batch = [{"a": (1, 2.5), "b": [np.ones(2, np.float32), "x"]}, {"a": (3, 4.5), "b": [np.zeros(2, np.float32), "y"]}]

    def plain(value):
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(plain, value))
        return (value.tolist(), str(value.dtype).removeprefix("torch.")) if hasattr(value, "tolist") else value

    assert plain(default_collate(batch)) == plain(torch.utils.data.default_collate(batch))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DataLoader(pairs(3), num_workers=2), UnsupportedError, "num_workers is 2, but only this process loads examples"),
        (lambda: DataLoader(pairs(3), batch_size=0), ArgumentError, "batch_size is a whole number, 1 or more, got 0"),
        (lambda: DataLoader(pairs(3), batch_size=2.5), ArgumentError, "batch_size is a whole number, 1 or more, got 2.5"),
        (lambda: DataLoader(pairs(3), batch_size=True), ArgumentError, "batch_size is a whole number"),
        (lambda: DataLoader(pairs(3), shuffle=True, sampler=[0]), ArgumentError, "a sampler says the order, so shuffle"),
        (lambda: DataLoader(pairs(3), batch_size=2, batch_sampler=[[0]]), ArgumentError, "a batch_sampler excludes batch_size"),
        (lambda: DataLoader(pairs(3), shuffle=True, batch_sampler=[[0]]), ArgumentError, "a batch_sampler excludes"),
        (lambda: DataLoader(pairs(3), batch_size=None, drop_last=True), ArgumentError, "drop_last needs a batch_size"),
        (lambda: RandomSampler(range(3), num_samples=-1), ArgumentError, "num_samples is a whole number, 0 or more, got -1"),
        (lambda: next(iter(DataLoader([arange(2), arange(3)], batch_size=2))), ShapeError, r"shapes \(2,\), \(3,\) do not"),
        (lambda: next(iter(DataLoader([(1,), (1, 2)], batch_size=2))), ShapeError, "different numbers of parts"),
    ],
)  # fmt: skip
def test_bad_loaders_are_told(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_loaders_run_side_by_side():
    loader = DataLoader(pairs(4), batch_size=2)
    assert [(a[0].tolist(), b[0].tolist()) for a, b in zip(loader, loader, strict=True)] == [([0, 1], [0, 1]), ([2, 3], [2, 3])]


# ---------------------------------------------------------------- digits
def test_digits():
    train, test = digits()
    for part, n in ((train, 1437), (test, 360)):
        images, labels = part.tensors
        assert (images.shape, images.dtype) == ((n, 8, 8), np.float32)
        assert (labels.shape, labels.dtype) == ((n,), np.int64)
        assert (images.numpy().min(), images.numpy().max()) == (0, 1)
        assert set((images.numpy() * 16).ravel()) == set(range(17))
    assert Counter(test.tensors[1].tolist()) == dict.fromkeys(range(10), 36)
    assert digits()[0].tensors[0] is not train.tensors[0]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn is no dependency; where it is installed, it is compared with"
    )
    source = datasets.load_digits()
    both = [np.concatenate([part.tensors[i].numpy() for part in digits()]) for i in (0, 1)]
    ours = sorted((*(image.ravel() * 16).astype(int).tolist(), label) for image, label in zip(*both, strict=True))
    theirs = sorted((*image.astype(int).tolist(), label) for image, label in zip(source.data, source.target, strict=True))
    assert ours == theirs


def test_data_has_what_its_index_says():
    assert all(hasattr(data, name) for name in data.__all__)
