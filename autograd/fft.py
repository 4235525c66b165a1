"""Fourier transforms, of numbers in pairs: torch.fft without complex numbers, see docs/complex.md.

>>> import autograd
>>> x = autograd.tensor([0.0, 1.0, 0.0, -1.0], requires_grad=True)
>>> power = (autograd.fft.rfft_pairs(x) ** 2).sum(-1)
>>> power
tensor([0., 4., 0.], grad_fn=<SumBackward>)
>>> power[1].backward(); x.grad
tensor([ 0.,  4.,  0., -4.])
"""

from __future__ import annotations

from typing import Any

from .api.fourier import fft_pairs, fftfreq, ifft_pairs, irfft_pairs, rfft_pairs, rfftfreq
from .api.spelling import publish
from .errors import NoAttributeError

__all__ = ["fft_pairs", "fftfreq", "ifft_pairs", "irfft_pairs", "rfft_pairs", "rfftfreq"]

globals().update(publish({name: globals()[name] for name in __all__}, __name__))


def __getattr__(name: str) -> Any:
    if name in ("fft", "ifft", "rfft", "irfft"):
        raise NoAttributeError(
            f"fft.{name} is of complex numbers, which are not here; fft.{name}_pairs has real and imaginary parts"
        )
    raise NoAttributeError(f"module 'autograd.fft' has no attribute {name!r}")
