"""Metrics by popularity, activity, cold and warm, in one table."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skcoldstart.metrics import (
    CallableScores,
    LowRankScores,
    bootstrap_interval,
    ranking_report,
    stratified_report,
)


@pytest.fixture
def ranked(rng):
    popularity = rng.gamma(0.5, size=40)
    y = rng.poisson(0.6 * popularity[:, None], size=(40, 60))
    y[0], y[:, 0] = 0, 0
    y[1, 1] = 1
    return y, rng.normal(size=(40, 3)), rng.normal(size=(60, 3))


def of(table, by):
    return [row for row in table.to_dict("records") if row["by"] == by]


def test_first_row_is_the_report_of_all(ranked):
    y, V, U = ranked
    table = stratified_report(y, V @ U.T, metrics=("map@5", "auc"))
    report = ranking_report(y, V @ U.T, metrics=("map@5", "auc"))
    row = table.to_dict("records")[0]
    assert list(row.values())[:3] == ["all", "all", 40]
    assert (row["n_users"], row["n_positives"]) == (
        report["n_users_scored"],
        (y > 0).sum(),
    )
    assert_allclose([row["map@5"], row["auc"]], [report["map@5"], report["auc"]])
    assert list(row)[-3:] == ["auc", "auc_low", "auc_high"]


def test_items_of_a_stratum_are_ranked_among_themselves(ranked):
    y, V, U = ranked
    scores = V @ U.T
    exclude = (y == 0) & (np.arange(40)[:, None] % 7 == 0)
    table = stratified_report(y, scores, metrics="auc", exclude=exclude)
    n_listeners = (y > 0).sum(axis=1)
    rows = of(table, "item popularity")
    assert rows[0]["stratum"] == "0"
    assert np.isnan(rows[0]["auc"])
    for row in rows[1:]:
        low, _, high = row["stratum"].partition("-")
        kept = (n_listeners >= int(low)) & (n_listeners <= int(high or low))
        expected = ranking_report(
            y[kept], scores[kept], metrics="auc", exclude=exclude[kept]
        )
        assert_allclose(row["auc"], expected["auc"])
        assert row["n_items"] == kept.sum()
        assert row["n_users"] == expected["n_users_scored"]
    assert sum(row["n_items"] for row in rows) == 40
    assert sum(row["n_positives"] for row in rows) == np.count_nonzero(y)


def test_users_of_a_stratum_are_averaged_after_one_ranking(ranked):
    y, V, U = ranked
    activity = np.arange(60) % 4
    table = stratified_report(
        y, V @ U.T, metrics="map@9", user_activity=activity, n_strata=3
    )
    values = ranking_report(y, V @ U.T, metrics="map@9", per_user=True)["map@9"]
    rows = of(table, "user activity")
    assert [row["stratum"] for row in rows] == ["0", "1", "2", "3"]
    for number, row in enumerate(rows):
        expected = bootstrap_interval(values[activity == number])
        assert_allclose([row[f"map@9{end}"] for end in ("", "_low", "_high")], expected)
        assert row["n_users"] == np.isfinite(values[activity == number]).sum()


def test_cold_and_warm_items(ranked):
    y, V, U = ranked
    warm = np.arange(40) < 25
    rows = of(stratified_report(y, V @ U.T, warm_items=warm), "items")
    assert [row["stratum"] for row in rows] == ["warm", "cold"]
    for row, kept in zip(rows, (warm, ~warm), strict=True):
        expected = ranking_report(y[kept], (V @ U.T)[kept])
        assert_allclose([row["map"], row["auc"]], [expected["map"], expected["auc"]])
    only = of(stratified_report(y, V @ U.T, warm_items=np.zeros(40)), "items")
    assert [row["stratum"] for row in only] == ["cold"]


def test_factors_and_functions_give_the_same_table(ranked):
    y, V, U = ranked
    y, warm = sp.csr_array(y), np.arange(40) % 2
    options = {"warm_items": warm, "n_resamples": 20}
    expected = repr(stratified_report(y, V @ U.T, **options))
    function = CallableScores(lambda users: V @ U[users].T, 40, 60)
    for source in (LowRankScores(V, U), function):
        assert repr(stratified_report(y, source, **options)) == expected


def test_strata_are_about_equal_and_never_split_equal_values(ranked):
    y, V, U = ranked
    popularity = np.repeat([0, 1, 2, 3, 9], [4, 18, 6, 6, 6])
    table = stratified_report(y, V @ U.T, item_popularity=popularity, n_strata=4)
    rows = of(table, "item popularity")
    assert [row["stratum"] for row in rows] == ["0", "1", "2-3", "9"]
    assert [row["n_items"] for row in rows] == [4, 18, 12, 6]
    one = stratified_report(y, V @ U.T, item_popularity=popularity + 1.5, n_strata=1)
    assert [row["stratum"] for row in of(one, "item popularity")] == ["1.5-10.5"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user_activity": np.ones(40)}, r"user_activity has shape \(40,\)"),
        ({"item_popularity": -np.ones(40)}, "one value >= 0 per item"),
        ({"warm_items": np.full(40, np.nan)}, "NaN"),
        ({"metrics": "coverage@5"}, "no value per user"),
        ({"n_strata": 0}, "'n_strata' parameter"),
    ],
)
def test_what_does_not_fit_is_refused(options, message, ranked):
    y, V, U = ranked
    with pytest.raises(ValueError, match=message):
        stratified_report(y, V @ U.T, **options)
