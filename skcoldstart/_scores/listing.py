"""From a recommender and candidates to ranked lists."""

from collections.abc import Set
from importlib.util import find_spec
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.compressed import compress_scores
from skcoldstart._scores.exploration import explored_scores, with_covariance
from skcoldstart._scores.item_labels import (
    check_groups,
    check_same_items,
    names_of_rows,
)
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.recommendations import (
    FRAMES,
    Listeners,
    Recommendations,
    masked_lists,
)
from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    factor_scores,
    open_recommender,
    score_source,
    takes_groups,
    transposed,
)
from skcoldstart._scores.top_n import (
    check_shape_of_exclude,
    check_users,
    top_n_per_user,
)
from skcoldstart._scores.user_names import (
    as_names,
    check_user_names,
    places_of,
)
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.table import as_list

AUTO_COMPONENTS = 256  # of models without dense factors


def recommend_items(
    model: Any,
    X: Any,
    n: int,
    *,
    users: Any = None,
    item_ids: Any = None,
    exclude: Any = None,
    item_factors: Any = None,
    user_factors: Any = None,
    max_per_group: int | None = None,
    groups: Any = None,
    as_frame: Any = None,
    explore: str | None = None,
    strength: float = 1.0,
    random_state: Any = None,
) -> Recommendations:
    """Return the best items of each user; see `skcoldstart.recommend`."""
    names = _user_names(model, users, user_factors)
    source: ScoreSource
    if explore is None:
        if with_covariance(item_factors):
            item_factors = item_factors[0]  # their covariances are not needed
        source = _source(model, X, item_factors, user_factors, groups)
    else:
        source = explored_scores(
            *(model, X, item_factors, user_factors),
            explore=explore,
            strength=strength,
            random_state=random_state,
        )
    if max_per_group is None and takes_groups(model):
        groups = None  # they were read
    chosen = check_users(
        None if user_factors is not None else users,
        source.n_users,
        open_recommender(model)[0],
    )
    item_names = _item_names(item_ids, X, source.n_items)
    excluded = _excluded(model, X, exclude, source, names, item_names)
    entries, scores = top_n_per_user(
        source,
        n,
        users=chosen,
        exclude=excluded,
        groups=group_limit(max_per_group, groups, X, source.n_items),
    )
    return Recommendations(
        *masked_lists(entries, scores),
        chosen if names is None else names[chosen],
        item_names,
        _library_of(as_frame, X),
    )


def listeners_of_items(
    model: Any,
    X: Any,
    n: int,
    *,
    users: Any = None,
    item_ids: Any = None,
    exclude: Any = None,
    item_factors: Any = None,
    user_factors: Any = None,
    as_frame: Any = None,
) -> Listeners:
    """Return the best users of each item; see `skcoldstart.listeners`."""
    names = _user_names(model, users, user_factors)
    source = _source(model, X, item_factors, user_factors)
    item_names = _item_names(item_ids, X, source.n_items)
    excluded = _excluded(model, X, exclude, source, names, item_names)
    by_item, chosen = transposed(source), None
    if users is not None and user_factors is None:
        chosen = check_users(users, source.n_users, open_recommender(model)[0])
        chosen = chosen[np.sort(np.unique(chosen, return_index=True)[1])]
        by_item = by_item.of_items(chosen)
        excluded = None if excluded is None else excluded[:, chosen]
    entries, scores = top_n_per_user(
        by_item, n, exclude=None if excluded is None else excluded.T
    )
    if chosen is not None:
        entries = np.append(chosen, -1)[entries]
    return Listeners(
        *masked_lists(entries, scores),
        np.arange(source.n_items) if item_names is None else item_names,
        names,
        _library_of(as_frame, X),
    )


def exported_factors(
    model: Any,
    X: Any,
    *,
    item_ids: Any = None,
    item_factors: Any = None,
    n_components: int | str | None = None,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any] | None]:
    """Return dense factors of items and users, the names of both, and their quality.

    The quality is None if the factors are those of the model.
    """
    most = n_components if isinstance(n_components, Integral) else None
    if n_components not in ("auto", None) and (most is None or most < 1):
        raise ValueError(
            f"n_components={n_components!r}; expected an integer of at least 1, 'auto' "
            "or None."
        )
    recommender, _ = open_recommender(model)
    check_is_fitted(recommender)
    name = type(recommender).__name__
    people = getattr(recommender, "user_factors_", None)
    if X is None and item_ids is None:
        item_ids = getattr(recommender, "_items_of_fit", None)
    if X is None and item_factors is None:
        fitted = getattr(recommender, "factorizer_", recommender)
        known: Any = getattr(fitted, "item_factors_", None)
        if people is not None and np.shape(known)[1:] == people.shape[1:]:
            item_factors = known
    if n_components is None and (people is None or sp.issparse(people)):
        raise TypeError(
            f"{name} has no dense factors of items and users; set n_components to "
            "export an approximation of its scores by so many factors."
        )
    if X is None and item_factors is None:
        raise TypeError(
            f"{name} keeps no factors of the items of fit; pass X, the items to export."
        )
    source = _source(model, X, item_factors, None)
    item_names = _item_names(item_ids, X, source.n_items)
    user_names = _user_names(model, None, None)
    if isinstance(source, LowRankScores) and (
        most is None or source.item_factors.shape[1] <= most
    ):
        items, users, quality = source.item_factors, source.user_factors, None
    else:
        most = AUTO_COMPONENTS if most is None else int(most)
        items, users, quality = compress_scores(source, most, random_state)
    return (
        items,
        users,
        np.arange(source.n_items) if item_names is None else item_names,
        np.arange(source.n_users) if user_names is None else user_names,
        quality,
    )


def _user_names(model: Any, users: Any, user_factors: Any) -> np.ndarray | None:
    if user_factors is None:
        return getattr(open_recommender(model)[0], "user_names_in_", None)
    if users is None:
        return None
    names = as_names(users, "users", "users")
    if len(names) != np.shape(user_factors)[0]:
        raise ValueError(
            f"users holds {len(names)} names but user_factors has "
            f"{np.shape(user_factors)[0]} rows; expected a name for each."
        )
    return names


def _source(
    model: Any, X: Any, item_factors: Any, user_factors: Any, groups: Any = None
) -> ScoreSource:
    """Return scores of the model, or of factors that replace its own."""
    if item_factors is None and user_factors is None:
        return score_source(model, X, groups)
    recommender, content = open_recommender(model, X if item_factors is None else None)
    given = {"item_factors": item_factors, "user_factors": user_factors}
    for name, factors in given.items():
        if factors is not None:
            refuse_masked(factors, name)
            if name == "item_factors":
                check_same_items(X, factors, input_name=name)
            given[name] = check_array(
                factors,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                input_name=name,
            )
    items, people = given.values()
    if people is None:
        people = getattr(recommender, "user_factors_", None)
    if items is None and hasattr(recommender, "predict_factors"):
        params = {"groups": groups} if takes_groups(recommender) else {}
        items = recommender.predict_factors(content, **params)
    if items is None or people is None:
        raise TypeError(
            f"{type(recommender).__name__} does not score by factors of items and "
            f"users, so item_factors and user_factors cannot replace its own."
        )
    return factor_scores(items, people)


def _item_names(item_ids: Any, X: Any, n_items: int) -> np.ndarray | None:
    if item_ids is None:
        item_ids = names_of_rows(X)
        if item_ids is None:
            return None
    names = as_names(item_ids, "item_ids", "items")
    if len(names) != n_items:
        raise ValueError(
            f"item_ids holds {len(names)} names for {n_items} items; expected one for "
            "each, in the order of the rows of X."
        )
    check_same_items(X, item_ids, input_name="item_ids")
    return names


def group_limit(
    max_per_group: Any, groups: Any, X: Any, n_items: int
) -> tuple[np.ndarray, int] | None:
    """Return the group of each item, as numbers from 0, and the most in a list."""
    if (max_per_group is None) != (groups is None):
        raise ValueError(
            "max_per_group limits the items of one group in a list; pass both "
            "max_per_group and groups, one for each item."
        )
    if groups is None:
        return None
    if not isinstance(max_per_group, Integral) or max_per_group < 1:
        raise ValueError(
            f"max_per_group={max_per_group!r}; expected an integer of at least 1."
        )
    check_groups(groups, X if X is not None else range(n_items))
    return np.unique(np.asarray(groups), return_inverse=True)[1], int(max_per_group)


def _excluded(
    model: Any,
    X: Any,
    exclude: Any,
    source: ScoreSource,
    user_names: np.ndarray | None,
    item_names: np.ndarray | None,
) -> sp.csr_array | None:
    """Return excluded pairs as a table of shape (n_items, n_users)."""
    if exclude is None:
        return None
    pairs = _pairs(exclude)
    if pairs is None:
        check_same_items(X, exclude, input_name="exclude")
        check_user_names(model, exclude, input_name="exclude")
        table = check_play_counts(exclude, input_name="exclude")
        check_shape_of_exclude(table, (source.n_items, source.n_users))
        return table
    users = _places(pairs["user_id"], user_names, source.n_users, "users")
    items = _places(pairs["item_id"], item_names, source.n_items, "items")
    known = (users >= 0) & (items >= 0)
    return sp.csr_array(
        (np.ones(known.sum()), (items[known], users[known])),
        shape=(source.n_items, source.n_users),
    )


def _pairs(exclude: Any) -> dict[str, list[Any]] | None:
    """Return users and items of a frame or list of pairs, None for a table."""
    if isinstance(exclude, Recommendations | Listeners):
        exclude = exclude._columns()
    columns = getattr(exclude, "column_names", getattr(exclude, "columns", ()))
    if isinstance(exclude, dict):
        columns = exclude
    if {"user_id", "item_id"} <= set(columns):
        return {name: as_list(exclude[name]) for name in ("user_id", "item_id")}
    if isinstance(exclude, list | tuple | Set) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in exclude
    ):
        return {"user_id": [u for u, _ in exclude], "item_id": [i for _, i in exclude]}
    if not hasattr(exclude, "shape") and not isinstance(exclude, list | tuple):
        raise TypeError(
            f"exclude is a {type(exclude).__name__}; expected a table of shape "
            "(n_items, n_users), a list of pairs (user, item), or a frame with user_id "
            "and item_id."
        )
    return None


def _library_of(as_frame: Any, X: Any) -> str:
    """Return the library named, or that of X, or one that is installed."""
    if as_frame in (None, True):
        library = type(X).__module__.partition(".")[0]
        if library in FRAMES:
            return library
        return next((name for name in FRAMES if find_spec(name)), "pandas")
    library = "pyarrow" if as_frame == "arrow" else as_frame
    if library not in FRAMES:
        raise ValueError(f"as_frame={as_frame!r}; expected one of {FRAMES}.")
    return library


def _places(found: list[Any], names: np.ndarray | None, n: int, of: str) -> np.ndarray:
    """Return positions of the users or items of pairs, -1 for unknown ones."""
    known = np.arange(n) if names is None else names
    places = places_of(found, known)
    kinds = {isinstance(name, str) for name in (*found[:1], *known[:1].tolist())}
    if found and (places < 0).all() and len(kinds) > 1:
        raise ValueError(
            f"exclude holds {of} such as {found[0]!r}, but names of {of} are like "
            f"{known[:1].tolist()[0]!r}; pass names of the same type"
            f"{', and item_ids' if of == 'items' and names is None else ''}."
        )
    return places
