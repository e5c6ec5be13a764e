"""Find content that contains information about held-out plays."""

import os
import warnings
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import check_cv

from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.table import table_of
from skcoldstart._utils.warning import warn
from skcoldstart.model_selection._validation import TEXTS, check_items_and_plays

# Rank correlations with the number of listeners are below 0.1 for song descriptions and
# artist terms, and above 0.5 for tags typed by the listeners.
_SUSPICIOUS_CORRELATION = 0.3


@documented(TEXTS)
def content_leakage_check(
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    cv: Any = None,
    split_groups: Any = None,
    typed_by: Any = None,
) -> Any:
    """Look for content that reveals held-out plays, and warn about it.

    .. versionadded:: 0.1

    Parameters
    ----------
    X : sequence of n_items items
        Content: a table, paths, frames, or any other sequence.
    <plays>
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist, that should not be on both sides of a
        split.
    cv : int, splitter or iterable, default=None
        The split to check; ``None`` means 5 folds, without shuffling.
    split_groups : array-like of shape (n_items,), default=None
        Groups for `cv` if they differ from `groups`, such as release dates.
    typed_by : {array-like, sparse} of shape (n_items, n_users), default=None
        Nonzero if a user wrote part of the content of an item: tags, reviews, titles of
        playlists.

    Returns
    -------
    DataFrame, or dict of arrays where pandas is missing
        One row per split: ``split``, ``n_train``, ``n_test``; ``n_duplicates``, test
        items with the same content as a training item; ``n_straddling``, test items
        whose group is also in training; ``n_typed``, test plays by a user who typed
        content of that item, and ``n_plays``, all test plays.

    <faults>

    Warns
    -----
    UserWarning
        Once for each kind of leak: duplicates, groups on both sides of a split, content
        typed by tested users, and content whose amount grows with the number of
        listeners.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Keeps groups on one side.

    Notes
    -----
    *Duplicates* are items with exactly equal content. Items without content (all
    zeros, no frames, empty text) are not counted. Paths are compared as text: to find
    copies with other names, pass features of the files.

    *Typed content.* A listener's tag on a song shows that the listener knows the song,
    and the number of tags shows how many listeners do. Without `typed_by`, a rank
    correlation of at least 0.3 between the number of nonzero entries of items and their
    number of listeners is suspicious: content that exists at the release of an item
    does not depend on its audience. Another split does not fix such a leak; remove the
    content, or at least that of the tested users.

    *Groups on both sides* are correct if you evaluate new items of known artists,
    which is easier than new artists.

    Some leaks are not checked, such as a popularity field, or features learned from
    plays.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GroupKFold
    >>> from skcoldstart.model_selection import content_leakage_check
    >>> X, y = np.arange(8.0).reshape(4, 2), np.ones((4, 3))
    >>> artists = ["a", "b", "a", "b"]
    >>> content_leakage_check(X, y, artists, cv=GroupKFold(2))["n_straddling"].tolist()
    [0, 0]
    """
    refuse_masked(X, "X")
    plays = check_items_and_plays(X, y, groups, cv)
    check_same_items(X, typed_by, input_name="typed_by")
    check_same_users(y, typed_by, input_name="typed_by", first_name="y")
    check_groups(split_groups, X, name="split_groups")
    typed = _typed_plays(typed_by, plays)
    content = _codes(_keys(X))
    group = None if groups is None else _codes(np.asarray(groups).tolist())
    if split_groups is None:
        split_groups = groups
    rows = []
    with warnings.catch_warnings():
        # Groups that the splitter does not keep together are reported below.
        warnings.filterwarnings("ignore", message="The groups parameter is ignored")
        splits = list(check_cv(cv).split(X, None, split_groups))
    for number, (train, test) in enumerate(splits):
        rows.append({
            "split": number,
            "n_train": len(train),
            "n_test": len(test),
            "n_duplicates": _n_shared(content, train, test),
            "n_straddling": 0 if group is None else _n_shared(group, train, test),
            "n_typed": 0 if typed is None else typed[test].nnz,
            "n_plays": plays[test].nnz,
        })
    table = table_of(rows)
    for message in _messages(table, _amount_correlation(X, plays), typed is None):
        warn(message)
    return table


def _messages(table: Any, correlation: float, unknown_author: bool) -> Iterator[str]:
    n_test = table["n_test"].sum()
    if table["n_duplicates"].any():
        yield (
            f"{table['n_duplicates'].sum()} of {n_test} test items have the content of "
            "a training item: they are not new. Drop duplicates, or give them one "
            "group."
        )
    if table["n_straddling"].any():
        yield (
            f"{table['n_straddling'].sum()} of {n_test} test items belong to a group "
            "that is also in training: the split evaluates new items of known groups. "
            "For new groups use cv=GroupKFold() with groups."
        )
    if table["n_typed"].any():
        yield (
            f"{table['n_typed'].sum()} of {table['n_plays'].sum()} test plays are by "
            "users who typed content of this item, which shows that they know it. "
            "Leave out content typed by the tested users."
        )
    if unknown_author and correlation >= _SUSPICIOUS_CORRELATION:
        yield (
            "The amount of content of an item grows with the number of its listeners "
            f"(rank correlation {correlation:.2f}): it was probably typed by them, and "
            "a new item will not have it. Pass typed_by to check this."
        )


def _keys(X: Any) -> Iterator[Hashable]:
    """Yield a key that is equal for items of equal content, None for no content."""
    if sp.issparse(X):
        table: Any = X.tocsr(copy=True)
        table.sum_duplicates()
        table.eliminate_zeros()
        for start, stop in zip(table.indptr[:-1], table.indptr[1:], strict=True):
            indices, values = table.indices[start:stop], table.data[start:stop]
            yield (indices.tobytes(), values.tobytes()) if len(indices) else None
        return
    for item in _as_array(X):
        values = np.asarray(item)
        if isinstance(item, (str, bytes, os.PathLike)):
            yield os.fspath(item) or None
        elif values.dtype == object:
            yield repr(values.tolist())
        elif values.dtype.kind in "US" or values.any():
            yield (values.shape, values.dtype.str, values.tobytes())
        else:
            yield None


def _as_array(X: Any) -> Any:
    """Return a frame or tensor as an array, any other sequence unchanged."""
    return np.asarray(X) if len(getattr(X, "shape", ())) == 2 else X


def _codes(keys: Any) -> np.ndarray:
    """Number distinct keys; -1 for None."""
    number: dict[Hashable, int] = {None: -1}
    return np.array([number.setdefault(key, len(number) - 1) for key in keys])


def _n_shared(code: np.ndarray, train: np.ndarray, test: np.ndarray) -> int:
    """Count test items whose code is also in training; -1 is not counted."""
    shared = np.isin(code[test], code[train]) & (code[test] >= 0)
    return int(np.count_nonzero(shared))


def _typed_plays(typed_by: Any, plays: sp.csr_array) -> sp.csr_array | None:
    if typed_by is None:
        return None
    typed = check_play_counts(typed_by, input_name="typed_by")
    if typed.shape != plays.shape:
        raise ValueError(
            f"typed_by has shape {typed.shape} but y has shape {plays.shape}; expected "
            "one row per item and one column per user."
        )
    both = (plays > 0).multiply(typed > 0).tocsr()
    both.eliminate_zeros()
    return both


def _amount_correlation(X: Any, plays: sp.csr_array) -> float:
    """Correlate the non-zero entries of items with their listeners; NaN if constant."""
    from scipy.stats import spearmanr

    if sp.issparse(X):
        amount = np.bincount(X.nonzero()[0], minlength=plays.shape[0])
    else:
        values = _as_array(X)
        is_table = isinstance(values, np.ndarray) and values.ndim == 2
        if not is_table or values.dtype.kind not in "biuf":
            return float("nan")
        amount = np.count_nonzero(values, axis=1)
    n_listeners = np.diff(plays.indptr)
    if np.ptp(amount) == 0 or np.ptp(n_listeners) == 0:
        return float("nan")
    return float(spearmanr(amount, n_listeners).statistic)
