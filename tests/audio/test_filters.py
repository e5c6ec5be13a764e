import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcoldstart.audio._spectrum import MelBands


def test_mel_scale_is_linear_below_1_khz_and_doubles_evenly_above():
    edges = MelBands(22050, 1024, 512, 13, 0.0, 1000.0).edges()
    assert_allclose(np.diff(edges), 1000.0 / 14)
    ratios = MelBands(22050, 1024, 512, 25, 1000.0, 6400.0).edges()
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
    weights = MelBands(sr, n_fft, 512, n_mels, fmin, fmax).weights()
    assert weights.dtype == np.float32
    assert_allclose(weights, expected, rtol=0, atol=1e-6 * expected.max())


def test_mel_triangles_have_unit_area():
    weights = MelBands(22050, 1 << 16, 512, 40, 0.0, 11025.0).weights()
    assert_allclose(weights.sum(axis=1) * 22050 / (1 << 16), 1.0, rtol=1e-3)
