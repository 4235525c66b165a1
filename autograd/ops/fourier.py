"""Fourier transforms of the last axis; a complex number is a pair, its real and its imaginary part along one more axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.graph import Array
from ..engine.primitive import primitive


# ---------------------------------------------------------------- the table
def _pairs(z: Array) -> Array:
    return np.stack([np.real(z), np.imag(z)], -1)


def _numbers(x: Array) -> Array:
    return x[..., 0] + 1j * x[..., 1]


def _inner(x: Array, n: int, factor: float) -> Array:
    """Half a spectrum of n times `factor`, but for what stands in the whole of it once: 0 and, of an even n, the last."""
    k = (n + 1) // 2
    return np.concatenate([x[..., :1, :], x[..., 1:k, :] * factor, x[..., k:, :]], -2)


# fmt: off
rfft: Any  = primitive(lambda x: _pairs(np.fft.rfft(x)), "rfft",            x=lambda g, x_shape: irfft(_inner(g, x_shape[-1], 0.5), x_shape[-1]) * x_shape[-1],
            says="The Fourier transform of the real x, as pairs: of the frequencies from 0 to half (torch.fft.rfft).")
irfft: Any = primitive(lambda x, n: np.fft.irfft(_numbers(x), n), "irfft",  x=lambda g, n: _inner(rfft(g), n, 2.0) / n,
            says="The n real numbers whose Fourier transform begins with the pairs x (torch.fft.irfft).")
fft: Any   = primitive(lambda x: _pairs(np.fft.fft(_numbers(x))), "fft",    x=lambda g, x_shape: ifft(g) * x_shape[-2],
            says="The Fourier transform of the pairs x (torch.fft.fft).")
ifft: Any  = primitive(lambda x: _pairs(np.fft.ifft(_numbers(x))), "ifft",  x=lambda g, x_shape: fft(g) / x_shape[-2],
            says="The pairs whose Fourier transform is x (torch.fft.ifft).")
# fmt: on
