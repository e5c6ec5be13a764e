"""Tables of tags: which item bears which word, and how strongly."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["rows_by_name", "tag_table", "take_rows"]


def tag_table(
    rows: Any,
    tags: Any,
    values: Any,
    n_rows: int,
    names: np.ndarray,
    n_tags: int | None,
) -> tuple[sp.csr_array, np.ndarray]:
    """Build a table whose columns are tags that something bears.

    Parameters
    ----------
    rows, tags, values : array-like of shape (n_pairs,)
        Row, number of the tag, and strength; of equal pairs the largest counts.
    n_rows : int
        How many rows there are.
    names : ndarray of shape (n_names,)
        The tags.
    n_tags : int or None
        Keep those that most rows bear, the first in the alphabet where they tie.

    Returns
    -------
    X : csr_array of shape (n_rows, n_kept)
        Strengths, float32.
    names : ndarray of shape (n_kept,), dtype object
        Sorted without `n_tags`, else by falling number of rows.
    """
    rows, tags = (np.asarray(part, dtype=np.int64) for part in (rows, tags))
    values = np.asarray(values, dtype=np.float32)
    order = np.lexsort((-values, tags, rows))
    rows, tags, values = rows[order], tags[order], values[order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(rows) != 0) | (np.diff(tags) != 0)
    first &= values > 0
    rows, tags, values = rows[first], tags[first], values[first]
    bearers = np.bincount(tags, minlength=len(names))
    alphabet = np.argsort(names.astype(str), kind="stable")
    kept = alphabet[bearers[alphabet] > 0]
    if n_tags is not None:
        kept = kept[np.argsort(-bearers[kept], kind="stable")][:n_tags]
    column = np.full(len(names), -1, dtype=np.int64)
    column[kept] = np.arange(len(kept))
    wanted = column[tags] >= 0
    X = sp.csr_array(
        sp.coo_array(
            (values[wanted], (rows[wanted], column[tags[wanted]])), (n_rows, len(kept))
        )
    )
    return X, names[kept].astype(object)


def rows_by_name(names: np.ndarray, wanted: Iterable[str], what: str) -> np.ndarray:
    """Return the row of each wanted name, -1 where there is none.

    Parameters
    ----------
    names : ndarray of shape (n_names,)
        Names of the rows.
    wanted : iterable of str
        Names, in the order of the result; they may repeat.
    what : str
        The parameter they come from, for the message.

    Returns
    -------
    ndarray of shape (n_wanted,)
        Rows.

    Raises
    ------
    TypeError
        If `wanted` is a string.
    """
    if isinstance(wanted, str | bytes):
        raise TypeError(f"{what} is {wanted!r}; expected an iterable of ids.")
    row = {name: i for i, name in enumerate(names.tolist())}
    return np.array([row.get(str(name), -1) for name in wanted], dtype=np.int64)


def take_rows(X: sp.csr_array, rows: np.ndarray) -> sp.csr_array:
    """Take rows of a table, empty ones where the number is -1.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_columns)
        The table.
    rows : ndarray of shape (n_taken,)
        Row numbers.

    Returns
    -------
    csr_array of shape (n_taken, n_columns)
        The rows.
    """
    there = np.flatnonzero(rows >= 0)
    chooser = sp.csr_array(
        (np.ones(len(there), X.dtype), (there, rows[there])), (len(rows), X.shape[0])
    )
    return sp.csr_array(chooser @ X)
