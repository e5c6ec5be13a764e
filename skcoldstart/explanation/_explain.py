"""Explanations: the largest contributions to each score, and the rest."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import LowRankScores, open_recommender, score_source
from skcoldstart._scores.top_n import check_users
from skcoldstart._utils.table import table_of
from skcoldstart.explanation._parts import parts_by_time, parts_of
from skcoldstart.factorization import WMF

_REST = "(everything else)"


def explain(
    model: Any,
    X_items: Any,
    users: Any,
    *,
    n: int | None = 5,
    X_train: Any = None,
    item_ids: Any = None,
    by: str = "auto",
) -> Any:
    r"""Split the scores of items for users into contributions of songs or content.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted recommender, or a search or Pipeline that ends in one; or a fitted
        `skcoldstart.WMF`, for items that are played.
    X_items : sequence of n_items items
        Items to explain, in the same form as in `fit`: for a WMF, rows of plays.
    users : array-like of int, bool or labels
        Users whose scores are explained, as in `recommend`.
    n : int or None, default=5
        Number of contributions for each item and user, largest absolute value first;
        the rest is one more row. ``None`` returns all.
    X_train : sequence of n_train items, default=None
        Content that the recommender was fitted on; required to explain factors by
        songs. For a WMF the plays that it was fitted on.
    item_ids : array-like of shape (n_train,), default=None
        Names of the training items; ``None`` means their rows.
    by : {"auto", "songs", "content", "time"}, default="auto"
        "songs" splits a score over training songs, "content" over columns of content,
        "time" over windows of the sound. "auto" means songs if the model is a sum over
        songs or `X_train` is given.

    Returns
    -------
    DataFrame, or dict of columns where pandas is not installed
        One row for each contribution, with the columns ``item`` (row of `X_items`),
        ``user``, ``rank`` (from 1; 0 for the rest), ``kind`` ("song", "content",
        "time", "popularity", "plays", "constant" or "rest"), ``source`` (a song, the
        name of a column or the seconds of a window) and ``contribution``. The
        contributions of an item and a user sum to the score, up to rounding.

    Raises
    ------
    TypeError
        If the scores of the recommender are not a sum of named parts.
    ValueError
        If `X_train` is missing or is not the content of `fit`, or users are unknown.

    Notes
    -----
    - `ContentKNNRecommender`: a song that the user played contributes its normalized
      kernel weight times the weight of its plays.
    - `ContentProfileRecommender`: a column of content contributes its product with the
      user's profile.
    - `ColdStartRecommender` with a ridge or a kernel ridge: a training song contributes
      its dual weight, for which the predicted factors are the weighted sum of those of
      the training songs, times its own score for the user. With a linear regressor,
      columns of content can contribute instead: coefficient times value, with an
      intercept that is the same for all items. A `popularity_weight` is one
      contribution of kind "popularity". Smoothed plays of a `play_weight` are split by
      content; by songs they are one of kind "plays".
    - `PopularityRecommender`: the score is one contribution of kind "popularity".
    - With ``by="time"``: windows of a network or of an `AudioEmbedding`, whose mean is
      the prediction; windows of 3 s of `skcoldstart.compose.score_over_time` for
      `BagOfWords` and `FramePooling`. The score without sound is a constant.
    - `WMF`: a song that the user played contributes through the normal equations of
      the user, :math:`y_i^T (V^T C^u V + \lambda I)^{-1} v_j c_{uj}` [1]_. What the
      user's factors are away from their solution is a constant, 0 for a fit that has
      converged.
    - `BlendRecommender`: the contributions of its recommenders in units of the blend,
      added up for equal sources; the shift that centers its scores is a constant.

    Steps before the last one of a regressor are applied first; "content" then means
    their output, with the names from ``get_feature_names_out``.

    References
    ----------
    .. [1] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback
       datasets", ICDM 2008, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentKNNRecommender, explain
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [1, 1]])
    >>> model = ContentKNNRecommender().fit(X, y)
    >>> explanation = explain(model, [[3.0, 1.0]], [0], item_ids=["a", "b"])
    >>> list(explanation["source"]), round(float(sum(explanation["contribution"])), 6)
    (['a', 'b'], 1.0)
    """
    if by not in ("auto", "songs", "content", "time"):
        raise ValueError(f"by={by!r}; expected 'auto', 'songs', 'content' or 'time'.")
    if n is not None and not (isinstance(n, Integral) and n >= 1):
        raise ValueError(
            f"n={n!r}; expected an integer of at least 1, or None for all of them."
        )
    recommender, X = open_recommender(model, X_items)
    if X_train is not None:
        check_same_items(X_train, item_ids, input_name="item_ids", first_name="X_train")
        X_train = open_recommender(model, X_train)[1]
    check_is_fitted(recommender)
    names = getattr(recommender, "user_names_in_", None)
    source = (
        LowRankScores(recommender.transform(X), recommender.user_factors_)
        if isinstance(recommender, WMF)
        else score_source(recommender, X)
    )
    positions = check_users(users, source.n_users, recommender)
    if not len(positions):
        raise ValueError("users is empty; expected at least one user.")
    scores = np.array(source.rows(positions)).T
    labels = positions if names is None else names[positions]
    if by == "time":
        parts = parts_by_time(model, X_items, labels, scores)
    else:
        parts = parts_of(
            recommender, X, positions, by=by, X_train=X_train, item_ids=item_ids
        )
    return table_of([
        {"item": item, "user": label} | row
        for item in range(len(scores))
        for user, label in enumerate(labels)
        for row in _largest(parts, item, user, n, float(scores[item, user]))
    ])


def _largest(
    parts: list[Any], item: int, user: int, n: int | None, score: float
) -> list[dict[str, Any]]:
    """Return the largest parts of a score, and the rest."""
    sums: dict[tuple[str, Any], float] = {}  # a song may be in several parts
    for part in parts:
        names, contributions = part.of_pair(item, user)
        for i in np.flatnonzero(contributions):
            key = part.kind, names[i]
            sums[key] = sums.get(key, 0.0) + float(contributions[i])
    kinds, labels = [kind for kind, _ in sums], [label for _, label in sums]
    values = list(sums.values())
    order = np.argsort(-np.abs(values), kind="stable")[:n]
    rows = [
        {"rank": rank, "kind": kinds[i], "source": labels[i], "contribution": values[i]}
        for rank, i in enumerate(order, start=1)
    ]
    if len(rows) < len(values) or not rows:
        rest = score - sum(row["contribution"] for row in rows)
        rows.append({"rank": 0, "kind": "rest", "source": _REST, "contribution": rest})
    return rows
