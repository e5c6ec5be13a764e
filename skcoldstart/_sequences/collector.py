"""Append items to one array that grows in place."""

from typing import Any

import numpy as np

from skcoldstart._sequences.ragged import RaggedArray


class ItemCollector:
    """Append items to one array that grows in place.

    Joining a list of results at the end would need twice the memory of the result. Here
    the operating system enlarges the block by moving pages instead of bytes.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._values = np.empty((0, *row_shape), dtype)
        self._lengths: list[int] = []
        self._n_rows = 0

    def append(self, item: np.ndarray) -> None:
        """Add an item of shape (n_rows, ...)."""
        self.extend(item, [len(item)])

    def extend(self, values: np.ndarray, lengths: list[int]) -> None:
        """Add several items from their concatenated rows and their numbers of rows."""
        stop = self._n_rows + len(values)
        if stop > len(self._values):
            self._resize(max(stop, int(1.1 * len(self._values))))
        self._values[self._n_rows : stop] = values
        self._lengths += lengths
        self._n_rows = stop

    def finish(self, index: Any = None) -> RaggedArray:
        """Return all items, with their labels; the collector must not be used again."""
        self._resize(self._n_rows)
        offsets = np.zeros(len(self._lengths) + 1, np.int64)
        np.cumsum(self._lengths, out=offsets[1:])
        items = RaggedArray(self._values, offsets)
        items.index = index
        return items

    def _resize(self, n_rows: int) -> None:
        # No view of the array leaves this object before `finish`.
        self._values.resize((n_rows, *self._values.shape[1:]), refcheck=False)
