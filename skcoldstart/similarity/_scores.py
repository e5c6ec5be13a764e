"""Similarities of mapped items as products of factors."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

__all__ = ["anchors", "candidates", "mean_of_played"]


def candidates(Z: np.ndarray, similarity: str) -> np.ndarray:
    """Return factors of mapped items whose products with anchors are similarities."""
    if similarity == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([2.0 * Z, -squares, np.ones_like(squares)])


def anchors(Z: np.ndarray, similarity: str) -> np.ndarray:
    """Return factors of the items that others are compared with."""
    if similarity == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([Z, np.ones_like(squares), -squares])


def mean_of_played(plays: sp.csr_array, rows: np.ndarray) -> np.ndarray:
    """Return the mean row of the items that each user played; 0 where none."""
    shares = sp.csr_array(
        (np.ones(plays.nnz), plays.indices, plays.indptr), shape=plays.shape
    )
    return normalize(shares.T.tocsr(), norm="l1") @ rows
