"""ColdStartRecommender: a factorizer and a regressor, joined."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import check_training_plays
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import (
    HasMethods,
    Interval,
    Options,
    _check_method_params,
    _fit_context,
    _routing_enabled,
    _safe_indexing,
)
from skcoldstart.compose._base import FactorScoresMixin
from skcoldstart.compose._defaults import default_factorizer, default_regressor
from skcoldstart.compose._targets import compress_norms
from skcoldstart.compose._usage import usage_parameters

__all__ = ["ColdStartRecommender"]


class ColdStartRecommender(FactorScoresMixin, MetaEstimatorMixin, BaseEstimator):
    """Recommend items that nobody has played, from what they are.

    The plays of known items are factorized; a regressor learns to predict an item's
    latent factors from its content; a new item is scored for every user by the
    product of predicted item factors and user factors.

    .. versionadded:: 0.1

    Parameters
    ----------
    regressor : estimator, default=None
        Any scikit-learn regressor, or a Pipeline that ends in one; predicts item
        factors of shape (n_items, k) from `X`. ``None`` means ``Ridge(10.0)``. A
        regressor of one output is fitted once per factor.
    factorizer : estimator, default=None
        Has ``fit_transform(Y)`` and ``inverse_transform(Z)``: `WMF`,
        `sklearn.decomposition.NMF`, `sklearn.decomposition.TruncatedSVD`. ``None``
        means `WMF()`, with a smaller `reg` for small catalogues.
    norm_compression : float, default=0.0
        How far the lengths of items' factors are drawn together before the regressor
        learns them, so that popular items do not dominate: 0 leaves them as they
        are, ``inf`` gives every item unit length.
    prior_strength : float, default=4.0
        Weight of the content against an item's own plays in `refine_factors`,
        above 0.

    Attributes
    ----------
    regressor_ : estimator
        The fitted regressor.
    factorizer_ : estimator
        The fitted factorizer.
    user_factors_ : ndarray of shape (n_users, k)
        User factors, where the factorizer decodes linearly.
    n_users_ : int
        Number of users, the columns of y.
    user_names_in_ : ndarray of shape (`n_users_`,)
        Names of users: labels of the columns of y, or `user_ids`; missing without.
    n_features_in_ : int
        Number of features seen during fit, where the regressor counts them.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where the regressor has them.

    See Also
    --------
    skcoldstart.WMF : The factorizer of the paper.
    skcoldstart.recommendation_scorer : Scores of a recommender in a search.
    skcoldstart.ContentProfileRecommender : A baseline without factors.

    Notes
    -----
    `X` goes to the regressor as it is: a feature table, sparse or dense, or paths of
    audio files where the regressor is a Pipeline that reads them. Feature steps may
    stand before this estimator in a Pipeline or inside its regressor; predictions are
    the same. Inside, a search can reach their parameters together with the
    factorizer's.

    The default parts were chosen on inner splits of five real sets, see the Notes of
    `WMF`. They are at least as good as a content profile in AUC on all of them; where
    the first places of a list matter, `skcoldstart.make_recommender` ranks better.
    Below 1,000 in the largest singular value of the played confidences, as in
    catalogues of some hundred plays, `reg` is a tenth of it.

    Both steps are fitted in `fit`, on the same rows. In cross-validation the
    factorizer therefore never sees held-out items: y has one row per item, and a fold
    holds out rows.

    Items of the training set without a single play have no factors to learn from; the
    regressor is not fitted on them. A user without a play in `fit` has factors of zero
    from `WMF`: all items score 0 and tie, so that the user's AUC is 1/2.

    With a compression a > 0, factors v of an item become
    ``v (|v| + a m) / ((a + 1) |v|)`` with m the mean length of all items' factors [2]_;
    with ``inf`` they become ``v / |v|``.

    Once new items are played, `refine_factors` joins their plays with their content;
    refit to teach both models from them.

    `predict` costs O(n_items n_users k) time and n_items n_users memory; `recommend`
    and the scorers read the same scores in blocks of users.

    With metadata routing off, parameters of `fit` go to the regressor; with routing
    on they go where they were requested. A regressor whose `fit` has the parameters
    ``user_factors`` and ``usage``, such as `CNNFactorRegressor`, is given the factors
    of all users and the confidences of the plays, also at the end of a Pipeline or
    inside a search.

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 4.
    .. [2] RecSys 2025, arXiv 2510.11402.

    Examples
    --------
    >>> import numpy as np
    >>>     >>> from skcoldstart import WMF, ColdStartRecommender
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 30))))
    >>> model = ColdStartRecommender(Ridge(), WMF(n_components=4, random_state=0))
    >>> items, scores = model.fit(X[:50], y[:50]).recommend(X[50:], n=3)
    >>> items.shape, model.score(X[50:], y[50:]) > 0.6
    ((30, 3), True)
    """

    _parameter_constraints: dict = {
        "regressor": [HasMethods(["fit", "predict"]), None],
        "factorizer": [HasMethods(["fit_transform", "inverse_transform"]), None],
        "norm_compression": [
            Interval(Real, 0, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "prior_strength": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        regressor=None,
        factorizer=None,
        *,
        norm_compression=0.0,
        prior_strength=4.0,
    ):
        self.regressor = regressor
        self.factorizer = factorizer
        self.norm_compression = norm_compression
        self.prior_strength = prior_strength

    # The regressor and the factorizer validate their own parameters when fitted.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, *, user_ids: Any = None, **params: Any
    ) -> "ColdStartRecommender":
        """Factorize the plays and learn to predict item factors from content.

        Parameters
        ----------
        X : sequence of n_items items
            Content; whatever the regressor takes.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X.
        user_ids : array-like of shape (n_users,), default=None
            Names of users, where `y` is no DataFrame that has them.
        **params : dict
            Parameters for the regressor's `fit`; with metadata routing on, for every
            step that requested them.

        Returns
        -------
        self
            The fitted recommender.

        Raises
        ------
        ValueError
            If `y` does not have one row per item, holds NaN, infinite or negative
            counts, or no plays at all.
        """
        n_items = count_items(X)
        plays = check_training_plays(self, X, y, user_ids=user_ids)
        routed = self._route(params)

        self.factorizer_ = clone(self._given_factorizer(plays))
        factors = np.asarray(
            self.factorizer_.fit_transform(plays, **routed.factorizer.fit_transform)
        )
        self._record_decoder(factors.shape[1], plays.shape[1])
        played = np.flatnonzero(np.diff(plays.indptr))
        factors, self._factor_length = compress_norms(
            factors, self.norm_compression, played
        )

        fit_params = routed.regressor.fit
        if len(played) < n_items:
            fit_params = _check_method_params(X, fit_params, indices=played)
            rows = X.tocsr() if sp.issparse(X) else X  # not every format has rows
            X, factors = _safe_indexing(rows, played), factors[played]
        self.regressor_ = self._cloned_regressor()
        own_params = usage_parameters(self.regressor_, self, plays, played)
        with name_missing_content(X):
            self.regressor_.fit(X, factors, **own_params | fit_params)
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def predict_factors(self, X: Any) -> np.ndarray:
        """Predict the latent factors of items from their content.

        Parameters
        ----------
        X : sequence of n_items items
            Items, in the form given to `fit`.

        Returns
        -------
        ndarray of shape (n_items, k)
            Predicted item factors.
        """
        check_is_fitted(self)
        count_items(X)
        with name_missing_content(X):
            factors = np.asarray(self.regressor_.predict(X))
        return factors.reshape(len(factors), self._n_components)

    def refine_factors(self, X: Any, y_so_far: Any) -> np.ndarray:
        """Return factors of items from their content and the plays they have so far.

        For the first days of an item: with no plays this is `predict_factors`, and
        every play moves the factors towards its listener. The recommender itself is
        not changed.

        Parameters
        ----------
        X : sequence of n_items items
            Items, in the form given to `fit`.
        y_so_far : {array-like, sparse} of shape (n_items, n_users)
            Their play counts so far, by the users of `fit`.

        Returns
        -------
        ndarray of shape (n_items, k)
            Item factors, for scores ``refine_factors(X, y_so_far) @ user_factors_.T``.

        Raises
        ------
        ValueError
            If `y_so_far` does not have one row per item and one column per user of
            `fit`, or holds NaN, infinite or negative counts.
        TypeError
            If the factorizer has no ``transform_with_prior``, as `WMF` does.

        Notes
        -----
        The system solved is that of `skcoldstart.WMF.transform_with_prior`, with the
        predicted factors as prior and `prior_strength` as its strength.
        """
        check_is_fitted(self)
        if not hasattr(self.factorizer_, "transform_with_prior"):
            raise TypeError(
                "refine_factors needs a factorizer that weighs plays against a prior, "
                f"but {type(self.factorizer_).__name__} has no transform_with_prior; "
                "use factorizer=WMF()."
            )
        check_same_items(X, y_so_far, input_name="y_so_far")
        check_user_names(self, y_so_far, input_name="y_so_far")
        plays = check_play_counts(
            y_so_far, n_items=count_items(X), input_name="y_so_far"
        )
        if plays.shape[1] != self.n_users_:
            raise ValueError(
                f"y_so_far has {plays.shape[1]} columns but fit saw {self.n_users_} "
                "users; pass one column per user, in the same order."
            )
        expected = self._factor_length * self.predict_factors(X)
        factors = self.factorizer_.transform_with_prior(
            plays, expected, strength=self.prior_strength
        )
        return factors / self._factor_length

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which step receives which metadata.

        Returns
        -------
        MetadataRouter
            Routing of `fit`'s parameters to the regressor's `fit` and the
            factorizer's `fit_transform`.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                regressor=self._given_regressor(),
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
            .add(
                factorizer=self._given_factorizer(),
                method_mapping=MethodMapping().add(
                    caller="fit", callee="fit_transform"
                ),
            )
        )

    def _route(self, params: dict[str, Any]) -> Bunch:
        if _routing_enabled():
            return process_routing(self, "fit", **params)
        return Bunch(regressor=Bunch(fit=params), factorizer=Bunch(fit_transform={}))

    def _given_regressor(self) -> Any:
        return default_regressor() if self.regressor is None else self.regressor

    def _given_factorizer(self, plays: Any = None) -> Any:
        return default_factorizer(plays) if self.factorizer is None else self.factorizer

    def _cloned_regressor(self) -> Any:
        """Clone the regressor, repeated per factor where it predicts one output."""
        regressor = clone(self._given_regressor())
        if _fits_several_outputs(regressor):
            return regressor
        if isinstance(regressor, Pipeline):
            name, last = regressor.steps[-1]
            return regressor.set_params(**{name: MultiOutputRegressor(last)})
        return MultiOutputRegressor(regressor)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit."""
        check_is_fitted(self)
        return self.regressor_.n_features_in_

    def __sklearn_tags__(self) -> Tags:
        """Take what the regressor says of its input."""
        tags = super().__sklearn_tags__()
        regressor = self._given_regressor()
        regressor_tags = get_tags(regressor)
        tags.input_tags = regressor_tags.input_tags
        tags.non_deterministic = regressor_tags.non_deterministic
        return tags


def _fits_several_outputs(regressor: Any) -> bool:
    """Whether a regressor takes y of several columns; a wrapper takes what it wraps."""
    from sklearn.neural_network import MLPRegressor

    # TODO(sklearn 1.11): MLPRegressor takes several outputs but its tags deny it, and
    # so do its wrappers'. One network a factor would cost k times as much and share
    # nothing between factors.
    if isinstance(regressor, Pipeline):
        return _fits_several_outputs(regressor.steps[-1][1])
    if isinstance(regressor, TransformedTargetRegressor):
        return regressor.regressor is None or _fits_several_outputs(regressor.regressor)
    if hasattr(regressor, "estimator") and hasattr(regressor, "refit"):  # a search
        return _fits_several_outputs(regressor.estimator)
    tags = get_tags(regressor).target_tags
    return tags.multi_output or isinstance(regressor, MLPRegressor)
