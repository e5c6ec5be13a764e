"""Scores of every user for every item, read a few users at a time."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import ColdStartRecommender, recommendation_scorer
from skcoldstart._scores.sources import (
    CallableScores,
    DenseScores,
    LowRankScores,
    SparseScores,
    score_source,
)


def test_rows_are_users_for_both_kinds_of_scores(rng):
    items, users = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    table = items @ users.T
    for source in (LowRankScores(items, users), DenseScores(table)):
        assert (source.n_items, source.n_users) == (7, 5)
        assert_allclose(source.rows(slice(1, 4)), table.T[1:4])
        assert_allclose(source.rows(np.array([4, 0])), table.T[[4, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_can_be_read_into_a_buffer(dtype, rng):
    items = rng.normal(size=(7, 3)).astype(dtype)
    users = rng.normal(size=(5, 3)).astype(dtype)
    for source in (LowRankScores(items, users), DenseScores(items @ users.T)):
        assert source.dtype == dtype
        buffer = np.empty((2, 7), dtype)
        assert source.rows(np.array([3, 1]), buffer) is buffer
        assert_allclose(buffer, (users @ items.T)[[3, 1]], rtol=1e-5, atol=1e-6)


def test_nan_is_seen_in_factors_and_in_tables():
    good, bad = np.ones((4, 3)), np.ones((4, 3))
    bad[2, 1] = np.nan
    assert LowRankScores(good, bad).has_nan()
    assert LowRankScores(bad, good).has_nan()
    assert DenseScores(bad).has_nan()
    assert not LowRankScores(good, good).has_nan()
    assert not DenseScores(np.inf * good).has_nan()


def test_factors_of_different_rank_are_refused():
    with pytest.raises(ValueError, match="3 components but user factors have 2"):
        LowRankScores(np.ones((4, 3)), np.ones((5, 2)))


def test_pipelines_and_searches_are_opened(rng):
    X = rng.normal(size=(30, 4))
    y = rng.poisson(1.0, size=(30, 12))
    pipe = make_pipeline(StandardScaler(), ColdStartRecommender()).fit(X, y)
    source = score_source(pipe, X)
    assert isinstance(source, LowRankScores)
    assert_allclose(source.rows(slice(None)), pipe.predict(X).T, rtol=1e-4, atol=1e-6)
    search = GridSearchCV(
        pipe,
        {"coldstartrecommender__norm_compression": [np.inf]},
        scoring=recommendation_scorer,
        refit="map",
        cv=2,
    ).fit(X, y)
    assert_allclose(
        score_source(search, X).rows(slice(None)),
        search.predict(X).T,
        rtol=1e-4,
        atol=1e-6,
    )


def test_predictions_of_another_shape_are_refused():
    class OneScore:
        def predict(self, X):
            return np.zeros(len(X))

    with pytest.raises(ValueError, match=r"OneScore.predict returned shape \(4,\)"):
        score_source(OneScore(), np.zeros((4, 1)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_rows_are_copies(order, rng):
    table = np.asarray(rng.normal(size=(4, 3)), order=order)
    rows = DenseScores(table).rows(slice(None))
    rows[:] = 0
    assert_array_equal(table == 0, False)


def sources(rng):
    V = rng.normal(size=(7, 3)) * (rng.random((7, 3)) < 0.5)
    U = rng.normal(size=(5, 3)) * (rng.random((5, 3)) < 0.5)
    function = CallableScores(lambda users: V @ U[users].T, 7, 5)
    sparse = SparseScores(sp.csr_array(V), sp.csr_matrix(U))
    return V @ U.T, [LowRankScores(V, U), sparse, DenseScores(V @ U.T), function]


def test_functions_and_sparse_factors_score_like_their_table(rng):
    table, kinds = sources(rng)
    for source in kinds:
        assert (source.n_items, source.n_users, source.dtype) == (7, 5, np.float64)
        assert_allclose(source.rows(slice(1, 4)), table.T[1:4])
        buffer = np.full((2, 7), 9.0)
        assert source.rows(np.array([4, 0]), buffer) is buffer
        assert_allclose(buffer, table.T[[4, 0]])
        assert not source.has_nan()


def test_scores_of_some_items_are_rows_of_the_table(rng):
    table, kinds = sources(rng)
    mask = np.arange(7) % 2 == 0
    for source in kinds:
        for items in (mask, np.array([5, 1])):
            part = source.of_items(items)
            assert part.n_items == len(table[items])
            assert_allclose(part.rows(slice(None)), table[items].T)


def test_nan_is_seen_in_sparse_factors():
    good, bad = sp.csr_array([[1.0, 0.0]]), sp.csr_array([[np.nan, 0.0]])
    assert SparseScores(good, bad).has_nan()
    assert SparseScores(bad, good).has_nan()
    assert not SparseScores(good, good).has_nan()
