"""Train the paper's systems on some artists and rank the songs of the others."""

import tempfile
import warnings
from dataclasses import dataclass
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
from skcoldstart._utils.scores import ScoreSource, score_source
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio import MFCCExtractor
from skcoldstart.codebook import BagOfWords, VectorQuantizer
from skcoldstart.compose import (
    ColdStartRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.factorization import WMF
from skcoldstart.metrics import bootstrap_interval, make_recommendation_scorer
from skcoldstart.similarity import MLRSimilarity

__all__ = [
    "DemonstrationError",
    "Experiment",
    "SystemScore",
    "extract",
    "refit",
    "run",
]

CONTENT_SYSTEMS = ("metric learning", "linear regression", "multilayer perceptron")
TEST_SHARE = 0.25
METRICS = ("map@500", "auc")


class DemonstrationError(ValueError):
    """The files given do not allow the demonstration; the message says why."""


@dataclass(frozen=True)
class SystemScore:
    """One row of the table: a metric's mean over users and its 95 % interval."""

    name: str
    map: float
    map_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]


@dataclass(frozen=True)
class Experiment:
    """What was measured, and the fitted systems."""

    train: np.ndarray
    test: np.ndarray
    scores: list[SystemScore]
    n_users_scored: int
    sources: dict[str, ScoreSource]
    models: dict[str, Any]

    @property
    def best(self) -> Pipeline:
        """The fitted content system of the highest mAP."""
        content = [row for row in self.scores if row.name in CONTENT_SYSTEMS]
        return self.models[max(content, key=lambda row: row.map).name]


def extract(catalog: Any, *, n_jobs: int, verbose: int) -> tuple[Any, np.ndarray]:
    """Compute MFCC frames of the catalogue's files.

    Parameters
    ----------
    catalog : Bunch
        Has ``paths``.
    n_jobs : int
        Workers.
    verbose : int
        Whether to show a progress bar.

    Returns
    -------
    frames : RaggedArray of n_items
        Item i is (n_frames_i, 39); files that cannot be read have no frames.
    usable : ndarray of shape (n_usable,)
        Items with frames.

    Raises
    ------
    DemonstrationError
        If no file can be used.
    """
    extractor = MFCCExtractor(on_error="warn", n_jobs=n_jobs, verbose=verbose)
    frames = extractor.fit_transform(catalog.paths)
    usable = np.flatnonzero(frames.lengths)
    if len(usable) == 0:
        error = extractor.errors_[0]
        raise DemonstrationError(
            f"None of the {len(frames)} audio files can be used; the first is "
            f"{error.path}: {error.reason}."
        )
    return frames, usable


def run(
    frames: Any,
    plays: Any,
    groups: np.ndarray,
    *,
    n_codewords: int,
    seed: int,
    verbose: int,
) -> Experiment:
    """Hold out a quarter of the groups and rank their songs by each system.

    Parameters
    ----------
    frames : RaggedArray of n_items
        Frames of songs that somebody played.
    plays : csr_array of shape (n_items, n_users)
        Their play counts.
    groups : ndarray of shape (n_items,)
        Artists; none is in both halves.
    n_codewords : int
        Size of the codebook; lowered where the songs have too few frames.
    seed : int
        Seed of the split and of every system.
    verbose : int
        Whether to show a progress bar.

    Returns
    -------
    Experiment
        Scores of all systems on the same songs.

    Raises
    ------
    DemonstrationError
        If there are too few songs or groups to hold some out.
    """
    if len(set(groups)) < 4 or len(groups) < 8:
        raise DemonstrationError(
            f"There are {len(groups)} played songs with usable audio in "
            f"{len(set(groups))} groups; at least 8 songs in 4 groups are needed to "
            "hold some out."
        )
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
    train, test = next(splitter.split(frames, groups=groups))
    if not np.diff(plays[test].indptr).any() or not np.diff(plays[train].indptr).any():
        raise DemonstrationError("The songs held out, or the others, have no plays.")
    n_frames = int(frames.lengths[train].sum())
    wmf = WMF(min(50, len(train)), random_state=seed)
    models: dict[str, Any] = {}
    sources: dict[str, ScoreSource] = {}
    with (
        tempfile.TemporaryDirectory() as cache,
        warnings.catch_warnings(),
        one_blas_thread(),  # the same table on any machine, busy or not
        progress_bar(
            _systems(
                plays[train], wmf, max(1, min(n_codewords, n_frames // 10)), seed, cache
            ),
            description="Systems",
            verbose=verbose,
            total=len(CONTENT_SYSTEMS) + 2,
            unit="system",
        ) as systems,
    ):
        # The perceptron trains for a fixed number of passes, by intention.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name, system in systems:
            content = plays if isinstance(system, OracleRecommender) else frames
            models[name] = system.fit(content[train], plays[train])
            sources[name] = score_source(system, content[test])
        for model in models.values():
            if isinstance(model, Pipeline):
                model.set_params(memory=None)
    scores, n_scored = _evaluate(models, frames, plays, test)
    return Experiment(train, test, scores, n_scored, sources, models)


def refit(model: Pipeline, frames: Any, plays: Any) -> Pipeline:
    """Fit a system of the demonstration on all songs with plays.

    Parameters
    ----------
    model : Pipeline
        A content system.
    frames : RaggedArray of n_items
        Frames.
    plays : csr_array of shape (n_items, n_users)
        Play counts.

    Returns
    -------
    Pipeline
        A fitted clone.
    """
    with warnings.catch_warnings(), one_blas_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(model).fit(frames, plays)


def _systems(plays: Any, wmf: WMF, n_codewords: int, seed: int, cache: str) -> Any:
    """Yield the rows of the table; content systems share a cached codebook.

    A metric can be learnt only where two songs have a listener in common.
    """
    yield "random", RandomRecommender(random_state=seed)
    perceptron = MLPRegressor(
        hidden_layer_sizes=(1000,),
        alpha=10.0,
        learning_rate_init=3e-3,
        max_iter=60,
        random_state=seed,
    )
    n_relevant = min(10, plays.shape[0] // 4)
    metric = MLRSimilarity(n_relevant=n_relevant, random_state=seed)
    heads = (
        metric,
        ColdStartRecommender(LinearRegression(), wmf),
        ColdStartRecommender(perceptron, wmf),
    )
    for name, head in zip(CONTENT_SYSTEMS, heads, strict=True):
        if head is metric and plays.astype(bool).sum(axis=0).max() < 2:
            continue
        yield (
            name,
            make_pipeline(
                VectorQuantizer(n_codewords, max_frames=60_000, random_state=seed),
                BagOfWords(n_codewords),
                StandardScaler(),
                PCA(0.95),
                head,
                memory=cache,
            ),
        )
    yield "upper bound", OracleRecommender(wmf)


def _evaluate(
    models: dict[str, Any], frames: Any, plays: Any, test: np.ndarray
) -> tuple[list[SystemScore], int]:
    scorer = make_recommendation_scorer(METRICS)
    rows = []
    n_scored = 0
    for name, model in models.items():
        content = plays if isinstance(model, OracleRecommender) else frames
        values = scorer.per_user(model, content[test], plays[test])
        by_metric = [np.asarray(values[key]) for key in ("map", "auc")]
        n_scored = int(np.count_nonzero(~np.isnan(by_metric[0])))
        (m, *m_interval), (a, *a_interval) = map(bootstrap_interval, by_metric)
        rows.append(SystemScore(name, m, tuple(m_interval), a, tuple(a_interval)))
    return rows, n_scored
