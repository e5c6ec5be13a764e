"""The systems that the demonstration compares: one entry each."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart.codebook import BagOfWords, VectorQuantizer
from skcoldstart.compose import (
    ColdStartRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.factorization import WMF
from skcoldstart.neural import CNNFactorRegressor
from skcoldstart.similarity import MLRSimilarity


@dataclass(frozen=True)
class Songs:
    """What is known of songs; indexing with positions selects some.

    Shapes: `plays` (n_items, n_users).
    """

    mfcc: Any
    mel: Any
    plays: Any

    def __len__(self) -> int:
        return len(self.mfcc)

    def __getitem__(self, items: Any) -> "Songs":
        return Songs(self.mfcc[items], self.mel[items], self.plays[items])


@dataclass(frozen=True)
class Setting:
    """What all systems share."""

    plays: Any  # of the songs to learn from
    wmf: WMF
    n_codewords: int
    seed: int
    cache: str  # folder where pipelines keep the codebook


@dataclass(frozen=True)
class System:
    """One row of the table."""

    name: str
    reads: str
    make: Callable[[Setting], Any]
    recommends: bool = True
    needs: str | None = None

    @property
    def is_available(self) -> bool:
        """Whether the package it needs is installed."""
        return self.needs is None or find_spec(self.needs) is not None


def item_factors(model: Any, X: Any) -> Any:
    """Return predicted factors of items, by a recommender or a pipeline to one."""
    if isinstance(model, Pipeline):
        return model[-1].predict_factors(model[:-1].transform(X))
    return model.predict_factors(X)


def user_factors(model: Any) -> Any:
    """Return the factors of users, of a recommender or a pipeline to one."""
    return (model[-1] if isinstance(model, Pipeline) else model).user_factors_


def _from_bag_of_words(head: Any, setting: Setting) -> Pipeline:
    return make_pipeline(
        VectorQuantizer(
            setting.n_codewords, max_frames=60_000, random_state=setting.seed
        ),
        BagOfWords(setting.n_codewords),
        StandardScaler(),
        PCA(0.95),
        head,
        memory=setting.cache,
    )


def _metric(setting: Setting) -> Pipeline | None:
    if setting.plays.astype(bool).sum(axis=0).max() < 2:
        return None  # no two songs have a listener in common
    n_relevant = min(10, setting.plays.shape[0] // 4)
    metric = MLRSimilarity(n_relevant=n_relevant, random_state=setting.seed)
    return _from_bag_of_words(metric, setting)


def _linear_regression(setting: Setting) -> Pipeline:
    recommender = ColdStartRecommender(LinearRegression(), setting.wmf)
    return _from_bag_of_words(recommender, setting)


def _perceptron(setting: Setting) -> Pipeline:
    perceptron = MLPRegressor(
        hidden_layer_sizes=(1000,),
        alpha=10.0,
        learning_rate_init=3e-3,
        max_iter=60,
        random_state=setting.seed,
    )
    recommender = ColdStartRecommender(perceptron, setting.wmf)
    return _from_bag_of_words(recommender, setting)


def _network(setting: Setting, objective: str = "mse") -> ColdStartRecommender:
    # A quarter of the paper's width, which two processors train in half a minute.
    network = CNNFactorRegressor(
        objective=objective,
        n_filters=(64, 64, 128, 128),
        hidden=(256,),
        max_epochs=40,
        batch_size=32,
        lr=1e-3,
        lr_schedule="cosine",
        validation_fraction=0,
        device="cpu",
        random_state=setting.seed,
    )
    return ColdStartRecommender(network, setting.wmf)


SYSTEMS = (
    System(
        "random",
        "mfcc",
        lambda setting: RandomRecommender(random_state=setting.seed),
        recommends=False,
    ),
    System("metric learning", "mfcc", _metric),
    System("linear regression", "mfcc", _linear_regression),
    System("multilayer perceptron", "mfcc", _perceptron),
    System(
        "network, softmax",
        "mel",
        lambda setting: _network(setting, "softmax"),
        needs="skorch",
    ),
    System("convolutional network", "mel", _network, needs="skorch"),
    System(
        "upper bound",
        "plays",
        lambda setting: OracleRecommender(setting.wmf),
        recommends=False,
    ),
)
