"""Compiled kernels against numpy, scipy and their own uncompiled selves."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import get_window, savgol_coeffs, savgol_filter

from skcoldstart._kernels.fft import LANES, bin_rows, power_rows, transform, twiddles
from skcoldstart._kernels.mel import (
    COMPRESSIONS,
    delta_frames,
    mel_frames,
    mel_plan,
)
from skcoldstart._kernels.waveform import (
    all_finite,
    average_channels,
    average_pairs,
)
from skcoldstart.audio._spectrum import MelBands, general_frames


@pytest.mark.parametrize("n_fft", [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384])
def test_transform_and_power_are_numpys(n_fft, rng):
    h = n_fft // 2
    frames = rng.standard_normal((n_fft, LANES)).astype(np.float32)
    z = 0.5 * np.concatenate([frames[::2], frames[1::2]])
    packed = z.ravel().copy()
    transform(packed, twiddles(h), h)
    rows = packed.reshape(2 * h, LANES)[:h] + 1j * packed.reshape(2 * h, LANES)[h:]
    complex_fft = np.fft.fft(z[:h] + 1j * z[h:], axis=0)
    scale = np.sqrt(h)
    assert_allclose(rows[bin_rows(h)[:h]], complex_fft, rtol=0, atol=1e-6 * scale)

    power_rows(packed, twiddles(h), bin_rows(h), h)
    expected = np.abs(np.fft.rfft(frames.astype(np.float64), axis=0)) ** 2
    power = packed.reshape(2 * h, LANES)[bin_rows(h)]
    assert_allclose(power, expected, rtol=0, atol=2e-6 * expected.max())


@pytest.mark.parametrize("hop_length", [1, 37, 64, 300])
@pytest.mark.parametrize("n_samples", [1, 31, 64, 500, 3_001])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_kernel_and_general_path_agree(compression, n_samples, hop_length, rng):
    bands = MelBands(8000.0, 64, hop_length, 11, 0.0, 4000.0)
    clip = rng.uniform(-1, 1, n_samples).astype(np.float32)
    out = np.full((1 + n_samples // hop_length, 11), np.nan, np.float32)
    expected = out.copy()
    assert general_frames(clip, bands, compression, 3.0, expected)
    plan = mel_plan(get_window("hann", 64), bands.weights())
    mode = COMPRESSIONS.index(compression)
    assert mel_frames(clip, hop_length, plan, mode, np.float32(3.0), out)
    assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


def test_kernel_survives_a_hop_far_beyond_the_clip():
    bands = MelBands(8000.0, 64, 10**9, 11, 0.0, 4000.0)
    frames = bands.frames(np.ones(100, np.float32), None)
    assert frames.shape == (1, 11)
    expected = np.empty_like(frames)
    general_frames(np.ones(100, np.float32), bands, None, 1.0, expected)
    assert_allclose(frames, expected, rtol=2e-6)


def test_kernel_reports_power_that_is_not_finite():
    weights = MelBands(8e3, 64, 32, 11, 0.0, 4e3).weights()
    plan = mel_plan(get_window("hann", 64), weights)
    for value in (1e20, 3e38, np.inf, -np.inf, np.nan):
        clip = np.full(200, value, np.float32)
        out = np.empty((7, 11), np.float32)
        for mode in range(3):
            assert not mel_frames(clip, 32, plan, mode, np.float32(1.0), out)


@pytest.mark.parametrize("compression", ["db", "log"])
def test_logarithms_are_those_of_double_precision(compression):
    # One bin of a click's flat spectrum carries any power we like.
    powers = np.concatenate([np.logspace(-13, 30, 4_000), [0.0]])
    window = np.zeros(16)
    window[8] = 1.0
    plan = mel_plan(window, np.eye(1, 9, 3))
    clip = np.zeros(16 * len(powers), np.float32)
    clip[::16] = np.sqrt(powers)
    out = np.empty((len(powers), 1), np.float32)
    mode = COMPRESSIONS.index(compression)
    assert mel_frames(clip, 16, plan, mode, np.float32(1.0), out)
    exact = clip[::16].astype(np.float64) ** 2
    if compression == "db":
        expected = 10 * np.log10(np.maximum(exact, 1e-10))
        assert_allclose(out[:, 0], expected, rtol=3e-7, atol=2e-6)
    else:
        assert_allclose(out[:, 0], np.log1p(exact), rtol=5e-7)


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 7, 100])
def test_one_sample_that_is_not_finite_is_found(position, value, rng):
    largest = np.finfo(np.float32).max
    samples = rng.choice(np.array([largest, -largest, 0, 1e-40], np.float32), 101)
    assert all_finite(samples)
    samples[position] = value
    assert not all_finite(samples)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_average_of_integer_samples_is_exact(n_channels, rng):
    extremes = np.array([-32768, -32767, -1, 0, 1, 32766, 32767], np.int16)
    samples = rng.choice(extremes, size=(500, n_channels))
    out = np.empty(500, np.float32)
    average_channels(samples, out)
    assert_array_equal(out, (samples / 32768).mean(axis=1))


def test_average_of_two_channels_rounds_as_numpy_does(rng):
    samples = rng.standard_normal((1001, 2)).astype(np.float32)
    samples[5:8] = [[3e38, 3e38], [np.nan, 0], [np.inf, -np.inf]]
    out = np.empty(1001, np.float32)
    average_pairs(samples, out)
    with np.errstate(over="ignore", invalid="ignore"):
        assert_array_equal(out, samples.mean(axis=1))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("width", [3, 9, 11])
@pytest.mark.parametrize("n_frames", [1, 4, 8, 11, 12, 40])
def test_delta_frames_are_scipys(n_frames, width, order, rng):
    frames = rng.standard_normal((n_frames, 5)).astype(np.float32)
    out = np.empty_like(frames)
    weights = savgol_coeffs(width, order, deriv=order, use="dot").astype(np.float32)
    delta_frames(frames, weights, out)
    mode = "nearest" if n_frames < width else "interp"
    wide = frames.astype(np.float64)
    expected = savgol_filter(wide, width, order, deriv=order, axis=0, mode=mode)
    assert_allclose(out, expected, atol=1e-6)
