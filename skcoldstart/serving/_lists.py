"""The best items of each user, and the best users of each item."""

from typing import Any

from skcoldstart._scores.listing import listeners_of_items, recommend_items
from skcoldstart._scores.recommendations import TEXTS, Listeners, Recommendations
from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.docstrings import documented


@documented(TEXTS)
def recommend(
    model: Any,
    X: Any,
    n: int = 10,
    *,
    users: Any = None,
    item_ids: Any = None,
    exclude: Any = None,
    item_factors: Any = None,
    user_factors: Any = None,
    max_per_group: int | None = None,
    groups: Any = None,
    as_frame: str | None = None,
    explore: str | None = None,
    strength: float = 1.0,
    random_state: Any = None,
) -> Recommendations:
    """Return the best items of each user, with any recommender or Pipeline.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted recommender, or a Pipeline or search that ends in one.
    X : sequence of n_items items
        Candidates, in the same form as in `fit` of `model`.
    n : int, default=10
        Number of items per user.
    <users>
    <item ids>
    <exclude>
    <how to rank>

    Returns
    -------
    Recommendations
        Unpacks as ``items, scores``, masked arrays of shape (n_selected_users, n): rows
        of `X`, best first, and their scores, masked where a user has fewer than n
        candidates. ``to_frame()`` returns rows of ``user_id``, ``rank``, ``item_id``
        and ``score``; ``to_parquet(path)`` and ``to_csv(path)`` write them.

    Raises
    ------
    ValueError
        If `n` is below 1, users, items, groups or exclusions are invalid, or scores are
        NaN.
    TypeError
        If factors are given but the recommender does not score by factors.

    See Also
    --------
    listeners : The best users of each item.
    skcoldstart.metrics.coverage : The fraction of items that are recommended.

    Notes
    -----
    The memory is one block of scores per thread, and 16 bytes for each entry of the
    lists. Equal scores are ranked by row, lower rows first. With `max_per_group` a list
    is filled with the best items that do not exceed the limit of their group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcoldstart import ContentProfileRecommender, recommend
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> model = make_pipeline(StandardScaler(), ContentProfileRecommender())
    >>> model = model.fit(X, y, contentprofilerecommender__user_ids=["ann", "bob"])
    >>> new = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> recommend(model, new, n=1, item_ids=["x", "y"]).to_frame()
      user_id  rank item_id     score
    0     ann     1       x  0.447214
    1     bob     1       y  0.554700
    """
    return recommend_items(
        model,
        X,
        n,
        users=users,
        item_ids=item_ids,
        exclude=exclude,
        item_factors=item_factors,
        user_factors=user_factors,
        max_per_group=max_per_group,
        groups=groups,
        as_frame=as_frame,
        explore=explore,
        strength=strength,
        random_state=random_state,
    )


@documented(TEXTS)
def listeners(
    model: Any,
    X: Any,
    n: int = 10,
    *,
    users: Any = None,
    item_ids: Any = None,
    exclude: Any = None,
    item_factors: Any = None,
    user_factors: Any = None,
    as_frame: str | None = None,
) -> Listeners:
    """Return the best users of each item: who should hear a new song.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted recommender, or a Pipeline or search that ends in one.
    X : sequence of n_items items
        Items, in the same form as in `fit` of `model`.
    n : int, default=10
        Number of users per item.
    users : array-like, default=None
        Users to choose from: names in ``user_names_in_``, indices if y had no names, or
        a mask of shape (n_users,). ``None`` means all. With `user_factors`: names of
        their rows.
    <item ids>
    exclude : {array-like, sparse} of shape (n_items, n_users), list of tuples, \
            DataFrame or Recommendations, default=None
        Pairs to exclude, as in `recommend`.
    item_factors : array-like of shape (n_items, k), default=None
        Factors used instead of those predicted from `X`.
    user_factors : array-like of shape (n_users, k), default=None
        Factors used instead of those of the users of fit.
    as_frame : {"pandas", "polars", "pyarrow"}, default=None
        Library of the frame of `Listeners.to_frame`; ``None`` means that of `X`.

    Returns
    -------
    Listeners
        Unpacks as ``users, scores``, masked arrays of shape (n_items, n): indices of
        users, best first, and their scores, masked where there are fewer than n.
        ``to_frame()`` returns rows of ``item_id``, ``rank``, ``user_id``, ``score``.

    Raises
    ------
    ValueError
        If `n` is below 1, users, items or exclusions are invalid, or scores are NaN.
    TypeError
        If factors are given but the recommender does not score by factors.

    See Also
    --------
    recommend : The best items of each user.

    Notes
    -----
    Scores of different users for one item are less comparable than those of one user
    for different items: users with many plays tend to have higher scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentProfileRecommender, listeners
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> model = ContentProfileRecommender().fit(X, y, user_ids=["ann", "bob"])
    >>> listeners(model, [[2.0, 1.0]], n=1, item_ids=["x"]).to_frame()
      item_id  rank user_id     score
    0       x     1     ann  0.894427
    """
    return listeners_of_items(
        model,
        X,
        n,
        users=users,
        item_ids=item_ids,
        exclude=exclude,
        item_factors=item_factors,
        user_factors=user_factors,
        as_frame=as_frame,
    )


def fold_in_users(model: Any, plays: Any, *, item_ids: Any = None) -> Any:
    """Return the factors of new users by any recommender or Pipeline.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted recommender that folds users in, or a Pipeline or search that ends in
        one.
    plays : {array-like, sparse} of shape (n_items, n_new_users)
        Play counts, >= 0: one row per item of `fit`, in the same order. Rows with names
        may be any items of `fit`, in any order.
    item_ids : array-like of shape (n_rows,), default=None
        Names of the rows of `plays`, where the items of `fit` have names.

    Returns
    -------
    {ndarray, csr_array} of shape (n_new_users, k)
        User factors, for `recommend` as `user_factors`. A user without plays gets the
        mean of the factors of `fit`.

    Raises
    ------
    ValueError
        If `plays` does not have one row per item of `fit`, names items that `fit` has
        not seen, or holds NaN, infinite or negative counts.
    TypeError
        If the recommender cannot fold users in.

    See Also
    --------
    recommend : Takes the factors as `user_factors`, and names as `users`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcoldstart import ContentProfileRecommender, fold_in_users, recommend
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> model = make_pipeline(StandardScaler(), ContentProfileRecommender()).fit(X, y)
    >>> factors = fold_in_users(model, [[0], [2]])
    >>> new = np.array([[2.0, 1.0], [1.0, 3.0]])
    >>> recommend(model, new, n=1, users=["cem"], user_factors=factors).items.tolist()
    [[1]]
    """
    recommender, _ = open_recommender(model)
    if not hasattr(recommender, "fold_in_users"):
        raise TypeError(
            f"{type(recommender).__name__} cannot fold users in; refit with their "
            "plays, or use a recommender that has fold_in_users."
        )
    return recommender.fold_in_users(plays, item_ids=item_ids)
