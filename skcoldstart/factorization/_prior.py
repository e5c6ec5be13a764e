"""Factors of items with few plays, with predicted factors as prior."""

import weakref
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skcoldstart._utils.threads import ThreadMap
from skcoldstart.factorization._cpu import gram_matrix
from skcoldstart.factorization._rows import Rows

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
