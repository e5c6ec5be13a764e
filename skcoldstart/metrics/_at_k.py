"""Metrics of the first k recommendations, items as rows."""

from typing import Any

import numpy as np

from skcoldstart._utils.sk import validate_params
from skcoldstart.metrics._formulas import Metric
from skcoldstart.metrics._inputs import AT_K, mean_over_users

__all__ = ["hit_rate", "mrr", "ndcg", "precision", "recall"]


@validate_params(AT_K, prefer_skip_nested_validation=True)
def ndcg(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = 10,
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the mean over users of normalised discounted cumulative gain at k.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : {array-like, sparse} of shape (n_items, n_users)
        Play counts; a positive is an item played at all, count > 0.
    y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
        Score of each user for each item; an item is a row. Factors and functions are
        read a tile of users at a time.
    k : int, default=10
        Ranks that count; ``None`` means all.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are no candidates.
    per_user : bool, default=False
        Return the value of each user instead of the mean.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with at least one positive; NaN where there is none. With
        ``per_user=True`` NaN marks the skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`.

    See Also
    --------
    sklearn.metrics.ndcg_score : Graded gains, and ties averaged.

    Notes
    -----
    Gains are binary, whatever the play count:

    .. math:: nDCG@K(u) = \sum_{r \le K} \frac{[\text{item at } r \in P_u]}
        {\log_2(1 + r)} \Big/ \sum_{r \le \min(|P_u|, K)} \frac{1}{\log_2(1 + r)} .

    scikit-learn averages tied items and takes graded gains; ranx offers both binary
    and exponential gains. Ties are stable by item index here.

    Examples
    --------
    >>> from skcoldstart.metrics import ndcg
    >>> ndcg([[0], [1], [0]], [[0.9], [0.8], [0.7]])  # 1 / log2(3)
    0.6309...
    """
    return mean_over_users(
        Metric("ndcg", k), y_true, y_score, exclude, per_user, n_jobs
    )


@validate_params({**AT_K, "capped": ["boolean"]}, prefer_skip_nested_validation=True)
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
    r"""Compute the mean over users of the share of positives among the first k.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : {array-like, sparse} of shape (n_items, n_users)
        Play counts; a positive is an item played at all, count > 0.
    y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
        Score of each user for each item; an item is a row. Factors and functions are
        read a tile of users at a time.
    k : int, default=10
        Ranks that count; ``None`` means all.
    capped : bool, default=False
        Divide by min(\|P_u\|, K), what a list of K can hold, instead of by \|P_u\|.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are no candidates.
    per_user : bool, default=False
        Return the value of each user instead of the mean.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with at least one positive; NaN where there is none. With
        ``per_user=True`` NaN marks the skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`.

    See Also
    --------
    precision : Divides by k instead.

    Notes
    -----
    With :math:`h_K(u)` the positives of user u among the first K,

    .. math:: recall@K(u) = \frac{h_K(u)}{|P_u|}, \qquad
        capped\ recall@K(u) = \frac{h_K(u)}{\min(|P_u|, K)} .

    Both are called recall in print. Papers on collaborative topic regression and
    DropoutNet, RecBole and ranx divide by :math:`|P_u|`; papers on variational
    autoencoders and their followers divide by :math:`\min(|P_u|, K)`, and so does what
    implicit calls ``precision``, summed over users. Capped values are never smaller.
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
    return mean_over_users(metric, y_true, y_score, exclude, per_user, n_jobs)


@validate_params(AT_K, prefer_skip_nested_validation=True)
def precision(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = 10,
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the mean over users of the share of the first k that are positives.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : {array-like, sparse} of shape (n_items, n_users)
        Play counts; a positive is an item played at all, count > 0.
    y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
        Score of each user for each item; an item is a row. Factors and functions are
        read a tile of users at a time.
    k : int, default=10
        Ranks that count; ``None`` means all of a user's candidates.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are no candidates.
    per_user : bool, default=False
        Return the value of each user instead of the mean.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with at least one positive; NaN where there is none. With
        ``per_user=True`` NaN marks the skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`.

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
    """
    return mean_over_users(
        Metric("precision", k), y_true, y_score, exclude, per_user, n_jobs
    )


@validate_params(AT_K, prefer_skip_nested_validation=True)
def hit_rate(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = 10,
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the share of users with at least one positive among the first k.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : {array-like, sparse} of shape (n_items, n_users)
        Play counts; a positive is an item played at all, count > 0.
    y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
        Score of each user for each item; an item is a row. Factors and functions are
        read a tile of users at a time.
    k : int, default=10
        Ranks that count; ``None`` means all.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are no candidates.
    per_user : bool, default=False
        Return 0 or 1 for each user instead of the mean.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with at least one positive; NaN where there is none. With
        ``per_user=True`` NaN marks the skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`.

    See Also
    --------
    mrr : How early the first positive comes.

    Notes
    -----
    The mean of :math:`[h_K(u) \ge 1]` over the users with positives, :math:`h_K(u)`
    being those among the first K. Papers that rank one positive among 100 sampled
    negatives report another figure under this name; here every candidate is ranked.

    Examples
    --------
    >>> from skcoldstart.metrics import hit_rate
    >>> hit_rate([[0, 1], [1, 0]], [[0.9, 0.9], [0.8, 0.8]], k=1)
    0.5
    """
    return mean_over_users(
        Metric("hit_rate", k), y_true, y_score, exclude, per_user, n_jobs
    )


@validate_params(AT_K, prefer_skip_nested_validation=True)
def mrr(
    y_true: Any,
    y_score: Any,
    *,
    k: int | None = None,
    exclude: Any = None,
    per_user: bool = False,
    n_jobs: int | None = None,
) -> float | np.ndarray:
    r"""Compute the mean over users of the reciprocal rank of the first positive.

    .. versionadded:: 0.1

    Parameters
    ----------
    y_true : {array-like, sparse} of shape (n_items, n_users)
        Play counts; a positive is an item played at all, count > 0.
    y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
        Score of each user for each item; an item is a row. Factors and functions are
        read a tile of users at a time.
    k : int, default=None
        Ranks that count, a first positive below them gives 0; ``None`` means all.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are no candidates.
    per_user : bool, default=False
        Return the value of each user instead of the mean.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.

    Returns
    -------
    float or ndarray of shape (n_users,)
        Mean over the users with at least one positive; NaN where there is none. With
        ``per_user=True`` NaN marks the skipped users.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`.

    See Also
    --------
    hit_rate : Whether it comes within the first k at all.

    Notes
    -----
    With :math:`r_1(u)` the rank of u's best positive, the mean of
    :math:`[r_1(u) \le K] / r_1(u)` over the users with positives. torchmetrics counts
    a user without positives as 0 by default.

    Examples
    --------
    >>> from skcoldstart.metrics import mrr
    >>> mrr([[0, 1], [1, 0]], [[0.9, 0.9], [0.8, 0.8]])
    0.75
    """
    return mean_over_users(Metric("mrr", k), y_true, y_score, exclude, per_user, n_jobs)
