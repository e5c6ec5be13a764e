"""Dense factors whose products approximate the scores of any recommender."""

from typing import Any

import numpy as np
import scipy.linalg
from sklearn.utils import check_random_state, gen_batches

from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    SparseScores,
    SumScores,
)
from skcoldstart._scores.top_n import top_n_per_user

N_SPARE, N_ROUNDS = 10, 4  # additional random directions, power iterations
BLOCK_USERS, MEASURED_USERS, TOP = 256, 1000, 10


def compress_scores(
    source: ScoreSource, n_components: int, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return float32 factors of items and users, and how well they rank.

    A randomized singular value decomposition of the scores, with users scaled to equal
    spread, because each has a list. Products with factors are computed without scores;
    others are read in blocks of users. Shapes: (n_items, k), (n_users, k).
    """
    rng = check_random_state(random_state)
    most = min(source.n_items, source.n_users)
    directions = rng.normal(size=(source.n_items, min(n_components + N_SPARE, most)))
    products = _times(source, np.column_stack([directions, np.ones(source.n_items)]))
    means = products[:, -1:] / source.n_items
    products = products[:, :-1]
    # Products with random directions show the spread of a user's scores.
    spreads = np.linalg.norm(products - means * directions.sum(axis=0), axis=1)
    spreads = np.maximum(spreads, 1e-3 * np.linalg.norm(products, axis=1))
    scales = np.where(spreads > 0, spreads, 1.0)[:, np.newaxis]
    for _ in range(N_ROUNDS):
        users = _orthonormal(products / scales)
        items = _orthonormal(_transposed_times(source, users / scales))
        products = _times(source, items)
    triangle = scipy.linalg.qr(products / scales, mode="r")[0][: products.shape[1]]
    _, sizes, axes = scipy.linalg.svd(triangle, full_matrices=False)
    axes = axes[:n_components][sizes[:n_components] > sizes[0] * 1e-12]
    if not len(axes):  # all scores are 0
        axes = np.eye(1, items.shape[1])
    item_factors = (items @ axes.T).astype(np.float32)
    user_factors = (products @ axes.T).astype(np.float32)
    quality = _quality(source, LowRankScores(item_factors, user_factors), rng)
    return item_factors, user_factors, quality


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    return scipy.linalg.qr(columns, mode="economic", overwrite_a=True)[0]


def _times(source: ScoreSource, items: np.ndarray) -> np.ndarray:
    """Return the product of scores and columns over items, (n_users, n_columns)."""
    if isinstance(source, LowRankScores | SparseScores):
        return source.user_factors @ (source.item_factors.T @ items)
    total = np.zeros((source.n_users, items.shape[1]))
    if isinstance(source, SumScores):
        if source.shifts is not None:
            total += np.outer(source.shifts, items.sum(axis=0))
        for number, part in enumerate(source.sources):
            total += source.scale_of(number) * _times(part, items)
        return total
    for block in gen_batches(source.n_users, BLOCK_USERS):
        total[block] = source.rows(block) @ items
    return total


def _transposed_times(source: ScoreSource, users: np.ndarray) -> np.ndarray:
    """Return the product of scores and columns over users, (n_items, n_columns)."""
    if isinstance(source, LowRankScores | SparseScores):
        return source.item_factors @ (source.user_factors.T @ users)
    total = np.zeros((source.n_items, users.shape[1]))
    if isinstance(source, SumScores):
        if source.shifts is not None:
            total += source.shifts @ users
        for number, part in enumerate(source.sources):
            total += _transposed_times(part, source.scale_of(number) * users)
        return total
    for block in gen_batches(source.n_users, BLOCK_USERS):
        total += source.rows(block).T @ users[block]
    return total


def _quality(
    source: ScoreSource, found: LowRankScores, rng: np.random.RandomState
) -> dict[str, Any]:
    """Compare approximate scores and lists of some users with the exact ones."""
    n_users = min(MEASURED_USERS, source.n_users)
    users = np.sort(rng.choice(source.n_users, n_users, replace=False))
    shares = []
    for block in gen_batches(n_users, BLOCK_USERS):
        rows = source.rows(users[block]).astype(np.float64)
        errors = np.linalg.norm(found.rows(users[block]) - rows, axis=1)
        spreads = np.linalg.norm(rows - rows.mean(axis=1, keepdims=True), axis=1)
        varying = spreads > 1e-9 * np.linalg.norm(rows, axis=1)
        shares.append(errors[varying] / spreads[varying])
    errors = np.concatenate(shares)
    n = min(TOP, source.n_items)
    exact, _ = top_n_per_user(source, n, users=users)
    lists, _ = top_n_per_user(found, n, users=users)
    pairs = zip(exact, lists, strict=True)
    kept = np.mean([np.intersect1d(a, b).size for a, b in pairs]) / n
    return {
        "relative_error": float(np.sqrt(np.mean(errors**2))) if errors.size else 0.0,
        "top_10_kept": float(kept),
        "n_users_measured": n_users,
    }
