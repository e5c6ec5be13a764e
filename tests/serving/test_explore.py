"""Lists that try items whose factors are not sure."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    recommend,
)
from skcoldstart.compose import FactorCovariance

N_NEW, N_USERS = 30, 40


@pytest.fixture(params=["ridge", "kernel ridge, scaled"])
def fitted(request, rng):
    """Return a model, new items and their plays; its recommender, and what it reads."""
    X = rng.normal(size=(80 + N_NEW, 5))
    y = sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, N_USERS)) - 1)))
    regressor = Ridge() if request.param == "ridge" else KernelRidge(1.0, kernel="rbf")
    model = ColdStartRecommender(regressor, WMF(4, reg=1.0, random_state=0))
    if request.param == "ridge":
        model.fit(X[:80], y[:80])
        return model, X[80:], y[80:], model, X[80:]
    model = make_pipeline(StandardScaler(), model).fit(X[:80], y[:80])
    return model, X[80:], y[80:], model[-1], model[:-1].transform(X[80:])


def to_learn(cov, recommender):
    """Return deviations without what only expected plays add."""
    learnt = FactorCovariance(cov.scale, cov.root, cov.reductions)
    return learnt.std(recommender.user_factors_)


def test_optimism_adds_deviations_of_scores(fitted):
    model, X, _, recommender, content = fitted
    factors, cov = recommender.predict_factors(content, return_cov=True)
    scores = factors @ recommender.user_factors_.T
    expected = scores + 1.5 * to_learn(cov, recommender)
    items, found = recommend(model, X, n=N_NEW, explore="ucb", strength=1.5)
    for user in range(N_USERS):
        assert_allclose(found[user], np.sort(expected[:, user])[::-1], rtol=1e-4)
        assert_allclose(expected[items[user], user], found[user], rtol=1e-4)


def test_deviations_are_rounded_once_to_the_type_of_factors(fitted):
    model, X, _, recommender, content = fitted
    factors, cov = recommender.predict_factors(content, return_cov=True)
    factors, users = (a.astype("f4") for a in (factors, recommender.user_factors_))
    expected = users @ factors.T
    spread = FactorCovariance(cov.scale, cov.root, cov.reductions).std(users)
    expected += (1.5 * spread).T
    of_factors = {"item_factors": (factors, cov), "user_factors": users}
    items, found = recommend(model, X, N_NEW, explore="ucb", strength=1.5, **of_factors)
    assert_array_equal(np.take_along_axis(expected, np.asarray(items), 1), found)


def test_an_item_is_drawn_once_a_call_for_all_users(fitted):
    model, X, _, recommender, _ = fitted
    items, scores = recommend(model, X, N_NEW, explore="thompson", random_state=3)
    table = np.empty((N_NEW, N_USERS))
    table[items.T, np.arange(N_USERS)] = scores.T
    # One draw of factors for each item: scores of rank k, like those without draws.
    assert np.linalg.matrix_rank(table, tol=1e-4 * np.abs(table).max()) == 4
    # More users than are scored at a time.
    many = np.tile(recommender.user_factors_, (20, 1))
    how = {"explore": "thompson", "random_state": 3}
    again = recommend(model, X, N_NEW, user_factors=many, **how)
    assert_array_equal(again.items, np.tile(items, (20, 1)))
    assert_allclose(again.scores, np.tile(scores, (20, 1)), rtol=1e-5)
    some = recommend(model, X, N_NEW, users=[8, 2], explore="thompson", random_state=3)
    assert_array_equal(some.items, items[[8, 2]])
    other = recommend(model, X, N_NEW, explore="thompson", random_state=4)
    assert np.any(other.items != items)


def test_draws_have_the_mean_and_deviation_of_the_scores(fitted):
    *_, y, recommender, X = fitted
    first = sp.csr_array(y.toarray() * (np.arange(N_NEW)[:, np.newaxis] % 2))
    pair = recommender.refine_factors(X, first, return_cov=True)
    tables = np.empty((2000, N_NEW, N_USERS))
    rng = np.random.RandomState(0)
    for table in tables:
        items, scores = recommender.recommend(
            X, N_NEW, item_factors=pair, explore="thompson", random_state=rng
        )
        table[items.T, np.arange(N_USERS)] = scores.T
    means = pair[0] @ recommender.user_factors_.T
    std = to_learn(pair[1], recommender)
    assert_allclose(tables.std(axis=0), std, rtol=0.1)
    assert np.all(np.abs(tables.mean(axis=0) - means) < 5 * std / np.sqrt(2000))


@pytest.mark.parametrize("explore", ["thompson", "ucb"])
def test_without_strength_lists_are_those_of_the_scores(fitted, explore):
    model, X, y, recommender, content = fitted
    plain = recommend(model, X, 5)
    explored = recommend(model, X, 5, explore=explore, strength=0, random_state=0)
    assert_array_equal(explored.items, plain.items)
    pair = recommender.refine_factors(content, y, return_cov=True)
    of_pair, of_factors = (
        recommend(recommender, content, 5, item_factors=given).items
        for given in (pair, pair[0])
    )
    assert_array_equal(of_pair, of_factors)


def test_what_cannot_be_explored_is_said(fitted):
    model, X, _, recommender, content = fitted
    with pytest.raises(ValueError, match="expected None, 'thompson' or 'ucb'"):
        recommend(model, X, explore="greedy")
    with pytest.raises(ValueError, match="number of at least 0"):
        recommend(model, X, explore="ucb", strength=-1.0)
    with pytest.raises(TypeError, match="pass the pair that refine_factors"):
        recommend(model, X, explore="ucb", item_factors=np.ones((N_NEW, 4)))
    factors, cov = recommender.predict_factors(content, return_cov=True)
    with pytest.raises(ValueError, match=r"\(29, 4\) came with .* \(30, 4, 4\)"):
        recommend(model, X, explore="ucb", item_factors=(factors[1:], cov))
    kernel = ContentKNNRecommender().fit(X, np.ones((N_NEW, 3)))
    with pytest.raises(TypeError, match="ContentKNNRecommender has no predict_factors"):
        recommend(kernel, X, explore="thompson")
