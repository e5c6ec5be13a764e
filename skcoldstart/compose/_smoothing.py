"""What a regressor that is linear in its targets would learn from the plays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import pairwise_kernels

__all__ = ["check_linear_in_targets", "play_features", "play_projection"]


def check_linear_in_targets(head: Any) -> None:
    """Refuse a last step whose predictions are not linear in what it is fitted to."""
    if not isinstance(head, (Ridge, RidgeCV, KernelRidge, LinearRegression)):
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

    Shapes: `F`, what the last step sees of the items, (n_items, d) -> (n_items, q).
    """
    if isinstance(head, KernelRidge):
        return _kernel(head, F)
    F = _dense(F)
    return np.hstack([F, np.ones((len(F), 1), F.dtype)])


def play_projection(head: Any, F: Any, weight: np.ndarray | None) -> np.ndarray:
    """Solve for each item played alone; users have the sums over what they played.

    Shapes: `F` (n_items, d), `weight` (n_items,) -> (n_items, q).
    """
    n_items = F.shape[0]
    w = np.ones(n_items) if weight is None else np.asarray(weight, float)
    root = np.sqrt(w)[:, np.newaxis]
    alpha = _strength(head)
    if isinstance(head, KernelRidge):
        solve = _solver(_kernel(head, F).astype(np.float64) * (root * root.T), alpha)
        return root * solve(np.diag(root[:, 0]))
    F = _dense(F).astype(np.float64)
    mean, offsets = np.zeros(F.shape[1]), np.zeros(n_items)
    if head.fit_intercept:
        mean, offsets = w @ F / w.sum(), w / w.sum()
    rows = root * (F - mean)
    if F.shape[1] <= n_items:
        slopes = root * _solver(rows.T @ rows, alpha)(rows.T).T
    else:  # the same solution, with a system of items in place of one of features
        slopes = root * _solver(rows @ rows.T, alpha)(rows)
    return np.column_stack([slopes, offsets - slopes @ mean])


def _solver(matrix: np.ndarray, alpha: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return what solves ``(matrix + alpha I) x = b``, with least norm for alpha 0."""
    if alpha == 0:
        inverse = scipy.linalg.pinvh(matrix)
        return lambda b: inverse @ b
    matrix[np.diag_indices_from(matrix)] += alpha
    factor = scipy.linalg.cho_factor(matrix, overwrite_a=True)
    return lambda b: scipy.linalg.cho_solve(factor, b)


def _strength(head: Any) -> float:
    """Return the one strength of regularization of a fitted regressor."""
    alpha = getattr(head, "alpha_", getattr(head, "alpha", 0.0))
    if np.size(alpha) != 1:
        raise ValueError(
            f"play_weight > 0 needs one alpha for all targets, but "
            f"{type(head).__name__} has {np.size(alpha)}; pass a single number."
        )
    return float(np.ravel(alpha)[0])


def _kernel(head: KernelRidge, F: Any) -> np.ndarray:
    params = head.kernel_params or {}
    if not callable(head.kernel):
        params = {"gamma": head.gamma, "degree": head.degree, "coef0": head.coef0}
    return pairwise_kernels(
        F, head.X_fit_, metric=head.kernel, filter_params=True, **params
    )


def _dense(F: Any) -> np.ndarray:
    return F.toarray() if sp.issparse(F) else np.asarray(F)
