"""Usage patterns of items, without the users."""

import numpy as np

__all__ = ["usage_coordinates"]

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
