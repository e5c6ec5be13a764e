"""Scores of every user for every item, read a few users at a time."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._utils.missing import refuse_masked


class ScoreSource(Protocol):
    """Anything that can score all items for some users."""

    n_users: int
    n_items: int
    dtype: np.dtype

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Score all items for some users.

        Parameters
        ----------
        users : int64 ndarray of shape (n_selected_users,) or slice
            Users to score.
        out : ndarray of shape (n_selected_users, n_items), default=None
            Output array; ``None`` creates a new one.

        Returns
        -------
        ndarray of shape (n_selected_users, n_items)
            Scores; `out` if it is given.
        """
        ...

    def has_nan(self) -> bool:
        """Return whether the inputs of the scores contain NaN.

        Returns
        -------
        bool
            False for a function, where NaN is found when users are scored.
        """
        ...

    def of_items(self, items: np.ndarray) -> "ScoreSource":
        """Keep the scores of some items.

        Parameters
        ----------
        items : ndarray of int of shape (n_kept,) or of bool of shape (n_items,)
            Items to keep.

        Returns
        -------
        scores
            Of the same kind.
        """
        ...


class LowRankScores(ScoreSource):
    """Scores as products of factors, without a full table of users and items.

    .. versionadded:: 0.1

    Parameters
    ----------
    item_factors : ndarray of shape (n_items, k)
        One row per item.
    user_factors : ndarray of shape (n_users, k)
        One row per user.

    Raises
    ------
    ValueError
        If the two have different numbers of components.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.metrics import LowRankScores, mean_auc
    >>> mean_auc([[1], [0]], LowRankScores(np.array([[2.0], [1.0]]), np.ones((1, 1))))
    1.0
    """

    def __init__(self, item_factors: np.ndarray, user_factors: np.ndarray) -> None:
        item_factors, user_factors = np.asarray(item_factors), np.asarray(user_factors)
        shapes = item_factors.shape, user_factors.shape
        if {2} != set(map(len, shapes)) or shapes[0][1] != shapes[1][1]:
            raise ValueError(
                f"Item factors have shape {shapes[0]} but user factors have shape "
                f"{shapes[1]}; expected dense arrays (n_items, k) and (n_users, k)."
            )
        self.n_items = len(item_factors)
        self.n_users = len(user_factors)
        self.dtype = np.result_type(item_factors, user_factors)
        # Item factors are used in every block, user factors in one block each, so only
        # item factors are copied to the common type.
        self.item_factors = item_factors.astype(self.dtype, copy=False)
        self.user_factors = user_factors

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        return np.matmul(self.user_factors[users], self.item_factors.T, out=out)

    def has_nan(self) -> bool:
        return _has_nan(self.item_factors) or _has_nan(self.user_factors)

    def of_items(self, items: np.ndarray) -> "LowRankScores":
        return LowRankScores(self.item_factors[items], self.user_factors)


class SparseScores(ScoreSource):
    """Scores as products of sparse factors, without a full table of users and items.

    Shapes: `item_factors` (n_items, k), `user_factors` (n_users, k).
    """

    def __init__(self, item_factors: Any, user_factors: Any) -> None:
        self.item_factors = sp.csr_array(item_factors)
        self.user_factors = sp.csr_array(user_factors)
        self._by_component = self.item_factors.T.tocsr()
        self.n_items, self.n_users = item_factors.shape[0], user_factors.shape[0]
        self.dtype = np.result_type(item_factors.dtype, user_factors.dtype)

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        return (self.user_factors[users] @ self._by_component).toarray(out=out)

    def has_nan(self) -> bool:
        return _has_nan(self.item_factors.data) or _has_nan(self.user_factors.data)

    def of_items(self, items: np.ndarray) -> "SparseScores":
        return SparseScores(self.item_factors[items], self.user_factors)


class DenseScores(ScoreSource):
    """Scores from a given table, one row per item: `scores` (n_items, n_users)."""

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores
        self.n_items, self.n_users = scores.shape
        self.dtype = scores.dtype

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        rows = self._scores[:, users].T
        if out is None:
            return np.array(rows, order="C")
        np.copyto(out, rows)
        return out

    def has_nan(self) -> bool:
        return _has_nan(self._scores)

    def of_items(self, items: np.ndarray) -> "DenseScores":
        return DenseScores(self._scores[items])


class SumScores(ScoreSource):
    """Sums of scores, with a scale for each source and user.

    Shapes: `scales` (n_sources, n_users), `shifts` (n_users,).
    """

    def __init__(
        self,
        sources: Sequence[ScoreSource],
        scales: np.ndarray | None = None,
        shifts: np.ndarray | None = None,
    ) -> None:
        self.n_items, self.n_users = sources[0].n_items, sources[0].n_users
        self.dtype = np.result_type(*(source.dtype for source in sources))
        self.sources = sources
        self.scales = scales
        self.shifts = shifts

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        n_rows = len(np.arange(self.n_users)[users])
        total = np.empty((n_rows, self.n_items), self.dtype) if out is None else out
        total[...] = 0 if self.shifts is None else self.shifts[users, np.newaxis]
        for number, source in enumerate(self.sources):
            rows = source.rows(users)
            if self.scales is not None:
                rows *= self.scales[number, users, np.newaxis].astype(rows.dtype)
            total += rows
        return total

    def scale_of(self, number: int) -> Any:
        """Return the scale of a source, (n_users, 1), or 1."""
        return 1.0 if self.scales is None else self.scales[number][:, np.newaxis]

    def has_nan(self) -> bool:
        return any(source.has_nan() for source in self.sources)

    def of_items(self, items: np.ndarray) -> "SumScores":
        parts = [source.of_items(items) for source in self.sources]
        return SumScores(parts, self.scales, self.shifts)


class CallableScores(ScoreSource):
    """Scores computed by a function for a few users at a time.

    .. versionadded:: 0.1

    Parameters
    ----------
    function : callable
        ``function(users)`` takes an int64 array of shape (n_selected_users,) and
        returns scores of shape (n_items, n_selected_users). Metrics call it from
        several threads at a time unless ``n_jobs=1``, once or twice for each block of
        256 to 1024 users.
    n_items : int
        Number of items.
    n_users : int
        Number of users.
    dtype : dtype, default=np.float64
        Type of the scores: float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.metrics import CallableScores, mean_auc
    >>> popularity = np.array([[3.0], [1.0]])
    >>> scores = CallableScores(lambda users: popularity.repeat(len(users), 1), 2, 4)
    >>> mean_auc([[1, 1, 1, 0], [0, 0, 0, 1]], scores)
    0.75
    """

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        n_items: int,
        n_users: int,
        dtype: Any = np.float64,
    ) -> None:
        self._function = function
        self.n_items, self.n_users = n_items, n_users
        self.dtype = np.dtype(dtype)

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        asked = np.arange(self.n_users)[users]
        scores = np.asarray(self._function(asked))
        if scores.shape != (self.n_items, len(asked)):
            raise ValueError(
                f"The function of scores returned shape {scores.shape} for "
                f"{len(asked)} users; expected (n_items, n_selected_users) = "
                f"{(self.n_items, len(asked))}."
            )
        if out is None:
            return np.array(scores.T, dtype=self.dtype, order="C")
        np.copyto(out, scores.T)
        return out

    def has_nan(self) -> bool:
        return False

    def of_items(self, items: np.ndarray) -> "CallableScores":
        kept = np.arange(self.n_items)[items]
        return CallableScores(
            lambda users: np.asarray(self._function(users))[kept],
            len(kept),
            self.n_users,
            self.dtype,
        )


def factor_scores(item_factors: Any, user_factors: Any) -> ScoreSource:
    """Return scores as products of dense or sparse factors."""
    sparse = sp.issparse(item_factors) or sp.issparse(user_factors)
    return (SparseScores if sparse else LowRankScores)(item_factors, user_factors)


def transposed(source: ScoreSource) -> ScoreSource:
    """Return scores with items in the place of users, for a few items at a time."""
    if isinstance(source, (LowRankScores, SparseScores)):
        return type(source)(source.user_factors, source.item_factors)
    if isinstance(source, DenseScores):
        return DenseScores(source._scores.T)
    return CallableScores(
        lambda items: source.of_items(items).rows(slice(None)),
        source.n_users,
        source.n_items,
        source.dtype,
    )


def open_recommender(recommender: Any, X: Any = None) -> tuple[Any, Any]:
    """Return the recommender in a search or Pipeline, and the content it receives."""
    from sklearn.pipeline import Pipeline

    refuse_masked(X, "X")
    if hasattr(recommender, "best_estimator_"):
        return open_recommender(recommender.best_estimator_, X)
    if isinstance(recommender, Pipeline):
        if X is not None and len(recommender) > 1:
            X = recommender[:-1].transform(X)
        return open_recommender(recommender[-1], X)
    return recommender, X


def takes_groups(recommender: Any) -> bool:
    """Return whether a recommender scores items by their groups, too."""
    predict = getattr(open_recommender(recommender)[0], "predict", None)
    return predict is not None and "groups" in signature(predict).parameters


def score_source(recommender: Any, X: Any, groups: Any = None) -> ScoreSource:
    """Return the scores of a fitted recommender for items, in blocks if possible.

    Shapes: `groups` (n_items,), used if the recommender takes them.
    """
    if groups is not None:
        check_same_items(X, groups, input_name="groups")  # steps may drop the index
    recommender, X = open_recommender(recommender, X)
    params = {"groups": groups} if takes_groups(recommender) else {}
    if hasattr(recommender, "read_scores"):
        return recommender.read_scores(X, **params)
    if hasattr(recommender, "predict_factors"):
        user_factors = getattr(recommender, "user_factors_", None)  # may be decoded
        if user_factors is not None:
            return factor_scores(recommender.predict_factors(X, **params), user_factors)
    if not hasattr(type(recommender), "predict"):
        raise TypeError(
            f"{type(recommender).__name__} has no predict; expected a fitted "
            "recommender, or a Pipeline or search that ends in one."
        )
    scores = np.asarray(recommender.predict(X, **params))
    if scores.ndim != 2:
        raise ValueError(
            f"{type(recommender).__name__}.predict returned shape {scores.shape}; "
            "expected scores of shape (n_items, n_users)."
        )
    return DenseScores(scores)


def nan_error(user: int | None = None) -> ValueError:
    """Return an error about NaN scores."""
    whose = "" if user is None else f" of user {user}"
    return ValueError(
        f"Scores{whose} contain NaN; expected numbers. Check the predictions, or the "
        "factors they are computed from."
    )


def _has_nan(array: np.ndarray) -> bool:
    # The minimum is NaN if any value is, and needs no temporary array.
    return array.size > 0 and bool(np.isnan(array.min()))
