"""What a regressor that is linear in its targets would learn from the plays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import pairwise_kernels

__all__ = ["check_linear_in_targets", "play_coefficients", "play_features"]

BLOCK_USERS = 1024


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
    """Return features whose products with `play_coefficients` are smoothed plays.

    Shapes: `F`, what the last step sees of the items, (n_items, d) -> (n_items, q).
    """
    if isinstance(head, KernelRidge):
        return _kernel(head, F)
    F = _dense(F)
    return np.hstack([F, np.ones((len(F), 1), F.dtype)])


def play_coefficients(
    head: Any, F: Any, plays: sp.csr_array, weight: np.ndarray | None
) -> np.ndarray:
    """Solve for plays of 0 and 1 as targets; their table is read in blocks of users.

    Shapes: `F` (n_items, d), `plays` (n_items, n_users), `weight` (n_items,) ->
    (n_users, q).
    """
    targets = sp.csc_array(plays, dtype=np.float64, copy=True)
    targets.data[:] = 1.0
    w = np.ones(len(plays.indptr) - 1) if weight is None else np.asarray(weight, float)
    root = np.sqrt(w)[:, np.newaxis]
    alpha = _strength(head)
    if isinstance(head, KernelRidge):
        solve = _solver(_kernel(head, F).astype(np.float64) * (root * root.T), alpha)
        return _by_user(targets, lambda P: (root * solve(root * P.toarray())).T)
    F = _dense(F).astype(np.float64)
    mean, offsets = np.zeros(F.shape[1]), np.zeros(plays.shape[1])
    if head.fit_intercept:
        mean, offsets = w @ F / w.sum(), targets.T @ w / w.sum()
    rows = root * (F - mean)
    if F.shape[1] <= len(F):
        solve = _solver(rows.T @ rows, alpha)
        slopes = _by_user(targets, lambda P: solve((P.T @ (root * rows)).T).T)
    else:  # the same solution, with a system of items in place of one of features
        solve = _solver(rows @ rows.T, alpha)
        slopes = _by_user(targets, lambda P: solve(root * P.toarray()).T @ rows)
    return np.column_stack([slopes, offsets - slopes @ mean])


def _by_user(targets: sp.csc_array, solve: Callable[[Any], np.ndarray]) -> np.ndarray:
    starts = range(0, targets.shape[1], BLOCK_USERS)
    return np.vstack([solve(targets[:, s : s + BLOCK_USERS]) for s in starts])


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
