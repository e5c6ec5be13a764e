"""Regressors linear in their targets: systems, dual weights, smoothed plays."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV

# Linear in their targets and in the features of an item.
LINEAR_REGRESSORS = (Ridge, RidgeCV, LinearRegression)

BLOCK_ROWS = 1024


def dual_weights(head: Any, known: Any, new: Any) -> np.ndarray:
    """Return the weight of each training item in a prediction, (n_items, n_known).

    Predictions are these weights times the targets; weights sum to 1 if there is an
    intercept.
    """
    if hasattr(head, "inverse_"):
        return kernel_of(head, new, known) @ head.inverse_
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
    return head._get_kernel(F, known)


def dense(F: Any) -> np.ndarray:
    """Return a table of content, sparse or a frame, as an array."""
    return F.toarray() if sp.issparse(F) else np.asarray(F)


def by_row(F: Any) -> Any:
    """Return a table of content whose rows can be selected."""
    return F.tocsr() if sp.issparse(F) else np.asarray(F)


def dense_blocks(F: Any) -> Iterator[np.ndarray]:
    """Return rows of a table, a block at a time."""
    F = by_row(F)
    for start in range(0, F.shape[0], BLOCK_ROWS):
        yield dense(F[start : start + BLOCK_ROWS]).astype(np.float64)


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
