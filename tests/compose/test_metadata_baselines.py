"""Popularity by metadata, and content neighbours."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GroupKFold

from skcoldstart import PopularityRecommender, recommendation_scorer
from skcoldstart._scores.sources import SparseScores, score_source
from skcoldstart.compose import ContentKNNRecommender
from skcoldstart.model_selection import cross_validate


@pytest.fixture
def plays(rng):
    taste = rng.normal(size=(3, 50))
    return sp.csr_array(rng.poisson(np.exp(rng.normal(size=(90, 3)) @ taste - 2.0)))


# Popularity


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
    pd = pytest.importorskip("pandas")
    artists = np.array([f"a{i % 7}" for i in range(90)])
    frame = pd.DataFrame({"year": np.full(90, np.nan), "artist": artists})
    expected = (
        PopularityRecommender()
        .fit(artists[:, None], plays)
        .predict_factors(artists[:, None])
    )
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


# Neighbours


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("n_neighbors", [1, 7, 200])
def test_neighbor_scores_are_shares_of_cosine(n_neighbors, container, rng, plays):
    X = rng.normal(size=(90, 5))
    plays = sp.csr_array(plays * (np.arange(90) % 10 > 0)[:, None])
    X[65] = 0.0
    model = ContentKNNRecommender(n_neighbors).fit(container(X[:60]), plays[:60])
    played = plays[:60].toarray() > 0
    cosines = cosine_similarity(X[60:], X[:60])
    cosines[:, ~played.any(axis=1)] = -np.inf
    last = -np.sort(-cosines, axis=1)[:, [min(n_neighbors, 60) - 1]]
    shares = np.maximum(np.where(cosines >= last, cosines, 0), 0)
    expected = shares @ played / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    scores = model.predict(container(X[60:]))
    assert_allclose(scores, expected, rtol=1e-10, atol=1e-14)
    assert_array_equal(scores[5], 0.0)


def test_neighbors_weigh_plays(rng, plays):
    X = rng.random((90, 5))
    for weighting, weight in [("log", np.log1p), ("count", lambda r: r)]:
        model = ContentKNNRecommender(90, weighting=weighting).fit(X, plays)
        played = np.flatnonzero(plays.sum(axis=1))
        shares = cosine_similarity(X, X[played])
        expected = shares @ weight(plays.toarray()[played]) / shares.sum(1)[:, None]
        assert_allclose(model.predict(X), expected, rtol=1e-10)


def test_neighbor_scores_are_read_in_blocks_by_scorers_and_recommend(rng, plays):
    X = rng.normal(size=(90, 5))
    model = ContentKNNRecommender(4).fit(X[:60], plays[:60])
    source = score_source(model, X[60:])
    assert isinstance(source, SparseScores)
    table = model.predict(X[60:])
    assert_allclose(source.rows(slice(None)), table.T)
    items, scores = model.recommend(X[60:], n=3)
    assert_allclose(scores, -np.sort(-table, axis=0)[:3].T)
    assert recommendation_scorer(model, X[60:], plays[60:])["auc"] > 0
    expected = np.take_along_axis(table.T, items, axis=1)
    assert_allclose(scores, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_finds_the_same_neighbors(dtype, rng, plays):
    X = rng.normal(size=(90, 5)).astype(dtype)
    one, two = (
        ContentKNNRecommender(6, n_jobs=n_jobs).fit(X, plays).predict(X)
        for n_jobs in (1, 2)
    )
    assert one.dtype == dtype
    assert_array_equal(one, two)
