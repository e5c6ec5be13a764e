"""One grid search from the sound of real files to the score, and its best model moved.

    python benchmarks/real_music.py --audio FOLDER --out CATALOGUE
    python benchmarks/audio_grid.py --catalogue CATALOGUE [--jobs 2]

Codebook size, PCA variance and ridge strength are chosen in one GridSearchCV over
tracks, with every step of the pipeline cached by ``memory=``. A quarter of the tracks
is kept out of the search and only scored. The best model is then dumped, loaded by a
new process, and must predict the same bits there.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MFCCExtractor,
    OracleRecommender,
    RandomRecommender,
    VectorQuantizer,
    recommendation_scorer,
)
from skcoldstart.datasets import load_catalog

GRID = {
    "codes__n_codewords": [32, 128, 512],
    "pca__n_components": [0.8, 0.95],
    "recommend__regressor__alpha": [1e2, 1e3, 1e4],
}
RELOAD = """
import sys, joblib, numpy as np
model, paths = joblib.load(sys.argv[1])
np.save(sys.argv[2], model.predict(paths))
"""


def make_pipeline(memory):
    """Return the whole way from paths to scores."""
    return Pipeline(
        [
            ("frames", MFCCExtractor()),
            ("codes", VectorQuantizer(max_frames=60_000, random_state=0)),
            ("counts", BagOfWords()),
            ("scale", StandardScaler()),
            ("pca", PCA()),
            ("recommend", ColdStartRecommender(Ridge(), WMF(20, random_state=0))),
        ],
        memory=memory,
    )


def main():
    """Search, score once, and move the model to another process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    catalog = load_catalog(
        args.catalogue / "plays.tsv",
        args.catalogue / "audio",
        args.catalogue / "tracks.tsv",
    )
    X, y, tracks = np.array(catalog.paths), catalog.plays, catalog.groups
    split = GroupShuffleSplit(1, test_size=0.25, random_state=1)
    train, test = next(split.split(X, groups=tracks))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with warnings.catch_warnings():
            # joblib remarks on the time that it takes to write a cache entry.
            warnings.filterwarnings("ignore", message="Persisting input arguments")
            search = GridSearchCV(
                make_pipeline(str(Path(folder) / "cache")),
                GRID,
                scoring=recommendation_scorer,
                refit="map",
                cv=GroupKFold(4),
                n_jobs=args.jobs,
            ).fit(X[train], y[train], groups=tracks[train])
        n_fits = 4 * len(search.cv_results_["params"])
        print(
            f"{n_fits} fits in {time.perf_counter() - started:.0f} s on {len(train)} "
            f"clips; best: {search.best_params_}, inner mAP@500 "
            f"{search.best_score_:.3f}"
        )
        rows = {
            "random": RandomRecommender(random_state=0).fit(X[train], y[train]),
            "best of the search": search,
            "upper bound": OracleRecommender(WMF(20, random_state=0)).fit(y[train]),
        }
        for name, model in rows.items():
            content = y[test] if name == "upper bound" else X[test]
            scores = recommendation_scorer(model, content, y[test])
            print(f"{name:<20} mAP@500 {scores['map']:.3f}  AUC {scores['auc']:.3f}")

        best = search.best_estimator_.set_params(memory=None)
        dumped, moved = Path(folder) / "model.joblib", Path(folder) / "scores.npy"
        joblib.dump((best, X[test]), dumped)
        subprocess.run(
            [sys.executable, "-c", RELOAD, str(dumped), str(moved)], check=True
        )
        same = np.array_equal(np.load(moved), best.predict(X[test]))
        print(f"predictions of the loaded model in a new process are equal: {same}")


if __name__ == "__main__":
    main()
