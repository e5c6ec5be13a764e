"""FactorTargetEncoder: encode artists and labels by the factors of their items."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._sequences.checks import check_one_row_per_item
from skcoldstart._utils.missing import is_missing, refuse_masked
from skcoldstart._utils.sk import (
    HasMethods,
    Interval,
    _check_feature_names_in,
    _fit_context,
)
from skcoldstart.factorization._wmf import WMF

_UNKNOWN = -1  # code of an unknown category or missing value: the mean, a last row


class FactorTargetEncoder(TransformerMixin, BaseEstimator):
    r"""Encode categories of items by the mean factors of their items.

    A new song of a known artist has no plays, but the artist's other songs have. This
    transformer replaces an artist, a label or an album by the mean of the factors of
    its items. The mean of few items is shrunk towards the mean of all items.

    .. versionadded:: 0.2

    Parameters
    ----------
    factorizer : estimator, default=None
        Estimator with ``fit_transform(Y)`` from plays to item factors, such as `WMF` or
        `sklearn.decomposition.TruncatedSVD`. ``None`` means `WMF()` for a sparse y, and
        that a dense y is factors, as inside the regressor of `ColdStartRecommender`.
    shrinkage : float, default=2.0
        Weight of the mean of all items, as a number of items, >= 0.
    cv : int, cross-validation splitter or iterable, default=5
        Folds of `fit_transform`. An int, at least 2, distributes the items of each
        category over this many folds in turn, for any order of items.

    Attributes
    ----------
    categories_ : list of ndarray of shape (n_categories,)
        Categories of each column of X, in the order in which they first occur.
    counts_ : list of ndarray of shape (n_categories,)
        Number of items with factors, for each category.
    encodings_ : list of ndarray of shape (n_categories, k)
        Shrunken mean factors of each category.
    target_mean_ : ndarray of shape (k,)
        Mean factors of all items: the encoding of unknown categories.
    factorizer_ : estimator
        The fitted factorizer, if y was plays.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X is a data frame whose column names are strings.

    See Also
    --------
    ColdStartRecommender : Learns factors from these columns and others.
    sklearn.preprocessing.TargetEncoder : The same idea for one number per item.

    Notes
    -----
    For a category c with :math:`n_c` items of factors :math:`y_i`, with the mean
    :math:`\bar y` of all items and the shrinkage m,

    .. math:: e_c = \frac{\sum_{i \in c} y_i + m \bar y}{n_c + m} .

    `fit_transform` is not ``fit(X, y).transform(X)``: the items of a fold are encoded
    from those of the other folds, so the encoding of an item does not contain its own
    factors. The factors are from one factorization of all items.

    A missing value (None, NaN, NaT, pandas' NA) is encoded like an unknown category, as
    the mean of all items. Values may be of any type that can be hashed. Items without
    plays have no factors and are left out of the means. Time and memory are
    O(n_items n_columns k).

    References
    ----------
    D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical
    attributes in classification and prediction problems", SIGKDD Explorations 3(1),
    2001.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import FactorTargetEncoder
    >>> artists = np.array([["Ada"], ["Ada"], ["Bo"]])
    >>> factors = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 6.0]])
    >>> encoder = FactorTargetEncoder(shrinkage=1).fit(artists, factors)
    >>> encoder.transform([["Ada"], ["Bo"], ["Cy"]])
    array([[2.        , 0.66666667],
           [2.        , 4.        ],
           [2.        , 2.        ]])
    """

    _parameter_constraints: dict = {
        "factorizer": [HasMethods(["fit_transform"]), None],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
    }

    def __init__(
        self, factorizer: Any = None, *, shrinkage: float = 2.0, cv: Any = 5
    ) -> None:
        self.factorizer = factorizer
        self.shrinkage = shrinkage
        self.cv = cv

    # The factorizer validates its own parameters when fitted.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> Self:
        """Learn the mean factors of each category.

        Parameters
        ----------
        X : array-like of shape (n_items, n_columns)
            Categories of each item, of any type.
        y : {array-like, sparse} of shape (n_items, n_users) or (n_items, k)
            Play counts of the items, or with ``factorizer=None`` and a dense table
            their factors.

        Returns
        -------
        self
            The fitted encoder.

        Raises
        ------
        ValueError
            If `y` does not have one row per item, or holds NaN or infinity.
        """
        self._learn(X, y)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X: Any, y: Any) -> np.ndarray:
        """Learn the mean factors, and encode each item from items of other folds.

        Parameters
        ----------
        X : array-like of shape (n_items, n_columns)
            Categories of each item, of any type.
        y : {array-like, sparse} of shape (n_items, n_users) or (n_items, k)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_items, n_columns * k)
            Encodings, grouped by column.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        codes, factors, is_known = self._learn(X, y)
        encoded = []
        for of_column, categories in zip(codes, self.categories_, strict=True):
            # Items that no fold holds out are encoded as `transform` encodes unknowns.
            rows = np.tile(self.target_mean_, (len(factors), 1))
            for train, test in self._folds(of_column):
                train = train[is_known[train]]
                mean, _, encodings = _means(
                    of_column[train], factors[train], len(categories), self.shrinkage
                )
                rows[test] = np.vstack([encodings, mean])[of_column[test]]
            encoded.append(rows)
        return np.hstack(encoded)

    def transform(self, X: Any) -> np.ndarray:
        """Encode items with the means of all items of `fit`.

        Parameters
        ----------
        X : array-like of shape (n_items, n_columns)
            Categories of each item.

        Returns
        -------
        ndarray of shape (n_items, n_columns * k)
            Encodings, grouped by column.
        """
        check_is_fitted(self)
        table, missing = self._check_categories(X, reset=False)
        encoded = []
        for column, categories in enumerate(self.categories_):
            known = {value: code for code, value in enumerate(categories.tolist())}
            codes = _code(table[:, column], missing[:, column], known)
            encodings = np.vstack([self.encodings_[column], self.target_mean_])
            encoded.append(encodings[codes])
        return np.hstack(encoded)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return names of the encodings: the column and the number of the factor.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; ``None`` means those seen in `fit`, or ``x0``,
            ``x1`` and so on.

        Returns
        -------
        ndarray of shape (n_columns * k,), dtype object
            Names such as ``artist_0``.
        """
        check_is_fitted(self)
        columns = _check_feature_names_in(self, input_features)
        factors = range(len(self.target_mean_))
        names = [f"{column}_{factor}" for column in columns for factor in factors]
        return np.array(names, dtype=object)

    def _learn(self, X: Any, y: Any) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Fit the encoder; return codes and factors for `fit_transform`.

        Shapes: -> codes (n_items,) of each column, factors (n_items, k), whether an
        item's factors are known (n_items,).
        """
        table, missing = self._check_categories(X, reset=True)
        check_same_items(X, y)
        factors, is_known = self._factors(y, len(table))
        codes, categories = [], []
        for column, gaps in zip(table.T, missing.T, strict=True):
            known: dict[Any, int] = {}
            codes.append(_code(column, gaps, known, learn=True))
            categories.append(np.empty(len(known), dtype=object))
            categories[-1][:] = list(known)
        learnt = [
            _means(of[is_known], factors[is_known], len(found), self.shrinkage)
            for of, found in zip(codes, categories, strict=True)
        ]
        self.categories_ = categories
        self.target_mean_ = learnt[0][0]
        self.counts_ = [counts for _, counts, _ in learnt]
        self.encodings_ = [encodings for _, _, encodings in learnt]
        return codes, factors, is_known

    def _factors(self, y: Any, n_items: int) -> tuple[np.ndarray, np.ndarray]:
        """Return factors (n_items, k), and a mask of items with factors."""
        if y is None:
            raise ValueError(
                "FactorTargetEncoder requires y to be passed, but the target y is "
                "None; pass play counts or item factors, one row per item."
            )
        if self.factorizer is None and not sp.issparse(y):
            self.__dict__.pop("factorizer_", None)  # from an earlier fit
            refuse_masked(y, "y")
            factors = check_array(
                y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y"
            )
            check_one_row_per_item(factors.shape, n_items, columns="")
            return factors.reshape(n_items, -1), np.ones(n_items, dtype=bool)
        plays = check_play_counts(y, n_items=n_items)
        if not plays.nnz:
            raise ValueError(
                f"y of shape {plays.shape} has no plays; FactorTargetEncoder requires "
                f"at least one."
            )
        self.factorizer_: Any = clone(
            WMF() if self.factorizer is None else self.factorizer
        )
        factors = np.asarray(self.factorizer_.fit_transform(plays))
        return factors, np.diff(plays.indptr) > 0

    def _check_categories(
        self, X: Any, *, reset: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return categories unchanged, and a mask of missing ones."""
        refuse_masked(X, "X")
        # NumPy would convert numbers and NaN next to text to text.
        dtype = None if hasattr(X, "dtype") else object
        table = validate_data(
            self, X, dtype=dtype, ensure_all_finite=False, reset=reset
        )
        return table, is_missing(table)

    def _folds(self, codes: np.ndarray) -> Any:
        """Yield training and test rows of each fold of a column."""
        if not isinstance(self.cv, Integral):
            yield from check_cv(self.cv).split(np.empty((len(codes), 1)))
            return
        # Items of a category are numbered from 0 in the order of rows.
        order = np.argsort(codes, kind="stable")
        _, first, sizes = np.unique(codes[order], return_index=True, return_counts=True)
        number = np.empty(len(codes), dtype=np.int64)
        number[order] = np.arange(len(codes)) - np.repeat(first, sizes)
        for fold in range(self.cv):
            test = np.flatnonzero(number % self.cv == fold)
            if len(test):
                yield np.flatnonzero(number % self.cv != fold), test

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def _code(
    values: np.ndarray, missing: np.ndarray, known: dict[Any, int], learn: bool = False
) -> np.ndarray:
    """Return the code of each category, -1 for unknown ones."""
    codes = np.full(len(values), _UNKNOWN, dtype=np.int64)
    for row in np.flatnonzero(~missing):
        value = values[row]
        try:
            code = known.get(value, len(known) if learn else _UNKNOWN)
        except TypeError:
            raise TypeError(
                f"Row {row} of X holds {value!r}, a {type(value).__name__}; expected "
                "categories that can be hashed, such as texts or numbers. Use a tuple, "
                "or one column for each part."
            ) from None
        if code == len(known):
            known[value] = code
        codes[row] = code
    return codes


def _means(
    codes: np.ndarray, factors: np.ndarray, n_categories: int, shrinkage: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of all items, and size and shrunken mean of each category.

    Shapes: `codes` (n,), `factors` (n, k) -> (k,), (n_categories,), (n_categories, k).
    """
    k = factors.shape[1]
    mean = factors.mean(axis=0, dtype=np.float64) if len(factors) else np.zeros(k)
    rows = np.flatnonzero(codes != _UNKNOWN)
    counts = np.bincount(codes[rows], minlength=n_categories)
    sums = np.zeros((n_categories, k))
    np.add.at(sums, codes[rows], factors[rows])
    weights = (counts + shrinkage)[:, np.newaxis]
    encodings = np.tile(mean, (n_categories, 1))
    np.divide(sums + shrinkage * mean, weights, out=encodings, where=weights > 0)
    return mean.astype(factors.dtype), counts, encodings.astype(factors.dtype)
