"""Play counts: one row per item, one column per user."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcoldstart._scores.user_names import user_names_of
from skcoldstart._sequences.checks import check_one_row_per_item
from skcoldstart._utils.missing import refuse_masked, with_place

# Marks checked plays that a recommender passes to its parts; results of operations on
# them are not marked.
_CHECKED = "checked_play_counts"


class LabelledPlays(sp.csr_array):
    """Play counts with names of columns and rows, which selected rows keep.

    Shapes: (n_items, n_users), `user_ids` (n_users,), `item_ids` (n_items,).
    """

    user_ids: np.ndarray | None = None
    item_ids: np.ndarray | None = None

    def __getitem__(self, key: Any) -> Any:
        chosen = super().__getitem__(key)
        if isinstance(chosen, LabelledPlays) and not isinstance(key, tuple):
            chosen.user_ids = self.user_ids
            if self.item_ids is not None and chosen.ndim == 2:
                chosen.item_ids = self.item_ids[key]
        return chosen


def labelled(
    plays: sp.csr_array, user_ids: np.ndarray, item_ids: np.ndarray | None = None
) -> LabelledPlays:
    """Return plays with names of their columns and rows; nothing is copied.

    Shapes: `plays` (n_items, n_users), `user_ids` (n_users,), `item_ids` (n_items,).
    """
    named = LabelledPlays(plays)
    named.user_ids, named.item_ids = user_ids, item_ids
    return named


def check_play_counts(
    y: Any, *, n_items: int | None = None, input_name: str = "y", dtype: Any = None
) -> sp.csr_array:
    """Validate play counts and return them as canonical CSR.

    Shapes: `y` (n_items, n_users) -> (n_items, n_users).
    """
    if getattr(y, _CHECKED, False) and dtype is None:
        if n_items is not None:
            check_one_row_per_item(y.shape, n_items, input_name=input_name)
        return y
    if y is None:
        raise ValueError(
            f"{input_name} is None; pass play counts of shape (n_items, n_users)."
        )
    if isinstance(y, Mapping) and not sp.issparse(y):  # a dok_array is both
        raise TypeError(
            f"{input_name} is a {type(y).__name__} with the fields "
            f"{', '.join(map(str, y))}; expected play counts of shape (n_items, "
            f"n_users). Pass its field of plays, such as {input_name}['plays']."
        )
    if not hasattr(y, "shape"):
        y = np.asarray(y)
    refuse_masked(y, input_name)
    if not (isinstance(y, np.ndarray) or type(y) is sp.csr_array):
        user_names_of(y)  # each column must be a different user
    shape = y.shape
    if np.iscomplexobj(y):
        raise ValueError(
            f"Complex data not supported: {input_name} must hold play counts."
        )
    if len(shape) == 1:
        raise ValueError(
            f"{input_name} has shape {shape}; expected a 2-D table of play counts of "
            "shape (n_items, n_users). Reshape your data: one row per item, one column "
            "per user."
        )
    if n_items is not None and len(shape) == 2:
        check_one_row_per_item(shape, n_items, input_name=input_name)
    if sp.issparse(y) and y.dtype.kind in "iub":
        # Sums of duplicates could overflow a narrow integer.
        y = y.astype(np.float64)
    try:
        plays = sp.csr_array(
            check_array(
                y,
                accept_sparse="csr",
                dtype=[np.float64, np.float32] if dtype is None else dtype,
                input_name=input_name,
            )
        )
    except ValueError as error:
        if "could not convert string" in str(error):
            raise ValueError(
                f"{input_name} has text in it ({error}); expected play counts of shape "
                "(n_items, n_users). datasets.plays_from_events converts a log of "
                "events."
            ) from error
        raise with_place(error, y) from error
    if plays.nnz and plays.data.min() < 0:
        raise ValueError(
            f"Negative values in data passed to {input_name}: the smallest is "
            f"{plays.data.min():g}. Play counts are >= 0; drop or clip the others."
        )
    if not (plays.has_canonical_format and plays.data.all()):
        plays = plays.copy()
        plays.sum_duplicates()
        plays.eliminate_zeros()
    if plays.data.sum(dtype=np.float64) > np.finfo(plays.dtype).max:
        raise ValueError(
            f"The play counts in {input_name} add up to infinity as {plays.dtype}: the "
            f"largest is {plays.data.max():g}. Divide them by a constant, or clip them."
        )
    setattr(plays, _CHECKED, True)
    return plays
