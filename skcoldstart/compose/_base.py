"""Scores that a factorizer decodes, and further factors next to them."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._recommender import RecommenderMixin
from skcoldstart._scores.top_n import unit_rows
from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart.compose._linear import play_features, play_projection
from skcoldstart.compose._regressors import features_and_head, last_step


def checked_content(
    estimator: Any, X: Any, *, reset: bool = True, accept_sparse: Any = "csr"
) -> Any:
    """Return content as a table of floats; errors name the place of a missing value."""
    dtypes = [np.float64, np.float32]
    with name_missing_content(X):
        table = validate_data(
            estimator, X, accept_sparse=accept_sparse, dtype=dtypes, reset=reset
        )
    return sp.csr_array(table) if sp.issparse(table) else table


def take_items(X: Any, items: np.ndarray) -> Any:
    """Select items of content in any form; not every sparse format has rows."""
    return _safe_indexing(X.tocsr() if sp.issparse(X) else X, items)


def compress_norms(factors: np.ndarray, compression: float) -> tuple[np.ndarray, float]:
    """Return factors (n_items, k) with compressed lengths, and the mean length."""
    if compression == 0:
        return factors, 1.0
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    mean = float(lengths.mean())
    if np.isinf(compression):
        return unit_rows(factors), mean
    scale = (lengths + compression * mean) / (compression + 1)
    return unit_rows(factors) * scale, 1.0


def score_covariance(item_factors: np.ndarray) -> np.ndarray:
    """Return the covariance of factors over items, (n_items, k) -> (k, k)."""
    centred = item_factors - item_factors.mean(axis=0)
    return (centred.T @ centred).astype(np.float64) / len(centred)


def user_spreads(covariance: np.ndarray, user_factors: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each user's scores over items.

    Shapes: `covariance` (k, k), `user_factors` (n_users, k) -> (n_users,).
    """
    variances = np.einsum("uk,uk->u", user_factors @ covariance, user_factors)
    return np.sqrt(np.maximum(variances, 0.0))


class FactorScoresMixin(RecommenderMixin):
    """Scores decoded by a fitted ``factorizer_`` from predicted item factors."""

    def _record_decoder(self, n_components: int, n_users: int) -> None:
        """Check whether decoding is linear, so scores can be computed in blocks."""
        self.n_users_ = n_users
        self._n_components = n_components
        factorizer = self.factorizer_  # type: ignore[attr-defined]
        self._linear_decoder = hasattr(factorizer, "user_factors_")
        if self._linear_decoder:
            return
        # A linear decoder is additive and homogeneous. Two combinations of unit factors
        # and the origin distinguish it from PCA's mean or a link function.
        weights = np.linspace(0.25, 1.0, n_components)
        probe = np.vstack([np.zeros(n_components), weights, 2.0 * weights])
        decoded = np.asarray(factorizer.inverse_transform(probe))
        units = np.asarray(factorizer.inverse_transform(np.eye(n_components)))
        expected = probe @ units
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
        check_is_fitted(self)
        factors = self.predict_factors(X)  # type: ignore[attr-defined]
        if getattr(self, "_joined_user_factors", None) is not None:
            return factors @ self.user_factors_.T
        return np.asarray(self.factorizer_.inverse_transform(factors))  # type: ignore[attr-defined]


class JoinedHeadsMixin(FactorScoresMixin):
    """Scores with the terms of ``play_weight`` and ``popularity_weight``."""

    play_weight: float
    popularity_weight: float
    regressor_: Any
    factorizer_: Any
    _joined_user_factors: np.ndarray | None

    def _join_heads(self, F: Any, plays: Any, weight: np.ndarray | None) -> None:
        """Append smoothed plays and predicted popularity to the factors of users."""
        for name in ("popularity_regressor_", "_play_projection", "_popularity_spread"):
            self.__dict__.pop(name, None)
        if not (self.play_weight or self.popularity_weight):
            return
        if not self._linear_decoder:
            raise TypeError(
                "play_weight and popularity_weight add to products of factors, but "
                f"{type(self.factorizer_).__name__} does not decode linearly; use "
                "factorizer=WMF(), or set both to 0."
            )
        head, users = last_step(self.regressor_), self.user_factors_
        if self.play_weight:
            self._play_projection = None  # the regressor has it
            if not hasattr(head, "inverse_"):
                projection = play_projection(head, F, weight)
                self._play_projection = projection.astype(users.dtype, copy=False)
            self._play_scale = users.dtype.type(self.play_weight)
        users = self._with_smoothed_plays(users, plays)
        if self.popularity_weight:
            items = np.reshape(head.predict(F), (-1, self._n_components))
            if self.play_weight:
                items = np.hstack([items, play_features(head, F)])
            target = np.log1p(np.diff(plays.indptr).astype(np.float64))
            if isinstance(head, MultiOutputRegressor):
                target = target[:, np.newaxis]
            params = {} if weight is None else {"sample_weight": weight}
            self.popularity_regressor_ = clone(head).fit(F, target, **params)
            predicted = self._popularity(F)
            self._popularity_scale = float(predicted.mean()), float(predicted.std())
            covariance = score_covariance(items)
            mean = float(user_spreads(covariance, users).mean()) or 1.0
            self._popularity_spread = covariance, mean
        self._joined_user_factors = self._with_popularity(users)

    def _popularity(self, F: Any) -> np.ndarray:
        """Predict log(1 + users) of items, (n_items,)."""
        return np.ravel(self.popularity_regressor_.predict(F)).astype(np.float64)

    def _with_smoothed_plays(self, users: np.ndarray, plays: sp.csr_array) -> Any:
        """Append smoothed plays of training items to the factors of users."""
        if not hasattr(self, "_play_projection"):
            return users
        played = sp.csr_array(plays, dtype=users.dtype, copy=True)
        played.data[:] = self._play_scale
        projection = self._play_projection
        if projection is None:
            projection = last_step(self.regressor_).inverse_
        smoothed = (played.T @ projection).astype(users.dtype, copy=False)
        return np.hstack([users, smoothed])

    def _with_popularity(self, users: np.ndarray) -> np.ndarray:
        """Append the weight of popularity for each user."""
        if not hasattr(self, "_popularity_spread"):
            return users
        covariance, mean = self._popularity_spread
        spreads = user_spreads(covariance, users)
        spreads[spreads == 0] = mean  # users without plays
        column = (self.popularity_weight * spreads).astype(users.dtype)
        return np.column_stack([users, column])

    def _with_heads(self, X: Any, factors: np.ndarray) -> np.ndarray:
        """Append to item factors the features for smoothed plays and popularity."""
        if self._joined_user_factors is None:
            return factors
        F, head = features_and_head(self.regressor_, X)
        columns = [factors]
        n_left = self._joined_user_factors.shape[1] - factors.shape[1]
        if hasattr(self, "popularity_regressor_"):
            mean, spread = self._popularity_scale
            predicted = self._popularity(F)
            columns.append((predicted - mean)[:, np.newaxis] / (spread or 1.0))
            n_left -= 1
        if n_left:
            columns.insert(1, play_features(head, F))
        return np.hstack(columns).astype(self._joined_user_factors.dtype, copy=False)
