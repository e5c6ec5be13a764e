"""Content neighbours, without factors."""

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._recommender import (
    RecommenderMixin,
    check_training_plays,
    weigh_plays,
)
from skcoldstart._scores.sources import LowRankScores, ScoreSource, SparseScores
from skcoldstart._scores.top_n import top_n_per_user
from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import Interval, StrOptions, _fit_context

__all__ = ["ContentKNNRecommender"]


class ContentKNNRecommender(RecommenderMixin, BaseEstimator):
    r"""Score an item by who played the training items most like it.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_neighbors : int, default=20
        Training items that count for each new one.
    weighting : {"binary", "log", "count"}, default="binary"
        Weight of a play of a neighbour: 1, log(1 + plays), or plays.
    n_jobs : int, default=None
        Threads of the search for neighbours; ``None`` means all that are available.
        The result does not depend on it.

    Attributes
    ----------
    user_factors_ : csr_array of shape (n_users, n_played_items)
        Weighted plays of the training items that anybody played.
    n_users_ : int
        Number of users, the columns of y.
    user_names_in_ : ndarray of shape (`n_users_`,)
        Names of users: labels of the columns of y, or `user_ids`; missing without.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where `X` has them.

    See Also
    --------
    skcoldstart.ContentProfileRecommender : All played items instead of the nearest.

    Notes
    -----
    With :math:`N(i)` the `n_neighbors` training items of largest cosine
    :math:`s_{ij}` to item i, among those that anybody played and with negative cosines
    taken as 0,

    .. math:: score(u, i) = \frac{\sum_{j \in N(i)} s_{ij} w_{uj}}
        {\sum_{j \in N(i)} s_{ij}} .

    Of equal cosines the lower training item counts. A user without a play in `fit`
    scores 0 for all items. The search is exact and costs
    O(n_items n_train n_features) time and 256 n_train numbers a thread; scores are
    products of sparse tables and are never held for all items and users unless
    `predict` is asked for them.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import ContentKNNRecommender
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> ContentKNNRecommender(n_neighbors=1).fit(X, y).predict([[3.0, 1.0]])
    array([[1., 0.]])
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions({"binary", "log", "count"})],
        "n_jobs": [Integral, None],
    }

    def __init__(self, n_neighbors=20, *, weighting="binary", n_jobs=None):
        self.n_neighbors = n_neighbors
        self.weighting = weighting
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, user_ids: Any = None) -> "ContentKNNRecommender":
        """Remember the training items and who played them.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X.
        user_ids : array-like of shape (n_users,), default=None
            Names of users, where `y` is no DataFrame that has them.

        Returns
        -------
        self
            The fitted recommender.
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        with name_missing_content(X):
            X = validate_data(
                self, X, accept_sparse="csr", dtype=[np.float64, np.float32]
            )
        played = np.flatnonzero(np.diff(plays.indptr))
        self._unit_items = normalize(X[played])
        weights = weigh_plays(plays[played], self.weighting).astype(X.dtype)
        self.user_factors_ = weights.T.tocsr()
        self.n_users_ = plays.shape[1]
        return self

    def predict_factors(self, X: Any) -> sp.csr_array:
        """Find the neighbours of items and their shares in the score.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content of the items to score.

        Returns
        -------
        csr_array of shape (n_items, n_played_items)
            Shares of the neighbours, which add up to 1 unless all are 0.
        """
        check_is_fitted(self)
        with name_missing_content(X):
            X = validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                reset=False,
            )
        n_neighbors = min(self.n_neighbors, self._unit_items.shape[0])
        neighbors, cosines = top_n_per_user(
            self._cosines(normalize(X)), n_neighbors, n_jobs=self.n_jobs
        )
        shares = np.where(neighbors >= 0, np.maximum(cosines, 0), 0)
        totals = shares.sum(axis=1, keepdims=True)
        shares /= np.where(totals > 0, totals, 1)
        rows, places = np.nonzero(shares)
        return sp.csr_array(
            (shares[rows, places], (rows, neighbors[rows, places])),
            shape=(len(shares), self._unit_items.shape[0]),
        )

    def predict(self, X: Any) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content of the items to score.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            Scores; for large catalogues prefer `recommend`, which never holds this
            table.
        """
        return (self.predict_factors(X) @ self.user_factors_.T).toarray()

    def _cosines(self, unit: Any) -> ScoreSource:
        """Return a source in which new items stand for users."""
        if sp.issparse(unit) or sp.issparse(self._unit_items):
            return SparseScores(sp.csr_array(self._unit_items), sp.csr_array(unit))
        return LowRankScores(self._unit_items, unit)

    def __sklearn_tags__(self) -> Tags:
        """Accept sparse content."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
