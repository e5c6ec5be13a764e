"""Mean and spread of a recommender's scores over items, for each user."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    SparseScores,
    SumScores,
    open_recommender,
    score_source,
)
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.compose._targets import score_covariance, user_spreads

MOST_ITEMS = 2000
BLOCK_USERS = 256


def training_scores(part: Any, X: Any, groups: Any) -> ScoreSource:
    """Return scores of training items: all if they are low-rank, otherwise a sample."""
    recommender, _ = open_recommender(part)
    factors = getattr(recommender, "user_factors_", None)
    n_items = count_items(X)
    if hasattr(recommender, "predict_factors") and isinstance(factors, np.ndarray):
        return score_source(part, X, groups)
    chosen = np.arange(n_items)
    if n_items > MOST_ITEMS:
        chosen = np.random.default_rng(0).choice(n_items, MOST_ITEMS, replace=False)
        chosen.sort()
    rows = X.tocsr() if sp.issparse(X) else X
    rows = _safe_indexing(rows, chosen)
    if groups is not None:
        groups = _safe_indexing(groups, chosen)
    if isinstance(recommender, ContentKNNRecommender):
        _, rows = open_recommender(part, rows)
        shares = recommender.predict_factors(rows, groups=groups)
        return _without_themselves(shares, recommender, chosen)
    return score_source(part, rows, groups)


def spread_of(source: ScoreSource) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each user's scores, (n_users,)."""
    if isinstance(source, LowRankScores):
        items, users = source.item_factors, source.user_factors
        return users @ items.mean(axis=0), user_spreads(score_covariance(items), users)
    means, deviations = np.empty((2, source.n_users))
    for start in range(0, source.n_users, BLOCK_USERS):
        users = np.arange(start, min(start + BLOCK_USERS, source.n_users))
        rows = source.rows(users).astype(np.float64)
        means[users], deviations[users] = rows.mean(axis=1), rows.std(axis=1)
    deviations[deviations <= 1e-9 * np.abs(means)] = 0.0
    return means, deviations


def factors_in_short(source: ScoreSource) -> Any:
    """Return the statistics that determine the spread of new users' scores."""
    if isinstance(source, LowRankScores):
        items = source.item_factors
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
        return users @ mean, user_spreads(covariance, users)
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
