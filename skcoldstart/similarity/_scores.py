"""Similarities of mapped items as products of factors, and their evaluation."""

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize

BLOCK_SCORES = 1 << 22


def candidates(Z: np.ndarray, metric: str) -> np.ndarray:
    """Return factors of mapped items whose products with anchors are similarities."""
    if metric == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([2.0 * Z, -squares, np.ones_like(squares)])


def anchors(Z: np.ndarray, metric: str) -> np.ndarray:
    """Return factors of the items with which others are compared."""
    if metric == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([Z, np.ones_like(squares), -squares])


def mean_of_played(plays: sp.csr_array, rows: np.ndarray) -> np.ndarray:
    """Return the mean row of the items that each user played; 0 if there are none."""
    shares = sp.csr_array(
        (np.ones(plays.nnz), plays.indices, plays.indptr), shape=plays.shape
    )
    return normalize(shares.T.tocsr(), norm="l1") @ rows


def label_precision(Z: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean average precision of rows as queries for their class.

    Shapes: `Z` (n_items, n_components), `labels` (n_items,).
    """
    queries = np.flatnonzero(np.bincount(labels)[labels] > 1)
    squares = np.einsum("ij,ij->i", Z, Z)
    size = max(1, BLOCK_SCORES // len(Z))
    total = 0.0
    for start in range(0, len(queries), size):
        rows = queries[start : start + size]
        scores = 2.0 * Z[rows] @ Z.T - squares
        same = labels[rows][:, np.newaxis] == labels
        # The item itself is ranked last, where it does not affect the precision.
        own = np.arange(len(rows)), rows
        scores[own], same[own] = scores.min() - 1.0, False
        total += len(rows) * label_ranking_average_precision_score(same, scores)
    return total / len(queries) if len(queries) else np.nan
