"""Recommenders of other libraries, for the sets and the scorer of real_quality.py.

Each is an estimator whose `fit` calls one library, with items as rows, and which gives
the factors that the library itself computes for items without plays. A library is
imported when its recommender is fitted, so only those that are measured are needed.

====================  =================================================================
system                what it is
====================  =================================================================
LightFM               WARP over the features of items
irspack               iALS with a linear prior from the features of items
cmfrec                plays and content of items factorized together
implicit + Ridge      factors of ALS, predicted linearly
WMF + MLP             factors of `WMF`, predicted by a network (van den Oord et al.)
====================  =================================================================

LightFM takes tf-idf of unit length, sparse, and so does irspack up to 5,000 columns: it
solves for all pairs of columns. All others take the dense content that our systems of
factors take. Plays are 1, or logarithms where they are counts, as the search chooses.
"""

from contextlib import redirect_stdout
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from io import StringIO

import numpy as np
import scipy.sparse as sp
from real_systems import pipeline, tuned
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import Normalizer

from skcoldstart import WMF, ColdStartRecommender

MAX_SPARSE_COLUMNS = 5000


def weighed(y, weights):
    """Return plays as 32-bit weights: 1, or the logarithm of one more."""
    plays = sp.csr_matrix(y, dtype=np.float32)
    plays.data = np.log1p(plays.data) if weights == "log" else np.ones_like(plays.data)
    return plays


class FactorRecommender(BaseEstimator):
    """Base: scores are products of `predict_factors` and `user_factors_`."""

    def predict(self, X):
        """Score items, (n_items, n_users)."""
        return self.predict_factors(X) @ self.user_factors_.T


class LightFMRecommender(FactorRecommender):
    """LightFM: an item is the sum of the vectors of its features."""

    def __init__(
        self,
        n_components=64,
        *,
        epochs=20,
        learning_rate=0.05,
        max_sampled=10,
        own_vectors=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.max_sampled = max_sampled
        self.own_vectors = own_vectors  # training items have one each, in addition
        self.random_state = random_state

    def fit(self, X, y):
        from lightfm import LightFM

        features = sp.csr_matrix(X, dtype=np.float32)
        self._n_own = len(y.indptr) - 1 if self.own_vectors else 0
        if self.own_vectors:
            identity = sp.identity(self._n_own, dtype=np.float32)
            features = sp.hstack([features, identity], format="csr")
        self._model = LightFM(
            self.n_components,
            loss="warp",
            learning_rate=self.learning_rate,
            max_sampled=self.max_sampled,
            random_state=self.random_state,
        )
        plays = sp.coo_matrix(weighed(y, "binary").T)
        self._model.fit(plays, item_features=features, epochs=self.epochs)
        # The bias of a user does not change the order of the items.
        _, users = self._model.get_user_representations()
        self.user_factors_ = np.hstack([users, np.ones_like(users[:, :1])])
        return self

    def predict_factors(self, X):
        features = sp.csr_matrix(X, dtype=np.float32)
        if self.own_vectors:
            none = sp.csr_matrix((features.shape[0], self._n_own), dtype=np.float32)
            features = sp.hstack([features, none], format="csr")
        biases, items = self._model.get_item_representations(features)
        return np.column_stack([items, biases])


class IrspackRecommender(FactorRecommender):
    """irspack: iALS whose factors of items have a mean that is linear in content."""

    def __init__(
        self,
        n_components=128,
        *,
        alpha0=0.03,
        reg=0.001,
        prior_reg=1.0,
        warmup_epochs=0,
        weights="binary",
        unobserved=True,
        random_state=42,
    ):
        self.n_components = n_components
        self.alpha0 = alpha0
        self.reg = reg
        self.prior_reg = prior_reg
        self.warmup_epochs = warmup_epochs
        self.weights = weights
        self.unobserved = unobserved  # a new item counts as one nobody wanted
        self.random_state = random_state

    def fit(self, X, y):
        from irspack import IALSRecommender

        self._model = IALSRecommender(
            weighed(y, self.weights).T.tocsr(),
            n_components=self.n_components,
            alpha0=self.alpha0,
            reg=self.reg,
            random_seed=self.random_state,
            n_threads=1,
            item_features=self._content(X),
            lambda_item_feature=self.prior_reg,
            feature_warmup_epochs=self.warmup_epochs,
        )
        with redirect_stdout(StringIO()):  # its progress bar has no switch
            self._model.learn()
        self.user_factors_ = np.asarray(self._model.get_user_embedding())
        return self

    def _content(self, X):
        kind = sp.csr_matrix if sp.issparse(X) else np.asarray
        return kind(X, dtype=np.float32)

    def predict_factors(self, X):
        if self.unobserved:
            return self._model.compute_item_embedding_from_features(self._content(X))
        trainer = self._model.trainer_as_ials
        return np.asarray(trainer.transform_item_feature(self._content(X)))


class CmfrecRecommender(FactorRecommender):
    """cmfrec: one set of factors of items approximates plays and content."""

    def __init__(
        self,
        n_components=100,
        *,
        reg=10.0,
        alpha=10.0,
        content_weight=10.0,
        n_own=0,
        weights="binary",
        random_state=1,
    ):
        self.n_components = n_components
        self.reg = reg
        self.alpha = alpha
        self.content_weight = content_weight
        self.n_own = n_own  # components of the content alone
        self.weights = weights
        self.random_state = random_state

    def fit(self, X, y):
        from cmfrec import CMF_implicit

        self._model = CMF_implicit(
            k=self.n_components,
            k_item=self.n_own,
            lambda_=self.reg,
            alpha=self.alpha,
            w_item=self.content_weight,
            niter=15,
            random_state=self.random_state,
            nthreads=1,
        )
        plays = sp.coo_matrix(weighed(y, self.weights).T)
        self._model.fit(plays, I=np.asarray(X, dtype=np.float32))
        self.user_factors_ = self._model.A_
        return self

    def predict_factors(self, X):
        content = np.asarray(X, dtype=np.float32)
        found = [self._model.item_factors_cold(I=row) for row in content]
        return np.stack(found)[:, self.n_own :]


class ImplicitRidge(FactorRecommender):
    """implicit: ALS, and a ridge from content to its factors of items."""

    def __init__(
        self,
        n_components=200,
        *,
        reg=10.0,
        confidence=20.0,
        ridge_alpha=10.0,
        weights="binary",
        random_state=None,
    ):
        self.n_components = n_components
        self.reg = reg
        self.confidence = confidence
        self.ridge_alpha = ridge_alpha
        self.weights = weights
        self.random_state = random_state

    def fit(self, X, y):
        from implicit.cpu.als import AlternatingLeastSquares

        als = AlternatingLeastSquares(
            self.n_components,
            regularization=self.reg,
            alpha=self.confidence,
            num_threads=1,
            random_state=self.random_state,
        )
        als.fit(weighed(y, self.weights).T.tocsr(), show_progress=False)
        self.user_factors_ = als.user_factors
        self._ridge = Ridge(self.ridge_alpha).fit(X, als.item_factors)
        return self

    def predict_factors(self, X):
        return self._ridge.predict(X)


def feature_steps(real_set):
    """Return steps to features of unit length, sparse where the set is."""
    if not real_set.is_sparse:
        return real_set.dense_steps()
    return [*real_set.sparse_steps(), Normalizer()]


def weights_to_try(real_set):
    """Return both kinds of weights where they differ."""
    return ["binary", "log"] if real_set.plays.max() > 1 else ["binary"]


def lightfm_warp(real_set, seed):
    """Return LightFM with WARP, tuned."""
    model = LightFMRecommender(random_state=seed)
    grid = {
        "model__n_components": [32, 64, 128],
        "model__epochs": [10, 20, 40],
        "model__learning_rate": [0.02, 0.05, 0.1],
        "model__own_vectors": [False, True],
    }
    return tuned(pipeline(feature_steps(real_set), model), grid, real_set, seed)


def irspack_ials(real_set, seed):
    """Return the iALS of irspack with features of items, tuned."""
    model = IrspackRecommender(random_state=seed)
    grid = {
        "model__n_components": [128, 200],
        "model__alpha0": [0.003, 0.01, 0.03, 0.1],
        "model__reg": [0.001, 0.003, 0.01],
        "model__prior_reg": [0.1, 1.0, 10.0],
        "model__weights": weights_to_try(real_set),
        "model__unobserved": [False, True],
    }
    few = real_set.X.shape[1] <= MAX_SPARSE_COLUMNS
    steps = feature_steps(real_set) if few else real_set.dense_steps()
    return tuned(pipeline(steps, model), grid, real_set, seed)


def cmfrec_implicit(real_set, seed):
    """Return the collective factorization of cmfrec, tuned."""
    model = CmfrecRecommender(random_state=seed + 1)
    grid = {
        "model__n_components": [50, 100],
        "model__reg": [1.0, 10.0, 30.0, 100.0],
        "model__alpha": [1.0, 3.0, 10.0, 30.0],
        "model__content_weight": [1.0, 10.0, 1000.0, 10000.0],
        "model__n_own": [0, 20],
        "model__weights": weights_to_try(real_set),
    }
    return tuned(pipeline(real_set.dense_steps(), model), grid, real_set, seed)


def implicit_ridge(real_set, seed):
    """Return factors of implicit and a ridge, tuned."""
    model = ImplicitRidge(random_state=seed)
    grid = {
        "model__n_components": [50, 100, 200],
        "model__reg": [3.0, 10.0, 30.0, 100.0],
        "model__confidence": [5.0, 20.0, 50.0],
        "model__ridge_alpha": [1.0, 10.0, 100.0],
        "model__weights": weights_to_try(real_set),
    }
    steps = real_set.dense_steps(unit=False)
    return tuned(pipeline(steps, model), grid, real_set, seed)


def wmf_mlp(real_set, seed):
    """Return factors of plays, predicted by a network, tuned."""
    network = MLPRegressor(
        batch_size=128,
        early_stopping=True,
        n_iter_no_change=4,
        max_iter=40,
        random_state=seed,
    )
    model = ColdStartRecommender(network, WMF(random_state=seed))
    grid = {
        "model__factorizer__n_components": [50, 100, 200],
        "model__factorizer__reg": [30.0, 100.0],
        "model__regressor__hidden_layer_sizes": [(256,), (512,), (512, 512)],
        "model__regressor__alpha": [1e-4, 1e-2, 1.0],
        "model__regressor__learning_rate_init": [3e-4, 1e-3],
    }
    steps = real_set.dense_steps(unit=False)
    return tuned(pipeline(steps, model), grid, real_set, seed)


PEERS = {
    "LightFM, WARP, tuned": lightfm_warp,
    "irspack, iALS with features, tuned": irspack_ials,
    "cmfrec, CMF_implicit, tuned": cmfrec_implicit,
    "implicit + Ridge, tuned": implicit_ridge,
    "WMF + MLP, tuned": wmf_mlp,
}

# The module that a system imports, and a package that has it.
REQUIRED = {
    "LightFM, WARP, tuned": ("lightfm", "lightfm-next"),
    "irspack, iALS with features, tuned": ("irspack", "irspack"),
    "cmfrec, CMF_implicit, tuned": ("cmfrec", "cmfrec"),
    "implicit + Ridge, tuned": ("implicit", "implicit"),
}


def missing_package(system):
    """Return the package that a system needs and that is not installed, or None."""
    module, package = REQUIRED.get(system, (None, None))
    return package if module and find_spec(module) is None else None


def package_version(system):
    """Return name and version of the installed package of a system, or None."""
    if system not in REQUIRED:
        return None
    package = packages_distributions()[REQUIRED[system][0]][0]
    return f"{package} {version(package)}"
