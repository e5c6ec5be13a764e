"""Splits of plays: what they reveal, hold out and refuse."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal, assert_equal
from sklearn.model_selection import GridSearchCV, GroupKFold

from skcoldstart.model_selection import (
    DoubleColdSplit,
    UserColdKFold,
    WarmupSplit,
    cross_validate,
)
from tests.stubs import FactorRecommender

PLAY_SPLITTERS = [WarmupSplit(2, cv=3), UserColdKFold(3), DoubleColdSplit(3)]


@pytest.fixture
def catalog(rng):
    X = rng.normal(size=(40, 3))
    y = sp.csr_array(rng.poisson(0.4, size=(40, 25)))
    return X, y


def played(y):
    return sp.csr_array(y).toarray() > 0


@pytest.mark.parametrize("splitter", PLAY_SPLITTERS, ids=repr)
def test_tables_are_parts_of_the_plays_without_overlap(splitter, catalog):
    X, y = catalog
    splits = list(splitter.split(X, y))
    assert len(splits) == splitter.get_n_splits(X, y) == 3
    for split in splits:
        tables = [split.fitted, split.revealed, split.held_out]
        assert (sum(map(played, tables)) <= 1).all()
        for table in tables:
            assert table.shape == y.shape
            table.check_format()
            kept = played(table)
            assert_array_equal(table.toarray()[kept], y.toarray()[kept])
        assert not played(split.fitted)[np.setdiff1d(range(40), split.train)].any()
        assert not played(split.held_out)[np.setdiff1d(range(40), split.test)].any()
        assert split.held_out.nnz > 0


@pytest.mark.parametrize("splitter", PLAY_SPLITTERS, ids=repr)
def test_same_seed_same_split_and_y_is_left_alone(splitter, catalog):
    X, y = catalog
    before = y.toarray()
    for one, two in zip(splitter.split(X, y), splitter.split(X, y), strict=True):
        for a, b in zip(one[2:], two[2:], strict=True):
            assert_array_equal(a.toarray(), b.toarray())
    other = type(splitter)(random_state=7)
    assert (next(other.split(X, y)).held_out != one.held_out).nnz
    assert_array_equal(y.toarray(), before)


@pytest.mark.parametrize("splitter", PLAY_SPLITTERS, ids=repr)
def test_what_rows_cannot_express_is_refused_as_cv(splitter, catalog):
    X, y = catalog
    with pytest.raises(TypeError, match="splits plays instead of items"):
        cross_validate(FactorRecommender(), X, y, cv=splitter)
    # A search of scikit-learn unpacks pairs.
    with pytest.raises(ValueError, match="too many values to unpack"):
        GridSearchCV(FactorRecommender(), {}, scoring="r2", cv=splitter).fit(X, y)


def test_warm_up_reveals_so_many_plays_of_each_held_out_item(catalog):
    X, y = catalog
    groups, cv = np.arange(40) % 7, GroupKFold(4)
    n_listeners = played(y).sum(axis=1)
    for n in (0, 1, 4):
        splits = WarmupSplit(n, held_out_after=4, cv=cv).split(X, y, groups)
        folds = cv.split(X, groups=groups)
        for split, (train, test) in zip(splits, folds, strict=True):
            assert_equal((split.train, split.test), (train, test))
            assert_array_equal(split.fitted[train].toarray(), y[train].toarray())
            revealed = played(split.revealed).sum(axis=1)
            assert_array_equal(revealed[test], np.minimum(n, n_listeners[test]))
            held_out = played(split.held_out).sum(axis=1)
            assert_array_equal(held_out[test], np.maximum(n_listeners[test] - 4, 0))


def test_a_curve_of_warm_up_is_nested_and_predicts_the_same_plays(catalog):
    X, y = catalog
    splits = [next(WarmupSplit(n, held_out_after=5).split(X, y)) for n in (0, 1, 2, 5)]
    for fewer, more in pairwise(splits):
        assert (played(fewer.revealed) <= played(more.revealed)).all()
        assert_array_equal(fewer.held_out.toarray(), more.held_out.toarray())


@pytest.mark.parametrize("container", [np.asarray, sp.csc_array, sp.csr_matrix])
def test_plays_are_revealed_in_order_of_time(container, rng):
    y = np.ones((6, 9))
    times = rng.permutation(54).reshape(6, 9) + 1.0
    split = next(WarmupSplit(2, cv=2).split(y, y, times=container(times)))
    order = times.argsort(axis=1).argsort(axis=1)
    assert_array_equal(played(split.revealed)[:3], order[:3] < 2)
    assert_array_equal(played(split.held_out)[:3], order[:3] >= 2)


def test_each_user_is_held_out_once_with_a_share_of_plays_revealed(catalog):
    X, y = catalog
    n_played = played(y).sum(axis=0)
    held_out = np.zeros(25, int)
    for split in UserColdKFold(4, known=0.7).split(X, y):
        users = played(split.held_out).any(axis=0)
        held_out += users
        assert not played(split.fitted)[:, users].any()
        assert_array_equal(played(split.fitted)[:, ~users], played(y)[:, ~users])
        revealed = played(split.revealed).sum(axis=0)
        assert_array_equal(revealed[users], np.floor(0.7 * n_played[users]))
        together = played(split.revealed) | played(split.held_out)
        assert_array_equal(together[:, users], played(y)[:, users])
    assert_array_equal(held_out, n_played > 0)


def test_double_cold_holds_out_new_items_for_new_users(catalog):
    X, y = catalog
    groups = np.arange(40) // 2
    seen = np.zeros(40, int)
    for split in DoubleColdSplit(4).split(X, y, groups):
        assert not set(groups[split.train]) & set(groups[split.test])
        seen[split.test] += 1
        new_user = played(split.held_out).any(axis=0)
        old_user = played(split.fitted).any(axis=0)
        assert not (new_user & old_user).any()
        assert not (played(split.revealed).any(axis=0) & old_user).any()
        for items, plays in zip(split[:2], split[3:], strict=True):
            of_new_users = played(y)[items][:, new_user]
            assert_array_equal(played(plays)[items][:, new_user], of_new_users)
    assert_array_equal(seen, 1)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (WarmupSplit(-1), "n_plays == -1"),
        (WarmupSplit(3, held_out_after=2), "held_out_after == 2"),
        (UserColdKFold(1), "n_splits == 1"),
        (UserColdKFold(known=1.0), "known == 1.0"),
        (DoubleColdSplit(1), "n_splits == 1"),
    ],
)
def test_options_out_of_range_are_refused(splitter, message, catalog):
    with pytest.raises(ValueError, match=message):
        next(splitter.split(*catalog))


def test_plays_and_times_that_do_not_fit_are_refused(catalog):
    X, y = catalog
    for splitter in PLAY_SPLITTERS:
        with pytest.raises(ValueError, match="y has 25 rows but X has 40 items"):
            next(splitter.split(X, y.T))
        with pytest.raises(ValueError, match="one group per item"):
            next(splitter.split(X, y, groups=np.ones(7)))
    with pytest.raises(ValueError, match=r"times has shape \(25, 40\)"):
        next(WarmupSplit().split(X, y, times=np.ones((25, 40))))
    with pytest.raises(ValueError, match="times holds NaN"):
        next(WarmupSplit().split(X, y, times=np.full((40, 25), np.nan)))
