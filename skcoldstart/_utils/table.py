"""Tables of results."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def table_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a DataFrame, or as a dict of columns if pandas is missing."""
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    try:
        return pandas_frame(columns)
    except ImportError:
        return columns


def pandas_frame(columns: Mapping[str, np.ndarray]) -> Any:
    """Return columns as a DataFrame, also where a name of a file is not UTF-8."""
    import pandas as pd

    try:
        return pd.DataFrame(columns)
    except UnicodeEncodeError:  # from pandas 3 on, which keeps text in Arrow
        return pd.DataFrame({
            name: pd.Series(values, dtype=object if values.dtype.kind in "OU" else None)
            for name, values in columns.items()
        })


def _column(values: list) -> np.ndarray:
    """Return values as a 1-D array; numbers next to text stay numbers."""
    n_text = sum(isinstance(value, str) for value in values)
    mixed = 0 < n_text < len(values) or any(isinstance(v, tuple) for v in values)
    return np.fromiter(values, object, len(values)) if mixed else np.asarray(values)


def ranges(values: np.ndarray, n: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and masks of up to n ranges of values, about equally large.

    Shapes: `values` (n_values,) -> (n_values,).
    """
    edges = np.unique(np.quantile(values, np.arange(1, n + 1) / n, method="lower"))
    place = np.searchsorted(edges, values)
    for number in np.unique(place):
        low, high = values[place == number].min(), values[place == number].max()
        yield f"{low:g}" if low == high else f"{low:g}-{high:g}", place == number


def as_list(column: Any) -> list[Any]:
    """Return the values of a column of any library as Python objects."""
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return getattr(column, method)()
    return list(column)
