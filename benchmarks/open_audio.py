"""The paper's tables, and `make_recommender`, on open sets of sound and listeners.

    python benchmarks/open_audio.py --data FOLDER
        --set yambda|melon|music4all|listenbrainz [--items 9330] [--users 20000]
        [--seeds 0 1 2] [--tables 2 4 tags] [--systems "linear regression" ...]
        [--out open-audio]

FOLDER holds the files as their publishers name them:

============  ========================================================================
yambda        flat/50m/listens.parquet, embeddings.parquet, artist_item_mapping.parquet
melon         song_meta.json, train.json, arena_mel_*.tar
music4all     userid_trackid_timestamp.tsv, id_information.csv, audio/*.mp3
listenbrainz  listens (a folder, or listens.tar.zst) and acousticbrainz/lowlevel
============  ========================================================================

The most played items that have content, and the most active users of these, are taken,
as many as the paper has by default. Items are held out one by one as in the paper
("song"), and, where artists are known, as songs of artists with other songs in training
("hot artist") and of new artists ("cold artist"), as is usual on these sets. Settings
are those of ``paper_world.py``, chosen on a synthetic world, and the defaults of
`make_recommender`; nothing is chosen on what is measured. Music4All gives sound, Melon
mel spectrograms, and the others features: networks run on the first two.

Every finished part is kept under ``--out``: a stopped run goes on where it stopped.
"""

import argparse
import platform
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paper
import sklearn
from paper_world import METRIC, NET, PASSES, PERCEPTRON, REG, RIDGE, bag_of_words
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler

import skcoldstart
from skcoldstart import (
    WMF,
    CNNFactorRegressor,
    ColdStartRecommender,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    RandomRecommender,
    make_recommendation_scorer,
    make_recommender,
)
from skcoldstart.datasets import (
    load_listenbrainz,
    load_melon,
    load_music4all,
    load_yambda,
    load_yambda_embeddings,
    make_subset,
)
from skcoldstart.inspection import SimilarItemsTable
from skcoldstart.model_selection import ArtistHistorySplit

SCORER = make_recommendation_scorer(("map@500", "auc"))
PUBLISHED = {"random": paper.TABLE_3["random"]} | paper.TABLE_2
PUBLISHED["upper bound"] = paper.TABLE_3["upper bound"]
BLENDS = {
    "make_recommender": "quick",
    "make_recommender, thorough": "thorough",
}
N_TAGS = 50
LARGEST_GAP = 0.2  # of the items, or of the artists, held out


@dataclass
class OpenSet:
    """Plays and content of the items of one set.

    Shapes: `content` (n_items, n_features), or n_items sequences of frames; `mel` the
    frames that a network reads, or None; `artists` (n_items,) or None.
    """

    plays: object
    content: object
    mel: object
    artists: object
    genres: object
    has_frames: bool

    @property
    def kinds(self):
        """What can be held out."""
        return ["song", *["hot artist", "cold artist"] * (self.artists is not None)]

    def split(self, kind, seed):
        """Return the items to learn from and those held out."""
        if kind == "song":
            return paper.hold_out(kind, np.arange(len(self)), LARGEST_GAP, seed)
        splitter = ArtistHistorySplit(
            round(1 / LARGEST_GAP),
            history=kind.split()[0],
            shuffle=True,
            random_state=seed,
        )
        splits = splitter.split(self.artists, self.plays, groups=self.artists)
        return next(splits)

    def words(self, seed):
        """Return the steps from content to the features of the paper."""
        if self.has_frames:
            return bag_of_words(seed)
        return StandardScaler(), PCA(0.95)

    def __len__(self):
        return self.plays.shape[0]


def yambda(folder, args):
    """Return listens, and embeddings of tracks."""
    taste = load_yambda(folder)
    known = load_yambda_embeddings(folder, items=taste.item_ids).is_known
    chosen = subset(taste, known, args)
    X = load_yambda_embeddings(folder, items=chosen.item_ids).X
    return OpenSet(chosen.plays, X, None, chosen.get("groups"), None, False)


def melon(folder, args):
    """Return playlists, and mel spectrograms of songs."""
    found = load_melon(folder)
    chosen = subset(found, found.is_known, args)
    frames = chosen.frames
    return OpenSet(chosen.plays, frames, frames, chosen.groups, chosen.genres, True)


def music4all(folder, args):
    """Return listens, and MFCC and mel frames of clips, computed once."""
    found = load_music4all(folder)
    has_audio = np.array([path is not None for path in found.paths])
    chosen = subset(found, has_audio & (np.diff(found.plays.indptr) > 0), args)
    mfcc, mel = (
        kind(store=args.out / "music4all" / name, n_jobs=-1).fit_transform(chosen.paths)
        for kind, name in ((MFCCExtractor, "mfcc"), (MelSpectrogram, "mel"))
    )
    return OpenSet(chosen.plays, mfcc, mel, chosen.get("groups"), None, True)


def listenbrainz(folder, args):
    """Return listens, and features of AcousticBrainz."""
    archive = folder / "listens.tar.zst"
    listens = archive if archive.exists() else folder / "listens"
    found = load_listenbrainz(listens, features=folder / "acousticbrainz")
    chosen = subset(found, found.is_known, args)
    return OpenSet(chosen.plays, chosen.X, None, None, None, False)


SETS = {f.__name__: f for f in (yambda, melon, music4all, listenbrainz)}


def subset(found, has_content, args):
    """Take the most played items with content, and the users most active on them."""
    n_items = min(args.items, int(has_content.sum()))
    plays = found.plays.copy()
    plays.data *= np.repeat(has_content, np.diff(plays.indptr))
    plays.eliminate_zeros()
    n_items = min(n_items, int((np.diff(plays.indptr) > 0).sum()))
    rows = make_subset(plays, n_items, None, random_state=0).item_idx
    n_users = min(args.users, len(np.unique(plays[rows].indices)))
    return make_subset(found | {"plays": plays}, n_items, n_users, random_state=0)


def systems_of(chosen, args):
    """Return the names of the systems that the content allows, worst first."""
    nets = [name for name in PUBLISHED if name.startswith("CNN")]
    names = [name for name in PUBLISHED if chosen.mel is not None or name not in nets]
    return [*names, "ridge regression", *BLENDS] if args.systems is None else [
        name for name in [*names, "ridge regression", *BLENDS] if name in args.systems
    ]  # fmt: skip


def measure(chosen, name, kind, seed, args):
    """Fit a system and rank the held-out items for users it knows."""
    train, test = chosen.split(kind, seed)
    wmf = WMF(args.factors, reg=REG, random_state=seed)
    content, params = chosen.content, {}
    groups = None if chosen.artists is None else chosen.artists[train]

    def words(model):
        return make_pipeline(*chosen.words(seed), model)

    if name == "random":
        model = RandomRecommender(random_state=seed)
    elif name == "upper bound":
        model, content = OracleRecommender(wmf), chosen.plays
    elif name == "MLR":
        model = words(MLRSimilarity(random_state=seed, **METRIC))
    elif name in BLENDS:
        by_group = kind == "cold artist"
        model = make_recommender(
            "frames" if chosen.has_frames else "table",
            groups=by_group,
            effort=BLENDS[name],
            random_state=seed,
        )
        params = {"groups": groups} if by_group else {}
    elif name.startswith("CNN"):
        settings = NET | PASSES["medium"] | {"max_epochs": args.epochs}
        cnn = CNNFactorRegressor(
            objective=name[-3:].lower(), random_state=seed, **settings
        )
        model, content = ColdStartRecommender(cnn, wmf), chosen.mel
        params = {"groups": groups} if kind == "cold artist" else {}
    else:
        model = words(
            ColdStartRecommender(
                {
                    "linear regression": LinearRegression(),
                    "ridge regression": Ridge(RIDGE),
                    "MLP": MLPRegressor(random_state=seed, **PERCEPTRON),
                }[name],
                wmf,
            )
        )
    model.fit(content[train], chosen.plays[train], **params)
    known = np.flatnonzero(np.bincount(chosen.plays[train].indices))
    values = SCORER.per_user(model, content[test], chosen.plays[test])
    maps, aucs = (values[key][known] for key in ("map", "auc"))
    return {
        "mAP@500": float(np.nanmean(maps)),
        "AUC": float(np.nanmean(aucs)),
        "users": int(np.isfinite(maps).sum()),
    }


def table_2(chosen, record, args):
    """Print the systems of Tables 2 and 3, and the blends."""
    names = systems_of(chosen, args)
    published = {name: PUBLISHED[name] for name in PUBLISHED if name in names}
    for kind in chosen.kinds:
        runs = [
            {
                name: record.get(
                    (kind, name, str(seed)), measure, chosen, name, kind, seed, args
                )
                for name in names
            }
            for seed in args.seeds
        ]
        paper.print_ranking(f"Tables 2 and 3. Held out: {kind}", published, runs)


def table_4(chosen, record, args):
    """Print how often the closest songs are by the same artist."""
    print("\nTable 4. Share of the five closest songs by the same artist")
    if chosen.artists is None:
        print("  this set names no artists")
        return

    def closest(seed):
        train, test = chosen.split("song", seed)
        wmf = WMF(args.factors, reg=REG, random_state=seed)
        linear = make_pipeline(
            *chosen.words(seed), ColdStartRecommender(Ridge(RIDGE), wmf)
        )
        linear.fit(chosen.content[train], chosen.plays[train])
        predicted = linear[-1].predict_factors(linear[:-1].transform(chosen.content))
        folded_in = linear[-1].factorizer_.transform(chosen.plays)
        shares = {}
        for name, items in (("factors of plays", folded_in), ("content", predicted)):
            table = SimilarItemsTable.from_factors(
                items, None, linear[-1].user_factors_, queries=test
            )
            near = next(iter(table.neighbors.values()))
            same = chosen.artists[near] == chosen.artists[test, None]
            shares[name] = float(same.mean())
        return shares

    runs = [record.get(("closest", str(seed)), closest, seed) for seed in args.seeds]
    for name in runs[0]:
        print(f"  {name:<20}{paper.spread([run[name] for run in runs])}")


def table_tags(chosen, record, args):
    """Print how well content, and factors of plays, tell genres (section 5.1)."""
    print("\nSection 5.1. Prediction of genres, 10 folds, mean AUC")
    if chosen.genres is None:
        print("  this set has no tags of songs")
        return
    table = MultiLabelBinarizer(sparse_output=True).fit_transform(chosen.genres)
    columns = paper.most_used(table, N_TAGS, at_least=min(10, len(chosen) // 5))
    if not len(columns):
        print("  no genre has enough songs")
        return
    tags = table.tocsc()[:, columns].toarray() > 0

    def measured(name, seed):
        factors = WMF(args.factors, reg=REG, random_state=seed), StandardScaler()
        steps, content = {
            "audio": (chosen.words(seed), chosen.content),
            "WMF factors": (factors, chosen.plays),
        }[name]
        aucs = paper.tag_auc(steps, content, tags, chosen.artists, "song", seed)
        return {"AUC": float(np.nanmean(aucs)), "tags": len(aucs)}

    for name, published in paper.TAGS.items():
        runs = [
            record.get(("tags", name, str(seed)), measured, name, seed)
            for seed in args.seeds
        ]
        line = paper.spread([run["AUC"] for run in runs])
        print(f"  {name:<14}{published:>9.5f}{line:>18}")


TABLES = {"2": table_2, "4": table_4, "tags": table_tags}


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--items", type=int, default=9330)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--factors", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=30, help="of networks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument(
        "--systems", nargs="+", choices=[*PUBLISHED, "ridge regression", *BLENDS]
    )
    parser.add_argument("--out", type=Path, default=Path("open-audio"))
    return parser.parse_args()


def main():
    """Run what is asked for and missing, and print it."""
    args = parse_arguments()
    warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of passes
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}"
    )
    chosen = SETS[args.set](args.data, args)
    n_artists = 0 if chosen.artists is None else len(np.unique(chosen.artists))
    print(
        f"{args.set}: {len(chosen)} items, {chosen.plays.shape[1]} users, "
        f"{chosen.plays.nnz} pairs, {n_artists} artists"
    )
    settings = {
        "shape": chosen.plays.shape,
        "pairs": chosen.plays.nnz,
        "factors": args.factors,
        "epochs": args.epochs,
    }
    record = paper.Record(args.out / args.set, settings)
    for name in args.tables:
        TABLES[name](chosen, record, args)


if __name__ == "__main__":
    main()
