"""What the paper reports, and what both scripts of its tables share.

Figures of the paper, the orders of its systems, results that a stopped run keeps, tag
prediction, and printing. See ``paper_tables.py`` and ``paper_tables_real.py``.
"""

import json
import time
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart._utils.paths import atomic_write
from skcoldstart.metrics import LowRankScores, ranking_report

# System: mAP@500, AUC, as printed in the paper; from worst to best by both.
TABLE_2 = {
    "MLR": (0.01801, 0.60608),
    "linear regression": (0.02389, 0.63518),
    "MLP": (0.02536, 0.64611),
    "CNN, WPE": (0.04323, 0.70101),
    "CNN, MSE": (0.05016, 0.70987),
}
TABLE_3 = {
    "random": (0.00015, 0.49935),
    "linear regression": (0.00101, 0.64522),
    "CNN, MSE": (0.00672, 0.77192),
    "upper bound": (0.23278, 0.96070),
}
TAGS = {"audio": 0.69365, "WMF factors": 0.86703}

LOGISTIC_CS = (1e-4, 1e-3, 1e-2, 1e-1)
METRICS = ("mAP@500", "AUC")
SPLITS = {"song": "by song, as in the paper", "artist": "by artist"}


class Record:
    """Results of finished parts, a file each, so that a stopped run goes on.

    Parameters
    ----------
    folder : Path
        Where the files are.
    settings : dict
        What the results depend on, beside the version of the library; those of other
        settings are computed anew.
    """

    def __init__(self, folder, settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        settings = {"skcoldstart": skcoldstart.__version__, **settings}
        self.settings = json.loads(json.dumps(settings))

    def get(self, words, compute, *args):
        """Return the figures kept under a name, or compute and keep them.

        Parameters
        ----------
        words : sequence of str
            What the part is called.
        compute : callable
            Returns figures, which JSON can hold, alone or with arrays by name.
        *args : objects
            For `compute`.
        """
        path = self._path(words, "json")
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["settings"] == self.settings:
                return kept["figures"]
        start = time.perf_counter()
        figures = compute(*args)
        if isinstance(figures, tuple):
            figures, arrays = figures
            with atomic_write(self._path(words, "npz")) as file:
                np.savez(file, **arrays)
        seconds = round(time.perf_counter() - start, 1)
        with atomic_write(path, "w") as file:
            json.dump(
                {"settings": self.settings, "seconds": seconds, "figures": figures},
                file,
                indent=1,
            )
        print(
            f"  {path.parent.name}/{path.stem}: {seconds} s  {brief(figures)}",
            flush=True,
        )
        return figures

    def arrays(self, words):
        """Return the arrays kept with a part that `get` has been asked for."""
        with np.load(self._path(words, "npz")) as kept:
            return dict(kept)

    def _path(self, words, suffix):
        name = "-".join(words).lower().replace(", ", "-").replace(" ", "-")
        return self.folder / f"{name}.{suffix}"


def brief(figures):
    """Return the numbers among figures in one line."""
    return "  ".join(
        f"{name} {value:.4g}"
        for name, value in figures.items()
        if isinstance(value, (int, float))
    )


def rank_held_out(model, content, plays, train, test, **fit_params):
    """Fit a recommender to some items and rank the others for users it knows.

    Parameters
    ----------
    model : estimator
        A recommender, or a Pipeline that ends in one, with low-rank scores.
    content : sequence of n_items items
        What it reads.
    plays : csr_array of shape (n_items, n_users)
        Play counts.
    train, test : ndarray of int
        Items to learn from, and to rank.
    **fit_params : dict
        For its `fit`.

    Returns
    -------
    figures : dict
        mAP@500 and AUC, means over the users who played an item of both halves.
    arrays : dict
        Factors of all items, as predicted, and of the users.
    """
    model.fit(content[train], plays[train], **fit_params)
    last = model[-1] if hasattr(model, "steps") else model
    item_factors = np.empty((len(train) + len(test), last.user_factors_.shape[1]))
    for rows in (train, test):
        features = content[rows]
        if hasattr(model, "steps"):
            features = model[:-1].transform(features)
        item_factors[rows] = last.predict_factors(features)
    known = np.flatnonzero(np.diff(plays[train].tocsc().indptr))
    report = ranking_report(
        plays[test][:, known],
        LowRankScores(item_factors[test], last.user_factors_[known]),
    )
    figures = {
        "mAP@500": float(report["map"]),
        "AUC": float(report["auc"]),
        "users": int(report["n_users_scored"]),
    }
    return figures, {"items": item_factors, "users": last.user_factors_}


def tag_auc(steps, content, tags, artists, kind, seed):
    """Predict tags by logistic regression in ten folds (section 5.1).

    Everything is learnt inside a fold. The strength of the regression is the one that
    does best on a fifth of the fold's training items, held out in the same way.

    Parameters
    ----------
    steps : sequence of transformers
        From content to features, fitted to the training items.
    content : sequence of n_items items
        What they read.
    tags : bool ndarray of shape (n_items, n_tags)
        Whether an item carries a tag.
    artists : ndarray of shape (n_items,)
        Artist of each item.
    kind : {"song", "artist"}
        What is held out.
    seed : int
        Shuffles.

    Returns
    -------
    ndarray of shape (n_tags,)
        AUC, mean over the folds in which some and not all items carry the tag.
    """
    aucs = []
    for train, test in folds_of(kind, artists, 10, seed):
        to_features = make_pipeline(*steps)
        features = to_features.fit_transform(content[train])
        (fit, check), known = hold_out(kind, artists[train], 0.2, seed), tags[train]

        def score(C, features=features, known=known, fit=fit, check=check):
            model = tagger(C).fit(features[fit], known[fit])
            return np.nanmean(aucs_of_tags(model, features[check], known[check]))

        model = tagger(max(LOGISTIC_CS, key=score)).fit(features, known)
        aucs.append(
            aucs_of_tags(model, to_features.transform(content[test]), tags[test])
        )
    return np.ma.masked_invalid(aucs).mean(axis=0).filled(np.nan)


def tagger(C):
    """Return one logistic regression for each tag."""
    return OneVsRestClassifier(LogisticRegression(C=C, solver="newton-cholesky"))


def aucs_of_tags(model, features, tags):
    """Return the AUC of each tag, NaN for one that all or no items carry."""
    scores = model.decision_function(features)
    both = tags.any(axis=0) & ~tags.all(axis=0)
    aucs = np.full(tags.shape[1], np.nan)
    if both.any():
        aucs[both] = roc_auc_score(tags[:, both], scores[:, both], average=None)
    return aucs


def hold_out(kind, artists, share, seed):
    """Return the positions of items to learn from, and of those held out.

    Parameters
    ----------
    kind : {"song", "artist"}
        Whether songs are held out one by one, or by whole artists.
    artists : ndarray of shape (n_items,)
        Artist of each item.
    share : float
        Of the songs, or of the artists.
    seed : int
        Draws them.

    Returns
    -------
    train, test : ndarray of int
        Positions.
    """
    splitter = {"song": ShuffleSplit, "artist": GroupShuffleSplit}[kind]
    return splits(splitter(1, test_size=share, random_state=seed), kind, artists)[0]


def folds_of(kind, artists, n, seed):
    """Return n folds as (train, test); parameters are those of `hold_out`."""
    splitter = {"song": KFold, "artist": GroupKFold}[kind]
    return splits(splitter(n, shuffle=True, random_state=seed), kind, artists)


def splits(splitter, kind, artists):
    """Return the splits of a splitter, which is given artists only if it holds them."""
    return list(splitter.split(artists, groups=artists if kind == "artist" else None))


def most_used(table, n, at_least=10):
    """Return the columns of the n tags that most items carry.

    Parameters
    ----------
    table : {array-like, sparse} of shape (n_items, n_tags)
        Whether an item carries a tag.
    n : int
        How many.
    at_least : int, default=10
        Items that a tag must have, and must lack.

    Returns
    -------
    ndarray of int
        Most used first.
    """
    counts = np.asarray(sp.csr_array(table).astype(bool).sum(axis=0)).ravel()
    usable = np.minimum(counts, table.shape[0] - counts) >= at_least
    order = np.argsort(-counts, kind="stable")
    return order[usable[order]][:n]


def purity(ends, label_of):
    """Return how alike the names at the ends of factors are.

    Parameters
    ----------
    ends : list of sequence of str
        Names at each end.
    label_of : dict
        Label of a name.

    Returns
    -------
    float
        Share of an end's names with its commonest label, mean over the ends.
    """
    shares = []
    for names in ends:
        _, counts = np.unique([label_of[name] for name in names], return_counts=True)
        shares.append(counts.max() / counts.sum())
    return float(np.mean(shares))


def print_ranking(title, published, runs):
    """Print one table of the paper beside ours, and whether its orders hold.

    Parameters
    ----------
    title : str
        Heading.
    published : dict
        mAP@500 and AUC of the paper by system, worst first.
    runs : list of dict
        One for each seed: figures by system, also of systems that the paper lacks.
    """
    print(f"\n{title}")
    print(
        f"{'system':<20}{'mAP@500':>9}{'AUC':>8}   {'mAP@500':>17}{'AUC':>17}\n"
        f"{'':<20}{'paper':>9}{'paper':>8}   {f'here, {len(runs)} seeds':>17}"
    )
    for system in runs[0]:
        theirs = "{:>9.5f}{:>8.4f}" if system in published else "{:>9}{:>8}"
        theirs = theirs.format(*published.get(system, ("-", "-")))
        cells = "".join(
            f"{spread([run[system][metric] for run in runs]):>17}" for metric in METRICS
        )
        print(f"{system:<20}{theirs}   {cells}")
    users = [run[system]["users"] for run in runs]
    print(f"± standard deviation over seeds; {min(users)} to {max(users)} users scored")
    print_orders(
        [
            (f"{worse} < {better}", (worse, better), METRICS)
            for worse, better in pairwise(published)
        ],
        runs,
    )


def print_orders(orders, runs):
    """Print for each order of the paper in how many runs it holds here.

    Parameters
    ----------
    orders : list of (str, (str, str), sequence of str)
        What to call it; the worse and the better system; the metrics.
    runs : list of dict
        One for each seed: figures by system.
    """
    for name, (worse, better), metrics in orders:
        gains = {
            metric: np.array([run[better][metric] - run[worse][metric] for run in runs])
            for metric in metrics
        }
        cells = "   ".join(
            f"{metric} {(gain > 0).sum()} of {len(runs)} ({spread(gain, sign='+')})"
            for metric, gain in gains.items()
        )
        print(f"  {name:<34}{verdict(list(gains.values())):<15}{cells}")


def verdict(gains):
    """Say whether an order holds: in all runs, in the mean, or not."""
    if all((gain > 0).all() for gain in gains):
        return "holds"
    if all(gain.mean() > 0 for gain in gains):
        return "in the mean"
    if all(gain.mean() <= 0 for gain in gains):
        return "does not hold"
    return "undecided"


def spread(values, sign=""):
    """Write the mean, and the standard deviation of several."""
    mean = f"{np.mean(values):{sign}.4f}"
    return f"{mean} ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else mean
