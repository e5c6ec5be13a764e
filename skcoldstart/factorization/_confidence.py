"""Confidence in a preference by the number of plays, and factors of items with few."""

import weakref
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skcoldstart._utils.threads import ThreadMap
from skcoldstart._utils.warning import warn
from skcoldstart.factorization._als import Rows
from skcoldstart.factorization._cpu import gram_matrix

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


# Of each factorizer: factors, and their products. They are kept apart from the
# factorizer, so that files and copies hold none; a fit makes new arrays of factors.
_GRAMS: WeakKeyDictionary[Any, list[tuple[Any, np.ndarray]]] = WeakKeyDictionary()


def fold_in_around(
    rows: Rows,
    fixed: np.ndarray,
    expected: np.ndarray,
    *,
    strength: float,
    run: ThreadMap,
    owner: Any,
    refused: sp.csr_array | None = None,
) -> np.ndarray:
    """Solve rows exactly, each with its expected factors as prior.

    Shapes: `fixed` (n_columns, n_components) of `owner`, `expected` (n_rows,
    n_components), `refused` (n_rows, n_columns), what a 0 there counts more than 1 ->
    (n_rows, n_components).
    """
    gram = _gram_of(owner, fixed, run)
    factors = np.array(expected, dtype=np.float64)
    if refused is None:
        refused = sp.csr_array((len(factors), len(fixed)))
    known = np.flatnonzero(np.diff(rows.indptr) + np.diff(refused.indptr))

    # With a = expected + d, the system (s A + B'WB + N'ZN) a = B'(1 + w) + s A expected
    # of plays B and refusals N becomes
    # (s A + B'WB + N'ZN) d = B'(1 + w - w B expected) - N'z N expected:
    # rounding then scales with what the plays change.
    def solve(row: int) -> None:
        entries = slice(rows.indptr[row], rows.indptr[row + 1])
        B: Any = fixed[rows.indices[entries]].astype(np.float64)
        w = rows.weights[entries].astype(np.float64)
        zeros = slice(refused.indptr[row], refused.indptr[row + 1])
        N: Any = fixed[refused.indices[zeros]].astype(np.float64)
        z = refused.data[zeros]
        system = strength * gram
        penalty = rows.penalties[row] if len(w) else rows.reg
        system[np.diag_indices_from(system)] += strength * penalty
        system += (B.T * w) @ B + (N.T * z) @ N
        right_side = B.T @ (1.0 + w - w * (B @ factors[row]))
        right_side -= N.T @ (z * (N @ factors[row]))
        factors[row] += scipy.linalg.solve(system, right_side, assume_a="pos")

    run(solve, known.tolist())
    return factors


def _gram_of(owner: Any, fixed: np.ndarray, run: ThreadMap) -> np.ndarray:
    """Return products of factors, computed once for each array of an owner.

    Shapes: `fixed` (n_rows, n_components) -> (n_components, n_components).
    """
    kept = [entry for entry in _GRAMS.get(owner, ()) if entry[0]() is not None]
    for factors, gram in kept:
        if factors() is fixed:
            return gram
    gram = gram_matrix(fixed, run, np.float64)
    _GRAMS[owner] = [*kept, (weakref.ref(fixed), gram)]
    return gram
