"""Tables of results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["table_of"]


def table_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a DataFrame, or as a dict of columns if pandas is missing."""
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    try:
        import pandas as pd
    except ImportError:
        return columns
    return pd.DataFrame(columns)


def _column(values: list) -> np.ndarray:
    """Return values as a 1-D array; numbers next to text stay numbers."""
    n_text = sum(isinstance(value, str) for value in values)
    mixed = 0 < n_text < len(values) or any(isinstance(v, tuple) for v in values)
    return np.fromiter(values, object, len(values)) if mixed else np.asarray(values)
