"""Splits of plays instead of rows: by users, and by first plays."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator, KFold, check_cv
from sklearn.utils import check_random_state, check_scalar

from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.dates import sortable_dates
from skcoldstart._utils.docstrings import COMMON, documented
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import _num_samples

TEXTS = COMMON | {
    "times": """\
times : {array-like, sparse} of shape (n_items, n_users), default=None
    Time of the first play of each pair, used where y is not zero: numbers,
    datetime64, or text in ISO 8601. ``None`` means a random order.
""",
    "items and plays": """\
X : sequence of n_items items
    Content; only the number of items is used.
y : {array-like, sparse} of shape (n_items, n_users)
    Play counts.
""",
    "splits": """\
Yields
------
PlaySplit
    Named tuple ``(train, test, fitted, revealed, held_out)``.

Raises
------
ValueError
    If a parameter is out of range, or an input is invalid.
""",
}


class PlaySplit(NamedTuple):
    """Rows of items, and plays in three disjoint tables of the shape of y."""

    train: np.ndarray
    test: np.ndarray
    fitted: sp.csr_array
    revealed: sp.csr_array
    held_out: sp.csr_array


class PlaySplitter(BaseCrossValidator):
    """Split plays instead of rows; yields `PlaySplit`."""

    n_splits: int

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        check_scalar(self.n_splits, "n_splits", int, min_val=2)
        return self.n_splits


@documented(TEXTS)
class WarmupSplit(PlaySplitter):
    """Hold out items, and reveal the first n plays of each before ranking.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_plays : int, default=1
        Number of users revealed for each held-out item, >= 0; all if an item has fewer.
    held_out_after : int, default=None
        Number of users of each item that are not held out, at least `n_plays`; ``None``
        means `n_plays`. For a curve over `n_plays` set it to the largest value, so that
        all points predict the same plays.
    cv : int or splitter of rows, default=5
        Splitter of items: a number of folds, `KFold`, `GroupKFold`, `ReleaseDateSplit`.
    random_state : int, RandomState instance or None, default=0
        Seed of the order of plays without `times`. The order does not depend on
        `n_plays`: a larger number reveals the same plays and further ones.

    See Also
    --------
    sklearn.model_selection.KFold : Reveals no plays.
    UserColdKFold : New users instead of new items.

    Notes
    -----
    `split` yields named tuples of five: rows ``train`` and ``test``, and the plays
    ``fitted``, ``revealed`` and ``held_out``, each of the shape of y::

        for s in WarmupSplit(2, held_out_after=5).split(X, y):
            model.fit(X[s.train], s.fitted[s.train])
            ...  # bring items up to date with s.revealed[s.test]
            recommendation_scorer(
                model, X[s.test], s.held_out[s.test], exclude=s.revealed[s.test])

    Rows cannot express which plays are revealed, so this splitter cannot be used as
    ``cv=``.

    **What leaks if misused.** Scoring against ``y[test]`` instead of ``held_out``
    counts revealed plays as predicted ones. Without ``exclude=revealed`` they remain
    candidates, and rank first as errors. A random order reveals plays that came late;
    pass `times` if they are known.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.model_selection import WarmupSplit
    >>> X, y = np.zeros((4, 1)), np.ones((4, 3))
    >>> split = next(WarmupSplit(1, cv=2).split(X, y))
    >>> split.test, split.revealed.sum(axis=1), split.held_out.sum(axis=1)
    (array([0, 1]), array([1., 1., 0., 0.]), array([2., 2., 0., 0.]))
    """

    def __init__(
        self,
        n_plays: int = 1,
        *,
        held_out_after: int | None = None,
        cv: Any = 5,
        random_state: Any = 0,
    ) -> None:
        self.n_plays = n_plays
        self.held_out_after = held_out_after
        self.cv = cv
        self.random_state = random_state

    def split(
        self, X: Any, y: Any, groups: Any = None, *, times: Any = None
    ) -> Iterator[PlaySplit]:
        """Yield items and plays.

        Parameters
        ----------
        <items and plays>
        groups : array-like of shape (n_items,), default=None
            Passed to `cv`: artists, or release dates.
        <times>

        <splits>
        """
        check_scalar(self.n_plays, "n_plays", int, min_val=0)
        after = self.n_plays if self.held_out_after is None else self.held_out_after
        check_scalar(after, "held_out_after", int, min_val=self.n_plays)
        plays = check_plays(X, y, groups)
        check_same_items(X, times, input_name="times")
        check_same_users(y, times, input_name="times", first_name="y")
        place = _place_in_row(plays, times, self.random_state)
        rows = np.repeat(np.arange(plays.shape[0]), np.diff(plays.indptr))
        for train, test in check_cv(self.cv).split(X, None, groups):
            trained, tested = _mask(train, plays.shape[0]), _mask(test, plays.shape[0])
            yield PlaySplit(
                train,
                test,
                _keep(plays, trained[rows]),
                _keep(plays, tested[rows] & (place < self.n_plays)),
                _keep(plays, tested[rows] & (place >= after)),
            )

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits of `cv`.

        Parameters
        ----------
        X, y, groups : object, default=None
            Arguments of `cv`; y is not used.

        Returns
        -------
        int
            Number of splits.
        """
        return check_cv(self.cv).get_n_splits(X, None, groups)


@documented(TEXTS)
class UserColdKFold(PlaySplitter):
    """Hold out users: fit without them, reveal a part of their plays, predict the rest.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds of users, at least 2.
    known : float, default=0.8
        Fraction of a held-out user's items that is revealed, from 0 to less than 1.
        Rounded down, so that at least one is held out.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds and of which plays are revealed.

    See Also
    --------
    DoubleColdSplit : New items for new users.
    WarmupSplit : New items instead of new users.

    Notes
    -----
    `split` yields named tuples like `WarmupSplit`. ``train`` and ``test`` are all
    items; the columns of held-out users are empty in ``fitted``, so users keep their
    positions. Rank all items except ``revealed`` for the users of ``held_out``, with a
    model that folds users in from ``revealed``.

    Users are columns, which a splitter of rows cannot hold out, so this splitter cannot
    be used as ``cv=``.

    **What leaks if misused.** A model that is fitted on y instead of ``fitted``, or
    folds users in from y instead of ``revealed``, uses the plays that it should
    predict. Content typed by the held-out users, such as their tags, reveals their
    plays: see `content_leakage_check`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.model_selection import UserColdKFold
    >>> X, y = np.zeros((4, 1)), np.ones((4, 6))
    >>> split = next(UserColdKFold(3, known=0.5).split(X, y))
    >>> users = split.held_out.sum(axis=0) > 0
    >>> users.sum(), split.fitted[:, users].nnz, split.revealed[:, users].nnz
    (np.int64(2), 0, 4)
    """

    def __init__(
        self, n_splits: int = 5, *, known: float = 0.8, random_state: Any = 0
    ) -> None:
        self.n_splits = n_splits
        self.known = known
        self.random_state = random_state

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[PlaySplit]:
        """Yield items and plays.

        Parameters
        ----------
        <items and plays>
        groups : object, default=None
            Ignored.

        <splits>
        """
        limits = {"min_val": 0, "max_val": 1, "include_boundaries": "left"}
        check_scalar(self.known, "known", (int, float), **limits)
        plays = check_plays(X, y, groups)
        rng = check_random_state(self.random_state)
        by_user = plays.T.tocsr()
        n_played = np.diff(by_user.indptr)
        n_known = np.floor(self.known * n_played)
        users = np.repeat(np.arange(len(n_played)), n_played)
        known = _place_in_row(by_user, None, rng) < n_known[users]
        items = np.arange(plays.shape[0])
        for _, tested in _folds(self.get_n_splits(), len(n_played), rng):
            of_tested = _mask(tested, len(n_played))[users]
            yield PlaySplit(
                items,
                items.copy(),
                _keep(by_user, ~of_tested).T.tocsr(),
                _keep(by_user, of_tested & known).T.tocsr(),
                _keep(by_user, of_tested & ~known).T.tocsr(),
            )


@documented(TEXTS)
class DoubleColdSplit(PlaySplitter):
    """Hold out items and users at once: new items for new users.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds of items, and of users, at least 2. Fold i of the items is
        ranked for fold i of the users.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds.

    See Also
    --------
    UserColdKFold : Only new users.
    sklearn.model_selection.KFold : Only new items.

    Notes
    -----
    `split` yields named tuples like `WarmupSplit`. Plays are divided into four parts:

    ===========  ========================  ==================
    items        users of the other folds  users of this fold
    ===========  ========================  ==================
    other folds  ``fitted``                ``revealed``
    this fold    not used                  ``held_out``
    ===========  ========================  ==================

    Fold the new users in from ``revealed``. Each user is ranked once, among the items
    of one fold. As `UserColdKFold`, this splitter cannot be used as ``cv=``.

    **What leaks if misused.** After a fit on ``y[train]`` instead of ``fitted``, the
    users are not cold; if the unused part is used, the items are not.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.model_selection import DoubleColdSplit
    >>> X, y = np.zeros((4, 1)), np.ones((4, 6))
    >>> split = next(DoubleColdSplit(2).split(X, y))
    >>> [plays.nnz for plays in (split.fitted, split.revealed, split.held_out)]
    [6, 6, 6]
    """

    def __init__(self, n_splits: int = 5, *, random_state: Any = 0) -> None:
        self.n_splits = n_splits
        self.random_state = random_state

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[PlaySplit]:
        """Yield items and plays.

        Parameters
        ----------
        <items and plays>
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist. Items of a group stay together.

        <splits>
        """
        plays = check_plays(X, y, groups)
        rng = check_random_state(self.random_state)
        n_items, n_users = plays.shape
        names = np.arange(n_items) if groups is None else np.asarray(groups)
        distinct, group = np.unique(names, return_inverse=True)
        rows = np.repeat(np.arange(n_items), np.diff(plays.indptr))
        folds_of_items = list(_folds(self.get_n_splits(), len(distinct), rng))
        folds_of_users = list(_folds(self.get_n_splits(), n_users, rng))
        for (_, items), (_, users) in zip(folds_of_items, folds_of_users, strict=True):
            tested = _mask(items, len(distinct))[group]
            new_item = tested[rows]
            new_user = _mask(users, n_users)[plays.indices]
            yield PlaySplit(
                np.flatnonzero(~tested),
                np.flatnonzero(tested),
                _keep(plays, ~new_item & ~new_user),
                _keep(plays, ~new_item & new_user),
                _keep(plays, new_item & new_user),
            )


def check_plays(X: Any, y: Any, groups: Any) -> sp.csr_array:
    plays = check_play_counts(y, n_items=_num_samples(X))
    check_same_items(X, y)
    check_groups(groups, X)
    return plays


def _folds(n_splits: int, n: int, rng: Any) -> Any:
    return KFold(n_splits, shuffle=True, random_state=rng).split(np.empty(n))


def _mask(indices: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[indices] = True
    return mask


def _keep(plays: sp.csr_array, kept: np.ndarray) -> sp.csr_array:
    """Return the stored plays that are marked, in a table of the same shape."""
    indptr = np.concatenate([[0], np.cumsum(kept)])[plays.indptr]
    return sp.csr_array((plays.data[kept], plays.indices[kept], indptr), plays.shape)


def _place_in_row(plays: sp.csr_array, times: Any, random_state: Any) -> np.ndarray:
    """Return the rank of each stored play in its row, from 0, by time or at random."""
    rows = np.repeat(np.arange(plays.shape[0]), np.diff(plays.indptr))
    if times is None:
        key = check_random_state(random_state).random_sample(plays.nnz)
    else:
        refuse_masked(times, "times")
        times = times.tocsr() if hasattr(times, "tocsr") else np.asarray(times)
        if times.shape != plays.shape:
            raise ValueError(
                f"times has shape {times.shape} but y has shape {plays.shape}; "
                "expected the time of each play in the same shape."
            )
        key = np.asarray(times[rows, plays.indices]).ravel()
        key = sortable_dates(key, name="times", of="plays have no time")
    place = np.empty(plays.nnz, np.int64)
    place[np.lexsort((key, rows))] = np.arange(plays.nnz) - plays.indptr[rows]
    return place
