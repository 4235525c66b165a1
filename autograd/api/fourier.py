"""Fourier transforms by pairs of real numbers, spectra over time, and windows: PyTorch's, without complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.accumulate import single
from ..engine.dtypes import as_dtype
from ..engine.tensor import Tensor, wrap
from ..errors import ArgumentError, ShapeError, UnsupportedError, describe
from .common import one_dim
from .elementwise import astype

PAIRS = "pairs of a real and an imaginary part, in a last dim of 2"


# ---------------------------------------------------------------- transforms
def _floats(name: str, x: Any) -> Any:
    x = x if isinstance(x, Tensor) else wrap(np.asarray(x))
    if not x.ndim:
        raise ShapeError(f"{name} needs at least one dim, got a 0-d tensor")
    return x if x.dtype.kind == "f" else astype(x, as_dtype(None))


def _pairs(name: str, x: Any) -> Any:
    x = _floats(name, x)
    if x.ndim < 2 or x.shape[-1] != 2:
        raise ShapeError(f"{name} takes {PAIRS}, got shape {x.shape}")
    return x


def _scaled(name: str, x: Any, norm: Any, n: int, inverse: bool) -> Any:
    """A transform of `n` numbers, of which the inverse one is divided by `n` already, as `norm` wants it."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise ArgumentError(f"{name}: norm is 'backward', 'ortho' or 'forward', got {norm!r}")
    if norm in (None, "backward"):
        return x
    factor = n**0.5 if norm == "ortho" else n
    return x * factor if inverse else x / factor


def _length(name: str, x: Any, axis: int, n: int | None) -> Any:
    """`x` with `axis` cut to `n`, or filled up with zeros."""
    if n is None:
        n = x.shape[axis]
    if n < 1:
        raise ArgumentError(f"{name} is of at least one number, got n = {n}")
    if n > x.shape[axis]:
        return np.pad(x, [(0, n - x.shape[axis] if i == axis else 0) for i in range(x.ndim)])
    return x[(*(slice(None),) * axis, slice(n))] if n < x.shape[axis] else x


def _transform(name: str, op: Any, x: Any, n: int | None, dim: int, norm: Any, inverse: bool) -> Any:
    """`op`, which transforms the axis before the pairs, along `dim`."""
    axis = one_dim(name, dim, x.ndim - 1)
    x = _length(name, x, axis, n)
    out = _scaled(name, op(np.moveaxis(x, axis, -2)), norm, x.shape[axis], inverse)
    return np.moveaxis(out, -2, axis)


@single
def fft_pairs(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The Fourier transform, along `dim`, of complex numbers in pairs.

    PyTorch: torch.view_as_real(torch.fft.fft(torch.view_as_complex(input))).

    Shape: (..., n, 2) gives (..., n, 2), a number being a real and an imaginary part in the last dim, which `dim` does not
    count. `n` cuts the input or fills it up with zeros. `norm` divides the "forward" transform by n, the "backward" one (the
    default), or both by its root, "ortho". Raises ShapeError, ArgumentError.

    >>> import autograd
    >>> autograd.fft.fft_pairs(autograd.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[ 1.,  1.],
            [ 1., -1.]])
    """
    return _transform("fft_pairs", ops.fourier.fft, _pairs("fft_pairs", input), n, dim, norm, False)


@single
def ifft_pairs(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The inverse of `fft_pairs`: torch.view_as_real(torch.fft.ifft(torch.view_as_complex(input)))."""
    return _transform("ifft_pairs", ops.fourier.ifft, _pairs("ifft_pairs", input), n, dim, norm, True)


@single
def rfft_pairs(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The Fourier transform, along `dim`, of real numbers, in pairs: torch.view_as_real(torch.fft.rfft(input)).

    Shape: (..., n) gives (..., n // 2 + 1, 2), the frequencies from 0 to half, since the others are conjugates of these.
    `n` and `norm` are as of `fft_pairs`. Raises ShapeError, ArgumentError.

    >>> import autograd
    >>> autograd.fft.rfft_pairs(autograd.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor([[10.,  0.],
            [-2.,  2.],
            [-2.,  0.]])
    """
    x = _floats("rfft_pairs", input)
    axis = one_dim("rfft_pairs", dim, x.ndim)
    x = _length("rfft_pairs", x, axis, n)
    out = _scaled("rfft_pairs", ops.fourier.rfft(np.moveaxis(x, axis, -1)), norm, x.shape[axis], False)
    return np.moveaxis(out, -2, axis)


@single
def irfft_pairs(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """The real numbers whose `rfft_pairs` is `input`: torch.fft.irfft(torch.view_as_complex(input)).

    Shape: (..., k, 2) gives (..., n), with n = 2 (k - 1) if it is not given. What would be imaginary in the first pair, or of
    an even n in the last, counts for nothing. Raises ShapeError, ArgumentError.

    >>> import autograd
    >>> autograd.fft.irfft_pairs(autograd.fft.rfft_pairs(autograd.tensor([1.0, 2.0, 3.0])), n=3)
    tensor([1., 2., 3.])
    """
    x = _pairs("irfft_pairs", input)
    axis = one_dim("irfft_pairs", dim, x.ndim - 1)
    n = 2 * (x.shape[axis] - 1) if n is None else n
    if n < 1:
        raise ArgumentError(f"irfft_pairs is of at least one number, got n = {n}")
    x = np.moveaxis(_length("irfft_pairs", x, axis, n // 2 + 1), axis, -2)
    return np.moveaxis(_scaled("irfft_pairs", ops.fourier.irfft(x, n), norm, n, True), -1, axis)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None) -> Tensor:
    """The frequencies of `fft_pairs` of `n` samples that are `d` apart (torch.fft.fftfreq)."""
    return wrap(np.fft.fftfreq(n, d).astype(as_dtype(dtype)))


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None) -> Tensor:
    """The frequencies of `rfft_pairs` of `n` samples that are `d` apart (torch.fft.rfftfreq)."""
    return wrap(np.fft.rfftfreq(n, d).astype(as_dtype(dtype)))


# ---------------------------------------------------------------- windows
def _window(name: str, formula: Any, words: str) -> Any:
    def window(window_length: int, periodic: bool = True, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        if window_length < 0:
            raise ArgumentError(f"{name}: the length is not negative, got {window_length}")
        n = window_length + (periodic and window_length > 1)
        return wrap(formula(n)[:window_length].astype(as_dtype(dtype))).requires_grad_(requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"""{words} of this length (torch.{name}).

    If `periodic`, as a spectrum wants it, it is a symmetric one of one more, without its last element.
    """
    return window


hann_window = _window("hann_window", np.hanning, "Hann's window, sin(pi t / T)**2,")
hamming_window = _window("hamming_window", np.hamming, "Hamming's window, 0.54 - 0.46 cos(2 pi t / T),")
blackman_window = _window("blackman_window", np.blackman, "Blackman's window, 0.42 - 0.5 cos(2 pi t / T) + 0.08 cos(4 pi t / T),")
bartlett_window = _window("bartlett_window", np.bartlett, "Bartlett's window, a triangle,")


# ---------------------------------------------------------------- spectra over time
def _frame(name: str, x: Any, n_fft: int, hop_length: Any, win_length: Any, window: Any) -> tuple[int, Any]:
    """How far frames are apart, and the window in the middle of a frame."""
    hop, length = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if n_fft < 1 or hop < 1 or not 0 < length <= n_fft:
        raise ArgumentError(
            f"{name}: n_fft and hop_length are positive, win_length at most n_fft; got {n_fft}, {hop} and {length}"
        )
    if window is None:
        window = wrap(np.ones_like(x.array, shape=(length,)))
    window = window if isinstance(window, Tensor) else wrap(np.asarray(window, x.dtype))
    if window.shape != (length,):
        raise ShapeError(f"{name}: the window has win_length elements, {length}, got shape {window.shape}")
    before = (n_fft - length) // 2
    return hop, np.pad(window, (before, n_fft - length - before)) if length < n_fft else window


@single
def stft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, pad_mode: Any = "reflect", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Any:  # fmt: skip
    """The spectra of a signal over time: the Fourier transform of each of its frames, in pairs (torch.stft).

    Frames have `n_fft` samples, are `hop_length` (a quarter of that) apart, and are multiplied by `window`, of `win_length`.
    With `center` the signal is padded by `pad_mode`, so that frame t is centered at sample t * hop_length. `normalized` divides
    by the root of n_fft; `onesided` leaves out the frequencies above half, as is the default. `return_complex` must be False:
    a complex number is a pair, as PyTorch returns it then.

    Shape: (length,) or (batch, length) give (..., frequencies, frames, 2). Raises ShapeError, ArgumentError, UnsupportedError.

    >>> import autograd
    >>> tone = autograd.sin(autograd.arange(64) * (2 * autograd.pi / 8))  # waves of 8 samples: 2 in a frame of 16
    >>> spectra = autograd.stft(tone, 16, window=autograd.hann_window(16), return_complex=False)
    >>> spectra.shape, (spectra**2).sum(-1).argmax(0)[3].item()
    ((9, 17, 2), 2)
    """
    if return_complex is not False:
        what = "stft: there are no complex numbers"
        raise UnsupportedError(f"{what}; pass return_complex=False, which gives {PAIRS}")
    x = _floats("stft", input)
    if x.ndim > 2:
        raise ShapeError(f"stft takes (length,) or (batch, length), got shape {x.shape}")
    hop, window = _frame("stft", x, n_fft, hop_length, win_length, window)
    if center:
        if pad_mode == "reflect" and x.shape[-1] <= n_fft // 2:
            what = f"stft: {x.shape[-1]} samples are too few to be reflected over n_fft // 2, {n_fft // 2}"
            raise ShapeError(f"{what}; use pad_mode='constant'")
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=pad_mode)
    if x.shape[-1] < n_fft:
        raise ShapeError(f"stft: the signal has {x.shape[-1]} samples, fewer than a frame of {n_fft}")
    frames = ops.window.unfold_dim(x, x.ndim - 1, n_fft, hop) * window
    out = ops.fourier.rfft(frames) if onesided is not False else ops.fourier.fft(np.stack([frames, np.zeros_like(frames)], -1))
    return np.swapaxes(out / n_fft**0.5 if normalized else out, -2, -3)


@single
def istft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None,
    return_complex: bool = False,
) -> Any:  # fmt: skip
    """The signal whose spectra over time are `input`, pairs as `stft` makes them with the same options (torch.istft).

    Of changed spectra it is the signal whose spectra are the closest, in squares (Griffin and Lim 1984). `length` is how many
    samples there are. Where no window reached, nothing is known: that raises ArgumentError.

    Shape: (..., frequencies, frames, 2) gives (..., length). Raises ShapeError, ArgumentError, UnsupportedError.

    >>> import autograd
    >>> x, options = autograd.rand(50), dict(n_fft=8, window=autograd.hann_window(8))
    >>> autograd.allclose(autograd.istft(autograd.stft(x, **options, return_complex=False), **options, length=50), x, atol=1e-6)
    True
    """
    if return_complex:
        raise UnsupportedError("istft: there are no complex numbers; the signal is real")
    x = _pairs("istft", input)
    hop, window = _frame("istft", x, n_fft, hop_length, win_length, window)
    frequencies = n_fft // 2 + 1 if onesided is not False else n_fft
    if x.ndim not in (3, 4) or x.shape[-3] != frequencies or not x.shape[-2]:
        raise ShapeError(f"istft of n_fft {n_fft} takes ({frequencies}, frames, 2) or a batch of it, got {describe(x)}")
    x = np.swapaxes(x[..., : n_fft // 2 + 1, :, :], -2, -3)  # the others are conjugates of these, or of no effect
    frames = ops.fourier.irfft(x * n_fft**0.5 if normalized else x, n_fft)
    count, places = frames.shape[-2], ((n_fft, hop, 0, 1),)
    size = (n_fft + hop * (count - 1),)
    start = n_fft // 2 if center else 0
    kept = slice(start, (size[0] - start) if length is None else start + length)
    added = ops.window.fold(np.swapaxes(frames * window, -1, -2), places, size)[..., kept]
    squares = np.broadcast_to(np.expand_dims(window * window, -1), (n_fft, count))
    weight = ops.window.fold(squares, places, size)[kept]
    if np.any(np.abs(weight.array) < 1e-11):
        raise ArgumentError("istft: there are samples that no window reaches, so that nothing is known of them")
    out = added / weight
    missing = 0 if length is None else length - out.shape[-1]
    return np.pad(out, [(0, 0)] * (out.ndim - 1) + [(0, missing)]) if missing > 0 else out
