"""The floor, the upper bound, and content without factors."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GroupKFold

from skcoldstart import (
    WMF,
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
    recommendation_scorer,
)
from skcoldstart.model_selection import cross_validate


def test_random_scores_carry_no_information_about_plays(rng):
    y = sp.csr_array(rng.random((400, 300)) < 0.05)
    aucs = [
        recommendation_scorer(RandomRecommender(random_state=s).fit(y, y), y, y)["auc"]
        for s in range(5)
    ]
    # 300 users share 50 random directions: the mean AUC of a draw is within 0.01.
    assert abs(np.mean(aucs) - 0.5) < 0.01


def test_random_predictions_repeat_for_a_seed(plays):
    model = RandomRecommender(random_state=3).fit(plays, plays)
    again = RandomRecommender(random_state=3).fit(plays, plays)
    assert_array_equal(model.predict(plays), model.predict(plays))
    assert_array_equal(model.predict(plays), again.predict(plays))
    other = RandomRecommender(random_state=4).fit(plays, plays)
    assert np.abs(other.predict(plays) - model.predict(plays)).max() > 0.1


def test_random_recommender_reads_nothing_of_the_content(plays):
    paths = [f"song-{i}.wav" for i in range(90)]
    model = RandomRecommender(n_components=2, random_state=0).fit(paths, plays)
    assert_array_equal(model.predict(paths[:5]), model.predict(np.full((5, 3), np.nan)))


def test_oracle_scores_are_the_fold_in_of_the_plays(plays):
    for factorizer in (WMF(5, random_state=0), TruncatedSVD(4, random_state=0)):
        oracle = OracleRecommender(factorizer).fit(plays[:60])
        factorizer.fit(plays[:60])
        expected = factorizer.inverse_transform(factorizer.transform(plays[60:]))
        assert_allclose(oracle.predict(plays[60:]), expected, rtol=1e-5)
        products = oracle.predict_factors(plays[60:]) @ oracle.user_factors_.T
        assert_allclose(products, expected, rtol=1e-5, atol=1e-7)


def test_oracle_bounds_chance_in_cross_validation(plays):
    kwargs = {"cv": GroupKFold(3), "groups": np.arange(90) % 9}
    oracle = OracleRecommender(WMF(10, random_state=0))
    best = cross_validate(oracle, plays, plays, **kwargs)
    worst = cross_validate(RandomRecommender(random_state=0), plays, plays, **kwargs)
    assert best["test_auc"].min() > 0.85 > worst["test_auc"].max()
    assert best["test_map"].min() > worst["test_map"].max()


def test_oracle_refuses_content_in_place_of_plays(plays):
    oracle = OracleRecommender(WMF(3, random_state=0)).fit(plays)
    with pytest.raises(ValueError, match="X must be the plays of the items"):
        oracle.predict(np.ones((4, 7)))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize(
    ("weighting", "weight"),
    [("binary", lambda r: r > 0), ("log", np.log1p), ("count", lambda r: r)],
)
def test_profile_scores_are_mean_cosine_similarities(
    rng, plays, container, weighting, weight
):
    X = rng.random((90, 8))
    X[5] = 0.0
    model = ContentProfileRecommender(weighting=weighting)
    model.fit(container(X[:60]), plays[:60])
    weights = weight(plays[:60].toarray()).astype(float)
    totals = np.where(weights.sum(axis=0) > 0, weights.sum(axis=0), 1.0)
    expected = cosine_similarity(X[60:], X[:60]) @ weights / totals
    assert_allclose(model.predict(container(X[60:])), expected, rtol=1e-10, atol=1e-14)


def test_a_user_without_plays_has_no_preference(rng):
    y = np.array([[1, 0], [2, 0], [0, 0]])
    model = ContentProfileRecommender().fit(rng.random((3, 4)), y)
    assert_array_equal(model.predict(rng.random((5, 4)))[:, 1], np.zeros(5))
