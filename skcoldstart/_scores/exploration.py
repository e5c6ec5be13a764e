"""Scores that explore items with uncertain factors."""

from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skcoldstart._scores.covariance import FactorCovariance
from skcoldstart._scores.sources import (
    CallableScores,
    LowRankScores,
    ScoreSource,
    open_recommender,
)


def with_covariance(item_factors: Any) -> bool:
    """Return whether factors are a pair with their covariances."""
    return (
        isinstance(item_factors, tuple)
        and len(item_factors) == 2
        and isinstance(item_factors[1], FactorCovariance)
    )


def explored_scores(
    model: Any,
    X: Any,
    item_factors: Any,
    user_factors: Any,
    *,
    explore: str,
    strength: float,
    random_state: Any,
) -> ScoreSource:
    """Return scores for exploration; `item_factors` may be a pair with covariances."""
    if explore not in ("thompson", "ucb"):
        raise ValueError(f"explore={explore!r}; expected None, 'thompson' or 'ucb'.")
    if not (isinstance(strength, Real) and np.isfinite(strength) and strength >= 0):
        raise ValueError(f"strength={strength!r}; expected a number of at least 0.")
    recommender, content = open_recommender(model, X if item_factors is None else None)
    if item_factors is None:
        predict_factors = getattr(recommender, "predict_factors", None)
        if predict_factors is None or "return_cov" not in (
            signature(predict_factors).parameters
        ):
            raise TypeError(
                f"explore={explore!r} needs the uncertainty of predictions, but "
                f"{type(recommender).__name__} has no predict_factors(X, "
                "return_cov=True); use a ColdStartRecommender with a ridge or a kernel "
                "ridge, or explore=None."
            )
        item_factors = predict_factors(content, return_cov=True)
    if not with_covariance(item_factors):
        raise TypeError(
            f"explore={explore!r} needs the covariances of item_factors; pass the "
            f"pair that refine_factors(X, y_so_far, return_cov=True) returns."
        )
    factors, cov = np.asarray(item_factors[0]), item_factors[1]
    if cov.shape[:2] != factors.shape:
        raise ValueError(
            f"Factors of shape {factors.shape} came with covariances of shape "
            f"{cov.shape}; expected (n_items, k) and (n_items, k, k)."
        )
    # An item with more expected plays has larger errors, but not more to learn from.
    cov = FactorCovariance(cov.scale, cov.root, cov.reductions)
    if user_factors is None:
        user_factors = recommender.user_factors_
    users = np.asarray(user_factors)
    if explore == "ucb":
        means = LowRankScores(factors, users)

        def optimistic(some: np.ndarray) -> np.ndarray:
            rows = means.rows(some)
            rows += (strength * cov.std(users[some])).T
            return rows.T

        return CallableScores(optimistic, means.n_items, means.n_users, means.dtype)
    rng = check_random_state(random_state)
    drawn = factors + strength * cov.draw(rng)
    return LowRankScores(drawn.astype(factors.dtype), users)
