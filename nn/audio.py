"""Sound as networks see it: spectrograms, mel filters and decibels, under torchaudio's names; functions, and layers of them.

A spectrogram is made of `autograd.stft` by ops with gradients, so a loss may compare sounds by it, and a sound be found by it.

>>> import autograd, nn
>>> tone = autograd.sin(autograd.arange(8000) * (2 * autograd.pi * 440 / 8000))  # a second of the note A
>>> features = nn.Sequential(nn.audio.MelSpectrogram(8000, n_fft=256, n_mels=20), nn.audio.AmplitudeToDB(top_db=80.0))
>>> features(tone).shape, features(tone).mean(-1).argmax().item()
((20, 63), 4)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd.engine.dtypes import get_default_dtype
from autograd.engine.tensor import Tensor, wrap
from autograd.errors import ArgumentError, ShapeError

from . import functional as F
from .module import Module

__all__ = [
    "AmplitudeToDB", "MelScale", "MelSpectrogram", "Spectrogram", "amplitude_to_DB", "melscale_fbanks", "spectrogram",
]  # fmt: skip


# ---------------------------------------------------------------- functions
def spectrogram(
    waveform: Any, pad: int, window: Any, n_fft: int, hop_length: int, win_length: int, power: float | None,
    normalized: bool | str = False, center: bool = True, pad_mode: str = "reflect", onesided: bool = True,
) -> Tensor:  # fmt: skip
    """How loud each frequency is over time: the amplitudes of `autograd.stft` to the power (torchaudio.functional.spectrogram).

    `pad` zeros are put on both sides first. A `power` of 1 gives amplitudes, 2 energies, None the pairs of a real and an
    imaginary part. `normalized` divides by the root of the window's squares ("window", or True), or of n_fft ("frame_length").

    Shape: (..., time) gives (..., frequencies, frames), and of pairs (..., frequencies, frames, 2). Raises ArgumentError.
    """
    if normalized not in (True, False, "window", "frame_length"):
        raise ArgumentError(f"spectrogram: normalized is 'window', 'frame_length' or a boolean, got {normalized!r}")
    if not waveform.ndim:
        raise ShapeError("spectrogram takes (..., time), got a 0-d tensor")
    rows = F.pad(waveform.reshape(-1, waveform.shape[-1]), (pad, pad))
    frame_length = normalized == "frame_length"
    z = autograd.stft(rows, n_fft, hop_length, win_length, window, center, pad_mode, frame_length, onesided, False)
    z = z.reshape(*waveform.shape[:-1], *z.shape[1:])
    if normalized and not frame_length:
        z = z / (window**2).sum().sqrt()
    if power is None:
        return z
    return (z * z).sum(-1) if power == 2 else z.norm(dim=-1) ** power


def _htk(hertz: Any) -> Any:
    return 2595 * np.log10(1 + hertz / 700)


def _from_htk(mel: Any) -> Any:
    return 700 * (10 ** (mel / 2595) - 1)


_LOG_STEP = math.log(6.4) / 27  # Slaney's scale is linear up to 1000 hertz, which are 15 mel, and logarithmic above


def _slaney(hertz: Any) -> Any:
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + np.log(np.maximum(hertz, 1000) / 1000) / _LOG_STEP)


def _from_slaney(mel: Any) -> Any:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * _LOG_STEP))


SCALES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "htk": (_htk, _from_htk),
    "slaney": (_slaney, _from_slaney),
}


def melscale_fbanks(
    n_freqs: int, f_min: float, f_max: float, n_mels: int, sample_rate: int, norm: str | None = None, mel_scale: str = "htk",
) -> Tensor:  # fmt: skip
    """Filters that are as far apart as the ear hears them: triangles, (n_freqs, n_mels) (torchaudio.functional.melscale_fbanks).

    Their corners are evenly spaced in mel, from `f_min` to `f_max` hertz, each triangle reaching to its neighbours' tops. With
    `norm` "slaney" all have the same area. `mel_scale` is "htk" (O'Shaughnessy 1987) or "slaney" (the Auditory Toolbox).
    Raises ArgumentError.

    >>> melscale_fbanks(5, 0.0, 4000.0, 2, 8000)
    tensor([[0.0000, 0.0000],
            [0.6759, 0.3241],
            [0.0000, 0.9055],
            [0.0000, 0.4528],
            [0.0000, 0.0000]])
    """
    if norm not in (None, "slaney") or mel_scale not in SCALES:
        raise ArgumentError(
            f"melscale_fbanks: norm is 'slaney' or None, mel_scale 'htk' or 'slaney', got {norm!r} and {mel_scale!r}"
        )
    if not 0 <= f_min < f_max or n_mels < 1 or n_freqs < 1:
        what = "melscale_fbanks needs 0 <= f_min < f_max, and a frequency and a filter at least"
        raise ArgumentError(f"{what}; got {f_min}, {f_max}, {n_freqs} and {n_mels}")
    to_mel, to_hertz = SCALES[mel_scale]
    corners = to_hertz(np.linspace(to_mel(np.float64(f_min)), to_mel(np.float64(f_max)), n_mels + 2))
    hertz, widths = np.linspace(0, sample_rate // 2, n_freqs)[:, None], np.diff(corners)
    rising, falling = (hertz - corners[:-2]) / widths[:-1], (corners[2:] - hertz) / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    if norm:
        filters *= 2 / (corners[2:] - corners[:-2])
    return wrap(filters.astype(get_default_dtype()))


def amplitude_to_DB(x: Any, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None) -> Tensor:
    """`multiplier` * (log10(x) - db_multiplier), x being at least `amin` (torchaudio.functional.amplitude_to_DB).

    So energies become decibels with a multiplier of 10, and amplitudes of 20. What is more than `top_db` below the loudest of
    its spectrogram, the last three dims, is raised to that.
    """
    x = multiplier * (x.clamp(min=amin).log10() - db_multiplier)
    if top_db is None:
        return x
    return autograd.maximum(x, x.amax(tuple(range(-min(x.ndim, 3), 0)), keepdim=True) - top_db)


# ---------------------------------------------------------------- layers
class Spectrogram(Module):
    """`spectrogram` with frames of `n_fft`, half a frame apart, as a layer (torchaudio.transforms.Spectrogram).

    `window_fn` makes the window of its length, by default Hann's.

    Shape: (..., time) gives (..., n_fft // 2 + 1, frames).
    """

    def __init__(
        self, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, pad: int = 0,
        window_fn: Callable[..., Any] | None = None, power: float | None = 2.0, normalized: bool | str = False,
        wkwargs: dict[str, Any] | None = None, center: bool = True, pad_mode: str = "reflect", onesided: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.n_fft, self.win_length = n_fft, win_length or n_fft
        self.hop_length = hop_length or self.win_length // 2
        self.pad, self.power, self.normalized = pad, power, normalized
        self.center, self.pad_mode, self.onesided = center, pad_mode, onesided
        self.register_buffer("window", (window_fn or autograd.hann_window)(self.win_length, **wkwargs or {}))

    def forward(self, waveform: Any) -> Tensor:
        return spectrogram(
            waveform, self.pad, self.window, self.n_fft, self.hop_length, self.win_length, self.power,
            self.normalized, self.center, self.pad_mode, self.onesided,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"n_fft={self.n_fft}, win_length={self.win_length}, hop_length={self.hop_length}, power={self.power}"


class MelScale(Module):
    """A spectrogram through the filters of `melscale_fbanks` (torchaudio.transforms.MelScale).

    Shape: (..., n_stft, frames) gives (..., n_mels, frames).
    """

    def __init__(
        self, n_mels: int = 128, sample_rate: int = 16000, f_min: float = 0.0, f_max: float | None = None, n_stft: int = 201,
        norm: str | None = None, mel_scale: str = "htk",
    ) -> None:  # fmt: skip
        super().__init__()
        f_max = float(sample_rate // 2) if f_max is None else f_max
        self.n_mels, self.sample_rate, self.f_min, self.f_max = n_mels, sample_rate, f_min, f_max
        self.register_buffer("fb", melscale_fbanks(n_stft, f_min, f_max, n_mels, sample_rate, norm, mel_scale))

    def forward(self, specgram: Any) -> Tensor:
        if specgram.ndim < 2 or specgram.shape[-2] != self.fb.shape[0]:
            raise ShapeError(f"MelScale expects (..., {self.fb.shape[0]}, frames), got {specgram.shape}")
        return self.fb.T @ specgram

    def extra_repr(self) -> str:
        return f"n_mels={self.n_mels}, sample_rate={self.sample_rate}, f_min={self.f_min}, f_max={self.f_max}"


class MelSpectrogram(Module):
    """`Spectrogram`, then `MelScale`: what speech recognition begins with (torchaudio.transforms.MelSpectrogram).

    `onesided` is accepted and changes nothing: the filters are of half the frequencies, as torchaudio has it.

    Shape: (..., time) gives (..., n_mels, frames).
    """

    def __init__(
        self, sample_rate: int = 16000, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None,
        f_min: float = 0.0, f_max: float | None = None, pad: int = 0, n_mels: int = 128,
        window_fn: Callable[..., Any] | None = None, power: float = 2.0,
        normalized: bool | str = False, wkwargs: dict[str, Any] | None = None, center: bool = True, pad_mode: str = "reflect",
        onesided: bool | None = None, norm: str | None = None, mel_scale: str = "htk",
    ) -> None:  # fmt: skip
        super().__init__()
        self.spectrogram = Spectrogram(
            n_fft, win_length, hop_length, pad, window_fn, power, normalized, wkwargs, center, pad_mode
        )
        self.mel_scale = MelScale(n_mels, sample_rate, f_min, f_max, n_fft // 2 + 1, norm, mel_scale)

    def forward(self, waveform: Any) -> Tensor:
        return self.mel_scale(self.spectrogram(waveform))


class AmplitudeToDB(Module):
    """Decibels of energies, `stype` "power", or of amplitudes, "magnitude" (torchaudio.transforms.AmplitudeToDB).

    What is more than `top_db` below the loudest is raised to that. Shape: any, and the same comes out.
    """

    def __init__(self, stype: str = "power", top_db: float | None = None) -> None:
        super().__init__()
        if stype not in ("power", "magnitude") or (top_db is not None and top_db < 0):
            raise ArgumentError(
                f"AmplitudeToDB: stype is 'power' or 'magnitude', top_db not negative; got {stype!r} and {top_db}"
            )
        self.stype, self.top_db = stype, top_db

    def forward(self, x: Any) -> Tensor:
        return amplitude_to_DB(x, 10.0 if self.stype == "power" else 20.0, 1e-10, 0.0, self.top_db)

    def extra_repr(self) -> str:
        return f"stype={self.stype!r}, top_db={self.top_db}"
