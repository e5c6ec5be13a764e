"""Cold start on real article libraries: a learned factor model beside honest baselines.

    python benchmarks/citeulike.py --data FOLDER [--set a t] [--seeds 5] [--quick]

FOLDER holds citeulike-a and citeulike-t. Everything is tuned by a grid search inside
the training items; test items are read once, to be ranked.

citeulike-a: the official cold split of DropoutNet (train.csv, test.csv), 3,396 held-out
items that are ranked for all 5,410 users who collected one of them, recall@100 divided
by the positives of a user, mean over users. Content is 50 features of the text alone,
not the 300 of the published figures: those are no comparison. The split is one; the
spread is over seeds of factorization and search, the interval over users.

citeulike-t: words (tf-idf, truncated SVD), items in five shuffled folds; the spread is
over folds. Users without a training item tie on everything and are scored all the same.
"""

import argparse
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

import skcoldstart
from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
    make_recommendation_scorer,
)
from skcoldstart.datasets import load_citeulike
from skcoldstart.metrics import bootstrap_interval, compare_paired

METRICS = ("recall@100", "capped_recall@20", "ndcg@20", "map@500", "auc")
TUNED_ON = "recall@100"


def search(recommender, grid, seed):
    """Return a search over items that are held out of the training items."""
    scorer = make_recommendation_scorer(TUNED_ON)
    cv = KFold(3, shuffle=True, random_state=seed)
    return GridSearchCV(recommender, grid, scoring=scorer, cv=cv, error_score="raise")


def models_of(content, gammas, seed, quick, cache):
    """Return recommenders by name; features of a fold are computed once, in cache."""

    def cold_start(regressor, n_components, **grid):
        model = ColdStartRecommender(regressor, WMF(random_state=seed))
        grid["factorizer__n_components"] = n_components
        grid = {f"coldstartrecommender__{name}": grid[name] for name in grid}
        return tuned(model, grid)

    def tuned(model, grid):
        if quick:
            grid = {name: values[:1] for name, values in grid.items()}
        return search(make_pipeline(*content, model, memory=cache), grid, seed)

    kernel = make_pipeline(
        Nystroem(n_components=1000, random_state=seed), Ridge(solver="cholesky")
    )
    return {
        "ColdStart, ridge": cold_start(
            Ridge(), [200, 100], regressor__alpha=[10.0, 1.0, 100.0]
        ),
        "ColdStart, rbf ridge": cold_start(
            kernel,
            [200],
            regressor__nystroem__gamma=gammas,
            regressor__ridge__alpha=[0.1, 1.0],
        ),
        "content cosine": make_pipeline(
            *content, ContentProfileRecommender(), memory=cache
        ),
        "content kNN": tuned(
            ContentKNNRecommender(weighting="cosine", power=1.0),
            {"contentknnrecommender__n_neighbors": [100, 30]},
        ),
        "random": RandomRecommender(random_state=seed),
    }


def evaluate(models, X, y, train, test, seed):
    """Fit and score each; return values of users by model and metric."""
    scorer = make_recommendation_scorer(METRICS)
    found = {}
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X[train], y[train])
        found[name] = scorer.per_user(model, X[test], y[test])
        chosen = ""
        if hasattr(model, "best_params_"):
            chosen = ", ".join(
                f"{key.rpartition('__')[2]}={value}"
                for key, value in model.best_params_.items()
            )
        print(
            f"    {name:22}{time.perf_counter() - start:7.1f} s  {chosen}", flush=True
        )
        if name == "ColdStart, ridge":
            factorizer = model.best_estimator_[-1].factorizer
            bound = OracleRecommender(factorizer).fit(y[train])
            found["upper bound"] = scorer.per_user(bound, y[test], y[test])
    return found


def report(runs, spread):
    """Print means over users and runs, with their spread and an interval over users."""
    print(f"  {'':22}" + "".join(f"{name:>24}" for name in METRICS))
    keys = [name.partition("@")[0] for name in METRICS]
    for name in runs[0]:
        cells = []
        for key in keys:
            means = [np.nanmean(run[name][key]) for run in runs]
            deviation = np.std(means, ddof=1) if len(means) > 1 else np.nan
            cells.append(f"{np.mean(means):.4f} ± {deviation:.4f}")
        print(f"  {name:22}" + "".join(f"{cell:>24}" for cell in cells))
    print(f"  ± is the standard deviation over {len(runs)} {spread}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # users never scored
        of_users = {
            name: np.nanmean([run[name][keys[0]] for run in runs], axis=0)
            for name in runs[0]
        }
    for name, values in of_users.items():
        mean, low, high = bootstrap_interval(values)
        line = f"  {name:22}{METRICS[0]} {mean:.4f} [{low:.4f}, {high:.4f}] over users"
        if name != "content cosine":
            gain = compare_paired(values, of_users["content cosine"])
            line += (
                f"; to content cosine {gain.difference:+.4f} "
                f"[{gain.low:+.4f}, {gain.high:+.4f}]"
            )
        print(line)


def run(options, cache):
    """Run and report what is asked for."""
    if "a" in options.set:
        articles = load_citeulike(options.data / "citeulike-a")
        X, y = articles.X, articles.plays
        warm, cold = articles.train_idx, articles.test_idx
        scored = int((np.diff(y[cold].T.tocsr().indptr) > 0).sum())
        print(
            f"\nciteulike-a, official cold split: {len(warm)} training items, "
            f"{len(cold)} candidates, {scored} users scored"
        )
        runs = []
        for seed in range(options.seeds):
            print(f"  seed {seed}")
            gammas = [0.01, 0.003, 0.03]
            models = models_of([StandardScaler()], gammas, seed, options.quick, cache)
            runs.append(evaluate(models, X, y, warm, cold, seed))
        report(runs, "seeds")
    if "t" in options.set:
        articles = load_citeulike(options.data / "citeulike-t")
        words, y = articles.words, articles.plays
        print(f"\nciteulike-t: {y.shape[0]} items in 5 folds, {y.shape[1]} users")
        runs = []
        folds = KFold(5, shuffle=True, random_state=0).split(np.empty(y.shape[0]))
        for fold, (train, test) in list(enumerate(folds))[: options.folds]:
            print(f"  fold {fold}: {len(test)} candidates")
            # Words say nothing of plays: the space is that of the training items.
            content = [
                TfidfTransformer(sublinear_tf=True),
                TruncatedSVD(300, random_state=0),
                Normalizer(),
            ]
            models = models_of(content, [1.0, 0.5, 2.0], fold, options.quick, cache)
            runs.append(evaluate(models, words, y, train, test, fold))
        report(runs, "folds")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="+", choices=["a", "t"], default=["a", "t"])
    parser.add_argument("--seeds", type=int, default=3, help="of citeulike-a")
    parser.add_argument("--folds", type=int, default=5, help="of citeulike-t to run")
    parser.add_argument("--quick", action="store_true", help="one candidate each")
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs; "
        f"skcoldstart {skcoldstart.__version__}, numpy {np.__version__}, scikit-learn "
        f"{sklearn.__version__}"
    )
    with tempfile.TemporaryDirectory() as cache:
        run(options, cache)


if __name__ == "__main__":
    main()
