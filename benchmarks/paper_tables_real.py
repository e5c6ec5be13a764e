"""The tables of the paper that real data allow, on data that you own.

    python benchmarks/paper_tables_real.py --data FOLDER [--tables 1 3 tags]
        [--seeds 0 1 2 3 4] [--out paper-tables-real]

FOLDER holds any of these, as their sources name them::

    tasteprofile/train_triplets.txt      user, song, plays
    tasteprofile/sid_mismatches.txt      songs whose plays may be another recording's
    msd/songs.tsv, msd/artist_terms.tsv  Million Song Dataset: songs, terms of artists
    msd/segments_timbre.npz              timbre of songs, as frames
    hetrec2011-lastfm-2k/*.zip           plays of artists

None of these sets pairs audio with listeners, so this is not the paper's experiment:
where one has audio the target is terms, and where it has plays the content is terms of
the artist. For sets that pair both, see ``open_audio.py``.
Songs on the list of mismatches are dropped, some of them popular. What has to be chosen
(regularization, strength of the logistic regression) is chosen inside the training
songs. Every finished part is kept under ``--out``, as in ``paper_tables.py``.
"""

import argparse
import platform
import warnings
from pathlib import Path

import numpy as np
import paper
import sklearn
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize
from threadpoolctl import threadpool_limits

import skcoldstart
from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
    VectorQuantizer,
    recommendation_scorer,
)
from skcoldstart.datasets import (
    load_artist_terms,
    load_hetrec,
    load_msd_segments,
    load_msd_songs,
    load_taste_profile,
)
from skcoldstart.inspection import FactorExtremesDisplay

N_FACTORS = 50
N_CODEWORDS = 500
N_CONTENT = 100  # singular vectors of artist terms
N_TAGS = 50
TEST_SHARE = 0.2
REGS = [1.0, 10.0, 100.0, 1000.0]
PERCEPTRON = {
    "hidden_layer_sizes": (1000,),
    "alpha": 10.0,
    "learning_rate_init": 3e-3,
    "max_iter": 60,
}
SYSTEMS = ("random", "content cosine", "linear regression", "MLP", "upper bound")
SETTINGS = {
    "n_factors": N_FACTORS,
    "n_codewords": N_CODEWORDS,
    "n_content": N_CONTENT,
    "regs": REGS,
    "logistic": paper.LOGISTIC_CS,
    "perceptron": PERCEPTRON,
}


class TasteProfile:
    """Play counts of songs, and the terms of their artists."""

    def __init__(self, folder):
        taste = load_taste_profile(
            folder / "tasteprofile" / "train_triplets.txt",
            mismatches=folder / "tasteprofile" / "sid_mismatches.txt",
        )
        songs = load_msd_songs(folder / "msd" / "songs.tsv", songs=taste.item_ids)
        terms = load_artist_terms(
            folder / "msd" / "artist_terms.tsv", artists=songs.artist_ids
        )
        self.plays = taste.plays
        self.artists, self.names = songs.artist_ids, songs.artist_names
        self.terms = terms.X
        print(
            f"{taste.DESCR} {len(set(self.artists))} artists, {terms.X.shape[1]} terms"
        )


def table_1(folder, record, seeds):
    """Print how alike the terms of the artists at the ends of factors are."""
    print("\nTable 1. Likeness of the five artists at an end of a factor")
    print("  mean cosine of their terms or tags, between artists drawn at random too")
    taste = TasteProfile(folder)
    lastfm = load_hetrec(next((folder / "hetrec2011-lastfm-2k").glob("*.zip")))
    print(lastfm.DESCR)
    for name, plays, names, terms in (
        ("Taste Profile", taste.plays, taste.names, taste.terms),
        ("HetRec", lastfm.plays, lastfm.artist_names, lastfm.X),
    ):
        runs = [
            record.get(
                ("extremes", name, str(seed)),
                likeness_of_ends,
                *(plays, names, terms, seed),
            )
            for seed in seeds
        ]
        for basis in ("factors", "usage", "random artists"):
            print(f"  {name:<15}{basis:<16}{paper.spread([r[basis] for r in runs])}")


def likeness_of_ends(plays, names, terms, seed):
    """Return the mean cosine of terms between the artists at one end of a factor."""
    wmf = WMF(N_FACTORS, random_state=seed).fit(plays)
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    rows = normalize(TfidfTransformer(sublinear_tf=True).fit_transform(terms))
    tagged = {name for name, row in first.items() if rows[[row]].nnz}

    def likeness(ends):
        found = []
        for end in ends:
            table = rows[[first[name] for name in end if name in tagged]].toarray()
            cosines = table @ table.T
            found.append(cosines[~np.eye(len(table), dtype=bool)].mean())
        return float(np.nanmean(found))

    figures = {}
    for basis in ("factors", "usage"):
        display = FactorExtremesDisplay.from_estimator(
            wmf, names=names, factors=10, basis=basis
        )
        figures[basis] = likeness([*display.highest, *display.lowest])
    rng = np.random.default_rng(seed)
    listeners = np.diff(plays.indptr)
    known = sorted({names[i] for i in np.flatnonzero(listeners >= 5)})
    figures["random artists"] = likeness(
        rng.choice(known, 5, replace=False) for _ in range(300)
    )
    return figures


def table_3(folder, record, seeds):
    """Print chance, content and the upper bound on real plays."""
    taste = TasteProfile(folder)
    for kind, what in paper.SPLITS.items():
        runs = [systems(taste, kind, seed, record) for seed in seeds]
        print(f"\nTables 2 and 3. Songs held out {what}")
        for name in SYSTEMS:
            cells = "".join(
                f"{paper.spread([run[name][metric] for run in runs]):>18}"
                for metric in paper.METRICS
            )
            print(f"  {name:<20}{cells}")
        users = [run["random"]["users"] for run in runs]
        print(f"  mAP@500, AUC; {min(users)} to {max(users)} users scored")
        paper.print_orders(
            [
                (f"{worse} < {better}", (worse, better), paper.METRICS)
                for worse, better in (
                    ("random", "linear regression"),
                    ("linear regression", "MLP"),
                    ("MLP", "upper bound"),
                    ("content cosine", "linear regression"),
                )
            ],
            runs,
        )


def systems(taste, kind, seed, record):
    """Measure the systems on one split."""
    train, test = paper.hold_out(kind, taste.artists, TEST_SHARE, seed)
    content = (
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(N_CONTENT, random_state=seed),
    )

    def choose_reg():
        """Let inner folds of the training songs choose the regularization."""
        model = make_pipeline(
            *content,
            ColdStartRecommender(LinearRegression(), WMF(N_FACTORS, random_state=seed)),
        )
        search = GridSearchCV(
            model,
            {"coldstartrecommender__factorizer__reg": REGS},
            scoring=recommendation_scorer,
            refit=False,
            cv=paper.folds_of(kind, taste.artists[train], 3, seed),
        ).fit(taste.terms[train], taste.plays[train])
        best = np.argmax(search.cv_results_["mean_test_map"])
        return {"reg": REGS[best]}

    def measure(name):
        if name == "upper bound":
            return paper.rank_held_out(
                OracleRecommender(wmf), taste.plays, taste.plays, train, test
            )
        last = {
            "random": RandomRecommender(random_state=seed),
            "content cosine": ContentProfileRecommender(),
            "linear regression": ColdStartRecommender(LinearRegression(), wmf),
            "MLP": ColdStartRecommender(
                make_pipeline(
                    StandardScaler(), MLPRegressor(random_state=seed, **PERCEPTRON)
                ),
                wmf,
            ),
        }[name]
        model = make_pipeline(*content, last)
        return paper.rank_held_out(model, taste.terms, taste.plays, train, test)

    part = ("plays", kind, str(seed))
    reg = record.get((*part, "reg"), choose_reg)["reg"]
    wmf = WMF(N_FACTORS, reg=reg, random_state=seed)
    return {name: record.get((*part, name), measure, name) for name in SYSTEMS}


def table_tags(folder, record, seeds):
    """Print how well timbre frames, and factors of plays, tell terms."""
    print("\nSection 5.1. Prediction of artist terms, 10 folds, mean AUC over terms")
    segments = load_msd_segments(folder / "msd" / "segments_timbre.npz")
    songs = load_msd_songs(folder / "msd" / "songs.tsv", songs=segments.item_ids)
    terms = load_artist_terms(
        folder / "msd" / "artist_terms.tsv", artists=songs.artist_ids
    )
    print(f"{segments.DESCR} {len(set(songs.artist_ids))} artists")
    taste = TasteProfile(folder)
    from_audio = segments.frames, terms.X, songs.artist_ids
    from_plays = taste.plays, taste.terms, taste.artists
    jobs = {
        "chance, terms shuffled": (summary_of_frames, *from_audio),
        "mean and deviation of frames": (summary_of_frames, *from_audio),
        "bag of words, counts": (bag_of_words("count"), *from_audio),
        "bag of words, roots": (bag_of_words("sqrt"), *from_audio),
        "factors, Taste Profile songs": (factors_of_plays, *from_plays),
    }
    print(f"  paper: audio {paper.TAGS['audio']}, factors {paper.TAGS['WMF factors']}")
    for kind, what in paper.SPLITS.items():
        print(f"  songs held out {what}; spread over {len(seeds)} seeds")
        for name, job in jobs.items():
            runs = [
                record.get(
                    ("tags", kind, str(seed), name),
                    tags_from,
                    *(name, *job, kind, seed),
                )
                for seed in seeds
            ]
            print(f"    {name:<36}{paper.spread([run['AUC'] for run in runs])}")


def tags_from(name, steps, content, table, artists, kind, seed):
    """Return the mean AUC of the most used terms, predicted from a content."""
    tags = (table[:, paper.most_used(table, N_TAGS)] > 0).toarray()
    if name.startswith("chance"):
        tags = tags[np.random.default_rng(seed).permutation(len(tags))]
    aucs = paper.tag_auc(steps(seed), content, tags, artists, kind, seed)
    return {"AUC": float(aucs.mean()), "terms": len(aucs)}


def summary_of_frames(seed):
    """Return the steps from frames to their moments."""
    return FunctionTransformer(moments), StandardScaler()


def moments(frames):
    """Return mean and standard deviation of the frames of each song."""
    return np.array([np.hstack([f.mean(axis=0), f.std(axis=0)]) for f in frames])


def bag_of_words(weighting):
    """Return what makes the steps from frames to the paper's content features."""

    def steps(seed):
        return (
            VectorQuantizer(N_CODEWORDS, max_frames=50_000, random_state=seed),
            BagOfWords(N_CODEWORDS, weighting=weighting),
            StandardScaler(),
            PCA(0.95),
        )

    return steps


def factors_of_plays(seed):
    """Return the steps from plays to factors, held-out songs folded in."""
    return WMF(N_FACTORS, random_state=seed), StandardScaler()


TABLES = {"1": table_1, "3": table_3, "tags": table_tags}


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--out", type=Path, default=Path("paper-tables-real"))
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main():
    """Run what is asked for and missing, and print it."""
    args = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of passes
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}, {args.threads} threads"
    )
    record = paper.Record(args.out, SETTINGS)
    with threadpool_limits(args.threads):
        for name in args.tables:
            TABLES[name](args.data, record, args.seeds)


if __name__ == "__main__":
    main()
