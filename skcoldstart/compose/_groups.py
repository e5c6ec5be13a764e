"""Groups of items, such as artists."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import is_missing

__all__ = ["check_item_groups", "group_table", "known_groups"]


def check_item_groups(groups: Any, X: Any) -> np.ndarray:
    """Return the group of each item of X as objects, None where it is missing.

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
    """Mark the group of each item; nothing for one that is missing or not known.

    Shapes: `groups` (n_items,) -> (n_items, n_known).
    """
    codes = {group: code for code, group in enumerate(known)}
    found = np.array([codes.get(group, -1) for group in groups], dtype=np.int64)
    rows = np.flatnonzero(found >= 0)
    return sp.csr_array(
        (np.ones(len(rows), dtype), (rows, found[rows])),
        shape=(len(groups), len(known)),
    )
