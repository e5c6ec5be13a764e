"""Scores of every user for every item, read a few users at a time."""

from typing import Any, Protocol

import numpy as np

__all__ = ["DenseScores", "LowRankScores", "ScoreSource", "score_source"]


class ScoreSource(Protocol):
    """Anything that can score all items for some users."""

    n_users: int
    n_items: int
    dtype: np.dtype

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return scores of shape (n_selected_users, n_items), new or in `out`."""
        ...

    def has_nan(self) -> bool:
        """Tell whether NaN stands in what the scores are made of."""
        ...


class LowRankScores:
    """Scores that are products of factors; never held as users x items.

    Parameters
    ----------
    item_factors : ndarray of shape (n_items, k)
        One row per item.
    user_factors : ndarray of shape (n_users, k)
        One row per user.
    """

    def __init__(self, item_factors: np.ndarray, user_factors: np.ndarray) -> None:
        if item_factors.shape[1] != user_factors.shape[1]:
            raise ValueError(
                f"Item factors have {item_factors.shape[1]} components but user "
                f"factors have {user_factors.shape[1]}; they must agree."
            )
        self.n_items = len(item_factors)
        self.n_users = len(user_factors)
        self.dtype = np.result_type(item_factors, user_factors)
        # Item factors are used whole for every block, user factors block by block:
        # only the former are worth a copy in the common type.
        self._item_factors = item_factors.astype(self.dtype, copy=False)
        self._user_factors = user_factors

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return scores of shape (n_selected_users, n_items), new or in `out`."""
        return np.matmul(self._user_factors[users], self._item_factors.T, out=out)

    def has_nan(self) -> bool:
        """Tell whether a factor is NaN."""
        return _has_nan(self._item_factors) or _has_nan(self._user_factors)


class DenseScores:
    """Scores that are already there, one row per item.

    Parameters
    ----------
    scores : ndarray of shape (n_items, n_users)
        Score of each user for each item.
    """

    def __init__(self, scores: np.ndarray) -> None:
        self._scores = scores
        self.n_items, self.n_users = scores.shape
        self.dtype = scores.dtype

    def rows(
        self, users: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return scores of shape (n_selected_users, n_items), new or in `out`."""
        rows = self._scores[:, users].T
        if out is None:
            return np.array(rows, order="C")
        np.copyto(out, rows)
        return out

    def has_nan(self) -> bool:
        """Tell whether a score is NaN."""
        return _has_nan(self._scores)


def score_source(recommender: Any, X: Any) -> ScoreSource:
    """Return the scores of a fitted recommender for items, in blocks if it can.

    Parameters
    ----------
    recommender : estimator
        Fitted; has ``predict(X) -> (n_items, n_users)`` and, where scores are
        low-rank, ``predict_factors(X)`` and ``user_factors_``. A Pipeline that ends
        in one, or a search over one, is opened.
    X : sequence of n_items items
        Content of the items to score.

    Returns
    -------
    ScoreSource
        Reads scores of some users at a time.
    """
    from sklearn.pipeline import Pipeline

    if hasattr(recommender, "best_estimator_"):
        return score_source(recommender.best_estimator_, X)
    if isinstance(recommender, Pipeline):
        content = recommender[:-1].transform(X) if len(recommender) > 1 else X
        return score_source(recommender[-1], content)
    if hasattr(recommender, "predict_factors") and hasattr(
        recommender, "user_factors_"
    ):
        return LowRankScores(
            np.asarray(recommender.predict_factors(X)),
            np.asarray(recommender.user_factors_),
        )
    scores = np.asarray(recommender.predict(X))
    if scores.ndim != 2:
        raise ValueError(
            f"{type(recommender).__name__}.predict returned shape {scores.shape}; "
            "expected scores of shape (n_items, n_users)."
        )
    return DenseScores(scores)


def _has_nan(array: np.ndarray) -> bool:
    # The smallest value is NaN where any value is, and costs no array of answers.
    return array.size > 0 and bool(np.isnan(array.min()))
