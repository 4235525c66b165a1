"""Spectrograms, mel filters and decibels: by their definitions in loops, with gradients by differences, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import autograd
import nn
from autograd import gradcheck
from autograd.errors import ArgumentError, ShapeError
from nn import audio


def noise(*shape):
    return autograd.from_numpy(np.random.default_rng(0).normal(size=shape))


HANN = np.sin(np.pi * np.arange(6) / 6) ** 2


def energies(x, n_fft=8, hop=3):
    """Of one row: for each frame and frequency the squared length of a sum of turned samples."""
    window = np.concatenate([[0], HANN, [0]])
    x = np.concatenate([x[n_fft // 2 : 0 : -1], x, x[-2 : -n_fft // 2 - 2 : -1]])
    out = np.zeros((n_fft // 2 + 1, (len(x) - n_fft) // hop + 1))
    for t in range(out.shape[1]):
        for k in range(out.shape[0]):
            frame = x[t * hop : t * hop + n_fft] * window
            out[k, t] = abs(np.sum(frame * np.exp(-2j * np.pi * k * np.arange(n_fft) / n_fft))) ** 2
    return out


@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_a_spectrogram_is_what_its_definition_says(power):
    x = noise(2, 3, 20)
    layer = audio.Spectrogram(8, 6, 3, power=power).double()
    expected = np.stack([[energies(row) for row in rows] for rows in x.array]) ** (power / 2)
    assert_allclose(layer(x).array, expected, rtol=1e-6, atol=1e-6)  # its window was made in single precision
    assert gradcheck(layer, (noise(12).requires_grad_(),))
    pairs = audio.Spectrogram(8, 6, 3, power=None).double()(x)
    assert_allclose((pairs**2).sum(-1).array ** (power / 2), expected, rtol=1e-6, atol=1e-6)


def test_normalizing_divides_by_a_root():
    x = noise(20)
    plain, window, frame = (audio.Spectrogram(8, 6, 3, normalized=n).double()(x).array for n in (False, True, "frame_length"))
    assert_allclose(window * np.sum(HANN**2), plain, rtol=1e-6)
    assert_allclose(frame * 8, plain)


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
def test_filters_are_triangles_that_reach_to_their_neighbours_tops(mel_scale):
    filters = audio.melscale_fbanks(4001, 100.0, 3500.0, 10, 8000, mel_scale=mel_scale).array  # a row for each hertz
    assert filters.shape == (4001, 10)
    tops = filters.argmax(0)
    assert (np.diff(tops) > 0).all()
    assert_allclose(filters.max(0), 1, atol=0.02)
    assert_allclose(filters.sum(1)[tops[0] + 1 : tops[-1]], 1, atol=1e-6)
    assert not filters[:100].any()
    assert not filters[3501:].any()
    mel = {
        "htk": lambda f: 1127.01048 * np.log1p(f / 700),
        "slaney": lambda f: np.where(f < 1000, f / 66.6667, 15 + 14.5456 * np.log(f / 1000)),
    }
    ends = mel[mel_scale](np.array([100.0, 3500.0]))
    assert_allclose(mel[mel_scale](tops * 1.0), np.linspace(*ends, 12)[1:-1], rtol=5e-3)
    areas = audio.melscale_fbanks(4001, 100.0, 3500.0, 10, 8000, "slaney", mel_scale).array.sum(0)
    assert_allclose(areas, 1, rtol=1e-2)


def test_decibels():
    x = autograd.tensor([[[1.0, 10.0], [100.0, 0.0]], [[1000.0, 1000.0], [1.0, 1e-3]]], dtype=autograd.float64)
    assert_allclose(audio.AmplitudeToDB()(x).array[0], [[0, 10], [20, -100]])
    assert_allclose(audio.AmplitudeToDB("magnitude", 60.0)(x).array, [[[0, 20], [40, 0]], [[60, 60], [0, 0]]])
    assert_allclose(audio.amplitude_to_DB(x, 10.0, 1e-10, 3.0).array[0, 0], [-30, -20])
    assert audio.AmplitudeToDB(top_db=5.0)(autograd.tensor([1.0, 10.0])).tolist() == [5, 10]
    assert gradcheck(audio.AmplitudeToDB(top_db=15.0), (noise(3, 4).abs().add(0.1).requires_grad_(),))


def test_a_mel_spectrogram_finds_the_note_and_saves_its_tables(tmp_path):
    layer = audio.MelSpectrogram(8000, n_fft=256, n_mels=20)
    time = autograd.arange(4000) / 8000
    centres = layer.mel_scale.fb.array.argmax(0) * 8000 / 256
    for i in (6, 10, 15):
        loudness = layer(autograd.sin(2 * autograd.pi * float(centres[i]) * time))
        assert loudness.mean(-1).argmax().item() == i
    assert list(layer.state_dict()) == ["spectrogram.window", "mel_scale.fb"]
    assert_allclose(layer(noise(2, 500).float()).array, layer.mel_scale(layer.spectrogram(noise(2, 500).float())).array)
    assert repr(layer).count("n_fft=256") == 1
    assert isinstance(layer, nn.Module)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: audio.Spectrogram(8, normalized="no")(noise(20)),
            ArgumentError,
            "normalized is 'window', 'frame_length' or a boolean",
        ),
        (lambda: audio.Spectrogram(8)(autograd.tensor(1.0)), ShapeError, r"takes \(\.\.\., time\), got a 0-d tensor"),
        (lambda: audio.MelScale(n_stft=5)(noise(4, 3)), ShapeError, r"MelScale expects \(\.\.\., 5, frames\), got \(4, 3\)"),
        (lambda: audio.MelScale(norm="no"), ArgumentError, "norm is 'slaney' or None, mel_scale 'htk' or 'slaney', got 'no'"),
        (lambda: audio.MelScale(f_min=9000.0), ArgumentError, "needs 0 <= f_min < f_max"),
        (lambda: audio.AmplitudeToDB("no"), ArgumentError, "stype is 'power' or 'magnitude', top_db not negative; got 'no'"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
