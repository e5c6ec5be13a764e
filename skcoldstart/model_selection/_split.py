"""Splits by release date, and by the history of artists."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, check_scalar

from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.dates import sortable_dates
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import _num_samples


@documented()
class ReleaseDateSplit(BaseCrossValidator):
    """Train on items released before a date, test on items released after it.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits. Items are divided into ``n_splits + 1`` periods with about
        equal numbers of items, without splitting a date. Split i trains on the first i
        periods and tests on the next.
    cutoffs : array-like of dates, default=None
        Increasing dates of the type of `groups`, used instead of `n_splits`: split i
        trains on items released before ``cutoffs[i]`` and tests on those released from
        then until ``cutoffs[i + 1]``.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : For rows in order of time.
    ArtistHistorySplit : Items of new or known artists, also by date.

    Notes
    -----
    Release dates are the `groups` of `split`, one per item: years and other numbers,
    `datetime64`, `datetime.date`, ordered categories, or text in the form of ISO 8601
    (``"2012"``, ``"2012-06"``, ``"2012-06-30"``, with or without a time), where a year
    means its first day. Convert other text with `pandas.to_datetime`, and leave out
    items without a date. Pass this splitter as ``cv=``, with ``groups=dates``.

    **What leaks if misused.** Only items are held out, not times: y still contains
    plays of training items after the release of the test items, so user factors contain
    future tastes. If plays have dates, remove those after the cutoff before fitting.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.model_selection import ReleaseDateSplit
    >>> years = np.array([2003, 2001, 2001, 2002, 2003, 2004])
    >>> for train, test in ReleaseDateSplit(2).split(years, groups=years):
    ...     print(years[train], years[test])
    [2001 2001] [2002]
    [2001 2001 2002] [2003 2003 2004]
    """

    # With metadata routing, groups are requested by default, as in GroupKFold.
    __metadata_request__split = {"groups": True}

    def __init__(self, n_splits: int = 5, *, cutoffs: Any = None) -> None:
        self.n_splits = n_splits
        self.cutoffs = cutoffs

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield rows of training and test items.

        Parameters
        ----------
        <number of items>
        y : {array-like, sparse} of shape (n_items, n_users), default=None
            Ignored.
        groups : array-like of shape (n_items,), default=None
            Release date of each item; required.

        Yields
        ------
        train : int64 ndarray
            Items released earlier.
        test : int64 ndarray
            Items released later.

        Raises
        ------
        ValueError
            If dates are missing, are text in another form than ISO 8601, or there are
            too few different dates.
        """
        dates = self._check_dates(X, groups)
        if self.cutoffs is None:
            period = self._periods(dates)
        else:
            cutoffs = self._cutoffs_like(dates)
            if cutoffs.ndim != 1 or not (cutoffs[:-1] < cutoffs[1:]).all():
                raise ValueError(
                    f"cutoffs={self.cutoffs!r}; expected increasing dates."
                )
            period = np.searchsorted(cutoffs, dates, side="right")
        for i in range(self.get_n_splits()):
            train, test = np.flatnonzero(period <= i), np.flatnonzero(period == i + 1)
            if not len(train) or not len(test):
                raise ValueError(
                    f"Split {i} has {len(train)} training and {len(test)} test items; "
                    "both need at least one. Move the cutoffs into the range of dates, "
                    f"{dates.min()} to {dates.max()}."
                )
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        if self.cutoffs is not None:
            return len(self.cutoffs)
        check_scalar(self.n_splits, "n_splits", int, min_val=1)
        return self.n_splits

    def _check_dates(self, X: Any, groups: Any) -> np.ndarray:
        if groups is None:
            raise ValueError(
                "The 'groups' parameter should not be None: pass the release date of "
                "each item as groups."
            )
        if np.shape(groups) != (_num_samples(X),):
            raise ValueError(
                f"groups has shape {np.shape(groups)} but X has {_num_samples(X)} "
                "items; expected one release date per item."
            )
        check_same_items(X, groups, input_name="groups")
        return sortable_dates(groups, name="groups")

    def _cutoffs_like(self, dates: np.ndarray) -> np.ndarray:
        """Return the cutoffs in a form that can be compared with the dates."""
        why = "expected the same kind."
        try:
            cutoffs = sortable_dates(
                self.cutoffs, name="cutoffs", of="cutoffs have no date"
            )
            if (dates.dtype.kind == "M") == (cutoffs.dtype.kind == "M"):
                return cutoffs
        except ValueError as error:
            why = str(error)
        raise ValueError(
            f"cutoffs={self.cutoffs!r} cannot be compared with dates such as "
            f"{dates[0]}; {why}"
        )

    def _periods(self, dates: np.ndarray) -> np.ndarray:
        n_periods = self.get_n_splits() + 1
        distinct, date, n_items = np.unique(
            dates, return_inverse=True, return_counts=True
        )
        if len(distinct) < n_periods:
            raise ValueError(
                f"Items have {len(distinct)} different release dates; n_splits="
                f"{self.n_splits} needs at least {n_periods}."
            )
        # The period of a date is that of the middle of its items; a date that spans
        # several periods must not leave one of them empty.
        middle = np.cumsum(n_items) - n_items / 2.0
        period = (middle * n_periods / len(dates)).astype(np.int64)
        for i in range(len(period)):
            reached = period[i - 1] + 1 if i else 0
            period[i] = max(min(period[i], reached), i + n_periods - len(period))
        return period[date]


@documented()
class ArtistHistorySplit(BaseCrossValidator):
    """Test on new items of artists with plays in training, or of new artists.

    An item is *hot* if another item of its artist is in the training set and has plays,
    and *cold* otherwise. Both kinds are held out of the same training sets, so results
    for `history` "hot" and "cold" differ only in the test items.

    .. versionadded:: 0.2

    Parameters
    ----------
    n_splits : int, default=5
        Number of splits; at least 2 without `release_dates`.
    history : {"hot", "cold"}, default="hot"
        Kind of held-out items in the test set.
    release_dates : array-like of shape (n_items,), default=None
        Release date of each item, to hold out items by period as `ReleaseDateSplit`.
        ``None`` holds out some artists with all of their items, and some of the items
        of the others.
    shuffle : bool, default=False
        Whether to assign artists and items to the splits in random order. Not used with
        `release_dates`.
    random_state : int, RandomState instance or None, default=None
        Seed of the order. Pass the same int to the splits "hot" and "cold".

    See Also
    --------
    ReleaseDateSplit : Items released later, of any artist.
    sklearn.model_selection.GroupKFold : New artists, with all other items in training.

    Notes
    -----
    Artists are the `groups` of `split`. Without `release_dates`, split i holds out all
    items of a fraction 1 / n_splits of the artists, the cold items, and at most a
    fraction 1 / n_splits of the items of every other artist, the hot items. Every item
    is cold in one split and hot in at most one. An item that is the only one of its
    artist, or the only one with plays, is never hot. See `ReleaseDateSplit` for leaks.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.model_selection import ArtistHistorySplit
    >>> artists = np.array(["ann", "ann", "bob", "bob", "cem", "cem"])
    >>> plays = np.ones((6, 2))
    >>> for history in ("hot", "cold"):
    ...     split = ArtistHistorySplit(3, history=history)
    ...     train, test = next(split.split(artists, plays, groups=artists))
    ...     print(history, artists[train], artists[test])
    hot ['bob' 'cem'] ['bob' 'cem']
    cold ['bob' 'cem'] ['ann' 'ann']
    """

    # With metadata routing, groups are requested by default, as in GroupKFold.
    __metadata_request__split = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        history: str = "hot",
        release_dates: Any = None,
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.history = history
        self.release_dates = release_dates
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield rows of training and test items.

        Parameters
        ----------
        <number of items>
        y : {array-like, sparse} of shape (n_items, n_users), default=None
            Plays, used to find items with plays; ``None`` means all items have plays.
        groups : array-like of shape (n_items,), default=None
            Artist of each item; required.

        Yields
        ------
        train : int64 ndarray
            Training items.
        test : int64 ndarray
            New items with the selected history.

        Raises
        ------
        ValueError
            If artists are missing, or a split has no training or no test item.
        """
        if self.history not in ("hot", "cold"):
            raise ValueError(f"history={self.history!r}; expected 'hot' or 'cold'.")
        if groups is None:
            raise ValueError(
                "The 'groups' parameter should not be None: pass the artist of each "
                "item as groups."
            )
        check_groups(groups, X)
        check_same_items(X, y)
        _, artist = np.unique(np.asarray(groups), return_inverse=True)
        has_plays = _has_plays(y, _num_samples(X))
        if self.release_dates is None:
            splits = self._deal(artist, has_plays)
        else:
            n_items, shape = _num_samples(X), np.shape(self.release_dates)
            if shape != (n_items,):
                raise ValueError(
                    f"release_dates has shape {shape} but X has {n_items} items; "
                    "expected one date per item. Inside a search, which splits a "
                    "subset of rows, leave release_dates out."
                )
            by_date = ReleaseDateSplit(self.get_n_splits())
            splits = by_date.split(X, groups=self.release_dates)
        for i, (train, new) in enumerate(splits):
            known = np.zeros(artist.max() + 1, dtype=bool)
            known[artist[train[has_plays[train]]]] = True
            test = new[known[artist[new]] == (self.history == "hot")]
            if not len(train) or not len(test):
                raise ValueError(
                    f"Split {i} has {len(train)} training items and {len(test)} "
                    f"{self.history} test items of {len(new)} new ones; both need at "
                    f"least one. {known.sum()} of {len(known)} artists have plays in "
                    "training. Use fewer splits, or the other history."
                )
            yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        least = 2 if self.release_dates is None else 1
        check_scalar(self.n_splits, "n_splits", int, min_val=least)
        return self.n_splits

    def _deal(
        self, artist: np.ndarray, has_plays: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield training items, and new ones: cold artists, and items of the others."""
        n_splits, n_artists = self.get_n_splits(), int(artist.max()) + 1
        order = np.arange(len(artist))
        rank = np.arange(n_artists)
        if self.shuffle:
            rng = check_random_state(self.random_state)
            order, rank = rng.permutation(order), rng.permutation(rank)
        # As in GroupKFold: largest artist first, to the split with the fewest items.
        sizes = np.bincount(artist)
        cold_in = np.empty(n_artists, np.int64)
        load = np.zeros(n_splits, np.int64)
        for a in np.lexsort([rank, -sizes]):
            cold_in[a] = np.argmin(load)
            load[cold_in[a]] += sizes[a]
        # Items of an artist are assigned in turn, after the split where it is cold.
        by_artist = order[np.argsort(artist[order], kind="stable")]
        place = np.arange(len(artist)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        hot_in = np.empty(len(artist), np.int64)
        hot_in[by_artist] = (cold_in[artist[by_artist]] + 1 + place) % n_splits
        n_played = np.bincount(artist[has_plays], minlength=n_artists)
        for i in range(n_splits):
            is_cold = cold_in[artist] == i
            dealt = hot_in == i
            played_here = np.bincount(artist[dealt & has_plays], minlength=n_artists)
            is_hot = dealt & ~is_cold & (n_played > played_here)[artist]
            new = is_cold | is_hot
            yield np.flatnonzero(~new), np.flatnonzero(new)


def _has_plays(y: Any, n_items: int) -> np.ndarray:
    if y is None:
        return np.ones(n_items, dtype=bool)
    if np.ndim(y) == 1 and not sp.issparse(y):
        y = np.reshape(np.asarray(y), (-1, 1))
    return np.diff(check_play_counts(y, n_items=n_items).indptr) > 0
