"""Smoothed plays: predictions of plays by a regressor linear in its targets."""

from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from skcoldstart.compose._linear import (
    LINEAR_REGRESSORS,
    dense,
    kernel_of,
    one_strength,
    solver,
)


def check_linear_in_targets(head: Any) -> None:
    """Reject a last step whose predictions are not linear in its targets."""
    if not isinstance(head, (*LINEAR_REGRESSORS, KernelRidge)):
        raise TypeError(
            f"play_weight > 0 adds the plays to the targets, but {type(head).__name__} "
            "is not known to be linear in its targets; expected Ridge, RidgeCV, "
            "LinearRegression or KernelRidge, alone or at the end of a Pipeline. Use "
            "one of these, or play_weight=0."
        )
    if getattr(head, "positive", False):
        raise ValueError(
            f"play_weight > 0 needs a regressor linear in its targets, but "
            f"{type(head).__name__}(positive=True) is not; set positive=False."
        )


def play_features(head: Any, F: Any) -> np.ndarray:
    """Return features whose products with `play_projection` are smoothed plays.

    Shapes: `F`, input of the last step, (n_items, d) -> (n_items, q).
    """
    if isinstance(head, KernelRidge):
        return kernel_of(head, F, head.X_fit_)
    F = dense(F)
    return np.hstack([F, np.ones((len(F), 1), F.dtype)])


def play_projection(head: Any, F: Any, weight: np.ndarray | None) -> np.ndarray:
    """Solve for each item; users have the sums over the items they played.

    Shapes: `F` (n_items, d), `weight` (n_items,) -> (n_items, q).
    """
    n_items = F.shape[0]
    w = np.ones(n_items) if weight is None else np.asarray(weight, float)
    root = np.sqrt(w)[:, np.newaxis]
    alpha = one_strength(head, "Smoothed plays (play_weight > 0)")
    if isinstance(head, KernelRidge):
        solve = solver(
            kernel_of(head, F, head.X_fit_).astype(np.float64) * (root * root.T), alpha
        )
        return root * solve(np.diag(root[:, 0]))
    F = dense(F).astype(np.float64)
    mean, offsets = np.zeros(F.shape[1]), np.zeros(n_items)
    if head.fit_intercept:
        mean, offsets = w @ F / w.sum(), w / w.sum()
    rows = root * (F - mean)
    if F.shape[1] <= n_items:
        slopes = root * solver(rows.T @ rows, alpha)(rows.T).T
    else:  # the same solution, from a system over items instead of features
        slopes = root * solver(rows @ rows.T, alpha)(rows)
    return np.column_stack([slopes, offsets - slopes @ mean])
