"""Relevant items of queries, from plays or labels, and checks of these."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

from skcoldstart._recommender import check_training_plays
from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._scores.sources import CallableScores
from skcoldstart._scores.top_n import top_n_per_user
from skcoldstart._scores.user_names import record_user_names
from skcoldstart._sequences.checks import check_one_row_per_item, count_items
from skcoldstart._utils.missing import refuse_masked, refuse_missing


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
    if table is None and labels is not None:
        return LabelRelevance(labels, groups)
    if table is None:
        table = listeners_in_common(plays, groups, n_relevant, n_jobs)
    return TableRelevance(table, groups)


def listeners_in_common(
    plays: sp.csr_array, groups: np.ndarray, n_relevant: int, n_jobs: int | None
) -> sp.csr_array:
    """Mark the items whose sets of listeners are most similar to an item's.

    Shapes: `plays` (n_items, n_users), `groups` (n_items,) -> (n_items, n_items).
    """
    n_items = plays.shape[0]
    listens = (plays > 0).astype(np.float64)
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
        rows = np.repeat(np.arange(len(groups)), np.diff(table.indptr))
        kept = groups[rows] != groups[table.indices]
        self.counts = np.bincount(rows[kept], minlength=len(groups))
        indptr = np.r_[0, np.cumsum(self.counts)]
        pairs = np.ones(indptr[-1], bool), table.indices[kept], indptr
        self._table = sp.csr_array(pairs, shape=table.shape)

    def of(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relevant items of some queries as indptr and indices."""
        found = self._table[queries]
        return found.indptr.astype(np.int64), found.indices.astype(np.int32)


class LabelRelevance:
    """Items of the same class, listed only for the requested queries.

    Shapes: `labels` (n_items,), `groups` (n_items,).
    """

    def __init__(self, labels: np.ndarray, groups: np.ndarray) -> None:
        self._labels, self._groups = labels, groups
        by_class = np.argsort(labels, kind="stable").astype(np.int32)
        self._members = np.split(by_class, np.cumsum(np.bincount(labels))[:-1])
        pairs = labels * (groups.max() + 1) + groups
        _, place, sizes = np.unique(pairs, return_inverse=True, return_counts=True)
        self.counts = np.bincount(labels)[labels] - sizes[place]

    def of(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        indptr = np.r_[0, np.cumsum(self.counts[queries])].astype(np.int64)
        items = np.empty(indptr[-1], np.int32)
        for place, q in enumerate(queries):
            members = self._members[self._labels[q]]
            items[indptr[place] : indptr[place + 1]] = members[
                self._groups[members] != self._groups[q]
            ]
        return indptr, items


def holds_labels(y: Any) -> bool:
    """Return whether y is labels, one for each item, and not plays."""
    return not sp.issparse(y) and np.asarray(y).ndim == 1


def check_target(
    estimator: Any, X: Any, y: Any, relevance: Any, user_ids: Any = None
) -> tuple[sp.csr_array | None, np.ndarray | None]:
    """Return plays or labels, depending on y."""
    record_user_names(estimator, None)  # delete those of an earlier fit
    if y is None:
        if relevance is None:
            raise ValueError(
                f"{type(estimator).__name__} requires y to be passed, but the target y "
                "is None; pass play counts of shape (n_items, n_users), class labels "
                "of shape (n_items,), or relevance= of shape (n_items, n_items)."
            )
        return None, None
    if holds_labels(y):
        refuse_masked(X, "X")
        check_same_items(X, y)
        return None, check_labels(y, count_items(X))
    return check_training_plays(estimator, X, y, user_ids=user_ids), None


def check_labels(y: Any, n_items: int) -> np.ndarray:
    """Return class labels as codes from 0."""
    refuse_masked(y, "y")
    y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    check_one_row_per_item(y.shape, n_items, columns="")
    refuse_missing(y, what="A label of y", remedy="leave these items out.")
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)[1]


def group_codes(groups: Any, X: Any) -> np.ndarray:
    """Return groups as codes from 0; without groups each item is its own group."""
    if groups is None:
        return np.arange(count_items(X), dtype=np.int32)
    check_groups(groups, X)
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int32)


def check_relevance(relevance: Any, X: Any) -> sp.csr_array:
    """Return a square table with an entry for each relevant pair of items of X."""
    n_items = count_items(X)
    refuse_masked(X, "X")
    refuse_masked(relevance, "relevance")
    for table in (relevance, getattr(relevance, "T", None)):
        check_same_items(X, table, input_name="relevance")
    table = sp.csr_array(
        check_array(relevance, accept_sparse="csr", input_name="relevance")
    )
    if table.shape != (n_items, n_items):
        hint = ""
        if table.shape[0] == n_items:
            hint = (
                " Cross-validation selects its rows but not its columns: fit to plays "
                "or labels instead."
            )
        raise ValueError(
            f"relevance has shape {table.shape} but X has {n_items} items; expected "
            f"(n_items, n_items).{hint}"
        )
    table = table.copy()
    table.sum_duplicates()
    table.eliminate_zeros()
    return table
