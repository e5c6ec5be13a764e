"""Artist-held-out recommendation on real play counts, tuned on training folds only.

    python benchmarks/real_plays.py --data FOLDER [--folds 5] [--jobs 2]

FOLDER holds the Echo Nest Taste Profile and Million Song Dataset tables:
``tasteprofile/train_triplets.txt`` (user, song, plays; tab-separated, no header),
``msd/songs.tsv`` (song_id, artist_id, ...) and ``msd/artist_terms.tsv`` (artist_id,
term). Content of a song is its artist's terms, so songs are held out by artist: no
artist is in both halves of any split.

Outer folds only measure. Inside each, one GridSearchCV over GroupKFold folds of the
training artists chooses the rank and regularisation of the factorizer together with
the strength of the regressor, by mAP@500. Chance, content cosine and the upper bound
are measured on the same outer folds; the upper bound uses the factorizer chosen there.
"""

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
    recommendation_scorer,
)
from skcoldstart.datasets import (
    load_artist_terms,
    load_msd_songs,
    load_taste_profile,
)

GRID = {
    "coldstartrecommender__factorizer__n_components": [10, 30, 100],
    "coldstartrecommender__factorizer__reg": [10.0, 100.0, 1000.0],
    "coldstartrecommender__regressor__alpha": [10.0, 100.0, 1000.0],
}


def load(folder):
    """Return the terms of each song, its plays, and its artist."""
    taste = load_taste_profile(folder / "tasteprofile" / "train_triplets.txt")
    songs = load_msd_songs(folder / "msd" / "songs.tsv", songs=taste.item_ids)
    known = load_artist_terms(
        folder / "msd" / "artist_terms.tsv", artists=songs.artist_ids
    )
    of_song = np.split(known.terms[known.X.indices], known.X.indptr[1:-1])
    terms = ["|".join(sorted(words)) for words in of_song]
    return terms, taste.plays, songs.artist_ids


def term_features():
    """Weigh the terms that more than a few songs carry."""
    return TfidfVectorizer(
        tokenizer=split_terms, token_pattern=None, lowercase=False, min_df=3
    )


def split_terms(text):
    """Split the terms of an artist."""
    return text.split("|")


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main():
    """Measure every system on the same outer folds and print the table."""
    args = parse_arguments()
    X, y, artists = load(args.data)
    X = np.array(X, dtype=object)
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}, {args.jobs} processes"
    )
    print(
        f"{y.shape[0]} songs x {y.shape[1]} users, {y.nnz} counts, "
        f"{len(set(artists))} artists; {args.folds} outer folds by artist"
    )
    results = {}

    def record(system, model, X_test, y_test):
        scores = recommendation_scorer(model, X_test, y_test)
        results.setdefault(system, []).append((scores["map"], scores["auc"]))

    started = time.perf_counter()
    for fold, (train, test) in enumerate(
        GroupKFold(args.folds).split(X, groups=artists)
    ):
        search = GridSearchCV(
            make_pipeline(
                term_features(), ColdStartRecommender(Ridge(), WMF(random_state=0))
            ),
            GRID,
            scoring=recommendation_scorer,
            refit="map",
            cv=GroupKFold(4),
            n_jobs=args.jobs,
        ).fit(X[train], y[train], groups=artists[train])
        chosen = search.best_estimator_[-1].factorizer
        print(
            f"fold {fold}: "
            + ", ".join(
                f"{name.split('__')[-1]}={value}"
                for name, value in search.best_params_.items()
            )
            + f" (inner mAP@500 {search.best_score_:.4f})",
            flush=True,
        )
        record("WMF + ridge, tuned", search, X[test], y[test])
        cosine = make_pipeline(term_features(), ContentProfileRecommender())
        record("content cosine", cosine.fit(X[train], y[train]), X[test], y[test])
        oracle = OracleRecommender(chosen).fit(y[train])
        record("upper bound", oracle, y[test], y[test])
        for seed in range(5):
            chance = RandomRecommender(random_state=seed).fit(X[train], y[train])
            record("random (5 seeds)", chance, X[test], y[test])

    print(f"\n{'system':<22}{'mAP@500':>18}{'AUC':>18}")
    for system in (
        "random (5 seeds)",
        "content cosine",
        "WMF + ridge, tuned",
        "upper bound",
    ):
        scores = np.array(results[system])
        (m, a), (sm, sa) = scores.mean(axis=0), scores.std(axis=0)
        print(f"{system:<22}{m:>10.4f} ± {sm:.4f}{a:>10.4f} ± {sa:.4f}")
    elapsed = time.perf_counter() - started
    print(f"\nspread: standard deviation over folds; {elapsed:.0f} s in all")


if __name__ == "__main__":
    main()
