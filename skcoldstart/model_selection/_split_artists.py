"""A split of new items by the history of their artists."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, check_scalar

from skcoldstart._scores.item_labels import check_groups
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.sk import _num_samples
from skcoldstart.model_selection._split import ReleaseDateSplit


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
        Release date of each item, in the forms of `ReleaseDateSplit`: items are then
        held out by period, as in that splitter. ``None`` holds out some artists with
        all of their items, and some of the items of the others.
    shuffle : bool, default=False
        Whether to assign artists and items to the splits in random order. Not used with
        `release_dates`.
    random_state : int, RandomState instance or None, default=None
        Seed of the order. Pass the same int to the splits "hot" and "cold".

    See Also
    --------
    ReleaseDateSplit : Items released later, of any artist.
    sklearn.model_selection.GroupKFold : New artists, with all other items in training.
    skcoldstart.FactorTargetEncoder : Learns from the plays of an artist's other items.

    Notes
    -----
    Artists are the `groups` of `split`. Without `release_dates`, split i holds out all
    items of a fraction 1 / n_splits of the artists, the cold items, and at most a
    fraction 1 / n_splits of the items of every other artist, the hot items. Every item
    is cold in one split and hot in at most one. An item that is the only one of its
    artist, or the only one with plays, is never hot.

    With `release_dates`, the training set of a split is every item released before its
    period. See `ReleaseDateSplit` for leaks.

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
        X : sequence of n_items items
            Content; only the number of items is used.
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
        _, artist = np.unique(np.asarray(groups), return_inverse=True)
        has_plays = _has_plays(y, _num_samples(X))
        if self.release_dates is None:
            splits = self._deal(artist, has_plays)
        else:
            by_date = ReleaseDateSplit(self.get_n_splits())
            splits = by_date.split(X, groups=self._check_dates(X))
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
            `n_splits`.
        """
        least = 2 if self.release_dates is None else 1
        check_scalar(self.n_splits, "n_splits", int, min_val=least)
        return self.n_splits

    def _check_dates(self, X: Any) -> Any:
        n_items = _num_samples(X)
        if np.shape(self.release_dates) != (n_items,):
            raise ValueError(
                f"release_dates has shape {np.shape(self.release_dates)} but X has "
                f"{n_items} items; expected one date per item. Inside a search, which "
                f"splits a subset of rows, leave release_dates out."
            )
        return self.release_dates

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
