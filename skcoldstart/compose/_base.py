"""Scores that a factorizer decodes."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import RecommenderMixin


class FactorScoresMixin(RecommenderMixin):
    """Scores decoded by a fitted ``factorizer_`` from predicted item factors."""

    def _record_decoder(self, n_components: int, n_users: int) -> None:
        """Check whether decoding is linear, so scores can be computed in blocks."""
        self.n_users_ = n_users
        self._n_components = n_components
        factorizer = self.factorizer_  # type: ignore[attr-defined]
        if hasattr(factorizer, "user_factors_"):
            self._linear_decoder = True
            return
        # A linear decoder is additive and homogeneous. Two combinations of unit factors
        # and the origin distinguish it from PCA's mean or a link function.
        weights = np.linspace(0.25, 1.0, n_components)
        probe = np.vstack([np.zeros(n_components), weights, 2.0 * weights])
        decoded = np.asarray(factorizer.inverse_transform(probe))
        expected = probe @ np.asarray(
            factorizer.inverse_transform(np.eye(n_components))
        )
        tolerance = 1e-5 * max(1e-30, float(np.abs(expected).max()))
        self._linear_decoder = bool(np.abs(decoded - expected).max() <= tolerance)

    @property
    def user_factors_(self) -> np.ndarray:
        """User factors of shape (n_users, k), if scores are x_u . y_i."""
        check_is_fitted(self)
        if not self._linear_decoder:
            raise AttributeError(
                f"{type(self.factorizer_).__name__} does not decode factors "  # type: ignore[attr-defined]
                "linearly, so there are no user factors; use predict."
            )
        joined = getattr(self, "_joined_user_factors", None)
        if joined is not None:
            return joined
        factorizer = self.factorizer_  # type: ignore[attr-defined]
        if hasattr(factorizer, "user_factors_"):
            return factorizer.user_factors_
        units = np.eye(self._n_components)
        return np.ascontiguousarray(np.asarray(factorizer.inverse_transform(units)).T)

    def predict(self, X: Any) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        X : sequence of n_items items
            Items to score, in the same form as in `fit`. They need no plays.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            Scores, decoded by the factorizer. The items of a user are ranked by their
            column, highest first. For large catalogues prefer `recommend`, which does
            not build this table.
        """
        check_is_fitted(self)
        factors = self.predict_factors(X)  # type: ignore[attr-defined]
        if getattr(self, "_joined_user_factors", None) is not None:
            return factors @ self.user_factors_.T
        return np.asarray(self.factorizer_.inverse_transform(factors))  # type: ignore[attr-defined]
