"""Fourier transforms and spectra over time: what the records cannot say; PyTorch's answers, round trips, windows and refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import autograd
from autograd import fft, func, tensor
from autograd.errors import ArgumentError, ShapeError, UnsupportedError

WINDOWS = "bartlett blackman hamming hann".split()


def noise(*shape):
    return autograd.from_numpy(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("n", range(1, 10))
@pytest.mark.parametrize("norm", [None, "ortho", "forward", "backward"])
def test_transforms_undo_each_other(n, norm):
    x, z = noise(2, n), noise(n, 3, 2)
    assert_allclose(fft.irfft_pairs(fft.rfft_pairs(x, norm=norm), n, norm=norm).array, x.array, atol=1e-14)
    assert_allclose(fft.ifft_pairs(fft.fft_pairs(z, dim=0, norm=norm), dim=0, norm=norm).array, z.array, atol=1e-14)


@pytest.mark.parametrize("n", [None, 3, 8])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_transforms_like_torch(torch, n, dim, norm):
    x, z = noise(5, 6), noise(5, 6, 2)
    ours = (
        fft.rfft_pairs(x, n, dim, norm),
        fft.fft_pairs(z, n, dim, norm),
        fft.ifft_pairs(z, n, dim, norm),
        fft.irfft_pairs(z, n, dim, norm),
    )
    complexes, options = torch.view_as_complex(torch.tensor(z.array)), dict(n=n, dim=dim, norm=norm)
    pairs = torch.view_as_real
    theirs = (
        pairs(torch.fft.rfft(torch.tensor(x.array), **options)),
        pairs(torch.fft.fft(complexes, **options)),
        pairs(torch.fft.ifft(complexes, **options)),
        torch.fft.irfft(complexes, **options),
    )
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a.array, b.numpy(), atol=1e-13)
    assert_allclose(fft.fftfreq(5, 0.5).array, torch.fft.fftfreq(5, 0.5).numpy())
    assert_allclose(fft.rfftfreq(6).array, torch.fft.rfftfreq(6).numpy())


def test_a_gradient_through_a_spectrum_like_torch(torch):
    """Of a function of amplitudes and phases."""
    x = noise(7).requires_grad_()
    pairs = fft.rfft_pairs(x)
    (pairs.norm(dim=-1).sum() + autograd.atan2(pairs[1:, 1], pairs[1:, 0]).sum()).backward()
    y = torch.tensor(x.detach().numpy(), requires_grad=True)
    z = torch.fft.rfft(y)
    (z.abs().sum() + z[1:].angle().sum()).backward()
    assert_allclose(x.grad.array, y.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
@pytest.mark.parametrize("periodic", [True, False])
def test_windows_like_torch(torch, name, n, periodic):
    name += "_window"
    assert_allclose(getattr(autograd, name)(n, periodic).array, getattr(torch, name)(n, periodic).numpy(), atol=1e-6)


def test_windows_are_periodic():
    """Shifted by half of them and added, they make a constant."""
    for name in ("bartlett", "hamming", "hann"):
        w = getattr(autograd, f"{name}_window")(8, dtype="float64").array
        assert_allclose(w + np.roll(w, 4), (w + np.roll(w, 4))[0])
    assert autograd.hann_window(3, dtype="float64", requires_grad=True).requires_grad
    with pytest.raises(ArgumentError, match="hann_window: the length is not negative, got -1"):
        autograd.hann_window(-1)


@pytest.mark.parametrize("hop", [1, 2, 4])
@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
def test_a_signal_comes_back_from_its_spectra(torch, hop, onesided, normalized):
    x = noise(2, 40)
    options = dict(
        hop_length=hop, win_length=7, window=autograd.hann_window(7, dtype="float64"), onesided=onesided, normalized=normalized
    )
    spectra = autograd.stft(x, 8, **options, return_complex=False)
    assert_allclose(autograd.istft(spectra, 8, **options, length=40).array, x.array, atol=1e-13)
    assert autograd.istft(spectra, 8, **options).shape == (2, 40)
    assert not autograd.istft(autograd.stft(x, 8, return_complex=False), 8, length=50).array[:, 44:].any()  # where no frame is
    options["window"] = torch.tensor(options["window"].array)
    theirs = torch.view_as_real(torch.stft(torch.tensor(x.array), 8, **options, return_complex=True))
    assert_allclose(spectra.array, theirs.numpy(), atol=1e-13)
    changed = spectra.array * 1.5 + 0.1
    theirs = torch.istft(torch.view_as_complex(torch.tensor(changed)), 8, **options, length=39)
    options["window"] = tensor(options["window"].numpy())
    assert_allclose(autograd.istft(tensor(changed), 8, **options, length=39).array, theirs.numpy(), atol=1e-12)


def test_the_phase_of_spectra_can_be_found_by_descent():
    """A signal with given amplitudes over time: gradients through stft and istft, and of functions of arrays."""
    options, target = dict(n_fft=8, window=np.hanning(9)[:8]), noise(32).array

    def amplitudes(x):
        return np.sqrt(np.sum(autograd.stft(x, **options, return_complex=False) ** 2, axis=-1) + 1e-9)

    wanted = amplitudes(autograd.from_numpy(target)).array

    def loss(x):
        return np.sum((amplitudes(x) - wanted) ** 2)

    x = target + 0.3 * noise(2, 32).array[1]
    first, descent = func.grad_and_value(loss)(x)[1], func.grad(loss)
    for _ in range(50):
        x = x - 0.02 * descent(x)
    assert func.grad_and_value(loss)(x)[1] < 0.1 * first


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fft.rfft_pairs(tensor(1.0)), ShapeError, "rfft_pairs needs at least one dim"),
        (lambda: fft.fft_pairs(autograd.ones(4)), ShapeError, r"fft_pairs takes pairs .* in a last dim of 2, got shape \(4,\)"),
        (lambda: fft.rfft_pairs(autograd.ones(4), 0), ArgumentError, "rfft_pairs is of at least one number, got n = 0"),
        (lambda: fft.irfft_pairs(autograd.ones(1, 2)), ArgumentError, "irfft_pairs is of at least one number, got n = 0"),
        (lambda: fft.rfft_pairs(autograd.ones(4), norm="no"), ArgumentError, "norm is 'backward', 'ortho' or 'forward', got 'no'"),
        (lambda: fft.rfft_pairs(autograd.ones(4), dim=1), IndexError, "rfft_pairs: dim 1 does not exist"),
        (lambda: fft.rfft(autograd.ones(4)), AttributeError, "fft.rfft is of complex numbers, .* fft.rfft_pairs has real"),
        (lambda: np.fft.rfft(autograd.ones(4)), UnsupportedError, r"np\.fft\.rfft does not work on Tensors; autograd\.fft has it"),
        (lambda: autograd.stft(autograd.ones(9), 4), UnsupportedError, "stft: there are no complex numbers; pass return_complex=False"),
        (lambda: stft(autograd.ones(2, 2, 9), 4), ShapeError, r"stft takes \(length,\) or \(batch, length\), got shape \(2, 2, 9\)"),
        (lambda: stft(autograd.ones(2), 4), ShapeError, "stft: 2 samples are too few to be reflected over n_fft // 2, 2; use pad_mode="),
        (lambda: stft(autograd.ones(3), 4, center=False), ShapeError, "stft: the signal has 3 samples, fewer than a frame of 4"),
        (lambda: stft(autograd.ones(9), 4, window=autograd.ones(3)), ShapeError, r"the window has win_length elements, 4, got shape \(3,\)"),
        (lambda: stft(autograd.ones(9), 4, win_length=5), ArgumentError, "win_length at most n_fft; got 4, 1 and 5"),
        (lambda: stft(autograd.ones(9), 3, hop_length=0), ArgumentError, "hop_length are positive"),
        (lambda: autograd.istft(autograd.ones(4, 3, 2), 4), ShapeError, r"istft of n_fft 4 takes \(3, frames, 2\) or a batch of it"),
        (lambda: autograd.istft(autograd.ones(3, 3, 2), 4, center=False, window=autograd.hann_window(4)), ArgumentError, "no window reaches"),
        (lambda: autograd.istft(autograd.ones(3, 3, 2), 4, return_complex=True), UnsupportedError, "the signal is real"),
    ],
)  # fmt: skip
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def stft(*args, **kwargs):
    return autograd.stft(*args, **kwargs, return_complex=False)
