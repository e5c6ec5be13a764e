"""ColdStartRecommenderCV: a search with few factorizations and decompositions."""

from itertools import product
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import TEXTS, RecommenderMixin, check_training_plays
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, _fit_context
from skcoldstart.compose._base import checked_content
from skcoldstart.compose._blend_weights import (
    ReadyScores,
    results_of,
    score_of,
    scorer_of,
    splits_of,
)
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._content import KernelFeatures
from skcoldstart.compose._ridge_path import RidgePath
from skcoldstart.factorization import WMF

LEAST_RECIPROCAL_CONDITION = 1e-7
NAMES = ("kernel", "gamma", "n_components", "reg", "alpha", "play_weight")


@documented(TEXTS)
class ColdStartRecommenderCV(RecommenderMixin, BaseEstimator):
    r"""Choose the settings of a `ColdStartRecommender` with a ridge in `fit`.

    The scores are those of `sklearn.model_selection.GridSearchCV`, but the plays are
    factorized only once for each rank and value of `regs`, and the content is
    decomposed once for each kernel. Each value of `alphas` costs two matrix products.

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
    <users of fit>
    <features of fit>

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
    its own prediction. User factors then depend on the item that is left out, which
    favours large ranks and a small `reg`. To choose these, pass ``cv=5``. For new
    groups of items, pass `groups` and a number of folds.

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
        "n_components": ["array-like", *COUNT],
        "regs": ["array-like"],
        "kernels": ["array-like"],
        "gammas": ["array-like"],
        "play_weights": ["array-like"],
        "n_landmarks": COUNT,
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
        <table>
        <plays>
        <user ids>
        <groups>

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
        splits: Any = [(np.arange(plays.shape[0]), None)]
        if self.cv is not None:
            splits = splits_of(self.cv, plays.shape[0], groups)
        scores = [
            self._scores(table, plays, train, test, seed) for train, test in splits
        ]
        results: dict[str, Any] = {"params": np.array(candidates, dtype=object)}
        for name in NAMES:
            values = [candidate[name] for candidate in candidates]
            results[f"param_{name}"] = np.array(values, dtype=object)
        self.cv_results_ = results | results_of(np.array(scores), np.mean)
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
        <table>

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

    def _factorizations(self) -> list[tuple[int, Any]]:
        """Return ranks and strengths of factorizations."""
        return list(product(np.atleast_1d(self.n_components).tolist(), self.regs))

    def _candidates(self) -> list[dict[str, Any]]:
        """Return all combinations, in the order of NAMES."""
        ridges = product(self.alphas, self.play_weights)
        settings = product(self._views(), self._factorizations(), ridges)
        return [
            dict(zip(NAMES, (*view, *factorization, *ridge), strict=True))
            for view, factorization, ridge in settings
        ]

    def _scores(
        self, table: Any, plays: sp.csr_array, train: Any, test: Any, seed: int
    ) -> list[float]:
        """Return the score of each candidate on one fold."""
        scorer = scorer_of(self.scoring)
        played = train[np.diff(plays.indptr)[train] > 0]
        asked = plays[played] if test is None else plays[test]
        in_train = np.isin(train, played)
        factors = []
        for rank, reg in self._factorizations():
            wmf = WMF(rank, reg=reg, random_state=seed)
            items = wmf.fit_transform(plays[train])
            factors.append((items[in_train], wmf.user_factors_))
        found = []
        nothing = np.empty((asked.shape[0], 0))
        for view in self._views():
            F, G, metric = self._features(*view, table, played, test, seed)
            path = RidgePath(F, plays[played], metric)
            new = path.left_out() if G is None else path.new(G)
            for Y, users in factors:
                made = path.scores(new, Y, users, self.alphas, self.play_weights)
                found += [
                    score_of(scorer, ReadyScores(source), nothing, asked)
                    for source in made
                ]
        return found

    def _features(
        self, kernel: str, gamma: Any, table: Any, played: Any, test: Any, seed: int
    ) -> tuple[Any, Any, Any]:
        """Return features of training and held-out items for the ridge, and its metric.

        A ridge on features ``k K^(-1/2)`` is one on the kernel k with the metric K.
        """
        F, G = table[played], None if test is None else table[test]
        if kernel == "linear":
            return F, G, None
        # In float32, errors of a kernel would be multiplied by its condition.
        F = F.astype(np.float64, copy=False)
        G = None if G is None else G.astype(np.float64, copy=False)
        landmarks = F
        if F.shape[0] > self.n_landmarks:  # the choice of KernelFeatures
            order = np.random.RandomState(seed).permutation(F.shape[0])
            landmarks = F[np.sort(order[: self.n_landmarks])]
        K = rbf_kernel(landmarks, gamma=gamma)
        if _has_inverse(K):
            new = None if G is None else rbf_kernel(G, landmarks, gamma)
            return rbf_kernel(F, landmarks, gamma), new, K
        features = self._kernel_features(gamma, seed).fit(F)
        return features.transform(F), None if G is None else features.transform(G), None

    def _kernel_features(self, gamma: Any, seed: int) -> KernelFeatures:
        return KernelFeatures(self.n_landmarks, gamma=gamma, random_state=seed)

    def _made(self, params: dict[str, Any], seed: int) -> ColdStartRecommender:
        """Return an unfitted recommender with given settings."""
        ridge: Any = Ridge(params["alpha"])
        if params["kernel"] == "rbf":
            kernel = self._kernel_features(params["gamma"], seed)
            ridge = Pipeline([("kernel", kernel), ("ridge", ridge)])
        wmf = WMF(params["n_components"], reg=params["reg"], random_state=seed)
        return ColdStartRecommender(ridge, wmf, play_weight=params["play_weight"])

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
