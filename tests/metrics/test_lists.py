import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skcoldstart import exposure_report, make_recommendation_scorer
from skcoldstart.metrics import coverage, novelty, popularity_bias
from tests.stubs import FactorRecommender


def test_coverage_counts_each_item_once_and_no_padding():
    assert coverage([[0, 1], [1, -1], [-1, -1]], n_items=8) == 2 / 8
    assert coverage(np.arange(8).reshape(2, 4), n_items=8) == 1.0
    assert coverage([[-1]], n_items=8) == 0.0


def test_novelty_is_the_mean_information_of_recommendations():
    y = np.array([[1, 1, 1], [0, 9, 0], [0, 0, 0]])
    bits = np.log2([4 / 4, 4 / 2, 4 / 1])
    assert_allclose(novelty([[0, 1], [1, -1]], y), (bits[0] + 2 * bits[1]) / 3)
    assert_allclose(novelty([[2]], sp.csr_array(y)), bits[2])
    assert novelty([[0, 0]], y) == 0.0
    assert np.isnan(novelty([[-1, -1]], y))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([[0, 2]], "item 2 but there are 2 items"),
        ([[-2, 0]], "item -2"),
        ([0, 1], r"shape \(2,\)"),
        ([[0.5]], "dtype float64"),
        ([[0, 1], [0]], "different lengths; fill the short ones with -1"),
    ],
)
def test_recommendations_of_another_form_are_refused(items, message):
    for call in (
        lambda: coverage(items, n_items=2),
        lambda: novelty(items, np.eye(2)),
        lambda: popularity_bias(items, np.eye(2)),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
@pytest.mark.parametrize("library", [np.asarray, pd.DataFrame, pl.DataFrame])
def test_lists_of_any_library_are_read(library, dtype):
    lists = np.array([[0, 1], [3, 1]], dtype)
    assert coverage(library(lists), n_items=5) == 3 / 5
    assert exposure_report(library(lists), 5)["n_shown"][0] == 3
    masked = np.ma.MaskedArray(lists, lists == 3)
    assert coverage(masked, n_items=5) == 2 / 5
    assert exposure_report(masked, 5)["n_shown"][0] == 2


def test_popularity_bias_compares_lists_with_what_the_same_users_play():
    y = np.array([[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 0, 0]])
    popularity = np.array([3, 1, 0]) / 4
    played = [popularity[0], (popularity[0] + popularity[1]) / 2, popularity[0]]
    lists = [[1, 2], [0, -1], [-1, -1], [0, 1]]
    # The third user has no list, the fourth no plays.
    listed = [(popularity[1] + popularity[2]) / 2, popularity[0]]
    expected = sum(listed) / sum(played[:2]) - 1
    assert_allclose(popularity_bias(lists, y), expected)
    assert_allclose(popularity_bias(lists, sp.csc_array(y)), expected)
    alone = popularity_bias(lists[1:2], y, users=[1])
    assert_allclose(alone, popularity[0] / played[1] - 1)
    assert np.isnan(popularity_bias(np.full((4, 3), -1), y))
    with pytest.raises(ValueError, match="2 rows for 4 users"):
        popularity_bias(lists[:2], y)


def test_scorers_describe_the_lists_of_the_users_they_score(rng):
    X = rng.normal(size=(50, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 600)) - 2.5))
    y[:, 7] = 0
    exclude = (rng.random(y.shape) < 0.2) & (y == 0)
    model = FactorRecommender().fit(X, y)
    names = ("coverage@3", "novelty@7", "popularity_bias@5", "map@5")
    values = make_recommendation_scorer(names, chunk_size=64)(
        model, X, y, exclude=exclude
    )
    scored = y.any(axis=0)
    order = np.argsort(-np.where(exclude, -np.inf, X @ model.coef_), axis=0).T[scored]
    assert_allclose(values["coverage@3"], coverage(order[:, :3], n_items=50))
    assert_allclose(values["novelty@7"], novelty(order[:, :7], y))
    bias = popularity_bias(order[:, :5], y, users=scored)
    assert_allclose(values["popularity_bias@5"], bias)
