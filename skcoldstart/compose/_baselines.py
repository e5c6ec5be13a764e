"""Baselines: chance, the upper bound, and a content profile without factors."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import (
    TEXTS,
    RecommenderMixin,
    check_training_plays,
    weigh_plays,
)
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, HasMethods, StrOptions, _fit_context
from skcoldstart.compose._base import FactorScoresMixin, checked_content
from skcoldstart.compose._fold_in import FoldInMixin
from skcoldstart.factorization import WMF


@documented(TEXTS)
class RandomRecommender(RecommenderMixin, BaseEstimator):
    """Rank items by random factors: the lower bound of every comparison.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_components : int, default=50
        Length of the random factors.
    random_state : int, RandomState instance or None, default=None
        Seed of both factors; an int makes predictions repeatable.

    Attributes
    ----------
    user_factors_ : ndarray of shape (n_users, n_components)
        Standard normal factors.
    <users of fit>

    See Also
    --------
    skcoldstart.OracleRecommender : The upper bound.

    Notes
    -----
    Item factors depend only on the position of an item in `X`, so calling `predict`
    twice returns the same scores. The paper does not state its distribution. All users
    share the items' factors: with few items the AUC of one draw is farther from 1/2
    than that of independent scores.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
    recommendation", NIPS 2013, Table 3 (random).

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import RandomRecommender
    >>> y = np.eye(6)
    >>> RandomRecommender(random_state=0).fit(np.zeros((6, 1)), y).predict(
    ...     np.zeros((3, 1))).shape
    (3, 6)
    """

    _parameter_constraints: dict = {
        "n_components": COUNT,
        "random_state": ["random_state"],
    }

    def __init__(self, n_components: int = 50, *, random_state: Any = None) -> None:
        self.n_components = n_components
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, user_ids: Any = None) -> "RandomRecommender":
        """Draw user factors.

        Parameters
        ----------
        X : sequence of n_items items
            Only the number of items is used.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts; only the number of users is used.
        <user ids>

        <fitted>
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        rng = check_random_state(self.random_state)
        self.n_users_ = plays.shape[1]
        self.user_factors_ = rng.standard_normal((self.n_users_, self.n_components))
        self._item_seed = int(rng.randint(np.iinfo(np.int32).max))
        return self

    def predict_factors(self, X: Any) -> np.ndarray:
        """Draw the factors of items.

        Parameters
        ----------
        X : sequence of n_items items
            Only the number of items is used.

        Returns
        -------
        ndarray of shape (n_items, n_components)
            Standard normal factors.
        """
        check_is_fitted(self)
        rng = np.random.default_rng(self._item_seed)
        return rng.standard_normal((count_items(X), self.user_factors_.shape[1]))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        tags.no_validation = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags


@documented(TEXTS)
class OracleRecommender(FactorScoresMixin, MetaEstimatorMixin, BaseEstimator):
    """Score items by factors folded in from their own plays: the upper bound.

    `X` *is* the plays of the items, in `fit` and in `predict`. It shows how good the
    factors are that a content model predicts.

    .. versionadded:: 0.1

    Parameters
    ----------
    factorizer : estimator, default=None
        Has ``fit``, ``transform`` and ``inverse_transform``; that of the model which it
        is compared with. ``None`` means `WMF()`.

    Attributes
    ----------
    factorizer_ : estimator
        The fitted factorizer.
    user_factors_ : ndarray of shape (n_users, k)
        User factors, if the factorizer decodes linearly.
    <users of fit>
    n_features_in_ : int
        Equal to `n_users_`: the columns of X are users.

    See Also
    --------
    skcoldstart.ColdStartRecommender : Predicts the factors from content.
    skcoldstart.RandomRecommender : The lower bound.

    Notes
    -----
    The factorizer is fitted only on the training items. Factors of other items are
    their best fit with fixed user factors.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
    recommendation", NIPS 2013, Table 3 (upper bound).

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import OracleRecommender
    >>> from skcoldstart.model_selection import cross_validate
    >>> plays = np.random.default_rng(0).poisson(0.5, size=(40, 20))
    >>> scores = cross_validate(OracleRecommender(), plays, plays, cv=4)
    >>> bool(scores["test_auc"].mean() > 0.8)
    True
    """

    _parameter_constraints: dict = {
        "factorizer": [HasMethods(["fit", "transform", "inverse_transform"]), None],
    }

    def __init__(self, factorizer: Any = None) -> None:
        self.factorizer = factorizer

    # The factorizer validates its own parameters when fitted.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any = None, *, user_ids: Any = None
    ) -> "OracleRecommender":
        """Factorize the plays of the training items.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_users)
            Play counts of the training items.
        y : {array-like, sparse} of shape (n_items, n_users), default=None
            Ignored. Model selection passes the same table.
        user_ids : array-like of shape (n_users,), default=None
            Names of users, if `X` is not a DataFrame with named columns.

        <fitted>

        Raises
        ------
        ValueError
            If `X` is not a table of non-negative counts with at least one play.
        """
        plays = check_training_plays(self, X, X, user_ids=user_ids, input_name="X")
        self.factorizer_ = clone(WMF() if self.factorizer is None else self.factorizer)
        self.factorizer_.fit(plays)
        self.n_features_in_ = plays.shape[1]
        factors = self.factorizer_.transform(plays[:1])
        self._record_decoder(np.shape(factors)[1], plays.shape[1])
        return self

    def predict_factors(self, X: Any) -> np.ndarray:
        """Compute factors of items from their plays.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_users)
            Play counts of the items to score.

        Returns
        -------
        ndarray of shape (n_items, k)
            Item factors.

        Raises
        ------
        ValueError
            If `X` is not a table of plays with the users of `fit`.
        """
        check_is_fitted(self)
        check_user_names(self, X, input_name="X")
        plays = check_play_counts(X, input_name="X")
        if plays.shape[1] != self.n_users_:
            raise ValueError(
                f"X has {plays.shape[1]} features, but OracleRecommender is expecting "
                f"{self.n_users_} features as input: X must be the plays of the items "
                "to score, one column per user."
            )
        return np.asarray(self.factorizer_.transform(plays))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = False
        return tags


@documented(TEXTS)
class ContentProfileRecommender(FoldInMixin, RecommenderMixin, BaseEstimator):
    """Score an item by its mean cosine similarity to what a user played.

    .. versionadded:: 0.1

    Parameters
    ----------
    weighting : {"binary", "log", "count"}, default="binary"
        Weight of a played item in the user's profile: 1, log(1 + plays), or plays.

    Attributes
    ----------
    user_factors_ : ndarray or csr_array of shape (n_users, n_features)
        Profiles: the weighted mean of the unit-length items that a user played. Sparse
        if the content is sparse.
    <users of fit>
    <features of fit>

    See Also
    --------
    skcoldstart.ColdStartRecommender : Learns which content matters.

    Notes
    -----
    The mean over played items of cos(x_j, x_i) is the product of the unit vector of
    item j with the mean of the played unit vectors: O(n_items n_features) per user, and
    n_users n_features memory. Items without content (all zeros) and users without plays
    have scores of 0. The items of `fit` are stored for `fold_in_users`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentProfileRecommender
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> y = np.array([[1, 0], [0, 1]])
    >>> ContentProfileRecommender().fit(X, y).predict([[3.0, 0.0]])
    array([[1., 0.]])
    """

    _parameter_constraints: dict = {
        "weighting": [StrOptions({"binary", "log", "count"})],
    }

    def __init__(self, *, weighting: str = "binary") -> None:
        self.weighting = weighting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, *, user_ids: Any = None
    ) -> "ContentProfileRecommender":
        """Average the content of the items each user played.

        Parameters
        ----------
        <table>
        <plays>
        <user ids>

        <fitted>
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        self._record_items(X, y)
        self._unit_items = normalize(checked_content(self, X))
        self.user_factors_ = self._fold_in(plays)
        self.n_users_ = plays.shape[1]
        return self

    def _fold_in(self, plays: sp.csr_array) -> Any:
        weights = weigh_plays(plays.astype(self._unit_items.dtype), self.weighting)
        totals = weights.sum(axis=0)
        shares = weights / np.where(totals > 0, totals, 1.0)
        return shares.T.tocsr() @ self._unit_items

    def predict_factors(self, X: Any) -> Any:
        """Scale items to unit length.

        Parameters
        ----------
        <table>

        Returns
        -------
        ndarray or csr_array of shape (n_items, n_features)
            Items of unit length, sparse if `X` is. Rows of zeros are unchanged.
        """
        check_is_fitted(self)
        return normalize(checked_content(self, X, reset=False))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
