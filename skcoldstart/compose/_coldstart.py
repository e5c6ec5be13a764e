"""ColdStartRecommender: a factorizer and a regressor, joined."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.linear_model import Ridge
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import TEXTS, check_training_plays
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import (
    HasMethods,
    Interval,
    StrOptions,
    _check_method_params,
    _fit_context,
    _routing_enabled,
)
from skcoldstart.compose._base import JoinedHeadsMixin, compress_norms, take_items
from skcoldstart.compose._fold_in import FoldInMixin
from skcoldstart.compose._groups import (
    Alignment,
    align,
    by_group,
    check_item_groups,
    grow_factorization,
    item_names_of,
)
from skcoldstart.compose._linear import check_linear_in_targets
from skcoldstart.compose._posterior import PosteriorMixin
from skcoldstart.compose._regressors import (
    check_predicts,
    features_of_fit,
    for_all_factors,
    kept_or_new,
    last_step,
    name_of_groups,
    usage_parameters,
    with_item_weights,
)
from skcoldstart.factorization import WMF

DEFAULT_ALPHA = 10.0  # of the default ridge; chosen together with those of WMF


@documented(TEXTS)
class ColdStartRecommender(
    FoldInMixin, PosteriorMixin, JoinedHeadsMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Recommend items that nobody has played, from their content.

    The plays of known items are factorized, and a regressor learns to predict the
    factors of an item from its content. Scores are products of the predicted factors of
    items and the factors of users.

    .. versionadded:: 0.1

    Parameters
    ----------
    regressor : estimator, default=None
        Any scikit-learn regressor, or a Pipeline that ends in one, to predict item
        factors from `X`. ``None`` means ``Ridge(10.0)``. A regressor with a single
        output is fitted once per factor.
    factorizer : estimator, default=None
        Has ``fit_transform(Y)`` and ``inverse_transform(Z)``: `WMF`,
        `sklearn.decomposition.NMF`, `sklearn.decomposition.TruncatedSVD`. ``None``
        means `WMF()`.
    norm_compression : float, default=0.0
        How strongly the lengths of item factors are made similar before the regressor
        is fitted, so that popular items do not dominate: 0 leaves them unchanged,
        ``inf`` scales all to unit length.
    play_weight : float, default=0.0
        Weight of the plays as 0 and 1 in the targets, in addition to products of
        factors ("smoothed plays"). They improve the first places of a list. Search over
        0 and values from 1 to 3; for new artists 0 is often best. Above 0, the
        regressor must be linear in its targets: ``Ridge``, ``RidgeCV``,
        ``LinearRegression`` or ``KernelRidge``, or a Pipeline that ends in one.
    item_weight : {"uniform", "inverse"} or float, default="uniform"
        Weight of an item in the regression, by its number of users n: equal weights,
        ``1 / n``, or n to the given power, such as -0.5, scaled to mean 1.
    group_level : bool, default=False
        Learn from groups instead of items, for new items of new groups: plays are
        summed and content is averaged over the items of a group, such as the songs of
        an artist. A prediction uses the content of the item itself.
    popularity_weight : float, default=0.0
        Weight of the popularity predicted from content by a regressor of the same
        kind, in standard deviations of the user's scores.
    max_items : int or None, default=None
        Maximum number of items on which the regressor is fitted: those with the most
        users. Bounds the time and the memory of regressors such as `KernelRegressor`.
        All items are factorized.

        .. versionadded:: 0.2
    prior_strength : float, default=4.0
        Weight of the content relative to an item's own plays in `refine_factors`, above
        0.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor.
    factorizer_ : estimator
        The fitted factorizer.
    popularity_regressor_ : estimator
        Predicts log(1 + users) of an item. Exists if `popularity_weight` is above 0.
    user_factors_ : ndarray of shape (n_users, k)
        User factors, if the factorizer decodes linearly. With `play_weight` or
        `popularity_weight` above 0, columns for these follow.
    <users of fit>
    n_features_in_ : int
        Number of features seen during fit, if the regressor has it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if the regressor has them.

    See Also
    --------
    skcoldstart.WMF : The factorizer of the paper.
    skcoldstart.recommendation_scorer : Scores of a recommender in a search.
    skcoldstart.ContentProfileRecommender : A baseline without factors.

    Notes
    -----
    `X` is passed to the regressor unchanged. Feature steps can be inside the regressor,
    or precede this estimator in a Pipeline; the predictions are the same.

    The default parts were chosen on inner splits of five real data sets, see the Notes
    of `WMF`. A `BlendRecommender` with neighbours ranks the first places of a list
    better.

    The regressor is not fitted on items without plays. A user without plays in `fit`
    has `WMF` factors of zero, and so score 0 for all items.

    With a compression a > 0, factors v of an item become
    ``v (|v| + a m) / ((a + 1) |v|)`` with m the mean length of all items' factors [2]_;
    with ``inf`` they become ``v / |v|``.

    With a `play_weight` :math:`\rho` above 0, the targets of the regression are
    :math:`T = Y X^T + \rho P`, with factors Y of items and X of users and the plays P
    as 0 and 1. T is not formed. The memory is n_users times the number of features of
    the last step (of training items, for a kernel ridge), and the time n_items times
    that.

    The predicted popularity has mean 0 and standard deviation 1 over the training
    items. It is added in units of the standard deviation of a user's scores over the
    same items, for users without plays of the mean of these deviations.

    A regressor whose `fit` has the parameters ``user_factors`` and ``usage``, such as
    `CNNFactorRegressor`, receives the factors of all users and the confidences of the
    plays, also at the end of a Pipeline or inside a search.

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 4.
    .. [2] arXiv 2510.11402, RecSys 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skcoldstart import WMF, ColdStartRecommender
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 30))))
    >>> model = ColdStartRecommender(Ridge(), WMF(n_components=4, random_state=0))
    >>> items, scores = model.fit(X[:50], y[:50]).recommend(X[50:], n=3)
    >>> items.shape, model.score(X[50:], y[50:]) > 0.6
    ((30, 3), True)
    """

    # With metadata routing, these are requested by default.
    __metadata_request__fit = {"user_ids": True, "item_ids": True, "groups": True}
    __metadata_request__partial_fit = __metadata_request__fit

    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit"]), None],
        "factorizer": [HasMethods(["fit_transform", "inverse_transform"]), None],
        "norm_compression": [Interval(Real, 0, None, closed="both")],
        "play_weight": [Interval(Real, 0, None, closed="left")],
        "item_weight": [
            StrOptions({"uniform", "inverse"}),
            Interval(Real, None, None, closed="neither"),
        ],
        "group_level": ["boolean"],
        "popularity_weight": [Interval(Real, 0, None, closed="left")],
        "max_items": [Interval(Integral, 1, None, closed="left"), None],
        "prior_strength": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        regressor: Any = None,
        factorizer: Any = None,
        *,
        norm_compression: float = 0.0,
        play_weight: float = 0.0,
        item_weight: float | str = "uniform",
        group_level: bool = False,
        popularity_weight: float = 0.0,
        max_items: int | None = None,
        prior_strength: float = 4.0,
    ) -> None:
        self.regressor = regressor
        self.factorizer = factorizer
        self.norm_compression = norm_compression
        self.play_weight = play_weight
        self.item_weight = item_weight
        self.group_level = group_level
        self.popularity_weight = popularity_weight
        self.max_items = max_items
        self.prior_strength = prior_strength

    # The regressor and the factorizer validate their own parameters when fitted.
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
    ) -> "ColdStartRecommender":
        """Factorize the plays, and fit the regressor to the item factors.

        Parameters
        ----------
        X : sequence of n_items items
            Content, in any form that the regressor accepts.
        <plays>
        <user ids>
        item_ids : array-like of shape (n_items,), default=None
            Names of items, for `partial_fit`, if neither `y` nor `X` is a DataFrame
            with named rows.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist, for `group_level`. Also passed to a
            regressor whose `fit` accepts groups.
        **params : dict
            Parameters for the regressor's `fit`; with metadata routing on, for every
            step that requested them.

        <fitted>

        Raises
        ------
        ValueError
            If `y` does not have one row per item, holds NaN, infinite or negative
            counts, or no plays at all; or `group_level` is set without `groups`.
        TypeError
            If `play_weight` is above 0 and the regressor is not linear in its targets.
        """
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        return self._learn(X, plays, item_names_of(X, y, item_ids), groups, params)

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        user_ids: Any = None,
        item_ids: Any = None,
        groups: Any = None,
        **params: Any,
    ) -> "ColdStartRecommender":
        """Continue from the last fit with more items, more users and more plays.

        The factorization starts from the factors of known items and users, and new ones
        folded in from their plays with known ones. The regressor is fitted again.

        Parameters
        ----------
        X : sequence of n_items items
            Content of all items, known and new.
        y : {array-like, sparse} of shape (n_items, n_users)
            All their plays, including those of earlier calls.
        user_ids, item_ids : array-like, default=None
            Names of users and items, as in `fit`, by which known ones are found.
            Without names, the known ones come first, in their old order.
        <groups>
        **params : dict
            Parameters for the regressor's `fit`.

        Returns
        -------
        self
            The recommender, fitted on all items and users of `y`.

        Raises
        ------
        ValueError
            If only one of two calls passed names, or if there are no names and fewer
            items or users than before. After an error the recommender is as it was.
        TypeError
            If the factorizer has no ``partial_fit`` that accepts more rows and columns,
            like that of `WMF`.
        """
        if not hasattr(self, "factorizer_"):
            named = {"user_ids": user_ids, "item_ids": item_ids, "groups": groups}
            return self.fit(X, y, **named, **params)
        known = getattr(self.regressor_, "n_features_in_", None)
        if known is not None and np.ndim(X) == 2 and np.shape(X)[1] != known:
            raise ValueError(
                f"X has {np.shape(X)[1]} features, but ColdStartRecommender is "
                f"expecting {known} features as input; use fit for other content."
            )
        if not hasattr(self.factorizer_, "transform_users"):
            raise TypeError(
                "partial_fit needs a factorizer that accepts more items and users, "
                f"such as WMF, not {type(self.factorizer_).__name__}; use fit."
            )
        before = self.__dict__.copy()
        try:
            known = getattr(self, "user_names_in_", None), self.n_users_
            plays = check_training_plays(self, X, y, user_ids=user_ids)
            given = getattr(self, "user_names_in_", None), plays.shape[1]
            users = align(*known, *given, what="users")
            names = item_names_of(X, y, item_ids)
            return self._learn(X, plays, names, groups, params, users)
        except BaseException:  # names of users must stay those of the factors
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _learn(
        self,
        X: Any,
        plays: Any,
        names: np.ndarray | None,
        groups: Any,
        params: dict[str, Any],
        users: Alignment | None = None,
    ) -> "ColdStartRecommender":
        """Fit both steps to plays; with known `users`, continue from the last fit."""
        given = self._given_regressor()
        check_predicts(given)
        if self.play_weight:
            check_linear_in_targets(last_step(given))
        checked = None if groups is None else check_item_groups(groups, X)
        self._record_items(X, plays, names)
        self._members: sp.csr_array | None = None
        if self.group_level:
            if checked is None:
                raise ValueError(
                    "group_level=True needs groups, one entry per item; pass groups= "
                    "to fit. A search passes them on if metadata routing is enabled."
                )
            X, plays, names, self._members = by_group(X, plays, checked)
            groups = names  # a row for each
        routed = self._route(params, groups)
        fit_params, options = routed.regressor.fit, routed.factorizer.fit_transform
        if users is None:
            fitted = getattr(self, "factorizer_", None)
            self.factorizer_ = kept_or_new(self._given_factorizer(), fitted, clone)
            factors = np.asarray(self.factorizer_.fit_transform(plays, **options))
        else:
            known = self._item_names, len(self.factorizer_.item_factors_)
            items = align(*known, names, plays.shape[0], what="items")
            self.factorizer_ = grow_factorization(self.factorizer_, plays, items, users)
            factors = self.factorizer_.item_factors_
        self._item_names: np.ndarray | None = names
        self._joined_user_factors = None
        self._record_decoder(factors.shape[1], plays.shape[1])

        # The regressor is fitted on items with plays.
        n_listeners = np.diff(plays.indptr)
        played = np.flatnonzero(n_listeners)
        if self.max_items is not None and len(played) > self.max_items:
            by_listeners = np.argsort(-n_listeners, kind="stable")
            played = np.sort(by_listeners[: self.max_items])
        if len(played) < len(factors):
            fit_params = _check_method_params(X, fit_params, indices=played)
            X, plays, factors = take_items(X, played), plays[played], factors[played]
        targets, self._factor_length = compress_norms(factors, self.norm_compression)
        self._taught = played, targets
        fitted = getattr(self, "regressor_", None)
        self.regressor_ = kept_or_new(given, fitted, for_all_factors)
        tastes = getattr(self, "user_factors_", None)
        usage = usage_parameters(self.regressor_, self.factorizer_, tastes, plays)
        fit_params, weight = with_item_weights(
            self.regressor_, usage | fit_params, self.item_weight, plays
        )
        with name_missing_content(X), features_of_fit(self.regressor_, X) as seen:
            self.regressor_.fit(X, targets, **fit_params)
        F = seen[-1]
        self._record_training(F, weight, plays, self.norm_compression)
        self._join_heads(F, plays, weight)
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def _fold_in(self, plays: sp.csr_array) -> np.ndarray:
        if not hasattr(self.factorizer_, "transform_users"):
            raise TypeError(
                "fold_in_users needs a factorizer with transform_users, but "
                f"{type(self.factorizer_).__name__} has none; use factorizer=WMF()."
            )
        if self._members is not None:
            plays = sp.csr_array(self._members.T @ plays)
        users = np.asarray(self.factorizer_.transform_users(plays))
        users = self._with_smoothed_plays(users, plays[self._taught[0]])
        unknown = ~users.any(axis=1)
        users = self._with_popularity(users)
        users[unknown] = 0
        return users

    def predict_factors(self, X: Any, return_cov: bool = False) -> Any:
        r"""Predict the latent factors of items from their content.

        Parameters
        ----------
        <items to score>
        return_cov : bool, default=False
            Whether to return the covariances of the factors as well.

            .. versionadded:: 0.2

        Returns
        -------
        factors : ndarray of shape (n_items, k)
            Item factors; features for smoothed plays and popularity follow them.
        cov : FactorCovariance of shape (n_items, k, k)
            With `return_cov`: ``cov[i]`` is the covariance of the factors of item i,
            ``cov.std(user_factors_)`` the standard deviations of scores. Features that
            follow the factors have variance 0.

        Raises
        ------
        TypeError
            If `return_cov` is set and the regressor does not end in a ridge, a linear
            regression, a kernel ridge, a network that held items out or an ensemble.

        Notes
        -----
        With content f of the item and content F of the training items (centred if there
        is an intercept) the covariance of an item is :math:`(1 + h) g \Sigma`, with the
        leverage :math:`h = f^T (F^T F + \alpha I)^{-1} f` (:math:`1/n` more with an
        intercept). For a kernel ridge, h is
        :math:`(k(f, f) - k^T (K + \alpha I)^{-1} k) / \alpha`. Errors grow with plays:
        g is affine in 1 + users as the same regressor predicts it, with coefficients of
        at least 0 fitted to squared errors of held-out items, and constant beyond the
        range seen there. :math:`\Sigma` is taken from leave-one-out residuals, and
        scaled so that 90 % of the scores of held-out items lie within 1.645 deviations.
        This takes about half as long as `fit`, once: in the first call, or when the
        recommender is saved. Until then the recommender keeps the training items. With
        `group_level` all of this describes groups, and understates the uncertainty of
        items.

        For a `CNNFactorRegressor`, :math:`\Sigma` is taken from the errors of the items
        that it held out, at least 20. The variance of an item is affine in that of the
        mean of its windows, and with `dropout` in that of ten predictions with units
        dropped at random. The training was stopped by the same items, so the deviations
        of new items can be too small.

        For an ensemble (``BaggingRegressor``, ``VotingRegressor``, a forest, one of
        these in a ``TransformedTargetRegressor``, or any regressor with
        ``predict_members(X)``, an array of shape (n_members, n_items, k)), the variance
        of an item is affine in the variance between the members. The errors are those
        of held-out items of an ensemble fitted without them, once to three times.
        Copies and saved models have covariances only if they were used before.
        """
        if return_cov:
            factors = self.predict_factors(X)
            return factors, self._covariance(X).padded(factors.shape[1])
        check_is_fitted(self)
        count_items(X)
        with name_missing_content(X):
            factors = np.asarray(self.regressor_.predict(X))
        return self._with_heads(X, factors.reshape(len(factors), self._n_components))

    def training_factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the training items of the regressor and their target factors.

        Returns
        -------
        items : ndarray of shape (n_played_items,)
            Rows of the training items with plays.
        factors : ndarray of shape (n_played_items, k)
            Their factors, after `norm_compression`.
        """
        check_is_fitted(self)
        return self._taught

    def refine_factors(
        self,
        X: Any,
        y_so_far: Any,
        return_cov: bool = False,
        *,
        shown: Any = None,
        shown_confidence: float = 4.0,
    ) -> Any:
        """Return factors of items from their content and their plays so far.

        Without plays the result equals `predict_factors`; each play moves the factors
        towards its listener. The recommender is not changed.

        Parameters
        ----------
        <items to score>
        y_so_far : {array-like, sparse} of shape (n_items, n_users)
            Their play counts so far, one column per user of `fit`.
        return_cov : bool, default=False
            Whether to return the covariances of the factors as well.

            .. versionadded:: 0.2
        shown : {array-like, sparse} of shape (n_items, n_users), default=None
            Not 0 where a user was shown an item. Users who were shown an item and did
            not play it are evidence against it. ``None`` means that this is unknown.

            .. versionadded:: 0.2
        shown_confidence : float, default=4.0
            Confidence of such a 0, at least 1; that of other pairs without a play is 1.

            .. versionadded:: 0.2

        Returns
        -------
        factors : ndarray of shape (n_items, k)
            Item factors, for scores ``refine_factors(X, y_so_far) @ user_factors_.T``.
        cov : FactorCovariance of shape (n_items, k, k)
            With `return_cov`: that of `predict_factors` for items without plays,
            smaller for others. Stores k numbers for each play, for at most k plays per
            item.

        Raises
        ------
        ValueError
            If `y_so_far` or `shown` does not have one row per item and one column per
            user of `fit` or has invalid counts, or `shown_confidence` is below 1.
        TypeError
            If the factorizer has no ``transform_with_prior``, unlike `WMF`, or
            `return_cov` is set and the regressor has no posterior.

        Notes
        -----
        The system solved is that of `skcoldstart.WMF.transform_with_prior`, with the
        predicted factors as prior and `prior_strength` as its strength.
        """
        check_is_fitted(self)
        if not hasattr(self.factorizer_, "transform_with_prior"):
            raise TypeError(
                "refine_factors needs a factorizer with transform_with_prior, but "
                f"{type(self.factorizer_).__name__} does not have it; use "
                "factorizer=WMF()."
            )
        for name, table in {"y_so_far": y_so_far, "shown": shown}.items():
            check_same_items(X, table, input_name=name)
            check_user_names(self, table, input_name=name)
        plays = check_play_counts(
            y_so_far, n_items=count_items(X), input_name="y_so_far"
        )
        if plays.shape[1] != self.n_users_:
            raise ValueError(
                f"y_so_far has {plays.shape[1]} columns but fit received "
                f"{self.n_users_} users; pass one column per user, in the same order."
            )
        exposure = {}
        if shown is not None:
            exposure = {"shown": shown, "shown_confidence": shown_confidence}
        factors = self.predict_factors(X)
        latent = factors[:, : self._n_components]
        latent[...] = self.factorizer_.transform_with_prior(
            plays,
            self._factor_length * latent,
            strength=self.prior_strength,
            **exposure,
        )
        latent /= self._factor_length
        if not return_cov:
            return factors
        cov = self._covariance_after(X, plays, **exposure)
        return factors, cov.padded(factors.shape[1])

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which step receives which metadata.

        Returns
        -------
        MetadataRouter
            Routing of `fit`'s parameters to the regressor's `fit` and the
            factorizer's `fit_transform`.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        fits = MethodMapping().add(caller="fit", callee="fit")
        fits.add(caller="partial_fit", callee="fit")
        router.add(regressor=self._given_regressor(), method_mapping=fits)
        factorizes = MethodMapping().add(caller="fit", callee="fit_transform")
        return router.add(
            factorizer=self._given_factorizer(), method_mapping=factorizes
        )

    def _route(self, params: dict[str, Any], groups: Any) -> Bunch:
        if _routing_enabled():
            own = {} if groups is None else {"groups": groups}
            return process_routing(self, "fit", **params, **own)
        if groups is not None and (name := name_of_groups(self._given_regressor())):
            params = {name: groups} | params
        return Bunch(regressor=Bunch(fit=params), factorizer=Bunch(fit_transform={}))

    def _given_regressor(self) -> Any:
        return Ridge(DEFAULT_ALPHA) if self.regressor is None else self.regressor

    def _given_factorizer(self) -> Any:
        return WMF() if self.factorizer is None else self.factorizer

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit."""
        check_is_fitted(self)
        return self.regressor_.n_features_in_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        regressor_tags = get_tags(self._given_regressor())
        tags.input_tags = regressor_tags.input_tags
        tags.non_deterministic = regressor_tags.non_deterministic
        return tags
