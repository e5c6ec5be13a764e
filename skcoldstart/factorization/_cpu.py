"""Alternating least squares in CPU threads."""

import threading
from collections.abc import Callable
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
    and `outof` an upper triangle. Padding of rows is not changed.
    """

    into: np.ndarray
    outof: np.ndarray
    spectrum: np.ndarray
    triangular: bool

    def enter(self, factors: np.ndarray, out: np.ndarray) -> None:
        """Transform rows of the solved side to these coordinates."""
        self._multiply(factors, self.into, out, lower=True)

    def leave(self, factors: np.ndarray, out: np.ndarray) -> None:
        """Transform solved rows back."""
        self._multiply(factors, self.outof.T, out, lower=True)

    def fix(self, factors: np.ndarray, out: np.ndarray) -> None:
        """Transform fixed rows to these coordinates."""
        self._multiply(factors, self.outof, out, lower=False)

    def penalties(self, rows: SideCounts) -> np.ndarray:
        """Return the penalty of each row in the dense part, without the spectrum."""
        same = np.ones(rows.n_rows) if self.triangular else rows.penalties
        return same.astype(self.into.dtype)

    def _multiply(
        self, factors: np.ndarray, matrix: np.ndarray, out: np.ndarray, *, lower: bool
    ) -> None:
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
    """Solves the rows of one side while the factors of the other stay fixed."""

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
        """Move the rows of A; return the objective without the penalty on B.

        Shapes: `A` (n_rows, n_dims), `B` (n_columns, n_dims).
        """
        basis, Z = self._fix(rows, B)
        chunks = rows.chunks(B.shape[1])
        values = self.solve(rows, A, Z, basis, chunks, omega=omega, accurate=accurate)
        return sum(values) + rows.confidence_sum

    def _fix(self, rows: SideCounts, B: np.ndarray) -> tuple[Basis, np.ndarray]:
        """Return coordinates for the rows of a half sweep, and fixed rows in them."""
        basis = self._basis(rows, B)
        if self._fixed is None or len(self._fixed) < len(B):
            self._fixed = aligned(len(B), B.shape[1], B.dtype)
        Z = self._fixed[: len(B)]
        self._run(lambda block: basis.fix(B[block], Z[block]), row_blocks(len(B)))
        return basis, Z

    def solve(
        self,
        rows: Rows,
        A: np.ndarray,
        Z: np.ndarray,
        basis: Basis,
        chunks: list[tuple[int, int]],
        *,
        omega: float,
        accurate: bool,
    ) -> list[float]:
        """Move the rows of A chunk by chunk; return the objective of each chunk.

        The bits of a row depend on its chunk, whose rows are multiplied together.
        """
        solve = self._row_solver(Z, rows, basis, omega, accurate)
        longest = max((end - begin for begin, end in chunks), default=0)

        def solve_chunk(chunk: tuple[int, int]) -> float:
            begin, end = chunk
            block = self._scratch("block", longest, Z)[: end - begin]
            if accurate:
                block[...] = 0
            else:
                basis.enter(A[begin:end], block)
            value = solve(begin, end, block)
            basis.leave(block, A[begin:end])
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
        if rows.reg_exponent == 0:
            # One penalty for all rows: whitened, the dense part is the identity.
            gram[np.diag_indices_from(gram)] += rows.reg
            try:
                root = np.linalg.cholesky(gram)
            except np.linalg.LinAlgError:
                raise _singular(rows, B.dtype) from None
            inverse, _ = scipy.linalg.lapack.dtrtri(root, lower=1)
            into, outof = root, inverse.T
        else:
            sizes, into = np.linalg.eigh(gram)
            if sizes[0] + rows.reg <= 0:  # no row has a smaller penalty
                raise _singular(rows, B.dtype)
            spectrum[: self._n_components] = np.maximum(sizes, 0)
            outof = into
        return Basis(
            np.ascontiguousarray(into, B.dtype),
            np.ascontiguousarray(outof, B.dtype),
            spectrum,
            rows.reg_exponent == 0,
        )

    def _row_solver(
        self, Z: np.ndarray, rows: Rows, basis: Basis, omega: float, accurate: bool
    ) -> Callable[[int, int, np.ndarray], float]:
        system = (
            Z,
            rows.indptr,
            rows.indices,
            rows.weights,
            basis.spectrum,
            basis.penalties(rows),
        )
        from skcoldstart._kernels.als import solve_rows, solve_rows_exactly, width_of

        n_dims, width = Z.shape[1], width_of(Z)
        n_steps = 2 * n_dims + 20 if accurate else N_STEPS
        tol = SOLVE_TOL[Z.dtype.name] if accurate else 0.0

        def solve(begin: int, end: int, block: np.ndarray) -> float:
            if self._method == "cholesky":
                work = self._scratch("work", n_dims + 5, Z)
                how: tuple = (omega, work, block, width)
                return solve_rows_exactly(*system, begin, end, *how)
            work = self._scratch("work", 5, Z)
            how = (n_steps, tol, omega, work, block, width)
            return solve_rows(*system, begin, end, *how)

        return solve

    def penalty(self, rows: SideCounts, factors: np.ndarray) -> float:
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
        self, by_item: Rows, by_user: Rows, V: np.ndarray, U: np.ndarray
    ) -> float:
        """Return the exact objective in float64, without the table of all pairs.

        The sum over all pairs of ``(x_u'y_i)^2`` is the sum of the elementwise product
        of both Gram matrices; stored entries add ``c (1 - s)^2 - s^2``.
        """
        observed = self.observed(
            by_item, V, U, by_item.chunks(padded_width(V.shape[1]))
        )
        return sum(observed) + self._everywhere(by_item, by_user, V, U)

    def observed(
        self,
        rows: Rows,
        A: np.ndarray,
        B: np.ndarray,
        chunks: list[tuple[int, int]],
    ) -> list[float]:
        """Return the part of stored entries in the exact objective, for each chunk."""
        from skcoldstart._kernels.als import observed_objective

        entries = rows.indptr, rows.indices, rows.weights
        return self._run(
            lambda chunk: observed_objective(A, B, *entries, *chunk), chunks
        )

    def _everywhere(
        self, by_item: SideCounts, by_user: SideCounts, V: np.ndarray, U: np.ndarray
    ) -> float:
        """Return the exact objective for a table without plays."""
        # Summing blocks in float32 would lose the last digits.
        everywhere = np.vdot(
            gram_matrix(V, self._run, np.float64), gram_matrix(U, self._run, np.float64)
        )
        penalties = self._exact_penalty(by_item, V) + self._exact_penalty(by_user, U)
        return float(everywhere + penalties)


def _singular(rows: SideCounts, dtype: Any) -> ValueError:
    return ValueError(
        f"reg={rows.reg:g} is too small for {dtype}: the normal equations are "
        "singular. Use a larger reg or dtype='float64'."
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
