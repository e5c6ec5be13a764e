"""Read frames and codes in blocks, and draw a uniform sample of frames."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from skcoldstart._sequences.checks import check_item_sequence, read_frames
from skcoldstart._sequences.ragged import RaggedArray
from skcoldstart._utils.missing import unmasked

_ITEMS_AT_ONCE = 512


def read_codes(
    X: Any,
    n_codewords: int | None = None,
    *,
    remedy: str = "",
    items_at_once: int = _ITEMS_AT_ONCE,
) -> Iterator[tuple[int, RaggedArray]]:
    """Yield the first item of each block, and its codes, below `n_codewords` if set."""
    X = check_item_sequence(X)
    if hasattr(X, "columns"):  # of a table, which are not its items
        X = np.asarray(X)
    for start in range(0, len(X), items_at_once):
        block = X[start : start + items_at_once]
        if isinstance(block, RaggedArray):
            block = RaggedArray(_as_codes(block.values, start), block.offsets)
        else:
            block = RaggedArray.from_sequence([
                _as_codes(unmasked(item, f"Item {i} of X"), i)
                for i, item in enumerate(block, start)
            ])
        if n_codewords is not None:
            _refuse_unknown(block, n_codewords, start, remedy)
        yield start, block


def _refuse_unknown(
    block: RaggedArray, n_codewords: int, first_item: int, remedy: str
) -> None:
    """Reject codes outside [0, n_codewords)."""
    wrong = (block.values < 0) | (block.values >= n_codewords)
    if wrong.any():
        position = int(np.argmax(wrong))
        code = block.values[position]
        item = int(np.searchsorted(block.offsets, position, side="right")) - 1
        if code < 0:
            remedy = "Codes start at 0: leave out frames without a code."
        raise ValueError(
            f"Item {first_item + item} of X has code {code}; expected codes in "
            f"[0, {n_codewords}). {remedy}"
        )


def _as_codes(codes: np.ndarray, item: int) -> np.ndarray:
    """Return codes as signed integers, or reject their shape or type."""
    if codes.size == 0:
        return np.empty(0, np.int64)
    if codes.dtype == object and codes.ndim == 1:
        # A row of equal-length codes that numpy made a 2-D object array.
        codes = np.asarray(codes.tolist())
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(
            f"Item {item} of X has shape {codes.shape} and dtype {codes.dtype}; "
            "expected 1-D integer codes, as VectorQuantizer.transform returns them. "
            "Put the codes of a single item in a list; quantize frames first."
        )
    return codes if codes.dtype.kind == "i" else codes.astype(np.int64)


_POSITIONS_AT_ONCE = 1 << 16

# Items read if the number of frames is not known in advance. With this many, every
# codeword has frames of many items; more items improve little.
_ENOUGH_ITEMS = 20_000

# A frame on disk is read with its page.
_PAGE_BYTES = 4096
_WINDOWS_AT_ONCE = 1 << 14


def sample_frames(
    X: Any, max_frames: int | None, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw frames uniformly from all items, in random order.

    Shapes: -> (min(max_frames, n_frames_total), n_features).

    Every frame gets a random key; the frames with the smallest keys are kept, sorted by
    key. Keys are drawn in the order of the items, so items in memory, on disk and lazy
    items give the same sample if their frames are the same, and a smaller `max_frames`
    gives the beginning of a larger one.
    """
    reservoir = _SmallestKeys(max_frames, random_state)
    if hasattr(X, "lengths"):
        n_frames = int(X.lengths.sum())
        for start in range(0, n_frames, _POSITIONS_AT_ONCE):
            stop = min(start + _POSITIONS_AT_ONCE, n_frames)
            reservoir.offer(np.arange(start, stop))
        return _gather(X, reservoir.rows())
    order = np.arange(len(X))
    if max_frames is not None and len(X) > _ENOUGH_ITEMS:
        random_state.shuffle(order)
    n_items = n_seen = 0
    for block in read_frames(X, positions=order):
        if len(block.values):
            wide = np.result_type(block.values.dtype, np.float32)
            reservoir.offer(block.values.astype(wide, copy=False))
        n_items += len(block)
        n_seen += len(block.values)
        if max_frames is not None and n_items >= _ENOUGH_ITEMS and n_seen >= max_frames:
            break
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
        """Draw a key for every row and keep the rows with the smallest keys."""
        keys = self._random_state.random_sample(len(rows))
        wanted = keys < self._limit
        self._keys.append(keys[wanted])
        self._rows.append(rows[wanted])
        self._n_kept += len(self._keys[-1])
        if self._size is not None and self._n_kept > 2 * self._size:
            self._prune()

    def rows(self) -> np.ndarray:
        """Return the kept rows, in the order of their keys."""
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


def _gather(X: Any, positions: np.ndarray) -> np.ndarray:
    """Read rows in the order of the file and return them in the given order."""
    if not len(positions):
        return np.empty((0, 0), np.float32)
    in_file_order = np.argsort(positions)
    rows = positions[in_file_order]
    if isinstance(X, RaggedArray):
        read = X.values[rows]
    else:
        read = _read_rows(X, rows)
    frames = np.empty(read.shape, np.result_type(read.dtype, np.float32))
    frames[in_file_order] = read
    return frames


def _read_rows(X: Any, rows: np.ndarray) -> np.ndarray:
    """Read rows of stored items, counted over all items, in increasing order.

    If an item has so many rows in the sample that most of its pages are needed, it is
    read completely.
    """
    offsets = np.concatenate([[0], np.cumsum(X.lengths)])
    items = np.searchsorted(offsets, rows, side="right") - 1
    starts = rows - offsets[items]
    n_features = X[int(items[0])].shape[1]
    read = np.empty((len(rows), n_features), X.dtype)
    rows_per_page = max(1, _PAGE_BYTES // (n_features * X.dtype.itemsize))
    alone = np.ones(len(rows), bool)
    cuts = np.flatnonzero(np.diff(items, prepend=-1, append=-1))
    for start, stop in itertools.pairwise(cuts):
        item = int(items[start])
        if (stop - start) * rows_per_page >= X.lengths[item]:
            read[start:stop] = X[item][starts[start:stop]]
            alone[start:stop] = False
    left = np.flatnonzero(alone)
    for first in range(0, len(left), _WINDOWS_AT_ONCE):
        part = left[first : first + _WINDOWS_AT_ONCE]
        read[part] = X.windows(items[part], starts[part], 1)[:, 0]
    finite = np.isfinite(read).all(axis=1)
    if not finite.all():
        bad = int(np.argmin(finite))
        raise ValueError(
            f"Input X contains NaN or infinity: item {items[bad]}, frame {starts[bad]}."
            " Drop the item, or give it zero frames."
        )
    return read
