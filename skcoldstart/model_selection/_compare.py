"""Compare several recommenders in one table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import check_cv

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import nan_mean
from skcoldstart._utils.sk import INTERVAL, _safe_indexing, validated
from skcoldstart._utils.table import table_of
from skcoldstart.metrics import (
    bootstrap_interval,
    compare_paired,
    make_recommendation_scorer,
)
from skcoldstart.model_selection._validation import (
    check_items_and_plays,
    fit_with_groups,
)


@documented()
@validated(estimators=[Mapping], **INTERVAL)
def compare(
    estimators: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    cv: Any = None,
    metrics: str | Sequence[str] = ("map@500", "auc"),
    reference: str | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
) -> Any:
    """Evaluate recommenders on the same held-out items, with confidence intervals.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimators : mapping of str to estimator
        Recommenders by their names in the table. A pair ``(estimator, X)`` sets the
        content of one recommender: ``(OracleRecommender(), y)`` is the upper bound.
    X : sequence of n_items items
        Content of the other recommenders.
    <plays>
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist, for `cv`, for splitters of searches
        among the estimators, and for estimators whose `fit` and `predict` take it.
    <cv>
    <metrics>
    reference : str, default=None
        Name of the recommender with which the others are compared; ``None`` means the
        first.
    <interval>
    <draws>

    Returns
    -------
    DataFrame, or dict of arrays where pandas is missing
        One row per recommender: ``model``, ``n_users`` (scored in any fold), and for
        each metric its mean over users, its interval ``<metric>_low`` and
        ``<metric>_high``, ``<metric>_folds`` (the standard deviation between folds),
        ``<metric>_gain`` (the difference to the reference) and ``<metric>_p`` (its
        paired bootstrap, two-sided).

    Raises
    ------
    TypeError
        If `X` is a single path, or `cv` splits plays instead of items.
    ValueError
        If there are no estimators, `reference` is not one of them, `y` does not match a
        content, or a metric has no value per user.

    See Also
    --------
    cross_validate : Evaluates one recommender, with times and any scorer.
    skcoldstart.metrics.compare_paired : The test behind the last column.

    Notes
    -----
    A user's value is its mean over the folds in which the user played a held-out item;
    the result is the mean over users, so each user counts once. Intervals and p-values
    describe the variation with other users and the same items, and the spread between
    folds that with other items. A difference that is much smaller than this spread is
    uncertain even if its p-value is small.

    Recommenders are cloned, fitted fold by fold, and evaluated on the same folds. To
    tune one inside each fold, pass a search. Exceptions in `fit` or scoring are raised.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
    recommendation", NIPS 2013, Table 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentProfileRecommender, RandomRecommender
    >>> from skcoldstart.model_selection import compare
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 30)) - 1))
    >>> models = {"random": RandomRecommender(random_state=0),
    ...           "content": ContentProfileRecommender()}
    >>> table = compare(models, X, y, cv=3, metrics="auc")
    >>> table["model"].tolist(), bool(table["auc_p"][1] < 0.05)
    (['random', 'content'], True)
    """
    plays = check_items_and_plays(X, y, groups, cv)
    contents = {
        name: entry if isinstance(entry, tuple) else (entry, X)
        for name, entry in estimators.items()
    }
    if not contents:
        raise ValueError("estimators is empty; pass at least one recommender.")
    if reference is None:
        reference = next(iter(contents))
    if reference not in contents:
        raise ValueError(
            f"reference={reference!r} is not one of the estimators {list(contents)}."
        )
    for _, content in contents.values():
        check_items_and_plays(content, plays)
        check_same_items(content, y)
    scorer = make_recommendation_scorer(metrics)
    scorer.check_per_user()
    folds = list(check_cv(cv).split(X, None, groups))
    values = {
        name: _values_of_folds(estimator, content, plays, folds, scorer, groups)
        for name, (estimator, content) in contents.items()
    }
    options: dict[str, Any] = {
        "confidence": confidence,
        "n_resamples": n_resamples,
        "random_state": random_state,
    }
    baseline = {key: nan_mean(v, axis=0) for key, v in values[reference].items()}
    rows = []
    for name, by_key in values.items():
        scored = [~np.isnan(of_folds).all(axis=0) for of_folds in by_key.values()]
        n_users = max(map(np.count_nonzero, scored))
        row: dict[str, Any] = {"model": name, "n_users": n_users}
        for key, of_folds in by_key.items():
            of_users = nan_mean(of_folds, axis=0)
            mean, low, high = bootstrap_interval(of_users, **options)
            gain = compare_paired(of_users, baseline[key], **options)
            row |= {
                key: mean,
                f"{key}_low": low,
                f"{key}_high": high,
                f"{key}_folds": _spread(nan_mean(of_folds, axis=1)),
                f"{key}_gain": gain.difference,
                f"{key}_p": gain.p_bootstrap,
            }
        rows.append(row)
    return table_of(rows)


def _values_of_folds(
    estimator: Any, X: Any, y: Any, folds: Any, scorer: Any, groups: Any
) -> dict[str, np.ndarray]:
    """Return arrays of shape (n_splits, n_users) by metric."""
    found = []
    for train, test in folds:
        fitted = fit_with_groups(clone(estimator), X, y, train, groups)
        of_test = None if groups is None else _safe_indexing(groups, test)
        held_out = _safe_indexing(X, test)
        found.append(scorer.per_user(fitted, held_out, y[test], groups=of_test))
    return {key: np.stack([values[key] for values in found]) for key in found[0]}


def _spread(means: np.ndarray) -> float:
    """Return the standard deviation between folds, NaN for a single one."""
    means = means[~np.isnan(means)]
    return float(means.std(ddof=1)) if len(means) > 1 else float("nan")
