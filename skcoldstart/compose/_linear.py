"""Regressors that are linear in their targets: their systems and their dual weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import pairwise_kernels

# Linear in their targets and in the features of an item.
LINEAR_REGRESSORS = (Ridge, RidgeCV, LinearRegression)


def dual_weights(head: Any, known: Any, new: Any) -> np.ndarray:
    """Return the weight of each training item in a prediction, (n_items, n_known).

    Predictions are these weights times the targets; weights sum to 1 if there is an
    intercept.
    """
    alpha = one_strength(head, "Weights of training items")
    if isinstance(head, KernelRidge):
        solve = solver(kernel_of(head, known, known).astype(np.float64), alpha)
        return solve(kernel_of(head, new, known).T).T
    if not isinstance(head, LINEAR_REGRESSORS):
        raise TypeError(
            f"The regressor ends in {type(head).__name__}, which has no dual weights; "
            "expected Ridge, RidgeCV, LinearRegression or KernelRidge."
        )
    known, new = dense(known).astype(np.float64), dense(new).astype(np.float64)
    share = 0.0
    if head.fit_intercept:
        mean = known.mean(axis=0)
        known, new, share = known - mean, new - mean, 1 / len(known)
    if known.shape[1] <= len(known):
        return share + new @ solver(known.T @ known, alpha)(known.T)
    # The same weights, from a system over items instead of features.
    return share + solver(known @ known.T, alpha)(known @ new.T).T


def solver(matrix: np.ndarray, alpha: float) -> Callable[[np.ndarray], np.ndarray]:
    """Solve ``(matrix + alpha I) x = b``, with least norm if alpha is 0."""
    if alpha == 0:
        inverse = scipy.linalg.pinvh(matrix)
        return lambda b: inverse @ b
    matrix[np.diag_indices_from(matrix)] += alpha
    factor = scipy.linalg.cho_factor(matrix, overwrite_a=True)
    return lambda b: scipy.linalg.cho_solve(factor, b)


def one_strength(head: Any, purpose: str) -> float:
    """Return the one strength of regularization of a fitted regressor."""
    alpha = getattr(head, "alpha_", getattr(head, "alpha", 0.0))
    if np.size(alpha) != 1:
        raise ValueError(
            f"{purpose} need one alpha for all targets, but {type(head).__name__} has "
            f"{np.size(alpha)}; pass a single number."
        )
    return float(np.ravel(alpha)[0])


def kernel_of(head: KernelRidge, F: Any, known: Any) -> np.ndarray:
    """Return the kernel of a kernel ridge, (n_items, n_known)."""
    params = head.kernel_params or {}
    if not callable(head.kernel):
        params = {"gamma": head.gamma, "degree": head.degree, "coef0": head.coef0}
    return pairwise_kernels(F, known, metric=head.kernel, filter_params=True, **params)


def dense(F: Any) -> np.ndarray:
    """Return a table of content, sparse or a frame, as an array."""
    return F.toarray() if sp.issparse(F) else np.asarray(F)
