"""ColdStartRecommender(play_weight=...): plays added to the targets of a regression."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Lasso, LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, recommendation_scorer
from skcoldstart._scores.sources import LowRankScores, score_source
from skcoldstart.compose import KernelRegressor

RHO = 2.5
LINEAR = [
    Ridge(3.0),
    Ridge(3.0, fit_intercept=False, solver="cholesky"),
    RidgeCV([0.1, 100.0]),
    LinearRegression(),
    KernelRidge(0.5, kernel="rbf", gamma=0.1),
    KernelRegressor(0.5, gamma=0.1, keep_inverse=True),
    KernelRidge(0.5, kernel="poly", degree=2, coef0=0.3),
    make_pipeline(StandardScaler(), Nystroem(n_components=20, random_state=0), Ridge()),
]


def by_hand(regressor, factorizer, X, y, X_new, rho=RHO, **params):
    """Fit the regressor to the whole table of targets, item by user."""
    played = np.flatnonzero(np.diff(y.indptr))
    fitted = clone(factorizer).fit(y)
    V = fitted.transform(y)[played]
    P = (y.toarray()[played] > 0).astype(float)
    regressor = clone(regressor)
    if isinstance(regressor, RidgeCV):  # its strength is chosen on the factors
        regressor = Ridge(regressor.fit(X[played], V).alpha_)
    T = fitted.inverse_transform(V) + rho * P
    params = {name: value[played] for name, value in params.items()}
    return regressor.fit(X[played], T, **params).predict(X_new)


@pytest.mark.parametrize("regressor", LINEAR, ids=str)
@pytest.mark.parametrize(
    "factorizer",
    [WMF(4, dtype="float64", random_state=0), TruncatedSVD(4, random_state=0)],
    ids=lambda f: type(f).__name__,
)
def test_scores_are_those_of_a_regression_on_smoothed_plays(
    world, regressor, factorizer
):
    X, y = world
    model = ColdStartRecommender(regressor, factorizer, play_weight=RHO)
    scores = model.fit(X[:60], y[:60]).predict(X[60:])
    expected = by_hand(regressor, factorizer, X[:60], y[:60], X[60:])
    assert_allclose(scores, expected, rtol=1e-6, atol=1e-8)
    source = score_source(model, X[60:])
    assert isinstance(source, LowRankScores)
    assert_allclose(source.rows(slice(None)), expected.T, rtol=1e-6, atol=1e-8)
    items, _ = model.recommend(X[60:], n=3)
    assert_array_equal(items, np.argsort(-scores.T, axis=1, kind="stable")[:, :3])


@pytest.mark.parametrize("n_items", [60, 12], ids=["tall", "wide"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_more_features_than_items_give_the_same_solution(rng, n_items, container):
    X = rng.normal(size=(80, 30)) * (rng.random((80, 30)) < 0.5)
    y = sp.csr_array(rng.poisson(0.6, size=(80, 25)).astype(float))
    wmf = WMF(3, dtype="float64", random_state=0)
    ridge = Ridge(2.0, solver="sparse_cg", tol=1e-12)
    model = ColdStartRecommender(ridge, wmf, play_weight=RHO)
    model.fit(container(X[:n_items]), y[:n_items])
    expected = by_hand(Ridge(2.0), wmf, X[:n_items], y[:n_items], X[60:])
    assert_allclose(model.predict(container(X[60:])), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("regressor", [LINEAR[0], LINEAR[1], LINEAR[4]], ids=str)
def test_weights_of_items_reach_the_plays_too(world, rng, regressor):
    X, y = world
    weight = rng.random(60) + 0.1
    wmf = WMF(4, dtype="float64", random_state=0)
    model = ColdStartRecommender(regressor, wmf, play_weight=RHO, item_weight=-0.5)
    model.fit(X[:60], y[:60], sample_weight=weight)
    users = np.diff(y[:60].indptr)
    rarity = np.maximum(users, 1) ** -0.5
    weight = weight * rarity / rarity[users > 0].mean()
    expected = by_hand(regressor, wmf, X[:60], y[:60], X[60:], sample_weight=weight)
    assert_allclose(model.predict(X[60:]), expected, rtol=1e-6, atol=1e-8)


def test_without_weight_nothing_is_added(world):
    X, y = world
    wmf = WMF(4, random_state=0)
    plain = ColdStartRecommender(Ridge(), wmf).fit(X, y)
    joined = ColdStartRecommender(Ridge(), wmf, play_weight=1.0).fit(X, y)
    factors = joined.predict_factors(X)
    assert factors.shape == (90, 4 + 6 + 1)
    assert_allclose(factors[:, :4], plain.predict_factors(X), rtol=1e-5)
    again = joined.set_params(play_weight=0.0).fit(X, y)
    assert_array_equal(again.predict(X), plain.predict(X))


def test_the_play_weight_is_searched_with_the_strength(world):
    X, y = world
    search = GridSearchCV(
        ColdStartRecommender(Ridge(), WMF(4, random_state=0)),
        {"play_weight": [0, 1, 3], "regressor__alpha": [1.0, 30.0]},
        scoring=recommendation_scorer,
        refit="map",
        cv=KFold(3),
    ).fit(X, y)
    assert len(set(search.cv_results_["mean_test_map"])) == 6


def test_first_plays_refine_the_factors_and_leave_the_smoothed_plays(world):
    X, y = world
    wmf = WMF(4, random_state=0)
    plain = ColdStartRecommender(Ridge(), wmf).fit(X[:60], y[:60])
    joined = ColdStartRecommender(Ridge(), wmf, play_weight=1.0).fit(X[:60], y[:60])
    refined = joined.refine_factors(X[60:], y[60:])
    assert_allclose(refined[:, :4], plain.refine_factors(X[60:], y[60:]), rtol=1e-5)
    assert_array_equal(refined[:, 4:], joined.predict_factors(X[60:])[:, 4:])


@pytest.mark.parametrize(
    ("regressor", "error", "message"),
    [
        (MLPRegressor(), TypeError, "MLPRegressor is not known to be linear"),
        (make_pipeline(StandardScaler(), Lasso()), TypeError, "Lasso is not known"),
        (Ridge(positive=True), ValueError, "set positive=False"),
        (Ridge(np.ones(4)), ValueError, "one alpha for all targets, but Ridge has 4"),
    ],
)
def test_regressors_that_are_not_linear_in_their_targets_are_refused(
    world, regressor, error, message
):
    model = ColdStartRecommender(regressor, WMF(4, random_state=0), play_weight=1.0)
    with pytest.raises(error, match=message):
        model.fit(*world)


def test_a_factorizer_that_does_not_decode_linearly_is_refused(world):
    X, y = world
    for option in ("play_weight", "popularity_weight"):
        model = ColdStartRecommender(Ridge(), PCA(3), **{option: 1.0})
        with pytest.raises(TypeError, match="PCA does not decode linearly"):
            model.fit(X, y.toarray())
    nmf = NMF(3, init="nndsvda", max_iter=500)
    model = ColdStartRecommender(Ridge(), nmf, play_weight=1.0)
    assert np.isfinite(model.fit(X, y).predict(X)).all()
