"""AUC, and several metrics from one ranking, items as rows."""

from typing import Any

import numpy as np

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import validated
from skcoldstart.metrics._at_k import mean_of
from skcoldstart.metrics._formulas import (
    Metric,
    check_per_user,
    evaluate,
    evaluate_each,
    parse_metrics,
)
from skcoldstart.metrics._ranks import AVERAGE, INPUT, TEXT, read_inputs


@documented(TEXT)
@validated(**INPUT, average=AVERAGE, per_user=["boolean"])
def mean_auc(
    y_true: Any,
    y_score: Any,
    *,
    average: str = "user",
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the area under the ROC curve of each user's ranking, and its mean.

    .. versionadded:: 0.1

    Parameters
    ----------
    <inputs>
    average : {"user", "pooled"}, default="user"
        ``"user"``: mean of each user's AUC. ``"pooled"``: one AUC over all pairs of
        user and item, so scores of different users are compared, and users without
        positives contribute negatives. Scores are read twice, with a binary search per
        score.
    <excluded>
    per_user : bool, default=False
        Whether to return one value per user instead of the mean.
    n_jobs : int, default=None
        Number of threads; ``None`` means all. The result does not depend on it.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with both positives and negatives; NaN if there are none.
        With ``per_user=True``, skipped users have NaN.

    Raises
    ------
    ValueError
        If shapes differ, a score is NaN, a positive is excluded or scored -inf, play
        counts are negative or not finite, or ``per_user=True`` is combined with
        ``average="pooled"``.

    Warns
    -----
    UndefinedMetricWarning
        If no user has both positives and negatives.

    See Also
    --------
    mean_average_precision_at_k : The paper's first metric.
    sklearn.metrics.roc_auc_score : AUC of one user.

    Notes
    -----
    With P_u the positives and N_u the other candidates of user u,

    .. math:: AUC(u) = \frac{\#\{s_p > s_n\} + \tfrac12 \#\{s_p = s_n\}}
        {|P_u| |N_u|} .

    implicit's ``auc`` is truncated at K and interpolates the rest: the two agree only
    if K is the number of items.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.metrics import mean_auc
    >>> y_true = np.array([[3, 0], [0, 2], [1, 0]])
    >>> y_score = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    >>> mean_auc(y_true, y_score, per_user=True)
    array([0.5, 0.5])
    """
    metric = Metric("auc", None)
    if per_user:
        check_per_user({"auc": metric}, average)
    return mean_of(metric, y_true, y_score, exclude, per_user, n_jobs, average)


@documented(TEXT)
@validated(**INPUT, metrics=[str, "array-like"], average=AVERAGE, per_user=["boolean"])
def ranking_report(
    y_true: Any,
    y_score: Any,
    *,
    metrics: Any = ("map@500", "auc"),
    average: str = "user",
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> dict[str, Any]:
    """Compute several metrics from one ranking, with counts of items and users.

    .. versionadded:: 0.1

    Parameters
    ----------
    <inputs>
    metrics : str or sequence of str, default=("map@500", "auc")
        Names as in `skcoldstart.make_recommendation_scorer`.
    average : {"user", "pooled"}, default="user"
        Average of the AUC, as in `mean_auc`.
    <excluded>
    per_user : bool, default=False
        Whether to return the values of each user instead of the means, for
        `bootstrap_interval` and `compare_paired`.
    n_jobs : int, default=None
        Number of threads; ``None`` means all.

    Returns
    -------
    dict
        The metrics, under the keys of `skcoldstart.make_recommendation_scorer`, then
        ``n_items``, ``n_users_scored`` and ``n_users_skipped`` (no positive). With
        ``per_user=True`` the metrics are arrays of shape (n_users,) with NaN for
        skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`; if a metric is unknown; or if
        ``per_user=True`` and a metric has no value per user.

    See Also
    --------
    mean_average_precision_at_k : One metric, also per user.
    stratified_report : Metrics by popularity, activity, cold and warm.

    Examples
    --------
    >>> from skcoldstart.metrics import ranking_report
    >>> ranking_report([[2, 0], [0, 0]], [[0.9, 0.9], [0.8, 0.8]])
    {'map': 1.0, 'auc': 1.0, 'n_items': 2, 'n_users_scored': 1, 'n_users_skipped': 1}
    """
    task, source = read_inputs(y_true, y_score, exclude)
    parsed = parse_metrics(metrics)
    if per_user:
        check_per_user(parsed, average)
    compute = evaluate_each if per_user else evaluate
    values = compute(parsed, task, source, average=average, n_jobs=n_jobs)
    n_scored = int(np.count_nonzero(task.n_positives))
    return {
        **values,
        "n_items": source.n_items,
        "n_users_scored": n_scored,
        "n_users_skipped": source.n_users - n_scored,
    }
