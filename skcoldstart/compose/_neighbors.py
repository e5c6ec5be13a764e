"""Content neighbours, without factors."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.preprocessing import normalize
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import (
    TEXTS,
    RecommenderMixin,
    check_training_plays,
    weigh_plays,
)
from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    SparseScores,
    SumScores,
)
from skcoldstart._scores.top_n import top_n_per_user
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, _fit_context
from skcoldstart.compose._base import checked_content
from skcoldstart.compose._fold_in import FoldInMixin, rows_of_zeros
from skcoldstart.compose._groups import check_item_groups, group_table, known_groups


@documented(TEXTS)
class ContentKNNRecommender(FoldInMixin, RecommenderMixin, BaseEstimator):
    r"""Score an item by the plays of the most similar training items.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_neighbors : int, default=1000
        Number of training items used for each new item; all if there are fewer.
    weighting : {"cosine", "softmax"}, default="softmax"
        Weight of a neighbour: a power of its cosine, or the exponential of its cosine
        divided by `temperature` (the soft kernel).
    temperature : float, default=0.1
        Temperature of the softmax; small values give the most similar items more
        weight. 0.05 to 0.4 is worth a search.
    power : float, default=3.0
        Power of the cosine, if ``weighting="cosine"``.
    group_bonus : float, default=0.0
        Added to the cosine of items of the same group, such as the same artist, if
        `groups` are passed to `fit` and `predict`.
    play_weighting : {"binary", "log", "count"}, default="binary"
        Weight of a pair by its plays: 1, log(1 + plays), or plays.
    n_jobs : int, default=None
        Threads of the search for neighbours; ``None`` means all that are available.
        The result does not depend on it.

    Attributes
    ----------
    user_factors_ : csr_array of shape (n_users, n_played_items)
        Weighted plays of the training items with plays.
    played_items_ : ndarray of shape (n_played_items,)
        Rows of these items in the `X` of `fit`.
    groups_ : list of n_groups groups or None
        Groups of these items, if they were passed.
    <users of fit>
    <features of fit>

    See Also
    --------
    skcoldstart.ContentProfileRecommender : Uses all played items.
    skcoldstart.BlendRecommender : Combines neighbours with factors.

    Notes
    -----
    With :math:`N(i)` the `n_neighbors` training items of largest similarity
    :math:`s_{ij}` to item i among those with plays,

    .. math:: score(u, i) = \sum_{j \in N(i)} \frac{k(s_{ij})}
        {\sum_{l \in N(i)} k(s_{il})} w_{uj}, \qquad
        k(s) = e^{s / \tau} \text{ or } \max(s, 0)^p .

    A similarity is a cosine, plus `group_bonus` for items of one group. Ties go to the
    training item with the lower index.

    The part of training item ``played_items_[j]`` in the score of item i for user u is
    ``predict_factors(X)[i, j] * user_factors_[u, j]``.

    An item without content (all zeros) scores 0 for all users, unless its group is
    known: then the items of its group have equal weights. For a user without plays in
    `fit` all scores are 0. The search is exact and costs O(n_items n_train n_features)
    time and 256 n_train numbers a thread.

    .. versionchanged:: 0.2 Added the soft kernel, powers and groups. The former
       `weighting` is `play_weighting`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContentKNNRecommender
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> ContentKNNRecommender(n_neighbors=1).fit(X, y).predict([[3.0, 1.0]])
    array([[1., 0.]])
    """

    # With metadata routing, these are requested by default.
    __metadata_request__fit = {"groups": True}
    __metadata_request__predict = {"groups": True}

    _parameter_constraints: dict = {
        "n_neighbors": COUNT,
        "weighting": [StrOptions({"cosine", "softmax"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "power": [Interval(Real, 0, None, closed="neither")],
        "group_bonus": [Interval(Real, 0, None, closed="left")],
        "play_weighting": [StrOptions({"binary", "log", "count"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_neighbors: int = 1000,
        *,
        weighting: str = "softmax",
        temperature: float = 0.1,
        power: float = 3.0,
        group_bonus: float = 0.0,
        play_weighting: str = "binary",
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weighting = weighting
        self.temperature = temperature
        self.power = power
        self.group_bonus = group_bonus
        self.play_weighting = play_weighting
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, *, user_ids: Any = None, groups: Any = None
    ) -> "ContentKNNRecommender":
        """Store the training items and their plays.

        Parameters
        ----------
        <table>
        <plays>
        <user ids>
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist, for `group_bonus`; None or NaN
            for an item without one.

        <fitted>

        Raises
        ------
        ValueError
            If `y` does not have one row per item or holds no plays, or `groups` does
            not have one entry per item.
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        table = checked_content(self, X)
        played = np.flatnonzero(np.diff(plays.indptr))
        self._unit_items = normalize(table[played])
        self.groups_, self._item_groups = None, None
        if groups is not None:
            groups = check_item_groups(groups, X)[played]
            self.groups_ = known_groups(groups)
            self._item_groups = group_table(groups, self.groups_, table.dtype)
        weights = weigh_plays(plays[played], self.play_weighting).astype(table.dtype)
        self.user_factors_ = weights.T.tocsr()
        self.played_items_ = played
        self._record_items(X, y)
        self.n_users_ = plays.shape[1]
        return self

    def predict_factors(self, X: Any, *, groups: Any = None) -> sp.csr_array:
        """Find the neighbours of items and their weights in the score.

        Parameters
        ----------
        <table>
        groups : array-like of shape (n_items,), default=None
            Group of each item; groups that were not in `fit` get no bonus.

        Returns
        -------
        csr_array of shape (n_items, n_played_items)
            Weights of the neighbours, which sum to 1 unless all are 0.
        """
        check_is_fitted(self)
        unit = normalize(checked_content(self, X, reset=False))
        source = self._similarities(X, unit, groups)
        neighbors, similarities = top_n_per_user(
            source, min(self.n_neighbors, source.n_items), n_jobs=self.n_jobs
        )
        if self.weighting == "softmax":
            shares = similarities - similarities[:, :1]
            np.exp(shares / self.temperature, out=shares)
        else:
            shares = np.maximum(similarities, 0) ** self.power
        empty = rows_of_zeros(unit)
        shares[empty] *= similarities[empty] > 0
        totals = shares.sum(axis=1, keepdims=True)
        shares /= np.where(totals > 0, totals, 1)
        rows, places = np.nonzero(shares)
        return sp.csr_array(
            (shares[rows, places], (rows, neighbors[rows, places])),
            shape=(len(shares), self._unit_items.shape[0]),
        )

    def predict(self, X: Any, *, groups: Any = None) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        <table>
        <groups>

        <scores>
        """
        shares = self.predict_factors(X, groups=groups)
        return (shares @ self.user_factors_.T).toarray()

    def _fold_in(self, plays: sp.csr_array) -> sp.csr_array:
        weights = weigh_plays(plays[self.played_items_], self.play_weighting)
        return weights.astype(self.user_factors_.dtype).T.tocsr()

    def _similarities(self, X: Any, unit: Any, groups: Any) -> ScoreSource:
        """Return a source of similarities, with new items in place of users."""
        cosines: ScoreSource
        if sp.issparse(unit) or sp.issparse(self._unit_items):
            cosines = SparseScores(self._unit_items, unit)
        else:
            cosines = LowRankScores(self._unit_items, unit)
        if not self.group_bonus:
            return cosines
        if groups is None or self.groups_ is None:
            raise ValueError(
                f"group_bonus={self.group_bonus:g} but groups were not passed to "
                f"{'fit' if self.groups_ is None else 'predict'}; pass groups=, one "
                "entry per item, to fit and to predict or recommend. A search or a "
                "Pipeline passes them on if metadata routing is enabled."
            )
        table = group_table(check_item_groups(groups, X), self.groups_, unit.dtype)
        same_group = SparseScores(self._item_groups, table)
        scales = np.ones((2, unit.shape[0]))
        scales[1] = self.group_bonus
        return SumScores([cosines, same_group], scales)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
