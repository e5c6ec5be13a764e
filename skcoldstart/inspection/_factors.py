"""Factors and item names for displays."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.docstrings import COMMON
from skcoldstart._utils.missing import is_missing, name_missing_content
from skcoldstart.inspection._style import readable

TEXTS = COMMON | {
    "source": """\
estimator : estimator
    A fitted `skcoldstart.WMF`, or a recommender with ``predict_factors`` and
    ``user_factors_``, also at the end of a Pipeline or inside a search.
X : sequence of n_items items, default=None
    Content to predict the factors from, of items with or without plays; ``None``
    uses the factors of training items from their plays.
""",
    "names": """\
names : array-like of shape (n_items,), default=None
    Name of each item; ``None`` numbers them.
""",
}


def factors_of(
    estimator: Any, X: Any = None, **by_item: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the item and user factors of a fitted estimator.

    Shapes: -> `item_factors` (n_items, k), `user_factors` (n_users, k).

    Rows of `by_item`, such as names, must be those of X.
    """
    check_is_fitted(estimator)
    for name, values in by_item.items():
        check_same_items(X, values, input_name=name)
    model, content = open_recommender(estimator, X)
    name = type(model).__name__
    if X is None:
        model = getattr(model, "factorizer_", model)
        if not hasattr(model, "item_factors_"):
            raise TypeError(
                f"{name} keeps no factors of its training items; expected a fitted "
                f"WMF or a ColdStartRecommender with one. Pass X to use factors "
                f"predicted from content."
            )
        return model.item_factors_, model.user_factors_
    if not hasattr(model, "predict_factors") or not hasattr(model, "user_factors_"):
        raise TypeError(
            f"{name} does not predict factors from X; expected a recommender with "
            "predict_factors and user_factors_, such as ColdStartRecommender. Leave X "
            "out for a factorizer."
        )
    predicted, users = model.predict_factors(content), model.user_factors_
    if sp.issparse(predicted) or sp.issparse(users):
        raise TypeError(
            f"The factors of {name} are sparse, with a column for each training item; "
            "expected dense ones, such as those of ColdStartRecommender."
        )
    return np.asarray(predicted), np.asarray(users)


def check_factors(factors: Any, *, input_name: str, like: Any = None) -> np.ndarray:
    """Validate a table of factors: `factors` (n, k), `like` (m, k) -> (n, k)."""
    with name_missing_content(factors):
        factors = check_array(
            factors, dtype=[np.float64, np.float32], input_name=input_name
        )
    if like is not None and factors.shape[1] != like.shape[1]:
        raise ValueError(
            f"{input_name} has {factors.shape[1]} columns; expected {like.shape[1]}, "
            "one per factor, as the item factors have."
        )
    return factors


def check_texts(texts: Any, n_items: int, *, input_name: str) -> np.ndarray:
    """Return one line of text per item: `texts` (n_items,) -> (n_items,)."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"{input_name} is a single text; expected a sequence with one entry per "
            "item."
        )
    values = one_per_item(texts, n_items, input_name=input_name)
    return np.array(
        [
            "" if missing else readable(value)
            for value, missing in zip(values, is_missing(values), strict=True)
        ],
        dtype=str,
    )


def one_per_item(values: Any, n_items: int, *, input_name: str) -> np.ndarray:
    """Return objects of shape (n_items,)."""
    values = np.asarray(values, dtype=object)
    if values.shape != (n_items,):
        raise ValueError(
            f"{input_name} has shape {values.shape}; expected ({n_items},), one entry "
            "per item."
        )
    return values


def item_names(names: Any, n_items: int) -> np.ndarray:
    """Return the names of items, numbers if there are none, (n_items,)."""
    if names is None:
        names = [f"item {i}" for i in range(n_items)]
    return check_texts(names, n_items, input_name="names")
