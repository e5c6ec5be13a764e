"""What fitted factors answer: scores, recommendations, similar items."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcoldstart._utils.scores import LowRankScores
from skcoldstart._utils.topn import check_indices, top_n_per_user
from skcoldstart._utils.usage import usage_coordinates

__all__ = ["FactorQueriesMixin"]


class FactorQueriesMixin:
    """Answers from ``item_factors_`` and ``user_factors_``.

    The estimator also has the parameters ``n_jobs`` and ``verbose``.
    """

    item_factors_: np.ndarray
    user_factors_: np.ndarray
    n_jobs: int | None
    verbose: int

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Return the scores of all users for items, from their factors.

        Parameters
        ----------
        Z : array-like of shape (n_items, n_components)
            Item factors, fitted or predicted.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            ``Z @ components_``.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
        if Z.shape[1] != self.user_factors_.shape[1]:
            raise ValueError(
                f"Z has {Z.shape[1]} columns; expected {self.user_factors_.shape[1]}, "
                "one per component."
            )
        return Z @ self.user_factors_.T

    def recommend(
        self, n: int = 10, *, users: Any = None, exclude: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the training items of highest score for each user.

        Parameters
        ----------
        n : int, default=10
            Items per user.
        users : array-like of int or of bool, default=None
            Indices of users or a mask of shape (n_users,); ``None`` means all.
        exclude : {array-like, sparse} of shape (n_items, n_users), default=None
            Pairs that are not zero are never recommended, the plays of `fit` say.

        Returns
        -------
        items : int64 ndarray of shape (n_selected_users, n)
            Item indices, best first; -1 where a user has fewer candidates.
        scores : ndarray of shape (n_selected_users, n)
            Their scores; -inf where there is no item.
        """
        check_is_fitted(self)
        return top_n_per_user(
            LowRankScores(self.item_factors_, self.user_factors_),
            n,
            users=users,
            exclude=exclude,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )

    def similar_items(
        self, items: Any = None, n: int = 10, *, metric: str = "usage"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the training items most similar to some of them.

        Parameters
        ----------
        items : array-like of int or of bool, default=None
            Indices of items or a mask of shape (n_items,); ``None`` means all.
        n : int, default=10
            Similar items per item; the item itself is not among them.
        metric : {"usage", "factors"}, default="usage"
            Cosine of the predicted usage patterns over all users, or of the
            factors. Patterns do not depend on the basis that the factors are in.

        Returns
        -------
        items : int64 ndarray of shape (n_selected_items, n)
            Item indices, most similar first; -1 where there are no more items.
        similarities : ndarray of shape (n_selected_items, n)
            Cosines; 0 with an item without plays, -inf where there is no item.

        Raises
        ------
        ValueError
            If `metric` or `items` is not one of the above.
        """
        check_is_fitted(self)
        if metric not in {"usage", "factors"}:
            raise ValueError(f"metric={metric!r}; expected 'usage' or 'factors'.")
        queries = check_indices(items, len(self.item_factors_), name="items")
        points = self.item_factors_
        if metric == "usage":
            points = usage_coordinates(points, self.user_factors_)
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        points = points / np.where(lengths > 0, lengths, 1)
        others, cosines = top_n_per_user(
            LowRankScores(points, points),
            n,
            users=queries,
            exclude=sp.eye_array(len(points), format="csr"),
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return others, np.minimum(cosines, 1, out=cosines)

    @property
    def components_(self) -> np.ndarray:
        """Factors of the users, one column per user."""
        return self.user_factors_.T

    @property
    def _n_features_out(self) -> int:
        return self.item_factors_.shape[1]
