"""What the regressor of a recommender learns, and how much each item counts."""

import numpy as np

from skcoldstart._scores.usage import unit_rows

__all__ = ["compress_norms"]


def compress_norms(
    factors: np.ndarray, compression: float, played: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return factors (n_items, k) of more equal lengths, and what unit length was."""
    if compression == 0:
        return factors, 1.0
    lengths = np.linalg.norm(factors, axis=1, keepdims=True)
    mean = float(lengths[played].mean())
    if np.isinf(compression):
        return unit_rows(factors), mean
    scale = (lengths + compression * mean) / (compression + 1)
    return unit_rows(factors) * scale, 1.0
