"""Names of users: the columns of plays that are given as a DataFrame."""

from typing import Any

import numpy as np

from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.sk import _get_feature_names

__all__ = ["check_user_names", "record_user_names", "users_by_name"]

_SHOWN = 5


def record_user_names(recommender: Any, y: Any) -> None:
    """Remember the users of y as ``user_names_in_``, or forget those of an older fit.

    Shapes: `y` (n_items, n_users).
    """
    names = _get_feature_names(y)
    if names is not None:
        recommender.user_names_in_ = names
    elif hasattr(recommender, "user_names_in_"):
        del recommender.user_names_in_


def check_user_names(recommender: Any, y: Any, *, input_name: str = "y") -> None:
    """Refuse plays whose users are others than those of fit, or in another order.

    Shapes: `y` (n_items, n_users).

    Nothing is compared where the one or the other has no names.
    """
    known = getattr(open_recommender(recommender)[0], "user_names_in_", None)
    if known is None or y is None:
        return
    names = _get_feature_names(y)
    if names is None or np.array_equal(names, known):
        return
    message = f"The columns of {input_name} are not the users of fit. "
    unknown, missing = np.setdiff1d(names, known), np.setdiff1d(known, names)
    if len(unknown):
        message += f"Not seen in fit: {_some(unknown)}. "
    if len(missing):
        message += f"Missing: {_some(missing)}. "
    if len(unknown) or len(missing):
        message += "Scores have one column per user of fit, in that order."
    else:
        message += (
            f"They are in another order; pass {input_name}[recommender.user_names_in_]."
        )
    raise ValueError(message)


def users_by_name(users: Any, names: np.ndarray | None) -> Any:
    """Return indices in place of names of users, anything else as it is.

    Shapes: `names` (n_users,) -> (n_selected_users,).
    """
    if isinstance(users, np.ndarray) and users.dtype.kind in "iub":
        return users
    chosen = np.asarray(users, dtype=object)
    named = [isinstance(user, str) for user in chosen.ravel()]
    if chosen.ndim != 1 or not named or not all(named):
        return users
    if names is None:
        raise ValueError(
            f"users holds names, such as {chosen[0]!r}, but fit was given plays whose "
            "users have none; pass indices, or fit on a DataFrame, a column per user."
        )
    place = {name: column for column, name in enumerate(names)}
    unknown = [name for name in chosen if name not in place]
    if unknown:
        raise ValueError(f"users holds {_some(np.array(unknown))}, not seen in fit.")
    return np.array([place[name] for name in chosen], dtype=np.int64)


def _some(names: np.ndarray) -> str:
    shown = ", ".join(repr(str(name)) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
