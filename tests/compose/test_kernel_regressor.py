import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.kernel_ridge import KernelRidge

from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.compose import KernelRegressor

FORMS = [np.asarray, np.float32, sp.csr_array]
CASES = [({"gamma": 0.3}, form) for form in FORMS]
CASES += [({"kernel": "poly", "degree": 2, "coef0": 0.5}, form) for form in FORMS]
# scikit-learn passes no sparse rows to a function.
CASES += [({"kernel": lambda a, b: 1.0 + a @ b}, form) for form in FORMS[:2]]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 6))
    return X, np.column_stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2], rng.normal(size=70)])


@pytest.mark.parametrize(("params", "form"), CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_predictions_are_those_of_a_kernel_ridge(table, params, form, weighted):
    X, y = table
    weight = np.random.default_rng(1).uniform(0.2, 3.0, 60) if weighted else None
    known, new = form(X[:60]), form(X[60:])
    peer = KernelRidge(0.4, **{"kernel": "rbf"} | params)
    expected = peer.fit(X[:60], y[:60], sample_weight=weight).predict(X[60:])
    for keep_inverse in (False, True):
        ours = KernelRegressor(0.4, keep_inverse=keep_inverse, **params)
        found = ours.fit(known, y[:60], sample_weight=weight).predict(new)
        single = form is np.float32
        assert found.dtype == (np.float32 if single else np.float64)
        assert_allclose(found, expected, rtol=1e-3 if single else 1e-10, atol=1e-5)
        assert hasattr(ours, "inverse_") == keep_inverse
    assert_allclose(ours.inverse_ @ y[:60], ours.dual_coef_, rtol=1e-3, atol=1e-5)
    assert_allclose(ours.inverse_, ours.inverse_.T, rtol=1e-5, atol=1e-7)
    ours.set_params(keep_inverse=False).fit(known, y[:60, 0])
    assert ours.predict(new).ndim == 1
    assert not hasattr(ours, "inverse_")


def test_the_inverse_of_many_items_is_whole(rng):
    X, y = rng.normal(size=(1100, 3)), rng.normal(size=(1100, 2))
    ours = KernelRegressor(0.4, gamma=0.3, keep_inverse=True).fit(X, y)
    assert_allclose(ours.inverse_ @ y, ours.dual_coef_, atol=1e-12)
    assert_array_equal(ours.inverse_, ours.inverse_.T)


@pytest.mark.slow
def test_very_many_items_are_solved_in_single_precision(rng):
    X, y = rng.normal(size=(4001, 3)), rng.normal(size=4001)
    ours = KernelRegressor(1.0, gamma=0.3).fit(X, y)
    expected = KernelRidge(1.0, kernel="rbf", gamma=0.3).fit(X, y).predict(X[:50])
    assert ours.dual_coef_.dtype == np.float32
    assert_allclose(ours.predict(X[:50]), expected, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, [0.0], [1.0, 2.0]])
def test_other_strengths_and_ready_kernels_are_refused(table, alpha):
    for params in ({"alpha": alpha}, {"kernel": "precomputed"}):
        with pytest.raises(ValueError, match="expected one alpha above 0"):
            KernelRegressor(**params).fit(*table)


def test_a_matrix_that_is_not_definite_is_named(table):
    X, y = table
    with pytest.raises(ValueError, match="alpha=1e-09 is too small for float32"):
        KernelRegressor([1e-9], gamma=1e-6).fit(np.float32(np.ones_like(X)), y)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_values_beyond_the_precision_are_refused_and_give_no_nan(table):
    X, y = table
    with pytest.raises(ValueError, match="kernel of X has values beyond float64; div"):
        KernelRegressor(kernel="poly").fit(X * 1e120, y)
    with pytest.raises(ValueError, match="y has values beyond float32; divide y by a"):
        KernelRegressor().fit(np.float32(X), y * 1e100)


def test_negative_weights_and_sparse_targets_are_refused(table):
    X, y = table
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_w"):
        KernelRegressor().fit(X, y, np.r_[-1.0, np.ones(69)])
    with pytest.raises(TypeError, match=r"y is sparse; .* Pass y.toarray\(\)"):
        KernelRegressor().fit(X, sp.csr_array(y))


@pytest.fixture(scope="module")
def plays():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(90, 5))
    rates = np.exp(X @ rng.normal(size=(5, 25)) - rng.uniform(0, 3, (90, 1)))
    return X, sp.csr_array(rng.poisson(rates))


WMF_4 = WMF(4, dtype="float64", random_state=0)


def test_only_the_most_played_items_are_learned_from(plays):
    X, y = plays
    y = y[:80]
    regressor = KernelRegressor(1.0, gamma=0.2, keep_inverse=True)
    model = ColdStartRecommender(regressor, WMF_4, play_weight=1.0, max_items=30)
    model.fit(X[:80], y)
    kept, targets = model.training_factors()
    users = np.diff(y.indptr)
    assert len(kept) == 30
    assert users[kept].min() >= np.delete(users, kept).max()
    assert_array_equal(targets, model.factorizer_.item_factors_[kept])
    scores = targets @ model.factorizer_.user_factors_.T + (y[kept].toarray() > 0)
    expected = KernelRidge(1.0, kernel="rbf", gamma=0.2).fit(X[kept], scores)
    assert_allclose(model.predict(X[80:]), expected.predict(X[80:]), atol=1e-8)
    smoothed = model.fold_in_users(y)[:, 4:]
    assert_allclose(smoothed, model.user_factors_[:, 4:], rtol=1e-10)
    unbounded = model.set_params(max_items=None).fit(X[:80], y).training_factors()[0]
    assert len(unbounded) == (users > 0).sum()


def test_copies_contain_the_inverse_once(plays, tmp_path):
    X, y = np.tile(plays[0], (5, 1)), sp.vstack([plays[1]] * 5)
    regressor = KernelRegressor(gamma=0.2, keep_inverse=True)
    model = ColdStartRecommender(regressor, WMF_4, play_weight=1.0).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    size = model.regressor_.inverse_.nbytes
    assert size < (tmp_path / "model.joblib").stat().st_size < 1.5 * size
