"""Relevant items, from plays, labels or a table."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.sources import CallableScores
from skcoldstart._scores.top_n import top_n_per_user


def find_relevant(
    plays: Any,
    labels: np.ndarray | None,
    table: sp.csr_array | None,
    groups: np.ndarray,
    *,
    n_relevant: int,
    n_jobs: int | None,
) -> "LabelRelevance | TableRelevance":
    """Return relevance from a table, from labels or from plays, in this order.

    Shapes: `plays` (n_items, n_users), `labels` (n_items,), `table` (n_items, n_items),
    `groups` (n_items,).
    """
    if table is not None:
        return TableRelevance(table, groups)
    if labels is not None:
        return LabelRelevance(labels, groups)
    return TableRelevance(
        listeners_in_common(plays, groups, n_relevant, n_jobs), groups
    )


def listeners_in_common(
    plays: sp.csr_array, groups: np.ndarray, n_relevant: int, n_jobs: int | None
) -> sp.csr_array:
    """Mark the items whose sets of listeners are most similar to an item's.

    Shapes: `plays` (n_items, n_users), `groups` (n_items,) -> (n_items, n_items).
    """
    n_items = plays.shape[0]
    listens = sp.csr_array(
        (np.ones(plays.nnz), plays.indices, plays.indptr), shape=plays.shape
    )
    by_user = listens.T.tocsr()
    n_listeners = np.diff(plays.indptr).astype(np.float64)

    def jaccard(items: np.ndarray) -> np.ndarray:
        index = (listens[items] @ by_user).toarray()
        either = n_listeners[items][:, np.newaxis] + n_listeners - index
        np.divide(index, either, out=index, where=index > 0)
        index[groups[items][:, np.newaxis] == groups] = 0
        return index.T

    # Items are queries here, as users are elsewhere.
    scores = CallableScores(jaccard, n_items, n_items)
    n_most = min(n_relevant, n_items)
    found, values = top_n_per_user(scores, n_most, n_jobs=n_jobs)
    rows, places = np.nonzero(values > 0)
    columns = found[rows, places]
    return sp.csr_array(
        (np.ones(len(rows), np.int8), (rows, columns)), shape=(n_items, n_items)
    )


class TableRelevance:
    """Relevant items listed in a sparse table.

    Shapes: `table` (n_items, n_items), `groups` (n_items,).
    """

    def __init__(self, table: sp.csr_array, groups: np.ndarray) -> None:
        n_items = table.shape[0]
        rows = np.repeat(np.arange(n_items), np.diff(table.indptr))
        kept = groups[rows] != groups[table.indices]
        self.counts = np.bincount(rows[kept], minlength=n_items)
        self._indptr = np.r_[0, np.cumsum(self.counts)]
        self._items = table.indices[kept].astype(np.int32)

    def of(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relevant items of some queries as indptr and indices."""
        counts = self.counts[queries]
        indptr = np.r_[0, np.cumsum(counts)].astype(np.int64)
        shift = np.repeat(self._indptr[queries] - indptr[:-1], counts)
        return indptr, self._items[np.arange(indptr[-1]) + shift]


class LabelRelevance:
    """Items of the same class, listed only for the requested queries.

    Shapes: `labels` (n_items,), `groups` (n_items,).
    """

    def __init__(self, labels: np.ndarray, groups: np.ndarray) -> None:
        self._labels, self._groups = labels, groups
        by_class = np.argsort(labels, kind="stable").astype(np.int32)
        self._members = np.split(by_class, np.cumsum(np.bincount(labels))[:-1])
        _, pair_of, sizes = np.unique(
            np.column_stack([labels, groups]),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        own = sizes[pair_of.reshape(-1)]
        self.counts = np.bincount(labels)[labels] - own

    def of(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relevant items of some queries as indptr and indices."""
        indptr = np.r_[0, np.cumsum(self.counts[queries])].astype(np.int64)
        items = np.empty(indptr[-1], np.int32)
        for place, q in enumerate(queries):
            members = self._members[self._labels[q]]
            items[indptr[place] : indptr[place + 1]] = members[
                self._groups[members] != self._groups[q]
            ]
        return indptr, items
