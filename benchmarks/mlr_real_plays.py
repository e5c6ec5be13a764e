"""A learnt metric, linear regression and plain cosine on real plays, by artist.

    python benchmarks/mlr_real_plays.py --data FOLDER [--content terms frames]

FOLDER is that of `real_plays.py`; ``frames`` also needs ``msd/segments_timbre.npz``.
Content is either the terms of a song's artist, as the leading components of tf-idf, or
for the songs that have them a bag of words of timbre frames, as principal components.

Outer folds hold out artists and only measure. Inside each, GridSearchCV over folds of
the training artists chooses the settings of every system by mAP@500: strength and
similarity of the metric, strength of the regression and of the factorizer it predicts.
The cosine has nothing to choose. In learning a metric, songs of one artist are not
relevant to each other: their terms are the same whatever the metric.
"""

import argparse
import platform
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import sklearn
from real_plays import load, term_features
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import skcoldstart
from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    ContentProfileRecommender,
    MLRSimilarity,
    RandomRecommender,
    VectorQuantizer,
    recommendation_scorer,
)
from skcoldstart.datasets import load_msd_segments, load_msd_songs, load_taste_profile

# Groups of the search go to its folds and to the metric.
sklearn.set_config(enable_metadata_routing=True)
SYSTEMS = {
    "content cosine": (ContentProfileRecommender(), {}),
    "linear regression": (
        ColdStartRecommender(Ridge(), WMF(30, random_state=0)),
        {
            "model__regressor__alpha": [1.0, 10.0, 100.0, 1000.0],
            "model__factorizer__reg": [10.0, 100.0, 1000.0],
        },
    ),
    "metric (MLR)": (
        MLRSimilarity(max_iter=100, tol=1e-3, random_state=0).set_fit_request(
            groups=True, relevance=False
        ),
        {
            "model__C": [3.0, 10.0, 30.0, 100.0, 1000.0],
            "model__metric": ["cosine", "neg_sqeuclidean"],
        },
    ),
}


def terms_of(folder):
    """Return terms of each song as tf-idf components, its plays and its artist."""
    terms, y, artists = load(folder)
    steps = [term_features(), TruncatedSVD(50, random_state=0)]
    return np.array(terms, dtype=object), y, artists, steps


def frames_of(folder):
    """Return timbre frames of the songs that have them, their plays and artists."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # most songs have no frames
        plays = load_taste_profile(folder / "tasteprofile" / "train_triplets.txt")
        segments = load_msd_segments(
            folder / "msd" / "segments_timbre.npz", songs=plays.item_ids
        )
        songs = load_msd_songs(folder / "msd" / "songs.tsv", songs=segments.item_ids)
    rows = np.searchsorted(plays.item_ids, segments.item_ids)
    y = plays.plays[rows]
    y = y[:, np.flatnonzero(np.asarray((y > 0).sum(axis=0)).ravel())]
    steps = [
        VectorQuantizer(128, max_frames=20_000, random_state=0),
        BagOfWords(128, weighting="sqrt"),
        StandardScaler(),
        PCA(0.95),
    ]
    return segments.frames, y, songs.artist_ids, steps


CONTENTS = {"terms": terms_of, "frames": frames_of}


def measure(name, folder, n_folds, n_jobs):
    """Measure every system on the same outer folds and print the table."""
    X, y, artists, steps = CONTENTS[name](folder)
    print(
        f"\n{name}: {y.shape[0]} songs x {y.shape[1]} users, {y.nnz} counts, "
        f"{len(set(artists))} artists"
    )
    results = {}

    def record(system, model, X_test, y_test):
        scores = recommendation_scorer(model, X_test, y_test)
        results.setdefault(system, []).append((scores["map"], scores["auc"]))

    with TemporaryDirectory() as cache:
        for fold, (train, test) in enumerate(
            GroupKFold(n_folds).split(X, groups=artists)
        ):
            for seed in range(5):
                chance = RandomRecommender(random_state=seed).fit(y[train], y[train])
                record("random (5 seeds)", chance, y[test], y[test])
            for system, (model, grid) in SYSTEMS.items():
                named = [(f"step{i}", step) for i, step in enumerate(steps)]
                search = GridSearchCV(
                    Pipeline([*named, ("model", model)], memory=cache),
                    grid,
                    scoring=recommendation_scorer,
                    refit="map",
                    cv=GroupKFold(4),
                    n_jobs=n_jobs,
                )
                search.fit(X[train], y[train], groups=artists[train])
                record(system, search, X[test], y[test])
                settings = ", ".join(
                    f"{key.split('__')[-1]}={value}"
                    for key, value in search.best_params_.items()
                )
                print(f"fold {fold}, {system}: {settings or '-'}", flush=True)
    print(f"\n{'system':<22}{'mAP@500':>18}{'AUC':>18}")
    for system, values in results.items():
        (m, a), (sm, sa) = np.mean(values, axis=0), np.std(values, axis=0)
        print(f"{system:<22}{m:>10.4f} ± {sm:.4f}{a:>10.4f} ± {sa:.4f}")


def main():
    """Measure on each kind of content."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--content", nargs="+", choices=CONTENTS, default=list(CONTENTS)
    )
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}, {args.jobs} processes; "
        f"{args.folds} outer folds by artist"
    )
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of L-BFGS, stopped by its budget
        for name in args.content:
            measure(name, args.data, args.folds, args.jobs)
    elapsed = time.perf_counter() - started
    print(f"\nspread: standard deviation over folds; {elapsed:.0f} s in all")


if __name__ == "__main__":
    main()
