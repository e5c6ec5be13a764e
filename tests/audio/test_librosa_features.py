"""Features of librosa: its very numbers, on the frames of the other extractors."""

import sys
from functools import partial

import joblib
import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skcoldstart import FramePooling, LibrosaFeatures, MelSpectrogram, MFCCExtractor
from skcoldstart.audio import AudioReadError
from tests.audio.conftest import assert_same_frames

N_SAMPLES = 40_000
DEFAULTS = LibrosaFeatures().features


def loudness(y, sr):
    """Return the peak of each frame, and a constant."""
    frames = np.pad(y, (0, 512))[: (1 + len(y) // 512) * 512].reshape(-1, 512)
    return np.stack([np.abs(frames).max(axis=1), np.full(len(frames), sr)])


@pytest.fixture
def clip(music):
    return music(N_SAMPLES)


@pytest.mark.parametrize(
    "name",
    [
        *DEFAULTS,
        *("chroma_cens", "chroma_stft", "mfcc", "melspectrogram", "poly_features"),
        *("spectral_bandwidth", "spectral_centroid", "spectral_flatness"),
        *("spectral_rolloff", "tempogram_ratio"),
    ],
)
def test_values_are_librosas(name, clip):
    frames = LibrosaFeatures(name).fit_transform([clip])[0]
    expected = getattr(librosa.feature, name)(y=clip)
    assert frames.dtype == np.float32
    assert frames.shape == expected.T.shape
    scale = np.abs(expected).max()
    assert_allclose(frames, expected.T, rtol=1e-5, atol=1e-6 * scale)


def test_frames_of_several_features_lie_side_by_side_and_where_others_lie(clip):
    clips = [clip, clip[:5_000]]
    frames = LibrosaFeatures(("rms", loudness, "chroma_stft")).transform(clips)
    assert_array_equal(frames.lengths, MFCCExtractor().transform(clips).lengths)
    assert_array_equal(frames.lengths, MelSpectrogram().transform(clips).lengths)
    assert frames[0].shape[1] == 1 + 2 + 12
    assert_array_equal(frames[0][:, 1:3], loudness(clip, 22050).T.astype(np.float32))
    alone = LibrosaFeatures("chroma_stft").transform(clips)
    assert_array_equal(frames[1][:, 3:], alone[1])


def test_sr_frames_and_params_reach_librosa(clip):
    extractor = LibrosaFeatures(
        ("spectral_rolloff", "rms", "chroma_stft"),
        params={"spectral_rolloff": {"roll_percent": 0.5}, "chroma_stft": {"norm": 1}},
        sr=16_000,
        n_fft=512,
        hop_length=160,
    )
    frames = extractor.transform([clip])[0]
    stft = {"sr": 16_000, "n_fft": 512, "hop_length": 160}
    rolloff = librosa.feature.spectral_rolloff(y=clip, roll_percent=0.5, **stft)
    rms = librosa.feature.rms(y=clip, frame_length=512, hop_length=160)
    chroma = librosa.feature.chroma_stft(y=clip, norm=1, **stft)
    assert_allclose(frames, np.vstack([rolloff, rms, chroma]).T, rtol=1e-5)


def test_one_number_for_a_clip_stands_in_every_frame(clip):
    frames = LibrosaFeatures("tempo").transform([clip])[0]
    assert frames.shape == (1 + N_SAMPLES // 512, 1)
    assert_allclose(frames, librosa.feature.tempo(y=clip)[0])


def trimmed(y):
    return librosa.effects.trim(y)[0]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("harmonic", librosa.effects.harmonic),
        ("percussive", librosa.effects.percussive),
        ("trim", trimmed),
        (("trim", "harmonic"), lambda y: librosa.effects.harmonic(trimmed(y))),
        (lambda y: y[::-1], lambda y: y[::-1]),
    ],
)
def test_preprocessing_comes_first(steps, expected, clip):
    padded = clip.copy()
    padded[:4_000] = padded[36_000:] = 0
    frames = LibrosaFeatures("rms", preprocess=steps).transform([padded])[0]
    wanted = librosa.feature.rms(y=np.ascontiguousarray(expected(padded)))
    assert_allclose(frames, wanted.T, rtol=1e-5, atol=1e-8)


def test_pooled_frames_are_rows_with_names(clip):
    extractor = LibrosaFeatures(("rms", "chroma_stft"), pooling=("mean", "max"))
    clips = [clip, clip[:9_000]]
    rows = extractor.fit_transform(clips)
    frames = clone(extractor).set_params(pooling=None).transform(clips)
    assert_array_equal(rows, FramePooling(("mean", "max")).fit_transform(frames))
    names = extractor.get_feature_names_out()
    assert names[[0, 1, 13]].tolist() == ["mean_rms0", "mean_chroma_stft0", "max_rms0"]
    table = extractor.set_output(transform="pandas").transform(clips)
    assert table.columns.tolist() == names.tolist()
    extractor.set_params(pooling=None).set_output(transform="pandas")
    assert_same_frames(extractor.transform(clips), frames)
    assert extractor.get_feature_names_out()[1] == "chroma_stft0"


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_same_bits_for_any_number_of_workers(backend, clip):
    clips = [clip, clip[:9_000], clip[:20_000]]
    extractor = LibrosaFeatures(("chroma_cqt", "rms"))
    expected = extractor.transform(clips)
    with joblib.parallel_config(backend=backend):
        actual = clone(extractor).set_params(n_jobs=2).transform(clips)
    assert_same_frames(actual, expected)


def test_store_and_lazy_give_the_same_frames(clip, folder, n_computed):
    for args, options in [
        (("rms",), {}),
        (("rms",), {"n_fft": 512}),
        (("rms",), {"params": {"rms": {"pad_mode": "edge"}}}),
        (("rms",), {"preprocess": "harmonic"}),
        (("rms",), {"preprocess": lambda y: y * np.float32(2)}),
        (("rms",), {"preprocess": lambda y: y * np.float32(3)}),
        ((loudness,), {}),
        ((lambda y, sr: 2 * loudness(y, sr),), {}),
        (("rms",), {"preprocess": partial(np.roll, shift=9_000)}),
    ]:
        expected = LibrosaFeatures(*args, **options).transform([clip])
        lazy = LibrosaFeatures(*args, **options, lazy=True).transform([clip])
        assert_array_equal(lazy[0], expected[0])
        stored = LibrosaFeatures(*args, **options, store=folder)
        assert_same_frames(stored.transform([clip]), expected)
        n_computed()
        assert_same_frames(stored.transform([clip]), expected)
        assert n_computed() == 0
    assert len(list(folder.iterdir())) == 9


def failing(y, sr):
    if len(y) < 20_000:
        raise RuntimeError("too short for me")
    return np.ones((1, 1 + len(y) // 512))


def not_finite(y, sr):
    return np.full((1, 1 + len(y) // 512), 0.0 if len(y) > 20_000 else np.nan)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"features": failing}, r"failing failed \(too short for me\)"),
        ({"features": not_finite}, "not_finite is NaN or infinite"),
        ({"features": "rms", "preprocess": lambda y: y[9_000:]}, "leaves no samples"),
    ],
)
def test_a_clip_that_a_feature_cannot_use_is_a_bad_item(options, reason, clip):
    clips = [clip, clip[:9_000]]
    with pytest.raises(AudioReadError, match=rf"item 1: .*{reason}"):
        LibrosaFeatures(**options).transform(clips)
    ignoring = LibrosaFeatures(**options, on_error="ignore")
    assert_array_equal(ignoring.transform(clips).lengths > 0, [True, False])
    pooled = clone(ignoring).set_params(pooling=("max",)).transform(clips)
    assert pooled.shape == (2, 1)
    assert not pooled[1].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "chroma"}, "features holds 'chroma'; expected functions"),
        ({"features": "delta"}, "features holds 'delta'; expected functions"),
        ({"features": ()}, "features is empty"),
        ({"features": "rms", "params": {"mfcc": {}}}, r"params has \['mfcc'\]"),
        ({"features": "rms", "params": {"rms": {"x": 1}}}, "rms failed .*unexpected"),
        ({"features": "fourier_tempogram"}, "returned complex64 of shape"),
        ({"features": lambda y, sr: np.ones(3)}, r"shape \(1, 3\), not real numbers"),
        ({"features": lambda y, sr: np.ones((2, 2, 999))}, "shape"),
        ({"features": "rms", "preprocess": ("trim", "louder")}, "holds 'louder'"),
        ({"features": "rms", "pooling": ("mode",)}, "statistics holds 'mode'"),
    ],
)
def test_parameters_that_give_no_features_are_refused_by_fit(options, message, clip):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=message):
            getattr(LibrosaFeatures(**options), method)([clip])


def test_librosa_is_named_where_it_is_missing(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[librosa\]"):
        LibrosaFeatures("rms").fit([clip])
