"""Random numbers: each draw is an op of its source, a generator that has NumPy's as `numpy`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import as_array, primitive
from .elementwise import gamma_slope


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


def _log_gamma(source: Any, shape: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    """By the identity gamma(a) = gamma(a + 1) * uniform ** (1 / a), in which nothing underflows, however small `a` is."""
    kind = np.float64 if dtype == np.float64 else np.float32
    drawn = np.log(source.numpy.standard_gamma(np.astype(shape, kind) + 1, sizes, kind))
    return np.astype(as_array(drawn - _draw(source.numpy.standard_exponential, sizes, dtype) / shape), dtype)


def _poisson(source: Any, rate: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(as_array(source.numpy.poisson(rate, sizes)), dtype)


def _binomial(source: Any, n: Array, p: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(as_array(source.numpy.binomial(np.asarray(n, np.int64), p, sizes)), dtype)


def _integers(source: Any, low: int, high: int, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(source.numpy.integers(low, high, sizes), dtype)


def _permutation(source: Any, n: int, dtype: Any) -> Array:
    return np.astype(source.numpy.permutation(n), dtype)


def _bernoulli(source: Any, p: Array, sizes: tuple[int, ...], dtype: Any) -> Array:
    return np.astype(source.numpy.random(sizes, np.float32) < p, dtype)


def _multinomial(source: Any, weights: Array, n: int, replacement: bool) -> Array:
    """All rows in one draw.

    With replacement, where uniform numbers fall among the running sums of a row: those of all rows stand one after the other,
    row i from i to i + 1, to be searched at once. Without, each element waits a time at the rate of its weight, and the first
    n come, in the order of coming. Source: Efraimidis and Spirakis (2006), Weighted random sampling with a reservoir.
    """
    rows = np.astype(np.reshape(weights, (-1, weights.shape[-1])), np.float64)
    many, length = rows.shape
    if replacement or n == 1:
        sums, first = np.cumsum(rows, -1), np.expand_dims(np.arange(many), -1)
        ends = np.ravel(sums / sums[:, -1:] + first)
        drawn = np.minimum(
            source.numpy.random((many, n)) + first, np.nextafter(first + 1.0, 0)
        )  # what is rounded up is the next row's
        drawn = np.searchsorted(ends, drawn, "right") - first * length
    else:
        waits = source.numpy.standard_exponential(rows.shape)
        drawn = np.argsort(np.divide(waits, rows, out=np.full_like(rows, np.inf), where=rows > 0), -1, kind="stable")[:, :n]
    return np.reshape(drawn, (*weights.shape[:-1], n))


# fmt: off
normal      = primitive(_normal, "normal", creates=True,           mean=lambda g: g, std=lambda g, out, mean, std: g * (out - mean) / std, singular=True,
            says="Random numbers around mean with the spread std (torch.normal).")
uniform     = primitive(_uniform, "uniform", creates=True,
            says="Random numbers from low to high, all as likely (torch.Tensor.uniform_).")
exponential = primitive(_exponential, "exponential", creates=True,
            says="Random waiting times at a rate (torch.Tensor.exponential_).")
log_gamma   = primitive(_log_gamma, "log_gamma", creates=True,     shape=lambda g, shape, out: -g * gamma_slope(1, shape, out), singular=True,
            says="The logarithms of random numbers of the gamma distribution; they move with its shape as if each kept its rank (torch._standard_gamma).")
poisson     = primitive(_poisson, "poisson", creates=True,
            says="Random counts of what happens at a rate (torch.poisson).")
binomial    = primitive(_binomial, "binomial", creates=True,
            says="Random counts of successes among n tries, each with the probability p (torch.binomial).")
randint     = primitive(_integers, "randint", creates=True,
            says="Random integers from low up to and without high (torch.randint).")
randperm    = primitive(_permutation, "randperm", creates=True,
            says="The integers 0 to n - 1 in random order (torch.randperm).")
bernoulli   = primitive(_bernoulli, "bernoulli", creates=True,     p=lambda g: np.zeros_like(g),
            says="1 with the probability p, else 0 (torch.bernoulli).")
multinomial = primitive(_multinomial, "multinomial", creates=True,
            says="n positions drawn with the probabilities that weights are in proportion to (torch.multinomial).")
# fmt: on
