"""Alternating least squares over items and users, on rows of weighted plays."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from skcoldstart._utils.cached import cached_property

CHUNK_COST = 2_000_000  # approximate multiplications in a pass over a chunk
SUMMED_ENTRIES = 1 << 16  # that are converted at a time
BLOCK_ROWS = 2048  # of a dense product; constant, so that sums do not depend on threads
START_SCALE = 0.1  # standard deviation of initial factors


@dataclass(frozen=True)
class SideCounts:
    """Numbers of entries of the rows of one side, and their regularization.

    Shapes: `indptr` (n_rows + 1,), int64.
    """

    indptr: np.ndarray
    reg: float
    reg_exponent: float

    @property
    def n_rows(self) -> int:
        """Number of rows, including empty ones."""
        return len(self.indptr) - 1

    @cached_property
    def penalties(self) -> np.ndarray:
        """Regularization of each row, 0 for one without entries."""
        counts = np.diff(self.indptr).astype(np.float64)
        return np.where(counts > 0, self.reg * counts**self.reg_exponent, 0.0)

    def chunks(self, n_dims: int) -> list[tuple[int, int]]:
        """Split the rows into chunks of about equal cost."""
        edges = np.unique(self.cuts(n_dims))
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def cuts(self, n_dims: int, n_chunks: int | None = None) -> np.ndarray:
        """Return the boundaries of chunks of about equal cost."""
        cost = (self.indptr + 8 * np.arange(self.n_rows + 1)) * n_dims
        if n_chunks is None:
            n_chunks = max(1, round(cost[-1] / (CHUNK_COST * max(1, n_dims / 64))))
        inner = np.searchsorted(cost, np.linspace(0, cost[-1], n_chunks + 1)[1:-1])
        return np.concatenate([[0], inner, [self.n_rows]])


@dataclass(frozen=True)
class Rows(SideCounts):
    """Weighted plays of one side, one row per item (or per user).

    Shapes: `indices` (nnz,), `weights` (nnz,).
    """

    indices: np.ndarray
    weights: np.ndarray

    def __sizeof__(self) -> int:  # which Dask sees
        return self.indptr.nbytes + self.indices.nbytes + self.weights.nbytes

    @classmethod
    def from_csr(
        cls, weights: sp.csr_array, *, reg: float, reg_exponent: float
    ) -> "Rows":
        """Convert canonical CSR; int64 pointers support any number of entries."""
        return cls(
            indptr=owned(weights.indptr, np.int64),
            indices=owned(weights.indices, np.int32),
            weights=owned(weights.data, weights.dtype),
            reg=reg,
            reg_exponent=reg_exponent,
        )

    def transposed(self, n_columns: int) -> "Rows":
        shape = (self.n_rows, n_columns)
        # SciPy would widen the indices to the type of the pointers.
        fits = len(self.indices) <= np.iinfo(self.indices.dtype).max
        indptr = self.indptr.astype(self.indices.dtype) if fits else self.indptr
        table = sp.csr_array((self.weights, self.indices, indptr), shape=shape)
        return Rows.from_csr(
            table.T.tocsr(), reg=self.reg, reg_exponent=self.reg_exponent
        )

    @cached_property
    def confidence_sums(self) -> np.ndarray:
        """Sums of confidences of each row, with the same bits in any part of rows."""
        counts = np.diff(self.indptr)
        sums = counts.astype(np.float64)
        edges = np.unique(self.cuts(1, 1 + len(self.weights) // SUMMED_ENTRIES))
        for begin, end in pairwise(edges):
            first, last = self.indptr[begin], self.indptr[end]
            filled = begin + np.flatnonzero(counts[begin:end])
            if len(filled):
                part = self.weights[first:last].astype(np.float64)
                sums[filled] += np.add.reduceat(part, self.indptr[filled] - first)
        return sums

    @cached_property
    def confidence_sum(self) -> float:
        """Objective of this side's plays if all factors are 0."""
        return float(self.confidence_sums.sum())


def row_blocks(n_rows: int) -> list[slice]:
    """Split rows into the blocks of dense products."""
    return [slice(b, b + BLOCK_ROWS) for b in range(0, n_rows, BLOCK_ROWS)]


def owned(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a writeable array of a dtype, the only kind that kernels accept."""
    array = np.asarray(array, dtype=dtype)
    return array if array.flags.writeable else array.copy()


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
    by_item: Any, by_user: Any, V: Any, U: Any, solver: Any, n_sweeps: int
) -> Iterator[float]:
    """Move users, then items, in place; yield the objective after each sweep."""
    for sweep in range(n_sweeps):
        omega = relaxation(sweep)
        solver.half(by_user, U, V, omega=omega)
        moved = solver.half(by_item, V, U, omega=omega)
        yield moved + solver.penalty(by_user, U)


def fold_in(rows: Any, fixed: np.ndarray, solver: Any) -> np.ndarray:
    """Solve rows from zero, to the precision of the dtype.

    Shapes: `fixed` (n_columns, n_components) -> (n_rows, n_components).
    """
    A = solver.put(np.zeros((rows.n_rows, fixed.shape[1]), fixed.dtype))
    solver.half(rows, A, solver.put(fixed), accurate=True)
    return solver.get(A)
