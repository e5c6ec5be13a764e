"""Labels of rows: X, y and other inputs must have the same items in the same order."""

from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._utils.missing import refuse_masked, refuse_missing
from skcoldstart._utils.sk import _num_samples
from skcoldstart._utils.table import as_list


def check_same_items(
    X: Any, other: Any, *, input_name: str = "y", first_name: str = "X"
) -> None:
    """Reject tables whose rows name the same items in another order.

    Names are the index of a frame, or the item ids of labelled plays. Those without a
    common label are treated as positions, and so are integers unless both tables hold
    the same ones, because selected rows keep their labels.
    """
    if _ids_of_plays(X) is None and _ids_of_plays(other) is None:
        rows, others = _index_of(X), _index_of(other)
    else:  # a default index holds positions, and ids do not
        rows, others = names_of_rows(X), names_of_rows(other)
    if rows is None or others is None:
        return
    both = hasattr(rows, "equals") and hasattr(others, "equals")  # NaN equals NaN
    is_equal = rows.equals if both else partial(np.array_equal, rows)
    if len(rows) != len(others) or is_equal(others):
        return
    shared = _isin(others, rows)
    reordered = shared.all() and _isin(rows, others).all()
    if not shared.any() or (not reordered and others.dtype.kind in "iu"):
        return
    place = int(np.argmax(np.asarray(rows, object) != np.asarray(others, object)))
    found = (
        "name the same items in another order"
        if reordered
        else f"share {np.count_nonzero(shared)} of {len(rows)} items"
    )
    remedy = (
        f"Pass {input_name}.loc[{first_name}.index], or reset_index(drop=True) if the "
        "order is correct."
    )
    if _ids_of_plays(other) is not None:
        remedy = (
            f"Pass {first_name}.loc[{input_name}.item_ids], or give the ids of "
            f"{first_name} to plays_from_events as items."
        )
    raise ValueError(
        f"The rows of {first_name} and {input_name} {found}: row {place} is "
        f"{as_list(rows)[place]!r} in {first_name} and {as_list(others)[place]!r} in "
        f"{input_name}, and row i of both must be the same item. {remedy}"
    )


def names_of_rows(table: Any) -> Any:
    """Return names of items from ids of plays, an index, or a column ``item_id``.

    Shapes: -> (n_items,). The result is None if there are none, or they are repeated.
    """
    ids = _ids_of_plays(table)
    if ids is not None:
        return ids
    index = _index_of(table)
    if index is not None:
        from pandas import RangeIndex

        if not index.equals(RangeIndex(len(index))):
            return index if index.is_unique else None
    if "item_id" not in getattr(table, "column_names", getattr(table, "columns", ())):
        return None
    values = as_list(table["item_id"])
    if len(set(values)) < len(values) or None in values:
        return None
    return np.array([*values, None])[:-1]  # an array of objects


def _ids_of_plays(table: Any) -> np.ndarray | None:
    return getattr(table, "item_ids", None) if sp.issparse(table) else None


def _index_of(table: Any) -> Any:
    index = getattr(table, "index", None)
    return index if hasattr(index, "isin") else None


def _isin(labels: Any, others: Any) -> np.ndarray:
    """Mark the labels that are among others, (n_labels,)."""
    if hasattr(labels, "isin"):
        return labels.isin(others)
    known = set(as_list(others))
    return np.fromiter((label in known for label in labels), bool, len(labels))


def check_groups(groups: Any, X: Any, *, name: str = "groups") -> None:
    """Reject groups unless there is one per item and none is missing."""
    if groups is None:
        return
    n_items = _num_samples(X)
    if np.shape(groups) != (n_items,):
        raise ValueError(
            f"{name} has shape {np.shape(groups)} but there are {n_items} items; "
            "expected one group per item."
        )
    check_same_items(X, groups, input_name=name)
    refuse_masked(groups, name)
    refuse_missing(
        groups,
        what=f"A value of {name}",
        remedy=(
            "give each of them a group of its own, because items without a group do "
            "not form one group, or leave them out."
        ),
    )
