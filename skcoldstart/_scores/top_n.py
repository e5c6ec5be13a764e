"""The best items of each user, in blocks of users, and items with similar users."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import gen_batches

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import LowRankScores, ScoreSource, nan_error
from skcoldstart._scores.user_names import users_by_name
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.threads import worker_threads

BLOCK_USERS, BLOCK_BYTES = 256, 1 << 28
BLOCKS_A_ROUND = 64  # between two moves of the progress bar
BLOCK_ROWS = 4096  # of a product of user factors


def top_n_per_user(
    source: ScoreSource,
    n: int,
    *,
    users: Any = None,
    exclude: Any = None,
    groups: tuple[np.ndarray, int] | None = None,
    n_jobs: int | None = None,
    verbose: int | bool = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best items of each user, with their scores.

    Shapes: `exclude` (n_items, n_users) -> `items` (n_selected_users, n), `scores`
    (n_selected_users, n).

    Scores are read for 256 users at a time, or for as many as fit into 256 MiB, so each
    thread holds one block. Blocks and results do not depend on the number of threads.
    `groups` holds the group of each item, as numbers from 0, and the most items of a
    group in a list. Short lists end with -1 and scores of -inf.
    """
    if not isinstance(n, Real) or n != int(n) or n < 1:
        raise ValueError(f"n={n!r}; expected an integer of at least 1.")
    users = check_users(users, source.n_users)
    indptr, indices = _excluded(exclude, source)
    items = np.empty((len(users), int(n)), np.int64)
    scores: list[np.ndarray] = []
    if groups is not None:
        order = np.argsort(groups[0], kind="stable")
        starts = np.searchsorted(groups[0][order], np.arange(groups[0].max() + 2))

    def select(part: slice) -> np.ndarray:
        from skcoldstart._kernels.ranking import keep_best_of_groups, select_top_n

        block, chosen = users[part], items[part]
        rows = source.rows(block)
        dtype = np.float32 if rows.dtype == np.float32 else np.float64
        rows = np.ascontiguousarray(rows, dtype)
        best = np.empty((len(block), items.shape[1]), rows.dtype)
        if groups is not None and not np.isnan(rows.min()):
            for row, user in zip(rows, block, strict=True):
                row[indices[indptr[user] : indptr[user + 1]]] = -np.inf
            keep_best_of_groups(rows, order, starts, groups[1])
        bad = select_top_n(rows, indptr, indices, block, chosen, best)
        if bad >= 0:
            raise nan_error(block[bad])
        if groups is not None:
            chosen[best == -np.inf] = -1
        return best

    size = max(1, min(BLOCK_USERS, BLOCK_BYTES // (8 * max(1, source.n_items))))
    blocks = list(gen_batches(max(len(users), 1), size))
    with (
        worker_threads(n_jobs) as run,
        progress_bar(
            description="Ranking", verbose=verbose, total=len(users), unit="user"
        ) as bar,
    ):
        for first in range(0, len(blocks), BLOCKS_A_ROUND):
            found = run(select, blocks[first : first + BLOCKS_A_ROUND])
            scores += found
            bar.update(sum(map(len, found)))
    return items, np.concatenate(scores)


def check_indices(
    indices: Any, size: int, *, name: str, of: str | None = None
) -> np.ndarray:
    """Return indices of users, items or others as int64, (n_selected,)."""
    of = of or name
    if indices is None:
        return np.arange(size)
    given, indices = indices, np.asarray(indices)
    if indices.ndim != 1:
        many = isinstance(given, Iterable) and not isinstance(given, str)
        remedy = f"list({name})" if many else f"[{name[:-1]}] for one of them"
        raise ValueError(
            f"{name} has shape {indices.shape}; expected a 1-D array of indices, or a "
            f"mask. Pass {remedy}."
        )
    if indices.dtype == bool:
        if len(indices) != size:
            raise ValueError(
                f"{name} is a mask of length {len(indices)} but there are {size} "
                f"{of}; expected one entry for each."
            )
        return np.flatnonzero(indices)
    if indices.size and indices.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has dtype {indices.dtype}; expected integer indices or a mask."
        )
    indices = indices.astype(np.int64)
    outside = (indices < 0) | (indices >= size)
    if outside.any():
        raise ValueError(
            f"{name} holds {indices[outside][0]} but there are {size} {of}; expected "
            f"indices from 0 to {size - 1}."
        )
    return indices


def check_users(users: Any, n_users: int, recommender: Any = None) -> np.ndarray:
    """Return user indices as int64, of names if the recommender has some."""
    if recommender is not None:
        users = users_by_name(users, getattr(recommender, "user_names_in_", None))
    return check_indices(users, n_users, name="users")


def _excluded(exclude: Any, source: ScoreSource) -> tuple[np.ndarray, np.ndarray]:
    """Return where the excluded items of each user start, and these items."""
    pairs = sp.csc_array((source.n_items, source.n_users))
    if exclude is not None:
        given = check_play_counts(exclude, input_name="exclude")
        check_shape_of_exclude(given, pairs.shape)
        pairs = sp.csc_array(given)
        pairs.sort_indices()
    return pairs.indptr.astype(np.int64), pairs.indices.astype(np.int32)


def check_shape_of_exclude(pairs: Any, shape: tuple[int, int]) -> None:
    """Reject excluded pairs of another shape than (n_items, n_users)."""
    if pairs.shape != shape:
        hint = " Did you pass users as rows (exclude.T)?"
        raise ValueError(
            f"exclude has shape {pairs.shape}; expected (n_items, n_users) = {shape}, "
            "a list of pairs (user, item), or a frame with user_id and item_id."
            f"{hint if pairs.shape == shape[::-1] else ''}"
        )


def usage_coordinates(item_factors: np.ndarray, user_factors: np.ndarray) -> np.ndarray:
    """Return coordinates whose products are products of predicted usage patterns.

    Shapes: `item_factors` (n_items, k), `user_factors` (n_users, k) -> (n_items, k).

    Item i is predicted to be used by the users as ``U y_i``. With ``R R' = U'U``, ``(U
    y_i)'(U y_j) = (R'y_i)'(R'y_j)``, so lengths, distances and cosines of patterns over
    all users equal those of the k coordinates.
    """
    return item_factors @ gram_root(user_factors).astype(item_factors.dtype)


def gram_root(factors: np.ndarray) -> np.ndarray:
    """Return R with ``R R' = F'F``: `factors` (n_rows, k) -> (k, k), float64."""
    # Eigenvectors also work for singular Gram matrices: unused factors, few users.
    spectrum, vectors = np.linalg.eigh(gram_matrix(factors))
    return vectors * np.sqrt(np.maximum(spectrum, 0.0))


def gram_matrix(factors: np.ndarray) -> np.ndarray:
    """Return ``F'F`` from blocks of rows: `factors` (n_rows, k) -> (k, k), float64."""
    gram = np.zeros((factors.shape[1],) * 2)
    for block in gen_batches(len(factors), BLOCK_ROWS):
        rows = factors[block].astype(np.float64)
        gram += rows.T @ rows
    return gram


def unit_rows(points: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; rows of zeros are unchanged.

    Shapes: `points` (n_items, k) -> (n_items, k).
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1)


def similar_rows(
    points: np.ndarray,
    n: int,
    *,
    among: np.ndarray | None = None,
    queries: Any = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with the largest cosines to some points.

    Shapes: `points` (n_items, k), `among` (n_others, k), `queries` (n_queries,) ->
    `rows` (n_queries, n), `cosines` (n_queries, n).
    """
    points = unit_rows(points)
    itself = sp.eye_array(len(points), format="csr") if among is None else None
    others = points if among is None else unit_rows(among)
    rows, cosines = top_n_per_user(
        LowRankScores(others, points), n, users=queries, exclude=itself, **options
    )
    return rows, np.minimum(cosines, 1, out=cosines)
