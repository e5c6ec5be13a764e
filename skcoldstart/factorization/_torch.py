"""Alternating least squares in batches of rows of similar length, on a GPU.

The algorithm has the same steps as the kernels, so both agree up to rounding.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skcoldstart.factorization._als import Rows
from skcoldstart.factorization._cpu import N_STEPS, SOLVE_TOL

BATCH_BYTES = 1 << 30  # gathered factors of one batch
MOST_PADDING = 1.25  # longest row of a batch, relative to its shortest
STEPS_BETWEEN_CHECKS = 4  # checking on a GPU whether all rows are solved stalls it


class TorchSolver:
    """Solves the rows of one side while the factors of the other stay fixed."""

    def __init__(self, device: Any, method: str, n_components: int) -> None:
        self._device = device
        self._method = method
        self._n_components = n_components
        self._tables: dict[int, tuple[Rows, _Table]] = {}

    @classmethod
    @contextmanager
    def on_cuda(cls, method: str, n_components: int) -> Iterator["TorchSolver"]:
        """Open a solver on the first CUDA device, with full-precision products."""
        try:
            import torch
        except ImportError as error:
            raise ImportError(
                "WMF(device='cuda') needs torch. Install it with "
                "`pip install skcoldstart[neural]`, or use device='cpu'."
            ) from error
        if not torch.cuda.is_available():
            raise ValueError(
                f"device='cuda' but torch {torch.__version__} finds no CUDA device; "
                "use device='cpu'."
            )
        # TF32 keeps 10 bits of a product, too few for residuals.
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            # The same holds for a caller's autocast.
            with torch.inference_mode(), torch.autocast("cuda", enabled=False):
                yield cls("cuda", method, n_components)
        finally:
            torch.set_float32_matmul_precision(before)

    def put(self, factors: np.ndarray) -> Any:
        import torch

        return torch.tensor(factors, device=self._device)

    def get(self, factors: Any) -> np.ndarray:
        return factors.cpu().numpy().copy()

    def half(
        self, rows: Rows, A: Any, B: Any, *, omega: float = 1.0, accurate: bool = False
    ) -> float:
        """Move the rows of A; return the objective without the penalty on B.

        Shapes: `A` (n_rows, n_components), `B` (n_columns, n_components).
        """
        import torch

        table = self._table(rows)
        into, outof, spectrum, penalties = self._basis(rows, B)
        Z = B @ outof
        step = self._exact_step if self._method == "cholesky" else self._cg_step
        objective = torch.zeros((), dtype=torch.float64, device=self._device)
        A[table.empty] = 0
        for batch, length in table.batches(self._entries_of_batch(B)):
            idx, w, c = table.gather(batch, length)
            near = Z[idx]
            m = spectrum + penalties[batch][:, None]
            a = A[batch] @ into
            if accurate:
                a.zero_()
            s = _times(near, a)
            value = (m * a * a).sum(1).double() + (s * (w * s - 2 * c)).sum(1).double()
            residual = _transposed_times(near, c - w * s) - m * a
            move, gain = step(near, w, m, residual, accurate)
            A[batch] = (a + omega * move) @ outof.T
            objective += (value - (2 * omega - omega**2) * gain).sum()
        return float(objective) + rows.confidence_sum

    def penalty(self, rows: Rows, factors: Any) -> float:
        """Return ``sum_i penalty_i ||a_i||^2``, in float64."""
        squares = (factors.double() ** 2).sum(1)
        return float(self._as_tensor(rows.penalties) @ squares)

    def objective(
        self, by_item: Rows, by_user: Rows, V: np.ndarray, U: np.ndarray
    ) -> float:
        """Return the exact objective in float64, without the table of all pairs."""
        import torch

        items, users = self.put(V).double(), self.put(U).double()
        table = self._table(by_item)
        observed = torch.zeros((), dtype=torch.float64, device=self._device)
        for batch, length in table.batches(self._entries_of_batch(users)):
            idx, _, c = table.gather(batch, length)
            s = _times(users[idx], items[batch])
            # Padding has c = 0 and must not add its score.
            observed += torch.where(c > 0, c.double() * (1 - s) ** 2 - s**2, 0).sum()
        everywhere = ((items.T @ items) * (users.T @ users)).sum()
        penalties = self.penalty(by_item, items) + self.penalty(by_user, users)
        return float(observed + everywhere) + penalties

    def _basis(self, rows: Rows, B: Any) -> tuple[Any, Any, Any, Any]:
        """Return the coordinates of `_cpu.Basis`, from a Gram matrix in float64."""
        import torch

        wide = B.double()
        gram = wide.T @ wide
        if rows.reg_exponent == 0:
            identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
            root, failed = torch.linalg.cholesky_ex(gram + rows.reg * identity)
            if failed:
                raise ValueError(
                    f"reg={rows.reg:g} is too small: the normal equations are singular."
                    " Use a larger reg."
                )
            into = root
            outof = torch.linalg.solve_triangular(root, identity, upper=False).T
            spectrum, penalties = torch.zeros_like(gram[0]), np.ones(rows.n_rows)
        else:
            spectrum, into = torch.linalg.eigh(gram)
            outof, penalties = into, rows.penalties
        parts = (into, outof, spectrum.clamp(min=0), self._as_tensor(penalties))
        return tuple(part.to(B.dtype).contiguous() for part in parts)

    def _cg_step(
        self, near: Any, w: Any, m: Any, residual: Any, accurate: bool
    ) -> tuple[Any, Any]:
        """Return the step of conjugate gradients and the decrease of the objective."""
        import torch

        n_steps, tol = N_STEPS, 0.0
        if accurate:
            n_steps = 2 * self._n_components + 20
            tol = SOLVE_TOL[str(m.dtype).removeprefix("torch.")]
        r, move = residual, torch.zeros_like(residual)
        p = r / m
        rho = (r * p).sum(1)
        stop = tol**2 * rho
        gain = torch.zeros_like(rho, dtype=torch.float64)
        for step in range(n_steps):
            active = rho > stop
            if accurate and step % STEPS_BETWEEN_CHECKS == 0 and not active.any():
                break
            q = m * p + _transposed_times(near, w * _times(near, p))
            length = torch.where(active, rho / (p * q).sum(1), 0)
            gain += (length * rho).double()
            move = move + length[:, None] * p
            r = r - length[:, None] * q
            scaled = r / m
            before, rho = rho, torch.where(active, (r * scaled).sum(1), rho)
            conjugate = torch.where(active, rho / before, 0)
            p = scaled + conjugate[:, None] * p
        return move, gain

    def _exact_step(
        self, near: Any, w: Any, m: Any, residual: Any, accurate: bool
    ) -> tuple[Any, Any]:
        """Return the exact step and the decrease of the objective."""
        import torch

        system = near.transpose(1, 2) @ (w[:, :, None] * near)
        system.diagonal(dim1=1, dim2=2).add_(m)
        root = torch.linalg.cholesky(system)
        move = torch.cholesky_solve(residual[:, :, None], root)[:, :, 0]
        return move, (residual * move).sum(1).double()

    def _entries_of_batch(self, B: Any) -> Callable[[int], int]:
        """Return the number of rows of a length in a batch."""
        columns = self._n_components * B.element_size()

        def n_rows(length: int) -> int:
            if self._method == "cholesky":
                length = max(2 * length, self._n_components)
            return max(1, BATCH_BYTES // (length * columns))

        return n_rows

    def _table(self, rows: Rows) -> "_Table":
        if id(rows) not in self._tables:
            self._tables[id(rows)] = (rows, _Table(rows, self._as_tensor))
        return self._tables[id(rows)][1]

    def _as_tensor(self, array: np.ndarray) -> Any:
        import torch

        return torch.as_tensor(array, device=self._device)


class _Table:
    """The stored entries of `Rows` on a device, and rows in order of length."""

    def __init__(self, rows: Rows, as_tensor: Callable[[np.ndarray], Any]) -> None:
        counts = np.diff(rows.indptr)
        order = np.argsort(counts, kind="stable")
        n_empty = int((counts == 0).sum())
        self.empty = as_tensor(order[:n_empty])
        self._order = as_tensor(order[n_empty:])
        self._lengths = counts[order[n_empty:]]
        self._starts = as_tensor(rows.indptr[:-1])
        self._counts = as_tensor(counts)
        self._indices = as_tensor(rows.indices)
        self._weights = as_tensor(rows.weights)

    def batches(self, n_rows: Callable[[int], int]) -> Iterator[tuple[Any, int]]:
        """Yield rows of similar length, and the length of the longest."""
        begin, n = 0, len(self._lengths)
        while begin < n:
            longest = max(self._lengths[begin] * MOST_PADDING, self._lengths[begin] + 4)
            end = int(np.searchsorted(self._lengths, longest, side="right"))
            end = min(end, begin + n_rows(int(self._lengths[end - 1])))
            yield self._order[begin:end], int(self._lengths[end - 1])
            begin = end

    def gather(self, batch: Any, length: int) -> tuple[Any, Any, Any]:
        """Return columns, weights and confidences of shape (n_rows, length).

        Padding has column 0, weight 0 and confidence 0, and adds nothing to a sum.
        """
        import torch

        place = torch.arange(length, device=batch.device)
        stored = place < self._counts[batch][:, None]
        entry = torch.where(stored, self._starts[batch][:, None] + place, 0)
        w = torch.where(stored, self._weights[entry], 0)
        c = torch.where(stored, 1 + w, 0)
        return torch.where(stored, self._indices[entry], 0), w, c


def _times(near: Any, a: Any) -> Any:
    """Return the products of each row's gathered factors with a vector of its own."""
    return (near @ a[:, :, None])[:, :, 0]


def _transposed_times(near: Any, t: Any) -> Any:
    """Return the sums of each row's gathered factors, weighted."""
    return (t[:, None, :] @ near)[:, 0, :]
