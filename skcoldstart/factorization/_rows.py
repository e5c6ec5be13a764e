"""Weighted plays of one side, and the blocks that work on them is cut into."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._utils.cached import cached_property

CHUNK_COST = 2_000_000  # multiplications an entry pass over a chunk makes, about
BLOCK_ROWS = 2048  # of a dense product; fixed, so that sums do not depend on threads


@dataclass(frozen=True)
class Rows:
    """Weighted plays of one side, a row for each item (or each user).

    Shapes: `indptr` (n_rows + 1,), `indices` (nnz,), `weights` (nnz,).
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    reg: float
    reg_exponent: float

    @classmethod
    def from_csr(
        cls, weights: sp.csr_array, *, reg: float, reg_exponent: float
    ) -> "Rows":
        """Take over canonical CSR; int64 pointers serve any number of entries."""
        return cls(
            indptr=_owned(weights.indptr, np.int64),
            indices=_owned(weights.indices, np.int32),
            weights=_owned(weights.data, weights.dtype),
            reg=reg,
            reg_exponent=reg_exponent,
        )

    def transposed(self, n_columns: int) -> "Rows":
        """Return the same plays, a row for each column."""
        shape = (self.n_rows, n_columns)
        # SciPy would widen the indices to the type of the pointers.
        fits = len(self.indices) <= np.iinfo(self.indices.dtype).max
        indptr = self.indptr.astype(self.indices.dtype) if fits else self.indptr
        table = sp.csr_array((self.weights, self.indices, indptr), shape=shape)
        return Rows.from_csr(
            table.T.tocsr(), reg=self.reg, reg_exponent=self.reg_exponent
        )

    @property
    def n_rows(self) -> int:
        """Number of rows, empty ones included."""
        return len(self.indptr) - 1

    @cached_property
    def penalties(self) -> np.ndarray:
        """Regularization of each row, 0 for one without entries."""
        counts = np.diff(self.indptr).astype(np.float64)
        return np.where(counts > 0, self.reg * counts**self.reg_exponent, 0.0)

    @cached_property
    def confidence_sum(self) -> float:
        """Objective of this side's plays where all factors are 0."""
        return float(self.weights.sum(dtype=np.float64)) + len(self.weights)

    def chunks(self, n_dims: int) -> list[tuple[int, int]]:
        """Cut the rows into chunks of about equal cost."""
        cost = (self.indptr + 8 * np.arange(self.n_rows + 1)) * n_dims
        n_chunks = max(1, round(cost[-1] / (CHUNK_COST * max(1, n_dims / 64))))
        cuts = np.searchsorted(cost, np.linspace(0, cost[-1], n_chunks + 1)[1:-1])
        edges = np.unique(np.concatenate([[0], cuts, [self.n_rows]]))
        return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def row_blocks(n_rows: int) -> list[slice]:
    """Cut rows into the blocks of dense products."""
    return [slice(b, b + BLOCK_ROWS) for b in range(0, n_rows, BLOCK_ROWS)]


def _owned(array: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a writeable array of a dtype: kernels are compiled for that alone."""
    array = np.asarray(array, dtype=dtype)
    return array if array.flags.writeable else array.copy()
