"""Permutation importance: shuffle content between items."""

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch, check_random_state

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, validated
from skcoldstart.metrics import recommendation_scorer
from skcoldstart.model_selection._validation import (
    as_scorer,
    check_items_and_plays,
    names_of_scores,
)


@documented()
@validated(
    scoring=[callable, str, list, tuple, dict],
    columns=[Mapping, None],
    n_repeats=COUNT,
    n_jobs=[Integral, None],
    random_state=["random_state"],
    params=[dict, None],
)
def permutation_importance(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = recommendation_scorer,
    columns: Mapping[str, Sequence[Hashable]] | None = None,
    n_repeats: int = 5,
    n_jobs: int | None = None,
    random_state: Any = None,
    params: dict[str, Any] | None = None,
) -> Any:
    """Measure how much worse items are ranked when a column of content is shuffled.

    Like `sklearn.inspection.permutation_importance`, but plays and content may be
    sparse, and related columns can be shuffled together.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimator : estimator
        A fitted recommender, or a Pipeline or search that ends in one.
    X : {array-like, sparse, DataFrame, tensor} of shape (n_items, n_features)
        Content, before the feature steps of a Pipeline.
    <plays>
    scoring : callable, str, list, tuple or dict, default=recommendation_scorer
        As in `cross_validate`.
    columns : mapping of str to sequence of int or str, default=None
        Named groups of columns to shuffle together: positions, or names if `X` is a
        DataFrame. ``None`` means each column alone.
    n_repeats : int, default=5
        Number of times that each is shuffled.
    n_jobs : int, default=None
        Number of columns processed at a time, through joblib; ``None`` means 1.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffles.
    params : dict, default=None
        Further arguments of the scorer, such as ``{"exclude": pairs}``.

    Returns
    -------
    Bunch or dict of str to Bunch
        ``importances`` of shape (n_columns, n_repeats), the score minus the score after
        shuffling; ``importances_mean`` and ``importances_std`` of shape (n_columns,),
        as in scikit-learn, and ``names``, a list of columns or groups. If the scorer
        returns a dict, one Bunch for each metric.

    Raises
    ------
    TypeError
        If `X` is not a table.
    ValueError
        If `y` does not have one row per item, or a column is unknown. Exceptions in
        predict or scoring are also raised.

    See Also
    --------
    sklearn.inspection.permutation_importance : For other estimators; same results.

    Notes
    -----
    Pass items that were **not** used in `fit`: the importance is then about new items.
    If columns contain the same information, each alone seems unimportant; shuffle them
    as one group. With thousands of columns, use groups, and score a sample of the users
    (``make_recommendation_scorer("auc", users=1000)``).

    References
    ----------
    L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentProfileRecommender
    >>> from skcoldstart.model_selection import permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(90, 4))
    >>> y = rng.poisson(np.exp(X[:, :2] @ rng.normal(size=(2, 30)) - 1))
    >>> model = ContentProfileRecommender().fit(X[:60], y[:60])
    >>> found = permutation_importance(model, X[60:], y[60:], random_state=0,
    ...     columns={"heard": [0, 1], "noise": [2, 3]})
    >>> found["auc"].names, found["auc"].importances_mean.round(1)
    (['heard', 'noise'], array([0.2, 0. ]))
    """
    check_items_and_plays(X, y)
    X = _as_table(X)
    groups = _groups(X, columns)
    scorer = as_scorer(scoring)
    if names_of_scores(scorer):
        scorer = getattr(scorer, "evaluate", scorer)  # raises exceptions
    scorer = check_scoring(estimator, scorer)
    params = params or {}
    baseline = scorer(estimator, X, y, **params)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max + 1)
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_shuffled_scores)(
            estimator, X, y, positions, seed, n_repeats, scorer, params
        )
        for positions in groups.values()
    )
    names = list(groups)
    if not isinstance(baseline, dict):
        return _bunch(baseline, np.array(scores), names)
    return {
        key: _bunch(
            baseline[key], np.array([[s[key] for s in row] for row in scores]), names
        )
        for key in baseline
    }


def _bunch(baseline: float, scores: np.ndarray, names: list) -> Bunch:
    importances = baseline - scores
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        names=names,
    )


def _shuffled_scores(
    estimator: Any,
    X: Any,
    y: Any,
    positions: np.ndarray,
    seed: int,
    n_repeats: int,
    scorer: Any,
    params: dict[str, Any],
) -> list[Any]:
    """Score n_repeats times, shuffling the result of the last shuffle.

    Every group has the same seed and continues to shuffle its own content, as in
    scikit-learn.
    """
    rng = check_random_state(seed)
    order = np.arange(X.shape[0])
    content, scores = X, []
    for _ in range(n_repeats):
        rng.shuffle(order)
        content = _with_rows_moved(content, positions, order)
        scores.append(scorer(estimator, content, y, **params))
    return scores


def _with_rows_moved(X: Any, positions: np.ndarray, order: np.ndarray) -> Any:
    """Return X with the rows of some columns in another order."""
    if hasattr(X, "iloc"):
        moved = X.copy()
        for position in positions:
            moved.isetitem(position, X.iloc[order, position].array)
        return moved
    if hasattr(X, "with_columns"):  # polars
        return X.with_columns(*(X.to_series(int(p)).gather(order) for p in positions))
    if hasattr(X, "set_column"):  # pyarrow
        for position in positions.tolist():
            column = X.column(position).take(order)
            X = X.set_column(position, X.field(position), column)
        return X
    if not sp.issparse(X):
        moved = X.clone() if hasattr(X, "clone") else X.copy()
        moved[:, positions] = X[:, positions][order]
        return moved
    kept = np.ones(X.shape[1])
    kept[positions] = 0.0
    stay, move = sp.diags_array(kept), sp.diags_array(1.0 - kept)
    table = X.tocsr()
    moved = (table @ stay + table[order] @ move).astype(X.dtype)
    moved.eliminate_zeros()
    return moved.asformat(X.format)


def _as_table(X: Any) -> Any:
    """Return X if it has columns to shuffle."""
    if isinstance(X, (list, tuple)) and len({np.shape(row) for row in X}) == 1:
        X = np.asarray(X)
    if len(getattr(X, "shape", ())) != 2:
        raise TypeError(
            f"X of type {type(X).__name__} is not a table with columns; extract "
            f"features first, and pass them with the remaining steps of the Pipeline."
        )
    return X


def _groups(X: Any, columns: Any) -> dict[Hashable, np.ndarray]:
    """Return the positions of the columns of each group."""
    names = getattr(X, "column_names", getattr(X, "columns", range(X.shape[1])))
    labels = list(names)
    if columns is None:
        return {label: np.array([i]) for i, label in enumerate(labels)}
    known = {i: i for i in range(len(labels))}
    known |= {label: i for i, label in enumerate(labels)}
    unknown = [c for group in columns.values() for c in group if c not in known]
    if unknown or not columns:
        raise ValueError(
            f"columns names {unknown} but X has the columns {labels[:5]}"
            f"{' ...' if len(labels) > 5 else ''}; expected groups of them."
        )
    return {
        name: np.array([known[c] for c in group], int)
        for name, group in columns.items()
    }
