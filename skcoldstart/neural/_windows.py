"""Choose and read windows of items."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from skcoldstart._sequences.checks import read_frames
from skcoldstart._sequences.ragged import LazySequence, RaggedArray

# Enough items for means and deviations of bands, so that a store of 122 GB is not read
# completely.
MAX_ITEMS_OF_MOMENTS = 2048
LAZY_ITEMS_AT_ONCE = 16


def training_starts(
    items: np.ndarray, n_frames: np.ndarray, *, window: int, epoch: int, seed: int
) -> np.ndarray:
    """Draw the start of the window of each item in an epoch, for any order of items.

    Shapes: `items` (n,), `n_frames` (n,) -> (n,).
    """
    uniform = np.random.default_rng([seed, epoch]).random(items.max(initial=-1) + 1)
    places = np.maximum(n_frames - window + 1, 1)
    return (uniform[items] * places).astype(np.int64)


def prediction_starts(n_frames: int, window: int) -> np.ndarray:
    """Return the starts of consecutive windows that cover all frames, (n_windows,)."""
    starts = np.arange(0, n_frames, window)
    starts[-1:] = max(n_frames - window, 0)
    return starts


def count_frames(X: RaggedArray | LazySequence, n_features: int | None) -> np.ndarray:
    """Return the number of frames of each item, reading items only if necessary.

    Shapes: -> (n_items,).
    """
    if hasattr(X, "lengths"):
        return np.asarray(X.lengths, np.int64)
    return np.array([len(frames) for _, frames in iter_frames(X, n_features)], np.int64)


def iter_frames(
    X: RaggedArray | LazySequence, n_features: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Read items one by one; lazy ones are computed a few at a time and checked.

    Shapes: -> `frames` (n_frames, n_features).
    """
    blocks = read_frames(X, n_features, items_at_once=LAZY_ITEMS_AT_ONCE)
    yield from enumerate(itertools.chain.from_iterable(blocks))


def frame_moments(
    X: RaggedArray | LazySequence, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every band.

    Shapes: `items` (n,) -> `mean, deviation` (n_features,).
    """
    places = np.linspace(0, len(items) - 1, min(len(items), MAX_ITEMS_OF_MOMENTS))
    scaler = StandardScaler()
    for item in items[np.unique(places.astype(np.int64))]:
        scaler.partial_fit(np.asarray(X[int(item)], dtype=np.float64))
    return scaler.mean_, scaler.scale_


class WindowReader:
    """Reads windows of items into one array, padded with zeros."""

    def __init__(self, X: Any, n_features: int, dtype: Any = np.float32) -> None:
        self._X, self._n_features, self._dtype = X, n_features, dtype
        # Lazy items were not checked before; double precision may exceed float32.
        wide = getattr(X, "dtype", np.float64)
        self._checks = not isinstance(X, RaggedArray) or not np.can_cast(wide, dtype)

    def __call__(
        self, items: np.ndarray, starts: np.ndarray, window: int
    ) -> np.ndarray:
        """Return windows of shape (n, window, n_features).

        Shapes: `items` (n,), `starts` (n,).
        """
        out = np.empty((len(items), window, self._n_features), self._dtype)
        with np.errstate(over="ignore"):
            self._X.windows(items, starts, window, out=out)
        if self._checks and not np.isfinite(out).all():
            bad = int(np.argmin(np.isfinite(out).all(axis=(1, 2))))
            raise ValueError(
                "Input X contains NaN or infinity or a value beyond single precision: "
                f"item {int(items[bad])}, in the {window} frames from "
                f"{int(starts[bad])}. Drop the item, or give it zero frames."
            )
        return out
