"""What listening is worth where there is little sound: real and synthetic music.

    python benchmarks/ears.py --audio FOLDER --weights musicnn-0.1.0-py3-none-any.whl
    python benchmarks/ears.py --weights musicnn-0.1.0-py3-none-any.whl   # synthetic

With --audio, recordings are cut into clips of 29 s, and listeners are synthetic (see
real_music.py); each seed draws other listeners and holds out other recordings. Without
it, each seed makes another catalogue of `make_music_catalog` and holds out artists.
Every system has the settings below everywhere; none was chosen on these results.
Two tables:

- Held-out items ranked for every listener: mAP@500 and AUC of each system.
- The nearest clip of *another* recording (artist), by cosine: how often it has the same
  composer or class (genre). No listener is in this table.
"""

import argparse
import re
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from real_music import cut, synthetic_plays
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler, normalize

from skcoldstart import (
    WMF,
    AudioEmbedding,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContrastiveEncoder,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    RandomRecommender,
    VectorQuantizer,
    make_recommendation_scorer,
)
from skcoldstart.audio import MusicNNArchitecture
from skcoldstart.datasets import make_music_catalog

SYSTEMS = (
    "random",
    "pooled MFCC + ridge",
    "bag of words + ridge",
    "network from scratch",
    "musicnn + ridge",
    "musicnn, last layers learnt",
    "ContrastiveEncoder on musicnn + ridge",
)
# Composers of the recordings, by the beginning of their names; animals and other
# recordings with a composer of their own have no partner to be found.
CLASSES = {
    r"hr3-": "Parrotte",
    r"hr-savino-": "Savino",
    r"hr-domina-": "Domina",
    r"mus\d": "Ritter",
    r"\d+-\d+-\d+": "read speech",
    r"Kevin_MacLeod": "MacLeod",
}


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--audio", type=Path, help="recordings; synthetic songs else")
    parser.add_argument("--songs", type=int, default=96, help="synthetic ones")
    parser.add_argument("--weights", required=True, help="the wheel of musicnn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    return parser.parse_args()


def makers(weights):
    """Return what turns paths into each representation: rows, or frames."""
    return {
        "pooled MFCC": make_pipeline(
            MFCCExtractor(), FramePooling(("mean", "std", "quantiles"), delta=True)
        ),
        "bag of words": make_pipeline(
            MFCCExtractor(),
            VectorQuantizer(256, random_state=0),
            BagOfWords(weighting="sqrt"),
        ),
        "mel": MelSpectrogram(n_mels=64, dtype="float16"),
        "musicnn": AudioEmbedding(weights=weights),
        "musicnn windows": AudioEmbedding(weights=weights, layer="pool", pooling=None),
    }


@dataclass
class Sound:
    """Clips, with the groups to hold out, and the class of each where it has one."""

    paths: list[str]
    groups: np.ndarray
    classes: np.ndarray
    rows: dict[str, Any] = field(default_factory=dict)

    def represent(self, wanted, weights):
        """Compute representations, and print the seconds that each took."""
        for name in wanted:
            if name not in self.rows:
                start = time.perf_counter()
                self.rows[name] = makers(weights)[name].fit_transform(self.paths)
                print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


def worlds(args, folder):
    """Yield the sound and the plays of each seed; recordings are the same for all."""
    if args.audio is None:
        for seed in args.seeds:
            catalog = make_music_catalog(
                folder / str(seed),
                n_songs=args.songs,
                n_artists=args.songs // 4,
                random_state=seed,
            )
            yield Sound(catalog.paths, catalog.artists, catalog.genres), catalog.plays
        return
    names, tracks, heard = cut(args.audio, folder)
    classes = np.array([class_of(track) for track in tracks])
    sound = Sound([str(folder / name) for name in names], tracks, classes)
    for seed in args.seeds:
        yield sound, synthetic_plays(tracks, heard, np.random.default_rng(seed))


def class_of(track):
    """Return the composer or class of a recording, nothing where it is alone."""
    found = [name for pattern, name in CLASSES.items() if re.match(pattern, track)]
    return found[0] if found else ""


def build(system, weights, seed):
    """Return the representation that a system reads, and the recommender."""
    if system == "random":
        return "bag of words", RandomRecommender(random_state=seed)
    factors = WMF(10, reg=10.0, random_state=seed)
    if system == "ContrastiveEncoder on musicnn + ridge":
        encoder = ContrastiveEncoder(64, random_state=seed)
        recommender = ColdStartRecommender(Ridge(1.0), factors)
        return "musicnn", make_pipeline(Normalizer(), encoder, recommender)
    name, content = regressor(system, weights, seed)
    return name, ColdStartRecommender(content, factors)


def regressor(system, weights, seed):
    """Return the representation that a system reads, and what learns factors."""
    ridge = RidgeCV(np.logspace(0, 4, 9))
    network = {"lr_schedule": "cosine", "patience": None, "random_state": seed}
    if system == "pooled MFCC + ridge":
        return "pooled MFCC", make_pipeline(StandardScaler(), ridge)
    if system == "bag of words + ridge":
        return "bag of words", make_pipeline(StandardScaler(), PCA(0.95), ridge)
    if system == "network from scratch":
        return "mel", CNNFactorRegressor(
            n_filters=(64, 64, 128, 128),
            hidden=(256,),
            max_epochs=120,
            batch_size=32,
            lr=1e-3,
            **network,
        )
    if system == "musicnn, last layers learnt":
        return "musicnn windows", CNNFactorRegressor(
            architecture=MusicNNArchitecture(weights=weights, frozen="convolutions"),
            window=1,
            standardize=False,
            max_epochs=120,
            batch_size=32,
            **network,
        )
    return "musicnn", make_pipeline(StandardScaler(), Normalizer(), ridge)


def nearest_of_another_group(rows, groups, classes):
    """Return how often the nearest clip of another group is of the same class."""
    cosines = normalize(StandardScaler().fit_transform(rows))
    cosines = cosines @ cosines.T
    cosines[groups[:, None] == groups] = -np.inf
    nearest = cosines.argmax(axis=1)
    n_groups = {label: len(set(groups[classes == label])) for label in set(classes)}
    counted = np.array([bool(label) and n_groups[label] > 1 for label in classes])
    return float(np.mean(classes[nearest][counted] == classes[counted]))


def main():
    """Print both tables."""
    args = parse_arguments()
    warnings.simplefilter("ignore", UserWarning)
    scorer = make_recommendation_scorer(("map@500", "auc"))
    wanted = dict.fromkeys(build(s, args.weights, 0)[0] for s in args.systems)
    cells = {system: [] for system in args.systems}
    nearest = {name: [] for name in wanted if name not in ("mel", "musicnn windows")}
    with tempfile.TemporaryDirectory() as folder:
        world = worlds(args, Path(folder))
        for seed, (sound, plays) in zip(args.seeds, world, strict=True):
            sound.represent(wanted, args.weights)
            n_groups = len(set(sound.groups))
            print(f"seed {seed}: {len(sound.paths)} clips, {n_groups} groups")
            split = GroupShuffleSplit(1, test_size=0.3, random_state=seed)
            train, test = next(split.split(sound.groups, groups=sound.groups))
            for system, row in cells.items():
                start = time.perf_counter()
                name, model = build(system, args.weights, seed)
                content = sound.rows[name]
                model.fit(content[train], plays[train])
                scores = scorer(model, content[test], plays[test])
                row.append((scores["map"], scores["auc"]))
                took = time.perf_counter() - start
                print(f"{system}: {row[-1]}, {took:.1f} s", flush=True)
            for name, shares in nearest.items():
                share = nearest_of_another_group(
                    sound.rows[name], sound.groups, sound.classes
                )
                shares.append(share)
    print("\n| system | mean | mAP@500, AUC, one seed a column |\n|---|---|---|")
    for system, row in cells.items():
        mean, *each = (f"{x:.3f} {y:.3f}" for x, y in [np.mean(row, axis=0), *row])
        print(f"| {system} | {mean} | {' · '.join(each)} |")
    print("\n| representation | nearest clip of another group is of its class |")
    print("|---|---|")
    for name, shares in nearest.items():
        print(f"| {name} | {np.mean(shares):.3f} |")


if __name__ == "__main__":
    main()
