"""Targets and item weights for the regressor of a recommender."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor

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


def item_weights(plays: sp.csr_array, item_weight: Any) -> np.ndarray | None:
    """Return a power of the number of users of each item, of mean 1.

    Shapes: `plays` (n_items, n_users) -> (n_items,).
    """
    exponent = {"uniform": 0.0, "inverse": -1.0}.get(item_weight, item_weight)
    if exponent == 0:
        return None
    weights = np.diff(plays.indptr).astype(np.float64) ** exponent
    return weights / weights.mean()


def fit_popularity(
    head: Any, F: Any, plays: sp.csr_array, weight: np.ndarray | None
) -> Any:
    """Return a regressor like `head` that predicts log(1 + users) of an item.

    Shapes: `F` (n_items, d), `plays` (n_items, n_users), `weight` (n_items,).
    """
    target = np.log1p(np.diff(plays.indptr).astype(np.float64))
    if isinstance(head, MultiOutputRegressor):
        target = target[:, np.newaxis]
    params = {} if weight is None else {"sample_weight": weight}
    return clone(head).fit(F, target, **params)


def predict_popularity(regressor: Any, F: Any) -> np.ndarray:
    """Return popularity predicted by `fit_popularity`, (n_items,)."""
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
