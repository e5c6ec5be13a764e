"""Alternating least squares in CPU threads."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from skcoldstart._utils.threads import ThreadMap
from skcoldstart.factorization._als import Rows, SideCounts, row_blocks

CACHE_LINE = 64
LANES = 16  # dimensions are padded to whole vectors of this many numbers
N_STEPS = 3  # of conjugate gradients in a sweep; the last sweep continues to SOLVE_TOL
TRIANGLE_COLUMNS = 128  # of a block of a triangular product
MOST_GRAMS = (
    32  # parts of a Gram matrix in memory; constant, so that sums are reproducible
)
SOLVE_TOL = {"float32": 1e-6, "float64": 1e-12}


@dataclass(frozen=True)
class Basis:
    """Coordinates in which the dense part of every row's system is diagonal.

    A row of factors a is transformed by ``a @ into`` and back by ``@ outof.T``; a fixed
    row b by ``b @ outof``, so products do not change. The dense part ``B'B + penalty_i
    I`` is then ``diag(spectrum + penalties[i])``. Where `triangular`, `into` is a lower
    and `outof` an upper triangle, and penalties are 1.
    """

    into: np.ndarray
    outof: np.ndarray
    spectrum: np.ndarray
    triangular: bool

    def multiply(
        self,
        factors: np.ndarray,
        matrix: np.ndarray,
        out: np.ndarray,
        *,
        lower: bool = True,
    ) -> None:
        """Write factors times one of the matrices; padding of `out` is unchanged."""
        n_components = len(matrix)
        factors, out = factors[:, :n_components], out[:, :n_components]
        if not self.triangular or n_components < 2 * TRIANGLE_COLUMNS:
            np.matmul(factors, matrix, out=out)
            return
        for first in range(0, n_components, TRIANGLE_COLUMNS):
            columns = slice(first, first + TRIANGLE_COLUMNS)
            rows = slice(first, None) if lower else slice(columns.stop)
            np.matmul(factors[:, rows], matrix[rows, columns], out=out[:, columns])


class CPUSolver:
    """Solves the rows of one side while the factors of the other stay fixed.

    Factors are in the solver's form from `put` to `get`, here padded to whole vectors.
    """

    def __init__(self, run: ThreadMap, method: str, n_components: int) -> None:
        self._run = run
        self._method = method
        self._n_components = n_components
        self._fixed: np.ndarray | None = None
        self._squares: tuple[Any, float] = (None, 0.0)
        self._of_thread = threading.local()

    @staticmethod
    def put(factors: np.ndarray) -> np.ndarray:
        """Copy factors into rows of whole vectors, aligned to cache lines."""
        n_rows, n_components = factors.shape
        padded = aligned(n_rows, padded_width(n_components), factors.dtype)
        padded[:, :n_components] = factors
        return padded

    def get(self, factors: np.ndarray) -> np.ndarray:
        """Return factors without padding, without a copy if there is none."""
        return np.ascontiguousarray(factors[:, : self._n_components])

    def half(
        self,
        rows: Rows,
        A: np.ndarray,
        B: np.ndarray,
        *,
        omega: float = 1.0,
        accurate: bool = False,
    ) -> float:
        """Move the rows of A by `omega` times the step; return the objective.

        With `accurate`, start from 0 and solve to the precision of the dtype. The
        penalty on B is left out of the objective.

        Shapes: `A` (n_rows, n_dims), `B` (n_columns, n_dims).
        """
        basis = self._basis(rows, B)
        if self._fixed is None or len(self._fixed) < len(B):
            self._fixed = aligned(len(B), B.shape[1], B.dtype)
        Z = self._fixed[: len(B)]
        self._run(
            lambda block: basis.multiply(B[block], basis.outof, Z[block], lower=False),
            row_blocks(len(B)),
        )
        values = self.solve(rows, A, Z, basis, omega=omega, accurate=accurate)
        return sum(values) + rows.confidence_sum

    def solve(
        self,
        rows: Any,
        A: np.ndarray,
        Z: np.ndarray,
        basis: Basis,
        chunks: list[tuple[int, int]] | None = None,
        *,
        omega: float,
        accurate: bool,
    ) -> list[float]:
        """Move the rows of A chunk by chunk; return the objective of each chunk.

        The bits of a row depend on its chunk, whose rows are multiplied together.
        """
        from skcoldstart._kernels.als import solve_rows, solve_rows_exactly, width_of

        chunks = rows.chunks(Z.shape[1]) if chunks is None else chunks
        longest = max((end - begin for begin, end in chunks), default=0)
        penalties = np.ones(rows.n_rows) if basis.triangular else rows.penalties
        entries = rows.indptr, rows.indices, rows.weights
        system = (Z, *entries, basis.spectrum, penalties.astype(Z.dtype))
        n_dims, width = Z.shape[1], width_of(Z)
        n_steps = 2 * n_dims + 20 if accurate else N_STEPS
        tol = SOLVE_TOL[Z.dtype.name] if accurate else 0.0

        def solve_chunk(chunk: tuple[int, int]) -> float:
            begin, end = chunk
            block = self._scratch("block", longest, Z)[: end - begin]
            if accurate:
                block[...] = 0
            else:
                basis.multiply(A[begin:end], basis.into, block)
            if self._method == "cholesky":
                work = self._scratch("work", n_dims + 5, Z)
                value = solve_rows_exactly(
                    *system, begin, end, omega, work, block, width
                )
            else:
                work = self._scratch("work", 5, Z)
                value = solve_rows(
                    *system, begin, end, n_steps, tol, omega, work, block, width
                )
            basis.multiply(block, basis.outof.T, A[begin:end])
            return value

        return self._run(solve_chunk, chunks)

    def _scratch(self, name: str, n_rows: int, like: np.ndarray) -> np.ndarray:
        """Return work rows of a thread, reused for each chunk."""
        kept = getattr(self._of_thread, name, None)
        if kept is None or len(kept) < n_rows:
            kept = aligned(n_rows, like.shape[1], like.dtype)
            setattr(self._of_thread, name, kept)
        return kept

    def _basis(self, rows: SideCounts, B: np.ndarray) -> Basis:
        gram = gram_matrix(B[:, : self._n_components], self._run)
        self._squares = (B, float(np.trace(gram)))
        spectrum = np.zeros(B.shape[1], B.dtype)
        try:
            if rows.reg_exponent == 0:
                # One penalty for all rows: whitened, the dense part is the identity.
                gram[np.diag_indices_from(gram)] += rows.reg
                into = np.linalg.cholesky(gram)
                outof = scipy.linalg.lapack.dtrtri(into, lower=1)[0].T
            else:
                sizes, into = np.linalg.eigh(gram)
                if sizes[0] + rows.reg <= 0:  # no row has a smaller penalty
                    raise np.linalg.LinAlgError
                spectrum[: self._n_components] = np.maximum(sizes, 0)
                outof = into
        except np.linalg.LinAlgError:
            raise ValueError(
                f"reg={rows.reg:g} is too small for {B.dtype}: the normal equations "
                "are singular. Use a larger reg or dtype='float64'."
            ) from None
        return Basis(
            np.ascontiguousarray(into, B.dtype),
            np.ascontiguousarray(outof, B.dtype),
            spectrum,
            rows.reg_exponent == 0,
        )

    def penalty(self, rows: SideCounts, factors: np.ndarray) -> float:
        """Return ``sum_i penalty_i ||a_i||^2``, to the precision of the dtype."""
        last_fixed, squares = self._squares
        if factors is last_fixed and rows.reg_exponent == 0:
            without_entries = factors[rows.penalties == 0].astype(np.float64)
            return rows.reg * (
                squares - float(np.vdot(without_entries, without_entries))
            )
        return self._exact_penalty(rows, factors)

    def _exact_penalty(self, rows: SideCounts, factors: np.ndarray) -> float:
        def of_block(block: slice) -> float:
            part = factors[block]
            squares = np.einsum("ij,ij->i", part, part, dtype=np.float64)
            return float(rows.penalties[block] @ squares)

        return sum(self._run(of_block, row_blocks(len(factors))))

    def objective(
        self, by_item: Any, by_user: Any, V: np.ndarray, U: np.ndarray
    ) -> float:
        """Return the exact objective in float64, without the table of all pairs.

        The sum over all pairs of ``(x_u'y_i)^2`` is the sum of the elementwise product
        of both Gram matrices; stored entries add ``c (1 - s)^2 - s^2``.
        """
        observed = sum(self.observed(by_item, V, U))
        # Summing blocks in float32 would lose the last digits.
        everywhere = np.vdot(
            gram_matrix(V, self._run, np.float64), gram_matrix(U, self._run, np.float64)
        )
        penalties = self._exact_penalty(by_item, V) + self._exact_penalty(by_user, U)
        return observed + float(everywhere + penalties)

    def observed(
        self,
        rows: Any,
        A: np.ndarray,
        B: np.ndarray,
        chunks: list[tuple[int, int]] | None = None,
    ) -> list[float]:
        """Return the part of stored entries in the exact objective, for each chunk."""
        from skcoldstart._kernels.als import observed_objective

        entries = rows.indptr, rows.indices, rows.weights
        return self._run(
            lambda chunk: observed_objective(A, B, *entries, *chunk),
            rows.chunks(padded_width(A.shape[1])) if chunks is None else chunks,
        )


def gram_matrix(factors: np.ndarray, run: ThreadMap, dtype: Any = None) -> np.ndarray:
    """Return ``factors.T @ factors`` in float64, from products of blocks in dtype."""
    blocks = row_blocks(len(factors))
    n_summed = -(-len(blocks) // MOST_GRAMS)

    def share(first: int) -> Any:
        gram: Any = 0.0
        for block in blocks[first : first + n_summed]:
            rows = factors[block].astype(dtype or factors.dtype, copy=False)
            gram += (rows.T @ rows).astype(np.float64)
        return gram

    return np.asarray(sum(run(share, range(0, len(blocks), n_summed))))


def aligned(n_rows: int, n_dims: int, dtype: Any) -> np.ndarray:
    """Return an array of zeros whose first row begins at a cache line."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(n_rows * n_dims + CACHE_LINE // size, dtype)
    start = -raw.ctypes.data % CACHE_LINE // size
    return raw[start : start + n_rows * n_dims].reshape(n_rows, n_dims)


def padded_width(n_components: int) -> int:
    """Return the length of a row padded to whole vectors."""
    return LANES * -(-n_components // LANES)
