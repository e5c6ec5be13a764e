"""Metrics that describe recommended lists: coverage, novelty, popularity."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.recommendations import read_lists
from skcoldstart._scores.top_n import check_users
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import nan_mean, ratio
from skcoldstart._utils.sk import COUNT, HasMethods, validated

_LISTS = {"recommendations": ["array-like", HasMethods(["to_frame"])]}


@documented()
@validated(**_LISTS, n_items=COUNT)
def coverage(recommendations: Any, *, n_items: int) -> float:
    r"""Compute the fraction of items that are recommended to at least one user.

    .. versionadded:: 0.1

    Parameters
    ----------
    <lists>
    n_items : int
        Number of items that could be recommended.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `recommendations` are not integers from -1 to ``n_items - 1``.

    See Also
    --------
    novelty : Measures how unpopular the recommended items are.
    popularity_bias : Compares them with the played items.

    Notes
    -----
    With :math:`L_u` the list of user u, :math:`|\bigcup_u L_u| / n`, where n counts all
    candidates. It grows with the number of users, so compare it for the same users.
    irspack's ``appeared_item`` is the numerator.

    Examples
    --------
    >>> from skcoldstart.metrics import coverage
    >>> coverage([[0, 3], [3, -1]], n_items=4)
    0.5
    """
    items = _recommended(recommendations, n_items)
    return len(np.unique(items[items >= 0])) / n_items


@documented()
@validated(**_LISTS, y=["array-like", "sparse matrix"])
def novelty(recommendations: Any, y: Any) -> float:
    r"""Compute the mean self-information of recommended items, in bits.

    .. versionadded:: 0.1

    Parameters
    ----------
    <lists>
    y : {array-like, sparse} of shape (n_items, n_users)
        Play counts that define the popularity of items. For new items: their plays
        since the recommendation.

    Returns
    -------
    float
        0 where only items that everybody plays are recommended; NaN where nothing is.

    Raises
    ------
    ValueError
        If `recommendations` are not integers from -1 to ``n_items - 1``, or play
        counts are negative or not finite.

    See Also
    --------
    coverage : The fraction of items that are recommended.
    popularity_bias : Popularity relative to the played items.

    Notes
    -----
    Mean over all recommendations of :math:`\log_2 ((m + 1) / (m_i + 1))` with
    :math:`m` users of whom :math:`m_i` play item i. Adding 1 makes the value finite for
    items without plays; the reference does not do this.

    References
    ----------
    T. Zhou, Z. Kuscsik, J.-G. Liu, M. Medo, J. R. Wakeling, Y.-C. Zhang, "Solving the
    apparent diversity-accuracy dilemma of recommender systems", PNAS 107, 2010.

    Examples
    --------
    >>> from skcoldstart.metrics import novelty
    >>> novelty([[0, 1]], [[1, 1, 5], [0, 0, 0]])  # (log2(4 / 4) + log2(4 / 1)) / 2
    1.0
    """
    plays = check_play_counts(y)
    items = _recommended(recommendations, plays.shape[0])
    return mean_information(items, _popularity(plays), plays.shape[1])


@documented()
@validated(**_LISTS, y=["array-like", "sparse matrix"], users=["array-like", None])
def popularity_bias(recommendations: Any, y: Any, *, users: Any = None) -> float:
    r"""Compute how much more popular recommended items are than played items.

    .. versionadded:: 0.1

    Parameters
    ----------
    <lists>
    y : {array-like, sparse} of shape (n_items, n_users)
        Play counts of the same items. They define the popularity of items and the
        played items of each user.
    users : array-like of int or bool, default=None
        Users of the lists; ``None`` means all, in order.

    Returns
    -------
    float
        0 where users are recommended items as popular as those they play, 1 where twice
        as popular, negative if they are less popular; at least -1. NaN if no user has
        both a recommendation and a play.

    Raises
    ------
    ValueError
        As in `novelty`, or if there is not one list per user.

    See Also
    --------
    novelty : A mean over the recommended items only.

    Notes
    -----
    With :math:`\varphi_i` the share of users who play item i, :math:`L_u` the list of
    user u and :math:`P_u` the items that u played, over the users who have both,

    .. math:: \frac{\sum_u \frac{1}{|L_u|} \sum_{i \in L_u} \varphi_i}
        {\sum_u \frac{1}{|P_u|} \sum_{i \in P_u} \varphi_i} - 1 .

    The reference uses training plays for :math:`P_u`. New items have none, so here both
    terms refer to the ranked items.

    References
    ----------
    H. Abdollahpouri, M. Mansoury, R. Burke, B. Mobasher, "The unfairness of
    popularity bias in recommendation", RMSE workshop at RecSys 2019.

    Examples
    --------
    >>> from skcoldstart.metrics import popularity_bias
    >>> y = [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    >>> popularity_bias([[0], [0]], y, users=[2, 3])  # 1 / ((3/4 + 7/12) / 2) - 1
    0.4999...
    """
    plays = check_play_counts(y)
    items = _recommended(recommendations, plays.shape[0])
    rows = check_users(users, plays.shape[1])
    if len(rows) != len(items):
        raise ValueError(
            f"recommendations have {len(items)} rows for {len(rows)} users; expected "
            "one row per user. Pass the users of these lists."
        )
    return popularity_lift(items, plays.T.tocsr()[rows], _popularity(plays))


def mean_information(items: np.ndarray, popularity: np.ndarray, n_users: int) -> float:
    """Return the mean self-information of listed items.

    Shapes: `items` (n_rows, n), `popularity` (n_items,).
    """
    listed = popularity[items[items >= 0]]
    if not len(listed):
        return float("nan")
    return float(np.log2((n_users + 1) / (n_users * listed + 1)).mean())


def popularity_lift(
    items: np.ndarray, played: sp.csr_array, popularity: np.ndarray
) -> float:
    """Return how much more popular listed items are than played items.

    Shapes: `items` (n_rows, n), `played` (n_rows, n_items), `popularity` (n_items,).
    """
    listed = nan_mean(np.where(items >= 0, popularity[items], np.nan), axis=1)
    own = ratio((played > 0) @ popularity, np.diff(played.indptr))
    both = ~np.isnan(listed) & ~np.isnan(own)
    if not both.any():
        return float("nan")
    return float(listed[both].sum() / own[both].sum() - 1.0)


def _popularity(plays: sp.csr_array) -> np.ndarray:
    return np.diff(plays.indptr) / plays.shape[1]


def _recommended(recommendations: Any, n_items: int) -> np.ndarray:
    """Return checked lists of items."""
    items = read_lists(recommendations, "recommendations")
    outside = (items < -1) | (items >= n_items)
    if outside.any():
        raise ValueError(
            f"recommendations hold item {items[outside][0]} but there are {n_items} "
            f"items; expected -1 to {n_items - 1}."
        )
    return items
