"""Explanations: contributions are those of the model, and add up to its scores."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.dummy import DummyRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    RandomRecommender,
    explain,
)
from skcoldstart.compose import KernelRegressor
from tests.explanation.tables import by_source, rows_of, sums

N_TRAIN, N_USERS = 60, 25
_WMF = WMF(5, reg=1.0, random_state=0)


def cold(regressor, **options):
    return ColdStartRecommender(regressor, _WMF, **options)


SCALED = make_pipeline(StandardScaler(), cold(Ridge()))
PARTS = [("kernel", ContentKNNRecommender()), ("profile", ContentProfileRecommender())]
SCALER_RIDGE = make_pipeline(StandardScaler(), Ridge(3.0))
KERNEL = KernelRidge(0.5, kernel="rbf")
BY_ONE = {
    "soft kernel": ContentKNNRecommender(),
    "cosine kernel": ContentKNNRecommender(7, weighting="cosine"),
    "profile": ContentProfileRecommender(),
}
BY_BOTH = {
    "ridge": cold(Ridge(2.0)),
    "no intercept": cold(Ridge(2.0, fit_intercept=False)),
    "pipeline": cold(SCALER_RIDGE),
    "ridge of several": cold(RidgeCV([0.1, 10.0])),
    "all heads": cold(SCALER_RIDGE, play_weight=2.0, popularity_weight=0.5),
    "blend": BlendRecommender([*PARTS, ("ridge", SCALED)], weights=[1.0, 0.5, 2.0]),
}
BY_SONGS = {
    "kernel ridge": cold(KERNEL),
    "scaled kernel ridge": cold(make_pipeline(StandardScaler(), KERNEL)),
    "exact kernel, plays": cold(
        KernelRegressor(0.5, keep_inverse=True), play_weight=1.0
    ),
    "compressed norms": cold(Ridge(), norm_compression=2.0),
    "kernel ridge, all heads": cold(KERNEL, play_weight=1.0, popularity_weight=1.0),
    "pipeline of the recommender": SCALED,
}
MODELS = BY_ONE | BY_BOTH | BY_SONGS


@pytest.fixture
def world(rng):
    X = rng.normal(size=(N_TRAIN + 20, 6))
    taste = rng.normal(size=(6, N_USERS)) / 2
    y = rng.poisson(np.exp(X @ taste - 1))
    y[3] = 0  # a training item that nobody played
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:]


@pytest.mark.parametrize("name", MODELS)
def test_contributions_add_up_to_the_score(name, world):
    X, y, X_new = world
    model = MODELS[name].fit(X, y)
    scores = model.predict(X_new)
    ways = [{}] if name in BY_ONE else [{"by": "songs", "X_train": X}]
    if name in BY_BOTH:
        ways.append({"by": "content"})
    for options, n in itertools.product(ways, (3, None)):
        explanation = explain(model, X_new, np.arange(N_USERS), n=n, **options)
        found = sums(explanation, scores.shape)
        assert_allclose(found, scores, rtol=1e-5, atol=1e-5 * np.abs(scores).max())


def test_song_contributes_its_share_of_the_kernel(world):
    X, y, X_new = world
    model = ContentKNNRecommender(temperature=0.2).fit(X, y)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = X_new[0] / np.linalg.norm(X_new[0]) @ unit.T
    kernel = np.where(y.sum(axis=1) > 0, np.exp(cosine / 0.2), 0)
    expected = kernel / kernel.sum() * (y[:, 4] > 0)
    explanation = explain(model, X_new[:1], [4], n=None)
    assert set(explanation["kind"]) == {"song"}
    got = by_source(explanation)
    assert sorted(got) == np.flatnonzero(expected).tolist()
    assert_allclose([got[i] for i in sorted(got)], expected[expected > 0], rtol=1e-6)
    values = np.abs(explanation["contribution"]).tolist()
    assert values == sorted(values, reverse=True)


def test_songs_behind_factors_are_dual_weights_times_their_own_scores(world):
    X, y, X_new = world
    model = cold(Ridge(2.0, fit_intercept=False)).fit(X, y)
    played = np.flatnonzero(y.sum(axis=1))
    F = X[played]
    weights = X_new[0] @ np.linalg.solve(F.T @ F + 2 * np.eye(6), F.T)
    own = model.factorizer_.item_factors_[played] @ model.user_factors_[7]
    got = by_source(explain(model, X_new[:1], [7], n=None, X_train=X))
    assert_allclose([got[i] for i in played], weights * own, rtol=1e-3, atol=1e-6)


def test_columns_behind_factors_are_coefficients_times_values(world):
    X, y, X_new = world
    names = list("abcdef")
    content = make_pipeline(StandardScaler().set_output(transform="pandas"), Ridge())
    model = cold(content).fit(pd.DataFrame(X, columns=names), y)
    new = pd.DataFrame(X_new, columns=names)
    got = by_source(explain(model, new[:1], [2], n=None, by="content"))
    scaler, ridge = model.regressor_
    terms = scaler.transform(new).iloc[0] * (model.user_factors_[2] @ ridge.coef_)
    assert_allclose([got[name] for name in names], terms, rtol=1e-5)
    constant = model.user_factors_[2] @ ridge.intercept_
    assert_allclose(got["(all items alike)"], constant, rtol=1e-5)


def test_a_song_of_two_recommenders_is_named_once(world):
    X, y, X_new = world
    kernel, ridge = ContentKNNRecommender(), cold(Ridge())
    blend = BlendRecommender([("kernel", kernel), ("ridge", ridge)]).fit(X, y)
    explanation = explain(blend, X_new[:1], [4], n=None, X_train=X)
    got = by_source(explanation, "song")
    expected = {}
    for m, part in enumerate(blend.recommenders_):
        for row in rows_of(explain(part, X_new[:1], [4], n=None, X_train=X)):
            value = blend.scales_[m, 4] * row["contribution"]
            expected[row["source"]] = expected.get(row["source"], 0.0) + value
    assert_allclose([*got.values()], [expected[i] for i in got], rtol=1e-5)
    (constant,) = by_source(explanation, "constant").values()
    assert_allclose(constant, blend.shifts_[4], rtol=1e-6)


def test_groups_are_explained_by_content_alone(world):
    X, y, X_new = world
    model = cold(Ridge(), group_level=True)
    model.fit(X, y, groups=np.arange(N_TRAIN) // 2)
    scores = model.predict(X_new)
    found = sums(explain(model, X_new, np.arange(N_USERS), n=None), scores.shape)
    assert_allclose(found, scores, rtol=1e-4, atol=1e-5)
    with pytest.raises(TypeError, match="groups instead of songs"):
        explain(model, X_new, [0], X_train=X)


def test_sparse_content_is_explained_as_dense(world):
    X, y, X_new = world
    X, X_new = np.maximum(X, 0), np.maximum(X_new, 0)
    model = ContentProfileRecommender()
    dense = explain(model.fit(X, y), X_new, [0, 1], n=None)
    sparse = explain(model.fit(sp.csr_array(X), y), sp.csr_array(X_new), [0, 1], n=None)
    assert list(dense["source"]) == list(sparse["source"])
    assert_allclose(dense["contribution"], sparse["contribution"], rtol=1e-6)


def test_users_and_songs_have_their_names(world):
    X, y, X_new = world
    plays = pd.DataFrame(y, columns=[f"user {i}" for i in range(N_USERS)])
    ids = np.array([f"song {i}" for i in range(N_TRAIN)])
    model = ContentKNNRecommender().fit(X, plays)
    frame = explain(model, X_new, ["user 4"], n=2, item_ids=ids)
    assert set(frame["user"]) == {"user 4"}
    top = frame[frame["rank"] == 1]["source"]
    assert all(name.startswith("song ") for name in top)
    with pytest.raises(ValueError, match="stranger"):
        explain(model, X_new, ["stranger"])


@pytest.mark.parametrize(
    ("model", "options", "error", "match"),
    [
        (RandomRecommender(), {}, TypeError, "cannot be explained"),
        (ContentKNNRecommender(), {"by": "content"}, ValueError, "sums over songs"),
        (ContentKNNRecommender(), {"by": "words"}, ValueError, "expected 'auto'"),
        (ContentKNNRecommender(), {"n": 0}, ValueError, "at least 1"),
        (ContentKNNRecommender(), {"n": 1.5}, ValueError, "n=1.5; expected an integer"),
        (ContentKNNRecommender(), {"n": "2"}, ValueError, "n='2'; expected an integer"),
        (ContentKNNRecommender(), {"users": []}, ValueError, "users is empty"),
        (ContentKNNRecommender(), {"item_ids": ["a"]}, ValueError, "a name for each"),
        (StandardScaler(), {}, TypeError, "StandardScaler has no predict"),
        (cold(Ridge()), {"by": "songs"}, ValueError, "requires X_train"),
        (cold(DummyRegressor()), {"by": "content"}, TypeError, "not sums over columns"),
    ],
)
def test_what_cannot_be_explained_is_named(model, options, error, match, world):
    X, y, X_new = world
    with pytest.raises(error, match=match):
        explain(model.fit(X, y), X_new, **{"users": [0]} | options)


def test_other_content_than_that_of_fit_is_refused(world):
    X, y, X_new = world
    model = cold(Ridge()).fit(X, y)
    for other, message in (
        (X[::-1], "differ from the predictions"),
        (X[:10], "fitted on more"),
    ):
        with pytest.raises(ValueError, match=message):
            explain(model, X_new, [0], X_train=other)
