"""Labels of items: the index of a pandas column goes with the frames made of it."""

from typing import Any

from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.sk import _get_output_config

__all__ = ["label_rows", "labels_of"]


def labels_of(X: Any) -> Any:
    """Return the pandas index of items, or None where they have none."""
    if hasattr(X, "iloc") or isinstance(X, (RaggedArray, LazySequence)):
        return X.index
    return None


def label_rows(rows: Any, X: Any, estimator: Any) -> Any:
    """Return the rows of items under their labels, where a pandas frame is wanted.

    scikit-learn takes labels from pandas objects alone, and X may be frames or codes.
    """
    labels = labels_of(X)
    if (
        labels is None
        or _get_output_config("transform", estimator)["dense"] != "pandas"
    ):
        return rows
    import pandas as pd

    return pd.DataFrame(rows, index=labels)
