"""Plays in blocks of rows (items or users) on the workers of a Dask cluster.

Workers hold only plays; the caller holds the factors. Every table is a Dask array of
CSR blocks of complete rows, so Dask's scheduler computes a block again if its worker
died.
"""

from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.plays import check_play_counts
from skcoldstart.factorization._als import Rows, SideCounts, owned
from skcoldstart.factorization._confidence import confidence_weights, warn_if_rounded

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


# Functions that run on workers.


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


def local_rows(part: Rows) -> Rows:
    """Return a part in writeable arrays, which kernels expect."""
    return replace(
        part,
        indptr=owned(part.indptr, np.int64),
        indices=owned(part.indices, np.int32),
        weights=owned(part.weights, part.weights.dtype),
    )
