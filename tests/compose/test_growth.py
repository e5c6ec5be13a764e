"""Fits that go on: warm starts of both steps, more items and users in partial_fit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, recommendation_scorer

WMF_5 = WMF(5, reg=3.0, dtype="float64", random_state=0)


@pytest.fixture
def world(rng):
    X = rng.normal(size=(120, 6))
    taste = rng.normal(size=(6, 60)) * 0.8
    return X, sp.csr_array(rng.poisson(np.exp(X @ taste - 1.5)).astype(float))


def labelled(X, y, items, users):
    """Return both as frames whose rows and columns are named by number."""
    names = [f"song {i}" for i in items]
    plays = pd.DataFrame(
        y.toarray()[np.ix_(items, users)], names, [f"user {u}" for u in users]
    )
    return pd.DataFrame(X[items], names, list("abcdef")), plays


def test_partial_fit_of_nothing_known_is_fit(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5)
    assert_array_equal(
        clone(model).partial_fit(X, y).predict(X), clone(model).fit(X, y).predict(X)
    )


def test_partial_fit_takes_more_items_and_users_after_the_known_ones(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5).fit(X[:80], y[:80, :40])
    by_hand = clone(WMF_5).fit(y[:80, :40]).partial_fit(y)
    model.partial_fit(X, y)
    assert_allclose(model.user_factors_, by_hand.user_factors_)
    expected = Ridge().fit(X, by_hand.item_factors_).predict(X)
    assert_allclose(model.predict_factors(X), expected)
    assert model.n_users_ == 60


def test_items_and_users_are_found_by_name_in_any_order(world, rng):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5)
    model.fit(*labelled(X, y, np.arange(80), np.arange(40)))
    expected = clone(model).fit(*labelled(X, y, np.arange(80), np.arange(40)))
    expected.partial_fit(*labelled(X, y, np.arange(120), np.arange(60)))
    items, users = rng.permutation(120), rng.permutation(60)
    new_X, new_y = labelled(X, y, items, users)
    model.partial_fit(new_X, new_y)
    assert_array_equal(model.user_names_in_, new_y.columns)
    assert_allclose(
        model.predict(new_X), expected.predict(new_X)[:, users], rtol=1e-5, atol=1e-7
    )
    given = ColdStartRecommender(Ridge(), WMF_5)
    given.fit(X[:80], y[:80, :40], item_ids=range(80), user_ids=range(40))
    given.partial_fit(X[items], y[items][:, users], item_ids=items, user_ids=users)
    assert_allclose(given.predict(X), model.predict(new_X.iloc[np.argsort(items)]))


def test_items_and_users_may_leave(world, rng):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5)
    model.fit(*labelled(X, y, np.arange(80), np.arange(40)))
    items, users = np.arange(20, 120), np.arange(10, 50)
    new_X, new_y = labelled(X, y, items, users)
    model.partial_fit(new_X, new_y)
    assert model.predict(new_X).shape == (100, 40)
    fresh = clone(model).fit(new_X, new_y)
    for _ in range(60):
        model.partial_fit(new_X, new_y)
    assert model.factorizer_.loss_ < 1.02 * fresh.factorizer_.loss_


def test_groups_are_the_items_that_are_known_with_group_level(world):
    X, y = world
    artists = np.array([f"artist {i // 4}" for i in range(120)])
    model = ColdStartRecommender(Ridge(), WMF_5, group_level=True)
    model.fit(X[:80], y[:80], groups=artists[:80])
    order = np.random.default_rng(0).permutation(120)
    model.partial_fit(X[order], y[order], groups=artists[order])
    assert len(model.factorizer_.item_factors_) == 30


def test_a_day_later_the_ranking_is_that_of_a_full_fit(world):
    differences = []
    for shift in (0, 40, 80):
        rows = np.roll(np.arange(120), shift)
        X, y = (table[rows] for table in world)
        model = ColdStartRecommender(Ridge(), WMF_5).fit(X[:80], y[:80])
        model.partial_fit(X[:100], y[:100])
        full = ColdStartRecommender(Ridge(), WMF_5).fit(X[:100], y[:100])
        daily = recommendation_scorer(model, X[100:], y[100:])
        anew = recommendation_scorer(full, X[100:], y[100:])
        differences.append(daily["auc"] - anew["auc"])
    assert np.mean(differences) > -0.02


def test_what_cannot_be_aligned_is_refused(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5).fit(X, y)
    with pytest.raises(ValueError, match="Got 80 items, but 120 are known"):
        model.partial_fit(X[:80], y[:80])
    with pytest.raises(ValueError, match="Got 50 users, but 60 are known"):
        model.partial_fit(X, y[:, :50])
    with pytest.raises(ValueError, match="users had no names in fit and have names"):
        clone(model).fit(X, y).partial_fit(X, y, user_ids=range(60))
    with pytest.raises(ValueError, match="items had no names in fit and have names"):
        clone(model).fit(X, y).partial_fit(X, y, item_ids=range(120))
    with pytest.raises(ValueError, match="item_ids name 120 items 7; expected"):
        model.fit(X, y, item_ids=[7] * 120)
    users, items = [f"u{i}" for i in range(60)], [f"s{i}" for i in range(120)]
    model.fit(X, y, user_ids=users, item_ids=items)
    with pytest.raises(ValueError, match=r"None of the .* users, .* for other users"):
        model.partial_fit(X, y, user_ids=range(60), item_ids=items)
    with pytest.raises(ValueError, match=r"None of the .* items, .* for other items"):
        model.partial_fit(X, y, user_ids=users, item_ids=range(120))
    svd = ColdStartRecommender(Ridge(), TruncatedSVD(3)).fit(X, y)
    with pytest.raises(TypeError, match="such as WMF, not TruncatedSVD; use fit"):
        svd.partial_fit(X, y)


def test_a_warm_start_goes_on_in_both_steps(world):
    X, y = world
    mlp = MLPRegressor(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    mlp.set_params(warm_start=True)
    wmf = clone(WMF_5).set_params(max_iter=2, tol=0, warm_start=True)
    model = ColdStartRecommender(make_pipeline(StandardScaler(), mlp), wmf)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    factorizer, network = model.factorizer_, model.regressor_[-1]
    losses = [factorizer.loss_], [network.loss_]
    for _ in range(3):
        with pytest.warns(UserWarning, match="Maximum iterations"):
            model.set_params(regressor__mlpregressor__max_iter=4).fit(X, y)
        losses[0].append(model.factorizer_.loss_)
        losses[1].append(model.regressor_[-1].loss_)
    assert model.factorizer_ is factorizer
    assert model.regressor_[-1] is network
    assert network.max_iter == 4
    assert np.all(np.diff(losses[0]) < 0)
    assert np.all(np.diff(losses[1]) < 0)
    assert not hasattr(model.regressor[-1], "coefs_")


def test_without_a_warm_start_each_fit_is_a_new_one(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_5).fit(X, y)
    first = model.factorizer_, model.regressor_
    again = model.fit(X, y).factorizer_.item_factors_
    assert_array_equal(again, first[0].item_factors_)
    assert model.factorizer_ is not first[0]
    assert model.regressor_ is not first[1]


@pytest.mark.parametrize(
    "regressor",
    [
        GridSearchCV(MLPRegressor(warm_start=True, tol=1.0), {}, cv=2),
        GradientBoostingRegressor(n_estimators=2, warm_start=True),
    ],
    ids=["search", "repeated"],
)
def test_a_warm_start_that_would_be_ignored_is_refused(world, regressor):
    X, y = world
    model = ColdStartRecommender(regressor, WMF(2, random_state=0)).fit(X, y)
    with pytest.raises(ValueError, match=r"warm_start=True of .* cannot be continued"):
        model.fit(X, y)


@pytest.mark.parametrize("fault", ["content", "items", "users", "no plays"])
def test_a_recommender_is_as_it_was_after_an_error(world, fault):
    X, y = world
    users, items = [f"u{i}" for i in range(60)], [f"s{i}" for i in range(120)]
    names = {"user_ids": users, "item_ids": items}
    model = ColdStartRecommender(Ridge(), WMF_5).fit(X, y, **names)
    expected = model.recommend(X, 3).to_frame()
    X, y, names = X.copy(), y.copy(), {k: v[::-1] for k, v in names.items()}
    if fault == "content":
        X[0] = np.nan
    elif fault == "no plays":
        y = 0 * y
    else:
        names[f"{fault[:-1]}_ids"] = range(y.shape[fault == "users"])
    with pytest.raises(ValueError, match=r"NaN|no plays|None of the"):
        model.partial_fit(X, y, **names)
    pd.testing.assert_frame_equal(model.recommend(world[0], 3).to_frame(), expected)
