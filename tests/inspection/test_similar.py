"""Closest items: against the long way over all users."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.inspection import SimilarItemsTable


def closest(patterns, query, n):
    """The twin: cosines of scores for all users, then a sort."""
    lengths = np.linalg.norm(patterns, axis=1)
    cosines = patterns @ patterns[query] / (lengths * lengths[query])
    cosines[query] = -np.inf
    order = np.argsort(-cosines, kind="stable")[:n]
    return order, cosines[order]


def test_neighbours_are_those_of_the_usage_patterns_of_all_users(rng):
    V, P = rng.normal(size=(30, 5)), rng.normal(size=(30, 5))
    U = rng.normal(size=(80, 5)) * [5, 3, 1, 0.5, 0.1]
    table = SimilarItemsTable.from_factors(V, P, U, queries=[4, 17], n=6)
    for source, factors in (("from plays", V), ("from content", P)):
        for place, query in enumerate([4, 17]):
            rows, cosines = closest(factors @ U.T, query, 6)
            assert_array_equal(table.neighbors[source][place], rows)
            assert_allclose(table.similarities[source][place], cosines, rtol=1e-9)


def test_smoothed_plays_and_popularity_do_not_change_the_comparison(items):
    weights = {"play_weight": 1.0, "popularity_weight": 0.5}
    plain, joined = (
        SimilarItemsTable.from_estimator(
            ColdStartRecommender(Ridge(), WMF(4, random_state=0), **more).fit(*items),
            *items,
            queries=[3],
        )
        for more in ({}, weights)
    )
    similarities = (table.similarities["from content"] for table in (joined, plain))
    assert_allclose(*similarities, rtol=1e-6)  # joined factors are float32
    for source in ("from content", "from plays"):
        assert_array_equal(joined.neighbors[source], plain.neighbors[source])


def test_estimator_gives_fitted_beside_predicted_factors(items):
    X, y = items
    recommender = ColdStartRecommender(Ridge(), WMF(4, random_state=0))
    model = make_pipeline(StandardScaler(), recommender).fit(X[:45], y[:45])
    factorizer = model[-1].factorizer_
    known = SimilarItemsTable.from_estimator(model, X[:45], queries=[2], n=4)
    new = SimilarItemsTable.from_estimator(model, X[45:], y[45:], queries=[2], n=4)
    predicted = model[-1].predict_factors(model[:-1].transform(X[45:]))
    for table, source, factors in (
        (known, "from plays", factorizer.item_factors_),
        (new, "from plays", factorizer.transform(y[45:])),
        (new, "from content", predicted),
    ):
        rows, _ = closest(factors @ model[-1].user_factors_.T, 2, 4)
        assert_array_equal(table.neighbors[source][0], rows)
    with pytest.raises(ValueError, match="35 items but there are plays of 45"):
        SimilarItemsTable.from_estimator(model, X[45:], queries=[0])


def test_an_item_without_plays_has_no_neighbours_from_plays():
    V = np.array([[0.0, 0.0], [1.0, 0.0], [0.9, 0.2]])
    P = np.array([[1.0, 0.1], [1.0, 0.0], [0.9, 0.9]])
    table = SimilarItemsTable.from_factors(V, P, np.eye(2), queries=[0], n=2)
    assert_array_equal(table.neighbors["from plays"], [[-1, -1]])
    assert np.isnan(table.similarities["from plays"]).all()
    assert_array_equal(table.neighbors["from content"], [[1, 2]])
    assert "–" in repr(table)


def test_more_neighbours_than_items_leave_empty_places():
    table = SimilarItemsTable.from_factors(np.eye(2), None, np.eye(2), queries=0, n=3)
    assert_array_equal(table.neighbors["from plays"], [[1, -1, -1]])
    assert list(table.neighbors) == ["from plays"]


def test_text_html_and_frame_hold_the_names_as_they_are():
    names = ["<b>Hold On</b>", "A & B", 'C "quoted"']
    V = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    table = SimilarItemsTable.from_factors(
        V, V, np.eye(2), queries=[0], n=1, names=names
    )
    assert repr(table).splitlines() == [
        "<b>Hold On</b>",
        "  from plays    from content",
        "  A & B  0.995  A & B  0.995",
    ]
    html = table._repr_html_()
    assert "&lt;b&gt;Hold On&lt;/b&gt;" in html and "A &amp; B" in html
    assert "<b>" not in html
    columns = ["query", "source", "rank", "neighbor", "similarity"]
    assert table.table.columns.tolist() == columns
    assert table.table.neighbor.tolist() == ["A & B", "A & B"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queries": [9]}, "queries holds 9 but there are 3 items"),
        ({"queries": []}, "queries is empty"),
        ({"predicted_factors": np.ones((2, 2))}, "expected the same items"),
        ({"predicted_factors": np.ones((3, 4))}, "has 4 columns; expected 2"),
        ({"user_factors": np.ones((5, 3))}, "has 3 columns; expected 2"),
        ({"names": ["a"]}, r"expected \(3,\)"),
        ({"item_factors": np.full((3, 2), np.nan)}, "NaN"),
        ({"n": 0}, "at least 1"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    given = dict.fromkeys(("item_factors", "predicted_factors"), np.eye(3, 2))
    given |= {"user_factors": np.eye(2), "queries": [0]}
    with pytest.raises(ValueError, match=message):
        SimilarItemsTable.from_factors(**given | options)
