"""Who played what, for regressors that measure their errors on users."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skcoldstart._utils.sk import _routing_enabled
from skcoldstart.neural import UserFactors

__all__ = ["usage_parameters"]

NAMES = ("user_factors", "usage")
USERS = "user_factors_"  # missing where scores are not x_u . y_i


def usage_parameters(
    regressor: Any, recommender: Any, plays: sp.csr_array, items: np.ndarray
) -> dict[str, Any]:
    """Return parameters of `fit` for a regressor that asks for usage.

    Shapes: `plays` (n_all_items, n_users), `items` (n_items,).

    A regressor asks by naming ``user_factors`` and ``usage`` in the signature of its
    `fit`. It may be the last step of a Pipeline, or searched by `GridSearchCV` and
    its like; behind `TransformedTargetRegressor` it predicts other things than
    factors, and is given nothing.
    """
    prefix, asking = _who_asks(regressor)
    user_factors = None if asking is None else getattr(recommender, USERS, None)
    if user_factors is None:
        return {}
    usage = plays[items]
    if hasattr(recommender.factorizer_, "confidences"):
        usage = recommender.factorizer_.confidences(usage)
    else:
        usage.data[:] = 1
    if _routing_enabled():
        asking.set_fit_request(**dict.fromkeys(NAMES, True))
        prefix = ""
    return {
        f"{prefix}user_factors": UserFactors(user_factors),
        f"{prefix}usage": usage,
    }


def _who_asks(regressor: Any) -> tuple[str, Any]:
    """Return the estimator that asks, and what leads its parameters to it."""
    if isinstance(regressor, Pipeline):
        name, last = regressor.steps[-1]
        prefix, asking = _who_asks(last)
        return f"{name}__{prefix}", asking
    if hasattr(regressor, "estimator") and hasattr(regressor, "refit"):  # a search
        return _who_asks(regressor.estimator)
    asks = all(has_fit_parameter(regressor, name) for name in NAMES)
    return "", regressor if asks else None
