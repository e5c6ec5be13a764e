"""Confidence in a preference, by the number of plays."""

from typing import Any

import numpy as np

from skcoldstart._utils.warning import warn

LARGEST_FLOAT32_CONFIDENCE = 1e6
BLOCK = 1 << 16  # counts at a time, for the memory of their logarithms


def confidence_weights(
    counts: np.ndarray,
    *,
    confidence: str,
    alpha: float,
    epsilon: float,
    dtype: Any,
    warns: bool = True,
) -> np.ndarray:
    """Return the confidence of each stored play count, minus one.

    Shapes: `counts` (nnz,) -> (nnz,).
    """
    largest, smallest = 0.0, 0.0
    weights = np.empty(len(counts), dtype)
    for first in range(0, len(counts), BLOCK):
        block = slice(first, first + BLOCK)
        exact = counts[block].astype(np.float64)
        if confidence == "log":
            # log(1 + r / epsilon), also where the quotient would overflow
            exact = alpha * np.logaddexp(0.0, np.log(exact) - np.log(epsilon))
        elif confidence == "linear":
            exact *= alpha
        else:
            exact -= 1.0
        largest = max(largest, float(exact.max()))
        smallest = min(smallest, float(exact.min()))
        with np.errstate(over="ignore"):  # rejected below
            weights[block] = exact
    if smallest < 0:
        raise ValueError(
            "confidence='precomputed' uses stored entries as confidences, which must "
            f"be at least 1, the confidence of an unplayed pair; got {smallest + 1:g}."
            " Add 1 if the entries are weights (confidence minus one)."
        )
    if largest > float(np.finfo(dtype).max):
        raise ValueError(
            f"The largest confidence is {largest:g}, beyond {np.dtype(dtype)}. Scale "
            "the play counts down, or use confidence='log'."
        )
    if warns:
        warn_if_rounded(largest, dtype)
    return weights


def warn_if_rounded(largest: float, dtype: Any) -> None:
    """Warn about confidences so large that ordinary plays lose precision."""
    if dtype == np.float32 and largest > LARGEST_FLOAT32_CONFIDENCE:
        warn(
            f"The largest confidence is {largest:g}; above "
            f"{LARGEST_FLOAT32_CONFIDENCE:g}, float32 loses the digits of ordinary "
            "plays. Use confidence='log', a smaller alpha, or dtype='float64'."
        )
