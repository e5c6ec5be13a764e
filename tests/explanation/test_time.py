"""Scores by window of the sound: they add up, and their seconds are right."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    AudioEmbedding,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentKNNRecommender,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    VectorQuantizer,
    explain,
)
from skcoldstart.compose import score_over_time
from tests.explanation.tables import rows_of, sums

SR, USERS = 8000, [2, 0, 7]


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=n).astype("f4") for n in rng.integers(40_000, 60_000, 12)]
    return clips, rng.poisson(1.0, (12, 15))


def of_time(found, item=0, user=2):
    """Return the windows of one item and user: (start, end) -> contribution."""
    windows = {}
    for row in rows_of(found):
        if (row["item"], row["user"], row["kind"]) == (item, user, "time"):
            start, _, end, unit = row["source"].split()
            assert unit == "s"
            windows[float(start), float(end)] = row["contribution"]
    return dict(sorted(windows.items()))


def check_sums(model, X, **params):
    found = explain(model, X, USERS, by="time", **params)
    scores = model.predict(X)
    got, expected = sums(found, scores.shape)[:, USERS], scores[:, USERS]
    assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * np.abs(scores).max())
    return found


def content(kind):
    network = CNNFactorRegressor(
        **{"window": 75, "n_filters": (4,), "hidden": (4,), "max_epochs": 1},
        **{"device": "cpu", "validation_fraction": 0, "random_state": 0},
    )
    hop = {"sr": SR, "hop_length": 160}  # 20 ms
    return {
        "codewords": [
            *(MFCCExtractor(**hop), VectorQuantizer(6, random_state=0)),
            *(BagOfWords(6), StandardScaler(), Ridge()),
        ],
        "statistics": [MelSpectrogram(**hop), FramePooling(["mean", "max"]), Ridge()],
        "network": [MelSpectrogram(**hop, n_mels=8), network],
        "embedding": [
            AudioEmbedding(
                lambda waves: np.abs(np.fft.rfft(waves, axis=1))[:, 1:6].astype("f4"),
                **{"sr": SR, "window": 2.0, "hop": 1.0},
            ),
            Ridge(),
        ],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "length", "step"),
    [
        ("codewords", 3.0, 3.0),
        ("statistics", 3.0, 3.0),
        pytest.param("network", 1.5, 1.5, marks=pytest.mark.slow),
        ("embedding", 2.0, 1.0),
    ],
)
def test_windows_add_up_and_have_the_seconds_of_the_model(world, kind, length, step):
    clips, plays = world
    model = ColdStartRecommender(
        make_pipeline(*content(kind)), WMF(3, random_state=0)
    ).fit(clips, plays)
    check_sums(model, clips[:3], n=1)
    windows = of_time(check_sums(model, clips[:3], n=None))
    starts, ends = np.array(list(windows)).T
    assert_allclose(np.diff(starts)[:-1], step, atol=0.051)
    assert_allclose((ends - starts)[:-1], length, atol=0.051)
    assert abs(ends[-1] - len(clips[0]) / SR) <= length
    # The same contributions as of the frames of each window.
    _, contributions, frame_s = score_over_time(model, clips[0], USERS)
    if kind in ("codewords", "statistics"):
        first = contributions[: round(3.0 / frame_s), 0].sum()
        assert_allclose(windows[0.0, 3.0], first, rtol=1e-5, atol=1e-9)


def test_the_second_with_the_tone_is_named(world):
    rng = np.random.default_rng(1)
    clips = [0.01 * rng.normal(size=12 * SR).astype("f4") for _ in range(20)]
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * SR) / SR).astype("f4")
    plays = np.zeros((20, 15), int)
    plays[::2, :8], plays[1::2, 8:] = 1, 1
    for clip in clips[::2]:  # those of the first users have a tone somewhere
        start = SR * rng.integers(0, 9)
        clip[start : start + len(tone)] += tone
    new = 0.01 * rng.normal(size=12 * SR).astype("f4")
    new[6 * SR : 9 * SR] += tone
    extractor = MelSpectrogram(sr=SR, hop_length=160, n_mels=16)
    model = ColdStartRecommender(
        make_pipeline(extractor, FramePooling(["mean"]), Ridge(0.1)),
        WMF(3, random_state=0),
    ).fit(clips, plays)
    windows = of_time(check_sums(model, [new], n=None))
    assert max(windows, key=windows.get) == (6.0, 9.0)


def test_users_keep_their_names_and_frames_without_seconds_are_counted(world):
    rng = np.random.default_rng(2)
    frames, plays = rng.normal(size=(30, 8, 2)), rng.poisson(1.0, (30, 4))
    model = ColdStartRecommender(
        make_pipeline(FramePooling(["mean"]), Ridge()), WMF(2, random_state=0)
    ).fit(frames, plays, user_ids=["a", "b", "c", "d"])
    found = explain(model, frames[:2], ["c"], n=2, by="time")
    assert set(found["user"]) == {"c"}
    assert {source.split()[0] for source in found["source"]} <= {
        *("frames", "(without", "(everything")
    }


def test_models_without_sound_are_refused(world):
    X, y = np.eye(4), np.eye(4)
    with pytest.raises(TypeError, match="receives no frames to pool"):
        explain(ContentKNNRecommender().fit(X, y), X, [0], by="time")
