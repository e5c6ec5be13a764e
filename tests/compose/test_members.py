"""How sure an ensemble is: spread between its members, and errors of held-out items."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, recommend
from skcoldstart.compose._disagreement import learn_from_spreads, members_of

MLP = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
SEVERAL = {"n_estimators": 4, "random_state": 0}
ENSEMBLES = {
    "bagging": BaggingRegressor(MLP, **SEVERAL),
    "bagging of columns": BaggingRegressor(Ridge(), max_features=0.5, **SEVERAL),
    "forest": RandomForestRegressor(**SEVERAL, max_depth=4),
    "trees": ExtraTreesRegressor(**SEVERAL, max_depth=4),
    "voting": VotingRegressor([("a", Ridge()), ("b", KNeighborsRegressor())]),
    "scaled": TransformedTargetRegressor(
        BaggingRegressor(MLP, **SEVERAL), transformer=StandardScaler()
    ),
    "pipeline": make_pipeline(StandardScaler(), BaggingRegressor(Ridge(), **SEVERAL)),
}
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


class Members(RegressorMixin, BaseEstimator):
    """Members that differ by the first column of content, around a ridge."""

    def fit(self, X, y):
        self.ridge_ = Ridge(3.0).fit(X, y)
        return self

    def predict(self, X):
        return self.ridge_.predict(X)

    def predict_members(self, X):
        apart = np.abs(np.asarray(X)[:, :1])
        return np.stack([self.predict(X) + sign * apart for sign in (-1, 1)])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    kind, hidden = rng.normal(size=(500, 4)), rng.normal(size=(500, 3))
    rates = np.exp(np.hstack([kind, hidden]) @ rng.normal(size=(7, 120)) * 0.6 - 2)
    return kind, sp.csr_array(rng.poisson(rates).clip(0, 50).astype(float))


def fitted(world, regressor, X=None):
    kind, plays = world
    model = ColdStartRecommender(regressor, WMF(5, random_state=0))
    return model.fit(kind[:400] if X is None else X, plays[:400])


@pytest.mark.parametrize("name", ENSEMBLES)
def test_covariance_is_affine_in_the_variance_between_members(world, name):
    X, plays = world
    model = fitted(world, ENSEMBLES[name])
    factors, cov = model.predict_factors(X[400:], return_cov=True)
    head, new = model.regressor_, X[400:]
    if name == "pipeline":
        head, new = head[-1], head[:-1].transform(new)
    members = members_of(head, new)
    assert members.shape[1:] == (100, 5)
    assert_allclose(members.mean(axis=0), factors, rtol=1e-5, atol=1e-5)
    between = members.var(axis=0, ddof=1).mean(axis=1)
    slope, offset = np.polyfit(between, cov.scale, 1)
    assert_allclose(cov.scale, offset + slope * between, rtol=1e-6)
    assert slope >= -1e-9
    assert offset >= -1e-9
    scores, deviations = model.predict(X[400:], return_std=True)
    truth = model.factorizer_.transform(plays[400:]) @ model.user_factors_.T
    inside = np.abs(truth - scores) < 1.645 * deviations
    assert 0.82 < inside.mean() < 0.97


def test_variance_between_members_adds_to_that_of_residuals(rng):
    k, n = 3, 4000
    spread = rng.choice([0.2, 3.0], (n, 1))
    mixing = rng.normal(size=(k, k))
    # The variance of an error is 1 + 2 times the spread, in all directions of a matrix.
    errors = rng.normal(size=(n, k)) @ mixing.T * np.sqrt(1 + 2 * spread)
    users = rng.normal(size=(500, k))
    state = learn_from_spreads([
        {"errors": errors[:1000], "spreads": spread[:1000], "users": users},
        {"errors": errors[1000:], "spreads": spread[1000:], "users": users},
    ])
    typical = spread.mean()
    assert_allclose(state["typical"], typical)
    assert_allclose(state["share"], 2 * typical / (1 + 2 * typical), atol=0.03)
    expected = (1 + 2 * typical) * mixing @ mixing.T
    assert_allclose(state["root"] @ state["root"].T, expected, rtol=0.15, atol=0.15)


def test_members_that_differ_for_no_reason_change_nothing(rng):
    errors, users = rng.normal(size=(3000, 2)), rng.normal(size=(50, 2))
    kinds = np.column_stack([rng.exponential(size=3000), np.zeros(3000)])
    fold = {"errors": errors, "spreads": kinds, "users": users}
    assert_allclose(learn_from_spreads([fold])["share"], 0.0, atol=0.06)


def test_an_ensemble_of_your_own_gives_its_members(world):
    X, _ = world
    model = fitted(world, Members())
    cov = model.predict_factors(X[400:], return_cov=True)[1]
    apart = X[400:, 0] ** 2
    affine = np.polyval(np.polyfit(apart, cov.scale, 1), apart)
    assert_allclose(cov.scale, affine, atol=1e-9)
    lists = recommend(model, X[400:], 4, explore="thompson", random_state=0)
    assert lists.items.shape == (120, 4)


def test_tables_of_each_kind_have_the_same_covariances(world):
    X, _ = world
    bagged = BaggingRegressor(Ridge(), **SEVERAL)
    expected = fitted(world, bagged).predict_factors(X[400:], return_cov=True)[1]
    frame = pd.DataFrame(X, columns=list("abcd"))
    for table in (frame, sp.csr_array(X)):
        model = fitted(world, bagged, table[:400])
        found = model.predict_factors(table[400:], return_cov=True)[1]
        assert_allclose(found.scale, expected.scale, rtol=1e-5)
        assert_allclose(np.abs(found.root), np.abs(expected.root), rtol=1e-3, atol=1e-5)


def test_a_copy_has_the_covariances_that_were_used(world):
    X, _ = world
    model = fitted(world, ENSEMBLES["trees"])
    early = pickle.loads(pickle.dumps(model))
    with pytest.raises(TypeError, match=r"before they were computed; call predict_f"):
        early.predict(X[400:], return_std=True)
    assert_array_equal(early.predict(X[400:]), model.predict(X[400:]))
    expected = model.predict_factors(X[400:], return_cov=True)[1]
    found = pickle.loads(pickle.dumps(model)).predict_factors(X[400:], True)[1]
    assert_array_equal(found, expected)


def test_regressors_without_members_are_refused(world):
    X, _ = world
    for regressor, match in (
        (MLP, "BaggingRegressor around another"),
        (BaggingRegressor(Ridge(), 1), "has one member"),
    ):
        with pytest.raises(TypeError, match=match):
            fitted(world, regressor).predict(X[:2], return_std=True)
