"""Datasets, samplers, batches and workers: order, sizes, seeds, collation, resuming, clean ends, and bad input."""

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, namedtuple
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import autograd
from autograd import Generator, arange, float64, tensor
from autograd.engine.graph import ambient
from autograd.errors import ArgumentError, DimError, ShapeError, StateError, UnsupportedError, WorkerError
from nn.utils import data
from nn.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)  # fmt: skip
from nn.utils.data.workers import Workers


class Squares(Dataset):
    """Examples made one by one."""

    def __init__(self, n):
        self.n, self.asked = n, []

    def __getitem__(self, i):
        self.asked.append(i)
        return tensor([float(i)]), i * i

    def __len__(self):
        return self.n


class Count(IterableDataset):
    """Examples one after the other, each with a number drawn from the default generator."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        for i in range(self.n):
            yield i, autograd.rand(())

    def __len__(self):
        return self.n


class Noisy(Squares):
    """Examples with noise from the default generator."""

    def __getitem__(self, i):
        return i, autograd.randn(3)


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


def test_stacked_and_chained():
    d = StackDataset(pairs(3), "abc")
    assert len(d) == 3
    assert d[1][0][1].item() == 10
    assert d[1][1] == "b"
    batch = next(iter(DataLoader(StackDataset(n=range(3), name="abc"), batch_size=2)))
    assert batch["n"].tolist() == [0, 1]
    assert tuple(batch["name"]) == ("a", "b")
    chained = Count(2) + Count(3)
    assert type(chained) is ChainDataset
    assert [i for i, _ in chained] == [0, 1, 0, 1, 2]
    assert len(chained) == 5


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
        (lambda: ConcatDataset([Count(2)]), UnsupportedError, "which an IterableDataset lacks; use ChainDataset"),
        (lambda: StackDataset([1, 2], [1]), ArgumentError, r"of one length, all by name or none, got lengths \[2, 1\]"),
        (lambda: StackDataset(), ArgumentError, "StackDataset needs datasets"),
        (lambda: StackDataset([1], a=[1]), ArgumentError, "StackDataset needs datasets"),
        (lambda: iter(IterableDataset()), NotImplementedError, "does not say what its examples are"),
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
    with pytest.raises(ArgumentError, match="RandomSampler: num_samples is a whole number, 1 or more, got 0"):
        RandomSampler(range(4), num_samples=0)
    counts = Counter(RandomSampler(range(4), num_samples=10))
    assert sorted(counts.values()) == [2, 2, 3, 3]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=1000, generator=Generator().manual_seed(0)))
    assert len(drawn) == 1000
    assert all(150 < count < 350 for count in Counter(drawn).values())


def test_subset_and_weighted_samplers():
    sampler = SubsetRandomSampler([5, 7, 9, 11], generator=Generator().manual_seed(0))
    orders = [list(sampler) for _ in range(5)]
    assert all(sorted(order) == [5, 7, 9, 11] for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert len(sampler) == 4
    weighted = WeightedRandomSampler([1, 0, 3], 4000, generator=Generator().manual_seed(0))
    counts = Counter(weighted)
    assert len(weighted) == counts.total() == 4000
    assert set(counts) == {0, 2}
    assert 850 < counts[0] < 1150
    assert sorted(WeightedRandomSampler(tensor([0.1, 5.0, 2.0]), 3, replacement=False)) == [0, 1, 2]


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
    """Counted on a tape: Python 3.13 may go on calling a class's old __getitem__ once the class has changed a thousand times."""
    d = pairs(6)
    d = Subset(Subset(d, [5, 4, 3, 2]), [0, 2, 1]) if nested else d
    monkeypatch.setattr(TensorDataset, "__len__", lambda self: 6)
    tape = []
    with ambient(tape=tape):
        batches = firsts(DataLoader(d, batch_size=3))
    assert batches == ([[5, 3, 4]] if nested else [[0, 1, 2], [3, 4, 5]])
    assert [op.__name__ for op, *_ in tape] == ["index"] * 2 * len(batches)


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


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return (value.tolist(), str(value.dtype).removeprefix("torch.")) if hasattr(value, "tolist") else value


def test_default_collate_is_that_of_pytorch(torch):
    batch = [{"a": (1, 2.5), "b": [np.ones(2, np.float32), "x"]}, {"a": (3, 4.5), "b": [np.zeros(2, np.float32), "y"]}]
    assert plain(default_collate(batch)) == plain(torch.utils.data.default_collate(batch))
    for example in (*batch, (1, "a", [np.arange(3)], np.float32(2)), "text", None):
        assert plain(default_convert(example)) == plain(torch.utils.data.default_convert(example))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DataLoader(pairs(3), num_workers=-1), ArgumentError, "num_workers is a whole number, 0 or more, got -1"),
        (lambda: DataLoader(pairs(3), num_workers=1, timeout=-1), ArgumentError, "timeout is a number of seconds, or 0"),
        (lambda: DataLoader(pairs(3), num_workers=1, prefetch_factor=0), ArgumentError, "prefetch_factor is a whole number, 1 or"),
        (lambda: DataLoader(pairs(3), persistent_workers=True), ArgumentError, "persistent_workers need num_workers above 0"),
        (lambda: DataLoader(pairs(3), timeout=1), ArgumentError, "timeout, prefetch_factor and persistent_workers need"),
        (lambda: DataLoader(Count(3), shuffle=True), ArgumentError, "an IterableDataset says the order; leave out shuffle"),
        (lambda: DataLoader(Count(3), sampler=[0]), ArgumentError, "an IterableDataset says the order"),
        (lambda: DataLoader(pairs(3), batch_size=0), ArgumentError, "batch_size is a whole number, 1 or more, got 0"),
        (lambda: DataLoader(pairs(3), batch_size=2.5), ArgumentError, "batch_size is a whole number, 1 or more, got 2.5"),
        (lambda: DataLoader(pairs(3), batch_size=True), ArgumentError, "batch_size is a whole number"),
        (lambda: DataLoader(pairs(3), shuffle=True, sampler=[0]), ArgumentError, "a sampler says the order, so shuffle"),
        (lambda: DataLoader(pairs(3), batch_size=2, batch_sampler=[[0]]), ArgumentError, "a batch_sampler excludes batch_size"),
        (lambda: DataLoader(pairs(3), shuffle=True, batch_sampler=[[0]]), ArgumentError, "a batch_sampler excludes"),
        (lambda: DataLoader(pairs(3), batch_size=None, drop_last=True), ArgumentError, "drop_last needs a batch_size"),
        (lambda: WeightedRandomSampler([1.0], 0), ArgumentError, "num_samples is a whole number, 1 or more, got 0"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ArgumentError, r"weights is a list of numbers, got shape \(1, 1\)"),
        (lambda: RandomSampler(range(3), num_samples=-1), ArgumentError, "num_samples is a whole number, 1 or more, got -1"),
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


# ---------------------------------------------------------------- streams
def test_streams_are_batched():
    assert firsts(DataLoader(Count(5), batch_size=2)) == [[0, 1], [2, 3], [4]]
    loader = DataLoader(Count(5), batch_size=2, drop_last=True)
    assert firsts(loader) == [[0, 1], [2, 3]] == firsts(loader)
    assert len(loader) == 2
    assert len(DataLoader(Count(5), batch_size=2)) == 3
    assert [i for i, _ in DataLoader(Count(3), batch_size=None)] == [0, 1, 2]
    assert len(DataLoader(Count(3), batch_size=None)) == 3
    assert firsts(DataLoader(Count(0), batch_size=2)) == []


# ---------------------------------------------------------------- to go on from where it was interrupted
LOADERS = {
    "in order": lambda n: DataLoader(Noisy(20), batch_size=3, num_workers=n),
    "shuffled": lambda n: DataLoader(Noisy(20), batch_size=3, shuffle=True, num_workers=n),
    "seeded": lambda n: DataLoader(Noisy(20), batch_size=3, shuffle=True, generator=Generator().manual_seed(7), num_workers=n),
    "tensors": lambda n: DataLoader(pairs(20), batch_size=3, shuffle=True, num_workers=n),
    "drawn": lambda n: DataLoader(Noisy(6), 3, sampler=RandomSampler(Noisy(6), num_samples=20), num_workers=n),
    "own sampler": lambda n: DataLoader(
        Noisy(6), 3, sampler=RandomSampler(range(6), num_samples=20, generator=Generator().manual_seed(3)), num_workers=n
    ),
    "weighted": lambda n: DataLoader(
        Noisy(5), batch_sampler=BatchSampler(WeightedRandomSampler([1, 2, 3, 4, 5], 20, generator=Generator().manual_seed(3)), 3, False),
        num_workers=n,
    ),
    "one by one": lambda n: DataLoader(Noisy(7), batch_size=None, shuffle=True, num_workers=n),
    "stream": lambda n: DataLoader(Count(20), batch_size=3, num_workers=n),
}  # fmt: skip
METHODS = multiprocessing.get_all_start_methods()
if "forkserver" in METHODS:  # the default from Python 3.14 on; the server imports this file once, for all workers
    multiprocessing.set_forkserver_preload([__name__])

forks = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # from Python 3.12 on


def epochs(loader, number=2):
    """All batches of some epochs, with a number drawn after each, as dropout would draw it."""
    return [(plain(batch), autograd.rand(()).item()) for _ in range(number) for batch in loader]


@pytest.mark.slow
@forks
@pytest.mark.parametrize("name", LOADERS)
def test_batches_do_not_depend_on_the_workers(name, in_time):
    results = []
    for workers in (0, 2, 3):
        autograd.manual_seed(5)
        results.append(epochs(LOADERS[name](workers)))
    assert results[0] == results[1] == results[2]
    assert results[0][0] != results[0][len(results[0]) // 2], "each epoch is another"


@forks
@pytest.mark.parametrize("stop", [0, 1, 3, 6, 7, 9])
@pytest.mark.parametrize("name", LOADERS)
def test_an_interrupted_epoch_goes_on_with_what_was_left(name, stop, in_time, tmp_path):
    def run(loader, steps):
        for _ in range(2):
            for batch in loader:
                steps.append((plain(batch), autograd.rand(()).item()))
                if len(steps) == stop:
                    return

    autograd.manual_seed(5)
    whole = epochs(LOADERS[name](0))
    autograd.manual_seed(5)
    loader, begun = LOADERS[name](0), []
    if stop:
        run(loader, begun)
    autograd.save({"loader": loader.state_dict(), "random": autograd.get_rng_state()}, tmp_path / "state.npz")

    autograd.manual_seed(99)
    saved = autograd.load(tmp_path / "state.npz")
    again = LOADERS[name](2 if stop == 3 else 0)
    if again.generator is not None:
        again.generator.manual_seed(99)
    again.load_state_dict(saved["loader"])
    autograd.set_rng_state(saved["random"])
    assert plain(again.state_dict()) == plain(loader.state_dict())
    assert begun + epochs(again, 2 if stop <= 7 else 1)[: len(whole) - stop] == whole


def test_a_finished_epoch_leaves_nothing_to_go_on_with():
    loader = DataLoader(pairs(4), batch_size=2)
    assert firsts(loader) == [[0, 1], [2, 3]]
    assert loader.state_dict() == {"epoch": None, "generator": None, "sampler": None}
    next(iter(loader))
    state = loader.state_dict()
    assert state["epoch"]["position"] == 1
    assert firsts(loader) == [[0, 1], [2, 3]], "a new loop begins anew"
    loader.load_state_dict(state)
    assert firsts(loader) == [[2, 3]]
    assert firsts(loader) == [[0, 1], [2, 3]]


def test_between_epochs_the_generator_of_a_sampler_is_held_too():
    def make():
        return DataLoader(pairs(8), batch_size=2, sampler=RandomSampler(pairs(8), generator=Generator().manual_seed(3)))

    loader = make()
    firsts(loader)
    state = loader.state_dict()
    expected = firsts(loader), firsts(loader)
    other = make()
    other.load_state_dict(state)
    assert (firsts(other), firsts(other)) == expected
    assert expected[0] != expected[1]


def test_what_was_seen_is_not_made_again():
    loader = DataLoader(Squares(6), batch_size=2)
    next(iter(loader))
    state = loader.state_dict()
    loader.dataset.asked.clear()
    loader.load_state_dict(state)
    assert len(list(loader)) == 2
    assert loader.dataset.asked == [2, 3, 4, 5]


@pytest.mark.parametrize("state", [{}, {"epoch": None, "generator": Generator().get_state(), "sampler": None}, {"epoch": None}])
def test_a_state_that_does_not_fit_is_told(state):
    with pytest.raises(StateError, match="not of a loader such as this, which has none for a generator"):
        DataLoader(pairs(4)).load_state_dict(state)
    with pytest.raises(StateError, match="which has one for a generator"):
        DataLoader(pairs(4), generator=Generator()).load_state_dict({"epoch": None, "generator": None, "sampler": None})


def test_a_dataset_does_not_disturb_the_default_generator():
    numbers = []
    for dataset in (Squares(6), Noisy(6)):
        autograd.manual_seed(0)
        numbers.append([autograd.rand(()).item() for _ in DataLoader(dataset, batch_size=2)])
    assert numbers[0] == numbers[1]


# ---------------------------------------------------------------- workers
def until(true):
    """Wait for something to become true; not for ever."""
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


@pytest.fixture
def in_time():
    """Interrupt a test that hangs, and see to it that it leaves no process or thread behind."""

    def interrupt(*_):
        raise AssertionError("this took more than 60 seconds")

    before = set(threading.enumerate())
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, interrupt)
        signal.alarm(60)
    yield
    if hasattr(signal, "SIGALRM"):
        signal.alarm(0)
    if multiprocessing.active_children():
        gc.collect()  # persistent ones go with their loader, which a traceback may hold
    assert until(lambda: not multiprocessing.active_children())
    assert until(lambda: set(threading.enumerate()) <= before)


class Told(Dataset):
    """Examples that say where they were made, one of which may be bad."""

    def __init__(self, n=8, bad=None, act=None):
        self.n, self.bad, self.act = n, bad, act

    def __getitem__(self, i):
        if i == self.bad:
            self.act()
        info = get_worker_info()
        return i, os.getpid(), -1 if info is None else info.id, random.random(), np.random.random()

    def __len__(self):
        return self.n


class Fussy(Exception):
    """One that cannot be made again from its message."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def refuse():
    raise KeyError("no such picture")


def refuse_fussily():
    raise Fussy(1, 2)


def vanish():
    os._exit(3)


def sleep():
    time.sleep(600)


def late():
    raise TimeoutError("the dataset's own")


def say_hello(number):
    info = get_worker_info()
    assert info.id == number
    assert info.num_workers == 2
    info.dataset.n = 100 + number  # a copy of its own


@forks
def test_workers_are_processes(in_time):
    loader = DataLoader(Told(), batch_size=2, num_workers=2, worker_init_fn=say_hello)
    batches = list(loader)
    assert loader.dataset.n == 8
    pids = set(chain(*(batch[1].tolist() for batch in batches)))
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2
    assert set(chain(*(batch[2].tolist() for batch in batches))) <= {0, 1}
    for place in (3, 4):  # Python's and NumPy's generators give every batch other numbers
        assert len(set(chain(*(batch[place].tolist() for batch in batches)))) == 8
    assert get_worker_info() is None


@forks
def test_persistent_workers_stay(in_time):
    loader = DataLoader(Told(), batch_size=2, num_workers=1, persistent_workers=True)
    pids = {batch[1][0].item() for _ in range(2) for batch in loader}
    for batch in loader:
        pids.add(batch[1][0].item())
        break  # which does not end them
    pids |= {batch[1][0].item() for batch in loader}
    assert len(pids) == 1
    assert [p.pid for p in multiprocessing.active_children()] == list(pids)
    del loader
    gc.collect()
    assert until(lambda: not multiprocessing.active_children()), "they go with the loader"


@pytest.mark.slow
@forks
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (refuse, KeyError, "no such picture"),
        (refuse_fussily, WorkerError, "a worker raised Fussy: 1 and 2"),
        (late, TimeoutError, "the dataset's own"),
        (vanish, WorkerError, "a worker died, as one does that crashes, is killed or runs out of memory"),
        (sleep, WorkerError, "no batch came within timeout=0.5 seconds"),
    ],
)
def test_what_goes_wrong_in_a_worker_ends_all(act, error, message, persistent, in_time):
    timeout = {"timeout": 0.5} if act is sleep else {}
    loader = DataLoader(Told(12, 5, act), batch_size=2, num_workers=2, persistent_workers=persistent, **timeout)
    seen, began = [], time.monotonic()
    with pytest.raises(error, match=message) as caught:
        seen.extend(batch[0].tolist() for batch in loader)
    assert time.monotonic() - began < 30
    assert seen == [[0, 1], [2, 3]] or act in (vanish, sleep)
    assert not multiprocessing.active_children()
    if act in (refuse, refuse_fussily):
        assert f"in {act.__name__}" in str(caught.value.__cause__), "the worker's traceback is told"
    loader.dataset.bad, loader.timeout = None, 0
    assert len(list(loader)) == 6, "the next loop begins anew"


@pytest.mark.slow
@forks
@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_hangs_is_ended_however_it_was_started(method, monkeypatch, in_time):
    """When no batch comes in time, which may be while it still starts; and when nobody wants its batch any more."""
    loader = DataLoader(Told(4, 0, sleep), batch_size=2, num_workers=2, multiprocessing_context=method, timeout=0.01)
    with pytest.raises(WorkerError, match="no batch came within"):
        list(loader)
    assert not multiprocessing.active_children()
    monkeypatch.setattr(Workers, "patience", 0.1)
    for _ in DataLoader(Told(4, 3, sleep), batch_size=2, num_workers=2, multiprocessing_context=method):
        break
    assert not multiprocessing.active_children()


@forks
def test_an_error_in_the_loop_or_an_early_end_leaves_no_process(in_time):
    loader = DataLoader(Told(40), batch_size=2, num_workers=2)
    for _ in loader:
        break
    assert not multiprocessing.active_children()
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in loader]
    assert not multiprocessing.active_children()
    with pytest.raises(RuntimeError, match="sampler"):
        list(DataLoader(Told(), batch_size=2, num_workers=2, sampler=Bad()))


class Bad(Sampler):
    def __iter__(self):
        yield from (0, 1, 2)
        raise RuntimeError("of the sampler")


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in METHODS if m != "fork"])
def test_workers_may_be_started_in_other_ways(method, in_time):
    context = method if method == "spawn" else multiprocessing.get_context(method)
    autograd.manual_seed(1)
    here = epochs(DataLoader(Noisy(6), batch_size=2, shuffle=True), 1)
    autograd.manual_seed(1)
    assert epochs(DataLoader(Noisy(6), batch_size=2, shuffle=True, num_workers=1, multiprocessing_context=context), 1) == here


SCRIPT = """
import os, signal, sys, time
from nn.utils.data import DataLoader, Dataset

signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background, where shells let it be ignored

class Slow(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, i):
        time.sleep(0.02)
        return os.getpid()

if __name__ == "__main__":
    batches = iter(DataLoader(Slow(), batch_size=2, num_workers=2))
    print(*{pid for _ in range(6) for pid in next(batches).tolist()}, flush=True)
    if "wait" in sys.argv:
        for _ in batches:
            pass
"""


def ended(pid):
    """Whether a process is gone, or waits only for init to notice."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("end", ["exit", "SIGINT", "SIGKILL"])
def test_the_end_of_the_program_is_that_of_its_workers(end, tmp_path, in_time):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    path = os.pathsep.join([str(Path(autograd.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, script, *(["wait"] if end != "exit" else [])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            pids = [int(pid) for pid in process.stdout.readline().split()]
            assert pids
            if end == "SIGINT":
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C: to all of them
            elif end == "SIGKILL":
                process.kill()
            _, errors = process.communicate(timeout=40)
        finally:
            process.kill()
    if end == "SIGINT":
        assert errors.count("KeyboardInterrupt") == 1, errors
    elif end == "exit":
        assert (process.returncode, errors) == (0, "")
    assert until(lambda: all(map(ended, pids)))


def test_data_has_what_its_index_says():
    assert all(hasattr(data, name) for name in data.__all__)
