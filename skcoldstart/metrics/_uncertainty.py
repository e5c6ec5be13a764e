"""Uncertainty of a mean over users, and of the difference of two means."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array, check_random_state

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import INTERVAL, validated

# Number of draws in memory at a time.
_BLOCK = 1 << 20


class Estimate(NamedTuple):
    """A mean over users and its confidence interval."""

    mean: float
    low: float
    high: float


class PairedComparison(NamedTuple):
    """The difference of two recommenders on the same users."""

    difference: float
    low: float
    high: float
    p_bootstrap: float
    p_sign: float
    n_better: int
    n_worse: int
    n_equal: int


@documented()
@validated(values=["array-like"], **INTERVAL)
def bootstrap_interval(
    values: Any,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Estimate:
    """Compute a mean over users and its bootstrap confidence interval.

    .. versionadded:: 0.1

    Parameters
    ----------
    values : array-like of shape (n_users,)
        Metric of each user, as returned by metrics with ``per_user=True``. Users with
        NaN are not counted.
    <interval>
    <draws>

    Returns
    -------
    Estimate
        A named tuple ``(mean, low, high)`` of floats, NaN if no user is counted.

    Raises
    ------
    ValueError
        If `values` are not 1-D or contain infinity, or a parameter is out of range.

    See Also
    --------
    compare_paired : The difference of two recommenders.
    skcoldstart.model_selection.compare : A table of recommenders with intervals.

    Notes
    -----
    The percentile bootstrap: users are drawn with replacement, and `low` and `high` are
    quantiles of the means. It estimates how much the mean varies with **other users and
    the same held-out items**. The variation with other items is visible between folds,
    and is larger on small catalogues.

    The time is O(n_resamples n_users), the memory one block of a million draws.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> from skcoldstart.metrics import bootstrap_interval
    >>> mean, low, high = bootstrap_interval([0.0, 1.0, 0.5, 0.5, float("nan")])
    >>> low < mean == 0.5 < high
    True
    """
    counted = _per_user(values, "values")
    counted = counted[~np.isnan(counted)]
    if not len(counted):
        return Estimate(np.nan, np.nan, np.nan)
    low, high, _ = _resampled(counted, confidence, n_resamples, random_state)
    return Estimate(float(counted.mean()), low, high)


@documented()
@validated(values=["array-like"], reference=["array-like"], **INTERVAL)
def compare_paired(
    values: Any,
    reference: Any,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> PairedComparison:
    r"""Compare two recommenders on the same users.

    .. versionadded:: 0.1

    Parameters
    ----------
    values : array-like of shape (n_users,)
        Metric of each user for one recommender; larger is better.
    reference : array-like of shape (n_users,)
        Metric for the reference, for the same users in the same order. Users with NaN
        in either are not counted.
    <interval>
    <draws>

    Returns
    -------
    PairedComparison
        A named tuple: ``difference`` of the means, values less reference, with its
        bootstrap interval ``low`` and ``high``; ``p_bootstrap`` and ``p_sign``,
        two-sided; ``n_better``, ``n_worse`` and ``n_equal``, numbers of users.

    Raises
    ------
    ValueError
        If the two are not 1-D of one length, contain infinity, or a parameter is out of
        range.

    See Also
    --------
    bootstrap_interval : The interval of one mean.

    Notes
    -----
    The difference between two values of one user does not contain the variation between
    users. So two recommenders can differ significantly although the intervals of their
    means overlap.

    ``p_bootstrap`` is twice the smaller share of resampled mean differences
    :math:`d^*` on either side of zero, :math:`\#\{d^* \le 0\}` or
    :math:`\#\{d^* \ge 0\}`, with one added to counts and resamples, at most 1: a test
    of the mean. ``p_sign`` is the exact binomial test that among users with a
    difference, better and worse are equally frequent: a test of the median. With many
    users both tests find tiny differences significant; look at ``difference`` first.
    Held-out items are fixed, as in `bootstrap_interval`.

    References
    ----------
    B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 16;
    W. J. Conover, "Practical Nonparametric Statistics", 1999, section 3.4 (sign test).

    Examples
    --------
    >>> from skcoldstart.metrics import compare_paired
    >>> result = compare_paired([0.9, 0.8, 0.7, 0.6, 0.5], [0.5, 0.5, 0.4, 0.3, 0.5])
    >>> round(result.difference, 3), result.n_better, result.n_worse, result.n_equal
    (0.26, 4, 0, 1)
    >>> result.low > 0, result.p_sign  # 2 / 2 ** 4
    (True, 0.125)
    """
    from scipy.stats import binomtest

    values, reference = _per_user(values, "values"), _per_user(reference, "reference")
    if len(values) != len(reference):
        raise ValueError(
            f"values has {len(values)} users but reference has {len(reference)}; both "
            f"must have one value per user, in the same order."
        )
    difference = values - reference
    difference = difference[~np.isnan(difference)]
    if not len(difference):
        return PairedComparison(np.nan, np.nan, np.nan, np.nan, np.nan, 0, 0, 0)
    n_better, n_worse = int((difference > 0).sum()), int((difference < 0).sum())
    n_unequal = n_better + n_worse
    low, high, means = _resampled(difference, confidence, n_resamples, random_state)
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return PairedComparison(
        float(difference.mean()),
        low,
        high,
        p_bootstrap=float(min(1.0, 2.0 * (beyond + 1) / (n_resamples + 1))),
        p_sign=float(binomtest(n_better, n_unequal).pvalue) if n_unequal else 1.0,
        n_better=n_better,
        n_worse=n_worse,
        n_equal=len(difference) - n_unequal,
    )


def _per_user(values: Any, name: str) -> np.ndarray:
    refuse_masked(values, name)
    values = check_array(
        values,
        ensure_2d=False,
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name=name,
    )
    if values.ndim != 1:
        raise ValueError(
            f"{name} has shape {values.shape}; expected (n_users,), one value per user."
        )
    return values


def _resampled(
    values: np.ndarray, confidence: float, n_resamples: int, random_state: Any
) -> tuple[float, float, np.ndarray]:
    """Return an interval of the mean, and the means of the samples."""
    from scipy.stats import bootstrap

    rng = np.random.default_rng(
        check_random_state(random_state).randint(np.iinfo(np.int32).max)
    )
    if len(values) == 1:  # scipy rejects a single value
        return values[0], values[0], np.full(n_resamples, values[0])
    found = bootstrap(
        (values,),
        np.mean,
        confidence_level=confidence,
        n_resamples=n_resamples,
        batch=max(1, _BLOCK // len(values)),
        method="percentile",
        rng=rng,
    )
    low, high = found.confidence_interval
    return float(low), float(high), found.bootstrap_distribution
