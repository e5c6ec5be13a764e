"""Splits by the history of artists."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal, assert_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcoldstart import make_recommendation_scorer
from skcoldstart.model_selection import (
    ArtistHistorySplit,
    ReleaseDateSplit,
    cross_val_score,
)
from tests.stubs import FactorRecommender


@pytest.fixture
def catalog(rng):
    """Items of artists of every size, half of them without plays."""
    artists = np.array([f"a{i}" for i in rng.zipf(1.5, 120) % 30])
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
def test_it_goes_where_cv_is_asked_for(routing, catalog):
    X, y, artists = catalog
    scoring = make_recommendation_scorer("auc")
    options = {"cv": ArtistHistorySplit(3), "scoring": scoring}
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(FactorRecommender(), X, y, groups=artists, **options)
        search = GridSearchCV(FactorRecommender(), {}, refit=False, **options)
        search.fit(X, y, groups=artists)
    assert len(scores) == 3
    assert search.best_score_ == scores.mean()


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
