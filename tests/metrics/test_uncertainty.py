"""Intervals of means over users, and paired differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binomtest, bootstrap

from skcoldstart.metrics import bootstrap_interval, compare_paired


def test_interval_agrees_with_scipy(rng):
    values = rng.beta(0.3, 2, size=300)
    mean, low, high = bootstrap_interval(values, n_resamples=4000)
    expected = bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    assert mean == values.mean()
    # Quantiles of 4000 resamples are themselves known to a few per cent of the width.
    assert_allclose([low, high], expected, atol=0.05 * (high - low))


def test_users_without_a_value_are_not_counted(rng):
    values = rng.random(50)
    padded = np.insert(values, [0, 20, 50], np.nan)
    assert bootstrap_interval(padded) == bootstrap_interval(values)
    other = np.where(np.arange(50) < 5, np.nan, values - 0.1)
    assert compare_paired(values, other) == compare_paired(values[5:], values[5:] - 0.1)


def test_nobody_gives_nan():
    assert np.isnan(bootstrap_interval([np.nan, np.nan])).all()
    result = compare_paired([np.nan, 1.0], [1.0, np.nan])
    assert np.isnan(result[:5]).all()
    assert result[5:] == (0, 0, 0)


def test_same_seed_same_interval(rng):
    values = rng.random(100)
    expected = bootstrap_interval(values, random_state=3)
    assert bootstrap_interval(values, random_state=4) != expected
    assert bootstrap_interval(values, random_state=3) == expected


def test_pairing_sees_what_two_intervals_do_not(rng):
    hard = rng.random(200)
    better = hard + 0.01 + 0.001 * rng.normal(size=200)
    assert bootstrap_interval(better).low < bootstrap_interval(hard).high
    result = compare_paired(better, hard)
    assert_allclose(result.difference, 0.01, rtol=0.05)
    assert 0.009 < result.low < result.high < 0.011
    assert result.p_bootstrap == 2 / 1001
    assert (result.n_better, result.n_worse, result.n_equal) == (200, 0, 0)
    assert_allclose(result.p_sign, 2.0**-199)


def test_comparison_is_antisymmetric(rng):
    a, b = rng.random(40), rng.random(40)
    forward, backward = compare_paired(a, b), compare_paired(b, a)
    assert forward.difference == -backward.difference
    assert_allclose([forward.low, forward.high], [-backward.high, -backward.low])
    assert forward.p_bootstrap == backward.p_bootstrap
    assert forward.p_sign == backward.p_sign


def test_sign_test_leaves_equal_users_out():
    result = compare_paired([1, 1, 1, 0, 0.5, 0.5], [0, 0, 0, 1, 0.5, 0.5])
    assert (result.n_better, result.n_worse, result.n_equal) == (3, 1, 2)
    assert_allclose(result.p_sign, binomtest(3, 4).pvalue)
    result = compare_paired([0.2, 0.8, 0.5], [0.2, 0.8, 0.5])
    assert (result.difference, result.p_bootstrap, result.p_sign) == (0.0, 1.0, 1.0)


@pytest.mark.slow
def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(0)
    p = np.array([
        compare_paired(*rng.normal(size=(2, 100)), n_resamples=300)[3:5]
        for _ in range(400)
    ])
    assert ((p < 0.1).mean(axis=0) < 0.15).all()
    assert (p[:, 0] < 0.5).mean() > 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(np.ones((2, 2))), r"values has shape \(2, 2\)"),
        (lambda: bootstrap_interval([np.inf]), "infinity"),
        (lambda: bootstrap_interval([1.0], confidence=1.0), "'confidence' parameter"),
        (lambda: compare_paired([1.0], [1.0, 2.0]), "1 users but reference has 2"),
    ],
)
def test_values_of_another_form_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
