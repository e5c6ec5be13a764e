"""The seconds that make a song right: found, drawn, and summing to the score."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    FramePooling,
    MFCCExtractor,
    VectorQuantizer,
)
from skcoldstart.inspection import MomentsDisplay

SR = 8000


@pytest.fixture(scope="module")
def model():
    """A model whose users like noise, and songs of noise in silence."""
    rng = np.random.default_rng(0)
    noisy = np.arange(40) % 2 == 0
    clips = [
        (0.5 if loud else 0.001) * rng.normal(size=SR).astype("f4") for loud in noisy
    ]
    plays = np.where(noisy[:, None] == (np.arange(20) < 10), 3, 0)
    words = VectorQuantizer(8, random_state=0), BagOfWords(8, weighting="frequency")
    regressor = make_pipeline(MFCCExtractor(sr=SR), *words, Ridge(0.01))
    return ColdStartRecommender(regressor, WMF(2, random_state=0)).fit(clips, plays)


@pytest.fixture(scope="module")
def song():
    rng = np.random.default_rng(1)
    song = 0.001 * rng.normal(size=6 * SR)
    song[3 * SR : 4 * SR] *= 500
    return song.astype("f4")


def test_the_second_that_users_like_is_found(model, song):
    search = GridSearchCV(model, {})
    search.best_estimator_ = model
    for estimator in (model, search):
        display = MomentsDisplay.from_estimator(estimator, song, [0, 1])
        ((start, end, contribution),) = display.moments(1, length=1.0)
        assert abs(start - 3) < 0.2 and abs(end - 4) < 0.2
        score = model.predict([song])[0, [0, 1]].mean()
        total = display.base + np.sum(display.contributions)
        assert_allclose(total, score, rtol=1e-5)
        assert contribution > 0.9 * np.sum(display.contributions)
        assert_array_equal(display.waveform, song)
        assert display.sr == SR
    others = MomentsDisplay.from_estimator(model, song, [15])
    ((start, end, _),) = others.moments(1, length=1.0)
    assert end < 3.1 or start > 3.9


def test_a_file_is_heard_as_its_waveform(model, song, tmp_path):
    soundfile.write(tmp_path / "a.wav", song, SR, subtype="FLOAT")
    from_file, from_sound = (
        MomentsDisplay.from_estimator(model, item, [0])
        for item in (tmp_path / "a.wav", song)
    )
    assert_array_equal(from_file.waveform, from_sound.waveform)
    assert_array_equal(from_file.contributions, from_sound.contributions)


def test_moments_of_hand_made_contributions():
    values = [0, 5, 2, 0, 0, 3, 3, 0, -9, 0.5]
    display = MomentsDisplay(values, frame_s=0.5)
    # The next would add less than an average second.
    assert display.moments(3, length=1.0) == [(0.5, 1.5, 7.0), (2.5, 3.5, 6.0)]
    assert MomentsDisplay(values).moments(1, length=1) == [(1.0, 2.0, 5.0)]
    # A song may be shorter than a moment, or have no part above the others.
    assert display.moments(3, length=60.0) == [(0.0, 5.0, 4.5)]
    assert MomentsDisplay([1.0] * 9).moments(length=2) == []
    assert MomentsDisplay([]).moments() == []
    assert display.table["start"].tolist()[:3] == [0.0, 0.5, 1.0]
    assert display.table["contribution"].tolist() == values


def test_panels_share_time_and_mark_the_moments(model, song):
    display = MomentsDisplay.from_estimator(model, song, [0, 1]).plot(n=1, length=1.0)
    assert len(display.axes_) == 3 and len(display.axes_[1].images) == 1
    ((start, end, _),) = display.moments(1, length=1.0)
    for ax in display.axes_:
        assert_allclose(ax.get_xlim(), (0, 6), atol=0.1)
        edges = {line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2}
        assert {start, end} <= edges
    assert [text.get_text() for text in display.axes_[0].texts] == ["1"]
    title = display.axes_[-1].get_title(loc="right")
    assert title.startswith(f"score {model.predict([song])[0, :2].mean():.3g}")


def test_frames_or_the_score_alone_are_drawn(model):
    rng = np.random.default_rng(0)
    frames, plays = rng.normal(size=(30, 9, 3)), rng.poisson(1.0, (30, 12))
    pooled = make_pipeline(FramePooling(["mean"]), Ridge())
    pooled = ColdStartRecommender(pooled, WMF(2)).fit(frames, plays)
    display = MomentsDisplay.from_estimator(pooled, frames[0], [1]).plot(length=2)
    assert len(display.axes_) == 2
    assert display.axes_[-1].get_xlabel() == "frame"
    extent = display.axes_[0].images[0].get_extent()
    assert tuple(extent[:2]) == display.axes_[-1].get_xlim() == (0, 9)
    _, ax = plt.subplots()
    assert MomentsDisplay([1.0, 2.0]).plot(ax).axes_ == [ax]


TWO = MomentsDisplay([1.0, 2.0])


@pytest.mark.parametrize(
    "draw, message",
    [
        (lambda *_: TWO.moments(0), "n=0, length=5.0; expected numbers above 0"),
        (lambda *_: TWO.moments(length=0), "length=0; expected"),
        (lambda *_: TWO.plot([1, 2]), "Got 2 Axes; expected 1"),
        (lambda *_: MomentsDisplay([]).plot(), r"shape \(0,\); expected one for each"),
        (lambda *_: MomentsDisplay(np.eye(2)).plot(), r"shape \(2, 2\)"),
        (lambda *of: MomentsDisplay.from_estimator(*of, []), "users is empty"),
    ],
)
def test_what_does_not_fit_is_said(draw, message, model, song):
    with pytest.raises(ValueError, match=message):
        draw(model, song)
