"""MLRSimilarity: metric learning to rank."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._recommender import RecommenderMixin
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import Interval, StrOptions, _fit_context
from skcoldstart._utils.threads import n_kernel_threads, worker_threads
from skcoldstart.similarity._objective import RankingObjective
from skcoldstart.similarity._solvers import train
from skcoldstart.similarity._targets import (
    check_labels,
    check_relevance,
    check_target,
    find_relevant,
    group_codes,
    holds_labels,
)

FARTHEST = 1e150  # of mapped items; larger squares overflow


def _in_units(X: np.ndarray) -> tuple[np.ndarray, float, int, np.ndarray]:
    """Return the mean row, the unit as mantissa and power of 2, and scaled rows.

    The unit is the root of the mean squared distance, or 1 if all rows are equal.
    Shapes: `X` (n_items, n_features).
    """
    # A power of 2 does not round and keeps squares in the range of double precision.
    _, exponent = np.frexp(np.abs(X).max())
    rows = np.ldexp(X, -exponent)
    mean = rows.mean(axis=0)
    rows -= mean
    spread = np.sqrt(2.0 * rows.var(axis=0).sum())
    if spread <= 1e-13:
        return np.ldexp(mean, exponent), 1.0, 0, np.ldexp(rows, exponent)
    return np.ldexp(mean, exponent), spread, exponent, rows / spread


def _knows_users(estimator: "MLRSimilarity") -> bool:
    if hasattr(estimator, "components_") and not hasattr(estimator, "user_factors_"):
        raise AttributeError(
            "It was fitted to labels or relevance without plays, so it has no users. "
            "Fit it to plays of shape (n_items, n_users), if needed together with "
            "relevance=."
        )
    return True


class MLRSimilarity(
    RecommenderMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    r"""Learn a metric that ranks similar items first: metric learning to rank.

    Content is mapped linearly so that relevant items, such as those with the same
    listeners, are nearer than others. A user's score of a new item is its mean
    similarity to the items that the user played.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_components : int, default=None
        Rank of the metric; ``None`` means full rank: `n_features`, or `n_items` - 1 if
        that is smaller.
    C : float, default=10.0
        Weight of the rankings relative to the regularizer; search over 1 to 1000.
    loss : {"auc", "map", "mrr", "precision@k", "ndcg@k"}, default="auc"
        Ranking measure to optimize; "precision" and "ndcg" also name the last two.
    regularizer : {"trace", "frobenius"}, default="trace"
        Penalty: tr(W), which favours low rank, or half the squared Frobenius norm of W.
        Both are divided by the number of features.
    diagonal : bool, default=False
        Whether to learn one weight per feature instead of a full metric.
    scale : bool, default=True
        Whether to learn in units in which the mean squared distance of items is 1, so
        that `C` means the same for every data set. Results are in the units of X.
    n_relevant : int, default=10
        Maximum number of relevant items of an item from plays: those with the largest
        Jaccard index of their sets of listeners.
    k : int, default=10
        Number of ranks of "precision@k" and "ndcg@k".
    metric : {"cosine", "neg_sqeuclidean"}, default="cosine"
        Similarity of mapped items, relative to the mean of the training items. Choose
        by a search.
    solver : {"auto", "lbfgs", "sgd"}, default="auto"
        L-BFGS on all queries, or Adam on batches of queries, stopped when held-out
        queries no longer improve. "auto" is "lbfgs" if queries times items are at most
        5 million.
    max_iter : int, default=200
        Maximum number of iterations of L-BFGS, or of passes over the queries.
    tol : float, default=1e-4
        Minimum relative decrease of the objective to continue; ten times as much for a
        pass of "sgd".
    batch_size : int, default=512
        Number of queries in a step of "sgd".
    random_state : int, RandomState instance or None, default=None
        Selects batches and held-out queries of "sgd", and metrics that bound the gap.
        Pass an int for reproducible results.
    n_jobs : int, default=None
        Number of threads, ``None`` for all; results do not depend on it.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The map L; the metric is W = L'L.
    user_factors_ : ndarray of shape (n_users, k)
        Mean of the items that each user played, if y was plays: k is n_components, and
        2 more with "neg_sqeuclidean".
    n_users_ : int
        Number of users, if y was plays.
    user_names_in_ : ndarray of shape (`n_users_`,)
        Names of users, if they have any: labels of the columns of y, or `user_ids`.
    mean_ : ndarray of shape (n_features,)
        Mean of the training items, subtracted before cosines.
    relevant_counts_ : ndarray of shape (n_items,)
        Number of relevant items of each training item.
    objective_ : float
        The exact objective, over all queries.
    duality_gap_ : float
        `objective_` minus a lower bound for any (diagonal) metric; NaN after "sgd", or
        with more than 512 features.
    n_iter_ : int
        Number of iterations or passes.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` has them.

    See Also
    --------
    skcoldstart.ContentProfileRecommender : The same score without learning.
    skcoldstart.ColdStartRecommender : Learns factors instead of a metric.

    Notes
    -----
    The objective is that of [1]_,

    .. math:: F(W) = \frac{\operatorname{tr} W}{d} + \frac{C}{m} \sum_q \max_r \left[
        \Delta(r) + \frac{2}{P_q N_q} \sum_{(i, j) \text{ inverted in } r}
        (v_{qj} - v_{qi}) \right],

    :math:`v_{qj} = -(x_q - x_j)^\top W (x_q - x_j)`, over m queries with
    :math:`P_q > 0` relevant and :math:`N_q > 0` irrelevant items, rankings r and their
    loss :math:`\Delta`, 1 minus the selected measure. Every maximum is found exactly:
    for AUC pair by pair, for MAP as in [2]_, for precision and nDCG by dynamic
    programming. F is convex in W and is minimized in L without cutting planes; one
    evaluation costs O(m n (n_components + log P) + n d n_components) time, and the
    memory of one million scores per thread. All scores of a user without plays are 0.

    References
    ----------
    .. [1] B. McFee, G. Lanckriet, "Metric learning to rank", ICML 2010, equations 4-6
       and algorithm 1; the trace is divided by the number of features here.
    .. [2] Y. Yue, T. Finley, F. Radlinski, T. Joachims, "A support vector method for
       optimizing average precision", SIGIR 2007, section 4.
    .. [3] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, Table 2 (MLR).

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcoldstart import MLRSimilarity
    >>> X, y = load_wine(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> mlr = MLRSimilarity(2).fit(X[::2], y[::2])
    >>> mlr.transform(X[1::2]).shape
    (89, 2)
    >>> round(mlr.score(X[1::2], y[1::2]), 2)
    0.93
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "C": [Interval(Real, 0, None, closed="neither")],
        "loss": [
            StrOptions({
                *("auc", "map", "mrr", "precision@k", "ndcg@k"),
                *("precision", "ndcg"),
            })
        ],
        "regularizer": [StrOptions({"trace", "frobenius"})],
        "diagonal": ["boolean"],
        "scale": ["boolean"],
        "n_relevant": [Interval(Integral, 1, None, closed="left")],
        "k": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"cosine", "neg_sqeuclidean"})],
        "solver": [StrOptions({"auto", "lbfgs", "sgd"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        C: float = 10.0,
        loss: str = "auc",
        regularizer: str = "trace",
        diagonal: bool = False,
        scale: bool = True,
        n_relevant: int = 10,
        k: int = 10,
        metric: str = "cosine",
        solver: str = "auto",
        max_iter: int = 200,
        tol: float = 1e-4,
        batch_size: int = 512,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.C = C
        self.loss = loss
        self.regularizer = regularizer
        self.diagonal = diagonal
        self.scale = scale
        self.n_relevant = n_relevant
        self.k = k
        self.metric = metric
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        relevance: Any = None,
        groups: Any = None,
        user_ids: Any = None,
    ) -> "MLRSimilarity":
        """Learn a metric of content.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content, computed in float64.
        y : {array-like, sparse} of shape (n_items, n_users) or array-like of shape \
                (n_items,), default=None
            Play counts, >= 0: items with the most similar listeners are relevant. Or
            class labels: items of the same class are. Required unless `relevance` is
            given.
        relevance : {array-like, sparse} of shape (n_items, n_items), default=None
            Item j is relevant to item q if entry (q, j) is not 0; the diagonal is
            ignored. Replaces `y`, whose plays are then used only for scores.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist. Items of one group are neither
            relevant nor irrelevant to each other.
        user_ids : array-like of shape (n_users,), default=None
            Names of users, if `y` is plays and not a DataFrame with named columns.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If arguments are malformed or do not fit together, no item has both relevant
            and irrelevant items, or `n_components` is too large or set together with
            `diagonal`.
        """
        plays, labels = check_target(self, X, y, relevance, user_ids)
        group_of = group_codes(groups, X)
        if relevance is not None:
            relevance = check_relevance(relevance, X)
        with name_missing_content(X):
            X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        n_components = self._check_rank(X.shape)
        rng = check_random_state(self.random_state)
        found = find_relevant(
            plays,
            labels,
            relevance,
            group_of,
            n_relevant=self.n_relevant,
            n_jobs=self.n_jobs,
        )
        mean, spread, exponent, rows = _in_units(X)
        C: Any = np.float64(self.C)
        if not self.scale:  # weight of the penalty in these units
            with np.errstate(over="ignore", under="ignore"):
                unit = np.ldexp(spread, exponent)
                C = C * unit ** (2 if self.regularizer == "trace" else 4)
        # Beyond these bounds only the penalty, or only the rankings, have an effect.
        C = float(np.clip(C, 1e-30, 1e30))
        with worker_threads(self.n_jobs) as run:
            objective = RankingObjective(
                rows,
                found,
                group_of,
                loss=self.loss.removesuffix("@k"),
                k=self.k,
                C=C,
                regularizer=self.regularizer,
                run=run,
                n_threads=n_kernel_threads(self.n_jobs),
            )
            seed = int(rng.randint(np.iinfo(np.int32).max))
            L, value, gap, n_iter = train(objective, n_components, self, seed)
        L = np.diag(L) if self.diagonal else L
        self.objective_ = value / C * self.C
        self.duality_gap_ = gap / C * self.C
        self.n_iter_ = n_iter
        self.components_ = np.ldexp(L / spread, -exponent)
        self.mean_ = mean
        self.relevant_counts_ = found.counts
        self._learn_users(X, plays)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Map content so that the Euclidean distance is the learned distance.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content.

        Returns
        -------
        ndarray of shape (n_items, n_components)
            ``X @ components_.T``.
        """
        check_is_fitted(self)
        return self._check_content(X) @ self.components_.T

    def similarity(self, X: Any, Z: Any) -> np.ndarray:
        """Compute the similarity of items with the parameter `metric`.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content.
        Z : array-like of shape (n_other_items, n_features)
            Content of the items to compare with.

        Returns
        -------
        ndarray of shape (n_items, n_other_items)
            Similarities; larger is nearer.
        """
        check_is_fitted(self)
        X, Z = self._embed(X), self._embed(Z)
        return candidates(X, self._metric) @ anchors(Z, self._metric).T

    def get_mahalanobis_matrix(self) -> np.ndarray:
        """Return the metric in the units of X.

        Returns
        -------
        ndarray of shape (n_features, n_features)
            W, where (x - z)' W (x - z) is the squared distance of x and z.
        """
        check_is_fitted(self)
        W = self.components_.T @ self.components_
        if self.components_.any() and not (np.isfinite(W).all() and W.any()):
            raise ValueError(
                f"components_ are of size {np.abs(self.components_).max():.3g}, whose "
                "squares exceed double precision. Scale X to values near 1 before fit."
            )
        return W

    @available_if(_knows_users)
    def predict_factors(self, X: Any) -> np.ndarray:
        """Return the factors of items whose products with `user_factors_` are scores.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content of the items to score.

        Returns
        -------
        ndarray of shape (n_items, n_components) or (n_items, n_components + 2)
            Unit vectors for cosines; for distances, two more columns.
        """
        check_is_fitted(self)
        return candidates(self._embed(X), self._metric)

    predict = available_if(_knows_users)(RecommenderMixin.predict)

    def score(self, X: Any, y: Any) -> float:
        """Return the mean average precision of rankings.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Items to rank.
        y : {array-like, sparse} of shape (n_items, n_users) or array-like of shape \
                (n_items,)
            Their true play counts; or class labels.

        Returns
        -------
        float
            With plays, mAP@500 over users, as for every recommender. With labels, the
            mean over items as queries for the others of their class, by distance.

        Raises
        ------
        ValueError
            If `X` or `y` is malformed.
        """
        check_is_fitted(self)
        if holds_labels(y):
            check_same_items(X, y)
            Z = self._embed(X)
            return label_precision(Z, check_labels(y, len(Z)))
        return super().score(X, y)

    def _check_rank(self, shape: tuple[int, int]) -> int:
        n_items, n_features = shape
        most = min(n_features, n_items - 1)
        if self.n_components is None:
            return most
        if self.diagonal:
            raise ValueError(
                f"n_components={self.n_components} was given with diagonal=True; a "
                "diagonal metric keeps every feature. Leave n_components=None."
            )
        if self.n_components > most:
            raise ValueError(
                f"n_components={self.n_components} must be at most n_features and "
                f"n_items - 1, which are {n_features} and {n_items - 1}."
            )
        return self.n_components

    def _learn_users(self, X: np.ndarray, plays: sp.csr_array | None) -> None:
        """Average the items that each user played; 0 if there are none."""
        self._metric = self.metric
        for name in ("user_factors_", "n_users_"):
            self.__dict__.pop(name, None)  # from an earlier fit
        if plays is not None:
            rows = anchors(self._map(X), self._metric)
            listens = (plays > 0).astype(np.float64)
            self.user_factors_ = normalize(listens.T.tocsr(), norm="l1") @ rows
            self.n_users_ = plays.shape[1]

    def _embed(self, X: Any) -> np.ndarray:
        """Map content relative to the mean of the training items."""
        return self._map(self._check_content(X))

    def _map(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            Z = (X - self.mean_) @ self.components_.T
        near = (np.abs(Z) < FARTHEST).all(axis=1)
        if not near.all():
            item = int(np.argmin(near))
            raise ValueError(
                f"Item {item} of X holds values as large as {np.abs(X[item]).max():.3g}"
                ", so far from the items of fit that its distance to them is beyond "
                "double precision. Check the item, or leave it out."
            )
        return Z

    def _check_content(self, X: Any) -> np.ndarray:
        with name_missing_content(X):
            return validate_data(self, X, dtype=np.float64, reset=False)

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.positive_only = False
        return tags


BLOCK_SCORES = 1 << 22


def candidates(Z: np.ndarray, metric: str) -> np.ndarray:
    """Return factors of mapped items whose products with anchors are similarities."""
    if metric == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([2.0 * Z, -squares, np.ones_like(squares)])


def anchors(Z: np.ndarray, metric: str) -> np.ndarray:
    """Return factors of the items with which others are compared."""
    if metric == "cosine":
        return normalize(Z)
    squares = np.einsum("ij,ij->i", Z, Z)[:, np.newaxis]
    return np.hstack([Z, np.ones_like(squares), -squares])


def label_precision(Z: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean average precision of rows as queries for their class.

    Shapes: `Z` (n_items, n_components), `labels` (n_items,).
    """
    queries = np.flatnonzero(np.bincount(labels)[labels] > 1)
    squares = np.einsum("ij,ij->i", Z, Z)
    size = max(1, BLOCK_SCORES // len(Z))
    total = 0.0
    for start in range(0, len(queries), size):
        rows = queries[start : start + size]
        scores = 2.0 * Z[rows] @ Z.T - squares
        same = labels[rows][:, np.newaxis] == labels
        # The item itself is ranked last, where it does not affect the precision.
        own = np.arange(len(rows)), rows
        scores[own], same[own] = scores.min() - 1.0, False
        total += len(rows) * label_ranking_average_precision_score(same, scores)
    return total / len(queries) if len(queries) else np.nan
