"""Groups of items, and items of a fit that are there again in the next."""

import copy
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.user_names import as_names, places_of
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import is_missing, refuse_missing


def check_item_groups(groups: Any, X: Any) -> np.ndarray:
    """Return the group of each item of X as objects, None if it is missing.

    Shapes: -> (n_items,).
    """
    n_items = count_items(X)
    check_same_items(X, groups, input_name="groups")
    missing = is_missing(groups)
    if missing.shape != (n_items,):
        raise ValueError(
            f"groups has shape {missing.shape} but X has {n_items} items; expected one "
            "group per item."
        )
    found = np.empty(n_items, object)
    found[:] = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    found[missing] = None
    return found


def known_groups(groups: np.ndarray) -> list[Hashable]:
    """Return the groups of items in the order of their first item."""
    return [group for group in dict.fromkeys(groups) if group is not None]


def group_table(groups: np.ndarray, known: list[Hashable], dtype: Any) -> sp.csr_array:
    """Mark the group of each item; rows of missing or unknown groups are empty.

    Shapes: `groups` (n_items,) -> (n_items, n_known).
    """
    found = places_of(groups, np.fromiter(known, object))
    rows = np.flatnonzero(found >= 0)
    return sp.csr_array(
        (np.ones(len(rows), dtype), (rows, found[rows])),
        shape=(len(groups), len(known)),
    )


def by_group(
    X: Any, plays: sp.csr_array, groups: np.ndarray
) -> tuple[Any, sp.csr_array, np.ndarray, sp.csr_array]:
    """Average content and sum plays over the items of each group.

    Shapes: `X` (n_items, n_features), `plays` (n_items, n_users), `groups` (n_items,)
    -> the same two with a row for each group, the groups (n_groups,), and their items
    (n_items, n_groups).
    """
    if any(group is None for group in groups):
        raise ValueError(
            "group_level=True needs the group of every item, but "
            f"{sum(group is None for group in groups)} have none; give each of them a "
            "group of its own."
        )
    known = known_groups(groups)
    members = group_table(groups, known, np.float64)
    share = members.T.multiply(1 / members.sum(axis=0)[:, np.newaxis]).tocsr()
    try:
        table = check_array(X, accept_sparse="csr", input_name="X")
    except ValueError as error:
        raise ValueError(
            f"group_level=True averages the content of a group: {error} Pass a table "
            "of numbers, or put the steps that compute it before the recommender."
        ) from error
    content = share @ table
    if hasattr(X, "iloc"):
        content = type(X)(content, columns=X.columns)
    summed = sp.csr_array(members.T @ plays)
    return content, summed, np.fromiter(known, object), members


def item_names_of(X: Any, y: Any, item_ids: Any = None) -> np.ndarray | None:
    """Return names of items: `item_ids`, or labels of rows other than positions.

    Shapes: -> (n_items,).
    """
    n_items = count_items(X)
    of_plays = getattr(y, "item_ids", None)
    if item_ids is None:
        item_ids = of_plays
    else:
        item_ids = as_names(item_ids, "item_ids", "items")
        if of_plays is not None and not np.array_equal(of_plays, item_ids):
            raise ValueError(
                "item_ids differ from the names of the rows of y; pass only one of the "
                "two, or y.item_ids."
            )
    if item_ids is None:
        frames = [t for t in (y, X) if hasattr(t, "iloc") and hasattr(t, "index")]
        if not frames:
            return None
        item_ids = frames[0].index
        if np.array_equal(item_ids, np.arange(n_items)):
            return None
    refuse_missing(item_ids, what="A name of item_ids", remedy="give each item one.")
    names = np.fromiter(item_ids, object)
    if len(names) != n_items or len(set(names)) < n_items:
        raise ValueError(
            f"item_ids holds {len(names)} names, {len(set(names))} of them different, "
            f"for {n_items} items; expected one unique name per row of X."
        )
    return names


class Alignment(NamedTuple):
    """Known rows that are still present, and all rows, known ones first."""

    kept: np.ndarray
    order: np.ndarray


def align(
    known: np.ndarray | None,
    n_known: int,
    given: np.ndarray | None,
    n_given: int,
    *,
    what: str,
) -> Alignment:
    """Find the known items (or users) among those given, by name or by position."""
    if known is None and given is None:
        if n_given < n_known:
            raise ValueError(
                f"Got {n_given} {what}, but {n_known} are known; without names, "
                "expected all of them, in their old order, and new ones after them. "
                f"Pass {what[:-1]}_ids to fit and partial_fit to leave some out."
            )
        return Alignment(np.arange(n_known), np.arange(n_given))
    if known is None or given is None:
        first, then = ("no ", "") if known is None else ("", "no ")
        raise ValueError(
            f"{what} had {first}names in fit and have {then}names now; pass "
            f"{what[:-1]}_ids or labelled frames in every call or in none."
        )
    found = places_of(given, known)
    seen = np.flatnonzero(found >= 0)
    if not len(seen):
        raise ValueError(
            f"None of the {len(given)} {what}, such as {str(given[0])!r}, is among the "
            f"{len(known)} of fit, such as {str(known[0])!r}; use fit for other {what}."
        )
    return Alignment(found[seen], np.concatenate([seen, np.flatnonzero(found < 0)]))


def grow_factorization(
    factorizer: Any, plays: sp.csr_array, items: Alignment, users: Alignment
) -> Any:
    """Return a factorizer fitted to plays, starting from the factors of another.

    Shapes: `plays` (n_items, n_users).
    """
    grown = copy.copy(factorizer)
    grown.item_factors_ = factorizer.item_factors_[items.kept]
    grown.user_factors_ = factorizer.user_factors_[users.kept]
    grown.n_features_in_ = len(users.kept)
    grown.partial_fit(plays[items.order][:, users.order])
    grown.item_factors_ = grown.item_factors_[np.argsort(items.order)]
    grown.user_factors_ = grown.user_factors_[np.argsort(users.order)]
    return grown
