"""Methods of fitted factors: scores, recommendations, similar and new items."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.recommendations import masked_lists
from skcoldstart._scores.sources import LowRankScores
from skcoldstart._scores.top_n import (
    check_indices,
    similar_rows,
    top_n_per_user,
    usage_coordinates,
)
from skcoldstart._scores.user_names import (
    check_same_users,
    check_user_names,
    users_by_name,
)
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import Interval
from skcoldstart._utils.threads import worker_threads
from skcoldstart.factorization._confidence import confidence_weights, fold_in_around

ABOVE_0 = Interval(Real, 0, None, closed="neither")
AT_LEAST_1 = Interval(Real, 1, None, closed="left")


class FactorQueriesMixin:
    """Methods that use ``item_factors_`` and ``user_factors_``."""

    item_factors_: np.ndarray
    user_factors_: np.ndarray
    n_jobs: int | None
    verbose: int
    confidence: str
    alpha: float
    epsilon: float
    dtype: Any

    def confidences(self, Y: Any) -> sp.csr_array:
        """Return the confidence of each play.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Play counts of any items by any users.

        Returns
        -------
        csr_array of shape (n_items, n_users)
            Confidence of each played pair, at least 1, which is that of all others.
        """
        plays = check_play_counts(Y, input_name="Y")
        weights = confidence_weights(
            plays.data,
            confidence=self.confidence,
            alpha=self.alpha,
            epsilon=self.epsilon,
            dtype=np.dtype(self.dtype),
        )
        return sp.csr_array(
            (1 + weights, plays.indices, plays.indptr), shape=plays.shape
        )

    def refusals(
        self, Y: Any, shown: Any, shown_confidence: float = 4.0
    ) -> sp.csr_array:
        """Return how much more a 0 counts where a user was shown an item.

        .. versionadded:: 0.2

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Play counts.
        shown : {array-like, sparse} of shape (n_items, n_users)
            Not 0 where a user was shown an item; plays count as plays.
        shown_confidence : float, default=4.0
            Confidence of a 0 there, at least 1.

        Returns
        -------
        csr_array of shape (n_items, n_users)
            ``shown_confidence - 1`` where an item was shown and not played.

        Raises
        ------
        ValueError
            If `shown` has another shape, other items or other users than `Y`, or
            `shown_confidence` is below 1.
        """
        if not AT_LEAST_1.is_satisfied_by(shown_confidence):
            raise ValueError(
                f"shown_confidence={shown_confidence!r}; expected a number of at "
                "least 1."
            )
        plays = check_play_counts(Y, input_name="Y")
        given = check_play_counts(shown, input_name="shown")
        check_same_items(Y, shown, input_name="shown", first_name="Y")
        check_same_users(Y, shown, input_name="shown", first_name="Y")
        check_user_names(self, shown, input_name="shown")
        if given.shape != plays.shape:
            raise ValueError(
                f"shown has shape {given.shape}; expected {plays.shape}, one row per "
                "item and one column per user."
            )
        refused = (given > 0) > (plays > 0)
        return refused.astype(np.float64) * (shown_confidence - 1.0)

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
        refuse_masked(Z, "Z")
        Z = check_array(Z, dtype=[np.float64, np.float32], input_name="Z")
        if Z.shape[1] != self.user_factors_.shape[1]:
            raise ValueError(
                f"Z has {Z.shape[1]} columns; expected {self.user_factors_.shape[1]}, "
                "one per component."
            )
        return Z @ self.user_factors_.T

    def transform_with_prior(
        self,
        Y: Any,
        prior: Any,
        *,
        strength: float = 4.0,
        shown: Any = None,
        shown_confidence: float = 4.0,
    ) -> np.ndarray:
        r"""Compute factors of items from plays, with expected factors as prior.

        For items with few plays: `transform` uses only plays, and a prediction from
        content uses none.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Plays of any items by the users of `fit`.
        prior : array-like of shape (n_items, n_components)
            Expected factors, such as those predicted from content.
        strength : float, default=4.0
            Weight of the expected factors relative to a play, above 0.
        shown : {array-like, sparse} of shape (n_items, n_users), default=None
            Not 0 where a user was shown an item: not to play it then is evidence
            against it. ``None`` means that this is unknown.

            .. versionadded:: 0.2
        shown_confidence : float, default=4.0
            Confidence of such a 0, at least 1; that of other pairs without a play is 1.

            .. versionadded:: 0.2

        Returns
        -------
        ndarray of shape (n_items, n_components)
            Factors; those of `prior` for an item of which nothing is known.

        Raises
        ------
        ValueError
            If `prior` or `shown` has another shape, `strength` is not above 0, or
            `shown_confidence` below 1.

        Notes
        -----
        For the expected factors :math:`\mu_i` of item i the result minimizes

        .. math:: s\, (y - \mu_i)^T A_i (y - \mu_i)
                  + \sum_{u: r_{ui} > 0}
                  \big[ c_{ui} (1 - x_u^T y)^2 - (x_u^T y)^2 \big]
                  + \sum_{u\ \mathrm{shown}: r_{ui} = 0} (c_0 - 1) (x_u^T y)^2,
                  \qquad A_i = X^T X + \lambda_i I

        with s the strength: differences from the prior are measured in the scores of
        all users. Pairs without a play are not counted again, because the expected
        factors already take them into account. With ``prior=0`` and ``strength=1`` this
        is `transform`.

        This solves one dense system of n_components unknowns per item, in float64.
        """
        check_is_fitted(self)
        if not ABOVE_0.is_satisfied_by(strength):
            raise ValueError(f"strength={strength!r}; expected a number above 0.")
        plays = self._check_plays(Y, reset=False)  # type: ignore[attr-defined]
        refuse_masked(prior, "prior")
        check_same_items(Y, prior, input_name="prior", first_name="Y")
        prior = check_array(
            prior,
            dtype=[np.float64, np.float32],
            ensure_min_samples=0,
            input_name="prior",
        )
        expected_shape = (plays.shape[0], self.user_factors_.shape[1])
        if prior.shape != expected_shape:
            raise ValueError(
                f"prior has shape {prior.shape}; expected {expected_shape}: one row "
                "per row of Y and one column per component."
            )
        refused = None
        if shown is not None:
            refused = self.refusals(Y, shown, shown_confidence)
        rows = self._weigh(  # type: ignore[attr-defined]
            plays, self.user_factors_.dtype, self.user_factors_.shape[1]
        )
        with worker_threads(self.n_jobs) as run:
            factors = fold_in_around(
                *(rows, self.user_factors_, prior),
                strength=strength,
                run=run,
                refused=refused,
                owner=self,
            )
        return factors.astype(self.user_factors_.dtype, copy=False)

    def recommend(
        self, n: int = 10, *, users: Any = None, exclude: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the training items with the highest scores for each user.

        Parameters
        ----------
        n : int, default=10
            Number of items per user.
        users : array-like, default=None
            Names of users, indices if Y had no names, or a mask of shape (n_users,).
            ``None`` means all.
        exclude : {array-like, sparse} of shape (n_items, n_users), default=None
            Nonzero pairs are never recommended. Pass for example the plays of `fit`.

        Returns
        -------
        items : masked array of int of shape (n_selected_users, n)
            Item indices, best first, masked where a user has fewer candidates.
        scores : masked array of shape (n_selected_users, n)
            Their scores.
        """
        check_is_fitted(self)
        check_user_names(self, exclude, input_name="exclude")
        names = getattr(self, "user_names_in_", None)
        items, scores = top_n_per_user(
            LowRankScores(self.item_factors_, self.user_factors_),
            n,
            users=users_by_name(users, names),
            exclude=exclude,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return masked_lists(items, scores)

    def similar_items(
        self, items: Any = None, n: int = 10, *, metric: str = "usage"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the most similar training items of some training items.

        Parameters
        ----------
        items : array-like of int or of bool, default=None
            Indices of items or a mask of shape (n_items,); ``None`` means all.
        n : int, default=10
            Number of other items per item.
        metric : {"usage", "factors"}, default="usage"
            Cosine of the predicted usage patterns over all users, or of the factors.

        Returns
        -------
        items : masked array of int of shape (n_selected_items, n)
            Item indices, most similar first, masked where there are no more items.
        similarities : masked array of shape (n_selected_items, n)
            Cosines; 0 with an item without plays.

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
        found = similar_rows(
            points, n, queries=queries, n_jobs=self.n_jobs, verbose=self.verbose
        )
        return masked_lists(*found)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "item_factors_")

    @property
    def components_(self) -> np.ndarray:
        """Factors of the users, one column per user."""
        return self.user_factors_.T

    @property
    def _n_features_out(self) -> int:
        return self.item_factors_.shape[1]
