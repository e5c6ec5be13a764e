"""Alternating least squares over items and users."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from sklearn.utils import check_random_state

from skcoldstart.factorization._rows import row_blocks

START_SCALE = 0.1  # standard deviation of initial factors


class Solver(Protocol):
    """Solves one side while the other is fixed, with factors in the solver's memory.

    `put` converts factors to the solver's form, padded or on a device, which `half`
    uses; `get` converts them back.
    """

    def put(self, factors: np.ndarray) -> Any:
        """Copy factors of shape (n_rows, n_components) to the solver's form."""
        ...

    def get(self, factors: Any) -> np.ndarray:
        """Return factors as an array; the solver must not change them afterwards."""
        ...

    def half(
        self,
        rows: Any,
        A: Any,
        B: Any,
        *,
        omega: float = 1.0,
        accurate: bool = False,
    ) -> float:
        """Move the rows of A with B fixed, `omega` times the step.

        With `accurate`, start from 0 and solve to the precision of the dtype. Return
        the objective after the move, less ``sum_j penalty_j ||b_j||^2``.
        """
        ...

    def penalty(self, rows: Any, factors: Any) -> float:
        """Return ``sum_i penalty_i ||a_i||^2``, to the precision of the dtype."""
        ...

    def objective(
        self, by_item: Any, by_user: Any, V: np.ndarray, U: np.ndarray
    ) -> float:
        """Return the exact objective of factors from `get`, in float64."""
        ...


def draw_factors(
    n_rows: int, n_components: int, dtype: Any, random_state: Any
) -> np.ndarray:
    """Return random initial factors, with the same random numbers for both dtypes."""
    seeds = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    rng = np.random.default_rng(seeds)
    factors = np.empty((n_rows, n_components), dtype)
    scale = START_SCALE / np.sqrt(n_components)
    for block in row_blocks(n_rows):
        factors[block] = scale * rng.standard_normal(factors[block].shape)
    return factors


def relaxation(sweep: int) -> float:
    """Return the over-relaxation of a sweep: 1, then from 1.4 to 1.8."""
    return 1.0 if sweep == 0 else 1.4 + 0.4 * min(1.0, (sweep - 1) / 6)


def sweeps(
    by_item: Any, by_user: Any, V: Any, U: Any, solver: Solver, n_sweeps: int
) -> Iterator[float]:
    """Move users, then items, in place; yield the objective after each sweep."""
    for sweep in range(n_sweeps):
        omega = relaxation(sweep)
        solver.half(by_user, U, V, omega=omega)
        moved = solver.half(by_item, V, U, omega=omega)
        yield moved + solver.penalty(by_user, U)


def fold_in(rows: Any, fixed: np.ndarray, solver: Solver) -> np.ndarray:
    """Solve rows from zero, to the precision of the dtype.

    Shapes: `fixed` (n_columns, n_components) -> (n_rows, n_components).
    """
    A = solver.put(np.zeros((rows.n_rows, fixed.shape[1]), fixed.dtype))
    solver.half(rows, A, solver.put(fixed), accurate=True)
    return solver.get(A)
