"""Scores of an item as sums over its frames: exact, or refused."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcoldstart import (
    WMF,
    AudioEmbedding,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentProfileRecommender,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    RandomRecommender,
    VectorQuantizer,
)
from skcoldstart.compose import score_over_time

N_USERS = 15
USERS = [2, 0, 7]


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(n, 4)).astype("f4") for n in rng.integers(5, 40, 30)]
    return frames, rng.poisson(1.0, (30, N_USERS))


def recommender(*steps):
    return ColdStartRecommender(make_pipeline(*steps), WMF(3, random_state=0))


def check_sums(model, item, users=USERS):
    base, contributions, frame_s = score_over_time(model, item, users)
    scores = model.predict([item])[0, users]
    assert_allclose(base + contributions.sum(axis=0), scores, rtol=1e-6, atol=1e-8)
    return base, contributions, frame_s


@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize("weighting", ["count", "frequency", "sqrt", "tfidf"])
def test_frames_of_bags_of_words_add_up_to_the_score(world, weighting, sparse_output):
    frames, plays = world
    bag = BagOfWords(6, weighting=weighting, sparse_output=sparse_output)
    words = VectorQuantizer(6, random_state=0), bag
    scaler = StandardScaler(with_mean=not sparse_output)
    for model in (
        recommender(*words, scaler, Ridge()),
        make_pipeline(*words, recommender(scaler, PCA(3), Ridge())),
        recommender(*words, TransformedTargetRegressor(Ridge(), check_inverse=False)),
    ):
        model.fit(frames, plays)
        _, contributions, _ = check_sums(model, frames[3])
        # Frames of one codeword are alike.
        codes = words[0].fit(frames).transform(frames[3:4])[0]
        for code in np.unique(codes):
            own = contributions[codes == code]
            assert_array_equal(own, np.broadcast_to(own[0], own.shape))


def test_a_frame_that_is_left_out_takes_its_contribution_along(world):
    frames, plays = world
    model = recommender(VectorQuantizer(6, random_state=0), BagOfWords(6), Ridge())
    model.fit(frames, plays)
    _, contributions, _ = score_over_time(model, frames[3], USERS)
    less = np.delete(frames[3], 4, axis=0)
    scores = model.predict([frames[3], less])[:, USERS]
    rounding = 1e-6 * np.abs(scores).max()
    assert_allclose(scores[0] - scores[1], contributions[4], atol=rounding)


def test_means_and_extremes_belong_to_their_frames(world):
    frames, plays = world
    for statistics in (["mean"], ["max", "min"], ["mean", "max"]):
        model = recommender(FramePooling(statistics), StandardScaler(), Ridge())
        check_sums(model.fit(frames, plays), frames[3])
    search = GridSearchCV(
        make_pipeline(FramePooling(["mean"]), recommender(Ridge())),
        {"framepooling__statistics": [["max"]]},
        cv=2,
        scoring=lambda model, X, y: 0.0,
    )
    check_sums(search.fit(frames, plays), frames[3])


@pytest.mark.slow
@pytest.mark.parametrize("n_frames", [5, 16, 40, 41])
def test_windows_of_a_network_share_its_prediction(world, n_frames):
    frames, plays = world
    network = CNNFactorRegressor(
        **{"window": 16, "n_filters": (4,), "hidden": (4,), "max_epochs": 1},
        **{"device": "cpu", "validation_fraction": 0, "random_state": 0},
    )
    model = ColdStartRecommender(network, WMF(3, random_state=0)).fit(frames, plays)
    item = np.random.default_rng(1).normal(size=(n_frames, 4)).astype("f4")
    base, contributions, _ = check_sums(model, item)
    # The density of a window is that of its frames, where windows do not overlap.
    first = contributions[: min(16, n_frames % 16 or 16)]
    assert_allclose(first, np.broadcast_to(first[0], first.shape), rtol=1e-12)
    if n_frames == 16:
        alone = model.predict([item])[0, USERS] - base
        assert_allclose(contributions.sum(axis=0), alone, rtol=1e-6)


def test_windows_of_a_pretrained_network_have_their_seconds(world):
    rng = np.random.default_rng(2)
    clips = [rng.normal(size=n).astype("f4") for n in rng.integers(4000, 9000, 30)]

    def spectrum(windows):
        return np.abs(np.fft.rfft(windows, axis=1))[:, 1:6].astype("f4")

    heard = AudioEmbedding(spectrum, sr=1000, window=1.0, hop=0.5)
    model = make_pipeline(heard, recommender(Ridge())).fit(clips, world[1])
    _, contributions, frame_s = check_sums(model, clips[3])
    assert frame_s == 0.5 and len(contributions) >= 7


def test_seconds_come_from_the_extractor(world):
    rng = np.random.default_rng(3)
    clips = [rng.normal(size=n).astype("f4") for n in rng.integers(4000, 9000, 30)]
    for extractor in (MFCCExtractor(), MelSpectrogram(sr=8000, hop_length=100)):
        words = VectorQuantizer(6, random_state=0), BagOfWords(6)
        model = make_pipeline(extractor, *words, recommender(Ridge()))
        _, contributions, frame_s = check_sums(model.fit(clips, world[1]), clips[0])
        assert frame_s == extractor.hop_length / extractor.sr
        assert len(contributions) == len(extractor.transform(clips[:1])[0])


def test_an_item_without_frames_has_its_score_as_base(world):
    frames, plays = world
    model = recommender(VectorQuantizer(6, random_state=0), BagOfWords(6), Ridge())
    _, contributions, _ = check_sums(model.fit(frames, plays), frames[0][:0])
    assert contributions.shape == (0, 3)


def test_users_are_chosen_by_name(world):
    frames, plays = world
    table = pd.DataFrame(plays, columns=[f"u{i}" for i in range(N_USERS)])
    model = recommender(FramePooling(["mean"]), Ridge()).fit(frames, table)
    by_name = score_over_time(model, frames[0], ["u2", "u0"])
    by_place = score_over_time(model.fit(frames, plays), frames[0], [2, 0])
    assert_array_equal(by_name.contributions, by_place.contributions)
    model.fit(frames, table)
    with pytest.raises(ValueError, match="'nobody', not seen in fit"):
        score_over_time(model, frames[0], ["nobody"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "steps, message",
    [
        ([FramePooling(["mean"]), Normalizer(), Ridge()], "are not sums over time"),
        ([FramePooling(["mean"]), MLPRegressor(max_iter=5)], "are not sums over time"),
        ([FramePooling(["mean", "std"]), Ridge()], "has std, which is not a sum"),
        ([FramePooling(["mean"], delta=True), Ridge()], "has delta, which is not a"),
    ],
)
def test_what_is_no_sum_is_refused(world, steps, message):
    frames, plays = world
    with pytest.raises(TypeError, match=message):
        score_over_time(recommender(*steps).fit(frames, plays), frames[0], USERS)


def test_models_that_pool_no_frames_are_refused(world):
    frames, plays = world
    rows = np.array([item[0] for item in frames])
    for model, message in (
        (ColdStartRecommender(Ridge(), WMF(2)), "Ridge receives no frames to pool"),
        (ContentProfileRecommender(), "ContentProfileRecommender receives no frames"),
        (RandomRecommender(), "RandomRecommender receives no frames"),
    ):
        with pytest.raises(TypeError, match=message):
            score_over_time(model.fit(rows, plays), rows[0], USERS)
    with pytest.raises(TypeError, match="Ridge is not a recommender"):
        score_over_time(Ridge().fit(rows, plays), rows[0], USERS)
