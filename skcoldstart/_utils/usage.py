"""Usage patterns of items, without the users."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._utils.scores import LowRankScores
from skcoldstart._utils.topn import top_n_per_user

__all__ = ["similar_rows", "unit_rows", "usage_coordinates"]

BLOCK_ROWS = 4096


def usage_coordinates(item_factors: np.ndarray, user_factors: np.ndarray) -> np.ndarray:
    """Return coordinates whose products are products of predicted usage patterns.

    Item i is predicted to be used by the users as ``U y_i``. With ``R R' = U'U``,
    ``(U y_i)'(U y_j) = (R'y_i)'(R'y_j)``, so that lengths, distances and cosines of
    patterns over all users are those of k coordinates.

    Parameters
    ----------
    item_factors : ndarray of shape (n_items, k)
        One row per item, fitted or predicted.
    user_factors : ndarray of shape (n_users, k)
        One row per user.

    Returns
    -------
    ndarray of shape (n_items, k)
        ``item_factors @ R``, in the dtype of `item_factors`.
    """
    n_users, n_components = user_factors.shape
    gram = np.zeros((n_components, n_components))
    for start in range(0, n_users, BLOCK_ROWS):
        rows = user_factors[start : start + BLOCK_ROWS].astype(np.float64)
        gram += rows.T @ rows
    # Eigenvectors serve singular Gram matrices too: unused factors, few users.
    spectrum, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(spectrum, 0.0))
    return item_factors @ root.astype(item_factors.dtype)


def unit_rows(points: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros stay.

    Parameters
    ----------
    points : ndarray of shape (n_items, k)
        Factors or usage coordinates.

    Returns
    -------
    ndarray of shape (n_items, k)
        A copy; products of its rows are cosines.
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1)


def similar_rows(
    points: np.ndarray, n: int, *, queries: Any = None, **options: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of largest cosine to some of them.

    Parameters
    ----------
    points : ndarray of shape (n_items, k)
        Factors or usage coordinates.
    n : int
        Rows per query; the query itself is not among them.
    queries : int ndarray of shape (n_queries,), default=None
        Which rows; ``None`` means all.
    **options : dict
        ``n_jobs`` and ``verbose`` of `top_n_per_user`.

    Returns
    -------
    rows : int64 ndarray of shape (n_queries, n)
        Most similar first, ties to the lower row; -1 where there are no more.
    cosines : ndarray of shape (n_queries, n)
        Their cosines; -inf beside -1.
    """
    points = unit_rows(points)
    rows, cosines = top_n_per_user(
        LowRankScores(points, points),
        n,
        users=queries,
        exclude=sp.eye_array(len(points), format="csr"),
        **options,
    )
    return rows, np.minimum(cosines, 1, out=cosines)
