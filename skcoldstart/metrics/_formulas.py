"""Every metric as a formula of ranks, and the names they are asked for by."""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skcoldstart._scores.sources import ScoreSource
from skcoldstart.metrics._lists import coverage, mean_information, popularity_lift
from skcoldstart.metrics._pooled import pooled_auc
from skcoldstart.metrics._ranks import (
    Candidates,
    PositiveRanks,
    rank_positives,
)

__all__ = [
    "METRIC_NAMES",
    "Metric",
    "check_per_user",
    "evaluate",
    "evaluate_each",
    "parse_metrics",
]


def _within(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    return np.ones(len(ranks.ranks), bool) if k is None else ranks.ranks <= k


def _at_most(counts: np.ndarray, k: int | None) -> np.ndarray:
    return counts if k is None else np.minimum(counts, k)


def _average_precision(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    precision = np.where(_within(ranks, k), ranks.places / ranks.ranks, 0.0)
    return _ratio(ranks.sum_by_user(precision), _at_most(ranks.n_positives, k))


def _ndcg(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    gain = np.where(_within(ranks, k), 1.0 / np.log2(1.0 + ranks.ranks), 0.0)
    n_best = _at_most(ranks.n_positives, k)
    discounts = 1.0 / np.log2(np.arange(2, 2 + n_best.max(initial=0)))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])
    return _ratio(ranks.sum_by_user(gain), ideal[n_best])


def _recall(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    return _ratio(ranks.sum_by_user(_within(ranks, k)), ranks.n_positives)


def _capped_recall(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    n_found = ranks.sum_by_user(_within(ranks, k))
    return _ratio(n_found, _at_most(ranks.n_positives, k))


def _precision(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    n_recommended = ranks.n_positives + ranks.n_negatives if k is None else k
    return ranks.sum_by_user(_within(ranks, k)) / n_recommended


def _hit_rate(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    return ranks.sum_by_user(_within(ranks, k) & (ranks.places == 1))


def _mrr(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    first = _within(ranks, k) & (ranks.places == 1)
    return ranks.sum_by_user(np.where(first, 1.0 / ranks.ranks, 0.0))


def _auc(ranks: PositiveRanks, k: int | None) -> np.ndarray:
    # Twice the wins is a whole number, so that only this division rounds.
    n_pairs = ranks.n_positives * ranks.n_negatives
    best = ranks.n_positives * (ranks.n_positives + 1)
    return _ratio(2 * n_pairs + best - ranks.midrank_sums, 2 * n_pairs)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    undefined = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def _coverage(lists: np.ndarray, candidates: Candidates) -> float:
    return coverage(lists, n_items=candidates.n_items)


def _novelty(lists: np.ndarray, candidates: Candidates) -> float:
    return mean_information(lists, candidates.popularity, candidates.n_users)


def _popularity_bias(lists: np.ndarray, candidates: Candidates) -> float:
    return popularity_lift(lists, candidates.positives, candidates.popularity)


# Of one user's ranks.
_FORMULAS: dict[str, Callable[[PositiveRanks, int | None], np.ndarray]] = {
    "auc": _auc,
    "capped_recall": _capped_recall,
    "hit_rate": _hit_rate,
    "map": _average_precision,
    "mrr": _mrr,
    "ndcg": _ndcg,
    "precision": _precision,
    "recall": _recall,
}
# Of the lists of all users.
_LIST_FORMULAS: dict[str, Callable[[np.ndarray, Candidates], float]] = {
    "coverage": _coverage,
    "novelty": _novelty,
    "popularity_bias": _popularity_bias,
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
            raise ValueError(f"{text!r}: auc takes no cutoff; ask for 'auc'.")
        if name in _LIST_FORMULAS and cutoff == "all":
            raise ValueError(
                f"{text!r}: {name} describes lists of a length; ask for '{name}@10'."
            )
        if cutoff is None:
            return cls(name, DEFAULT_K[name])
        return cls(name, None if cutoff == "all" else int(cutoff))

    def __str__(self) -> str:
        if self.name == "auc":
            return self.name
        return f"{self.name}@{'all' if self.k is None else self.k}"

    @property
    def of_lists(self) -> bool:
        """Whether it describes the lists of all users and has no value for one."""
        return self.name in _LIST_FORMULAS

    def of_all(self, lists: np.ndarray, candidates: Candidates) -> float:
        """Compute a metric that describes the lists of all users.

        Shapes: `lists` (n_users, n_listed).
        """
        return _LIST_FORMULAS[self.name](lists[:, : self.k], candidates)

    def per_user(self, ranks: PositiveRanks) -> np.ndarray:
        """Compute the metric of each user.

        Shapes: -> (n_users,).
        """
        return _FORMULAS[self.name](ranks, self.k)


def parse_metrics(
    metrics: str | Iterable[str] | Mapping[str, str],
) -> dict[str, Metric]:
    """Read metric names and give each a key."""
    if isinstance(metrics, Mapping) and metrics:
        return {key: Metric.parse(text) for key, text in metrics.items()}
    texts = [metrics] if isinstance(metrics, str) else list(metrics)
    parsed = list(dict.fromkeys(Metric.parse(text) for text in texts))
    if not parsed:
        raise ValueError("metrics is empty; name at least one, such as 'map@500'.")
    names = [metric.name for metric in parsed]
    return {m.name if names.count(m.name) == 1 else str(m): m for m in parsed}


def check_per_user(metrics: dict[str, Metric], average: str = "user") -> None:
    """Refuse metrics that have no value for one user."""
    of_lists = [str(metric) for metric in metrics.values() if metric.of_lists]
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
    candidates: Candidates,
    source: ScoreSource,
    *,
    average: str = "user",
    tile_users: int | None = None,
    n_jobs: int | None = None,
    stacklevel: int = 2,
) -> dict[str, float]:
    """Compute means over users of several metrics from one ranking."""
    pooled = {k for k, m in metrics.items() if m.name == "auc" and average == "pooled"}
    rest = {key: metric for key, metric in metrics.items() if key not in pooled}
    options: dict[str, Any] = {"tile_users": tile_users, "n_jobs": n_jobs}
    found = evaluate_each(rest, candidates, source, **options) if rest else {}
    for key in pooled:
        found[key] = pooled_auc(candidates, source, **options)
    values = {key: _mean_of_scored(found[key]) for key in metrics}
    undefined = [key for key, value in values.items() if np.isnan(value)]
    if undefined:
        warnings.warn(
            f"{', '.join(undefined)}: no user has what the metric needs (a played item"
            f"{', and for auc an unplayed one' if 'auc' in undefined else ''}); the "
            "mean is NaN.",
            UndefinedMetricWarning,
            stacklevel=stacklevel + 1,
        )
    return values


def evaluate_each(
    metrics: dict[str, Metric],
    candidates: Candidates,
    source: ScoreSource,
    *,
    tile_users: int | None = None,
    n_jobs: int | None = None,
) -> dict[str, Any]:
    """Compute several metrics of each user from one ranking.

    Shapes: -> (n_selected_users,).
    """
    n_listed = max([m.k or 0 for m in metrics.values() if m.of_lists], default=0)
    ranks = rank_positives(
        candidates, source, n_listed=n_listed, tile_users=tile_users, n_jobs=n_jobs
    )
    return {
        key: metric.of_all(ranks.lists, candidates)
        if metric.of_lists
        else metric.per_user(ranks)
        for key, metric in metrics.items()
    }


def _mean_of_scored(values: np.ndarray | float) -> float:
    scored = np.atleast_1d(values)
    scored = scored[~np.isnan(scored)]
    return float(scored.mean()) if len(scored) else float("nan")
