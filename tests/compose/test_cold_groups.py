"""Cold groups: weights of items, learning by group, popularity from content."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, make_recommendation_scorer

ARTISTS = np.arange(90) // 5
WMF_3 = WMF(3, dtype="float64", random_state=0)


def named_columns(X):
    return pd.DataFrame(X, columns=list("abcdef"))


def test_item_weights_are_powers_of_the_number_of_users(world):
    X, y = world
    users = np.diff(y.indptr)
    for item_weight, exponent in [("inverse", -1.0), (-0.25, -0.25), (0.5, 0.5)]:
        model = ColdStartRecommender(Ridge(), WMF_3, item_weight=item_weight)
        played = users > 0
        weight = users[played].astype(float) ** exponent
        factors = WMF_3.fit_transform(y)[played]
        expected = Ridge().fit(X[played], factors, sample_weight=weight / weight.mean())
        assert_allclose(model.fit(X, y).predict_factors(X), expected.predict(X))


def test_item_weights_reach_the_end_of_a_pipeline(world):
    X, y = world
    scaled = StandardScaler().fit(np.delete(X, 7, axis=0)).transform(X)
    alone = ColdStartRecommender(Ridge(), WMF_3, item_weight="inverse")
    expected = alone.fit(scaled, y).predict(scaled)
    inside = clone(alone).set_params(regressor=make_pipeline(StandardScaler(), Ridge()))
    for routing in (False, True):
        with sklearn.config_context(enable_metadata_routing=routing):
            found = inside.fit(X, y).predict(X)
        assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("routing", [False, True])
def test_folds_of_a_search_inside_have_one_row_a_group(world, routing):
    X, y = world
    X, y, artists = X[::-1], y[::-1], np.array([f"artist {a}" for a in ARTISTS[::-1]])
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0, 1e3]}, cv=GroupKFold(3))
    members = np.kron(np.eye(18), np.ones(5))
    content, plays = members @ X / 5, sp.csr_array(members @ y.toarray())
    with sklearn.config_context(enable_metadata_routing=routing):
        model = ColdStartRecommender(search, WMF_3, group_level=True)
        model.fit(X, y, groups=artists)
    search.fit(content, WMF_3.fit_transform(plays), groups=artists[::5])
    assert_allclose(model.predict_factors(X), search.predict(X))


def test_regressors_without_weights_are_named(world):
    model = ColdStartRecommender(KNeighborsRegressor(), WMF_3, item_weight="inverse")
    with pytest.raises(TypeError, match="KNeighborsRegressor has none"):
        model.fit(*world)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, named_columns])
def test_with_group_level_a_group_is_one_item(world, form):
    X, y = world
    shuffled = np.random.default_rng(0).permutation(90)
    X, y, artists = X[shuffled], y[shuffled], ARTISTS[shuffled]
    table = form(X)
    ridge = Ridge(solver="sparse_cg", tol=1e-12)
    model = ColdStartRecommender(ridge, WMF_3, group_level=True)
    model.fit(table, y, groups=artists)
    known = list(dict.fromkeys(artists))
    means = np.array([X[artists == a].mean(axis=0) for a in known])
    plays = np.array([y.toarray()[artists == a].sum(axis=0) for a in known])
    expected = ColdStartRecommender(Ridge(), WMF_3).fit(means, plays)
    assert_allclose(model.predict(table), expected.predict(X), rtol=1e-4, atol=1e-6)


def test_songs_of_a_group_differ_by_their_own_content(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_3, group_level=True)
    scores = model.fit(X[:75], y[:75], groups=ARTISTS[:75]).predict(X[75:])
    assert np.ptp(scores[:5], axis=0)[0] > 0


@pytest.mark.parametrize(
    "regressor", [Ridge(), GradientBoostingRegressor(n_estimators=3, random_state=0)]
)
def test_popularity_is_predicted_and_added_in_units_of_spread(world, regressor):
    X, y = world
    weight = 0.3
    plain = ColdStartRecommender(regressor, WMF_3).fit(X[:75], y[:75])
    model = ColdStartRecommender(regressor, WMF_3, popularity_weight=weight)
    scores = model.fit(X[:75], y[:75]).predict(X[75:])
    played = np.flatnonzero(np.diff(y[:75].indptr))
    target = np.log1p(np.diff(y[:75].indptr)[played])
    popularity = clone(regressor).fit(X[played], target)
    known = popularity.predict(X[played])
    z = (popularity.predict(X[75:]) - known.mean()) / known.std()
    spread = plain.predict(X[played]).std(axis=0)
    spread[spread == 0] = spread.mean()
    expected = plain.predict(X[75:]) + weight * z[:, None] * spread
    assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)


def test_a_user_without_plays_is_shown_what_is_popular(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_3, popularity_weight=0.3).fit(X, y)
    popularity = model.popularity_regressor_.predict(X).ravel()
    slope, _ = np.polyfit(popularity, model.predict(X)[:, 3], 1)
    assert slope > 0
    assert_allclose(np.corrcoef(model.predict(X)[:, 3], popularity), 1, rtol=1e-6)


def test_all_at_once_equals_its_steps(world):
    X, y = world
    weights = {"item_weight": -0.5, "popularity_weight": 0.3, "play_weight": 1.0}
    model = ColdStartRecommender(Ridge(2.0), WMF_3, group_level=True, **weights)
    model.fit(X, y, groups=ARTISTS)
    means = X.reshape(18, 5, 6).mean(axis=1)
    plays = y.toarray().reshape(18, 5, 40).sum(axis=1)
    same = ColdStartRecommender(Ridge(2.0), WMF_3, **weights).fit(means, plays)
    assert_allclose(model.predict(X), same.predict(X), rtol=1e-6)
    assert_allclose(model.predict_factors(X) @ model.user_factors_.T, model.predict(X))


def test_group_level_without_groups_says_what_to_pass(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), WMF_3, group_level=True)
    with pytest.raises(ValueError, match="group_level=True needs groups"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="1 have none; give each of them a group"):
        model.fit(X, y, groups=[None, *ARTISTS[1:]])
    with pytest.raises(ValueError, match=r"averages the content of a group"):
        model.fit([f"song {i}" for i in range(90)], y, groups=ARTISTS)


def test_groups_come_through_a_search_where_metadata_is_routed(world):
    X, y = world
    grid = {"group_level": [False, True], "popularity_weight": [0.0, 0.3]}
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            ColdStartRecommender(Ridge(), WMF_3),
            grid,
            scoring=make_recommendation_scorer("auc"),
            cv=GroupKFold(3),
            error_score="raise",
        ).fit(X, y, groups=ARTISTS)
    assert len(set(search.cv_results_["mean_test_score"])) == 4


def test_lasso_has_no_room_for_weights_it_does_not_take(world):
    X, y = world
    model = ColdStartRecommender(Lasso(0.01), WMF_3, item_weight=-0.5)
    assert np.isfinite(model.fit(X, y).predict(X)).all()
