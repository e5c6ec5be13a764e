"""Labels of rows: X, y and other inputs must have the same items in the same order."""

from typing import Any

import numpy as np

from skcoldstart._utils.missing import refuse_masked, refuse_missing
from skcoldstart._utils.sk import _num_samples


def check_same_items(
    X: Any, other: Any, *, input_name: str = "y", first_name: str = "X"
) -> None:
    """Reject frames whose indexes name the same items in another order.

    Indexes without a common label are treated as positions, and so are integers unless
    both indexes hold the same ones, because selected rows keep their labels.
    """
    rows: Any = getattr(X, "index", None)
    others: Any = getattr(other, "index", None)
    if not (hasattr(rows, "isin") and hasattr(others, "isin")):
        return
    if len(rows) != len(others) or rows.equals(others):
        return
    shared = others.isin(rows)
    reordered = shared.all() and rows.isin(others).all()
    if not shared.any() or (not reordered and others.dtype.kind in "iu"):
        return
    place = int(np.argmax(np.asarray(rows, object) != np.asarray(others, object)))
    found = (
        "name the same items in another order"
        if reordered
        else f"share {np.count_nonzero(shared)} of {len(rows)} items"
    )
    raise ValueError(
        f"The indexes of {first_name} and {input_name} {found}: row {place} is "
        f"{rows[place]!r} in {first_name} and {others[place]!r} in {input_name}, and "
        f"row i of both must be the same item. Pass {input_name}.loc[{first_name}"
        ".index], or reset_index(drop=True) if the order is correct."
    )


def check_groups(groups: Any, X: Any, *, name: str = "groups") -> None:
    """Reject groups unless there is one per item and none is missing."""
    if groups is None:
        return
    n_items = _num_samples(X)
    if np.shape(groups) != (n_items,):
        raise ValueError(
            f"{name} has shape {np.shape(groups)} but X has {n_items} items; expected "
            "one group per item."
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
