"""What docstrings say of the parameters of lists."""

TEXTS = {
    "users": """\
users : array-like, default=None
    Users to recommend to: by their names in ``user_names_in_`` or, where y had
    none, by index; or a mask of shape (n_users,). ``None`` means all, in order.
    With `user_factors`: names of their rows.
""",
    "item ids": """\
item_ids : array-like of shape (n_items,), default=None
    Names of the items; ``None`` means the index of a frame `X`, else its column
    ``item_id``, else rows.
""",
    "exclude": """\
exclude : {array-like, sparse} of shape (n_items, n_users), list of tuples, \
        DataFrame, Recommendations or Listeners, default=None
    Pairs that are never recommended: the entries of a table that are not zero,
    pairs (user, item), or a frame with the columns ``user_id`` and ``item_id``, such
    as lists that were sent before. Pairs are named as in the result; pairs with
    unknown names are ignored.
""",
    "how to rank": """\
item_factors : array-like of shape (n_items, k), default=None
    Item factors to use instead of those predicted from `X`, which may then be
    ``None``. The method ``item_factors`` returns them for items that already have
    plays. With `explore`: the pair that ``refine_factors(X, y_so_far,
    return_cov=True)`` returns.
user_factors : array-like of shape (n_selected_users, k), default=None
    User factors to use instead of those of `fit`, such as those of new users.
max_per_group : int, default=None
    Largest number of items of one group in a list.
groups : array-like of shape (n_items,), default=None
    Group of each item, such as its artist; used by `max_per_group` and by
    recommenders that score by group.
as_frame : {"pandas", "polars", "pyarrow"}, default=None
    What `Recommendations.to_frame` returns; ``None`` means the library of `X`.
explore : {"thompson", "ucb"}, default=None
    Rank uncertain items higher at times, to learn from their first plays:
    "thompson" draws the factors of each item from their posterior, once a call;
    "ucb" adds `strength` standard deviations to each score. The scores returned are
    those that were ranked. Requires a `ColdStartRecommender` whose
    ``predict_factors(X, return_cov=True)`` works.

    .. versionadded:: 0.2
strength : float, default=1.0
    How much to explore, in standard deviations: 0 ranks as ``explore=None``.
random_state : int, RandomState instance or None, default=None
    Source of the draws of "thompson". An integer gives the same lists in each call.
""",
}
