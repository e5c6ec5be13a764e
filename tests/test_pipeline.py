"""From audio files to recommendations, through scikit-learn's own tools."""

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    train_test_split,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MelSpectrogram,
    MFCCExtractor,
    RandomRecommender,
    VectorQuantizer,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.datasets import make_music_catalog
from skcoldstart.metrics import mean_auc, mean_average_precision_at_k
from skcoldstart.model_selection import cross_validate

SR = 8000
N_TRAIN, N_USERS = 60, 100


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """Short songs in files, and who played them."""
    return make_music_catalog(
        tmp_path_factory.mktemp("songs"),
        n_songs=80,
        n_artists=40,
        n_genres=4,
        n_users=N_USERS,
        audible=1.0,
        duration_s=1.0,
        sr=SR,
        random_state=0,
    )


def _content_steps(**audio):
    """Return the steps from audio to a short table, as the paper takes them."""
    frames = {"sr": SR, "n_fft": 256, "hop_length": 128, "n_mels": 40}
    return [
        ("mfcc", MFCCExtractor(**frames, **audio)),
        ("vq", VectorQuantizer(12, random_state=0)),
        ("bow", BagOfWords()),
        ("pca", PCA(6, random_state=0)),
    ]


def _wmf():
    return WMF(n_components=4, random_state=0)


def _recommender(*, memory=None, **audio):
    """Return one Pipeline from audio to scores."""
    last = ("recommend", ColdStartRecommender(Ridge(), _wmf()))
    return Pipeline([*_content_steps(**audio), last], memory=memory)


@pytest.fixture(scope="module")
def songs(catalog):
    """Return the songs of fit, their plays, and new songs."""
    paths, plays = catalog.paths, catalog.plays
    return paths[:N_TRAIN], plays[:N_TRAIN], paths[N_TRAIN:]


@pytest.fixture(scope="module")
def fitted(songs):
    return _recommender().fit(*songs[:2])


def test_one_pipeline_is_its_steps_before_or_inside_the_recommender(songs, fitted):
    train, plays, new = songs
    expected = fitted.predict(new)
    inside = ColdStartRecommender(
        Pipeline([*_content_steps(), ("ridge", Ridge())]), _wmf()
    ).fit(train, plays)
    assert_allclose(inside.predict(new), expected, rtol=1e-6, atol=1e-9)
    lists = inside.recommend(new, n=5)
    for _, step in _content_steps():
        train, new = step.fit_transform(train), step.transform(new)
    by_hand = ColdStartRecommender(Ridge(), _wmf()).fit(train, plays)
    assert_array_equal(by_hand.predict(new), expected)
    assert_array_equal(lists.items, by_hand.recommend(new, n=5).items)


def test_files_and_their_waveforms_give_the_same_recommendations(songs, fitted):
    import soundfile

    waveforms = [soundfile.read(path)[0] for path in songs[2]]
    expected = fitted.predict(songs[2])
    assert_allclose(fitted.predict(waveforms), expected, rtol=1e-5, atol=1e-6)


def test_frames_computed_when_read_give_the_same_predictions(songs, fitted):
    train, plays, new = songs
    lazy = _recommender(lazy=True).fit(train, plays)
    assert_array_equal(lazy.predict(new), fitted.predict(new))


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_search_tunes_audio_codebook_and_regressor(catalog, tmp_path, n_jobs):
    grid = {
        "vq__n_codewords": [4, 16],
        "pca__n_components": [0.7, 0.95],
        "recommend__regressor__alpha": [0.1, 1e5],
    }
    search = GridSearchCV(
        _recommender(memory=str(tmp_path)),
        grid,
        scoring=recommendation_scorer,
        refit="map",
        cv=GroupKFold(3),
        n_jobs=n_jobs,
        error_score="raise",
    ).fit(catalog.paths, catalog.plays, groups=catalog.artists)

    results = search.cv_results_
    assert len(results["params"]) == 8
    assert np.isfinite(results["mean_test_map"]).all()
    assert np.ptp(results["mean_test_map"]) > 1e-3
    assert search.best_score_ == results["mean_test_map"].max()

    # The same candidate without a cache, a search or a second process.
    candidate = _recommender().set_params(**search.best_params_)
    folds = {"cv": GroupKFold(3), "groups": catalog.artists}
    alone = cross_validate(candidate, catalog.paths, catalog.plays, **folds)
    assert_allclose(alone["test_map"].mean(), search.best_score_, rtol=1e-9)
    candidate.fit(catalog.paths, catalog.plays)
    best = search.best_estimator_.predict(catalog.paths)
    assert_allclose(candidate.predict(catalog.paths), best, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_a_model_from_a_file_predicts_the_same_in_another_process(
    songs, fitted, tmp_path
):
    new = songs[2]
    joblib.dump((fitted, new), tmp_path / "model.joblib")
    program = (
        "import sys, joblib, numpy as np\n"
        "model, paths = joblib.load(sys.argv[1])\n"
        "np.save(sys.argv[2], model.predict(paths))\n"
    )
    files = [str(tmp_path / name) for name in ("model.joblib", "scores.npy")]
    subprocess.run([sys.executable, "-c", program, *files], check=True, timeout=1800)
    assert_array_equal(np.load(files[1]), fitted.predict(new))


@pytest.fixture
def paths_with_a_broken_one(songs, tmp_path):
    """Return new paths whose third is no audio, and its position."""
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF, but nothing that could be heard")
    paths = list(songs[2])
    paths.insert(2, str(broken))
    return paths, 2


def test_a_broken_file_stops_the_pipeline_and_is_named(fitted, paths_with_a_broken_one):
    with pytest.raises(ValueError, match=r"broken\.wav"):
        fitted.predict(paths_with_a_broken_one[0])


@pytest.mark.parametrize("lazy", [False, True])
def test_a_broken_file_moves_no_row(songs, paths_with_a_broken_one, lazy):
    train, plays, new = songs
    paths, position = paths_with_a_broken_one
    model = _recommender(on_error="ignore", lazy=lazy).fit(train, plays)
    scores = model.predict(paths)
    others = np.delete(np.arange(len(paths)), position)
    expected = model.predict(new)
    assert_allclose(scores[others], expected, rtol=1e-6, atol=1e-9)

    counts = model[:3].transform(paths)
    assert_array_equal(counts[position], 0.0)
    assert (counts[others].sum(axis=1) > 0).all()
    silence = model[3:].predict(np.zeros((1, counts.shape[1])))
    assert_allclose(scores[[position]], silence, rtol=1e-6, atol=1e-9)
    if not lazy:
        error = model["mfcc"].errors_[0]
        assert (error.index, error.path) == (position, paths[position])


def test_a_model_learns_from_songs_of_which_one_is_broken(
    catalog, paths_with_a_broken_one
):
    paths, position = paths_with_a_broken_one
    plays = catalog.plays[: len(paths)]
    model = _recommender(on_error="ignore").fit(paths, plays)
    assert [error.index for error in model["mfcc"].errors_] == [position]
    folds = cross_validate(model, paths, plays, cv=3, error_score="raise")
    assert np.isfinite(folds["test_auc"]).all()


def _mean_frames(frames):
    return np.stack([item.mean(axis=0) for item in frames])


def test_a_union_puts_two_views_of_the_sound_side_by_side(songs):
    train, plays, new = songs
    timbre = Pipeline(_content_steps())
    mel = MelSpectrogram(sr=SR, n_fft=256, hop_length=128, n_mels=20)
    spectrum = make_pipeline(mel, FunctionTransformer(_mean_frames), StandardScaler())
    union = FeatureUnion([("timbre", timbre), ("spectrum", spectrum)])
    model = ColdStartRecommender(make_pipeline(union, Ridge()), _wmf()).fit(
        train, plays
    )

    views = [clone(timbre).fit(train), clone(spectrum).fit(train)]
    table, new_table = (
        np.hstack([view.transform(paths) for view in views]) for paths in (train, new)
    )
    assert table.shape == (N_TRAIN, 6 + 20)
    expected = ColdStartRecommender(Ridge(), _wmf()).fit(table, plays)
    # PCA computes the rows it is fitted on in another way, in float32.
    assert_allclose(
        model.predict(new), expected.predict(new_table), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("as_paths", [list, np.array, lambda p: [*map(Path, p)]])
def test_train_test_split_keeps_paths_and_plays_together(catalog, as_paths):
    paths, plays = as_paths(catalog.paths), catalog.plays
    number = np.arange(len(paths))
    split = train_test_split(paths, plays, number, random_state=0)
    paths_train, paths_test, plays_train, plays_test, train, test = split
    assert list(paths_test) == [paths[i] for i in test]
    assert (plays_test != plays[test]).nnz == 0
    model = _recommender().fit(paths_train, plays_train)
    expected = _recommender().fit([catalog.paths[i] for i in train], plays[train])
    assert_array_equal(
        model.predict(paths_test), expected.predict([catalog.paths[i] for i in test])
    )


def test_pandas_output_names_the_columns_and_changes_no_value(songs, fitted):
    train, plays, new = songs
    model = _recommender().set_output(transform="pandas").fit(train, plays)
    counts, components = model[:3].transform(new), model[:4].transform(new)
    assert isinstance(counts, pd.DataFrame)
    assert list(counts.columns) == [f"bagofwords{i}" for i in range(12)]
    assert list(components.columns) == [f"pca{i}" for i in range(6)]
    assert list(model[-1].feature_names_in_) == list(components.columns)
    assert_array_equal(counts, fitted[:3].transform(new))
    assert_array_equal(model.predict(new), fitted.predict(new))


@pytest.mark.slow
def test_successive_halving_takes_paths_and_sparse_plays(catalog):
    search = HalvingGridSearchCV(
        _recommender(),
        {"recommend__regressor__alpha": [1e-2, 1.0, 1e2, 1e4]},
        scoring=make_recommendation_scorer("auc"),
        cv=3,
        min_resources=20,
        factor=2,
        random_state=0,
    ).fit(catalog.paths, catalog.plays)
    assert search.n_resources_ == [20, 40, 80]
    assert search.n_candidates_ == [4, 2, 1]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict(catalog.paths[:2]).shape == (2, N_USERS)


def test_cross_validate_fits_and_ranks_each_fold_on_its_own(catalog):
    paths, plays = catalog.paths, catalog.plays
    model = _recommender()
    cv, groups = GroupKFold(3), catalog.artists
    scores = cross_validate(
        model, paths, plays, cv=cv, groups=groups, return_estimator=True
    )
    for fold, (train, test) in enumerate(cv.split(paths, groups=groups)):
        assert not set(groups[train]) & set(groups[test])
        by_hand = clone(model).fit([paths[i] for i in train], plays[train])
        predicted = by_hand.predict([paths[i] for i in test])
        expected = mean_average_precision_at_k(plays[test], predicted)
        assert_allclose(scores["test_map"][fold], expected, rtol=1e-6)
        assert_allclose(
            scores["test_auc"][fold], mean_auc(plays[test], predicted), rtol=1e-6
        )
        again = scores["estimator"][fold].predict([paths[i] for i in test])
        assert_array_equal(again, predicted)


def test_sound_tells_what_chance_cannot(catalog):
    folds = {"cv": GroupKFold(4), "groups": catalog.artists}
    heard = cross_validate(_recommender(), catalog.paths, catalog.plays, **folds)
    chance = cross_validate(
        RandomRecommender(random_state=0), catalog.paths, catalog.plays, **folds
    )
    # Four genres, two songs of each artist: most of the rest is fame, which is silent.
    assert heard["test_auc"].mean() > chance["test_auc"].mean() + 0.05
    assert heard["test_map"].mean() > chance["test_map"].mean()
