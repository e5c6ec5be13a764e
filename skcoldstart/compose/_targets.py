"""Targets of the regressors of a recommender, and spreads of scores."""

from typing import Any

import numpy as np

from skcoldstart._scores.top_n import unit_rows


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


def predict_popularity(regressor: Any, F: Any) -> np.ndarray:
    """Return the predicted log(1 + users) of items, (n_items,)."""
    return np.ravel(regressor.predict(F)).astype(np.float64)


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
