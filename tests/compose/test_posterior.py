"""How sure predictions are: closed forms against brute force, and held-out truth."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.decomposition import NMF
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcoldstart import WMF, ColdStartRecommender, load_model, save_model
from skcoldstart._scores.covariance import after_plays
from skcoldstart.compose import FactorCovariance

_WMF = WMF(6, reg=5.0, dtype="float64", random_state=0)
REGRESSORS = {
    "ridge": Ridge(3.0),
    "ridge without intercept": Ridge(3.0, fit_intercept=False),
    "ridge of chosen strength": RidgeCV([0.1, 30.0]),
    "least squares": LinearRegression(),
    "scaled ridge": make_pipeline(StandardScaler(), Ridge(3.0)),
    "kernel ridge": KernelRidge(0.5, kernel="rbf", gamma=0.2),
}


@pytest.fixture
def world(rng):
    """Content that explains a part of the taste for 160 items."""
    kind, hidden = rng.normal(size=(160, 4)), rng.normal(size=(160, 4))
    taste = rng.normal(size=(8, 120)) * 0.9
    rates = np.exp(np.hstack([kind, hidden]) @ taste - 2.5)
    plays = sp.csr_array(rng.poisson(rates).clip(0, 50).astype(float))
    return kind, plays


def fitted(world, regressor, **params):
    X, y = world
    return ColdStartRecommender(clone(regressor), _WMF, **params).fit(X[:120], y[:120])


class CountingWMF(WMF):
    """Count how often items are folded in."""

    folded = 0

    def transform(self, Y):
        type(self).folded += 1
        return super().transform(Y)


def test_a_fit_does_not_learn_covariances_but_a_saved_copy_has_them(world):
    X, y = world
    CountingWMF.folded = 0
    wmf = CountingWMF(6, random_state=0)
    model = ColdStartRecommender(Ridge(3.0), wmf).fit(X[:120], y[:120])
    assert CountingWMF.folded == 0
    asked = fitted(world, Ridge(3.0))
    expected = asked.predict_factors(X[120:], return_cov=True)[1]
    dumped = pickle.dumps(fitted(world, Ridge(3.0)))
    assert len(dumped) == len(pickle.dumps(asked))  # without the training items
    restored = pickle.loads(dumped)
    assert_array_equal(restored.predict_factors(X[120:], True)[1], expected)
    changed = fitted(world, Ridge(3.0)).set_params(norm_compression=2.0)
    assert_array_equal(changed.predict_factors(X[120:], True)[1], expected)
    assert model.predict_factors(X[120:], return_cov=True)[1].shape == (40, 6, 6)


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("item_weight", ["uniform", -0.5])
def test_leverages_and_residuals_are_those_of_refits(world, name, item_weight):
    X, y = world
    model = fitted(world, REGRESSORS[name], item_weight=item_weight)
    played, targets = model.training_factors()
    _, cov = model.predict_factors(X[120:], return_cov=True)
    F, new = X[:120][played], X[120:]
    n_users = np.diff(y[:120].indptr)[played]
    weight = np.ones(len(F))
    if item_weight != "uniform":
        weight = n_users**item_weight / np.mean(n_users**item_weight)
    head = clone(model.regressor_)
    if name == "scaled ridge":
        scaler, head = model.regressor_[0], clone(model.regressor_[-1])
        F, new = scaler.transform(F), scaler.transform(new)
    if name == "ridge of chosen strength":
        head = Ridge(model.regressor_.alpha_)
    # Brute force: variance of a prediction that a unit of the residual variance,
    # spread over the items as 1 / weight, gives, and the prior's share.
    if name == "kernel ridge":

        def leverages(known, rows):
            process = GaussianProcessRegressor(
                RBF(np.sqrt(1 / 0.4)), alpha=0.5 / weight[known], optimizer=None
            ).fit(F[known], np.zeros(known.sum()))
            return process.predict(rows, return_std=True)[1] ** 2 / 0.5

    else:
        ones = float(getattr(head, "fit_intercept", True))
        penalty = np.full(5, getattr(head, "alpha", 0.0))
        penalty[4] = 1 - ones  # the intercept is free

        def leverages(known, rows):
            design = np.insert(F[known], 4, ones, axis=1)
            rows = np.insert(rows, 4, ones, axis=1)
            gram = design.T @ (weight[known, None] * design) + np.diag(penalty)
            return np.einsum("ij,jk,ik->i", rows, np.linalg.inv(gram), rows)

    leverage = leverages(np.ones(len(F), bool), new)
    # Items with more expected plays vary more: affine in what the same regressor says.
    log_plays = np.log1p(n_users)
    expected = np.exp(clone(head).fit(F, log_plays, sample_weight=weight).predict(new))
    assert_allclose(cov.scale, 1 + leverage, rtol=1e-6)
    varying = cov.by_plays
    low, high = np.quantile(expected, [0.1, 0.9])  # beyond those seen, it is constant
    inside = (expected > low) & (expected < high)
    slope, constant = np.polyfit(expected[inside], varying[inside], 1)
    assert min(slope, constant) > -1e-9
    assert_allclose(varying[inside], constant + slope * expected[inside], rtol=1e-6)
    # Residuals of refits, each without one item.
    residuals = np.empty_like(targets)
    variance = np.empty(len(F))
    for i in range(len(F)):
        rest = np.arange(len(F)) != i
        refit = clone(head).fit(F[rest], targets[rest], sample_weight=weight[rest])
        residuals[i] = targets[i] - refit.predict(F[[i]]).reshape(-1)
        variance[i] = 1 / weight[i] + np.squeeze(leverages(rest, F[[i]]))
    scaled = residuals / np.sqrt(variance)[:, np.newaxis]
    shared, expected = cov.root @ cov.root.T, scaled.T @ scaled / len(F)
    # The shape is that of the residuals; one number is the conformal scaling.
    ratio = np.trace(shared) / np.trace(expected)
    assert_allclose(shared, ratio * expected, rtol=1e-5, atol=1e-6 * np.trace(shared))
    assert 0.3 < ratio < 3


@pytest.mark.parametrize("name", ["ridge", "least squares", "kernel ridge"])
def test_items_of_weight_zero_have_no_part_in_deviations(world, name):
    X, y = world
    few = fitted(world, REGRESSORS[name], max_items=90)
    weight = np.isin(np.arange(120), few.training_factors()[0]).astype(float)
    weighted = ColdStartRecommender(clone(REGRESSORS[name]), _WMF)
    weighted.fit(X[:120], y[:120], sample_weight=weight)
    std = weighted.predict(X[120:], return_std=True)[1]
    assert_allclose(std, few.predict(X[120:], return_std=True)[1], rtol=1e-6)


def test_weights_of_items_are_also_a_number_or_a_list(world):
    X, y = world
    model = ColdStartRecommender(Ridge(3.0), _WMF, play_weight=1.0)
    array, number, listed = (
        model.fit(X, y, sample_weight=weight).predict(X, return_std=True)
        for weight in (np.full(160, 2.0), 2.0, [2.0] * 160)
    )
    assert_allclose(number, array, rtol=1e-9)
    assert_array_equal(listed, array)


def test_deviation_is_the_root_of_the_quadratic_form(world, rng):
    X, y = world
    model = fitted(world, Ridge(3.0), play_weight=1.0, popularity_weight=0.5)
    scores, std = model.predict(X[120:], return_std=True)
    factors, cov = model.predict_factors(X[120:], return_cov=True)
    assert_allclose(scores, factors @ model.user_factors_.T)
    U = model.user_factors_
    assert cov.shape == (40, U.shape[1], U.shape[1]) == np.asarray(cov).shape
    expected = np.einsum("uk,ikl,ul->iu", U, np.asarray(cov), U)
    assert_allclose(std, np.sqrt(expected), rtol=1e-6)
    refined, after = model.refine_factors(X[120:], y[120:], return_cov=True)
    assert_array_equal(refined, model.refine_factors(X[120:], y[120:]))
    quadratic = np.einsum("uk,ikl,ul->iu", U, np.asarray(after), U)
    assert_allclose(after.std(U) ** 2, quadratic, rtol=1e-6, atol=1e-12)
    some = [3, 30, 7]
    assert_array_equal(after[some].std(U), after.std(U)[some])


def test_plays_add_their_precision(rng):
    root = rng.normal(size=(5, 5))
    before = FactorCovariance(rng.uniform(1, 3, 4), root)
    listeners = [rng.normal(size=(n, 5)) for n in (0, 1, 3, 9)]
    after = after_plays(before, listeners)
    for i, seen in enumerate(listeners):
        expected = np.linalg.inv(np.linalg.inv(before[i]) + seen.T @ seen)
        assert_allclose(after[i], expected, rtol=1e-8, atol=1e-10)
    draws = np.array([
        after.draw(np.random.RandomState(seed)) for seed in range(20_000)
    ])
    for i in range(4):
        found = draws[:, i].T @ draws[:, i] / len(draws)
        assert_allclose(found, after[i], atol=0.05 * np.trace(after[i]))


@pytest.mark.parametrize("norm_compression", [0.0, 2.0, np.inf])
def test_spread_falls_with_plays(world, norm_compression):
    X, y = world
    model = fitted(world, Ridge(3.0), norm_compression=norm_compression)
    U = model.user_factors_
    cold = model.predict_factors(X[120:], return_cov=True)[1].std(U)
    nobody = model.refine_factors(X[120:], sp.csr_array((40, 120)), return_cov=True)[1]
    assert_allclose(nobody.std(U), cold, rtol=1e-6)
    five = sp.lil_array((40, 120))
    for i in range(40):
        five[i, y[120:].indices[y[120:].indptr[i] : y[120:].indptr[i + 1]][:5]] = 1
    warming = model.refine_factors(X[120:], five.tocsr(), return_cov=True)[1].std(U)
    warm = model.refine_factors(X[120:], y[120:], return_cov=True)[1].std(U)
    played = np.diff(five.tocsr().indptr) == 5
    assert np.all(warming <= cold * (1 + 1e-9))
    assert np.all(warming[played].mean(axis=1) < cold[played].mean(axis=1))
    assert warm.mean() < warming.mean() < cold.mean()


@pytest.mark.parametrize("name", ["ridge", "kernel ridge"])
def test_intervals_hold_the_scores_that_plays_give(rng, name):
    kind, hidden = rng.normal(size=(900, 4)), rng.normal(size=(900, 4))
    rates = np.exp(np.hstack([kind, hidden]) @ rng.normal(size=(8, 150)) * 0.7 - 2)
    y = sp.csr_array(rng.poisson(rates).clip(0, 50).astype(float))
    model = ColdStartRecommender(clone(REGRESSORS[name]), WMF(8, random_state=0))
    model.fit(kind[:600], y[:600])
    scores, std = model.predict(kind[600:], return_std=True)
    truth = model.factorizer_.transform(y[600:]) @ model.user_factors_.T
    covered = np.mean(np.abs(truth - scores) <= 1.6448536 * std)
    assert 0.87 < covered < 0.93, covered


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("regressor", "reason"),
    [
        (MLPRegressor(max_iter=2), "ends in MLPRegressor"),
        (Ridge(np.arange(1.0, 7.0)), "one alpha"),
        (KernelRidge(0.0), "alpha is 0"),
        (Ridge(positive=True), "held positive"),
    ],
)
def test_why_there_are_no_covariances_is_said(world, regressor, reason):
    X, y = world
    model = fitted(world, regressor)
    with pytest.raises(TypeError, match=reason):
        model.predict(X[120:], return_std=True)
    with pytest.raises(TypeError, match=reason):
        model.refine_factors(X[120:], y[120:], return_cov=True)
    assert model.predict(X[120:]).shape == (40, 120)


def test_more_features_than_items_have_covariances(rng, world):
    _, y = world
    wide = rng.normal(size=(160, 300))
    model = ColdStartRecommender(Ridge(50.0), _WMF).fit(wide[:120], y[:120])
    _, std = model.predict(wide[120:], return_std=True)
    assert np.all(np.isfinite(std)) and std.min() > 0
    sparse = ColdStartRecommender(Ridge(50.0, solver="sparse_cg", tol=1e-10), _WMF)
    sparse.fit(sp.csr_array(wide[:120]), y[:120])
    found = sparse.predict(sp.csr_array(wide[120:]), return_std=True)[1]
    assert_allclose(found, std, rtol=1e-3)
    exact = ColdStartRecommender(LinearRegression(), _WMF).fit(wide[:120], y[:120])
    with pytest.raises(TypeError, match="fits its training items exactly"):
        exact.predict(wide[120:], return_std=True)


def test_factorizers_that_cannot_fold_users_in_are_taken_by_their_factors(world):
    X, y = world
    nmf = NMF(4, init="nndsvda", max_iter=500, random_state=0)
    model = ColdStartRecommender(Ridge(3.0), nmf).fit(X[:120], y[:120])
    scores, std = model.predict(X[:120], return_std=True)
    truth = model.training_factors()[1] @ model.user_factors_.T
    played, _ = model.training_factors()
    off = np.abs(truth - scores[played]) <= 1.645 * std[played]
    assert 0.85 < off.mean() < 0.97


def test_a_loaded_model_is_as_sure(world, tmp_path):
    X, _ = world
    for regressor in (Ridge(3.0), REGRESSORS["kernel ridge"]):
        model = fitted(world, regressor)
        save_model(model, tmp_path / "model")
        found = load_model(tmp_path / "model").predict(X[120:], return_std=True)[1]
        assert_array_equal(found, model.predict(X[120:], return_std=True)[1])


@pytest.mark.parametrize("name", ["ridge", "scaled ridge"])
def test_items_whose_variance_is_beyond_double_precision_are_named(world, name):
    model = fitted(world, REGRESSORS[name])
    far = world[0].copy()
    far[7, 1] = 1e200
    with pytest.raises(ValueError, match=r"Item 7 of X is so far from those of fit"):
        model.predict(far, return_std=True)


def test_content_is_read_once_in_a_fit(world):
    X, y = world
    calls = []

    def read(rows):
        calls.append(len(rows))
        return rows

    steps = make_pipeline(FunctionTransformer(read), Ridge(3.0))
    model = ColdStartRecommender(steps, _WMF, play_weight=1.0, popularity_weight=1.0)
    model.fit(X[:120], y[:120])
    assert sum(calls) == np.count_nonzero(np.diff(y[:120].indptr))
    assert "fit" not in vars(model.regressor_[-1])


@pytest.mark.parametrize("name", ["ridge", "kernel ridge"])
def test_items_with_more_expected_plays_are_less_sure(name, rng):
    kind, hidden = rng.normal(size=(900, 4)), rng.normal(size=(900, 4))
    taste = rng.normal(size=(8, 400)) * 0.4
    loud = kind[:, :1]  # content that makes an item popular
    rates = np.exp(np.hstack([kind, hidden]) @ taste + loud - 5)
    plays = sp.csr_array(rng.poisson(rates).clip(0, 50).astype(float))
    wmf = WMF(6, random_state=0)  # few plays: factors are shrunken
    model = ColdStartRecommender(REGRESSORS[name], wmf).fit(kind[:600], plays[:600])
    new = np.flatnonzero(np.diff(plays.indptr)[600:]) + 600
    scores, deviations = model.predict(kind[new], return_std=True)
    truth = model.factorizer_.transform(plays[new]) @ model.user_factors_.T
    errors = np.abs(truth - scores)
    assert spearmanr(deviations.mean(axis=1), errors.mean(axis=1)).statistic > 0.25
    inside = errors < 1.645 * deviations
    assert 0.85 < inside.mean() < 0.95
    far = kind[new[:1]] * 1e3  # expected plays are beyond those seen, and are not used
    cov = model.predict_factors(far, return_cov=True)[1]
    assert 0 < cov.by_plays[0] < 10
