"""Who played what, for regressors that measure their errors on users."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart.compose._regressors import named_for_fit
from skcoldstart.neural import UserFactors

__all__ = ["usage_parameters"]

NAMES = ("user_factors", "usage")


def usage_parameters(
    regressor: Any, factorizer: Any, user_factors: np.ndarray | None, plays: Any
) -> dict[str, Any]:
    """Return parameters of `fit` for a regressor that wants usage.

    Shapes: `user_factors` (n_users, k), `plays` (n_items, n_users) of its items.

    A regressor wants it by naming ``user_factors`` and ``usage`` in the signature of
    its `fit`. Behind `TransformedTargetRegressor` it predicts other things than
    factors, and is given nothing.
    """
    if user_factors is None or not (named := named_for_fit(regressor, NAMES)):
        return {}
    if hasattr(factorizer, "confidences"):
        usage = factorizer.confidences(plays)
    else:
        usage = sp.csr_array(plays, copy=True)
        usage.data[:] = 1
    values = {"user_factors": UserFactors(user_factors), "usage": usage}
    return {named[name]: value for name, value in values.items()}
