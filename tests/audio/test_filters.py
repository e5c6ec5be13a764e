import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart.audio._filters import (
    cosine_basis,
    delta_weights,
    hann_window,
    mel_band_edges,
    mel_filterbank,
)


@pytest.mark.parametrize("n_fft", [2, 255, 1024])
def test_hann_window_is_the_periodic_one(n_fft):
    assert_allclose(hann_window(n_fft), scipy.signal.get_window("hann", n_fft))


def test_mel_scale_is_linear_below_1_khz_and_doubles_evenly_above():
    edges = mel_band_edges(13, 0.0, 1000.0)
    assert_allclose(np.diff(edges), 1000.0 / 14)
    ratios = mel_band_edges(25, 1000.0, 6400.0)
    assert_allclose(ratios[1:] / ratios[:-1], 6.4 ** (1 / 26))


@pytest.mark.parametrize(
    ("sr", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (22050, 1024, 128, 0.0, 11025.0),
        (22050, 1023, 64, 0.0, 11025.0),
        (44100, 2048, 128, 27.5, 16000.0),
        (16000, 512, 40, 300.0, 3400.0),
        (8000, 256, 128, 0.0, 4000.0),
        (48000, 2048, 256, 1200.0, 24000.0),
    ],
)
def test_mel_filterbank_equals_librosas(sr, n_fft, n_mels, fmin, fmax):
    expected = librosa.filters.mel(
        sr=sr, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax
    )
    weights = mel_filterbank(sr, n_fft, n_mels, fmin, fmax)
    assert weights.dtype == np.float32
    assert_allclose(weights, expected, rtol=0, atol=1e-6 * expected.max())


def test_mel_triangles_have_unit_area():
    weights = mel_filterbank(22050, 1 << 16, 40, 0.0, 11025.0)
    assert_allclose(weights.sum(axis=1) * 22050 / (1 << 16), 1.0, rtol=1e-3)


@pytest.mark.parametrize(("n_mfcc", "n_mels"), [(1, 1), (13, 128), (40, 40)])
def test_cosine_basis_is_the_orthonormal_dct(n_mfcc, n_mels):
    expected = scipy.fft.dct(np.eye(n_mels), norm="ortho", axis=0)[:n_mfcc]
    assert_allclose(cosine_basis(n_mfcc, n_mels), expected, atol=1e-14)


def test_delta_weights_of_nine_frames_by_hand():
    assert_allclose(delta_weights(9, 1), np.arange(-4, 5) / 60)
    by_hand = np.array([28, 7, -8, -17, -20, -17, -8, 7, 28]) / 462
    assert_allclose(delta_weights(9, 2), by_hand)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("width", [3, 5, 9, 15])
def test_delta_weights_are_savitzky_golays(width, order):
    expected = scipy.signal.savgol_coeffs(width, order, deriv=order, use="dot")
    assert_allclose(delta_weights(width, order), expected, atol=1e-14)


@pytest.mark.parametrize("width", [3, 9, 11])
def test_delta_weights_differentiate_a_parabola_exactly(width):
    steps = np.arange(width) - width // 2
    parabola = 5.0 - 3.0 * steps + 2.0 * steps**2
    assert_allclose(delta_weights(width, 1) @ parabola, -3.0)
    assert_allclose(delta_weights(width, 2) @ parabola, 4.0)
    assert_array_equal(delta_weights(width, 2), delta_weights(width, 2)[::-1])
