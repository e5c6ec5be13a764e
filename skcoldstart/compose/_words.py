"""Counts of the words of texts, from any container of texts."""

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._utils.missing import is_missing


class WordCounter(CountVectorizer):
    """`CountVectorizer` of a list, series or column; a missing text has no words."""

    def fit(self, raw_documents: Any, y: Any = None) -> "WordCounter":
        """Learn the vocabulary."""
        self.fit_transform(raw_documents)
        return self

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        """Learn the vocabulary and return the counts."""
        return super().fit_transform(_texts(raw_documents))

    def transform(self, raw_documents: Any) -> Any:
        """Return the counts of known words."""
        return super().transform(_texts(raw_documents))


def _texts(X: Any) -> list[Any]:
    """Return one text per item; refuse what is no text."""
    columns = list(getattr(X, "column_names", getattr(X, "columns", ())))
    shape = np.shape(X)
    if len(columns) == 1:
        X = X[columns[0]]
    elif columns or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(
            f"X has {len(columns) or shape[1]} columns"
            f"{': ' if columns else ''}{', '.join(map(repr, columns))}; expected one "
            "text per item. Pass one column or join them, or encode each of them in a "
            "ColumnTransformer before make_recommender('table')."
        )
    elif len(shape) == 2:
        X = np.asarray(X)[:, 0]
    check_item_sequence(X)
    texts = X.to_pylist() if hasattr(X, "to_pylist") else list(X)
    texts = [
        "" if none else t for t, none in zip(texts, is_missing(texts), strict=True)
    ]
    for item, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise TypeError(
                f"Item {item} of X is {text!r:.80} ({type(text).__name__}); expected a "
                "text, or None for an item without one."
            )
    return texts
