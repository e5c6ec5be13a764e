"""Factors of items with few plays, with predicted factors as prior."""

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
    """Solve rows exactly, each with its expected factors as prior.

    Shapes: `fixed` (n_columns, n_components), `expected` (n_rows, n_components) ->
    (n_rows, n_components).
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
        right_side = B.T @ (1.0 + w - w * (B @ factors[row]))
        factors[row] += scipy.linalg.solve(system, right_side, assume_a="pos")

    run(solve, played.tolist())
    return factors
