"""Metrics by popularity of items, activity of users, and for cold and warm items."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import check_values
from skcoldstart._utils.sk import COUNT, INTERVAL, validated
from skcoldstart._utils.table import ranges, table_of
from skcoldstart.metrics._formulas import evaluate, parse_metrics
from skcoldstart.metrics._ranks import INPUT, TEXT, RankingTask, read_inputs
from skcoldstart.metrics._uncertainty import bootstrap_interval


@documented(TEXT)
@validated(
    **INPUT,
    metrics=[str, "array-like"],
    item_popularity=["array-like", None],
    user_activity=["array-like", None],
    warm_items=["array-like", None],
    n_strata=COUNT,
    **INTERVAL,
)
def stratified_report(
    y_true: Any,
    y_score: Any,
    *,
    metrics: Any = ("map@500", "auc"),
    item_popularity: Any = None,
    user_activity: Any = None,
    warm_items: Any = None,
    n_strata: int = 3,
    exclude: Any = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: Any = 0,
    n_jobs: int | None = None,
) -> Any:
    """Compute metrics by item popularity, user activity, and for cold and warm items.

    .. versionadded:: 0.1

    Parameters
    ----------
    <inputs>
    <metrics>
    item_popularity : array-like of shape (n_items,), default=None
        Values that divide items into strata, >= 0. ``None`` means the number of users
        of each item in `y_true`.
    user_activity : array-like of shape (n_users,), default=None
        Values that divide users into strata, >= 0, preferably their numbers of items
        played in training. ``None`` means the number in `y_true`. This is the number of
        positives, which affects mAP directly.
    warm_items : array-like of bool of shape (n_items,), default=None
        Mask of items with plays in training. ``None`` leaves these strata out.
    n_strata : int, default=3
        Number of strata of items and of users, about equally large, in addition to the
        stratum of zero. Fewer if values repeat.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Nonzero pairs are not candidates: the training plays of warm items.
    <interval>
    <draws>
    n_jobs : int, default=None
        Number of threads; ``None`` means all.

    Returns
    -------
    DataFrame, or dict of arrays where pandas is missing
        One row per stratum: ``by`` ("all", "item popularity", "user activity" or
        "items"), ``stratum`` (a range of values, or "warm" and "cold"), ``n_items``
        and ``n_users`` (those scored), ``n_positives``, and for each metric its mean
        over users and its interval, ``<metric>_low`` and ``<metric>_high``.

    Raises
    ------
    ValueError
        As in `mean_average_precision_at_k`; if an array does not have one entry per
        item or user, or holds NaN or negative values; or if a metric has no value per
        user.

    See Also
    --------
    ranking_report : Metrics over all items and users.
    bootstrap_interval : Explains the intervals.

    Notes
    -----
    The items of a stratum are **ranked among themselves**, as in benchmarks of cold
    start for cold and warm items. Popularity that is common to a stratum then has no
    effect, and strata have different numbers of candidates: compare models within a
    row, and do not compare mAP between rows. Users are ranked once, over all
    candidates, and averaged within their stratum.

    Zero is a stratum of its own: items without plays (no positives, so NaN), and users
    without plays, whose factors contain no information.

    Scores are computed once for all items, and once more for each of the two divisions
    of items.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.metrics import stratified_report
    >>> y = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0]])
    >>> scores = np.array([[3.0] * 4, [2.0] * 4, [1.0] * 4, [0.0] * 4])
    >>> table = stratified_report(y, scores, metrics="auc", n_strata=1)
    >>> table["by"].tolist(), table["auc"].round(3).tolist()
    (['all', 'item popularity', 'user activity'], [0.646, 0.646, 0.646])
    """
    everyone, source = read_inputs(y_true, y_score, exclude)
    for values, name in (
        (item_popularity, "item_popularity"),
        (warm_items, "warm_items"),
    ):
        check_same_items(y_true, values, input_name=name, first_name="y_true")
    if hasattr(getattr(user_activity, "index", None), "isin"):  # a Series by user
        by_user = user_activity.to_frame().T
        check_same_users(y_true, by_user, input_name="user_activity")
    options: dict[str, Any] = {"per_user": True, "n_jobs": n_jobs}
    parsed = parse_metrics(metrics)

    def rank(items: np.ndarray) -> tuple[RankingTask, dict[str, np.ndarray]]:
        task, scores = everyone.of_items(items), source.of_items(items)
        return task, evaluate(parsed, task, scores, **options)

    def row(by: str, name: str, ranked: Any, users: Any = None) -> dict[str, Any]:
        task, values = ranked
        n_positives = task.n_positives
        users = slice(None) if users is None else users
        cells: dict[str, Any] = {
            "by": by,
            "stratum": name,
            "n_items": task.n_items,
            "n_users": int(np.count_nonzero(n_positives[users])),
            "n_positives": int(n_positives[users].sum()),
        }
        for key, of_user in values.items():
            cells[key], cells[f"{key}_low"], cells[f"{key}_high"] = bootstrap_interval(
                of_user[users],
                confidence=confidence,
                n_resamples=n_resamples,
                random_state=random_state,
            )
        return cells

    n_items, n_users = source.n_items, source.n_users
    if item_popularity is None:
        item_popularity = np.bincount(everyone.positives.indices, minlength=n_items)
    if user_activity is None:
        user_activity = everyone.n_positives
    item_popularity = check_values(item_popularity, n_items, "item_popularity")
    user_activity = check_values(user_activity, n_users, "user_activity", "user")

    everything = everyone, evaluate(parsed, everyone, source, **options)
    rows = [row("all", "all", everything)]
    for name, items in _strata(item_popularity, n_strata):
        rows.append(row("item popularity", name, rank(items)))
    for name, users in _strata(user_activity, n_strata):
        rows.append(row("user activity", name, everything, users))
    if warm_items is not None:
        warm = check_values(warm_items, n_items, "warm_items") > 0
        for name, items in (("warm", warm), ("cold", ~warm)):
            if items.any():
                rows.append(row("items", name, rank(items)))
    return table_of(rows)


def _strata(values: np.ndarray, n_strata: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and masks: zero, then ranges about equally large."""
    positive = values > 0
    if not positive.all():
        yield "0", ~positive
    if positive.any():
        for name, chosen in ranges(values[positive], n_strata):
            mask = positive.copy()
            mask[positive] = chosen
            yield name, mask
