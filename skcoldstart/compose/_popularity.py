"""Popularity of new items, from the plays of items with the same artist."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Tags, check_array, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._recommender import (
    TEXTS,
    RecommenderMixin,
    check_training_plays,
    weigh_plays,
)
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import (
    name_missing_content,
    refuse_masked,
    refuse_missing,
)
from skcoldstart._utils.sk import HasMethods, StrOptions, _fit_context, _safe_indexing
from skcoldstart.compose._base import take_items
from skcoldstart.compose._fold_in import FoldInMixin


@documented(TEXTS)
class PopularityRecommender(FoldInMixin, RecommenderMixin, BaseEstimator):
    """Score a new item by how often items of the same artist are played.

    All users get the same ranking. A regressor predicts the popularity from content
    instead.

    .. versionadded:: 0.1

    Parameters
    ----------
    on : int, str, callable or estimator, default=0
        The shared property: the index of a column of `X`, its name if `X` is a
        DataFrame, or a function that takes `X` and returns one value per item, such as
        the folder of each path. Or a regressor, which learns the logarithm of the
        popularity of an item from its content.

        .. versionchanged:: 0.2
           Takes a regressor.
    weighting : {"binary", "log", "count"}, default="binary"
        Contribution of an item to the popularity of its value: its number of users, the
        sum of log(1 + plays), or the sum of plays.

    Attributes
    ----------
    values_ : list of n_values values
        Values seen in fit, where `on` is not a regressor.
    popularity_ : ndarray of shape (n_values,)
        Plays of all items with that value, where `on` is not a regressor.
    regressor_ : estimator
        The fitted regressor, where `on` is one.
    user_factors_ : ndarray of shape (n_users, 1)
        Ones: all users have the same scores.
    <users of fit>
    n_features_in_ : int
        Number of features seen during fit, where `on` is a column.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` has them.

    See Also
    --------
    skcoldstart.ContentProfileRecommender : Uses content and no popularity.
    skcoldstart.RandomRecommender : The lower bound.

    Notes
    -----
    The score of item i is the sum of the weighted plays of the training items whose
    value equals that of i; a new value has score 0, the lowest. If artists are held out
    as groups, all values are new and all items tie.

    A regressor is fitted to log(1 + popularity) of the training items that anybody
    played, and its prediction is the score.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import PopularityRecommender
    >>> artists = np.array([["Ravel"], ["Satie"], ["Satie"]])
    >>> y = np.array([[1, 0], [1, 1], [0, 3]])
    >>> model = PopularityRecommender().fit(artists, y)
    >>> model.predict([["Satie"], ["Ravel"], ["Bizet"]])[:, 0]
    array([3., 1., 0.])
    """

    _parameter_constraints: dict = {
        "on": [int, str, callable, HasMethods(["fit", "predict"])],
        "weighting": [StrOptions({"binary", "log", "count"})],
    }

    def __init__(self, on: Any = 0, *, weighting: str = "binary") -> None:
        self.on = on
        self.weighting = weighting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, user_ids: Any = None) -> "PopularityRecommender":
        """Add up the plays of items that share a value.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features), or whatever `on` takes
            Content.
        <plays>
        <user ids>

        <fitted>

        Raises
        ------
        ValueError
            If `X` has no column `on`, the column has missing values, or `y` is invalid.
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        totals = weigh_plays(plays, self.weighting).sum(axis=1)
        if self._learns():
            played = np.flatnonzero(totals)
            rows, target = take_items(X, played), np.log1p(totals[played])
            self.regressor_ = clone(self.on).fit(rows, target)
        else:
            values = self._values(X, reset=True)
            code = {value: i for i, value in enumerate(dict.fromkeys(values))}
            self.popularity_ = np.bincount([code[value] for value in values], totals)
            self.values_ = list(code)
        self._record_items(X, y)
        self.n_users_ = plays.shape[1]
        self.user_factors_ = np.ones((self.n_users_, 1))
        return self

    def _fold_in(self, plays: sp.csr_array) -> np.ndarray:
        return np.ones((plays.shape[1], 1))

    def predict_factors(self, X: Any) -> np.ndarray:
        """Return the popularity of each item's value.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features), or whatever `on` takes
            Content of the items to score.

        Returns
        -------
        ndarray of shape (n_items, 1)
            Popularity; 0 for a new value. Of a regressor, its logarithm.
        """
        check_is_fitted(self)
        if self._learns():
            with name_missing_content(X):
                return np.reshape(self.regressor_.predict(X), (count_items(X), 1))
        known = dict(zip(self.values_, self.popularity_.tolist(), strict=True))
        values = self._values(X, reset=False)
        return np.array([[known.get(value, 0.0)] for value in values])

    def _learns(self) -> bool:
        return hasattr(self.on, "fit")

    def _values(self, X: Any, *, reset: bool) -> list[Hashable]:
        """Return the value of each item selected by `on`."""
        refuse_masked(X, "X")
        if callable(self.on):
            column, what = self.on(X), "The value that on returned"
            if np.shape(column) != (count_items(X),):
                raise ValueError(
                    f"on returned shape {np.shape(column)} for {count_items(X)} items; "
                    "expected one value per item."
                )
        else:
            # Other columns are not read and may have any type.
            is_frame = hasattr(X, "columns")
            if isinstance(X, (list, tuple)):
                X = np.array(X, dtype=object)  # text would swallow None and NaN
            table = validate_data(
                self,
                X,
                dtype=None,
                ensure_all_finite=False,
                reset=reset,
                skip_check_array=is_frame,
            )
            column = _safe_indexing(table, self._column(table.shape[1]), axis=1)
            what = f"Column {self.on!r} of X"
        refuse_missing(
            column,
            what=what,
            remedy="give each of them a name of its own, because unknown artists are "
            "not the same artist, or leave them out.",
        )
        if isinstance(column, list):
            return column
        column = check_array(column, dtype=None, ensure_2d=False, input_name="X")
        return column.tolist()

    def _column(self, n_features: int) -> int:
        if isinstance(self.on, str):
            names = list(getattr(self, "feature_names_in_", []))
            if self.on not in names:
                raise ValueError(
                    f"on={self.on!r} is not among the columns of X, {names}; expected "
                    "the name of a column of a DataFrame."
                )
            return names.index(self.on)
        column = int(self.on)
        if not -n_features <= column < n_features:
            raise ValueError(
                f"on={column} but X has {n_features} columns; expected one of them."
            )
        return column

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        if self._learns():
            tags.input_tags = get_tags(self.on).input_tags
        return tags
