"""Add up counts of pairs of item and user, block by block."""

import numpy as np
import scipy.sparse as sp

ROWS = 1 << 24  # collected, at least, before they are added up
_ITEM, _USER = 32, 0xFFFFFFFF  # where a pair holds them


class PairCounts:
    """A growing table of counts; its memory depends on the number of pairs."""

    def __init__(self) -> None:
        self._table = sp.csr_array((0, 0))
        self._waiting: list[tuple[np.ndarray, np.ndarray | None]] = []
        self._n_waiting = 0

    def add(
        self, items: np.ndarray, users: np.ndarray, counts: np.ndarray | None = None
    ) -> None:
        """Add counts of pairs, ones where they are None.

        Shapes: `items, users, counts` (n_rows,).
        """
        pairs = items.astype(np.int64) << _ITEM
        pairs |= users
        self._waiting.append((pairs, counts))
        self._n_waiting += len(items)
        if self._n_waiting >= max(ROWS, self._table.nnz):
            self._add_up()

    def rescale(self, factor: float, least: float) -> None:
        """Multiply all counts so far; no count falls below `least`."""
        self._add_up()
        np.maximum(self._table.data * factor, least, out=self._table.data)

    def to_csr(self, n_items: int, n_users: int) -> sp.csr_array:
        """Return the table and reset it; rows of the table are items.

        Shapes: -> (n_items, n_users).
        """
        self._add_up()
        table, self._table = self._table, sp.csr_array((0, 0))
        table.resize((n_items, n_users))
        return table

    def _add_up(self) -> None:
        if not self._n_waiting:
            return
        waiting, self._waiting, self._n_waiting = self._waiting, [], 0
        pairs = np.concatenate([pairs for pairs, _ in waiting])
        counts = None
        if any(counts is not None for _, counts in waiting):
            counts = np.concatenate([
                np.ones(len(pairs)) if counts is None else counts
                for pairs, counts in waiting
            ])
        del waiting
        n_items = max(self._table.shape[0], int(pairs.max() >> _ITEM) + 1)
        if counts is None:
            pairs.sort()
            more = _counted(pairs, n_items)
        else:
            items, users = (pairs >> _ITEM).astype(np.int32), pairs.astype(np.int32)
            del pairs
            more = sp.csr_array((counts, (items, users)))
            del items, users, counts
        shape = (n_items, max(self._table.shape[1], more.shape[1]))
        if self._table.nnz:
            more.resize(shape)
            self._table.resize(shape)
            more = self._table + more
        self._table = more


def _counted(pairs: np.ndarray, n_items: int) -> sp.csr_array:
    """Return how often each pair is there in a sorted array.

    Shapes: `pairs` (n_rows,) -> (n_items, n_users).
    """
    is_last = np.append(pairs[1:] != pairs[:-1], True)
    ends = np.flatnonzero(is_last)
    pairs = pairs[ends]
    counts = np.diff(ends, prepend=-1).astype(np.float64)
    del is_last, ends
    indptr = np.searchsorted(pairs, np.arange(n_items + 1) << _ITEM)
    users = (pairs & _USER).astype(np.int32)
    shape = (n_items, int(users.max(initial=-1)) + 1)
    return sp.csr_array((counts, users, indptr.astype(np.int32)), shape)


def ordered(
    table: sp.csr_array, item_order: np.ndarray, user_order: np.ndarray
) -> sp.csr_array:
    """Reorder or select rows and columns.

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
    """Take rows of a table, with empty rows for the number -1.

    Shapes: `X` (n_rows, n_columns), `rows` (n_taken,) -> (n_taken, n_columns).
    """
    there = np.flatnonzero(rows >= 0)
    chooser = sp.csr_array(
        (np.ones(len(there), X.dtype), (there, rows[there])), (len(rows), X.shape[0])
    )
    return sp.csr_array(chooser @ X)


def positions(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return positions of values among different known ones, -1 for unknown ones.

    Shapes: `values` (n_values,), `known` (n_known,) -> (n_values,).
    """
    if not len(known):
        return np.full(len(values), -1)
    order = np.argsort(known, kind="stable")
    at = np.searchsorted(known, values, sorter=order)
    places = order[np.minimum(at, len(order) - 1)]
    return np.where(known[places] == values, places, -1)


def indicator(
    rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> sp.csr_array:
    """Return a table with 1 for each pair, also for one that is there twice."""
    table = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape)
    table.data[:] = 1.0
    return table
