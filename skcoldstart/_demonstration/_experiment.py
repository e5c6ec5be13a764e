"""Train the paper's systems on some artists and rank songs of other artists."""

import tempfile
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline

from skcoldstart._demonstration._scores import SystemScore, cutoff, score_models
from skcoldstart._demonstration._systems import SYSTEMS, Setting, Songs, System
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio import AudioUnion, MelSpectrogram, MFCCExtractor
from skcoldstart.factorization import WMF
from skcoldstart.neural import one_torch_thread

N_MELS = 64
TEST_SHARE = 0.25


class DemonstrationError(ValueError):
    """The demonstration cannot use the given files; the message has the reason."""


@dataclass(frozen=True)
class Experiment:
    """Results, and the fitted systems."""

    train: np.ndarray
    test: np.ndarray
    scores: list[SystemScore]
    n_users_scored: int
    k: int
    models: dict[str, Any]
    left_out: list[System]

    @property
    def best(self) -> System:
        """The system with the highest mAP among those that use sound."""
        rows = {row.name: row.map for row in self.scores}
        able = [s for s in SYSTEMS if s.recommends and s.name in rows]
        return max(able, key=lambda system: rows[system.name])

    @property
    def best_model(self) -> Any:
        """The best system, fitted."""
        return self.models[self.best.name]


def extract(
    catalog: Any, *, reader: Any, n_jobs: int, verbose: int
) -> tuple[Songs, np.ndarray]:
    """Compute frames of the catalogue's files.

    Shapes: -> `usable` (n_usable,).
    """
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
    if len(set(groups)) < 4 or len(groups) < 8:
        raise DemonstrationError(
            f"There are {len(groups)} played songs with usable audio in "
            f"{len(set(groups))} groups; at least 8 songs in 4 groups are required "
            f"for held-out songs."
        )
    splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
    train, test = next(splitter.split(groups, groups=groups))
    known, new = songs[train], songs[test]
    if not new.plays.nnz or not known.plays.nnz:
        raise DemonstrationError(
            "The held-out songs, or the training songs, have no plays."
        )
    n_frames = int(known.mfcc.lengths.sum())
    available = [system for system in SYSTEMS if system.is_available]
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
        for system in SYSTEMS
        if system.name in models
    }
    scores, n_scored = score_models(views, new.plays, k)
    left_out = [system for system in SYSTEMS if not system.is_available]
    return Experiment(train, test, scores, n_scored, k, models, left_out)


def refit(experiment: Experiment, songs: Songs) -> Any:
    """Fit the best system of an experiment on all songs with plays."""
    with warnings.catch_warnings(), one_blas_thread(), one_torch_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)
        X = getattr(songs, experiment.best.reads)
        return clone(experiment.best_model).fit(X, songs.plays)
