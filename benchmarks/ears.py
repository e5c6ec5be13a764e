"""What listening is worth where there is little sound: real recordings, few clips.

    python benchmarks/ears.py --audio FOLDER --weights musicnn-0.1.0-py3-none-any.whl

Recordings are cut into clips of 29 s; listeners are synthetic (see real_music.py).
Tracks are held out, each seed draws other listeners and other tracks. Two tables:

- Held-out tracks ranked for every listener: mAP@500 and AUC of each system.
- The nearest clip of *another* track, by cosine: how often it has the same composer or
  class. No listener is in this table.
"""

import argparse
import re
import tempfile
import time
import warnings
from pathlib import Path

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
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    RandomRecommender,
    VectorQuantizer,
    make_recommendation_scorer,
)
from skcoldstart.audio import MusicNNArchitecture

SYSTEMS = (
    "random",
    "pooled MFCC + ridge",
    "bag of words + ridge",
    "network from scratch",
    "musicnn + ridge",
    "musicnn, last layer learnt",
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
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--weights", required=True, help="the wheel of musicnn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS)
    parser.add_argument("--epochs", type=int, default=60, help="of the networks")
    return parser.parse_args()


def representations(paths, weights, wanted):
    """Return a row, or frames, for each clip, and print the seconds that each took."""
    makers = {
        "pooled MFCC": make_pipeline(
            MFCCExtractor(), FramePooling(("mean", "std", "quantiles"), delta=True)
        ),
        "bag of words": make_pipeline(
            MFCCExtractor(),
            VectorQuantizer(256, random_state=0),
            BagOfWords(weighting="sqrt"),
        ),
        "mel": MelSpectrogram(dtype="float16"),
        "musicnn": AudioEmbedding(weights=weights),
        "musicnn mel": MelSpectrogram(sr=16000, n_fft=512, hop_length=256, n_mels=96),
    }
    rows = {}
    for name in wanted:
        maker = makers[name]
        start = time.perf_counter()
        rows[name] = maker.fit_transform(paths)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    return rows


def regressor(system, weights, seed, epochs):
    """Return the representation that a system reads, and its regressor."""
    ridge = RidgeCV(np.logspace(0, 4, 9))
    network = {"max_epochs": epochs, "random_state": seed, "device": "auto"}
    if system == "pooled MFCC + ridge":
        return "pooled MFCC", make_pipeline(StandardScaler(), ridge)
    if system == "bag of words + ridge":
        return "bag of words", make_pipeline(StandardScaler(), PCA(0.95), ridge)
    if system == "network from scratch":
        small = {"n_filters": (64, 64, 128), "hidden": (256,)}
        return "mel", CNNFactorRegressor(**small, **network)
    if system == "musicnn, last layer learnt":
        return "musicnn mel", CNNFactorRegressor(
            architecture=MusicNNArchitecture(weights=weights),
            window=187,
            standardize=False,
            lr=3e-3,
            **network,
        )
    return "musicnn", make_pipeline(StandardScaler(), Normalizer(), ridge)


def build(system, weights, seed, epochs=0):
    """Return the representation that a system reads, and the recommender."""
    if system == "random":
        return "musicnn", RandomRecommender(random_state=seed)
    factors = WMF(10, reg=10.0, random_state=seed)
    if system == "ContrastiveEncoder on musicnn + ridge":
        from skcoldstart import ContrastiveEncoder

        encoder = ContrastiveEncoder(64, random_state=seed)
        recommender = ColdStartRecommender(Ridge(1.0), factors)
        return "musicnn", make_pipeline(StandardScaler(), encoder, recommender)
    name, content = regressor(system, weights, seed, epochs)
    return name, ColdStartRecommender(content, factors)


def class_of(track):
    """Return the composer or class of a recording, None where it is alone."""
    for pattern, label in CLASSES.items():
        if re.match(pattern, track):
            return label
    return None


def nearest_of_another_track(rows, tracks):
    """Return how often the nearest clip of another track is of the same class."""
    labels = np.array([class_of(track) or "" for track in tracks])
    cosines = normalize(StandardScaler().fit_transform(rows))
    cosines = cosines @ cosines.T
    cosines[tracks[:, None] == tracks] = -np.inf
    nearest = cosines.argmax(axis=1)
    n_tracks = {label: len(set(tracks[labels == label])) for label in set(labels)}
    counted = np.array([bool(label) and n_tracks[label] > 1 for label in labels])
    return float(np.mean(labels[nearest][counted] == labels[counted]))


def main():
    """Print both tables."""
    args = parse_arguments()
    warnings.simplefilter("ignore", UserWarning)
    with tempfile.TemporaryDirectory() as folder:
        names, tracks, heard = cut(args.audio, Path(folder))
        paths = [str(Path(folder) / name) for name in names]
        wanted = dict.fromkeys(build(s, args.weights, 0)[0] for s in args.systems)
        rows = representations(paths, args.weights, wanted)
    print(f"{len(names)} clips of {len(set(tracks))} tracks")
    scorer = make_recommendation_scorer(("map@500", "auc"))
    print("\n| system | mAP@500, AUC, one seed a column |\n|---|---|")
    for system in args.systems:
        cells = []
        for seed in args.seeds:
            plays = synthetic_plays(tracks, heard, np.random.default_rng(seed))
            split = GroupShuffleSplit(1, test_size=0.3, random_state=seed)
            train, test = next(split.split(tracks, groups=tracks))
            name, model = build(system, args.weights, seed, args.epochs)
            content = rows[name]
            model.fit(content[train], plays[train])
            scores = scorer(model, content[test], plays[test])
            cells.append(f"{scores['map']:.3f} {scores['auc']:.3f}")
        print(f"| {system} | {' · '.join(cells)} |", flush=True)
    print("\n| representation | nearest clip of another track is of its class |")
    print("|---|---|")
    for name in sorted(rows.keys() - {"mel", "musicnn mel"}):
        print(f"| {name} | {nearest_of_another_track(rows[name], tracks):.3f} |")


if __name__ == "__main__":
    main()
