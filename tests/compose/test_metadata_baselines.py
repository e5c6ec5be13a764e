"""Popularity by metadata and by content."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from skcoldstart import (
    BlendRecommender,
    ContentProfileRecommender,
    PopularityRecommender,
    explain,
)
from skcoldstart.model_selection import cross_validate


@pytest.mark.parametrize(
    ("weighting", "weight"),
    [("binary", lambda r: r > 0), ("log", np.log1p), ("count", lambda r: r)],
)
def test_score_is_what_items_of_the_same_artist_are_played(weighting, weight, plays):
    artists = np.array([f"artist {i % 7}" for i in range(90)])
    model = PopularityRecommender(weighting=weighting)
    model.fit(artists[:60, None], plays[:60])
    totals = weight(plays[:60].toarray().astype(float)).sum(axis=1)
    expected = [totals[artists[:60] == artist].sum() for artist in artists[60:]]
    scores = model.predict(artists[60:, None])
    assert_allclose(scores, np.repeat(np.reshape(expected, (30, 1)), 50, axis=1))


def test_an_artist_without_plays_and_a_new_one_rank_last_together():
    X, y = np.array([[3.0], [5.0], [5.0]]), np.array([[2, 1], [0, 0], [0, 0]])
    model = PopularityRecommender().fit(X, y)
    assert_array_equal(model.predict([[5.0], [4.0], [3.0]])[:, 0], [0.0, 0.0, 2.0])


def test_the_column_is_named_counted_or_computed(plays):
    artists = np.array([f"a{i % 7}" for i in range(90)])
    frame = pd.DataFrame({"year": np.full(90, np.nan), "artist": artists})
    alone = PopularityRecommender().fit(artists[:, None], plays)
    expected = alone.predict_factors(artists[:, None])
    paths = [f"music/{artist}/{i}.wav" for i, artist in enumerate(artists)]
    for on, X in [
        ("artist", frame),
        (1, frame),
        (-1, frame.to_numpy()),
        (1, np.column_stack([np.arange(90), artists])),
        (lambda X: [path.split("/")[1] for path in X], paths),
        (np.asarray, artists),
    ]:
        model = PopularityRecommender(on).fit(X, plays)
        assert_array_equal(model.predict_factors(X), expected)


def test_popularity_says_nothing_about_new_artists(plays):
    X = np.arange(90)[:, None] % 9
    options = {"cv": GroupKFold(3), "groups": X.ravel()}
    results = cross_validate(PopularityRecommender(), X, plays, **options)
    assert_array_equal(results["test_auc"], 0.5)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_a_regressor_learns_the_logarithm_of_popularity(container, plays, rng):
    X = container(rng.poisson(1.0, size=(90, 4)).astype(float))
    plays = plays.tolil()
    plays[:5] = 0  # nobody played these: nothing is learnt from them
    plays = plays.tocsr()
    model = PopularityRecommender(Ridge(2.0), weighting="binary").fit(X, plays)
    n_users = (plays.toarray() > 0).sum(axis=1)
    expected = Ridge(2.0).fit(X[5:], np.log1p(n_users[5:])).predict(X)
    assert_allclose(model.predict(X), np.tile(expected[:, None], 50))
    searched = clone(model).set_params(on__alpha=3.0)
    assert (model.on.alpha, searched.on.alpha) == (2.0, 3.0)


def test_popularity_in_a_blend_serves_users_without_plays_and_is_explained(rng):
    X = rng.normal(size=(60, 3))
    y = rng.poisson(np.exp(1.5 * X[:, :1] - 1.0), size=(60, 30))
    y[:, 0] = 0
    popular = PopularityRecommender(Ridge())
    parts = [("profile", ContentProfileRecommender()), ("popularity", popular)]
    model = BlendRecommender(parts).fit(X[:40], y[:40])
    scores = model.predict(X[40:])
    alone = clone(popular).fit(X[:40], y[:40]).predict_factors(X[40:])[:, 0]
    assert_array_equal(np.argsort(scores[:, 0]), np.argsort(alone))
    parts = explain(model, X[40:], [3], n=None)
    sums = parts.groupby("item")["contribution"].sum()
    assert_allclose(sums, scores[:, 3], rtol=1e-9)
    assert "popularity" in set(parts["kind"])
    new = model.fold_in_users(y[:40, [3]])
    assert_allclose(model.predict_factors(X[40:]) @ new.T, scores[:, [3]])


@pytest.mark.parametrize(
    ("on", "X", "message"),
    [
        ("artist", np.ones((3, 2)), r"on='artist' is not among the columns of X, \[\]"),
        (2, np.ones((3, 2)), "on=2 but X has 2 columns"),
        (0, np.full((3, 2), np.nan), "NaN"),
        (lambda X: X, np.ones((3, 2)), r"on returned shape \(3, 2\) for 3 items"),
    ],
)
def test_columns_that_are_not_there_are_refused(on, X, message):
    with pytest.raises(ValueError, match=message):
        PopularityRecommender(on).fit(X, np.eye(3))
