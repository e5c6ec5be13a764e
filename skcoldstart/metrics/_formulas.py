"""Metrics as formulas of ranks, their names, and the AUC of all pairs."""

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import UndefinedMetricWarning

from skcoldstart._scores.sources import ScoreSource, nan_error
from skcoldstart._utils.missing import nan_mean, ratio
from skcoldstart._utils.warning import warn
from skcoldstart.metrics._lists import coverage, mean_information, popularity_lift
from skcoldstart.metrics._ranks import (
    PositiveRanks,
    RankingTask,
    hidden_positive_error,
    over_blocks,
    rank_positives,
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
            local.counts = no_counts.copy()
            counts_of_threads.append(local.counts)
        count_between(rows.reshape(-1), thresholds, *local.counts)

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
    # Scores strictly between thresholds, and equal to one.
    no_counts = np.zeros((2, len(thresholds) + 1), np.int64)
    local, counts_of_threads = threading.local(), [no_counts]
    for _ in blocks(count):
        pass
    hidden = no_counts.copy()
    for _, scores in selected:
        count_between(scores, thresholds, *hidden)

    between, equal = (sum(counts_of_threads) - hidden)[:, :-1]
    equal -= n_at
    below = np.cumsum(between) + np.cumsum(equal) - equal
    wins = float(n_at @ (below + 0.5 * equal))
    return wins / (float(n_positives) * float(n_negatives))


def _scores_of(
    pairs: sp.csr_array, block: slice, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the scores of stored pairs in a block, and the row each belongs to."""
    row, item = pairs[block].nonzero()
    return rows[row, item], block.start + row


def _ndcg(ranks: PositiveRanks, k: float) -> np.ndarray:
    n_best = np.minimum(ranks.n_positives, k).astype(np.int64)
    discounts = 1.0 / np.log2(np.arange(2, 2 + n_best.max(initial=0)))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    gain = ranks.sum_to(k, 1.0 / np.log2(1.0 + ranks.ranks))
    return ratio(gain, ideal[n_best])


def _precision(ranks: PositiveRanks, k: float) -> np.ndarray:
    n_listed = ranks.n_positives + ranks.n_negatives if k == np.inf else k
    return ranks.sum_to(k) / n_listed


def _auc(ranks: PositiveRanks, k: float) -> np.ndarray:
    # Twice the wins is an integer, so only this division rounds.
    n_pairs = ranks.n_positives * ranks.n_negatives
    best = ranks.n_positives * (ranks.n_positives + 1)
    return ratio(2 * n_pairs + best - ranks.midrank_sums, 2 * n_pairs)


# Metrics of one user's ranks, and of the lists of all users.
_FORMULAS: dict[str, Callable[[PositiveRanks, float], np.ndarray]] = {
    "auc": _auc,
    "capped_recall": lambda ranks, k: ratio(
        ranks.sum_to(k), np.minimum(ranks.n_positives, k)
    ),
    "hit_rate": lambda ranks, k: ranks.sum_to(k, ranks.places == 1),
    "map": lambda ranks, k: ratio(
        ranks.sum_to(k, ranks.places / ranks.ranks), np.minimum(ranks.n_positives, k)
    ),
    "mrr": lambda ranks, k: ranks.sum_to(k, (ranks.places == 1) / ranks.ranks),
    "ndcg": _ndcg,
    "precision": _precision,
    "recall": lambda ranks, k: ratio(ranks.sum_to(k), ranks.n_positives),
}
_LIST_FORMULAS: dict[str, Callable[[np.ndarray, RankingTask], float]] = {
    "coverage": lambda lists, task: coverage(lists, n_items=task.n_items),
    "novelty": lambda lists, task: mean_information(
        lists, task.popularity, task.n_users
    ),
    "popularity_bias": lambda lists, task: popularity_lift(
        lists, task.positives, task.popularity
    ),
}
METRIC_NAMES = sorted([*_FORMULAS, *_LIST_FORMULAS])
DEFAULT_K = dict.fromkeys(METRIC_NAMES, 10) | {"map": 500, "mrr": None, "auc": None}


@dataclass(frozen=True)
class Metric:
    """A ranking metric and its cutoff."""

    name: str
    k: int | None

    @classmethod
    def parse(cls, text: str) -> "Metric":
        """Read a name such as ``"map@500"``."""
        match = re.fullmatch(r"(\w+)(?:@([1-9]\d*|all))?", str(text))
        if match is None or match[1] not in METRIC_NAMES:
            raise ValueError(
                f"Unknown metric {text!r}; expected one of {METRIC_NAMES}, with "
                "a cutoff as in 'map@500' or 'recall@all'."
            )
        name, cutoff = match.groups()
        if name == "auc" and cutoff is not None:
            raise ValueError(f"{text!r}: auc takes no cutoff; pass 'auc'.")
        if name in _LIST_FORMULAS and cutoff == "all":
            raise ValueError(f"{text!r}: {name} needs a list length; pass '{name}@10'.")
        if cutoff is None:
            return cls(name, DEFAULT_K[name])
        return cls(name, None if cutoff == "all" else int(cutoff))

    def __str__(self) -> str:
        if self.name == "auc":
            return self.name
        return f"{self.name}@{'all' if self.k is None else self.k}"


def parse_metrics(
    metrics: str | Iterable[str] | Mapping[str, str],
) -> dict[str, Metric]:
    """Read metric names; their keys are these names, and ``map`` for the paper's mAP.

    A key does not depend on the other names.
    """
    if isinstance(metrics, Mapping):
        parsed = {key: Metric.parse(text) for key, text in metrics.items()}
    else:
        parsed = {}
        for text in [metrics] if isinstance(metrics, str) else metrics:
            metric = Metric.parse(text)
            if metric not in parsed.values():
                parsed["map" if text == "map@500" else str(text)] = metric
    if not parsed:
        raise ValueError("metrics is empty; pass at least one, such as 'map@500'.")
    return parsed


def check_per_user(metrics: dict[str, Metric], average: str = "user") -> None:
    """Reject metrics without a value per user."""
    of_lists = [str(m) for m in metrics.values() if m.name in _LIST_FORMULAS]
    if of_lists:
        raise ValueError(
            f"{', '.join(of_lists)} describes the lists of all users and has no value "
            "per user; leave it out."
        )
    if average == "pooled":
        raise ValueError(
            "average='pooled': pooled AUC has no value per user. Use average='user'."
        )


def evaluate(
    metrics: dict[str, Metric],
    task: RankingTask,
    source: ScoreSource,
    *,
    average: str = "user",
    per_user: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Compute several metrics from one ranking, as means or for each user.

    Shapes: -> (n_selected_users,) with `per_user`.
    """
    if per_user:
        check_per_user(metrics, average)
    found: dict[str, Any] = {}
    lengths = [m.k or 0 for m in metrics.values() if m.name in _LIST_FORMULAS]
    ranks = None
    for key, metric in metrics.items():
        if metric.name == "auc" and average == "pooled":
            found[key] = pooled_auc(task, source, **options)
            continue
        if ranks is None:
            ranks = rank_positives(
                task, source, n_listed=max(lengths, default=0), **options
            )
        if metric.name in _LIST_FORMULAS:
            lists = ranks.lists[:, : metric.k]
            found[key] = _LIST_FORMULAS[metric.name](lists, task)
        else:
            k = np.inf if metric.k is None else metric.k
            found[key] = _FORMULAS[metric.name](ranks, k)
    if per_user:
        return found
    means = {key: float(nan_mean(values)) for key, values in found.items()}
    undefined = [key for key, mean in means.items() if np.isnan(mean)]
    if undefined:
        with_auc = any(metrics[key].name == "auc" for key in undefined)
        warn(
            f"{', '.join(undefined)}: no user has what the metric needs (a played item"
            f"{', and for auc an unplayed one' if with_auc else ''}); the mean is NaN.",
            UndefinedMetricWarning,
        )
    return means
