"""BlendRecommender: several recommenders whose scores are added."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import TEXTS, RecommenderMixin, check_training_plays
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    SumScores,
    open_recommender,
    score_source,
    takes_groups,
)
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import (
    HasMethods,
    StrOptions,
    _BaseComposition,
    _check_method_params,
    _fit_context,
    _routing_enabled,
)
from skcoldstart.compose._blend_weights import (
    choose_weights,
    factors_in_short,
    scales_of,
    spread_in_short,
    spread_of,
    training_scores,
)
from skcoldstart.compose._fold_in import FoldInMixin
from skcoldstart.compose._groups import item_names_of
from skcoldstart.compose._regressors import name_of_groups


@documented(TEXTS)
class BlendRecommender(FoldInMixin, RecommenderMixin, _BaseComposition, BaseEstimator):
    r"""Add the scores of several recommenders after scaling each to unit spread.

    Factors rank most of a list well; profiles and neighbours rank its first places
    well. Their errors are weakly correlated, so a blend often ranks better than them.

    .. versionadded:: 0.2

    Parameters
    ----------
    recommenders : list of (str, estimator)
        Names and recommenders: any with ``fit(X, y)`` and ``predict(X)``, Pipelines
        that end in one, searches, and other blends. ``"drop"`` instead of a recommender
        leaves it out.
    weights : array-like of shape (n_recommenders,), "cv" or None, default=None
        Weight of each recommender, at least 0; ``None`` means equal weights. "cv"
        chooses 0, 0.3 or 1 for each on items held out in `fit`.
    cv : int, splitter or iterable, default=None
        How items are held out if `weights` is "cv". An int is a number of shuffled
        folds, of whole groups if `groups` are passed to `fit`; ``None`` means 5, or
        with more than 5,000 items one of these.
    scoring : str or callable, default="map@500"
        Metric that selects the weights: a name of
        `skcoldstart.make_recommendation_scorer`, or ``scorer(estimator, X, y)``.

    Attributes
    ----------
    recommenders_ : list of n_recommenders estimators
        The fitted recommenders, without those that were dropped.
    named_recommenders_ : Bunch
        The same, accessible by name.
    weights_ : ndarray of shape (n_recommenders,)
        Their weights.
    scales_ : ndarray of shape (n_recommenders, n_users)
        Factor of the scores of each recommender for each user: its weight divided by
        the standard deviation of the user's scores.
    shifts_ : ndarray of shape (n_users,)
        Constant added for each user, so that the mean is 0.
    cv_results_ : dict of str to ndarray
        Candidates, if `weights` is "cv": ``weights``, an array of shape (n_candidates,
        n_recommenders), ``mean_test_score``, ``std_test_score``, ``rank_test_score``
        and the score of each split.
    user_factors_ : ndarray of shape (n_users, k)
        Concatenated factors of all parts, if each part has dense factors.
    <users of fit>
    n_features_in_ : int
        Number of features seen during fit, if the first recommender has it.

    See Also
    --------
    skcoldstart.ColdStartRecommender : Predicted factors, useful in a blend.
    skcoldstart.ContentKNNRecommender : Content neighbours, useful in a blend.
    sklearn.ensemble.VotingRegressor : The same idea for regressors.

    Notes
    -----
    With :math:`s_m` the scores of recommender m, and their mean and standard deviation
    over training items for each user,

    .. math:: score(u, i) = \sum_m w_m \frac{s_m(u, i) - mean_m(u)}{sd_m(u)} .

    For low-rank scores, the standard deviation is over all training items, otherwise
    over 2,000 of them; a training item is not its own neighbour. With weights from "cv"
    it is over the held-out items. A recommender whose scores are equal for a user adds
    nothing for that user.

    Scores of new users from `fold_in_users` are scaled by their spread over training
    items. With weights from "cv", this spread is multiplied for each recommender by the
    ratio of the spreads over held-out and training items for the users of `fit`.

    Groups are passed to the recommenders that accept them. Other metadata is routed if
    metadata routing is enabled.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import (
    ...     WMF, BlendRecommender, ColdStartRecommender, ContentKNNRecommender)
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 30))))
    >>> model = BlendRecommender([
    ...     ("factors", ColdStartRecommender(factorizer=WMF(4, random_state=0))),
    ...     ("neighbors", ContentKNNRecommender())], weights=[1.0, 0.3])
    >>> model.fit(X[:50], y[:50]).score(X[50:], y[50:]) > 0.6
    True
    """

    # With metadata routing, groups are requested by default.
    __metadata_request__fit = {"groups": True}
    __metadata_request__predict = {"groups": True}

    _parameter_constraints: dict = {
        "recommenders": [list],
        "weights": ["array-like", StrOptions({"cv"}), None],
        "cv": ["cv_object"],
        "scoring": [str, callable],
    }

    def __init__(
        self,
        recommenders: list[tuple[str, Any]],
        *,
        weights: Any = None,
        cv: Any = None,
        scoring: Any = "map@500",
    ) -> None:
        self.recommenders = recommenders
        self.weights = weights
        self.cv = cv
        self.scoring = scoring

    # The recommenders validate their own parameters when fitted.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        user_ids: Any = None,
        item_ids: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> "BlendRecommender":
        """Fit all recommenders, and choose their weights if `weights` is "cv".

        Parameters
        ----------
        X : sequence of n_items items
            Content, in a form that all recommenders accept.
        <plays>
        <user ids>
        item_ids : array-like of shape (n_items,), default=None
            Names of items, for `fold_in_users`, if neither `y` nor `X` has them.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist; also for inner folds of groups.
        **params : dict
            Metadata for the recommenders, if metadata routing is enabled.

        Returns
        -------
        self
            The fitted blend.

        Raises
        ------
        ValueError
            If the names or weights of the recommenders, or `y`, are invalid.
        """
        parts = self._parts()
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        check_same_items(X, groups, input_name="groups")
        names = None if item_ids is None else item_names_of(X, y, item_ids)
        routed = self._route(params, groups)

        def fitted(items: Any, rows: Any, plays: Any) -> list[Any]:
            return [
                clone(part).fit(
                    rows, plays, **_check_method_params(X, routed[name].fit, items)
                )
                for name, part in parts.items()
            ]

        spreads = None
        self.__dict__.pop("cv_results_", None)
        weights = self.weights
        if isinstance(weights, str):
            self.cv_results_, spreads = choose_weights(
                fitted, X, plays, groups, cv=self.cv, scoring=self.scoring
            )
            best = np.argmin(self.cv_results_["rank_test_score"])
            weights = self.cv_results_["weights"][best]
        self.weights_ = _check_weights(weights, list(parts))
        self.recommenders_ = fitted(None, X, plays)
        self.n_users_ = plays.shape[1]
        self._record_items(X, y, names)
        sources = [training_scores(part, X, groups) for part in self.recommenders_]
        of_training = [spread_of(source) for source in sources]
        spreads = of_training if spreads is None else spreads
        self._in_short = [factors_in_short(source) for source in sources]
        self._spread_ratios = [
            _ratio(held_out, trained)
            for (_, held_out), (_, trained) in zip(spreads, of_training, strict=True)
        ]
        means, deviations = (np.stack(values) for values in zip(*spreads, strict=True))
        self.scales_ = scales_of(self.weights_[:, np.newaxis], deviations)
        self.shifts_ = -np.sum(self.scales_ * means, axis=0)
        return self

    def predict(self, X: Any, *, groups: Any = None) -> np.ndarray:
        """Score every item for every user.

        Parameters
        ----------
        <items to score>
        <groups>

        <scores>
        """
        return self.read_scores(X, groups=groups).rows(slice(None)).T

    def read_scores(self, X: Any, *, groups: Any = None) -> ScoreSource:
        """Return a source of scores, which computes them for a few users at a time.

        Parameters
        ----------
        <items to score>
        <groups>

        Returns
        -------
        object
            Has ``rows(users)``, which returns scores of shape (n_selected_users,
            n_items). Metrics accept it instead of a table of scores.
        """
        check_is_fitted(self)
        count_items(X)
        check_same_items(X, groups, input_name="groups")
        if self._is_low_rank():
            return LowRankScores(self.predict_factors(X), self.user_factors_)
        used = np.flatnonzero(self.weights_)
        sources = [score_source(self.recommenders_[m], X, groups) for m in used]
        return SumScores(sources, self.scales_[used], self.shifts_)

    def predict_factors(self, X: Any, *, groups: Any = None) -> Any:
        """Return the concatenated factors of items of all recommenders.

        Parameters
        ----------
        <items to score>
        <groups>

        Returns
        -------
        {ndarray, csr_array} of shape (n_items, k)
            Item factors, for products with ``user_factors_`` or with those of
            `fold_in_users`; sparse if those of a recommender are.

        Raises
        ------
        TypeError
            If a recommender does not score by factors.
        """
        check_is_fitted(self)
        count_items(X)
        check_same_items(X, groups, input_name="groups")
        factors = []
        for m in np.flatnonzero(self.weights_):
            recommender, rows = open_recommender(self.recommenders_[m], X)
            if not hasattr(recommender, "predict_factors"):
                raise TypeError(
                    f"{type(recommender).__name__} does not score by factors of items "
                    "and users, so the blend has no factors; use predict or recommend."
                )
            params = {"groups": groups} if takes_groups(recommender) else {}
            factors.append(recommender.predict_factors(rows, **params))
        return _beside(*factors, np.ones((factors[0].shape[0], 1), factors[0].dtype))

    def _fold_in(self, plays: sp.csr_array) -> Any:
        blocks: list[Any] = []
        shifts = np.zeros(plays.shape[1])
        for m in np.flatnonzero(self.weights_):
            recommender, _ = open_recommender(self.recommenders_[m])
            if self._in_short[m] is None or not hasattr(recommender, "fold_in_users"):
                raise TypeError(
                    f"{type(recommender).__name__} cannot fold users in, but is part "
                    "of this blend; fit again with the plays of these users, or remove "
                    "it from the blend."
                )
            users = recommender.fold_in_users(plays)
            mean, deviation = spread_in_short(self._in_short[m], users)
            scales = scales_of(self.weights_[m], deviation * self._spread_ratios[m])
            shifts -= scales * mean
            blocks.append(users * scales[:, np.newaxis].astype(users.dtype))
        return _beside(*blocks, shifts[:, np.newaxis])

    @property
    def user_factors_(self) -> np.ndarray:
        """User factors of shape (n_users, k), if each part has dense factors."""
        check_is_fitted(self)
        if not self._is_low_rank():
            raise AttributeError(
                "Not all recommenders of the blend score by dense factors; use predict."
            )
        blocks = []
        for m in np.flatnonzero(self.weights_):
            factors = np.asarray(_user_factors(self.recommenders_[m]))
            scales = self.scales_[m, :, np.newaxis]
            blocks.append(factors * scales.astype(factors.dtype))
        shifts = self.shifts_[:, np.newaxis].astype(np.result_type(*blocks))
        return np.hstack([*blocks, shifts])

    @property
    def named_recommenders_(self) -> Bunch:
        """The fitted recommenders by name."""
        check_is_fitted(self)
        return Bunch(**dict(zip(self._parts(), self.recommenders_, strict=True)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the blend and of its recommenders.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the recommenders.

        Returns
        -------
        dict of str to any
            Parameter names mapped to their values.
        """
        return self._get_params("recommenders", deep=deep)

    def set_params(self, **params: Any) -> "BlendRecommender":
        """Set parameters of the blend and of its recommenders.

        Parameters
        ----------
        **params : dict
            Parameters, such as ``weights``, ``<name>`` for a whole recommender and
            ``<name>__<parameter>`` for one of its parameters.

        Returns
        -------
        self
            The blend.
        """
        self._set_params("recommenders", **params)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which recommender receives which metadata.

        Returns
        -------
        MetadataRouter
            Routing of the parameters of `fit` to the recommenders' `fit`.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for name, part in self._parts().items():
            router.add(method_mapping=mapping, **{name: part})
        return router

    def _parts(self) -> dict[str, Any]:
        """Return recommenders by name, without those that are dropped."""
        if not self.recommenders:
            raise ValueError(
                "recommenders is empty; expected a list of (name, recommender)."
            )
        pairs = self.recommenders
        if not all(isinstance(p, tuple | list) and len(p) == 2 for p in pairs):
            raise TypeError(
                f"recommenders is {self.recommenders!r:.200}; expected a list of pairs "
                "(name, recommender)."
            )
        self._validate_names([name for name, _ in pairs])
        parts = {name: part for name, part in pairs if part != "drop"}
        if not parts:
            raise ValueError("All recommenders are dropped; keep at least one.")
        for name, part in parts.items():
            if not HasMethods(["fit", "predict"]).is_satisfied_by(part):
                raise TypeError(
                    f"{name!r} of recommenders is {part!r}, which has no fit or no "
                    "predict; expected a recommender, a Pipeline that ends in one, or "
                    "'drop'."
                )
        return parts

    def _route(self, params: dict[str, Any], groups: Any) -> Bunch:
        own = {} if groups is None else {"groups": groups}
        if _routing_enabled():
            return process_routing(self, "fit", **params, **own)
        if params:
            raise TypeError(
                f"fit got {', '.join(params)}, which reach the recommenders only with "
                f"metadata routing: sklearn.set_config(enable_metadata_routing=True)."
            )
        routed = Bunch()
        for name, part in self._parts().items():
            takes = None if groups is None else name_of_groups(part)
            routed[name] = Bunch(fit={} if takes is None else {takes: groups})
        return routed

    def _is_low_rank(self) -> bool:
        return all(
            _user_factors(self.recommenders_[m]) is not None
            for m in np.flatnonzero(self.weights_)
        )

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit."""
        check_is_fitted(self)
        return self.recommenders_[0].n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen during fit."""
        check_is_fitted(self)
        return self.recommenders_[0].feature_names_in_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        parts = [part for _, part in self.recommenders if hasattr(part, "fit")]
        inputs = [get_tags(part).input_tags for part in parts]
        if inputs:
            tags.input_tags = inputs[0]
            tags.input_tags.sparse = all(part.sparse for part in inputs)
        tags.non_deterministic = any(get_tags(p).non_deterministic for p in parts)
        return tags


def _user_factors(part: Any) -> np.ndarray | None:
    """Return the dense user factors of a fitted recommender, or None."""
    recommender, _ = open_recommender(part)
    if not hasattr(recommender, "predict_factors"):
        return None
    factors = getattr(recommender, "user_factors_", None)
    return None if sp.issparse(factors) else factors


def _ratio(held_out: np.ndarray, trained: np.ndarray) -> float:
    """Return the ratio of the spreads of scores over held-out and training items."""
    total = float(trained.sum())
    return float(held_out.sum()) / total if total else 1.0


def _beside(*factors: Any) -> Any:
    """Join factors column by column, (n_rows, k)."""
    if any(map(sp.issparse, factors)):
        return sp.hstack([sp.csr_array(part) for part in factors], format="csr")
    return np.hstack(factors).astype(np.result_type(*factors[:-1]), copy=False)


def _check_weights(weights: Any, names: list[str]) -> np.ndarray:
    """Return the weight of each recommender, (n_recommenders,)."""
    if weights is None:
        return np.ones(len(names))
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (len(names),):
        raise ValueError(
            f"weights has shape {weights.shape} but there are {len(names)} "
            f"recommenders, {', '.join(names)}; expected one weight for each."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"weights are {weights.tolist()}; expected numbers >= 0, one of them "
            "above 0."
        )
    return weights
