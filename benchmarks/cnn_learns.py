"""What the convolutional network hears that a bag of words does not.

    python benchmarks/cnn_learns.py [--seeds 0 1 2] [--objectives mse …] [--out FOLDER]
    python benchmarks/cnn_learns.py --catalogue CATALOGUE   # of real_music.py

Synthetic songs: half of the genres differ from their twins only in the order of notes,
which frames taken one by one do not tell. A quarter of the artists is held out, and
their songs are ranked for every listener by the bag-of-words models and by the network
with each of its objectives, all on the same factors. "twins" is the share of held-out
songs whose predicted usage pattern is nearer to the mean prediction of the training
songs of their own genre than to that of its twin; chance is 0.5. Differences are taken
user by user and, for twins, artist by artist; intervals are of 95 %, by bootstrap over
users (artists) of all seeds.

With --catalogue, the same table on real sound with synthetic listeners, recordings held
out. Learning curves go to FOLDER/learning_curves.png.
"""

import argparse
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcoldstart
from skcoldstart import (
    WMF,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    MelSpectrogram,
    MFCCExtractor,
    OracleRecommender,
    RandomRecommender,
    VectorQuantizer,
    make_recommendation_scorer,
)
from skcoldstart._scores.top_n import usage_coordinates
from skcoldstart.datasets import load_catalog, make_music_catalog
from skcoldstart.metrics import bootstrap_interval, compare_paired

OBJECTIVES = ("mse", "wpe", "gram", "ranking", "softmax")
WINDOWS = 14_400  # that every network learns from
REFERENCE = "bag of words, ridge"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--catalogue", type=Path)
    parser.add_argument("--objectives", nargs="+", default=OBJECTIVES)
    parser.add_argument("--out", type=Path, default=Path("."))
    return parser.parse_args()


def invent(seed):
    """Return frames for words, frames for the network, plays, artists and genres."""
    catalog = make_music_catalog(
        None, n_songs=480, n_artists=96, n_users=600, random_state=seed, n_jobs=2
    )
    sound = catalog.waveforms
    return *extract(sound), catalog.plays, catalog.artists, catalog.genres


def load(folder):
    """Return the same of a folder of real sound; nobody knows its genres."""
    catalog = load_catalog(
        folder / "plays.tsv", folder / "audio", folder / "tracks.tsv"
    )
    played = np.flatnonzero(np.diff(catalog.plays.indptr))
    paths = [catalog.paths[i] for i in played]
    groups = np.asarray(catalog.groups)[played]
    return *extract(paths), catalog.plays[played], groups, None


def extract(sound):
    mel = MelSpectrogram(n_mels=64, dtype="float16", n_jobs=2).fit_transform(sound)
    return MFCCExtractor(n_jobs=2).fit_transform(sound), mel


def systems(n_train, seed, objectives):
    """Yield name, estimator and what it reads."""
    wmf = WMF(min(30, n_train), random_state=seed)
    yield "random", RandomRecommender(random_state=seed), "mfcc"
    perceptron = MLPRegressor(
        hidden_layer_sizes=(1000,), alpha=10.0, max_iter=60, random_state=seed
    )
    for name, regressor in (("ridge", Ridge(100.0)), ("perceptron", perceptron)):
        yield (
            f"bag of words, {name}",
            make_pipeline(
                VectorQuantizer(200, max_frames=60_000, random_state=seed),
                BagOfWords(),
                StandardScaler(),
                PCA(0.95),
                ColdStartRecommender(regressor, wmf),
            ),
            "mfcc",
        )
    for objective in objectives:
        network = CNNFactorRegressor(
            objective=objective,
            n_filters=(64, 64, 128, 128),
            hidden=(256,),
            max_epochs=WINDOWS // n_train,
            patience=None,
            batch_size=32,
            lr=1e-3,
            lr_schedule="cosine",
            device="cpu",
            random_state=seed,
        )
        yield f"network, {objective}", ColdStartRecommender(network, wmf), "mel"
    yield "upper bound", OracleRecommender(wmf), "plays"


def twin_hits(model, X, train, test, genres):
    """Return for each held-out song whether it is nearer its own genre than its twin.

    Genres are called "rising x" and "falling x".
    """
    head = model[-1] if hasattr(model, "steps") else model
    inputs = model[:-1].transform(X) if hasattr(model, "steps") else X
    patterns = usage_coordinates(
        head.predict_factors(inputs), np.asarray(head.user_factors_)
    )
    centre = {g: patterns[train][genres[train] == g].mean(axis=0) for g in set(genres)}
    hits = []
    for pattern, genre in zip(patterns[test], genres[test], strict=True):
        way, what = genre.split(" ", 1)
        twin = f"{'falling' if way == 'rising' else 'rising'} {what}"
        to_own, to_twin = (np.linalg.norm(pattern - centre[g]) for g in (genre, twin))
        hits.append(float(to_own < to_twin))
    return np.array(hits)


def measure(world, seed, objectives, results, curves):
    mfcc, mel, plays, groups, genres = world
    frames = {"mfcc": mfcc, "mel": mel, "plays": plays}
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    train, test = next(splitter.split(groups, groups=groups))
    scorer = make_recommendation_scorer(("map@500", "auc"))
    for name, system, reads in systems(len(train), seed, objectives):
        X = frames[reads]
        started = time.perf_counter()
        params = {}
        if name.startswith("network"):
            params["groups"] = groups[train]
        system.fit(X[train], plays[train], **params)
        seconds = time.perf_counter() - started
        row = results.setdefault(name, {"map": [], "auc": [], "twins": [], "s": []})
        values = scorer.per_user(system, X[test], plays[test])
        row["map"].append(np.asarray(values["map"]))
        row["auc"].append(np.asarray(values["auc"]))
        row["s"].append(seconds)
        if genres is not None and reads in {"mfcc", "mel"} and name != "random":
            hits = twin_hits(system, X, train, test, genres)
            artists = np.unique(groups[test])
            row["twins"].append(
                np.array([hits[groups[test] == a].mean() for a in artists])
            )
        if name.startswith("network"):
            curves.setdefault(name, []).append(system.regressor_.history_)
        means = {k: float(np.nanmean(row[k][-1])) for k in ("map", "auc")}
        twins = f"  twins {row['twins'][-1].mean():.3f}" if row["twins"] else ""
        print(
            f"seed {seed}  {name:<26} mAP {means['map']:.4f}  AUC {means['auc']:.4f}"
            f"{twins}  {seconds:6.1f} s",
            flush=True,
        )


def summarize(results):
    reference = results[REFERENCE]
    print("\nmeans over seeds, and differences to the " + REFERENCE)
    for name, row in results.items():
        line = f"{name:<26}"
        for key in ("map", "auc", "twins"):
            if not row[key]:
                continue
            values = np.concatenate(row[key])
            line += f"  {key} {np.nanmean(values):.3f}"
            if name not in {"random", "upper bound", REFERENCE}:
                paired = compare_paired(values, np.concatenate(reference[key]))
                low, high = paired.low, paired.high
                line += f" ({paired.difference:+.3f} [{low:+.3f}, {high:+.3f}])"
            else:
                estimate = bootstrap_interval(values)
                line += f" [{estimate[1]:.3f}, {estimate[2]:.3f}]"
        print(line + f"  {np.mean(row['s']):.1f} s")


def draw(path, curves):
    figure = Figure(figsize=(11, 3), layout="constrained")
    for axes, (name, histories) in zip(
        figure.subplots(1, len(curves)), curves.items(), strict=True
    ):
        for i, history in enumerate(histories):
            epochs = np.arange(1, len(history) + 1)
            axes.plot(epochs, history[:, "train_loss"], f"C{i}", label=f"seed {i}")
            axes.plot(epochs, history[:, "valid_loss"], f"C{i}--")
        axes.set(title=name, xlabel="pass")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, title="dashed: held out", loc="outside right center")
    figure.savefig(path, dpi=100)


def main():
    args = parse_arguments()
    # The perceptron trains for a fixed number of passes, by intention.
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(
        f"skcoldstart {skcoldstart.__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, Python {platform.python_version()}"
    )
    results, curves = {}, {}
    world = load(args.catalogue) if args.catalogue else None
    for seed in args.seeds:
        measure(world or invent(seed), seed, args.objectives, results, curves)
    summarize(results)
    args.out.mkdir(parents=True, exist_ok=True)
    draw(args.out / "learning_curves.png", curves)


if __name__ == "__main__":
    main()
