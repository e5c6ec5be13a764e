"""How well a map of items retrieves those of the same class."""

import numpy as np
from sklearn.metrics import label_ranking_average_precision_score

__all__ = ["label_precision"]

BLOCK_SCORES = 1 << 22


def label_precision(Z: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean average precision of rows that ask for others of their class.

    Shapes: `Z` (n_items, n_components), `labels` (n_items,).
    """
    asking = np.flatnonzero(np.bincount(labels)[labels] > 1)
    squares = np.einsum("ij,ij->i", Z, Z)
    size = max(1, BLOCK_SCORES // len(Z))
    total = 0.0
    for start in range(0, len(asking), size):
        rows = asking[start : start + size]
        scores = 2.0 * Z[rows] @ Z.T - squares
        same = labels[rows][:, np.newaxis] == labels
        # The last place harms no precision: there an item does not find itself.
        own = np.arange(len(rows)), rows
        scores[own], same[own] = scores.min() - 1.0, False
        total += len(rows) * label_ranking_average_precision_score(same, scores)
    return total / len(asking) if len(asking) else np.nan
