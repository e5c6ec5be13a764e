"""The best items of each user, in tiles of users."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.scores import ScoreSource
from skcoldstart._utils.threads import (
    map_in_threads,
    n_kernel_threads,
    one_blas_thread,
)
from skcoldstart._utils.validation import check_play_counts

__all__ = ["check_indices", "check_users", "top_n_per_user"]

TILE_USERS = 256


def top_n_per_user(
    source: ScoreSource,
    n: int,
    *,
    users: Any = None,
    exclude: Any = None,
    n_jobs: int | None = None,
    verbose: int | bool = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best items of each user, with their scores.

    Scores are read 256 users at a time, so that memory is one tile of
    ``(256, n_items)`` scores a thread. Tiles do not depend on the number of threads,
    and neither does any bit of the result.

    Parameters
    ----------
    source : ScoreSource
        Scores of all items for some users.
    n : int
        Items for each user, at least 1.
    users : array-like of int or of bool, default=None
        Which users: indices, or a mask of shape (n_users,). ``None`` means all.
    exclude : {array-like, sparse} of shape (n_items, n_users), default=None
        Pairs that are not zero are never returned: plays of the training set, say.
    n_jobs : int, default=None
        Threads; ``None`` means all that are available.
    verbose : int or bool, default=0
        Show a progress bar.

    Returns
    -------
    items : int64 ndarray of shape (n_selected_users, n)
        Best first; of equal scores the lower item index comes first. A user with
        fewer than `n` candidates is padded with -1.
    scores : ndarray of shape (n_selected_users, n)
        Score of each of these items; -inf where padded.

    Raises
    ------
    ValueError
        If a score is NaN, `n` is below 1, `users` does not fit, or `exclude` has
        another shape.
    """
    if n != int(n) or n < 1:
        raise ValueError(f"n={n!r}; expected an integer of at least 1.")
    users = check_users(users, source.n_users)
    indptr, indices = _excluded(exclude, source)
    items = np.empty((len(users), int(n)), np.int64)
    scores: list[np.ndarray] = []

    def select(start: int) -> np.ndarray:
        from skcoldstart._kernels.topn import select_top_n

        tile = users[start : start + TILE_USERS]
        rows = _as_float(source.rows(tile))
        best = np.empty((len(tile), items.shape[1]), rows.dtype)
        bad = select_top_n(
            rows, indptr, indices, tile, items[start : start + len(tile)], best
        )
        if bad >= 0:
            raise ValueError(
                f"Scores of user {tile[bad]} contain NaN; expected numbers. Check "
                "the factors or predictions that they come from."
            )
        return best

    starts = range(0, max(len(users), 1), TILE_USERS)
    with (
        one_blas_thread(),
        progress_bar(
            description="Ranking", verbose=verbose, total=len(users), unit="user"
        ) as bar,
    ):
        for best in map_in_threads(select, starts, n_kernel_threads(n_jobs)):
            scores.append(best)
            bar.update(len(best))
    return items, np.concatenate(scores)


def check_indices(indices: Any, size: int, *, name: str) -> np.ndarray:
    """Return indices of users or items as int64.

    Parameters
    ----------
    indices : array-like of int or of bool, or None
        Indices, a mask of shape (size,), or ``None`` for all of them.
    size : int
        How many there are.
    name : str
        "users" or "items", for messages.

    Returns
    -------
    int64 ndarray of shape (n_selected,)
        In the order given.

    Raises
    ------
    ValueError
        If `indices` is not 1-D, is a mask of another length, holds something else
        than integers, or points outside ``[0, size)``.
    """
    if indices is None:
        return np.arange(size)
    indices = np.asarray(indices)
    if indices.ndim != 1:
        raise ValueError(
            f"{name} has shape {indices.shape}; expected a 1-D array of indices, or a "
            f"mask. Pass [{name[:-1]}] for one of them."
        )
    if indices.dtype == bool:
        if len(indices) != size:
            raise ValueError(
                f"{name} is a mask of length {len(indices)} but there are {size} "
                f"{name}; expected one entry for each."
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
            f"{name} holds {indices[outside][0]} but there are {size} {name}; expected "
            f"indices from 0 to {size - 1}."
        )
    return indices


def check_users(users: Any, n_users: int) -> np.ndarray:
    """Return user indices as int64; see `check_indices`."""
    return check_indices(users, n_users, name="users")


def _excluded(exclude: Any, source: ScoreSource) -> tuple[np.ndarray, np.ndarray]:
    if exclude is None:
        return np.zeros(source.n_users + 1, np.int64), np.empty(0, np.int32)
    shape = (source.n_items, source.n_users)
    pairs = sp.csc_array(check_play_counts(exclude, input_name="exclude"))
    if pairs.shape != shape:
        hint = " Did you pass users as rows (exclude.T)?"
        raise ValueError(
            f"exclude has shape {pairs.shape}; expected (n_items, n_users) = {shape}."
            f"{hint if pairs.shape == shape[::-1] else ''}"
        )
    pairs.sort_indices()
    return pairs.indptr.astype(np.int64), pairs.indices.astype(np.int32)


def _as_float(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(
        rows, dtype=np.float32 if rows.dtype == np.float32 else np.float64
    )
