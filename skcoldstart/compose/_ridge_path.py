"""Ridge regressions for all strengths from one decomposition of the content."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    SparseScores,
    SumScores,
)

MOST_DIRECTIONS = 5000  # of content, at most, in a decomposition


class _New(NamedTuple):
    """Items to predict: coordinates, and the weight of each in its own prediction.

    Shapes: `C` (n_items, r), `squares` (n_items, r) if the items were fitted.
    """

    C: np.ndarray
    squares: np.ndarray | None = None


class RidgePath:
    """Predictions of ridges with an intercept, for any strength.

    Shapes: `F` (n_items, d), content of the training items with plays; `plays`
    (n_items, n_users) of these; `metric` (d, d), positive definite: the ridge shrinks
    ``w' metric w`` instead of ``w'w``.
    """

    def __init__(
        self, F: Any, plays: sp.csr_array, metric: np.ndarray | None = None
    ) -> None:
        F = _dense(F)
        self._mean = F.mean(axis=0)
        centred = F - self._mean
        self._basis, self._values = _principal_axes(centred, metric)
        self._known = centred @ self._basis
        self._plays = sp.csr_array(plays > 0, dtype=np.float64)
        self._play_slopes: np.ndarray | None = None

    def new(self, F: Any) -> _New:
        """Return items to predict, given their content."""
        return _New((_dense(F) - self._mean) @ self._basis)

    def left_out(self) -> _New:
        """Return the training items, each predicted without itself."""
        return _New(self._known, self._known**2 / self._values)

    def scores(
        self,
        new: _New,
        Y: np.ndarray,
        users: np.ndarray,
        alphas: Any,
        play_weights: Any,
    ) -> Iterator[ScoreSource]:
        """Return scores of items for each strength and weight of plays.

        Shapes: `Y` (n_items, k), `users` (n_users, k).
        """
        Y = np.asarray(Y, dtype=np.float64)
        mean = Y.mean(axis=0)
        slopes = self._known.T @ (Y - mean)
        # To rank items, float32 is precise enough, and twice as fast.
        dtype = np.dtype(np.float32 if new.squares is None else np.float64)
        users = users.astype(dtype, copy=False)
        both = users
        if np.any(np.asarray(play_weights) > 0):
            both = np.hstack([users, self._play_parts(dtype)])
        for alpha in alphas:
            shrunk = 1 / (self._values + alpha)
            factors = new.C @ (slopes * shrunk[:, np.newaxis]) + mean
            own = None
            if new.squares is not None:
                own = 1 / len(Y) + new.squares @ (self._values * shrunk)
                factors -= own[:, np.newaxis] * Y
                factors /= np.maximum(1 - own, 1e-10)[:, np.newaxis]
            for weight in play_weights:
                scores: ScoreSource = LowRankScores(factors.astype(dtype), users)
                if weight:
                    items = np.empty((len(factors), both.shape[1]), dtype)
                    k = factors.shape[1]
                    items[:, :k] = factors
                    np.multiply(new.C, weight * shrunk, out=items[:, k:-1])
                    items[:, -1] = weight
                    scores = self._smoothed(items, k, both, own, weight)
                yield scores

    def _play_parts(self, dtype: np.dtype) -> np.ndarray:
        """Return slopes of plays along the axes, and mean plays, (n_users, r + 1)."""
        if self._play_slopes is None or self._play_slopes.dtype != dtype:
            by_user = sp.csr_array(self._plays.T, dtype=dtype)
            slopes = by_user @ self._known.astype(dtype, copy=False)
            shares = by_user.sum(axis=1) / len(self._known)
            self._play_slopes = np.column_stack([slopes, shares.astype(dtype)])
        return self._play_slopes

    def _smoothed(
        self,
        items: np.ndarray,
        k: int,
        users: np.ndarray,
        own: np.ndarray | None,
        weight: float,
    ) -> ScoreSource:
        """Return scores with predicted plays; training items are left out of their own.

        Shapes: `items` (n_items, k + r + 1), `users` (n_users, k + r + 1).
        """
        if own is None:
            return LowRankScores(items, users)
        rest = np.maximum(1 - own, 1e-10)
        items[:, k:] /= rest[:, np.newaxis]
        learnt = sp.diags_array(-weight * own / rest, format="csr")
        own_plays = SparseScores(learnt, self._plays.T.tocsr())
        return SumScores([LowRankScores(items, users), own_plays])


def _principal_axes(
    centred: np.ndarray, metric: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return axes (d, r) and squared lengths (r,) of the table along them."""
    n_items, width = centred.shape
    wide = width > n_items and metric is None
    gram = centred @ centred.T if wide else centred.T @ centred
    driver = "evd" if metric is None else "gvd"
    values, vectors = scipy.linalg.eigh(gram, metric, overwrite_a=True, driver=driver)
    kept = values > 1e-12 * max(values[-1], 0.0)
    values, vectors = values[kept], vectors[:, kept]
    return (centred.T @ vectors / np.sqrt(values) if wide else vectors), values


def _dense(F: Any) -> np.ndarray:
    if sp.issparse(F):
        if min(F.shape) > MOST_DIRECTIONS:
            raise ValueError(
                f"X is sparse, with {F.shape[0]} items and {F.shape[1]} columns; the "
                f"search decomposes at most {MOST_DIRECTIONS} columns. Put "
                "ContentScaler(300) or TruncatedSVD(300) before it."
            )
        F = F.toarray()
    return np.asarray(F, dtype=np.float64)
