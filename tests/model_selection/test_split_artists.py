"""Splits by the history of artists."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcoldstart import recommendation_scorer
from skcoldstart.model_selection import (
    ArtistHistorySplit,
    ReleaseDateSplit,
    cross_validate,
)
from tests.stubs import FactorRecommender


@pytest.fixture
def catalog(rng):
    """Items of artists of every size, half of them without plays."""
    artists = np.array([f"a{i}" for i in rng.zipf(1.5, 120) % 30])
    y = sp.csr_array(rng.poisson(0.3, size=(120, 6)) * (rng.random((120, 1)) < 0.5))
    return rng.normal(size=(120, 3)), y, artists


def plays_of_others(y, artists, train, item):
    same = train[artists[train] == artists[item]]
    return y[same].sum()


@pytest.mark.parametrize(
    ("n_splits", "dated"), [(2, False), (3, False), (7, False), (2, True), (3, True)]
)
def test_hot_items_have_an_artist_with_plays_in_training_and_cold_ones_none(
    catalog, n_splits, dated, rng
):
    X, y, artists = catalog
    dates = rng.integers(1990, 2020, len(artists)) if dated else None
    splits = {
        history: list(
            ArtistHistorySplit(n_splits, history=history, release_dates=dates).split(
                X, y, artists
            )
        )
        for history in ("hot", "cold")
    }
    assert len(splits["hot"]) == len(splits["cold"]) == n_splits
    for (train, hot), (same_train, cold) in zip(*splits.values(), strict=True):
        assert_array_equal(train, same_train)
        assert not set(hot) & set(cold)
        assert not set(train) & (set(hot) | set(cold))
        assert all(plays_of_others(y, artists, train, item) > 0 for item in hot)
        assert all(plays_of_others(y, artists, train, item) == 0 for item in cold)
        if dated:
            assert dates[train].max() < dates[np.union1d(hot, cold)].min()
        else:
            assert not set(artists[cold]) & set(artists[train])


def test_every_item_is_cold_once_and_hot_at_most_once(catalog):
    X, y, artists = catalog
    n_times = {}
    for history in ("hot", "cold"):
        splits = ArtistHistorySplit(4, history=history).split(X, y, artists)
        tests = np.concatenate([test for _, test in splits])
        n_times[history] = np.bincount(tests, minlength=len(artists))
    assert (n_times["cold"] == 1).all()
    assert n_times["hot"].max() == 1
    # Artists with two items and more that are played are hot with most of them.
    played = np.diff(y.indptr) > 0
    names, sizes = np.unique(artists[played], return_counts=True)
    can_be = np.isin(artists, names[sizes > 1])
    assert n_times["hot"][can_be].mean() > 0.6
    alone = np.isin(artists, names[sizes == 1]) & played
    assert (n_times["hot"][alone] == 0).all()


def test_with_dates_hot_and_cold_items_are_those_of_the_period(catalog, rng):
    X, y, artists = catalog
    dates = rng.integers(1990, 2020, len(artists))
    both = [
        ArtistHistorySplit(3, history=history, release_dates=dates).split(X, y, artists)
        for history in ("hot", "cold")
    ]
    for (train, hot), (_, cold), (before, after) in zip(
        *both, ReleaseDateSplit(3).split(X, groups=dates), strict=True
    ):
        assert_array_equal(train, before)
        assert_array_equal(np.union1d(hot, cold), after)


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


def test_it_goes_where_cv_is_asked_for(catalog):
    X, y, artists = catalog
    for history in ("hot", "cold"):
        scores = cross_validate(
            FactorRecommender(),
            X,
            y,
            cv=ArtistHistorySplit(3, history=history),
            groups=artists,
            scoring=recommendation_scorer,
        )
        assert len(scores["test_auc"]) == 3
    search = GridSearchCV(
        FactorRecommender(),
        {},
        cv=ArtistHistorySplit(3),
        scoring=recommendation_scorer,
        refit=False,
    )
    assert search.fit(X, y, groups=artists).n_splits_ == 3


def test_what_it_refuses(catalog):
    X, y, artists = catalog

    def first(split, groups=artists, y=y):
        return next(split.split(X, y, groups))

    with pytest.raises(ValueError, match="pass the artist of each item"):
        first(ArtistHistorySplit(), None)
    with pytest.raises(ValueError, match="history='warm'; expected 'hot' or 'cold'"):
        first(ArtistHistorySplit(history="warm"))
    with pytest.raises(ValueError, match=r"shape \(3,\) but X has 120"):
        first(ArtistHistorySplit(release_dates=[2001, 2002, 2003]))
    with pytest.raises(ValueError, match="one group per item"):
        first(ArtistHistorySplit(), artists[:7])
    with pytest.raises(ValueError, match="n_splits == 1, must be >= 2"):
        first(ArtistHistorySplit(1))
    with pytest.raises(ValueError, match="0 hot test items of 24 new ones"):
        first(ArtistHistorySplit(), np.arange(120))
    with pytest.raises(ValueError, match="one row per item"):
        first(ArtistHistorySplit(), y=y[:5])
