"""Data made up on the spot: shapes in the plane to classify, and sequences to remember, add up and continue.

Each function returns (x, y): what is given, float32 unless it says otherwise, and what is to be told from it, classes as
int64. Classes are as equal in size as `n_samples` allows, and in random order. All randomness comes from `generator` or the
default one. Names and arguments are scikit-learn's where it has them, n_samples points in all.

>>> x, y = make_moons(100)
>>> x.shape, x.dtype, y.shape, y.sum()
((100, 2), dtype('float32'), (100,), tensor(50))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.api.creation import as_tensor, from_numpy
from autograd.api.random import Generator, default_generator
from autograd.errors import ArgumentError

__all__ = [
    "make_adding", "make_blobs", "make_circles", "make_copy", "make_moons", "make_sines", "make_spirals", "make_xor",
]  # fmt: skip


def _check(name: str, **least: tuple[Any, int]) -> None:
    for argument, (value, smallest) in least.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise ArgumentError(f"{name}: {argument} is a whole number, {smallest} or more, got {value!r}")


def _source(generator: Generator | None) -> np.random.Generator:
    return (generator or default_generator).numpy


def _shuffled(parts: Sequence[Any], noise: float, random: np.random.Generator) -> tuple[Any, Any]:
    """The points of each class, one array a class, moved by normal noise and shuffled, and their classes."""
    x = np.concatenate(parts)
    y = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = random.permutation(len(x))
    x = x + random.normal(0, noise or 0, x.shape)
    return from_numpy(x[order].astype(np.float32)), from_numpy(y[order])


def _shares(n: int, classes: int) -> list[int]:
    return [len(range(i, n, classes)) for i in range(classes)]


def make_moons(n_samples: int = 100, noise: float | None = None, generator: Generator | None = None) -> tuple[Any, Any]:
    """Two half circles of radius 1 that reach into each other (sklearn.datasets.make_moons). Shapes: (n, 2), (n,)."""
    _check("make_moons", n_samples=(n_samples, 1))
    above, below = (np.linspace(0, np.pi, n) for n in _shares(n_samples, 2))
    parts = [np.stack([np.cos(above), np.sin(above)], 1), np.stack([1 - np.cos(below), 0.5 - np.sin(below)], 1)]
    return _shuffled(parts, noise or 0, _source(generator))


def make_circles(
    n_samples: int = 100, noise: float | None = None, factor: float = 0.8, generator: Generator | None = None
) -> tuple[Any, Any]:
    """A circle of radius 1 around one of radius `factor` (sklearn.datasets.make_circles). Shapes: (n, 2), (n,)."""
    _check("make_circles", n_samples=(n_samples, 1))
    if not 0 <= factor < 1:
        raise ArgumentError(f"make_circles: factor is 0 or more and below 1, got {factor!r}")
    parts = []
    for n, radius in zip(_shares(n_samples, 2), (1, factor), strict=True):
        angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
        parts.append(radius * np.stack([np.cos(angle), np.sin(angle)], 1))
    return _shuffled(parts, noise or 0, _source(generator))


def make_spirals(
    n_samples: int = 100, noise: float | None = None, n_classes: int = 2, turns: float = 1.0, generator: Generator | None = None
) -> tuple[Any, Any]:
    """Arms that wind out from the middle to radius 1, one a class, `turns` times around. Shapes: (n, 2), (n,)."""
    _check("make_spirals", n_samples=(n_samples, 1), n_classes=(n_classes, 1))
    parts = []
    for arm, n in enumerate(_shares(n_samples, n_classes)):
        radius = np.linspace(0, 1, n + 1)[1:]  # the middle itself would belong to all
        angle = 2 * np.pi * (turns * radius + arm / n_classes)
        parts.append(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1))
    return _shuffled(parts, noise or 0, _source(generator))


def make_blobs(
    n_samples: int = 100, n_features: int = 2, centers: Any = 3, cluster_std: float = 1.0,
    center_box: tuple[float, float] = (-10.0, 10.0), generator: Generator | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """Normal clouds around `centers`, a matrix, or so many points drawn from `center_box` (sklearn.datasets.make_blobs).

    Shapes: (n, n_features), (n,).
    """
    random = _source(generator)
    if isinstance(centers, int):
        _check("make_blobs", centers=(centers, 1), n_features=(n_features, 1))
        middles = random.uniform(*center_box, (centers, n_features))
    else:
        middles = np.asarray(as_tensor(centers).detach())
        if middles.ndim != 2:
            raise ArgumentError(f"make_blobs: centers is a number or a matrix, a row for each, got shape {middles.shape}")
    _check("make_blobs", n_samples=(n_samples, 1))
    counts = _shares(n_samples, len(middles))
    return _shuffled([np.tile(m, (n, 1)) for m, n in zip(middles, counts, strict=True)], cluster_std, random)


def make_xor(n_samples: int = 4, noise: float | None = None, generator: Generator | None = None) -> tuple[Any, Any]:
    """The corners of the unit square, each as often, of class 1 where one coordinate is 1 and not both. Shapes: (n, 2), (n,)."""
    _check("make_xor", n_samples=(n_samples, 1))
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])[np.arange(n_samples) % 4]
    different = corners[:, 0] != corners[:, 1]
    return _shuffled([corners[~different], corners[different]], noise or 0, _source(generator))


# ---------------------------------------------------------------- sequences
def make_copy(
    n_samples: int = 100, length: int = 10, delay: int = 10, n_symbols: int = 8, generator: Generator | None = None
) -> tuple[Any, Any]:
    """Sequences to remember: `length` symbols from 1 to n_symbols, `delay` blanks (0), then n_symbols + 1 to ask for them.

    y is blank until then, and from there on the symbols. Shapes: both int64 (n, 2 * length + delay).
    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997; in this form Arjovsky, Shah and Bengio, 2016.

    >>> x, y = make_copy(1, length=2, delay=3, n_symbols=1)
    >>> x, y
    (tensor([[1, 1, 0, 0, 0, 2, 0]]), tensor([[0, 0, 0, 0, 0, 1, 1]]))
    """
    _check("make_copy", n_samples=(n_samples, 1), length=(length, 1), delay=(delay, 0), n_symbols=(n_symbols, 1))
    symbols = _source(generator).integers(1, n_symbols + 1, (n_samples, length))
    x, y = np.zeros((2, n_samples, 2 * length + delay), np.int64)
    x[:, :length] = y[:, -length:] = symbols
    x[:, length + delay] = n_symbols + 1
    return from_numpy(x), from_numpy(y)


def make_adding(n_samples: int = 100, length: int = 50, generator: Generator | None = None) -> tuple[Any, Any]:
    """Sequences of numbers between 0 and 1, two of them marked, one in each half, whose sum is asked for.

    Shapes: x (n, length, 2), the numbers and the marks; y float32 (n, 1). Always to answer 1 has an error of 1/6.
    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997.
    """
    _check("make_adding", n_samples=(n_samples, 1), length=(length, 2))
    random = _source(generator)
    x = np.zeros((n_samples, length, 2), np.float32)
    x[..., 0] = random.random((n_samples, length), np.float32)
    rows, half = np.arange(n_samples), length // 2
    x[rows, random.integers(0, half, n_samples), 1] = 1
    x[rows, random.integers(half, length, n_samples), 1] = 1
    return from_numpy(x), from_numpy((x[..., 0] * x[..., 1]).sum(1, keepdims=True))


def make_sines(
    n_samples: int = 100, length: int = 50, noise: float | None = None, generator: Generator | None = None
) -> tuple[Any, Any]:
    """Sine waves of random phase and of 1 to 5 periods, and each a step later: what comes next. Shapes: both (n, length, 1).

    `noise` is added to x and not to y.
    """
    _check("make_sines", n_samples=(n_samples, 1), length=(length, 1))
    random = _source(generator)
    phase, periods = random.uniform(0, 2 * np.pi, (n_samples, 1)), random.uniform(1, 5, (n_samples, 1))
    wave = np.sin(phase + 2 * np.pi * periods * np.arange(length + 1) / length)[..., None].astype(np.float32)
    x = wave[:, :-1] + random.normal(0, noise or 0, (n_samples, length, 1)).astype(np.float32)
    return from_numpy(x), from_numpy(wave[:, 1:].copy())
