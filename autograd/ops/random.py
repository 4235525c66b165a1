"""Random numbers: each draw is an op of its source, a generator that has NumPy's as `numpy`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import as_array, primitive


def _draw(method: Any, sizes: tuple[int, ...], dtype: Any) -> Any:
    """Numbers from one of a NumPy generator's methods, which know single and double precision only: of half, single."""
    return as_array(method(sizes, np.float64 if dtype == np.float64 else np.float32))


def _normal(source: Any, mean: Array, std: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(as_array(_draw(source.numpy.standard_normal, sizes, dtype) * std + mean), dtype)


def _uniform(source: Any, low: float, high: float, sizes: tuple[int, ...], dtype: Any) -> Array:
    u, (first, end) = _draw(source.numpy.random, sizes, dtype), np.asarray((low, high), dtype)
    out = np.astype(as_array(u * (high - low) + low), dtype)
    return np.minimum(out, np.nextafter(end, first))  # what is just below the end may be rounded up to it


def _exponential(source: Any, rate: float, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(as_array(_draw(source.numpy.standard_exponential, sizes, dtype) / rate), dtype)


def _integers(source: Any, low: int, high: int, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(source.numpy.integers(low, high, sizes), dtype)


def _permutation(source: Any, n: int, dtype: Any) -> Array:
    return np.astype(source.numpy.permutation(n), dtype)


def _bernoulli(source: Any, p: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(source.numpy.random(sizes, np.float32) < p, dtype)


def _multinomial(source: Any, weights: Array, n: int, replacement: bool) -> Array:
    rows = np.reshape(weights, (-1, weights.shape[-1]))
    drawn = [source.numpy.choice(len(row), n, replacement, row / row.sum()) for row in rows.astype(np.float64)]
    return np.asarray(drawn).reshape(*weights.shape[:-1], n)


# fmt: off
normal      = primitive(_normal, "normal", creates=True,           mean=lambda g: g, std=lambda g, out, mean, std: g * (out - mean) / std, singular=True,
            says="Random numbers around mean with the spread std (torch.normal).")
uniform     = primitive(_uniform, "uniform", creates=True,
            says="Random numbers from low to high, all as likely (torch.Tensor.uniform_).")
exponential = primitive(_exponential, "exponential", creates=True,
            says="Random waiting times at a rate (torch.Tensor.exponential_).")
randint     = primitive(_integers, "randint", creates=True,
            says="Random integers from low up to and without high (torch.randint).")
randperm    = primitive(_permutation, "randperm", creates=True,
            says="The integers 0 to n - 1 in random order (torch.randperm).")
bernoulli   = primitive(_bernoulli, "bernoulli", creates=True,     p=lambda g: np.zeros_like(g),
            says="1 with the probability p, else 0 (torch.bernoulli).")
multinomial = primitive(_multinomial, "multinomial", creates=True,
            says="n positions drawn with the probabilities that weights are in proportion to (torch.multinomial).")
# fmt: on
