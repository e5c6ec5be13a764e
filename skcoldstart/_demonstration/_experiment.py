"""The paper's systems trained on some artists, and their scores for songs of others."""

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio import AudioUnion, MelSpectrogram, MFCCExtractor
from skcoldstart.codebook import BagOfWords, VectorQuantizer
from skcoldstart.compose import (
    ColdStartRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.factorization import WMF
from skcoldstart.metrics import bootstrap_interval, make_recommendation_scorer
from skcoldstart.neural import CNNFactorRegressor, one_torch_thread
from skcoldstart.similarity import MLRSimilarity


@dataclass(frozen=True)
class Songs:
    """What is known of songs; indexing with positions selects some.

    Shapes: `plays` (n_items, n_users).
    """

    mfcc: Any
    mel: Any
    plays: Any

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
    needs: str | None = None  # a package


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


PAPERS_K = 500
FEW = 100  # candidates, below which a mean average precision says little

# By system and metric: the mean over users, and its 95 % interval.
Scores = Mapping[str, Mapping[str, tuple[float, float, float]]]


def cutoff(n_candidates: int) -> int:
    """Return K of mAP@K: a tenth of the candidates, at most the paper's 500."""
    return max(1, min(PAPERS_K, n_candidates // 10))


def notes(n_candidates: int, k: int, *, network: bool = False) -> list[str]:
    """Return notes for readers of the results."""
    found = []
    if k < PAPERS_K:
        found.append(
            f"mAP@{k} uses the first {k} of {n_candidates} candidates; the paper uses "
            f"{PAPERS_K} of about 46,000."
        )
    if n_candidates < FEW:
        found.append(
            f"{n_candidates} candidates are few, so mAP@{k} depends strongly on "
            f"single songs. Use the AUC and its interval instead."
        )
        if network:
            found.append(
                "A network needs more songs than this; the other systems need fewer."
            )
    return found


def score_models(
    models: Mapping[str, tuple[Any, Any]], plays: Any, k: int
) -> tuple[Scores, int]:
    """Score fitted recommenders, each on its own view of the same songs.

    Shapes: `plays` (n_items, n_users). Also return how many users have plays there.
    """
    scorer = make_recommendation_scorer({"map": f"map@{k}", "auc": "auc"})
    scores = {}
    n_scored = 0
    for name, (model, X) in models.items():
        values = scorer.per_user(model, X, plays)
        scores[name] = {key: bootstrap_interval(values[key]) for key in ("map", "auc")}
        n_scored = int(np.count_nonzero(~np.isnan(values["map"])))
    return scores, n_scored


def table(scores: Scores, k: int) -> str:
    """Format the scores in the form of the paper's Table 2."""
    lines = [
        f"{'system':<24}{f'mAP@{k}':>9}  {'95 % interval':<18}{'AUC':>7}  "
        "95 % interval",
        "-" * 78,
    ]
    for name, of_system in scores.items():
        precision, low, high = of_system["map"]
        interval = f"[{low:.4f}, {high:.4f}]"
        line = f"{name:<24}{precision:>9.4f}  {interval:<18}"
        auc, low, high = of_system["auc"]
        lines.append(f"{line}{auc:>7.4f}  [{low:.4f}, {high:.4f}]")
    return "\n".join(lines)


N_MELS = 64


class DemonstrationError(ValueError):
    """The demonstration cannot use the given files; the message has the reason."""


@dataclass(frozen=True)
class Experiment:
    """Results, and the fitted systems."""

    train: np.ndarray
    test: np.ndarray
    scores: Scores
    n_users_scored: int
    k: int
    models: dict[str, Any]
    left_out: list[System]

    @property
    def best(self) -> System:
        """The system with the highest mAP among those that use sound."""
        able = [s for s in SYSTEMS if s.recommends and s.name in self.scores]
        return max(able, key=lambda system: self.scores[system.name]["map"][0])

    @property
    def best_model(self) -> Any:
        """The best system, fitted."""
        return self.models[self.best.name]


def extract(
    catalog: Any, *, reader: Any, n_jobs: int, verbose: int
) -> tuple[Songs, np.ndarray]:
    """Compute frames of the catalogue's files, `usable` (n_usable,)."""
    extractor = AudioUnion(
        [
            ("mfcc", MFCCExtractor()),
            ("mel", MelSpectrogram(n_mels=N_MELS, dtype="float16")),
        ],
        reader=reader,
        on_error="warn",
        n_jobs=n_jobs,
        verbose=verbose,
    )
    frames = extractor.fit_transform(catalog.paths)
    mfcc, mel = frames["mfcc"], frames["mel"]
    usable = np.flatnonzero(mfcc.lengths)
    if len(usable) == 0:
        error = extractor.errors_[0]
        raise DemonstrationError(
            f"None of the {len(mfcc)} audio files can be used; the first is "
            f"{error.path}: {error.reason}."
        )
    return Songs(mfcc, mel, catalog.plays), usable


def hold_out(
    groups: np.ndarray, seed: int, what: str = "played songs"
) -> tuple[np.ndarray, np.ndarray]:
    """Split songs into those of three quarters of the groups, and the others.

    Shapes: `groups` (n_items,) -> (n_train,), (n_test,).
    """
    if len(set(groups)) < 4 or len(groups) < 8:
        raise DemonstrationError(
            f"There are {len(groups)} {what} in {len(set(groups))} groups; at least 8 "
            "songs in 4 groups are required for held-out songs."
        )
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    return next(splitter.split(groups, groups=groups))


def run(
    songs: Songs,
    groups: np.ndarray,
    *,
    n_codewords: int,
    seed: int,
    verbose: int,
    k: int | None = None,
) -> Experiment:
    """Hold out a quarter of the groups and rank their songs by each system.

    Shapes: `groups` (n_items,).
    """
    train, test = hold_out(groups, seed, "played songs with usable audio")
    known, new = songs[train], songs[test]
    if not new.plays.nnz or not known.plays.nnz:
        raise DemonstrationError(
            "The held-out songs, or the training songs, have no plays."
        )
    n_frames = int(known.mfcc.lengths.sum())
    left_out = [s for s in SYSTEMS if s.needs and find_spec(s.needs) is None]
    available = [system for system in SYSTEMS if system not in left_out]
    models: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as cache,
        warnings.catch_warnings(),
        one_blas_thread(),  # the same table on any machine
        one_torch_thread(),
        progress_bar(
            available, description="Systems", verbose=verbose, unit="system"
        ) as systems,
    ):
        # The perceptron intentionally trains for a fixed number of passes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        setting = Setting(
            known.plays,
            WMF(min(50, len(train)), random_state=seed),
            max(1, min(n_codewords, n_frames // 10)),
            seed,
            cache,
        )
        for system in systems:
            model = system.make(setting)
            if model is None:
                continue
            models[system.name] = model.fit(getattr(known, system.reads), known.plays)
        for model in models.values():
            if isinstance(model, Pipeline):
                model.set_params(memory=None)
    k = k or cutoff(len(test))
    views = {
        system.name: (models[system.name], getattr(new, system.reads))
        for system in available
        if system.name in models
    }
    scores, n_scored = score_models(views, new.plays, k)
    return Experiment(train, test, scores, n_scored, k, models, left_out)


def refit(experiment: Experiment, songs: Songs) -> Any:
    """Fit the best system of an experiment on all songs with plays."""
    with warnings.catch_warnings(), one_blas_thread(), one_torch_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        X = getattr(songs, experiment.best.reads)
        return clone(experiment.best_model).fit(X, songs.plays)
