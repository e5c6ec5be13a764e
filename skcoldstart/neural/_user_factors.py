"""User factors and plays for objectives that are measured on users."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.missing import refuse_masked


class UserFactors:
    """User factors that pipelines, searches and `clone` do not slice.

    scikit-learn's searches slice every parameter of `fit` that is as long as `X`.
    Factors of users are not related to the rows of `X` and must not be sliced, even if
    there are as many users as items.

    .. versionadded:: 0.1

    Parameters
    ----------
    array : array-like of shape (n_users, k)
        Factors of all users.

    Attributes
    ----------
    array : ndarray of shape (n_users, k)
        The factors as an array, not copied if it is one already.

    See Also
    --------
    skcoldstart.CNNFactorRegressor : Accepts it as ``user_factors``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import clone
    >>> from skcoldstart.neural import UserFactors
    >>> factors = UserFactors(np.ones((3, 2)))
    >>> factors
    UserFactors(3 users x 2)
    >>> clone(factors) is factors
    True
    """

    # Without length, shape and __array__, so that it is not sliced.

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    def __sklearn_clone__(self) -> "UserFactors":
        return self

    def __repr__(self) -> str:
        return f"UserFactors({' x '.join(map(str, self.array.shape))})".replace(
            " x", " users x", 1
        )


def check_usage(
    user_factors: Any, usage: Any, *, objective: str, n_items: int, n_outputs: int
) -> tuple[np.ndarray | None, sp.csr_array | None]:
    """Validate the arguments that an objective needs in addition to the targets.

    Shapes: `user_factors` (n_users, k), `usage` (n_items, n_users) -> `user_factors`
    (n_users, k), `usage` (n_items, n_users).
    """
    if objective == "mse":
        return None, None
    needed = {"user_factors": user_factors}
    if objective != "gram":
        needed["usage"] = usage
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise ValueError(
            f"objective={objective!r} needs {' and '.join(missing)}, which fit did "
            f"not receive. ColdStartRecommender passes them if the regressor predicts "
            f"its factors and the factorizer decodes linearly, such as WMF: not "
            f"inside TransformedTargetRegressor, and not with PCA. Otherwise pass "
            f"them to fit."
        )
    if isinstance(user_factors, UserFactors):
        user_factors = user_factors.array
    refuse_masked(user_factors, "user_factors")
    factors = check_array(
        user_factors, dtype=[np.float32, np.float64], input_name="user_factors"
    )
    if factors.shape[1] != n_outputs:
        raise ValueError(
            f"user_factors has {factors.shape[1]} columns but y has {n_outputs}; both "
            f"must have one column per factor."
        )
    if "usage" not in needed:
        return factors, None
    confidences = check_play_counts(usage, input_name="usage")
    if confidences.shape[0] != n_items:
        raise ValueError(
            f"usage has {confidences.shape[0]} rows but X has {n_items} items; expected"
            " one row per item and one column per user."
        )
    if confidences.shape[1] != len(factors):
        raise ValueError(
            f"usage has {confidences.shape[1]} users but user_factors has "
            f"{len(factors)}; expected one column of usage per row of user_factors. "
            "A search slices arrays that are as long as X: wrap the factors in "
            "skcoldstart.neural.UserFactors to keep them whole."
        )
    if confidences.nnz == 0:
        raise ValueError("usage has no plays; at least one is required.")
    if confidences.data.min() < 1:
        raise ValueError(
            f"usage has the entry {confidences.data.min():g}; stored entries are "
            f"confidences of played pairs, which must be at least 1, the confidence "
            f"of an unplayed pair."
        )
    return factors, confidences
