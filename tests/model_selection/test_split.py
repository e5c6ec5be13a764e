"""Splits by release date, and by the history of artists."""

from datetime import date

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal, assert_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from skcoldstart import make_recommendation_scorer
from skcoldstart.model_selection import (
    ArtistHistorySplit,
    ReleaseDateSplit,
    cross_val_score,
)
from tests.stubs import FactorRecommender

AUC = make_recommendation_scorer("auc")
DAYS = np.datetime64("2001-01-01") + np.arange(8)


@pytest.mark.parametrize(
    "as_dates",
    [
        np.asarray,
        lambda years: years.astype(float),
        lambda years: np.array([f"{y}-06-01" for y in years]),
        lambda years: np.array([f"{y}-06-01" for y in years], dtype="datetime64[D]"),
    ],
)
def test_training_items_are_released_before_test_items(as_dates, rng):
    years = rng.integers(1990, 2010, size=200)
    splits = list(ReleaseDateSplit(4).split(years, groups=as_dates(years)))
    assert len(splits) == 4
    seen = set()
    for train, test in splits:
        assert years[train].max() < years[test].min()
        assert seen <= set(train)
        assert not seen & set(test)
        seen = set(train)
    # Test periods and the first training period are a partition.
    parts = [splits[0][0], *(test for _, test in splits)]
    assert_array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    assert max(map(len, parts)) < 2 * min(map(len, parts))


def test_rows_in_order_of_date_split_as_a_time_series():
    dates = np.arange(60)
    splits = list(ReleaseDateSplit(5).split(dates, groups=dates))
    expected = list(TimeSeriesSplit(5).split(dates))
    assert_equal(splits, expected)


@pytest.mark.parametrize("crowded", range(6))
def test_a_date_with_most_items_leaves_no_period_empty(crowded):
    dates = np.repeat(np.arange(6), np.where(np.arange(6) == crowded, 100, 1))
    splits = list(ReleaseDateSplit(5).split(dates, groups=dates))
    for i, (train, test) in enumerate(splits):
        assert set(dates[train]) == set(range(i + 1))
        assert set(dates[test]) == {i + 1}


@pytest.mark.parametrize("kind", ["str", "datetime64[D]"])
@pytest.mark.parametrize("as_date", [str, np.datetime64, date.fromisoformat])
def test_cutoffs_are_the_first_days_of_test_periods(as_date, kind):
    dates = np.array(["2001-01-01", "2002-05-01", "2002-04-30", "2003-01-01"], kind)
    splitter = ReleaseDateSplit(cutoffs=[*map(as_date, ["2002-05-01", "2003-01-01"])])
    splits = list(splitter.split(dates, groups=dates))
    assert_equal(splits, [([0, 2], [1]), ([0, 1, 2], [3])])
    assert splitter.get_n_splits() == 2


def test_cutoffs_in_text_cut_dates_of_years():
    years = np.array(["2001", "2002", "2003"], "datetime64[Y]")
    ((train, _),) = ReleaseDateSplit(cutoffs=["2002"]).split(years, groups=years)
    assert_array_equal(train, [0])


@pytest.mark.parametrize(
    ("splitter", "dates", "message"),
    [
        (ReleaseDateSplit(), None, "pass the release date of each item as groups"),
        (ReleaseDateSplit(), np.zeros(7), r"groups has shape \(7,\) but X has 8 items"),
        (ReleaseDateSplit(), [np.nan] * 3 + [1.0] * 5, "3 items have no release date"),
        (ReleaseDateSplit(), [1] * 4 + [2] * 4, "2 different release dates; .* 6"),
        (ReleaseDateSplit(cutoffs=[3, 2]), np.arange(8), "increasing dates"),
        (ReleaseDateSplit(cutoffs=[9]), np.arange(8), "range of dates, 0 to 7"),
        (ReleaseDateSplit(cutoffs=["3"]), np.arange(8), "with dates such as 0"),
        (ReleaseDateSplit(cutoffs=[2005]), DAYS, "compared with dates such as 2001-"),
        (ReleaseDateSplit(cutoffs=["May"]), DAYS, "compared with dates such as 2001-"),
        (ReleaseDateSplit(0), np.arange(8), "n_splits == 0"),
    ],
)
def test_dates_that_cannot_be_split_are_refused(splitter, dates, message):
    with pytest.raises(ValueError, match=message):
        list(splitter.split(np.zeros((8, 1)), groups=dates))


@pytest.fixture
def catalog(rng):
    """Items of artists of every size, half of them without plays."""
    artists = rng.zipf(1.5, 120) % 30
    y = sp.csr_array(rng.poisson(0.3, size=(120, 6)) * (rng.random((120, 1)) < 0.5))
    return rng.normal(size=(120, 3)), y, artists


def hot_and_cold(n_splits, *data, **options):
    """Yield training items, new hot items and new cold items of each split."""
    hot, cold = (
        list(ArtistHistorySplit(n_splits, history=history, **options).split(*data))
        for history in ("hot", "cold")
    )
    assert len(hot) == len(cold) == n_splits
    for (train, warm), (same_train, new) in zip(hot, cold, strict=True):
        assert_array_equal(train, same_train)
        yield train, warm, new


@pytest.mark.parametrize(
    ("n_splits", "dated"), [(2, False), (3, False), (7, False), (2, True), (3, True)]
)
def test_hot_items_have_an_artist_with_plays_in_training_and_cold_ones_none(
    catalog, n_splits, dated, rng
):
    X, y, artists = catalog
    dates = rng.integers(1990, 2020, len(artists)) if dated else None
    by_date = ReleaseDateSplit(n_splits).split(X, groups=dates)
    splits = hot_and_cold(n_splits, X, y, artists, release_dates=dates)
    for train, hot, cold in splits:
        parts = np.concatenate([train, hot, cold])
        assert len(np.unique(parts)) == len(parts)
        with_plays = artists[train[y[train].sum(axis=1) > 0]]
        assert np.isin(artists[hot], with_plays).all()
        assert not np.isin(artists[cold], with_plays).any()
        if dated:
            assert_equal((train, np.union1d(hot, cold)), next(by_date))
        else:
            assert not set(artists[cold]) & set(artists[train])


def test_every_item_is_cold_once_and_hot_at_most_once(catalog):
    X, y, artists = catalog
    _, *tests = zip(*hot_and_cold(4, X, y, artists), strict=True)
    n_hot, n_cold = (np.bincount(np.concatenate(t), minlength=120) for t in tests)
    assert (n_cold == 1).all()
    assert n_hot.max() == 1
    # Artists with two items and more that are played are hot with most of them.
    played = np.diff(y.indptr) > 0
    names, sizes = np.unique(artists[played], return_counts=True)
    can_be = np.isin(artists, names[sizes > 1])
    assert n_hot[can_be].mean() > 0.6
    alone = np.isin(artists, names[sizes == 1]) & played
    assert (n_hot[alone] == 0).all()


def test_without_plays_every_item_counts_as_played(catalog):
    X, _, artists = catalog
    for train, test in ArtistHistorySplit(3).split(X, groups=artists):
        assert set(artists[test]) <= set(artists[train])


def test_shuffle_draws_another_order_and_the_same_one_again(catalog):
    X, y, artists = catalog
    split = ArtistHistorySplit(3, shuffle=True, random_state=1)
    first, again, plain = (
        np.concatenate([test for _, test in s.split(X, y, artists)])
        for s in (split, clone(split, safe=False), ArtistHistorySplit(3))
    )
    assert_array_equal(first, again)
    assert len(first) != len(plain) or (first != plain).any()


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("cv", [ReleaseDateSplit(3), ArtistHistorySplit(3)], ids=repr)
def test_groups_travel_to_the_splitter_in_cross_validation(cv, routing, catalog):
    X, y, groups = catalog
    expected = [
        AUC(FactorRecommender().fit(X[train], y[train]), X[test], y[test])
        for train, test in cv.split(X, y, groups)
    ]
    options = {"cv": cv, "scoring": AUC}
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(FactorRecommender(), X, y, groups=groups, **options)
        search = GridSearchCV(FactorRecommender(), {}, refit=False, **options)
        search.fit(X, y, groups=groups)
    assert_array_equal(scores, expected)
    assert search.best_score_ == np.mean(expected)


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({}, {"groups": None}, "pass the artist of each item"),
        ({"history": "warm"}, {}, "history='warm'; expected 'hot' or 'cold'"),
        ({"release_dates": [1, 2, 3]}, {}, r"release_dates has shape \(3,\) but X has"),
        ({}, {"groups": ["a"] * 7}, "one group per item"),
        ({"n_splits": 1}, {}, "n_splits == 1, must be >= 2"),
        ({}, {"groups": np.arange(120)}, "0 hot test items of 24 new ones"),
        ({}, {"y": np.ones((5, 6))}, "one row per item"),
    ],
)
def test_what_it_refuses(options, change, message, catalog):
    X, y, artists = catalog
    data = {"y": y, "groups": artists} | change
    with pytest.raises(ValueError, match=message):
        next(ArtistHistorySplit(**options).split(X, **data))
