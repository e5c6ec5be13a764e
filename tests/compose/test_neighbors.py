"""Content neighbours: shares by cosine or softmax, groups, exact parts."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skcoldstart import ContentKNNRecommender, recommendation_scorer
from skcoldstart._scores.sources import SparseScores, score_source
from tests.references.soft_kernel import neighbor_scores


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("n_neighbors", [1, 7, 200])
@pytest.mark.parametrize(
    "options",
    [
        {"weighting": "cosine", "power": 1.0},
        {"weighting": "cosine", "power": 3.0},
        {"weighting": "softmax", "temperature": 0.05},
        {"weighting": "softmax", "temperature": 0.4},
    ],
)
def test_scores_are_shares_of_the_kernel(n_neighbors, container, options, rng, plays):
    X = rng.normal(size=(90, 5))
    plays = sp.csr_array(plays * (np.arange(90) % 10 > 0)[:, None])
    X[65] = 0.0
    model = ContentKNNRecommender(n_neighbors, **options)
    model.fit(container(X[:60]), plays[:60])
    expected = neighbor_scores(X[:60], plays[:60], X[60:], n_neighbors, **options)
    scores = model.predict(container(X[60:]))
    assert_allclose(scores, expected, rtol=1e-10, atol=1e-14)
    assert_array_equal(scores[5], 0.0)


def test_a_softmax_of_all_neighbors_is_the_closed_form(rng, plays):
    X = rng.normal(size=(90, 5))
    played = plays.sum(axis=1) > 0
    model = ContentKNNRecommender(temperature=0.3).fit(X, plays)
    kernel = np.exp(cosine_similarity(X, X[played]) / 0.3)
    expected = kernel @ (plays.toarray()[played] > 0) / kernel.sum(1, keepdims=True)
    assert_allclose(model.predict(X), expected, rtol=1e-10)


def test_a_cold_softmax_is_the_nearest_neighbor_and_a_warm_one_the_mean(rng, plays):
    X = rng.normal(size=(90, 5))
    nearest = ContentKNNRecommender(1, weighting="cosine").fit(X, plays).predict(X)
    cold = ContentKNNRecommender(temperature=1e-6).fit(X, plays).predict(X)
    assert_allclose(cold, nearest)
    warm = ContentKNNRecommender(temperature=1e9).fit(X, plays).predict(X)
    played = plays.toarray()[plays.sum(axis=1) > 0] > 0
    assert_allclose(warm, np.tile(played.mean(axis=0), (90, 1)))


@pytest.mark.parametrize(
    ("weighting", "weight"),
    [("binary", lambda r: r > 0), ("log", np.log1p), ("count", lambda r: r)],
)
def test_plays_of_neighbors_are_weighed(weighting, weight, rng, plays):
    X = rng.random((90, 5))
    options = {"weighting": "cosine", "power": 1.0, "play_weighting": weighting}
    model = ContentKNNRecommender(90, **options).fit(X, plays)
    played = np.flatnonzero(plays.sum(axis=1))
    shares = cosine_similarity(X, X[played])
    expected = shares @ weight(plays.toarray()[played]) / shares.sum(1)[:, None]
    assert_allclose(model.predict(X), expected, rtol=1e-10)


def test_parts_of_played_items_add_up_to_the_score(rng, plays):
    X = rng.normal(size=(90, 5))
    groups = np.arange(90) % 7
    model = ContentKNNRecommender(20, group_bonus=0.2, play_weighting="log")
    model.fit(X[:60], plays[:60], groups=groups[:60])
    shares = model.predict_factors(X[60:], groups=groups[60:]).toarray()
    users = model.user_factors_.toarray()
    parts = shares[:, None, :] * users[None]
    assert_allclose(parts.sum(axis=2), model.predict(X[60:], groups=groups[60:]))
    log_plays = np.log1p(plays[:60].toarray())
    assert_allclose(users.T, log_plays[model.played_items_])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighting", ["cosine", "softmax"])
def test_items_of_the_same_group_get_a_bonus(weighting, container, rng, plays):
    X = rng.normal(size=(90, 5))
    groups = np.array([f"artist {i % 11}" for i in range(90)], dtype=object)
    groups[::10] = None
    groups[65] = float("nan")
    groups[72] = "an artist who is new"
    options = {"weighting": weighting, "group_bonus": 0.7}
    model = ContentKNNRecommender(9, **options)
    model.fit(container(X[:60]), plays[:60], groups=groups[:60])
    same = groups[60:, None] == groups[None, :60]
    same &= [[isinstance(group, str)] for group in groups[60:]]
    expected = neighbor_scores(X[:60], plays[:60], X[60:], 9, same=same, **options)
    scores = model.predict(container(X[60:]), groups=list(groups[60:]))
    assert_allclose(scores, expected, rtol=1e-10, atol=1e-14)
    _, best = model.recommend(container(X[60:]), n=4, groups=groups[60:])
    assert_allclose(best, -np.sort(-expected, axis=0)[:4].T, rtol=1e-10, atol=1e-14)


def test_an_item_without_content_is_scored_by_its_group(rng, plays):
    X = rng.normal(size=(90, 5))
    X[89] = 0.0
    groups = np.arange(90) // 3
    model = ContentKNNRecommender(group_bonus=0.1)
    model.fit(X[:87], plays[:87], groups=groups[:87])
    scores = model.predict(X[89:], groups=[2])
    played = plays.toarray()[6:9]
    assert_allclose(scores[0], (played[played.any(axis=1)] > 0).mean(axis=0))


def test_a_bonus_without_groups_is_refused(rng, plays):
    X = rng.normal(size=(90, 5))
    model = ContentKNNRecommender(group_bonus=0.1).fit(X, plays)
    with pytest.raises(ValueError, match="groups were not passed to fit; pass groups"):
        model.predict(X, groups=np.zeros(90))
    model.fit(X, plays, groups=np.zeros(90))
    with pytest.raises(ValueError, match=r"groups were not passed to predict"):
        model.recommend(X)
    with pytest.raises(ValueError, match=r"groups has shape \(3,\) but X has 90 items"):
        model.fit(X, plays, groups=[1, 2, 3])


def test_groups_are_routed_to_fit_and_predict_through_pipelines(rng, plays):
    X, groups = rng.normal(size=(90, 5)), np.arange(90) // 3
    model = ContentKNNRecommender(group_bonus=0.3)
    expected = model.fit(X, plays, groups=groups).predict(X, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(Normalizer(), ContentKNNRecommender(group_bonus=0.3))
        pipeline.fit(X, plays, groups=groups)
        assert_allclose(pipeline.predict(X, groups=groups), expected)


def test_scores_are_read_in_blocks_by_scorers_and_recommend(rng, plays):
    X = rng.normal(size=(90, 5))
    model = ContentKNNRecommender(4).fit(X[:60], plays[:60])
    source = score_source(model, X[60:])
    assert isinstance(source, SparseScores)
    table = model.predict(X[60:])
    assert_allclose(source.rows(slice(None)), table.T)
    items, scores = model.recommend(X[60:], n=3)
    assert_allclose(scores, -np.sort(-table, axis=0)[:3].T)
    assert recommendation_scorer(model, X[60:], plays[60:])["auc"] > 0
    assert_allclose(scores, np.take_along_axis(table.T, items, axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_finds_the_same_neighbors(dtype, rng, plays):
    X = rng.normal(size=(90, 5)).astype(dtype)
    one, two = (
        ContentKNNRecommender(6, n_jobs=n_jobs).fit(X, plays).predict(X)
        for n_jobs in (1, 2)
    )
    assert one.dtype == dtype
    assert_array_equal(one, two)
