"""Tables of tags of items, with strengths."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp


def tag_table(
    rows: Any,
    tags: Any,
    values: Any,
    n_rows: int,
    names: np.ndarray,
    n_tags: int | None,
) -> tuple[sp.csr_array, np.ndarray]:
    """Build a table whose columns are the tags that occur.

    Shapes: `rows, tags, values` (n_pairs,), `names` (n_names,) -> `X` (n_rows, n_kept),
    `names` (n_kept,).
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
    """Return the row of each given name, -1 if there is none.

    Shapes: `names` (n_names,) -> (n_wanted,).
    """
    if isinstance(wanted, str | bytes):
        raise TypeError(f"{what} is {wanted!r}; expected an iterable of ids.")
    row = {name: i for i, name in enumerate(names.tolist())}
    return np.array([row.get(str(name), -1) for name in wanted], dtype=np.int64)
