"""AUC of all user-item pairs in one pool."""

import threading
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.sources import ScoreSource
from skcoldstart.metrics._ranks import (
    Candidates,
    hidden_positive_error,
    nan_error,
    over_tiles,
)

__all__ = ["pooled_auc"]


def pooled_auc(
    candidates: Candidates,
    source: ScoreSource,
    *,
    tile_users: int | None = None,
    n_jobs: int | None = None,
) -> float:
    """Return the chance that a played pair outscores an unplayed one of any user.

    Scores are read twice: once for those of positives, which become sorted
    thresholds, and once to count all scores between them.
    """
    from skcoldstart._kernels.ranking import count_between

    def select(tile: slice, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nan = np.isnan(rows.min(axis=1))
        if nan.any():
            raise nan_error(candidates.users[tile.start + int(np.argmax(nan))])
        played, user = _scores_of(candidates.positives, tile, rows)
        if np.isneginf(played).any():
            raise hidden_positive_error(candidates.users[user[int(np.argmin(played))]])
        return played, _scores_of(candidates.hidden, tile, rows)[0]

    def count(tile: slice, rows: np.ndarray) -> None:
        if not hasattr(local, "counts"):
            local.counts = _Counts(len(thresholds))
            counts_of_threads.append(local.counts)
        counts = local.counts
        count_between(rows.reshape(-1), thresholds, counts.between, counts.equal)

    def tiles(work: Any) -> Any:
        return over_tiles(work, candidates.users, source, tile_users, n_jobs)

    n_positives = int(candidates.n_positives.sum())
    n_negatives = int(candidates.n_negatives.sum())
    selected = list(tiles(select))
    if not n_positives or not n_negatives:
        return float("nan")
    thresholds, n_at = np.unique(
        np.concatenate([played for played, _ in selected]), return_counts=True
    )
    local, counts_of_threads = threading.local(), [_Counts(len(thresholds))]
    for _ in tiles(count):
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
    pairs: sp.csr_array, tile: slice, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the scores of stored pairs in a tile, and the row each belongs to."""
    indptr = pairs.indptr[tile.start : tile.stop + 1]
    row = np.repeat(np.arange(len(rows)), np.diff(indptr))
    return rows[row, pairs.indices[indptr[0] : indptr[-1]]], tile.start + row
