"""A uniform sample of frames, drawn in one pass over stored or lazy items."""

from typing import Any

import numpy as np

from skcoldstart._ragged import RaggedArray
from skcoldstart.codebook._reading import read_frames

__all__ = ["sample_frames"]

_POSITIONS_AT_ONCE = 1 << 20


def sample_frames(
    X: Any, max_frames: int | None, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw frames evenly from all items, in random order.

    Every frame gets a random key; the frames with the smallest keys are kept, sorted
    by key. Keys are drawn in the order of the items, so stored and lazy items with
    the same frames give the same sample, and a smaller `max_frames` gives the
    beginning of a larger one.

    Parameters
    ----------
    X : RaggedArray or LazySequence
        Frames of each item.
    max_frames : int or None
        Frames to keep; ``None`` keeps all.
    random_state : RandomState
        Source of the keys.

    Returns
    -------
    ndarray of shape (min(max_frames, n_frames_total), n_features)
        The sample, float32 or float64. Stored items cost the sample and lazy items
        at most twice the sample and one block, whatever the number of frames.
    """
    reservoir = _SmallestKeys(max_frames, random_state)
    if isinstance(X, RaggedArray):
        for start in range(0, len(X.values), _POSITIONS_AT_ONCE):
            stop = min(start + _POSITIONS_AT_ONCE, len(X.values))
            reservoir.offer(np.arange(start, stop))
        return _gather(X.values, reservoir.rows())
    for _, block in read_frames(X):
        if len(block.values):
            reservoir.offer(_widen(block.values))
    return reservoir.rows()


class _SmallestKeys:
    """Keep the rows with the smallest random keys."""

    def __init__(self, size: int | None, random_state: np.random.RandomState) -> None:
        self._size = size
        self._random_state = random_state
        self._limit = np.inf
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._n_kept = 0

    def offer(self, rows: np.ndarray) -> None:
        """Draw a key for every row and keep the rows that are still in."""
        keys = self._random_state.random_sample(len(rows))
        wanted = keys < self._limit
        self._keys.append(keys[wanted])
        self._rows.append(rows[wanted])
        self._n_kept += len(self._keys[-1])
        if self._size is not None and self._n_kept > 2 * self._size:
            self._prune()

    def rows(self) -> np.ndarray:
        """Return the rows kept, in the order of their keys."""
        if not self._rows:
            return np.empty((0, 0), np.float32)
        self._prune()
        return self._rows[0][np.argsort(self._keys[0], kind="stable")]

    def _prune(self) -> None:
        keys, rows = np.concatenate(self._keys), np.concatenate(self._rows)
        if self._size is not None and len(keys) > self._size:
            kept = np.sort(np.argpartition(keys, self._size - 1)[: self._size])
            keys, rows = keys[kept], rows[kept]
            self._limit = keys.max()
        self._keys, self._rows, self._n_kept = [keys], [rows], len(keys)


def _gather(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Read rows in the order of the file and return them in the order asked for."""
    if not len(values):
        return np.empty((0, 0), np.float32)
    in_file_order = np.argsort(positions)
    frames = np.empty(
        (len(positions), values.shape[1]), np.result_type(values.dtype, np.float32)
    )
    frames[in_file_order] = values[positions[in_file_order]]
    return frames


def _widen(values: np.ndarray) -> np.ndarray:
    """Return float32 for float16; leave float32 and float64 as they are."""
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)
