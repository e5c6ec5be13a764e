"""Metrics of the first k ranks: a factory, and a docstring for each metric."""

from typing import Any, Protocol

import numpy as np

from skcoldstart._utils.docstrings import documented, filled
from skcoldstart._utils.sk import COUNT, validated
from skcoldstart.metrics._formulas import Metric, evaluate, evaluate_each
from skcoldstart.metrics._ranks import INPUT, TEXT, read_inputs

_AT_K = {
    **INPUT,
    "k": [*COUNT, None],
    "per_user": ["boolean"],
}


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


def mean_of(
    metric: Metric,
    y_true: Any,
    y_score: Any,
    exclude: Any,
    per_user: bool,
    n_jobs: int | None,
    average: str = "user",
) -> Any:
    """Compute one metric for each user, or its mean.

    Shapes: `y_true` (n_items, n_users), `y_score` (n_items, n_users), `exclude`
    (n_items, n_users) -> (n_users,).
    """
    compute = evaluate_each if per_user else evaluate
    values = compute(
        {metric.name: metric},
        *read_inputs(y_true, y_score, exclude),
        average=average,
        n_jobs=n_jobs,
    )
    return values[metric.name]


def _metric_at_k(
    function_name: str,
    metric: str,
    k: int | None,
    text: str,
    ranks: str = "Number of ranks; ``None`` means all.",
) -> MetricAtK:
    """Create the public function of a metric with the docstring `text`."""
    parameters = f"<inputs>\nk : int, default={k}\n    {ranks}\n<options>\n\n<returns>"
    parameters = f".. versionadded:: 0.1\n\nParameters\n----------\n{parameters}"

    def function(
        y_true: Any,
        y_score: Any,
        *,
        k: int | None = k,
        exclude: Any = None,
        per_user: bool = False,
        n_jobs: int | None = None,
    ) -> float | np.ndarray:
        return mean_of(Metric(metric, k), y_true, y_score, exclude, per_user, n_jobs)

    function.__name__ = function.__qualname__ = function_name
    function.__doc__ = filled(filled(text, {"at k": parameters}), TEXT)
    return validated(**_AT_K)(function)


mean_average_precision_at_k = _metric_at_k(
    "mean_average_precision_at_k",
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
)

ndcg = _metric_at_k(
    "ndcg",
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
    and
    DropoutNet, RecBole and ranx divide by :math:`|P_u|`; papers on variational
    autoencoders and later ones divide by :math:`\min(|P_u|, K)`, as does implicit's
    ``precision``, summed over users. Capped values are never smaller.
    The names for scorers are ``"recall@20"`` and ``"capped_recall@20"``.

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
    return mean_of(metric, y_true, y_score, exclude, per_user, n_jobs)
