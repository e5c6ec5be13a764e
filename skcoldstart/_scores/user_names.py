"""Names of users: labels of the columns of plays, of any type."""

from collections import Counter
from collections.abc import Hashable, Set
from typing import Any

import numpy as np

from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.missing import is_missing, refuse_masked
from skcoldstart._utils.table import as_list

_SHOWN = 5


def record_user_names(recommender: Any, y: Any, user_ids: Any = None) -> None:
    """Store the users of y as ``user_names_in_``, or delete those of an earlier fit.

    Shapes: `y` (n_items, n_users), `user_ids` (n_users,).
    """
    names = user_names_of(y)
    if user_ids is not None:
        given = as_names(user_ids, "user_ids", "users")
        n_users = np.shape(y)[1]
        if len(given) != n_users:
            raise ValueError(
                f"user_ids holds {len(given)} names but y has {n_users} columns; "
                "expected one name per user, in the order of the columns. A search "
                "slices parameters of fit that have one entry per item. If there are "
                "as many users as items, pass y as a DataFrame with named columns."
            )
        if names is not None and not np.array_equal(names, given):
            raise ValueError(
                f"user_ids {_some(given)} differ from the names of the columns of y, "
                f"{_some(names)}; pass only one of the two."
            )
        names = given
    if names is not None:
        recommender.user_names_in_ = names
    elif hasattr(recommender, "user_names_in_"):
        del recommender.user_names_in_


def user_names_of(y: Any) -> np.ndarray | None:
    """Return the labels of the columns of y, or None for default labels from 0.

    Shapes: `y` (n_items, n_users) -> (n_users,).
    """
    labels = _column_labels(y)
    return None if labels is None or _counts(labels) else labels


def _column_labels(y: Any) -> np.ndarray | None:
    columns = getattr(y, "user_ids", None)  # labelled plays
    columns = getattr(y, "column_names", getattr(y, "columns", columns))
    if columns is None:
        return None
    return as_names(columns, "the columns of y", "users")


def _counts(labels: np.ndarray) -> bool:
    return labels.dtype != object and np.array_equal(labels, np.arange(len(labels)))


def as_names(values: Any, what: str, of: str) -> np.ndarray:
    """Return labels as objects or integers; reject missing and repeated ones."""
    if isinstance(values, str | bytes | Set):
        raise TypeError(
            f"{what} are a {type(values).__name__}; expected a sequence of names, in "
            f"the order of the {of}."
        )
    values = as_list(values)
    if not all(isinstance(value, Hashable) for value in values):
        raise TypeError(
            f"{what} hold {next(v for v in values if not isinstance(v, Hashable))!r}; "
            f"expected one name for each of the {of}, such as text or a number."
        )
    names = np.fromiter(values, object, len(values))
    kinds = set(map(type, values))
    if kinds - {str, int} and is_missing(names).any():
        raise ValueError(f"{what} hold a missing value; expected names of all {of}.")
    others = [value for value in values if not isinstance(value, str)]
    if 0 < len(others) < len(values):
        raise TypeError(
            f"{what} mix strings with other types, such as {others[0]!r}, in names of "
            f"{of}; expected names of one type. Convert them, for example with "
            f".astype(str)."
        )
    if len(set(values)) < len(values):
        (name, n_same), *_ = Counter(values).most_common(1)
        raise ValueError(
            f"{what} name {n_same} {of} {name!r}; expected unique names. Merge "
            f"duplicates, or rename them."
        )
    if kinds != {int}:
        return names
    for dtype in (np.int64, np.uint64):  # without a type, large ones become floats
        limits = np.iinfo(dtype)
        if limits.min <= min(values) and max(values) <= limits.max:
            return np.array(values, dtype)
    return names


def check_user_names(recommender: Any, y: Any, *, input_name: str = "y") -> None:
    """Reject plays with other users than in fit, or in another order.

    Shapes: `y` (n_items, n_users).

    Nothing is compared if one of them has no names. Integer labels count as names if
    they are in another order.
    """
    names = None if y is None else _column_labels(y)
    if names is None:
        return
    recorded = getattr(open_recommender(recommender)[0], "user_names_in_", None)
    known = np.arange(len(names)) if recorded is None else recorded
    if np.array_equal(names, known):
        return
    unknown, missing = _only_in(names, known), _only_in(known, names)
    if (unknown or missing) and (recorded is None or _counts(names)):
        return
    message = f"The columns of {input_name} are not the users of fit. "
    if unknown:
        message += f"Not seen in fit: {_some(unknown)}. "
    if missing:
        message += f"Missing: {_some(missing)}. "
    if unknown or missing:
        message += "Scores have one column per user of fit, in that order."
    else:
        order = f"range({len(names)})"
        if recorded is not None:
            order = "recommender.user_names_in_"
        message += f"They are in another order; pass {input_name}[{order}]."
    raise ValueError(message)


def check_same_users(
    y: Any, other: Any, *, input_name: str, first_name: str = "y_true"
) -> None:
    """Reject two tables whose columns name different users or have another order.

    Shapes: `y` (n_items, n_users), `other` (n_items, n_users).
    """
    known, names = _column_labels(y), _column_labels(other)
    if known is None or names is None or np.array_equal(known, names):
        return
    differ = _only_in(names, known) or _only_in(known, names)
    if differ and (_counts(known) or _counts(names)):
        return
    raise ValueError(
        f"The columns of {first_name} and {input_name} name "
        f"{'other users' if differ else 'the same users in another order'}: "
        f"{_some(known)} against {_some(names)}. Pass "
        f"{input_name}[{first_name}.columns]."
    )


def _only_in(names: np.ndarray, others: np.ndarray) -> list[Any]:
    known = set(others.tolist())
    return [name for name in names.tolist() if name not in known]


def users_by_name(users: Any, names: np.ndarray | None) -> Any:
    """Return indices of users given by name, mask or, if users have no names, index.

    Shapes: `names` (n_users,) -> (n_selected_users,).
    """
    if users is None or isinstance(users, str) or not hasattr(users, "__len__"):
        return users
    refuse_masked(users, "users")
    chosen = as_list(users)
    if chosen and all(isinstance(user, (bool, np.bool_)) for user in chosen):
        return np.array(chosen)
    if names is None:
        if chosen and all(isinstance(user, str) for user in chosen):
            raise ValueError(
                f"users holds names, such as {chosen[0]!r}, but fit received plays "
                f"without names of users; pass indices, or fit on a DataFrame with "
                f"one column per user."
            )
        return users
    found = places_of(chosen, names)
    unknown = [name for name, place in zip(chosen, found, strict=True) if place < 0]
    if unknown:
        hint = ""
        if all(isinstance(name, (int, np.integer)) for name in unknown):
            hint = (
                f" Users have names, such as {_some(names[:1])}; for positions pass "
                "recommender.user_names_in_[positions]."
            )
        raise ValueError(f"users holds {_some(unknown)}, not seen in fit.{hint}")
    return found


def places_of(chosen: Any, names: np.ndarray) -> np.ndarray:
    """Return the positions of names, -1 for unknown ones.

    Shapes: `chosen` (n,), `names` (n_names,) -> (n,).
    """
    place = {name: i for i, name in enumerate(names.tolist())}
    return np.fromiter((place.get(name, -1) for name in chosen), np.int64, len(chosen))


def _some(names: Any) -> str:
    names = list(names)
    shown = ", ".join(
        repr(name.item() if isinstance(name, np.generic) else name)
        for name in names[:_SHOWN]
    )
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
