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
    SumScores,
    score_source,
    transposed,
)


@pytest.fixture(params=[np.float32, np.float64])
def sources(request, rng):
    """Return a table of scores, and all sources that hold it."""
    dtype = request.param
    V = (rng.normal(size=(7, 3)) * (rng.random((7, 3)) < 0.5)).astype(dtype)
    U = (rng.normal(size=(5, 3)) * (rng.random((5, 3)) < 0.5)).astype(dtype)
    function = CallableScores(lambda users: V @ U[users].T, 7, 5, dtype)
    sparse = SparseScores(sp.csr_array(V), sp.csr_matrix(U))
    return V @ U.T, [LowRankScores(V, U), sparse, DenseScores(V @ U.T), function]


def test_rows_are_users_and_can_be_read_into_a_buffer(sources):
    table, kinds = sources
    for source in kinds:
        assert (source.n_items, source.n_users, source.dtype) == (7, 5, table.dtype)
        assert_allclose(source.rows(slice(1, 4)), table.T[1:4], rtol=1e-5, atol=1e-6)
        buffer = np.full((2, 7), 9.0, table.dtype)
        assert source.rows(np.array([4, 0]), buffer) is buffer
        assert_allclose(buffer, table.T[[4, 0]], rtol=1e-5, atol=1e-6)
        assert_array_equal(source.rows(np.array([4, 0])), buffer)
        assert not source.has_nan()


def test_scores_of_some_items_are_rows_of_the_table(sources):
    table, kinds = sources
    for source in kinds:
        for items in (np.arange(7) % 2 == 0, np.array([5, 1])):
            part = source.of_items(items)
            assert part.n_items == len(table[items])
            expected = table[items].T
            assert_allclose(part.rows(slice(None)), expected, rtol=1e-5, atol=1e-6)


def test_items_take_the_place_of_users(sources):
    table, kinds = sources
    scales, shifts = np.arange(1.0, 3)[:, None] * np.ones(5), np.arange(5.0)
    both = SumScores(kinds[:2], scales, shifts)
    for source, expected in [*((kind, table) for kind in kinds), (both, 3 * table)]:
        by_item = transposed(source)
        assert (by_item.n_items, by_item.n_users) == (5, 7)
        expected = expected + (source is both) * shifts
        rows = by_item.rows(np.array([6, 0]))
        assert_allclose(rows, expected[[6, 0]], rtol=1e-5, atol=1e-6)


def test_nan_is_seen_in_factors_and_in_tables():
    good, bad = np.ones((4, 3)), np.ones((4, 3))
    bad[2, 1] = np.nan
    for kind in (LowRankScores, lambda *both: SparseScores(*map(sp.csr_array, both))):
        assert kind(good, bad).has_nan()
        assert kind(bad, good).has_nan()
        assert not kind(good, good).has_nan()
    assert DenseScores(bad).has_nan()
    assert not DenseScores(np.inf * good).has_nan()


def test_factors_of_different_rank_are_refused():
    V = np.ones((4, 3))
    for users in (np.ones((5, 2)), np.ones(3), sp.csr_array(V)):
        with pytest.raises(ValueError, match=r"shape \(4, 3\) but user factors have"):
            LowRankScores(V, users)


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
    rows = score_source(search, X).rows(slice(None))
    assert_allclose(rows, search.predict(X).T, rtol=1e-4, atol=1e-6)


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
