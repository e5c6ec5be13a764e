"""Checks of labels, groups and relevance."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets

from skcoldstart._recommender import check_training_plays
from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._scores.user_names import record_user_names
from skcoldstart._sequences.checks import check_one_row_per_item, count_items
from skcoldstart._utils.missing import refuse_masked


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
        hint = (
            " Cross-validation selects its rows but not its columns: fit to plays or "
            "labels instead."
            if table.shape[0] == n_items
            else ""
        )
        raise ValueError(
            f"relevance has shape {table.shape} but X has {n_items} items; expected "
            f"(n_items, n_items).{hint}"
        )
    table = table.copy()
    table.sum_duplicates()
    table.eliminate_zeros()
    return table
