"""ColdStartRecommenderCV: a search with few factorizations and decompositions."""

from itertools import product
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import RecommenderMixin, check_training_plays
from skcoldstart._utils.sk import Interval, StrOptions, _fit_context
from skcoldstart.compose._base import checked_content
from skcoldstart.compose._blend_weights import (
    ReadyScores,
    folds_of,
    score_of,
)
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._content import KernelFeatures
from skcoldstart.compose._ridge_path import RidgePath
from skcoldstart.factorization import WMF
from skcoldstart.metrics import make_recommendation_scorer

LEAST_RECIPROCAL_CONDITION = 1e-7
NAMES = ("kernel", "gamma", "n_components", "reg", "alpha", "play_weight")


class ColdStartRecommenderCV(RecommenderMixin, BaseEstimator):
    r"""Choose the settings of a `ColdStartRecommender` with a ridge in `fit`.

    All combinations are tried, with the same scores as in
    `sklearn.model_selection.GridSearchCV`. The plays are factorized only once for each
    rank and value of `regs`, and the content is decomposed once for each kernel. Each
    value of `alphas` then costs two matrix products.

    .. versionadded:: 0.2

    Parameters
    ----------
    alphas : array-like of float, default=(0.1, 1.0, 10.0, 100.0)
        Strengths of the ridge, above 0.
    n_components : int or array-like of int, default=(200,)
        Numbers of factors.
    regs : array-like of float or "auto", default=("auto",)
        Values of `reg` of the factorization.
    kernels : array-like of {"linear", "rbf"}, default=("linear", "rbf")
        "linear" is a ridge on `X`, "rbf" one on `KernelFeatures` of `X`.
    gammas : array-like of float, default=(0.5, 1.0, 2.0)
        Widths of "rbf".
    play_weights : array-like of float, default=(0.0, 1.0)
        Weights of smoothed plays, `play_weight` of `ColdStartRecommender`.
    n_landmarks : int, default=1000
        Maximum number of landmarks, the items to which "rbf" compares others.
    cv : int, splitter, iterable or None, default=None
        ``None`` leaves each item out in closed form. An int is a number of shuffled
        folds, of whole groups if `groups` are passed to `fit`.
    scoring : str or callable, default="map@500"
        A metric of `skcoldstart.make_recommendation_scorer`, or
        ``scorer(estimator, X, y)`` that returns a number.
    random_state : int, RandomState instance or None, default=None
        Seeds factorizations and landmarks, with the same seed for all candidates.

    Attributes
    ----------
    best_estimator_ : ColdStartRecommender
        Recommender with the best settings, fitted on all items.
    best_params_ : dict
        Its "kernel", "gamma" (None for "linear"), "n_components", "reg", "alpha" and
        "play_weight".
    best_score_ : float
        Its mean score over folds.
    cv_results_ : dict of str to ndarray
        As in `sklearn.model_selection.GridSearchCV`: ``params``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score`` and the scores of each fold.
    user_factors_ : ndarray of shape (n_users, k)
        User factors of the best recommender.
    n_users_ : int
        Number of users, the columns of y.
    user_names_in_ : ndarray of shape (`n_users_`,)
        Names of users, if they have any.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` has them.

    See Also
    --------
    skcoldstart.ColdStartRecommender : The recommender of each candidate.
    sklearn.linear_model.RidgeCV : The same idea for a ridge.

    Notes
    -----
    With the centred content :math:`F = Q S^{1/2} V^T` of the training items and their
    factors Y, factors of new content f are
    :math:`f V (S + \alpha I)^{-1} V^T F^T Y` for any strength :math:`\alpha`; smoothed
    plays have the same form.

    Without `cv`, each training item is predicted by a fit to all others:
    :math:`(\hat y_i - h_i y_i) / (1 - h_i)`, with :math:`h_i` the weight of an item in
    its own prediction, and all training items are ranked for each user. User factors
    then depend on the item that is left out. This has little effect on the choice of
    strengths and kernels, but favours large ranks and a small `reg`. To choose these,
    pass ``cv=5``. For new groups of items, pass `groups` and a number of folds.

    For "rbf", rows of the content should have unit length: use `ContentScaler` before
    this estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ColdStartRecommenderCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 30)) - 1))
    >>> model = ColdStartRecommenderCV(n_components=(4,), random_state=0)
    >>> model = model.fit(X[:60], y[:60])
    >>> len(model.cv_results_["params"]), model.score(X[60:], y[60:]) > 0.6
    (32, True)
    """

    # With metadata routing, groups are requested by default.
    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "alphas": ["array-like"],
        "n_components": ["array-like", Interval(Integral, 1, None, closed="left")],
        "regs": ["array-like"],
        "kernels": ["array-like"],
        "gammas": ["array-like"],
        "play_weights": ["array-like"],
        "n_landmarks": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
        "scoring": [str, callable],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0, 100.0),
        *,
        n_components: Any = (200,),
        regs: Any = ("auto",),
        kernels: Any = ("linear", "rbf"),
        gammas: Any = (0.5, 1.0, 2.0),
        play_weights: Any = (0.0, 1.0),
        n_landmarks: int = 1000,
        cv: Any = None,
        scoring: Any = "map@500",
        random_state: Any = None,
    ) -> None:
        self.alphas = alphas
        self.n_components = n_components
        self.regs = regs
        self.kernels = kernels
        self.gammas = gammas
        self.play_weights = play_weights
        self.n_landmarks = n_landmarks
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, *, user_ids: Any = None, groups: Any = None
    ) -> "ColdStartRecommenderCV":
        """Choose settings, and fit the best ones on all items.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X.
        user_ids : array-like of shape (n_users,), default=None
            Names of users, if `y` is not a DataFrame with named columns.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist, for `cv`.

        Returns
        -------
        self
            The fitted search.

        Raises
        ------
        ValueError
            If a list of settings is empty or has a value out of range, `y` does not
            have one row per item, or no candidate could be scored.
        """
        self._check_settings()
        if groups is not None and self.cv is None:
            raise ValueError(
                "groups were passed, but cv=None leaves out single items; pass cv=5 to "
                "leave out whole groups, or no groups."
            )
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        table = checked_content(self, X)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        candidates = self._candidates()
        splits = self._splits(plays.shape[0], groups)
        scores = np.array([
            self._scores(table, plays, split, candidates, seed) for split in splits
        ])
        self.cv_results_ = _results(candidates, scores)
        best = int(np.argmin(self.cv_results_["rank_test_score"]))
        self.best_params_ = candidates[best]
        self.best_score_ = float(self.cv_results_["mean_test_score"][best])
        if np.isnan(self.best_score_):
            raise ValueError(
                "No candidate has a score: no held-out item was played. Pass more "
                "items or fewer folds."
            )
        self.best_estimator_ = self._made(self.best_params_, seed)
        names = getattr(self, "user_names_in_", None)
        self.best_estimator_.fit(X, plays, user_ids=names)
        self.n_users_ = plays.shape[1]
        return self

    def predict_factors(self, X: Any) -> np.ndarray:
        """Predict factors of items with the best recommender.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content.

        Returns
        -------
        ndarray of shape (n_items, k)
            Item factors, for products with `user_factors_`.
        """
        check_is_fitted(self)
        checked_content(self, X, reset=False)
        return self.best_estimator_.predict_factors(X)

    def _check_settings(self) -> None:
        allowed = {
            "alphas": Interval(Real, 0, None, closed="neither"),
            "n_components": Interval(Integral, 1, None, closed="left"),
            "regs": Interval(Real, 0, None, closed="neither"),
            "kernels": StrOptions({"linear", "rbf"}),
            "gammas": Interval(Real, 0, None, closed="neither"),
            "play_weights": Interval(Real, 0, None, closed="left"),
        }
        for name, constraint in allowed.items():
            values = np.atleast_1d(np.array(getattr(self, name), dtype=object)).tolist()
            if not values and not (name == "gammas" and "rbf" not in self.kernels):
                raise ValueError(f"{name} is empty; expected at least one setting.")
            for value in values:
                automatic = name == "regs" and value == "auto"
                if not (automatic or constraint.is_satisfied_by(value)):
                    raise ValueError(f"{name} holds {value!r}; expected {constraint}.")

    def _views(self) -> list[tuple[str, float | None]]:
        """Return kernels and their widths."""
        views: list[tuple[str, float | None]] = []
        for kernel in self.kernels:
            widths = self.gammas if kernel == "rbf" else [None]
            views += [(kernel, gamma) for gamma in widths]
        return views

    def _candidates(self) -> list[dict[str, Any]]:
        """Return all combinations, in the order of NAMES."""
        settings = product(
            self._views(),
            np.atleast_1d(self.n_components).tolist(),
            self.regs,
            self.alphas,
            self.play_weights,
        )
        return [
            dict(zip(NAMES, (*view, *others), strict=True))
            for view, *others in settings
        ]

    def _splits(self, n_items: int, groups: Any) -> list[tuple[Any, Any]]:
        if self.cv is None:
            return [(np.arange(n_items), None)]
        cv = self.cv
        if isinstance(cv, Integral):
            cv = folds_of(int(cv), groups)
        return list(check_cv(cv).split(np.empty((n_items, 0)), None, groups))

    def _scores(
        self,
        table: Any,
        plays: sp.csr_array,
        split: tuple[Any, Any],
        candidates: list[dict[str, Any]],
        seed: int,
    ) -> list[float]:
        """Return the score of each candidate on one fold."""
        scorer = self.scoring
        if isinstance(scorer, str):
            scorer = make_recommendation_scorer(scorer)
        train, test = split
        played = train[np.diff(plays.indptr)[train] > 0]
        asked = plays[played] if test is None else plays[test]
        factorized = {
            (rank, reg): self._factorizer(rank, reg, seed)
            for rank, reg in product(
                np.atleast_1d(self.n_components).tolist(), self.regs
            )
        }
        in_train = np.isin(train, played)
        factors = {
            key: (wmf.fit_transform(plays[train])[in_train], wmf.user_factors_)
            for key, wmf in factorized.items()
        }
        found: dict[tuple, float] = {}
        nothing = np.empty((asked.shape[0], 0))
        for view in self._views():
            F, G, metric = self._features(view, table, played, test, seed)
            path = RidgePath(F, plays[played], metric)
            new = path.left_out() if G is None else path.new(G)
            for key, (Y, users) in factors.items():
                made = path.scores(new, Y, users, self.alphas, self.play_weights)
                for settings, source in made:
                    score = score_of(scorer, ReadyScores(source), nothing, asked)
                    found[(*view, *key, *settings)] = score
        return [found[tuple(candidate.values())] for candidate in candidates]

    def _features(
        self, view: tuple, table: Any, played: Any, test: Any, seed: int
    ) -> tuple[Any, Any, Any]:
        """Return features of training and held-out items for the ridge, and its metric.

        A ridge on features ``k K^(-1/2)`` is one on the kernel k with the metric K.
        """
        F, G = table[played], None if test is None else table[test]
        if view[0] == "linear":
            return F, G, None
        # In float32, errors of a kernel would be multiplied by its condition.
        F = F.astype(np.float64, copy=False)
        G = None if G is None else G.astype(np.float64, copy=False)
        landmarks = F
        if F.shape[0] > self.n_landmarks:  # the choice of KernelFeatures
            order = np.random.RandomState(seed).permutation(F.shape[0])
            landmarks = F[np.sort(order[: self.n_landmarks])]
        K = rbf_kernel(landmarks, gamma=view[1])
        if _has_inverse(K):
            new = None if G is None else rbf_kernel(G, landmarks, view[1])
            return rbf_kernel(F, landmarks, view[1]), new, K
        kernel = self._kernel_features(view[1], seed).fit(F)
        return kernel.transform(F), None if G is None else kernel.transform(G), None

    def _kernel_features(self, gamma: Any, seed: int) -> KernelFeatures:
        return KernelFeatures(self.n_landmarks, gamma=gamma, random_state=seed)

    def _factorizer(self, rank: int, reg: Any, seed: int) -> WMF:
        return WMF(rank, reg=reg, random_state=seed)

    def _made(self, params: dict[str, Any], seed: int) -> ColdStartRecommender:
        """Return an unfitted recommender with given settings."""
        ridge: Any = Ridge(params["alpha"])
        if params["kernel"] == "rbf":
            kernel = self._kernel_features(params["gamma"], seed)
            ridge = Pipeline([("kernel", kernel), ("ridge", ridge)])
        return ColdStartRecommender(
            ridge,
            self._factorizer(params["n_components"], params["reg"], seed),
            play_weight=params["play_weight"],
        )

    @property
    def user_factors_(self) -> np.ndarray:
        """User factors of the best recommender, of shape (n_users, k)."""
        check_is_fitted(self)
        return self.best_estimator_.user_factors_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _has_inverse(K: np.ndarray) -> bool:
    """Return whether a kernel of landmarks can replace its root without loss."""
    factor, failed = scipy.linalg.lapack.dpotrf(K)
    if failed:
        return False
    reciprocal, _ = scipy.linalg.lapack.dpocon(factor, np.abs(K).sum(axis=0).max())
    return reciprocal > LEAST_RECIPROCAL_CONDITION


def _results(candidates: list[dict[str, Any]], scores: np.ndarray) -> dict[str, Any]:
    """Return scores of shape (n_folds, n_candidates) as ``cv_results_``."""
    results: dict[str, Any] = {"params": np.array(candidates, dtype=object)}
    for name in NAMES:
        values = [candidate[name] for candidate in candidates]
        results[f"param_{name}"] = np.array(values, dtype=object)
    results |= {f"split{k}_test_score": of_fold for k, of_fold in enumerate(scores)}
    results["mean_test_score"] = mean = scores.mean(axis=0)
    results["std_test_score"] = scores.std(axis=0)
    worst_if_undefined = np.nan_to_num(-mean, nan=np.inf)
    results["rank_test_score"] = rankdata(worst_if_undefined, "min").astype(np.int32)
    return results
