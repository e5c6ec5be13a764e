"""Usage patterns of items, without the users."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.sources import LowRankScores
from skcoldstart._scores.top_n import top_n_per_user

BLOCK_ROWS = 4096


def usage_coordinates(item_factors: np.ndarray, user_factors: np.ndarray) -> np.ndarray:
    """Return coordinates whose products are products of predicted usage patterns.

    Shapes: `item_factors` (n_items, k), `user_factors` (n_users, k) -> (n_items, k).

    Item i is predicted to be used by the users as ``U y_i``. With ``R R' = U'U``, ``(U
    y_i)'(U y_j) = (R'y_i)'(R'y_j)``, so lengths, distances and cosines of patterns over
    all users equal those of the k coordinates.
    """
    n_users, n_components = user_factors.shape
    gram = np.zeros((n_components, n_components))
    for start in range(0, n_users, BLOCK_ROWS):
        rows = user_factors[start : start + BLOCK_ROWS].astype(np.float64)
        gram += rows.T @ rows
    # Eigenvectors also work for singular Gram matrices: unused factors, few users.
    spectrum, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(spectrum, 0.0))
    return item_factors @ root.astype(item_factors.dtype)


def unit_rows(points: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros are unchanged.

    Shapes: `points` (n_items, k) -> (n_items, k).
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1)


def similar_rows(
    points: np.ndarray,
    n: int,
    *,
    among: np.ndarray | None = None,
    queries: Any = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with the largest cosines to some points.

    Shapes: `points` (n_items, k), `among` (n_others, k), `queries` (n_queries,) ->
    `rows` (n_queries, n), `cosines` (n_queries, n).
    """
    points = unit_rows(points)
    itself = sp.eye_array(len(points), format="csr") if among is None else None
    others = points if among is None else unit_rows(among)
    rows, cosines = top_n_per_user(
        LowRankScores(others, points), n, users=queries, exclude=itself, **options
    )
    return rows, np.minimum(cosines, 1, out=cosines)
