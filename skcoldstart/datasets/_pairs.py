"""Counts of pairs of item and user, added up block by block."""

from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["PairCounts", "ordered", "take_rows"]

ROWS = 1 << 20  # to wait for, at least, before they are added up


class PairCounts:
    """A growing table of counts; its memory follows the pairs, not the rows read."""

    def __init__(self, dtype: Any = np.float64) -> None:
        self._table = sp.csr_array((0, 0), dtype=dtype)
        self._waiting: list[tuple[np.ndarray, ...]] = []
        self._n_waiting = 0

    def add(self, items: np.ndarray, users: np.ndarray, counts: np.ndarray) -> None:
        """Add counts of pairs.

        Shapes: `items, users, counts` (n_rows,).
        """
        self._waiting.append((items, users, counts))
        self._n_waiting += len(items)
        if self._n_waiting >= max(ROWS, self._table.nnz):
            self._add_up()

    def rescale(self, factor: float, least: float) -> None:
        """Multiply all counts so far; none becomes less than `least`."""
        self._add_up()
        np.maximum(self._table.data * factor, least, out=self._table.data)

    def to_csr(self, n_items: int, n_users: int) -> sp.csr_array:
        """Return the table, which is then empty; its rows are items.

        Shapes: -> (n_items, n_users).
        """
        self._add_up()
        table, self._table = self._table, sp.csr_array((0, 0), dtype=self._table.dtype)
        table.resize((n_items, n_users))
        return table

    def _add_up(self) -> None:
        if not self._n_waiting:
            return
        columns = [*zip(*self._waiting, strict=True)]
        self._waiting, self._n_waiting = [], 0
        items, users = (np.concatenate(columns[i], dtype=np.int32) for i in (0, 1))
        counts = np.concatenate(columns[2], dtype=self._table.dtype)
        del columns
        shape = (
            max(self._table.shape[0], int(items.max()) + 1),
            max(self._table.shape[1], int(users.max()) + 1),
        )
        more = sp.csr_array(sp.coo_array((counts, (items, users)), shape))
        del items, users, counts
        if self._table.nnz:
            self._table.resize(shape)
            more = self._table + more
        self._table = more


def ordered(
    table: sp.csr_array, item_order: np.ndarray, user_order: np.ndarray
) -> sp.csr_array:
    """Put rows and columns into another order, or keep some of them.

    Shapes: `table` (n_items, n_users) -> (len(item_order), len(user_order)).
    """
    n_items, n_users = table.shape
    if not np.array_equal(item_order, np.arange(n_items)):
        table = table[item_order]
    if np.array_equal(user_order, np.arange(n_users)):
        return table
    column = np.full(n_users, -1, np.int32)
    column[user_order] = np.arange(len(user_order))
    parts = table.data, column[table.indices], table.indptr
    del table  # the peak of memory is here
    if len(user_order) < n_users:
        kept = parts[1] >= 0
        ends = np.r_[0, np.cumsum(kept)][parts[2]]
        parts = parts[0][kept], parts[1][kept], ends
    table = sp.csr_array(parts, (len(item_order), len(user_order)))
    table.sort_indices()
    return table


def take_rows(X: sp.csr_array, rows: np.ndarray) -> sp.csr_array:
    """Take rows of a table, empty ones where the number is -1.

    Shapes: `X` (n_rows, n_columns), `rows` (n_taken,) -> (n_taken, n_columns).
    """
    there = np.flatnonzero(rows >= 0)
    chooser = sp.csr_array(
        (np.ones(len(there), X.dtype), (there, rows[there])), (len(rows), X.shape[0])
    )
    return sp.csr_array(chooser @ X)
