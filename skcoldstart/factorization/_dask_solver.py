"""Alternating least squares on the workers of a Dask cluster.

The caller holds the factors of both sides. In a half sweep the fixed side is sent to
every worker, and each part of plays returns its solved rows. After the loss of a
worker, factors are sent again.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart._utils.threads import worker_threads
from skcoldstart.factorization._als import Rows, owned
from skcoldstart.factorization._cpu import Basis, CPUSolver
from skcoldstart.factorization._dask_plays import DaskRows, local_rows

MOST_ROUNDS = 10  # without any finished part before a half sweep fails


@dataclass(frozen=True)
class _Fixed:
    """The data of the fixed side, needed by every worker.

    Shapes: `factors` (n_columns, n_dims).
    """

    factors: np.ndarray
    basis: Basis

    def __sizeof__(self) -> int:  # which Dask sees
        return self.factors.nbytes


class DaskSolver(CPUSolver):
    """Solves the parts of one side on the workers; the caller does everything else."""

    def solve(
        self, rows: Any, A: Any, Z: Any, basis: Basis, chunks: Any = None, **how: Any
    ) -> list[float]:
        how |= {"method": self._method, "n_components": self._n_components}
        values = {}
        for part, (solved, objective) in _on_parts(
            _solve, rows, _Fixed(Z, basis), None if how["accurate"] else A, **how
        ):
            A[rows.edges[part] : rows.edges[part + 1]] = solved
            values[part] = objective
        return _in_order(values)

    def observed(self, rows: Any, A: Any, B: Any, chunks: Any = None) -> list[float]:
        return _in_order(dict(_on_parts(_observe, rows, B, A)))


def _in_order(values: dict[int, list[float]]) -> list[float]:
    """Return values chunk by chunk, which add up to the bits of one machine."""
    return [value for part in sorted(values) for value in values[part]]


def _on_parts(
    function: Callable[..., Any],
    rows: DaskRows,
    fixed: _Fixed | np.ndarray,
    A: np.ndarray | None,
    **params: Any,
) -> Iterator[tuple[int, Any]]:
    """Yield results of ``function(part, rows of A, fixed, chunks)`` as completed.

    Dask computes lost plays again. If factors are lost with a worker, the tasks that
    need them are cancelled and submitted again.
    """
    from distributed import as_completed

    client = rows.client
    missing = list(range(len(rows.parts)))
    n_idle = 0
    while missing:
        futures: dict[str, tuple[Any, int]] = {}
        try:
            everywhere = client.scatter(fixed, broadcast=True, hash=False)
            own: list[Any] = [None] * len(missing)
            if A is not None:
                blocks = [A[rows.edges[p] : rows.edges[p + 1]] for p in missing]
                own = client.scatter(blocks, hash=False)
            for p, block in zip(missing, own, strict=True):
                future = client.submit(
                    function,
                    rows.parts[p],
                    block,
                    everywhere,
                    rows.chunks_of(p),
                    pure=False,
                    **params,
                )
                futures[future.key] = future, p
            del own, block
            waiting = as_completed([future for future, _ in futures.values()])
            for future in waiting:
                _, part = futures.pop(future.key)
                try:
                    result = future.result()
                except CancelledError:
                    continue
                missing.remove(part)
                n_idle = -1
                yield part, result
        except (OSError, TimeoutError):  # a worker that was receiving data
            pass
        finally:
            client.cancel([future for future, _ in futures.values()])
        n_idle += 1
        if missing and n_idle > MOST_ROUNDS:
            raise RuntimeError(
                f"{len(missing)} of {len(rows.parts)} blocks of plays were lost with "
                "their workers. See the log of the scheduler: workers often die from "
                "lack of memory. Use more workers, smaller blocks, or fewer components."
            )


# Functions that run on workers: one thread per task, and as many tasks as threads.


def _solve(
    part: Rows,
    A: np.ndarray | None,
    fixed: _Fixed,
    chunks: list[tuple[int, int]],
    *,
    method: str,
    n_components: int,
    **how: Any,
) -> tuple[np.ndarray, list[float]]:
    """Return the rows of a part after a half sweep, and the objective of its chunks."""
    Z, basis = fixed.factors, fixed.basis
    # A task may run twice, so it must not change its inputs.
    solved = np.zeros((part.n_rows, Z.shape[1]), Z.dtype) if A is None else A.copy()
    with worker_threads(1) as run:
        solver = CPUSolver(run, method, n_components)
        values = solver.solve(
            local_rows(part), solved, owned(Z, Z.dtype), basis, chunks, **how
        )
    return solved, values


def _observe(
    part: Rows, A: np.ndarray, B: np.ndarray, chunks: list[tuple[int, int]]
) -> list[float]:
    """Return the part of the objective from the entries of each chunk."""
    with worker_threads(1) as run:
        solver = CPUSolver(run, "cg", A.shape[1])
        return solver.observed(
            local_rows(part), owned(A, A.dtype), owned(B, B.dtype), chunks
        )
