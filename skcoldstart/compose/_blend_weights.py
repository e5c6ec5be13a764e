"""Weights of a blend, by the ranking of held-out items, and spreads of scores."""

from collections.abc import Callable, Iterator
from itertools import islice, product
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.model_selection import GroupKFold, KFold, check_cv

from skcoldstart._scores.sources import (
    DenseScores,
    LowRankScores,
    ScoreSource,
    SparseScores,
    SumScores,
    open_recommender,
    score_source,
)
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import nan_mean
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart._utils.warning import warn
from skcoldstart.compose._base import score_covariance, take_items, user_spreads
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.metrics import make_recommendation_scorer

MOST_ITEMS = 2000
WIDE = 4000  # factors of an item from which a sample of items is cheaper than moments
BLOCK_USERS = 256


def training_scores(part: Any, X: Any, groups: Any) -> ScoreSource:
    """Return scores of training items: all if their rank is low, otherwise a sample."""
    recommender, _ = open_recommender(part)
    factors = getattr(recommender, "user_factors_", None)
    n_items = count_items(X)
    has_factors = hasattr(recommender, "predict_factors")
    if has_factors and isinstance(factors, np.ndarray) and factors.shape[1] < WIDE:
        return score_source(part, X, groups)
    chosen = np.arange(n_items)
    if n_items > MOST_ITEMS:
        chosen = np.random.default_rng(0).choice(n_items, MOST_ITEMS, replace=False)
        chosen.sort()
    rows = take_items(X, chosen)
    if groups is not None:
        groups = _safe_indexing(groups, chosen)
    if isinstance(recommender, ContentKNNRecommender):
        _, rows = open_recommender(part, rows)
        shares = recommender.predict_factors(rows, groups=groups)
        return _without_themselves(shares, recommender, chosen)
    return score_source(part, rows, groups)


def spread_of(source: ScoreSource) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each user's scores, (n_users,)."""
    if isinstance(source, LowRankScores) and source.item_factors.shape[1] < WIDE:
        return spread_in_short(factors_in_short(source), source.user_factors)
    means, deviations = np.empty((2, source.n_users))
    for start in range(0, source.n_users, BLOCK_USERS):
        users = np.arange(start, min(start + BLOCK_USERS, source.n_users))
        rows = source.rows(users).astype(np.float64)
        means[users], deviations[users] = rows.mean(axis=1), rows.std(axis=1)
    return means, _beyond_rounding(means, deviations, source.dtype)


def _beyond_rounding(
    means: np.ndarray, deviations: np.ndarray, dtype: Any
) -> np.ndarray:
    """Return the deviations of users' scores, 0 where scores differ by rounding."""
    least = 1e-6 if dtype == np.float32 else 1e-9
    return np.where(deviations > least * np.abs(means), deviations, 0.0)


def scales_of(weights: Any, deviations: np.ndarray) -> np.ndarray:
    """Return weights in units of users' deviations; 0 where scores are equal."""
    known = deviations > 0
    return weights * known / np.where(known, deviations, 1.0)


def factors_in_short(source: ScoreSource) -> Any:
    """Return the statistics that determine the spread of new users' scores."""
    if isinstance(source, LowRankScores):
        items = source.item_factors
        if items.shape[1] >= WIDE:
            return items
        return [items.mean(axis=0), score_covariance(items)]
    return _sparse_factors(source)


def _sparse_factors(source: ScoreSource) -> sp.csr_array | None:
    """Return factors of items, as `predict_factors` of their recommender does."""
    if isinstance(source, LowRankScores | SparseScores):
        return sp.csr_array(source.item_factors)
    if not isinstance(source, SumScores):
        return None
    parts = [_sparse_factors(part) for part in source.sources]
    if any(part is None for part in parts):
        return None
    # A blend has a last component for its shifts.
    return sp.csr_array(sp.hstack([*parts, np.ones((source.n_items, 1))]))


def spread_in_short(short: Any, users: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of new users' scores, (n_users,).

    Shapes: `users` (n_users, k).
    """
    if isinstance(short, list):
        mean, covariance = short
        means, deviations = users @ mean, user_spreads(covariance, users)
        return means, _beyond_rounding(means, deviations, mean.dtype)
    if isinstance(short, np.ndarray):
        return spread_of(LowRankScores(short, users))
    return spread_of(SparseScores(short, users))


def _without_themselves(
    shares: sp.csr_array, neighbors: ContentKNNRecommender, items: np.ndarray
) -> SparseScores:
    """Return scores of training items without the plays of the item itself."""
    entries = shares.tocoo()
    others = neighbors.played_items_[entries.col] != items[entries.row]
    kept = sp.csr_array(
        (entries.data[others], (entries.row[others], entries.col[others])),
        shape=shares.shape,
    )
    totals = kept.sum(axis=1)
    scales = sp.diags_array(1 / np.where(totals > 0, totals, 1.0))
    return SparseScores(scales @ kept, neighbors.user_factors_)


class ReadyScores:
    """A recommender that returns the scores of a given source."""

    def __init__(self, source: ScoreSource) -> None:
        self._source = source

    def predict(self, X: Any) -> np.ndarray:
        return self._source.rows(slice(None)).T

    def read_scores(self, X: Any) -> ScoreSource:
        return self._source


def scorer_of(scoring: Any) -> Any:
    """Return a scorer, given one or the name of a metric."""
    return make_recommendation_scorer(scoring) if isinstance(scoring, str) else scoring


def score_of(scorer: Any, scores: ReadyScores, X: Any, y: Any) -> float:
    """Return the number by which a scorer rates given scores."""
    score = scorer(scores, X, y)
    if isinstance(score, dict):
        raise TypeError(
            f"scoring returns several numbers, {', '.join(score)}; expected one, such "
            "as of scoring='map@500'."
        )
    return float(score)


GRID = (0.0, 0.3, 1.0)
N_FOLDS = 5
MANY_ITEMS = 5000  # above this, one of the folds is enough
MOST_CANDIDATES = 80  # of a full grid; beyond, one weight after the other
MOST_SCORES = 4_000_000  # of a recommender held at a time, over users and items

Fit = Callable[[np.ndarray, Any, sp.csr_array], list[Any]]


def choose_weights(
    fit: Fit, X: Any, plays: sp.csr_array, groups: Any, *, cv: Any, scoring: Any
) -> tuple[dict[str, np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """Return results of candidates, and spreads of recommenders on held-out items.

    Shapes: `plays` (n_items, n_users), `groups` (n_items,).
    """
    scorer = scorer_of(scoring)  # before all fits
    n_items, n_held_out = count_items(X), None
    if cv is None:
        n_units = n_items if groups is None else len(set(np.asarray(groups).tolist()))
        if n_units == 1:
            raise ValueError(
                "weights='cv' holds items out, or whole groups if there are any, but "
                "there is only one; pass more, or weights=None."
            )
        cv, n_held_out = min(N_FOLDS, n_units), 1 if n_items > MANY_ITEMS else None
    folds, spreads = [], []
    for train, test in islice(splits_of(cv, n_items, groups), n_held_out):
        parts = fit(train, take_items(X, train), plays[train])
        held_out = take_items(X, test)
        of_test = None if groups is None else _safe_indexing(groups, test)
        sources = [score_source(part, held_out, of_test) for part in parts]
        spreads.append([spread_of(source) for source in sources])
        folds.append(_HeldOut(sources, spreads[-1], plays[test]))
    tried: dict[tuple[float, ...], list[float]] = {}

    def score(weights: tuple[float, ...]) -> float:
        if weights not in tried:
            tried[weights] = [
                score_of(scorer, fold.blended(weights), fold.X, fold.y)
                for fold in folds
            ]
        return float(nan_mean(tried[weights]))

    _search(score, len(spreads[0]))
    results = {"weights": np.array(list(tried))}
    # A fold whose held-out items have no plays rates no candidate.
    results |= results_of(np.array(list(tried.values())).T, nan_mean)
    if np.isnan(results["mean_test_score"]).all():
        warn(
            "The weights of the blend are equal, because scoring is NaN for all "
            "held-out items: none of them was played. Pass more items, fewer folds, or "
            "weights."
        )
    return results, [_pooled(of_part) for of_part in zip(*spreads, strict=True)]


def results_of(scores: np.ndarray, mean: Callable[..., Any]) -> dict[str, np.ndarray]:
    """Return scores of shape (n_folds, n_candidates) as in ``cv_results_``."""
    results = {f"split{k}_test_score": of_fold for k, of_fold in enumerate(scores)}
    results["mean_test_score"] = means = mean(scores, axis=0)
    results["std_test_score"] = mean((scores - means) ** 2, axis=0) ** 0.5
    worst_if_undefined = np.nan_to_num(-means, nan=np.inf)
    results["rank_test_score"] = rankdata(worst_if_undefined, "min").astype(np.int32)
    return results


def splits_of(cv: Any, n_items: int, groups: Any) -> Iterator[tuple[Any, Any]]:
    """Split items; an int is a number of shuffled folds of items, or whole groups."""
    if isinstance(cv, Integral):
        folds = KFold if groups is None else GroupKFold
        cv = folds(int(cv), shuffle=True, random_state=0)
    return check_cv(cv).split(np.empty((n_items, 0)), None, groups)


def _search(score: Callable[[tuple[float, ...]], float], n_parts: int) -> None:
    """Score all candidates of a small grid, or optimize one weight at a time."""
    equal = (1.0,) * n_parts
    score(equal)  # the first of equal candidates is chosen
    if len(GRID) ** n_parts <= MOST_CANDIDATES + 1:
        for weights in product(GRID, repeat=n_parts):
            if max(weights) == 1.0:  # other candidates rank like one of these
                score(weights)
        return
    alone = [tuple(row) for row in np.eye(n_parts).tolist()]
    for best in (equal, max(alone, key=score)):
        value, before = score(best), -np.inf
        while value > before:
            before = value
            for part, weight in product(range(n_parts), GRID):
                weights = (*best[:part], weight, *best[part + 1 :])
                if any(weights) and score(weights) > value:
                    best, value = weights, score(weights)


def _pooled(spreads: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of users' scores over the held-out items of folds."""
    means, deviations = (np.stack(values) for values in zip(*spreads, strict=True))
    return means.mean(axis=0), np.sqrt((deviations**2).mean(axis=0))


class _HeldOut:
    """Standardized scores of the recommenders for held-out items and some users."""

    def __init__(
        self,
        sources: list[ScoreSource],
        spreads: list[tuple[np.ndarray, np.ndarray]],
        plays: sp.csr_array,
    ) -> None:
        users = np.flatnonzero(np.bincount(plays.indices, minlength=plays.shape[1]))
        if not len(users):
            users = np.arange(1)  # whose metric is undefined
        n_most = max(1, MOST_SCORES // max(1, plays.shape[0]))
        if len(users) > n_most:
            users = np.random.default_rng(0).choice(users, n_most, replace=False)
            users.sort()
        self.X = np.empty((plays.shape[0], 0))
        self.y = plays[:, users]
        self._tables = []
        for source, (_, deviations) in zip(sources, spreads, strict=True):
            scales = scales_of(1.0, deviations[users])[:, np.newaxis]
            table = source.rows(users).astype(np.float32)
            self._tables.append(table * scales.astype(np.float32))

    def blended(self, weights: tuple[float, ...]) -> ReadyScores:
        """Return a recommender of these items with weighted sums of scores."""
        total = np.zeros_like(self._tables[0])
        for weight, table in zip(weights, self._tables, strict=True):
            if weight:
                total += np.float32(weight) * table
        return ReadyScores(DenseScores(total.T))
