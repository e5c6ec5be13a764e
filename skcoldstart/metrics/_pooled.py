"""AUC over all pairs of users and items."""

import threading
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.sources import ScoreSource
from skcoldstart.metrics._ranks import (
    RankingTask,
    hidden_positive_error,
    nan_error,
    over_blocks,
)


def pooled_auc(
    task: RankingTask,
    source: ScoreSource,
    *,
    block_users: int | None = None,
    n_jobs: int | None = None,
) -> float:
    """Return the probability that a played pair outscores an unplayed one.

    Scores are read twice: first those of positives, which become sorted thresholds, and
    then all, to count scores between thresholds.
    """
    from skcoldstart._kernels.ranking import count_between

    def select(block: slice, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nan = np.isnan(rows.min(axis=1))
        if nan.any():
            raise nan_error(task.users[block.start + int(np.argmax(nan))])
        played, user = _scores_of(task.positives, block, rows)
        if np.isneginf(played).any():
            raise hidden_positive_error(task.users[user[int(np.argmin(played))]])
        return played, _scores_of(task.hidden, block, rows)[0]

    def count(block: slice, rows: np.ndarray) -> None:
        if not hasattr(local, "counts"):
            local.counts = _Counts(len(thresholds))
            counts_of_threads.append(local.counts)
        counts = local.counts
        count_between(rows.reshape(-1), thresholds, counts.between, counts.equal)

    def blocks(work: Any) -> Any:
        return over_blocks(work, task.users, source, block_users, n_jobs)

    n_positives = int(task.n_positives.sum())
    n_negatives = task.n_items * len(task.users) - task.hidden.nnz - n_positives
    selected = list(blocks(select))
    if not n_positives or not n_negatives:
        return float("nan")
    thresholds, n_at = np.unique(
        np.concatenate([played for played, _ in selected]), return_counts=True
    )
    local, counts_of_threads = threading.local(), [_Counts(len(thresholds))]
    for _ in blocks(count):
        pass
    hidden = _Counts(len(thresholds))
    for _, scores in selected:
        count_between(scores, thresholds, hidden.between, hidden.equal)

    between = sum(counts.between for counts in counts_of_threads) - hidden.between
    equal = sum(counts.equal for counts in counts_of_threads) - hidden.equal - n_at
    below = np.cumsum(between)[:-1] + np.cumsum(equal) - equal
    wins = float(n_at @ (below + 0.5 * equal))
    return wins / (float(n_positives) * float(n_negatives))


class _Counts:
    """Scores strictly between, and equal to, sorted thresholds."""

    def __init__(self, n_thresholds: int) -> None:
        self.between = np.zeros(n_thresholds + 1, np.int64)
        self.equal = np.zeros(n_thresholds, np.int64)


def _scores_of(
    pairs: sp.csr_array, block: slice, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the scores of stored pairs in a block, and the row each belongs to."""
    indptr = pairs.indptr[block.start : block.stop + 1]
    row = np.repeat(np.arange(len(rows)), np.diff(indptr))
    return rows[row, pairs.indices[indptr[0] : indptr[-1]]], block.start + row
