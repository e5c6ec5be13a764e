"""ColdStartRecommender.refine_factors: items between their first play and a refit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.metrics import LowRankScores, mean_auc


@pytest.fixture
def world(rng):
    """Content that explains a part of the taste for 150 items."""
    kind, hidden = rng.normal(size=(150, 4)), rng.normal(size=(150, 4))
    taste = rng.normal(size=(8, 200)) * 0.9
    rates = np.exp(np.hstack([kind, hidden]) @ taste - 2.5)
    return kind, sp.csr_array(rng.poisson(rates).clip(0, 50).astype(float))


@pytest.fixture
def model(world):
    X, y = world
    wmf = WMF(8, reg=5.0, dtype="float64", random_state=0)
    return ColdStartRecommender(Ridge(1.0), wmf).fit(X[:100], y[:100])


def reveal(plays, n, rng):
    """Split each item's plays into n drawn ones and the rest."""
    shown, hidden = plays.tolil(copy=True), plays.tolil(copy=True)
    for i in range(plays.shape[0]):
        users = rng.permutation(plays.indices[plays.indptr[i] : plays.indptr[i + 1]])
        shown[i, users[n:]] = 0
        hidden[i, users[:n]] = 0
    return sp.csr_array(shown), sp.csr_array(hidden)


@pytest.mark.parametrize("norm_compression", [0.0, 3.0, np.inf])
def test_without_plays_factors_are_the_predicted_ones(world, model, norm_compression):
    X, y = world
    model = clone(model).set_params(norm_compression=norm_compression)
    model.fit(X[:100], y[:100])
    found = model.refine_factors(X[100:], sp.csr_array((50, 200)))
    assert_allclose(found, model.predict_factors(X[100:]))


def test_update_is_the_factorizers_fold_in_around_predicted_factors(world, model):
    X, y = world
    model.set_params(prior_strength=3.0)
    expected = model.factorizer_.transform_with_prior(
        y[100:], model.predict_factors(X[100:]), strength=3.0
    )
    assert_array_equal(model.refine_factors(X[100:], y[100:]), expected)


def test_what_was_shown_reaches_the_factorizer_and_the_covariance(world, model, rng):
    X, y = world
    shown = sp.csr_array(rng.random((50, 200)) < 0.2)
    exposure = {"shown": shown, "shown_confidence": 6.0}
    factors, cov = model.refine_factors(X[100:], y[100:], return_cov=True, **exposure)
    expected = model.factorizer_.transform_with_prior(
        y[100:], model.predict_factors(X[100:]), **exposure
    )
    assert_array_equal(factors, expected)
    # A pair adds as much precision as its confidence is above 1.
    before = np.asarray(model.predict_factors(X[100:], return_cov=True)[1])
    after_plays = np.asarray(model.refine_factors(X[100:], y[100:], return_cov=True)[1])
    U = model.user_factors_
    C = model.factorizer_.confidences(y[100:]).toarray() - 1
    C[y[100:].toarray() == 0] = 0
    i = int(np.argmax(C.sum(axis=1)))
    of_plays = (U.T * C[i]) @ U
    gained = np.linalg.inv(after_plays[i]) - np.linalg.inv(before[i])
    unit = np.trace(of_plays) / np.trace(gained)
    C[i] += 5.0 * (shown.toarray()[i] & (y[100:].toarray()[i] == 0))
    expected = np.linalg.inv(np.linalg.inv(before[i]) + (U.T * C[i]) @ U / unit)
    assert_allclose(np.asarray(cov)[i], expected, rtol=1e-5, atol=1e-12)


def test_first_plays_never_make_items_worse(world, model, rng):
    X, y = world
    _, later = reveal(y[100:], 10, rng)
    to_come = y[100:] - later  # the first ten plays of each item
    predicted = LowRankScores(model.predict_factors(X[100:]), model.user_factors_)
    aucs = [mean_auc(later, predicted, exclude=to_come)]
    for n in (1, 2, 5, 10):
        drawn = []
        for _ in range(5):
            shown, _ = reveal(to_come, n, rng)
            factors = model.refine_factors(X[100:], shown)
            scores = LowRankScores(factors, model.user_factors_)
            drawn.append(mean_auc(later, scores, exclude=to_come))
        aucs.append(np.mean(drawn))
    assert np.all(np.diff(aucs) > 0), aucs
    shown, _ = reveal(to_come, 2, rng)
    both = model.refine_factors(X[100:], shown), model.factorizer_.transform(shown)
    scores = (LowRankScores(factors, model.user_factors_) for factors in both)
    refined, folded = (mean_auc(later, s, exclude=to_come) for s in scores)
    assert refined > folded + 0.01


def test_normalized_factors_are_updated_in_their_own_units(world, model):
    X, y = world
    model = clone(model).set_params(norm_compression=np.inf).fit(X[:100], y[:100])
    factors = model.refine_factors(X[100:], y[100:])
    assert 0.3 < np.linalg.norm(factors, axis=1).mean() < 3
    fitted = model.factorizer_.item_factors_[model.training_factors()[0]]
    length = np.linalg.norm(fitted, axis=1).mean()
    prior = length * model.predict_factors(X[100:])
    expected = model.factorizer_.transform_with_prior(y[100:], prior)
    assert_allclose(length * factors, expected)


def test_the_recommender_is_not_changed(world, model):
    X, y = world
    before = model.predict(X[100:])
    model.refine_factors(X[100:], y[100:])
    assert_array_equal(model.predict(X[100:]), before)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y[:, :199], "has 199 columns but fit received 200 users"),
        (lambda y: y.T, "y_so_far must have one row per item"),
        (lambda y: None, "y_so_far is None; pass play counts"),
        (lambda y: -y, "Negative values in data passed to y_so_far"),
    ],
)
def test_malformed_plays_are_refused(world, model, spoil, message):
    X, y = world
    with pytest.raises(ValueError, match=message):
        model.refine_factors(X[100:], spoil(y[100:]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y.iloc[::-1], "rows of X and shown name the same items in another"),
        (lambda y: y.iloc[:, ::-1], "columns of shown are not the users of fit"),
    ],
)
def test_what_was_shown_in_another_order_is_refused(world, model, spoil, message):
    X, y = pd.DataFrame(world[0]), pd.DataFrame(world[1].toarray())
    X.index = y.index = y.index + 7
    y.columns = y.columns + 5
    model = clone(model).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.refine_factors(X, 0 * y, shown=spoil(y))


def test_factorizers_without_a_prior_are_named(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), TruncatedSVD(4)).fit(X[:100], y[:100])
    with pytest.raises(TypeError, match="TruncatedSVD does not have it"):
        model.refine_factors(X[100:], y[100:])
