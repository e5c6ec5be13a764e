"""The ranks of what each user played, from which every ranking metric follows."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import ScoreSource
from skcoldstart._utils.cached import cached_property
from skcoldstart._utils.threads import n_kernel_threads, worker_threads

__all__ = [
    "Candidates",
    "PositiveRanks",
    "default_tile_users",
    "hidden_positive_error",
    "nan_error",
    "over_tiles",
    "rank_positives",
]

# Scores of a tile are read again and again: few users keep them in a near cache. Where
# not even those fit, products of larger matrices are faster.
_FEWEST_USERS, _MOST_USERS = 256, 1024
_CACHE_BYTES, _TILE_BYTES = 4 << 20, 128 << 20
# A thread is given several small tiles at a time.
_TASK_SCORES = 1 << 22


@dataclass(frozen=True)
class Candidates:
    """Which items each user played, and which ones are not to be ranked.

    Shapes: `users` (n_selected_users,), `positives` (n_selected_users, n_items),
    `hidden` (n_selected_users, n_items), `popularity` (n_items,).
    """

    n_items: int
    users: np.ndarray
    positives: sp.csr_array
    hidden: sp.csr_array
    popularity: np.ndarray
    n_users: int

    @classmethod
    def from_plays(
        cls,
        y_true: Any,
        source: ScoreSource,
        *,
        exclude: Any = None,
        users: np.ndarray | None = None,
    ) -> "Candidates":
        """Check plays and exclusions against the scores, and turn users into rows.

        Shapes: `y_true` (n_items, n_users), `exclude` (n_items, n_users), `users`
        (n_selected_users,).
        """
        shape = (source.n_items, source.n_users)
        positives = _by_user(y_true, shape, "y_true")
        if exclude is None:
            hidden = sp.csr_array(positives.shape)
        else:
            hidden = _by_user(exclude, shape, "exclude")
            both = positives.multiply(hidden).tocoo()
            if both.nnz:
                raise ValueError(
                    f"{both.nnz} pairs are both played and excluded, the first of user "
                    f"{both.row[0]} and item {both.col[0]}; leave them out of one."
                )
        n_listeners = np.bincount(positives.indices, minlength=source.n_items)
        popularity = n_listeners / source.n_users
        if users is None:
            users = np.arange(source.n_users)
        else:
            positives, hidden = positives[users], hidden[users]
        return cls(source.n_items, users, positives, hidden, popularity, source.n_users)

    @property
    def n_positives(self) -> np.ndarray:
        """Items that each user played, int64 of shape (n_selected_users,)."""
        return np.diff(self.positives.indptr).astype(np.int64)

    @property
    def n_negatives(self) -> np.ndarray:
        """Candidates that each user did not play, int64 (n_selected_users,)."""
        return self.n_items - np.diff(self.hidden.indptr) - self.n_positives

    def select(self, rows: np.ndarray) -> "Candidates":
        """Keep some of the users.

        Shapes: `rows` (n_kept,).
        """
        return replace(
            self,
            users=self.users[rows],
            positives=self.positives[rows],
            hidden=self.hidden[rows],
        )

    def of_items(self, items: np.ndarray) -> "Candidates":
        """Keep some of the items, given by index or mask."""
        popularity = self.popularity[items]
        return replace(
            self,
            n_items=len(popularity),
            positives=self.positives[:, items],
            hidden=self.hidden[:, items],
            popularity=popularity,
        )


@dataclass(frozen=True)
class PositiveRanks:
    """Where the items that each user played stand among that user's candidates.

    Shapes: `n_positives, n_negatives` (n_users,), `ranks` (n_positives.sum(),),
    `midrank_sums` (n_users,), `lists` (n_users, n_listed).
    """

    n_positives: np.ndarray
    n_negatives: np.ndarray
    ranks: np.ndarray
    midrank_sums: np.ndarray
    lists: np.ndarray

    @cached_property
    def users(self) -> np.ndarray:
        """User of each rank."""
        return np.repeat(np.arange(len(self.n_positives)), self.n_positives)

    @cached_property
    def places(self) -> np.ndarray:
        """Place of each rank among the user's own: 1, 2, ..., n_positives."""
        starts = np.cumsum(self.n_positives) - self.n_positives
        return np.arange(1, len(self.ranks) + 1) - np.repeat(starts, self.n_positives)

    def sum_by_user(self, values: np.ndarray) -> np.ndarray:
        """Add up one value per rank for each user.

        Shapes: `values` (n_ranks,) -> (n_users,).
        """
        sums = np.bincount(self.users, values, minlength=len(self.n_positives))
        return np.where(self.n_positives > 0, sums, np.nan)


def rank_positives(
    candidates: Candidates,
    source: ScoreSource,
    *,
    n_listed: int = 0,
    tile_users: int | None = None,
    n_jobs: int | None = None,
) -> PositiveRanks:
    """Rank what each user played among the user's candidates.

    Users without positives are not scored.
    """
    from skcoldstart._kernels import ranking
    from skcoldstart._kernels.topn import select_top_n

    n_positives, n_negatives = candidates.n_positives, candidates.n_negatives
    scored = np.flatnonzero(n_positives)
    if len(scored) < len(n_positives):
        candidates = candidates.select(scored)
    indptr, items = _csr_parts(candidates.positives)
    hidden_indptr, hidden_items = _csr_parts(candidates.hidden)
    ranks = np.empty(len(items), np.int32)
    sums = np.empty(len(scored), np.int64)
    best = np.empty((len(scored), n_listed), np.int64)

    def rank(tile: slice, rows: np.ndarray) -> None:
        bounds = slice(tile.start, tile.stop + 1)
        problem, row = ranking.rank_positives(
            rows,
            indptr[bounds],
            items,
            hidden_indptr[bounds],
            hidden_items,
            ranks,
            sums[tile],
        )
        if problem == ranking.NAN_SCORE:
            raise nan_error(candidates.users[tile.start + row])
        if problem == ranking.HIDDEN_POSITIVE:
            raise hidden_positive_error(candidates.users[tile.start + row])
        if n_listed:
            select_top_n(
                rows,
                hidden_indptr[bounds],
                hidden_items,
                np.arange(len(rows)),
                best[tile],
                np.empty((len(rows), n_listed), rows.dtype),
            )

    if source.has_nan():
        raise nan_error()
    for _ in over_tiles(rank, candidates.users, source, tile_users, n_jobs):
        pass
    midrank_sums = np.zeros(len(n_positives), np.int64)
    midrank_sums[scored] = sums
    lists = np.full((len(n_positives), n_listed), -1)
    lists[scored] = best
    return PositiveRanks(n_positives, n_negatives, ranks, midrank_sums, lists)


def over_tiles(
    work: Callable[[slice, np.ndarray], Any],
    users: np.ndarray,
    source: ScoreSource,
    tile_users: int | None,
    n_jobs: int | None,
) -> Iterator[Any]:
    """Score users tile by tile, each thread in one buffer of its own.

    Shapes: `users` (n_selected_users,).

    Tiles do not depend on the number of threads and BLAS has one thread, so neither
    does any bit of the scores.
    """
    n_users = len(users)
    if n_users == 0:
        return
    dtype = np.dtype(np.float32 if source.dtype == np.float32 else np.float64)
    if tile_users is None:
        tile_users = default_tile_users(n_users, source.n_items * dtype.itemsize)
    tile_users = min(tile_users, n_users)
    local = threading.local()

    def score(start: int) -> list[Any]:
        if not hasattr(local, "buffer"):
            local.buffer = np.empty((tile_users, source.n_items), dtype)
        found = []
        for first in range(start, min(start + step, n_users), tile_users):
            tile = slice(first, min(first + tile_users, n_users))
            buffer = local.buffer[: tile.stop - first]
            found.append(work(tile, source.rows(_as_slice(users[tile]), buffer)))
        return found

    n_threads = n_kernel_threads(n_jobs)
    # Tasks are cut so that each thread has some; tiles never are.
    n_in_task = min(
        _TASK_SCORES // (tile_users * source.n_items),
        n_users // (tile_users * 4 * n_threads),
    )
    step = max(1, n_in_task) * tile_users
    starts = range(0, n_users, step)
    with worker_threads(n_jobs) as run:
        for found in run(score, starts):
            yield from found


def default_tile_users(n_users: int, row_bytes: int) -> int:
    """Return how many users to score at a time."""
    if _FEWEST_USERS * row_bytes <= _CACHE_BYTES:
        return _FEWEST_USERS
    most = min(_MOST_USERS, _TILE_BYTES // row_bytes, n_users // 8)
    return max(_FEWEST_USERS, most)


def _as_slice(users: np.ndarray) -> np.ndarray | slice:
    """Return neighbours as a slice, which is read without a gather."""
    neighbours = bool((np.diff(users) == 1).all())
    return slice(users[0], users[-1] + 1) if neighbours else users


def nan_error(user: int | None = None) -> ValueError:
    """Say that scores are NaN."""
    whose = "" if user is None else f" of user {user}"
    return ValueError(
        f"Scores{whose} contain NaN; expected numbers. Check the predictions, or the "
        "factors that they come from."
    )


def hidden_positive_error(user: int) -> ValueError:
    """Say that a positive has the score of an excluded item."""
    return ValueError(
        f"User {user} played an item whose score is -inf, which marks items that are "
        "not to be ranked. Give the item a finite score, or take the play out of "
        "y_true."
    )


def _by_user(pairs: Any, shape: tuple[int, int], name: str) -> sp.csr_array:
    """Validate a table of shape (n_items, n_users) and return it users first."""
    table = check_play_counts(pairs, input_name=name)
    if table.shape != shape:
        hint = f" Did you pass users as rows ({name}.T)?"
        raise ValueError(
            f"{name} has shape {table.shape} but scores have shape {shape}; both must "
            "have one row per item and one column per user."
            f"{hint if table.shape == shape[::-1] else ''}"
        )
    return table.T.tocsr()


def _csr_parts(table: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    return table.indptr.astype(np.int64), table.indices.astype(np.int32)
