"""Which window of which item is read when, and reading it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skcoldstart._sequences.checks import check_frames
from skcoldstart._sequences.ragged import LazySequence, RaggedArray

__all__ = [
    "FrameReader",
    "count_frames",
    "frame_moments",
    "iter_frames",
    "prediction_starts",
    "training_starts",
]

# Enough items for means and deviations of bands; a store of 122 GB is not read twice.
MAX_ITEMS_OF_MOMENTS = 2048
LAZY_ITEMS_AT_ONCE = 16
_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def training_starts(
    items: np.ndarray, n_frames: np.ndarray, *, window: int, epoch: int, seed: int
) -> np.ndarray:
    """Draw where the window of each item starts in an epoch.

    Shapes: `items` (n,), `n_frames` (n,) -> (n,).

    A pure function of its arguments (splitmix64 of seed, epoch and item), so that any
    number of readers, in any order, read the same windows.
    """
    gamma, first, second = (np.uint64(number) for number in _MIX)
    with np.errstate(over="ignore"):
        x = np.uint64(seed) + gamma * (items.astype(np.uint64) + np.uint64(1))
        x = _mixed(x, first, second) + gamma * np.uint64(epoch + 1)
        x = _mixed(x, first, second)
    uniform = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    places = np.maximum(n_frames - window + 1, 1)
    return (uniform * places).astype(np.int64)


def _mixed(x: np.ndarray, first: np.uint64, second: np.uint64) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * first
    x = (x ^ (x >> np.uint64(27))) * second
    return x ^ (x >> np.uint64(31))


def prediction_starts(n_frames: int, window: int) -> np.ndarray:
    """Return where consecutive windows start, so that every frame is in one.

    Shapes: -> (n_windows,).
    """
    starts = np.arange(0, n_frames, window)
    starts[-1] = max(n_frames - window, 0)
    return starts


def count_frames(X: RaggedArray | LazySequence, n_features: int | None) -> np.ndarray:
    """Return the frames of each item, reading items only where they must be.

    Shapes: -> (n_items,).
    """
    if hasattr(X, "lengths"):
        return np.asarray(X.lengths, np.int64)
    lengths = np.zeros(len(X), np.int64)
    for i, frames in iter_frames(X, n_features):
        lengths[i] = len(frames)
    return lengths


def iter_frames(
    X: RaggedArray | LazySequence, n_features: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Read items one by one, lazy ones a few at a time and checked.

    Shapes: -> `frames` (n_frames, n_features).
    """
    if isinstance(X, RaggedArray):
        yield from enumerate(X)
        return
    for start in range(0, len(X), LAZY_ITEMS_AT_ONCE):
        part = range(start, min(start + LAZY_ITEMS_AT_ONCE, len(X)))
        block = RaggedArray.from_sequence(X[part.start : part.stop])
        if len(block.values):
            checked = check_frames(block, n_features=n_features, positions=part)
            n_features = checked.values.shape[1]  # type: ignore[union-attr]
            block = checked  # type: ignore[assignment]
        yield from enumerate(block, start)


def frame_moments(
    X: RaggedArray | LazySequence, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of every band.

    Shapes: `items` (n,) -> `mean, deviation` (n_features,).
    """
    places = np.linspace(0, len(items) - 1, min(len(items), MAX_ITEMS_OF_MOMENTS))
    n, mean, scatter = 0, np.zeros(1), np.zeros(1)
    for item in items[np.unique(places.astype(np.int64))]:
        frames = np.asarray(X[int(item)], dtype=np.float64)
        own = frames.mean(axis=0)
        shift, total = own - mean, n + len(frames)
        # Moments of a union: means may be large beside deviations.
        scatter = ((frames - own) ** 2).sum(axis=0) + scatter
        scatter += shift**2 * (n * len(frames) / total)
        mean = mean + shift * (len(frames) / total)
        n = total
    deviation = np.sqrt(scatter / n)
    tiny = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-30)
    return mean, np.where(tiny, 1.0, deviation)


class FrameReader:
    """Reads windows of items into one array."""

    def __init__(self, X: Any, n_features: int) -> None:
        self._X = X
        self._n_features = n_features
        self._is_checked = isinstance(X, RaggedArray)
        # Half precision is what travels; the rest is computed in single precision.
        half = getattr(X, "dtype", None) == np.float16
        self.dtype = np.dtype(np.float16 if half else np.float32)

    def read(
        self, items: np.ndarray, starts: np.ndarray, window: int, dtype: Any = None
    ) -> np.ndarray:
        """Return windows, filled up with zeros where an item is too short.

        Shapes: `items` (n,), `starts` (n,) -> (n, window, n_features).
        """
        out = np.empty((len(items), window, self._n_features), dtype or self.dtype)
        if hasattr(self._X, "windows"):
            self._X.windows(items, starts, window, out=out)
        else:
            for row, (item, start) in enumerate(zip(items, starts, strict=True)):
                part = self._item(int(item))[start : start + window]
                out[row, : len(part)] = part
                out[row, len(part) :] = 0
        if not self._is_checked and not np.isfinite(out).all():
            bad = int(np.argmin(np.isfinite(out).all(axis=(1, 2))))
            raise ValueError(
                f"Input X contains NaN or infinity: item {int(items[bad])}, in the "
                f"{window} frames from {int(starts[bad])}. Drop the item, or give it "
                "zero frames."
            )
        return out

    def _item(self, item: int) -> np.ndarray:
        frames = np.asarray(self._X[item])
        if frames.ndim != 2 or frames.shape[1] != self._n_features:
            raise ValueError(
                f"Item {item} of X has shape {frames.shape}; expected (n_frames, "
                f"{self._n_features})."
            )
        return frames
