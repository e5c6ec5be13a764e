"""A split by release date."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_scalar

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._utils.dates import sortable_dates
from skcoldstart._utils.sk import _num_samples


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
    sklearn.model_selection.KFold : New items of any date.
    sklearn.model_selection.GroupKFold : Items of new artists.

    Notes
    -----
    Release dates are the `groups` of `split`, one per item: years and other numbers,
    `datetime64`, `datetime.date`, ordered categories, or text in the form of ISO 8601
    (``"2012"``, ``"2012-06"``, ``"2012-06-30"``, with or without a time), where a year
    means its first day. Other text, such as ``"30/6/2012"``, is rejected: convert it
    with `pandas.to_datetime`. This is a splitter of rows like those of scikit-learn.
    Pass it as ``cv=``, with ``groups=dates``.

    **What leaks if misused.** Only items are held out, not times: y still contains
    plays of training items after the release of the test items, so user factors contain
    future tastes. If plays have dates, remove those after the cutoff before fitting.
    Items without a date (None, NaN, empty text, or a year of 0) are rejected: leave
    them out. New items of known artists are in the test set; for new artists combine
    with artist groups.

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
        X : sequence of n_items items
            Content; only the number of items is used.
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
        """Return the number of splits.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.
        groups : object, default=None
            Ignored.

        Returns
        -------
        int
            `n_splits`, or the number of cutoffs.
        """
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
        rank = np.arange(len(distinct))
        earliest = n_periods - (len(distinct) - rank)
        for i in range(len(period)):
            reached = period[i - 1] + 1 if i else 0
            period[i] = max(min(period[i], reached), earliest[i])
        return period[date]
