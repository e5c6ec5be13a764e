"""How sure a number of plays makes us that somebody likes an item."""

import warnings
from typing import Any

import numpy as np

LARGEST_FLOAT32_CONFIDENCE = 1e6


def confidence_weights(
    counts: np.ndarray, *, confidence: str, alpha: float, epsilon: float, dtype: Any
) -> np.ndarray:
    """Return the confidence of each stored play count, minus one.

    Parameters
    ----------
    counts : ndarray of shape (nnz,)
        Above zero.
    confidence : {"log", "linear", "precomputed"}
        ``1 + alpha log(1 + r / epsilon)``, ``1 + alpha r``, or the entry itself.
    alpha : float
        Growth of the confidence.
    epsilon : float
        Scale of a count, for "log".
    dtype : dtype
        float32 or float64. Confidences are computed in float64.

    Returns
    -------
    ndarray of shape (nnz,)
        At least 0.

    Raises
    ------
    ValueError
        If a confidence is infinite in `dtype`, or a precomputed one is below 1.
    """
    weights = counts.astype(np.float64)
    if confidence == "log":
        # log(1 + r / epsilon), also where the quotient would overflow
        weights = alpha * np.logaddexp(0.0, np.log(weights) - np.log(epsilon))
    elif confidence == "linear":
        weights *= alpha
    else:
        weights -= 1.0
        if weights.size and weights.min() < 0:
            raise ValueError(
                "confidence='precomputed' takes stored entries as confidences, which "
                f"are at least 1 as that of an unplayed pair; got {counts.min():g}."
                " Add 1 if the entries are weights (confidence minus one)."
            )
    largest = float(weights.max(initial=0.0))
    if largest > float(np.finfo(dtype).max):
        raise ValueError(
            f"The largest confidence is {largest:g}, beyond {np.dtype(dtype)}. Scale "
            "the play counts down, or use confidence='log'."
        )
    if dtype == np.float32 and largest > LARGEST_FLOAT32_CONFIDENCE:
        warnings.warn(
            f"The largest confidence is {largest:g}; above "
            f"{LARGEST_FLOAT32_CONFIDENCE:g}, float32 loses the digits of ordinary "
            "plays. Use confidence='log', a smaller alpha, or dtype='float64'.",
            UserWarning,
            stacklevel=6,
        )
    return weights.astype(dtype, copy=False)
