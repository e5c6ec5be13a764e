"""Where displays find factors, and the names of items."""

from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcoldstart._utils.scores import open_recommender

__all__ = ["check_factors", "check_texts", "factors_of"]


def factors_of(estimator: Any, X: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the item and user factors of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        A factorizer such as `WMF`, or a recommender with ``predict_factors`` and
        ``user_factors_``, also as the end of a Pipeline or inside a search.
    X : sequence of n_items items, default=None
        Content to predict item factors from; ``None`` means the factors that training
        items got from their plays.

    Returns
    -------
    item_factors : ndarray of shape (n_items, k)
        Predicted or fitted.
    user_factors : ndarray of shape (n_users, k)
        Fitted.

    Raises
    ------
    TypeError
        If the estimator has no such factors.
    """
    check_is_fitted(estimator)
    model, content = open_recommender(estimator, X)
    name = type(model).__name__
    if X is None:
        model = getattr(model, "factorizer_", model)
        if not hasattr(model, "item_factors_"):
            raise TypeError(
                f"{name} keeps no factors of its training items; expected a fitted WMF "
                "or a ColdStartRecommender with one. Pass X to have factors predicted "
                "from content."
            )
        return model.item_factors_, model.user_factors_
    if not hasattr(model, "predict_factors") or not hasattr(model, "user_factors_"):
        raise TypeError(
            f"{name} does not predict factors from X; expected a recommender with "
            "predict_factors and user_factors_, such as ColdStartRecommender. Leave X "
            "out for a factorizer."
        )
    return np.asarray(model.predict_factors(content)), np.asarray(model.user_factors_)


def check_factors(factors: Any, *, input_name: str, like: Any = None) -> np.ndarray:
    """Validate a table of factors.

    Parameters
    ----------
    factors : array-like of shape (n, k)
        Finite numbers.
    input_name : str
        Name used in messages.
    like : ndarray of shape (m, k), default=None
        A table that must have the same number of columns.

    Returns
    -------
    ndarray of shape (n, k)
        In float32 or float64.

    Raises
    ------
    ValueError
        If it is malformed or has another number of columns than `like`.
    """
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
    """Return one line of text per item.

    Parameters
    ----------
    texts : array-like of shape (n_items,)
        Names, labels, or other values that have a text. ``None`` and NaN are empty.
    n_items : int
        Number of items.
    input_name : str
        Name used in messages.

    Returns
    -------
    ndarray of shape (n_items,)
        Of str; runs of white space, line ends included, are one blank.

    Raises
    ------
    TypeError
        If `texts` is a single str.
    ValueError
        If there is not one text per item.
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"{input_name} is a single text; expected a sequence with one entry per "
            "item."
        )
    values = np.asarray(texts, dtype=object)
    if values.shape != (n_items,):
        raise ValueError(
            f"{input_name} has shape {values.shape}; expected ({n_items},), one entry "
            "per item."
        )
    return np.array(
        [
            "" if value is None or value != value else " ".join(str(value).split())
            for value in values
        ],
        dtype=str,
    )
