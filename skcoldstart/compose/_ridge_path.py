"""Ridge regressions for all strengths from one decomposition of the content."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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


@dataclass
class _New:
    """Items to predict: coordinates, and the weight of each in its own prediction.

    Shapes: `C` (n_items, r), `squares` (n_items, r) if the items were fitted.
    """

    C: np.ndarray
    squares: np.ndarray | None = None


class RidgePath:
    """Predictions of ridges with an intercept, for any strength.

    Shapes: `F` (n_items, d), content of the training items with plays; `plays`
    (n_items, n_users) of these.
    """

    def __init__(self, F: Any, plays: sp.csr_array) -> None:
        F = _dense(F)
        self._mean = F.mean(axis=0)
        centred = F - self._mean
        self._basis, self._values = _principal_axes(centred)
        self._known = centred @ self._basis
        self._plays = sp.csr_array(plays > 0, dtype=np.float64)
        self._shares = np.asarray(self._plays.mean(axis=0)).ravel()
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
    ) -> Iterator[tuple[tuple[float, float], ScoreSource]]:
        """Return scores of items for each strength and weight of plays.

        Shapes: `Y` (n_items, k), `users` (n_users, k).
        """
        Y = np.asarray(Y, dtype=np.float64)
        mean = Y.mean(axis=0)
        slopes = self._known.T @ (Y - mean)
        for alpha in alphas:
            shrunk = 1 / (self._values + alpha)
            factors = new.C @ (slopes * shrunk[:, np.newaxis]) + mean
            own = None
            if new.squares is not None:
                own = 1 / len(Y) + new.squares @ (self._values * shrunk)
                factors = _without(factors, Y, own)
            for weight in play_weights:
                found = LowRankScores(factors, users)
                scores: ScoreSource = (
                    self._smoothed(found, new, shrunk, own, weight) if weight else found
                )
                yield (alpha, weight), scores

    def _smoothed(
        self,
        factors: LowRankScores,
        new: _New,
        shrunk: np.ndarray,
        own: np.ndarray | None,
        weight: float,
    ) -> ScoreSource:
        """Add predicted plays; a training item is predicted without itself."""
        if self._play_slopes is None:
            self._play_slopes = self._plays.T @ self._known
        items = weight * np.column_stack([new.C, np.ones(len(new.C))])
        users = np.column_stack([self._play_slopes * shrunk, self._shares])
        users = np.hstack([factors.user_factors, users])
        if own is None:
            items = np.hstack([factors.item_factors, items])
            # Twice as fast in float32, and precise enough to rank.
            return LowRankScores(items.astype(np.float32), users.astype(np.float32))
        rest = np.maximum(1 - own, 1e-10)[:, np.newaxis]
        total = LowRankScores(np.hstack([factors.item_factors, items / rest]), users)
        learnt = sp.diags_array(-weight * own / rest[:, 0], format="csr")
        return SumScores([total, SparseScores(learnt, self._plays.T.tocsr())])


def _without(fitted: np.ndarray, Y: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the leave-one-out prediction of each item, (n_items, k)."""
    rest = np.maximum(1 - own, 1e-10)[:, np.newaxis]
    return (fitted - own[:, np.newaxis] * Y) / rest


def _principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return axes (d, r) and squared lengths (r,) of the table along them."""
    n_items, width = centred.shape
    wide = width > n_items
    gram = centred @ centred.T if wide else centred.T @ centred
    values, vectors = scipy.linalg.eigh(gram, overwrite_a=True)
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
