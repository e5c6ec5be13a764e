"""Factors of items with a few plays, around what their content lets expect."""

from typing import Any

import numpy as np
import scipy.linalg

from skcoldstart._utils.threads import ThreadMap
from skcoldstart.factorization._cpu import gram_matrix
from skcoldstart.factorization._rows import Rows

__all__ = ["fold_in_around"]


def fold_in_around(
    rows: Rows,
    fixed: np.ndarray,
    expected: np.ndarray,
    *,
    strength: float,
    run: ThreadMap,
) -> np.ndarray:
    """Solve rows exactly, each pulled towards the factors expected of it.

    Parameters
    ----------
    rows : Rows
        Plays, a column for each row of `fixed`.
    fixed : ndarray of shape (n_columns, n_components)
        Factors of the other side.
    expected : ndarray of shape (n_rows, n_components)
        Factors that the rows are expected to have.
    strength : float
        Weight of the expectation, above 0.
    run : callable
        Maps a function over items in threads.

    Returns
    -------
    float64 ndarray of shape (n_rows, n_components)
        ``expected``, exactly, for a row without entries.
    """
    gram = gram_matrix(fixed, run, np.float64)
    factors = np.array(expected, dtype=np.float64)
    played = np.flatnonzero(np.diff(rows.indptr))

    # With a = expected + d, the system (s A + B'WB) a = B'(1 + w) + s A expected
    # becomes (s A + B'WB) d = B'(1 + w - w B expected): rounding then scales with what
    # the plays change.
    def solve(row: int) -> None:
        entries = slice(rows.indptr[row], rows.indptr[row + 1])
        B: Any = fixed[rows.indices[entries]].astype(np.float64)
        w = rows.weights[entries].astype(np.float64)
        system = strength * gram
        system[np.diag_indices_from(system)] += strength * rows.penalties[row]
        system += (B.T * w) @ B
        news = B.T @ (1.0 + w - w * (B @ factors[row]))
        factors[row] += scipy.linalg.solve(system, news, assume_a="pos")

    run(solve, played.tolist())
    return factors
