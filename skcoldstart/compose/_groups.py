"""Groups of items, such as artists."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import is_missing


def check_item_groups(groups: Any, X: Any) -> np.ndarray:
    """Return the group of each item of X as objects, None if it is missing.

    Shapes: -> (n_items,).
    """
    n_items = count_items(X)
    check_same_items(X, groups, input_name="groups")
    missing = is_missing(groups)
    if missing.shape != (n_items,):
        raise ValueError(
            f"groups has shape {missing.shape} but X has {n_items} items; expected one "
            "group per item."
        )
    values = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    found = np.empty(n_items, object)
    found[:] = values
    found[missing] = None
    return found


def known_groups(groups: np.ndarray) -> list[Hashable]:
    """Return the groups of items in the order of their first item."""
    return [group for group in dict.fromkeys(groups) if group is not None]


def group_table(groups: np.ndarray, known: list[Hashable], dtype: Any) -> sp.csr_array:
    """Mark the group of each item; rows of missing or unknown groups are empty.

    Shapes: `groups` (n_items,) -> (n_items, n_known).
    """
    codes = {group: code for code, group in enumerate(known)}
    found = np.array([codes.get(group, -1) for group in groups], dtype=np.int64)
    rows = np.flatnonzero(found >= 0)
    return sp.csr_array(
        (np.ones(len(rows), dtype), (rows, found[rows])),
        shape=(len(groups), len(known)),
    )


def by_group(
    X: Any, plays: sp.csr_array, groups: np.ndarray
) -> tuple[Any, sp.csr_array, np.ndarray, sp.csr_array]:
    """Average content and sum plays over the items of each group.

    Shapes: `X` (n_items, n_features), `plays` (n_items, n_users), `groups` (n_items,)
    -> the same two with a row for each group, the groups (n_groups,), and their items
    (n_items, n_groups).
    """
    if any(group is None for group in groups):
        raise ValueError(
            "group_level=True needs the group of every item, but "
            f"{sum(group is None for group in groups)} have none; give each of them a "
            "group of its own."
        )
    known = known_groups(groups)
    members = group_table(groups, known, np.float64)
    share = members.T.multiply(1 / members.sum(axis=0)[:, np.newaxis]).tocsr()
    try:
        table = check_array(X, accept_sparse="csr", input_name="X")
    except ValueError as error:
        raise ValueError(
            f"group_level=True averages the content of a group: {error} Pass a table "
            f"of numbers, or put the steps that compute it before the recommender."
        ) from error
    content = share @ table
    if hasattr(X, "iloc"):
        content = type(X)(content, columns=X.columns)
    summed = sp.csr_array(members.T @ plays)
    return content, summed, np.fromiter(known, object), members
