"""Tables of results."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["table_of"]


def table_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return rows as a DataFrame; as a dict of columns where pandas is missing."""
    columns = {name: np.asarray([row[name] for row in rows]) for name in rows[0]}
    try:
        import pandas as pd
    except ImportError:
        return columns
    return pd.DataFrame(columns)
