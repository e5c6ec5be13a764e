"""What recommended lists are like, whether or not they are right."""

from numbers import Integral
from typing import Any

import numpy as np

from skcoldstart._utils.sk import Interval, validate_params
from skcoldstart._utils.validation import check_play_counts

__all__ = ["coverage", "novelty"]


@validate_params(
    {
        "recommendations": ["array-like"],
        "n_items": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def coverage(recommendations: Any, *, n_items: int) -> float:
    """Compute the share of items that are recommended to anybody.

    .. versionadded:: 0.1

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, n)
        Item indices, as ``recommend`` returns them; -1 is no recommendation.
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
    novelty : How unpopular recommended items are.

    Examples
    --------
    >>> from skcoldstart.metrics import coverage
    >>> coverage([[0, 3], [3, -1]], n_items=4)
    0.5
    """
    return len(np.unique(_recommended(recommendations, n_items))) / n_items


@validate_params(
    {"recommendations": ["array-like"], "y": ["array-like", "sparse matrix"]},
    prefer_skip_nested_validation=True,
)
def novelty(recommendations: Any, y: Any) -> float:
    r"""Compute the mean self-information of recommended items, in bits.

    .. versionadded:: 0.1

    Parameters
    ----------
    recommendations : array-like of int of shape (n_users, n)
        Item indices, as ``recommend`` returns them; -1 is no recommendation.
    y : {array-like, sparse} of shape (n_items, n_users)
        Play counts that say how popular each item is. For items that were new when
        recommended: the plays they have got since.

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
    coverage : The share of items that are recommended at all.

    Notes
    -----
    Mean over all recommendations of :math:`\log_2 ((m + 1) / (m_i + 1))` with
    :math:`m` users of whom :math:`m_i` play item i. The added one keeps items that
    nobody plays finite; the reference has none.

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
    if not items.size:
        return float("nan")
    n_listeners = np.diff(plays.indptr)
    return float(np.log2((plays.shape[1] + 1) / (n_listeners[items] + 1)).mean())


def _recommended(recommendations: Any, n_items: int) -> np.ndarray:
    """Return the items of all lists, without the padding."""
    items = np.asarray(recommendations)
    if items.ndim != 2 or items.dtype.kind not in "iu":
        raise ValueError(
            f"recommendations have shape {items.shape} and dtype {items.dtype}; "
            "expected item indices of shape (n_users, n), as recommend returns first."
        )
    outside = (items < -1) | (items >= n_items)
    if outside.any():
        raise ValueError(
            f"recommendations hold item {items[outside][0]} but there are {n_items} "
            f"items; expected -1 to {n_items - 1}."
        )
    return items[items >= 0]
