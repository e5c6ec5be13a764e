"""Base of recommenders: scores, ranked lists, and ``score``."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.listing import recommend_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.recommendations import TEXTS as RANKING
from skcoldstart._scores.recommendations import Recommendations, masked_lists
from skcoldstart._scores.top_n import similar_rows, usage_coordinates
from skcoldstart._scores.user_names import record_user_names
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.docstrings import COMMON, documented
from skcoldstart._utils.missing import refuse_masked

TEXTS = COMMON | {
    "table": """\
X : {array-like, sparse} of shape (n_items, n_features)
    Content.
""",
    "items to score": """\
X : sequence of n_items items
    Items, in the form given to `fit`.
""",
    "scores": """\
Returns
-------
ndarray of shape (n_items, n_users)
    Scores. For large catalogues prefer `recommend`, which does not build this
    table.
""",
    "user ids": """\
user_ids : array-like of shape (n_users,), default=None
    Names of users, if `y` is not a DataFrame with named columns.
""",
    "groups": """\
groups : array-like of shape (n_items,), default=None
    Group of each item, such as its artist.
""",
    "users of fit": """\
n_users_ : int
    Number of users, the columns of y.
user_names_in_ : ndarray of shape (`n_users_`,)
    Names of users: labels of the columns of y, or `user_ids`. Exists only if users
    have names.
""",
    "features of fit": """\
n_features_in_ : int
    Number of features seen during fit.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Names of features, if `X` has them.
""",
    "fitted": """\
Returns
-------
self
    The fitted recommender.
""",
}


def check_training_plays(
    recommender: Any, X: Any, y: Any, *, user_ids: Any = None, input_name: str = "y"
) -> sp.csr_array:
    """Validate the plays of a fit, and store names of users.

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
            f"{input_name} of shape {plays.shape} has no plays; expected at least one."
        )
    check_same_items(X, y, input_name=input_name)
    record_user_names(recommender, y, user_ids)
    return plays


def weigh_plays(plays: Any, weighting: str) -> Any:
    """Convert play counts to weights.

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

    Scores are products of ``predict_factors(X)`` of shape (n_items, k) and
    ``user_factors_`` of shape (n_users, k). Only `predict` computes all of them.
    """

    # With metadata routing, fit requests names of users by default.
    __metadata_request__fit = {"user_ids": True}

    def predict(self, X: Any) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        X : sequence of n_items items
            Items to score, in the same form as in `fit`. They need no plays.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            Scores. The items of a user are ranked by their column, highest first. For
            large catalogues prefer `recommend`, which does not build this table.
        """
        check_is_fitted(self)
        scores = self.predict_factors(X) @ self.user_factors_.T  # type: ignore[attr-defined]
        return scores.toarray() if sp.issparse(scores) else scores

    @documented(RANKING)
    def recommend(
        self,
        X: Any,
        n: int = 10,
        users: Any = None,
        exclude: Any = None,
        *,
        item_ids: Any = None,
        item_factors: Any = None,
        user_factors: Any = None,
        max_per_group: int | None = None,
        groups: Any = None,
        as_frame: str | None = None,
        explore: str | None = None,
        strength: float = 1.0,
        random_state: Any = None,
    ) -> Recommendations:
        """Rank items for each user and return the best ones.

        Parameters
        ----------
        X : sequence of n_items items
            Candidates, in the same form as in `fit`.
        n : int, default=10
            Number of items per user.
        <users>
        <exclude>
        <item ids>
        <how to rank>

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, masked arrays of shape (n_selected_users, n):
            rows of `X`, best first, and their scores, masked where a user has fewer
            than n candidates.

        Raises
        ------
        ValueError
            If `n` is below 1, `users` are out of range or unknown, `exclude` has
            another shape than (n_items, n_users) or other users than in `fit`, or
            scores are NaN.
        TypeError
            If factors are given but the recommender does not score by factors.

        See Also
        --------
        skcoldstart.recommend : Also accepts Pipelines and searches.
        """
        check_is_fitted(self)
        return recommend_items(
            self,
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

    def item_factors(self, X: Any, plays_so_far: Any = None) -> np.ndarray:
        """Return factors of items with any number of plays.

        Parameters
        ----------
        X : sequence of n_items items
            Items, in the same form as in `fit`.
        plays_so_far : {array-like, sparse} of shape (n_items, n_users), default=None
            Their play counts so far, one column per user of `fit`; a row without plays
            is a cold item. ``None`` means that all are cold.

        Returns
        -------
        ndarray or csr_array of shape (n_items, k)
            Factors, for `recommend` and `skcoldstart.recommend`: those of
            `predict_factors` for a cold item, and of ``refine_factors`` for others.
            With more plays they depend more on the plays and less on the content.

        Raises
        ------
        TypeError
            If items have plays but the recommender has no ``refine_factors``.
        """
        check_is_fitted(self)
        if plays_so_far is not None:
            if not hasattr(self, "refine_factors"):
                raise TypeError(
                    f"{type(self).__name__} has no refine_factors and uses only the "
                    "content of items; leave out plays_so_far, or use "
                    "ColdStartRecommender."
                )
            return self.refine_factors(X, plays_so_far)
        return self.predict_factors(X)  # type: ignore[attr-defined]

    def similar_items(
        self, X: Any, n: int = 10, *, among: Any = None
    ) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
        """Return the items most similar to given items, which need no plays.

        Parameters
        ----------
        X : sequence of n_items items
            Items, in the form given to `fit`; they need not have been fitted.
        n : int, default=10
            Number of similar items per item.
        among : sequence of n_others items, default=None
            Items to search; ``None`` means the items of `X`, each without itself.

        Returns
        -------
        items : masked array of int of shape (n_items, n)
            Rows of `among`, most similar first, masked where there are fewer.
        similarities : masked array of shape (n_items, n)
            Cosines of the scores of all users for the two items.

        Raises
        ------
        TypeError
            If the recommender does not score by dense factors.
        """
        check_is_fitted(self)
        user_factors = getattr(self, "user_factors_", None)
        if user_factors is None or sp.issparse(user_factors):
            raise TypeError(
                f"{type(self).__name__} does not score by dense factors of items and "
                "users; compare the content of the items instead."
            )

        def place(items: Any) -> np.ndarray:
            factors = self.predict_factors(items)  # type: ignore[attr-defined]
            return usage_coordinates(factors, user_factors)

        others = None if among is None else place(among)
        return masked_lists(*similar_rows(place(X), n, among=others))

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
            As of `skcoldstart.metrics.mean_average_precision_at_k`; NaN if undefined.

        Raises
        ------
        ValueError
            If `X` or `y` is malformed, or the users of a DataFrame `y` are not those of
            `fit`, in the same order.
        """
        from skcoldstart.metrics import make_recommendation_scorer

        check_is_fitted(self)
        return make_recommendation_scorer("map@500").evaluate(self, X, y)["map"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.estimator_type = "recommender"
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = True
        return tags
