"""Alternating least squares on the workers of a Dask cluster.

Workers hold only plays: Dask arrays of CSR blocks of complete rows (items or users),
which the scheduler computes again if a worker dies. The caller holds the factors of
both sides. In a half sweep the fixed side is sent to every worker, and each part of
plays returns its solved rows. After the loss of a worker, factors are sent again.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.threads import worker_threads
from skcoldstart.factorization._als import Rows, SideCounts, owned
from skcoldstart.factorization._confidence import confidence_weights, warn_if_rounded
from skcoldstart.factorization._cpu import Basis, CPUSolver

MOST_ROUNDS = 10  # without any finished part before a half sweep fails
FAN_IN = 8  # counts of columns added up at a time


def _is_of_dask(block: Any) -> bool:
    return type(block).__module__.partition(".")[0] in ("dask", "distributed")


class Block(sp.csr_array):
    """CSR whose size is visible to Dask, which otherwise assumes free transfers."""

    # TODO(dask): remove when dask.sizeof supports sparse arrays like matrices.

    def __sizeof__(self) -> int:
        return self.data.nbytes + self.indices.nbytes + self.indptr.nbytes


class DaskPlays:
    """Play counts as a Dask array of blocks of rows, checked on the workers.

    Shapes: (n_items, n_users).
    """

    ndim = 2
    checked_play_counts = True  # for `check_play_counts`

    def __init__(self, table: Any, client: Any) -> None:
        self.table, self.client = table, client
        self.shape: tuple[int, int] = table.shape

    @property
    def nnz(self) -> int:
        self.table = self.client.persist(self.table)
        blocks = self.client.compute(_blocks(self.table, attrgetter("nnz")))
        return sum(self.client.gather(blocks))

    @property
    def T(self) -> "DaskPlays":
        """The transposed plays, one row per user."""
        n_parts = max(1, min(self.table.numblocks[0], self.shape[1]))  # none empty
        edges = np.linspace(0, self.shape[1], n_parts + 1).astype(int)
        sizes = tuple(np.diff(edges).tolist())
        table = self.table.rechunk({0: -1, 1: sizes}, method="tasks")
        return DaskPlays(_mapped(_csr, table.T), self.client)

    def __getitem__(self, key: Any) -> "DaskPlays":
        return DaskPlays(self.table[key], self.client)

    def tocsr(self) -> "DaskPlays":
        return self


def gather_plays(Y: Any) -> Any:
    """Return plays of Dask in checked blocks, or as local CSR if there is no client.

    Shapes: -> (n_items, n_users). Dask's are an array, or delayed blocks or futures in
    a list; any other Y is returned as it is.
    """
    listed = isinstance(Y, list | tuple) and len(Y) > 0 and all(map(_is_of_dask, Y))
    if not listed and not (_is_of_dask(Y) and hasattr(Y, "numblocks")):
        return Y
    import dask

    table = _mapped(_checked, _whole_rows(_as_array(Y)))
    try:
        from distributed import default_client

        client = default_client()
    except (ImportError, ValueError):  # no such package, or no client
        blocks = dask.compute(*table.to_delayed().ravel())
        return check_play_counts(sp.vstack(blocks, format="csr"), input_name="Y")
    return DaskPlays(table, client)


def _as_array(Y: Any) -> Any:
    import dask.array as da
    from dask import compute, delayed

    if hasattr(Y, "numblocks"):
        if Y.ndim != 2:
            check_play_counts(np.empty((1,) * Y.ndim), input_name="Y")
        if not np.isnan(Y.shape).any():
            return Y
        Y = [block for row in _whole_rows(Y).to_delayed() for block in row]
    blocks = [delayed(_csr)(block) for block in Y]
    shapes = compute(*[delayed(attrgetter("shape"))(block) for block in blocks])
    if len({n_columns for _, n_columns in shapes}) > 1:
        raise ValueError(
            f"The blocks of Y have {[n_columns for _, n_columns in shapes]} columns; "
            "expected blocks of rows, each with one column per user."
        )
    return da.concatenate([
        da.from_delayed(block, shape, meta=_meta())
        for block, shape in zip(blocks, shapes, strict=True)
    ])


def _whole_rows(table: Any) -> Any:
    if table.numblocks[1] == 1:
        return table
    return _mapped(_csr, table).rechunk({1: -1}, method="tasks")


@dataclass(frozen=True)
class DaskRows(SideCounts):
    """Weighted plays of one side in parts of rows, each held by a worker.

    A chunk of rows is never split: its rows are multiplied together, so the chunks must
    be the same for any partition to give the same bits. Part i has the rows from
    ``edges[i]`` to ``edges[i + 1]``.
    """

    client: Any
    table: Any
    parts: list[Any]
    edges: np.ndarray
    n_dims: int
    confidence_sum: float

    @classmethod
    def take_over(
        cls, plays: DaskPlays, *, n_dims: int, confidence: dict[str, Any], **reg: float
    ) -> "DaskRows":
        """Convert counts to weights, which replace them on the workers."""
        client = plays.client
        weights = client.persist(_mapped(_weighed, plays.table, how=confidence))
        plays.table = None
        seen = client.gather(client.compute(_blocks(weights, _summary)))
        warn_if_rounded(max(largest for _, largest in seen), confidence["dtype"])
        side = SideCounts(_pointers([counts for counts, _ in seen]), **reg)
        # A boundary is moved to the nearest edge of a chunk; other data are not moved.
        cuts = side.cuts(n_dims)
        wanted = np.cumsum(weights.chunks[0])[:-1]
        after = np.minimum(np.searchsorted(cuts, wanted), len(cuts) - 1)
        before = np.maximum(after - 1, 0)
        nearer = cuts[after] - wanted < wanted - cuts[before]
        edges = np.where(nearer, cuts[after], cuts[before])
        return cls._held(client, weights, side, edges, n_dims)

    @classmethod
    def _held(
        cls, client: Any, table: Any, side: SideCounts, edges: Any, n_dims: int
    ) -> "DaskRows":
        """Store the parts between edges on the workers."""
        edges = np.unique(np.concatenate([[0], edges, [side.n_rows]]))
        sizes = tuple(np.diff(edges).tolist()) or (0,)
        table = _mapped(_csr, table.rechunk({0: sizes}, method="tasks"))
        table = client.persist(table)
        reg = {"reg": side.reg, "reg_exponent": side.reg_exponent}
        parts = client.compute(_blocks(table, Rows.from_csr, **reg))
        of_part = attrgetter("confidence_sums")
        sums = client.gather([client.submit(of_part, part) for part in parts])
        total = float(np.concatenate(sums).sum())
        return cls(
            side.indptr, **reg, client=client, table=table, parts=parts, edges=edges,
            n_dims=n_dims, confidence_sum=total,
        )  # fmt: skip

    def transposed(self, n_columns: int) -> "DaskRows":
        """Return the transposed plays, after one shuffle."""
        counts = self.client.compute(_blocks(self.table, _column_counts))
        while len(counts) > 1:
            counts = [
                self.client.submit(np.sum, counts[i : i + FAN_IN], axis=0)
                for i in range(0, len(counts), FAN_IN)
            ]
        indptr = _pointers([self.client.gather(counts[0])])
        side = SideCounts(indptr, self.reg, self.reg_exponent)
        n_threads = sum(self.client.nthreads().values())
        n_parts = max(len(self.parts), n_threads)
        cuts = side.cuts(self.n_dims)
        # Parts of about equal cost, each of whole chunks.
        wanted = np.linspace(0, len(cuts) - 1, n_parts + 1).round().astype(int)
        edges = np.unique(cuts[wanted])
        sizes = tuple(np.diff(edges).tolist()) or (0,)
        table = self.table.rechunk({0: -1, 1: sizes}, method="tasks").T
        return self._held(self.client, table, side, edges, self.n_dims)

    def chunks_of(self, part: int) -> list[tuple[int, int]]:
        """Return the chunks of a part, counted from its first row."""
        begin, end = self.edges[part : part + 2].tolist()
        return [
            (first - begin, last - begin)
            for first, last in self.chunks(self.n_dims)
            if begin <= first and last <= end
        ]


def _pointers(counts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.concatenate(counts), dtype=np.int64)])


def _meta() -> sp.csr_array:
    return sp.csr_array((0, 0), dtype=np.float64)


def _mapped(function: Any, table: Any, **params: Any) -> Any:
    """Apply a function that keeps shapes to every block."""
    return table.map_blocks(function, meta=_meta(), **params)


def _blocks(table: Any, function: Any, **params: Any) -> list[Any]:
    """Return a function of every block, delayed."""
    from dask import delayed

    call = delayed(function)
    return [call(block, **params) for block in table.to_delayed().ravel()]


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


def _csr(block: Any) -> Block:
    return Block(block)


def _checked(block: Any) -> Block:
    return Block(check_play_counts(block, input_name="Y"))


def _weighed(block: sp.csr_array, *, how: dict[str, Any]) -> Block:
    weights = confidence_weights(block.data, warns=False, **how)
    return Block((weights, block.indices, block.indptr), shape=block.shape)


def _summary(block: sp.csr_array) -> tuple[np.ndarray, float]:
    """Return the entries of each row, and the largest weight."""
    return np.diff(block.indptr).astype(np.int64), float(block.data.max(initial=0.0))


def _column_counts(block: sp.csr_array) -> np.ndarray:
    return np.bincount(block.indices, minlength=block.shape[1])


def _local_rows(part: Rows) -> Rows:
    """Return a part in writeable arrays, which kernels expect."""
    return replace(
        part,
        indptr=owned(part.indptr, np.int64),
        indices=owned(part.indices, np.int32),
        weights=owned(part.weights, part.weights.dtype),
    )


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
            _local_rows(part), solved, owned(Z, Z.dtype), basis, chunks, **how
        )
    return solved, values


def _observe(
    part: Rows, A: np.ndarray, B: np.ndarray, chunks: list[tuple[int, int]]
) -> list[float]:
    """Return the part of the objective from the entries of each chunk."""
    with worker_threads(1) as run:
        solver = CPUSolver(run, "cg", A.shape[1])
        return solver.observed(
            _local_rows(part), owned(A, A.dtype), owned(B, B.dtype), chunks
        )
