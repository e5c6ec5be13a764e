"""The numbers of filters, mel spectrograms and MFCC, as librosa's or closed forms."""

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import MelSpectrogram, MFCCExtractor
from skcoldstart.audio._spectrum import MelBands

# Decibels and coefficients cross zero: the promise is absolute, and relative in norm.
ATOL_DB = 2e-3
RTOL_NORM = 1e-6


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


def librosa_mel(waveform, **parameters):
    parameters = {"sr": 22050, "n_fft": 1024, "hop_length": 512} | parameters
    return librosa.feature.melspectrogram(y=waveform, **parameters).T


def librosa_mfcc(waveform, *, n_mfcc=13, n_deltas=2, delta_width=9, **parameters):
    level = librosa.power_to_db(librosa_mel(waveform, **parameters).T)
    parts = [librosa.feature.mfcc(S=level, n_mfcc=n_mfcc)]
    for order in range(1, n_deltas + 1):
        parts.append(librosa.feature.delta(parts[0], width=delta_width, order=order))
    return np.vstack(parts).T


def assert_frames_close(actual, expected, atol=ATOL_DB):
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    assert_allclose(actual, expected, rtol=0, atol=atol)
    assert relative_error(actual, expected) < RTOL_NORM


def frames_of(extractor, waveform):
    return extractor.transform([waveform])[0]


FRAMINGS = [
    {},
    {"n_fft": 512, "hop_length": 256, "n_mels": 64},
    {"n_fft": 2048, "hop_length": 512},
    {"n_fft": 1024, "hop_length": 1500, "n_mels": 40},
    {"n_fft": 1023, "hop_length": 441},
    {"n_fft": 600, "hop_length": 100, "n_mels": 40, "fmin": 300.0, "fmax": 3400.0},
    {"n_fft": 4096, "hop_length": 1024, "n_mels": 256, "sr": 48000},
    {"n_fft": 256, "hop_length": 80, "n_mels": 40, "sr": 8000},
    {"n_fft": 2048, "hop_length": 1, "n_mels": 40, "fmin": 50.0},
]


@pytest.mark.parametrize("framing", FRAMINGS, ids=str)
def test_power_decibels_and_mfcc_are_librosas(framing, music):
    clip = music(3000 if framing.get("hop_length") == 1 else 30_011)
    power = librosa_mel(clip, **framing)
    actual = frames_of(MelSpectrogram(compression=None, **framing), clip)
    assert_frames_close(actual, power, atol=1e-6 * power.max())
    actual = frames_of(MelSpectrogram(compression="db", **framing), clip)
    assert_frames_close(actual, librosa.power_to_db(power))
    actual = frames_of(MFCCExtractor(**framing), clip)
    assert_frames_close(actual, librosa_mfcc(clip, **framing))


@pytest.mark.parametrize(
    ("gain", "log_scale"), [(1, 1.0), (1, 1e4), (1, 1e6), (1e-6, 1e4)]
)
def test_log_compression_is_log1p_of_scaled_power(gain, log_scale, music):
    clip = music(20_000) * np.float32(gain)
    power = frames_of(MelSpectrogram(compression=None), clip).astype(np.float64)
    actual = frames_of(MelSpectrogram(log_scale=log_scale), clip)
    assert_allclose(actual, np.log1p(log_scale * power), rtol=2e-6)


@pytest.mark.parametrize("delta_width", [3, 5, 15])
@pytest.mark.parametrize("n_deltas", [0, 1, 2])
@pytest.mark.parametrize("n_mfcc", [1, 20, 40])
def test_mfcc_orders_and_widths_are_librosas(n_mfcc, n_deltas, delta_width, music):
    clip = music(12_345)
    chosen = {"n_mfcc": n_mfcc, "n_deltas": n_deltas, "delta_width": delta_width}
    actual = frames_of(MFCCExtractor(n_mels=40, **chosen), clip)
    assert_frames_close(actual, librosa_mfcc(clip, n_mels=40, **chosen))


SIGNALS = {
    "direct current": lambda n, rng: np.full(n, 0.5),
    "click": lambda n, rng: np.eye(1, n, n // 2)[0],
    "square": lambda n, rng: np.sign(np.sin(np.arange(n) / 25)),
    "clipped noise": lambda n, rng: np.clip(rng.standard_normal(n), -1, 1),
    "half silence": lambda n, rng: np.where(np.arange(n) < n // 2, 0, 0.1),
    "fade": lambda n, rng: rng.standard_normal(n) * np.linspace(1, 0, n) ** 4,
    "gain 1e-2": lambda n, rng: 1e-2 * rng.standard_normal(n),
    "gain 1e-4": lambda n, rng: 1e-4 * rng.standard_normal(n),
    "gain 1e-6": lambda n, rng: 1e-6 * rng.standard_normal(n),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_mfcc_are_librosas_on_difficult_signals(signal, rng):
    clip = SIGNALS[signal](15_000, rng).astype(np.float32)
    actual = frames_of(MFCCExtractor(), clip)
    assert_frames_close(actual, librosa_mfcc(clip))


def test_silence_has_one_nonzero_coefficient():
    frames = frames_of(MFCCExtractor(), np.zeros(10_000))
    assert_allclose(frames[:, 0], -100 * np.sqrt(128), rtol=1e-6)
    assert_allclose(frames[:, 1:], 0, atol=1e-3)
    assert_array_equal(frames_of(MelSpectrogram(), np.zeros(10_000)), 0)
    level = frames_of(MelSpectrogram(compression="db"), np.zeros(10_000))
    assert_allclose(level, -100)


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("n_fft", [511, 512])
@pytest.mark.parametrize("n_samples", [1, 255, 256, 257, 1281])
def test_frame_count_is_librosas(n_samples, n_fft, music):
    options = {"n_fft": n_fft, "hop_length": 256, "n_mels": 20}
    frames = frames_of(MelSpectrogram(**options), music(n_samples))
    assert len(frames) == len(librosa_mel(music(n_samples), **options))


@pytest.mark.parametrize("n_frames", [1, 2, 5, 8])
def test_clips_shorter_than_the_delta_window_repeat_their_edge_frames(n_frames, music):
    clip = music(512 * n_frames - 1)
    frames = frames_of(MFCCExtractor(n_mfcc=5), clip)
    assert frames.shape == (n_frames, 15)
    padded = np.pad(frames[:, :5].astype(np.float64), ((4, 4), (0, 0)), mode="edge")
    ramp = np.arange(-4, 5) / 60
    bowl = np.array([28, 7, -8, -17, -20, -17, -8, 7, 28]) / 462
    for t in range(n_frames):
        window = padded[t : t + 9]
        assert_allclose(frames[t, 5:10], ramp @ window, atol=1e-4)
        assert_allclose(frames[t, 10:], bowl @ window, atol=1e-4)


def test_decibels_depend_on_the_loudest_moment_and_log_does_not(music):
    loud_end = np.concatenate([music(20_480) * np.float32(1e-4), np.ones(5_000)])
    part = loud_end[:20_480]
    log = MelSpectrogram()
    assert_array_equal(frames_of(log, loud_end)[:39], frames_of(log, part)[:39])
    level = MelSpectrogram(compression="db")
    assert np.any(frames_of(level, loud_end)[:39] != frames_of(level, part)[:39])


def test_double_precision_waveforms_give_the_frames_of_single_precision(music):
    clip = music(9_000)
    for extractor in (MelSpectrogram(), MFCCExtractor()):
        assert_array_equal(
            frames_of(extractor, clip.astype(np.float64)), frames_of(extractor, clip)
        )


def test_half_precision_is_single_precision_rounded(music):
    clip = music(9_000)
    for extractor in (MelSpectrogram, MFCCExtractor):
        expected = frames_of(extractor(), clip).astype(np.float16)
        frames = frames_of(extractor(dtype="float16"), clip)
        assert frames.dtype == np.float16
        assert_array_equal(frames, expected)


def test_max_duration_of_a_waveform_keeps_its_beginning(music):
    clip = music(22_050)
    frames = frames_of(MFCCExtractor(max_duration=0.5), clip)
    assert_array_equal(frames, frames_of(MFCCExtractor(), clip[:11_025]))


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
