"""Every metric as a formula of ranks, and the names they are asked for by."""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skcoldstart._utils.scores import ScoreSource
from skcoldstart.metrics._pooled import pooled_auc
from skcoldstart.metrics._ranks import (
    TILE_USERS,
    Candidates,
    PositiveRanks,
    rank_positives,
)

__all__ = ["Metric", "evaluate", "parse_metrics"]


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


_FORMULAS: dict[str, Callable[[PositiveRanks, int | None], np.ndarray]] = {
    "auc": _auc,
    "hit_rate": _hit_rate,
    "map": _average_precision,
    "mrr": _mrr,
    "ndcg": _ndcg,
    "precision": _precision,
    "recall": _recall,
}
DEFAULT_K = {"map": 500, "ndcg": 10, "recall": 10, "precision": 10, "hit_rate": 10}


@dataclass(frozen=True)
class Metric:
    """A ranking metric and its cutoff.

    Parameters
    ----------
    name : str
        Key of the formula.
    k : int or None
        Ranks that count; ``None`` means all.
    """

    name: str
    k: int | None

    @classmethod
    def parse(cls, text: str) -> "Metric":
        """Read a name such as ``"map@500"``.

        Parameters
        ----------
        text : str
            ``name``, ``name@k`` or ``name@all``.

        Returns
        -------
        Metric
            With its default cutoff where none is given.

        Raises
        ------
        ValueError
            If there is no such metric, or it takes no such cutoff.
        """
        match = re.fullmatch(r"(\w+)(?:@([1-9]\d*|all))?", str(text))
        if match is None or match[1] not in _FORMULAS:
            raise ValueError(
                f"Unknown metric {text!r}; expected one of {sorted(_FORMULAS)}, with "
                "a cutoff as in 'map@500' or 'recall@all'."
            )
        name, cutoff = match.groups()
        if name == "auc" and cutoff is not None:
            raise ValueError(f"{text!r}: auc takes no cutoff; ask for 'auc'.")
        if cutoff is None:
            return cls(name, DEFAULT_K.get(name))
        return cls(name, None if cutoff == "all" else int(cutoff))

    def __str__(self) -> str:
        if self.name == "auc":
            return self.name
        return f"{self.name}@{'all' if self.k is None else self.k}"

    def per_user(self, ranks: PositiveRanks) -> np.ndarray:
        """Compute the metric of each user.

        Parameters
        ----------
        ranks : PositiveRanks
            Ranks of each user's positives.

        Returns
        -------
        float64 ndarray of shape (n_users,)
            NaN where the metric is undefined.
        """
        return _FORMULAS[self.name](ranks, self.k)


def parse_metrics(metrics: str | Iterable[str]) -> dict[str, Metric]:
    """Read metric names and give each a key.

    Parameters
    ----------
    metrics : str or iterable of str
        One name or several.

    Returns
    -------
    dict of str to Metric
        The key is the name alone where one cutoff of it is asked for, else the name
        with its cutoff.

    Raises
    ------
    ValueError
        If there are none, or one is unknown.
    """
    texts = [metrics] if isinstance(metrics, str) else list(metrics)
    parsed = list(dict.fromkeys(Metric.parse(text) for text in texts))
    if not parsed:
        raise ValueError("metrics is empty; name at least one, such as 'map@500'.")
    names = [metric.name for metric in parsed]
    return {m.name if names.count(m.name) == 1 else str(m): m for m in parsed}


def evaluate(
    metrics: dict[str, Metric],
    candidates: Candidates,
    source: ScoreSource,
    *,
    average: str = "user",
    tile_users: int = TILE_USERS,
    n_jobs: int | None = None,
    stacklevel: int = 2,
) -> dict[str, float]:
    """Compute means over users of several metrics from one ranking.

    Parameters
    ----------
    metrics : dict of str to Metric
        What to compute, under which key.
    candidates : Candidates
        Positives and hidden items of each user.
    source : ScoreSource
        Scores of all items for some users.
    average : {"user", "pooled"}, default="user"
        How AUC is averaged.
    tile_users : int, default=256
        Users scored at a time in each thread.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.
    stacklevel : int, default=2
        Where a warning points.

    Returns
    -------
    dict of str to float
        NaN, with one warning for all, where no user could be scored.
    """
    pooled = {k for k, m in metrics.items() if m.name == "auc" and average == "pooled"}
    values = {}
    if len(pooled) < len(metrics):
        ranks = rank_positives(candidates, source, tile_users=tile_users, n_jobs=n_jobs)
    for key, metric in metrics.items():
        if key in pooled:
            values[key] = pooled_auc(
                candidates, source, tile_users=tile_users, n_jobs=n_jobs
            )
        else:
            per_user = metric.per_user(ranks)
            scored = per_user[~np.isnan(per_user)]
            values[key] = float(scored.mean()) if len(scored) else float("nan")
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
