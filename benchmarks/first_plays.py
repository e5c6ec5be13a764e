"""The first plays of new items, on real data: content, plays, and both.

    python benchmarks/first_plays.py --data FOLDER [--splits 3]

FOLDER is that of `citeulike.py` and `real_plays.py`. Items (on the Taste Profile, all
songs of an artist) are held out, the first plays of each revealed in random order, and
the plays after the tenth ranked. The fitted models are the same for all rows of a
table; rows differ in what they do with the revealed plays: nothing, fold-in alone, or
`ColdStartRecommender.refine_factors` with several strengths of its prior. Settings are
not tuned.
"""

import argparse
import platform
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
from real_plays import load, term_features
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupShuffleSplit

import skcoldstart
from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.datasets import load_citeulike
from skcoldstart.metrics import LowRankScores
from skcoldstart.model_selection import warmup_curve

N_PLAYS = [0, 1, 2, 5, 10]
STRENGTHS = [1.0, 2.0, 4.0, 8.0, 16.0]


def data_sets(folder):
    """Yield a name, dense content, plays and what is held out together."""
    articles = load_citeulike(folder / "citeulike-a")
    yield "citeulike-a", articles.X, articles.plays, np.arange(len(articles.X))
    articles = load_citeulike(folder / "citeulike-t")
    words = TfidfTransformer(sublinear_tf=True).fit_transform(articles.words)
    content = TruncatedSVD(100, random_state=0).fit_transform(words)
    yield "citeulike-t", content, articles.plays, np.arange(len(content))
    terms, plays, artists = load(folder)
    content = TruncatedSVD(100, random_state=0).fit_transform(
        term_features().fit_transform(terms)
    )
    yield "Taste Profile, by artist", content, plays, artists


def content_only(model, X, plays):
    """Rank by the predicted factors."""
    return LowRankScores(model.predict_factors(X), model.user_factors_)


def plays_only(model, X, plays):
    """Fold items in; nothing can be said of items without plays."""
    if plays.nnz == 0:
        return None
    return LowRankScores(model.factorizer_.transform(plays), model.user_factors_)


def both(model, X, plays, *, strength):
    """Update the predicted factors by the plays so far."""
    model = clone_fitted(model, strength)
    return LowRankScores(model.refine_factors(X, plays), model.user_factors_)


def clone_fitted(model, strength):
    """Return the same fitted recommender with another strength of its prior."""
    twin = clone(model)
    vars(twin).update(vars(model))
    return twin.set_params(prior_strength=strength)


def main():
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=3)
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}; {options.splits} splits"
    )
    systems = {"content only": content_only, "plays only": plays_only}
    for strength in STRENGTHS:
        systems[f"both, strength {strength:g}"] = partial(both, strength=strength)
    model = ColdStartRecommender(Ridge(1.0), WMF(64, random_state=0))
    for name, X, y, groups in data_sets(options.data):
        table = warmup_curve(
            model,
            X,
            y,
            n_plays=N_PLAYS,
            systems=systems,
            groups=groups,
            cv=GroupShuffleSplit(options.splits, test_size=0.15, random_state=0),
            metrics=["map@500", "auc"],
        )
        users = max(table["n_users"])
        print(f"\n{name}: mAP@500 / AUC after n plays, {users} users")
        print(f"{'':18}" + "".join(f"{n:>15}" for n in N_PLAYS))
        for system in systems:
            cells = []
            for n in N_PLAYS:
                own = (table["system"] == system) & (table["n_plays"] == n)
                means = dict(zip(table["metric"][own], table["mean"][own], strict=True))
                cells.append(" / ".join(f"{v:.3f}" for v in means.values()) or "-")
            print(f"{system:18}" + "".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
