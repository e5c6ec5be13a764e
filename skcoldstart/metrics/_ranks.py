"""Ranks of the items that each user played, and the input of all ranking metrics."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, gen_batches

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import DenseScores, ScoreSource, nan_error
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.docstrings import COMMON
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import HasMethods
from skcoldstart._utils.threads import n_kernel_threads, worker_threads

# Scores of a block are read many times, so blocks of few users stay in a near cache. If
# these do not fit, products of larger matrices are faster.
_FEWEST_USERS, _MOST_USERS = 256, 1024
_CACHE_BYTES, _BLOCK_BYTES = 4 << 20, 128 << 20
# A thread gets several small blocks at a time.
_TASK_SCORES = 1 << 22


@dataclass(frozen=True)
class RankingTask:
    """The plays to rank, and the pairs that are not candidates.

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
        exclude: Any = None,
        *,
        input_name: str = "y_true",
    ) -> "RankingTask":
        """Check plays and exclusions against the scores, and transpose them to users.

        Shapes: `y_true` (n_items, n_users), `exclude` (n_items, n_users).
        """
        shape = (source.n_items, source.n_users)
        by_user = []
        for pairs, name in ((y_true, input_name), (exclude, "exclude")):
            if pairs is None and name == "exclude":
                by_user.append(sp.csr_array(shape[::-1]))
                continue
            table = check_play_counts(pairs, input_name=name)
            if table.shape != shape:
                hint = f" Did you pass users as rows ({name}.T)?"
                raise ValueError(
                    f"{name} has shape {table.shape} but scores have shape {shape}; "
                    "both must have one row per item and one column per user."
                    f"{hint if table.shape == shape[::-1] else ''}"
                )
            by_user.append(table.T.tocsr())
        positives, hidden = by_user
        both = positives.multiply(hidden).tocoo() if hidden.nnz else hidden
        if both.nnz:
            raise ValueError(
                f"{both.nnz} pairs are both played and excluded, the first of user "
                f"{both.row[0]} and item {both.col[0]}; remove them from one of the "
                f"two."
            )
        n_items, n_users = shape
        popularity = np.bincount(positives.indices, minlength=n_items) / n_users
        return cls(n_items, np.arange(n_users), positives, hidden, popularity, n_users)

    @property
    def n_positives(self) -> np.ndarray:
        """Number of items played by each user, int64 of shape (n_selected_users,)."""
        return np.diff(self.positives.indptr).astype(np.int64)

    def of_users(self, rows: np.ndarray) -> "RankingTask":
        """Select users: `rows` (n_kept,)."""
        return replace(
            self,
            users=self.users[rows],
            positives=self.positives[rows],
            hidden=self.hidden[rows],
        )

    def of_items(self, items: np.ndarray) -> "RankingTask":
        """Select items by index or mask."""
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
    """Ranks of the items that each user played among the user's candidates.

    Shapes: `n_positives, n_negatives, midrank_sums` (n_users,), `users, ranks, places`
    (n_positives.sum(),), `lists` (n_users, n_listed). The place of a rank is that among
    the user's own: 1, 2, ..., n_positives.
    """

    n_positives: np.ndarray
    n_negatives: np.ndarray
    users: np.ndarray
    ranks: np.ndarray
    places: np.ndarray
    midrank_sums: np.ndarray
    lists: np.ndarray

    def sum_to(self, k: float, values: Any = 1.0) -> np.ndarray:
        """Add up the values of the first k ranks of each user; NaN for one without any.

        Shapes: `values` (n_ranks,) -> (n_users,).
        """
        values = np.where(self.ranks <= k, values, 0.0)
        sums = np.bincount(self.users, values, minlength=len(self.n_positives))
        return np.where(self.n_positives > 0, sums, np.nan)


def rank_positives(
    task: RankingTask,
    source: ScoreSource,
    *,
    n_listed: int = 0,
    block_users: int | None = None,
    n_jobs: int | None = None,
) -> PositiveRanks:
    """Rank the items that each user played among the user's candidates.

    Users without positives are not scored.
    """
    from skcoldstart._kernels import ranking

    n_positives = task.n_positives
    n_negatives = task.n_items - np.diff(task.hidden.indptr) - n_positives
    scored = np.flatnonzero(n_positives)
    if len(scored) < len(n_positives):
        task = task.of_users(scored)
    indptr = task.positives.indptr.astype(np.int64)
    items = task.positives.indices.astype(np.int32)
    hidden_indptr = task.hidden.indptr.astype(np.int64)
    hidden_items = task.hidden.indices.astype(np.int32)
    ranks = np.empty(len(items), np.int32)
    sums = np.empty(len(scored), np.int64)
    best = np.empty((len(scored), n_listed), np.int64)

    def rank(block: slice, rows: np.ndarray) -> None:
        bounds = slice(block.start, block.stop + 1)
        problem, row = ranking.rank_positives(
            rows,
            indptr[bounds],
            items,
            hidden_indptr[bounds],
            hidden_items,
            ranks,
            sums[block],
        )
        if problem == ranking.NAN_SCORE:
            raise nan_error(task.users[block.start + row])
        if problem == ranking.HIDDEN_POSITIVE:
            raise hidden_positive_error(task.users[block.start + row])
        if n_listed:
            ranking.select_top_n(
                rows,
                hidden_indptr[bounds],
                hidden_items,
                np.arange(len(rows)),
                best[block],
                np.empty((len(rows), n_listed), rows.dtype),
            )

    if source.has_nan():
        raise nan_error()
    for _ in over_blocks(rank, task.users, source, block_users, n_jobs):
        pass
    midrank_sums = np.zeros(len(n_positives), np.int64)
    midrank_sums[scored] = sums
    lists = np.full((len(n_positives), n_listed), -1)
    lists[scored] = best
    starts = np.cumsum(n_positives) - n_positives
    places = np.arange(1, len(ranks) + 1) - np.repeat(starts, n_positives)
    users = np.repeat(np.arange(len(n_positives)), n_positives)
    return PositiveRanks(
        n_positives, n_negatives, users, ranks, places, midrank_sums, lists
    )


def over_blocks(
    work: Callable[[slice, np.ndarray], Any],
    users: np.ndarray,
    source: ScoreSource,
    block_users: int | None,
    n_jobs: int | None,
) -> Iterator[Any]:
    """Score users block by block, with one buffer per thread.

    Shapes: `users` (n_selected_users,).

    Blocks do not depend on the number of threads, and BLAS has one thread, so the
    scores are always bit for bit the same.
    """
    n_users = len(users)
    if n_users == 0:
        return
    dtype = np.dtype(np.float32 if source.dtype == np.float32 else np.float64)
    if block_users is None:
        row_bytes = source.n_items * dtype.itemsize
        most = min(_MOST_USERS, _BLOCK_BYTES // row_bytes, n_users // 8)
        in_cache = _FEWEST_USERS * row_bytes <= _CACHE_BYTES
        block_users = _FEWEST_USERS if in_cache else max(_FEWEST_USERS, most)
    block_users = min(block_users, n_users)
    local = threading.local()

    def score(blocks: list[slice]) -> list[Any]:
        if not hasattr(local, "buffer"):
            local.buffer = np.empty((block_users, source.n_items), dtype)
        found = []
        for block in blocks:
            selected: Any = users[block]
            if (np.diff(selected) == 1).all():  # read without a gather
                selected = slice(selected[0], selected[-1] + 1)
            buffer = local.buffer[: block.stop - block.start]
            found.append(work(block, source.rows(selected, buffer)))
        return found

    # Tasks are split so that each thread has some; blocks are never split.
    n_in_task = min(
        _TASK_SCORES // (block_users * source.n_items),
        n_users // (block_users * 4 * n_kernel_threads(n_jobs)),
    )
    blocks = list(gen_batches(n_users, block_users))
    tasks = [blocks[part] for part in gen_batches(len(blocks), max(1, n_in_task))]
    with worker_threads(n_jobs) as run:
        for found in run(score, tasks):
            yield from found


def hidden_positive_error(user: int) -> ValueError:
    """Return an error about a positive with the score of an excluded item."""
    return ValueError(
        f"User {user} played an item with score -inf, which marks items that are not "
        f"ranked. Give the item a finite score, or remove the play from y_true."
    )


INPUT: dict[str, list] = {
    "y_true": ["array-like", "sparse matrix"],
    "y_score": ["array-like", HasMethods(["rows", "of_items"])],
    "exclude": ["array-like", "sparse matrix", None],
    "per_user": ["boolean"],
    "n_jobs": [Integral, None],
}
# Documentation of parameters shared by metrics.
TEXT = COMMON | {
    "inputs": """\
y_true : {array-like, sparse} of shape (n_items, n_users)
    Play counts; a positive is a played item, count > 0.
y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
    Score of each user for each item; an item is a row. Factors and functions are
    evaluated for blocks of users. Infinite scores are allowed, except -inf for a
    positive.
""",
    "options": """\
exclude : {array-like, sparse} of shape (n_items, n_users), default=None
    Nonzero pairs are not candidates: for items that are not new, a user's training
    plays. Not needed for new items.
per_user : bool, default=False
    Whether to return one value per user instead of the mean.
n_jobs : int, default=None
    Number of threads; ``None`` means all. The result does not depend on it.
""",
    "returns": """\
Returns
-------
float or ndarray of shape (n_users,)
    Mean over the users with at least one positive; NaN if there are none. With
    ``per_user=True``, skipped users have NaN.

Raises
------
ValueError
    If shapes differ, a score is NaN, a positive is excluded or scored -inf, play
    counts are negative or not finite, or frames name other items or users.

Warns
-----
UndefinedMetricWarning
    If no user has a positive.
""",
}


def read_inputs(
    y_true: Any, y_score: Any, exclude: Any = None
) -> tuple[RankingTask, ScoreSource]:
    """Check that plays, scores and exclusions have the same items and users.

    Shapes: `y_true` (n_items, n_users), `y_score` (n_items, n_users), `exclude`
    (n_items, n_users).
    """
    for other, name in ((y_score, "y_score"), (exclude, "exclude")):
        check_same_items(y_true, other, input_name=name, first_name="y_true")
        check_same_users(y_true, other, input_name=name)
    if hasattr(y_score, "of_items"):
        source = y_score
    else:
        refuse_masked(y_score, "y_score")
        source = DenseScores(
            check_array(
                y_score,
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
                input_name="y_score",
            )
        )
    return RankingTask.from_plays(y_true, source, exclude), source
