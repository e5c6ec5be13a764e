"""Labels of items: frames keep the index of the pandas column they come from."""

from typing import Any

from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.sk import _get_output_config


def labels_of(X: Any) -> Any:
    """Return the pandas index of items, or None if they have none."""
    if hasattr(X, "iloc") or isinstance(X, (RaggedArray, LazySequence)):
        return X.index
    return None


def label_rows(rows: Any, X: Any, estimator: Any) -> Any:
    """Return the rows of items with their labels if pandas output is selected.

    scikit-learn takes labels only from pandas objects, but X may be frames or codes.
    """
    labels = labels_of(X)
    if (
        labels is None
        or _get_output_config("transform", estimator)["dense"] != "pandas"
    ):
        return rows
    import pandas as pd

    return pd.DataFrame(rows, index=labels)
