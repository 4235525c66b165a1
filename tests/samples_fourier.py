"""The records of Fourier transforms and of spectra over time, which samples.py takes in."""

import numpy as np
from samples import HOST_ONLY, Sample
from strategies import call

import autograd
from autograd import fft

COMPLEX = {"PyTorch": "it has complex numbers, or warns that it soon will; test_fourier.py compares"}
NORMS = [None, "ortho", "forward"]


def dft(z, inverse=False):
    """By the definition: the sum of all elements, each turned by its angle."""
    n = z.shape[-1]
    angles = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n
    return (z @ np.exp((1j if inverse else -1j) * angles)) / (n if inverse else 1)


def as_pairs(z):
    return np.stack([z.real, z.imag], -1)


def as_complex(x):
    return x[..., 0] + 1j * x[..., 1]


def sized(x, n, dim):
    """Cut or filled up with zeros."""
    return np.moveaxis(np.stack([np.take(x, i, dim) if i < x.shape[dim] else np.take(x, 0, dim) * 0 for i in range(n)]), 0, dim)


def scaled(norm, n, inverse):
    return {None: 1, "ortho": n**0.5, "forward": n}[norm] ** (1 if inverse else -1)


def transformed(inverse):
    def reference(x, n=None, dim=-1, norm=None):
        z = as_complex(x)
        z = z if n is None else sized(z, n, dim)
        z = np.moveaxis(z, dim, -1)
        return as_pairs(np.moveaxis(dft(z, inverse) * scaled(norm, z.shape[-1], inverse), -1, dim))

    return reference


def half(x, n=None, dim=-1, norm=None):
    x = np.moveaxis(x if n is None else sized(x, n, dim), dim, -1)
    return as_pairs(np.moveaxis(dft(x + 0j)[..., : x.shape[-1] // 2 + 1] * scaled(norm, x.shape[-1], False), -1, dim))


def whole(x, n=None, dim=-1, norm=None):
    z = np.moveaxis(as_complex(x), dim, -1)
    n = 2 * (z.shape[-1] - 1) if n is None else n
    z = sized(z, n // 2 + 1, -1)
    z[..., 0] = z[..., 0].real
    if n % 2 == 0:
        z[..., -1] = z[..., -1].real
    rest = np.conj(z[..., 1 : (n + 1) // 2][..., ::-1])
    return np.moveaxis(dft(np.concatenate([z, rest], -1), True).real * scaled(norm, n, True), -1, dim)


def of(*shapes, least=1, pairs=True):
    """Calls with an array of one of these shapes, a dim, a length and a norm."""

    def make(s):
        shape = s.pick(*shapes)
        options = s.some({"norm": NORMS, "n": [least, 3, 4, 6]})
        x = s.array((*shape, 2) if pairs else shape)
        return call(x, **options, **({"dim": s.dim(len(shape))} if s.pick(False, True) else {}))

    return make


# ---------------------------------------------------------------- over time
def padded(window, n_fft):
    before = (n_fft - len(window)) // 2
    return np.concatenate([np.zeros(before), window, np.zeros(n_fft - len(window) - before)])


def spectra(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False,
    onesided=None, return_complex=None,
):  # fmt: skip
    hop = hop_length or n_fft // 4
    window = padded(np.ones(win_length or n_fft) if window is None else window, n_fft)
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2,) * 2], mode=pad_mode)
    starts = range(0, x.shape[-1] - n_fft + 1, hop)
    frames = np.stack([dft(x[..., t : t + n_fft] * window + 0j) for t in starts], -1)
    frames = frames if onesided is False else frames[..., : n_fft // 2 + 1, :]
    return as_pairs(frames / (n_fft**0.5 if normalized else 1))


def signal(
    x, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None, length=None,
):  # fmt: skip
    hop = hop_length or n_fft // 4
    window = padded(np.ones(win_length or n_fft) if window is None else window, n_fft)
    x = np.swapaxes(x, -2, -3) * (n_fft**0.5 if normalized else 1)
    frames = whole(x[..., : n_fft // 2 + 1, :], n_fft)
    out, weight = (np.zeros((*frames.shape[:-2], n_fft + hop * (frames.shape[-2] - 1))) for _ in range(2))
    for t in range(frames.shape[-2]):
        out[..., t * hop : t * hop + n_fft] += frames[..., t, :] * window
        weight[..., t * hop : t * hop + n_fft] += window**2
    start = n_fft // 2 if center else 0
    end = out.shape[-1] - start if length is None else start + length
    return (out / np.where(weight, weight, 1))[..., start:end]


def some_spectra(s):
    n_fft, win = s.pick((8, 5), (4, 4), (5, 3), (8, 6))
    options = s.some(
        {"center": [True, False], "normalized": [True], "onesided": [True, False], "pad_mode": ["reflect", "constant"]}
    )
    options |= {"win_length": win, "window": np.abs(s.array((win,))) + 0.5}
    return call(s.array(s.pick((11,), (2, 12))), n_fft, **options, **s.some({"hop_length": [1, 2, 3]}), return_complex=False)


def some_signals(s):
    n_fft, win = s.pick((8, 5), (4, 4), (8, 6))
    onesided = s.pick(None, False)
    rows = n_fft if onesided is False else n_fft // 2 + 1
    options = s.some({"normalized": [True], "hop_length": [1, 2], "length": [7]}) | {"onesided": onesided}
    options |= {"win_length": win, "window": np.abs(s.array((win,))) + 0.5} if win < n_fft or s.pick(True, False) else {}
    return call(s.array((*s.pick((), (2,)), rows, 6, 2)), n_fft, **options)


MANY_SHAPES = (1,), (2,), (3,), (4,), (2, 5), (3, 1, 6)
# fmt: off
SAMPLES = [
    Sample("rfft", of(*MANY_SHAPES, pairs=False), half, fft.rfft_pairs),
    Sample("irfft", of((2,), (3,), (2, 4), (3, 2, 5)), whole, fft.irfft_pairs),
    Sample("fft", of(*MANY_SHAPES), transformed(False), fft.fft_pairs),
    Sample("ifft", of(*MANY_SHAPES), transformed(True), fft.ifft_pairs),
    Sample("stft", some_spectra, spectra, autograd.stft, exempt=COMPLEX | HOST_ONLY),
    Sample("istft", some_signals, signal, autograd.istft, exempt=COMPLEX),
]
# fmt: on
