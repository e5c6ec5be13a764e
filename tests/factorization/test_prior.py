"""Items with a few plays, around the factors expected of them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import WMF
from tests.references import wmf as twin


@pytest.fixture
def plays(rng):
    return rng.poisson(0.3, (40, 30)).astype(float)


@pytest.fixture
def new_plays(rng):
    counts = rng.poisson(0.15, (12, 30)).astype(float)
    counts[4] = 0
    counts[5] = 3  # played by everybody
    return counts


@pytest.fixture
def wmf(plays):
    return WMF(6, random_state=0, reg=3.0, dtype="float64").fit(plays)


@pytest.fixture
def prior(rng):
    return rng.normal(size=(12, 6))


@pytest.mark.parametrize(
    ("shown_confidence", "reg_exponent"), [(1.0, 0.0), (1.0, 1.0), (4.0, 1.0)]
)
def test_factors_solve_the_system_in_which_shown_without_a_play_is_a_confident_zero(
    plays, new_plays, prior, rng, shown_confidence, reg_exponent
):
    how = {"reg": 0.5, "reg_exponent": reg_exponent}
    wmf = WMF(6, random_state=0, dtype="float64", **how).fit(plays)
    shown = rng.random(new_plays.shape) < 0.4  # some of those who played, too
    shown[4] = True  # to everybody, and nobody played it
    new_plays[0], shown[0] = np.arange(30) < 3, np.arange(30) >= 27  # as many of both
    U, s = wmf.user_factors_, 1.7
    C = np.where(new_plays > 0, twin.confidences(new_plays), 1.0)
    C[shown & (new_plays == 0)] = shown_confidence
    penalties = np.maximum(twin.penalties(new_plays, **how), 0.5)
    expected = []
    for c, row, mean, penalty in zip(C, new_plays, prior, penalties, strict=True):
        A = s * (U.T @ U + penalty * np.eye(6))  # all pairs, each a 0 or a 1
        right_side = A @ mean + (U.T * c) @ (row > 0)
        expected.append(np.linalg.solve(A + (U.T * (c - 1)) @ U, right_side))
    factors = wmf.transform_with_prior(
        *(sp.csr_array(new_plays), prior),
        strength=s,
        shown=sp.csr_array(shown),
        shown_confidence=shown_confidence,
    )
    assert_allclose(factors, expected, rtol=1e-9, atol=1e-11)
    if shown_confidence == 1:  # the same as of no knowledge
        without = wmf.transform_with_prior(new_plays, prior, strength=s)
        assert_allclose(factors, without, rtol=1e-9, atol=1e-11)


def test_items_without_plays_keep_their_prior_exactly(wmf, new_plays, prior):
    factors = wmf.transform_with_prior(new_plays, prior)
    assert_array_equal(factors[4], prior[4])
    assert np.abs(factors - prior).max(axis=1).argmin() == 4


def test_no_expectation_of_strength_one_is_fold_in(wmf, new_plays):
    nothing = np.zeros((12, 6))
    assert_allclose(
        wmf.transform_with_prior(new_plays, nothing, strength=1.0),
        wmf.transform(new_plays),
        rtol=1e-8,
        atol=1e-10,
    )


def test_formats_threads_and_precisions_agree(plays, new_plays, prior):
    exact = WMF(6, random_state=0, dtype="float64").fit(plays)
    expected = exact.transform_with_prior(new_plays, prior)
    for form in (sp.csc_matrix, sp.coo_array, np.asarray):
        assert_array_equal(exact.transform_with_prior(form(new_plays), prior), expected)
    exact.set_params(n_jobs=1)
    assert_array_equal(exact.transform_with_prior(new_plays, prior), expected)
    single = WMF(6, random_state=0).fit(plays)
    factors = single.transform_with_prior(new_plays, prior)
    assert factors.dtype == np.float32
    assert_allclose(factors, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"prior": np.ones((11, 6))}, r"prior has shape \(11, 6\); expected \(12, 6\)"),
        ({"prior": np.ones((12, 5))}, "one column per component"),
        ({"prior": np.full((12, 6), np.nan)}, "prior contains NaN"),
        ({"strength": 0.0}, "strength=0.0; expected a number above 0"),
        ({"strength": np.nan}, "strength=nan"),
        ({"strength": "strong"}, "strength='strong'; expected a number"),
        ({"shown": np.ones((12, 29))}, r"shown has shape \(12, 29\); expected"),
        ({"shown": np.full((12, 30), np.nan)}, "shown"),
        ({"shown": np.ones((12, 30)), "shown_confidence": 0.5}, "at least 1"),
        ({"shown": np.ones((12, 30)), "shown_confidence": None}, "at least 1"),
    ],
)
def test_malformed_priors_and_exposures_are_refused(
    wmf, new_plays, prior, wrong, message
):
    arguments = {"prior": prior, "strength": 2.0} | wrong
    with pytest.raises(ValueError, match=message):
        wmf.transform_with_prior(new_plays, **arguments)


def test_what_was_shown_to_users_in_another_order_is_refused(wmf, new_plays, prior):
    Y = pd.DataFrame(new_plays)
    for shown, message in [
        (Y.iloc[:, ::-1], "same users in another order"),
        (Y.iloc[::-1], "same items in another order"),
    ]:
        with pytest.raises(ValueError, match=message):
            wmf.transform_with_prior(Y, prior, shown=shown)


@pytest.fixture
def long(rng):
    """Return a factorization of so many items that few users are solved alone."""
    plays = sp.csr_array(rng.poisson(0.3, (400, 30)).astype(float))
    wmf = WMF(4, reg=2.0, random_state=0, dtype="float64", max_iter=3)
    return wmf.fit(plays), plays


@pytest.mark.parametrize("reg_exponent", [0.0, 1.0])
def test_a_few_users_get_the_factors_of_many(long, reg_exponent):
    wmf, plays = long
    wmf.set_params(reg_exponent=reg_exponent)
    many = wmf.transform_users(plays)
    for few in ([3], [5, 1], [7, 8, 9]):
        assert_allclose(wmf.transform_users(plays[:, few]), many[few], rtol=1e-8)
    nobody = wmf.transform_users(sp.csr_array((400, 1)))
    assert_array_equal(nobody, np.zeros((1, 4)))


def test_what_is_kept_for_new_users_is_never_stale(long, rng):
    wmf, plays = long

    def fresh():
        """Return what a process that has kept nothing computes."""
        return pickle.loads(pickle.dumps(wmf)).transform_users(plays[:, :2])

    wmf.transform_users(plays[:, :2])
    changes = [
        lambda: wmf.partial_fit(plays),
        lambda: wmf.fit(plays[::-1]).partial_fit(plays),
        lambda: wmf.set_params(reg=9.0, alpha=5.0),
        lambda: setattr(wmf, "item_factors_", wmf.item_factors_ * 2.0),
    ]
    before = fresh()
    for change in changes:
        change()
        found = wmf.transform_users(plays[:, :2])
        assert_allclose(found, fresh(), rtol=1e-12)
        assert abs(found - before).max() > 1e-6
        before = found


def test_nothing_that_is_kept_reaches_a_file(long):
    wmf, plays = long
    saved = pickle.dumps(wmf)
    wmf.transform_users(plays[:, :1])
    wmf.transform_with_prior(plays[:3], np.zeros((3, 4)))
    assert pickle.dumps(wmf) == saved
