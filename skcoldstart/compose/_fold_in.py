"""Factors of new users, computed from their plays."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import as_names, places_of
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import is_missing


class FoldInMixin:
    """Fold new users in by their plays of the items of fit.

    The recommender has ``_fold_in(plays)``, which returns rows of zeros for users
    without usable plays, and calls ``_record_items`` in `fit`.
    """

    def fold_in_users(self, plays: Any, *, item_ids: Any = None) -> Any:
        """Return the factors of new users from their plays.

        The model is not changed. Pass the result to `recommend` as `user_factors`.

        .. versionadded:: 0.2

        Parameters
        ----------
        plays : {array-like, sparse} of shape (n_items, n_new_users)
            Play counts, >= 0: one row per item of `fit`, in the same order, and one
            column per new user. With `item_ids`, or a DataFrame with named rows, the
            rows are any items of `fit` in any order.
        item_ids : array-like of shape (n_rows,), default=None
            Names of the rows of `plays`, if the items of `fit` have names.

        Returns
        -------
        {ndarray, csr_array} of shape (n_new_users, k)
            User factors, for scores ``predict_factors(X) @ factors.T``. A user without
            plays of items of `fit` gets the mean of the user factors of `fit`.

        Raises
        ------
        ValueError
            If `plays` does not have one row per item of `fit`, names items that `fit`
            has not seen, or holds NaN, infinite or negative counts.
        TypeError
            If the recommender has a part that cannot fold users in.

        See Also
        --------
        recommend : Takes the factors as `user_factors`, and names as `users`.
        """
        check_is_fitted(self)
        factors = self._fold_in(self._rows_of_fit(plays, item_ids))
        unknown = rows_of_zeros(factors)
        known = getattr(self, "user_factors_", None) if unknown.any() else None
        if known is None:
            return factors
        mean = np.asarray(known.mean(axis=0)).reshape(1, -1).astype(factors.dtype)
        if sp.issparse(factors):
            chosen = sp.csr_array(unknown[:, np.newaxis].astype(factors.dtype))
            return sp.csr_array(factors + chosen @ sp.csr_array(mean))
        return np.where(unknown[:, np.newaxis], mean, factors)

    def _fold_in(self, plays: sp.csr_array) -> Any:
        raise NotImplementedError

    def _record_items(self, X: Any, y: Any, names: np.ndarray | None = None) -> None:
        """Store the number of items, and their names if they have any."""
        self._n_items = count_items(X)
        self._items_of_fit = _labels(y) if names is None else names
        if self._items_of_fit is None:
            self._items_of_fit = _labels(X)

    def _rows_of_fit(self, plays: Any, item_ids: Any) -> sp.csr_array:
        """Return plays with the rows of fit, (n_items, n_new_users)."""
        given = _labels(plays)
        if item_ids is not None:
            given = as_names(item_ids, "item_ids", "items").astype(object)
        plays = check_play_counts(plays, input_name="plays")
        known = self._items_of_fit
        if given is None or (item_ids is None and known is None):
            if plays.shape[0] == self._n_items:
                return plays
            hint = " Did you pass users as rows (plays.T)?"
            raise ValueError(
                f"plays has {plays.shape[0]} rows but {type(self).__name__} was fitted "
                f"on {self._n_items} items; expected one row per item of fit and one "
                "column per new user, or item_ids."
                f"{hint if plays.shape[1] == self._n_items else ''}"
            )
        if known is None:
            raise ValueError(
                f"item_ids names rows, such as {given[:1].tolist()}, but the items of "
                "fit have no names; pass one row per item of fit, in the same order."
            )
        if len(given) != plays.shape[0] or len(set(given)) < len(given):
            raise ValueError(
                f"There are {len(given)} names of items, {len(set(given))} of them "
                f"different, for {plays.shape[0]} rows of plays; expected one unique "
                "name for each row."
            )
        places = places_of(given.tolist(), known)
        if (places < 0).any():
            new = given[places < 0]
            shown = ", ".join(map(repr, new[:3].tolist()))
            raise ValueError(
                f"plays has {len(new)} items that fit has not seen, such as {shown}; "
                "leave these rows out, or add the items with partial_fit or fit."
            )
        n_given = len(given)
        order = sp.csr_array(
            (np.ones(n_given), (places, np.arange(n_given))),
            shape=(self._n_items, n_given),
        )
        return check_play_counts(order @ plays, input_name="plays")


def _labels(table: Any) -> np.ndarray | None:
    """Return unique names of items from rows of plays or from the index of a frame."""
    names = getattr(table, "item_ids", None)
    if sp.issparse(table) and names is not None:
        return np.fromiter(names.tolist(), object)
    index = getattr(table, "index", None)
    if not hasattr(table, "iloc") or not index.is_unique:  # type: ignore[union-attr]
        return None
    if np.array_equal(index, np.arange(len(index))) or is_missing(index).any():  # type: ignore[arg-type]
        return None
    return np.fromiter(index, object)  # type: ignore[arg-type]


def rows_of_zeros(table: Any) -> np.ndarray:
    """Mark rows of zeros, (n_rows,)."""
    if sp.issparse(table):
        return np.diff(table.indptr) == 0
    return ~table.any(axis=1)
