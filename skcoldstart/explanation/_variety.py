"""Diversity of lists, and exposure of items."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skcoldstart._scores.item_labels import check_groups
from skcoldstart._scores.listing import group_limit
from skcoldstart._scores.recommendations import masked_lists, read_lists
from skcoldstart._scores.top_n import unit_rows
from skcoldstart._utils.missing import check_values, refuse_masked
from skcoldstart._utils.sk import COUNT, HasMethods, Interval, StrOptions, validated
from skcoldstart._utils.table import ranges, table_of

_BLOCK_LISTS = 256


@validated(
    items=["array-like", HasMethods(["to_frame"])],
    scores=["array-like"],
    vectors=["array-like"],
    method=[StrOptions({"mmr", "dpp"})],
    trade_off=[Interval(Real, 0, 1, closed="both")],
    n=[*COUNT, None],
    max_per_group=[*COUNT, None],
    groups=["array-like", None],
)
def diversify(
    items: Any,
    scores: Any,
    vectors: Any,
    *,
    method: str = "mmr",
    trade_off: float = 0.7,
    n: int | None = None,
    max_per_group: int | None = None,
    groups: Any = None,
) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
    r"""Reorder lists so that similar items are not next to each other.

    .. versionadded:: 0.2

    Parameters
    ----------
    items : array-like of int of shape (n_lists, n_candidates)
        Lists of any library, best first: rows of `vectors`. Masked or negative entries
        are not items.
    scores : array-like of shape (n_lists, n_candidates)
        Their scores.
    vectors : array-like of shape (n_items, n_features)
        Content or factors of items; their cosines are the similarities.
    method : {"mmr", "dpp"}, default="mmr"
        Maximal marginal relevance, or greedy maximization of a determinantal point
        process.
    trade_off : float, default=0.7
        Weight of the scores, from 0 (only diversity) to 1 (the order of the scores).
    n : int, default=None
        Number of items of each list to keep; ``None`` means all.
    max_per_group : int, default=None
        Maximum number of items of a group in a list.
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist, for `max_per_group`.

    Returns
    -------
    items : masked array of int of shape (n_lists, n)
        The lists in their new order, masked where they end early.
    scores : masked array of shape (n_lists, n)
        Their scores.

    Raises
    ------
    ValueError
        If shapes do not match, an item is not a row of `vectors`, a score is NaN, or
        only one of `max_per_group` and `groups` is given.

    See Also
    --------
    exposure_report : Reports which items are shown.
    skcoldstart.recommend : Limits the items of a group among all candidates.

    Notes
    -----
    Scores of a list are scaled to :math:`r_i` from 0 to 1; :math:`\lambda` is the
    trade-off. **mmr** selects one item after the other, each with the largest

    .. math:: \lambda r_i - (1 - \lambda) \max_{j \in S} \cos(v_i, v_j),

    where S are the items selected before. **dpp** selects the item that most increases
    the determinant of :math:`L_{ij} = q_i q_j (1 + \cos(v_i, v_j)) / 2` with
    :math:`q_i = \exp(\lambda r_i / (2 (1 - \lambda)))`, which depends on all selected
    items together; if no item increases it, the others follow by score. Equal items
    keep their order. Pass more candidates than are shown, such as 100 for lists of 10.

    The time is O(n_lists n_candidates n (n_features + n)).

    References
    ----------
    J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for
    reordering documents and producing summaries", SIGIR 1998; L. Chen, G. Zhang,
    H. Zhou, "Fast greedy MAP inference for determinantal point process to improve
    recommendation diversity", NeurIPS 2018.

    Examples
    --------
    >>> from skcoldstart import diversify
    >>> vectors = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]
    >>> diversify([[0, 1, 2]], [[0.9, 0.8, 0.7]], vectors, trade_off=0.5)[0].tolist()
    [[0, 2, 1]]
    """
    listed, values = _check_lists(items, scores)
    refuse_masked(vectors, "vectors")
    unit = unit_rows(check_array(vectors, dtype=np.float64, input_name="vectors"))
    if listed.max(initial=-1) >= len(unit):
        raise ValueError(
            f"items hold {listed.max()} but vectors has {len(unit)} rows; expected "
            f"one row per item."
        )
    group, most = group_limit(max_per_group, groups, None, len(unit)) or (None, 0)
    n = listed.shape[1] if n is None else min(int(n), listed.shape[1])
    places = np.full((len(listed), n), -1)
    for start in range(0, len(listed), _BLOCK_LISTS):
        block = slice(start, start + _BLOCK_LISTS)
        there = listed[block] >= 0
        found = np.where(there, listed[block], 0)
        places[block] = _order(
            _scaled(values[block], there),
            unit[found],
            there,
            method,
            float(trade_off),
            n,
            None if group is None else group[found],
            most,
        )
    taken = np.maximum(places, 0)
    chosen = np.where(places < 0, -1, np.take_along_axis(listed, taken, 1))
    kept = np.where(places < 0, -np.inf, np.take_along_axis(values, taken, 1))
    return masked_lists(chosen, kept)


def _order(
    relevance: np.ndarray,
    vectors: np.ndarray,
    there: np.ndarray,
    method: str,
    trade_off: float,
    n: int,
    group: np.ndarray | None,
    most: int,
) -> np.ndarray:
    """Return positions of the selected items in order, -1 if there are no more.

    Shapes: `relevance, there, group` (n_lists, m), `vectors` (n_lists, m, d) ->
    (n_lists, n).
    """
    n_lists, m = relevance.shape
    rows = np.arange(n_lists)
    free = there.copy()
    places = np.full((n_lists, n), -1)
    nearest = np.full((n_lists, m), -np.inf)
    with np.errstate(divide="ignore"):
        quality = 0.5 * trade_off / (1.0 - trade_off) if trade_off < 1.0 else np.inf
    gain = np.ones((n_lists, m))  # increase of the determinant by an item, without q
    roots = np.zeros((n_lists, n, m))  # rows of the Cholesky factor of the cosines
    for step in range(n):
        if trade_off == 1.0:
            value = relevance.copy()
        elif method == "mmr":
            penalty = 0.0 if step == 0 else nearest
            value = trade_off * relevance - (1.0 - trade_off) * penalty
        else:
            logs = np.log(np.maximum(gain, 1e-300))
            value = 2.0 * quality * relevance + np.where(gain > 1e-10, logs, -1e6)
        value = np.where(free, value, -np.inf)
        best = value.argmax(axis=1)
        found = free[rows, best]
        places[:, step] = np.where(found, best, -1)
        free[rows, best] = False
        cosines = np.einsum("lmd,ld->lm", vectors, vectors[rows, best])
        if method == "mmr":
            nearest = np.maximum(nearest, cosines)
        elif trade_off < 1.0:
            root = np.sqrt(np.maximum(gain[rows, best], 1e-10))[:, np.newaxis]
            own = roots[rows, :step, best]
            shared = np.einsum("ls,lsm->lm", own, roots[:, :step])
            roots[:, step] = ((1.0 + cosines) / 2.0 - shared) / root
            gain = gain - roots[:, step] ** 2
        if group is not None:
            same = group == group[rows, best][:, np.newaxis]
            n_taken = np.zeros(n_lists, int)
            for earlier in range(step + 1):
                place = places[:, earlier]
                n_taken += (place >= 0) & same[rows, np.maximum(place, 0)]
            free &= ~(same & (n_taken >= most)[:, np.newaxis])
    return places


def _scaled(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Scale the scores of each list to 0 to 1; equal scores become 1."""
    low = np.where(there, values, np.inf).min(axis=1, keepdims=True)
    high = np.where(there, values, -np.inf).max(axis=1, keepdims=True)
    width = np.where(np.isfinite(high - low), high - low, 0.0)
    with np.errstate(invalid="ignore"):
        scaled = (values - low) / np.where(width > 0, width, 1.0)
    return np.where(there, np.where(width > 0, scaled, 1.0), 0.0)


@validated(
    recommendations=["array-like", HasMethods(["to_frame"])],
    n_items=COUNT,
    new_items=["array-like", None],
    groups=["array-like", None],
    popularity=["array-like", None],
    n_strata=COUNT,
)
def exposure_report(
    recommendations: Any,
    n_items: int,
    *,
    new_items: Any = None,
    groups: Any = None,
    popularity: Any = None,
    n_strata: int = 3,
) -> Any:
    r"""Report which items, artists and strata of popularity are shown to users.

    .. versionadded:: 0.2

    Parameters
    ----------
    recommendations : Recommendations or array-like of int of shape (n_users, n)
        Item indices, or the result of `skcoldstart.recommend`; masked or negative
        entries are not recommendations.
    n_items : int
        Number of items that could be recommended.
    new_items : array-like of bool of shape (n_items,), default=None
        Mask of new items. ``None`` leaves these rows out.
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist. ``None`` leaves this row out.
    popularity : array-like of shape (n_items,), default=None
        Plays of the items so far, >= 0. Strata are by popularity of an item's group if
        `groups` are given, so a new song has the popularity of its artist; otherwise of
        the item itself. ``None`` leaves them out.
    n_strata : int, default=3
        Number of strata with about equal numbers of items; fewer if values repeat.

    Returns
    -------
    DataFrame, or dict of arrays where pandas is missing
        One row for each part: ``by`` ("all", "items", "groups" or "popularity"),
        ``part``, ``n`` (items, or groups), ``n_shown`` (those shown to any user),
        ``shown`` (their fraction), ``exposure`` (the fraction of all places in lists)
        and ``gini`` of the places of its items, or groups.

    Raises
    ------
    ValueError
        If items or values are out of range, or arrays do not have one entry per item.

    See Also
    --------
    skcoldstart.metrics.coverage : The fraction of items shown, as a metric.
    diversify : Reorders lists.

    Notes
    -----
    With the numbers of places :math:`e_1 \le \dots \le e_n` of items in all lists, the
    Gini coefficient is

    .. math:: \frac{2 \sum_i i\, e_i}{n \sum_i e_i} - \frac{n + 1}{n} ,

    0 where all are shown equally often, and :math:`1 - 1/n` where one item has all
    places. Compare it only for the same items and lists of equal length. NaN if nothing
    is shown.

    Examples
    --------
    >>> from skcoldstart import exposure_report
    >>> table = exposure_report([[0, 1], [0, 2]], 4, new_items=[0, 0, 1, 1])
    >>> table["part"].tolist(), table["shown"].tolist()
    (['all', 'new', 'known'], [0.75, 0.5, 1.0])
    """
    listed = read_lists(recommendations, "recommendations")
    if listed.max(initial=-1) >= n_items:
        raise ValueError(
            f"recommendations hold {listed.max()}; expected item indices below "
            f"n_items={n_items}."
        )
    places = np.bincount(listed[listed >= 0], minlength=n_items)
    rows = [_exposure("all", "all", places, places.sum())]
    if new_items is not None:
        new = check_values(new_items, n_items, "new_items") > 0
        for part, chosen in (("new", new), ("known", ~new)):
            if chosen.any():
                rows.append(_exposure("items", part, places[chosen], places.sum()))
    group = None
    if groups is not None:
        check_groups(groups, range(n_items))
        group = np.unique(np.asarray(groups), return_inverse=True)[1]
        of_groups = np.bincount(group, places).astype(np.int64)
        rows.append(_exposure("groups", "all", of_groups, places.sum()))
    if popularity is not None:
        plays = check_values(popularity, n_items, "popularity")
        if group is not None:
            plays = np.bincount(group, plays)[group]
        for part, chosen in ranges(plays, n_strata):
            rows.append(_exposure("popularity", part, places[chosen], places.sum()))
    return table_of(rows)


def _exposure(by: str, part: str, places: np.ndarray, total: int) -> dict[str, Any]:
    n, own = len(places), float(places.sum())
    order = np.arange(1, n + 1) @ np.sort(places)
    return {
        "by": by,
        "part": part,
        "n": n,
        "n_shown": int(np.count_nonzero(places)),
        "shown": np.count_nonzero(places) / n,
        "exposure": own / total if total else float("nan"),
        "gini": 2.0 * order / (n * own) - (n + 1) / n if own else float("nan"),
    }


def _check_lists(items: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    listed = np.maximum(read_lists(items, "items"), -1)
    if np.ma.isMaskedArray(scores):
        scores = scores.filled(-np.inf)
    values = np.asarray(scores, np.float64)
    if values.shape != listed.shape:
        raise ValueError(
            f"items have shape {listed.shape} but scores have shape {values.shape}; "
            "expected indices and scores of one shape (n_lists, n_candidates)."
        )
    if np.isnan(values[listed >= 0]).any():
        raise ValueError("scores contain NaN; expected numbers.")
    return listed, values
