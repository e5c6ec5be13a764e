"""Train the paper's systems on some artists and rank the songs of the others."""

import tempfile
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline

from skcoldstart._demonstration._systems import SYSTEMS, Setting, Songs, System
from skcoldstart._scores.sources import ScoreSource, score_source
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio import MelSpectrogram, MFCCExtractor
from skcoldstart.factorization import WMF
from skcoldstart.metrics import bootstrap_interval, make_recommendation_scorer
from skcoldstart.neural import one_torch_thread

__all__ = [
    "DemonstrationError",
    "Experiment",
    "SystemScore",
    "extract",
    "refit",
    "run",
]

N_MELS = 64
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
    left_out: list[System]

    @property
    def best(self) -> System:
        """The system of the highest mAP among those that recommend from sound."""
        rows = {row.name: row.map for row in self.scores}
        able = [s for s in SYSTEMS if s.recommends and s.name in rows]
        return max(able, key=lambda system: rows[system.name])

    @property
    def best_model(self) -> Any:
        """The best system, fitted."""
        return self.models[self.best.name]


def extract(catalog: Any, *, n_jobs: int, verbose: int) -> tuple[Songs, np.ndarray]:
    """Compute frames of the catalogue's files.

    Shapes: -> `usable` (n_usable,).
    """
    options: dict[str, Any] = {"n_jobs": n_jobs, "verbose": verbose}
    extractor = MFCCExtractor(on_error="warn", **options)
    mfcc = extractor.fit_transform(catalog.paths)
    usable = np.flatnonzero(mfcc.lengths)
    if len(usable) == 0:
        error = extractor.errors_[0]
        raise DemonstrationError(
            f"None of the {len(mfcc)} audio files can be used; the first is "
            f"{error.path}: {error.reason}."
        )
    mel = MelSpectrogram(
        n_mels=N_MELS, dtype="float16", on_error="ignore", **options
    ).fit_transform(catalog.paths)
    return Songs(mfcc, mel, catalog.plays), usable


def run(
    songs: Songs, groups: np.ndarray, *, n_codewords: int, seed: int, verbose: int
) -> Experiment:
    """Hold out a quarter of the groups and rank their songs by each system.

    Shapes: `groups` (n_items,).
    """
    if len(set(groups)) < 4 or len(groups) < 8:
        raise DemonstrationError(
            f"There are {len(groups)} played songs with usable audio in "
            f"{len(set(groups))} groups; at least 8 songs in 4 groups are needed to "
            "hold some out."
        )
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
    train, test = next(splitter.split(groups, groups=groups))
    known, new = songs[train], songs[test]
    if not new.plays.nnz or not known.plays.nnz:
        raise DemonstrationError("The songs held out, or the others, have no plays.")
    n_frames = int(known.mfcc.lengths.sum())
    available = [system for system in SYSTEMS if system.is_available]
    models: dict[str, Any] = {}
    sources: dict[str, ScoreSource] = {}
    with (
        tempfile.TemporaryDirectory() as cache,
        warnings.catch_warnings(),
        one_blas_thread(),  # the same table on any machine, busy or not
        one_torch_thread(),
        progress_bar(
            available, description="Systems", verbose=verbose, unit="system"
        ) as systems,
    ):
        # The perceptron trains for a fixed number of passes, by intention.
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
            sources[system.name] = score_source(model, getattr(new, system.reads))
        for model in models.values():
            if isinstance(model, Pipeline):
                model.set_params(memory=None)
    scores, n_scored = _evaluate(models, new)
    left_out = [system for system in SYSTEMS if not system.is_available]
    return Experiment(train, test, scores, n_scored, sources, models, left_out)


def refit(experiment: Experiment, songs: Songs) -> Any:
    """Fit the best system of an experiment on all songs with plays."""
    with warnings.catch_warnings(), one_blas_thread(), one_torch_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        X = getattr(songs, experiment.best.reads)
        return clone(experiment.best_model).fit(X, songs.plays)


def _evaluate(models: dict[str, Any], new: Songs) -> tuple[list[SystemScore], int]:
    scorer = make_recommendation_scorer(METRICS)
    rows = []
    n_scored = 0
    for system in SYSTEMS:
        if system.name not in models:
            continue
        X = getattr(new, system.reads)
        values = scorer.per_user(models[system.name], X, new.plays)
        by_metric = [np.asarray(values[key]) for key in ("map", "auc")]
        n_scored = int(np.count_nonzero(~np.isnan(by_metric[0])))
        (m, *m_interval), (a, *a_interval) = map(bootstrap_interval, by_metric)
        rows.append(
            SystemScore(system.name, m, tuple(m_interval), a, tuple(a_interval))
        )
    return rows, n_scored
