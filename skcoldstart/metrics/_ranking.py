"""Metrics of a ranking: those of the first k ranks, AUC, and several at once."""

from typing import Any, Protocol

import numpy as np

from skcoldstart._utils.docstrings import documented, filled
from skcoldstart._utils.sk import COUNT, StrOptions, validated
from skcoldstart.metrics._formulas import Metric, evaluate, parse_metrics
from skcoldstart.metrics._ranks import INPUT, TEXT, read_inputs

_AT_K = {**INPUT, "k": [*COUNT, None]}
_AVERAGE = [StrOptions({"user", "pooled"})]


class MetricAtK(Protocol):
    """A function of plays and scores, of the first k ranks."""

    def __call__(
        self,
        y_true: Any,
        y_score: Any,
        *,
        k: int | None = ...,
        exclude: Any = None,
        per_user: bool = False,
        n_jobs: int | None = None,
    ) -> float | np.ndarray:
        """Return the mean over users, or one value per user."""
        ...


def _mean_of(
    metric: Metric, y_true: Any, y_score: Any, exclude: Any, **options: Any
) -> Any:
    """Compute one metric as a mean over users, or for each user, (n_users,)."""
    inputs = read_inputs(y_true, y_score, exclude)
    return evaluate({metric.name: metric}, *inputs, **options)[metric.name]


def _metric_at_k(
    name: str,
    k: int | None,
    text: str,
    *,
    ranks: str = "Number of ranks; ``None`` means all.",
    function_name: str | None = None,
) -> MetricAtK:
    """Create the public function of a metric with the docstring `text`."""
    parameters = (
        ".. versionadded:: 0.1\n\nParameters\n----------\n<inputs>\n"
        f"k : int, default={k}\n    {ranks}\n<options>\n\n<returns>"
    )

    def function(
        y_true: Any,
        y_score: Any,
        *,
        k: int | None = k,
        exclude: Any = None,
        per_user: bool = False,
        n_jobs: int | None = None,
    ) -> float | np.ndarray:
        options = {"per_user": per_user, "n_jobs": n_jobs}
        return _mean_of(Metric(name, k), y_true, y_score, exclude, **options)

    function.__name__ = function.__qualname__ = function_name or name
    function.__doc__ = filled(filled(text, {"at k": parameters}), TEXT)
    return validated(**_AT_K)(function)


mean_average_precision_at_k = _metric_at_k(
    "map",
    500,
    r"""Compute the mean over users of average precision at k.

    <at k>

    See Also
    --------
    mean_auc : The paper's second metric.
    ranking_report : Several metrics from one ranking, with counts of items and users.
    skcoldstart.recommendation_scorer : Scorer of estimators.

    Notes
    -----
    With P_u the positives of user u, and rank 1 the best of u's candidates,

    .. math:: AP@K(u) = \frac{1}{\min(|P_u|, K)} \sum_{r=1}^{K}
        \mathrm{precision}_r(u) \, [\text{item at rank } r \in P_u] .

    Equal scores are ranked by item index, the lower first. Other conventions: ranx and
    trec_eval's ``map_cut`` divide by :math:`|P_u|`; implicit divides as here;
    `sklearn.metrics.label_ranking_average_precision_score` has no cutoff, counts a
    user without positives as 1 and gives ties the worst rank.

    The time is one pass over a user's scores per positive, without sorting.

    References
    ----------
    B. McFee, T. Bertin-Mahieux, D. P. W. Ellis, G. R. G. Lanckriet, "The Million Song
    Dataset Challenge", AdMIRe 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.metrics import mean_average_precision_at_k
    >>> y_true = np.array([[3, 0], [0, 0], [1, 0]])  # the second user is skipped
    >>> y_score = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    >>> mean_average_precision_at_k(y_true, y_score)  # (1/1 + 2/3) / 2
    0.8333...
    """,
    ranks="Number of ranks, 500 in the Million Song Dataset Challenge; ``None`` means "
    "all.",
    function_name="mean_average_precision_at_k",
)

ndcg = _metric_at_k(
    "ndcg",
    10,
    r"""Compute the mean over users of normalized discounted cumulative gain at k.

    <at k>

    See Also
    --------
    sklearn.metrics.ndcg_score : Graded gains, and ties averaged.

    Notes
    -----
    Gains are binary and do not depend on the play count:

    .. math:: nDCG@K(u) = \sum_{r \le K} \frac{[\text{item at } r \in P_u]}
        {\log_2(1 + r)} \Big/ \sum_{r \le \min(|P_u|, K)} \frac{1}{\log_2(1 + r)} .

    scikit-learn averages tied items and supports graded gains; ranx has binary and
    exponential gains. Here ties are ordered by item index.

    Examples
    --------
    >>> from skcoldstart.metrics import ndcg
    >>> ndcg([[0], [1], [0]], [[0.9], [0.8], [0.7]])  # 1 / log2(3)
    0.6309...
    """,
)

precision = _metric_at_k(
    "precision",
    10,
    r"""Compute the mean over users of the fraction of positives in the first k.

    <at k>

    See Also
    --------
    recall : Divides by the number of positives instead.

    Notes
    -----
    precision@K(u) = (positives among the first K) / K, also where u has fewer than K
    candidates, as in trec_eval. LensKit divides by the length of the list; implicit's
    ``precision`` divides by min(\|P_u\|, K), summed over users.

    Examples
    --------
    >>> from skcoldstart.metrics import precision
    >>> precision([[0], [1], [1]], [[0.9], [0.8], [0.7]], k=3)
    0.666...
    """,
    ranks="Number of ranks; ``None`` means all of a user's candidates.",
)

hit_rate = _metric_at_k(
    "hit_rate",
    10,
    r"""Compute the fraction of users with at least one positive in the first k.

    <at k>

    See Also
    --------
    mrr : Uses the rank of the first positive.

    Notes
    -----
    The mean of :math:`[h_K(u) \ge 1]` over the users with positives, :math:`h_K(u)`
    being those among the first K. Papers that rank one positive among 100 sampled
    negatives report a different quantity with this name; here every candidate is
    ranked.

    Examples
    --------
    >>> from skcoldstart.metrics import hit_rate
    >>> hit_rate([[0, 1], [1, 0]], [[0.9, 0.9], [0.8, 0.8]], k=1)
    0.5
    """,
)

mrr = _metric_at_k(
    "mrr",
    None,
    r"""Compute the mean over users of the reciprocal rank of the first positive.

    <at k>

    See Also
    --------
    hit_rate : Whether it is in the first k.

    Notes
    -----
    With :math:`r_1(u)` the rank of u's best positive, the mean of
    :math:`[r_1(u) \le K] / r_1(u)` over the users with positives. By default
    torchmetrics counts a user without positives as 0.

    Examples
    --------
    >>> from skcoldstart.metrics import mrr
    >>> mrr([[0, 1], [1, 0]], [[0.9, 0.9], [0.8, 0.8]])
    0.75
    """,
    ranks="Number of ranks; a first positive after them gives 0. ``None`` means all.",
)


@documented(TEXT)
@validated(**_AT_K, capped=["boolean"])
def recall(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = 10,
    capped: bool = False,
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the mean over users of the fraction of their positives in the first k.

    .. versionadded:: 0.1

    Parameters
    ----------
    <inputs>
    k : int, default=10
        Number of ranks; ``None`` means all.
    capped : bool, default=False
        Whether to divide by min(\|P_u\|, K), the maximum in a list of length K, instead
        of \|P_u\|.
    <options>

    <returns>

    See Also
    --------
    precision : Divides by k instead.

    Notes
    -----
    With :math:`h_K(u)` the positives of user u among the first K,

    .. math:: recall@K(u) = \frac{h_K(u)}{|P_u|}, \qquad
        capped\ recall@K(u) = \frac{h_K(u)}{\min(|P_u|, K)} .

    Both are called recall in the literature. Papers on collaborative topic regression
    and DropoutNet, RecBole and ranx divide by :math:`|P_u|`; papers on variational
    autoencoders divide by :math:`\min(|P_u|, K)`, as does implicit's ``precision``,
    summed over users. Their names for scorers are ``"recall@20"`` and
    ``"capped_recall@20"``.

    Examples
    --------
    >>> from skcoldstart.metrics import recall
    >>> recall([[0], [1], [1]], [[0.9], [0.8], [0.7]], k=1)
    0.0
    >>> recall([[1], [1], [1]], [[0.9], [0.8], [0.7]], k=2)
    0.666...
    >>> recall([[1], [1], [1]], [[0.9], [0.8], [0.7]], k=2, capped=True)
    1.0
    """
    metric = Metric("capped_recall" if capped else "recall", k)
    options = {"per_user": per_user, "n_jobs": n_jobs}
    return _mean_of(metric, y_true, y_score, exclude, **options)


@documented(TEXT)
@validated(**INPUT, average=_AVERAGE)
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
    <options>

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
    options = {"average": average, "per_user": per_user, "n_jobs": n_jobs}
    return _mean_of(Metric("auc", None), y_true, y_score, exclude, **options)


@documented(TEXT)
@validated(**INPUT, metrics=[str, "array-like"], average=_AVERAGE)
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
    <options>

    Returns
    -------
    dict
        The metrics, under the keys of `skcoldstart.make_recommendation_scorer`, then
        ``n_items``, ``n_users_scored`` and ``n_users_skipped`` (no positive). With
        ``per_user=True`` the metrics are arrays of shape (n_users,) with NaN for
        skipped users, for `bootstrap_interval` and `compare_paired`.

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
    options: dict[str, Any] = dict(average=average, per_user=per_user, n_jobs=n_jobs)
    values = evaluate(parse_metrics(metrics), task, source, **options)
    n_scored = int(np.count_nonzero(task.n_positives))
    return {
        **values,
        "n_items": source.n_items,
        "n_users_scored": n_scored,
        "n_users_skipped": source.n_users - n_scored,
    }
