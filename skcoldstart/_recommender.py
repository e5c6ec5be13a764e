"""What all recommenders share: scores, ranked lists, and their own score."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import score_source
from skcoldstart._scores.top_n import top_n_per_user
from skcoldstart._scores.user_names import (
    check_user_names,
    record_user_names,
    users_by_name,
)
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import refuse_masked

__all__ = ["RecommenderMixin", "check_training_plays", "weigh_plays"]


def check_training_plays(
    recommender: Any,
    X: Any,
    y: Any,
    *,
    user_ids: Any = None,
    input_name: str = "y",
) -> sp.csr_array:
    """Validate the plays a recommender is fitted on, and remember names of users.

    Shapes: `y` (n_items, n_users), `user_ids` (n_users,) -> (n_items, n_users).
    """
    n_items = count_items(X)
    refuse_masked(X, "X")
    name = type(recommender).__name__
    if y is None:
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None; pass play "
            "counts of shape (n_items, n_users)."
        )
    plays = check_play_counts(y, n_items=n_items, input_name=input_name)
    if plays.nnz == 0:
        raise ValueError(
            f"{input_name} of shape {plays.shape} holds no plays; {name} learns from "
            "at least one."
        )
    check_same_items(X, y, input_name=input_name)
    record_user_names(recommender, y, user_ids)
    return plays


def weigh_plays(plays: Any, weighting: str) -> Any:
    """Turn play counts into weights.

    Shapes: `plays` (n_items, n_users) -> (n_items, n_users).
    """
    weights = plays.copy()
    if weighting == "binary":
        weights.data[:] = 1.0
    elif weighting == "log":
        weights.data = np.log1p(weights.data)
    return weights


class RecommenderMixin:
    """Predict, recommend and score from factors of items and users.

    A recommender has ``predict_factors(X)`` of shape (n_items, k) and
    ``user_factors_`` of shape (n_users, k); scores are their product and are never
    held for all items and users unless `predict` is asked for them.
    """

    # Where metadata is routed, names of users come to fit unasked.
    __metadata_request__fit = {"user_ids": True}

    def predict(self, X: Any) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        X : sequence of n_items items
            Items to score, in the form given to `fit`; nobody needs to have played
            them.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            Scores; a user's items are ranked by their column, highest first. For
            large catalogues prefer `recommend`, which never holds this table.
        """
        check_is_fitted(self)
        scores = self.predict_factors(X) @ self.user_factors_.T  # type: ignore[attr-defined]
        return scores.toarray() if sp.issparse(scores) else scores

    def recommend(
        self, X: Any, n: int = 10, users: Any = None, exclude: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items for each user and return the best ones.

        Parameters
        ----------
        X : sequence of n_items items
            Candidates, in the form given to `fit`.
        n : int, default=10
            Items per user.
        users : array-like, default=None
            Users to recommend to: by their names in ``user_names_in_`` or, where y had
            none, by index; or a mask of shape (n_users,). ``None`` means all, in
            order.
        exclude : {array-like, sparse} of shape (n_items, n_users), default=None
            Pairs never to recommend are non-zero, such as known plays of the
            candidates.

        Returns
        -------
        items : ndarray of shape (n_selected_users, n)
            Rows of `X`, best first; -1 where a user has fewer than n candidates.
        scores : ndarray of shape (n_selected_users, n)
            Their scores; -inf beside -1.

        Raises
        ------
        ValueError
            If `n` is below 1, `users` are out of range or unknown, `exclude` has
            another shape than (n_items, n_users) or other users than in `fit`, or
            scores are NaN.
        """
        check_is_fitted(self)
        check_same_items(X, exclude, input_name="exclude")
        check_user_names(self, exclude, input_name="exclude")
        users = users_by_name(users, getattr(self, "user_names_in_", None))
        return top_n_per_user(score_source(self, X), n, users=users, exclude=exclude)

    def score(self, X: Any, y: Any) -> float:
        """Return mean average precision at 500 over users.

        Parameters
        ----------
        X : sequence of n_items items
            Items to rank.
        y : {array-like, sparse} of shape (n_items, n_users)
            Their true play counts.

        Returns
        -------
        float
            The mAP@500 of `skcoldstart.metrics.mean_average_precision_at_k`; NaN where
            it is undefined.

        Raises
        ------
        ValueError
            If `X` or `y` is malformed, or a DataFrame `y` has other users than in
            `fit`, or another order of them; a scorer in a search would give NaN
            instead.
        """
        from skcoldstart.metrics import make_recommendation_scorer

        check_is_fitted(self)
        return make_recommendation_scorer("map@500").evaluate(self, X, y)["map"]

    def __sklearn_tags__(self) -> Tags:
        """Say that y is required and holds non-negative counts of several users."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.estimator_type = "recommender"
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = True
        return tags
